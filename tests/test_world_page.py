"""The page on data sets says of interest-world's knobs what the code says."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from dien_edu.data.world import interest_world

PAGE = Path(__file__).parent.parent / "book" / "appendix" / "datasets.md"


def test_the_defaults_on_the_page_are_those_of_the_code():
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", PAGE.read_text(encoding="utf8"), re.M)
    defaults = {k: p.default for k, p in inspect.signature(interest_world).parameters.items()}
    assert {"order", "interleaving", "gap", "slow", "noise"} <= {name for name, _ in rows}
    for name, value in rows:
        assert float(value) == defaults[name], name
