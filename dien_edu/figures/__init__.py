"""What the book draws: the palette, static plots and live figures."""

from dien_edu.figures.style import INTERESTS, MODELS, QUANTITIES, use_book_style
