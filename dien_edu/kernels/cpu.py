"""The walk of `layers/gru.py` on a CPU, forward and backward by hand, compiled (chapter 14).

Four things make it fast. A block of rows goes through its WHOLE history before the next block
starts, so what a step needs stays in the cache. The three gates of a step are one product with U
and one loop. Backward does not read gates that forward stored, it computes them again: a product
in the cache is cheaper than memory, and nothing but the states is kept. Rows are sorted by length,
so the rows that still live at a step stand in front and padding costs nothing.

The four rules differ in one line. The share of the candidate in the new state is

    s = p + q ∘ u   GRU (5): p = 0, q = 1   AGRU (10): p = a, q = 0   AUGRU (11): p = 0, q = a
                    the authors' code: p = a, q = 1 − a, which is u + a − a·u

so with p and q linear in a, four numbers a rule choose among them, and there is one kernel.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from dien_edu.kernels import refuse_second_derivatives

try:
    import numba
    import scipy.linalg.cython_blas  # noqa: F401  Numba's np.dot is the BLAS that SciPy brings
    from numba.extending import overload

    MISSING = ""
except ImportError as error:
    numba, MISSING = None, f"{error} (pip install numba scipy)"

# p = RULES[0] + RULES[1] · a,  q = RULES[2] + RULES[3] · a
RULES = {
    "gru": (0, 0, 1, 0),
    "agru": (0, 1, 0, 0),
    "augru": (0, 0, 0, 1),
    "official": (0, 1, 1, -1),
}
BLOCK = 128  # rows: their state, gates and gradients are about 200 kB at H = 36

# Sums may be reordered and multiply-adds fused, which is what vectorising needs. NOT "nnan" and
# "ninf": a NaN must come out as a NaN, or training would not notice that it broke.
# Division as in NumPy: the check for 0 that Python asks for would stop the vectorising.
OPTIONS = {
    "fastmath": {"reassoc", "contract", "arcp", "nsz"},
    "error_model": "numpy",
    "boundscheck": False,
}


def compiled(function):
    """Compile with Numba, once a machine where the folder can be written, else once a process."""
    if numba is None:
        return function
    try:
        return numba.njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # no folder for the cache
        return numba.njit(**OPTIONS)(function)


def supports(projected: Tensor) -> str:
    """Why this kernel cannot run on `projected`, or "" if it can."""
    if MISSING:
        return MISSING
    if projected.device.type != "cpu":
        return f"it runs on the CPU, not on {projected.device.type}"
    if projected.dtype not in (torch.float32, torch.float64):
        return f"it covers float32 and float64, not {projected.dtype}"
    return ""


# tanh as x · P(x²) / Q(x²) for |x| <= 8, beyond which float32 knows only ±1. The coefficients are a
# least-squares fit, reweighted until the error ripples evenly; the largest is 4e-7, all rounding.
# Unlike a library's tanh it is a straight line of multiply-adds, so 8 or 16 run at once.
P = tuple(map(np.float32, (1.0, 0.134381962, 0.00356416169, 2.17733213e-05, 1.5061878e-08)))
Q = tuple(map(np.float32, (1.0, 0.46771517, 0.0261360378, 0.000339918782, 8.45369794e-07)))
EDGE = np.float32(8)


def tanh_float32(x):
    if x > EDGE:  # written so that a NaN passes through
        x = EDGE
    if x < -EDGE:
        x = -EDGE
    z = x * x
    above = (((P[4] * z + P[3]) * z + P[2]) * z + P[1]) * z + P[0]
    below = (((Q[4] * z + Q[3]) * z + Q[2]) * z + Q[1]) * z + Q[0]
    return x * above / below


def tanh_float64(x):
    return math.tanh(x)


def tanh(x):
    """The fast one for float32, the exact one for float64: Numba chooses by type."""


if numba is not None:

    @overload(tanh, jit_options=OPTIONS)
    def _tanh(x):
        return tanh_float32 if x == numba.float32 else tanh_float64


@compiled
def recall(rows, t, states, start, before):
    """h_{t−1} of these rows, (n, H): the state of the step before, or where the walk started."""
    for b in range(len(rows)):
        row = rows[b]
        h = states[t - 1, row] if t else start[row]
        for j in range(len(h)):
            before[b, j] = h[j]


@compiled
def shares(rule, a):
    """p and q of the rule at this attention: the share of the candidate is p + q ∘ u."""
    return rule[0] + rule[1] * a, rule[2] + rule[3] * a


@compiled
def step_forward(rows, t, rule, projected, attention, from_state, state, states):
    """Equations (2)–(5) for the live rows; `state` (n, H) is h_{t−1} on entry, h_t on return.

    σ(x) = ½ + ½ tanh(½ x).
    """
    one, half = state.dtype.type(1), state.dtype.type(0.5)
    for b in range(len(rows)):
        row = rows[b]
        p, q = shares(rule, attention[t, row])
        for j in range(state.shape[1]):
            u = half + half * tanh(half * (projected[t, row, 0, j] + from_state[b, 0, j]))
            r = half + half * tanh(half * (projected[t, row, 1, j] + from_state[b, 1, j]))
            candidate = tanh(projected[t, row, 2, j] + r * from_state[b, 2, j])
            s = p + q * u
            h = (one - s) * state[b, j] + s * candidate
            state[b, j] = h
            states[t, row, j] = h


@compiled
def walk_forward(rule, projected, attention, order, lengths, start, weight, states):
    """Fill `states` (B, T, H). `order` (B,) lists the rows, the longest history first."""
    steps, batch, hidden = states.shape
    weight_t = np.ascontiguousarray(weight.T)
    product = np.empty((BLOCK, 3 * hidden), weight.dtype)  # U h_{t−1}, all three gates
    from_state = product.reshape(BLOCK, 3, hidden)
    state = np.empty((BLOCK, hidden), weight.dtype)
    for first in range(0, batch, BLOCK):
        rows = order[first : first + BLOCK]
        recall(rows, 0, states, start, state)
        alive = len(rows)
        for t in range(lengths[rows[0]]):
            while lengths[rows[alive - 1]] <= t:
                alive -= 1
            np.dot(state[:alive], weight_t, product[:alive])
            step_forward(rows[:alive], t, rule, projected, attention, from_state, state, states)
        for b in range(len(rows)):  # padded steps copy the state
            row = rows[b]
            for t in range(lengths[row], steps):
                for j in range(hidden):
                    states[t, row, j] = state[b, j]


# Backward. dy stands for the gradient of the loss with respect to y, and d for dh_t: what comes
# from the output at t plus what comes from step t + 1. From h_t = (1 − s) ∘ h_{t−1} + s ∘ h̃ with
# s = p + q ∘ u:
#
#     dh̃ = d ∘ s        ds = d ∘ (h̃ − h_{t−1})        du = q ds        da = Σ_j ds ∘ (p' + q' u)
#
# where p' and q' are the derivatives of p and q by a. On through σ' = σ (1 − σ) and
# tanh' = 1 − tanh² to what stands inside the brackets of (4), (3), (2); m = U^h h_{t−1} is what the
# reset gate multiplies:
#
#     dx^h = dh̃ ∘ (1 − h̃²)        dr = dx^h ∘ m
#     dx^r = dr ∘ r ∘ (1 − r)
#     dx^u = du ∘ u ∘ (1 − u)
#
# [dx^u, dx^r, dx^h] is the gradient of W i + b, `projected`. What U multiplies gets the same, but
# for the candidate it passes r: g = [dx^u, dx^r, r ∘ dx^h], and so
#
#     dU += gᵀ h_{t−1}              dh_{t−1} = d ∘ (1 − s) + g U
#
# The arithmetic is in three loops, because a compiler vectorises a loop only if it can tell that
# what it writes is not what it reads: few arrays a loop, each gate in an array of its own.
@compiled
def gates_again(rows, t, projected, from_state, u, r, candidate):
    """The gates as in `step_forward`, each (n, H)."""
    half = u.dtype.type(0.5)
    for b in range(len(rows)):
        row = rows[b]
        for j in range(u.shape[1]):
            reset = half + half * tanh(half * (projected[t, row, 1, j] + from_state[b, 1, j]))
            u[b, j] = half + half * tanh(half * (projected[t, row, 0, j] + from_state[b, 0, j]))
            r[b, j] = reset
            candidate[b, j] = tanh(projected[t, row, 2, j] + reset * from_state[b, 2, j])


@compiled
def step_backward(rows, t, rule, attention, from_state, before, d_states, d_state, d_attention,
                  u, r, candidate, g):  # fmt: skip
    """The derivation above. `d_state` is dh_t without the output on entry, d ∘ (1 − s) on return.

    u, r, h̃ turn into dx^u, dx^r, dx^h, in place, and `g` (n, H) is the candidate's: r ∘ dx^h.
    """
    one = d_state.dtype.type(1)
    for b in range(len(rows)):
        row = rows[b]
        a, p_slope, q_slope = attention[t, row], rule[1], rule[3]
        p, q = shares(rule, a)
        d_a = a - a
        for j in range(d_state.shape[1]):
            s = p + q * u[b, j]
            d = d_state[b, j] + d_states[t, row, j]
            d_state[b, j] = d * (one - s)
            d_s = d * (candidate[b, j] - before[b, j])
            d_a += d_s * (p_slope + q_slope * u[b, j])
            d_x = d * s * (one - candidate[b, j] * candidate[b, j])
            candidate[b, j] = d_x
            u[b, j] = q * d_s * u[b, j] * (one - u[b, j])
            g[b, j] = r[b, j] * d_x
            r[b, j] = d_x * from_state[b, 2, j] * r[b, j] * (one - r[b, j])
        d_attention[t, row] = d_a


@compiled
def store(rows, t, d_u, d_r, d_candidate, d_projected):
    """[dx^u, dx^r, dx^h] of the live rows into the gradient of `projected`."""
    for b in range(len(rows)):
        row = rows[b]
        for j in range(d_u.shape[1]):
            d_projected[t, row, 0, j] = d_u[b, j]
            d_projected[t, row, 1, j] = d_r[b, j]
            d_projected[t, row, 2, j] = d_candidate[b, j]


@compiled
def through_padding(rows, lengths, d_states, d_state, d_projected, d_attention):
    """A padded step is a copy of the last state: its gradient goes there, its input gets 0."""
    d_state[:] = 0
    for b in range(len(rows)):
        row = rows[b]
        for t in range(lengths[row], len(d_states)):
            d_attention[t, row] = 0
            d_projected[t, row] = 0
            for j in range(d_states.shape[2]):
                d_state[b, j] += d_states[t, row, j]


@compiled
def add(more, total):
    """total += more, (n, ·)."""
    for b in range(len(more)):
        for j in range(more.shape[1]):
            total[b, j] += more[b, j]


@compiled
def walk_backward(rule, projected, attention, order, lengths, start, weight, states, d_states,
                  d_projected, d_attention, d_start, d_weight):  # fmt: skip
    """Fill the four gradients, from the last step to the first."""
    _, batch, hidden = states.shape
    weight_t, weights = np.ascontiguousarray(weight.T), weight.reshape(3, hidden, hidden)
    product = np.empty((BLOCK, 3 * hidden), weight.dtype)
    from_state = product.reshape(BLOCK, 3, hidden)
    u = np.empty((BLOCK, hidden), weight.dtype)
    r, candidate, g = np.empty_like(u), np.empty_like(u), np.empty_like(u)
    before, d_state, more = np.empty_like(u), np.empty_like(u), np.empty_like(u)
    more_weight = np.empty((hidden, hidden), weight.dtype)
    d_weight[:] = 0
    for first in range(0, batch, BLOCK):
        rows = order[first : first + BLOCK]
        through_padding(rows, lengths, d_states, d_state, d_projected, d_attention)
        alive = 0
        for t in range(lengths[rows[0]] - 1, -1, -1):
            while alive < len(rows) and lengths[rows[alive]] > t:
                alive += 1
            live = rows[:alive]
            recall(live, t, states, start, before)
            np.dot(before[:alive], weight_t, product[:alive])
            gates_again(live, t, projected, from_state, u, r, candidate)
            step_backward(live, t, rule, attention, from_state, before, d_states, d_state,
                          d_attention, u, r, candidate, g)  # fmt: skip
            store(live, t, u, r, candidate, d_projected)
            for gate, d in enumerate((u, r, g)):
                np.dot(d[:alive].T, before[:alive], more_weight)
                add(more_weight, d_weight[gate])
                np.dot(d[:alive], weights[gate], more[:alive])
                add(more[:alive], d_state)
        for b in range(len(rows)):
            for j in range(hidden):
                d_start[rows[b], j] = d_state[b, j]


class FusedWalk(torch.autograd.Function):
    """All states of a walk (B, T, H); see `walk` for the arguments. First derivatives only."""

    @staticmethod
    def forward(
        ctx,
        rule: str,
        projected: Tensor,
        attention: Tensor | None,
        lengths: Tensor,
        state: Tensor,
        weight_hidden: Tensor,
    ) -> Tensor:
        batch, steps, _ = projected.shape
        hidden = state.shape[1]
        ctx.has_attention = attention is not None
        if attention is None:
            attention = projected.new_zeros(batch, steps)
        order = lengths.argsort(descending=True, stable=True)
        gates = projected.transpose(0, 1).reshape(steps, batch, 3, hidden)
        tensors = (gates, attention.T, order, lengths, state, weight_hidden)
        tensors = [tensor.contiguous() for tensor in tensors]
        states = projected.new_empty(steps, batch, hidden)
        ctx.rule = np.array(RULES[rule], states.numpy().dtype)
        walk_forward(ctx.rule, *(t.numpy() for t in tensors), states.numpy())
        ctx.save_for_backward(*tensors, states)
        return states.transpose(0, 1)

    @staticmethod
    def backward(ctx, d_states: Tensor):
        refuse_second_derivatives()
        tensors = (*ctx.saved_tensors, d_states.transpose(0, 1).contiguous())
        gates, attention, _, _, state, weight_hidden = tensors[:6]
        weights = weight_hidden.view(3, state.shape[1], -1)
        gradients = [torch.empty_like(t) for t in (gates, attention, state, weights)]
        walk_backward(ctx.rule, *(t.numpy() for t in tensors), *(g.numpy() for g in gradients))
        d_gates, d_attention, d_state, d_weight = gradients
        d_attention = d_attention.T if ctx.has_attention else None
        d_projected = d_gates.flatten(2).transpose(0, 1)
        return None, d_projected, d_attention, None, d_state, d_weight.flatten(0, 1)
