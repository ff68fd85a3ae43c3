"""A hub's model is a commit, which is recorded and may be asked for; it is looked through as any folder is."""

import json
import shutil

import pytest

from dewpoint.data import pretrained
from dewpoint.data.pretrained import located, revisions
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.errors import UserError
from dewpoint.models.backbone import load_encoder
from dewpoint.models.folder import is_retriever, read_retriever
from programs import call
from security.conftest import COMMITS

KEPT = "models--org--tiny"


@pytest.mark.parametrize(
    ("source", "commit"),
    [("org/tiny", COMMITS[1]), (f"org/tiny@{COMMITS[0]}", COMMITS[0]), ("org/tiny@main", COMMITS[1])],
)
def test_the_commit_is_what_was_asked_for_and_is_recorded(hub, source, commit):
    assert located(source) == hub / KEPT / "snapshots" / commit
    assert revisions(revision=source, query_revision=None) == {"revision": commit}
    assert load_encoder(source).config.hidden_act == ("relu" if commit == COMMITS[0] else "gelu")
    assert len(load_tokenizer(source)) > 50 and not is_retriever(source)


def test_a_branch_or_tag_is_a_revision(hub):
    (hub / KEPT / "refs" / "refs" / "pr").mkdir(parents=True)
    (hub / KEPT / "refs" / "refs" / "pr" / "3").write_text(COMMITS[0])
    (hub / KEPT / "refs" / "v1.0").write_text(COMMITS[0])
    assert located("org/tiny@refs/pr/3").name == located("org/tiny@v1.0").name == COMMITS[0]


def test_sources_that_are_no_hubs_have_no_revision(folder):
    assert revisions(a="study", b="scratch", c=str(folder), d=None) == {}


def test_a_tokenizers_manifest_says_the_commit(hub, tmp_path):
    made = call("tokenizer", tmp_path / "manifest.json", {"source": f"org/tiny@{COMMITS[0]}"})
    assert json.loads(made.read_text())["facts"]["revision"] == COMMITS[0]


def test_a_retrievers_manifest_and_card_say_the_commit(hub, tmp_path):
    source = f"org/tiny@{COMMITS[0]}"
    words = call("tokenizer", tmp_path / "words" / "manifest.json", {"source": source})
    settings = {"recipe": "released", "source": source, "query_source": None, "pooling": None, "normalize": None}
    settings |= {"query_length": 16, "passage_length": 24, "query_prefix": "", "passage_prefix": "", "title": "pair"}
    given = {"tokenizer": words, "query_tokenizer": words}
    made = call("recipes.released work", tmp_path / "model" / "manifest.json", settings, **given)
    assert json.loads(made.read_text())["facts"]["revision"] == COMMITS[0]
    lines = (made.parent / "README.md").read_text().splitlines()
    assert 'base_model: "org/tiny"' in lines and f"| revision | {COMMITS[0]} |" in lines


NO_NAMES = ["../../none", "org/../tiny", "/none", "org/tiny/more", "org/tiny@", "org/tiny@../../x", "org/tiny@a b", ""]
NO_NAMES += ["-x/y", "a\nb", "$(touch x)", "org/tiny;x", "org/tiny@/etc", "org/{tiny}", "http://a/b", "org/tïny"]


@pytest.mark.parametrize("source", NO_NAMES)
def test_what_is_no_name_of_a_hubs_model_is_refused(hub, source):
    with pytest.raises(UserError, match="no folder, and no model of a hub, which is ORG/NAME or ORG/NAME@REVISION"):
        located(source)


@pytest.mark.parametrize("source", ["org/none", f"org/tiny@{'3' * 40}", "org/tiny@v9"])
def test_what_is_not_in_the_cache_is_a_line(hub, source):
    with pytest.raises(UserError, match=f"^{source}: no model could be loaded") as refused:
        load_encoder(source)
    assert "\n" not in str(refused.value)


def test_a_hubs_code_is_refused(hub):
    config = hub / KEPT / "blobs" / "2-config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"auto_map": {"AutoModel": "evil.Evil"}}))
    with pytest.raises(UserError, match=f"{COMMITS[1]}/config.json: has auto_map"):
        load_encoder("org/tiny")


def test_a_hubs_pickle_is_refused(hub):
    snapshot = hub / KEPT / "snapshots" / COMMITS[1]
    (snapshot / "model.safetensors").rename(snapshot / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"its weights are pickled \(pytorch_model.bin\), .* take a revision that has"):
        load_encoder("org/tiny")


def test_a_cache_whose_links_lead_elsewhere_is_refused(hub, tmp_path):
    shutil.move(hub / KEPT / "blobs" / "2-config.json", tmp_path / "config")
    (hub / KEPT / "blobs" / "2-config.json").symlink_to(tmp_path / "config")
    with pytest.raises(UserError, match="a link that leads outside"):
        located("org/tiny")


def test_weights_alone_are_fetched(hub, monkeypatch):
    """Of what a repository holds: no pickles, no code."""
    from huggingface_hub.utils import filter_repo_objects

    held = ["config.json", "model.safetensors", "pytorch_model.bin", "modeling_x.py", "tf_model.h5", "vocab.txt"]
    held += ["2_Dense/model.safetensors", "onnx/model.safetensors", "spiece.model", "training_args.bin", "x.pkl"]
    found = filter_repo_objects(held, allow_patterns=pretrained.WANTED, ignore_patterns=pretrained.UNWANTED)
    assert [*found] == [held[at] for at in (0, 1, 5, 6, 8)]


def test_a_retriever_of_a_hub_is_read(hub):
    snapshot = hub / KEPT / "snapshots" / COMMITS[1]
    kinds = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
    modules = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for kind, path in kinds]
    (snapshot / "modules.json").write_text(json.dumps(modules))
    (snapshot / "1_Pooling").mkdir()
    (snapshot / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    assert read_retriever("org/tiny").facts == {"dimension": 16, "pooling": "mean", "normalized": True}
