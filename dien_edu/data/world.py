"""interest-world: generated clicks whose true interests are known (chapter 01).

A user goes back and forth between a few interests. Each of a user's interests has two traits:
a STAGE that advances when the interest is clicked (fast: the last relevant click tells it), and a
preferred TIER that only shows in an average over many relevant clicks (slow). At every step some
items of the same interest are shown and not clicked; they differ from the click in one trait.

The knobs, each with the value at which what it rewards is gone:

knob          rewards                                       null
order         knowing the order of clicks                   0: a stage says nothing of the next
interleaving  finding the relevant clicks among others      0: one interest at a time
gap           holding a state over irrelevant clicks        0: no irrelevant click
slow          averaging (1) against remembering (0)         0: only stages decide, 1: only tiers
noise         nothing: it hides both traits                 0: no click out of line
"""

from __future__ import annotations

from functools import cache

import numpy as np

from dien_edu.data.interactions import Interactions

CATALOGUE = {
    "photography": "first camera, lens, tripod, camera bag, flash, photo printer",
    "cooking": "frying pan, chef's knife, cutting board, stand mixer, pasta machine, smoker",
    "cycling": "city bike, helmet, bike lights, pannier, road shoes, power meter",
    "gardening": "flower pots, trowel, seed tray, raised bed, greenhouse, compost bin",
    "running": "running shoes, sports watch, hydration vest, gels, foam roller, race number belt",
    "music": "ukulele, guitar, tuner, pedal, amplifier, audio interface",
    "camping": "tent, sleeping bag, stove, head torch, water filter, satellite beacon",
    "painting": "watercolours, brushes, sketchbook, easel, oil paints, varnish",
    "coffee": "moka pot, coffee beans, hand grinder, scale, gooseneck kettle, espresso machine",
    "woodwork": "saw, clamps, chisels, plane, router, workbench",
    "astronomy": "star chart, binoculars, telescope, eyepiece, tracking mount, filter wheel",
    "sewing": "needles, thread, fabric, sewing machine, pattern book, overlocker",
}
TIERS = ("simple", "premium")
STAGES = 6


@cache
def catalogue() -> tuple[list[str], np.ndarray]:
    """Item names "tripod (good)" and the traits (I + 1, 3): interest, stage, tier; row 0 is −1."""
    names, traits = [""], [(-1, -1, -1)]
    for interest, stages in enumerate(CATALOGUE.values()):
        for stage, thing in enumerate(stages.split(", ")):
            for tier, grade in enumerate(TIERS):
                names.append(f"{thing} ({grade})")
                traits.append((interest, stage, tier))
    return names, np.array(traits, dtype=np.int64)


def item_number(interest: np.ndarray, stage: np.ndarray, tier: np.ndarray) -> np.ndarray:
    """The item with these traits, any shape; the inverse of `catalogue()[1]`."""
    return 1 + (interest * STAGES + stage) * len(TIERS) + tier


def interest_world(
    *,
    n_users: int = 5000,
    n_steps: int = 16,
    interests_per_user: int = 2,
    drift: float = 0.01,
    order: float = 1.0,
    interleaving: float = 0.3,
    gap: float = 0.15,
    slow: float = 0.3,
    noise: float = 0.05,
    n_shown: int = 4,
    seed: int = 0,
) -> Interactions:
    """Generate `n_users` histories of `n_steps` clicks; the knobs are explained above.

    `gap` is the mean number of irrelevant clicks (items of interests that the user does not have)
    between two relevant ones; the other knobs and `drift` (one interest replaced by a new one) are
    probabilities of a step. `truth` has, for each click, `interest`, `stage`, `tier` (the user's
    preferred one) and `relevant` (False: noise between the interests), and `traits` of each item.
    ValueError for a knob out of its range.
    """
    shares = {"drift": drift, "order": order, "interleaving": interleaving}
    shares |= {"slow": slow, "noise": noise}
    for name, value in shares.items():
        _check(name, value, 0 <= value <= 1, "0 to 1")
    _check("gap", gap, gap >= 0, "0 or more")
    _check("n_users", n_users, n_users >= 1, "1 or more")
    _check("n_steps", n_steps, n_steps >= 2, "2 or more")
    _check("n_shown", n_shown, n_shown >= 1, "1 or more")
    top = len(CATALOGUE) - 1
    _check("interests_per_user", interests_per_user, 1 <= interests_per_user <= top, f"1 to {top}")
    rng = np.random.default_rng(seed)
    world = _Users(rng, n_users, interests_per_user)
    steps = []
    for _ in range(n_steps):
        world.drift(drift)
        world.switch(interleaving)
        steps.append(world.click(order, gap / (1 + gap), noise))
    clicks = {key: np.stack([s[key] for s in steps], axis=1).ravel() for key in steps[0]}
    shown = _shown(rng, clicks, n_shown, slow)
    return _interactions(clicks, shown, n_users, n_steps)


def _check(name: str, value: float, valid: bool, expected: str) -> None:
    if not valid:
        raise ValueError(f"{name} is {value}, expected {expected}")


class _Users:
    """The state of all users at one step: k interests each, a stage and a tier for every one."""

    def __init__(self, rng: np.random.Generator, n_users: int, k: int):
        self.rng, self.rows, self.k = rng, np.arange(n_users), k
        shuffled = rng.permuted(np.tile(np.arange(len(CATALOGUE)), (n_users, 1)), axis=1)
        self.interests = shuffled  # the first k are the user's, the rest are not
        self.stage = np.zeros(shuffled.shape, dtype=np.int64)  # by interest, not by place
        self.tier = rng.integers(len(TIERS), size=shuffled.shape)
        self.active = rng.integers(k, size=n_users)

    def drift(self, probability: float) -> None:
        """Replace one of a user's interests by one the user did not have."""
        moved = np.flatnonzero(self.rng.random(len(self.rows)) < probability)
        mine = self.rng.integers(self.k, size=len(moved))
        other = self.rng.integers(self.k, len(CATALOGUE), size=len(moved))
        pair = self.interests[moved, mine], self.interests[moved, other]
        self.interests[moved, other], self.interests[moved, mine] = pair

    def switch(self, probability: float) -> None:
        """Turn to another of the user's interests."""
        if self.k > 1:
            moved = self.rng.random(len(self.rows)) < probability
            by = self.rng.integers(1, self.k, size=len(self.rows))
            self.active = np.where(moved, (self.active + by) % self.k, self.active)

    def click(self, order: float, filler: float, noise: float) -> dict[str, np.ndarray]:
        """One click of every user; an irrelevant one leaves all stages as they are."""
        rng, rows, size = self.rng, self.rows, len(self.rows)
        relevant = rng.random(size) >= filler
        place = np.where(relevant, self.active, rng.integers(self.k, len(CATALOGUE), size=size))
        interest = self.interests[rows, place]
        stage, tier = self.stage[rows, interest], self.tier[rows, interest]
        random_stage = rng.integers(STAGES, size=size)
        random_tier = rng.integers(len(TIERS), size=size)
        out_of_line = ~relevant | (rng.random(size) < noise)
        # a tier shows in 6 of 10 clicks only: one click is weak evidence, an average is strong
        other_tier = out_of_line | (rng.random(size) < 0.4)
        item = item_number(
            interest,
            np.where(out_of_line, random_stage, stage),
            np.where(other_tier, random_tier, tier),
        )
        in_order = rng.random(size) < order
        following = np.where(in_order, (stage + 1) % STAGES, rng.integers(STAGES, size=size))
        self.stage[rows, interest] = np.where(relevant, following, stage)
        return dict(item=item, interest=interest, stage=stage, tier=tier, relevant=relevant)


def _shown(
    rng: np.random.Generator, clicks: dict[str, np.ndarray], n_shown: int, slow: float
) -> np.ndarray:
    """(N, n_shown) items of the click's interest that differ in tier (`slow`) or in stage."""
    interest, stage, tier = (c[:, None] for c in catalogue()[1][clicks["item"]].T)
    shape = (len(clicks["item"]), n_shown)
    by_tier = rng.random(shape) < slow
    other_stage = (stage + rng.integers(1, STAGES, size=shape)) % STAGES
    other_tier = (tier + rng.integers(1, len(TIERS), size=shape)) % len(TIERS)
    return item_number(
        interest, np.where(by_tier, stage, other_stage), np.where(by_tier, other_tier, tier)
    )


def _interactions(clicks: dict, shown: np.ndarray, n_users: int, n_steps: int) -> Interactions:
    names, traits = catalogue()
    truth = {key: value for key, value in clicks.items() if key != "item"}
    return Interactions(
        name="interest-world",
        item=clicks["item"],
        time=np.tile(np.arange(n_steps), n_users),
        user_start=np.arange(n_users + 1) * n_steps,
        category_of_item=traits[:, 0] + 1,
        item_names=names,
        category_names=["", *CATALOGUE],
        shown=shown,
        truth={**truth, "traits": traits},
    )
