"""MS MARCO as its files have it: what is read out of them, and what is wrong with others."""

import gzip
import io
import json
import random
import tarfile

import numpy as np
import pyarrow.parquet as pq
import pytest

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.dataset import Dataset
from dewpoint.data.negatives import candidates
from dewpoint.data.runs import Run, read_run
from dewpoint.data.tiny import PASSAGES, Words
from dewpoint.program import Settings
from dewpoint.sources import msmarco_document, msmarco_passage
from dewpoint.study.kind import kind
from programs import call, prepare

ARCHIVE, TITLES, TRIPLES = "collectionandqueries.tar.gz", "marco.tar.gz", "qidpidtriples.train.full.2.tsv.gz"
MEMBERS = {
    "collection.tsv": "0\tzero\n1\ta \"tab\"\tin 'it'\r\n2\tÂ£ 2\u0085\u2028\n3\t\n",
    "qrels.dev.small.tsv": "7\t0\t1\t1\n",
    "qrels.train.tsv": "30\t0\t2\t1\n10\t0\t0\t1\n30\t0\t2\t1\n30\t0\t3\t1\n",
    "queries.dev.small.tsv": "7\tseven\n8\teight\n",
    "queries.dev.tsv": "broken",
    "queries.train.tsv": '10\tten\n20\ttwenty\n30\tthirty "\n',
}
SMALL = {
    "msmarco-test2019-queries.tsv.gz": "19335\tanthropological definition\n47923\taxon\n",
    "2019qrels-pass.txt": "47923 Q0 0 3\n47923 Q0 1 2\n47923 Q0 2 1\n47923 Q0 3 0\n",
    "msmarco-test2020-queries.tsv.gz": "23849\tare naturalization records public\n",
    "2020qrels-pass.txt": "23849 0 3 2\n",
}
TITLE_MEMBERS = {"marco/para.txt": "0\tx\n", "marco/para.title.txt": '3\tThree\n0\tZero "0"\n2\t\n'}
TRIPLE_ROWS = "10\t0\t1\r\n10\t0\t3\r\n10\t0\t1\r\n30\t2\t0\r\n30\t3\t0\r\n99\t3\t0\r\n"
DOCUMENT_FILES = {
    "msmarco-docs.tsv.gz": "D7\thttp://a/\tSeven\ta b  c d e f g\nD9\t\t\t\nD1\thttp://b\tOne\tx\ty z\n",
    "msmarco-doctrain-queries.tsv.gz": "1\tone\n2\ttwo\n3\tthree\n",
    "msmarco-doctrain-qrels.tsv.gz": "3 0 D7 1\n1 0 D1 1\n",
    "msmarco-docdev-queries.tsv.gz": "4\tfour\n",
    "msmarco-docdev-qrels.tsv.gz": "4 0 D9 1\n",
    "msmarco-test2019-queries.tsv.gz": "5\tfive\n",
    "2019qrels-docs.txt": "5 Q0 D7 0\n5 Q0 D1 3\n",
    "msmarco-test2020-queries.tsv.gz": "6\tsix\n",
    "2020qrels-docs.txt": "6 0 D7 1\n",
}


def tar(members):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def fetched(folder, files):
    """Each file as an artifact of its own, as downloads are; contents that are text are packed as their names say."""
    manifests = []
    for name, content in files.items():
        artifact = Artifact(folder / f"downloads/{name}.json")
        if isinstance(content, str):
            content = gzip.compress(content.encode()) if name.endswith(".gz") else content.encode()
        artifact.path(name).write_bytes(content)
        artifact.seal()
        manifests.append(artifact.manifest)
    return manifests


def passages(folder, options=None, members=None, **others):
    files = {ARCHIVE: tar(members or MEMBERS), TITLES: tar(TITLE_MEMBERS), TRIPLES: TRIPLE_ROWS} | SMALL
    settings = {"source": "msmarco-passage", "titles": False, "triples": 0} | (options or {})
    return prepare(folder, settings, files=fetched(folder, files | others))


def documents(folder, options=None, **others):
    settings = {"source": "msmarco-document", "passages": "first", "words": 400} | (options or {})
    return prepare(folder, settings, files=fetched(folder, DOCUMENT_FILES | others))


def rows(manifest, table="corpus", columns=None):
    return [
        tuple(row.values()) for row in pq.read_table(manifest.parent / f"{table}.parquet", columns=columns).to_pylist()
    ]


# --- passages -----------------------------------------------------------------------------------


def test_passages_and_splits(tmp_path):
    manifest = passages(tmp_path)
    texts = ["zero", "a \"tab\"\tin 'it'", "Â£ 2\u0085\u2028", ""]
    assert rows(manifest) == [(str(row), "", text, str(row)) for row, text in enumerate(texts)]
    assert rows(manifest, "queries.train", ["id", "text"]) == [("30", 'thirty "'), ("10", "ten")]
    assert rows(manifest, "judgements.train") == [(0, 2, 1), (1, 0, 1), (0, 3, 1)]
    assert rows(manifest, "queries.dev", ["id", "text"]) == [("7", "seven")]
    assert rows(manifest, "queries.dl2019", ["id"]) == [("47923",)]
    assert rows(manifest, "judgements.dl2020") == [(0, 3, 2)]
    facts = read_manifest(manifest)["facts"]
    assert facts["judgements"] == {"train": 3, "dev": 1, "dl2019": 4, "dl2020": 1}
    assert facts["relevant"] == {"dl2019": 2, "dl2020": 2}
    assert not {"lists", "judged"} & facts.keys()


def test_trecs_passages_are_relevant_from_grade_two(tmp_path):
    dataset = Dataset(passages(tmp_path))
    assert [dataset.relevant(split) for split in ("train", "dev", "dl2019", "dl2020")] == [1, 1, 2, 2]
    assert [part.tolist() for part in dataset.positives("dl2019")] == [[0, 0], [0, 1]]
    assert [part.tolist() for part in dataset.positives("train")] == [[0, 1, 0], [2, 0, 3]]
    assert dataset.judgements("dl2019")[2].tolist() == [3, 2, 1, 0]


def test_titles_are_joined_by_id(tmp_path):
    assert rows(passages(tmp_path, {"titles": True}), columns=["title"]) == [('Zero "0"',), ("",), ("",), ("Three",)]


def test_members_may_lie_in_any_order_and_in_a_folder(tmp_path):
    plain = read_manifest(passages(tmp_path / "plain"))
    others = {f"./x/{name}": MEMBERS[name] for name in reversed(MEMBERS)}
    assert read_manifest(passages(tmp_path / "others", members=others))["content"] == plain["content"]


def test_triples_are_a_list(tmp_path):
    manifest = passages(tmp_path, {"triples": 5})
    query, passage = Dataset(manifest).listed("triples", "train")
    assert query.tolist() == [0, 1, 1] and passage[0] == 0 and sorted(passage[1:]) == [1, 3]
    assert read_manifest(manifest)["facts"]["lists"] == {"triples": {"train": 3}}


def test_a_list_as_a_run(tmp_path):
    manifest = passages(tmp_path, {"triples": 5})
    query, passage = Dataset(manifest).listed("triples", "train")
    for depth, kept in ((1000, [0, 1, 2]), (1, [0, 1])):
        settings = {"list": "triples", "split": "train", "depth": depth}
        run = read_run(call("rankers.given rank", tmp_path / f"runs/{depth}.json", settings, dataset=manifest))
        assert (run.query.tolist(), run.passage.tolist()) == (query[kept].tolist(), passage[kept].tolist())
        assert run.score.tolist() == [-1.0, -1.0, -2.0][: len(kept)]


LARGE_TAR = tar(
    MEMBERS | {"collection.tsv": "".join(f"{row}\t{random.Random(row).random()}\n" for row in range(99_999))}
)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            ARCHIVE,
            tar({"collection.tsv": "0\tx\n"}),
            ": has no 'qrels.dev.small.tsv', only collection.tsv; fetch it again",
        ),
        (ARCHIVE, tar({}), ": has no 'collection.tsv', only nothing; fetch it again"),
        (ARCHIVE, LARGE_TAR[: len(LARGE_TAR) // 2], "/collection.tsv: broken .tsv after line "),
        (ARCHIVE, gzip.compress(b"no tar at all" * 100), ": broken .gz after member 0 ("),
        (ARCHIVE, b"nothing packed", ": broken .gz after member 0 ("),
        (ARCHIVE, {"collection.tsv": "0\tx\n0\ty\n"}, "/collection.tsv:2: passage id '0' was used before"),
        (ARCHIVE, {"collection.tsv": "0\tx\ny\n"}, "/collection.tsv:2: expected an id and a text with a tab between"),
        (ARCHIVE, {"collection.tsv": ""}, "/collection.tsv: the corpus is empty, no passage was found"),
        (ARCHIVE, {"qrels.train.tsv": "40\t0\t1\t1\n"}, "/qrels.train.tsv:1: judgement names unknown query '40'"),
        (ARCHIVE, {"qrels.train.tsv": "10\t0\t4\t1\n"}, "/qrels.train.tsv:1: judgement names unknown passage '4'"),
        (ARCHIVE, {"qrels.train.tsv": "10\t0\t1\n"}, "/qrels.train.tsv:1: 3 fields, expected query 0 passage grade"),
        (ARCHIVE, {"queries.train.tsv": "1\ta\n1\tb\n"}, "/queries.train.tsv:2: query id '1' was used before"),
        (TITLES, tar({"marco/para.txt": ""}), ": has no 'para.title.txt', only para.txt; fetch it again"),
        (TITLES, tar({"para.title.txt": "1\ta\n1\tb\n"}), "/para.title.txt:2: passage '1' has a second title"),
        (TRIPLES, "10\t0\t4\n", ": unknown passage '4'"),
        (TRIPLES, "10\t0\n", ": not lines of query, positive, negative ("),
        ("2019qrels-pass.txt", "47923 Q0 0 x\n", ":1: grade 'x' is not a finite number"),
        ("msmarco-test2020-queries.tsv.gz", b"no", ": broken .gz after line 0 ("),
    ],
)
def test_faults_of_passages(tmp_path, name, content, message):
    if isinstance(content, dict):
        content = tar(MEMBERS | content)
    with pytest.raises(SystemExit) as exit:
        passages(tmp_path, {"titles": True, "triples": 3}, **{name: content})
    assert str(exit.value).startswith(f"error: {tmp_path}/downloads/{name}{message}")
    assert len(str(exit.value).splitlines()) == 1
    assert list((tmp_path / "out").iterdir()) == []


# --- documents ----------------------------------------------------------------------------------


def test_first_words_of_documents(tmp_path):
    manifest = documents(tmp_path, {"words": 3})
    assert rows(manifest) == [("D7", "Seven", "a b c", "D7"), ("D9", "", "", "D9"), ("D1", "One", "x y z", "D1")]
    assert rows(manifest, "queries.train", ["id"]) == [("3",), ("1",)]
    assert rows(manifest, "judgements.dl2019") == [(0, 0, 0), (0, 2, 3)]
    facts = read_manifest(manifest)["facts"]
    assert facts["judged"] == "documents" and "relevant" not in facts


@pytest.mark.parametrize(
    ("words", "stride", "expected"),
    [
        (3, None, ["a b c", "d e f", "g"]),
        (3, 2, ["a b c", "c d e", "e f g"]),
        (3, 3, ["a b c", "d e f", "g"]),
        (7, 2, ["a b c d e f g"]),
        (6, 2, ["a b c d e f", "c d e f g"]),
        (2, 5, ["a b", "f g"]),
        (1, 7, ["a"]),
    ],
)
def test_all_words_of_documents(tmp_path, words, stride, expected):
    options = {"passages": "all", "words": words} | ({"stride": stride} if stride else {})
    manifest = documents(tmp_path, options)
    found = [row for row in rows(manifest) if row[3] == "D7"]
    assert found == [(f"D7#{part}", "Seven", text, "D7") for part, text in enumerate(expected)]
    assert [row for row in rows(manifest) if row[3] == "D9"] == [("D9#0", "", "", "D9")]


def test_a_judgement_is_of_all_passages_of_a_document(tmp_path):
    manifest = documents(tmp_path, {"passages": "all", "words": 3})
    assert rows(manifest, "judgements.train") == [(0, 0, 1), (0, 1, 1), (0, 2, 1), (1, 4, 1)]
    assert rows(manifest, "judgements.dev") == [(0, 3, 1)]
    assert read_manifest(manifest)["facts"]["judgements"]["train"] == 2
    run = Run(np.zeros(5, int), np.arange(5), -np.arange(5.0))
    settings = Settings(depth=10, without=["judged"], split="train", skip=0, margin=None, share=None)
    dataset = Dataset(manifest)
    assert candidates(run, dataset.positives("train"), dataset, settings, run)[0].passage.tolist() == [3, 4]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("msmarco-docs.tsv.gz", "D1\ta\tb\n", ":1: 3 fields, expected id, url, title, body separated by tabs"),
        ("msmarco-docs.tsv.gz", "D1\ta\tb\tc\n" * 2, ":2: document id 'D1' was used before"),
        ("msmarco-docs.tsv.gz", "\ta\tb\tc\n", ":1: a document without an id"),
        ("msmarco-docs.tsv.gz", "", ": the corpus is empty, no passage was found"),
        ("msmarco-docdev-qrels.tsv.gz", "4 0 D2 1\n", ":1: judgement names unknown document 'D2'"),
        ("msmarco-docdev-qrels.tsv.gz", "4 0 D1 1\n4 0 D1 0\n", ":2: query '4', document 'D1': grade 0, but 1 before"),
    ],
)
def test_faults_of_documents(tmp_path, name, content, message):
    with pytest.raises(SystemExit) as exit:
        documents(tmp_path, **{name: content})
    assert str(exit.value) == f"error: {tmp_path}/downloads/{name}{message}"
    assert list((tmp_path / "out").iterdir()) == []


# --- counts, rehearsal --------------------------------------------------------------------------

COUNTS = {
    "passages": 4,
    "queries": {"train": 2, "dev": 1, "dl2019": 1, "dl2020": 1},
    "judgements": {"train": 3, "dev": 1, "dl2019": 4, "dl2020": 1},
}


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({}, None),
        ({"passages": 8841823}, "4 passages, expected 8,841,823"),
        ({"queries": {"train": 2, "dev": 6980}}, "1 dev queries, expected 6,980"),
        ({"judgements": {"dl2019": 4, "eval": 5}}, "0 eval judgements, expected 5"),
    ],
)
def test_counts_must_be_the_published_ones(tmp_path, other, message):
    settings = {"expected": COUNTS | other}
    if message is None:
        passages(tmp_path, settings)
        return
    with pytest.raises(SystemExit) as exit:
        passages(tmp_path, settings)
    assert str(exit.value) == f"error: msmarco-passage: {message}; are the files another version's?"
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("module", "options"),
    [
        (msmarco_passage, {"titles": False, "triples": 0}),
        (msmarco_passage, {"titles": True, "triples": 4}),
        (msmarco_document, {"passages": "first", "words": 400}),
        (msmarco_document, {"passages": "all", "words": 50, "stride": 20}),
        (msmarco_document, {"passages": "all", "words": 50}),
        (msmarco_document, {"passages": "all", "words": 20, "stride": 100}),
        (msmarco_document, {"passages": "all", "words": 400}),
    ],
)
def test_a_rehearsal_prepares_to_what_is_expected_of_it(tmp_path, module, options):
    source = module.__name__.split(".")[-1].replace("_", "-")
    promised, contents = kind("sources", source)(source=source, **options).expected_small(), []
    for name in ("once", "again"):
        downloads = Artifact(tmp_path / name / "manifest.json")
        module.rehearse(downloads.staging, Words(1), **options)
        downloads.seal()
        settings = {"source": source, "expected": promised} | options
        contents.append(read_manifest(prepare(tmp_path, settings, f"out-{name}", [downloads.manifest]))["content"])
    assert contents[0] == contents[1]
    facts = json.loads((tmp_path / "out-once/manifest.json").read_text())["facts"]
    assert facts["passages"] >= PASSAGES and ("lists" in facts) == bool(options.get("triples"))
