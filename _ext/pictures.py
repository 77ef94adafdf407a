"""The pictures that come in several versions, each drawn once: `python _ext/pictures.py`.

`here-*.svg` head the chapters: one drawing of the network, with the current part lit.
`*-cell.svg` are four recurrent cells, equal outside of the groups that `DIFFERS` names.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from dien_edu.figures import INTERESTS, QUANTITIES

IMAGES = Path(__file__).parent.parent / "book" / "images"
INK = {name.removesuffix("_gate"): look["color"] for name, look in QUANTITIES.items()}
GREY, CARD, MARKED = "#767676", "#D0D0D0", "#FAEBF4"
ACCENT = "\N{COMBINING TILDE}"


def formula(text: str) -> str:
    """`h'_{t-1}` as tspans: letters slanted, `_` below and `^` above the line; {words} upright."""
    pieces, now, before = [], 0, ""
    for mark, braced, sign in re.findall(rf"([_^]?)(?:{{(.*?)}}|(.{ACCENT}?))", text):
        level = {"_": 5, "^": -6, "": 0}[mark]
        for run in [braced] if braced and not mark else re.findall(rf".{ACCENT}?", braced or sign):
            letter = run[0].isalpha() and len(run.strip(ACCENT)) == 1
            look = " ".join(["sub"] * bool(mark) + ["i"] * letter)
            # what stands below moves under a prime; a letter keeps away from what stood above
            near = -3 if mark and before == "'" else 2 if letter and now < level == 0 else 0
            shift = (f' dx="{near}"' * bool(near)) + (f' dy="{level - now}"' * (level != now))
            look = f' class="{look}"' if look else ""
            shown = run.replace("'", "′").replace("-", "−")
            pieces.append(f"<tspan{look}{shift}>{shown}</tspan>" if look or shift else shown)
            now, before = level, run
    return "".join(pieces)


def picture(name: str, height: int, title: str, description: str, body: str, style: str) -> str:
    """A card 560 wide, with a title and a description for those who cannot see it."""
    arrows = "".join(
        f'\n    <marker id="{name}-{kind}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
        f'markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
        f'<path d="M0 0 8 4 0 8z" fill="{ink}"/></marker>'
        for kind, ink in INK.items()
    )
    inks = "".join(
        f"\n    #{name} .{kind} {{ stroke: {ink} }}"
        f"\n    #{name} .arrow.{kind} {{ marker-end: url(#{name}-{kind}) }}"
        for kind, ink in INK.items()
    )
    rules = "".join(f"\n    #{name} {line}" for line in style.strip().splitlines())
    svg = f"""\
<svg xmlns="http://www.w3.org/2000/svg" id="{name}" viewBox="0 0 560 {height}" width="560" \
role="img" aria-labelledby="{name}-title {name}-desc">
  <title id="{name}-title">{title}</title>
  <desc id="{name}-desc">{description}</desc>
  <style>
    #{name} .i {{ font-style: italic }}
    #{name} .mid {{ text-anchor: middle }}
    #{name} .end {{ text-anchor: end }}
    #{name} .box {{ fill: #FFFFFF; stroke-width: 1.6 }}
    #{name} .wire, #{name} .arrow {{ fill: none; stroke-width: 1.6 }}{inks}{rules}
  </style>
  <defs>{arrows}
  </defs>

  <rect x=".5" y=".5" width="559" height="{height - 1}" rx="14" fill="#FFFFFF" stroke="{CARD}"/>
{body}
</svg>
"""
    return unicodedata.normalize("NFC", svg)


# You are here

# name, x, y, width, height, ground, ink
PARTS = {
    "embedding": ("Embedding", 12, 38, 126, 112, "#F3F3F3", INK["input"]),
    "extractor": ("Extractor", 158, 38, 114, 112, "#E9EDF1", INK["interest"]),
    "auxiliary": ("Auxiliary loss", 44, 174, 176, 60, "#FFFFFF", INK["input"]),
    "attention": ("Attention", 240, 174, 116, 60, MARKED, INK["attention"]),
    "evolution": ("Evolution", 318, 38, 114, 112, "#F0EAFA", INK["evolved"]),
    "head": ("Head", 456, 38, 90, 112, "#E9EDF1", INK["interest"]),
}
HERE = {  # which parts are lit, and their name in the words of the glossary
    "embedding": (("embedding",), "embedding"),
    "extractor": (("extractor",), "interest extractor layer"),
    "auxiliary": (("auxiliary",), "auxiliary loss"),
    "attention": (("attention",), "attention"),
    "evolution": (("evolution",), "interest evolving layer"),
    "head": (("head",), "head"),
    "pooling": (("embedding", "head"), "embedding and head"),
    "whole": (tuple(PARTS), "whole network"),
}
ROWS = (84, 108, 132)  # three clicks, time runs downwards


def rows(kind: str, start: int, end: int) -> str:
    """One arrow a click."""
    return "".join(f'<path class="arrow {kind}" d="M{start} {y}H{end}"/>' for y in ROWS)


def boxes(x: int, width: int, kind: str) -> str:
    """One small box a click."""
    rects = (f'<rect x="{x}" y="{y - 8}" width="{width}" height="16" rx="4"/>' for y in ROWS)
    return f'<g class="box {kind}">{"".join(rects)}</g>'


def inside(part: str) -> str:
    """What a part shows below its name."""
    if part == "embedding":
        photography, cooking = (INTERESTS[name]["color"] for name in INTERESTS)
        marks = (
            f'<circle cx="44" cy="{ROWS[0]}" r="7" fill="{photography}"/>'
            f'<circle cx="44" cy="{ROWS[2]}" r="7" fill="{photography}"/>'
            f'<g fill="#FFFFFF" stroke="{cooking}" stroke-width="1.8">'
            f'<path d="M37.5 {ROWS[1] - 6.5}h13v13h-13z"/>'
            f'<path d="M37.5 {ROWS[1]}l6.5-6.5M37.5 {ROWS[1] + 6.5}l13-13'
            f'M44 {ROWS[1] + 6.5}l6.5-6.5"/></g>'
        )
        return marks + rows("input", 56, 84) + boxes(84, 34, "input")
    if part in ("extractor", "evolution"):
        x, kind = (190, "interest") if part == "extractor" else (350, "evolved")
        down = "".join(
            f'<path class="arrow {kind}" d="M{x + 25} {y + 8}V{y + 16}"/>' for y in ROWS[:2]
        )
        return boxes(x, 50, kind) + down
    if part == "auxiliary":
        return '<text class="mid" x="132" y="224">in training</text>'
    if part == "attention":
        rings = "".join(f'<circle cx="{x}" cy="219" r="8"/>' for x in (270, 298, 326))
        return f'<g class="box attention">{rings}</g>'
    return (
        '<rect class="box interest" x="470" y="112" width="62" height="28" rx="8"/>'
        '<text class="mid" x="501" y="132">MLP</text>'
        '<path class="arrow interest" d="M501 112V97"/>'
        '<text class="mid" x="501" y="89">click?</text>'
    )


def part_group(part: str, lit: bool) -> str:
    """A panel with its name; where lit, a thick outline and the name in white on a dark band."""
    name, x, y, width, height, ground, ink = PARTS[part]
    dashes = "14 6" if lit else "6 4"
    dashed = f' stroke-dasharray="{dashes}"' if part == "auxiliary" else ""
    edge = f'stroke="{ink}" stroke-width="4"' if lit else f'stroke="{GREY}" stroke-width="1"'
    band = (
        f'<path class="band" fill="{ink}" '
        f'd="M{x} {y + 28}V{y + 10}a10 10 0 0 1 10-10h{width - 20}a10 10 0 0 1 10 10v18z"/>'
    )
    return f"""
  <g id="part-{part}" class="part{" lit" * lit}">
    <rect class="panel" x="{x}" y="{y}" width="{width}" height="{height}" rx="10" \
fill="{ground}" {edge}{dashed}/>
    {band * lit}
    <text class="name mid" x="{x + width / 2:g}" y="{y + 20.5}">{name}</text>
    {inside(part)}
  </g>"""


def here(place: str) -> str:
    """The network, low and wide, with the parts of this place lit."""
    lit, word = HERE[place]
    groups = "".join(part_group(part, part in lit) for part in PARTS)
    dots = "".join(f'<circle cx="294" cy="{y}" r="3" fill="{INK["interest"]}"/>' for y in ROWS)
    body = f"""
  <text x="16" y="26">You are here: <tspan class="word">{word}</tspan></text>
{groups}

  <g id="wires">
    {rows("input", 118, 190)}
    {rows("interest", 240, 350)}
    <path class="arrow interest" d="M294 {ROWS[0]}V174"/>{dots}
    <path class="arrow attention dotted" d="M337 174V150"/>
    <path class="arrow evolved" d="M400 {ROWS[2]}H470"/>
    <path class="arrow input" d="M101 150V174"/>
    <path class="arrow interest" d="M204 150V174"/>
    <path d="M436 210l9 9-9 9-9-9z" fill="#FFFFFF" stroke="#1A1A1A" stroke-width="2"/>
    <text x="451" y="225">target</text>
    <path class="arrow input" d="M427 219H356"/>
    <path class="arrow input" d="M479 206V150"/>
    <path class="arrow input" d="M28 150V246H250M310 246H522V150"/>
    <text class="mid" x="280" y="252">sum</text>
  </g>"""
    description = (
        f"Lit in this drawing of the Deep Interest Evolution Network: {word}. "
        "The network runs from left to right and time downwards. Clicks become embeddings. The "
        "extractor, a row of GRUs, turns them into interests; in training an auxiliary loss "
        "compares each interest with the next click. Attention scores each interest against the "
        "target item. The evolution, a row of AUGRUs, reads interests and scores. Its last state, "
        "the target and the sum of the clicks enter the head, an MLP that predicts whether the "
        "target is clicked."
    )
    style = """
text { font: 18px system-ui, sans-serif; fill: #1A1A1A }
.word { font-weight: 700 }
.lit .name { font-weight: 700 }
.lit .name { fill: #FFFFFF }
.dotted { stroke-dasharray: 2 3 }"""
    return picture("here", 260, f"You are here: {word}", description, body, style)


# Four cells

# The groups in which each cell is not a plain GRU; everything else is the same drawing. A prime
# marks the second recurrence.
DIFFERS = {
    "gru": (),
    "aigru": ("name", "input"),
    "agru": ("name", "update", "knob"),
    "augru": ("name", "update", "knob"),
}
TITLES = {
    "gru": "One GRU cell",
    "aigru": "One AIGRU cell: the attention score scales the input",
    "agru": "One AGRU cell: the attention score replaces the update gate",
    "augru": "One AUGRU cell: the attention score scales the update gate",
}
DESCRIPTIONS = {
    "gru": "Equations (2) to (5). The input i_t and the old state h_(t−1) enter the update gate "
    "u_t = σ(W^u i_t + U^u h_(t−1) + b^u) and the reset gate r_t = σ(W^r i_t + U^r h_(t−1) + b^r). "
    "For the candidate h̃_t the old state is first multiplied by the matrix U^h, the product is "
    "then multiplied by r_t entry by entry, W^h i_t + b^h is added, and tanh is taken. A slider "
    "mixes: at u_t = 0 the output h_t is the old state h_(t−1), at u_t = 1 it is the new "
    "candidate: h_t = (1 − u_t) ∘ h_(t−1) + u_t ∘ h̃_t.",
    "aigru": "Equation (9). A GRU cell with one difference, which is marked: the interest h_t is "
    "multiplied by the attention score a_t before it enters the cell, i′_t = a_t h_t. Update "
    "gate u′_t, reset gate r′_t, candidate h̃′_t and the slider are those of a GRU that reads "
    "i′_t: h′_t = (1 − u′_t) ∘ h′_(t−1) + u′_t ∘ h̃′_t.",
    "agru": "Equation (10). A GRU cell with one difference, which is marked: in the place of the "
    "update gate stands the attention score a_t, one number for all entries of the state. Nothing "
    "leads into it, neither the input i′_t = h_t nor the old state. It moves the slider: "
    "h′_t = (1 − a_t) h′_(t−1) + a_t h̃′_t. Reset gate and candidate are those of a GRU.",
    "augru": "Equations (11) and (12). A GRU cell with one difference, which is marked: on its "
    "way to the slider the update gate u′_t is multiplied by the attention score a_t, "
    "ũ′_t = a_t u′_t. So the slider mixes h′_t = (1 − ũ′_t) ∘ h′_(t−1) + ũ′_t ∘ h̃′_t. The input "
    "is i′_t = h_t; reset gate and candidate are those of a GRU.",
}


def math(x: float, y: float, text: str, look: str = "math mid") -> str:
    """A formula at a place."""
    return f'<text class="{look}" x="{x}" y="{y}">{formula(text)}</text>'


def marked(x: int, y: int, width: int, height: int) -> str:
    """The ground of the place that differs: the attention's colour and a thick dotted outline."""
    return f'<rect class="marked" x="{x}" y="{y}" width="{width}" height="{height}" rx="8"/>'


def score(x: int, y: int, path: str) -> str:
    """The attention score, and the way that it takes."""
    return (
        f'<path class="arrow attention dotted" d="{path}"/>'
        f'<circle class="ring attention" cx="{x}" cy="{y}" r="16"/>{math(x, y + 4, "a_t")}'
    )


def times(x: int, y: int) -> str:
    """Multiply by one number."""
    return (
        f'<circle class="ring attention" cx="{x}" cy="{y}" r="14"/>'
        f'<path class="wire interest" d="M{x - 5} {y - 5}l10 10M{x - 5} {y + 5}l10-10"/>'
        '<text x="362" y="402">× by one number</text>'
    )


def gate(y: int, name: str, letter: str, prime: str) -> str:
    """A gate: its name and its equation in a box."""
    text = f"σ(W^{letter}i{prime}_t + U^{letter}h{prime}_{{t-1}} + b^{letter})"
    return (
        f'<rect class="box {name}" x="70" y="{y}" width="212" height="62" rx="8"/>'
        f'<text class="name mid" x="176" y="{y + 23}">{name} gate</text>'
        f"{math(176, y + 48, text, 'small mid')}"
    )


def name_group(cell: str, prime: str) -> str:
    """The cell's name, and in one formula what makes it differ."""
    says = {
        "gru": "",
        "aigru": formula(" i'_t = a_t h_t"),
        "agru": formula(" a_t{ in place of }u'_t"),
        "augru": formula(f" u{ACCENT}'_t = a_t u'_t"),
    }
    colon = ":" if says[cell] else ""
    name = f'<tspan class="name">{cell.upper()}</tspan>'
    return f'<text class="small" x="92" y="34">{name}{colon}{says[cell]}</text>'


def input_group(cell: str, prime: str) -> str:
    """From the input to the reset gate and to the candidate."""
    common = (
        '<path class="arrow input" d="M136 252V300"/>'
        '<circle cx="136" cy="252" r="3" fill="#595959"/>'
        '<rect class="box input" x="50" y="232" width="36" height="40" rx="8"/>'
    )
    if cell == "aigru":
        return (
            marked(91, 186, 40, 84)
            + '<path class="arrow input" d="M86 252H97"/>'
            + '<path class="arrow input" d="M125 252H160"/>'
            + common
            + score(111, 206, "M111 222V238")
            + times(111, 252)
            + math(68, 256, "h_t")
            + math(141, 243, "i'_t", "small")
        )
    return f'<path class="arrow input" d="M86 252H160"/>{common}{math(68, 256, f"i{prime}_t")}'


def update_group(cell: str, prime: str) -> str:
    """The update gate, what it reads, and its way to the slider."""
    if cell == "agru":
        return (
            marked(70, 119, 212, 62)
            + '<text class="mid" x="152" y="145">in place of the</text>'
            + '<text class="mid" x="152" y="167">update gate</text>'
            + score(254, 150, "M270 150H475")
        )
    reads = (
        '<path class="arrow interest" d="M30 150H70"/>'
        '<circle cx="30" cy="150" r="3" fill="#1A1A1A"/>'
        '<path class="arrow input" d="M136 252V181"/>'
    )
    here = reads + gate(119, "update", "u", prime) + math(290, 140, f"u{prime}_t", "math")
    if cell == "augru":
        return (
            here
            + marked(368, 76, 44, 94)
            + '<path class="arrow update" d="M282 150H376"/>'
            + '<path class="arrow update" d="M404 150H475"/>'
            + score(390, 98, "M390 114V136")
            + times(390, 150)
            + math(442, 140, f"u{ACCENT}'_t")
        )
    return f'{here}<path class="arrow update" d="M282 150H475"/>'


def knob_group(cell: str, prime: str) -> str:
    """What moves the slider, and the equation of the new state."""
    knob = {"agru": "a_t", "augru": f"u{ACCENT}'_t"}.get(cell, f"u{prime}_t")
    dot = " " if cell == "agru" else " ∘ "
    ink = INK["attention"] if cell == "agru" else INK["update"]
    return (
        f"{math(546, 29, f'{knob} = 0: {{keep the old}}', 'end')}"
        f"{math(546, 290, f'{knob} = 1: {{take the new}}', 'end')}"
        f'<circle cx="488" cy="150" r="13" fill="{ink}"/>'
        '<path d="M484 147l4-5 4 5zM484 153l4 5 4-5z" fill="#FFFFFF"/>'
        f"{math(362, 346, f'h{prime}_t = (1 - {knob}){dot}h{prime}_{{t-1}}', 'small')}"
        f"{math(400, 373, f'+ {knob}{dot}h{ACCENT}{prime}_t', 'small')}"
    )


def cell(kind: str) -> str:
    """One cell: a GRU, or a GRU with the attention score in one place."""
    prime = "" if kind == "gru" else "'"
    body = f"""
  <g id="cell-name">{name_group(kind, prime)}</g>

  <g id="cell-state">
    <path class="arrow interest" d="M78 52H475"/>
    <path class="arrow interest" d="M30 72V331H70"/>
    <path class="arrow interest" d="M30 331V420H302"/>
    <circle cx="30" cy="331" r="3" fill="#1A1A1A"/>
    <rect class="box interest" x="14" y="32" width="64" height="40" rx="8"/>
    {math(46, 56, f"h{prime}_{{t-1}}")}
  </g>

  <g id="cell-update">{update_group(kind, prime)}</g>

  <g id="cell-input">{input_group(kind, prime)}</g>

  <g id="cell-reset">{gate(300, "reset", "r", prime)}
    <path class="arrow reset" d="M282 331H313"/>
    {math(297, 320, f"r{prime}_t")}
  </g>

  <!-- from below: matrix product, then the reset gate, then the input, then tanh -->
  <g id="cell-candidate">
    <rect class="box candidate" x="302" y="400" width="52" height="40" rx="8"/>
    {math(328, 428, "U^h")}
    <text class="end" x="292" y="404">product first, then reset</text>
    <path class="arrow candidate" d="M328 400V346"/>
    <circle class="box candidate" cx="328" cy="331" r="15"/>
    <circle class="wire interest" cx="328" cy="331" r="4"/>
    <path class="arrow candidate" d="M328 316V267"/>
    <rect class="box candidate" x="160" y="232" width="122" height="40" rx="8"/>
    {math(221, 259, f"W^hi{prime}_t + b^h", "small mid")}
    <path class="arrow candidate" d="M282 252H313"/>
    <circle class="box candidate" cx="328" cy="252" r="15"/>
    <path class="wire interest" d="M321 252H335M328 245V259"/>
    <path class="arrow candidate" d="M343 252H360"/>
    <rect class="box candidate" x="360" y="232" width="52" height="40" rx="8"/>
    <text class="mid" x="386" y="257">tanh</text>
    <text class="name mid" x="378" y="222">candidate</text>
    <path class="arrow candidate dashed" d="M412 252H475"/>
    {math(444, 241, f"h{ACCENT}{prime}_t")}
  </g>

  <!-- the slider between the old state and the candidate -->
  <g id="cell-mix">
    <path class="track" d="M488 65V239"/>
    <circle class="box interest" cx="488" cy="52" r="13"/>
    <text class="mid" x="488" y="58">0</text>
    <circle class="box candidate" cx="488" cy="252" r="13"/>
    <text class="mid" x="488" y="258">1</text>
    <path class="arrow interest" d="M501 150H516"/>
    <rect class="box interest" x="516" y="130" width="34" height="40" rx="8"/>
    {math(533, 154, f"h{prime}_t")}
    <text class="name" x="362" y="320">new state</text>
    <text x="362" y="428">∘ entry by entry</text>
  </g>

  <g id="cell-knob">{knob_group(kind, prime)}</g>"""
    style = f"""
text {{ font: 17px system-ui, sans-serif; fill: #1A1A1A }}
.name {{ font-weight: 600 }}
.math {{ font-size: 19px }}
.sub {{ font-size: 15px }}
.arrow.reset {{ stroke-dasharray: 5 3 }}
.dashed {{ stroke-dasharray: 8 3 2 3 }}
.track {{ stroke: {GREY}; stroke-width: 4 }}
.ring {{ fill: #FFFFFF; stroke-width: 2.6 }}
.dotted {{ stroke-width: 2.6; stroke-dasharray: 3 3 }}
.marked {{ fill: {MARKED}; stroke: {INK["attention"]} }}
.marked {{ stroke-width: 2.6; stroke-dasharray: 3 4 }}"""
    return picture(kind, 456, TITLES[kind], DESCRIPTIONS[kind], body, style)


def pictures() -> dict[str, str]:
    """File name -> what stands in it."""
    files = {f"here-{place}.svg": here(place) for place in HERE}
    return files | {f"{kind}-cell.svg": cell(kind) for kind in DIFFERS}


if __name__ == "__main__":
    for file, text in pictures().items():
        (IMAGES / file).write_text(text, encoding="utf8")
