"""Our DIEN on MovieLens-100K: a step is an epoch, scored on validation."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.peers import ours
from benchmarks.peers.inputs import Spec
from dien_edu.data import ctr_samples, load
from dien_edu.models import DIEN
from dien_edu.training import fit


def build(spec: Spec, backend: str = "auto", seed: int = 0) -> Callable[[], dict | None]:
    """Each call trains for one more epoch, from the checkpoint of the last one.

    A small `spec` trains on the common random batch instead, to compile what is to be compiled.
    """
    if spec.items < 1000:
        return ours.build(spec, backend)
    data = load("movielens-100k")
    splits = ctr_samples(data, max_history=spec.steps)
    torch.manual_seed(seed)
    model = DIEN(data.n_items, data.n_categories, backend=backend)
    folder = tempfile.TemporaryDirectory()
    rows: list[dict] = []

    def step() -> dict:
        checkpoint = Path(folder.name) / "run.pt"
        options = {"seed": seed, "batch_size": spec.batch, "checkpoint": checkpoint}
        options |= {"resume": True, "progress": False, "device": "cpu", "patience": 100}
        rows[:] = fit(model, splits.train, splits.validation, epochs=len(rows) + 1, **options)
        return {key: rows[-1][key] for key in ("epoch", "auc", "seconds")}

    return step
