"""The gated recurrent unit as the paper writes it, equations (2)–(5) (chapter 03)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dien_edu import kernels
from dien_edu.layers.checks import check_mask, check_shape


class Recurrence(nn.Module):
    """Parameters, gates and the walk along a history, shared by GRU, AIGRU, AGRU and AUGRU.

    `weight_input` (3H, I), `weight_hidden` (3H, H), `bias` (3H,), in the order update, reset,
    candidate. A subclass says with `step_size` how far a step moves the state.

    `backend` "auto" walks with a fused kernel where there is one, "reference" with the loop in
    `walk`, "fused" with the kernel or not at all. `rule` is the name by which the kernels know what
    a class computes. It belongs to the class that sets it and is not inherited: a subclass may
    compute something else, so it walks with the loop.

    Input weights start Xavier-uniform and biases at 0, so gates start half open. Recurrent
    weights start orthogonal, gate by gate, so a state keeps its length through U at first.
    """

    rule: str | None = None

    def __init__(self, input_size: int, hidden_size: int, backend: str = "auto"):
        super().__init__()
        if input_size < 1 or hidden_size < 1:
            raise ValueError(f"sizes are ({input_size}, {hidden_size}), expected at least 1 each")
        if backend not in kernels.BACKENDS:
            known = ", ".join(kernels.BACKENDS)
            raise ValueError(f"backend is {backend!r}, expected one of {known}")
        self.input_size, self.hidden_size, self.backend = input_size, hidden_size, backend
        self.weight_input = nn.Parameter(torch.empty(3 * hidden_size, input_size))
        self.weight_hidden = nn.Parameter(torch.empty(3 * hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.empty(3 * hidden_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new weights, see the class; each of the three blocks on its own."""
        for weight, draw in (
            (self.weight_input, nn.init.xavier_uniform_),
            (self.weight_hidden, nn.init.orthogonal_),
        ):
            for block in weight.chunk(3):
                draw(block)
        nn.init.zeros_(self.bias)

    def project(self, inputs: Tensor) -> Tensor:
        """W i_t + b for all three gates at once: (…, I) -> (…, 3H)."""
        return F.linear(inputs, self.weight_input, self.bias)

    def gates(self, projected: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Equations (2), (3), (4): u, r, h̃ from W i + b (…, 3H) and the state (…, H)."""
        x_update, x_reset, x_candidate = projected.chunk(3, dim=-1)
        h_update, h_reset, h_candidate = F.linear(state, self.weight_hidden).chunk(3, dim=-1)
        update_gate = torch.sigmoid(x_update + h_update)
        reset_gate = torch.sigmoid(x_reset + h_reset)
        candidate = torch.tanh(x_candidate + reset_gate * h_candidate)
        return update_gate, reset_gate, candidate

    def step_size(self, update_gate: Tensor, attention: Tensor | None) -> Tensor:
        """The share of the candidate in the new state: u for a plain GRU, equation (5)."""
        return update_gate

    def advance(self, projected: Tensor, attention: Tensor | None, state: Tensor) -> Tensor:
        """One step from a projected input: (B, 3H), (B,), (B, H) -> (B, H)."""
        update_gate, _, candidate = self.gates(projected, state)
        step_size = self.step_size(update_gate, attention)
        return (1 - step_size) * state + step_size * candidate

    def walk(
        self, projected: Tensor, attention: Tensor | None, mask: Tensor, state: Tensor
    ) -> Tensor:
        """All states, (B, T, H); a padded step copies the state. This is backend="reference".

        The loop goes over `unbind`, not over slices `x[:, t]`: the gradient of a slice is a full
        tensor of zeros, so slicing makes the backward pass quadratic in T (chapter 14).
        """
        steps = projected.shape[1]
        scores = attention.unbind(1) if attention is not None else (None,) * steps
        states = []
        for x, a, valid in zip(projected.unbind(1), scores, mask.unbind(1), strict=True):
            state = torch.where(valid[:, None], self.advance(x, a, state), state)
            states.append(state)
        return torch.stack(states, dim=1)

    def run(
        self, inputs: Tensor, attention: Tensor | None, mask: Tensor, state: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Check, start at `state` or 0, walk: the states (B, T, H) and the last one (B, H)."""
        check_shape("inputs", inputs, None, None, self.input_size)
        batch, steps, _ = inputs.shape
        check_mask(mask, batch, steps)
        if attention is not None:
            check_shape("attention", attention, batch, steps)
        if state is None:
            state = inputs.new_zeros(batch, self.hidden_size)
        check_shape("state", state, batch, self.hidden_size)
        if steps == 0:
            return inputs.new_zeros(batch, 0, self.hidden_size), state
        read = self.read(inputs, attention)
        weights = (self.weight_input, self.weight_hidden, self.bias)
        rule = vars(type(self)).get("rule")
        fused = kernels.run(rule, read, attention, mask, state, weights, self.backend)
        if fused is not None:
            return fused
        states = self.walk(self.project(read), attention, mask, state)
        return states, states[:, -1]

    def read(self, inputs: Tensor, attention: Tensor | None) -> Tensor:
        """What the gates see as input, (…, I); attention (…)."""
        return inputs

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, backend={self.backend!r}"


class GRU(Recurrence):
    """The extractor: h_t = (1 − u_t) ∘ h_{t−1} + u_t ∘ h̃_t, equations (2)–(5), chapter 03.

    `torch.nn.GRU` calls z = 1 − u the update gate and has a second bias inside r ∘ (·).
    """

    rule = "gru"

    def forward(
        self, inputs: Tensor, mask: Tensor, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(B, T, I), bool (B, T) -> states (B, T, H) and the last state (B, H).

        Raises ValueError for a wrong shape, a mask that is not Boolean, or left padding.
        """
        return self.run(inputs, None, mask, state)

    def step(self, input: Tensor, state: Tensor) -> Tensor:
        """One click later: (B, I), (B, H) -> (B, H)."""
        return self.advance(self.project(input), None, state)
