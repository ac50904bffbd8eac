"""Events: in which of eight directions do dots drift, seen by a camera that sees changes alone.

Dots on a torus of 12 x 12 pixels drift by one pixel per step. Three of ten are missed at each
step, and one pixel of thirty fires without a cause. A single step tells nothing of the direction,
and the events of all steps, added up, tell the line but not the way along it: that is told by
which pixel fires after which.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from training import Part, Recipe, Sets, Size

import snntorch as snn
from snntorch import surrogate

STEPS, SIDE = 16, 12
DENSITY, SEEN, NOISE = 0.08, 0.7, 1 / 30
DIRECTIONS = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]


def films(number: int, seed: int) -> Part:
    """Return events, [N, time, 1, height, width], and directions."""
    drawn = torch.Generator().manual_seed(seed)
    directions = torch.randint(len(DIRECTIONS), (number,), generator=drawn)
    dots = torch.rand(number, SIDE, SIDE, generator=drawn) < DENSITY
    shape = (number, STEPS, SIDE, SIDE)
    seen, noise = (torch.rand(shape, generator=drawn) < rate for rate in (SEEN, NOISE))
    moved = torch.empty(shape, dtype=torch.bool)
    for label, shift in enumerate(DIRECTIONS):
        rows = directions == label
        for step in range(STEPS):
            moved[rows, step] = dots[rows].roll([step * s for s in shift], (1, 2))
    return Part((moved & seen | noise).to(torch.uint8).unsqueeze(2), directions)


def data(size: Size) -> Sets:
    return Sets(films(size.samples or 4000, 0), films(1000, 1), films(2000, 2))


def net(width: int) -> nn.Sequential:
    """Return a net whose neurons remember over few steps or over many, in equal parts."""
    neurons = {
        "beta": torch.linspace(0, 0.9, width).view(-1, 1, 1),
        "threshold": 0.3,
        "spike_grad": surrogate.fast_sigmoid(slope=5),
        "init_hidden": True,
        "learn_beta": True,
    }
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1),
        snn.Leaky(**neurons),
        nn.Conv2d(width, width, 3, padding=1),
        snn.Leaky(**neurons),
        nn.AvgPool2d(SIDE),
        nn.Flatten(),
        nn.Linear(width, len(DIRECTIONS)),
        snn.Leaky(beta=0.9, reset_mechanism="none", init_hidden=True, output=True),
    )


def loss(spk: Tensor, mem: Tensor, y: Tensor) -> Tensor:
    return nn.functional.cross_entropy(mem[-1], y)


def right(spk: Tensor, mem: Tensor, y: Tensor) -> Tensor:
    return mem[-1].argmax(1) == y


RECIPES = (
    Recipe(
        name="events",
        about="{width}C3-{width}C3-AP12-8, Leaky, 16 steps",
        data=data,
        net=net,
        loss=loss,
        right=right,
        chance=1 / len(DIRECTIONS),
        sizes={
            "tiny": Size(epochs=1, seeds=1, width=4, samples=200),
            "small": Size(epochs=10, seeds=3, width=16),
            "nightly": Size(epochs=30, seeds=5, width=32),
        },
        lr=1e-2,
    ),
)
