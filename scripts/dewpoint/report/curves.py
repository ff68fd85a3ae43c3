"""Training curves: each model's losses over its steps, in the coordinates of a small picture (curves.svg.j2)."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

WIDTH, HEIGHT = 320, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 34, 8, 34
MOST_POINTS = 200
NOT_LOSSES = ["loss", "learning_rate", "gradient_norm"]  # the first is the sum of the others
HELD_OUT, ACCURACY, DEVELOPMENT = "held_out_", "_accuracy", "development_"


@dataclass(frozen=True)
class Curve:
    loss: str
    points: list[tuple[float, float]]
    last: float
    measured: list[tuple[float, float]]  # on held-out text


@dataclass(frozen=True)
class Rise:
    """What was measured on development queries; its axis, on the right, begins at zero."""

    measure: str
    points: list[tuple[float, float]]
    best: float
    values: list[tuple[float, str]]  # ticks


@dataclass(frozen=True)
class Panel:
    model: str
    curves: list[Curve]
    steps: list[tuple[float, str]]  # ticks: where, and what is written there
    losses: list[tuple[float, str]]
    found: list[tuple[str, float]]  # shares of held-out words and spans that are found in the end
    rise: Rise | None


def panel(model: str, metrics: Path) -> Panel | None:
    """The losses in a metrics.jsonl as running means over a twentieth of the steps; none when there are none.

    What was measured on held-out text is not smoothed.
    """
    history = pd.DataFrame([json.loads(line) for line in metrics.read_text().splitlines()])
    if history.empty:
        return None
    history = history.set_index("step").drop(columns=NOT_LOSSES, errors="ignore")
    history = history.where(history.abs() < math.inf).dropna(how="all").dropna(axis=1, how="all")
    if history.empty:
        return None
    held_out = history.filter(like=HELD_OUT)
    development = history.filter(like=DEVELOPMENT).dropna()
    history = history.drop(columns=[*held_out.columns, *development.columns])
    smooth = history.rolling(max(1, len(history) // 20), center=True, min_periods=1).mean()
    thin = smooth.iloc[:: -math.ceil(len(smooth) / MOST_POINTS)][::-1]

    steps = ticks(0, thin.index.max())
    measured = held_out[[name for name in held_out if not name.endswith(ACCURACY)]].dropna(how="all")
    found = held_out.filter(like=ACCURACY).dropna(how="all").tail(1)
    lowest, highest = (float(getattr(pd.concat([thin, measured]), which)().agg(which)) for which in ("min", "max"))
    losses = ticks(lowest, highest)
    low, high, right = losses[0], losses[-1], max(thin.index.max(), 1)

    def x(step: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * step / right, 1)

    def y(value: float, low: float = low, high: float = high) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low), 1)

    def points(frame: pd.DataFrame, name: str) -> list[tuple[float, float]]:
        return [(x(step), y(loss)) for step, loss in frame[name].dropna().items()] if name in frame else []

    curves = [
        Curve(str(name), points(thin, name), float(values.dropna().iloc[-1]), points(measured, f"{HELD_OUT}{name}"))
        for name, values in thin.items()
    ]
    rise = None
    for name, values in development.items():
        up = ticks(0, float(values.max()))
        line = [(x(step), y(value, 0, up[-1])) for step, value in values.items()]
        marks = [(y(value, 0, up[-1]), f"{value:g}") for value in up]
        rise = Rise(str(name).removeprefix(DEVELOPMENT), line, float(values.max()), marks)
    return Panel(
        model,
        curves,
        [(x(step), f"{step:,g}") for step in steps if step <= right],
        [(y(loss), f"{loss:g}") for loss in losses],
        [(name.removeprefix(HELD_OUT).removesuffix(ACCURACY), float(share.iloc[-1])) for name, share in found.items()],
        rise,
    )


def ticks(low: float, high: float) -> list[float]:
    """Two to seven round numbers, the first not above `low`, the last not below `high`."""
    span = high - low or abs(high) or 1
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(power * times for times in (1, 2, 5, 10) if span / (power * times) <= 5)
    first = math.floor(low / step)
    return [i * step for i in range(first, max(math.ceil(high / step), first + 1) + 1)]
