"""The self-contained notebooks: whole, plain, and ready in an empty folder without a network."""

from __future__ import annotations

import base64
import hashlib
import importlib
import io
import json
import os
import re
import struct
import subprocess
import sysconfig
import venv
import zipfile
from pathlib import Path

import nbformat
import pytest
import yaml

pytest.importorskip("pybtex", reason="needs pybtex: pip install -r requirements-book.txt")

ROOT = Path(__file__).parent.parent
LIMIT = 3_000_000  # bytes of one notebook
LEFT = {  # what MyST would still have to read
    "role": re.compile(r"\{[a-z:]+\}`"),
    "directive": re.compile(r"^\s*(`{3,}|:{3,})\{", re.M),
    "option": re.compile(r"^:(alt|name|class|label):", re.M),
    "target": re.compile(r"^\([\w-]+\)=", re.M),
}
READ = re.compile(r'"(?:\.\./)?((?:results|checkpoints)/[\w.-]+)"')


@pytest.fixture(scope="session")
def maker():
    return importlib.import_module("colab_notebooks")


@pytest.fixture(scope="session")
def folder(maker, tmp_path_factory):
    folder = tmp_path_factory.mktemp("colab")
    maker.write(folder)
    return folder


@pytest.fixture(scope="session")
def twins(folder):
    """Page -> its chapter and its twin."""
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))
    pages = [page["file"] for part in contents["parts"] for page in part["chapters"]]
    found = {}
    for page in pages:
        source = ROOT / f"{page}.ipynb"
        if source.is_file():
            name = page.removeprefix("book/").replace("/", "-")
            found[page] = [nbformat.read(path, 4) for path in (source, folder / f"{name}.ipynb")]
    assert len(found) >= 10
    return found


def texts(notebook, kind="markdown"):
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def bundle(twin):
    """The first cell's archive: name -> content."""
    packed = re.search(r'start\("(.+?)", """\n(.+?)\n"""\)$', twin.cells[0].source, re.S)
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(packed[2]))) as file:
        return packed[1], {name: file.read(name) for name in file.namelist()}


# What is in them


def test_each_notebook_of_the_contents_has_one_and_it_is_sound(twins, folder):
    assert len(list(folder.iterdir())) == len(twins)
    for path in folder.iterdir():
        assert path.stat().st_size < LIMIT, path.name
    for _, twin in twins.values():
        nbformat.validate(twin)
        assert twin.metadata.accelerator == "GPU"
        assert all(not cell.outputs for cell in twin.cells if cell.cell_type == "code")
        assert len({cell.id for cell in twin.cells}) == len(twin.cells)


def test_no_markup_is_left_that_only_myst_reads(twins):
    for page, (chapter, twin) in twins.items():
        before, after = "\n\n".join(texts(chapter)), "\n\n".join(texts(twin))
        assert LEFT["role"].search(before), "the search finds what a chapter has"
        for kind, pattern in LEFT.items():
            assert not pattern.search(after), (page, kind, pattern.search(after))


def test_the_code_is_the_chapter_s_and_in_its_order(twins):
    for page, (chapter, twin) in twins.items():
        code = [re.sub(r"\A# @title .*\n", "", source) for source in texts(twin, "code")[1:]]
        assert code == [source.replace('"../', '"') for source in texts(chapter, "code")], page


def test_no_word_of_the_text_is_lost(twins):
    """Every line without markup stands in the twin as it is."""
    markup = re.compile(r"[{}<>]|^[:`(]|^\s*$|^%")
    for page, (chapter, twin) in twins.items():
        after = "\n".join(texts(twin))
        for line in "\n".join(texts(chapter)).split("\n"):
            assert markup.search(line) or line in after, (page, line)


def test_every_file_that_a_chapter_reads_is_inside(twins):
    some = 0
    for page, (chapter, twin) in twins.items():
        _, content = bundle(twin)
        for name in READ.findall("\n".join(texts(chapter, "code"))):
            here = ROOT / "book" / name
            if here.is_file():
                assert content[name] == here.read_bytes(), (page, name)
                some += 1
        if page.endswith("results"):  # the page that lists every record
            assert {f"results/{path.name}" for path in ROOT.glob("book/results/*")} < set(content)
    assert some > 10


def test_the_wheel_holds_the_package_and_is_consistent(twins):
    name, content = bundle(next(iter(twins.values()))[1])
    with zipfile.ZipFile(io.BytesIO(content[name])) as wheel:
        files = {entry: wheel.read(entry) for entry in wheel.namelist()}
    package = [path for path in ROOT.glob("dien_edu/**/*") if path.suffix in (".py", ".js", ".css")]
    assert len(package) > 50
    for path in package:
        assert files[path.relative_to(ROOT).as_posix()] == path.read_bytes()
    (record,) = (data.decode() for entry, data in files.items() if entry.endswith("/RECORD"))
    listed = {}
    for line in record.splitlines():
        entry, digest, size = line.rsplit(",", 2)
        listed[entry] = digest, size
    assert set(listed) == set(files)
    for entry, data in files.items():
        if not entry.endswith("/RECORD"):
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
            assert listed[entry] == (f"sha256={digest}", str(len(data)))


def test_they_are_the_same_whenever_they_are_made(maker, folder, tmp_path):
    maker.write(tmp_path)
    for path in folder.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_solutions_are_closed_and_close_nothing_else(twins):
    for page, (chapter, twin) in twins.items():
        closed = [n for n, cell in enumerate(twin.cells) if "heading_collapsed" in cell.metadata]
        assert len(closed) == "\n".join(texts(chapter)).count("{solution-start}"), page
        names = [twin.cells[n].id for n in closed]
        assert twin.metadata.colab.collapsed_sections == names
        for n in closed:
            assert re.match(r"### Solution to exercise \d+: \S", twin.cells[n].source)
            n += 1
            while not twin.cells[n].source.startswith("#" if is_text(twin.cells[n]) else "\0"):
                cell = twin.cells[n]  # folded again, for programs that fold no headings
                hidden = cell.source.startswith(("<details>", "**Fig.", "# @title Code of the sol"))
                assert hidden, (page, cell.source[:80])
                n += 1
            assert re.match("#{2,3} ", twin.cells[n].source), page


def is_text(cell):
    return cell.cell_type == "markdown"


def test_every_picture_has_a_png_made_from_it():
    """No browser is needed: the PNG holds the hash of the SVG that it was made from."""
    drawn = [path for path in ROOT.glob("book/images/*.svg") if path.stem != "favicon"]
    assert len(drawn) >= 13
    for path in drawn:
        data = (path.parent / "png" / f"{path.stem}.png").read_bytes()
        noted = png_text(data)["Source-SHA256"]
        hashed = hashlib.sha256(path.read_text(encoding="utf8").encode()).hexdigest()
        assert noted == hashed, f"{path.name} has changed: python _ext/rasters.py"


def png_text(data):
    """The text entries of a PNG."""
    found, place = {}, 8
    while place < len(data):
        (size,) = struct.unpack(">I", data[place : place + 4])
        if data[place + 4 : place + 8] == b"tEXt":
            key, value = data[place + 8 : place + 8 + size].split(b"\0", 1)
            found[key.decode()] = value.decode()
        place += 12 + size
    return found


# The text, form by form


@pytest.fixture
def text(maker):
    book = maker.Book(ROOT, ["book/01-a", "book/03-b", "book/appendix/c"])
    first = "# First\n\n```{figure} images/gru-cell.svg\n:name: fig-a\n:alt: A cell.\n\nIt.\n```"
    second = (
        "# Second\n\n(eq-5)=\n$$\nx \\tag{5}\n$$\n\n```{exercise} Try\n:label: ex-b\n\nDo.\n```"
    )
    third = "# Third\n\n(here)=\n## A place\n\n```{glossary}\ngate\n门\n  A {term}`gate`.\n```"
    sources = dict(zip(book.pages, (first, second, third), strict=True))
    for page, source in sources.items():
        maker.note_markdown(book, page, source)
    return maker.Text(book, "book/03-b")


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("by {ref}`(5) <eq-5>` and {ref}`eq-5`", "by (5) and (5)"),
        ("(eq-5)=\n$$\nx \\tag{5}\n$$", "$$\nx \\tag{5}\n$$"),
        ("see {ref}`here` and {ref}`ex-b`", "see A place and Exercise 1"),
        ("{numref}`fig-a`, {numref}`picture %s <fig-a>`", "Fig. 1, picture 1"),
        ("a {term}`gate`, {term}`two gates <gate>`, {term}`门`", "a gate, two gates, 门"),
        ("{cite}`zhou2019dien`", "[Zhou *et al.*, 2019]"),
        ("{cite:t}`he2016ups` say", "He and McAuley [2016] say"),
        ("{cite}`zhou2019dien,he2016ups`", "[Zhou *et al.*, 2019, He and McAuley, 2016]"),
        ("in {doc}`01-a`, see {doc}`appendix/c`", "in chapter 01, *First*, see *Third*"),
        (
            "{doc}`01-a` says. {doc}`01-a` does.",
            "Chapter 01, *First* says. Chapter 01, *First* does.",
        ),
        ("{doc}`the first <01-a>`", "the first"),
        (
            "```{note}\nMind $x$.\n\nAnd {term}`gate`.\n```",
            "> **Note.**\n>\n> Mind $x$.\n>\n> And gate.",
        ),
        (":::{tip} Look\nHere.\n:::", "> **Look.**\n>\n> Here."),
        (
            "```{exercise} Try\n:label: ex-b\n\nDo {ref}`(5) <eq-5>`.\n```",
            "### Exercise 1: Try\n\nDo (5).",
        ),
        (
            "code `{term}` and ```` ```{note} ```` stay",
            "code `{term}` and ```` ```{note} ```` stay",
        ),
        ("```python\nx = '{ref}`a`'\n```", "```python\nx = '{ref}`a`'\n```"),
        ("a price of $5 {0} and {1: 2}", "a price of $5 {0} and {1: 2}"),
    ],
)
def test_each_form_becomes_plain(text, source, wanted):
    assert text.markdown(source) == wanted


def test_a_picture_stands_in_the_text_with_words_and_number(text):
    source = (
        '```{figure} images/gru-cell.svg\n:name: fig-a\n:alt: A "cell".\n\nIt {term}`gate`.\n```'
    )
    shown = re.sub(r"base64,[\w+/=]+", "…", text.markdown(source))
    assert shown == (
        '<img src="data:image/png;…" alt="A &quot;cell&quot;." width="560">\n\n**Fig. 1.** It gate.'
    )


def test_what_stands_elsewhere_is_said_at_the_end(maker, text):
    text.markdown("{ref}`place <here>`, {ref}`(5) <eq-5>`, {doc}`AIGRU <01-a>`, {term}`gate`")
    text.markdown("{cite}`zhou2019dien`")
    end = "\n".join(cell["source"] for cell in maker.ending(text))
    assert "- **gate**: A gate." in end
    assert "- place: *Third*" in end and "- AIGRU: chapter 01, *First*" in end
    assert "- (5)" not in end  # it stands here
    assert "](https://doi.org/" in end and "\\" not in end


UNKNOWN = ["{eq}`eq-5`", "{term}`no`", "{doc}`no`", "{ref}`no`", "{numref}`no`", "{cite}`no`"]
UNKNOWN += ["```{table} x\n```", "```{solution-start} no\n```", "```{exercise} no\n:label: no\n```"]


@pytest.mark.parametrize("source", UNKNOWN)
def test_what_is_outside_of_the_subset_or_unknown_is_refused(text, source):
    with pytest.raises(ValueError, match="book/03-b: (there is no|the (role|directive)) "):
        text.markdown(source)


def test_colab_is_linked_once_there_is_an_address():
    link = importlib.import_module("run_chapter").colab_link
    assert link("https://github.com/OWNER/" + "REPOSITORY", "03-gru.ipynb") == ""
    assert link("", "03-gru.ipynb") == link("https://gitlab.com/a/b", "03-gru.ipynb") == ""
    wanted = "https://colab.research.google.com/github/a/b/blob/notebooks/colab/03-gru.ipynb"
    for address in (
        "https://github.com/a/b",
        "https://github.com/a/b/",
        "https://github.com/a/b.git",
    ):
        assert link(address, "03-gru.ipynb") == wanted
    assert "git push --quiet --force" in (ROOT / ".github/workflows/publish.yml").read_text("utf8")
    assert "--initial-branch notebooks" in (ROOT / ".github/workflows/publish.yml").read_text(
        "utf8"
    )


# The first cell, in an empty folder and without a network


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    """A Python like Colab's: with torch and its like, without the package, and offline."""
    folder = tmp_path_factory.mktemp("runtime")
    venv.create(folder / "venv", with_pip=False, symlinks=os.name != "nt")
    packages = folder / "packages"
    packages.mkdir()
    for path in Path(sysconfig.get_paths()["purelib"]).iterdir():
        absent = ("dien_edu", "__editable__", "anywidget", "numba")
        if not path.name.startswith(absent) and path.suffix not in (".pth", ".egg-link"):
            (packages / path.name).symlink_to(path)
    (packages / "sitecustomize.py").write_text(
        "import socket\n"
        "def refuse(*of):\n    raise OSError('this test has no network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
    )
    python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    (site,) = (folder / "venv").glob("lib/python3*/site-packages")
    (site / "parent.pth").write_text(f"{packages}\n")
    return python


def run(python, folder, *sources, **environment):
    """Run cells in a fresh process, in a folder of their own."""
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TEMP") if key in os.environ}
    environment = kept | {"CUDA_VISIBLE_DEVICES": "", "PYTHONUTF8": "1"} | environment
    return subprocess.run(
        [python, "-"],  # the first cell is too long for an argument
        input="\n".join(sources),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf8",
        check=False,
    )


USE = """
import json
import dien_edu
from dien_edu.figures.live import GatesFigure
from dien_edu.figures.live.bundle import widget
assert "define(" in widget("gates")
assert "text/html" in GatesFigure()._repr_mimebundle_()[0]
assert json.load(open("results/gru-gates.json", encoding="utf8"))["provenance"]
print("FILE", dien_edu.__file__)
"""


@pytest.mark.skipif(os.name == "nt", reason="links the packages of this environment")
def test_the_first_cell_installs_all_from_itself(twins, runtime, tmp_path):
    twin = twins["book/03-gru"][1]
    done = run(runtime, tmp_path, twin.cells[0].source, USE)
    assert done.returncode == 0, done.stderr[-2000:]
    name, content = bundle(twin)
    assert f"dien_edu {name.split('-')[1]}, Python 3." in done.stdout
    (device,) = re.findall(r"device: (cpu|mps); profile: quick; seed: 0", done.stdout)
    assert ("Change runtime type" in done.stdout) == (device == "cpu")
    assert "without live figures): anywidget, numba" in done.stdout
    assert f"FILE {runtime.parent.parent}" in done.stdout, "in the runtime's own site-packages"
    written = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert written == set(content) - {name}

    again = run(runtime, tmp_path, USE)  # after a restart, without the first cell
    assert again.returncode == 0, again.stderr[-2000:]

    own = tmp_path / "results/gru-gates.json"  # a reader's own record is kept, and said
    own.write_text('{"provenance": "mine"}')
    done = run(runtime, tmp_path, twin.cells[0].source, DIEN_EDU_PROFILE="full")
    assert "kept the results/gru-gates.json" in done.stdout
    assert "profile: full" in done.stdout
    assert json.loads(own.read_text()) == {"provenance": "mine"}


@pytest.mark.skipif(os.name == "nt", reason="links the packages of this environment")
def test_a_package_that_somebody_works_on_is_left_alone(twins, runtime, tmp_path):
    (tmp_path / "work/dien_edu").mkdir(parents=True)
    mine = tmp_path / "work/dien_edu/__init__.py"
    mine.write_text("mine = True\n")
    inside = tmp_path / "work/dien_edu-9.dist-info"
    inside.mkdir()
    (inside / "METADATA").write_text("Metadata-Version: 2.1\nName: dien-edu\nVersion: 9\n")
    cell, show = (
        twins["book/03-gru"][1].cells[0].source,
        "import dien_edu; print(dien_edu.__file__)",
    )
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {show!r}], check=True)"
    done = run(runtime, tmp_path, cell, show, child, PYTHONPATH=str(tmp_path / "work"))
    assert done.returncode == 0, done.stderr[-2000:]
    shown = [line for line in done.stdout.split("\n") if line.endswith("__init__.py")]
    assert len(shown) == 2 and all("dien-book-" in line for line in shown)
    assert mine.read_text() == "mine = True\n" and inside.is_dir()


@pytest.mark.skipif(os.name == "nt", reason="links the packages of this environment")
def test_without_torch_the_first_cell_says_what_to_run(twins, tmp_path):
    venv.create(tmp_path / "bare", with_pip=False)
    cell = twins["book/03-gru"][1].cells[0].source
    done = run(tmp_path / "bare/bin/python", tmp_path, cell)
    assert done.returncode
    assert done.stderr.startswith("Run first: %pip install torch numpy matplotlib pooch tqdm")
