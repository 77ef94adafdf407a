"""The built book in Chromium: from a folder, without a network, for every reader."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
WEIGHT = 1_500_000  # bytes a page may have beyond what all pages share
# What others write into every page: axe's rule -> the element, and why we live with it.
BIBLIOGRAPHY = 'role="doc-biblioentry"'  # docutils: each entry is announced, only not as a list
THEMES_OWN = {
    "region": "sidebar-primary-item",  # the theme: the book's title stands outside its navigation
    "aria-allowed-role": BIBLIOGRAPHY,
    "aria-deprecated-role": BIBLIOGRAPHY,
    "aria-required-children": 'class="citation-list"',
}
# Left out to save minutes: MathJax's own markup, and in the chapters the thousands of coloured
# words of code, whose colours are looked at on the other pages.
MATHS, CODE = ["mjx-container"], [".highlight"]
AXE_REPORTS = {"resultTypes": ["violations"]}
PAPER = 718  # CSS pixels between the margins of a sheet of A4
SIZES = {
    "wide": {"width": 1280, "height": 900},
    "phone": {"width": 390, "height": 844},
    "paper": {"width": PAPER, "height": 1000},
}


@pytest.fixture(scope="session")
def book(tmp_path_factory, browser) -> Path:
    """The pages, built once for all tests, away from the repository."""
    builder = Path(sys.executable).with_name("jupyter-book")
    if not builder.exists():
        pytest.skip("needs jupyter-book: pip install -r requirements-book.txt")
    folder = tmp_path_factory.mktemp("book")
    command = [builder, "build", ROOT, "--path-output", folder, "--all", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf8", check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder / "_build/html"


@pytest.fixture(scope="session")
def pages(book) -> list[Path]:
    """Every page that a reader can open."""
    found = sorted(book.glob("**/*.html"))
    found = [page for page in found if "_static" not in page.parts]
    found.remove(book / "index.html")  # leads on to book/index.html at once
    assert len(found) >= 8
    return found


@pytest.fixture
def reader(browser):
    """Opens pages as a reader without a network; what leaves and what fails is written down."""
    opened = []

    def open_book(size="wide", theme="light"):
        context = browser.new_context(
            viewport=SIZES[size], offline=True, color_scheme=theme, reduced_motion="reduce"
        )
        page = context.new_page()
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(f"{page.url}: {error}"))
        page.on("console", lambda m: m.type == "error" and page.problems.append(m.text))
        page.on("request", lambda r: note(page, r.url))
        opened.append(context)
        return page

    yield open_book
    for context in opened:
        context.close()


def note(page, address):
    if not address.startswith(("file:", "data:", "blob:")):
        page.problems.append(f"{page.url} asks for {address}")


def visit(page, file):
    """Open a page and wait until its mathematics is set."""
    page.goto(file.as_uri())
    page.evaluate("window.MathJax?.startup?.promise?.then(() => true)")


def test_every_page_opens_from_a_folder_without_a_network(pages, reader):
    page = reader("phone")
    for file in pages:
        visit(page, file)
        assert page.problems == []
        assert page.title()
        if "$" in file.read_text("utf8") or page.locator(".math").count():
            assert page.locator("mjx-container").count() >= page.locator(".math").count(), file
        assert page.locator("mjx-merror").count() == 0, file
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, file


def test_every_live_figure_is_live(pages, reader):
    page, seen = reader(), 0
    for file in pages:
        names = set(re.findall(r"<(\w+)-figure state=", file.read_text("utf8")))
        if not names:
            continue
        visit(page, file)
        for element in page.locator(", ".join(f"{name}-figure" for name in names)).all():
            picture = element.locator(".picture")
            before = picture.inner_html()
            slider = element.locator("input[type=range]:visible")
            if slider.count():
                slider.first.focus()
                at_end = slider.first.input_value() == slider.first.get_attribute("max")
                key = "ArrowLeft" if at_end else "ArrowRight"
            else:  # a list whose rows move
                element.locator(".ranking button").nth(1).focus()
                key = "ArrowDown"
            page.keyboard.press(key)
            page.keyboard.press(key)
            assert picture.inner_html() != before or element.locator(".ranking").count()
            seen += 1
        assert file.read_text("utf8").count("function gruGates") == 1, file
    assert seen >= 1
    assert page.problems == []


def test_the_first_thing_on_the_index_page_moves(book, reader):
    page = reader("phone")
    visit(page, book / "book/index.html")
    figure = page.locator("glance-figure")
    before = figure.locator(".live-say").inner_text()
    choice = figure.get_by_label("stand mixer", exact=True)
    choice.check()
    assert figure.locator(".live-say").inner_text() != before
    page.evaluate("scrollTo(0, 0)")
    assert choice.bounding_box()["y"] < 844, "in the first view, on a phone as well"
    assert page.problems == []


def test_every_picture_of_a_page_has_a_text(pages, reader):
    page = reader()
    for file in pages:
        visit(page, file)
        found = page.locator("article img, article svg[role=img], main img").evaluate_all(
            "all => all.map((one) => one.getAttribute('alt') ?? one.getAttribute('aria-label'))"
        )
        assert all(text and len(text) > 20 for text in found), (file, found)


OVER = """(kind) => [...document.querySelectorAll(`article ${kind}`)].filter((box) =>
  box.checkVisibility() && box.scrollWidth > box.clientWidth + 1).map((box) => box.textContent)"""


@pytest.mark.parametrize("size, kind", [("phone", "div.math"), ("wide", ".cell_input pre")])
def test_equations_fit_a_phone_and_code_fits_a_desk(size, kind, pages, reader):
    page, seen = reader(size), 0
    for file in pages:
        visit(page, file)
        assert page.evaluate(OVER, kind) == [], file
        seen += page.locator(kind).count()
    assert seen > 50


CUT = """(width) => {
  const kinds = ":is(pre, table, img, svg, mjx-container, .live *)";
  const boxes = document.querySelectorAll(`article ${kinds}`);
  const hidden = "caption, .live-hidden, mjx-assistive-mml";
  return [...boxes].filter((box) => {
    if (!box.checkVisibility({ visibilityProperty: true }) || box.closest(hidden)) return false;
    const runsOn = box.matches("pre") && box.scrollWidth > box.clientWidth + 1;
    return runsOn || box.getBoundingClientRect().right > width + 1;
  }).map((box) => `${box.tagName}: ${box.textContent.trim().slice(0, 60)}`);
}"""


def test_a_printed_page_is_complete_and_has_nothing_to_press(pages, reader):
    page, seen = reader("paper", "dark"), dict.fromkeys(("solution", "live", "quiz"), 0)
    for file in (file for file in pages if file.name != "search.html"):
        visit(page, file)
        solutions = page.locator(".admonition.solution")
        assert page.locator(".admonition.solution.toggle-hidden").count() == solutions.count()
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator("html").get_attribute("data-theme") == "light", "white paper"
        around = (
            ".bd-sidebar-primary, .bd-header-article, .prev-next-area, .bd-footer, .run-chapter"
        )
        assert page.locator(around).filter(visible=True).count() == 0, file
        assert page.locator("main").locator("button, input").filter(visible=True).count() == 0, file
        left = page.locator("main summary").filter(visible=True)
        assert left.count() == page.locator("details.quiz > summary").filter(visible=True).count()
        explained = page.locator("details.quiz > :not(summary)").filter(visible=True)
        assert explained.count() == 0, file
        assert page.locator(".admonition.solution.toggle-hidden").count() == 0, "no key opens paper"
        figures = page.locator(".live svg[role=img]")
        for figure in figures.all():
            assert figure.bounding_box()["width"] > 400
        assert page.evaluate(CUT, PAPER) == [], file
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        page.emulate_media(media="screen")
        assert page.locator("html").get_attribute("data-theme") == "dark", "as it was"
        for kind, found in zip(seen, (solutions, figures, left), strict=True):
            seen[kind] += found.count()
    assert all(seen.values()), seen
    assert page.problems == []


def test_printing_is_what_the_test_above_takes_it_for(book, reader):
    """The browser itself says when it prints: only then are solutions open and the page light."""
    page = reader("wide", "dark")
    visit(page, book / "book/03-gru.html")
    page.evaluate(
        """addEventListener("beforeprint", () => {
          window.printed = [document.documentElement.dataset.theme,
            document.querySelectorAll(".admonition.solution.toggle-hidden").length];
        })"""
    )
    assert page.pdf(format="A4").startswith(b"%PDF")
    assert page.evaluate("printed") == ["light", 0]
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")


def test_search_finds_and_leads_to_a_page(book, reader):
    page = reader()
    visit(page, book / "search.html")
    page.goto((book / "search.html").as_uri() + "?q=update+gate")
    first = page.locator("#search-results li a").first
    first.wait_for(timeout=5000)
    first.click()
    page.wait_for_load_state()
    assert "search.html" not in page.url
    assert "update gate" in page.locator("article").inner_text().lower()
    assert page.problems == []


def test_the_navigation_leads_through_every_chapter(pages, book, reader):
    page, seen = reader(), []
    visit(page, book / "book/index.html")
    while True:
        seen.append(page.url.split("/book/")[-1])
        following = page.locator("a.right-next")
        if not following.count():
            break
        following.click()
        page.wait_for_load_state()
    chapters = {p.name for p in pages if re.match(r"\d\d-", p.name)}
    assert chapters <= set(seen)
    assert page.problems == []


def test_no_page_is_heavy(pages, book):
    for file in pages:
        text = file.read_text("utf8")
        named = set(re.findall(r'(?:src|href)="([^"#?]+)"', text))
        files = {(file.parent / name).resolve() for name in named}
        own = [f for f in files if f.is_file() and "_images" in f.parts]
        assert len(text.encode()) + sum(f.stat().st_size for f in own) < WEIGHT, file


@pytest.mark.parametrize(
    "n", range(4), ids=["wide-light", "phone-dark", "wide-dark", "phone-light"]
)
def test_no_barrier_on_any_page(n, pages, reader):
    """Each page in one of four settings; the figures alone are looked at in all of them."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe").Axe()
    page = reader(["wide", "phone", "wide", "phone"][n], ["light", "dark", "dark", "light"][n])
    for file in pages[n::4]:
        visit(page, file)
        without = [MATHS, CODE] if re.match(r"\d\d-", file.name) else [MATHS]
        found = axe.run(page, {"exclude": without}, AXE_REPORTS).response["violations"]
        ours = [
            f"{v['id']}: {node['target']} {node['failureSummary']}"
            for v in found
            for node in v["nodes"]
            if THEMES_OWN.get(v["id"], "no element") not in node["html"]
        ]
        assert ours == [], file


# The self-contained notebooks beside the pages


def twin_of(file: Path, book: Path) -> Path:
    """The notebook of a page, if it has one."""
    parts = file.relative_to(book).with_suffix(".ipynb").parts
    return book / "colab" / "-".join(parts[1:] or parts)


def test_each_page_of_a_notebook_leads_to_its_twin(pages, book, reader):
    page, seen = reader(), 0
    for file in pages:
        text = file.read_text("utf8")
        assert "colab.research.google" not in text  # no dead button before there is an address
        linked = re.findall(r'<p class="run-chapter">.*?<a href="([^"]+)" download', text)
        if linked or twin_of(file, book).exists():
            (name,) = linked
            assert (file.parent / name).resolve() == twin_of(file, book), file
            visit(page, file)
            with page.expect_download() as saved:  # as a file, though the page is one, too
                page.locator(".run-chapter a").click()
            assert saved.value.suggested_filename == twin_of(file, book).name
            assert Path(saved.value.path()).read_bytes() == twin_of(file, book).read_bytes()
            seen += 1
    assert seen == len(list((book / "colab").glob("*.ipynb"))) >= 10
    assert page.problems == []


def test_a_twin_has_the_numbers_and_words_of_its_page(pages, book):
    """What Sphinx resolved, a second time from its pages: no number is counted differently."""
    seen = dict.fromkeys(("Fig.", "Exercise", "ref", "numref", "doc", "cite"), 0)
    for file in filter(lambda file: twin_of(file, book).exists(), pages):
        cells = json.loads(twin_of(file, book).read_text("utf8"))["cells"]
        twin = "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
        twin, text = twin.replace("*", ""), html.unescape(file.read_text("utf8"))
        article = text[text.index("<h1") :]
        for kind, pattern in (("Fig.", r"^Fig\. (\d+)\.$"), ("Exercise", r"^### Exercise (\d+):")):
            shown = re.findall(rf'caption-number">\s*{re.escape(kind)} (\d+) ?<', article)
            found = re.findall(pattern.replace("$", " "), twin, re.M)
            assert found == shown, file
            seen[kind] += len(shown)
        for kind, look in (("ref", "std std-ref"), ("numref", "std std-numref"), ("doc", "doc")):
            for words in re.findall(rf'<span class="{look}">([^<]+)</span></a>', article):
                assert " ".join(words.split()).replace("’", "'") in twin, (file, words)
                seen[kind] += 1
        for words in re.findall(
            r"bibliography\.html#[^>]*>([^<]*(?:<em>[^<]*</em>)?[^<]*)</a>", article
        ):
            plain = " ".join(re.sub("<.*?>", "", words).split())  # a name of two words: no-break
            assert plain in twin, (file, words)
            seen["cite"] += 1
    assert all(seen.values()), seen
