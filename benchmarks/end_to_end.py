"""How long until DIEN reaches a validation AUC on MovieLens-100K: both backends, one seed."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.contestants import Contestant
from benchmarks.peers.end_to_end import EVERY
from benchmarks.peers.inputs import Spec
from benchmarks.worker import Worker
from dien_edu.data import ctr_samples, load
from dien_edu.training import provenance
from dien_edu.training.record import how_sampled

GOAL = 0.82
LOOKS = 100  # at the validation AUC, at most
SPEC = Spec(batch=256, steps=50)  # what `python -m dien_edu train` takes
BACKENDS = ("reference", "fused")


def contestant(backend: str, seed: int) -> Contestant:
    """Our training with one backend."""
    options = {"backend": backend, "seed": seed}
    return Contestant(f"end-to-end-{backend}", "end_to_end", "inner", options=options)


def train_together(workers: dict[str, Worker], goal: float, looks: int) -> dict[str, list[dict]]:
    """In turn, some batches each, until each has reached the goal: {name: rows}."""
    rows: dict[str, list[dict]] = {name: [] for name in workers}
    for _ in range(looks):
        for name, worker in workers.items():
            if not reached(rows[name], goal):
                rows[name].append(worker.ask("step"))
    return rows


def reached(rows: list[dict], goal: float) -> bool:
    """Has the last look found the goal reached?"""
    return bool(rows) and rows[-1]["auc"] >= goal


def summary(rows: list[dict], goal: float) -> dict:
    """Batches and seconds of training until the goal (None: not reached), and the curve."""
    seconds = round(sum(row["seconds"] for row in rows), 1)
    curve = [{"auc": round(row["auc"], 5), "seconds": round(row["seconds"], 2)} for row in rows]
    there = reached(rows, goal)
    return {"batches": EVERY * len(rows), "seconds": seconds if there else None, "curve": curve}


def run(seed: int = 0, goal: float = GOAL, start: Callable = Worker) -> dict:
    """Train with both backends, some batches of one, some of the other. For the record."""
    workers: dict[str, Worker] = {}
    try:
        for backend in BACKENDS:
            workers[backend] = start(contestant(backend, seed), SPEC)
        rows = train_together(workers, goal, LOOKS)
    finally:
        for worker in workers.values():
            worker.close()
    data = load("movielens-100k")
    train = ctr_samples(data, max_history=SPEC.steps).train
    made = provenance(data, "cpu", **how_sampled(train), batch_size=SPEC.batch, seed=seed)
    results = {name: summary(rows, goal) for name, rows in rows.items()}
    return {"goal": goal, "provenance": made | {"threads": 1}, "results": results}


def table(record: dict) -> str:
    """One line a backend."""
    lines = [f"\nvalidation AUC {record['goal']} on movielens-100k"]
    for name, one in record["results"].items():
        took = "not reached" if one["seconds"] is None else f"{one['seconds']:.1f} s"
        lines.append(f"  {name:20} {took}, {one['batches']} batches of {SPEC.batch}")
    return "\n".join(lines)
