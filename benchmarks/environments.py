"""An environment of its own for each peer, made once: .venv/bench-<name>."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
REQUIREMENTS = Path(__file__).parent / "requirements"
VERSIONS = {"torch-rechub": "0.9.0", "deepctr-torch": "0.3.0", "recbole": "1.2.1"}


class SetupError(RuntimeError):
    """A peer could not be installed here; the text is the reason, in one line."""


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        lines = lines or done.stderr.splitlines() or [f"status {done.returncode}"]
        raise SetupError(lines[-1].strip())


def stamp(name: str) -> str:
    """What the environment was made from: it is made anew when this changes."""
    wanted = (REQUIREMENTS / f"{name}.txt").read_bytes() + VERSIONS[name].encode()
    return f"{platform.python_version()} {hashlib.sha256(wanted).hexdigest()[:16]}"


def make(name: str, folder: Path) -> None:
    """Install what the peer needs, then the peer itself without what else it asks for."""
    shutil.rmtree(folder, ignore_errors=True)
    _run(sys.executable, "-m", "venv", folder)
    pip = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
    pip.append("--disable-pip-version-check")
    _run(*pip, "--requirement", REQUIREMENTS / f"{name}.txt")
    _run(*pip, "--no-deps", f"{name}=={VERSIONS[name]}")


def python_of(name: str | None) -> Path:
    """The Python that has this library, installed if need be; None is ours, this very one.

    SetupError if it cannot be installed.
    """
    if name is None:
        return Path(sys.executable)
    folder = ROOT / ".venv" / f"bench-{name}"
    made = folder / "made-from.txt"
    if not made.exists() or made.read_text() != stamp(name):
        print(f"Setting up {name} {VERSIONS[name]} in .venv/bench-{name} ...", file=sys.stderr)
        make(name, folder)
        made.write_text(stamp(name))
    return folder / "bin/python"


def set_up(names: set[str | None]) -> dict[str, str]:
    """Make what is missing; {name: why not} of those that cannot be had here, printed as well."""
    failed = {}
    for name in sorted(filter(None, names)):
        try:
            python_of(name)
        except SetupError as error:
            failed[name] = f"could not be installed: {error}"
            print(f"{name} is skipped, it {failed[name]}", file=sys.stderr)
    return failed
