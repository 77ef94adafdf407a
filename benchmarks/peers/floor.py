"""What this machine can do at best in one thread, and where our training step spends its time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from benchmarks.peers import ours
from benchmarks.peers.inputs import Spec
from benchmarks.peers.layers import build as build_layer
from dien_edu.kernels import cpu
from dien_edu.layers import AUGRU

ROUNDS = 12
# The parts of a step: how the names of PyTorch's profiler begin.
PARTS = {
    "two recurrences": ("FusedWalk",),
    "auxiliary loss": ("Inner",),
    "embeddings": ("Lookup",),
    "scores and sums": ("Dots", "Sum"),
    "Adam": ("aten::_fused_adam", "Optimizer.step"),
    "matrix products": ("aten::mm", "aten::addmm"),
}


def best(functions: dict[str, Callable], repeat: int = 1) -> dict[str, float]:
    """The least CPU seconds of each, in interleaved rounds; each is called `repeat` times."""
    found = dict.fromkeys(functions, float("inf"))
    for _ in range(ROUNDS):
        for name, function in functions.items():
            function()
            started = time.process_time()
            for _ in range(repeat):
                function()
            found[name] = min(found[name], (time.process_time() - started) / repeat)
    return found


def machine(spec: Spec) -> dict[str, float]:
    """Operations and bytes a second: a large product, the product of a step, a copy; and a fault.

    A page fault is what a byte of fresh memory costs, for each page of 4 KiB, beyond writing it.
    """
    n, rows, count = 1024, 128, 25_000_000
    big, out, long = torch.randn(n, n), torch.empty(n, n), torch.ones(count)
    other = torch.empty_like(long)
    left, right = np.ones((rows, spec.hidden), "f4"), np.ones((spec.hidden, 3 * spec.hidden), "f4")
    block = np.empty((rows, 3 * spec.hidden), "f4")
    times = best(
        {
            "large": lambda: torch.mm(big, big, out=out),
            "copy": lambda: other.copy_(long),
            "fill": lambda: other.fill_(1),
            "fresh": lambda: torch.empty(count).fill_(1),
        }
    )
    step = best({"step": lambda: np.dot(left, right, out=block)}, 1000)["step"]
    return {
        "gflops": 2 * n**3 / times["large"] / 1e9,
        "gflops_of_a_step": 2 * rows * 3 * spec.hidden**2 / step / 1e9,
        "copied_gb": 2 * 4 * count / times["copy"] / 1e9,
        "microseconds_a_fault": 1e6 * (times["fresh"] - times["fill"]) / (4 * count / 4096),
    }


def loops(spec: Spec, rows: int = 128) -> dict[str, float]:
    """Microseconds of the loops of a step over a block: gates, h_t, and the derivatives."""
    draw = np.random.default_rng(0).random
    from_input, from_state = (draw((rows, 3, spec.hidden), "f4") for _ in range(2))
    u, r, candidate, state, m, before, d_out, d_state, g = draw((9, rows, spec.hidden), "f4")
    rule, a, d_a = np.array(cpu.RULES["augru"], "f4"), draw((rows, 1), "f4"), draw((rows, 1), "f4")
    back = (rule, a, m, before, d_out, d_state, u, r, candidate, g, d_a)
    found = best(
        {
            "gates": lambda: cpu.gates(from_input, from_state, u, r, candidate),
            "state": lambda: cpu.step_forward(rule, a, u, candidate, state),
            "derivatives": lambda: cpu.step_backward(*back),
        },
        300,
    )
    return {name: 1e6 * seconds for name, seconds in found.items()}


def layers(spec: Spec) -> dict[str, float]:
    """Milliseconds, forward and backward, of the fused AUGRU and of `nn.GRU`."""
    found = {}
    for batch in (spec.batch, 8 * spec.batch):
        both = {"augru": "fused", "gru": None}
        steps = {name: build_layer(replace(spec, batch=batch), b) for name, b in both.items()}
        found |= {f"{name}_{batch}": 1000 * seconds for name, seconds in best(steps).items()}
    return found


def padding(spec: Spec) -> dict[str, float]:
    """Milliseconds of the fused AUGRU, forward and backward: full histories, a quarter of each."""
    layer, steps = AUGRU(spec.hidden, spec.hidden, backend="fused"), torch.arange(spec.steps)
    inputs = torch.randn(spec.batch, spec.steps, spec.hidden, requires_grad=True)
    scores = torch.rand(spec.batch, spec.steps, requires_grad=True)

    def walk(length: int) -> None:
        mask = (steps < length).expand(spec.batch, -1)
        layer(inputs, scores, mask)[0].sum().backward()

    lengths = {"full": spec.steps, "quarter": spec.steps // 4}
    found = best({name: lambda n=n: walk(n) for name, n in lengths.items()})
    return {name: 1000 * seconds for name, seconds in found.items()}


def shares(spec: Spec, rounds: int = 10) -> dict[str, float]:
    """The share of each part in a training step, inner product as auxiliary loss."""
    step = ours.build(spec)
    step()
    with torch.profiler.profile() as seen:
        for _ in range(rounds):
            step()
    times = {event.key: event.self_cpu_time_total for event in seen.key_averages()}
    found = {
        part: sum(t for key, t in times.items() if key.startswith(start)) / sum(times.values())
        for part, start in PARTS.items()
    }
    return found | {"all else": 1 - sum(found.values())}


def build(spec: Spec) -> Callable[[], dict | None]:
    """Each call measures everything."""
    if spec.items < 1000:
        return ours.build(spec)

    def step() -> dict:
        parts = {"machine": machine, "loops": loops, "layers": layers}
        parts |= {"padding": padding, "shares": shares}
        return {
            name: {key: float(f"{value:.4g}") for key, value in measure(spec).items()}
            for name, measure in parts.items()
        }

    return step
