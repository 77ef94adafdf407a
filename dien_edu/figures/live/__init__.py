"""Live figures: they recompute the model as one number moves, with and without a kernel."""

from dien_edu.figures.live.attention import AttentionFigure
from dien_edu.figures.live.auxiliary import AuxiliaryFigure
from dien_edu.figures.live.budget import BudgetFigure
from dien_edu.figures.live.curves import LearningCurvesFigure
from dien_edu.figures.live.evolution import EvolutionFigure
from dien_edu.figures.live.explorer import ExplorerFigure
from dien_edu.figures.live.gates import GatesFigure
from dien_edu.figures.live.glance import GlanceFigure
from dien_edu.figures.live.guess import GuessFigure
from dien_edu.figures.live.ranking import RankingFigure
