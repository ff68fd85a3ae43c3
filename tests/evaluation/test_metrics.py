"""Metrics equal what a pencil says, and what trec_eval says."""

from math import log2

import ir_measures
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.dataset import Dataset, DatasetWriter
from dewpoint.data.runs import Run
from dewpoint.errors import UserError
from dewpoint.evaluation.metrics import Judgements, agreement, by_document, evaluate, measure
from programs import call
from stored import change, store_run

# query 0: passages 1, 2, 3 with grades 3, 1, 2, passage 9 judged as not relevant
# query 2: passage 5; query 4: passage 6, never found; query 7: nothing relevant is known
JUDGED = [(0, 1, 3), (0, 2, 1), (0, 3, 2), (0, 9, 0), (2, 5, 1), (4, 6, 1), (7, 8, 0)]
FOUND = {0: [9, 3, 4, 1, 7], 2: [1, 2, 5], 7: [8]}


def columns(rows, *types):
    return tuple(np.array(column, type) for column, type in zip(zip(*rows, strict=True), types, strict=True))


def judged_of(rows, relevant=1):
    return Judgements(*columns(rows, np.int32, np.int32, np.float32), relevant)


def run_of(found):
    rows = [
        (query, passage, -float(rank)) for query, passages in found.items() for rank, passage in enumerate(passages)
    ]
    return Run(*columns(rows, np.int32, np.int32, np.float32)) if rows else Run(*(np.zeros(0, np.int32) for _ in "qps"))


def measured(metric, found=FOUND, judged=JUDGED, relevant=1):
    return evaluate(run_of(found), judged_of(judged, relevant), [metric])[metric]


@pytest.mark.parametrize(
    ("metric", "values"),
    [
        ("MRR@10", [1 / 2, 1 / 3, 0]),
        ("MRR@2", [1 / 2, 0, 0]),
        ("MRR@1", [0, 0, 0]),
        ("R@2", [1 / 3, 0, 0]),
        ("R@100", [2 / 3, 1, 0]),
        ("Success@1", [0, 0, 0]),
        ("Success@2", [1, 0, 0]),
        ("Success@20", [1, 1, 0]),
        ("P@2", [1 / 2, 0, 0]),
        ("P@5", [2 / 5, 1 / 5, 0]),
        ("Rprec", [1 / 3, 0, 0]),
        ("nDCG@10", [(2 / log2(3) + 3 / log2(5)) / (3 + 2 / log2(3) + 1 / log2(4)), 1 / log2(4), 0]),
        ("nDCG@3", [(2 / log2(3)) / (3 + 2 / log2(3) + 1 / log2(4)), 1 / log2(4), 0]),
        ("nDCG@1", [0, 0, 0]),
    ],
)
def test_by_hand(metric, values):
    """A query counts as zero that the run leaves out, or that has nothing relevant."""
    found = measured(metric)
    assert found.index.tolist() == [0, 2, 4, 7]
    assert found.tolist() == pytest.approx([*values, 0])
    assert found.mean() == pytest.approx(sum(values) / 4)


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("MRR@10", 1 / 2),
        ("R@2", 1 / 2),
        ("R@10", 1),
        ("P@4", 1 / 2),
        ("Success@1", 0),
        ("Success@2", 1),
        ("Rprec", 1 / 2),
        ("nDCG@10", (2 / log2(3) + 3 / log2(5)) / (3 + 2 / log2(3) + 1 / log2(4))),
    ],
)
def test_relevant_from_a_grade_on(metric, value):
    """From 2 on these are passages 3 and 1, at ranks 2 and 4; nDCG goes by all grades as before; query 2 has none."""
    found = measured(metric, relevant=2)
    assert found.loc[0] == pytest.approx(value)
    assert found.loc[2] == (1 / log2(4) if metric == "nDCG@10" else 0)


@pytest.mark.parametrize(("metric", "value"), [("R@2", 1 / 3), ("Rprec", 2 / 3), ("P@3", 2 / 3), ("MRR@10", 1 / 2)])
def test_a_negative_grade_is_not_relevant(metric, value):
    """As of spam, which TREC's tracks judge with -2."""
    judged = [(0, 9, -2), (0, 1, 1), (0, 2, 1), (0, 3, 1)]
    assert measured(metric, {0: [9, 3, 1]}, judged).tolist() == pytest.approx([value])
    ideal = 1 + 1 / log2(3) + 1 / log2(4)
    assert measured("nDCG@10", {0: [9, 3, 1]}, judged).tolist() == pytest.approx([(1 / log2(3) + 1 / log2(4)) / ideal])


def test_many_at_once_are_each_alone():
    names = ["nDCG@10", "MRR@10", "Success@2", "R@2", "P@5", "MRR@2", "Rprec", "MRR"]
    together = evaluate(run_of(FOUND), judged_of(JUDGED), names)
    assert together.columns.tolist() == names
    for name in names:
        assert together[name].tolist() == measured(name).tolist()


PAIR = st.tuples(st.integers(0, 4), st.integers(0, 11))
GRADES = st.dictionaries(PAIR, st.integers(-1, 3), min_size=1, max_size=25)
RANKED = st.dictionaries(st.integers(0, 4), st.lists(st.integers(0, 11), unique=True, min_size=1, max_size=12))


@settings(max_examples=150, deadline=None)
@given(RANKED, GRADES, st.integers(1, 3))
def test_equal_to_trec_eval(found, grades, relevant):
    """Through ir-measures, which is told a query that the run lacks by its not being there."""
    parts = {"MRR": ir_measures.RR, "R": ir_measures.R, "P": ir_measures.P, "Success": ir_measures.Success}
    wanted = {f"{name}@{k}": of(rel=relevant) @ k for name, of in parts.items() for k in (1, 3, 10)}
    wanted |= {f"nDCG@{k}": ir_measures.nDCG @ k for k in (1, 3, 10)} | {"Rprec": ir_measures.Rprec(rel=relevant)}
    wanted |= {"MRR": ir_measures.RR(rel=relevant)}
    found = dict(sorted(found.items()))
    run, judged = run_of(found), judged_of([(*pair, grade) for pair, grade in grades.items()], relevant)
    ours = evaluate(run, judged, list(wanted))
    ids = {"query_id": judged.query.astype(str), "doc_id": judged.passage.astype(str)}
    rows = {"query_id": run.query.astype(str), "doc_id": run.passage.astype(str), "score": run.score}
    qrels, names = (
        pd.DataFrame(ids | {"relevance": judged.grade.astype(int)}),
        {str(of): name for name, of in wanted.items()},
    )
    theirs = pd.DataFrame(0.0, ours.index, ours.columns)
    for value in ir_measures.iter_calc(list(wanted.values()), qrels, pd.DataFrame(rows)):
        theirs.loc[int(value.query_id), names[str(value.measure)]] = value.value
    pd.testing.assert_frame_equal(ours, theirs)


NAMES = ["nDCG@3", "MRR@3", "R@10", "P@10", "Rprec"]
FRACTIONS = st.dictionaries(PAIR, st.floats(-1, 4, width=16), min_size=1, max_size=25)


@settings(max_examples=150, deadline=None)
@given(RANKED, FRACTIONS, st.floats(0.25, 4, width=16))
def test_grades_may_be_fractions(found, grades, relevant):
    """Query by query, in plain numbers."""
    values = evaluate(
        run_of(dict(sorted(found.items()))), judged_of([(*p, g) for p, g in grades.items()], relevant), NAMES
    )
    for query in values.index:
        of = {passage: grade for (other, passage), grade in grades.items() if other == query}
        ranked = [of.get(passage, 0) for passage in found.get(query, [])]
        right = sum(grade >= relevant for grade in of.values())
        known = [passage in of and of[passage] >= relevant for passage in found.get(query, [])]
        gains = [
            sum(max(grade, 0) / log2(rank + 1) for rank, grade in enumerate(order[:3], 1))
            for order in (ranked, sorted(of.values(), reverse=True))
        ]
        expected = {
            "nDCG@3": gains[0] / gains[1] if gains[1] else 0,
            "MRR@3": next((1 / rank for rank, one in enumerate(known[:3], 1) if one), 0),
            "R@10": sum(known[:10]) / max(right, 1),
            "P@10": sum(known[:10]) / 10,
            "Rprec": sum(known[:right]) / max(right, 1),
        }
        assert values.loc[query].to_dict() == pytest.approx(expected)


@pytest.mark.parametrize(("order", "value"), [([9, 10, 11], 1 / 3), ([11, 10, 9], 1.0), ([10, 11, 9], 1 / 2)])
def test_ties_stay_as_the_run_broke_them(order, value):
    run = Run(np.zeros(3, np.int32), np.array(order, np.int32), np.ones(3, np.float32))
    assert evaluate(run, judged_of([(0, 11, 1)]), ["MRR@10"])["MRR@10"].tolist() == [value]


def test_ranks_count_whatever_the_scores():
    """Here scores grow with the rank."""
    run = Run(np.zeros(2, np.int32), np.array([4, 2], np.int32), np.array([0.0, 5.0], np.float32))
    assert evaluate(run, judged_of([(0, 4, 1)]), ["MRR@10"])["MRR@10"].tolist() == [1.0]


def test_a_run_without_a_row_is_zero():
    assert measured("MRR@10", found={}).tolist() == [0, 0, 0, 0]


def test_agreement_is_the_share_of_what_exact_search_finds():
    """Whatever the order; cutoffs beyond the depth are left out."""
    rng = np.random.default_rng(0)
    best = {query: rng.permutation(300)[:100] for query in (0, 3, 4)}
    found = {query: np.concatenate([passages[rng.random(100) < 0.7][::-1], [999]]) for query, passages in best.items()}
    found[4] = np.array([], int)
    expected = {}
    for cutoff in (10, 100):
        hits = sum(len({*best[query][:cutoff]} & {*found[query][:cutoff]}) for query in best)
        expected[str(cutoff)] = round(hits / (3 * cutoff), 4)
    assert agreement(run_of(found), run_of(best), 100) == expected
    assert agreement(run_of(best), run_of(best), 50) == {"10": 1.0}


def test_no_metric_of_quality_is_no_mistake():
    """As for a table of latencies."""
    values = evaluate(run_of(FOUND), judged_of(JUDGED), [])
    assert (len(values), list(values.columns)) == (4, [])


@given(RANKED, st.lists(st.integers(0, 3), min_size=12, max_size=12))
def test_a_run_of_documents_is_each_ones_best(found, documents):
    """Wherever in the corpus its passages are."""
    found = dict(sorted(found.items()))
    run = by_document(run_of(found), np.array(documents, np.int32))
    slow = {query: list(dict.fromkeys(documents[passage] for passage in passages)) for query, passages in found.items()}
    pairs = [(query, document) for query, kept in slow.items() for document in kept]
    assert list(zip(run.query, run.passage, strict=True)) == pairs
    assert run.rank.tolist() == [1 + slow[query].index(document) for query, document in pairs]


@pytest.fixture
def dataset(tmp_path):
    """Documents of two passages each, four of them; in split `asked` queries have answers and no judgement."""
    artifact = Artifact(tmp_path / "data" / "manifest.json")
    writer = DatasetWriter(artifact)
    for row in range(8):
        writer.passage("", f"p{row}", f"word w{row}", document=f"d{row // 2}")
    for row, answers in enumerate([("w1", "w6"), (), ("W3",)]):
        writer.query("", "test", f"q{row}", "which?", answers)
        writer.query("", "asked", f"q{row}", "which?", answers)
        writer.query("", "plain", f"q{row}", "which?")
    for query, passage, grade in [("q0", "p2", 1), ("q0", "p3", 1), ("q1", "p6", 2), ("q1", "p7", 2)]:
        writer.judgement("", "test", query, passage, grade)
    writer.finish()
    artifact.seal()
    return Dataset(artifact.manifest)


ORDER = {0: [0, 1, 4, 5, 3, 2], 1: [0, 7, 6], 2: [0, 2, 3]}


def test_judgements_of_documents(dataset):
    """Query 0's document 1 is third, by passage 3; query 1's document 3 is second."""
    names = ["MRR@10", "R@2", "P@5", "R@1", "nDCG@5"]
    passages = measure(run_of(ORDER), dataset, "test", names)
    assert passages.loc[0].tolist()[:4] == [1 / 5, 0, 1 / 5, 0]
    change(dataset.manifest, judged="documents")
    documents = measure(run_of(ORDER), dataset, "test", names)
    assert documents.loc[0].tolist() == pytest.approx([1 / 3, 0, 1 / 5, 0, 1 / log2(4)])
    assert documents.loc[1].tolist() == pytest.approx([1 / 2, 1, 1 / 5, 0, 1 / log2(3)])
    change(dataset.manifest, relevant={"test": 2})
    assert measure(run_of(ORDER), dataset, "test", names)["MRR@10"].tolist() == [0, 1 / 2]


def test_pages_are_relevant_by_a_passage_and_rank_by_their_best(dataset):
    """Query 0's page 1 is third; query 1's page 3 is second. Passages are measured beside them as ever."""
    names = ["PageR@2", "R@5", "PageR@3", "PageRprec", "Rprec", "PageR@1"]
    found = measure(run_of(ORDER), dataset, "test", names)
    assert found.loc[0].tolist() == [0, 1 / 2, 1, 0, 0, 0]
    assert found.loc[1].tolist() == [1, 1, 1, 0, 1 / 2, 0]
    pd.testing.assert_frame_equal(found[["R@5", "Rprec"]], measure(run_of(ORDER), dataset, "test", ["R@5", "Rprec"]))


@settings(max_examples=40, deadline=None)
@given(RANKED, FRACTIONS, st.lists(st.integers(0, 5), min_size=12, max_size=12), st.floats(0.25, 4, width=16))
def test_pages_equal_slow_ones(tmp_path_factory, found, grades, pages, relevant):
    folder = tmp_path_factory.mktemp("pages")
    writer = DatasetWriter(Artifact(folder / "manifest.json"))
    for row, page in enumerate(pages):
        writer.passage("", f"p{row}", "text", document=f"d{page}")
    for row in range(5):
        writer.query("", "test", f"q{row}", "which?")
    for (query, passage), grade in grades.items():
        writer.judgement("", "test", f"q{query}", f"p{passage}", grade)
    writer.relevant["test"] = relevant
    writer.finish()
    writer.artifact.seal()
    values = measure(
        run_of(dict(sorted(found.items()))), Dataset(folder / "manifest.json"), "test", ["PageR@2", "PageRprec"]
    )
    assert values.index.tolist() == sorted({query for query, _ in grades})
    for query in values.index:
        right = {pages[passage] for (other, passage), grade in grades.items() if other == query and grade >= relevant}
        order = list(dict.fromkeys(pages[passage] for passage in found.get(query, [])))
        shares = [len(right & {*order[:k]}) / max(len(right), 1) for k in (2, len(right))]
        assert values.loc[query].tolist() == pytest.approx(shares)


def test_a_hit_is_an_answer_among_the_first_and_averaged_over_queries_with_answers(dataset):
    """Query 0's first answer is at rank 2, query 2's at 3; query 1 has none and does not count, as query 2 not in R."""
    found = measure(run_of(ORDER), dataset, "test", ["Hit@1", "R@10", "Hit@2", "Hit@3"])
    expected = {"Hit@1": [0, np.nan, 0], "R@10": [1, 1, np.nan], "Hit@2": [1, np.nan, 0], "Hit@3": [1, np.nan, 1.0]}
    pd.testing.assert_frame_equal(found, pd.DataFrame(expected, pd.Index(range(3), name="query")), check_dtype=False)
    assert found.mean().tolist() == [0, 1, 1 / 2, 1]


def test_a_split_without_judgements_has_hits_alone(dataset, tmp_path):
    run = store_run(tmp_path, "run", run_of({0: [1, 2], 2: [2]}))

    def score(split, *metrics):
        settings = {"split": split, "metrics": metrics}
        return call("evaluate", tmp_path / "s.json", settings, dataset=dataset.manifest, run=run)

    facts = read_manifest(score("asked", "Hit@1", "Hit@5"))["facts"]
    assert facts == {"metrics": {"Hit@1": 0.5, "Hit@5": 0.5}, "queries": 2}
    with pytest.raises(SystemExit) as exit:
        score("asked", "Hit@1", "MRR@10")
    line = f"error: {tmp_path}/data: no query of asked is judged, so there is no MRR@10, only Hit@k"
    assert str(exit.value) == line
    with pytest.raises(SystemExit, match=r"^error: .*/data: no query of plain has any answers to look for$"):
        score("plain", "Hit@1")


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("Spearman", "Spearman is no metric of a run; write MRR@10, R@10, PageR@10, "),
        ("latency@1", "latency@1 is no metric of a run; write MRR@10, "),
        ("R", "unknown metric 'R', write MRR@10, R@10, "),
        ("Rprec@5", "unknown metric 'Rprec@5', write MRR@10, "),
        ("R@0", "unknown metric 'R@0', write MRR@10, "),
    ],
)
def test_what_is_no_metric_of_a_run(dataset, metric, message):
    with pytest.raises(UserError, match=f"^{message}[^\n]*$"):
        measure(run_of(ORDER), dataset, "test", ["R@5", metric])
