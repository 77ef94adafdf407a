"""Do the cells of public libraries compute the paper's equations? python -m benchmarks.cells.

Each library's own AGRU and AUGRU cell, installed from the package registry into an environment of
its own, walks along one history with weights that we give. Its states are held against
`dien_edu.reference`: the largest difference to the paper's equation and to other known formulas.
So anybody can check what chapter 13 says of them. It takes a minute, after the installing.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np

from benchmarks.contestants import Contestant
from benchmarks.environments import ROOT, VERSIONS, set_up
from benchmarks.peers.cells import SIZE, STEPS, drawn
from benchmarks.peers.inputs import Spec
from benchmarks.worker import Worker, WorkerError
from dien_edu import reference
from dien_edu.training import provenance
from dien_edu.training.checkpoint import save_json

RECORD = ROOT / "book" / "results" / "cells.json"
SAME = 1e-12  # float64, eight steps
LIBRARIES = {None: "ours", **{name: name.replace("-", "_") for name in VERSIONS}}


def one_bias(inputs, attention, weight_input, weight_hidden, bias) -> np.ndarray:
    """AUGRU where the one bias b is added to W i and to U h: 2b in the gates, b + r ∘ b inside."""
    state, states = np.zeros(SIZE), []
    for i, a in zip(inputs, attention, strict=True):
        x = np.split(weight_input @ i + bias, 3)
        h = np.split(weight_hidden @ state + bias, 3)
        update_gate, reset_gate = (reference.sigmoid(x[k] + h[k]) for k in (0, 1))
        candidate = np.tanh(x[2] + reset_gate * h[2])
        state = state + a * update_gate * (candidate - state)
        states.append(state)
    return np.array(states)


FORMULAS = {
    "agru": {"the paper": reference.agru},
    "augru": {
        "the paper": reference.augru,
        "authors' rule": reference.official_augru,
        "one bias twice": one_bias,
    },
}


def differences(cell: str, states: dict[str, list]) -> dict[str, dict[str, float]]:
    """max |difference| of the states to each formula, with a bias and with a bias of 0."""
    found = {}
    for bias, walked in states.items():
        given = drawn(bias == "bias").values()
        found[bias] = {
            name: float(np.abs(formula(*given) - np.array(walked)).max())
            for name, formula in FORMULAS[cell].items()
        }
    return found


def verdict(found: dict[str, dict[str, float]]) -> str:
    """The formula that a cell computes, with a bias as well as without; "none" if it is new."""
    for name in found["bias"]:
        if all(differs[name] < SAME for differs in found.values()):
            return name
    return "none"


def measure(library: str | None) -> dict[str, dict]:
    """The cells of one library: what they compute, and how far they are from each formula."""
    contestant = Contestant(
        library or "ours", "cells", "layer", library, {"library": LIBRARIES[library]}
    )
    worker = Worker(contestant, Spec(1, STEPS))
    try:
        found = worker.ask("step")
    finally:
        worker.close()
    cells = {}
    for name, states in found["states"].items():
        differs = differences(name, states)
        cells[name] = {"computes": verdict(differs), "differences": differs}
    first = found["first_weights_sd"]
    return {"versions": worker.ready["ready"], "cells": cells, "first_weights_sd": first}


def how_made() -> dict:
    """Inputs and weights are random numbers: no data set is involved."""
    data = SimpleNamespace(name="random numbers", fingerprint=lambda: {"steps": STEPS, "n": SIZE})
    none = {key: "none: one history, nothing is trained" for key in ("split", "negatives")}
    made = provenance(data, "cpu", samples="one history of random inputs, float64", **none)
    return made | {"command": "python -m benchmarks.cells", "seed": 0}


def main() -> int:
    """Measure every library that can be had here, print, write the record."""
    skipped = set_up(set(LIBRARIES))
    found = {}
    for library in LIBRARIES:
        try:
            if library not in skipped:
                found[library or "ours"] = measure(library)
        except WorkerError as error:
            skipped[library] = str(error)
    for library, one in found.items():
        for cell, result in one["cells"].items():
            far = {name: f"{value:.0e}" for name, value in result["differences"]["bias"].items()}
            print(f"{library:14} {cell:6} computes {result['computes']:15} differs {far}")
    save_json(RECORD, {"provenance": how_made(), "libraries": found, "skipped": skipped})
    return 0 if not skipped else 1


if __name__ == "__main__":
    sys.exit(main())
