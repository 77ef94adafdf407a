# @title Run this first: the package and the files of the chapter
# @markdown The package and the recorded results are in this cell; no download brings them.
# @markdown On a GPU, "automatic" is "full", with more seeds and epochs; on a CPU it is "quick".
# @markdown For a GPU in Colab: *Runtime → Change runtime type → T4 GPU*, then *Runtime → Run all*.
profile = "automatic"  # @param ["automatic", "quick", "full"]

import base64
import importlib.metadata
import importlib.util
import io
import os
import platform
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

NEEDED, WELCOME = ("torch", "numpy", "matplotlib", "pooch", "tqdm"), ("anywidget", "numba", "scipy")
BEFORE = globals().get("BEFORE", os.environ.get("DIEN_EDU_PROFILE"))


def missing(names):
    """Those of the names that cannot be imported here."""
    return [name for name in names if importlib.util.find_spec(name) is None]


def version_here():
    """The version of the package that an import would find, or None."""
    try:
        return importlib.metadata.version("dien-edu")
    except importlib.metadata.PackageNotFoundError:
        return "without metadata" if importlib.util.find_spec("dien_edu") else None


def install(name, wheel):
    """Put the package into this environment, or, where that cannot be, on the path only.

    An install that is not from a notebook of the book may be somebody's work: it stays.
    """
    folder = Path(tempfile.mkdtemp(prefix="dien-book-"))
    (folder / name).write_bytes(wheel)
    if "+book." in (version_here() or "+book."):
        options = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
        command = [sys.executable, "-m", "pip", "install", *options, str(folder / name)]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return importlib.invalidate_caches()
    zipfile.ZipFile(folder / name).extractall(folder)
    sys.path.insert(0, str(folder))
    paths = [str(folder), os.environ.get("PYTHONPATH")]  # for processes that the chapter starts
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return importlib.invalidate_caches()


def unpack(packed, files):
    """Write the files that the chapter reads; what the reader's own runs have written stays."""
    for file in files:
        here, content = Path(file), packed.read(file)
        if not here.exists():
            here.parent.mkdir(parents=True, exist_ok=True)
            here.write_bytes(content)
        elif here.read_bytes() != content:
            print(f"kept the {file} that is here; delete it to get this notebook's own")


def report(version):
    """Say what runs here; the package is imported only now."""
    import numpy
    import torch

    from dien_edu.training import choose_profile, find_device

    torch.manual_seed(0)
    device = find_device()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    python, others = (
        platform.python_version(),
        f"torch {torch.__version__}, numpy {numpy.__version__}",
    )
    print(f"dien_edu {version}, Python {python}, {others}")
    print(f"device: {name}; profile: {choose_profile()}; seed: 0, and an experiment names its own")
    if device.type == "cpu":
        print("No GPU here, and the profile quick needs none. To get one in Colab:")
        print("Runtime → Change runtime type → T4 GPU → Save, then Runtime → Run all.")
    if absent := missing(WELCOME):
        print("Not here, and not needed (slower, or without live figures):", ", ".join(absent))


def start(name, bundle):
    """Unpack and install what this cell holds, then report."""
    if absent := missing(NEEDED):
        raise SystemExit(f"Run first: %pip install {' '.join(absent)}, then this cell again.")
    packed, version = zipfile.ZipFile(io.BytesIO(base64.b64decode(bundle))), name.split("-")[1]
    unpack(packed, [file for file in packed.namelist() if file != name])
    if version_here() != version:
        if "dien_edu" in sys.modules:
            raise SystemExit("Another dien_edu is loaded. Restart the kernel, then run all cells.")
        install(name, packed.read(name))
    report(version)


os.environ["DIEN_EDU_PROFILE"] = (BEFORE or "") if profile == "automatic" else profile
