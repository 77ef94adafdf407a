"""Where samples come from: `load` a data set, then draw `ctr_samples` from it."""

from __future__ import annotations

from difflib import get_close_matches
from functools import partial

from dien_edu.data.amazon import SETS, load_amazon
from dien_edu.data.download import DataError
from dien_edu.data.interactions import Interactions
from dien_edu.data.mind import load_mind
from dien_edu.data.movielens import load_movielens
from dien_edu.data.samples import Batch, Samples, Splits, ctr_samples
from dien_edu.data.world import interest_world

LOADERS = {
    "interest-world": interest_world,
    "movielens-100k": load_movielens,
    **{name: partial(load_amazon, name) for name in SETS},
    "mind-small": load_mind,
}


def load(name: str, **options) -> Interactions:
    """A data set by name; `options` are the knobs of interest-world. DataError: cannot be had."""
    if name not in LOADERS:
        closest = "".join(f" Did you mean {c}?" for c in get_close_matches(str(name), LOADERS, 1))
        raise DataError(f"no data set {name!r}; known: {', '.join(LOADERS)}.{closest}")
    return LOADERS[name](**options)
