"""interest-world generates what it documents; each statistic is held to its knob."""

from __future__ import annotations

import numpy as np
import pytest

from dien_edu.data import load
from dien_edu.data.world import CATALOGUE, STAGES, TIERS, catalogue, interest_world, item_number

USERS, STEPS = 3000, 30


def make(**knobs):
    world = interest_world(n_users=USERS, n_steps=STEPS, **{"drift": 0, **knobs})
    return world, {k: v.reshape(USERS, STEPS) for k, v in world.truth.items() if k != "traits"}


def test_catalogue_is_readable_and_whole():
    names, traits = catalogue()
    assert len(CATALOGUE) >= 12 and STAGES >= 6
    assert len(set(names)) == len(names) == 1 + len(CATALOGUE) * STAGES * len(TIERS)
    assert "tripod (premium)" in names
    numbers = item_number(*traits[1:].T)
    assert (numbers == np.arange(1, len(names))).all()


def test_same_seed_same_world():
    a, b, c = (interest_world(n_users=50, seed=s) for s in (0, 0, 1))
    assert a.fingerprint() == b.fingerprint() != c.fingerprint()
    assert (a.shown == b.shown).all()
    assert load("interest-world", n_users=50).fingerprint() == a.fingerprint()


def test_shapes_agree():
    world = interest_world(n_users=7, n_steps=5, n_shown=3)
    assert world.item.shape == world.time.shape == (35,)
    assert world.shown.shape == (35, 3)
    assert (np.diff(world.user_start) == 5).all() and world.n_users == 7
    assert world.category_names[1] == "photography"


@pytest.mark.parametrize(("order", "expected"), [(1.0, 1.0), (0.5, 0.5 + 0.5 / 6), (0.0, 1 / 6)])
def test_order_is_the_share_of_stages_that_follow(order, expected):
    _, truth = make(order=order, gap=0, interests_per_user=1)
    following = (truth["stage"][:, 1:] - truth["stage"][:, :-1]) % STAGES == 1
    assert following.mean() == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("interleaving", [0.0, 0.3, 1.0])
def test_interleaving_is_the_share_of_switches(interleaving):
    _, truth = make(interleaving=interleaving, gap=0)
    switched = truth["interest"][:, 1:] != truth["interest"][:, :-1]
    assert switched.mean() == pytest.approx(interleaving, abs=0.01)


@pytest.mark.parametrize("gap", [0.0, 0.5, 2.0])
def test_gap_is_the_mean_run_of_irrelevant_clicks(gap):
    _, truth = make(gap=gap)
    irrelevant = (~truth["relevant"]).mean()
    assert irrelevant / (1 - irrelevant) == pytest.approx(gap, abs=0.05)


def test_irrelevant_clicks_are_of_interests_the_user_does_not_have():
    _, truth = make(gap=1.0)
    for user in range(50):
        mine = set(truth["interest"][user][truth["relevant"][user]])
        others = set(truth["interest"][user][~truth["relevant"][user]])
        assert len(mine) <= 3 and not mine & others


def test_a_stage_advances_with_relevant_clicks_only():
    world, truth = make(order=1.0, gap=1.0, noise=0, interests_per_user=1)
    stage = np.cumsum(truth["relevant"], axis=1) - truth["relevant"]
    assert (truth["stage"] == stage % STAGES)[truth["relevant"]].all()
    clicked = world.truth["traits"][world.item, 1].reshape(USERS, STEPS)
    assert (clicked == truth["stage"])[truth["relevant"]].all()


@pytest.mark.parametrize("noise", [0.0, 0.4])
def test_tier_is_weak_evidence_and_noise_hides_both_traits(noise):
    world, truth = make(noise=noise, gap=0)
    traits = world.truth["traits"][world.item].reshape(USERS, STEPS, 3)
    right_tier = (1 - noise) * (0.6 + 0.4 / len(TIERS)) + noise / len(TIERS)
    assert (traits[..., 2] == truth["tier"]).mean() == pytest.approx(right_tier, abs=0.01)
    right_stage = 1 - noise + noise / STAGES
    assert (traits[..., 1] == truth["stage"]).mean() == pytest.approx(right_stage, abs=0.01)


@pytest.mark.parametrize("slow", [0.0, 0.25, 1.0])
def test_slow_is_the_share_of_shown_items_that_differ_in_tier(slow):
    world, _ = make(slow=slow)
    traits = world.truth["traits"]
    clicked, shown = traits[world.item][:, None], traits[world.shown]
    assert (shown[..., 0] == clicked[..., 0]).all(), "shown items are of the click's interest"
    differs = shown[..., 1:] != clicked[..., 1:]
    assert (differs.sum(axis=-1) == 1).all(), "in exactly one trait"
    assert differs[..., 1].mean() == pytest.approx(slow, abs=0.01)


def test_drift_replaces_interests():
    _, still = make(gap=0, interleaving=1.0)
    _, moving = make(gap=0, interleaving=1.0, drift=0.2)
    count = [np.mean([len(set(row)) for row in t["interest"]]) for t in (still, moving)]
    assert count[0] <= 3 < count[1]


@pytest.mark.parametrize(
    ("knob", "message"),
    [
        ({"order": 1.5}, "order is 1.5, expected 0 to 1"),
        ({"gap": -1}, "gap is -1, expected 0 or more"),
        ({"interests_per_user": 12}, "interests_per_user is 12, expected 1 to 11"),
        ({"n_steps": 1}, "n_steps is 1, expected 2 or more"),
    ],
)
def test_a_knob_out_of_range_is_named(knob, message):
    with pytest.raises(ValueError, match=message):
        interest_world(**knob)


def test_no_loop_over_users(monkeypatch):
    """The generator draws for all users at once: as many draws for 10 users as for 1,000."""
    calls = []

    class Counting(np.random.Generator):
        def random(self, *a, **k):
            calls.append(1)
            return super().random(*a, **k)

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Counting(np.random.PCG64(seed)))
    interest_world(n_users=10, n_steps=5)
    per_world = len(calls)
    interest_world(n_users=1000, n_steps=5)
    assert len(calls) == 2 * per_world
