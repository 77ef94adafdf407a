"""Which backend runs: the kernel where it can, the loop where it must, and never in silence."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pytest
import torch
from conftest import make_batch, right_padded

from dien_edu import kernels
from dien_edu.kernels import cpu
from dien_edu.layers import AGRU, AIGRU, AUGRU, GRU
from dien_edu.layers.gru import Recurrence
from dien_edu.models import DIEN

needs_kernel = pytest.mark.skipif(bool(cpu.MISSING), reason=cpu.MISSING)


@pytest.fixture
def loops(monkeypatch):
    """How often the reference loop ran; warnings are given anew."""
    calls, walk = [], Recurrence.walk
    monkeypatch.setattr(Recurrence, "walk", lambda *a: calls.append(1) or walk(*a))
    kernels.warn_once.cache_clear()
    yield calls
    kernels.warn_once.cache_clear()


@pytest.fixture
def no_numba(monkeypatch):
    monkeypatch.setattr(cpu, "MISSING", "No module named 'numba' (pip install numba scipy)")


def run(layer, dtype=torch.float32):
    layer.to(dtype)
    inputs, mask = torch.randn(2, 3, 4, dtype=dtype), right_padded([3, 1], 3)
    attention = () if isinstance(layer, GRU) else (torch.rand(2, 3, dtype=dtype),)
    return layer(inputs, *attention, mask)[0]


@needs_kernel
@pytest.mark.parametrize("kind", [GRU, AIGRU, AGRU, AUGRU])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_auto_and_fused_use_the_kernel(kind, dtype, loops):
    for backend in ("auto", "fused"):
        run(kind(4, 4, backend), dtype)
    assert not loops
    run(kind(4, 4, "reference"), dtype)
    assert len(loops) == 1


class Renamed(GRU):
    pass


class NoUpdateGate(GRU):
    def step_size(self, update_gate, attention):
        return torch.ones_like(update_gate)


class NoResetGate(AUGRU):
    def gates(self, projected, state):
        update_gate, reset_gate, _ = super().gates(projected, state)
        weight = self.weight_hidden.chunk(3)[2]
        candidate = torch.tanh(projected.chunk(3, dim=-1)[2] + state @ weight.T)
        return update_gate, torch.ones_like(reset_gate), candidate


@pytest.mark.parametrize("kind", [Renamed, NoUpdateGate, NoResetGate])
def test_a_subclass_may_compute_something_else_so_it_walks_with_the_loop(kind, loops):
    torch.manual_seed(0)
    layer, inputs = kind(4, 4), torch.randn(2, 3, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        attention = () if isinstance(layer, GRU) else (torch.rand(2, 3),)
        states, _ = layer(inputs, *attention, right_padded([3, 3], 3))
    assert len(loops) == 1
    state = torch.zeros(2, 4)
    for t in range(3):
        state = layer.step(inputs[:, t], *(a[:, t] for a in attention), state)
        torch.testing.assert_close(states[:, t], state)
    with pytest.raises(ValueError, match="a subclass that computes something else"):
        run(kind(4, 4, "fused"))


def test_without_numba_the_loop_runs_and_says_so_once(loops, no_numba):
    with pytest.warns(UserWarning, match=r"No module named 'numba' \(pip install") as caught:
        run(AUGRU(4, 4))
        run(AUGRU(4, 4))
        run(GRU(4, 4))
    assert len(caught) == 1 and len(loops) == 3
    with pytest.raises(ValueError, match=r"cannot run here: No module .* Use backend='auto'"):
        run(AUGRU(4, 4, "fused"))


def test_reference_never_warns(loops, no_numba):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(AUGRU(4, 4, "reference"))


@needs_kernel
def test_a_type_that_is_not_covered(loops):
    with pytest.warns(UserWarning, match="float32 and float64, not in torch.bfloat16"):
        run(AUGRU(4, 4), torch.bfloat16)
    with pytest.raises(ValueError, match="not in torch.bfloat16"):
        run(AUGRU(4, 4, "fused"), torch.bfloat16)


def test_two_types_at_once():
    single, double = torch.zeros(2, 3, 4), torch.zeros(2, 3).double()
    expected = "of two kinds, torch.float32 on cpu and torch.float64 on cpu"
    assert kernels.why_not("augru", single, double, torch.zeros(12)).endswith(expected)


def test_a_device_without_a_kernel(loops):
    layer, inputs = AUGRU(4, 4).to("meta"), torch.empty(2, 3, 4, device="meta")
    weights, state = tuple(layer.parameters()), inputs[:, 0]
    with pytest.raises(ValueError, match="no kernel for meta"):
        kernels.run("augru", inputs, None, None, state, weights, "fused")
    with pytest.warns(UserWarning, match="no kernel for meta"):
        assert kernels.run("augru", inputs, None, None, state, weights, "auto") is None


@needs_kernel
def test_a_model_passes_its_backend_on(loops):
    batch = make_batch([5, 2, 0])
    outputs = []
    for backend in ("reference", "fused"):
        torch.manual_seed(0)
        outputs.append(DIEN(20, 5, backend=backend).double()(batch))
    assert len(loops) == 2
    torch.testing.assert_close(outputs[0], outputs[1], rtol=0, atol=1e-12)


@needs_kernel
def test_a_folder_that_cannot_be_written_is_no_obstacle(monkeypatch):
    """Numba raises where it finds no place for its cache; then it compiles once a process."""
    import numba

    def refuse(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: options

    monkeypatch.setattr(numba, "njit", refuse)
    assert cpu.compiled(run) == cpu.OPTIONS


def test_the_package_imports_neither_numba_nor_triton_before_they_are_needed():
    code = (
        "import sys, dien_edu.models; "
        "print([m for m in ('numba', 'triton', 'scipy') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
