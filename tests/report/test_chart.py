"""A line chart: points lie where their values say, and nothing is written over anything else."""

import re
import xml.etree.ElementTree as ET

import pytest

from dewpoint.report.chart import dots, lines

SERIES = {"a & b": [(1, 0.1), (10, 0.4), (100, 0.8)], "c": [(1, 0.2), (10, 0.2), (100, 0.4)]}


def drawn(logarithmic: bool) -> ET.Element:
    return ET.fromstring(lines(SERIES, "passages", "recall", logarithmic))


def polylines(chart: ET.Element) -> list[list[tuple[float, float]]]:
    found = chart.iter("{http://www.w3.org/2000/svg}polyline")
    return [[tuple(map(float, point.split(","))) for point in line.get("points").split()] for line in found]


def texts(chart: ET.Element) -> dict[str, tuple[float, float]]:
    found = chart.iter("{http://www.w3.org/2000/svg}text")
    return {text.text: (float(text.get("x")), float(text.get("y"))) for text in found}


@pytest.mark.parametrize("logarithmic", [True, False])
def test_points_lie_where_their_values_say(logarithmic):
    one, other = polylines(drawn(logarithmic))
    across = [x for x, _ in one]
    assert across == [x for x, _ in other]
    share = (across[1] - across[0]) / (across[2] - across[0])
    assert share == pytest.approx(0.5 if logarithmic else 9 / 99, abs=1e-3)
    bottom = texts(drawn(logarithmic))["0.00"][1] - 4
    heights = [(bottom - y) / (bottom - one[2][1]) for _, y in [*one, *other]]
    assert heights == pytest.approx([0.125, 0.5, 1, 0.25, 0.25, 0.5], abs=1e-2)


def test_labels_stand_apart():
    places = texts(drawn(True))
    assert {"a & b", "c", "passages", "recall", "0.80", "0.00", "1", "10", "100"} <= places.keys()
    at = list(places.values())
    assert all(abs(a[0] - b[0]) > 9 or abs(a[1] - b[1]) > 9 for i, a in enumerate(at) for b in at[:i])


def test_a_single_point_and_names_from_outside():
    chart = lines({"<b>": [(5, 0.0)]}, "x", "y")
    assert "&lt;b&gt;" in chart and not re.search("nan|inf", chart)


def test_dots_lie_where_their_points_are_on_one_scale():
    """The lowest at the left and the bottom; names beneath are escaped."""
    chart = ET.fromstring(dots({"<a> & b": [(0, 0), (4, 1)], "c": [(2, 2)]}, [(1, 0)], "x", "y"))
    paths = [path.get("d") for path in chart.iter("{http://www.w3.org/2000/svg}path")][:3]
    pale, first, second = ([tuple(map(float, at.split())) for at in re.findall(r"M(.*?)h0", path)] for path in paths)
    (left, bottom), (right, one_up) = first
    unit = (right - left) / 4
    assert bottom - one_up == pytest.approx(unit, abs=0.2)
    assert pale == [pytest.approx((left + unit, bottom), abs=0.2)]
    assert second == [pytest.approx((left + 2 * unit, bottom - 2 * unit), abs=0.2)]
    assert texts(chart).keys() == {"<a> & b", "c", "x", "y"}


def test_dots_of_nothing_and_of_one_place():
    assert "nan" not in dots({}, [], "x", "y") and "nan" not in dots({"a": [(3, 3), (3, 3)]}, [], "x", "y")
