"""Second-order leaky integrate-and-fire neuron with feedback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor

from snntorch._checks import expect_truth
from snntorch._kernels.equations import States, decayed
from snntorch._neurons._docs import shared_arguments
from snntorch._neurons._recurrent import RecurrentLIF, RecurrentOneToOne
from snntorch._neurons.neurons import LIF

__all__ = ["RSynaptic", "RecurrentOneToOne"]


@shared_arguments
class RSynaptic(RecurrentLIF):
    r"""Second-order leaky integrate-and-fire neuron whose spikes are fed back.

    :class:`~snntorch.Synaptic` with the memory of :class:`~snntorch.RLeaky`.

    .. math::
        I[t] &= \alpha I[t-1] + x[t] + V(S[t-1]) \\
        U[t] &= \beta U[t-1] + I[t] - R[t]\,\theta & \text{(subtract)} \\
        U[t] &= (1 - R[t])\,(\beta U[t-1] + I[t]) & \text{(zero)} \\
        S[t] &= H(U[t] - \theta), \qquad R[t] = H(U[t-1] - \theta)

    with synaptic current :math:`I` (``syn``), membrane potential :math:`U` (``mem``),
    spikes :math:`S` (``spk``), input :math:`x` (``input_``), feedback :math:`V`
    (``recurrent``), decay rates :math:`\alpha` and :math:`\beta` (``alpha``, ``beta``,
    per time step) and threshold :math:`\theta` (``threshold``).

    Args:
        {shared}

    Shape:
        - ``input_``: (batch, linear_features), (batch, conv2d_channels, height, width),
          or any shape with ``all_to_all=False``.
        - ``spk``, ``syn``, ``mem``: as ``input_``; or empty (zeros), or anything that
          expands to it.
        - returns ``spk, syn, mem``, each as ``input_``; ``spk`` alone with
          ``init_hidden=True, output=False``.

    Raises:
        ValueError: If ``reset_mechanism`` is unknown, or a state does not fit the input.
        TypeError: If the sizes do not go with ``all_to_all``, or a state is passed with
            ``init_hidden=True``.

    References:
        B. Cramer, Y. Stradmann, J. Schemmel, F. Zenke (2022). The Heidelberg Spiking Data
        Sets for the Systematic Evaluation of Spiking Neural Networks. IEEE Transactions on
        Neural Networks and Learning Systems 33(7), 2744-2757.
        DOI 10.1109/TNNLS.2020.3044364

    Examples:
        >>> import torch, snntorch as snn
        >>> neuron = snn.RSynaptic(alpha=0.5, beta=0.5, linear_features=3)
        >>> spk, syn, mem = neuron.init_rsynaptic()
        >>> spk, syn, mem = neuron(torch.rand(2, 3), spk, syn, mem)
        >>> mem.shape
        torch.Size([2, 3])
    """

    model: ClassVar[str | None] = "synaptic"
    state_names: ClassVar[tuple[str, ...]] = ("spk", "syn", "mem")
    decay_names: ClassVar[tuple[str, ...]] = ("alpha", "beta")

    def __init__(
        self,
        alpha: Any,
        beta: Any,
        V: Any = 1.0,
        all_to_all: bool = True,
        linear_features: int | None = None,
        conv2d_channels: int | None = None,
        kernel_size: Any = None,
        threshold: Any = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_alpha: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        learn_recurrent: bool = True,
        reset_mechanism: str = "subtract",
        state_quant: Callable[[Tensor], Tensor] | bool | None = False,
        output: bool = False,
        reset_delay: bool = True,
    ) -> None:
        super().__init__(
            beta=beta,
            threshold=threshold,
            spike_grad=spike_grad,
            surrogate_disable=surrogate_disable,
            init_hidden=init_hidden,
            inhibition=inhibition,
            learn_beta=learn_beta,
            learn_threshold=learn_threshold,
            reset_mechanism=reset_mechanism,
            state_quant=state_quant,
            output=output,
        )
        expect_truth(self, reset_delay=reset_delay)
        self.reset_delay = reset_delay
        # V before alpha, as the state of an optimizer counts parameters in the order of 1.0.0
        self._init_recurrent(
            V, all_to_all, linear_features, conv2d_channels, kernel_size, learn_recurrent
        )
        self._register("alpha", alpha, learn_alpha)

    @staticmethod
    def step(
        input_: Tensor, recurrent: Tensor, syn: Tensor, mem: Tensor, *, alpha: Tensor, beta: Tensor
    ) -> States:
        """Return the synaptic current with the recurrent input, and the membrane it charges."""
        syn = decayed(alpha, syn) + input_ + recurrent
        return syn, decayed(beta, mem) + syn

    def forward(
        self,
        input_: Tensor,
        spk: Tensor | None = None,
        syn: Tensor | None = None,
        mem: Tensor | None = None,
    ) -> Any:
        """Run one time step; returns ``spk, syn, mem``."""
        return self._advance(input_, spk, syn, mem)

    init_rsynaptic = LIF.reset_mem
