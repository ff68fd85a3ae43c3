"""The study's graph, and what all rules share."""

import json
import re
import shlex
import sys
from importlib import import_module

from snakemake.resources import Resource

from dewpoint.errors import UserError
from dewpoint.lease import count_gpus, named_gpus
from dewpoint.program import flags, in_words
from dewpoint.study.fingerprint import fingerprint
from dewpoint.study.graph import PASSAGES, QUERIES, Graph
from dewpoint.study.load import notes

try:
    graph = Graph.load(config)
    TARGETS = graph.targets
    graph.refuse_missing_files()
except UserError as error:
    raise WorkflowError(str(error)) from None


if workflow.is_main_process:
    for note in notes(graph.study):
        print(f"note: {graph.config.study}: {note}", file=sys.stderr)


# where artifacts of the same settings, code and inputs are looked for, also those of other studies
os.environ.update(DEWPOINT_MADE=str(Path(graph.config.output).absolute() / ".made") if graph.config.reuse else "")


if graph.config.container:

    container: graph.config.container


def quoted(text):
    """A word of a shell command in which braces are no wildcards."""
    return shlex.quote(text).replace("{", "{{").replace("}", "}}")


DATA, RESULTS = graph.data, graph.results
SCRIPTS = quoted(str(PROJECT / "scripts"))
STUDY = quoted(graph.config.study)
ENVIRONMENT, GPU_ENVIRONMENT = "../envs/dewpoint.yaml", "../envs/dewpoint-gpu.yaml"

CORES = workflow.resource_settings.cores or 16
HALF = max(1, CORES // 2)  # small models share a machine better two at a time than one on all cores
THREADS = {"half": HALF, "all": CORES}

# the command of every kind's work. It names no variable of a loop, for it is put together when the job runs; what changes
# no result, such as how much is held at once, is no part of the settings
WORK = (
    f"python {SCRIPTS}/work.py {{params.work}} --settings {{params.settings:q}} --code {{params.code}} {{params.inputs}}"
    f" --chunk {graph.config.chunk} --checkpoint {graph.config.checkpoint_steps} --threads {{threads}}"
    " --output {output:q} &> {log:q}"
)

NAME, LABEL = "[A-Za-z0-9][A-Za-z0-9_-]*", "[A-Za-z0-9][A-Za-z0-9._-]*"


wildcard_constraints:
    dataset=NAME,
    model=LABEL,
    ranker=LABEL,
    split=NAME,
    table=LABEL,
    analysis=LABEL,
    negatives="[A-Za-z0-9._+-]+",
    part=r"corpus|queries\.[A-Za-z0-9_-]+",
    shard=r"\d+",
    shards=r"\d+",


def one_of(names):
    """A wildcard constraint: any of these names."""
    return "|".join(map(re.escape, names)) or "(?!)"


def jobs(section, stage):
    """(kind, function, the study's entries whose stage it does): a rule each."""
    found = {}
    for name, entry in getattr(graph.study, section).items():
        if function := entry.function(stage):
            found.setdefault((type(entry), function), []).append(name)
    return [(kind, function, names) for (kind, function), names in found.items()]


def work(kind, function):
    """What a kind's function is called by: its name, and its inputs, each the flag of its parameter."""
    taken = flags(getattr(import_module(kind.module()), function))

    def inputs(wildcards, input):
        given = ((flag, shlex.join(map(str, paths))) for flag, paths in input.items() if flag in taken)
        return " ".join(f"--{flag} {paths}" for flag, paths in given if paths)

    return {"work": f"{kind.module().removeprefix('dewpoint.')} {function}", "inputs": inputs}


# where jobs run on this machine, they wait in Snakemake for a GPU, not holding cores; a cluster hands them out itself
LOCAL, GPUS = workflow.resource_settings.nodes is None, count_gpus()
if LOCAL and GPUS:
    workflow.global_resources.setdefault("gpu", Resource("gpu", GPUS))


def growing(amount):
    """A resource that grows with each attempt."""
    return lambda wildcards, attempt: amount * attempt


def asked(resources):
    """What a job asks of a machine."""
    each = resources.gpu
    if LOCAL and resources.all_gpus and named_gpus():
        each = max(each, GPUS)  # a training is shared by all GPUs that are named
    return {"mem_mb": growing(resources.mem_mb), "runtime": growing(resources.runtime), "gpu": each}


def threads_of(resources):
    """A number, or a share of the cores that Snakemake has."""
    return THREADS.get(resources.threads, resources.threads)


def environment(gpu):
    """The conda environment of a job; that with faiss-gpu where there are GPUs."""
    return GPU_ENVIRONMENT if gpu and (GPUS or not LOCAL) else ENVIRONMENT
