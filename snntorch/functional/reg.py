"""Regularization: what to add to a loss to keep a network quiet."""

from __future__ import annotations

import torch

from snntorch._checks import expect_finite, owner_name
from snntorch.functional._records import expect_stacked, widened

__all__ = ["l1_rate_sparsity"]


class l1_rate_sparsity:
    r"""Charge a network for every spike it fires.

    Choose it to save energy: added to a loss, it makes the optimizer look for
    the same answers with fewer spikes.

    .. math::
        \mathcal{L} = \lambda \sum_{t, b, i} |S_{b, i}[t]|

    with the spikes :math:`S` (``spk_out``, no unit) and the price of one spike
    :math:`\lambda` (``Lambda``, in units of the loss).

    Args:
        Lambda: Price of one spike.

    Shape:
        - spk_out: any, usually (time, batch, num_outputs)
        - output: a scalar, of at least float32

    Raises:
        ValueError: If ``Lambda`` is not finite.
        TypeError: If ``Lambda`` is no number or ``spk_out`` no tensor.

    Examples:
        >>> regularization = l1_rate_sparsity(Lambda=0.5)
        >>> regularization(torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
        tensor(1.5000)
    """

    def __init__(self, Lambda: float = 1e-5) -> None:
        expect_finite(self, Lambda=Lambda)
        self.Lambda = Lambda

    @property
    def __name__(self) -> str:
        return owner_name(self)

    def __repr__(self) -> str:
        return f"{self.__name__}(Lambda={self.Lambda})"

    def __call__(self, spk_out: torch.Tensor) -> torch.Tensor:
        """Return the price of all spikes in ``spk_out``."""
        expect_stacked(self, "spk_out", spk_out)
        counts = spk_out.to(torch.promote_types(spk_out.dtype, torch.uint8))  # no abs() of bool
        return float(self.Lambda) * widened(counts).abs().sum()
