"""The recurrences on a CPU, forward and backward by hand, compiled with Numba (chapter 14).

Five things make it fast:
- A block of rows goes through its WHOLE history before the next block starts, so what a step needs
  stays in the cache.
- The gates of a step are two products and one loop over the block.
- W i + b is part of the step. Hoisted out of the loop it is one large product, but 3H numbers a
  step then go to memory and back; here they never leave the cache.
- Forward keeps u, r, h̃ and U^h h for backward, 4H numbers a step, in the order in which backward
  reads them. To compute them anew would cost two of its six products and three tanh. It pays
  only with memory that is not fresh (`memory.py`): 59 MB of new pages cost more than they save.
- Memory is laid out step by step, in the order in which it is walked. Rows are sorted by length:
  those that still live at a step stand in front, and padding costs nothing.

The four rules differ in one line. The share of the candidate in the new state is

    s = p + q ∘ u   GRU (5): p = 0, q = 1   AGRU (10): p = a, q = 0   AUGRU (11): p = 0, q = a
                    the authors' code: p = a, q = 1 − a, which is u + a − a·u

and p and q are linear in a: four numbers say which rule it is, and there is one kernel.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from dien_edu.kernels import memory, refuse_second_derivatives

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
BLOCK = 128  # rows: backward needs 300 kB at H = 36 for a step of them, which the L2 cache holds

# Sums may be reordered and multiply-adds fused, which is what vectorising needs. NOT "nnan" and
# "ninf": a NaN must come out as a NaN, or training would not notice that it broke.
# Division as in NumPy: the check for 0 that Python asks for would stop the vectorising.
# Inlined, always: a helper that is called may be one of two copies, rounded differently, depending
# on whether this process compiled it or loaded it, and a training would not repeat.
OPTIONS = {
    "fastmath": {"reassoc", "contract", "arcp", "nsz"},
    "error_model": "numpy",
    "boundscheck": False,
    "forceinline": True,
}


def compiled(function):
    """Compile with Numba, once a machine where the folder can be written, else once a process."""
    if numba is None:
        return function
    try:
        return numba.njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # no folder for the cache
        return numba.njit(**OPTIONS)(function)


def supports(inputs: Tensor) -> str:
    """Why this kernel cannot run on `inputs`, or "" if it can."""
    if MISSING:
        return MISSING
    if inputs.device.type != "cpu":
        return f"the CPU kernel does not run on {inputs.device.type}"
    if inputs.dtype not in (torch.float32, torch.float64):
        return f"the CPU kernel computes in float32 and float64, not in {inputs.dtype}"
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
def gather(rows, source, block):
    """These rows of one step, (B, ·), side by side in a block, (n, ·)."""
    for b in range(len(rows)):
        row = rows[b]
        for j in range(source.shape[1]):
            block[b, j] = source[row, j]


@compiled
def scatter(rows, block, target):
    """The way back: (n, ·) to these rows of (B, ·)."""
    for b in range(len(rows)):
        row = rows[b]
        for j in range(target.shape[1]):
            target[row, j] = block[b, j]


@compiled
def add(more, total):
    """total += more, (n, ·)."""
    for b in range(len(more)):
        for j in range(more.shape[1]):
            total[b, j] += more[b, j]


@compiled
def shares(rule, a):
    """p and q of this rule at the attention a."""
    return rule[0] + rule[1] * a, rule[2] + rule[3] * a


@compiled
def gates(from_input, from_state, u, r, candidate):
    """Equations (2)–(4), each (n, H): σ(x) = ½ + ½ tanh(½ x).

    from_input (n, 3, H) is W i + b, from_state (n, 3, H) is U h_{t−1}.
    """
    half = u.dtype.type(0.5)
    for b in range(len(u)):
        for j in range(u.shape[1]):
            reset = half + half * tanh(half * (from_input[b, 1, j] + from_state[b, 1, j]))
            u[b, j] = half + half * tanh(half * (from_input[b, 0, j] + from_state[b, 0, j]))
            r[b, j] = reset
            candidate[b, j] = tanh(from_input[b, 2, j] + reset * from_state[b, 2, j])


@compiled
def step_forward(rule, attention, u, candidate, state):
    """Equation (5): `state` (n, H) is h_{t−1} on entry and h_t on return; attention (n, 1)."""
    one = state.dtype.type(1)
    for b in range(len(u)):
        p, q = shares(rule, attention[b, 0])
        for j in range(u.shape[1]):
            s = p + q * u[b, j]
            state[b, j] = (one - s) * state[b, j] + s * candidate[b, j]


@compiled
def walk_forward(rule, inputs, attention, order, lengths, start, weight_input, weight_hidden,
                 states, last, kept):  # fmt: skip
    """Fill `states` (T, B, H), `last` (B, H) and `kept` (T, 4, B, H): u, r, h̃, U^h h_{t−1}.

    `order` lists the rows, the longest first; `kept` is in that order. It has no steps where no
    backward will come.

    inputs (T, B, I) · attention (T, B, 1) · start (B, H) · weight_hidden (3H, H) · weight_input
    (3H, I + 1): its last column is the bias, which is the weight of an input that is always 1.
    """
    batch, hidden = start.shape
    input_t, hidden_t = np.ascontiguousarray(weight_input.T), np.ascontiguousarray(weight_hidden.T)
    x = np.ones((BLOCK, len(input_t)), start.dtype)
    a, h = np.empty((BLOCK, 1), start.dtype), np.empty((BLOCK, hidden), start.dtype)
    from_input = np.empty((BLOCK, 3 * hidden), start.dtype)
    from_state = np.empty((BLOCK, 3 * hidden), start.dtype)
    input_gates = from_input.reshape(BLOCK, 3, hidden)
    state_gates = from_state.reshape(BLOCK, 3, hidden)
    u, r, candidate = np.empty_like(h), np.empty_like(h), np.empty_like(h)
    for first in range(0, batch, BLOCK):
        rows = order[first : first + BLOCK]
        n = len(rows)  # how many of them still live
        gather(rows, start, h)
        for t in range(len(states)):
            while n and lengths[rows[n - 1]] <= t:
                n -= 1
            gather(rows[:n], inputs[t], x)
            gather(rows[:n], attention[t], a)
            np.dot(x[:n], input_t, from_input[:n])
            np.dot(h[:n], hidden_t, from_state[:n])
            gates(input_gates, state_gates, u[:n], r, candidate)
            step_forward(rule, a, u[:n], candidate, h)
            scatter(rows, h, states[t])  # a padded step copies the state
            if len(kept):
                copy(u, kept[t, 0, first : first + n])
                copy(r, kept[t, 1, first : first + n])
                copy(candidate, kept[t, 2, first : first + n])
                take(state_gates, 2, kept[t, 3, first : first + n])
        scatter(rows, h, last)


# Backward. dy stands for the gradient of the loss with respect to y, and d for dh_t: what comes
# from the output at t plus what comes from step t + 1. From h_t = (1 − s) ∘ h_{t−1} + s ∘ h̃ with
# s = p + q ∘ u:
#
#     dh̃ = d ∘ s        ds = d ∘ (h̃ − h_{t−1})        du = q ds        da = Σ_j ds ∘ (p' + q' u)
#
# where p' and q' are the derivatives of p and q by a. On through σ' = σ (1 − σ) and
# tanh' = 1 − tanh² to what stands inside the brackets of (4), (3), (2), where m = U^h h_{t−1} is
# what the reset gate multiplies:
#
#     dx^h = dh̃ ∘ (1 − h̃²)        dr = dx^h ∘ m
#     dx^r = dr ∘ r ∘ (1 − r)
#     dx^u = du ∘ u ∘ (1 − u)
#
# W i + b gets all three, x = [dx^u, dx^r, dx^h]. U h_{t−1} gets the same, but the candidate's part
# passes the reset gate on its way: g = [dx^u, dx^r, r ∘ dx^h]. So
#
#     dW += xᵀ i_t      di_t = x W      dU += gᵀ h_{t−1}      dh_{t−1} = d ∘ (1 − s) + g U
#
# The arithmetic is in several loops, because a compiler vectorises a loop only if it can tell that
# what it writes is not what it reads: few arrays a loop, each gate in an array of its own.
@compiled
def step_backward(rule, attention, m, before, d_out, d_state, u, r, candidate, g, d_a):
    """The derivation above. `d_state` (n, H) holds d − d_out on entry, d ∘ (1 − s) on return.

    u, r, h̃ turn into dx^u, dx^r, dx^h in place; `g` (n, H) takes r ∘ dx^h, `d_a` (n, 1) takes da.
    """
    one = d_state.dtype.type(1)
    for b in range(len(u)):
        a, p_slope, q_slope = attention[b, 0], rule[1], rule[3]
        p, q = shares(rule, a)
        total = a - a
        for j in range(u.shape[1]):
            s = p + q * u[b, j]
            d = d_state[b, j] + d_out[b, j]
            d_state[b, j] = d * (one - s)
            d_s = d * (candidate[b, j] - before[b, j])
            total += d_s * (p_slope + q_slope * u[b, j])
            d_x = d * s * (one - candidate[b, j] * candidate[b, j])
            candidate[b, j] = d_x
            u[b, j] = q * d_s * u[b, j] * (one - u[b, j])
            g[b, j] = r[b, j] * d_x
            r[b, j] = d_x * m[b, j] * r[b, j] * (one - r[b, j])
        d_a[b, 0] = total


@compiled
def place(block, gate, gates):
    """One gate's (n, H) into (n, 3, H): one product for the three of them, not three."""
    for b in range(len(block)):
        for j in range(block.shape[1]):
            gates[b, gate, j] = block[b, j]


@compiled
def take(gates, gate, block):
    """The way back: one gate of (n, 3, H) into (n, H)."""
    for b in range(len(block)):
        for j in range(block.shape[1]):
            block[b, j] = gates[b, gate, j]


@compiled
def copy(source, target):
    """The first rows of `source` into `target`, (n, ·)."""
    for b in range(len(target)):
        for j in range(target.shape[1]):
            target[b, j] = source[b, j]


@compiled
def walk_backward(rule, inputs, attention, order, lengths, start, weight_input, weight_hidden,
                  states, kept, d_states, d_last,
                  d_inputs, d_attention, d_start, d_weight_input, d_weight_hidden):  # fmt: skip
    """Fill the five gradients, from the last step to the first.

    Where no gradient comes from `states`, one step of zeros in `d_states` stands for all steps.
    """
    batch, hidden = start.shape
    without_bias = np.ascontiguousarray(weight_input[:, :-1])
    x = np.ones((BLOCK, weight_input.shape[1]), start.dtype)
    d_x = np.empty((BLOCK, without_bias.shape[1]), start.dtype)
    a, d_a = np.empty((BLOCK, 1), start.dtype), np.empty((BLOCK, 1), start.dtype)
    d_product = np.empty((BLOCK, 3 * hidden), start.dtype)
    d_gates = d_product.reshape(BLOCK, 3, hidden)
    before = np.empty((BLOCK, hidden), start.dtype)
    d_state, d_out, more = np.empty_like(before), np.empty_like(before), np.empty_like(before)
    u, r = np.empty_like(before), np.empty_like(before)
    candidate, g = np.empty_like(before), np.empty_like(before)
    more_input, more_hidden = np.empty_like(weight_input), np.empty_like(weight_hidden)
    d_weight_input[:] = 0
    d_weight_hidden[:] = 0
    for first in range(0, batch, BLOCK):
        rows = order[first : first + BLOCK]
        gather(rows, d_last, d_state)
        d_x[:], d_a[:] = 0, 0  # what the inputs of padded steps get
        n = 0  # how many of them already live
        for t in range(len(d_inputs) - 1, -1, -1):
            while n < len(rows) and lengths[rows[n]] > t:
                n += 1
            live = rows[:n]
            gather(live, inputs[t], x)
            gather(live, attention[t], a)
            gather(live, states[t - 1] if t else start, before)
            gather(rows, d_states[min(t, len(d_states) - 1)], d_out)
            add(d_out[n : len(rows)], d_state[n:])  # a padded step is a copy of the last state
            copy(kept[t, 0, first:], u[:n])
            copy(kept[t, 1, first:], r[:n])
            copy(kept[t, 2, first:], candidate[:n])
            m = kept[t, 3, first:]
            step_backward(rule, a, m, before, d_out, d_state, u[:n], r, candidate, g, d_a)
            place(u[:n], 0, d_gates)
            place(r[:n], 1, d_gates)
            place(candidate[:n], 2, d_gates)
            np.dot(d_product[:n].T, x[:n], more_input)
            np.dot(d_product[:n], without_bias, d_x[:n])
            place(g[:n], 2, d_gates)
            np.dot(d_product[:n].T, before[:n], more_hidden)
            np.dot(d_product[:n], weight_hidden, more[:n])
            add(more_input, d_weight_input)
            add(more_hidden, d_weight_hidden)
            add(more[:n], d_state)
            scatter(rows, d_x, d_inputs[t])
            scatter(rows, d_a, d_attention[t])
        scatter(rows, d_state, d_start)


class FusedWalk(torch.autograd.Function):
    """`walk_forward` and `walk_backward`, with their arguments, for autograd; all contiguous."""

    @staticmethod
    def forward(ctx, rule, keep, *tensors):
        inputs, state = tensors[0], tensors[4]
        (steps, batch), hidden = inputs.shape[:2], state.shape[1]
        states, last = memory.empty(inputs, steps, batch, hidden), torch.empty_like(state)
        kept = memory.empty(inputs, steps if keep else 0, 4, batch, hidden)
        ctx.set_materialize_grads(False)
        ctx.rule = np.array(RULES[rule], last.numpy().dtype)
        walk_forward(ctx.rule, *(t.numpy() for t in (*tensors, states, last, kept)))
        ctx.save_for_backward(*tensors, states, kept)
        return states, last

    @staticmethod
    def backward(ctx, d_states, d_last):
        refuse_second_derivatives()
        inputs, attention, _, _, state, weight_input, weight_hidden, *_ = ctx.saved_tensors
        d_states = torch.zeros_like(state)[None] if d_states is None else d_states.contiguous()
        d_last = torch.zeros_like(state) if d_last is None else d_last.contiguous()
        wanted = (inputs, attention, state, weight_input, weight_hidden)
        gradients = [memory.empty(t, *t.shape) for t in wanted]
        arrays = (*ctx.saved_tensors, d_states, d_last, *gradients)
        walk_backward(ctx.rule, *(t.numpy() for t in arrays))
        return None, None, *gradients[:2], None, None, *gradients[2:]


def run(rule, inputs, attention, lengths, state, weight_input, weight_hidden, bias):
    """Projection and walk: all states (B, T, H) and the last one (B, H), see `kernels.run`."""
    if attention is None:
        attention = inputs.new_zeros(inputs.shape[:2])
    order = lengths.argsort(descending=True, stable=True)
    weight_input = torch.cat([weight_input, bias[:, None]], dim=1)
    by_step = inputs.transpose(0, 1), attention.T[..., None], order, lengths, state
    tensors = [t.contiguous() for t in (*by_step, weight_input, weight_hidden)]
    keep = torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
    states, last = FusedWalk.apply(rule, keep, *tensors)
    return states.transpose(0, 1), last
