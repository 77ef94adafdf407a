"""How much of the start state a history can replace: Π(1 − a_t u) (chapter 08)."""

from __future__ import annotations

import math

import numpy as np

from dien_edu.figures.live.base import LiveFigure, num, percent, plot, value


class BudgetFigure(LiveFigure):
    """`steps` clicks, an update gate of `update_gate` at each, and attention that sums to 1.

    The attention lies between uniform (`concentration` 0) and one-hot (1).
    """

    name = "budget"
    title = "The budget: how much can attention that sums to 1 write?"
    steps = value(8)
    update_gate = value(0.5)
    concentration = value(0.0)

    def attention(self, steps: int | None = None) -> np.ndarray:
        """(T,): uniform attention mixed with all attention on the last click."""
        steps = self.steps if steps is None else steps
        weights = np.full(steps, (1 - self.concentration) / steps)
        weights[-1] += self.concentration
        return weights

    def written(self, steps: int | None = None, update_gate: float | None = None) -> float:
        """1 − Π(1 − a_t u): the share of the last state that is not the start state."""
        update_gate = self.update_gate if update_gate is None else update_gate
        return float(1 - np.prod(1 - self.attention(steps) * update_gate))

    def limit(self, update_gate: float) -> float:
        """What `written` tends to when the history has no end; uniform attention: 1 − e^−u."""
        last = self.concentration * update_gate
        return 1 - (1 - last) * math.exp(last - update_gate)

    def say(self):
        return (
            f"{self.steps} clicks, update gate {num(self.update_gate)}: AUGRU writes "
            f"{percent(self.written(), 1)} of the last state and keeps "
            f"{percent(1 - self.written(), 1)} of the start. AGRU, without a gate of its own, "
            f"writes {percent(self.written(update_gate=1.0), 1)}. The largest attention is "
            f"{num(self.attention().max(), 3)}."
        )

    def table(self):
        counts = sorted({1, 2, 4, 8, 16, 32, 64, self.steps})
        rows = [[f"{n}", num(self.written(n), 4), num(self.written(n, 1.0), 4)] for n in counts]
        rows.append(["no end", num(self.limit(self.update_gate), 4), num(self.limit(1.0), 4)])
        return ["clicks", "AUGRU writes", "AGRU writes"], rows

    def picture(self):
        counts = range(1, 65)
        series = {
            "AUGRU": [self.written(n) for n in counts],
            "AGRU": [self.written(n, 1.0) for n in counts],
        }
        return plot(series, 0, 1, [str(n) if n in (1, 16, 32, 48, 64) else "" for n in counts])
