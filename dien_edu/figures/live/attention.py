"""A target turned among the interests: scores, softmax, and what padding does (chapter 05)."""

from __future__ import annotations

import numpy as np

from dien_edu import reference
from dien_edu.data.example import example_inputs
from dien_edu.figures.live.base import EXAMPLE, LiveFigure, drawing, num, percent, value


def two_interests() -> np.ndarray:
    """(8, 2): chapter 03's unit that follows photography, beside its mirror image for cooking."""
    mirror = np.array([[1, -1], [-1, 1]])
    weight_input = np.vstack([2 * mirror, 0 * mirror, mirror])
    weight_hidden = np.vstack([np.zeros((2, 2)), np.eye(2), np.eye(2)])
    return reference.gru(example_inputs(), weight_input, weight_hidden, np.zeros(6))


class AttentionFigure(LiveFigure):
    """Turn the target (`angle` in degrees, `length`); `masked=False` lets `padding` steps in."""

    name = "attention"
    title = "Turn the target: which interests does it attend to?"
    clicks = value(EXAMPLE)
    interests = value(two_interests().round(2).tolist())
    weight = value([[1.0, 0.0], [0.0, 1.0]])
    angle = value(0.0)
    length = value(3.0)
    padding = value(3)
    masked = value(True)
    step = value(7)

    def target(self) -> np.ndarray:
        """(2,): the target's embedding e_a."""
        turn = self.angle * np.pi / 180
        return self.length * np.array([np.cos(turn), np.sin(turn)])

    def scores(self) -> np.ndarray:
        """(T + padding,): h_tᵀ W e_a; a padded step has h = 0."""
        padded = np.vstack([self.interests, np.zeros((self.padding, 2))])
        return padded @ np.array(self.weight) @ self.target()

    def attention(self) -> np.ndarray:
        """(T + padding,): equation (8), over the valid steps or over all of them."""
        valid = len(self.interests) + (0 if self.masked else self.padding)
        weights = reference.attention_weights(
            np.vstack([self.interests, np.zeros((self.padding, 2))])[:valid],
            self.target(),
            self.weight,
        )
        return np.append(weights, np.zeros(len(self.interests) + self.padding - valid))

    def say(self):
        attention, t, parts = self.attention(), self.step, []
        for kind in dict.fromkeys(kind for _, kind in self.clicks):
            held = sum(attention[t] for t, (_, other) in enumerate(self.clicks) if other == kind)
            parts.append(f"{kind} clicks hold {percent(held, 1)} of the attention")
        parts.append(f"padding {percent(attention[len(self.clicks) :].sum(), 1)}")
        return (
            f"Target at {num(self.angle, 0)}°, length {num(self.length, 1)}: {', '.join(parts)}. "
            f"Click {t + 1}, {self.clicks[t][0]}, has score {num(self.scores()[t])} "
            f"and attention {num(attention[t], 3)}."
        )

    def table(self):
        titles = [f"{t + 1} {title} ({kind})" for t, (title, kind) in enumerate(self.clicks)]
        titles += [f"{len(titles) + 1 + t} padding" for t in range(self.padding)]
        states = np.vstack([self.interests, np.zeros((self.padding, 2))])
        columns = (*states.T, self.scores(), self.attention())
        rows = [
            [title, num(h0), num(h1), num(score, 4), num(a, 4)]
            for title, h0, h1, score, a in zip(titles, *columns, strict=True)
        ]
        return ["click", "h₁", "h₂", "score", "attention"], rows

    def picture(self):
        attention = self.attention()[: len(self.clicks)]
        lines = [
            f"<path d='M{30 + 50 * t} 150v{-120 * a:.1f}' stroke-width='26'/>"
            for t, a in enumerate(attention)
        ]
        words = [(22 + 50 * t, 170, kind[0].upper()) for t, (_, kind) in enumerate(self.clicks)]
        words += [(16 + 50 * t, f"{144 - 120 * a:.1f}", num(a)) for t, a in enumerate(attention)]
        return drawing(420, 180, "attention of each click", lines, words)
