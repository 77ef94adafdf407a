"""Supervise every interest with the click that follows it, equation (6) (chapter 04)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dien_edu import kernels
from dien_edu.layers.checks import check_mask, check_shape


class AuxiliaryLoss(nn.Module):
    """−[log σ([h_t, e_{t+1}]) + log(1 − σ([h_t, ê_{t+1}]))], averaged over the valid pairs.

    The paper leaves [·, ·] open. kind="inner" is the inner product, it has no parameters and needs
    n_H = n_E. kind="mlp" is a network on the concatenation, 100-50-1 as in the authors' code, but
    with ReLU and without batch normalisation, which would mix the samples of a batch.

    A pair (t, t + 1) is valid where both steps are. The sum of both terms is divided by the number
    of valid pairs and not halved: log 4 at chance, 0 if no pair is valid. The paper sums over t
    and divides by the number of samples, so its α weighs long histories more.

    `backend` "auto" takes a kernel where there is one, "reference" the operations of `forward`; so
    does a subclass, which may compute something else.
    """

    def __init__(
        self,
        kind: str = "inner",
        hidden_size: int | None = None,
        embedding_size: int | None = None,
        backend: str = "auto",
    ):
        super().__init__()
        if kind not in ("inner", "mlp"):
            raise ValueError(f"kind is {kind!r}, expected 'inner' or 'mlp'")
        self.kind, self.backend = kind, backend
        if kind == "mlp":
            if hidden_size is None or embedding_size is None:
                raise ValueError("kind='mlp' needs hidden_size (n_H) and embedding_size (n_E)")
            self.network = nn.Sequential(
                nn.Linear(hidden_size + embedding_size, 100),
                nn.ReLU(),
                nn.Linear(100, 50),
                nn.ReLU(),
                nn.Linear(50, 1),
            )

    def similarity(self, interests: Tensor, behaviours: Tensor) -> Tensor:
        """The paper's [h, e]: (…, n_H), (…, n_E) -> (…)."""
        if self.kind == "inner":
            return (interests * behaviours).sum(dim=-1)
        return self.network(torch.cat([interests, behaviours], dim=-1)).squeeze(-1)

    def forward(
        self, interests: Tensor, behaviours: Tensor, negatives: Tensor, mask: Tensor
    ) -> Tensor:
        """(B, T, n_H), (B, T, n_E), (B, T, n_E), bool (B, T) -> a scalar.

        The click and the non-click of step 1 are never read. Raises ValueError for a wrong shape,
        n_H ≠ n_E with kind="inner", a mask that is not Boolean, or left padding.
        """
        batch, steps, hidden_size = interests.shape
        size = hidden_size if self.kind == "inner" else behaviours.shape[-1]
        check_shape("behaviours", behaviours, batch, steps, size)
        check_shape("negatives", negatives, batch, steps, size)
        check_mask(mask, batch, steps)
        fused = self.backend != "reference" and type(self) is AuxiliaryLoss
        if fused:
            weights = list(self.parameters())
            loss = kernels.auxiliary_loss(interests, behaviours, negatives, mask, weights)
            if loss is not None:
                return loss
        valid = mask[:, 1:]  # right padding: step t + 1 is real only if step t is
        pairs = interests[:, :-1], behaviours[:, 1:], negatives[:, 1:]
        if self.kind == "mlp":  # on padding the network would cost more than the picking does
            pairs, valid = [tensor[valid] for tensor in pairs], valid[valid]
        state, click, other = pairs
        clicked, skipped = self.similarity(state, click), self.similarity(state, other)
        terms = -(F.logsigmoid(clicked) + F.logsigmoid(-skipped))
        return terms.masked_fill(~valid, 0).sum() / valid.sum().clamp(min=1)
