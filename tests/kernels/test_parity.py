"""The fused CPU kernel against the reference loop in float64, and against the equations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import right_padded
from hypothesis import given, settings
from hypothesis import strategies as st

from dien_edu import kernels, reference
from dien_edu.kernels import cpu
from dien_edu.layers import AGRU, AIGRU, AUGRU, GRU
from dien_edu.layers.evolution import AttentionalGRU

if cpu.MISSING:
    pytest.skip(cpu.MISSING, allow_module_level=True)


class OfficialAUGRU(AttentionalGRU):
    """What the authors' code computes: u + a − a·u."""

    rule = "official"

    def step_size(self, update_gate, attention):
        return update_gate + attention[..., None] * (1 - update_gate)


KINDS = {
    GRU: reference.gru,
    AIGRU: reference.aigru,
    AGRU: reference.agru,
    AUGRU: reference.augru,
    OfficialAUGRU: reference.official_augru,
}
kinds = pytest.mark.parametrize("kind", KINDS)


def make(kind, sizes, dtype, backend):
    torch.manual_seed(sum(sizes))
    return kind(*sizes, backend=backend).to(dtype)


def draw(lengths, steps, sizes, seed=0):
    """Inputs, attention, mask, state and a gradient for the states, in float64."""
    generator = torch.Generator().manual_seed(seed)
    options = {"generator": generator, "dtype": torch.float64}
    mask = right_padded(lengths, steps)
    scores = torch.randn(len(lengths), steps, **options).masked_fill(~mask, -1e9)
    inputs = torch.randn(len(lengths), steps, sizes[0], **options)
    state = torch.randn(len(lengths), sizes[1], **options)
    d_states = torch.randn(len(lengths), steps, sizes[1], **options)
    return inputs, scores.softmax(dim=1) * mask, mask, state, d_states


def call(layer, inputs, attention, mask, state):
    scores = () if isinstance(layer, GRU) else (attention,)
    return layer(inputs, *scores, mask, state)[0]


def run(kind, lengths, steps, sizes, dtype=torch.float64, backend="fused", seed=0):
    """The states and every gradient."""
    layer = make(kind, sizes, dtype, backend)
    inputs, attention, mask, state, d_states = draw(lengths, steps, sizes, seed)
    leaves = [t.to(dtype).requires_grad_() for t in (inputs, attention, state)]
    states = call(layer, leaves[0], leaves[1], mask, leaves[2])
    states.backward(d_states.to(dtype))
    return [states.detach(), *(t.grad for t in (*leaves, *layer.parameters()))]


def assert_close(results, expected, tolerance):
    """Each result within `tolerance` of the largest entry of what is expected."""
    names = ("states", "inputs", "attention", "state", "weight_input", "weight_hidden", "bias")
    for name, ours, theirs in zip(names, results, expected, strict=True):
        assert (ours is None) == (theirs is None), name
        if ours is not None and ours.numel():
            bound = tolerance * theirs.abs().max().clamp(min=1e-30)
            assert (ours.double() - theirs).abs().max() <= bound, name


@kinds
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_equals_the_loop_in_float64(kind, dtype, tolerance, data):
    lengths = data.draw(st.lists(st.integers(0, 12), min_size=1, max_size=9), "lengths")
    steps = max(1, max(lengths)) + data.draw(st.integers(0, 2), "padding")
    sizes = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40)), "sizes")
    seed = data.draw(st.integers(0, 99), "seed")
    expected = run(kind, lengths, steps, sizes, backend="reference", seed=seed)
    assert_close(run(kind, lengths, steps, sizes, dtype, seed=seed), expected, tolerance)


@kinds
@pytest.mark.parametrize("hidden_size", [1, 2, 36, 127, 256])
@pytest.mark.parametrize("batch", [1, 128, 131])
def test_every_size_and_more_rows_than_a_block(kind, hidden_size, batch):
    lengths = np.random.default_rng(batch).integers(0, 21, batch)
    sizes = (8, hidden_size)
    expected = run(kind, lengths, 20, sizes, backend="reference")
    assert_close(run(kind, lengths, 20, sizes, torch.float32), expected, 1e-5)


@kinds
def test_a_long_history_stays_close(kind):
    expected = run(kind, [1000, 500, 3], 1000, (36, 36), backend="reference")
    assert_close(run(kind, [1000, 500, 3], 1000, (36, 36), torch.float32), expected, 1e-5)


@kinds
def test_equals_the_equations(kind):
    layer = make(kind, (3, 5), torch.float64, "fused")
    inputs, attention, mask, state, _ = draw([7, 4, 0], 7, (3, 5))
    weights = [p.detach().numpy() for p in layer.parameters()]
    states = call(layer, inputs, attention, mask, state).detach()
    for row, length in enumerate([7, 4, 0]):
        scores = () if kind is GRU else (attention[row, :length].numpy(),)
        one = KINDS[kind](inputs[row, :length].numpy(), *scores, *weights, state[row].numpy())
        np.testing.assert_allclose(states[row, :length], one, rtol=0, atol=1e-14)
        last = torch.from_numpy(one[-1]) if length else state[row]
        torch.testing.assert_close(states[row, length:], last.expand(7 - length, -1))


@kinds
def test_gradients(kind):
    layer = make(kind, (3, 4), torch.float64, "fused")
    inputs, attention, mask, state, _ = draw([4, 2, 0], 4, (3, 4))
    leaves = [t.requires_grad_() for t in (inputs, attention, state)]
    names = [name for name, _ in layer.named_parameters()]

    def function(inputs, attention, state, *values):
        scores = () if kind is GRU else (attention,)
        parameters = dict(zip(names, values, strict=True))
        return torch.func.functional_call(layer, parameters, (inputs, *scores, mask, state))

    assert torch.autograd.gradcheck(function, (*leaves, *layer.parameters()))


@kinds
def test_all_histories_empty_one_step_and_none(kind):
    for lengths, steps in (([0, 0], 3), ([1, 0, 1], 1), ([1], 1), ([0], 1), ([0, 0], 0)):
        expected = run(kind, lengths, steps, (3, 4), backend="reference") if steps else None
        if expected:
            assert_close(run(kind, lengths, steps, (3, 4)), expected, 1e-12)
        else:
            layer = make(kind, (3, 4), torch.float64, "fused")
            assert call(layer, *draw(lengths, steps, (3, 4))[:4]).shape == (2, 0, 4)


@pytest.mark.parametrize("batch_first", [True, False])
def test_any_layout_in_memory(batch_first):
    """Inputs, attention, mask, state and the gradient of the states may all be strided views."""
    inputs, attention, mask, state, d_states = draw([6, 3, 0, 5], 6, (3, 4))
    expected, results = [], []
    for backend, out, strided in (("reference", expected, False), ("fused", results, True)):
        layer = make(AUGRU, (3, 4), torch.float64, backend)

        def view(t, strided=strided):
            if not strided:
                return t.clone()
            if not batch_first and t.ndim > 1:
                return t.transpose(0, 1).contiguous().transpose(0, 1)
            return torch.stack([t, torch.full_like(t, 9)], dim=-1)[..., 0]

        leaves = [view(t).detach().requires_grad_() for t in (inputs, attention, state)]
        states = call(layer, leaves[0], leaves[1], view(mask), leaves[2])
        states.backward(view(d_states))
        out += [states.detach(), *(t.grad for t in leaves), *(p.grad for p in layer.parameters())]
    assert_close(results, expected, 1e-12)


@pytest.mark.parametrize("wanted", range(6))
def test_a_gradient_for_one_input_only(wanted):
    def gradient(backend):
        layer = make(AUGRU, (3, 4), torch.float64, backend).requires_grad_(False)
        inputs, attention, mask, state, d_states = draw([6, 3, 0, 5], 6, (3, 4))
        leaves = [inputs, attention, state, *layer.parameters()]
        leaves[wanted].requires_grad_()
        return torch.autograd.grad(
            call(layer, inputs, attention, mask, state), leaves[wanted], d_states
        )[0]

    torch.testing.assert_close(gradient("fused"), gradient("reference"), rtol=0, atol=1e-12)


def test_a_gradient_from_the_last_state_only_or_from_all_states_only():
    for use in (lambda states, last: last, lambda states, last: states[:, 1:]):

        def gradients(backend, use=use):
            layer = make(AUGRU, (3, 4), torch.float64, backend)
            inputs, attention, mask, state, d_states = draw([6, 3, 0, 5], 6, (3, 4))
            leaves = [t.requires_grad_() for t in (inputs, attention, state)]
            out = use(*layer(leaves[0], leaves[1], mask, leaves[2]))
            (out * d_states[:, 1:].reshape(-1)[: out.numel()].view_as(out)).sum().backward()
            return [t.grad for t in (*leaves, *layer.parameters())]

        for ours, theirs in zip(gradients("fused"), gradients("reference"), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_states_changed_in_place_are_noticed():
    layer = make(AUGRU, (3, 4), torch.float64, "fused")
    inputs, attention, mask, state, _ = draw([4, 2], 4, (3, 4))
    states = call(layer, inputs.requires_grad_(), attention, mask, state)
    with torch.no_grad():
        states.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        states.sum().backward()


def test_used_twice_in_one_graph_and_backward_twice():
    def gradients(backend):
        layer = make(AUGRU, (4, 4), torch.float64, backend)
        inputs, attention, mask, _, d_states = draw([6, 3, 0, 5], 6, (4, 4))
        once, last = layer(inputs.requires_grad_(), attention.requires_grad_(), mask)
        twice, _ = layer(once, attention, mask, last)
        (twice * once).backward(d_states, retain_graph=True)
        twice.backward(d_states)
        return [t.grad for t in (inputs, attention, *layer.parameters())]

    for ours, theirs in zip(gradients("fused"), gradients("reference"), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_without_gradients_nothing_is_kept():
    layer = make(AUGRU, (3, 4), torch.float32, "fused")
    inputs, attention, mask, state, _ = draw([6, 3, 0, 5], 6, (3, 4))
    arguments = (inputs.float(), attention.float(), mask, state.float())
    with torch.no_grad():
        states = call(layer, *arguments)
    assert states.grad_fn is None
    assert torch.equal(states, call(layer, *arguments).detach())
    with torch.inference_mode():
        assert torch.equal(states, call(layer, *arguments))
    assert call(layer.requires_grad_(False), *arguments).grad_fn is None


@kinds
def test_run_to_run_the_bits_are_the_same(kind):
    lengths = np.random.default_rng(0).integers(0, 31, 300)
    first, second = (run(kind, lengths, 30, (36, 36), torch.float32) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert a is None or torch.equal(a, b)


def test_the_order_of_the_rows_does_not_matter():
    """Rows are sorted inside, by length: what comes out stands where it stood."""
    layer = make(AUGRU, (3, 4), torch.float64, "fused")
    inputs, attention, mask, state, _ = draw([2, 6, 0, 6, 1], 6, (3, 4))
    states = call(layer, inputs, attention, mask, state)
    order = torch.tensor([3, 0, 4, 1, 2])
    other = call(layer, inputs[order], attention[order], mask[order], state[order])
    torch.testing.assert_close(other, states[order], rtol=0, atol=1e-14)


def test_a_nan_stays_in_its_row_and_padding_is_never_read():
    layer = make(AUGRU, (3, 4), torch.float32, "fused")
    inputs, attention, mask, _, _ = draw([6, 3, 0, 5], 6, (3, 4))
    inputs, attention = inputs.float(), attention.float()
    clean = layer(inputs, attention, mask)[0]
    inputs[~mask] = float("nan")
    assert torch.equal(layer(inputs, attention, mask)[0], clean)
    inputs[1, 1] = float("nan")
    states = layer(inputs, attention, mask)[0]
    assert states[1, 1:].isnan().all(), "a NaN must come out, or training would not notice it"
    rest = torch.tensor([0, 2, 3])
    assert torch.equal(states[rest], clean[rest])


def test_second_derivatives_are_refused():
    layer = make(AUGRU, (3, 4), torch.float64, "fused")
    inputs, attention, mask, state, _ = draw([4, 2], 4, (3, 4))
    states = call(layer, inputs.requires_grad_(), attention, mask, state)
    with pytest.raises(RuntimeError, match="first derivatives only: .* backend='reference'"):
        torch.autograd.grad(states.sum(), inputs, create_graph=True)


def test_tanh_is_within_a_millionth_and_never_above_one():
    numba = pytest.importorskip("numba")

    @numba.njit
    def over(x):
        return np.array([cpu.tanh(value) for value in x])

    x = np.concatenate([np.linspace(-12, 12, 200_001), [-np.inf, np.inf, 0]]).astype(np.float32)
    ours = over(x)
    assert ours.dtype == np.float32
    assert np.abs(ours - np.tanh(x.astype(np.float64))).max() < 1e-6
    assert np.abs(ours).max() <= 1
    assert np.isnan(over(np.array([np.nan], np.float32))).all()
    exact = np.linspace(-3, 3, 101)
    np.testing.assert_allclose(over(exact), np.tanh(exact), rtol=1e-15)


def test_all_rules_are_known():
    assert set(cpu.RULES) == {"gru", "agru", "augru", "official"}
    assert {kind.rule for kind in KINDS} == set(cpu.RULES)
    assert kernels.BACKENDS == ("auto", "reference", "fused")
