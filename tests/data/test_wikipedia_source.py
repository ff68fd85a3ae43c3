"""Wikipedia's Parquet shards: paragraphs of articles, in the order of the shards."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dewpoint.sources import wikipedia
from programs import downloads, prepare


def shards(folder, *contents):
    """Downloads of shards with (id, title, text) each; the rest are empty."""
    (folder / "wiki").mkdir()
    schema = pa.schema([(name, pa.string()) for name in ("id", "url", "title", "text")])
    for number, name in enumerate(wikipedia.FILES):
        content = contents[number] if number < len(contents) else []
        rows = [{"id": id, "url": "…", "title": title, "text": text} for id, title, text in content]
        pq.write_table(pa.Table.from_pylist(rows, schema), folder / "wiki" / name)
    return [downloads(folder / "wiki")]


def test_every_paragraph_is_a_passage_of_its_article(tmp_path, monkeypatch):
    monkeypatch.setattr(wikipedia, "ARTICLES", 2)
    first = [("12", "A", "one\n\ntwo\n \nthree\n"), ("25", "B", ""), ("7", "C", None), ("8", "D", "x\u2028y\r\nz")]
    files = shards(tmp_path, first, [("39", "E", "last")])
    manifest = prepare(tmp_path, {"source": "wikipedia"}, files=files)
    assert [tuple(row.values()) for row in pq.read_table(manifest.parent / "corpus.parquet").to_pylist()] == [
        ("12-0", "A", "one", "12"),
        ("12-2", "A", "two", "12"),
        ("12-4", "A", "three", "12"),
        ("8-0", "D", "x\u2028y\r", "8"),
        ("8-1", "D", "z", "8"),
        ("39-0", "E", "last", "39"),
    ]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("empty", ": the corpus is empty"),
        ("broken", "/wikipedia-20231101.en-00003-of-00041.parquet: damaged, it does not hold what was written"),
        ("column", "/wikipedia-20231101.en-00003-of-00041.parquet: row 1: no column 'text'; there is id, title"),
    ],
)
def test_mistakes(tmp_path, fault, message):
    shards(tmp_path)
    third = wikipedia.FILES[3]
    if fault == "column":
        pq.write_table(pa.table({"id": ["1"], "title": ["A"], "body": ["x"]}), tmp_path / "wiki" / third)
    files = downloads(tmp_path / "wiki")
    if fault == "broken":
        (files.parent / third).write_bytes(bytes((files.parent / third).stat().st_size))
    with pytest.raises(SystemExit) as exit:
        prepare(tmp_path, {"source": "wikipedia"}, files=[files])
    assert str(exit.value).startswith(f"error: {tmp_path}/wiki-fetched{message}")
    assert len(str(exit.value).splitlines()) == 1
