"""Our DIEN on MovieLens-100K: a step is some batches of training, scored on validation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import count, islice

import torch

from benchmarks.peers import ours
from benchmarks.peers.inputs import Spec
from dien_edu.data import Batch, ctr_samples, load
from dien_edu.data.samples import Samples
from dien_edu.models import DIEN
from dien_edu.training import evaluate, losses
from dien_edu.training.fit import _Run

EVERY = 25  # batches between two looks at the validation AUC


def forever(samples: Samples, batch_size: int, seed: int) -> Iterator[Batch]:
    """The batches of `fit`, epoch after epoch."""
    for epoch in count():
        yield from samples.batches(batch_size, shuffle=(seed, epoch))


def build(spec: Spec, backend: str = "auto", seed: int = 0) -> Callable[[], dict | None]:
    """Each call trains on EVERY batches more. The seconds are of training; scoring is left out.

    A small `spec` trains on the common random batch instead, to compile what is to be compiled.
    """
    if spec.items < 1000:
        return ours.build(spec, backend)
    data = load("movielens-100k")
    splits = ctr_samples(data, max_history=spec.steps)
    torch.manual_seed(seed)
    model = DIEN(data.n_items, data.n_categories, backend=backend)
    optimizer = _Run(model, {"learning_rate": 1e-3}, None).optimizer
    batches = forever(splits.train, spec.batch, seed)

    def step() -> dict:
        started = time.process_time()
        for batch in islice(batches, EVERY):
            optimizer.zero_grad(set_to_none=True)
            losses(model, batch)[2].backward()
            optimizer.step()
        seconds = time.process_time() - started
        return {"seconds": seconds, "auc": evaluate(model, splits.validation)["auc"]}

    return step
