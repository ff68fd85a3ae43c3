"""What is damaged is named, whatever is remembered; where two runs part first is said, and why."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

import archive as archive_program
import verify as program
from dewpoint.archive import manifests_of, pack
from dewpoint.artifact import Artifact, write_manifest
from dewpoint.compared import compare, largest_difference
from dewpoint.errors import UserError
from dewpoint.inventory import RESULTS, data_of, inventory, named
from dewpoint.verify import examine

TEXTS = {"data/docs": "words", "models/bert": "weights", "models/first": "more", "runs/first/docs.test": "ranks"}
MADE_FROM = {"models/bert": ["data/docs"], "models/first": ["models/bert", "data/docs"]}
MADE_FROM |= {"runs/first/docs.test": ["models/first"]}


def manifest(folder: Path, name: str) -> Path:
    at = folder / name if name.startswith("data/") else folder / "results/s" / name
    return at.with_name(f"{at.name}.json") if name.startswith("runs/") else at / "manifest.json"


def make(folder: Path, monkeypatch, texts=TEXTS, settings=None) -> Path:
    """A chain of four artifacts, by paths below `folder`, which is the working directory."""
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DEWPOINT_NOTES", str(folder / "results/.notes"))
    for name, text in texts.items():
        inputs = [manifest(Path(), source) for source in MADE_FROM.get(name, [])]
        artifact = Artifact(manifest(Path(), name), (settings or {}).get(name, {"k": 1}), "c0de", inputs)
        path = artifact.beside(".txt") if name.startswith("runs/") else artifact.path("inner/file.txt")
        path.write_text(text)
        artifact.seal()
    return folder


@pytest.fixture
def made(tmp_path, monkeypatch) -> Path:
    return make(tmp_path / "made", monkeypatch)


def held(folder: Path):
    return inventory(folder / "results/s", folder / "data")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/x/results/s/models/first/manifest.json", "models/first"),
        ("results/s/embeddings/models/docs/corpus-0of1.json", "embeddings/models/docs/corpus-0of1"),
        ("out/s/runs/bm25/docs.test.json", "runs/bm25/docs.test"),
        ("results/s/report.json", "report"),
        ("else/docs/manifest.json", "data/docs"),
        ("else/docs/tokens/t/manifest.json", "data/docs/tokens/t"),
        ("else/tokenizers/t/manifest.json", "data/tokenizers/t"),
        ("else/downloads/a.tsv.gz.json", "data/downloads/a.tsv.gz"),
    ],
)
def test_a_name_has_no_folder_in_it(path, name):
    assert named(Path(path)) == name


def test_every_folder_that_the_rules_make_artifacts_in_is_known():
    rules = "".join(path.read_text() for path in (Path(__file__).parents[1] / "rules").glob("*.smk"))
    made = set(re.findall(r'f"\{RESULTS\}/(\w+)(?:/[^"]*)?\.json"', rules))
    assert made == RESULTS.keys() and "clusters" in made


def test_all_that_is_there_is_found_and_whole(made):
    found = examine(held(made))
    assert held(made).artifacts.keys() == TEXTS.keys() and data_of(made / "results/s") == made / "data"
    assert (found.damaged, found.outdated, found.absent, found.files) == ([], [], [], 4)


FILE = "results/s/models/bert/inner/file.txt"


def one_bit(path: Path) -> None:
    """At the same size and times; no program but this cares what was remembered of the file."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda folder: one_bit(folder / FILE), f"{FILE}: damaged"),
        (lambda folder: (folder / FILE).write_text("weigh"), f"{FILE}: has 5 bytes, its manifest says 7"),
        (lambda folder: (folder / FILE).unlink(), f"{FILE}: is missing"),
        (
            lambda folder: one_bit(folder / "results/s/models/bert/manifest.json"),
            "models/bert/manifest.json: not a man",
        ),
        (lambda folder: (folder / "results/s/models/bert/query.txt").touch(), "models/bert/query.txt: no manifest"),
        (lambda folder: (folder / "results/s/runs/first/old.parquet").touch(), "runs/first/old.parquet: no manifest"),
        (lambda folder: one_bit(folder / "data/docs/inner/file.txt"), "data/docs/inner/file.txt: damaged"),
        (lambda folder: one_bit(next((folder / "results/environments").glob("[0-9a-f]*.json"))), "damaged"),
        (lambda folder: next((folder / "results/environments").glob("[0-9a-f]*.json")).unlink(), "is missing"),
    ],
)
def test_damage_is_named(made, damage, told):
    damage(made)
    assert any(told in line for line in examine(held(made)).damaged)


def test_a_word_of_a_manifest_that_was_changed_is_noticed(made):
    path = made / "results/s/models/bert/manifest.json"
    path.write_text(path.read_text().replace('"k": 1', '"k": 2'))
    assert any("does not add up" in line for line in examine(held(made)).damaged)


def test_what_was_remembered_is_not_trusted_and_put_right(made):
    """Bits that rot change no time, so a program would go on believing what it remembers."""
    from dewpoint import notes

    path = made / FILE
    true = notes.hash_of(path)
    notes.remember_hash(path, true)
    one_bit(path)
    notes.remember_hash(path, true)  # as if the system had not noticed, either
    assert notes.hash_of(path) == true and len(examine(held(made)).damaged) == 1
    assert notes.hash_of(path) != true


def test_what_is_made_from_another_is_out_of_date_and_what_is_gone_is_not_needed(made, monkeypatch):
    shutil.rmtree(made / "results/s/models/bert")
    found = examine(held(made))
    assert (found.damaged, found.outdated, found.absent) == ([], [], ["models/bert"])
    make(made, monkeypatch, {"models/bert": "others"})
    assert [line.split(": ")[1] for line in examine(held(made)).outdated] == [
        "models/bert is another than the one it was made from"
    ]


# --- compared -----------------------------------------------------------------------------------


def test_two_equal_runs_in_other_places_are_equal(made, tmp_path, monkeypatch):
    other = make(tmp_path / "other", monkeypatch)
    found = compare(held(other), held(made))
    assert found.equal == 4 and not found.other and not found.lines


def test_the_first_that_differs_is_named_with_the_reason(made, tmp_path, monkeypatch):
    """What follows from it is not explained again."""
    texts = TEXTS | {"models/bert": "heavier", "models/first": "less", "runs/first/docs.test": "order"}
    other = make(tmp_path / "other", monkeypatch, texts, {"models/bert": {"k": 2}})
    found = compare(held(other), held(made))
    assert found.equal == 1 and found.other == ["models/bert", "models/first", "runs/first/docs.test"]
    assert found.lines[0] == "models/bert: inner/file.txt" and found.lines[1].strip() == "settings: k: 1 → 2"
    assert sum(not line.startswith(" ") for line in found.lines) == 1


def test_packages_and_threads_that_differ_are_named(made, tmp_path, monkeypatch):
    other = make(tmp_path / "other", monkeypatch, TEXTS | {"models/first": "less"})
    path = manifest(other, "models/first")
    record = json.loads(path.read_text())
    then = other / f"results/environments/{record['run']['environment']}.json"
    said = json.loads(then.read_text())
    said["packages"]["torch"] = "1.0"
    (other / "results/environments/other.json").write_text(json.dumps(said))
    record["run"] |= {"environment": "other", "threads": {"torch": 64}}
    write_manifest(path, record)
    lines = "\n".join(compare(held(other), held(made)).lines)
    assert "packages torch: " in lines and "→ 1.0" in lines and "threads torch: " in lines and "→ 64" in lines


def test_costs_are_measured_anew_and_not_compared(made, tmp_path, monkeypatch):
    """What a ranker costs, what is timed in turns, and tables of either; scores are, and which differs most."""
    other = make(tmp_path / "other", monkeypatch)
    clocked = {"scores/first/docs": {}, "latency/turns+first-c0ffee/docs.test": {}}
    clocked |= {f"tables/{name}": {"columns": [{"metrics": [name]}]} for name in ("train-hours", "latency-sd@1")}
    for number, folder in enumerate((made, other)):
        for name, settings in (clocked | {"scores/first/docs.test": {}}).items():
            artifact = Artifact(folder / f"results/s/{name}.json", settings)
            artifact.beside(".txt").write_text(str(number))
            artifact.facts["metrics"] = (
                {"MRR@10": number / 2} if name.endswith(".test") else {"train-hours": 9 * number}
            )
            artifact.seal()
    found = compare(held(other), held(made))
    assert {*found.measured} == {*clocked} and found.other == ["scores/first/docs.test"] and found.equal == 4
    assert largest_difference(held(other), held(made)).startswith("MRR@10 of first/docs.test by 0.5")


def test_the_program_says_how_many_are_equal(made, tmp_path, monkeypatch, capsys):
    make(tmp_path / "other", monkeypatch)
    monkeypatch.setattr("sys.argv", ["verify", "studies/s.yaml", "--against", str(made)])
    assert program.main() == 0
    assert capsys.readouterr().out.splitlines()[-1] == "equal to the earlier: 4, goal 4, ok"
    one_bit(tmp_path / "other" / FILE)
    assert program.main() == 1
    assert "damaged: 1, goal 0, short" in capsys.readouterr().out


@pytest.mark.parametrize("earlier", ["empty", "file"])
def test_what_is_no_earlier_run_is_one_line(made, tmp_path, monkeypatch, earlier):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("text")
    monkeypatch.setattr("sys.argv", ["verify", "studies/s.yaml", "--against", str(tmp_path / earlier)])
    with pytest.raises(UserError, match=r"no results of s there|not an archive that can be read"):
        program.main()


# --- archives -----------------------------------------------------------------------------------


def packed(folder: Path, target: Path) -> Path:
    pack(target, "studies/s.yaml", held(folder), {}, {"seed": 1}, [])
    return target


@pytest.mark.parametrize("suffix", [".tar.zst", ".tar.gz", ".tar"])
def test_an_archive_is_compared_with_and_the_same_twice(made, tmp_path, suffix):
    one, two = (packed(made, tmp_path / f"{name}{suffix}") for name in "ab")
    read = [manifests_of(path, tmp_path / path.stem) for path in (one, two)]
    earlier = inventory(read[0] / "results/s", read[0] / "data")
    assert compare(held(made), earlier).equal == 4
    os.utime(made / FILE)
    first = packed(made, tmp_path / f"c{suffix}").read_bytes()
    (tmp_path / f"c{suffix}").unlink()
    assert packed(made, tmp_path / f"c{suffix}").read_bytes() == first


def test_a_member_that_leads_outside_is_refused(tmp_path):
    """An archive that others made."""
    import io
    import tarfile

    hostile = tmp_path / "hostile.tar"
    with tarfile.open(hostile, "w") as tar:
        info = tarfile.TarInfo("s/results/../../../outside.json")
        info.size = 2
        tar.addfile(info, io.BytesIO(b"{}"))
    with pytest.raises(UserError, match="not an archive that can be read"):
        manifests_of(hostile, tmp_path / "read")
    assert not (tmp_path / "outside.json").exists()


def test_a_stage_that_is_none_is_refused(monkeypatch):
    monkeypatch.setattr("sys.argv", ["archive", "--without", "vectors"])
    with pytest.raises(UserError, match="--without vectors: expected some of embeddings"):
        archive_program.main()
