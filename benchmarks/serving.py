"""Answering requests four ways: python -m benchmarks.serving, some minutes in one thread.

A request is one user and C candidates; all ways give the same C logits. "one by one": the model, a
candidate at a time. "one batch": the model, C rows with the same history. "extractor once": nothing
kept, but shared by the candidates. "state kept": the user's interests are in memory. Times are CPU
seconds of the process, in interleaved rounds, each with a new user and new candidates.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor

from benchmarks.report import machine
from dien_edu.data import Batch
from dien_edu.models import DIEN
from dien_edu.serving import Kept, Request, Server, embed, walk
from dien_edu.training import provenance
from dien_edu.training.checkpoint import save_json

RECORD = Path(__file__).parent.parent / "book" / "results" / "serving.json"
ITEMS, CATEGORIES = 63_001, 801  # the paper's Electronics
SIZES = {(50, 1): 400, (50, 10): 400, (50, 100): 300, (200, 100): 150, (1000, 100): 40}
CLICKS = {50: 400, 200: 400, 1000: 200}
WARM = 5  # rounds that are thrown away


def draw(count: int) -> tuple[Tensor, Tensor]:
    """Random items and categories."""
    return torch.randint(1, ITEMS + 1, (count,)), torch.randint(1, CATEGORIES + 1, (count,))


def batch_of(clicks: tuple[Tensor, Tensor], candidates: tuple[Tensor, Tensor]) -> Batch:
    """What the model wants: a row a candidate, each with the whole history."""
    rows, steps = len(candidates[0]), len(clicks[0])
    return Batch(
        user=torch.zeros(rows),
        history_item=clicks[0].expand(rows, -1),
        history_category=clicks[1].expand(rows, -1),
        history_length=torch.full((rows,), steps),
        target_item=candidates[0],
        target_category=candidates[1],
        label=torch.zeros(rows),
    )


class Ways:
    """The four ways to answer; what a way has kept is there before the clock runs."""

    def __init__(self, model: DIEN, steps: int):
        self.model, self.request, self.server = model, Request(model), Server(model, keep=steps)
        self.valid = torch.ones(steps, dtype=torch.bool)

    def arrive(self, clicks: tuple[Tensor, Tensor]) -> None:
        """A user with this history has been here before."""
        history = embed(self.model.embedding, *clicks)[None]
        interests = walk(self.model.extractor, history, None, self.valid, 1)[0][0]
        self.server.users[0] = Kept(*clicks, interests, len(interests))

    def one_by_one(self, clicks, candidates) -> Tensor:
        pairs = zip(*(ids.split(1) for ids in candidates), strict=True)
        return torch.cat([self.model(batch_of(clicks, pair)).logit for pair in pairs])

    def one_batch(self, clicks, candidates) -> Tensor:
        return self.model(batch_of(clicks, candidates)).logit

    def extractor_once(self, clicks, candidates) -> Tensor:
        return self.request(*clicks, self.valid, *candidates)

    def state_kept(self, clicks, candidates) -> Tensor:
        return self.server.score(0, *candidates)


NAMES = ("one_by_one", "one_batch", "extractor_once", "state_kept")


def timed(function: Callable, *arguments) -> tuple[float, Tensor]:
    started = time.process_time()
    result = function(*arguments)
    return time.process_time() - started, result


def summary(seconds: np.ndarray) -> dict:
    """Milliseconds at the middle and near the end, and how many a second one core answers."""
    p50, p99 = 1000 * np.quantile(seconds, [0.5, 0.99])
    return {
        "p50_ms": round(float(p50), 3),
        "p99_ms": round(float(p99), 3),
        "per_second": round(float(1 / seconds.mean()), 1),
    }


def ratio(slow: np.ndarray, fast: np.ndarray) -> dict:
    """How many times longer, round by round: the median and the quartiles."""
    low, middle, high = np.quantile(slow / fast, [0.25, 0.5, 0.75])
    quartiles = [round(float(low), 2), round(float(high), 2)]
    return {"ratio": round(float(middle), 2), "quartiles": quartiles}


def race(model: DIEN, steps: int, count: int, rounds: int) -> dict:
    """One size: every way answers each request; AssertionError if two answers differ."""
    ways, rows = Ways(model, steps), []
    for turn in range(WARM + rounds):
        clicks, candidates = draw(steps), draw(count)
        ways.arrive(clicks)
        order = np.roll(NAMES, turn)
        row = {name: timed(getattr(ways, name), clicks, candidates) for name in order}
        for _, logits in row.values():
            torch.testing.assert_close(logits, row["one_batch"][1], atol=1e-5, rtol=0)
        rows.append([row[name][0] for name in NAMES])
    seconds = dict(zip(NAMES, np.array(rows[WARM:]).T, strict=True))
    return {
        "steps": steps,
        "candidates": count,
        "requests": rounds,
        "ways": {name: summary(times) for name, times in seconds.items()},
        "than_state_kept": {
            name: ratio(seconds[name], seconds["state_kept"]) for name in NAMES[:-1]
        },
        "load": round(os.getloadavg()[0], 1),
    }


def click_race(model: DIEN, steps: int, rounds: int) -> dict:
    """One more click after `steps` of them: a step, or the whole history again."""
    server, valid, rows = Server(model, keep=steps), torch.ones(steps, dtype=torch.bool), []
    server.users[0] = Kept(*draw(steps), torch.randn(steps, 36), steps)

    def again(clicks):
        history = embed(model.embedding, *clicks)[None]
        return walk(model.extractor, history, None, valid, 1)

    for _ in range(WARM + rounds):
        (item,), (kind,) = (ids.tolist() for ids in draw(1))
        server.click(0, item, kind)  # untimed: it finds the caches full of another's data
        step, _ = timed(server.click, 0, item, kind)
        rows.append([step, timed(again, server.kept(0).oldest_first()[:2])[0]])
    step, whole = np.array(rows[WARM:]).T
    return {"steps": steps, "clicks": rounds, "step": summary(step), "again": summary(whole),
            "again_than_step": ratio(whole, step)}  # fmt: skip


def main(arguments: list[str] | None = None) -> dict:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the requests, for a look")
    parser.add_argument("--output", type=Path, help="default: the record; none with --share")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = DIEN(ITEMS, CATEGORIES).eval()

    def few(rounds: int) -> int:
        return max(3, int(rounds * options.share))

    with torch.no_grad():
        races = [race(model, *size, few(rounds)) for size, rounds in SIZES.items()]
        clicks = [click_race(model, steps, few(rounds)) for steps, rounds in CLICKS.items()]
    counts = {"items": ITEMS, "categories": CATEGORIES, "seed": 0}
    made = provenance(
        SimpleNamespace(name="random ids", fingerprint=lambda: counts),
        "cpu",
        command="python -m benchmarks.serving",
        split="none: nothing is trained, the weights are as they are drawn",
        samples="every history is full, there is no padding",
        negatives="none",
        clock="CPU seconds of the process",
    )
    record = {"provenance": made, "machine": machine(), "races": races, "clicks": clicks}
    show(record)
    output = options.output or (RECORD if options.share == 1 else None)
    if output:
        save_json(output, record)
    return record


def show(record: dict) -> None:
    """A line a way and size."""
    for one in record["races"]:
        print(f"T {one['steps']}, {one['candidates']} candidates, load {one['load']}")
        for name, found in one["ways"].items():
            line = "  {:15} p50 {p50_ms:8.2f} ms  p99 {p99_ms:8.2f} ms  {per_second:8.1f} a second"
            print(line.format(name, **found), one["than_state_kept"].get(name, ""))
    for one in record["clicks"]:
        print(f"a click after {one['steps']}: step {one['step']}, again {one['again']}")


if __name__ == "__main__":
    main()
