"""Each numbered equation of the paper as one NumPy float64 function.

This file is the oracle: it is written to be read beside the paper, for one history and with
plain loops, and every layer, kernel and figure is tested against it. It imports NumPy only.

Shapes use the symbols of the notation page: T steps, n_I inputs, n_H hidden, n_A target.
Weights stand in the order update, reset, candidate:
`weight_input` (3 n_H, n_I), `weight_hidden` (3 n_H, n_H), `bias` (3 n_H,).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def sigmoid(x: ArrayLike) -> np.ndarray:
    """σ(x) = 1 / (1 + e^−x), without overflow at either end."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(x, dtype=np.float64)))


def log_sigmoid(x: ArrayLike) -> np.ndarray:
    """log σ(x), exact where σ(x) itself would round to 0."""
    return -np.logaddexp(0, -np.asarray(x, dtype=np.float64))


def target_loss(probability: ArrayLike, label: ArrayLike) -> float:
    """Equation (1): the mean negative log likelihood of N clicks; both (N,)."""
    p, y = np.asarray(probability, np.float64), np.asarray(label, np.float64)
    return float(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))


def gru_gates(input, state, weight_input, weight_hidden, bias) -> tuple[np.ndarray, ...]:
    """Equations (2), (3), (4): update gate u, reset gate r, candidate h̃, each (n_H,)."""
    from_input = np.split(np.asarray(weight_input, np.float64) @ input + bias, 3)
    from_state = np.split(np.asarray(weight_hidden, np.float64) @ state, 3)
    update_gate = sigmoid(from_input[0] + from_state[0])
    reset_gate = sigmoid(from_input[1] + from_state[1])
    candidate = np.tanh(from_input[2] + reset_gate * from_state[2])
    return update_gate, reset_gate, candidate


def gru_step(input, state, weight_input, weight_hidden, bias) -> np.ndarray:
    """Equation (5): h_t = (1 − u) ∘ h_{t−1} + u ∘ h̃; (n_I,), (n_H,) -> (n_H,)."""
    update_gate, _, candidate = gru_gates(input, state, weight_input, weight_hidden, bias)
    return (1 - update_gate) * state + update_gate * candidate


def gru(inputs, weight_input, weight_hidden, bias, state=None) -> np.ndarray:
    """Equations (2)–(5) along a history: (T, n_I) -> states h_1 … h_T, (T, n_H)."""

    def step(t, state):
        return gru_step(inputs[t], state, weight_input, weight_hidden, bias)

    return _along(step, inputs, weight_hidden, state)


def auxiliary_loss(interests, behaviours, negatives, similarity=np.dot) -> float:
    """Equation (6) for one history, divided by its number of valid pairs, not halved.

    `interests` (T, n_H), `behaviours` and `negatives` (T, n_E). The pair at t joins h_t with the
    click and the non-click of step t + 1, t = 1 … T − 1. `similarity` is the paper's [·, ·].
    log 4 at chance; 0 where there is no pair.
    """
    pairs = range(len(interests) - 1)
    terms = [
        log_sigmoid(similarity(interests[t], behaviours[t + 1]))
        + log_sigmoid(-similarity(interests[t], negatives[t + 1]))
        for t in pairs
    ]
    return float(-np.mean(terms)) if terms else 0.0


def total_loss(target, auxiliary, auxiliary_weight=1.0) -> float:
    """Equation (7): L = L_target + α L_aux."""
    return target + auxiliary_weight * auxiliary


def attention_weights(interests, target, weight) -> np.ndarray:
    """Equation (8): softmax over the steps of h_tᵀ W e_a; (T, n_H), (n_A,), (n_H, n_A) -> (T,)."""
    if len(interests) == 0:
        return np.zeros(0)
    scores = np.asarray(interests, np.float64) @ np.asarray(weight, np.float64) @ target
    exponentials = np.exp(scores - scores.max())
    return exponentials / exponentials.sum()


def aigru(inputs, attention, weight_input, weight_hidden, bias, state=None) -> np.ndarray:
    """Equation (9): a plain GRU on a_t · i_t; (T, n_I), (T,) -> (T, n_H)."""
    scaled = np.asarray(attention)[:, None] * np.asarray(inputs)
    return gru(scaled, weight_input, weight_hidden, bias, state)


def agru(inputs, attention, weight_input, weight_hidden, bias, state=None) -> np.ndarray:
    """Equation (10): the scalar a_t stands in the place of the update gate."""

    def step(t, state):
        _, _, candidate = gru_gates(inputs[t], state, weight_input, weight_hidden, bias)
        return (1 - attention[t]) * state + attention[t] * candidate

    return _along(step, inputs, weight_hidden, state)


def augru(inputs, attention, weight_input, weight_hidden, bias, state=None) -> np.ndarray:
    """Equations (11), (12): the update gate is scaled, ũ_t = a_t u_t."""

    def step(t, state):
        update_gate, _, candidate = gru_gates(inputs[t], state, weight_input, weight_hidden, bias)
        scaled_gate = attention[t] * update_gate
        return (1 - scaled_gate) * state + scaled_gate * candidate

    return _along(step, inputs, weight_hidden, state)


def official_augru(inputs, attention, weight_input, weight_hidden, bias, state=None) -> np.ndarray:
    """What the authors' code computes, NOT the paper: effective update gate u + a − a·u.

    Their gate u_TF = 1 − u keeps the old state and is scaled by 1 − a: at a = 0 a plain GRU step.
    """

    def step(t, state):
        update_gate, _, candidate = gru_gates(inputs[t], state, weight_input, weight_hidden, bias)
        keep = (1 - attention[t]) * (1 - update_gate)
        return keep * state + (1 - keep) * candidate

    return _along(step, inputs, weight_hidden, state)


def _along(step, inputs, weight_hidden, state) -> np.ndarray:
    """Apply step(t, state) for t = 0 … T − 1 and stack the states; the first state is 0."""
    n_hidden = np.shape(weight_hidden)[1]
    state = np.zeros(n_hidden) if state is None else np.asarray(state, np.float64)
    states = np.zeros((len(inputs), n_hidden))
    for t in range(len(inputs)):
        state = states[t] = step(t, state)
    return states
