"""Several models, several seeds, one split: the comparison that chapter 10 is built on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import torch

from dien_edu.data import Splits
from dien_edu.models import ClickModel, build, count_parameters
from dien_edu.training.checkpoint import check_writable, save_json
from dien_edu.training.evaluate import evaluate
from dien_edu.training.fit import find_device, fit
from dien_edu.training.record import how_sampled, provenance


def train_one(
    name: str,
    splits: Splits,
    *,
    seed: int,
    device: str | None = None,
    also: Callable[[ClickModel], dict] | None = None,
    **options,
) -> dict:
    """Make, train and score one model; `seed` draws its weights and the order of the samples.

    Test samples are scored once, by the epoch that validation chose. `also` may measure more on the
    trained model: what it returns is added. `options` go to `fit`.
    """
    data = splits.train.interactions
    torch.manual_seed(seed)
    model = build(name, data.n_items, data.n_categories)
    started, cpu = time.perf_counter(), time.process_time()
    rows = fit(model, splits.train, splits.validation, seed=seed, device=device, **options)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    more = also(model) if also else {}
    return {
        "model": name,
        "seed": seed,
        "test": evaluate(model, splits.test),
        "validation": evaluate(model, splits.validation),
        "epochs": rows,
        "parameters": count_parameters(model),
        "seconds": seconds,
        "cpu_seconds": cpu,  # on a busy machine the clock says more
        "samples_per_second": len(splits.train) * len(rows) / seconds,
        **more,
    }


def ablation(
    splits: Splits,
    models: list[str],
    seeds: list[int],
    path: str | Path,
    *,
    device: str | None = None,
    **options,
) -> dict:
    """Train every model with every seed and record all of it in a JSON file.

    The file is written after each run, and a run that it holds is not done again, so a run cut off
    goes on. ValueError if the file was recorded from other data, sources or options.
    """
    path, device = Path(path), str(find_device(device))
    check_writable(path)
    how = provenance(splits.train.interactions, device, **how_sampled(splits.train))
    record = {"provenance": how, "options": options, "runs": []}
    if path.exists():
        record = _continued(record, json.loads(path.read_text(encoding="utf8")), path)
    done = {(run["model"], run["seed"]) for run in record["runs"]}
    for seed in seeds:
        for name in models:
            if (name, seed) not in done:
                record["runs"].append(train_one(name, splits, seed=seed, device=device, **options))
                save_json(path, record)
    return record


def _continued(new: dict, old: dict, path: Path) -> dict:
    """The old record, if it was made in the same way; the date and the versions may differ."""
    for key in ("data", "split", "samples", "negatives", "sources"):
        if old["provenance"][key] != new["provenance"][key]:
            raise ValueError(
                f"{path} was recorded with another {key}: {old['provenance'][key]}, now "
                f"{new['provenance'][key]}. Move the file away to record anew."
            )
    if old["options"] != new["options"]:
        raise ValueError(f"{path} was recorded with {old['options']}, now {new['options']}")
    return old
