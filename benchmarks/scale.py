"""Made-up Amazon files of the paper's shape, read and sampled: python -m benchmarks.scale --help.

The files have the publisher's format and counts, with long texts and rich metadata, and nobody's
words: what is timed is reading, sorting, sampling and a piece of an epoch, not learning.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from benchmarks.report import machine
from dien_edu.data import ctr_samples, load
from dien_edu.data.amazon import SETS
from dien_edu.models import build
from dien_edu.training import fit, losses, provenance
from dien_edu.training.checkpoint import save_json
from dien_edu.training.record import how_sampled

ROOT = Path(__file__).parent.parent
RECORD = ROOT / "book" / "results" / "scale.json"
FOLDER = ROOT / "_build" / "scale"


class Shape(NamedTuple):
    """What a made-up set has; `listed` items have metadata, most of them without reviews."""

    users: int
    items: int
    reviews: int
    listed: int
    categories: int
    text: int = 450  # mean number of characters of a review


SHAPES = {
    "electronics": Shape(192_403, 63_001, 1_689_188, 498_196, 801),
    "books": Shape(603_668, 367_982, 8_898_041, 2_370_585, 1_600),
}


# The files


def words(rng: np.random.Generator, characters: int) -> str:
    """Text of made-up words, some of them frequent, with what a JSON string must escape."""
    letters = np.array(list("etaoinshrdlucmfwygpbvk"))
    made = ["".join(rng.choice(letters, size=n)) for n in rng.integers(2, 11, size=8000)]
    made[40:44] = ['"quoted"', "new\nline", "back\\slash", "naïve"]
    chosen = np.minimum(rng.zipf(1.3, size=characters // 5), len(made)) - 1
    return " ".join(made[i] for i in chosen)[:characters]


def names(rng: np.random.Generator, count: int, start: str, length: int) -> list[str]:
    """Different names of capital letters and digits."""
    alphabet = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", dtype=np.uint8)
    made: dict[str, None] = {}
    while len(made) < count:
        codes = alphabet[rng.integers(36, size=(count, length))].tobytes().decode()
        made |= {start + codes[i : i + length]: None for i in range(0, len(codes), length)}
    return list(islice(made, count))


def draw_reviews(shape: Shape, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """User, item and day of each review: five or more a user, every item, some far more often."""
    extra = rng.geometric(0.25, size=shape.users).astype(float)
    extra *= (shape.reviews - 5 * shape.users) / extra.sum()
    length = 5 + np.floor(extra).astype(int)
    length[: shape.reviews - length.sum()] += 1
    user = np.repeat(np.arange(shape.users), length)
    item = np.minimum(rng.pareto(1.0, size=shape.reviews) * 300, shape.items - 1).astype(int)
    item[rng.permutation(shape.reviews)[: shape.items]] = np.arange(shape.items)
    order = np.argsort(item, kind="stable")  # the publisher's file goes by item
    day = rng.integers(10_000, 16_000, size=shape.reviews)
    return user[order], item[order], day[order]


def review_lines(shape: Shape, rng: np.random.Generator, asins: list[str]) -> Iterator[str]:
    """One JSON object a review, its fields as the publisher orders them."""
    reviewers = names(rng, shape.users, "A", 13)
    pool = json.dumps(words(rng, 2_000_000))[1:-1].split(" ")
    size = np.minimum(rng.exponential(shape.text / 5.6, size=shape.reviews).astype(int) + 3, 4000)
    start = rng.integers(len(pool) - 4000, size=shape.reviews)
    columns = [c.tolist() for c in (*draw_reviews(shape, rng), start, size)]
    for user, item, day, at, length in zip(*columns, strict=True):
        yield (
            f'{{"reviewerID": "{reviewers[user]}", "asin": "{asins[item]}", "reviewerName": '
            f'"{pool[at]}", "helpful": [{at % 9}, {at % 13}], "reviewText": '
            f'"{" ".join(pool[at : at + length])}", "overall": {at % 5 + 1}.0, "summary": '
            f'"{" ".join(pool[at : at + 4])}", "unixReviewTime": {day * 86400}, '
            f'"reviewTime": "{day % 12 + 1:02} {day % 28 + 1}, {1970 + day // 365}"}}\n'
        )


def metadata_lines(shape: Shape, rng: np.random.Generator, asins: list[str]) -> Iterator[str]:
    """One Python literal an item, with a description and the items bought and viewed as well."""
    pool = words(rng, 500_000).split(" ")
    for number, asin in enumerate(asins):
        at, others = number * 7 % (len(pool) - 200), number % (len(asins) - 60)
        path = ["Root", f"Part {number % 40}", f"Leaf &amp; {number % shape.categories}"]
        yield (
            repr(
                {
                    "asin": asin,
                    "related": {
                        "also_bought": asins[others : others + 40],
                        "also_viewed": asins[others + 20 : others + 20 + number % 40],
                    },
                    "title": " ".join(pool[at : at + 12]),
                    "price": number % 9999 / 100,
                    "salesRank": {"Root": number},
                    "imUrl": f"http://example.com/images/{asin}.jpg",
                    "description": " ".join(pool[at : at + 20 + number % 150]),
                    "categories": [path, ["Other", "Path"]][: 1 + number % 2],
                }
            )
            + "\n"
        )


def write(folder: Path, word: str, shape: Shape) -> Path:
    """Both files of one set, unless they are there."""
    rng = np.random.default_rng(0)
    asins = names(rng, shape.listed, "B0", 8)
    (folder / "amazon").mkdir(parents=True, exist_ok=True)
    for name, lines in {f"reviews_{word}_5": review_lines, f"meta_{word}": metadata_lines}.items():
        path = folder / "amazon" / f"{name}.json.gz"
        if not path.exists():
            with gzip.open(path.with_suffix(".part"), "wt", compresslevel=1) as file:
                file.writelines(lines(shape, rng, asins))
            path.with_suffix(".part").rename(path)
    return folder


# The measurement, in a process of its own


def peak_gib() -> float:
    """The most memory that this process ever held."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


class Stages(dict):
    """Name: seconds by the clock, seconds of one core, and the peak memory so far."""

    @contextmanager
    def stage(self, name: str):
        """Measure what stands in the block."""
        clock, core = time.perf_counter(), time.process_time()
        yield
        clock, core = time.perf_counter() - clock, time.process_time() - core
        self[name] = {
            "seconds": round(clock, 2),
            "cpu_seconds": round(core, 2),
            "peak_gib": round(peak_gib(), 2),
        }


def measure(name: str, steps: int) -> dict:
    """Read the files, draw the samples of both protocols, train for some steps."""
    stages, others = Stages(), round(os.getloadavg()[0], 1)
    with stages.stage("files to interactions"):
        data = load(f"amazon-{name}")
    with stages.stage("interactions to samples"):
        splits = ctr_samples(data)
    with stages.stage("a pass begins, with its non-clicks"):
        next(splits.train.batches(256, shuffle=(0, 0)))
    made = provenance(data, "cpu", **how_sampled(splits.train))
    epoch = piece_of_an_epoch(splits.train, stages, steps) if steps else None
    with stages.stage("interactions to samples, the paper's protocol"):
        ctr_samples(data, protocol="paper")
    found = {"provenance": made, "stages": stages, "epoch": epoch, "note": data.note}
    return {**found, "processes_waiting_for_a_core": others}


def piece_of_an_epoch(train, stages: Stages, steps: int) -> dict:
    """Time some steps of DIEN at its default settings; the whole epoch is only extrapolated."""
    options = fit.__kwdefaults__
    torch.manual_seed(0)
    model = build("dien", train.interactions.n_items, train.interactions.n_categories)
    adam = torch.optim.Adam(model.parameters(), lr=options["learning_rate"], fused=True)
    batches = train.batches(options["batch_size"], shuffle=(0, 0))

    def step(batch) -> None:
        loss = losses(model, batch)[2]
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()

    for batch in islice(batches, 5):  # the kernels are compiled
        step(batch)
    with stages.stage("a piece of an epoch"):
        for batch in islice(batches, steps):
            step(batch)
    whole = -(-len(train) // options["batch_size"])
    found = stages["a piece of an epoch"]
    return {
        "model": "dien",
        "batch_size": options["batch_size"],
        "max_history": train.max_history,
        "samples": len(train),
        "measured_steps": steps,
        "whole_steps": whole,
        "extrapolated": True,
        "extrapolated_epoch_seconds": round(found["seconds"] / steps * whole, 1),
        "extrapolated_epoch_cpu_seconds": round(found["cpu_seconds"] / steps * whole, 1),
    }


def run(name: str, folder: Path, steps: int) -> dict:
    """Make the files, then measure in a fresh process, whose peak memory is that of the work."""
    shape = SHAPES[name]
    started = time.perf_counter()
    write(folder, SETS[f"amazon-{name}"][0], shape)
    print(f"{name}: files made in {time.perf_counter() - started:.0f} s", flush=True)
    sizes = {path.name: path.stat().st_size for path in sorted((folder / "amazon").glob("*.gz"))}
    call = [sys.executable, "-m", "benchmarks.scale", name, "--measure", "--steps", str(steps)]
    surroundings = {**os.environ, "DIEN_EDU_DATA": str(folder)}
    done = subprocess.run(call, env=surroundings, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return {"shape": shape._asdict(), "bytes": sizes, **found}


def record(name: str, found: dict, path: Path) -> None:
    """Put one set's figures into the record, beside those of the other."""
    old = json.loads(path.read_text(encoding="utf8")) if path.exists() else {"sets": {}}
    sets = {**old["sets"], name: {key: v for key, v in found.items() if key != "provenance"}}
    sets[name]["made"] = found["provenance"]
    main = sets.get("electronics", sets[name])["made"]
    command = "python -m benchmarks.scale electronics books"
    content = {"provenance": {"command": command, **main}, "machine": machine(), "sets": sets}
    save_json(path, content)


def main(arguments: list[str] | None = None) -> None:
    """Make, measure, record, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("names", nargs="+", choices=SHAPES)
    parser.add_argument("--steps", type=int, default=100, help="of the epoch (default 100)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the files are made")
    parser.add_argument("--output", type=Path, default=RECORD)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.measure:
        print(json.dumps(measure(options.names[0], options.steps)))
        return
    for name in options.names:
        found = run(name, options.folder / name, options.steps)
        record(name, found, options.output)
        for stage, numbers in found["stages"].items():
            line = "{seconds:8.1f} s {cpu_seconds:8.1f} core s {peak_gib:6.2f} GiB  "
            print(line.format(**numbers) + stage)


if __name__ == "__main__":
    main()
