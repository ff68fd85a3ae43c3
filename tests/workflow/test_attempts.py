"""What fails: how often it is tried again, and what is said of it."""

INDEX = "results/mini/indexes/bm25/pydocs/manifest.json"
LOG = "results/mini/logs/index/bm25/pydocs.log"


def attempts(project, *arguments: str) -> tuple[int, str]:
    """How many more there are of the index, and what Snakemake says last."""
    log = project.folder / LOG
    before = log.read_text().count("== attempt ")
    forced = ("--forcerun", "index_bm25", "--config", "reuse=false", "--", INDEX)
    failed = project.snakemake("--retries", "3", *forced, check=False)
    assert failed.returncode == 1
    return log.read_text().count("== attempt ") - before, failed.stderr.splitlines()[-1]


def test_a_mistake_is_not_tried_again(project):
    corpus = project.folder / "data/pydocs/corpus.parquet"
    corpus.write_bytes(bytes(100) + corpus.read_bytes()[100:])
    times, last = attempts(project)
    assert times == 1
    assert last.startswith(f"{LOG}: error: data/pydocs/corpus.parquet: ")


def test_a_fault_is_tried_once_more(project):
    project.edit("scripts/work.py", "    launch(", "    raise RuntimeError('broken')\n    launch(")
    times, last = attempts(project)
    assert times == 2
    assert last == f"{LOG}: RuntimeError: broken"


def test_what_config_caps(project):
    capped = ("max_runtime=30", "max_memory=5000")
    told = project.snakemake("--dry-run", "--forcerun", "index_bm25", "--config", *capped, "--", INDEX).stdout
    assert "index_bm25: asks for 30 minutes, not 240, as config.yaml's max_runtime says" in told
    assert "index_bm25: asks for 5000 MB, not 16000, as config.yaml's max_memory says" in told
