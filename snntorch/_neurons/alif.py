"""Leaky neuron with an adaptive threshold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor

from snntorch._neurons._adaptation import ADAPT, Adaptation
from snntorch._neurons._docs import shared_arguments
from snntorch._neurons.leaky import Leaky
from snntorch._neurons.neurons import LIF

__all__ = ["ALIF"]


@shared_arguments
class ALIF(Leaky):
    r"""Leaky integrate-and-fire neuron whose threshold rises with its own spikes.

    Choose it where something has to be remembered for longer than membranes do: the threshold
    falls back over hundreds of steps, and gradients reach as far. Nets of such neurons were
    called LSNN.

    .. math::
        U[t] &= \beta U[t-1] + x[t] - R[t]\,\theta[t-1] & \text{(subtract)} \\
        a[t] &= \rho\,a[t-1] + \Delta\,S[t-1] / g \\
        \theta[t] &= \theta + a[t] \\
        S[t] &= g\,H(U[t] - \theta[t]), \qquad R[t] = H(U[t-1] - \theta[t-1])

    with membrane potential :math:`U` (``mem``), adaptation :math:`a` (``adapt``), input current
    :math:`x` (``input_``), spikes :math:`S` (``spk``), decay rates :math:`\beta` (``beta``) and
    :math:`\rho` (``rho``) per time step, threshold at rest :math:`\theta` (``threshold``), what a
    spike adds to it :math:`\Delta` (``increment``), and spike size :math:`g`
    (``graded_spikes_factor``). The other resets are those of :class:`~snntorch.Leaky`, from
    :math:`\theta[t-1]`. The spikes in :math:`a` carry their surrogate gradient.

    Bellec et al. (2018) write :math:`\theta[t] = b_0 + \beta b[t]` and
    :math:`b[t] = \rho\,b[t-1] + (1 - \rho)\,z[t-1]`; that is ``threshold`` :math:`b_0` and
    ``increment`` :math:`\beta (1 - \rho)`.

    Args:
        beta: Decay rate of the membrane potential per time step, clamped to [0, 1] where it is
            used; one number, or one per neuron.
        rho: Decay rate of the adaptation, in the same way; :math:`e^{-1/\tau}` for a time
            constant of :math:`\tau` steps.
        increment: What a spike adds to the threshold; one number, or one per neuron. Negative,
            a spike makes the next one more likely.
        learn_rho: ``True`` makes the decay rate of the adaptation a parameter.
        learn_increment: ``True`` makes the increment a parameter.
        reset_mechanism: As of :class:`~snntorch.Leaky`.
        {shared}

    Shape:
        - ``input_``: (batch, ...) of any shape.
        - ``adapt``, ``mem``: as ``input_``; or empty (zeros), or anything that expands to it.
        - returns ``spk, adapt, mem``, each as ``input_``; ``spk`` alone with
          ``init_hidden=True, output=False``.

    Raises:
        ValueError: If ``reset_mechanism`` is unknown, or a state does not fit the input.
        TypeError: If a state is passed with ``init_hidden=True``, or a value is not numeric.

    Note:
        snnTorch 1.0.0 has no such neuron. Any other neuron adapts after
        :meth:`~snntorch.SpikingNeuron.enable_homeostasis`.

    References:
        G. Bellec, D. Salaj, A. Subramoney, R. Legenstein, W. Maass (2018). Long short-term
        memory and Learning-to-learn in networks of spiking neurons. NeurIPS 2018.
        arXiv:1803.09574

    Examples:
        >>> import torch, snntorch as snn
        >>> alif = snn.ALIF(beta=0.9, rho=0.95, increment=0.5)
        >>> spk, adapt, mem = alif.unroll(torch.full((40, 1, 1), 0.5))
        >>> [t for t, fired in enumerate(spk) if fired]  # ever less often
        [2, 5, 10, 15, 21, 27, 34]
    """

    model: ClassVar[str | None] = None
    adapts = True
    state_names: ClassVar[tuple[str, ...]] = (ADAPT, "mem")
    decay_names: ClassVar[tuple[str, ...]] = ("beta", "rho")

    def __init__(
        self,
        beta: Any,
        rho: Any = 0.995,
        increment: Any = 0.25,
        threshold: Any = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_beta: bool = False,
        learn_rho: bool = False,
        learn_increment: bool = False,
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
            reset_delay=reset_delay,
        )
        self._register("rho", rho, learn_rho)
        self._register("increment", increment, learn_increment)

    def _adaptation(self) -> Adaptation:
        return Adaptation(self._decay("rho"), self._value("increment"))

    def forward(  # type: ignore[override]
        self, input_: Tensor, adapt: Tensor | None = None, mem: Tensor | None = None
    ) -> Any:
        """Run one time step; returns ``spk, adapt, mem``."""
        return self._advance(input_, adapt, mem)

    init_alif = LIF.reset_mem
