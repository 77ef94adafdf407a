"""Equation (6): against the oracle, and which inputs it must not see."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import right_padded
from hypothesis import given, settings
from hypothesis import strategies as st

from dien_edu import kernels, reference
from dien_edu.layers import AuxiliaryLoss


def draw(batch=3, steps=5, size=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, steps, size, generator=generator).double() for _ in range(3)]


def make(kind, size=4):
    torch.manual_seed(0)
    return AuxiliaryLoss(kind, size, size).double()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=4), st.sampled_from(["inner", "mlp"]))
def test_equals_the_equation(lengths, kind):
    layer, steps = make(kind), max(lengths) + 1
    tensors = draw(len(lengths), steps)

    def similarity(h, e):
        return layer.similarity(torch.from_numpy(h), torch.from_numpy(e)).item()

    pairs = [max(length - 1, 0) for length in lengths]
    each = [
        reference.auxiliary_loss(*(t[row, :n].numpy() for t in tensors), similarity)
        for row, n in enumerate(lengths)
    ]
    expected = np.dot(each, pairs) / max(sum(pairs), 1)  # a mean over pairs, not over histories
    loss = layer(*tensors, right_padded(lengths, steps))
    assert loss.item() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("kind", ["inner", "mlp"])
def test_gradients(kind):
    layer, mask = make(kind), right_padded([4, 2, 1, 0], 4)
    tensors = [t.requires_grad_() for t in draw(4, 4)]
    assert torch.autograd.gradcheck(lambda *t: layer(*t, mask), tensors)


@pytest.mark.parametrize("kind", ["inner", "mlp"])
def test_exactly_the_non_clicks_of_steps_2_to_length_matter(kind):
    layer, lengths = make(kind), [4, 2, 1, 0]
    interests, behaviours, negatives = [t.requires_grad_() for t in draw(4, 5)]
    layer(interests, behaviours, negatives, right_padded(lengths, 5)).backward()
    wanted = right_padded(lengths, 5)
    wanted[:, 0] = False
    for tensor in (behaviours, negatives):
        assert torch.equal((tensor.grad != 0).any(dim=-1), wanted)
    states = right_padded([max(n - 1, 0) for n in lengths], 5)
    assert torch.equal((interests.grad != 0).any(dim=-1), states)


def test_chance_is_log_4():
    _, behaviours, negatives = draw()
    mask = right_padded([5, 2, 0], 5)
    zeros = torch.zeros_like(behaviours)
    assert make("inner")(zeros, behaviours, negatives, mask).item() == pytest.approx(np.log(4))
    layer = make("mlp")
    torch.nn.init.zeros_(layer.network[-1].weight)
    torch.nn.init.zeros_(layer.network[-1].bias)
    assert layer(zeros, behaviours, negatives, mask).item() == pytest.approx(np.log(4))


@pytest.mark.parametrize("kind", ["inner", "mlp"])
def test_no_valid_pair_gives_zero_and_no_nan(kind):
    layer = make(kind)
    for lengths, steps in (([1, 0], 3), ([1], 1), ([0, 0], 0)):
        tensors = [t.requires_grad_() for t in draw(len(lengths), steps)]
        loss = layer(*tensors, right_padded(lengths, steps))
        loss.backward()
        assert loss.item() == 0
        assert all((t.grad == 0).all() for t in tensors)


@pytest.mark.parametrize("kind", ["inner", "mlp"])
def test_padding_changes_nothing(kind):
    layer, tensors = make(kind), draw(steps=8)
    short = layer(*(t[:, :5] for t in tensors), right_padded([5, 3, 0], 5))
    assert torch.equal(short, layer(*tensors, right_padded([5, 3, 0], 8)))


def test_a_kernel_is_asked_unless_the_layer_is_to_compute_itself(monkeypatch):
    class Other(AuxiliaryLoss):
        pass

    asked, tensors, mask = [], draw(), right_padded([5, 2, 0], 5)
    monkeypatch.setattr(kernels, "auxiliary_loss", lambda *given: asked.append(given[4]))
    for layer in (AuxiliaryLoss("inner", backend="reference"), Other("inner")):
        layer(*tensors, mask)
        assert asked == []
    expected, layer = AuxiliaryLoss("inner", backend="reference")(*tensors, mask), make("mlp")
    assert torch.equal(AuxiliaryLoss("inner")(*tensors, mask), expected), "the kernel has no answer"
    layer(*tensors, mask)
    assert asked == [[], list(layer.parameters())]
    monkeypatch.setattr(kernels, "auxiliary_loss", lambda *given: torch.tensor(7.0))
    assert AuxiliaryLoss("inner")(*tensors, mask).item() == 7


def test_the_network_is_the_one_of_the_docstring():
    layer = AuxiliaryLoss("mlp", 4, 3).double()
    shapes = [tuple(p.shape) for p in layer.parameters()]
    assert shapes == [(100, 7), (100,), (50, 100), (50,), (1, 50), (1,)]
    kinds = [type(part).__name__ for part in layer.network]
    assert kinds == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
    interests, behaviours, negatives = draw()
    wide, narrow = interests, (behaviours[..., :3], negatives[..., :3])
    assert layer(wide, *narrow, right_padded([5, 2, 0], 5)).item() > 0, "n_H and n_E may differ"
    assert list(AuxiliaryLoss().parameters()) == []


def test_wrong_arguments_are_named():
    for sizes in ({"hidden_size": 4}, {"embedding_size": 4}):
        with pytest.raises(ValueError, match="needs hidden_size"):
            AuxiliaryLoss("mlp", **sizes)
    interests, behaviours, negatives = draw()
    mask = right_padded([5, 5, 5], 5)
    with pytest.raises(ValueError, match="kind is 'cosine', expected 'inner' or 'mlp'"):
        AuxiliaryLoss("cosine")
    with pytest.raises(ValueError, match="needs hidden_size"):
        AuxiliaryLoss("mlp")
    with pytest.raises(ValueError, match=r"behaviours has shape \(3, 5, 3\)"):
        AuxiliaryLoss("inner")(interests, behaviours[..., :3], negatives, mask)
    with pytest.raises(ValueError, match=r"negatives has shape \(3, 5, 3\)"):
        AuxiliaryLoss("inner")(interests, behaviours, negatives[..., :3], mask)
    with pytest.raises(ValueError, match=r"mask has shape \(3, 4\), expected \(3, 5\)"):
        AuxiliaryLoss("inner")(interests, behaviours, negatives, mask[:, :4])
    with pytest.raises(ValueError, match="RIGHT"):
        AuxiliaryLoss("inner")(interests, behaviours, negatives, right_padded([2, 3, 4], 5).flip(1))
