"""Posts and the comments that answer them: the pairs of a slow join in memory, whatever ranges they are sorted into."""

import gzip
import json
import random
import re
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.artifact import read_manifest
from dewpoint.data import columns, partitions, threads
from dewpoint.data.dataset import Dataset
from dewpoint.data.lots import keys
from dewpoint.data.partitions import Partitions
from dewpoint.data.seen import is_seen
from dewpoint.sources import posts as source
from programs import fails_with, prepare, write_files, zstd

DEFAULTS = {
    "subreddits": [],
    "without": ["AutoModerator"],
    "least_words": 1,
    "most_words": 500,
    "comments_per_post": 1,
    "held_out": 0.0,
}


def posts(folder, submissions: dict, comments: dict, **fields):
    """Settings of a dataset of dumps, which are written."""
    write_files(folder, submissions | comments)
    files = {
        part: [f"{folder}/{name}" for name in of] for part, of in (("submissions", submissions), ("comments", comments))
    }
    return {"source": "posts"} | files | DEFAULTS | fields


def dump(rows: list[dict], end: str = "\n") -> str:
    return "".join(json.dumps(row) + end for row in rows)


def made(folder, submissions: list[dict], comments: list[dict], **fields) -> Path:
    return prepare(folder, posts(folder, {"RS_2019-05": dump(submissions)}, {"RC_2019-05": dump(comments)}, **fields))


def found(manifest, split="train") -> list[tuple[str, str]]:
    """(post, comment) of a split's pairs."""
    data = Dataset(manifest)
    if split not in data.splits:
        return []
    query, passage = (data.column(table, "text").to_pylist() for table in (f"queries.{split}", "corpus"))
    assert data.is_paired(split)
    return [(one, passage[row]) for one, row in zip(query, data.paired(split), strict=True)]


def left_out(manifest) -> dict[str, dict[str, int]]:
    facts = read_manifest(manifest)["facts"]["left_out"]
    return {what: {reason: count for reason, count in of.items() if count} for what, of in facts.items()}


POST = {"id": "abc", "title": "A title of it", "selftext": "below", "author": "x", "subreddit": "Wine", "score": 3}
COMMENT = {"id": "c1", "parent_id": "t3_abc", "body": "an answer", "author": "y", "subreddit": "Wine", "score": 3}


def post(**changes):
    return POST | changes


def comment(**changes):
    return COMMENT | changes


# --- one by one ---------------------------------------------------------------------------------


def test_a_pair_is_a_post_and_its_comment(tmp_path):
    manifest = made(tmp_path, [post()], [comment()])
    assert found(manifest) == [("A title of it\nbelow", "an answer")]
    assert left_out(manifest) == {"posts": {}, "comments": {}}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"selftext": ""}, "A title of it"),
        ({"selftext": None}, "A title of it"),
        ({"title": " A\ttitle ", "selftext": " two\r\n\r\nlines\n"}, "A\ttitle\ntwo\r\n\r\nlines"),
        (
            {"title": "&lt;b&gt; &amp;amp; &amp;lt; &quot;", "selftext": "東京 \U0001f377"},
            "<b> &amp; &lt; &quot;\n東京 \U0001f377",
        ),
        ({"title": 1984}, "1984\nbelow"),
        ({"author": None, "subreddit": None, "score": None}, "A title of it\nbelow"),
    ],
)
def test_the_text_of_a_post(tmp_path, changes, text):
    assert found(made(tmp_path, [post(**changes)], [comment()])) == [(text, "an answer")]


def test_keys_that_are_not_there(tmp_path):
    bare = {"id": "abc", "title": "A title"}
    answer = {"id": "c1", "parent_id": "t3_abc", "body": "an answer"}
    assert found(made(tmp_path, [bare], [answer])) == [("A title", "an answer")]


@pytest.mark.parametrize(
    ("reason", "changes", "fields"),
    [
        ("incomplete", {"id": None}, {}),
        ("incomplete", {"id": "x-1"}, {}),
        ("incomplete", {"id": "1" * 13}, {}),
        ("incomplete", {"title": None}, {}),
        ("incomplete", {"title": " "}, {}),
        ("deleted", {"title": "[deleted by user]"}, {}),
        ("deleted", {"selftext": " [removed]\n"}, {}),
        ("deleted", {"selftext": "[deleted]"}, {}),
        ("deleted", {"author": "[deleted]"}, {}),
        ("authors", {"author": "AutoModerator"}, {}),
        ("authors", {"author": "bot"}, {"without": ["AutoModerator", "bot"]}),
        ("subreddits", {"subreddit": "Beer"}, {"subreddits": ["wine", "cider"]}),
        ("subreddits", {"subreddit": None}, {"subreddits": ["wine"]}),
        ("short", {"title": "A title", "selftext": " x "}, {"least_words": 4}),
        ("long", {"title": "A title of", "selftext": "\n\na b"}, {"least_words": 1, "most_words": 4}),
        ("repeated", {"title": "Another title"}, {}),
        ("without_comments", {"id": "abd"}, {}),
    ],
)
def test_posts_that_are_left_out(tmp_path, reason, changes, fields):
    first, other = post(selftext=""), post(id="abc" if reason == "repeated" else "abe", selftext="") | changes
    manifest = made(tmp_path, [first, other], [comment(body="one two three four")], **fields)
    assert left_out(manifest) == {"posts": {reason: 1}, "comments": {}}
    assert [one for one, _ in found(manifest)] == ["A title of it"]


@pytest.mark.parametrize(
    ("reason", "changes", "fields"),
    [
        ("replies", {"parent_id": "t1_c1"}, {}),
        ("incomplete", {"parent_id": None}, {}),
        ("incomplete", {"parent_id": "t3_"}, {}),
        ("incomplete", {"parent_id": "abc"}, {}),
        ("incomplete", {"parent_id": 12}, {}),
        ("incomplete", {"id": ""}, {}),
        ("incomplete", {"body": None}, {}),
        ("incomplete", {"body": "\u200b"}, {}),
        ("deleted", {"body": "[removed]"}, {}),
        ("deleted", {"author": "[deleted]"}, {}),
        ("authors", {"author": "AutoModerator"}, {}),
        ("subreddits", {"subreddit": "Beer"}, {"subreddits": ["WINE"]}),
        ("short", {"body": "one \u00a0two"}, {"least_words": 3}),
        ("long", {"body": " one two three four\tfive\nsix "}, {"most_words": 5}),
        ("of_no_post", {"parent_id": "t3_zz"}, {}),
        ("repeated", {"id": "c1", "score": 99}, {"comments_per_post": 9}),
        ("beyond", {}, {}),
    ],
)
def test_comments_that_are_left_out(tmp_path, reason, changes, fields):
    first, other = comment(body="an answer to it"), comment(id="c2", body="another answer of it") | changes
    manifest = made(tmp_path, [post()], [first, other], **fields)
    assert left_out(manifest) == {"posts": {}, "comments": {reason: 1}}
    assert found(manifest) == [("A title of it\nbelow", "an answer to it")]


def test_the_best_comments_are_kept(tmp_path):
    """Of equal ones the first, one without a score last."""
    scores = [None, 5, -7, 9, 5, "12", 5]
    comments = [comment(id=f"c{row}", body=f"answer {row}", score=score) for row, score in enumerate(scores)]
    for most, rows in ((1, [3]), (3, [3, 1, 4]), (9, [3, 1, 4, 6, 2, 0, 5])):
        manifest = made(tmp_path / str(most), [post()], comments, comments_per_post=most)
        assert [passage for _, passage in found(manifest)] == [f"answer {row}" for row in rows]


def test_dumps_as_they_are_packed(tmp_path):
    """A month each, blank lines and line ends of another system among them."""
    submissions = {
        "RS_1.zst": zstd(dump([post()], "\r\n").encode()),
        "RS_2.gz": gzip.compress(dump([post(id="2")]).encode()),
    }
    comments = {
        "RC_1.zst": zstd(dump([comment()], "\n\n").encode()),
        "RC_2.jsonl": dump([comment(id="c2", parent_id="t3_2")]),
    }
    assert len(found(prepare(tmp_path, posts(tmp_path, submissions, comments)))) == 2


@pytest.mark.parametrize(
    ("submissions", "comments", "fields", "message"),
    [
        (
            "",
            dump([COMMENT]),
            {},
            "RC: no comment answers a post of {}/RS; left out: posts: none; comments: 1 of_no_post",
        ),
        (
            dump([POST]),
            dump([POST]),
            {},
            "RC: no comment answers a post of {}/RS; left out: posts: 1 without_comments; com",
        ),
        (dump([POST]), dump([COMMENT]), {"held_out": 1e-9}, "RC: none of 1 pairs is in dev; set held_out, now 1e-09"),
        (dump([POST]), dump([COMMENT]), {"held_out": 0.9999999}, "RC: none of 1 pairs is in train; set held_out"),
        (dump([POST]) + "{", dump([COMMENT]), {}, "RS:2: not JSON ("),
        (dump([POST]), dump([comment(body={})]), {}, "RC:1: column 'body' holds a dict, expected text"),
        (dump([POST]), b'{"body": "\xff"}\n', {}, "RC:1: not UTF-8 at byte 11 of the line"),
    ],
)
def test_faults(tmp_path, submissions, comments, fields, message):
    fails_with(tmp_path, posts(tmp_path, {"RS": submissions}, {"RC": comments}, **fields), message.format(tmp_path))


def test_lengths_that_no_text_has():
    given = source.Posts(source="posts", submissions=["RS"], comments=["RC"], least_words=9, most_words=8)
    assert list(given.check(None)) == [("most_words", "8 are fewer than least_words: 9")]


def test_a_format_that_is_not_read(tmp_path):
    fails_with(
        tmp_path, posts(tmp_path, {"RS.bz2": ""}, {"RC": ""}), "RS.bz2: unknown format '.bz2'; use .jsonl, plain,"
    )


# --- many ---------------------------------------------------------------------------------------

SPACES = " \t\n\v\f\r"


class Drawn(random.Random):
    """Rows that are mostly fit, and every eighth value of which is odd."""

    def of(self, fine: list, odd: list):
        return self.choice(fine if self.randrange(8) else odd)

    def text(self):
        words = [self.of(["a", "é", "東京", "b&amp;c"], ["\u200b", "&lt;", "\u00a0", "[removed]"]) for _ in range(3)]
        return self.of([" ".join(words)], [None, "[deleted]", "a\r\nb", "", " \n", 7, "a b c d e f", "a"])

    def both(self) -> dict:
        found = {
            "author": self.of(["x"], ["[deleted]", "AutoModerator", None]),
            "subreddit": self.of(["Wine"], ["beer", None]),
        }
        return {key: value for key, value in found.items() if self.randrange(8)}

    def post(self) -> dict:
        below = {"selftext": self.text()} if self.randrange(2) else {}
        return (
            {"id": self.of(["1", "2", "zz"], ["10", "0", None, "A", "é"]), "title": self.text()} | below | self.both()
        )

    def comment(self) -> dict:
        parent = self.of(["t3_"], ["t1_", ""]) + self.of(["1", "2", "zz"], ["0", "A", "", "é"])
        score = {"score": self.of([-3, 0, 1, 2, 3], [None, 1.5, 2**70])} if self.randrange(8) else {}
        id = self.of([str(number) for number in range(99)], ["7", None])
        return {"body": self.text(), "parent_id": parent, "id": id} | score | self.both()


def clean(text) -> str:
    text = "" if text is None else str(text)
    for escaped, letter in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(escaped, letter)
    return text.strip()


def hashed(id: str) -> int:
    return int(keys(0, 1, np.array([int(id, 36)], np.uint64))[0])


def unwanted(row: dict, texts: list[str], text: str, given: dict) -> str | None:
    """The first reason for which a row is left out."""
    count = len(re.split(f"[{SPACES}]+", text.strip(SPACES))) if text.strip(SPACES) else 0
    if given["subreddits"] and (row.get("subreddit") or "").lower() not in map(str.lower, given["subreddits"]):
        return "subreddits"
    if {row.get("author"), *texts} & {"[deleted]", "[removed]", "[deleted by user]"}:
        return "deleted"
    if row.get("author") in given["without"]:
        return "authors"
    if count < given["least_words"] or not is_seen(text):
        return "short"
    return "long" if count > given["most_words"] else None


def is_id(id) -> bool:
    return bool(id and re.fullmatch("[0-9a-z]{1,12}", id))


def slowly(submissions: list[dict], comments: list[dict], given: dict):
    """({split: pairs}, what is left out) in memory, row by row."""
    counts = {"posts": Counter(), "comments": Counter()}
    queries: dict[str, str] = {}
    answers: dict[str, list] = defaultdict(list)
    known = set()
    for row in submissions:
        title, below = clean(row["title"]), clean(row.get("selftext"))
        text = f"{title}\n{below}".strip()
        if not is_id(row["id"]) or row["title"] is None or not is_seen(str(row["title"])):
            counts["posts"]["incomplete"] += 1
        elif reason := unwanted(row, [title, below], text, given):
            counts["posts"][reason] += 1
        elif row["id"] in queries:
            counts["posts"]["repeated"] += 1
        else:
            queries[row["id"]] = text
    for row in comments:
        begins, post, text = row["parent_id"][:3], row["parent_id"][3:], clean(row["body"])
        if begins == "t1_":
            counts["comments"]["replies"] += 1
        elif begins != "t3_" or not is_id(post) or not is_id(row.get("id")) or not is_seen(str(row["body"] or "")):
            counts["comments"]["incomplete"] += 1
        elif reason := unwanted(row, [text], text, given):
            counts["comments"][reason] += 1
        elif (post, row["id"]) in known:
            counts["comments"]["repeated"] += 1
        else:
            known.add((post, row["id"]))
            score = row.get("score")
            answers[post].append((score if type(score) is int and score < 2**63 else -(10**9), text))
    pairs = {"dev": [], "train": []}
    for post in sorted(queries, key=hashed):
        best = sorted(answers[post], key=lambda answer: -answer[0])
        counts["comments"]["beyond"] += len(best[given["comments_per_post"] :])
        counts["posts"]["without_comments"] += not best
        split = "dev" if hashed(post) < given["held_out"] * 2**64 else "train"
        pairs[split] += [(queries[post], text) for _, text in best[: given["comments_per_post"]]]
    counts["comments"]["of_no_post"] = sum(len(of) for post, of in answers.items() if post not in queries)
    return pairs, {what: {reason: count for reason, count in of.items() if count} for what, of in counts.items()}


@settings(max_examples=80)
@given(
    st.integers(0, 2**32),
    st.integers(0, 8),
    st.integers(0, 40),
    st.fixed_dictionaries(
        {
            "subreddits": st.sampled_from([[], ["WINE"], ["wine", "Beer"]]),
            "least_words": st.integers(1, 2),
            "most_words": st.integers(3, 9),
            "comments_per_post": st.integers(1, 3),
            "held_out": st.sampled_from([0.0, 0.5]),
        }
    ),
    st.sampled_from([200, 2000, 1 << 28]),
    st.sampled_from([1, 300, 1 << 27]),
    st.integers(1, 4),
)
def test_a_join_in_ranges_is_that_in_memory(tmp_path_factory, seed, posts, comments, fields, part, held, batch):
    drawn = Drawn(seed)
    submissions, comments = [drawn.post() for _ in range(posts)], [drawn.comment() for _ in range(comments)]
    folder = tmp_path_factory.mktemp("joined")
    low = {id: hashed(id) < 2**63 for id in ("k1", "k2", "k3", "k4", "k5", "k6", "k7")}
    for id in (next(id for id in low if low[id]), next(id for id in low if not low[id])):  # each split has a pair
        submissions.append(post(id=id))
        comments.append(comment(id=f"x{id}", parent_id=f"t3_{id}", body="c d"))
    given = DEFAULTS | fields | {"most_words": max(fields["most_words"], 5)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "PART", part)
        patch.setattr(source, "WRITTEN", batch)
        patch.setattr(partitions, "HELD", held)
        patch.setattr(columns, "BATCH", batch)
        patch.setattr(columns, "LINES", held)
        manifest = made(folder, submissions, comments, **given)
    pairs, counts = slowly(submissions, comments, given)
    assert {split: found(manifest, split) for split in pairs} == pairs
    assert left_out(manifest) == counts
    assert not list((folder / "out").rglob("*.arrows"))


def test_a_posts_comments_are_of_one_split_and_the_share_is_held_out(tmp_path):
    rows = range(4000)
    submissions = [post(id=str(row), title=f"title {row}", selftext="") for row in rows]
    comments = [
        comment(id=f"{row}{part}", parent_id=f"t3_{row}", body=f"to {row} {part}") for row in rows for part in "ab"
    ]
    manifest = made(tmp_path, submissions, comments, comments_per_post=2, held_out=0.25)
    of = {split: [query for query, _ in found(manifest, split)] for split in ("train", "dev")}
    assert not set(of["train"]) & set(of["dev"]) and set(Counter(of["train"] + of["dev"]).values()) == {2}
    assert abs(len(of["dev"]) / len(rows) / 2 - 0.25) < 4 * (0.25 * 0.75 / len(rows)) ** 0.5
    random.Random(1).shuffle(comments)
    again = made(tmp_path / "again", submissions[::-1], comments, comments_per_post=1, held_out=0.25)
    assert {query for query, _ in found(again, "dev")} == set(of["dev"])


# --- parts --------------------------------------------------------------------------------------


@given(st.lists(st.from_regex(r"[0-9a-z]{1,12}", fullmatch=True), max_size=9))
def test_numbers_of_ids(ids):
    assert threads.numbers(pa.array(ids, pa.string())).tolist() == [int(id, 36) for id in ids]


@given(st.lists(st.text(st.sampled_from([*SPACES, "\u00a0", "a", "é"]), max_size=9), max_size=9))
def test_words_are_what_spaces_separate(texts):
    expected = [len([word for word in re.split(f"[{SPACES}]+", text) if word]) for text in texts]
    assert threads.words(pa.array(texts, pa.string())).tolist() == expected


@settings(max_examples=50)
@given(st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=6), max_size=6), st.integers(1, 9), st.integers(1, 300))
def test_ranges_hold_all_rows_in_order(tmp_path_factory, batches, count, held):
    """Each its own keys, above those of the ranges before."""
    schema = pa.schema([("key", pa.uint64()), ("row", pa.int64())])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partitions, "HELD", held)
        parts = Partitions(tmp_path_factory.mktemp("ranges") / "x", schema, count)
        rows = 0
        for batch in batches:
            numbers = np.arange(rows, rows := rows + len(batch))
            parts.add(pa.record_batch([pa.array(batch, pa.uint64()), numbers], schema))
    read = [parts.take(part) for part in range(count)]
    assert all(part.schema == schema and part["row"].to_pylist() == sorted(part["row"].to_pylist()) for part in read)
    found = [row for part in read for row in part.to_pylist()]
    assert sorted((row["row"], row["key"]) for row in found) == list(
        enumerate(key for batch in batches for key in batch)
    )
    bounds = [(min(part["key"].to_pylist()), max(part["key"].to_pylist())) for part in read if len(part)]
    assert all(before[1] < after[0] for before, after in pairwise(bounds))
