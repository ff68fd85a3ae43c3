"""`paq`: PAQ's questions, written by models from passages of Wikipedia, each with a passage that it was written from.

Passages are DPR's file (`_dpr.py`): PAQ's page says of the file it was made from, a copy of which it keeps, that it is
DPR's, and that `passage_id` is an id in it. So no question should have a passage that is not there; one that has none
is left out and counted, and the manifest says how many. The copy's size and sum are not published, nor are those of the
questions' file; the page rounds their number, 64.9 million. A question is there once, with all passages that it was
written from. The page says neither in which order they are, nor how good each is (`passage_score` is that of the best
one, unnamed), so the first that is in the corpus is taken. Answers are those of the filter's reader (`answer`), a text
or a list of texts; spans found in passages (`answers`) are read for their passages alone.
"""

import hashlib
import logging
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.data import tiny
from dewpoint.data.catalogue import Download, licensed
from dewpoint.data.reading import counted, json_lines, objects, text, texts
from dewpoint.sources import _dpr
from dewpoint.study.bases import Resources, Source
from dewpoint.study.sizes import Cost, prepared

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter

log = logging.getLogger(__name__)

PAQ = "https://dl.fbaipublicfiles.com/paq/"
QUESTIONS = "PAQ.metadata.jsonl.gz"
LICENCES = {_dpr.DPR: _dpr.LICENCE, PAQ: "CC BY-SA 3.0"}
DOWNLOADS = {_dpr.CORPUS: _dpr.CORPUS_FILE, QUESTIONS: Download(f"{PAQ}v1/{QUESTIONS}")}
COUNTS = {"all": 64.9e6, "L1": 14.1e6, "L4": 53.8e6, "NE": 12.0e6}  # questions, as the page rounds them
QUESTION_WORDS = 11  # with its answer
BLOCK = 50_000  # pairs held at once
TRAIN, DEV = "train", "dev"
LEFT_OUT = {
    "unknown": "questions have no passage of the corpus; left out",
    "blank": "questions have no text; left out",
}


class Paq(Source):
    """65 million questions written from DPR's passages, with answers: split train, each with the one passage."""

    resources: ClassVar[Resources] = Resources(mem_mb=4000, runtime=240)
    average_words: ClassVar[float] = _dpr.WORDS
    cites: ClassVar[tuple[str, ...]] = ("lewis2021paq", "karpukhin2020dpr")

    source: Literal["paq"]
    subset: Literal["all", "L1", "L4", "NE"] = Field(
        "all",
        description="the questions: all, or those of a subset, which are about 14, 54 and 12 million; "
        "L1 and L4 have learned answers, NE has named entities",
    )
    dev: float = Field(
        0,
        ge=0,
        le=0.5,
        description="share of the questions, chosen by a hash of their words, that are split dev and none of train's",
    )

    @property
    def judged(self) -> list[str]:
        return [TRAIN, DEV] if self.dev else [TRAIN]

    @property
    def answered(self) -> list[str]:
        return self.judged

    def downloads(self) -> dict[str, Download]:
        return licensed(DOWNLOADS, LICENCES)

    def expected(self) -> dict[str, int | dict[str, int]]:
        """The number of questions is published rounded."""
        return {"passages": _dpr.PASSAGES}

    def roughly(self) -> dict[str, int | dict[str, int]]:
        held_out = int(self.dev * COUNTS[self.subset])
        return super().roughly() | {"queries": {TRAIN: int(COUNTS[self.subset]) - held_out, DEV: held_out}}

    def expected_small(self) -> dict[str, int | dict[str, int]]:
        sizes = {split: {TRAIN: tiny.TRAIN, DEV: tiny.DEV}[split] for split in self.judged}
        return {"passages": tiny.PASSAGES, "queries": sizes, "judgements": sizes}

    def cost(self, passages: float) -> Cost:
        return super().cost(passages) + prepared(COUNTS[self.subset], QUESTION_WORDS)


def write(writer: "DatasetWriter", files: dict[str, Path], subset: str, dev: float) -> None:
    """Passages; then the questions as they come, numbered in their split, so that no id is remembered."""
    from dewpoint.data.seen import seen

    _dpr.write_passages(writer, files[_dpr.CORPUS])
    path, found = files[QUESTIONS], Counter()
    pairs: dict[str, array] = defaultdict(lambda: array("i"))  # passage rows of the questions written last
    written: Counter[str] = Counter()
    for place, entry in counted(json_lines(path), "questions"):
        if subset != "all" and subset not in texts(entry, "subsets", place):
            continue
        question = text(entry, "question", place)
        ids = dict.fromkeys(text(answer, "passage_id", place) for answer in objects(entry, "answers", place))
        passage = next((row for id in ids if (row := writer.passages.get(id)) is not None), None)
        if passage is None or not any(map(seen, question)):
            found["unknown" if passage is None else "blank"] += 1
            continue
        found["several"] += len(ids) > 1
        split = DEV if dev and held_out(question, dev) else TRAIN
        writer.query(place, split, str(written[split]), question, tuple(_answers(entry, place)))
        written[split] += 1
        pairs[split].append(passage)
        if len(pairs[split]) == BLOCK:
            _flush(writer, path, pairs, split)
    for split in list(pairs):
        _flush(writer, path, pairs, split)
    writer.artifact.facts |= {"several_passages": found.pop("several", 0), "left_out": dict(found)}
    for what, count in found.items():
        log.warning("warning: %s: %s %s", path, f"{count:,}", LEFT_OUT[what])


def _flush(writer: "DatasetWriter", path: Path, pairs: dict[str, array], split: str) -> None:
    import numpy as np

    writer.paired(str(path), split, np.array(pairs.pop(split), np.int32))


def _answers(entry: dict[str, Any], place: str) -> list[str]:
    """One that is not there is none."""
    if isinstance(entry.get("answer"), str):
        return [text(entry, "answer", place)]
    return texts(entry, "answer", place)


def held_out(question: str, share: float) -> bool:
    """Whether it is in the split dev: the same for all that differ in case and spaces alone."""
    words = " ".join(question.casefold().split())
    return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest(), "big") < share * 2**64


# --- rehearsal ----------------------------------------------------------------------------------


def rehearse(folder: Path, words: tiny.Words, subset: str, dev: float) -> None:
    """Both files, tiny: questions of several passages, of an unknown one or none, blank ones, and of other subsets."""
    rows = _dpr.rehearse_passages(folder, words)
    entries = [*_entries(words, rows, subset, dev, tiny.TRAIN, False)]
    entries += _entries(words, rows, subset, dev, tiny.DEV, True) if dev else []
    unknown = {"passage_id": "99999999", "offset": 0, "text": "elsewhere", "extractor": "NE"}
    entries[1]["answers"].insert(0, unknown)
    entries[2]["answers"] *= 2
    entries[3]["answer"] = entries[3]["answer"][0]
    odd = [{"answers": [unknown]}, {"answers": []}, {"question": " "}]
    odd += [] if subset == "all" else [{"subsets": ["NE-legacy"]}, {"subsets": []}]
    entries[4:4] = [entries[0] | other for other in odd]
    tiny.write_text(folder / QUESTIONS, tiny.json_text(entries))


def _entries(
    words: tiny.Words, corpus: list[list[str]], subset: str, dev: float, count: int, held: bool
) -> Iterator[dict[str, Any]]:
    """`count` questions of a split, every third of three passages."""
    for row in range(count):
        question, answer, rows = words.asked([text for _, text, _ in corpus])
        number, asked = 0, question
        while dev and held_out(asked, dev) != held:
            number, asked = number + 1, f"{question} {number}"
        answers = [
            {"passage_id": corpus[one][0], "offset": corpus[one][1].find(answer), "text": answer, "extractor": "L"}
            for one in rows[: 1 if row % 3 else 3]
        ]
        subsets = [subset] if subset != "all" else [["L4"], ["L1", "L4"], ["NE"], ["NE-legacy"]][row % 4]
        entry = {"question": asked, "subsets": subsets, "answer": [answer], "passage_score": "-2.5"}
        yield entry | {"answers": answers}
