r"""Training through time: forward pass, backward pass and weight updates in one call.

The time steps of a batch are cut into windows of ``K`` steps. Each window is run, its loss
sent back through it, and the weights updated; then the states are detached from their
past and the next window goes on from them. What remains to choose is the window:

- `BPTT`: all time steps. The exact gradient; memory grows with the number of steps.
- `TBPTT`: ``K`` steps. Memory for ``K`` steps; what lies further back gets no gradient.
- `RTRL`: one step. The weights learn while the sequence runs.

The states are zeroed before each batch. Build the neurons with ``init_hidden=True``, the
last one with ``output=True`` as well, so that the network returns ``(spk, mem)``, or
``(spk, ..., mem)`` with more states between::

    net = nn.Sequential(
        nn.Linear(784, 100), snn.Leaky(beta=0.9, init_hidden=True),
        nn.Linear(100, 10), snn.Leaky(beta=0.9, init_hidden=True, output=True),
    )
    loss = backprop.BPTT(net, train_loader, optimizer, SF.ce_rate_loss(), num_steps=25,
                         time_var=False)

A criterion says what it is computed from by its attribute ``reads``: ``"spk"``, the output
spikes, or ``"mem"``, the membrane potential, either ``[num_steps, batch, ...]`` with the
steps of one window. The losses of `snntorch.functional` do; give it to any other::

    def loss_fn(mem_rec, targets):
        return F.cross_entropy(mem_rec.mean(0), targets)

    loss_fn.reads = "mem"

If it also has a true attribute ``time_var_targets``, the targets begin with a time axis and
are cut into the same windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from snntorch import utils
from snntorch._checks import expect, expect_choice, expect_count, expect_tensor, shape_of
from snntorch._neurons.neurons import SpikingNeuron
from snntorch._unroll.planner import unroll

__all__ = ["BPTT", "RTRL", "TBPTT"]

Batches = Iterable[tuple[Tensor, Tensor]]
Criterion = Callable[[Tensor, Tensor], Tensor]
Regularization = Callable[[Tensor], Tensor]


def TBPTT(
    net: nn.Module,
    dataloader: Batches,
    optimizer: torch.optim.Optimizer,
    criterion: Criterion,
    num_steps: int = False,
    time_var: bool = True,
    time_first: bool = True,
    regularization: Regularization | bool = False,
    device: torch.device | str = "cpu",
    K: int = 1,
    *,
    progress: bool = False,
) -> Tensor:
    r"""Train one epoch by truncated backpropagation through time.

    Choose it for sequences too long for `BPTT`. With the loss :math:`\mathcal{L}_k` of
    the steps of window :math:`k` the weights :math:`W` move after every window, by

    .. math::
        \frac{\partial \mathcal{L}_k}{\partial W}, \qquad
        \mathcal{L}_k = \mathcal{L}\big(S[kK + 1], \dots, S[\min(kK + K, T)]\big)

    where the states at :math:`kK` count as constants; :math:`S` is what the criterion
    reads, :math:`T` the number of steps, :math:`K` (``K``) the window in steps. The last
    window is what remains of the steps.

    Args:
        net: Network that returns the spikes first and the membrane potential last.
        dataloader: Pairs ``(data, targets)``: a loader, or a list of such batches.
        optimizer: Optimizer of the parameters of ``net``.
        criterion: Loss with an attribute ``reads``, such as ``SF.ce_rate_loss()``; it is
            given the record that it reads and the targets.
        num_steps: Number of time steps. Time-varying data need none: they are run for all
            steps there are, or for the first ``num_steps``.
        time_var: Whether the data have a time axis. False feeds the same data at each step.
        time_first: Whether the time axis comes first. False means that it is the second,
            after the batch, for time-varying targets as well.
        regularization: Price to add to the loss of each window, a function of the output
            spikes such as ``SF.l1_rate_sparsity()``; False for none.
        device: Where the network lives; data and targets are moved there.
        K: Number of time steps from one update to the next.
        progress: Whether to show a progress bar, in a terminal; needs ``tqdm``.

    Returns:
        The mean loss of a time step, detached: over the windows, weighted by their steps.

    Shape:
        - data: ``[num_steps, batch, ...]``; ``[batch, num_steps, ...]`` with
          ``time_first=False``; ``[batch, ...]`` with ``time_var=False``
        - targets: as ``criterion`` expects them; time-varying ones of more than one axis
          are ``[batch, num_steps, ...]`` with ``time_first=False``
        - output: a scalar

    Raises:
        ValueError: If ``num_steps`` or ``K`` does not fit the data, there is no batch, the
            loss is no scalar or has no gradient, ``net`` is on another device, or there is no
            such device.
        TypeError: If ``criterion`` does not say what it reads, ``net`` does not return it,
            or an argument is of the wrong kind.
        ImportError: If ``progress=True`` and ``tqdm`` is not installed.

    Note:
        The mean loss of snnTorch 1.0.0 gave the remaining window too much weight.

    References:
        R. J. Williams, J. Peng (1990). An Efficient Gradient-Based Algorithm for On-Line
        Training of Recurrent Network Trajectories. Neural Computation 2(4), 490-501.
        DOI 10.1162/neco.1990.2.4.490

    Examples:
        >>> import snntorch as snn, snntorch.functional as SF
        >>> net = nn.Sequential(nn.Linear(3, 2), snn.Leaky(0.9, init_hidden=True, output=True))
        >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        >>> batch = torch.rand(10, 5, 3), torch.tensor([0, 1, 0, 1, 0])
        >>> loss = TBPTT(net, [batch], optimizer, SF.ce_rate_loss(), K=4)  # 3 updates
        >>> loss.shape, loss.requires_grad
        (torch.Size([]), False)
    """
    owner = "TBPTT"
    expect_count(owner, "K", K)
    return _train(
        owner,
        net,
        dataloader,
        optimizer,
        criterion,
        num_steps,
        time_var,
        time_first,
        regularization,
        device,
        K,
        progress,
    )


def BPTT(
    net: nn.Module,
    dataloader: Batches,
    optimizer: torch.optim.Optimizer,
    criterion: Criterion,
    num_steps: int = False,
    time_var: bool = True,
    time_first: bool = True,
    regularization: Regularization | bool = False,
    device: torch.device | str = "cpu",
    *,
    progress: bool = False,
) -> Tensor:
    """Train one epoch by backpropagation through time.

    Choose it first: one update per batch, by the exact gradient of the loss over all time
    steps. It is `TBPTT` with one window of all steps.

    Args:
        net: As the other arguments and what is returned, see `TBPTT`.
        dataloader: Pairs ``(data, targets)``.
        optimizer: Optimizer of the parameters of ``net``.
        criterion: Loss with an attribute ``reads``.
        num_steps: Number of time steps; not needed with time-varying data.
        time_var: Whether the data have a time axis.
        time_first: Whether the time axis comes first, not second.
        regularization: Price to add to the loss, a function of the output spikes.
        device: Where the network lives.
        progress: Whether to show a progress bar.

    Returns:
        The mean loss of a time step, detached.

    Raises:
        ValueError: As `TBPTT`.
        TypeError: As `TBPTT`.
        ImportError: As `TBPTT`.

    References:
        P. J. Werbos (1990). Backpropagation Through Time: What It Does and How to Do It.
        Proceedings of the IEEE 78(10), 1550-1560. DOI 10.1109/5.58337

    Examples:
        >>> import snntorch as snn, snntorch.functional as SF
        >>> net = nn.Sequential(nn.Linear(3, 2), snn.Leaky(0.9, init_hidden=True, output=True))
        >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        >>> batch = torch.rand(5, 3), torch.tensor([0, 1, 0, 1, 0])
        >>> loss = BPTT(net, [batch], optimizer, SF.ce_rate_loss(), num_steps=10, time_var=False)
    """
    return _train(
        "BPTT",
        net,
        dataloader,
        optimizer,
        criterion,
        num_steps,
        time_var,
        time_first,
        regularization,
        device,
        None,
        progress,
    )


def RTRL(
    net: nn.Module,
    dataloader: Batches,
    optimizer: torch.optim.Optimizer,
    criterion: Criterion,
    num_steps: int = False,
    time_var: bool = True,
    time_first: bool = True,
    regularization: Regularization | bool = False,
    device: torch.device | str = "cpu",
    *,
    progress: bool = False,
) -> Tensor:
    """Train one epoch online: the weights are updated at every time step.

    Choose it for least memory, or to learn while a sequence runs. It is `TBPTT` with one
    step per window: an approximation of real-time recurrent learning that leaves out how
    the weights acted on the states of earlier steps.

    Args:
        net: As the other arguments and what is returned, see `TBPTT`.
        dataloader: Pairs ``(data, targets)``.
        optimizer: Optimizer of the parameters of ``net``.
        criterion: Loss with an attribute ``reads``.
        num_steps: Number of time steps; not needed with time-varying data.
        time_var: Whether the data have a time axis.
        time_first: Whether the time axis comes first, not second.
        regularization: Price to add to the loss, a function of the output spikes.
        device: Where the network lives.
        progress: Whether to show a progress bar.

    Returns:
        The mean loss of a time step, detached.

    Raises:
        ValueError: As `TBPTT`.
        TypeError: As `TBPTT`.
        ImportError: As `TBPTT`.

    References:
        R. J. Williams, D. Zipser (1989). A Learning Algorithm for Continually Running Fully
        Recurrent Neural Networks. Neural Computation 1(2), 270-280.
        DOI 10.1162/neco.1989.1.2.270

    Examples:
        >>> import snntorch as snn, snntorch.functional as SF
        >>> net = nn.Sequential(nn.Linear(3, 2), snn.Leaky(0.9, init_hidden=True, output=True))
        >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        >>> batch = torch.rand(10, 5, 3), torch.tensor([0, 1, 0, 1, 0])
        >>> loss = RTRL(net, [batch], optimizer, SF.ce_rate_loss())  # 10 updates
    """
    return _train(
        "RTRL",
        net,
        dataloader,
        optimizer,
        criterion,
        num_steps,
        time_var,
        time_first,
        regularization,
        device,
        1,
        progress,
    )


def _train(
    owner: str,
    net: nn.Module,
    dataloader: Batches,
    optimizer: torch.optim.Optimizer,
    criterion: Criterion,
    num_steps: int,
    time_var: bool,
    time_first: bool,
    regularization: Regularization | bool,
    device: torch.device | str,
    K: int | None,
    progress: bool,
) -> Tensor:
    """Train one epoch with an update every ``K`` steps, or every batch for None."""
    expect(
        isinstance(net, nn.Module),
        owner,
        "`net` to be a torch.nn.Module",
        type(net).__name__,
        error=TypeError,
    )
    expect(
        callable(getattr(optimizer, "zero_grad", None)) and hasattr(optimizer, "step"),
        owner,
        "`optimizer` to be a torch.optim.Optimizer",
        type(optimizer).__name__,
        "Pass one, such as torch.optim.Adam(net.parameters()).",
        TypeError,
    )
    reads = _expect_criterion(owner, criterion)
    expect(
        regularization is False or callable(regularization),
        owner,
        "`regularization` to be a function of the spikes, or False",
        repr(regularization),
        "Pass one, such as functional.reg.l1_rate_sparsity().",
        TypeError,
    )
    if num_steps is not False:
        expect_count(owner, "num_steps", num_steps)
    expect(
        time_var or num_steps is not False,
        owner,
        "`num_steps` with time_var=False",
        "none",
        "Say for how many steps to feed the data, such as num_steps=25.",
    )
    device = _as_device(owner, device)
    _expect_device(owner, net, device)
    expect(
        any(hasattr(dataloader, name) for name in ("__iter__", "__getitem__")),
        owner,
        "`dataloader` to give batches",
        type(dataloader).__name__,
        "Pass a torch.utils.data.DataLoader, or a list of batches such as [(data, targets)].",
        TypeError,
    )
    time_var_targets = bool(getattr(criterion, "time_var_targets", False))
    total, steps = torch.zeros((), device=device), 0
    for batch in _shown(owner, dataloader) if progress else dataloader:
        data, targets = (values.to(device) for values in _expect_pair(owner, batch))
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
            _expect_loss(owner, loss)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            _detach(net)
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


def _detach(net: nn.Module) -> None:
    """Cut the states of every neuron in ``net``, however deep, from their past."""
    for module in net.modules():
        if isinstance(module, SpikingNeuron):
            module.detach_mem()


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


def _as_device(owner: str, device: Any) -> torch.device:
    """Return the device of that name."""
    try:
        return torch.device(device)
    except (RuntimeError, TypeError):
        named = isinstance(device, str)
        expect(
            False,
            owner,
            "`device` to be a torch.device or the name of one",
            repr(device),
            'Pass "cpu", "cuda", "cuda:1" or "mps", say.',
            ValueError if named else TypeError,
        )
        raise


def _expect_criterion(owner: str, criterion: Any) -> str:
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


def _expect_device(owner: str, net: nn.Module, device: torch.device) -> None:
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


def _expect_pair(owner: str, batch: Any) -> tuple[Tensor, Tensor]:
    expect(
        isinstance(batch, (tuple, list)) and len(batch) == 2,
        owner,
        "`dataloader` to give pairs (data, targets)",
        type(batch).__name__ + (f" of {len(batch)}" if hasattr(batch, "__len__") else ""),
        "A list of batches does, such as [(data, targets)].",
        TypeError,
    )
    data, targets = batch
    expect_tensor(owner, "data", data)
    expect_tensor(owner, "targets", targets)
    return data, targets


def _expect_loss(owner: str, loss: Any) -> None:
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
        "a loss with a gradient",
        "one without",
        "See that parameters require one, and that no neuron has surrogate_disable=True.",
    )
