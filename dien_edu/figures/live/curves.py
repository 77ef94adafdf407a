"""Recorded learning curves by the weight of the auxiliary loss (chapters 04 and 09)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from dien_edu.figures.live.base import LiveFigure, num, plot, value

RECORD = Path(__file__).parents[3] / "book/results/movielens-100k.json"
RECORDED = {"augru": "α = 0", "dien": "α = 1"}  # the two differ in nothing else


class LearningCurvesFigure(LiveFigure):
    """`curves` is {name: [[a value an epoch] a seed]}; without it, what the repository recorded.

    A mean is shown as long as all seeds run: one that stopped early would change who is counted.
    `epoch` counts from 0. `higher` says whether a higher `quantity` is better.
    """

    name = "curves"
    title = "Learning curves, seed by seed"
    curves = value({})
    quantity = value("AUC")
    higher = value(True)
    epoch = value(0)
    seeds = value(False)

    def __init__(self, **values):
        if not values.get("curves"):
            if not RECORD.exists():
                raise ValueError("curves is empty, and nothing is recorded here: pass curves={…}")
            runs = json.loads(RECORD.read_text(encoding="utf8"))["runs"]
            values["curves"] = curves_of(runs, RECORDED)
            values["quantity"] = "AUC on MovieLens-100K, validation"
        super().__init__(**values)

    def summary(self) -> dict[str, list[tuple[float, float]]]:
        """For each name the mean and the standard deviation over the seeds, epoch by epoch."""
        found = {}
        for name, seeds in self.curves.items():
            common = min(map(len, seeds))
            columns = np.array([seed[:common] for seed in seeds])
            spread = columns.std(axis=0, ddof=1) if len(seeds) > 1 else np.zeros(common)
            found[name] = list(zip(columns.mean(axis=0), spread, strict=True))
        return found

    def say(self):
        parts, best = [], {}
        for name, rows in self.summary().items():
            last = min(self.epoch, len(rows) - 1)
            mean, spread = rows[last]
            ended = "" if last == self.epoch else f" (epoch {last + 1}, the last of all its seeds)"
            parts.append(f"{name}: {num(mean, 4)} ± {num(spread, 4)}{ended}")
            best[name] = mean
        leader = (max if self.higher else min)(best, key=best.get)
        return (
            f"{self.quantity} after epoch {self.epoch + 1}, mean and standard deviation over "
            f"seeds. {'; '.join(parts)}. Ahead: {leader}."
        )

    def table(self):
        summary = self.summary()
        rows = [
            [f"{epoch + 1}"]
            + [
                f"{num(rows[epoch][0], 4)} ± {num(rows[epoch][1], 4)}" if epoch < len(rows) else "–"
                for rows in summary.values()
            ]
            for epoch in range(max(map(len, summary.values())))
        ]
        return ["epoch", *summary], rows

    def picture(self):
        series = {name: [mean for mean, _ in rows] for name, rows in self.summary().items()}
        numbers = [number for row in series.values() for number in row]
        low, high = np.floor(min(numbers) * 50) / 50, np.ceil(max(numbers) * 50) / 50
        return plot(series, low, high, [str(n + 1) for n in range(max(map(len, series.values())))])


def curves_of(runs: list[dict], names: dict[str, str], key: str = "auc") -> dict:
    """{name: [[a value an epoch] a seed]} from recorded runs: `names` maps a model to its name."""
    return {
        name: [[round(e[key], 5) for e in run["epochs"]] for run in runs if run["model"] == model]
        for model, name in names.items()
    }
