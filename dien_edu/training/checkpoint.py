"""Files that survive a crash: written beside their place and renamed; loaded without pickle."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

import torch

FORMAT = 1


class CheckpointError(RuntimeError):
    """A checkpoint is missing, damaged, or of another run."""


def write_safely(path: str | Path, write: Callable[[IO[bytes]], None]) -> None:
    """Let `write` fill a temporary file in the same folder, then rename it to `path`.

    A crash, a full disk or Ctrl-C leaves the old file as it was. OSError names the path.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def check_writable(path: str | Path) -> None:
    """Make the folder of `path` and try it with an empty file, before hours of work depend on it.

    OSError names the folder.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
        pass


def save_json(path: str | Path, value) -> None:
    """Write readable JSON; NaN is refused, since JSON has none."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_safely(path, lambda file: file.write(text.encode()))


def save_checkpoint(path: str | Path, content: dict) -> None:
    """Write tensors, numbers, strings and containers of them."""
    write_safely(path, lambda file: torch.save({"format": FORMAT, **content}, file))


def load_checkpoint(path: str | Path) -> dict:
    """Read what `save_checkpoint` wrote, on the CPU. Nothing in the file is executed.

    CheckpointError if the file is missing, damaged or of another format.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(
            f"no checkpoint at {path}: train first, or correct the path"
        ) from None
    except Exception as error:
        raise CheckpointError(
            f"{path} is no readable checkpoint ({type(error).__name__}): delete it and train anew"
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{path} is no checkpoint of format {FORMAT}: delete it, train anew")
    return content
