"""Store and recall: keep a symbol over a pause full of others, until asked for it.

In each slot of four steps one of four groups of input neurons fires: a symbol. Another group fires
beside the one to keep. In the last slot, one to eleven slots later, a last group asks for it, and
the net answers: by the output neuron whose membrane is the highest, on average over that slot.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from recurrent import alif, leaky, rleaky, rsynaptic, slstm
from torch import Tensor, nn
from training import Part, Recipe, Sets, Size

SYMBOLS, SLOTS, STEPS, GROUP = 4, 12, 4, 5
INPUTS = (SYMBOLS + 2) * GROUP
#: Chance that an input neuron fires in a step, when its group is on and when it is off.
ON, OFF = 0.6, 0.02


def sequences(number: int, seed: int) -> Part:
    """Return spikes, [N, time, inputs], and the symbol that each asks for."""
    drawn = torch.Generator().manual_seed(seed)
    symbols = torch.randint(SYMBOLS, (number, SLOTS), generator=drawn)
    # in any slot but the last one, which asks
    stored = torch.randint(SLOTS - 1, (number,), generator=drawn)
    on = torch.zeros(number, SLOTS, SYMBOLS + 2)
    on.scatter_(2, symbols[..., None], 1.0)
    every = torch.arange(number)
    on[every, stored, SYMBOLS] = 1
    on[:, -1, :SYMBOLS] = 0
    on[:, -1, SYMBOLS + 1] = 1
    rate = OFF + (ON - OFF) * on.repeat_interleave(STEPS, 1).repeat_interleave(GROUP, 2)
    spikes = torch.bernoulli(rate, generator=drawn)
    return Part(spikes.to(torch.uint8), symbols[every, stored])


def data(size: Size) -> Sets:
    return Sets(sequences(size.samples or 10_000, 0), sequences(1000, 1), sequences(2000, 2))


def loss(spk: Tensor, mem: Tensor, y: Tensor) -> Tensor:
    return nn.functional.cross_entropy(mem[-STEPS:].mean(0), y)


def right(spk: Tensor, mem: Tensor, y: Tensor) -> Tensor:
    return mem[-STEPS:].mean(0).argmax(1) == y


def recipe(name: str, about: str, net: Callable[[int, int, int], nn.Sequential]) -> Recipe:
    return Recipe(
        name=name,
        about=about,
        data=data,
        net=lambda width: net(INPUTS, width, SYMBOLS),
        loss=loss,
        right=right,
        chance=1 / SYMBOLS,
        sizes={
            "tiny": Size(epochs=1, seeds=1, width=16, samples=200),
            "small": Size(epochs=10, seeds=3, width=64),
            "nightly": Size(epochs=40, seeds=5, width=128),
        },
    )


RECIPES = (
    recipe("store-recall-leaky", "30-{width}-4, Leaky, 48 steps", leaky),
    recipe("store-recall-alif", "30-{width}-4, ALIF, 48 steps", alif),
    recipe("store-recall-rleaky", "30-{width}-4, RLeaky, 48 steps", rleaky),
    recipe("store-recall-rsynaptic", "30-{width}-4, RSynaptic, 48 steps", rsynaptic),
    recipe("store-recall-slstm", "30-{width}-4, SLSTM, 48 steps", slstm),
)
