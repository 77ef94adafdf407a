"""Two sums over a history without a copy of it: h_t · q for all steps, and Σ_t over the real ones.

`(h * q).sum()` writes a product as large as the history, and two more on the way back (chapter 14).
"""

from __future__ import annotations

import torch

from dien_edu.kernels import memory
from dien_edu.kernels.cpu import compiled


@compiled
def dot(a, b):
    """Σ_j a_j b_j."""
    total = a[0] * b[0]
    for j in range(1, len(a)):
        total += a[j] * b[j]
    return total


@compiled
def scaled(p, a, out):
    """out = p a, (n,)."""
    for j in range(len(out)):
        out[j] = p * a[j]


@compiled
def dots_forward(h, query, out):
    """out (T, B) = h (T, B, n) · query (B, n)."""
    for t in range(len(h)):
        for b in range(h.shape[1]):
            out[t, b] = dot(h[t, b], query[b])


@compiled
def dots_backward(h, query, d_out, d_h, d_query):
    """Fill d_h, add to d_query."""
    for t in range(len(h)):
        for b in range(h.shape[1]):
            d, state, total = d_out[t, b], h[t, b], d_query[b]
            scaled(d, query[b], d_h[t, b])
            for j in range(len(state)):
                total[j] += d * state[j]


@compiled
def sum_forward(rows, lengths, total):
    """total (B, n) += Σ_t rows (T, B, n), over the first lengths[b] steps."""
    for t in range(len(rows)):
        for b in range(rows.shape[1]):
            if t < lengths[b]:
                row, out = rows[t, b], total[b]
                for j in range(len(out)):
                    out[j] += row[j]


@compiled
def sum_backward(d_total, lengths, d_rows):
    """Every real step gets d_total; padding 0."""
    for t in range(len(d_rows)):
        for b in range(d_rows.shape[1]):
            row, source = d_rows[t, b], d_total[b]
            for j in range(len(row)):
                row[j] = source[j] if t < lengths[b] else source[j] - source[j]


class Dots(torch.autograd.Function):
    """apply(h (T, B, n), query (B, n)) -> (T, B)."""

    @staticmethod
    def forward(ctx, h, query):
        ctx.save_for_backward(h, query)
        out = h.new_empty(h.shape[:2])
        dots_forward(h.numpy(), query.numpy(), out.numpy())
        return out

    @staticmethod
    def backward(ctx, d_out):
        h, query = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph=True wants operations that are recorded
            return d_out[..., None] * query, (d_out[..., None] * h).sum(dim=0)
        d_h, d_query = memory.empty(h, *h.shape), torch.zeros_like(query)
        given = (h, query, d_out.contiguous(), d_h, d_query)
        dots_backward(*(tensor.numpy() for tensor in given))
        return d_h, d_query


class Sum(torch.autograd.Function):
    """apply(rows (T, B, n), lengths (B,)) -> (B, n)."""

    @staticmethod
    def forward(ctx, rows, lengths):
        ctx.save_for_backward(lengths)
        ctx.steps = len(rows)
        total = rows.new_zeros(rows.shape[1:])
        sum_forward(rows.numpy(), lengths.numpy(), total.numpy())
        return total

    @staticmethod
    def backward(ctx, d_total):
        (lengths,) = ctx.saved_tensors
        if torch.is_grad_enabled():
            real = torch.arange(ctx.steps)[:, None] < lengths
            return d_total * real[..., None], None
        d_rows = memory.empty(d_total, ctx.steps, *d_total.shape)
        sum_backward(d_total.contiguous().numpy(), lengths.numpy(), d_rows.numpy())
        return d_rows, None
