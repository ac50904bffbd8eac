"""Nets with DistributedDataParallel: their gradients, and what ranks share."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

import snntorch as snn
from snntorch import utils
from tests.distributed.processes import in_two_processes
from tests.neurons.subclasses import Own

STEPS = 4


class Deep(nn.Module):
    """Neurons in containers within containers, one of them at two places."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleDict({"a": nn.ModuleList([_layer(snn.Leaky(0.9, **_HIDDEN))])})
        self.last = nn.Sequential(nn.Sequential(_layer(snn.Synaptic(0.8, 0.9, **_HIDDEN))))
        self.again = self.last[0][0][1]

    def forward(self, x: Tensor) -> Tensor:
        """Return the spikes."""
        return self.last(self.blocks["a"][0](x))


_HIDDEN: dict[str, Any] = {"init_hidden": True, "threshold": 0.5}


def _layer(neuron: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 3), neuron)


def _output(net: nn.Module) -> nn.Module:
    return nn.Sequential(net, nn.Linear(3, 2))


class Own2(Own):
    """Keeps its states itself, and returns the spikes."""

    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Tensor:
        """Return the spikes."""
        return super().forward(input_, mem)[0]


NETS: dict[str, Callable[[], nn.Module]] = {
    "Leaky": lambda: _layer(snn.Leaky(0.9, learn_beta=True, **_HIDDEN)),
    "dense feedback": lambda: _layer(snn.RLeaky(0.9, linear_features=3, **_HIDDEN)),
    "one to one": lambda: _layer(snn.RSynaptic(0.8, 0.9, V=0.5, all_to_all=False, **_HIDDEN)),
    "SLSTM": lambda: _layer(snn.SLSTM(3, 3, init_hidden=True, threshold=0.01)),
    "nested": Deep,
    "of one's own": lambda: _layer(Own2(0.9, **_HIDDEN)),
}


def made(name: str) -> nn.Module:
    """Return a net, the same in every process."""
    torch.manual_seed(0)
    return _output(NETS[name]())


def data(rank: int) -> Tensor:
    """Return the samples of a process, whose numbers differ: (time, 3 or 2, 3)."""
    torch.manual_seed(100 + rank)
    return 2 * torch.rand(STEPS, 3 - rank, 3)


def loss_of(net: nn.Module, x: Tensor) -> Tensor:
    """Return the sum over samples and time of what the net says, squared."""
    utils.reset(net)
    total = torch.zeros(())
    for step in x:
        total = total + net(step).square().sum()
    return total


def gradients(name: str) -> tuple[float, dict[str, list[float]]]:
    """Return this process's loss, and the gradients that all have after a step."""
    warnings.simplefilter("error")
    net = nn.parallel.DistributedDataParallel(made(name))
    for _ in range(2):  # the second from states that another batch left
        net.zero_grad()
        loss = loss_of(net, data(dist.get_rank()))
        loss.backward()
    return loss.item(), {n: p.grad.flatten().tolist() for n, p in net.module.named_parameters()}


def what_is_shared() -> dict[str, Any]:
    """Return what this process has after one step of a net with batch norm and its own ignored."""
    torch.manual_seed(dist.get_rank())  # nets that differ, buffers too
    net = nn.Sequential(nn.BatchNorm1d(3), snn.Leaky(0.9, init_hidden=True), nn.Linear(3, 1))
    net.register_buffer("mine", torch.full((1,), float(dist.get_rank())))
    net[0].running_mean.fill_(dist.get_rank())
    nn.parallel.DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(net, ["mine"])
    wrapped = nn.parallel.DistributedDataParallel(net)
    net.eval()
    x = torch.full((2 + dist.get_rank(), 3), 1.0 + dist.get_rank())
    for _ in range(2):
        wrapped(x)
    return {
        "mine": net.mine.item(),
        "running_mean": net[0].running_mean.tolist(),
        "states": list(net[1].mem.shape),
        "ignored": sorted(wrapped.parameters_to_ignore),
    }


def _states(rank: int, wrap: bool) -> list[float]:
    """Return rank's hidden mem after three steps on data of its own."""
    torch.manual_seed(0)
    net: nn.Module = nn.Sequential(nn.Linear(3, 2), snn.Leaky(0.9, init_hidden=True))
    lif = net[1]
    if wrap:
        net = nn.parallel.DistributedDataParallel(net)
    torch.manual_seed(100 + rank)
    for _ in range(3):
        net(torch.randn(1, 3)).sum().backward()
        lif.mem.detach_()
    return [round(v, 3) for v in lif.mem.flatten().tolist()]


def _hidden_states() -> tuple[list[float], list[float]]:
    rank = dist.get_rank()
    return _states(rank, wrap=False), _states(rank, wrap=True)


def ddp_hidden_states() -> dict[str, str]:
    """Return rank 1's hidden mem with and without DistributedDataParallel."""
    alone, wrapped = in_two_processes({"": _hidden_states})[1][""]
    return {"rank1_mem": str(wrapped), "rank1_mem_alone": str(alone)}


def alone(name: str) -> tuple[list[float], dict[str, list[float]]]:
    """Return each process's loss, and the gradients, of one process that has all samples."""
    net = made(name)
    losses = [loss_of(copy.deepcopy(net), data(rank)).item() for rank in range(2)]
    loss = loss_of(net, torch.cat([data(0), data(1)], dim=1)) / 2  # gradients are averaged
    loss.backward()
    return losses, {n: p.grad.flatten().tolist() for n, p in net.named_parameters()}
