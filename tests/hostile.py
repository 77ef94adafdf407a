"""Titles that try to be markup, a script or a formula."""

from __future__ import annotations

SCRIPT = "<script>document.title='ran'</script>"
EVIL = [
    SCRIPT,
    "'><img src=x onerror=\"document.title='ran'\">",
    "</script><script>document.title='ran'</script>",
    "</figure></gates-figure><svg onload=\"document.title='ran'\">",
    "&lt;b&gt; \" ' & <!-- ]]> {{7*7}} ${7*7} javascript:alert(1)",
]
TITLES = [
    *EVIL, "A $5 bill and $10", r"$\frac{1$ and $x", r"\alpha $\undefined$ _^{", "100% & 5_000",
]  # fmt: skip
