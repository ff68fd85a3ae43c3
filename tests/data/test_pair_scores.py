"""Scores of training triples, as others published them: as a run they are what a dictionary of the pairs holds."""

import gzip
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.artifact import Artifact
from dewpoint.data import pair_scores
from dewpoint.data.dataset import Dataset
from dewpoint.data.negatives import read_negatives, write_negatives
from dewpoint.data.pair_scores import read_pair_scores
from dewpoint.data.runs import Run, read_run
from dewpoint.data.teacher import Teacher
from dewpoint.errors import UserError
from programs import call, prepare, said_of, write_files, zstd

APART = 1e-3
QUERIES, PASSAGES = [f"q{row}" for row in range(9)], [f"p {row}" if row == 8 else f"p{row}" for row in range(9)]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """Nine queries and passages, q2 with the positive p5, and another split with the query z."""
    folder = tmp_path_factory.mktemp("dataset")
    rows = {"corpus": PASSAGES, "train": QUERIES, "dev": ["z"]}
    texts = {f"{name}.tsv": "id\ttext\n" + "".join(f"{id}\tword\n" for id in ids) for name, ids in rows.items()}
    texts |= {"j.tsv": "query\tpassage\nq2\tp5\n", "k.tsv": "query\tpassage\nz\tp0\n"}
    write_files(folder, texts)
    one = {name: {"file": f"{folder}/{name}.tsv", "columns": {}} for name in ("corpus", "train", "dev", "j", "k")}
    judgements = {"train": one["j"] | {"relevant": 1}, "dev": one["k"] | {"relevant": 1}}
    queries = {"train": one["train"], "dev": one["dev"]}
    return prepare(folder, {"source": "table", "corpus": one["corpus"], "queries": queries, "judgements": judgements})


def wanted(depth: int) -> SimpleNamespace:
    return SimpleNamespace(split="train", depth=depth, apart=APART)


def taken(dataset: Path, file: Path, depth: int = 1000, apart: float = APART) -> Path:
    output, values = file.parent / "taken" / "d.train.json", {"split": "train", "depth": depth, "apart": apart}
    return call("rankers.pair_scores rank", output, values, dataset=dataset, file=file)


def rows(run: Run) -> list[tuple]:
    return list(zip(run.query.tolist(), run.passage.tolist(), run.score.tolist(), strict=True))


def text(triples) -> str:
    return "".join(f"{p!r}\t{n!r}\tq{query}\t{PASSAGES[a]}\t{PASSAGES[b]}\n" for p, n, query, a, b in triples)


def slowly(triples, depth: int) -> list[tuple] | None:
    """The run by a dictionary that holds a pair's first score; None where a later one is too far from that."""
    found: dict[tuple[int, int], float] = {}
    for positive, negative, query, *passages in triples:
        for passage, score in zip(passages, map(np.float32, (positive, negative)), strict=True):
            first = found.setdefault((query, passage), float(score))
            if abs(float(score) - first) > APART:
                return None
    best = sorted((query, -score, passage) for (query, passage), score in found.items())
    ranked = [(query, passage, -score) for query, score, passage in best]
    return [row for at, row in enumerate(ranked) if [query for query, *_ in ranked[:at]].count(row[0]) < depth]


# close to a whole number that the pair says, so that scores of one pair mostly agree
NEAR = st.sampled_from([0, 0, 0, 0.0004, 0.0008, -0.0008])
TRIPLE = st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(0, 8), NEAR, NEAR).map(
    lambda of: (of[0] % 3 - of[1] + of[3], of[0] % 3 - of[2] + of[4], *of[:3])
)


@settings(max_examples=150, deadline=None)
@given(st.lists(TRIPLE, min_size=1, max_size=60), st.integers(1, 9), st.sampled_from([1, 7, 10**6]), st.integers(1, 9))
def test_it_is_what_a_dictionary_holds(dataset, tmp_path_factory, triples, depth, pending, blocks):
    """In however many parts the lines are read, and in however many blocks of queries they are sorted."""
    folder = tmp_path_factory.mktemp("file")
    file = folder / "scores.tsv"
    file.write_text(text(triples))
    expected = slowly(triples, depth)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair_scores, "PENDING", pending)
        patch.setattr(pair_scores, "BLOCKS", blocks)
        made = read_pair_scores(file, Dataset(dataset), wanted(depth), folder)
        if expected is None:
            with pytest.raises(UserError, match=r"is scored .*, but .* in .*; if that is rounding, say apart: …$"):
                list(made)
        else:
            assert [row for block in made for row in rows(block)] == expected
    assert [path.name for path in folder.iterdir()] == ["scores.tsv"]


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_a_teacher_and_negatives_read_it(dataset, tmp_path, suffix):
    """The positive is scored for the one and left out of the others."""
    lines = b"9.5\t-1\tq2\tp5\tp3\n9.5\t2.25\tq2\tp5\tp 8\n\n9.5\t-1.0005\tq2\tp5\tp3\r\n7\t3\tz\tp0\tp1\n"
    file = tmp_path / f"scores.tsv{suffix}"
    file.write_bytes({"": bytes, ".gz": gzip.compress, ".zst": zstd}[suffix](lines))
    run = taken(dataset, file)
    assert rows(read_run(run)) == [(2, 5, 9.5), (2, 8, 2.25), (2, 3, -1)]
    scores = Teacher(run, np.array([2])).scores(np.array([2]), np.array([5, 3, 8, 0]))
    assert scores[:3].tolist() == [9.5, -1, 2.25] and np.isnan(scores[3])
    drawn = {"depth": 9, "skip": 0, "margin": None, "share": None, "kept": 9, "without": ["judged"]}
    chosen = SimpleNamespace(split="train", seed=1, **drawn)
    artifact = Artifact(tmp_path / "negatives" / "manifest.json")
    write_negatives(artifact, [run], Dataset(dataset), chosen)
    artifact.seal()
    negatives = read_negatives(artifact.manifest)
    assert negatives.query.tolist() == [2] and sorted(negatives.passages) == [3, 8]


def test_other_splits_are_passed_over(dataset, tmp_path, caplog):
    file = tmp_path / "scores.tsv"
    file.write_text("1\t2\tz\tnowhere\tp1\n3\t1\tq1\tp0\tp1\n1\t2\tz\tp0\tp1\n")
    assert rows(read_run(taken(dataset, file))) == [(1, 0, 3), (1, 1, 1)]
    assert "warning: 2 lines of other splits' queries passed over" in caplog.text


FIRST = "3\t1\tq1\tp0\tp1\n"
EXPECTED = "expected score_pos score_neg query_id pos_passage_id neg_passage_id with tabs"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{FIRST}3\t1\tq77\tp0\tp1\n", ":2: unknown query 'q77'; {data} has none of this id"),
        (f"{FIRST}3\t1\tq1\tp0\tp11\n", ":2: unknown passage 'p11'; {data} has none of this id"),
        (f"{FIRST}\n3\t1\tq1\tp0\n", f":3: 4 fields, {EXPECTED}"),
        ("3 1 q1 p0 p1\n", f":1: 1 fields, {EXPECTED}"),
        (f"{FIRST}high\t1\tq1\tp0\tp1\n", ":2: score_pos 'high' is not a number that float32 holds"),
        (f"{FIRST}1\tnan\tq1\tp0\tp1\n", ":2: score_neg 'nan' is not a number that float32 holds"),
        (f"{FIRST}1\t1e39\tq1\tp0\tp1\n", ":2: score_neg '1e39' is not a number that float32 holds"),
        (f"{FIRST}1\t\tq1\tp0\tp1\n", ":2: score_neg '' is not a number that float32 holds"),
        (
            f"{FIRST}3.0005\t2\tq1\tp0\tp2\n3\t1.0015\tq1\tp0\tp1\n",
            ":3: passage 'p1' of query 'q1' is scored 1.0015, but 1.0 in {file}:1; if that is rounding, say apart: …",
        ),
        ("3\t1\tq1\tp0\tp0\n", ":1: passage 'p0' of query 'q1' is scored 1.0, but 3.0 in {file}:1; if that is"),
        (
            "3\t1\twhat is this\tA passage.\tAnother one.\n",
            ":1: texts where ids belong; name the file of ids that it was made from: score_pos score_neg query_id ",
        ),
        ("3\t1\tq1\tp0\tA passage.\n", ":1: texts where ids belong; name the file of ids that it was made from: "),
        ("3\t1\tz\tp0\tp1\n", ": no query of train in it"),
        ("", ": no query of train in it"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(dataset, tmp_path, text, message):
    file = tmp_path / "scores.tsv"
    said = said_of(file, text, lambda: taken(dataset, file), tmp_path / "taken")
    assert said.startswith(message.format(file=file, data=dataset.parent))


def test_scores_may_be_as_far_apart_as_is_said(dataset, tmp_path):
    file = tmp_path / "scores.tsv"
    file.write_text("3\t1\tq1\tp0\tp1\n3.0625\t1\tq1\tp0\tp2\n2.9375\t1\tq1\tp0\tp3\n")
    assert rows(read_run(taken(dataset, file, 1, apart=0.0625))) == [(1, 0, 3)]
    with pytest.raises(SystemExit, match=r":2: passage 'p0' of query 'q1' is scored 3\.0625, but 3\.0 in"):
        taken(dataset, file, apart=0.06)


def test_a_file_that_is_cut(dataset, tmp_path):
    file = tmp_path / "scores.tsv.gz"
    file.write_bytes(gzip.compress((FIRST * 3000).encode())[:-12])
    with pytest.raises(SystemExit, match=r"broken \.gz after line"):
        taken(dataset, file)
