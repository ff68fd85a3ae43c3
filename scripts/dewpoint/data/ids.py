"""Which row an id has; ids that count up cost nothing."""

from collections.abc import Iterator

import numpy as np


class Ids:
    """The row of each id, in the order they come.

    While each id is the next whole number, as in collections of millions of passages, only the first and how many there
    are is remembered; from the first other id on, every one.
    """

    def __init__(self):
        self.first = self.count = 0
        self.others: dict[str, int] | None = None

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[str]:
        counted = map(str, range(self.first, self.first + self.count))
        return counted if self.others is None else iter(self.others)

    def add(self, id: str) -> bool:
        """Whether it is new."""
        if self.others is None:
            if self.count and id == str(self.first + self.count):
                self.count += 1
                return True
            if not self.count and (number := _number(id)) is not None:
                self.first, self.count = number, 1
                return True
            if self.get(id) is not None:
                return False
            self.others = {known: row for row, known in enumerate(self)}
        if id in self.others:
            return False
        self.others[id] = self.count
        self.count += 1
        return True

    def add_rows(self, count: int) -> bool:
        """The next rows' own numbers as their ids; whether all are new."""
        if self.others is None and not self.first:
            self.count += count
            return True
        return all([self.add(str(row)) for row in range(self.count, self.count + count)])

    def get(self, id: str) -> int | None:
        if self.others is not None:
            return self.others.get(id)
        number = _number(id)
        if number is None or not self.first <= number < self.first + self.count:
            return None
        return number - self.first

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """The rows of ids that are whole numbers; -1 where there is none."""
        if self.others is None:
            rows = numbers - self.first
            return np.where((rows >= 0) & (rows < self.count), rows, -1)
        unique, places = np.unique(numbers, return_inverse=True)
        return np.array([self.others.get(str(number), -1) for number in unique.tolist()], np.int64)[places]


def _number(id: str) -> int | None:
    """The whole number of which an id is the plain decimal notation."""
    if len(id) <= 18 and id.isdecimal() and str(number := int(id)) == id:
        return number
    return None
