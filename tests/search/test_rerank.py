"""Re-ranking: scores are the library's own, whatever the batches and blocks; the rest stays in order; it goes on."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sentence_transformers import MultiVectorEncoder, SentenceTransformer
from transformers import AutoModelForSequenceClassification

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.dataset import Dataset, DatasetWriter
from dewpoint.data.pairs import joint
from dewpoint.data.runs import NOTHING, Run, ranked, read_run
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import TokenStore, write_tokens
from dewpoint.errors import UserError
from dewpoint.evaluation.metrics import measure
from dewpoint.models.backbone import load_encoder
from dewpoint.models.crossencoder import CrossEncoder, read_crossencoder, write_crossencoder
from dewpoint.models.encoder import Encoder, Retriever
from dewpoint.models.folder import query_folder, write_retriever
from dewpoint.program import namespace
from dewpoint.rankers.rerank import live, rank
from dewpoint.search import bm25, rerank, scorers
from dewpoint.search.encode import QuestionEncoder
from dewpoint.study.graph import Graph
from models.families import make
from programs import call
from sample_study import load, write
from search.test_bm25 import SETTINGS as POSTINGS
from stored import store_run

QUERIES, PASSAGES, FOUND = 23, 40, 12
WORDS = ["dew", "air", "cold", "warm", "glass", "grass", "vapour", "night", "stone", "leaf", "river", "point", "of"]
SILENT = (0, 7, 22)  # queries for which nothing was found
MODELS = ("bert", "roberta")
TEXTS = {"query_length": 20, "passage_length": 40, "query_prefix": "of:", "passage_prefix": "", "title": "pair"}


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> SimpleNamespace:
    """A dataset, a run over it, and two cross-encoders with tokens of their own."""
    root, random = tmp_path_factory.mktemp("world"), np.random.default_rng(3)

    def sentence(words: int) -> str:
        return " ".join(random.choice(WORDS, words))

    data = Artifact(root / "data" / "manifest.json")
    writer = DatasetWriter(data)
    for row in range(PASSAGES):
        writer.passage("", f"p{row}", sentence(1 + row % 9), sentence(row % 3), f"d{row}")
    for row in range(QUERIES):
        writer.query("", "test", f"q{row}", sentence(1 + row % 5))
        for passage in {row, 3 * row % PASSAGES}:
            writer.judgement("", "test", f"q{row}", f"p{passage}")
    writer.finish()
    data.seal()
    dataset = Dataset(data.manifest)
    asked = np.setdiff1d(np.arange(QUERIES), SILENT)
    query, passage = np.repeat(asked, PASSAGES), np.tile(np.arange(PASSAGES), len(asked))
    found = ranked(query, passage, random.random(len(query)).astype(np.float32), FOUND)
    models, tokens = [], []
    for number, family in enumerate(MODELS):
        start = make(family, root / family / "start")
        words = load_tokenizer(start)
        made = Artifact(root / family / "model" / "manifest.json")
        model = read_crossencoder(start, joint(words), seed=number)
        with torch.no_grad():
            model.linear.weight *= 60
        write_crossencoder(made.path("."), model, words, 60, "card")
        made.seal()
        store = Artifact(root / family / "tokens" / "manifest.json")
        write_tokens(dataset, load_tokenizer(start), store)
        store.seal()
        models.append(made.manifest)
        tokens.append(store.manifest)
    run = store_run(root, "data.test", found)
    return SimpleNamespace(root=root, data=data.manifest, run=run, models=models, tokens=tokens, found=found)


def settings(models: int = 1, **changed) -> dict:
    whole = {"depth": FOUND, "top": FOUND, "judged": False, "split": "test", "precision": "float32"}
    return whole | {"texts": [TEXTS] * models} | changed


def made(world, folder: Path, models: int = 1, run: Path | None = None, **changed) -> Path:
    values = settings(models, **changed)
    manifest, inputs = folder / "data.test.json", [world.data, run or world.run]
    artifact = Artifact(manifest, values, "code", inputs)
    try:
        rank(artifact, namespace(json.dumps(values)), *inputs, world.models[:models], world.tokens[:models], [])
        artifact.seal()
    finally:
        artifact.discard()
    return manifest


def plain(world, model: Path) -> np.ndarray:
    """Scores [queries, passages], pair by pair as the library reads and scores them."""
    whole, words = AutoModelForSequenceClassification.from_pretrained(model.parent).eval(), load_tokenizer(model.parent)
    data, scores = Dataset(world.data), np.zeros((QUERIES, PASSAGES), np.float32)
    questions = data.column("queries.test", "text").to_pylist()
    titles, texts = (data.column("corpus", name).to_pylist() for name in ("title", "text"))
    shown = [f"{title}{words.sep_token}{text}" if title else text for title, text in zip(titles, texts, strict=True)]
    for query, question in enumerate(questions):
        given = words([f"of:{question}"] * PASSAGES, shown, padding=True, return_tensors="pt")
        with torch.no_grad():
            scores[query] = whole(**given).logits[:, 0]
    return scores


@pytest.fixture(scope="module")
def exact(world) -> list[np.ndarray]:
    return [plain(world, model) for model in world.models]


def pairs(run: Run) -> list[tuple[int, int]]:
    return list(zip(run.query.tolist(), run.passage.tolist(), strict=True))


def assert_near(run: Run, other: Run) -> None:
    """The same pairs; scores that are as good as equal may have them in another order."""
    mine, theirs = (dict(zip(pairs(one), one.score.tolist(), strict=True)) for one in (run, other))
    assert mine.keys() == theirs.keys()
    assert [mine[pair] for pair in mine] == pytest.approx([theirs[pair] for pair in mine], abs=1e-5)


# --- scores -------------------------------------------------------------------------------------


@pytest.mark.parametrize("models", [1, 2], ids=["one", "mean of two"])
def test_scores_are_the_librarys(world, exact, tmp_path, models):
    got = read_run(made(world, tmp_path, models))
    scores = np.mean(exact[:models], axis=0)[world.found.query, world.found.passage]
    expected = ranked(world.found.query, world.found.passage, scores.astype(np.float32), FOUND)
    assert np.ptp(expected.score) > 0.3
    assert_near(got, expected)
    assert all(np.diff(got.score)[np.diff(got.query) == 0] <= 0)


@pytest.mark.parametrize(("tokens", "block"), [(40, 12), (100, 30), (10**6, 10**6)])
def test_neither_batches_nor_blocks_matter(world, tmp_path, monkeypatch, tokens, block):
    straight = read_run(made(world, tmp_path / "straight", 2, judged=True))
    monkeypatch.setattr(scorers, "BATCH_TOKENS", {"cpu": tokens})
    monkeypatch.setattr(rerank, "PAIRS", block)
    assert_near(read_run(made(world, tmp_path / "cut", 2, judged=True)), straight)


def test_long_texts_are_cut_each_for_itself(world, tmp_path):
    """A pair has room for both: the query's beginning, and the passage's."""
    short = TEXTS | {"query_length": 5, "passage_length": 8, "query_prefix": ""}
    got = read_run(made(world, tmp_path, texts=[short]))
    words, data = load_tokenizer(world.models[0].parent), Dataset(world.data)
    model = read_crossencoder(world.models[0].parent, joint(words)).eval()
    questions, texts = data.column("queries.test", "text").to_pylist(), data.column("corpus", "text").to_pylist()
    titles, seen = data.column("corpus", "title").to_pylist(), 0
    for (query, passage), score in zip(pairs(got), got.score.tolist(), strict=True):
        if titles[passage]:
            continue
        one = words(questions[query], truncation=True, max_length=5)["input_ids"]
        other = words(texts[passage], truncation=True, max_length=8)["input_ids"][1:]
        ids = torch.tensor([one + other])
        with torch.no_grad():
            expected = model(ids, torch.ones_like(ids), torch.tensor([len(one)])).item()
        assert score == pytest.approx(expected, abs=1e-5)
        seen += len(ids[0]) == 12
    assert seen > 5


def test_a_score_that_is_no_number_is_said(world, tmp_path, monkeypatch):
    forward = CrossEncoder.forward
    monkeypatch.setattr(CrossEncoder, "forward", lambda *given: forward(*given) * torch.nan)
    with pytest.raises(UserError, match="has no finite score for query 1; is a model of `by` diverged"):
        made(world, tmp_path)


# --- what is ranked -----------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [FOUND, 9])
def test_what_is_below_the_top_follows_in_its_order(world, exact, tmp_path, depth):
    got = read_run(made(world, tmp_path, top=5, depth=depth))
    for query in np.unique(world.found.query):
        before = world.found.passage[world.found.query == query]
        mine, score = got.passage[got.query == query], got.score[got.query == query]
        assert mine[:5].tolist() == sorted(before[:5].tolist(), key=lambda passage: -exact[0][query, passage])
        assert mine[5:].tolist() == before[5:depth].tolist()
        assert (np.diff(score) < 0).all()


def test_a_rerank_of_a_rerank_keeps_what_is_below(world, tmp_path):
    first = made(world, tmp_path / "first", top=9)
    second = read_run(made(world, tmp_path / "second", run=first, top=4))
    before, after = (
        {query: run.passage[run.query == query].tolist() for query in set(run.query.tolist())}
        for run in (read_run(first), second)
    )
    assert before.keys() == after.keys()
    for query in before:
        assert before[query] == after[query]  # the same model: the same order


def test_more_may_be_scored_than_are_kept(world, tmp_path):
    all_of_them, few = (read_run(made(world, tmp_path / str(depth), top=FOUND, depth=depth)) for depth in (FOUND, 3))
    best = all_of_them.rank <= 3
    assert pairs(few) == [pair for pair, kept in zip(pairs(all_of_them), best, strict=True) if kept]


def test_positives_are_scored_and_stay_whatever_was_found(world, exact, tmp_path):
    """Also of queries for which nothing was found, and below the depth; what else is kept is as ever."""
    plain, taught = (read_run(made(world, tmp_path / str(judged), depth=3, judged=judged)) for judged in (False, True))
    positives = set(zip(*(rows.tolist() for rows in Dataset(world.data).positives("test")), strict=True))
    assert len(set(plain.query.tolist())) == QUERIES - len(SILENT) and set(taught.query.tolist()) == {*range(QUERIES)}
    assert positives <= set(pairs(taught)) and not positives <= set(pairs(plain))
    for pair, score in zip(pairs(taught), taught.score.tolist(), strict=True):
        assert score == pytest.approx(exact[0][pair], abs=1e-5)
    assert {*pairs(taught)} - positives == {*pairs(plain)} - positives


def test_a_run_without_anything(world, tmp_path):
    nothing = store_run(tmp_path, "nothing", NOTHING)
    assert len(read_run(made(world, tmp_path, run=nothing)).query) == 0


# --- a retriever's vectors ----------------------------------------------------------------------


@pytest.fixture(scope="module", params=[False, True], ids=["one encoder", "two"])
def starts(world, request) -> list[Path]:
    """One tiny model, or two of different tokenizers."""
    families = ["bert", "distilbert"] if request.param else ["bert"]
    return [make(family, world.root / f"retrievers-{len(families)}" / family) for family in families]


@pytest.fixture(scope="module")
def stores(world, starts) -> list[Path]:
    """The dataset's tokens for each."""
    made = []
    for start in starts:
        store = Artifact(start.parent / f"{start.name}-tokens" / "manifest.json")
        write_tokens(Dataset(world.data), load_tokenizer(start), store)
        store.seal()
        made.append(store.manifest)
    return made


def shown(world, sep: str) -> list[str]:
    """Passages as a retriever reads them."""
    titles, texts = (Dataset(world.data).column("corpus", name).to_pylist() for name in ("title", "text"))
    return [f"{title}{sep}{text}" if title else text for title, text in zip(titles, texts, strict=True)]


def retriever(starts, stores, name: str, texts: dict, **output) -> tuple[Path, list[str]]:
    """(manifest of a model, its tokenizers)."""
    words = [load_tokenizer(start) for start in starts]
    made = Artifact(starts[0].parent / name / "manifest.json")
    model = Retriever(*(Encoder(load_encoder(start)) for start in starts))
    model.set_output(**output)
    write_retriever(made.path("."), model, (words[0], words[-1]), SimpleNamespace(**texts), "card")
    made.seal()
    return made.manifest, words


@pytest.fixture(scope="module")
def late(world, starts, stores) -> SimpleNamespace:
    """A late interaction with its token stores, and its scores as the library has them."""
    texts = TEXTS | {"augmented": True}
    how = {"pooling": "tokens", "normalize": True, "wanted": SimpleNamespace(size=6, norm=False)}
    made, words = retriever(starts, stores, "late", texts, **how)
    theirs = MultiVectorEncoder(str(made.parent), device="cpu")
    asked = theirs.encode_query(Dataset(world.data).column("queries.test", "text").to_pylist())
    exact = theirs.similarity(asked, theirs.encode_document(shown(world, words[0].sep_token))).numpy()
    return SimpleNamespace(model=made, tokens=stores, exact=exact, texts=texts)


@pytest.fixture(scope="module")
def dense(world, starts, stores) -> SimpleNamespace:
    """A retriever of one vector a text, and the inner products of the library's vectors."""
    how = {"pooling": "mean", "normalize": None, "wanted": SimpleNamespace(size=6, norm=True)}
    made, words = retriever(starts, stores, "dense", TEXTS, **how)
    theirs = SentenceTransformer(str(made.parent), device="cpu")
    asked = theirs.encode_query(Dataset(world.data).column("queries.test", "text").to_pylist())
    exact = asked @ theirs.encode_document(shown(world, words[0].sep_token)).T
    return SimpleNamespace(model=made, tokens=stores, exact=exact, texts=TEXTS)


def by(world, model: SimpleNamespace, folder: Path, run: Path | None = None, **changed) -> Run:
    """A run in the order of a retriever's scores."""
    values = settings(**changed) | {"texts": [model.texts]}
    artifact = Artifact(folder / "data.test.json", values, "code", [])
    tokens = [model.tokens[:1], model.tokens[1:]]
    rank(artifact, namespace(json.dumps(values)), world.data, run or world.run, [model.model], *tokens)
    artifact.seal()
    return read_run(artifact.manifest)


@pytest.mark.parametrize("products", [1, 4096])
@pytest.mark.parametrize("pairs_of_block", [FOUND, 8192])
def test_a_retrievers_scores_are_inner_products(world, dense, tmp_path, monkeypatch, products, pairs_of_block):
    monkeypatch.setattr(scorers, "PAIRS", products)
    monkeypatch.setattr(rerank, "PAIRS", pairs_of_block)
    scores = dense.exact[world.found.query, world.found.passage]
    expected = ranked(world.found.query, world.found.passage, scores.astype(np.float32), FOUND)
    assert_near(by(world, dense, tmp_path), expected)
    assert np.ptp(scores) > 0.1


def test_a_retriever_puts_in_order_what_came_with_the_queries(world, dense, tmp_path):
    """Lists of a dataset, whose own order says nothing: R@1 and MRR are those of a loop over them."""
    random, judged = np.random.default_rng(5), Dataset(world.data)
    right = dict(zip(*(rows.tolist() for rows in judged.positives("test")), strict=True))
    lists = {query: [right[query], *random.choice(PASSAGES, 6, replace=False).tolist()] for query in range(QUERIES)}
    lists = {query: random.permutation(list(dict.fromkeys(rows))).tolist() for query, rows in lists.items()}
    query = np.repeat(np.arange(QUERIES), [len(rows) for rows in lists.values()])
    passage = np.concatenate(list(lists.values()))
    given = Run(query, passage, -Run(query, passage, np.zeros(0)).rank.astype(np.float32))
    got = by(world, dense, tmp_path, store_run(tmp_path, "given", given), depth=20, top=20)
    assert sorted(pairs(got)) == sorted(pairs(given))
    measured = measure(got, judged, "test", ["Success@1", "MRR", "MRR@10", "MRR@2"])
    positives = set(zip(*(rows.tolist() for rows in judged.positives("test")), strict=True))
    for row, rows in lists.items():
        order = sorted(rows, key=lambda passage: (-dense.exact[row, passage], passage))
        rank = 1 + next(at for at, passage in enumerate(order) if (row, passage) in positives)
        expected = [float(rank == 1), 1 / rank, 1 / rank, 1 / rank * (rank <= 2)]
        assert measured.loc[row].tolist() == pytest.approx(expected)


def test_a_retriever_of_an_empty_run(world, dense, tmp_path):
    assert len(by(world, dense, tmp_path, store_run(tmp_path, "nothing", NOTHING)).query) == 0


def test_queries_are_read_from_their_end_where_the_model_says_so(world, dense, tmp_path):
    """Those that are not cut have the same scores; others those of their last tokens."""
    texts = [TEXTS | {"query_length": 5, "query_prefix": "", **cut} for cut in ({}, {"query_cut": "left"})]
    right, left = (
        by(world, SimpleNamespace(**vars(dense) | {"texts": one}), tmp_path / str(at)) for at, one in enumerate(texts)
    )
    right, left = (dict(zip(pairs(run), run.score.tolist(), strict=True)) for run in (right, left))
    store = TokenStore(dense.tokens[-1])
    words, lengths = load_tokenizer(query_folder(dense.model.parent)), store.column("queries.test").lengths
    differ = {query for query, passage in right if abs(right[query, passage] - left[query, passage]) > 1e-5}
    assert differ and differ <= set(np.flatnonzero(lengths > 3).tolist())
    questions = Dataset(world.data).column("queries.test", "text").to_pylist()
    theirs = SentenceTransformer(str(dense.model.parent), device="cpu")
    passages = theirs.encode_document(shown(world, words.sep_token))
    ask = QuestionEncoder(dense.model.parent, 5, cut="left")
    for (query, passage), score in left.items():
        assert score == pytest.approx(float(ask([questions[query]])[0] @ passages[passage]), abs=1e-5)


# --- late interaction ---------------------------------------------------------------------------


@pytest.mark.parametrize("held", [1, 2**28])
@pytest.mark.parametrize("pairs_of_block", [FOUND, 8192])
def test_late_interactions_scores_are_the_librarys(world, late, tmp_path, monkeypatch, held, pairs_of_block):
    monkeypatch.setattr(scorers, "HELD", held)
    monkeypatch.setattr(rerank, "PAIRS", pairs_of_block)
    scores = late.exact[world.found.query, world.found.passage]
    got = by(world, late, tmp_path)
    assert_near(got, ranked(world.found.query, world.found.passage, scores.astype(np.float32), FOUND))
    assert np.ptp(scores) > 0.01


def test_vectors_answer_typed_questions(world, late, dense):
    part = Run(np.zeros(5, np.int64), np.arange(5), np.arange(5, 0, -1).astype(np.float32))
    question = Dataset(world.data).column("queries.test", "text")[4].as_py()
    for model in (late, dense):
        how = namespace(json.dumps(settings(top=5) | {"texts": [model.texts]}))
        ask = live(how, [model.model], model.tokens[:1], model.tokens[1:], [(lambda *_: (part, {}), 5)])
        run, _ = ask([question], 5)
        assert run.score == pytest.approx(model.exact[4, run.passage], abs=1e-5)


# --- stopped and gone on with -------------------------------------------------------------------


class Killed(Exception):
    pass


def test_a_job_that_was_killed_goes_on(world, tmp_path, monkeypatch):
    """What is done is not scored again, a block that was damaged is; the file is the same, and nothing else is left."""
    monkeypatch.setattr(rerank, "PAIRS", 4 * FOUND)  # blocks of four queries
    straight = made(world, tmp_path / "straight", judged=True)
    score, scored = scorers.Pairwise.score, []

    def killed_at(block: int | None):
        def counted(self, queries, query, passage):
            if len(scored) == block:
                raise Killed
            scored.append(sorted(set(query.tolist())))
            return score(self, queries, query, passage)

        monkeypatch.setattr(scorers.Pairwise, "score", counted)

    killed_at(3)
    with pytest.raises(Killed):
        made(world, tmp_path / "killed", judged=True)
    kept = sorted((tmp_path / ".unfinished").rglob("*.parquet"))
    assert len(kept) == 3 and not (tmp_path / "killed/data.test.json").exists()
    damaged = bytearray(kept[1].read_bytes())
    damaged[len(damaged) // 2] ^= 1
    kept[1].write_bytes(damaged)
    killed_at(None)
    scored.clear()
    again = made(world, tmp_path / "killed", judged=True)
    assert scored == [[4, 5, 6, 7], [12, 13, 14, 15], [16, 17, 18, 19], [20, 21, 22]]
    assert again.with_suffix(".parquet").read_bytes() == straight.with_suffix(".parquet").read_bytes()
    assert not list((tmp_path / ".unfinished").iterdir())


# --- asked --------------------------------------------------------------------------------------


def test_typed_questions_get_the_runs_passages(world, tmp_path):
    """Those of the dataset's queries, typed by hand."""
    run = read_run(made(world, tmp_path, 2, top=7))
    questions = Dataset(world.data).column("queries.test", "text").to_pylist()
    asked = []

    def part(questions, depth):
        asked.append(depth)
        kept = world.found.rank <= depth
        return Run(*(column[kept] for column in (world.found.query, world.found.passage, world.found.score))), {}

    ask = live(namespace(json.dumps(settings(2, top=7))), world.models, world.tokens, [], [(part, 1000)])
    got, took = ask(questions, 4)
    assert asked == [7] and "score" in took
    best = Run(*(column[run.rank <= 4] for column in (run.query, run.passage, run.score)))
    assert_near(got, best)


# --- in a study ---------------------------------------------------------------------------------

ADDED = [
    ("rankers:\n", "  cat: {recipe: crossencoder, from: co, data: d, negatives: [bm25]}\nrankers:\n"),
    ("  bm25:", "  again: {kind: rerank, of: bm25, by: cat}\n  bm25:"),
    ("hybrid, weighted]", "hybrid, weighted, again]"),
]


def test_it_is_timed_with_what_it_reranks(world, tmp_path):
    """BM25's search, and the scores of two cross-encoders."""
    index = Artifact(tmp_path / "index" / "manifest.json", POSTINGS)
    bm25.build(index, Dataset(world.data), namespace(json.dumps(POSTINGS)))
    index.seal()
    part = {"kind": "bm25", "depth": 9, "settings": {"depth": 9}, "takes": {"index": 1}, "parts": []}
    timed = settings(2, depth=9, top=4) | {"seed": 1, "batches": {"1": 2, "10": 1}, "parts": [part]}
    files = {"dataset": world.data, "models": world.models, "tokens": world.tokens, "parts": [index.manifest]}
    output = call("rankers.rerank latency", tmp_path / "timed" / "data.test.json", timed, **files)
    found = read_manifest(output)["facts"]["milliseconds"]
    assert found.keys() == {"1", "10"} and found["10"].keys() == {"search", "score", "total"}
    assert all(found["10"][part]["mean"] > 0 for part in found["10"])


def test_it_is_made_from_a_run_its_models_and_their_tokens(tmp_path):
    """The model itself is no ranker."""
    study = load(tmp_path, *ADDED)
    assert "cat" not in study.rankers and study.rankers["again"].by == ["cat"]
    graph = Graph(SimpleNamespace(output="o", study="study.yaml", data="data", precision="auto", rehearse=False), study)
    assert graph.rank_inputs("again", "d", "test") == {
        "dataset": ["data/d/manifest.json"],
        "run": ["o/study/runs/bm25/d.test.json"],
        "models": ["o/study/models/cat/manifest.json"],
        "tokens": ["data/d/tokens/d-bert-500/manifest.json"],
        "query_tokens": [],
    }
    asked = json.loads(graph.rank_settings("again", "test"))
    assert asked["top"] == asked["depth"] == 1000 and asked["texts"][0]["passage_length"] == 128
    assert "in_batch" not in study.models["cat"].work_settings(SimpleNamespace(seed=1, precision="auto", threads=1))


MISTAKES = [
    ("by: cat", "by: co", "rankers.again.by: 'co' scores no pairs; name a crossencoder"),
    ("by: cat", "by: [cat, dog]", "rankers.again.by: no model 'dog'"),
    ("by: cat", "by: [cat, cat]", "rankers.again.by: 'cat' is there twice; once is enough"),
    ("by: cat", "by: []", "rankers.again.by: List should have at least 1 item"),
    ("of: bm25, by", "of: again, by", "rankers.again: needs itself"),
    ("by: cat", "by: cat, top: 2000", "rankers.again.top: 2000, but ranker 'bm25' keeps 1000"),
    ("{kind: bm25}", "{kind: bm25, depth: 200}", "rankers.again.depth: 1000, but ranker 'bm25' keeps 200"),
    ("by: cat", "by: cat, judged: true", "tables.t.on: ranker 'again' is shown the positives of d/test itself; leave"),
    ("model: co}", "model: cat}", "rankers.zero.model: 'cat' gives no vectors but scores of pairs; rank with it by"),
    ("crossencoder, from: co", "crossencoder, from: scratch", "models.cat.from: a cross-encoder starts from another"),
    (
        "co, data: d, negatives: [bm25]}\nrank",
        "co, data: d}\nrank",
        "models.cat: a query is scored with its own passag",
    ),
    (
        "bm25]}\nrank",
        "bm25], passage_length: 490}\nrank",
        "models.cat.passage_length: 521 tokens, but the model has 512",
    ),
    (
        "{recipe: crossencoder, from: co, data: d, negatives: [bm25]}",
        "{recipe: released-crossencoder, from: co}",
        "models.cat.from: a released cross-encoder is from hub:ORG/NAME or path:DIR",
    ),
    ("bm25]}\nrank", "bm25], in_batch: false}\nrank", "models.cat.in_batch: unknown key"),
]


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES)
def test_mistakes_are_a_line(tmp_path, old, new, message):
    with pytest.raises(UserError) as error:
        load(tmp_path, *ADDED, (old, new))
    assert str(error.value).startswith(f"{tmp_path}/study.yaml: {message}")


def test_a_teachers_run_may_be_asked_for_by_an_analysis_or_a_model(tmp_path):
    taught = [("by: cat", "by: cat, judged: true"), ("hybrid, weighted, again]", "hybrid, weighted]")]
    assert load(tmp_path, *ADDED, *taught).rankers["again"].judged
    with pytest.raises(UserError, match="is shown the positives of d/test itself"):  # of what a table shows
        load(tmp_path, *ADDED, *taught, ("[second, bm25]", "[second, again]"))


def test_the_file_is_written(tmp_path):
    assert write(tmp_path, *ADDED).read_text().count("rerank") == 1
