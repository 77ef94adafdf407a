"""What each deviation of an implementation does to AUC, on films and in the generated world.

    python -m studies.variants               all conditions and rules, five paired seeds
    python -m studies.variants --all-films   the authors' rule on everyone's films, to stand beside
                                             the DIEN of movielens-100k.json

A condition is DIEN with one part of `dien_edu.variants`; its first weights are those of DIEN
wherever the two have the same parameters. EXPECTED was written down before any of these runs.
A run that was cut off goes on. The plan: a run takes some 3 seconds of one core with 100 people's
films (chapter 09's short setting has 300) or 800 users of the world and a network of 16, not 36,
which learns at a rate of 0.01; so 13 conditions and 4 rules take ten minutes. Fewer people and a
narrower network, rather than fewer seeds: the sizes were cut to these after a handful of runs,
which are not in the record.

The test set is scored after each epoch, for one purpose: to see what a choice on test would have
gained. Every other number is of the epoch that validation chose.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from dien_edu import variants
from dien_edu.data import Samples, Splits, ctr_samples, load
from dien_edu.models import DIEN, ClickModel
from dien_edu.training import evaluate, fit, load_checkpoint, provenance
from dien_edu.training.checkpoint import save_json
from dien_edu.training.record import how_sampled
from dien_edu.training.truth import attention_precision, movement
from studies.evolutions import PeakAttention, traced
from studies.films_in_brief import STEPS, first_people
from studies.resume import opened, same_numbers

RECORD = Path(__file__).parent.parent / "book" / "results" / "variants.json"
SEEDS = (0, 1, 2, 3, 4)
FIT = {"batch_size": 256, "learning_rate": 1e-2, "device": "cpu", "progress": False}
SIZES = {"embedding_size": 16, "hidden_size": 16}
FILMS = {"people": 100, "max_history": STEPS, "epochs": 4}
WORLD = {"users": 800, "epochs": 5}
# as in movielens-100k.json, at DIEN's learning rate
ALL_FILMS = {"epochs": 10, "patience": 2, "learning_rate": 3e-3}
WITHIN = 0.005  # AUC: less than this is "stays"

Make = Callable[[Splits], ClickModel]


def dien(splits: Splits, auxiliary: str | None = "inner", sizes: dict = SIZES) -> DIEN:
    """The paper's network for these data."""
    data = splits.train.interactions
    return DIEN(data.n_items, data.n_categories, auxiliary=auxiliary, **sizes)


def swapped(model: DIEN, **parts) -> DIEN:
    """The network with other parts, made as ours is; the same first weights where they fit."""
    sizes = {
        "extractor": (model.embedding_size, model.extractor.hidden_size),
        "attention": (model.attention.hidden_size, model.embedding_size),
        "evolution": (model.extractor.hidden_size, model.extractor.hidden_size),
        "auxiliary": (),
    }
    for name, kind in parts.items():
        part, old = kind(*sizes[name]), getattr(model, name).state_dict()
        if kind is not variants.NormalAUGRU and part.state_dict().keys() == old.keys():
            part.load_state_dict(old)
        setattr(model, name, part)
    return model


def other(**parts) -> Make:
    """DIEN with these parts, as a function of the data."""
    return lambda splits: swapped(dien(splits), **parts)


def with_user(splits: Splits) -> variants.UserDIEN:
    data = splits.train.interactions
    sizes = data.n_items, data.n_categories
    return variants.UserDIEN(*sizes, splits.train.user, data.n_users, **SIZES)


def bypassed(splits: Splits) -> variants.BypassDIEN:
    data = splits.train.interactions
    return variants.BypassDIEN(data.n_items, data.n_categories, **SIZES)


def by_field(splits: Splits) -> variants.FieldwiseDIEN:
    data = splits.train.interactions
    return variants.FieldwiseDIEN(data.n_items, data.n_categories, **SIZES)


CONDITIONS: dict[str, Make] = {
    "the paper": dien,
    "authors' rule": other(evolution=variants.OfficialAUGRU),
    "N(0,1) weights": other(evolution=variants.NormalAUGRU),
    "MLP attention": other(attention=variants.MLPAttention),
    "softmax over padding": other(attention=variants.UnmaskedAttention),
    "padding walked": other(
        extractor=variants.PaddedGRU,
        attention=variants.UnmaskedAttention,
        evolution=variants.PaddedAUGRU,
    ),
    "MLP loss": lambda splits: dien(splits, "mlp"),
    "loss summed over t": other(auxiliary=variants.SummedLoss),
    "loss over padding": other(auxiliary=variants.PaddedMeanLoss),
    "loss of wrong sign": other(auxiliary=variants.WrongSignLoss),
    "interests bypassed": bypassed,
    "a network a field": by_field,
    "user id": with_user,
}
PADDED = ("softmax over padding", "padding walked")  # they get histories of one length, as there
# Why is the authors' rule ahead? Without auxiliary loss, so that the rule alone is left.
RULES: dict[str, Make] = {
    "augru": lambda splits: dien(splits, None),
    "official": lambda s: swapped(dien(s, None), evolution=variants.OfficialAUGRU),
    "unattended": lambda s: swapped(dien(s, None), evolution=variants.UnattendedAUGRU),
    "augru, peak attention": lambda s: swapped(dien(s, None), attention=PeakAttention),
}
# (condition, films, world, why): the change of test AUC against "the paper"
EXPECTED = [
    ("authors' rule", "rises", "rises", "it did in a trial; at a = 0 it still writes"),
    ("N(0,1) weights", "falls", "falls", "gates that start shut or open learn slowly"),
    ("MLP attention", "stays", "stays", "both can tell which states fit a target"),
    ("softmax over padding", "stays", "falls", "films fill 20 steps, the world's users do not"),
    ("padding walked", "stays", "falls", "the same, and the last state is diluted"),
    ("MLP loss", "falls", "stays", "an inner product ties states to the embeddings themselves"),
    ("loss summed over t", "stays", "falls", "α is 8 to 20 times as large"),
    ("loss over padding", "stays", "stays", "α is up to twice as small"),
    ("loss of wrong sign", "falls", "falls", "states learn to be unlike the next click"),
    ("interests bypassed", "stays", "falls", "AIGRU is last of the three in the world"),
    ("a network a field", "falls", "stays", "in the world the item alone tells its interest"),
    ("user id", "stays", "stays", "each user has as many clicks as non-clicks"),
    ("choosing on test", "stays", "stays", "four and five looks at thousands of samples"),
]
EXPECTED_RULES = [
    "films: unattended is ahead of augru: what holds augru back is the budget",
    "world: unattended is behind augru, peak attention ahead of it",
    "official is within 0.005 of the better of unattended and peak attention, on both",
    "after one epoch official, unattended and peak are all ahead of augru in validation AUC",
    "world: official moves on an irrelevant click at least 0.7 times as far as on a relevant one",
]


class OneLength(Samples):
    """Samples whose batches are all padded to `max_history`, as most implementations pad."""

    def _gather(self, tables, rows, steps):
        return super()._gather(tables, rows, self.max_history)


def one_length(splits: Splits) -> Splits:
    """The same samples; every history is padded to the longest of all."""
    longest, parts = max(int(part.length.max()) for part in splits), []
    for part in splits:
        part = copy.copy(part)
        part.__class__, part.max_history = OneLength, longest
        parts.append(part)
    return Splits(*parts)


def trained(model: ClickModel, splits: Splits, seed: int, epochs: int) -> dict:
    """Train; the curves of both AUCs, and the test scores of the epoch that validation chose.

    Epoch by epoch from a checkpoint, which gives the same numbers as one call of `fit`.
    """
    started, curve = time.process_time(), []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.pt"
        how = {**FIT, "seed": seed, "checkpoint": path, "resume": True}
        for epoch in range(1, epochs + 1):
            fit(model, splits.train, splits.validation, epochs=epoch, patience=epochs, **how)
            content = load_checkpoint(path)
            model.load_state_dict(content["model"])
            curve.append(evaluate(model, splits.test)["auc"])
        model.load_state_dict(content["best"])
    model.eval()
    return {
        "test": evaluate(model, splits.test),
        "validation": [row["auc"] for row in content["rows"]],
        "test_curve": curve,
        "cpu_seconds": time.process_time() - started,
    }


def run(condition: str, splits: Splits, seed: int, epochs: int) -> dict:
    """One condition with one seed; where padding counts, also with the least of it."""
    given = one_length(splits) if condition in PADDED else splits
    torch.manual_seed(seed)
    model = CONDITIONS[condition](given)
    found = {"condition": condition, "seed": seed, **trained(model, given, seed, epochs)}
    return found | ({"least_padding": evaluate(model, splits.test)} if given != splits else {})


def run_rule(rule: str, splits: Splits, seed: int, epochs: int) -> dict:
    """One rule with one seed; in the world also against the truth."""
    torch.manual_seed(seed)
    model = RULES[rule](splits)
    found = {"rule": rule, "seed": seed, **trained(model, splits, seed, epochs)}
    found["written"] = traced(model, splits.test)["written"].mean().item()
    if splits.test.interactions.truth:
        found["movement"] = movement(model, splits.test)
        found["attention"] = attention_precision(model, splits.test)
    return found


def sources() -> dict[str, tuple[Splits, int]]:
    """The samples of both data sets and the number of epochs."""
    films = first_people(load("movielens-100k"), FILMS["people"])
    world = load("interest-world", n_users=WORLD["users"])
    return {
        "films": (ctr_samples(films, max_history=FILMS["max_history"]), FILMS["epochs"]),
        "world": (ctr_samples(world), WORLD["epochs"]),
    }


def record(data: dict[str, tuple[Splits, int]], seeds: list[int], path: Path) -> dict:
    """All runs that the file lacks, written after each. ValueError for other data or sources."""
    splits = [part for part, _ in data.values()]
    made = provenance(splits[0].train.interactions, "cpu", **how_sampled(splits[0].train))
    made["command"], made["seeds"] = "python -m studies.variants", list(SEEDS)
    made["world"] = {
        "data": splits[1].train.interactions.fingerprint(),
        **how_sampled(splits[1].train),
    }
    text = Path(variants.__file__).read_bytes()
    made["variants"] = hashlib.sha256(text).hexdigest()[:16]  # dien_edu/variants.py itself
    how = {"fit": FIT, "sizes": SIZES, "films": FILMS, "world": WORLD}
    content = {"provenance": made, "options": how}
    content |= {"expected": [list(one) for one in EXPECTED], "expected_rules": EXPECTED_RULES}
    content = opened(path, content | {"runs": [], "rules": []})
    for seed in seeds:
        for name, (part, epochs) in data.items():
            for key, kinds, do in (
                ("runs", CONDITIONS, run),
                ("rules", RULES, run_rule),
            ):
                done = {(one["data"], *list(one.values())[1:3]) for one in content[key]}
                for kind in kinds:
                    if (name, kind, seed) not in done:
                        content[key].append({"data": name, **do(kind, part, seed, epochs)})
                        save_json(path, content)
    return content


def record_all_films(seeds: list[int], path: Path) -> dict:
    """The authors' rule trained like the DIEN of movielens-100k.json, added to the record."""
    splits = ctr_samples(load("movielens-100k"))
    content = json.loads(path.read_text(encoding="utf8"))
    made = provenance(splits.train.interactions, "cpu", **how_sampled(splits.train))
    part = content.setdefault("all_films", {"provenance": made, "options": ALL_FILMS, "runs": []})
    if not same_numbers(part["provenance"]["sources"], made["sources"]):
        raise ValueError(f"{path} was recorded with other sources: move it away to record anew")
    for seed in seeds:
        if seed not in {one["seed"] for one in part["runs"]}:
            torch.manual_seed(seed)
            model = swapped(dien(splits, sizes={}), evolution=variants.OfficialAUGRU)
            rows = fit(model, splits.train, splits.validation, seed=seed, **FIT | ALL_FILMS)
            found = {"seed": seed, "test": evaluate(model, splits.test)}
            part["runs"].append(found | {"validation": [row["auc"] for row in rows]})
            save_json(path, content)
    return content


def differences(runs: list[dict], data: str, condition: str) -> np.ndarray:
    """Test AUC minus that of "the paper", seed by seed; of "choosing on test" its gain."""
    mine = {one["seed"]: one for one in runs if one["data"] == data}
    if condition == "choosing on test":
        rows = [r for r in runs if (r["data"], r["condition"]) == (data, "the paper")]
        return np.array([max(row["test_curve"]) - row["test"]["auc"] for row in rows])
    auc = {(r["condition"], r["seed"]): r["test"]["auc"] for r in runs if r["data"] == data}
    return np.array([auc[condition, seed] - auc["the paper", seed] for seed in sorted(mine)])


def verdict(found: np.ndarray) -> str:
    """rises, falls or stays, by the mean of the differences."""
    mean = float(np.mean(found))
    return "stays" if abs(mean) < WITHIN else "rises" if mean > 0 else "falls"


def main(arguments: list[str] | None = None, path: Path = RECORD) -> None:
    """Train what is missing; print each expectation beside what came of it."""
    parser = argparse.ArgumentParser(prog="python -m studies.variants")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--all-films", action="store_true", help="the authors' rule, everyone")
    options = parser.parse_args(arguments)
    if options.all_films:
        record_all_films(options.seeds, path)
        return
    runs = record(sources(), options.seeds, path)["runs"]
    for condition, *expected, _ in EXPECTED:
        for data, wanted in zip(("films", "world"), expected, strict=True):
            found = differences(runs, data, condition)
            print(f"{condition:20} {data} {wanted}: {verdict(found)} {found.round(4).tolist()}")


if __name__ == "__main__":
    main()
