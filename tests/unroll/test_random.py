"""Random neurons, shapes and layouts: torch operations, fused steps and `unroll` agree."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
import torch
from torch import Tensor

import snntorch as snn
from snntorch import surrogate
from snntorch._kernels.cpu import binding as cpu
from snntorch._neurons import neurons
from tests.unroll.test_unroll import assert_close, gradients, loop, unrolled

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


def some_input(draw: random.Random) -> Tensor:
    steps, batch = draw.choice([1, 2, 17, 60]), draw.choice([1, 7, 40])
    x = {
        "plain": lambda: torch.randn(steps, batch, 3, 5),
        "batch first": lambda: torch.randn(batch, steps, 3, 5).transpose(0, 1),
        "channels last": lambda: torch.randn(steps, batch, 5, 3).transpose(2, 3),
        "repeated": lambda: torch.randn(steps, 1, 3, 5).expand(steps, batch, 3, 5),
        "with gaps": lambda: torch.randn(steps, batch, 3, 10)[..., ::2],
    }
    return x[draw.choice(list(x))]().detach().requires_grad_()


@pytest.mark.parametrize("seed", range(80))
def test_three_ways_agree(
    seed: int, monkeypatch: pytest.MonkeyPatch, kernel_steps: list[str]
) -> None:
    torch.manual_seed(seed)
    draw = random.Random(seed)
    torch.set_default_dtype(draw.choice([torch.float32, torch.float64]))
    try:
        neuron, x = some_neuron(draw), some_input(draw)
        rtol = 2e-5 if x.dtype == torch.float32 else 1e-9
        found = []
        for way in ("torch", "step", "unroll"):
            with monkeypatch.context() as patch:
                if way == "torch":
                    patch.setattr(neurons, "fused_step", lambda *_: None)
                run = unrolled if way == "unroll" else loop
                neuron.reset_mem()
                kernel_steps.clear()
                numbers = run(neuron, x)
                by_kernel = way != "torch" and cpu.available() is None
                assert bool(kernel_steps) is by_kernel
                if by_kernel and way == "unroll" and "recurrent" not in neuron._modules:
                    assert kernel_steps == ["snn_forward"]
                neuron.reset_mem()
                found.append((numbers, gradients(run, neuron, x, [])))
    finally:
        torch.set_default_dtype(torch.float32)
    (want, want_grads), *others = found
    for got, got_grads in others:
        for one, other in zip(got, want, strict=True):
            assert torch.equal(one, other)
        assert_close(got_grads, want_grads, rtol)
