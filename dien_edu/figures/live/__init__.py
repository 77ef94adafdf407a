"""Live figures: they recompute the model as one number moves, with and without a kernel."""

from dien_edu.figures.live.attention import AttentionFigure
from dien_edu.figures.live.evolution import EvolutionFigure
from dien_edu.figures.live.gates import GatesFigure
