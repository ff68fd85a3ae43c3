"""Charts of marked lines as SVG: each line has a colour, a mark and a dash of its own, so none is told by colour alone.

Colours are the page's, or black where there is none. The vertical axis begins where the values do.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from dewpoint.report.curves import ticks

WIDTH, PLOT, LEFT, RIGHT, TOP, BOTTOM = 560, 300, 56, 20, 30, 42
LETTER, LINE, KEY = 6.2, 17, 34  # width of a letter, height of a line of names, width of what stands before a name
MOST_LABELS, MOST_MARKS = 13, 12
MARKS = [  # drawn around a point
    "M-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0z",
    "M-3.2-3.2h6.4v6.4h-6.4z",
    "M0-4.2L4 3H-4z",
    "M0-4.6L4.6 0L0 4.6L-4.6 0z",
    "M0 4.2L4-3H-4z",
    "M-1.3-4h2.6v2.7h2.7v2.6h-2.7v2.7h-2.6v-2.7h-2.7v-2.6h2.7z",
]
DASHES = ["none", "6 3", "2 2.5", "9 3 2 3", "12 4"]
COLOURS = 6
GRID = "var(--line, #ddd)"
Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    name: str
    points: list[Point]
    spread: list[float] | None = None  # of each point, up and down


def figure(series: list[Line], x: str, y: str, logarithmic: bool = False, places: list[str] | None = None) -> str:
    """All lines with their names beneath; `places` are what the values 0, 1, … of the horizontal axis are called."""
    shown = list(map(_known, series))
    place = math.log10 if logarithmic else float
    across = [place(point[0]) for line in shown for point in line.points] or [0.0]
    ups = [point[1] + sign * far for line in shown for point, far in _spread(line) for sign in (-1, 1)] or [0.0]
    first, last = (0, len(places) - 1) if places else (min(across), max(across))
    heights = ticks(min(ups), max(ups))
    inset = 30 if places else 10

    def right(value: float) -> float:
        share = (place(value) - first) / (last - first) if last > first else 0.5
        return LEFT + inset + share * (WIDTH - LEFT - RIGHT - 2 * inset)

    def down(value: float) -> float:
        return PLOT - BOTTOM - (value - heights[0]) / (heights[-1] - heights[0]) * (PLOT - TOP - BOTTOM)

    columns = max(1, int((WIDTH - LEFT) // (KEY + LETTER * max((len(line.name) for line in series), default=1))))
    height = PLOT + LINE * -(-len(series) // columns) + 6
    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" xmlns="http://www.w3.org/2000/svg" font-size="11">']
    for value in heights:
        parts.append(f'<path d="M{LEFT} {down(value):.1f}H{WIDTH - RIGHT}" fill="none" stroke="{GRID}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{down(value) + 4:.1f}" style="text-anchor: end">{value:,.6g}</text>')
    named = (
        dict(enumerate(places))
        if places
        else _labels({point[0] for line in shown for point in line.points}, logarithmic)
    )
    for at, text in _apart([(right(value), text) for value, text in named.items()]):
        parts.append(f'<text x="{at:.1f}" y="{PLOT - BOTTOM + 17}" text-anchor="middle">{escape(text)}</text>')
    for number, line in enumerate(shown):
        parts += _drawn(line, number, right, down)
    for number, line in enumerate(series):
        at = LEFT + (number % columns) * (WIDTH - LEFT) / columns
        parts += _key(number, line.name, at, PLOT + 4 + LINE * (number // columns))
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{PLOT - 8}" text-anchor="middle">{escape(x)}</text>')
    parts.append(f'<text x="6" y="{TOP - 14}" style="text-anchor: start">{escape(y)}</text>')
    return "\n".join([*parts, "</svg>"])


def _known(line: Line) -> Line:
    """Without points that have no value."""
    kept = [(point, far) for point, far in _spread(line) if math.isfinite(point[1])]
    return Line(line.name, [point for point, _ in kept], [far for _, far in kept])


def _spread(line: Line) -> Iterator[tuple[Point, float]]:
    """Each point and how far it spreads."""
    for point, far in zip(line.points, line.spread or [0.0] * len(line.points), strict=True):
        yield point, far if math.isfinite(far) else 0.0


def _drawn(line: Line, number: int, right, down) -> Iterator[str]:
    """A line, how far its points spread, and marks on as many of them as have room."""
    style, dash = f"stroke: {_colour(number)}", _dash(number)
    places = [(right(x), down(y)) for x, y in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    yield f'<polyline points="{path}" fill="none" stroke-dasharray="{dash}" style="{style}; stroke-width: 1.5"/>'
    for (x, y), far in _spread(line):
        if far:
            low, high, at = down(y - far), down(y + far), right(x)
            ends = f"M{at - 3:.1f} {low:.1f}h6M{at - 3:.1f} {high:.1f}h6M{at:.1f} {low:.1f}V{high:.1f}"
            yield f'<path d="{ends}" fill="none" style="{style}"/>'
    step = -(-len(places) // MOST_MARKS) or 1
    for (x, y), point in list(zip(places, line.points, strict=True))[::step]:
        title = f"<title>{escape(line.name)}: {point[0]:g}, {point[1]:.4g}</title>"
        mark = f'<path d="{_mark(number)}" transform="translate({x:.1f} {y:.1f})" style="fill: {_colour(number)}">'
        yield f"{mark}{title}</path>"


def _key(number: int, name: str, x: float, y: float) -> Iterator[str]:
    style = f"stroke: {_colour(number)}; stroke-width: 1.5"
    yield f'<path d="M{x:.1f} {y}h22" fill="none" stroke-dasharray="{_dash(number)}" style="{style}"/>'
    yield f'<path d="{_mark(number)}" transform="translate({x + 11:.1f} {y})" style="fill: {_colour(number)}"/>'
    yield f'<text x="{x + 28:.1f}" y="{y + 4}" style="text-anchor: start">{escape(name)}</text>'


def _colour(number: int) -> str:
    return f"var(--{number % COLOURS}, black)"


def _mark(number: int) -> str:
    return MARKS[number % len(MARKS)]


def _dash(number: int) -> str:
    """Lines of one colour and mark have another; so have neighbours."""
    return DASHES[number % len(DASHES)]


def _labels(values: set[float], logarithmic: bool) -> dict[float, str]:
    """What is written beneath: the values themselves, or where they are many round ones between them."""
    known = sorted(values)
    if len(known) > MOST_LABELS:
        low, high = known[0], known[-1]
        powers = list(_powers(low, high)) if logarithmic else []
        known = powers if len(powers) > 1 else [value for value in ticks(low, high) if low <= value <= high]
    return {value: f"{value:,.6g}" for value in known}


def _powers(low: float, high: float) -> Iterator[float]:
    """Of ten."""
    for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1):
        yield 10.0**power


def _apart(labels: list[tuple[float, str]]) -> Iterator[tuple[float, str]]:
    """Those that do not touch the one before."""
    end = -math.inf
    for at, text in labels:
        half = LETTER * len(text) / 2
        if at - half > end + 3:
            yield at, text
            end = at + half
