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
CURVE = [OURS[0], OURS[1], *LAYERS]  # measured at more sizes, without the peers

TABLE_SIZES = [(128, 20), (128, 100), (1024, 20), (1024, 100)]  # (batch, steps)
CURVE_SIZES = [(128, 50), (128, 200), (128, 400), (128, 1000), (32, 100), (512, 100)]


def plan(only: list[str] | None, sizes: list[tuple[int, int]] | None) -> dict:
    """{(batch, steps): contestants}. `only` holds names or their beginnings: "ours", "gru"."""
    everything = {size: ALL for size in TABLE_SIZES} | {size: CURVE for size in CURVE_SIZES}
    if sizes:
        everything = {size: everything.get(size, ALL) for size in sizes}
    return {size: [c for c in them if wanted(c.name, only)] for size, them in everything.items()}


def wanted(name: str, only: list[str] | None) -> bool:
    """Is it in the list, or one of a family in the list?"""
    return only is None or any(name == o or name.startswith(f"{o}-") for o in only)
