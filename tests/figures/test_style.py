"""The palette: readable on white, and never by colour alone."""

from __future__ import annotations

import matplotlib
import pytest
from matplotlib.colors import to_rgb

from dien_edu.figures import INTERESTS, MODELS, QUANTITIES, use_book_style
from dien_edu.models import MODELS as NETWORKS

PALETTES = {"quantities": QUANTITIES, "models": MODELS, "interests": INTERESTS}


def luminance(color) -> float:
    """Relative luminance, WCAG 2."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(color, ground) -> float:
    """WCAG 2: (lighter + 0.05) / (darker + 0.05)."""
    darker, lighter = sorted(map(luminance, (color, ground)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("name", PALETTES)
def test_every_colour_can_be_read_on_white(name):
    for key, look in PALETTES[name].items():
        assert contrast(look["color"], "white") >= 4.5, key


@pytest.mark.parametrize("name", PALETTES)
def test_nothing_is_told_by_colour_alone(name):
    shapes = [
        tuple(str(v) for k, v in sorted(look.items()) if k != "color")
        for look in PALETTES[name].values()
    ]
    assert len(set(shapes)) == len(shapes)
    markers = [look["marker"] for look in PALETTES[name].values()]
    assert len(set(markers)) == len(markers)


def test_every_model_has_a_look():
    assert set(MODELS) == set(NETWORKS)


def test_figures_stay_readable_on_a_phone():
    with matplotlib.rc_context():
        use_book_style()
        width = matplotlib.rcParams["figure.figsize"][0]
        assert matplotlib.rcParams["font.size"] * 350 / (72 * width) >= 8  # pixels at 350 wide
