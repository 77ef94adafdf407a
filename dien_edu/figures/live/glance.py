"""The index page's figure: one user, three things to show, a trained network in the page."""

from __future__ import annotations

from dien_edu.figures.live import network
from dien_edu.figures.live.base import LiveFigure, drawing, num, percent, value
from dien_edu.figures.live.explorer import (
    ExplorerFigure,
    example_history,
    interest_of,
    probability,
    title_of,
)

SHOWN = {
    "printer": "photo printer (simple)",
    "mixer": "stand mixer (simple)",
    "telescope": "telescope (simple)",
}


def short(item: int) -> str:
    """A title without its grade."""
    return title_of(item).replace(" (simple)", "")


class GlanceFigure(LiveFigure):
    """The running example: `known` clicks seen, and `shown` a "printer", "mixer" or "telescope"."""

    name = "glance"
    title = "Move something: a trained DIEN, in this page"
    history = value(example_history())
    known = value(8)
    shown = value("printer")

    def target(self) -> int:
        return network.item(SHOWN[self.shown])

    def probability(self) -> float:
        return probability("augru", self.history[: self.known], self.target())

    def trace(self) -> dict:
        return ExplorerFigure(history=self.history[: self.known], target=self.target()).trace()

    def say(self):
        after, looks = "Before any click", ""
        if self.known:
            count = f"{self.known} {'click' if self.known == 1 else 'clicks'}"
            after = f"After {count}, the last on {short(self.history[self.known - 1])}"
            wanted, attention = interest_of(self.target()), self.trace()["attention"]
            held = sum(
                a
                for item, a in zip(self.history, attention, strict=False)
                if interest_of(item) == wanted
            )
            looks = f" Clicks on {wanted} hold {percent(held)} of the attention."
        chance = percent(self.probability())
        return f"{after}, the network gives the {short(self.target())} {chance}.{looks}"

    def table(self):
        heads, wanted = (
            ["click", "true interest", "attention", "mean step"],
            interest_of(self.target()),
        )
        if not self.known:
            return heads, []
        found, rows = self.trace(), []
        for t, item in enumerate(self.history[: self.known]):
            interest = interest_of(item)
            rows.append([
                f"{t + 1} {short(item)}",
                interest + (", the target's" if interest == wanted else ""),
                num(found["attention"][t], 4),
                num(found["step"][t].mean(), 4),
            ])  # fmt: skip
        return heads, rows

    def picture(self):
        chance = self.probability()
        attention = self.trace()["attention"] if self.known else []
        lines = ["<path d='M0 34h360' stroke-opacity='.3' stroke-width='20'/>"]
        lines.append(f"<path d='M0 34h{360 * chance:.1f}' stroke-width='20'/>")
        words = [(0, 16, f"Will the user click on the {short(self.target())}?")]
        words.append((372, 39, percent(chance)))
        for t, a in enumerate(attention):
            y = 70 + 22 * t
            lines.append(f"<path d='M130 {y}h{240 * a:.1f}' stroke-width='12'/>")
            words += [(0, y + 4, short(self.history[t])), (f"{136 + 240 * a:.1f}", y + 4, num(a))]
        return drawing(420, 250, "the answer, and the attention of each click", lines, words)
