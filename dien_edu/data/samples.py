"""From clicks to labelled samples and batches, with no copy of any history (chapter 01)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dien_edu.data.interactions import Interactions

# (interactions, events (M,), generator) -> one item for each event that its user did not click
Sampler = Callable[[Interactions, np.ndarray, np.random.Generator], np.ndarray]


@dataclass
class Batch:
    """B samples, histories padded on the right to T steps; what stands in padding is never read.

    user (B,), for grouping only, never an input · history_item, history_category (B, T) int64 ·
    history_length (B,) · target_item, target_category (B,) · negative_item, negative_category
    (B, T), the non-click of each history step, or None · label (B,) float ·
    mask (B, T) bool, made once from history_length.
    """

    user: Tensor
    history_item: Tensor
    history_category: Tensor
    history_length: Tensor
    target_item: Tensor
    target_category: Tensor
    label: Tensor
    negative_item: Tensor | None = None
    negative_category: Tensor | None = None
    mask: Tensor = field(init=False)

    def __post_init__(self) -> None:
        steps = torch.arange(self.history_item.shape[1], device=self.history_item.device)
        self.mask = steps < self.history_length[:, None]
        late = ((self.history_item != 0) & ~self.mask).any(dim=1)
        if (late & (self.history_item == 0)[:, :1].any(dim=1)).any():
            raise ValueError(
                "a history starts with item 0 (padding) and goes on after its length: histories "
                "are padded on the RIGHT. Shift left-padded rows first."
            )

    def __len__(self) -> int:
        return len(self.label)

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.init}
        return Batch(**{k: v if v is None else v.to(device) for k, v in values.items()})


class Samples:
    """S labelled samples of one split; a sample is an index into the flat clicks.

    Sample s asks: does `user[s]`, after the clicks before `event[s]`, click `target[s]`?
    """

    def __init__(
        self, interactions: Interactions, events: np.ndarray, sampler: Sampler,
        max_history: int, seed: int,
    ):  # fmt: skip
        self.interactions, self.sampler = interactions, sampler
        self.max_history, self.seed = max_history, seed
        clicked = interactions.item[events]
        skipped = sampler(interactions, events, np.random.default_rng([1, seed]))
        self.event = np.concatenate([events, events])
        self.target = np.concatenate([clicked, skipped])
        self.label = np.repeat([1.0, 0.0], len(events))
        self.user = interactions.user[self.event]
        start = interactions.user_start[self.user]
        self.length = np.minimum(self.event - start, max_history)

    def __len__(self) -> int:
        return len(self.event)

    def subset(self, rows: np.ndarray) -> Samples:
        """The samples `rows` alone, of the same clicks."""
        part = copy.copy(self)
        for name in ("event", "target", "label", "user", "length"):
            setattr(part, name, getattr(self, name)[rows])
        return part

    def order(self, batch_size: int, generator: np.random.Generator | None) -> list[np.ndarray]:
        """Which samples stand in which batch: with a generator shuffled, without by length.

        Batches of like lengths have less padding, and the fixed order, for scoring, uses that. In
        training a batch must be a random draw: Dice learns mean and variance from batches, and
        those of one length are not those of all.
        """
        if generator is None:
            order = np.argsort(self.length, kind="stable")
        else:
            order = generator.permutation(len(self))
        return np.split(order, range(batch_size, len(order), batch_size))

    def batches(
        self,
        batch_size: int = 128,
        *,
        shuffle: tuple[int, ...] | None = None,
        negatives: bool = True,
        device: torch.device | str = "cpu",
    ) -> Iterator[Batch]:
        """One pass over all samples, in a fixed order or shuffled by the numbers `shuffle`.

        `shuffle` is (seed, epoch) in training. The same numbers draw the non-clicks of the
        histories, one for each click and pass. The last batch may be smaller. ValueError for a
        batch size below 1.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, expected at least 1")
        key = [self.seed, *(shuffle or ())]
        generator = None if shuffle is None else np.random.default_rng([2, *key])
        tables = self._tables(np.random.default_rng([3, *key]), negatives, device)
        for rows in self.order(batch_size, generator):
            yield self._gather(tables, torch.from_numpy(rows).to(device))

    def _tables(self, generator: np.random.Generator, negatives: bool, device) -> dict[str, Tensor]:
        """Everything a batch is gathered from, on the device."""
        data = self.interactions
        names = ("event", "target", "user", "length")
        arrays = {name: getattr(self, name) for name in names}
        arrays |= {"label": self.label.astype(np.float32), "category": data.category_of_item}
        arrays |= {"item": data.item}
        if negatives:
            arrays["negative"] = self.sampler(data, np.arange(len(data.item)), generator)
        return {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}

    def _gather(self, tables: dict[str, Tensor], rows: Tensor) -> Batch:
        """Cut one batch: the clicks event − length … event − 1 of each row."""
        event, length, target = (tables[name][rows] for name in ("event", "length", "target"))
        steps = torch.arange(int(length.max()), device=rows.device)
        index = (event - length)[:, None] + steps
        padded = steps >= length[:, None]
        index = index.masked_fill(padded, 0)
        category = tables["category"]
        values = {"history": tables["item"][index].masked_fill(padded, 0)}
        if "negative" in tables:
            values["negative"] = tables["negative"][index].masked_fill(padded, 0)
        columns = {f"{k}_item": v for k, v in values.items()}
        columns |= {f"{k}_category": category[v] for k, v in values.items()}
        return Batch(
            user=tables["user"][rows], label=tables["label"][rows], history_length=length,
            target_item=target, target_category=category[target], **columns,
        )  # fmt: skip


class Splits(NamedTuple):
    """Samples of disjoint users: 80 %, 10 %, 10 %."""

    train: Samples
    validation: Samples
    test: Samples


def popularity(data: Interactions, events: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An item drawn as often as it is clicked, never one of the user's own; (M,) -> (M,)."""
    return _never_own(data, events, lambda m: data.item[rng.integers(len(data.item), size=m)])


def uniform(data: Interactions, events: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Any item alike, never one of the user's own. A model can then win by popularity alone."""
    return _never_own(data, events, lambda m: rng.integers(1, data.n_items + 1, size=m))


def impressions(data: Interactions, events: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An item that was shown at that very step and not clicked; needs `data.shown`."""
    if data.shown is None:
        raise ValueError(
            f"{data.name} records no impressions: use sampler='popularity' or 'uniform'"
        )
    return data.shown[events, rng.integers(data.shown.shape[1], size=len(events))]


SAMPLERS = {"popularity": popularity, "uniform": uniform, "impressions": impressions}


def _never_own(data: Interactions, events: np.ndarray, draw) -> np.ndarray:
    """Draw for all events at once, then again for those that hit an item of their user."""
    width = data.n_items + 1
    own = np.unique(data.user * width + data.item)
    user = data.user[events]
    items = np.zeros(len(events), dtype=np.int64)
    left = np.arange(len(events))
    for _ in range(1000):
        items[left] = draw(len(left))
        keys = user[left] * width + items[left]
        place = np.minimum(np.searchsorted(own, keys), len(own) - 1)
        left = left[own[place] == keys]
        if not len(left):
            return items
    raise ValueError(
        f"found no item that user {user[left[0]]} did not click: the sampler needs a user who "
        f"leaves some of the {data.n_items} items alone"
    )


def ctr_samples(
    interactions: Interactions,
    *,
    max_history: int = 50,
    sampler: str | Sampler | None = None,
    seed: int = 0,
) -> Splits:
    """Train, validation and test samples, split BY USER 80/10/10, every prefix a sample.

    For each click but a user's first: one sample with the click (label 1) and one with a non-click
    (label 0), both after the last `max_history` clicks before it. `sampler` draws non-clicks:
    "popularity", "uniform", "impressions" or a function; None takes impressions where the data
    have them, else popularity. The popularity counts are of all clicks, of all users.

    Raises ValueError for a user with one click, for fewer than 10 users, an unknown sampler.
    """
    lengths = np.diff(interactions.user_start)
    if max_history < 1:
        raise ValueError(f"max_history is {max_history}, expected at least 1")
    if interactions.n_users < 10:
        raise ValueError(f"{interactions.n_users} users, expected 10 or more for an 80/10/10 split")
    if lengths.min() < 2:
        raise ValueError(
            f"user {lengths.argmin()} has {lengths.min()} click(s), expected at least 2: one for "
            "the history and one to predict. Drop such users."
        )
    draw = _find_sampler(interactions, sampler)
    users = np.random.default_rng([0, seed]).permutation(interactions.n_users)
    part = np.zeros(interactions.n_users, dtype=np.int64)
    tenth = interactions.n_users // 10
    part[users[:tenth]], part[users[tenth : 2 * tenth]] = 2, 1
    first = np.zeros(len(interactions.item), dtype=bool)
    first[interactions.user_start[:-1]] = True
    part_of_event = np.where(first, -1, part[interactions.user])
    return Splits(
        *(
            Samples(interactions, np.flatnonzero(part_of_event == p), draw, max_history, seed)
            for p in range(3)
        )
    )


def _find_sampler(interactions: Interactions, sampler: str | Sampler | None) -> Sampler:
    if callable(sampler):
        return sampler
    name = sampler or ("popularity" if interactions.shown is None else "impressions")
    if name not in SAMPLERS:
        raise ValueError(f"sampler is {name!r}, expected {', '.join(SAMPLERS)} or a function")
    return SAMPLERS[name]
