"""Accuracy of a recorded output, and how losses and accuracies read a record.

A record is what a network's output layer did, stacked over time:
``[num_steps, batch, num_outputs]``; further axes (pixels, say) may follow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from snntorch._checks import expect, expect_count, expect_real, expect_tensor, shape_of

__all__ = ["accuracy_rate", "accuracy_temporal"]


def expect_stacked(owner: object, name: str, record: Any) -> None:
    """Raise unless ``record`` is a tensor of real numbers: a list of its steps is none."""
    expect(
        isinstance(record, Tensor),
        owner,
        f"`{name}` to be a torch.Tensor",
        type(record).__name__,
        "Collect what the net returns at every step and pass torch.stack(list).",
        TypeError,
    )
    expect_real(owner, name, record)


def expect_record(owner: object, name: str, record: Tensor) -> None:
    """Raise unless ``record`` is a tensor of steps, samples and outputs."""
    expect_stacked(owner, name, record)
    expect(
        record.dim() >= 3 and record.shape[0] > 0,
        owner,
        f"`{name}` of shape [num_steps, batch, num_outputs] with at least one step",
        shape_of(record),
        f"Collect what the net returns at every step and pass torch.stack(list); "
        f"one step alone is `{name}.unsqueeze(0)`.",
    )


def expect_float_record(owner: object, name: str, record: Tensor) -> None:
    """Raise unless ``record`` is a record of floating-point numbers."""
    expect_record(owner, name, record)
    expect_floating(owner, name, record)


def expect_floating(owner: object, name: str, record: Tensor) -> None:
    """Raise unless ``record`` is a tensor of floating-point numbers."""
    expect_stacked(owner, name, record)
    what, hint = f"`{name}` of a floating-point dtype", f"Convert it with {name}.float()."
    expect(record.is_floating_point(), owner, what, record.dtype, hint, TypeError)


def widened(record: Tensor) -> Tensor:
    """Return a record to compute with: bfloat16 counts to 256, float16 to 2048, no further."""
    half = record.is_floating_point() and record.element_size() < 4
    return record.float() if half else record


def expect_population(owner: object, population_code: bool, num_classes: int) -> None:
    """Raise unless population coding, where asked for, comes with a number of classes."""
    if population_code:
        expect_count(owner, "num_classes", num_classes)


def pool(owner: object, record: Tensor, num_classes: int) -> Tensor:
    """Add up the record of each class's population, a block of neighbouring outputs."""
    outputs = record.shape[2]
    expect(
        outputs % num_classes == 0,
        owner,
        f"a number of outputs that `num_classes` = {num_classes} divides",
        outputs,
        "Give every class the same number of output neurons.",
    )
    return torch.unflatten(record, 2, (num_classes, -1)).sum(3)


def class_labels(
    owner: object,
    targets: Tensor,
    shape: tuple[int, ...],
    num_classes: int,
    device: torch.device,
    ignored: int | None = None,
) -> Tensor:
    """Check class labels, of which ``ignored`` is no class, and bring them to ``device``."""
    expect_tensor(owner, "targets", targets)
    expect(
        not (targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool),
        owner,
        "`targets` to be integer class labels",
        targets.dtype,
        "Convert them with targets.long(); one-hot targets with targets.argmax(-1).",
        TypeError,
    )
    expect(
        shape_of(targets) == shape,
        owner,
        f"`targets` of shape {shape}, one label for each sample",
        shape_of(targets),
    )
    if readable(targets):
        outside = targets[(targets < 0) | (targets >= num_classes)]
        if ignored is not None:
            outside = outside[outside != ignored]
        expect(
            outside.numel() == 0,
            owner,
            f"labels from 0 to {num_classes - 1}, as there are {num_classes} classes",
            f"label {', '.join(map(str, outside[:5].tolist()))}",
        )
    return targets.to(device=device, dtype=torch.long)


def labelled(labels: Tensor, num_classes: int, axis: int = 1) -> Tensor:
    """Say of each class, along ``axis``, whether it is the label."""
    classes = torch.arange(num_classes, device=labels.device)
    return labels.unsqueeze(axis) == classes.view(-1, *[1] * (labels.dim() - axis))


def readable(labels: Tensor) -> bool:
    """Say whether values can be looked at: not while they are traced, batched or captured."""
    return not (
        torch.compiler.is_compiling()
        or labels.is_meta
        or torch._C._functorch.is_functorch_wrapped_tensor(labels)
        or (labels.is_cuda and torch.cuda.is_current_stream_capturing())
    )


def nth_spike_step(record: Tensor, count: int) -> Tensor:
    """Return the step of the 1st, ..., ``count``-th spike: ``[count, batch, num_outputs]``.

    A spike that never comes counts as one at the last step.
    """
    so_far = (record != 0).cumsum(0)
    wanted = torch.arange(1, count + 1, device=record.device)
    earlier = so_far < wanted.view(-1, *[1] * record.dim())
    return earlier.sum(1).clamp(max=record.shape[0] - 1)


def _hit_rate(owner: str, guess: Tensor, targets: Tensor, num_classes: int) -> float:
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
        - spk_out: ``[num_steps, batch, num_outputs]``
        - targets: ``[batch]``

    Raises:
        ValueError: If a shape does not fit, a label is no class, or the outputs
            cannot be shared out among ``num_classes``.
        TypeError: If an argument is no tensor, or the labels are not integers.

    Examples:
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
        - spk_out: ``[num_steps, batch, num_outputs]``
        - targets: ``[batch]``

    Raises:
        ValueError: If a shape does not fit or a label is no class.
        TypeError: If an argument is no tensor, or the labels are not integers.

    Examples:
        >>> spk = torch.tensor([[[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 0.0]]])
        >>> print(accuracy_temporal(spk, torch.tensor([1, 1])))
        0.5
    """
    owner = "accuracy_temporal"
    expect_record(owner, "spk_out", spk_out)
    first = nth_spike_step(spk_out, 1)[0]
    return _hit_rate(owner, first.argmin(1), targets, spk_out.shape[2])
