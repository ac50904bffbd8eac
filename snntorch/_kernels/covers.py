"""What a kernel can be asked to run: one list of reasons for a step, a sequence and a plan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from snntorch._kernels.problem import expands
from snntorch._torch import PLAIN
from snntorch.surrogate import SurrogateFunction, SurrogateGradient

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def surrogate_of(spike_grad: Any) -> SurrogateGradient | None:
    """Return a function if it is a Heaviside step with a gradient that a kernel can name."""
    if type(spike_grad) is not SurrogateGradient:
        function = getattr(spike_grad, "__self__", None)
        if not (isinstance(function, type) and issubclass(function, SurrogateFunction)):
            return None
        # the autograd function itself was passed, as `FastSigmoid.apply`
        if spike_grad.__func__ is not SurrogateFunction.apply.__func__:  # type: ignore[attr-defined]
            return None
        spike_grad = SurrogateGradient(
            function.__name__, function, tuple(function.parameters.values())
        )
    known = spike_grad.fires_by_heaviside and spike_grad.has_kernel_name
    return spike_grad if known else None


def why_not(  # noqa: PLR0911 (each return is a reason)
    step: Tensor, states: Sequence[Tensor], parameters: Iterable[Tensor], traced: bool = False
) -> str | None:
    """Return why no kernel runs such a step; None if one does.

    Args:
        step: Input of one step.
        states: The states to start from.
        parameters: Those that are tensors.
        traced: Whether tensors may stand for others, as while a compiler looks on.
    """
    dtype, shape, on_cpu = step.dtype, step.shape, step.is_cpu
    if dtype not in DTYPES:
        return f"no kernel takes input of {dtype}"
    if type(step) not in PLAIN and not traced:
        return f"its input is a {type(step).__name__}"
    for state in states:
        if state.dtype != dtype or state.shape != shape or state.is_cpu is not on_cpu:
            return f"its states are no tensors of {dtype} like its input"
        if type(state) not in PLAIN and not traced:
            return f"a state is a {type(state).__name__}"
    for one in parameters:
        if type(one) not in PLAIN and not traced:
            return f"a parameter is a {type(one).__name__}"
        if not expands(one, step):
            return "its parameters do not lie where its input does"
    return None
