"""Peak memory of a training step of a deep convolutional net, and what it costs in time.

Ten layers of 32 channels, 32 time steps, a batch of 16. Each way runs in a process of its own,
which tells its peak: what its first step adds to the resident memory of the process, or to what
torch allocates on the device. Steps are timed in rounds, one process after the other, so that all
of them see the same machine.

    $ python benchmarks/memory.py --rounds 5 [--device cuda --size 64]
"""

from __future__ import annotations

import argparse
import contextlib
import math
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

import snntorch as snn
from snntorch import utils
from snntorch._unroll import layout

STEPS, BATCH, CHANNELS, LAYERS = 32, 16, 32, 10
#: By name, whether channels lie first and all steps run at once, whether tensors are saved as they
#: are, and whether layers are run again.
WAYS = {
    "all at once": (True, True, False),
    "all as it is": (False, True, False),
    "spikes as bits": (False, False, False),
    "recompute=True": (False, False, True),
}


def net(norm: bool) -> nn.Sequential:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for channels in (2, *[CHANNELS] * (LAYERS - 1)):
        conv = nn.Conv2d(channels, CHANNELS, 3, padding=1, bias=False)
        nn.init.normal_(conv.weight, 0, 0.1)
        between = [nn.BatchNorm2d(CHANNELS).eval()] if norm else []
        layers += [conv, *between, snn.Leaky(0.9, threshold=0.2, init_hidden=True)]
    head = nn.Linear(CHANNELS, 10), snn.Leaky(0.9, init_hidden=True, output=True)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), *head)


def resident(field: str) -> int:
    """Return VmRSS, or VmHWM: its peak since it was last reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def train(model: nn.Sequential, x: torch.Tensor, way: str) -> float:
    """Run one step; returns what tells that all ways compute the same."""
    first, as_it_is, recompute = WAYS[way]
    if first:
        layout.runs_onednn, layout.LARGE = (lambda: False), sys.maxsize
    utils.reset(model)
    model.zero_grad()
    same = torch.autograd.graph.saved_tensors_hooks(lambda one: one, lambda one: one)
    with same if as_it_is else contextlib.nullcontext():
        _, mem = snn.unroll(model, x, recompute=recompute)
    mem.square().mean().backward()
    grad = model[0].weight.grad
    assert isinstance(grad, torch.Tensor)
    return float(grad.double().sum())


def peak(model: nn.Sequential, x: torch.Tensor, way: str) -> tuple[int, float]:
    """Return what the first step adds to memory, and its checksum."""
    if x.is_cuda:
        before = torch.cuda.memory_allocated()
        checksum = train(model, x, way)
        return torch.cuda.max_memory_allocated() - before, checksum
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = resident("VmRSS")
    checksum = train(model, x, way)
    return resident("VmHWM") - before, checksum


def child(way: str, size: int, norm: bool, device: str) -> None:
    """Print the peak and the checksum, then the seconds of a step for each line that comes."""
    torch.backends.cudnn.deterministic = True
    model = net(norm).to(device)
    x = (torch.rand(STEPS, BATCH, 2, size, size) < 0.3).float().to(device)
    added, checksum = peak(model, x, way)
    print(added, repr(checksum), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        train(model, x, way)  # its checksum waits for the device
        print(time.perf_counter() - start, flush=True)


def measure(size: int, norm: bool, rounds: int, device: str) -> None:
    command = [sys.executable, __file__, "--size", str(size), "--device", device]
    command += [*["--norm"] * norm, "--child"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with contextlib.ExitStack() as stack:
        runs, peaks, sums = {}, {}, {}
        for way in WAYS:  # one after the other, as peaks of all at once may not fit
            runs[way] = stack.enter_context(subprocess.Popen([*command, way], **pipes))
            peaks[way], sums[way] = runs[way].stdout.readline().split()
        assert sums["all as it is"] == sums["spikes as bits"], f"gradients differ: {sums}"
        # sums of other orders are rounded otherwise, and may move a spike
        first = float(sums["all at once"])
        assert all(math.isclose(float(one), first, rel_tol=0.1) for one in sums.values()), sums
        times: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way, run in runs.items():
                run.stdin.write("\n")
                run.stdin.flush()
                times[way].append(float(run.stdout.readline()))
    base = times["all as it is"]
    print(f"{LAYERS} layers{' with BatchNorm in eval()' if norm else ''}, {size} x {size} pixels")
    for way in WAYS:
        ratios = [one / two for one, two in zip(times[way], base, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        added, share = int(peaks[way]) / 1e6, int(peaks[way]) / int(peaks["all as it is"])
        spread = f"{middle:.2f} ({low:.2f} ... {high:.2f}) of the time"
        print(f"  {way:16}{added:6.0f} MB, {share:.2f} of the memory, {spread}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size", type=int, default=24)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--norm", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--child", choices=WAYS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child, args.size, args.norm, args.device)
        return
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {args.rounds} rounds")
    for norm in (False, True):
        measure(args.size, norm, args.rounds, args.device)


if __name__ == "__main__":
    main()
