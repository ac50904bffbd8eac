"""Nets as people write them, loop and all: as they are, and under `fuse` or `deferred`.

A unit of work is a training step: forward, backward and Adam. Rounds of all contenders are
interleaved, each coming first in turn, so that a machine whose speed drifts slows all alike. In
its turn each works three times, as the first time finds the caches full of another one's data,
and the median counts. Behind the quartiles stands the ratio of the means of all times: what comes
now and then, such as Python's search for garbage, is in the means only. Outputs are compared first,
in float64: products of all steps may be rounded otherwise than those of one, and a spike more or
less is a large difference.

    python benchmarks/any_net.py [--only "W2c;small"] [--rounds 9] [--released PYTHON]
    python benchmarks/any_net.py --device cuda

With ``--released`` the loops run in that interpreter's environment, too, which has the released
snnTorch: its time is divided by that of the fused net.
"""

# ruff: noqa: D101, D102
from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import snntorch as snn


class Dense(nn.Module):
    """The class of tutorial 5."""

    def __init__(self, hidden: int, steps: int, varying: bool = False, looks: bool = False) -> None:
        super().__init__()
        self.steps, self.varying, self.looks = steps, varying, looks
        self.fc1, self.lif1 = nn.Linear(784, hidden), snn.Leaky(beta=0.95)
        self.fc2, self.lif2 = nn.Linear(hidden, 10), snn.Leaky(beta=0.95)

    def forward(self, x: Tensor) -> Tensor:
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        mems = []
        for step in range(self.steps):
            spk1, mem1 = self.lif1(self.fc1(x[step] if self.varying else x), mem1)
            _, mem2 = self.lif2(self.fc2(spk1), mem2)
            if self.looks and spk1.sum() > 1e9:
                mem2 = mem2 * 0.5
            mems.append(mem2)
        return torch.stack(mems)


class Convolutional(nn.Module):
    """The class of tutorial 6."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.conv1, self.lif1 = nn.Conv2d(1, 12, 5), snn.Leaky(beta=0.5)
        self.conv2, self.lif2 = nn.Conv2d(12, 64, 5), snn.Leaky(beta=0.5)
        self.fc1, self.lif3 = nn.Linear(64 * 4 * 4, 10), snn.Leaky(beta=0.5)

    def forward(self, x: Tensor) -> Tensor:
        mem1, mem2, mem3 = (lif.init_leaky() for lif in (self.lif1, self.lif2, self.lif3))
        mems = []
        for _ in range(self.steps):
            spk1, mem1 = self.lif1(F.max_pool2d(self.conv1(x), 2), mem1)
            spk2, mem2 = self.lif2(F.max_pool2d(self.conv2(spk1), 2), mem2)
            _, mem3 = self.lif3(self.fc1(spk2.flatten(1)), mem3)
            mems.append(mem3)
        return torch.stack(mems)


class Residual(nn.Module):
    """Spikes are added to spikes, as in SEW-ResNet, with batch normalization in training."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.stem, self.norm, self.lif = nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), _lif()
        self.convs = nn.ModuleList(nn.Conv2d(16, 16, 3, padding=1, bias=False) for _ in range(4))
        self.norms = nn.ModuleList(nn.BatchNorm2d(16) for _ in range(4))
        self.lifs = nn.ModuleList(_lif() for _ in range(4))
        self.fc = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        mem, mems = self.lif.init_leaky(), [lif.init_leaky() for lif in self.lifs]
        out = []
        for _ in range(self.steps):
            spk, mem = self.lif(self.norm(self.stem(x)), mem)
            for place, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
                new, mems[place] = self.lifs[place](norm(conv(spk)), mems[place])
                spk = spk + new
            out.append(self.fc(spk.mean((2, 3))))
        return torch.stack(out)


class Attention(nn.Module):
    """A block of spiking self-attention."""

    def __init__(self, steps: int, width: int = 64) -> None:
        super().__init__()
        self.steps, self.scale = steps, 0.125
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(4))
        self.lifs = nn.ModuleList(_lif() for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        mems = [lif.init_leaky() for lif in self.lifs]
        out = []
        for _ in range(self.steps):
            spikes = []
            for place in range(3):
                spk, mems[place] = self.lifs[place](self.layers[place](x), mems[place])
                spikes.append(spk)
            q, k, v = spikes
            mixed = q @ k.transpose(-2, -1) @ v * self.scale
            _, mems[3] = self.lifs[3](self.layers[3](mixed), mems[3])
            out.append(mems[3])
        return torch.stack(out)


class Recurrent(nn.Module):
    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.fc1, self.lif1 = nn.Linear(100, 128), snn.RLeaky(beta=0.9, linear_features=128)
        self.fc2, self.lif2 = nn.Linear(128, 10), snn.Leaky(beta=0.9)

    def forward(self, x: Tensor) -> Tensor:
        (spk1, mem1), mem2 = self.lif1.init_rleaky(), self.lif2.init_leaky()
        mems = []
        for _ in range(self.steps):
            spk1, mem1 = self.lif1(self.fc1(x), spk1, mem1)
            _, mem2 = self.lif2(self.fc2(spk1), mem2)
            mems.append(mem2)
        return torch.stack(mems)


class Outside(nn.Module):
    """The loop stands around a net with hidden states."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.net = nn.Sequential(
            nn.Linear(784, 1000),
            snn.Leaky(beta=0.95, init_hidden=True),
            nn.Linear(1000, 10),
            snn.Leaky(beta=0.95, init_hidden=True, output=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        self.net[1].reset_mem()
        self.net[3].reset_mem()
        mems = []
        with snn.deferred() if hasattr(self, "defers") else contextlib.nullcontext():
            for _ in range(self.steps):
                mems.append(self.net(x)[1])
            return torch.stack(mems)


def _lif() -> Any:
    return snn.Leaky(beta=0.9)


#: Net and shape of its input, by name.
WORKLOADS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "W2c": (lambda: Dense(1000, 25), (128, 784)),
    "W2c, x[t]": (lambda: Dense(1000, 25, varying=True), (25, 128, 784)),
    "W3c": (lambda: Convolutional(50), (32, 1, 28, 28)),
    "W4c": (lambda: Dense(1000, 1000), (8, 784)),
    "small": (lambda: Dense(32, 25), (8, 784)),
    "residual": (lambda: Residual(16), (16, 3, 16, 16)),
    "attention": (lambda: Attention(8), (16, 32, 64)),
    "RLeaky": (lambda: Recurrent(100), (32, 100)),
    "if": (lambda: Dense(1000, 25, looks=True), (128, 784)),
    "outside": (lambda: Outside(25), (128, 784)),
}


class Work:
    """A training step of one net, to be called again and again."""

    def __init__(self, name: str, fused: bool, device: str = "cpu") -> None:
        torch.manual_seed(0)
        build, shape = WORKLOADS[name]
        self.net, self.x = build().to(device), torch.rand(shape, device=device)
        if fused and isinstance(self.net, Outside):
            self.net.defers = True
        elif fused:
            snn.fuse(self.net)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=1e-4)

    def __call__(self) -> float:
        start = time.perf_counter()
        loss = self.net(self.x).pow(2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        if self.x.is_cuda:
            torch.cuda.synchronize()
        return time.perf_counter() - start


class Elsewhere:
    """The loop in the environment of another interpreter."""

    def __init__(self, python: str, name: str) -> None:
        command = [python, __file__, "--serve", name]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def __call__(self) -> float:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        self.process.communicate()


def serve(name: str) -> None:
    """Run a loop once for each line that comes in."""
    work = Work(name, fused=False)
    for _ in sys.stdin:
        print(work(), flush=True)


def assert_same(name: str, device: str) -> None:
    works = [Work(name, fused, device) for fused in (False, True)]
    torch.testing.assert_close(*(work.net.double()(work.x.double()) for work in works))


def compare(name: str, rounds: int, released: str | None, device: str) -> str:
    """Return a row: how many times longer the loops take."""
    loop, fused = (Work(name, one, device) for one in (False, True))
    assert_same(name, device)
    runs: list[Callable[[], float]] = [fused, loop]
    if released is not None:
        runs.append(Elsewhere(released, name))
    for run in runs:
        for _ in range(6):
            run()
    times: list[list[list[float]]] = []
    for first in range(rounds):  # each comes first in turn
        order = [(first + place) % len(runs) for place in range(len(runs))]
        took = {place: [runs[place]() for _ in range(3)] for place in order}
        times.append([took[place] for place in range(len(runs))])
    for run in runs:
        if isinstance(run, Elsewhere):
            run.close()
    medians = [[*map(statistics.median, turn)] for turn in times]
    means = [
        statistics.mean(took for turn in times for took in turn[place])
        for place in range(len(runs))
    ]
    row = f"{name:12} {1e3 * statistics.median(turn[0] for turn in medians):8.1f} ms"
    for place in range(1, len(runs)):
        low, middle, high = statistics.quantiles([turn[place] / turn[0] for turn in medians], n=4)
        row += f"   {middle:5.2f} ({low:.2f} ... {high:.2f}) {means[place] / means[0]:5.2f}"
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=";".join(WORKLOADS), help="names, separated by ;")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--released", help="interpreter of an environment with the released one")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve)
        return
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    released = "      released loop" if args.released else ""
    print(f"{'net':12} {'fused':>11}   this loop, quartiles, of means{released}")
    for name in WORKLOADS:
        if name in args.only.split(";"):
            print(compare(name, args.rounds, args.released, args.device), flush=True)


if __name__ == "__main__":
    main()
