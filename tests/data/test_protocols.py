"""The paper's protocol, step by step, and the non-clicks that it and impressions give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dien_edu.data import Interactions, ctr_samples
from dien_edu.data.samples import PROTOCOLS, SAMPLERS
from dien_edu.data.world import interest_world
from dien_edu.training.record import how_sampled


def drawn(n_users=2000, n_items=40, seed=0) -> Interactions:
    """Users with 2 to 12 clicks; item i is clicked about i times as often as item 1."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(2, 13, size=n_users)
    weight = np.arange(1, n_items + 1)
    return Interactions(
        name="drawn",
        item=rng.choice(n_items, size=lengths.sum(), p=weight / weight.sum()) + 1,
        time=np.arange(lengths.sum()),
        user_start=np.r_[0, np.cumsum(lengths)],
        category_of_item=np.r_[0, 1 + np.arange(n_items) % 7],
        item_names=[""] + [f"item {i}" for i in range(1, n_items + 1)],
        category_names=["", *"abcdefg"],
    )


@pytest.fixture(scope="module")
def data() -> Interactions:
    return drawn()


@pytest.fixture(scope="module")
def splits(data):
    return ctr_samples(data, protocol="paper")


def test_one_positive_and_one_negative_of_each_users_last_click(data, splits):
    events = np.concatenate([part.event for part in splits])
    assert sorted(events) == sorted(np.repeat(data.user_start[1:] - 1, 2))
    for part in splits:
        half = len(part) // 2
        assert part.label.tolist() == [1] * half + [0] * half
        assert (part.event[:half] == part.event[half:]).all()
        assert (part.target[:half] == data.item[part.event[:half]]).all()


def test_the_history_is_all_that_came_before(data):
    for part in ctr_samples(data, protocol="paper"):
        for batch in part.batches(64):
            for row, user in enumerate(batch.user.tolist()):
                clicks = data.item[data.user_start[user] : data.user_start[user + 1] - 1]
                seen = batch.history_item[row, : int(batch.history_length[row])]
                assert seen.tolist() == part.known[clicks].tolist()


def test_histories_are_cut_where_the_papers_code_cuts():
    items = np.tile(np.arange(1, 151), 40)
    many = replace(
        drawn(), item=items, time=np.arange(6000), user_start=np.arange(41) * 150,
        category_of_item=np.r_[0, np.ones(150, int)], item_names=[""] * 151,
    )  # fmt: skip
    assert set(ctr_samples(many, protocol="paper").train.length) == {100}
    assert set(ctr_samples(many, protocol="paper", max_history=7).train.length) == {7}
    assert ctr_samples(many, sampler="any_click").train.length.max() == 50


def test_a_negative_is_any_other_click_even_an_own_one(data, splits):
    part = splits.train
    half = len(part) // 2
    positive, negative, user = part.target[:half], part.target[half:], part.user[half:]
    assert (positive != negative).all()
    own = [set(data.item[a:b]) for a, b in zip(data.user_start, data.user_start[1:], strict=False)]
    assert sum(n in own[u] for n, u in zip(negative, user, strict=True)) > half / 20


def test_a_negative_is_drawn_as_often_as_it_is_clicked():
    wide = drawn(n_users=20_000)
    share = np.bincount(wide.item, minlength=41)[1:] / len(wide.item)
    part = ctr_samples(wide, protocol="paper").train
    half = len(part) // 2
    kept = np.bincount(part.target[half:], minlength=41)[1:] / half
    # A positive refuses itself, which takes at most its own share from an item's share.
    assert (abs(kept - share) < 5 * np.sqrt(share / half) + share.max() * share).all()


def test_a_tenth_of_the_users_is_test_and_a_tenth_of_the_rest_validation():
    wide = drawn(n_users=20_000)
    both = [ctr_samples(wide, protocol="paper", seed=seed) for seed in (0, 1)]
    sizes = np.array([[len(part) / 2 for part in splits] for splits in both])
    shares = np.array([0.81, 0.09, 0.1])
    assert (sizes.sum(axis=1) == 20_000).all()
    assert (abs(sizes - 20_000 * shares) < 5 * np.sqrt(20_000 * shares * (1 - shares))).all()
    assert (sizes[0] != sizes[1]).all(), "each user is drawn, so the sizes vary with the seed"
    users = [set(part.user) for part in both[0]]
    assert not users[0] & users[1] and not users[0] & users[2] and not users[1] & users[2]


def test_the_vocabulary_is_that_of_the_training_users(data):
    """Items 41 and 42 occur with test users only; 42 has a category that nobody else has."""
    rare = replace(
        data,
        category_of_item=np.r_[data.category_of_item, 3, 8],
        item_names=[*data.item_names, "41", "42"],
        category_names=[*data.category_names, "h"],
    )
    before = ctr_samples(rare, protocol="paper")
    start = data.user_start[before.test.user[:2]]
    item = data.item.copy()
    item[start] = 41, 42
    # Without the two in the negatives of training: those would be in the vocabulary.
    after = ctr_samples(replace(rare, item=item), protocol="paper")
    assert not np.isin(after.train.target, [41, 42]).any()
    for part in after:
        assert part.known.tolist() == [*range(41), 0, 0]
        assert part.category[41:].tolist() == [3, 0], "a known category of an unknown item stays"
    for batch in after.test.batches(32):
        for row, user in enumerate(batch.user.tolist()):
            if user in after.test.user[:2]:
                known = user == after.test.user[0]
                assert batch.history_item[row, 0] == 0
                assert batch.history_category[row, 0] == (3 if known else 0)
                assert batch.mask[row, 0], "unknown is not padding: the step counts"


def test_a_negative_of_training_is_in_the_vocabulary(data):
    """As in the code, whose vocabulary is counted over the lines of the file of samples."""
    item = data.item.copy()
    never = np.where(item == 40, 39, item)  # nobody clicks item 40
    clicked = replace(data, item=never)
    for sampler, known in (("any_click", 0), (lambda d, e, rng: np.full(len(e), 40), 40)):
        part = ctr_samples(clicked, protocol="paper", sampler=sampler).test
        assert part.known[40] == known and part.category[40] == clicked.category_of_item[40]


def test_non_clicks_of_the_history_are_new_in_each_epoch(data):
    """One a step, any click of all users, an own one too, but never the step's own item."""
    part = ctr_samples(data, protocol="paper").train
    own = [set(data.item[a:b]) for a, b in zip(data.user_start, data.user_start[1:], strict=False)]
    sums, own_items, steps, counts = [], 0, 0, np.zeros(41)
    for epoch in range(3):
        total = 0
        for batch in part.batches(64, shuffle=(0, epoch)):
            real = batch.mask
            assert (batch.negative_item[real] != batch.history_item[real]).all()
            total += int(batch.negative_item[real].sum())
            counts += np.bincount(batch.negative_item[real], minlength=41)
            for row, user in enumerate(batch.user.tolist()):
                found = batch.negative_item[row][real[row]].tolist()
                own_items += sum(item in own[user] for item in found)
                steps += len(found)
        sums.append(total)
    assert len(set(sums)) == 3 and own_items > steps / 20
    share = np.bincount(data.item, minlength=41)[1:] / len(data.item)
    error = 5 * np.sqrt(share / steps) + share.max() * share
    assert (abs(counts[1:] / steps - share) < error).all()


def test_the_default_is_the_books_protocol(data):
    default, named = ctr_samples(data), ctr_samples(data, protocol="book")
    for first, second in zip(default, named, strict=True):
        assert (first.target == second.target).all() and (first.event == second.event).all()
    assert len(default.train) == 2 * sum(
        np.diff(data.user_start)[np.unique(default.train.user)] - 1
    )
    assert (default.test.known == np.arange(41)).all()


def test_the_record_says_which_protocol(data, splits):
    assert how_sampled(splits.train) == {
        "protocol": "paper",
        "split": {"by": "user", "shares": [0.81, 0.09, 0.1], "seed": 0},
        "samples": {"every_prefix": False, "max_history": 100},
        "negatives": "any_click",
    }
    made = how_sampled(ctr_samples(data).train)
    assert made["protocol"] == "book" and made["samples"]["every_prefix"]


def test_what_goes_wrong_is_named():
    with pytest.raises(ValueError, match="protocol is 'din', expected book or paper: cho"):
        ctr_samples(drawn(20), protocol="din")
    message = r"a part of drawn has no samples \[\d+, \d+, 0\]: take another seed, or more users"
    with pytest.raises(ValueError, match=message):  # chance gives 12 users no test user, 1 in 4
        for seed in range(100):
            ctr_samples(drawn(12), protocol="paper", seed=seed)
    one = replace(drawn(500), item=np.ones_like(drawn(500).item))
    with pytest.raises(ValueError, match="found no item that user 0 did not click"):
        ctr_samples(one, protocol="paper")


# Non-clicks from impressions


def shown_to(*users: list[tuple[int, list[int]]]) -> Interactions:
    """Users with clicks: an item and what was shown beside it."""
    lengths = [len(user) for user in users]
    clicks = [click for user in users for click in user]
    shown = np.zeros((len(clicks), 3), dtype=np.int64)
    for row, (_, skipped) in enumerate(clicks):
        shown[row, : len(skipped)] = skipped
    return replace(
        drawn(), item=np.array([item for item, _ in clicks]), time=np.arange(len(clicks)),
        user_start=np.r_[0, np.cumsum(lengths)], shown=shown,
    )  # fmt: skip


# User 0 clicks 1, 2, 3 and was shown 2, 7, 8, 9; user 1 was shown nothing but an own item.
FEW = shown_to([(1, []), (2, [7]), (3, [2, 8, 9])], [(10, []), (11, [10])], [(10, [12]), (10, [])])


def items_of(sampler: str, event: int) -> set[int]:
    found = SAMPLERS[sampler](FEW, np.full(3000, event), np.random.default_rng(0))
    return set(found.tolist())


@pytest.mark.parametrize(
    ("event", "same", "all_own"),
    [
        (0, {10, 11}, {7, 8, 9}),  # no impression: by popularity, never an own item
        (1, {7}, {7, 8, 9}),
        (2, {2, 8, 9}, {7, 8, 9}),  # 2 was not clicked here, but earlier
        (3, {1, 2, 3}, {1, 2, 3}),
        (4, {10}, {1, 2, 3}),  # all that was shown is an own item
        (5, {12}, {12}),
        (6, {1, 2, 3, 11}, {12}),
    ],
)
def test_where_impressions_give_non_clicks(event, same, all_own):
    assert items_of("impressions", event) == same
    assert items_of("user_impressions", event) == all_own


def test_every_shown_item_is_as_likely():
    events, rng = np.full(9000, 2), np.random.default_rng(0)
    for sampler, items in (("impressions", (2, 8, 9)), ("user_impressions", (7, 8, 9))):
        counts = np.bincount(SAMPLERS[sampler](FEW, events, rng), minlength=10)[list(items)]
        assert (abs(counts - 3000) < 5 * np.sqrt(2000)).all()


def test_both_ways_serve_training():
    data = interest_world(n_users=60, n_steps=8)
    for name in ("impressions", "user_impressions"):
        splits = ctr_samples(data, sampler=name)
        assert how_sampled(splits.train)["negatives"] == name
        for batch in splits.train.batches(64):
            assert (batch.negative_item[batch.mask] > 0).all()
            assert torch.isfinite(batch.label).all()
    with pytest.raises(ValueError, match="drawn records no impressions: use sampler='popularity'"):
        ctr_samples(drawn(), sampler="user_impressions")


def test_names():
    assert list(PROTOCOLS) == ["book", "paper"]
    assert list(SAMPLERS) == [
        "popularity", "uniform", "impressions", "user_impressions", "any_click",
    ]  # fmt: skip
