"""Linear layer and leaky neuron with a rectified membrane, for a whole sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snntorch import surrogate
from snntorch._checks import (
    expect,
    expect_number,
    expect_place,
    expect_size,
    expect_truth,
    shape_of,
)
from snntorch._neurons._docs import shared_arguments
from snntorch._neurons._sequence import expect_sequence
from snntorch._neurons._values import ValueModule, clamped, not_of_inference, to_value

__all__ = ["LeakyParallel"]


@shared_arguments
class LeakyParallel(ValueModule):
    r"""Linear layer and leaky neuron without reset, its membrane kept from going below 0.

    Choose it where a recurrent layer ``nn.RNN`` would stand: it is one, and fires where
    the hidden state exceeds the threshold. A whole sequence is one call.

    .. math::
        U[t] &= \max(0,\; W_{ih}\,x[t] + b_{ih} + W_{hh}\,U[t-1] + b_{hh}),
        \qquad W_{hh} = \mathrm{diag}(\beta) \\
        S[t] &= g\,H(D[t]\,U[t] - \theta)

    with input :math:`x` (``input_``), membrane potential :math:`U`, spikes :math:`S`, the
    weights and biases of ``rnn``, decay rate :math:`\beta` (per time step), threshold
    :math:`\theta` (``threshold``) and spike size :math:`g` (``graded_spikes_factor``). U and
    :math:`\theta` share one arbitrary unit. :math:`D` is 1; in training mode it is 0 with
    the probability :math:`p` (``dropout``), and :math:`1/(1-p)` otherwise. Each call starts
    from U = 0.

    What is used and learned is the recurrent weight ``rnn.weight_hh_l0``. ``beta`` on the
    module is what it was built from.

    Args:
        input_size: Size of the last dimension of the input.
        hidden_size: Number of neurons.
        beta: Decay rate; one number, or one per neuron. A diagonal matrix made from it is
            clamped to [0, 1] where it is used. ``None`` leaves the recurrent weights as
            ``nn.RNN`` draws them.
        bias: Whether there are the biases.
        dropout: Probability that, in training mode, a membrane potential counts as 0 when
            it is compared with the threshold. What it passes on to the next step stays.
        learn_beta: ``True`` trains the recurrent weights, ``False`` fixes them.
        weight_hh_enable: ``True`` connects every neuron to every other: the recurrent matrix
            is dense, with ``beta`` of a neuron in its row. ``False`` keeps it diagonal.
        {shared}

    Shape:
        - ``input_``: (time, batch, input_size), or (time, input_size) for one sample.
        - returns ``spk``: (time, batch, hidden_size), or (time, hidden_size).

    Raises:
        ValueError: If the input has another shape, a size is less than 1, ``dropout`` is
            no probability, or ``beta`` is neither one number nor one per neuron.
        TypeError: If a size is not an integer, ``dropout`` is not a number, or
            ``spike_grad`` cannot be called.

    Note:
        snnTorch 1.0.0 ignores a ``beta`` of one per neuron, drops nothing whatever
        ``dropout`` is, and a copy of a module with ``learn_beta=True`` learns a dense matrix.

    References:
        J. L. Elman (1990). Finding Structure in Time. Cognitive Science 14(2), 179-211.
        DOI 10.1207/s15516709cog1402_1

    Examples:
        >>> import torch, snntorch as snn
        >>> lif = snn.LeakyParallel(input_size=4, hidden_size=8, beta=0.9)
        >>> spk = lif(torch.rand(50, 3, 4))
        >>> spk.shape
        torch.Size([50, 3, 8])
        >>> lif.rnn.weight_hh_l0.diagonal()[:2]
        tensor([0.9000, 0.9000])
    """

    #: The default surrogate's autograd function.
    ATan = surrogate.ATan

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        beta: Any = None,
        bias: bool = True,
        threshold: Any = 1.0,
        dropout: float = 0.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        graded_spikes_factor: Any = 1.0,
        learn_graded_spikes_factor: bool = False,
        weight_hh_enable: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        expect_size(self, "input_size", input_size)
        expect_size(self, "hidden_size", hidden_size)
        expect_truth(
            self,
            bias=bias,
            surrogate_disable=surrogate_disable,
            learn_beta=learn_beta,
            weight_hh_enable=weight_hh_enable,
        )
        expect_place(self, device, dtype)
        expect_number(self, "dropout", dropout)
        expect(0 <= dropout <= 1, self, "`dropout` to be a probability, 0 to 1", dropout)
        expect(
            spike_grad is None or callable(spike_grad),
            self,
            "`spike_grad` to be a function of a tensor",
            repr(spike_grad),
            "Pass a surrogate such as surrogate.fast_sigmoid().",
            TypeError,
        )
        if surrogate_disable:
            spike_grad = surrogate.spikes
        self.spike_grad = surrogate.default() if spike_grad is None else spike_grad
        self.input_size = input_size = int(input_size)
        self.hidden_size = hidden_size = int(hidden_size)
        self.dropout = dropout
        self._register("threshold", threshold, learn_threshold)
        self._register("graded_spikes_factor", graded_spikes_factor, learn_graded_spikes_factor)
        if beta is not None:
            value = to_value(self, "beta", beta)
            given = shape_of(value)
            valid = f"`beta` to be one number or {hidden_size}, one per neuron"
            expect(given in ((), (1,), (hidden_size,)), self, valid, f"shape {given}")
            self._register("beta", value.reshape(-1))  # never 0-dimensional in checkpoints
        # The parameters of nn.RNN, which torch.compile does not enter
        self.rnn = nn.RNNBase(
            "RNN_RELU",
            input_size,
            hidden_size,
            bias=bool(bias),
            device=device,
            dtype=dtype,
        )
        self.to(device=device, dtype=dtype)
        weight = self.rnn.all_weights[0][1]
        weight.requires_grad_(bool(learn_beta))
        if beta is not None:
            weight.data.copy_(self._value("beta").reshape(-1, 1))
        self._dense = True
        if not weight_hh_enable:
            self.weight_hh_enable()

    def weight_hh_enable(self) -> None:
        """Make the recurrent weight a diagonal matrix from here on: its own diagonal."""
        weight = self.rnn.all_weights[0][1]
        weight.data.copy_(self.grad_hook(weight.data))
        self._dense = False

    def grad_hook(self, grad: Tensor) -> Tensor:
        """Return the diagonal part of a matrix: all that a diagonal weight learns from."""
        return grad.diagonal().diag()

    def forward(self, input_: Tensor) -> Tensor:
        """Run a whole sequence; returns ``spk``."""
        weight_ih, weight_hh, *biases = self.rnn.all_weights[0]
        expect_sequence(self, "input_", input_, self.input_size, batched=False, weight=weight_ih)
        current = F.linear(
            not_of_inference(input_), weight_ih, biases[0] + biases[1] if biases else None
        )
        recurrent: Tensor = weight_hh if self._dense else self._rates(weight_hh)
        mem = torch.zeros_like(current[0])
        mems = []
        for step in current.unbind():
            feedback = F.linear(mem, recurrent) if self._dense else mem * recurrent
            mem = torch.relu(step + feedback)
            mems.append(mem)
        # nn.RNN drops between its layers only, of which there is one
        seen = F.dropout(torch.stack(mems), self.dropout, self.training)
        for name in self._excess_names:
            self._expect_no_wider(name, seen.shape, seen)
        excess = seen - self._value("threshold")
        return self._graded(self.spike_grad(excess))

    def _rates(self, weight: Tensor) -> Tensor:
        # off the diagonal nothing is used, so nothing there is ever learned
        rates = weight.flatten()[:: len(weight) + 1]  # its diagonal
        return clamped(rates, 0, 1) if "beta" in self._buffers else rates
