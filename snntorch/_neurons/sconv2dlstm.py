"""Spiking convolutional long short-term memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from snntorch._checks import as_sides, expect, expect_size, expect_truth, shape_of
from snntorch._kernels.equations import States, gated
from snntorch._neurons._docs import shared_arguments
from snntorch._neurons._recurrent import SameConv2d
from snntorch._neurons.neurons import SpikingNeuron

__all__ = ["SConv2dLSTM"]


@shared_arguments
class SConv2dLSTM(SpikingNeuron):
    r"""Spiking convolutional LSTM: gates by convolution, for image sequences.

    .. math::
        (i, f, o, \tilde g) &= (\sigma, \sigma, \sigma, \tanh)\,(W * [x[t], U[t-1]] + b) \\
        I[t] &= f \odot I[t-1] + i \odot \tilde g \\
        U[t] &= o \odot \tanh(I[t]) \\
        S[t] &= H(P(U[t]) - \theta)

    with cell state :math:`I` (``syn``), hidden state :math:`U` (``mem``), input :math:`x`
    (``input_``), spikes :math:`S` (``spk``), one convolution :math:`W` (``conv``),
    pooling :math:`P` and threshold :math:`\theta` (``threshold``). A reset acts on U,
    which keeps its size; only what fires is pooled.

    Args:
        in_channels: Number of input channels.
        out_channels: Number of channels of the states and the spikes.
        max_pool: Size of a max pooling before the threshold; 0 for none.
        avg_pool: Size of an average pooling before the threshold; 0 for none.
        {shared}

    Shape:
        - ``input_``: (batch, in_channels, height, width).
        - ``syn``, ``mem``: (batch, out_channels, height, width); or empty (zeros), or
          anything that expands to it.
        - returns ``spk, syn, mem``; ``spk`` is (batch, out_channels, height // pool,
          width // pool), alone with ``init_hidden=True, output=False``.

    Raises:
        ValueError: If both poolings are asked for, ``reset_mechanism`` is unknown, or a
            state does not fit the input.
        TypeError: If a state is passed with ``init_hidden=True``.

    References:
        X. Shi, Z. Chen, H. Wang, D.-Y. Yeung, W. Wong, W. Woo (2015). Convolutional LSTM
        Network: A Machine Learning Approach for Precipitation Nowcasting. NeurIPS 2015.
        arXiv:1506.04214

    Examples:
        >>> import torch, snntorch as snn
        >>> cell = snn.SConv2dLSTM(in_channels=1, out_channels=4, kernel_size=3, max_pool=2)
        >>> syn, mem = cell.init_sconv2dlstm()
        >>> spk, syn, mem = cell(torch.rand(2, 1, 8, 8), syn, mem)
        >>> spk.shape, mem.shape
        (torch.Size([2, 4, 4, 4]), torch.Size([2, 4, 8, 8]))
    """

    expands_input: ClassVar[bool] = False
    state_names: ClassVar[tuple[str, ...]] = ("syn", "mem")

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        bias: bool = True,
        max_pool: Any = 0,
        avg_pool: Any = 0,
        threshold: Any = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "none",
        state_quant: Callable[[Tensor], Tensor] | bool | None = False,
        output: bool = False,
    ) -> None:
        super().__init__(
            threshold=threshold,
            spike_grad=spike_grad,
            surrogate_disable=surrogate_disable,
            init_hidden=init_hidden,
            inhibition=inhibition,
            learn_threshold=learn_threshold,
            reset_mechanism=reset_mechanism,
            state_quant=state_quant,
            output=output,
        )
        for name, pool in (("max_pool", max_pool), ("avg_pool", avg_pool)):
            if pool is not None and pool is not False:
                as_sides(self, name, pool, 0)
        expect(
            not (max_pool and avg_pool),
            self,
            "one of `max_pool` and `avg_pool`",
            f"max_pool={max_pool} and avg_pool={avg_pool}",
            "Leave one of them 0.",
        )
        expect_size(self, "in_channels", in_channels)
        expect_size(self, "out_channels", out_channels)
        as_sides(self, "kernel_size", kernel_size)
        expect_truth(self, bias=bias)
        self.in_channels = in_channels = int(in_channels)
        self.out_channels = out_channels = int(out_channels)
        self.kernel_size = kernel_size
        self.max_pool = max_pool
        self.avg_pool = avg_pool
        self.bias = bias
        self.conv = SameConv2d(
            in_channels + out_channels, 4 * out_channels, kernel_size, bool(bias)
        )

    def state_shape(self, input_: Tensor) -> tuple[int, ...]:
        """Return (batch, out_channels, height, width)."""
        shape = shape_of(input_)
        expect(
            len(shape) in (3, 4) and shape[-3] == self.in_channels and 0 not in shape[-2:],
            self,
            f"`input_` of shape (batch, {self.in_channels}, height, width), as `in_channels` says",
            shape,
        )
        for name in self._parameter_names:
            self._expect_beside(name, input_)
        return *input_.shape[:-3], self.out_channels, *input_.shape[-2:]

    def step(self, input_: Tensor, syn: Tensor, mem: Tensor) -> States:
        """Return the cell and hidden state of one convolutional LSTM step."""
        joined = torch.cat((input_, mem), dim=-3)
        self._expect_as_weights("input_` and `mem", joined, "conv")
        gates = self.conv(joined)
        i, f, o, g = gates.split(self.out_channels, dim=-3)
        return gated(i, f, g, o, syn)

    def readout(self, *states: Tensor) -> Tensor:
        """Return the pooled membrane potential, which the threshold has to fit."""
        size = self.max_pool or self.avg_pool
        mem = self._pooled(states[-1], size) if size else states[-1]
        self._broadcast("threshold", self._value("threshold"), mem.shape)
        return mem

    def _pooled(self, mem: Tensor, size: Any) -> Tensor:
        rows, columns = size if isinstance(size, (tuple, list)) else (size, size)
        expect(
            rows <= mem.shape[-2] and columns <= mem.shape[-1],
            self,
            f"`input_` to be an image no smaller than its pooling of ({rows}, {columns})",
            shape_of(mem),
        )
        return F.max_pool2d(mem, size) if self.max_pool else F.avg_pool2d(mem, size)

    def _why_not_adapting(self) -> str | None:
        if self.max_pool or self.avg_pool:
            return "one whose spikes are pooled, so that no membrane has its own"
        return super()._why_not_adapting()

    def forward(self, input_: Tensor, syn: Tensor | None = None, mem: Tensor | None = None) -> Any:
        """Run one time step; returns ``spk, syn, mem``."""
        return self._advance(input_, syn, mem)

    init_sconv2dlstm = SpikingNeuron.reset_mem
