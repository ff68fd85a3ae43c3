"""Texts that are handed to the writer many at once make the dataset that they make one by one."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.dataset import DatasetWriter
from dewpoint.data.ids import Ids
from dewpoint.data.seen import are_blank, are_seen, is_blank, is_seen
from dewpoint.errors import UserError

ODD = [
    "",
    " ",
    "\u00a0",
    "\u200b",
    "\u2028\t",
    "\x1c",
    "\x85",
    "\ufeff",
    "é",
    "東京",
    "\u0378",
    "\U0001d11e",
    "\0",
    "a",
]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=4) | st.sampled_from(ODD)


@given(st.lists(TEXT | st.none(), max_size=9), st.integers(0, 3))
def test_what_is_seen_is_known_of_many_at_once(texts, skipped):
    column = pa.array(texts, pa.string()).slice(skipped)
    assert are_seen(column).tolist() == [text is not None and is_seen(text) for text in texts[skipped:]]
    assert are_blank(column).tolist() == [text is None or is_blank(text) for text in texts[skipped:]]


SEEN = TEXT.filter(is_seen)
CHUNKS = st.lists(st.lists(st.tuples(TEXT, TEXT, SEEN), min_size=1, max_size=5), min_size=1, max_size=4)


def sealed(writer: DatasetWriter) -> tuple[dict, dict]:
    """What the files hold, and the facts."""
    writer.end_of_corpus("here")
    writer.finish()
    writer.artifact.seal()
    folder = writer.artifact.folder
    return {path.name: pq.read_table(path) for path in folder.glob("*.parquet")}, read_manifest(
        writer.artifact.manifest
    )["facts"]


@settings(max_examples=60)
@given(CHUNKS, st.lists(st.booleans(), min_size=4, max_size=4))
def test_equal_to_row_by_row(tmp_path_factory, chunks, at_once):
    """Also where some chunks come at once, and others one by one."""
    folder = tmp_path_factory.mktemp("written")
    slow = DatasetWriter(Artifact(folder / "slow/manifest.json"))
    mixed = DatasetWriter(Artifact(folder / "mixed/manifest.json"))
    for chunk, bulk in zip(chunks, at_once, strict=False):
        for writer in (slow, mixed):
            if writer is mixed and bulk:
                text, title, query = (pa.array(column, pa.string()) for column in zip(*chunk, strict=True))
                writer.numbered_passages(text, title)
                writer.numbered_queries("here", "train", query)
                continue
            for text, title, query in chunk:
                row = str(writer.count)
                writer.paragraph(row, text, title, row)
                writer.query("here", "train", row, query)
    assert sealed(mixed) == sealed(slow)


def test_a_question_that_no_one_sees_is_refused(tmp_path):
    writer = DatasetWriter(Artifact(tmp_path / "manifest.json"))
    writer.numbered_queries("here", "train", pa.array(["a", "b"]))
    with pytest.raises(UserError, match=r"^here: query '3' has no text$"):
        writer.numbered_queries("here", "train", pa.array(["c", "\u200b", " "]))


def test_a_row_whose_number_is_anothers_id_is_refused(tmp_path):
    writer = DatasetWriter(Artifact(tmp_path / "manifest.json"))
    writer.query("here", "train", "2", "a")
    writer.numbered_queries("here", "train", pa.array(["b"]))
    with pytest.raises(UserError, match=r"^here: a train query's id was the number of another's row before$"):
        writer.numbered_queries("here", "train", pa.array(["c"]))


@given(st.lists(st.integers(0, 6) | st.just("rows"), max_size=8))
def test_ids_of_rows(steps):
    """As if each were added; the rows that are known are those of a dictionary."""
    ids, known = Ids(), {}
    for step in steps:
        wanted = [str(row) for row in range(len(known), len(known) + 2)] if step == "rows" else [str(step)]
        new = not set(wanted) & known.keys()
        if step == "rows":
            assert ids.add_rows(2) == new
        else:
            assert ids.add(wanted[0]) == new
        if not new:
            return
        for id in wanted:
            known[id] = len(known)
        assert len(ids) == len(known) and list(ids) == list(known)
        assert all(ids.get(str(number)) == known.get(str(number)) for number in range(20))
