"""Late interaction with typed questions finds what its run has; its time is measured part by part."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from dewpoint.artifact import Artifact, member, read_manifest
from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import read_run
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import write_tokens
from dewpoint.errors import UserError
from dewpoint.models.backbone import load_encoder
from dewpoint.models.encoder import Encoder, Retriever
from dewpoint.models.folder import write_retriever
from dewpoint.program import namespace
from dewpoint.rankers import late_interaction
from dewpoint.rankers.late_interaction import LateInteraction
from dewpoint.recipes.colbert import ColBERT
from dewpoint.search import late_live
from models.families import TEXTS, make
from programs import call
from search.test_bm25 import corpus
from search.test_expansions import passages
from stored import store_several

READ = {"query_length": 10, "query_prefix": "dew:", "passage_length": 24, "passage_prefix": "", "title": "none"}
ALL = {"index": "flat"}
SOME = {"index": {"name": "ivf", "nlist": 4, "nprobe": 3}, "candidates": 9}  # of some 400 vectors


@pytest.fixture(scope="module", params=[(1, True), (2, False)], ids=["one, filled up", "two, cut from the left"])
def world(tmp_path_factory, request) -> SimpleNamespace:
    """A dataset, a late interaction with encoders of one family or two, its tokens, and all vectors in float32."""
    root, (encoders, filled) = tmp_path_factory.mktemp("late"), request.param
    cut = "right" if filled else "left"
    data = corpus(root / "data", [f"{text} {TEXTS[row % 3]}" for row, text in enumerate(passages(40))])
    starts = [make(family, root / family) for family in ("bert", "distilbert")[:encoders]]
    words, tokens = [load_tokenizer(start) for start in starts], []
    for start in starts:
        store = Artifact(root / f"{start.name}-tokens" / "manifest.json")
        write_tokens(Dataset(data), load_tokenizer(start), store)
        store.seal()
        tokens.append(store.manifest)
    made = Artifact(root / "model" / "manifest.json", {"recipe": "colbert"})
    model = Retriever(*(Encoder(load_encoder(start)) for start in starts))
    model.set_output("tokens", True, SimpleNamespace(size=6, norm=False))
    settings = SimpleNamespace(**READ, augmented=filled)
    write_retriever(made.path("."), model, (words[0], words[-1]), settings, "card")
    made.facts["retrieves"] = True
    made.seal()
    vectors = {}
    for part, side, store in (("corpus", "passage", tokens[0]), ("queries.test", "query", tokens[-1])):
        how = {"length": READ[f"{side}_length"], "prefix": READ[f"{side}_prefix"], "title": "none", "part": part}
        how |= {"augmented": filled, "query_cut": cut} if side == "query" else {}
        how |= {"shard": 0, "shards": 1, "precision": "float32", "vectors": "float32"}
        vectors[part] = call("encode", root / "vectors" / f"{part}.json", how, tokens=store, model=made.manifest)
    return SimpleNamespace(data=data, tokens=tokens, model=made.manifest, vectors=vectors, filled=filled, cut=cut)


def ranker(world, folder, wanted: dict) -> tuple[dict, dict, list]:
    """(the settings of its run, what answers questions is told, what both read) of all vectors or by an index."""
    made = LateInteraction(kind="late-interaction", model="m", depth=7, **wanted)
    read = {"augmented": world.filled, "query_cut": world.cut} | READ
    node = ColBERT.model_validate({"recipe": "colbert", "from": "scratch", "data": "d"} | read)
    config = SimpleNamespace(seed=1, threads=1, precision="float32")
    graph = SimpleNamespace(study=SimpleNamespace(models={"m": node}), config=config)
    files = {"corpus": [world.vectors["corpus"]]}
    if made.approximate:
        output = folder / "index" / "manifest.json"
        files["index"] = call("rankers.late_interaction index", output, made.index_settings(config), **files)
    return made.rank_settings(graph, "test"), made.latency_settings(graph, "test"), files


def asked(world) -> list[str]:
    return Dataset(world.data).column("queries.test", "text").to_pylist()


@pytest.mark.parametrize("size", [1, 2**29])
@pytest.mark.parametrize("wanted", [ALL, SOME], ids=["all", "by an index"])
def test_typed_questions_get_the_runs_passages(world, tmp_path, monkeypatch, wanted, size):
    """One at a time or all at once."""
    monkeypatch.setattr(late_live, "BLOCK", size)
    settings, how, files = ranker(world, tmp_path, wanted)
    function = "probe" if "index" in files else "rank"
    queries = world.vectors["queries.test"]
    manifest = call(f"rankers.late_interaction {function}", tmp_path / "run.json", settings, queries=queries, **files)
    run = read_run(manifest)
    ask = late_interaction.live(
        namespace(json.dumps(how)), world.model, world.tokens[-1], files["corpus"], files.get("index")
    )
    found, took = ask(asked(world), 7)
    assert {*took} == {"encode", "search"} | ({"score"} if "index" in files else set())
    assert found.query.tolist() == run.query.tolist() and found.passage.tolist() == run.passage.tolist()
    np.testing.assert_allclose(found.score, run.score, atol=1e-5)
    for query, question in enumerate(asked(world)):
        alone, _ = ask([question], 3)
        assert alone.passage.tolist() == run.passage[(run.query == query) & (run.rank <= 3)].tolist()


@pytest.mark.parametrize("wanted", [ALL, SOME], ids=["all", "by an index"])
def test_its_time_has_the_rows_of_its_parts(world, tmp_path, wanted):
    _, how, files = ranker(world, tmp_path, wanted)
    timed, output = how | {"batches": {"1": 3, "10": 2}}, tmp_path / "late" / "d.test.json"
    read = {"dataset": world.data, "model": world.model, "tokens": world.tokens[-1]} | files
    call("rankers.late_interaction latency", output, timed, **read)
    rows = pd.read_parquet(member(output))
    assert rows.groupby("batch").size().to_dict() == {1: 3, 10: 2}
    parts = ["encode", "search", *(["score"] if "index" in files else [])]
    assert [*rows] == ["batch", "total", *parts] and (rows[parts] > 0).all(axis=None)
    assert (rows["total"] >= rows[parts].sum(axis=1)).all()
    assert read_manifest(output)["facts"]["milliseconds"]["10"].keys() == {"total", *parts}


def test_a_question_longer_than_the_model_reads_is_refused(world):
    how = SimpleNamespace(query_length=100, query_prefix="", augmented=False)
    with pytest.raises(UserError, match="queries: length 100, but the model has 64"):
        late_live.Questions(world.model, world.tokens[-1], how, "float32", "cpu")


def test_vectors_are_held_as_they_are_stored(tmp_path):
    counts = np.random.default_rng(1).integers(1, 6, 30)
    flat = np.random.default_rng(2).normal(size=(counts.sum(), 4)).astype("f2")
    stored = store_several(tmp_path, "c", flat, counts, [11, 12])
    vectors, offsets = stored.in_memory()
    assert vectors.dtype == np.float16 and (vectors == flat).all()
    assert offsets.tolist() == [0, *np.cumsum(counts)] and stored.total() == counts.sum()
