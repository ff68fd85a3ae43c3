"""Dewpoint: dense passage retrievers, from raw text to a measured index."""

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.27")


configfile: "config.yaml"


sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))
# the programs run in the environment that Snakemake itself runs in, unless --sdm gives them another
os.environ.update(PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]))


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/rehearse.smk"
include: "rules/pretrain.smk"
include: "rules/retriever.smk"
include: "rules/negatives.smk"
include: "rules/encode.smk"
include: "rules/index.smk"
include: "rules/rank.smk"
include: "rules/evaluate.smk"
include: "rules/report.smk"


localrules:
    all,
    download,
    table,
    report,


rule all:
    default_target: True
    input:
        f"{RESULTS}/report.html",
        [graph.table(name) for name in graph.study.tables],


onsuccess:
    for name in graph.study.tables:
        print(f"\n{Path(graph.table(name)[1]).read_text()}")
    print(f"report: {RESULTS}/report.html")
