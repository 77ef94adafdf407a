"""The recurrences on a GPU: one Triton launch forward, one backward (chapter 14).

A recurrence is a chain, step t waits for step t − 1, so only the rows of a batch can run side by
side. Each program takes a few rows through their WHOLE history: the state never leaves the chip,
and for H ≤ 64 the recurrent weights are read once and stay in shared memory (48 KiB at width 64;
a T4 has 64). Up to H = 256 they are read at each step, tile by tile, from the L2 cache: at most
768 KiB, and a T4's holds 4 MiB. Beyond, a step is a large product, which is cuBLAS's work.

Forward keeps u, r, h̃ and U^h h for backward, 4H numbers a step. Computing them anew would move
fewer numbers in the two launches (13H, not 18H), but would double backward's products and need U
on chip in both orders: 96 KiB, too much for a T4. The gradient of U is left out of the chain: the
gates' gradients are stored, and ONE product over all B · T of them then keeps the whole device
busy. Nothing is added up atomically, so two runs agree to the bit.

The roofline of one row and step, forward and backward, in float32, the recurrence alone:
  FLOP   6H² forward, 6H² for the state's gradient, 6H² for U's             18H² = 23,328 at H = 36
  bytes  4 · (8H forward, 10H backward, 2H to shift h by a step, 5H for U)  100H = 3,600 at H = 36
6.5 FLOP a byte lies under the 25 of a T4 (8.1 TFLOP/s, 320 GB/s) and the 20 of an H100 SXM (67
TFLOP/s, 3.35 TB/s): memory is the bound, time ≥ B · T · 100H / bandwidth. With T = 100:
  B = 128    46 MB, 0.30 GFLOP: 0.14 ms on a T4, 0.014 ms on an H100
  B = 1024  369 MB, 2.39 GFLOP: 1.15 ms on a T4, 0.11 ms on an H100
A small batch is bound by the chain instead: 2T steps one after the other. Compiled for a T4 with
4 rows a program, a warp's step is some 700 instructions; 390 are FMAs of two cycles each, so it
takes 0.5 µs or more at 1.59 GHz, and T = 100 takes 0.1 ms or more, however fast the memory.
Not timed yet: no GPU was at hand. (Compiled for both, up to width 64 at most 8 bytes a thread are
spilled from registers.)
"""

from inspect import signature

import torch
from torch import Tensor

from dien_edu.kernels import refuse_second_derivatives

try:
    import triton
    import triton.language as tl

    def jit(function):
        # Left alone, Triton compiles anew for sizes and addresses that 16 divides, with wider
        # loads. Their layout is not the product's: numbers would change threads at each step.
        constants = function.__annotations__
        names = [name for name in signature(function).parameters if name not in constants]
        return triton.jit(function, do_not_specialize=names)

except ImportError:  # `supports` says so; the rest of this file only has to be importable
    from types import SimpleNamespace

    triton, tl, jit = None, SimpleNamespace(constexpr=None), lambda function: function

LARGEST = 256  # hidden size
RESIDENT = 64  # up to this width the weights of the three gates fit into a T4's shared memory
TILE = 16  # wider products go over tiles of so many columns; tl.dot sums over at least so many


@jit
def _load3(place, far, mask):
    """Three blocks, one for each gate, that lie `far` apart."""
    a, b = tl.load(place, mask=mask, other=0.0), tl.load(place + far, mask=mask, other=0.0)
    return a, b, tl.load(place + 2 * far, mask=mask, other=0.0)


@jit
def _store4(place, a, b, c, d, H, mask):
    tl.store(place, a, mask=mask)
    tl.store(place + H, b, mask=mask)
    tl.store(place + 2 * H, c, mask=mask)
    tl.store(place + 3 * H, d, mask=mask)


@jit
def _product(left, weight, down, right, inside, col, H,
             ROWS: tl.constexpr, WIDTH: tl.constexpr, TILE: tl.constexpr):  # fmt: skip
    """left (ROWS, H) · weight (H, H) from memory, tile by tile; the strides may transpose."""
    total = tl.zeros((ROWS, WIDTH), tl.float32)
    for first in range(0, H, TILE):
        k = first + tl.arange(0, TILE)
        a = tl.load(left + k[None, :], mask=inside & (k < H)[None, :], other=0.0)
        b = weight + k[:, None] * down + col * right
        b = tl.load(b, mask=(k < H)[:, None] & (col < H), other=0.0)
        total = tl.dot(a, b, total, input_precision="ieee")  # no TF32: float32 means float32
    return total


@jit
def _step_size(update_gate, attention, RULE: tl.constexpr):
    """The share of the candidate in the new state: the one line in which the rules differ."""
    if RULE == "gru":
        share = update_gate
    elif RULE == "agru":
        share = attention + 0 * update_gate
    elif RULE == "augru":
        share = attention * update_gate
    else:  # official
        share = 1 - (1 - attention) * (1 - update_gate)
    return share


@jit
def _forward(projected, attention, lengths, start, weight, states, gates, batch, steps, H,
             RULE: tl.constexpr, KEEP: tl.constexpr, ROWS: tl.constexpr, WIDTH: tl.constexpr,
             RESIDENT: tl.constexpr, TILE: tl.constexpr):  # fmt: skip
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS)).to(tl.int64)[:, None]
    col = tl.arange(0, WIDTH)[None, :]
    inside, real = row < batch, (row < batch) & (col < H)
    length = tl.minimum(tl.load(lengths + row, mask=inside, other=0), steps)
    longest = tl.max(length)
    state = tl.load(start + row * H + col, mask=real, other=0.0)
    if RESIDENT:  # each gate's U, transposed, once for all steps
        k = tl.arange(0, WIDTH)[:, None]
        U_update, U_reset, U_candidate = _load3(weight + k + col * H, H * H, (k < H) & (col < H))

    for t in range(longest):  # what lies after the longest of these rows costs no product
        at, alive = row * steps + t, t < length
        # Asked for before the product, used after it: the wait for memory hides behind it.
        x_update, x_reset, x_candidate = _load3(projected + at * 3 * H + col, H, real & alive)
        a = 0.0
        if RULE != "gru":
            a = tl.load(attention + at, mask=alive, other=0.0)
        if RESIDENT:
            h_update = tl.dot(state, U_update, input_precision="ieee")
            h_reset = tl.dot(state, U_reset, input_precision="ieee")
            h_candidate = tl.dot(state, U_candidate, input_precision="ieee")
        else:  # a tile of h cannot be cut out of registers: read back what step t − 1 stored
            h, U = tl.where(t == 0, start + row * H, states + (at - 1) * H), weight
            h_update = _product(h, U, 1, H, inside, col, H, ROWS, WIDTH, TILE)
            h_reset = _product(h, U + H * H, 1, H, inside, col, H, ROWS, WIDTH, TILE)
            h_candidate = _product(h, U + 2 * H * H, 1, H, inside, col, H, ROWS, WIDTH, TILE)
        update_gate, reset_gate = tl.sigmoid(x_update + h_update), tl.sigmoid(x_reset + h_reset)
        candidate = 2 * tl.sigmoid(2 * (x_candidate + reset_gate * h_candidate)) - 1  # tanh
        step_size = _step_size(update_gate, a, RULE)
        state = tl.where(alive, (1 - step_size) * state + step_size * candidate, state)
        tl.store(states + at * H + col, state, mask=real)
        if KEEP:
            kept = gates + at * 4 * H + col
            _store4(kept, update_gate, reset_gate, candidate, h_candidate, H, real & alive)
        if not RESIDENT:
            tl.debug_barrier()  # every thread has stored its part of h before any reads it
    for t in range(longest, steps):
        tl.store(states + (row * steps + t) * H + col, state, mask=real)


@jit
def _read(t, attention, length, before, gates, grad_states, row, col, real, steps, H,
          RULE: tl.constexpr):  # fmt: skip
    """What backward needs of step t. Padding reads as zeros: a gate of 0, a step of 0, a copy."""
    at = row * steps + t
    exists = at >= row * steps  # a comparison of blocks: the interpreter takes no scalar here
    alive = exists & (t < length)
    update_gate, reset_gate, candidate = _load3(gates + at * 4 * H + col, H, real & alive)
    h_candidate = tl.load(gates + at * 4 * H + 3 * H + col, mask=real & alive, other=0.0)
    state = tl.load(before + at * H + col, mask=real & alive, other=0.0)
    grad_state = tl.load(grad_states + at * H + col, mask=real & exists, other=0.0)
    a = 0.0 * length
    if RULE != "gru":
        a = tl.load(attention + at, mask=alive, other=0.0)
    return update_gate, reset_gate, candidate, h_candidate, state, grad_state, a


@jit
def _backward(attention, lengths, before, weight, gates, grad_states, grad_gates, grad_attention,
              grad_start, batch, steps, H, RULE: tl.constexpr, ROWS: tl.constexpr,
              WIDTH: tl.constexpr, RESIDENT: tl.constexpr, TILE: tl.constexpr):  # fmt: skip
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS)).to(tl.int64)[:, None]
    col = tl.arange(0, WIDTH)[None, :]
    inside, real = row < batch, (row < batch) & (col < H)
    length = tl.minimum(tl.load(lengths + row, mask=inside, other=0), steps)
    longest = tl.max(length)
    if RESIDENT:
        k = tl.arange(0, WIDTH)[:, None]
        U_update, U_reset, U_candidate = _load3(weight + k * H + col, H * H, (k < H) & (col < H))

    zero = tl.zeros((ROWS, WIDTH), tl.float32)
    grad = zero  # of the state, from all later steps
    for i in range(steps - longest):  # copies of the last state: their gradients add up
        at = row * steps + steps - 1 - i
        grad += tl.load(grad_states + at * H + col, mask=real, other=0.0)
        _store4(grad_gates + at * 4 * H + col, zero, zero, zero, zero, H, real)
        if RULE != "gru":
            tl.store(grad_attention + at, 0.0 * length, mask=inside)

    update_gate, reset_gate, candidate, h_candidate, state, grad_state, a = _read(
        longest - 1, attention, length, before, gates, grad_states, row, col, real, steps, H, RULE
    )
    for i in range(longest):
        t = longest - 1 - i
        at = row * steps + t
        grad += grad_state
        step_size = _step_size(update_gate, a, RULE)
        grad_step = grad * (candidate - state)
        if RULE == "gru":
            grad_update, grad_a = grad_step, zero
        elif RULE == "agru":
            grad_update, grad_a = zero, grad_step
        elif RULE == "augru":
            grad_update, grad_a = a * grad_step, update_gate * grad_step
        else:
            grad_update, grad_a = (1 - a) * grad_step, (1 - update_gate) * grad_step
        grad_update *= update_gate * (1 - update_gate)
        grad_candidate = grad * step_size * (1 - candidate * candidate)
        grad_reset = grad_candidate * h_candidate * reset_gate * (1 - reset_gate)
        grad_hidden = grad_candidate * reset_gate  # of U^h h
        kept = grad_gates + at * 4 * H
        _store4(kept + col, grad_update, grad_reset, grad_candidate, grad_hidden, H, real)
        if RULE != "gru":
            tl.store(grad_attention + at, tl.sum(grad_a, 1)[:, None], mask=inside)
        grad *= 1 - step_size
        # The step before this one is asked for now: memory's latency hides behind the product.
        update_gate, reset_gate, candidate, h_candidate, state, grad_state, a = _read(
            t - 1, attention, length, before, gates, grad_states, row, col, real, steps, H, RULE
        )
        if RESIDENT:
            grad = tl.dot(grad_update, U_update, grad, input_precision="ieee")
            grad = tl.dot(grad_reset, U_reset, grad, input_precision="ieee")
            grad = tl.dot(grad_hidden, U_candidate, grad, input_precision="ieee")
        else:
            tl.debug_barrier()
            U = weight
            grad += _product(kept, U, H, 1, inside, col, H, ROWS, WIDTH, TILE)
            grad += _product(kept + H, U + H * H, H, 1, inside, col, H, ROWS, WIDTH, TILE)
            grad += _product(kept + 3 * H, U + 2 * H * H, H, 1, inside, col, H, ROWS, WIDTH, TILE)
    tl.store(grad_start + row * H + col, grad, mask=real)


INTERPRETED = triton is not None and not isinstance(_forward, triton.JITFunction)


def supports(projected: Tensor) -> str:
    """Why this kernel does not cover `projected` (B, T, 3H); empty if it does."""
    hidden_size = projected.shape[-1] // 3
    if triton is None:
        return "Triton is not installed"
    if tuple(map(int, triton.__version__.split(".")[:2])) < (3, 5):
        return f"Triton {triton.__version__} is older than 3.5: its products need 16 rows or more"
    if projected.dtype != torch.float32:
        return f"the CUDA kernel computes in torch.float32, not in {projected.dtype}"
    if hidden_size > LARGEST:
        return f"the CUDA kernel covers hidden sizes up to {LARGEST}, not {hidden_size}"
    if INTERPRETED:
        return ""
    if not projected.is_cuda:
        return f"the CUDA kernel needs a CUDA tensor, not one on {projected.device}"
    capability = torch.cuda.get_device_capability(projected.device)
    return "" if capability >= (7, 5) else f"compute capability {capability} is below (7, 5)"


def _launch(kernel, like: Tensor, batch: int, hidden_size: int, *arguments) -> None:
    """Few rows a program while processors are idle, and two numbers or less a thread.

    More rows than 16 would leave registers, or a T4's shared memory, too small for a program.
    """
    processors = 1
    if like.is_cuda:
        processors = torch.cuda.get_device_properties(like.device).multi_processor_count
    width = max(TILE, triton.next_power_of_2(hidden_size))
    resident = width <= RESIDENT
    rows = triton.next_power_of_2(max(1, triton.cdiv(batch, processors)))
    rows = min(max(rows, 2), 16 if resident else 8)
    warps = min(max(rows * width // 64, 4), 16)
    sizes = {"ROWS": rows, "WIDTH": width, "RESIDENT": resident, "TILE": TILE}
    options = {"num_warps": warps, "enable_fp_fusion": True}  # a product and its sum: one FMA
    with torch.cuda.device_of(like):
        kernel[(triton.cdiv(batch, rows),)](*arguments, **sizes, **options)


def _walk(keep, rule, projected, attention, lengths, state, weight_hidden):
    batch, steps, size = *projected.shape[:2], projected.shape[2] // 3
    tensors = (projected, attention, lengths, state, weight_hidden)
    tensors = [projected if x is None else x for x in tensors]  # a plain GRU reads no attention
    tensors = [x.contiguous() for x in tensors]
    states = projected.new_empty(batch, steps, size)
    gates = projected.new_empty(batch, steps, 4 * size) if keep else states
    sizes = (batch, steps, size, rule, keep)
    _launch(_forward, states, batch, size, *tensors, states, gates, *sizes)
    return states, (*tensors[1:], states, gates)


class FusedWalk(torch.autograd.Function):
    """apply(rule, projected, attention, lengths, state, weight_hidden) -> states (B, T, H).

    rule: gru, agru, augru or official. projected (B, T, 3H) is W i + b in the order update,
    reset, candidate; attention (B, T) or None; lengths (B,) int64; weight_hidden (3H, H).
    """

    @classmethod
    def apply(cls, *arguments):
        # Without a backward nothing is kept: H numbers written a step instead of 5H.
        keep = torch.is_grad_enabled()
        return super().apply(*arguments) if keep else _walk(False, *arguments)[0]

    @staticmethod
    def forward(ctx, rule, *tensors):
        states, kept = _walk(True, rule, *tensors)
        ctx.rule = rule
        ctx.save_for_backward(*kept)
        return states

    @staticmethod
    def backward(ctx, grad_states):
        refuse_second_derivatives()
        attention, lengths, state, weight, states, gates = ctx.saved_tensors
        batch, steps, size = states.shape
        before = torch.cat([state[:, None], states[:, :-1]], dim=1)[:, :steps]  # h_{t−1}
        grad_gates, grad_state = torch.empty_like(gates), torch.empty_like(state)
        grad_attention = states.new_empty(batch, steps) if ctx.rule != "gru" else None
        tensors = (attention, lengths, before, weight, gates, grad_states.contiguous())
        results = (grad_gates, states if grad_attention is None else grad_attention, grad_state)
        _launch(_backward, states, batch, size, *tensors, *results, batch, steps, size, ctx.rule)
        # Columns: update, reset, candidate as `projected` sees it, U^h h as the weight sees it.
        product = grad_gates.view(-1, 4 * size).T @ before.reshape(-1, size)
        grad_weight = torch.cat([product[: 2 * size], product[3 * size :]])
        return None, grad_gates[..., : 3 * size], grad_attention, None, grad_state, grad_weight
