"""What reads texts with a backbone: what fits it, and batches of like lengths, as suits the device."""

import logging
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import nn

from dewpoint.data.tokens import batches, first_batch
from dewpoint.errors import UserError
from dewpoint.models import parts
from dewpoint.models.device import device_of

log = logging.getLogger(__name__)


class Reader(nn.Module):
    """A backbone that texts are given to, many at a time."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone
        self.most_tokens = math.inf  # that fit into memory at once, as far as is known

    @property
    def device(self) -> torch.device:
        return device_of(self)

    def check_fits(self, vocabulary: int, length: int, what: str) -> None:
        """Refuse tokens or lengths that the backbone does not know."""
        known, positions = self.backbone.config.vocab_size, parts.positions(self.backbone)
        if vocabulary > known:
            raise UserError(f"{what}: {vocabulary:,} kinds of tokens, but the model knows {known:,}")
        if positions is not None and length > positions:
            raise UserError(f"{what}: length {length}, but the model has {positions} positions")

    def in_batches(
        self,
        lengths: np.ndarray,
        tokens: int,
        compute: Callable[[np.ndarray], Any],
        done: Callable[[np.ndarray, Any], None],
    ) -> None:
        """Hand over (rows, what is computed of them), those of like lengths together, `tokens` at a time."""
        work = self._on_cores if self.device.type == "cpu" else self._on_gpu
        work(lengths, tokens, compute, done)

    def _on_cores(self, lengths: np.ndarray, tokens: int, compute: Callable, done: Callable) -> None:
        """A batch on each core is a fifth faster than all cores on one batch."""
        cores, rows = torch.get_num_threads(), list(batches(lengths, tokens))
        try:
            with ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                for batch, made in zip(rows, pool.map(compute, rows), strict=True):
                    done(batch, made)
        finally:
            torch.set_num_threads(cores)

    def _on_gpu(self, lengths: np.ndarray, tokens: int, compute: Callable, done: Callable) -> None:
        """Where memory is too small for so many tokens, half as many are tried, and from then on.

        A batch is handed over when the next one has been started, so that the GPU need not wait.
        """
        order, before = np.argsort(lengths, kind="stable"), None
        while len(order):
            rows = first_batch(lengths, order, min(tokens, self.most_tokens))
            try:
                made = compute(rows)
            except torch.OutOfMemoryError:
                if len(rows) == 1:
                    told = f"one text of {lengths[rows[0]]} tokens does not fit into the GPU's memory"
                    raise UserError(told) from None
                self._take_less(int(lengths[rows[-1]]) * len(rows))
                continue
            if before:
                done(*before)
            before, order = (rows, made), order[len(rows) :]
        if before:
            done(*before)

    def _take_less(self, tokens: int) -> None:
        if math.isinf(self.most_tokens):
            log.warning(
                "warning: %s tokens at once do not fit into the GPU's memory; going on with less", f"{tokens:,}"
            )
        self.most_tokens = tokens // 2
        torch.cuda.empty_cache()
