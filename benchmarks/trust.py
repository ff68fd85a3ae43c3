"""What it costs that artifacts can be trusted: the share of the programs' time that goes into manifests and checks.

The quickstart is run, and in each of its programs these calls are timed: an artifact is begun (its lease, the hashes of
its inputs), looked for among what was made before, sealed (hashes of its files, what is said of packages, code and
machine, the manifest), and the files of others are opened. Prints a line: name, value, goal, ok or short.
"""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

HOME = Path(__file__).parents[1]
sys.path[:0] = [str(HOME / "scripts"), str(HOME)]

from benchmarks import ours
from benchmarks.common import say

SHARE = 0.02  # goal
SMALL = {
    "datasets": {"docs": {"source": "pydocs", "packages": ["json", "email"]}},
    "rankers": {"bm25": {"kind": "bm25", "depth": 20}},
    "tables": {"t": {"rankers": ["bm25"], "on": "docs/test", "metrics": ["MRR@10"]}},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=HOME / "data" / "benchmarks" / "trust")
    parser.add_argument("--smoke", action="store_true", help="seconds, to see that it runs")
    options = parser.parse_args()
    shutil.rmtree(options.work, ignore_errors=True)
    project = ours.project(options.work / "project", SMALL if options.smoke else HOME / "studies" / "quickstart.yaml")
    told = options.work / "told"
    told.mkdir()
    os.environ |= {"TIMED_TRUST": str(told.resolve()), "PYTHONPATH": str(HOME / "benchmarks" / "timing")}
    project.snakemake()
    said = [json.loads(path.read_text()) for path in told.glob("*.json")]
    seconds = sum(one["seconds"] for one in said)
    spent: dict[str, float] = {}
    for one in said:
        for name, took in one["spent"].items():
            spent[name] = spent.get(name, 0) + took
    parts = ", ".join(f"{name.strip('_')} {took:.1f} s" for name, took in sorted(spent.items()))
    what = f"share of manifests and checks in {len(said)} programs ({parts} of {seconds:.0f} s)"
    say(what, sum(spent.values()) / seconds, SHARE, most=True)


if __name__ == "__main__":
    main()
