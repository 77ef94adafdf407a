"""A record that goes on where it was cut off: what every study does first."""

from __future__ import annotations

import json
from pathlib import Path

from dien_edu.training.checkpoint import check_writable, load_json

AGAIN = Path(__file__).parent.parent / "book" / "results" / "again.json"


def same_numbers(one: str, other: str) -> bool:
    """Are these states of the sources equal, or known to give the same numbers? `studies.again`."""
    known = json.loads(AGAIN.read_text(encoding="utf8"))["states"] if AGAIN.exists() else []
    return one == other or {one, other} <= set(known)


def opened(path: Path, new: dict) -> dict:
    """The record at `path`, or `new` if there is none; a place that takes no file is an OSError.

    ValueError if it was recorded with sources that give other numbers, or from other data, or if
    it is half-written.
    """
    check_writable(path)
    if not path.exists():
        return new
    old = load_json(path, "provenance")
    made, now = old["provenance"], new["provenance"]
    for key, same in (
        ("sources", same_numbers(made["sources"], now["sources"])),
        ("data", made["data"] == now["data"]),
    ):
        if not same:
            raise ValueError(f"{path} was recorded with other {key}: move it away to record anew")
    more = {key: now[key] for key in ("sources", "date") if key in now}
    if made["sources"] != now["sources"] and more not in made.setdefault("continued", []):
        made["continued"].append(more)
    return old
