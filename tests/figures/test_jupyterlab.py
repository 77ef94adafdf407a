"""Every figure in a real JupyterLab: what the page changes is in the kernel, and the other way.

JupyterLab is large and nothing else here needs it, so it is not among the requirements: these tests
are skipped where it is missing, and a weekly workflow installs it and runs them.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.sign import NotebookNotary
from test_live import CLASSES
from test_live_browser import MOVES, mover

pytest.importorskip("jupyterlab", reason="JUPYTERLAB TESTS SKIPPED: pip install jupyterlab")
pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent.parent
PATIENCE = 120  # seconds for a start; everything after it takes less
CHAPTER = "03-gru.ipynb"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A server of its own in an empty folder: a notebook with every figure, and a chapter."""
    home = tmp_path_factory.mktemp("lab")
    cells = ["from dien_edu.figures import live"]
    cells += [f"{c.name} = live.{c.__name__}()\n{c.name}" for c in CLASSES]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    (home / "work").mkdir()
    nbformat.write(notebook, home / "work" / "figures.ipynb")
    shutil.copy(ROOT / "book" / CHAPTER, home / "work")
    settings = home / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    every_cell = json.dumps({"windowingMode": "none"})  # also those that are out of sight
    (settings / "tracker.jupyterlab-settings").write_text(every_cell)
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(8)
    own = {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTER_CONFIG_DIR": "config"}
    own |= {"JUPYTER_RUNTIME_DIR": "runtime", "JUPYTER_DATA_DIR": "data", "IPYTHONDIR": "ipython"}
    paths = {key: str(home / name) for key, name in own.items()}
    paths["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    options = [f"--ServerApp.root_dir={home / 'work'}", f"--IdentityProvider.token={token}"]
    options += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--no-browser"]
    options += ["--LabApp.expose_app_in_browser=True", "--allow-root"]
    with (home / "log").open("wb") as log:
        command = [sys.executable, "-m", "jupyterlab", *options]
        server = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | paths)
        address = f"http://localhost:{port}"
        try:
            wait(lambda: ask(address, token, "status"), home / "log")
            yield address, token, home
        finally:
            server.terminate()
            server.wait(timeout=30)


def ask(address, token, what):
    with urllib.request.urlopen(f"{address}/api/{what}?token={token}", timeout=10) as answer:
        return json.load(answer)


def wait(call, log=None):
    """What `call` gives as soon as it gives something."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if found := call():
                return found
        except OSError:
            pass
        time.sleep(0.5)
    raise TimeoutError(log.read_text()[-2000:] if log else "nothing came")


@pytest.fixture(scope="module")
def page(lab, browser):
    address, token, _ = lab
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(1000 * PATIENCE)
    page.goto(f"{address}/lab/tree/figures.ipynb?token={token}&reset")
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.context?.isReady")
    yield page
    context.close()


@pytest.fixture(scope="module")
def kernel(lab, page):
    """A second line to the kernel of the open notebook; runs its cells, as a reader would."""
    from jupyter_client import BlockingKernelClient

    *_, home = lab
    session = "jupyterapp.shell.currentWidget.sessionContext.session"
    page.wait_for_function(f"{session}?.kernel?.connectionStatus === 'connected'")
    page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
    name = page.evaluate(f"{session}.kernel.id")
    client = BlockingKernelClient(connection_file=str(home / "runtime" / f"kernel-{name}.json"))
    client.load_connection_file()
    client.start_channels()
    client.wait_for_ready(timeout=PATIENCE)

    def value(expression, code=""):
        reply = client.execute(
            code, user_expressions={"v": f"__import__('json').dumps({expression})"}
        )
        while True:
            answer = client.get_shell_msg(timeout=PATIENCE)
            if answer["parent_header"]["msg_id"] == reply:
                break
        found = answer["content"]["user_expressions"]["v"]
        assert found["status"] == "ok", found
        return json.loads(eval(found["data"]["text/plain"]))

    yield value
    client.stop_channels()


@pytest.mark.parametrize("figure_class", CLASSES, ids=lambda c: c.__name__)
def test_the_page_and_the_kernel_have_the_same_values(figure_class, page, kernel):
    name, rng = figure_class.name, np.random.default_rng(6)
    here = page.locator(f".live-{name}")
    here.wait_for()
    say = here.locator(".live-say")
    assert say.inner_text() == kernel(f"{name}.say()")

    before = kernel(f"{name}.values")  # the page moves a control, the kernel knows
    control, forth, _ = mover(here)
    control.focus()
    for _ in range(2):
        page.keyboard.press(forth)
    assert wait(lambda: kernel(f"{name}.values") != before)
    assert wait(lambda: kernel(f"{name}.say()") == say.inner_text())
    inside = "(box) => box.contains(document.activeElement)"
    assert here.evaluate(inside), "the arrow keys stay here"

    values = MOVES[name](rng)  # the kernel sets values, the page shows them
    code = "".join(f"{name}.{key} = {value!r}\n" for key, value in values.items())
    said = kernel(f"{name}.say()", code)
    assert said != kernel(f"live.{figure_class.__name__}().say()")
    wait(lambda: say.inner_text() == said)


@pytest.mark.parametrize("trusted", [False, True], ids=["as it came", "trusted"])
def test_a_chapter_that_was_not_run_shows_what_is_stored(trusted, lab, page):
    """No script runs. The picture is an SVG, which JupyterLab takes out of a notebook that came
    from elsewhere, until its reader trusts it; the sentence and the table are there before."""
    address, token, home = lab
    path = home / "work" / CHAPTER
    if trusted:
        notary = NotebookNotary(data_dir=str(home / "data"))
        notary.sign(nbformat.read(path, 4))
    page.goto(f"{address}/lab/tree/{CHAPTER}?token={token}&reset")
    output = page.locator(".jp-RenderedHTML").filter(has_text="A GRU reads eight clicks")
    output.wait_for()
    assert output.locator("td").count() >= 16
    assert "the update gate writes" in output.inner_text()
    pictures = output.locator("svg")
    assert pictures.count() == trusted
    assert not trusted or pictures.bounding_box()["width"] > 250
