"""One state among the next click and some non-clicks: the auxiliary loss (chapter 04)."""

from __future__ import annotations

import numpy as np

from dien_edu.figures.live.base import LiveFigure, drawing, num, value
from dien_edu.reference import auxiliary_loss, log_sigmoid


class AuxiliaryFigure(LiveFigure):
    """Move the state `h` = (x, y) after the frying pan; the next click is the tripod.

    Each non-click forms a pair with the click, as in equation (6), and the loss is their mean: the
    click's term and the mean of the non-clicks' terms. [·, ·] is the inner product.
    """

    name = "auxiliary"
    title = "Move the state: which non-click hurts?"
    click = value(["tripod", 1.2, -0.2])
    others = value(
        [
            ["camera strap", 1.1, 0.5],
            ["whisk", 0.1, 1.3],
            ["novel", -1.0, 0.4],
            ["garden hose", -1.1, -0.6],
        ]
    )
    x = value(0.7)
    y = value(0.6)

    def similarities(self) -> np.ndarray:
        """(1 + K,): the inner product with the click, then with each non-click."""
        items = np.array([item[1:] for item in [self.click, *self.others]])
        return items @ [self.x, self.y]

    def terms(self) -> np.ndarray:
        """(1 + K,): the click's −log σ, then −log(1 − σ) of each non-click."""
        click, *others = self.similarities()
        return -log_sigmoid(np.array([click, *(-other for other in others)]))

    def loss(self) -> float:
        """Equation (6), over the pairs of the click and each non-click."""
        count, first = len(self.others), np.zeros((1, 2))
        interests = np.tile([self.x, self.y], (count + 1, 1))
        clicks = np.vstack([first, np.tile(self.click[1:], (count, 1))])
        others = np.vstack([first, [other[1:] for other in self.others]])
        return auxiliary_loss(interests, clicks, others)

    def say(self):
        terms = self.terms()
        worst = int(np.argmax(terms[1:]))
        hurt = f"Of the non-clicks the {self.others[worst][0]} hurts most: {num(terms[1 + worst])}."
        if np.ptp(terms[1:]) < 1e-9:
            hurt = f"Every non-click costs {num(terms[1])}."
        return (
            f"State ({num(self.x, 1)}, {num(self.y, 1)}): the loss is {num(self.loss(), 3)}, and "
            f"guessing has 1.386. The click, {self.click[0]}, costs {num(terms[0])}. {hurt}"
        )

    def table(self):
        items, rows = [self.click, *self.others], []
        for n, (title, x, y) in enumerate(items):
            role = "non-click" if n else "click"
            numbers = [num(x), num(y), num(self.similarities()[n], 4), num(self.terms()[n], 4)]
            rows.append([f"{title} ({role})", *numbers])
        return ["item", "e₁", "e₂", "similarity", "loss"], rows

    def picture(self):
        def at(x, y):
            return f"{150 + 80 * x:.1f}", f"{130 - 80 * y:.1f}"

        lines = ["<path d='M30 130H270M150 10V250' stroke-opacity='.3'/>"]
        words = []
        for n, (title, *place) in enumerate([self.click, *self.others]):
            x, y = at(*place)
            lines.append(
                f"<circle cx='{x}' cy='{y}' r='4' fill='{'none' if n else 'currentColor'}'/>"
            )
            words.append((x, f"{float(y) - 8:.1f}", title))
        x, y = at(self.x, self.y)
        lines.append(f"<path d='M150 130L{x} {y}' stroke-width='2'/>")
        words.append((x, y, "h"))
        return drawing(340, 260, "the state among the items", lines, words)
