"""One thread, so that tests do not fight over cores, and small random histories for all of them."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
import torch
from hypothesis import Phase, settings

from dien_edu.data import Batch

torch.set_num_threads(1)

# The same random examples in every run, so that a run does not depend on luck. "explore" draws new
# ones. It can find a float32 sum that cancels to almost nothing, where 1e-5 of what is left is less
# than float32 resolves: look at the size of the terms before blaming a kernel.
settings.register_profile("steady", derandomize=True)
settings.register_profile("explore")
# For mutation testing: the first example that fails will do, and need not be made smaller.
settings.register_profile("first", derandomize=True, phases=[Phase.explicit, Phase.generate])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


def right_padded(lengths, steps: int) -> torch.Tensor:
    """Mask (B, T) of histories with these lengths."""
    return torch.arange(steps) < torch.as_tensor(lengths)[:, None]


def make_batch(lengths, *, n_items=20, n_categories=5, steps=None, seed=0) -> Batch:
    """A batch of random histories with these lengths."""
    rng = np.random.default_rng(seed)
    steps = max(lengths) if steps is None else steps
    mask = right_padded(lengths, steps)
    category = torch.from_numpy(np.r_[0, rng.integers(1, n_categories + 1, n_items)])
    item, negative = (
        torch.from_numpy(rng.integers(1, n_items + 1, (len(lengths), steps))) * mask
        for _ in range(2)
    )
    target = torch.from_numpy(rng.integers(1, n_items + 1, len(lengths)))
    return Batch(
        user=torch.arange(len(lengths)),
        history_item=item,
        history_category=category[item],
        history_length=torch.as_tensor(lengths),
        target_item=target,
        target_category=category[target],
        negative_item=negative,
        negative_category=category[negative],
        label=torch.from_numpy(rng.integers(0, 2, len(lengths)).astype(np.float32)),
    )


@pytest.fixture
def batch() -> Batch:
    """Lengths 5, 1, 0, 3, padded to 7."""
    return make_batch([5, 1, 0, 3], steps=7)


@pytest.fixture(scope="session")
def browser():
    """Chromium of the system, for the tests of what a reader sees."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip(f"BROWSER TESTS SKIPPED: none of {', '.join(names)} is installed")
    root = hasattr(os, "geteuid") and os.geteuid() == 0  # Chromium's sandbox refuses root
    options = ["--disable-gpu", *(["--no-sandbox"] if root else [])]
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=path, args=options)
        yield found
        found.close()
