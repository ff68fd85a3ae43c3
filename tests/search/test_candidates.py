"""Responses ranked among candidates, from a study to its figures, as a loop and the library have them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data import tiny
from dewpoint.data.dataset import Dataset
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.errors import UserError
from dewpoint.models.backbone import load_encoder
from dewpoint.models.encoder import Encoder, Retriever
from dewpoint.models.folder import query_folder, write_retriever
from dewpoint.program import namespace
from dewpoint.sources import convai2
from dewpoint.study.grammar import Config
from dewpoint.study.graph import QUERIES, Graph
from dewpoint.study.load import load_study
from models.families import make
from programs import call, downloads, prepare

LENGTH, MOST = 12, 64  # of a context and of a response, in tokens
STUDY = """\
datasets:
  chat: {source: convai2}
models:
  chats:
    recipe: released
    from: hub:some/model
    query_from: hub:other/model
    query_length: 12
    query_cut: left
    passage_length: 64
rankers:
  candidates: {kind: given, list: candidates}
  chosen: {kind: rerank, of: candidates, by: chats, depth: 20}
tables:
  t: {rankers: [chosen], on: chat/dev, metrics: [R@1, MRR]}
"""


def graph_of(folder: Path, *changes: tuple[str, str]) -> Graph:
    text = STUDY
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "study.yaml").write_text(text)
    return Graph(Config(precision="float32"), load_study(folder / "study.yaml"))


def retriever(folder: Path, graph: Graph) -> Path:
    """Two tiny encoders in a folder."""
    starts = [make("bert", folder / side) for side in ("passages", "queries")]
    words = tuple(map(load_tokenizer, starts))
    texts = namespace(json.dumps(graph.study.models["chats"].settings("texts")))
    made = Artifact(folder / "chats" / "manifest.json")
    torch.manual_seed(3)
    model = Retriever(*(Encoder(load_encoder(start)) for start in starts))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    write_retriever(made.path("."), model, words, texts, "card")
    made.seal()
    return made.manifest


def vectors(folder: Path, texts: list[str], kept: slice) -> np.ndarray:
    """One by one, of these tokens of each."""
    words, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    made = []
    for text in texts:
        ids = words(text, add_special_tokens=False)["input_ids"]
        ids = [words.cls_token_id, *ids[kept], words.sep_token_id]
        with torch.no_grad():
            made.append(model(torch.tensor([ids])).last_hidden_state[0, 0].numpy())
    return np.stack(made)


def test_figures_of_a_table(tmp_path):
    graph = graph_of(tmp_path)
    convai2.rehearse(tmp_path / "files", tiny.Words(1))
    data = prepare(tmp_path, {"source": "convai2"}, files=[downloads(tmp_path / "files")])
    model, tokens = retriever(tmp_path, graph), []
    for side, folder in (("passages", model.parent), ("queries", query_folder(model.parent))):
        tokenizer = call("tokenizer", tmp_path / f"words-{side}/manifest.json", {"source": str(folder)})
        store = tmp_path / f"tokens-{side}/manifest.json"
        tokens.append(call("tokenize_texts", store, {}, dataset=data, tokenizer=tokenizer))

    def settings(ranker: str) -> dict:
        return json.loads(graph.rank_settings(ranker, "dev"))

    given = call("rankers.given rank", tmp_path / "given.json", settings("candidates"), dataset=data)
    reads = {"dataset": data, "run": given, "models": model, "tokens": tokens[0], "query_tokens": tokens[1]}
    run = call("rankers.rerank rank", tmp_path / "chosen.json", settings("chosen"), **reads)
    asked = json.loads(graph.evaluate_settings("chosen", "chat", "dev"))
    score = call("evaluate", tmp_path / "score.json", asked, dataset=data, run=run)

    dataset = Dataset(data)
    contexts, texts = (dataset.column(*of).to_pylist() for of in (("queries.dev", "text"), ("corpus", "text")))
    asked = vectors(query_folder(model.parent), contexts, slice(2 - LENGTH, None))
    shown = vectors(model.parent, texts, slice(MOST - 2))
    ranks, (query, passage) = [], dataset.listed("candidates", "dev")
    for row, right in enumerate(dataset.paired("dev").tolist()):
        scores = {at: float(asked[row] @ shown[at]) for at in passage[query == row].tolist()}
        ranks.append(1 + sum(other > scores[right] for other in scores.values()))
    figures = read_manifest(score)["facts"]
    assert figures["metrics"]["R@1"] == pytest.approx(np.mean([rank == 1 for rank in ranks]), abs=1e-6)
    assert figures["metrics"]["MRR"] == pytest.approx(np.mean([1 / rank for rank in ranks]), abs=1e-6)
    assert figures["queries"] == tiny.DEV and 1 < max(ranks) <= 20
    assert sum(len(text.split()) > LENGTH for text in contexts) > tiny.DEV / 2


def test_it_is_made_from_the_list_the_model_and_both_its_tokens(tmp_path):
    graph = graph_of(tmp_path)
    assert graph.rank_inputs("chosen", "chat", "dev") == {
        "dataset": [graph.dataset("chat")],
        "run": [graph.run("candidates", "chat", "dev")],
        "models": [graph.model("chats")],
        "tokens": [graph.tokens("chats", "chat")],
        "query_tokens": [graph.tokens("chats", "chat", QUERIES)],
    }
    asked = json.loads(graph.rank_settings("chosen", "dev"))
    assert (asked["top"], asked["depth"], asked["texts"][0]["query_cut"]) == (20, 20, "left")
    assert graph.study.rankers["chats"].tag() == "dense"  # which searches all responses


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("list: candidates", "list: candidate", "rankers.candidates.list: no list 'candidate'; did you mean 'cand"),
        ("chat/dev", "chat/test", "tables.t.on: no judged split 'test'"),
        (
            "query_cut: left",
            "query_cut: front",
            "models.chats.query_cut: Input should be 'right' or 'left', found 'front'",
        ),
        ("source: convai2", "source: convai2, persona: none", "datasets.chat.persona: "),
        ("depth: 20", "depth: 2000", "rankers.chosen.depth: 2000, but ranker 'candidates' keeps 1000"),
    ],
)
def test_mistakes_are_a_line(tmp_path, old, new, message):
    with pytest.raises(UserError) as error:
        graph_of(tmp_path, (old, new))
    assert str(error.value).startswith(f"{tmp_path}/study.yaml: {message}") and "\n" not in str(error.value)


def test_training_contexts_of_ubuntu_have_no_candidates(tmp_path):
    changes = [("convai2", "ubuntu"), ("chat/dev", "chat/train")]
    with pytest.raises(UserError, match="dataset 'chat' has no list 'candidates' of train queries"):
        graph_of(tmp_path, *changes)


def test_a_t5_loses_the_end_of_a_query(tmp_path):
    changes = ("  chats:", "  t5: {recipe: seq2seq, from: hub:a/t5, query_cut: left}\n  chats:")
    with pytest.raises(UserError, match=r"models.t5.query_cut: .*'right'"):
        graph_of(tmp_path, changes)
