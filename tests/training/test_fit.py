"""Training: chosen on validation, resumed to the bit, and safe when something goes wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from interrupting import Interrupting

from dien_edu.data import ctr_samples, load
from dien_edu.training import (
    CheckpointError,
    ablation,
    choose_profile,
    evaluate,
    find_device,
    fit,
    load_checkpoint,
    losses,
    predict,
    record,
)
from dien_edu.training.ablation import forecast
from dien_edu.training.checkpoint import save_checkpoint, save_json, write_safely

FIT = sys.modules["dien_edu.training.fit"]  # the module: the package exports its function
QUIET = {"progress": False, "device": "cpu", "patience": 99}


def same_weights(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.values(), b.values(), strict=True))


def test_a_small_world_is_learned(new_model):
    data = load("interest-world", n_users=400, n_steps=12, slow=1.0, noise=0, gap=0, drift=0)
    splits = ctr_samples(data)
    model = new_model("din")
    rows = fit(model, splits.train, splits.validation, epochs=6, learning_rate=0.01, **QUIET)
    assert rows[-1]["target_loss"] < rows[0]["target_loss"]
    assert evaluate(model, splits.test)["auc"] > 0.6


def test_losses_are_equations_1_6_7(new_model, splits):
    model = new_model()
    model.auxiliary_weight = 0.5
    batch = next(iter(splits.train.batches(16)))
    target, auxiliary, total = losses(model, batch)
    p = torch.sigmoid(model(batch).logit)
    by_hand = -(batch.label * p.log() + (1 - batch.label) * (1 - p).log()).mean()
    torch.testing.assert_close(target, by_hand)
    torch.testing.assert_close(total, target + 0.5 * auxiliary)


def test_same_seed_same_weights_other_seed_other_weights(new_model, splits):
    states = []
    for seed in (0, 0, 1):
        model = new_model()
        fit(model, splits.train, splits.validation, epochs=1, seed=seed, **QUIET)
        states.append(model.state_dict())
    assert same_weights(states[0], states[1]) and not same_weights(states[0], states[2])


def test_the_best_validation_epoch_is_kept(new_model, splits):
    model = new_model()
    rows = fit(model, splits.train, splits.validation, epochs=4, learning_rate=0.02, **QUIET)
    best = max(row["auc"] for row in rows)
    assert evaluate(model, splits.validation)["auc"] == pytest.approx(best, abs=1e-12)


def test_the_bar_shows_loss_speed_and_validation_auc(new_model, splits, capsys):
    options = {**QUIET, "progress": True, "epochs": 2}
    rows = fit(new_model("base"), splits.train, splits.validation, **options)
    shown = capsys.readouterr().err
    assert f"validation_auc={rows[0]['auc']:.4f}" in shown and " samples/s" in shown
    assert f"loss={rows[1]['target_loss']:.4f}" in shown


def test_early_stopping(new_model, splits, monkeypatch):
    scores = iter([0.6, 0.7, 0.65, 0.69, 0.9])
    scored = {"gauc": 0.5, "log_loss": 0.7}
    monkeypatch.setattr(FIT, "evaluate", lambda *_: {"auc": next(scores), **scored})
    options = {**QUIET, "patience": 2}
    rows = fit(new_model("base"), splits.train, splits.validation, epochs=9, **options)
    assert [row["auc"] for row in rows] == [0.6, 0.7, 0.65, 0.69]


def test_resume_equals_an_uninterrupted_run_bit_for_bit(new_model, splits, tmp_path):
    whole, path = new_model(), tmp_path / "run.pt"
    rows = fit(whole, splits.train, splits.validation, epochs=3, **QUIET)
    fit(new_model(), splits.train, splits.validation, epochs=1, checkpoint=path, **QUIET)
    resumed = new_model(seed=9)
    again = fit(
        resumed, splits.train, splits.validation, epochs=3, checkpoint=path, resume=True, **QUIET
    )
    assert same_weights(whole.state_dict(), resumed.state_dict())
    keep = ("epoch", "target_loss", "auxiliary_loss", "auc", "gauc", "log_loss")
    assert [[r[k] for k in keep] for r in again] == [[r[k] for k in keep] for r in rows]


def test_ctrl_c_leaves_a_usable_checkpoint_and_model(new_model, splits, tmp_path):
    path, model = tmp_path / "run.pt", new_model()
    broken = Interrupting(splits.train, KeyboardInterrupt(), epoch=1)
    with pytest.raises(KeyboardInterrupt):
        fit(model, broken, splits.validation, epochs=3, checkpoint=path, **QUIET)
    assert same_weights(model.state_dict(), load_checkpoint(path)["best"])
    whole, resumed = new_model(), new_model()
    fit(whole, splits.train, splits.validation, epochs=3, **QUIET)
    fit(resumed, splits.train, splits.validation, epochs=3, checkpoint=path, resume=True, **QUIET)
    assert same_weights(whole.state_dict(), resumed.state_dict())


def test_nan_stops_with_a_clear_error_and_spares_the_checkpoint(new_model, splits, tmp_path):
    path, model = tmp_path / "run.pt", new_model("base")
    fit(model, splits.train, splits.validation, epochs=1, checkpoint=path, **QUIET)
    before = path.read_bytes()
    model.head[0].weight.data.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match=r"loss is nan in epoch 0, by step 0: try a learn"):
        fit(model, splits.train, splits.validation, epochs=2, checkpoint=path, **QUIET)
    assert path.read_bytes() == before


def test_resume_refuses_another_run(new_model, splits, tmp_path):
    path = tmp_path / "run.pt"
    common = {"checkpoint": path, "resume": True, **QUIET}
    fit(new_model("base"), splits.train, splits.validation, epochs=1, **common)
    with pytest.raises(CheckpointError, match=r"was trained with .*0.001.* not .*0.5"):
        fit(new_model("base"), splits.train, splits.validation, learning_rate=0.5, **common)
    with pytest.raises(CheckpointError, match="holds another model"):
        fit(new_model("din"), splits.train, splits.validation, **common)


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", "cut"])
def test_a_damaged_checkpoint_is_named(new_model, splits, tmp_path, damage):
    path = tmp_path / "run.pt"
    fit(new_model("base"), splits.train, splits.validation, epochs=1, checkpoint=path, **QUIET)
    path.write_bytes(path.read_bytes()[:1000] if damage == "cut" else damage)
    with pytest.raises(CheckpointError, match=r"run.pt is no readable checkpoint .*: delete it"):
        load_checkpoint(path)


def test_checkpoint_files_are_not_executed(tmp_path):
    """A pickle that would run code is refused, not run."""

    class Evil:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    torch.save({"format": 1, "model": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path / "evil.pt")
    assert not (tmp_path / "ran").exists()
    save_checkpoint(tmp_path / "old.pt", {"format": 99})
    with pytest.raises(CheckpointError, match="is no checkpoint of format 1"):
        load_checkpoint(tmp_path / "old.pt")
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "none.pt")


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "result.json"
    save_json(path, {"a": 1})

    def full_disk(file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_safely(path, full_disk)
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1} and list(tmp_path.iterdir()) == [path]


def test_a_folder_that_takes_no_file_is_named_before_the_work(new_model, splits, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    broken = Interrupting(splits.train, AssertionError("trained"), epoch=0)
    options = {**QUIET, "checkpoint": blocked / "run.pt"}
    with pytest.raises(OSError, match="file"):
        fit(new_model("base"), broken, splits.validation, **options)
    with pytest.raises(ValueError, match="epochs is 0, expected at least 1"):
        fit(new_model("base"), splits.train, splits.validation, epochs=0, **QUIET)


def test_data_that_does_not_fit_the_model_is_named(new_model, splits):
    from dien_edu.models import BaseModel

    with pytest.raises(ValueError, match=r"interest-world has 144 items and 12 categories, the mo"):
        fit(BaseModel(3, 2), splits.train, splits.validation, **QUIET)
    with pytest.raises(ValueError, match=r"device is 'tpu', but this machine offers .*cpu"):
        find_device("tpu")


def test_predict_covers_every_sample_and_leaves_the_mode(new_model, splits):
    model = new_model("din").train()
    user, label, logit = predict(model, splits.test, batch_size=7)
    assert len(user) == len(label) == len(logit) == len(splits.test) and model.training
    assert sorted(user) == sorted(splits.test.user) and label.sum() == splits.test.label.sum()
    other = predict(model, splits.test, batch_size=50)[2]
    np.testing.assert_allclose(np.sort(logit), np.sort(other), atol=1e-5)


def test_ablation_records_and_goes_on(splits, tmp_path):
    path, options = tmp_path / "record.json", {"epochs": 1, "progress": False}
    first = ablation(splits, ["base"], [0], path, device="cpu", **options)
    both = ablation(splits, ["base", "din"], [0], path, device="cpu", **options)
    assert both["runs"][0] == json.loads(json.dumps(first["runs"][0])), "not trained again"
    assert [run["model"] for run in both["runs"]] == ["base", "din"]
    assert json.loads(path.read_text()) == both
    assert set(both["provenance"]["versions"]) == {"dien_edu", "python", "torch", "numpy"}
    with pytest.raises(ValueError, match="recorded with {'epochs': 1"):
        ablation(splits, ["base"], [0], path, device="cpu", epochs=2)
    with pytest.raises(ValueError, match="recorded with another data"):
        ablation(ctr_samples(load("interest-world", n_users=61, n_steps=8)), ["base"], [0], path,
                 device="cpu", **options)  # fmt: skip


def test_every_model_is_tuned_with_the_same_number_of_tries(splits, tmp_path):
    rates, path = [1e-3, 1e-1], tmp_path / "record.json"
    options = {"epochs": 1, "progress": False, "device": "cpu", "rates": rates}
    record = ablation(splits, ["base", "din"], [0], path, **options)
    for name in ("base", "din"):
        rows = [row for row in record["tuning"] if row["model"] == name]
        assert [row["learning_rate"] for row in rows] == rates
        assert all("test" not in row for row in rows), "only the chosen one is scored for good"
        best = max(rows, key=lambda row: row["validation"]["auc"])
        (run,) = (run for run in record["runs"] if run["model"] == name)
        assert run["learning_rate"] == best["learning_rate"]
        assert run["validation"] == best["validation"]
    later = ablation(splits, ["base", "din"], [0, 1], path, **options)
    assert later["tuning"] == record["tuning"], "tuned once, with the first seed"
    rates = {(run["model"], run["learning_rate"]) for run in later["runs"]}
    assert len(later["runs"]) == 4 and len(rates) == 2


@pytest.mark.parametrize("seed", [0, 1])
def test_a_run_that_is_deleted_comes_back_the_same(splits, tmp_path, seed):
    path, options = (
        tmp_path / "record.json",
        {"epochs": 1, "progress": False, "rates": [1e-3, 1e-2]},
    )
    whole = ablation(splits, ["base", "din"], [0, 1], path, device="cpu", **options)
    is_lost = [(r["model"], r["seed"]) == ("din", seed) for r in whole["runs"]]
    (lost,) = (run for run, gone in zip(whole["runs"], is_lost, strict=True) if gone)
    kept = [run for run, gone in zip(whole["runs"], is_lost, strict=True) if not gone]
    path.write_text(json.dumps(whole | {"runs": kept}))
    again = ablation(splits, ["base", "din"], [0, 1], path, device="cpu", **options)["runs"][-1]
    for key in ("model", "seed", "learning_rate", "test", "validation", "parameters"):
        assert again[key] == lost[key], key


def test_the_forecast_knows_what_a_model_took():
    runs = [{"model": "base", "seconds": 1.0}, {"model": "dien", "seconds": 5.0}]
    assert forecast(runs, [("dien", 1), ("base", 1), ("din", 0)]) == 5 + 1 + 3
    assert forecast(runs, []) == 0


def test_the_hash_is_of_what_a_number_depends_on(monkeypatch, tmp_path):
    root = Path(record.dien_edu.__file__).parent
    for name in (*record.FILES, "training/fit.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((root / name).read_bytes())
    monkeypatch.setattr(record.dien_edu, "__file__", str(tmp_path / "__init__.py"))
    before = record.source_hash()
    (tmp_path / record.FILES[0]).write_text("another way to fetch the same file")
    assert record.source_hash() == before
    (tmp_path / "training/fit.py").write_text("another training")
    assert record.source_hash() != before


def test_profile(monkeypatch):
    monkeypatch.setenv("DIEN_EDU_PROFILE", "full")
    assert choose_profile() == "full"
    monkeypatch.setenv("DIEN_EDU_PROFILE", "")
    assert choose_profile() == ("full" if torch.cuda.is_available() else "quick")
    monkeypatch.setenv("DIEN_EDU_PROFILE", "fast")
    with pytest.raises(ValueError, match="'fast', expected 'quick' or 'full'"):
        choose_profile()


@pytest.mark.gpu
def test_training_on_cuda_agrees_with_the_cpu(new_model, splits):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    curves = []
    for device in ("cpu", "cuda"):
        options = {**QUIET, "device": device, "epochs": 1}
        rows = fit(new_model(), splits.train, splits.validation, **options)
        curves.append([rows[0]["target_loss"], rows[0]["auxiliary_loss"]])
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-3)
