"""Join the figures' modules into one text: module FILES load neither from file:// nor in a kernel.

Standard library only, and imported by path: building the book needs neither torch nor matplotlib.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

HERE = Path(__file__).parent
SHARED = ("maths", "kit")
# What a figure needs beside its own module; in a page it stands once, however many figures use it.
PARTS = {
    "explorer": ("network", "picker", "composer", "stage", "detail"),
    "glance": ("network",),
    "guess": ("sortable",),
    "ranking": ("sortable",),
}
IMPORT = re.compile(r"^import [^;]*;\n", re.M)
EXPORT = re.compile(r"^export (?=const|function)", re.M)


def figures() -> list[str]:
    """The figures: each NAME.js gives the element <NAME-figure>."""
    others = {*SHARED, *(part for parts in PARTS.values() for part in parts)}
    return sorted(path.stem for path in HERE.glob("*.js") if path.stem not in others)


def source(name: str) -> str:
    """One module without its imports and exports, because its neighbours are in the same text."""
    text = EXPORT.sub("", IMPORT.sub("", (HERE / f"{name}.js").read_text(encoding="utf8")))
    if "</script" in text.lower() or "<!--" in text:
        raise ValueError(f"{name}.js would end the script element that it is inlined into")
    return stored(name) + text


def stored(name: str) -> str:
    """What NAME.js reads as `STORED`, from NAME.json; no title in it can end the script."""
    path = HERE / f"{name}.json"
    if not path.exists():
        return ""
    text = path.read_text(encoding="utf8").strip().replace("<", "\\u003c")
    return f"const STORED = {text};\n"


def bundle(*names: str) -> str:
    """One module that defines the elements of these figures, for a page."""
    style = json.dumps((HERE / "live.css").read_text(encoding="utf8"), ensure_ascii=False)
    parts = [source("maths"), f"const STYLE = {style};\n", source("kit")]
    parts += map(source, dict.fromkeys(part for name in names for part in PARTS.get(name, ())))
    parts += [f"define('{name}', (() => {{\n{source(name)}return mount;\n}})());" for name in names]
    return "\n".join(parts)


def widget(name: str) -> str:
    """The same for one figure, with the export that anywidget calls."""
    call = f"export default {{ render: ({{ model, el }}) => figures['{name}'](el, model) }};"
    return f"{bundle(name)}\n{call}\n"
