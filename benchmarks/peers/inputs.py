"""What every contestant is given: the sizes, and one batch of random ids."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch


@dataclass(frozen=True)
class Spec:
    """Sizes of one measurement: a batch of B histories, all T steps long, and of the model.

    `embedding` is the size of an item's and of a category's embedding, so n_E = n_H = 2 · that.
    """

    batch: int
    steps: int
    items: int = 63_001
    categories: int = 801
    embedding: int = 18
    mlp: tuple[int, ...] = (200, 80)

    @property
    def hidden(self) -> int:
        """n_H, which is n_E."""
        return 2 * self.embedding

    def tiny(self) -> Spec:
        """The same with next to no data: what a library does once, it does on this."""
        return replace(self, batch=2, steps=3, items=50, categories=5)


def draw(spec: Spec) -> dict[str, torch.Tensor]:
    """Ids from 1 on, the same for all: history and negative (B, T), target and label (B,)."""
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "history": (spec.batch, spec.steps),
        "negative": (spec.batch, spec.steps),
        "target": (spec.batch,),
    }
    columns = {}
    for name, shape in shapes.items():
        for field, count in (("item", spec.items), ("category", spec.categories)):
            columns[f"{name}_{field}"] = torch.randint(1, count + 1, shape, generator=generator)
    columns["label"] = torch.randint(0, 2, (spec.batch,), generator=generator).float()
    return columns
