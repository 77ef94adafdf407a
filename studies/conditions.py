"""Why do the steps of the ablation differ between data sets? One condition changed at a time.

python -m studies.conditions. The base is the short run of chapter 09: 300 people's films. EXPECTED
was written down before any of these runs. A run that was cut off goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from dien_edu.data import Interactions, Splits, ctr_samples, load
from dien_edu.training import provenance, train_one
from dien_edu.training.checkpoint import save_json
from dien_edu.training.record import how_sampled
from studies.films_in_brief import OPTIONS, PEOPLE, STEPS, first_people, in_order
from studies.resume import opened

RECORD = Path(__file__).parent.parent / "book" / "results" / "conditions.json"
MODELS = ("base", "din", "augru", "dien")
SEEDS = (0, 1, 2, 3, 4)
BASE = {"people": PEOPLE, "steps": STEPS, "sampler": "popularity", "order": "as rated"}
CHANGES = {
    "as it is": {},
    "100 people": {"people": 100},
    "all people": {"people": 943},
    "last 5 clicks": {"steps": 5},
    "last 100 clicks": {"steps": 100},
    "uniform non-clicks": {"sampler": "uniform"},
    "ties shuffled": {"order": "ties shuffled"},
    "sessions shuffled": {"order": "sessions shuffled"},
}
# (condition, model, model behind it, what becomes of its lead in test AUC against "as it is")
EXPECTED = [
    ("100 people", "dien", "augru", "grows", "where labels are few, supervising each step pays"),
    ("all people", "dien", "augru", "shrinks", "the paper's step is small on its largest data"),
    ("last 5 clicks", "augru", "base", "shrinks", "there is less order to use"),
    ("last 100 clicks", "augru", "base", "grows", "a sum blurs what is long"),
    ("uniform non-clicks", "dien", "base", "shrinks", "popularity answers most questions"),
    ("ties shuffled", "augru", "base", "stays", "the order within a tie is arbitrary"),
    ("sessions shuffled", "augru", "base", "shrinks", "the order of a session is gone"),
]


def samples(films: Interactions, change: dict, seed: int) -> Splits:
    """The samples of one condition; an order is shuffled anew for each seed."""
    how = BASE | change
    data = in_order(first_people(films, how["people"]), how["order"], seed)
    return ctr_samples(data, max_history=how["steps"], sampler=how["sampler"])


def record(films: Interactions, seeds: list[int], path: Path, **options) -> dict:
    """All runs that the file lacks, written after each. ValueError for other data or sources."""
    base = how_sampled(samples(films, {}, 0).train)
    how = {"command": "python -m studies.conditions", **provenance(films, "cpu", **base)}
    made = {"provenance": how, "options": OPTIONS, "base": BASE, "changes": CHANGES, "runs": []}
    made = opened(path, made | {"expected": [list(one) for one in EXPECTED]})
    done = {(run["condition"], run["model"], run["seed"]) for run in made["runs"]}
    for seed in seeds:
        for condition, change in CHANGES.items():
            splits = samples(films, change, seed)
            for name in MODELS:
                if (condition, name, seed) not in done:
                    run = train_one(name, splits, seed=seed, device="cpu", **{**OPTIONS, **options})
                    made["runs"].append({"condition": condition, **run})
                    save_json(path, made)
    return made


def leads(runs: list[dict], condition: str, ahead: str, behind: str) -> list[float]:
    """The lead in test AUC of one model over another, seed by seed."""
    auc = {
        (run["model"], run["seed"]): run["test"]["auc"]
        for run in runs
        if run["condition"] == condition
    }
    return [auc[ahead, seed] - auc[behind, seed] for name, seed in auc if name == ahead]


def main(arguments: list[str] | None = None, path: Path = RECORD) -> None:
    """Train what is missing; print each expectation beside what came of it."""
    parser = argparse.ArgumentParser(prog="python -m studies.conditions")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    options = parser.parse_args(arguments)
    runs = record(load("movielens-100k"), options.seeds, path, progress=False)["runs"]
    for condition, ahead, behind, expected, _ in EXPECTED:
        found = [np.round(leads(runs, c, ahead, behind), 4) for c in ("as it is", condition)]
        print(
            f"{condition:18} {ahead}-{behind} {expected}: {found[0].tolist()} {found[1].tolist()}"
        )


if __name__ == "__main__":
    main()
