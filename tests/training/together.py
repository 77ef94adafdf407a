"""What each process of tests/training/test_parallel.py does; torchrun starts it twice.

torchrun … together.py FOLDER: the small runs below, and what each of them came to, in
FOLDER/<rank>.pt. Imported, it makes the same runs with one process.
torchrun … together.py command train …: the command line, with a small world.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from unittest import mock

import torch

from dien_edu import data
from dien_edu.__main__ import main
from dien_edu.data import Splits, ctr_samples
from dien_edu.data.world import interest_world
from dien_edu.models import build
from dien_edu.training import evaluate, fit, losses, parallel

OPTIONS = {"epochs": 2, "batch_size": 47, "learning_rate": 0.01, "progress": False, "patience": 99}
# name: model and options of `fit`. 47 rows do not divide by two, nor does the last batch.
RUNS = {
    "base": ("base", {}),
    "dien": ("dien", {}),
    "single precision": ("dien", {"dtype": torch.float32, "learning_rate": 1e-3}),
    "mlp": ("dien", {"auxiliary": "mlp"}),
    "reference": ("dien", {"backend": "reference"}),
}


def small_world():
    return interest_world(n_users=40, n_steps=7)


def small_splits() -> Splits:
    """Samples are cut away until the last batch has a single row: fewer than processes."""
    splits = ctr_samples(small_world())
    train = splits.train
    rows = torch.arange(len(train)).numpy()
    cut = rows[: len(train) - (len(train) - 1) % OPTIONS["batch_size"]]
    return splits._replace(train=train.subset(cut))


def new_model(splits: Splits, name: str, seed: int = 0, **options):
    torch.manual_seed(seed)
    clicks, dtype = splits.train.interactions, options.pop("dtype", torch.float64)
    return build(name, clicks.n_items, clicks.n_categories, **options).to(dtype)


def trained(splits: Splits, name: str, model_options: dict | None = None, seed=0, **options):
    """Weights, rows without the seconds, and test scores of one run."""
    model_options = dict(model_options or {})
    rate = model_options.pop("learning_rate", OPTIONS["learning_rate"])
    model = new_model(splits, name, seed, **model_options)
    options = {**OPTIONS, "device": "cpu", "learning_rate": rate, **options}
    rows = fit(model, splits.train, splits.validation, **options)
    rows = [{key: row[key] for key in row if key != "seconds"} for row in rows]
    test = evaluate(model, splits.test)
    return {"weights": model.state_dict(), "rows": rows, "test": test}


def one_step(splits: Splits, means_of_parts: bool = False) -> dict:
    """Gradients of the first batch; or what DistributedDataParallel gives without our shares."""
    model = new_model(splits, "dien")
    naive = torch.nn.parallel.DistributedDataParallel
    if means_of_parts and parallel.size() > 1:
        run = naive(Plain(model))
    else:
        run = parallel.over_all(losses, model)
    batch = next(parallel.share(splits.train).batches(OPTIONS["batch_size"], shuffle=(0, 0)))
    batch.label = batch.label.double()
    found = run(batch)
    found[2].backward()
    return {"losses": torch.stack([found[0], found[1]]).detach(),
            "gradients": {name: p.grad for name, p in model.named_parameters()}}  # fmt: skip


class Plain(torch.nn.Module):
    """What anybody would wrap: the loss of the process's own rows."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, batch):
        return losses(self.model, batch)


def interrupted(splits: Splits, path: Path) -> dict:
    """One epoch, its checkpoint, then a new model that goes on from there."""
    trained(splits, "dien", epochs=1, checkpoint=path)
    return trained(splits, "dien", seed=9, checkpoint=path, resume=True)


def message(what) -> str:
    try:
        what()
    except (ValueError, FloatingPointError) as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def broken(splits: Splits) -> str:
    model = new_model(splits, "base")
    model.head[0].weight.data.fill_(float("nan"))
    options = {**OPTIONS, "device": "cpu"}
    return message(lambda: fit(model, splits.train, splits.validation, **options))


def all_runs(folder: Path) -> dict:
    splits = small_splits()
    found = {name: trained(splits, model, more) for name, (model, more) in RUNS.items()}
    found["step"], found["naive"] = one_step(splits), one_step(splits, means_of_parts=True)
    found["interrupted"] = interrupted(splits, folder / f"of-{parallel.size()}.pt")
    if parallel.size() > 1:
        found["too small"] = message(lambda: trained(splits, "base", batch_size=1))
        one = splits._replace(validation=splits.validation.subset([0]))
        found["too few"] = message(lambda: trained(one, "base"))
        found["nan"] = broken(splits)
        found["devices"] = [message(lambda d=d: parallel.join(d)) for d in ("cuda:1", "cuda")]
    return found


def command(arguments: list[str]) -> int:
    with mock.patch.dict(data.LOADERS, {"interest-world": small_world}):
        return main(arguments)


if __name__ == "__main__":
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    if sys.argv[1] == "command":
        sys.exit(command(sys.argv[2:]))
    parallel.join("cpu")
    torch.save(all_runs(Path(sys.argv[1])), Path(sys.argv[1]) / f"{parallel.rank()}.pt")
    parallel.leave()
