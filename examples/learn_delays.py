"""Coincidences that weights alone cannot detect, and learned delays can.

    python examples/learn_delays.py

Eight channels fire once each, at lags that tell the class: each of four classes has its own
pattern of lags, which begins at a random time. Output neurons have no memory (beta=0), so only
spikes that arrive at the same step add up. In every channel all times are equally likely for every
class, and no two spikes of a pattern coincide: without delays there is nothing for weights to tell
the classes by. A delay for each connection can line one pattern up, so that its spikes arrive
together.

Trains the same net with and without delays (Hammouamri, Khalfaoui-Hassani, Masquelier 2024): a wide
Gaussian window that narrows while it learns. Prints the accuracy on patterns of other beginnings.
"""

from __future__ import annotations

import argparse
import time

import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch import utils

CLASSES, CHANNELS, LONGEST = 4, 8, 15


def patterns(seed: int) -> Tensor:
    """Return the lags of each class, (classes, channels): no two of a pattern are equal."""
    generator = torch.Generator().manual_seed(seed)
    rows = [torch.randperm(LONGEST + 1, generator=generator)[:CHANNELS] for _ in range(CLASSES)]
    return torch.stack(rows)


def samples(lags: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return spikes (time, samples, channels) on a ring of time, and the classes."""
    steps = 2 * (LONGEST + 1)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    begin = torch.randint(steps, (count, 1), generator=generator)
    times = (begin + lags[labels]) % steps
    # the ring once more: what a delay would take from before the first step is there
    once = torch.zeros(steps, count, CHANNELS).scatter_(0, times[None], 1.0)
    return torch.cat([once, once]), labels


class Net(nn.Module):
    """A weight and a delay for each connection, then coincidence detectors."""

    def __init__(self, learn_delay: bool) -> None:
        super().__init__()
        layer = nn.Linear(CHANNELS, CLASSES, bias=False)
        nn.init.constant_(layer.weight, 0.5)
        self.late = (
            snn.SynapticDelay(
                LONGEST,
                torch.rand(CLASSES, CHANNELS) * LONGEST,
                learn_delay=True,
                kernel="gaussian",
                sigma=5,
                synapses=layer,
            )
            if learn_delay
            else snn.SynapticDelay(LONGEST, 0.0, synapses=layer)
        )
        self.lif = snn.Leaky(beta=0.0, threshold=torch.inf, init_hidden=True, output=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return the highest membrane potential of each output in the ring's second turn."""
        utils.reset(self)
        _, mem = snn.unroll(self.lif, self.late.unroll(x))
        return mem[len(mem) // 2 :].amax(0)


def accuracy(net: Net, lags: Tensor, seed: int) -> float:
    """Return the share of 1000 samples whose output was excited most."""
    x, y = samples(lags, 1000, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return float((net(x).argmax(1) == y).float().mean())


def train(net: Net, lags: Tensor, args: argparse.Namespace) -> None:
    """Train by gradients of weights and delays, and narrow the window."""
    late = net.late
    of_delays = [one for name, one in late.named_parameters() if name == "delay"]
    groups = [{"params": late.synapses.parameters(), "lr": 0.02}]
    groups += [{"params": of_delays, "lr": 0.2}] if of_delays else []
    optimizer = torch.optim.Adam(groups)
    generator = torch.Generator().manual_seed(args.seed)
    for _ in range(args.updates):
        x, y = samples(lags, 64, generator)
        loss = nn.functional.cross_entropy(4 * net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if late.kernel == "gaussian":
            late.sigma.mul_((0.4 / 5) ** (1 / args.updates))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--updates", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    lags = patterns(args.seed)
    for name, learn_delay in (("weights alone", False), ("weights and delays", True)):
        start = time.perf_counter()
        torch.manual_seed(args.seed)
        net = Net(learn_delay)
        train(net, lags, args)
        share = accuracy(net, lags, args.seed + 1)
        seconds = time.perf_counter() - start
        print(f"{name}: test accuracy {100 * share:.1f} %, {seconds:.0f} s")


if __name__ == "__main__":
    main()
