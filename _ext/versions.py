"""Run the package's tests with the oldest and newest versions it allows: `make versions`.

python _ext/versions.py [3.11:oldest 3.13:newest …] installs each environment with uv, below
.venv/versions, and runs the tests of the package in it, pages and notebooks left out. "oldest" are
the lower bounds of pyproject.toml, or the oldest release that has a wheel for that Python. It
prints a line for each environment, and ends with 1 if one fails. Without arguments: all six.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTHONS, ENDS = ("3.11", "3.12", "3.13"), {"oldest": "lowest-direct", "newest": "highest"}
# What a bound is for; Triton comes with PyTorch, in the one version that fits it.
SHOWN = ("torch", "numpy", "matplotlib", "ipywidgets", "anywidget", "numba", "scipy", "pooch")
TOOLS = ("pytest", "hypothesis", "scikit-learn", "nbformat")
TESTS = ("data", "kernels", "layers", "models", "training", "figures")
# The rest of tests/ is about pages, studies and tools. (`tests` as a whole is named, and these are
# left out: so each folder finds the helpers beside it.)
FILES = ("test_reference.py", "test_versions.py")
PYTEST = ("-q", "-p", "no:cacheprovider", "--no-header", "-k", "not browser and not explorer")


def requirements() -> list[str]:
    """The package's own dependencies, with those of the fast kernels and live figures."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    extras = project["optional-dependencies"]
    found = [*project["dependencies"], *extras["fast"], *extras["live"]]
    return [line for line in found if not line.startswith("triton")]


def environment(python: str, end: str) -> Path:
    """Make it, or bring it up to date, and return its interpreter."""
    folder = ROOT / ".venv" / "versions" / f"{python}-{end}"
    inside = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    # An interpreter that is here, before uv looks for one of its own.
    found = os.environ.get(f"PYTHON{python.replace('.', '')}", python)
    if not inside.exists():
        uv("venv", "--seed", "--python", found, str(folder))  # pip brings one of the mirrors
    install = ("pip", "install", "--python", str(inside), "--only-binary", ":all:")
    uv(*install, "--resolution", ENDS[end], *requirements())
    pinned = subprocess.run(
        [shutil.which("uv"), "pip", "freeze", "--python", str(inside)],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    constraints = folder / "constraints.txt"
    constraints.write_text("".join(f"{pin}\n" for pin in pinned.splitlines() if "==" in pin))
    uv(*install, "--constraint", str(constraints), *TOOLS)
    return inside


def uv(*arguments: str) -> None:
    """Run uv, and stop with its own words where it fails."""
    program = shutil.which("uv") or sys.exit("uv is missing. Run: pip install uv")
    done = subprocess.run([program, "--quiet", *arguments], check=False)
    if done.returncode:
        sys.exit(f"versions: uv {' '.join(arguments[:2])} failed, see above")


def versions(python: Path) -> str:
    """What is installed, of the packages that have a bound."""
    code = f"""
import importlib.metadata as m
print(", ".join(f"{{n}} {{m.version(n)}}" for n in {SHOWN}))"""
    return subprocess.run(
        [python, "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


def run(python: str, end: str) -> bool:
    """One environment: install, test, say what came of it."""
    inside = environment(python, end)
    settings = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    places = ROOT / "tests"
    left = [path for path in places.iterdir() if path.is_dir() and path.name not in TESTS]
    left += [path for path in places.glob("test_*.py") if path.name not in FILES]
    done = subprocess.run(
        [inside, "-m", "pytest", *PYTEST, places, *(f"--ignore={path}" for path in left)],
        cwd=ROOT, env=settings, capture_output=True, text=True, check=False,
    )  # fmt: skip
    last = re.sub(r"=+ | =+|\n", "", done.stdout.strip().rpartition("\n")[2])
    print(f"Python {python}, {end}: {last} ({versions(inside)})", flush=True)
    if done.returncode:
        print(done.stdout[-6000:], done.stderr[-2000:], sep="\n", file=sys.stderr)
    return done.returncode == 0


def main(names: list[str]) -> None:
    wanted = names or [f"{python}:{end}" for end in ENDS for python in PYTHONS]
    for name in wanted:
        if not re.fullmatch(rf"3\.\d+:({'|'.join(ENDS)})", name):
            sys.exit(f"versions: {name!r} is none of 3.11:oldest, 3.13:newest …")
    results = [run(*name.split(":")) for name in wanted]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
