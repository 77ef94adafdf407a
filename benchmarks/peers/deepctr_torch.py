"""DIEN of DeepCTR-Torch: AUGRU, DIN's attention network, a network as auxiliary loss."""

from __future__ import annotations

from collections.abc import Callable

import torch
from deepctr_torch.inputs import SparseFeat, VarLenSparseFeat
from deepctr_torch.models import DIEN

from benchmarks.peers.inputs import Spec, draw


def columns_of(spec: Spec) -> list:
    """The target's two fields, and for each its history and the non-clicks of the history."""
    counts = {"item": spec.items + 1, "category": spec.categories + 1}
    columns = [SparseFeat(name, count, spec.embedding) for name, count in counts.items()]
    for prefix in ("hist_", "neg_hist_"):
        for name, count in counts.items():
            field = SparseFeat(prefix + name, count, spec.embedding, embedding_name=name)
            columns.append(VarLenSparseFeat(field, spec.steps, length_name="length"))
    return columns


def inputs_of(spec: Spec, model: DIEN) -> tuple[torch.Tensor, torch.Tensor]:
    """All features side by side as numbers, which is how it takes them; and the labels."""
    drawn = draw(spec)
    named = {"length": torch.full((spec.batch, 1), spec.steps)}
    for field in ("item", "category"):
        named[field] = drawn[f"target_{field}"][:, None]
        named[f"hist_{field}"] = drawn[f"history_{field}"]
        named[f"neg_hist_{field}"] = drawn[f"negative_{field}"]
    ordered = [named[name] for name in model.feature_index]
    return torch.cat(ordered, dim=1).float(), drawn["label"]


def build(spec: Spec) -> Callable[[], None]:
    """Forward, backward, Adam, as in its `fit`; no penalty on the embeddings."""
    model = DIEN(
        columns_of(spec),
        ["item", "category"],
        gru_type="AUGRU",
        use_negsampling=True,
        dnn_hidden_units=spec.mlp,
        l2_reg_embedding=0,
    )
    model.compile("adam", "binary_crossentropy")
    inputs, label = inputs_of(spec, model.train())

    def step() -> None:
        predicted = model(inputs).squeeze(-1)
        model.optim.zero_grad()
        loss = model.loss_func(predicted, label, reduction="sum")
        (loss + model.get_regularization_loss() + model.aux_loss).backward()
        model.optim.step()

    return step
