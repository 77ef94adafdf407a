"""Clear errors before any work is done: shapes, and on which side the padding stands."""

from __future__ import annotations

import torch
from torch import Tensor


def check_shape(name: str, tensor: Tensor, *expected: int | None) -> None:
    """Raise ValueError unless the shape is `expected`; None stands for any size."""
    shape = tuple(tensor.shape)
    fits = len(shape) == len(expected) and all(
        e is None or e == s for e, s in zip(expected, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if e is None else str(e) for e in expected)
        raise ValueError(f"{name} has shape {shape}, expected ({wanted})")


def check_mask(mask: Tensor, batch: int, steps: int) -> None:
    """Raise ValueError unless `mask` is Boolean, (batch, steps), and padded on the right only.

    To look at its values means to wait for a GPU, so a mask remembers that it was looked at: the
    layers of a model share one mask and one look. A mask changed in place is looked at again.
    """
    check_shape("mask", mask, batch, steps)
    if mask.dtype != torch.bool:
        raise ValueError(f"mask has dtype {mask.dtype}, expected torch.bool (True = a real step)")
    version = None if mask.is_inference() else mask._version
    if version is not None and getattr(mask, "checked_version", None) == version:
        return
    late = mask[:, 1:] & ~mask[:, :-1]
    if late.any():
        row = int(late.any(dim=1).nonzero()[0])
        raise ValueError(
            f"mask row {row} has a real step after a padded one: histories are padded on the "
            "RIGHT, so a row reads True … True False … False. Shift left-padded rows first."
        )
    mask.checked_version = version
