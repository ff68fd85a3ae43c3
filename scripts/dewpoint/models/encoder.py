"""Encoders: one vector a text, the last layer's first token."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dewpoint.models.backbone import load_encoder


class Encoder(nn.Module):
    """A backbone and its CLS; queries and passages share it."""

    def __init__(self, source: str | Path):
        super().__init__()
        self.backbone = load_encoder(source)

    @property
    def dimension(self) -> int:
        return self.backbone.config.hidden_size

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.backbone(ids, attention_mask=mask).last_hidden_state[:, 0]

    def inputs(self, ids: np.ndarray, pad: int) -> tuple[Tensor, Tensor]:
        """(ids, mask) on the model's device."""
        tensor = torch.from_numpy(ids).to(self.backbone.device)
        return tensor, (tensor != pad).long()
