"""The one representation of every data set: users' clicks, flat and in order (chapter 01)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Interactions:
    """N clicks of U users on I items; the clicks of a user stand together, oldest first.

    Item and category number 0 is padding, real ones count from 1.

    name              the data set's name, as `load` takes it
    item              (N,) int64, the clicked item
    time              (N,) int64, seconds or any other number that never falls within a user
    user_start        (U + 1,) int64, user u's clicks are `item[user_start[u]:user_start[u + 1]]`
    category_of_item  (I + 1,) int64, entry 0 is 0
    item_names        I + 1 titles, category_names C + 1 names; entry 0 is ""
    shown             (N, K) int64 or None: items shown at that step and not clicked, then zeros
    truth             arrays that only a generated data set knows; {} elsewhere
    note              what a reader must know of this copy, one sentence or ""
    """

    name: str
    item: np.ndarray
    time: np.ndarray
    user_start: np.ndarray
    category_of_item: np.ndarray
    item_names: list[str]
    category_names: list[str]
    shown: np.ndarray | None = None
    truth: dict[str, np.ndarray] = field(default_factory=dict)
    note: str = ""

    @property
    def n_users(self) -> int:
        return len(self.user_start) - 1

    @property
    def n_items(self) -> int:
        """Number of items, padding not counted."""
        return len(self.category_of_item) - 1

    @property
    def n_categories(self) -> int:
        """Number of categories, padding not counted."""
        return len(self.category_names) - 1

    @property
    def user(self) -> np.ndarray:
        """(N,) int64, the user of each click."""
        return np.repeat(np.arange(self.n_users), np.diff(self.user_start))

    def fingerprint(self) -> dict:
        """Counts and a hash of the sequences; it goes with every recorded result."""
        digest = hashlib.sha256()
        for array in (self.user_start, self.item, self.category_of_item):
            digest.update(np.ascontiguousarray(array, dtype="<i8").tobytes())
        return {
            "users": self.n_users,
            "items": self.n_items,
            "categories": self.n_categories,
            "clicks": len(self.item),
            "sha256": digest.hexdigest()[:16],
        }
