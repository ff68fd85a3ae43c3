"""Training a T5 to answer: of a query and each of its own passages, whether the one is relevant to the other.

    s(q, p) = log P(true) - log P(false)        P over all words, as the first that is written
    L = loss(s) - Σ_r w_r log(P_r(true) + P_r(false))        w_r the weight of row r in `binary`

Under `binary`, -log σ(±s), this is mono-T5's -log P of the right word among all, the mean over a query's passages.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.pretrained import revisions
from dewpoint.data.prompts import Prompts
from dewpoint.data.streams import Epochs
from dewpoint.data.tokenizer import load_tokenizer, prefix_ids
from dewpoint.data.tokens import Slices, TokenStore, leading
from dewpoint.models import dropout
from dewpoint.models.backbone import load_seq2seq
from dewpoint.models.card import card
from dewpoint.models.device import precision, precision_in_use, take_device
from dewpoint.models.reader import Reader
from dewpoint.models.seq2seq import first_state
from dewpoint.models.weights import write_model
from dewpoint.training import gradient_cache, loop
from dewpoint.training.chunks import Batch, Chunk, room
from dewpoint.training.devices import summed
from dewpoint.training.given import Pace
from dewpoint.training.scoring import Rows, Together, instances

OTHER_WORDS = "other_words"


def train(
    artifact: Artifact, settings, given, pace: Pace, loss: Callable[..., Tensor], compose: Callable[..., Epochs]
) -> None:
    """`loss(scores, known)` is of a whole batch; `compose(queries, size, seed)` says which instances are in one."""
    data, store, words = Dataset(given.dataset), TokenStore(given.tokens), load_tokenizer(given.tokenizer.parent)
    prompts = Prompts(words, settings.passage_length, settings.query_length, store.special["sep"])
    model = start(settings, given.parent)
    model.check_fits(len(words), settings.passage_length, "a question")
    stream = instances(data, settings, given, *texts(store, words, settings), compose)
    space = room(pace.chunk, take_device(), model.backbone.config)
    rows = Rows(stream, store.special, partial(questions, prompts), space, settings.seed)
    objective = Objective(model, settings, loss, prompts.answers)
    steps = settings.epochs * stream.epochs.steps
    loop.train(model, rows.batch, objective, settings, steps, artifact, pace.checkpoint)
    artifact.facts |= {"precision": precision_in_use(settings.precision, model.backbone)}
    artifact.facts |= stream.facts | revisions(revision=settings.source)
    write_model(model.backbone, artifact.path("."))
    words.save_pretrained(artifact.path("."))
    artifact.path("README.md").write_text(card(artifact, settings, given.dataset, "monot5"), encoding="utf-8")


def start(settings, parent: Path | None) -> "Answering":
    """What training starts from: a node of the study, a folder or a hub id."""
    model = Answering(load_seq2seq(parent.parent if parent else settings.source))
    dropout.install(model, model.backbone)
    return model


class Answering(Reader):
    """A T5 and the first word that it writes."""

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Logits [rows, words], summed in float32 as whoever asks it later does."""
        state = first_state(self.backbone, ids, mask)
        with torch.autocast(state.device.type, enabled=False):
            return state.float() @ self.backbone.lm_head.weight.float().T


def texts(store: TokenStore, words, settings) -> tuple:
    """Queries and passages, as long as a question may need them: it is the prompt that cuts them."""
    length = settings.query_length + leading(store.special) + 1
    prefix = prefix_ids(words, settings.passage_prefix, settings.passage_length)
    passages = store.passages(2 * settings.passage_length + len(prefix), prefix, settings.title)
    return store.queries(settings.split, length), passages


def questions(prompts: Prompts, queries: list[Slices], passages: list[Slices]) -> Together:
    """The question about each passage and its query, one text."""
    asked = [prompts(*both)[:-1] for both in zip(tokens(queries), tokens(passages), strict=True)]
    counts = np.array(list(map(len, asked)))
    return [Slices(np.concatenate(asked), np.cumsum(counts) - counts, counts)], None


def tokens(segments: list[Slices]) -> list[list[int]]:
    """Each row's, its segments one after the other."""
    cut = [(part.values, part.starts.tolist(), part.counts.tolist()) for part in segments]
    rows = range(len(segments[0].counts))
    return [[token for of, at, many in cut for token in of[at[row] : at[row] + many[row]].tolist()] for row in rows]


class Objective:
    """A loss over all scores of a step, and what other words take of the probability."""

    def __init__(self, model: Answering, settings, loss: Callable[..., Tensor], answers: list[int]):
        self.model, self.loss, self.name = model, loss, settings.loss.name
        self.vocabulary, self.answers = settings.vocabulary, answers
        self.precision = partial(precision, settings.precision, model.backbone)

    def __call__(self, batch: Batch) -> dict[str, float]:
        free = (~batch.labels["masked"]).float()
        weights, others = (free / free.sum(1, keepdim=True)).mean(0), torch.zeros((), device=batch.device)

        def encode(chunk: Chunk, whole: bool) -> tuple[Tensor, Tensor | None]:
            with dropout.keyed(self.model, chunk.keys), self.precision():
                words = self.model(chunk.ids, chunk.mask)
            answers = words[:, self.answers]
            scores = answers[:, :1] - answers[:, 1:]
            if not (whole and self.vocabulary):
                return scores, None
            extra = (weights[chunk.rows] * (words.logsumexp(1) - answers.logsumexp(1))).sum()
            others.add_(extra.detach())
            return scores, extra

        def loss(scores: Tensor) -> Tensor:  # of each passage with its own query; 0 with others, which are masked
            return self.loss(torch.where(batch.labels["own"], scores[:, 0], 0.0), batch.labels)

        found = {self.name: gradient_cache.backward(batch, encode, 1, loss)}
        return found | ({OTHER_WORDS: summed(others).item()} if self.vocabulary else {})
