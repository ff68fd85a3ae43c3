"""The study's graph, and what all rules share."""

import atexit
import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from importlib import import_module

from snakemake.logging import logger
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


# what programs remember of artifacts, for all studies; what is the same may be taken over; who follows trainings
os.environ.update(
    DEWPOINT_NOTES=str(Path(graph.config.output).absolute() / ".notes"),
    DEWPOINT_REUSE="yes" if graph.config.reuse else "no",
    DEWPOINT_TRACKER=graph.config.tracker,
)


include: "memory.smk"


if graph.config.container:

    container: graph.config.container


def quoted(text):
    """A word of a shell command in which braces are no wildcards."""
    return shlex.quote(text).replace("{", "{{").replace("}", "}}")


fingerprint = cache(fingerprint)  # a job needs that of its own rule alone
DATA, RESULTS = graph.data, graph.results
SCRIPTS = quoted(str(PROJECT / "scripts"))
STUDY = quoted(graph.config.study)
ENVIRONMENT, GPU_ENVIRONMENT = "../envs/dewpoint.yaml", "../envs/dewpoint-gpu.yaml"

CORES = workflow.resource_settings.cores or 16
HALF = max(1, CORES // 2)  # small models share a machine better two at a time than one on all cores
THREADS = {"half": HALF, "all": CORES, "training": min(graph.config.threads, CORES)}

# what stands before the command of every job
LOGGED = f"bash {SCRIPTS}/logged.sh {{log:q}}"

# the command of every kind's work. It names no variable of a loop, for it is put together when the job runs; what changes
# no result, such as how much is held at once, is no part of the settings
WORK = (
    f"{LOGGED} python {SCRIPTS}/work.py {{params.work}}"
    " --settings {params.settings:q} --code {params.code} {params.inputs}"
    f" --chunk {graph.config.chunk} --checkpoint {graph.config.checkpoint_steps} --threads {{threads}}"
    " --gpus {resources.gpu} --nodes {resources.nodes} --output {output:q}"
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
    clusters="[A-Za-z0-9._-]+",
    turns=r"turns\+[A-Za-z0-9._+-]+",
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
        given = {flag: paths for flag, paths in input.items() if flag in taken}
        given["other"] = [path for flag, paths in input.items() if flag not in taken for path in paths]
        return " ".join(f"--{flag} {shlex.join(map(str, paths))}" for flag, paths in given.items() if paths)

    return {"work": f"{kind.module().removeprefix('dewpoint.')} {function}", "inputs": inputs}


# where jobs run on this machine, they wait in Snakemake for a GPU, not holding cores; a cluster hands them out itself
LOCAL = workflow.resource_settings.nodes is None and not workflow.remote_exec  # which a cluster's job is
GPUS = count_gpus()
if LOCAL and GPUS:
    workflow.global_resources.setdefault("gpu", Resource("gpu", GPUS))


CAPPED = set()  # what was said


# programs may begin in a process that has the libraries loaded: on this machine, and in Snakemake's own environment
WARM = graph.config.rehearse if graph.config.warm is None else graph.config.warm
WARM &= LOCAL and hasattr(os, "pidfd_open") and not workflow.deployment_settings.deployment_method


def serve_programs():
    """It answers as long as this process holds the other end of its standard input."""
    folder = tempfile.mkdtemp(prefix="dewpoint-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ.update(DEWPOINT_WARM=f"{folder}/socket")
    command = [sys.executable, str(PROJECT / "scripts/warm.py"), "serve", f"{folder}/socket"]
    SERVED.append(subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True))


SERVED = []  # the process, held for as long as this one lives


def growing(amount, setting, unit):
    """A resource that grows with each attempt, as far as config.yaml lets it; `amount` may be of a job's wildcards."""
    most = getattr(graph.config, setting)

    def asked(wildcards, attempt, rulename):
        wanted = (amount(wildcards) if callable(amount) else amount) * attempt
        if most is None or wanted <= most:
            return wanted
        if (rulename, wanted) not in CAPPED:
            logger.info(f"{rulename}: asks for {most} {unit}, not {wanted}, as config.yaml's {setting} says")
        CAPPED.add((rulename, wanted))
        return most

    return asked


def memory(megabytes):
    return growing(megabytes, "max_memory", "MB")


def minutes(amount):
    return growing(amount, "max_runtime", "minutes")


def asked(resources):
    """What a job asks of a machine."""
    return {"mem_mb": memory(resources.mem_mb), "runtime": minutes(resources.runtime), "gpu": resources.gpu, "nodes": 1}


def asked_by_model(resources):
    """What making a model asks for; a training is shared by the GPUs and nodes that its entry or config.yaml names."""
    if not resources.all_gpus:
        return asked(resources)
    if LOCAL:
        named = GPUS if named_gpus() else 0
        return asked(resources) | {"gpu": lambda w: max(named, min(graph.gpus(w.model), GPUS or 1))}

    def of_several(value):
        return lambda w: value(w) if graph.nodes(w.model) > 1 else None

    # with `mpi`, SLURM's plugin leaves it to the program to start itself on each node; `gpu` would be of all nodes
    return asked(resources) | {
        "nodes": lambda w: graph.nodes(w.model),
        "gpu": lambda w: graph.gpus(w.model) if graph.nodes(w.model) == 1 else 0,
        "gres": of_several(lambda w: f"gpu:{graph.gpus(w.model)}"),
        "tasks": of_several(lambda w: graph.nodes(w.model)),
        "tasks_per_gpu": of_several(lambda w: 0),
        "mpi": of_several(lambda w: "srun"),
    }


def asked_by_turns():
    """What timing a table's rankers in turns asks for: one is open at a time, and each has its minutes."""

    def of_each(resource):
        return lambda w: [
            getattr(graph.study.rankers[name].needs("latency"), resource)
            for name in graph.turns_rankers(w.turns, w.dataset, w.split)
        ]

    gpu, mem_mb, runtime = map(of_each, ("gpu", "mem_mb", "runtime"))
    return {
        "gpu": lambda w: max(gpu(w)),
        "mem_mb": memory(lambda w: max(mem_mb(w))),
        "runtime": minutes(lambda w: sum(runtime(w))),
        "nodes": 1,
    }


def threads_of(resources):
    """A number, a share of the cores that Snakemake has, or what all trainings compute with."""
    return THREADS.get(resources.threads, resources.threads)


def threads_of_model(resources):
    """As many as a model asks for, if its kind computes with as many as all trainings."""
    return (lambda w: min(graph.threads(w.model), CORES)) if resources.threads == "training" else threads_of(resources)


def environment(gpu):
    """The conda environment of a job; that with faiss-gpu where there are GPUs."""
    return GPU_ENVIRONMENT if gpu and (GPUS or not LOCAL) else ENVIRONMENT
