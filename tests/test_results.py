"""Recorded results: complete, and as good as the text says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dien_edu.data import load

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
    assert len(seeds) >= 3
    dien, din = (np.array([score[model, seed] for seed in seeds]) for model in ("dien", "din"))
    assert dien.mean() >= 0.84 and (dien - din).mean() >= 0.01


def test_the_epoch_was_chosen_on_validation():
    for name in ("movielens-100k", "interest-world"):
        for run in runs(name):
            best = max(row["auc"] for row in run["epochs"])
            assert run["validation"]["auc"] == pytest.approx(best, abs=1e-9)


def test_a_small_dien_learns_the_world_in_a_minute():
    recorded = runs("interest-world")
    assert len({run["seed"] for run in recorded}) >= 5
    for run in recorded:
        curve = [row["auc"] for row in run["epochs"]]
        assert run["cpu_seconds"] < 60
        assert max(curve) - max(curve[: len(curve) // 2]) < 0.02, "on the plateau by half"


@pytest.mark.parametrize("name", ["movielens-100k", "interest-world"])
def test_the_record_is_of_the_data_that_we_load(name):
    path = next(path for path in RESULTS if path.stem == name)
    made = json.loads(path.read_text(encoding="utf8"))["provenance"]["data"]
    try:
        data = load(name)
    except ValueError as error:
        pytest.skip(f"{name} cannot be had here: {error}")
    assert made == {"name": name, **data.fingerprint()}


def test_electronics_fits_an_ordinary_machine():
    """From files of its shape to samples: 90 seconds of one core, 6 GB at most."""
    path = next(path for path in RESULTS if path.stem == "scale")
    found = json.loads(path.read_text(encoding="utf8"))["sets"]["electronics"]
    made = found["made"]["data"]
    assert (made["users"], made["clicks"]) == (192_403, 1_689_188)
    names = ("files to interactions", "interactions to samples")
    assert sum(found["stages"][name]["cpu_seconds"] for name in names) < 90
    assert max(stage["peak_gib"] for stage in found["stages"].values()) < 6
    assert found["epoch"]["extrapolated"] is True
