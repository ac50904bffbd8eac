"""The factories: what users call to fill in the parameters of a surrogate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor

from snntorch._checks import expect, expect_flag
from snntorch.surrogate import _functions as functions
from snntorch.surrogate._gradient import SurrogateGradient


def straight_through_estimator() -> SurrogateGradient:
    r"""Straight-through estimator: the gradient passes the spike unchanged; the default on an IPU.

    .. math:: \frac{\partial S}{\partial x} = 1

    References:
        Y. Bengio, N. Léonard, A. Courville (2013). Estimating or Propagating
        Gradients Through Stochastic Neurons. arXiv:1308.3432
    """
    return SurrogateGradient("straight_through_estimator", functions.StraightThroughEstimator)


def triangular(threshold: float = 1) -> SurrogateGradient:
    r"""Triangular surrogate: the slopes of a triangle that peaks at x = 0.

    .. math::
        \frac{\partial S}{\partial x} = \begin{cases}
        \theta & x < 0 \\ -\theta & x \ge 0 \end{cases}

    Args:
        threshold: Slope :math:`\theta`.
    """
    return SurrogateGradient("triangular", functions.Triangular, (threshold,))


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
        >>> import torch
        >>> x = torch.tensor([-0.04, 0.04], requires_grad=True)
        >>> fast_sigmoid(slope=25)(x).sum().backward()
        >>> x.grad
        tensor([0.2500, 0.2500])
    """
    return SurrogateGradient("fast_sigmoid", functions.FastSigmoid, (slope,))


def atan(alpha: float = 2.0) -> SurrogateGradient:
    r"""Gradient of a shifted arc tangent, the default of every neuron but on an IPU.

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
    return SurrogateGradient("atan", functions.ATan, (alpha,))


def heaviside() -> SurrogateGradient:
    r"""The spike itself as its gradient.

    .. math:: \frac{\partial S}{\partial x} = S
    """
    return SurrogateGradient("heaviside", functions.Heaviside)


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
    return SurrogateGradient("sigmoid", functions.Sigmoid, (slope,))


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
    return SurrogateGradient("spike_rate_escape", functions.SpikeRateEscape, (beta, slope))


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
    return SurrogateGradient("SSO", functions.StochasticSpikeOperator, (mean, variance))


def LSO(slope: float = 0.1) -> SurrogateGradient:
    r"""Leaky spike operator: a small constant gradient where nothing fired.

    .. math::
        \frac{\partial S}{\partial x} = \begin{cases} 1 & S = 1 \\ k & S = 0 \end{cases}

    Args:
        slope: Leak :math:`k`.
    """
    return SurrogateGradient("LSO", functions.LeakySpikeOperator, (slope,))


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
    return SurrogateGradient("SFS", functions.SparseFastSigmoid, (slope, B))


def custom_surrogate(custom_surrogate_function: Callable[..., Tensor]) -> SurrogateGradient:
    """Make a surrogate from a function of your own.

    Args:
        custom_surrogate_function: ``f(input_, grad_input, spikes)`` returning
            dL/dx, with ``input_`` = x, ``grad_input`` = dL/dS. Define it at
            module level if the net is to be pickled.

    Raises:
        TypeError: If it cannot be called.

    Examples:
        >>> import torch
        >>> def rectangle(input_, grad_input, spikes):
        ...     return grad_input * (input_.abs() < 0.5)
        >>> x = torch.tensor([0.2, 0.8], requires_grad=True)
        >>> custom_surrogate(rectangle)(x).sum().backward()
        >>> x.grad
        tensor([1., 0.])
    """
    return SurrogateGradient(
        "custom_surrogate", functions.CustomSurrogate, (custom_surrogate_function,)
    )


def chosen(owner: object, spike_grad: Any, disable: bool = False) -> Callable[[Tensor], Tensor]:
    """Return what fires: ``spike_grad``, the default for None, a plain step if disabled.

    Raises:
        TypeError: If it cannot be called with a tensor, as a surrogate still to be made.
    """
    expect_flag(owner, "surrogate_disable", disable)
    name = getattr(spike_grad, "__name__", "")
    kind = isinstance(spike_grad, type)
    factory = spike_grad is not None and globals().get(name) is spike_grad
    hint = "Pass a surrogate such as surrogate.fast_sigmoid()."
    if kind and issubclass(spike_grad, functions.SurrogateFunction):
        hint = f"Pass surrogate.{name}.apply, or what a factory returns."
    elif factory:
        hint = f"Call it: spike_grad=surrogate.{name}()."
    expect(
        spike_grad is None or (callable(spike_grad) and not factory and not kind),
        owner,
        "`spike_grad` to be a function of a tensor",
        f"{spike_grad!r}",
        hint,
        TypeError,
    )
    if disable:
        return functions.spikes
    return default() if spike_grad is None else spike_grad


def default() -> SurrogateGradient:
    """Return the surrogate of who chose none: `atan`, or straight-through on an IPU."""
    return replace(atan(), is_default=True)
