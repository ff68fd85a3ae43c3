"""`dstc7`: Ubuntu's dialogues of DSTC7, track 1, subtask 1: what the helper says next, out of 100 candidates.

As ParlAI reads it, a turn is `participant 1: …`, a line each. Which candidate of the test set is right is in a file of
its own.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from dewpoint.data import tiny, tiny_marco
from dewpoint.data.catalogue import Download
from dewpoint.data.reading import counted, json_array_of, lines_of, members, objects, text
from dewpoint.errors import UserError
from dewpoint.sources._dialogue import PARLAI, Dialogue, Exchanges, tiny_exchanges

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter

FILE = "dstc7_v2.tgz"
DOWNLOAD = Download(
    f"{PARLAI}dstc7/{FILE}",
    checksum="sha256:cc8fd830f9894768ab4f7b104cddd4105456812ab614041337ec12c5a3a56685",
    licence="none is stated; its texts are from Ubuntu's public IRC logs",
)
PARTS = {f"ubuntu_{split}_subtask_1.json": split for split in ("train", "dev", "test")}
TEST, ANSWERS = "ubuntu_test_subtask_1.json", "ubuntu_responses_subtask_1.tsv"
OTHERS = 99  # candidates beside the right one
TURNS, RIGHT, OPTIONS = "messages-so-far", "options-for-correct-answers", "options-for-next"


class Dstc7(Dialogue):
    """Ubuntu's dialogues of DSTC7, track 1; splits train, dev and test, all with 100 candidates."""

    estimated: ClassVar[int] = 4_000_000
    archive: ClassVar[tuple[str, Download]] = (FILE, DOWNLOAD)
    paper: ClassVar[str] = "dstc7"
    cites: ClassVar[tuple[str, ...]] = ("gunasekara2019dstc7", "lowe2015ubuntu")

    source: Literal["dstc7"]

    def expected(self) -> dict[str, int | dict[str, int]]:
        return {"queries": {"train": 100_000, "dev": 5_000, "test": 1_000}}


def write(writer: "DatasetWriter", files: dict[str, Path]) -> None:
    said, archive = Exchanges(writer), files[FILE]
    asked, answers = [], {}
    for name, file in members(archive, [*PARTS, ANSWERS]):
        path = archive / name
        if name == ANSWERS:
            answers = dict(_answers(lines_of(file, path)))
        elif name == TEST:  # a few, whose answers may come later
            asked = list(json_array_of(file, path))
        else:
            for place, entry in counted(json_array_of(file, path), f"dialogues of {name}"):
                _add(said, place, PARTS[name], entry, _utterances(entry, RIGHT, place))
    for place, entry in asked:
        id = text(entry, "example-id", place)
        if id not in answers:
            raise UserError(f"{place}: example '{id}' has no line in {ANSWERS}")
        _add(said, place, PARTS[TEST], entry, [answers[id]])
    said.finish(archive)


def _add(said: Exchanges, place: str, split: str, entry: dict[str, Any], right: list[str]) -> None:
    if len(right) != 1:
        raise UserError(f"{place}: '{RIGHT}' has {len(right)} responses, expected one; is it subtask 1 of Ubuntu?")
    turns = [
        f"{text(turn, 'speaker', place).replace('_', ' ')}: {text(turn, 'utterance', place)}"
        for turn in objects(entry, TURNS, place)
    ]
    said.add(place, split, turns, right[0], _utterances(entry, OPTIONS, place))


def _utterances(entry: dict[str, Any], key: str, place: str) -> list[str]:
    return [text(option, "utterance", place) for option in objects(entry, key, place)]


def _answers(rows: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """(example, the right response)."""
    for place, line in rows:
        fields = line.split("\t", 2)
        if len(fields) != 3:
            raise UserError(f"{place}: {len(fields)} fields, expected example-id, candidate-id, utterance with tabs")
        yield fields[0], fields[2]


# --- rehearsal ----------------------------------------------------------------------------------


def rehearse(folder: Path, words: tiny.Words) -> None:
    """All files: a response that its options lack, one that comes twice in them; the test set before its answers."""
    import json

    packed, first = {}, {"train": 1, "dev": 1_100_001, "test": 1_300_001}
    for name, split in PARTS.items():
        entries = [
            _entry(words, first[split] + row, split, *made)
            for row, made in enumerate(tiny_exchanges(words, split, OTHERS))
        ]
        entries[1][OPTIONS] = [one for one in entries[1][OPTIONS] if one not in entries[1][RIGHT]]
        entries[2][OPTIONS][0] = entries[2][OPTIONS][1]
        if name == TEST:
            answers = [(str(entry["example-id"]), *entry.pop(RIGHT)[0].values()) for entry in entries]
        packed[name] = json.dumps(entries, indent=4)
    packed["ubuntu_train_subtask_1_augmented.json"] = "[]"
    tiny_marco.write_tar(folder / FILE, packed | {ANSWERS: tiny_marco.tab_lines(answers)})


def _entry(words: tiny.Words, id: int, split: str, turns: list[str], right: str, wrong: list[str]) -> dict[str, Any]:
    def option(utterance: str) -> dict[str, str]:
        return {"candidate-id": f"{words.random.getrandbits(48):012X}", "utterance": utterance}

    correct, others = option(right), list(map(option, wrong))
    others.insert(words.random.randrange(len(others)), correct)
    said = [{"speaker": f"participant_{1 + at % 2}", "utterance": turn} for at, turn in enumerate(turns)]
    entry = {"data-split": split, "example-id": id, TURNS: said, RIGHT: [correct], OPTIONS: others}
    return entry | {"scenario": 1}
