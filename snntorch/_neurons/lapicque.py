"""Lapicque's RC neuron."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from snntorch._checks import expect
from snntorch._neurons._docs import shared_arguments
from snntorch._neurons._values import to_value
from snntorch._neurons.neurons import LIF, Recurrence, States

__all__ = ["Lapicque"]


@shared_arguments
class Lapicque(LIF):
    r"""Lapicque's neuron: a membrane of resistance R and capacitance C.

    Choose it to work with physical quantities; for training, :class:`~snntorch.Leaky` has
    fewer of them. The circuit's equation is stepped forward by Euler's method:

    .. math::
        U[t] &= \frac{\Delta t}{RC}\,R\,x[t] + \Big(1 - \frac{\Delta t}{RC}\Big) U[t-1]
        - R_t\,\theta & \text{(subtract)} \\
        \beta &= e^{-\Delta t/RC} \\
        S[t] &= H(U[t] - \theta), \qquad R_t = H(U[t-1] - \theta)

    with membrane potential :math:`U` (``mem``, volt), input current :math:`x`
    (``input_``, ampere), resistance :math:`R` (``R``, ohm), capacitance :math:`C` (``C``,
    farad), time step :math:`\Delta t` (``time_step``, second), threshold :math:`\theta`
    (``threshold``, volt), reset :math:`R_t` and spikes :math:`S` (``spk``). ``"zero"``
    multiplies the whole update by :math:`1 - R_t`.

    Args:
        beta: Decay rate per time step. Give ``beta`` alone (R is 1), ``beta`` and one of
            R and C, or R and C: the others follow. One number, or one per neuron.
        R: Resistance; one number, or one per neuron. ``False`` for not given.
        C: Capacitance, likewise.
        time_step: Length of a time step.
        learn_beta: ``True`` makes ``beta`` a parameter; C (or R, where C was given) then
            follows it.
        {shared}

    Shape:
        - ``input_``: (batch, ...) of any shape.
        - ``mem``: as ``input_``; or empty (zeros), or anything that expands to it.
        - returns ``spk, mem``, each as ``input_``; ``spk`` alone with
          ``init_hidden=True, output=False``.

    Raises:
        ValueError: If one of R and C is given without the other or ``beta``, all three
            are given, ``reset_mechanism`` is unknown, or ``mem`` does not fit the input.
        TypeError: If ``mem`` is passed with ``init_hidden=True``.

    References:
        L. Lapicque (1907). Recherches quantitatives sur l'excitation électrique des nerfs
        traitée comme une polarisation. Journal de Physiologie et de Pathologie Générale 9,
        620-635. Translated: N. Brunel, M. C. W. van Rossum (2007). Biological Cybernetics
        97, 341-349. DOI 10.1007/s00422-007-0189-6

    Examples:
        >>> import torch, snntorch as snn
        >>> neuron = snn.Lapicque(R=5, C=1e-3, time_step=1e-3)
        >>> spk, mem = neuron(torch.zeros(1), torch.tensor([0.9]))
        >>> print(f"{mem.item():.2f}")
        0.72
    """

    def __init__(
        self,
        beta: Any = False,
        R: Any = False,
        C: Any = False,
        time_step: Any = 1,
        threshold: Any = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "subtract",
        state_quant: Callable[[Tensor], Tensor] | bool = False,
        output: bool = False,
    ) -> None:
        given = {
            name: to_value(self, name, value)
            for name, value in (("beta", beta), ("R", R), ("C", C))
            if value is not False and value is not None
        }
        expect(
            list(given) in (["beta"], ["beta", "R"], ["beta", "C"], ["R", "C"]),
            self,
            "`beta`, `beta` and one of `R` and `C`, or `R` and `C`",
            " and ".join(f"`{name}`" for name in given) or "none of them",
            "The others follow from beta = exp(-time_step/(R * C)).",
        )
        dt = to_value(self, "time_step", time_step)
        if "beta" not in given:
            given["beta"] = torch.exp(-dt / (given["R"] * given["C"]))
        elif "C" in given:
            given["R"] = dt / (given["C"] * torch.log(1 / given["beta"]))
        else:
            given.setdefault("R", torch.ones(()))
            given["C"] = dt / (given["R"] * torch.log(1 / given["beta"]))
        super().__init__(
            given["beta"],
            threshold,
            spike_grad,
            surrogate_disable,
            init_hidden,
            inhibition,
            learn_beta,
            learn_threshold,
            reset_mechanism,
            state_quant,
            output,
        )
        self._register("R", given["R"])
        self._register("C", given["C"])
        self._register("time_step", dt)
        self._capacitance_given = C is not False and C is not None and beta is not False

    def _circuit(self) -> tuple[Tensor, Tensor]:
        """Return the resistance, and the share of the charge that a step moves."""
        R, C, dt = self._value("R"), self._value("C"), self._value("time_step")
        if "beta" not in self._parameters:
            return R, dt / (R * C)
        rate = -self._decay("beta").log()  # learned: what was not given follows it
        return dt / (C * rate) if self._capacitance_given else R, rate

    def step(self, input_: Tensor, mem: Tensor) -> States:
        """Return the membrane after one Euler step of the RC circuit."""
        R, rate = self._circuit()
        return (input_ * R * rate + (1 - rate) * mem,)

    def recurrence(self, input_: Tensor) -> Recurrence:
        """Return the model of the kernel, the charge that arrives, and what stays."""
        R, rate = self._circuit()
        return "leaky", input_ * R * rate, {"beta": 1 - rate}

    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Any:
        """Run one time step; returns ``spk, mem``."""
        return self._advance(input_, mem)

    init_lapicque = LIF.reset_mem
