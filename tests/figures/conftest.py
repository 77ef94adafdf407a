"""Pages with figures, opened as a reader opens them."""

from __future__ import annotations

import pytest

WIDE = {"width": 1280, "height": 900}


@pytest.fixture
def open_page(browser, tmp_path):
    """Opens a page from a file, without network or motion; fails on an error in the console."""
    contexts, problems = [], []

    def open_it(text, viewport=WIDE, **options):
        context = browser.new_context(
            viewport=viewport, offline=True, reduced_motion="reduce", **options
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        file = tmp_path / f"{len(contexts)}.html"
        file.write_text(text, encoding="utf8")
        page.goto(file.as_uri())
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not problems
