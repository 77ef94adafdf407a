"""Compare chapters with their stored outputs, many times on a busy machine: `make steady`.

python _ext/steady.py TIMES NOTEBOOK_OR_FOLDER keeps every core busy with a process of its own and
ends with 1 at the first run that fails: a test that passes by luck fails now and then.
"""

from __future__ import annotations

import os
import subprocess
import sys

COMPARE = ("--nbval", "--nbval-current-env", "--nbval-sanitize-with", "tests/nbval-sanitize.cfg")


def main(times: int, place: str) -> None:
    spin = [sys.executable, "-c", "while True: pass"]
    busy = [subprocess.Popen(spin) for _ in range(os.cpu_count() or 1)]
    try:
        for n in range(1, times + 1):
            command = [sys.executable, "-m", "pytest", "-q", *COMPARE, place]
            if subprocess.run(command, check=False).returncode:
                sys.exit(f"steady: run {n} of {times} fails")
            print(f"run {n} of {times} passed", flush=True)
    finally:
        for process in busy:
            process.kill()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
