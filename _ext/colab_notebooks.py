"""Each chapter as one self-contained notebook, for Colab or any Jupyter: `make colab`.

Colab shows MyST as it is written and has neither the package nor the files of a chapter. So the
twin of a chapter carries both in its first cell (`colab_start.py`), and its text is Markdown that
every notebook program shows, with the numbers, titles and citations of the built pages.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import html
import io
import json
import re
import tomllib
import zipfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import yaml
from pybtex.database import parse_file
from pybtex.plugin import find_plugin

HERE = Path(__file__).parent
ROOT = HERE.parent
WIDTH = 560  # of the pictures, in CSS pixels
FENCED = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{(?P<name>[\w-]+)\}[ \t]*(?P<title>[^\n]*)\n"
    r"(?P<body>(?:(?!(?P=fence)[ \t]*$)[^\n]*\n)*)(?P=fence)[ \t]*$",
    re.M,
)
OPTION = re.compile(r"^:([\w-]+):[ \t]*(.*)\n", re.M)
TARGET = re.compile(r"^\(([\w-]+)\)=[ \t]*\n", re.M)
ROLE = re.compile(r"\{(?P<role>[a-z:-]+)\}`(?P<text>[^`]+)`")
CODE = re.compile(
    r"^(?P<fence>`{3,})[^`\n]*\n[\s\S]*?^(?P=fence)`*[ \t]*$|(?P<tick>`+)[^`].*?(?P=tick)", re.M
)
NAMED = re.compile(r"(?P<text>.+?)\s*<(?P<name>[^<>]+)>", re.S)
REMARKS = ("note", "tip", "warning", "important", "caution", "hint", "admonition")
CHAPTER = re.compile(r"(\d\d)-")
ESCAPED = re.compile(r"\\([^\w\s*_`\\])")
PATH = re.compile(r"(?:\.\./)?[\w-]+/[\w./-]*[\w-]|\.\./[\w-]+")


class Unknown(ValueError):
    """Markup outside of the subset that CONTRIBUTING.md allows, or a name that nothing has."""


# The book: what has which number, title and words


@dataclass
class Book:
    """Everything that a text can refer to, found in one pass over the table of contents."""

    root: Path
    pages: list[str]  # names as in _toc.yml, in the order in which Sphinx numbers
    titles: dict = field(default_factory=dict)  # page -> its first heading
    labels: dict = field(default_factory=dict)  # label -> page, heading or number
    figures: dict = field(default_factory=dict)  # name -> page, number
    exercises: dict = field(default_factory=dict)  # label -> page, number, title
    words: dict = field(default_factory=dict)  # term in lower case -> main term, definition

    @property
    def notebooks(self) -> list[str]:
        """The pages that are notebooks."""
        return [page for page in self.pages if (self.root / f"{page}.ipynb").is_file()]


def read_cells(root: Path, page: str) -> list[dict]:
    """The cells of a notebook, each source as one text; a page of Markdown is one cell."""
    path = root / f"{page}.ipynb"
    if not path.is_file():
        text = path.with_suffix(".md").read_text(encoding="utf8")
        return [{"cell_type": "markdown", "metadata": {}, "source": text}]
    cells = json.loads(path.read_text(encoding="utf8"))["cells"]
    return [cell | {"source": "".join(cell["source"])} for cell in cells]


def read_book(root: Path = ROOT) -> Book:
    """Number the figures and exercises through the book, as Sphinx does."""
    contents = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf8"))
    parts = [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    book = Book(root, [contents["root"], *parts])
    for page in book.pages:
        for cell in read_cells(root, page):
            if cell["cell_type"] == "markdown":
                note_markdown(book, page, cell["source"])
            elif figure := cell["metadata"].get("mystnb", {}).get("figure"):
                note_figure(book, page, figure.get("name"))
    return book


def note_figure(book: Book, page: str, name: str | None) -> int:
    """A figure with a caption gets the next number, with or without a name."""
    number = len(book.figures) + 1
    book.figures[name or f"{page} {number}"] = page, number
    return number


def note_markdown(book: Book, page: str, text: str) -> None:
    """Titles, labels, captioned pictures, exercises and glossary entries of one text."""
    if heading := re.search(r"^# +(.+)$", text, re.M):
        book.titles.setdefault(page, heading[1].strip())
    for target in TARGET.finditer(text):
        rest = text[target.end() :]
        heading, number = re.match(r"#+ +(.+)", rest), re.search(r"\\tag\{(.+?)\}", rest)
        shown = heading[1].strip() if heading else f"({number[1]})" if number else target[1]
        book.labels[target[1]] = page, shown
    for found in FENCED.finditer(text):
        options, body = split_options(found["body"])
        if found["name"] == "figure" and body:
            note_figure(book, page, options.get("name"))
        elif found["name"] == "exercise":
            number = len(book.exercises) + 1
            book.exercises[options["label"]] = page, number, found["title"].strip()
        elif found["name"] == "glossary":
            note_words(book, body)


def note_words(book: Book, body: str) -> None:
    """Entries of the glossary: terms, one a line, then the definition, indented."""
    for entry in re.split(r"\n\n(?=\S)", body.strip()):
        lines = entry.split("\n")
        terms = [line for line in lines if line and not line.startswith(" ")]
        definition = " ".join(line.strip() for line in lines if line.startswith(" "))
        for term in terms:
            book.words[term.lower()] = terms[0], definition


def split_options(body: str) -> tuple[dict, str]:
    """The `:option: value` lines at the head of a directive, and what follows them."""
    options = {}
    while found := OPTION.match(body):
        options[found[1]] = found[2].strip()
        body = body[found.end() :]
    return options, body.strip()


@cache
def bibliography(path: Path):
    """The entries of a BibTeX file, in pybtex's form."""
    return parse_file(str(path)).entries


def cited(entry) -> tuple[str, str]:
    """Author and year as the pages show them."""
    last = [" ".join(map(str, person.rich_last_names)) for person in entry.persons["author"]]
    who = f"{last[0]} *et al.*" if len(last) > 2 else " and ".join(last)
    return who, entry.fields["year"]


def references(path: Path, keys) -> str:
    """A list of the cited works in the form of the book's bibliography."""
    style = find_plugin("pybtex.style.formatting", "alpha")()
    entries = style.format_entries([e for k, e in bibliography(path).items() if k in keys])
    render = find_plugin("pybtex.backends", "markdown")()
    lines = (" ".join(entry.text.render(render).split()) for entry in entries)
    # pybtex escapes all punctuation; a program may read \\( as the start of a formula
    return "\n".join("- " + ESCAPED.sub(r"\1", line) for line in lines)


# The text: MyST to Markdown


@dataclass
class Text:
    """The markup of one page, and what it has referred to so far."""

    book: Book
    page: str
    works: set = field(default_factory=set)
    terms: dict = field(default_factory=dict)  # main term -> definition
    elsewhere: dict = field(default_factory=dict)  # what the text calls it -> title of the page

    def find(self, kind: str, table: dict, name: str | None):
        """An entry of one of the book's tables; Unknown if it has none of that name."""
        if name not in table:
            raise Unknown(f"{self.page}: there is no {kind} {name!r}")
        return table[name]

    def markdown(self, source: str) -> str:
        """A Markdown cell without a directive or a role."""
        source = TARGET.sub("", source)
        return self.inline(FENCED.sub(self.block, source))

    def inline(self, source: str) -> str:
        """Roles as words; code stays as it is."""
        both = re.compile(f"(?P<whole>{ROLE.pattern})|{CODE.pattern}", re.M)
        return both.sub(lambda found: self.role(found) if found["whole"] else found[0], source)

    def block(self, found: re.Match) -> str:
        """A directive as Markdown; exercises and solutions too, where they have a cell."""
        options, body = split_options(found["body"])
        name, title = found["name"], found["title"].strip()
        if name == "figure":
            return self.figure(title, options, body)
        if name in REMARKS:
            head = title or name.capitalize()
            return quote(f"**{head}.**\n\n{body}")
        if name == "exercise":
            _, number, title = self.find("exercise", self.book.exercises, options.get("label"))
            return f"### Exercise {number}: {title}\n\n{body}"
        if name in ("solution", "solution-start"):
            _, number, of = self.find("exercise", self.book.exercises, title)
            return f"### Solution to exercise {number}: {of}\n\n" + (folded(body) if body else "")
        if name == "solution-end":
            return ""
        raise Unknown(f"{self.page}: the directive {{{name}}} is not in CONTRIBUTING.md")

    def figure(self, path: str, options: dict, caption: str) -> str:
        """A picture inside of the text, with its number if it has a caption."""
        source = (self.book.root / self.page).parent / path
        shown = picture(source, options["alt"])
        if not caption:
            return shown
        return f"{shown}\n\n{self.caption(options.get('name'), caption)}"

    def caption(self, name: str | None, words: str) -> str:
        """A caption with the number of its figure, which needs a name."""
        _, number = self.find("figure", self.book.figures, name)
        return f"**Fig. {number}.** {words}"

    def role(self, found: re.Match) -> str:
        """One role as words."""
        role, whole = found["role"], " ".join(found["text"].split())
        named = NAMED.fullmatch(whole)
        text, name = (named["text"], named["name"]) if named else (None, whole)
        if role in ("cite", "cite:p", "cite:t"):
            return self.citation(whole.split(","), role)
        if role == "term":
            return self.term(text or name, name)
        if role == "doc":
            return self.document(text, name, found)
        if role == "numref":
            return self.number(text, name)
        if role == "ref":
            return self.reference(text, name)
        raise Unknown(f"{self.page}: the role {{{role}}} is not in CONTRIBUTING.md")

    def citation(self, keys: list[str], role: str) -> str:
        entries = bibliography(self.book.root / "book/references.bib")
        keys = [key.strip() for key in keys]
        self.works.update(keys)
        both = [cited(self.find("work", entries, key)) for key in keys]
        if role == "cite:t":
            return ", ".join(f"{who} [{year}]" for who, year in both)
        return "[" + ", ".join(f"{who}, {year}" for who, year in both) + "]"

    def term(self, text: str, name: str) -> str:
        main, definition = self.find("term", self.book.words, name.lower())
        self.terms[main] = definition
        return text

    def document(self, text: str | None, name: str, found: re.Match) -> str:
        """Another page by its title, a chapter also by its number."""
        page = resolve(self.page, name)
        title = f"*{self.find('page', self.book.titles, page)}*"
        chapter = CHAPTER.match(Path(page).name)
        number = f"chapter {chapter[1]}" if chapter else None
        if text:
            if not (number and text.removeprefix("chapter ") == chapter[1]):
                self.elsewhere[text] = self.where(page)
            return text
        shown = f"{number}, {title}" if number else title
        before = found.string[: found.start()].rstrip()
        first = not before or before[-1] in ".!?" or found.string[: found.start()].endswith("\n\n")
        return shown[0].upper() + shown[1:] if first and number else shown

    def number(self, text: str | None, name: str) -> str:
        page, number = self.find("figure", self.book.figures, name)
        shown = re.sub(r"%s|\{number\}", str(number), text) if text else f"Fig. {number}"
        return self.pointed(shown, page)

    def reference(self, text: str | None, name: str) -> str:
        if name in self.book.exercises:
            page, number, _ = self.book.exercises[name]
            shown = f"Exercise {number}"
        else:
            page, shown = self.find("label", self.book.labels, name)
        return self.pointed(text or shown, page)

    def pointed(self, shown: str, page: str) -> str:
        """Words about something; where it is, is noted if that is on another page."""
        if page != self.page:
            self.elsewhere[shown] = self.where(page)
        return shown

    def where(self, page: str) -> str:
        chapter = CHAPTER.match(Path(page).name)
        return (f"chapter {chapter[1]}, " if chapter else "") + f"*{self.book.titles[page]}*"

    def definitions(self) -> str:
        """What the glossary says of each word that the text has linked."""
        known = dict(self.terms)  # a definition may use further words: they are not followed
        lines = [
            f"- **{word}**: {self.inline(known[word])}" for word in sorted(known, key=str.lower)
        ]
        return "\n".join(lines)


def resolve(page: str, name: str) -> str:
    """The page that a relative name means, seen from another page."""
    parts = [*Path(page).parent.parts]
    for part in Path(name).parts:
        parts = parts[:-1] if part == ".." else [*parts, part]
    return "/".join(parts)


def quote(text: str) -> str:
    """A block quote."""
    return "\n".join(f"> {line}".rstrip() for line in text.strip().split("\n"))


def folded(text: str, summary: str = "Show the solution") -> str:
    """Text that opens on demand, with no script."""
    return f"<details><summary>{summary}</summary>\n\n{text.strip()}\n\n</details>"


def picture(source: Path, alt: str) -> str:
    """A picture in the text itself, as PNG: Colab's Markdown shows neither SVG nor attachments.

    `_ext/rasters.py` makes the PNG. Where it has not run yet, the words stand alone.
    """
    raster = source.parent / "png" / f"{source.stem}.png"
    if not raster.is_file():
        return quote(f"**A picture.** {alt}")
    data = base64.b64encode(raster.read_bytes()).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{html.escape(alt)}" width="{WIDTH}">'


# The cells


def convert(text: Text, cells: list[dict]) -> list[dict]:
    """The cells of a chapter as those of its twin."""
    twins, inside = [], False
    for cell in cells:
        source = cell["source"]
        if cell["cell_type"] == "code":
            twins += code_cells(text, cell, inside)
        elif "{solution-start}" in source:
            inside = True
            head, rest = re.split(r"^`{3,}[ \t]*$\n?", source, maxsplit=1, flags=re.M)
            twins.append(markdown_cell(text.markdown(f"{head}```\n"), cell["id"], fold=True))
            if rest.strip():
                twins.append(markdown_cell(folded(text.markdown(rest)), f"{cell['id']}-text"))
        elif "{solution-end}" in source:
            inside = False
        else:
            plain = text.markdown(source).strip()
            fold = bool(re.search(r"^`{3,}\{solution\}", source, re.M))
            twins.append(markdown_cell(folded(plain) if inside else plain, cell["id"], fold=fold))
    return twins


def markdown_cell(source: str, name: str, *, fold: bool = False) -> dict:
    """A Markdown cell; `fold` closes the section below its heading, in JupyterLab and classic."""
    closed = {"jp-MarkdownHeadingCollapsed": True, "heading_collapsed": True} if fold else {}
    return {
        "cell_type": "markdown",
        "id": name,
        "metadata": {"id": name, **closed},
        "source": source.strip(),
    }


def code_cell(source: str, name: str, *, title: str = "", tags=()) -> dict:
    """A code cell without outputs; a title hides its code, in Colab behind a form."""
    metadata = {"id": name}
    if tags:
        metadata["tags"] = list(tags)
    if title:
        metadata |= {"cellView": "form", "jupyter": {"source_hidden": True}}
        source = f"# @title {title}\n{source}"
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": name,
        "metadata": metadata,
        "outputs": [],
        "source": source,
    }


def code_cells(text: Text, cell: dict, hidden: bool) -> list[dict]:
    """A code cell, and below it the caption and the description of its picture."""
    look = cell["metadata"].get("mystnb", {})
    figure, alt = look.get("figure", {}), look.get("image", {}).get("alt", "")
    tags = {"raises-exception"} & set(cell["metadata"].get("tags", []))
    source = cell["source"].replace('"../', '"')  # see files_read
    title = "Code of the solution" if hidden else ""
    below = []
    if figure.get("caption"):
        below.append(text.caption(figure.get("name"), text.markdown(figure["caption"])))
    if alt:
        below.append(folded(text.markdown(alt), "The picture in words"))
    twins = [code_cell(source, cell["id"], title=title, tags=tags)]
    if below:
        twins.append(markdown_cell("\n\n".join(below), f"{cell['id']}-figure"))
    return twins


def ending(text: Text) -> list[dict]:
    """What a reader of one notebook lacks: the cited works, the words, where the rest is."""
    cells = []
    if text.terms:
        cells.append(markdown_cell(f"## Words\n\n{text.definitions()}", "book-words"))
    if text.works:
        works = references(text.book.root / "book/references.bib", text.works)
        cells.append(markdown_cell(f"## References\n\n{works}", "book-references"))
    made = (
        "This notebook was made from a page of the book *DIEN, Taken Apart*. Figures and exercises "
        "have the numbers that they have there."
    )
    if text.elsewhere:
        rows = "\n".join(f"- {shown}: {where}" for shown, where in text.elsewhere.items())
        made += f" What it refers to on other pages:\n\n{rows}"
    cells.append(markdown_cell(f"## Elsewhere in the book\n\n{made}", "book-elsewhere"))
    return cells


# The first cell: the package and the files


@cache
def wheel(root: Path = ROOT) -> tuple[str, bytes]:
    """The package as an installable file: the same bytes for the same sources, whoever builds.

    Its version names its content, so that a notebook knows whether it is installed already.
    """
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf8"))
    project, package = settings["project"], root / "dien_edu"
    patterns = ["*.py", *settings["tool"]["setuptools"]["package-data"]["*"]]
    files = sorted({file for pattern in patterns for file in package.rglob(pattern)})
    content = {file.relative_to(root).as_posix(): file.read_bytes() for file in files}
    digest = hashlib.sha256(repr(sorted(content.items())).encode()).hexdigest()[:8]
    version = f"{project['version']}+book.{digest}"
    info = f"dien_edu-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {need}\n" for need in project["dependencies"])
    content[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.4\nName: {project['name']}\nVersion: {version}\n"
        f"Summary: {project['description']}\nLicense-Expression: {project['license']}\n"
        f"License-File: LICENSE\nRequires-Python: {project['requires-python']}\n{needs}"
    ).encode()
    content[f"{info}/licenses/LICENSE"] = (root / "LICENSE").read_bytes()
    content[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: dien-book\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    record = "".join(f"{name},{checksum(data)},{len(data)}\n" for name, data in content.items())
    content[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    return f"dien_edu-{version}-py3-none-any.whl", archive(content)


def checksum(data: bytes) -> str:
    """A hash as a wheel's RECORD writes it."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return f"sha256={digest.decode().rstrip('=')}"


def archive(content: dict[str, bytes]) -> bytes:
    """A zip archive without dates."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name, data in content.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            packed.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def files_read(folder: Path, cells: list[dict]) -> dict[str, bytes]:
    """Every file whose path, from the chapter's folder, stands in a string of its code.

    A folder that stands there is taken with all its files. The twin has no folder above its own:
    a page of the appendix finds there what its page finds in `../`.
    """
    code = "\n".join(cell["source"] for cell in cells if cell["cell_type"] == "code")
    found = {}
    for name in filter(PATH.fullmatch, strings(code)):
        path, short = folder / name, name.removeprefix("../")
        if path.is_file():
            found[short] = path.read_bytes()
        elif path.is_dir():
            inner = sorted(file for file in path.rglob("*") if file.is_file())
            found |= {
                f"{short}/{file.relative_to(path).as_posix()}": file.read_bytes() for file in inner
            }
    return found


def strings(source: str) -> list[str]:
    """The string literals of a cell, parts of f-strings too."""
    code = "\n".join(
        "pass" if line.lstrip().startswith(("%", "!")) else line for line in source.split("\n")
    )
    nodes = ast.walk(ast.parse(code))
    return [
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def first_cell(root: Path, files: dict[str, bytes]) -> dict:
    """The cell that brings the package and the files, and starts them."""
    name, data = wheel(root)
    bundle = base64.b64encode(archive({name: data, **files})).decode()
    lines = "\n".join(bundle[n : n + 100] for n in range(0, len(bundle), 100))
    head = (HERE / "colab_start.py").read_text(encoding="utf8").strip()
    cell = code_cell(f'{head}\nstart("{name}", """\n{lines}\n""")', "book-start")
    cell["metadata"] |= {"cellView": "form", "jupyter": {"source_hidden": True}}
    return cell


# The notebooks


def twin_name(page: str) -> str:
    """`book/03-gru` -> `03-gru.ipynb`; a page of the appendix has its folder in the name."""
    return "-".join(Path(page).parts[1:]) + ".ipynb"


def twin(book: Book, page: str) -> dict:
    """The self-contained notebook of a page."""
    cells, text = read_cells(book.root, page), Text(book, page)
    files = files_read((book.root / page).parent, cells)
    body = [*convert(text, cells), *ending(text)]
    closed = [cell["id"] for cell in body if "heading_collapsed" in cell["metadata"]]
    return {
        "cells": [first_cell(book.root, files), *body],
        "metadata": {
            "accelerator": "GPU",
            "colab": {
                "collapsed_sections": closed,
                "gpuType": "T4",
                "name": twin_name(page),
                "provenance": [],
                "toc_visible": True,
            },
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def lines_of(cell: dict) -> dict:
    """A cell as notebooks are stored: the source as a list of lines."""
    return cell | {"source": cell["source"].splitlines(keepends=True)}


def write(folder: Path, root: Path = ROOT) -> list[Path]:
    """Write the twin of every notebook of the book into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    book, written = read_book(root), []
    for page in book.notebooks:
        notebook = twin(book, page)
        notebook["cells"] = [lines_of(cell) for cell in notebook["cells"]]
        path = folder / twin_name(page)
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf8")
        written.append(path)
    return written


if __name__ == "__main__":
    for path in write(ROOT / "colab"):
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1e6:.1f} MB")
