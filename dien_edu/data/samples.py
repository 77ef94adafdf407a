"""From clicks to labelled samples and batches, with no copy of any history (chapter 01)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from dien_edu.data.interactions import Interactions

# (interactions, events (M,), generator) -> one item for each event that its user did not click
Sampler = Callable[[Interactions, np.ndarray, Generator], np.ndarray]


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
        if self.history_item.device.type != "cpu":  # to look at values is to wait for a GPU
            return
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
        max_history: int, seed: int, protocol: str = "book",
    ):  # fmt: skip
        self.interactions, self.sampler, self.protocol = interactions, sampler, protocol
        self.max_history, self.seed = max_history, seed
        self.known, self.category = (
            np.arange(interactions.n_items + 1),
            interactions.category_of_item,
        )
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

    def restrict(self, items: np.ndarray) -> None:
        """Let a model see these items and their categories; any other becomes number 0."""
        categories = self.interactions.category_of_item
        self.known = np.where(np.isin(self.known, items), self.known, 0)
        self.category = np.where(np.isin(categories, categories[items]), categories, 0)

    def subset(self, rows: np.ndarray) -> Samples:
        """The samples `rows` alone, of the same clicks."""
        part = copy.copy(self)
        for name in ("event", "target", "label", "user", "length"):
            setattr(part, name, getattr(self, name)[rows])
        return part

    def order(self, batch_size: int, generator: Generator | None) -> list[np.ndarray]:
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
            steps = int(self.length[rows].max())  # here, not on the device: nobody has to wait
            yield self._gather(tables, torch.from_numpy(rows).to(device), steps)

    def _tables(self, generator: Generator, negatives: bool, device) -> dict[str, Tensor]:
        """Everything a batch is gathered from, on the device."""
        data = self.interactions
        names = ("event", "target", "user", "length", "known", "category")
        arrays = {name: getattr(self, name) for name in names}
        arrays |= {"label": self.label.astype(np.float32), "item": data.item}
        if negatives:
            arrays["negative"] = self.sampler(data, np.arange(len(data.item)), generator)
        return {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}

    def _gather(self, tables: dict[str, Tensor], rows: Tensor, steps: int) -> Batch:
        """Cut one batch: the clicks event − length … event − 1 of each row; the longest: steps."""
        event, length, target = (tables[name][rows] for name in ("event", "length", "target"))
        step = torch.arange(steps, device=rows.device)
        index = (event - length)[:, None] + step
        padded = step >= length[:, None]
        index = index.masked_fill(padded, 0)
        values = {"target": target, "history": tables["item"][index].masked_fill(padded, 0)}
        if "negative" in tables:
            values["negative"] = tables["negative"][index].masked_fill(padded, 0)
        columns = {f"{k}_item": tables["known"][v] for k, v in values.items()}
        columns |= {f"{k}_category": tables["category"][v] for k, v in values.items()}
        user, label = tables["user"][rows], tables["label"][rows]
        return Batch(user=user, label=label, history_length=length, **columns)


class Splits(NamedTuple):
    """Samples of disjoint users."""

    train: Samples
    validation: Samples
    test: Samples


def popularity(data: Interactions, events: np.ndarray, rng: Generator) -> np.ndarray:
    """An item drawn as often as it is clicked, never one of the user's own; (M,) -> (M,)."""
    return _never_own(data, events, lambda m: data.item[rng.integers(len(data.item), size=m)])


def uniform(data: Interactions, events: np.ndarray, rng: Generator) -> np.ndarray:
    """Any item alike, never one of the user's own. A model can then win by popularity alone."""
    return _never_own(data, events, lambda m: rng.integers(1, data.n_items + 1, size=m))


def any_click(data: Interactions, events: np.ndarray, rng: Generator) -> np.ndarray:
    """As the paper's code draws: the item of any click, drawn again only if it is the very one."""

    def draw(m: int) -> np.ndarray:
        return data.item[rng.integers(len(data.item), size=m)]

    return _redrawn(data, events, draw, lambda rows, items: items == data.item[events[rows]])


def impressions(data: Interactions, events: np.ndarray, rng: Generator) -> np.ndarray:
    """An item that was shown at that very step and not clicked; by popularity where none was."""
    return _from_shown(data, events, rng, np.arange(len(data.item)), own_items=True)


def user_impressions(data: Interactions, events: np.ndarray, rng: Generator) -> np.ndarray:
    """An item shown to the user at any step and never clicked; by popularity where none was."""
    return _from_shown(data, events, rng, data.user, own_items=False)


SAMPLERS = {f.__name__: f for f in (popularity, uniform, impressions, user_impressions, any_click)}
PROTOCOLS = {"book": 50, "paper": 100}  # name: the longest history, if no other is asked for


def _from_shown(
    data: Interactions, events: np.ndarray, rng: Generator, group: np.ndarray, own_items: bool
) -> np.ndarray:
    """One of all items that were shown in the click's group; `group` (N,) never falls."""
    if data.shown is None:
        message = "records no impressions: use sampler='popularity' or 'uniform'"
        raise ValueError(f"{data.name} {message}")
    row, place = np.nonzero(data.shown)
    item = data.shown[row, place]
    if not own_items:
        kept = ~_own_items(data)(data.user[row], item)
        row, item = row[kept], item[kept]
    start = np.searchsorted(group[row], np.arange(group[-1] + 2))
    first, count = start[group[events]], np.diff(start)[group[events]]
    drawn, some = np.zeros(len(events), dtype=np.int64), count > 0
    drawn[some] = item[first[some] + rng.integers(count[some])]
    if not some.all():
        drawn[~some] = popularity(data, events[~some], rng)
    return drawn


def _own_items(data: Interactions) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A function of users and items, (M,) each: did this user click this item, at any time?"""
    width = data.n_items + 1
    own = np.unique(data.user * width + data.item)

    def is_own(user: np.ndarray, item: np.ndarray) -> np.ndarray:
        keys = user * width + item
        return own[np.minimum(np.searchsorted(own, keys), len(own) - 1)] == keys

    return is_own


def _never_own(data: Interactions, events: np.ndarray, draw) -> np.ndarray:
    user, is_own = data.user[events], _own_items(data)
    return _redrawn(data, events, draw, lambda rows, items: is_own(user[rows], items))


def _redrawn(data: Interactions, events: np.ndarray, draw, refused) -> np.ndarray:
    """Draw for all events at once, then again for those whose item is refused."""
    items = np.zeros(len(events), dtype=np.int64)
    left = np.arange(len(events))
    for _ in range(1000):
        items[left] = draw(len(left))
        left = left[refused(left, items[left])]
        if not len(left):
            return items
    raise ValueError(
        f"found no item that user {data.user[events[left[0]]]} did not click: the sampler needs "
        f"a user who leaves some of the {data.n_items} items alone"
    )


def ctr_samples(
    interactions: Interactions,
    *,
    protocol: str = "book",
    max_history: int | None = None,
    sampler: str | Sampler | None = None,
    seed: int = 0,
) -> Splits:
    """Train, validation and test samples of disjoint users, by one of two protocols.

    "book": users are split 80/10/10, and every prefix is a sample. For each click but a user's
    first (where impressions are recorded: each that has one): a sample with the click (label 1)
    and one with a non-click (label 0), both after the last `max_history` clicks before it.

    "paper": what the paper's code does. Only the LAST click of a user is a target, after all clicks
    before it. Each user is a test user with probability 1/10. Non-clicks are drawn by `any_click`,
    those of the history anew in each epoch. A model sees the items and categories of the training
    users only; any other is number 0, unknown. Two differences: the code has no validation users,
    and keeps the epoch that is best on TEST; here each user that is left is a validation user
    with probability 1/10, so that the epoch is chosen honestly. And the code gives the model a
    user number, which is the same for all test users; here a model never sees the user.

    `max_history` is 50 in the book's protocol, 100 in the paper's. `sampler` draws non-clicks: a
    name in `SAMPLERS` or a function; None takes impressions where the data have them, else
    popularity. The popularity counts are of all clicks, of all users.

    Raises ValueError for a user with one click, for fewer than 10 users, an unknown protocol or
    sampler, and where chance leaves a part without users.
    """
    lengths = np.diff(interactions.user_start)
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol is {protocol!r}, expected {' or '.join(PROTOCOLS)}: choose one")
    max_history = PROTOCOLS[protocol] if max_history is None else max_history
    if max_history < 1:
        raise ValueError(f"max_history is {max_history}, expected at least 1")
    if interactions.n_users < 10:
        raise ValueError(f"{interactions.n_users} users, expected 10 or more for a split by user")
    if lengths.min() < 2:
        raise ValueError(
            f"user {lengths.argmin()} has {lengths.min()} click(s), expected at least 2: one for "
            "the history and one to predict. Drop such users."
        )
    draw = _find_sampler(interactions, sampler, protocol)
    part = _parts(interactions, protocol, seed)
    events = [np.flatnonzero(part == p) for p in range(3)]
    if not all(map(len, events)):
        raise ValueError(
            f"with seed {seed} a part of {interactions.name} has no samples "
            f"{list(map(len, events))}: take another seed, or more users"
        )
    splits = Splits(*(Samples(interactions, e, draw, max_history, seed, protocol) for e in events))
    if protocol == "paper":
        trained = interactions.item[np.isin(interactions.user, splits.train.user)]
        for samples in splits:
            samples.restrict(np.union1d(trained, splits.train.target))
    return splits


def _parts(data: Interactions, protocol: str, seed: int) -> np.ndarray:
    """(N,) where each click is predicted: 0 train, 1 validation, 2 test, -1 nowhere."""
    rng, part = np.random.default_rng([0, seed]), np.zeros(data.n_users, dtype=np.int64)
    target = np.zeros(len(data.item), dtype=bool)
    if protocol == "paper":
        validation, test = rng.integers(1, 11, size=(2, data.n_users)) == 2  # as in the code
        part[validation], part[test] = 1, 2
        target[data.user_start[1:] - 1] = True
    else:
        users, tenth = rng.permutation(data.n_users), data.n_users // 10
        part[users[:tenth]], part[users[tenth : 2 * tenth]] = 2, 1
        target |= True if data.shown is None else data.shown[:, 0] != 0
        target[data.user_start[:-1]] = False
    return np.where(target, part[data.user], -1)


def _find_sampler(data: Interactions, sampler: str | Sampler | None, protocol: str) -> Sampler:
    if callable(sampler):
        return sampler
    own = "popularity" if data.shown is None else "impressions"
    name = sampler or ("any_click" if protocol == "paper" else own)
    if name not in SAMPLERS:
        raise ValueError(f"sampler is {name!r}, expected {', '.join(SAMPLERS)} or a function")
    return SAMPLERS[name]
