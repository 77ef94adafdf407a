"""AUC, GAUC and log loss against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from dien_edu.training import auc, gauc, log_loss


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 200), st.integers(1, 50), st.integers(0, 1000))
def test_auc_is_scikit_learns(n, levels, seed):
    """Few levels make many ties; the two agree to 1e-12."""
    rng = np.random.default_rng(seed)
    label = rng.permutation(np.arange(n) < rng.integers(1, n))
    score = rng.integers(levels, size=n) / levels
    assert auc(label, score) == pytest.approx(sklearn.roc_auc_score(label, score), abs=1e-12)


def test_auc_by_hand():
    assert auc([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]) == 0.75
    assert auc([1, 0], [0.5, 0.5]) == 0.5


def test_gauc_weighs_users_by_their_samples_and_leaves_out_one_sided_ones():
    user = np.array([1, 1, 2, 2, 2, 2, 3, 3])
    label = np.array([1, 0, 1, 0, 1, 0, 1, 1])
    score = np.array([0.1, 0.9, 0.9, 0.8, 0.7, 0.1, 0.5, 0.5])
    assert gauc(user, label, score) == pytest.approx((2 * 0.0 + 4 * 0.75) / 6)
    order = np.random.default_rng(0).permutation(8)
    assert gauc(user[order], label[order], score[order]) == pytest.approx(0.5)
    assert np.isnan(gauc([1, 2], [1, 0], [0.1, 0.2]))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 100), st.integers(0, 1000))
def test_log_loss_is_scikit_learns(n, seed):
    rng = np.random.default_rng(seed)
    label, logit = rng.integers(0, 2, n), rng.normal(size=n)
    expected = sklearn.log_loss(label, 1 / (1 + np.exp(-logit)), labels=[0, 1])
    assert log_loss(label, logit) == pytest.approx(expected, abs=1e-12)


def test_log_loss_of_a_sure_mistake_is_finite():
    assert log_loss([0], [1000.0]) == 1000.0


def test_bad_scores_are_named():
    with pytest.raises(ValueError, match="found 2 clicks of 2"):
        auc([1, 1], [0.1, 0.2])
    with pytest.raises(ValueError, match="1 of 2 scores are not a number"):
        auc([1, 0], [float("nan"), 0.2])
