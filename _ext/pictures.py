"""The pictures that come in several versions, each drawn once: `python _ext/pictures.py`.

`here-*.svg` head the chapters: one drawing of the network, with the current part lit.
`*-cell.svg` are four recurrent cells, equal outside of the groups that `DIFFERS` names.
"""

from __future__ import annotations

import re
from pathlib import Path

from dien_edu.figures import INTERESTS, QUANTITIES

IMAGES = Path(__file__).parent.parent / "book" / "images"
INK = {name: look["color"] for name, look in QUANTITIES.items()}
GREY, CARD, MARKED = "#767676", "#D0D0D0", "#FAEBF4"
ACCENT = "\N{COMBINING TILDE}"


def formula(text: str) -> str:
    """`h'_{t-1}` as tspans: letters slanted, `_` below and `^` above the line, one sign or {…}."""
    pieces, now = [], 0
    for mark, braced, sign in re.findall(rf"([_^]?)(?:{{(.*?)}}|(.{ACCENT}?))", text):
        shown, level = braced or sign, {"_": 5, "^": -6, "": 0}[mark]
        for run in re.findall(rf"[A-Za-zσαũê]{ACCENT}?|[^A-Za-zσαũê]+", shown):
            kind = ["sub"] * bool(mark) + ["i"] * run[0].isalpha()
            shift = f' dy="{level - now}"' if level != now else ""
            # a letter's sign above pushes the next letter away, and hugs a sign below
            shift = (' dx="2"' if now < 0 and level == 0 and run[0].isalpha() else "") + shift
            now = level
            look = f' class="{" ".join(kind)}"' if kind else ""
            run = run.replace("'", "′").replace("-", "−")
            pieces.append(f"<tspan{look}{shift}>{run}</tspan>" if look or shift else run)
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
    return f"""\
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
            f'<path d="M37.5 {ROWS[1]}l6.5-6.5M37.5 {ROWS[1] + 6.5}l13-13M44 {ROWS[1] + 6.5}l6.5-6.5"/></g>'
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
  <g id="here-{part}" class="part{" lit" * lit}">
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

  <g id="here-wires">
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


def pictures() -> dict[str, str]:
    """File name -> what stands in it."""
    return {f"here-{place}.svg": here(place) for place in HERE}


if __name__ == "__main__":
    for file, text in pictures().items():
        (IMAGES / file).write_text(text, encoding="utf8")
