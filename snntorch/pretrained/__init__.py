"""Nets that come trained, by name, with what they were trained on and what they reach.

They are those of two recipes of ``docs/results.rst``, small enough to be shipped: to try
things on a net that works, without data or training. Files hold tensors and text alone; nothing
in them is run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

import torch
from torch import nn

from snntorch._checks import expect_choice
from snntorch.pretrained._architecture import from_data

__all__ = ["Description", "describe", "load", "names"]

_FILES = resources.files(__name__).joinpath("files")


@dataclass(frozen=True)
class Description:
    """What a net is, and how it was trained; print it.

    Attributes:
        name: What :func:`load` calls it.
        task: What it was trained for.
        input: What it takes.
        answer: How its output is read.
        num_steps: Number of time steps.
        architecture: Its layers in order: for each the name and the arguments of its class.
        parameters: Number of parameters.
        test_accuracy: Share of right answers on the test part, see ``docs/results.rst``.
        valid_accuracy: Share on the validation part, which the epoch was chosen by.
        chance: Share that is right without looking at the input.
        split: Number of samples in the three parts, and how they were drawn.
        seed: Seed of the training.
        epoch: Number of epochs after which the weights were taken.
        command: What to type, in a clone, to train it anew.
        snntorch: Version of this package that trained it.
        torch: Version of PyTorch that trained it.
    """

    name: str
    task: str
    input: str
    answer: str
    num_steps: int
    architecture: list[dict[str, Any]]
    parameters: int
    test_accuracy: float
    valid_accuracy: float
    chance: float
    split: dict[str, Any]
    seed: int
    epoch: int
    command: str
    snntorch: str
    torch: str

    def __str__(self) -> str:
        counts = ", ".join(f"{self.split[part]:,} {part}" for part in ("train", "valid", "test"))
        layers = " - ".join(layer["layer"] for layer in self.architecture)
        return "\n".join(
            [
                f"{self.name}: {self.task}",
                f"  input: {self.input}",
                f"  answer: {self.answer}",
                f"  net: {layers}, {self.parameters:,} parameters, {self.num_steps} steps",
                f"  test accuracy: {100 * self.test_accuracy:.2f} %"
                f" (validation {100 * self.valid_accuracy:.2f} %, chance {100 * self.chance:g} %)",
                f"  samples: {counts}; {self.split['drawn']}",
                f"  trained by: {self.command} (seed {self.seed}, epoch {self.epoch})",
                f"  with: snntorch {self.snntorch}, torch {self.torch}",
            ]
        )


def names() -> list[str]:
    """Return the names of the nets that are shipped.

    Examples:
        >>> names()
        ['digits', 'store-recall']
    """
    files = (file.name for file in _FILES.iterdir())
    return sorted(name.removesuffix(".json") for name in files if name.endswith(".json"))


def describe(name: str) -> Description:
    """Return what a net is, what it takes, and how it was trained.

    Args:
        name: One of :func:`names`.

    Returns:
        The description. Printing it tells the most of it.

    Raises:
        ValueError: If there is no net of this name.

    Examples:
        >>> print(describe("digits").answer)
        the output that fires most often, the first of several
    """
    expect_choice("pretrained", "name", name, names())
    return Description(**json.loads(_FILES.joinpath(f"{name}.json").read_text("utf-8")))


def load(name: str) -> nn.Sequential:
    """Return a trained net, in evaluation mode.

    Args:
        name: One of :func:`names`.

    Returns:
        The net of one time step, on the CPU; its neurons have ``init_hidden=True``. What it takes
        and how to read it is said by :func:`describe`.

    Raises:
        ValueError: If there is no net of this name.

    Examples:
        >>> import torch, snntorch as snn
        >>> net = load("digits")
        >>> spk, mem = snn.unroll(net, torch.rand(3, 64), num_steps=describe("digits").num_steps)
        >>> spk.shape
        torch.Size([20, 3, 10])
    """
    net = from_data(describe(name).architecture)
    with _FILES.joinpath(f"{name}.pt").open("rb") as file:
        net.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return net.eval()
