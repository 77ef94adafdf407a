"""How much memory a process came to need since a moment, in MiB."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from pathlib import Path

STATUS = Path("/proc/self/status")


def _field(name: str) -> float:
    """A field of the kernel's report on this process, in MiB."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def peak() -> float:
    """The most that was ever resident, in MiB.

    Linux's `ru_maxrss` starts at what the parent process had, so its own record is read there.
    """
    if STATUS.exists():
        return _field("VmHWM")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def mark() -> float:
    """What is resident now, in MiB; on Linux `peak` starts anew from here."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _field("VmRSS") if STATUS.exists() else peak()
