import json
import math
from itertools import pairwise

import pytest

from dewpoint.report.curves import BOTTOM, HEIGHT, LEFT, MOST_POINTS, RIGHT, TOP, WIDTH, panel, ticks


def metrics(tmp_path, lines):
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def losses(values, name="mlm"):
    return [{"step": i, name: value, "learning_rate": 99, "gradient_norm": 99} for i, value in enumerate(values)]


@pytest.mark.parametrize("values", [[3.0], [2.0, 2.0], [0.0, 0.0], [-1.5, 7.25, 1e6], [1e-7 * i for i in range(9999)]])
def test_points_stay_inside_the_axes(tmp_path, values):
    drawn = panel("m", metrics(tmp_path, losses(values)))
    (curve,) = drawn.curves
    assert curve.loss == "mlm" and 1 <= len(curve.points) <= MOST_POINTS
    for x, y in curve.points:
        assert LEFT <= x <= WIDTH - RIGHT and TOP <= y <= HEIGHT - BOTTOM
    for x, _ in drawn.steps:
        assert LEFT <= x <= WIDTH - RIGHT
    for y, _ in drawn.losses:
        assert TOP <= y <= HEIGHT - BOTTOM


def test_a_short_history_is_shown_as_it_is(tmp_path):
    drawn = panel("m", metrics(tmp_path, losses([4.0, 2.0, 3.0])))
    (left, top), (_, bottom), (right, between) = drawn.curves[0].points
    assert (left, right) == (LEFT, WIDTH - RIGHT)
    assert top < between < bottom, "a smaller loss is further down"
    assert drawn.curves[0].last == 3.0


def test_a_long_history_is_smoothed_and_ends_with_its_last_step(tmp_path):
    drawn = panel("m", metrics(tmp_path, losses([1.0 + (-1) ** i for i in range(4000)])))
    assert drawn.curves[0].last == pytest.approx(1.0, abs=0.02)
    assert drawn.curves[0].points[-1][0] == WIDTH - RIGHT


def test_smoothing_moves_nothing_aside(tmp_path):
    (curve,) = panel("m", metrics(tmp_path, losses([float(i) for i in range(2001)]))).curves
    for x, y in curve.points[10:-10]:
        share = (x - LEFT) / (WIDTH - LEFT - RIGHT)
        assert y == pytest.approx(HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP), abs=0.4)


def test_values_that_are_no_numbers_are_left_out(tmp_path):
    lines = [*losses([3.0, math.nan, math.inf, 2.0]), {"step": 4, "other": 5.0}]
    mlm, other = panel("m", metrics(tmp_path, lines)).curves
    assert len(mlm.points) == 2 and mlm.last == 2.0
    assert len(other.points) == 1 and other.last == 5.0


@pytest.mark.parametrize("lines", [[], losses([math.nan]), [{"step": 0, "learning_rate": 1}]])
def test_without_losses_there_is_no_panel(tmp_path, lines):
    assert panel("m", metrics(tmp_path, lines)) is None


@pytest.mark.parametrize("low,high", [(0, 5), (0.11, 0.12), (-3, 1e6), (7, 7), (0, 0), (2.5, 1e-9), (9999, 10001)])
def test_ticks_are_few_even_and_around(low, high):
    low, high = min(low, high), max(low, high)
    found = ticks(low, high)
    gaps = {round((b - a) / (found[1] - found[0]), 3) for a, b in pairwise(found)}
    assert 1 < len(found) <= 7 and gaps == {1.0}
    assert found[0] <= low <= high <= found[-1]


def test_development_rises_on_an_axis_of_its_own(tmp_path):
    lines = losses([5.0, 4.0, 3.0, 2.0], "ranking")
    lines[1]["development_MRR@10"] = 0.1
    lines[3]["development_MRR@10"] = 0.4
    drawn = panel("m", metrics(tmp_path, lines))
    (curve,) = drawn.curves
    assert curve.loss == "ranking" and curve.measured == [] and curve.last == 2.0
    assert drawn.rise.measure == "MRR@10" and drawn.rise.best == 0.4
    (x1, y1), (x3, y3) = drawn.rise.points
    assert (x1, x3) == (curve.points[1][0], curve.points[3][0])
    height = HEIGHT - BOTTOM
    assert y3 == TOP and height - y1 == pytest.approx((height - TOP) / 4, abs=0.1)
    assert [text for _, text in drawn.rise.values] == ["0", "0.1", "0.2", "0.3", "0.4"]


def test_held_out_losses_are_dots_and_shares_are_told(tmp_path):
    lines = [{"loss": 9.0, **line} for line in losses([5.0, 4.0, 3.0, 2.0])]
    lines[1] |= {"held_out_mlm": 6.0, "held_out_mlm_accuracy": 0.1}
    lines[3] |= {"held_out_mlm": 2.0, "held_out_mlm_accuracy": 0.25}
    drawn = panel("m", metrics(tmp_path, lines))
    (curve,) = drawn.curves
    assert curve.loss == "mlm" and drawn.found == [("mlm", 0.25)]
    assert [x for x, _ in curve.measured] == [curve.points[1][0], curve.points[3][0]]
    assert curve.measured[1] == curve.points[3] and curve.measured[0][1] < curve.points[0][1]
    assert curve.measured[0][1] >= TOP
