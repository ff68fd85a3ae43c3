"""A study that is killed at random moments: nothing that was finished is lost, nothing half-made is used.

Each time Snakemake and all of its jobs are killed together (SIGKILL), some seconds after none, one or two more
artifacts were finished, so that every stage is met; the same command starts again. In the end every file is read anew
and compared with those of an undisturbed run. When the study is finished before enough kills, it begins again, with
another seed. Prints a line for each figure: name, value, goal, ok or short.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

HOME = Path(__file__).parents[1]
sys.path[:0] = [str(HOME / "scripts"), str(HOME)]

from benchmarks import ours
from benchmarks.common import say
from dewpoint.compared import compare
from dewpoint.inventory import Inventory, inventory
from dewpoint.verify import examine

STEPS, EPOCHS = 200, 2  # trainings of some seconds
MORE = (0, 0, 1, 2)  # artifacts that are finished between a start and the kill, and then
LONGEST = 8.0  # seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=HOME / "data" / "benchmarks" / "soak")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    options = parser.parse_args()
    shutil.rmtree(options.work, ignore_errors=True)
    moments, kills, lost, damaged, other, compared = random.Random(options.seed), 0, [], [], [], 0
    turn = 0
    while kills < options.kills:
        turn += 1
        study = ours.miniature(STEPS, EPOCHS)
        config = {"checkpoint_steps": 20, "seed": turn, "threads": 1}  # so that two train at once
        clean = ours.project(options.work / "clean" / str(turn), study, **config)
        clean.snakemake()
        tried = ours.project(options.work / "killed" / str(turn), study, **config)
        sealed: dict[str, str] = {}
        while kills < options.kills and not finished(tried, moments.choice(MORE), moments.uniform(0, LONGEST)):
            kills += 1
            here = contents(held(tried))
            lost += [f"{turn}: {name}" for name in sealed if here.get(name) != sealed[name]]
            sealed |= here
            print(f"kill {kills}: {len(here)} artifacts there", file=sys.stderr, flush=True)
        finished(tried)
        found = compare(held(tried), held(clean))
        damaged += examine(held(tried)).damaged
        other += [f"{turn}: {line}" for line in (*found.lines, *found.here, *found.there)]
        compared += found.equal
    for line in (*lost, *damaged, *other):
        print(line)
    say("kills", kills, options.kills)
    say("artifacts lost that had been finished", len(lost), 0, most=True)
    say("damaged files in the end", len(damaged), 0, most=True)
    say(f"differing from an undisturbed run, of {compared + len(other)}", len(other), 0, most=True)


def finished(project: ours.Project, more: int | None = None, seconds: float = 0) -> bool:
    """Whether the study is finished; what makes it is killed after so many more artifacts and seconds, if any."""
    command = [sys.executable, "-m", "snakemake", "--cores", "all", "--nolock", "--quiet", "all"]
    before = count(project)
    with open(project.folder / "soak.log", "a") as log:
        running = subprocess.Popen(
            command, cwd=project.folder, stdout=log, stderr=log, env=ours.environment(), start_new_session=True
        )
    while running.poll() is None and (more is None or count(project) < before + more):
        time.sleep(0.2)
    try:
        if running.wait(seconds):
            sys.exit(f"{project.folder}/soak.log: the study failed after a kill")
        return True
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        time.sleep(0.2)
        return False


def count(project: ours.Project) -> int:
    return sum(1 for top in (ours.RESULTS, "data") for _ in (project.folder / top).rglob("*.json"))


def held(project: ours.Project) -> Inventory:
    return inventory(project.folder / ours.RESULTS, project.folder / "data")


def contents(found: Inventory) -> dict[str, str]:
    return {name: one.record["content"] for name, one in found.artifacts.items()}


if __name__ == "__main__":
    main()
