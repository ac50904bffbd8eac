"""Population coding on FashionMNIST: more output neurons instead of more time steps.

    python examples/population_coding.py            # Debian's files, or torchvision's in data/
    python examples/population_coding.py --root D   # files in D

In a single time step a neuron fires once or not at all. With one output neuron per class,
two that fire are a tie; the spikes of fifty add up to many degrees of confidence. Trains
both networks and prints their accuracies on the test set, after every epoch and at the end.

The surrogate gradient is wider here (--slope 10, not 25) and the step smaller (--lr 1e-3)
than usual: all that is learned, is learned from the few neurons near their threshold.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from idx import DEBIAN, idx_files
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import snntorch as snn
import snntorch.functional as SF
from snntorch import backprop, surrogate, utils

CLASSES = 10
HIDDEN = 128


def build(pixels: int, outputs: int, slope: float) -> nn.Sequential:
    """Return the network: two fully connected layers, each followed by LIF neurons."""
    spike_grad = surrogate.fast_sigmoid(slope)
    neurons = {"beta": 0.9, "spike_grad": spike_grad, "init_hidden": True}
    return nn.Sequential(
        nn.Linear(pixels, HIDDEN),
        snn.Leaky(**neurons),
        nn.Linear(HIDDEN, outputs),
        snn.Leaky(**neurons, output=True),
    )


@torch.no_grad()
def accuracy(net: nn.Module, data: TensorDataset, population: dict[str, int]) -> float:
    """Return the share of images whose class fires most within one time step."""
    net.eval()
    right = 0.0
    for x, y in DataLoader(data, batch_size=1000):
        utils.reset(net)
        spk, _ = net(x)
        right += SF.accuracy_rate(spk.unsqueeze(0), y, **population) * len(y)
    return float(right) / len(data)


def train(outputs: int, sets: list[TensorDataset], args: argparse.Namespace) -> float:
    """Train a network with so many output neurons; return its test accuracy."""
    train_set, test_set = sets
    torch.manual_seed(args.seed)
    net = build(train_set.tensors[0].shape[1], outputs, args.slope)
    population = {"population_code": outputs > CLASSES, "num_classes": CLASSES}
    # every neuron of the right class should fire, no other
    loss_fn = SF.mse_count_loss(correct_rate=1, incorrect_rate=0, **population)
    optimizer = torch.optim.Adam(net.parameters(), lr=args.lr)
    loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True)
    share = 0.0
    for epoch in range(args.epochs):
        net.train()
        loss = backprop.BPTT(
            net, loader, optimizer, loss_fn, num_steps=1, time_var=False, progress=args.progress
        )
        share = accuracy(net, test_set, population)
        print(
            f"{outputs} output neurons, epoch {epoch + 1}: "
            f"loss {loss:.3f}, test accuracy {100 * share:.2f} %",
            flush=True,
        )
    return share


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--root", type=Path, help=f"folder of IDX files, default: data, else {DEBIAN}"
    )
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--population", type=int, default=500, help="output neurons in all")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--slope", type=float, default=10, help="of the surrogate gradient")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--progress", action="store_true", help="show a progress bar (tqdm)")
    args = parser.parse_args()
    start = time.perf_counter()
    sets = idx_files("fashion", [args.root] if args.root else [Path("data"), DEBIAN])
    print(f"FashionMNIST: {len(sets[0])} images to train on, {len(sets[1])} to test on")
    few, many = (train(outputs, sets, args) for outputs in (CLASSES, args.population))
    print(f"test accuracy with {CLASSES} output neurons: {100 * few:.2f} %")
    print(f"test accuracy with {args.population} output neurons: {100 * many:.2f} %")
    print(f"time: {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
