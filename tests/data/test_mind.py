"""MIND-small: histories, clicks and what was shown beside them."""

from __future__ import annotations

import numpy as np
import pytest
from miniature import BEHAVIOURS, NEWS, write_many_impressions, write_mind

from dien_edu.data import DataError, ctr_samples, load, mind


@pytest.fixture(autouse=True)
def unchecked(monkeypatch):
    """The hashes of the real archives do not fit the miniature ones."""
    fetch = mind.fetch
    monkeypatch.setattr(mind, "fetch", lambda mirror: fetch((*mirror[:2], "")))


@pytest.mark.parametrize("within", ["", "MINDsmall_train/"])
def test_by_hand(cache, within):
    write_mind(cache, within=within)
    data = load("mind-small")
    # The news count from 1 in the order of the files, those of both parts.
    assert data.item_names == ["", "Par & more", "One", "Two", "Four", "Five"]
    names = [data.category_names[number] for number in data.category_of_item]
    assert names == ["", "golf", "world", "world", "local", "tennis"]
    # U1: the history of 11 November (not the longer one of the 12th), then its clicks by time.
    # U2: history N1 N2, then N4 and N2 of one impression as listed, then N5 of the other part.
    assert data.user_start.tolist() == [0, 3, 8]
    assert data.item.tolist() == [3, 2, 4, 2, 3, 4, 3, 5]
    assert data.shown.shape == (8, mind.WIDEST)
    shown = [row[row > 0].tolist() for row in data.shown]
    assert [sorted(row) for row in shown] == [[], [], [1], [], [], [1, 2], [1, 2], [1, 3]]
    assert data.note == "Users with a single click are left out: 1.", "U3"


def test_times(cache):
    write_mind(cache)
    midnight = 1573430400  # 11 November 2019 in UTC
    evening, morning = midnight + 21 * 3600 + 358, midnight + 24 * 3600 + 9 * 3600 + 358
    last = midnight + 4 * 24 * 3600 + 8 * 3600
    expected = [0, midnight, morning, 0, 1, evening, evening, last]
    assert load("mind-small").time.tolist() == expected


def test_at_most_so_many_shown_items_are_kept_and_the_same_each_time(cache, monkeypatch):
    monkeypatch.setattr(mind, "WIDEST", 3)
    words = " ".join(f"N{n}-0" for n in range(1, 41))
    news = {"train": [f"N{n}\ta\tb\tc" for n in range(1, 42)], "dev": []}
    rows = [f"{n}\tU1\t11/11/2019 9:05:5{n} PM\t\t{words} N41-1" for n in range(8)]
    write_mind(cache, {"train": rows, "dev": []}, news)
    shown = load("mind-small").shown
    assert (shown > 0).all() and all(len(set(row)) == 3 for row in shown.tolist())
    assert len({tuple(row) for row in shown.tolist()}) > 1, "not always the first three"
    assert (shown == load("mind-small").shown).all()


def test_only_clicks_with_an_impression_are_targets(cache):
    write_many_impressions(cache)
    data = load("mind-small")
    splits = ctr_samples(data)
    events = np.concatenate([part.event[part.label == 1] for part in splits])
    assert sorted(events) == np.flatnonzero(data.shown[:, 0]).tolist()
    assert len(events) == 12 * 4 and len(data.item) == 12 * 6
    part = splits.train
    skipped = part.label == 0
    for event, target in zip(part.event[skipped], part.target[skipped], strict=True):
        assert target in data.shown[event]
    for batch in part.batches(8):  # a history has clicks without impressions
        assert (batch.negative_item[batch.mask] > 0).all()


BAD = [
    "1\tU2\t11/11/2019 9:05:58 PM\tN1 N2",
    "1\tU2\t2019-11-11 21:05\tN1\tN2-1",
    "1\tU2\t11/11/2019 9:05:58 PM\tN1\tN2",
    "1\tU2\t11/11/2019 9:05:58 PM\tN1\tN2-2",
    "1\tU2\t11/11/2019 9:05:58 PM\tN1\tN99-1",
    "1\tU2\t11/11/2019 9:05:58 PM\tN99\tN1-1",
    "",
]


@pytest.mark.parametrize("bad", BAD)
def test_a_malformed_impression(cache, bad):
    write_mind(cache, {**BEHAVIOURS, "dev": [bad]})
    with pytest.raises(DataError, match="dev.zip, behaviors.tsv, line 1: expected id, user, time"):
        load("mind-small")


def test_malformed_news(cache):
    write_mind(cache, news={**NEWS, "train": [*NEWS["train"], "N9\tsports"]})
    with pytest.raises(DataError, match="train.zip, news.tsv, line 5: expected id, category"):
        load("mind-small")


def test_no_impressions(cache):
    write_mind(cache, {"train": [], "dev": []})
    with pytest.raises(DataError, match="no user with two clicks"):
        load("mind-small")


def test_hashes_are_checked(cache, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("DIEN_EDU_DATA", str(write_mind(cache)))
    with pytest.raises(DataError, match="MINDsmall_train.zip does not have the hash sha256:0d6d50"):
        load("mind-small")
