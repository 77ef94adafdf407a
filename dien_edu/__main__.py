"""The command line: python -m dien_edu data | train | evaluate | ablation."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import torch

from dien_edu.data import Interactions, Splits, ctr_samples, load
from dien_edu.data.samples import PROTOCOLS, SAMPLERS
from dien_edu.models import MODELS, ClickModel, build
from dien_edu.training import (
    CheckpointError,
    ablation,
    evaluate,
    find_device,
    fit,
    load_checkpoint,
    parallel,
)


class Parser(argparse.ArgumentParser):
    """Errors in one line: what was wrong and where help is; no abbreviations."""

    def __init__(self, **options):
        super().__init__(**{"allow_abbrev": False, **options})

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser() -> Parser:
    """The whole command line."""
    root = Parser(prog="python -m dien_edu", description=__doc__)
    verbs = root.add_subparsers(dest="verb", required=True, metavar="data | train | …")
    data = verbs.add_parser("data", help="fetch a data set once and say what is in it")
    data.add_argument("name", nargs="?", default="movielens-100k")
    train = verbs.add_parser("train", help="train one model and score it on test")
    train.add_argument("--model", default="dien", choices=MODELS)
    train.add_argument("--seed", type=int, default=0, help="of weights and order (default 0)")
    train.add_argument("--auxiliary-weight", type=float, help="α of equation (7) (default 1)")
    train.add_argument("--checkpoint", type=Path, help="write one here after each epoch")
    train.add_argument("--resume", action="store_true", help="go on from --checkpoint")
    scored = verbs.add_parser("evaluate", help="score a checkpoint on validation and test")
    scored.add_argument("--checkpoint", type=Path, required=True)
    many = verbs.add_parser("ablation", help="train models × seeds and record the results")
    many.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    many.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    many.add_argument("--learning-rates", nargs="+", type=float, default=[], metavar="RATE",
                      help="let validation choose for each model, with the first seed")  # fmt: skip
    many.add_argument("--output", type=Path, required=True, help="the JSON file to record in")
    for verb in (train, many):
        _training_options(verb)
    for verb in (train, scored, many):
        verb.add_argument("--device", help="cpu, cuda or mps (default: the fastest there is)")
    for verb in (data, train, scored, many):
        verb.add_argument("--json", action="store_true", help="end with one JSON object")
    return root


def _training_options(verb: Parser) -> None:
    verb.add_argument("--data", default="movielens-100k", metavar="NAME")
    verb.add_argument("--epochs", type=int, default=10, help="at most (default 10)")
    verb.add_argument("--batch-size", type=int, default=256)
    verb.add_argument("--learning-rate", type=float, default=1e-3)
    verb.add_argument("--protocol", default="book", choices=PROTOCOLS, help="split and samples")
    verb.add_argument("--max-history", type=int, help="default 50; 100 in the paper's protocol")
    verb.add_argument("--sampler", choices=SAMPLERS, help="who draws the non-clicks")
    verb.add_argument("--split-seed", type=int, default=0)


def run_data(options: argparse.Namespace) -> dict:
    """Load a data set, which fetches it if need be, and describe it."""
    data = _load(options.name)
    return {"name": data.name, **data.fingerprint()}


def run_train(options: argparse.Namespace) -> dict:
    """Train one model and score it; its settings go into the checkpoint, for `evaluate`."""
    if options.resume and not options.checkpoint:
        raise ValueError("--resume needs --checkpoint, the file to go on from")
    settings = {key: getattr(options, key) for key in SETTINGS}
    splits = _splits(settings)
    torch.manual_seed(options.seed)
    model = _model(settings, splits)
    started = time.perf_counter()
    own = {key: getattr(options, key) for key in ("seed", "checkpoint", "resume")}
    training = {**_fit_options(options), **own, "settings": settings}
    rows = fit(model, splits.train, splits.validation, **training)
    seconds = round(time.perf_counter() - started, 2)
    return {**evaluate(model, splits.test), "epochs": len(rows), "seconds": seconds}


def run_evaluate(options: argparse.Namespace) -> dict:
    """Score a checkpoint on the data, split and non-clicks that it was trained with."""
    content = load_checkpoint(options.checkpoint)
    settings = content.get("settings", {})
    if not settings.keys() >= SETTINGS:
        raise CheckpointError(f"{options.checkpoint} was not written by this command's `train`")
    splits = _splits(settings)
    model = _model(settings, splits).to(find_device(options.device))
    try:
        model.load_state_dict(content["best"])
    except RuntimeError as error:
        raise CheckpointError(f"{options.checkpoint} is of other data: {error}") from error
    scores = {"validation": evaluate(model, splits.validation), **evaluate(model, splits.test)}
    return {**scores, "epochs": len(content["rows"])}


def run_ablation(options: argparse.Namespace) -> dict:
    """Train models × seeds, recording each; say the mean test AUC of each model."""
    splits = _splits(vars(options))
    fit_options = _fit_options(options)
    if options.learning_rates:
        del fit_options["learning_rate"]
        fit_options["rates"] = options.learning_rates
    record = ablation(splits, options.models, options.seeds, options.output, **fit_options)
    runs = record["runs"]
    return {
        name: statistics.mean(run["test"]["auc"] for run in runs if run["model"] == name)
        for name in dict.fromkeys(run["model"] for run in runs)
    }


SAMPLING = ("protocol", "max_history", "sampler")
SETTINGS = {"data", "model", "auxiliary_weight", "split_seed", *SAMPLING}


def _load(name: str) -> Interactions:
    """Load a data set, and say what its user must know of this copy."""
    with parallel.one_first():
        data = load(name)
    if data.note and parallel.rank() == 0:
        print(data.note, file=sys.stderr)
    return data


def _splits(settings: dict) -> Splits:
    options = {key: settings[key] for key in SAMPLING}
    return ctr_samples(_load(settings["data"]), seed=settings["split_seed"], **options)


def _model(settings: dict, splits: Splits) -> ClickModel:
    data, weight = splits.train.interactions, settings["auxiliary_weight"]
    model = build(settings["model"], data.n_items, data.n_categories)
    if weight is not None:
        if getattr(model, "auxiliary", None) is None:
            raise ValueError(f"--auxiliary-weight: model {settings['model']} has no auxiliary loss")
        model.auxiliary_weight = weight
    return model


def _fit_options(options: argparse.Namespace) -> dict:
    keys = ("epochs", "batch_size", "learning_rate", "device")
    return {key: getattr(options, key) for key in keys}


RUN = {"data": run_data, "train": run_train, "evaluate": run_evaluate, "ablation": run_ablation}


def main(arguments: list[str] | None = None) -> int:
    """Run one verb. 0 done, 1 a clear error, 2 a wrong option, 130 Ctrl-C."""
    options = parser().parse_args(arguments)
    try:
        if options.verb == "train":
            options.device = parallel.join(options.device)
        elif parallel.launched() > 1:
            raise ValueError("torchrun is for train alone: run this in one process")
        device = find_device(options.device) if hasattr(options, "device") else None
        result = RUN[options.verb](options)
    except KeyboardInterrupt:
        print("stopped; a checkpoint, if asked for, holds the last whole epoch", file=sys.stderr)
        return 130
    except ERRORS as error:
        said = str(error) or f"{type(error).__name__}: this machine has too little memory"
        print(f"python -m dien_edu {options.verb}: {said}", file=sys.stderr)
        return 2 if isinstance(error, ValueError) else 1
    speaker = parallel.rank() == 0
    parallel.leave()
    if not speaker:
        return 0
    if device:
        result["device"] = str(device)
    if options.json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            print(f"{key:12} {value}")
    return 0


TOO_LARGE = (MemoryError, torch.cuda.OutOfMemoryError)
ERRORS = (ValueError, CheckpointError, FloatingPointError, OSError, *TOO_LARGE)

if __name__ == "__main__":
    sys.exit(main())
