"""Our end of the conversation with a contestant's process (the other end: peers/serve.py)."""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.contestants import Contestant
from benchmarks.environments import ROOT, python_of
from benchmarks.peers.inputs import Spec

THREADS = ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB_MAXIMUM")
LIMIT = 900.0  # seconds that one answer may take


class WorkerError(RuntimeError):
    """A contestant stopped, failed or did not answer; the text is the reason, in one line."""


def one_thread() -> dict[str, str]:
    """The environment of a contestant: one thread, no GPU, nothing from outside."""
    chosen = {f"{name}_NUM_THREADS": "1" for name in THREADS}
    return {**os.environ, **chosen, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": ""}


class Worker:
    """A contestant's process at one size, ready to step. WorkerError if it does not start."""

    def __init__(self, contestant: Contestant, spec: Spec, python: Path | None = None):
        python = python or python_of(contestant.environment)
        given = json.dumps({"spec": asdict(spec), "options": contestant.options})
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed in `close`)
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.peers.serve", contestant.module, given],
            cwd=ROOT, env=one_thread(), text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
        )  # fmt: skip
        self.ready = self._answer()

    def ask(self, line: str) -> dict:
        """Send a line, wait for its answer."""
        try:
            print(line, file=self.process.stdin)
        except OSError:
            raise self._failed("stopped") from None
        return self._answer()

    def step(self) -> float:
        """The seconds of one step."""
        return self.ask("step")["seconds"]

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        for file in (self.process.stdin, self.process.stdout, self.errors):
            file.close()

    def _answer(self) -> dict:
        there, _, _ = select.select([self.process.stdout], [], [], LIMIT)
        line = self.process.stdout.readline() if there else ""
        if not line:
            raise self._failed("stopped" if there else f"gave no answer in {LIMIT:.0f} s")
        answer = json.loads(line)
        if "error" in answer:
            raise self._failed(answer["error"])
        return answer

    def _failed(self, reason: str) -> WorkerError:
        self.process.kill()
        self.errors.seek(0)
        said = self.errors.read().strip().splitlines()
        self.close()
        return WorkerError(f"{reason} ({said[-1].strip()})" if said else reason)
