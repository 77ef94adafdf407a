"""Interleaved rounds: the machine's moods hit every contestant alike."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

from benchmarks.contestants import Contestant
from benchmarks.peers.inputs import Spec
from benchmarks.worker import Worker, WorkerError

TURN = 0.5  # seconds that a turn should last, at least
MOST = 20  # steps in a turn, at most


def turn(worker: Worker, steps: int) -> list[float]:
    """The seconds of `steps` steps in a row.

    Where steps are short a first one is thrown away: it finds the caches full of another's data.
    """
    times = [worker.step() for _ in range(steps + (steps > 1))]
    return times[-steps:]


def warm_up(worker: Worker) -> int:
    """Two steps thrown away; the second says how many steps make a turn."""
    worker.step()
    return max(1, min(MOST, math.ceil(TURN / worker.step())))


class Race:
    """All that is measured together: contestants at their sizes, each a process, all alive.

    `entries` is {name: (contestant, sizes)}. `rounds[name]` is a list of turns, each a list of
    seconds; `skipped[name]` says why one is not there: one that fails is left out.
    """

    def __init__(
        self,
        entries: dict[str, tuple[Contestant, Spec]],
        start: Callable[[Contestant, Spec], Worker] = Worker,
    ):
        self.entries, self.start = entries, start
        self.workers: dict[str, Worker] = {}
        self.rounds: dict[str, list[list[float]]] = {}
        self.memory: dict[str, float] = {}
        self.ready: dict[str, dict] = {}
        self.skipped: dict[str, str] = {}

    def run(self, rounds: int) -> Race:
        """Start all, warm each up, then let each have its turn in each round."""
        try:
            for name in self.entries:
                self.enter(name)
            steps = {name: self.attempt(name, warm_up) for name in list(self.workers)}
            for number in range(rounds):
                for name in self.order(number):
                    times = self.attempt(name, lambda worker, n=name: turn(worker, steps[n]))
                    self.rounds.setdefault(name, []).append(times)
            for name in list(self.workers):
                self.memory[name] = self.attempt(name, lambda worker: worker.ask("memory")["mib"])
        finally:
            for worker in self.workers.values():
                worker.close()
        self.rounds = {name: r for name, r in self.rounds.items() if name not in self.skipped}
        return self

    def enter(self, name: str) -> None:
        """Start a contestant's process."""
        try:
            self.workers[name] = self.start(*self.entries[name])
        except WorkerError as error:
            self.skipped[name] = str(error)
        else:
            self.ready[name] = self.workers[name].ready

    def attempt(self, name: str, action: Callable[[Worker], object]):
        """What `action` returns; None if it fails, and the contestant is out."""
        try:
            return action(self.workers[name])
        except WorkerError as error:
            self.skipped[name] = str(error)
            del self.workers[name]
            return None

    def order(self, number: int) -> list[str]:
        """Who is next: everyone moves up by one place each round."""
        names = list(self.workers)
        first = number % len(names) if names else 0
        return names[first:] + names[:first]


def quartiles(values: list[float]) -> list[float]:
    """First quartile, median, third quartile; of a single value three times itself."""
    if len(values) == 1:
        return values * 3
    return statistics.quantiles(values, n=4, method="inclusive")


def milliseconds(rounds: list[list[float]]) -> dict:
    """The median of all steps, and the rounds' medians with their quartiles: the noise."""
    medians = [1000 * statistics.median(times) for times in rounds]
    first, _, third = quartiles(medians)
    steps = [1000 * seconds for times in rounds for seconds in times]
    return {
        "milliseconds": _short(statistics.median(steps)),
        "quartiles": [_short(first), _short(third)],
        "rounds": [_short(value) for value in medians],
    }


def ratio(slow: list[list[float]], fast: list[list[float]]) -> dict:
    """How many times longer a step of `slow` takes: the median over the rounds, and quartiles.

    Each round compares two turns that were close in time.
    """
    pairs = zip(slow, fast, strict=True)
    values = [statistics.median(one) / statistics.median(other) for one, other in pairs]
    first, median, third = quartiles(values)
    return {"ratio": _short(median), "quartiles": [_short(first), _short(third)]}


def _short(value: float) -> float:
    return float(f"{value:.4g}")
