"""The conditions of the ablation, with users and epochs left out."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dien_edu.data.world import interest_world
from studies import conditions as study


def test_record_goes_on_and_holds_every_condition(tmp_path):
    data, path = interest_world(n_users=40, n_steps=6), tmp_path / "record.json"
    brief = {"epochs": 1, "progress": False}
    first = study.record(data, [0], path, **brief)
    assert study.record(data, [0], path, **brief) == first == json.loads(path.read_text())
    wanted = {(condition, model) for condition in study.CHANGES for model in study.MODELS}
    assert {(run["condition"], run["model"]) for run in first["runs"]} == wanted
    lead = study.leads(first["runs"], "as it is", "dien", "din")
    auc = {r["model"]: r["test"]["auc"] for r in first["runs"] if r["condition"] == "as it is"}
    assert lead == [auc["dien"] - auc["din"]]
    with pytest.raises(ValueError, match="other data"):
        study.record(interest_world(n_users=41, n_steps=6), [0], path, **brief)


def test_each_condition_changes_one_thing():
    data = replace(interest_world(n_users=400, n_steps=6), shown=None)  # films have no impressions
    base = study.samples(data, {}, seed=0).train
    assert base.interactions.n_users == 300 and base.max_history == 20
    for change in study.CHANGES.values():
        assert len(change) <= 1
        train = study.samples(data, change, seed=0).train
        changed = {
            "people": train.interactions.n_users != 300,
            "steps": train.max_history != 20,
            "sampler": train.sampler is not base.sampler,
            "order": (train.interactions.item != base.interactions.item).any()
            if train.interactions.n_users == 300
            else False,
        }
        assert {name for name, value in changed.items() if value} <= set(change)


def test_expectations_name_what_there_is():
    for condition, ahead, behind, expected, why in study.EXPECTED:
        assert condition in study.CHANGES and {ahead, behind} <= set(study.MODELS)
        assert expected in ("grows", "shrinks", "stays") and why
