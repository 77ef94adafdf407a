"""Deep Interest Network: weigh each behaviour by its relevance to the target (chapter 02)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dien_edu.data.samples import Batch
from dien_edu.models.base import ClickModel, Trace


class ActivationUnit(nn.Module):
    """DIN's weight of a behaviour: a network on [e_b, e_a, e_b − e_a, e_b ∘ e_a], 80-40-1.

    The weights are not passed through a softmax, so their sum says how strong the interest is.
    PReLU and no batch statistics here: a padded step can change nothing.
    """

    def __init__(self, size: int):
        super().__init__()
        self.network = nn.Sequential(
            nn.Linear(4 * size, 80), nn.PReLU(), nn.Linear(80, 40), nn.PReLU(), nn.Linear(40, 1)
        )

    def forward(self, behaviours: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """(B, T, n), (B, n), bool (B, T) -> weights (B, T), 0 on padding."""
        target = target[:, None].expand_as(behaviours)
        pair = [behaviours, target, behaviours - target, behaviours * target]
        return self.network(torch.cat(pair, dim=-1)).squeeze(-1) * mask


class DIN(ClickModel):
    """Zhou et al., KDD 2018: Σ_t a(e_b[t], e_a) e_b[t], the order of the history unused."""

    def __init__(self, n_items: int, n_categories: int, embedding_size: int = 36):
        super().__init__(n_items, n_categories, embedding_size, added_size=embedding_size)
        self.attention = ActivationUnit(embedding_size)

    def added(self, batch: Batch, history: Tensor, target: Tensor) -> tuple[list[Tensor], Tensor]:
        weights = self.attention(history, target, batch.mask)
        return [(weights[..., None] * history).sum(dim=1)], history.new_zeros(())

    @torch.no_grad()
    def trace(self, batch: Batch) -> Trace:
        """The weight of each step; it is not a softmax and may be negative."""
        history, target = self.embed(batch)
        return Trace(attention=self.attention(history, target, batch.mask))
