"""The study behind chapters 06-08 measures what it says."""

import json
from dataclasses import replace

import pytest
import torch

from dien_edu.data import ctr_samples, load
from dien_edu.models import DIEN
from studies import evolutions


@pytest.fixture(scope="module")
def splits():
    return ctr_samples(load("interest-world", n_users=60))


@pytest.fixture(autouse=True)
def no_model_from_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(evolutions, "PARTS", tmp_path / "parts")


@pytest.fixture
def batch(splits):
    return next(splits.test.batches(64, negatives=False))


def made(splits, evolution):
    data = splits.train.interactions
    torch.manual_seed(0)
    model = DIEN(data.n_items, data.n_categories, evolution, None).eval()
    torch.nn.init.normal_(model.evolution.bias)
    return model


@pytest.mark.parametrize("evolution", ["aigru", "agru", "augru"])
def test_zeros_move_aigru_and_no_other(splits, batch, evolution):
    model = made(splits, evolution)
    logit, state = evolutions.after_zeros(model, batch, 0)
    assert torch.equal(logit, model(batch).logit)
    later, moved = evolutions.after_zeros(model, batch, 7)
    assert torch.equal(moved, state) == torch.equal(later, logit) == (evolution != "aigru")


def test_states_that_run_together_are_no_longer_apart(splits):
    rows = evolutions.erased(made(splits, "aigru"), splits.test)
    assert rows[0]["apart"] == 1 and rows[0]["moved"] == 0
    assert rows[-1]["apart"] < 0.1 < rows[1]["apart"]


def test_the_share_written_obeys_the_budget(splits):
    found = evolutions.traced(made(splits, "augru"), splits.test)
    written, mean_gate = found["written"], found["mean_gate"]
    assert (written <= mean_gate + 1e-6).all() and (written > 0.3).all()
    groups = evolutions.by_attention(found)
    assert [g["attention"] for g in groups] == sorted(g["attention"] for g in groups)


def test_peak_attention_has_a_largest_score_of_one():
    mask = torch.arange(5) < torch.tensor([[5], [2], [0]])
    attention = evolutions.PeakAttention(3, 2)
    scores = attention(torch.randn(3, 5, 3), torch.randn(3, 2), mask)
    assert scores.amax(dim=1).tolist() == [1, 1, 0]
    assert (scores[~mask] == 0).all()


def test_the_record_has_a_row_for_each_model_and_goes_on(splits, tmp_path, monkeypatch):
    monkeypatch.setitem(evolutions.FIT, "epochs", 1)
    path = tmp_path / "record.json"
    first = evolutions.record(splits, [0], path)
    assert first == json.loads(path.read_text(encoding="utf8"))
    assert [run["evolution"] for run in first["runs"]] == list(evolutions.EVOLUTIONS)
    for run in first["runs"]:
        assert {"test", "validation", "movement", "attention", "probe", "zeros"} <= set(run)
        assert len(run["by_attention"]) == evolutions.BINS and len(run["curve"]) == 1
    monkeypatch.setattr(evolutions, "run", lambda splits, row: row)
    content = evolutions.record(splits, [0, 1], path)
    more = content["runs"]
    assert content["provenance"]["seeds"] == [0, 1]
    assert more[:4] == first["runs"], "not trained again"
    assert [set(run) for run in more[4:]] == [{"evolution", "auxiliary", "seed"}] * 4
    other = ctr_samples(load("interest-world", n_users=61))
    with pytest.raises(ValueError, match="other data"):
        evolutions.record(other, [0], path)


def test_the_auxiliary_loss_is_recorded_in_pairs(splits, tmp_path, monkeypatch):
    monkeypatch.setattr(evolutions, "run", lambda splits, row: row)
    content = evolutions.record(splits, [0, 1], tmp_path / "pairs.json", "inner")
    assert content["expected"] == evolutions.EXPECTED_AUXILIARY
    assert content["provenance"]["command"].endswith("--auxiliary inner")
    asked = [(run["evolution"], run["seed"], run["auxiliary"]) for run in content["runs"]]
    kinds, names = (None, "inner"), ("augru", "agru", "aigru")
    assert asked == [(n, s, k) for n in names for s in (0, 1) for k in kinds]
    path = tmp_path / "one.json"
    one = evolutions.record(splits, [3], path, "inner", names=("agru",))["runs"]
    assert [(run["evolution"], run["auxiliary"]) for run in one] == [("agru", k) for k in kinds]


@pytest.mark.parametrize("auxiliary", [None, "inner"])
def test_a_row_trains_the_model_that_it_names_once(splits, auxiliary, monkeypatch):
    monkeypatch.setitem(evolutions.FIT, "epochs", 1)
    model = evolutions.trained(splits, auxiliary, "augru-peak", 0)
    assert isinstance(model.attention, evolutions.PeakAttention)
    assert (model.auxiliary is None) == (auxiliary is None)
    path = evolutions.checkpoint("interest-world", auxiliary, "augru-peak", 0)
    assert evolutions.source_hash() in path.parts, "models of other sources stay where they are"
    written = path.stat().st_mtime_ns
    again = evolutions.trained(splits, auxiliary, "augru-peak", 0)
    assert path.stat().st_mtime_ns == written
    assert all(map(torch.equal, model.state_dict().values(), again.state_dict().values()))


def test_films_go_into_the_same_record_without_a_truth(splits, tmp_path, monkeypatch):
    def small(name):
        world = load("interest-world", n_users=40)
        return replace(world, name=name, truth={}, shown=None)

    monkeypatch.setattr(evolutions, "load", small)
    monkeypatch.setitem(evolutions.FILMS, "epochs", 1)
    monkeypatch.setitem(evolutions.FILMS, "people", 40)
    path, content = tmp_path / "record.json", {"runs": []}
    evolutions.record_films(content, path)
    runs = json.loads(path.read_text(encoding="utf8"))["films"]["runs"]
    assert len(runs) == 6 and all("movement" not in run and run["test"] for run in runs)
