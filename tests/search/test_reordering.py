"""A run in another order: what is judged first, by its scores; the rest below it as it was; the same after a kill."""

from types import SimpleNamespace

import numpy as np
import pytest

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import Run, ranked, read_run, write_run
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.models.backbone import load_seq2seq
from dewpoint.models.stand_in import stand_in
from dewpoint.search.judging import AGGREGATES, Judge
from dewpoint.search.reordering import by_score, reorder, texts_of
from dewpoint.study.kind import work_of
from programs import call
from search.test_bm25 import QUERIES, corpus
from search.test_expansions import passages

SETTINGS = {"split": "test", "top": 5, "depth": 8, "precision": "float32", "title": "prefix"}
SETTINGS |= {"passage_length": 64, "query_length": 12, "passage_prefix": ""}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    titles = ["castle" if row % 2 else "" for row in range(30)]
    return corpus(tmp_path_factory.mktemp("passages") / "data", passages(30), titles)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Nothing was found for queries 0 and 3, little for 4."""
    drawn = np.random.default_rng(5)
    found = {query: drawn.choice(30, 3 if query == 4 else 10, replace=False) for query in (1, 2, 4, 5)}
    query = np.repeat(list(found), [len(rows) for rows in found.values()])
    artifact = Artifact(tmp_path_factory.mktemp("run") / "d.test.json")
    write_run(artifact, ranked(query, np.concatenate([*found.values()]), drawn.random(len(query)), 10))
    artifact.seal()
    return artifact.manifest


@pytest.fixture(scope="module")
def t5(tmp_path_factory):
    """The manifest of a model."""
    manifest = tmp_path_factory.mktemp("t5") / "manifest.json"
    artifact = Artifact(manifest)
    stand_in("org/t5", lambda: [[*passages(30), *QUERIES]], 1, artifact.path("."))
    artifact.seal()
    return manifest


def judge(t5) -> Judge:
    return Judge(load_seq2seq(t5.parent).eval(), load_tokenizer(t5.parent), 64, 12)


def scores(queries, found):
    """A number for each pair."""
    return [
        np.array([hash((query, text)) % 97 / 7 for text in texts], np.float32)
        for query, texts in zip(queries, found, strict=True)
    ]


def made(folder, dataset, run, score=scores, **others):
    keys = {key: others.pop(key) for key in ("few", "held") if key in others}
    settings = SETTINGS | others
    artifact = Artifact(folder / "ranker" / "d.test.json", settings, "code", [dataset, run])
    try:
        reorder(artifact, Dataset(dataset), run, SimpleNamespace(**settings), score, **keys)
        artifact.seal()
    finally:
        artifact.discard()
    return artifact.manifest


def by_hand(dataset, run, top, depth):
    """The passages of each query, one query at a time."""
    data, found, said = Dataset(dataset), read_run(run), {}
    texts = [
        f"{title} {text}".strip()
        for title, text in zip(*(data.column("corpus", name).to_pylist() for name in ("title", "text")), strict=True)
    ]
    for query in np.unique(found.query):
        rows = found.passage[found.query == query].tolist()
        [values] = scores([QUERIES[query]], [[texts[row] for row in rows[:top]]])
        first = sorted(zip((-values).tolist(), rows[:top], strict=True))
        said[int(query)] = ([row for _, row in first] + rows[top:])[:depth]
    return said


@pytest.mark.parametrize(("top", "depth"), [(5, 8), (3, 3), (10, 10), (1, 10), (5, 2), (500, 1000)])
@pytest.mark.parametrize("sizes", [{}, {"few": 1}, {"few": 2, "held": 2}, {"few": 4, "held": 3}])
def test_the_first_are_put_in_order_and_the_rest_follow(dataset, run, tmp_path, top, depth, sizes):
    found = read_run(made(tmp_path, dataset, run, top=top, depth=depth, **sizes))
    assert {query: found.passage[found.query == query].tolist() for query in np.unique(found.query)} == by_hand(
        dataset, run, top, depth
    )
    for query in np.unique(found.query):
        own = found.score[found.query == query]
        assert (np.diff(own) <= 0).all() and (np.diff(own[top - 1 :]) < 0).all()


def test_the_rest_lie_below_the_least(dataset):
    run = Run(np.array([0, 0, 0, 0]), np.array([4, 7, 2, 9]), np.array([9.0, 8, 7, 6]))
    found = by_score(run, np.array([-3.5, -1.25], np.float32), 2, 10)
    assert found.passage.tolist() == [7, 4, 2, 9] and found.score.tolist() == [-1.25, -3.5, -5, -6]


def test_texts_are_read_as_the_corpus_streams_by(dataset, monkeypatch):
    monkeypatch.setattr("dewpoint.data.dataset.BATCH", 7)
    rows = np.array([3, 29, 3, 0, 14])
    found = texts_of(Dataset(dataset), rows, SimpleNamespace(**SETTINGS | {"passage_prefix": "p: "}))
    known = passages(30)
    assert found == {row: f"p: {'castle ' if row % 2 else ''}{known[row]}" for row in (0, 3, 14, 29)}


def test_what_a_killed_job_has_done_is_not_done_again(dataset, run, tmp_path):
    straight = made(tmp_path / "straight", dataset, run, few=1)
    asked = []

    def killed(queries, found):
        asked.extend(queries)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return scores(queries, found)

    with pytest.raises(KeyboardInterrupt):
        made(tmp_path, dataset, run, killed, few=1)
    again = []

    def counted(queries, found):
        again.extend(queries)
        return scores(queries, found)

    manifest = made(tmp_path, dataset, run, counted, few=1)
    assert again == [*asked[2:], QUERIES[5]] and len(asked) == 3
    assert manifest.with_suffix(".parquet").read_bytes() == straight.with_suffix(".parquet").read_bytes()
    assert not list((tmp_path / ".unfinished").iterdir())


# --- the kinds ----------------------------------------------------------------------------------


def test_monot5_ranks_by_what_the_model_says(t5, dataset, run, tmp_path):
    output = tmp_path / "mono" / "d.test.json"
    found = read_run(call("rankers.monot5 rank", output, SETTINGS, dataset=dataset, run=run, model=t5))
    known, texts = judge(t5), texts_of(Dataset(dataset), np.arange(30), SimpleNamespace(**SETTINGS))
    for query in (1, 2, 4, 5):
        own = found.query == query
        rows, values = found.passage[own][:5], found.score[own][:5]
        np.testing.assert_allclose(
            values, known.mono([QUERIES[query]] * len(rows), [texts[row] for row in rows.tolist()]), atol=1e-5
        )


@pytest.mark.parametrize("name", ["monot5", "duot5"])
def test_questions_are_answered_as_queries_are(t5, dataset, run, tmp_path, name):
    """By a first ranker that finds what the run holds."""
    settings, held = SETTINGS | {"aggregate": "sum"}, read_run(run)
    known = read_run(
        call(f"rankers.{name} rank", tmp_path / "d.test.json", settings, dataset=dataset, run=run, model=t5)
    )
    asked = []

    def first(questions, depth):
        asked.append(depth)
        return held, {"search": 1.0, "judge": 2.0}

    answer = work_of("rankers", name, "live")(SimpleNamespace(**settings), dataset, t5, [(first, 77)])
    found, took = answer(QUERIES, 4)
    kept = known.rank <= 4
    assert found.passage.tolist() == known.passage[kept].tolist() and asked == [77]
    np.testing.assert_allclose(found.score, known.score[kept], atol=1e-5)
    assert took["search"] == 1 and took["judge"] > 2


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_duot5_ranks_by_what_each_wins(t5, dataset, run, tmp_path, aggregate):
    output, settings = tmp_path / "duo" / "d.test.json", SETTINGS | {"aggregate": aggregate}
    found = read_run(call("rankers.duot5 rank", output, settings, dataset=dataset, run=run, model=t5))
    known, texts = judge(t5), texts_of(Dataset(dataset), np.arange(30), SimpleNamespace(**SETTINGS))
    for query in (1, 2, 4, 5):
        own = found.query == query
        rows, values = found.passage[own][:5], found.score[own][:5]
        asked = [texts[row] for row in rows.tolist()]
        wins = known.duo(QUERIES[query], asked)
        count = len(asked)
        told = [
            sum(wins[i, j] + (1 - wins[j, i] if aggregate == "sym-sum" else 0) for j in range(count) if j != i)
            for i in range(count)
        ]
        np.testing.assert_allclose(values, told, atol=1e-4)
