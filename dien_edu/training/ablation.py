"""Several models, several seeds, one split: the comparison that chapter 10 is built on."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from dien_edu.data import Splits
from dien_edu.models import ClickModel, build, count_parameters
from dien_edu.training.checkpoint import check_writable, load_json, save_json
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
    rates: Sequence[float] = (),
    device: str | None = None,
    **options,
) -> dict:
    """Train every model with every seed and record all of it in a JSON file.

    `rates`: learning rates among which validation chooses for each model, see `tune`. A bar says
    when the end is to be expected. The file is written after each run, and a run that it holds is
    not done again, so a run cut off goes on. ValueError if the file was recorded from other data,
    sources or options.
    """
    path, device = Path(path), str(find_device(device))
    check_writable(path)
    how = provenance(splits.train.interactions, device, **how_sampled(splits.train))
    if rates:
        options = options | {"rates": list(rates)}
    record = {"provenance": how, "options": options, "tuning": [], "runs": []}
    if path.exists():
        record = _continued(record, load_json(path, *record), path)
    runs = record["runs"]
    done = {(run["model"], run["seed"]) for run in runs}
    plan = [(name, seed) for seed in seeds for name in models if (name, seed) not in done]
    hidden = not options.get("progress", True)
    with tqdm(total=len(plan), unit=" run", disable=hidden) as bar:
        for place, (name, seed) in enumerate(plan):
            runs.append(_run(name, seed, splits, record, device))
            save_json(path, record)
            bar.set_postfix_str(f"to go: {forecast(runs, plan[place + 1 :]) / 60:.0f} min")
            bar.update()
    return record


def forecast(runs: list[dict], plan: list[tuple[str, int]]) -> float:
    """Seconds that the runs of the plan will take, if each takes what its model took so far."""
    took: dict[str, list[float]] = {}
    for run in runs:
        took.setdefault(run["model"], []).append(run["seconds"])
    anyone = statistics.mean(run["seconds"] for run in runs)
    return sum(statistics.mean(took.get(name, [anyone])) for name, _ in plan)


def _run(name: str, seed: int, splits: Splits, record: dict, device: str) -> dict:
    """One run of the plan; the first of a model tunes it, where rates are given."""
    options = dict(record["options"])
    rates = options.pop("rates", None)
    if not rates:
        return train_one(name, splits, seed=seed, device=device, **options)
    known = [row for row in record["tuning"] if row["model"] == name]
    if known:
        rate = max(known, key=lambda row: row["validation"]["auc"])["learning_rate"]
        options |= {"learning_rate": rate}
        run = train_one(name, splits, seed=seed, device=device, **options)
        return run | {"learning_rate": rate}
    run, rows = tune(name, splits, rates, seed=seed, device=device, **options)
    record["tuning"] += rows
    return run


def tune(name: str, splits: Splits, rates: Sequence[float], **options) -> tuple[dict, list[dict]]:
    """The run that validation AUC prefers among one a learning rate, and a row on each.

    Every model gets the same number of tries. Test scores of the others are thrown away unseen.
    """
    runs = [
        train_one(name, splits, learning_rate=rate, **options) | {"learning_rate": rate}
        for rate in rates
    ]
    kept = ("model", "seed", "learning_rate", "validation", "seconds")
    rows = [{key: run[key] for key in kept} for run in runs]
    return max(runs, key=lambda run: run["validation"]["auc"]), rows


def _continued(new: dict, old: dict, path: Path) -> dict:
    """The old record, if it was made in the same way; the date and the versions may differ."""
    for key in ("data", "split", "samples", "negatives", "sources"):
        was, now = old["provenance"].get(key), new["provenance"][key]
        if was != now:
            raise ValueError(
                f"{path} was recorded with another {key}: {was}, now {now}. Move the file away to "
                "record anew."
            )
    if old["options"] != new["options"]:
        raise ValueError(f"{path} was recorded with {old['options']}, now {new['options']}")
    return old
