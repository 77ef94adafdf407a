"""Amazon product reviews (2014, 5-core), the paper's data; a review counts as a click."""

from __future__ import annotations

import ast
import gzip
import json
import re
from pathlib import Path

import numpy as np

from dien_edu.data.download import DataError, fetch, in_order, parse_lines, plain
from dien_edu.data.interactions import Interactions

ADDRESS = "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles/"
SETS = {"amazon-beauty": ("Beauty", (22_363, 12_101, 198_502))}  # users, items, reviews
UNKNOWN = "unknown"  # the category of an item whose metadata names none
ASIN = re.compile(rb"""['"]asin['"]: *['"]([^'"]+)""")


def load_amazon(name: str) -> Interactions:
    """A set in the publisher's format; items are numbered in the order of their `asin`."""
    word, published = SETS[name]
    files = (f"reviews_{word}_5.json.gz", f"meta_{word}.json.gz")
    reviews, metadata = (fetch((f"amazon/{file}", ADDRESS + file, "")) for file in files)
    with gzip.open(reviews) as lines:
        rows = list(parse_lines(lines, _review, str(reviews)))
    described = _describe(metadata, {asin for _, asin, _ in rows})
    if not described:
        raise DataError(f"{metadata} describes no item of {reviews}: delete both, then load again")
    user, asin, time = (np.array(column) for column in zip(*rows, strict=True))
    asins, item = np.unique(asin, return_inverse=True)
    titles, categories = zip(*(described.get(a, (a, UNKNOWN)) for a in asins.tolist()), strict=True)
    category_names, category = np.unique(categories, return_inverse=True)
    fields = in_order(user, item + 1, time, str(reviews))
    counts = (len(fields["user_start"]) - 1, len(asins), len(fields["time"]))
    first_days = set(fields["time"][fields["user_start"][:-1]])  # real users begin on many days
    if counts != published or len(first_days) == 1:
        note = "This copy differs from the publisher's in counts or dates, so numbers will shift."
        fields["note"] = f"{fields['note']} {note}".strip()
    return Interactions(
        name=name,
        category_of_item=np.concatenate([[0], category + 1]),
        item_names=["", *titles],
        category_names=["", *category_names.tolist()],
        **fields,
    )


def _review(line: bytes) -> tuple[str, str, int]:
    """a JSON object with reviewerID, asin and unixReviewTime"""
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
