"""Izhikevich's neuron: a quadratic membrane with a recovery variable."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from snntorch._kernels.equations import States, in_dtype
from snntorch._neurons.neurons import SpikingNeuron

__all__ = ["Izhikevich"]

#: The potential in mV from which membranes are counted: that of rest for b = 0.2.
REST = -70.0


class Izhikevich(SpikingNeuron):
    r"""Izhikevich's neuron, which fires in most of the patterns that cortical neurons show.

    Choose it for how a neuron fires, at the cost of two equations: regular spiking, bursting,
    chattering, fast spiking, rebound and resonance are four numbers apart.

    .. math::
        (v, u) &= \begin{cases} (c,\ U[t-1] + d) & \text{if } V[t-1] > \theta \\
            (V[t-1],\ U[t-1]) & \text{else} \end{cases} \\
        V[t] &= v + \Delta t\,(0.04\,v^2 + 5\,v + 140 - u + x[t]) \\
        U[t] &= u + \Delta t\,a\,(b\,v - u) \\
        S[t] &= g\,H(V[t] - \theta)

    with membrane potential :math:`V` in mV, recovery :math:`U` in mV/ms, input :math:`x`
    (``input_``) in mV/ms, time step :math:`\Delta t` (``dt``) in ms, rate of recovery :math:`a`
    per ms, its sensitivity :math:`b` per ms, the potential :math:`c` in mV to which a spike
    resets, its step :math:`d` of the recovery in mV/ms, spikes :math:`S` (``spk``) of size
    :math:`g` (``graded_spikes_factor``), and the peak :math:`\theta` (``threshold``).

    States are counted from rest, so that zeros are a neuron at rest: ``mem`` is V + 70 mV, and
    ``u`` is U + 70 b. So is the peak: a threshold of 100 is the 30 mV of the paper. With b other
    than 0.2 the neuron first drifts to a rest of its own.

    Args:
        a: Rate of recovery. Like all numbers here, one number, or one per neuron.
        b: How much of the membrane potential it recovers to.
        c: Membrane potential after a spike, in mV as in the paper.
        d: What a spike adds to the recovery.
        dt: Time step.
        threshold: Peak of a spike, counted from rest.
        learn_a: ``True`` makes ``a`` a parameter, likewise ``learn_b``, ``learn_c``, ``learn_d``.
        learn_b: See ``learn_a``.
        learn_c: See ``learn_a``.
        learn_d: See ``learn_a``.
        **kwargs: As for :class:`~snntorch.SpikingNeuron`. A surrogate's x is in mV: choose one
            that is wide enough, such as ``surrogate.atan(alpha=0.1)``.

    Shape:
        - ``input_``: (batch, ...) of any shape.
        - ``u``, ``mem``: as ``input_``; or empty (zeros), or anything that expands to it.
        - returns ``spk, u, mem``, each as ``input_``; ``spk`` alone with
          ``init_hidden=True, output=False``.

    Raises:
        ValueError: If ``dt`` is not above 0, or a state does not fit the input.
        TypeError: If a state is passed with ``init_hidden=True``.

    Note:
        The paper takes two steps of 0.5 ms for V in each of 1 ms for U; here both take ``dt``.

    References:
        E. M. Izhikevich (2003). Simple model of spiking neurons. IEEE Transactions on Neural
        Networks 14(6), 1569-1572. DOI 10.1109/TNN.2003.820440

    Examples:
        >>> import torch, snntorch as snn
        >>> neuron = snn.Izhikevich(c=-50.0, d=2.0)  # chattering
        >>> spk, u, mem = neuron.unroll(torch.full((1,), 10.0), num_steps=400)
        >>> (torch.diff(spk[:, 0].nonzero()[:, 0]) * neuron.dt).tolist()[:9]  # ms between spikes
        [2.5, 2.5, 2.5, 3.0, 3.5, 4.0, 7.5, 48.5, 3.0]
    """

    state_names: ClassVar[tuple[str, ...]] = ("u", "mem")
    reset_mechanisms: ClassVar[tuple[str, ...]] = ("jump",)

    def __init__(
        self,
        a: Any = 0.02,
        b: Any = 0.2,
        c: Any = -65.0,
        d: Any = 8.0,
        dt: Any = 0.5,
        threshold: Any = 100.0,
        learn_a: bool = False,
        learn_b: bool = False,
        learn_c: bool = False,
        learn_d: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(threshold, **{"reset_mechanism": "jump", **kwargs})
        self._register("a", a, learn_a)
        self._register("b", b, learn_b)
        self._register("c", c, learn_c)
        self._register("d", d, learn_d)
        self._register("dt", dt)
        self._expect_positive("dt")

    @staticmethod
    def step(input_: Tensor, u: Tensor, mem: Tensor, *, a: Tensor, b: Tensor, dt: Tensor) -> States:
        """Return one Euler step of the recovery and the membrane."""
        v = mem + REST
        rise = (0.04 * v + 5.0) * v + 140.0 - (u + b * REST) + input_
        return u + dt * a * (b * mem - u), mem + dt * rise

    def jump(self, u: Tensor, mem: Tensor) -> States:
        """Return the states after a spike: ``u + d`` and ``c``, from rest."""
        reset = self._value("c") - REST
        return u + in_dtype(self._value("d"), u.dtype), reset.to(mem).expand_as(mem)

    def forward(self, input_: Tensor, u: Tensor | None = None, mem: Tensor | None = None) -> Any:
        """Run one time step; returns ``spk, u, mem``."""
        return self._advance(input_, u, mem)
