"""What is measured on the way: what is ranked, and the metric of it, as a slow reading in float64 says."""

from math import log2
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.dataset import Dataset, DatasetWriter
from dewpoint.data.runs import Run, ranked, read_run
from dewpoint.data.tokens import TokenStore, assemble
from dewpoint.evaluation.metrics import measure
from dewpoint.models.folder import read_retriever
from dewpoint.training import proxy, ranking
from dewpoint.training.proxy import Proxy, Several, candidate_ranks, corpus_ranks, development_queries, reciprocal_rank
from stored import store_run
from training.conftest import development


def slow(scores: list[list[float]], relevant: set[tuple[int, int]]) -> float:
    """Sorted by score, then row; 1 / rank of the first relevant one within ten."""
    found = []
    for query, row in enumerate(scores):
        ranked = sorted(range(len(row)), key=lambda at: (-row[at], at))[:10]
        right = [rank for rank, at in enumerate(ranked, 1) if (query, at) in relevant]
        found.append(1 / right[0] if right else 0.0)
    return sum(found) / len(found)


@given(st.data(), st.integers(1, 6), st.integers(1, 25), st.integers(1, 40))
def test_mrr_with_ties(data, queries, passages, block):
    grid = st.lists(
        st.lists(st.integers(0, 4), min_size=passages, max_size=passages), min_size=queries, max_size=queries
    )
    scores = data.draw(grid)
    pairs = st.tuples(st.integers(0, queries - 1), st.integers(0, passages - 1))
    relevant = data.draw(st.sets(pairs, min_size=1))
    query, passage = torch.tensor(sorted(relevant)).T
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proxy, "SCORES", block)
        rank = corpus_ranks(torch.tensor(scores, dtype=torch.float), torch.eye(passages), query, passage)
    assert reciprocal_rank(query, rank, queries) == pytest.approx(slow(scores, relevant), abs=1e-6)


@given(st.data(), st.integers(1, 6), st.integers(1, 25), st.integers(1, 200))
def test_candidates_are_ranked_among_their_querys_own(data, queries, passages, block):
    scores = np.array(data.draw(st.lists(st.integers(0, 3), min_size=queries * passages, max_size=queries * passages)))
    scores = scores.reshape(queries, passages)
    pairs = sorted(data.draw(st.sets(st.tuples(st.integers(0, queries - 1), st.integers(0, passages - 1)), min_size=1)))
    query, passage = torch.tensor(pairs).T.contiguous()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proxy, "SCORES", block)
        rank = candidate_ranks(torch.tensor(scores, dtype=torch.float), torch.eye(passages), query, passage)
    for query in range(queries):
        own = sorted((at for of, at in pairs if of == query), key=lambda at: (-scores[query, at], at))
        assert [rank[pairs.index((query, at))].item() for at in own] == [*range(1, len(own) + 1)]


def options(**changed) -> SimpleNamespace:
    wanted = development(**{"depth": 4, "passages": 7} | changed)
    return SimpleNamespace(seed=3, development=SimpleNamespace(**wanted))


def small(world, **changed) -> Proxy:
    store = TokenStore(world.tokens)
    return Proxy(
        Dataset(world.dataset), [world.run], store.queries("train", 12), store.passages(24), options(**changed)
    )


def top_ranked(world, queries: set[int]) -> set[tuple[int, int]]:
    run = read_run(world.run)
    rows = zip(run.query.tolist(), run.passage.tolist(), run.rank.tolist(), strict=True)
    return {(query, passage) for query, passage, rank in rows if query in queries and rank <= 4}


def test_it_holds_the_judged_the_top_ranked_and_some_at_random(world):
    queries = development_queries(Dataset(world.dataset), options())
    assert len(queries) == 6 == len(set(queries.tolist()))
    judged = {2 * query for query in queries.tolist()}
    top = {passage for _, passage in top_ranked(world, {*queries.tolist()})}
    assert set(small(world, passages=0).passages.tolist()) == judged | top
    assert set(small(world, passages=0, depth=0).passages.tolist()) == judged
    assert set(small(world, passages=40, depth=0).passages.tolist()) == set(range(40))
    more = set(small(world, depth=0).passages.tolist())
    assert judged < more and len(more) <= len(judged) + 7


def test_candidates_are_the_top_ranked_and_the_judged_of_each_query(world):
    """Passages that several queries share are there once, and none at random."""
    made = small(world, reranks=True)
    query, passage = made.rows[made.candidates[0]], made.passages[made.candidates[1]]
    asked = {*made.rows.tolist()}
    expected = top_ranked(world, asked) | {(query, 2 * query) for query in asked}
    assert sorted(zip(query.tolist(), passage.tolist(), strict=True)) == sorted(expected)
    assert len(made.passages) == len({passage for _, passage in expected}) < len(expected)


def plain_scores(world, made: Proxy, model) -> np.ndarray:
    """float64 [queries, passages], each text by itself."""
    store = TokenStore(world.tokens)

    def vectors(texts):
        rows = [torch.from_numpy(row[row != 0][None]) for row in assemble(texts, store.special)]
        return torch.cat([model.passages(row, torch.ones_like(row)) for row in rows]).detach().double().numpy()

    queries, passages = store.queries("train", 12)[made.rows], store.passages(24)[made.passages]
    return vectors(queries) @ vectors(passages).T


@pytest.mark.parametrize("metric", ["MRR@10", "nDCG@10"])
@pytest.mark.parametrize("reranks", [False, True])
def test_it_measures_what_plain_vectors_say(world, bert, metric, reranks):
    model, store = read_retriever(bert.parent), TokenStore(world.tokens)
    made = small(world, metric=metric, reranks=reranks)
    value = made.measure(model, store.special, store.special, tokens=50)[f"development_{metric}"]
    assert model.training
    model.eval()
    assert value == pytest.approx(slow_value(world, made, plain_scores(world, made, model), metric, reranks), abs=1e-6)


def slow_value(world, made: Proxy, scores: np.ndarray, metric: str, reranks: bool) -> float:
    """One passage is relevant to each query: nDCG is 1 / log2(rank + 1)."""
    own = top_ranked(world, {*made.rows.tolist()}) | {(query, 2 * query) for query in made.rows.tolist()}
    gains = []
    for row, query in zip(scores, made.rows.tolist(), strict=True):
        known = [at for at, passage in enumerate(made.passages.tolist()) if not reranks or (query, passage) in own]
        order = sorted(known, key=lambda at: -row[at])
        rank = 1 + [made.passages[at] for at in order].index(2 * query)
        gains.append((rank <= 10) * (1 / rank if metric == "MRR@10" else 1 / log2(rank + 1)))
    return float(np.mean(gains))


# --- of a late interaction ----------------------------------------------------------------------


LATE = {"normalize": True, "augmented": True, "projection": {"size": 6, "norm": False}}


def late(world, **changed) -> Proxy:
    """Queries are filled up."""
    store = TokenStore(world.tokens)
    queries, passages = store.queries("train", 12, augmented=True), store.passages(24)
    return Proxy(Dataset(world.dataset), [world.run], queries, passages, options(**changed))


def max_sims(world, made: Proxy, model) -> np.ndarray:
    """float64 [queries, passages], by a loop over queries, passages and a query's vectors."""
    special = TokenStore(world.tokens).special

    def vectors(texts):
        rows = [torch.from_numpy(row[row != special["pad"]][None]) for row in assemble(texts, special)]
        return [model.passages(row, torch.ones_like(row)).vectors[0].detach().double() for row in rows]

    queries, passages = map(vectors, made.texts)
    return np.array([[sum(float((shown @ one).max()) for one in asked) for shown in passages] for asked in queries])


@pytest.fixture(scope="module")
def colbert(trained, bert):
    return trained("colbert", "measured-colbert", bert, **LATE)


@pytest.mark.parametrize("held", [1, 500, 2**24])
@pytest.mark.parametrize("metric", ["MRR@10", "nDCG@10"])
@pytest.mark.parametrize("reranks", [False, True])
def test_a_late_interaction_is_measured_by_max_sim(world, colbert, monkeypatch, metric, reranks, held):
    monkeypatch.setattr(proxy, "SCORES", held)
    model, special = read_retriever(colbert.parent), TokenStore(world.tokens).special
    made = late(world, metric=metric, reranks=reranks)
    value = made.measure(model, special, special, tokens=50)[f"development_{metric}"]
    model.eval()
    assert value == pytest.approx(slow_value(world, made, max_sims(world, made, model), metric, reranks), abs=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 12), st.integers(1, 60))
def test_ranks_by_max_sim_with_ties(seed, queries, passages, block):
    """Of whole numbers, which tie often: a pair's among all passages, and among its query's candidates."""
    random, sides = np.random.default_rng(seed), []
    for texts in (queries, passages):
        counts = random.integers(1, 5, texts)
        flat = random.integers(-1, 2, (counts.sum(), 2))
        sides.append(Several(torch.from_numpy(flat).float(), torch.from_numpy(counts)))
    asked, shown = (side.vectors.split(side.counts.tolist()) for side in sides)
    scores = [[sum(max(float(one @ other) for other in text) for one in query) for text in shown] for query in asked]
    every = np.indices((queries, passages)).reshape(2, -1)
    some = np.compress(np.append(random.random(queries * passages - 1) < 0.5, True), every, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proxy, "SCORES", block)
        corpus = corpus_ranks(*sides, *map(torch.from_numpy, every)).tolist()
        own = candidate_ranks(*sides, *map(torch.from_numpy, some)).tolist()
    for pairs, ranks in ((every, corpus), (some, own)):
        of = {pair: rank for pair, rank in zip(zip(*pairs.tolist(), strict=True), ranks, strict=True)}
        order = sorted(of, key=lambda pair: (pair[0], -scores[pair[0]][pair[1]], pair[1]))
        assert [of[pair] for pair in order] == [
            1 + sum(query == other for other, _ in order[:at]) for at, (query, _) in enumerate(order)
        ]


def test_the_best_weights_of_a_late_interaction_are_kept(world, trained, bert, monkeypatch):
    """Each measurement counts one less than it is, so that the first is the best: the weights measure as it did."""
    found, measure = [], Proxy.measure

    def lower(self, *of):
        name, value = next(iter(measure(self, *of).items()))
        found.append(value)
        return {name: value - len(found)}

    wanted = development(depth=4, passages=7, measurements=4, metric="nDCG@10")
    changed = LATE | {"learning_rate": 3e-2, "development": wanted, "files": {"development": [world.run]}}
    with monkeypatch.context() as patch:
        patch.setattr(Proxy, "measure", lower)
        made = trained("colbert", "best-colbert", bert, **changed)
    facts, special = read_manifest(made)["facts"], TokenStore(world.tokens).special
    assert len(found) == 4 and facts["best_step"] == facts["kept_step"] < facts["steps"] - 1
    assert len({*found}) > 1 and facts["best_development_nDCG@10"] == pytest.approx(found[0] - 1, abs=1e-6)
    again = late(world, metric="nDCG@10").measure(read_retriever(made.parent), special, special, tokens=50)
    assert again == {"development_nDCG@10": pytest.approx(found[0], abs=1e-6)}


@pytest.mark.parametrize("reranks", [False, True])
@pytest.mark.parametrize("metric", ["MRR@10", "nDCG@10"])
def test_grades_count_as_in_evaluation(tmp_path, metric, reranks):
    """Several of a query, and one below what is relevant, which is no candidate unless it was found."""
    random = np.random.default_rng(5)
    artifact = Artifact(tmp_path / "data" / "manifest.json")
    writer = DatasetWriter(artifact)
    for row in range(30):
        writer.passage("", f"p{row}", "text")
    judged = {(query, int(p)): int(random.integers(0, 4)) for query in range(8) for p in random.permutation(30)[:6]}
    judged |= {(query, query): 3 for query in range(8)}
    for query in range(8):
        writer.query("", "dev", f"q{query}", "text")
    for (query, passage), grade in judged.items():
        writer.judgement("", "dev", f"q{query}", f"p{passage}", grade)
    writer.relevant["dev"] = 2
    writer.finish()
    artifact.seal()
    dataset = Dataset(artifact.manifest)
    every = np.repeat(np.arange(8), 30), np.tile(np.arange(30), 8)
    found = store_run(tmp_path, "first", ranked(*every, random.random(240).astype(np.float32), 12))
    changed = options(split="dev", queries=8, depth=9, metric=metric, reranks=reranks, passages=5)
    made = Proxy(dataset, [found], Unread(), Unread([None] * 30), changed)
    queries, passages = random.normal(size=(8, 4)), random.normal(size=(len(made.passages), 4))
    value = made.value(*(torch.from_numpy(of).float() for of in (queries, passages)))

    first = read_run(found)
    pairs = [(query, passage) for (query, passage), grade in judged.items() if grade >= 2]
    pairs += [(query, passage) for query, passage, rank in zip(*map(list, columns(first)), strict=True) if rank <= 9]
    pairs = pairs if reranks else [(query, passage) for query in range(8) for passage in made.passages]
    query, passage = np.array(sorted({*pairs})).T
    scores = (queries[query] * passages[np.searchsorted(made.passages, passage)]).sum(1)
    expected = measure(ranked(query, passage, scores, 30), dataset, "dev", [metric]).mean()[metric]
    assert value == pytest.approx(expected, abs=1e-6)


def columns(run: Run) -> list[np.ndarray]:
    return [run.query, run.passage, run.rank]


class Unread(list):
    """Texts that no one reads."""

    def __getitem__(self, rows):
        return None


def test_queries_that_are_measured_are_not_trained_on(world, trained, bert, monkeypatch):
    seen = []
    stream = ranking.RetrieverBatches
    monkeypatch.setattr(ranking, "RetrieverBatches", lambda *args: seen.append(args) or stream(*args))
    wanted = development(depth=4, passages=7, measurements=1, keep="last")
    trained("retriever", "held-out", bert, development=wanted, files={"development": [world.run]})
    chosen = seen[0][4]
    held_out = development_queries(Dataset(world.dataset), options())
    assert sorted([*chosen.tolist(), *held_out.tolist()]) == list(range(20))


def test_scores_are_not_rounded_as_vectors_are(world, bert, monkeypatch):
    """In bfloat16 many would tie."""
    measured, special, rounded = small(world), TokenStore(world.tokens).special, []
    monkeypatch.setattr(measured, "value", lambda *of: rounded.append(torch.is_autocast_enabled("cpu")) or 0.0)
    with torch.autocast("cpu", torch.bfloat16):
        measured.measure(read_retriever(bert.parent), special, special, tokens=50)
    assert rounded == [False]
