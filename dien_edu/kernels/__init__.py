"""The recurrences, fast: one family of kernels for the CPU, one for CUDA (chapter 14).

The loop in `layers/gru.py` is the reference. A kernel computes the same numbers in one call, with
a backward pass written by hand. Each of `cpu` and `cuda` offers `supports`, which says why it
cannot run, or "", and an autograd function. They are imported when first used: the package works
without Numba and without Triton.
"""

from __future__ import annotations

import functools
import importlib
import warnings

import torch
from torch import Tensor
from torch.nn import functional as F

BACKENDS = ("auto", "reference", "fused")


def run(
    rule: str | None,
    inputs: Tensor,
    attention: Tensor | None,
    mask: Tensor,
    state: Tensor,
    weights: tuple[Tensor, Tensor, Tensor],
    backend: str = "auto",
) -> tuple[Tensor, Tensor] | None:
    """All states (B, T, H) and the last one (B, H); None where the reference loop has to run.

    `rule` "gru", "agru", "augru" or "official", None for a recurrence that no kernel knows ·
    inputs (B, T, I) · attention (B, T) or None · mask (B, T), padded on the right · state (B, H) ·
    weights: input (3H, I), hidden (3H, H), bias (3H,), in the order update, reset, candidate.

    backend "auto" uses the kernel where it can and warns once where it cannot; "fused" raises
    ValueError instead; "reference" always gives None. First derivatives only.
    """
    if backend == "reference" or (rule is None and backend == "auto"):
        return None
    reason = why_not(rule, inputs, attention, state, *weights)
    if reason and backend == "fused":
        raise ValueError(f"backend='fused' cannot run here: {reason}. Use backend='auto'")
    if reason:
        warn_once(reason)
        return None
    lengths = mask.sum(dim=1)
    if inputs.device.type == "cpu":
        return kernel("cpu").run(rule, inputs, attention, lengths, state, *weights)
    projected, walk = F.linear(inputs, weights[0], weights[2]), kernel("cuda").FusedWalk
    states = walk.apply(rule, projected, attention, lengths, state, weights[1])
    return states, states[:, -1]


def look_up(tables: list[Tensor], ids: list[Tensor]) -> Tensor:
    """The rows `ids` (…) of each table (N_k, n_k), side by side: (…, Σ n_k). Row 0 is padding."""
    on_cpu = tables[0].device.type == "cpu"
    if not on_cpu or kernel("cpu").supports(tables[0]):
        rows = [F.embedding(i, t, padding_idx=0) for i, t in zip(ids, tables, strict=True)]
        return torch.cat(rows, dim=-1)
    flat = [numbers.reshape(-1) for numbers in ids]
    rows = kernel("lookup").Lookup.apply(*tables, *flat)
    return rows.view(*ids[0].shape, rows.shape[1])


def kernel(name: str):
    """The module "cpu", "cuda" or "lookup", imported when first used; None for another name."""
    known = ("cpu", "cuda", "lookup")
    return importlib.import_module(f"{__name__}.{name}") if name in known else None


def why_not(rule: str | None, inputs: Tensor, *others: Tensor | None) -> str:
    """Why no kernel can run this; "" if one can. The last of `others` is the bias."""
    if rule is None:
        return "a subclass that computes something else has no kernel"
    for other in others:
        if other is not None and (other.dtype, other.device) != (inputs.dtype, inputs.device):
            mixed = f"{inputs.dtype} on {inputs.device} and {other.dtype} on {other.device}"
            return f"inputs, attention, state and weights are of two kinds, {mixed}"
    module = kernel(inputs.device.type)
    if module is None:
        return f"no kernel for {inputs.device.type}"
    return module.supports(inputs.new_empty(0, 0, len(others[-1])))


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
