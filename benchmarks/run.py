"""Measure everyone, print the table, write the record: python -m benchmarks.run --help."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks import end_to_end, plots, report
from benchmarks.contestants import plan
from benchmarks.environments import ROOT, set_up
from benchmarks.peers.inputs import Spec
from benchmarks.race import Race
from dien_edu.training.checkpoint import check_writable, save_json

RECORD = ROOT / "book" / "results" / "speed.json"
QUICK = ROOT / "_build" / "speed.json"


def parser() -> argparse.ArgumentParser:
    """The options."""
    root = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    root.add_argument("--rounds", type=int, default=9, help="interleaved rounds (default 9)")
    root.add_argument("--only", type=_names, help="contestants or families, as in ours,gru")
    root.add_argument("--sizes", type=_sizes, help="batch x T, as in 128x20,1024x100")
    root.add_argument("--output", type=Path, help=f"the record (default {_short(RECORD)}; "
                      f"of a part, with --only or --sizes: {_short(QUICK)})")  # fmt: skip
    root.add_argument("--resume", action="store_true", help="keep the sizes already in the record")
    root.add_argument("--plots", type=Path, help="draw time against T and batch into this folder")
    root.add_argument("--end-to-end", action="store_true", help="seconds to a validation AUC, too")
    return root


def _names(text: str) -> list[str]:
    return text.split(",")


def _sizes(text: str) -> list[tuple[int, int]]:
    return [tuple(int(part) for part in size.split("x")) for size in text.split(",")]


def _short(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def opened(path: Path, rounds: int, resume: bool) -> dict:
    """An empty record, or the one to go on with, if it is of the same sources and rounds."""
    made = report.how_made(rounds)
    record = {"provenance": made, "machine": report.machine(), "libraries": {}, "sizes": []}
    if resume and path.exists():
        old = json.loads(path.read_text(encoding="utf8"))
        same = ("sources", "rounds", "versions")
        if all(old["provenance"].get(key) == made[key] for key in same):
            return old
        print(f"{_short(path)} is of other sources, rounds or versions: starting anew")
    return record


def measure(record: dict, contestants: list, size: tuple[int, int], rounds: int) -> None:
    """One size, added to the record and printed."""
    race = Race(Spec(*size)).run(contestants, rounds)
    for contestant in contestants:
        if contestant.name in race.ready:
            name = contestant.environment or "dien-edu"
            record["libraries"][name] = race.ready[contestant.name]["ready"]
    record["sizes"].append(report.size_record(race))
    print(report.table(record["sizes"][-1]), flush=True)


def race_all(record: dict, options: argparse.Namespace, path: Path) -> None:
    """Every size that is not in the record yet; the record is saved after each."""
    done = {(size["batch"], size["steps"]) for size in record["sizes"]}
    planned = plan(options.only, options.sizes)
    record["skipped"] = set_up({c.environment for them in planned.values() for c in them})
    for size, them in planned.items():
        contestants = [c for c in them if c.environment not in record["skipped"]]
        if contestants and size not in done:
            measure(record, contestants, size, options.rounds)
            save_json(path, record)


def main(arguments: list[str] | None = None) -> int:
    """0 when something was measured, 1 when everyone was skipped."""
    options = parser().parse_args(arguments)
    path = options.output or (QUICK if options.only or options.sizes else RECORD)
    check_writable(path)
    record = opened(path, options.rounds, options.resume)
    race_all(record, options, path)
    record["targets"] = report.targets(record)
    print(report.show_targets(record["targets"]))
    if options.end_to_end:
        record["end_to_end"] = end_to_end.run()
        print(end_to_end.table(record["end_to_end"]))
    save_json(path, record)
    print(f"\n{record['machine']['cpu']}, {record['machine']['cores']} cores; {_short(path)}")
    if options.plots:
        print(*map(str, plots.save(record, options.plots)), sep="\n")
    return 0 if any(size["results"] for size in record["sizes"]) else 1


if __name__ == "__main__":
    sys.exit(main())
