"""Rate code: the larger a feature, the more spikes."""

from __future__ import annotations

import torch
from torch import Tensor

from snntorch._checks import expect, expect_generator, expect_truth
from snntorch.spikegen._shared import checked_steps, probabilities


def rate(
    data: Tensor,
    num_steps: int = False,
    gain: float = 1,
    offset: float = 0,
    first_spike_time: int = 0,
    time_var_input: bool = False,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Encode the size of each feature as the probability of a spike at every step.

    The robust choice for static data such as images; :func:`latency` needs fewer spikes.

    .. math:: P(S[t] = 1) = \min(\max(g\,x + o, 0), 1)

    with :math:`x` (``data``), :math:`g` (``gain``) and :math:`o` (``offset``) without unit.

    Args:
        data: Features. An integer image needs a gain, such as ``gain=1 / 255``.
        num_steps: Steps to repeat static data for; ``False`` adds no time dimension.
        gain: Factor applied to the features, also to time-varying ones.
        offset: Summand applied after ``gain``.
        first_spike_time: Step before which nothing fires: the first steps of static data
            are silenced, time-varying data are preceded by silence.
        time_var_input: Whether the first dimension of ``data`` is time already.
        generator: Source of the random numbers.

    Shape:
        ``(...)`` to ``(time, ...)``; time-varying ``(time, ...)`` to the same, preceded by
        ``first_spike_time`` steps.

    Examples:
        >>> import torch
        >>> rate(torch.tensor([0.0, 1.0]), num_steps=3, first_spike_time=1).T
        tensor([[0., 0., 0.],
                [0., 1., 1.]])
    """
    probability = probabilities("rate", data, gain, offset)
    steps, first = checked_steps("rate", num_steps, first_spike_time), first_spike_time
    expect_generator("rate", generator)
    expect_truth("rate", time_var_input=time_var_input)
    expect(data.dim() > 0 or not time_var_input, "rate", "`data` of shape (time, ...)", "a number")
    one = "either `num_steps` or time_var_input=True"
    expect(not steps or not time_var_input, "rate", one, "both", error=TypeError)
    expect(not first or steps > 0 or time_var_input, "rate", one, "neither", error=TypeError)
    if steps:  # A view: the repeated data never exist in memory.
        probability = probability.expand(steps, *data.shape)
    spikes = torch.bernoulli(probability, generator=generator)
    if time_var_input and first:
        return torch.cat((spikes.new_zeros(first, *spikes.shape[1:]), spikes))
    if first:
        spikes[:first] = 0
    return spikes


def rate_conv(data: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """Draw a spike from each element, a probability clipped to [0, 1]: ``(...)`` to ``(...)``.

    Examples:
        >>> import torch
        >>> rate_conv(torch.tensor([-0.5, 0.0, 1.0, 1.5]))
        tensor([0., 0., 1., 1.])
    """
    expect_generator("rate_conv", generator)
    return torch.bernoulli(probabilities("rate_conv", data), generator=generator)
