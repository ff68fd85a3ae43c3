"""`kilt`: KILT's Wikipedia of August 2019 in passages of at most 100 words, and its tasks that name paragraphs.

A passage never goes beyond its paragraph; titles, headings and items of lists are in none. What a task gives as
provenance are sets of evidence; the passages that it touches are relevant.
"""

import json
import logging
import re
from array import array
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.data import tiny
from dewpoint.data.catalogue import Download, licensed
from dewpoint.data.reading import counted, json_lines, members, objects, text, whole_json
from dewpoint.data.tiny_marco import write_tar
from dewpoint.data.windows import Span, Windows, cut
from dewpoint.errors import UserError
from dewpoint.study.bases import Resources, Source
from dewpoint.study.types import Once

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter

log = logging.getLogger(__name__)

KILT = "https://dl.fbaipublicfiles.com/KILT/"
TRIVIA = "https://nlp.cs.washington.edu/triviaqa/data/"
LICENCES = {
    KILT: "MIT; in it Wikipedia, CC BY-SA 3.0, and the tasks' own texts",
    TRIVIA: "none is stated; the University of Washington says that questions and documents are not its own",
}
CORPUS, QUESTIONS = "kilt_knowledgesource.json", "triviaqa-rc.tar.gz"
PARTS = ("train", "dev")
FILES = {  # our name of a task: what its files are called
    "fever": "fever-{}-kilt.jsonl",
    "trex": "trex-{}-kilt.jsonl",
    "zsre": "structured_zeroshot-{}-kilt.jsonl",
    "nq": "nq-{}-kilt.jsonl",
    "hotpotqa": "hotpotqa-{}-kilt.jsonl",
    "triviaqa": "triviaqa-{}_id-kilt.jsonl",
    "wow": "wow-{}-kilt.jsonl",
}
KNOWN = {  # sizes and sums as Hugging Face's datasets had them; of WoW another version's, which is not there any more
    CORPUS: (37_318_876_722, "f966d6f09c4ff91656db5c56c384f136b0c495c7083c043586b8cb1033c389a5"),
    "fever-train-kilt.jsonl": (38_941_824, "a42b948957680b3d316bbc9c24f3e499f0e93a3b0a8b94ca9d972d5da5758c6a"),
    "fever-dev-kilt.jsonl": (6_174_139, "0132fb971e4206c8bd9da3916f0f46a30ee6610394aee1738ce6cf6644592739"),
    "trex-train-kilt.jsonl": (1_752_330_104, "724a8a0fd1f99fe9b15cf6309d7ce63dcb7cd31f33aea717ff26e6d6b6fbdd97"),
    "trex-dev-kilt.jsonl": (3_803_558, "7ee1a2cd351d928d01ede1763ae8d6ae442a00b07deef80e347852f20a029e5f"),
    "structured_zeroshot-train-kilt.jsonl": (
        71_444_475,
        "f666359fa2b23e75d700bd1f25efd12d3bf981b1be70d8ad2d268d67e9bb3a5d",
    ),
    "structured_zeroshot-dev-kilt.jsonl": (
        2_266_707,
        "dd120ba5b62c6499f4e79bf5bf5a908eb96b583ba9bf8c76a4535ac21c5dac8d",
    ),
    "nq-train-kilt.jsonl": (51_895_886, "13629ef9f0c4bb7b7b237ce08fae2334acb32a2c1bf69db2350021cad46188a4"),
    "nq-dev-kilt.jsonl": (7_936_566, "1bcdb150fb10504bd80b915730cde1b384c21647bcf14a4592e4e5df42cc6dfb"),
    "hotpotqa-train-kilt.jsonl": (52_767_068, "7ba73ede642336703d1235c63ecb4c20ae90c7eb19d36302bffa7eb1ec7f9153"),
    "hotpotqa-dev-kilt.jsonl": (3_971_321, "7f2efbc22c462eb5710e5ecd99447702e7f48203eecd4489bf32a332389d70b6"),
    "triviaqa-train_id-kilt.jsonl": (101_613_288, "509e627a5e606d3b8018c04cd99415d7dca90d7b9a9f491ba0cf2db8c7e999ad"),
    "triviaqa-dev_id-kilt.jsonl": (9_809_706, "bb505d8437100589de72256bf0d106a4a72da01df5a977fbc778688b8621d5a6"),
    QUESTIONS: (2_665_779_500, "ef94fac6db0541e5bb5b27020d067a8b13b1c1ffc52717e836832e02aaed87b9"),
}
QUERIES = {  # as KILT's page counts them
    "fever": (104_966, 10_444),
    "trex": (2_284_168, 5_000),
    "zsre": (147_909, 3_724),
    "nq": (87_372, 2_837),
    "hotpotqa": (88_869, 5_600),
    "triviaqa": (61_844, 5_359),
    "wow": (63_734, 3_054),
}
ASKED = ("wikipedia-train.json", "wikipedia-dev.json")  # TriviaQA's own, with the questions
TOGETHER = ("hotpotqa",)  # in rehearsals: whose questions take two pages
WORDS = 100
UNCUT = re.compile(r"Section::::|BULLET::::")  # what headings and items of lists begin with
LEFT_OUT = {
    "ids": "ids were used before; made others by their rows",
    "pages": "pieces of evidence are on pages that are not in the source; kept, nobody finds them",
    "unnamed": "pieces of evidence name no paragraph; kept for pages alone",
    "untouched": "pieces of evidence are in a title, a heading or a list, so in no passage; kept for pages alone",
    "queries": "queries have no relevant passage; kept",
}


def _download(name: str) -> Download:
    bytes, sum = KNOWN.get(name, (None, None))
    return Download(f"{TRIVIA if name == QUESTIONS else KILT}{name}", bytes, f"sha256:{sum}" if sum else None)


DOWNLOADS = {
    name: _download(name)
    for name in (CORPUS, *(files.format(part) for files in FILES.values() for part in PARTS), QUESTIONS)
}


class Kilt(Source):
    """KILT's Wikipedia in passages of at most 100 words, with tasks: splits fever-train, fever-dev, trex-train, …

    Its test splits have neither answers nor provenance and are not fetched.
    """

    resources: ClassVar[Resources] = Resources(mem_mb=4000, runtime=480)
    average_words: ClassVar[float] = 65
    estimated: ClassVar[int] = 36_000_000
    cites: ClassVar[tuple[str, ...]] = ("petroni2021kilt",)

    source: Literal["kilt"]
    tasks: Annotated[
        list[Literal["fever", "trex", "zsre", "nq", "hotpotqa", "triviaqa", "wow"]],
        Once,
    ] = Field(
        [*FILES], min_length=1, description="whose queries; triviaqa's questions come from TriviaQA's own archive"
    )

    @property
    def judged(self) -> list[str]:
        return [f"{task}-{part}" for task in self.tasks for part in PARTS]

    @property
    def answered(self) -> list[str]:
        return self.judged

    @property
    def proven(self) -> list[str]:
        return self.judged

    def in_papers(self, name: str, split: str) -> tuple[str, str]:
        task, _, split = split.partition("-")
        return f"kilt-{task}", split

    def downloads(self) -> dict[str, Download]:
        names = [CORPUS, *(FILES[task].format(part) for task in self.tasks for part in PARTS)]
        names += [QUESTIONS] if "triviaqa" in self.tasks else []
        return licensed({name: DOWNLOADS[name] for name in names}, LICENCES)

    def expected(self) -> dict[str, int | dict[str, int]]:
        counts = {task: dict(zip(PARTS, QUERIES[task], strict=True)) for task in self.tasks}
        return {"queries": {f"{task}-{part}": count for task, of in counts.items() for part, count in of.items()}}

    def expected_small(self) -> dict[str, int | dict[str, int]]:
        sizes = {"train": tiny.TRAIN, "dev": tiny.DEV}
        splits = {f"{task}-{part}": (task, sizes[part]) for task in self.tasks for part in PARTS}
        judged = {split: size * (1 + (task in TOGETHER)) + -(-size // 3) + 3 for split, (task, size) in splits.items()}
        queries = {split: size + 1 for split, (_, size) in splits.items()}
        return {"passages": tiny.PASSAGES + 2 * LONG, "queries": queries, "judgements": judged}


def write(writer: "DatasetWriter", files: dict[str, Path], tasks: list[str]) -> None:
    """Passages, a page's one after the other; then the tasks' queries, in their files' order."""
    windows = Windows()
    for place, page in counted(json_lines(files[CORPUS]), "pages"):
        _write_page(writer, windows, page, place)
    writer.end_of_corpus(str(files[CORPUS]))
    windows.close(str(files[CORPUS]))
    questions = _questions(files[QUESTIONS]) if "triviaqa" in tasks else {}
    for task in tasks:
        for part in PARTS:
            path = files[FILES[task].format(part)]
            _write_split(writer, windows, f"{task}-{part}", path, questions if task == "triviaqa" else None)


def _write_page(writer: "DatasetWriter", windows: Windows, page: dict[str, Any], place: str) -> None:
    """The passages of a page; its first paragraph is its title. Their ids are their rows."""
    id, title = text(page, "wikipedia_id", place), text(page, "wikipedia_title", place)
    if (number := _page(id)) is None:
        raise UserError(f"{place}: page id '{id}', expected a whole number")
    paragraphs = page.get("text")
    if not isinstance(paragraphs, list):
        raise UserError(f"{place}: 'text' is no list of paragraphs")
    windows.page(number)
    for row in range(1, len(paragraphs)):
        paragraph = text({"text": paragraphs[row]}, "text", place)
        if not UNCUT.match(paragraph):
            spans = [*cut(paragraph, WORDS)]
            passages = ((str(writer.count), paragraph[start:end]) for start, end in spans)
            writer.cut(passages, title, id)
            for start, end in spans:
                windows.add(row, start, end)


def _write_split(
    writer: "DatasetWriter", windows: Windows, split: str, path: Path, questions: dict[str, str] | None
) -> None:
    """A split's queries with their sets of evidence and relevant passages; `questions` are those that come apart."""
    import numpy as np

    query, passage, left_out = array("i"), array("i"), Counter()
    for row, (place, entry) in enumerate(counted(json_lines(path), f"{split} queries")):
        id, input = text(entry, "id", place), text(entry, "input", place, "")
        if questions is not None:
            if id not in questions:
                raise UserError(f"{place}: TriviaQA has no question '{id}'; is {QUESTIONS} another version's?")
            input = questions[id]
        if split in writer.queries and writer.queries[split].get(id) is not None:
            left_out["ids"] += 1
            id = f"{id}-{row}"
        outputs = objects(entry, "output", place)
        answers = dict.fromkeys(filter(str.strip, (text(output, "answer", place, "") for output in outputs)))
        writer.query(place, split, id, input, tuple(answers))
        evidence = Found(windows, left_out)
        sets = [[evidence.of(one, place) for one in objects(output, "provenance", place)] for output in outputs]
        writer.provenance(place, split, row, filter(None, sets))
        left_out["queries"] += not evidence.relevant
        query.extend([row] * len(evidence.relevant))
        passage.extend(evidence.relevant)
    if split not in writer.queries:
        raise UserError(f"{path}: no query in it")
    writer.pairs(str(path), split, *(np.array(rows, np.int32) for rows in (query, passage)))
    writer.artifact.facts.setdefault("left_out", {})[split] = dict(+left_out)
    for what, count in (+left_out).items():
        log.warning("warning: %s: %s %s", path, f"{count:,}", LEFT_OUT[what])


class Found:
    """Where a query's evidence is: rows of documents and paragraphs, and the passages that it touches."""

    def __init__(self, windows: Windows, left_out: Counter):
        self.windows, self.left_out = windows, left_out
        self.relevant: dict[int, None] = {}
        self.lost: dict[Any, int] = {}  # what is of no passage: numbers below 0

    def of(self, provenance: dict[str, Any], place: str) -> tuple[int, int | None]:
        """(document, paragraph) of a piece of evidence, as `DatasetWriter.provenance` takes them."""
        id = text(provenance, "wikipedia_id", place, "").strip()
        number = _page(id)
        page, span = None if number is None else self.windows.of(number), _span(provenance, place)
        if page is None:
            self.left_out["pages"] += 1
        document = page.start if page else self._lost(id)
        if span is None:
            self.left_out["unnamed"] += 1
            return document, None
        touched = self.windows.touched(page, span) if page else []
        self.relevant |= dict.fromkeys(touched)
        self.left_out["untouched"] += page is not None and not touched
        paragraph = self.windows.of_paragraph(page, span.last, span.last) if page else None
        return document, paragraph.start if paragraph else self._lost((id, span.last))

    def _lost(self, what: Any) -> int:
        return self.lost.setdefault(what, -1 - len(self.lost))


def _page(id: str) -> int | None:
    """A page's number."""
    return int(id) if id.isascii() and id.isdecimal() and len(id) <= 18 else None


def _span(provenance: dict[str, Any], place: str) -> Span | None:
    """Where evidence is on its page; without a paragraph None, without characters all of the paragraphs."""
    first, last = (_whole(provenance, f"{which}_paragraph_id", place) for which in ("start", "end"))
    first, last = last if first is None else first, first if last is None else last
    if first is None:
        return None
    start, end = (_whole(provenance, f"{which}_character", place) for which in ("start", "end"))
    if start is None or end is None or min(start, end) < 0 or (first == last and start >= end):
        return Span(first, last)
    return Span(first, last, start, end)


def _whole(provenance: dict[str, Any], key: str, place: str) -> int | None:
    """The number of a paragraph or character, as far as there is one."""
    written = text(provenance, key, place, "").strip()
    if not re.fullmatch(r"-?[0-9]{1,18}|", written):
        raise UserError(f"{place}: '{key}' is '{written}', expected a whole number")
    return int(written) if written else None


def _questions(path: Path) -> dict[str, str]:
    """TriviaQA's questions by their ids."""

    def kept(pairs: list[tuple[str, Any]]) -> Any:
        """Of an object its question, of the whole its list, of all else nothing."""
        made = dict(pairs)
        return (made["QuestionId"], made.get("Question")) if "QuestionId" in made else made.get("Data")

    known = {}
    for name, file in members(path, ASKED):
        questions = whole_json(file, path, kept)
        if not isinstance(questions, list):
            raise UserError(f"{path}: {name} has no list 'Data' of questions")
        for number, one in enumerate(questions, 1):
            id, question = one if isinstance(one, tuple) else (None, None)
            if not isinstance(id, str) or not isinstance(question, str):
                raise UserError(f"{path}: {name}: entry {number} has no QuestionId and Question")
            known[id] = question
    return known


# --- rehearsal ----------------------------------------------------------------------------------

LONG = 10  # paragraphs of two passages


def rehearse(folder: Path, words: tiny.Words, tasks: list[str]) -> None:
    """All files, tiny: headings, lists, a page of nothing else; evidence in titles, on pages that are not there."""
    corpus, pages = words.corpus(), []
    for row in range(0, len(corpus), tiny.ARTICLE):
        title, own = corpus[row][0], [content for _, content in corpus[row : row + tiny.ARTICLE]]
        paragraphs = [title, own[0], "Section::::History.", own[1], "BULLET::::- An item", *own[2:]]
        if len(pages) < LONG:
            paragraphs += [words.passage(WORDS + 30)]
        pages.append(_page_of(7 * row + 12, title, paragraphs))
    pages.append(_page_of(5, "List of lists", ["List of lists", 'BULLET::::1. List of "great" lists']))
    tiny.write_text(folder / CORPUS, tiny.json_text(pages))
    asked = {}
    for task in tasks:
        for part, size in (("train", tiny.TRAIN), ("dev", tiny.DEV)):
            entries = [_entry(words, pages, [content for _, content in corpus], task, row) for row in range(size)]
            entries.append(entries[0] | {"id": "last", "output": [{"answer": "not proven"}]})
            if task == "triviaqa":
                asked[part] = [(f"{part}_{entry['id']}", entry.pop("input")) for entry in entries]
                entries = [entry | {"id": id} for entry, (id, _) in zip(entries, asked[part], strict=True)]
            tiny.write_text(folder / FILES[task].format(part), tiny.json_text(entries))
    if asked:
        packed = {f"qa/wikipedia-{part}.json": _trivia(part, questions) for part, questions in asked.items()}
        write_tar(folder / QUESTIONS, {"evidence/wikipedia/England.txt": "England\n"} | packed)


def _page_of(id: int, title: str, paragraphs: list[str]) -> dict[str, Any]:
    address = {"url": f"https://en.wikipedia.org/w/index.php?oldid={id}", "pre_dump": True, "pageid": id}
    return {
        "_id": str(id),
        "wikipedia_id": str(id),
        "wikipedia_title": title,
        "text": [f"{paragraph}\n" for paragraph in paragraphs],
        "anchors": [{"text": "An", "href": "An", "paragraph_id": 1, "start": 0, "end": 2}],
        "categories": "Tiny pages,Pages",
        "history": address,
        "wikidata_info": {"aliases": None},
    }


def _entry(words: tiny.Words, pages: list[dict[str, Any]], texts: list[str], task: str, row: int) -> dict[str, Any]:
    """A query of a task: each third has two sets of evidence, some an odd one."""
    question, answer, rows = words.asked(texts)
    paragraph = (1, 3, 5, 6)  # of a page's passages

    def evidence(passage: int, **other: Any) -> dict[str, Any]:
        page, at = pages[passage // tiny.ARTICLE], paragraph[passage % tiny.ARTICLE]
        span = {"start_paragraph_id": at, "start_character": 0, "end_paragraph_id": at, "end_character": 10}
        known = {
            "wikipedia_id": page["wikipedia_id"],
            "title": page["wikipedia_title"],
            "section": "Section::::Abstract",
        }
        return known | span | {"bleu_score": 1.0, "meta": {}} | other

    input = {"trex": f"{pages[0]['wikipedia_title']} [SEP] country", "wow": f"I like it.\nSo do I!\n{question}"}
    answer = ("SUPPORTS", "REFUTES")[row % 2] if task == "fever" else answer
    together = [evidence(passage) for passage in rows[: 1 + (task in TOGETHER)]]
    outputs = [{"answer": answer, "provenance": together}, {"answer": f"{answer}s", "meta": {"score": 1}}]
    outputs += [{"answer": answer, "provenance": [evidence(rows[2])]}] if row % 3 == 0 else []
    nowhere = {"start_paragraph_id": 0, "end_paragraph_id": 0}
    odd = {
        1: [evidence(rows[3], wikipedia_id="99999999")],
        2: [evidence(rows[3], **nowhere), evidence(rows[4], wikipedia_id="5", **nowhere)],
        4: [evidence(rows[3], start_character=-1, end_character=-1)],
        5: [evidence(0, start_paragraph_id=7, end_paragraph_id=7, end_character=9999)],
        7: [{"wikipedia_id": pages[1]["wikipedia_id"], "title": pages[1]["wikipedia_title"]}],
    }
    outputs += [{"answer": None, "provenance": odd[row]}] if row in odd else []
    return {"id": row if task == "fever" else f"{task}{row}", "input": input.get(task, question), "output": outputs}


def _trivia(part: str, asked: list[tuple[str, str]]) -> str:
    answer = {"Aliases": ["An"], "NormalizedAliases": ["an"], "Type": "WikipediaEntity", "Value": "An"}
    pages = [{"DocSource": "TagMe", "Filename": "England.txt", "Title": "England"}]
    data = [{"Answer": answer, "EntityPages": pages, "Question": question, "QuestionId": id} for id, question in asked]
    return json.dumps(
        {"Data": data, "Domain": "Wikipedia", "Split": part, "VerifiedEval": False, "Version": 1.0}, indent=4
    )
