"""What the recipes share: what a recipe is made of, and the loop that trains its net."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch import utils


class Part(NamedTuple):
    """Samples, [N, ...] or [N, time, ...], and what each should be answered by."""

    x: Tensor
    y: Tensor


class Sets(NamedTuple):
    """Three parts that share no sample: to learn from, to choose the epoch by, to report."""

    train: Part
    valid: Part
    test: Part


@dataclass(frozen=True)
class Size:
    """How much of a recipe runs.

    Attributes:
        epochs: How often each training sample is seen.
        seeds: How many nets are trained, from the seeds 0, 1, ...
        width: Size of the hidden layers.
        samples: Number of training samples at most.
    """

    epochs: int
    seeds: int
    width: int
    samples: int | None = None


@dataclass(frozen=True)
class Recipe:
    """A net, what it learns from, and how.

    Attributes:
        name: What the command line calls it.
        about: The layers of the net, of a ``width`` and ``twice`` that.
        data: Returns the three parts, those to choose and to report by the same at each call.
        net: Returns a net of one time step, of a width.
        loss: Returns what training lowers, of output spikes and membranes over time and targets.
        right: Returns of the same whether each sample was answered rightly.
        chance: Share that is right without looking at the sample.
        sizes: What ``--size`` chooses from.
        num_steps: Number of steps for which a sample is shown; None if it is a sequence.
        lr: Peak of the step size of Adam, which rises and falls over the epochs.
        batch_size: Number of samples between two updates.
    """

    name: str
    about: str
    data: Callable[[Size], Sets]
    net: Callable[[int], nn.Sequential]
    loss: Callable[[Tensor, Tensor, Tensor], Tensor]
    right: Callable[[Tensor, Tensor, Tensor], Tensor]
    chance: float
    sizes: dict[str, Size]
    num_steps: int | None = None
    lr: float = 5e-3
    batch_size: int = 64


class Trained(NamedTuple):
    """What became of one seed."""

    net: nn.Sequential
    epoch: int
    valid: float
    test: float
    seconds: float  # of processor time


def outputs(net: nn.Module, x: Tensor, num_steps: int | None) -> tuple[Tensor, Tensor]:
    """Return the output spikes and membranes of samples, [time, samples, outputs] each."""
    utils.reset(net)
    x = x.float()
    spk, mem = snn.unroll(net, x if num_steps else x.transpose(0, 1), num_steps)
    return spk, mem


@torch.no_grad()
def accuracy(recipe: Recipe, net: nn.Module, part: Part) -> float:
    """Return the share of samples that are answered rightly."""
    net.eval()
    right = 0
    for x, y in zip(part.x.split(500), part.y.split(500), strict=True):
        right += int(recipe.right(*outputs(net, x, recipe.num_steps), y).sum())
    return right / len(part.y)


def train(recipe: Recipe, size: Size, sets: Sets, seed: int) -> Trained:
    """Train a net; return it as it was after the epoch that did best on the validation part.

    The test part is looked at once, at the end.
    """
    start = time.process_time()
    torch.manual_seed(seed)
    net = recipe.net(size.width)
    optimizer = torch.optim.Adam(net.parameters(), lr=recipe.lr)
    batches = -(-len(sets.train.y) // recipe.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=recipe.lr, total_steps=size.epochs * batches
    )
    best, best_epoch, kept = -1.0, 0, net.state_dict()
    for epoch in range(1, size.epochs + 1):
        net.train()
        for rows in torch.randperm(len(sets.train.y)).split(recipe.batch_size):
            x, y = sets.train.x[rows], sets.train.y[rows]
            loss = recipe.loss(*outputs(net, x, recipe.num_steps), y)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        reached = accuracy(recipe, net, sets.valid)
        if reached > best:
            best, best_epoch, kept = reached, epoch, copy.deepcopy(net.state_dict())
    net.load_state_dict(kept)
    test = accuracy(recipe, net, sets.test)
    return Trained(net, best_epoch, best, test, time.process_time() - start)
