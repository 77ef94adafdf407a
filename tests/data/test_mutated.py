"""10,000 mutated files: the same counts, other counts with a word about it, or our own error."""

from __future__ import annotations

from random import Random

import mutate
import numpy as np
import pytest

from dien_edu.data import DataError

FILES = 1000  # of each kind; other seeds and more files: make fuzz ARGS="--files 100000 --seed 1"
KINDS = mutate.kinds()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_each_is_refused_or_loads_soundly(kind):
    found = mutate.mutate(kind, FILES, seed=0)
    assert sum(found.values()) == FILES
    assert found["refused"] > FILES // 3, "most damage is found"
    if kind.hashed and not kind.parser:
        assert set(found) <= {"refused", "same counts"}, "the hash lets nothing else through"


def test_there_are_ten_thousand():
    assert len(KINDS) * FILES >= 10_000
    assert len({str(kind) for kind in KINDS}) == len(KINDS)


@pytest.fixture
def wheel(tmp_path):
    """The loader of one kind, with its miniature file in place."""
    (kind,) = (kind for kind in KINDS if str(kind) == "movielens wheel, parser")
    return mutate.Loader(kind, tmp_path)


def test_another_error_than_ours_is_found(monkeypatch):
    def load(name, real=mutate.load):
        try:
            return real(name)
        except DataError as error:
            raise KeyError("item") from error

    monkeypatch.setattr(mutate, "load", load)
    with pytest.raises(AssertionError, match=r"seed 0, file \d+: KeyError"):
        mutate.mutate(KINDS[-1], 20, seed=0)


def test_other_counts_in_silence_are_found(wheel, monkeypatch):
    assert wheel.outcome(None) == "same counts", "no mutation"
    wheel.right["clicks"] += 1
    monkeypatch.setattr(wheel.kind, "parser", False)
    with pytest.raises(AssertionError, match="and nothing is said"):
        wheel.outcome(None)


def test_a_set_that_no_model_could_use_is_found(wheel, monkeypatch):
    def load(name, real=mutate.load):
        data = real(name)
        data.item[0] = 0
        return data

    monkeypatch.setattr(mutate, "load", load)
    with pytest.raises(AssertionError):
        wheel.outcome(None)


def test_a_mutation_changes_something():
    data = b"one\ttwo\nthree\tfour\n"
    for change in {*mutate.TEXT, *mutate.PACKED} - {mutate.header}:
        results = {change(data, Random(n)) for n in range(30)}
        assert results - {data}, change
        assert all(isinstance(result, bytes) for result in results)
    packed = mutate.make_zip({"a": data})
    assert len({mutate.header(packed, Random(n)) for n in range(30)}) > 10
    assert np.ptp([len(mutate.cut(data, Random(n))) for n in range(30)]) > 10
