"""What the functions of recorded spikes share: checks, populations, labels, spike times.

A record is what a network's output layer did, stacked over time:
(time, batch, num_outputs); further axes (pixels, say) may follow.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from snntorch._checks import (
    expect,
    expect_real,
    expect_size,
    expect_tensor,
    expect_truth,
    expect_values,
    shape_of,
)
from snntorch._neurons._values import not_of_inference
from snntorch._torch import is_functorch_wrapped
from snntorch.surrogate import why_traceable


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
        record.dim() >= 3 and record.shape[0] > 0 and record.shape[2] > 0,
        owner,
        f"`{name}` of shape (time, batch, num_outputs) with at least one step and one output",
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
    expect_truth(owner, population_code=population_code)
    if population_code:
        expect_size(owner, "num_classes", num_classes)


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
    if device.type != "meta":
        expect_values(owner, "targets", targets)
    if readable(targets):
        outside = targets[(targets < 0) | (targets >= num_classes)]
        if ignored is not None:
            outside = outside[outside != ignored]
        expect(
            outside.numel() == 0,
            owner,
            f"`targets` to be labels from 0 to {num_classes - 1}, as there are {num_classes} "
            "classes",
            f"label {', '.join(map(str, outside[:5].tolist()))}",
        )
    return not_of_inference(targets.to(device=device, dtype=torch.long))


def labelled(labels: Tensor, num_classes: int, axis: int = 1) -> Tensor:
    """Return for each class, along ``axis``, whether it is the label."""
    classes = torch.arange(num_classes, device=labels.device)
    return labels.unsqueeze(axis) == classes.view(-1, *[1] * (labels.dim() - axis))


def readable(labels: Tensor) -> bool:
    """Return whether labels can be looked at: not while they are traced, batched or captured."""
    return not (
        torch.compiler.is_compiling()
        or why_traceable() is not None
        or labels.is_meta
        or is_functorch_wrapped(labels)
        or (labels.is_cuda and torch.cuda.is_current_stream_capturing())
    )


def nth_spike_step(record: Tensor, count: int) -> Tensor:
    """Return the step of the 1st, ..., ``count``-th spike: (count, batch, num_outputs).

    A spike that never comes counts as one at the last step.
    """
    so_far = (record != 0).cumsum(0)
    wanted = torch.arange(1, count + 1, device=record.device)
    earlier = so_far < wanted.view(-1, *[1] * record.dim())
    return earlier.sum(1).clamp(max=record.shape[0] - 1)


def spikes_of(output: Any) -> Tensor:
    """Return the spikes of what a neuron returned, alone or before its states."""
    spikes: Tensor = output[0] if isinstance(output, tuple) else output
    return spikes
