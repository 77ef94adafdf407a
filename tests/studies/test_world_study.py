"""The study of the generated world: complete, judged by its own rules, true for a fresh seed."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from dien_edu.data import load
from dien_edu.training.ablation import train_one
from studies import world
from studies.predictions import PREDICTIONS, ROWS
from studies.world_follow_up import FOLLOW_UPS, AGRUWithoutReset, without_reset

RECORD = json.loads(world.RESULT.read_text(encoding="utf8"))


def test_the_record_holds_every_run_once():
    keys = [(r["row"], r["value"], r["model"], r["seed"]) for r in RECORD["runs"]]
    assert sorted(keys) == sorted(world.wanted(False) + world.wanted(True))


def test_the_record_shows_the_predictions_as_they_stand_and_what_came_of_each():
    wanted = [asdict(p) | world.verdict(RECORD["runs"], p) for p in PREDICTIONS]
    assert RECORD["predictions"] == json.loads(json.dumps(wanted))
    assert set(RECORD["follow_ups"]) == set(FOLLOW_UPS)


@pytest.mark.parametrize(
    "lead, least, word",
    [
        ((0.03, 0.01, 0.05), 0.02, "held"),
        ((0.03, 0.01, 0.05), 0.04, "held in sign, smaller than predicted"),
        ((0.03, -0.01, 0.07), 0.02, "failed: not seen"),
        ((-0.03, -0.05, -0.01), 0.02, "failed: reversed"),
    ],
)
def test_verdicts(lead, least, word):
    assert world._word(lead, least) == word


def test_an_interval_is_students():
    mean, low, high = world.interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (mean, low, high) == pytest.approx((3, 3 - 1.9632, 3 + 1.9632), abs=1e-3)


def test_the_nulls_are_null_within_the_spread():
    for p in RECORD["predictions"]:
        assert p["null_verdict"] == "held", (p["row"], p["nulls"])


def test_a_longer_gap_asks_as_many_questions():
    sizes = {value: len(world.splits("gap", value, 0).test) for value in (0.0, 2.0)}
    assert sizes[2.0] == pytest.approx(sizes[0.0], rel=0.1)
    last = world.splits("labels", 16, 0).test
    assert (last.length == 15).all()


def test_without_its_reset_gate_a_candidate_does_not_see_the_state():
    import torch

    from dien_edu.models import build

    model = build("agru", 144, 12)
    without_reset(model)
    assert type(model.evolution) is AGRUWithoutReset
    gates = [model.evolution.gates(torch.ones(2, 108), torch.randn(2, 36)) for _ in range(2)]
    assert torch.equal(gates[0][2], gates[1][2])


@pytest.mark.slow
def test_the_leads_that_held_hold_for_a_fresh_seed():
    """Both evolutions before GRU attention where two interests alternate, on unseen users."""
    assert 5 not in world.SEEDS
    parts = world.splits("interleaving", 0.5, 5)
    score = {
        model: train_one(model, parts, seed=5, device="cpu", **world.FIT)["test"]["auc"]
        for model in ("aigru", "augru", "gru-attention")
    }
    assert score["augru"] - score["gru-attention"] > 0.01
    assert score["aigru"] - score["gru-attention"] > 0.005


def test_the_rows_turn_knobs_that_the_world_has():
    for row in ROWS.values():
        if row.knob != "last_of":
            load("interest-world", n_users=10, **{row.knob: row.held_out}, **row.others)
