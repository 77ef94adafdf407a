"""Arrays that one step leaves for the next: given back only when nobody can read them any more."""

from __future__ import annotations

import gc

import pytest
import torch

from dien_edu.kernels import cpu, memory
from dien_edu.layers import AUGRU

SIZE = memory.SMALLEST  # numbers of four bytes: large enough
LIKE = torch.zeros(1)


@pytest.fixture(autouse=True)
def empty_shelves(monkeypatch):
    monkeypatch.setattr(memory, "free", {})


@pytest.mark.parametrize("size", [2**18, 2**18 + 1, 300_000, 10**6, 12_345_678, 2**31 + 5])
def test_a_size_class_is_at_most_an_eighth_too_large(size):
    found = memory.size_class(size)
    assert size <= found <= size * 9 / 8 and memory.size_class(found) == found


def test_the_next_one_of_the_same_size_gets_the_same_memory():
    first = memory.empty(LIKE, 4, SIZE)
    where = first.data_ptr()
    del first
    assert memory.empty(LIKE, 4, SIZE).data_ptr() == where
    assert (memory.zeros(LIKE, SIZE, 4) == 0).all()


@pytest.mark.parametrize("use", [lambda t: t[2:, 5], lambda t: t.numpy(), lambda t: t.double()[:0]])
def test_memory_that_can_still_be_read_is_not_given_away(use):
    first = memory.empty(LIKE, 4, SIZE).fill_(7)
    where, part = first.data_ptr(), use(first)
    del first
    second = memory.empty(LIKE, 4, SIZE).fill_(8)
    assert (second.data_ptr() != where) == (len(part) > 0)
    assert (part == 7).all()


def test_small_ones_and_types():
    assert memory.empty(LIKE, 3).shape == (3,) and not memory.free
    double = memory.empty(LIKE.double(), 2, SIZE)
    assert double.dtype == torch.float64 and double.shape == (2, SIZE)
    assert memory.empty(LIKE, 0, SIZE).numel() == 0


@pytest.mark.skipif(bool(cpu.MISSING), reason=cpu.MISSING)
def test_a_graph_keeps_what_it_needs_while_others_come_and_go():
    torch.manual_seed(0)
    layer = AUGRU(16, 64)
    inputs, attention = torch.randn(64, 40, 16), torch.rand(64, 40)
    mask = torch.ones(64, 40, dtype=torch.bool)
    loss = layer(inputs, attention, mask)[0].square().sum()
    first = torch.autograd.grad(loss, list(layer.parameters()), retain_graph=True)
    for _ in range(3):
        layer(inputs + 1, attention, mask)[0].sum().backward()
    again = torch.autograd.grad(loss, list(layer.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    del loss
    gc.collect()
    assert sum(map(len, memory.free.values())) > 0
