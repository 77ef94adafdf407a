"""Which formula does a cell compute? The comparison itself, without any peer."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from benchmarks import cells
from benchmarks.peers import cells as peer
from benchmarks.peers.inputs import Spec
from dien_edu.variants import AUGRU, OfficialAUGRU, OneBiasAUGRU

RECORD = json.loads(cells.RECORD.read_text(encoding="utf8"))


def walked(kind):
    """The states of one of our layers, with and without a bias."""
    found = {}
    for bias in (True, False):
        given = {name: torch.from_numpy(array) for name, array in peer.drawn(bias).items()}
        layer = kind(peer.SIZE, peer.SIZE).double()
        for name in ("weight_input", "weight_hidden", "bias"):
            getattr(layer, name).data = given[name]
        found["bias" if bias else "no bias"] = peer.walk(
            lambda i, h, a, layer=layer: layer.step(i, a[:, 0], h), given
        )
    return found


@pytest.mark.parametrize(
    ("kind", "name"),
    [(AUGRU, "the paper"), (OfficialAUGRU, "authors' rule"), (OneBiasAUGRU, "one bias twice")],
)
def test_each_formula_is_told_from_the_others(kind, name):
    differs = cells.differences("augru", walked(kind))
    assert cells.verdict(differs) == name
    for other, value in differs["bias"].items():
        assert (value < cells.SAME) == (other == name)
    assert differs["bias"]["authors' rule"] < cells.SAME or name != "authors' rule"


def test_a_formula_that_is_not_listed_is_none():
    states = {key: (np.array(value) * 1.001).tolist() for key, value in walked(AUGRU).items()}
    assert cells.verdict(cells.differences("augru", states)) == "none"


def test_a_bias_of_0_hides_the_second_bias():
    differs = cells.differences("augru", walked(OneBiasAUGRU))
    assert differs["no bias"]["the paper"] < cells.SAME < 1e-3 < differs["bias"]["the paper"]


def test_one_score_is_0_so_that_the_rules_are_apart():
    given = peer.drawn()
    assert given["attention"][3] == 0 and given["attention"].sum() == pytest.approx(1)


def test_our_own_cells_go_the_same_way_as_a_peers():
    found = peer.build(Spec(1, 8), "ours")()
    for name, states in found["states"].items():
        assert cells.verdict(cells.differences(name, states)) == "the paper"
    assert found["first_weights_sd"] is None


def test_the_record_says_what_the_chapter_says():
    computes = {
        (library, name): cell["computes"]
        for library, one in RECORD["libraries"].items()
        for name, cell in one["cells"].items()
    }
    assert computes.pop(("deepctr-torch", "augru")) == "one bias twice"
    assert len(computes) == 6 and set(computes.values()) == {"the paper"}
    assert RECORD["libraries"]["recbole"]["first_weights_sd"] == pytest.approx(1, abs=0.05)
    assert RECORD["skipped"] == {}
