"""What a reader fills in at an exercise is made from its solution, and its check waits for it."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
import stubs

ROOT = Path(__file__).parent.parent.parent
CHAPTERS = sorted((ROOT / "book").glob("[0-9]*.ipynb"))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_each_stub_is_that_of_its_solution(path):
    notebook = nbformat.read(path, as_version=4)
    before = [cell.source for cell in notebook.cells]
    after = [cell.source for cell in stubs.renew(notebook).cells]
    assert before == after, "run: make stubs"


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_each_check_waits_for_an_answer(path):
    for label, (checks, solution) in stubs.exercises(nbformat.read(path, as_version=4)).items():
        shown = [output.get("text") for cell in checks for output in cell.outputs]
        assert shown == (["no answer yet\n"] if stubs.stub(solution) else []), label


SOLUTION = '''
from dien_edu import layers
u = 0.25
my_a, my_u = [0, 1], u
my_a, my_u = [1, 0], u  # another answer
other, my_c = 1, 2


def step(i, h,
         u=0.5):
    """The new state."""
    new = np.tanh(i)
    return u * new


def _helper(x):
    return x


class Mine(layers.AGRU):
    size = 3

    @staticmethod
    def f(x):
        return x


my_b = step(1, 2)
assert my_b
'''

STUB = '''
from dien_edu import layers

my_a, my_u = ..., ...


def step(i, h,
         u=0.5):
    """The new state."""
    return ...


class Mine(layers.AGRU): ...


my_b = ...
'''


def test_a_stub_holds_what_is_asked_and_nothing_of_the_answer():
    assert stubs.stub(SOLUTION) == STUB.strip()
    assert stubs.stub("from dien_edu import layers\nassert layers\nmy_b += 3") == ""
    assert stubs.split(f"{STUB.strip()}\n\nif my_b is ...:\n    print(1)")[0] == STUB.strip()
    assert stubs.split("if my_b is ...:\n    print(1)")[0] == ""


def exercise(check: str, solution: str):
    cell, text = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    cells = [
        text("```{exercise} One\n:label: ex-one\n\nGive it.\n```"),
        *([cell(check)] if check else []),
        text("```{solution-start} ex-one\n:class: dropdown\n```"),
        *([cell(solution)] if solution else []),
        text("```{solution-end}\n```"),
        cell("my_other = 3"),
    ]
    return nbformat.v4.new_notebook(cells=cells)


@pytest.mark.parametrize(
    ("old", "new"),
    [("my_a = ...", "my_b = ..."), ("def my_b():\n    return ...\n", "my_b = ...")],
)
def test_a_stub_follows_its_solution(old, new):
    notebook = stubs.renew(exercise(f"{old}\n\nprint(my_b)", "my_b = 3\nassert my_b"))
    assert notebook.cells[1].source == f"{new}\n\nprint(my_b)"
    assert stubs.renew(exercise(new, "my_b = 3")).cells[1].source == new


def test_an_exercise_without_code_has_no_stub():
    assert len(stubs.renew(exercise("", "")).cells) == 4
    assert stubs.renew(exercise("", "print(2)")).cells[2].source == "print(2)"


@pytest.mark.parametrize(
    ("check", "solution"),
    [("print(1)", "my_b = 3"), ("my_b = ...", ""), ("my_b = ...", "print(2)"), ("", "my_b = 3")],
)
def test_a_stub_without_its_other_half_is_refused(check, solution):
    with pytest.raises(ValueError, match="ex-one: "):
        stubs.renew(exercise(check, solution))
