"""Spikes of learnable sizes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from snntorch._checks import (
    expect,
    expect_as_device,
    expect_real,
    expect_size,
    expect_tensor,
    shape_of,
)
from snntorch._neurons._values import not_of_inference, to_value

__all__ = ["GradedSpikes"]


class GradedSpikes(nn.Module):
    r"""Gives the spikes of each neuron a size of its own, which is learned.

    Choose it behind a neuron when one bit per spike is too little.

    .. math::
        y_i = w_i\,x_i

    with the spikes :math:`x` of neuron i, their size :math:`w` (``weights``) and the graded
    spikes :math:`y`.

    Args:
        size: Number of neurons.
        constant_factor: Size that all spikes start from; ``None`` draws each from a uniform
            distribution between 0.5 and 1.5.

    Shape:
        - input: (..., size), or a column (..., size, 1).
        - returns the same. What could be either is (..., size).

    Raises:
        ValueError: If ``size`` is less than 1, ``constant_factor`` is not one number, or the
            input has another shape.
        TypeError: If ``size`` is not an integer, ``constant_factor`` is not numeric, or that or
            the input is complex.

    Note:
        snnTorch 1.0.0 requires ``constant_factor``, takes 0.0 for ``None``, and works for
        columns only: batches it scales along the wrong dimension.

    Examples:
        >>> import torch, snntorch as snn
        >>> graded = snn.GradedSpikes(size=3, constant_factor=2.0)
        >>> graded(torch.tensor([[1.0, 0.0, 1.0]])).tolist()
        [[2.0, 0.0, 2.0]]
    """

    def __init__(self, size: int, constant_factor: Any = None) -> None:
        super().__init__()
        expect_size(self, "size", size)
        self.size = size
        weights = torch.rand(size, 1) + 0.5
        if constant_factor is not None:
            factor = to_value(self, "constant_factor", constant_factor)
            expect(factor.numel() == 1, self, "one `constant_factor`", shape_of(factor))
            weights = factor.reshape(1, 1).repeat(size, 1)
        self.weights = nn.Parameter(weights)

    def forward(self, x: Tensor) -> Tensor:
        """Return the spikes, each times the size of its neuron."""
        expect_tensor(self, "x", x)
        expect_real(self, "x", x)
        expect_as_device(self, "x", x, self.weights)
        x, shape = not_of_inference(x), shape_of(x)
        if shape[-1:] == (self.size,):
            return x * self.weights.squeeze(1)
        expect(
            shape[-2:] == (self.size, 1),
            self,
            f"`x` of shape (..., {self.size}) or (..., {self.size}, 1)",
            shape,
        )
        return x * self.weights
