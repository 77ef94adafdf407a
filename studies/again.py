"""Are the records still what the package computes? Repeat two runs; remember the state if so.

python -m studies.again, half a minute, after any change of what a number depends on. Every record
names the state of the sources that made it (`source_hash`). `book/results/again.json` lists the
states that are known to give the same numbers as the present one. A record of another state is
stale: `tests/test_results.py` fails until it is recorded anew. The two runs do not touch every
line (no AGRU, no impressions): what they leave out is held by the tests of layers and data.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from dien_edu.data import ctr_samples, load
from dien_edu.training import provenance, train_one
from dien_edu.training.checkpoint import save_json
from dien_edu.training.record import how_sampled
from studies import films_in_brief as films

RESULTS = Path(__file__).parent.parent / "book" / "results"
WITNESS, RECORD = RESULTS / "films-in-brief.json", RESULTS / "again.json"
MODELS = ("base", "dien")  # the least and the most of the package
CLOSE = 1e-4  # of AUC, at every epoch: rounding may differ, nothing else


def difference(old: dict, new: dict) -> float:
    """The largest distance of two runs in AUC, over the epochs and the test."""
    pairs = zip([*old["epochs"], old["test"]], [*new["epochs"], new["test"]], strict=True)
    return max(abs(a["auc"] - b["auc"]) for a, b in pairs)


def repeat(witness: dict) -> tuple[dict, dict[str, float]]:
    """How the runs of seed 0 were made this time, and how far each is from the recorded one."""
    data = films.first_people(load("movielens-100k"), films.PEOPLE)
    splits = ctr_samples(data, max_history=films.STEPS)
    found = {}
    for name in MODELS:
        wanted = {"order": "as rated", "model": name, "seed": 0}.items()
        (old,) = (run for run in witness["runs"] if wanted <= run.items())
        options = {"device": "cpu", "progress": False, **witness["options"]}
        found[name] = difference(old, train_one(name, splits, seed=0, **options))
    return provenance(data, "cpu", **how_sampled(splits.train)), found


def main(record: Path = RECORD, witness: Path = WITNESS) -> int:
    """0 and a longer list of states if the numbers are the same, else 1 and the list as it was."""
    old = json.loads(record.read_text(encoding="utf8")) if record.exists() else {"states": []}
    kept = json.loads(witness.read_text(encoding="utf8"))
    made, found = repeat(kept)
    for name, distance in found.items():
        print(f"{name:5} differs by {distance:.1e} in AUC")
    if max(found.values()) > CLOSE:
        print("the numbers have changed: what was recorded before is stale", file=sys.stderr)
        return 1
    states = [*old["states"], kept["provenance"]["sources"], made["sources"]]
    states = list(dict.fromkeys(states))  # each once
    command = "python -m studies.again"
    save_json(record, {"provenance": {"command": command, **made}, "states": states, **found})
    return 0


if __name__ == "__main__":
    sys.exit(main())
