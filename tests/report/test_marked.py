"""Charts of marked lines: points lie where their values say, no two of the first lines look alike in any way."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from dewpoint.report.marked import Line, figure

SVG = "{http://www.w3.org/2000/svg}"
ONE = Line("a & b", [(1, 2.0), (10, 4.0), (100, 3.0)])


def drawn(*lines: Line, **how) -> ET.Element:
    return ET.fromstring(figure(list(lines), "k", "nats", **how))


def polylines(chart: ET.Element) -> list[list[tuple[float, float]]]:
    found = chart.iter(f"{SVG}polyline")
    return [[tuple(map(float, point.split(","))) for point in line.get("points").split()] for line in found]


def texts(chart: ET.Element) -> dict[str, tuple[float, float]]:
    return {text.text: (float(text.get("x")), float(text.get("y"))) for text in chart.iter(f"{SVG}text")}


@pytest.mark.parametrize("logarithmic", [True, False])
def test_points_lie_where_their_values_say(logarithmic):
    chart = drawn(ONE, logarithmic=logarithmic)
    (places,), known = polylines(chart), texts(chart)
    left, middle, right = (x for x, _ in places)
    assert (middle - left) / (right - left) == pytest.approx(0.5 if logarithmic else 9 / 99, abs=1e-3)
    low, high = known["2"][1] - 4, known["4"][1] - 4
    assert [y for _, y in places] == pytest.approx([low, high, (low + high) / 2], abs=0.2)
    assert {"a & b", "k", "nats"} <= known.keys()


def test_no_two_lines_are_told_by_colour_alone():
    chart = drawn(*(Line(str(number), [(0, 0), (1, number)]) for number in range(12)))
    dashes = [line.get("stroke-dasharray") for line in chart.iter(f"{SVG}polyline")]
    marks = [path.get("d") for path in chart.iter(f"{SVG}path") if path.get("transform")][-12:]  # of the names
    assert len(set(zip(dashes, marks, strict=False))) == 12 and len(set(dashes[:5])) == 5 and len(set(marks[:6])) == 6


def test_spread_reaches_as_far_as_it_is():
    chart = drawn(Line("x", [(0, 1.0), (1, 3.0)], [1.0, float("nan")]), places=["few", "all"])
    known, ((_, y), _) = texts(chart), polylines(chart)[0]
    ends = next(path.get("d") for path in chart.iter(f"{SVG}path") if path.get("d").count("h6") == 2)
    low, high = (float(end) for end in re.findall(r"M\S+ (\S+?)h6", ends))
    assert {"few", "all"} <= known.keys()
    assert (low, high) == pytest.approx((known["0"][1] - 4, known["2"][1] - 4), abs=0.2)
    assert y == pytest.approx((low + high) / 2, abs=0.2)


def test_what_has_no_value_is_left_out():
    chart = drawn(Line("x", [(0, 1.0), (1, float("nan")), (2, 2.0)]), Line("none", []))
    assert [len(points) for points in polylines(chart) if points] == [2]
    assert not re.search("nan|inf", ET.tostring(chart, "unicode"))


def test_labels_stand_apart():
    known = texts(drawn(Line("x", [(layer, 1.0 * layer) for layer in range(1, 49)])))
    row = sorted(x for text, (x, y) in known.items() if y == known["40"][1])
    assert len(row) >= 4 and all(b - a > 12 for a, b in pairwise(row))
