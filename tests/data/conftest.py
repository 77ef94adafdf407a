"""Caches and servers for the tests of the data sources; nothing here leaves this machine."""

from __future__ import annotations

import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pooch
import pytest

from dien_edu.data import DataError, load


@pytest.fixture(scope="session")
def movielens():
    """The real MovieLens-100K, from the cache or a mirror."""
    try:
        return load("movielens-100k")
    except DataError as error:
        pytest.skip(f"MovieLens-100K cannot be had here: {error}")


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """DIEN_EDU_DATA and the user cache are empty folders, and pip has no package index."""
    folder = tmp_path / "chosen"
    folder.mkdir()
    monkeypatch.setenv("DIEN_EDU_DATA", str(folder))
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "user" / name)
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": "", "CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # between two tries
    return folder


@pytest.fixture
def serve():
    """serve(content, promised=None) -> a URL; `promised` is a length that the server claims."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.answer = (b"", None)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def start(content: bytes, promised: int | None = None) -> str:
        server.answer = (content, promised)
        return f"http://127.0.0.1:{server.server_port}/file"

    yield start
    server.shutdown()
    server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content, promised = self.server.answer
        self.send_response(200)
        self.send_header("Content-Length", str(len(content) if promised is None else promised))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments) -> None:
        pass
