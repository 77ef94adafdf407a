"""What a study does with the record that it finds."""

from __future__ import annotations

import json

import pytest

from studies import resume


def made(sources: str, data: str = "films") -> dict:
    return {"provenance": {"sources": sources, "data": data, "date": "today"}, "runs": []}


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A record of the state "old"; "old" and "new" give the same numbers."""
    monkeypatch.setattr(resume, "AGAIN", tmp_path / "again.json")
    resume.AGAIN.write_text(json.dumps({"states": ["old", "new"]}))
    path = tmp_path / "record.json"
    path.write_text(json.dumps(made("old")))
    return path


def test_a_record_of_the_same_state_goes_on_as_it_is(path):
    assert resume.opened(path, made("old")) == made("old")
    assert resume.opened(path.with_name("none.json"), made("old")) == made("old")


def test_a_state_with_the_same_numbers_goes_on_and_is_named(path):
    found = resume.opened(path, made("new"))
    assert found["provenance"]["continued"] == [{"sources": "new", "date": "today"}]
    path.write_text(json.dumps(found))
    assert resume.opened(path, made("new")) == found, "named once"


@pytest.mark.parametrize(
    ("other", "what"), [(made("changed"), "sources"), (made("old", "books"), "data")]
)
def test_other_numbers_or_data_are_refused(path, other, what):
    with pytest.raises(ValueError, match=f"recorded with other {what}: move it away"):
        resume.opened(path, other)
