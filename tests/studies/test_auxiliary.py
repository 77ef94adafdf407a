"""The study of the auxiliary loss: its non-clicks, its divisions, its measures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dien_edu.data import ctr_samples, load
from dien_edu.layers import AuxiliaryLoss
from dien_edu.models import DIEN
from studies import auxiliary


@pytest.fixture(scope="module")
def world():
    return load("interest-world", n_users=60)


def test_a_lie_is_a_click_to_come_and_the_rest_was_shown(world):
    events = np.arange(len(world.item))
    honest = 0.0  # an item shown now may be clicked later without any lying
    for share in (0.0, 0.5, 1.0):
        drawn = auxiliary.clicked_later(share)(world, events, np.random.default_rng(0))
        was_shown = (world.shown == drawn[:, None]).any(axis=1)
        ends = world.user_start[world.user + 1]
        to_come = np.array([drawn[n] in world.item[n + 1 : ends[n]] for n in events])
        assert (was_shown | to_come).all()
        last = events + 1 == ends
        assert was_shown[last].all()
        honest = to_come[~last].mean() if share == 0 else honest
        assert to_come[~last].mean() == pytest.approx(share + (1 - share) * honest, abs=0.05)
        assert share < 1 or to_come[~last].all()


def test_an_item_wanted_as_well_is_of_the_same_interest_and_stage(world):
    events = np.flatnonzero(world.truth["relevant"])
    draw = auxiliary.wanted_as_well(1.0)
    traits = world.truth["traits"][draw(world, events, np.random.default_rng(0))]
    for n, key in enumerate(("interest", "stage")):
        assert (traits[:, n] == world.truth[key][events]).all()
    preferred = (traits[:, 2] == world.truth["tier"][events]).mean()
    clicked = world.truth["traits"][world.item[events], 2] == world.truth["tier"][events]
    assert preferred == pytest.approx(clicked.mean(), abs=0.06)
    honest = auxiliary.wanted_as_well(0.0)(world, events, np.random.default_rng(0))
    assert (world.shown[events] == honest[:, None]).any(axis=1).all()


def test_other_non_clicks_leave_the_questions_alone(world):
    samples = ctr_samples(world).train
    changed = auxiliary.with_negatives(samples, auxiliary.clicked_later(1.0))
    pairs = zip(*(s.batches(64, shuffle=(0, 0)) for s in (samples, changed)), strict=True)
    for one, other in pairs:
        assert torch.equal(one.target_item, other.target_item)
        assert torch.equal(one.history_item, other.history_item)
        assert not torch.equal(one.negative_item, other.negative_item)


def test_the_sum_over_steps_is_equation_6():
    torch.manual_seed(0)
    states, clicks, others = torch.randn(3, 2, 4, 6)
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    rows = [slice(0, 1), slice(1, 2)]
    mean = AuxiliaryLoss("inner")
    by_row = [mean(states[r], clicks[r], others[r], mask[r]) for r in rows]
    summed = auxiliary.SumOverSteps("inner")(states, clicks, others, mask)
    assert summed.item() == pytest.approx((3 * by_row[0] + 1 * by_row[1]).item() / 2, rel=1e-6)


def test_purity_of_embeddings_that_know_and_that_do_not(world):
    model = DIEN(world.n_items, world.n_categories)
    items = np.arange(1, world.n_items + 1)
    untrained = auxiliary.purity(model, world, items)
    assert untrained["purity"] == pytest.approx(untrained["chance"], abs=0.05)
    with torch.no_grad():
        kind = torch.from_numpy(world.category_of_item)
        model.embedding.item.weight.copy_(torch.nn.functional.one_hot(kind, 18).float())
    assert auxiliary.purity(model, world, items)["purity"] == 1


def test_the_other_interest_is_one_that_the_user_left(world):
    samples = ctr_samples(world).train
    left = auxiliary.other_interest(samples).interactions.truth["interest"]
    interest, relevant = world.truth["interest"], world.truth["relevant"]
    for user in range(20):
        mine = slice(*world.user_start[user : user + 2])
        for n in np.flatnonzero(relevant[mine]):
            earlier = set(interest[mine][: n + 1][relevant[mine][: n + 1]])
            known = left[mine][n]
            assert known != interest[mine][n]
            assert (known in earlier) if len(earlier) > 1 else known == -1


def test_gradients_add_up_to_those_of_training(world):
    torch.manual_seed(0)
    model = DIEN(world.n_items, world.n_categories)
    full = ctr_samples(world, max_history=5).train
    full = full.subset(np.flatnonzero(full.length == 5))
    batch = next(full.batches(1, shuffle=(0,)))
    found = auxiliary.gradients(model, batch)
    assert {len(norms) for norms in found.values()} == {5}
    assert found["auxiliary_state"][-1] == 0  # the last state is asked nothing
    assert min(found["auxiliary_state"][:-1]) > 0
    assert len(set(found["target_sum"])) == 1  # a sum treats all steps alike
    assert vars(model).get("embed") is None  # the model is left as it was


def test_the_next_item_is_found_by_a_state_that_points_to_it(world):
    parts = ctr_samples(world)
    found = auxiliary.next_item(DIEN(world.n_items, world.n_categories), parts)
    assert 0.35 < found["as_is"]["rank"] < 0.75
    assert found["fitted"]["rank"] > 0.6
