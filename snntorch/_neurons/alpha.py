"""Alpha membrane model: the response to a spike rises, then falls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from snntorch._checks import expect
from snntorch._kernels.equations import States, decayed, in_dtype
from snntorch._neurons._docs import shared_arguments
from snntorch._neurons.neurons import LIF
from snntorch.surrogate import finite, why_traceable

__all__ = ["Alpha"]

#: Largest size of tau_alpha, which would be infinite where the rates meet.
LARGEST_TAU = 1e4


@shared_arguments
class Alpha(LIF):
    r"""Alpha membrane model: the response to an input spike rises, then falls.

    Choose it for a smooth post-synaptic potential whose peak comes after the spike. The
    membrane is the difference of two decaying currents that jump together.

    .. math::
        E[t] &= \alpha E[t-1] + x[t] \\
        N[t] &= \beta N[t-1] - x[t] \\
        U[t] &= \tau_\alpha (E[t] + N[t]), \qquad
        \tau_\alpha = \frac{\ln \alpha}{\ln \beta - \ln \alpha} + 1 \\
        S[t] &= H(U[t] - \theta), \qquad R[t] = H(U[t-1] - \theta)

    with excitatory current :math:`E` (``syn_exc``), inhibitory current :math:`N`
    (``syn_inh``), membrane potential :math:`U` (``mem``), input :math:`x` (``input_``),
    spikes :math:`S` (``spk``), decay rates :math:`\alpha > \beta` (``alpha``, ``beta``,
    per time step) and threshold :math:`\theta` (``threshold``).

    Rates that are learned may meet, or cross. The size of :math:`\tau_\alpha`, infinite where
    they are equal and 0 where :math:`\beta = 1`, is kept between :math:`10^{-4}` and
    :math:`10^4`; equal rates leave U = 0.

    ``"zero"`` clears all three states. ``"subtract"`` lowers U by :math:`\theta`, and E
    by :math:`\theta/\tau_\alpha`, so that the membrane stays lowered.

    Args:
        alpha: Decay rate of the excitatory current per time step, clamped to [0, 1]
            where it is used, larger than ``beta``; one number, or one per neuron.
        beta: Decay rate of the inhibitory current, likewise; below 1.
        {shared}

    Shape:
        - ``input_``: (batch, ...) of any shape.
        - ``syn_exc``, ``syn_inh``, ``mem``: as ``input_``; or empty (zeros), or anything
          that expands to it.
        - returns ``spk, syn_exc, syn_inh, mem``, each as ``input_``; ``spk`` alone with
          ``init_hidden=True, output=False``.

    Raises:
        ValueError: If ``alpha``, clamped, is not above ``beta``, ``beta`` is 1,
            ``reset_mechanism`` is unknown, or a state does not fit the input.
        TypeError: If a state is passed with ``init_hidden=True``.

    Note:
        ``"subtract"`` in snnTorch 1.0.0 takes ``threshold`` off ``syn_exc``, clears
        ``syn_inh`` and adds the old ``syn_inh`` to ``mem``: another number than the
        threshold.

    References:
        W. Rall (1967). Distinguishing theoretical synaptic potentials computed for
        different soma-dendritic distributions of synaptic input. Journal of
        Neurophysiology 30(5), 1138-1168. DOI 10.1152/jn.1967.30.5.1138

    Examples:
        >>> import torch, snntorch as snn
        >>> neuron = snn.Alpha(alpha=0.9, beta=0.8, threshold=2.0)
        >>> syn_exc, syn_inh, mem = neuron.init_alpha()
        >>> for x in (1.0, 0.0, 0.0):
        ...     spk, syn_exc, syn_inh, mem = neuron(torch.tensor([x]), syn_exc, syn_inh, mem)
        ...     print(f"{mem.item():.3f}")
        0.000
        0.189
        0.322
    """

    model: ClassVar[str | None] = "alpha"
    state_names: ClassVar[tuple[str, ...]] = ("syn_exc", "syn_inh", "mem")
    zeroed_states: ClassVar[tuple[str, ...]] = state_names
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
        reset_mechanism: str = "zero",
        state_quant: Callable[[Tensor], Tensor] | bool | None = False,
        output: bool = False,
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
        high, low = self._value("alpha"), self._value("beta")
        if not (high.is_meta or low.is_meta):
            got = f"alpha={alpha} and beta={beta}"
            expect(bool((low != 1).all()), self, "`beta` other than 1", got)
            above = high.clamp(0, 1) > low.clamp(0, 1)
            expect(bool(above.all()), self, "`alpha` larger than `beta`, within 0 to 1", got)

    def tau_alpha(self) -> Tensor:
        """Return the factor by which the response to an input peaks as high as E then is."""
        alpha, beta = self._decay("alpha"), self._decay("beta")
        if not (self._learns("alpha") or self._learns("beta")):  # checked when they were given
            log_alpha = alpha.log()
            tau = 1 - log_alpha / (log_alpha - beta.log())
            if why_traceable() is None:
                return tau.nan_to_num(nan=1.0, posinf=LARGEST_TAU, neginf=-LARGEST_TAU)
            bounded = torch.where(finite(tau), tau, LARGEST_TAU * tau.sign())
            return torch.where(tau.isnan(), 1.0, bounded)
        limits = torch.finfo(alpha.dtype)
        log_alpha, log_beta = _log(alpha.clamp(min=limits.tiny)), _log(beta)
        least_gap = (log_alpha.detach().abs() / LARGEST_TAU).clamp(min=limits.eps)
        tau = 1 - log_alpha / _apart_from_zero(log_alpha - log_beta, least_gap)
        return _apart_from_zero(tau, torch.full_like(tau, 1 / LARGEST_TAU))

    def _learns(self, name: str) -> bool:
        return name in self._parameters or self._value(name).requires_grad

    def step_parameters(self) -> dict[str, Tensor]:
        """Return both rates, and the factor that follows from them."""
        return {"alpha": self._decay("alpha"), "beta": self._decay("beta"), "tau": self.tau_alpha()}

    @staticmethod
    def step(
        input_: Tensor,
        syn_exc: Tensor,
        syn_inh: Tensor,
        mem: Tensor,
        *,
        alpha: Tensor,
        beta: Tensor,
        tau: Tensor,
    ) -> States:
        """Return both currents and the membrane they make."""
        syn_exc = decayed(alpha, syn_exc) + input_
        syn_inh = decayed(beta, syn_inh) - input_
        return syn_exc, syn_inh, tau * (syn_exc + syn_inh)

    def subtract(self, drop: Tensor, *states: Tensor) -> States:
        """Return the states with the membrane lowered, now and in what follows from E."""
        syn_exc, syn_inh, mem = states
        return syn_exc - drop / in_dtype(self.tau_alpha(), drop.dtype), syn_inh, mem - drop

    def forward(
        self,
        input_: Tensor,
        syn_exc: Tensor | None = None,
        syn_inh: Tensor | None = None,
        mem: Tensor | None = None,
    ) -> Any:
        """Run one time step; returns ``spk, syn_exc, syn_inh, mem``."""
        return self._advance(input_, syn_exc, syn_inh, mem)

    init_alpha = LIF.reset_mem


def _log(rate: Tensor) -> Tensor:
    """Return the logarithm; its steep end next to 0 passes no gradient."""
    if rate.requires_grad:
        rate = torch.where(rate > torch.finfo(rate.dtype).eps, rate, rate.detach())
    return rate.log()


def _apart_from_zero(x: Tensor, least: Tensor) -> Tensor:
    """Return x, its size at least ``least``."""
    return torch.where(x.abs() < least, torch.where(x < 0, -least, least), x)
