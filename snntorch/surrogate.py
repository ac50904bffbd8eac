r"""Surrogate gradients: one forward, many derivatives.

A spike :math:`S = H(x)` with :math:`x = U - \theta` has a derivative that is
zero almost everywhere. Each class here keeps the forward pass, the Heaviside
step with :math:`H(0) = 0`, and replaces :math:`dS/dx` on the way back.

Pass what a factory returns as ``spike_grad`` to a neuron; the autograd function
itself works too, with its parameters left out or given::

    snn.Leaky(beta=0.9, spike_grad=surrogate.fast_sigmoid(slope=25))
    snn.Leaky(beta=0.9, spike_grad=surrogate.FastSigmoid.apply)

References:
    E. O. Neftci, H. Mostafa, F. Zenke (2019). Surrogate Gradient Learning in
    Spiking Neural Networks. IEEE Signal Processing Magazine 36(6), 51-63.
    DOI 10.1109/MSP.2019.2931595
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from snntorch._checks import expect, expect_finite, expect_flag, expect_tensor
from snntorch._torch import is_jit_traced

__all__ = [
    "LSO",
    "SFS",
    "SSO",
    "ATan",
    "CustomSurrogate",
    "FastSigmoid",
    "Heaviside",
    "LeakySpikeOperator",
    "Sigmoid",
    "SparseFastSigmoid",
    "SpikeRateEscape",
    "StochasticSpikeOperator",
    "StraightThroughEstimator",
    "SurrogateFunction",
    "SurrogateGradient",
    "Triangular",
    "atan",
    "custom_surrogate",
    "fast_sigmoid",
    "heaviside",
    "sigmoid",
    "spike_rate_escape",
    "straight_through_estimator",
    "triangular",
]


def spikes(x: Tensor) -> Tensor:
    """Return H(x), the Heaviside step with H(0) = 0, in the dtype of ``x``."""
    return (x > 0).to(x.dtype)


class SurrogateFunction(torch.autograd.Function):
    """Heaviside step on the way forward, :meth:`gradient` on the way back.

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
        if torch._C._are_functorch_transforms_active():
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
        """Keep x and the given parameters for the way back."""
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


@dataclass(frozen=True, repr=False)
class SurrogateGradient:
    r"""A surrogate with its parameters filled in: what the factories return.

    It is called with :math:`x = U - \theta` and returns spikes; it can be
    pickled, compared and printed.

    Examples:
        >>> spike_grad = fast_sigmoid(slope=10)
        >>> spike_grad
        fast_sigmoid(slope=10)
        >>> spike_grad == fast_sigmoid(10)
        True
        >>> spike_grad(torch.tensor([-0.5, 0.0, 0.5]))
        tensor([0., 0., 1.])
    """

    name: str
    function: type[SurrogateFunction]
    values: tuple[Any, ...] = ()
    # Kept, as torch.compile cannot look into an autograd function
    function_name: str = field(init=False, compare=False)
    fires_by_heaviside: bool = field(init=False, compare=False)
    has_kernel_name: bool = field(init=False, compare=False)
    as_text: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        name, numbers = self.function.__name__, (int, float)
        if self.function is not CustomSurrogate:
            for parameter, value in zip(self.function.parameters, self.values, strict=False):
                if not isinstance(value, Tensor):
                    expect_finite(self.name, **{parameter: value})
        known = globals().get(name) is self.function
        facts = {
            "function_name": name,
            "fires_by_heaviside": self.function.forward is SurrogateFunction.forward,
            "has_kernel_name": known and all(isinstance(value, numbers) for value in self.values),
            "as_text": " ".join(
                [name, *(str(float(v)) for v in self.values if isinstance(v, numbers))]
            ),
        }
        for fact, value in facts.items():
            object.__setattr__(self, fact, value)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the spikes H(x)."""
        return self.function.apply(x, *self.values)  # type: ignore[no-any-return]

    def derivative(self, x: Tensor) -> Tensor:
        """Return dS/dx at ``x``, the quantity plots of surrogates show."""
        return self.function.gradient(x, torch.ones_like(x), *self.values)

    def __repr__(self) -> str:
        named = zip(self.function.parameters, self.values, strict=True)
        return f"{self.name}({', '.join(f'{k}={v}' for k, v in named)})"


class StraightThroughEstimator(SurrogateFunction):
    """dS/dx = 1. See :func:`straight_through_estimator`."""

    @staticmethod
    def gradient(x: Tensor, grad: Tensor) -> Tensor:  # noqa: D102
        return grad


class Triangular(SurrogateFunction):
    """dS/dx = +threshold below 0, -threshold from 0 on. See :func:`triangular`."""

    parameters: ClassVar[dict[str, Any]] = {"threshold": 1.0}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, threshold: float) -> Tensor:  # noqa: D102
        return torch.where(x < 0, grad * threshold, grad * -threshold)


class FastSigmoid(SurrogateFunction):
    """``dS/dx = 1/(1 + slope |x|)^2``. See :func:`fast_sigmoid`."""

    parameters: ClassVar[dict[str, Any]] = {"slope": 25}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, slope: float) -> Tensor:  # noqa: D102
        return grad / (slope * x.abs() + 1.0) ** 2


class ATan(SurrogateFunction):
    """dS/dx = (alpha/2)/(1 + (pi/2 alpha x)^2). See :func:`~snntorch.surrogate.atan`."""

    parameters: ClassVar[dict[str, Any]] = {"alpha": 2.0}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, alpha: float) -> Tensor:  # noqa: D102
        return grad * (alpha / 2) / (1 + (math.pi / 2 * alpha * x) ** 2)


class Heaviside(SurrogateFunction):
    """dS/dx = S. See :func:`heaviside`."""

    @staticmethod
    def gradient(x: Tensor, grad: Tensor) -> Tensor:  # noqa: D102
        return grad * spikes(x)


class Sigmoid(SurrogateFunction):
    """dS/dx = slope s(1 - s), s the logistic function. See :func:`sigmoid`."""

    parameters: ClassVar[dict[str, Any]] = {"slope": 25}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, slope: float) -> Tensor:  # noqa: D102
        z = slope * x
        # s(-z) = 1 - s(z) without cancellation, and neither can overflow
        return grad * slope * torch.sigmoid(z) * torch.sigmoid(-z)


class SpikeRateEscape(SurrogateFunction):
    """``dS/dx = slope exp(-beta |x - 1|)``. See :func:`spike_rate_escape`."""

    parameters: ClassVar[dict[str, Any]] = {"beta": 1, "slope": 25}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, beta: float, slope: float) -> Tensor:  # noqa: D102
        return grad * slope * torch.exp(-beta * (x - 1).abs())


class StochasticSpikeOperator(SurrogateFunction):
    """dS/dx = 1 at a spike, else a random value. See :func:`SSO`."""

    parameters: ClassVar[dict[str, Any]] = {"mean": 0, "variance": 0.2}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, mean: float, variance: float) -> Tensor:  # noqa: D102
        noise = (torch.rand_like(x) - 0.5 + mean) * variance
        return torch.where(x > 0, grad, grad * noise)


class LeakySpikeOperator(SurrogateFunction):
    """dS/dx = 1 at a spike, else slope. See :func:`LSO`."""

    parameters: ClassVar[dict[str, Any]] = {"slope": 0.1}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, slope: float) -> Tensor:  # noqa: D102
        return torch.where(x > 0, grad, grad * slope)


class SparseFastSigmoid(SurrogateFunction):
    """dS/dx = the fast sigmoid's where x > B, else 0. See :func:`SFS`."""

    parameters: ClassVar[dict[str, Any]] = {"slope": 25, "B": 1}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, slope: float, B: float) -> Tensor:  # noqa: D102
        return torch.where(x > B, FastSigmoid.gradient(x, grad, slope), 0.0)


class CustomSurrogate(SurrogateFunction):
    """dL/dx by a function of the user's. See :func:`custom_surrogate`."""

    parameters: ClassVar[dict[str, Any]] = {"custom_surrogate_function": None}

    @staticmethod
    def gradient(x: Tensor, grad: Tensor, function: Callable[..., Tensor]) -> Tensor:  # noqa: D102
        return function(x, grad, spikes(x))


def straight_through_estimator() -> SurrogateGradient:
    r"""Straight-through estimator: the gradient passes the spike unchanged.

    .. math:: \frac{\partial S}{\partial x} = 1

    References:
        Y. Bengio, N. Léonard, A. Courville (2013). Estimating or Propagating
        Gradients Through Stochastic Neurons. arXiv:1308.3432
    """
    return SurrogateGradient("straight_through_estimator", StraightThroughEstimator)


def triangular(threshold: float = 1) -> SurrogateGradient:
    r"""Triangular surrogate: the slopes of a triangle that peaks at x = 0.

    .. math::
        \frac{\partial S}{\partial x} = \begin{cases}
        \theta & x < 0 \\ -\theta & x \ge 0 \end{cases}

    Args:
        threshold: Slope :math:`\theta`.
    """
    return SurrogateGradient("triangular", Triangular, (threshold,))


def fast_sigmoid(slope: float = 25) -> SurrogateGradient:
    r"""Gradient of the fast sigmoid (SuperSpike), a good first choice.

    .. math:: \frac{\partial S}{\partial x} = \frac{1}{(1 + k|x|)^2}

    Args:
        slope: Steepness :math:`k`; larger is narrower.

    References:
        F. Zenke, S. Ganguli (2018). SuperSpike: Supervised Learning in Multilayer
        Spiking Neural Networks. Neural Computation 30(6), 1514-1541.
        DOI 10.1162/neco_a_01086

    Examples:
        >>> x = torch.tensor([-0.04, 0.04], requires_grad=True)
        >>> fast_sigmoid(slope=25)(x).sum().backward()
        >>> x.grad
        tensor([0.2500, 0.2500])
    """
    return SurrogateGradient("fast_sigmoid", FastSigmoid, (slope,))


def atan(alpha: float = 2.0) -> SurrogateGradient:
    r"""Gradient of a shifted arc tangent, the default of every neuron.

    .. math::
        \frac{\partial S}{\partial x}
        = \frac{\alpha/2}{1 + (\tfrac{\pi}{2} \alpha x)^2}

    Args:
        alpha: Height and steepness :math:`\alpha`.

    References:
        W. Fang, Z. Yu, Y. Chen, T. Masquelier, T. Huang, Y. Tian (2021).
        Incorporating Learnable Membrane Time Constant to Enhance Learning of
        Spiking Neural Networks. ICCV 2021. arXiv:2007.05785
    """
    return SurrogateGradient("atan", ATan, (alpha,))


def heaviside() -> SurrogateGradient:
    r"""The spike itself as its gradient.

    .. math:: \frac{\partial S}{\partial x} = S
    """
    return SurrogateGradient("heaviside", Heaviside)


def sigmoid(slope: float = 25) -> SurrogateGradient:
    r"""Gradient of the logistic sigmoid, finite for every x.

    .. math::
        \frac{\partial S}{\partial x} = \frac{k\,e^{-kx}}{(e^{-kx} + 1)^2}

    Args:
        slope: Steepness :math:`k`.

    References:
        F. Zenke, T. P. Vogels (2021). The Remarkable Robustness of Surrogate
        Gradient Learning for Instilling Complex Function in Spiking Neural
        Networks. Neural Computation 33(4), 899-925. DOI 10.1162/neco_a_01367
    """
    return SurrogateGradient("sigmoid", Sigmoid, (slope,))


def spike_rate_escape(beta: float = 1, slope: float = 25) -> SurrogateGradient:
    r"""Boltzmann escape rate: the gradient decays exponentially around x = 1.

    .. math:: \frac{\partial S}{\partial x} = k\,e^{-\beta |x - 1|}

    Args:
        beta: Inverse temperature :math:`\beta`.
        slope: Height :math:`k`.

    References:
        W. Gerstner, W. M. Kistler (2002). Spiking Neuron Models: Single Neurons,
        Populations, Plasticity. Cambridge University Press.
    """
    return SurrogateGradient("spike_rate_escape", SpikeRateEscape, (beta, slope))


def SSO(mean: float = 0, variance: float = 0.2) -> SurrogateGradient:
    r"""Stochastic spike operator: a random gradient where nothing fired.

    .. math::
        \frac{\partial S}{\partial x} = \begin{cases}
        1 & S = 1 \\ (u - \tfrac12 + \mu)\,\sigma^2 & S = 0 \end{cases},
        \qquad u \sim \mathcal{U}[0, 1)

    Args:
        mean: Shift :math:`\mu`.
        variance: Scale :math:`\sigma^2`.
    """
    return SurrogateGradient("SSO", StochasticSpikeOperator, (mean, variance))


def LSO(slope: float = 0.1) -> SurrogateGradient:
    r"""Leaky spike operator: a small constant gradient where nothing fired.

    .. math::
        \frac{\partial S}{\partial x} = \begin{cases} 1 & S = 1 \\ k & S = 0 \end{cases}

    Args:
        slope: Leak :math:`k`.
    """
    return SurrogateGradient("LSO", LeakySpikeOperator, (slope,))


def SFS(slope: float = 25, B: float = 1) -> SurrogateGradient:
    r"""Sparse fast sigmoid: no gradient up to a bound.

    .. math::
        \frac{\partial S}{\partial x} = \begin{cases}
        1/(1 + k|x|)^2 & x > B \\ 0 & \text{otherwise} \end{cases}

    Args:
        slope: Steepness :math:`k`.
        B: Bound :math:`B`.

    References:
        N. Perez-Nieves, D. F. M. Goodman (2021). Sparse Spiking Gradient Descent.
        NeurIPS 2021. arXiv:2105.08810
    """
    return SurrogateGradient("SFS", SparseFastSigmoid, (slope, B))


def custom_surrogate(custom_surrogate_function: Callable[..., Tensor]) -> SurrogateGradient:
    """Make a surrogate from a function of your own.

    Args:
        custom_surrogate_function: ``f(input_, grad_input, spikes)`` returning
            dL/dx, with ``input_`` = x, ``grad_input`` = dL/dS. Define it at
            module level if the net is to be pickled.

    Raises:
        TypeError: If it cannot be called.

    Examples:
        >>> def rectangle(input_, grad_input, spikes):
        ...     return grad_input * (input_.abs() < 0.5)
        >>> x = torch.tensor([0.2, 0.8], requires_grad=True)
        >>> custom_surrogate(rectangle)(x).sum().backward()
        >>> x.grad
        tensor([1., 0.])
    """
    expect(
        callable(custom_surrogate_function),
        "custom_surrogate",
        "a function f(input_, grad_input, spikes)",
        repr(custom_surrogate_function),
        error=TypeError,
    )
    return SurrogateGradient("custom_surrogate", CustomSurrogate, (custom_surrogate_function,))


def chosen(owner: object, spike_grad: Any, disable: bool = False) -> Callable[[Tensor], Tensor]:
    """Return what fires: ``spike_grad``, the default for None, a plain step if disabled.

    Raises:
        TypeError: If it cannot be called with a tensor, as a surrogate still to be made.
    """
    expect_flag(owner, "surrogate_disable", disable)
    function = isinstance(spike_grad, type) and issubclass(spike_grad, SurrogateFunction)
    factory = next((name for name in __all__ if globals()[name] is spike_grad), None)
    hint = "Pass a surrogate such as surrogate.fast_sigmoid()."
    if function:
        hint = f"Pass surrogate.{factory or spike_grad.__name__}.apply, or what a factory returns."
    elif factory:
        hint = f"Call it: spike_grad=surrogate.{factory}()."
    expect(
        spike_grad is None or (callable(spike_grad) and not factory and not function),
        owner,
        "`spike_grad` to be a function of a tensor",
        f"{spike_grad!r}",
        hint,
        TypeError,
    )
    if disable:
        return spikes
    return atan() if spike_grad is None else spike_grad
