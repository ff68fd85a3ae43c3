"""Files of word vectors, as GloVe and word2vec write text: a word and its numbers a line, below `words size` or not."""

from collections.abc import Container, Iterator
from pathlib import Path

import numpy as np

from dewpoint.data.reading import NUMBER, counted, lines, lines_of, zipped
from dewpoint.errors import UserError

Rows = Iterator[tuple[str, str]]


def read_vectors(path: Path, member: str, wanted: Container[str]) -> tuple[list[str], np.ndarray]:
    """The words that are wanted and their vectors, [words, size]; of all other lines none is kept.

    `member` is the file of a .zip that is read. Of a word that comes again the first counts.
    """
    if path.suffix != ".zip":
        return _read(lines(path), str(path), wanted)
    with zipped(path, member) as file:
        return _read(lines_of(file, path / member), str(path / member), wanted)


def _read(rows: Rows, path: str, wanted: Container[str]) -> tuple[list[str], np.ndarray]:
    found: dict[str, np.ndarray] = {}
    size, said, count = 0, None, 0
    for place, line in counted(rows, f"words of {Path(path).name}"):
        line = line.rstrip(" ")
        if not size and not said and (head := line.split(" "))[1:] and len(head) == 2 and all(map(str.isdecimal, head)):
            said = int(head[0]), int(head[1])
            continue
        fresh, size = not size, size or _size(line, said, place)
        word = _word(line, size, place)
        count += 1
        if fresh or (word in wanted and word not in found):
            vector = _vector(line, size, place)
            if word in wanted:
                found[word] = vector
    if not count:
        raise UserError(f"{path}: no word in it; expected a word and its vector a line")
    if said and count != said[0]:
        raise UserError(f"{path}: {count:,} words, but its first line says {said[0]:,}; is it whole?")
    if not found:
        raise UserError(f"{path}: none of its {count:,} words is in the examples; is it another language's?")
    return [*found], np.stack([*found.values()])


def _size(line: str, said: tuple[int, int] | None, place: str) -> int:
    """Of the vectors: what the first line of a file says, or how many numbers the first word has."""
    if said:
        return said[1]
    if not (size := line.count(" ")):
        raise UserError(f"{place}: expected a word and its vector, with spaces between")
    return size


def _word(line: str, size: int, place: str) -> str:
    """What stands before so many numbers; it may have spaces, as in glove.840B, but does not end with a number."""
    word, *numbers = line.rsplit(" ", size)
    if len(numbers) < size:
        raise UserError(f"{place}: {len(numbers)} numbers, expected a word and {size}")
    if " " in word and NUMBER.fullmatch(word.rpartition(" ")[2]):
        raise UserError(f"{place}: more than {size} numbers, expected a word and {size}")
    return word


def _vector(line: str, size: int, place: str) -> np.ndarray:
    numbers = line.rsplit(" ", size)[1:]
    try:
        vector = np.array([*map(float, numbers)], np.float32)
    except ValueError:
        wrong = next(one for one in numbers if not NUMBER.fullmatch(one))
        raise UserError(f"{place}: '{wrong}' is no number; expected a word and {size} numbers") from None
    if not np.isfinite(vector).all():
        raise UserError(f"{place}: a number that float32 does not hold")
    return vector
