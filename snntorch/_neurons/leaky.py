"""First-order leaky integrate-and-fire neuron."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor

from snntorch._checks import expect_truth
from snntorch._kernels.equations import States, decayed
from snntorch._neurons._docs import shared_arguments
from snntorch._neurons.neurons import LIF

__all__ = ["Leaky"]


@shared_arguments
class Leaky(LIF):
    r"""First-order leaky integrate-and-fire neuron: the one to start with.

    The input current charges a membrane that leaks; above threshold it fires.

    .. math::
        U[t] &= \beta U[t-1] + x[t] - R[t]\,\theta & \text{(subtract)} \\
        U[t] &= \beta (1 - R[t])\,U[t-1] + x[t] & \text{(zero)} \\
        U[t] &= \beta U[t-1] + x[t] - \beta R[t]\,\theta & \text{(soft)} \\
        U[t] &= \beta U[t-1] + x[t] & \text{(none)} \\
        S[t] &= g\,H(U[t] - \theta), \qquad R[t] = H(U[t-1] - \theta)

    with membrane potential :math:`U` (``mem``), input current :math:`x` (``input_``),
    spikes :math:`S` (``spk``), decay rate :math:`\beta` (``beta``, per time step),
    threshold :math:`\theta` (``threshold``) and spike size :math:`g`
    (``graded_spikes_factor``). U, x and :math:`\theta` share one arbitrary unit.

    ``"subtract"`` keeps what exceeds the threshold; ``"soft"`` is the same on a threshold
    that leaks along with the membrane before it is taken off.

    Args:
        reset_mechanism: What a spike does to the membrane: ``"subtract"`` takes the
            threshold off, ``"zero"`` clears the old membrane, ``"soft"`` takes
            ``beta * threshold`` off, ``"none"`` leaves it. Can be set later, too.
        {shared}

    Shape:
        - ``input_``: (batch, ...) of any shape.
        - ``mem``: as ``input_``; or empty (zeros), or anything that expands to it.
        - returns ``spk, mem``, each as ``input_``; ``spk`` alone with
          ``init_hidden=True, output=False``.

    Raises:
        ValueError: If ``reset_mechanism`` is unknown, or ``mem`` does not fit the input.
        TypeError: If ``mem`` is passed with ``init_hidden=True``.

    Note:
        snnTorch 1.0.0 documents ``"soft"`` as its subtraction but does ``"subtract"``.

    References:
        W. Gerstner, W. M. Kistler (2002). Spiking Neuron Models. Cambridge University
        Press.

        J. K. Eshraghian et al. (2023). Training Spiking Neural Networks Using Lessons
        From Deep Learning. Proceedings of the IEEE 111(9), 1016-1054.
        DOI 10.1109/JPROC.2023.3308088

    Examples:
        >>> import torch, snntorch as snn
        >>> lif = snn.Leaky(beta=0.5)
        >>> mem = lif.init_leaky()
        >>> for x in (0.8, 0.8, 0.8):
        ...     spk, mem = lif(torch.tensor([x]), mem)
        ...     print(f"spk {spk.item():.0f}, mem {mem.item():.2f}")
        spk 0, mem 0.80
        spk 1, mem 1.20
        spk 0, mem 0.40
    """

    model: ClassVar[str | None] = "leaky"
    zeroes_old_states: ClassVar[bool] = True
    reset_mechanisms: ClassVar[tuple[str, ...]] = (*LIF.reset_mechanisms, "soft")

    def __init__(
        self,
        beta: Any,
        threshold: Any = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "subtract",
        state_quant: Callable[[Tensor], Tensor] | bool | None = False,
        output: bool = False,
        graded_spikes_factor: Any = 1.0,
        learn_graded_spikes_factor: bool = False,
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
            graded_spikes_factor=graded_spikes_factor,
            learn_graded_spikes_factor=learn_graded_spikes_factor,
        )
        expect_truth(self, reset_delay=reset_delay)
        self.reset_delay = reset_delay

    @staticmethod
    def step(input_: Tensor, mem: Tensor, *, beta: Tensor) -> States:
        """Return ``beta * mem + input_``."""
        return (decayed(beta, mem) + input_,)

    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Any:
        """Run one time step; returns ``spk, mem``."""
        return self._advance(input_, mem)

    init_leaky = LIF.reset_mem
