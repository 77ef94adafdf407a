"""Rows of tables and back: the same as PyTorch's embedding, to the bit."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from dien_edu.kernels import cpu, look_up
from dien_edu.models.base import BehaviourEmbedding


def plain(tables, ids):
    rows = [F.embedding(i, t, padding_idx=0) for i, t in zip(ids, tables, strict=True)]
    return torch.cat(rows, dim=-1)


def ours(tables, ids):
    return look_up(tables, ids)[0]


def draw(shape, dtype=torch.float32):
    torch.manual_seed(0)
    tables = [torch.randn(n, width, dtype=dtype) for n, width in ((50, 3), (7, 2))]
    return tables, [torch.randint(0, len(table), shape) for table in tables]


@pytest.mark.parametrize("shape", [(400,), (8, 5), (5, 8, 2), (0, 3), ()])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("strided", [False, True])
def test_equals_the_embedding_of_pytorch(shape, dtype, strided):
    results = []
    for function in (ours, plain):
        tables, ids = draw(shape, dtype)
        ids = [i.mT if strided and i.ndim > 1 else i for i in ids]
        out = function([t.requires_grad_() for t in tables], ids)
        out.backward(torch.arange(out.numel(), dtype=dtype).view_as(out))
        results.append([out.detach(), *(t.grad for t in tables)])
    for mine, theirs in zip(*results, strict=True):
        assert torch.equal(mine, theirs)


def test_padding_has_no_gradient():
    tables, ids = draw((30,))
    rows = ours([t.requires_grad_() for t in tables], [torch.zeros_like(i) for i in ids])
    rows.sum().backward()
    assert all((t.grad == 0).all() for t in tables)


@pytest.mark.parametrize("wrong", [-1, 50, 10**9])
def test_an_unknown_id_is_an_error_and_not_another_row(wrong):
    tables, ids = draw((30,))
    ids[0][7] = wrong
    with pytest.raises(IndexError):
        look_up(tables, ids)


def test_second_derivatives():
    tables, ids = draw((6,), torch.float64)
    tables = [t.requires_grad_() for t in tables]
    assert torch.autograd.gradgradcheck(lambda *t: ours(list(t), ids).square(), tables)


def test_without_numba_it_is_the_embedding_of_pytorch(monkeypatch):
    monkeypatch.setattr(cpu, "MISSING", "No module named 'numba'")
    tables, ids = draw((30,))
    assert torch.equal(ours(tables, ids), plain(tables, ids))


def test_several_shapes_from_one_look_up():
    table = BehaviourEmbedding(20, 5, 6)
    pairs = [(torch.randint(0, 21, (n, 3)), torch.randint(0, 6, (n, 3))) for n in (1, 4, 0)]
    for one, pair in zip(table.several(*pairs), pairs, strict=True):
        assert torch.equal(one, table(*pair))
