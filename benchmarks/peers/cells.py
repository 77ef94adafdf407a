"""The cells of a library's own DIEN along one history, with weights that we give.

Weights stand as in `dien_edu.reference`: update, reset, candidate. Everything is float64.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.peers.inputs import Spec

STEPS, SIZE = 8, 4


def drawn(bias: bool = True) -> dict[str, np.ndarray]:
    """inputs (T, n), attention (T,), a softmax with one score of 0, weights; the same for all."""
    rng = np.random.default_rng(0)
    scores = np.exp(rng.normal(size=STEPS)) * (np.arange(STEPS) != 3)
    return {
        "inputs": rng.normal(size=(STEPS, SIZE)),
        "attention": scores / scores.sum(),
        "weight_input": rng.normal(size=(3 * SIZE, SIZE)),
        "weight_hidden": rng.normal(size=(3 * SIZE, SIZE)),
        "bias": rng.normal(size=3 * SIZE) * bias,
    }


def stacked(kind: type[nn.Module], given: dict[str, Tensor]) -> Callable:
    """A cell of DeepCTR-Torch or RecBole: blocks reset, update, candidate, and two biases."""
    cell = kind(SIZE, SIZE).double()

    def order(blocks: Tensor) -> Tensor:
        update, reset, candidate = blocks.chunk(3)
        return torch.cat([reset, update, candidate])

    cell.bias_hh.data.zero_()
    cell.weight_ih.data = order(given["weight_input"])
    cell.weight_hh.data = order(given["weight_hidden"])
    cell.bias_ih.data = order(given["bias"])  # the last word, should the two biases be one
    return cell


def deepctr_torch(given: dict[str, Tensor]) -> dict[str, Callable]:
    from deepctr_torch.layers.sequence import AGRUCell, AUGRUCell

    return {"agru": stacked(AGRUCell, given), "augru": stacked(AUGRUCell, given)}


def recbole(given: dict[str, Tensor]) -> dict[str, Callable]:
    from recbole.model.sequential_recommender.dien import AGRUCell, AUGRUCell

    return {"agru": stacked(AGRUCell, given), "augru": stacked(AUGRUCell, given)}


def torch_rechub(given: dict[str, Tensor]) -> dict[str, Callable]:
    from torch_rechub.models.ranking.dien import AUGRU_Cell

    cell = AUGRU_Cell(SIZE).double()
    for k, gate in enumerate("urh"):
        for letter, name in (("W", "weight_input"), ("U", "weight_hidden"), ("b", "bias")):
            block = given[name].chunk(3)[k]  # it multiplies from the right, so W is transposed
            getattr(cell, letter + gate).data = block.T if letter != "b" else block[None]
    return {"augru": cell}


def ours(given: dict[str, Tensor]) -> dict[str, Callable]:
    from dien_edu.layers import AGRU, AUGRU

    found = {}
    for name, kind in {"agru": AGRU, "augru": AUGRU}.items():
        layer = kind(SIZE, SIZE).double()
        for weight in ("weight_input", "weight_hidden", "bias"):
            getattr(layer, weight).data = given[weight]
        found[name] = lambda input, state, score, layer=layer: layer.step(input, score[:, 0], state)
    return found


@torch.no_grad()
def walk(cell: Callable, given: dict[str, Tensor]) -> list[list[float]]:
    """The states h'_1 … h'_T, from h'_0 = 0."""
    state, states = torch.zeros(1, SIZE, dtype=torch.float64), []
    for input, score in zip(given["inputs"], given["attention"], strict=True):
        state = cell(input[None], state, score.reshape(1, 1))
        states.append(state[0].tolist())
    return states


def first_weights(library: str) -> float | None:
    """The standard deviation of the first weights of RecBole's AUGRU cell; it alone sets them."""
    if library != "recbole":
        return None
    from recbole.model.sequential_recommender.dien import AUGRUCell

    torch.manual_seed(0)
    return AUGRUCell(36, 36).weight_ih.std().item()


def build(spec: Spec, library: str) -> Callable[[], dict]:
    """Each call walks every cell of the library, with our bias and with a bias of 0."""

    def step() -> dict:
        states = {}
        for bias in (True, False):
            given = {name: torch.from_numpy(array) for name, array in drawn(bias).items()}
            for name, cell in globals()[library](given).items():
                states.setdefault(name, {})["bias" if bias else "no bias"] = walk(cell, given)
        return {"states": states, "first_weights_sd": first_weights(library)}

    return step
