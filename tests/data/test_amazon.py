"""Amazon's three sets: every kind of line, the quick reading of reviews, the ids-only copy."""

from __future__ import annotations

import gzip
import hashlib
import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from miniature import COPIED, REVIEWS, make_zip, write_amazon

from dien_edu.data import DataError, Interactions, amazon, load

NOWHERE = "http://127.0.0.1:9/"


def line(text: str, ascii_only: bool = True, **others) -> bytes:
    """A review as the publisher writes it."""
    record = {
        "reviewerID": "A2SUAM1J3GNN3B", "asin": "0000013714", "reviewerName": text,
        "helpful": [2, 3], "reviewText": text, "overall": 5.0, "summary": text,
        "unixReviewTime": 1252800000, "reviewTime": "09 13, 2009", **others,
    }  # fmt: skip
    return json.dumps(record, ensure_ascii=ascii_only).encode() + b"\n"


def in_full(line: bytes) -> tuple[str, str, int]:
    record = json.loads(line)
    return record["reviewerID"], record["asin"], record["unixReviewTime"]


TRAP = '", "unixReviewTime": 5, "reviewTime": "x"}\n'


@given(st.text(), st.booleans(), st.sampled_from(["reviewText", "extra", "reviewTime"]))
@example(TRAP, True, "extra")
@example(TRAP, False, "reviewTime")
@example("\\", True, "extra")
@example('\\"unixReviewTime\\": 5, \\"reviewTime\\": \\"x\\"}', False, "extra")
def test_the_quick_reading_is_that_of_json(text, ascii_only, key):
    written = line(text, ascii_only, **{key: text})
    assert amazon._review(written) == in_full(written)


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=4), st.data())
def test_in_any_order_of_fields_and_with_any_values(value, data):
    record = json.loads(line("x")) | {"extra": value, "nested": {"unixReviewTime": 7}}
    keys = data.draw(st.permutations(list(record)))
    written = json.dumps({key: record[key] for key in keys}).encode()
    assert amazon._review(written) == in_full(written)


def test_the_publishers_lines_are_read_quickly():
    assert amazon.REVIEW.fullmatch(line('He said "good".\n\\ é'))
    assert not amazon.REVIEW.fullmatch(line("x")[:-3] + b"\n"), "a line that is cut is not"


@pytest.mark.parametrize("word", ["Beauty", "Electronics", "Books"])
def test_each_set_is_read_alike(cache, word):
    write_amazon(cache / "amazon", word=word)
    data = load(f"amazon-{word.lower()}")
    assert data.name == f"amazon-{word.lower()}"
    assert data.item.tolist() == [1, 3, 1, 2] and data.time.tolist() == [20, 20, 10, 20]
    assert data.item_names == ["", "Soap & Oil", 'It\'s "new"', "x3"]


def describe(cache, *metadata: dict) -> Interactions:
    """The items x1, x2, x3 of REVIEWS with this metadata."""
    write_amazon(cache / "amazon", metadata=metadata)
    return load("amazon-beauty")


def categories(data: Interactions) -> list[str]:
    return [data.category_names[number] for number in data.category_of_item]


def test_kinds_of_metadata(cache):
    data = describe(
        cache,
        {
            "categories": [["All", "Men&#39;s", "Shoes &amp; Boots"]],
            "asin": "x1",
            "title": "A&lt;B",
        },
        {"asin": "x2", "title": "  two\n lines ", "categories": [["All", "First"], ["Z", "Last"]]},
        {"asin": "x3", "price": 3.5, "related": {"also_bought": ["x1", "x9"]}, "title": ""},
    )
    assert categories(data) == ["", "Shoes & Boots", "First", "unknown"]
    assert data.item_names == ["", "A<B", "two lines", "x3"]


@pytest.mark.parametrize("paths", [[], [[]], None, [[], ["Second"]]])
def test_an_item_without_a_first_path_is_unknown(cache, paths):
    data = describe(cache, {"asin": "x1", "categories": paths})
    assert categories(data) == ["", "unknown", "unknown", "unknown"]


def test_ties_of_a_day_keep_the_order_of_the_file(cache):
    day = 86400
    reviews = [("A", "x3", day), ("B", "x1", 9), ("A", "x1", day), ("A", "x2", day), ("A", "x1", 0)]
    write_amazon(cache / "amazon", [*reviews, ("B", "x2", 9)])
    data = load("amazon-beauty")
    assert data.item.tolist() == [1, 3, 1, 2, 1, 2]
    assert data.time.tolist() == [0, day, day, day, 9, 9]


def test_the_note_is_silent_only_for_the_published_counts(cache, monkeypatch):
    reviews = [r for r in REVIEWS if r[0] != "C"] + [("C", "x1", 5), ("C", "x2", 6)]
    write_amazon(cache / "amazon", reviews)
    assert load("amazon-beauty").note == amazon.DIFFERS
    monkeypatch.setitem(amazon.SETS, "amazon-beauty", ("Beauty", (3, 3, 6)))
    assert load("amazon-beauty").note == ""


# The copy with ids only


@pytest.fixture
def copy(cache, monkeypatch):
    """copy(text): put an archive with this test.csv into the cache, its hash known."""

    def write(text: str = COPIED) -> None:
        digest = hashlib.md5(text.encode()).hexdigest()
        monkeypatch.setattr(amazon, "COPY_HASH", digest)
        (cache / "AmazonElectronics_x1.zip").write_bytes(make_zip({"test.csv": text.encode()}))

    monkeypatch.setattr(amazon, "ADDRESS", NOWHERE)
    return write


def test_the_copy_by_hand(copy):
    copy()
    data = load("amazon-electronics")
    assert data.item.tolist() == [1, 3, 1, 2] and data.user_start.tolist() == [0, 2, 4]
    assert data.time.tolist() == [0, 1, 0, 1]
    assert data.item_names == ["", "item 00000", "item 00001", "item 00002"]
    assert categories(data) == ["", "category 003", "category 007", "category 007"]
    assert data.note == amazon.COPY
    for lacking in ("titles", "times", "LAST path", "will shift"):
        assert lacking in data.note


def test_the_copy_has_the_order_of_the_publishers_files(copy, cache):
    copy()
    copied = load("amazon-electronics")
    reviews = [("A", "x1", 20), ("B", "x1", 10), ("B", "x2", 20), ("A", "x3", 20), ("C", "x1", 5)]
    write_amazon(cache / "amazon", reviews, word="Electronics")
    own = load("amazon-electronics")
    assert own.note.endswith(amazon.DIFFERS), "the publisher's files come first"
    assert (own.item == copied.item).all() and (own.user_start == copied.user_start).all()


def test_histories_of_many_items_and_users_sort_by_number(copy):
    head = COPIED.splitlines()[0]
    copy(f"{head}\n1,10,2,0,11^3,0^1\n1,9,3,1,2,0\n")
    data = load("amazon-electronics")
    assert data.item.tolist() == [1, 2, 3, 2, 1]  # items 2, 3, 11 and users 9, 10 in this order
    assert data.n_categories == 2 and data.category_of_item.tolist() == [0, 1, 2, 1]


def test_the_copy_is_used_where_one_of_the_files_is_missing(copy, cache):
    copy()
    (write_amazon(cache / "amazon", word="Electronics") / "meta_Electronics.json.gz").unlink()
    assert load("amazon-electronics").note == amazon.COPY


def test_another_copy_is_refused(copy, cache, monkeypatch):
    copy()
    monkeypatch.setattr(amazon, "COPY_HASH", "0" * 32)
    with pytest.raises(DataError, match="test.csv in .*AmazonElectronics_x1.zip has another hash"):
        load("amazon-electronics")


@pytest.mark.parametrize("bad", ["1,0,2", "1,0,2,7,0^1,3", "1,x,2,7,0,3", "1,0,2,7,,", ""])
def test_a_malformed_line_of_the_copy(copy, bad):
    copy(COPIED + bad + "\n")
    with pytest.raises(DataError, match="test.csv, line 6: expected label, user, item"):
        load("amazon-electronics")


def test_nothing_can_be_had(copy, monkeypatch):
    monkeypatch.setitem(amazon.COPIES, "amazon-electronics", ("amazon/copy.zip", NOWHERE, ""))
    with pytest.raises(DataError) as caught:
        load("amazon-electronics")
    for place in ("reviews_Electronics_5.json.gz", "amazon/copy.zip"):
        assert place in str(caught.value), "both places are named"


def test_a_review_cut_in_the_middle_is_named(cache):
    path = write_amazon(cache) / "reviews_Beauty_5.json.gz"
    content = gzip.decompress(path.read_bytes()) + line("text")[:80]
    path.write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match="line 6: expected a JSON object with reviewerID"):
        load("amazon-beauty")


def test_arrays_have_one_type(cache):
    write_amazon(cache)
    data = load("amazon-beauty")
    for name in ("item", "time", "user_start", "category_of_item"):
        assert getattr(data, name).dtype == np.int64, name
