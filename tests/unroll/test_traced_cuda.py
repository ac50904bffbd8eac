"""What is written for CUDA, run by the CPU: a thread after the other, as its compiler is not here.

`tests/gpu` runs the same on a device.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import snntorch as snn
from snntorch._kernels.traced import on_cuda, run
from snntorch._kernels.traced.on_cpu import OnCPU
from tests.unroll.test_traced import (
    CASES,
    OPERATIONS,
    STEPS,
    Resonator,
    assert_gradients,
    assert_same,
    loop,
    made,
    of,
    unrolled,
    values,
)
from tests.unroll.test_unroll import (
    assert_close,
    gradients,
    stepped_calls,  # noqa: F401 (a fixture)
)

COMPILER = os.environ.get("CXX") or next(filter(shutil.which, ("c++", "g++", "clang++")), None)
if COMPILER is None:
    pytest.skip("needs a C++ compiler", allow_module_level=True)

#: What CUDA's compiler knows, and a C++ compiler does not.
KNOWN = """
#include <cmath>
#include <cstring>
using std::fabs; using std::exp; using std::log; using std::pow; using std::floor;
#undef INFINITY
#undef NAN
#define __global__ __attribute__((visibility("default")))
#define __device__ inline
struct Place { int x; };
static thread_local Place blockIdx, blockDim, threadIdx;
extern "C" __global__ void stand(int block, int size, int thread)
{
    blockIdx.x = block, blockDim.x = size, threadIdx.x = thread;
}
static float __int_as_float(int bits)
{
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}
static int __float_as_int(float value)
{
    int bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}
template <class T> static T rsqrt(T value) { return 1 / std::sqrt(value); }
"""


class Launched:
    """A function for a device, called for one thread after the other.

    Args:
        path: The library that it is in.
        name: Its name.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.library = ctypes.CDLL(str(path))
        self.function = getattr(self.library, name)
        self.calls = 0

    def __call__(self, grid: Any, block: Any, arguments: list[Any]) -> None:
        self.calls += 1
        kinds = {int: ctypes.c_int, float: ctypes.c_double}
        given = [
            ctypes.c_void_p(one.data_ptr()) if isinstance(one, Tensor) else kinds[type(one)](one)
            for one in arguments
        ]
        for number in range(grid[0]):
            for thread in range(block[0]):
                self.library.stand(number, block[0], thread)
                self.function(*given)


@pytest.fixture(autouse=True)
def launched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Launched]:
    """Let what is written for CUDA run tensors of the CPU; lists what was compiled."""
    found: list[Launched] = []

    def compiled(text: str, name: str, options: list[str]) -> Launched:
        assert "--fmad=false" in options
        source, library = tmp_path / f"{len(found)}.cpp", tmp_path / f"{len(found)}.so"
        source.write_text(KNOWN + text)
        flags = ("-shared", "-fPIC", "-O1", "-ffp-contract=off", "-w", "-fvisibility=hidden")
        subprocess.run([COMPILER, *flags, str(source), "-o", str(library)], check=True)
        found.append(Launched(library, name))
        return found[-1]

    monkeypatch.setattr(on_cuda, "compile_for_cuda", compiled)
    for name in ("device", "device_of"):
        monkeypatch.setattr(torch.cuda, name, contextlib.nullcontext)
    monkeypatch.setitem(run.RUNNERS, "cpu", on_cuda.OnCUDA)
    run.kernel.cache_clear()
    yield found
    run.kernel.cache_clear()


#: Half as long numbers of the other kind are rounded by assembler of CUDA's own.
HERE = [(name, dtype) for name, dtype in CASES if dtype is not torch.float16]


@pytest.mark.parametrize(("name", "dtype"), HERE)
def test_equals_the_loop(
    name: str,
    dtype: torch.dtype,
    launched: list[Launched],
    stepped_calls: list[Any],  # noqa: F811
) -> None:
    neuron, x = made(name, dtype)
    x.requires_grad_()
    want, want_grads = loop(neuron, x), gradients(loop, neuron, x, [])
    stepped_calls.clear()
    assert_same(unrolled(neuron, x), want, name)
    got = gradients(unrolled, neuron, x, [])
    assert_gradients(got, want_grads, dtype)
    assert not stepped_calls
    assert [one.calls for one in launched] == [2, 1]
    assert "its step, compiled for CUDA" in str(snn.plan(neuron))


@pytest.mark.parametrize("steps", [1, 2, 17, 40])
def test_any_number_of_segments(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backward pass goes from segment to segment, the first of them the shortest."""
    monkeypatch.setattr(on_cuda, "SHORT", 1)
    neuron, x = made("Resonator", torch.float64, steps)
    states = [torch.rand(4, 3, dtype=torch.float64).requires_grad_() for _ in range(2)]
    got = gradients(unrolled, neuron, x.requires_grad_(), states)
    assert_close(got, gradients(loop, neuron, x, states), 1e-12)


def test_an_input_that_never_changes(launched: list[Launched]) -> None:
    neuron, x = made("Izhikevich", torch.float64)
    row = x[0].abs().requires_grad_()

    def repeated(neuron: Any, row: Tensor) -> list[Tensor]:
        return unrolled(neuron, row, num_steps=STEPS)

    def spread(neuron: Any, row: Tensor) -> list[Tensor]:
        return unrolled(neuron, row.expand(STEPS, *row.shape))

    def stepped(neuron: Any, row: Tensor) -> list[Tensor]:
        return loop(neuron, row.expand(STEPS, *row.shape))

    want, want_grads = stepped(neuron, row), gradients(stepped, neuron, row, [])
    for run_it in (repeated, spread):
        assert_same(run_it(neuron, row), want, "")
        assert_close(gradients(run_it, neuron, row, []), want_grads, 1e-12)
    assert launched


@pytest.mark.parametrize("which", ["spk", "mem", ("vel", "spk")])
def test_what_is_recorded_alone(which: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody asked for has no gradient, and is not written."""

    def chosen(neuron: Any, x: Tensor) -> list[Tensor]:
        return unrolled(neuron, x, record=which)

    neuron, x = made("Resonator", torch.float64)
    got = gradients(chosen, neuron, x.requires_grad_(), [])
    monkeypatch.setitem(run.RUNNERS, "cpu", OnCPU)
    run.kernel.cache_clear()
    assert_close(got, gradients(chosen, neuron, x, []), 1e-12)


def test_any_layout_and_size() -> None:
    drawn = torch.randn(4, STEPS, 3, 50).transpose(0, 1).transpose(2, 3).requires_grad_()
    neuron = Resonator()
    assert_same(unrolled(neuron, drawn), loop(neuron, drawn), "Resonator")
    assert_close(gradients(unrolled, neuron, drawn, []), gradients(loop, neuron, drawn, []), 1e-5)


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation(name: str, launched: list[Launched]) -> None:
    x, other = values(torch.float32)
    neuron = of(OPERATIONS[name])(threshold=float("inf"), reset_mechanism="none")
    (want,) = loop(neuron, x[None], other, torch.zeros_like(x))[2:3]
    (got,) = unrolled(neuron, x[None], other, torch.zeros_like(x))[2:3]
    assert launched
    eps = 8 * torch.finfo(torch.float32).eps
    torch.testing.assert_close(got, want, rtol=eps, atol=eps, equal_nan=True)


def test_more_neurons_than_are_counted() -> None:
    many, cuda = torch.Size([2**31]), torch.device("cuda", 0)
    told = run.kernel.__wrapped__(None, torch.float32, many, 1, (), cuda)
    assert told == "no kernel is generated for 2147483648 neurons"


@pytest.mark.parametrize("error", [RuntimeError("no nvrtc\nsee above"), OSError("no CUDA_HOME")])
def test_without_a_compiler(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*given: Any) -> None:
        raise error

    monkeypatch.setattr(on_cuda, "compile_for_cuda", fails)
    neuron, x = made("Resonator", torch.float32)
    told = str(error).splitlines()[0]
    assert f"torch could not compile it: {told}" in str(snn.plan(neuron))
    assert_same(unrolled(neuron, x), loop(neuron, x), "")


def test_a_wrong_line_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    make = on_cuda.source
    neuron, x = made("Resonator", torch.float64)
    want = gradients(loop, neuron, x.requires_grad_(), [])
    for right, wrong in (("sum##k += q##k", "sum##k = q##k"), ("row--;", ""), ("c##k +", "")):
        monkeypatch.setattr(
            on_cuda,
            "source",
            lambda *given, pair=(right, wrong): make(*given).replace(*pair),
        )
        run.kernel.cache_clear()
        with pytest.raises(AssertionError):
            assert_close(gradients(unrolled, neuron, x, []), want, 1e-12)
