"""The recording of the short runs, with users and epochs left out."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dien_edu.data.world import interest_world
from studies import films_in_brief as study


def test_record_goes_on_and_holds_every_order_and_model(tmp_path):
    data, path = interest_world(n_users=40, n_steps=6), tmp_path / "record.json"
    brief = {"epochs": 1, "progress": False}
    first = study.record(data, [0], path, **brief)
    both = study.record(data, [0, 1], path, **brief)
    assert both == json.loads(path.read_text())
    assert both["runs"][: len(first["runs"])] == first["runs"], "not trained again"
    wanted = {(o, m, s) for o, models in study.MODELS.items() for m in models for s in (0, 1)}
    assert {(r["order"], r["model"], r["seed"]) for r in both["runs"]} == wanted
    with pytest.raises(ValueError, match="other data"):
        study.record(interest_world(n_users=41, n_steps=6), [0], path, **brief)


def test_first_people_and_orders():
    data = interest_world(n_users=40, n_steps=6)
    few = study.first_people(data, 15)
    assert few.n_users == 15 and few.n_items == data.n_items
    assert (few.item == data.item[: 15 * 6]).all() and (few.user == data.user[: 15 * 6]).all()
    shuffled = study.in_order(few, "sessions shuffled", seed=1)
    assert (shuffled.item != few.item).any() and shuffled.item.shape == few.item.shape
    per_user = np.sort(shuffled.item.reshape(15, 6)), np.sort(few.item.reshape(15, 6))
    assert (per_user[0] == per_user[1]).all()
    assert study.in_order(few, "as rated", seed=1) is few
