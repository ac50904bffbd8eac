"""Adding: of a sequence of numbers, add the two that are marked.

At each step come a number from 0 to 1 and a mark, which is 1 at one step of each half of the
sequence and 0 at all others. The answer is the membrane of a neuron that never fires, after the
last step; it is right within 0.1.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from recurrent import rleaky, slstm
from torch import Tensor, nn
from training import Part, Recipe, Sets, Size

STEPS = 30
#: How far from the sum a right answer may be.
TOLERANCE = 0.1


def sequences(number: int, seed: int) -> Part:
    """Return numbers and marks, [N, time, 2], and the sums, [N, 1]."""
    drawn = torch.Generator().manual_seed(seed)
    numbers = torch.rand(number, STEPS, generator=drawn)
    first, second = torch.randint(STEPS // 2, (2, number), generator=drawn)
    marks = torch.zeros(number, STEPS)
    every = torch.arange(number)
    marks[every, first] = marks[every, STEPS // 2 + second] = 1
    return Part(torch.stack([numbers, marks], 2), (numbers * marks).sum(1, keepdim=True))


def data(size: Size) -> Sets:
    return Sets(sequences(size.samples or 20_000, 0), sequences(1000, 1), sequences(2000, 2))


def loss(spk: Tensor, mem: Tensor, y: Tensor) -> Tensor:
    return nn.functional.mse_loss(mem[-1], y)


def right(spk: Tensor, mem: Tensor, y: Tensor) -> Tensor:
    return ((mem[-1] - y).abs() < TOLERANCE).squeeze(1)


def recipe(name: str, about: str, net: Callable[[int, int, int], nn.Sequential]) -> Recipe:
    return Recipe(
        name=name,
        about=about,
        data=data,
        net=lambda width: net(2, width, 1),
        loss=loss,
        right=right,
        chance=1 - (1 - TOLERANCE) ** 2,
        sizes={
            "tiny": Size(epochs=1, seeds=1, width=16, samples=200),
            "small": Size(epochs=12, seeds=3, width=64),
            "nightly": Size(epochs=40, seeds=5, width=128),
        },
    )


RECIPES = (
    recipe("adding-rleaky", "2-{width}-1, RLeaky, 30 steps", rleaky),
    recipe("adding-slstm", "2-{width}-1, SLSTM, 30 steps", slstm),
)
