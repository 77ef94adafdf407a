"""DIEN of this repository: one training step."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.peers.inputs import Spec, draw
from dien_edu.data import Batch
from dien_edu.models import DIEN
from dien_edu.training import losses
from dien_edu.training.fit import _Run


def make_batch(spec: Spec) -> Batch:
    """The common ids as our own batch."""
    return Batch(
        user=torch.zeros(spec.batch, dtype=torch.int64),
        history_length=torch.full((spec.batch,), spec.steps),
        **draw(spec),
    )


def make_model(spec: Spec, backend: str, auxiliary: str) -> DIEN:
    """DIEN of these sizes; its head is 200-80."""
    torch.manual_seed(0)
    sizes = {"embedding_size": spec.hidden, "hidden_size": spec.hidden}
    return DIEN(spec.items, spec.categories, auxiliary=auxiliary, backend=backend, **sizes)


def build(spec: Spec, backend: str = "auto", auxiliary: str = "inner") -> Callable[[], None]:
    """Forward, backward, and a step of the very optimiser that `fit` makes."""
    model, batch = make_model(spec, backend, auxiliary), make_batch(spec)
    optimizer = _Run(model, {"learning_rate": 1e-3}, None).optimizer

    def step() -> None:
        total = losses(model, batch)[2]
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()

    return step
