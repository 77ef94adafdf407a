"""AIGRU, AGRU and AUGRU on the generated world, trained once for chapters 06-08.

python -m studies.evolutions trains what is missing, measures, and writes the record.

What we expect, written down before anything was trained:

1. test AUC in the usual world: AUGRU ahead of AGRU ahead of AIGRU, by little; the same order with
   and without the auxiliary loss;
2. movement: the state moves less on irrelevant clicks than on relevant ones in all three; the ratio
   is closest to 1 for AIGRU, and AUGRU's is not above AGRU's;
3. with 50 clicks of score 0 appended AIGRU's AUC falls; AGRU's and AUGRU's stay to the last digit;

What a knob of the world does to the three is asked in `studies.world`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from dien_edu.data import Splits, ctr_samples, load
from dien_edu.models import DIEN
from dien_edu.training import fit

ROOT = Path(__file__).parent.parent
PARTS = ROOT / "_build" / "evolutions"  # trained models; a run that was cut off goes on
USERS = 2500
EVOLUTIONS = ("aigru", "agru", "augru")
FIT = {"epochs": 8, "patience": 8, "batch_size": 256, "learning_rate": 3e-3, "device": "cpu"}


def trained(splits: Splits, auxiliary: str | None, evolution: str, seed: int) -> DIEN:
    """The model of this row of the record, trained now or read from its checkpoint."""
    data = splits.train.interactions
    torch.manual_seed(seed)
    model = DIEN(data.n_items, data.n_categories, evolution, auxiliary)
    path = PARTS / f"{auxiliary}-{evolution}-{seed}.pt"
    rest = {"seed": seed, "checkpoint": path, "resume": True, "progress": False}
    fit(model, splits.train, splits.validation, **FIT, **rest)
    return model


def main() -> None:
    """Train a part of the table, or all of it."""
    parser = argparse.ArgumentParser(prog="python -m studies.evolutions")
    parser.add_argument("--auxiliary", nargs="+", default=["none", "inner"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    options = parser.parse_args()
    splits = ctr_samples(load("interest-world", n_users=USERS))
    for auxiliary in options.auxiliary:
        for seed in options.seeds:
            for evolution in EVOLUTIONS:
                kind = None if auxiliary == "none" else auxiliary
                trained(splits, kind, evolution, seed)


if __name__ == "__main__":
    main()
