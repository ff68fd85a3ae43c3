"""The same work once: a study of another name, and one that takes another's model in, find what is finished."""

import json
import shutil

import yaml

from workflow.conftest import STUDY, Project


def manifests(project: Project, study: str) -> dict[str, dict]:
    folder = project.folder / "results" / study
    return {str(path.relative_to(folder)): json.loads(path.read_text()) for path in folder.rglob("manifest.json")}


def test_a_renamed_study_makes_nothing_anew(project: Project):
    shutil.copy(project.folder / STUDY, project.folder / "studies/renamed.yaml")
    project.snakemake("--config", "study=studies/renamed.yaml", "only=[first]")
    before, after = manifests(project, "mini"), manifests(project, "renamed")
    assert {name.split("/")[1] for name in after if name.startswith("models/")} == {
        *("bert", "condenser", "cocondenser", "first")
    }
    for name, record in after.items():
        assert record["content"] == before[name]["content"] and record["facts"] == before[name]["facts"]
        assert record["run"]["adopted"].endswith(f"results/mini/{name}"), name


def test_a_model_of_another_study_is_taken_over_and_one_is_trained_from_it(project: Project):
    mini = yaml.safe_load((project.folder / STUDY).read_text())
    mine = {key: value for key, value in mini["models"]["first"].items() if key != "negatives"}
    joined = {"source": "pydocs", "packages": ["json"]}
    study = {
        "datasets": mini["datasets"] | {"more": joined},
        "models": {"mine": mine | {"from": "mini/first", "data": ["pydocs", "more"], "epochs": 1}},
        "tables": {},
    }
    (project.folder / "studies/mine.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    project.snakemake("--config", "study=studies/mine.yaml", "only=[mine]")
    made = {name: record["run"].get("adopted") for name, record in manifests(project, "mine").items()}
    assert made.pop("models/mine/manifest.json") is None
    assert made.keys() >= {
        f"models/mini.{name}/manifest.json" for name in ("bert", "condenser", "cocondenser", "first")
    }
    assert all(made.values())
    parts = [json.loads((project.folder / f"data/{name}/manifest.json").read_text()) for name in ("pydocs", "more")]
    both = json.loads((project.folder / "data/pydocs--more/manifest.json").read_text())
    assert both["facts"]["passages"] == sum(part["facts"]["passages"] for part in parts)


def test_without_reuse_it_is_made_anew(project: Project):
    shutil.copy(project.folder / STUDY, project.folder / "studies/renamed.yaml")
    target = "results/renamed/indexes/bm25/pydocs/manifest.json"
    project.snakemake(target, "--config", "study=studies/renamed.yaml", "reuse=false")
    assert "adopted" not in json.loads((project.folder / target).read_text())["run"]
