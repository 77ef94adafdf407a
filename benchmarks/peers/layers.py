"""One recurrence alone, forward and backward: `torch.nn.GRU`, or our AUGRU with one backend."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.peers.inputs import Spec


def make_layer(spec: Spec, backend: str | None) -> Callable[[Tensor], Tensor]:
    """Inputs (B, T, n) -> states (B, T, n); backend None is `nn.GRU`.

    Like in DIEN, the scores of the AUGRU get a gradient too.
    """
    if backend is None:
        layer = nn.GRU(spec.hidden, spec.hidden, batch_first=True)
        return lambda inputs: layer(inputs)[0]
    from dien_edu.layers import AUGRU

    layer = AUGRU(spec.hidden, spec.hidden, backend=backend)
    scores = torch.rand(spec.batch, spec.steps).requires_grad_()
    mask = torch.ones(spec.batch, spec.steps, dtype=torch.bool)
    return lambda inputs: layer(inputs, scores, mask)[0]


def build(spec: Spec, backend: str | None = None) -> Callable[[], None]:
    """Forward and backward; every state gets a gradient, the inputs receive one."""
    torch.manual_seed(0)
    layer = make_layer(spec, backend)
    inputs = torch.randn(spec.batch, spec.steps, spec.hidden).requires_grad_()
    gradient = torch.randn(spec.batch, spec.steps, spec.hidden)

    def step() -> None:
        inputs.grad = None
        layer(inputs).backward(gradient)

    return step
