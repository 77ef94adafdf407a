"""Answer requests with a trained DIEN: what is kept for a user, what candidates share (chapter 15).

A click moves the extractor by one step, so its state is kept and a click costs one step, however
long the history. The evolving layer reads the target: it starts anew with each candidate, and its
attention needs all the interests that it looks back on. So those are kept as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dien_edu.layers import masked_softmax
from dien_edu.layers.gru import Recurrence
from dien_edu.models import DIEN
from dien_edu.models.base import BehaviourEmbedding


def embed(embedding: BehaviourEmbedding, item: Tensor, category: Tensor) -> Tensor:
    """As `embedding` itself, (…, n_E), in operations that `torch.export` knows."""
    return torch.cat([embedding.item(item), embedding.category(category)], dim=-1)


def walk(
    layer: Recurrence, inputs: Tensor, attention: Tensor | None, valid: Tensor, rows: int
) -> tuple[Tensor, Tensor]:
    """One history (1, T, I), real steps (T,), read by `rows` walks: all states and the last ones.

    By the layer's kernel, or, where `torch.export` looks on, by its loop. In the loop W i_t + b is
    computed once for all rows (for AIGRU not: its input depends on the score). The kernel computes
    it anew in each row and is faster all the same.
    """
    state = inputs.new_zeros(rows, layer.hidden_size)
    if torch.compiler.is_compiling():
        projected = layer.project(layer.read(inputs, attention))
        states = layer.walk(projected, attention, valid[None], state)
        return states, states[:, -1]
    return layer.run(inputs.expand(rows, -1, -1), attention, valid.expand(rows, -1), state)


class Click(nn.Module):
    """One click later: item, category (B,), state (B, n_H) -> the new state, the interest h_t."""

    def __init__(self, model: DIEN):
        super().__init__()
        self.embedding, self.extractor = model.embedding, model.extractor

    def forward(self, item: Tensor, category: Tensor, state: Tensor) -> Tensor:
        return self.extractor.step(embed(self.embedding, item, category), state)


class Candidates(nn.Module):
    """C candidates of one user: interests (T, n_H), Σ e_b (n_E,), real steps (T,), ids (C,) twice.

    Gives logits (C,). Shared by all: the interests and the sum, which come from outside. Each on
    its own: equation (8), the walk of the evolving layer, the head.
    """

    def __init__(self, model: DIEN):
        super().__init__()
        self.embedding, self.attention = model.embedding, model.attention
        self.evolution, self.head = model.evolution, model.head

    def forward(
        self, interests: Tensor, total: Tensor, valid: Tensor, item: Tensor, category: Tensor
    ) -> Tensor:
        target = embed(self.embedding, item, category)  # (C, n_A)
        scores = target @ self.attention.weight.T @ interests.T  # (C, T), no copy of a history
        attention = masked_softmax(scores, valid.expand_as(scores))
        rows = target.shape[0]
        _, last = walk(self.evolution, interests[None], attention, valid, rows)
        total = total.expand(rows, -1)
        return self.head(torch.cat([target, total, target * total, last], dim=1)).squeeze(1)


class Request(nn.Module):
    """The same with nothing kept: ids of clicks (T,) twice, real steps (T,), ids (C,) twice.

    The extractor walks once, whatever C is.
    """

    def __init__(self, model: DIEN):
        super().__init__()
        self.extractor, self.candidates = model.extractor, Candidates(model)

    def forward(
        self, clicked: Tensor, kind: Tensor, valid: Tensor, item: Tensor, category: Tensor
    ) -> Tensor:
        history = embed(self.candidates.embedding, clicked, kind)  # (T, n_E)
        interests = walk(self.extractor, history[None], None, valid, 1)[0][0]
        total = (history * valid[:, None]).sum(dim=0)
        return self.candidates(interests, total, valid, item, category)


@dataclass
class Kept:
    """What is remembered of a user: a ring of `keep` clicks, ids (keep,) twice, h_t (keep, n_H).

    `count` clicks have come so far; click number n stands in row n modulo `keep`.
    """

    item: Tensor
    category: Tensor
    interests: Tensor
    count: int = 0

    def oldest_first(self) -> tuple[Tensor, Tensor, Tensor]:
        """The clicks that are still there, (n,), (n,), (n, n_H)."""
        rings, place = (self.item, self.category, self.interests), self.count % len(self.item)
        if self.count <= len(self.item):
            return tuple(ring[: self.count] for ring in rings)
        return tuple(torch.cat([ring[place:], ring[:place]]) for ring in rings)


class Server:
    """Users' states in memory: `click` advances one, `score` answers a request.

    `keep`: how many clicks the attention looks back on. The extractor's state has read all clicks,
    so for a longer history it is not what the model gives that reads the last `keep` alone.
    """

    def __init__(self, model: DIEN, keep: int = 50):
        if keep < 1:
            raise ValueError(f"keep is {keep}, expected at least 1")
        self.keep, self.model = keep, model.eval()
        self.one_click, self.candidates = Click(model), Candidates(model)
        self.users: dict[int, Kept] = {}

    def kept(self, user: int) -> Kept:
        """What is known of the user; an empty ring for a new one."""
        if user in self.users:
            return self.users[user]
        weight = self.model.extractor.weight_hidden
        ids = torch.zeros(2, self.keep, dtype=torch.int64, device=weight.device)
        return Kept(*ids, weight.new_zeros(self.keep, weight.shape[1]))

    @torch.no_grad()
    def click(self, user: int, item: int, category: int) -> None:
        """The user clicked: one step of the extractor, and the oldest click may be forgotten."""
        known = self.users[user] = self.kept(user)
        place, before = known.count % self.keep, (known.count - 1) % self.keep
        ids = (known.item.new_tensor([number]) for number in (item, category))
        state = known.interests[before : before + 1]  # of a new user: 0
        known.item[place], known.category[place] = item, category
        known.interests[place] = self.one_click(*ids, state)[0]
        known.count += 1

    @torch.no_grad()
    def score(self, user: int, item: Tensor, category: Tensor) -> Tensor:
        """Logits of the candidates, int64 (C,) twice -> (C,)."""
        clicked, kind, interests = self.kept(user).oldest_first()
        total = embed(self.model.embedding, clicked, kind).sum(dim=0)
        valid = torch.ones(len(clicked), dtype=torch.bool, device=clicked.device)
        return self.candidates(interests, total, valid, item, category)
