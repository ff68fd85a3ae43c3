"""Prepare a dataset: passages, queries and judgements of a source, or its examples, as Parquet."""

from pathlib import Path

from dewpoint.artifact import Artifact, member, read_manifest
from dewpoint.data.dataset import DatasetWriter
from dewpoint.errors import UserError
from dewpoint.program import Settings, run
from dewpoint.study.kind import kind, work_of


def main(artifact: Artifact, settings: Settings, study: str, files: list[Path]) -> None:
    options = vars(settings)
    source, expected = options.pop("source"), options.pop("expected", Settings())
    relevant = options.pop("relevant", None)
    writer = DatasetWriter(artifact)
    if kind("sources", source).joins():
        options["files"] = files
    elif kind("sources", source).fetched():
        options["files"] = {name: member(path, name) for path in files for name in read_manifest(path)["files"]}
    work_of("sources", source, "write")(writer, **options)
    if relevant is not None:
        writer.relevant |= dict.fromkeys(writer.queries, relevant)
    writer.refuse_nothing_relevant()
    writer.finish()
    refuse_other_counts(source, artifact.facts, expected)
    artifact.facts |= {"study": study}


def refuse_other_counts(source: str, found: dict, expected: Settings) -> None:
    """Stop when there are not as many passages, queries, judgements and examples as were published."""
    for what, wanted in vars(expected).items():
        splits = vars(wanted) if isinstance(wanted, Settings) else {"": wanted}
        for split, number in splits.items():
            count = found.get(what, {}).get(split, 0) if split else found[what]
            if count != number:
                what = f"{split} {what}".strip()
                raise UserError(f"{source}: {count:,} {what}, expected {number:,}; are the files another version's?")


if __name__ == "__main__":
    run(main)
