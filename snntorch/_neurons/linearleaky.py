"""Linear layer and leaky neuron without reset, for a whole sequence at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from snntorch._checks import expect_place, expect_size, expect_truth
from snntorch._neurons._docs import shared_arguments
from snntorch._neurons._sequence import expect_sequence
from snntorch._neurons._values import not_of_inference
from snntorch._neurons.stateleaky import StateLeaky

__all__ = ["LinearLeaky"]


@shared_arguments
class LinearLeaky(StateLeaky):
    r"""Linear layer with a :class:`StateLeaky` behind it, as one module.

    Choose it to build a net for whole sequences layer by layer.

    .. math::
        x[t] &= W\,y[t] + b \\
        U[t] &= \sum_{k=0}^{\min(t,\,K-1)} e^{-k/\tau}\,x[t-k],
        \qquad \tau = \frac{1}{1 - \beta} \\
        S[t] &= g\,H(U[t] - \theta)

    with input :math:`y` (``input_``), weight :math:`W` and bias :math:`b` (``linear``); the
    other symbols are those of :class:`StateLeaky`.

    Args:
        beta: Decay rate that sets the time constant, clamped to [0, 1]; one number, or
            one per output feature. Reading ``beta`` gives it back from ``tau``: set that
            one.
        in_features: Size of the last dimension of the input.
        out_features: Number of neurons.
        bias: Whether the linear layer has a bias.
        learn_beta: ``True`` makes ``tau`` a parameter, see :class:`StateLeaky`.
        state_quant: Quantizer of U, see :func:`snntorch.functional.quant.state_quant`;
            ``False`` for none. What is summed is not quantized.
        output: ``False`` returns U alone, and fires no spikes: what only they need draws
            a warning.
        kernel_truncation_steps: Number of input steps that U remembers, the present one
            included; ``None`` for all.
        {shared}

    Shape:
        - ``input_``: (time, batch, in_features).
        - returns ``spk, mem``, each (time, batch, out_features); ``mem`` alone with
          ``output=False``.

    Raises:
        ValueError: If the input has another shape, ``beta`` is neither one number nor one
            per output feature, or a number of features or steps is less than 1.
        TypeError: If one of these numbers is not an integer.
        NotImplementedError: By ``fire_inhibition`` and ``mem_reset``.

    Note:
        As for :class:`StateLeaky`.

    Examples:
        >>> import torch, snntorch as snn
        >>> net = torch.nn.Sequential(
        ...     snn.LinearLeaky(0.9, 4, 8, output=False), snn.LinearLeaky(0.9, 8, 2)
        ... )
        >>> spk, mem = net(torch.rand(50, 3, 4))
        >>> spk.shape
        torch.Size([50, 3, 2])
    """

    def __init__(
        self,
        beta: Any,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        threshold: Any = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        state_quant: Callable[[Tensor], Tensor] | bool | None = False,
        output: bool = True,
        graded_spikes_factor: Any = 1.0,
        learn_graded_spikes_factor: bool = False,
        kernel_truncation_steps: int | None = None,
    ) -> None:
        expect_size(self, "in_features", in_features)
        expect_size(self, "out_features", out_features)
        expect_truth(self, bias=bias)
        expect_place(self, device, dtype)
        super().__init__(
            beta=beta,
            channels=out_features,
            threshold=threshold,
            spike_grad=spike_grad,
            surrogate_disable=surrogate_disable,
            learn_beta=learn_beta,
            learn_threshold=learn_threshold,
            state_quant=state_quant,
            output=output,
            graded_spikes_factor=graded_spikes_factor,
            learn_graded_spikes_factor=learn_graded_spikes_factor,
            kernel_truncation_steps=kernel_truncation_steps,
        )
        self.in_features = in_features
        self.out_features = out_features
        self.linear = nn.Linear(in_features, out_features, bool(bias), device, dtype)
        self.to(device=device, dtype=dtype)

    def forward(self, input_: Tensor) -> Any:
        """Run a whole sequence; returns ``spk, mem``."""
        expect_sequence(self, "input_", input_, self.in_features, weight=self.linear.weight)
        return super().forward(self.linear(not_of_inference(input_)))
