"""The ranking of the seven models, guessed before it is shown (chapter 10)."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np

from dien_edu.figures.live.base import LiveFigure, drawing, num, value
from dien_edu.figures.style import MODELS

RESULTS = Path(__file__).parents[3] / "book/results"
TITLES = {
    "interest-world": "the generated world",
    "movielens-100k": "MovieLens-100K",
    "amazon-beauty": "Amazon Beauty",
}
# Student's t for a two-sided 95 % interval of a mean, by the number of seeds
STUDENT = {3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}


class GuessFigure(LiveFigure):
    """`order` is a guess, worst first; `scores` is {data: {model: [test AUC a seed]}}.

    Without `scores` it takes what the repository recorded. `data` names one of them. Nothing of
    them is to be seen before `shown`.
    """

    name = "guess"
    title = "Guess first: how do the seven models rank?"
    order = value(list(MODELS))  # as the paper builds them up
    data = value("movielens-100k")
    shown = value(False)
    scores = value({})

    def __init__(self, **values):
        values["scores"] = values.get("scores") or recorded()
        scores, data = values["scores"], values.setdefault("data", "movielens-100k")
        if not scores:
            raise ValueError("scores is empty, and nothing is recorded here: pass scores={…}")
        if data not in scores:
            raise ValueError(f"data is {data!r}, scores has {list(scores)}")
        for name, lists in [("order", values.get("order", MODELS)), *scores.items()]:
            if sorted(lists) != sorted(MODELS):
                raise ValueError(f"{name} has {list(lists)}, expected each of {list(MODELS)} once")
        for name, of_model in scores.items():
            if len({len(seeds) for seeds in of_model.values()}) != 1 or not of_model["base"]:
                raise ValueError(f"{name} needs the same seeds, one or more, for each model")
        super().__init__(**values)

    def pairs(self) -> list[dict]:
        """Every pair of the order, as the page has it."""
        return pairs_of(self.order, self.scores[self.data])

    def say(self):
        if not self.shown:
            return f"Your order, worst first: {', '.join(self.order)}. Nothing is shown yet."
        pairs = self.pairs()
        decided = [pair for pair in pairs if pair["decided"]]
        right, right_decided = (sum(pair["right"] for pair in some) for some in (pairs, decided))
        words = (
            f"{right} of {len(pairs)} pairs stand as the means do on "
            f"{TITLES.get(self.data, self.data)}."
        )
        if any(pair["half"] is None for pair in pairs):
            return words
        rule = "(95\u00a0% interval of the paired difference leaves out 0)"
        if not decided:
            return f"{words} The seeds decide none of them {rule}."
        return (
            f"{words} Of the {len(decided)} {'pair' if len(decided) == 1 else 'pairs'} that the "
            f"seeds decide {rule}, {right_decided} {'stands' if right_decided == 1 else 'stand'} "
            "right."
        )

    def table(self):
        rows = []
        for place, model in enumerate(self.order):
            found = ["hidden", "hidden"]
            if self.shown:
                seeds = self.scores[self.data][model]
                found = [num(np.mean(seeds), 4), ", ".join(num(score, 4) for score in seeds)]
            rows.append([f"{place + 1}", model, *found])
        return ["place", "model", "mean test AUC", "one a seed"], rows

    def tables(self):
        if not self.shown:
            return [self.table()]
        rows = []
        for pair in self.pairs():
            lead, half = pair["lead"], pair["half"]
            interval, decided = "–", "–"
            if half is not None:
                interval = f"{num(lead - half, 4)} to {num(lead + half, 4)}"
                decided = "yes" if pair["decided"] else "no"
            words = f"{self.order[pair['later']]} after {self.order[pair['earlier']]}"
            rows.append([words, num(lead, 4), interval, decided, "yes" if pair["right"] else "no"])
        head = ["pair", "ahead by", "95\u00a0% interval", "decided", "stands right"]
        return [self.table(), (head, rows)]

    def picture(self):
        words = [(4, 24 + 24 * n, f"{n + 1}. {model}") for n, model in enumerate(self.order)]
        lines, height = [], 24 * len(words) + 10
        if not self.shown:
            return drawing(440, height, "your order of the models", lines, words)
        scores = self.scores[self.data]
        low = min(min(seeds) for seeds in scores.values())
        span = max(max(seeds) for seeds in scores.values()) - low or 1.0

        def tick(score, y, tall):
            return f"<path d='M{130 + 240 * (score - low) / span:.1f} {y - tall}v{2 * tall}'/>"

        for n, model in enumerate(self.order):
            y, mean = 20 + 24 * n, np.mean(scores[model])
            lines += [tick(score, y, 4) for score in scores[model]] + [tick(mean, y, 10)]
            words.append((390, y + 4, num(mean, 4)))
        name = "your order; the mean is a long line, each seed a short one"
        return drawing(440, height, name, lines, words)


def paired(earlier: list[float], later: list[float]) -> dict:
    """How far `later` is ahead, seed by seed: the mean, half its 95 % interval, if it leaves out 0.

    Without a factor for so many seeds `half` is None.
    """
    ahead = np.subtract(later, earlier)
    lead, half = float(ahead.mean()), None
    if len(ahead) in STUDENT:
        half = float(STUDENT[len(ahead)] * ahead.std(ddof=1) / np.sqrt(len(ahead)))
    return {
        "lead": lead,
        "half": half,
        "decided": half is not None and abs(lead) > half + 1e-9,
    }


def pairs_of(order: list[str], scores: dict[str, list[float]]) -> list[dict]:
    """Every pair of an order, worst first. A tie is right either way."""
    found = []
    for i, j in combinations(range(len(order)), 2):
        pair = paired(scores[order[i]], scores[order[j]])
        found.append({"earlier": i, "later": j, **pair, "right": pair["lead"] > -1e-9})
    return found


def recorded() -> dict:
    """What the repository recorded of the seven models; data without a record are left out."""
    found = {}
    for data in TITLES:
        path = RESULTS / f"{data}.json"
        if path.exists():
            runs = json.loads(path.read_text(encoding="utf8"))["runs"]
            scores = scores_of(runs)
            if scores["base"]:
                found[data] = scores
    return found


def scores_of(runs: list[dict]) -> dict[str, list[float]]:
    """{model: [test AUC a seed]} from recorded runs, of the seeds that every model has.

    Six decimals: with four, a pair on Amazon Beauty would change its verdict.
    """
    auc = {(run["model"], run["seed"]): round(run["test"]["auc"], 6) for run in runs}
    seeds = sorted({seed for _, seed in auc})
    common = [seed for seed in seeds if all((model, seed) in auc for model in MODELS)]
    return {model: [auc[model, seed] for seed in common] for model in MODELS}
