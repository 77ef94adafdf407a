"""Does the paper's reading of its Figure 3 hold, on many users and several seeds? (chapter 11)

python -m studies.trajectories. In the generated world the models are those of `studies.evolutions`,
trained anew where their checkpoints are missing; on films they are small ones like chapter 09's. A
run that was cut off goes on. `EXPECTED` was written before any of it was measured; its last line
after a look at the distances of one seed, and before ends and spreads were measured.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

import numpy as np
import torch

from dien_edu.data import Batch, Interactions, Samples, Splits, ctr_samples, load
from dien_edu.figures.trajectories import ask, moves, project
from dien_edu.models import DIEN
from dien_edu.training import evaluate, fit, provenance
from dien_edu.training.checkpoint import save_json
from dien_edu.training.record import how_sampled
from dien_edu.training.truth import relevance
from studies.evolutions import FIT, USERS, trained
from studies.films_in_brief import OPTIONS, PEOPLE, STEPS, first_people
from studies.resume import opened

RECORD = Path(__file__).parent.parent / "book" / "results" / "trajectories.json"
WORLD, FILMS = "interest-world", "movielens-100k"
MODELS = {  # name: evolution and auxiliary loss
    "aigru": ("aigru", None),
    "agru": ("agru", None),
    "augru": ("augru", None),
    "dien": ("augru", "inner"),
}
FILM_MODELS = ("augru", "dien")
TARGETS = ("none", "unrelated", "last", "early")
LEVELS = ("noise", "other interest", "same, earlier", "same, last but one", "same, last")
EXPECTED = [
    "world: for most users an unrelated target's path is nearer to that of no target than a "
    "related one's is, in every trained model, yet at more than a third of its distance",
    "fresh weights: all paths coincide, within 2 % of the size of the states",
    "world, target related to the last click: the last step is the longest for more than half of "
    "the users in AGRU, AUGRU and DIEN, for fewer in AIGRU, near chance with fresh weights",
    "films: unrelated and related paths are about as far from that of no target, and the last step "
    "is the longest for less than a third of the users",
    "the longest step stands at the largest score for most paths of AGRU and AUGRU, not of AIGRU",
    "the plane of the two largest directions holds more of the variance than of the length",
    "movement grows with each level of relevance in AGRU, AUGRU and DIEN; AIGRU is the flattest",
    "half way the state is smaller than it was when the history ended there: later clicks take a "
    "share of the attention",
    "at the paths' ends the unrelated target is nearer to no target than the related one, for more "
    "users than along the paths; its movement is spread over more steps than the related one's",
]


def questions(
    data: Interactions, users: np.ndarray, steps: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Histories (U, steps) and four targets each (U, 4), as in `TARGETS`.

    A history is the clicks before a user's last one. none: 0. last: of the last click's category.
    unrelated: of a category that the history lacks. early: of the category of the first click whose
    category is gone in the second half; −1 where there is none. An item is drawn as often as it is
    clicked, and never from the history. Users with fewer clicks are left out.
    """
    rng, kind = np.random.default_rng(seed), data.category_of_item
    histories, targets = [], []
    for user in users:
        stop = data.user_start[user + 1] - 1
        if stop - data.user_start[user] < steps:
            continue
        items = data.item[stop - steps : stop]
        seen, late = kind[items], set(kind[items[steps // 2 :]])
        gone = [k for k in seen if k not in late]
        near = _draw(rng, data, items, kind[data.item] == seen[-1])
        far = _draw(rng, data, items, ~np.isin(kind[data.item], seen))
        early = _draw(rng, data, items, kind[data.item] == gone[0]) if gone else -1
        if near > 0 and far > 0:
            histories.append(items)
            targets.append([0, far, near, early])
    return np.array(histories), np.array(targets)


def _draw(rng: np.random.Generator, data: Interactions, items: np.ndarray, among) -> int:
    """An item of the clicks `among` that is not in `items`, −1 where there is none."""
    allowed = data.item[among]
    allowed = allowed[~np.isin(allowed, items)]
    return int(rng.choice(allowed)) if len(allowed) else -1


def asked(data: Interactions, histories: np.ndarray, targets: np.ndarray) -> Batch:
    """One row a pair of history and target: (U, T), (U, P) -> U · P rows."""
    return ask(data, np.repeat(histories, targets.shape[1], axis=0), targets.clip(0).ravel())


def reading(model: DIEN, data: Interactions, histories: np.ndarray, targets: np.ndarray) -> dict:
    """What the paper reads off its figure, counted over users; first steps are left out.

    apart     distance to the path of no target, mean over steps: of the unrelated target as a share
              of the related one's (quartiles, share of users below 1), of both as a share of ‖h'‖
    end       the same for the last states alone
    spread    steps that count in a path's movement: the exponential of the entropy of its shares
    last      share of users whose last step is the longest, by target; chance
    early     share of users whose longest step stands at a click of the early category; chance
    score     share of the paths with a target whose longest step stands at the largest score, and
              the mean squared correlation of step length and score
    plane     two directions of a user's paths: the variance and the length they keep, the pairs of
              steps whose order they turn round, users whose path nearest to none's end is another
    half_way  ‖h'_t‖ in the middle of the path, as a share of that of the history cut there; median
    """
    batch = asked(data, histories, targets)
    trace = model.trace(batch)
    shape = (*targets.shape, histories.shape[1])
    states = np.pad(trace.evolved.double().numpy(), ((0, 0), (1, 0), (0, 0)))
    attention = trace.attention.double().numpy().reshape(shape)
    moved = moves(states).reshape(shape)
    states = states.reshape(*shape[:2], shape[2] + 1, -1)
    half = shape[2] // 2
    cut = model.trace(asked(data, histories[:, :half], targets)).evolved[:, -1].double().numpy()
    size = np.linalg.norm(states[:, :, half], axis=2) / np.linalg.norm(cut, axis=1).reshape(
        shape[:2]
    )
    has_early = targets[:, 3] > 0
    early = data.category_of_item[histories] == data.category_of_item[targets[:, 3:].clip(0)]
    longest = moved[:, :, 1:].argmax(axis=2) + 1
    found = np.take_along_axis(early, longest[:, 3:], axis=1)[has_early]
    return {
        "users": len(targets),
        "apart": _apart(states[:, :, 1:]),
        "end": _apart(states[:, :, -1:]),
        "spread": dict(zip(TARGETS[:3], _count(moved[:, :3]).mean(axis=0).tolist(), strict=True)),
        "last": dict(zip(TARGETS, (longest == shape[2] - 1).mean(axis=0).tolist(), strict=True))
        | {"early": float((longest[has_early, 3] == shape[2] - 1).mean())},
        "chance": 1 / (shape[2] - 1),
        "early": {
            "users": int(has_early.sum()),
            "found": float(found.mean()),
            "chance": float(early[has_early, 1:].mean()),
        },
        "score": _by_score(moved, attention, targets > 0),
        "plane": _plane(states, targets >= 0),
        "half_way": float(np.median(size[:, 2])),
    }


def _apart(states: np.ndarray) -> dict:
    none = states[:, :1]
    apart = np.linalg.norm(states - none, axis=3).mean(axis=2)  # (U, 4)
    own = np.linalg.norm(none, axis=3)[:, 0].mean(axis=1)
    ratio = apart[:, 1] / apart[:, 2].clip(1e-12)
    return {
        "ratio": np.quantile(ratio, [0.25, 0.5, 0.75]).tolist(),
        "nearer": float((ratio < 1).mean()),
        "unrelated": float(np.median(apart[:, 1] / own)),
        "related": float(np.median(apart[:, 2] / own)),
    }


def _count(moved: np.ndarray) -> np.ndarray:
    """(…, T) -> (…): T where all steps are alike, 1 where one step is all of the movement."""
    share = moved / moved.sum(axis=-1, keepdims=True)
    return np.exp(-(share * np.log(share.clip(1e-12))).sum(axis=-1))


def _by_score(moved: np.ndarray, attention: np.ndarray, real: np.ndarray) -> dict:
    x, y = attention[real][:, 1:], moved[real][:, 1:]
    deviation = [value - value.mean(axis=1, keepdims=True) for value in (x, y)]
    power = [(value**2).sum(axis=1) for value in deviation]
    both = (deviation[0] * deviation[1]).sum(axis=1)
    explained = both**2 / (power[0] * power[1]).clip(1e-30)
    return {
        "top": float((x.argmax(axis=1) == y.argmax(axis=1)).mean()),
        "explained": float(explained.mean()),
    }


def _plane(states: np.ndarray, there: np.ndarray) -> dict:
    rows = []
    for own, use in zip(states, there, strict=True):
        flat = project(own[use])
        true, shown = moves(own[use]), moves(flat.points)
        first, second = np.triu_indices(true.shape[1], 1)
        order = [np.sign(length[:, first] - length[:, second]) for length in (true, shown)]
        ends = [np.linalg.norm(p[1:, -1] - p[0, -1], axis=1) for p in (own[use], flat.points)]
        rows.append([
            flat.share.sum(), shown.sum() / true.sum(), (order[0] != order[1]).mean(),
            ends[0].argmin() != ends[1].argmin(),
        ])  # fmt: skip
    names = ("variance", "length", "inverted", "other_nearest")
    return dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True))


def levels(model: DIEN, samples: Samples) -> dict[str, dict[str, float]]:
    """Mean movement by how relevant a step is, in samples with relevant and other steps.

    For each of `LEVELS`: `moved`, and `alone`, the same steps with no target; `score`, a_t · T; and
    how many `steps`. First steps are left out.
    """
    sums, truth = np.zeros((len(LEVELS), 4)), samples.interactions.truth["relevant"]
    batches = samples.batches(1024, negatives=False)
    for rows, batch in zip(samples.order(1024, None), batches, strict=True):
        relevant = relevance(samples, batch)
        first = torch.from_numpy(samples.event[rows] - samples.length[rows])
        event = (first[:, None] + torch.arange(batch.mask.shape[1])) * batch.mask
        noise = batch.mask & ~relevant & ~torch.from_numpy(truth)[event]
        from_end = relevant.flip(1).cumsum(1).flip(1) * relevant
        level = torch.where(relevant, 5 - from_end.clamp(max=3), torch.where(noise, 0, 1))
        mixed = relevant.any(1) & (batch.mask & ~relevant).any(1)
        use = (batch.mask & mixed[:, None])[:, 1:]
        nothing = torch.zeros_like(batch.target_item)
        empty = Batch(
            batch.user, batch.history_item, batch.history_category, batch.history_length,
            nothing, nothing, batch.label,
        )  # fmt: skip
        trace = model.trace(batch)
        moved = [torch.from_numpy(moves(t.evolved.numpy())) for t in (trace, model.trace(empty))]
        score = (trace.attention * batch.history_length[:, None])[:, 1:]
        for values, column in zip((*moved, score, torch.ones_like(score)), range(4), strict=True):
            sums[:, column] += np.bincount(
                level[:, 1:][use].numpy(), values[use].double().numpy(), minlength=len(LEVELS)
            )
    means = sums[:, :3] / sums[:, 3:].clip(1)
    return {
        name: {"moved": m, "alone": a, "score": s, "steps": int(n)}
        for name, (m, a, s), n in zip(LEVELS, means.tolist(), sums[:, 3], strict=True)
    }


def made_model(name: str, splits: Splits, seed: int) -> DIEN:
    """A model of the record: "fresh" has the weights that a DIEN starts with."""
    data = splits.train.interactions
    evolution, auxiliary = MODELS.get(name, ("augru", "inner"))
    if name != "fresh" and data.name == WORLD:
        return trained(splits, auxiliary, evolution, seed)
    torch.manual_seed(seed)
    model = DIEN(data.n_items, data.n_categories, evolution, auxiliary)
    if name != "fresh":
        fit(model, *splits[:2], seed=seed, device="cpu", progress=False, **OPTIONS)
    return model.eval()


def record(
    splits: Splits, people: Interactions, films: Interactions, seeds: list[int], path: Path
) -> dict:
    """Measure what the file lacks and write it after each model. `people` are trained on."""
    how = how_sampled(splits.train) | {"options": FIT, "command": "python -m studies.trajectories"}
    film_splits = ctr_samples(people, max_history=STEPS)
    film_how = how_sampled(film_splits.train) | {"options": OPTIONS}
    made = {
        "provenance": provenance(splits.train.interactions, "cpu", **how),
        "films": provenance(people, "cpu", **film_how),
        "expected": EXPECTED,
        "runs": [],
    }
    made = opened(path, made)
    done = {(run["data"], run["model"], run["seed"]) for run in made["runs"]}
    world = splits.train.interactions
    test_users = np.unique(splits.test.user)
    length = int(np.diff(world.user_start).max()) - 1
    in_world = questions(world, test_users, length)
    strangers = questions(films, np.arange(people.n_users, films.n_users), STEPS)

    kinds = [(WORLD, name) for name in ("fresh", *MODELS)]
    kinds += [(FILMS, name) for name in ("fresh", *FILM_MODELS)]
    for seed, (data, name) in product(seeds, kinds):
        if (data, name, seed) in done:
            continue
        here = splits if data == WORLD else film_splits
        model = made_model(name, here, seed)
        run = {"data": data, "model": name, "seed": seed, "test": evaluate(model, here.test)}
        if data == WORLD:
            run["reading"] = reading(model, world, *in_world)
            run["levels"] = levels(model, splits.test)
        else:
            run["reading"] = reading(model, films, *strangers)
        made["runs"].append(run)
        save_json(path, made)
    return made


def main(arguments: list[str] | None = None, path: Path = RECORD) -> None:
    """Record what is missing and print the medians that the chapter is about."""
    parser = argparse.ArgumentParser(prog="python -m studies.trajectories")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    options = parser.parse_args(arguments)
    splits = ctr_samples(load(WORLD, n_users=USERS))
    films = load(FILMS)
    runs = record(splits, first_people(films, PEOPLE), films, options.seeds, path)["runs"]
    for run in runs:
        apart, last = run["reading"]["apart"]["ratio"][1], run["reading"]["last"]["last"]
        name = f"{run['data']:15} {run['model']:6} {run['seed']}"
        print(f"{name}  apart {apart:.2f}  last step longest {last:.2f}")


if __name__ == "__main__":
    main()
