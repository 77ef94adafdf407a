"""Turn one knob of the generated world at a time and see which model pulls ahead.

    python -m studies.world              the values of `studies.predictions` (about an hour)
    python -m studies.world --held-out   the values that nobody looked at, once, at the end

Each run is written as soon as it is done, and a run that the record holds is not done again.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import asdict
from functools import cache, partial
from itertools import product
from pathlib import Path

import numpy as np
from tqdm import tqdm

from dien_edu.data import Samples, Splits, ctr_samples, load
from dien_edu.models import DIN, ClickModel
from dien_edu.training import provenance
from dien_edu.training.ablation import train_one
from dien_edu.training.checkpoint import save_json
from dien_edu.training.truth import attention_precision, movement
from studies.predictions import NULL_WITHIN, PREDICTIONS, REST, ROWS, Prediction
from studies.resume import opened

RESULT = Path(__file__).parent.parent / "book/results/world-study.json"
SEEDS = (0, 1, 2, 3, 4)
RELEVANT_CLICKS = 12  # of a user, whatever the gap
USERS = 2500
FIT = {"epochs": 5, "batch_size": 128, "learning_rate": 3e-3, "progress": False}
T_95 = 2.776  # Student's t: a two-sided 95 % interval from five differences


@cache
def splits(row: str, value: float, seed: int, times: int = 1) -> Splits:
    """The samples of one setting; the seed draws users and split, the same for every model.

    `times` multiplies the number of users. Only clicks with an interest behind them are asked
    about, and a longer gap comes with more clicks, so each setting has the same number of questions
    and of relevant clicks.
    """
    knobs = REST | ROWS[row].others
    last_of = value if row == "labels" else 0
    if row != "labels":
        knobs[ROWS[row].knob] = value
    steps = last_of or round(RELEVANT_CLICKS * (1 + knobs["gap"]))
    users = times * USERS * (2 if last_of else 1)  # there is one question a user, not eleven
    world = load("interest-world", n_users=users, n_steps=steps, seed=seed, **knobs)
    parts = ctr_samples(world, max_history=steps, seed=seed)
    return Splits(*(_asked(part, last_of) for part in parts))


def _asked(part: Samples, last_of: int) -> Samples:
    data = part.interactions
    asked = data.truth["relevant"][part.event]
    if last_of:
        asked &= np.isin(part.event + 1, data.user_start)
    return part.subset(np.flatnonzero(asked))


def fit_options(value: float, row: str) -> dict:
    """The same for every model of a setting; few labels make short epochs, so there are more."""
    if row == "labels" and value:
        return FIT | {"epochs": 12, "patience": 12, "batch_size": 64}
    return FIT


def measures(model: ClickModel, test: Samples) -> dict:
    """What the truth says of attention and movement, for models that have them."""
    found = {}
    if hasattr(model, "attention") and not isinstance(model, DIN):  # its scores are no shares
        found["attention"] = attention_precision(model, test)
    if hasattr(model, "evolution"):
        found["movement"] = movement(model, test)
    return found


def run(row: str, value: float, model: str, seed: int) -> dict:
    """Train one model in one setting; of its curve only the epochs' validation AUC is kept."""
    parts = splits(row, value, seed)
    also = partial(measures, test=parts.test) if row in ("interleaving", "gap") and value else None
    made = train_one(model, parts, seed=seed, device="cpu", also=also, **fit_options(value, row))
    kept = ("test", "validation", "parameters", "cpu_seconds", "attention", "movement")
    curve = [round(epoch["auc"], 5) for epoch in made["epochs"]]
    setting = {"row": row, "value": value, "model": model, "seed": seed}
    return setting | {key: made[key] for key in kept if key in made} | {"curve": curve}


def wanted(held_out: bool) -> list[tuple[str, float, str, int]]:
    """Every run: seeds outermost, so that a record cut off has all settings."""
    return [
        (name, value, model, seed)
        for seed, (name, row) in product(SEEDS, ROWS.items())
        for value in ((row.held_out,) if held_out else row.values)
        for model in row.models
    ]


def record(held_out: bool = False, path: Path = RESULT) -> None:
    """Do the runs that the file does not hold, writing it after each."""
    content = opened(path, {"provenance": _provenance(), "runs": []})
    keys = ("row", "value", "model", "seed")
    done = {tuple(one[key] for key in keys) for one in content["runs"]}
    for setting in tqdm([s for s in wanted(held_out) if s not in done], unit="run"):
        content["runs"].append(run(*setting))
        save_json(path, content)


def _provenance() -> dict:
    parts = splits("order", 1.0, SEEDS[0])
    how = {
        "split": "by user, 80/10/10, users and split drawn anew by each seed",
        "samples": f"{USERS} users, {RELEVANT_CLICKS} relevant clicks each, relevant targets only",
        "negatives": "shown at the same step and not clicked",
        "seeds": list(SEEDS),
        "options": {key: value for key, value in FIT.items() if key != "progress"},
        "rest": REST,
    }
    return provenance(parts.train.interactions, "cpu", **how)


def gaps(runs: list[dict], row: str, value: float, ahead: str, behind: str) -> list[float]:
    """The lead in test AUC of one model over another, seed by seed."""
    score = {
        (one["model"], one["seed"]): one["test"]["auc"]
        for one in runs
        if (one["row"], one["value"]) == (row, value)
    }
    return [score[ahead, seed] - score[behind, seed] for seed in SEEDS]


def interval(values: list[float]) -> tuple[float, float, float]:
    """Mean, and the ends of its 95 % interval (Student's t, five seeds)."""
    half = T_95 * statistics.stdev(values) / len(values) ** 0.5
    mean = statistics.mean(values)
    return mean, mean - half, mean + half


def verdict(runs: list[dict], p: Prediction) -> dict:
    """What came of a prediction: the lead where it was expected, and where it had to vanish.

    Leads are [mean, low, high]; `held_out` is None until those runs are done.
    """
    lead = interval(gaps(runs, p.row, p.at, p.ahead, p.behind))
    nulls = [[v, *interval(gaps(runs, p.row, v, p.ahead, p.behind))] for v in p.null]
    value = ROWS[p.row].held_out
    try:
        held_out = interval(gaps(runs, p.row, value, p.ahead, p.behind))
    except KeyError:
        held_out = None
    found = {"lead": lead, "nulls": nulls, "held_out_value": value, "held_out": held_out}
    return found | {"verdict": _word(lead, p.least), "null_verdict": _null_word(nulls)}


def _word(lead: tuple[float, float, float], least: float) -> str:
    middle, low, high = lead
    if high < 0:
        return "failed: reversed"
    if low <= 0:
        return "failed: not seen"
    return "held" if middle >= least else "held in sign, smaller than predicted"


def _null_word(nulls: list[list[float]]) -> str:
    """Null: the mean lead is within NULL_WITHIN, or its interval includes 0."""
    fine = (abs(mean) <= NULL_WITHIN or low <= 0 <= high for _, mean, low, high in nulls)
    return "held" if all(fine) else "failed"


def conclude(path: Path = RESULT) -> None:
    """Write into the record each prediction with what came of it."""
    content = json.loads(path.read_text(encoding="utf8"))
    content["rows"] = {name: asdict(row) for name, row in ROWS.items()}
    content["predictions"] = [asdict(p) | verdict(content["runs"], p) for p in PREDICTIONS]
    save_json(path, content)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--held-out", action="store_true", help="the values nobody looked at")
    record(options.parse_args().held_out)
    conclude()
