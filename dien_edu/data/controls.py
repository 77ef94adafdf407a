"""Take an order away and look again: controls for claims about order (chapters 03 and 09)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dien_edu.data.interactions import Interactions

TIES, SESSION = 0, 30 * 60  # seconds between neighbouring clicks


def runs_of_clicks(data: Interactions, seconds: float) -> np.ndarray:
    """(N,) the number of each click's run: a user's neighbours at most `seconds` apart share one.

    `TIES`: clicks of the same moment. `SESSION`: sessions, with pauses of half an hour at most.
    """
    pause = (np.diff(data.user) != 0) | (np.diff(data.time) > seconds)
    return np.concatenate([[0], np.cumsum(pause)])


def shuffle_within(data: Interactions, seconds: float, seed: int = 0) -> Interactions:
    """The same clicks, each run of `runs_of_clicks` in random order.

    Users, times and runs stay; what was shown moves with its click; `truth` is dropped. Targets
    move as well as histories, so the question changes too: which click of the run comes next.
    """
    chance = np.random.default_rng(seed).random(len(data.item))
    order = np.lexsort((chance, runs_of_clicks(data, seconds)))
    shown = None if data.shown is None else data.shown[order]
    return replace(data, item=data.item[order], shown=shown, truth={})
