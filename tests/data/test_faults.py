"""Each fault ends in one clear error, and leaves nothing half-written behind."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from random import Random

import pooch
import pytest
from miniature import make_zip, publisher_members, wheel_members, write_amazon

from dien_edu.data import DataError, amazon, download, load, mind, movielens
from dien_edu.data.download import fetch, read_members

NOWHERE = "http://127.0.0.1:9/file"
CONTENT = gzip.compress(Random(0).randbytes(3000), mtime=0)
HASH = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


def assert_empty(folder: Path) -> None:
    assert [path for path in folder.parent.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("kept", [0, 1, 9, 100, len(CONTENT) // 2, len(CONTENT) - 1])
@pytest.mark.parametrize("known_hash", ["", HASH], ids=["no hash", "hash"])
@pytest.mark.parametrize("promised", [None, len(CONTENT)])
def test_cut_download(cache, serve, kept, known_hash, promised):
    with pytest.raises(DataError, match="no mirror delivered"):
        fetch(("file.gz", serve(CONTENT[:kept], promised), known_hash))
    assert_empty(cache)


@pytest.mark.parametrize("known_hash", ["", HASH], ids=["no hash", "hash"])
@pytest.mark.parametrize("page", [b"<!DOCTYPE html><p>log in", b"\n <HTML><p>blocked"])
def test_web_page_instead_of_the_file(cache, serve, page, known_hash):
    with pytest.raises(DataError, match="web page"):
        fetch(("file.zip", serve(page), known_hash))
    assert_empty(cache)


def test_a_file_cut_at_any_byte(tmp_path):
    """Every length there is, without a hash that would give it away."""
    packed = gzip.compress(Random(0).randbytes(400), mtime=0)
    archive = make_zip({"member": packed, "other": b"x" * 99})
    for content, path in ((packed, tmp_path / "file.gz"), (archive, tmp_path / "file.zip")):
        path.write_bytes(content)
        assert download._damage(path, "") == ""
        for kept in range(len(content)):
            path.write_bytes(content[:kept])
            assert download._damage(path, ""), (path.name, kept)


ANSWERS = [
    b"<!DOCTYPE html><html><title>Log in</title></html>",
    b"\xef\xbb\xbf<html>blocked by your organisation</html>",
    b"<!-- a comment first --><html></html>",
    b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
    b'{"error": "not found"}',
    b"404: Not Found",
]


NAMES = ["movielens-100k", "amazon-beauty", "amazon-electronics", "mind-small"]
PAIRS = [(NAMES[0], ANSWERS[0]), *((name, answer) for name in NAMES[1:] for answer in ANSWERS)]


@pytest.mark.parametrize(("name", "answer"), PAIRS)
def test_no_data_set_takes_what_a_proxy_says_for_its_file(name, answer, cache, serve, monkeypatch):
    """All mirrors answer the same; what they said is in the message and not in the cache."""
    address, files = serve(answer), {f"mind/MINDsmall_{part}.zip": "" for part in ("train", "dev")}
    monkeypatch.setattr(movielens, "PUBLISHER", ("ml-100k.zip", address, "md5:0"))
    monkeypatch.setattr(amazon, "ADDRESS", address + "?")
    copy = (f"amazon/{amazon.ZIP}", address, "")
    monkeypatch.setattr(amazon, "COPIES", {"amazon-electronics": copy})
    monkeypatch.setattr(mind, "ADDRESS", address + "?")
    monkeypatch.setattr(mind, "FILES", {file: "0" * 64 for file in files})
    with pytest.raises(DataError, match="no mirror delivered the file") as caught:
        load(name)
    assert "what came" in str(caught.value) and "To place it by hand" in str(caught.value)
    assert_empty(cache)


def test_notebooks_that_share_a_cache(cache, serve):
    """Eight at once on an empty cache: each gets the whole file, and one is kept."""
    address, start = serve(CONTENT), threading.Barrier(8)

    def notebook(_):
        start.wait()
        return fetch(("file.gz", address, HASH)).read_bytes()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(notebook, range(8))) == {CONTENT}
    assert [path.name for path in cache.rglob("*")] == ["file.gz"]


def test_a_reader_never_sees_half_of_a_file(cache, serve):
    """While one notebook downloads again and again, what another reads is all or nothing."""
    address, path, seen, done = serve(CONTENT), cache / "file.gz", set(), threading.Event()

    def look():
        while not done.is_set():
            with suppress(FileNotFoundError):
                seen.add(path.read_bytes())

    with ThreadPoolExecutor(1) as pool:
        pool.submit(look)
        for _ in range(15):
            path.unlink(missing_ok=True)
            fetch(("file.gz", address, HASH))
        done.set()
    assert seen == {CONTENT}


def test_a_file_of_an_older_version_is_named_or_left_alone(cache, monkeypatch):
    monkeypatch.setattr(movielens, "PUBLISHER", ("ml-100k.zip", NOWHERE, "md5:0"))
    older = cache / "recbole-1.2.0-py3-none-any.whl"
    older.write_bytes(make_zip(wheel_members()))
    with pytest.raises(DataError, match="no mirror delivered"):
        load("movielens-100k")
    older.rename(cache / "recbole-1.2.1-py3-none-any.whl")
    with pytest.raises(DataError, match="1.2.1-py3-none-any.whl does not have the hash.*delete it"):
        load("movielens-100k")


def test_a_home_that_takes_no_folder(tmp_path, monkeypatch):
    (tmp_path / "home").write_text("a file")
    monkeypatch.delenv("DIEN_EDU_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "home" / ".cache" / name)
    with pytest.raises(DataError, match="cannot write to the cache folder .*home.*DIEN_EDU_DATA"):
        load("movielens-100k")
    assert (tmp_path / "home").read_text() == "a file"


def test_a_cache_that_may_be_read_and_not_written_is_used(cache):
    write_amazon(cache / "amazon")
    for path in (cache / "amazon", cache):
        path.chmod(0o555)
    try:
        assert load("amazon-beauty").n_items == 3
    finally:
        for path in (cache, cache / "amazon"):
            path.chmod(0o755)


def test_wrong_hash(cache, serve):
    with pytest.raises(DataError, match="does not have the hash sha256:"):
        fetch(("file.gz", serve(gzip.compress(b"another file")), HASH))
    assert_empty(cache)


def test_next_mirror_is_tried(cache, serve):
    page = ("page.gz", NOWHERE, "")
    assert fetch(page, ("file.gz", serve(CONTENT), HASH)) == cache / "file.gz"


def test_no_network_and_no_cache_names_mirrors_answers_and_remedy(cache, monkeypatch):
    monkeypatch.setattr(movielens, "PUBLISHER", ("ml-100k.zip", NOWHERE, "md5:0"))
    start = time.monotonic()
    with pytest.raises(DataError) as caught:
        load("movielens-100k")
    assert time.monotonic() - start < 30
    message = str(caught.value)
    assert NOWHERE in message and "pip download --no-deps recbole==1.2.1" in message
    assert "refused" in message and "No matching distribution" in message
    assert str(cache / "ml-100k.zip") in message
    assert str(cache / "recbole-1.2.1-py3-none-any.whl") in message
    assert_empty(cache)


def test_missing_metadata(cache, monkeypatch):
    monkeypatch.setattr(amazon, "ADDRESS", NOWHERE)
    (write_amazon(cache / "amazon") / "meta_Beauty.json.gz").unlink()
    with pytest.raises(DataError, match="save it as .*amazon.meta_Beauty.json.gz"):
        load("amazon-beauty")


@pytest.mark.parametrize("kept", [0, 5, 40, 90])
@pytest.mark.parametrize("name", ["reviews_Beauty_5.json.gz", "meta_Beauty.json.gz"])
def test_cut_file_in_the_cache(cache, name, kept):
    path = write_amazon(cache / "amazon") / name
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match=f"{name}.*delete it"):
        load("amazon-beauty")


def test_cached_file_with_a_wrong_hash(cache):
    (cache / "ml-100k.zip").write_bytes(make_zip(publisher_members()))
    with pytest.raises(DataError, match="ml-100k.zip does not have the hash.*delete it"):
        load("movielens-100k")


@pytest.fixture
def mini(cache, monkeypatch):
    """mini(members, name): put a miniature MovieLens into the cache, its hash left unchecked."""

    def write(members: dict[str, bytes], name: str = "ml-100k.zip") -> None:
        for constant in ("PUBLISHER", "WHEEL"):
            mirror = getattr(movielens, constant)
            monkeypatch.setattr(movielens, constant, (*mirror[:2], ""))
        (cache / name).write_bytes(make_zip(members))

    return write


BAD_CLICKS = ["7\t3\t5", "7\t3\t5\tnoon", "7\t99\t5\t200", "", "\ufffd", f"7\t3\t5\t{10**30}"]


@pytest.mark.parametrize("line", BAD_CLICKS)
def test_malformed_click(mini, line):
    members = publisher_members()
    lines = members["ml-100k/u.data"].decode().split("\n")
    lines[3] = line
    mini({**members, "ml-100k/u.data": "\n".join(lines).encode()})
    with pytest.raises(DataError, match="u.data, line 4: expected user, listed film"):
        load("movielens-100k")


@pytest.mark.parametrize("line", ["1|Toy Story (1995)|||", "1|x||||" + "|".join("0" * 19), "1|x"])
def test_malformed_film(mini, line):
    members = publisher_members()
    mini({**members, "ml-100k/u.item": members["ml-100k/u.item"] + line.encode()})
    with pytest.raises(DataError, match="u.item, line 6: expected id|title"):
        load("movielens-100k")


def test_malformed_line_in_the_wheel_counts_its_header(mini):
    members = wheel_members()
    name = "recbole/dataset_example/ml-100k/ml-100k.inter"
    mini({**members, name: members[name] + b"7\t3\n"}, "recbole-1.2.1-py3-none-any.whl")
    with pytest.raises(DataError, match="inter, line 10: expected user"):
        load("movielens-100k")


@pytest.mark.parametrize(
    "line",
    ["{", '{"asin": "x1"}', "[]", '"x"', pytest.param("[" * 100_000, id="deep"), "{'asin': 'x1'}"],
)
def test_malformed_review(cache, line):
    path = write_amazon(cache) / "reviews_Beauty_5.json.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + line.encode()))
    with pytest.raises(DataError, match="reviews_Beauty_5.json.gz, line 6: expected a JSON object"):
        load("amazon-beauty")


@pytest.mark.parametrize(
    "line",
    [
        "{'asin': 'x1', ",
        "{'title': 1}",
        "__import__('os')",
        "{'asin': 'x1', 'title': {}, 'categories': 3}",
    ],
)
def test_malformed_metadata(cache, line):
    path = write_amazon(cache) / "meta_Beauty.json.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + line.encode()))
    with pytest.raises(DataError, match="meta_Beauty.json.gz, line 4: expected a Python dict"):
        load("amazon-beauty")


def test_metadata_of_other_items(cache):
    write_amazon(cache, metadata=[{"asin": "other"}])
    with pytest.raises(DataError, match="describes no item"):
        load("amazon-beauty")


def test_only_users_with_one_click(mini):
    mini(publisher_members([(1, 1, 5, 10), (2, 3, 5, 10)]))
    with pytest.raises(DataError, match="no user with two clicks"):
        load("movielens-100k")


def test_no_clicks(mini):
    mini(publisher_members([]))
    with pytest.raises(DataError, match="no user with two clicks"):
        load("movielens-100k")


def test_unknown_name():
    with pytest.raises(DataError) as caught:
        load("movielens")
    known = ("interest-world", "amazon-beauty", "Did you mean movielens-100k")
    for expected in ("'movielens'", *known):
        assert expected in str(caught.value)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
@pytest.mark.parametrize("place", ["os.replace", "shutil.move", "tempfile.mkdtemp"])
def test_unwritable_cache(cache, serve, monkeypatch, code, place):
    def refuse(*arguments, **options):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(place, refuse)
    with pytest.raises(
        DataError, match="cannot write to the cache folder.*DIEN_EDU_DATA"
    ) as caught:
        fetch(("file.gz", serve(CONTENT), HASH))
    assert str(cache) in str(caught.value) and os.strerror(code) in str(caught.value)
    monkeypatch.undo()
    assert_empty(cache)


def test_interrupted_download_leaves_nothing(cache, serve, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch(("file.gz", serve(CONTENT), HASH))
    assert_empty(cache)


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "C:/evil", "..\\evil"])
def test_member_outside_the_folder(mini, cache, name):
    mini({**publisher_members(), name: b"evil"})
    with pytest.raises(DataError, match="unsafe member"):
        load("movielens-100k")
    assert [path.name for path in cache.parent.rglob("*") if path.is_file()] == ["ml-100k.zip"]


def test_zip_bomb(mini):
    mini({**publisher_members(), "ml-100k/u.data": bytes(50_000_000)})
    with pytest.raises(DataError, match="grows more than 100 times"):
        load("movielens-100k")


def test_zip_that_lies_about_a_size(tmp_path):
    content = bytearray(make_zip({"member": bytes(5_000_000)}))
    size = struct.pack("<I", 5_000_000)
    while (place := content.find(size)) >= 0:
        content[place : place + 4] = struct.pack("<I", 100)
    (tmp_path / "lie.zip").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read"):
        read_members(tmp_path / "lie.zip", ["member"])


def test_zip_without_the_member(mini):
    mini({"ml-100k/README": b""})
    with pytest.raises(DataError, match="no item named 'ml-100k/u.data'"):
        load("movielens-100k")


def test_gzip_bomb(cache):
    path = write_amazon(cache) / "meta_Beauty.json.gz"
    path.write_bytes(gzip.compress(bytes(50_000_000)))
    with pytest.raises(DataError, match="grows more than 100 times"):
        load("amazon-beauty")
