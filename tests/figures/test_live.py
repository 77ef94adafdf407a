"""Live figures without a browser: what a notebook stores, with and without anywidget."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import types
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from scipy import stats
from test_style import contrast

from dien_edu import models, reference
from dien_edu.data.example import example_inputs
from dien_edu.figures import INTERESTS, MODELS, QUANTITIES, live
from dien_edu.figures.live import base, bundle, network

CLASSES = [getattr(live, name) for name in dir(live) if name.endswith("Figure")]
FOLDER = Path(bundle.__file__).parent
COLOURS = dict(
    re.findall(r"--(\w+): light-dark\((#\w{6}, #\w{6})\)", (FOLDER / "live.css").read_text("utf8"))
)
every = pytest.mark.parametrize("figure_class", CLASSES, ids=lambda c: c.__name__)


def stored(figure) -> dict[str, str]:
    """What a notebook keeps of a figure: `_ext/execute.py` drops the widget's own entry."""
    data, _ = DisplayFormatter().format(figure)
    return {kind: text for kind, text in data.items() if "widget" not in kind}


def random_explorer(rng) -> dict:
    """Values of the explorer: any history of at most 50 clicks, any target, any evolution."""

    def anything():
        history = rng.integers(1, 145, rng.integers(0, network.LONGEST + 1)).tolist()
        evolution = str(rng.choice(["aigru", "agru", "augru"]))
        return {"history": history, "target": int(rng.integers(1, 145)), "evolution": evolution}

    now = anything()
    parts = ["embedding", "extractor", "attention", "evolution", "head"]
    look = {"step": int(rng.integers(max(1, len(now["history"])))), "part": str(rng.choice(parts))}
    return now | look | {"before": anything() if rng.integers(2) else {}}


class Outline(HTMLParser):
    """The tags of a text, and the state in its first one."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.state = [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.state = self.state or dict(attributes).get("state")


@every
def test_the_stored_output_has_a_picture_a_table_and_no_script(figure_class):
    figure = figure_class()
    html = stored(figure)["text/html"]
    outline = Outline(html)
    assert outline.tags[0] == f"{figure.name}-figure"
    assert {"figure", "svg", "table", "figcaption"} <= set(outline.tags)
    assert not {"script", "style", "link", "iframe"} & set(outline.tags)
    assert json.loads(outline.state) == figure.values
    assert len(html) < 8000


@every
def test_the_stored_output_is_the_same_in_every_run_and_names_no_address(figure_class):
    first, second = stored(figure_class()), stored(figure_class())
    assert first == second
    assert first["text/plain"] == f"{figure_class.__name__}()"
    assert not re.search(r"0x[0-9a-f]{4,}|model_id", json.dumps(first))


@every
def test_a_kernel_gets_the_widget_with_its_module(figure_class):
    figure = figure_class()
    data, _ = figure._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert figure._esm.rstrip().endswith("};") and "export default" in figure._esm
    assert figure._ipython_display_ is None
    assert all(figure.trait_metadata(name, "sync") for name in figure.names())


@every
def test_colab_gets_no_html_that_it_would_prefer_to_the_widget(figure_class, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", object())
    assert "text/html" not in stored(figure_class())


@every
def test_colab_is_told_where_its_manager_of_widgets_is(figure_class, monkeypatch):
    """As in Colab: a module that anywidget asks for the address, once it has switched it on."""
    output = types.ModuleType("google.colab.output")
    output._widgets = types.SimpleNamespace(_installed_url=None)
    address = {"_installed_url": "https://example.org/manager.js"}
    output.enable_custom_widget_manager = lambda: output._widgets.__dict__.update(address)
    output.enable_custom_widget_manager()
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setitem(sys.modules, "google.colab.output", output)
    _, metadata = figure_class()._repr_mimebundle_()
    view = metadata["application/vnd.jupyter.widget-view+json"]
    assert view["colab"]["custom_widget_manager"]["url"] == address["_installed_url"]


@every
def test_an_unknown_value_is_refused(figure_class):
    with pytest.raises(TypeError, match="colour"):
        figure_class(colour=1)


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="agr"):
        live.EvolutionFigure(rules=("agr",))


def test_without_anywidget_a_figure_is_a_picture_and_a_table():
    program = """
import sys
sys.modules["anywidget"] = sys.modules["traitlets"] = sys.modules["ipywidgets"] = None
from dien_edu.figures import live
for name in sorted(dir(live)):
    if name.endswith("Figure"):
        figure, other = getattr(live, name)(), getattr(live, name)()
        data, _ = figure._repr_mimebundle_()
        assert set(data) == {"text/plain", "text/html"}, data
        for key, value in figure.values.items():
            assert not isinstance(value, list) or value is not getattr(other, key)
        print(data["text/html"])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, encoding="utf8", check=True
    )
    expected = [stored(c())["text/html"] for c in sorted(CLASSES, key=lambda c: c.__name__)]
    assert done.stdout.splitlines() == expected


# The default states are those of the chapters


def test_the_gates_are_those_of_the_hand_calculation():
    states = live.GatesFigure().steps()[:, 3]
    assert np.allclose(states[:3], [0.6708, 0.8678, 0.7202], atol=5e-5)  # chapter 03
    weights = [np.array(w) for w in base.HAND_WEIGHTS.values()]
    expected = reference.gru(example_inputs(), *weights, np.zeros(3))[:, 0]
    assert np.allclose(states, expected, rtol=0, atol=1e-15)


def test_a_rule_writes_the_share_that_explains_its_states():
    figure = live.EvolutionFigure(rules=list(live.evolution.RULES))
    weights = [np.array(w) for w in (figure.weight_input, figure.weight_hidden, figure.bias)]
    for rule in figure.rules:
        before = np.zeros(1)
        for t, (share, state) in enumerate(figure.track(rule)):
            scale = figure.weights()[t] if rule == "aigru" else 1.0
            _, _, candidate = reference.gru_gates(scale * example_inputs()[t], before, *weights)
            assert np.isclose((1 - share) * before[0] + share * candidate[0], state, atol=1e-12)
            before = np.array([state])


def test_the_budget_tends_to_its_limit():
    for concentration in (0.0, 0.3, 1.0):
        figure = live.BudgetFigure(concentration=concentration, update_gate=0.7)
        assert np.isclose(figure.written(100_000), figure.limit(0.7), atol=1e-5)
    assert np.isclose(live.BudgetFigure().limit(1.0), 1 - np.exp(-1))
    assert live.BudgetFigure(concentration=1.0).written() == pytest.approx(0.5)


def test_the_auxiliary_loss_is_the_sum_of_what_the_figure_shows():
    figure = live.AuxiliaryFigure()
    click, *others = figure.terms()
    assert np.isclose(figure.loss(), click + np.mean(others))
    assert np.isclose(live.AuxiliaryFigure(x=0.0, y=0.0).loss(), np.log(4))


def test_padding_takes_part_only_without_the_mask():
    assert live.AttentionFigure().attention()[8:].sum() == 0
    for masked in (True, False):
        figure = live.AttentionFigure(masked=masked, angle=-135.0)
        assert np.isclose(figure.attention().sum(), 1)
    assert figure.attention()[8:].sum() > 0.5


def test_a_ranking_is_scored_by_the_package():
    scores = live.RankingFigure().scores()
    assert scores["auc"] == pytest.approx(11 / 15)
    assert scores["gauc"] == pytest.approx((3 / 4 + 2 / 3) / 2)


def test_curves_stop_where_the_first_seed_stops():
    figure = live.LearningCurvesFigure(curves={"α = 0": [[0.5, 0.6, 0.7], [0.7, 0.8]]})
    assert figure.summary() == {
        "α = 0": [(pytest.approx(0.6), pytest.approx(0.02**0.5))] * 1
        + [(pytest.approx(0.7), pytest.approx(0.02**0.5))]
    }


def test_the_guess_starts_from_the_papers_order():
    assert live.GuessFigure().order == list(models.MODELS)


def test_a_guess_shows_no_number_before_it_is_asked_to():
    for data in live.GuessFigure().scores:
        text = re.sub(r"state='.*?'", "", live.GuessFigure(data=data).html(), count=1)
        assert re.search(r"0\.\d{3}", text) is None, data
        assert re.search(r"0\.\d{3}", live.GuessFigure(data=data, shown=True).html())


def test_an_interval_is_that_of_student():
    assert sorted(live.guess.STUDENT) == list(range(3, 11))
    for seeds, factor in live.guess.STUDENT.items():
        assert factor == pytest.approx(stats.t.ppf(0.975, seeds - 1), abs=5e-4)
    found = live.guess.paired([0.80, 0.84, 0.82], [0.81, 0.86, 0.83])
    assert found["lead"] == pytest.approx(0.0133, abs=5e-5)
    assert found["half"] == pytest.approx(0.0143, abs=5e-5)
    assert not found["decided"]  # three seeds that all agree
    assert live.guess.paired([0.80, 0.84], [0.81, 0.85])["half"] is None


def test_pairs_are_counted_in_the_readers_order():
    by_seed = {model: [n / 10, n / 10 + 0.001, n / 10] for n, model in enumerate(MODELS)}
    by_seed["din"] = by_seed["base"]  # a tie: right either way, and never decided
    order = list(MODELS)
    figure = live.GuessFigure(scores={"movielens-100k": by_seed}, order=order[::-1], shown=True)
    assert [pair["right"] for pair in figure.pairs()].count(True) == 1
    assert "1 of 21 pairs stand" in figure.say() and "the 20 pairs" in figure.say()
    figure.order = order
    assert "21 of 21 pairs stand" in figure.say() and "20 stand right" in figure.say()


def test_rounding_what_was_recorded_changes_no_verdict():
    for data, rounded in live.GuessFigure().scores.items():
        runs = json.loads((live.guess.RESULTS / f"{data}.json").read_text("utf8"))["runs"]
        auc = {(run["model"], run["seed"]): run["test"]["auc"] for run in runs}
        count = len(rounded["base"])
        seeds = sorted({seed for _, seed in auc})[:count]
        exact = {model: [auc[model, seed] for seed in seeds] for model in MODELS}
        found = [live.guess.pairs_of(list(MODELS), scores) for scores in (rounded, exact)]
        verdicts = [[(pair["right"], pair["decided"]) for pair in pairs] for pairs in found]
        assert verdicts[0] == verdicts[1], data


def test_only_seeds_that_every_model_has_are_compared():
    runs = [
        {"model": model, "seed": seed, "test": {"auc": 0.5 + seed / 100}}
        for seed in (2, 0, 1)
        for model in MODELS
    ]
    assert set(map(tuple, live.guess.scores_of(runs[:-1]).values())) == {(0.5, 0.52)}
    assert set(map(tuple, live.guess.scores_of([]).values())) == {()}


def test_a_guess_about_nothing_is_refused(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="each of"):
        live.GuessFigure(order=["din", "base"])
    with pytest.raises(ValueError, match="books"):
        live.GuessFigure(data="books")
    uneven = {model: [0.5] * (1 + (model == "din")) for model in MODELS}
    with pytest.raises(ValueError, match="same seeds"):
        live.GuessFigure(scores={"movielens-100k": uneven})
    monkeypatch.setattr(live.guess, "RESULTS", tmp_path)
    with pytest.raises(ValueError, match="nothing is recorded"):
        live.GuessFigure()


# The look


def test_the_colours_are_those_of_the_static_figures():
    drawn = QUANTITIES | MODELS
    own = "update_gate reset_gate candidate attention evolved base aigru agru"
    for name in own.split():
        assert COLOURS[name].split(", ")[0] == drawn[name]["color"], name
    assert COLOURS["ink"].split(", ")[0] == MODELS["dien"]["color"]
    assert MODELS["din"]["color"] == QUANTITIES["update_gate"]["color"]
    assert MODELS["gru-attention"]["color"] == QUANTITIES["candidate"]["color"]
    assert MODELS["augru"]["color"] == QUANTITIES["evolved"]["color"]
    assert INTERESTS["photography"]["color"] == QUANTITIES["update_gate"]["color"]
    assert INTERESTS["cooking"]["color"] == QUANTITIES["reset_gate"]["color"]


def test_the_markers_are_those_of_the_static_figures():
    kit = (FOLDER / "kit.js").read_text("utf8")
    found = dict(re.findall(r"^  (\w+): \{ dash: \"[\d ]*\", marker: \"(.)\" \}", kit, re.M))
    drawn = {k.replace("-", "_"): v for k, v in (QUANTITIES | MODELS | INTERESTS).items()}
    for name in set(found) - {"gru", "official"}:
        assert found[name] == drawn[name]["marker"], name


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_colour_can_be_read_on_the_ground_of_its_theme(theme):
    grounds = [COLOURS[name].split(", ")[theme] for name in ("ground", "band")]
    for name in set(COLOURS) - {"ground", "band", "edge", "grid"}:
        for ground in grounds:
            assert contrast(COLOURS[name].split(", ")[theme], ground) >= 4.5, (name, ground)


def test_no_module_can_close_the_script_that_it_is_inlined_into(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "HERE", tmp_path)
    (tmp_path / "bad.js").write_text("const a = '</Script>';", "utf8")
    with pytest.raises(ValueError, match="bad"):
        bundle.source("bad")
