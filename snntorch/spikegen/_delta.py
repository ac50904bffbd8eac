"""Delta modulation: spikes where a time series changes."""

from __future__ import annotations

import torch
from torch import Tensor

from snntorch._checks import expect, expect_truth
from snntorch.spikegen._shared import expect_held, finite_values


def delta(
    data: Tensor, threshold: float = 0.1, padding: bool = False, off_spike: bool = False
) -> Tensor:
    r"""Fire where a time series rises by at least the threshold.

    The choice for time series and video, where only change carries information.

    .. math:: S[t] = 1 \text{ if } x[t] - x[t-1] \ge \theta \text{ and } x[t] > x[t-1]

    with :math:`x` (``data``) and :math:`\theta` (``threshold``) in the unit of the data.

    Args:
        data: Time series, time first.
        threshold: Smallest change within a step that fires, at least 0.
        padding: Whether the first step is compared with itself, not with 0: never fires.
        off_spike: Whether falls by at least the threshold fire too, with -1.

    Shape:
        ``(time, ...)`` to ``(time, ...)``.

    References:
        P. Lichtsteiner, C. Posch and T. Delbruck, "A 128x128 120 dB 15 us latency
        asynchronous temporal contrast vision sensor", 2008. DOI 10.1109/JSSC.2007.914337

    Examples:
        >>> import torch
        >>> data = torch.tensor([0, 1, 0, 2, 8, -20, 20, -5, 0, 1, 0])
        >>> delta(data, threshold=4, off_spike=True)
        tensor([ 0.,  0.,  0.,  0.,  1., -1.,  1., -1.,  1.,  0.,  0.])
    """
    expect_truth("delta", padding=padding, off_spike=off_spike)
    values = finite_values("delta", "data", data)
    expect(values.dim() > 0, "delta", "`data` of shape (time, ...)", "a number")
    expect_held("delta", values.dtype, threshold=threshold)
    expect(threshold >= 0, "delta", "a `threshold` of at least 0", threshold)
    before = values[:1] if padding else torch.zeros_like(values[:1])
    change = values.diff(dim=0, prepend=before)
    spikes = change.sign().masked_fill(change.abs() < float(threshold), 0)
    return spikes if off_spike else spikes.clamp(min=0)
