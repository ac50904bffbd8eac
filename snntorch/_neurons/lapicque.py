"""Lapicque's RC neuron."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from snntorch._checks import expect
from snntorch._kernels.equations import States, decayed, in_dtype
from snntorch._neurons._docs import shared_arguments
from snntorch._neurons._values import clamped, to_value
from snntorch._neurons.neurons import LIF, Recurrence

__all__ = ["Lapicque"]

#: Below it Euler's method overshoots by more than it started from, and diverges.
LEAST_LEARNED_DECAY = math.exp(-2)


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

    Euler's method is stable for :math:`\Delta t < 2RC`, that is :math:`\beta > e^{-2}`.
    With a constant :math:`\beta`, a step is made of R, C and :math:`\Delta t` alone: these
    can be written to later, whereas ``beta`` is what they were built from or lead to.

    Args:
        beta: Decay rate per time step. Give ``beta`` alone (R is 1), ``beta`` and one of
            R and C, or R and C: the others follow. Above 0; from 1 on nothing leaks. One
            number, or one per neuron.
        R: Resistance above 0; one number, or one per neuron. ``False`` for not given.
        C: Capacitance, likewise. With ``beta`` below 1, or R would be infinite.
        time_step: Length of a time step, above 0.
        learn_beta: ``True`` makes ``beta`` a parameter; C (or R, where C was given) then
            follows it. It is clamped to :math:`[e^{-2}, 1]` where it is used.
        {shared}

    Shape:
        - ``input_``: (batch, ...) of any shape.
        - ``mem``: as ``input_``; or empty (zeros), or anything that expands to it.
        - returns ``spk, mem``, each as ``input_``; ``spk`` alone with
          ``init_hidden=True, output=False``.

    Raises:
        ValueError: If one of R and C is given without the other or ``beta``, all three
            are given, one of the values is not above 0, ``beta`` is not below 1 with C given,
            ``reset_mechanism`` is unknown, or ``mem`` does not fit the input.
        TypeError: If ``mem`` is passed with ``init_hidden=True``.

    Note:
        snnTorch 1.0.0 computes C from a learned ``beta`` once, so that learning changes
        nothing, and takes a ``beta`` above 1 as it is: the membrane grows.

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

    model: ClassVar[str | None] = "leaky"

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
        state_quant: Callable[[Tensor], Tensor] | bool | None = False,
        output: bool = False,
    ) -> None:
        values = {"beta": beta, "R": R, "C": C}
        given = {
            name: to_value(self, name, value)
            for name, value in values.items()
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
        expect(_all(dt > 0), self, "`time_step` above 0", time_step)
        for name, value in given.items():
            expect(_all(value > 0), self, f"`{name}` above 0", values[name])
        capacitance_given = list(given) == ["beta", "C"]
        if capacitance_given:
            hint = "Else R is infinite: give R and C instead, with R as large as you like."
            expect(_all(given["beta"] < 1), self, "`beta` below 1 beside `C`", beta, hint)
        with torch.no_grad():
            if "beta" not in given:
                decay = torch.exp(-dt / (given["R"] * given["C"]))
                given["beta"] = decay.reshape(decay.shape or (1,))  # as in checkpoints of 1.0.0
            elif "C" in given:
                given["R"] = dt / (given["C"] * torch.log(1 / given["beta"]))
            else:
                given.setdefault("R", torch.ones(()))
                decay = given["beta"].clamp(max=1)
                given["C"] = dt / (given["R"] * torch.log(1 / decay))
        super().__init__(
            beta=given["beta"],
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
        self._register("R", given["R"])
        self._register("C", given["C"])
        self._register("time_step", dt)
        self._capacitance_given = capacitance_given

    def step_parameters(self) -> dict[str, Tensor]:
        """Return the resistance, the share of the charge that stays, and the share that leaks."""
        R, C, dt = self._value("R"), self._value("C"), self._value("time_step")
        beta = self._value("beta")
        if "beta" in self._parameters or beta.requires_grad:  # what was not given follows it
            leak = -clamped(beta, LEAST_LEARNED_DECAY, 1).log()
            if self._capacitance_given:
                return {"R": dt / C, "share": torch.ones_like(C), "leak": leak}
        else:
            leak = dt / (R * C)
        return {"R": R, "share": leak, "leak": leak}

    @staticmethod
    def step(input_: Tensor, mem: Tensor, *, R: Tensor, share: Tensor, leak: Tensor) -> States:
        """Return the membrane after one Euler step of the RC circuit."""
        return (input_ * R * share + decayed(1 - leak, mem),)

    def recurrence(self, input_: Tensor) -> Recurrence:
        """Return the model of the kernel, the charge that arrives, and what stays."""
        values = {n: in_dtype(v, input_.dtype) for n, v in self.step_parameters().items()}
        return "leaky", input_ * values["R"] * values["share"], {"beta": 1 - values["leak"]}

    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Any:
        """Run one time step; returns ``spk, mem``."""
        return self._advance(input_, mem)

    init_lapicque = LIF.reset_mem


def _all(condition: Tensor) -> bool:
    return condition.is_meta or bool(condition.all())
