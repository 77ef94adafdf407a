"""The recurrences, fast: one family of kernels for the CPU, one for CUDA (chapter 14).

The loop in `layers/gru.py` is the reference. A kernel computes the same numbers in one call, with
a backward pass written by hand. Each of `cpu` and `cuda` offers `supports`, which says why it
cannot run, or "", and an autograd function. `lookup`, `rows` and `auxiliary` are the rest of a
training step on a CPU, `memory` is where their large arrays wait for the next one. All are
imported when first used: the package works without Numba and without Triton.
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


def auxiliary_loss(
    interests: Tensor, behaviours: Tensor, negatives: Tensor, mask: Tensor, weights: list[Tensor]
) -> Tensor | None:
    """Equation (6) as in `layers.AuxiliaryLoss`; None where its own operations have to run.

    `weights`: weight and bias of each of the three layers of its network, or nothing.
    """
    if not compiled_for(interests, behaviours, negatives, *weights):
        return None
    return kernel("auxiliary").run(interests, behaviours, negatives, mask, weights)


def compiled_for(*tensors: Tensor) -> bool:
    """Are these of one kind, and one that the compiled loops of the CPU take? Says nothing."""
    kinds = {(tensor.dtype, tensor.device.type) for tensor in tensors}
    return kinds <= {(tensors[0].dtype, "cpu")} and not kernel("cpu").supports(tensors[0])


def dots(rows: Tensor, query: Tensor) -> Tensor:
    """The inner product of every step with its history's query: (B, T, n), (B, n) -> (B, T)."""
    if not compiled_for(rows, query):
        return (rows * query[:, None]).sum(dim=-1)
    by_step = kernel("rows").Dots.apply(rows.transpose(0, 1).contiguous(), query.contiguous())
    return by_step.T


def sum_steps(rows: Tensor, mask: Tensor) -> Tensor:
    """The sum over the real steps: (B, T, n), bool (B, T) -> (B, n)."""
    if not compiled_for(rows):
        return (rows * mask[..., None]).sum(dim=1)
    return kernel("rows").Sum.apply(rows.transpose(0, 1).contiguous(), mask.sum(dim=1))


def look_up(tables: list[Tensor], *groups: list[Tensor]) -> list[Tensor]:
    """The rows `ids` (…) of each table (N_k, n_k), side by side: (…, Σ n_k), for each group.

    A group is a list of ids, one tensor for each table. Row 0 is padding. All groups together have
    one gradient, which is as large as the tables, however few rows it touches.
    """
    if not compiled_for(*tables):
        ids = [torch.cat([i.reshape(-1) for i in column]) for column in zip(*groups, strict=True)]
        rows = [F.embedding(i, t, padding_idx=0) for i, t in zip(ids, tables, strict=True)]
        found = torch.cat(rows, dim=-1).split([group[0].numel() for group in groups])
    else:
        flat = [ids.reshape(-1) for group in groups for ids in group]
        found = kernel("lookup").Lookup.apply(len(tables), *tables, *flat)
    return [
        rows.view(*ids[0].shape, rows.shape[1]) for rows, ids in zip(found, groups, strict=True)
    ]


def kernel(name: str):
    """One of these modules, imported when first used; None for another name."""
    known = ("cpu", "cuda", "lookup", "rows", "auxiliary")
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
