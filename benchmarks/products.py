"""Linear layers that take spikes: sums of those that fired, beside products of all numbers.

First one layer, forward and backward, by how many neurons fire; then a training step of nets whose
layers are Linear and Leaky, by ``unroll``. Both ways run in turn in each round, after a call that
does not count; a ratio is of the time of a product of all numbers, with quartiles.

    python benchmarks/products.py [--rounds 9] [--threads 1]
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from unittest import mock

import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch import utils
from snntorch._unroll import products

#: Rows, inputs and outputs of a layer, and the shares of neurons that fire.
LAYERS = ((3200, 1000, 10), (3200, 784, 1000), (1600, 512, 512), (50_000, 128, 128))
SHARES = (0.02, 0.05, 0.1)
#: Widths of a net, steps, batch, and whether its input is spikes of one in ten.
NETS = (
    ((784, 1000, 10), 25, 128, False),
    ((784, 1000, 10), 25, 128, True),
    ((784, 1000, 1000, 10), 25, 128, False),
    ((512, 512, 512, 512), 100, 32, True),
)


def layer(rows: int, size: int, columns: int, share: float) -> Callable[[], None]:
    x = (torch.rand(rows, size) < share).float()
    made, grad = nn.Linear(size, columns), torch.randn(rows, columns)

    def run() -> None:
        out = products.linear(x, made.weight, made.bias)
        out = made(x) if out is None else out
        torch.autograd.grad(out, (made.weight, made.bias), grad)

    return run


def net(widths: tuple[int, ...], steps: int, batch: int, spikes: bool) -> Callable[[], None]:
    layers: list[nn.Module] = []
    for size, columns in itertools.pairwise(widths):
        layers += [nn.Linear(size, columns), snn.Leaky(0.9, init_hidden=True)]
    model = nn.Sequential(*layers)
    x = torch.rand(batch, widths[0])
    every: Tensor | None = (torch.rand(steps, *x.shape) < 0.1).float() if spikes else None

    def run() -> None:
        utils.reset(model)
        out = snn.unroll(model, x, num_steps=steps) if every is None else snn.unroll(model, every)
        out.sum().backward()

    return run


@contextlib.contextmanager
def all_numbers() -> Iterator[None]:
    with mock.patch.object(products, "LEAST", sys.maxsize):
        yield


def seconds(run: Callable[[], None]) -> float:
    run()
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def compare(name: str, run: Callable[[], None], rounds: int) -> None:
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(seconds(run))
        with all_numbers():
            theirs.append(seconds(run))
    ratios = [two / one for one, two in zip(ours, theirs, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    took = f"{1e3 * statistics.median(ours):7.1f} ms"
    print(f"{name:44}{took}   {middle:.1f} ({low:.1f} ... {high:.1f})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    print(f"torch {torch.__version__}, {args.threads} threads, {args.rounds} rounds")
    for rows, size, columns in LAYERS:
        for share in SHARES:
            name = f"{rows} rows, {size} to {columns}, {share:.0%} fire"
            compare(name, layer(rows, size, columns, share), args.rounds)
    for widths, steps, batch, spikes in NETS:
        what = "spikes" if spikes else "one input"
        name = f"{'-'.join(map(str, widths))}, T={steps}, {batch} x {what}"
        compare(name, net(widths, steps, batch, spikes), args.rounds)


if __name__ == "__main__":
    main()
