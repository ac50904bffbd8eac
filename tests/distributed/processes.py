"""Two processes that work together, and what each of them found."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

Tasks = dict[str, Callable[[], Any]]


def _rank(rank: int, folder: Path, tasks: Tasks) -> None:
    torch.set_num_threads(1)
    store = dist.FileStore(str(folder / "store"), 2)  # ports may be taken by the tests beside
    dist.init_process_group("gloo", store=store, rank=rank, world_size=2)
    torch.save({name: task() for name, task in tasks.items()}, folder / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()
    # Threads of gloo which still want the interpreter abort the process while Python ends
    os._exit(0)


def in_two_processes(tasks: Tasks) -> list[dict[str, Any]]:
    """Return what each task returns, in each process; they take some seconds to start."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mp.spawn(_rank, args=(folder, tasks), nprocs=2, join=True)
        return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]
