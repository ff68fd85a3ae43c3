"""Training curves: each model's losses over its steps, in the coordinates of a small picture (curves.svg.j2)."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

WIDTH, HEIGHT = 320, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 8, 34
MOST_POINTS = 200
NOT_LOSSES = ["learning_rate", "gradient_norm"]


@dataclass(frozen=True)
class Curve:
    loss: str
    points: list[tuple[float, float]]
    last: float


@dataclass(frozen=True)
class Panel:
    model: str
    curves: list[Curve]
    steps: list[tuple[float, str]]  # ticks: where, and what is written there
    losses: list[tuple[float, str]]


def panel(model: str, metrics: Path) -> Panel | None:
    """The losses in a metrics.jsonl as running means over a twentieth of the steps; none when there are none."""
    history = pd.DataFrame([json.loads(line) for line in metrics.read_text().splitlines()])
    if history.empty:
        return None
    history = history.set_index("step").drop(columns=NOT_LOSSES, errors="ignore")
    history = history.where(history.abs() < math.inf).dropna(how="all").dropna(axis=1, how="all")
    if history.empty:
        return None
    smooth = history.rolling(max(1, len(history) // 20), center=True, min_periods=1).mean()
    thin = smooth.iloc[:: -math.ceil(len(smooth) / MOST_POINTS)][::-1]

    steps = ticks(0, thin.index.max())
    losses = ticks(thin.min().min(), thin.max().max())
    low, high, right = losses[0], losses[-1], max(thin.index.max(), 1)

    def x(step: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * step / right, 1)

    def y(loss: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (high - loss) / (high - low), 1)

    curves = [
        Curve(str(name), [(x(step), y(loss)) for step, loss in losses.items()], float(losses.iloc[-1]))
        for name, losses in thin.items()
        for losses in [losses.dropna()]
    ]
    return Panel(
        model,
        curves,
        [(x(step), f"{step:,g}") for step in steps if step <= right],
        [(y(loss), f"{loss:g}") for loss in losses],
    )


def ticks(low: float, high: float) -> list[float]:
    """Two to seven round numbers, the first not above `low`, the last not below `high`."""
    span = high - low or abs(high) or 1
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(power * times for times in (1, 2, 5, 10) if span / (power * times) <= 5)
    first = math.floor(low / step)
    return [i * step for i in range(first, max(math.ceil(high / step), first + 1) + 1)]
