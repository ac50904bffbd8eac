"""Start values with which a net spikes, however deep."""

from __future__ import annotations

import copy
import math
from typing import cast

import torch
from torch import Tensor, nn

from snntorch._checks import expect, expect_finite, expect_generator, expect_writable, shape_of
from snntorch._docs import publish
from snntorch._neurons._unroll import Sequence, unroll_neuron
from snntorch._neurons.neurons import SpikingNeuron

__all__ = ["fluctuation_driven_centered_normal_", "fluctuation_driven_normal_"]

#: Time steps after which a response that has not decayed is refused.
_LONGEST = 1 << 14


@torch.no_grad()
def fluctuation_driven_normal_(
    weight: Tensor,
    neuron: SpikingNeuron,
    rate: float,
    mean: float = 0.0,
    xi: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Fill weights so that membranes fluctuate between a mean and the threshold.

    A neuron far below its threshold never fires and learns nothing, one far above it always
    fires. In between, fluctuations of its input make it fire now and then, which passes both spikes
    and gradients on. Choose it for nets that are silent with PyTorch's start values, as deep
    ones are.

    .. math::
        \mu_W &= \frac{\mu_U}{n\,\nu\,\bar\epsilon}, \qquad
        \sigma_W^2 = \frac{1}{n\,\nu\,\hat\epsilon}
            \left(\frac{\theta - \mu_U}{\xi}\right)^2 - \mu_W^2 \\
        W &\sim \mathcal{N}(\mu_W, \sigma_W^2), \qquad
        \bar\epsilon = \sum_t \epsilon[t], \quad \hat\epsilon = \sum_t \epsilon[t]^2

    with n inputs per neuron that fire at the rate :math:`\nu` (``rate``), the response
    :math:`\epsilon[t]` of the membrane to one spike of weight 1, the threshold :math:`\theta`, and
    the mean :math:`\mu_U` (``mean``) of the membrane potential, whose standard deviation becomes
    :math:`(\theta - \mu_U) / \xi` (``xi``).

    Args:
        weight: Weights to fill, (outputs, inputs, ...), as those of ``nn.Linear`` and
            ``nn.Conv2d``. A bias adds to the mean: set it to zero.
        neuron: The neuron that takes what the weights give. Its rates and threshold count.
        rate: Expected number of spikes of one input per time step, above 0.
        mean: Mean of the membrane potential, as if there were no reset.
        xi: Distance of the threshold from the mean, in standard deviations of the membrane
            potential. Small values make neurons fire more; 1 to 3 are usual.
        generator: Random number generator; ``None`` for torch's own.

    Returns:
        ``weight``, filled in place.

    Raises:
        ValueError: If ``rate`` or ``xi`` is not positive, ``mean`` needs more variance than there
            is (``sigma_W^2`` below 0), the response of the neuron does not decay, or its threshold
            is not one finite number above ``mean``.
        TypeError: If ``weight`` is not a floating-point tensor, or ``neuron`` is not one of this
            package's that steps.

    Note:
        Spikes are taken as independent and Poisson, so that rates near 1 fluctuate less.

    References:
        J. Rossbroich, J. Gygax, F. Zenke (2022). Fluctuation-driven initialization for spiking
        neural network training. Neuromorphic Computing and Engineering 2(4), 044016.
        DOI 10.1088/2634-4386/ac97bb

    Examples:
        >>> import torch, snntorch as snn
        >>> from snntorch import weight_init
        >>> fc, lif = torch.nn.Linear(400, 100, bias=False), snn.Leaky(beta=0.9)
        >>> _ = weight_init.fluctuation_driven_normal_(fc.weight, lif, rate=0.05, xi=2.0)
        >>> print(f"{1 / (2 * (400 * 0.05 / (1 - 0.9**2)) ** 0.5):.3f} {fc.weight.std():.2f}")
        0.049 0.05
    """
    owner = "fluctuation_driven_normal_"
    expect_writable(owner, "weight", weight)
    expect(weight.is_floating_point(), owner, "a floating-point `weight`", weight.dtype)
    own = all(step or size < 2 for size, step in zip(weight.shape, weight.stride(), strict=True))
    expect(own, owner, "`weight` with memory for each number", "an expanded tensor")
    fits = weight.dim() > 1 and weight.numel() > 0
    expect(fits, owner, "`weight` of shape (outputs, inputs, ...), not empty", shape_of(weight))
    expect(
        isinstance(neuron, SpikingNeuron) and hasattr(neuron, "step") and neuron.expands_input,
        owner,
        "`neuron` to be one of snntorch's that takes current once per time step",
        type(neuron).__name__,
        "Pass the neuron itself, such as snn.Leaky(beta=0.9).",
        TypeError,
    )
    expect_finite(owner, rate=rate, mean=mean, xi=xi)
    expect(rate > 0, owner, "`rate` > 0", rate)
    expect(xi > 0, owner, "`xi` > 0", xi)
    expect_generator(owner, generator)
    threshold = _one_threshold(owner, neuron)
    room = threshold - mean
    expect(room > 0, owner, f"`mean` below the threshold of {threshold}", mean)
    area, power = _response(owner, neuron)
    inputs = weight[0].numel()
    drive = inputs * rate
    centre = mean / (drive * area)
    spread = room / xi
    variance = spread * spread / (drive * power) - centre * centre
    expect(
        0 <= variance < math.inf,
        owner,
        f"a `mean` that {inputs} inputs at a rate of {rate} reach with smaller fluctuations",
        mean,
        "Pass a smaller `mean`, a smaller `xi` or a larger `rate`.",
    )
    return weight.normal_(centre, math.sqrt(variance), generator=generator)


def fluctuation_driven_centered_normal_(
    weight: Tensor,
    neuron: SpikingNeuron,
    rate: float,
    xi: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Fill weights so that membranes fluctuate around zero and reach the threshold.

    Excitation and inhibition are in balance. It is :func:`fluctuation_driven_normal_` with a mean
    of 0:

    .. math:: W \sim \mathcal{N}\left(0, \frac{\theta^2}{n\,\nu\,\hat\epsilon\,\xi^2}\right)

    Args:
        weight: Weights to fill, (outputs, inputs, ...).
        neuron: The neuron that takes what the weights give.
        rate: Expected number of spikes of one input per time step, above 0.
        xi: Standard deviations of the membrane potential from zero to the threshold.
        generator: Random number generator; ``None`` for torch's own.

    Returns:
        ``weight``, filled in place.

    Raises:
        ValueError: As :func:`fluctuation_driven_normal_`.
        TypeError: As :func:`fluctuation_driven_normal_`.

    References:
        J. Rossbroich, J. Gygax, F. Zenke (2022). Fluctuation-driven initialization for spiking
        neural network training. Neuromorphic Computing and Engineering 2(4), 044016.
        DOI 10.1088/2634-4386/ac97bb

    Examples:
        >>> import torch, snntorch as snn
        >>> from snntorch.weight_init import fluctuation_driven_centered_normal_
        >>> conv, lif = torch.nn.Conv2d(16, 32, 5, bias=False), snn.Leaky(beta=0.9)
        >>> fluctuation_driven_centered_normal_(conv.weight, lif, rate=0.05).shape
        torch.Size([32, 16, 5, 5])
    """
    return fluctuation_driven_normal_(weight, neuron, rate, 0.0, xi, generator)


def _one_threshold(owner: str, neuron: SpikingNeuron) -> float:
    """Return the threshold that all neurons share."""
    threshold = cast(Tensor, neuron.threshold)
    known = threshold.numel() == 1 and math.isfinite(threshold.item())
    expect(known, owner, "a neuron with one finite threshold", threshold.tolist())
    return threshold.item()


def _response(owner: str, neuron: SpikingNeuron) -> tuple[float, float]:
    """Return the sums of the membrane's response to one spike, and of its square."""
    quiet = copy.deepcopy(neuron).double()
    # it never fires, and so neither resets nor feeds back
    threshold = cast(Tensor, quiet.threshold).fill_(math.inf)
    for value in getattr(quiet, "recurrent", nn.Identity()).parameters():
        value.zero_()
    steps = 256
    while steps <= _LONGEST:
        pulse = threshold.new_zeros(steps, *_step_shape(neuron))
        pulse[0] = 1
        quiet.reset_mem()
        response = unroll_neuron(quiet, Sequence(pulse, steps), record="mem").reshape(steps, -1)
        expect(
            bool((response == response[:, :1]).all()),
            owner,
            "a neuron whose numbers are the same for all",
            "one with numbers for each",
        )
        rest = response[-steps // 8 :].abs().max()
        if rest <= 1e-9 * response.abs().max():
            return float(response[:, 0].sum()), float(response[:, 0].square().sum())
        steps *= 4
    raise ValueError(
        f"{owner} expected a neuron that forgets, but got one that remembers a spike after "
        f"{_LONGEST} time steps.\nGive it decay rates below 1."
    )


def _step_shape(neuron: SpikingNeuron) -> tuple[int, ...]:
    """Return the shape of one step of one sample, as small as the neuron takes it."""
    if features := getattr(neuron, "linear_features", None):
        return (1, features)
    if channels := getattr(neuron, "conv2d_channels", None):
        return (1, channels, 1, 1)
    return (1, 1)


publish(globals())
