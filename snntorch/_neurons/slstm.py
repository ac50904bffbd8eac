"""Spiking long short-term memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snntorch._checks import expect, expect_size, expect_truth, shape_of
from snntorch._kernels.equations import States, gated
from snntorch._neurons._docs import shared_arguments
from snntorch._neurons.neurons import SpikingNeuron
from snntorch._torch import is_hooked
from snntorch.surrogate import why_traceable

__all__ = ["SLSTM"]


@shared_arguments
class SLSTM(SpikingNeuron):
    r"""Spiking long short-term memory: an LSTM cell whose hidden state fires.

    Choose it for sequences whose memory has to be gated.

    .. math::
        i &= \sigma(W_{ii} x[t] + b_{ii} + W_{hi} U[t-1] + b_{hi}) \\
        f &= \sigma(W_{if} x[t] + b_{if} + W_{hf} U[t-1] + b_{hf}) \\
        \tilde g &= \tanh(W_{ig} x[t] + b_{ig} + W_{hg} U[t-1] + b_{hg}) \\
        o &= \sigma(W_{io} x[t] + b_{io} + W_{ho} U[t-1] + b_{ho}) \\
        I[t] &= f \odot I[t-1] + i \odot \tilde g \\
        U[t] &= o \odot \tanh(I[t]) \\
        S[t] &= H(U[t] - \theta)

    with cell state :math:`I` (``syn``), hidden state :math:`U` (``mem``), input :math:`x`
    (``input_``), spikes :math:`S` (``spk``), threshold :math:`\theta` (``threshold``) and
    the weights of ``lstm_cell``. A reset acts on U, after this update.

    Args:
        input_size: Number of input features.
        hidden_size: Number of neurons.
        {shared}

    Shape:
        - ``input_``: (batch, input_size), or (input_size).
        - ``syn``, ``mem``: (batch, hidden_size); or empty (zeros), or anything that
          expands to it.
        - returns ``spk, syn, mem``, each (batch, hidden_size); ``spk`` alone with
          ``init_hidden=True, output=False``.

    Raises:
        ValueError: If ``reset_mechanism`` is unknown, or a state does not fit the input.
        TypeError: If a state is passed with ``init_hidden=True``.

    Note:
        snnTorch 1.0.0 starts every step from zeros unless ``input_size == hidden_size``,
        and ignores ``inhibition``. Here the state is carried, and inhibition applied.

        The membrane stays within (-1, 1): with the default threshold of 1 it never fires. Take a
        lower one where spikes are what is read.

    References:
        S. Hochreiter, J. Schmidhuber (1997). Long Short-Term Memory. Neural Computation
        9(8), 1735-1780. DOI 10.1162/neco.1997.9.8.1735

    Examples:
        >>> import torch, snntorch as snn
        >>> cell = snn.SLSTM(input_size=10, hidden_size=4)
        >>> syn, mem = cell.init_slstm()
        >>> spk, syn, mem = cell(torch.rand(2, 10), syn, mem)
        >>> spk.shape
        torch.Size([2, 4])
    """

    expands_input: ClassVar[bool] = False
    state_names: ClassVar[tuple[str, ...]] = ("syn", "mem")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
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
        expect_size(self, "input_size", input_size)
        expect_size(self, "hidden_size", hidden_size)
        expect_truth(self, bias=bias)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        self.lstm_cell = nn.LSTMCell(input_size, hidden_size, bias=bool(bias))

    def state_shape(self, input_: Tensor) -> tuple[int, ...]:
        """Return (batch, hidden_size)."""
        expect(
            input_.dim() in (1, 2) and input_.shape[-1] == self.input_size,
            self,
            f"`input_` of shape (batch, {self.input_size}), as `input_size` says",
            shape_of(input_),
        )
        shape = torch.Size((*input_.shape[:-1], self.hidden_size))
        for name in self._parameter_names:
            self._expect_no_wider(name, shape, input_)
        return shape

    def _states(self, input_: Any, given: tuple[Any, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        input_, states = super()._states(input_, given)
        for name, value in (("input_", input_), ("mem", states[1])):
            self._expect_as_weights(name, value, "lstm_cell", "weight_ih")
        return input_, states

    def step(self, input_: Tensor, syn: Tensor, mem: Tensor) -> States:
        """Return the cell and hidden state of one LSTM step."""
        cell = self.lstm_cell
        if why_traceable() is None or type(cell) is not nn.LSTMCell or is_hooked(cell):
            mem, syn = cell(input_, (mem, syn))
            return syn, mem
        # PopTorch knows no lstm_cell
        gates = F.linear(input_, cell.weight_ih, cell.bias_ih)
        gates = gates + F.linear(mem, cell.weight_hh, cell.bias_hh)
        i, f, g, o = gates.chunk(4, dim=-1)
        return gated(i, f, g, o, syn)

    def forward(self, input_: Tensor, syn: Tensor | None = None, mem: Tensor | None = None) -> Any:
        """Run one time step; returns ``spk, syn, mem``."""
        return self._advance(input_, syn, mem)

    init_slstm = SpikingNeuron.reset_mem
