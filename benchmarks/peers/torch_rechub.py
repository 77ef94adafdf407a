"""DIEN of torch-rechub: AUGRU, equation (8), inner product as auxiliary loss.

It runs one recurrence per field and never mixes them. So there are two readings of "18 + 18":
`fields=2` has the two tables and two recurrences of 18; `fields=1` has one table of 36 and one
recurrence of 36, the size of everyone else's.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch_rechub.basic.features import DenseFeature, SequenceFeature, SparseFeature
from torch_rechub.models.ranking.dien import DIEN

from benchmarks.peers.inputs import Spec, draw


def features(spec: Spec, fields: int) -> dict[str, list]:
    """The lists that its constructor takes; it asks for a context feature, so one number is one."""
    size = spec.hidden // fields
    counts = {"item": spec.items, "category": spec.categories}
    names = list(counts)[:fields]

    def sequences(kind: str) -> list[SequenceFeature]:
        return [
            SequenceFeature(
                f"{kind}_{name}", counts[name] + 1, size, "concat", f"target_{name}", padding_idx=0
            )
            for name in names
        ]

    return {
        "features": [DenseFeature("context")],
        "history_features": sequences("history"),
        "neg_history_features": sequences("negative"),
        "target_features": [
            SparseFeature(f"target_{name}", counts[name] + 1, size, padding_idx=0) for name in names
        ],
    }


def build(spec: Spec, fields: int = 1) -> Callable[[], None]:
    """Forward, backward, Adam, as in its own trainer."""
    torch.manual_seed(0)
    model = DIEN(**features(spec, fields), mlp_params={"dims": list(spec.mlp)}, alpha=1.0)
    optimizer, criterion = torch.optim.Adam(model.parameters()), torch.nn.BCELoss()
    columns = draw(spec) | {"context": torch.zeros(spec.batch, 1)}
    label = columns.pop("label")

    def step() -> None:
        predicted, auxiliary = model(columns)
        loss = criterion(predicted, label) + auxiliary
        model.zero_grad()
        loss.backward()
        optimizer.step()

    return step
