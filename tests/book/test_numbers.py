"""No number of the text is typed: code or output of its page has it, or it is worked by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

BOOK = Path(__file__).parent.parent.parent / "book"
PAGES = sorted(path for path in BOOK.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
# What is no number of ours: pictures' texts, roles, addresses, numbers of sections.
NOT_TEXT = re.compile(r"```\{figure\}.*?```|\{[a-z:]+\}`[^`]*`|https?://\S+|§\s*\S+", re.S)
DECIMAL = re.compile(r"(?<![\w.])\d*\.\d{2,}(?!\w|\.\d)")
HEADING = re.compile(r"^#+ (.*)", re.M)
EXERCISE = re.compile(r"^```\{(exercise|solution)", re.M)


def decimals(text: str) -> list[str]:
    """The numbers with at least two decimals; a whole number is often a count of words or steps."""
    return DECIMAL.findall(NOT_TEXT.sub(" ", text.replace("{,}", "")))


def split(cells: list[dict]) -> tuple[list[str], list[dict]]:
    """Where numbers come from (code, output, calculations by hand), and the rest of the text."""
    sources, text, heading = [], [], ""
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            sources += [source, *("".join(out.get("text", "")) for out in cell["outputs"])]
            continue
        heading = (HEADING.findall(source) or [heading])[-1]
        by_hand = "by hand" in heading or EXERCISE.search(source)
        sources.append(source) if by_hand else text.append(cell)
    return sources, text


def typed(cells: list[dict]) -> list[str]:
    """The numbers of the text that are nowhere else on the page, to the places that are written."""
    sources, text = split(cells)
    known = [float(number) for source in sources for number in re.findall(r"\d*\.\d+", source)]
    found = []
    for cell in text:
        for number in decimals("".join(cell["source"])):
            near = 0.5001 * 10.0 ** -len(number.split(".")[1])
            if not any(abs(value - float(number)) <= near for value in known):
                found.append(f"{number} in cell {cell['id']}")
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_no_number_is_typed(page):
    assert typed(json.loads(page.read_text(encoding="utf8"))["cells"]) == []


def cell(kind: str, text: str, *outputs: str) -> dict:
    return {
        "id": "x",
        "cell_type": kind,
        "source": [text],
        "outputs": [{"text": [output]} for output in outputs],
    }


def test_a_typed_number_is_found():
    measured = cell("code", "print(auc)", "0.87291")
    assert typed([measured, cell("markdown", "DIEN reaches 0.873.")]) == []
    assert typed([measured, cell("markdown", "DIEN reaches 0.874.")]) == ["0.874 in cell x"]
    by_hand = cell("markdown", "## The smallest example, by hand\n\nIt is 0.4375.")
    assert typed([by_hand, cell("markdown", "We had 0.4375 above.")]) == []
    assert typed([cell("markdown", "See {doc}`a-1.25` and § 3.14.")]) == []
