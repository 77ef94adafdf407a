"""Two processes on the CPU do what one does: weights, scores, losses, resuming, speaking once.

torchrun starts them, as a reader would; they talk over the machine itself, so no network is needed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dien_edu.training import parallel

HERE = Path(__file__).parent
pytestmark = pytest.mark.slow


def two_processes(*arguments) -> subprocess.CompletedProcess:
    """together.py, twice. `--standalone` takes a free port."""
    call = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    loopback = "lo0" if sys.platform == "darwin" else "lo"
    surroundings = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": loopback,
        "PYTHONPATH": str(HERE.parent.parent),
    }
    call += [str(HERE / "together.py"), *map(str, arguments)]
    return subprocess.run(
        call, env=surroundings, capture_output=True, text=True, check=False, timeout=600
    )


@pytest.fixture(scope="module")
def together():
    spec = importlib.util.spec_from_file_location("together", HERE / "together.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def runs(together, tmp_path_factory) -> list[dict]:
    """What one process found, and each of two."""
    folder = tmp_path_factory.mktemp("parallel")
    done = two_processes(folder)
    assert done.returncode == 0, done.stderr[-3000:]
    both = [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in (0, 1)]
    return [together.all_runs(folder), *both]


def farthest(a: dict, b: dict) -> float:
    return max((a[name] - b[name]).abs().max().item() for name in a)


def scores(run: dict) -> list[float]:
    return [value for row in [*run["rows"], run["test"]] for value in row.values()]


@pytest.mark.parametrize("name", ["base", "dien", "single precision", "mlp", "reference"])
def test_two_processes_end_with_the_weights_and_scores_of_one(runs, name):
    one, *two = (run[name] for run in runs)
    for found in two:
        assert farthest(one["weights"], found["weights"]) < 1e-5
        assert scores(found) == pytest.approx(scores(one), abs=1e-5)
    assert farthest(two[0]["weights"], two[1]["weights"]) == 0, "they never drift apart"
    assert scores(two[0]) == scores(two[1]), "so both stop at the same epoch"


def test_the_gradient_is_that_of_the_whole_batch(runs):
    one, two, _ = (run["step"] for run in runs)
    assert farthest(one["gradients"], two["gradients"]) < 1e-12
    torch.testing.assert_close(one["losses"], two["losses"], atol=1e-12, rtol=0)


def test_a_mean_of_means_is_something_else(runs):
    """The control: wrapped without more ado, losses and gradients are others by a few percent."""
    one, two, _ = (run["naive"] for run in runs)
    largest = max(g.abs().max().item() for g in one["gradients"].values())
    assert farthest(one["gradients"], two["gradients"]) > 0.01 * largest
    assert (one["losses"] - two["losses"]).abs().min() > 1e-4


def test_a_run_that_was_cut_off_goes_on_to_the_same_bits(runs):
    for run in runs:
        assert farthest(run["dien"]["weights"], run["interrupted"]["weights"]) == 0
        assert scores(run["dien"]) == scores(run["interrupted"])


def test_mistakes_are_named_by_all(runs):
    for run in runs[1:]:
        assert run["too small"].startswith("ValueError: batch_size is 1, expected at least one")
        assert run["too few"].startswith("ValueError: 1 samples to score, fewer than the 2")
        assert run["nan"].startswith("FloatingPointError: the loss is nan in epoch 0, by step 0")
        assert run["devices"][0].startswith("ValueError: device is 'cuda:1', expected cpu or cuda")
        if not torch.cuda.is_available():
            assert "found 0 GPUs: start fewer, or add --device cpu" in run["devices"][1]


def test_the_command_line_speaks_once_and_agrees(together, capfd, tmp_path):
    path = tmp_path / "run.pt"
    options = ["--data", "interest-world", "--epochs", "1", "--device", "cpu", "--json"]
    done = two_processes("command", "train", *options, "--checkpoint", path)
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = done.stdout.splitlines()
    assert done.stderr.count("| 0.00/") == 1, "one bar"
    assert [file.name for file in tmp_path.iterdir()] == ["run.pt"], "one writer"
    two = json.loads(line)
    assert together.command(["train", *options]) == 0
    one = json.loads(capfd.readouterr().out.splitlines()[-1])
    names = ("auc", "gauc", "log_loss", "epochs", "device")
    assert [two[name] for name in names[:3]] == pytest.approx([one[name] for name in names[:3]],
                                                              abs=1e-5)  # fmt: skip
    assert [two[name] for name in names[3:]] == [one[name] for name in names[3:]]
    assert together.command(["evaluate", "--checkpoint", str(path), "--json"]) == 0
    again = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert again["auc"] == pytest.approx(two["auc"], abs=1e-5), "one process reads what two wrote"


def test_only_training_is_for_several(together, capfd, monkeypatch):
    monkeypatch.setattr(parallel, "launched", lambda: 2)
    assert together.command(["evaluate", "--checkpoint", "none.pt"]) == 2
    assert "torchrun is for train alone" in capfd.readouterr().err


def test_without_torchrun_nothing_happens(monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "8")  # as some schedulers set it for other ends
    assert (parallel.launched(), parallel.size(), parallel.rank()) == (1, 1, 0)
    assert parallel.join("cpu") == "cpu" and parallel.join(None) is None
