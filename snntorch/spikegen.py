"""Turn data and labels into spikes: rate, latency and delta codes.

Time is the first dimension of every spike train; one step is the unit of every time.
No function changes its input. Results keep its device and dtype, integers and booleans
becoming ``torch.get_default_dtype()``. Whatever draws random numbers is repeatable by
``torch.manual_seed``, or by a ``generator`` on the device of the input.

All functions raise TypeError for a wrong kind or combination of arguments, and ValueError
for a wrong shape or a value that is out of range or not finite, or not in the result's dtype.

References:
    J. K. Eshraghian et al., "Training Spiking Neural Networks Using Lessons From Deep
    Learning", 2023. DOI 10.1109/JPROC.2023.3308088
"""

from __future__ import annotations

from math import inf

import torch
from torch import Tensor

from snntorch._checks import (
    expect,
    expect_choice,
    expect_generator,
    expect_tensor,
)
from snntorch._spikegen import (
    MOST,
    checked_span,
    checked_steps,
    expect_binary,
    expect_held,
    expect_size,
    finite_values,
    float_dtype,
    held_times,
    probabilities,
    spike_steps,
    to_levels,
    widened,
)

__all__ = [
    "delta",
    "from_one_hot",
    "latency",
    "latency_code",
    "latency_code_linear",
    "latency_code_log",
    "latency_interpolate",
    "rate",
    "rate_conv",
    "rate_interpolate",
    "target_rate_code",
    "targets_convert",
    "targets_latency",
    "targets_rate",
    "to_one_hot",
    "to_one_hot_inverse",
]
_PATTERNS = ("regular", "uniform", "poisson")


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
        ``[*]`` to ``[num_steps, *]``; time-varying ``[T, *]`` to ``[first_spike_time + T, *]``.

    Examples:
        >>> rate(torch.tensor([0.0, 1.0]), num_steps=3, first_spike_time=1).T
        tensor([[0., 0., 0.],
                [0., 1., 1.]])
    """
    probability = probabilities("rate", data, gain, offset)
    steps, first = checked_steps("rate", num_steps, first_spike_time), first_spike_time
    expect_generator("rate", generator)
    expect(data.dim() > 0 or not time_var_input, "rate", "`data` of shape [T, *]", "a number")
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
    """Draw a spike from each element, a probability clipped to [0, 1]: ``[*]`` to ``[*]``.

    Examples:
        >>> rate_conv(torch.tensor([-0.5, 0.0, 1.0, 1.5]))
        tensor([0., 0., 1., 1.])
    """
    expect_generator("rate_conv", generator)
    return torch.bernoulli(probabilities("rate_conv", data), generator=generator)


def latency(
    data: Tensor,
    num_steps: int = False,
    threshold: float = 0.01,
    tau: float = 1,
    first_spike_time: int = 0,
    on_target: float = 1,
    off_target: float = 0,
    clip: bool = False,
    normalize: bool = False,
    linear: bool = False,
    interpolate: bool = False,
    bypass: bool = False,
    epsilon: float = 1e-7,
) -> Tensor:
    """Encode the size of each feature as the time of its only spike: large is early.

    The choice where spikes are expensive or timing matters; :func:`rate` bears more noise.
    The times are those of :func:`latency_code_log` or :func:`latency_code_linear`, rounded.

    Args:
        data: Features in [0, 1].
        num_steps: Length of the trains; ``False`` (with ``bypass``) ends with the last spike,
            which has to come within 2**24 steps, as many as float32 counts (float64: 2**31).
        threshold: Feature, between 0 and 1, below which all fire last, together.
        tau: Time constant in steps; larger is later.
        first_spike_time: Steps before all spikes.
        on_target: Value at a spike.
        off_target: Value everywhere else, any number (1.0.0 raised negative ones to 0).
        clip: Whether features below ``threshold`` do not fire.
        normalize: Whether to stretch the times over all of ``num_steps``.
        linear: Whether times fall linearly with the feature, not logarithmically.
        interpolate: Whether to rise to the spike as in :func:`latency_interpolate`.
        bypass: Whether to accept late spikes, moved to the last step, and no ``num_steps``.
        epsilon: Margin by which features below ``threshold`` are lifted over it.

    Shape:
        ``[*]`` to ``[num_steps, *]``.

    References:
        S. Thorpe, A. Delorme and R. Van Rullen, "Spike-based strategies for rapid
        processing", 2001. DOI 10.1016/S0893-6080(01)00083-1

    Examples:
        >>> latency(torch.tensor([1.0, 0.5, 0.0]), num_steps=3, normalize=True, linear=True)
        tensor([[1., 0., 0.],
                [0., 1., 0.],
                [0., 0., 1.]])
    """
    values = finite_values("latency", "data", data, 0, 1)
    circuit = (num_steps, threshold, tau, first_spike_time)
    times, below = latency_code(widened(values), *circuit, normalize, linear, epsilon)
    # What is clipped does not fire, so it cannot fire too late.
    late = times.detach().round().masked_fill(below & clip, 0)
    last = int(late.max()) if late.numel() else 0
    hint = f"Pass num_steps={last + 1} or more, a smaller tau, normalize=True or bypass=True."
    what, got = f"all spikes within num_steps={num_steps}", f"one at step {last}"
    expect(bypass or num_steps is not False, "latency", "`num_steps`", "none", hint, TypeError)
    expect(bypass or last < num_steps, "latency", what, got, hint)
    if num_steps is False:
        most = min(int(2 / torch.finfo(times.dtype).eps), MOST)  # further steps are not told apart
        what, got = f"all spikes within {most} steps without `num_steps`", f"one at step {last}"
        expect(last < most, "latency", what, got, "Pass num_steps or a smaller tau.")
    steps = num_steps or last + 1
    step = late.clamp(max=MOST).long().clamp(max=steps - 1)
    if interpolate:
        train = latency_interpolate(step.to(times.dtype), steps).to(values.dtype)
    else:
        train = values.new_zeros(steps, *values.shape).scatter_(0, step.unsqueeze(0), 1)
    return to_levels("latency", train.masked_fill_(below & clip, 0), on_target, off_target)


def latency_code(
    data: Tensor,
    num_steps: int = False,
    threshold: float = 0.01,
    tau: float = 1,
    first_spike_time: int = 0,
    normalize: bool = False,
    linear: bool = False,
    epsilon: float = 1e-7,
) -> tuple[Tensor, Tensor]:
    """Return the times of :func:`latency`, not rounded, and what is below ``threshold``.

    For times themselves, such as temporal targets: ``[*]`` to twice ``[*]``. Arguments as
    in :func:`latency`; only ``normalize`` needs ``num_steps``.

    Examples:
        >>> latency_code(torch.tensor([0.0, 0.5, 1.0]), tau=4, threshold=0.25, linear=True)
        (tensor([3., 2., 0.]), tensor([ True, False, False]))
    """
    circuit = (num_steps, threshold, tau, first_spike_time, normalize)
    if linear:
        return latency_code_linear(data, *circuit), data < threshold
    return latency_code_log(data, *circuit, epsilon), data < threshold


def latency_code_linear(
    data: Tensor,
    num_steps: int = False,
    threshold: float = 0.01,
    tau: float = 1,
    first_spike_time: int = 0,
    normalize: bool = False,
) -> Tensor:
    r"""Return firing times, ``[*]`` to ``[*]``, that fall linearly with the feature.

    Spreads evenly what the logarithm of :func:`latency_code_log` crowds at both ends.

    .. math:: t = t_0 + \tau\,(1 - \max(x, \theta))

    with the feature :math:`x \le 1` (``data``), :math:`\theta` (``threshold``) and, in
    steps, :math:`\tau` (``tau``) and :math:`t_0` (``first_spike_time``). ``normalize`` sets
    :math:`\tau` to ``num_steps - 1 - first_spike_time``. Arguments as in :func:`latency`.

    Examples:
        >>> latency_code_linear(torch.tensor([0.0, 0.5, 1.0]), num_steps=11, normalize=True)
        tensor([9.9000, 5.0000, 0.0000])
    """
    owner = "latency_code_linear"
    values = finite_values(owner, "data", data, high=1)
    wide, circuit = widened(values), (num_steps, threshold, tau, first_spike_time, normalize)
    span = checked_span(owner, *circuit, wide.dtype)
    times = (span if normalize else float(tau)) * (1 - wide.clamp(min=threshold))
    return held_times(owner, first_spike_time + times, values.dtype)


def latency_code_log(
    data: Tensor,
    num_steps: int = False,
    threshold: float = 0.01,
    tau: float = 1,
    first_spike_time: int = 0,
    normalize: bool = False,
    epsilon: float = 1e-7,
) -> Tensor:
    r"""Return when an RC circuit fed with the features reaches threshold, ``[*]`` to ``[*]``.

    .. math:: t = t_0 + \tau \ln\frac{x}{x - \theta}, \qquad x \ge \theta + \epsilon

    with the feature :math:`x` (``data``, a voltage: current times resistance), the voltage
    :math:`\theta` (``threshold``) and, in steps, :math:`\tau = RC` (``tau``) and :math:`t_0`
    (``first_spike_time``). Smaller features are lifted to :math:`\theta + \epsilon`
    (``epsilon``). ``normalize`` scales :math:`t - t_0` such that the last spike comes at
    the last step. Arguments as in :func:`latency`; ``data`` may exceed 1.

    Examples:
        >>> latency_code_log(torch.tensor([0.25, 1.0]), threshold=0.2, tau=5)
        tensor([8.0472, 1.1157])
    """
    owner = "latency_code_log"
    values = finite_values(owner, "data", data)
    wide, circuit = widened(values), (num_steps, threshold, tau, first_spike_time, normalize)
    span = checked_span(owner, *circuit, wide.dtype)
    expect_held(owner, wide.dtype, epsilon=epsilon)
    voltage = wide.clamp(min=threshold + epsilon)
    margin = voltage.new_tensor(threshold + epsilon) - threshold
    what = f"an `epsilon` above 0 that {voltage.dtype} can add to threshold={threshold}"
    expect(bool(margin > 0), owner, what, epsilon)
    times = float(tau) * torch.log(voltage / (voltage - threshold))
    if normalize and times.numel():
        # Features so large that all times are 0 stay there, without a division by zero.
        times = times / times.max().clamp(min=torch.finfo(times.dtype).tiny) * span
    return held_times(owner, first_spike_time + times, values.dtype)


def latency_interpolate(
    spike_time: Tensor, num_steps: int, on_target: float = 1, off_target: float = 0
) -> Tensor:
    """Rise linearly from ``off_target`` at step 0 to ``on_target`` at each neuron's spike.

    For membrane targets: ``[*]``, the spike times, rounded, to ``[num_steps, *]``. After
    the spike, the value is ``off_target`` again.

    Examples:
        >>> latency_interpolate(torch.tensor([0.0, 2.0]), num_steps=3).T
        tensor([[1.0000, 0.0000, 0.0000],
                [0.0000, 0.5000, 1.0000]])
    """
    spike, step = spike_steps("latency_interpolate", spike_time, num_steps)
    step = step.view(-1, *[1] * spike.dim())
    rise = torch.where(step == spike, 1, step / spike.clamp(min=1)).masked_fill(step > spike, 0)
    return to_levels("latency_interpolate", rise.to(float_dtype(spike_time)), on_target, off_target)


def rate_interpolate(
    spike_time: Tensor,
    num_steps: int,
    on_target: float = 1,
    off_target: float = 0,
    epsilon: float = 1e-7,
) -> Tensor:
    """Rise linearly to ``on_target`` at each spike of one train.

    For membrane targets: ``[N]``, the spike times, rounded, to ``[num_steps]``. Each rise
    starts from ``off_target`` one step after the spike before, the first one at step 0.
    ``epsilon`` is kept for released calls: nothing here depends on rounding.

    Examples:
        >>> rate_interpolate(torch.tensor([0, 3]), num_steps=5)
        tensor([1.0000, 0.0000, 0.5000, 1.0000, 0.0000])
    """
    spike, step = spike_steps("rate_interpolate", spike_time, num_steps)
    expect(spike.dim() == 1, "rate_interpolate", "`spike_time` of shape [N]", tuple(spike.shape))
    ends = torch.cat((spike.new_tensor([-1]), spike.sort().values, spike.new_tensor([inf])))
    after = torch.searchsorted(ends, step)
    start, stop = ends[after - 1] + 1, ends[after]
    rise = torch.where(step == stop, 1, (step - start) / (stop - start).clamp(min=1))
    return to_levels("rate_interpolate", rise.to(float_dtype(spike_time)), on_target, off_target)


def delta(
    data: Tensor, threshold: float = 0.1, padding: bool = False, off_spike: bool = False
) -> Tensor:
    r"""Fire where a time series, ``[T, *]`` to ``[T, *]``, rises by at least the threshold.

    The choice for time series and video, where only change carries information.

    .. math:: S[t] = 1 \text{ if } x[t] - x[t-1] \ge \theta \text{ and } x[t] > x[t-1]

    with :math:`x` (``data``) and :math:`\theta` (``threshold``) in the unit of the data.

    Args:
        data: Time series, time first.
        threshold: Smallest change within a step that fires, at least 0.
        padding: Whether the first step is compared with itself, not with 0: never fires.
        off_spike: Whether falls by at least the threshold fire too, with -1.

    References:
        P. Lichtsteiner, C. Posch and T. Delbruck, "A 128x128 120 dB 15 us latency
        asynchronous temporal contrast vision sensor", 2008. DOI 10.1109/JSSC.2007.914337

    Examples:
        >>> data = torch.tensor([0, 1, 0, 2, 8, -20, 20, -5, 0, 1, 0])
        >>> delta(data, threshold=4, off_spike=True)
        tensor([ 0.,  0.,  0.,  0.,  1., -1.,  1., -1.,  1.,  0.,  0.])
    """
    values = finite_values("delta", "data", data)
    expect(values.dim() > 0, "delta", "`data` of shape [T, *]", "a number")
    expect_held("delta", values.dtype, threshold=threshold)
    expect(threshold >= 0, "delta", "a `threshold` of at least 0", threshold)
    before = values[:1] if padding else torch.zeros_like(values[:1])
    change = values.diff(dim=0, prepend=before)
    spikes = change.sign().masked_fill(change.abs() < float(threshold), 0)
    return spikes if off_spike else spikes.clamp(min=0)


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
    """Turn labels into target spikes, by :func:`targets_rate` or :func:`targets_latency`.

    ``code`` is ``"rate"`` or ``"latency"``; that function gets all of its arguments (1.0.0
    dropped some of the latency code's), and those of the other are not used.

    Examples:
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
    """Turn labels, ``[B]``, into trains of two rates: ``[num_steps, B, num_classes]``.

    For losses at every step. A rate below 1 for the target and above 0 for the others
    keeps all neurons firing, and with them their gradients.

    ``correct_rate`` and ``incorrect_rate``, with ``first_spike_time`` and
    ``firing_pattern``, are those of :func:`target_rate_code`, which draws one train for all
    target classes and one for all others. A spike has the value ``on_target``, all the rest
    ``off_target``, any number (1.0.0 raised negative ones to 0). ``interpolate`` rises to
    each spike as in :func:`rate_interpolate`. No ``num_steps``: rates 1 and 0, no time.

    Examples:
        >>> targets_rate(torch.tensor([1]), 2, num_steps=3, correct_rate=0.5)
        tensor([[[0., 1.]], [[0., 0.]], [[0., 1.]]])
    """
    owner, train = "targets_rate", to_one_hot(targets, num_classes)
    checked_steps(owner, num_steps, first_spike_time)
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
    r"""Return one spike train, ``[num_steps]``, and the times of its spikes, ``[N]``.

    .. math:: t_k = t_0 + \lfloor k / r \rfloor, \qquad k = 0, 1, \dots

    is the ``"regular"`` pattern with :math:`r` (``rate``, spikes a step, in [0, 1]) and
    :math:`t_0` (``first_spike_time``, steps). The ``"uniform"`` one has as many spikes, at
    random steps from :math:`t_0` on; the ``"poisson"`` one fires by chance at each of them.

    Examples:
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
    """Turn labels, ``[B]``, into one spike a class: ``[num_steps, B, num_classes]``.

    For losses on the first spike: the target class fires first, the others last. Arguments
    as in :func:`to_one_hot`, whose rows are encoded, and :func:`latency`.

    Examples:
        >>> targets_latency(torch.tensor([1]), 2, num_steps=3, normalize=True)
        tensor([[[0., 1.]], [[0., 0.]], [[1., 0.]]])
    """
    rows = to_one_hot(targets, num_classes)
    levels = (rows, num_steps, threshold, tau, first_spike_time, on_target, off_target)
    return latency(*levels, clip, normalize, linear, interpolate, bypass, epsilon)


def to_one_hot(targets: Tensor, num_classes: int) -> Tensor:
    """Return rows of zeros with a one at each label: ``[B]`` to ``[B, num_classes]``.

    Examples:
        >>> to_one_hot(torch.tensor([2]), num_classes=3)
        tensor([[0., 0., 1.]])
    """
    expect_size("to_one_hot", "num_classes", num_classes)
    expect_tensor("to_one_hot", "targets", targets)
    expect(targets.dim() == 1, "to_one_hot", "`targets` of shape [B]", tuple(targets.shape))
    hot = targets.unsqueeze(1) == torch.arange(num_classes, device=targets.device)
    wrong = targets[~hot.any(1)].tolist()
    what = f"labels 0 to {num_classes - 1} (num_classes={num_classes})"
    expect(not wrong, "to_one_hot", what, f"label {wrong[0]}" if wrong else "")
    return hot.to(float_dtype(targets))


def to_one_hot_inverse(one_hot_targets: Tensor) -> Tensor:
    """Swap zeros and ones, which marks all the incorrect classes: ``[*]`` to ``[*]``.

    Examples:
        >>> to_one_hot_inverse(torch.tensor([[0, 1, 0]]))
        tensor([[1, 0, 1]])
    """
    expect_binary("to_one_hot_inverse", "one_hot_targets", one_hot_targets)
    return one_hot_targets.logical_not().to(one_hot_targets.dtype)


def from_one_hot(one_hot_label: Tensor) -> Tensor:
    """Return the class of each row, where its one is: ``[*, num_classes]`` to ``[*]``.

    Examples:
        >>> from_one_hot(torch.tensor([[0, 0, 1], [1, 0, 0]]))
        tensor([2, 0])
    """
    expect_binary("from_one_hot", "one_hot_label", one_hot_label)
    expect(one_hot_label.dim() > 0, "from_one_hot", "`one_hot_label` of shape [*, C]", "a number")
    count = one_hot_label.sum(-1).flatten()
    wrong = count[count != 1].tolist()
    expect(not wrong, "from_one_hot", "a single one in every row", wrong[:1])
    return one_hot_label.long().argmax(-1)
