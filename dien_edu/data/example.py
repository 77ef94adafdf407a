"""The running example: one user who goes back and forth between photography and cooking.

The same eight clicks stand in the hand calculations, the diagrams and the figures of every chapter.
"""

from __future__ import annotations

import numpy as np

CLICKS = (
    ("first camera", "photography"),
    ("lens", "photography"),
    ("frying pan", "cooking"),
    ("tripod", "photography"),
    ("chef's knife", "cooking"),
    ("cutting board", "cooking"),
    ("camera bag", "photography"),
    ("flash", "photography"),
)


def example_inputs() -> np.ndarray:
    """(8, 2): photography (1, 0), cooking (0, 1), in the place of learned embeddings."""
    return np.array([[kind == "photography", kind == "cooking"] for _, kind in CLICKS], float)
