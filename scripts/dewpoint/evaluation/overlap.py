"""Which questions are among many others, word for word, and which words it takes to make the nearest of them one.

The others may be tens of millions: they are streamed once, and only what is looked for is held.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dewpoint.data.dataset import Dataset
from dewpoint.evaluation.edits_scan import edits
from dewpoint.progress import Progress

NO_WORD = r"[^\p{L}\p{M}\p{N}]+"
GAPS = {"case": r"[\s\p{Z}]+", "words": NO_WORD}  # what becomes a space
ODD = {  # what a text with no other gaps than single spaces between words has not; the replacement is slow
    "case": r"[\s\p{Z}]{2}|[^\S ]|[^\P{Z} ]|^ | $",
    "words": r"[^\p{L}\p{M}\p{N} ]|  |^ | $",
}


def normalised(texts: pa.StringArray, how: str) -> pa.StringArray:
    """What of texts is compared: `exact` all; `case` all but case and what space is; `words` small letters and digits.

    Marks go with their letters.
    """
    if how == "exact":
        return texts
    texts = pc.utf8_lower(texts)
    odd = pc.match_substring_regex(texts, ODD[how])
    if pc.any(odd).as_py():
        mended = pc.replace_substring_regex(texts.filter(odd), GAPS[how], " ")
        texts = pc.replace_with_mask(texts, odd, pc.utf8_trim(mended, " "))
    return texts


@dataclass
class Verbatim:
    """Of each question: the first passage that is the same, -1 where none is, and how many are."""

    passage: np.ndarray
    times: np.ndarray


def look_through(
    among: Dataset, questions: pa.StringArray, how: str, wanted: np.ndarray
) -> tuple[Verbatim, pa.StringArray]:
    """(where questions are among a dataset's passages, the texts of the `wanted` rows of these, which rise)."""
    sought = normalised(questions, how)
    unique = pc.unique(sought)
    unique = unique.filter(pc.not_equal(unique, ""))
    first, times = np.full(len(unique) + 1, -1), np.zeros(len(unique) + 1, np.int64)  # the last: of no text
    texts, start = [], 0
    progress = Progress(among.rows("corpus"), "passages looked through", rate="passages")
    for batch in among.batches("corpus", ["text"]):
        rows = wanted[slice(*np.searchsorted(wanted, [start, start + batch.num_rows]))]
        texts.append(batch["text"].take(pa.array(rows - start)))
        number, at = _places(normalised(batch["text"], how), unique)
        times += np.bincount(number, minlength=len(times))
        seen, where = np.unique(number, return_index=True)
        new = seen[first[seen] < 0]
        first[new] = start + at[where[np.isin(seen, new)]]
        start += batch.num_rows
        progress.add(batch.num_rows)
    number = pc.index_in(sought, unique).fill_null(len(unique)).to_numpy()
    return Verbatim(first[number], times[number]), pa.chunked_array(texts, pa.string()).combine_chunks()


def _places(texts: pa.StringArray, unique: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    """(numbers of the texts that are among some, the rows of these)."""
    number = pc.index_in(texts, unique)
    rows = np.flatnonzero(number.is_valid().to_numpy(zero_copy_only=False))
    return number.drop_null().to_numpy(), rows


def word_edits(questions: pa.StringArray, texts: pa.StringArray, question: np.ndarray, text: np.ndarray) -> np.ndarray:
    """Of each pair of a question's and a text's number: how many words are to be put in, taken out or replaced."""
    words, starts = _numbered([*questions.to_pylist(), *texts.to_pylist()])
    return edits(words, starts, question.astype(np.int64), text.astype(np.int64) + len(questions))


def _numbered(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """(the words of all texts, each as its number, where each text's begin)."""
    known: dict[str, int] = {}
    words = [[known.setdefault(word, len(known)) for word in text.split()] for text in texts]
    starts = np.concatenate([[0], np.cumsum([len(one) for one in words], dtype=np.int64)])
    return np.fromiter((word for one in words for word in one), np.int32, int(starts[-1])), starts


def smallest(query: np.ndarray, distance: np.ndarray, queries: int) -> np.ndarray:
    """The row of each query's smallest distance, the first of those that are equal; -1 for a query without rows."""
    order = np.lexsort([np.arange(len(query)), distance, query])
    of, where = np.unique(query[order], return_index=True)
    rows = np.full(queries, -1)
    rows[of] = order[where]
    return rows
