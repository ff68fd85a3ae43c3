"""Sources of examples: lines as the authors' readers take them, columns by name, counts as published, odd rows said."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from dewpoint.artifact import read_manifest
from dewpoint.data import tiny
from dewpoint.data.dataset import Dataset
from dewpoint.errors import UserError
from dewpoint.program import Settings
from dewpoint.sources import scored_pairs, sts, triplets, wiki_sections
from dewpoint.study.graph import Graph
from dewpoint.study.kind import kinds
from programs import downloads, prepare, write_files, zstd


def rows_of(manifest: Path, split: str) -> list[tuple]:
    """Each example's texts, and its score if it has one."""
    texts, scores = Dataset(manifest).examples(split)
    columns = [of.to_pylist() for of in texts] + ([] if scores is None else [scores.tolist()])
    return list(zip(*columns, strict=True))


# --- STS-Benchmark ------------------------------------------------------------------------------

HEAD = "main-news\theadlines\t2013\t0001\t"
ODD_LINES = (
    HEAD + '3.800\tHe said "no.\tShe said: \'yes" again\n',
    HEAD + "0\t- Ünïcode, 東京; 5,000.5\t\u00a0 two  spaces \twhere from\tand from\n",
    HEAD + "5.000000\ta\tb\r\n",
    HEAD + '2.5\t"quoted"\t""\n',
)


def folder_of(folder: Path, **changed: str) -> dict:
    files = {f"sts-{split}.csv": "".join(ODD_LINES) for split in sts.EXPECTED}
    write_files(folder, files | {f"sts-{split}.csv": text for split, text in changed.items()})
    return {"source": "sts", "path": str(folder)}


def test_lines_are_read_as_upstream_reads_them(tmp_path):
    """Split at tabs, no quotes, columns 4 to 6."""
    given = folder_of(tmp_path / "sts")
    manifest = prepare(tmp_path, given)
    with (tmp_path / "sts" / "sts-dev.csv").open(encoding="utf-8", newline="") as file:
        rows = [*csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    expected = [(row[5], row[6], pytest.approx(float(row[4]))) for row in rows]
    assert len(expected) == 4 and rows_of(manifest, "dev") == expected
    assert read_manifest(manifest)["facts"]["scale"] == [0, 5]


def test_the_archive_holds_the_same_as_the_folder(tmp_path):
    for name, path in (("packed", None), ("lying", str(tmp_path / "lying"))):
        sts.rehearse(tmp_path / name, tiny.Words(1), path)
    one = prepare(tmp_path, {"source": "sts"}, "one", [downloads(tmp_path / "packed")])
    other = prepare(tmp_path, {"source": "sts", "path": str(tmp_path / "lying")}, "other")
    sizes = {"train": tiny.TRAIN, "dev": tiny.DEV, "test": tiny.TEST}
    assert read_manifest(one)["files"] == read_manifest(other)["files"]
    assert read_manifest(one)["facts"]["examples"] == sizes == sts.Sts(source="sts").expected_small()["examples"]
    lines = (tmp_path / "lying" / "sts-train.csv").read_text().splitlines()
    assert {len(line.split("\t")) for line in lines} == {7, 9}
    assert {score for *_, score in rows_of(one, "train")} == {0, 1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (HEAD + "3.8\tone\n", "6 fields, expected genre, file, year, id, score, sentence1, sentence2 with tabs"),
        (HEAD + "three\tone\tother\n", "score 'three' is not a number that float32 holds"),
        (HEAD + "\tone\tother\n", "score '' is not a number that float32 holds"),
        (HEAD + "5.01\tone\tother\n", "score 5.01 is not from 0 to 5"),
        (HEAD + "-1\tone\tother\n", "score -1 is not from 0 to 5"),
    ],
)
def test_a_line_that_is_none_is_said(tmp_path, line, message):
    with pytest.raises(SystemExit) as error:
        prepare(tmp_path, folder_of(tmp_path / "sts", dev=ODD_LINES[0] + line))
    assert str(error.value) == f"error: {tmp_path}/sts/sts-dev.csv:2: {message}"


def test_another_number_of_pairs_stops(tmp_path):
    with pytest.raises(SystemExit) as error:
        prepare(tmp_path, folder_of(tmp_path / "sts") | {"expected": {"examples": sts.EXPECTED}})
    assert str(error.value) == "error: sts: 4 train examples, expected 5,749; are the files another version's?"


def graph(folder: Path, dataset: dict) -> Graph:
    (folder / "study.yaml").write_text(yaml.safe_dump({"datasets": {"d": dataset}}))
    return Graph.load({"study": str(folder / "study.yaml"), "data": str(folder / "data")})


def test_it_is_fetched_or_taken_from_the_folder(tmp_path):
    fetched = graph(tmp_path, {"source": "sts"})
    assert fetched.dataset_files("d") == [fetched.download(sts.ARCHIVE)]
    given = folder_of(tmp_path / "sts")
    own = graph(tmp_path, given)
    assert own.dataset_files("d") == [f"{tmp_path}/sts/sts-{split}.csv" for split in ("train", "dev", "test")]
    assert not own.downloads
    (tmp_path / "sts" / "sts-dev.csv").unlink()
    with pytest.raises(UserError, match=r"datasets\.d: no file '.*/sts/sts-dev\.csv'$"):
        own.dataset_files("d")
    assert json.loads(own.dataset_settings("d"))["expected"] == {"examples": sts.EXPECTED}


def test_an_archive_that_lacks_a_file_is_refused(tmp_path):
    from dewpoint.data.tiny_marco import write_tar

    write_tar(tmp_path / "in" / sts.ARCHIVE, {"stsbenchmark/sts-dev.csv": ODD_LINES[0]})
    with pytest.raises(SystemExit, match=r"Stsbenchmark\.tar\.gz: has no 'sts-t(est|rain)\.csv', only sts-dev\.csv"):
        prepare(tmp_path, {"source": "sts"}, files=[downloads(tmp_path / "in")])


# --- one's own ----------------------------------------------------------------------------------

PAIRS = [('one, "two"', "zwei", 1.0), ("東京 x", "3", 4.25), ("a", "b", 5.0)]
WRITERS: dict[str, Callable[[list[dict]], bytes]] = {
    ".csv": lambda rows: tiny.separated([list(rows[0]), *([*row.values()] for row in rows)], ",").encode(),
    ".tsv.gz": lambda rows: gzip.compress(
        "".join("\t".join(map(str, row)) + "\n" for row in [list(rows[0]), *(row.values() for row in rows)]).encode()
    ),
    ".jsonl.zst": lambda rows: zstd(tiny.json_text(rows).encode()),
}


@pytest.mark.parametrize("suffix", [*WRITERS, ".parquet"])
@pytest.mark.parametrize("names", [{}, {"first": "s1", "second": "s2", "score": "gold"}])
def test_pairs_of_all_formats(tmp_path, suffix, names):
    columns = [names.get(name, name) for name in ("first", "second", "score")]
    rows = [dict(zip(["more", *columns], ["x", *pair], strict=True)) for pair in PAIRS]
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"p{suffix}")
    else:
        write_files(tmp_path, {f"p{suffix}": WRITERS[suffix](rows)})
    split = {"files": [f"{tmp_path}/p*"], "columns": names}
    manifest = prepare(tmp_path, {"source": "scored-pairs", "pairs": {"dev": split}, "scale": [1, 5]})
    assert rows_of(manifest, "dev") == PAIRS
    assert read_manifest(manifest)["facts"]["scale"] == [1, 5]


def pairs_of(folder: Path, text: str, **columns: str) -> dict:
    write_files(folder, {"p.csv": text})
    split = {"files": [f"{folder}/p.csv"], "columns": columns}
    return {"source": "scored-pairs", "pairs": {"dev": split}, "scale": [0, 1]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("first,second,score\na,b,1\na,b,1.5\n", "p.csv:3: score 1.5 is not from 0 to 1"),
        ("first,second,score\na,b,high\n", "p.csv:2: score 'high' is not a number that float32 holds"),
        ("first,second,score\na,b,nan\n", "p.csv:2: score 'nan' is not a number that float32 holds"),
        ("first,second\na,b\n", "p.csv:2: no column 'score'; there is first, second"),
        ("first,other,score\na,b,1\n", "p.csv:2: no column 'second'; there is first, other, score"),
        ("first,second,score\n,b,1\n \t,b,1\n", "p.csv: no example with all of its texts in it"),
        ("first,second,score\n", "p.csv: no example with all of its texts in it"),
    ],
)
def test_what_is_wrong_with_a_pair_is_said(tmp_path, text, message):
    with pytest.raises(SystemExit) as error:
        prepare(tmp_path, pairs_of(tmp_path, text))
    assert str(error.value) == f"error: {tmp_path}/{message}"


@pytest.mark.parametrize(("score", "found"), [(True, "bool"), (None, None), ([1], "list")])
def test_a_score_that_is_no_number(tmp_path, score, found):
    write_files(tmp_path, {"p.jsonl": json.dumps({"first": "a", "second": "b", "score": score})})
    split = {"files": [f"{tmp_path}/p.jsonl"], "columns": {}}
    message = f"column 'score' holds a {found}, expected text" if found else "score '' is not a number"
    with pytest.raises(SystemExit, match=rf"p\.jsonl:1: {message}"):
        prepare(tmp_path, {"source": "scored-pairs", "pairs": {"dev": split}, "scale": [0, 1]})


def test_what_lacks_a_text_is_left_out_and_counted(tmp_path):
    manifest = prepare(tmp_path, pairs_of(tmp_path, "first,second,score\na,b,1\n,b,0\na,  ,0\nc,d,0.5\n"))
    assert rows_of(manifest, "dev") == [("a", "b", 1), ("c", "d", 0.5)]
    assert read_manifest(manifest)["facts"]["left_out"] == {"dev": {"empty": 2}}


def test_a_scale_that_falls_is_refused():
    with pytest.raises(ValueError, match="scale goes from 5 to 1; the lowest score comes first"):
        scored_pairs.ScoredPairs(source="scored-pairs", pairs={"dev": {"files": ["p.csv"]}}, scale=(5, 1))


def test_triplets_by_the_names_that_others_gave_them(tmp_path):
    """The csv of Ein Dor et al. as Sentence-Transformers had it, tab separated columns among others, and JSON."""
    files = {
        "old.csv": 'id,Sentence1,Sentence2,Sentence3\n1,"a, ""b""",c,d\n',
        "own.tsv": 'article\tsection\tneg_section\tanchor\tpositive\tnegative\nX\tY\tZ\tan "a\tb\tc\n',
        "more.jsonl": '{"anchor": "1", "positive": "2", "negative": "3"}\n{"anchor": "1", "positive": "2"}\n',
    }
    write_files(tmp_path, files)
    old = {"anchor": "Sentence1", "positive": "Sentence2", "negative": "Sentence3"}
    splits = {
        "test": {"files": [f"{tmp_path}/old.csv"], "columns": old},
        "train": {"files": [f"{tmp_path}/own.tsv", f"{tmp_path}/more.jsonl"], "columns": {}},
    }
    manifest = prepare(tmp_path, {"source": "triplets", "triplets": splits})
    assert rows_of(manifest, "test") == [('a, "b"', "c", "d")]
    assert rows_of(manifest, "train") == [('an "a', "b", "c"), ("1", "2", "3")]
    facts = read_manifest(manifest)["facts"]
    assert facts["left_out"] == {"test": {"empty": 0}, "train": {"empty": 1}} and "scale" not in facts


def test_triplets_of_columns_that_no_row_has(tmp_path):
    write_files(tmp_path, {"t.tsv": "anchor\tpositive\ta\na\tb\tc\n"})
    split = {"files": [f"{tmp_path}/t.tsv"], "columns": {}}
    with pytest.raises(SystemExit) as error:
        prepare(tmp_path, {"source": "triplets", "triplets": {"test": split}})
    says = "no row has a text in column 'negative'; there is anchor, positive, a"
    assert str(error.value) == f"error: {tmp_path}/t.tsv: {says}"


def test_a_grade_is_none_of_examples():
    for name in ("sts", "wiki-sections"):
        with pytest.raises(ValueError, match="relevant is of judged passages, and examples have none"):
            kinds("sources")[name](source=name, relevant=2)


# --- rehearsed ----------------------------------------------------------------------------------


def namespace(options: dict) -> dict:
    return vars(json.loads(json.dumps(options), object_hook=lambda pairs: Settings(**pairs)))


def test_wiki_sections_finds_what_is_promised(tmp_path):
    wiki_sections.rehearse(tmp_path / "files", tiny.Words(1))
    manifest = prepare(tmp_path, {"source": "wiki-sections"}, files=[downloads(tmp_path / "files")])
    promised = wiki_sections.WikiSections(source="wiki-sections").expected_small()
    facts = read_manifest(manifest)["facts"]
    assert facts["examples"] == promised["examples"]
    files = [tmp_path / "files" / wiki_sections.kept(name) for name in wiki_sections.FILES["train"]]
    rows = [row for path in files for row in pq.read_table(path).to_pylist()]
    assert rows_of(manifest, "train") == [
        tuple(row[name] for name in ("anchor", "positive", "negative")) for row in rows
    ]
    assert any(tiny.FOREIGN in text for row in rows_of(manifest, "train") for text in row)


@pytest.mark.parametrize("suffix", [".csv", ".tsv.gz", ".jsonl.zst", ".parquet"])
@pytest.mark.parametrize("module", [scored_pairs, triplets])
def test_own_files_are_rehearsed(tmp_path, module, suffix):
    """Two files; the splits share one, in which columns are called alike."""
    source = module.__name__.rpartition(".")[2].replace("_", "-")
    held = {"scored-pairs": "pairs", "triplets": "triplets"}[source]
    columns = {"first": "s1"} if held == "pairs" else {"anchor": "a"}
    files = [f"{tmp_path}/files/{name}{suffix}" for name in "ab"]
    options = {held: {"train": {"files": files, "columns": columns}, "dev": {"files": files[1:], "columns": columns}}}
    options |= {"scale": [1, 5]} if held == "pairs" else {}
    module.rehearse(tmp_path / "files", tiny.Words(1), **namespace(options))
    facts = read_manifest(prepare(tmp_path, {"source": source} | options))["facts"]
    found = {split: count + facts["left_out"][split]["empty"] for split, count in facts["examples"].items()}
    assert found == {"train": tiny.TRAIN + tiny.DEV, "dev": tiny.TRAIN // 2 + tiny.DEV}
    assert all(count["empty"] > 0 for count in facts["left_out"].values())
