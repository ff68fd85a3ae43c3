"""What runs again after which change: exactly what the change can affect."""

import os
import re
import shutil
import time

RETRIEVERS = {"bert-first", "condenser-first", "first", "second"}
DENSE = RETRIEVERS | {"cocondenser-zero-shot"}
TABLES = {"explore": {"queries+stages"}, "compare": {"stages"}, "table": {"stages"}, "report": {"report"}}
CLAIMS = {"analyse_claims": {"claims"}}  # their metric is their own


def below(models: set[str]) -> dict[str, set[str]]:
    """What follows when these retrievers are trained anew."""
    hybrid = {"hybrid"} if "second" in models else set()
    return {
        "encode": models,
        "rank_dense": models,
        "rank_fusion": hybrid,
        "evaluate": models | hybrid,
        **TABLES,
        **CLAIMS,
    }


def touch(folder) -> None:
    later = time.time() + 60
    for path in folder.rglob("*"):
        if path.is_file() and ".snakemake" not in path.parts:
            os.utime(path, (later, later))


def named(jobs: dict[str, set[str]]) -> dict[str, set[str]]:
    return {rule: subjects for rule, subjects in jobs.items() if subjects and rule != "all"}


def test_nothing_changed(finished):
    told = finished.snakemake()
    assert "Nothing to be done" in told.stdout + told.stderr


def test_a_copy_with_everything_touched(project):
    """Contents count, not times: every script, study and result is newer than what was made from it, and elsewhere."""
    touch(project.folder)
    assert project.pending() == {}


def test_a_copy_without_snakemakes_memory(project):
    """Taken to another machine, as by git-annex or an archive: manifests say what was made, and all of it is there."""
    shutil.rmtree(project.folder / ".snakemake")
    touch(project.folder / "data")
    assert project.pending() == {}
    project.change("models", "second", learning_rate=5e-4)
    assert named(project.pending()) == {"retriever": {"second"}} | below({"second"})


def test_a_file_that_was_lost(project):
    (project.folder / "results/mini/models/second/tokenizer.json").unlink()
    assert named(project.pending()) == {"retriever": {"second"}} | below({"second"})


def test_what_is_not_needed_any_more_may_be_deleted(project):
    shutil.rmtree(project.folder / "results/mini/embeddings")
    shutil.rmtree(project.folder / "results/mini/negatives")
    assert project.pending() == {}


def test_a_manifest_that_was_lost_is_found_again(project):
    """Whoever deleted it: what it stood for is there, so nothing is trained."""
    manifest = project.folder / "results/mini/models/second/manifest.json"
    before = manifest.read_text()
    manifest.unlink()
    weights = manifest.parent / "model.safetensors"
    made = weights.stat().st_mtime_ns, weights.stat().st_ino
    project.snakemake(str(manifest.relative_to(project.folder)))
    assert manifest.read_text() == before and (weights.stat().st_mtime_ns, weights.stat().st_ino) == made


def test_a_comment(project):
    project.edit("scripts/dewpoint/losses/contrast.py", "    return ", "    # a comment\n    return ")
    project.edit("scripts/dewpoint/search/bm25.py", '"""The best', '"""Truly the best')
    assert project.pending() == {}


def test_a_loss(project):
    project.edit("scripts/dewpoint/losses/contrast.py", "/ settings.temperature", "/ (2 * settings.temperature)")
    expected = {"cocondenser": {"cocondenser"}, "retriever": RETRIEVERS, "negatives": {"bm25+first"}}
    expected |= below(RETRIEVERS | {"cocondenser-zero-shot"}) | {"encode": RETRIEVERS | {"cocondenser"}}
    assert named(project.pending()) == expected


def test_a_loss_that_nobody_uses(project):
    project.edit("scripts/dewpoint/losses/contrast.py", "def work(", "def another():\n    ...\n\n\ndef work(")
    assert project.pending() == {}


def test_k1_of_bm25(project):
    project.change("rankers", "bm25", k1=1.2)
    expected = {"index_bm25": {"bm25"}, "rank_bm25": {"bm25"}}
    expected |= {"negatives": {"bm25", "bm25+first"}, "retriever": RETRIEVERS}
    expected |= below(RETRIEVERS)
    expected["evaluate"] = expected["evaluate"] | {"bm25"}
    assert named(project.pending()) == expected


def test_the_second_retrievers_learning_rate(project):
    project.change("models", "second", learning_rate=5e-4)
    assert named(project.pending()) == {"retriever": {"second"}} | below({"second"})


def test_a_models_own_threads(project):
    """They are what its job asks Snakemake for, and a setting: sums depend on them."""
    project.change("models", "second", threads=2)
    assert named(project.pending()) == {"retriever": {"second"}} | below({"second"})
    told = project.snakemake("--dry-run", "--forcerun", "retriever").stdout
    jobs = re.findall(r"rule retriever:\n((?:    .*\n)+)", told)
    threads = {re.search(r"model=([\w-]+)", job)[1]: "threads: 2" in job for job in jobs}
    assert threads == {"bert-first": False, "condenser-first": False, "first": False, "second": True}


def test_two_values_of_one_type_swapped(project):
    project.change("rankers", "hybrid", weights=[0.3, 0.7])
    project.snakemake()
    project.change("rankers", "hybrid", weights=[0.7, 0.3])
    assert named(project.pending()) == {"rank_fusion": {"hybrid"}, "evaluate": {"hybrid"}, **TABLES, **CLAIMS}


def test_two_numbers_of_one_rule_swapped(project):
    project.change("models", "bert", steps=16, batch_size=6)  # they were 6 and 16
    assert project.pending()["mlm"] == {"bert"}


def test_a_metric(project):
    project.change("tables", "stages", metrics=["MRR@10", "R@100", "nDCG@10"])
    assert named(project.pending()) == {"evaluate": DENSE | {"bm25", "hybrid"}, **TABLES}


def test_more_shards_encode_only_the_corpus_again(project):
    project.edit("config.yaml", "shards: 1", "shards: 3")
    jobs = named(project.pending())
    assert jobs["encode"] == RETRIEVERS | {"cocondenser"} and jobs["rank_dense"] == DENSE
    assert not jobs.keys() & {"mlm", "condenser", "cocondenser", "index_bm25", "rank_bm25"}
