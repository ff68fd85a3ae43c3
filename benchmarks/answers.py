"""How fast passages are searched for answers, against DPR's rule as it is written: pair by pair, word by word.

As many questions and ranks as Natural Questions' test has; passages of 100 words, those of a question lie together;
answers are drawn from one of them. Prints a line for each figure.
"""

import argparse
import random
import sys
import time
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HOME = Path(__file__).parents[1]
sys.path[:0] = [str(HOME / "scripts"), str(HOME)]

import numpy as np
import pyarrow as pa
import regex

from benchmarks.common import paragraphs, say, sentences
from dewpoint.data.answers import Answers

QUESTIONS, RANKS, WORDS, GENERATED = 3610, 100, 100, 20_000
FLAGS = regex.IGNORECASE | regex.UNICODE | regex.MULTILINE
WORD = regex.compile(r"([\p{L}\p{N}\p{M}]+)|([^\p{Z}\p{C}])", FLAGS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, help="JSON lines (.gz) with `paragraphs`; generated text when left out")
    parser.add_argument("--smoke", action="store_true", help="seconds, to see that it runs")
    options = parser.parse_args()
    written = paragraphs(options.text, "paragraphs") if options.text else sentences(GENERATED, 2 * WORDS, 0)
    texts, answers, text, query = task(written, 20 if options.smoke else QUESTIONS)
    seconds, _ = timed(lambda: find(texts[:100], answers[:1], text[:1], query[:1] * 0))
    print(f"compiled or loaded in {seconds:.1f} s", flush=True)
    seconds, found = timed(lambda: find(texts, answers, text, query))
    passages, pairs = texts.to_pylist(), zip(text.tolist(), query.tolist(), strict=True)
    slow_seconds, slow = timed(lambda: [plain_contains(passages[row], answers[asked]) for row, asked in pairs])
    if found.tolist() != slow:
        sys.exit("the results differ")
    several = f"{sum(map(len, answers)) / len(answers):.1f} answers a question, {found.mean():.1%} with one"
    print(f"{len(text):,} pairs with {len(texts):,} passages, {several}: {seconds:.2f} s against {slow_seconds:.1f} s")
    say("as fast as the rule pair by pair", slow_seconds / seconds, 50, "×")


def find(texts: pa.Array, answers: list[list[str]], text: np.ndarray, query: np.ndarray) -> np.ndarray:
    return Answers(pa.array(answers)).found(texts, text, query)


def timed(work) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def plain_contains(text: str, answers: list[str]) -> bool:
    """DPR's rule; an answer without words is in no text."""
    whole = plain_words(text)
    for answer in answers:
        part = plain_words(answer)
        for first in range(len(whole) - len(part) + 1):
            if part and part == whole[first : first + len(part)]:
                return True
    return False


def plain_words(text: str) -> list[str]:
    return [match.group().lower() for match in WORD.finditer(unicodedata.normalize("NFD", text))]


def task(written: Iterable[str], questions: int) -> tuple[pa.Array, list[list[str]], np.ndarray, np.ndarray]:
    """(passages, answers of each question, the passages and the questions of pairs by passage)."""
    texts = []
    for words in map(str.split, written):
        texts += [" ".join(words[first : first + WORDS]) for first in range(0, len(words), WORDS)]
    draw, answers, pairs = random.Random(0), [], []
    for question in range(questions):
        first = draw.randrange(len(texts) - RANKS)
        answers.append(answers_of(texts[first + draw.randrange(RANKS)], draw))
        pairs += [(row, question) for row in range(first, first + RANKS)]
    row, query = np.array(sorted(pairs)).T
    used, text = np.unique(row, return_inverse=True)
    return pa.array(texts).take(pa.array(used)), answers, text, np.ascontiguousarray(query)


def answers_of(text: str, draw: random.Random) -> list[str]:
    """An answer from a passage, mostly a name or number; some questions have thirty, some are not there."""
    words = text.split()
    names = [at for at, word in enumerate(words) if word[0].isupper() or word[0].isdigit()] or range(len(words))
    found = []
    for _ in range(draw.choice((1, 1, 1, 2, 3, 5, 10, 30))):
        first = draw.choice(names)
        answer = " ".join(words[first : first + draw.choice((1, 1, 2, 3, 5))]).rstrip(".,;:")
        found.append(draw.choice((answer, answer.upper(), answer, f"{answer} Smith", answer[:-1], f"the {answer}")))
    return found


if __name__ == "__main__":
    main()
