"""The check that old records are still what the package computes."""

from __future__ import annotations

import json

import pytest

from dien_edu.data import ctr_samples
from dien_edu.data.world import interest_world
from dien_edu.training import ablation
from studies import again


@pytest.fixture
def witness(tmp_path, monkeypatch):
    """A small record in the place of the films', and the world in theirs."""
    data = interest_world(n_users=40, n_steps=6)
    monkeypatch.setattr(again, "load", lambda name: data)
    monkeypatch.setattr(again.films, "first_people", lambda data, n: data)
    path = tmp_path / "films.json"
    options = {"epochs": 1, "progress": False}
    splits = ctr_samples(data, max_history=again.films.STEPS)
    record = ablation(splits, list(again.MODELS), [0], path, device="cpu", **options)
    record["runs"] = [{"order": "as rated", **run} for run in record["runs"]]
    path.write_text(json.dumps(record))
    return path


def test_the_same_numbers_make_a_longer_list(witness, tmp_path, capsys):
    path = tmp_path / "again.json"
    path.write_text(json.dumps({"states": ["older"]}))
    assert again.main(path, witness) == 0
    made = json.loads(path.read_text())
    assert made["states"] == ["older", made["provenance"]["sources"]]
    assert made["base"] == made["dien"] == 0 and capsys.readouterr().out.count("differs") == 2


def test_other_numbers_leave_the_list_alone(witness, tmp_path, capsys):
    record = json.loads(witness.read_text())
    record["runs"][1]["test"]["auc"] += 0.001
    witness.write_text(json.dumps(record))
    assert again.main(tmp_path / "again.json", witness) == 1
    assert not (tmp_path / "again.json").exists()
    assert "stale" in capsys.readouterr().err
