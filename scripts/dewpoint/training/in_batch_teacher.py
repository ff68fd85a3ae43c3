"""A retriever that scores a batch's queries and passages as they come; all devices share its work."""

from functools import partial
from types import SimpleNamespace

import torch
from torch import Tensor

from dewpoint.artifact import read_manifest
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import TokenStore, query_reading
from dewpoint.models.device import precision, take_device
from dewpoint.models.encoder import prefix_tokens
from dewpoint.models.folder import query_folder, read_retriever
from dewpoint.training import given
from dewpoint.training.chunks import Batch, room
from dewpoint.training.devices import summed
from dewpoint.training.sides import Sides, scores_of, vectors_of


class InBatchTeacher:
    """Its model, and its way to read the dataset's texts, which its manifest tells."""

    def __init__(self, of: given.InBatchTeacher, settings, chunk: int):
        """`settings` are the student's: whose queries are asked, and how precisely; `chunk` is how much is held."""
        texts = SimpleNamespace(**read_manifest(of.model)["settings"])
        device, folder = take_device(), of.model.parent
        self.model = read_retriever(folder).to(device).eval()
        words, query_words = load_tokenizer(folder), load_tokenizer(query_folder(folder))
        self.model.check_fits(words, query_words, texts)
        prefix, query_prefix = prefix_tokens(words, query_words, texts)
        store, query_store = TokenStore(of.tokens), TokenStore(of.query_tokens)
        self.passages = store.passages(texts.passage_length, prefix, texts.title)
        self.queries = query_store.queries(settings.split, texts.query_length, query_prefix, **query_reading(texts))
        self.sides = Sides(query_store.special, store.special, self.model.passages.several)
        self.room = room(chunk, device, self.model.passages.backbone.config)
        self.precision = partial(precision, settings.precision, self.model.passages.backbone)

    def batch(self, known) -> Batch:
        """The same queries and passages as it reads them."""
        queries, passages = self.queries[known["query"]], self.passages[known["passage"]]
        return self.sides.batch(queries, passages, {"masked": known["masked"]}, self.room, 0, 0)

    @torch.no_grad()
    def scores(self, batch: Batch) -> Tensor:
        """[queries, passages]."""
        vectors = torch.zeros(batch.rows, self.model.dimension, device=batch.device)
        with self.precision():
            for chunk in batch.chunks:
                vectors[chunk.rows] = vectors_of(self.model, chunk).float()
        return scores_of(summed(vectors), batch.labels)


def taught(known: dict[str, Tensor], scores: Tensor, in_batch: bool) -> dict[str, Tensor]:
    """What is known of a batch, with the in-batch teacher's scores; those of a run are then `pairwise`."""
    scores = scores if in_batch else scores.masked_fill(~known["own"], torch.nan)
    return known | ({"pairwise": known["teacher"]} if "teacher" in known else {}) | {"teacher": scores}
