"""How relevant is each step of a history to a target? Equation (8) (chapter 05)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dien_edu.kernels import dots
from dien_edu.layers.checks import check_mask, check_shape


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the valid steps: (B, T), bool (B, T) -> (B, T); 0 on padding.

    A row with no valid step gives zeros. Its scores are set to 0 before the softmax: a row of
    −∞ would give NaN, and NaN · 0 is NaN in the backward pass.
    """
    if scores.shape[1] == 0:
        return scores
    filled = scores.masked_fill(~mask, float("-inf"))
    filled = filled.masked_fill(~mask.any(dim=1, keepdim=True), 0.0)
    return torch.softmax(filled, dim=1) * mask


class BilinearAttention(nn.Module):
    """a_t = softmax over t of h_tᵀ W e_a, equation (8), chapter 05; `weight` is W, (n_H, n_A).

    W starts Xavier-uniform: scores start near 0, so attention starts near uniform.
    """

    def __init__(self, hidden_size: int, target_size: int):
        super().__init__()
        self.hidden_size, self.target_size = hidden_size, target_size
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(hidden_size, target_size)))

    def forward(self, interests: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """(B, T, n_H), (B, n_A), bool (B, T) -> weights (B, T), 0 on padding.

        They sum to 1 over the valid steps; an empty history gives all zeros. Raises ValueError
        for a wrong shape, a mask that is not Boolean, or left padding.
        """
        check_shape("interests", interests, None, None, self.hidden_size)
        check_shape("target", target, interests.shape[0], self.target_size)
        check_mask(mask, *interests.shape[:2])
        query = target @ self.weight.T  # W e_a, (B, n_H)
        return masked_softmax(dots(interests, query), mask)

    def extra_repr(self) -> str:
        return f"{self.hidden_size}, {self.target_size}"
