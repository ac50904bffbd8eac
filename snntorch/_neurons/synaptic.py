"""Second-order leaky integrate-and-fire neuron with a synaptic current."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor

from snntorch._checks import expect_truth
from snntorch._kernels.equations import States, decayed
from snntorch._neurons._docs import shared_arguments
from snntorch._neurons.neurons import LIF

__all__ = ["Synaptic"]


@shared_arguments
class Synaptic(LIF):
    r"""Second-order leaky integrate-and-fire neuron: the input arrives as a current.

    Choose it where the timing of spikes matters: an input spike jumps the synaptic
    current, which then charges the membrane over several steps.

    .. math::
        I[t] &= \alpha I[t-1] + x[t] \\
        U[t] &= \beta U[t-1] + I[t] - R[t]\,\theta & \text{(subtract)} \\
        U[t] &= (1 - R[t])\,(\beta U[t-1] + I[t]) & \text{(zero)} \\
        S[t] &= H(U[t] - \theta), \qquad R[t] = H(U[t-1] - \theta)

    with synaptic current :math:`I` (``syn``), membrane potential :math:`U` (``mem``),
    input :math:`x` (``input_``), spikes :math:`S` (``spk``), decay rates :math:`\alpha`
    and :math:`\beta` (``alpha``, ``beta``, per time step) and threshold :math:`\theta`
    (``threshold``). The reset acts on U only.

    Args:
        {shared}

    Shape:
        - ``input_``: (batch, ...) of any shape.
        - ``syn``, ``mem``: as ``input_``; or empty (zeros), or anything that expands to it.
        - returns ``spk, syn, mem``, each as ``input_``; ``spk`` alone with
          ``init_hidden=True, output=False``.

    Raises:
        ValueError: If ``reset_mechanism`` is unknown, or a state does not fit the input.
        TypeError: If a state is passed with ``init_hidden=True``.

    References:
        F. Zenke, S. Ganguli (2018). SuperSpike: Supervised Learning in Multilayer Spiking
        Neural Networks. Neural Computation 30(6), 1514-1541. DOI 10.1162/neco_a_01086

    Examples:
        >>> import torch, snntorch as snn
        >>> neuron = snn.Synaptic(alpha=0.5, beta=0.5)
        >>> syn, mem = neuron.init_synaptic()
        >>> for x in (0.8, 0.0, 0.0):
        ...     spk, syn, mem = neuron(torch.tensor([x]), syn, mem)
        ...     print(f"syn {syn.item():.2f}, mem {mem.item():.2f}")
        syn 0.80, mem 0.80
        syn 0.40, mem 0.80
        syn 0.20, mem 0.60
    """

    model: ClassVar[str | None] = "synaptic"
    state_names: ClassVar[tuple[str, ...]] = ("syn", "mem")
    decay_names: ClassVar[tuple[str, ...]] = ("alpha", "beta")

    def __init__(
        self,
        alpha: Any,
        beta: Any,
        threshold: Any = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_alpha: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
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
        self._register("alpha", alpha, learn_alpha)
        expect_truth(self, reset_delay=reset_delay)
        self.reset_delay = reset_delay

    @staticmethod
    def step(input_: Tensor, syn: Tensor, mem: Tensor, *, alpha: Tensor, beta: Tensor) -> States:
        """Return the decayed current plus input, and the membrane it charges."""
        syn = decayed(alpha, syn) + input_
        return syn, decayed(beta, mem) + syn

    def forward(self, input_: Tensor, syn: Tensor | None = None, mem: Tensor | None = None) -> Any:
        """Run one time step; returns ``spk, syn, mem``."""
        return self._advance(input_, syn, mem)

    init_synaptic = LIF.reset_mem
