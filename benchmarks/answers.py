"""How fast passages are searched for answers, against DPR's rule as it is written: pair by pair, word by word.

As many questions and ranks as Natural Questions' test has; passages of 100 words, those of a question lie together;
answers are drawn from one of them. Prints a line for each figure.
"""

import argparse
import gzip
import json
import random
import sys
import time
import unicodedata
from pathlib import Path

HOME = Path(__file__).parents[1]
sys.path[:0] = [str(HOME / "scripts"), str(HOME)]

import regex

from benchmarks.common import say
from dewpoint.data.answers import known, matches

QUESTIONS, RANKS, WORDS = 3610, 100, 100
FLAGS = regex.IGNORECASE | regex.UNICODE | regex.MULTILINE
WORD = regex.compile(r"([\p{L}\p{N}\p{M}]+)|([^\p{Z}\p{C}])", FLAGS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, required=True, help="JSON lines (.gz) with `paragraphs`")
    parser.add_argument("--questions", type=int, default=QUESTIONS)
    options = parser.parse_args()
    texts, answers, pairs = task(options.text, options.questions)
    seconds, found = timed(lambda: matches(texts, dict(enumerate(map(known, answers))), pairs))
    slow_seconds, slow = timed(lambda: [plain_contains(texts[row], answers[query]) for query, row in pairs])
    if found != slow:
        sys.exit("the results differ")
    aliases = sum(map(len, answers)) / len(answers)
    kinds = f"{len({row for _, row in pairs}):,} passages, {aliases:.1f} answers a question, {sum(found) / len(found):.1%} hits"
    print(f"{len(pairs):,} pairs of {kinds}: {seconds:.2f} s against {slow_seconds:.1f} s", flush=True)
    say("as fast as the rule pair by pair", slow_seconds / seconds, 50, "×")


def timed(work) -> tuple[float, list[bool]]:
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


def task(path: Path, questions: int) -> tuple[list[str], list[list[str]], list[tuple[int, int]]]:
    """(passages, answers of each question, pairs of question and passage)."""
    texts = []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            for paragraph in json.loads(line)["paragraphs"]:
                words = paragraph.split()
                texts += [" ".join(words[first : first + WORDS]) for first in range(0, len(words), WORDS)]
    draw, answers, pairs = random.Random(0), [], []
    for question in range(questions):
        first = draw.randrange(len(texts) - RANKS)
        answers.append(answers_of(texts[first + draw.randrange(RANKS)], draw))
        pairs += [(question, row) for row in range(first, first + RANKS)]
    return texts, answers, pairs


def answers_of(text: str, draw: random.Random) -> list[str]:
    """An answer from a passage, names and numbers first; half the questions have others, some thirty, some not there."""
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
