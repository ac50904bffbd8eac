"""200 random problems, to the numbers that were recorded in tests/data/problems.npz.

The other tests compare one way to run a neuron with another; this one would notice if all of
them changed. ``python -m tests.unroll.test_recorded`` records anew: what plain torch operations
return in float32 on a CPU. Do so only where results are meant to change, and say why.
"""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from torch import Tensor

import snntorch as snn
from snntorch import surrogate
from snntorch._kernels.cpu import binding as cpu
from snntorch._neurons import neurons
from tests.unroll.test_unroll import assert_close, loop, unrolled

FILE = Path(__file__).parent.parent / "data" / "problems.npz"
COUNT = 200
#: No membrane comes closer to its threshold, so that rounding makes or takes no spike.
CLEARANCE = 1e-4
WAYS = ("torch", "step", "unroll")
#: With and without tails, symmetric and not.
SURROGATES = (
    surrogate.atan(),
    surrogate.fast_sigmoid(4),
    surrogate.sigmoid(5),
    surrogate.triangular(0.7),
    surrogate.straight_through_estimator(),
    surrogate.SFS(3, -0.2),
)


def drawn(draw: random.Random, shape: tuple[int, ...], low: float, high: float) -> Tensor:
    """Return numbers that are the same with every version of torch, and on every machine."""
    numbers = [draw.uniform(low, high) for _ in range(math.prod(shape))]
    return torch.tensor(numbers).reshape(shape)


def some_neuron(draw: random.Random) -> Any:
    """Return a neuron; what it is must not depend on what the package has later."""
    shape = draw.choice([(), (5,), (3, 1), (1, 1)])

    def value(low: float, high: float) -> Tensor:
        return drawn(draw, shape, low, high)

    def flag() -> bool:
        return draw.random() < 0.5

    name = draw.choice(["leaky", "lapicque", "synaptic", "alpha", "rleaky", "rsynaptic"])
    kwargs: dict[str, Any] = {
        "threshold": value(0.3, 1.0),
        "learn_beta": flag(),
        "learn_threshold": flag(),
        "reset_mechanism": draw.choice(["subtract", "zero", "none"]),
        "spike_grad": draw.choice(SURROGATES),
    }
    if name not in ("lapicque", "alpha"):
        kwargs["reset_delay"] = flag()
    dense = name.startswith("r") and flag()
    if name.startswith("r"):
        kwargs |= {"linear_features": 5} if dense else {"all_to_all": False, "V": value(-1, 1)}
    beta, alpha = value(0.3, 0.6), value(0.7, 0.9)
    if name == "leaky":
        kwargs |= {"reset_mechanism": "soft"} if draw.random() < 0.2 else {}
        kwargs |= {"learn_graded_spikes_factor": flag()}
        return snn.Leaky(beta, graded_spikes_factor=value(0.5, 2.0), **kwargs)
    if name in ("lapicque", "rleaky"):
        neuron: Any = {"lapicque": snn.Lapicque, "rleaky": snn.RLeaky}[name](beta, **kwargs)
    else:
        kinds = {"synaptic": snn.Synaptic, "alpha": snn.Alpha, "rsynaptic": snn.RSynaptic}
        neuron = kinds[name](alpha, beta, learn_alpha=True, **kwargs)
    if dense:
        with torch.no_grad():
            for weight in neuron.recurrent.parameters():
                weight.copy_(drawn(draw, tuple(weight.shape), -0.5, 0.5))
    return neuron


class Problem:
    """A neuron with its input, first states and weights of what comes out, by number."""

    def __init__(self, seed: int) -> None:
        draw = random.Random(seed)
        self.neuron = some_neuron(draw)
        shape = (draw.choice([1, 2, 7]), draw.choice([1, 3]), 3, 5)
        self.draw = draw
        self.x = drawn(draw, shape, -1.0, 2.0).requires_grad_()
        names = self.neuron.state_names if draw.random() < 0.5 else ()
        self.states = [drawn(draw, shape[1:], 0.0, 1.2).requires_grad_() for _ in names]

    @property
    def is_dense(self) -> bool:
        """Whether its spikes come back through a matrix."""
        return bool(getattr(self.neuron, "all_to_all", False))

    @property
    def is_portable(self) -> bool:
        """Whether every operation forward is one that IEEE 754 rounds.

        Logarithms, as in Alpha's tau and Lapicque's circuit, and sums in the order of a matrix
        product depend on the CPU.
        """
        return not self.is_dense and not isinstance(self.neuron, (snn.Alpha, snn.Lapicque))

    def solve(self, run: Any) -> tuple[list[Tensor], list[Tensor]]:
        """Return what comes out, the last states included, and the gradients of a mix of it."""
        out = run(self.neuron, self.x, *self.states)
        mixed = sum((one * drawn(self.draw, tuple(one.shape), -1, 1)).sum() for one in out)
        leaves = [self.x, *self.states, *self.neuron.parameters()]
        leaves = [leaf for leaf in leaves if leaf.requires_grad]
        grads = torch.autograd.grad(mixed, leaves, allow_unused=True, materialize_grads=True)
        return [one.detach() for one in out], list(grads)


def by_torch(neuron: Any, x: Tensor, *states: Tensor) -> list[Tensor]:
    with mock.patch.object(neurons, "fused_step", return_value=None):
        return loop(neuron, x, *states)


def split(numbers: np.ndarray, like: list[Tensor]) -> list[Tensor]:
    parts = torch.from_numpy(numbers).split([one.numel() for one in like])
    return [part.reshape(one.shape) for part, one in zip(parts, like, strict=True)]


@pytest.fixture(scope="module")
def recorded() -> list[tuple[int, np.ndarray, np.ndarray]]:
    data = np.load(FILE)
    out, grads = (np.split(data[name], data[f"{name}_ends"][:-1]) for name in ("out", "grads"))
    return list(zip(map(int, data["seeds"]), out, grads, strict=True))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number", range(COUNT))
def test_recorded(number: int, way: str, recorded: Any, kernel_steps: list[str]) -> None:
    seed, want_out, want_grads = recorded[number]
    problem = Problem(seed)
    run = {"torch": by_torch, "step": loop, "unroll": unrolled}[way]
    out, grads = problem.solve(run)
    by_kernel = way != "torch" and cpu.available() is None
    assert bool(kernel_steps) is by_kernel
    if by_kernel and not problem.is_dense:
        times = 1 if way == "unroll" else len(problem.x)
        assert kernel_steps == ["snn_forward"] * times + ["snn_backward"] * times
    want = split(want_out, out)
    for got, one in zip(out, want, strict=True):
        if problem.is_portable:
            assert torch.equal(got, one)
        else:
            torch.testing.assert_close(got, one, rtol=1e-5, atol=1e-5)
    assert_close(grads, split(want_grads, grads), 2e-5)


def test_the_problems_are_worth_recording(recorded: Any) -> None:
    problems = [Problem(seed) for seed, _, _ in recorded]
    assert len(problems) == COUNT
    assert 50 < sum(problem.is_portable for problem in problems) < COUNT
    for cls in (snn.Leaky, snn.Lapicque, snn.Synaptic, snn.Alpha, snn.RLeaky, snn.RSynaptic):
        assert sum(type(problem.neuron) is cls for problem in problems) > 20
    fired = 0
    for problem, (_, out, grads) in zip(problems, recorded, strict=True):
        fired += 0 < (out[: problem.x.numel()] != 0).mean() < 1
        assert grads.any()
        assert np.isfinite(grads).all()
    assert fired > COUNT * 0.9


def test_a_small_change_is_noticed(recorded: Any) -> None:
    """Negative control: an input that is off by little."""
    for seed, want_out, want_grads in recorded[:20]:
        problem = Problem(seed)
        problem.x.data *= 1 + 1e-4
        out, grads = problem.solve(by_torch)
        with pytest.raises(AssertionError):
            assert_close([*out, *grads], [*split(want_out, out), *split(want_grads, grads)], 2e-5)


def clearance(problem: Problem) -> float:
    """Return how close a membrane comes to its threshold."""
    found = []
    fire = problem.neuron.spike_grad

    def watched(excess: Tensor) -> Tensor:
        found.append(excess.abs().min().item())
        return fire(excess)

    problem.neuron.spike_grad = watched
    by_torch(problem.neuron, problem.x, *problem.states)
    firsts = [problem.neuron.threshold.sub(state).abs().min().item() for state in problem.states]
    return min(found + firsts)


def record() -> None:
    seeds = [seed for seed in range(2 * COUNT) if clearance(Problem(seed)) > CLEARANCE][:COUNT]
    solved = [Problem(seed).solve(by_torch) for seed in seeds]
    arrays: dict[str, Any] = {"seeds": seeds}
    for name, found in zip(("out", "grads"), zip(*solved, strict=True), strict=True):
        rows = [torch.cat([one.flatten() for one in tensors]).numpy() for tensors in found]
        arrays[name] = np.concatenate(rows)
        arrays[f"{name}_ends"] = np.cumsum([len(row) for row in rows])
    np.savez_compressed(FILE, **arrays)


if __name__ == "__main__":
    record()
