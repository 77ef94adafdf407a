"""GRU, AIGRU, AGRU, AUGRU against the equations, and what no public DIEN tests."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import right_padded
from hypothesis import given, settings
from hypothesis import strategies as st

from dien_edu import reference
from dien_edu.layers import AGRU, AIGRU, AUGRU, GRU, evolution
from dien_edu.layers.checks import check_mask

EVOLUTIONS = {AIGRU: reference.aigru, AGRU: reference.agru, AUGRU: reference.augru}
KINDS = [GRU, *EVOLUTIONS]
sizes = st.integers(1, 7)


def make(kind, input_size=3, hidden_size=4, seed=0, dtype=torch.float64):
    """A layer with a bias that is not 0, so that no test passes because of it."""
    torch.manual_seed(seed)
    layer = kind(input_size, hidden_size).to(dtype)
    torch.nn.init.normal_(layer.bias)
    return layer


def numbers(layer):
    return [p.detach().numpy() for p in (layer.weight_input, layer.weight_hidden, layer.bias)]


def draw(batch=3, steps=5, input_size=3, hidden_size=4, seed=1, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(batch, steps, input_size, generator=generator, dtype=dtype)
    attention = torch.rand(batch, steps, generator=generator, dtype=dtype)
    state = torch.randn(batch, hidden_size, generator=generator, dtype=dtype)
    return inputs, attention, state


def run(layer, inputs, attention, mask, state=None):
    if isinstance(layer, GRU):
        return layer(inputs, mask, state)
    return layer(inputs, attention, mask, state)


def oracle(layer, inputs, attention, state):
    """The reference along one history, (T, I) -> (T, H)."""
    state = None if state is None else state.numpy()
    if isinstance(layer, GRU):
        return reference.gru(inputs.numpy(), *numbers(layer), state)
    return EVOLUTIONS[type(layer)](inputs.numpy(), attention.numpy(), *numbers(layer), state)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=4), sizes, sizes, st.booleans(), sizes)
def test_equals_the_equations(kind, lengths, input_size, hidden_size, with_state, seed):
    steps = max(lengths) + 1
    layer = make(kind, input_size, hidden_size, seed)
    inputs, attention, state = draw(len(lengths), steps, input_size, hidden_size, seed)
    state = state if with_state else None
    mask = right_padded(lengths, steps)
    with torch.no_grad():
        states, last = run(layer, inputs, attention, mask, state)
    start = torch.zeros(len(lengths), hidden_size).double() if state is None else state
    for row, length in enumerate(lengths):
        one = None if state is None else state[row]
        expected = oracle(layer, inputs[row, :length], attention[row, :length], one)
        np.testing.assert_allclose(states[row, :length], expected, rtol=0, atol=1e-10)
        final = expected[-1] if length else start[row].numpy()
        np.testing.assert_allclose(last[row], final, rtol=0, atol=1e-10)
        assert (states[row, length:] == last[row]).all(), "padded steps copy the state"


@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind):
    layer, mask = make(kind), right_padded([3, 1, 0], 3)
    inputs, attention, state = draw(steps=3)
    tensors = [t.requires_grad_() for t in (inputs, attention, state)]
    weights = list(layer.parameters())
    names = [name for name, _ in layer.named_parameters()]

    def function(inputs, attention, state, *values):
        arguments = (inputs, mask, state) if kind is GRU else (inputs, attention, mask, state)
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), arguments)

    assert torch.autograd.gradcheck(function, (*tensors, *weights))


@pytest.mark.parametrize("kind", [AIGRU, AUGRU])
def test_attention_of_one_is_a_plain_gru(kind):
    layer, gru = make(kind), make(GRU)
    inputs, attention, state = draw()
    mask = right_padded([5, 2, 0], 5)
    ones = torch.ones_like(attention)
    assert torch.equal(layer(inputs, ones, mask, state)[0], gru(inputs, mask, state)[0])


@pytest.mark.parametrize("kind", [AGRU, AUGRU])
def test_attention_of_zero_leaves_the_state_as_it_is_to_the_bit(kind):
    layer = make(kind, dtype=torch.float32)
    inputs, attention, state = draw(dtype=torch.float32)
    mask = right_padded([5, 2, 0], 5)
    states, last = layer(inputs, torch.zeros_like(attention), mask, state)
    assert torch.equal(last, state)
    assert torch.equal(states, state[:, None].expand_as(states))


def test_aigru_with_attention_of_zero_moves_a_state():
    layer = make(AIGRU)
    inputs, attention, state = draw()
    mask = right_padded([5, 5, 5], 5)
    _, last = layer(inputs, torch.zeros_like(attention), mask, state)
    assert (last - state).abs().min(dim=1).values.max() > 1e-3
    torch.nn.init.zeros_(layer.bias)
    still = layer(inputs, torch.zeros_like(attention), mask)[1]
    assert (still == 0).all(), "from a zero state and with no bias it stays"


def test_augru_is_between_a_gru_step_and_no_step():
    layer, gru = make(AUGRU), make(GRU)
    inputs, attention, state = draw(steps=1)
    a = attention
    between = a * gru.step(inputs[:, 0], state) + (1 - a) * state
    stepped = layer.step(inputs[:, 0], a[:, 0], state)
    torch.testing.assert_close(stepped, between, rtol=0, atol=1e-14)


def test_augru_never_steps_further_than_agru():
    layer, other = make(AUGRU), make(AGRU)
    inputs, attention, state = draw(steps=1)
    step = layer.step(inputs[:, 0], attention[:, 0], state) - state
    assert (step.abs() <= (other.step(inputs[:, 0], attention[:, 0], state) - state).abs()).all()


@pytest.mark.parametrize("kind", KINDS)
def test_step_repeated_is_forward(kind):
    layer = make(kind)
    inputs, attention, state = draw()
    states, _ = run(layer, inputs, attention, right_padded([5, 5, 5], 5), state)
    for t in range(5):
        scores = () if kind is GRU else (attention[:, t],)
        state = layer.step(inputs[:, t], *scores, state)
        torch.testing.assert_close(states[:, t], state, rtol=0, atol=1e-14)


def test_torch_gru_with_negated_update_weights_equals_ours():
    """PyTorch's z keeps the old state: z = 1 − u = σ(−·). Its order is reset, update, new."""
    ours, theirs = make(GRU), torch.nn.GRU(3, 4, batch_first=True).double()
    update, reset, candidate = slice(0, 4), slice(4, 8), slice(8, 12)
    for mine, name in (
        (ours.weight_input, "weight_ih_l0"),
        (ours.weight_hidden, "weight_hh_l0"),
        (ours.bias, "bias_ih_l0"),
    ):
        parts = [mine[reset], -mine[update], mine[candidate]]
        getattr(theirs, name).data.copy_(torch.cat(parts).detach())
    theirs.bias_hh_l0.data.zero_()
    inputs, _, state = draw()
    expected, _ = theirs(inputs, state[None])
    states, _ = ours(inputs, right_padded([5, 5, 5], 5), state)
    torch.testing.assert_close(states, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_neither_outputs_nor_gradients(kind):
    layer = make(kind)
    inputs, attention, _ = draw(steps=8)
    lengths = [5, 3, 0]

    def results(inputs, attention):
        mask = right_padded(lengths, inputs.shape[1])
        inputs, attention = inputs.clone().requires_grad_(), attention.clone().requires_grad_()
        states, last = run(layer, inputs, attention, mask)
        loss = (last * 2).sum() + (states[:, :5] * mask[:, :5, None]).square().sum()
        wanted = [*layer.parameters(), inputs, attention]
        gradients = torch.autograd.grad(loss, wanted, allow_unused=True)
        gradients = [None if g is None else g for g in gradients]
        return last, gradients[:3], gradients[3:]

    last, weights, ins = results(inputs[:, :5], attention[:, :5])
    other_last, other_weights, other_ins = results(inputs, attention)
    assert torch.equal(last, other_last)
    for a, b in zip(weights, other_weights, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
    padded = ~right_padded(lengths, 8)
    for a, b in zip(ins, other_ins, strict=True):
        if b is not None:
            torch.testing.assert_close(a, b[:, :5], rtol=0, atol=1e-12)
            assert (b[padded] == 0).all(), "a padded step has no gradient"


def test_gates_and_steps_take_any_leading_sizes():
    layer = make(AUGRU)
    inputs, attention, _ = draw(batch=4, steps=5)
    states = torch.randn(4, 5, 4).double()
    together = layer.gates(layer.project(inputs), states)
    stepped = layer.advance(layer.project(inputs), attention, states)
    for t in range(5):
        each = layer.gates(layer.project(inputs[:, t]), states[:, t])
        for whole, part in zip(together, each, strict=True):
            torch.testing.assert_close(whole[:, t], part, rtol=0, atol=1e-14)
        one = layer.step(inputs[:, t], attention[:, t], states[:, t])
        torch.testing.assert_close(stepped[:, t], one, rtol=0, atol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_small_shapes(kind):
    layer = make(kind)
    for batch, steps, lengths in ((1, 1, [1]), (1, 4, [2]), (2, 3, [0, 0]), (2, 0, [0, 0])):
        inputs, attention, state = draw(batch, steps)
        states, last = run(layer, inputs, attention, right_padded(lengths, steps), state)
        assert states.shape == (batch, steps, 4)
        if max(lengths) == 0:
            assert torch.equal(last, state)


@pytest.mark.parametrize("kind", KINDS)
def test_float32_is_close_to_float64(kind):
    torch.manual_seed(0)
    layer = kind(36, 36)
    inputs, attention, _ = draw(8, 50, 36, 36)
    attention, mask = attention.softmax(dim=1), right_padded([50] * 8, 50)
    single, _ = run(layer, inputs.float(), attention.float(), mask)
    double, _ = run(layer.double(), inputs, attention, mask)
    assert (single - double).abs().max() <= 1e-5 * double.abs().max()


@pytest.mark.parametrize("kind", KINDS)
def test_left_padding_is_refused(kind):
    layer = make(kind)
    inputs, attention, _ = draw()
    mask = right_padded([5, 5, 3], 5)
    mask[2] = mask[2].flip(0)
    with pytest.raises(ValueError, match=r"row 2 has a real step after a padded one.*RIGHT"):
        run(layer, inputs, attention, mask)


def test_wrong_arguments_are_named():
    layer = make(AUGRU)
    inputs, attention, state = draw()
    mask = right_padded([5, 5, 5], 5)
    with pytest.raises(ValueError, match=r"inputs has shape \(3, 5, 2\), expected \(any, any, 3\)"):
        layer(inputs[..., :2], attention, mask)
    with pytest.raises(ValueError, match=r"attention has shape \(3, 4\), expected \(3, 5\)"):
        layer(inputs, attention[:, :4], mask)
    with pytest.raises(ValueError, match=r"mask has dtype torch.float64, expected torch.bool"):
        layer(inputs, attention, mask.double())
    with pytest.raises(ValueError, match=r"state has shape \(3, 1\), expected \(3, 4\)"):
        layer(inputs, attention, mask, state[:, :1])
    with pytest.raises(ValueError, match="backend is 'warp', expected one of auto, ref"):
        AUGRU(3, 4, backend="warp")
    with pytest.raises(ValueError, match="expected at least 1"):
        GRU(0, 4)


def test_a_mask_is_looked_at_once_until_it_changes():
    """To look at its values is to wait for a GPU, and the layers of a model share one mask."""
    mask = right_padded([5, 2], 5)
    check_mask(mask, 2, 5)
    assert mask.checked_version == mask._version
    mask.numpy()[1, 4] = True  # behind PyTorch's back: its version stays, so nobody looks again
    check_mask(mask, 2, 5)
    mask[1, 4] = True
    with pytest.raises(ValueError, match="mask row 1 has a real step after a padded one"):
        check_mask(mask, 2, 5)
    with pytest.raises(ValueError, match=r"mask has shape \(2, 5\)"):
        check_mask(mask, 3, 5)
    with torch.inference_mode():
        check_mask(right_padded([5, 2], 5), 2, 5)


def test_each_has_the_name_by_which_kernels_and_models_know_it():
    assert [kind.rule for kind in KINDS] == ["gru", "gru", "agru", "augru"]
    assert evolution.EVOLUTIONS == {"aigru": AIGRU, "agru": AGRU, "augru": AUGRU}


def test_agru_update_third_is_dead():
    layer = make(AGRU)
    inputs, attention, state = draw()
    layer(inputs, attention, right_padded([5, 5, 5], 5), state)[1].sum().backward()
    for parameter in layer.parameters():
        update, *live = parameter.grad.chunk(3)
        assert (update == 0).all() and all((third != 0).any() for third in live)
    assert layer.dead_parameters == 4 * (3 + 4 + 1)


def test_initialisation_is_as_documented():
    torch.manual_seed(0)
    layer = GRU(5, 16)
    for block in layer.weight_hidden.chunk(3):
        torch.testing.assert_close(block @ block.T, torch.eye(16), atol=1e-5, rtol=0)
    bound = (6 / (16 + 5)) ** 0.5
    assert layer.weight_input.abs().max() <= bound < layer.weight_input.abs().max() * 1.2
    assert (layer.bias == 0).all()
