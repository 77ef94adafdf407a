"""A recorded result: the numbers and everything needed to get them again (appendix, Results)."""

from __future__ import annotations

import datetime
import hashlib
import os
import platform
from pathlib import Path

import numpy as np
import torch

import dien_edu
from dien_edu.data import Interactions, Samples

SOURCES = ("data", "kernels", "layers", "models", "training")  # what a trained number depends on
# How files come and go, which no number depends on: a record names the data by their fingerprint.
FILES = ("data/download.py", "training/checkpoint.py", "training/record.py")


def source_hash() -> str:
    """A hash of the sources behind a result: if it differs, the result is stale."""
    root = Path(dien_edu.__file__).parent
    files = sorted(path for folder in SOURCES for path in (root / folder).glob("*.py"))
    digest = hashlib.sha256()
    for file in files:
        name = file.relative_to(root).as_posix()
        if name not in FILES:
            digest.update(name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def choose_profile() -> str:
    """ "full" (more data, epochs and seeds) on a GPU, else "quick"; DIEN_EDU_PROFILE overrules."""
    chosen = os.environ.get("DIEN_EDU_PROFILE") or (
        "full" if torch.cuda.is_available() else "quick"
    )
    if chosen not in ("quick", "full"):
        raise ValueError(f"DIEN_EDU_PROFILE is {chosen!r}, expected 'quick' or 'full'")
    return chosen


def how_sampled(train: Samples) -> dict:
    """Protocol, split, samples and negatives of `ctr_samples`, for `provenance`."""
    shares = {"book": [0.8, 0.1, 0.1], "paper": [0.81, 0.09, 0.1]}[train.protocol]
    every_prefix = train.protocol == "book"  # else each user's last click
    return {
        "protocol": train.protocol,
        "split": {"by": "user", "shares": shares, "seed": train.seed},
        "samples": {"every_prefix": every_prefix, "max_history": train.max_history},
        "negatives": getattr(train.sampler, "__name__", "a function"),
    }


def provenance(data: Interactions, device: torch.device | str, **how) -> dict:
    """The data, `how` they were split and sampled, device, versions, sources and date, for JSON."""
    return {
        "data": {"name": data.name, **data.fingerprint()},
        **how,
        "device": str(device),
        "threads": torch.get_num_threads(),
        "versions": {
            "dien_edu": dien_edu.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__.split("+")[0],
            "numpy": np.__version__,
        },
        "sources": source_hash(),
        "date": datetime.date.today().isoformat(),
    }
