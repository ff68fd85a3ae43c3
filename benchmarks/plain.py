"""Condenser and coCondenser written out plainly, as their papers' code runs them: an oracle for tests, a rival for
benchmarks. Rows are padded to the full length; logits come at every position, in the cache's first pass as well."""

from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

IGNORED = -100


class PlainCondenser(nn.Module):
    """Stock layers of transformers; `head` are layers of the backbone's kind, `late` says whether it predicts, too."""

    def __init__(self, language_model, head: nn.ModuleList, early_layers: int, late: bool = True):
        super().__init__()
        self.language_model, self.head, self.early_layers, self.late = language_model, head, early_layers, late

    def forward(self, ids: Tensor, mask: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(head MLM, late MLM, both summed over the labelled positions; CLS)."""
        from transformers.masking_utils import create_bidirectional_mask

        output = self.language_model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        late, early = output.hidden_states[-1], output.hidden_states[self.early_layers]
        hidden = torch.cat([late[:, :1], early[:, 1:]], dim=1)
        wide = create_bidirectional_mask(config=self.language_model.config, inputs_embeds=hidden, attention_mask=mask)
        for layer in self.head:
            hidden = layer(hidden, wide)
        predict = self.language_model.cls if hasattr(self.language_model, "cls") else self.language_model.lm_head
        return self._sum(predict(hidden), labels), self._sum(output.logits, labels) * self.late, late[:, 0]

    def _sum(self, logits: Tensor, labels: Tensor) -> Tensor:
        words = logits.float().view(-1, logits.shape[-1])
        return cross_entropy(words, labels.view(-1), ignore_index=IGNORED, reduction="sum")


def condenser_step(model: PlainCondenser, rows: tuple[Tensor, ...], low=nullcontext) -> float:
    """Backward through Condenser's loss over rows (ids, mask, labels)."""
    with low():
        head, late, _ = model(*rows)
    loss = (head + late) / (rows[2] != IGNORED).sum()
    loss.backward()
    return loss.item()


def accumulated_condenser_step(model: PlainCondenser, rows: tuple[Tensor, ...], size: int, low=nullcontext) -> None:
    """The same, `size` rows at a time."""
    masked = (rows[2] != IGNORED).sum()
    for part in zip(*(part.split(size) for part in rows), strict=True):
        with low():
            head, late, _ = model(*part)
        ((head + late) / masked).backward()


def contrast(spans: Tensor) -> Tensor:
    """The mean of -log( exp(h_i1·h_i2) / Σ exp(h_ij·h_kl) ); rows 2i and 2i + 1 are siblings."""
    scores = spans @ spans.T - torch.diag(torch.full((len(spans),), torch.inf))
    sibling = torch.tensor([row + 1 if row % 2 == 0 else row - 1 for row in range(len(spans))])
    return -torch.log_softmax(scores, 1)[torch.arange(len(spans)), sibling].mean()


def cocondenser_step(model: PlainCondenser, rows: tuple[Tensor, ...], low=nullcontext) -> float:
    """Backward through coCondenser's loss, the whole batch in one graph."""
    with low():
        head, late, spans = model(*rows)
    loss = contrast(spans.float()) + (head + late) / (rows[2] != IGNORED).sum()
    loss.backward()
    return loss.item()


def cached_cocondenser_step(model: PlainCondenser, rows: tuple[Tensor, ...], size: int, low=nullcontext) -> None:
    """The same through a gradient cache over chunks of `size` rows; the generator's state brings dropout back."""
    chunks = list(zip(*(part.split(size) for part in rows), strict=True))
    masked = (rows[2] != IGNORED).sum()
    states, spans = [], []
    for chunk in chunks:
        states.append(torch.get_rng_state())
        with torch.no_grad(), low():
            spans.append(model(*chunk)[2].float())
    leaves = torch.cat(spans).requires_grad_()
    contrast(leaves).backward()
    for chunk, state, gradient in zip(chunks, states, leaves.grad.split(size), strict=True):
        torch.set_rng_state(state)
        with low():
            head, late, part = model(*chunk)
        ((part.float() * gradient).sum() + (head + late) / masked).backward()


def vector(backbone, ids: Tensor, pooling: str = "cls", projection: nn.Module | None = None, normalize: bool = False):
    """One text's vector: its first token's, or the mean of all, projected and of length one where that is wanted."""
    hidden = backbone(ids[None], attention_mask=torch.ones_like(ids[None])).last_hidden_state[0]
    pooled = hidden[0] if pooling == "cls" else hidden.mean(0)
    pooled = projection(pooled) if projection else pooled
    return pooled / pooled.norm() if normalize else pooled


def ranking(queries: list[Tensor], passages: list[Tensor], positives: list[int], others: list[list[int]], heat: float):
    """The mean of -log( exp(q·p+ / T) / Σ exp(q·p / T) ) over the positive and the others, a query at a time."""
    losses = []
    for query, positive, negatives in zip(queries, positives, others, strict=True):
        scores = torch.stack([query @ passages[row] for row in [positive, *negatives]]) / heat
        losses.append(torch.logsumexp(scores, 0) - scores[0])
    return torch.stack(losses).mean()
