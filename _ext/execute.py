"""Run chapters in place, and store nothing that belongs to one machine: `make execute`."""

from __future__ import annotations

import base64
import io
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image
from stubs import renew

WIDGET = "application/vnd.jupyter.widget-view+json"
KERNEL_FILE = re.compile(r"[^\s\"']*ipykernel_\d+[/\\]\d+\.py")
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


def execute(path):
    """Run one notebook in its own folder and write it back only when every cell succeeded.

    Stubs of exercises come from their solutions first.
    """
    notebook = renew(nbformat.read(path, as_version=4))
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
    client.execute()
    nbformat.validate(tidy(notebook))
    nbformat.write(notebook, path)


def main(arguments):
    """Run the notebooks named, or every notebook of the folders named."""
    paths = []
    for name in map(Path, arguments):
        paths += sorted(name.rglob("*.ipynb")) if name.is_dir() else [name]
    for path in paths:
        if not path.is_file():
            sys.exit(f"execute: there is no {path}")
        print(f"running {path}", flush=True)
        try:
            execute(path)
        except CellExecutionError as error:
            sys.exit(f"execute: {path} failed and is left as it was.\n{error}")


if __name__ == "__main__":
    main(sys.argv[1:])
