"""Adaptive exponential integrate-and-fire neuron."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from snntorch._kernels.equations import States, in_dtype
from snntorch._neurons._values import to_value
from snntorch._neurons.neurons import SpikingNeuron

__all__ = ["AdEx"]

_OF_STEP = ("C", "g_L", "E_L", "V_T", "Delta_T", "tau_w", "a", "dt")


class AdEx(SpikingNeuron):
    r"""Adaptive exponential integrate-and-fire neuron, whose parameters can be measured.

    Choose it for neurons as physiologists describe them: an upswing that begins softly, and a
    current that adapts to potential and spikes. Its parameters have units, and are known for many
    neurons and firing patterns.

    .. math::
        (v, w) &= \begin{cases} (V_r,\ W[t-1] + b) & \text{if } V[t-1] > \theta \\
            (V[t-1],\ W[t-1]) & \text{else} \end{cases} \\
        V[t] &= v + \frac{\Delta t}{C} \left(-g_L (v - E_L)
            + g_L \Delta_T\, e^{(v - V_T)/\Delta_T} - w + x[t]\right) \\
        W[t] &= w + \frac{\Delta t}{\tau_w} \left(a\,(v - E_L) - w\right) \\
        S[t] &= g\,H(V[t] - \theta)

    with membrane potential :math:`V` in mV, adaptation current :math:`W` (``w``) in pA, input
    current :math:`x` (``input_``) in pA, time step :math:`\Delta t` (``dt``) in ms, capacitance
    :math:`C` in pF, leak conductance :math:`g_L` (``g_L``) in nS, resting potential :math:`E_L`
    (``E_L``), potential :math:`V_T` (``V_T``) at which the upswing begins, its slope factor
    :math:`\Delta_T` (``Delta_T``) and potential :math:`V_r` (``V_r``) after a spike in mV,
    subthreshold adaptation :math:`a` in nS with time constant :math:`\tau_w` (``tau_w``) in ms,
    what a spike adds to it :math:`b` in pA, spikes :math:`S` (``spk``) of size :math:`g`
    (``graded_spikes_factor``), and the peak :math:`\theta` (``threshold``).

    The membrane is counted from rest, so that zeros are a neuron at rest: ``mem`` is
    :math:`V - E_L`, and so is the peak. Where it is :math:`5 \Delta_T` above :math:`V_T`, as by
    default, the upswing to any height takes less than :math:`e^{-5} C/g_L` = 0.06 ms more.

    Args:
        C: Capacitance. Like all numbers here, one number, or one per neuron.
        g_L: Leak conductance.
        E_L: Resting potential.
        V_T: Potential at which the upswing begins.
        Delta_T: Slope factor of the upswing.
        tau_w: Time constant of the adaptation.
        a: Adaptation to the membrane potential.
        b: Adaptation to spikes.
        V_r: Potential after a spike.
        dt: Time step.
        threshold: Peak of a spike, counted from rest; ``None`` for ``V_T - E_L + 5 Delta_T``.
        learn_C: ``True`` makes ``C`` a parameter; likewise the flags that follow.
        learn_V_T: See ``learn_C``.
        learn_Delta_T: See ``learn_C``.
        learn_tau_w: See ``learn_C``.
        learn_a: See ``learn_C``.
        learn_b: See ``learn_C``.
        learn_V_r: See ``learn_C``.
        **kwargs: As for :class:`~snntorch.SpikingNeuron`. A surrogate's x is in mV: choose one
            that is wide enough, such as ``surrogate.atan(alpha=0.1)``.

    Shape:
        - ``input_``: (batch, ...) of any shape.
        - ``w``, ``mem``: as ``input_``; or empty (zeros), or anything that expands to it.
        - returns ``spk, w, mem``, each as ``input_``; ``spk`` alone with
          ``init_hidden=True, output=False``.

    Raises:
        ValueError: If ``C``, ``Delta_T``, ``tau_w`` or ``dt`` is not above 0, or a state does not
            fit the input.
        TypeError: If a state is passed with ``init_hidden=True``.

    References:
        R. Brette, W. Gerstner (2005). Adaptive Exponential Integrate-and-Fire Model as an
        Effective Description of Neuronal Activity. Journal of Neurophysiology 94(5), 3637-3642.
        DOI 10.1152/jn.00686.2005

        R. Naud, N. Marcille, C. Clopath, W. Gerstner (2008). Firing patterns in the adaptive
        exponential integrate-and-fire model. Biological Cybernetics 99, 335-347.
        DOI 10.1007/s00422-008-0264-7

    Examples:
        >>> import torch, snntorch as snn
        >>> neuron = snn.AdEx()
        >>> spk, w, mem = neuron.unroll(torch.full((1,), 1000.0), num_steps=2000)
        >>> between = torch.diff(spk[:, 0].nonzero()[:, 0]) * neuron.dt  # ms: it adapts
        >>> [round(time, 1) for time in between.tolist()]
        [13.7, 15.9, 18.7, 22.0, 25.6, 29.1, 32.0]
    """

    state_names: ClassVar[tuple[str, ...]] = ("w", "mem")
    reset_mechanisms: ClassVar[tuple[str, ...]] = ("jump",)

    def __init__(
        self,
        C: Any = 281.0,
        g_L: Any = 30.0,
        E_L: Any = -70.6,
        V_T: Any = -50.4,
        Delta_T: Any = 2.0,
        tau_w: Any = 144.0,
        a: Any = 4.0,
        b: Any = 80.5,
        V_r: Any = -70.6,
        dt: Any = 0.1,
        threshold: Any = None,
        learn_C: bool = False,
        learn_V_T: bool = False,
        learn_Delta_T: bool = False,
        learn_tau_w: bool = False,
        learn_a: bool = False,
        learn_b: bool = False,
        learn_V_r: bool = False,
        **kwargs: Any,
    ) -> None:
        if threshold is None:
            given = {"E_L": E_L, "V_T": V_T, "Delta_T": Delta_T}
            rest, onset, slope = (to_value(self, name, one) for name, one in given.items())
            threshold = (onset - rest + 5 * slope).detach()
        super().__init__(threshold, **{"reset_mechanism": "jump", **kwargs})
        self._register("C", C, learn_C)
        self._register("g_L", g_L)
        self._register("E_L", E_L)
        self._register("V_T", V_T, learn_V_T)
        self._register("Delta_T", Delta_T, learn_Delta_T)
        self._register("tau_w", tau_w, learn_tau_w)
        self._register("a", a, learn_a)
        self._register("b", b, learn_b)
        self._register("V_r", V_r, learn_V_r)
        self._register("dt", dt)
        self._expect_positive("C", "Delta_T", "tau_w", "dt")

    def step_parameters(self) -> dict[str, Tensor]:
        """Return what the step is made of, potentials from rest."""
        C, g_L, E_L, V_T, slope, tau_w, a, dt = map(self._value, _OF_STEP)
        return {
            "rate": dt / C,
            "g_L": g_L,
            "onset": V_T - E_L,
            "slope": slope,
            "a": a,
            "adapting": dt / tau_w,
        }

    @staticmethod
    def step(
        input_: Tensor,
        w: Tensor,
        mem: Tensor,
        *,
        rate: Tensor,
        g_L: Tensor,
        onset: Tensor,
        slope: Tensor,
        a: Tensor,
        adapting: Tensor,
    ) -> States:
        """Return one Euler step of the adaptation and the membrane."""
        upswing = slope * torch.exp((mem - onset) / slope)
        current = g_L * (upswing - mem) - w + input_
        return w + adapting * (a * mem - w), mem + rate * current

    def jump(self, w: Tensor, mem: Tensor) -> States:
        """Return the states after a spike: ``w + b`` and ``V_r``, from rest."""
        b, reset = self._value("b"), self._value("V_r") - self._value("E_L")
        return w + in_dtype(b, w.dtype), reset.to(mem).expand_as(mem)

    def forward(self, input_: Tensor, w: Tensor | None = None, mem: Tensor | None = None) -> Any:
        """Run one time step; returns ``spk, w, mem``."""
        return self._advance(input_, w, mem)
