"""Train a spiking network on handwritten digits, in under a minute on two CPU cores.

    python examples/quickstart.py                        # scikit-learn's 1,797 digits
    python examples/quickstart.py --data mnist --root D  # torchvision-format files in D

Pixels become spike trains (rate code), two layers of leaky integrate-and-fire neurons
count, and the output neuron that fires most often names the digit. Writes the checkpoint
and a figure of one digit into ``--out`` and prints the accuracy on held-out digits.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from idx import FOLDERS, idx_files
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm

import snntorch as snn
import snntorch.functional as SF
import snntorch.spikeplot as splt
from snntorch import spikegen, surrogate, utils

mpl.use("Agg")
import matplotlib.pyplot as plt


def digits() -> list[TensorDataset]:
    """Return scikit-learn's 8 x 8 digits: 1,437 to train on and 360 held out."""
    bunch = load_digits()
    parts = train_test_split(
        bunch.data / 16, bunch.target, test_size=0.2, stratify=bunch.target, random_state=0
    )
    x_train, x_test, y_train, y_test = (torch.from_numpy(np.asarray(part)) for part in parts)
    return [TensorDataset(x_train.float(), y_train), TensorDataset(x_test.float(), y_test)]


def build(pixels: int, hidden: int) -> nn.Sequential:
    """Return the network: two fully connected layers, each followed by LIF neurons."""
    spike_grad = surrogate.fast_sigmoid(slope=10)
    return nn.Sequential(
        nn.Linear(pixels, hidden),
        snn.Leaky(beta=0.95, spike_grad=spike_grad, init_hidden=True),
        nn.Dropout(0.5),
        nn.Linear(hidden, 10),
        snn.Leaky(beta=0.95, spike_grad=spike_grad, init_hidden=True, output=True),
    )


def run(net: nn.Module, spikes: Tensor) -> tuple[Tensor, Tensor]:
    """Run the network over spikes [T, B, pixels]; return its spikes and membranes."""
    utils.reset(net)
    spk, mem = snn.unroll(net, spikes)
    return spk, mem


@torch.no_grad()
def accuracy(net: nn.Module, data: TensorDataset, num_steps: int, seed: int) -> float:
    """Return the share of digits whose neuron fires most often."""
    generator = torch.Generator().manual_seed(seed)
    net.eval()
    right = 0.0
    for x, y in DataLoader(data, batch_size=256):
        spk, _ = run(net, spikegen.rate(x, num_steps, generator=generator))
        right += SF.accuracy_rate(spk, y) * len(y)
    return float(right) / len(data)


def train(net: nn.Module, data: TensorDataset, args: argparse.Namespace) -> None:
    """Train by surrogate gradients through time."""
    # the right neuron should fire in 80 % of the steps, the others in 20 %
    loss_fn = SF.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2)
    optimizer = torch.optim.Adam(net.parameters(), lr=args.lr)
    loader = DataLoader(data, batch_size=args.batch_size, shuffle=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=args.lr, total_steps=args.epochs * len(loader)
    )
    steps = args.epochs * len(loader)
    with tqdm(total=steps, desc="training", unit="batch", disable=None) as bar:
        for epoch in range(args.epochs):
            net.train()
            for x, y in loader:
                spk, _ = run(net, spikegen.rate(x, args.num_steps))
                loss = loss_fn(spk, y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                bar.update()
            bar.set_postfix(epoch=epoch + 1, loss=f"{loss.item():.3f}")


@torch.no_grad()
def figure(net: nn.Sequential, x: Tensor, label: int, num_steps: int, path: Path) -> None:
    """Draw one digit's way through the network."""
    generator = torch.Generator().manual_seed(0)
    spikes = spikegen.rate(x[None], num_steps, generator=generator)
    hidden: list[Tensor] = []
    hook = net[1].register_forward_hook(lambda _m, _i, spk: hidden.append(spk))
    net.eval()
    spk, mem = run(net, spikes)
    hook.remove()
    side = int(len(x) ** 0.5)
    threshold = float(net[-1].threshold)
    with splt.style():
        fig, axes = plt.subplots(2, 3, figsize=(12, 6), layout="constrained")
        (image, raster_in, raster_hidden), (traces, raster_out, bars) = axes
        image.imshow(x.reshape(side, side).numpy(), cmap="gray_r")
        image.axis("off")
        splt.raster(spikes[:, 0], raster_in)
        splt.raster(torch.stack(hidden)[:, 0], raster_hidden)
        splt.raster(spk[:, 0], raster_out)
        height = float(mem.max()) + threshold
        splt.traces(mem[:, 0], spk[:, 0], spk_height=height, threshold=threshold, ax=traces)
        splt.spike_count(spk[:, 0], fig, bars, labels=[str(digit) for digit in range(10)])
        titles = ["input spikes", "hidden spikes", "output membranes and thresholds"]
        titles = [f"digit {label}", *titles, "output spikes", "spike counts decide"]
        for ax, title in zip(axes.flat, titles, strict=True):
            ax.set_title(title)
    fig.savefig(path, dpi=120)
    plt.close(fig)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=("digits", *FOLDERS), default="digits")
    parser.add_argument("--root", type=Path, default=Path("data"), help="folder of IDX files")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder to write to")
    parser.add_argument("--epochs", type=int, help="default: 30 for digits, else 1")
    parser.add_argument("--num-steps", type=int, default=25)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.epochs is None:
        args.epochs = 30 if args.data == "digits" else 1
    start = time.perf_counter()
    if args.data == "digits":
        train_set, test_set = digits()
    else:
        hint = ", or leave --data out to use scikit-learn's digits"
        train_set, test_set = idx_files(args.data, [args.root], hint)
    torch.manual_seed(args.seed)
    net = build(train_set.tensors[0].shape[1], args.hidden)
    train(net, train_set, args)
    args.out.mkdir(parents=True, exist_ok=True)
    saved, new = args.out / "quickstart.pt", args.out / "quickstart.pt.new"
    torch.save(net.state_dict(), new)
    new.replace(saved)  # at once: a full disk leaves the old one
    x, y = test_set[0]
    figure(net, x, int(y), args.num_steps, args.out / "quickstart.png")
    share = accuracy(net, test_set, args.num_steps, args.seed)
    print(f"test accuracy: {100 * share:.2f} % of {len(test_set)} held-out digits")
    print(f"time: {time.perf_counter() - start:.0f} s")
    print(f"wrote {saved} and {args.out / 'quickstart.png'}")


if __name__ == "__main__":
    main()
