"""Measure everyone, print the table, write the record: python -m benchmarks.run --help."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks import end_to_end, floor, plots, report
from benchmarks.contestants import ALL, CURVES, GROUPS, SIZES, Contestant, Size, chosen
from benchmarks.environments import ROOT, set_up
from benchmarks.peers.inputs import Spec
from benchmarks.race import Race
from dien_edu.training.checkpoint import check_writable, save_json
from dien_edu.training.record import source_hash

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
    record = {"provenance": made, "machine": report.machine(), "libraries": {}, "skipped": {}}
    record |= {"sizes": [], "curves": {}, "doublings": {}}
    if resume and path.exists():
        old = json.loads(path.read_text(encoding="utf8"))
        same = ("sources", "rounds", "versions")
        if all(old["provenance"].get(key) == made[key] for key in same):
            return old
        print(f"{_short(path)} is of other sources, rounds or versions: starting anew")
    return record


class Run:
    """A record that grows: after each race it is saved."""

    def __init__(self, options: argparse.Namespace, path: Path):
        self.options, self.path = options, path
        self.record = opened(path, options.rounds, options.resume)

    def chosen(self, contestants: list[Contestant]) -> list[Contestant]:
        """Those that were asked for and that can be had here."""
        missing = self.record["skipped"]
        them = chosen(contestants, self.options.only)
        return [c for c in them if c.environment not in missing]

    def race(self, entries: dict[str, tuple[Contestant, Spec]]) -> Race:
        """Run one race; RuntimeError if our sources changed since the record was begun."""
        race = Race(entries).run(self.options.rounds)
        for name, worker in race.ready.items():
            library = entries[name][0].environment or "dien-edu"
            self.record["libraries"][library] = worker["ready"]
        if source_hash() != self.record["provenance"]["sources"]:
            raise RuntimeError("the sources of dien_edu changed during the run: measure again")
        return race

    def size(self, size: Size) -> None:
        """Everyone at one size."""
        them = self.chosen(ALL)
        if them:
            race = self.race({c.name: (c, Spec(*size)) for c in them})
            one = report.size_record(size, race)
            self.record["sizes"].append(one)
            self.record["sizes"].sort(key=lambda one: (one["batch"], one["steps"]))
            print(report.table(one), flush=True)
            self.save()

    def curve(self, axis: str) -> None:
        """Ours and `nn.GRU` at many sizes; the sizes of a group are one race."""
        rows: list[dict] = []
        for group in map(self.chosen, GROUPS):
            pairs = [(c, size) for c in group for size in CURVES[axis]]
            race = self.race({report.entry_name(c, size): (c, Spec(*size)) for c, size in pairs})
            rows += report.curve_record(race)
            self.record["doublings"] |= report.doublings(race)
        self.record["curves"][axis] = rows
        print(f"against {axis}\n{report.curve_table(rows)}", flush=True)
        self.save()

    def all(self) -> None:
        """What is not in the record yet, then the targets."""
        done = {(size["batch"], size["steps"]) for size in self.record["sizes"]}
        self.record["skipped"] = set_up({c.environment for c in chosen(ALL, self.options.only)})
        for size in self.options.sizes or SIZES:
            if size not in done:
                self.size(size)
        for axis in () if self.options.sizes else CURVES:
            if axis not in self.record["curves"]:
                self.curve(axis)
        print(report.show_targets(report.targets(self.record)))
        if self.options.end_to_end:
            self.record["end_to_end"] = end_to_end.run()
            print(end_to_end.table(self.record["end_to_end"]))
        self.save()

    def save(self) -> None:
        """Write the record, the targets as far as they can be judged."""
        self.record["targets"] = report.targets(self.record)
        save_json(self.path, self.record)


def main(arguments: list[str] | None = None) -> int:
    """0 when something was measured, 1 when everyone was skipped or the sources changed."""
    options = parser().parse_args(arguments)
    path = options.output or (QUICK if options.only or options.sizes else RECORD)
    check_writable(path)
    run = Run(options, path)
    try:
        run.all()
    except RuntimeError as error:
        print(f"python -m benchmarks.run: {error}", file=sys.stderr)
        return 1
    if path == RECORD:
        floor.main()
    print("{cpu}, {cores} cores".format(**run.record["machine"]), _short(path), sep="; ")
    if options.plots:
        print(*map(str, plots.save(run.record, options.plots)), sep="\n")
    return 0 if any(size["results"] for size in run.record["sizes"]) else 1


if __name__ == "__main__":
    sys.exit(main())
