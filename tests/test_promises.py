"""The pages that say what is promised and when chapters ran: true to the repository."""

from __future__ import annotations

import importlib
import json
import re
import sys
import tomllib
from pathlib import Path

import mutation
import pytest

pytest.importorskip("yaml", reason="needs PyYAML: pip install -r requirements-book.txt")
maker = importlib.import_module("promises")
ROOT = Path(__file__).parent.parent


def test_every_promise_is_held_by_tests_that_exist():
    parts = maker.promises()
    page = (ROOT / "book/appendix/promises.md").read_text("utf8")
    assert re.findall(r"^```\{promises\} (\w+)$", page, re.M) == list(parts)
    for part, rows in parts.items():
        for one in rows:
            assert set(one) <= {"promise", "tests", "also"}
            assert all(maker.held_by(entry) for entry in one["tests"]), (part, one["promise"])


def test_what_a_promise_names_beside_tests_is_there():
    targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text("utf8"), re.M))
    for one in (one for rows in maker.promises().values() for one in rows):
        for words in one.get("also", []):
            for name in re.findall(r"`([^`]+)`", words):
                target = re.fullmatch(r"make (\w+)", name)
                assert (target[1] in targets) if target else (ROOT / name).is_file(), name


def test_a_promise_that_nothing_holds_stops_the_build():
    for entry in ("tests/test_nothing.py", "tests/test_promises.py::no_such_name"):
        with pytest.raises(ValueError, match="no test is named"):
            maker.held_by(entry)


def test_the_pages_count_what_is_there():
    mine = maker.held_by("tests/test_promises.py")
    here = Path(__file__).read_text("utf8")
    assert len(mine) == len(re.findall(r"^def test_", here, re.M))
    for part in maker.promises():
        text = maker.promise_list(part)
        assert len(re.findall(r"^- .+\n\n  \*\d+ tests?\* in `tests/", text, re.M)) == len(
            maker.promises()[part]
        )
        assert "{" not in text


def test_how_much_the_tests_cover_is_bounded():
    report = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["tool"]["coverage"][
        "report"
    ]
    assert report["fail_under"] >= 95
    assert "coverage report" in (ROOT / "Makefile").read_text("utf8")


def test_the_mutants_of_the_layers_are_those_of_today():
    """A layer that has changed since is examined anew: make mutation."""
    record = json.loads((ROOT / "tests/layers/survivors.json").read_text("utf8"))
    assert set(record) == {path.name for path in mutation.files()}
    for path in mutation.files():
        found = record[path.name]
        assert found["source"] == mutation.sources(path), f"make mutation ARGS='--only {path.name}'"
        assert found["killed"] == found["mutants"] - len(found["survivors"])
        assert all(len(one["reason"]) > 20 for one in found["survivors"]), path.name
    total, killed = (sum(one[key] for one in record.values()) for key in ("mutants", "killed"))
    assert killed >= 0.9 * total > 200


def test_the_runs_are_of_pages_that_exist():
    runs = json.loads(maker.RUNS.read_text("utf8")) if maker.RUNS.exists() else {}
    for name, made in runs.items():
        assert (ROOT / f"book/{name}.ipynb").is_file(), name
        assert made["profile"] == "quick" and 0 < made["seconds"] < 1200
        assert set(made) == {"seconds", "versions", "device", "cores", "profile", "date", "code"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", made["date"])


def test_the_table_of_runs_says_what_is_old_and_what_is_missing(tmp_path, monkeypatch):
    pages = ["01-clicks", "02-pooling", "03-gru"]
    versions = dict.fromkeys(("python", "torch", "numpy", "matplotlib"), "1.2")
    made = {
        "seconds": 12.6,
        "versions": versions,
        "device": "CPU",
        "cores": 2,
        "date": "2026-01-02",
    }
    code = maker.code_of(ROOT / f"book/{pages[0]}.ipynb")
    runs = {pages[0]: made | {"code": code}, pages[1]: made | {"code": "another"}}
    (tmp_path / "runs.json").write_text(json.dumps(runs))
    monkeypatch.setattr(maker, "RUNS", tmp_path / "runs.json")
    rows = {page: row for row in maker.run_table().split("\n") for page in pages if page in row}
    assert "| 13 | 2026-01-02, CPU with 2 cores, python 1.2, torch 1.2," in rows[pages[0]]
    assert "code has changed" not in rows[pages[0]] and "code has changed" in rows[pages[1]]
    assert "not yet measured" in rows[pages[2]]


def test_a_run_is_noted_and_the_chapter_left_alone(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    execute = importlib.import_module("execute")  # which reads notebooks
    (tmp_path / "book").mkdir()
    path = tmp_path / "book" / "01-a.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(6 * 7)")])
    nbformat.write(notebook, path)
    before = path.read_bytes()
    monkeypatch.setattr(execute, "ROOT", tmp_path)
    monkeypatch.setattr(execute, "RUNS", tmp_path / "runs.json")
    monkeypatch.setenv("DIEN_EDU_PROFILE", "quick")
    execute.main(["--measure", str(path)])
    made = json.loads((tmp_path / "runs.json").read_text())["01-a"]
    assert path.read_bytes() == before
    assert made["versions"]["python"].startswith(f"{sys.version_info[0]}.{sys.version_info[1]}")
    assert made["cores"] >= 1 and made["profile"] == "quick" and made["seconds"] > 0
    execute.main([str(path)])
    (cell,) = nbformat.read(path, 4).cells
    assert cell.outputs[0].text == "42\n", "the question is not stored"
