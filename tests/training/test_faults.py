"""What happens to people while a model trains: nothing is lost, and the error says what to do."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from interrupting import Interrupting

from dien_edu.__main__ import main
from dien_edu.models import build
from dien_edu.training import CheckpointError, ablation, checkpoint, evaluate, fit, load_checkpoint
from dien_edu.training.checkpoint import load_json, save_checkpoint, save_json
from studies import resume

FIT = sys.modules["dien_edu.training.fit"]
QUIET = {"progress": False, "device": "cpu", "patience": 99}
SMALL = ["--data", "interest-world", "--epochs", "2", "--device", "cpu"]
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def small_world(monkeypatch):
    """interest-world with 60 users for the command line."""
    from dien_edu import data
    from dien_edu.data.world import interest_world

    monkeypatch.setitem(data.LOADERS, "interest-world", lambda: interest_world(n_users=60))


def same_weights(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.values(), b.values(), strict=True))


def goes_on(new_model, splits, path, whole) -> bool:
    """Does a run that starts from what is left at `path` end with the weights of a whole one?"""
    model = new_model("base", seed=9 if path.exists() else 0)
    options = {**QUIET, "epochs": 3, "checkpoint": path, "resume": True}
    fit(model, splits.train, splits.validation, **options)
    return same_weights(model.state_dict(), whole)


@pytest.fixture(scope="module")
def whole(splits):
    """The weights of three epochs that nothing disturbed."""
    torch.manual_seed(0)
    data = splits.train.interactions
    model = build("base", data.n_items, data.n_categories)
    fit(model, splits.train, splits.validation, epochs=3, **QUIET)
    return model.state_dict()


# A full disk


@contextmanager
def room_for(size: int):
    """No file may grow beyond this: the system itself refuses, as a full disk does."""
    resource = pytest.importorskip("resource", reason="needs a system with limits for files")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def save_tensors(path, number):
    save_checkpoint(path, {"weights": torch.full((500,), number), "rows": [number]})


def save_numbers(path, number):
    save_json(path, {"number": number, "more": list(range(300))})


@pytest.mark.parametrize("save", [save_tensors, save_numbers])
def test_a_disk_that_is_full_after_any_number_of_bytes(tmp_path, save):
    path = tmp_path / "file"
    save(path, 1.0)
    before, refused = path.read_bytes(), 0
    for size in range(0, len(before), 61):
        with pytest.raises(OSError) as caught, room_for(size):
            save(path, 2.0)
        message = str(caught.value)
        assert str(path) in message and "File too large; the file, if there was one, is" in message
        assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path], size
        refused += 1
    assert refused > 15
    save(path, 2.0)
    assert path.read_bytes() != before


def test_a_disk_that_fills_while_training(new_model, splits, tmp_path, whole):
    path = tmp_path / "run.pt"
    fit(new_model("base"), splits.train, splits.validation, epochs=1, checkpoint=path, **QUIET)
    before, model = path.read_bytes(), new_model("base")
    options = {**QUIET, "epochs": 3, "checkpoint": path, "resume": True}
    with pytest.raises(OSError, match="run.pt"), room_for(len(before) // 2):
        fit(model, splits.train, splits.validation, **options)
    assert path.read_bytes() == before
    assert 0 < evaluate(model, splits.test)["auc"] < 1, "the model is whole"
    assert goes_on(new_model, splits, path, whole)


def test_a_disk_that_fills_while_recording(splits, tmp_path):
    path, options = tmp_path / "record.json", {"epochs": 1, "progress": False}
    ablation(splits, ["base"], [0], path, device="cpu", **options)
    before = path.read_bytes()
    with pytest.raises(OSError, match=r"record.json"), room_for(len(before)):
        ablation(splits, ["base", "din"], [0], path, device="cpu", **options)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    both = ablation(splits, ["base", "din"], [0], path, device="cpu", **options)
    assert [run["model"] for run in both["runs"]] == ["base", "din"]


# The end of a process, at any moment


def test_a_process_killed_at_random_moments(tmp_path):
    """Again and again until it ends, and then anew: each run ends as an undisturbed one."""
    if not hasattr(os, "fork"):
        pytest.skip("needs a system with fork")
    program = Path(__file__).with_name("killing.py")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, program, tmp_path, "8"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["killed"] >= 8 and found["resumed"] >= 1 and found["unreadable"] == 0
    assert found["same"] is True


class Stop:
    """Raise KeyboardInterrupt at the n-th line that runs in fit.py or checkpoint.py."""

    def __init__(self, n, *modules):
        self.left, self.files = n, {module.__file__ for module in modules}

    def __call__(self, frame, event, argument):
        if frame.f_code.co_filename not in self.files:
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self

    def __enter__(self):
        self.old = sys.gettrace()
        sys.settrace(self)

    def __exit__(self, *error):
        sys.settrace(self.old)


def test_ctrl_c_at_every_line_of_a_write(tmp_path):
    path = tmp_path / "file"
    save_numbers(path, 1)
    stopped = 0
    for n in range(1, 100):
        try:
            with Stop(n, checkpoint):
                save_numbers(path, 2)
        except KeyboardInterrupt:
            stopped += 1
            assert json.loads(path.read_text())["number"] in (1, 2), n
            assert list(tmp_path.iterdir()) == [path], n
        else:
            break
    assert stopped == n - 1 > 10


def test_ctrl_c_at_any_line_of_training(new_model, splits, tmp_path, whole):
    counter = Stop(-1, FIT, checkpoint)
    with counter:
        fit(new_model("base"), splits.train, splits.validation, epochs=3, checkpoint=tmp_path / "0",
            **QUIET)  # fmt: skip
    lines = -1 - counter.left
    assert lines > 200
    for n in sorted(random.Random(0).sample(range(1, lines), 12)):
        path, model = tmp_path / f"{n}.pt", new_model("base")
        options = {**QUIET, "epochs": 3, "checkpoint": path}
        with pytest.raises(KeyboardInterrupt), Stop(n, FIT, checkpoint):
            fit(model, splits.train, splits.validation, **options)
        assert 0 < evaluate(model, splits.test)["auc"] < 1, "the model can be used"
        assert goes_on(new_model, splits, path, whole), n
        assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


# Too little memory, numbers that are none


def test_a_device_without_memory(new_model, splits, tmp_path, whole):
    path = tmp_path / "run.pt"
    full = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    broken = Interrupting(splits.train, full, epoch=1)
    with pytest.raises(torch.cuda.OutOfMemoryError) as caught:
        fit(new_model("base"), broken, splits.validation, epochs=3, checkpoint=path, **QUIET)
    message = str(caught.value)
    assert "no memory left for batch_size 256: try half of it" in message
    assert "an earlier, whole epoch" in message and "Tried to allocate 2.00 GiB" in message
    assert goes_on(new_model, splits, path, whole)


@pytest.mark.parametrize("error", [torch.cuda.OutOfMemoryError("CUDA out of memory."), MemoryError])
def test_the_command_line_says_what_memory_lacks(error, monkeypatch, capsys, small_world):
    def refuse(*arguments):
        raise error

    monkeypatch.setattr(FIT, "losses", refuse)
    assert main(["train", *SMALL, "--model", "base"]) == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("python -m dien_edu train: ") and "memory" in said


@pytest.mark.gpu
def test_a_gpu_that_is_really_full(new_model, splits):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    model = new_model("dien").to("cuda")
    torch.cuda.set_per_process_memory_fraction(1e-4)
    try:
        with pytest.raises(torch.cuda.OutOfMemoryError, match="try half of it"):
            fit(model, splits.train, splits.validation, **{**QUIET, "device": "cuda"},
                batch_size=100_000)  # fmt: skip
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    fit(model, splits.train, splits.validation, epochs=1, **{**QUIET, "device": "cuda"})


def test_nan_in_the_middle_of_an_epoch(new_model, splits, tmp_path, monkeypatch, whole):
    """Between two looks at the loss: the epoch is thrown away, its predecessor stands."""
    path, losses, steps = tmp_path / "run.pt", FIT.losses, []

    def breaking(model, batch):
        steps.append(1)
        factor = float("nan") if len(steps) == at else 1.0
        return [loss * factor for loss in losses(model, batch)]

    at = -(-len(splits.train) // 256) + 2
    monkeypatch.setattr(FIT, "losses", breaking)
    model = new_model("base")
    with pytest.raises(FloatingPointError, match=r"loss is nan in epoch 1.*learning rate below"):
        fit(model, splits.train, splits.validation, epochs=3, checkpoint=path, **QUIET)
    monkeypatch.undo()
    assert same_weights(model.state_dict(), load_checkpoint(path)["best"])
    assert goes_on(new_model, splits, path, whole)


def test_nan_in_the_weights_is_no_score(new_model, splits):
    model = new_model("base")
    model.head[0].weight.data.fill_(float("nan"))
    with pytest.raises(ValueError, match="scores are not a number"):
        evaluate(model, splits.test)


# Files that are half-written, or of another time


@pytest.fixture(scope="module")
def record(splits, tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("record") / "record.json"
    ablation(splits, ["base"], [0], path, device="cpu", epochs=1, progress=False)
    return path.read_bytes()


def test_a_half_written_record_is_named_and_left_alone(record, splits, tmp_path):
    path = tmp_path / "record.json"
    for size in range(0, len(record) - 2, 29):
        path.write_bytes(record[:size])
        for read in (
            lambda: ablation(splits, ["base"], [0], path, device="cpu", epochs=1, progress=False),
            lambda: resume.opened(path, json.loads(record)),
        ):
            with pytest.raises(ValueError, match=r"record.json is no readable record .*Move it"):
                read()
        assert path.read_bytes() == record[:size]


@pytest.mark.parametrize(
    "content", [b"[]", b"1", b'"x"', b"null", b"{}", b"\xff\xfe", b"[" * 100_000, b"<html>"]
)
def test_a_file_that_is_no_record(content, tmp_path):
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="record.json is no readable record"):
        load_json(path, "provenance")


def test_the_command_line_names_a_half_written_record(record, tmp_path, capsys, small_world):
    path = tmp_path / "record.json"
    path.write_bytes(record[:100])
    assert main(["ablation", *SMALL, "--output", str(path)]) == 2
    assert "record.json is no readable record" in capsys.readouterr().err


def test_a_record_of_an_older_version(record, splits, tmp_path):
    path, old = tmp_path / "record.json", json.loads(record)
    del old["provenance"]["negatives"]
    path.write_text(json.dumps(old))
    with pytest.raises(ValueError, match="recorded with another negatives: None, now .*Move"):
        ablation(splits, ["base"], [0], path, device="cpu", epochs=1, progress=False)


@pytest.mark.parametrize("key", ["model", "optimizer", "best", "rows", "settings"])
def test_a_checkpoint_of_an_older_version(key, new_model, splits, tmp_path):
    path = tmp_path / "run.pt"
    options = {**QUIET, "checkpoint": path, "resume": True}
    fit(new_model("base"), splits.train, splits.validation, epochs=1, **options)
    content = load_checkpoint(path)
    del content[key]
    save_checkpoint(path, content)
    with pytest.raises(CheckpointError, match="run.pt (holds another model|was trained with None)"):
        fit(new_model("base"), splits.train, splits.validation, epochs=2, **options)


def test_a_checkpoint_cut_at_any_byte(new_model, splits, tmp_path):
    path = tmp_path / "run.pt"
    fit(new_model("base"), splits.train, splits.validation, epochs=1, checkpoint=path, **QUIET)
    content = path.read_bytes()
    sizes = random.Random(0).sample(range(len(content)), 60)
    for size in [0, 1, len(content) - 1, *sizes]:
        path.write_bytes(content[:size])
        with pytest.raises(CheckpointError, match=r"run.pt is no readable checkpoint .*: delete"):
            load_checkpoint(path)


def test_evaluate_names_a_checkpoint_of_other_data(tmp_path, capsys, small_world, monkeypatch):
    path = str(tmp_path / "run.pt")
    main(["train", *SMALL, "--model", "base", "--checkpoint", path])
    content = load_checkpoint(path)
    content["best"] = {key: value[:3] for key, value in content["best"].items()}
    save_checkpoint(path, content)
    capsys.readouterr()
    assert main(["evaluate", "--checkpoint", path]) == 1
    assert "run.pt is of other data" in capsys.readouterr().err
    del content["settings"]
    save_checkpoint(path, content)
    assert main(["evaluate", "--checkpoint", path]) == 1
    assert "was not written by this command's `train`" in capsys.readouterr().err


def test_training_with_a_home_that_takes_no_file(tmp_path):
    """Neither Matplotlib's cache nor that of the data has a place there."""
    (tmp_path / "home").write_text("a file where the folder should be")
    unset = ("DIEN_EDU_DATA", "MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    environment = {key: value for key, value in os.environ.items() if key not in unset}
    environment |= {"HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT), "PIP_NO_INDEX": "1"}
    code = (
        "import dien_edu.figures, torch\n"
        "from dien_edu.data import DataError, ctr_samples, load\n"
        "from dien_edu.training import train_one\n"
        "splits = ctr_samples(load('interest-world', n_users=60, n_steps=8))\n"
        "run = train_one('base', splits, seed=0, device='cpu', epochs=1, progress=False)\n"
        "print(0 < run['test']['auc'] < 1)\n"
        "from dien_edu.data.download import fetch\n"
        "try: fetch(('x', 'http://127.0.0.1:9/x', ''))\n"
        "except DataError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    trained, said = done.stdout.strip().split("\n", 1)
    assert trained == "True"
    assert "cannot write to the cache folder" in said and "set DIEN_EDU_DATA to a folder" in said
