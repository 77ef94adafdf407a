"""How much of MovieLens' order is real? Ties shuffled, sessions shuffled, beside the plain data.

python -m studies.movielens_controls --seeds 0 1 2. A run that was cut off goes on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from dien_edu.data import Interactions, ctr_samples, load
from dien_edu.data.controls import SESSION, TIES, runs_of_clicks, shuffle_within
from dien_edu.training import ablation
from dien_edu.training.checkpoint import save_json

ROOT = Path(__file__).parent.parent
RECORD = ROOT / "book" / "results" / "movielens-controls.json"
PARTS = ROOT / "_build" / "movielens-controls"  # a record each, from which a cut-off run goes on
MODELS = ["din", "augru", "dien"]
OPTIONS = {"epochs": 10, "batch_size": 256, "learning_rate": 1e-3}  # as in movielens-100k.json
SECONDS = {"plain": None, "ties shuffled": TIES, "sessions shuffled": SESSION}


def controlled(data: Interactions, name: str) -> Interactions:
    """The data of one control; each is shuffled once, with seed 0, for all seeds of training."""
    seconds = SECONDS[name]
    return data if seconds is None else shuffle_within(data, seconds, seed=0)


def describe(data: Interactions, name: str) -> dict:
    """What is shuffled: how long the runs are, and how many clicks stand in one of two or more."""
    seconds = SECONDS[name]
    if seconds is None:
        return {"seconds": None}
    sizes = np.bincount(runs_of_clicks(data, seconds))
    return {
        "seconds": seconds,
        "shuffle_seed": 0,
        "runs": len(sizes),
        "clicks_in_a_median_run": float(np.median(sizes)),
        "share_of_clicks_in_runs_of_two_or_more": sizes[sizes > 1].sum() / sizes.sum(),
        "share_of_places_with_another_item": np.mean(controlled(data, name).item != data.item),
    }


def train(data: Interactions, name: str, models: list[str], seed: int, parts: Path) -> None:
    """Train the models on one control, into a record of its own."""
    splits = ctr_samples(controlled(data, name))
    ablation(splits, models, [seed], parts / f"{name}.json", device="cpu", **OPTIONS)


def merge(data: Interactions, parts: Path) -> dict:
    """One record of all controls there are: how they were made, and every run."""
    found = {n: parts / f"{n}.json" for n in SECONDS if (parts / f"{n}.json").exists()}
    found = {name: json.loads(path.read_text(encoding="utf8")) for name, path in found.items()}
    first = next(iter(found.values()))
    made = {**first["provenance"], "data": {"name": data.name, **data.fingerprint()}}
    controls = {
        name: {**describe(data, name), "data": one["provenance"]["data"]}
        for name, one in found.items()
    }
    runs = [{"control": name, **run} for name, one in found.items() for run in one["runs"]]
    return {
        "provenance": {"command": "python -m studies.movielens_controls", **made},
        "options": first["options"],
        "controls": controls,
        "runs": sorted(runs, key=lambda run: run["seed"]),
    }


def main(arguments: list[str] | None = None, path: Path = RECORD, parts: Path = PARTS) -> None:
    """Train what is missing, write the record after each control, print mean test AUCs."""
    parser = argparse.ArgumentParser(prog="python -m studies.movielens_controls")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--controls", nargs="+", default=list(SECONDS), choices=SECONDS)
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    options = parser.parse_args(arguments)
    data = load("movielens-100k")
    for seed in options.seeds:
        for name in options.controls:
            train(data, name, options.models, seed, parts)
            save_json(path, merge(data, parts))
    record = merge(data, parts)
    for name in record["controls"]:
        for model in MODELS:
            runs = [r for r in record["runs"] if (r["control"], r["model"]) == (name, model)]
            if runs:
                mean = np.mean([run["test"]["auc"] for run in runs])
                print(f"{name:18} {model:6} {mean:.4f} ({len(runs)} seeds)")


if __name__ == "__main__":
    main()
