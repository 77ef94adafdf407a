"""The recording of the explorer's networks, with users and epochs left out."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from dien_edu.data import ctr_samples
from dien_edu.data.world import interest_world
from dien_edu.figures.live import network
from studies import explorer as study


@pytest.fixture(scope="module")
def splits():
    return ctr_samples(interest_world(n_users=40, n_steps=6), sampler=study.shown_or_any)


def test_a_non_click_is_never_the_click_and_half_of_them_were_shown(splits):
    data = splits.train.interactions
    events = np.repeat(np.arange(len(data.item)), 40)
    drawn = study.shown_or_any(data, events, np.random.default_rng(0))
    assert (drawn != data.item[events]).all()
    assert drawn.min() == 1 and drawn.max() == data.n_items
    shown = (drawn[:, None] == data.shown[events]).any(axis=1)
    assert 0.5 < shown.mean() < 0.53  # any item is a shown one now and then


def test_the_record_is_of_the_networks_that_the_page_gets(splits, tmp_path):
    path, networks = tmp_path / "record.json", tmp_path / "network.json"
    made = study.record(splits, path, networks, tmp_path, epochs=1)
    assert made == json.loads(path.read_text())
    assert [run["evolution"] for run in made["runs"]] == list(study.EVOLUTIONS)
    for run in made["runs"]:
        small = network.load(run["evolution"], networks)
        full, _ = study.trained(splits, run["evolution"], tmp_path, epochs=1)
        for name, tensor in full.state_dict().items():
            assert torch.equal(small.state_dict()[name], tensor.half().float()), name
        assert len(run["curve"]) == 1
        assert run["validation_rounded"]["auc"] == pytest.approx(run["validation"]["auc"], abs=0.02)
    path.write_text(json.dumps(made | {"frame": {"median_ms": 1.0}}))
    again = study.record(splits, path, networks, tmp_path, epochs=1)
    assert again["frame"] == {"median_ms": 1.0}, "kept"
