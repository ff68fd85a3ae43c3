"""What the explorer of queries shows: values, ranks and judgements are those of runs, scores and dataset."""

import base64
import gzip
import json
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dewpoint.artifact import Artifact, member
from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import Run, read_run
from dewpoint.report.explored import FOUND, LETTERS, QUERY_LETTERS, cut, telling
from dewpoint.report.page import explored
from programs import beir, call, prepare
from stored import store_run

RANKERS, WORDS = ["one", "two", "three"], ["alpha", "<script>alert(1)</script>", "שלום", '"quoted"', "beta"]


def dataset_of(folder, queries: int, passages: int):
    """Two passages of each query, one of them of grade 2."""
    (folder / "files").mkdir()
    random = np.random.default_rng(2)
    texts = [" ".join(random.choice(WORDS, 80)) for _ in range(passages)]
    corpus = "".join(
        json.dumps({"_id": f"p{row}", "title": f"<b>{row}", "text": text}) + "\n" for row, text in enumerate(texts)
    )
    asked = "".join(
        json.dumps({"_id": f"q{row}", "text": f"<i>asked</i> {row} " + "long " * 60}) + "\n" for row in range(queries)
    )
    judged = {
        (query, passage): grade
        for query in range(queries)
        for grade, passage in enumerate(random.choice(passages, 2, replace=False).tolist(), 1)
    }
    qrels = "query-id\tcorpus-id\tscore\n" + "".join(f"q{q}\tp{p}\t{grade}\n" for (q, p), grade in judged.items())
    files = {"corpus.jsonl": corpus, "queries.jsonl": asked, "qrels/test.tsv": qrels}
    return prepare(folder, beir(folder / "files", files))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(the explorer's artifact, dataset, runs, scores)"""
    folder, random = tmp_path_factory.mktemp("explored"), np.random.default_rng(3)
    dataset = dataset_of(folder, queries=9, passages=30)
    runs, scores = [], []
    for name in RANKERS:
        passages = np.concatenate([random.permutation(30)[:20] for _ in range(9)]).astype(np.int32)
        run = Run(
            np.arange(9, dtype=np.int32).repeat(20), passages, np.tile(np.linspace(9, 1, 20), 9).astype(np.float32)
        )
        runs.append(store_run(folder, name, run))
        settings = {"split": "test", "metrics": ["MRR@10"]}
        scores.append(call("evaluate", folder / f"scores-{name}.json", settings, dataset=dataset, run=runs[-1]))
    place = {"dataset": "d", "split": "test", "metric": "MRR@10"}
    settings = {"rankers": RANKERS, "places": [place]}
    made = call(
        "report.explored write_explored",
        folder / "queries+t.json",
        settings,
        datasets=[dataset],
        runs=runs,
        scores=scores,
    )
    return made, Dataset(dataset), runs, scores


def store_scores(manifest, values: np.ndarray):
    artifact = Artifact(manifest)
    columns = {"query": np.arange(len(values)), "MRR@10": values}
    pd.DataFrame(columns).to_parquet(artifact.beside(".parquet"), index=False)
    artifact.seal()
    return manifest


def read(manifest) -> dict:
    return json.loads(gzip.decompress(member(manifest).read_bytes()))


def test_values_are_the_scores(made):
    manifest, dataset, _, scores = made
    place = read(manifest)["places"][0]
    for values, score in zip(place["values"], scores, strict=True):
        expected = pd.read_parquet(member(score)).set_index("query")["MRR@10"]
        assert values == (expected * 1000).round().astype(int).tolist()
    assert [id for id, _ in place["queries"]] == dataset.column("queries.test", "id").to_pylist()
    assert place["all"] == 9 and read(manifest)["rankers"] == RANKERS


def test_what_was_found_and_what_is_judged(made):
    manifest, dataset, runs, _ = made
    place = read(manifest)["places"][0]
    assert list(place["opened"]) == [str(query) for query in range(9)]
    ids = dataset.column("corpus", "id").to_pylist()
    judged = {
        (q, ids[p]): grade for q, p, grade in zip(*(of.tolist() for of in dataset.judgements("test")), strict=True)
    }
    for query, of in ((int(query), of) for query, of in place["opened"].items()):
        orders = []
        for ranker, run in enumerate(map(read_run, runs)):
            rows = run.query == query
            orders.append([ids[row] for row in run.passage[rows].tolist()])
            shown = [(place["passages"][passage][0], score, grade) for passage, score, grade in of["found"][ranker]]
            expected = zip(orders[-1], run.score[rows].tolist(), strict=True)
            expected = [(id, float(f"{score:.4g}"), judged.get((query, id), 0)) for id, score in expected]
            assert shown == expected[:FOUND]
        known = {(place["passages"][passage][0], grade): ranks for passage, grade, *ranks in of["judged"]}
        assert {id: grade for id, grade in known} == {id: grade for (q, id), grade in judged.items() if q == query}
        for (id, _), ranks in known.items():
            assert ranks == [order.index(id) + 1 if id in order else 0 for order in orders]


def test_texts_are_cut_and_not_changed(made):
    place = read(made[0])["places"][0]
    texts = dict(zip(*(made[1].column("corpus", name).to_pylist() for name in ("id", "text")), strict=True))
    for id, title, text in place["passages"]:
        assert text.endswith(" …") and texts[id].startswith(text[:-2]) and len(text) <= LETTERS + 2
        assert title == f"<b>{id[1:]}"
    assert all(len(text) <= QUERY_LETTERS + 2 for _, text in place["queries"])


@given(st.text(max_size=40), st.integers(1, 20))
def test_a_cut_text_is_a_beginning(text, letters):
    shown = cut(text, letters)
    assert " ".join(text.split()).startswith(shown.removesuffix(" …")) and len(shown) <= letters + 2


def test_it_is_the_same_each_time(made, tmp_path):
    manifest, dataset, runs, scores = made
    settings = json.loads(manifest.read_text())["settings"]
    again = call(
        "report.explored write_explored",
        tmp_path / "queries+t.json",
        settings,
        datasets=[dataset.manifest],
        runs=runs,
        scores=scores,
    )
    assert member(again).read_bytes() == member(manifest).read_bytes()


def test_nothing_of_a_study_ends_the_page(made, tmp_path):
    """What a script tag holds is base64, whatever is in texts."""
    (tmp_path / "comparisons").mkdir()
    for path in (made[0], member(made[0])):
        (tmp_path / "comparisons" / path.name).write_bytes(path.read_bytes())
    study = type("Study", (), {"tables": {"t": type("Table", (), {"title": ""})}})
    [(title, data)] = explored(study, tmp_path)
    assert (
        title == "t"
        and "<" not in data
        and gzip.decompress(base64.b64decode(data)) == gzip.decompress(member(made[0]).read_bytes())
    )


@given(st.lists(st.lists(st.integers(0, 3), min_size=6, max_size=6), min_size=2, max_size=4), st.integers(1, 8))
def test_each_two_rankers_have_their_turn(values, most):
    """As many turns as there is room for: what opens has, for every two, as great a difference as there is."""
    values = np.array(values, float)
    chosen = telling(values, most)
    assert len(chosen) == min(most, 6) and sorted(set(chosen.tolist())) == chosen.tolist()
    pairs = list(permutations(range(len(values)), 2))
    if most >= len(pairs):
        for one, other in pairs:
            above = values[one] - values[other]
            assert above.max() <= 0 or above[chosen].max() == above.max()


def test_a_page_of_many_rankers_and_queries_stays_small(tmp_path):
    """Sixty rankers, seven thousand queries, and passages whose words are random: at most six megabytes of the page."""
    random, rankers, queries, passages = np.random.default_rng(4), 60, 7000, 3000
    (tmp_path / "files").mkdir()
    words = [f"w{word}" for word in range(5000)]
    corpus = "".join(
        json.dumps({"_id": f"p{row}", "text": " ".join(random.choice(words, 60))}) + "\n" for row in range(passages)
    )
    asked = "".join(
        json.dumps({"_id": f"q{row}", "text": " ".join(random.choice(words, 7))}) + "\n" for row in range(queries)
    )
    qrels = "query-id\tcorpus-id\tscore\n" + "".join(f"q{query}\tp{query % passages}\t1\n" for query in range(queries))
    files = {"corpus.jsonl": corpus, "queries.jsonl": asked, "qrels/test.tsv": qrels}
    dataset = prepare(tmp_path, beir(tmp_path / "files", files))
    query, score = (
        np.arange(queries, dtype=np.int32).repeat(FOUND),
        np.tile(np.arange(FOUND, 0, -1), queries).astype(np.float32),
    )
    names, runs, scores = [f"ranker-{number}" for number in range(rankers)], [], []
    for name in names:
        passage = (random.integers(passages, size=(queries, 1)) + np.arange(FOUND) * 7) % passages
        runs.append(store_run(tmp_path, name, Run(query, passage.ravel().astype(np.int32), score)))
        scores.append(store_scores(tmp_path / f"{name}.scores.json", random.choice([0, 0.1, 1 / 3, 0.5, 1], queries)))
    settings = {"rankers": names, "places": [{"dataset": "d", "split": "test", "metric": "MRR@10"}]}
    made = call(
        "report.explored write_explored",
        tmp_path / "queries+t.json",
        settings,
        datasets=[dataset],
        runs=runs,
        scores=scores,
    )
    assert len(base64.b64encode(member(made).read_bytes())) < 6e6
    place = read(made)["places"][0]
    assert len(place["opened"]) == 100 and len(place["queries"]) == queries
