"""The autograd functions: the Heaviside step, each with a derivative of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from snntorch._checks import expect, expect_finite, expect_real, expect_tensor
from snntorch._torch import PLAIN, is_functorch_active, is_jit_traced
from snntorch.surrogate._traceable import finite, why_traceable


def spikes(x: Tensor) -> Tensor:
    """Return H(x), the Heaviside step with H(0) = 0, in the dtype of ``x``."""
    return (x > 0).to(x.dtype)


#: The largest whole number that torch computes with.
_LARGEST = 2**63 - 1


def in_reach(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return parameters, those beyond the whole numbers of torch as floats."""
    return tuple(
        float(value) if isinstance(value, int) and abs(value) > _LARGEST else value
        for value in values
    )


def expect_real_tensor(owner: str, x: Any) -> None:
    """Raise ``TypeError`` unless ``x`` is a tensor of real numbers."""
    expect_tensor(owner, "x", x)
    expect_real(owner, "x", x)


class SurrogateFunction(torch.autograd.Function):
    """Heaviside step in the forward pass, :meth:`gradient` in the backward pass.

    A subclass names its parameters with their defaults, in the order in which
    ``apply(x, *parameters)`` takes them, and writes :meth:`gradient`; and :meth:`primitive`,
    if it is to run where others differentiate, see :class:`traceable`.
    """

    generate_vmap_rule = True
    parameters: ClassVar[dict[str, Any]] = {}
    #: Why there is no :meth:`primitive`.
    _no_primitive: ClassVar[str] = "its class has none"

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, *parameters: Any) -> Tensor:
        """Return dL/dx from ``grad`` = dL/dS."""
        raise TypeError(
            "SurrogateFunction expected a subclass with a `gradient(x, grad, *parameters)`, but "
            "got none.\nUse a surrogate such as surrogate.fast_sigmoid(), or write one."
        )

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        """Return the gradients; each subclass has its own."""
        return SurrogateFunction.gradient(*ctx.saved_tensors, grad)

    @classmethod
    def expect_parameters(cls, owner: object, given: tuple[Any, ...]) -> None:
        """Raise unless all parameters are finite numbers, or tensors."""
        for name, value in zip(cls.parameters, given, strict=False):
            if not isinstance(value, Tensor):
                expect_finite(owner, **{name: value})

    @staticmethod
    def _is_known(value: Any) -> bool:
        """Return whether a parameter is a tensor, or a number that torch can take."""
        if isinstance(value, int):
            return -_LARGEST <= value <= _LARGEST
        return isinstance(value, (float, Tensor))

    @classmethod
    def primitive(cls, x: Tensor, *parameters: Any) -> Tensor:
        """Return s(x), whose derivative by autograd is that of :meth:`gradient`.

        Raises:
            TypeError: If the class has none.
        """
        raise TypeError(
            f"{cls.__name__} expected a primitive, a function whose derivative is its gradient, as "
            "what is traced is differentiated by others, but got none: "
            f"{cls._no_primitive}.\nUse another surrogate, such as surrogate.fast_sigmoid(), or a "
            "subclass of surrogate.SurrogateFunction with a `primitive(x, *parameters)`."
        )

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
        if not isinstance(x, Tensor) or x.is_complex():
            expect_real_tensor(cls.__name__, x)
        for value in given:
            if not cls._is_known(value):
                cls.expect_parameters(cls.__name__, given)
                given = in_reach(given)
                break
        if why_traceable() is not None:
            return cls._differentiable(x, *cls._complete(given))
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
        slope = cls.gradient(value, torch.ones_like(value), *cls._complete(given))
        return spikes(value) + slope * torch.where(value.isfinite(), x - value, 0.0)

    @classmethod
    def _differentiable(cls, x: Tensor, *parameters: Any) -> Tensor:
        """Return H(x), differentiated as :meth:`primitive`: by no function of Python.

        It is s + detach(H - s), the terms in an order that leaves H exact whatever the size of s.
        """
        spk = cls.forward(x.detach(), *parameters)
        smooth = cls.primitive(torch.where(finite(x), x, 0.0), *parameters)
        return spk + (smooth - smooth.detach())

    @classmethod
    def _complete(cls, given: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return all parameters: those given, and the defaults of those left out."""
        return *given, *tuple(cls.parameters.values())[len(given) :]

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

    @staticmethod
    def primitive(x: Tensor) -> Tensor:
        return x


class Triangular(SurrogateFunction):
    """dS/dx = +threshold below 0, -threshold from 0 on. See :func:`triangular`."""

    parameters: ClassVar[dict[str, Any]] = {"threshold": 1.0}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, threshold: float) -> Tensor:
        return torch.where(x < 0, grad * threshold, grad * -threshold)

    @staticmethod
    def primitive(x: Tensor, threshold: float) -> Tensor:
        return torch.where(x < 0, x * threshold, x * -threshold)


class FastSigmoid(SurrogateFunction):
    """``dS/dx = 1/(1 + slope |x|)^2``. See :func:`fast_sigmoid`."""

    parameters: ClassVar[dict[str, Any]] = {"slope": 25}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, slope: float) -> Tensor:
        return grad / (slope * x.abs() + 1.0) ** 2

    @staticmethod
    def primitive(x: Tensor, slope: float) -> Tensor:
        """Return ``x/(1 + slope |x|)``."""
        # the same up to x = 0, but autograd takes no difference of large terms
        return _odd(x, lambda y: _integral(slope, y, lambda k: (1 / (1 - k * y) - 1) / k))


class ATan(SurrogateFunction):
    """dS/dx = (alpha/2)/(1 + (pi/2 alpha x)^2). See :func:`~snntorch.surrogate.atan`."""

    parameters: ClassVar[dict[str, Any]] = {"alpha": 2.0}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, alpha: float) -> Tensor:
        return grad * (alpha / 2) / (1 + (math.pi / 2 * alpha * x) ** 2)

    @staticmethod
    def primitive(x: Tensor, alpha: float) -> Tensor:
        return torch.atan(math.pi / 2 * alpha * x) / math.pi


class Heaviside(SurrogateFunction):
    """dS/dx = S. See :func:`heaviside`."""

    @staticmethod
    def gradient(x: Tensor, grad: Tensor) -> Tensor:
        return grad * spikes(x)

    @staticmethod
    def primitive(x: Tensor) -> Tensor:
        return torch.relu(x)


class Sigmoid(SurrogateFunction):
    """dS/dx = slope s(1 - s), s the logistic function. See :func:`sigmoid`."""

    parameters: ClassVar[dict[str, Any]] = {"slope": 25}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, slope: float) -> Tensor:
        z = slope * x
        # s(-z) = 1 - s(z) without cancellation, and neither can overflow
        return grad * slope * torch.sigmoid(z) * torch.sigmoid(-z)

    @staticmethod
    def primitive(x: Tensor, slope: float) -> Tensor:
        """Return the logistic function minus 1/2."""
        return _odd(x, lambda y: torch.sigmoid(slope * y) - 0.5)


class SpikeRateEscape(SurrogateFunction):
    """``dS/dx = slope exp(-beta |x - 1|)``. See :func:`spike_rate_escape`."""

    parameters: ClassVar[dict[str, Any]] = {"beta": 1, "slope": 25}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, beta: float, slope: float) -> Tensor:
        return grad * slope * torch.exp(-beta * (x - 1).abs())

    @staticmethod
    def primitive(x: Tensor, beta: float, slope: float) -> Tensor:
        """Return ``slope/beta (1 - exp(-beta |x - 1|))`` with the sign of x - 1."""
        return slope * _odd(
            x - 1, lambda y: _integral(beta, y, lambda rate: (torch.exp(rate * y) - 1) / rate)
        )


class StochasticSpikeOperator(SurrogateFunction):
    """dS/dx = 1 at a spike, else a random value. See :func:`SSO`."""

    parameters: ClassVar[dict[str, Any]] = {"mean": 0, "variance": 0.2}
    _no_primitive = "its gradient is drawn at random"

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

    @staticmethod
    def primitive(x: Tensor, slope: float) -> Tensor:
        return torch.where(x > 0, x, x * slope)


class SparseFastSigmoid(SurrogateFunction):
    """dS/dx = the fast sigmoid's where x > B, else 0. See :func:`SFS`."""

    parameters: ClassVar[dict[str, Any]] = {"slope": 25, "B": 1}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, slope: float, B: float) -> Tensor:
        return torch.where(x > B, FastSigmoid.gradient(x, grad, slope), 0.0)

    @staticmethod
    def primitive(x: Tensor, slope: float, B: float) -> Tensor:
        """Return what the fast sigmoid's gains from B to x."""
        bound = torch.full_like(x, B)
        gained = FastSigmoid.primitive(x, slope) - FastSigmoid.primitive(bound, slope)
        return torch.where(x > B, gained, 0.0)


class CustomSurrogate(SurrogateFunction):
    """dL/dx by a function of the user's. See :func:`custom_surrogate`."""

    parameters: ClassVar[dict[str, Any]] = {"custom_surrogate_function": None}

    @staticmethod
    def _is_known(value: Any) -> bool:
        return callable(value)

    _no_primitive = "its gradient is a function of yours"

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, function: Callable[..., Tensor]) -> Tensor:
        return function(x, grad, spikes(x))

    @classmethod
    def expect_parameters(cls, owner: object, given: tuple[Any, ...]) -> None:
        """Raise unless it is a function."""
        for value in given:
            what = "`custom_surrogate_function` to be a function f(input_, grad_input, spikes)"
            expect(callable(value), owner, what, repr(value), error=TypeError)


def _odd(x: Tensor, left: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the odd function that is ``left`` below 0, an argument at which nothing overflows."""
    below = x < 0
    half = left(torch.where(below, x, -x))
    return torch.where(below, half, -half)


def _integral(rate: Any, limit: Tensor, divided: Callable[[Any], Tensor]) -> Tensor:
    """Return ``divided(rate)``, an integral over a rate, or its limit where that is 0."""
    if isinstance(rate, Tensor):
        zero = rate == 0
        return torch.where(zero, limit, divided(torch.where(zero, 1.0, rate)))
    return divided(rate) if rate else limit
