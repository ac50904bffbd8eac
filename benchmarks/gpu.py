"""Layers and nets on a CUDA device: the kernel, the loop, its compilation, and memory's speed.

    benchmarks/gpu.sh                                         # the tests as well
    python benchmarks/gpu.py --json out/gpu.json
    python benchmarks/gpu.py --device cpu --shrink 4096       # tries the script without one

Times are medians of passes forward and backward, after passes that do not count; brackets hold
the quartiles. "Copies" is that time in copies of the input record, read once and written once.
"""

# ruff: noqa: D102
from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch import utils

Pass = Callable[[], None]


class Looped(nn.Module):
    """A layer in a loop over time."""

    def __init__(self) -> None:
        super().__init__()
        self.lif = snn.Leaky(beta=0.9)

    def forward(self, x: Tensor) -> Tensor:
        mem, spikes = torch.zeros_like(x[0]), []
        for step in x.unbind(0):
            spk, mem = self.lif(step, mem)
            spikes.append(spk)
        return torch.stack(spikes)


def timed(run: Pass, device: str, rounds: int) -> list[float]:
    """Return the quartiles of the milliseconds of a pass."""
    took = []
    for place in range(3 + rounds):
        if device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        if place >= 3:
            took.append(1e3 * (time.perf_counter() - start))
    return statistics.quantiles(took, n=4)


def training(net: Callable[[Tensor], Tensor], x: Tensor, parameters: list[nn.Parameter]) -> Pass:
    """Return a pass forward and backward."""
    x = x.detach().requires_grad_()
    grad: list[Tensor] = []

    def run() -> None:
        out = net(x)
        if not grad:
            grad.append(torch.ones_like(out))
        torch.autograd.grad(out, [x, *parameters], grad[0])

    return run


def layers(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Return rows of a layer of LIF neurons alone."""
    rows = []
    for steps in (4, 32):
        for dtype in (torch.float32, torch.float16):
            shape = (steps, 64, 65_536 // args.shrink)
            x = torch.randn(shape, device=args.device).to(dtype)
            row: dict[str, Any] = {"what": "LIF layer", "shape": shape, "dtype": str(dtype)}
            lif, loop, target = snn.Leaky(0.9), Looped(), torch.empty_like(x)
            for one in (lif, loop):
                one.to(args.device, dtype)
            whole = training(lambda x, lif=lif: lif.unroll(x, record="spk"), x, [])
            row["plan"] = str(snn.plan(lif, x))
            row["unroll"] = timed(whole, args.device, args.rounds)
            row["copy"] = timed(lambda to=target, x=x: to.copy_(x), args.device, args.rounds)
            row["loop"] = timed(training(loop, x, []), args.device, args.rounds)
            if dtype is torch.float32:
                compiled = torch.compile(loop)
                row["compiled loop"] = timed(training(compiled, x, []), args.device, args.rounds)
            row["GB/s of copy"] = 2e-6 * x.nbytes / row["copy"][1]
            row["copies"] = row["unroll"][1] / row["copy"][1]
            rows.append(row)
            show(row)
    return rows


def nets(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Return rows of nets, beside the same ones without neurons."""
    rows = []
    tried = args.shrink > 1
    for wide in (64,) if tried else (4096, 8192):
        lif = snn.Leaky(0.9, init_hidden=True)
        shape = (10 if tried else 500, 16, wide)
        rows.append(_net("Linear and LIF", shape, args, nn.Linear(wide, wide), lif))
    conv = (4 if tried else 32, 32, 1, 28, 28)
    neurons = [snn.Leaky(0.9, init_hidden=True) for _ in range(3)]
    parts = (
        *(nn.Conv2d(1, 12, 5), nn.MaxPool2d(2), neurons[0]),
        *(nn.Conv2d(12, 64, 5), nn.MaxPool2d(2), neurons[1]),
        *(nn.Flatten(), nn.Linear(1024, 10), neurons[2]),
    )
    rows.append(_net("convolutional net", conv, args, *parts))
    return rows


def _net(
    what: str, shape: tuple[int, ...], args: argparse.Namespace, *parts: nn.Module
) -> dict[str, Any]:
    net = nn.Sequential(*parts).to(args.device)
    bare = nn.Sequential(*(part for part in parts if not isinstance(part, snn.SpikingNeuron)))
    x, parameters = torch.randn(shape, device=args.device), list(net.parameters())

    def whole(x: Tensor) -> Tensor:
        utils.reset(net)
        spikes: Tensor = snn.unroll(net, x)
        return spikes

    def loop(x: Tensor) -> Tensor:
        utils.reset(net)
        return torch.stack([net(step) for step in x.unbind(0)])

    row: dict[str, Any] = {"what": what, "shape": shape, "dtype": str(x.dtype)}
    row["plan"] = str(snn.plan(net, x))
    row["unroll"] = timed(training(whole, x, parameters), args.device, args.rounds)
    row["loop"] = timed(training(loop, x, parameters), args.device, max(3, args.rounds // 4))
    floor = training(lambda x: bare(x.flatten(0, 1)), x, parameters)
    row["without neurons"] = timed(floor, args.device, args.rounds)
    show(row)
    return row


def show(row: dict[str, Any]) -> None:
    print(row["what"], tuple(row["shape"]), row["dtype"])
    for name, value in row.items():
        if isinstance(value, list):
            print(f"  {name:16} {value[1]:9.3f} ms ({value[0]:.3f} ... {value[2]:.3f})")
        elif isinstance(value, float):
            print(f"  {name:16} {value:9.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--json", type=Path, help="file to write the table to")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--shrink", type=int, default=1, help="divides what a layer has of neurons")
    args = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.manual_seed(0)
    card = torch.cuda.get_device_name() if args.device == "cuda" else "CPU"
    print(f"{card}, torch {torch.__version__}, {time.strftime('%Y-%m-%d')}")
    table = {"card": card, "torch": torch.__version__, "date": time.strftime("%Y-%m-%d")}
    found = {**table, "rows": layers(args) + nets(args)}
    if args.json is not None:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
