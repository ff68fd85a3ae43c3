"""`convai2`: PersonaChat as the ConvAI2 competition has it: the next utterance of a chat, out of 20 candidates.

A context is what is known of the speaker, then all that was said, a line each. The test set was never published.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dewpoint.data import tiny, tiny_marco
from dewpoint.data.catalogue import Download
from dewpoint.data.reading import counted, lines_of, members
from dewpoint.errors import UserError
from dewpoint.sources._dialogue import PARLAI, Dialogue, Exchanges, tiny_exchanges

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter

FILE = "convai2_fix_723.tgz"
DOWNLOAD = Download(
    f"{PARLAI}convai2/{FILE}",
    checksum="sha256:d0ae89defe2fd0b0a4221eaa642a457d7d40cef475f54798119c7f3b8dd9361d",
    licence="CC BY 4.0, as ParlAI's page of it says",
)
PARTS = {"train": "train", "valid": "dev"}  # what their files are called → split
OTHERS = 19  # candidates beside the right one


class ConvAI2(Dialogue):
    """PersonaChat as ConvAI2 has it; splits train and dev (its valid), both with 20 candidates."""

    average_words: ClassVar[float] = 11
    estimated: ClassVar[int] = 130_000
    archive: ClassVar[tuple[str, Download]] = (FILE, DOWNLOAD)
    paper: ClassVar[str] = "convai2"
    splits: ClassVar[tuple[str, ...]] = ("train", "dev")
    cites: ClassVar[tuple[str, ...]] = ("zhang2018personachat", "dinan2019convai2")

    source: Literal["convai2"]
    persona: Literal["original", "revised"] = Field(
        "original", description="what is known of the speaker: in the words that were given, or put otherwise"
    )

    def expected(self) -> dict[str, int | dict[str, int]]:
        return {"queries": {"train": 131_438, "dev": 7_801}}


def write(writer: "DatasetWriter", files: dict[str, Path], persona: str = "original") -> None:
    said, archive = Exchanges(writer), files[FILE]
    names = {f"{part}_self_{persona}.txt": split for part, split in PARTS.items()}
    for name, file in members(archive, names):
        for exchange in counted(_exchanges(lines_of(file, archive / name)), f"exchanges of {name}"):
            place, *texts = exchange
            said.add(place, names[name], *texts)
    said.finish(archive)


def _exchanges(rows: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[str], str, list[str]]]:
    """(place, what is known and was said, response, candidates); lines are numbered, from 1 where a chat begins.

    A line of two speakers is `3 text⇥response⇥reward⇥candidate|…`; one without tabs is known of who responds.
    """
    turns, number = [], 0
    for place, line in rows:
        if not line:
            continue
        written, _, text = line.partition(" ")
        if written not in ("1", str(number + 1)):
            raise UserError(f"{place}: line number '{written[:20]}', expected {number + 1}, or 1 where a chat begins")
        turns, number = ([], 1) if written == "1" else (turns, number + 1)
        said, *rest = text.split("\t")
        turns.append(said)
        if rest:
            if len(rest) != 3:
                raise UserError(
                    f"{place}: {1 + len(rest)} fields, expected text, response, reward, candidates with tabs"
                )
            yield place, [*turns], rest[0], rest[2].split("|")
            turns.append(rest[0])


# --- rehearsal ----------------------------------------------------------------------------------


def rehearse(folder: Path, words: tiny.Words, persona: str = "original") -> None:
    """All files of who knows their own persona, and one of who knows none: a candidate that comes twice, chats of
    one exchange and of four."""
    packed = {}
    for part, split in PARTS.items():
        written = [*tiny_exchanges(words, split, OTHERS)]
        for kind in ("original", "revised"):
            packed[f"{part}_self_{kind}.txt"] = tiny_marco.lines(_lines(words, written))
    packed["valid_none_original_no_cands.txt"] = "1 hi !\thello .\n"
    tiny_marco.write_tar(folder / FILE, packed)


def _lines(words: tiny.Words, written: list[tuple[list[str], str, list[str]]]) -> Iterator[str]:
    number = 0
    for row, (turns, right, wrong) in enumerate(written):
        if row % 5 in (0, 1):  # a chat begins
            for number in range(1, 5):
                yield f"{number} your persona: {words.passage(5).lower()}"
        number += 1
        candidates = [*wrong, right] if row % 7 else [*wrong[1:], wrong[-1], right]
        yield f"{number} {turns[-1]}\t{right}\t\t{'|'.join(candidates)}"
