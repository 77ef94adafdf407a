"""A ranked list of shown items: AUC counted pair by pair, GAUC, log loss (chapter 01)."""

from __future__ import annotations

from dien_edu.figures.live.base import LiveFigure, drawing, num, value


class RankingFigure(LiveFigure):
    """Move the rows: [item, user, 1 if clicked], best first. A place has a logit, a row has none.

    The logits are `confidence` times `logits`, so that they keep the order at any confidence.
    """

    name = "ranking"
    title = "Move the rows: how good is this ranking?"
    rows = value(
        [
            ["zoom lens", "A", 1],
            ["wok", "B", 0],
            ["tripod", "A", 0],
            ["flash", "A", 1],
            ["apron", "B", 1],
            ["picture frame", "A", 0],
            ["whisk", "B", 0],
            ["tea towel", "B", 0],
        ]
    )
    logits = value([2.0, 1.2, 0.6, 0.2, -0.2, -0.6, -1.2, -2.0])
    confidence = value(1.0)

    def scores(self) -> dict[str, float]:
        """AUC, GAUC and log loss, by the package's own functions."""
        from dien_edu.training import metrics

        names = sorted({user for _, user, _ in self.rows})
        users = [names.index(user) for _, user, _ in self.rows]
        labels = [clicked for _, _, clicked in self.rows]
        logits = [self.confidence * logit for logit in self.logits]
        return {
            "auc": metrics.auc(labels, logits),
            "gauc": metrics.gauc(users, labels, logits),
            "log_loss": metrics.log_loss(labels, logits),
        }

    def say(self):
        scores, clicks = self.scores(), sum(clicked for _, _, clicked in self.rows)
        pairs = clicks * (len(self.rows) - clicks)
        return (
            f"{scores['auc'] * pairs:g} of {pairs} pairs of a click and a non-click are in "
            f"the right order: AUC {num(scores['auc'], 3)}. Within users only: GAUC "
            f"{num(scores['gauc'], 3)}. Log loss {num(scores['log_loss'], 3)}."
        )

    def table(self):
        from dien_edu.reference import sigmoid

        return ["place", "item", "user", "clicked", "probability"], [
            [
                f"{place + 1}",
                item,
                user,
                "yes" if clicked else "no",
                num(sigmoid(self.confidence * self.logits[place]), 4),
            ]
            for place, (item, user, clicked) in enumerate(self.rows)
        ]

    def picture(self):
        words = []
        for place, (item, user, clicked) in enumerate(self.rows):
            mark = "clicked" if clicked else "not clicked"
            words.append((4, 18 + 20 * place, f"{place + 1}. {item}, user {user}: {mark}"))
        return drawing(300, 20 * len(self.rows) + 6, "a ranked list", [], words)
