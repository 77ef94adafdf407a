"""From races to the record (JSON), the table and the targets."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

from benchmarks.contestants import ALL
from benchmarks.peers.inputs import Spec
from benchmarks.race import Race, milliseconds, ratio
from dien_edu.training import provenance

KIND = {contestant.name: contestant.kind for contestant in ALL}
FULL_STEPS = [c.name for c in ALL if c.kind != "layer"]
PEERS = [c.name for c in ALL if c.environment]


def machine() -> dict:
    """The processor's name and how many cores there are; nothing else of this machine."""
    cpuinfo, name = Path("/proc/cpuinfo"), platform.processor()
    if cpuinfo.exists():
        found = re.search(r"^model name\s*: (.+)$", cpuinfo.read_text(), re.M)
        name = found[1] if found else name
    elif platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        name = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return {"cpu": name or platform.machine(), "cores": os.cpu_count()}


def how_made(rounds: int) -> dict:
    """The provenance of the speeds: ids are random, no data set is involved."""
    spec = Spec(batch=0, steps=0)
    counts = {"items": spec.items, "categories": spec.categories, "seed": 0}
    data = SimpleNamespace(name="random ids", fingerprint=lambda: counts)
    return provenance(
        data,
        "cpu",
        split="none: each contestant trains on one batch again and again",
        samples="every history is full, there is no padding",
        negatives="uniform",
        rounds=rounds,
    ) | {"threads": 1}


def size_record(race: Race) -> dict:
    """One size: times and memory of everyone, ratios of those that do the same work."""
    results = {
        name: {**milliseconds(rounds), "memory_mib": round(race.memory[name], 1)}
        for name, rounds in race.rounds.items()
    }
    return {
        "batch": race.spec.batch,
        "steps": race.spec.steps,
        "results": results,
        "ratios": ratios(race.rounds),
        "skipped": race.skipped,
    }


def ratios(rounds: dict[str, list[list[float]]]) -> dict[str, dict]:
    """How many times longer each takes than ours of the same kind; a layer: than `nn.GRU`."""
    found = {}
    for name, times in rounds.items():
        base = "gru" if KIND[name] == "layer" else f"ours-fused-{KIND[name]}"
        if base in rounds and name != base:
            found[name] = {"to": base, **ratio(times, rounds[base])}
    return found


def table(size: dict) -> str:
    """One size: milliseconds a step, MiB, and the ratio to what each is held against."""
    lines = [f"batch {size['batch']}, T {size['steps']}"]
    for name, one in size["results"].items():
        lines.append(_row(name, one, size["ratios"].get(name)))
    lines += [f"  {name:20} skipped: {why}" for name, why in size["skipped"].items()]
    return "\n".join(lines)


def _row(name: str, one: dict, compared: dict | None) -> str:
    low, high = one["quartiles"]
    text = f"  {name:20} {one['milliseconds']:8.1f} ms  [{low:.1f}–{high:.1f}]"
    text += f"  {one['memory_mib']:7.0f} MiB"
    if compared:
        low, high = compared["quartiles"]
        text += f"  {compared['ratio']:5.2f} × {compared['to']} [{low:.2f}–{high:.2f}]"
    return text


def targets(record: dict) -> list[dict]:
    """What was promised and what was measured, for all that was measured."""
    sizes = {(size["batch"], size["steps"]): size for size in record["sizes"]}
    rows = [
        _peer_target(sizes, *goal) for goal in ((128, 100, 4.0), (1024, 100, 4.0), (128, 20, 2.5))
    ]
    rows += [_layer_target(sizes, batch) for batch in (128, 1024)]
    rows += [_memory_target(sizes, batch) for batch in (128, 1024)]
    rows += [_linear_target(sizes, name) for name in ("augru-fused", "ours-fused-inner")]
    return [row for row in rows if row]


def _goal(text: str, value: float, limit: float, least: bool) -> dict:
    met = value >= limit if least else value <= limit
    return {"target": text, "value": round(value, 3), "limit": limit, "met": met}


def _peer_target(sizes: dict, batch: int, steps: int, limit: float) -> dict | None:
    found = sizes.get((batch, steps), {"ratios": {}})["ratios"]
    values = [found[name]["ratio"] for name in PEERS if name in found]
    text = f"fastest peer / ours, batch {batch}, T {steps}, at least"
    return _goal(text, min(values), limit, least=True) if values else None


def _layer_target(sizes: dict, batch: int) -> dict | None:
    found = sizes.get((batch, 100), {"ratios": {}})["ratios"].get("augru-fused")
    text = f"fused AUGRU / nn.GRU, batch {batch}, T 100, at most"
    return _goal(text, found["ratio"], 0.6, least=False) if found else None


def _memory_target(sizes: dict, batch: int) -> dict | None:
    results = sizes.get((batch, 100), {"results": {}})["results"]
    if not {"gru", "augru-fused"} <= results.keys():
        return None
    scores = 2 * batch * 100 * 4 / 2**20  # the attention and its gradient, in MiB
    limit = round(results["gru"]["memory_mib"] + scores, 1)
    text = f"peak MiB of the fused AUGRU, batch {batch}, T 100, at most nn.GRU's + attention"
    return _goal(text, results["augru-fused"]["memory_mib"], limit, least=False)


def _linear_target(sizes: dict, name: str) -> dict | None:
    times = [sizes.get((128, steps), {}).get("results", {}).get(name) for steps in (100, 200)]
    if not all(times):
        return None
    value = times[1]["milliseconds"] / times[0]["milliseconds"]
    return _goal(f"{name}: T 200 / T 100, batch 128, at most", value, 2.1, least=False)


def show_targets(rows: list[dict]) -> str:
    """One line a target."""
    return "\n".join(
        f"  {'met   ' if row['met'] else 'MISSED'} {row['target']} {row['limit']}: {row['value']}"
        for row in rows
    )
