"""Cross-encoders: a query and a passage read together, the CLS state through one linear layer to a score.

    s(q, p) = w · CLS([CLS] q [SEP] p [SEP]) + b

What others have released keeps its own head, whatever it has between CLS and score. The folder is that of the library's
model for sequence classification, whose families have a layer more, h → f(h), before the last. f gets to see so small a
part of the score, and of its opposite, that it passes through:

    tanh(ε s) / ε = s (1 - (ε s)² / 3 + …),        relu(s) - relu(-s) = gelu(s) - gelu(-s) = s

The layer itself lies beside, in score.safetensors, from which training and scoring go on.
"""

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dewpoint.data.pairs import Joint, Pairs
from dewpoint.data.pretrained import inside, located
from dewpoint.data.tokens import Special, input_lengths, inputs
from dewpoint.errors import UserError
from dewpoint.models import parts
from dewpoint.models.backbone import DECODED, load_classifier, load_config, load_encoder
from dewpoint.models.reader import Reader
from dewpoint.models.weights import read_tensors, write_model, write_tensors

SCORE = "score.safetensors"
SPREAD = 0.02  # of a new layer's weights
CLASSIFIES = "ForSequenceClassification"
SQUASHED = ("bert", "ernie", "roberta", "xlm-roberta", "mpnet")  # with tanh before the last layer
SHARE = 2.0**-14  # ε; a power of two rounds nothing
IDENTITY = "torch.nn.modules.linear.Identity"
TOLERANCE = 1e-5


class CrossEncoder(Reader):
    """An encoder and a linear layer, or where that is None a model with a head of its own."""

    def __init__(self, backbone, linear: nn.Linear | None, typed: bool = False):
        """`typed`: tokens of the second text are of type 1."""
        super().__init__(backbone)
        self.linear = linear
        self.typed = typed and (getattr(backbone.config, "type_vocab_size", None) or 0) > 1

    def forward(self, ids: Tensor, mask: Tensor, second: Tensor) -> Tensor:
        """Scores, one a row."""
        given = {"attention_mask": mask}
        if self.typed:
            given["token_type_ids"] = (torch.arange(ids.shape[1], device=ids.device) >= second[:, None]) * mask
        if self.linear is None:
            return self.backbone(ids, **given).logits[:, 0].float()
        cls = self.backbone(ids, **given).last_hidden_state[:, 0]
        with torch.autocast(cls.device.type, enabled=False):
            return self.linear(cls.float())[:, 0]

    def score(self, pairs: Pairs, special: Special, tokens: int, done: Callable[[np.ndarray, Tensor], None]) -> None:
        """Hand over (rows, their scores) of all pairs, those of like lengths together, `tokens` at a time."""

        @torch.inference_mode()
        def scores(rows: np.ndarray) -> Tensor:
            some = pairs[rows]
            ids, mask = (torch.from_numpy(made).to(self.device) for made in inputs(some.segments, special))
            return self(ids, mask, torch.from_numpy(some.second).to(self.device))

        self.in_batches(input_lengths(pairs.segments, special), tokens, scores, done)


# --- read ---------------------------------------------------------------------------------------


def read_crossencoder(source: str | Path, joint: Joint, seed: int | None = None) -> CrossEncoder:
    """From a folder or a hub id. A layer that is not there is new, from the seed; without one it is refused."""
    folder = located(source)
    path, config = inside(folder, SCORE), load_config(source)
    if config.model_type in DECODED:
        raise UserError(f"{source}: models of class '{config.model_type}' make no cross-encoder here; take an encoder")
    if path is None and any(name.endswith(CLASSIFIES) for name in config.architectures or ()):
        if config.num_labels != 1:
            raise UserError(f"{source}: gives {config.num_labels} labels; a cross-encoder gives one score")
        return CrossEncoder(load_classifier(source), None, joint.typed)
    if path is None and seed is None:
        raise UserError(f"{source}: no cross-encoder, it has neither {SCORE} nor a head that gives one score")
    backbone = load_encoder(source)
    if parts.causal(backbone):
        raise UserError(f"{source}: models of class '{config.model_type}' read from left to right; take an encoder")
    if parts.turned(backbone):  # whose classes have a norm before the last layer
        raise UserError(f"models of class '{config.model_type}' have a head in which a linear layer has no place")
    return CrossEncoder(backbone, _linear(parts.width(backbone.config), path, seed), joint.typed)


def _linear(width: int, path: Path | None, seed: int | None) -> nn.Linear:
    linear = nn.Linear(width, 1)
    if path is None:
        torch.manual_seed(seed)
        nn.init.normal_(linear.weight, std=SPREAD)
        nn.init.zeros_(linear.bias)
        return linear
    try:
        linear.load_state_dict(read_tensors(path))
    except RuntimeError:  # goes over many lines
        raise UserError(f"{path}: not the weight and bias of a layer from {width} to 1; make it again") from None
    return linear


# --- write --------------------------------------------------------------------------------------


def write_crossencoder(folder: Path, model: CrossEncoder, tokenizer, length: int, card: str) -> None:
    """For AutoModelForSequenceClassification, sentence-transformers' CrossEncoder and Dewpoint."""
    whole = model.backbone if model.linear is None else with_head(model)
    whole.config.sentence_transformers = {"activation_fn": IDENTITY}  # scores as they are
    write_model(whole, folder)
    if model.linear is not None:
        write_tensors(model.linear.state_dict(), folder / SCORE)
    tokenizer.model_max_length = length
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text(card, encoding="utf-8")


@torch.no_grad()
def with_head(model: CrossEncoder):
    """The library's model for sequence classification that gives the same scores."""
    from transformers import AutoModelForSequenceClassification

    config = copy.deepcopy(model.backbone.config)
    config.num_labels = 1
    whole = AutoModelForSequenceClassification.from_config(config, attn_implementation="eager").eval()
    encoder = model.backbone.state_dict()
    missing = whole.base_model.load_state_dict(encoder, strict=False).missing_keys
    known = {f"{whole.base_model_prefix}.{name}" for name in encoder}
    head = [
        part for name, part in whole.named_modules() if isinstance(part, nn.Linear) and f"{name}.weight" not in known
    ]
    pooler = all(name.startswith("pooler.") for name in missing)
    if not pooler or [layer.out_features for layer in head] != [parts.width(config), 1]:
        raise UserError(f"models of class '{config.model_type}' have a head in which a linear layer has no place")
    share = SHARE if config.model_type in SQUASHED else 1.0
    for parameter in (parameter for layer in head for parameter in layer.parameters()):
        parameter.zero_()
    inner, outer = head
    inner.weight[0], inner.bias[0] = share * model.linear.weight[0], share * model.linear.bias[0]
    inner.weight[1], inner.bias[1] = -inner.weight[0], -inner.bias[0]
    outer.weight[0, :2] = torch.tensor([0.5, -0.5] if config.model_type in SQUASHED else [1.0, -1.0]) / share
    _check_same(model, whole)
    return whole


def _check_same(model: CrossEncoder, whole) -> None:
    """The families' heads are the library's, which may change them."""
    ids = torch.arange(3, 9).reshape(2, 3).to(model.device) % model.backbone.config.vocab_size
    mask, training = torch.ones_like(ids), model.training
    ours = model.eval()(ids, mask, torch.full((2,), 3, device=model.device)).cpu()
    model.train(training)
    theirs = whole(ids.cpu(), attention_mask=mask.cpu()).logits[:, 0]
    if not torch.allclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE):
        kind = model.backbone.config.model_type
        raise UserError(f"models of class '{kind}' have a head that gives other scores than a linear layer")
