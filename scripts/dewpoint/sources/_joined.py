"""What sources share that are made of other datasets."""

from collections.abc import Iterator

BATCH = 10_000  # rows held at once


def nested(study, name: str) -> str | None:
    """What is wrong with being made of a dataset that is made of others itself: one step is all that is followed."""
    if any(section == "datasets" for _, section, _ in study.datasets[name].names()):
        return f"'{name}' is made of others itself; name what it is made of"
    return None


def rows(data, table: str, columns: list[str]) -> Iterator[tuple]:
    """The rows of a dataset's table."""
    for batch in data.batches(table, columns, BATCH):
        yield from zip(*(batch[column].to_pylist() for column in columns), strict=True)
