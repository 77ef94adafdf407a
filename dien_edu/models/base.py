"""What every model shares: embeddings, the head, and the BaseModel that sums a history (ch. 02)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from dien_edu.data.samples import Batch
from dien_edu.kernels import look_up, sum_steps


class Output(NamedTuple):
    """`logit` (B,), log odds of a click; `auxiliary_loss` scalar, 0 where a model has none."""

    logit: Tensor
    auxiliary_loss: Tensor


class Trace(NamedTuple):
    """What a figure needs, step by step; None where a model has no such thing.

    attention (B, T) · interests h_t (B, T, H) · update_gate u'_t (B, T, H) · step_size, the share
    of the candidate in the new state (B, T, H) · candidate h̃'_t (B, T, H) · evolved h'_t (B, T, H).
    """

    attention: Tensor | None = None
    interests: Tensor | None = None
    update_gate: Tensor | None = None
    step_size: Tensor | None = None
    candidate: Tensor | None = None
    evolved: Tensor | None = None


class BehaviourEmbedding(nn.Module):
    """An item and its category side by side: two int64 (…) -> (…, n_E). Number 0 is padding.

    Entries start N(0, 0.1²), so that an inner product of two of them starts near 0.
    """

    def __init__(self, n_items: int, n_categories: int, embedding_size: int):
        super().__init__()
        if embedding_size < 2 or embedding_size % 2:
            raise ValueError(f"embedding_size is {embedding_size}, expected an even number >= 2")
        half = embedding_size // 2
        self.item = nn.Embedding(n_items + 1, half, padding_idx=0)
        self.category = nn.Embedding(n_categories + 1, half, padding_idx=0)
        for table in (self.item, self.category):
            nn.init.normal_(table.weight[1:].detach(), std=0.1)

    def forward(self, item: Tensor, category: Tensor) -> Tensor:
        return self.several((item, category))[0]

    def several(self, *pairs: tuple[Tensor, Tensor]) -> list[Tensor]:
        """Pairs of item and category, (…), -> (…, n_E) each, from one look-up."""
        try:
            return look_up([self.item.weight, self.category.weight], *pairs)
        except IndexError:
            found = [max(int(ids.max()) for ids in column) for column in zip(*pairs, strict=True)]
            known = self.item.num_embeddings - 1, self.category.num_embeddings - 1
            raise ValueError(
                f"ids go up to item {found[0]}, category {found[1]}; the model was made for "
                f"n_items={known[0]}, n_categories={known[1]}. Were both made from one data set?"
            ) from None


class Dice(nn.Module):
    """DIN's activation: x where x is large for its unit, slope · x where it is small; (B, n).

    p = σ((x − mean) / sd), y = p · x + (1 − p) · slope · x. In training the mean and the variance
    are the batch's. Written out because nn.BatchNorm1d refuses a batch of one.
    """

    def __init__(self, size: int, momentum: float = 0.1):
        super().__init__()
        self.momentum = momentum
        self.slope = nn.Parameter(torch.zeros(size))
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("variance", torch.ones(size))

    @staticmethod
    def moments(x: Tensor) -> tuple[Tensor, Tensor]:
        """Variance and mean of each unit over the batch; `training.parallel` puts its own here."""
        return torch.var_mean(x, dim=0, correction=0)

    def forward(self, x: Tensor) -> Tensor:
        mean, variance = self.mean, self.variance
        if self.training and len(x):
            variance, mean = self.moments(x)
            with torch.no_grad():
                self.mean.lerp_(mean, self.momentum)
                self.variance.lerp_(variance, self.momentum)
        p = torch.sigmoid((x - mean) * torch.rsqrt(variance + 1e-8))
        return p * x + (1 - p) * self.slope * x


def head(size: int) -> nn.Sequential:
    """The last network, 200-80-1: features (B, size) -> (B, 1)."""
    return nn.Sequential(
        nn.Linear(size, 200), Dice(200), nn.Linear(200, 80), Dice(80), nn.Linear(80, 1)
    )


class ClickModel(nn.Module):
    """Features [e_a, Σ e_b, e_a ∘ Σ e_b, what the model adds] and a head.

    A subclass sets `added_size` (how many features it adds) and `added`. Σ runs over real steps.
    """

    auxiliary_weight = 0.0

    def __init__(
        self, n_items: int, n_categories: int, embedding_size: int = 36, added_size: int = 0
    ):
        super().__init__()
        self.n_items, self.n_categories = n_items, n_categories
        self.embedding_size = embedding_size
        self.embedding = BehaviourEmbedding(n_items, n_categories, embedding_size)
        self.head = head(3 * embedding_size + added_size)

    def embed(self, batch: Batch, negatives: bool = False) -> tuple[Tensor, ...]:
        """History e_b (B, T, n_E), target e_a (B, n_A), if asked for ê_b (B, T, n_E); n_A = n_E.

        In memory the steps follow each other: the order in which a recurrence reads them.
        """
        pairs = [
            (batch.target_item, batch.target_category),
            (batch.history_item.T, batch.history_category.T),
        ]
        if negatives:
            pairs.append((batch.negative_item.T, batch.negative_category.T))
        target, *by_step = self.embedding.several(*pairs)
        history, *rest = (sequence.transpose(0, 1) for sequence in by_step)
        return history, target, *rest

    def added(self, batch: Batch, history: Tensor, target: Tensor) -> tuple[list[Tensor], Tensor]:
        """Further features, each (B, ·), and the auxiliary loss; the BaseModel adds nothing."""
        return [], history.new_zeros(())

    def forward(self, batch: Batch) -> Output:
        wanted = getattr(self, "auxiliary", None) and batch.negative_item is not None
        history, target, *negatives = self.embed(batch, negatives=wanted)
        total = sum_steps(history, batch.mask)
        added, auxiliary_loss = self.added(batch, history, target, *negatives)
        logit = self.head(torch.cat([target, total, target * total, *added], dim=1))
        return Output(logit.squeeze(1), auxiliary_loss)


class BaseModel(ClickModel):
    """Sum pooling: how often, not when (chapter 02)."""


def count_parameters(model: nn.Module) -> int:
    """Numbers that training can change and the output depends on (AGRU's dead third left out)."""
    dead = sum(getattr(module, "dead_parameters", 0) for module in model.modules())
    return sum(p.numel() for p in model.parameters() if p.requires_grad) - dead
