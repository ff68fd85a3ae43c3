"""What a terminal shows of a ranker's answers."""

import re

from hypothesis import given
from hypothesis import strategies as st

from dewpoint.report.answers import BOLD, PLAIN, Found, marked, side_by_side, snippet, terms_of

FOUND = Found(1.5, "pandas.merge", "Merge", "Nothing here. " * 30 + "Frames are merged by key. " + "More of it. " * 30)


def plain(text: str) -> str:
    return text.replace(BOLD, "").replace(PLAIN, "")


def test_words_of_the_question_are_bold_whatever_their_endings():
    assert (
        marked("the merge of merged frames", terms_of("The merging"))
        == f"the {BOLD}merge{PLAIN} of {BOLD}merged{PLAIN} frames"
    )
    assert marked("the end", terms_of("the of")) == "the end"  # words that count for nothing


def test_a_passage_shows_where_the_words_are():
    shown = side_by_side([("bm25", [FOUND])], 60, "merge frames by key", bold=False)
    assert "merged by key" in " ".join(shown.split()) and "… " in shown and "pandas.merge" in shown and "1.50" in shown


@given(st.lists(st.sampled_from(["merge", "frames", "of", "data", "x" * 9]), max_size=40), st.integers(12, 60))
def test_no_part_has_more_of_the_terms(words, letters):
    """Against all parts of as many letters."""
    terms, text = terms_of("merge frames data"), " ".join(words)
    shown = snippet(text, terms, letters)
    assert text.endswith(shown.removeprefix("… "))
    seen = shown.removeprefix("… ")[: letters - 2 + 1]
    parts = [" ".join(words[first:last]) for first in range(len(words)) for last in range(first, len(words) + 1)]
    most = max((len(terms_of(part) & terms) for part in parts if len(part) <= letters - 3), default=0)
    assert len(terms_of(seen) & terms) >= most


@given(st.integers(1, 4), st.integers(20, 200), st.booleans())
def test_lines_fit_the_terminal(count, width, bold):
    columns = [
        (f"ranker {number} (0.1 s)", [FOUND, Found(-1, "id" * 50, "", "short")][: number + 1])
        for number in range(count)
    ]
    columns.append(("empty", []))
    shown = side_by_side(columns, width, "merge", bold)
    assert all(len(plain(line)) <= width for line in shown.splitlines())
    assert "nothing found" in shown and all(f"ranker {number}" in shown for number in range(count))
    assert (BOLD in shown) == bold and not re.search("\x1b(?!\\[1m|\\[22m)", shown)
