"""What a reader fills in at an exercise, made from the exercise's solution: `make stubs`.

The stub is the solution without its answer. It holds, in the order of the solution's code:

- each import;
- each assignment to names that start with `my_`: `my_a, my_u = [0, 1], 0.5` becomes
  `my_a, my_u = ..., ...`;
- each function: its head, its docstring and `return ...`;
- each class: its head and `...`.

All other lines of the solution, its tests for example, are no part of the stub. A function whose
name starts with an underscore is a helper of the solution. Between exercise and solution, one code
cell starts with the stub; whatever follows there is the check.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import nbformat

EXERCISE = re.compile(r"^`{3,}\{exercise\}.*\n:label: (\S+)", re.M)
START = re.compile(r"^`{3,}\{solution-start\} (\S+)", re.M)
END = re.compile(r"^`{3,}\{solution-end\}", re.M)
DEFINITION, IMPORT = re.compile("def |class "), re.compile("import |from ")
GIVEN = "my_"


def names(target: ast.expr) -> list[str]:
    """The names on the left of an assignment."""
    return [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]


def piece(node: ast.stmt, source: str) -> str | None:
    """What the stub shows of one statement of the solution: nothing, or its head."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return ast.get_source_segment(source, node)
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        given = names(node.targets[0])
        if all(name.startswith(GIVEN) for name in given):
            return f"{', '.join(given)} = {', '.join(['...'] * len(given))}"
    if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
        function = isinstance(node, ast.FunctionDef)
        documented = function and ast.get_docstring(node) is not None
        end = node.body[0].end_lineno if documented else body_start(node) - 1
        head = "\n".join(source.split("\n")[node.lineno - 1 : end])
        return f"{head}\n    return ..." if function else f"{head} ..."
    return None


def body_start(node: ast.FunctionDef | ast.ClassDef) -> int:
    """The line of the first statement, or of its first decorator."""
    first = node.body[0]
    return min([first.lineno, *(d.lineno for d in getattr(first, "decorator_list", []))])


def stub(source: str) -> str:
    """The stub that belongs to a solution's code; empty if the solution gives nothing."""
    shown = (piece(node, source) for node in ast.parse(source).body)
    pieces, text = list(dict.fromkeys(filter(None, shown))), ""  # each once
    if all(map(IMPORT.match, pieces)):
        return ""
    for before, shown in zip(["", *pieces], pieces, strict=False):
        text += between(before, shown) + shown
    return text


def between(before: str, after: str) -> str:
    """Empty lines as the formatter wants them: two at a function or class, one after imports."""
    if not before:
        return ""
    if DEFINITION.match(before) or DEFINITION.match(after):
        return "\n\n\n"
    return "\n\n" if IMPORT.match(before) and not IMPORT.match(after) else "\n"


def is_open(node: ast.stmt) -> bool:
    """Whether a statement waits for the reader's answer."""
    body = node.body[-1] if isinstance(node, ast.FunctionDef | ast.ClassDef) else node
    if not isinstance(body, ast.Assign | ast.Return | ast.Expr):
        return False
    values = body.value.elts if isinstance(body.value, ast.Tuple) else [body.value]
    return all(isinstance(v, ast.Constant) and v.value is ... for v in values)


def split(source: str) -> tuple[str, str]:
    """The stub at the head of a cell, imports included, and the rest."""
    last = 0
    for node in ast.parse(source).body:
        if is_open(node):
            last = node.end_lineno
        elif not isinstance(node, ast.Import | ast.ImportFrom):
            break
    lines = source.split("\n")
    return "\n".join(lines[:last]), "\n".join(lines[last:]).strip("\n")


def exercises(notebook) -> dict[str, tuple[list, str]]:
    """Label -> the code cells before the solution, and the solution's code, if it has any."""
    found, label, solved = {}, None, False
    for cell in notebook.cells:
        if cell.cell_type == "code" and label:
            checks, solution = found[label]
            found[label] = (
                (checks, f"{solution}\n{cell.source}") if solved else ([*checks, cell], solution)
            )
        elif exercise := EXERCISE.search(cell.source):
            label, solved = exercise[1], False
            found[label] = [], ""
        elif START.search(cell.source):
            solved = True
        elif END.search(cell.source) or cell.source.startswith("## "):
            label = None
    return found


def renew(notebook):
    """Put into each exercise the stub that its solution makes; the notebook is changed in place."""
    for label, (checks, solution) in exercises(notebook).items():
        wanted = stub(solution) if solution.strip() else ""
        if not wanted and not checks:
            continue  # nothing to compute
        places = [cell for cell in checks if split(cell.source)[0]]
        if not wanted or len(places) != 1:
            raise ValueError(
                f"{label}: {len(places)} cells before the solution start with a stub; one must, "
                f"and the solution makes it {wanted!r}"
            )
        rest = split(places[0].source)[1]
        ends = DEFINITION.match(wanted.rsplit("\n\n\n", 1)[-1])
        gap = "\n\n\n" if ends or DEFINITION.match(rest) else "\n\n"
        places[0].source = f"{wanted}{gap}{rest}" if rest else wanted
    return notebook


def main(arguments):
    """Renew the stubs of the notebooks named, or of every notebook of the folders named."""
    for name in map(Path, arguments):
        for path in sorted(name.rglob("*.ipynb")) if name.is_dir() else [name]:
            notebook = nbformat.read(path, as_version=4)
            before = [cell.source for cell in notebook.cells]
            if before != [cell.source for cell in renew(notebook).cells]:
                nbformat.write(notebook, path)
                print(f"renewed {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
