"""The process that compiles the kernel computes what later ones, which load it, compute."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from dien_edu.kernels import cpu

SCRIPT = """
import hashlib, torch
from dien_edu.layers import AUGRU
torch.set_num_threads(1)
torch.manual_seed(0)
layer = AUGRU(36, 36, backend="fused")
inputs, attention = torch.randn(50, 30, 36, requires_grad=True), torch.rand(50, 30)
mask = torch.arange(30) < torch.randint(1, 31, (50, 1))
states, last = layer(inputs, attention.requires_grad_(), mask)
(states.square().sum() + last.sum()).backward()
found = [states, last, inputs.grad, attention.grad, *(p.grad for p in layer.parameters())]
print(hashlib.sha256(b"".join(t.detach().numpy().tobytes() for t in found)).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.skipif(bool(cpu.MISSING), reason=f"the CPU kernel: {cpu.MISSING}")
def test_a_compiled_and_a_loaded_kernel_agree_bit_for_bit(tmp_path):
    """Else the first training after an installation would end elsewhere than all later ones."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", SCRIPT]
    first, second = (
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert any(tmp_path.rglob("*.nbi")), "nothing was cached: the test would compare nothing"
    assert first == second
