"""A title that is a script stays text: in stored outputs, in pages, in the explorer, in plots."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import pytest
import torch
from hostile import EVIL, SCRIPT, TITLES
from test_live_browser import box, page_of, set_values

from dien_edu.data import load
from dien_edu.figures import draw_attention_map, draw_step_sizes, draw_trajectories, live
from dien_edu.figures.live import bundle
from dien_edu.figures.trajectories import ask
from dien_edu.models import DIEN

CLICKS = [[EVIL[t % 5], ("photography", "cooking")[t % 2]] for t in range(8)]
HOSTILE = [
    live.GatesFigure(clicks=CLICKS),
    live.AttentionFigure(clicks=CLICKS),
    live.EvolutionFigure(clicks=CLICKS),
    live.AuxiliaryFigure(click=[EVIL[1], 1.2, -0.2]),
    live.LearningCurvesFigure(
        curves={EVIL[0]: [[0.5, 0.6]], EVIL[1]: [[0.4, 0.7]]}, quantity=EVIL[3]
    ),
    live.RankingFigure(
        rows=[[title, "AB"[n % 2], n % 2] for n, title in enumerate(EVIL)], logits=[5, 4, 3, 2, 1]
    ),
]
each = pytest.mark.parametrize("figure", HOSTILE, ids=lambda figure: figure.name)


class Elements(HTMLParser):
    """Every element and every attribute that a browser would find."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, sorted(name for name, _ in attributes)))


@each
def test_a_stored_figure_has_the_elements_of_a_harmless_one(figure):
    tame = json.loads(json.dumps(figure.values), object_hook=None)
    calm = type(figure)(**{key: tamed(value) for key, value in tame.items()})
    assert Elements(figure.html()).found == Elements(calm.html()).found
    assert "<script" not in figure.html() and "<img" not in figure.html()


def tamed(value):
    """The same value with plain words in the place of the hostile ones."""
    if isinstance(value, str):
        return f"words {EVIL.index(value)}" if value in EVIL else value
    if isinstance(value, list):
        return [tamed(part) for part in value]
    if isinstance(value, dict):
        return {tamed(key): tamed(part) for key, part in value.items()}
    return value


def harmless(page) -> None:
    """Nothing ran, and nothing that could is in the page."""
    assert page.title() == "Figures"
    assert page.locator("main img, main script, main [onerror], main [onload]").count() == 0


def test_a_page_shows_a_script_as_text(open_page):
    page = open_page(page_of(HOSTILE))
    harmless(page)
    for figure in HOSTILE:
        if slider := box(page, figure).locator("input[type=range]:visible").all():
            slider[0].focus()
            page.keyboard.press("ArrowRight")
            page.keyboard.press("ArrowLeft")
        for details in box(page, figure).locator("details").all():
            details.evaluate("one => { one.open = true; }")
    assert SCRIPT in page.locator("gates-figure").inner_text()
    harmless(page)
    set_values(page, HOSTILE[0], {"clicks": [[EVIL[2], "cooking"]] * 8, "step": 3})
    page.wait_for_timeout(50)
    harmless(page)


def test_the_explorer_shows_a_script_as_text(open_page, monkeypatch):
    """A catalogue with hostile titles, as the page stores it."""
    content = json.loads((bundle.HERE / "network.json").read_text("utf8"))
    for n, item in enumerate(content["items"][1:]):
        item[0] = f"{n} {EVIL[n % 5]}"
    text = json.dumps(content).replace("<", "\\u003c")
    real = bundle.stored
    stored = {"network": f"const STORED = {text};\n"}
    monkeypatch.setattr(bundle, "stored", lambda name: stored.get(name) or real(name))
    page = open_page(page_of([live.ExplorerFigure()]))
    harmless(page)
    search = page.locator("explorer-figure input[type=search], explorer-figure input[type=text]")
    for words in ("script", EVIL[1], EVIL[0]):
        search.first.fill(words)
        page.wait_for_timeout(30)
        harmless(page)
    for details in page.locator("explorer-figure details").all():
        details.evaluate("one => { one.open = true; }")
    page.wait_for_timeout(50)
    assert "<script>" in page.locator("explorer-figure").inner_text()
    harmless(page)


def test_the_bundle_escapes_what_would_end_its_script(monkeypatch, tmp_path):
    (tmp_path / "network.json").write_text(json.dumps({"items": EVIL}))
    monkeypatch.setattr(bundle, "HERE", tmp_path)
    text = bundle.stored("network")
    assert "<" not in text
    (held,) = re.findall(r"^const STORED = (.*);$", text, re.M)
    assert json.loads(held) == {"items": EVIL}


@pytest.fixture
def no_windows():
    yield
    plt.close("all")


def test_plots_write_any_title_as_it_is(no_windows):
    """Neither markup nor a formula: two dollar signs in a film's title are dollars."""
    world = load("interest-world", n_users=20)
    torch.manual_seed(0)
    model = DIEN(world.n_items, world.n_categories)
    clicks = TITLES[:6]
    batch = ask(world, [1, 13, 3, 25, 5, 7], [0, 9, 30, 4])
    for figure in (
        draw_trajectories(model, batch, TITLES[-4:], clicks),
        draw_attention_map(model, batch, TITLES[-4:], clicks),
        draw_step_sizes({TITLES[-3]: model, TITLES[-2]: model}, batch, clicks),
    ):
        figure.canvas.draw()
        words = {text.get_text() for text in figure.findobj(plt.Text)}
        assert any(r"$\frac{1$ and $x" in text for text in words)
