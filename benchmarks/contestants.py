"""Who takes part, and at which sizes."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Contestant:
    """`module` of benchmarks.peers builds it, in the Python of `environment` (None: ours).

    `kind` is the auxiliary loss of a whole DIEN, "inner" or "mlp", or "layer" for a recurrence
    alone. Only equal kinds are compared.
    """

    name: str
    module: str
    kind: str
    environment: str | None = None
    options: dict = field(default_factory=dict)


def _ours(backend: str, kind: str) -> Contestant:
    options = {"backend": backend, "auxiliary": kind}
    return Contestant(f"ours-{backend}-{kind}", "ours", kind, options=options)


def _peer(name: str, kind: str, environment: str, **options) -> Contestant:
    return Contestant(name, environment.replace("-", "_"), kind, environment, options)


OURS = [_ours(backend, kind) for kind in ("inner", "mlp") for backend in ("fused", "reference")]
PEERS = [
    _peer("torch-rechub", "inner", "torch-rechub", fields=1),
    _peer("torch-rechub-fields", "inner", "torch-rechub", fields=2),
    _peer("deepctr-torch", "mlp", "deepctr-torch"),
    _peer("recbole", "mlp", "recbole"),
    _peer("recbole-repaired", "mlp", "recbole", anomaly=False),
]
LAYERS = [
    Contestant("gru", "layers", "layer"),
    Contestant("augru-fused", "layers", "layer", options={"backend": "fused"}),
    Contestant("augru-reference", "layers", "layer", options={"backend": "reference"}),
]
ALL = [*OURS, *PEERS, *LAYERS]

Size = tuple[int, int]  # (batch, steps)
SIZES: list[Size] = [(128, 20), (128, 100), (1024, 20), (1024, 100)]

# Without the peers. Those of one group, at all sizes of the curve, are in one race.
GROUPS = [[OURS[0], LAYERS[0], LAYERS[1]], [OURS[1], LAYERS[2]]]
CURVES: dict[str, list[Size]] = {
    "steps": [(128, steps) for steps in (20, 50, 100, 200, 400, 1000)],
    "batch": [(batch, 100) for batch in (32, 128, 512, 1024)],
}


def chosen(contestants: list[Contestant], only: list[str] | None) -> list[Contestant]:
    """Those that are in the list, or of a family in the list: "ours", "gru". None takes all."""
    if only is None:
        return contestants
    return [c for c in contestants if any(c.name == o or c.name.startswith(f"{o}-") for o in only)]
