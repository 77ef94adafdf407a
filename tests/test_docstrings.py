"""Every public name says what it is, and what has arrays says their shapes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(path for path in ROOT.glob("dien_edu/**/*.py") if "live" not in path.parts)
ARRAYS = re.compile(r"\b(Tensor|ndarray)\b")
# (B, T), (N, n_H), (3H, I), (N,), (…, 3H), or a word for what has none
SHAPE = re.compile(r"\((?:[A-Za-z0-9_…Σ·+\-'’ ]+,)+[^()]*\)|\(\w+,\)|\bscalars?\b|\bshapes?\b")
# What the class or the base class says once for all of them, or has no shape of its own.
INHERITED = re.compile(
    r"forward|backward|apply|step|read|step_size|extra_repr|added|error|n_users|gates|advance|walk|"
    r"reset_parameters"
)
# Element by element, of any shape; or rows by their number, as the class says.
ANY_SHAPE = {
    "reference.py": {"sigmoid", "log_sigmoid", "augru", "official_augru"},  # as `aigru`
    "samples.py": {"Samples.restrict", "Samples.subset", "Samples.order", "uniform", "any_click",
                   "impressions", "user_impressions"},
    "parallel.py": {"gather"},
    "cpu.py": {"supports", "tanh_float32", "tanh_float64"},
    "auxiliary.py": {"arrays"},
    "__init__.py": {"auxiliary_loss", "why_not"},  # as the layer; of every shape
}  # fmt: skip


def public(tree: ast.Module):
    """(name, node, docstring of its class) of each public class, function and method."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_":
            yield node.name, node, ""
        if isinstance(node, ast.ClassDef) and node.name[0] != "_":
            for part in node.body:
                if isinstance(part, ast.FunctionDef) and part.name[0] != "_":
                    yield f"{node.name}.{part.name}", part, ast.get_docstring(node) or ""


def lacking(source: str) -> list[str]:
    """The public names without a docstring, or with arrays of unnamed shape."""
    found = []
    for name, node, of_class in public(ast.parse(source)):
        text = ast.get_docstring(node) or ""
        method = name.rpartition(".")[2] if "." in name else ""
        if not text and not (method and INHERITED.fullmatch(method)):
            found.append(f"{name} has no docstring")
        if isinstance(node, ast.FunctionDef) and text:
            hints = [argument.annotation for argument in node.args.args] + [node.returns]
            arrays = any(hint is not None and ARRAYS.search(ast.unparse(hint)) for hint in hints)
            if arrays and not SHAPE.search(text) and not SHAPE.search(of_class):
                found.append(f"{name} names no shape")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT / "dien_edu")))
def test_public_names_are_described(path):
    assert ast.get_docstring(ast.parse(path.read_text("utf8"))), "what is this file for?"
    known = ANY_SHAPE.get(path.name, set())
    found = [line for line in lacking(path.read_text("utf8")) if line.split()[0] not in known]
    assert found == []


def test_what_is_lacking_is_found():
    bare = "def f(x: Tensor) -> Tensor:\n    return x\n"
    assert lacking(bare) == ["f has no docstring"]
    vague = 'def f(x: Tensor) -> Tensor:\n    """Twice x."""\n    return x\n'
    assert lacking(vague) == ["f names no shape"]
    assert lacking(vague.replace("Twice x.", "Twice x: (B, T) -> (B, T).")) == []
    assert lacking(vague.replace("Tensor", "int")) == []
