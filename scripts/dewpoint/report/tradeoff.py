"""Quality against cost: which rankers no other beats in both, and a figure of all as SVG.

Colours are the page's, or black where there is none; the front's dots are also filled, all others hollow.
"""

import math
from collections.abc import Iterable, Iterator
from html import escape
from typing import NamedTuple

from dewpoint.report.curves import ticks

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 520, 320, 48, 26, 26, 40
WIDE = 20  # times that the dearest costs what the cheapest does, from which on the axis is logarithmic
LETTER, BOLD, LINE, NEAR = 6.1, 6.8, 12, 8  # width of a letter, height of a line, distance of a name from its dot
SHIFTS = [(1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1)]  # of a name from its dot, best first
Box = tuple[float, float, float, float]  # left, top, right, bottom


class Point(NamedTuple):
    name: str
    cost: float
    quality: float


def front(points: Iterable[Point]) -> list[Point]:
    """Those that no other beats, the cheapest first: none costs less and is as good, or costs as much and is better."""
    found: list[Point] = []
    for point in sorted(points, key=lambda one: (one.cost, -one.quality)):
        best = found[-1] if found else None
        if best is None or point.quality > best.quality or point[1:] == best[1:]:
            found.append(point)
    return found


def figure(points: list[Point], cost: str, quality: str) -> str:
    """All as dots, the front's connected by what is to be had for each cost; names wherever there is room."""
    axis, heights = Axis([point.cost for point in points]), ticks(*_ends([point.quality for point in points]))
    best = front(points)

    def at(point: Point) -> tuple[float, float]:
        share = (point.quality - heights[0]) / (heights[-1] - heights[0])
        return axis.place(point.cost), HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" xmlns="http://www.w3.org/2000/svg" font-size="11">']
    for height in heights:
        y = at(Point("", axis.ends[0], height))[1]
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" fill="none" stroke="var(--line, #ddd)"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" style="text-anchor: end">{height:g}</text>')
    for value in axis.ticks:
        parts.append(f'<text x="{axis.place(value):.1f}" y="{HEIGHT - BOTTOM + 16}">{value:,g}</text>')
    steps = [f"{x:.1f} {y:.1f}" if not number else f"H{x:.1f}V{y:.1f}" for number, (x, y) in enumerate(map(at, best))]
    parts.append(f'<path d="M{"".join(steps)}" fill="none" style="stroke: {ACCENT}; stroke-opacity: .6"/>')
    for point in sorted(points, key=lambda one: one in best):
        (x, y), fill = at(point), ACCENT if point in best else "var(--paper, #fff)"
        stroke = ACCENT if point in best else "var(--soft, #555)"
        title = f"<title>{escape(point.name)}: {point.quality:.3f}, {point.cost:,.4g}</title>"
        dot = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" style="fill: {fill}; stroke: {stroke}">'
        parts.append(f"{dot}{title}</circle>")
    for name, (x, y), of_front in names(points, best, [at(point) for point in points]):
        weight = "font-weight: 600; " if of_front else "fill: var(--soft, #555); "
        style = f"text-anchor: start; {weight}{HALO}"
        parts.append(f'<text x="{x:.1f}" y="{y:.1f}" style="{style}">{escape(name)}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}">{escape(cost)}</text>')
    parts.append(f'<text x="6" y="{TOP - 12}" style="text-anchor: start">{escape(quality)}</text>')
    return "\n".join([*parts, "</svg>"])


ACCENT = "var(--accent, black)"
HALO = "paint-order: stroke; stroke: var(--paper, #fff); stroke-width: 3px"


class Axis:
    """Of costs, in round numbers: logarithmic where they differ by much."""

    def __init__(self, costs: list[float]):
        low, high = _ends(costs)
        self.logarithmic = min(costs) > 0 and max(costs) >= WIDE * min(costs)
        self.ticks = list(_decades(min(costs), max(costs))) if self.logarithmic else ticks(low, high)
        self.ends = self.ticks[0], self.ticks[-1]

    def place(self, cost: float) -> float:
        first, value, last = map(math.log10 if self.logarithmic else float, (self.ends[0], cost, self.ends[1]))
        return LEFT + (value - first) / (last - first) * (WIDTH - LEFT - RIGHT)


def names(
    points: list[Point], best: list[Point], places: list[tuple[float, float]]
) -> Iterator[tuple[str, tuple[float, float], bool]]:
    """(name, where its text begins, whether it is of the front) of those that touch neither a dot nor another name.

    The front's come first.
    """
    taken: list[Box] = [(x - 4, y - 4, x + 4, y + 4) for x, y in places]
    short = shortened([point.name for point in points])
    order = sorted(range(len(points)), key=lambda number: points[number] not in best)
    for number in order:
        letter = BOLD if points[number] in best else LETTER
        boxes = _beside(places[number], letter * len(short[number]))
        box = next((box for box in boxes if not any(_touch(box, other) for other in taken)), None)
        if box:
            taken.append(box)
            yield short[number], (box[0], box[3] - 2), points[number] in best


def _beside(place: tuple[float, float], width: float) -> Iterator[Box]:
    """Where a name of this width may stand within the picture."""
    (x, y), lines = place, HEIGHT - BOTTOM
    for across, down in SHIFTS:
        left = x + (NEAR if across > 0 else -NEAR - width if across else -width / 2)
        base = y + 4 + down * (0.8 if across else 1) * LINE
        if left >= LEFT and left + width <= WIDTH and base - LINE >= TOP - 10 and base <= lines - 2:
            yield left, base - LINE + 2, left + width, base + 2


def shortened(names: list[str]) -> list[str]:
    """Without the parts at the end that all have."""
    parts = [name.split("-") for name in names]
    while len(names) > 1 and all(len(one) > 1 for one in parts) and len({one[-1] for one in parts}) == 1:
        parts = [one[:-1] for one in parts]
    return ["-".join(one) for one in parts]


def _ends(values: list[float]) -> tuple[float, float]:
    return min(values), max(values)


def _decades(low: float, high: float) -> Iterator[float]:
    """1, 2, 5, 10, …, the first not above `low`, the last not below `high`."""
    power, steps = math.floor(math.log10(low)), (1, 2, 5)
    values = [
        step * 10.0 ** (power + more) for more in range(math.ceil(math.log10(high)) - power + 2) for step in steps
    ]
    first = max(number for number, value in enumerate(values) if value <= low)
    last = min(number for number, value in enumerate(values) if value >= high)
    yield from values[first : last + 1]


def _touch(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
