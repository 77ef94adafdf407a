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
    path, temporary = Path(path), ""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(temporary)
        # PyTorch answers a full disk with an error of its own, raised while it handles the disk's.
        cause = error if isinstance(error, OSError) else error.__context__
        if isinstance(error, Exception) and isinstance(cause, OSError):
            found = f"{cause.strerror}; the file, if there was one, is as it was"
            raise OSError(cause.errno, found, str(path)) from error
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


def load_json(path: str | Path, *keys: str) -> dict:
    """Read an object that has these keys; ValueError, which names the path, if it is none."""
    try:
        value = json.loads(Path(path).read_bytes())
        if missing := [key for key in keys if key not in value]:
            raise ValueError(f"it has no {' and no '.join(missing)}")
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{path} is no readable record ({error}): half-written, or another program's. Nothing "
            "was changed. Move it away to record anew."
        ) from error
    return value


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
