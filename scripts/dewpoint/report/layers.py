"""A layered drawing of a graph: every edge goes from a column to one further right.

An edge that passes over columns gets a lane in each of them, shared with the other such edges of its source; so no
line crosses a box.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

BOX_HEIGHT, LANE_HEIGHT = 42, 10
ROW_GAP, COLUMN_GAP, MARGIN = 14, 56, 6
SWEEPS, LAST_SWEEPS = 15, 15  # with and without a change of order


@dataclass(frozen=True)
class Edge:
    source: str
    target: str
    dashed: bool = False


@dataclass(frozen=True)
class Box:
    x: float
    y: float
    width: float
    height: float = BOX_HEIGHT


@dataclass(frozen=True)
class Lane:
    """Where the edges of one kind from a source pass a column."""

    source: str
    dashed: bool
    column: int


@dataclass(frozen=True)
class Line:
    """A piece of an edge, between neighbouring columns; `over` is how far it runs on through a lane."""

    start: tuple[float, float]
    end: tuple[float, float]
    over: float
    dashed: bool


@dataclass(frozen=True)
class Drawing:
    boxes: dict[str, Box]
    lines: list[Line]
    width: float
    height: float


def draw(widths: dict[str, float], edges: list[Edge]) -> Drawing:
    """Boxes of the given widths in columns, with the lines between them."""
    column_of: dict[Hashable, int] = dict(columns(list(widths), edges))
    links: dict[tuple, None] = {}
    for edge in edges:
        item: Hashable = edge.source
        for column in range(column_of[edge.source] + 1, column_of[edge.target]):
            lane = Lane(edge.source, edge.dashed, column)
            column_of[lane] = column
            links[item, lane, edge.dashed] = None
            item = lane
        links[item, edge.target, edge.dashed] = None

    rows: list[list] = [[] for _ in range(max(column_of.values(), default=-1) + 1)]
    for item, column in column_of.items():
        rows[column].append(item)
    middle = settle_rows(rows, list(links))
    top = min((middle[item] - height(item) / 2 for item in middle), default=0) - MARGIN

    wide = [max((widths[item] for item in row if isinstance(item, str)), default=0) for row in rows]
    left = [MARGIN + sum(wide[:column]) + COLUMN_GAP * column for column in range(len(wide))]
    boxes = {
        item: Box(left[column], middle[item] - top - BOX_HEIGHT / 2, wide[column])
        for item, column in column_of.items()
        if isinstance(item, str)
    }
    lines = []
    for source, target, dashed in links:
        port = BOX_HEIGHT / 4 if dashed else -BOX_HEIGHT / 8
        a, b = column_of[source], column_of[target]
        start = (left[a] + wide[a], middle[source] - top + port)
        over = wide[b] if isinstance(target, Lane) else 0
        lines.append(Line(start, (left[b], middle[target] - top + port), over, dashed))
    bottom = max((middle[item] + height(item) / 2 for item in middle), default=0) - top
    return Drawing(boxes, lines, left[-1] + wide[-1] + MARGIN if left else 0, bottom + MARGIN)


def columns(nodes: list[str], edges: list[Edge]) -> dict[str, int]:
    """The length of the longest path to each node; one that nothing leads to stands next to its first reader."""
    sources: dict[str, list[str]] = {node: [] for node in nodes}
    targets: dict[str, list[str]] = {node: [] for node in nodes}
    for edge in edges:
        sources[edge.target].append(edge.source)
        targets[edge.source].append(edge.target)

    @cache
    def depth(node: str) -> int:
        return 1 + max(map(depth, sources[node]), default=-1)

    return {
        node: min(map(depth, targets[node])) - 1 if targets[node] and not sources[node] else depth(node)
        for node in nodes
    }


def settle_rows(rows: list[list], links: list[tuple]) -> dict[Hashable, float]:
    """The middle of each item, after sweeps that pull every item to its neighbours; `rows` are put in order."""
    pulls: dict[Hashable, list[tuple]] = {item: [] for row in rows for item in row}
    for source, target, dashed in links:
        weight = 8 if isinstance(source, Lane) and isinstance(target, Lane) else 1 if dashed else 4
        pulls[source].append((target, weight, False))
        pulls[target].append((source, weight, True))
    middle: dict[Hashable, float] = {}
    for row in rows:
        middle |= settle(row, [0.0] * len(row))
    place = {item: number for number, item in enumerate(pulls)}
    for sweep in range(SWEEPS + LAST_SWEEPS):
        forward, last = sweep % 2 == 0, sweep >= SWEEPS
        for row in rows if forward else reversed(rows):
            wishes = {}
            for item in row:
                near = [(other, weight) for other, weight, before in pulls[item] if last or before == forward]
                total = sum(weight for _, weight in near)
                wishes[item] = sum(middle[other] * weight for other, weight in near) / total if near else middle[item]
            if not last:
                row.sort(key=lambda item: (round(wishes[item]), place[item]))
            middle |= settle(row, [wishes[item] for item in row])
    return middle


def settle(row: list, wishes: list[float]) -> dict[Hashable, float]:
    """Middles in the order of `row`, none overlapping, as near to the wishes as can be (least squares)."""
    offsets = [0.0]
    for above, below in pairwise(row):
        offsets.append(offsets[-1] + (height(above) + height(below)) / 2 + ROW_GAP)
    blocks: list[list[float]] = []  # sum and number of the wishes that must move together
    for wish, offset in zip(wishes, offsets, strict=False):
        blocks.append([wish - offset, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += count
    bases = [total / count for total, count in blocks for _ in range(int(count))]
    return {item: base + offset for item, base, offset in zip(row, bases, offsets, strict=False)}


def height(item: Hashable) -> float:
    return LANE_HEIGHT if isinstance(item, Lane) else BOX_HEIGHT
