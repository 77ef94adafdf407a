"""Train in child processes that are killed at random moments: python killing.py FOLDER KILLS.

Prints one JSON object. A child forks from a process that has trained nothing, so that it pays
neither for the imports nor for a copied state of PyTorch's threads.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from dien_edu.data import ctr_samples, load
from dien_edu.kernels import cpu
from dien_edu.models import build
from dien_edu.training import CheckpointError, fit, load_checkpoint

EPOCHS = 12


def train(splits, checkpoint: Path, weights: Path) -> None:
    """From the checkpoint, if it is there, to the end; then write the weights."""
    torch.manual_seed(0)
    data = splits.train.interactions
    model = build("base", data.n_items, data.n_categories)
    options = {"epochs": EPOCHS, "patience": 99, "device": "cpu", "progress": False}
    fit(model, splits.train, splits.validation, checkpoint=checkpoint, resume=True, **options)
    torch.save(model.state_dict(), weights.with_suffix(".new"))
    weights.with_suffix(".new").rename(weights)


def child(*arguments) -> int:
    """Fork, train there, and leave without any clean-up."""
    process = os.fork()
    if process == 0:
        try:
            train(*arguments)
        finally:
            os._exit(0)
    return process


def import_all() -> None:
    """What PyTorch imports at a first step of training; without a backward pass."""
    weight = torch.nn.Parameter(torch.zeros(1))
    weight.grad = torch.zeros(1)
    torch.optim.Adam([weight]).step()


def main(folder: Path, kills: int) -> dict:
    torch.set_num_threads(1)
    cpu.MISSING = "a child would spend its life on compiling"
    splits = ctr_samples(load("interest-world", n_users=60, n_steps=8))
    import_all()
    started = time.perf_counter()
    os.waitpid(child(splits, folder / "whole.pt", folder / "whole-weights.pt"), 0)
    seconds = time.perf_counter() - started
    wanted, moments = read(folder / "whole-weights.pt"), random.Random(0)
    found = {"killed": 0, "resumed": 0, "unreadable": 0, "runs": 0, "same": True}
    while found["killed"] < kills:
        path, weights = (folder / f"{found['runs']}{name}.pt" for name in ("", "-weights"))
        while not weights.exists():
            found["resumed"] += path.exists()
            process = child(splits, path, weights)
            time.sleep(moments.uniform(0, 0.9) * seconds)
            os.kill(process, signal.SIGKILL)
            found["killed"] += os.WIFSIGNALED(os.waitpid(process, 0)[1])
            found["unreadable"] += path.exists() and not readable(path)
        weights = read(weights)
        found["same"] &= all(torch.equal(wanted[key], weights[key]) for key in wanted)
        found["runs"] += 1
    return found


def read(path: Path) -> dict:
    """Weights that a child has written."""
    return torch.load(path, weights_only=True)


def readable(path: Path) -> bool:
    """Is what a killed process left a whole checkpoint?"""
    try:
        return load_checkpoint(path)["rows"] != []
    except CheckpointError:
        return False


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
