"""What other implementations compute: each a small subclass of ours, never a flag (chapter 13).

A deviation stands alone, so that it can be read, tested and measured alone. A docstring names who
does it, in the versions of chapter 13, and the equation from which it departs. Shapes use the
symbols of the notation page. `studies.variants` measures what each does to AUC.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dien_edu.data import Batch
from dien_edu.layers import AUGRU, GRU, AuxiliaryLoss, BilinearAttention, masked_softmax
from dien_edu.models import DIEN
from dien_edu.models.base import head
from dien_edu.models.din import ActivationUnit


class OfficialAUGRU(AUGRU):
    """The authors' code, DeepCTR: equation (11) with step size u + a − a·u, (B, H), not a·u.

    At a = 0 it is a plain GRU step, not "no step"; at a = 1 it jumps to the candidate.
    """

    rule = "official"

    def step_size(self, update_gate: Tensor, attention: Tensor) -> Tensor:
        return update_gate + attention[..., None] * (1 - update_gate)


class UnattendedAUGRU(AUGRU):
    """A control, nobody's code: step size u, (B, H), not a·u of (11); attention is never read."""

    rule = "gru"

    def step_size(self, update_gate: Tensor, attention: Tensor) -> Tensor:
        return update_gate


class OneBiasAUGRU(AUGRU):
    """DeepCTR-Torch: equations (2)–(4) with U h_{t−1} + b in the place of U h_{t−1}, (B, 3H).

    It has two names for one bias. So gates get 2b, and the candidate gets b + r ∘ b.
    """

    def gates(self, projected: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        _, reset_gate, _ = super().gates(projected + self.bias, state)
        inside = F.pad(reset_gate - 1, (2 * self.hidden_size, 0)) + 1  # 1, 1, r
        return super().gates(projected + inside * self.bias, state)


class NormalAUGRU(AUGRU):
    """RecBole: every entry of W and U in (2)–(4) starts from N(0, 1), so gates start shut or open.

    The argument of a gate then has the variance Σ i² + Σ h², up to 2 n_H in DIEN; (3 n_H, n_H).
    """

    rule = "augru"

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.normal_(self.weight_input)
        nn.init.normal_(self.weight_hidden)


class MLPAttention(ActivationUnit):
    """The authors' code, DeepCTR, DeepCTR-Torch, RecBole: DIN's network in the place of h_tᵀ W e_a.

    A softmax over the valid steps follows, as in equation (8). q is PReLU of a layer on e_a, the
    network sees [h, q, h − q, h ∘ q]; its hidden units are ours, PReLU, where theirs are sigmoids.
    """

    def __init__(self, hidden_size: int, target_size: int):
        super().__init__(hidden_size)
        self.query = nn.Sequential(nn.Linear(target_size, hidden_size), nn.PReLU())

    def forward(self, interests: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """(B, T, n_H), (B, n_A), bool (B, T) -> weights (B, T), 0 on padding."""
        return masked_softmax(super().forward(interests, self.query(target), mask), mask)


class UnmaskedAttention(BilinearAttention):
    """fun-rec: the sum of equation (8) runs over padding as well; (B, T), not 0 on padding."""

    def forward(self, interests: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        return super().forward(interests, target, torch.ones_like(mask))


class PaddedGRU(GRU):
    """fun-rec: equations (2)–(5) on padded steps as well, so the last state is not h_length."""

    rule = "gru"

    def forward(self, inputs: Tensor, mask: Tensor, state: Tensor | None = None):
        return super().forward(inputs, torch.ones_like(mask), state)


class PaddedAUGRU(AUGRU):
    """fun-rec: equations (11), (12) on padded steps as well, harmless where their score is 0."""

    rule = "augru"

    def forward(self, inputs: Tensor, attention: Tensor, mask: Tensor, state: Tensor | None = None):
        return super().forward(inputs, attention, torch.ones_like(mask), state)


class SummedLoss(AuxiliaryLoss):
    """The paper's equation (6) to the letter: the sum over t divided by B, a scalar.

    Ours is divided by the number of valid pairs. So here α weighs long histories more.
    """

    def forward(self, interests: Tensor, behaviours: Tensor, negatives: Tensor, mask: Tensor):
        mean = super().forward(interests, behaviours, negatives, mask)
        return mean * mask[:, 1:].sum() / len(mask)


class PaddedMeanLoss(AuxiliaryLoss):
    """The authors' code, fun-rec: the sum of equation (6) divided by B·(T − 1), a scalar.

    A padded pair adds 0 to the sum and 1 to the count: more padding, less loss.
    """

    def forward(self, interests: Tensor, behaviours: Tensor, negatives: Tensor, mask: Tensor):
        mean = super().forward(interests, behaviours, negatives, mask)
        return mean * mask[:, 1:].sum() / max(mask[:, 1:].numel(), 1)


class WrongSignLoss(AuxiliaryLoss):
    """PaddleRec: log σ([h, e]) + log σ([h, ê]), a scalar, where (6) has −log σ − log(1 − σ).

    Training makes it small, so a state learns to be unlike both. For kind="inner" alone, where
    1 − σ([h, ê]) is σ([h, −ê]).
    """

    def forward(self, interests: Tensor, behaviours: Tensor, negatives: Tensor, mask: Tensor):
        return -super().forward(interests, behaviours, -negatives, mask)


class BypassDIEN(DIEN):
    """PaddleRec: attention and AIGRU read e_b[t], (B, T, n_E), where (8) and (9) read h_t."""

    def __init__(self, n_items: int, n_categories: int, **options):
        super().__init__(n_items, n_categories, evolution="aigru", **options)

    def added(self, batch: Batch, history: Tensor, target: Tensor, *negatives: Tensor):
        attention = self.attention(history, target, batch.mask)
        _, last = self.evolution(history, attention, batch.mask)
        return [last], super().added(batch, history, target, *negatives)[1]


class FieldwiseDIEN(DIEN):
    """torch-rechub: (2)–(12) for items, again for categories; states (B, n_E/2) that never mix."""

    def __init__(self, n_items: int, n_categories: int, **options):
        super().__init__(n_items, n_categories, **options)
        size = {"embedding_size": self.embedding_size // 2, "hidden_size": self.embedding_size // 2}
        self.fields = nn.ModuleList([DIEN(1, 1, **size), DIEN(1, 1, **size)])
        self.extractor = self.attention = self.evolution = None

    def added(self, batch: Batch, *embedded: Tensor) -> tuple[list[Tensor], Tensor]:
        halves = zip(*(tensor.chunk(2, dim=-1) for tensor in embedded), strict=True)
        found = [f.added(batch, *half) for f, half in zip(self.fields, halves, strict=True)]
        return [state for (state,), _ in found], sum(loss for _, loss in found)


class UserDIEN(DIEN):
    """The authors' code: the head reads (B, 18) of a user; unseen users share a seen user's row."""

    def __init__(self, n_items: int, n_categories: int, seen, n_users: int, **options):
        super().__init__(n_items, n_categories, **options)
        users, count = np.unique(seen, return_counts=True)
        row = np.full(n_users, count.argmax())
        row[users] = np.arange(len(users))
        self.register_buffer("row", torch.from_numpy(row))
        self.user, self.head = nn.Embedding(len(users), 18), head(4 * self.embedding_size + 18)

    def added(self, batch: Batch, *embedded: Tensor) -> tuple[list[Tensor], Tensor]:
        features, loss = super().added(batch, *embedded)
        return [*features, self.user(self.row[batch.user])], loss
