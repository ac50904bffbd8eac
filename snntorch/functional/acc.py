"""Accuracy: how often a recorded output answers with the labelled class."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from snntorch._checks import expect, expect_values, shape_of
from snntorch.functional._records import (
    class_labels,
    expect_population,
    expect_record,
    nth_spike_step,
    pool,
    widened,
)

__all__ = ["accuracy_rate", "accuracy_temporal"]


def _hit_rate(owner: str, guess: Tensor, targets: Tensor, num_classes: int) -> float:
    expect_values(owner, "spk_out", guess)
    labels = class_labels(owner, targets, shape_of(guess), num_classes, guess.device)
    expect(labels.numel() > 0, owner, "at least one sample", "an empty batch")
    # NumPy's float, as released: a Python float that also has .item() and .mean()
    rate: float = np.float64((guess == labels).sum().item() / labels.numel())
    return rate


def accuracy_rate(
    spk_out: Tensor,
    targets: Tensor,
    population_code: bool = False,
    num_classes: int = False,
) -> float:
    """Return the share of samples whose most active output is the labelled class.

    Choose it for rate codes, where the class with the most spikes is the answer.
    Of equally active classes the lowest is taken.

    Args:
        spk_out: Recorded output spikes.
        targets: Class labels, on any device.
        population_code: Let several outputs speak for one class: the outputs are
            cut into ``num_classes`` blocks of neighbours, and each block's spikes
            are added up.
        num_classes: Number of classes; needed with ``population_code``.

    Shape:
        - spk_out: (time, batch, num_outputs)
        - targets: (batch)

    Raises:
        ValueError: If a shape does not fit, a label is no class, or the outputs
            cannot be shared out among ``num_classes``.
        TypeError: If an argument is no tensor, or the labels are not integers.

    Examples:
        >>> import torch
        >>> spk = torch.tensor([[[0.0, 1.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 0.0]]])
        >>> print(accuracy_rate(spk, torch.tensor([1, 1])))
        0.5
    """
    owner = "accuracy_rate"
    expect_record(owner, "spk_out", spk_out)
    expect_population(owner, population_code, num_classes)
    spk_out = widened(spk_out)
    if population_code:
        spk_out = pool(owner, spk_out, num_classes)
    return _hit_rate(owner, spk_out.sum(0).argmax(1), targets, spk_out.shape[2])


def accuracy_temporal(spk_out: Tensor, targets: Tensor) -> float:
    """Return the share of samples whose first output to fire is the labelled class.

    Choose it for latency codes. A silent output counts as firing at the last
    step; of outputs that fire together the lowest is taken.

    Args:
        spk_out: Recorded output spikes.
        targets: Class labels, on any device.

    Shape:
        - spk_out: (time, batch, num_outputs)
        - targets: (batch)

    Raises:
        ValueError: If a shape does not fit or a label is no class.
        TypeError: If an argument is no tensor, or the labels are not integers.

    Examples:
        >>> import torch
        >>> spk = torch.tensor([[[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 0.0]]])
        >>> print(accuracy_temporal(spk, torch.tensor([1, 1])))
        0.5
    """
    owner = "accuracy_temporal"
    expect_record(owner, "spk_out", spk_out)
    first = nth_spike_step(spk_out, 1)[0]
    return _hit_rate(owner, first.argmin(1), targets, spk_out.shape[2])
