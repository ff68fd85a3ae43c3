"""T5: texts written from a text, by sampling; a text's first word, looked at before it is written.

A step of the decoder is written out here for one thing: all texts that are written from one passage attend to the same
keys and values, which are held once, not once a text.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention as attend

from dewpoint.errors import UserError
from dewpoint.models.backbone import load_seq2seq
from dewpoint.models.device import precision_in_use, take_device

log = logging.getLogger(__name__)


def read_seq2seq(source: Path, precision: str):
    """A model on this process's device, for inference alone: where bfloat16 is in use its weights are in it."""
    model = load_seq2seq(source).to(take_device())
    if precision_in_use(precision, model) == "bfloat16":
        model.to(torch.bfloat16)
    return model.eval()


def as_read(title: str, text: str, settings) -> str:
    """A passage as the model reads it."""
    return f"{settings.passage_prefix}{f'{title} ' if title and settings.title == 'prefix' else ''}{text}"


def in_batches(sizes: Sequence[int], most: int, work: Callable[[list[int]], None]) -> None:
    """Rows of like sizes together, the largest first, each batch `most` when all its rows count as its largest.

    Where a GPU's memory is too small for a batch, half as much is tried from then on.
    """
    order = sorted(range(len(sizes)), key=lambda row: (-sizes[row], row))
    while order:
        rows = order[: max(1, most // sizes[order[0]])]
        try:
            work(rows)
        except torch.OutOfMemoryError:
            if len(rows) == 1:
                raise UserError("one text does not fit into the GPU's memory; take a smaller model or length") from None
            log.warning("warning: %d texts at once do not fit into the GPU's memory; going on with less", len(rows))
            most = sizes[rows[0]] * len(rows) // 2
            torch.cuda.empty_cache()
        else:
            order = order[len(rows) :]


def bytes_a_text(model, length: int, texts: int, written: int) -> int:
    """What is held of a text of so many tokens, from which so many texts of so many tokens are written."""
    config, width = model.config, next(model.parameters()).element_size()
    return 2 * config.num_decoder_layers * config.num_heads * config.d_kv * width * (length + texts * written)


@torch.inference_mode()
def first_word(model, ids: Tensor, mask: Tensor, words: list[int]) -> Tensor:
    """Logits [texts, words] of these words as the first that is written.

    They are summed in float32 in any precision, so that texts which a model finds alike are still told apart.
    """
    return first_state(model, ids, mask).float() @ model.lm_head.weight[words].float().T


def first_state(model, ids: Tensor, mask: Tensor) -> Tensor:
    """What the vocabulary's vectors are multiplied with for the first word; before it a T5 is given padding."""
    start, hidden = torch.full((len(ids), 1), model.config.pad_token_id, device=ids.device), model.encoder(ids, mask)[0]
    seen = {"encoder_hidden_states": hidden, "encoder_attention_mask": mask}
    return _scaled(model, model.decoder(start, **seen, use_cache=False)[0][:, 0])


def _scaled(model, state: Tensor) -> Tensor:
    """As the vocabulary's vectors are multiplied with it."""
    return state * model.config.d_model**-0.5 if getattr(model.config, "scale_decoder_outputs", False) else state


@torch.inference_mode()
def write(model, ids: Tensor, mask: Tensor, lots: Tensor, top: int, temperature: float) -> Tensor:
    """Tokens [passages, texts, length], each drawn from the `top` likeliest by its lot, a number in [0, 1).

    `lots` are [passages, texts, length]. After its end a text has padding.
    """
    config, (passages, texts, length) = model.config, lots.shape
    decoder = Decoder(model, model.encoder(ids, attention_mask=mask).last_hidden_state, mask)
    written = torch.full(lots.shape, config.pad_token_id, device=ids.device)
    token = torch.full((passages, texts), model.config.pad_token_id, device=ids.device)
    rows = torch.arange(passages, device=ids.device)  # passages of which a text has not ended
    ended = torch.zeros_like(token, dtype=torch.bool)
    for place in range(length):
        token = draw(decoder.step(token), lots[rows, :, place], top, temperature)
        token = token.masked_fill(ended, config.pad_token_id)
        written[rows, :, place] = token
        ended |= token == config.eos_token_id
        live = (~ended).any(1).nonzero()[:, 0]
        if not len(live):
            break
        if 2 * len(live) <= len(rows):
            rows, token, ended = rows[live], token[live], ended[live]
            decoder.keep(live)
    return written


def draw(logits: Tensor, lots: Tensor, top: int, temperature: float) -> Tensor:
    """Of the `top` likeliest tokens the one in whose share of [0, 1) the lot falls; shares lie in the tokens' order.

    So what two devices see a little differently changes a token only where the lot falls on the edge of a share.
    """
    values, tokens = logits.float().topk(min(top, logits.shape[-1]))
    tokens, order = tokens.sort()
    shares = torch.softmax(values.gather(-1, order).double() / temperature, -1).cumsum(-1)
    return tokens.gather(-1, (shares[..., :-1] <= lots[..., None]).sum(-1, keepdim=True))[..., 0]


class Decoder:
    """The decoder at work on some passages, several texts from each, a token of all texts a step."""

    def __init__(self, model, hidden: Tensor, mask: Tensor):
        self.model, self.hides = model, torch.zeros_like(mask, dtype=hidden.dtype).masked_fill(mask == 0, -torch.inf)
        self.hides = self.hides[:, None, None, :]
        seen = [block.layer[1].EncDecAttention for block in model.decoder.block]
        self.seen = [[self._heads(made(hidden)) for made in (part.k, part.v)] for part in seen]
        self.past: list[list[Tensor]] = [[] for _ in seen]

    def _heads(self, states: Tensor) -> Tensor:
        """[rows, heads, places, width of a head]"""
        return states.unflatten(-1, (-1, self.model.config.d_kv)).transpose(-2, -3)

    def step(self, token: Tensor) -> Tensor:
        """Logits [passages, texts, words] after one more token [passages, texts]."""
        decoder = self.model.decoder
        place = self.past[0][0].shape[2] if self.past[0] else 0
        bias = decoder.block[0].layer[0].SelfAttention.compute_bias(1, place + 1, past_seen_tokens=place)
        x = decoder.embed_tokens(token)
        for block, past, (keys, values) in zip(decoder.block, self.past, self.seen, strict=True):
            own, across, forward = block.layer
            part, state = own.SelfAttention, own.layer_norm(x).flatten(0, 1)[:, None]
            query, *new = (self._heads(made(state)) for made in (part.q, part.k, part.v))
            past[:] = [torch.cat(both, 2) for both in zip(past, new, strict=True)] if past else new
            out = attend(query, *past, attn_mask=bias.to(x.dtype), scale=1.0)
            x = x + part.o(out.transpose(1, 2).flatten(2).view(*token.shape, -1))
            part = across.EncDecAttention
            out = attend(self._heads(part.q(across.layer_norm(x))), keys, values, attn_mask=self.hides, scale=1.0)
            x = forward(x + part.o(out.transpose(1, 2).flatten(2)))
        return self.model.lm_head(_scaled(self.model, decoder.final_layer_norm(x)))

    def keep(self, rows: Tensor) -> None:
        """Go on with these passages alone."""
        texts = len(self.past[0][0]) // len(self.hides)
        self.hides = self.hides[rows]
        self.seen = [[part[rows] for part in parts] for parts in self.seen]
        self.past = [[part.unflatten(0, (-1, texts))[rows].flatten(0, 1) for part in parts] for parts in self.past]
