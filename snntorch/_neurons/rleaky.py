"""First-order leaky integrate-and-fire neuron with feedback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor

from snntorch._checks import expect_truth
from snntorch._kernels.equations import States, decayed
from snntorch._neurons._docs import shared_arguments
from snntorch._neurons._recurrent import RecurrentLIF, RecurrentOneToOne
from snntorch._neurons.neurons import LIF

__all__ = ["RLeaky", "RecurrentOneToOne"]


@shared_arguments
class RLeaky(RecurrentLIF):
    r"""First-order leaky integrate-and-fire neuron whose spikes are fed back.

    Choose it for tasks that need memory beyond the membrane's time constant.

    .. math::
        U[t] &= \beta U[t-1] + x[t] + V(S[t-1]) - R[t]\,\theta & \text{(subtract)} \\
        U[t] &= (1 - R[t])\,(\beta U[t-1] + x[t] + V(S[t-1])) & \text{(zero)} \\
        U[t] &= \beta U[t-1] + x[t] + V(S[t-1]) - \beta R[t]\,\theta & \text{(soft)} \\
        S[t] &= H(U[t] - \theta), \qquad R[t] = H(U[t-1] - \theta)

    with membrane potential :math:`U` (``mem``), spikes :math:`S` (``spk``), input
    :math:`x` (``input_``), feedback :math:`V` (``recurrent``), decay rate :math:`\beta`
    (``beta``, per time step) and threshold :math:`\theta` (``threshold``).

    Args:
        reset_mechanism: What a spike does to the membrane: ``"subtract"`` takes the
            threshold off, ``"zero"`` clears it, ``"soft"`` takes ``beta * threshold``
            off, ``"none"`` leaves it. Can be set later, too.
        {shared}

    Shape:
        - ``input_``: (batch, linear_features), (batch, conv2d_channels, height, width),
          or any shape with ``all_to_all=False``.
        - ``spk``, ``mem``: as ``input_``; or empty (zeros), or anything that expands to it.
        - returns ``spk, mem``, each as ``input_``; ``spk`` alone with
          ``init_hidden=True, output=False``.

    Raises:
        ValueError: If ``reset_mechanism`` is unknown, or a state does not fit the input.
        TypeError: If the sizes do not go with ``all_to_all``, or a state is passed with
            ``init_hidden=True``.

    References:
        B. Yin, F. Corradi, S. M. Bohté (2021). Accurate and efficient time-domain
        classification with adaptive spiking recurrent neural networks. Nature Machine
        Intelligence 3, 905-913. DOI 10.1038/s42256-021-00397-w

    Examples:
        >>> import torch, snntorch as snn
        >>> neuron = snn.RLeaky(beta=0.5, V=-1.0, all_to_all=False)
        >>> spk, mem = neuron.init_rleaky()
        >>> for _ in range(2):
        ...     spk, mem = neuron(torch.tensor([1.5]), spk, mem)
        ...     print(f"spk {spk.item():.0f}, mem {mem.item():.2f}")
        spk 1, mem 1.50
        spk 0, mem 0.25
    """

    model: ClassVar[str | None] = "leaky"
    state_names: ClassVar[tuple[str, ...]] = ("spk", "mem")
    reset_mechanisms: ClassVar[tuple[str, ...]] = (*LIF.reset_mechanisms, "soft")

    def __init__(
        self,
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
        self._init_recurrent(
            V, all_to_all, linear_features, conv2d_channels, kernel_size, learn_recurrent
        )

    @staticmethod
    def step(input_: Tensor, recurrent: Tensor, mem: Tensor, *, beta: Tensor) -> States:
        """Return the membrane charged by the input and by the recurrent input."""
        return (decayed(beta, mem) + input_ + recurrent,)

    def forward(self, input_: Tensor, spk: Tensor | None = None, mem: Tensor | None = None) -> Any:
        """Run one time step; returns ``spk, mem``."""
        return self._advance(input_, spk, mem)

    init_rleaky = LIF.reset_mem
