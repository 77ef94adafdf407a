"""Recorded results: complete, and as good as the text says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dien_edu.data import load
from dien_edu.models import MODELS
from dien_edu.training.record import source_hash

ABLATIONS = ["interest-world", "movielens-100k", "amazon-beauty"]
RESULTS = sorted((Path(__file__).parent.parent / "book" / "results").glob("*.json"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_a_record_says_how_it_was_made(path):
    made = json.loads(path.read_text(encoding="utf8"))["provenance"]
    wanted = {"data", "split", "samples", "negatives", "device", "versions", "sources", "date"}
    assert wanted <= set(made)
    assert {"python", "torch", "numpy", "dien_edu"} <= set(made["versions"])


def runs(name):
    path = next(path for path in RESULTS if path.stem == name)
    return json.loads(path.read_text(encoding="utf8"))["runs"]


def test_dien_is_ahead_of_din_on_movielens():
    score = {(r["model"], r["seed"]): r["test"]["auc"] for r in runs("movielens-100k")}
    seeds = sorted(seed for model, seed in score if model == "dien")
    dien, din = (np.array([score[model, seed] for seed in seeds]) for model in ("dien", "din"))
    assert dien.mean() >= 0.84 and (dien - din).min() >= 0.01


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_is_whole_and_tuned_alike(name):
    record = json.loads(next(p for p in RESULTS if p.stem == name).read_text(encoding="utf8"))
    done = [(run["model"], run["seed"]) for run in record["runs"]]
    assert sorted(done) == sorted((model, seed) for model in MODELS for seed in range(5))
    for model in MODELS:
        rows = [row for row in record["tuning"] if row["model"] == model]
        assert [row["learning_rate"] for row in rows] == record["options"]["rates"]
        best = max(rows, key=lambda row: row["validation"]["auc"])["learning_rate"]
        rates = {run["learning_rate"] for run in record["runs"] if run["model"] == model}
        assert rates == {best}


def test_the_epoch_was_chosen_on_validation():
    for name in ABLATIONS:
        for run in runs(name):
            best = max(row["auc"] for row in run["epochs"])
            assert run["validation"]["auc"] == pytest.approx(best, abs=1e-9)


def test_a_small_dien_learns_the_world_in_a_minute():
    recorded = [run for run in runs("interest-world") if run["model"] == "dien"]
    assert len({run["seed"] for run in recorded}) >= 5
    for run in recorded:
        curve = [row["auc"] for row in run["epochs"]]
        assert run["cpu_seconds"] < 60
        assert max(curve) - max(curve[: len(curve) // 2]) < 0.02, "on the plateau by half"


@pytest.mark.parametrize("name", ABLATIONS)
def test_the_record_is_of_the_data_that_we_load(name):
    path = next(path for path in RESULTS if path.stem == name)
    made = json.loads(path.read_text(encoding="utf8"))["provenance"]["data"]
    try:
        data = load(name)
    except ValueError as error:
        pytest.skip(f"{name} cannot be had here: {error}")
    assert made == {"name": name, **data.fingerprint()}


def test_electronics_fits_an_ordinary_machine():
    """From files of its shape to samples: 90 seconds by the clock, 6 GB at most."""
    path = next(path for path in RESULTS if path.stem == "scale")
    found = json.loads(path.read_text(encoding="utf8"))["sets"]["electronics"]
    made = found["made"]["data"]
    assert (made["users"], made["clicks"]) == (192_403, 1_689_188)
    names = ("files to interactions", "interactions to samples")
    assert sum(found["stages"][name]["seconds"] for name in names) < 90
    assert max(stage["peak_gib"] for stage in found["stages"].values()) < 6
    assert found["epoch"]["extrapolated"] is True


def stale(path, states):
    """Was this record made by sources that give other numbers than the present ones?"""
    return json.loads(path.read_text(encoding="utf8"))["provenance"]["sources"] not in states


def test_no_record_is_stale():
    """After a change that leaves the numbers as they are: `python -m studies.again`."""
    states = next(json.loads(p.read_text("utf8"))["states"] for p in RESULTS if p.stem == "again")
    assert source_hash() in states, "the sources have changed: python -m studies.again"
    assert [path.stem for path in RESULTS if stale(path, states)] == [], "record these anew"


def test_a_stale_record_is_found(tmp_path):
    path = tmp_path / "old.json"
    path.write_text(json.dumps({"provenance": {"sources": "of another time"}}))
    assert stale(path, [source_hash()])
