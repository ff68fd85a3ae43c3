"""Training curves: a strip for each loss of a model, so that none hides another; curves.svg.j2 draws them.

A strip's axis is the same for all models of one recipe, so that panels can be compared by eye.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 320, 46, 10, 20, 34
ALONE, AMONG = 136, 72  # heights of a strip
MOST_POINTS, MOST_SAID = 200, 20  # of a line, and of those that say what they are
NOT_LOSSES = ["loss", "learning_rate", "gradient_norm"]  # the first is the sum of the others
HELD_OUT, ACCURACY, DEVELOPMENT = "held_out_", "_accuracy", "development_"
OF_BATCHES = ("contrast",)  # losses that grow with the batch: on held-out text they are those of another one
Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Series:
    """What one strip shows, in steps and values."""

    name: str
    what: str  # loss, held_out or development
    line: Points
    dots: Points  # measured now and then

    @property
    def values(self) -> list[float]:
        return [value for _, value in [*self.line, *self.dots]]


@dataclass(frozen=True)
class History:
    series: list[Series]
    steps: int
    found: list[tuple[str, float]]  # shares of held-out words and spans that are found in the end


@dataclass(frozen=True)
class Strip:
    """A series in the picture's coordinates."""

    name: str
    what: str
    line: Points
    dots: Points
    said: list[tuple[float, float, str]]  # what points say when they are pointed at
    told: list[tuple[str, float]]  # figures beside the name
    ticks: list[tuple[float, str]]
    top: float
    bottom: float


@dataclass(frozen=True)
class Panel:
    model: str
    strips: list[Strip]
    steps: list[tuple[float, str]]  # ticks: where, and what is written there
    found: list[tuple[str, float]]
    height: float


def panels(of: dict[str, tuple[str, Path]]) -> list[Panel]:
    """Model → (recipe, its metrics.jsonl); none of a model that has no losses."""
    found = {name: (recipe, history(metrics)) for name, (recipe, metrics) in of.items()}
    known = {name: (recipe, one) for name, (recipe, one) in found.items() if one}
    ends: dict[tuple[str, str], list[float]] = {}
    for recipe, one in known.values():
        for series in one.series:
            least = [0.0] if series.what == "development" else []
            ends.setdefault((recipe, series.name), []).extend([*least, min(series.values), max(series.values)])
    axes = {key: ticks(min(values), max(values)) for key, values in ends.items()}
    return [panel(name, one, [axes[recipe, of.name] for of in one.series]) for name, (recipe, one) in known.items()]


def history(metrics: Path) -> History | None:
    """The losses in a metrics.jsonl as running means over a twentieth of the steps; none when there are none.

    What was measured on held-out text or on development queries is not smoothed.
    """
    rows = pd.DataFrame([json.loads(line) for line in metrics.read_text().splitlines()])
    if rows.empty:
        return None
    rows = rows.set_index("step").drop(columns=NOT_LOSSES, errors="ignore")
    rows = rows.where(rows.abs() < math.inf).dropna(how="all").dropna(axis=1, how="all")
    held_out, development = rows.filter(regex=f"^{HELD_OUT}"), rows.filter(regex=f"^{DEVELOPMENT}")
    losses = rows.drop(columns=[*held_out.columns, *development.columns]).dropna(how="all")
    if losses.empty:
        return None
    smooth = losses.rolling(max(1, len(losses) // 20), center=True, min_periods=1).mean()
    thin = smooth.iloc[:: -math.ceil(len(smooth) / MOST_POINTS)][::-1]
    measured = {name.removeprefix(HELD_OUT): _points(held_out, name) for name in held_out}
    shares = {name.removesuffix(ACCURACY): points for name, points in measured.items() if name.endswith(ACCURACY)}
    apart = [name for name in OF_BATCHES if name in measured]
    series = [
        Series(name, "loss", _points(thin, name), [] if name in apart else measured.get(name, [])) for name in thin
    ]
    series += [Series(f"{name}, held-out", "held_out", [], measured[name]) for name in apart]
    series += [
        Series(name.removeprefix(DEVELOPMENT), "development", [], _points(development, name)) for name in development
    ]
    return History(series, int(rows.index.max()), [(name, points[-1][1]) for name, points in shares.items()])


def _points(frame: pd.DataFrame, name: str) -> Points:
    return [(float(step), float(value)) for step, value in frame[name].dropna().items()]


def panel(model: str, history: History, axes: list[list[float]]) -> Panel:
    """A strip below the other, each with the ticks of its axis."""
    height = ALONE if len(history.series) == 1 else AMONG
    right = max(history.steps, 1)

    def x(step: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * step / right, 1)

    strips, top = [], TOP
    for series, axis in zip(history.series, axes, strict=True):
        strips.append(strip(series, axis, x, top, top + height))
        top += height + TOP
    steps = [(x(step), f"{step:,g}") for step in ticks(0, right) if step <= right and step == int(step)]
    return Panel(model, strips, steps, history.found, top - TOP + BOTTOM)


def strip(series: Series, axis: list[float], x, top: float, bottom: float) -> Strip:
    """`x` says where a step is."""
    low, high = axis[0], axis[-1]

    def at(point: tuple[float, float]) -> tuple[float, float]:
        return x(point[0]), round(bottom - (bottom - top) * (point[1] - low) / (high - low), 1)

    few = series.line[:: -math.ceil(len(series.line) / MOST_SAID)] if series.line else []
    where = {"loss": "on held-out text", "held_out": "on held-out text", "development": "on development queries"}
    said = [(*at(point), f"step {point[0]:,.0f}: {series.name} {point[1]:.4g}") for point in reversed(few)]
    said += [
        (*at(point), f"step {point[0]:,.0f}: {series.name} {point[1]:.4g} {where[series.what]}")
        for point in series.dots
    ]
    told = [("", series.line[-1][1])] if series.line else []
    if series.what == "development":
        told.append(("at best", max(series.values)))
    elif series.dots:
        told.append(("on held-out text" if series.line else "", series.dots[-1][1]))
    shown = axis if bottom - top > AMONG or len(axis) < 4 else [axis[0], axis[len(axis) // 2], axis[-1]]
    marks = [(at((0, value))[1], f"{value:g}") for value in shown]
    return Strip(
        series.name,
        series.what,
        list(map(at, series.line)),
        list(map(at, series.dots)),
        said,
        told,
        marks,
        top,
        bottom,
    )


def explained(panels: list[Panel]) -> str:
    """What is to be known of dots, as far as there are any."""
    kinds = {strip.what for panel in panels for strip in panel.strips if strip.dots}
    said = " Dots are measured on the way, on text that is never trained on." if kinds & {"loss", "held_out"} else ""
    if "held_out" in kinds:
        said += " A held-out contrast is that of a batch of another size, so its height is not that of training."
    return said + (" Dots of a metric are measured on development queries." if "development" in kinds else "")


def ticks(low: float, high: float) -> list[float]:
    """Two to seven round numbers, the first not above `low`, the last not below `high`."""
    span = high - low or abs(high) or 1
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(power * times for times in (1, 2, 5, 10) if span / (power * times) <= 5)
    first = math.floor(low / step)
    return [i * step for i in range(first, max(math.ceil(high / step), first + 1) + 1)]
