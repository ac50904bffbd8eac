"""One epoch: the windows of each batch are run, backpropagated through, and learned from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from snntorch import utils
from snntorch._checks import as_device, expect, expect_truth, expect_values, shape_of
from snntorch._unroll.planner import unroll
from snntorch.backprop._expect import (
    expect_batches,
    expect_criterion,
    expect_device,
    expect_learner,
    expect_loss,
    expect_pair,
    expect_regularization,
    expect_steps,
)

Batches = Iterable[tuple[Tensor, Tensor]]
Criterion = Callable[[Tensor, Tensor], Tensor]
Regularization = Callable[[Tensor], Tensor]


def train(
    owner: str,
    K: int | None,
    net: nn.Module,
    dataloader: Batches,
    optimizer: torch.optim.Optimizer,
    criterion: Criterion,
    regularization: Regularization | bool,
    num_steps: int,
    time_var: bool,
    time_first: bool,
    device: torch.device | str,
    progress: bool,
) -> Tensor:
    """Train one epoch with an update every ``K`` steps, or every batch for None."""
    expect_learner(owner, net, optimizer)
    reads = expect_criterion(owner, criterion)
    expect_regularization(owner, regularization)
    expect_steps(owner, num_steps, time_var)
    expect_truth(owner, time_first=time_first, progress=progress)
    device = as_device(owner, device)
    expect_device(owner, net, device)
    expect_batches(owner, dataloader)
    time_var_targets = bool(getattr(criterion, "time_var_targets", False))
    total, steps = torch.zeros((), device=device), 0
    for batch in _shown(owner, dataloader) if progress else dataloader:
        pair = expect_pair(owner, batch)
        for name, values in zip(("data", "targets"), pair, strict=True):
            if device.type != "meta":
                expect_values(owner, name, values)
        data, targets = (values.to(device) for values in pair)
        if time_var:
            data = _over_time(owner, "data", data, num_steps, time_first)
        else:
            data = data.expand(num_steps, *data.shape)
        if time_var_targets:
            time_leads = time_first or targets.dim() == 1
            targets = _over_time(owner, "targets", targets, num_steps, time_leads)
            what = f"`targets` of as many time steps as the data: {len(data)}"
            expect(len(targets) == len(data), owner, what, len(targets))
        utils.reset(net)
        for start in range(0, len(data), K or len(data)):
            window = slice(start, start + (K or len(data)))
            spk, read = _run(owner, net, data[window], reads)
            loss = criterion(read, targets[window] if time_var_targets else targets)
            if callable(regularization):
                loss = loss + regularization(spk)
            expect_loss(owner, loss)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            for part in utils.with_states(net):
                part.detach_mem()
            # by alpha: the product in half precision would be rounded, or overflow
            total = torch.add(total, loss.detach().reshape(()).to(device), alpha=len(spk))
            steps += len(spk)
    expect(steps > 0, owner, "`dataloader` to give at least one batch", "none")
    return total / steps


def _run(owner: str, net: nn.Module, window: Tensor, reads: str) -> tuple[Tensor, Tensor]:
    """Run the steps of a window; return the output spikes and what the criterion reads."""
    output = unroll(net, window)
    spk = _pick(owner, output, "spk")
    return spk, spk if reads == "spk" else _pick(owner, output, reads)


def _pick(owner: str, output: Any, reads: str) -> Tensor:
    """Return the spikes or the membrane potential from what the network returned."""
    parts = output if isinstance(output, (tuple, list)) else (output,)
    position, needed = (0, 1) if reads == "spk" else (-1, 2)
    part: Any = parts[position] if len(parts) >= needed else None
    if isinstance(part, tuple):  # DeltaLeaky returns spk, (mem, mem_prev)
        part = part[0]
    expect(
        isinstance(part, Tensor),
        owner,
        f"`net` to return {'spk or ' if reads == 'spk' else ''}(spk, ..., mem), as the "
        f"criterion reads {reads}",
        f"{type(output).__name__} of {len(parts)}" if parts is output else type(output).__name__,
        "Build its last neuron with output=True.",
        TypeError,
    )
    value: Tensor = part
    return value


def _over_time(owner: str, name: str, values: Tensor, num_steps: int, time_first: bool) -> Tensor:
    """Return values with time as the first axis, ``num_steps`` long (all there is for False)."""
    expect(
        values.dim() > (0 if time_first else 1),
        owner,
        f"`{name}` with a time axis{'' if time_first else ' after the batch axis'}",
        f"shape {shape_of(values)}",
        "Pass time_var=False for data without one.",
    )
    values = values if time_first else values.transpose(0, 1)
    wanted = num_steps or max(len(values), 1)
    expect(
        len(values) >= wanted,
        owner,
        f"`{name}` of at least {wanted} time steps",
        len(values),
        "Time is the first axis, or the second with time_first=False.",
    )
    return values[:wanted]


def _shown(owner: str, dataloader: Batches) -> Iterator[Any]:
    """Return the batches with a progress bar, where the output is a terminal."""
    try:
        from tqdm import tqdm  # noqa: PLC0415  (only who asks for it needs it)
    except ImportError:
        raise ImportError(
            f"{owner} expected tqdm to be installed for progress=True, but found none.\n"
            "Type `pip install tqdm`, or leave progress=False."
        ) from None
    return iter(tqdm(dataloader, desc=owner, disable=None))
