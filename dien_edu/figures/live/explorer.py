"""The whole trained network on a history that the reader composes (chapter 12)."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from dien_edu.data.example import CLICKS
from dien_edu.data.world import CATALOGUE, catalogue
from dien_edu.figures.live import network
from dien_edu.figures.live.base import LiveFigure, num, percent, plot, value

EVOLUTIONS = ("aigru", "agru", "augru")


@cache
def double(evolution: str):
    """The network in float64, as the page computes."""
    return network.load(evolution).double()


def example_history() -> list[int]:
    """The running example's eight clicks, each in its simple grade."""
    return [network.item(f"{title} (simple)") for title, _ in CLICKS]


def title_of(item: int) -> str:
    return catalogue()[0][item]


def interest_of(item: int) -> str:
    return list(CATALOGUE)[catalogue()[1][item, 0]]


def probability(evolution: str, history: list[int], target: int) -> float:
    """What the network says of one history and one target."""
    with torch.no_grad():
        return double(evolution)(network.batch([history], [target])).logit.sigmoid().item()


class ExplorerFigure(LiveFigure):
    """Compose a `history` (item numbers, at most 50), show a `target`, choose an `evolution`.

    `step` counts from 0 and says which click is looked at, `part` which part of the network:
    embedding, extractor, attention, evolution, head. `before` remembers what stood there before the
    last change: {} or history, target and evolution.
    """

    name = "explorer"
    title = "DIEN in your browser: compose a history and watch the network think"
    history = value(example_history())
    target = value(network.item("photo printer (simple)"))
    evolution = value("augru")
    step = value(2)
    part = value("evolution")
    before = value({})

    def trace(self) -> dict[str, np.ndarray]:
        """Behaviours, interests, scores, attention, gates, steps, candidates and states; (T, ·)."""
        model, batch = double(self.evolution), network.batch([self.history], [self.target])
        with torch.no_grad():
            behaviours, target = model.embed(batch)
            found = model.trace(batch)
            scores = found.interests @ (target @ model.attention.weight.T)[:, :, None]
        size = behaviours.shape[2]
        before = torch.cat([torch.zeros(1, 1, size), found.evolved[:, :-1]], dim=1)[
            :, : len(batch.mask[0])
        ]
        return {
            "behaviours": behaviours[0].numpy(),
            "interests": found.interests[0].numpy(),
            "scores": scores[0, :, 0].numpy(),
            "attention": found.attention[0].numpy(),
            "gate": found.update_gate[0].numpy(),
            "step": found.step_size[0].numpy(),
            "candidate": found.candidate[0].numpy(),
            "before": before[0].numpy(),
            "evolved": found.evolved[0].numpy(),
        }

    def say(self):
        names = {rule: rule.upper() for rule in EVOLUTIONS}
        chance = {
            rule: percent(probability(rule, self.history, self.target), 1) for rule in EVOLUTIONS
        }
        was = ""
        if self.before:
            old = probability(*(self.before[key] for key in ("evolution", "history", "target")))
            was = f", before the last change {percent(old, 1)}"
        others = [f"{names[rule]} {chance[rule]}" for rule in EVOLUTIONS if rule != self.evolution]
        count = len(self.history)
        start = (
            f"{count} {'click' if count == 1 else 'clicks'}, shown: {self.named(self.target)}. "
            f"{names[self.evolution]} gives a click {chance[self.evolution]}{was}; "
            f"{', '.join(others)}."
        )
        t = min(self.step, count - 1)
        if t < 0:
            return f"{start} No click: no interest, no attention, and h′ is 0."
        found, item = self.trace(), self.history[t]
        mine = interest_of(item) == interest_of(self.target)
        truth = "the target's interest" if mine else "another interest"
        moved = np.linalg.norm(found["evolved"][t] - found["before"][t])
        return (
            f"{start} Click {t + 1}, {self.named(item)} ({truth}): "
            f"attention {num(found['attention'][t])}, mean gate {num(found['gate'][t].mean())}, "
            f"mean step {num(found['step'][t].mean(), 3)}; "
            f"the evolved state moves by {num(moved)}."
        )

    @staticmethod
    def named(item: int) -> str:
        return f"{title_of(item)}, {interest_of(item)}"

    def table(self):
        heads = ["click", "true interest", "score", "attention", "mean gate", "mean step", "moved"]
        if not self.history:
            return heads, []
        found, wanted = self.trace(), interest_of(self.target)
        moved = np.linalg.norm(found["evolved"] - found["before"], axis=1)
        rows = []
        for t, item in enumerate(self.history):
            interest = interest_of(item)
            rows.append([
                f"{t + 1} {title_of(item)}",
                interest + (", the target's" if interest == wanted else ""),
                num(found["scores"][t]),
                num(found["attention"][t], 4),
                num(found["gate"][t].mean(), 3),
                num(found["step"][t].mean(), 4),
                num(moved[t], 3),
            ])  # fmt: skip
        return heads, rows

    def tables(self):
        if not self.history:
            return [self.table()]
        found, t = self.trace(), min(self.step, len(self.history) - 1)
        heads = ["number", "embedding", "interest", "evolved before"]
        heads += ["gate", "step", "candidate", "evolved after"]
        keys = ("behaviours", "interests", "before", "gate", "step", "candidate", "evolved")
        columns = [found[key][t] for key in keys]
        rows = [
            [str(j + 1), *(num(column[j], 3) for column in columns)] for j in range(len(columns[0]))
        ]
        return [self.table(), (heads, rows)]

    def picture(self):
        if not self.history:
            return plot({"no click": []}, 0, 1, [])
        found = self.trace()
        series = {
            "attention": found["attention"],
            "mean gate": found["gate"].mean(axis=1),
            "mean step": found["step"].mean(axis=1),
        }
        return plot(series, 0, 1, [interest_of(item)[0].upper() for item in self.history])
