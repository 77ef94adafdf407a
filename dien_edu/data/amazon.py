"""Amazon product reviews (2014, 5-core), the paper's data; a review counts as a click."""

from __future__ import annotations

import ast
import gzip
import hashlib
import json
import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import numpy as np

from dien_edu.data.download import DataError, fetch, in_order, parse_lines, plain, read_members
from dien_edu.data.interactions import Interactions

ADDRESS = "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles/"
SETS = {  # the publisher's word; users, items, reviews
    "amazon-beauty": ("Beauty", (22_363, 12_101, 198_502)),
    "amazon-electronics": ("Electronics", (192_403, 63_001, 1_689_188)),
    "amazon-books": ("Books", (603_668, 367_982, 8_898_041)),
}
# For want of the publisher's files: numbers only, no titles, no times.
ZIP = "AmazonElectronics_x1.zip"
HUB = "https://huggingface.co/datasets/reczoo/AmazonElectronics_x1/resolve/main/"
COPIES = {"amazon-electronics": (f"amazon/{ZIP}", HUB + ZIP, "")}
COPY_HASH = "57a20e82fe736dd495f2eaf0669bf6d0"  # MD5 of its test.csv, which holds every review
COPY = (
    "This copy has numbers in place of titles, the order of reviews but not their times, and the "
    "category of an item's LAST path, so numbers will shift."
)
DIFFERS = "This copy differs from the publisher's in counts or dates, so numbers will shift."
UNKNOWN = "unknown"  # the category of an item whose metadata names none
ASIN = re.compile(rb"""['"]asin['"]: *['"]([^'"]+)""")
# A review as the publisher writes it. A quotation mark within a text has a backslash before it, so
# the last two fields cannot be part of a text. What does not look like this is read as JSON.
REVIEW = re.compile(
    rb'\{"reviewerID": "(\w+)", "asin": "(\w+)", .*'
    rb'"unixReviewTime": ([1-9]\d{0,17}), "reviewTime": "[\w ,]*"\}\s*'
)


def load_amazon(name: str) -> Interactions:
    """A set in the publisher's format; items are numbered in the order of their `asin`."""
    word, published = SETS[name]
    files = (f"reviews_{word}_5.json.gz", f"meta_{word}.json.gz")
    copies = [COPIES[name]] if name in COPIES else []
    paths = [fetch((f"amazon/{f}", ADDRESS + f, ""), *copies) for f in files]
    copy = next((path for path in paths if path.suffix == ".zip"), None)
    (user, asins, item, time), described = _read_copy(copy) if copy else _read(*paths)
    fields = in_order(user, item + 1, time, str(paths[0]))
    titles, categories = zip(*(described.get(a, (a, UNKNOWN)) for a in asins), strict=True)
    category_names, category = np.unique(categories, return_inverse=True)
    counts = (len(fields["user_start"]) - 1, len(asins), len(fields["time"]))
    first_days = set(fields["time"][fields["user_start"][:-1]])  # real users begin on many days
    differs = counts != published or len(first_days) == 1
    notes = [fields["note"], COPY if copy else DIFFERS if differs else ""]
    return Interactions(
        name=name,
        category_of_item=np.concatenate([[0], category + 1]),
        item_names=["", *titles],
        category_names=["", *category_names.tolist()],
        **{**fields, "note": " ".join(filter(None, notes))},
    )


def _read(reviews: Path, metadata: Path) -> tuple[tuple, dict[str, tuple[str, str]]]:
    """The columns of `_number`, and of each item that has metadata: title and category."""
    with gzip.open(reviews) as lines:
        columns = _number(parse_lines(lines, _review, str(reviews)))
    described = _describe(metadata, set(columns[1]))
    if not described:
        raise DataError(f"{metadata} describes no item of {reviews}: delete both, then load again")
    return columns, described


def _number(rows: Iterable[tuple[str, str, int]]) -> tuple:
    """From user, item and time: user (N,), the sorted names of the items, item (N,), time (N,)."""
    users, items = {}, {}
    numbers = (
        (users.setdefault(user, len(users)), items.setdefault(name, len(items)), time)
        for user, name, time in rows
    )
    user, item, time = np.fromiter(chain.from_iterable(numbers), np.int64).reshape(-1, 3).T
    return _rank(users)[user], sorted(items), _rank(items)[item], time


def _rank(numbers: dict[str, int]) -> np.ndarray:
    """The place of each number's name among the sorted names."""
    return np.argsort([numbers[name] for name in sorted(numbers)])


def _review(line: bytes) -> tuple[str, str, int]:
    """a JSON object with reviewerID, asin and unixReviewTime"""
    if found := REVIEW.fullmatch(line):
        return found[1].decode(), found[2].decode(), int(found[3])
    record = json.loads(line)
    return str(record["reviewerID"]), str(record["asin"]), np.int64(record["unixReviewTime"])


def _describe(path: Path, wanted: set[str]) -> dict[str, tuple[str, str]]:
    """Title and category of the wanted items; the category is the last name of the FIRST path."""

    def parse(line: bytes) -> tuple[str, tuple[str, str]] | None:
        """a Python dictionary with asin, title and categories"""
        found = ASIN.search(line)
        if found and found[1].decode() not in wanted:
            return None  # the publisher lists 20 items for each one that has enough reviews
        record = ast.literal_eval(line.decode())
        asin, paths = record["asin"], record.get("categories")
        category = paths[0][-1] if paths and paths[0] else UNKNOWN
        return asin, (plain(record.get("title") or asin), plain(category))

    with gzip.open(path) as lines:
        return dict(parse_lines(lines, parse, str(path)))


def _read_copy(path: Path) -> tuple[tuple, dict[str, tuple[str, str]]]:
    """As `_read`, from the copy: each user's last review and, as its history, all earlier ones."""
    (content,) = read_members(path, ["test.csv"])
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != COPY_HASH:
        raise DataError(f"test.csv in {path} has another hash: delete the file, then load again")
    lines = parse_lines(content.splitlines(), _copied, f"{path}, test.csv")
    rows = list(chain.from_iterable(lines))
    return _number(row[:3] for row in rows), {item: (item, name) for _, item, _, name in rows}


def _copied(line: bytes) -> list[tuple[str, str, int, str]] | None:
    """label, user, item, category, items and categories, with ^ between those of a history"""
    label, user, item, category, items, categories = line.decode().split(",")
    if label != "1":
        return None  # the header, or a non-click
    pairs = zip([*items.split("^"), item], [*categories.split("^"), category], strict=True)
    return [
        (f"{int(user):06}", f"item {int(i):05}", place, f"category {int(c):03}")
        for place, (i, c) in enumerate(pairs)
    ]
