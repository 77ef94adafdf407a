"""Beside each notebook's page its self-contained twin, and below the title the links to run it."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import colab_notebooks as colab
import reading
from book_assets import PLACEHOLDER

GITHUB = re.compile(r"https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git)?/?$")
BRANCH = "notebooks"  # where publish.yml puts the twins: Colab opens files of a repository only


def colab_link(address: str, name: str) -> str:
    """Where Colab opens the published twin; nothing while there is no GitHub repository."""
    found = None if PLACEHOLDER in address else GITHUB.match(address)
    if not found:
        return ""
    owner, repository = found.groups()
    file = f"{owner}/{repository}/blob/{BRANCH}/colab/{name}"
    return f"https://colab.research.google.com/github/{file}"


def sentence(page: str, address: str) -> str:
    """The line below a page's title."""
    name = colab.twin_name(page)
    here = "../" * page.count("/") + f"colab/{name}"
    opened = colab_link(address, name)
    kind = "chapter" if colab.CHAPTER.match(name) else "page"
    opened = f' <a href="{html.escape(opened)}">Open it in Colab</a>.' if opened else ""
    return (
        f'<p class="run-chapter">Run this {kind}: <a href="{here}" download>{name}</a> is one '
        "notebook with everything inside, for Colab (<em>File → Upload notebook</em>) or your own "
        f"Jupyter.{opened}</p>"
    )


def time_to_read(path: Path) -> str:
    """What the main text of a chapter takes, and what it does not hold."""
    minutes = round(reading.minutes(path))
    return (
        f'<p class="run-chapter">Reads in about {minutes} minutes, without the exercises, the quiz '
        "and the folded code.</p>\n"
    )


def add_links(app, page, template, context, doctree):
    """Put the line below the title; the theme's own download leads to the twin as well."""
    if not (Path(app.srcdir) / f"{page}.ipynb").is_file() or "body" not in context:
        return
    line = sentence(page, app.config.html_theme_options.get("repository_url", PLACEHOLDER))
    if colab.CHAPTER.match(Path(page).name):
        line = time_to_read(Path(app.srcdir) / f"{page}.ipynb") + line
    app.add_js_file("run_chapter.js", loading_method="defer")
    context["body"] = context["body"].replace("</h1>", f"</h1>\n{line}", 1)
    for group in context.get("header_buttons", []):
        for button in group.get("buttons", []):
            if button.get("url", "").endswith(".ipynb"):  # the page's own source lacks the package
                button["url"] = "../" * page.count("/") + f"colab/{colab.twin_name(page)}"


def write_twins(app, error):
    """The twins, where the links look for them; each also as a script, see run_chapter.js."""
    if error or app.builder.format != "html":
        return
    for file in colab.write(Path(app.outdir) / "colab", Path(app.confdir)):
        both = json.dumps([file.name, file.read_text(encoding="utf8")], ensure_ascii=False)
        file.with_suffix(".js").write_text(f"saveNotebook(...{both});\n", encoding="utf8")


def setup(app):
    """Register with Sphinx."""
    app.connect("html-page-context", add_links, priority=900)
    app.connect("build-finished", write_twins)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
