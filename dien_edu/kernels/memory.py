"""Large arrays that one training step leaves for the next (chapter 14).

Memory that comes fresh from the system costs a page fault every 4 KiB, here 2 µs: more than
filling it. A step asks for the same sizes again and again, so what it no longer needs is kept.
"""

from __future__ import annotations

import math
import threading
import weakref

import numpy as np
import torch
from torch import Tensor

SMALLEST = 2**18  # bytes; less than this the C library keeps by itself
free: dict[int, list[np.ndarray]] = {}
lock = threading.RLock()  # reentrant: the garbage collector may give back while we take


def size_class(size: int) -> int:
    """The bytes to ask for: at most an eighth too many, so that few sizes serve many."""
    step = 2 ** max(0, size.bit_length() - 4)
    return -(-size // step) * step


def empty(like: Tensor, *shape: int) -> Tensor:
    """As `like.new_empty(shape)` on the CPU; goes back to the shelf when the last view is gone."""
    size = math.prod(shape) * like.element_size()
    if size < SMALLEST:
        return like.new_empty(shape)
    size = size_class(size)
    with lock:
        shelf = free.setdefault(size, [])
        buffer = shelf.pop() if shelf else np.empty(size, np.uint8)
    view = buffer[:]
    weakref.finalize(view, shelf.append, buffer).atexit = False
    return torch.from_numpy(view).view(like.dtype)[: math.prod(shape)].view(shape)


def zeros(like: Tensor, *shape: int) -> Tensor:
    """As `like.new_zeros(shape)`."""
    return empty(like, *shape).zero_()
