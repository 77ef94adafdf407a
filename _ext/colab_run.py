"""Run the self-contained notebooks as a reader would: one file, an empty folder, a fresh kernel.

python _ext/colab_run.py FOLDER [NAME …] runs the notebooks of FOLDER (`make colab` writes them into
colab/), all or those named, with the Python that runs this file and the profile "quick". It prints
a line for each: seconds, versions, live figures, files. It ends with 1 if a cell fails, if a figure
is nothing that a notebook with a kernel shows, or if the notebook's text speaks of an error.

--colab makes the figures believe that they are in Colab, which takes the widget and not the HTML.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

WIDGET = "application/vnd.jupyter.widget-view+json"
# What Colab's own module offers to widgets that others have written.
STANDIN = {
    "google/colab/__init__.py": "",
    "google/colab/output.py": (
        "class _Widgets:\n    _installed_url = None\n\n\n_widgets = _Widgets()\n\n\n"
        "def enable_custom_widget_manager():\n    _widgets._installed_url = 'manager.min.js'\n"
    ),
    "sitecustomize.py": "import google.colab.output\n",
}


def figures(cell: dict) -> list[dict]:
    """The outputs of a cell that are live: a widget, or our element in HTML."""
    found = [output.get("data", {}) for output in cell.get("outputs", [])]
    return [
        data for data in found if WIDGET in data or "-figure state=" in data.get("text/html", "")
    ]


def wrong(notebook: dict, colab: bool) -> list[str]:
    """What a reader would miss or stumble over."""
    found = []
    for number, cell in enumerate(notebook.cells):
        for data in figures(cell):
            view = data.get(WIDGET, {})
            if view.get("version_major") != 2 or not view.get("model_id"):
                found.append(f"cell {number}: a figure that no kernel can move")
            if colab and "text/html" in data:
                found.append(f"cell {number}: Colab would show the HTML in place of the widget")
        tags = cell.metadata.get("tags", [])
        for output in cell.get("outputs", []):
            if output.output_type == "error" and "raises-exception" not in tags:
                found.append(f"cell {number}: {output.ename}")
    return found


def run(path: Path, colab: bool) -> list[str]:
    """Run one notebook in an empty folder, say how it went, and return what is wrong."""
    with tempfile.TemporaryDirectory(prefix="reader-") as place:
        folder = Path(place, "folder")
        folder.mkdir()
        paths = [os.environ.get("PYTHONPATH", "")]
        if colab:
            for name, text in STANDIN.items():
                (Path(place, "colab", name)).parent.mkdir(parents=True, exist_ok=True)
                Path(place, "colab", name).write_text(text)
            paths.insert(0, str(Path(place, "colab")))
        shutil.copy(path, folder)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "IPYTHONDIR": str(Path(place, "ipython")),
            "CUDA_VISIBLE_DEVICES": "",
        }
        notebook = nbformat.read(folder / path.name, 4)
        client = NotebookClient(
            notebook,
            kernel_name="python3",
            timeout=1800,
            extra_arguments=["--log-level=ERROR"],
            resources={"metadata": {"path": str(folder)}},
        )
        started = time.perf_counter()
        try:
            client.execute(env=environment)
        except CellExecutionError as error:
            return [str(error)[-3000:]]
        seconds = time.perf_counter() - started
        first = "".join(output.get("text", "") for output in notebook.cells[0].outputs)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        live = sum(len(figures(cell)) for cell in code)
        files = sum(file.is_file() for file in folder.rglob("*")) - 1
        print(f"{path.stem}: {len(code)} cells, {seconds:.0f} s, {live} live, {files} files")
        print(f"  {first.splitlines()[0]}", flush=True)
        return wrong(notebook, colab)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("names", nargs="*", help="like 03-gru; all without")
    options.add_argument("--colab", action="store_true", help="stand in for google.colab")
    options = options.parse_args()
    paths = [options.folder / f"{name}.ipynb" for name in options.names]
    failed = False
    for path in paths or sorted(options.folder.glob("*.ipynb")):
        for problem in run(path, options.colab):
            failed = True
            print(f"{path.stem} FAILS: {problem}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
