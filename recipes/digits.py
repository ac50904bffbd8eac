"""Digits: scikit-learn's 1,797 handwritten digits of 8 x 8 pixels, by the spikes of ten neurons."""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from training import Part, Recipe, Sets, Size

import snntorch as snn
import snntorch.functional as SF
from snntorch import surrogate


def data(size: Size) -> Sets:
    bunch = load_digits()
    x, y = torch.from_numpy(bunch.data / 16).float(), torch.from_numpy(bunch.target)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    parts = order.split([1077, 360, 360])
    train, valid, test = (Part(x[rows], y[rows]) for rows in parts)
    return Sets(Part(train.x[: size.samples], train.y[: size.samples]), valid, test)


def net(width: int) -> nn.Sequential:
    neurons = {"beta": 0.9, "spike_grad": surrogate.fast_sigmoid(slope=10), "init_hidden": True}
    return nn.Sequential(
        nn.Linear(64, width),
        snn.Leaky(**neurons),
        nn.Dropout(0.3),
        nn.Linear(width, 10),
        snn.Leaky(**neurons, output=True),
    )


def loss(spk: Tensor, mem: Tensor, y: Tensor) -> Tensor:
    return SF.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2)(spk, y)


def right(spk: Tensor, mem: Tensor, y: Tensor) -> Tensor:
    return spk.sum(0).argmax(1) == y


RECIPES = (
    Recipe(
        name="digits",
        about="64-{width}-10, Leaky, 20 steps",
        data=data,
        net=net,
        loss=loss,
        right=right,
        chance=0.1,
        num_steps=20,
        sizes={
            "tiny": Size(epochs=10, seeds=1, width=64, samples=300),
            "small": Size(epochs=30, seeds=5, width=128),
            "nightly": Size(epochs=60, seeds=10, width=512),
        },
    ),
)
