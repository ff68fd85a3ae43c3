"""Say what a study will cost before it runs: jobs, GPU hours, core hours, disk. What is there already is not counted.

python scripts/plan.py studies/cocondenser.yaml --gpu h100
"""

import argparse
import subprocess
import sys

from dewpoint.errors import UserError
from dewpoint.study.costs import SUSTAINED, Costs, summary
from dewpoint.study.graph import PROJECT, Graph


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="?", help="config.yaml's when left out")
    parser.add_argument("--gpu", choices=SUSTAINED, default="a100", help="how fast training is assumed to be")
    parser.add_argument("--teraflops", type=float, help="what a GPU of yours sustains, in place of --gpu")
    arguments = parser.parse_args()
    graph = Graph.of_config(arguments.study)
    print(f"{graph.config.study}: what is left to be made\n")
    print(summary(Costs(graph), pending(graph.config.study), arguments.teraflops or SUSTAINED[arguments.gpu]))


def pending(study: str) -> list[tuple[str, str]]:
    """(rule, first output) of every job that Snakemake would run."""
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(PROJECT / "Snakefile"),
        "--summary",
        "--config",
        f"study={study}",
    ]
    told = subprocess.run(command, capture_output=True, text=True)
    if told.returncode:
        said = [line for line in told.stderr.splitlines() if "Error" in line or study in line] or ["no message"]
        raise UserError(f"snakemake --summary failed: {said[-1].strip()}")
    rows = [line.split("\t") for line in told.stdout.splitlines() if line.endswith("update pending")]
    return [(rule, output) for output, _, rule, *_ in rows if not output.endswith((".md", ".csv", ".tex", ".html"))]


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
