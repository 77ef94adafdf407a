"""The oracle against numbers worked by hand and against identities of the paper's equations."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from dien_edu import reference

RNG = np.random.default_rng(0)
N_I, H, T = 3, 4, 6
WEIGHTS = RNG.normal(size=(3 * H, N_I)), RNG.normal(size=(3 * H, H)), RNG.normal(size=3 * H)
INPUTS, ATTENTION, STATE = RNG.normal(size=(T, N_I)), RNG.random(T), RNG.normal(size=H)


def test_a_step_by_hand():
    """One dimension, W = (1, 2, 3), U = (1, −1, 2), b = 0, i = 0.5, h = 0.2."""
    weights = np.array([[1.0], [2.0], [3.0]]), np.array([[1.0], [-1.0], [2.0]]), np.zeros(3)
    u, r, candidate = (g[0] for g in reference.gru_gates([0.5], np.array([0.2]), *weights))
    assert u == pytest.approx(1 / (1 + np.exp(-0.7)))
    assert r == pytest.approx(1 / (1 + np.exp(-0.8)))
    assert candidate == pytest.approx(np.tanh(1.5 + r * 0.4))
    h = reference.gru_step([0.5], np.array([0.2]), *weights)[0]
    assert h == pytest.approx((1 - u) * 0.2 + u * candidate)


def test_attention_of_one_is_a_plain_gru():
    plain = reference.gru(INPUTS, *WEIGHTS, STATE)
    ones = np.ones(T)
    np.testing.assert_array_equal(reference.augru(INPUTS, ones, *WEIGHTS, STATE), plain)
    np.testing.assert_array_equal(reference.aigru(INPUTS, ones, *WEIGHTS, STATE), plain)


def test_attention_of_zero_holds_augru_and_agru_but_not_aigru_nor_the_official_rule():
    zeros = np.zeros(T)
    for held in (reference.augru, reference.agru):
        assert (held(INPUTS, zeros, *WEIGHTS, STATE) == STATE).all()
    assert abs(reference.aigru(INPUTS, zeros, *WEIGHTS, STATE)[0] - STATE).max() > 0.1
    official = reference.official_augru(INPUTS, zeros, *WEIGHTS, STATE)
    np.testing.assert_allclose(official, reference.gru(INPUTS, *WEIGHTS, STATE), atol=1e-15)


def test_augru_is_between_a_gru_step_and_no_step():
    a, step = 0.3, reference.gru_step(INPUTS[0], STATE, *WEIGHTS)
    augru = reference.augru(INPUTS[:1], [a], *WEIGHTS, STATE)[0]
    np.testing.assert_allclose(augru, a * step + (1 - a) * STATE, atol=1e-15)


def test_the_official_rule_is_between_a_gru_step_and_the_candidate():
    a, step = 0.3, reference.gru_step(INPUTS[0], STATE, *WEIGHTS)
    candidate = reference.gru_gates(INPUTS[0], STATE, *WEIGHTS)[2]
    official = reference.official_augru(INPUTS[:1], [a], *WEIGHTS, STATE)[0]
    np.testing.assert_allclose(official, (1 - a) * step + a * candidate, atol=1e-15)


def test_budget_of_uniform_and_one_hot_attention():
    """From 0, Σ a = 1: uniform AGRU covers 1 − (1 − 1/T)^T of the way, one-hot all of it."""
    big = np.zeros((3, 1)), np.zeros((3, 1)), np.array([0.0, 0.0, 50.0])  # candidate is 1
    for steps in (2, 10, 1000):
        state = reference.agru(np.zeros((steps, 1)), np.full(steps, 1 / steps), *big)[-1, 0]
        assert state == pytest.approx(1 - (1 - 1 / steps) ** steps)
    assert reference.agru(np.zeros((1, 1)), [1.0], *big)[0, 0] == pytest.approx(1)


def test_attention_weights_by_hand():
    weights = reference.attention_weights([[1.0], [2.0], [0.0]], [1.0], [[np.log(2)]])
    np.testing.assert_allclose(weights, np.array([2, 4, 1]) / 7)
    assert reference.attention_weights(np.zeros((0, 2)), [1.0], np.ones((2, 1))).shape == (0,)


def test_auxiliary_loss_by_hand():
    h, clicked, skipped = [[2.0], [9.0]], [[9.0], [1.0]], [[9.0], [-0.5]]
    expected = np.log(1 + np.exp(-2)) + np.log(1 + np.exp(-1))
    assert reference.auxiliary_loss(h, clicked, skipped) == pytest.approx(expected)
    assert reference.auxiliary_loss(np.zeros((4, 2)), RNG.normal(size=(4, 2)), np.ones((4, 2))) == (
        pytest.approx(np.log(4))
    )
    assert reference.auxiliary_loss([[1.0]], [[1.0]], [[1.0]]) == 0


def test_losses():
    assert reference.target_loss([0.8, 0.4], [1, 0]) == pytest.approx(-np.log([0.8, 0.6]).mean())
    assert reference.total_loss(0.5, 0.25, 2) == 1.0
    assert reference.log_sigmoid(-1000.0) == -1000.0


def test_imports_numpy_only():
    tree = ast.parse(Path(reference.__file__).read_text(encoding="utf8"))
    modules = {getattr(n, "module", None) or n.names[0].name for n in ast.walk(tree)
               if isinstance(n, ast.Import | ast.ImportFrom)}  # fmt: skip
    assert modules == {"__future__", "numpy", "numpy.typing"}
