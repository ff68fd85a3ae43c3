"""Windows of words and the spans that touch them, against looking at every character."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dewpoint.data.windows import WHOLE, Span, Windows, cut
from dewpoint.errors import UserError

TEXT = st.text(st.sampled_from("ab \n\u00a0é𝄞"), max_size=40)
PAGE = st.lists(TEXT, max_size=4)


@given(TEXT, st.integers(1, 4))
def test_windows_have_all_words_in_order(text, words):
    parts = [text[start:end] for start, end in cut(text, words)]
    assert " ".join(parts).split() == text.split()
    assert [len(part.split()) for part in parts[:-1]] == [words] * (len(parts) - 1)
    assert all(0 < len(part.split()) <= words and part == part.strip() for part in parts)


def made(pages, words=2, order=None):
    """Windows of pages with these ids; paragraph 1 of each is left out, as headings are."""
    windows, lies = Windows(), []
    for id, paragraphs in pages:
        windows.page(id)
        for number, text in enumerate(paragraphs):
            for start, end in cut(text, words) if number != 1 else ():
                windows.add(number, start, end)
                lies.append((id, number, start, end))
    windows.close("file")
    return windows, lies


PLACE = st.tuples(st.integers(0, 4), st.integers(0, 42) | st.just(WHOLE))


@given(st.lists(PAGE, min_size=1, max_size=3), st.integers(1, 3), st.integers(0, 2), PLACE, PLACE, st.randoms())
def test_what_a_span_touches_has_one_of_its_characters(texts, words, which, first, last, random):
    ids = random.sample(range(100), len(texts))
    windows, lies = made(zip(ids, texts, strict=True), words)
    page = ids[which % len(ids)]
    span = Span(first[0], last[0], first[1], last[1])
    characters = {
        (paragraph, at)
        for paragraph in range(first[0], last[0] + 1)
        for at in range(60)
        if (paragraph, at) >= first and (paragraph, at) < last
    }
    expected = [
        row
        for row, (id, paragraph, start, end) in enumerate(lies)
        if id == page and any((paragraph, at) in characters for at in range(start, end))
    ]
    assert windows.touched(windows.of(page), span) == expected


def test_a_page_without_windows_is_known_and_another_one_is_not():
    windows, _ = made([(7, ["a b c", "x", "d"]), (3, []), (5, ["e"])])
    assert [windows.of(id) for id in (7, 3, 5)] == [range(3), range(3, 3), range(3, 4)]
    assert [windows.of(id) for id in (0, 4, 9)] == [None] * 3
    assert windows.of_paragraph(windows.of(7), 0, 0) == range(2)
    assert not windows.of_paragraph(windows.of(7), 1, 1)


def test_a_page_comes_once():
    with pytest.raises(UserError, match=r"^file: page '7' comes twice$"):
        made([(7, []), (3, []), (7, ["a"])])
