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
    options = {"epochs": 1, "progress": False}
    monkeypatch.setattr(movielens_controls, "OPTIONS", options)
    path, parts = tmp_path / "record.json", tmp_path / "parts"
    movielens_controls.main(["--seeds", "0", "--controls", "plain"], path, parts)
    first = json.loads(path.read_text())
    movielens_controls.main(["--seeds", "0", "1"], path, parts)
    record = json.loads(path.read_text())
    assert record["runs"][0] == first["runs"][0], "not trained again"
    assert {(r["control"], r["seed"]) for r in record["runs"]} == {
        (name, seed) for name in movielens_controls.SECONDS for seed in (0, 1)
    }
    assert record["provenance"]["data"]["sha256"] == data.fingerprint()["sha256"]
    prints = {one["data"]["sha256"] for one in record["controls"].values()}
    assert record["controls"]["plain"] == {"seconds": None, "data": record["provenance"]["data"]}
    # The world's clicks are one second apart: no ties, and every user is one session.
    assert record["controls"]["ties shuffled"]["share_of_places_with_another_item"] == 0
    assert record["controls"]["sessions shuffled"]["runs"] == 30 and len(prints) == 2
    assert np.isfinite([run["test"]["auc"] for run in record["runs"]]).all()
    assert capsys.readouterr().out.count("sessions shuffled") == 1
