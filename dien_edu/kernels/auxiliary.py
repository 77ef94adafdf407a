"""The auxiliary loss (6) with its gradients, without copies of what is valid (chapter 14).

Inner product: forward reads the three vectors of a pair once and keeps the derivatives by the two
similarities, backward reads the vectors once more. Network: forward makes the gradients too, for
a block of pairs whose layers fit into the cache, and backward multiplies them by what the loss is
worth. Its first layer is W [h; e] = W_h h + W_e e: the click and the non-click share W_h h.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from dien_edu.kernels import memory, refuse_second_derivatives
from dien_edu.kernels.cpu import BLOCK, add, compiled, gather, scatter
from dien_edu.kernels.rows import dot, scaled


@compiled
def cost(x, sign):
    """−log σ(sign · x) and its derivative by x; sign 1: a click, −1: a non-click."""
    z = sign * x
    small = math.exp(-abs(z))
    far = small if z > 0 else 1 + (z - z)  # a NaN stays one
    return max(-z, z - z) + math.log1p(small), -sign * far / (1 + small)


@compiled
def mixed(p, a, q, b, out):
    """out = p a + q b, (n,)."""
    for j in range(len(out)):
        out[j] = p * a[j] + q * b[j]


@compiled
def inner_forward(h, click, skip, lengths, slopes):
    """Σ over valid pairs of both terms; fills `slopes` (2, T, B). h, click, skip: (T, B, n)."""
    total = 0.0
    for t in range(len(h) - 1):
        for b in range(h.shape[1]):
            if t + 1 < lengths[b]:
                clicked, slopes[0, t, b] = cost(dot(h[t, b], click[t + 1, b]), 1)
                skipped, slopes[1, t, b] = cost(dot(h[t, b], skip[t + 1, b]), -1)
                total += clicked + skipped
    return total


@compiled
def inner_backward(h, click, skip, lengths, slopes, worth, d_h, d_click, d_skip):
    """Fill the gradients, (T, B, n), where a pair is valid; they come as zeros."""
    for t in range(len(h) - 1):
        for b in range(h.shape[1]):
            if t + 1 < lengths[b]:
                p, q = worth * slopes[0, t, b], worth * slopes[1, t, b]
                mixed(p, click[t + 1, b], q, skip[t + 1, b], d_h[t, b])
                scaled(p, h[t, b], d_click[t + 1, b])
                scaled(q, h[t, b], d_skip[t + 1, b])


@compiled
def relu_of_sum(more, z):
    """z = ReLU(z + more): (n, m) and (n, m), or one row for all, (1, m)."""
    for b in range(len(z)):
        row = more[b if len(more) > 1 else 0]
        for j in range(z.shape[1]):
            value = z[b, j] + row[j]
            if value < 0:  # written so that a NaN passes through
                value = value - value
            z[b, j] = value


@compiled
def through_relu(z, d_z):
    """Where ReLU gave 0, no gradient passes: (n, m), in place."""
    for b in range(len(z)):
        for j in range(z.shape[1]):
            if z[b, j] <= 0:
                d_z[b, j] = 0


@compiled
def add_columns(d_z, total):
    """total (m,) += Σ_b d_z (n, m)."""
    for b in range(len(d_z)):
        for j in range(len(total)):
            total[j] += d_z[b, j]


@compiled
def output(z, weight, bias, sign, d_z, d_weight, d_bias):
    """The last layer and the loss of n similarities: the sum; its gradients are added up."""
    total = 0.0
    for b in range(len(z)):
        loss, slope = cost(dot(z[b], weight[0]) + bias[0], sign)
        total += loss
        scaled(slope, weight[0], d_z[b])
        d_bias[0] += slope
        for j in range(z.shape[1]):
            d_weight[0, j] += slope * z[b, j]
    return total


@compiled
def network(h, click, skip, lengths, weights, keep, d_h, d_click, d_skip, d_weights):
    """Σ over valid pairs of both terms; with `keep` the gradients too, which come as zeros.

    weights and d_weights: W_h (m, n_H), W_e (m, n_E), bias (m,); weight (k, m), bias (k,);
    weight (1, k), bias (1,). The letters x, y, z stand for inputs, first and second layer.
    """
    w_h, w_e, b_1, w_2, b_2, w_3, b_3 = weights
    d_w_h, d_w_e, d_b_1, d_w_2, d_b_2, d_w_3, d_b_3 = d_weights
    w_h_t, w_e_t = np.ascontiguousarray(w_h.T), np.ascontiguousarray(w_e.T)
    w_2_t, row_1, row_2 = np.ascontiguousarray(w_2.T), b_1.reshape(1, -1), b_2.reshape(1, -1)
    state, x = np.empty((BLOCK, h.shape[2]), h.dtype), np.empty((BLOCK, click.shape[2]), h.dtype)
    shared, y = np.empty((BLOCK, len(w_h)), h.dtype), np.empty((BLOCK, len(w_h)), h.dtype)
    z = np.empty((BLOCK, len(w_2)), h.dtype)
    d_shared, d_state, d_x = np.empty_like(shared), np.empty_like(state), np.empty_like(x)
    d_y, d_z = np.empty_like(y), np.empty_like(z)
    more_h, more_e, more_2 = np.empty_like(w_h), np.empty_like(w_e), np.empty_like(w_2)
    rows, total = np.empty(h.shape[1], np.int64), 0.0
    for t in range(len(h) - 1):
        valid = 0
        for b in range(h.shape[1]):
            if t + 1 < lengths[b]:
                rows[valid] = b
                valid += 1
        for first in range(0, valid, BLOCK):
            live = rows[first : min(first + BLOCK, valid)]
            n = len(live)
            gather(live, h[t], state)
            np.dot(state[:n], w_h_t, shared[:n])
            for sign, source, d_source in ((1, click, d_click), (-1, skip, d_skip)):
                gather(live, source[t + 1], x)
                np.dot(x[:n], w_e_t, y[:n])
                add(shared[:n], y)
                relu_of_sum(row_1, y[:n])
                np.dot(y[:n], w_2_t, z[:n])
                relu_of_sum(row_2, z[:n])
                total += output(z[:n], w_3, b_3, sign, d_z, d_w_3, d_b_3)
                if keep:
                    through_relu(z[:n], d_z)
                    add_columns(d_z[:n], d_b_2)
                    np.dot(d_z[:n].T, y[:n], more_2)
                    add(more_2, d_w_2)
                    np.dot(d_z[:n], w_2, d_y[:n])
                    through_relu(y[:n], d_y)
                    np.dot(d_y[:n].T, x[:n], more_e)
                    add(more_e, d_w_e)
                    np.dot(d_y[:n], w_e, d_x[:n])
                    scatter(live, d_x, d_source[t + 1])
                    if sign == 1:
                        d_shared[:n] = d_y[:n]
                    else:
                        add(d_y[:n], d_shared)
            if keep:
                add_columns(d_shared[:n], d_b_1)
                np.dot(d_shared[:n].T, state[:n], more_h)
                add(more_h, d_w_h)
                np.dot(d_shared[:n], w_h, d_state[:n])
                scatter(live, d_state, d_h[t])
    return total


def arrays(tensors) -> tuple[np.ndarray, ...]:
    return tuple(tensor.numpy() for tensor in tensors)


class Inner(torch.autograd.Function):
    """apply(pairs, h, click, skip (T, B, n), lengths (B,)) -> Σ / number of valid pairs."""

    @staticmethod
    def forward(ctx, pairs, h, click, skip, lengths):
        slopes = h.new_empty(2, *h.shape[:2])
        ctx.pairs = pairs
        ctx.save_for_backward(h, click, skip, lengths, slopes)
        return h.new_tensor(inner_forward(*arrays(ctx.to_save)) / pairs)

    @staticmethod
    def backward(ctx, d_loss):
        refuse_second_derivatives()
        worth = (d_loss / ctx.pairs).numpy()[()]  # keeps its type
        gradients = [memory.zeros(tensor, *tensor.shape) for tensor in ctx.saved_tensors[:3]]
        inner_backward(*arrays(ctx.saved_tensors), worth, *arrays(gradients))
        return None, *gradients, None


class Network(torch.autograd.Function):
    """apply(keep, pairs, h, click, skip, lengths, *weights) -> Σ / number of valid pairs.

    weights: those of three linear layers, each weight and bias.
    """

    @staticmethod
    def forward(ctx, keep, pairs, h, click, skip, lengths, first, *rest):
        parts = first.split([h.shape[2], click.shape[2]], dim=1)
        weights = [*(part.contiguous() for part in parts), *rest]
        wanted = [h, click, skip] if keep else [h[:0], click[:0], skip[:0]]
        gradients = [memory.zeros(tensor, *tensor.shape) for tensor in (*wanted, *weights)]
        given, results = arrays((h, click, skip, lengths)), arrays(gradients)
        total = network(*given, arrays(weights), keep, *results[:3], results[3:])
        ctx.pairs = pairs
        ctx.save_for_backward(*gradients)
        return h.new_tensor(total / pairs)

    @staticmethod
    def backward(ctx, d_loss):
        refuse_second_derivatives()
        gradients = [gradient * (d_loss / ctx.pairs) for gradient in ctx.saved_tensors]
        d_first = torch.cat(gradients[3:5], dim=1)
        return None, None, *gradients[:3], None, d_first, *gradients[5:]


def run(interests: Tensor, behaviours: Tensor, negatives: Tensor, mask: Tensor, weights) -> Tensor:
    """The scalar of `layers.AuxiliaryLoss`; `weights` of its network, () for the inner product."""
    lengths = mask.sum(dim=1)
    pairs = max(1, int((lengths - 1).clamp(min=0).sum()))
    tensors = [t.transpose(0, 1).contiguous() for t in (interests, behaviours, negatives)]
    if not weights:
        return Inner.apply(pairs, *tensors, lengths)
    weights = [weight.contiguous() for weight in weights]
    keep = torch.is_grad_enabled() and any(t.requires_grad for t in (*tensors, *weights))
    return Network.apply(keep, pairs, *tensors, lengths, *weights)
