"""How images lie in memory: channels last, and not too many at once, which convolutions like.

Neurons keep the order, so it lasts from one convolution to the next. A program never sees it: what
it gets has the order that its own loop would have given.
"""

from __future__ import annotations

from math import ceil, prod
from typing import Any

import torch
from torch import Tensor, nn

from snntorch._torch import conv_padding, is_traced, is_transformed, runs_onednn

#: Bytes above which the C library takes memory from the system, page by page, each time.
LARGE = 32 << 20
#: Numbers below which it takes longer to change an order than it spares.
FEW = 1 << 16
#: Layers that take images in any order, and keep it.
ANY_ORDER = (
    *(nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d),
    *(nn.BatchNorm2d, nn.Identity, nn.ReLU, nn.Dropout, nn.Dropout2d),
)


def channels_last(images: Tensor, times: int = 1) -> Tensor:
    """Return images, (batch, channels, height, width), in the order that a convolution likes best.

    Those are the float32 ones of oneDNN on a CPU; others, and compilers, see to it themselves.

    Args:
        images: The images.
        times: For how many time steps they stand.
    """
    likes = images.device.type == "cpu" and images.dtype is torch.float32 and runs_onednn()
    many = images.dim() == 4 and images.numel() * times >= FEW
    if not likes or not many or is_traced() or is_transformed():
        return images
    if images.shape[1] == 1:  # is in both orders, and torch takes it for the other one
        return images.squeeze(1).unsqueeze(-1).movedim(-1, 1)
    return images.contiguous(memory_format=torch.channels_last)


def arranged(module: nn.Module, rows: Tensor) -> Tensor:
    """Return what a layer takes, (time, batch, ...), in the order in which it takes it best."""
    if type(module) is nn.Conv2d and rows.dim() == 5:
        images = channels_last(rows.flatten(0, 1))
        return images.view(*rows.shape[:2], *images.shape[1:])
    return rows if type(module) in ANY_ORDER else plain(rows)


def channels_are_last(rows: Tensor) -> bool:
    """Return whether the channels of (time, batch, channels, height, width) are last in memory."""
    if rows.dim() != 5 or rows.is_contiguous():
        return False
    return rows.movedim(2, -1).is_contiguous()


class _ComesBackTurned(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        return rows.view_as(rows)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad.movedim(2, -1).contiguous().movedim(-1, 2)


def comes_back_turned(rows: Tensor) -> Tensor:
    """Return images over time whose gradient is put in their order, if their channels are last.

    Who computed them would have to turn it otherwise, after others copied it to the usual order.
    """
    if is_traced() or is_transformed() or not (rows.requires_grad and channels_are_last(rows)):
        return rows
    out: Tensor = _ComesBackTurned.apply(rows)  # type: ignore[no-untyped-call]
    return out


def plain(rows: Tensor) -> Tensor:
    """Return what a program gets of (time, batch, channels, height, width)."""
    return comes_back_turned(rows).contiguous() if channels_are_last(rows) else rows


def steps_at_once(module: nn.Module, rows: Tensor) -> int:
    """Return for how many time steps at once to run a layer, so that its output is not large."""
    steps = len(rows)
    if type(module) is not nn.Conv2d or rows.device.type != "cpu" or is_traced():
        return steps
    most = fitting(len(rows[0]) * output_size(module, rows) * rows.element_size())
    return ceil(steps / ceil(steps / most))  # in parts of about one size


def fitting(size: int) -> int:
    """Return how many things of some bytes are not large together; at least one."""
    return max((LARGE - 1) // max(size, 1), 1)


def output_size(conv: nn.Conv2d, rows: Tensor) -> int:
    """Return how many numbers a convolution gives for one image."""
    right, bottom = conv_padding(conv)[::2], conv_padding(conv)[1::2]
    padding = [a + b for a, b in zip(right, bottom, strict=True)][::-1]
    dims = zip(rows.shape[-2:], padding, conv.dilation, conv.kernel_size, conv.stride, strict=True)
    return conv.out_channels * prod(
        (size + pad - dilation * (kernel - 1) - 1) // stride + 1
        for size, pad, dilation, kernel, stride in dims
    )
