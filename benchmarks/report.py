"""From races to the record (JSON), the table and the targets."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

from benchmarks.contestants import ALL, Contestant, Size
from benchmarks.peers.inputs import Spec
from benchmarks.race import Race, milliseconds, ratio
from dien_edu.training import provenance

KIND = {contestant.name: contestant.kind for contestant in ALL}
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


def how_made(rounds: int, samples: str = "every history is full, there is no padding") -> dict:
    """The provenance of the speeds: ids are random, no data set is involved."""
    spec = Spec(batch=0, steps=0)
    counts = {"items": spec.items, "categories": spec.categories, "seed": 0}
    data = SimpleNamespace(name="random ids", fingerprint=lambda: counts)
    return provenance(
        data,
        "cpu",
        split="none: each contestant trains on one batch again and again",
        samples=samples,
        negatives="uniform",
        rounds=rounds,
    ) | {"threads": 1, "clock": "CPU seconds of the process"}


def results(race: Race) -> dict[str, dict]:
    """Times and memory of everyone that came through."""
    return {
        name: {**milliseconds(rounds), "memory_mib": round(race.memory[name], 1)}
        for name, rounds in race.rounds.items()
    }


def size_record(size: Size, race: Race) -> dict:
    """One size: results, ratios of those that do the same work, who was skipped and why."""
    return {
        "batch": size[0],
        "steps": size[1],
        "results": results(race),
        "ratios": ratios(race.rounds),
        "skipped": race.skipped,
        "load": round(os.getloadavg()[0], 1),
    }


def curve_record(race: Race) -> list[dict]:
    """A curve: one row a contestant and size."""
    rows = []
    for name, result in results(race).items():
        contestant, spec = race.entries[name]
        rows.append({"name": contestant.name, "batch": spec.batch, "steps": spec.steps, **result})
    return rows


def doublings(race: Race) -> dict[str, dict]:
    """T 200 against T 100, round by round: {contestant: ratio}."""
    found = {}
    for name, rounds in race.rounds.items():
        contestant, spec = race.entries[name]
        half = race.rounds.get(entry_name(contestant, (spec.batch, 100)))
        if spec.steps == 200 and half:
            found[contestant.name] = ratio(rounds, half)
    return found


def entry_name(contestant: Contestant, size: Size) -> str:
    """The name of a contestant in a race of several sizes."""
    return f"{contestant.name} {size[0]}x{size[1]}"


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
    text = f"  {name:28} {one['milliseconds']:8.1f} ms  [{low:.1f}–{high:.1f}]"
    text += f"  {one['memory_mib']:7.0f} MiB"
    if compared:
        low, high = compared["quartiles"]
        text += f"  {compared['ratio']:5.2f} × {compared['to']} [{low:.2f}–{high:.2f}]"
    return text


def curve_table(rows: list[dict]) -> str:
    """A curve: one line a contestant and size."""
    return "\n".join(_row(f"{r['name']} {r['batch']}x{r['steps']}", r, None) for r in rows)


def targets(record: dict) -> list[dict]:
    """What was promised and what was measured, for all that was measured."""
    sizes = {(size["batch"], size["steps"]): size for size in record["sizes"]}
    rows: list[dict | None] = []
    for goal in ((128, 100, 4), (1024, 100, 4), (128, 20, 2.5)):
        rows += _peer_targets(sizes, *goal)
    rows += [_layer_target(sizes, batch) for batch in (128, 1024)]
    rows += [_memory_target(sizes, batch) for batch in (128, 1024)]
    for name, found in record["doublings"].items():
        if name in ("augru-fused", "ours-fused-inner"):
            text = f"{name}: T 200 / T 100, batch 128, at most"
            rows.append(_goal(text, found["ratio"], 2.1, least=False))
    return [row for row in rows if row]


def _goal(text: str, value: float, limit: float, least: bool) -> dict:
    met = value >= limit if least else value <= limit
    return {"target": text, "value": round(value, 3), "limit": limit, "met": met}


def _peer_targets(sizes: dict, batch: int, steps: int, limit: float) -> list[dict]:
    """Two readings, each against ours with the peer's kind of auxiliary loss.

    The peer with the shortest step; and the peer that comes closest, which is stricter.
    """
    size = sizes.get((batch, steps), {"ratios": {}})
    peers = [name for name in PEERS if name in size["ratios"]]
    if not peers:
        return []
    fastest = min(peers, key=lambda name: size["results"][name]["milliseconds"])
    closest = min(peers, key=lambda name: size["ratios"][name]["ratio"])
    return [
        _goal(
            f"{word} peer ({name}) / ours, batch {batch}, T {steps}, at least",
            size["ratios"][name]["ratio"],
            limit,
            least=True,
        )
        for word, name in (("fastest", fastest), ("closest", closest))
    ]


def _layer_target(sizes: dict, batch: int) -> dict | None:
    found = sizes.get((batch, 100), {"ratios": {}})["ratios"].get("augru-fused")
    text = f"fused AUGRU / nn.GRU, batch {batch}, T 100, at most"
    return _goal(text, found["ratio"], 0.6, least=False) if found else None


def _memory_target(sizes: dict, batch: int) -> dict | None:
    found = sizes.get((batch, 100), {"results": {}})["results"]
    if not {"gru", "augru-fused"} <= found.keys():
        return None
    scores = 2 * batch * 100 * 4 / 2**20  # the attention and its gradient, in MiB
    limit = round(found["gru"]["memory_mib"] + scores, 1)
    text = f"peak MiB of the fused AUGRU, batch {batch}, T 100, at most nn.GRU's + attention"
    return _goal(text, found["augru-fused"]["memory_mib"], limit, least=False)


def show_targets(rows: list[dict]) -> str:
    """One line a target."""
    return "\n".join(
        f"  {'met   ' if row['met'] else 'MISSED'} {row['target']} {row['limit']}: {row['value']}"
        for row in rows
    )
