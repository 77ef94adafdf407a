"""The recording of the controls, with models and epochs left out."""

from __future__ import annotations

import json

import numpy as np

from dien_edu.data.world import interest_world
from studies import movielens_controls


def test_record_goes_on_and_names_each_control(tmp_path, monkeypatch, capsys):
    data = interest_world(n_users=30, n_steps=6)
    monkeypatch.setattr(movielens_controls, "load", lambda name: data)
    monkeypatch.setattr(movielens_controls, "MODELS", ["base"])
    plain, path = tmp_path / "plain.json", tmp_path / "record.json"
    run = {"model": "base", "seed": 0, "learning_rate": 3e-3, "test": {"auc": 0.5}}
    options = {"epochs": 1, "progress": False, "rates": [1e-3, 3e-3]}
    plain.write_text(json.dumps({"options": options, "runs": [run]}))
    movielens_controls.main(["--seeds", "0", "--controls", "ties shuffled"], path, plain)
    first = json.loads(path.read_text())
    movielens_controls.main(["--seeds", "0", "1"], path, plain)
    record = json.loads(path.read_text())
    assert record["options"]["base"]["learning_rate"] == 3e-3, "as it was tuned"
    assert record["runs"][0] == first["runs"][0], "not trained again"
    assert {(r["control"], r["seed"]) for r in record["runs"]} == {
        (name, seed) for name in movielens_controls.SECONDS for seed in (0, 1)
    }
    assert record["provenance"]["data"]["sha256"] == data.fingerprint()["sha256"]
    ties, sessions = (record["controls"][name] for name in movielens_controls.SECONDS)
    # The world's clicks are one second apart: no ties, and every user is one session.
    assert ties["share_of_places_with_another_item"] == 0
    assert ties["data"] == record["provenance"]["data"] != sessions["data"]
    assert sessions["runs"] == 30
    assert np.isfinite([run["test"]["auc"] for run in record["runs"]]).all()
    assert capsys.readouterr().out.count("sessions shuffled") == 1
