"""Every model: shapes, padding, empty histories, one row, and what `trace` says."""

from __future__ import annotations

import math
from dataclasses import fields

import pytest
import torch
from conftest import make_batch
from torch.utils._python_dispatch import TorchDispatchMode

from dien_edu import reference
from dien_edu.kernels import cpu
from dien_edu.models import DIEN, DIN, MODELS, BaseModel, GRUAttention, build, count_parameters
from dien_edu.models.base import Dice
from dien_edu.training import losses

EVOLUTIONS = ("aigru", "agru", "augru")


def make(name, seed=0, **options):
    torch.manual_seed(seed)
    return build(name, 20, 5, **options).double()


def cut(batch, steps):
    """The same batch with its histories padded to `steps` only."""
    values = {f.name: getattr(batch, f.name) for f in fields(batch) if f.init}
    return type(batch)(**{k: v[:, :steps] if v.ndim == 2 else v for k, v in values.items()})


@pytest.mark.parametrize("name", MODELS)
def test_output(name, batch):
    model = make(name)
    output = model(batch)
    assert output.logit.shape == (4,) and output.auxiliary_loss.shape == ()
    loss = output.logit.square().sum() + output.auxiliary_loss
    loss.backward()
    for parameter, value in model.named_parameters():
        assert value.grad is not None and torch.isfinite(value.grad).all(), parameter
    assert (output.auxiliary_loss > 0) == (name == "dien")


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("training", [True, False])
def test_padding_changes_neither_outputs_nor_gradients(name, training):
    results = []
    for steps in (5, 9):
        model = make(name).train(training)
        output = model(cut(make_batch([5, 1, 0, 3], steps=9), steps))
        (output.logit.square().sum() + output.auxiliary_loss).backward()
        results.append([output.logit, output.auxiliary_loss, *(p.grad for p in model.parameters())])
    for short, long in zip(*results, strict=True):
        torch.testing.assert_close(short, long, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_what_stands_in_padding_is_never_read(name, batch):
    model = make(name)
    output = model(batch)
    for field in ("history_item", "history_category", "negative_item", "negative_category"):
        getattr(batch, field)[~batch.mask] = 3
    again = model(batch)
    assert torch.equal(output.logit, again.logit)
    assert torch.equal(output.auxiliary_loss, again.auxiliary_loss)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("lengths", [[0, 0, 0], [1], [4], [0]])
def test_empty_histories_and_a_batch_of_one(name, lengths):
    model, batch = make(name), make_batch(lengths)
    output = model(batch)
    (output.logit.sum() + output.auxiliary_loss).backward()
    assert torch.isfinite(output.logit).all()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    if max(lengths) < 2:
        assert output.auxiliary_loss == 0


@pytest.mark.parametrize("name", MODELS)
def test_the_user_number_is_not_an_input(name, batch):
    model = make(name).eval()
    before = model(batch).logit
    batch.user += 100
    assert torch.equal(model(batch).logit, before)


@pytest.mark.parametrize("name", ["base", "din"])
def test_order_is_invisible_to_sums(name):
    model, batch = make(name).eval(), make_batch([5, 5])
    before = model(batch).logit
    batch.history_item, batch.history_category = (
        batch.history_item.flip(1),
        batch.history_category.flip(1),
    )
    torch.testing.assert_close(model(batch).logit, before)
    other = make("augru").eval()
    shuffled = other(batch).logit
    batch.history_item, batch.history_category = (
        batch.history_item.flip(1),
        batch.history_category.flip(1),
    )
    assert (other(batch).logit - shuffled).abs().min() > 1e-6


@pytest.mark.parametrize("evolution", EVOLUTIONS)
def test_trace_agrees_with_the_oracle_and_with_itself(evolution, batch):
    model = make(evolution).eval()
    trace = model.trace(batch)
    _, target = model.embed(batch)
    weights = [
        p.detach().numpy()
        for p in (model.evolution.weight_input, model.evolution.weight_hidden, model.evolution.bias)
    ]
    for row, length in enumerate(batch.history_length.tolist()):
        interests = trace.interests[row, :length].numpy()
        bilinear = model.attention.weight.detach().numpy()
        attention = reference.attention_weights(interests, target[row].detach().numpy(), bilinear)
        torch.testing.assert_close(trace.attention[row, :length], torch.from_numpy(attention))
        states = getattr(reference, evolution)(interests, attention, *weights)
        torch.testing.assert_close(trace.evolved[row, :length], torch.from_numpy(states))
    before = torch.cat([torch.zeros_like(trace.evolved[:, :1]), trace.evolved[:, :-1]], dim=1)
    stepped = (1 - trace.step_size) * before + trace.step_size * trace.candidate
    torch.testing.assert_close(stepped[batch.mask], trace.evolved[batch.mask])
    if evolution == "augru":
        scaled = trace.attention[..., None] * trace.update_gate
        torch.testing.assert_close(trace.step_size, scaled)


def test_trace_of_the_other_models(batch):
    for name in ("din", "gru-attention"):
        trace = make(name).trace(batch)
        assert trace.attention.shape == (4, 7) and (trace.attention[~batch.mask] == 0).all()


def test_auxiliary_loss_needs_the_non_clicks(batch):
    model = make("dien")
    assert model(batch).auxiliary_loss > 0
    batch.negative_item = None
    assert model(batch).auxiliary_loss == 0


def test_auxiliary_inner_starts_near_chance():
    batch = make_batch([30] * 20, n_items=20)
    model = make("dien", auxiliary="inner")
    assert model(batch).auxiliary_loss.item() == pytest.approx(math.log(4), abs=0.02)


def test_dice_by_hand():
    dice = Dice(1).double()
    dice.slope.data.fill_(0.5)
    x = torch.tensor([[1.0], [3.0]]).double()
    p = torch.sigmoid(torch.tensor([[-1.0], [1.0]])).double()  # mean 2, sd 1
    torch.testing.assert_close(dice(x), p * x + (1 - p) * 0.5 * x, atol=1e-7, rtol=0)
    assert dice.mean.item() == pytest.approx(0.2) and dice.variance.item() == pytest.approx(1.0)
    expected = torch.sigmoid(x - 0.2)
    torch.testing.assert_close(
        dice.eval()(x), expected * x + (1 - expected) * 0.5 * x, atol=1e-7, rtol=0
    )


def test_parameter_counts():
    """By hand: tables 21·18 + 6·18, head (108 + H)·200 … 80-1 with two Dice slopes."""
    tables, top = 21 * 18 + 6 * 18, 200 + 200 + 200 * 80 + 80 + 80 + 80 + 1
    gru = 3 * 36 * (36 + 36 + 1)
    assert count_parameters(BaseModel(20, 5)) == tables + 108 * 200 + top
    augru = tables + 144 * 200 + top + 2 * gru + 36 * 36
    assert count_parameters(build("augru", 20, 5)) == augru
    assert count_parameters(build("agru", 20, 5)) == augru - gru // 3
    assert count_parameters(GRUAttention(20, 5)) == augru


def test_wrong_options_are_named(batch):
    with pytest.raises(ValueError, match="model is 'lstm', expected one of base, din"):
        build("lstm", 20, 5)
    with pytest.raises(ValueError, match="evolution is 'gru', expected one of aigru, agru, augru"):
        DIEN(20, 5, evolution="gru")
    with pytest.raises(ValueError, match="needs hidden_size = embedding_size, not 12 and 36"):
        DIEN(20, 5, auxiliary="inner", hidden_size=12)
    with pytest.raises(ValueError, match="embedding_size is 7, expected an even number"):
        DIN(20, 5, embedding_size=7)
    with pytest.raises(ValueError, match="made for n_items=3, n_categories=5"):
        BaseModel(3, 5)(batch)


class Looks(TorchDispatchMode):
    """Counts the operations that bring a value to the host: on a GPU each of them waits."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        if name in ("_local_scalar_dense", "nonzero", "is_nonzero", "equal"):
            self.names.append(name)
        return function(*args, **(kwargs or {}))


def test_a_training_step_waits_for_a_gpu_once_for_the_mask_and_then_never(batch, monkeypatch):
    """The operations that run on a GPU, here on a CPU; the kernels of the CPU stand aside."""
    monkeypatch.setattr(cpu, "MISSING", "No module named 'numba'")
    model = make("dien", backend="reference")
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    counts = []
    for _ in range(2):
        with Looks() as looks:
            losses(model, batch)[2].backward()
            optimizer.step()
        counts.append(len(looks.names))
    assert counts == [1, 0]
