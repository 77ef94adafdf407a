"""Change one thing in `dien_edu/layers` at a time: do their tests notice? `make mutation`.

python tests/layers/mutation.py runs tests/layers once for each mutant, with the loop of PyTorch,
and, if nothing fails, again with the compiled kernels and the tests of which of the two runs. It
prints each mutant that lives, writes counts and survivors into survivors.json, and ends with 1 if
one lives whose reason is not given there, or if less than 90 % die.

What is changed: signs, comparisons, numbers, conditions, attributes such as any and all, keyword
arguments, defaults; a call without a result is left out, a result becomes None. Texts, annotations
and `extra_repr` stay as they are: a message is held by the tests that match its words.
"""

from __future__ import annotations

import argparse
import ast
import copy
import hashlib
import importlib.abc
import importlib.util
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
LAYERS = ROOT / "dien_edu" / "layers"
RECORD = HERE / "survivors.json"
SECONDS = 300  # a mutant that runs longer than this has been noticed
SWAPPED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.MatMult: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or,
    ast.Or: ast.And,
}  # fmt: skip
NAMES = {
    "any": "all", "all": "any", "sigmoid": "tanh", "tanh": "sigmoid", "zeros_": "ones_",
    "new_zeros": "new_ones", "xavier_uniform_": "xavier_normal_", "orthogonal_": "xavier_uniform_",
    "ReLU": "Tanh", "logsigmoid": "sigmoid", "sum": "mean", "softmax": "sigmoid",
}  # fmt: skip


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in the place of this node."""
    new = copy.deepcopy(node)
    if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in SWAPPED:
        new.op = SWAPPED[type(node.op)]()
        yield new
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPPED:
        new.ops[0] = SWAPPED[type(node.ops[0])]()
        yield new
    elif isinstance(node, ast.UnaryOp):
        yield new.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        yield ast.Constant(not node.value if isinstance(node.value, bool) else node.value + 1)
    elif isinstance(node, ast.Attribute) and node.attr in NAMES:
        new.attr = NAMES[node.attr]
        yield new
    elif isinstance(node, ast.IfExp):
        yield from (new.body, new.orelse)
    elif isinstance(node, ast.If):
        for value in (True, False):
            one = copy.deepcopy(node)
            one.test = ast.Constant(value)
            yield one
    elif isinstance(node, ast.Return) and node.value is not None:
        yield ast.Return(ast.Constant(None))
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield ast.Pass()
    elif isinstance(node, ast.Assign):
        new.value = ast.Constant(None)
        yield new
    if isinstance(node, ast.Call):
        for place in range(len(node.keywords)):
            one = copy.deepcopy(node)
            del one.keywords[place]
            yield one


def places(tree: ast.AST, inside: tuple = ()) -> Iterator[tuple[str, ast.AST, str, int | None]]:
    """(function, parent, field, place in a list) of each node that may change."""
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns", "bases", "decorator_list", "names", "type_params"):
            continue
        for place, node in enumerate(value if isinstance(value, list) else [value]):
            skipped = isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom)
            if not isinstance(node, ast.AST) or skipped:
                continue
            named = isinstance(node, ast.FunctionDef | ast.ClassDef)
            if named and node.name == "extra_repr":
                continue
            here = (*inside, node.name) if named else inside
            yield ".".join(here), tree, field, place if isinstance(value, list) else None
            yield from places(node, here)


def mutants(path: Path) -> Iterator[tuple[dict, str]]:
    """A description and the source of each mutant of one file."""
    source = path.read_text("utf8")
    for n, (function, parent, field, place) in enumerate(places(ast.parse(source))):
        held = getattr(parent, field)
        node = held if place is None else held[place]
        for new in changes(node):
            tree = ast.parse(source)
            _, other, _, _ = list(places(tree))[n]
            if place is None:
                setattr(other, field, new)
            else:
                getattr(other, field)[place] = new
            what = {"file": path.name, "in": function, "code": short(node), "becomes": short(new)}
            yield what, ast.unparse(ast.fix_missing_locations(tree))


def short(node: ast.AST) -> str:
    """The first line of a node's source."""
    lines = ast.unparse(ast.fix_missing_locations(node)).split("\n")
    return lines[0] + (" …" if len(lines) > 1 else "")


class Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module of the package another source."""

    def __init__(self, name: str, source: str):
        self.name, self.source = name, source

    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self) if name == self.name else None

    def exec_module(self, module):
        exec(compile(self.source, f"<{self.name}>", "exec"), module.__dict__)


def lives(file: str, source: str, kernels: bool) -> bool:
    """Fork, put the mutant in place, run the tests there: do all of them pass?"""
    import pytest

    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        from dien_edu.kernels import cpu

        cpu.MISSING = cpu.MISSING if kernels else "the loop is what is tested"
        sys.meta_path.insert(0, Mutated(f"dien_edu.layers.{file.removesuffix('.py')}", source))
        options = ["-x", "-q", "-p", "no:cacheprovider", "--disable-warnings", "--tb=no"]
        choice = [str(HERE.parent / "kernels" / "test_choice.py")] if kernels else []
        os._exit(int(pytest.main([*options, *choice, *in_order(file)])))
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def in_order(file: str) -> list[str]:
    """The files of tests, first the one that is about this layer."""
    found = sorted(HERE.glob("test_*.py"))
    about = {"attention.py": "test_attention", "auxiliary.py": "test_auxiliary"}
    about = about.get(file, "test_recurrences")
    return [str(path) for path in sorted(found, key=lambda path: path.stem != about)]


def sources(path: Path) -> str:
    """A hash of what is mutated."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def examine(path: Path, old: dict, again: bool) -> dict:
    """All mutants of one file: how many there are, how many die, and which live for what reason.

    `again`: only those that lived the last time and have no reason; the file must be the same.
    """
    if again and old.get("source") != sources(path):
        sys.exit(f"{path.name} has changed since: without --again")
    reasons = {identity(one): one["reason"] for one in old.get("survivors", [])}
    counted, survivors, found = 0, [], list(mutants(path))
    often = Counter(identity(what) for what, _ in found)
    for what, source in found:
        counted += 1
        if again and identity(what) not in reasons:
            continue
        known = again and often[identity(what)] == 1 and reasons[identity(what)]
        if known or all(lives(path.name, source, kernels) for kernels in (False, True)):
            what["reason"] = reasons.get(identity(what), "")
            survivors.append(what)
            print(json.dumps(what, ensure_ascii=False), flush=True)
    killed = counted - len(survivors)
    return {"source": sources(path), "mutants": counted, "killed": killed, "survivors": survivors}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", default="*.py", help="mutants of this file alone")
    options.add_argument("--again", action="store_true", help="only what lived without a reason")
    options = options.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests/data")]
    # What every child would import, and nothing of the layers.
    os.environ["HYPOTHESIS_PROFILE"] = "first"
    for name in ("torch", "pytest", "hypothesis", "dien_edu.reference", "dien_edu.kernels.cpu"):
        __import__(name)
    record = json.loads(RECORD.read_text("utf8")) if RECORD.exists() else {}
    for path in files(options.only):
        if not lives(path.name, path.read_text("utf8"), kernels=False):
            sys.exit("the tests of the layers fail without a mutation")
        record[path.name] = examine(path, record.get(path.name, {}), options.again)
        RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf8")
        print(f"{path.name}: {record[path.name]['killed']} of {record[path.name]['mutants']} die")
    counted, killed = (sum(one[key] for one in record.values()) for key in ("mutants", "killed"))
    print(f"{killed} of {counted} mutants die, {killed / counted:.1%}")
    reasons = [one["reason"] for part in record.values() for one in part["survivors"]]
    sys.exit(not all(reasons) or killed < 0.9 * counted)


def files(pattern: str = "*.py") -> list[Path]:
    """The layers; the list of their names in `__init__` is no code."""
    return [path for path in sorted(LAYERS.glob(pattern)) if path.stem != "__init__"]


def identity(what: dict) -> tuple:
    return tuple(what[key] for key in ("file", "in", "code", "becomes"))


if __name__ == "__main__":
    main()
