"""AIGRU, AGRU and AUGRU on the generated world and on films, trained once for chapters 06-08.

python -m studies.evolutions trains what is missing, measures, and writes the record.

`EXPECTED` was written before any of the models was measured. What a knob of the world does to the
three is asked in `studies.world`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dien_edu.data import Batch, Samples, Splits, ctr_samples, load
from dien_edu.layers import BilinearAttention
from dien_edu.models import DIEN
from dien_edu.training import auc, evaluate, fit, load_checkpoint, provenance
from dien_edu.training.checkpoint import save_json
from dien_edu.training.record import how_sampled
from dien_edu.training.truth import attention_precision, movement, probe

ROOT = Path(__file__).parent.parent
RECORD = ROOT / "book" / "results" / "evolutions.json"
PARTS = ROOT / "_build" / "evolutions"  # trained models; a run that was cut off goes on
USERS = 2500
EVOLUTIONS = ("aigru", "agru", "augru", "augru-peak")
EXPECTED = [
    "test AUC: AUGRU ahead of AGRU ahead of AIGRU, by little, with and without auxiliary loss",
    "the state moves less on irrelevant clicks than on relevant ones in all three",
    "the ratio of the two is closest to 1 for AIGRU, and AUGRU's is not above AGRU's",
    "with 50 clicks of score 0 appended AIGRU's AUC falls, AGRU's and AUGRU's stay as they are",
    "AUGRU with peak attention is ahead of AUGRU: relevant clicks need not share one budget",
    "films: the movement grows with the score in all three, least steeply in AIGRU",
]
FIT = {"epochs": 8, "patience": 8, "batch_size": 256, "learning_rate": 3e-3, "device": "cpu"}
FILMS = {"people": 250, "epochs": 3, "max_history": 20, "seeds": (0, 1)}  # otherwise as FIT
ZEROS = (0, 1, 2, 5, 10, 20, 50)  # clicks of score 0 that are appended to a history
BINS = 10


class PeakAttention(BilinearAttention):
    """Equation (8), divided by its largest score: several relevant clicks can each have 1."""

    def forward(self, interests: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        scores = super().forward(interests, target, mask)
        return scores / scores.amax(dim=1, keepdim=True).clamp_min(1e-12)


def checkpoint(data: str, auxiliary: str | None, evolution: str, seed: int) -> Path:
    """Where the trained model of a row is kept."""
    return PARTS / f"{data}-{auxiliary}-{evolution}-{seed}.pt"


def trained(
    splits: Splits, auxiliary: str | None, evolution: str, seed: int, epochs: int | None = None
) -> DIEN:
    """The model of this row of the record, trained now or read from its checkpoint."""
    data = splits.train.interactions
    torch.manual_seed(seed)
    model = DIEN(data.n_items, data.n_categories, evolution.removesuffix("-peak"), auxiliary)
    if evolution.endswith("-peak"):
        softmax = model.attention.state_dict()  # the same first weights
        model.attention = PeakAttention(model.attention.hidden_size, model.attention.target_size)
        model.attention.load_state_dict(softmax)
    path = checkpoint(data.name, auxiliary, evolution, seed)
    rest = {"seed": seed, "checkpoint": path, "resume": True, "progress": False}
    fit(model, splits.train, splits.validation, **FIT | {"epochs": epochs or FIT["epochs"]}, **rest)
    return model.eval()


@torch.no_grad()
def after_zeros(model: DIEN, batch: Batch, zeros: int) -> tuple[Tensor, Tensor]:
    """Logit (B,) and last state (B, n_H) when `zeros` clicks of score 0 follow the history."""
    history, target = model.embed(batch)
    interests, _ = model.extractor(history, batch.mask)
    attention = model.attention(interests, target, batch.mask)
    _, last = model.evolution(interests, attention, batch.mask)
    if zeros:
        scores = attention.new_zeros(len(batch), zeros)
        nothing = interests.new_zeros(len(batch), zeros, interests.shape[2])
        _, last = model.evolution(nothing, scores, torch.ones_like(scores, dtype=bool), last)
    total = (history * batch.mask[..., None]).sum(dim=1)
    features = torch.cat([target, total, target * total, last], dim=1)
    return model.head(features).squeeze(1), last


def erased(model: DIEN, samples: Samples) -> list[dict[str, float]]:
    """For each length of `ZEROS`: the AUC, and what is left of the states.

    moved   ‖h' − h'_T‖ / ‖h'_T‖, mean over samples
    apart   how far the states of different samples are apart, as a share of how far they were
    """
    batches = list(samples.batches(1024, negatives=False))
    label = torch.cat([batch.label for batch in batches]).numpy()
    rows, start = [], None
    for zeros in ZEROS:
        logit, state = zip(*(after_zeros(model, batch, zeros) for batch in batches), strict=True)
        state = torch.cat(state)
        start = state if start is None else start
        spread = (state - state.mean(0)).pow(2).sum(1).mean().sqrt()
        first = (start - start.mean(0)).pow(2).sum(1).mean().sqrt()
        rows.append({
            "zeros": zeros,
            "auc": auc(label, torch.cat(logit).numpy()),
            "moved": ((state - start).norm(dim=1) / start.norm(dim=1)).mean().item(),
            "apart": (spread / first).item(),
        })  # fmt: skip
    return rows


def traced(model: DIEN, samples: Samples) -> dict[str, Tensor]:
    """Per valid step but the first: score · T (1 is uniform attention), movement; per sample:
    ū = Σ a_t u_t and the share written, 1 − Π (1 − step size), means over the state's entries."""
    found = {"attention": [], "moved": [], "mean_gate": [], "written": []}
    for batch in samples.batches(1024, negatives=False):
        trace = model.trace(batch)
        size = trace.step_size * batch.mask[..., None]
        found["mean_gate"].append(size.sum(1).mean(1))
        found["written"].append(1 - (1 - size).prod(1).mean(1))
        later = batch.mask[:, 1:]
        moved = (trace.evolved[:, 1:] - trace.evolved[:, :-1]).norm(dim=-1)
        relative = trace.attention * batch.history_length[:, None]
        found["attention"].append(relative[:, 1:][later])
        found["moved"].append(moved[later])
    return {key: torch.cat(values) for key, values in found.items()}


def by_attention(found: dict[str, Tensor]) -> list[dict[str, float]]:
    """Mean score · T and mean movement in ten equally full groups of steps, by score · T."""
    order = found["attention"].argsort()
    parts = (found[key][order].chunk(BINS) for key in ("attention", "moved"))
    return [
        {"attention": a.mean().item(), "moved": m.mean().item()}
        for a, m in zip(*parts, strict=True)
    ]


def last_states(model: DIEN, samples: Samples) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """h'_T of each sample whose target's interest the user has and has clicked before; the truth.

    The truth is the stage and the preferred tier of that interest at the moment of the question.
    """
    truth = samples.interactions.truth
    kinds = truth["traits"][:, 0]
    state, label, asked = [], {"stage": [], "tier": []}, samples.order(1024, None)
    batches = samples.batches(1024, negatives=False)
    for rows, batch in zip(asked, batches, strict=True):
        event = samples.event[rows]
        same = kinds[batch.history_item.numpy()] == truth["interest"][event][:, None]
        keep = truth["relevant"][event] & (same & batch.mask.numpy()).any(1)
        state.append(after_zeros(model, batch, 0)[1].numpy()[keep])
        for key, values in label.items():
            values.append(truth[key][event][keep])
    return np.concatenate(state), {key: np.concatenate(values) for key, values in label.items()}


def measured(model: DIEN, splits: Splits) -> dict:
    """What can be measured anywhere; all of it on test users."""
    found = traced(model, splits.test)
    return {
        "test": evaluate(model, splits.test),
        "validation": evaluate(model, splits.validation),
        "by_attention": by_attention(found),
        "mean_gate": found["mean_gate"].mean().item(),
        "written": found["written"].mean().item(),
        "zeros": erased(model, splits.test),
    }


def held_against_truth(model: DIEN, splits: Splits) -> dict:
    """What only the generated world can tell; all of it on test users."""
    (state, label), (test_state, truth) = (
        last_states(model, part) for part in (splits.validation, splits.test)
    )
    return {
        "attention": attention_precision(model, splits.test),
        "movement": movement(model, splits.test),
        "probe": {key: probe(state, label[key], test_state, truth[key]) for key in label},
    }


def film_runs() -> dict:
    """The same on the first people of MovieLens, shorter: what needs no truth."""
    films = load("movielens-100k")
    start = films.user_start[: FILMS["people"] + 1]
    films = replace(
        films, item=films.item[: start[-1]], time=films.time[: start[-1]], user_start=start
    )
    splits = ctr_samples(films, max_history=FILMS["max_history"])
    runs = [
        {"evolution": evolution, "auxiliary": None, "seed": seed}
        | measured(trained(splits, None, evolution, seed, FILMS["epochs"]), splits)
        for seed in FILMS["seeds"]
        for evolution in EVOLUTIONS[:3]
    ]
    how = how_sampled(splits.train) | {"options": FIT | FILMS}
    return {"provenance": provenance(splits.train.interactions, "cpu", **how), "runs": runs}


def record(
    splits: Splits, auxiliaries: list[str | None], seeds: list[int], films: bool = True
) -> None:
    """Train, measure, and write the file after each seed."""
    how = {
        "command": "python -m studies.evolutions",
        **how_sampled(splits.train),
        "seeds": seeds,
        "options": FIT,
    }
    made = provenance(splits.train.interactions, "cpu", **how)
    content = {"provenance": made, "expected": EXPECTED, "runs": []}
    for auxiliary in auxiliaries:
        for seed in seeds:
            for evolution in EVOLUTIONS:
                model = trained(splits, auxiliary, evolution, seed)
                row = {"evolution": evolution, "auxiliary": auxiliary, "seed": seed}
                path = checkpoint(splits.train.interactions.name, auxiliary, evolution, seed)
                epochs = load_checkpoint(path)["rows"]
                row["curve"] = [round(epoch["auc"], 5) for epoch in epochs]
                row |= measured(model, splits) | held_against_truth(model, splits)
                content["runs"].append(row)
            save_json(RECORD, content)
    if films:
        content["films"] = film_runs()
        save_json(RECORD, content)


def main() -> None:
    """Record a part of the table, or all of it."""
    parser = argparse.ArgumentParser(prog="python -m studies.evolutions")
    parser.add_argument("--auxiliary", nargs="+", default=["none", "inner"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    options = parser.parse_args()
    splits = ctr_samples(load("interest-world", n_users=USERS))
    auxiliaries = [None if name == "none" else name for name in options.auxiliary]
    record(splits, auxiliaries, options.seeds)


if __name__ == "__main__":
    main()
