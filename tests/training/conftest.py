"""A world so small that a model trains on it in a second."""

from __future__ import annotations

import pytest
import torch

from dien_edu.data import Splits, ctr_samples, load
from dien_edu.models import ClickModel, build


@pytest.fixture(scope="session")
def splits() -> Splits:
    return ctr_samples(load("interest-world", n_users=60, n_steps=8))


@pytest.fixture
def new_model(splits):
    """Make a model with the weights of a seed."""

    def make(name="dien", seed=0) -> ClickModel:
        torch.manual_seed(seed)
        data = splits.train.interactions
        return build(name, data.n_items, data.n_categories)

    return make
