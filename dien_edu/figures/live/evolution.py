"""One history and one attention through the rules of chapters 06, 07 and 08."""

from __future__ import annotations

import numpy as np

from dien_edu import reference
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

RULES = {  # name in words, the share of the candidate that the rule writes
    "gru": ("GRU", lambda u, a: u),
    "aigru": ("AIGRU", lambda u, a: u),
    "agru": ("AGRU", lambda u, a: a),
    "augru": ("AUGRU", lambda u, a: a * u),
    "official": ("authors' code", lambda u, a: u + a - a * u),
}


class EvolutionFigure(LiveFigure):
    """Show some of the `rules`: "aigru", "agru", "augru", also "gru" and "official".

    With `mode="softmax"` the attention is softmax(concentration · scores), and sums to 1; with
    `mode="free"` it is the list `attention`. The first unit is shown; `step` counts from 0.
    """

    name = "evolution"
    title = "One history, one attention, different rules"
    rules = value(["aigru", "agru", "augru"])
    clicks = value(EXAMPLE)
    relevant = value("photography")
    inputs = value(example_inputs().tolist())
    weight_input = value(HAND_WEIGHTS["weight_input"])
    weight_hidden = value(HAND_WEIGHTS["weight_hidden"])
    bias = value([0.0, 0.0, 0.0])
    mode = value("softmax")
    scores = value([1.0 if kind == "photography" else -1.0 for _, kind in EXAMPLE])
    concentration = value(1.0)
    attention = value([1.0 if kind == "photography" else 0.0 for _, kind in EXAMPLE])
    step = value(2)

    def __init__(self, **values):
        wrong = set(values.get("rules", ())) - set(RULES)
        if wrong:
            raise ValueError(f"rules has {sorted(wrong)}, known are {list(RULES)}")
        super().__init__(**values)

    def weights(self) -> np.ndarray:
        """(T,): the attention a_1 … a_T."""
        if self.mode == "free":
            return np.array(self.attention, float)
        return reference.attention_weights(
            np.array(self.scores)[:, None] * self.concentration, np.ones(1), np.ones((1, 1))
        )

    def track(self, rule: str) -> np.ndarray:
        """(T, 2) for one rule: the share of the candidate written, and the state."""
        inputs, a = np.array(self.inputs, float), self.weights()
        weights = [np.array(w, float) for w in (self.weight_input, self.weight_hidden, self.bias)]
        if rule == "gru":
            states = reference.gru(inputs, *weights)
        else:
            function = {"official": "official_augru"}.get(rule, rule)
            states = getattr(reference, function)(inputs, a, *weights)
        rows, state = [], np.zeros(states.shape[1])
        for t, reached in enumerate(states):
            scaled = a[t] * inputs[t] if rule == "aigru" else inputs[t]
            update_gate = reference.gru_gates(scaled, state, *weights)[0][0]
            state = reached
            rows.append([RULES[rule][1](update_gate, a[t]), state[0]])
        return np.array(rows)

    def say(self):
        t, parts, ends = self.step, [], []
        title, kind = self.clicks[t]
        for rule in self.rules:
            track, name = self.track(rule), RULES[rule][0]
            before = track[t - 1, 1] if t else 0.0
            parts.append(
                f"{name} writes {percent(track[t, 0])}, {num(before)} → {num(track[t, 1])}"
            )
            ends.append(f"{name} {num(track[-1, 1])}")
        attention = num(self.weights()[t])
        return (
            f"Click {t + 1}, {title} ({kind}), attention {attention}: {'; '.join(parts)}. "
            f"After the last click: {', '.join(ends)}."
        )

    def table(self):
        heads, columns = ["click", "attention"], [self.weights()]
        for rule in self.rules:
            heads += [f"{RULES[rule][0]} writes", f"{RULES[rule][0]} state"]
            columns += list(self.track(rule).T)
        return heads, titled(self.clicks, np.column_stack(columns))

    def picture(self):
        series = {RULES[rule][0]: self.track(rule)[:, 1] for rule in self.rules}
        return plot(series, -1, 1, [kind[0].upper() for _, kind in self.clicks])
