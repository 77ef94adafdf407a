"""What the book needs to work from a folder: no server, no network, no dead button."""

from __future__ import annotations

import importlib.util
import re
import shutil
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

HERE = Path(__file__).parent
PLACEHOLDER = "OWNER/REPOSITORY"
# One bundle and its fonts, 1.6 MB of the 24 MB that the package ships.
MATHJAX = ["tex-chtml.js", "output/chtml/fonts/woff-v2"]
FONT_PRELOAD = re.compile(r'\s*<link rel="preload" as="font"[^>]*>')


def configure(app, config):
    """Point Sphinx to the local MathJax and to our style sheet."""
    config.mathjax_path = "mathjax/tex-chtml.js"
    # Its menu would make every formula a stop of the Tab key; the MathML for screen readers stays.
    config.mathjax3_config = {"options": {"enableMenu": False}}
    # Not a top-level _static/: Jupyter Book puts every script of that folder on every page.
    config.html_static_path = [str(HERE / "static")]
    # Unset, the theme logs an error on every page.
    config.html_context.setdefault("default_mode", "auto")
    options = config.html_theme_options
    if PLACEHOLDER not in options.get("repository_url", PLACEHOLDER):
        for button in ("repository", "issues", "edit_page"):
            options[f"use_{button}_button"] = True


@cache
def figures_module(path):
    """The package's own bundler, by its path: building a page needs no torch and no matplotlib."""
    specification = importlib.util.spec_from_file_location("live_bundle", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def page_scripts(app, page, template, context, doctree):
    """Put on each page only the scripts that it uses."""
    if page == "search":  # it fetches excerpts of the pages found, which file:// forbids
        excerpts = 'DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = location.protocol !== "file:";'
        app.add_js_file(None, body=excerpts, priority=300)
    body = context.get("body", "")
    if app.config.book_figures:
        module = figures_module(Path(app.confdir) / app.config.book_figures)
        used = [name for name in module.figures() if f"<{name}-figure" in body]
        if used:  # inline, because module FILES do not load from file://
            app.add_js_file(None, body=module.bundle(*used), type="module")


def finish(app, error):
    """Copy the local MathJax beside the pages, and drop what cannot work from file://."""
    if error or app.builder.format != "html":
        return
    source = Path(distribution("sphinx-mathjax-offline").locate_file("sphinx-mathjax-offline"))
    for name in MATHJAX:
        here, there = source / "static/mathjax" / name, Path(app.outdir) / "_static/mathjax" / name
        there.parent.mkdir(parents=True, exist_ok=True)
        if here.is_dir():
            shutil.copytree(here, there, dirs_exist_ok=True)
        else:
            shutil.copy2(here, there)
    # The theme preloads its icon fonts across origins: an error on every page opened as a file.
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text(encoding="utf8")
        page.write_text(FONT_PRELOAD.sub("", text), encoding="utf8")


def setup(app):
    """Register with Sphinx."""
    app.add_config_value("book_figures", "", "html")
    app.add_css_file("book.css")
    app.add_js_file("book.js", loading_method="defer")
    app.connect("config-inited", configure, priority=900)
    app.connect("html-page-context", page_scripts)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
