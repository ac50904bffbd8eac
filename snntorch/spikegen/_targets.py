"""Target spikes: labels encoded as rates or latencies."""

from __future__ import annotations

from numbers import Real

import torch
from torch import Tensor

from snntorch._checks import expect, expect_choice, expect_generator, expect_size, expect_truth
from snntorch.spikegen._interpolation import rate_interpolate
from snntorch.spikegen._latency import latency
from snntorch.spikegen._one_hot import to_one_hot
from snntorch.spikegen._shared import checked_steps, expect_held, to_levels

_PATTERNS = ("regular", "uniform", "poisson")


def targets_convert(
    targets: Tensor,
    num_classes: int,
    code: str = "rate",
    num_steps: int = False,
    first_spike_time: int = 0,
    correct_rate: float = 1,
    incorrect_rate: float = 0,
    on_target: float = 1,
    off_target: float = 0,
    firing_pattern: str = "regular",
    interpolate: bool = False,
    epsilon: float = 1e-7,
    threshold: float = 0.01,
    tau: float = 1,
    clip: bool = False,
    normalize: bool = False,
    linear: bool = False,
    bypass: bool = False,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Encode labels as target spikes, by :func:`targets_rate` or :func:`targets_latency`.

    ``code`` is ``"rate"`` or ``"latency"``; that function gets all of its arguments (1.0.0
    dropped some of the latency code's), and those of the other are not used.

    Examples:
        >>> import torch
        >>> targets_convert(torch.tensor([2]), num_classes=3, off_target=-1)
        tensor([[-1., -1.,  1.]])
    """
    expect_choice("targets_convert", "code", code, ("rate", "latency"))
    labels = (targets, num_classes, num_steps, first_spike_time)
    if code == "latency":
        levels = (*labels, on_target, off_target, interpolate, threshold, tau)
        return targets_latency(*levels, clip, normalize, linear, epsilon, bypass)
    rates = (*labels, correct_rate, incorrect_rate, on_target, off_target)
    return targets_rate(*rates, firing_pattern, interpolate, epsilon, generator=generator)


def targets_rate(
    targets: Tensor,
    num_classes: int,
    num_steps: int = False,
    first_spike_time: int = 0,
    correct_rate: float = 1,
    incorrect_rate: float = 0,
    on_target: float = 1,
    off_target: float = 0,
    firing_pattern: str = "regular",
    interpolate: bool = False,
    epsilon: float = 1e-7,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Encode labels, ``(batch)``, as trains of two rates: ``(time, batch, num_classes)``.

    For losses at every step. A rate below 1 for the target and above 0 for the others
    keeps all neurons firing, and with them their gradients.

    ``correct_rate`` and ``incorrect_rate``, with ``first_spike_time`` and
    ``firing_pattern``, are those of :func:`target_rate_code`, which draws one train for all
    target classes and one for all others. A spike has the value ``on_target``, all the rest
    ``off_target``, any number (1.0.0 raised negative ones to 0). ``interpolate`` rises to
    each spike as in :func:`rate_interpolate`. No ``num_steps``: rates 1 and 0, no time.

    Examples:
        >>> import torch
        >>> targets_rate(torch.tensor([1]), 2, num_steps=3, correct_rate=0.5)
        tensor([[[0., 1.]], [[0., 0.]], [[0., 1.]]])
    """
    owner, train = "targets_rate", to_one_hot(targets, num_classes)
    checked_steps(owner, num_steps, first_spike_time)
    for name, value in (("correct_rate", correct_rate), ("incorrect_rate", incorrect_rate)):
        what = f"`{name}` to be a number"
        expect(isinstance(value, Real), owner, what, repr(value), error=TypeError)
    expect_truth(owner, interpolate=interpolate)
    expect_choice(owner, "firing_pattern", firing_pattern, _PATTERNS)
    if num_steps is False:
        static = (first_spike_time, correct_rate, incorrect_rate) == (0, 1, 0)
        what = "`num_steps` for a `first_spike_time` or rates other than 1 and 0"
        expect(static, owner, what, "none", error=TypeError)
        return to_levels(owner, train, on_target, off_target)
    codes = []
    for spike_rate in (correct_rate, incorrect_rate):
        timing = (num_steps, first_spike_time, spike_rate, firing_pattern)
        code, times = target_rate_code(*timing, generator=generator)
        code = rate_interpolate(times, num_steps, epsilon=epsilon) if interpolate else code
        codes.append(code.to(train).view(-1, 1, 1))
    return to_levels(owner, torch.where(train.bool(), codes[0], codes[1]), on_target, off_target)


def target_rate_code(
    num_steps: int,
    first_spike_time: int = 0,
    rate: float = 1,
    firing_pattern: str = "regular",
    *,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Return one spike train, ``(time)``, and the times of its spikes, ``(num_spikes)``.

    .. math:: t_k = t_0 + \lfloor k / r \rfloor, \qquad k = 0, 1, \dots

    is the ``"regular"`` pattern with :math:`r` (``rate``, spikes a step, in [0, 1]) and
    :math:`t_0` (``first_spike_time``, steps). The ``"uniform"`` one has as many spikes, at
    random steps from :math:`t_0` on; the ``"poisson"`` one fires by chance at each of them.

    Examples:
        >>> import torch
        >>> target_rate_code(num_steps=5, first_spike_time=1, rate=0.5)
        (tensor([0., 1., 0., 1., 0.]), tensor([1, 3]))
    """
    expect_size("target_rate_code", "num_steps", num_steps)
    steps = checked_steps("target_rate_code", num_steps, first_spike_time) - first_spike_time
    expect_held("target_rate_code", torch.float64, rate=rate)
    expect(0 <= rate <= 1, "target_rate_code", "a `rate` in [0, 1]", rate)
    expect_choice("target_rate_code", "firing_pattern", firing_pattern, _PATTERNS)
    expect_generator("target_rate_code", generator)
    device = generator.device if generator else None
    # Fires where the spikes due pass a whole number; 1e-6 absorbs rounding (3 * 0.1 > 0.3).
    due = torch.arange(steps + 1, dtype=torch.float64, device=device) * rate - 1e-6
    train = due.ceil().diff()
    if firing_pattern == "uniform":
        train = train[torch.randperm(steps, generator=generator, device=device)]
    elif firing_pattern == "poisson":
        train = torch.bernoulli(torch.full_like(train, rate), generator=generator)
    train = torch.cat((train.new_zeros(first_spike_time), train)).to(torch.get_default_dtype())
    return train, train.nonzero().squeeze(1)


def targets_latency(
    targets: Tensor,
    num_classes: int,
    num_steps: int = False,
    first_spike_time: int = 0,
    on_target: float = 1,
    off_target: float = 0,
    interpolate: bool = False,
    threshold: float = 0.01,
    tau: float = 1,
    clip: bool = False,
    normalize: bool = False,
    linear: bool = False,
    epsilon: float = 1e-7,
    bypass: bool = False,
) -> Tensor:
    """Encode labels, ``(batch)``, as one spike a class: ``(time, batch, num_classes)``.

    For losses on the first spike: the target class fires first, the others last. Arguments
    as in :func:`to_one_hot`, whose rows are encoded, and :func:`latency`.

    Examples:
        >>> import torch
        >>> targets_latency(torch.tensor([1]), 2, num_steps=3, normalize=True)
        tensor([[[0., 1.]], [[0., 0.]], [[1., 0.]]])
    """
    rows = to_one_hot(targets, num_classes)
    levels = (rows, num_steps, threshold, tau, first_spike_time, on_target, off_target)
    return latency(*levels, clip, normalize, linear, interpolate, bypass, epsilon)
