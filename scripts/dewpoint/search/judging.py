"""Passages judged by a T5, which is asked whether they are relevant: mono-T5 one by one, duo-T5 two at a time.

    mono    Query: q Document: d Relevant:                      s(d)      = log P(true)
    duo     Query: q Document0: d_i Document1: d_j Relevant:    p_ij      = P(true): d_i is the more relevant one
            sum                                                 s(d_i)    = Σ_j p_ij
            sym-sum                                             s(d_i)    = Σ_j (p_ij + 1 - p_ji)          j ≠ i

P is over the tokens `true` and `false` alone, as the first that is written (Nogueira et al. 2020, Pradeep et al. 2021).
"""

from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import numpy as np
import torch

from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.errors import UserError
from dewpoint.models.device import device_of
from dewpoint.models.seq2seq import first_word, in_batches, read_seq2seq

TOKENS = {"cpu": 4096, "cuda": 131_072}  # of a batch
WORDS = ["Query:", "Document:", "Document0:", "Document1:", "Relevant:"]
AGGREGATES: dict[str, Callable[[np.ndarray], np.ndarray]] = {  # of p, [passages, passages], 0 where they are the same
    "sum": lambda p: p.sum(1),
    "sym-sum": lambda p: (p - p.T).sum(1) + len(p) - 1,
}


class Judge:
    """A T5 that says true or false. What it reads has `length` tokens at most, of which a query has `query_length`.

    Where that is too few, passages are cut at their ends; in a pair a short one leaves its room to the other.
    """

    def __init__(self, model, tokenizer, length: int, query_length: int, tokens: int = 0):
        self.model, self.tokenizer, self.length, self.query_length = model, tokenizer, length, query_length
        self.tokens = tokens or TOKENS[device_of(model).type]
        self.words = dict(zip(WORDS, self._ids(WORDS), strict=True))
        self.answers = [self._word("true"), self._word("false")]

    def mono(self, queries: list[str], passages: list[str]) -> np.ndarray:
        """float32 scores of (query, passage) pairs."""
        asked = zip(self._queries(queries), self._ids(passages), strict=True)
        return self._true([self._prompt(query, [("Document:", passage)]) for query, passage in asked])

    def duo(self, query: str, passages: list[str]) -> np.ndarray:
        """float32 p [passages, passages], 0 where they are the same."""
        [asked], ids, pairs = self._queries([query]), self._ids(passages), list(permutations(range(len(passages)), 2))
        made = [self._prompt(asked, [("Document0:", ids[one]), ("Document1:", ids[other])]) for one, other in pairs]
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

    def _prompt(self, query: list[int], documents: list[tuple[str, list[int]]]) -> list[int]:
        end, names = self.words["Relevant:"], [self.words[name] for name, _ in documents]
        room = self.length - len(query) - len(end) - 1 - sum(map(len, names))
        if room < len(documents):
            raise UserError(
                f"{self.length} tokens leave no room for a passage beside a query; take more, or less of a query"
            )
        kept = _shared(room, [len(ids) for _, ids in documents])
        parts = [[*name, *ids[:count]] for name, (_, ids), count in zip(names, documents, kept, strict=True)]
        return [*query, *(token for part in parts for token in part), *end, self.model.config.eos_token_id]

    def _queries(self, queries: list[str]) -> list[list[int]]:
        return [[*self.words["Query:"], *ids[: self.query_length]] for ids in self._ids(queries)]

    def _ids(self, texts: list[str]) -> list[list[int]]:
        return self.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []

    def _word(self, word: str) -> int:
        [ids] = self._ids([word])
        if len(ids) != 1 or ids[0] == self.tokenizer.unk_token_id:
            where = self.tokenizer.name_or_path
            raise UserError(
                f"{where}: has no token '{word}', which mono-T5 and duo-T5 answer; name a T5 that was so trained"
            )
        return ids[0]

    def _true(self, prompts: list[list[int]]) -> np.ndarray:
        """log P(true) of each prompt."""
        said = np.empty(len(prompts), np.float32)

        def work(rows: list[int]) -> None:
            batch = self.tokenizer.pad({"input_ids": [prompts[row] for row in rows]}, return_tensors="pt")
            batch = batch.to(device_of(self.model))
            logits = first_word(self.model, batch["input_ids"], batch["attention_mask"], self.answers)
            said[rows] = torch.log_softmax(logits, -1)[:, 0].cpu().numpy()

        in_batches(list(map(len, prompts)), self.tokens, work)
        return said


def read_judge(model: Path, settings) -> Judge:
    """A model of the study, on this process's device."""
    judge = read_seq2seq(model.parent, settings.precision)
    return Judge(judge, load_tokenizer(model.parent), settings.passage_length, settings.query_length)


def _shared(room: int, lengths: list[int]) -> list[int]:
    """How much of each of one or two texts is kept in the room for all."""
    if len(lengths) == 1:
        return [min(room, lengths[0])]
    first = min(lengths[0], max(room // 2, room - lengths[1]))
    return [first, min(lengths[1], room - first)]
