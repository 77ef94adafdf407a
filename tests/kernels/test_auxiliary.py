"""The fused auxiliary loss and the two sums over a history, against the operations of PyTorch."""

from __future__ import annotations

import pytest
import torch
from conftest import right_padded

from dien_edu import kernels
from dien_edu.kernels import cpu
from dien_edu.layers import AuxiliaryLoss

pytestmark = pytest.mark.skipif(bool(cpu.MISSING), reason=cpu.MISSING)
LENGTHS = [[7, 3, 0, 1, 2], [0, 0], [1], [2, 2], [n % 6 for n in range(131)], [5] * 260]


def draw(lengths, sizes, dtype=torch.float64):
    torch.manual_seed(len(lengths))
    shape = len(lengths), max(lengths) + 1
    tensors = [torch.randn(*shape, n, dtype=torch.float64).to(dtype) for n in sizes]
    return [t.requires_grad_() for t in tensors], right_padded(lengths, shape[1])


def run(kind, backend, lengths, dtype=torch.float64, sizes=(6, 4), layout=lambda t: t):
    h, e = (sizes[0], sizes[0]) if kind == "inner" else sizes
    torch.manual_seed(0)
    layer = AuxiliaryLoss(kind, h, e, backend).double().to(dtype)
    leaves, mask = draw(lengths, (h, e, e), dtype)
    loss = layer(*map(layout, leaves), mask)
    (1.7 * loss).backward()
    return [loss.detach(), *(t.grad for t in (*leaves, *layer.parameters()))]


@pytest.mark.parametrize("kind", ["inner", "mlp"])
@pytest.mark.parametrize("lengths", LENGTHS, ids=[f"{len(n)} rows" for n in LENGTHS])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_equals_the_operations_in_float64(kind, lengths, dtype, tolerance):
    expected = run(kind, "reference", lengths)
    for mine, theirs in zip(run(kind, "auto", lengths, dtype), expected, strict=True):
        assert mine.dtype == dtype
        bound = tolerance * theirs.abs().max().clamp(min=1e-30)
        assert (mine.double() - theirs).abs().max() <= bound


@pytest.mark.parametrize("kind", ["inner", "mlp"])
@pytest.mark.parametrize("sizes", [(1, 1), (36, 36), (100, 3)])
def test_sizes_and_layout(kind, sizes):
    expected = run(kind, "reference", [4, 2, 3], sizes=sizes)
    for layout in (lambda t: t, lambda t: t.mT.contiguous().mT):
        found = run(kind, "auto", [4, 2, 3], sizes=sizes, layout=layout)
        for mine, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["inner", "mlp"])
def test_the_kernel_is_what_runs(kind, monkeypatch):
    calls = []
    real = kernels.auxiliary_loss
    monkeypatch.setattr(kernels, "auxiliary_loss", lambda *a: calls.append(real(*a)) or calls[-1])
    run(kind, "auto", [3, 2])
    assert calls[0] is not None
    run(kind, "reference", [3, 2])

    class Renamed(AuxiliaryLoss):
        """May compute something else."""

    (h, e, other), mask = draw([3, 2], (4, 4, 4))
    Renamed(kind, 4, 4).double()(h, e, other, mask)
    assert len(calls) == 1
    monkeypatch.setattr(cpu, "MISSING", "No module named 'numba'")
    assert real(h, e, other, mask, []) is None


@pytest.mark.parametrize("kind", ["inner", "mlp"])
def test_the_bits_are_the_same_run_to_run(kind):
    first, second = (run(kind, "auto", [9, 4] * 90, torch.float32) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("kind", ["inner", "mlp"])
def test_padding_is_never_read_and_a_nan_comes_out(kind):
    layer = AuxiliaryLoss(kind, 4, 4).double()
    leaves, mask = draw([5, 2, 0], (4, 4, 4))
    tensors = [t.detach().clone() for t in leaves]
    clean = layer(*tensors, mask)
    for tensor in tensors:
        tensor[~mask] = float("nan")
    tensors = [t.requires_grad_() for t in tensors]
    dirty = layer(*tensors, mask)
    dirty.backward()
    assert torch.equal(clean, dirty) and all(t.grad.isfinite().all() for t in tensors)
    for k, t in ((0, 1), (1, 2), (2, 2)):
        broken = [tensor.detach().clone() for tensor in tensors]
        broken[k][0, t, 0] = float("nan")
        assert layer(*broken, mask).isnan()


def test_far_from_zero():
    """Similarities of ±400: neither infinite nor a gradient of 0 that should be 1."""
    h = torch.tensor([[[20.0], [0.0]], [[-20.0], [0.0]]], requires_grad=True)
    e = torch.tensor([[[0.0], [20.0]], [[0.0], [20.0]]])
    results = []
    for backend in ("auto", "reference"):
        layer = AuxiliaryLoss("inner", backend=backend)
        loss = layer(h, e, -e, right_padded([2, 2], 2))
        results.append((loss.detach(), *torch.autograd.grad(loss, h)))
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs)
    assert results[0][0] == 400


@pytest.mark.parametrize("kind", ["inner", "mlp"])
def test_second_derivatives_are_refused_and_without_gradients_nothing_is_kept(kind):
    layer = AuxiliaryLoss(kind, 4, 4).double()
    tensors, mask = draw([3, 2], (4, 4, 4))
    loss = layer(*tensors, mask)
    with torch.no_grad():
        assert torch.equal(loss.detach(), layer(*tensors, mask))
    with pytest.raises(RuntimeError, match="first derivatives only"):
        torch.autograd.grad(loss, tensors, create_graph=True)


def both(function, monkeypatch):
    """What a function gives with and without the compiled loops."""
    fused = function()
    monkeypatch.setattr(cpu, "MISSING", "No module named 'numba'")
    return fused, function()


@pytest.mark.parametrize("strided", [False, True])
def test_dots(strided, monkeypatch):
    torch.manual_seed(0)
    rows, query = torch.randn(5, 7, 3).double(), torch.randn(5, 3).double()
    rows = rows.transpose(0, 1).contiguous().transpose(0, 1) if strided else rows
    leaves = [rows.requires_grad_(), query.requires_grad_()]

    def run():
        out = kernels.dots(*leaves)
        return [out.detach(), *torch.autograd.grad(out.square().sum(), leaves)]

    assert torch.autograd.gradgradcheck(kernels.dots, leaves)
    for mine, theirs in zip(*both(run, monkeypatch), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)


def test_sum_steps(monkeypatch):
    torch.manual_seed(0)
    rows, mask = torch.randn(4, 6, 3).double().requires_grad_(), right_padded([6, 2, 0, 1], 6)

    def run():
        out = kernels.sum_steps(rows, mask)
        return [out.detach(), *torch.autograd.grad(out.square().sum(), rows)]

    assert torch.autograd.gradgradcheck(lambda r: kernels.sum_steps(r, mask).square(), rows)
    for mine, theirs in zip(*both(run, monkeypatch), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)


def test_a_sum_never_reads_padding():
    rows, mask = torch.ones(2, 3, 4), right_padded([2, 0], 3)
    rows[~mask] = float("nan")
    assert torch.equal(kernels.sum_steps(rows, mask), torch.tensor([[2.0] * 4, [0.0] * 4]))
