"""Ways to train a net in two processes, and in one that has the samples of both."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import checkpoint as dcp
from torch.distributed.algorithms.join import Join
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

import snntorch as snn
from snntorch import utils

TIME, WIDE = 6, 16


class Loop(nn.Module):
    """Explicit states, and the loop over time in ``forward``."""

    def __init__(self) -> None:
        super().__init__()
        beta = torch.full((WIDE,), 0.9)
        self.fc1, self.lif1 = nn.Linear(4, WIDE), snn.Leaky(beta, learn_beta=True, threshold=0.5)
        self.fc2, self.lif2 = nn.Linear(WIDE, 3), snn.Leaky(0.8, threshold=0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Return membranes."""
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        mems = []
        for _ in range(TIME):
            spk1, mem1 = self.lif1(self.fc1(x), mem1)
            _, mem2 = self.lif2(self.fc2(spk1), mem2)
            mems.append(mem2)
        return torch.stack(mems)


def recurrent() -> nn.Sequential:
    """Return a net of neurons with hidden states and feedback to all others."""
    beta = torch.full((WIDE,), 0.9)
    learned: dict[str, Any] = {"learn_beta": True, "linear_features": WIDE}
    lif = snn.RLeaky(beta, init_hidden=True, threshold=0.5, **learned)
    return nn.Sequential(nn.Linear(4, WIDE), lif, nn.Linear(WIDE, 3))


class OneStep(nn.Module):
    """A class around a net, so that `unroll` defers it."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.lif = nn.Linear(4, 3), snn.Synaptic(0.8, 0.9, init_hidden=True, output=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return the membrane of one step."""
        return self.lif(self.fc(x))[2]


class Unrolled(nn.Module):
    """A net of one step as one of whole sequences."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """Return what `unroll` does."""
        return unrolled(self.net, x)


def called(net: nn.Module, x: Tensor) -> Tensor:
    """Return what a net of whole sequences does."""
    return net(x)


def looped(net: nn.Module, x: Tensor) -> Tensor:
    """Return what a loop over calls of a net gives."""
    utils.reset(net)
    return torch.stack([net(x) for _ in range(TIME)])


def unrolled(net: nn.Module, x: Tensor) -> Tensor:
    """Return what `unroll` does from zero states on."""
    utils.reset(net)
    return snn.unroll(net, x, TIME)


def sharded(net: nn.Module) -> nn.Module:
    """Shard all weights of a net together: they are whole while it runs."""
    return fully_shard(net)


def sharded_by_layer(net: nn.Module) -> nn.Module:
    """Shard layers, too: their weights are whole during their own calls only."""
    for part in net.modules():
        if isinstance(part, nn.Linear):
            fully_shard(part)
    return fully_shard(net)


@dataclass(frozen=True)
class Way:
    """How to make a net, how to spread it over processes, and how to call it."""

    net: Callable[[], nn.Module]
    spread: Callable[[nn.Module], nn.Module]
    call: Callable[[nn.Module, Tensor], Tensor] = called
    accumulates: bool = False


def _ddp(net: nn.Module) -> nn.Module:
    return DistributedDataParallel(net)


def _recurrent_unrolled() -> nn.Module:
    return Unrolled(recurrent())


WAYS = {
    "DDP, hidden states, loop": Way(recurrent, _ddp, looped),
    "DDP, hidden states, unroll": Way(recurrent, _ddp, unrolled),
    "DDP, unroll within": Way(_recurrent_unrolled, _ddp),
    "DDP, explicit states": Way(Loop, _ddp),
    "DDP of a fused net": Way(Loop, lambda net: _ddp(snn.fuse(net))),
    "DDP, fused": Way(Loop, lambda net: snn.fuse(_ddp(net))),
    "DDP, accumulated": Way(Loop, lambda net: _ddp(snn.fuse(net)), accumulates=True),
    "FSDP2": Way(Loop, sharded),
    "FSDP2, unroll": Way(recurrent, sharded, unrolled),
    "FSDP2, unroll within": Way(_recurrent_unrolled, sharded_by_layer),
    "FSDP2 of a fused net": Way(Loop, lambda net: sharded(snn.fuse(net))),
    "FSDP2 by layer": Way(recurrent, sharded_by_layer, unrolled),
    "FSDP2 by layer of a fused net": Way(Loop, lambda net: sharded_by_layer(snn.fuse(net))),
    "FSDP2 by layer, fused": Way(Loop, lambda net: snn.fuse(sharded_by_layer(net))),
    "FSDP2 in a class, unroll": Way(lambda: nn.Sequential(OneStep()), sharded_by_layer, unrolled),
    "FSDP2, accumulated": Way(recurrent, sharded_by_layer, looped, accumulates=True),
}


def batch(number: int) -> tuple[Tensor, Tensor]:
    """Return a batch: inputs, and the membranes that they should lead to."""
    generator = torch.Generator().manual_seed(number)
    x = 2 * torch.rand(7, 4, generator=generator)
    return x, x[:, :3]


def share(of: Tensor, rank: int) -> Tensor:
    """Return the samples of a process: 4 of the first one, 3 of the second one."""
    return of[rank::2]


def made(build: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """Return a net, the same in all processes."""
    torch.manual_seed(seed)
    return build()


def adam(net: nn.Module) -> torch.optim.Optimizer:
    """Return the optimizer of a net."""
    return torch.optim.Adam(net.parameters(), lr=0.02)


def _cost(out: Tensor, y: Tensor) -> Tensor:
    """Return the sum over samples, to be divided by the number of those of all processes."""
    return (out - y).square().sum() / TIME


def steps(
    net: nn.Module, way: Way, optimizer: torch.optim.Optimizer, numbers: range
) -> list[float]:
    """Train a net on batches, each process on its share; return the losses of whole batches."""
    found, world = [], dist.get_world_size()
    for number in numbers:
        optimizer.zero_grad()
        x, y = (share(part, dist.get_rank()) for part in batch(number))
        parts = list(zip(x.split(2), y.split(2), strict=True)) if way.accumulates else [(x, y)]
        total = torch.zeros(())
        for place, (few, wanted) in enumerate(parts):
            with _alone(net, place < len(parts) - 1):
                loss = _cost(way.call(net, few), wanted) / len(batch(number)[0])
                (world * loss).backward()  # gradients are averaged over processes
            total += loss.detach()
        optimizer.step()
        dist.all_reduce(total)
        found.append(total.item())
    return found


def _alone(net: nn.Module, more: bool) -> Any:
    """Return a context that keeps gradients from being exchanged while more are to come."""
    if isinstance(net, DistributedDataParallel):
        return net.no_sync() if more else nullcontext()
    if hasattr(net, "set_requires_gradient_sync"):
        net.set_requires_gradient_sync(not more)
    return nullcontext()


def losses(name: str) -> list[float]:
    """Return the losses of training in a way."""
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view")  # not written to
    way = WAYS[name]
    net = way.spread(made(way.net))
    return steps(net, way, adam(net), range(6))


def losses_alone(name: str) -> list[float]:
    """Return the losses of one process that has the samples of both."""
    way, found = WAYS[name], []
    net = made(way.net)
    optimizer = adam(net)
    for number in range(6):
        x, y = batch(number)
        loss = _cost(way.call(net, x), y) / len(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


# -- batches that one process has more of


def joined() -> list[list[float]]:
    """Return the weights after training on 3 batches here and 1 there."""
    net = made(Loop)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    wrapped = DistributedDataParallel(snn.fuse(net))
    with Join([wrapped]):
        for number in range(3 - 2 * dist.get_rank()):
            x, y = batch(number)
            optimizer.zero_grad()
            _cost(wrapped(share(x, dist.get_rank())), share(y, dist.get_rank())).backward()
            optimizer.step()
    return [parameter.flatten().tolist() for parameter in net.parameters()]


def joined_alone() -> list[list[float]]:
    """Return the weights that one process gets from all of these samples."""
    net = made(Loop)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for number in range(3):
        optimizer.zero_grad()
        for rank in range(2 if number == 0 else 1):
            x, y = batch(number)
            (_cost(net(share(x, rank)), share(y, rank)) / 2).backward()
        optimizer.step()
    return [parameter.flatten().tolist() for parameter in net.parameters()]


# -- checkpoints

CHECKPOINTED = ("DDP of a fused net", "FSDP2 by layer")


def resumed(name: str) -> dict[str, Any]:
    """Return the losses with and without a checkpoint between, and what that holds."""
    way = WAYS[name]
    net = way.spread(made(way.net))
    optimizer = adam(net)
    steps(net, way, optimizer, range(3))
    model, state = get_state_dict(_bare(net), optimizer)
    folder = [tempfile.mkdtemp() if dist.get_rank() == 0 else ""]
    dist.broadcast_object_list(folder)
    dcp.save({"net": model, "optimizer": state}, checkpoint_id=folder[0])
    want = steps(net, way, optimizer, range(3, 6))

    fresh = way.spread(made(way.net, seed=1))
    optimizer = adam(fresh)
    looped(fresh, torch.ones(2, 4))  # states of another batch are not to matter
    model, state = get_state_dict(_bare(fresh), optimizer)
    dcp.load({"net": model, "optimizer": state}, checkpoint_id=folder[0])
    set_state_dict(_bare(fresh), optimizer, model_state_dict=model, optim_state_dict=state)
    got = steps(fresh, way, optimizer, range(3, 6))
    return {"want": want, "got": got, "keys": sorted(model), "folder": folder[0]}


def _bare(net: nn.Module) -> nn.Module:
    return net.module if isinstance(net, DistributedDataParallel) else net


def loaded_alone(name: str, folder: str) -> float:
    """Return the loss of the next batch of a net in one process, from such a checkpoint."""
    way = WAYS[name]
    net = made(way.net, seed=1)
    model = net.state_dict()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is")  # as is meant
        dcp.load({"net": model}, checkpoint_id=Path(folder))
    net.load_state_dict(model)
    x, y = batch(3)
    return _cost(way.call(net, x), y).item() / len(x)
