"""Serving: clicks kept one by one, candidates that share them, an export: what the model gives."""

from __future__ import annotations

import pytest
import torch

from benchmarks import serving as benchmark
from dien_edu.models import DIEN
from dien_edu.serving import Candidates, Click, Request, Server

ITEMS, CATEGORIES, STEPS = 30, 6, 9


def new_model(evolution="augru") -> DIEN:
    """Double precision, and weights large enough that every part matters."""
    torch.manual_seed(0)
    model = DIEN(ITEMS, CATEGORIES, evolution=evolution, embedding_size=8, hidden_size=8).double()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            more = torch.randn_like(parameter) * 0.3
            more[0] = 0 if name.startswith("embedding") else more[0]  # padding stays 0
            parameter.add_(more)
        for buffer in model.head.buffers():
            buffer.copy_(torch.rand_like(buffer) + 0.5)
    return model.eval()


def draw(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Items and categories of clicks or candidates."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.randint(1, ITEMS + 1, (count,), generator=generator),
            torch.randint(1, CATEGORIES + 1, (count,), generator=generator))  # fmt: skip


def by_the_model(model, clicks, candidates) -> torch.Tensor:
    """A row a candidate, each with a copy of the history."""
    with torch.no_grad():
        return model(benchmark.batch_of(clicks, candidates)).logit


def advance(server, user, clicks) -> None:
    for item, category in zip(*(ids.tolist() for ids in clicks), strict=True):
        server.click(user, item, category)


@pytest.mark.parametrize("evolution", ["aigru", "agru", "augru"])
def test_click_by_click_gives_what_the_model_gives(evolution):
    model = new_model(evolution)
    server, clicks, candidates = Server(model), draw(STEPS, 1), draw(5, 2)
    for step in range(STEPS):
        advance(server, 7, [ids[step : step + 1] for ids in clicks])
        known = [ids[: step + 1] for ids in clicks]
        found = server.score(7, *candidates)
        torch.testing.assert_close(
            found, by_the_model(model, known, candidates), atol=1e-12, rtol=0
        )
    assert found.std() > 0.01, "the candidates differ"


def test_users_do_not_mix_and_a_new_one_has_no_history():
    model = new_model()
    server, first, second, candidates = Server(model), draw(4, 1), draw(6, 2), draw(3, 3)
    for step in range(6):  # their clicks arrive in turns
        advance(server, "a", [ids[step : step + 1] for ids in first])
        advance(server, "b", [ids[step : step + 1] for ids in second])
    for user, clicks in {"a": first, "b": second, "c": draw(0, 0)}.items():
        wanted = by_the_model(model, clicks, candidates)
        torch.testing.assert_close(server.score(user, *candidates), wanted, atol=1e-12, rtol=0)


def test_a_long_history_is_read_whole_and_looked_back_on_in_part():
    """What is kept: the extractor has read all clicks, attention and sum see the last ones."""
    model, clicks, candidates = new_model(), draw(STEPS, 1), draw(5, 2)
    server = Server(model, keep=4)
    advance(server, 7, clicks)
    assert [len(part) for part in server.kept(7).oldest_first()] == [4, 4, 4]
    whole, short = Server(model), Server(model, keep=4)
    advance(whole, 7, clicks)
    advance(short, 7, [ids[-4:] for ids in clicks])
    last = whole.kept(7).oldest_first()[2][-4:]
    torch.testing.assert_close(server.kept(7).oldest_first()[2], last, atol=0, rtol=0)
    found = server.score(7, *candidates)
    assert (found - short.score(7, *candidates)).abs().max() > 1e-4
    assert (found - whole.score(7, *candidates)).abs().max() > 1e-4


def padded(clicks, steps: int):
    """Clicks padded on the right to `steps`, and which of them are real."""
    more = steps - len(clicks[0])
    return *(torch.nn.functional.pad(ids, (0, more)) for ids in clicks), torch.arange(
        steps
    ) < steps - more


@pytest.mark.parametrize("length", [STEPS, 3, 0])
def test_a_request_with_nothing_kept_gives_the_same(length):
    model, clicks, candidates = new_model(), draw(length, 1), draw(5, 2)
    with torch.no_grad():
        found = Request(model)(*padded(clicks, STEPS), *candidates)
    torch.testing.assert_close(found, by_the_model(model, clicks, candidates), atol=1e-12, rtol=0)


needs_export = pytest.mark.skipif(
    tuple(map(int, torch.__version__.split(".")[:2])) < (2, 11),
    reason=f"torch {torch.__version__}: export is tested from 2.11 on",
)


def exported(module, arguments, dynamic: set[int]):
    """A program in which the first size of some arguments is free."""
    free = torch.export.Dim("free", min=1)
    shapes = tuple({0: free} if i in dynamic else None for i in range(len(arguments)))
    return torch.export.export(module.eval(), arguments, dynamic_shapes=shapes).module()


@needs_export
def test_the_exported_program_gives_what_the_model_gives():
    """For other clicks, another length and other numbers of candidates than it was traced with."""
    model = new_model()
    program = exported(Request(model), (*padded(draw(4, 1), 5), *draw(3, 2)), {3, 4})
    for length, count in ((5, 1), (2, 3), (4, 40)):
        clicks, candidates = draw(length, 5), draw(count, 6)
        found = program(*padded(clicks, 5), *candidates)
        wanted = by_the_model(model, clicks, candidates)
        torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)
    assert found.std() > 0.01


@needs_export
def test_the_two_halves_are_exported_as_a_server_needs_them(tmp_path):
    """One program for clicks of any number of users, one for candidates; saved and loaded."""
    model, clicks, candidates = new_model(), draw(4, 1), draw(6, 2)
    state = torch.zeros(3, 8, dtype=torch.float64)
    click = exported(Click(model), (*draw(3, 0), state), {0, 1, 2})
    states = [state[:1]]
    for item, category in zip(clicks[0][:, None], clicks[1][:, None], strict=True):
        states.append(click(item, category, states[-1]))
    interests, (_, _, valid) = torch.cat(states[1:]), padded(clicks, 4)
    total = model.embedding(*clicks).sum(dim=0)
    given = interests, total, valid, *candidates
    free = torch.export.Dim("free", min=1)
    shapes = None, None, None, {0: free}, {0: free}
    program = torch.export.export(Candidates(model).eval(), given, dynamic_shapes=shapes)
    torch.export.save(program, tmp_path / "candidates.pt2")
    found = torch.export.load(tmp_path / "candidates.pt2").module()(*given)
    wanted = by_the_model(model, clicks, candidates)
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)


def test_keeping_nothing_is_refused():
    with pytest.raises(ValueError, match="keep is 0, expected at least 1"):
        Server(new_model(), keep=0)


def test_the_benchmark_compares_all_answers(monkeypatch):
    model = DIEN(benchmark.ITEMS, benchmark.CATEGORIES).eval()
    with torch.no_grad():
        found = benchmark.race(model, steps=5, count=3, rounds=4)
        clicked = benchmark.click_race(model, steps=5, rounds=4)
        monkeypatch.setattr(benchmark.Ways, "one_by_one", lambda *_: torch.zeros(3))
        with pytest.raises(AssertionError, match="not close"):
            benchmark.race(model, steps=5, count=3, rounds=1)
    assert set(found["ways"]) == set(benchmark.NAMES) and found["requests"] == 4
    for way in [*found["ways"].values(), clicked["step"], clicked["again"]]:
        assert 0 < way["p50_ms"] <= way["p99_ms"] and way["per_second"] > 0
