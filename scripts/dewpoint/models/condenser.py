"""The models that pre-training makes: a language model alone, or one with Condenser's head on it."""

import logging
from pathlib import Path

import torch
from torch import Tensor, nn

from dewpoint.data.pretrained import inside, located
from dewpoint.errors import UserError
from dewpoint.models import parts
from dewpoint.models.vocabulary import transform
from dewpoint.models.weights import read_tensors, write_model, write_tensors

log = logging.getLogger(__name__)

HEAD = "head.safetensors"


class Pretrained(nn.Module):
    """A masked language model; words are predicted from its last layer."""

    def __init__(self, language_model):
        super().__init__()
        transform(language_model)  # refuses what it has no words from
        self.language_model, self.losses = language_model, ["mlm"]

    def vectors(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The last layer's CLS, and nothing else."""
        return self.language_model.base_model(ids, attention_mask=mask).last_hidden_state[:, 0]

    def forward(self, ids: Tensor, mask: Tensor, at: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """(hidden states to predict words from, by the name of their loss; CLS); `at` are flat positions."""
        late = self.language_model.base_model(ids, attention_mask=mask).last_hidden_state
        return {"mlm": late.flatten(0, 1)[at]}, late[:, 0]

    def save(self, folder: Path) -> None:
        write_model(self.language_model, folder)


class Condenser(Pretrained):
    """A backbone with a short head that sees only the late CLS and the early tokens.

        [cls_early; h_early] = Early([cls; x])        the first `early_layers` of the backbone
        [cls_late;  h_late]  = Late([cls_early; h_early])
        [cls_cd;    h_cd]    = Head([cls_late; h_early])

    To predict a masked word from h_cd, the head must draw on cls_late, so the text gathers there.
    """

    def __init__(self, language_model, early_layers: int, head_layers: int, late_mlm: bool = True):
        layers = parts.layers(language_model)
        if early_layers >= len(layers):
            raise UserError(f"early_layers: {early_layers} of {len(layers)} layers leave none after the split")
        if parts.turned(language_model):
            kind = language_model.config.model_type
            raise UserError(
                f"models of class '{kind}' have layers of which no head can be made; recipe: mlm takes them"
            )
        super().__init__(language_model)
        self.early_layers, self.losses = early_layers, ["head_mlm", "late_mlm"] if late_mlm else ["head_mlm"]
        self.head = nn.ModuleList(type(layers[0])(language_model.config) for _ in range(head_layers))
        self.head.apply(language_model._init_weights)

    def forward(self, ids: Tensor, mask: Tensor, at: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        output = self.language_model.base_model(ids, attention_mask=mask, output_hidden_states=True)
        late, early = output.last_hidden_state, output.hidden_states[self.early_layers]
        states = {"late_mlm": late} | ({"head_mlm": self.condense(late, early, mask)} if self.losses else {})
        return {name: states[name].flatten(0, 1)[at] for name in self.losses}, late[:, 0]

    def without_words(self) -> None:
        """Predict no words: what only serves to predict them stays as it is."""
        self.losses = []
        self.requires_grad_(False)
        self.language_model.base_model.requires_grad_(True)

    def condense(self, late: Tensor, early: Tensor, mask: Tensor) -> Tensor:
        """The head's hidden states: late CLS in front, early tokens behind."""
        from transformers.masking_utils import create_bidirectional_mask

        hidden = torch.cat([late[:, :1], early[:, 1:]], dim=1)
        mask = create_bidirectional_mask(config=self.language_model.config, inputs_embeds=hidden, attention_mask=mask)
        for layer in self.head:
            hidden = layer(hidden, mask)
        return hidden

    def save(self, folder: Path) -> None:
        """The backbone as a Hugging Face folder, the head beside it: a Condenser continues with its own head."""
        super().save(folder)
        write_tensors(self.head.state_dict(), folder / HEAD)

    def load_head(self, source: str | Path) -> str:
        """Take the head that lies with a model in a folder or on a hub; when there is none that fits, say so."""
        path = inside(located(source), HEAD)
        weights = read_tensors(path) if path else {}
        mine = {name: tensor.shape for name, tensor in self.head.state_dict().items()}
        if {name: tensor.shape for name, tensor in weights.items()} == mine:
            self.head.load_state_dict(weights)
            return "its parent's"
        found = "one of another shape" if weights else "none"
        log.warning("warning: the head of %d layers starts at random, %s has %s", len(self.head), source, found)
        return "random"
