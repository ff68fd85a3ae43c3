"""Strips of training curves: points lie where their values say, and like losses have like axes."""

import json
import math
from itertools import pairwise

import pytest

from dewpoint.report.curves import LEFT, MOST_POINTS, MOST_SAID, RIGHT, TOP, WIDTH, explained, panels, ticks


def metrics(tmp_path, lines, name="m"):
    path = tmp_path / f"{name}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def panel(tmp_path, lines):
    (drawn,) = panels({"m": ("mlm", metrics(tmp_path, lines))})
    return drawn


def losses(values, name="mlm"):
    return [{"step": i, name: value, "learning_rate": 99, "gradient_norm": 99} for i, value in enumerate(values)]


@pytest.mark.parametrize("values", [[3.0], [2.0, 2.0], [0.0, 0.0], [-1.5, 7.25, 1e6], [1e-7 * i for i in range(9999)]])
def test_points_stay_inside_the_axes(tmp_path, values):
    drawn = panel(tmp_path, losses(values))
    (strip,) = drawn.strips
    assert strip.name == "mlm" and 1 <= len(strip.line) <= MOST_POINTS and 1 <= len(strip.said) <= MOST_SAID
    for x, y in [*strip.line, *(said[:2] for said in strip.said)]:
        assert LEFT <= x <= WIDTH - RIGHT and strip.top <= y <= strip.bottom <= drawn.height
    for x, _ in drawn.steps:
        assert LEFT <= x <= WIDTH - RIGHT
    for y, _ in strip.ticks:
        assert strip.top <= y <= strip.bottom


def test_a_short_history_is_shown_as_it_is(tmp_path):
    (strip,) = panel(tmp_path, losses([4.0, 2.0, 3.0])).strips
    (left, top), (_, bottom), (right, between) = strip.line
    assert (left, right) == (LEFT, WIDTH - RIGHT)
    assert top < between < bottom, "a smaller loss is further down"
    assert strip.told == [("", 3.0)]
    assert [text for _, _, text in strip.said] == ["step 0: mlm 4", "step 1: mlm 2", "step 2: mlm 3"]


def test_a_long_history_is_smoothed_and_ends_with_its_last_step(tmp_path):
    (strip,) = panel(tmp_path, losses([1.0 + (-1) ** i for i in range(4000)])).strips
    assert strip.told[0][1] == pytest.approx(1.0, abs=0.02)
    assert strip.line[-1][0] == WIDTH - RIGHT and strip.said[-1][0] == WIDTH - RIGHT


def test_smoothing_moves_nothing_aside(tmp_path):
    (strip,) = panel(tmp_path, losses([float(i) for i in range(2001)])).strips
    for x, y in strip.line[10:-10]:
        share = (x - LEFT) / (WIDTH - LEFT - RIGHT)
        assert y == pytest.approx(strip.bottom - share * (strip.bottom - strip.top), abs=0.4)


def test_values_that_are_no_numbers_are_left_out(tmp_path):
    lines = [*losses([3.0, math.nan, math.inf, 2.0]), {"step": 4, "other": 5.0}]
    mlm, other = panel(tmp_path, lines).strips
    assert len(mlm.line) == 2 and mlm.told == [("", 2.0)]
    assert len(other.line) == 1 and other.told == [("", 5.0)]


@pytest.mark.parametrize("lines", [[], losses([math.nan]), [{"step": 0, "learning_rate": 1}]])
def test_without_losses_there_is_no_panel(tmp_path, lines):
    assert panels({"m": ("mlm", metrics(tmp_path, lines))}) == []


@pytest.mark.parametrize("low,high", [(0, 5), (0.11, 0.12), (-3, 1e6), (7, 7), (0, 0), (2.5, 1e-9), (9999, 10001)])
def test_ticks_are_few_even_and_around(low, high):
    low, high = min(low, high), max(low, high)
    found = ticks(low, high)
    gaps = {round((b - a) / (found[1] - found[0]), 3) for a, b in pairwise(found)}
    assert 1 < len(found) <= 7 and gaps == {1.0}
    assert found[0] <= low <= high <= found[-1]


def test_no_strip_lies_over_another(tmp_path):
    lines = [{"step": i, "contrast": 4.0 - i, "late_mlm": 3.0, "head_mlm": 3.5} for i in range(4)]
    lines[3] |= {"held_out_contrast": 7.0, "held_out_late_mlm": 2.0, "development_MRR@10": 0.5}
    drawn = panel(tmp_path, lines)
    assert [strip.name for strip in drawn.strips] == [
        *("contrast", "late_mlm", "head_mlm"),
        *("contrast, held-out", "MRR@10"),
    ]
    assert all(above.bottom + TOP <= below.top for above, below in pairwise(drawn.strips))


def test_a_loss_has_one_axis_for_all_models_of_a_recipe(tmp_path):
    """And a measure on development queries as well; those of another recipe have theirs."""
    of = {}
    for name, recipe, height in (("a", "retriever", 1.0), ("b", "retriever", 8.0), ("c", "other", 100.0)):
        lines = losses([height, height / 2], "contrast")
        lines[1]["development_MRR@10"] = height / 10
        of[name] = recipe, metrics(tmp_path, lines, name)
    a, b, c = ([[text for _, text in strip.ticks] for strip in drawn.strips] for drawn in panels(of))
    assert a == b and a[0][0] == "0" and float(a[0][-1]) >= 8 and float(a[1][-1]) >= 0.8
    assert float(c[0][0]) >= 10
    one, other = (drawn.strips[0].line[0][1] for drawn in panels(of)[:2])
    assert one > other


def test_development_rises_on_a_strip_of_its_own(tmp_path):
    lines = losses([5.0, 4.0, 3.0, 2.0], "ranking")
    lines[1]["development_MRR@10"] = 0.1
    lines[3]["development_MRR@10"] = 0.4
    ranking, rise = panel(tmp_path, lines).strips
    assert ranking.name == "ranking" and ranking.dots == [] and ranking.told == [("", 2.0)]
    assert rise.name == "MRR@10" and rise.told == [("at best", 0.4)] and rise.line == []
    (x1, y1), (x3, y3) = rise.dots
    assert (x1, x3) == (ranking.line[1][0], ranking.line[3][0])
    assert y3 == rise.top and rise.bottom - y1 == pytest.approx((rise.bottom - rise.top) / 4, abs=0.1)
    assert [text for _, text in rise.ticks] == ["0", "0.2", "0.4"]
    assert rise.said[1][2] == "step 3: MRR@10 0.4 on development queries"


def test_held_out_losses_are_dots_and_shares_are_told(tmp_path):
    lines = [{"loss": 9.0, **line} for line in losses([5.0, 4.0, 3.0, 2.0])]
    lines[1] |= {"held_out_mlm": 6.0, "held_out_mlm_accuracy": 0.1}
    lines[3] |= {"held_out_mlm": 2.0, "held_out_mlm_accuracy": 0.25}
    drawn = panel(tmp_path, lines)
    (strip,) = drawn.strips
    assert strip.name == "mlm" and drawn.found == [("mlm", 0.25)]
    assert strip.told == [("", 2.0), ("on held-out text", 2.0)]
    assert [x for x, _ in strip.dots] == [strip.line[1][0], strip.line[3][0]]
    assert strip.dots[1] == strip.line[3] and strip.dots[0][1] < strip.line[1][1]
    assert strip.dots[0][1] >= strip.top


def test_a_held_out_contrast_is_never_on_the_axis_of_training(tmp_path):
    """It is that of a batch of another size."""
    lines = losses([5.0, 4.0, 3.0, 2.0], "contrast")
    lines[3] |= {"held_out_contrast": 800.0, "held_out_span_accuracy": 0.5}
    drawn = panel(tmp_path, lines)
    training, held_out = drawn.strips
    assert training.dots == [] and float(training.ticks[-1][1]) < 10
    assert held_out.line == [] and len(held_out.dots) == 1 and float(held_out.ticks[-1][1]) >= 800
    assert drawn.found == [("span", 0.5)]


def test_what_is_said_of_dots_is_of_those_that_there_are(tmp_path):
    plain = losses([5.0, 4.0], "contrast")
    assert explained([panel(tmp_path, plain)]) == ""
    plain[1]["development_MRR@10"] = 0.5
    assert "development" in explained([panel(tmp_path, plain)]) and "held" not in explained([panel(tmp_path, plain)])
    plain[1]["held_out_contrast"] = 0.5
    assert "held-out contrast" in explained([panel(tmp_path, plain)])
