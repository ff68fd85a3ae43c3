"""Two results of a study side by side: which figures of its tables moved, and in what the two were made otherwise.

python scripts/side_by_side.py studies/mine.yaml --with ../then    a project's folder, a study's results, or an archive

Nothing is judged: the exit code is 0 unless something cannot be read. Times of a clock are not compared.
"""

import argparse
import tempfile
from pathlib import Path

from dewpoint.archive import manifests_of
from dewpoint.errors import UserError
from dewpoint.inventory import Inventory, inventory, results_in
from dewpoint.otherwise import named_shortly, what_differs
from dewpoint.program import by_hand
from dewpoint.report.markdown import MARK
from dewpoint.report.moved import Moved, figures, moved, of_one
from dewpoint.report.tables import CHANCE
from dewpoint.study.graph import places

SHOWN = 50  # lines of a kind


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="?", help="config.yaml's when left out")
    parser.add_argument("--with", type=Path, required=True, dest="other", help="what another run made")
    arguments = parser.parse_args()
    study, output, data = places(arguments.study)
    results = Path(output, Path(study).stem)
    now = readable(inventory(results, Path(data)))
    if not now.artifacts:
        raise UserError(f"{results}: nothing was made there; run the study first (snakemake --config study={study})")
    with tempfile.TemporaryDirectory() as apart:
        other = arguments.other
        folder = manifests_of(other, Path(apart), scores=True) if other.is_file() else other
        print(*lines(now, readable(results_in(folder, other, results))), sep="\n")


def readable(held: Inventory) -> Inventory:
    if held.wrong:
        raise UserError(held.wrong[0])
    return held


def lines(now: Inventory, then: Inventory) -> list[str]:
    """All that there is to say, then → now."""
    found, differing = moved(now, then), what_differs(now, then)
    both = figures(now)[0].keys() & figures(then)[0].keys()
    said = [f"figures that moved: {len(found):,} of {len(both):,}"]
    said += [f"  {line}" for line in as_rows(found)]
    for where, one, other in (("there", then, now), ("here", now, then)):
        if only := [" ".join(figure) for figure in of_one(one, other)]:
            said.append(f"figures only {where}: {named_shortly(only)}")
    said.append(f"what differs: {', '.join(differing) if differing else 'nothing'}")
    for what, of in differing.items():
        said += [f"  {what}", *(f"    {line}" for line in shortened(of))]
    return said


def as_rows(found: list[Moved]) -> list[str]:
    """Columns of even width."""
    if not found:
        return []
    rows = [["table", "ranker", "on", "metric", "then", "now", "difference", "p"]]
    for one in found:
        p = one.untested if one.p is None else f"{one.p:.3f}{MARK if one.p < CHANCE else ''}"
        numbers = f"{one.then:.6g}", f"{one.now:.6g}", f"{one.now - one.then:+.6f}"
        rows.append([",".join(one.tables), *one.figure, *numbers, p])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return [*shortened(aligned), *note(found)]


def note(found: list[Moved]) -> list[str]:
    if all(one.p is None for one in found):
        return []
    what = "beyond chance" if any(one.p is not None and one.p < CHANCE for one in found) else "none is beyond chance"
    return [f"{MARK} {what}: p < {CHANCE:g} (paired bootstrap over queries, corrected)"]


def shortened(said: list[str]) -> list[str]:
    return said[:SHOWN] + ([f"and {len(said) - SHOWN:,} more"] if len(said) > SHOWN else [])


if __name__ == "__main__":
    by_hand(main)
