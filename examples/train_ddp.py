"""Train a spiking network on several processes, and go on after one of them was killed.

    torchrun --nproc-per-node 2 examples/train_ddp.py --checkpoint out/ddp
    python examples/train_ddp.py                                # the same in one process
    torchrun ... examples/train_ddp.py --data fashion --root D  # torchvision-format files in D

Each process takes its share of every batch, and the gradients are those of whole batches: the
losses are one process's, but for rounding, which in float32 moves a spike now and then, and in
float64 (``--double``) hardly ever. With ``--checkpoint`` all is written after each epoch, and the
same command goes on from there, with as many processes as it then has. To have it given again by
itself: ``until torchrun ...; do sleep 1; done``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from idx import DEBIAN, FOLDERS, idx_files
from quickstart import digits
from torch import Tensor, nn
from torch.distributed import checkpoint as dcp
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import TensorDataset

import snntorch as snn
from snntorch import surrogate, utils


class Net(nn.Module):
    """Two fully connected layers, each followed by LIF neurons, over all of time."""

    def __init__(self, pixels: int, hidden: int, num_steps: int) -> None:
        super().__init__()
        neurons = {"beta": 0.9, "spike_grad": surrogate.fast_sigmoid(10), "init_hidden": True}
        self.num_steps = num_steps
        self.layers = nn.Sequential(
            nn.Linear(pixels, hidden),
            snn.Leaky(**neurons),
            nn.Linear(hidden, 10),
            snn.Leaky(**neurons),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return how often each output neuron fires while it is shown pixels, as currents."""
        utils.reset(self.layers)
        return snn.unroll(self.layers, x, self.num_steps).sum(0)


def shares(data: TensorDataset, size: int, order: Tensor) -> Iterator[tuple[Tensor, Tensor, int]]:
    """Yield this process's share of each batch, and the number of samples in the whole batch."""
    x, y = data.tensors
    for batch in order.split(size):
        mine = batch[dist.get_rank() :: dist.get_world_size()]
        yield x[mine].to(torch.get_default_dtype()), y[mine], len(batch)


def train(
    net: nn.Module, optimizer: torch.optim.Optimizer, data: TensorDataset, size: int, order: Tensor
) -> tuple[float, int]:
    """Train on all batches; return the loss, and how many samples this process took."""
    total, taken = torch.zeros(()), 0
    for x, y, whole in shares(data, size, order):
        loss = F.cross_entropy(net(x), y, reduction="sum") / whole
        optimizer.zero_grad()
        (dist.get_world_size() * loss).backward()  # the gradients of all are averaged
        optimizer.step()
        total += loss.detach() * whole / len(order)
        taken += len(y)
    dist.all_reduce(total)
    return total.item(), taken


@torch.no_grad()
def accuracy(net: nn.Module, data: TensorDataset) -> float:
    """Return the share of images whose neuron fires most often."""
    right = torch.zeros(())
    for x, y, _ in shares(data, 1000, torch.arange(len(data))):
        right += (net(x).argmax(1) == y).sum()
    dist.all_reduce(right)
    return right.item() / len(data)


def last_of(folder: Path) -> int:
    """Return after how many epochs the last checkpoint was written; 0 if there is none."""
    # what names the parts of a checkpoint is written last
    return max((int(path.parent.name) for path in folder.glob("[0-9]*/.metadata")), default=0)


def resume(folder: Path, net: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Load the last checkpoint; return after how many epochs it was written."""
    epoch = last_of(folder)
    if epoch:
        model, state = get_state_dict(net, optimizer)
        dcp.load({"net": model, "optimizer": state}, checkpoint_id=folder / str(epoch))
        set_state_dict(net, optimizer, model_state_dict=model, optim_state_dict=state)
    return epoch


def save(folder: Path, net: nn.Module, optimizer: torch.optim.Optimizer, epoch: int) -> None:
    """Write a checkpoint, and take those before away."""
    model, state = get_state_dict(net, optimizer)
    dcp.save({"net": model, "optimizer": state}, checkpoint_id=folder / str(epoch))
    if dist.get_rank() == 0:  # who ends last
        for other in folder.iterdir():
            if other.name.isdigit() and int(other.name) < epoch:
                shutil.rmtree(other)


def log(text: str) -> None:
    """Print a line at once, whole: processes share the terminal."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def work(args: argparse.Namespace, train_set: TensorDataset, test_set: TensorDataset) -> None:
    """Train as one of the processes."""
    rank, world = dist.get_rank(), dist.get_world_size()
    log(f"rank {rank} of {world}: process {os.getpid()}")
    if args.double:
        torch.set_default_dtype(torch.float64)
    torch.manual_seed(args.seed)
    net = Net(train_set.tensors[0].shape[1], args.hidden, args.num_steps)
    optimizer = torch.optim.Adam(net.parameters(), lr=args.lr)
    done = resume(args.checkpoint, net, optimizer) if args.checkpoint else 0
    if done and rank == 0:
        log(f"resumed after epoch {done}")
    shared = DistributedDataParallel(net)
    for epoch in range(done + 1, args.epochs + 1):
        start = time.perf_counter()
        generator = torch.Generator().manual_seed(1000 * args.seed + epoch)
        order = torch.randperm(len(train_set), generator=generator)  # the same in all processes
        loss, taken = train(shared, optimizer, train_set, args.batch_size, order)
        rate = taken / (time.perf_counter() - start)
        log(f"rank {rank}: epoch {epoch}, {rate:.0f} images/s")
        if args.checkpoint:
            save(args.checkpoint, net, optimizer, epoch)
        if rank == 0:
            log(f"epoch {epoch}: loss {loss:.6f}")
    share = accuracy(net, test_set)
    if rank == 0:
        log(f"test accuracy: {100 * share:.2f} % of {len(test_set)} held-out images")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=("digits", *FOLDERS), default="digits")
    parser.add_argument("--root", type=Path, default=Path("data"), help="folder of IDX files")
    parser.add_argument("--checkpoint", type=Path, help="folder to write to, and to go on from")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--num-steps", type=int, default=25)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=64, help="of all processes together")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--double", action="store_true", help="compute in float64")
    args = parser.parse_args()
    roots = [args.root, DEBIAN] if args.data == "fashion" else [args.root]
    sets = digits() if args.data == "digits" else idx_files(args.data, roots)
    if dist.is_torchelastic_launched():
        dist.init_process_group("gloo")
    else:
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    work(args, *sets)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
