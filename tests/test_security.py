"""What comes from outside stays data: nothing runs it, and nobody is asked who is not named."""

from __future__ import annotations

import ast
import json
import pickle
import re
import socket
from pathlib import Path

import pytest
import torch

from dien_edu.data import ctr_samples
from dien_edu.data.world import interest_world
from dien_edu.training import CheckpointError, load_checkpoint, train_one

ROOT = Path(__file__).parent.parent
SHIPPED = [*ROOT.glob("dien_edu/**/*.py"), *ROOT.glob("_ext/*.py"), *ROOT.glob("studies/*.py")]
SHIPPED += ROOT.glob("benchmarks/**/*.py")
# Where bytes become objects or text becomes code. What is allowed, and why:
ALLOWED = {
    ("_ext/colab_start.py", "extractall"): "the wheel that stands in the same notebook",
    ("dien_edu/kernels/__init__.py", "import_module"): "one of five names in the line before",
    ("benchmarks/peers/serve.py", "import_module"): "a contestant, named on our command line",
}
WORDS = {"eval", "exec", "compile", "__import__"}  # of Python itself; `model.eval()` is none
METHODS = {"import_module", "extractall", "unpack_archive", "urlopen", "urlretrieve"}
OWNED = {("os", "system"), ("os", "popen"), ("yaml", "load")}
MODULES = {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle", "tarfile", "telnetlib"}
HOSTS = {"files.grouplens.org", "snap.stanford.edu", "huggingface.co"}


# Sources: nothing turns data into code


def risks(path: Path, source: str | None = None) -> list[str]:
    """Calls and imports in a file that could run what it reads."""
    source = path.read_text("utf8") if source is None else source
    found = []
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "").split(".")[0]]
        found += [name for name in names if name in MODULES]
        if isinstance(node, ast.Call):
            function, options = node.func, {k.arg: k.value for k in node.keywords}
            name = getattr(function, "id", getattr(function, "attr", ""))
            owner = getattr(getattr(function, "value", None), "id", "")
            bare = isinstance(function, ast.Name) and name in WORDS
            if bare or name in METHODS or (owner, name) in OWNED:
                found.append(name)
            if (owner, name) == ("torch", "load") and not is_true(options.get("weights_only")):
                found.append("torch.load without weights_only=True")
            for option in ("shell", "allow_pickle"):
                if is_true(options.get(option)):
                    found.append(f"{option}=True")
    return found


def is_true(node) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_turns_data_into_code(path):
    name = path.relative_to(ROOT).as_posix()
    assert [risk for risk in risks(path) if (name, risk) not in ALLOWED] == []


def test_no_exception_is_out_of_date():
    for (name, risk), reason in ALLOWED.items():
        assert risk in risks(ROOT / name) and len(reason) > 20


@pytest.mark.parametrize(
    "source",
    [
        "eval(text)", "exec(text)", "import pickle", "from pickle import loads", "os.system(x)",
        "torch.load(path)", "torch.load(path, weights_only=False)", "np.load(p, allow_pickle=True)",
        "run(x, shell=True)", "yaml.load(x)", "archive.extractall()", "__import__(name)",
        "importlib.import_module(name)", "compile(x, '', 'exec')", "import numpy, pickle",
    ],
)  # fmt: skip
def test_each_of_these_is_found(source):
    assert risks(Path("x.py"), source)


def test_chapters_turn_no_data_into_code():
    cells = 0
    for path in ROOT.glob("book/**/*.ipynb"):
        for cell in json.loads(path.read_text("utf8"))["cells"]:
            if cell["cell_type"] == "code":
                source = re.sub(r"^[%!].*$", "pass", "".join(cell["source"]), flags=re.M)
                assert risks(path, source) == [], (path.name, cell["id"])
                cells += 1
    assert cells > 200


def test_a_checkpoint_that_is_a_pickle_runs_nothing(tmp_path):
    class Evil:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Evil()))
    torch.save({"format": 1, "best": Evil()}, tmp_path / "zip.pt")
    for name in ("plain.pt", "zip.pt"):
        with pytest.raises(CheckpointError, match="delete it and train anew"):
            load_checkpoint(tmp_path / name)
    assert not (tmp_path / "ran").exists()


# Requests: to the named sources, and only when somebody asks for data


def test_the_package_names_three_hosts_and_the_book_lists_them():
    texts = [p.read_text("utf8") for p in ROOT.glob("dien_edu/**/*") if p.suffix in (".py", ".js")]
    found = {host for text in texts for host in re.findall(r"https?://([\w.-]+)", text)}
    assert found - {"www.w3.org"} == HOSTS
    listed = (ROOT / "book/appendix/datasets.md").read_text("utf8")
    assert all(host in listed for host in HOSTS)


def test_no_script_of_a_page_can_ask_for_anything():
    asks = re.compile(
        r"\bfetch\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon|\bimport\(|importScripts|eval\(|"
        r"new Function|document\.write|insertAdjacentHTML|outerHTML|localStorage|document\.cookie"
    )
    scripts = [*ROOT.glob("dien_edu/**/*.js"), *ROOT.glob("_ext/static/*.js")]
    assert len(scripts) > 10
    for path in scripts:
        assert not asks.search(path.read_text("utf8")), path.name


def test_training_asks_nobody(monkeypatch):
    asked = []

    def refuse(*arguments, **options):
        asked.append(arguments)
        raise OSError("no network in this test")

    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    splits = ctr_samples(interest_world(n_users=60, n_steps=8))
    train_one("dien", splits, seed=0, device="cpu", epochs=1, progress=False)
    assert asked == []
