"""Run chapters in place, and store nothing that belongs to one machine: `make execute`.

How long each took, with which versions, on what and when, goes into `execution.json` beside this
file and from there onto a page of the appendix. `--measure` writes that alone and leaves the
chapters as they are: `make status`.
"""

from __future__ import annotations

import base64
import datetime
import io
import json
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image
from promises import ROOT, RUNS, code_of
from stubs import renew

WIDGET = "application/vnd.jupyter.widget-view+json"
KERNEL_FILE = re.compile(r"[^\s\"']*ipykernel_\d+[/\\]\d+\.py")
# Asked of the kernel itself, after the last cell of a chapter.
QUESTION = """
import importlib.metadata, json, os, platform, torch
print(json.dumps({
    "versions": {"python": platform.python_version()} | {
        name: importlib.metadata.version(name).split("+")[0]
        for name in ("torch", "numpy", "matplotlib", "ipywidgets")},
    "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU",
    "cores": os.cpu_count(),
    "profile": os.environ.get("DIEN_EDU_PROFILE") or "automatic",
}))
"""
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}


def slim(png):
    """A plot in 256 colours, base64 as it came: half the bytes, and no difference to be seen."""
    buffer = io.BytesIO()
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return min(png, base64.b64encode(buffer.getvalue()).decode() + "\n", key=len)


def tidy_output(output):
    """Drop what belongs to one machine or run: temporary paths, tracebacks, widget views."""
    if output.output_type == "stream":
        output.text = KERNEL_FILE.sub("CELL", output.text)
    elif output.output_type == "error":
        output.traceback = [f"{output.ename}: {output.evalue}"]
    else:
        output.data.pop(WIDGET, None)
        if "image/png" in output.data:
            output.data["image/png"] = slim(output.data["image/png"])
        output.metadata.pop(WIDGET, None)


def tidy(notebook):
    """Keep ids, tags and sources; number the cells 1, 2, …; forget timing, widgets and kernel."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata.kernelspec = dict(KERNELSPEC)
    notebook.metadata.language_info = {"name": "python"}
    count = 0
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        count += bool(cell.source.strip())
        cell.execution_count = count if cell.source.strip() else None
        for output in cell.outputs:
            tidy_output(output)
            if output.output_type == "execute_result":
                output.execution_count = count
    return notebook


def execute(path, keep=True):
    """Run one notebook in its own folder; write it back only when every cell succeeded.

    Stubs of exercises come from their solutions first.
    """
    notebook = renew(nbformat.read(path, as_version=4))
    notebook.cells.append(nbformat.v4.new_code_cell(QUESTION))
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=1200,
        extra_arguments=["--log-level=ERROR"],
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    started = time.perf_counter()
    client.execute()
    seconds = round(time.perf_counter() - started, 1)
    made = json.loads(notebook.cells.pop().outputs[0]["text"])
    if keep:
        nbformat.validate(tidy(notebook))
        nbformat.write(notebook, path)
    if made["profile"] == "quick":
        note_run(path, {"seconds": seconds, **made, "date": datetime.date.today().isoformat()})


def note_run(path, made):
    """Put one run into the record, which holds the last run of each page of the book."""
    book = ROOT / "book"
    if not path.resolve().is_relative_to(book):
        return
    runs = json.loads(RUNS.read_text(encoding="utf8")) if RUNS.exists() else {}
    runs[path.resolve().relative_to(book).with_suffix("").as_posix()] = made | {
        "code": code_of(path)
    }
    text = json.dumps(dict(sorted(runs.items())), indent=1, ensure_ascii=False) + "\n"
    RUNS.with_suffix(".new").write_text(text, encoding="utf8")
    os.replace(RUNS.with_suffix(".new"), RUNS)


def main(arguments):
    """Run the notebooks named, or every notebook of the folders named."""
    paths, keep = [], "--measure" not in arguments
    for name in (Path(name) for name in arguments if name != "--measure"):
        paths += sorted(name.rglob("*.ipynb")) if name.is_dir() else [name]
    for path in paths:
        if not path.is_file():
            sys.exit(f"execute: there is no {path}")
        print(f"running {path}", flush=True)
        try:
            execute(path, keep)
        except CellExecutionError as error:
            sys.exit(f"execute: {path} failed and is left as it was.\n{error}")


if __name__ == "__main__":
    main(sys.argv[1:])
