"""Two-layer GRU attention: the paper's strongest baseline without evolution (chapter 05)."""

from __future__ import annotations

import torch
from torch import Tensor

from dien_edu.data.samples import Batch
from dien_edu.layers import GRU, BilinearAttention
from dien_edu.models.base import ClickModel, Trace


class GRUAttention(ClickModel):
    """GRU, GRU, then Σ_t a_t h_t with equation (8): the target sees states, no state sees it."""

    def __init__(
        self,
        n_items: int,
        n_categories: int,
        embedding_size: int = 36,
        hidden_size: int = 36,
        backend: str = "auto",
    ):
        super().__init__(n_items, n_categories, embedding_size, added_size=hidden_size)
        self.first = GRU(embedding_size, hidden_size, backend)
        self.second = GRU(hidden_size, hidden_size, backend)
        self.attention = BilinearAttention(hidden_size, embedding_size)

    def attend(self, batch: Batch, history: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """States of the second layer (B, T, H) and their weights (B, T)."""
        states, _ = self.first(history, batch.mask)
        states, _ = self.second(states, batch.mask)
        return states, self.attention(states, target, batch.mask)

    def added(self, batch: Batch, history: Tensor, target: Tensor) -> tuple[list[Tensor], Tensor]:
        states, weights = self.attend(batch, history, target)
        return [(weights[..., None] * states).sum(dim=1)], history.new_zeros(())

    @torch.no_grad()
    def trace(self, batch: Batch) -> Trace:
        """Attention and the states it weighs."""
        states, weights = self.attend(batch, *self.embed(batch))
        return Trace(attention=weights, interests=states)
