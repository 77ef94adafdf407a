"""The files around the package: they agree with each other, and work on any machine."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "book").glob("**/*.ipynb"))
CHAPTERS = sorted((ROOT / "book").glob("[0-9]*.ipynb"))
REQUIREMENTS = ["requirements.txt", "requirements-book.txt"]
COLAB = {
    "torch": "2.11.0",
    "numpy": "2.1.3",
    "matplotlib": "3.10.0",
    "pooch": "1.9.0",
    "tqdm": "4.67.3",
}
FIGURE_BLOCK = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{(?:figure|image)\}.*?^(?P=fence)\s*$", re.M | re.S
)
HERE = re.compile(r"^```\{figure\} images/(here-\w+\.svg)$", re.M)
CHOICE = re.compile(r'<details class="quiz"><summary>(.*)</summary>\n\n([\s\S]+?)\n\n</details>')
PICTURES = {"image/png", "image/jpeg", "image/svg+xml"}


def read(name):
    return (ROOT / name).read_text(encoding="utf8")


def run(*command):
    # Without the variables of an outer make: its options are not ours.
    outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")
    environment = {key: value for key, value in os.environ.items() if key not in outer}
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment
    )


def project_files():
    """Every file that is, or would be, part of the repository."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("needs git and a clone: install git")
    names = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout
    return [ROOT / name for name in names.split("\0") if (ROOT / name).is_file()]


def requirement_name(line):
    return re.match(r"[A-Za-z0-9_.-]+", line)[0].lower().replace("_", "-")


def required(name):
    lines = [line.split("#")[0].strip() for line in read(name).splitlines()]
    return {requirement_name(line) for line in lines if line and not line.startswith("-")}


def package_dependencies():
    return tomllib.loads(read("pyproject.toml"))["project"]["dependencies"]


def code_cells(notebook):
    cells = json.loads(notebook.read_text(encoding="utf8"))["cells"]
    return [(n, cell) for n, cell in enumerate(cells) if cell["cell_type"] == "code"]


def markdown(notebook):
    cells = json.loads(notebook.read_text(encoding="utf8"))["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


# The commands


def test_make_alone_lists_every_public_target():
    if not shutil.which("make"):
        pytest.skip("needs GNU make: install it")
    shown = run("make", "--no-print-directory", "PYTHON=no-such-python").stdout
    listed = set(re.findall(r"^  make (\w+) +\S", shown, re.M))
    assert {"book", "test", "serve", "execute", "train", "lint", "clean", "help"} <= listed


def test_a_missing_python_gives_one_line_that_says_what_to_do():
    if not shutil.which("make"):
        pytest.skip("needs GNU make: install it")
    for target in ("book", "test"):
        refused = run("make", "--no-print-directory", target, "PYTHON=no-such-python")
        assert refused.returncode
        assert refused.stdout == ""
        assert len(refused.stderr.splitlines()) == 1
        assert "no-such-python" in refused.stderr
        assert "3.11, 3.12 or 3.13" in refused.stderr


# The dependencies


def test_the_requirements_cover_the_package():
    names = {requirement_name(line) for line in package_dependencies()}
    assert names <= set.union(*map(required, REQUIREMENTS))


def test_the_package_accepts_what_colab_has():
    for wanted in map(Requirement, package_dependencies()):
        assert wanted.specifier.contains(COLAB[wanted.name]), wanted


def test_each_dependency_has_a_reason_in_contributing():
    reasons = set(re.findall(r"^- `([a-z0-9-]+)`: \S", read("CONTRIBUTING.md"), re.M))
    assert reasons == set.union(*map(required, REQUIREMENTS))


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_constraints_pin_each_requirement_once_on_each_python(python):
    pinned = []
    for line in read("constraints.txt").splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line)
            versions = {"python_version": python, "python_full_version": f"{python}.9"}
            if not pin.marker or pin.marker.evaluate(versions):
                assert [s.operator for s in pin.specifier] == ["=="], line
                pinned.append(pin.name.lower())
    assert len(pinned) == len(set(pinned))
    assert set.union(*map(required, REQUIREMENTS)) <= set(pinned)


def test_the_pins_choose_no_build_of_torch():
    text = "".join(map(read, [*REQUIREMENTS, "constraints.txt", "pyproject.toml"]))
    assert "+cpu" not in text
    assert "nvidia" not in text


def test_the_hooks_use_the_pinned_ruff():
    pin = re.search(r"^ruff==.+$", read("constraints.txt"), re.M)[0]
    assert set(re.findall(r"ruff==[\d.]+", read(".pre-commit-config.yaml"))) == {pin}


def test_installing_names_no_server():
    for name in [*REQUIREMENTS, "constraints.txt", "pyproject.toml", "Makefile", ".ci/run"]:
        hosts = set(re.findall(r"https?://([\w.]+)", read(name))) - {"localhost"}
        assert not hosts, (name, hosts)
        assert "index-url" not in read(name), name


def test_no_file_knows_one_machine():
    folders = "home/[a-z]|Users/[A-Za-z]|root/|work/|tmp/(?!ipykernel)|opt/(?!ghc|hostedtoolcache)"
    machine = re.compile(rf"(?<![\w.$}}/~:-])/(?:{folders})")
    for path in project_files():
        try:
            text = path.read_text(encoding="utf8")
        except UnicodeDecodeError:
            continue
        found = machine.search(text)
        assert path == Path(__file__) or not found, (path, text[found.start() :][:60])


# The book


def test_every_page_of_the_contents_exists_and_every_chapter_is_listed():
    contents = yaml.safe_load(read("_toc.yml"))
    listed = [contents["root"]]
    listed += [page["file"] for part in contents["parts"] for page in part["chapters"]]
    for name in listed:
        assert any((ROOT / f"{name}{ending}").is_file() for ending in (".md", ".ipynb")), name
    for path in NOTEBOOKS:
        assert str(path.relative_to(ROOT).with_suffix("")) in listed


def test_the_address_is_in_one_place():
    placeholder = "OWNER/" + "REPOSITORY"
    holders = [p.name for p in project_files() if placeholder in p.read_text("utf8", "replace")]
    assert set(holders) <= {"_config.yml", "book_assets.py"}


def test_every_picture_in_a_text_has_a_description():
    texts = {path: path.read_text(encoding="utf8") for path in (ROOT / "book").glob("**/*.md")}
    texts |= {path: markdown(path) for path in NOTEBOOKS} | {ROOT / "README.md": read("README.md")}
    for path, text in texts.items():
        assert not re.search(r"!\[\s*\]\(", text), path
        assert not re.search(r"<img(?![^>]*\balt=\"[^\"]+\")", text), path
        for block in FIGURE_BLOCK.finditer(text):
            assert re.search(r"^:alt: \S", block[0], re.M), (path, block[0])


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
class TestNotebook:
    def test_its_outputs_are_stored_and_sound(self, notebook):
        counts = []
        for n, cell in code_cells(notebook):
            tags = cell["metadata"].get("tags", [])
            counts += [cell["execution_count"]] if "".join(cell["source"]).strip() else []
            for output in cell["outputs"]:
                failed = output["output_type"] == "error"
                assert not failed or "raises-exception" in tags, f"cell {n} stores an error"
                assert "application/vnd.jupyter.widget-view+json" not in output.get("data", {}), n
        assert counts == list(range(1, len(counts) + 1)), "run: make execute"

    def test_its_metadata_belongs_to_no_machine(self, notebook):
        metadata = json.loads(notebook.read_text(encoding="utf8"))["metadata"]
        assert metadata["kernelspec"]["name"] == "python3"
        assert metadata["language_info"] == {"name": "python"}, "run: make execute"
        assert "widgets" not in metadata
        for n, cell in code_cells(notebook):
            assert "execution" not in cell["metadata"], n

    def test_every_plot_has_a_description(self, notebook):
        for n, cell in code_cells(notebook):
            if any(PICTURES & set(output.get("data", {})) for output in cell["outputs"]):
                image = cell["metadata"].get("mystnb", {}).get("image", {})
                assert len(image.get("alt", "")) > 20, f"cell {n} needs mystnb.image.alt"


@pytest.mark.parametrize("notebook", CHAPTERS, ids=lambda path: path.stem)
class TestChapter:
    def test_no_cell_is_longer_than_20_lines(self, notebook):
        for n, cell in code_cells(notebook):
            assert len("".join(cell["source"]).splitlines()) <= 20, f"cell {n}"

    def test_it_has_three_exercises_each_with_a_hidden_solution(self, notebook):
        text = markdown(notebook)
        exercises = re.findall(r"\{exercise\}.*\n:label: (ex-[\w-]+)", text)
        solutions = re.findall(r"\{solution(?:-start)?\} ([\w-]+)\n:class: dropdown", text)
        assert len(exercises) >= 3
        assert len(re.findall(r"\{exercise\}", text)) == len(exercises), "label each: ex-…"
        assert sorted(exercises) == sorted(solutions)
        assert text.count("{solution-start}") == text.count("{solution-end}")

    def test_it_starts_with_a_picture_of_where_we_are(self, notebook):
        start, *rest = re.split(r"^## ", markdown(notebook), flags=re.M)
        shown = HERE.findall(start)
        assert len(shown) == 1, "below the title: ```{figure} images/here-….svg"
        assert (ROOT / "book" / "images" / shown[0]).is_file()
        assert not HERE.search("".join(rest))

    def test_its_quiz_explains_every_choice_and_one_is_right(self, notebook):
        parts = re.split(r"^## (.+)\n", markdown(notebook), flags=re.M)
        headings = parts[1::2]
        assert headings[-2:] == ["Quiz", "Further reading"]
        before, *questions = re.split(r"^\*\*(\d)\. ", parts[-3], flags=re.M)
        assert "<details" not in before
        assert questions[::2] == list("12345"[: max(3, len(questions) // 2)]), "3 to 5 questions"
        for number, text in zip(questions[::2], questions[1::2], strict=True):
            choices = CHOICE.findall(text)
            assert len(choices) == text.count("<details") == text.count("</details>") >= 2, number
            letters = "".join(shown[0] for shown, _ in choices)
            assert "abcdef".startswith(letters), number
            assert "$" not in "".join(shown for shown, _ in choices), "a summary shows $…$ as it is"
            verdicts = [re.match(r"(Right|Not quite|Wrong)\b.{15}", why) for _, why in choices]
            assert all(verdicts), (number, "every choice: Right: why, Not quite: why, Wrong: why")
            assert [verdict[1] for verdict in verdicts].count("Right") == 1, number

    def test_it_imports_only_what_colab_has(self, notebook):
        allowed = {"torch", "numpy", "matplotlib", "ipywidgets", "dien_edu"}
        for n, cell in code_cells(notebook):
            source = "".join(cell["source"])
            found = set(re.findall(r"^\s*(?:import|from) (\w+)", source, re.M))
            assert found <= allowed | sys.stdlib_module_names, (n, found)
