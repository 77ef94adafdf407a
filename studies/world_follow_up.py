"""Why some predictions failed: one experiment for each explanation that we offer.

    python -m studies.world_follow_up   (after `python -m studies.world`; about twenty minutes)

What is found is added to the same record, under "follow_ups".
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from tqdm import tqdm

from dien_edu.layers import AGRU, AUGRU
from dien_edu.models import ClickModel, build
from dien_edu.training import evaluate, fit
from dien_edu.training.checkpoint import check_writable, save_json
from studies.world import RESULT, fit_options, splits

SEEDS = (0, 1, 2)  # fewer than the study's: these runs are long


@dataclass(frozen=True)
class FollowUp:
    """One setting of the study with one thing changed; `expect` was written before it ran."""

    row: str
    value: float
    models: tuple[str, ...]
    expect: str
    users: int = 1  # times as many
    options: dict = field(default_factory=dict)
    change: Callable[[ClickModel], None] = lambda model: None


class AGRUWithoutReset(AGRU):
    """AGRU whose candidate does not see the state: r = 0 in equation (4)."""

    def gates(self, projected, state):
        return _blind(projected, super().gates(projected, state))


class AUGRUWithoutReset(AUGRU):
    """AUGRU whose candidate does not see the state: r = 0 in equation (4)."""

    def gates(self, projected, state):
        return _blind(projected, super().gates(projected, state))


def _blind(projected, gates):
    update_gate, reset_gate, _ = gates
    return update_gate, torch.zeros_like(reset_gate), torch.tanh(projected.chunk(3, dim=-1)[2])


def without_reset(model: ClickModel) -> None:
    """Exchange the evolution for one without a reset gate, with the same first weights."""
    old = model.evolution
    kind = {AGRU: AGRUWithoutReset, AUGRU: AUGRUWithoutReset}[type(old)]
    model.evolution = kind(old.input_size, old.hidden_size)
    model.evolution.load_state_dict(old.state_dict())


FOLLOW_UPS = {
    "four times the users": FollowUp(
        "order", 0.8, ("din", "gru-attention", "augru"), users=4,
        expect="Reading the order takes more data than the study gave: with four times the users "
        "GRU attention and AUGRU lead DIN.",
    ),
    "no reset gate": FollowUp(
        "slow", 0.5, ("agru", "augru"), change=without_reset,
        expect="AGRU keeps the slow trait through its candidate, which sees the state: where it "
        "cannot, AUGRU leads.",
    ),
    "three times the epochs": FollowUp(
        "gap", 2.0, ("gru-attention", "aigru", "augru"), options={"epochs": 15},
        expect="Five epochs end while AUGRU still rises, on some seeds more than on others: with "
        "15 it leads GRU attention and AIGRU.",
    ),
    "five times the epochs": FollowUp(
        "labels", 16, ("augru", "dien"), options={"epochs": 60, "patience": 60},
        expect="With one label a user both were stopped before they had learned anything: with "
        "five times the epochs the auxiliary loss is worth 0.03 or more.",
    ),
}  # fmt: skip


def run(follow_up: FollowUp, name: str, seed: int) -> dict:
    """Train and score one model, as the study does but for the one change."""
    parts = splits(follow_up.row, follow_up.value, seed, follow_up.users)
    data = parts.train.interactions
    torch.manual_seed(seed)
    model = build(name, data.n_items, data.n_categories)
    follow_up.change(model)
    options = fit_options(follow_up.value, follow_up.row) | follow_up.options
    rows = fit(model, parts.train, parts.validation, seed=seed, device="cpu", **options)
    curve = [round(row["auc"], 5) for row in rows]
    return {"model": name, "seed": seed, "test": evaluate(model, parts.test), "curve": curve}


def record() -> None:
    """Do the runs that the record does not hold, writing it after each."""
    check_writable(RESULT)
    content = json.loads(RESULT.read_text(encoding="utf8"))
    found = content.setdefault("follow_ups", {})
    wanted = [(k, f, m, s) for s in SEEDS for k, f in FOLLOW_UPS.items() for m in f.models]
    for key, follow_up, name, seed in tqdm(wanted, unit="run"):
        about = {"row": follow_up.row, "value": follow_up.value, "expect": follow_up.expect}
        runs = found.setdefault(key, about | {"runs": []})["runs"]
        if not any((old["model"], old["seed"]) == (name, seed) for old in runs):
            runs.append(run(follow_up, name, seed))
            save_json(RESULT, content)


if __name__ == "__main__":
    record()
