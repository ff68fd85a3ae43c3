"""How long Snakemake takes to see what is to be done: with everything to do, and with nothing.

Studies of about 100, 300 and 1,000 jobs are generated: retrievers and BM25s over one dataset, by `vary`. So that
nothing is to be done, Snakemake runs each study itself, with a shell that writes an empty artifact in place of each
job's work. Prints a line for each figure: name, value, goal, ok or short; exponents are of a core's seconds. With
--profile also where the project's own code spends its time.
"""

import argparse
import math
import os
import pstats
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

HOME = Path(__file__).parents[1]
sys.path[:0] = [str(HOME / "scripts"), str(HOME)]

from benchmarks import ours
from benchmarks.common import say

JOBS, SMOKE = (100, 300, 1000), (25, 50)
EACH = 7.5  # jobs of a retriever and half a BM25
PLANNED, EXPONENT, START = 15, 1.15, 1.5  # goals
HEAVY = {"torch", "transformers", "numpy", "pandas", "pyarrow", "scipy", "faiss"}
DRY = ("--dry-run", "--quiet", "rules")
TURNS = 3
SHELL = """#!PYTHON -SE
# in place of a job's work: an artifact without files, of the settings, code and inputs that the job has
import hashlib, json, os, shlex, sys

if sys.argv[1].startswith("--"):
    os.execv("/bin/bash", ["bash", *sys.argv[1:]])


def content(path):
    with open(path, "rb") as file:
        read = file.read()
    return json.loads(read)["content"] if path.endswith(".json") else hashlib.sha256(read).hexdigest()


given = {}
for word in shlex.split(sys.argv[-1]):
    if word.startswith("--"):
        values = given[word[2:]] = []
    elif given:
        values.append(word)
output, settings, code = given.pop("output")[0], json.loads("".join(given.pop("settings"))), given.pop("code")[0]
given.pop("study", None)  # said, not read
paths = [path for values in given.values() for path in values if os.path.isfile(path)]
record = {"format": 1, "content": output, "files": {}, "facts": {"study": "STUDY"}, "settings": settings, "code": code}
record["inputs"] = {path: content(path) for path in paths}
record["sum"] = hashlib.sha256(json.dumps(record, ensure_ascii=False).encode()).hexdigest()
with open(output, "w") as file:
    json.dump(record, file, indent=1, ensure_ascii=False)
for suffix in (".csv", ".md", ".tex", ".html"):
    open(output.removesuffix(".json") + suffix, "w").close()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=HOME / "data" / "benchmarks" / "plan")
    parser.add_argument("--profile", action="store_true", help="what of the largest study's time is the project's own")
    parser.add_argument("--smoke", action="store_true", help="seconds, to see that it runs")
    options = parser.parse_args()
    shutil.rmtree(options.work, ignore_errors=True)
    start(options.work / "start")
    seen = {"everything": [], "nothing": []}
    for wanted in SMOKE if options.smoke else JOBS:
        project = ours.project(options.work / str(wanted), study(wanted))
        seconds, core, told = timed(project, *DRY)
        jobs = int(re.search(r"^total +(\d+)$", told, re.MULTILINE)[1])
        seen["everything"].append((jobs, core))
        say(f"snakemake -n, {jobs:,} jobs, everything to do ({core:.1f} s of a core)", seconds, PLANNED, "s", most=True)
        pretend(project, options.work / "shell")
        seconds, core, told = timed(project, *DRY)
        if "Nothing to be done" not in told:
            sys.exit(f"{project.folder}: something is to be done\n{told}")
        seen["nothing"].append((jobs, core))
        say(f"snakemake -n, {jobs:,} jobs, nothing to do ({core:.1f} s of a core)", seconds, PLANNED, "s", most=True)
    for what, points in seen.items():
        (few, fast), (many, slow) = points[-2:]
        exponent = math.log(slow / fast) / math.log(many / few)
        say(f"{what} to do, exponent from {few:,} to {many:,} jobs", exponent, EXPONENT, most=True)
    if options.profile:
        profile(project, options.work / "profile")


def study(jobs: int) -> dict:
    """Of about so many jobs."""
    count = max(2, round(jobs / EACH))
    numbers, halves = list(range(count)), [round(0.5 + row / count, 3) for row in range(count // 2)]
    texts = {"data": "texts", "query_length": 16, "passage_length": 32}
    retriever = {"recipe": "retriever", "from": "bert", "negatives": ["bm25"], "seed": "{seed}", **texts}
    shape = {"layers": 2, "hidden": 32, "heads": 2, "vocabulary": 1000}
    names = [f"r-{seed}" for seed in numbers] + [f"bm25-{k1}" for k1 in halves]
    return {
        "datasets": {"texts": {"source": "pydocs", "packages": ["json"]}},
        "models": {
            "bert": {"recipe": "mlm", "from": "scratch", "data": "texts", "architecture": shape},
            "r-{seed}": {"vary": {"seed": numbers}, **retriever},
        },
        "rankers": {"bm25": {"kind": "bm25"}, "bm25-{k1}": {"vary": {"k1": halves}, "kind": "bm25", "k1": "{k1}"}},
        "tables": {"all": {"rankers": ["bm25", *names], "on": "texts/test", "metrics": ["MRR@10", "R@100"]}},
    }


def timed(project: ours.Project, *arguments: str) -> tuple[float, float, str]:
    """Seconds, seconds of a core, and what Snakemake said."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    told = project.snakemake(*arguments)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, told


def pretend(project: ours.Project, folder: Path) -> None:
    """Run a study with a shell that works nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bash").write_text(SHELL.replace("STUDY", ours.STUDY).replace("PYTHON", sys.executable))
    (folder / "bash").chmod(0o755)
    command = [sys.executable, "-m", "snakemake", "--cores", "8", "--nolock", "--quiet", "all"]
    path = os.pathsep.join([str(folder.resolve()), os.environ["PATH"]])
    done = subprocess.run(
        command, cwd=project.folder, capture_output=True, text=True, env=ours.environment() | {"PATH": path}
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)


def start(folder: Path) -> None:
    """Reading the quickstart, beside a workflow of nothing; and what of the project's own modules is heavy."""
    project = ours.project(folder / "quickstart", HOME / "studies" / "quickstart.yaml")
    empty = ours.Project(folder / "empty")
    empty.folder.mkdir()
    empty.path("Snakefile").write_text("rule all:\n")
    _, bare, _ = min(timed(empty, "--list") for _ in range(TURNS))
    seconds, core, _ = min(timed(project, "--list") for _ in range(TURNS))
    cores = f"{core:.1f} s of a core, {bare:.1f} for an empty Snakefile"
    say(f"snakemake --list of the quickstart ({cores})", seconds, START, "s", most=True)
    found = heavy(project)
    say(f"heavy packages that our modules import there ({', '.join(found) or 'none'})", len(found), 0, most=True)


def heavy(project: ours.Project) -> list[str]:
    """What the project's modules bring with them that Snakemake loads, in a process without Snakemake's own."""
    command = [sys.executable, "-X", "importtime", "-m", "snakemake", "--list"]
    told = subprocess.run(
        command, cwd=project.folder, capture_output=True, text=True, check=True, env=ours.environment()
    )
    names = {line.split("|")[-1].strip() for line in told.stderr.splitlines() if line.startswith("import time:")}
    modules = sorted(name for name in names if name.split(".")[0] == "dewpoint")
    code = f"import sys, {', '.join(modules)}; print(*sorted(set(sys.modules) & {HEAVY!r}))"
    path = os.environ | {"PYTHONPATH": str(HOME / "scripts")}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=path
    ).stdout.split()


def profile(project: ours.Project, file: Path) -> None:
    """The functions of the project's that take most, with all that they call; nothing is to be done."""
    command = [
        sys.executable,
        "-m",
        "cProfile",
        "-o",
        str(file.resolve()),
        "-m",
        "snakemake",
        "--dry-run",
        "--cores",
        "all",
    ]
    subprocess.run(command, cwd=project.folder, capture_output=True, check=True, env=ours.environment())
    measured = pstats.Stats(str(file))
    print(f"{measured.total_tt:.1f} s in all, under the profiler; functions of the project, with what they call:")
    own = [
        (cumulative, calls, f"{Path(path).name}:{line} {name}")
        for (path, line, name), (_, calls, _, cumulative, _) in measured.stats.items()
        if "dewpoint" in path or "/rules/" in path or path.endswith("Snakefile")
    ]
    for cumulative, calls, where in sorted(own, reverse=True)[:25]:
        print(f"  {cumulative:7.2f} s {calls:>9,} × {where}")


if __name__ == "__main__":
    main()
