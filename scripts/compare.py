"""Test a table's rankers against its baseline, on each metric of quality."""

from pathlib import Path

import pandas as pd

from dewpoint.artifact import Artifact, member
from dewpoint.evaluation.significance import LEVEL, RESAMPLES, compare, holm
from dewpoint.program import Settings, run


def main(artifact: Artifact, settings: Settings, scores: list[Path]) -> None:
    """`scores` are of all rankers on the first split, then of all on the next."""
    parts, files = [], map(member, scores)
    for place in settings.places:
        columns = ["query", *place.metrics]
        tables = [pd.read_parquet(next(files), columns=columns).set_index("query") for _ in settings.rankers]
        if place.metrics:
            part = compare(dict(zip(settings.rankers, tables, strict=True)), settings.baseline, settings.seed)
            part.insert(1, "dataset", place.dataset)
            part.insert(2, "split", place.split)
            parts.append(part)
    found = pd.concat(parts, ignore_index=True)
    for test in ("t_test", "bootstrap"):
        found[f"{test}_corrected"] = holm(found[test].to_numpy())
    found.to_parquet(artifact.beside(".parquet"), index=False)
    facts = {"baseline": settings.baseline, "comparisons": len(found), "resamples": RESAMPLES, "level": LEVEL}
    artifact.facts |= facts


if __name__ == "__main__":
    run(main)
