"""KILT's files: pages in passages, provenance as sets of evidence and as relevant passages, odd rows, mistakes."""

import json
import logging

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.artifact import read_manifest
from dewpoint.data.tiny_marco import write_tar
from dewpoint.sources import kilt
from programs import downloads, prepare, write_files

WORDY = " ".join(f"w{number}" for number in range(230))
PAGES = [
    ("12", "Anarchism", ["Anarchism\n", "It is this.\n", "Section::::History.\n", f"{WORDY}\n", "BULLET::::- item\n"]),
    (39, "Albedo", ["Albedo\n", "\n", "Light  and\u00a0shade. \n"]),
    ("5", "List", ["List\n", "BULLET::::- no passage\n"]),
]


def page(id, title, paragraphs):
    return {"_id": str(id), "wikipedia_id": id, "wikipedia_title": title, "text": paragraphs, "anchors": []}


def at(id="12", first=1, start=0, end=5, last=None, **other):
    span = {"start_paragraph_id": first, "start_character": start, "end_paragraph_id": last or first}
    return {"wikipedia_id": id, "title": "T", **span, "end_character": end} | other


def query(*outputs, id="q", input="which?"):
    made = [{"answer": f"a{number}", "provenance": one} for number, one in enumerate(outputs)]
    return {"id": id, "input": input, "output": made}


def text_of(lines):
    return lines if isinstance(lines, str) else "".join(f"{json.dumps(line)}\n" for line in lines)


ONE = (query([at()]),)


def files_of(folder, train=ONE, dev=ONE, pages=None, task="nq", archive=None):
    contents = [[page(*one) for one in PAGES] if pages is None else pages, train, dev]
    names = [kilt.CORPUS, *(kilt.FILES[task].format(part) for part in kilt.PARTS)]
    write_files(folder, {f"kilt/{name}": text_of(lines) for name, lines in zip(names, contents, strict=True)})
    if archive is not None:
        write_tar(folder / "kilt" / kilt.QUESTIONS, archive)
    return {"source": "kilt", "tasks": [task]}, [downloads(folder / "kilt")]


def prepared(folder, **contents):
    options, files = files_of(folder, **contents)
    return prepare(folder, options, files=files)


def rows(manifest, table):
    return [tuple(row.values()) for row in pq.read_table(manifest.parent / f"{table}.parquet").to_pylist()]


def test_passages_are_windows_of_paragraphs(tmp_path):
    """Titles, headings and items are in none; ids are rows; a paragraph's windows belong together."""
    words = WORDY.split()
    texts = ["It is this.", *(" ".join(words[row : row + 100]) for row in (0, 100, 200)), "Light  and\u00a0shade."]
    manifest = prepared(tmp_path)
    pages = [("Anarchism", "12")] * 4 + [("Albedo", "39")]
    expected = [(str(row), title, texts[row], id) for row, (title, id) in enumerate(pages)]
    assert rows(manifest, "corpus") == expected


def test_provenance_is_sets_and_relevant_passages(tmp_path, caplog):
    """Numbers may be texts, ids numbers; two windows that a span touches; two pieces of a set; an answer twice."""
    second = WORDY.index("w100")
    train = [
        query([at(), at("39", 2, 7, 9)], [at(39, 2, -1, -1), at("12", first="1", start="3", end="4")]),
        query([at(first=3, start=second - 3, end=second + 1)], [at(first=3, start=second - 1, end=second)], id=7),
        query([at(first=1, start=8, last=3, end=2)], id="r"),
    ]
    train[0]["output"][1]["answer"] = "a0"
    manifest = prepared(tmp_path, train=train)
    assert rows(manifest, "queries.nq-train") == [
        ("q", "which?", ["a0"]),
        ("7", "which?", ["a0", "a1"]),
        ("r", "which?", ["a0"]),
    ]
    # a span of nothing but the space between two windows is in none of them
    assert rows(manifest, "judgements.nq-train") == [
        *((0, 0, 1), (0, 4, 1)),
        *((1, 1, 1), (1, 2, 1)),
        *((2, 0, 1), (2, 1, 1)),
    ]
    assert rows(manifest, "provenance.nq-train") == [
        *((0, 0, 0, 0), (0, 0, 4, 4), (0, 1, 4, 4), (0, 1, 0, 0)),
        *((1, 0, 0, 1), (1, 1, 0, 1)),
        (2, 0, 0, 1),
    ]
    assert read_manifest(manifest)["facts"]["left_out"] == {"nq-train": {"untouched": 1}, "nq-dev": {}}


def test_odd_rows(tmp_path, caplog):
    """Outputs without provenance or answer, unknown pages, no paragraph, titles and lists, ids used before."""
    bare = {"id": "bare", "input": "x", "output": [{"answer": None}, {"meta": {"score": 2}}, {"answer": " "}]}
    dev = [
        query([at("99")], [at("x", first=4)], [at(None)], [at("99", first=4), at("99")]),
        bare,
        {"id": "none", "input": "y", "meta": {"left": 1}},
        query([{"wikipedia_id": "39", "title": "T"}], [], [at("39") | {"start_paragraph_id": None}], id="few"),
        query([at(first=0, end=9)], [at(first=2)], [at(first=4), at("5")], [at(first=-1)], id="q"),
        query([at(first=3, last=1)], [at(start=4, end=4)], [at(first=1, last=9)], id="back"),
    ]
    manifest = prepared(tmp_path, dev=dev)
    assert [row[0] for row in rows(manifest, "queries.nq-dev")] == ["q", "bare", "none", "few", "q-4", "back"]
    assert [row[2] for row in rows(manifest, "queries.nq-dev")][1:3] == [[], []]
    assert rows(manifest, "provenance.nq-dev") == [
        # (99, 1), (x, 4), (no page, 1), (99, 4) and again (99, 1): each page and each paragraph has its own number
        *((0, 0, -1, -2), (0, 1, -3, -4), (0, 2, -5, -6), (0, 3, -1, -7), (0, 3, -1, -2)),
        *((3, 0, 4, None), (3, 1, 4, -1)),
        *((4, 0, 0, -1), (4, 1, 0, -2), (4, 2, 0, -3), (4, 2, -4, -5), (4, 3, 0, -6)),
        *((5, 0, 0, 0), (5, 1, 0, 0), (5, 2, 0, -1)),
    ]
    assert rows(manifest, "judgements.nq-dev") == [(5, row, 1) for row in range(4)]
    facts = read_manifest(manifest)["facts"]
    expected = {"ids": 1, "pages": 5, "unnamed": 1, "untouched": 7, "queries": 5}
    assert facts["left_out"]["nq-dev"] == expected
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == 5 and all("nq-dev-kilt.jsonl: " in line for line in warned)
    assert (facts["queries"]["nq-dev"], facts["judgements"]["nq-dev"]) == (6, 4)


def test_triviaqas_questions_come_from_its_archive(tmp_path):
    data = [{"Answer": {"Value": "x"}, "Question": f"who {number}?", "QuestionId": f"tc_{number}"} for number in (3, 4)]
    archive = {"qa/wikipedia-test-without-answers.json": "{", "qa/wikipedia-dev.json": json.dumps({"Data": data[1:]})}
    archive |= {"qa/wikipedia-train.json": json.dumps({"Data": data[:1], "Version": 1.0}, indent=4)}
    asked = [[query([at()], id=f"tc_{number}")] for number in (3, 4)]
    del asked[0][0]["input"]
    manifest = prepared(tmp_path, train=asked[0], dev=asked[1], task="triviaqa", archive=archive)
    assert rows(manifest, "queries.triviaqa-train") == [("tc_3", "who 3?", ["a0"])]
    assert rows(manifest, "queries.triviaqa-dev") == [("tc_4", "who 4?", ["a0"])]


WHITE = st.lists(st.sampled_from(["a", "bc", " ", "  ", "\n", "Section::::"]), max_size=14).map("".join)
NUMBER = st.none() | st.integers(-1, 12)


@settings(max_examples=60, deadline=None)
@given(st.lists(WHITE, max_size=4), st.lists(st.tuples(NUMBER, NUMBER, NUMBER, NUMBER), min_size=1, max_size=5))
def test_relevant_is_what_has_a_character_of_the_evidence(tmp_path_factory, paragraphs, spans):
    """Paragraphs in windows of two words, each of their characters looked at."""
    folder = tmp_path_factory.mktemp("kilt")
    keys = ("start_paragraph_id", "end_paragraph_id", "start_character", "end_character")
    pieces = [{"wikipedia_id": "1", **dict(zip(keys, span, strict=True))} for span in spans]
    lead = [page("2", "Other", ["Other", "x"])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kilt, "WORDS", 2)
        manifest = prepared(folder, pages=[*lead, page("1", "T", ["T", *paragraphs])], dev=[query(pieces)])
    owner = {}  # character: its passage
    texts = [row[2] for row in rows(manifest, "corpus")]
    passage = 1
    for number, text in enumerate(paragraphs, 1):
        if not text.startswith("Section::::"):
            words, begin = text.split(), 0
            for first in range(0, len(words), 2):
                for word in words[first : first + 2]:
                    begin = text.index(word, begin)
                    owner |= {(number, at): passage for at in range(begin, begin + len(word))}
                    begin += len(word)
                passage += 1
    assert passage == len(texts)
    relevant = set()
    for first, last, start, end in spans:
        first, last = last if first is None else first, first if last is None else last
        if first is None:
            continue
        if start is None or end is None or min(start, end) < 0 or (first == last and start >= end):
            start, end = 0, 999
        relevant |= {to for place, to in owner.items() if (first, start) <= place < (last, end)}
    assert {row[1] for row in rows(manifest, "judgements.nq-dev")} == relevant


ARCHIVE = {"qa/wikipedia-train.json": '{"Data": []}', "qa/wikipedia-dev.json": '{"Data": []}'}


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"pages": ""}, "kilt_knowledgesource.json: the corpus is empty"),
        ({"pages": [page("5", "A", ["A\n"])]}, "kilt_knowledgesource.json: the corpus is empty"),
        ({"pages": '{"wikipedia_id": 1\n'}, "kilt_knowledgesource.json:1: not JSON ("),
        ({"pages": [{"wikipedia_title": "A"}]}, "json:1: no column 'wikipedia_id'; there is wikipedia_title"),
        ({"pages": [page("x", "A", ["A"])]}, "json:1: page id 'x', expected a whole number"),
        ({"pages": [page("-1", "A", ["A"])]}, "json:1: page id '-1', expected a whole number"),
        ({"pages": [page("1", "A", "A")]}, "json:1: 'text' is no list of paragraphs"),
        ({"pages": [page("1", "A", ["A", ["b"]])]}, "json:1: column 'text' holds a list, expected text"),
        ({"pages": [page("1", "A", ["A", "b"])] * 2}, "kilt_knowledgesource.json: page '1' comes twice"),
        ({"dev": [{"input": "x"}]}, "nq-dev-kilt.jsonl:1: no column 'id'; there is input"),
        ({"dev": [query(input="")]}, "nq-dev-kilt.jsonl:1: query 'q' has no text"),
        ({"dev": [query() | {"output": {"a": 1}}]}, "jsonl:1: 'output' is no list of objects"),
        ({"dev": [query() | {"output": ["x"]}]}, "jsonl:1: 'output' is no list of objects"),
        ({"dev": [query("x")]}, "jsonl:1: 'provenance' is no list of objects"),
        ({"dev": [query([at(start="x")])]}, "jsonl:1: 'start_character' is 'x', expected a whole number"),
        ({"dev": [query([at(first=1.5)])]}, "jsonl:1: column 'start_paragraph_id' holds a float, expected text"),
        ({"dev": ""}, "nq-dev-kilt.jsonl: no query in it"),
        (
            {"task": "triviaqa", "archive": ARCHIVE},
            "jsonl:1: TriviaQA has no question 'q'; is triviaqa-rc.tar.gz another version's?",
        ),
        ({"task": "triviaqa", "archive": {"qa/x.json": ""}}, "gz: has no 'wikipedia-dev.json', only x.json"),
        (
            {"task": "triviaqa", "archive": ARCHIVE | {"qa/wikipedia-dev.json": "[1"}},
            "triviaqa-rc.tar.gz: not JSON (",
        ),
        (
            {"task": "triviaqa", "archive": ARCHIVE | {"qa/wikipedia-dev.json": '{"Version": 1.0}'}},
            "triviaqa-rc.tar.gz: wikipedia-dev.json has no list 'Data' of questions",
        ),
        (
            {"task": "triviaqa", "archive": ARCHIVE | {"qa/wikipedia-dev.json": '{"Data": [{"QuestionId": 1}]}'}},
            "triviaqa-rc.tar.gz: wikipedia-dev.json: entry 1 has no QuestionId and Question",
        ),
    ],
)
def test_mistakes(tmp_path, contents, message):
    options, files = files_of(tmp_path, **contents)
    with pytest.raises(SystemExit) as exit:
        prepare(tmp_path, options, files=files)
    place, said = str(exit.value).split(f"error: {tmp_path}/kilt-fetched/")
    assert place == ""
    assert message in said
    assert len(said.splitlines()) == 1
    assert list((tmp_path / "out").iterdir()) == []
