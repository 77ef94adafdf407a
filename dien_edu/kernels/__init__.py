"""The walk along a history, fast: one recurrence, compiled for the CPU and for CUDA (chapter 14).

The loop in `layers/gru.py` is the reference. A kernel computes the same numbers in one call, with
a backward pass written by hand. Each of `cpu` and `cuda` offers `supports(projected)`, which says
why it cannot run, or "", and `FusedWalk`, the autograd function. Both are imported when first used:
the package works without Numba and without Triton.
"""

from __future__ import annotations

import functools
import importlib
import warnings

import torch
from torch import Tensor

BACKENDS = ("auto", "reference", "fused")


def walk(
    rule: str | None,
    projected: Tensor,
    attention: Tensor | None,
    mask: Tensor,
    state: Tensor,
    weight_hidden: Tensor,
    backend: str = "auto",
) -> Tensor | None:
    """All states (B, T, H) from the fused kernel, or None where the reference loop has to run.

    `rule` "gru", "agru", "augru" or "official", None for a recurrence that no kernel knows ·
    projected (B, T, 3H), W i + b in the order update, reset, candidate · attention (B, T) or None ·
    mask (B, T), padded on the right · state (B, H) · weight_hidden (3H, H).

    backend "auto" uses the kernel where it can and warns once where it cannot; "fused" raises
    ValueError instead; "reference" always gives None. First derivatives only.
    """
    if backend == "reference" or (rule is None and backend == "auto"):
        return None
    reason = why_not(rule, projected, attention, state, weight_hidden)
    if reason and backend == "fused":
        raise ValueError(f"backend='fused' cannot run here: {reason}. Use backend='auto'")
    if reason:
        warn_once(reason)
        return None
    lengths = mask.sum(dim=1)
    function = kernel(projected.device.type).FusedWalk
    return function.apply(rule, projected, attention, lengths, state, weight_hidden)


def kernel(device: str):
    """The module with the kernel for this type of device, None if there is none."""
    name = {"cpu": "cpu", "cuda": "cuda"}.get(device)
    return name and importlib.import_module(f"{__name__}.{name}")


def why_not(rule: str | None, projected: Tensor, *others: Tensor | None) -> str:
    """Why no kernel can run this walk; "" if one can."""
    if rule is None:
        return "a subclass that computes something else has no kernel"
    for other in others:
        if other is not None and (other.dtype, other.device) != (projected.dtype, projected.device):
            mixed = f"{projected.dtype} on {projected.device} and {other.dtype} on {other.device}"
            return f"inputs, attention, state and weights are of two kinds, {mixed}"
    module = kernel(projected.device.type)
    return module.supports(projected) if module else f"no kernel for {projected.device.type}"


@functools.cache
def warn_once(reason: str) -> None:
    """Say once why the loop runs although a kernel was hoped for."""
    warnings.warn(
        f"dien_edu runs the reference loop, not the fused kernel: {reason}. The numbers are the "
        "same, it takes longer. backend='reference' asks for the loop and silences this.",
        stacklevel=2,
    )


def refuse_second_derivatives() -> None:
    """Called by a hand-written backward: its own operations are not recorded.

    PyTorch's `once_differentiable` would let a second derivative pass that needs only the inputs,
    with a part of it missing. Gradients are enabled here only under create_graph=True.
    """
    if torch.is_grad_enabled():
        raise RuntimeError(
            "the fused kernel has first derivatives only: for create_graph=True make the layer "
            "with backend='reference'"
        )
