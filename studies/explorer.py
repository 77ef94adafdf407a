"""The small networks of chapter 12: trained on the generated world, rounded, written for the page.

python -m studies.explorer trains what is missing and writes the networks and their record.
python -m studies.explorer --frame measures in Chromium how long the page takes for an answer.
python -m studies.explorer --glance writes the figure of the index page.

The networks are a file of the package, `dien_edu/figures/live/network.json`: the page and PyTorch
read the same numbers from it, rounded to half precision.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import platform
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator

from dien_edu.data import Interactions, Splits, ctr_samples
from dien_edu.data.samples import impressions
from dien_edu.data.world import CATALOGUE, catalogue, interest_world
from dien_edu.figures.live import network
from dien_edu.models import DIEN, count_parameters
from dien_edu.training import evaluate, fit, load_checkpoint, provenance
from dien_edu.training.checkpoint import save_json, write_safely
from dien_edu.training.record import how_sampled
from dien_edu.training.truth import attention_precision, movement

ROOT = Path(__file__).parent.parent
RECORD = ROOT / "book" / "results" / "explorer.json"
GLANCE = ROOT / "book" / "images" / "glance.html"
PARTS = ROOT / "_build" / "explorer"  # trained models; a run that was cut off goes on
EVOLUTIONS = ("aigru", "agru", "augru")
WORLD = {"n_users": 2000, "n_steps": 51}  # histories of 0 to 50 clicks, as in the page
SIZES = {"embedding_size": 16, "hidden_size": 16}  # a reader can look at 16 numbers
FIT = {"epochs": 6, "patience": 6, "batch_size": 256, "learning_rate": 3e-3, "device": "cpu"}
SEED = 0


def shown_or_any(data: Interactions, events: np.ndarray, rng: Generator) -> np.ndarray:
    """A non-click: half of the time one that was shown beside the click, else any other item.

    In the world everything shown is of one interest. A model that saw nothing else could not know
    that a photographer does not want a trowel.
    """
    other = (data.item[events] - 1 + rng.integers(1, data.n_items, len(events))) % data.n_items + 1
    shown = rng.random(len(events)) < 0.5
    return np.where(shown, impressions(data, events, rng), other)


def trained(splits: Splits, evolution: str, folder: Path, **options) -> tuple[DIEN, list[dict]]:
    """The model with this evolution, trained now or read from its checkpoint; its epochs."""
    data = splits.train.interactions
    torch.manual_seed(SEED)
    model = DIEN(data.n_items, data.n_categories, evolution, **SIZES)
    rest = {"seed": SEED, "checkpoint": folder / f"{evolution}.pt", "resume": True}
    fit(model, splits.train, splits.validation, **{"progress": False, **FIT, **options}, **rest)
    return model.eval(), load_checkpoint(folder / f"{evolution}.pt")["rows"]


def rounded(model: DIEN) -> dict[str, dict]:
    """Name -> shape and numbers, half precision, little-endian, base64."""
    found = {}
    for name, tensor in model.state_dict().items():
        half = tensor.numpy().astype("<f2")
        assert np.isfinite(half).all(), name
        data = base64.b64encode(half.tobytes()).decode()
        found[name] = {"shape": list(half.shape), "data": data}
    return found


def write_networks(models: dict[str, DIEN], path: Path) -> None:
    """The file that the page and PyTorch read: the catalogue, and the weights of each evolution."""
    names, traits = catalogue()
    items = [[name, *map(int, row)] for name, row in zip(names, traits, strict=True)]
    content = {
        "interests": list(CATALOGUE),
        "items": items,  # title, interest, stage, tier; item 0 is padding
        "sizes": SIZES,
        "networks": {evolution: rounded(model) for evolution, model in models.items()},
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"
    write_safely(path, lambda file: file.write(text.encode()))


def record(splits: Splits, path: Path, networks: Path, folder: Path = PARTS, **options) -> dict:
    """Train the three, write the networks, and measure them as the page has them: rounded."""
    found = {e: trained(splits, e, folder, **options) for e in EVOLUTIONS}
    write_networks({e: model for e, (model, _) in found.items()}, networks)
    how = how_sampled(splits.train) | {"world": WORLD, "options": FIT | SIZES, "seeds": [SEED]}
    made = provenance(splits.train.interactions, "cpu", **how)
    content = {"provenance": {"command": "python -m studies.explorer", **made}, "runs": []}
    for evolution, (model, epochs) in found.items():
        small = network.load(evolution, networks)
        content["runs"].append({
            "evolution": evolution,
            "parameters": count_parameters(model),
            "curve": [round(epoch["auc"], 5) for epoch in epochs],
            "validation": evaluate(model, splits.validation),
            "validation_rounded": evaluate(small, splits.validation),
            "test_rounded": evaluate(small, splits.test),
            "attention": attention_precision(small, splits.test),
            "movement": movement(small, splits.test),
        })  # fmt: skip
    old = json.loads(path.read_text(encoding="utf8")) if path.exists() else {}
    content |= {key: old[key] for key in ("frame",) if key in old}
    save_json(path, content)
    return content


MEASURE = """async (answers) => {
  const root = document.querySelector("explorer-figure"), { model } = root;
  const items = Array.from({ length: 50 }, (_, t) => 1 + ((37 * t) % 144));
  const times = [];
  for (let n = 0; n < answers; n += 1) {
    const t = (7 * n) % 49;
    [items[t], items[t + 1]] = [items[t + 1], items[t]];
    const begin = performance.now();
    model.set("history", [...items]);
    await Promise.resolve(); // the figure draws once all values are set
    root.getBoundingClientRect(); // and lays out
    times.push(performance.now() - begin);
  }
  return times;
}"""
ANSWERS = 200


def frame(browser) -> dict[str, float]:
    """Milliseconds from a swap in a history of 50 clicks to the drawn answer, in this browser.

    `median_ms` by the clock; `cpu_ms` is the processor time of the page's thread, a mean, which
    other work of the machine prolongs less.
    """
    from dien_edu.figures.live import ExplorerFigure, bundle

    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_content(
        "<!doctype html><html lang='en' data-theme='light'><title>frame</title>"
        f"<main>{ExplorerFigure().html()}</main>"
        f"<script type='module'>{bundle.bundle('explorer')}</script>"
    )
    page.evaluate(MEASURE, 60)  # the first ones warm the browser up
    watch = page.context.new_cdp_session(page)
    watch.send("Performance.enable", {"timeDomain": "threadTicks"})
    names = {"cpu_ms": "TaskDuration", "script_ms": "ScriptDuration"}

    def clock():
        found = {m["name"]: m["value"] for m in watch.send("Performance.getMetrics")["metrics"]}
        return {key: 1000 * found[name] / ANSWERS for key, name in names.items()}

    before = clock()
    times = page.evaluate(MEASURE, ANSWERS)
    spent = {key: round(value - before[key], 2) for key, value in clock().items()}
    page.close()
    return {"median_ms": round(float(np.median(times)), 2), **spent}


def measure_frame(path: Path = RECORD) -> dict:
    """Add the time of an answer to the record."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        options = {"executable_path": chromium(), "args": ["--no-sandbox", "--disable-gpu"]}
        browser = driver.chromium.launch(**options)
        found = {"clicks": 50, "answers": ANSWERS, **frame(browser), "browser": browser.version}
        browser.close()
    content = json.loads(path.read_text(encoding="utf8"))
    busy = {"load": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}
    content["frame"] = found | busy | {"machine": machine()}
    save_json(path, content)
    return content["frame"]


def write_glance(path: Path = GLANCE) -> None:
    """The element of the index page, which is no notebook: what a cell would have stored."""
    from dien_edu.figures.live import GlanceFigure

    path.write_text(GlanceFigure().html() + "\n", encoding="utf8")


def chromium() -> str | None:
    """The system's browser; None leaves the choice to Playwright."""
    from shutil import which

    return next(filter(None, map(which, ("chromium", "chromium-browser", "google-chrome"))), None)


def machine() -> str:
    """The processor in words, as the system names it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, one thread"


def main(arguments: list[str] | None = None) -> None:
    """Record the networks, or the time of an answer."""
    parser = argparse.ArgumentParser(prog="python -m studies.explorer")
    parser.add_argument("--frame", action="store_true", help="only measure the page in Chromium")
    parser.add_argument("--glance", action="store_true", help="only write the index page's figure")
    options = parser.parse_args(arguments)
    if options.frame:
        print(measure_frame())
        return
    if options.glance:
        write_glance()
        return
    torch.set_num_threads(1)
    splits = ctr_samples(interest_world(**WORLD), sampler=shown_or_any)
    for run in record(splits, RECORD, network.FILE)["runs"]:
        print(run["evolution"], run["curve"], run["test_rounded"], run["attention"])
    write_glance()


if __name__ == "__main__":
    main()
