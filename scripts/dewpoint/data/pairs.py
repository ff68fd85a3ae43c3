"""Pairs of a query and a passage, put together from the token store's tokens as the tokenizer would join two texts."""

from dataclasses import dataclass, replace

import numpy as np

from dewpoint.data.tokenizer import PROBE, special_tokens
from dewpoint.data.tokens import Slices, Special, leading
from dewpoint.errors import UserError


@dataclass(frozen=True)
class Joint:
    """How a tokenizer joins two texts."""

    between: tuple[int, ...]  # the special tokens between them
    typed: bool  # tokens of the second text are of type 1

    @property
    def tokens(self) -> int:
        return len(self.between)


@dataclass
class Pairs:
    """Queries and passages, a pair a row."""

    segments: list[Slices]
    second: np.ndarray  # where each row's second text begins

    def __getitem__(self, rows: np.ndarray) -> "Pairs":
        return Pairs([segment[rows] for segment in self.segments], self.second[rows])


def joint(tokenizer) -> Joint:
    """As it joins two texts; what comes before the first and after the second must be as `assemble` has it."""
    special = special_tokens(tokenizer)
    one, other = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in (PROBE, PROBE[::-1]))
    made = tokenizer(PROBE, PROBE[::-1], return_token_type_ids=True)
    ids, types = made["input_ids"], made.get("token_type_ids") or [0]
    before = [special["cls"]] * leading(special) + one
    between = ids[len(before) : len(ids) - len(other) - 1]
    if ids != before + between + other + [special["sep"]]:
        raise UserError(f"{tokenizer.name_or_path}: its tokenizer joins two texts in a way that is not known here")
    typed = "token_type_ids" in tokenizer.model_input_names and any(types)
    if typed and types != [0] * (len(before) + len(between)) + [1] * (len(other) + 1):
        raise UserError(f"{tokenizer.name_or_path}: its tokenizer gives two texts types that are not known here")
    return Joint(tuple(between), typed)


def pairs(queries: list[Slices], passages: list[Slices], special: Special, joint: Joint) -> Pairs:
    """Row i is query i and passage i."""
    *before, last = queries
    rows = len(last.counts)
    gap = Slices(np.array(joint.between, np.int64), np.zeros(rows, np.int64), np.full(rows, joint.tokens), False)
    second = leading(special) + sum(segment.counts for segment in queries) + joint.tokens
    return Pairs([*before, replace(last, closed=False), gap, *passages], second)


def pair_length(settings, joint: Joint, special: Special) -> int:
    """Tokens of the longest pair: each text as long as it may be, their special tokens once."""
    alone = leading(special) + 1
    return settings.query_length + settings.passage_length - 2 * alone + leading(special) + joint.tokens + 1
