"""Two pages of the appendix, made when the pages are built: no number on them is typed.

`{promises} NAME` lists the promises of one part of `promises.yml`, each with the tests that hold it
and how many they are. `{chapter-runs}` lists the last run of each chapter, from `execution.json`,
which `_ext/execute.py` writes. Needs no torch: tests are counted in their sources.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import tomllib
from functools import cache
from pathlib import Path

import yaml

HERE = Path(__file__).parent
ROOT = HERE.parent
PROMISES = HERE / "promises.yml"
RUNS = HERE / "execution.json"


@cache
def tests_of(path: Path) -> tuple[str, ...]:
    """The names of the test functions of a file, methods of test classes as well."""
    tree = ast.parse(path.read_text(encoding="utf8"))
    found = (node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return tuple(name for name in found if name.startswith("test_"))


def held_by(entry: str, root: Path = ROOT) -> list[str]:
    """The tests that an entry names: a file or a pattern of files, and a pattern of names.

    ValueError if there are none: a promise that nothing holds must not be printed.
    """
    files, _, names = entry.partition("::")
    wanted = re.compile(names or "test_")
    found = [
        f"{path.relative_to(root).as_posix()}::{name}"
        for path in sorted(root.glob(files))
        for name in tests_of(path)
        if wanted.search(name)
    ]
    if not found:
        raise ValueError(f"promises: no test is named by {entry!r}")
    return found


def promises(root: Path = ROOT) -> dict[str, list[dict]]:
    """Part -> its promises, each with `promise`, `tests`, and what is counted elsewhere, `also`."""
    return yaml.safe_load(PROMISES.read_text(encoding="utf8"))


def facts(root: Path = ROOT) -> dict[str, str]:
    """Numbers that the promises quote, from where they are made."""
    mutants = json.loads((root / "tests/layers/survivors.json").read_text(encoding="utf8"))
    total, killed = (sum(one[key] for one in mutants.values()) for key in ("mutants", "killed"))
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf8"))
    return {
        "mutants": f"{total:,}",
        "killed": f"{100 * killed / total:.0f} %",
        "survivors": f"{total - killed:,}",
        "covered": f"{project['tool']['coverage']['report']['fail_under']} %",
        "files": f"{mutated_files(root):,}",
    }


def mutated_files(root: Path) -> int:
    """How many mutated data files `make test` loads."""
    tests, kinds = (root / "tests/data" / name for name in ("test_mutated.py", "mutate.py"))
    each = re.search(r"^FILES = (\d+)", tests.read_text(encoding="utf8"), re.M)
    parts = re.findall(r"^            Kind\(", kinds.read_text(encoding="utf8"), re.M)
    return int(each[1]) * 2 * len(parts)  # as published, and before they are packed


def promise_list(part: str, root: Path = ROOT) -> str:
    """The promises of a part as a Markdown list: on a phone a table would hide what it says."""
    rows, known = [], facts(root)
    for one in promises(root)[part]:
        found = [test for entry in one["tests"] for test in held_by(entry, root)]
        files = dict.fromkeys(test.split("::")[0] for test in found)
        also = [words.format(**known) for words in one.get("also", [])]
        places = ", ".join(f"`{name}`" for name in files)
        count = f"{len(found)} {'test' if len(found) == 1 else 'tests'}"
        held = "; ".join([f"{count} in {places}", *also])
        rows.append(f"- {one['promise'].format(**known)}\n\n  *{count}*{held[len(count) :]}.")
    return "\n".join(rows)


def code_of(notebook: Path) -> str:
    """A hash of a chapter's code: a run of other code says nothing about it."""
    cells = json.loads(notebook.read_text(encoding="utf8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()[:16]


def run_table(root: Path = ROOT) -> str:
    """The last run of each notebook of the contents as a Markdown table."""
    runs = json.loads(RUNS.read_text(encoding="utf8")) if RUNS.exists() else {}
    contents = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf8"))
    pages = [page["file"] for part in contents["parts"] for page in part["chapters"]]
    rows = ["| page | seconds | when, and on what |", "| --- | ---: | --- |"]
    for page in pages:
        path = root / f"{page}.ipynb"
        if not path.is_file():
            continue
        name = page.removeprefix("book/")
        made = runs.get(name)
        if made is None:
            rows.append(f"| {{doc}}`/{page}` | | not yet measured |")
            continue
        used = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
        changed = "" if made["code"] == code_of(path) else " **Its code has changed since.**"
        rows.append(
            f"| {{doc}}`/{page}` | {made['seconds']:.0f} | {made['date']}, {made['device']} with "
            f"{made['cores']} cores, {used}.{changed} |"
        )
    return "\n".join(rows)


def directive(table):
    """A directive that puts a table of Markdown into the page."""
    from docutils import nodes
    from docutils.parsers.rst import Directive
    from docutils.statemachine import StringList

    class Table(Directive):
        optional_arguments = 1

        def run(self):
            holder, lines = nodes.container(), table(*self.arguments).split("\n")
            self.state.nested_parse(StringList(lines, source="promises"), 0, holder)
            return holder.children

    return Table


def setup(app):
    app.add_directive("promises", directive(promise_list))
    app.add_directive("chapter-runs", directive(run_table))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
