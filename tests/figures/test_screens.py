"""How the figures look: default and moved states against stored pictures.

Fonts differ between machines, so each letter is drawn as a block, from a font that is made here.
Browsers differ in how they smooth an edge, so a picture is shrunk to a quarter each way and
compared with a tolerance. Sliders and boxes to tick are the browser's own and are left out.

After a change that is meant: RENEW_SCREENS=1 make pytest ARGS="-k screens", and look at each new
picture before it is committed.
"""

from __future__ import annotations

import base64
import io
import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image
from test_live import CLASSES, FOLDER
from test_live_browser import page_of

from dien_edu.figures import MODELS, live

SCREENS = Path(__file__).parent / "screens"
RENEW = bool(os.environ.get("RENEW_SCREENS"))
SETTINGS = {"light": (640, "light"), "dark": (640, "dark"), "phone": (358, "light")}
STATES = ("default", "moved")
SHRINK = 4
# A picture differs when so many of its points are off by more than so many of 255 levels. Between
# two releases of Chromium half a year apart no point was off by more than 1.
LEVELS, POINTS = 24, 12
ACCENTS = range(0x300, 0x370)  # they stand over the letter before and take no room
STYLE = """
  main { margin: 0; position: relative; }
  main > * { position: absolute; inset: 0 0 auto; visibility: hidden; }
  main > .now { visibility: visible; }
  .live.live { margin: 0; }
  main .live, main .live * { font-family: blocks !important; font-synthesis: none !important;
    text-rendering: geometricPrecision !important; }
  main input:not([type=text]) { visibility: hidden; }
"""


@cache
def font() -> str:
    """A font face in which every letter of the figures is the same block."""
    texts = [p.read_text("utf8") for p in (*FOLDER.glob("*.js"), *FOLDER.glob("*.py"))]
    used = {*map(chr, range(32, 127)), "\u00a0", *"".join(texts)} - {"\n"}
    kinds = {ord(letter): "space" if letter.isspace() else "block" for letter in used}
    pen = TTGlyphPen(None)
    pen.moveTo((40, 0))
    for corner in ((40, 500), (480, 500), (480, 0)):
        pen.lineTo(corner)
    pen.closePath()
    block, nothing = pen.glyph(), TTGlyphPen(None).glyph()
    made = FontBuilder(1000, isTTF=True)
    made.setupGlyphOrder([".notdef", "block", "space", "accent"])
    made.setupCharacterMap(kinds | {code: "accent" for code in kinds if code in ACCENTS})
    made.setupGlyf({".notdef": block, "block": block, "space": nothing, "accent": nothing})
    widths = {".notdef": (520, 40), "block": (520, 40), "space": (300, 0), "accent": (0, 0)}
    made.setupHorizontalMetrics(widths)
    made.setupHorizontalHeader(ascent=800, descent=-200)
    made.setupNameTable({"familyName": "blocks", "styleName": "Regular"})
    made.setupOS2(sTypoAscender=800, sTypoDescender=-200, usWinAscent=800, usWinDescent=200)
    made.setupPost()
    file = io.BytesIO()
    made.save(file)
    address = f"data:font/ttf;base64,{base64.b64encode(file.getvalue()).decode()}"
    return f"@font-face {{ font-family: blocks; src: url({address}); }}"


def figures_shown() -> list:
    """Every figure at its start; what is recorded anew must not change a picture."""
    rng = np.random.default_rng(0)
    seeds = {data: rng.normal(0.8, 0.01, (7, 3)).round(4).tolist() for data in live.guess.TITLES}
    scores = {data: dict(zip(MODELS, of, strict=True)) for data, of in seeds.items()}
    rises = {"α = 0": 0.70, "α = 1": 0.72}
    curves = {
        name: [
            [low + 0.01 * seed + 0.08 * (1 - 0.6**epoch) for epoch in range(8)] for seed in (0, 1)
        ]
        for name, low in rises.items()
    }
    given = {"guess": {"scores": scores}, "curves": {"curves": curves}}
    return [figure_class(**given.get(figure_class.name, {})) for figure_class in CLASSES]


def opened(open_page, figures, setting):
    width, theme = SETTINGS[setting]
    viewport = {"width": width, "height": 900}
    page = open_page(page_of(figures, theme=theme), viewport, color_scheme=theme)
    page.add_style_tag(content=font() + STYLE)
    page.evaluate("document.querySelector('h1').remove(), document.body.style.margin = 0")
    assert page.evaluate("document.fonts.load('15px blocks').then((found) => found.length)") == 1
    return page


def pictures(page, figure):
    """The figure at its start, and after its guided steps: the last one first, so that the
    explorer's last, which removes every click, is not what is seen."""
    page.evaluate(
        """(name) => {
          document.querySelector("main > .now")?.classList.remove("now");
          document.querySelector(`${name}-figure`).classList.add("now");
        }""",
        figure.name,
    )
    yield small(page, figure)
    for button in reversed(page.locator(f"{figure.name}-figure .live-tries button").all()):
        button.click()
    page.evaluate("document.activeElement.blur()")
    page.mouse.move(0, 0)
    yield small(page, figure)


def small(page, figure) -> Image.Image:
    # two frames: what a change of size draws anew is drawn as well
    page.evaluate("new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")
    taken = page.locator(f"{figure.name}-figure .live").screenshot()
    return Image.open(io.BytesIO(taken)).convert("RGB").reduce(SHRINK)


def points_off(one: Image.Image, other: Image.Image) -> int:
    """How many points differ clearly; another size is a difference in every point."""
    if any(abs(a - b) > 1 for a, b in zip(one.size, other.size, strict=True)):
        return one.width * one.height
    width, height = map(min, one.size, other.size)
    one, other = (np.asarray(picture, int)[:height, :width] for picture in (one, other))
    return int((np.abs(one - other).max(axis=2) > LEVELS).sum())


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_figures_look_as_stored(setting, open_page, tmp_path):
    figures, changed = figures_shown(), []
    page = opened(open_page, figures, setting)
    for figure in figures:
        for state, picture in zip(STATES, pictures(page, figure), strict=True):
            path = SCREENS / f"{figure.name}-{setting}-{state}.webp"
            if RENEW:
                if not path.exists() or points_off(picture, opened_picture(path)) > 0:
                    picture.save(path, lossless=True, quality=100, method=6)
            elif (off := points_off(picture, opened_picture(path))) > POINTS:
                picture.save(tmp_path / path.name, lossless=True)
                changed.append(f"{path.name}: {off} points; now: {tmp_path / path.name}")
    assert not changed, "\n".join([*changed, 'If meant: RENEW_SCREENS=1 make pytest ARGS="-k …"'])


def opened_picture(path) -> Image.Image:
    return Image.open(path).convert("RGB")


CHANGES = {
    "a curve two pixels lower": ".live svg .reset_gate .line { transform: translateY(2px); }",
    "another colour": ".live.live { --candidate: light-dark(#A0206E, #F08BC4); }",
    "a line without dashes": ".live svg .line { stroke-dasharray: none; }",
    "larger marks": ".live svg .dot { stroke: currentColor; stroke-width: 3; }",
    "paler words": ".live svg text { fill: light-dark(#595959, #B6BBC2); }",
    "more room": ".live-controls { margin: 12px 0; }",
    "a control that is gone": ".live-foot button { display: none; }",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen(change, open_page):
    """In each theme: what the comparison lets pass is less than what a reader would notice."""
    figure = live.GatesFigure()
    for setting in ("light", "dark"):
        page = opened(open_page, [figure], setting)
        stored = opened_picture(SCREENS / f"gates-{setting}-default.webp")
        assert points_off(next(pictures(page, figure)), stored) <= POINTS
        page.add_style_tag(content=CHANGES[change].replace("{", "{ ").replace(";", " !important;"))
        assert points_off(small(page, figure), stored) > 3 * POINTS, setting


def test_no_stored_picture_is_left_over():
    names = [f"{figure_class.name}-{setting}" for figure_class in CLASSES for setting in SETTINGS]
    wanted = {f"{name}-{state}.webp" for name in names for state in STATES}
    assert {path.name for path in SCREENS.iterdir()} == wanted
    assert sum(path.stat().st_size for path in SCREENS.iterdir()) < 500_000
