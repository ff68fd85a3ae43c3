"""Posts and the comments that answer them, as Reddit's dumps have them: which are fit, and which belong together."""

from collections import Counter
from dataclasses import dataclass, field
from string import ascii_lowercase, digits

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dewpoint.data.lots import keys
from dewpoint.data.partitions import KEY
from dewpoint.data.seen import are_seen

OF_POSTS = ("id", "title", "selftext", "author", "subreddit")
OF_COMMENTS, SCORE = ("id", "parent_id", "body", "author", "subreddit"), "score"
POST = pa.schema([(KEY, pa.uint64()), ("text", pa.string())])
COMMENT = pa.schema([(KEY, pa.uint64()), ("number", pa.uint64()), (SCORE, pa.int64()), ("text", pa.string())])
DELETED = ("[deleted]", "[removed]", "[deleted by user]")  # what stands in place of a text or an author
ESCAPED = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}  # by Reddit, these alone, and the last one last
TO_POST, TO_COMMENT = "t3_", "t1_"  # what a parent's id begins with
WIDTH = 12  # digits that an id has at most; its number is then below 2^63
ID = f"^[0-9a-z]{{1,{WIDTH}}}$"
VALUES = np.zeros(256, np.uint64)
VALUES[[*(digits + ascii_lowercase).encode()]] = np.arange(36)
POWERS = np.uint64(36) ** np.arange(WIDTH, dtype=np.uint64)[::-1]
SEED, PURPOSE = 0, 1  # of the hash of posts, the same in every study
LEAST = -(2**62)  # the score of one that has none


@dataclass
class Fit:
    """What is taken of a dump; what is left out is counted, each row by the first reason."""

    subreddits: list[str]
    without: list[str]
    least_words: int
    most_words: int
    posts: Counter = field(default_factory=Counter)
    comments: Counter = field(default_factory=Counter)

    def of_posts(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Of each post its key and text: the title, and what stands below it."""
        rows = _kept(rows, self.posts, incomplete=~_are_ids(rows["id"]) | ~are_seen(rows["title"]))
        title, below = _clean(rows["title"]), _clean(rows["selftext"])
        text = pc.utf8_trim_whitespace(pc.binary_join_element_wise(title, below, "\n"))
        found = pa.record_batch([post_keys(rows["id"]), text], POST)
        return self._fit(found, self._unwanted(rows, title, below), self.posts)

    def of_comments(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Of each comment that answers a post that post's key, its own number, score and text."""
        rows = _kept(rows, self.comments, replies=_true(pc.starts_with(rows["parent_id"], TO_COMMENT)))
        to_post = _true(pc.starts_with(rows["parent_id"], TO_POST))
        post = pc.utf8_slice_codeunits(rows["parent_id"], len(TO_POST))
        complete = to_post & _are_ids(post) & _are_ids(rows["id"]) & are_seen(rows["body"])
        post = post.filter(pa.array(complete))
        rows = _kept(rows, self.comments, incomplete=~complete)
        text, score = _clean(rows["body"]), rows[SCORE].fill_null(LEAST)
        found = pa.record_batch([post_keys(post), numbers(rows["id"]), score, text], COMMENT)
        return self._fit(found, self._unwanted(rows, text), self.comments)

    def _unwanted(self, rows: pa.RecordBatch, *texts: pa.Array) -> dict[str, np.ndarray]:
        elsewhere = ~_among(pc.utf8_lower(rows["subreddit"]), [name.lower() for name in self.subreddits])
        return {
            "subreddits": elsewhere & bool(self.subreddits),
            "deleted": np.any([_among(one, DELETED) for one in (rows["author"], *texts)], axis=0),
            "authors": _among(rows["author"], self.without),
        }

    def _fit(self, found: pa.RecordBatch, unwanted: dict[str, np.ndarray], counts: Counter) -> pa.RecordBatch:
        found = _kept(found, counts, **unwanted)
        count, is_seen = words(found["text"]), are_seen(found["text"])
        return _kept(found, counts, short=(count < self.least_words) | ~is_seen, long=count > self.most_words)

    def joined(self, posts: pa.Table, comments: pa.Table, most: int) -> tuple[np.ndarray, pa.Array, pa.Array]:
        """Pairs by key: keys, posts, comments; at most so many of a post, the best first, equal ones in their order."""
        posts = _once(posts, self.posts, KEY)
        comments = _once(comments, self.comments, KEY, "number")
        known = np.sort(posts[KEY].to_numpy())
        comments = _kept(comments, self.comments, of_no_post=~np.isin(comments[KEY].to_numpy(), known))
        key = comments[KEY].to_numpy()
        order = np.lexsort((-comments[SCORE].to_numpy(), key))
        key = key[order]
        rank = np.arange(len(key)) - np.searchsorted(key, key)
        self.comments["beyond"] += int((rank >= most).sum())
        order, key = order[rank < most], key[rank < most]
        self.posts["without_comments"] += len(known) - len(np.unique(key))
        row = np.argsort(posts[KEY].to_numpy())[np.searchsorted(known, key)]
        return key, _taken(posts, row), _taken(comments, order)


def numbers(ids: pa.Array) -> np.ndarray:
    """Ids in base 36 as numbers."""
    written = np.frombuffer(pc.utf8_lpad(ids, WIDTH, "0").buffers()[2], np.uint8, len(ids) * WIDTH)
    return (VALUES[written.reshape(-1, WIDTH)] * POWERS).sum(axis=1, dtype=np.uint64)


def post_keys(ids: pa.Array) -> np.ndarray:
    """A hash of each post's id, another for each: the order of pairs, and which of them are held out."""
    return keys(SEED, PURPOSE, numbers(ids))


def words(texts: pa.Array) -> np.ndarray:
    """How many there are, with spaces between, in each of some texts."""
    trimmed = pc.ascii_trim_whitespace(texts)
    return np.where(_true(pc.equal(trimmed, "")), 0, pc.list_value_length(pc.ascii_split_whitespace(trimmed)))


def _kept(rows, counts: Counter, **reasons: np.ndarray):
    """Rows for whose absence there is no reason."""
    out = np.zeros(len(rows), bool)
    for reason, these in reasons.items():
        counts[reason] += int((these & ~out).sum())
        out |= these
    return rows.filter(pa.array(~out))


def _once(rows: pa.Table, counts: Counter, *columns: str) -> pa.Table:
    """Of rows with the same values the first."""
    values = np.stack([rows[column].to_numpy() for column in columns])
    order = np.lexsort(values)
    repeated = np.zeros(len(rows), bool)
    repeated[order[1:]] = (values[:, order[1:]] == values[:, order[:-1]]).all(axis=0)
    return _kept(rows, counts, repeated=repeated)


def _taken(rows: pa.Table, these: np.ndarray) -> pa.Array:
    return rows["text"].combine_chunks().take(pa.array(these))


def _clean(texts: pa.Array) -> pa.Array:
    """As they were written, without what Reddit escapes; nothing in place of null."""
    texts = texts.fill_null("")
    for escaped, letter in ESCAPED.items():
        texts = pc.replace_substring(texts, escaped, letter)
    return pc.utf8_trim_whitespace(texts)


def _are_ids(texts: pa.Array) -> np.ndarray:
    return _true(pc.match_substring_regex(texts, ID))


def _among(texts: pa.Array, values) -> np.ndarray:
    return _true(pc.is_in(texts, pa.array(values, pa.string())))


def _true(mask: pa.Array) -> np.ndarray:
    """Where null is false."""
    return mask.fill_null(False).to_numpy(zero_copy_only=False)
