"""A contestant's process: python -m benchmarks.peers.serve NAME '{"spec": {…}, "options": {…}}'.

It says when it is ready; then each line it reads gets one line of JSON: "step" → the CPU
seconds of one training step, "memory" → MiB needed since it was ready. An error is a line as well.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from importlib import metadata
from typing import TextIO

import torch

from benchmarks.peers import memory
from benchmarks.peers.inputs import Spec

LIBRARIES = ("torch", "numpy", "numba", "dien-edu", "torch-rechub", "deepctr-torch", "recbole")


def claim_stdout() -> TextIO:
    """A private copy of stdout; whatever a library prints goes to stderr from now on."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return answers


def versions() -> dict[str, str]:
    """The versions of what can be imported here."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name).split("+")[0]
        except metadata.PackageNotFoundError:
            continue
    return found


def timed(step: Callable[[], dict | None]) -> dict:
    """One step and its CPU seconds, plus what the step itself reports.

    With one thread they are the seconds of the clock, less those in which others had the core.
    """
    started = time.process_time()
    reported = step()
    return {"seconds": time.process_time() - started, **(reported or {})}


def serve(name: str, spec: Spec, options: dict, answers: TextIO) -> None:
    """Build, say "ready", then answer every line."""
    torch.set_num_threads(1)
    build = importlib.import_module(f"benchmarks.peers.{name}").build
    first = timed(build(spec.tiny(), **options))  # compiles what is to be compiled
    base = memory.mark()
    step = build(spec, **options)
    ready = {"ready": versions(), "first_step": first["seconds"]}
    print(json.dumps(ready), file=answers)
    for line in sys.stdin:
        answer = timed(step) if line.strip() == "step" else {"mib": memory.peak() - base}
        print(json.dumps(answer), file=answers)


def main(name: str, given: str) -> int:
    """Serve one contestant; 1 after an error, which the last answer names."""
    answers = claim_stdout()
    wanted = json.loads(given)
    try:
        serve(name, Spec(**wanted["spec"]), wanted["options"], answers)
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), file=answers)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
