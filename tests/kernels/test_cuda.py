"""The Triton kernels against the reference loop in float64; on a GPU, or in the interpreter.

Triton decides while it is imported whether it interprets (TRITON_INTERPRET), and then does so for
the whole process. So without a GPU this file runs itself once more, in a process of its own.
What an interpreter cannot see, types and memory, is left to the compiler, which needs no GPU.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
import torch
from conftest import right_padded

from dien_edu.kernels import cuda
from dien_edu.layers import AGRU, AUGRU, GRU

INTERPRETED = cuda.INTERPRETED
DEVICE = "cpu" if INTERPRETED else "cuda"
without_triton = pytest.mark.skipif(cuda.triton is None, reason="needs Triton: pip install triton")


class Official(AUGRU):
    """keep = (1 − a)(1 − u): what the authors' code computes."""

    def step_size(self, update_gate, attention):
        return 1 - (1 - attention[..., None]) * (1 - update_gate)


LAYERS = {"gru": GRU, "agru": AGRU, "augru": AUGRU, "official": Official}


def gpu(function):
    """For a GPU, and for the interpreter, whose numbers are the kernel's too."""
    if INTERPRETED:
        return pytest.mark.gpu(function)
    device = pytest.mark.skipif(
        not torch.cuda.is_available(),
        reason="needs a CUDA device; test_in_the_interpreter runs it without one",
    )
    return pytest.mark.gpu(device(without_triton(function)))


def draw(rule, batch, steps, hidden_size, seed=0):
    """Float64 leaves in the order of `FusedWalk.apply`, without the lengths."""
    torch.manual_seed(seed)
    layer = LAYERS[rule](3 * hidden_size, hidden_size, backend="reference").double()
    layer.weight_input.data = torch.eye(3 * hidden_size).double()  # so `inputs` is `projected`
    projected = torch.randn(batch, steps, 3 * hidden_size).double()
    attention = None if rule == "gru" else torch.rand(batch, steps).double()
    state = torch.randn(batch, hidden_size).double()
    return layer, [projected, attention, state, layer.weight_hidden.detach().clone()]


def gradients(states, weighting, leaves):
    """The states, and the gradients of all leaves of a sum that weights every state otherwise."""
    wanted = [leaf for leaf in leaves if leaf is not None]
    found = torch.autograd.grad((states * weighting).sum(), wanted, allow_unused=True)
    return [states.detach(), *(g if g is not None else torch.zeros(1) for g in found)]


def expected(layer, leaves, lengths):
    leaves = [x if x is None else x.clone().requires_grad_() for x in leaves]
    mask = right_padded(lengths, leaves[0].shape[1])
    values = {"weight_input": layer.weight_input, "weight_hidden": leaves[3], "bias": layer.bias}
    inputs = [leaves[0], *([leaves[1]] if leaves[1] is not None else []), mask, leaves[2]]
    states, _ = torch.func.functional_call(layer, values, tuple(inputs))
    weighting = torch.randn(states.shape, generator=torch.Generator().manual_seed(5)).double()
    return weighting, gradients(states, weighting, leaves)


def fused(rule, leaves, lengths, weighting, layout=lambda x: x):
    leaves = [
        x if x is None else layout(x.float().to(DEVICE)).detach().requires_grad_() for x in leaves
    ]
    projected, attention, state, weight_hidden = leaves
    lengths = torch.tensor(lengths, dtype=torch.int64, device=DEVICE)
    assert cuda.supports(projected) == ""
    states = cuda.FusedWalk.apply(rule, projected, attention, lengths, state, weight_hidden)
    return gradients(states, weighting.float().to(DEVICE), leaves)


def check(rule, batch, steps, hidden_size, lengths, layout=lambda x: x):
    layer, leaves = draw(rule, batch, steps, hidden_size)
    weighting, right = expected(layer, leaves, lengths)
    ours = fused(rule, leaves, lengths, weighting, layout)
    names = ["states", "projected", *(["attention"] if rule != "gru" else []), "state", "weight"]
    for name, mine, his in zip(names, ours, right, strict=True):
        assert mine.dtype == torch.float32
        if his.numel() > 0:
            error = (mine.double().cpu() - his).abs().max() / his.abs().max().clamp(min=1e-30)
            assert error <= 1e-5, f"{name} is off by {error:.1e} of its largest entry"


# The kernel's numbers


@gpu
@pytest.mark.parametrize("rule", LAYERS)
@pytest.mark.parametrize("hidden_size", [1, 3, 16, 36, 64, 100])
def test_equals_the_reference(rule, hidden_size):
    lengths = torch.randint(0, 6, (5,), generator=torch.Generator().manual_seed(hidden_size))
    check(rule, 5, 5, hidden_size, lengths.tolist())


@gpu
@pytest.mark.parametrize("rule", LAYERS)
@pytest.mark.parametrize(
    ("steps", "lengths"),
    [(1, [1]), (4, [2]), (3, [0, 0]), (4, []), (7, [7, 0, 3])],
)
def test_small_shapes_and_empty_histories(rule, steps, lengths):
    check(rule, len(lengths), steps, 4, lengths)


@gpu
@pytest.mark.parametrize("rule", LAYERS)
@pytest.mark.parametrize("batch", [0, 2])
def test_no_steps(rule, batch):
    _, leaves = draw(rule, batch, 0, 4)
    weighting = torch.zeros(batch, 0, 4)
    states, *gradients = fused(rule, leaves, [0] * batch, weighting)
    assert states.shape == (batch, 0, 4)
    assert [g.shape for g in gradients] == [x.shape for x in leaves if x is not None]
    assert not any(g.any() for g in gradients)


@gpu
def test_more_rows_than_one_program_takes():
    """37 rows: three programs in the interpreter, the last of them with rows to spare."""
    check("augru", 37, 3, 5, [n % 4 for n in range(37)])


@gpu
def test_long_history():
    check("augru", 2, 60, 8, [60, 41])


@gpu
def test_largest_hidden_size():
    check("official", 2, 2, cuda.LARGEST, [2, 1])


@gpu
@pytest.mark.parametrize("rule", ["gru", "augru"])
def test_non_contiguous_inputs(rule):
    check(rule, 3, 4, 5, [4, 1, 2], layout=lambda x: x.mT.contiguous().mT)


@gpu
def test_expanded_gradient():
    """The gradient of a sum is one number, expanded: strides 0."""
    _, (projected, _, state, weight) = draw("gru", 2, 3, 4)
    leaves = [x.float().to(DEVICE).requires_grad_() for x in (projected, state, weight)]
    lengths = torch.tensor([3, 2], device=DEVICE)
    cuda.FusedWalk.apply("gru", leaves[0], None, lengths, *leaves[1:]).sum().backward()
    assert all(leaf.grad.isfinite().all() and leaf.grad.any() for leaf in leaves)


@gpu
def test_padding_is_never_read():
    """Not even NaN reaches a result; the gradients of padding are 0."""
    layer, leaves = draw("augru", 3, 4, 5)
    lengths = [4, 2, 0]
    weighting, _ = expected(layer, leaves, lengths)
    clean = fused("augru", leaves, lengths, weighting)
    padded = ~right_padded(lengths, 4)
    leaves[0][padded], leaves[1][padded] = torch.nan, torch.nan
    dirty = fused("augru", leaves, lengths, weighting)
    assert all(torch.equal(a, b) for a, b in zip(clean, dirty, strict=True))
    assert not dirty[1][padded].any() and not dirty[2][padded].any()


@gpu
def test_two_runs_agree_to_the_bit():
    layer, leaves = draw("augru", 20, 6, 36)
    lengths = [n % 7 for n in range(20)]
    weighting, _ = expected(layer, leaves, lengths)
    first, second = (fused("augru", leaves, lengths, weighting) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@gpu
@pytest.mark.parametrize("rule", ["agru", "augru"])
def test_attention_of_zero_leaves_the_state_as_it_is_to_the_bit(rule):
    _, (projected, attention, state, weight) = draw(rule, 3, 4, 5)
    tensors = [x.float().to(DEVICE) for x in (projected, 0 * attention, state, weight)]
    lengths = torch.tensor([4, 2, 0], device=DEVICE)
    states = cuda.FusedWalk.apply(rule, *tensors[:2], lengths, *tensors[2:])
    assert torch.equal(states, tensors[2][:, None].expand_as(states))


@gpu
def test_without_gradients_the_states_are_the_same_and_nothing_is_kept():
    _, leaves = draw("augru", 3, 4, 5)
    projected, attention, state, weight = (x.float().to(DEVICE) for x in leaves)
    arguments = ("augru", projected, attention, torch.tensor([4, 2, 0], device=DEVICE), state)
    weight.requires_grad_()
    kept = cuda.FusedWalk.apply(*arguments, weight)
    with torch.no_grad():
        states = cuda.FusedWalk.apply(*arguments, weight)
    assert torch.equal(states, kept) and kept.grad_fn is not None and states.grad_fn is None


# Around the kernel


@without_triton
@pytest.mark.skipif(INTERPRETED, reason="this is the interpreter")
def test_in_the_interpreter():
    environment = {**os.environ, "TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""}
    pytest_ = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*pytest_, "-q", "-m", "gpu", __file__],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if "only 0-dimensional arrays can be converted" in done.stdout:
        pytest.skip("this Triton's interpreter fails on NumPy 2.4: a newer Triton or NumPy 2.3")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout and "skipped" not in done.stdout, done.stdout[-2000:]


@without_triton
@pytest.mark.skipif(INTERPRETED, reason="the interpreter does not compile")
@pytest.mark.parametrize("capability", [75, 90])
@pytest.mark.parametrize(("rule", "rows", "width"), [("augru", 16, 64), ("official", 8, 256)])
def test_compiles_and_fits(monkeypatch, tmp_path, capability, rule, rows, width):
    """For a T4 and an H100, with no such device here: within the shared memory of a T4."""
    pytest.importorskip("triton.backends.nvidia", reason="this Triton has no NVIDIA compiler")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    for kernel in (cuda._forward, cuda._backward):
        constants = {"RULE": rule, "KEEP": True, "ROWS": rows, "WIDTH": width}
        constants |= {"RESIDENT": width <= cuda.RESIDENT, "TILE": cuda.TILE}
        constants = {name: constants[name] for name in kernel.fn.__annotations__}
        types = dict.fromkeys(constants, "constexpr") | {"lengths": "*i64"}
        types |= dict.fromkeys(["batch", "steps", "H"], "i32")
        types = {name: types.get(name, "*fp32") for name in kernel.arg_names}
        source = ASTSource(fn=kernel, signature=types, constexprs=constants)
        target = GPUTarget("cuda", capability, 32)
        options = {"num_warps": min(rows * width // 64, 16), "enable_fp_fusion": True}
        compiled = cuda.triton.compile(source, target=target, options=options)
        assert compiled.metadata.shared <= 64 * 1024
        assert not re.search(r"\b(atom|red)\.", compiled.asm["ptx"]), "an order left to chance"


def test_says_why_it_does_not_cover():
    single = torch.zeros(2, 3, 12)
    if cuda.triton is None:
        assert cuda.supports(single) == "Triton is not installed"
        return
    assert "torch.float64" in cuda.supports(single.double())
    assert "up to 256, not 257" in cuda.supports(torch.zeros(1, 1, 3 * 257))
    if not INTERPRETED:
        assert "needs a CUDA tensor, not one on cpu" in cuda.supports(single)


def test_importable_without_triton():
    code = (
        "import sys; sys.modules['triton'] = None\n"
        "import torch; from dien_edu.kernels import cuda\n"
        "assert cuda.supports(torch.zeros(1, 1, 3)) == 'Triton is not installed'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
