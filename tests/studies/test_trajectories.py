"""The study behind chapter 11 measures what it says."""

import json

import numpy as np
import pytest
import torch

from dien_edu.data import ctr_samples, load
from dien_edu.models import DIEN
from dien_edu.training.truth import movement
from studies import evolutions, trajectories


@pytest.fixture(scope="module")
def world():
    return load("interest-world", n_users=120)


@pytest.fixture(scope="module")
def splits(world):
    return ctr_samples(world)


def made(world, scale=1.0, evolution="augru"):
    torch.manual_seed(0)
    model = DIEN(world.n_items, world.n_categories, evolution).eval()
    with torch.no_grad():
        model.attention.weight.mul_(scale)
    return model


def test_each_target_is_what_its_name_says(world):
    histories, targets = trajectories.questions(world, np.arange(120), 15)
    kind, early = world.category_of_item, 0
    assert len(histories) > 100
    for items, (none, unrelated, last, gone) in zip(histories, targets, strict=True):
        assert none == 0 and not np.isin(targets[targets > 0], 0).any()
        assert kind[last] == kind[items[-1]] and kind[unrelated] not in kind[items]
        assert not np.isin([unrelated, last], items).any()
        if gone > 0:
            early += 1
            assert kind[gone] in kind[items[:7]] and kind[gone] not in kind[items[7:]]
    assert 10 < early < len(histories)


def test_without_scores_all_paths_are_one(world):
    found = trajectories.reading(
        made(world, scale=0), world, *trajectories.questions(world, np.arange(60), 15)
    )
    for part in ("apart", "end"):
        assert found[part]["unrelated"] == found[part]["related"] == 0
    assert len({found["last"][name] for name in ("none", "unrelated", "last")}) == 1


def test_sharp_scores_take_the_paths_apart_and_decide_the_steps(world):
    asked = trajectories.questions(world, np.arange(60), 15)
    plain, sharp = (trajectories.reading(made(world, s), world, *asked) for s in (1, 300))
    assert sharp["apart"]["related"] > 5 * plain["apart"]["related"] > 0
    assert sharp["score"]["top"] > 0.8 and sharp["score"]["explained"] > 0.6
    assert 0 < sharp["plane"]["length"] < 1 and 0 < sharp["plane"]["variance"] < 1
    assert sharp["spread"]["last"] < plain["spread"]["last"] <= 15
    assert sharp["chance"] == 1 / 14 and sharp["half_way"] > 0


def test_steps_that_count():
    found = trajectories._count(np.array([[1, 1, 1, 1], [0, 3, 0, 0], [2, 2, 0, 0]], float))
    assert np.allclose(found, [4, 1, 2])


def test_the_levels_add_up_to_the_movement_of_chapter_08(world, splits):
    model = made(world, 100)
    found, known = trajectories.levels(model, splits.test), movement(model, splits.test)
    kinds = {"irrelevant": trajectories.LEVELS[:2], "relevant": trajectories.LEVELS[2:]}
    for kind, names in kinds.items():
        steps = np.array([found[name]["steps"] for name in names])
        moved = np.array([found[name]["moved"] for name in names])
        assert steps.min() > 20
        assert np.isclose((steps * moved).sum() / steps.sum(), known[kind], rtol=1e-4)


def test_a_cut_off_record_goes_on_and_does_nothing_twice(world, splits, tmp_path, monkeypatch):
    monkeypatch.setattr(evolutions, "PARTS", tmp_path / "parts")
    monkeypatch.setitem(evolutions.FIT, "epochs", 1)
    monkeypatch.setitem(trajectories.OPTIONS, "epochs", 1)
    monkeypatch.setattr(trajectories, "STEPS", 15)
    monkeypatch.setattr(trajectories, "FILMS", "stand-in")
    monkeypatch.setattr(trajectories, "MODELS", {"dien": ("augru", "inner")})
    monkeypatch.setattr(trajectories, "FILM_MODELS", ())
    few, path = load("interest-world", n_users=60), tmp_path / "record.json"
    first = trajectories.record(splits, few, world, [0], path)
    stored = json.loads(path.read_text(encoding="utf8"))
    assert stored == json.loads(json.dumps(first))
    names = [(run["data"], run["model"]) for run in stored["runs"]]
    assert names == [("interest-world", "fresh"), ("interest-world", "dien"), ("stand-in", "fresh")]
    before = path.stat().st_mtime_ns
    assert trajectories.record(splits, few, world, [0], path)["runs"] == first["runs"]
    assert path.stat().st_mtime_ns == before
