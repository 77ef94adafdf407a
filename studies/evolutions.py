"""AIGRU, AGRU and AUGRU on the generated world and on films, trained once for chapters 06-08.

    python -m studies.evolutions                     evolutions.json, with films (chapters 06-08)
    python -m studies.evolutions --auxiliary inner   evolutions-auxiliary.json: the same three, each
                                                     without and with auxiliary loss (chapter 08)

Each run is written as soon as it is done, and a run that the record holds is not done again. What
was expected was written before any of the models was measured. What a knob of the world does to
the three is asked in `studies.world`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dien_edu.data import Batch, Samples, Splits, ctr_samples, load
from dien_edu.layers import BilinearAttention
from dien_edu.models import DIEN
from dien_edu.training import auc, evaluate, fit, load_checkpoint, provenance
from dien_edu.training.checkpoint import save_json
from dien_edu.training.record import how_sampled, source_hash
from dien_edu.training.truth import attention_precision, movement, probe
from studies.resume import opened

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "book" / "results"
PARTS = ROOT / "_build" / "evolutions"  # trained models, kept apart by the sources that made them
USERS = 2500
EVOLUTIONS = ("aigru", "agru", "augru", "augru-peak")
PAIRS = ("augru", "agru", "aigru")
EXPECTED = [
    "test AUC: AUGRU ahead of AGRU ahead of AIGRU, by little, with and without auxiliary loss",
    "the state moves less on irrelevant clicks than on relevant ones in all three",
    "the ratio of the two is closest to 1 for AIGRU, and AUGRU's is not above AGRU's",
    "with 50 clicks of score 0 appended AIGRU's AUC falls, AGRU's and AUGRU's stay as they are",
    "AUGRU with peak attention is ahead of AUGRU: relevant clicks need not share one budget",
    "films: the movement grows with the score in all three, least steeply in AIGRU",
]
EXPECTED_AUXILIARY = [
    "with it, in all three, more of the attention stands on relevant clicks: states tell more",
    "so an irrelevant click moves AGRU and AUGRU still less, measured by a relevant one",
    "AIGRU's irrelevant clicks still move its state more than half as far as relevant ones",
    "test AUC: all three gain, by less than 0.02, for this world has a label at every click",
    "the order stays: AIGRU last, AGRU and AUGRU within 0.005 of each other",
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
    return PARTS / source_hash() / f"{data}-{auxiliary}-{evolution}-{seed}.pt"


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


def run(splits: Splits, row: dict, epochs: int | None = None) -> dict:
    """Train and measure one row of the record."""
    model = trained(splits, **row, epochs=epochs)
    past = load_checkpoint(checkpoint(splits.train.interactions.name, **row))["rows"]
    curve = [round(epoch["auc"], 5) for epoch in past]  # of validation
    found = row | {"curve": curve} | measured(model, splits)
    known = splits.train.interactions.truth  # of films none is
    return found | held_against_truth(model, splits) if known else found


def rows(auxiliary: str | None, seeds: list[int]) -> Iterator[dict]:
    """All four without auxiliary loss; or pairs without and with it, the paper's AUGRU first."""
    if auxiliary:
        order = product(PAIRS, seeds, [None, auxiliary])
    else:
        order = ((name, seed, None) for seed, name in product(seeds, EVOLUTIONS))
    for name, seed, kind in order:
        yield {"evolution": name, "auxiliary": kind, "seed": seed}


def record(
    splits: Splits,
    seeds: list[int],
    path: Path,
    auxiliary: str | None = None,
    names: tuple[str, ...] = EVOLUTIONS,
) -> dict:
    """Do the runs that the file lacks, writing it after each. ValueError: other data or sources."""
    how = {
        "command": "python -m studies.evolutions" + f" --auxiliary {auxiliary}" * bool(auxiliary),
        **how_sampled(splits.train),
        "options": FIT,
    }
    made = provenance(splits.train.interactions, "cpu", **how)
    expected = EXPECTED_AUXILIARY if auxiliary else EXPECTED
    content = opened(path, {"provenance": made, "expected": expected, "runs": []})
    for row in rows(auxiliary, seeds):
        if row["evolution"] in names and not any(
            row.items() <= old.items() for old in content["runs"]
        ):
            content["runs"].append(run(splits, row))
            content["provenance"]["seeds"] = sorted({one["seed"] for one in content["runs"]})
            save_json(path, content)
    return content


def record_films(content: dict, path: Path) -> None:
    """The same on the first people of MovieLens, shorter: what needs no truth."""
    films = load("movielens-100k")
    start = films.user_start[: FILMS["people"] + 1]
    films = replace(
        films, item=films.item[: start[-1]], time=films.time[: start[-1]], user_start=start
    )
    splits = ctr_samples(films, max_history=FILMS["max_history"])
    how = how_sampled(splits.train) | {"options": FIT | FILMS}
    made = provenance(splits.train.interactions, "cpu", **how)
    part = content.setdefault("films", {"provenance": made, "runs": []})
    for seed, name in product(FILMS["seeds"], EVOLUTIONS[:3]):
        row = {"evolution": name, "auxiliary": None, "seed": seed}
        if not any(row.items() <= old.items() for old in part["runs"]):
            part["runs"].append(run(splits, row, FILMS["epochs"]))
            save_json(path, content)


def main() -> None:
    """Record a part of the table, or all of it."""
    parser = argparse.ArgumentParser(prog="python -m studies.evolutions")
    parser.add_argument("--auxiliary", choices=["inner", "mlp"], help="pairs: without and with it")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--evolutions", nargs="+", default=EVOLUTIONS, choices=EVOLUTIONS)
    options = parser.parse_args()
    splits = ctr_samples(load("interest-world", n_users=USERS))
    path = RESULTS / ("evolutions-auxiliary.json" if options.auxiliary else "evolutions.json")
    content = record(splits, options.seeds, path, options.auxiliary, options.evolutions)
    if not options.auxiliary:
        record_films(content, path)


if __name__ == "__main__":
    main()
