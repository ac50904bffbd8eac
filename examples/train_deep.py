"""Ten spiking layers on handwritten digits: silent with PyTorch's start values, not with ours.

    python examples/train_deep.py

A neuron whose membrane stays far below its threshold neither fires nor learns, and what the
fifth layer does not send the tenth does not get. Weights that let membranes fluctuate up to the
threshold keep every layer firing from the start (Rossbroich, Gygax, Zenke 2022). Trains the same
net with both and prints how often the neurons of each layer fire before training, and the
accuracy after it.
"""

from __future__ import annotations

import argparse
import time

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import snntorch as snn
from snntorch import spikegen, surrogate, utils
from snntorch.weight_init import fluctuation_driven_centered_normal_


def build(args: argparse.Namespace, fluctuating: bool) -> nn.Sequential:
    """Return ten layers of LIF neurons and one that only integrates."""
    neuron = {"beta": 0.9, "spike_grad": surrogate.fast_sigmoid(10), "init_hidden": True}
    layers: list[nn.Module] = []
    for depth in range(args.depth):
        layers += [nn.Linear(args.hidden if depth else 64, args.hidden), snn.Leaky(**neuron)]
    read = snn.Leaky(beta=0.9, threshold=torch.inf, init_hidden=True, output=True)
    net = nn.Sequential(*layers, nn.Linear(args.hidden, 10), read)
    if fluctuating:
        for layer, lif in zip(layers[::2], layers[1::2], strict=True):
            fluctuation_driven_centered_normal_(layer.weight, lif, args.rate, args.xi)
            nn.init.zeros_(layer.bias)
    return net


@torch.no_grad()
def rates(net: nn.Sequential, spikes: Tensor) -> list[float]:
    """Return the share of steps in which the neurons of each hidden layer fire."""
    found = []
    for layer, lif in zip(net[:-2:2], net[1:-2:2], strict=True):
        spikes = snn.unroll(lif, layer(spikes))
        found.append(float(spikes.mean()))
    utils.reset(net)
    return found


def run(net: nn.Sequential, x: Tensor, steps: int) -> Tensor:
    """Return the mean membrane potential of each output, (batch, classes)."""
    utils.reset(net)
    return snn.unroll(net, spikegen.rate(x, steps), record="mem").mean(0)


def train(net: nn.Sequential, x: Tensor, y: Tensor, args: argparse.Namespace) -> None:
    """Train by surrogate gradients through time."""
    optimizer = torch.optim.Adam(net.parameters(), lr=args.lr)
    for _ in range(args.epochs):
        for rows in torch.randperm(len(x)).split(64):
            loss = nn.functional.cross_entropy(run(net, x[rows], args.num_steps), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--depth", type=int, default=10, help="hidden layers")
    parser.add_argument("--hidden", type=int, default=128, help="neurons in each")
    parser.add_argument("--rate", type=float, default=0.05, help="expected spikes per step")
    parser.add_argument("--xi", type=float, default=1.0, help="deviations up to the threshold")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--num-steps", type=int, default=20)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    digits = load_digits()
    torch.manual_seed(args.seed)
    order = torch.randperm(len(digits.target))
    x = torch.tensor(digits.data, dtype=torch.float32)[order] / 16
    y = torch.tensor(digits.target)[order]
    for name in ("PyTorch's start values", "fluctuation-driven"):
        start = time.perf_counter()
        torch.manual_seed(args.seed)
        net = build(args, fluctuating=name != "PyTorch's start values")
        before = rates(net, spikegen.rate(x[:256], args.num_steps))
        fire = " ".join(f"{rate:.3f}" for rate in before)
        print(f"{name}: each layer fires in {fire} of the steps")
        train(net, x[360:], y[360:], args)
        with torch.no_grad():
            right = (run(net, x[:360], args.num_steps).argmax(1) == y[:360]).float().mean()
        print(f"{name}: test accuracy {100 * right:.1f} %, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
