"""A small encoder of queries beside a large one of passages: other tokenizers, one space, from training to a run."""

import json

import numpy as np
import pytest

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import read_run
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import write_tokens
from dewpoint.errors import UserError
from dewpoint.models.folder import read_retriever
from dewpoint.models.stand_in import stand_in
from programs import call

HOW = {"prefix": "", "precision": "float32", "vectors": "float32", "shard": 0, "shards": 1}


@pytest.fixture(scope="module")
def small(world):
    """The folder of a tiny RoBERTa, and the files of the world's texts in its tokens."""
    texts = Dataset(world.dataset).column("corpus", "text").to_pylist()
    model = Artifact(world.root / "small" / "manifest.json")
    stand_in("org/roberta", lambda: [texts], 1, model.path("."))
    model.seal()
    tokens = Artifact(world.root / "small-tokens" / "manifest.json")
    write_tokens(Dataset(world.dataset), load_tokenizer(model.folder), tokens)
    tokens.seal()
    return model.folder, {"queries_tokens": tokens.manifest, "queries_tokenizer": model.manifest}


@pytest.fixture(scope="module")
def mixed(trained, bert, small):
    folder, files = small
    changed = {"projection": {"size": 8, "norm": False}, "pooling": "mean", "normalize": True, "epochs": 20}
    changed |= {"loss": {"name": "contrast", "temperature": 0.1}, "learning_rate": 3e-3, "sizes": [8, 4]}
    return trained("retriever", "mixed", bert, query_source=str(folder), files=files, **changed)


def test_both_encoders_learn_in_one_space(mixed):
    model = read_retriever(mixed.parent)
    kinds = [encoder.backbone.config.model_type for encoder in model.encoders]
    widths = [encoder.backbone.config.hidden_size for encoder in model.encoders]
    assert kinds == ["bert", "roberta"] and widths == [16, 32] and model.dimension == 8
    values = [json.loads(line)["contrast"] for line in (mixed.parent / "metrics.jsonl").open()]
    assert np.mean(values[-4:]) < 0.8 * np.mean(values[:4])


@pytest.mark.parametrize("size", [None, 4])
def test_a_run_is_that_of_another_librarys_vectors(mixed, small, world, tmp_path, size):
    """Which finds each side's encoder and tokenizer in the folder, and cuts vectors itself."""
    from sentence_transformers import SentenceTransformer

    asked, shown = {"part": "queries.train", "length": 12}, {"part": "corpus", "length": 24, "title": "pair"}
    files = (small[1]["queries_tokens"], world.tokens)
    queries, corpus = (
        call("encode", tmp_path / f"{how['part']}-0of1.json", HOW | how, tokens=tokens, model=mixed)
        for how, tokens in zip((asked, shown), files, strict=True)
    )
    output = tmp_path / "r" / "data.train.json"
    if size:
        settings = {"index": {"name": "flat"}, "size": size}
        index = call("rankers.dense pack", tmp_path / "i/manifest.json", settings, corpus=[corpus], model=mixed)
        run = read_run(call("rankers.dense scan", output, {"depth": 40}, queries=queries, index=index))
    else:
        run = read_run(call("rankers.dense rank", output, {"depth": 40}, queries=queries, corpus=[corpus]))
    theirs = SentenceTransformer(str(mixed.parent), device="cpu", truncate_dim=size)
    data, how = Dataset(world.dataset), {"normalize_embeddings": True}
    texts = data.column("corpus", "text").to_pylist()
    untitled = [row for row, title in enumerate(data.column("corpus", "title").to_pylist()) if not title]
    query = theirs.encode_query(data.column("queries.train", "text").to_pylist(), **how)
    passage = theirs.encode_document([texts[row] for row in untitled], **how)
    scores = np.zeros((20, 40))
    scores[run.query, run.passage] = run.score
    np.testing.assert_allclose(scores[:, untitled], query @ passage.T, atol=1e-5)
    assert len(untitled) > 10 and read_manifest(mixed)["facts"]["sizes"] == [8, 4]


def test_widths_that_differ_need_a_projection(trained, bert, small):
    folder, files = small
    with pytest.raises(
        UserError, match="vectors of queries have 32 dimensions, of passages 16; a projection gives both"
    ):
        trained("retriever", "unequal", bert, query_source=str(folder), files=files)
