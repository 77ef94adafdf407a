"""Each variant against its own formula in NumPy, and against the paper: where do they differ?"""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch
from conftest import right_padded

from dien_edu import reference, variants
from dien_edu.data import ctr_samples
from dien_edu.data.world import interest_world
from dien_edu.layers import AUGRU, GRU, AuxiliaryLoss, BilinearAttention
from dien_edu.models import DIEN
from dien_edu.training import fit

LENGTHS, STEPS, SIZE = (5, 3, 1), 5, 4
CLASSES = [
    value
    for value in vars(variants).values()
    if inspect.isclass(value) and value.__module__ == variants.__name__
]


def drawn(seed=0):
    """inputs (B, T, H), softmax scores (B, T), mask (B, T), in float64; 0 on padding."""
    generator = torch.Generator().manual_seed(seed)
    mask = right_padded(LENGTHS, STEPS)
    inputs = torch.randn(3, STEPS, SIZE, generator=generator, dtype=torch.float64)
    scores = torch.randn(3, STEPS, generator=generator, dtype=torch.float64)
    attention = scores.masked_fill(~mask, -torch.inf).softmax(dim=1)
    return inputs * mask[..., None], attention, mask


def made(kind, *, backend="reference"):
    """A recurrence in float64 whose bias is not 0, as after training."""
    torch.manual_seed(1)
    layer = kind(SIZE, SIZE, backend=backend).double()
    torch.nn.init.normal_(layer.bias)
    return layer


def weights(layer):
    return [p.detach().numpy() for p in (layer.weight_input, layer.weight_hidden, layer.bias)]


def walked(step, inputs, attention, layer):
    """The states of one history, by a rule (u, a) -> step size, from the reference's gates."""
    states, state = [], np.zeros(SIZE)
    for i, a in zip(inputs.numpy(), attention.numpy(), strict=True):
        u, _, candidate = reference.gru_gates(i, state, *weights(layer))
        state = state + step(u, a) * (candidate - state)
        states.append(state)
    return np.array(states)


def world_batch(lengths=(6, 2, 0)):
    data = interest_world(n_users=60, n_steps=8)
    samples = ctr_samples(data).train
    rows = [int(np.flatnonzero(samples.length == max(n, 1))[0]) for n in lengths]
    batch = next(samples.subset(np.array(rows)).batches(3, shuffle=(0,)))
    return data, batch


# Small, and not a copy


@pytest.mark.parametrize("kind", CLASSES)
def test_a_variant_has_at_most_15_lines_and_says_what_it_departs_from(kind):
    assert len(inspect.getsource(kind).rstrip().splitlines()) <= 15
    assert kind.__bases__[0].__module__.startswith("dien_edu.") and "(" in kind.__doc__
    named = (
        "authors",
        "DeepCTR",
        "RecBole",
        "rechub",
        "fun-rec",
        "PaddleRec",
        "paper's",
        "control",
    )
    assert any(name in kind.__doc__ for name in named)


def test_the_models_know_nothing_of_the_variants():
    names = {kind.__name__ for kind in CLASSES}
    for kind in (DIEN, AUGRU, GRU, BilinearAttention, AuxiliaryLoss):
        source = inspect.getsource(inspect.getmodule(kind))
        assert not any(name in source for name in names) and "variants" not in source


# The update rule


RULES = {
    variants.OfficialAUGRU: lambda u, a: u + a - a * u,
    variants.UnattendedAUGRU: lambda u, a: u,
    variants.NormalAUGRU: lambda u, a: a * u,
    AUGRU: lambda u, a: a * u,
}


@pytest.mark.parametrize("backend", ["reference", "auto"])
@pytest.mark.parametrize("kind", RULES)
def test_a_rule_is_its_formula(kind, backend):
    layer, (inputs, attention, mask) = made(kind, backend=backend), drawn()
    states, last = layer(inputs, attention, mask)
    for row, length in enumerate(LENGTHS):
        expected = walked(RULES[kind], inputs[row, :length], attention[row, :length], layer)
        np.testing.assert_allclose(states[row, :length].detach(), expected, atol=1e-12)
        np.testing.assert_allclose(last[row].detach(), expected[-1], atol=1e-12)


def test_the_official_rule_steps_at_score_0_and_jumps_at_score_1():
    layer, (inputs, _, _) = made(variants.OfficialAUGRU), drawn()
    input, state = inputs[:, 0], torch.full((3, SIZE), 0.5, dtype=torch.float64)
    zero, one = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    plain, paper = made(GRU), made(AUGRU)
    torch.testing.assert_close(layer.step(input, zero, state), plain.step(input, state))
    assert torch.equal(paper.step(input, zero, state), state)
    _, _, candidate = layer.gates(layer.project(input), state)
    torch.testing.assert_close(layer.step(input, one, state), candidate)
    assert not torch.allclose(paper.step(input, one, state), candidate)


def test_unattended_does_not_look_at_the_scores():
    layer, (inputs, attention, mask) = made(variants.UnattendedAUGRU), drawn()
    flipped = attention.flip(1)
    assert torch.equal(layer(inputs, attention, mask)[1], layer(inputs, flipped, mask)[1])
    assert not torch.allclose(*(made(AUGRU)(inputs, a, mask)[1] for a in (attention, flipped)))


def test_one_bias_in_two_places_is_its_formula_and_no_single_bias_gives_it():
    layer, (inputs, attention, mask) = made(variants.OneBiasAUGRU), drawn()
    w, v, b = (np.split(array, 3) for array in weights(layer))
    i, a, state = inputs[0, 1].numpy(), attention[0, 1].item(), np.full(SIZE, 0.3)
    u, r = (reference.sigmoid(w[k] @ i + b[k] + v[k] @ state + b[k]) for k in (0, 1))
    candidate = np.tanh(w[2] @ i + b[2] + r * (v[2] @ state + b[2]))
    expected = state + a * u * (candidate - state)
    step = layer.step(inputs[:1, 1], attention[:1, 1], torch.from_numpy(state)[None])
    np.testing.assert_allclose(step[0].detach(), expected, atol=1e-12)
    paper = made(AUGRU)
    torch.nn.init.zeros_(layer.bias), torch.nn.init.zeros_(paper.bias)
    torch.testing.assert_close(layer(inputs, attention, mask), paper(inputs, attention, mask))
    for factor in (1, 2):  # neither b nor 2b in the place of both
        with torch.no_grad():
            layer.bias.fill_(0.7), paper.bias.fill_(0.7 * factor)
        same = torch.allclose(*(x(inputs, attention, mask)[1] for x in (layer, paper)))
        assert not same


def test_normal_weights_shut_and_open_the_gates_for_good():
    shares, deviations = {}, {}
    for kind in (AUGRU, variants.NormalAUGRU):
        torch.manual_seed(0)
        layer = kind(36, 36)
        inputs, state = torch.rand(500, 36) * 2 - 1, torch.rand(500, 36) * 2 - 1
        u, _, _ = layer.gates(layer.project(inputs), state)
        shares[kind] = ((u < 0.05) | (u > 0.95)).float().mean().item()
        deviations[kind] = layer.weight_input.std().item()
        assert not layer.bias.any()
    assert deviations[variants.NormalAUGRU] == pytest.approx(1, abs=0.05)
    assert deviations[AUGRU] < 0.3
    assert shares[AUGRU] < 0.01 and shares[variants.NormalAUGRU] > 0.4


# Attention


def test_mlp_attention_is_dins_network_and_a_softmax_over_the_valid_steps():
    torch.manual_seed(0)
    layer, (interests, _, mask) = variants.MLPAttention(SIZE, 6).double(), drawn()
    target = torch.randn(3, 6, dtype=torch.float64)
    found = layer(interests, target, mask)
    linear, prelu = layer.query
    q = target.numpy() @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()
    q = np.where(q > 0, q, prelu.weight.item() * q)
    for row, length in enumerate(LENGTHS):
        h = interests[row, :length].numpy()
        q_row = np.broadcast_to(q[row], h.shape)
        pair = np.concatenate([h, q_row, h - q_row, h * q_row], axis=1)
        score = layer.network(torch.from_numpy(pair)).detach().numpy()[:, 0]
        expected = np.exp(score) / np.exp(score).sum()
        np.testing.assert_allclose(found[row, :length].detach(), expected, atol=1e-12)
    assert not found[~mask].any() and torch.allclose(found.sum(1), torch.ones(3).double())
    # not bilinear: twice the target is not the square of the ratios of the scores
    ratio, twice = (layer(interests, t, mask)[0, :2].log().diff() for t in (target, 2 * target))
    assert not torch.allclose(2 * ratio, twice, rtol=1e-3)
    paper = BilinearAttention(SIZE, 6).double()
    ratio, twice = (paper(interests, t, mask)[0, :2].log().diff() for t in (target, 2 * target))
    torch.testing.assert_close(2 * ratio, twice)


def test_an_unmasked_softmax_gives_padding_a_share():
    torch.manual_seed(0)
    layer, (interests, _, mask) = variants.UnmaskedAttention(SIZE, SIZE).double(), drawn()
    target = torch.randn(3, SIZE, dtype=torch.float64)
    found, weight = layer(interests, target, mask), layer.weight.detach().numpy()
    for row, length in enumerate(LENGTHS):
        h, e = interests[row].numpy(), target[row].numpy()
        np.testing.assert_allclose(
            found[row].detach(), reference.attention_weights(h, e, weight), atol=1e-12
        )
        paper = reference.attention_weights(h[:length], e, weight)
        assert np.allclose(found[row, :length].detach(), paper) == (length == STEPS)
    assert (found[~mask] > 0).all()


# Padding


@pytest.mark.parametrize(
    ("kind", "paper"), [(variants.PaddedGRU, GRU), (variants.PaddedAUGRU, AUGRU)]
)
def test_padding_changes_the_answer_of_a_padded_recurrence_and_not_of_ours(kind, paper):
    inputs, attention, mask = drawn()
    attention = torch.full_like(attention, 0.5)  # on padding too
    scores = () if paper is GRU else (attention,)
    shorter = [tensor[1:2, :3] for tensor in (inputs, *scores, mask)]
    longer = [tensor[1:2] for tensor in (inputs, *scores, mask)]
    layer, right = made(kind), made(paper)
    torch.testing.assert_close(right(*shorter)[1], right(*longer)[1])
    assert not torch.allclose(layer(*shorter)[1], layer(*longer)[1])
    torch.testing.assert_close(layer(*shorter), right(*shorter))  # nothing is padded
    everywhere = torch.ones(1, STEPS, dtype=torch.bool)
    torch.testing.assert_close(layer(*longer), right(*longer[:-1], everywhere))


def test_a_score_of_0_saves_the_padded_augru():
    inputs, attention, mask = drawn()
    torch.testing.assert_close(
        made(variants.PaddedAUGRU)(inputs, attention, mask)[1],
        made(AUGRU)(inputs, attention, mask)[1],
    )


# The auxiliary loss


@pytest.mark.parametrize("kind", ["inner", "mlp"])
def test_the_losses_differ_in_what_they_divide_by(kind):
    interests, _, mask = drawn()
    behaviours, negatives = drawn(1)[0], drawn(2)[0]
    found = {}
    for loss in (AuxiliaryLoss, *[c for c in CLASSES if issubclass(c, AuxiliaryLoss)]):
        torch.manual_seed(0)
        found[loss] = loss(kind, SIZE, SIZE).double()(interests, behaviours, negatives, mask).item()
    pairs, rows = sum(n - 1 for n in LENGTHS), len(LENGTHS)
    total = found[AuxiliaryLoss] * pairs
    assert found[variants.SummedLoss] == pytest.approx(total / rows)
    assert found[variants.PaddedMeanLoss] == pytest.approx(total / (rows * (STEPS - 1)))
    if kind == "inner":
        terms = sum(
            reference.auxiliary_loss(
                *(x[row, :n].numpy() for x in (interests, behaviours, negatives))
            )
            * (n - 1)
            for row, n in enumerate(LENGTHS)
        )
        assert total == pytest.approx(terms)


def test_at_chance_only_ours_is_log_4_whatever_the_padding():
    zeros, mask = torch.zeros(3, STEPS, SIZE), right_padded(LENGTHS, STEPS)
    chance = {
        k: k()(zeros, zeros, zeros, mask).item() for k in CLASSES if issubclass(k, AuxiliaryLoss)
    }
    assert AuxiliaryLoss()(zeros, zeros, zeros, mask).item() == pytest.approx(np.log(4))
    assert chance[variants.SummedLoss] == pytest.approx(np.log(4) * 6 / 3)
    assert chance[variants.PaddedMeanLoss] == pytest.approx(np.log(4) * 6 / 12)
    alone = torch.zeros(3, 1, SIZE), torch.ones(3, 1, dtype=torch.bool)
    for kind in (variants.SummedLoss, variants.PaddedMeanLoss):
        assert kind()(*[alone[0]] * 3, alone[1]).item() == 0  # no pair, no loss, no NaN


def test_the_wrong_sign_is_its_formula_and_drives_a_state_from_the_click():
    interests, _, mask = drawn()
    behaviours, negatives = drawn(1)[0], drawn(2)[0]
    found = variants.WrongSignLoss()(interests, behaviours, negatives, mask).item()
    terms = [
        sum(reference.log_sigmoid(h @ e[t + 1]) for e in (behaviours[row], negatives[row]))
        for row, length in enumerate(LENGTHS)
        for t, h in enumerate(interests[row, : length - 1])
    ]
    assert found == pytest.approx(np.mean(terms))
    click, other = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    toward = {}
    for kind in (AuxiliaryLoss, variants.WrongSignLoss):
        state = torch.zeros(1, 2, 2, requires_grad=True)
        pair = (torch.stack([torch.zeros(2), e])[None] for e in (click, other))
        kind()(state, *pair, torch.ones(1, 2, dtype=torch.bool)).backward()
        step = -state.grad[0, 0]  # of gradient descent
        toward[kind] = [(step @ click).item(), (step @ other).item()]
    assert toward[AuxiliaryLoss] == [0.5, -0.5]
    assert toward[variants.WrongSignLoss] == [-0.5, -0.5]


# Whole networks


def test_the_fields_never_mix():
    data, batch = world_batch()
    torch.manual_seed(0)
    model = variants.FieldwiseDIEN(data.n_items, data.n_categories).eval()
    history, target, negatives = model.embed(batch, negatives=True)
    (item, category), loss = model.added(batch, history, target, negatives)
    changed = history.clone()
    changed[..., 18:] += 1  # the categories' half
    (item_again, category_again), _ = model.added(batch, changed, target, negatives)
    assert torch.equal(item, item_again) and not torch.allclose(category, category_again)
    assert loss.item() == pytest.approx(2 * np.log(4), abs=0.2)  # one for each field
    paper = DIEN(data.n_items, data.n_categories).eval()
    (state,), _ = paper.added(batch, history, target, negatives)
    (state_again,), _ = paper.added(batch, changed, target, negatives)
    assert (state != state_again).float().mean() > 0.9


def test_the_bypass_reads_embeddings_and_interests_reach_the_loss_alone():
    data, batch = world_batch()
    torch.manual_seed(0)
    model = variants.BypassDIEN(data.n_items, data.n_categories).double().eval()
    history, target, negatives = model.embed(batch, negatives=True)
    before, loss = model.added(batch, history, target, negatives)
    weights = [p.detach().numpy() for p in model.evolution.parameters()]
    for row, length in enumerate(batch.history_length.tolist()):
        e, a = history[row, :length].detach().numpy(), target[row].detach().numpy()
        scores = reference.attention_weights(e, a, model.attention.weight.detach().numpy())
        expected = reference.aigru(e, scores, *weights)[-1]
        np.testing.assert_allclose(before[0][row].detach(), expected, atol=1e-12)
    torch.nn.init.normal_(model.extractor.weight_input)
    after, other = model.added(batch, history, target, negatives)
    assert torch.equal(before[0], after[0]) and not torch.allclose(loss, other)


def test_unseen_users_share_the_row_of_the_most_frequent_one():
    data, batch = world_batch()
    seen = np.array([7, 7, 3, 7, 12])
    model = variants.UserDIEN(data.n_items, data.n_categories, seen, data.n_users).eval()
    assert model.user.num_embeddings == 3  # users 3, 7, 12, in this order
    assert model.row[[3, 7, 12]].tolist() == [0, 1, 2]
    rest = np.setdiff1d(np.arange(data.n_users), seen)
    assert (model.row[rest] == 1).all()
    logits = []
    for user in (7, int(rest[0]), 3):
        batch.user.fill_(user)
        logits.append(model(batch).logit)
    assert torch.equal(logits[0], logits[1]) and not torch.allclose(logits[0], logits[2])


def test_whole_variants_learn_without_a_warning():
    data = interest_world(n_users=60, n_steps=6)
    splits = ctr_samples(data)
    sizes = data.n_items, data.n_categories
    users = variants.UserDIEN(*sizes, splits.train.user, data.n_users)
    for model in (variants.FieldwiseDIEN(*sizes), users):
        fit(model, *splits[:2], epochs=1, progress=False, device="cpu")
        learning = {name for name, p in model.named_parameters() if p.grad is not None}
        assert any(n.startswith(("fields.1", "user")) for n in learning)
