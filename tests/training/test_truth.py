"""The measures against the truth: each gives the known answer for a model built to have it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dien_edu.data import ctr_samples, load
from dien_edu.models import Trace
from dien_edu.training.truth import (
    attention_precision,
    interests_and_truth,
    movement,
    probe,
    relevance,
)


class Seer(torch.nn.Module):
    """Knows the truth (`share` of its attention on relevant steps) and moves on those only."""

    def __init__(self, samples, share):
        super().__init__()
        self.anchor = torch.nn.Parameter(torch.zeros(()))
        self.samples, self.share = samples, share

    def trace(self, batch):
        relevant = relevance(self.samples, batch)
        other = batch.mask & ~relevant
        attention = self.share * relevant / relevant.sum(1, keepdim=True).clamp(min=1)
        attention = attention + (1 - self.share) * other / other.sum(1, keepdim=True).clamp(min=1)
        evolved = (3.0 * relevant + 1.0 * other).cumsum(1)[..., None]
        interests = torch.nn.functional.one_hot(batch.history_item, 145).float()
        return Trace(attention=attention, evolved=evolved, interests=interests)


def test_relevance_is_the_interest_of_the_target(splits):
    for batch in splits.test.batches(32, negatives=False):
        same = batch.history_category == batch.target_category[:, None]
        assert (relevance(splits.test, batch) == (same & batch.mask)).all()


@pytest.mark.parametrize("share, top", [(0.9, 1), (0.0, 0)])
def test_precision_of_a_model_that_knows(splits, share, top):
    found = attention_precision(Seer(splits.test, share), splits.test)
    assert found["mass"] == pytest.approx(share, abs=1e-6)
    assert 0.2 < found["chance"] < 0.8
    assert found["top"] == pytest.approx(top, abs=0.15)


def test_precision_at_chance_for_uniform_attention(splits, new_model):
    model = new_model("augru")
    with torch.no_grad():
        model.attention.weight.zero_()
    found = attention_precision(model, splits.test)
    assert found["mass"] == pytest.approx(found["chance"], abs=1e-6)


def test_movement_of_a_model_that_moves_by_known_steps(splits):
    found = movement(Seer(splits.test, 1.0), splits.test)
    assert found == {"relevant": pytest.approx(3), "irrelevant": pytest.approx(1)}


def test_labels_stand_at_their_clicks(splits):
    state, label = interests_and_truth(Seer(splits.test, 1.0), splits.test)
    data = splits.test.interactions
    item = state.argmax(1)
    assert (data.truth["traits"][item, 0] == label["interest"]).all()
    clicks, users = len(data.item) // data.n_users, len(np.unique(splits.test.user))
    assert 0.7 * users * (clicks - 1) < len(state) < users * (clicks - 1)  # fillers are left out
    assert {len(values) for values in label.values()} == {len(state)}
    assert (label["next_interest"] == label["interest"]).mean() < 0.9


def test_next_interest_is_that_of_the_next_click():
    world = load("interest-world", n_users=40, n_steps=8, gap=0)
    test = ctr_samples(world).test
    _, label = interests_and_truth(Seer(test, 1.0), test)
    by_user = label["interest"].reshape(-1, 7)  # of 8 clicks the last has no next one
    after = label["next_interest"].reshape(-1, 7)
    assert (by_user[:, 1:] == after[:, :-1]).all()


def test_a_probe_reads_what_is_linear_and_no_more():
    rng = np.random.default_rng(0)
    state, other = rng.normal(size=(2, 2000, 4))
    for function, low, high in (
        (lambda s: (s @ [1, 2, 3, 4] > 0).astype(int), 0.95, 1.0),
        (lambda s: (s[:, 0] * s[:, 1] > 0).astype(int), 0.4, 0.6),
    ):
        assert low < probe(state, function(state), other, function(other)) <= high


def test_data_without_truth_are_refused(splits):

    blind = splits.test.subset(np.arange(4))
    blind.interactions = replace(blind.interactions, truth={})
    with pytest.raises(ValueError, match="no known truth"):
        relevance(blind, next(blind.batches(4, negatives=False)))
