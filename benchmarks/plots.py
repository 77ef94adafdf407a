"""Time against T and against the batch, from a record."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt

from dien_edu.figures.style import use_book_style

STYLES = {
    "ours-fused-inner": {"color": "#1A1A1A", "linestyle": "-", "marker": "D"},
    "ours-reference-inner": {"color": "#6A3FB5", "linestyle": "--", "marker": "P"},
    "torch-rechub": {"color": "#0B62A4", "linestyle": "-.", "marker": "s"},
    "deepctr-torch": {"color": "#A84F00", "linestyle": ":", "marker": "^"},
    "recbole-repaired": {"color": "#00735C", "linestyle": (0, (5, 1)), "marker": "v"},
    "augru-fused": {"color": "#A0206E", "linestyle": "-", "marker": "o"},
    "gru": {"color": "#6B6B6B", "linestyle": "--", "marker": "x"},
}
LABELS = {"gru": "nn.GRU alone", "augru-fused": "AUGRU alone, fused"}
AXES = {"steps": ("history length T", "batch", 128), "batch": ("batch B", "steps", 100)}


def points(record: dict, name: str, axis: str) -> list[tuple[int, float]]:
    """(T or B, milliseconds) of one contestant, the other size held; a peer's are in the table."""
    _, other, held = AXES[axis]
    rows = [row for row in record["curves"].get(axis, ()) if row["name"] == name]
    if not rows:
        sizes = (size for size in record["sizes"] if name in size["results"])
        rows = [{**size, **size["results"][name]} for size in sizes]
    return sorted((row[axis], row["milliseconds"]) for row in rows if row[other] == held)


def plot(record: dict, axis: str) -> plt.Figure:
    """Milliseconds a step against `axis`, both logarithmic: linear is a line of slope 1."""
    use_book_style()
    figure, axes = plt.subplots(figsize=(4.8, 4.2))
    for name, style in STYLES.items():
        found = points(record, name, axis)
        if len(found) > 1:
            axes.loglog(*zip(*found, strict=True), label=LABELS.get(name, name), **style)
    label, other, held = AXES[axis]
    axes.set(xlabel=f"{label} ({other} {held})", ylabel="milliseconds a step")
    figure.legend(fontsize=8, ncols=2, loc="outside upper center")
    return figure


def save(record: dict, folder: Path) -> list[Path]:
    """speed-steps.png and speed-batch.png in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for axis in AXES:
        paths.append(folder / f"speed-{axis}.png")
        figure = plot(record, axis)
        figure.savefig(paths[-1])
        plt.close(figure)
    return paths
