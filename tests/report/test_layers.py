import random
from itertools import combinations

import pytest

from dewpoint.report.layers import MARGIN, ROW_GAP, Edge, columns, draw, height, settle


def random_graph(seed: int) -> tuple[list[str], list[Edge]]:
    """Forty nodes, most of them reading one or two earlier ones."""
    choose = random.Random(seed)
    nodes = [f"n{i}" for i in range(40)]
    pairs = [(choose.randrange(target), target) for target in range(1, 40) for _ in range(choose.randrange(3))]
    edges = {Edge(nodes[source], nodes[target], choose.random() < 0.4): None for source, target in pairs}
    return nodes, list(edges)


@pytest.mark.parametrize("seed", range(5))
class TestRandomGraphs:
    def test_edges_lead_to_later_columns(self, seed):
        nodes, edges = random_graph(seed)
        column = columns(nodes, edges)
        boxes = draw(dict.fromkeys(nodes, 50.0), edges).boxes
        assert set(boxes) == set(nodes)
        for edge in edges:
            assert column[edge.source] < column[edge.target]
            assert boxes[edge.source].x + boxes[edge.source].width < boxes[edge.target].x

    def test_boxes_are_apart_and_inside(self, seed):
        nodes, edges = random_graph(seed)
        drawing = draw({node: 40.0 + 3 * i for i, node in enumerate(nodes)}, edges)
        for a, b in combinations(drawing.boxes.values(), 2):
            aside = a.x + a.width <= b.x or b.x + b.width <= a.x
            apart = min(abs(a.y - b.y - b.height), abs(b.y - a.y - a.height)) >= ROW_GAP - 1e-6
            assert aside or (apart and abs(a.y - b.y) >= a.height)
        for box in drawing.boxes.values():
            assert box.x + 1e-6 >= MARGIN and box.x + box.width <= drawing.width
            assert box.y + 1e-6 >= MARGIN and box.y + box.height <= drawing.height

    def test_lines_lead_from_every_source_to_every_target_and_cross_no_box(self, seed):
        nodes, edges = random_graph(seed)
        drawing = draw(dict.fromkeys(nodes, 50.0), edges)
        reached = {(line.end, line.dashed) for line in drawing.lines if not line.over}
        left = {line.start for line in drawing.lines}
        for edge in edges:
            box, target = drawing.boxes[edge.source], drawing.boxes[edge.target]
            assert any(x == box.x + box.width and box.y < y < box.y + box.height for x, y in left)
            assert any(
                x == target.x and target.y < y < target.y + target.height and dashed == edge.dashed
                for (x, y), dashed in reached
            )
        for line in drawing.lines:
            x, y = line.end
            assert not [box for box in drawing.boxes.values() if line.start[0] < box.x < x], "no column in between"
            inside = [box for box in drawing.boxes.values() if line.over and box.x == x]
            assert not [box for box in inside if box.y < y < box.y + box.height]


def test_a_source_stands_next_to_its_first_reader():
    chain = [Edge("a", "b"), Edge("b", "c"), Edge("hub", "c")]
    assert columns(["a", "b", "c", "hub", "alone"], chain) == {"a": 0, "b": 1, "c": 2, "hub": 1, "alone": 0}


def test_settle_keeps_order_and_is_as_near_as_can_be():
    row, wishes = ["a", "b", "c", "d"], [0.0, 0.0, 300.0, 290.0]
    middle = settle(row, wishes)
    pitch = height("a") + ROW_GAP
    assert middle == {"a": -pitch / 2, "b": pitch / 2, "c": 295 - pitch / 2, "d": 295 + pitch / 2}


def test_nothing_to_draw():
    assert draw({}, []).boxes == {}
