"""The same models under two samplers, and how far their probabilities can be believed.

python -m studies.movielens_samplers. Trains on MovieLens-100K with non-clicks drawn by popularity
or uniformly, and scores each trained model on the test users under BOTH rules. A run that was cut
off goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from dien_edu.data import Interactions, Samples, ctr_samples, load
from dien_edu.models import MODELS, build
from dien_edu.training import auc, evaluate, fit, predict, provenance
from dien_edu.training.checkpoint import check_writable, save_json
from dien_edu.training.record import how_sampled
from studies.resume import opened

RECORD = Path(__file__).parent.parent / "book" / "results" / "movielens-samplers.json"
OPTIONS = {"epochs": 10, "batch_size": 256, "learning_rate": 1e-3}  # as in movielens-100k.json
SAMPLERS = ("popularity", "uniform")
SEEDS = (0, 1)
BINS = 10


def popularity_alone(data: Interactions, test: Samples) -> float:
    """Test AUC of a "model" that knows nothing but the counts, taken over training users."""
    others = ~np.isin(data.user, np.unique(test.user))
    count = np.bincount(data.item[others], minlength=data.n_items + 1)
    return auc(test.label, count[test.target])


def reliability(label: np.ndarray, logit: np.ndarray) -> list[dict]:
    """For each of ten bins of equal width: samples, mean predicted probability, share of clicks."""
    probability = 1 / (1 + np.exp(-logit.astype(np.float64)))
    place = np.minimum((probability * BINS).astype(int), BINS - 1)
    rows = []
    for number in range(BINS):
        here = place == number
        row = {"samples": int(here.sum())}
        if here.any():
            row["predicted"] = float(probability[here].mean())
            row["clicked"] = float(label[here].mean())
        rows.append(row)
    return rows


def train_and_score(data: Interactions, model_name: str, sampler: str, seed: int, **options):
    """One model, trained under one rule, scored once under each rule by the chosen epoch."""
    splits = {rule: ctr_samples(data, sampler=rule) for rule in SAMPLERS}
    torch.manual_seed(seed)
    model = build(model_name, data.n_items, data.n_categories)
    train, validation, test = splits[sampler]
    rows = fit(model, train, validation, seed=seed, device="cpu", **options)
    _, label, logit = predict(model, test)
    return {
        "model": model_name,
        "sampler": sampler,
        "seed": seed,
        "test": {rule: evaluate(model, splits[rule].test) for rule in SAMPLERS},
        "validation": {rule: evaluate(model, splits[rule].validation) for rule in SAMPLERS},
        "reliability": reliability(label, logit),
        "epochs": rows,
    }


def record(
    data: Interactions, seeds: dict[str, tuple], path: Path, trained_under=SAMPLERS, **options
) -> dict:
    """All runs that the file lacks; it is written after each."""
    options = {**OPTIONS, **options}
    tests = {rule: ctr_samples(data, sampler=rule) for rule in SAMPLERS}
    made = {
        "provenance": {
            "command": "python -m studies.movielens_samplers",
            **provenance(data, "cpu", **how_sampled(tests["popularity"].train)),
            "negatives": list(SAMPLERS),
        },
        "options": OPTIONS,
        "popularity_alone": {
            rule: popularity_alone(data, splits.test) for rule, splits in tests.items()
        },
        "runs": [],
    }
    made = opened(path, made)
    done = {(run["model"], run["sampler"], run["seed"]) for run in made["runs"]}
    for model_name, its_seeds in seeds.items():
        for seed in its_seeds:
            for sampler in trained_under:
                if (model_name, sampler, seed) not in done:
                    run = train_and_score(data, model_name, sampler, seed, **options)
                    made["runs"].append(run)
                    save_json(path, made)
    return made


def main(arguments: list[str] | None = None, path: Path = RECORD) -> None:
    """Train what is missing and print the test AUCs."""
    parser = argparse.ArgumentParser(prog="python -m studies.movielens_samplers")
    parser.add_argument("--models", nargs="+", default=["base"], choices=MODELS)
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--samplers", nargs="+", default=SAMPLERS, choices=SAMPLERS)
    options = parser.parse_args(arguments)
    check_writable(path)
    seeds = dict.fromkeys(options.models, options.seeds)
    data = load("movielens-100k")
    for run in record(data, seeds, path, options.samplers, progress=False)["runs"]:
        scores = {rule: round(score["auc"], 4) for rule, score in run["test"].items()}
        print(f"{run['model']:5} trained with {run['sampler']:10} seed {run['seed']}  {scores}")


if __name__ == "__main__":
    main()
