"""A model's folder is read and nothing outside it; what is damaged or missing is a line that says what and where."""

import json
import os
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from dewpoint.data.pretrained import inside, located
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.errors import UserError
from dewpoint.models.backbone import load_encoder, load_language_model
from dewpoint.models.condenser import HEAD, Condenser, Pretrained
from dewpoint.models.encoder import Encoder, Retriever
from dewpoint.models.folder import read_encoder, read_retriever, write_retriever
from dewpoint.models.stand_in import stand_in
from dewpoint.models.weights import write_tensors
from models.families import CAUSAL, FAMILIES, make

READ = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]


def load(folder: Path) -> None:
    load_tokenizer(folder)
    load_encoder(folder)


def refused(message: str, read, *given) -> None:
    with pytest.raises(UserError) as error:
        read(*given)
    assert message in str(error.value) and "\n" not in str(error.value)


def retriever(folder: Path) -> Path:
    """A retriever with a projection and an encoder of queries of its own, as it is written here."""
    words = load_tokenizer(folder)
    settings = SimpleNamespace(query_length=20, passage_length=24, query_prefix="", passage_prefix="")
    model = Retriever(*(Encoder(load_encoder(folder)) for _ in range(2)))
    model.set_output(None, None, SimpleNamespace(size=6, norm=True))
    write_retriever(folder.parent / "retriever", model, (words, words), settings, "a card")
    return folder.parent / "retriever"


# --- outside ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", READ)
def test_a_link_that_leads_outside_is_refused(folder, name):
    shutil.move(folder / name, folder.parent / "elsewhere")
    (folder / name).symlink_to("../elsewhere")
    refused(f"{folder}/{name}: a link that leads outside, to {folder.parent}/elsewhere; put the file", load, folder)


def test_links_within_a_folder_and_to_it_are_followed(folder):
    (folder / "model.safetensors").rename(folder / "weights")
    (folder / "model.safetensors").symlink_to("weights")
    (folder.parent / "named").symlink_to(folder)
    (folder / "notes").symlink_to("..")  # a folder, in which nothing is looked for
    load(folder.parent / "named")


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("gone"), os.mkfifo], ids=["broken", "pipe"])
def test_what_is_no_file_is_refused(folder, make):
    (folder / "config.json").unlink()
    make(folder / "config.json")
    refused(f"{folder}/config.json: no file, or a link that leads nowhere", load, folder)


def test_a_folder_that_passes_for_a_hubs_cache_leads_no_further(folder):
    """A snapshot's links may lead to the blobs beside it, which are no link themselves."""
    snapshot = folder.parent / "models--a--b" / "snapshots" / ("1" * 40)
    snapshot.parent.mkdir(parents=True)
    folder.rename(snapshot)
    blobs = snapshot.parents[1] / "blobs"
    blobs.mkdir()
    (snapshot / "config.json").rename(blobs / "1")
    (snapshot / "config.json").symlink_to("../../blobs/1")
    load(snapshot)
    blobs.rename(folder.parent / "other")
    blobs.symlink_to(folder.parent / "other")
    refused("a link that leads outside", load, snapshot)


@pytest.mark.parametrize("name", ["/etc/passwd", "../other/model.safetensors", "a/../../b", ".."])
def test_a_name_that_leads_outside_is_refused(folder, name):
    refused(f"names '{name}', a file outside of it", inside, folder, name)


def shards(folder: Path, *names: str) -> None:
    """The weights in two files, of these names in the index."""
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    half = len(weights) // 2
    parts = [dict([*weights.items()][:half]), dict([*weights.items()][half:])]
    for number, part in enumerate(parts):
        save_file(part, folder / f"part{number}.safetensors", {"format": "pt"})
    listed = {key: name for part, name in zip(parts, names, strict=True) for key in part}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": listed}))


def test_weights_in_several_files_are_read(folder):
    before = load_encoder(folder).state_dict()
    shards(folder, "part0.safetensors", "part1.safetensors")
    after = load_encoder(folder).state_dict()
    assert all(torch.equal(before[name], value) for name, value in after.items())


@pytest.mark.parametrize("name", ["{other}/part1.safetensors", "../other/part1.safetensors"])
def test_an_index_that_names_files_outside_is_refused(folder, name):
    other = folder.parent / "other"
    other.mkdir()
    name = name.format(other=other)
    shards(folder, "part0.safetensors", name)
    shutil.copy(folder / "part1.safetensors", other)
    refused(f"{folder}: names '{name}', a file outside of it", load_encoder, folder)


def test_an_index_that_names_a_link_outside_is_refused(folder):
    shards(folder, "part0.safetensors", "part1.safetensors")
    shutil.move(folder / "part1.safetensors", folder.parent / "elsewhere")
    (folder / "part1.safetensors").symlink_to(folder.parent / "elsewhere")
    refused(f"{folder}/part1.safetensors: a link that leads outside", load_encoder, folder)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({}, "index.json: damaged, no weight_map in it"),
        ({"weight_map": {"a": 3}}, "index.json: damaged, no weight_map in it"),
        ([], "index.json: damaged, no weight_map in it"),
        (
            {"weight_map": {"a": "gone.safetensors"}},
            "has no gone.safetensors, which model.safetensors.index",
        ),
    ],
)
def test_an_index_that_is_damaged(folder, index, message):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(message, load_encoder, folder)


def test_a_retrievers_modules_lie_within(folder):
    made = retriever(folder)
    modules = json.loads((made / "query" / "modules.json").read_text())
    modules[2]["path"] = "../2_Dense"
    (made / "query" / "modules.json").write_text(json.dumps(modules))
    refused("names '../2_Dense/config.json', a file outside of it", read_retriever, made)


def test_the_encoder_of_queries_lies_within(folder):
    made = retriever(folder)
    (made / "query").rename(folder.parent / "query")
    (made / "query").symlink_to(folder.parent / "query")
    refused(f"{made}/query/config.json: a link that leads outside", read_retriever, made)


# --- damaged ------------------------------------------------------------------------------------

DAMAGE = {
    "half": lambda content: content[: len(content) // 2],
    "zeros": lambda content: bytes(len(content)),
    "empty": lambda _: b"",
    "bytes": lambda content: b"\xff\xfe\x00" + content,
    "deep": lambda _: b"[" * 100_000,
    "list": lambda _: b"[]",
}


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("name", READ)
def test_what_is_damaged_is_named(folder, name, how):
    (folder / name).write_bytes(DAMAGE[how]((folder / name).read_bytes()))
    refused(f"{folder}/{name}: damaged" if name != "tokenizer.json" else f"{folder}: no tokenizer", load, folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_what_is_missing_is_named(folder, name):
    (folder / name).unlink()
    refused(f"{folder}: has no {name}", load, folder)


def test_words_in_an_older_form_are_enough(folder):
    before = load_tokenizer(folder)
    (folder / "tokenizer.json").unlink()
    words = sorted(before.get_vocab(), key=before.get_vocab().get)
    (folder / "vocab.txt").write_text("\n".join(words))
    refused("has no tokenizer.json, which its tokenizer_config.json is about", load_tokenizer, folder)
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    assert load_tokenizer(folder)("dew point")["input_ids"] == before("dew point")["input_ids"]


@pytest.mark.parametrize("path", ["2_Dense", "3_LayerNorm"])
@pytest.mark.parametrize("how", ["half", "zeros", "empty", "other", "gone"])
def test_a_retrievers_weights_that_are_damaged_are_named(folder, path, how):
    made = retriever(folder)
    file = made / path / "model.safetensors"
    if how == "other":
        save_file({"linear.weight": torch.zeros(3)}, file)
        message = f"{file}: its weights are not of the shape that {path}/config.json says"
    elif how == "gone":
        file.unlink()
        message = f"{made}: has no {path}/model.safetensors"
    else:
        file.write_bytes(DAMAGE[how](file.read_bytes()))
        message = f"{file}: damaged, not safetensors"
    refused(message, read_encoder, made)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("modules.json", "[]"),
        ("modules.json", '[{"path": ""}]'),
        ("modules.json", "3"),
        ("modules.json", '[{"type": "sentence_transformers.models.Dense", "path": 3}]'),
        ("2_Dense/config.json", "{}"),
        ("2_Dense/config.json", '{"activation_function": "torch.nn.modules.linear.Identity", "in_features": "x"}'),
        ("3_LayerNorm/config.json", "[]"),
        ("1_Pooling/config.json", "[]"),
        ("router_config.json", '{"types": {}}'),
        ("router_config.json", '{"types": {"": "sentence_transformers.models.Transformer"}, "structure": 3}'),
    ],
)
def test_modules_that_make_no_sense_are_a_line(folder, name, content):
    made = retriever(folder)
    assert read_encoder(made).dimension == 6
    (made / name).write_text(content)
    refused(str(made), read_encoder, made)


@pytest.mark.parametrize(
    "values",
    [
        {"hidden_size": 17},
        {"num_attention_heads": 3},
        {"num_hidden_layers": "two"},
        {"hidden_act": "no-such"},
        {"model_type": "no-such"},
        {"model_type": "../bert"},
        {"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}},
        {"dtype": "no-such"},
    ],
)
def test_a_configuration_that_goes_with_nothing_is_a_line(folder, values):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | values))
    refused(str(folder), load_encoder, folder)


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_that_lack_some_are_refused(family, tmp_path):
    """The library would draw them at random, and say nothing here."""
    folder = make(family, tmp_path)
    whole = load_file(folder / "model.safetensors")
    name = next(name for name in whole if re.search(r"layer.*1.*weight", name))
    save_file({key: value for key, value in whole.items() if key != name}, folder / "model.safetensors")
    for read in (load_encoder,) if family in ("t5", *CAUSAL) else (load_encoder, load_language_model):
        refused("its weights lack 1 of this model's, such as ", read, folder)
    save_file({f"other.{key}": value for key, value in whole.items()}, folder / "model.safetensors")
    refused(f"{folder}: its weights lack ", load_encoder, folder)


def test_a_head_that_is_damaged_is_named(folder):
    model = Condenser(load_language_model(folder), 1, 1)
    model.save(folder)
    assert model.load_head(folder) == "its parent's"
    (folder / HEAD).write_bytes(b"")
    refused(f"{folder}/{HEAD}: damaged, not safetensors", model.load_head, folder)


# --- written ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_weights_are_as_readable_as_other_files(folder, tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        write_tensors({"a": torch.zeros(2)}, tmp_path / "a.safetensors")
        for name, model in (("plain", Pretrained), ("head", lambda model: Condenser(model, 1, 1))):
            (tmp_path / name).mkdir()
            model(load_language_model(folder)).save(tmp_path / name)
        stand_in("org/bert", lambda: [["some words"]], 1, tmp_path / "stand-in")
        made = retriever(folder)
    finally:
        os.umask(before)
    written = [tmp_path / "a.safetensors", *made.rglob("*"), *tmp_path.glob("*/*")]
    files = [path for path in written if path.is_file() and path.parent != folder]
    assert sum(path.suffix == ".safetensors" for path in files) > 6
    assert {path.stat().st_mode & 0o777 for path in files} == {mode}
    assert os.umask(before) == before


def test_what_is_saved_does_not_say_where_it_was_loaded(folder, hub, tmp_path):
    for number, source in enumerate((folder, "org/tiny")):
        load_tokenizer(source).save_pretrained(tmp_path / str(number))
        load_encoder(source).save_pretrained(tmp_path / str(number))
    one, other = ({path.name: path.read_bytes() for path in (tmp_path / str(n)).iterdir()} for n in range(2))
    assert one == other and len(one) == 4


def test_own_folders_pass(folder):
    made = retriever(folder)
    assert located(made) == made and located(made / "query") == made / "query"
    assert not read_retriever(made).tied
