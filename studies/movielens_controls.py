"""How much of MovieLens' order is real? Ties shuffled, sessions shuffled, beside the plain data.

python -m studies.movielens_controls --seeds 0 1 2. Each model is trained as it was for
movielens-100k.json, whose runs stand beside these. A run that was cut off goes on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from dien_edu.data import Interactions, ctr_samples, load
from dien_edu.data.controls import SESSION, TIES, runs_of_clicks, shuffle_within
from dien_edu.training import provenance, train_one
from dien_edu.training.checkpoint import save_json
from dien_edu.training.record import how_sampled
from studies.resume import opened

RESULTS = Path(__file__).parent.parent / "book" / "results"
RECORD, PLAIN = RESULTS / "movielens-controls.json", RESULTS / "movielens-100k.json"
MODELS = ["din", "augru", "dien"]
SECONDS = {"ties shuffled": TIES, "sessions shuffled": SESSION}


def controlled(data: Interactions, name: str) -> Interactions:
    """The data of one control; each is shuffled once, with seed 0, for all seeds of training."""
    return shuffle_within(data, SECONDS[name], seed=0)


def describe(data: Interactions, name: str) -> dict:
    """What is shuffled: how long the runs are, and how many clicks stand in one of two or more."""
    sizes = np.bincount(runs_of_clicks(data, SECONDS[name]))
    shuffled = controlled(data, name)
    return {
        "seconds": SECONDS[name],
        "shuffle_seed": 0,
        "runs": len(sizes),
        "clicks_in_a_median_run": float(np.median(sizes)),
        "share_of_clicks_in_runs_of_two_or_more": sizes[sizes > 1].sum() / sizes.sum(),
        "share_of_places_with_another_item": np.mean(shuffled.item != data.item),
        "data": {"name": data.name, **shuffled.fingerprint()},
    }


def options_of(plain: dict) -> dict[str, dict]:
    """How each model was trained on the plain data, its tuned learning rate included."""
    shared = {key: value for key, value in plain["options"].items() if key != "rates"}
    rates = {run["model"]: run["learning_rate"] for run in plain["runs"]}
    return {name: shared | {"learning_rate": rates[name]} for name in MODELS}


def record(data: Interactions, plain: dict, seeds: list[int], names: list[str], path: Path) -> dict:
    """All runs that the file lacks, written after each. ValueError for other data or sources."""
    how = provenance(data, "cpu", **how_sampled(ctr_samples(data).train))
    made = {
        "provenance": {"command": "python -m studies.movielens_controls", **how},
        "options": options_of(plain),
        "controls": {name: describe(data, name) for name in SECONDS},
        "runs": [],
    }
    made = opened(path, made)
    done = {(run["control"], run["model"], run["seed"]) for run in made["runs"]}
    for seed in seeds:
        for control in names:
            splits = ctr_samples(controlled(data, control))
            for name, options in made["options"].items():
                if (control, name, seed) not in done:
                    run = train_one(name, splits, seed=seed, device="cpu", **options)
                    made["runs"].append({"control": control, **run})
                    save_json(path, made)
    return made


def main(arguments: list[str] | None = None, path: Path = RECORD, plain: Path = PLAIN) -> None:
    """Train what is missing, print mean test AUCs."""
    parser = argparse.ArgumentParser(prog="python -m studies.movielens_controls")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--controls", nargs="+", default=list(SECONDS), choices=SECONDS)
    options = parser.parse_args(arguments)
    beside = json.loads(plain.read_text(encoding="utf8"))
    data = load("movielens-100k")
    made = record(data, beside, options.seeds, options.controls, path)
    runs = [{"control": "plain", **run} for run in beside["runs"]] + made["runs"]
    for control in ("plain", *SECONDS):
        for model in MODELS:
            found = [r for r in runs if (r["control"], r["model"]) == (control, model)]
            if found:
                mean = np.mean([run["test"]["auc"] for run in found])
                print(f"{control:18} {model:6} {mean:.4f} ({len(found)} seeds)")


if __name__ == "__main__":
    main()
