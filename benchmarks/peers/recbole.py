"""DIEN of RecBole: AUGRU, DIN's attention network, a (linear) network as auxiliary loss.

Importing any of its sequential models runs `torch.autograd.set_detect_anomaly(True)`, which makes
every backward pass in that process slower. `anomaly=False` turns it off again, `None` leaves it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from recbole.config import Config
from recbole.data import create_dataset
from recbole.data.interaction import Interaction
from recbole.model.sequential_recommender.dien import DIEN

from benchmarks.peers.inputs import Spec, draw

COLUMNS = {"inter": ["user_id", "item_id", "timestamp", "label"], "item": ["item_id", "category"]}


def write_data(folder: Path, spec: Spec) -> None:
    """Its files of every item with its category and of one user, who costs no embedding table."""
    items = range(1, spec.items + 1)
    inter = ["user_id:token\titem_id:token\ttimestamp:float\tlabel:float"]
    inter += [f"1\t{item}\t{item}\t1" for item in items[:3]]
    item = ["item_id:token\tcategory:token"]
    item += [f"{item}\t{(item - 1) % spec.categories + 1}" for item in items]
    for name, lines in {"inter": inter, "item": item}.items():
        (folder / f"random.{name}").write_text("\n".join(lines) + "\n", encoding="utf8")


def make_model(spec: Spec) -> DIEN:
    """`mlp_hidden_size` is one for its head, its attention and its auxiliary network."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "random").mkdir()
        write_data(Path(folder) / "random", spec)
        settings = {
            "data_path": folder, "checkpoint_dir": folder, "load_col": COLUMNS,
            "embedding_size": spec.embedding, "mlp_hidden_size": list(spec.mlp),
            "gru_type": "AUGRU", "LABEL_FIELD": "label", "MAX_ITEM_LIST_LENGTH": spec.steps,
            "use_gpu": False, "state": "ERROR",
        }  # fmt: skip
        config = Config(model="DIEN", dataset="random", config_dict=settings)
        dataset = create_dataset(config)
        dataset.build()
        return DIEN(config, dataset)


def interaction_of(spec: Spec) -> Interaction:
    """The common ids under its names; the category of an item it looks up itself."""
    drawn = draw(spec)
    return Interaction(
        {
            "user_id": torch.ones(spec.batch, dtype=torch.int64),
            "item_id": drawn["target_item"],
            "item_id_list": drawn["history_item"],
            "neg_item_id_list": drawn["negative_item"],
            "item_length": torch.full((spec.batch,), spec.steps),
            "label": drawn["label"],
        }
    )


def build(spec: Spec, anomaly: bool | None = None) -> Callable[[], None]:
    """Forward, backward, Adam, as in its own trainer."""
    if anomaly is not None:
        torch.autograd.set_detect_anomaly(anomaly)
    torch.manual_seed(0)
    model, interaction = make_model(spec).train(), interaction_of(spec)
    optimizer = torch.optim.Adam(model.parameters())

    def step() -> None:
        optimizer.zero_grad()
        loss = model.calculate_loss(interaction)
        loss.backward()
        optimizer.step()

    return step
