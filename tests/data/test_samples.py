"""Samples, splits and batches, against a plain loop over the same clicks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dien_edu.data import Batch, Interactions, ctr_samples
from dien_edu.data.world import interest_world

FIELDS = ("user", "history_item", "history_category", "history_length", "target_item",
          "target_category", "label", "mask", "negative_item", "negative_category")  # fmt: skip


def small(lengths=(3, 2, 6, 4, 9, 2, 5, 3, 2, 7), n_items=30, seed=0) -> Interactions:
    rng = np.random.default_rng(seed)
    items = [rng.choice(n_items, size=n, replace=True) + 1 for n in lengths]
    return Interactions(
        name="small",
        item=np.concatenate(items),
        time=np.concatenate([np.arange(n) for n in lengths]),
        user_start=np.r_[0, np.cumsum(lengths)],
        category_of_item=np.r_[0, rng.integers(1, 5, n_items)],
        item_names=[""] + [f"item {i}" for i in range(1, n_items + 1)],
        category_names=["", "a", "b", "c", "d"],
    )


def test_every_prefix_is_a_sample_with_its_history():
    data = small()
    seen = 0
    for samples in ctr_samples(data, max_history=4):
        for batch in samples.batches(7):
            for row in range(len(batch)):
                seen += 1
                user, length = int(batch.user[row]), int(batch.history_length[row])
                clicks = data.item[data.user_start[user] : data.user_start[user + 1]]
                history = batch.history_item[row, :length].tolist()
                places = [
                    end
                    for end in range(1, len(clicks))
                    if clicks[max(end - 4, 0) : end].tolist() == history
                ]
                assert places, "the history is a run of the user's clicks, cut to the last 4"
                if batch.label[row] == 1:
                    assert int(batch.target_item[row]) in clicks[places]
                assert (batch.history_item[row, length:] == 0).all()
                assert (batch.negative_item[row, length:] == 0).all()
    assert seen == 2 * (len(data.item) - data.n_users)


def test_split_by_user():
    data = interest_world(n_users=100, n_steps=5)
    splits = ctr_samples(data)
    users = [set(part.user) for part in splits]
    assert [len(u) for u in users] == [80, 10, 10]
    assert set.union(*users) == set(range(100))
    again, other = ctr_samples(data), ctr_samples(data, seed=1)
    assert (again.test.target == splits.test.target).all()
    assert set(other.test.user) != users[2]


@pytest.mark.parametrize("sampler", ["popularity", "uniform"])
def test_non_clicks_are_never_the_users_own(sampler):
    data = small()
    own = [set(data.item[a:b]) for a, b in zip(data.user_start, data.user_start[1:], strict=False)]
    for samples in ctr_samples(data, sampler=sampler):
        for epoch in range(3):
            for batch in samples.batches(16, shuffle=(0, epoch)):
                skipped = batch.target_item[batch.label == 0].tolist()
                for user, item in zip(batch.user[batch.label == 0].tolist(), skipped, strict=True):
                    assert item not in own[user]
                for row, user in enumerate(batch.user.tolist()):
                    drawn = batch.negative_item[row, : batch.history_length[row]].tolist()
                    assert not set(drawn) & own[user] and 0 not in drawn


def test_samplers_draw_as_they_say():
    """20,000 users: the shares of drawn items are those of the clicks, or flat, within 5 sd."""
    rng = np.random.default_rng(0)
    n_items, users = 50, 20_000
    weight = np.arange(1, n_items + 1) / np.arange(1, n_items + 1).sum()
    item = rng.choice(n_items, size=2 * users, p=weight) + 1
    data = Interactions("many", item, np.tile([0, 1], users), np.arange(users + 1) * 2,
                        np.r_[0, np.ones(n_items, dtype=int)], [""] * 51, ["", "a"])  # fmt: skip
    for sampler, expected in (("popularity", weight), ("uniform", np.full(50, 1 / 50))):
        part = ctr_samples(data, sampler=sampler).train
        drawn = np.bincount(part.target[part.label == 0], minlength=51)[1:]
        n = drawn.sum()
        # a user's own two items are left out, which shifts a share by at most a tenth of itself
        assert (abs(drawn / n - expected) < 5 * np.sqrt(expected / n) + 0.1 * expected).all()


def test_impressions_are_those_of_the_very_step():
    data = interest_world(n_users=20, n_steps=6)
    part = ctr_samples(data).train
    skipped = part.label == 0
    for event, target in zip(part.event[skipped], part.target[skipped], strict=True):
        assert target in data.shown[event]
    with pytest.raises(ValueError, match=r"small records no impressions: use sampler='popularity'"):
        ctr_samples(small(), sampler="impressions")


def test_a_function_is_a_sampler():
    part = ctr_samples(small(), sampler=lambda data, events, rng: np.full(len(events), 7)).train
    assert set(part.target[part.label == 0]) == {7}


def test_non_clicks_are_redrawn_each_epoch_and_repeat_for_a_seed():
    samples = ctr_samples(interest_world(n_users=50, n_steps=10)).train

    def drawn(*shuffle):
        batches = list(samples.batches(32, shuffle=shuffle))
        return torch.cat([b.negative_item.sum(dim=1) for b in batches]).sort().values

    assert torch.equal(drawn(0, 0), drawn(0, 0))
    assert not torch.equal(drawn(0, 0), drawn(0, 1))
    assert not torch.equal(drawn(0, 0), drawn(1, 0))


def test_batches_hold_every_sample_once_and_for_scoring_little_padding():
    samples = ctr_samples(interest_world(n_users=300, n_steps=40), max_history=40).train
    for shuffle in (None, (0, 0)):
        batches = list(samples.batches(64, shuffle=shuffle))
        keys = torch.cat([b.user * 1000 + b.target_item for b in batches])
        assert sorted(keys.tolist()) == sorted((samples.user * 1000 + samples.target).tolist())
        real = sum(int(b.mask.sum()) for b in batches) / sum(b.mask.numel() for b in batches)
        assert shuffle or real > 0.95
    orders = [next(iter(samples.batches(64, shuffle=(0, epoch)))).user for epoch in (0, 1)]
    assert not torch.equal(*orders)


def test_a_batch_has_the_shapes_and_types_of_the_book():
    batch = next(iter(ctr_samples(small()).train.batches(5)))
    rows, steps = batch.history_item.shape
    assert rows == 5 and len(batch) == 5
    for name in FIELDS:
        tensor = getattr(batch, name)
        assert tensor.shape in {(rows, steps), (rows,)}
        wanted = {"label": torch.float32, "mask": torch.bool}.get(name, torch.int64)
        assert tensor.dtype == wanted, name
    assert torch.equal(batch.mask.sum(dim=1), batch.history_length)
    bare = next(iter(ctr_samples(small()).train.batches(5, negatives=False)))
    assert bare.negative_item is None and bare.to("cpu").negative_category is None


@pytest.mark.gpu
def test_batches_are_made_on_the_device():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    batch = next(iter(ctr_samples(small()).train.batches(5, device="cuda")))
    assert all(getattr(batch, name).is_cuda for name in FIELDS)


def test_left_padded_history_is_refused():
    ones = torch.ones(1, dtype=torch.int64)
    history = torch.tensor([[0, 0, 5]])
    with pytest.raises(ValueError, match="RIGHT"):
        Batch(ones, history, history, ones, ones, ones, ones.float())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_history": 0}, "max_history is 0, expected at least 1"),
        (
            {"sampler": "hard"},
            "sampler is 'hard', expected popularity, uniform, impressions, user_im",
        ),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        ctr_samples(small(), **options)


def test_users_that_cannot_be_split_or_sampled_are_named():
    with pytest.raises(ValueError, match=r"user 1 has 1 click\(s\), expected at least 2"):
        ctr_samples(small((3, 1, 3, 3, 3, 3, 3, 3, 3, 3)))
    with pytest.raises(ValueError, match="9 users, expected 10 or more"):
        ctr_samples(small((3,) * 9))
    with pytest.raises(ValueError, match="found no item that user 0 did not click"):
        ctr_samples(small((40,) * 10, n_items=2))
    with pytest.raises(ValueError, match="batch_size is 0"):
        next(ctr_samples(small()).train.batches(0))


def test_a_training_batch_is_a_random_draw():
    """Batches of one length spoil what Dice learns from them: see the order of `Samples`."""
    train = ctr_samples(interest_world(n_users=200)).train
    batches = train.batches(64, shuffle=(0, 0), negatives=False)
    means = [batch.history_length.float().mean().item() for batch in batches]
    spread = train.length.std() / 8  # of the mean of 64 draws
    assert np.std(means[:-1]) < 1.5 * spread
