"""Passages judged by a T5, which is asked whether they are relevant: mono-T5 one by one, duo-T5 two at a time.

    mono    Query: q Document: d Relevant:                      s(d)      = log P(true)
    duo     Query: q Document0: d_i Document1: d_j Relevant:    p_ij      = P(true): d_i is the more relevant one
            sum                                                 s(d_i)    = Σ_j p_ij
            sym-sum                                             s(d_i)    = Σ_j (p_ij + 1 - p_ji)          j ≠ i

P is over the tokens `true` and `false` alone, as the first that is written.
"""

from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import numpy as np
import torch

from dewpoint.data.prompts import Prompts
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.models.device import device_of
from dewpoint.models.seq2seq import first_word, in_batches, read_seq2seq

TOKENS = {"cpu": 4096, "cuda": 131_072}  # of a batch
AGGREGATES: dict[str, Callable[[np.ndarray], np.ndarray]] = {  # of p, [passages, passages], 0 where they are the same
    "sum": lambda p: p.sum(1),
    "sym-sum": lambda p: (p - p.T).sum(1) + len(p) - 1,
}


class Judge:
    """A T5 that says true or false of what it reads, `length` tokens at most, of which a query has `query_length`."""

    def __init__(self, model, tokenizer, length: int, query_length: int, tokens: int = 0):
        self.model, self.tokenizer = model, tokenizer
        self.tokens = tokens or TOKENS[device_of(model).type]
        self.prompt = Prompts(tokenizer, length, query_length, model.config.eos_token_id)

    def mono(self, queries: list[str], passages: list[str]) -> np.ndarray:
        """float32 scores of (query, passage) pairs."""
        asked = zip(self.prompt.ids(queries), self.prompt.ids(passages), strict=True)
        return self._true([self.prompt(query, passage) for query, passage in asked])

    def duo(self, query: str, passages: list[str]) -> np.ndarray:
        """float32 p [passages, passages], 0 where they are the same."""
        [asked], ids = self.prompt.ids([query]), self.prompt.ids(passages)
        pairs = list(permutations(range(len(passages)), 2))
        made = [self.prompt(asked, ids[one], ids[other]) for one, other in pairs]
        p = np.zeros((len(ids), len(ids)), np.float32)
        if pairs:
            p[tuple(np.array(pairs).T)] = np.exp(self._true(made))
        return p

    def mono_each(self, queries: list[str], passages: list[list[str]]) -> list[np.ndarray]:
        """The scores of each query's passages."""
        counts = list(map(len, passages))
        asked = [query for query, count in zip(queries, counts, strict=True) for _ in range(count)]
        scores = self.mono(asked, [passage for own in passages for passage in own])
        return np.split(scores, np.cumsum(counts)[:-1]) if counts else []

    def duo_each(self, queries: list[str], passages: list[list[str]], aggregate: str) -> list[np.ndarray]:
        return [AGGREGATES[aggregate](self.duo(*of)) for of in zip(queries, passages, strict=True)]

    def _true(self, prompts: list[list[int]]) -> np.ndarray:
        """log P(true) of each prompt."""
        said = np.empty(len(prompts), np.float32)

        def work(rows: list[int]) -> None:
            batch = self.tokenizer.pad({"input_ids": [prompts[row] for row in rows]}, return_tensors="pt")
            batch = batch.to(device_of(self.model))
            logits = first_word(self.model, batch["input_ids"], batch["attention_mask"], self.prompt.answers)
            said[rows] = torch.log_softmax(logits, -1)[:, 0].cpu().numpy()

        in_batches(list(map(len, prompts)), self.tokens, work)
        return said


def read_judge(model: Path, settings) -> Judge:
    """A model of the study, on this process's device."""
    judge = read_seq2seq(model.parent, settings.precision)
    return Judge(judge, load_tokenizer(model.parent), settings.passage_length, settings.query_length)
