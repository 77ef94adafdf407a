"""Long measurements whose results the book quotes: each module records one file of book/results."""
