"""One palette for the whole book: a fixed colour and line style for each quantity and model.

No meaning is carried by colour alone: every entry differs from its neighbours in line style or
marker too. Colours have a contrast of at least 4.5 : 1 against white, the ground of every figure.
"""

from __future__ import annotations

import matplotlib.pyplot as plt

QUANTITIES = {
    "input": {"color": "#595959", "linestyle": "none", "marker": "|"},
    "update_gate": {"color": "#0B62A4", "linestyle": "-", "marker": "o"},
    "reset_gate": {"color": "#A84F00", "linestyle": "--", "marker": "s"},
    "candidate": {"color": "#00735C", "linestyle": "-.", "marker": "^"},
    "interest": {"color": "#1A1A1A", "linestyle": "-", "marker": "D"},
    "attention": {"color": "#A0206E", "linestyle": ":", "marker": "v"},
    "evolved": {"color": "#6A3FB5", "linestyle": "-", "marker": "P"},
}

MODELS = {
    "base": {"color": "#6B6B6B", "linestyle": ":", "marker": "x"},
    "din": {"color": "#0B62A4", "linestyle": "--", "marker": "s"},
    "gru-attention": {"color": "#00735C", "linestyle": "-.", "marker": "^"},
    "aigru": {"color": "#8A6A00", "linestyle": (0, (5, 1)), "marker": "v"},
    "agru": {"color": "#B3372F", "linestyle": (0, (3, 1, 1, 1)), "marker": "<"},
    "augru": {"color": "#6A3FB5", "linestyle": "-", "marker": "P"},
    "dien": {"color": "#1A1A1A", "linestyle": "-", "marker": "D"},
}

INTERESTS = {  # of the running example
    "photography": {"color": "#0B62A4", "hatch": "", "marker": "o"},
    "cooking": {"color": "#A84F00", "hatch": "///", "marker": "s"},
}


def use_book_style() -> None:
    """Set matplotlib up for the book: white ground, text that stays readable on a phone.

    Figures are 4.8 inches wide: at 390 pixels a letter is still about 8 pixels high.
    """
    plt.rcParams.update(
        {
            "figure.figsize": (4.8, 3.0),
            "figure.dpi": 200,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "font.size": 11,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.25,
            "lines.linewidth": 1.8,
            "lines.markersize": 5,
            "legend.frameon": False,
        }
    )
