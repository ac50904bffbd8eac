"""Cost of ``spikegen.rate`` against ``torch.bernoulli`` on the finished tensor.

Run ``python benchmarks/spikegen.py``. The finished tensor, [100, 128, 1, 28, 28], holds
the repeated data already; what is timed of it is the drawing alone. All candidates run
once in every round, in random order, so that a busy machine slows them all alike.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable

import torch

from snntorch import spikegen

Candidates = dict[str, Callable[[], torch.Tensor]]


def candidates(num_steps: int, shape: tuple[int, ...], device: str) -> Candidates:
    data = torch.rand(shape, device=device)
    finished = data.expand(num_steps, *shape).contiguous()
    return {
        "torch.bernoulli(finished)": lambda: torch.bernoulli(finished),
        "rate(data, num_steps)": lambda: spikegen.rate(data, num_steps),
        "rate(gain, offset, first)": lambda: spikegen.rate(data, num_steps, 0.5, 0.1, 5),
        "rate(finished, time_var_input)": lambda: spikegen.rate(finished, time_var_input=True),
        "rate_conv(finished)": lambda: spikegen.rate_conv(finished),
    }


def seconds(function: Callable[[], torch.Tensor], device: str) -> float:
    start = time.perf_counter()
    function()
    if device != "cpu":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def measure(runs: Candidates, rounds: int, device: str) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in runs}
    order = list(runs)
    for name in order:
        seconds(runs[name], device)  # warm up
    for _ in range(rounds):
        random.shuffle(order)
        for name in order:
            times[name].append(seconds(runs[name], device))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--num-steps", type=int, default=100)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    random.seed(0)
    torch.manual_seed(0)
    shape = (args.batch, 1, 28, 28)
    times = measure(candidates(args.num_steps, shape, args.device), args.rounds, args.device)
    base = times["torch.bernoulli(finished)"]
    print(f"torch {torch.__version__}, {args.device}, {torch.get_num_threads()} threads")
    print(f"{list(shape)} x {args.num_steps} steps, {args.rounds} rounds; limit of rate: 1.30")
    print(f"{'':32}{'median ms':>10}{'quartiles ms':>18}{'ratio':>8}")
    for name, values in times.items():
        low, median, high = statistics.quantiles(values, n=4)
        # The ratio within each round cancels what slows both.
        ratio = statistics.median(v / b for v, b in zip(values, base, strict=True))
        spread = f"{low * 1e3:.1f} - {high * 1e3:.1f}"
        print(f"{name:32}{median * 1e3:10.1f}{spread:>18}{ratio:8.2f}")


if __name__ == "__main__":
    main()
