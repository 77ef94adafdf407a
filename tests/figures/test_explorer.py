"""The explorer: the page computes what PyTorch computes, and anyone can compose a history."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
import torch
from test_live import FOLDER, random_explorer
from test_live_browser import PHONE, WIDE, box, centre, page_of, set_values, shown, violations

from dien_edu.data.world import CATALOGUE, catalogue
from dien_edu.figures import live
from dien_edu.figures.live import bundle, network
from dien_edu.figures.live.explorer import EVOLUTIONS, title_of

HISTORIES = 1000

# The weights


def test_the_file_holds_the_catalogue_and_every_weight_rounded():
    content = network.stored()
    names, traits = catalogue()
    assert content["interests"] == list(CATALOGUE)
    assert [row[0] for row in content["items"]] == names
    assert [row[1:] for row in content["items"]] == traits.tolist()
    assert list(content["networks"]) == list(EVOLUTIONS)
    for evolution in EVOLUTIONS:
        for name, tensor in network.load(evolution).state_dict().items():
            stored = content["networks"][evolution][name]
            bits = np.frombuffer(base64.b64decode(stored["data"]), "<u2")
            assert (tensor.half().numpy().view("<u2").ravel() == bits).all(), name
            assert (tensor == tensor.half().float()).all(), "PyTorch has the rounded numbers"


def test_the_explorer_fits_into_600_kilobytes():
    assert len(bundle.bundle("explorer").encode()) < 600_000


def test_an_unknown_evolution_or_title_is_refused():
    with pytest.raises(ValueError, match="augru"):
        network.load("gru")
    with pytest.raises(ValueError, match="first camera"):
        network.item("zeppelin")


def test_a_batch_is_padded_on_the_right():
    batch = network.batch([[1, 2, 13], [], [144]], [5, 6, 7])
    assert batch.history_item.tolist() == [[1, 2, 13], [0, 0, 0], [144, 0, 0]]
    assert batch.history_category.tolist() == [[1, 1, 2], [0, 0, 0], [12, 0, 0]]
    assert batch.mask.sum(1).tolist() == [3, 0, 1]


# The page against PyTorch

RUN = """([cases, evolutions]) => cases.map(([history, target]) => evolutions.map((evolution) => {
  const found = run(evolution, history, target);
  const last = found.steps.at(-1) ?? { update: [], written: [] };
  return [[found.logit, found.probability], found.attention, found.interests.at(-1) ?? [],
    found.evolved.at(-1) ?? [], last.update, last.written];
}))"""


def test_the_page_computes_what_pytorch_computes(open_page):
    """1,000 random histories of 0 to 50 clicks through all three networks, in one call."""
    rng = np.random.default_rng(0)
    cases = [
        (rng.integers(1, 145, n % 51).tolist(), int(rng.integers(1, 145))) for n in range(HISTORIES)
    ]
    page = open_page("<!doctype html><title>network</title>")
    page.add_script_tag(content=bundle.source("maths") + bundle.source("network"))
    found = page.evaluate(RUN, [cases, EVOLUTIONS])
    lengths = np.array([len(history) for history, _ in cases])
    batch = network.batch(*map(list, zip(*cases, strict=True)))
    worst = 0.0
    for n, evolution in enumerate(EVOLUTIONS):
        model = network.load(evolution)
        with torch.no_grad():
            logit, trace = model(batch).logit, model.trace(batch)
        last = np.maximum(lengths - 1, 0)
        rows = np.arange(HISTORIES)
        ends = (trace.interests, trace.evolved, trace.update_gate, trace.step_size)
        wanted = [tensor.numpy()[rows, last] for tensor in ends]
        for row, (answer, attention, *vectors) in enumerate(case[n] for case in found):
            expected = [logit[row], logit[row].sigmoid()]
            worst = max(worst, *np.abs(np.subtract(answer, expected)))
            assert len(attention) == lengths[row]
            if attention:
                there = trace.attention[row, : len(attention)].numpy()
                worst = max(worst, np.abs(attention - there).max())
                pairs = zip(vectors, wanted, strict=True)
                worst = max(worst, *(np.abs(v - w[row]).max() for v, w in pairs))
    assert worst < 1e-4


def test_an_answer_comes_at_once(open_page):
    """A generous bound, on the best of many, for any machine: the record has what was measured."""
    from studies.explorer import MEASURE

    page = open_page(page_of([live.ExplorerFigure()]))
    times = page.evaluate(MEASURE, 60)
    assert min(times) < 200


# Composing


def history(page):
    return page.evaluate("document.querySelector('explorer-figure').model.get('history')")


def field_of(page, name):
    return page.get_by_role("combobox", name=name)


def titles(page):
    return [title_of(item).split(" (")[0] for item in history(page)]


def test_a_click_is_found_and_added_with_the_keyboard(open_page):
    page = open_page(page_of([live.ExplorerFigure()]))
    field = field_of(page, "Add a click")
    field.focus()
    page.keyboard.type("STAND mix")
    options = page.get_by_role("option").filter(has_text="stand mixer")
    assert options.count() == 2 and field.get_attribute("aria-expanded") == "true"
    page.keyboard.press("ArrowDown")
    marked = page.locator(f"#{field.get_attribute('aria-activedescendant')}")
    assert "premium" in marked.inner_text() and marked.get_attribute("aria-selected") == "true"
    page.keyboard.press("Enter")
    assert title_of(history(page)[-1]) == "stand mixer (premium)"
    assert field.get_attribute("aria-expanded") == "false" and field.input_value() == ""
    page.keyboard.type("cooking")  # an interest finds its items
    assert page.locator(".picker ul:visible li").count() == 12
    page.keyboard.press("Escape")
    assert page.locator(".picker ul:visible").count() == 0 and len(history(page)) == 9
    page.keyboard.type("t")
    assert page.locator("details[open]").count() == 0, "there a t is a letter"


def test_the_target_is_chosen_with_the_mouse_and_stays_in_its_field(open_page):
    page = open_page(page_of([live.ExplorerFigure()]))
    field = field_of(page, "The item that is shown")
    field.click()
    assert page.locator(".picker ul:visible li").count() == 144
    page.keyboard.type("telescope")
    page.locator(".picker ul:visible li").first.click()
    assert field.input_value() == "telescope (simple)"
    assert "shown: telescope (simple), astronomy" in shown(page, live.ExplorerFigure())[0]
    field.click()
    page.keyboard.type("no such thing")
    assert "Nothing" in page.locator(".picker-none:visible").inner_text()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert field.input_value() == "telescope (simple)"


def test_clicks_are_chosen_moved_and_removed_with_the_keyboard(open_page):
    page = open_page(page_of([live.ExplorerFigure()]))
    page.locator(".clicks [aria-selected=true]").focus()
    page.keyboard.press("End")
    page.keyboard.press("Alt+ArrowLeft")
    assert titles(page)[-2:] == ["flash", "camera bag"]
    page.keyboard.press("Alt+ArrowRight")
    assert titles(page)[-2:] == ["camera bag", "flash"]
    page.keyboard.press("Alt+ArrowRight")  # at the end already
    page.keyboard.press("Delete")
    assert titles(page)[-1] == "camera bag" and len(titles(page)) == 7
    page.wait_for_function("document.activeElement.textContent.includes('camera bag')")
    for _ in range(7):
        page.keyboard.press("Delete")
        page.wait_for_timeout(30)
    assert history(page) == []
    page.wait_for_function("document.activeElement.id.endsWith('-add')")
    assert "0 clicks" in shown(page, live.ExplorerFigure())[0]


def test_the_buttons_do_the_same(open_page):
    page = open_page(page_of([live.ExplorerFigure()]), PHONE)
    for name in ("later ▶", "repeat", "◀ earlier", "remove"):
        page.get_by_role("button", name=name, exact=True).click()
    expected = [t.split(" (")[0] for t in map(title_of, live.ExplorerFigure().history)]
    expected[2:4] = expected[3], expected[2]
    assert titles(page) == expected
    page.get_by_role("button", name="remove all").press("Enter")
    assert history(page) == []
    assert page.evaluate("document.activeElement.id").endswith("-add")


def test_a_click_is_dragged_to_its_place(open_page):
    page = open_page(page_of([live.ExplorerFigure()]))
    chips = page.locator(".clicks [role=option]")
    page.mouse.move(*centre(chips.nth(0)))
    page.mouse.down()
    for n in (1, 2):
        page.mouse.move(*centre(chips.nth(n)), steps=4)
    page.mouse.up()
    page.mouse.move(*centre(chips.nth(5)), steps=4)
    assert titles(page)[:3] == ["lens", "frying pan", "first camera"]


def test_on_a_phone_a_finger_does_it_all(open_page):
    page = open_page(page_of([live.ExplorerFigure()]), PHONE, has_touch=True, is_mobile=True)
    row, chips = page.locator(".clicks"), page.locator(".clicks [role=option]")
    frame = row.bounding_box()
    last = chips.last.bounding_box()
    assert last["y"] + last["height"] <= frame["y"] + frame["height"], "eight clicks in sight"
    for word in ("lens", "flash", "frying pan", "tripod"):
        field = field_of(page, "Add a click")
        field.tap()
        page.keyboard.type(word)
        page.locator(".picker ul:visible li").first.tap()
    assert len(history(page)) == 12
    page.wait_for_timeout(100)
    frame, last = row.bounding_box(), chips.last.bounding_box()
    assert last["y"] + last["height"] <= frame["y"] + frame["height"], "the new one is in sight"
    chips.last.tap()
    page.get_by_role("button", name="◀ earlier").tap()
    page.get_by_role("button", name="remove", exact=True).tap()
    assert len(history(page)) == 11
    target = field_of(page, "The item that is shown")
    target.tap()
    marked = page.locator(".picker li[aria-selected=true]:visible")
    assert marked.inner_text().startswith("photo printer (simple)"), "the list opens where it is"
    page.locator(".picker ul:visible li").filter(has_text="tripod (simple)").tap()
    assert target.input_value() == "tripod (simple)"


def test_a_bar_of_the_answer_chooses_its_evolution(open_page):
    page = open_page(page_of([live.ExplorerFigure()]))
    picture = box(page, live.ExplorerFigure()).locator("svg[role=img]")
    for bar, evolution in enumerate(EVOLUTIONS):
        picture.click(position={"x": 120, "y": 36 + 26 * bar})
        now = "document.querySelector('explorer-figure').model.get('evolution')"
        assert page.evaluate(now) == evolution
        assert page.get_by_role("radio", name=evolution.upper(), exact=True).is_checked()


def test_a_history_ends_at_fifty(open_page):
    figure = live.ExplorerFigure(history=[1 + n for n in range(50)])
    page = open_page(page_of([figure]))
    assert field_of(page, "Add a click").is_disabled()
    page.get_by_role("button", name="repeat").press("Enter")
    assert len(history(page)) == 50


def test_the_picture_chooses_click_and_part(open_page):
    page = open_page(page_of([live.ExplorerFigure()]))
    here = box(page, live.ExplorerFigure())
    heading = here.locator("svg text", has_text="interest hₜ").bounding_box()
    fifth = here.locator(".picture").get_by_text("5", exact=True).first.bounding_box()
    frame = here.locator("svg[role=img]").bounding_box()
    x, y = fifth["x"] + 3 - frame["x"], heading["y"] + 50 - frame["y"]
    here.locator("svg[role=img]").click(position={"x": x, "y": y})
    state = "(key) => document.querySelector('explorer-figure').model.get(key)"
    assert page.evaluate(state, "step") == 4 and page.evaluate(state, "part") == "extractor"
    assert "Click 5, extractor GRU" in here.locator("svg .title").inner_html()


def test_every_part_is_drawn_for_every_length(open_page):
    page, figure = open_page(page_of([live.ExplorerFigure()])), live.ExplorerFigure()
    for length in (0, 1, 2, 50):
        values = {"history": [1 + 5 * n % 144 for n in range(length)], "step": max(0, length - 1)}
        for part in ("embedding", "extractor", "attention", "evolution", "head"):
            set_values(page, figure, values | {"part": part})
            marks = box(page, figure).locator(".picture").inner_html()
            assert "NaN" not in marks and "undefined" not in marks and len(marks) > 1000


def test_the_answer_before_the_last_change_is_kept(open_page):
    page, figure = open_page(page_of([live.ExplorerFigure()])), live.ExplorerFigure()
    first = shown(page, figure)[0]
    assert "before" not in first
    page.locator(".clicks [role=option]").first.focus()
    page.keyboard.press("Delete")
    chance = first.split("gives a click ")[1].split(";")[0]
    assert f"before the last change {chance}" in shown(page, figure)[0]


def test_a_title_that_is_a_script_stays_text(open_page, monkeypatch, tmp_path):
    """Whatever stands in a catalogue or is typed, nothing of it runs and nothing of it is lost."""
    run = "document.title='run'"
    evil = f'<script>{run}</script><img src=x onerror="{run}"> (simple)'
    content = json.loads((FOLDER / "network.json").read_text("utf8"))
    for row in content["items"][1:4]:
        row[0] = evil
    for path in FOLDER.glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "network.json").write_text(json.dumps(content), "utf8")
    monkeypatch.setattr(bundle, "HERE", tmp_path)
    figures = [live.ExplorerFigure(history=[1, 2, 3], target=1)]
    clicks = [[evil, "photography"], *live.GatesFigure().clicks[1:]]
    figures += [live.GatesFigure(clicks=clicks), live.EvolutionFigure(clicks=clicks)]
    page = open_page(page_of(figures))
    say = shown(page, figures[0])[0]
    assert evil in say
    field = field_of(page, "Add a click")
    field.click()
    page.keyboard.type("<script")
    assert page.locator(".picker ul:visible li").first.inner_text().startswith("<script>")
    page.keyboard.press("Enter")
    assert len(history(page)) == 4
    page.keyboard.press("Escape")
    for figure in figures[1:]:
        set_values(page, figure, {"step": 0})
        assert evil in shown(page, figure)[0]
    assert page.title() == "Figures"
    assert page.locator("main script, main img").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_no_barrier_while_composing(theme, viewport, open_page):
    """Default and guided states are looked at with all the other figures."""
    figure = live.ExplorerFigure()
    page = open_page(page_of([figure], theme=theme), viewport, color_scheme=theme)
    field_of(page, "Add a click").click()
    page.keyboard.press("ArrowDown")
    assert violations(page, "main") == []
    page.keyboard.type("no such thing")
    assert violations(page, "main") == []
    page.keyboard.press("Escape")
    for length, part in ((50, "head"), (1, "embedding"), (50, "attention"), (0, "extractor")):
        values = {"history": [1 + 5 * n % 144 for n in range(length)], "part": part}
        set_values(page, figure, values | {"before": figure.values | values})
        assert violations(page, "main") == [], (length, part)
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


# The index page


def test_the_index_page_shows_the_figure_as_python_writes_it():
    book = FOLDER.parent.parent.parent / "book"
    stored = (book / "images" / "glance.html").read_text("utf8")
    assert stored == live.GlanceFigure().html() + "\n", "run: python -m studies.explorer --glance"
    assert "images/glance.html" in (book / "index.md").read_text("utf8")


def test_the_random_states_of_the_tests_are_states():
    rng = np.random.default_rng(5)
    lengths = {len(random_explorer(rng)["history"]) for _ in range(300)}
    assert min(lengths) == 0 and max(lengths) == network.LONGEST
