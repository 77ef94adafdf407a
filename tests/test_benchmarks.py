"""The benchmark itself, without any peer: statistics, conversation, what a failure does."""

from __future__ import annotations

import json
import sys
from mmap import mmap
from pathlib import Path

import pytest
import torch

from benchmarks import contestants, end_to_end, environments, plots, race, report, run
from benchmarks.contestants import Contestant
from benchmarks.peers import layers, memory, ours
from benchmarks.peers.inputs import Spec, draw
from benchmarks.race import Race
from benchmarks.worker import Worker, WorkerError

TINY = Spec(batch=3, steps=4, items=30, categories=4)
OURS = Contestant("ours-reference-inner", "ours", "inner", options={"backend": "reference"})
GRU = Contestant("gru", "layers", "layer")
ABSENT = Contestant("absent", "no_such_module", "inner")


class Scripted:
    """A worker whose steps take what a list says; an exception in it is raised."""

    def __init__(self, times):
        self.times, self.closed, self.ready = iter(times), False, {}

    def step(self):
        value = next(self.times)
        if isinstance(value, Exception):
            raise value
        return value

    def ask(self, line):
        return {"mib": 1.0}

    def close(self):
        self.closed = True


# Statistics


def test_the_median_is_of_all_steps_and_the_quartiles_are_of_the_rounds():
    found = race.milliseconds([[0.001, 0.002, 0.009], [0.004], [0.006]])
    assert found == {"milliseconds": 4.0, "quartiles": [3.0, 5.0], "rounds": [2.0, 4.0, 6.0]}


def test_a_ratio_compares_turns_of_the_same_round():
    # The machine was twice as slow in the second round: no ratio sees it.
    slow, fast = [[0.4], [0.8], [0.4]], [[0.1], [0.2], [0.1]]
    assert race.ratio(slow, fast) == {"ratio": 4.0, "quartiles": [4.0, 4.0]}
    assert race.ratio([[3.0]], [[2.0]])["ratio"] == 1.5


def test_only_equal_work_is_compared():
    rounds = {
        "ours-fused-inner": [[1.0]],
        "ours-fused-mlp": [[2.0]],
        "torch-rechub": [[6.0]],
        "recbole": [[8.0]],
        "gru": [[1.0]],
        "augru-fused": [[0.5]],
    }
    found = report.ratios(rounds)
    assert {name: (one["to"], one["ratio"]) for name, one in found.items()} == {
        "torch-rechub": ("ours-fused-inner", 6.0),
        "recbole": ("ours-fused-mlp", 4.0),
        "augru-fused": ("gru", 0.5),
    }


def test_short_steps_lose_their_first_one():
    assert race.turn(Scripted([9.0, 1.0, 2.0]), 2) == [1.0, 2.0]
    assert race.turn(Scripted([9.0]), 1) == [9.0]
    assert race.warm_up(Scripted([9.0, 0.2])) == 3
    assert race.warm_up(Scripted([9.0, 1e-6])) == race.MOST


# Rounds


def test_everyone_has_a_turn_in_each_round_and_the_order_moves():
    scripts = {"ours": [1.0, 1.0, 0.1, 0.2, 0.3], "gru": [1.0, 1.0, 0.4, 0.5, 0.6]}
    workers = {name: Scripted(times) for name, times in scripts.items()}
    entries = {name: (Contestant(name, "", "inner"), TINY) for name in scripts}
    result = Race(entries, lambda contestant, spec: workers[contestant.name]).run(rounds=3)
    assert result.rounds == {"ours": [[0.1], [0.2], [0.3]], "gru": [[0.4], [0.5], [0.6]]}
    assert result.memory == {"ours": 1.0, "gru": 1.0}
    assert all(worker.closed for worker in workers.values())
    result.workers = workers
    assert [result.order(n)[0] for n in range(3)] == ["ours", "gru", "ours"]


def test_one_that_fails_midway_is_left_out_with_its_reason():
    failing = Scripted([1.0, 1.0, 0.1, WorkerError("out of memory")])
    workers = {"ours": Scripted([1.0] * 5), "gru": failing}
    entries = {name: (Contestant(name, "", "inner"), TINY) for name in workers}
    result = Race(entries, lambda contestant, spec: workers[contestant.name]).run(rounds=3)
    assert list(result.rounds) == ["ours"] and len(result.rounds["ours"]) == 3
    assert result.skipped == {"gru": "out of memory"}


# The conversation


def test_ours_speaks_the_protocol():
    result = Race({c.name: (c, TINY) for c in (OURS, GRU, ABSENT)}).run(rounds=2)
    assert set(result.rounds) == {"ours-reference-inner", "gru"}
    assert all(0 < s < 10 for rounds in result.rounds.values() for turn in rounds for s in turn)
    assert result.ready["gru"]["ready"]["torch"] == torch.__version__.split("+")[0]
    assert "no_such_module" in result.skipped["absent"]
    assert "\n" not in result.skipped["absent"]
    shown = report.table(report.size_record((3, 4), result))
    assert "absent" in shown and "no_such_module" in shown


def test_a_process_that_dies_says_its_last_words(tmp_path):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho no room left >&2\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(WorkerError, match="stopped.*no room left"):
        Worker(GRU, TINY, python=program)


def test_what_a_library_prints_is_no_answer(tmp_path):
    program = tmp_path / "python"
    noise = "import sys; from benchmarks.peers import ours, serve; b = ours.build; "
    noise += "ours.build = lambda *a, **k: print('chatter') or b(*a, **k); "
    noise += "sys.exit(serve.main(*sys.argv[1:]))"
    program.write_text(f'#!/bin/sh\nshift 2\nexec "{sys.executable}" -c "{noise}" "$@"\n')
    program.chmod(0o755)
    worker = Worker(OURS, TINY, python=program)
    assert worker.step() > 0
    worker.close()


def test_a_step_of_ours_trains():
    step = ours.build(TINY, "reference", "mlp")
    torch.manual_seed(1)
    before = [p.clone() for p in ours.make_model(TINY, "reference", "mlp").parameters()]
    step()
    closure = dict(zip(step.__code__.co_freevars, step.__closure__, strict=True))
    after = list(closure["model"].cell_contents.parameters())
    assert sum(not torch.equal(b, a) for b, a in zip(before, after, strict=True)) > 10


def test_the_batch_is_the_same_for_everyone_and_has_no_padding():
    one, other = draw(TINY), draw(TINY)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert one["history_item"].shape == (3, 4) and one["history_item"].min() >= 1
    assert ours.make_batch(TINY).mask.all()


def test_a_layer_alone_gives_a_gradient_to_every_input():
    for backend in (None, "reference"):
        layers.build(TINY, backend)()


@pytest.mark.skipif(not memory.STATUS.exists(), reason="needs Linux: elsewhere peaks never fall")
def test_memory_is_what_was_needed_since_the_mark():
    base = memory.mark()
    with mmap(-1, 2**25) as pages:  # not from the C library, which may hand out pages it has kept
        pages[::4096] = bytes(2**13)
        assert 30 < memory.peak() - base < 80


# Who takes part


def test_names_choose_families():
    them = contestants.chosen(contestants.ALL, ["ours", "gru"])
    assert {c.name for c in them} == {c.name for c in contestants.OURS} | {"gru"}
    assert contestants.chosen(contestants.ALL, None) == contestants.ALL


def test_every_size_that_was_promised_is_there():
    assert contestants.SIZES == [(128, 20), (128, 100), (1024, 20), (1024, 100)]
    assert [steps for _, steps in contestants.CURVES["steps"]] == [20, 50, 100, 200, 400, 1000]


def test_every_peer_is_pinned():
    for name, version in environments.VERSIONS.items():
        lines = (environments.REQUIREMENTS / f"{name}.txt").read_text("utf8").splitlines()
        wanted = [line for line in lines if not line.startswith("#")]
        assert version and wanted and all("==" in line for line in wanted)
    assert {c.environment for c in contestants.PEERS} == set(environments.VERSIONS)


def test_a_peer_that_cannot_be_installed_is_skipped(monkeypatch, tmp_path, capsys):
    def refuse(name, folder):
        raise environments.SetupError(f"no file of {name} for this Python")

    monkeypatch.setattr(environments, "ROOT", tmp_path)
    monkeypatch.setattr(environments, "make", refuse)
    status = run.main(["--only", "recbole", "--sizes", "2x3", "--output", str(tmp_path / "s.json")])
    assert status == 1
    said = capsys.readouterr().err
    assert "recbole is skipped" in said and "no file of recbole for this Python" in said
    record = json.loads((tmp_path / "s.json").read_text())
    assert "no file" in record["skipped"]["recbole"] and record["sizes"] == []


def test_an_environment_is_made_once(monkeypatch, tmp_path):
    made = []
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    monkeypatch.setattr(
        environments, "make", lambda name, folder: (made.append(name), folder.mkdir(parents=True))
    )
    assert environments.python_of("recbole") == environments.python_of("recbole")
    assert made == ["recbole"]
    assert environments.python_of(None) == Path(sys.executable)


# The record


def a_record():
    times = {"ours-fused-inner": 10, "torch-rechub": 45, "recbole": 99, "gru": 8, "augru-fused": 4}

    def raced(sizes, names):
        them = {(name, size): Contestant(name, "", "layer") for size in sizes for name in names}
        race = Race({report.entry_name(c, size): (c, Spec(*size)) for (_, size), c in them.items()})
        for label, (c, spec) in race.entries.items():
            race.rounds[label] = [[times[c.name] * spec.batch * spec.steps / 1e6]]
        race.memory = dict.fromkeys(race.rounds, 5.0)
        return race

    record = {"sizes": [], "curves": {}, "machine": report.machine()}
    for size in contestants.SIZES:
        race = raced([size], times)
        race.rounds = {race.entries[label][0].name: rounds for label, rounds in race.rounds.items()}
        race.memory = dict.fromkeys(race.rounds, 5.0)
        record["sizes"].append(report.size_record(size, race))
    for axis, sizes in contestants.CURVES.items():
        race = raced(sizes, ["gru", "augru-fused"])
        record["curves"][axis] = report.curve_record(race)
        record.setdefault("doublings", {}).update(report.doublings(race))
    return record


def test_targets_are_checked():
    rows = {row["target"]: row for row in report.targets(a_record())}
    assert all(row["met"] for row in rows.values())
    assert rows["fastest peer (torch-rechub) / ours, batch 128, T 100, at least"]["value"] == 4.5
    assert rows["augru-fused: T 200 / T 100, batch 128, at most"]["value"] == 2.0
    assert rows["fused AUGRU / nn.GRU, batch 1024, T 100, at most"]["value"] == 0.5
    assert len(rows) == 11


def test_plots_show_what_was_measured(tmp_path):
    record = a_record()
    assert [x for x, _ in plots.points(record, "gru", "steps")] == [20, 50, 100, 200, 400, 1000]
    assert [x for x, _ in plots.points(record, "torch-rechub", "batch")] == [128, 1024]
    assert all(path.stat().st_size > 1000 for path in plots.save(record, tmp_path))


def test_a_quick_run_records_the_provenance_and_no_name_of_the_machine(tmp_path, capsys):
    path = tmp_path / "speed.json"
    arguments = ["--only", "gru", "--rounds", "1", "--sizes", "2x3", "--output", str(path)]
    assert run.main(arguments) == 0
    record = json.loads(path.read_text())
    made = record["provenance"]
    assert {"data", "split", "samples", "negatives", "versions", "sources", "date"} <= set(made)
    assert set(record["machine"]) == {"cpu", "cores"}
    assert record["sizes"][0]["results"]["gru"]["milliseconds"] > 0
    assert "gru" in capsys.readouterr().out
    assert run.main([*arguments, "--resume"]) == 0
    assert json.loads(path.read_text())["sizes"] == record["sizes"]


def test_sources_that_change_meanwhile_stop_the_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, "source_hash", lambda: "other")
    arguments = ["--only", "gru", "--rounds", "1", "--sizes", "2x3"]
    assert run.main([*arguments, "--output", str(tmp_path / "speed.json")]) == 1
    assert "changed during the run" in capsys.readouterr().err


def test_a_curve_is_one_race_of_all_its_sizes(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "SIZES", [])
    monkeypatch.setattr(run, "CURVES", {"steps": [(2, 100), (2, 200)]})
    path = tmp_path / "speed.json"
    run.main(["--only", "gru", "--rounds", "1", "--output", str(path)])
    record = json.loads(path.read_text())
    assert [(row["name"], row["steps"]) for row in record["curves"]["steps"]] == [
        ("gru", 100),
        ("gru", 200),
    ]
    assert record["doublings"]["gru"]["ratio"] > 0


def test_a_part_does_not_replace_the_record():
    assert "results" in run.RECORD.parts and "results" not in run.QUICK.parts


# End to end


class Epochs(Scripted):
    def ask(self, line):
        return next(self.times)


def test_seconds_count_until_the_goal():
    curve = [{"auc": auc, "seconds": 2.0} for auc in (0.7, 0.81, 0.83)]
    slow = [dict(row, seconds=5.0) for row in curve]
    workers = {"fused": Epochs(curve), "reference": Epochs(slow)}
    rows = end_to_end.train_together(workers, goal=0.8, looks=10)
    assert end_to_end.summary(rows["fused"], 0.8)["seconds"] == 4.0
    assert end_to_end.summary(rows["reference"], 0.8)["seconds"] == 10.0
    assert end_to_end.summary(rows["fused"], 0.9)["seconds"] is None
