"""Which rows of a dataset the ids are that others wrote about one of its splits."""

import logging
from collections.abc import Iterator

from dewpoint.data.dataset import Dataset
from dewpoint.data.ids import Ids
from dewpoint.errors import UserError

log = logging.getLogger(__name__)


class KnownRows:
    """Rows by id; queries of the dataset's other splits have none, and are counted, while other ids are a mistake."""

    def __init__(self, dataset: Dataset, split: str):
        self.dataset, self.elsewhere = dataset, 0
        self.queries, self.passages = _rows(dataset, f"queries.{split}"), _rows(dataset, "corpus")
        self.others = {id for other in dataset.splits if other != split for id in _ids(dataset, f"queries.{other}")}

    def query(self, place: str, id: str) -> int | None:
        if (row := self.queries.get(id)) is None:
            if id not in self.others:
                raise self._unknown(place, "query", id)
            self.elsewhere += 1
        return row

    def passage(self, place: str, id: str) -> int:
        if (row := self.passages.get(id)) is None:
            raise self._unknown(place, "passage", id)
        return row

    def warn(self) -> None:
        """Of lines that were passed over."""
        if self.elsewhere:
            log.warning("warning: %s lines of other splits' queries passed over", f"{self.elsewhere:,}")

    def _unknown(self, place: str, what: str, id: str) -> UserError:
        return UserError(f"{place}: unknown {what} '{id}'; {self.dataset.manifest.parent} has none of this id")


def _ids(dataset: Dataset, table: str) -> Iterator[str]:
    for batch in dataset.batches(table, ["id"]):
        yield from batch["id"].to_pylist()


def _rows(dataset: Dataset, table: str) -> Ids:
    rows = Ids()
    for id in _ids(dataset, table):
        rows.add(id)
    return rows
