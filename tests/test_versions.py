"""What we allow: bounds that are tried, and nothing that will stop working."""

from __future__ import annotations

import re
import tomllib
import warnings
from pathlib import Path

import pytest
import versions
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("kind", [DeprecationWarning, PendingDeprecationWarning, FutureWarning])
def test_what_will_stop_working_is_an_error_in_our_code(kind):
    """Wherever in the package it is called, at any depth; elsewhere it is a warning."""
    for module in ("dien_edu", "dien_edu.training.fit", "studies.again"):
        with pytest.raises(kind):
            warnings.warn_explicit("old", kind, "file.py", 1, module=module, registry={})
    with pytest.warns(kind):
        warnings.warn_explicit("old", kind, "file.py", 1, module="numpy.core", registry={})


def test_every_dependency_has_a_lower_bound_and_is_shown():
    lines = list(map(Requirement, versions.requirements()))
    assert {"torch", "numpy", "matplotlib", "ipywidgets"} <= {line.name for line in lines}
    for line in lines:
        assert [s.operator for s in line.specifier] == [">="], f"{line}: `make versions` tries it"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    assert project["requires-python"] == f">={versions.PYTHONS[0]}"
    assert set(versions.SHOWN) <= {line.name for line in lines}


def test_each_environment_is_tried_each_week():
    text = (ROOT / ".github/workflows/versions-weekly.yml").read_text("utf8")
    for python in versions.PYTHONS:
        assert f'"{python}"' in text
    (ends,) = re.findall(r"end: \[(.*)\]", text)
    assert ends.split(", ") == list(versions.ENDS)
    for name in (*versions.TESTS, *versions.FILES):
        assert (ROOT / "tests" / name).exists()


def test_an_unknown_environment_is_named():
    with pytest.raises(SystemExit, match="'3.9:latest' is none of 3.11:oldest"):
        versions.main(["3.9:latest"])
