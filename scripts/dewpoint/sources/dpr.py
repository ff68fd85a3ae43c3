"""`dpr`: Wikipedia in passages of 100 words and the questions of Natural Questions and TriviaQA, as DPR has them.

What their readers do is done here: quotes around a passage's text go (`_dpr.py`), a question's typographic apostrophes
become plain ones, a training or development question without a positive is left out.
"""

import ast
import json
import logging
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.data import tiny
from dewpoint.data.catalogue import Download, licensed
from dewpoint.data.reading import counted, json_array, objects, quoted, text, texts
from dewpoint.errors import UserError
from dewpoint.sources import _dpr
from dewpoint.sources._dpr import CORPUS, DPR, LICENCE
from dewpoint.study.bases import Source
from dewpoint.study.types import Once

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter

log = logging.getLogger(__name__)

ADVERSARIAL = "biencoder-nq-adv-hn-train.json.gz"
DOWNLOADS = {  # sizes and sums as ir_datasets checks them
    CORPUS: _dpr.CORPUS_FILE,
    "biencoder-nq-train.json.gz": Download(
        f"{DPR}data/retriever/biencoder-nq-train.json.gz", 2_314_892_908, "md5:a1c927b5adae71388eb064329387709f"
    ),
    "biencoder-nq-dev.json.gz": Download(
        f"{DPR}data/retriever/biencoder-nq-dev.json.gz", 256_239_282, "md5:2640483dbe0df7ae29c6da419c551a80"
    ),
    "biencoder-nq-adv-hn-train.json.gz": Download(f"{DPR}data/retriever/biencoder-nq-adv-hn-train.json.gz"),
    "nq-test.qa.csv": Download(f"{DPR}data/retriever/nq-test.qa.csv"),
    "biencoder-trivia-train.json.gz": Download(
        f"{DPR}data/retriever/biencoder-trivia-train.json.gz", 1_848_559_940, "md5:5aa4d3577c91425cd20e239ed89a252b"
    ),
    "biencoder-trivia-dev.json.gz": Download(
        f"{DPR}data/retriever/biencoder-trivia-dev.json.gz", 207_271_749, "md5:d559dffe09acfe5a6370adea55b8abf2"
    ),
    "trivia-test.qa.csv.gz": Download(f"{DPR}data/retriever/trivia-test.qa.csv.gz"),
}
FILES = {"nq": "nq", "triviaqa": "trivia"}  # our name of questions: what their files are called
TEST = {"nq": "nq-test.qa.csv", "triviaqa": "trivia-test.qa.csv.gz"}
POSITIVES = "positive_ctxs"
LISTS = {"negatives": "negative_ctxs", "hard": "hard_negative_ctxs"}
LEFT_OUT = {
    "contexts": "contexts are no passages of the corpus; left out",
    "queries": "questions have no positive; left out",
    "adversarial": "questions with adversarial negatives are no training questions; passed over",
}
IDS = ("passage_id", "psg_id", "id")  # their names for a passage's id: in NQ, in TriviaQA, among adversarial negatives


class Dpr(Source):
    """DPR's Wikipedia in passages of 100 words, with questions: splits nq-train, nq-dev, nq-test, triviaqa-train, …

    Its curated negatives are the lists `negatives` (negative_ctxs) and `hard` (hard_negative_ctxs).
    """

    average_words: ClassVar[float] = _dpr.WORDS
    cites: ClassVar[tuple[str, ...]] = ("karpukhin2020dpr",)

    source: Literal["dpr"]
    questions: Annotated[list[Literal["nq", "triviaqa"]], Once] = Field(
        ["nq", "triviaqa"], min_length=1, description="whose: Natural Questions', TriviaQA's"
    )
    adversarial: bool = Field(
        False, description="list `adversarial` of nq-train: the negatives that DPR's authors mined with a first round"
    )

    def cited(self) -> tuple[str, ...]:
        whose = {"nq": "kwiatkowski2019nq", "triviaqa": "joshi2017triviaqa"}
        return self.cites + tuple(whose[name] for name in self.questions)

    @property
    def judged(self) -> list[str]:
        return [f"{questions}-{split}" for questions in self.questions for split in ("train", "dev")]

    @property
    def answered(self) -> list[str]:
        return [*self.judged, *(f"{questions}-test" for questions in self.questions)]

    @property
    def lists(self) -> dict[str, list[str]]:
        lists = {"negatives": self.judged, "hard": self.judged}
        return lists | ({"adversarial": ["nq-train"]} if self.adversarial else {})

    def in_papers(self, name: str, split: str) -> tuple[str, str]:
        questions, _, split = split.partition("-")
        return questions, split

    def downloads(self) -> dict[str, Download]:
        names = [CORPUS]
        for name in self.questions:
            names += [f"biencoder-{FILES[name]}-{part}.json.gz" for part in ("train", "dev")] + [TEST[name]]
        names += [ADVERSARIAL] if self.adversarial else []
        return licensed({name: DOWNLOADS[name] for name in names}, {DPR: LICENCE})

    def expected(self) -> dict[str, int | dict[str, int]]:
        """Of the training sets, questions with a relevant passage; numbers are DPR's and ir_datasets'."""
        known = {"nq": {"train": 58_880, "dev": 6_515, "test": 3_610}, "triviaqa": {"train": 60_413, "test": 11_313}}
        asked = {name: splits for name, splits in known.items() if name in self.questions}
        queries = {f"{name}-{split}": count for name, splits in asked.items() for split, count in splits.items()}
        return {"passages": _dpr.PASSAGES, "queries": queries}

    def expected_small(self) -> dict[str, int | dict[str, int]]:
        sizes = {"train": tiny.TRAIN, "dev": tiny.DEV, "test": tiny.TEST}
        queries = {f"{name}-{part}": size for name in self.questions for part, size in sizes.items()}
        judged = {split: size + -(-size // 3) for split, size in queries.items() if not split.endswith("-test")}
        return {"passages": tiny.PASSAGES, "queries": queries, "judgements": judged}


def write(writer: "DatasetWriter", files: dict[str, Path], questions: list[str], adversarial: bool = False) -> None:
    """Passages, an article's one after the other; then the questions, each named after its split and row."""
    _dpr.write_passages(writer, files[CORPUS])
    for name in questions:
        for part in ("train", "dev"):
            split, path = f"{name}-{part}", files[f"biencoder-{FILES[name]}-{part}.json.gz"]
            mined = _adversarial(files[ADVERSARIAL]) if adversarial and split == "nq-train" else None
            _with_passages(writer, split, path, mined)
        _with_answers(writer, f"{name}-test", files[TEST[name]])


def _with_passages(writer: "DatasetWriter", split: str, path: Path, mined: dict[str, list[list[str]]] | None) -> None:
    """A split's questions with judgements and lists; contexts that the corpus lacks are left out, and counted.

    `mined` are for each question, as often as it was asked, the passages of its list `adversarial`.
    """
    left_out = Counter()

    def known(ids: list[str]) -> list[str]:
        found = [id for id in ids if writer.passages.get(id) is not None]
        left_out["contexts"] += len(ids) - len(found)
        return found

    for row, (place, entry) in enumerate(counted(json_array(path), f"{split} questions")):
        lists = {name: known(_contexts(entry, key, place)) for name, key in LISTS.items()}
        if mined is not None:
            again = mined.get(text(entry, "question", place))
            lists["adversarial"] = known(again.pop(0) if again else [])
        positives = known(_contexts(entry, POSITIVES, place))
        if not positives:
            left_out["queries"] += 1
            continue
        id = f"{split}-{row}"
        writer.query(place, split, id, _question(entry, place), tuple(texts(entry, "answers", place)))
        for passage in positives:
            writer.judgement(place, split, id, passage)
        for name, passages in lists.items():
            writer.listed(place, name, split, id, passages)
    if mined is not None:
        left_out["adversarial"] = sum(map(len, mined.values()))
    writer.artifact.facts.setdefault("left_out", {})[split] = dict(left_out)
    for what, count in left_out.items():
        if count:
            log.warning("warning: %s: %s %s", path, f"{count:,}", LEFT_OUT[what])


def _with_answers(writer: "DatasetWriter", split: str, path: Path) -> None:
    """The questions of a test split: a question, and its answers as a list in Python's notation."""
    for row, (place, fields) in enumerate(quoted(path, "\t", strict=False)):
        if len(fields) != 2:
            raise UserError(f"{place}: {len(fields)} fields, expected question and answers separated by a tab")
        try:
            answers = ast.literal_eval(fields[1])
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            answers = None
        if not isinstance(answers, list | tuple) or not all(isinstance(answer, str) for answer in answers):
            raise UserError(f"{place}: answers {fields[1][:60]!r} are no list of texts as Python writes it")
        row_of = {"question": fields[0], "answers": list(answers)}
        writer.query(place, split, f"{split}-{row}", _question(row_of, place), tuple(texts(row_of, "answers", place)))


def _adversarial(path: Path) -> dict[str, list[list[str]]]:
    """The negatives mined for each question, in the order in which it is asked."""
    mined = defaultdict(list)
    for place, entry in counted(json_array(path), "adversarial questions"):
        mined[text(entry, "question", place)].append(_contexts(entry, LISTS["hard"], place))
    return dict(mined)


def _question(entry: dict[str, Any], place: str) -> str:
    return text(entry, "question", place).replace("’", "'")


def _contexts(entry: dict[str, Any], key: str, place: str) -> list[str]:
    """The passages' ids; one that is not there is empty, which no passage's is."""
    return list(map(_id, objects(entry, key, place)))


def _id(context: dict[str, Any]) -> str:
    return str(next((context[name] for name in IDS if context.get(name) is not None), "")).removeprefix("wiki:")


# --- rehearsal ----------------------------------------------------------------------------------


def rehearse(folder: Path, words: tiny.Words, questions: list[str], adversarial: bool = False) -> None:
    """All files, tiny: quotes, tabs, an article without a title, questions asked twice or without a known positive."""
    rows = _dpr.rehearse_passages(folder, words)
    for name in questions:
        entries = {
            part: _entries(words, rows, size, "passage_id" if name == "nq" else "psg_id")
            for part, size in (("train", tiny.TRAIN), ("dev", tiny.DEV))
        }
        for part, content in entries.items():
            tiny.write_text(folder / f"biencoder-{FILES[name]}-{part}.json.gz", json.dumps(content, indent=4))
        if adversarial and name == "nq":
            other = _entries(words, rows, tiny.TRAIN, "id")
            mined = [
                old | {LISTS["hard"]: new[LISTS["hard"]], LISTS["negatives"]: []}
                for old, new in zip(entries["train"], other, strict=True)
            ]
            strange = mined[0] | {"question": "asked by nobody", POSITIVES: []}
            tiny.write_text(folder / ADVERSARIAL, json.dumps([strange, *mined], indent=4))
        asked = [words.asked([row[1] for row in rows]) for _ in range(tiny.TEST)]
        answers = [[answer, f"{answer}'s", f'"{answer}"'][: 1 + row % 3] for row, (_, answer, _) in enumerate(asked)]
        lines = [[question, repr(texts)] for (question, _, _), texts in zip(asked, answers, strict=True)]
        tiny.write_text(folder / TEST[name], tiny.separated(lines))


def _entries(words: tiny.Words, corpus: list[list[str]], count: int, id: str) -> list[dict[str, Any]]:
    """`count` questions, one of them twice, each third with two positives; then two without a known positive."""

    def contexts(rows: list[int]) -> list[dict[str, Any]]:
        return [{"title": corpus[row][2], "text": corpus[row][1], "score": 1.5, id: corpus[row][0]} for row in rows]

    unknown = {"title": "elsewhere", "text": "of another Wikipedia", id: "99999999"}
    entries = []
    for row in range(count + 2):
        question, answer, rows = words.asked([row[1] for row in corpus])
        half = tiny.LISTED // 2
        lists = [rows[:1], rows[1 : 1 + half], rows[1 + half :]]
        if row % 3 == 0:
            lists[0] = [*rows[:1], rows[-1]]
            lists[2] = lists[2][:-1]
        keys = (POSITIVES, *LISTS.values())
        entry = {"dataset": "tiny", "question": question, "answers": [answer]}
        entries.append(entry | {key: contexts(rows) for key, rows in zip(keys, lists, strict=True)})
    entries[1]["question"] = entries[0]["question"]
    entries[2]["question"] = f"what’s {entries[2]['question']}"
    entries[3][LISTS["hard"]] += [unknown, {"title": "", "text": "without an id"}]
    entries[-2][POSITIVES], entries[-1][POSITIVES] = [], [unknown]
    return entries
