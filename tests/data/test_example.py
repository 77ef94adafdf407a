"""The running example is the one that the design promises, and its items exist in the world."""

from __future__ import annotations

from itertools import pairwise

from dien_edu.data.example import CLICKS, example_inputs
from dien_edu.data.world import CATALOGUE


def test_eight_clicks_of_two_interests_that_take_turns():
    kinds = [kind for _, kind in CLICKS]
    assert len(CLICKS) == 8 and set(kinds) == {"photography", "cooking"}
    assert sum(a != b for a, b in pairwise(kinds)) >= 4
    for title, kind in CLICKS:
        assert title in CATALOGUE[kind].split(", ")


def test_inputs_are_one_hot():
    inputs = example_inputs()
    assert inputs.shape == (8, 2) and (inputs.sum(axis=1) == 1).all()
    assert [bool(row[0]) for row in inputs] == [kind == "photography" for _, kind in CLICKS]
