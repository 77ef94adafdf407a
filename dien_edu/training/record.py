"""A recorded result: the numbers and everything needed to get them again (appendix, Results)."""

from __future__ import annotations

import datetime
import hashlib
import platform
from pathlib import Path

import numpy as np
import torch

import dien_edu
from dien_edu.data.samples import Samples

SOURCES = ("data", "layers", "models", "training")  # what a trained number depends on


def source_hash() -> str:
    """A hash of the sources behind a result: if it differs, the result is stale."""
    root = Path(dien_edu.__file__).parent
    files = sorted(path for folder in SOURCES for path in (root / folder).glob("*.py"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def provenance(train: Samples, device: torch.device | str) -> dict:
    """Data, split, negatives, device, versions and date, ready for JSON."""
    data = train.interactions
    return {
        "data": {"name": data.name, **data.fingerprint()},
        "split": {"by": "user", "shares": [0.8, 0.1, 0.1], "seed": train.seed},
        "samples": {"every_prefix": True, "max_history": train.max_history},
        "negatives": getattr(train.sampler, "__name__", "callable"),
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
