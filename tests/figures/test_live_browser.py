"""Live figures in Chromium: the same numbers as Python, for the keyboard, and for every reader."""

from __future__ import annotations

import base64
import inspect
import json
import re

import numpy as np
import pytest
import torch
from test_live import CLASSES, FOLDER, every, random_explorer

from dien_edu import reference
from dien_edu.figures import live
from dien_edu.figures.live import bundle
from dien_edu.layers import AuxiliaryLoss
from dien_edu.models.base import Dice
from dien_edu.training import metrics

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
IN_THE_BOOK = PHONE | {"width": 358}  # the margins of a book's page on a phone come on top
SAMPLES = 20

# The page: every figure in its default state, as a built page has them


def page_of(figures, *, theme="light") -> str:
    """A page with these figures and nothing else."""
    parts = "".join(figure.html() for figure in figures)
    names = sorted({figure.name for figure in figures})
    return (
        f"<!doctype html><html lang='en' data-theme='{theme}'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'><title>Figures</title>"
        f"<main><h1>Figures</h1>{parts}</main>"
        f"<script type='module'>{bundle.bundle(*names)}</script>"
    )


def box(page, figure):
    return page.locator(f"{figure.name}-figure .live")


def shown(page, figure) -> tuple[str, list[list[str]]]:
    """The sentence and the table that the page shows."""
    return page.evaluate(
        """(name) => {
          const root = document.querySelector(`${name}-figure`);
          const details = root.querySelector("details");
          details.open = true;
          return new Promise((done) => setTimeout(() => done([
            root.querySelector(".live-say").textContent,
            [...root.querySelectorAll("tr")].map((row) => [...row.cells].map((c) => c.textContent)),
          ])));
        }""",
        figure.name,
    )


def mover(here):
    """What moves most: the first slider, or else the first row; with its keys, forth and back."""
    slider = here.locator("input[type=range]:visible")
    if not slider.count():
        return here.locator(".ranking button").nth(1), "ArrowDown", "ArrowUp"
    at_end = slider.first.input_value() == slider.first.get_attribute("max")
    return slider.first, *(("ArrowLeft", "ArrowRight") if at_end else ("ArrowRight", "ArrowLeft"))


def set_values(page, figure, values):
    page.evaluate(
        """([name, values]) => {
          const { model } = document.querySelector(`${name}-figure`);
          for (const [key, value] of Object.entries(values)) model.set(key, value);
        }""",
        [figure.name, values],
    )


# The mathematics: each function that computes has a twin in Python


def weights(rng, n_input, n_hidden):
    shapes = (3 * n_hidden, n_input), (3 * n_hidden, n_hidden), (3 * n_hidden,)
    return [rng.normal(size=shape) for shape in shapes]


def for_page(arrays):
    names = ("weightInput", "weightHidden", "bias")
    return {name: array.tolist() for name, array in zip(names, arrays, strict=True)}


def calls(rng) -> list[tuple[str, list, object]]:
    """(function, arguments, what Python finds) on one random input for each function."""
    n_input, n_hidden, steps = rng.integers(1, 5, 3)
    arrays = weights(rng, n_input, n_hidden)
    x, h = rng.normal(size=n_input), rng.normal(size=n_hidden)
    inputs, attention = rng.normal(size=(steps, n_input)), rng.random(steps)
    z, gates = rng.normal(0, 30), rng.random(steps)
    interests, target = rng.normal(size=(steps, n_hidden)), rng.normal(size=n_input)
    matrix = rng.normal(size=(n_hidden, n_input))
    click, others = rng.normal(size=n_hidden), rng.normal(size=(steps, n_hidden))
    users, labels = np.repeat([0, 1], 4), np.r_[1, 0, rng.integers(0, 2, 6)]
    scores = rng.integers(-3, 4, 8) / 2  # with ties
    update, concentration = rng.random(2)
    budget = live.BudgetFigure(
        steps=int(steps), update_gate=float(update), concentration=float(concentration)
    )
    seeds = [rng.random(rng.integers(2, 6)).tolist() for _ in range(3)]
    curves = live.LearningCurvesFigure(curves={"a": seeds}).summary()["a"]
    u, r, candidate = reference.gru_gates(x, h, *arrays)
    table = {key: rng.normal(size=n_input).tolist() for key in ("mean", "slope")}
    table["variance"] = rng.random(n_input).tolist()
    bits = int(rng.integers(2**16))
    if bits >> 10 & 31 == 31:  # infinite or no number: no weight is
        bits ^= 1 << 14
    models = [f"model {n}" for n in range(4)]
    shape = 4, rng.integers(1, 12)
    by_seed = dict(zip(models, rng.normal(0, 0.02, shape).round(2).tolist(), strict=True))
    found = [
        ("sigmoid", [z], reference.sigmoid(z)),
        ("logSigmoid", [z], reference.log_sigmoid(z)),
        ("dot", [x.tolist(), target.tolist()], x @ target),
        ("affine", [matrix.tolist(), x.tolist(), h.tolist()], matrix @ x + h),
        ("sum", [inputs.tolist(), int(n_input)], inputs.sum(axis=0)),
        ("sum", [[], int(n_input)], np.zeros(n_input)),
        ("dice", [x.tolist(), table], dice(x, **table)),
        ("half", [bits], np.array(bits, "<u2").view("<f2")),
        ("product", [matrix.tolist(), x.tolist()], matrix @ x),
        (
            "gruGates",
            [x.tolist(), h.tolist(), for_page(arrays)],
            {"update": u, "reset": r, "candidate": candidate},
        ),
        (
            "memory",
            [gates.tolist()],
            [g * np.prod(1 - gates[t + 1 :]) for t, g in enumerate(gates)],
        ),
        ("kept", [attention.tolist(), update], np.prod(1 - attention * update)),
        ("mixedAttention", [int(steps), concentration], budget.attention()),
        ("budgetLimit", [update, concentration], budget.limit(update)),
        ("softmax", [interests[:, 0].tolist()], softmax(interests[:, 0])),
        (
            "attentionScores",
            [interests.tolist(), target.tolist(), matrix.tolist()],
            interests @ matrix @ target,
        ),
        ("auxiliaryTerms", [h.tolist(), click.tolist(), others.tolist()], terms(h, click, others)),
        ("auxiliaryPulls", [h.tolist(), click.tolist(), others.tolist()], pulls(h, click, others)),
        ("auc", [labels.tolist(), scores.tolist()], metrics.auc(labels, scores)),
        ("gauc", [users.tolist(), labels.tolist(), scores.tolist()], gauc(users, labels, scores)),
        ("logLoss", [labels.tolist(), scores.tolist()], metrics.log_loss(labels, scores)),
        ("meanAndSpread", [seeds], [{"mean": m, "spread": s} for m, s in curves]),
        ("paired", [*by_seed.values()][:2], live.guess.paired(*[*by_seed.values()][:2])),
        ("pairsOf", [models, by_seed], live.guess.pairs_of(models, by_seed)),
    ]
    for rule in live.evolution.RULES:
        found.append(("recurrence", recurrence(rule, inputs, attention, arrays, h), None))
    return found


def dice(x, **table):
    layer = Dice(len(x)).double().eval()
    layer.load_state_dict({key: torch.from_numpy(np.array(v)) for key, v in table.items()})
    return layer(torch.from_numpy(x)).detach().numpy()


def softmax(scores):
    return reference.attention_weights(scores[:, None], np.ones(1), np.ones((1, 1)))


def gauc(users, labels, scores):
    found = metrics.gauc(users, labels, scores)
    return None if np.isnan(found) else found  # JSON has no NaN


def recurrence(rule, inputs, attention, arrays, state):
    return [rule, inputs.tolist(), attention.tolist(), for_page(arrays), state.tolist()]


def states(rule, inputs, attention, arrays, state):
    """What `dien_edu.reference` says about the same recurrence."""
    arrays = [np.array(arrays[key]) for key in ("weightInput", "weightHidden", "bias")]
    if rule == "gru":
        return reference.gru(np.array(inputs), *arrays, np.array(state))
    function = getattr(reference, {"official": "official_augru"}.get(rule, rule))
    return function(np.array(inputs), np.array(attention), *arrays, np.array(state))


def terms(h, click, others):
    return {
        "click": -reference.log_sigmoid(h @ click),
        "others": [-reference.log_sigmoid(-(h @ other)) for other in others],
    }


def pulls(h, click, others):
    """Minus the gradient of the layer's own loss: all of it, and the part of the click."""
    state = torch.tensor(h, requires_grad=True)
    count = len(others)

    def tensor(rows):
        return torch.as_tensor(np.vstack([np.zeros_like(h), rows]))[None]

    loss = AuxiliaryLoss("inner")(
        state.expand(1, count + 1, -1),
        tensor(np.tile(click, (count, 1))),
        tensor(others),
        torch.ones(1, count + 1, dtype=torch.bool),
    )
    (gradient,) = torch.autograd.grad(loss, state)
    return {"click": reference.sigmoid(-h @ click) * click, "all": -gradient.numpy()}


def numbers(found) -> np.ndarray:
    """Every number of a nested value, in order."""
    if isinstance(found, dict):
        return np.concatenate([numbers(found[key]) for key in sorted(found)])
    if isinstance(found, list):
        return np.concatenate([numbers(part) for part in found] or [np.zeros(0)])
    return np.ravel(np.asarray(np.nan if found is None else found, float))


def test_every_function_that_computes_equals_its_twin(open_page):
    page = open_page("<!doctype html><title>maths</title>")
    page.add_script_tag(content=bundle.source("maths"))
    rng = np.random.default_rng(0)
    wanted = [call for _ in range(SAMPLES) for call in calls(rng)]
    found = page.evaluate(
        "(calls) => calls.map(([name, inputs]) => eval(name)(...inputs))",
        [[name, inputs] for name, inputs, _ in wanted],
    )
    for (name, inputs, expected), value in zip(wanted, found, strict=True):
        if name == "recurrence":
            expected, value = states(*inputs), [step["state"] for step in value]
        elif name == "auxiliaryPulls":
            value["all"] = np.add(value["click"], np.sum(value.pop("others"), axis=0))
        if isinstance(value, float) and np.isnan(value):
            value = None
        np.testing.assert_allclose(
            numbers(value), numbers(expected), rtol=1e-12, atol=1e-12, err_msg=name
        )


def test_no_function_is_without_a_twin():
    text = (FOLDER / "maths.js").read_text("utf8")
    exported = set(re.findall(r"^export (?:const|function) (\w+)", text, re.M))
    tested = {name for name, _, _ in calls(np.random.default_rng(0))}
    assert exported - {"range", "RULES"} == tested
    rules = re.findall(r"^  (\w+): \{ scale", text, re.M)
    assert rules == list(live.evolution.RULES)


# The figures: what the page shows is what Python says


def random_scores(rng) -> dict:
    """Test AUC on any number of seeds: what was recorded, or anything, with ties."""
    recorded = live.GuessFigure().scores
    if rng.integers(2):
        return recorded
    made = {}
    for data in recorded:
        shape = 7, rng.integers(1, 7)
        numbers = rng.normal(0.8, 0.01, shape).round(2).tolist()
        made[data] = dict(zip(recorded[data], numbers, strict=True))
    return made


MOVES = {
    "explorer": random_explorer,
    "glance": lambda rng: {
        "known": int(rng.integers(9)),
        "shown": str(rng.choice(["printer", "mixer", "telescope"])),
    },
    "gates": lambda rng: {
        "update_bias": round(rng.uniform(-6, 6), 1),
        "reset_bias": round(rng.uniform(-6, 6), 1),
        "start": round(rng.uniform(-1, 1), 2),
        "step": int(rng.integers(8)),
    },
    "evolution": lambda rng: {
        "mode": str(rng.choice(["softmax", "free"])),
        "scores": rng.normal(size=8).round(1).tolist(),
        "attention": rng.random(8).round(2).tolist(),
        "concentration": round(rng.uniform(0, 8), 1),
        "step": int(rng.integers(8)),
    },
    "attention": lambda rng: {
        "angle": int(rng.integers(-180, 181)),
        "length": round(rng.uniform(0, 6), 1),
        "masked": bool(rng.integers(2)),
        "step": int(rng.integers(8)),
    },
    "auxiliary": lambda rng: {k: round(rng.uniform(-2.5, 2.5), 1) for k in "xy"},
    "ranking": lambda rng: {
        "rows": [live.RankingFigure().rows[i] for i in rng.permutation(8)],
        "confidence": round(rng.uniform(0, 4), 1),
    },
    "guess": lambda rng: {
        "order": rng.permutation(live.GuessFigure().order).tolist(),
        "data": str(rng.choice(list(live.guess.TITLES))),
        "shown": bool(rng.integers(2)),
        "scores": random_scores(rng),
    },
    "budget": lambda rng: {
        "steps": int(rng.integers(1, 65)),
        "update_gate": round(rng.random(), 2),
        "concentration": round(rng.random(), 2),
    },
    "curves": lambda rng: {
        "curves": {f"α = {a}": rng.random((3, rng.integers(2, 7))).tolist() for a in range(3)},
        "epoch": int(rng.integers(2)),
        "higher": bool(rng.integers(2)),
    },
}


@every
def test_the_page_shows_what_python_says(figure_class, open_page):
    figure, rng = figure_class(), np.random.default_rng(1)
    page = open_page(page_of([figure]))
    for n in range(SAMPLES):
        values = MOVES[figure.name](rng) if n else {}  # first the default state
        set_values(page, figure, values)
        say, rows = shown(page, figure)
        now = figure_class(**(figure.values | values))
        assert say == now.say()
        assert rows == [row for head, body in now.tables() for row in (head, *body)]


@every
def test_the_fallback_is_replaced_only_by_a_script(figure_class, open_page):
    figure = figure_class()
    page = open_page(page_of([figure]), java_script_enabled=False)
    fallback = page.locator(f"{figure.name}-figure")
    assert figure.say() in fallback.inner_text()
    assert fallback.locator("svg").bounding_box()["width"] > 250
    assert fallback.locator("td").count() >= 16


@every
def test_the_picture_moves_with_the_numbers(figure_class, open_page):
    """Its geometry, not its pixels: fonts differ between machines."""
    figure, rng = figure_class(), np.random.default_rng(2)
    page = open_page(page_of([figure]))
    picture = box(page, figure).locator(".picture")
    before = picture.inner_html()
    assert "NaN" not in before and "undefined" not in before and "Infinity" not in before
    set_values(page, figure, MOVES[figure.name](rng))
    moved = picture.inner_html()
    assert moved != before and "NaN" not in moved and "undefined" not in moved
    set_values(page, figure, figure.values)
    assert picture.inner_html() == before


def test_a_line_stands_where_its_numbers_are(open_page):
    figure = live.GatesFigure()
    page = open_page(page_of([figure]))
    paths = box(page, figure).locator(".picture [data-series] .line")
    drawn = [
        re.findall(r"[ML]([\d.-]+) ([\d.-]+)", d)
        for d in (paths.nth(i).get_attribute("d") for i in range(paths.count()))
    ]
    heights = {
        name: [float(y) for _, y in line][-8:]
        for name, line in zip(
            ("update_gate", "reset_gate", "candidate", "interest"), drawn, strict=True
        )
    }
    for n, series in enumerate(heights.values()):
        slope, offset = np.polyfit(figure.steps()[:, n], series, 1)
        assert np.allclose(slope * figure.steps()[:, n] + offset, series, atol=0.06)  # pixels
        assert slope < 0 and np.isclose(slope, -93, atol=25)


# The keyboard, and those who listen


@every
def test_every_control_works_with_the_keyboard(figure_class, open_page):
    figure = figure_class()
    page = open_page(page_of([figure]))
    here, moved = box(page, figure), 0
    for control in here.locator("input").all():
        if not control.is_visible():
            continue
        kind, before = (
            control.get_attribute("type"),
            control.evaluate("(c) => [c.value, c.checked]"),
        )
        if kind == "radio" and before[1]:
            continue
        seen = here.inner_html()
        control.focus()
        at_end = before[0] == control.get_attribute("max")
        page.keyboard.press({"range": "ArrowLeft" if at_end else "ArrowRight"}.get(kind, "Space"))
        assert control.evaluate("(c) => [c.value, c.checked]") != before
        assert here.inner_html() != seen
        assert page.evaluate("document.activeElement.id") == control.get_attribute("id")
        moved += 1
    assert moved >= 1
    page.keyboard.press("t")
    here.locator("td").first.wait_for(timeout=1000)
    assert here.locator("td").count() >= 16


@every
def test_tab_leads_through_a_figure_and_out_of_it_in_sight(figure_class, open_page):
    figure = figure_class()
    page = open_page(page_of([figure]))
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    stops = []
    while len(stops) < 60:
        page.keyboard.press("Tab")
        stop = page.evaluate(
            """() => {
              const at = document.activeElement, look = getComputedStyle(at);
              const { top, bottom } = at.getBoundingClientRect();
              return at.closest(".live") && {
                words: (at.textContent || at.id).slice(0, 30),
                sight: bottom > 0 && top < innerHeight,
                outline: look.outlineStyle === "solid" && parseFloat(look.outlineWidth) >= 2,
              };
            }"""
        )
        if stop is None:
            break
        stops.append(stop)
    assert 4 <= len(stops) < 60, "it lets the reader go on"
    assert all(stop["sight"] and stop["outline"] for stop in stops), stops


@every
def test_each_guided_step_leads_where_it_says(figure_class, open_page):
    figure = figure_class()
    page = open_page(page_of([figure]))
    here = box(page, figure)
    steps = here.locator(".live-tries li")
    assert 2 <= steps.count() <= 3
    for step in steps.all():
        see = step.locator(".live-see")
        assert not see.is_visible()
        step.locator("button").focus()
        page.keyboard.press("Enter")
        see.wait_for(timeout=1000)
        assert len(see.inner_text()) > 20
        assert "done" in step.inner_text()
    page.get_by_role("button", name="Start again").press("Enter")
    page.wait_for_function(
        "(name) => !document.querySelector(`${name}-figure .live-see:not([hidden])`)",
        arg=figure.name,
    )
    assert shown(page, figure)[0] == figure.say()


@every
def test_a_result_is_spoken_once_and_no_tick_is(figure_class, open_page):
    figure = figure_class()
    page = open_page(page_of([figure]))
    here = box(page, figure)
    spoken = here.locator("output")
    assert spoken.get_attribute("aria-live") == "polite" and spoken.inner_text() == ""
    page.evaluate(
        """(name) => {
          window.said = [];
          const output = document.querySelector(`${name}-figure output`);
          const watch = new MutationObserver(() => said.push(output.textContent));
          watch.observe(output, { childList: true });
        }""",
        figure.name,
    )
    control, forth, _ = mover(here)
    control.focus()
    for _ in range(4):
        page.keyboard.press(forth)
    page.wait_for_timeout(700)
    steps = here.locator(".live-see:visible").all_inner_texts()  # a guided step met on the way
    assert page.evaluate("said") == [" ".join([here.locator(".live-say").inner_text(), *steps])]
    assert all(s.get_attribute("aria-valuetext") for s in here.locator("input[type=range]").all())


def test_a_row_moves_with_the_keyboard_and_keeps_the_focus(open_page):
    figure = live.RankingFigure()
    page = open_page(page_of([figure]))
    page.get_by_role("button", name="Move flash up").focus()
    for _ in range(3):
        page.keyboard.press("ArrowUp")
    assert box(page, figure).locator("li strong").first.inner_text() == "flash"
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Move flash up"
    page.keyboard.press("Enter")  # at the top already
    assert box(page, figure).locator("li strong").first.inner_text() == "flash"
    assert "13 of 15" in shown(page, figure)[0]


def test_a_row_can_be_dragged(open_page):
    figure = live.RankingFigure()
    page = open_page(page_of([figure]))
    grips = page.locator(".ranking-grip")
    page.mouse.move(*centre(grips.nth(3)))
    page.mouse.down()
    page.mouse.move(*centre(grips.nth(0)), steps=8)
    page.mouse.up()
    assert box(page, figure).locator("li strong").first.inner_text() == "flash"


def test_a_guess_is_moved_before_it_is_judged(open_page):
    """By keyboard and by dragging; no number is in the page before the reader asks for it."""
    figure = live.GuessFigure()
    page = open_page(page_of([figure]))
    here, rows = box(page, figure), page.locator(".ranking strong")
    page.get_by_role("button", name="Move dien up").focus()
    for _ in range(2):
        page.keyboard.press("ArrowUp")
    moved = ["base", "din", "gru-attention", "aigru", "dien", "agru", "augru"]
    assert rows.all_inner_texts() == moved
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Move dien up"
    grips = page.locator(".ranking-grip")
    page.mouse.move(*centre(grips.nth(3)))
    page.mouse.down()
    page.mouse.move(*centre(grips.nth(6)), steps=8)
    page.mouse.up()
    moved = ["base", "din", "gru-attention", "dien", "agru", "augru", "aigru"]
    assert rows.all_inner_texts() == moved
    for data in figure.scores:
        set_values(page, figure, {"data": data})
        shown(page, figure)  # with the table open
        assert re.search(r"0\.\d", here.inner_html()) is None
    here.get_by_label("show what was measured").check()
    assert shown(page, figure)[0] == live.GuessFigure(order=moved, data=data, shown=True).say()


def test_a_right_order_climbs_and_a_wrong_one_falls(open_page):
    figure = live.GuessFigure(shown=True)
    page = open_page(page_of([figure]))
    for data, scores in figure.scores.items():
        ranked = sorted(scores, key=lambda model: np.mean(scores[model]))
        for order, falls in ((ranked, 0), (ranked[::-1], 6)):
            set_values(page, figure, {"order": order, "data": data})
            page.wait_for_timeout(50)
            assert page.locator("[data-falls]").count() == falls
            marks = [page.locator(f"[data-model='{model}'] path") for model in order]
            assert [mark.count() for mark in marks] == [len(scores["base"]) + 1] * 7
            places = [mark.last.get_attribute("transform") for mark in marks]
            means = [float(re.search(r"[\d.]+", place)[0]) for place in places]
            assert means == sorted(means, reverse=falls > 0) and means[0] != means[6]


@pytest.mark.parametrize("name", ["AttentionFigure", "AuxiliaryFigure"])
def test_the_handle_can_be_dragged(name, open_page):
    figure = getattr(live, name)()
    page = open_page(page_of([figure]))
    x, y = centre(page.locator(".handle"))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 20, y - 40, steps=5)
    page.mouse.up()
    after = centre(page.locator(".handle"))
    assert np.allclose(after, (x - 20, y - 40), atol=4)
    assert shown(page, figure)[0] != figure.say()


def centre(locator):
    found = locator.bounding_box()
    return found["x"] + found["width"] / 2, found["y"] + found["height"] / 2


# A kernel: values go both ways


def test_a_guided_step_that_holds_from_the_start_is_not_given_away(open_page):
    page = open_page(page_of([live.EvolutionFigure(mode="free")]))
    see = page.locator(".live-see").first
    page.wait_for_timeout(100)
    assert not see.is_visible()
    page.locator(".live-tries button").first.click()
    see.wait_for(timeout=1000)


def test_a_guided_step_reads_the_gate_of_its_own_figure(open_page):
    half_open = {"weight_input": [[0.0, 0.0], [0.0, 0.0], [1.0, -1.0]], "bias": [0.0] * 3}
    for values, share in (({}, 12), (half_open | {"weight_hidden": [[0.0]] * 3}, 50)):
        page = open_page(page_of([live.EvolutionFigure(**values)]))
        page.locator(".live-tries button").nth(1).click()
        see = page.locator(".live-see").nth(1)
        see.wait_for(timeout=1000)
        assert f"its own gate writes {share}\u00a0%" in see.inner_text()
        assert f"AUGRU writes {share}\u00a0%" in page.locator(".live-say").inner_text()


@every
def test_the_widget_and_the_page_tell_each_other(figure_class, open_page):
    figure, rng = figure_class(), np.random.default_rng(3)
    page = open_page("<!doctype html><html lang='en'><title>kernel</title><div id='root'></div>")
    source = base64.b64encode(figure._esm.encode()).decode()
    page.evaluate(
        """async ([source, state]) => {
          const listeners = {};
          window.saved = 0;
          window.state = state;
          window.model = {
            get: (key) => window.state[key],
            set: (key, value) => {
              window.state[key] = value;
              (listeners[`change:${key}`] ?? []).forEach((call) => call());
            },
            on: (event, call) => (listeners[event] ??= []).push(call),
            save_changes: () => { window.saved += 1; },
          };
          const { default: widget } = await import(`data:text/javascript;base64,${source}`);
          window.stop = widget.render({ model, el: document.querySelector("#root") });
        }""",
        [source, figure.values],
    )
    say = page.locator(".live-say")
    assert say.inner_text() == figure.say()
    values = MOVES[figure.name](rng)
    page.evaluate("(v) => { for (const k in v) model.set(k, v[k]); }", values)
    moved = figure_class(**(figure.values | values))
    assert say.inner_text() == moved.say()
    control, forth, back = mover(page)
    control.focus()
    for key in (back, forth, forth):
        page.keyboard.press(key)
    assert page.evaluate("saved") >= 1
    back = figure_class(**page.evaluate("state"))  # what a kernel would get is a valid state
    assert say.inner_text() == back.say()
    page.evaluate("stop()")


# Every reader


def violations(page, selector) -> list[str]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe").Axe()
    found = axe.run(page, selector, {"resultTypes": ["violations"]}).response["violations"]
    return [f"{v['id']}: {n['target']} {n['failureSummary']}" for v in found for n in v["nodes"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_no_barrier_in_any_state(theme, viewport, open_page):
    figures = [figure_class() for figure_class in CLASSES]
    page = open_page(page_of(figures, theme=theme), viewport, color_scheme=theme)
    assert violations(page, "main") == []
    for button in page.locator(".live-tries button").all():
        button.click()
    for summary in page.locator("summary").all():
        summary.click()
    assert page.locator(".live-see:visible").count() == page.locator(".live-tries li").count()
    assert violations(page, "main") == []
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


@every
def test_nothing_of_a_picture_is_cut_off(figure_class, open_page):
    figure, rng = figure_class(), np.random.default_rng(4)
    for viewport in (WIDE, IN_THE_BOOK):
        page = open_page(page_of([figure]), viewport)
        for n in range(4):
            set_values(page, figure, MOVES[figure.name](rng) if n else {})
            over = page.evaluate(
                """(name) => {
                  const svg = document.querySelector(`${name}-figure svg`);
                  const frame = svg.getBoundingClientRect();
                  return [...svg.querySelectorAll("text")].filter((text) => {
                    const box = text.getBoundingClientRect();
                    return box.left < frame.left - 2 || box.right > frame.right + 2
                      || box.top < frame.top - 2 || box.bottom > frame.bottom + 2;
                  }).map((text) => text.textContent);
                }""",
                figure.name,
            )
            assert over == [], (viewport, n)


def test_the_keys_of_a_figure_stay_in_it(open_page):
    figure = live.GatesFigure()
    page = open_page(page_of([figure]))
    page.evaluate("() => { window.keys = 0; document.addEventListener('keydown', () => keys++); }")
    page.locator("input").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("keys") == 0  # JupyterLab would move to another cell


def test_motion_is_for_those_who_want_it(browser, tmp_path):
    figure = live.BudgetFigure()
    file = tmp_path / "page.html"
    file.write_text(page_of([figure]), encoding="utf8")
    for motion, between in (("reduce", False), ("no-preference", True)):
        page = browser.new_page(reduced_motion=motion)
        page.goto(file.as_uri())
        page.evaluate(
            """() => {
              window.seen = [];
              const { model } = document.querySelector("budget-figure");
              model.on("change:concentration", () => seen.push(model.get("concentration")));
            }"""
        )
        page.locator(".live-tries button").nth(1).click()
        page.wait_for_function("seen.at(-1) === 1")
        assert (page.evaluate("seen.length") > 2) == between
        page.close()


def test_every_figure_is_in_the_tests():
    assert {figure_class.name for figure_class in CLASSES} == set(MOVES) == set(bundle.figures())
    assert all(inspect.getdoc(figure_class) for figure_class in CLASSES)
    json.dumps([figure_class().values for figure_class in CLASSES])
