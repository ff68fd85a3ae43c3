"""No code from a model's folder runs: not when it is named, not when the library would ask, not from a pickle."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.errors import UserError
from dewpoint.models.backbone import load_encoder, load_language_model
from dewpoint.models.folder import is_retriever, read_encoder, read_retriever
from dewpoint.models.stand_in import model_class
from programs import SCRIPTS, arguments, command

CODE = "from pathlib import Path\nPath({witness!r}).write_text('ran')\n"
AUTO = {
    "config.json": {"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil", "AutoModelForMaskedLM": "evil.Evil"},
    "tokenizer_config.json": {"AutoTokenizer": ["evil.Evil", "evil.Evil"]},
}


def change(path: Path, **values) -> None:
    before = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(before | values))


def plant(folder: Path, name: str) -> Path:
    """Code in a model's folder, named by one of its files; the file that it would write."""
    witness = folder.parent / "witness"
    (folder / "evil.py").write_text(CODE.format(witness=str(witness)))
    change(folder / name, auto_map=AUTO[name])
    return witness


@pytest.mark.parametrize("name", AUTO)
@pytest.mark.parametrize("load", [load_tokenizer, load_encoder, load_language_model, is_retriever, model_class])
def test_a_folder_that_names_its_own_code_is_refused(folder, name, load):
    witness = plant(folder, name)
    with pytest.raises(UserError, match=f"{folder}/{name}: has auto_map, which names code of its own; no code"):
        load(str(folder))
    assert not witness.exists()


@pytest.mark.parametrize("model_type", ["bert", "unheard-of"])
def test_the_library_is_told_to_trust_nothing_as_well(folder, model_type, monkeypatch):
    """Even if the look at a folder saw nothing, and whoever is asked says yes."""
    monkeypatch.setattr("builtins.input", lambda *_: "yes")
    witness = plant(folder, "config.json")
    plant(folder, "tokenizer_config.json")
    change(folder / "config.json", model_type=model_type)
    for module in ("dewpoint.models.backbone", "dewpoint.data.tokenizer"):
        monkeypatch.setattr(f"{module}.located", Path)
    for load in (load_tokenizer, load_encoder, load_language_model):
        try:
            load(folder)
        except UserError as error:
            assert "\n" not in str(error)
    assert not witness.exists()


def yes() -> int:
    """The reading end of a terminal at which someone has typed yes, often."""
    import pty

    typing, reading = pty.openpty()
    os.write(typing, b"yes\n" * 20)
    return reading


@pytest.mark.parametrize("answers", ["terminal", "pipe"])
def test_nobody_is_asked(folder, tmp_path, answers):
    witness = plant(folder, "config.json")
    given = {"stdin": yes()} if answers == "terminal" else {"input": "yes\n" * 20}
    words = arguments(tmp_path / "out" / "manifest.json", {"source": str(folder)})
    done = subprocess.run(
        [sys.executable, *command("tokenizer"), *words], capture_output=True, text=True, timeout=120, **given
    )
    assert done.returncode == 2 and not witness.exists()
    assert done.stderr.splitlines() == [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert f"{folder}/config.json: has auto_map" in done.stderr


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("config.json", {"auto_map": {"AutoModel": "org/other--code.Model"}}, "has auto_map"),
        ("config.json", {"text_config": {"auto_map": {"AutoConfig": "x.X"}}}, "has auto_map"),
        ("config.json", {"attn_implementation": "org/kernel"}, "attn_implementation names code from a hub"),
        ("config.json", {"_attn_implementation": {"": "org/kernel@main"}}, "attn_implementation names code from a hub"),
        ("tokenizer_config.json", {"tokenizer_class": "evil.Words"}, "tokenizer_class 'evil.Words' is none of"),
        ("tokenizer_config.json", {"tokenizer_class": "UnheardOfTokenizer"}, "tokenizer_class 'UnheardOfTokenizer'"),
        ("tokenizer_config.json", {"tokenizer_class": ["x"]}, "tokenizer_class .'x'. is none of"),
    ],
)
def test_classes_from_elsewhere_are_refused(folder, name, values, message):
    change(folder / name, **values)
    for load in (load_tokenizer, load_encoder):
        with pytest.raises(UserError, match=f"^{folder}/{name}: {message}"):
            load(folder)


@pytest.mark.parametrize("type_", ["evil.Pooling", "pylate.models.Dense", "sentence_transformersx.Pooling"])
@pytest.mark.parametrize("name", ["modules.json", "router_config.json"])
def test_modules_from_elsewhere_are_refused(folder, name, type_):
    known = {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}
    (folder / "modules.json").write_text(json.dumps([known]))
    assert is_retriever(folder)
    other = [known, known | {"type": type_}] if name == "modules.json" else {"types": {"": type_}, "structure": {}}
    (folder / name).write_text(json.dumps(other))
    with pytest.raises(UserError, match=f"{name}: names {type_}, code that is not sentence_transformers'"):
        read_retriever(folder)


class Evil:
    def __init__(self, witness: Path):
        self.witness = witness

    def __reduce__(self):
        return Path.touch, (self.witness,)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "model.pt", "model.ckpt"])
@pytest.mark.parametrize("load", [load_encoder, load_language_model, read_encoder])
def test_pickled_weights_are_refused(folder, name, load):
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Evil(folder / "witness")))
    with pytest.raises(UserError) as refused:
        load(folder)
    line = f"{folder}: its weights are pickled ({name}), which can run code; only safetensors are read: "
    assert str(refused.value).startswith(line) and "save_pretrained" in str(refused.value)
    assert not (folder / "witness").exists()


def test_pickles_beside_safetensors_are_not_touched(folder):
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Evil(folder / "witness")))
    load_encoder(folder)
    assert not (folder / "witness").exists()


def test_nothing_here_unpickles_or_trusts():
    """No program may read pickles, run a string, or start a shell."""
    never = ("pickle", "torch.load(", "trust_remote_code=True", "allow_pickle=True", "shell=True", "os.system", "eval(")
    files = [*SCRIPTS.rglob("*.py"), *(SCRIPTS.parent / "rules").glob("*.smk")]
    assert len(files) > 50
    for path in files:
        code = path.read_text(encoding="utf-8").replace(".eval(", "").replace("literal_eval(", "")
        lines = [line for line in code.splitlines() if '"""' not in line and "pickled" not in line]
        found = [word for word in never for line in lines if word in line]
        assert not found, (path, found)
