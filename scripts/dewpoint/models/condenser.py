"""Condenser: a backbone with a short head that sees only the late CLS and the early tokens.

    [cls_early; h_early] = Early([cls; x])        the first `early_layers` of the backbone
    [cls_late;  h_late]  = Late([cls_early; h_early])
    [cls_cd;    h_cd]    = Head([cls_late; h_early])

To predict a masked word from h_cd, the head must draw on cls_late, so the text gathers there.
"""

import logging
from pathlib import Path

import torch
from torch import nn

log = logging.getLogger(__name__)

HEAD = "head.safetensors"


class Condenser(nn.Module):
    def __init__(self, language_model, early_layers: int, head_layers: int):
        from transformers.models.bert.modeling_bert import BertLayer

        super().__init__()
        self.language_model = language_model
        self.early_layers = early_layers
        self.head = nn.ModuleList(BertLayer(language_model.config) for _ in range(head_layers))
        self.head.apply(language_model._init_weights)

    def backbone(self, ids: torch.Tensor, mask: torch.Tensor, early: bool = False):
        """Late hidden states, and with `early` the ones that skip to the head."""
        output = self.language_model.base_model(ids, attention_mask=mask, output_hidden_states=early)
        late = output.last_hidden_state
        return (late, output.hidden_states[self.early_layers]) if early else late

    def condense(self, late: torch.Tensor, early: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """The head's hidden states: late CLS in front, early tokens behind."""
        from transformers.masking_utils import create_bidirectional_mask

        hidden = torch.cat([late[:, :1], early[:, 1:]], dim=1)
        mask = create_bidirectional_mask(config=self.language_model.config, inputs_embeds=hidden, attention_mask=mask)
        for layer in self.head:
            hidden = layer(hidden, mask)
        return hidden

    def save(self, folder: Path) -> None:
        """The backbone as a Hugging Face folder, the head beside it: a Condenser continues with its own head."""
        from safetensors.torch import save_file

        self.language_model.save_pretrained(folder)
        save_file({name: tensor.contiguous() for name, tensor in self.head.state_dict().items()}, folder / HEAD)

    @classmethod
    def load(cls, language_model, folder: Path | None, early_layers: int, head_layers: int) -> "Condenser":
        """With the head that lies in `folder`; a new one, said aloud, when there is none of this depth."""
        from safetensors.torch import load_file

        model = cls(language_model, early_layers, head_layers)
        weights = load_file(folder / HEAD) if folder and (folder / HEAD).exists() else {}
        if weights.keys() == model.head.state_dict().keys():
            model.head.load_state_dict(weights)
        else:
            found = "one of another depth" if weights else "none"
            log.warning("the head of %d layers starts at random: %s has %s", head_layers, folder, found)
        return model
