"""How a ranking is scored: AUC, GAUC, log loss (chapter 01)."""

from __future__ import annotations

import numpy as np


def auc(label: np.ndarray, score: np.ndarray) -> float:
    """The share of (click, non-click) pairs in the right order, a tie counts one half; both (N,).

    From ranks, averaged over ties: (Σ ranks of clicks − P(P + 1)/2) / (P · (N − P)).
    ValueError if one of the two classes is missing or a score is not a number.
    """
    label, score = _checked(label, score)
    clicks = label.sum()
    if not 0 < clicks < len(label):
        raise ValueError(f"AUC needs both classes, found {int(clicks)} clicks of {len(label)}")
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    return float((rank[label].sum() - clicks * (clicks + 1) / 2) / (clicks * (len(label) - clicks)))


def gauc(user: np.ndarray, label: np.ndarray, score: np.ndarray) -> float:
    """AUC within each user, averaged with the user's number of samples as weight; all (N,).

    Users with clicks only or non-clicks only have no AUC and are left out; NaN if all are.
    """
    label, score = _checked(label, score)
    order = np.argsort(user, kind="stable")
    borders = np.flatnonzero(np.diff(np.asarray(user)[order])) + 1
    groups = [g for g in np.split(order, borders) if 0 < label[g].sum() < len(g)]
    if not groups:
        return float("nan")
    return float(
        np.average([auc(label[g], score[g]) for g in groups], weights=[len(g) for g in groups])
    )


def log_loss(label: np.ndarray, logit: np.ndarray) -> float:
    """Equation (1) from log odds, so that no probability rounds to 0; both (N,)."""
    label, logit = _checked(label, logit)
    return float(np.mean(np.logaddexp(0, np.where(label, -logit, logit))))


def _checked(label: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    score = np.asarray(score, dtype=np.float64)
    if np.isnan(score).any():
        raise ValueError(f"{int(np.isnan(score).sum())} of {len(score)} scores are not a number")
    return np.asarray(label) > 0.5, score
