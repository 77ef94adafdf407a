"""Mutated copies of every data set's files, through the public loader: `make fuzz`.

python tests/data/mutate.py --files 10000 --seed 0 prints one JSON object: how many files of each
kind were refused, loaded to the same counts, or loaded to others and said so. It ends with 1 at
the first file that does anything else: another error than ours, or other counts in silence.

Three things guard a data set, and each is met as a reader's machine meets it:
- "as published": files with a known hash (MovieLens, MIND), or without one (Amazon: gzip's
  checksum, and counts that are compared with the publisher's);
- "parser": the same texts, mutated before they are packed and with the hash left out, so that the
  parser is what stands between a damaged file and the model. A well-formed file of other content
  is another data set, and must be a sound one. Amazon's texts have no hash, so other numbers of
  users, items or clicks must be said there too; other titles and categories cannot be noticed.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from random import Random
from unittest.mock import patch
from zipfile import ZipFile

import numpy as np
import pooch

HERE = Path(__file__).parent
if __name__ == "__main__":  # in a test this would put our `conftest` before the others
    sys.path[:0] = [str(HERE.parent.parent), str(HERE)]

from miniature import make_zip, publisher_members, wheel_members, write_amazon, write_mind  # noqa: E402

from dien_edu.data import DataError, Interactions, amazon, load, mind, movielens  # noqa: E402

NOWHERE = "http://127.0.0.1:9/"
WORDS = [
    b"", b"0", b"-1", b"99999999999999999999", b"9" * 5000, b"1e400", b"nan", b"-inf", b"null",
    b"None", b"True", b"[]", b"{}", b'"', b"'", b"\\", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\t",
    "café ™ 日本".encode(), b"<script>alert(1)</script>", b"1 2 3", b"[" * 3000,
    b"__import__('os')",
]  # fmt: skip


# Mutations of bytes, of texts in lines, and of archives: each gives other bytes, or sometimes the
# same


def flip_bits(data: bytes, r: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(r.choice([1, 1, 1, 2, 8])):
        if changed:
            changed[r.randrange(len(changed))] ^= 1 << r.randrange(8)
    return bytes(changed)


def cut(data: bytes, r: Random) -> bytes:
    return data[: r.randrange(len(data) + 1)]


def lose_the_start(data: bytes, r: Random) -> bytes:
    return data[r.randrange(len(data) + 1) :]


def insert(data: bytes, r: Random) -> bytes:
    place = r.randrange(len(data) + 1)
    return data[:place] + r.choice([*WORDS, r.randbytes(r.randrange(1, 40))]) + data[place:]


def overwrite(data: bytes, r: Random) -> bytes:
    place, new = r.randrange(len(data) + 1), r.randbytes(r.randrange(1, 8))
    return data[:place] + new + data[place + len(new) :]


def append(data: bytes, r: Random) -> bytes:
    return data + r.choice([b"\n", b"\x00" * 512, data, r.randbytes(30)])


def lines_of(change: Callable) -> Callable:
    def mutate(data: bytes, r: Random) -> bytes:
        lines = data.split(b"\n")
        change(lines, r.randrange(len(lines)), r)
        return b"\n".join(lines)

    return mutate


@lines_of
def drop_a_line(lines, n, r):
    del lines[n]


@lines_of
def double_a_line(lines, n, r):
    lines.insert(r.randrange(len(lines) + 1), lines[n])


@lines_of
def swap_lines(lines, n, r):
    other = r.randrange(len(lines))
    lines[n], lines[other] = lines[other], lines[n]


@lines_of
def empty_a_line(lines, n, r):
    lines[n] = r.choice([b"", b" ", b"\t\t\t"])


@lines_of
def another_field(lines, n, r):
    """A wrong type, a huge number, a text of another encoding in the place of one field."""
    mark = r.choice(
        [mark for mark in (b"\t", b"|", b",", b" ", b":") if mark in lines[n]] or [b"\t"]
    )
    fields = lines[n].split(mark)
    fields[r.randrange(len(fields))] = r.choice(WORDS)
    lines[n] = mark.join(fields)


@lines_of
def lose_a_field(lines, n, r):
    mark = r.choice([b"\t", b"|", b",", b" "])
    fields = lines[n].split(mark)
    del fields[r.randrange(len(fields))]
    lines[n] = mark.join(fields)


def other_encoding(data: bytes, r: Random) -> bytes:
    text = data.decode("latin-1")
    return r.choice([text.encode("utf-16"), text.encode("utf-32"), b"\xef\xbb\xbf" + data])


def other_line_ends(data: bytes, r: Random) -> bytes:
    return data.replace(b"\n", r.choice([b"\r\n", b"\r", b"\n\n", b"\x0b"]))


def empty(data: bytes, r: Random) -> bytes:
    return r.choice([b"", b"\n", b" " * 600])


ANY = (flip_bits, cut, lose_the_start, insert, overwrite, append, empty)
TEXT = (
    *ANY, drop_a_line, double_a_line, swap_lines, empty_a_line, another_field, lose_a_field,
    another_field, lose_a_field, other_encoding, other_line_ends,
)  # fmt: skip


def header(data: bytes, r: Random) -> bytes:
    """Another number in one of the records of a zip archive, or at the head of a gzip file."""
    marks = [b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"]
    places = [n for mark in marks for n in range(len(data)) if data.startswith(mark, n)] or [0]
    changed, place = bytearray(data), r.choice(places) + r.randrange(0, 46)
    for n in range(place, min(place + r.choice([1, 2, 4]), len(changed))):
        changed[n] = r.choice([0, 1, 9, 99, 127, 255, r.randrange(256)])
    return bytes(changed)


PACKED = (*ANY, header, header, header)


# The data sets


class Kind:
    """One sort of file: how to write it, mutated or not, and how to load it."""

    def __init__(self, name: str, write: Callable, data: str, hashed: bool = False, parser=False):
        self.name, self.write, self.data = name, write, data
        self.hashed, self.parser = hashed, parser

    def __repr__(self) -> str:
        return f"{self.name}, {'parser' if self.parser else 'as published'}"


def choose(members: dict[str, bytes], r: Random) -> str:
    """A member that a loader reads."""
    return r.choice([name for name in members if "dist-info" not in name])


def archive(path: str, make: Callable, parser: bool) -> Callable:
    """A writer of one zip archive: mutated as a whole, or one of its texts."""

    def write(folder: Path, r: Random | None) -> None:
        members = make()
        if r and parser:
            name = choose(members, r)
            members[name] = r.choice(TEXT)(members[name], r)
            if r.random() < 0.03:
                del members[name]
        data = make_zip(members)
        if r and not parser:
            data = r.choice(PACKED)(data, r)
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)

    return write


def reviews(folder: Path, r: Random | None, parser: bool) -> None:
    write_amazon(folder / "amazon")
    if r:
        path = r.choice(sorted((folder / "amazon").iterdir()))
        data = path.read_bytes()
        if parser:
            data = gzip.compress(r.choice(TEXT)(gzip.decompress(data), r))
        else:
            data = r.choice(PACKED)(data, r)
        path.write_bytes(data)


def impressions(folder: Path, r: Random | None, parser: bool) -> None:
    write_mind(folder)
    if r:
        path = r.choice(sorted((folder / "mind").iterdir()))
        if parser:
            with ZipFile(path) as packed:
                members = {name: packed.read(name) for name in packed.namelist()}
            name = r.choice(sorted(members))
            members[name] = r.choice(TEXT)(members[name], r)
            path.write_bytes(make_zip(members))
        else:
            path.write_bytes(r.choice(PACKED)(path.read_bytes(), r))


COPIED = b"""label,user_id,item_id,cate_id,item_history,cate_history
1,1,1,7,0^2,3^3
0,1,2,7,0^2,3^3
1,0,2,7,0,3
"""


def kinds() -> list[Kind]:
    found = []
    for parser in (False, True):
        zipped = archive("ml-100k.zip", publisher_members, parser)
        wheel = archive("recbole-1.2.1-py3-none-any.whl", wheel_members, parser)
        copy = archive(f"amazon/{amazon.ZIP}", lambda: {"test.csv": COPIED}, parser)
        found += [
            Kind("movielens zip", zipped, "movielens-100k", True, parser),
            Kind("movielens wheel", wheel, "movielens-100k", True, parser),
            Kind("amazon", lambda f, r, p=parser: reviews(f, r, p), "amazon-beauty", False, parser),
            Kind("amazon copy", copy, "amazon-electronics", False, parser),
            Kind("mind", lambda f, r, p=parser: impressions(f, r, p), "mind-small", True, parser),
        ]
    return found


def counts(data: Interactions) -> dict:
    made = data.fingerprint()
    return {key: made[key] for key in ("users", "items", "categories", "clicks")}


def same_clicks(data: Interactions, right: dict) -> bool:
    """Do users, items and clicks agree, whatever became of the categories?"""
    found = counts(data)
    return all(found[key] == right[key] for key in ("users", "items", "clicks"))


def check_sound(data: Interactions) -> None:
    """What a model relies on: numbers in range, two clicks or more a user, times in order."""
    size = np.diff(data.user_start)
    assert data.user_start[0] == 0 and data.user_start[-1] == len(data.item) and size.min() >= 2
    assert data.item.min() >= 1 and data.item.max() <= data.n_items == len(data.item_names) - 1
    real = data.category_of_item[1:]
    assert real.min() >= 1 and real.max() <= data.n_categories and data.category_of_item[0] == 0
    assert data.item.dtype == data.time.dtype == data.user_start.dtype == np.int64
    same_user = np.diff(data.user) == 0
    assert (np.diff(data.time)[same_user] >= 0).all()
    assert all(isinstance(name, str) for name in (*data.item_names, *data.category_names))
    if data.shown is not None:
        assert data.shown.min() >= 0 and data.shown.max() <= data.n_items


class Loader:
    """The public loader on one folder, with the hashes and counts of the miniature files."""

    def __init__(self, kind: Kind, folder: Path):
        self.kind, self.folder = kind, folder
        with ExitStack() as stack:
            self.set_up(stack, known={})
            kind.write(folder, None)
            hashes = {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
            self.right = counts(load(kind.data))
        checked = kind.hashed and not kind.parser
        self.known = {n: hashlib.sha256(b).hexdigest() for n, b in hashes.items() if checked}

    def set_up(self, stack: ExitStack, known: dict[str, str]) -> None:
        """No network, this cache alone, and the hashes that are known."""

        def sha(name: str) -> str:
            return f"sha256:{known[name]}" if name in known else ""

        def put(place: object, **values: object) -> None:
            for key, value in values.items():
                stack.enter_context(patch.object(place, key, value))

        stack.enter_context(patch.dict(os.environ, {"DIEN_EDU_DATA": str(self.folder)}))
        put(pooch, os_cache=lambda name: self.folder / "user")
        zipped, wheel = movielens.PUBLISHER[0], movielens.WHEEL[0]
        put(movielens, PUBLISHER=(zipped, NOWHERE, sha(zipped)), WHEEL=(wheel, NOWHERE, sha(wheel)))
        right = getattr(self, "right", {"users": 0, "items": 0, "clicks": 0})
        published = tuple(right[key] for key in ("users", "items", "clicks"))
        sets = {name: (word, published) for name, (word, _) in amazon.SETS.items()}
        copy, plain = amazon.COPIES["amazon-electronics"][0], self.kind.parser
        text_hash = None if plain else hashlib.md5(COPIED).hexdigest()
        put(amazon, SETS=sets, ADDRESS=NOWHERE, COPIES={"amazon-electronics": (copy, NOWHERE, "")})
        put(amazon, COPY_HASH=text_hash or AnyHash())
        fetch = mind.fetch
        put(mind, fetch=lambda m: fetch((*m[:2], sha(m[0].split("/")[-1]))), ADDRESS=NOWHERE)

    def outcome(self, r: Random | None) -> str:
        """Write one mutated file (None: as it should be), load it, and say what came of it."""
        for path in sorted(self.folder.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        self.kind.write(self.folder, r)
        with ExitStack() as stack:
            self.set_up(stack, self.known)
            try:
                data = load(self.kind.data)
            except DataError as error:
                if len(str(error)) < 40 or "Traceback" in str(error):
                    raise AssertionError(f"an error that says nothing: {error}") from error
                return "refused"
        check_sound(data)
        if counts(data) == self.right:
            return "same counts"
        if "numbers will shift" in data.note:
            return "other counts, said"
        unnoticed = self.kind.parser and self.kind.hashed
        if unnoticed or same_clicks(data, self.right):
            return "another data set"
        raise AssertionError(f"{counts(data)} for {self.right}, and nothing is said")


class AnyHash(str):
    """Equal to every hash: the parser is to read what the hash would refuse."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__


def mutate(kind: Kind, files: int, seed: int) -> Counter:
    """So many mutated files of one kind: outcome -> how many. AssertionError names the file."""
    found = Counter()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # of Python literals with odd escapes
        warnings.simplefilter("ignore", DeprecationWarning)  # the same, before Python 3.12
        warnings.filterwarnings("ignore", "Duplicate name", UserWarning)
        loader = Loader(kind, Path(folder))
        for number in range(files):
            try:
                found[loader.outcome(Random(f"{kind} {seed} {number}"))] += 1
            except Exception as error:
                raise AssertionError(f"{kind}, seed {seed}, file {number}: {error!r}") from error
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--files", type=int, default=10_000, help="of all kinds together")
    options.add_argument("--seed", type=int, default=0)
    options = options.parse_args()
    all_kinds, found = kinds(), {}
    for kind in all_kinds:
        found[str(kind)] = dict(mutate(kind, -(-options.files // len(all_kinds)), options.seed))
        print(kind, found[str(kind)], file=sys.stderr)
    total = sum(sum(one.values()) for one in found.values())
    print(json.dumps({"files": total, "seed": options.seed, "outcomes": found}))


if __name__ == "__main__":
    main()
