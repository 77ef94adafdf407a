"""Hold a trained model against what only a generated world knows (chapters 04 to 08)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from dien_edu.data.samples import Batch, Samples
from dien_edu.models import ClickModel

BATCH = 1024


def relevance(samples: Samples, batch: Batch) -> Tensor:
    """(B, T) bool: is the click of a step of the interest that the target belongs to?

    ValueError for data whose true interests are not known.
    """
    interest = torch.from_numpy(_truth(samples)["traits"][:, 0]).to(batch.label.device)
    return (interest[batch.history_item] == interest[batch.target_item][:, None]) & batch.mask


def attention_precision(model: ClickModel, samples: Samples) -> dict[str, float]:
    """How well attention finds the relevant steps, over the samples with steps of both kinds.

    mass    the share of the attention that stands on relevant steps
    chance  the share of the steps that are relevant: what uniform attention would get
    top     the share of samples whose largest score stands on a relevant step

    Where scores are not a softmax (DIN) a mass means nothing; `top` does. Chapter 05.
    """
    rows = []
    for batch, relevant, mixed in _with_relevance(model, samples):
        attention = model.trace(batch).attention
        top = attention.masked_fill(~batch.mask, float("-inf")).argmax(dim=1, keepdim=True)
        chance = relevant.sum(1) / batch.history_length
        mass = (attention * relevant).sum(1) / attention.sum(1)
        found = torch.stack([mass, chance, relevant.gather(1, top)[:, 0].float()])
        rows.append(found[:, mixed].double())
    means = torch.cat(rows, dim=1).mean(dim=1).tolist()
    return dict(zip(("mass", "chance", "top"), means, strict=True))


def movement(model: ClickModel, samples: Samples) -> dict[str, float]:
    """How far a step moves the evolved state, ‖h'_t − h'_{t−1}‖, on steps of either kind.

    Means over all steps of the samples with steps of both kinds, first steps left out: from
    h'_0 = 0 any click moves the state. Keys: relevant, irrelevant. Chapter 08.
    """
    sums = torch.zeros(2, 2)
    for batch, relevant, mixed in _with_relevance(model, samples):
        evolved = model.trace(batch).evolved
        moved = (evolved[:, 1:] - evolved[:, :-1]).norm(dim=-1)
        kinds = torch.stack([relevant, batch.mask & ~relevant])[:, :, 1:] & mixed[:, None]
        sums += torch.stack([(moved * kinds).sum((1, 2)), kinds.sum((1, 2))]).cpu()
    return dict(zip(("relevant", "irrelevant"), (sums[0] / sums[1]).tolist(), strict=True))


def interests_and_truth(
    model: ClickModel, samples: Samples
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The interest h_t at each relevant click of the split's users, and what is true there.

    (N, n_H), and (N,) each: interest, stage, tier of the click's interest at that moment, and
    next_interest, the interest of the click that follows. The last click of a user has no next one
    and is left out, as are clicks that lie more than `max_history` before it.
    """
    truth = _truth(samples)
    last = np.isin(samples.event + 1, samples.interactions.user_start) & (samples.label == 1)
    part, states, events = samples.subset(np.flatnonzero(last)), [], []
    for rows, batch in zip(part.order(BATCH, None), _batches(model, part), strict=True):
        mask = batch.mask.cpu().numpy()
        first = part.event[rows] - part.length[rows]
        events.append((first[:, None] + np.arange(mask.shape[1]))[mask])
        states.append(model.trace(batch).interests.cpu().numpy()[mask])
    state, event = np.concatenate(states), np.concatenate(events)
    state, event = (array[truth["relevant"][event]] for array in (state, event))
    labels = {key: truth[key][event] for key in ("interest", "stage", "tier")}
    return state, labels | {"next_interest": truth["interest"][event + 1]}


def probe(
    state: np.ndarray, label: np.ndarray, test_state: np.ndarray, test_label: np.ndarray
) -> float:
    """Accuracy of a linear probe: what of `label` can be read off the state without effort.

    Least squares on one-hot labels: (N, n_H), (N,) to learn from, (M, n_H), (M,) to score on.
    """
    kinds = np.unique(label)
    weights = np.linalg.lstsq(_with_one(state), label[:, None] == kinds, rcond=None)[0]
    return float((kinds[(_with_one(test_state) @ weights).argmax(1)] == test_label).mean())


def _with_one(state: np.ndarray) -> np.ndarray:
    return np.column_stack([state, np.ones(len(state))]).astype(np.float64)


def _truth(samples: Samples) -> dict[str, np.ndarray]:
    data = samples.interactions
    if "traits" not in data.truth:
        raise ValueError(f"{data.name} has no known truth: use load('interest-world')")
    return data.truth


def _batches(model: ClickModel, samples: Samples) -> Iterator[Batch]:
    device = next(model.parameters()).device
    return samples.batches(BATCH, negatives=False, device=device)


def _with_relevance(model: ClickModel, samples: Samples) -> Iterator[tuple[Batch, Tensor, Tensor]]:
    """Each batch, its relevant steps (B, T), and the samples with steps of both kinds (B,)."""
    for batch in _batches(model, samples):
        relevant = relevance(samples, batch)
        yield batch, relevant, relevant.any(dim=1) & (batch.mask & ~relevant).any(dim=1)
