"""The measurement of scale, on files a hundred times smaller."""

from __future__ import annotations

import gzip
import json
import tracemalloc

import numpy as np
import pytest

from benchmarks import scale
from dien_edu.data import amazon, ctr_samples, load

SMALL = scale.Shape(users=600, items=200, reviews=5_000, listed=900, categories=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Made-up files of Electronics."""
    return scale.write(tmp_path_factory.mktemp("scale"), "Electronics", SMALL)


def test_the_files_have_the_shape_and_the_format(folder, monkeypatch):
    monkeypatch.setenv("DIEN_EDU_DATA", str(folder))
    published = SMALL.users, SMALL.items, SMALL.reviews
    monkeypatch.setitem(amazon.SETS, "amazon-electronics", ("Electronics", published))
    data = load("amazon-electronics")
    assert (data.n_users, data.n_items, len(data.item)) == published
    assert data.n_categories == SMALL.categories and data.note == ""
    assert np.diff(data.user_start).min() >= 5
    counts = np.bincount(data.item)
    assert counts[1:].min() >= 1 and counts.max() > 20 * np.median(counts)


def test_the_lines_are_read_quickly_and_as_json_reads_them(folder):
    with gzip.open(folder / "amazon" / "reviews_Electronics_5.json.gz") as file:
        lines = file.readlines()
    assert all(map(amazon.REVIEW.fullmatch, lines))
    for line in lines:
        record = json.loads(line)
        expected = record["reviewerID"], record["asin"], record["unixReviewTime"]
        assert amazon._review(line) == expected
    assert 600 < np.mean([len(line) for line in lines]) < 1200, "as long as the publisher's"


def test_neither_texts_nor_histories_are_held(folder, monkeypatch):
    """A click costs some numbers, in every array and list together; its text alone is longer."""
    monkeypatch.setenv("DIEN_EDU_DATA", str(folder))
    load("amazon-electronics")  # what is kept once and for all is kept now
    tracemalloc.start()
    splits = ctr_samples(load("amazon-electronics"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(splits.train) > SMALL.reviews
    assert peak / SMALL.reviews < 500


def test_a_small_measurement(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(scale, "SHAPES", {"electronics": SMALL, "books": SMALL})
    path = tmp_path / "scale.json"
    common = ["--folder", str(tmp_path), "--output", str(path)]
    scale.main(["electronics", "--steps", "2", *common])
    scale.main(["books", "--steps", "0", *common])
    record = json.loads(path.read_text())
    assert set(record["sets"]) == {"electronics", "books"} and record["machine"]["cores"] >= 1
    assert record["provenance"]["data"]["name"] == "amazon-electronics"
    found = record["sets"]["electronics"]
    for stage in found["stages"].values():
        assert stage["seconds"] >= 0 and 0 < stage["peak_gib"] < 6
    epoch = found["epoch"]
    assert epoch["extrapolated"] and epoch["measured_steps"] == 2
    assert epoch["whole_steps"] == -(-epoch["samples"] // 256)
    assert record["sets"]["books"]["epoch"] is None
    assert "files to interactions" in capsys.readouterr().out
