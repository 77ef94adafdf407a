"""The recording of two samplers, with models and epochs left out."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dien_edu.data.world import interest_world
from studies import movielens_samplers as study


def test_record_goes_on_and_scores_each_model_under_both_rules(tmp_path):
    data = interest_world(n_users=40, n_steps=6)
    path, brief = tmp_path / "record.json", {"epochs": 1, "progress": False}
    study.record(data, {"base": (0,)}, path, **brief)
    first = json.loads(path.read_text())
    record = study.record(data, {"base": (0, 1)}, path, **brief)
    assert record == json.loads(path.read_text())
    assert record["runs"][:2] == first["runs"], "not trained again"
    with pytest.raises(ValueError, match="other sources"):
        stale = {**record, "provenance": {**record["provenance"], "sources": "older"}}
        (tmp_path / "stale.json").write_text(json.dumps(stale))
        study.record(data, {"base": (0,)}, tmp_path / "stale.json", **brief)
    assert len(record["runs"]) == 4
    for run in record["runs"]:
        assert set(run["test"]) == set(run["validation"]) == set(study.SAMPLERS)
        assert run["test"]["popularity"]["auc"] != run["test"]["uniform"]["auc"]
        assert sum(row["samples"] for row in run["reliability"]) == 2 * 4 * 5


def test_reliability_by_hand():
    logit = np.log(
        np.array([0.05, 0.15, 0.17, 0.999999]) / (1 - np.array([0.05, 0.15, 0.17, 0.999999]))
    )
    rows = study.reliability(np.array([0.0, 1.0, 0.0, 1.0]), logit)
    assert [row["samples"] for row in rows] == [1, 2, 0, 0, 0, 0, 0, 0, 0, 1]
    assert rows[1]["predicted"] == pytest.approx(0.16) and rows[1]["clicked"] == 0.5
    assert rows[9]["clicked"] == 1 and "predicted" not in rows[2]


def test_popularity_counts_training_users_only():
    data = interest_world(n_users=40, n_steps=6)
    splits = study.ctr_samples(data)
    found = study.popularity_alone(data, splits.test)
    mine = np.isin(data.user, splits.test.user)
    count = np.bincount(data.item[~mine], minlength=data.n_items + 1)
    assert found == study.auc(splits.test.label, count[splits.test.target])
    assert found != study.auc(
        splits.test.label, np.bincount(data.item, minlength=200)[splits.test.target]
    )
