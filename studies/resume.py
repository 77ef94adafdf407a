"""A record that goes on where it was cut off: what every study does first."""

from __future__ import annotations

import json
from pathlib import Path

from dien_edu.training.checkpoint import check_writable


def opened(path: Path, new: dict) -> dict:
    """The record at `path`, or `new` if there is none; a place that takes no file is an OSError.

    ValueError if it was recorded with other sources or from other data than `new` says.
    """
    check_writable(path)
    if not path.exists():
        return new
    old = json.loads(path.read_text(encoding="utf8"))
    for key in ("sources", "data"):
        if old["provenance"][key] != new["provenance"][key]:
            raise ValueError(f"{path} was recorded with other {key}: move it away to record anew")
    return old
