"""Whether a study's artifacts still are what was written, and whether they are those of an earlier run.

python scripts/verify.py                                       every file against its manifest, read anew
python scripts/verify.py studies/mine.yaml --against ../then   and artifact by artifact, with what an earlier run made:
                                                               a project's folder, a study's results, or an archive
python scripts/verify.py --again                               makes the study anew, apart, and compares

Exit code 1: something is damaged, out of date, or not equal to the earlier run.
"""

import argparse
import os
import tempfile
from pathlib import Path

from dewpoint.again import make_again
from dewpoint.archive import manifests_of
from dewpoint.compared import Compared, compare, largest_difference
from dewpoint.errors import UserError
from dewpoint.inventory import Inventory, data_of, inventory, results_in
from dewpoint.program import by_hand
from dewpoint.study.graph import places
from dewpoint.verify import examine

SHOWN = 50  # lines of a kind


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="?", help="config.yaml's when left out")
    parser.add_argument("--against", type=Path, help="what an earlier run made: its folder, or an archive of it")
    parser.add_argument("--again", action="store_true", help="make all of it anew, apart, and compare")
    arguments = parser.parse_args()
    study, output, data = places(arguments.study)
    results = Path(output, Path(study).stem)
    os.environ["DEWPOINT_NOTES"] = str(Path(output, ".notes").absolute())
    held = inventory(results, Path(data))
    if not held.artifacts and not held.wrong:
        raise UserError(f"{results}: nothing was made there; run the study first (snakemake --config study={study})")
    good = verified(held)
    if arguments.against:
        with tempfile.TemporaryDirectory() as apart:
            earlier = arguments.against
            earlier = manifests_of(earlier, Path(apart)) if earlier.is_file() else earlier
            good &= equal(held, results_in(earlier, arguments.against, results), "the earlier")
    if arguments.again:
        anew = make_again(study, held)
        good &= equal(inventory(anew, data_of(anew)), held, "the first run")
    return 0 if good else 1


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


def show(what: str, lines: list[str]) -> None:
    if lines:
        print(f"{what}:", *lines[:SHOWN], sep="\n    ")
    if len(lines) > SHOWN:
        print(f"    and {len(lines) - SHOWN:,} more")


def say(name: str, value: int, goal: int) -> bool:
    print(f"{name}: {value:,}, goal {goal:,}, {'ok' if value == goal else 'short'}", flush=True)
    return value == goal


if __name__ == "__main__":
    by_hand(main)
