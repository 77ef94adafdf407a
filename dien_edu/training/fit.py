"""Train a model: Adam, choice on validation, a checkpoint each epoch (chapters 01 and 09)."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from dien_edu.data.samples import Batch, Samples
from dien_edu.models import ClickModel
from dien_edu.training import parallel
from dien_edu.training.checkpoint import (
    CheckpointError,
    check_writable,
    load_checkpoint,
    save_checkpoint,
)
from dien_edu.training.evaluate import evaluate

CHECK_EVERY = 50  # steps between two looks at the loss: each look waits for a GPU


def find_device(name: str | None = None) -> torch.device:
    """None takes CUDA, then MPS, then the CPU; ValueError if the one asked for is not there."""
    there = ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available()
    there.append("cpu")
    name = name or there[0]
    if name.split(":")[0] not in there:
        raise ValueError(f"device is {name!r}, but this machine offers {', '.join(there)}")
    return torch.device(name)


def losses(model: ClickModel, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Equations (1), (6), (7): L_target, L_aux and L = L_target + α L_aux, scalars."""
    output = model(batch)
    target = F.binary_cross_entropy_with_logits(output.logit, batch.label)
    return target, output.auxiliary_loss, target + model.auxiliary_weight * output.auxiliary_loss


def fit(
    model: ClickModel,
    train: Samples,
    validation: Samples,
    *,
    epochs: int = 10,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    patience: int = 2,
    seed: int = 0,
    device: str | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
    settings: dict | None = None,
) -> list[dict[str, float]]:
    """Train until `epochs`, or until validation AUC has not risen for `patience` epochs.

    The model ends with the weights of its best validation epoch. Returns a row an epoch:
    epoch, target_loss, auxiliary_loss (training means), auc, gauc, log_loss (validation), seconds.
    `seed` draws the order of the samples and the non-clicks; weights are drawn where the model is
    made. `checkpoint` is written after each epoch, and `resume` goes on from it to the same
    weights, bit for bit on the same machine. Ctrl-C leaves the last checkpoint, and the model at
    its best epoch so far. `settings` (of data and model) are stored in the checkpoint, and a
    `resume` must come with the same. Under torchrun all processes call this with equal arguments,
    and together they do what one would (chapter 15).

    Raises ValueError for data with unknown ids, FloatingPointError for a loss that is not finite,
    CheckpointError for a checkpoint of another run, OSError for a folder that takes no file.
    """
    _check_fits(model, train)
    for name, value in {"epochs": epochs, "batch_size": batch_size, "patience": patience}.items():
        if value < 1:
            raise ValueError(f"{name} is {value}, expected at least 1")
    if checkpoint:
        check_writable(checkpoint)
    settings = {**(settings or {}), "learning_rate": learning_rate, "batch_size": batch_size}
    run = _Run(model.to(find_device(device)), settings | {"seed": seed}, checkpoint)
    if resume and checkpoint and parallel.from_first(Path(checkpoint).exists()):
        run.load()
    hidden = not progress or parallel.rank() > 0
    bar = tqdm(total=epochs * len(train), unit=" samples", unit_scale=True, disable=hidden)
    bar.update(len(run.rows) * len(train))
    try:
        while len(run.rows) < epochs and run.epochs_since_best() < patience:
            started = time.perf_counter()
            row = run.epoch(train, bar)
            row |= evaluate(model, validation) | {"seconds": time.perf_counter() - started}
            run.keep(row)
            run.show(row["target_loss"], bar)
    except torch.cuda.OutOfMemoryError as error:
        raise type(error)(
            f"the device has no memory left for batch_size {batch_size}: try half of it. The model "
            f"and its checkpoint, if any, are those of an earlier, whole epoch. ({error})"
        ) from error
    finally:
        bar.close()
        model.load_state_dict(run.best)
    return run.rows


class _Run:
    """Everything that a checkpoint holds."""

    def __init__(self, model: ClickModel, settings: dict, checkpoint: str | Path | None):
        self.model, self.settings, self.path = model, settings, checkpoint
        device = next(model.parameters()).device.type
        self.optimizer = torch.optim.Adam(
            model.parameters(),
            lr=settings["learning_rate"],
            fused=device in ("cpu", "cuda"),  # the same rule in one pass over the tables, not ten
        )
        self.losses = parallel.over_all(losses, model)
        self.rows: list[dict[str, float]] = []
        self.best = copy.deepcopy(model.state_dict())

    def epochs_since_best(self) -> int:
        scores = [row["auc"] for row in self.rows]
        return len(scores) - 1 - scores.index(max(scores)) if scores else 0

    def epoch(self, train: Samples, bar: tqdm) -> dict[str, float]:
        """One pass over the training samples; the mean losses, weighted by batch size."""
        self.model.train()
        device = next(self.model.parameters()).device
        sums, count = torch.zeros(2, device=device), 0
        for step, batch in enumerate(self.batches(train, device)):
            target, auxiliary, total = self.losses(batch)
            self.optimizer.zero_grad(set_to_none=True)
            total.backward()
            self.optimizer.step()
            rows = min(self.settings["batch_size"], len(train) - count)  # of all processes
            sums += torch.stack([target, auxiliary]).detach() * rows
            count += rows
            bar.update(rows)
            if step % CHECK_EVERY == 0:
                self.look(step, sums / count, bar)
        self.look(step, sums / count, bar)
        target, auxiliary = (sums / count).tolist()
        return {"epoch": len(self.rows), "target_loss": target, "auxiliary_loss": auxiliary}

    def batches(self, train: Samples, device: torch.device) -> Iterator[Batch]:
        """This epoch's batches; non-clicks are drawn only for a model that learns from them."""
        needed = getattr(self.model, "auxiliary", None) is not None
        return parallel.share(train).batches(
            self.settings["batch_size"],
            shuffle=(self.settings["seed"], len(self.rows)),
            negatives=needed,
            device=device,
        )

    def look(self, step: int, means: Tensor, bar: tqdm) -> None:
        """Show the loss, and stop before a broken epoch overwrites a good checkpoint."""
        target, auxiliary = means.tolist()
        self.show(target, bar)
        if not math.isfinite(target + auxiliary):
            raise FloatingPointError(
                f"the loss is {target + auxiliary} in epoch {len(self.rows)}, by step {step}: try "
                f"a learning rate below {self.settings['learning_rate']}. "
                "The model and its checkpoint, if any, are those of an earlier, whole epoch."
            )

    def show(self, loss: float, bar: tqdm) -> None:
        """The running loss, and beside it the validation AUC of the last whole epoch."""
        known = {"validation_auc": f"{self.rows[-1]['auc']:.4f}"} if self.rows else {}
        bar.set_postfix(loss=f"{loss:.4f}", **known)

    def keep(self, row: dict[str, float]) -> None:
        """Add the epoch; remember the weights if they are the best; write the checkpoint."""
        self.rows.append(row)
        if self.epochs_since_best() == 0:
            self.best = copy.deepcopy(self.model.state_dict())
        if self.path and parallel.rank() == 0:
            state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
            extra = {"best": self.best, "rows": self.rows, "settings": self.settings}
            save_checkpoint(self.path, state | extra)
        parallel.wait()

    def load(self) -> None:
        """Take up the run in the checkpoint; CheckpointError if its settings or sizes differ."""
        content = parallel.from_first(None if parallel.rank() else load_checkpoint(self.path))
        if content.get("settings") != self.settings:
            raise CheckpointError(
                f"{self.path} was trained with {content.get('settings')}, not {self.settings}: "
                "use those, or another checkpoint file"
            )
        try:
            self.model.load_state_dict(content["model"])
            self.optimizer.load_state_dict(content["optimizer"])
            self.best, self.rows = content["best"], content["rows"]
        except (RuntimeError, ValueError, KeyError) as error:
            raise CheckpointError(f"{self.path} holds another model: {error}") from error


def _check_fits(model: ClickModel, samples: Samples) -> None:
    data = samples.interactions
    if data.n_items > model.n_items or data.n_categories > model.n_categories:
        raise ValueError(
            f"{data.name} has {data.n_items} items and {data.n_categories} categories, the model "
            f"was made for {model.n_items} and {model.n_categories}: make it from the same data"
        )
