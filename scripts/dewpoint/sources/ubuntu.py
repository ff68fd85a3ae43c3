"""`ubuntu`: Ubuntu's dialogue corpus of technical help, version 2: what was said next, out of 10 candidates.

As ParlAI reads it, `__eou__`, the end of an utterance, becomes a full stop and `__eot__`, of a turn, the end of a line.
Of train.csv the rows with label 1 are pairs; those with label 0 have a response drawn at random, as any batch has.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from dewpoint.data import tiny, tiny_marco
from dewpoint.data.catalogue import Download
from dewpoint.data.reading import counted, float32, lines_of, members, quoted_of
from dewpoint.errors import UserError
from dewpoint.sources._dialogue import PARLAI, Dialogue, Exchanges, tiny_exchanges

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter

FILE = "ubuntu.tar.gz"
DOWNLOAD = Download(
    f"{PARLAI}ubuntu/{FILE}",
    checksum="sha256:87caf297381287247cbff3aa7cc2f4609f3b12c40e8535688168d7413740e0d0",
    licence="none is stated; the scripts that made it are under Apache 2.0, its texts from Ubuntu's public IRC logs",
)
PARTS = {"train.csv": "train", "valid.csv": "dev", "test.csv": "test"}
OTHERS = 9  # distractors
LABELLED = ["Context", "Utterance", "Label"]
RANKED = ["Context", "Ground Truth Utterance", *(f"Distractor_{number}" for number in range(OTHERS))]


class Ubuntu(Dialogue):
    """Ubuntu's dialogue corpus, version 2; splits train, and with 10 candidates dev (its valid) and test."""

    average_words: ClassVar[float] = 17
    estimated: ClassVar[int] = 900_000
    archive: ClassVar[tuple[str, Download]] = (FILE, DOWNLOAD)
    paper: ClassVar[str] = "ubuntu-v2"
    unlisted: ClassVar[tuple[str, ...]] = ("train",)
    cites: ClassVar[tuple[str, ...]] = ("lowe2015ubuntu",)

    source: Literal["ubuntu"]

    def expected(self) -> dict[str, int | dict[str, int]]:
        """How many rows of train.csv have label 1 is not publicly known."""
        return {"queries": {"dev": 19_560, "test": 18_920}}

    def roughly(self) -> dict[str, int | dict[str, int]]:
        """Half of its million rows, if it was made as its README says."""
        return super().roughly() | {"queries": {"train": 500_000}}


def write(writer: "DatasetWriter", files: dict[str, Path]) -> None:
    said, archive = Exchanges(writer), files[FILE]
    for name, file in members(archive, PARTS):
        rows = counted(quoted_of(lines_of(file, archive / name)), f"rows of {name}")
        read = _labelled if PARTS[name] == "train" else _ranked
        for place, context, response, candidates in read(rows, archive / name):
            said.add(place, PARTS[name], [plain(context)], plain(response), candidates)
    said.finish(archive)


def plain(text: str) -> str:
    """Without marks."""
    return text.replace("__eou__", ".").replace("__eot__", "\n").strip()


Rows = Iterable[tuple[str, list[str]]]
Read = Iterator[tuple[str, str, str, list[str] | None]]  # (place, context, response, candidates)


def _labelled(rows: Rows, path: Path) -> Read:
    for place, (context, response, label) in _under(LABELLED, rows, path):
        if (right := float32(label, "label", place)) not in (0, 1):
            raise UserError(f"{place}: label '{label}', expected 1 or 0")
        if right:
            yield place, context, response, None


def _ranked(rows: Rows, path: Path) -> Read:
    for place, (context, response, *others) in _under(RANKED, rows, path):
        yield place, context, response, [*map(plain, others), plain(response)]


def _under(header: list[str], rows: Rows, path: Path) -> Iterator[tuple[str, list[str]]]:
    """The rows under a header."""
    rows = iter(rows)
    if (found := next(rows, (path, []))[1]) != header:
        raise UserError(f"{path}: its columns are {', '.join(found) or 'none'}; expected {', '.join(header)}")
    for place, row in rows:
        if len(row) != len(header):
            raise UserError(f"{place}: {len(row)} fields, the header has {len(header)}")
        yield place, row


# --- rehearsal ----------------------------------------------------------------------------------


def rehearse(folder: Path, words: tiny.Words) -> None:
    """All three files: rows with label 0, labels as 1 and as 1.0, a distractor that is the response, one that comes
    twice, a text over two lines."""
    packed = {name: tiny.separated(_table(words, split), ",") for name, split in PARTS.items()}
    tiny_marco.write_tar(folder / FILE, {f"./{name}": text.replace("\n", "\r\n") for name, text in packed.items()})


def _table(words: tiny.Words, split: str) -> list[list[str]]:
    rows = []
    for row, (turns, right, wrong) in enumerate(tiny_exchanges(words, split, OTHERS)):
        context = "".join(f"{turn} __eou__ {'one more __eou__ ' * (row % 2)}__eot__ " for turn in turns)
        right, *wrong = (f"{text} __eou__" for text in (right, *wrong))
        if split == "train":
            rows += [[context, right, ("1", "1.0")[row % 2]], [context, wrong[0], ("0", "0.0")[row % 2]]]
        else:
            wrong = [right if row == 3 else wrong[0], *wrong[1:-1], wrong[1] if row == 4 else wrong[-1]]
            rows.append([context.replace(" one", "\none"), right, *wrong])
    return [LABELLED if split == "train" else RANKED, *rows]
