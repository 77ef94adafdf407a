"""Three ways to let an attention score steer a GRU: AIGRU, AGRU, AUGRU (chapters 06–08).

The three differ from the plain GRU in one line each; what they share is `Recurrence`.
"""

from __future__ import annotations

from torch import Tensor

from dien_edu.layers.gru import Recurrence


class AttentionalGRU(Recurrence):
    """The interface that the three share; a GRU whose step also sees a score a_t in [0, 1]."""

    def forward(
        self, inputs: Tensor, attention: Tensor, mask: Tensor, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(B, T, I), (B, T), bool (B, T) -> states h'_t (B, T, H) and the last one (B, H).

        Raises ValueError for a wrong shape, a mask that is not Boolean, or left padding.
        """
        return self.run(inputs, attention, mask, state)

    def step(self, input: Tensor, attention: Tensor, state: Tensor) -> Tensor:
        """One click later: (B, I), (B,), (B, H) -> (B, H)."""
        return self.advance(self.project(self.read(input, attention)), attention, state)


class AIGRU(AttentionalGRU):
    """GRU with attentional input: the input is a_t · h_t, equation (9), chapter 06.

    A zero score does not hold the state still: a GRU moves on a zero input too.
    """

    rule = "gru"

    def read(self, inputs: Tensor, attention: Tensor) -> Tensor:
        return attention[..., None] * inputs


class AGRU(AttentionalGRU):
    """Attention-based GRU: a_t takes the place of the update gate, equation (10), chapter 07.

    The update third of each parameter is dead: it exists so that the four recurrences share one
    layout, its gradient is 0, and `dead_parameters` lets a count leave it out.
    """

    rule = "agru"

    @property
    def dead_parameters(self) -> int:
        """How many numbers the output never depends on: a third of all."""
        return sum(p.numel() for p in self.parameters()) // 3

    def step_size(self, update_gate: Tensor, attention: Tensor) -> Tensor:
        return attention[..., None].expand_as(update_gate)


class AUGRU(AttentionalGRU):
    """GRU with attentional update gate: ũ_t = a_t · u_t, equations (11), (12), chapter 08.

    a = 1 is a plain GRU step, a = 0 leaves the state as it is, to the bit.
    """

    rule = "augru"

    def step_size(self, update_gate: Tensor, attention: Tensor) -> Tensor:
        return attention[..., None] * update_gate


EVOLUTIONS = {"aigru": AIGRU, "agru": AGRU, "augru": AUGRU}
