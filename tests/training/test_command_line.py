"""python -m dien_edu: what it prints, and one helpful line for each mistake."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from miniature import LISTED, MANY, write_amazon, write_many_impressions

from dien_edu.__main__ import main
from dien_edu.data import mind
from dien_edu.training import load_checkpoint

SMALL = ["--data", "interest-world", "--epochs", "1", "--device", "cpu"]


@pytest.fixture(autouse=True)
def small_world(monkeypatch):
    """interest-world with 60 users, whoever asks."""
    from dien_edu import data
    from dien_edu.data.world import interest_world

    monkeypatch.setitem(data.LOADERS, "interest-world", lambda: interest_world(n_users=60))


def test_train_ends_with_one_json_object(capsys):
    assert main(["train", *SMALL, "--model", "base", "--seed", "3", "--json"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(result) == {"auc", "gauc", "log_loss", "epochs", "seconds", "device"}
    assert result["epochs"] == 1 and result["device"] == "cpu" and 0 < result["auc"] < 1


def test_evaluate_scores_the_checkpoint_that_train_wrote(capsys, tmp_path):
    path = str(tmp_path / "run.pt")
    arguments = ["--model", "dien", "--auxiliary-weight", "0.5", "--checkpoint", path, "--json"]
    main(["train", *SMALL, *arguments])
    trained = json.loads(capsys.readouterr().out)
    assert main(["evaluate", "--checkpoint", path, "--device", "cpu", "--json"]) == 0
    scored = json.loads(capsys.readouterr().out)
    assert {k: scored[k] for k in ("auc", "gauc", "log_loss")} == {
        k: trained[k] for k in ("auc", "gauc", "log_loss")
    }
    assert scored["validation"]["auc"] > 0


def test_train_resumes(capsys, tmp_path):
    path = str(tmp_path / "run.pt")
    arguments = ["train", "--data", "interest-world", "--model", "base", "--checkpoint", path,
                 "--resume", "--device", "cpu", "--json", "--epochs"]  # fmt: skip
    for epochs in (1, 2):
        main([*arguments, str(epochs)])
        assert json.loads(capsys.readouterr().out)["epochs"] == epochs


def test_ablation_and_data(capsys, tmp_path):
    path = tmp_path / "record.json"
    models = ["--models", "base", "din", "--seeds", "0", "1", "--output", str(path), "--json"]
    assert main(["ablation", *SMALL, *models]) == 0
    assert {"base", "din"} < set(json.loads(capsys.readouterr().out.splitlines()[-1]))
    assert len(json.loads(path.read_text())["runs"]) == 4
    assert main(["data", "interest-world"]) == 0
    assert "users        60" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "required"),
        (["trian"], "trian"),
        (["train", "--modle", "din"], "--modle"),
        (["train", "--mod", "din"], "--mod"),
        (["train", "--model", "lstm"], "gru-attention"),
        (["train", "--seed", "x"], "--seed"),
        (["train", "--protocol", "din"], "paper"),
        (["train", "--data", "movielens"], "Did you mean movielens-100k?"),
        (["train", *SMALL, "--model", "din", "--auxiliary-weight", "2"], "no auxiliary loss"),
        (["train", *SMALL, "--device", "tpu"], "this machine offers"),
        (["train", *SMALL, "--max-history", "0"], "max_history is 0"),
        (["train", *SMALL, "--resume"], "--resume needs --checkpoint"),
        (["data", "amazon"], "known: interest-world"),
        (["ablation"], "--output"),
    ],
)
def test_a_mistake_ends_with_2_and_one_line(arguments, word, capsys):
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    error = capsys.readouterr().err.strip()
    assert code == 2 and word in error and len(error.splitlines()) == 1


def test_a_missing_checkpoint_ends_with_1(capsys, tmp_path):
    assert main(["evaluate", "--checkpoint", str(tmp_path / "none.pt")]) == 1
    assert "no checkpoint at" in capsys.readouterr().err


def test_ctrl_c_ends_with_130(capsys, monkeypatch):
    from dien_edu import __main__ as command

    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setitem(command.RUN, "train", interrupted)
    assert main(["train"]) == 130


def test_runs_as_a_module():
    call = [sys.executable, "-m", "dien_edu", "--help"]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    assert "evaluate" in done.stdout


def miniature(name: str, folder) -> None:
    """Write twelve users of a data set in its own format."""
    if name == "mind-small":
        write_many_impressions(folder)
    else:
        write_amazon(folder / "amazon", MANY, LISTED, name.removeprefix("amazon-").capitalize())


@pytest.fixture
def small_set(tmp_path, monkeypatch):
    """small_set(name) -> the options that train on a miniature of it."""

    def make(name: str) -> list[str]:
        miniature(name, tmp_path)
        monkeypatch.setenv("DIEN_EDU_DATA", str(tmp_path))
        unchecked = mind.fetch
        monkeypatch.setattr(mind, "fetch", lambda mirror: unchecked((*mirror[:2], "")))
        return ["--data", name, "--epochs", "1", "--device", "cpu"]

    return make


AMAZON = ["amazon-beauty", "amazon-electronics", "amazon-books"]


@pytest.mark.parametrize("name", [*AMAZON, "mind-small"])
def test_every_data_set_is_trained_on_and_recorded(name, small_set, capsys, tmp_path):
    options = small_set(name)
    assert main(["data", name, "--json"]) == 0
    described = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert described["name"] == name and described["users"] == 12
    assert main(["train", *options, "--model", "dien", "--json"]) == 0
    printed = capsys.readouterr()
    assert 0 <= json.loads(printed.out.splitlines()[-1])["auc"] <= 1
    assert ("numbers will shift" in printed.err) == (name in AMAZON), "the note of this copy"
    path = tmp_path / "record.json"
    many = ["--models", "base", "--seeds", "0", "--output", str(path)]
    assert main(["ablation", *options, *many]) == 0
    made = json.loads(path.read_text())["provenance"]
    assert made["data"] == described | {"clicks": made["data"]["clicks"]}
    wanted = {"mind-small": "impressions"}.get(name, "popularity")
    assert (made["protocol"], made["negatives"]) == ("book", wanted)


def test_the_papers_protocol_goes_into_record_and_checkpoint(small_set, capsys, tmp_path):
    options = [*small_set("amazon-electronics"), "--protocol", "paper", "--split-seed", "2"]
    path, kept = tmp_path / "record.json", str(tmp_path / "run.pt")
    many = ["--models", "base", "--seeds", "0", "--output", str(path)]
    assert main(["ablation", *options, *many]) == 0
    made = json.loads(path.read_text())["provenance"]
    assert made["protocol"] == "paper" and made["negatives"] == "any_click"
    assert made["samples"] == {"every_prefix": False, "max_history": 100}
    assert main(["ablation", *options, "--protocol", "book", *many]) == 2, "another protocol"
    capsys.readouterr()
    main(["train", *options, "--model", "din", "--checkpoint", kept, "--json"])
    trained = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert load_checkpoint(kept)["settings"]["protocol"] == "paper"
    assert main(["evaluate", "--checkpoint", kept, "--device", "cpu", "--json"]) == 0
    scored = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert scored["log_loss"] == trained["log_loss"]
