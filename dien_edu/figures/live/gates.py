"""A GRU on the eight clicks: what its gates do to the state (chapter 03)."""

from __future__ import annotations

import numpy as np

from dien_edu.data.example import example_inputs
from dien_edu.figures.live.base import (
    EXAMPLE,
    HAND_WEIGHTS,
    LiveFigure,
    num,
    percent,
    plot,
    titled,
    value,
)
from dien_edu.reference import gru_gates


class GatesFigure(LiveFigure):
    """Move the biases of the two gates and the start state; `step` counts from 0."""

    name = "gates"
    title = "A GRU reads eight clicks: gates, candidate and state"
    clicks = value(EXAMPLE)
    inputs = value(example_inputs().tolist())
    weight_input = value(HAND_WEIGHTS["weight_input"])
    weight_hidden = value(HAND_WEIGHTS["weight_hidden"])
    update_bias = value(0.0)
    reset_bias = value(0.0)
    start = value(0.0)
    step = value(2)

    def steps(self) -> np.ndarray:
        """(T, 5): update gate, reset gate, candidate, state, share in the last state."""
        bias, state, rows = np.array([self.update_bias, self.reset_bias, 0.0]), self.start, []
        for click in self.inputs:
            gates = gru_gates(click, np.array([state]), self.weight_input, self.weight_hidden, bias)
            update_gate, reset_gate, candidate = (float(gate[0]) for gate in gates)
            state = (1 - update_gate) * state + update_gate * candidate
            rows.append([update_gate, reset_gate, candidate, state])
        rows = np.array(rows)
        kept = np.cumprod(np.append(1, 1 - rows[:0:-1, 0]))[::-1]
        return np.column_stack([rows, rows[:, 0] * kept])

    def say(self):
        steps, t = self.steps(), self.step
        before = steps[t - 1, 3] if t else self.start
        update_gate, reset_gate, candidate, state, _ = steps[t]
        return (
            f"Click {t + 1}, {self.clicks[t][0]}: the update gate writes {percent(update_gate)} of "
            f"the candidate {num(candidate)} and keeps {percent(1 - update_gate)} of the old state "
            f"{num(before)}. The state becomes {num(state)}. The reset gate let "
            f"{percent(reset_gate)} of the old state into the candidate. "
            f"After the last click the state is {num(steps[-1, 3])}."
        )

    def table(self):
        heads = ["click", "update gate", "reset gate", "candidate", "state", "share in the last"]
        return heads, titled(self.clicks, self.steps())

    def picture(self):
        names = ("update gate", "reset gate", "candidate", "state")
        series = dict(zip(names, self.steps().T, strict=False))
        return plot(series, -1, 1, [kind[0].upper() for _, kind in self.clicks])
