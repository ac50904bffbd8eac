"""FashionMNIST: 70,000 pictures of clothes, 28 x 28 pixels, in ten classes.

The files are those of the Debian package dataset-fashion-mnist, or torchvision's in ``data``.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import Tensor, nn
from training import Part, Recipe, Sets, Size

import snntorch as snn
import snntorch.functional as SF
from snntorch import surrogate

sys.path.append(str(Path(__file__).resolve().parents[1] / "examples"))
from idx import DEBIAN, idx_files

NEURONS = {
    "beta": 0.9,
    "threshold": 0.5,
    "spike_grad": surrogate.fast_sigmoid(slope=5),
    "init_hidden": True,
}
MISSING = (
    "the files of FashionMNIST are missing: type `sudo apt install dataset-fashion-mnist`, or put "
    "torchvision's (or the four files train-images-idx3-ubyte.gz, ...) into data/."
)
POPULATION = {"population_code": True, "num_classes": 10}


def data(size: Size) -> Sets:
    """Return the usual test images, and the last 5,000 of those to train on as validation."""
    try:
        files = idx_files("fashion", [Path("data"), DEBIAN])
    except SystemExit as missing:
        raise FileNotFoundError(MISSING) from missing
    train, test = (Part(*part.tensors) for part in files)
    held_out = min(5000, len(train.y) // 5)
    kept = slice(0, min(size.samples or len(train.y), len(train.y) - held_out))
    valid = Part(train.x[-held_out:], train.y[-held_out:])
    return Sets(Part(train.x[kept], train.y[kept]), valid, test)


def dense(width: int, outputs: int = 10) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(784, width),
        snn.Leaky(**NEURONS),
        nn.Linear(width, outputs),
        snn.Leaky(**NEURONS, output=True),
    )


def conv(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, width, 5),
        nn.MaxPool2d(2),
        snn.Leaky(**NEURONS),
        nn.Conv2d(width, 2 * width, 5),
        nn.MaxPool2d(2),
        snn.Leaky(**NEURONS),
        nn.Flatten(),
        nn.Linear(2 * width * 4 * 4, 10),
        snn.Leaky(**NEURONS, output=True),
    )


def right(spk: Tensor, mem: Tensor, y: Tensor) -> Tensor:
    return spk.sum(0).argmax(1) == y


def rates_loss(spk: Tensor, mem: Tensor, y: Tensor) -> Tensor:
    return SF.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2)(spk, y)


def counts_loss(spk: Tensor, mem: Tensor, y: Tensor) -> Tensor:
    return SF.ce_count_loss()(spk, y)


def population_right(spk: Tensor, mem: Tensor, y: Tensor) -> Tensor:
    return spk.sum(0).unflatten(1, (10, -1)).sum(2).argmax(1) == y


def population_loss(spk: Tensor, mem: Tensor, y: Tensor) -> Tensor:
    return SF.mse_count_loss(correct_rate=1, incorrect_rate=0, **POPULATION)(spk, y)


SHARED = {"data": data, "chance": 0.1, "batch_size": 128}
TINY = Size(epochs=1, seeds=1, width=16, samples=500)
RECIPES = (
    Recipe(
        name="fashion-dense",
        about="784-{width}-10, Leaky, 10 steps",
        net=dense,
        loss=rates_loss,
        right=right,
        num_steps=10,
        lr=2e-3,
        sizes={
            "tiny": TINY,
            "small": Size(epochs=8, seeds=3, width=256),
            "nightly": Size(epochs=20, seeds=5, width=1000),
        },
        **SHARED,
    ),
    Recipe(
        name="fashion-conv",
        about="{width}C5-MP2-{twice}C5-MP2-10, Leaky, 5 steps",
        net=conv,
        loss=counts_loss,
        right=right,
        num_steps=5,
        lr=3e-3,
        sizes={
            "tiny": replace(TINY, width=2),
            "small": Size(epochs=4, seeds=3, width=12),
            "nightly": Size(epochs=15, seeds=5, width=32),
        },
        **SHARED,
    ),
    Recipe(
        name="fashion-population",
        about="784-{width}-500, Leaky, 1 step",
        net=partial(dense, outputs=500),
        loss=population_loss,
        right=population_right,
        num_steps=1,
        lr=1e-3,
        sizes={
            "tiny": TINY,
            "small": Size(epochs=8, seeds=3, width=128),
            "nightly": Size(epochs=20, seeds=5, width=512),
        },
        **SHARED,
    ),
)
