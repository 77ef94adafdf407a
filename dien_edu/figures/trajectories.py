"""How a history moves the evolved state, target by target: one call a figure (chapter 11).

The figures take any trained model with an evolving layer and a batch whose rows are the questions:
most often one history and several targets, `ask(data, items, targets)`. Target 0 is no target: its
embedding is 0, so every score before the softmax is 0 and all attention is equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from dien_edu.data import Batch, Interactions
from dien_edu.figures.style import MODELS
from dien_edu.models import ClickModel
from dien_edu.models.base import Trace

LOOKS = [MODELS[name] for name in ("base", "din", "augru", "agru", "gru-attention", "aigru")]

PLAIN = {"parse_math": False}  # a title with two dollar signs is no formula
HALO = withStroke(linewidth=2, foreground="white")


class Projection(NamedTuple):
    """points (P, S, k), share (k,) of the variance, axes (n_H, k), centre (n_H,)."""

    points: np.ndarray
    share: np.ndarray
    axes: np.ndarray
    centre: np.ndarray


def ask(data: Interactions, items: Sequence, targets: Sequence[int]) -> Batch:
    """A batch of P targets for one history (T,), or for P histories (P, T); 0 is no target."""
    category, goal = torch.from_numpy(data.category_of_item), torch.as_tensor(targets)
    row = torch.as_tensor(np.asarray(items)).expand(len(goal), -1)
    nobody = torch.zeros_like(goal)
    length = torch.full_like(goal, row.shape[1])
    return Batch(nobody, row, category[row], length, goal, category[goal], nobody.float())


def paths(model: ClickModel, batch: Batch) -> np.ndarray:
    """h'_0 = 0, h'_1 … h'_T of each row, (P, T + 1, n_H), in float64.

    ValueError for a model without an evolving layer, and for rows of different lengths.
    """
    evolved = _traced(model, batch, "evolved").evolved
    return np.pad(evolved.double().cpu().numpy(), ((0, 0), (1, 0), (0, 0)))


def moves(states: np.ndarray) -> np.ndarray:
    """The movement at each step, ‖h'_t − h'_{t−1}‖: (P, T + 1, n) -> (P, T)."""
    return np.linalg.norm(np.diff(states, axis=1), axis=2)


def project(states: np.ndarray, dimensions: int = 2) -> Projection:
    """Principal components of all paths together, (P, S, n_H) -> points (P, S, dimensions).

    An axis and its negative are equally right; we take the one whose largest entry is positive.
    ValueError where there are fewer directions than asked for.
    """
    flat = states.reshape(-1, states.shape[-1])
    if not 1 <= dimensions <= min(flat.shape):
        raise ValueError(f"dimensions is {dimensions}, expected 1 to {min(flat.shape)}")
    centre = flat.mean(axis=0)
    _, spread, axes = np.linalg.svd(flat - centre, full_matrices=False)
    axes = axes[:dimensions].T
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), range(dimensions)])
    share = spread[:dimensions] ** 2 / max((spread**2).sum(), np.finfo(float).tiny)
    return Projection((states - centre) @ axes, share, axes, centre)


def draw_trajectories(
    model: ClickModel, batch: Batch, names: Sequence[str], clicks: Sequence[str] | None = None
) -> Figure:
    """The paper's Figure 3: paths in a common plane, attention by step, and the true movement.

    `names` for the rows of the batch, at most six; `clicks` for the steps. The title says what
    share of the variance and of all movement the plane holds. A star is the common start; a number
    stands where the longest step of a path but its first arrives, a large marker at a path's end.
    In the lowest panel lines are the movement in the full space, small dots that in the plane.
    """
    if len(names) != len(batch) or len(batch) > len(LOOKS):
        raise ValueError(f"{len(names)} names for {len(batch)} rows, expected one each, at most 6")
    attention = _traced(model, batch, "attention").attention.cpu().numpy()
    states = paths(model, batch)
    flat = project(states)
    true, shown = moves(states), moves(flat.points)
    heights = [3.0, 1.1, 1.1]
    extra = 0.085 * max(map(len, clicks)) if clicks else 0.3
    figure, axes = plt.subplots(3, 1, figsize=(4.8, 5.6 + extra), height_ratios=heights)
    step = np.arange(1, true.shape[1] + 1)
    for row, (name, look) in enumerate(zip(names, LOOKS, strict=False)):
        x, y = flat.points[row].T
        axes[0].plot(x, y, label=name, **look | {"markersize": 4, "linewidth": 1.4})
        axes[0].plot(x[-1], y[-1], color=look["color"], marker=look["marker"], markersize=10)
        far = int(true[row, 1:].argmax()) + 2
        axes[0].annotate(
            str(far), (x[far], y[far]), (6, 6), textcoords="offset points", fontsize=9,
            color=look["color"], fontweight="bold", path_effects=[HALO], zorder=6,
        )  # fmt: skip
        axes[1].plot(step, attention[row], **look | {"markersize": 4, "linewidth": 1.4})
        axes[2].plot(step, true[row], **look | {"markersize": 0, "linewidth": 1.4})
        axes[2].plot(step, shown[row], color=look["color"], linestyle="none", marker=".")
    start = flat.points[0, 0]
    star = {"color": "black", "marker": "*", "markersize": 11, "linestyle": "none"}
    axes[0].plot(*start, label="start", zorder=5, **star)
    axes[0].set_aspect("equal", adjustable="datalim")
    axes[0].set_xlabel(f"first direction, {flat.share[0]:.0%} of the variance")
    axes[0].set_ylabel(f"second, {flat.share[1]:.0%}")
    kept = shown.sum() / max(true.sum(), np.finfo(float).tiny)
    title = f"2 of {states.shape[2]} directions: {flat.share.sum():.0%} of the variance,"
    axes[0].set_title(f"{title}\n{kept:.0%} of the movement", fontsize=10)
    entries = axes[0].get_legend_handles_labels()
    legend = figure.legend(*entries, fontsize=8, ncols=2, loc="outside upper left")
    for words in legend.get_texts():
        words.set(**PLAIN)
    axes[1].set_ylabel("$a_t$")
    axes[2].set_ylabel("movement")
    for axis in axes[1:]:
        axis.set_ylim(bottom=0)
    _name_steps(axes[1], step, None)
    _name_steps(axes[2], step, clicks)
    return figure


def draw_attention_map(
    model: ClickModel, batch: Batch, names: Sequence[str], clicks: Sequence[str] | None = None
) -> Figure:
    """Attention a_t as a heat map: a row for each target, a column for each step.

    A dot marks the largest score of a row whose scores differ.
    """
    attention = _traced(model, batch, "attention").attention.cpu().numpy()
    if len(names) != len(attention):
        raise ValueError(f"{len(names)} names for {len(attention)} rows, expected one each")
    extra = 0.085 * max(map(len, clicks)) if clicks else 0.3
    figure, axis = plt.subplots(figsize=(4.8, 0.9 + 0.2 * len(names) + extra))
    step = np.arange(1, attention.shape[1] + 1)
    image = _heat(axis, attention, step, vmax=max(attention.max(), 1e-9))
    uneven = np.flatnonzero(np.ptp(attention, axis=1) > 1e-6)
    top = attention[uneven].argmax(axis=1) + 1
    # white on the dark half of the colours, black on the bright half
    bright = attention[uneven].max(axis=1, initial=0) > attention.max() / 2
    axis.scatter(top, uneven, 12, c=np.where(bright, "black", "white"))
    axis.set_yticks(range(len(names)), names, fontsize=8, **PLAIN)
    _name_steps(axis, step, clicks)
    figure.colorbar(image, ax=axis, label="attention $a_t$", shrink=0.8)
    return figure


def draw_step_sizes(
    models: dict[str, ClickModel], batch: Batch, clicks: Sequence[str] | None = None, row: int = 0
) -> Figure:
    """Step size by dimension (rows) and step (columns) of one question, a panel for each model.

    Dimensions are sorted by the sum of their step sizes, the largest at the bottom; one scale of
    colours for all panels.
    """
    sizes = {name: _traced(m, batch, "step_size").step_size[row] for name, m in models.items()}
    sizes = {name: size.cpu().numpy().T for name, size in sizes.items()}  # (n_H, T)
    top = max(size.max() for size in sizes.values())
    extra = 0.085 * max(map(len, clicks)) if clicks else 0.3
    shape = {"figsize": (4.8, 1.7 * len(sizes) + 0.4 + extra), "squeeze": False, "sharex": True}
    figure, axes = plt.subplots(len(sizes), 1, **shape)
    for axis, (name, size) in zip(axes[:, 0], sizes.items(), strict=True):
        step = np.arange(1, size.shape[1] + 1)
        order = size.sum(axis=1).argsort(kind="stable")[::-1]
        image = _heat(axis, size[order], step, vmax=max(top, 1e-9))
        axis.invert_yaxis()
        axis.set_yticks([])
        axis.set_ylabel("dimensions")
        axis.set_title(name, fontsize=10, **PLAIN)
    _name_steps(axes[-1, 0], step, clicks)
    figure.colorbar(image, ax=axes[:, 0].tolist(), label="step size", shrink=0.8)
    return figure


def _traced(model: ClickModel, batch: Batch, wanted: str) -> Trace:
    trace, lengths = model.trace(batch), batch.history_length
    if getattr(trace, wanted) is None:
        raise ValueError(f"{type(model).__name__} has no {wanted} to draw: take a DIEN")
    if len(lengths) == 0 or lengths.min() != lengths.max() or lengths.max() < 2:
        raise ValueError("the rows need one common history length, of 2 or more: see ask(...)")
    return trace


def _heat(axis: Axes, values: np.ndarray, step: np.ndarray, vmax: float):
    edges = (0.5, len(step) + 0.5, len(values) - 0.5, -0.5)
    axis.grid(False)
    return axis.imshow(values, cmap="cividis", vmin=0, vmax=vmax, aspect="auto", extent=edges)


def _name_steps(axis: Axes, step: np.ndarray, clicks: Sequence[str] | None) -> None:
    if clicks is None:
        axis.set_xticks(step[:: 1 + len(step) // 20])
        return
    if len(clicks) != len(step):
        raise ValueError(f"{len(clicks)} names for {len(step)} steps, expected one each")
    names = [f"{name} {t}" for t, name in zip(step, clicks, strict=True)]
    axis.set_xticks(step, names, rotation=90, fontsize=8, **PLAIN)
