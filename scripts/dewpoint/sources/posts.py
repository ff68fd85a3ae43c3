"""`posts`: dumps of Reddit in pushshift's format; a pair is a post, and a comment that answers it directly."""

import html
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.data import reading, tiny
from dewpoint.errors import UserError
from dewpoint.study.bases import Resources, Source
from dewpoint.study.types import Count, Share

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from dewpoint.data.dataset import DatasetWriter

log = logging.getLogger(__name__)

FORMATS = (".jsonl", ".json", "")  # RS_2019-05.zst has none within
TRAIN, DEV = "train", "dev"
PART = 1 << 28  # bytes of the files that are joined at once
WRITTEN = 20_000  # pairs written at once
PARTS = "parts"  # where the ranges lie meanwhile


class Posts(Source):
    """Posts of Reddit and the comments that answer them, from dumps in pushshift's format: JSON lines, mostly .zst."""

    resources: ClassVar[Resources] = Resources(mem_mb=8000, runtime=2880)
    cites: ClassVar[tuple[str, ...]] = ("baumgartner2020pushshift",)

    source: Literal["posts"]
    submissions: list[str] = Field(min_length=1, description="files of posts, or patterns such as RS_2019-*.zst")
    comments: list[str] = Field(min_length=1, description="files of comments, or patterns such as RC_2019-*.zst")
    subreddits: list[str] = Field(
        [], description="only posts in these, in upper or lower case; of all if none is named"
    )
    without: list[str] = Field(["AutoModerator"], description="authors whose posts and comments are left out")
    least_words: Count = Field(3, description="that a post, title and text together, has, and so a comment")
    most_words: Count = Field(500, description="that a post has, and so a comment")
    comments_per_post: Count = Field(1, description="of a post's comments at most so many, those of the best scores")
    held_out: Share = Field(0.001, lt=1, description="share of the posts whose pairs are the split dev")

    @property
    def judged(self) -> list[str]:
        return [TRAIN, DEV] if self.held_out else [TRAIN]

    def check(self, study) -> Iterator[tuple[str, str]]:
        if self.most_words < self.least_words:
            yield "most_words", f"{self.most_words} are fewer than least_words: {self.least_words}"

    def files(self) -> list[str]:
        return list(map(str, reading.text_files([*self.submissions, *self.comments], FORMATS)))

    def moved(self, place) -> dict[str, Any]:
        return {part: list(dict.fromkeys(map(place, getattr(self, part)))) for part in ("submissions", "comments")}


def write(
    writer: "DatasetWriter",
    submissions: list[str],
    comments: list[str],
    subreddits: list[str],
    without: list[str],
    least_words: int,
    most_words: int,
    comments_per_post: int,
    held_out: float,
) -> None:
    """Posts and comments are sorted into ranges of a hash of the post's id, of which one after another is joined.

    So memory is bounded, and the pairs' order is that of the hash however many ranges there are.
    """
    from dewpoint.data.columns import json_batches
    from dewpoint.data.partitions import Partitions
    from dewpoint.data.threads import COMMENT, OF_COMMENTS, OF_POSTS, POST, SCORE, Fit

    fit = Fit(subreddits, without, least_words, most_words)
    sides = [reading.text_files(patterns, FORMATS) for patterns in (submissions, comments)]
    count = 1 + sum(path.stat().st_size for side in sides for path in side) // PART
    posts, answers = (
        Partitions(writer.artifact.path(f"{PARTS}/{name}"), schema, count)
        for name, schema in (("posts", POST), ("comments", COMMENT))
    )
    for path in sides[0]:
        for rows in reading.counted(json_batches(path, OF_POSTS), "posts", len):
            posts.add(fit.of_posts(rows))
    for path in sides[1]:
        for rows in reading.counted(json_batches(path, OF_COMMENTS, (SCORE,)), "comments", len):
            answers.add(fit.of_comments(rows))
    place = ", ".join(comments)
    for part in reading.counted(range(count), f"of {count:,} parts are joined"):
        _write_pairs(writer, place, held_out, *fit.joined(posts.take(part), answers.take(part), comments_per_post))
    shutil.rmtree(posts.path.parent)
    left_out = {"posts": dict(fit.posts), "comments": dict(fit.comments)}
    writer.artifact.facts["left_out"] = left_out
    if not writer.count:
        raise UserError(f"{place}: no comment answers a post of {', '.join(submissions)}; left out: {_said(left_out)}")
    for split in (TRAIN, DEV) if held_out else (TRAIN,):
        if split not in writer.queries:
            raise UserError(f"{place}: none of {writer.count:,} pairs is in {split}; set held_out, now {held_out}")
    log.info("left out: %s", _said(left_out))
    writer.end_of_corpus(place)


def _write_pairs(
    writer: "DatasetWriter", place: str, held_out: float, key: "np.ndarray", query: "pa.Array", passage: "pa.Array"
) -> None:
    """Those of the lowest keys are held out."""
    import numpy as np

    bound = int(np.searchsorted(key, np.uint64(held_out * 2**64)))
    for split, begin, end in ((DEV, 0, bound), (TRAIN, bound, len(key))):
        for first in range(begin, end, WRITTEN):
            rows = min(WRITTEN, end - first)
            writer.text_pairs(place, split, query.slice(first, rows), passage.slice(first, rows))


def _said(left_out: dict[str, dict[str, int]]) -> str:
    return "; ".join(
        f"{what}: {', '.join(f'{count:,} {reason}' for reason, count in of.items() if count) or 'none'}"
        for what, of in left_out.items()
    )


def rehearse(
    folder: Path,
    words: tiny.Words,
    submissions: list[str],
    comments: list[str],
    subreddits: list[str],
    without: list[str],
    least_words: int,
    most_words: int,
    comments_per_post: int,
    held_out: float,
) -> None:
    """Tiny dumps of the real ones' names: posts with comments that are fit, and for each reason one that is not."""
    subreddit = {"subreddit": subreddits[0] if subreddits else "AskHistorians", "author": "someone"}

    def text(count: int) -> str:
        return words.passage(min(max(count, least_words), most_words))

    def odd(row: int) -> str:
        return html.escape(tiny.ODD[row % len(tiny.ODD)], quote=False) if row % 12 == 0 and most_words > 100 else ""

    posts, answers = [], []
    for row, id in enumerate(_ids(held_out)):
        title, _, below = text(20).partition(" ")
        posts.append({"id": id, "title": title, "selftext": f"{below} {odd(row)}", "score": row} | subreddit)
        for number in range(3):
            own, body = f"{id}{number}", f"{text(40)} {odd(row)}"
            answers.append({"id": own, "parent_id": f"t3_{id}", "body": body, "score": number} | subreddit)
        answers.append({"id": f"{id}r", "parent_id": f"t1_{own}", "body": text(40), "score": 9} | subreddit)
    other = posts[0], answers[0]
    for number, changes in enumerate(
        (
            {"author": "[deleted]"},
            {"title": "[deleted by user]", "body": "[removed]"},
            {"author": (without or ["[deleted]"])[0], "score": None},
            {"title": None, "body": None},
            {"title": "x " * (most_words + 1), "body": "x " * (most_words + 1)},
            {"id": None},
            {"score": "12"},
        )
    ):
        for rows, one in zip((posts, answers), other, strict=True):
            more = {key: value for key, value in changes.items() if key in one}
            rows.append(one | {"id": f"zz{number}"} | more)
    for files, rows in ((submissions, posts), (comments, answers)):
        for number, file in enumerate(files):
            tiny.write_text(folder / Path(file).name, tiny.json_text(rows[number :: len(files)]))


def _ids(held_out: float) -> list[str]:
    """Of tiny.TRAIN posts that are trained on, and as far as there are so many, tiny.DEV that are held out."""
    import numpy as np
    import pyarrow as pa

    from dewpoint.data.threads import post_keys

    ids = pa.array(np.arange(10**6, 2 * 10**6)).cast(pa.string())
    held = post_keys(ids) < np.uint64(held_out * 2**64)
    these = [*np.flatnonzero(held)[: tiny.DEV], *np.flatnonzero(~held)[: tiny.TRAIN]]
    return ids.take(pa.array(these)).to_pylist()
