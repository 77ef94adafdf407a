"""Rows of tables, side by side, and the way back: a gather and a scatter (chapter 14).

The gradient of a table is 0 but for the rows that were read. PyTorch adds each of them with a call
to BLAS, 200 ns for 18 numbers; a compiled loop needs a tenth of that. Nothing else is different:
the sums are taken in the same order, and Adam sees the same dense gradient.
"""

from __future__ import annotations

import torch

from dien_edu.kernels.cpu import compiled


@compiled
def read_rows(ids, table, first, out):
    """out[i, first …] = table[ids[i]]; IndexError for an id that the table does not have."""
    width = table.shape[1]
    for i in range(len(ids)):
        if ids[i] < 0 or ids[i] >= len(table):
            raise IndexError("id out of range")
        source, target = table[ids[i]], out[i, first : first + width]
        for j in range(width):
            target[j] = source[j]


@compiled
def add_rows(ids, d_out, first, d_table):
    """d_table[ids[i]] += d_out[i, first …]; id 0 is padding and gets nothing."""
    width = d_table.shape[1]
    for i in range(len(ids)):
        if ids[i]:
            source, target = d_out[i, first : first + width], d_table[ids[i]]
            for j in range(width):
                target[j] += source[j]


class Lookup(torch.autograd.Function):
    """apply(K tables (N_k, n_k), K times ids (M,)) -> (M, Σ n_k); arguments: tables, then ids."""

    @staticmethod
    def forward(ctx, *arguments):
        half = len(arguments) // 2
        tables, ids = arguments[:half], arguments[half:]
        ctx.sizes = [table.shape for table in tables]
        ctx.save_for_backward(*ids)
        out = tables[0].new_empty(len(ids[0]), sum(width for _, width in ctx.sizes))
        first = 0
        for table, numbers in zip(tables, ids, strict=True):
            read_rows(numbers.numpy(), table.numpy(), first, out.numpy())
            first += table.shape[1]
        return out

    @staticmethod
    def backward(ctx, d_out):
        d_out, first, gradients = d_out.contiguous(), 0, []
        for (rows, width), ids in zip(ctx.sizes, ctx.saved_tensors, strict=True):
            if torch.is_grad_enabled():  # create_graph=True wants operations that are recorded
                part = d_out[:, first : first + width]
                gradient = torch.ops.aten.embedding_dense_backward(part, ids, rows, 0, False)
            else:
                gradient = d_out.new_zeros(rows, width)
                add_rows(ids.numpy(), d_out.numpy(), first, gradient.numpy())
            gradients.append(gradient)
            first += width
        return *gradients, *[None] * len(gradients)
