"""Answer requests with a trained DIEN: what is kept for a user, what candidates share (chapter 15).

A click moves the extractor by one step, so its state is kept and a click costs one step, however
long the history. The evolving layer reads the target: it starts anew with each candidate, and its
attention needs all the interests that it looks back on. So those are kept as well.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from dien_edu.layers import masked_softmax
from dien_edu.models import DIEN
from dien_edu.models.base import BehaviourEmbedding


def embed(embedding: BehaviourEmbedding, item: Tensor, category: Tensor) -> Tensor:
    """As `embedding` itself, (…, n_E), in operations that `torch.export` knows."""
    return torch.cat([embedding.item(item), embedding.category(category)], dim=-1)


class Click(nn.Module):
    """One click later: item, category (B,), state (B, n_H) -> the new state, the interest h_t."""

    def __init__(self, model: DIEN):
        super().__init__()
        self.embedding, self.extractor = model.embedding, model.extractor

    def forward(self, item: Tensor, category: Tensor, state: Tensor) -> Tensor:
        return self.extractor.step(embed(self.embedding, item, category), state)


class Candidates(nn.Module):
    """C candidates of one user: interests (T, n_H), Σ e_b (n_E,), real steps (T,) -> logits (C,).

    Once for all: the interests and what the gates of the evolving layer read of them, W h_t (for
    AIGRU not: its input depends on the score). Once a candidate: equation (8), the walk, the head.
    The interests have no axis of candidates, so nothing is copied for each.
    """

    def __init__(self, model: DIEN):
        super().__init__()
        self.embedding, self.attention = model.embedding, model.attention
        self.evolution, self.head = model.evolution, model.head

    def forward(
        self, interests: Tensor, total: Tensor, valid: Tensor, item: Tensor, category: Tensor
    ) -> Tensor:
        target = embed(self.embedding, item, category)  # (C, n_A)
        scores = target @ self.attention.weight.T @ interests.T  # (C, T)
        attention = masked_softmax(scores, valid.expand_as(scores))
        state = interests.new_zeros(item.shape[0], interests.shape[1])
        for h, a, real in zip(interests, attention.unbind(1), valid, strict=True):
            state = torch.where(real, self.evolution.step(h, a, state), state)
        total = total.expand(item.shape[0], -1)
        features = torch.cat([target, total, target * total, state], dim=1)
        return self.head(features).squeeze(1)


class Request(nn.Module):
    """The same from the clicks themselves, nothing kept: ids (T,) twice, real steps (T,), ids (C,)
    twice -> logits (C,). The extractor walks once, whatever C is."""

    def __init__(self, model: DIEN):
        super().__init__()
        self.click, self.candidates = Click(model), Candidates(model)

    def forward(
        self, clicked: Tensor, kind: Tensor, valid: Tensor, item: Tensor, category: Tensor
    ) -> Tensor:
        state = self.click.extractor.weight_hidden.new_zeros(1, self.click.extractor.hidden_size)
        interests = []
        for i, k, real in zip(clicked[:, None], kind[:, None], valid, strict=True):
            state = torch.where(real, self.click(i, k, state), state)
            interests.append(state)
        total = (embed(self.click.embedding, clicked, kind) * valid[:, None]).sum(dim=0)
        return self.candidates(torch.cat(interests), total, valid, item, category)


class Kept(NamedTuple):
    """What is remembered of a user: n clicks at most, int64 (n,) twice, and h_t (n, n_H)."""

    item: Tensor
    category: Tensor
    interests: Tensor


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
        """What is known of the user; nothing of a new one."""
        weight = self.model.extractor.weight_hidden
        none = torch.zeros(0, dtype=torch.int64, device=weight.device)
        return self.users.get(user) or Kept(none, none, weight.new_zeros(0, weight.shape[1]))

    @torch.no_grad()
    def click(self, user: int, item: int, category: int) -> None:
        """The user clicked: one step of the extractor, and the oldest click is forgotten."""
        old = self.kept(user)
        start = old.interests.new_zeros(1, old.interests.shape[1])
        state = torch.cat([start, old.interests])[-1:]
        new = old.item.new_tensor([item]), old.item.new_tensor([category])
        added = Kept(*new, self.one_click(*new, state))
        both = (torch.cat(pair)[-self.keep :] for pair in zip(old, added, strict=True))
        self.users[user] = Kept(*both)

    @torch.no_grad()
    def score(self, user: int, item: Tensor, category: Tensor) -> Tensor:
        """Logits of the candidates, int64 (C,) twice -> (C,)."""
        clicked, kind, interests = self.kept(user)
        total = embed(self.model.embedding, clicked, kind).sum(dim=0)
        valid = torch.ones(len(clicked), dtype=torch.bool, device=clicked.device)
        return self.candidates(interests, total, valid, item, category)
