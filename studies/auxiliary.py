"""What the auxiliary loss does to prediction, to states, to gradients and to embeddings (ch. 04).

    python -m studies.auxiliary           everything (about half an hour on one core)
    python -m studies.auxiliary runs 0    only the trained models (`paths`: the long histories),
                                          and of these only seed 0

Each run is written as soon as it is done, and a run that the record holds is not done again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from dien_edu.data import Batch, Interactions, Samples, Splits, ctr_samples, load
from dien_edu.data.samples import SAMPLERS, Sampler, impressions
from dien_edu.data.world import item_number
from dien_edu.layers import AuxiliaryLoss
from dien_edu.models import DIEN, ClickModel
from dien_edu.training import evaluate, fit, log_loss, losses, predict, provenance
from dien_edu.training.checkpoint import save_json
from dien_edu.training.truth import interests_and_truth, probe
from studies.resume import opened

RESULT = Path(__file__).parent.parent / "book/results/auxiliary.json"
SEEDS = (0, 1, 2, 3, 4)
WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
LIES = (0.5, 1.0)  # shares of the non-clicks
FIT = {"epochs": 10, "batch_size": 64, "learning_rate": 3e-3, "patience": 2, "progress": False}
USERS = 1500  # of the world, 16 clicks each
FILM_HISTORY = 20
ENOUGH = 20  # clicks that an item needs before its neighbours are looked at
NEIGHBOURS = 5
LENGTHS = (20, 50, 100)
PATH = {"steps": 600, "batch_size": 64, "learning_rate": 3e-3, "look_every": 20, "reach": 0.6}
QUIET = {"n_steps": 104, "slow": 0, "gap": 0, "noise": 0, "drift": 0}  # only stages decide


# The data, and who may play the non-click


@cache
def splits(data: str) -> Splits:
    """World: every third click is a question. Films: every twelfth, after the last 20 clicks.

    So a click has fewer labels than questions of the auxiliary loss, as in the paper, and training
    is quick. The split is the same for every seed; a seed draws weights, order and non-clicks.
    """
    if data == "world":
        parts, every = ctr_samples(load("interest-world", n_users=USERS)), (3, 1, 1)
    else:
        parts, every = ctr_samples(load("movielens-100k"), max_history=FILM_HISTORY), (12, 2, 2)
    thinned = zip(parts, every, strict=True)
    return Splits(*(p.subset(np.flatnonzero(p.event % n == 0)) for p, n in thinned))


def clicked_later(share: float) -> Sampler:
    """Impressions, of which a `share` is replaced by an item that the user clicks later."""

    def draw(data: Interactions, events: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        last = data.user_start[data.user[events] + 1] - 1
        later = rng.integers(np.minimum(events + 1, last), last, endpoint=True)
        lies = (rng.random(len(events)) < share) & (events < last)
        return np.where(lies, data.item[later], impressions(data, events, rng))

    return draw


def wanted_as_well(share: float) -> Sampler:
    """Impressions, of which a `share` is replaced by a second draw of the click itself.

    The world draws a relevant click from the user's interest, stage and tier; so do we, once more.
    The user might as well have clicked this item, and nothing but chance says otherwise.
    """

    def draw(data: Interactions, events: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        interest, stage, tier = (data.truth[k][events] for k in ("interest", "stage", "tier"))
        shows = rng.random(len(events)) < 0.8  # how often a click has the preferred tier
        again = item_number(interest, stage, np.where(shows, tier, 1 - tier))
        lies = (rng.random(len(events)) < share) & data.truth["relevant"][events]
        return np.where(lies, again, impressions(data, events, rng))

    return draw


def with_negatives(samples: Samples, sampler: Sampler) -> Samples:
    """The same questions, other non-clicks in the histories: only the auxiliary loss sees them."""
    changed = copy(samples)
    changed.sampler = sampler
    return changed


# The contestants


class SumOverSteps(AuxiliaryLoss):
    """Equation (6) as printed: summed over t, divided by the number of samples."""

    def forward(self, interests, behaviours, negatives, mask):
        mean = super().forward(interests, behaviours, negatives, mask)
        return mean * mask[:, 1:].sum() / len(mask)


def contestants(data: str) -> dict[str, dict]:
    """Name -> what differs: `weight`, `kind`, `sampler`, `summed`."""
    chosen = {f"alpha {weight:g}": {"weight": weight} for weight in WEIGHTS}
    chosen["random non-clicks"] = {"sampler": SAMPLERS["uniform"]}
    chosen["learned similarity"] = {"kind": "mlp"}
    chosen["summed over t"] = {"summed": True}
    if data == "world":
        for share in LIES:
            chosen[f"later {share:g}"] = {"sampler": clicked_later(share)}
            chosen[f"as well {share:g}"] = {"sampler": wanted_as_well(share)}
    return chosen


def train(data: str, name: str, seed: int) -> dict:
    """Train one contestant, choose the epoch on validation, score the test users once."""
    options = {"weight": 1.0, "kind": "inner", "sampler": None, "summed": False}
    options |= contestants(data)[name]
    parts = splits(data)
    model = new_model(parts.train.interactions, seed, options["weight"], options["kind"])
    if options["summed"]:
        model.auxiliary = SumOverSteps("inner")
    learn = parts.train
    if options["sampler"]:
        learn = with_negatives(learn, options["sampler"])
    rows = fit(model, learn, parts.validation, seed=seed, device="cpu", **FIT)
    kept = ("target_loss", "auxiliary_loss", "auc", "log_loss")
    return {
        "test": evaluate(model, parts.test),
        "validation": evaluate(model, parts.validation),
        "epochs": [{key: round(row[key], 5) for key in kept} for row in rows],
        **measures(model, data),
    }


def new_model(data: Interactions, seed: int, weight: float, kind: str = "inner") -> DIEN:
    """DIEN with the weights of this seed, the same for every α."""
    torch.manual_seed(seed)
    return DIEN(data.n_items, data.n_categories, auxiliary=kind, auxiliary_weight=weight)


# Claim 1: the states; claim 3: the embeddings


def measures(model: DIEN, data: str) -> dict:
    """Everything that is asked of a trained, or untrained, model."""
    parts, found = splits(data), {}
    if data == "world":
        found["probe"] = probes(model, parts)
    found["next"] = next_item(model, parts)
    clicks = np.bincount(parts.train.interactions.item, minlength=model.n_items + 1)
    found["purity"] = purity(model, parts.train.interactions, np.flatnonzero(clicks >= ENOUGH))
    return found


def probes(model: DIEN, parts: Splits) -> dict[str, float]:
    """Accuracy of a linear probe on h_t: of the interest of this click, and of the other one."""
    found = {}
    for prefix, view in (("", lambda part: part), ("other_", other_interest)):
        learn, test = (interests_and_truth(model, view(part)) for part in (parts[0], parts[2]))
        keys = ("interest", "stage", "tier", "next_interest") if not prefix else ("interest",)
        for key in keys:
            known = [(state[label[key] >= 0], label[key][label[key] >= 0]) for state, label in
                     (learn, test)]  # fmt: skip
            found[prefix + key] = probe(*known[0], *known[1])
            counts = np.bincount(known[1][1])
            found[f"{prefix}{key}_majority"] = float(counts.max() / counts.sum())
    return found


def other_interest(samples: Samples) -> Samples:
    """The truth replaced by that of the interest which the user has left: −1 where there is none.

    What a state says of it, it must have remembered.
    """
    data = samples.interactions
    truth, user = data.truth, data.user
    left = np.full(len(data.item), -1)
    seen, now, owner = -1, -1, -1
    for n, (interest, relevant) in enumerate(
        zip(truth["interest"], truth["relevant"], strict=True)
    ):
        if user[n] != owner:
            seen, now, owner = -1, -1, user[n]
        if relevant and interest != now:
            seen, now = now, interest
        left[n] = seen
    changed = copy(samples)
    changed.interactions = replace(data, truth=truth | {"interest": left})
    return changed


def next_item(model: DIEN, parts: Splits) -> dict[str, float]:
    """Where among all items does the next click stand? Of test users; `rank` 0.5 is chance.

    as_is    by h_t · e, which is what the auxiliary loss trains
    fitted   by a least-squares map from h_t to the items, learned from the training users: what
             the state holds, whether or not the inner product shows it
    """
    learn, test = pieces(model, parts.train), pieces(model, parts.test)
    data = parts.train.interactions
    items = torch.arange(1, data.n_items + 1)
    with torch.no_grad():
        table = model.embedding(items, torch.from_numpy(data.category_of_item[1:])).numpy()
    weights = _least_squares(*learn, data.n_items)
    scores = {"as_is": test[0] @ table.T, "fitted": _with_one(test[0]) @ weights}
    found = {}
    for key, score in scores.items():
        own = np.take_along_axis(score, test[1][:, None] - 1, axis=1)
        above = (score > own).sum(1) + ((score == own).sum(1) - 1) / 2
        found[key] = {
            "rank": float(1 - above.mean() / (data.n_items - 1)),
            "in_ten": float((above < 10).mean()),
        }
    return found


@torch.no_grad()
def pieces(model: DIEN, samples: Samples, size: int = 21) -> tuple[np.ndarray, np.ndarray]:
    """States (N, n_H) after each click of a user's pieces of `size`, and the item clicked next."""
    data, states, following = samples.interactions, [], []
    for user in np.unique(samples.user):
        clicks = data.item[data.user_start[user] : data.user_start[user + 1]]
        size_here = min(size, len(clicks))
        rows = clicks[: len(clicks) // size_here * size_here].reshape(-1, size_here)
        items = torch.from_numpy(rows)
        history = model.embedding(items, torch.from_numpy(data.category_of_item)[items])
        interests, _ = model.extractor(history, torch.ones_like(items, dtype=torch.bool))
        states.append(interests[:, :-1].reshape(-1, interests.shape[-1]).double().numpy())
        following.append(rows[:, 1:].ravel())
    return np.concatenate(states), np.concatenate(following)


def _with_one(state: np.ndarray) -> np.ndarray:
    return np.column_stack([state, np.ones(len(state))])


def _least_squares(state: np.ndarray, item: np.ndarray, n_items: int) -> np.ndarray:
    """Weights (n_H + 1, I) of least squares on one-hot items, without making the one-hot matrix."""
    state = _with_one(state)
    sums = np.zeros((n_items, state.shape[1]))
    np.add.at(sums, item - 1, state)
    return np.linalg.solve(state.T @ state + 1e-6 * np.eye(state.shape[1]), sums.T)


def purity(model: ClickModel, data: Interactions, items: np.ndarray) -> dict[str, float]:
    """Of the nearest `items` of an item, by cosine: the share in the item's own category.

    Only the ITEM half of an embedding counts. The other half is the category's own vector, the same
    for all of its items, so whole embeddings would be pure before any training.
    """
    vectors = model.embedding.item.weight.detach().double().numpy()[items]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    near = vectors @ vectors.T
    np.fill_diagonal(near, -np.inf)
    category = data.category_of_item[items]
    nearest = np.argsort(-near, axis=1)[:, :NEIGHBOURS]
    same = category[:, None] == category
    found = {
        "purity": float((category[nearest] == category[:, None]).mean()),
        "chance": float((same.sum(1) - 1).mean() / (len(items) - 1)),
        "items": len(items),
    }
    if (
        "traits" in data.truth
    ):  # the same thing in the other tier: "lens (simple)", "lens (premium)"
        thing = data.truth["traits"][items, :2]
        twin = (thing[nearest] == thing[:, None]).all(axis=2).any(axis=1)
        found |= {"twin": float(twin.mean()), "twin_chance": NEIGHBOURS / (len(items) - 1)}
    return found


# Claim 2: the gradients, and how many steps it takes


@cache
def long_histories(data: str, length: int) -> Splits:
    """Clicks after a user's hundredth, for every length: only how much history is kept differs."""
    if data == "world":
        parts = ctr_samples(load("interest-world", n_users=USERS, **QUIET), max_history=length)
        every = 1
    else:
        parts = ctr_samples(load("movielens-100k"), max_history=length)
        every = 2
    start = parts.train.interactions.user_start
    return Splits(
        *(
            p.subset(np.flatnonzero((p.event - start[p.user] >= 100) & (p.event % every == 0)))
            for p in parts
        )
    )


def path(data: str, length: int, weight: float, seed: int) -> dict:
    """Validation loss every few steps until it is low enough; gradients before and after."""
    parts = long_histories(data, length)
    asked = parts.validation.subset(_pairs(parts.validation, 500))
    probe_batch = next(parts.train.subset(_pairs(parts.train, 128)).batches(256, shuffle=(seed,)))
    model = new_model(parts.train.interactions, seed, weight)
    made = {"before": gradients(model, probe_batch), "curve": []}
    optimizer = torch.optim.Adam(model.parameters(), lr=PATH["learning_rate"])
    for step, batch in zip(range(PATH["steps"] + 1), _endless(parts.train, seed), strict=False):
        if step % PATH["look_every"] == 0:
            _, label, logit = predict(model, asked)
            made["curve"].append([step, round(log_loss(label, logit), 5)])
            if made["curve"][-1][1] <= PATH["reach"]:
                break
        optimizer.zero_grad()
        losses(model, batch)[2].backward()
        optimizer.step()
    return made | {"after": gradients(model, probe_batch)}


def _pairs(samples: Samples, count: int) -> np.ndarray:
    """The rows of `count` questions, spread over the users, each with click and non-click."""
    half = len(samples) // 2
    rows = np.linspace(0, half - 1, min(count, half)).astype(int)
    return np.concatenate([rows, rows + half])


def _endless(samples: Samples, seed: int) -> Iterator[Batch]:
    epoch = 0
    while True:
        yield from samples.batches(PATH["batch_size"], shuffle=(seed, epoch))
        epoch += 1


def gradients(model: DIEN, batch: Batch) -> dict[str, list[float]]:
    """The mean norm, step by step, of what one sample's losses send back; all histories full.

    target_sum, target_deep   L_target to e_b[t]: through the sum in the head, through the GRUs
    target_state, auxiliary_state   each loss to h_t, without the way through later states
    auxiliary_deep            L_aux to e_b[t], through the states and as the click to be found
    """
    history, target, negatives = (x.detach() for x in model.embed(batch, negatives=True))
    to_sum, deep = (history.clone().requires_grad_() for _ in range(2))
    added, states = model.added, []
    hook = model.extractor.register_forward_hook(lambda _, __, out: states.append(out[0]))
    with (
        patch.object(model, "embed", lambda *_, **__: (to_sum, target, negatives)),
        patch.object(model, "added", lambda batch, _, *rest: added(batch, deep, *rest)),
    ):
        output = model(batch)
    hook.remove()
    target_loss = F.binary_cross_entropy_with_logits(output.logit, batch.label)
    ways = {"sum": to_sum, "deep": deep, "state": states[0]}
    back = partial(torch.autograd.grad, retain_graph=True)
    found = dict(
        zip((f"target_{k}" for k in ways), back(target_loss, [*ways.values()]), strict=True)
    )
    late = back(output.auxiliary_loss, [deep, states[0]])
    found |= dict(zip(("auxiliary_deep", "auxiliary_state"), late, strict=True))
    return {key: _by_step(value) for key, value in found.items()}


def _by_step(gradient: Tensor) -> list[float]:
    """(B, T, n) of a mean over B -> T mean norms of one sample's own gradient."""
    norms = gradient.norm(dim=-1).mean(dim=0) * len(gradient)
    return [float(f"{value:.4g}") for value in norms.tolist()]


# The record


def record(what: list[str], seeds: list[int], path_to: Path = RESULT) -> None:
    """Do what the file does not hold, writing it after each run."""
    new = {"provenance": _provenance(), "runs": [], "untrained": [], "paths": []}
    content = opened(path_to, new)
    for section, keys, wanted, make in _plan():
        done = {tuple(one[key] for key in keys) for one in content[section]}
        left = [w for w in wanted if w not in done and section in what and w[-1] in seeds]
        for setting in tqdm(left, desc=section, unit="run"):
            content[section].append(dict(zip(keys, setting, strict=True)) | make(*setting))
            save_json(path_to, content)


def _plan() -> list[tuple]:
    data = ("world", "films")
    runs = [(d, name, seed) for seed, d in product(SEEDS, data) for name in contestants(d)]
    return [
        ("untrained", ("data", "seed"), list(product(data, SEEDS)), untrained),
        ("runs", ("data", "name", "seed"), runs, train),
        ("paths", ("data", "length", "weight", "seed"),
         [(d, n, w, s) for s, d, n, w in product(SEEDS, data, LENGTHS, (0.0, 1.0))], path),
    ]  # fmt: skip


def untrained(data: str, seed: int) -> dict:
    """The same measures before any training."""
    return measures(new_model(splits(data).train.interactions, seed, 1.0), data)


def _provenance() -> dict:
    how = {
        "second_data": {"name": "movielens-100k", **load("movielens-100k").fingerprint()},
        "split": {"by": "user", "shares": [0.8, 0.1, 0.1], "seed": 0},
        "samples": f"world: {USERS} users, every third click, of the others every one; films: "
        f"every twelfth click after the last {FILM_HISTORY}, of the others every second",
        "negatives": "world: impressions; films: popularity",
        "seeds": list(SEEDS),
        "options": {key: value for key, value in FIT.items() if key != "progress"},
        "paths": PATH | {"world": QUIET},
    }
    return provenance(splits("world").train.interactions, "cpu", **how)


if __name__ == "__main__":
    torch.set_num_threads(1)
    words = sys.argv[1:]
    seeds = [int(word) for word in words if word.isdigit()]
    sections = [word for word in words if not word.isdigit()]
    record(sections or ["untrained", "runs", "paths"], seeds or [*SEEDS])
