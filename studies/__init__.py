"""Recordings behind the book that take longer than a chapter may: `python -m studies.NAME`."""
