"""DPR's files: odd rows come out as csv, json and ast read them by themselves; what cannot be read is named."""

import ast
import csv
import gzip
import io
import json
import logging

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.artifact import read_manifest
from dewpoint.data import reading
from dewpoint.data.reading import json_array, quoted
from dewpoint.errors import UserError
from programs import downloads, prepare, write_files

CORPUS = """id\ttext\ttitle
1\t"One ""quoted"" text"\tAaron
2\tTwo, plain\tAaron
3\t\"""Three\"""\t"The ""B\"""
4\tFour\t
"""
FILES = ["biencoder-nq-train.json.gz", "biencoder-nq-dev.json.gz", "nq-test.qa.csv", "psgs_w100.tsv.gz"]


def entry(question="who?", answers=("x",), positives=("1",), negatives=(), hard=(), id="passage_id"):
    lists = {"positive_ctxs": positives, "negative_ctxs": negatives, "hard_negative_ctxs": hard}
    contexts = {key: [{"title": "", "text": "", id: one} for one in ids] for key, ids in lists.items()}
    return {"question": question, "answers": list(answers), **contexts}


def nq(folder, train=(), dev=(), test="q\t['a']\n", corpus=CORPUS, adversarial=None):
    """Settings and downloads of NQ with few questions."""
    contents = [train, dev, test, corpus] + ([] if adversarial is None else [adversarial])
    names = [*FILES, "biencoder-nq-adv-hn-train.json.gz"]
    for name, content in zip(names, contents, strict=False):
        data = (content if isinstance(content, str) else json.dumps(list(content), indent=1)).encode()
        write_files(folder, {f"nq/{name}": gzip.compress(data) if name.endswith("gz") else data})
    options = {"source": "dpr", "questions": ["nq"], "adversarial": adversarial is not None}
    return options, [downloads(folder / "nq")]


def prepared(folder, **contents):
    options, files = nq(folder, **contents)
    return prepare(folder, options, files=files)


def rows(manifest, table):
    return [tuple(row.values()) for row in pq.read_table(manifest.parent / f"{table}.parquet").to_pylist()]


def test_passages_are_those_of_an_article(tmp_path):
    assert rows(prepared(tmp_path), "corpus") == [
        ("1", "Aaron", 'One "quoted" text', "Aaron"),
        ("2", "Aaron", "Two, plain", "Aaron"),
        ("3", 'The "B"', "Three", 'The "B"'),
        ("4", "", "Four", "4"),
    ]


def test_questions_lists_and_what_is_left_out(tmp_path, caplog):
    """Ids are numbers or texts under three names, with a prefix or not; some are unknown, some contexts have none."""
    train = [
        entry("it’s asked", ["a", "b"], ["2", "1", "2"], ["3", "nine"], [4, "wiki:1"]),
        entry("none", positives=[]),
        entry("twice", positives=["77"], hard=["1"]),
        entry("twice", positives=[None, "3"], id="psg_id"),
        {"question": "bare", "answers": [], "positive_ctxs": [{"id": 4, "psg_id": None}]},
    ]
    adversarial = [entry("twice", positives=[], hard=["1"], id="id"), entry("else"), entry("twice", hard=["2", "4"])]
    manifest = prepared(tmp_path, train=train, adversarial=[*adversarial, entry("it’s asked", hard=["3"])])
    assert rows(manifest, "queries.nq-train") == [
        ("nq-train-0", "it's asked", ["a", "b"]),
        ("nq-train-3", "twice", ["x"]),
        ("nq-train-4", "bare", []),
    ]
    assert rows(manifest, "judgements.nq-train") == [(0, 1, 1), (0, 0, 1), (1, 2, 1), (2, 3, 1)]
    assert rows(manifest, "lists.negatives.nq-train") == [(0, 2)]
    assert rows(manifest, "lists.hard.nq-train") == [(0, 3), (0, 0)]
    assert rows(manifest, "lists.adversarial.nq-train") == [(0, 2), (1, 1), (1, 3)]
    facts = read_manifest(manifest)["facts"]
    assert facts["left_out"]["nq-train"] == {"contexts": 3, "queries": 2, "adversarial": 1}
    assert (facts["queries"]["nq-train"], facts["judgements"]["nq-train"]) == (3, 4)
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == 3
    assert all("biencoder-nq-train.json.gz: " in line for line in warned)


def test_test_questions_have_answers_and_no_judgements(tmp_path):
    test = """who?\t['a', "it's"]\n"say ""so\"""\t"[""'b'"", 'c\\\\d']"\nwho?\t()\n"""
    manifest = prepared(tmp_path, test=test)
    expected = [
        (f"nq-test-{row}", question, list(ast.literal_eval(answers)))
        for row, (question, answers) in enumerate(csv.reader(io.StringIO(test), delimiter="\t"))
    ]
    assert rows(manifest, "queries.nq-test") == expected
    assert [len(answers) for _, _, answers in expected] == [2, 2, 0]
    assert rows(manifest, "judgements.nq-test") == []


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"corpus": "id\ttext\ttitle\n1\tone\n"}, "tsv.gz:2: 2 fields, expected id, text, title separated by tabs"),
        ({"corpus": "id\ttext\ttitle\n"}, "tsv.gz: the corpus is empty"),
        ({"corpus": CORPUS + "1\tagain\t\n"}, "tsv.gz:6: passage id '1' was used before"),
        ({"corpus": f'1\t"open{"x" * 200_000}\tA\n'}, "tsv.gz:1: not CSV (field larger than field limit"),
        ({"corpus": '1\ta\tA\n2\t"open\tA\n3\tc\tA\n'}, "tsv.gz:2: 2 fields"),
        ({"train": "{}"}, "entry 1: expected a JSON array of objects"),
        ({"train": "[1]"}, "entry 1: expected a JSON array of objects"),
        ({"train": '[{"positive_ctxs": [{"id": 1}]}]'}, "entry 1: no column 'question'; there is positive_ctxs"),
        ({"train": json.dumps([entry()])[:-1]}, "entry 2 is not JSON (Expecting value)"),
        ({"train": json.dumps([entry()]) + "x"}, "after entry 1: expected the end of a JSON array"),
        ({"train": '[{"question": "x", "positive_ctxs": ["1"]}]'}, "entry 1: 'positive_ctxs' is no list of objects"),
        ({"train": [entry(answers=[["x"]])]}, "entry 1: column 'answers' holds a list, expected text"),
        ({"train": [entry() | {"answers": "x"}]}, "entry 1: column 'answers' holds a str, expected a list"),
        ({"train": [entry(" ")]}, "entry 1: query 'nq-train-0' has no text"),
        ({"test": "q\n"}, "nq-test.qa.csv:1: 1 fields, expected question and answers separated by a tab"),
        ({"test": "q\t['a'\n"}, "nq-test.qa.csv:1: answers \"['a'\" are no list of texts as Python writes it"),
        ({"test": "q\t[1]\n"}, "nq-test.qa.csv:1: answers '[1]' are no list"),
        ({"test": "q\t__import__('os').system('false')\n"}, 'nq-test.qa.csv:1: answers "__import__'),
        ({"adversarial": '[{"id": 1}]'}, "entry 1: no column 'question'"),
    ],
)
def test_mistakes(tmp_path, contents, message):
    options, files = nq(tmp_path, **contents)
    with pytest.raises(SystemExit) as exit:
        prepare(tmp_path, options, files=files)
    place, said = str(exit.value).split(f"error: {tmp_path}/nq-fetched/")
    assert place == ""
    assert message in said
    assert len(said.splitlines()) == 1
    assert list((tmp_path / "out").iterdir()) == []


# --- large arrays, odd quotes -------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.dictionaries(st.text(max_size=3), JSON, max_size=3), max_size=6),
    st.integers(1, 40),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_an_array_read_in_pieces_is_what_json_loads(tmp_path_factory, values, size, indent, ascii):
    path = tmp_path_factory.mktemp("array") / "a.json"
    path.write_bytes(json.dumps(values, indent=indent, ensure_ascii=ascii).encode("utf-8", "surrogatepass"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "BUFFER", size)
        try:
            expected = json.loads(path.read_bytes().decode())
        except UnicodeDecodeError:
            with pytest.raises(UserError, match="not UTF-8 after entry"):
                list(json_array(path))
        else:
            assert [value for _, value in json_array(path)] == expected


@settings(max_examples=200, deadline=None)
@given(st.lists(st.dictionaries(st.text("ab", max_size=2), JSON, max_size=2), max_size=3), st.data())
def test_what_json_refuses_is_refused(tmp_path_factory, values, data):
    """A character of a good array is put in or replaced, perhaps by none; a key may come twice then."""
    text = json.dumps(values, indent=1)
    at, kind = data.draw(st.integers(0, len(text) - 1)), data.draw(st.sampled_from(["", "x", "]", "[", ",", "{", '"']))
    path = tmp_path_factory.mktemp("array") / "a.json"
    path.write_text(text[:at] + kind + text[at + data.draw(st.integers(0, 1)) :])
    twice = []

    def object_of(pairs):
        twice.extend(pairs[len({key for key, _ in pairs}) :])
        return dict(pairs)

    try:
        expected = json.loads(path.read_text(), object_pairs_hook=object_of)
        good = isinstance(expected, list) and all(isinstance(value, dict) for value in expected) and not twice
    except ValueError:
        good = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "BUFFER", 7)
        if good:
            assert [value for _, value in json_array(path)] == expected
        else:
            with pytest.raises(UserError, match=r"a\.json: (entry|after entry)"):
                list(json_array(path))


def test_an_object_that_never_ends_is_not_read_to_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "LARGEST", 1000)
    monkeypatch.setattr(reading, "BUFFER", 100)
    path = tmp_path / "a.json"
    path.write_text('[{"a": 1},\n {"a": "' + "x" * 100_000)
    with pytest.raises(UserError, match=r"a\.json: entry 2 is not JSON \(Unterminated string"):
        list(json_array(path))


def test_a_cut_archive_is_named(tmp_path):
    path = tmp_path / "a.json.gz"
    path.write_bytes(gzip.compress(json.dumps([entry()] * 1000).encode())[:-20])
    with pytest.raises(UserError, match=r"a\.json\.gz: broken \.gz after entry \d+ .*; fetch it again"):
        list(json_array(path))


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("ab\"\t\n' ,é"), max_size=40))
def test_rows_with_odd_quotes_are_what_csv_reads(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("rows") / "a.tsv"
    path.write_text(text)
    expected = [row for row in csv.reader(io.StringIO(text), delimiter="\t") if row]
    read = [row for _, row in quoted(path, "\t", strict=False)]
    assert read == expected or text[-1:] != "\n"  # a line's end is given to the last line
