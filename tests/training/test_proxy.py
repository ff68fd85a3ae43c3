"""The proxy corpus: what is in it, and MRR on it, as a slow reading says."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import read_run
from dewpoint.data.tokens import TokenStore, assemble
from dewpoint.models.folder import read_retriever
from dewpoint.training import proxy, ranking
from dewpoint.training.proxy import MEASURE, Proxy, development_queries, reciprocal_rank


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
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proxy, "SCORES", block)
        found = reciprocal_rank(
            torch.tensor(scores, dtype=torch.float), torch.eye(passages), torch.tensor(sorted(relevant)).T
        )
    assert found == pytest.approx(slow(scores, relevant), abs=1e-6)


def options(**changed) -> SimpleNamespace:
    wanted = {"split": "train", "queries": 6, "depth": 4, "passages": 7} | changed
    return SimpleNamespace(seed=3, development=SimpleNamespace(**wanted))


def small(world, **changed) -> Proxy:
    store = TokenStore(world.tokens)
    return Proxy(
        Dataset(world.dataset), [world.run], store.queries("train", 12), store.passages(24), options(**changed)
    )


def test_it_holds_the_judged_the_top_ranked_and_some_at_random(world):
    queries = development_queries(Dataset(world.dataset), options())
    assert len(queries) == 6 == len(set(queries.tolist()))
    run, judged = read_run(world.run), {2 * query for query in queries.tolist()}
    top = {int(p) for q, p, rank in zip(run.query, run.passage, run.rank, strict=True) if q in queries and rank <= 4}
    assert set(small(world, passages=0).passages.tolist()) == judged | top
    assert set(small(world, passages=0, depth=0).passages.tolist()) == judged
    assert set(small(world, passages=40, depth=0).passages.tolist()) == set(range(40))
    more = set(small(world, depth=0).passages.tolist())
    assert judged < more and len(more) <= len(judged) + 7


def test_it_measures_what_plain_vectors_say(world, trained, bert):
    model, store = read_retriever(bert.parent), TokenStore(world.tokens)
    made = small(world)
    value = made.measure(model, store.special, store.special, tokens=50)[MEASURE]
    assert model.training
    model.eval()

    def vectors(texts):
        rows = [torch.from_numpy(row[row != 0][None]) for row in assemble(texts, store.special)]
        return torch.cat([model.passages(row, torch.ones_like(row)) for row in rows]).detach()

    queries, passages = store.queries("train", 12)[made.rows], store.passages(24)[made.passages]
    scores = (vectors(queries) @ vectors(passages).T).tolist()
    relevant = {(at, int(np.flatnonzero(made.passages == 2 * query)[0])) for at, query in enumerate(made.rows.tolist())}
    assert value == pytest.approx(slow(scores, relevant), abs=1e-6)


def test_queries_that_are_measured_are_not_trained_on(world, trained, bert, monkeypatch):
    seen = []
    stream = ranking.RetrieverBatches
    monkeypatch.setattr(ranking, "RetrieverBatches", lambda *args: seen.append(args) or stream(*args))
    wanted = {"split": "train", "queries": 6, "depth": 4, "passages": 7, "measurements": 1, "keep": "last"}
    trained("retriever", "held-out", bert, development=wanted | {"patience": None}, files={"development": [world.run]})
    chosen = seen[0][4]
    held_out = development_queries(Dataset(world.dataset), options())
    assert sorted([*chosen.tolist(), *held_out.tolist()]) == list(range(20))
