"""What the live figures share on the side of Python: state, fallback, and what a notebook stores.

A figure computes twice: here with `dien_edu.reference`, for the fallback and for a reader with a
kernel, and in the page with the module beside it. A test holds the two together.
"""

from __future__ import annotations

import copy
import html
import json
import sys
from decimal import ROUND_HALF_UP, Decimal

from dien_edu.data.example import CLICKS
from dien_edu.figures.live.bundle import widget

try:
    import anywidget
    import traitlets
except ImportError:  # the figure is then a picture and a table
    anywidget = None

EXAMPLE = [list(click) for click in CLICKS]
HAND_WEIGHTS = {  # of chapter 03: one unit that follows photography
    "weight_input": [[2.0, -2.0], [0.0, 0.0], [1.0, -1.0]],
    "weight_hidden": [[0.0], [1.0], [1.0]],
}


class _Value:
    """A value of the state where there are no traitlets."""

    def __init__(self, default):
        self.default = default

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, figure, owner):
        return self if figure is None else figure.__dict__.setdefault(self.name, self.copy())

    def __set__(self, figure, value):
        figure.__dict__[self.name] = value

    def copy(self):
        return copy.deepcopy(self.default)


def value(default):
    """One value of a figure's state, in step with the page where anywidget is installed."""
    if anywidget is None:
        return _Value(default)
    kinds = {bool: "Bool", int: "Int", float: "Float", str: "Unicode", list: "List", dict: "Dict"}
    kind = getattr(traitlets, kinds[type(default)])
    return kind(copy.deepcopy(default)).tag(sync=True, figure=True)


class LiveFigure(anywidget.AnyWidget if anywidget else object):
    """A figure that reacts in a static page without a kernel, and in a notebook with one.

    A subclass has `name`, its values, and what the fallback shows: `title`, `say`, `table`,
    `picture`. Every value is an attribute: `figure.step = 3` moves the picture, and moving the
    picture changes `figure.step`.
    """

    name = ""
    title = ""
    _ipython_display_ = None  # ipywidgets 7 would go around the MIME bundle

    def __init__(self, **values):
        unknown = set(values) - set(self.names())
        if unknown:
            raise TypeError(f"{type(self).__name__} has {self.names()}, not {sorted(unknown)}")
        if anywidget is None:
            for key, given in values.items():
                setattr(self, key, given)
            return
        self._esm = widget(self.name)
        super().__init__(**values)

    @classmethod
    def names(cls) -> list[str]:
        """The names of the values."""
        if anywidget is None:
            parts = {key for base in cls.__mro__ for key in vars(base)}
            return sorted(key for key in parts if isinstance(getattr(cls, key, None), _Value))
        return sorted(cls.class_traits(figure=True))

    @property
    def values(self) -> dict:
        """The state, as the page gets it."""
        return {key: getattr(self, key) for key in self.names()}

    def say(self) -> str:
        """The sentence below the picture."""
        raise NotImplementedError

    def table(self) -> tuple[list[str], list[list[str]]]:
        """The heads and the rows of the table behind the picture."""
        raise NotImplementedError

    def tables(self) -> list[tuple[list[str], list[list[str]]]]:
        """All tables that the page has to offer; the first one is the fallback's."""
        return [self.table()]

    def picture(self) -> str:
        """An SVG without colours, for a page in which no script runs."""
        raise NotImplementedError

    def html(self) -> str:
        """The element with its state; in it what is shown where no script runs.

        Not `_repr_html_`: IPython would call that beside the MIME bundle, in Colab too.
        """
        state = json.dumps(self.values, ensure_ascii=False)
        head, rows = self.table()
        cells = "".join(f"<th scope='col'>{html.escape(words)}</th>" for words in head)
        body = "".join(
            f"<tr><th scope='row'>{html.escape(first)}</th>"
            + "".join(f"<td>{html.escape(words)}</td>" for words in rest)
            + "</tr>"
            for first, *rest in rows
        )
        return (
            f"<{self.name}-figure state='{html.escape(state)}'><figure>"
            f"<figcaption>{html.escape(self.title)}</figcaption>{self.picture()}"
            f"<p>{html.escape(self.say())}</p>"
            f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"
            f"</figure></{self.name}-figure>"
        )

    def _repr_mimebundle_(self, **options):
        """HTML for pages, the widget for kernels, and a text that is the same in every run."""
        data, metadata = {}, {}
        if anywidget is not None:
            shown = super()._repr_mimebundle_(**options)
            # the metadata tell Colab where its manager for such widgets is: without, an empty cell
            shown, metadata = shown if isinstance(shown, tuple) else (shown, {})
            data = dict(shown or {})
        data["text/plain"] = repr(self)
        if "google.colab" not in sys.modules:  # Colab would prefer it to the widget
            data["text/html"] = self.html()
        return data, metadata

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


# Words and marks of the fallback


def num(value: float, digits: int = 2) -> str:
    """A number as the page writes it: half rounds away from zero, a true minus sign, no −0."""
    step = Decimal(1).scaleb(-digits)
    text = str(Decimal(float(value)).quantize(step, rounding=ROUND_HALF_UP))
    return text.replace("-", "−" if float(text) else "")


def percent(value: float, digits: int = 0) -> str:
    """A share in per cent; its space does not break."""
    return f"{num(100 * value, digits)}\u00a0%"


def titled(clicks: list, numbers, digits: int = 4) -> list[list[str]]:
    """Rows of a table: each click with its numbers."""
    return [
        [f"{t + 1} {title} ({kind})", *(num(number, digits) for number in numbers[t])]
        for t, (title, kind) in enumerate(clicks)
    ]


def plot(series: dict, low: float, high: float, labels: list[str]) -> str:
    """Lines over the steps as an SVG in the text's own colour, told apart by their dashes."""
    dashes = ("", "7 4", "9 3 2 3", "2 4", "1 3")
    width, height, top, bottom = 440, 250, 40, 220
    across = (width - 60) / max(1, len(labels) - 1)

    def y(number):
        return f"{bottom - (number - low) / (high - low) * (bottom - top):.1f}"

    lines, words = [], []
    for tick in (low, (low + high) / 2, high):
        lines.append(f"<path d='M40 {y(tick)}H{width - 20}' stroke-opacity='.3'/>")
        words.append((4, y(tick), num(tick, 1)))
    words += [(f"{36 + t * across:.1f}", 242, label) for t, label in enumerate(labels)]
    for n, (name, numbers) in enumerate(series.items()):
        points = " ".join(f"{40 + t * across:.1f},{y(v)}" for t, v in enumerate(numbers))
        dash, left = dashes[n % 5], 4 + 108 * n
        lines.append(f"<polyline points='{points}' stroke-dasharray='{dash}'/>")
        lines.append(f"<path d='M{left} 14h22' stroke-dasharray='{dash}'/>")
        words.append((left + 26, 18, name))
    return drawing(width, height, ", ".join(series), lines, words)


def drawing(width: int, height: int, name: str, lines: list[str], words: list[tuple]) -> str:
    """An SVG in the text's own colour from outlines and from words (x, y, text)."""
    texts = "".join(f"<text x='{x}' y='{y}'>{html.escape(text)}</text>" for x, y, text in words)
    return (
        f"<svg viewBox='0 0 {width} {height}' role='img' aria-label='{html.escape(name)}' "
        f"style='max-width:{width}px' font-size='13'>"
        f"<g fill='none' stroke='currentColor'>{''.join(lines)}</g>"
        f"<g fill='currentColor'>{texts}</g></svg>"
    )
