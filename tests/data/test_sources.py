"""Each source gives the Interactions that its files hold, whichever mirror they come from."""

from __future__ import annotations

import hashlib
import os
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from miniature import TITLES, make_zip, publisher_members, wheel_members, write_amazon

from dien_edu.data import Interactions, load, movielens
from dien_edu.data.download import fetch, in_order

WHEEL_NAME = "recbole-1.2.1-py3-none-any.whl"


def assert_same(first: Interactions, second: Interactions) -> None:
    for field in fields(Interactions):
        np.testing.assert_equal(getattr(first, field.name), getattr(second, field.name))


def load_mini(cache: Path, monkeypatch, name: str, members: dict[str, bytes]) -> Interactions:
    """Load a miniature MovieLens from one archive in the cache, its hash left unchecked."""
    for file in cache.iterdir():
        file.unlink()
    (cache / name).write_bytes(make_zip(members))
    monkeypatch.setattr(movielens, "PUBLISHER", ("ml-100k.zip", "http://127.0.0.1:9/", ""))
    monkeypatch.setattr(movielens, "WHEEL", (WHEEL_NAME, "http://127.0.0.1:9/", ""))
    return load("movielens-100k")


def test_miniature_movielens_by_hand(cache, monkeypatch):
    data = load_mini(cache, monkeypatch, "ml-100k.zip", publisher_members())
    # Items 1…5 are films 1, 3, 267, 1412, 1633; user 7 ties at 200 in the order of the file.
    assert data.item.tolist() == [4, 2, 1, 3, 5, 3, 1]
    assert data.time.tolist() == [100, 200, 200, 200, 400, 500, 500]
    assert data.user_start.tolist() == [0, 4, 7]
    assert data.item_names == TITLES
    names = [data.category_names[number] for number in data.category_of_item]
    assert names == ["", "Animation", "Thriller", "unknown", "Animation", "Comedy"]
    assert (data.n_categories, data.note) == (19, "Users with a single click are left out: 1.")
    assert all(getattr(data, name).dtype == np.int64 for name in ("item", "time", "user_start"))


def test_both_mirrors_give_the_same(cache, monkeypatch):
    from_zip = load_mini(cache, monkeypatch, "ml-100k.zip", publisher_members())
    from_wheel = load_mini(cache, monkeypatch, WHEEL_NAME, wheel_members())
    assert_same(from_zip, from_wheel)


def test_pip_delivers_the_wheel_when_the_publisher_does_not(cache, monkeypatch, tmp_path):
    index = tmp_path / "index"
    index.mkdir()
    (index / WHEEL_NAME).write_bytes(make_zip(wheel_members()))
    known_hash = "sha256:" + hashlib.sha256((index / WHEEL_NAME).read_bytes()).hexdigest()
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setattr(movielens, "PUBLISHER", ("ml-100k.zip", "http://127.0.0.1:9/", ""))
    monkeypatch.setattr(movielens, "WHEEL", (*movielens.WHEEL[:2], known_hash))
    assert load("movielens-100k").item_names == TITLES
    assert [path.name for path in cache.iterdir()] == [WHEEL_NAME]


def test_real_movielens(movielens):
    assert (movielens.n_users, movielens.n_items, movielens.n_categories) == (943, 1682, 19)
    assert len(movielens.item) == 100_000 and movielens.note == ""
    # User 1 by hand: 168 and 172 in the same second, 168 first in the file, then 165.
    assert movielens.item[:3].tolist() == [168, 172, 165]
    assert [movielens.item_names[item] for item in movielens.item[:3]] == [
        "Monty Python and the Holy Grail (1974)",
        "Empire Strikes Back, The (1980)",
        "Jean de Florette (1986)",
    ]
    assert movielens.item_names[1411:1413] == [
        "Barbarella (1968)",
        "Land Before Time III: The Time of the Great Giving (1995) (V)",
    ]
    assert np.diff(movielens.user_start).min() == 20
    assert movielens.fingerprint()["sha256"] == "4ffc1ae6a2fdd818"


def test_miniature_amazon_by_hand(cache):
    write_amazon(cache / "amazon")
    data = load("amazon-beauty")
    assert data.item.tolist() == [1, 3, 1, 2] and data.time.tolist() == [20, 20, 10, 20]
    assert data.user_start.tolist() == [0, 2, 4]
    assert data.item_names == ["", "Soap & Oil", 'It\'s "new"', "x3"]
    # The FIRST path's last name; no path and no metadata at all are both "unknown".
    assert data.category_names == ["", "Bath", "unknown"]
    assert data.category_of_item.tolist() == [0, 1, 2, 2]
    assert data.note.startswith("Users with a single click are left out: 1.")
    assert data.note.endswith("so numbers will shift.")


def test_amazon_files_may_lie_in_the_cache_folder_itself(cache):
    write_amazon(cache)
    assert load("amazon-beauty").n_items == 3


def test_real_amazon():
    folder = os.environ.get("DIEN_EDU_DATA")
    if not folder or not list(Path(folder).rglob("reviews_Beauty_5.json.gz")):
        pytest.skip("DIEN_EDU_DATA holds no reviews_Beauty_5.json.gz")
    data = load("amazon-beauty")
    assert (data.n_users, data.n_items, len(data.item)) == (22_363, 12_101, 198_502)
    assert np.diff(data.user_start).min() >= 5
    assert not any("&amp;" in name for name in data.item_names)
    same_user = np.diff(data.user) == 0
    assert (np.diff(data.time)[same_user] >= 0).all()


def test_a_download_is_kept_and_used_without_a_network(cache, serve):
    path = fetch(("folder/file", serve(b"content"), ""))
    assert path == cache / "folder" / "file" and path.read_bytes() == b"content"
    assert fetch(("folder/file", "http://127.0.0.1:9/", "")) == path
    assert [file for file in cache.rglob("*") if file.is_file()] == [path]


def test_user_cache_is_read_where_the_chosen_folder_lacks_the_file(cache, tmp_path):
    kept = tmp_path / "user" / "dien_edu" / "file"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"kept")
    assert fetch(("file", "http://127.0.0.1:9/", "")) == kept


def test_a_folder_marked_read_only_is_left_alone(cache, tmp_path, serve):
    cache.chmod(0o555)
    assert fetch(("file", serve(b"x"), "")) == tmp_path / "user" / "dien_edu" / "file"
    assert not list(cache.iterdir())
    cache.chmod(0o755)


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(0, 3)), min_size=9))
def test_in_order_is_a_stable_sort(clicks):
    users = [user for user, _, _ in clicks]
    kept = [click for click in clicks if users.count(click[0]) > 1]
    kept.sort(key=lambda click: (click[0], click[2]))
    result = in_order(*np.array(clicks).T, "clicks")
    assert result["item"].tolist() == [item for _, item, _ in kept]
    assert result["time"].tolist() == [time for _, _, time in kept]
    sizes = [users.count(user) for user in sorted(set(users)) if users.count(user) > 1]
    assert np.diff(result["user_start"]).tolist() == sizes
