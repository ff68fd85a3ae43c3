"""Quality against cost: the front by its definition, and a figure that can be read."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
import small_study as small
from hypothesis import given
from hypothesis import strategies as st

from dewpoint.report.shown import shown
from dewpoint.report.tradeoff import HEIGHT, LETTER, LINE, WIDTH, Axis, Point, figure, front, shortened

SVG = "{http://www.w3.org/2000/svg}"
VALUES = st.integers(0, 6).map(float)  # few, so that many are alike
POINTS = st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=12).map(
    lambda values: [Point(f"r{number}", *pair) for number, pair in enumerate(values)]
)


def beats(one: Point, other: Point) -> bool:
    return one.cost <= other.cost and one.quality >= other.quality and one[1:] != other[1:]


@given(POINTS)
def test_the_front_is_what_none_beats(points):
    found = front(points)
    assert {*found} == {point for point in points if not any(beats(other, point) for other in points)}
    assert len(found) == len({*found})
    assert all(one.cost <= other.cost and one.quality <= other.quality for one, other in pairwise(found))


@given(POINTS)
def test_what_is_added_and_beaten_changes_no_front(points):
    worse = [Point(f"worse {point.name}", point.cost + 1, point.quality - 1) for point in points]
    assert front([*worse, *points]) == front(points)


def drawn(points: list[Point]) -> ET.Element:
    return ET.fromstring(figure(points, "hours & more", "MRR@10"))


def dots(chart: ET.Element) -> dict[str, tuple[float, float, str]]:
    return {
        dot[0].text.split(":")[0]: (float(dot.get("cx")), float(dot.get("cy")), dot.get("style"))
        for dot in chart.iter(f"{SVG}circle")
    }


def names(chart: ET.Element) -> dict[str, tuple[float, float]]:
    found = [text for text in chart.iter(f"{SVG}text") if "paint-order" in (text.get("style") or "")]
    return {text.text: (float(text.get("x")), float(text.get("y"))) for text in found}


MANY = [Point(f"model-{number}-x", 2.0 + number % 7, 0.3 + 0.02 * (number * 5 % 11)) for number in range(22)]
HUGE = [Point("a", 1, 0.1), Point("b", 10, 0.2), Point("c", 100, 0.3), Point("d", 100, 0.25)]


@pytest.mark.parametrize(
    ("points", "share"), [(HUGE, 0.5), ([Point("a", 1, 0), Point("b", 2, 0.5), Point("c", 5, 1)], 0.25)]
)
def test_dots_lie_where_their_values_say(points, share):
    """On a logarithmic axis where costs differ by much; the better the higher."""
    at = dots(drawn(points))
    (a, up, _), (b, middle, _), (c, top, _) = (at[name] for name in "abc")
    assert (b - a) / (c - a) == pytest.approx(share, abs=2e-3)
    assert (up - middle) / (up - top) == pytest.approx(0.5, abs=5e-3)


def test_the_front_is_filled_and_the_line_goes_through_it():
    chart, best = drawn(MANY), front(MANY)
    at = dots(chart)
    assert len(at) == len(MANY)
    for point in MANY:
        assert ("fill: var(--accent" in at[point.name][2]) == (point in best)
    (line,) = [path.get("d") for path in chart.iter(f"{SVG}path") if "--accent" in (path.get("style") or "")]
    steps = re.findall(r"(?:M|H)([\d.]+)(?: |V)([\d.]+)", line)
    assert [tuple(map(float, step)) for step in steps] == [at[point.name][:2] for point in best]


def test_names_can_be_read():
    """None over a dot or another name, all within; the front's are there before others."""
    chart = drawn(MANY)
    short, found = dict(zip(shortened([point.name for point in MANY]), MANY, strict=True)), names(chart)
    assert "model-3" in short and {short[name] for name in found} >= {*front(MANY)} and len(found) > 5
    boxes = {name: (x, y - LINE + 3, x + LETTER * len(name), y) for name, (x, y) in found.items()}
    boxes |= {f"dot {name}": (x - 2, y - 2, x + 2, y + 2) for name, (x, y, _) in dots(chart).items()}
    for name, box in boxes.items():
        assert box[0] >= 0 and box[1] >= 0 and box[2] <= WIDTH and box[3] <= HEIGHT
        for other, one in boxes.items():
            apart = box[2] <= one[0] or one[2] <= box[0] or box[3] <= one[1] or one[3] <= box[1]
            assert name == other or apart or (name.startswith("dot") and other.startswith("dot")), (name, other)


@given(st.lists(st.floats(1e-6, 1e9), min_size=2, max_size=9))
def test_an_axis_holds_all_costs(costs):
    axis = Axis(costs)
    assert axis.ends[0] <= min(costs) and axis.ends[1] >= max(costs) * (1 - 1e-12)
    assert axis.logarithmic == (max(costs) >= 20 * min(costs)) and len(axis.ticks) < 60
    places = [axis.place(cost) for cost in sorted(costs)]
    assert places == sorted(places)


def test_names_lose_what_all_end_with():
    assert shortened(["a-768-hnsw", "b-hnsw"]) == ["a-768", "b"]
    assert shortened(["x-a", "y-b"]) == ["x-a", "y-b"]
    assert (
        shortened(["a-b"]) == ["a-b"]
        and shortened(["a", "b-a"]) == ["a", "b-a"]
        and shortened(["a-a", "a-a"]) == ["a", "a"]
    )


# --- in the report --------------------------------------------------------------------------------


def shown_of(folder, metrics, csv, **more):
    table = small.study().tables["main"].model_dump() | {"metrics": metrics} | more
    study = small.study(tables={"main": table})
    out, _ = small.results(folder, study)
    (out / "tables" / "main.csv").write_text(csv)
    return shown("main", study.tables["main"], out)


def test_a_table_with_both_has_a_figure_of_each_cost(tmp_path):
    metrics = ["latency@1", "MRR@10", "R@100", "train-hours", "latency-p99@1", "latency-sd@1"]
    csv = "ranker,latency@1,MRR@10,R@100,train-hours,latency-p99@1,latency-sd@1\n"
    csv += "bm25,2.5,.3,.4,,1,1\nsecond,1.25,.4,.4,2,1,1\nhybrid,9,.35,.4,1,1,1\n"
    table = shown_of(tmp_path, metrics, csv, turns=3)
    assert [(one.caption, one.front) for one in table.tradeoffs] == [
        ("MRR@10 and milliseconds for a query", ["second"]),
        ("MRR@10 and hours of training", ["hybrid", "second"]),
    ]
    assert {*dots(ET.fromstring(table.tradeoffs[1].svg))} == {"second", "hybrid"}


@pytest.mark.parametrize(
    ("metrics", "csv"),
    [
        (["MRR@10", "R@100"], "ranker,MRR@10,R@100\nbm25,.1,.2\nsecond,.2,.3\nhybrid,.3,.4\n"),
        (["train-hours", "latency@1"], "ranker,train-hours,latency@1\nbm25,.1,.2\nsecond,.2,.3\nhybrid,.3,.4\n"),
        (["MRR@10", "train-hours"], "ranker,MRR@10,train-hours\nbm25,.1,\nsecond,.2,3\nhybrid,.3,\n"),
    ],
)
def test_a_table_without_both_has_none(tmp_path, metrics, csv):
    assert shown_of(tmp_path, metrics, csv).tradeoffs == []
