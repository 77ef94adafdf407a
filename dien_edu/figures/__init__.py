"""What the book draws: the palette, static plots and live figures."""

from dien_edu.figures.style import INTERESTS, MODELS, QUANTITIES, use_book_style
from dien_edu.figures.trajectories import draw_attention_map, draw_step_sizes, draw_trajectories
