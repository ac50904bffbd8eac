"""Two processes with DistributedDataParallel, for tests of what ranks share."""

from __future__ import annotations

import socket
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

import snntorch as snn


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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


def _rank(rank: int, port: int, queue: Any) -> None:
    address = f"tcp://127.0.0.1:{port}"
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    try:
        alone, wrapped = _states(rank, wrap=False), _states(rank, wrap=True)
        if rank == 1:
            queue.put({"rank1_mem": str(wrapped), "rank1_mem_alone": str(alone)})
    finally:
        dist.destroy_process_group()


def ddp_hidden_states() -> dict[str, str]:
    """Return rank 1's hidden mem with and without DistributedDataParallel."""
    context = mp.get_context("spawn")
    queue = context.Queue()
    mp.spawn(_rank, args=(_free_port(), queue), nprocs=2, join=True)
    return queue.get(timeout=10)
