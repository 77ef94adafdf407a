"""Archives are bounded, hosts are named, and hostile texts are texts."""

from __future__ import annotations

import socket
import zipfile

import numpy as np
import pytest
from hostile import EVIL, SCRIPT
from miniature import MANY, make_zip, publisher_members, write_amazon

from dien_edu.data import DataError, load, mind, movielens
from dien_edu.data.download import fetch, read_members

HOSTS = {"files.grouplens.org", "snap.stanford.edu", "huggingface.co"}

# Archives: bounded before they are read


def test_a_bomb_in_a_bomb_and_a_member_that_is_counted_twice(tmp_path):
    """An archive's members may overlap, so that a small file promises much: the sum is bounded."""
    bomb = make_zip({"a/u.data": bytes(3 << 20), "b/u.item": bytes(3 << 20)})
    (tmp_path / "bomb.zip").write_bytes(bomb)
    with pytest.raises(DataError, match="grows more than 100 times"):
        read_members(tmp_path / "bomb.zip", ["u.data", "u.item"])


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_bomb_of_another_compression(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", method) as archive:
        archive.writestr("u.data", bytes(50 << 20))
    with pytest.raises(DataError, match="grows more than 100 times"):
        read_members(tmp_path / "bomb.zip", ["u.data"])


def test_a_member_that_is_a_link_is_only_text(tmp_path):
    """Members are read, never unpacked: a link in an archive leads nowhere."""
    link = zipfile.ZipInfo("u.data")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        archive.writestr(link, "../../secret")
    assert read_members(tmp_path / "link.zip", ["u.data"]) == [b"../../secret"]
    assert [path.name for path in tmp_path.iterdir()] == ["link.zip"]


def test_a_download_asks_the_mirrors_and_nobody_else(cache, monkeypatch):
    asked, real = [], socket.getaddrinfo

    def note(host, *arguments, **options):
        asked.append(host)
        if host not in ("127.0.0.1", "localhost"):
            raise OSError("no network in this test")
        return real(host, *arguments, **options)

    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", note)
    monkeypatch.setattr(mind, "FILES", {name: "0" * 64 for name in mind.FILES})
    for name in ("amazon-beauty", "mind-small"):
        with pytest.raises(DataError, match="no mirror delivered"):
            load(name)
    with pytest.raises(DataError, match="no mirror delivered"):
        fetch((*movielens.PUBLISHER[:2], "md5:0"))
    assert set(asked) == HOSTS


def test_the_text_of_a_hostile_data_set_reaches_the_titles_as_text(cache):
    listed = [
        {"asin": f"x{n}", "title": EVIL[n % 5], "categories": [["All", EVIL[(n + 1) % 5]]]}
        for n in range(6)
    ]
    write_amazon(cache / "amazon", MANY, listed)
    data = load("amazon-beauty")
    assert SCRIPT in data.item_names and SCRIPT in data.category_names
    assert np.array_equal(np.unique(data.item), np.arange(1, 7))


def test_a_film_called_script(cache, monkeypatch):
    members = publisher_members()
    members["ml-100k/u.item"] = members["ml-100k/u.item"].replace(b"Four Rooms", SCRIPT.encode())
    monkeypatch.setattr(movielens, "PUBLISHER", (*movielens.PUBLISHER[:2], ""))
    (cache / "ml-100k.zip").write_bytes(make_zip(members))
    assert f"{SCRIPT} (1995)" in load("movielens-100k").item_names
