"""Charts as SVG, for an analysis's figure: lines, dots; colours are the page's, or black where there is none."""

import math
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 560, 310, 50, 150, 28, 40
Points = list[tuple[float, float]]
PALE = "var(--line, #ddd)"
ACCENT = "var(--accent, black)"


def lines(series: dict[str, Points], x: str, y: str, logarithmic: bool = False) -> str:
    """A line for each series; both axes are named, the vertical one begins at zero."""
    place = math.log10 if logarithmic else float
    across = [place(point[0]) for points in series.values() for point in points]
    first, last = min(across), max(across)
    top = max((point[1] for points in series.values() for point in points), default=0) or 1

    def at(point: tuple[float, float]) -> tuple[float, float]:
        share = (place(point[0]) - first) / ((last - first) or 1)
        return LEFT + share * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - point[1] / top * (HEIGHT - TOP - BOTTOM)

    parts = [_svg(HEIGHT)]
    for share in (0, 0.25, 0.5, 0.75, 1):
        height = at((1 if logarithmic else first, share * top))[1]
        parts.append(f'<path d="M{LEFT} {height:.1f}H{WIDTH - RIGHT}" fill="none" stroke="{PALE}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{height + 4:.1f}" style="text-anchor: end">{share * top:.2f}</text>')
    for value in sorted({point[0] for points in series.values() for point in points}):
        if not logarithmic or math.log10(value).is_integer():
            parts.append(f'<text x="{at((value, 0))[0]:.1f}" y="{HEIGHT - BOTTOM + 16}">{value:,g}</text>')
    for number, (name, points) in enumerate(series.items()):
        colour = f"var(--{number % 6}, black)"
        path = " ".join(f"{across:.1f},{height:.1f}" for across, height in map(at, points))
        parts.append(f'<polyline points="{path}" fill="none" style="stroke: {colour}"/>')
        beside, line = WIDTH - RIGHT + 12, TOP + 8 + 16 * number
        parts.append(f'<path d="M{beside} {line}h14" style="stroke: {colour}; stroke-width: 2"/>')
        parts.append(f'<text x="{beside + 20}" y="{line + 4}" style="text-anchor: start">{escape(name)}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}">{escape(x)}</text>')
    parts.append(f'<text x="{LEFT - 6}" y="{TOP - 14}" style="text-anchor: end">{escape(y)}</text>')
    return "\n".join([*parts, "</svg>"])


def dots(groups: dict[str, Points], behind: Points, x: str, y: str) -> str:
    """A dot for each point, pale for those `behind`; a group has a colour, and its name stands beneath. One scale."""
    every = [*behind, *(point for points in groups.values() for point in points)]
    low, high = ([pick(values) for values in zip(*every, strict=True)] or [0, 0] for pick in (min, max))
    width, height = WIDTH - 2 * LEFT, HEIGHT - TOP - BOTTOM
    scale = min(room / (high[axis] - low[axis] or 1) for axis, room in enumerate((width, height)))

    def path(points: Points) -> str:
        return "".join(
            f"M{LEFT + (across - low[0]) * scale:.1f} {HEIGHT - BOTTOM - (up - low[1]) * scale:.1f}h0"
            for across, up in points
        )

    below = 18 * len(groups)
    parts = [_svg(HEIGHT + below), '<g fill="none" stroke-linecap="round" stroke-width="3">']
    parts.append(f'<path d="{path(behind)}" stroke="{PALE}"/>')
    colours = [f"var(--{number % 6}, black)" for number in range(len(groups))]
    for colour, points in zip(colours, groups.values(), strict=True):
        parts.append(f'<path d="{path(points)}" style="stroke: {colour}"/>')
    parts.append("</g>")
    for number, (colour, name) in enumerate(zip(colours, groups, strict=True)):
        line = HEIGHT + 6 + 18 * number
        parts.append(f'<path d="M{LEFT} {line}h14" style="stroke: {colour}; stroke-width: 2"/>')
        parts.append(f'<text x="{LEFT + 20}" y="{line + 4}" style="text-anchor: start">{escape(name)}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 12}">{escape(x)}</text>')
    parts.append(f'<text x="{LEFT}" y="{TOP - 14}" style="text-anchor: start">{escape(y)}</text>')
    return "\n".join([*parts, "</svg>"])


def intervals(rows: list[tuple[str, float, float, float]], x: str) -> str:
    """(name, value, low, high) each on a line, and where zero is; there is none where low and high are not known."""
    line, right = 34, 24
    known = [value for _, *values in rows for value in values if not math.isnan(value)]
    low, high = min(0, *known), max(0, *known)
    height = TOP + line * len(rows) + BOTTOM

    def at(value: float) -> float:
        return LEFT + (value - low) / ((high - low) or 1) * (WIDTH - LEFT - right)

    end = height - BOTTOM + 4
    parts = [_svg(height), f'<path d="M{at(0):.1f} {TOP - 8}V{end}" fill="none" stroke="{PALE}"/>']
    for value in {low, 0, high}:
        parts.append(f'<text x="{at(value):.1f}" y="{end + 14}">{value:+.3f}</text>'.replace("-", "−"))
    for number, (name, value, least, most) in enumerate(rows):
        place = TOP + line * number + 20
        parts.append(f'<text x="{LEFT}" y="{place - 8}" style="text-anchor: start">{escape(name)}</text>')
        if not math.isnan(least):
            parts.append(
                f'<path d="M{at(least):.1f} {place}H{at(most):.1f}" style="stroke: {ACCENT}; stroke-width: 2"/>'
            )
        parts.append(f'<circle cx="{at(value):.1f}" cy="{place}" r="3.5" style="fill: {ACCENT}"/>')
    parts.append(f'<text x="{(LEFT + WIDTH - right) / 2}" y="{height - 6}">{escape(x)}</text>')
    return "\n".join([*parts, "</svg>"])


def _svg(height: int) -> str:
    return f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" xmlns="http://www.w3.org/2000/svg" font-size="11">'
