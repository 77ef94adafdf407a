"""A chapter reads in at most 25 minutes, by the formula of `_ext/reading.py`."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
import reading

ROOT = Path(__file__).parent.parent.parent
CHAPTERS = sorted((ROOT / "book").glob("[0-9]*.ipynb"))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_reads_in_at_most_25_minutes(path):
    assert reading.minutes(path) <= reading.LIMIT, f"see: python _ext/reading.py book/{path.name}"


TEXT = """# A title

```{figure} images/here-gru.svg
:alt: Six words that nobody has seen
```

Here are {term}`four words <update gate>` and $u_t = 1$.

$$ h = 0 \\tag{5} $$

```{figure} images/gru-cell.svg
:name: fig-a
:alt: Not read

Two words.
```

<details class="quiz"><summary>a. Closed</summary>

Not read.

</details>

| a | word |
| --- | ---: |
"""


def outputs(*data):
    return [nbformat.v4.new_output("display_data", data=one) for one in data]


def notebook(*more):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(TEXT), *more])


def taken(tmp_path, *more):
    path = tmp_path / "a.ipynb"
    nbformat.write(notebook(*more), path)
    return 60 * reading.minutes(path)


def test_each_kind_takes_its_time(tmp_path):
    # words: title 2; Here are four words and formula 6; caption 2; table 2
    text = 12 * 60 / 200 + 20 + 30
    assert taken(tmp_path) == pytest.approx(text)
    code = nbformat.v4.new_code_cell("a = 1\n\nprint(a)")
    code.outputs = [nbformat.v4.new_output("stream", text="1\n2\n")]
    assert taken(tmp_path, code) == pytest.approx(text + 2 * 3 + 2 * 1.5)
    code.metadata.tags = ["hide-input"]
    assert taken(tmp_path, code) == pytest.approx(text + 2 * 1.5)
    code.outputs = outputs({"image/png": "…", "text/plain": "Figure"}, {"text/html": "<x></x>"})
    code.metadata.mystnb = {"figure": {"caption": "Two words."}}
    assert taken(tmp_path, code) == pytest.approx(text + 2 * 60 / 200 + 30 + 60)


def test_exercises_and_quiz_are_not_counted(tmp_path):
    cell = nbformat.v4.new_markdown_cell
    parts = [cell("## Exercises\n\nOne two."), cell("### One\n\nThree."), cell("## Quiz\n\nA?")]
    assert taken(tmp_path, *parts) == taken(tmp_path)
    assert taken(tmp_path, *parts, cell("## Summary\n\nOne two.")) > taken(tmp_path)
