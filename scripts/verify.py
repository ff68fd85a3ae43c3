"""Whether a study's artifacts still are what was written, and whether they are those of an earlier run.

python scripts/verify.py                                       every file against its manifest, read anew
python scripts/verify.py studies/mine.yaml --against ../then   and artifact by artifact, with what an earlier run made:
                                                               a project's folder or a study's results
python scripts/verify.py --again                               makes the study anew, apart, and compares

Exit code 1: something is damaged, out of date, or not equal to the earlier run.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from dewpoint.compared import Compared, compare, largest_difference
from dewpoint.errors import UserError
from dewpoint.inventory import Inventory, data_of, inventory
from dewpoint.study.graph import PROJECT, Graph
from dewpoint.verify import examine

SHOWN = 50  # lines of a kind


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="?", help="config.yaml's when left out")
    parser.add_argument("--against", type=Path, help="what an earlier run made: its folder")
    parser.add_argument("--again", action="store_true", help="make all of it anew, apart, and compare")
    arguments = parser.parse_args()
    graph = Graph.of_config(arguments.study)
    study, results = graph.config.study, Path(graph.results)
    os.environ["DEWPOINT_NOTES"] = str(Path(graph.config.output, ".notes").absolute())
    held = inventory(results, Path(graph.data))
    if not held.artifacts and not held.wrong:
        raise UserError(f"{results}: nothing was made there; run the study first (snakemake --config study={study})")
    good = verified(held)
    if arguments.against:
        good &= equal(held, earlier_of(arguments.against, results), "the earlier")
    if arguments.again:
        good &= equal(made_again(graph), held, "the first run")
    return 0 if good else 1


def made_again(graph: Graph) -> Inventory:
    """The study, from nothing, in folders of its own, which stay."""
    output, data = f"{graph.config.output}-again", f"{graph.config.data}-again"
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(PROJECT / "Snakefile"), "--cores", "all"]
    words = [f"study={graph.config.study}", f"output={output}", f"data={data}", "reuse=false"]
    if subprocess.run([*snakemake, "--forceall", "--config", *words]).returncode:
        raise UserError(f"{output}: the study could not be made again; what went wrong stands above")
    return inventory(Path(output, Path(graph.results).name), Path(data))


def verified(held: Inventory) -> bool:
    """Says what is wrong with what is there."""
    found = examine(held)
    show("damaged", found.damaged)
    show("out of date", found.outdated)
    show("not there, and not needed while nothing below is made anew", found.absent)
    print(f"{len(held.artifacts)} artifacts in {held.results}, {found.files:,} files, {found.bytes / 1e6:,.1f} MB read")
    return say("damaged", len(found.damaged), 0) & say("out of date", len(found.outdated), 0)


def equal(held: Inventory, earlier: Inventory, what: str) -> bool:
    """Says where two runs part, and why."""
    found: Compared = compare(held, earlier)
    if not found.equal and not found.other:
        raise UserError(f"{earlier.results}: has no artifact of the same name as one of {held.results}")
    if found.lines:
        print(f"where the two part first, {what} → now:")
        print(*found.lines[: 4 * SHOWN], sep="\n")
    follows = len(found.other) - sum(not line.startswith(" ") for line in found.lines)
    if follows:
        print(f"{follows} more differ, which follows from these")
    if largest := largest_difference(held, earlier):
        print(f"the largest difference of a metric: {largest}")
    show("measured anew, not compared", found.measured)
    show(f"not in {what}", found.here)
    show(f"only in {what}", found.there)
    return say(f"equal to {what}", found.equal, found.equal + len(found.other))


def earlier_of(folder: Path, results: Path) -> Inventory:
    """What an earlier run made, wherever in a folder it lies."""
    inside = [folder / results, folder / "results" / results.name, folder / results.name, folder]
    for place in [place for place in inside if place.is_dir()]:
        found = inventory(place, data_of(place))
        if found.artifacts:
            return found
    raise UserError(f"{folder}: no results of {results.name} there; expected a project's folder or a study's results")


def show(what: str, lines: list[str]) -> None:
    if lines:
        print(f"{what}:", *lines[:SHOWN], sep="\n    ")
    if len(lines) > SHOWN:
        print(f"    and {len(lines) - SHOWN:,} more")


def say(name: str, value: int, goal: int) -> bool:
    print(f"{name}: {value:,}, goal {goal:,}, {'ok' if value == goal else 'short'}", flush=True)
    return value == goal


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
