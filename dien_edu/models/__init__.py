"""The networks of the ablation, from a sum to DIEN; `build` makes one by its short name."""

from __future__ import annotations

from functools import partial

from dien_edu.models.base import BaseModel, ClickModel, Output, Trace, count_parameters
from dien_edu.models.dien import DIEN
from dien_edu.models.din import DIN
from dien_edu.models.gru_attention import GRUAttention

MODELS = {
    "base": BaseModel,
    "din": DIN,
    "gru-attention": GRUAttention,
    "aigru": partial(DIEN, evolution="aigru", auxiliary=None),
    "agru": partial(DIEN, evolution="agru", auxiliary=None),
    "augru": partial(DIEN, evolution="augru", auxiliary=None),
    "dien": DIEN,
}


def build(name: str, n_items: int, n_categories: int, **options) -> ClickModel:
    """A model by its short name; ValueError lists the names. "augru" is DIEN without its loss."""
    if name not in MODELS:
        raise ValueError(f"model is {name!r}, expected one of {', '.join(MODELS)}")
    return MODELS[name](n_items, n_categories, **options)
