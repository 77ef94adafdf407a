"""Equation (8): against the oracle, on padding, on nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import right_padded
from hypothesis import given, settings
from hypothesis import strategies as st

from dien_edu import reference
from dien_edu.layers import BilinearAttention


def make(hidden_size=4, target_size=3, seed=0):
    torch.manual_seed(seed)
    return BilinearAttention(hidden_size, target_size).double()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=4), st.integers(1, 6), st.integers(1, 6))
def test_equals_the_equation(lengths, hidden_size, target_size):
    layer, steps = make(hidden_size, target_size), max(lengths) + 1
    interests = torch.randn(len(lengths), steps, hidden_size).double()
    target = torch.randn(len(lengths), target_size).double()
    mask = right_padded(lengths, steps)
    weights = layer(interests, target, mask).detach().numpy()
    for row, length in enumerate(lengths):
        expected = reference.attention_weights(
            interests[row, :length].numpy(), target[row].numpy(), layer.weight.detach().numpy()
        )
        np.testing.assert_allclose(weights[row, :length], expected, rtol=0, atol=1e-10)
        assert (weights[row, length:] == 0).all()
        assert weights[row].sum() == pytest.approx(1.0 if length else 0.0)


def test_gradients_and_an_empty_history():
    layer, mask = make(), right_padded([3, 1, 0], 4)
    interests = torch.randn(3, 4, 4, dtype=torch.float64, requires_grad=True)
    target = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda i, t: layer(i, t, mask), (interests, target))
    layer(interests, target, mask).square().sum().backward()
    assert (interests.grad[~mask] == 0).all()
    assert all(torch.isfinite(t.grad).all() for t in (interests, target, layer.weight))


def test_no_steps_at_all():
    interests, target = torch.zeros(2, 0, 4).double(), torch.zeros(2, 3).double()
    weights = make()(interests, target, right_padded([0, 0], 0))
    assert weights.shape == (2, 0)


def test_large_scores_do_not_overflow():
    layer = make()
    interests, target = 1e4 * torch.randn(2, 3, 4).double(), torch.ones(2, 3).double()
    weights = layer(interests, target, right_padded([3, 3], 3))
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(2).double())


def test_wrong_arguments_are_named():
    layer, interests, target = make(), torch.zeros(2, 3, 4).double(), torch.zeros(2, 3).double()
    with pytest.raises(ValueError, match=r"target has shape \(2, 2\), expected \(2, 3\)"):
        layer(interests, target[:, :2], right_padded([3, 3], 3))
    with pytest.raises(
        ValueError, match=r"interests has shape \(2, 3, 5\), expected \(any, any, 4"
    ):
        layer(torch.zeros(2, 3, 5).double(), target, right_padded([3, 3], 3))
    with pytest.raises(ValueError, match="RIGHT"):
        layer(interests, target, right_padded([1, 3], 3).flip(1))


def test_initialisation_is_as_documented():
    torch.manual_seed(0)
    layer = BilinearAttention(20, 30)
    bound = (6 / 50) ** 0.5
    assert layer.weight.shape == (20, 30) and layer.weight.requires_grad
    assert bound * 0.98 < layer.weight.abs().max() <= bound
