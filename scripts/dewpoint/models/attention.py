"""How broadly the CLS attends, layer by layer: the entropy of its attention's weights, which need attention as written
out in full in place of a fused kernel."""

import numpy as np
import torch
from torch import Tensor

from dewpoint.data.tokens import Slices, input_lengths, inputs
from dewpoint.errors import UserError
from dewpoint.models import parts
from dewpoint.models.reader import Reader
from dewpoint.progress import Progress

HELD = 2**28  # bytes of the weights of all layers and heads, held at once; on a processor, by each core


def cls_entropies(backbone, texts: list[Slices], special: dict[str, int | None], what: str) -> np.ndarray:
    """float64 [texts, layers]: -sum p ln p over a text's tokens, the mean over a layer's heads; padding has no part."""
    if parts.causal(backbone):
        raise UserError(f"{what}: reads from left to right, so its first token sees no other; name a kin of BERT")
    if special["cls"] is None:
        raise UserError(f"{what}: its tokenizer has no CLS, whose attention could be looked at; name a kin of BERT")
    backbone.set_attn_implementation("eager")
    reader, lengths = Reader(backbone.eval()), input_lengths(texts, special)
    found = np.empty((len(lengths), parts.depth(backbone.config)))
    progress = Progress(len(lengths), "passages")

    def compute(rows: np.ndarray) -> Tensor:
        made = inputs([segment[rows] for segment in texts], special)
        ids, mask = (torch.from_numpy(part).to(reader.device) for part in made)
        with torch.inference_mode():
            layers = backbone(ids, attention_mask=mask, output_attentions=True).attentions
            return torch.stack([entropies(weights[:, :, 0], mask) for weights in layers], 1)

    def keep(rows: np.ndarray, part: Tensor) -> None:
        found[rows] = part.cpu().numpy()
        progress.add(len(rows))

    longest = int(lengths.max(initial=1))
    weights = 4 * found.shape[1] * backbone.config.num_attention_heads * longest  # bytes of a token's
    reader.in_batches(lengths, max(1, HELD // weights), compute, keep)
    return found


def entropies(weights: Tensor, mask: Tensor) -> Tensor:
    """float64 [texts], in nats, of weights [texts, heads, tokens]: the mean over the heads."""
    return (torch.special.entr(weights.double()) * mask[:, None]).sum(2).mean(1)
