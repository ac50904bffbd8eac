"""Batch normalization through time: one layer per time step."""

# ruff: noqa: D417  (the arguments that both share are filled in)

from __future__ import annotations

from typing import Any, TypeVar

from torch import nn

from snntorch._checks import expect, expect_size, expect_truth
from snntorch._docs import shared_arguments

__all__ = ["BatchNormTT1d", "BatchNormTT2d"]

_Norm = TypeVar("_Norm", nn.BatchNorm1d, nn.BatchNorm2d)

ARGUMENTS = {
    "time_steps": "Number of time steps: of layers in the list.",
    "eps": "Added to the variance, for stability.",
    "momentum": "Weight of a new batch in the running mean and variance.",
    "affine": "Whether there is a scale to learn.",
}


class BatchNormTT(nn.ModuleList):
    """A list of layers that says how it is used when it is called like one of them."""

    def forward(self, *args: Any, **kwargs: Any) -> None:
        """Raise TypeError."""
        what, got = "one of its layers to be called", "a call of the list"
        hint = "Apply the layer of each time step, such as norms[step](x[step])."
        expect(False, self, what, got, hint, TypeError)


@shared_arguments(ARGUMENTS)
def BatchNormTT1d(
    input_features: int,
    time_steps: int,
    eps: float = 1e-5,
    momentum: float = 0.1,
    affine: bool = True,
) -> nn.ModuleList:
    r"""Batch normalization through time for dense layers: its own scale at each time step.

    Choose it to train deep nets on few time steps: the statistics of spikes change in the
    course of a sequence, so every step has a layer of its own. Apply the one of step t to
    the input current of step t.

    .. math::
        y[t] = \gamma[t]\,\frac{x[t] - \mu[t]}{\sqrt{\sigma^2[t] + \epsilon}}

    with input :math:`x` and output :math:`y`, mean :math:`\mu` and variance
    :math:`\sigma^2` over the batch, scale :math:`\gamma` (``weight``) and
    :math:`\epsilon` (``eps``). There is no bias, so that no input means no current.

    Args:
        input_features: Number of features.
        {shared}

    Shape:
        - input of each layer: (batch, input_features).
        - returns a list of ``time_steps`` layers.

    Raises:
        ValueError: If a number is less than 1.
        TypeError: If a number is not an integer, or the list is called like a layer.

    References:
        Y. Kim, P. Panda (2021). Revisiting Batch Normalization for Training Low-Latency
        Deep Spiking Neural Networks From Scratch. Frontiers in Neuroscience 15, 773954.
        DOI 10.3389/fnins.2021.773954

    Examples:
        >>> import torch, snntorch as snn
        >>> linear, lif = torch.nn.Linear(4, 8), snn.Leaky(0.9, init_hidden=True)
        >>> norms = snn.BatchNormTT1d(input_features=8, time_steps=3)
        >>> x = torch.rand(3, 16, 4)
        >>> spk = torch.stack([lif(norm(linear(step))) for norm, step in zip(norms, x)])
        >>> spk.shape
        torch.Size([3, 16, 8])
    """
    return _through_time(
        nn.BatchNorm1d, "BatchNormTT1d", input_features, time_steps, eps, momentum, affine
    )


@shared_arguments(ARGUMENTS)
def BatchNormTT2d(
    input_features: int,
    time_steps: int,
    eps: float = 1e-5,
    momentum: float = 0.1,
    affine: bool = True,
) -> nn.ModuleList:
    """Batch normalization through time for convolutions: its own scale at each time step.

    Everything else is as for :func:`BatchNormTT1d`; mean and variance are also taken over
    height and width.

    Args:
        input_features: Number of channels.
        {shared}

    Shape:
        - input of each layer: (batch, input_features, height, width).
        - returns a list of ``time_steps`` layers.

    Raises:
        ValueError: If a number is less than 1.
        TypeError: If a number is not an integer.

    Examples:
        >>> import torch, snntorch as snn
        >>> norms = snn.BatchNormTT2d(input_features=3, time_steps=5)
        >>> norms[4](torch.rand(2, 3, 6, 6)).shape
        torch.Size([2, 3, 6, 6])
    """
    return _through_time(
        nn.BatchNorm2d, "BatchNormTT2d", input_features, time_steps, eps, momentum, affine
    )


def _through_time(
    layer: type[_Norm],
    owner: str,
    features: int,
    steps: int,
    eps: float,
    momentum: float,
    affine: bool,
) -> nn.ModuleList:
    expect_size(owner, "input_features", features)
    expect_size(owner, "time_steps", steps)
    expect_truth(owner, affine=affine)
    norms = [layer(features, eps, momentum, affine) for _ in range(steps)]
    for norm in norms:
        norm.register_parameter("bias", None)
    return BatchNormTT(norms)
