"""The autograd functions: the Heaviside step, each with a derivative of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from snntorch._checks import expect, expect_tensor
from snntorch._torch import PLAIN, is_functorch_active, is_jit_traced


def spikes(x: Tensor) -> Tensor:
    """Return H(x), the Heaviside step with H(0) = 0, in the dtype of ``x``."""
    return (x > 0).to(x.dtype)


class SurrogateFunction(torch.autograd.Function):
    """Heaviside step in the forward pass, :meth:`gradient` in the backward pass.

    A subclass names its parameters with their defaults, in the order in which
    ``apply(x, *parameters)`` takes them, and writes :meth:`gradient`.
    """

    generate_vmap_rule = True
    parameters: ClassVar[dict[str, Any]] = {}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, *parameters: Any) -> Tensor:
        """Return dL/dx from ``grad`` = dL/dS."""
        raise TypeError("A surrogate has to define `gradient(x, grad, *parameters)`.")

    @classmethod
    def apply(cls, x: Any, *given: Any) -> Any:
        """Return the spikes of ``x``; left-out parameters take their defaults."""
        expect(
            len(given) <= len(cls.parameters),
            cls.__name__,
            f"at most the parameters {tuple(cls.parameters)} after `x`",
            f"{len(given)} values",
            error=TypeError,
        )
        if not isinstance(x, Tensor):
            expect_tensor(cls.__name__, "x", x)
        if is_jit_traced():
            return spikes(x) if torch.onnx.is_in_onnx_export() else cls._traced(x, *given)
        if is_functorch_active() or type(x) not in PLAIN:
            return super().apply(x, *given)  # type: ignore[no-untyped-call]
        if not (x.requires_grad and torch.is_grad_enabled()):
            return spikes(x)
        # Function.apply binds default arguments through inspect on every call,
        # which costs three times the step itself; here nothing is left to bind.
        return super(torch.autograd.Function, cls).apply(x, *given)  # type: ignore[misc]

    @classmethod
    def _traced(cls, x: Tensor, *given: Any) -> Tensor:
        """Return H(x) by operations of torch alone, whose derivative is :meth:`gradient`.

        A file of a trace has no place for a function of Python. The operations are the same
        without a graph, as torch compares a trace with one made so.
        """
        value = x.detach()
        left_out = tuple(cls.parameters.values())[len(given) :]
        slope = cls.gradient(value, torch.ones_like(value), *given, *left_out)
        return spikes(value) + slope * torch.where(value.isfinite(), x - value, 0.0)

    @staticmethod
    def forward(*arguments: Any) -> Tensor:
        """Return H(x)."""
        # torch.compile puts a context first where the number of arguments can vary
        return spikes(next(value for value in arguments if isinstance(value, Tensor)))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep x and the given parameters for the backward pass."""
        x, *ctx.given = inputs
        ctx.save_for_backward(x)

    def __init_subclass__(cls) -> None:
        # torch calls `backward` without the class, so each class gets its own
        super().__init_subclass__()
        gradient, defaults = cls.gradient, tuple(cls.parameters.values())

        def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
            (x,) = ctx.saved_tensors
            left_out = defaults[len(ctx.given) :]
            return gradient(x, grad, *ctx.given, *left_out), *(None for _ in ctx.given)

        cls.backward = staticmethod(backward)  # type: ignore[method-assign]


class StraightThroughEstimator(SurrogateFunction):
    """dS/dx = 1. See :func:`straight_through_estimator`."""

    @staticmethod
    def gradient(x: Tensor, grad: Tensor) -> Tensor:
        return grad


class Triangular(SurrogateFunction):
    """dS/dx = +threshold below 0, -threshold from 0 on. See :func:`triangular`."""

    parameters: ClassVar[dict[str, Any]] = {"threshold": 1.0}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, threshold: float) -> Tensor:
        return torch.where(x < 0, grad * threshold, grad * -threshold)


class FastSigmoid(SurrogateFunction):
    """``dS/dx = 1/(1 + slope |x|)^2``. See :func:`fast_sigmoid`."""

    parameters: ClassVar[dict[str, Any]] = {"slope": 25}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, slope: float) -> Tensor:
        return grad / (slope * x.abs() + 1.0) ** 2


class ATan(SurrogateFunction):
    """dS/dx = (alpha/2)/(1 + (pi/2 alpha x)^2). See :func:`~snntorch.surrogate.atan`."""

    parameters: ClassVar[dict[str, Any]] = {"alpha": 2.0}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, alpha: float) -> Tensor:
        return grad * (alpha / 2) / (1 + (math.pi / 2 * alpha * x) ** 2)


class Heaviside(SurrogateFunction):
    """dS/dx = S. See :func:`heaviside`."""

    @staticmethod
    def gradient(x: Tensor, grad: Tensor) -> Tensor:
        return grad * spikes(x)


class Sigmoid(SurrogateFunction):
    """dS/dx = slope s(1 - s), s the logistic function. See :func:`sigmoid`."""

    parameters: ClassVar[dict[str, Any]] = {"slope": 25}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, slope: float) -> Tensor:
        z = slope * x
        # s(-z) = 1 - s(z) without cancellation, and neither can overflow
        return grad * slope * torch.sigmoid(z) * torch.sigmoid(-z)


class SpikeRateEscape(SurrogateFunction):
    """``dS/dx = slope exp(-beta |x - 1|)``. See :func:`spike_rate_escape`."""

    parameters: ClassVar[dict[str, Any]] = {"beta": 1, "slope": 25}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, beta: float, slope: float) -> Tensor:
        return grad * slope * torch.exp(-beta * (x - 1).abs())


class StochasticSpikeOperator(SurrogateFunction):
    """dS/dx = 1 at a spike, else a random value. See :func:`SSO`."""

    parameters: ClassVar[dict[str, Any]] = {"mean": 0, "variance": 0.2}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, mean: float, variance: float) -> Tensor:
        noise = (torch.rand_like(x) - 0.5 + mean) * variance
        return torch.where(x > 0, grad, grad * noise)


class LeakySpikeOperator(SurrogateFunction):
    """dS/dx = 1 at a spike, else slope. See :func:`LSO`."""

    parameters: ClassVar[dict[str, Any]] = {"slope": 0.1}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, slope: float) -> Tensor:
        return torch.where(x > 0, grad, grad * slope)


class SparseFastSigmoid(SurrogateFunction):
    """dS/dx = the fast sigmoid's where x > B, else 0. See :func:`SFS`."""

    parameters: ClassVar[dict[str, Any]] = {"slope": 25, "B": 1}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, slope: float, B: float) -> Tensor:
        return torch.where(x > B, FastSigmoid.gradient(x, grad, slope), 0.0)


class CustomSurrogate(SurrogateFunction):
    """dL/dx by a function of the user's. See :func:`custom_surrogate`."""

    parameters: ClassVar[dict[str, Any]] = {"custom_surrogate_function": None}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, function: Callable[..., Tensor]) -> Tensor:
        return function(x, grad, spikes(x))
