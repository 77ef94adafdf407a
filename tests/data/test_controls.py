"""The shuffles move what they say and nothing else."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dien_edu.data import Interactions
from dien_edu.data.controls import SESSION, TIES, runs_of_clicks, shuffle_within
from dien_edu.data.world import interest_world


def clicks(times: list[list[int]]) -> Interactions:
    """A user for each list of times; every click has an item of its own, and two items shown."""
    lengths = [len(user) for user in times]
    item = np.arange(1, sum(lengths) + 1)
    names = [""] + [f"item {i}" for i in item]
    return Interactions(
        name="clicks",
        item=item,
        time=np.concatenate([np.sort(user) for user in times]),
        user_start=np.r_[0, np.cumsum(lengths)],
        category_of_item=np.r_[0, np.ones_like(item)],
        item_names=names,
        category_names=["", "a"],
        shown=np.stack([item + 100, item + 200], axis=1),
    )


def test_runs_by_hand():
    data = clicks([[0, 0, 1800, 3601, 3601], [3601, 3601]])
    assert runs_of_clicks(data, TIES).tolist() == [0, 0, 1, 2, 2, 3, 3]
    # 1,800 seconds belong to the session, 1,801 do not; a new user is a new run at any time.
    assert runs_of_clicks(data, SESSION).tolist() == [0, 0, 0, 1, 1, 2, 2]


times = st.lists(st.lists(st.integers(0, 8), min_size=2, max_size=9), min_size=1, max_size=5)


@given(times, st.integers(0, 3), st.integers(0, 5))
def test_each_run_keeps_its_clicks(times, seconds, seed):
    data = clicks(times)
    mixed = shuffle_within(data, seconds, seed)
    run = runs_of_clicks(data, seconds)
    for number in set(run):
        assert sorted(mixed.item[run == number]) == sorted(data.item[run == number])
    assert (runs_of_clicks(mixed, seconds) == run).all()
    for name in ("time", "user_start", "category_of_item"):
        assert (getattr(mixed, name) == getattr(data, name)).all()
    assert (mixed.shown == mixed.item[:, None] + [100, 200]).all(), "shown moves with its click"
    assert (data.item == np.arange(1, len(data.item) + 1)).all(), "the given data are as they were"


def test_every_order_of_a_run_is_as_likely():
    data = clicks([[5, 5, 5], [1, 2]])
    seen = [tuple(shuffle_within(data, TIES, seed).item) for seed in range(600)]
    counts = {order: seen.count(order) for order in set(seen)}
    assert len(counts) == 6 and all(order[3:] == (4, 5) for order in counts)
    assert min(counts.values()) > 60  # 100 expected, standard deviation 9


def test_a_seed_repeats_and_the_truth_is_dropped():
    data = interest_world(n_users=20, n_steps=10)
    first, again, other = (shuffle_within(data, 10**9, seed) for seed in (1, 1, 2))
    assert (first.item == again.item).all() and (first.item != other.item).any()
    assert data.truth and first.truth == {}
    assert first.fingerprint()["sha256"] != data.fingerprint()["sha256"]
