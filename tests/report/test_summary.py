"""The three sentences of the page, case by case, and that their figures are the table's."""

import math

import pandas as pd
import pytest
import small_study as small
from hypothesis import given
from hypothesis import strategies as st

from dewpoint.artifact import Artifact
from dewpoint.report.found import findings
from dewpoint.report.summary import Findings, sentences
from dewpoint.report.tables import Compared

ON = {"d/test": 1500}
SURE, UNSURE = Compared(0.125, 0.0625, 0.25, 0.004), Compared(0.125, -0.0625, 0.25, 0.3)
TESTED = "paired bootstrap, corrected"


def found(values, **more) -> Findings:
    return Findings(**{"places": ON, "metric": "MRR@10", "values": values} | more)


def test_without_a_baseline_nothing_was_tested():
    assert sentences(found({"a": 0.25, "b": 0.5, "c": 0.375})) == [
        "3 rankers, a, b and c, were compared on d/test (1,500 queries).",
        "By MRR@10, b is best with 0.500; the next, c, is 0.125 below (0.375).",
        "Whether that is beyond chance was not tested: the table has no baseline.",
    ]


def test_one_ranker():
    assert sentences(found({"a": 0.25})) == [
        "One ranker, a, was measured on d/test (1,500 queries).",
        "Its MRR@10 is 0.250; there is nothing that it could be compared with.",
    ]


@pytest.mark.parametrize(
    ("test", "said"),
    [
        (SURE, f"That difference is beyond chance (p = 0.004, {TESTED}; 95% interval +0.062 to +0.250)."),
        (
            SURE._replace(p=0.0001),
            f"That difference is beyond chance (p < 0.001, {TESTED}; 95% interval +0.062 to +0.250).",
        ),
        (UNSURE, f"That difference is within chance (p = 0.300, {TESTED}; 95% interval −0.062 to +0.250)."),
    ],
)
def test_the_best_against_the_baseline(test, said):
    of = found({"base": 0.25, "b": 0.375, "c": 0.25}, baseline="base", tests={"b": test, "c": UNSURE})
    assert sentences(of)[1:] == ["By MRR@10, b is best with 0.375, 0.125 above the baseline base (0.250).", said]


def test_the_baseline_itself_is_best():
    values = {"base": 0.5, "b": 0.375, "c": 0.25}
    of = found(values, baseline="base", tests={"b": UNSURE, "c": SURE})
    won = "By MRR@10, base is best with 0.500, the baseline itself; the next, b, is 0.125 below (0.375)."
    assert sentences(of)[1:] == [won, f"c is below it beyond chance ({TESTED})."]
    of = found(values, baseline="base", tests={"b": SURE, "c": SURE})
    assert sentences(of)[2] == f"All others are below it beyond chance ({TESTED})."
    of = found(values, baseline="base", tests={"b": UNSURE, "c": UNSURE})
    assert sentences(of)[2] == f"None of the others differs from it beyond chance ({TESTED})."
    of = found({"base": 0.5, "b": 0.375}, baseline="base", tests={"b": UNSURE})
    assert sentences(of)[2].startswith("That difference is within chance (p = 0.300")


def test_ties_are_named_together():
    tests = {"a": SURE, "b": UNSURE}
    of = found({"a": 0.5001, "b": 0.5004, "base": 0.25}, baseline="base", tests=tests)
    assert sentences(of)[1] == "By MRR@10, a and b are best with 0.500, 0.250 above the baseline base (0.250)."
    assert sentences(of)[2].startswith("As for that difference, of a it is beyond chance (p = 0.004")
    assert " and of b it is within chance (p = 0.300" in sentences(of)[2]
    of = found({"a": 0.5, "base": 0.5}, baseline="base", tests={"a": UNSURE})
    assert sentences(of)[1:] == [
        "By MRR@10, a and base are best with 0.500: all that were measured are alike.",
        "No other differs from it, so there was nothing to test.",
    ]


def test_several_tables_splits_and_published_figures():
    more = {"published": "3 of 4 figures within ±0.01 of the published ones", "other_tables": 2}
    of = found({"a": 0.25, "b": 0.5}, places=ON | {"d/dev": 7}, **more)
    assert sentences(of)[0] == (
        "2 rankers, a and b, were compared on 2 splits, of which d/test (1,500 queries) is spoken of here; "
        "3 of 4 figures within ±0.01 of the published ones; 2 more tables below."
    )
    many = found({f"r{number}": 0.5 for number in range(9)}, other_tables=1)
    assert sentences(many)[0] == "9 rankers were compared on d/test (1,500 queries); 1 more table below."


def test_a_cost_is_better_when_lower_and_not_tested():
    unit = {"lower_is_better": True, "unit": "milliseconds for a query", "metric": "latency@1"}
    of = found({"a": 7.5, "b": 2.5, "c": math.nan}, baseline="a", **unit)
    assert sentences(of)[1:] == [
        "By latency@1, b is best with 2.500 milliseconds for a query, 5.000 below the baseline a (7.500).",
        "A cost has no value for each query, so chance was not tested.",
    ]


def test_what_cannot_be_tested_is_said():
    values = {"base": 0.25, "b": 0.5}
    of = found(values, baseline="base", metric="Spearman")
    assert sentences(of)[2] == "Whether that is beyond chance was not tested: Spearman has no value for each query."
    alone = {"places": {"d/test": 1}, "tests": {"b": UNSURE._replace(p=math.nan)}}
    assert sentences(found(values, baseline="base", **alone))[2] == "A single query says nothing of chance."
    assert sentences(found(values, places={"d/test": 1}))[0].endswith("(1 query).")
    assert sentences(found({"a": math.nan, "b": math.nan}))[1] == "Of none is MRR@10 known."


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 1) | st.just(math.nan), min_size=1),
    st.sampled_from([None, *"abcdef"]),
    st.floats(0, 1) | st.just(math.nan),
)
def test_there_are_sentences_whatever_was_measured(values, baseline, p):
    """They name the best, with a figure that none of the others is above."""
    baseline = baseline if baseline in values else None
    tests = {name: UNSURE._replace(p=p) for name in values if baseline and name != baseline}
    said = sentences(found(values, baseline=baseline, tests=tests))
    assert 2 <= len(said) <= 3 and all(one.endswith(".") and "nan" not in one for one in said[:2])
    known = [value for value in values.values() if not math.isnan(value)]
    if known and len(values) > 1:
        assert f"best with {max(known):.3f}" in said[1]


# --- of a study's results -------------------------------------------------------------------------


def test_findings_are_of_the_first_table_and_its_first_metric_of_quality(tmp_path):
    first = {"rankers": ["bm25", "second"], "on": "docs/test", "metrics": ["latency@1", "MRR@10"], "baseline": "bm25"}
    study = small.study(tables={"one": first, "two": small.study().tables["main"].model_dump()})
    out, _ = small.results(tmp_path, study)
    (out / "tables/one.csv").write_text("ranker,latency@1,MRR@10,queries\nbm25,2,0.25,3\nsecond,,0.75,3\n")
    artifact = Artifact(out / "comparisons/one.json")
    row = {"ranker": "second", "dataset": "docs", "split": "test", "metric": "MRR@10", "bootstrap_corrected": 0.01}
    pd.DataFrame([row | {"difference": 0.5, "low": 0.25, "high": 0.75}]).to_parquet(artifact.beside(".parquet"))
    artifact.seal()
    of = findings(study, out, {})
    assert of == Findings(
        places={"docs/test": 3},
        metric="MRR@10",
        values={"bm25": 0.25, "second": 0.75},
        baseline="bm25",
        tests={"second": Compared(0.5, 0.25, 0.75, 0.01)},
        other_tables=1,
    )
    assert findings(small.study(tables={}), out, {}) is None
