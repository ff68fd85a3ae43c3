"""Released retrievers as their folders say: prompts and pooling; the vectors are those of sentence-transformers."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

from dewpoint.data.own_prompts import FILE, check_prompts, own_prompts
from dewpoint.errors import UserError
from dewpoint.models.folder import read_encoder
from dewpoint.search.encode import QuestionEncoder
from dewpoint.study.grammar import Config
from dewpoint.study.graph import Graph
from models.families import TEXTS, make
from programs import call
from sample_study import load

MODES = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
E5 = {"query": "query: ", "passage": "passage: "}
BGE = {"query": "Represent this sentence for searching relevant passages: "}
QWEN = {"query": "Instruct: Given a web search query, retrieve passages\nQuery:", "document": ""}
ARCTIC = {"query": "query: ", "document": ""}
KINDS = {  # family, pooling, prompts, beyond the files that all have
    "e5": ("bert", "mean_tokens", E5),
    "bge": ("bert", "cls_token", BGE),
    "gte": ("bert", "mean_tokens", None),
    "gte-modernbert": ("modernbert", "cls_token", None),
    "arctic": ("roberta", "cls_token", {"query": "query:"}),
    "qwen": ("qwen", "lasttoken", QWEN),
    "mistral": ("mistral", "lasttoken", {"query": "Instruct: Find it.\nQuery: "}),
}
LENGTH = 60
WORDS = [*TEXTS, *(f"{BGE['query']}what {QWEN['query']}what Query: what query: passage: it" for _ in range(20))]


def released(folder, family, pooling, prompts, older=True, **more):
    """Files as they lie on the hub, with the poolings' names of old or of today."""
    make(family, folder, WORDS)
    if not older:
        words = Transformer(str(folder), max_seq_length=LENGTH)
        mode = {"cls_token": "cls", "mean_tokens": "mean"}.get(pooling, pooling)
        made = [words, Pooling(words.get_embedding_dimension(), mode), Normalize()]
        SentenceTransformer(modules=made, prompts=prompts, device="cpu").save(str(folder))
        return folder
    kinds = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
    listed = [
        {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for at, (kind, path) in enumerate(kinds)
    ]
    poolings = {f"pooling_mode_{mode}": mode == pooling for mode in MODES}
    files = {"modules.json": listed, "sentence_bert_config.json": {"max_seq_length": LENGTH, "do_lower_case": False}}
    files["1_Pooling/config.json"] = {"word_embedding_dimension": 16} | poolings | {"include_prompt": True} | more
    files[FILE] = {"__version__": {"transformers": "4"}} | ({"prompts": prompts} if prompts else {})
    for name, value in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(value))
    return folder


def settings(folder, **changed):
    made = {"recipe": "released", "source": str(folder), "query_source": None, "pooling": None, "normalize": None}
    made |= {
        "query_length": LENGTH,
        "passage_length": LENGTH,
        "query_prefix": "",
        "passage_prefix": "",
        "title": "pair",
    }
    return made | changed


def taken(folder, made, **changed):
    """By `released`, with these prefixes: the model's folder."""
    words = call("tokenizer", made / "words" / "manifest.json", {"source": str(folder)})
    given = {"tokenizer": words, "query_tokenizer": words}
    return call("recipes.released work", made / "model" / "manifest.json", settings(folder, **changed), **given).parent


@pytest.mark.parametrize("older", [True, False], ids=["older files", "files of today"])
@pytest.mark.parametrize("kind", KINDS)
def test_vectors_are_the_originals(tmp_path, kind, older):
    """Of queries and of passages, each with its prompt; in the folder that is written as well."""
    family, pooling, prompts = KINDS[kind]
    folder, prompts = released(tmp_path / kind, family, pooling, prompts, older), prompts or {}
    prefixes = {"query": prompts.get("query", ""), "passage": prompts.get("passage") or prompts.get("document", "")}
    named = {f"{side}_prefix": prefix for side, prefix in prefixes.items()}
    made = taken(folder, tmp_path, **named)
    encoder = read_encoder(made)
    assert encoder.normalize and encoder.pooling in pooling
    original, ours = (SentenceTransformer(str(one), device="cpu") for one in (folder, made))
    for side, encode in (("query", ours.encode_query), ("passage", ours.encode_document)):
        expected = original.encode(TEXTS, prompt=prefixes[side] or None)
        np.testing.assert_allclose(encode(TEXTS), expected, atol=1e-5)
        np.testing.assert_allclose(QuestionEncoder(made, LENGTH, prefixes[side])(TEXTS), expected, atol=1e-5)
    if prompts:
        bare = original.encode(TEXTS, prompt="")
        assert np.abs(bare - original.encode(TEXTS, prompt=prompts["query"])).max() > 1e-3


# --- prompts that a study leaves out ------------------------------------------------------------

SAY = {
    "both": (E5, {}, 'write query_prefix: "query: ", passage_prefix: "passage: ", or prompts: ignored'),
    "one": (E5, {"query_prefix": "query: "}, 'write passage_prefix: "passage: ", or prompts: ignored'),
    "a line's end": (QWEN, {}, 'passages\\nQuery:", or prompts: ignored'),
}


@pytest.mark.parametrize("name", SAY)
def test_a_prompt_that_is_not_said_is_refused(tmp_path, name):
    prompts, said, message = SAY[name]
    folder = released(tmp_path / "it", "bert", "mean_tokens", prompts)
    with pytest.raises(UserError) as refused:
        check_prompts(SimpleNamespace(**settings(folder, **said)))
    line = str(refused.value)
    assert line.startswith(f"{folder}: texts begin with prompts there; ") and line.endswith(message)
    assert "\n" not in line
    check_prompts(SimpleNamespace(**settings(folder, **said, prompts="ignored")))


def test_neither_released_nor_trained_on_without_it(tmp_path):
    """Nor as the encoder of queries alone, of which the query's prompt is asked."""
    from dewpoint.training.ranking import start

    folder = released(tmp_path / "it", "bert", "mean_tokens", E5)
    words = call("tokenizer", tmp_path / "words" / "manifest.json", {"source": str(folder)})
    given = {"tokenizer": words, "query_tokenizer": words}
    with pytest.raises(SystemExit) as refused:
        call("recipes.released work", tmp_path / "model" / "manifest.json", settings(folder), **given)
    assert 'query_prefix: "query: ", passage_prefix: "passage: "' in str(refused.value)
    wanted = {"projection": None, "seed": 1}
    other = make("bert", tmp_path / "other", WORDS)
    for sources, said in (((folder, None), E5), ((other, folder), {"query": "query: "})):
        values = settings(sources[0], query_source=sources[1] and str(sources[1]), **wanted)
        with pytest.raises(UserError, match="texts begin with prompts there") as refused:
            start(SimpleNamespace(**values), None, None)
        assert [f"{side}_prefix" in str(refused.value) for side in ("query", "passage")] == [True, "passage" in said]
        values |= {f"{side}_prefix": prompt for side, prompt in said.items()}
        assert start(SimpleNamespace(**values), None, None).passages.backbone


def test_other_prompts_are_warned_of(tmp_path, caplog):
    folder = released(tmp_path / "it", "bert", "mean_tokens", E5)
    check_prompts(SimpleNamespace(**settings(folder, query_prefix="query: ", passage_prefix="passage: ")))
    assert not caplog.records
    check_prompts(SimpleNamespace(**settings(folder, query_prefix="query:", passage_prefix="passage: ")))
    assert caplog.messages == [f"warning: {folder} begins a query with 'query: ', this study does not"]
    caplog.clear()
    (folder / FILE).write_text(json.dumps({"prompts": {"web_search_query": "Instruct: x\nQuery: ", "sts": "y"}}))
    check_prompts(SimpleNamespace(**settings(folder)))
    assert caplog.messages[0].endswith("say query_prefix if one fits: ['web_search_query', 'sts']")


@pytest.mark.parametrize(
    ("config", "query", "passage"),
    [
        ({}, "", ""),
        ({"prompts": None}, "", ""),
        ({"prompts": {"query": "q", "corpus": "c", "passage": "p"}}, "q", "p"),
        ({"prompts": {"query": "q", "document": "", "passage": "p"}}, "q", ""),
        ({"prompts": {"query": None, "document": None}}, "", ""),
        ({"prompts": {"search": "s", "query": "q"}, "default_prompt_name": "search"}, "q", "s"),
        ({"prompts": {"query": "q"}, "default_prompt_name": "query"}, "q", ""),
        ({"prompts": {"passage": "p"}, "default_prompt_name": "passage"}, "", "p"),
    ],
)
def test_which_prompt_is_whose(tmp_path, config, query, passage):
    (tmp_path / FILE).write_text(json.dumps(config))
    assert own_prompts(tmp_path)[:2] == (query, passage)


@pytest.mark.parametrize("content", ["[]", '{"prompts": ["query: "]}', '{"prompts": {"query": 3}}'])
def test_prompts_that_are_none_are_damaged(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    with pytest.raises(UserError, match=f"{FILE}: damaged, its prompts are no texts by name"):
        own_prompts(tmp_path)


def test_vectors_without_the_prompts_tokens_are_refused(tmp_path):
    """As Instructor has them."""
    folder = released(tmp_path / "it", "bert", "mean_tokens", E5, include_prompt=False)
    with pytest.raises(UserError, match=r"^.*/it: its pooling leaves the prompt's tokens out; only vectors of whole"):
        read_encoder(folder)


# --- when a study is read -----------------------------------------------------------------------

ENTRY = "  first: {recipe: retriever, from: co"


def study(tmp_path, *entries):
    return load(tmp_path, (ENTRY, "".join(f"  {entry}\n" for entry in entries) + ENTRY))


def test_a_study_says_the_prompts_of_folders_and_of_what_descends_from_them(tmp_path):
    folder = released(tmp_path / "it", "bert", "mean_tokens", E5)
    said = "query_prefix: 'query: ', passage_prefix: 'passage: '"
    entry, own = f"{{recipe: released, from: 'path:{folder}', {said}}}", "recipe: retriever, from: e5, data: d"
    with pytest.raises(
        UserError, match=r'models.e5.from: texts begin with prompts there; write query_prefix: "query: "'
    ):
        study(tmp_path, f"e5: {entry.replace(said, '')}")
    with pytest.raises(
        UserError, match=r'models.own.from: .*; write query_prefix: "query: ", passage_prefix: "passage'
    ):
        study(tmp_path, f"e5: {entry}", f"own: {{{own}}}")
    with pytest.raises(UserError, match=r'models.own.query_from: .*; write query_prefix: "query: ", or prompts'):
        study(tmp_path, f"e5: {entry}", f"own: {{{own.replace('e5', 'co')}, query_from: e5}}")
    with pytest.raises(UserError, match=r"models.more.from: "):
        study(tmp_path, f"e5: {entry}", f"own: {{{own}, {said}}}", f"more: {{{own.replace('e5', 'own')}}}")
    ignoring = study(tmp_path, f"e5: {entry}", f"own: {{{own}, prompts: ignored}}", f"all: {{{own}, {said}}}")
    graph = Graph(Config(study="s.yaml"), ignoring)
    made = {name: json.loads(graph.model_settings(name)) for name in ("e5", "own", "all")}
    assert not any("prompts" in values for values in made.values())


def test_what_a_hubs_model_is_asked_is_in_its_settings(tmp_path):
    entries = [
        "e5: {recipe: released, from: hub:org/e5}",
        "bare: {recipe: released, from: hub:org/e5, prompts: ignored}",
    ]
    graph = Graph(Config(study="s.yaml"), study(tmp_path, *entries))
    assert "prompts" not in json.loads(graph.model_settings("e5"))
    assert json.loads(graph.model_settings("bare"))["prompts"] == "ignored"


def test_models_that_begin_here_are_asked_nothing(tmp_path):
    study(
        tmp_path,
        "pre: {recipe: retriever, from: co, data: d, query_prefix: 'q: '}",
        "more: {recipe: retriever, from: pre, data: d}",
    )
