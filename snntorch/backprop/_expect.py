"""What the arguments of an epoch, and what comes out of them, have to be."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from snntorch._checks import (
    expect,
    expect_choice,
    expect_module,
    expect_size,
    expect_tensor,
    expect_truth,
    shape_of,
)


def expect_learner(owner: str, net: Any, optimizer: Any) -> None:
    """Raise unless there is a network, and what updates its weights."""
    expect_module(owner, "net", net)
    expect(
        callable(getattr(optimizer, "zero_grad", None)) and hasattr(optimizer, "step"),
        owner,
        "`optimizer` to be a torch.optim.Optimizer",
        type(optimizer).__name__,
        "Pass one, such as torch.optim.Adam(net.parameters()).",
        TypeError,
    )


def expect_regularization(owner: str, regularization: Any) -> None:
    """Raise unless it is a function, or False."""
    expect(
        regularization is False or callable(regularization),
        owner,
        "`regularization` to be a function of the spikes, or False",
        repr(regularization),
        "Pass one, such as functional.reg.l1_rate_sparsity().",
        TypeError,
    )


def expect_steps(owner: str, num_steps: int, time_var: bool) -> None:
    """Raise unless the number of steps is known."""
    if num_steps is not False:
        expect_size(owner, "num_steps", num_steps)
    expect_truth(owner, time_var=time_var)
    expect(
        time_var or num_steps is not False,
        owner,
        "`num_steps` with time_var=False",
        "none",
        "Say for how many steps to feed the data, such as num_steps=25.",
    )


def expect_batches(owner: str, dataloader: Any) -> None:
    """Raise unless it can be iterated over."""
    expect(
        any(hasattr(dataloader, name) for name in ("__iter__", "__getitem__"))
        and not isinstance(dataloader, (Tensor, np.ndarray, np.generic, str, bytes)),
        owner,
        "`dataloader` to give batches",
        type(dataloader).__name__,
        "Pass a torch.utils.data.DataLoader, or a list of batches such as [(data, targets)].",
        TypeError,
    )


def expect_criterion(owner: str, criterion: Any) -> str:
    """Return what the criterion reads."""
    expect(
        callable(criterion),
        owner,
        "`criterion` to be a function of a record and the targets",
        repr(criterion),
        "Pass one of snntorch.functional, such as ce_rate_loss().",
        TypeError,
    )
    reads: str | None = getattr(criterion, "reads", None)
    expect(
        reads is not None,
        owner,
        "a criterion that says what it reads, as the losses of snntorch.functional do",
        getattr(criterion, "__name__", type(criterion).__name__),
        'Give it (or its class) the attribute reads = "spk" if it is computed from the output '
        'spikes, reads = "mem" if from the membrane potential.',
        TypeError,
    )
    expect_choice(owner, "criterion.reads", reads, ("spk", "mem"))
    return str(reads)


def expect_device(owner: str, net: nn.Module, device: torch.device) -> None:
    """Raise unless the parameters of ``net`` are on the device."""
    homes = {parameter.device for parameter in net.parameters()}
    expect(
        not homes
        or any(home.type == device.type and device.index in (None, home.index) for home in homes),
        owner,
        f"`net` on the device {device}",
        f"one on {', '.join(sorted(map(str, homes)))}",
        f"Pass `device` as well, or move it with net.to({str(device)!r}) before the optimizer "
        "is built.",
    )


def expect_pair(owner: str, batch: Any) -> tuple[Tensor, Tensor]:
    """Return the data and the targets of a batch."""
    counts = hasattr(batch, "__len__") and getattr(batch, "ndim", 1) > 0
    expect(
        isinstance(batch, (tuple, list)) and len(batch) == 2,
        owner,
        "`dataloader` to give pairs (data, targets)",
        type(batch).__name__ + (f" of {len(batch)}" if counts else ""),
        "A list of batches does, such as [(data, targets)].",
        TypeError,
    )
    data, targets = batch
    expect_tensor(owner, "data", data)
    expect_tensor(owner, "targets", targets)
    return data, targets


def expect_loss(owner: str, loss: Any) -> None:
    """Raise unless a loss is one number with a gradient."""
    expect_tensor(owner, "criterion(...)", loss)
    expect(
        loss.numel() == 1,
        owner,
        "a loss of one number",
        f"shape {shape_of(loss)}",
        'Build the criterion with reduction="mean".',
    )
    expect(
        loss.requires_grad,
        owner,
        "a loss with a gradient from `criterion`",
        "one without",
        "See that parameters require one, and that no neuron has surrogate_disable=True.",
    )
