"""Runs as text: what others wrote is read, what is written is read again as the same run, by others too."""

import gzip
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dewpoint.artifact import Artifact
from dewpoint.data import run_files
from dewpoint.data.dataset import Dataset
from dewpoint.data.run_files import falling, read_lines
from dewpoint.data.runs import Run, ranked, read_run, write_run
from programs import call, prepare, said_of, write_files, zstd

QUERIES, PASSAGES = [f"q{row}" for row in range(9)], [f"p {row}" if row == 8 else f"p{row}" for row in range(9)]


def dataset_of(folder: Path, queries=QUERIES, passages=PASSAGES, others=("z",)) -> Path:
    """A dataset with these ids in the split `test`, and others in `dev`."""

    def table(ids):
        return "id\ttext\n" + "".join(f"{id}\tword\n" for id in ids)

    texts = {"corpus.tsv": table(passages), "test.tsv": table(queries), "dev.tsv": table(others)}
    texts |= {
        "j.tsv": f"query\tpassage\n{queries[0]}\t{passages[0]}\n",
        "k.tsv": f"query\tpassage\n{others[0]}\t{passages[0]}\n",
    }
    write_files(folder, texts)
    one = {name: {"file": f"{folder}/{name}.tsv", "columns": {}} for name in ("corpus", "test", "dev", "j", "k")}
    queries = {"test": one["test"], "dev": one["dev"]}
    judgements = {"test": one["j"] | {"relevant": 1}, "dev": one["k"] | {"relevant": 1}}
    return prepare(folder, {"source": "table", "corpus": one["corpus"], "queries": queries, "judgements": judgements})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return dataset_of(tmp_path_factory.mktemp("dataset"))


def taken(dataset: Path, file: Path, depth: int = 1000) -> Run:
    output = file.parent / "taken" / "d.test.json"
    return read_run(call("rankers.file rank", output, {"split": "test", "depth": depth}, dataset=dataset, file=file))


def exported(run: Run, dataset: Path, file: Path) -> Path:
    artifact = Artifact(file.parent / "first" / "d.test.json")
    write_run(artifact, run)
    artifact.seal()
    return call("export", file, {}, run=artifact.manifest, dataset=dataset)


def rows(run: Run) -> list[tuple]:
    return list(zip(run.query.tolist(), run.passage.tolist(), run.score.tolist(), strict=True))


SCORE = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.integers(-2, 2).map(float)
RUN = st.dictionaries(st.tuples(st.integers(0, 8), st.integers(0, 7)), SCORE, min_size=1, max_size=40)


def run_of(scores, depth=1000) -> Run:
    pairs = np.array(list(scores), np.int32).reshape(-1, 2)
    return ranked(pairs[:, 0], pairs[:, 1], np.array(list(scores.values()), np.float32), depth)


@settings(max_examples=60, deadline=None)
@given(RUN, st.integers(1, 9), st.randoms(use_true_random=False), st.sampled_from([1, 3, 10**9]))
def test_lines_in_any_order_are_the_run_of_their_scores(dataset, tmp_path_factory, scores, depth, shuffle, block):
    """Whatever their ranks say, and in however many parts they are sorted."""
    file = tmp_path_factory.mktemp("file") / "run.trec"
    found = list(scores.items())
    shuffle.shuffle(found)
    file.write_text("".join(f"q{q} Q0\tp{p}  {shuffle.randint(0, 9)} {s!r} x\n\n" for (q, p), s in found))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_files, "ROWS", block)
        blocks = list(read_lines(file, Dataset(dataset), "test", depth))
    assert [row for block in blocks for row in rows(block)] == rows(run_of(scores, depth))


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_an_ms_marco_run(dataset, tmp_path, suffix):
    """Without scores: the negative of the rank. Ids may have blanks in them."""
    text = b"q4\tp 8\t2\nq1\tp3\t1\nq4\tp0\t1\nq4\tp2\t10\n"
    file = tmp_path / f"run.tsv{suffix}"
    file.write_bytes({"": bytes, ".gz": gzip.compress, ".zst": zstd}[suffix](text))
    assert rows(taken(dataset, file)) == [(1, 3, -1), (4, 0, -1), (4, 8, -2), (4, 2, -10)]
    assert rows(taken(dataset, file, 2)) == [(1, 3, -1), (4, 0, -1), (4, 8, -2)]


def test_queries_of_other_splits_are_passed_over(dataset, tmp_path, caplog):
    file = tmp_path / "run.trec"
    file.write_text("z Q0 nowhere 1 9 x\nq1 Q0 p3 1 9 x\nz Q0 p3 2 8 x\n")
    assert rows(taken(dataset, file)) == [(1, 3, 9)]
    assert "warning: 2 lines of other splits' queries passed over" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q1 Q0 p3 1 9 x\nq77 Q0 p3 1 9 x\n", ":2: unknown query 'q77'; {data} has none of this id"),
        ("q1 Q0 p3 1 9 x\nq1 Q0 p33 1 9 x\n", ":2: unknown passage 'p33'; {data} has none of this id"),
        ("q1 Q0 p3 1 high x\n", ":1: score 'high' is not a number that float32 holds"),
        ("q1 Q0 p3 1 nan x\n", ":1: score 'nan' is not a number that float32 holds"),
        ("q1 Q0 p3 1 -inf x\n", ":1: score '-inf' is not a number that float32 holds"),
        ("q1 Q0 p3 1 1e39 x\n", ":1: score '1e39' is not a number that float32 holds"),
        ("q1\tp3\tfirst\n", ":1: rank 'first' is not a number that float32 holds"),
        ("q1 Q0 p3 1 9 x\n\nq1 Q0 p3 1 9\n", ":3: 5 fields, expected query Q0 passage rank score tag"),
        ("q1 Q0 p 8 1 9 x\n", ":1: 7 fields, expected query Q0 passage rank score tag"),
        ("q1\tp3\t1\nq1\tp4\n", ":2: 2 fields, expected query, passage, rank with tabs"),
        ("q1 p3 1\n", ":1: 3 fields, expected query Q0 passage rank score tag"),
        (
            "q1 Q0 p3 1 9 x\nq2 Q0 p3 1 9 x\nq1 Q0 p4 1 9 x\nq1 Q0 p3 2 7 x\n",
            ":4: query 'q1' has passage 'p3' twice, first in {file}:1",
        ),
        ("q1\tp3\t1\nq1\tp3\t2\n", ":2: query 'q1' has passage 'p3' twice, first in {file}:1"),
        ("z Q0 p3 1 9 x\n", ": no query of test in it"),
        ("", ": no query of test in it"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(dataset, tmp_path, text, message):
    file = tmp_path / "run.trec"
    said = said_of(file, text, lambda: taken(dataset, file), tmp_path / "taken")
    assert said == message.format(file=file, data=dataset.parent)


# --- writing ------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(RUN)
def test_falling_scores(scores):
    """They fall; one that is lower than all before stays; none is lowered further than the ranks above it."""
    run = run_of(scores)
    fallen = falling(run)
    for query in range(9):
        mine = run.query == query
        new, old = fallen[mine], run.score[mine]
        assert (np.diff(new.astype(np.float64)) < 0).all()
        bound = np.float32(np.inf)
        for now, before in zip(new, old, strict=True):
            assert now == min(before, np.nextafter(bound, np.float32(-np.inf)))
            bound = now


IDS = st.lists(
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=4), min_size=9, max_size=9, unique=True
)


@settings(max_examples=10, deadline=None)
@example({(0, 0): float(np.finfo(np.float32).max)}, [*"abcdefghi"], [*"abcdefghi"], 1)  # written with fewer digits
@given(RUN, IDS, IDS, st.integers(1, 30))
def test_export_and_import_give_the_same_run(tmp_path_factory, scores, queries, passages, block):
    """In both formats; and sorted as trec_eval does, by float32 score and then by falling id, the order is ours."""
    folder, run = tmp_path_factory.mktemp("world"), run_of(scores)
    dataset = dataset_of(folder, queries, passages)
    for file in (folder / "run.trec", folder / "run.msmarco.tsv"):
        read = taken(dataset, exported(run, dataset, file))
        assert (read.query.tolist(), read.passage.tolist()) == (run.query.tolist(), run.passage.tolist())
        assert read.score.tolist() == (falling(run) if file.suffix == ".trec" else -run.rank).tolist()
    lines = [line.split(" ") for line in (folder / "run.trec").read_text(encoding="utf-8").split("\n")[:-1]]
    assert {(q0, tag) for _, q0, _, _, _, tag in lines} == {("Q0", "first")}
    assert [int(rank) for _, _, _, rank, _, _ in lines] == run.rank.tolist()
    random.Random(0).shuffle(lines)
    lines.sort(key=lambda line: line[2], reverse=True)
    lines.sort(key=lambda line: (queries.index(line[0]), -np.float32(line[4])))
    order = [(queries.index(query), passages.index(passage)) for query, _, passage, *_ in lines]
    assert order == list(zip(run.query.tolist(), run.passage.tolist(), strict=True))


def test_scores_have_as_many_digits_as_float32_needs(dataset, tmp_path):
    run = run_of({(0, 3): 0.1, (0, 4): 0.1, (2, 7): 12345678, (2, 1): -1e-30, (2, 0): 0})
    lines = exported(run, dataset, tmp_path / "run.trec").read_text().splitlines()
    assert lines == [
        "q0 Q0 p3 1 0.1 first",
        "q0 Q0 p4 2 0.099999994 first",
        "q2 Q0 p7 1 12345678 first",
        "q2 Q0 p0 2 0 first",
        "q2 Q0 p1 3 -1e-30 first",
    ]
    lines = exported(run, dataset, tmp_path / "run.tsv").read_text().splitlines()
    assert lines == ["q0\tp3\t1", "q0\tp4\t2", "q2\tp7\t1", "q2\tp0\t2", "q2\tp1\t3"]


def test_what_cannot_be_written_is_one_line_and_leaves_the_old_file(dataset, tmp_path):
    run, file = run_of({(0, 3): 2.0, (0, 8): 1.0}), tmp_path / "run.trec"
    file.write_text("old")
    for output, message in (
        ("run.trec", "passage id 'p 8' has whitespace in it, which this format cannot hold"),
        ("run.json", f"{tmp_path}/run.json: unknown format '.json'; use .trec or .tsv, which is MS MARCO's, or .npy"),
    ):
        with pytest.raises(SystemExit) as exit:
            exported(run, dataset, tmp_path / output)
        assert str(exit.value) == f"error: {message}"
    assert file.read_text() == "old" and {path.name for path in tmp_path.iterdir()} == {"run.trec", "first"}
    assert "q0\tp 8\t2\n" in exported(run, dataset, tmp_path / "run.tsv").read_text()


def test_a_tab_in_an_id(tmp_path):
    write_files(
        tmp_path, {"c.csv": 'id,text\n"p\t1",one\n', "q.csv": "id,text\nq,one\n", "j.csv": 'query,passage\nq,"p\t1"\n'}
    )
    c, q, j = ({"file": f"{tmp_path}/{name}.csv", "columns": {}} for name in "cqj")
    j |= {"relevant": 1}
    dataset = prepare(tmp_path, {"source": "table", "corpus": c, "queries": {"test": q}, "judgements": {"test": j}})
    with pytest.raises(SystemExit, match=r"^error: passage id 'p\\t1' has a tab or a line's end in it, which"):
        exported(run_of({(0, 0): 1.0}), dataset, tmp_path / "run.tsv")


def test_the_run_of_another_dataset(dataset, tmp_path):
    with pytest.raises(SystemExit, match=r"^error: the run has passage row 99, the dataset only 9 rows"):
        exported(run_of({(0, 99): 1.0}), dataset, tmp_path / "run.trec")
