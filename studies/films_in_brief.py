"""The short run of chapter 09, repeated: four models and two controls on 300 people's films.

python -m studies.films_in_brief. Each run takes a few seconds of one core, so a reader can repeat
all of it; everyone's films are in movielens-100k.json. A run that was cut off goes on.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from dien_edu.data import Interactions, ctr_samples, load
from dien_edu.data.controls import SESSION, TIES, shuffle_within
from dien_edu.training import provenance, train_one
from dien_edu.training.checkpoint import check_writable, save_json
from dien_edu.training.record import how_sampled
from studies.resume import opened

RECORD = Path(__file__).parent.parent / "book" / "results" / "films-in-brief.json"
PEOPLE, STEPS = 300, 20
OPTIONS = {"epochs": 4, "learning_rate": 3e-3}
ORDERS = {"as rated": None, "ties shuffled": TIES, "sessions shuffled": SESSION}
MODELS = {
    "as rated": ("base", "din", "augru", "dien"),
    "ties shuffled": ("din", "dien"),
    "sessions shuffled": ("din", "dien"),
}


def first_people(data: Interactions, n: int) -> Interactions:
    """The first `n` users alone; items keep their numbers."""
    start = data.user_start[: n + 1]
    return replace(data, user_start=start, item=data.item[: start[-1]], time=data.time[: start[-1]])


def in_order(data: Interactions, order: str, seed: int) -> Interactions:
    """The data with their ties or sessions shuffled anew for each seed, or as they are."""
    seconds = ORDERS[order]
    return data if seconds is None else shuffle_within(data, seconds, seed=seed)


def record(data: Interactions, seeds: list[int], path: Path, **options) -> dict:
    """All runs that the file lacks, written after each. ValueError for other data or sources."""
    made = {
        "provenance": {
            "command": "python -m studies.films_in_brief",
            **provenance(data, "cpu", **how_sampled(ctr_samples(data, max_history=STEPS).train)),
        },
        "options": OPTIONS,
        "runs": [],
    }
    made = opened(path, made)
    done = {(run["order"], run["model"], run["seed"]) for run in made["runs"]}
    for seed in seeds:
        for order, models in MODELS.items():
            splits = ctr_samples(in_order(data, order, seed), max_history=STEPS)
            for name in models:
                if (order, name, seed) not in done:
                    run = train_one(name, splits, seed=seed, device="cpu", **{**OPTIONS, **options})
                    made["runs"].append({"order": order, **run})
                    save_json(path, made)
    return made


def main(arguments: list[str] | None = None, path: Path = RECORD) -> None:
    """Train what is missing and print the mean test AUCs."""
    parser = argparse.ArgumentParser(prog="python -m studies.films_in_brief")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options = parser.parse_args(arguments)
    check_writable(path)
    data = first_people(load("movielens-100k"), PEOPLE)
    runs = record(data, options.seeds, path, progress=False)["runs"]
    for order, models in MODELS.items():
        for name in models:
            found = [r["test"]["auc"] for r in runs if (r["order"], r["model"]) == (order, name)]
            print(f"{order:18} {name:6} {np.mean(found):.4f}  {np.round(found, 4).tolist()}")


if __name__ == "__main__":
    main()
