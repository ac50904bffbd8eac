"""What users call: the three windows, with one update each."""

# ruff: noqa: D417  (the arguments that all share are filled in)

from __future__ import annotations

import torch
from torch import Tensor, nn

from snntorch._checks import expect_count
from snntorch._docs import shared_arguments
from snntorch.backprop._epoch import Batches, Criterion, Regularization, train

ARGUMENTS = {
    "net": "Network that returns the spikes first and the membrane potential last.",
    "dataloader": "Pairs ``(data, targets)``: a loader, or a list of such batches.",
    "optimizer": "Optimizer of the parameters of ``net``.",
    "criterion": "Loss with an attribute ``reads``, such as ``SF.ce_rate_loss()``; it is given the"
    " record that it reads and the targets.",
    "num_steps": "Number of time steps. Time-varying data need none: they are run for all steps"
    " there are, or for the first ``num_steps``.",
    "time_var": "Whether the data have a time axis. False feeds the same data at each step.",
    "time_first": "Whether the time axis comes first. False means that it is the second, after the"
    " batch, for time-varying targets as well.",
    "regularization": "Price to add to the loss of each window, a function of the output spikes"
    " such as ``SF.l1_rate_sparsity()``; False for none.",
    "device": "Where the network lives; data and targets are moved there.",
    "progress": "Whether to show a progress bar, in a terminal; needs ``tqdm``.",
}


@shared_arguments(ARGUMENTS)
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
        {shared}
        K: Number of time steps from one update to the next.

    Returns:
        The mean loss of a time step, detached: over the windows, weighted by their steps.

    Shape:
        - data: (time, batch, ...); (batch, time, ...) with ``time_first=False``; (batch, ...) with
          ``time_var=False``.
        - targets: as ``criterion`` expects them; time-varying ones of more than one axis
          are (batch, time, ...) with ``time_first=False``.
        - output: a scalar.

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
        >>> import torch, snntorch as snn, snntorch.functional as SF
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(3, 2), snn.Leaky(0.9, init_hidden=True, output=True))
        >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        >>> batch = torch.rand(10, 5, 3), torch.tensor([0, 1, 0, 1, 0])
        >>> loss = TBPTT(net, [batch], optimizer, SF.ce_rate_loss(), K=4)  # 3 updates
        >>> loss.shape, loss.requires_grad
        (torch.Size([]), False)
    """
    expect_count("TBPTT", "K", K)
    feed = (num_steps, time_var, time_first, device, progress)
    return train("TBPTT", K, net, dataloader, optimizer, criterion, regularization, *feed)


@shared_arguments(ARGUMENTS)
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
        {shared}

    Returns:
        The mean loss of a time step over all batches, detached.

    Raises:
        ValueError, TypeError, ImportError: As `TBPTT`.

    References:
        P. J. Werbos (1990). Backpropagation Through Time: What It Does and How to Do It.
        Proceedings of the IEEE 78(10), 1550-1560. DOI 10.1109/5.58337

    Examples:
        >>> import torch, snntorch as snn, snntorch.functional as SF
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(3, 2), snn.Leaky(0.9, init_hidden=True, output=True))
        >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        >>> batch = torch.rand(5, 3), torch.tensor([0, 1, 0, 1, 0])
        >>> loss = BPTT(net, [batch], optimizer, SF.ce_rate_loss(), num_steps=10, time_var=False)
    """
    feed = (num_steps, time_var, time_first, device, progress)
    return train("BPTT", None, net, dataloader, optimizer, criterion, regularization, *feed)


@shared_arguments(ARGUMENTS)
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
        {shared}

    Returns:
        The mean loss of a time step, detached.

    Raises:
        ValueError, TypeError, ImportError: As `TBPTT`.

    References:
        R. J. Williams, D. Zipser (1989). A Learning Algorithm for Continually Running Fully
        Recurrent Neural Networks. Neural Computation 1(2), 270-280.
        DOI 10.1162/neco.1989.1.2.270

    Examples:
        >>> import torch, snntorch as snn, snntorch.functional as SF
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(3, 2), snn.Leaky(0.9, init_hidden=True, output=True))
        >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        >>> batch = torch.rand(10, 2, 3), torch.tensor([0, 1])
        >>> loss = RTRL(net, [batch], optimizer, SF.ce_rate_loss())  # 10 updates
    """
    feed = (num_steps, time_var, time_first, device, progress)
    return train("RTRL", 1, net, dataloader, optimizer, criterion, regularization, *feed)
