"""Dewpoint: dense passage retrievers, from raw text to a measured index."""

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.27")


# the project's folder; results, data and the user's own studies are found from the working directory
PROJECT = Path(str(workflow.current_basedir))
if not (PROJECT / "scripts").is_dir():
    raise WorkflowError(f"{PROJECT}: the programs are run from a folder on this machine; clone the project there")


configfile: PROJECT / "config.yaml"


if Path("config.yaml").is_file():

    configfile: "config.yaml"


sys.path.insert(0, str(PROJECT / "scripts"))
# the programs run in the environment that Snakemake itself runs in, unless --sdm gives them another
os.environ.update(PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]))


include: "rules/common.smk"
include: "rules/retries.smk"
include: "rules/polling.smk"
include: "rules/data.smk"
include: "rules/rehearse.smk"
include: "rules/models.smk"
include: "rules/encode.smk"
include: "rules/rank.smk"
include: "rules/evaluate.smk"
include: "rules/analyses.smk"
include: "rules/report.smk"


localrules:
    all,
    download,
    table,
    report,


rule all:
    default_target: True
    input:
        TARGETS,


onstart:
    graph.claim_results()
    if WARM:
        serve_programs()


onsuccess:
    written = [Path(graph.table(name)[1]) for name in graph.study.tables]
    for path in [path for path in written if path.exists()]:  # a run may be asked for less
        print(f"\n{path.read_text()}")
    if Path(f"{RESULTS}/report.html").exists():
        print(f"report: {RESULTS}/report.html")


onerror:
    say_failures()
