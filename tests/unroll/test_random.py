"""Random neurons, shapes and layouts: torch operations, fused steps and `unroll` agree."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from torch import Tensor

from snntorch._kernels.cpu import binding as cpu
from snntorch._neurons import neurons
from tests.cases import Case
from tests.unroll.test_step import STEP_CASES
from tests.unroll.test_unroll import assert_close, gradients, loop, unrolled

#: The neurons whose equation a kernel knows, and where their numbers are drawn from.
CLASSES = tuple(dict.fromkeys(case.cls for case in STEP_CASES))
RANGES = {
    "threshold": (0.3, 1.0),
    "alpha": (0.7, 0.9),
    "beta": (0.3, 0.6),
    "graded_spikes_factor": (0.5, 2.0),
}


def some_neuron(draw: random.Random) -> Any:
    case, shape = Case(draw.choice(CLASSES)), draw.choice([(), (5,), (3, 1), (1, 1)])

    def value(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(shape)

    kwargs: dict[str, Any] = {"reset_mechanism": draw.choice(case.resets)}
    for name, ends in RANGES.items():
        if name in case.arguments:
            kwargs[name] = value(*ends)
    for flag in sorted(case.learn):
        kwargs[flag] = draw.random() < 0.5
    if case.reset_delay:
        kwargs["reset_delay"] = draw.random() < 0.5
    if "all_to_all" in case.arguments:
        dense = draw.random() < 0.5
        kwargs |= {"linear_features": 5} if dense else {"all_to_all": False, "V": value(-1, 1)}
    return case.cls(**{**case.kwargs, **kwargs})


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
