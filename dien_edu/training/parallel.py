"""Several processes train as one (chapter 15).

torchrun starts them, PyTorch's DistributedDataParallel averages their gradients. Three things are
of the whole batch, not of a process's part of it: the mean of the target loss, the number of valid
pairs of the auxiliary loss, and the mean and variance in Dice. With one process nothing happens.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from contextlib import contextmanager

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from dien_edu.data.samples import Batch, Samples
from dien_edu.models import ClickModel
from dien_edu.models.base import Dice


def launched() -> int:
    """How many processes torchrun started; 1 without it."""
    asked = dist.is_available() and dist.is_torchelastic_launched()
    return int(os.environ["WORLD_SIZE"]) if asked else 1


def joined() -> bool:
    """Is there a group of processes that this one belongs to?"""
    return dist.is_available() and dist.is_initialized()


def size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if joined() else 1


def rank() -> int:
    """The number of this process. 0 speaks and writes for all."""
    return dist.get_rank() if joined() else 0


def join(device: str | None) -> str | None:
    """Meet the processes that torchrun started, each on a GPU of its own or all on the CPU.

    Returns the device of this process; without torchrun `device` as it came. ValueError for a
    device that they cannot share.
    """
    if launched() == 1:
        return device
    cards, here = torch.cuda.device_count(), int(os.environ["LOCAL_RANK"])
    device = device or ("cuda" if cards else "cpu")
    if device not in ("cpu", "cuda"):
        raise ValueError(f"device is {device!r}, expected cpu or cuda with several processes")
    if device == "cuda" and here >= cards:
        raise ValueError(f"process {here} found {cards} GPUs: start fewer, or add --device cpu")
    if device == "cuda":
        torch.cuda.set_device(here)
        device = f"cuda:{here}"
    dist.init_process_group("gloo" if device == "cpu" else "nccl")
    return device


def leave() -> None:
    """The end of `join`."""
    if joined():
        dist.destroy_process_group()


def wait() -> None:
    """Go on when every process has come here."""
    if joined():
        dist.barrier()


@contextmanager
def one_first():
    """On each machine one process goes through the block before the others: it may download."""
    first = not joined() or os.environ.get("LOCAL_RANK", "0") == "0"
    if not first:
        wait()
    yield
    if first:
        wait()


def from_first(value):
    """What process 0 gave, on all of them."""
    box = [value]
    if joined():
        dist.broadcast_object_list(box)
    return box[0]


class Sum(torch.autograd.Function):
    """The sum over all processes, on each of them; so is the gradient."""

    @staticmethod
    def forward(ctx, part: Tensor) -> Tensor:
        total = part.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, d_total: Tensor) -> Tensor:
        return Sum.apply(d_total)


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """`Dice.moments` of the parts of all processes together: (n_r, units) -> two of (units,)."""
    if size() == 1:
        return Dice.moments(x)
    total = Sum.apply(torch.cat([x.sum(dim=0), x.new_tensor([len(x)])]))
    mean, count = total[:-1] / total[-1], total[-1]
    return Sum.apply(((x - mean) ** 2).sum(dim=0)) / count, mean


class Shares(nn.Module):
    """The losses of the whole batch, and this process's share in what is to be differentiated.

    A mean over the whole is Σ_r (n_r / n) · mean_r, with n the rows of equation (1), the valid
    pairs of equation (6). DistributedDataParallel averages gradients, so `total` has a factor of
    the number of processes.
    """

    def __init__(self, model: ClickModel, losses: Callable):
        super().__init__()
        self.model, self.losses = model, losses

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        target, auxiliary, _ = self.losses(self.model, batch)
        means, pairs = torch.stack([target, auxiliary]), batch.mask[:, 1:].sum()
        counts = torch.stack([pairs.new_tensor(len(batch)), pairs]).to(means.dtype)
        parts = counts / Sum.apply(counts).clamp(min=1) * means
        whole = Sum.apply(parts.detach())
        total = parts[0] + self.model.auxiliary_weight * parts[1]
        return whole[0], whole[1], size() * total


def over_all(losses: Callable, model: ClickModel) -> Callable[[Batch], tuple[Tensor, ...]]:
    """`losses(model, ·)`; with several processes of their batches together."""
    if size() == 1:
        return lambda batch: losses(model, batch)
    for module in model.modules():
        if isinstance(module, Dice):
            module.moments = moments
    return nn.parallel.DistributedDataParallel(Shares(model, losses))


def share(samples: Samples) -> Samples:
    """The same samples, of which a batch holds this process's part of the rows.

    All processes draw the same order and the same non-clicks. A batch with fewer rows than there
    are processes goes whole to each, which leaves every mean as it is. ValueError for a batch size
    that is smaller than that.
    """
    if size() == 1:
        return samples

    def order(batch_size: int, generator) -> list[np.ndarray]:
        if batch_size < size():
            raise ValueError(f"batch_size is {batch_size}, expected at least one for each of the "
                             f"{size()} processes")  # fmt: skip
        batches = samples.order(batch_size, generator)
        return [b if len(b) < size() else np.array_split(b, size())[rank()] for b in batches]

    part = copy.copy(samples)
    part.order = order
    return part


def portion(samples: Samples) -> Samples:
    """Each process's own samples, for scoring; `gather` puts the answers together."""
    if size() == 1:
        return samples
    if len(samples) < size():
        raise ValueError(f"{len(samples)} samples to score, fewer than the {size()} processes")
    return samples.subset(np.arange(rank(), len(samples), size()))


def gather(columns: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """The columns of all processes, one below the other, on each of them."""
    if size() == 1:
        return columns
    found = [columns] * size()
    dist.all_gather_object(found, columns)
    return tuple(map(np.concatenate, zip(*found, strict=True)))
