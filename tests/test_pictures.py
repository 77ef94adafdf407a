"""The pictures that are drawn by a script: committed as drawn, and true about what they show."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pictures
import pytest

ROOT = Path(__file__).parent.parent
SVG = "{http://www.w3.org/2000/svg}"
LIT = {
    "embedding": {"embedding"},
    "extractor": {"extractor"},
    "auxiliary": {"auxiliary"},
    "attention": {"attention"},
    "evolution": {"evolution"},
    "head": {"head"},
    "pooling": {"embedding", "head"},
    "whole": {"embedding", "extractor", "auxiliary", "attention", "evolution", "head"},
}
NAMED = {  # the lit parts as title and description must call them
    "extractor": "interest extractor layer",
    "auxiliary": "auxiliary loss",
    "evolution": "interest evolving layer",
    "pooling": "embedding and head",
    "whole": "whole network",
}
# Where each cell may differ from a GRU, and which of these places is marked.
DIFFERS = {
    "aigru": ({"cell-name", "cell-input"}, "cell-input"),
    "agru": ({"cell-name", "cell-update", "cell-knob"}, "cell-update"),
    "augru": ({"cell-name", "cell-update", "cell-knob"}, "cell-update"),
}
PHONE = 358 / 560  # CSS pixels of an article on a phone, by the pixels that we draw in


def committed(name):
    return (ROOT / "book" / "images" / name).read_text(encoding="utf8")


def groups(text):
    """The `id`s of a picture's outer groups, each with its element."""
    return {g.get("id"): g for g in ElementTree.fromstring(text).findall(f"{SVG}g")}


def words(element):
    return " ".join("".join(element.itertext()).split())


def with_class(element, name):
    return [e for e in element.iter() if name in e.get("class", "").split()]


def test_the_committed_pictures_are_what_the_script_draws():
    drawn = pictures.pictures()
    folder = ROOT / "book" / "images"
    there = {path.name for kind in ("here-*", "*-cell") for path in folder.glob(f"{kind}.svg")}
    assert there == set(drawn)
    for name, text in drawn.items():
        assert committed(name) == text, f"{name}: run python _ext/pictures.py"


@pytest.mark.parametrize(
    "name",
    [f"here-{place}" for place in LIT] + [f"{kind}-cell" for kind in ("gru", *DIFFERS)],
)
def test_each_picture_tells_what_it_shows(name):
    root = ElementTree.fromstring(committed(f"{name}.svg"))
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    shown = name.removeprefix("here-").removesuffix("-cell")
    called = NAMED.get(shown, shown)
    assert called.lower() in words(title).lower()
    assert called.lower() in words(description).lower() or name.endswith("-cell")
    assert len(words(description)) > 200


@pytest.mark.parametrize("place", LIT)
def test_exactly_the_named_part_is_lit_and_not_by_colour_alone(place):
    text = committed(f"here-{place}.svg")
    parts = {
        k.removeprefix("part-"): g for k, g in groups(text).items() if "part" in g.get("class", "")
    }
    assert set(parts) == LIT["whole"]
    for part, group in parts.items():
        lit = part in LIT[place]
        (panel,) = with_class(group, "panel")
        assert ("lit" in group.get("class").split()) == lit
        assert float(panel.get("stroke-width")) == (4 if lit else 1)
        assert len(with_class(group, "band")) == lit  # the dark ground of its name
    style = re.sub(r"\s+", " ", text)
    assert "#here .lit .name { font-weight: 700 }" in style
    line = ElementTree.fromstring(text).find(f"{SVG}text")
    assert words(line) == f"You are here: {NAMED.get(place, place)}"


def test_only_the_light_moves():
    """Without outline, band and words, all pictures of the network are one."""
    seen = set()
    for place in LIT:
        root = ElementTree.fromstring(committed(f"here-{place}.svg"))
        for child in ("title", "desc", "text"):
            root.remove(root.find(f"{SVG}{child}"))
        for part in with_class(root, "part"):
            part.set("class", "part")
            for band in with_class(part, "band"):
                part.remove(band)
            for key in ("stroke", "stroke-width", "stroke-dasharray"):
                with_class(part, "panel")[0].attrib.pop(key, None)
        seen.add(re.sub(r"\s+", "", ElementTree.tostring(root, encoding="unicode")))
    assert len(seen) == 1


@pytest.mark.parametrize(
    "name", ["here-whole", "gru-cell", "aigru-cell", "agru-cell", "augru-cell"]
)
def test_letters_can_be_read_on_a_phone(name):
    text = committed(f"{name}.svg")
    sizes = dict(re.findall(r"(\S+) \{ font(?:-size)?: (\d+)px", text))
    smallest = 11 if name.startswith("here") else 9.5  # in a cell an index is smaller
    assert "text" in sizes
    assert min(map(float, sizes.values())) * PHONE >= smallest
    assert float(sizes["text"]) * PHONE >= 10.8


def plain(kind):
    """The groups of a cell as text, without the names and primes of the second recurrence."""
    text = committed(f"{kind}-cell.svg").replace("′", "").replace(' dx="-3"', "")
    return {
        key: re.sub(r"\s+", " ", ElementTree.tostring(group, encoding="unicode"))
        for key, group in groups(text).items()
    }


@pytest.mark.parametrize("kind", DIFFERS)
def test_a_cell_differs_from_a_gru_only_where_its_mathematics_does(kind):
    ours, gru = plain(kind), plain("gru")
    expected, place = DIFFERS[kind]
    assert set(ours) == set(gru)
    assert {key for key in gru if ours[key] != gru[key]} == expected
    marked = [key for key, group in ours.items() if 'class="marked"' in group]
    assert marked == [place]


def test_the_three_cells_differ_from_each_other_in_the_attention_alone():
    """AGRU and AUGRU read the same input; AIGRU and GRU have the same gate and slider."""
    cells = {kind: plain(kind) for kind in ("gru", *DIFFERS)}
    assert cells["agru"]["cell-input"] == cells["augru"]["cell-input"] == cells["gru"]["cell-input"]
    for group in ("cell-update", "cell-knob"):
        assert cells["aigru"][group] == cells["gru"][group]
        assert len({cells[kind][group] for kind in ("gru", "agru", "augru")}) == 3


def test_the_words_of_the_cells_are_the_equations():
    shown = {kind: groups(committed(f"{kind}-cell.svg")) for kind in ("gru", *DIFFERS)}
    said = {kind: {k: words(g).replace(" ", "") for k, g in v.items()} for kind, v in shown.items()}
    assert "ht=(1−ut)∘ht−1" in said["gru"]["cell-knob"]
    assert "h′t=(1−u′t)∘h′t−1" in said["aigru"]["cell-knob"]  # (5), as in a GRU
    assert "i′t=atht" in said["aigru"]["cell-name"]  # (9)
    assert "×" in said["aigru"]["cell-input"]
    assert "h′t=(1−at)h′t−1+ath̃′t" in said["agru"]["cell-knob"]  # (10)
    assert "σ" not in said["agru"]["cell-update"]  # the gate is gone, and nothing leads into it
    assert not with_class(shown["agru"]["cell-update"], "input")
    assert "ũ′t=atu′t" in said["augru"]["cell-name"]  # (11)
    assert "h′t=(1−ũ′t)∘h′t−1+ũ′t∘h̃′t" in said["augru"]["cell-knob"]  # (12)
    assert "×" in said["augru"]["cell-update"]
    for kind, places in said.items():
        assert "at" in "".join(places.values()) or kind == "gru"
        assert any(with_class(g, "ring") for g in shown[kind].values()) == (kind != "gru")


def test_the_style_names_a_class_for_the_place_that_differs():
    for kind in DIFFERS:
        style = re.sub(r"\s+", " ", committed(f"{kind}-cell.svg"))
        assert f"#{kind} .marked {{ stroke-width: 2.6; stroke-dasharray: 3 4 }}" in style
        assert f"#{kind} .dotted {{ stroke-width: 2.6; stroke-dasharray: 3 3 }}" in style
