"""What the machine can do at best, and where a step's time goes: python -m benchmarks.floor."""

from __future__ import annotations

import sys

from benchmarks import report
from benchmarks.contestants import Contestant
from benchmarks.environments import ROOT
from benchmarks.peers.floor import ROUNDS
from benchmarks.peers.inputs import Spec
from benchmarks.worker import Worker
from dien_edu.training.checkpoint import save_json

RECORD = ROOT / "book" / "results" / "floor.json"


def main() -> int:
    """Measure in a process of its own, print, write the record."""
    worker = Worker(Contestant("floor", "floor", "inner"), Spec(128, 100))
    try:
        found = worker.ask("step")
    finally:
        worker.close()
    found.pop("seconds")
    for name, part in found.items():
        print(name, *(f"  {key:24} {value:8.4g}" for key, value in part.items()), sep="\n")
    made = report.how_made(ROUNDS, "full histories, but where a quarter is said")
    save_json(RECORD, {"provenance": made, "hardware": report.machine(), **found})
    return 0


if __name__ == "__main__":
    sys.exit(main())
