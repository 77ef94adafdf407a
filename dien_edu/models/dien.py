"""The whole network: interests extracted, supervised, attended to, evolved (chapter 09)."""

from __future__ import annotations

import torch
from torch import Tensor

from dien_edu.data.samples import Batch
from dien_edu.layers import EVOLUTIONS, GRU, AuxiliaryLoss, BilinearAttention
from dien_edu.models.base import ClickModel, Trace


class DIEN(ClickModel):
    """Zhou et al., AAAI 2019: GRU -> equation (8) -> AIGRU, AGRU or AUGRU -> head.

    `evolution` "aigru", "agru" or "augru"; `auxiliary` "inner", "mlp" or None; `auxiliary_weight`
    is α of equation (7). "inner" needs hidden_size = embedding_size. Without the non-clicks of the
    history (`batch.negative_item` is None) the auxiliary loss is 0.
    """

    def __init__(
        self,
        n_items: int,
        n_categories: int,
        evolution: str = "augru",
        auxiliary: str | None = "inner",
        auxiliary_weight: float = 1.0,
        backend: str = "auto",
        embedding_size: int = 36,
        hidden_size: int = 36,
    ):
        super().__init__(n_items, n_categories, embedding_size, added_size=hidden_size)
        if evolution not in EVOLUTIONS:
            known = ", ".join(EVOLUTIONS)
            raise ValueError(f"evolution is {evolution!r}, expected one of {known}")
        if auxiliary == "inner" and hidden_size != embedding_size:
            raise ValueError(
                f"auxiliary='inner' needs hidden_size = embedding_size, not {hidden_size} and "
                f"{embedding_size}: make them equal or use auxiliary='mlp'"
            )
        self.auxiliary_weight = auxiliary_weight
        self.extractor = GRU(embedding_size, hidden_size, backend)
        self.attention = BilinearAttention(hidden_size, embedding_size)
        self.evolution = EVOLUTIONS[evolution](hidden_size, hidden_size, backend)
        self.auxiliary = auxiliary and AuxiliaryLoss(
            auxiliary, hidden_size, embedding_size, backend
        )

    def added(
        self, batch: Batch, history: Tensor, target: Tensor, negatives: Tensor | None = None
    ) -> tuple[list[Tensor], Tensor]:
        interests, _ = self.extractor(history, batch.mask)
        attention = self.attention(interests, target, batch.mask)
        _, last = self.evolution(interests, attention, batch.mask)
        if negatives is None:  # no auxiliary network, or no non-clicks
            return [last], history.new_zeros(())
        return [last], self.auxiliary(interests, history, negatives, batch.mask)

    @torch.no_grad()
    def trace(self, batch: Batch) -> Trace:
        """Interests, attention, gates and evolved states of every step, from one forward pass.

        The gates need no second loop: the state before step t is the evolved state of t − 1.
        """
        history, target = self.embed(batch)
        interests, _ = self.extractor(history, batch.mask)
        attention = self.attention(interests, target, batch.mask)
        evolved, _ = self.evolution(interests, attention, batch.mask)
        before = torch.cat([torch.zeros_like(evolved[:, :1]), evolved[:, :-1]], dim=1)
        projected = self.evolution.project(self.evolution.read(interests, attention))
        update_gate, _, candidate = self.evolution.gates(projected, before)
        step_size = self.evolution.step_size(update_gate, attention)
        return Trace(attention, interests, update_gate, step_size, candidate, evolved)
