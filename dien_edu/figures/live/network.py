"""The networks that the explorer runs in the page, as PyTorch models with the same weights.

`studies.explorer` trained them on interest-world and rounded them to half precision (chapter 12).
"""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path

import numpy as np
import torch

from dien_edu.data import Batch
from dien_edu.data.world import catalogue
from dien_edu.models import DIEN

FILE = Path(__file__).with_name("network.json")
LONGEST = 50  # clicks of a history


@cache
def stored(path: Path = FILE) -> dict:
    """What the page reads: interests, items (title, interest, stage, tier), sizes, networks."""
    return json.loads(path.read_text(encoding="utf8"))


def numbers(entry: dict) -> np.ndarray:
    """One array of the file, half precision."""
    return np.frombuffer(base64.b64decode(entry["data"]), "<f2").reshape(entry["shape"])


def load(evolution: str = "augru", path: Path = FILE) -> DIEN:
    """The network with this evolution in scoring mode; ValueError lists the evolutions."""
    content = stored(path)
    if evolution not in content["networks"]:
        known = ", ".join(content["networks"])
        raise ValueError(f"evolution is {evolution!r}, expected one of {known}")
    sizes = len(content["items"]) - 1, len(content["interests"])  # items, categories
    model = DIEN(*sizes, evolution, **content["sizes"])
    entries = content["networks"][evolution].items()
    state = {name: torch.from_numpy(numbers(entry).astype("f4")) for name, entry in entries}
    model.load_state_dict(state)
    return model.eval()


def item(title: str) -> int:
    """The number of an item of the catalogue, 1 to I; ValueError for an unknown title."""
    titles, _ = catalogue()
    if title not in titles[1:]:
        raise ValueError(f"the catalogue has no {title!r}; it has {titles[1]!r}, for example")
    return titles.index(title)


def batch(histories: list[list[int]], targets: list[int]) -> Batch:
    """A batch from lists of item numbers, oldest click first; a history may be empty."""
    category = torch.from_numpy(catalogue()[1][:, 0] + 1)  # item 0: category 0
    length = torch.tensor([len(history) for history in histories])
    item = torch.zeros(len(histories), int(length.max()), dtype=torch.int64)
    for row, history in zip(item, histories, strict=True):
        row[: len(history)] = torch.tensor(history, dtype=torch.int64)
    target = torch.tensor(targets)
    return Batch(
        user=torch.arange(len(histories)),
        history_item=item,
        history_category=category[item],
        history_length=length,
        target_item=target,
        target_category=category[target],
        label=torch.zeros(len(histories)),
    )
