"""Paths, their projection, and the figures that are drawn from them."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from conftest import make_batch

from dien_edu.data import load
from dien_edu.figures import draw_attention_map, draw_step_sizes, draw_trajectories
from dien_edu.figures.trajectories import ask, moves, paths, project
from dien_edu.models import DIEN, DIN

NAMES = ["none", "one", "two"]


@pytest.fixture(autouse=True)
def no_windows():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def world():
    return load("interest-world", n_users=20)


@pytest.fixture
def asked(world):
    return ask(world, [1, 13, 3, 25, 5, 7], [0, 9, 30])


def made(world, evolution="augru", scale=30.0):
    torch.manual_seed(0)
    model = DIEN(world.n_items, world.n_categories, evolution)
    with torch.no_grad():
        model.attention.weight.mul_(scale)
        model.embedding.item.weight.mul_(5)
    return model


def test_no_target_means_equal_attention(world, asked):
    attention = made(world).trace(asked).attention
    assert torch.allclose(attention[0], torch.full((6,), 1 / 6))
    assert attention[1:].std() > 0.01


def test_each_target_can_have_its_own_history(world):
    rows = [[1, 2, 3], [4, 5, 6]]
    both = ask(world, rows, [7, 8])
    assert both.history_item.tolist() == rows and both.target_item.tolist() == [7, 8]
    one = ask(world, rows[1], [8])
    for name in ("history_item", "history_category", "history_length", "target_category"):
        assert (getattr(both, name)[1] == getattr(one, name)[0]).all(), name


def test_a_path_starts_at_zero_and_ends_in_what_the_head_reads(world, asked):
    model = made(world)
    found = paths(model, asked)
    history, target = model.embed(asked)
    last = model.added(asked, history, target)[0][0]
    assert found.shape == (3, 7, 36) and (found[:, 0] == 0).all()
    assert np.allclose(found[:, -1], last.detach().numpy())


def test_steps_are_measured_in_the_full_space():
    corner = np.array([[[0, 0, 0], [3, 4, 0], [3, 4, 12]]], float)
    assert moves(corner).tolist() == [[5, 12]]


def test_the_projection_is_that_of_the_covariance():
    rng = np.random.default_rng(0)
    states = rng.normal(size=(3, 7, 5)) * [5, 3, 1, 0.5, 0.1] @ rng.normal(size=(5, 5))
    found = project(states)
    values, vectors = np.linalg.eigh(np.cov(states.reshape(-1, 5).T))
    assert np.allclose(found.share, values[:-3:-1] / values.sum())
    assert np.allclose(np.abs((found.axes * vectors[:, :-3:-1]).sum(axis=0)), 1)
    assert np.allclose(found.points.reshape(-1, 2).mean(axis=0), 0)
    assert (moves(found.points) <= moves(states) + 1e-12).all()


def test_all_directions_lose_nothing():
    states = np.random.default_rng(0).normal(size=(2, 6, 4))
    found = project(states, 4)
    assert np.isclose(found.share.sum(), 1)
    assert np.allclose(moves(found.points), moves(states))


def test_the_sign_does_not_depend_on_the_data_order():
    states = np.random.default_rng(0).normal(size=(2, 6, 4))
    there, back = project(states), project(states[::-1])
    assert np.allclose(there.axes, back.axes)
    assert (there.axes[np.abs(there.axes).argmax(0), [0, 1]] > 0).all()


@pytest.mark.parametrize("dimensions", [0, 5])
def test_too_many_directions_are_refused(dimensions):
    with pytest.raises(ValueError, match="expected 1 to 4"):
        project(np.ones((2, 3, 4)), dimensions)


def test_paths_that_do_not_move_can_be_drawn(world, asked):
    model = made(world)
    with torch.no_grad():
        for parameter in model.evolution.parameters():
            parameter.zero_()
    draw_trajectories(model, asked, NAMES)


def test_the_title_says_what_the_plane_holds(world, asked):
    model = made(world)
    states = paths(model, asked)
    flat = project(states)
    figure = draw_trajectories(model, asked, NAMES, list("abcdef"))
    title = figure.axes[0].get_title()
    kept = moves(flat.points).sum() / moves(states).sum()
    assert f"{flat.share.sum():.0%} of the variance" in title and f"{kept:.0%} of the move" in title
    drawn = [line.get_xydata() for line in figure.axes[0].get_lines() if len(line.get_xdata()) == 7]
    assert np.allclose(drawn, flat.points)
    lengths = [line.get_ydata() for line in figure.axes[2].get_lines()]
    assert np.allclose(lengths[::2], moves(states))
    assert np.allclose(lengths[1::2], moves(flat.points))
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert shown == [*NAMES, "start"]  # in the key: beside the star a path may run


def test_no_two_paths_differ_by_colour_alone(world, asked):
    lines = draw_trajectories(made(world), asked, NAMES).axes[0].get_lines()
    looks = {(line.get_linestyle(), line.get_marker()) for line in lines[::2][:3]}
    assert len(looks) == 3


def test_the_attention_map_shows_the_scores_and_their_largest(world, asked):
    model = made(world)
    axis = draw_attention_map(model, asked, NAMES, list("abcdef")).axes[0]
    attention = model.trace(asked).attention.numpy()
    assert np.allclose(axis.images[0].get_array(), attention)
    dots = axis.collections[0].get_offsets()
    assert dots.tolist() == [[attention[row].argmax() + 1, row] for row in (1, 2)]  # not of none
    assert [label.get_text() for label in axis.get_yticklabels()] == NAMES


def test_agru_has_one_stripe_a_step_and_augru_has_not(world, asked):
    augru, agru = made(world), made(world, "agru")
    figure = draw_step_sizes({"AGRU": agru, "AUGRU": augru}, asked, row=1)
    stripes, shares = (axis.images[0].get_array() for axis in figure.axes[:2])
    assert np.ptp(stripes, axis=0).max() == 0 and np.ptp(shares, axis=0).min() > 0
    assert (stripes >= shares).all()
    assert (np.diff(shares.sum(axis=1)) <= 1e-6).all()
    assert figure.axes[0].images[0].get_clim() == figure.axes[1].images[0].get_clim()


def test_what_cannot_be_drawn_is_refused(world, asked):
    unequal = make_batch([5, 3], n_items=world.n_items, n_categories=world.n_categories)
    with pytest.raises(ValueError, match="one common history length"):
        draw_trajectories(made(world), unequal, NAMES[:2])
    with pytest.raises(ValueError, match="DIN has no evolved"):
        paths(DIN(world.n_items, world.n_categories), asked)
    with pytest.raises(ValueError, match="2 names for 3 rows"):
        draw_trajectories(made(world), asked, NAMES[:2])
    with pytest.raises(ValueError, match="2 names for 3 rows"):
        draw_attention_map(made(world), asked, NAMES[:2])
    with pytest.raises(ValueError, match="5 names for 6 steps"):
        draw_attention_map(made(world), asked, NAMES, list("abcde"))
