"""What it takes to make results again is found behind them: data, files, revisions, environments."""

import json

import small_study as small
import yaml

from dewpoint.artifact import read_manifest, write_manifest
from dewpoint.report.page import made_for, page
from dewpoint.report.provenance import as_yaml, in_short, provenance

ENVIRONMENT = {
    "snakemake": "9.27",
    "packages": {"torch": "2.0", "numpy": "1.0"},
    "packages_hash": "f" * 64,
    "lock": {"file": "dewpoint.txt", "sha256": "a" * 64},
    "system": {"name": "Some Linux", "libc": "glibc 2"},
    "processor": {"model": "A processor", "features": ["avx2", "fma"]},
    "code": {"commit": "c0ffee", "changed": ["scripts/a.py"]},
}


def found(tmp_path):
    """Of the small study whose first model is from a hub, its dataset from a download and a file of the user's."""
    study = small.study()
    out, data = small.results(tmp_path, study)
    download = data / "downloads/a.tsv.json"
    small.write(download, facts={"from": "https://there/a.tsv", "licence": None})
    record = read_manifest(download) | {"files": {"a.tsv": {"bytes": 3, "sha256": "d" * 64}}}
    write_manifest(download, record)
    facts = {"passages": 9, "queries": {}, "judgements": {}}
    dataset = small.write(data / "docs/manifest.json", {"source": "beir"}, facts, [download, "mine.csv"])
    first = small.write(
        out / "models/first/manifest.json", {"recipe": "retriever", "source": "org/bert"}, {}, [dataset]
    )
    record = read_manifest(first)
    record["facts"]["revision"] = "c0de"
    record["run"] |= {"environment": "e1", "threads": {"torch": 2}}
    write_manifest(first, record)
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/e1.json").write_text(json.dumps(ENVIRONMENT))
    return study, provenance(made_for(study, out), out)


def test_data_are_followed_to_the_files_that_they_come_from(tmp_path):
    _, known = found(tmp_path)
    assert known.datasets["docs"]["made_from"] == ["a.tsv", "mine.csv"]
    assert known.files == {
        "a.tsv": {"sha256": "d" * 64, "bytes": 3, "from": "https://there/a.tsv"},
        "mine.csv": {"sha256": ""},
    }
    assert known.released == {"models/first": {"source": "org/bert", "revision": "c0de"}}
    assert known.threads == [2] and known.environments == {"e1": ENVIRONMENT}


def test_the_page_has_it_in_short(tmp_path):
    rows = in_short(found(tmp_path)[1])
    assert rows["changed since the commit"] == ["scripts/a.py"] and rows["processor"] == ["A processor (avx2 fma)"]
    assert rows["released models"] == ["models/first: org/bert, c0de"] and rows["threads of torch"] == ["2"]


def test_the_page_names_files_wherever_they_come_from(tmp_path):
    study, known = found(tmp_path)
    html = page(study, tmp_path / "out", tmp_path / "data", {}, {}, known)
    assert "a.tsv" in html and "from https://there/a.tsv" in html and "<dt><bdi>mine.csv</bdi></dt>" in html


def test_an_environment_whose_file_is_gone_is_still_named(tmp_path):
    study, _ = found(tmp_path)
    (tmp_path / "environments/e1.json").unlink()
    known = provenance(made_for(study, tmp_path / "out"), tmp_path / "out")
    assert in_short(known)["environment"] == ["environments/e1.json"]


def test_the_study_in_it_is_the_study(tmp_path):
    study, known = found(tmp_path)
    said = yaml.safe_load(as_yaml(study, {"seed": 1}, known))
    assert type(study).model_validate(said["study"]) == study and said["config"] == {"seed": 1}
