"""Leaky neurons as an associative memory, for a whole sequence at once."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from snntorch._checks import expect, expect_size, expect_truth
from snntorch._kernels.scan import linear_scan
from snntorch._neurons._sequence import SequenceNeuron, expect_sequence
from snntorch._neurons._values import not_of_inference

__all__ = ["AssociativeLeaky"]


class AssociativeLeaky(SequenceNeuron):
    r"""Leaky neurons whose membranes form an associative memory, written by the input.

    Choose it as a spiking counterpart of gated linear attention: the input decides what
    is stored, under which key, and how fast it fades. A whole sequence is one call.

    .. math::
        S[t] &= S[t-1]\,\mathrm{diag}(a[t]) + v[t]\,k[t]^\top \\
        Z[t] &= g\,H(S[t] - \theta) \\
        y[t] &= Z[t]\,Q[t]

    with the membranes :math:`S` (a d_value by d_key matrix), spikes :math:`Z`, output
    :math:`y`, threshold :math:`\theta` (``threshold``) and spike size :math:`g`
    (``graded_spikes_factor``). Linear layers of the input give the values :math:`v`
    (``to_v``), the keys :math:`k` (``to_k``), the queries :math:`Q` (``to_q``, a d_key by
    d_key matrix) and, through a sigmoid, the decay rates :math:`a` (``to_alpha``, per time
    step). S and :math:`\theta` share one arbitrary unit. Each call starts from S = 0.

    Setting ``output = False`` on the module returns S instead of what is read from it.

    Args:
        in_dim: Size of the last dimension of the input.
        d_value: Size of a value.
        d_key: Size of a key.
        num_spiking_neurons: Number of neurons, which is ``d_value * d_key``; ``None`` takes
            that.
        use_q_projection: ``True`` returns spikes read out by queries; ``False`` returns the
            spikes.

    Shape:
        - ``input_``: (time, batch, in_dim).
        - returns (time, batch, num_spiking_neurons), matrices row by row.

    Raises:
        ValueError: If the input has another shape, a size is less than 1, or
            ``num_spiking_neurons`` is not ``d_value * d_key``.
        TypeError: If a size is not an integer.

    Note:
        snnTorch 1.0.0 divides by the product of all decay rates so far, and so forgets
        everything within some dozens of steps. Its queries are d_key by d_value: where these
        differ, it returns ``d_value**2`` features, and ``to_q`` in its checkpoints does not fit.

    References:
        S. Yang, B. Wang, Y. Shen, R. Panda, Y. Kim (2024). Gated Linear Attention
        Transformers with Hardware-Efficient Training. ICML 2024. arXiv:2312.06635

    Examples:
        >>> import torch, snntorch as snn
        >>> memory = snn.AssociativeLeaky(
        ...     in_dim=3, d_value=2, d_key=4, num_spiking_neurons=8, use_q_projection=False
        ... )
        >>> spk = memory(torch.rand(20, 5, 3))
        >>> spk.shape
        torch.Size([20, 5, 8])
    """

    def __init__(
        self,
        in_dim: int,
        d_value: int,
        d_key: int,
        num_spiking_neurons: int | None,
        use_q_projection: bool = True,
    ) -> None:
        super().__init__(reset_mechanism="none", output=True)
        for name, value in (("in_dim", in_dim), ("d_value", d_value), ("d_key", d_key)):
            expect_size(self, name, value)
        expect_truth(self, use_q_projection=use_q_projection)
        if num_spiking_neurons is not None:
            expect_size(self, "num_spiking_neurons", num_spiking_neurons)
        size = d_value * d_key
        expect(
            num_spiking_neurons is None or num_spiking_neurons == size,
            self,
            f"`num_spiking_neurons` = d_value * d_key = {size}",
            num_spiking_neurons,
            "Pass None to have it computed.",
        )
        self.in_dim = in_dim
        self.d_value = d_value
        self.d_key = d_key
        self.num_spiking_neurons = size
        self.use_q_projection = use_q_projection
        self.to_v = nn.Linear(in_dim, d_value)
        self.to_k = nn.Linear(in_dim, d_key)
        self.to_alpha = nn.Linear(in_dim, d_key)
        if use_q_projection:
            self.to_q = nn.Linear(in_dim, d_key * d_key)

    @classmethod
    def from_num_spiking_neurons(
        cls, in_dim: int, num_spiking_neurons: int, use_q_projection: bool = True
    ) -> AssociativeLeaky:
        """Return a module with a square memory of a given number of neurons.

        Args:
            in_dim: Size of the last dimension of the input.
            num_spiking_neurons: Number of neurons, a square number.
            use_q_projection: As for the class.

        Raises:
            ValueError: If ``num_spiking_neurons`` is not a square number.
        """
        expect_size(cls.__name__, "num_spiking_neurons", num_spiking_neurons)
        side = math.isqrt(num_spiking_neurons)
        expect(
            side**2 == num_spiking_neurons,
            cls.__name__,
            "`num_spiking_neurons` to be a square number, for d_value = d_key",
            num_spiking_neurons,
            "For other shapes call the class with its d_value and d_key.",
        )
        return cls(in_dim, side, side, num_spiking_neurons, use_q_projection)

    def forward(self, input_: Tensor) -> Any:
        """Run a whole sequence; returns what is read from the memory."""
        expect_sequence(self, "input_", input_, self.in_dim, weight=self.to_v.weight)
        input_ = not_of_inference(input_)
        decay = torch.sigmoid(self.to_alpha(input_)).unsqueeze(-2)
        written = self.to_v(input_).unsqueeze(-1) * self.to_k(input_).unsqueeze(-2)
        mem = linear_scan(decay, written).flatten(-2)
        if not self.output:
            return mem
        spk = self.fire(mem)
        if not self.use_q_projection:
            return spk
        query = self.to_q(input_).reshape(*spk.shape[:2], self.d_key, self.d_key)
        return (spk.reshape(*spk.shape[:2], self.d_value, self.d_key) @ query).flatten(-2)
