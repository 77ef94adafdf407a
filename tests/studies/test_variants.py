"""The study of the variants, with users and epochs left out."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from dien_edu import variants
from dien_edu.data import ctr_samples
from dien_edu.data.world import interest_world
from dien_edu.training import fit
from studies import variants as study


@pytest.fixture(scope="module")
def splits():
    return ctr_samples(interest_world(n_users=40, n_steps=6))


def test_record_goes_on_and_holds_every_condition_and_rule(splits, tmp_path):
    path, data = tmp_path / "record.json", {"films": (splits, 1), "world": (splits, 1)}
    first = study.record(data, [0], path)
    assert study.record(data, [0], path) == first == json.loads(path.read_text())
    for key, name, kinds in (
        ("runs", "condition", study.CONDITIONS),
        ("rules", "rule", study.RULES),
    ):
        wanted = {(d, kind, 0) for d in data for kind in kinds}
        assert {(one["data"], one[name], one["seed"]) for one in first[key]} == wanted
    films, world = (
        [{**one, "data": ""} for one in first["rules"] if one["data"] == d] for d in data
    )
    for a, b in zip(films, world, strict=True):
        assert a["test"] == b["test"]  # the same samples: paired to the bit
    padded = {one["condition"] for one in first["runs"] if "least_padding" in one}
    assert padded == set(study.PADDED)
    found = study.differences(first["runs"], "films", "user id")
    auc = {r["condition"]: r["test"]["auc"] for r in first["runs"] if r["data"] == "films"}
    assert found.tolist() == [auc["user id"] - auc["the paper"]]
    assert study.differences(first["runs"], "films", "choosing on test").tolist() == [0]
    other = ctr_samples(interest_world(n_users=41, n_steps=6))
    with pytest.raises(ValueError, match="other data"):
        study.record({"films": (other, 1), "world": (splits, 1)}, [0], path)


def test_training_epoch_by_epoch_is_training(splits):
    torch.manual_seed(3)
    model = study.dien(splits)
    found = study.trained(model, splits, seed=3, epochs=3)
    torch.manual_seed(3)
    whole = study.dien(splits)
    rows = fit(whole, *splits[:2], seed=3, epochs=3, patience=3, **study.FIT)
    assert found["validation"] == [row["auc"] for row in rows]
    weights, other = model.state_dict(), whole.state_dict()
    assert all(torch.equal(weights[key], other[key]) for key in other)
    chosen = int(np.argmax(found["validation"]))
    assert found["test_curve"][chosen] == found["test"]["auc"]
    assert study.differences(
        [{"data": "d", "condition": "the paper", "seed": 3, **found}], "d", "choosing on test"
    ) == [max(found["test_curve"]) - found["test"]["auc"]]


def test_first_weights_are_shared_where_they_fit(splits):
    models = {}
    for name, make in study.CONDITIONS.items():
        torch.manual_seed(0)
        models[name] = make(splits)
    paper = models["the paper"].state_dict()
    same = {"authors' rule", "softmax over padding", "padding walked"}
    same |= {"loss summed over t", "loss over padding", "loss of wrong sign"}
    for name in same:
        theirs = models[name].state_dict()
        assert all(torch.equal(paper[key], theirs[key]) for key in paper), name
    normal = models["N(0,1) weights"].state_dict()
    differ = {key for key in paper if not torch.equal(paper[key], normal[key])}
    assert differ == {"evolution.weight_input", "evolution.weight_hidden"}
    assert isinstance(models["padding walked"].extractor, variants.PaddedGRU)


def test_one_length_pads_all_and_changes_only_what_reads_padding(splits):
    padded = study.one_length(splits)
    assert {batch.history_item.shape[1] for batch in padded.test.batches(4)} == {5}
    assert len({batch.history_item.shape[1] for batch in splits.test.batches(4)}) > 1
    torch.manual_seed(0)
    ours = study.dien(splits).eval()
    theirs = study.CONDITIONS["padding walked"](splits).eval()
    differences = []
    for model in (ours, theirs):
        pair = (next(part.test.batches(4, negatives=False)) for part in (splits, padded))
        short, long = (model(batch).logit for batch in pair)
        differences.append((short - long).abs().max().item())
    assert differences[0] < 1e-6 < 1e-5 < differences[1]


def test_expectations_name_what_there_is():
    assert [row[0] for row in study.EXPECTED] == [*list(study.CONDITIONS)[1:], "choosing on test"]
    for _, films, world, why in study.EXPECTED:
        assert {films, world} <= {"rises", "falls", "stays"} and why


def test_a_verdict_is_of_the_mean():
    for found, word in (([0.02, 0.0], "rises"), ([0.004, 0.0], "stays"), ([-0.02, 0.0], "falls")):
        assert study.verdict(np.array(found)) == word


def test_everyones_films_go_into_the_same_record(splits, tmp_path, monkeypatch):
    path = tmp_path / "record.json"
    path.write_text(json.dumps({"runs": [], "rules": []}))
    monkeypatch.setattr(study, "load", lambda name: splits.train.interactions)
    monkeypatch.setattr(study, "ALL_FILMS", {"epochs": 1, "patience": 2})
    first = study.record_all_films([0], path)
    both = study.record_all_films([0, 1], path)
    assert both["all_films"]["runs"][:1] == first["all_films"]["runs"]
    assert [one["seed"] for one in both["all_films"]["runs"]] == [0, 1]
    assert json.loads(path.read_text()) == both and both["runs"] == []
