"""How many operations a product of tensors takes, dense and where no factor is zero.

A product with -1, 0 or 1 needs no multiplier. Which ones are such is decided for whole rows,
as a chip would: for what a sample gives to a layer, or for all weights of a neuron.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

aten = torch.ops.aten


class Operations(NamedTuple):
    """Synaptic operations.

    Attributes:
        dense: All.
        macs: Those without a factor of zero that multiply and add.
        acs: Those that add alone.
    """

    dense: int
    macs: int
    acs: int


def _counts(dense: int, used: Tensor, adds: Tensor) -> Operations:
    """Return operations from how many each output takes, and whether these add alone."""
    total = int(used.sum(dtype=torch.int64))
    acs = int(used[adds.expand_as(used)].sum(dtype=torch.int64))
    return Operations(dense, total - acs, acs)


def _present(factor: Tensor) -> Tensor:
    """Return 1 where a factor is not zero."""
    return (factor != 0).float()


def _is_unit(factor: Tensor) -> Tensor:
    """Return where a factor is -1, 0 or 1."""
    return (factor == 0) | (factor.abs() == 1)


def of_matrices(a: Tensor, b: Tensor, *_: Any) -> Operations:
    """Count those of ``a @ b``; either can be a vector, or have a batch before."""
    a = a.unsqueeze(0) if a.dim() == 1 else a
    b = b.unsqueeze(-1) if b.dim() == 1 else b
    used = (_present(a) @ _present(b)).round()
    adds = _is_unit(a).all(-1, keepdim=True) | _is_unit(b).all(-2, keepdim=True)
    return _counts(used.numel() * a.shape[-1], used, adds)


def of_entries(a: Tensor, b: Tensor) -> Operations:
    """Count those of ``a * b``."""
    used = _present(a) * _present(b)
    return _counts(used.numel(), used, _is_unit(a) | _is_unit(b))


def of_convolution(x: Tensor, weight: Tensor, bias: Any, *how: Any) -> Operations:
    """Count those of a convolution, transposed or not; its padding takes none.

    Args:
        x: (batch, in_channels, ...).
        weight: (out_channels, in_channels / groups, ...); the first two the other way round, and
            within each group, if it is transposed.
        bias: Is not counted.
        *how: Stride, padding, dilation, whether it is transposed, output padding, and groups.
    """
    *_, transposed, _, groups = how
    # rounded, as fast algorithms are not exact
    used = aten.convolution(_present(x), _present(weight), None, *how).round()
    one = [torch.ones(1, 1, *factor.shape[2:], device=x.device) for factor in (x, weight)]
    taps = aten.convolution(*one, None, *how[:-1], 1).sum(dtype=torch.float64)
    pairs = len(x) * weight.shape[0] * weight.shape[1]  # of channels
    of_neuron = _is_unit(weight).flatten(2).all(-1)
    if transposed:
        of_neuron = torch.unflatten(of_neuron, 0, (groups, -1)).all(1).flatten()
    else:
        of_neuron = of_neuron.all(1)
    adds = _is_unit(x).flatten(1).all(1, keepdim=True) | of_neuron
    return _counts(
        pairs * round(taps.item()), used, adds.reshape(*adds.shape, *[1] * (x.dim() - 2))
    )


#: Products by their operator, with the place of the first factor, after which the other comes.
PRODUCTS: dict[Any, tuple[Callable[..., Operations], int]] = {
    **dict.fromkeys((aten.mm, aten.bmm, aten.mv, aten.dot), (of_matrices, 0)),
    **dict.fromkeys((aten.addmm, aten.baddbmm, aten.addmv), (of_matrices, 1)),
    aten.convolution: (of_convolution, 0),
}
#: Parts of the names of operators that scale and shift each entry.
_SCALING = ("batch_norm", "layer_norm", "group_norm", "rms_norm")
#: Operators that add each entry once.
_AVERAGES = (aten.mean, aten._adaptive_avg_pool2d, aten._adaptive_avg_pool3d)  # noqa: SLF001
#: Of operators that multiply and add in a way that is not counted.
_OPAQUE = ("attention", "rnn", "lstm", "gru", "trilinear", "cdist", "fft", "quantized", "_int_mm")


def around_products(packet: Any, args: tuple[Any, ...], out: Any) -> tuple[int, int]:
    """Return multiply-accumulates, and additions, of what stands between products.

    A normalization scales and shifts each entry; an average adds up what it is of.
    """
    if any(part in packet.__name__ for part in _SCALING):
        return args[0].numel(), 0
    if packet in (aten.avg_pool2d, aten.avg_pool3d):
        size, axes = args[1], 2 if packet is aten.avg_pool2d else 3
        return 0, out.numel() * (math.prod(size) if len(size) == axes else size[0] ** axes)
    if packet in _AVERAGES:
        return 0, args[0].numel()
    return 0, 0


def is_opaque(packet: Any) -> bool:
    """Return whether an operator multiplies and adds in a way that is not counted."""
    name = packet.__name__
    return any(part in name for part in _OPAQUE) and "fused" not in name
