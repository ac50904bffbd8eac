"""Thresholds that rise with a neuron's own spikes."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from snntorch._checks import expect
from snntorch._kernels.equations import States, decayed, in_dtype
from snntorch._neurons._states import StateModule
from snntorch._neurons._values import to_value

#: Name of the state by which a threshold is raised.
ADAPT = "adapt"

_Neuron = TypeVar("_Neuron", bound="AdaptiveModule")


class Adaptation(NamedTuple):
    """How a threshold moves: a[t] = min(decay a[t-1] + increment S[t-1], most)."""

    decay: Tensor
    increment: Tensor
    most: Tensor | None = None

    def after(self, adapt: Tensor, crossing: Tensor) -> Tensor:
        """Return the adaptation one step later, ``crossing`` being 1 where a spike was."""
        decay, increment = (in_dtype(one, adapt.dtype) for one in self[:2])
        adapt = decayed(decay, adapt) + increment * crossing
        return adapt if self.most is None else adapt.minimum(in_dtype(self.most, adapt.dtype))


class AdaptiveModule(StateModule):
    """A module whose threshold can adapt: then a state before its last is by how much it rose."""

    #: Whether the threshold adapts.
    adapts: bool = False
    #: Whether a reset of a spike waits for the next step, and so does its adaptation.
    reset_delay: bool = True

    def enable_homeostasis(
        self: _Neuron, increment: Any = 0.5, tau: Any = 20.0, max_adapt: Any = None
    ) -> _Neuron:
        r"""Let each spike raise the threshold, which falls back in between.

        What fires much fires less: rates of a layer even out, and a neuron remembers for
        :math:`\tau` steps that it has fired.

        .. math::
            \theta[t] &= \theta + a[t] \\
            a[t] &= \min(e^{-1/\tau} a[t-1] + \Delta\,S[t-1] / g,\; a_{max})

        The spikes are those that the neuron sends, with their surrogate gradient, so that what
        comes later learns through the threshold, too. :math:`a` is a state of the neuron,
        ``adapt``: zeroed by ``reset_mem`` and ``utils.reset``, cut by ``detach_mem``, recorded
        by ``unroll(x, record="adapt")``. It is kept on the neuron whatever ``init_hidden`` says,
        so that calls take and return what they did. A reset by ``"subtract"`` takes off the
        threshold that was crossed. With ``reset_delay=False``, ``adapt`` is that of the next
        step already. Called again, it replaces the values.

        Args:
            increment: :math:`\Delta`, by which a spike raises the threshold; in the unit of the
                membrane potential; one number, or one per neuron.
            tau: Time constant :math:`\tau` in steps, positive; one number, or one per neuron.
            max_adapt: :math:`a_{max}`, above which the threshold is not raised; ``None`` for no
                bound.

        Returns:
            The neuron.

        Raises:
            TypeError: If a value is not numeric.
            ValueError: If ``tau`` is not positive, or the neuron has no threshold from step to
                step that could adapt.

        References:
            P. U. Diehl, M. Cook (2015). Unsupervised learning of digit recognition using
            spike-timing-dependent plasticity. Frontiers in Computational Neuroscience 9:99.
            DOI 10.3389/fncom.2015.00099

        Examples:
            >>> import torch, snntorch as snn
            >>> lif = snn.Leaky(beta=0.9)
            >>> steady = torch.full((60, 1, 1), 0.5)
            >>> int(lif.unroll(steady, record="spk").sum())
            24
            >>> lif = lif.enable_homeostasis(increment=0.5, tau=20.0)
            >>> int(lif.unroll(steady, record="spk").sum())
            10
        """
        owner, reason = f"{type(self).__name__}.enable_homeostasis", self._why_not_adapting()
        steps = "a neuron whose threshold can change from step to step"
        hint = "Use a neuron that is called once per time step, such as snn.Leaky."
        expect(reason is None, owner, steps, reason, hint)
        tau = to_value(self, "tau", tau)
        positive = bool((tau > 0).all())
        expect(positive, owner, "`tau` > 0 steps", tau.tolist(), "Pass tau=20.0, for example.")
        values = {
            "adapt_decay": torch.exp(-1 / tau),
            "adapt_increment": increment,
            "max_adapt": math.inf if max_adapt is None else max_adapt,
        }
        device = self._value(self._parameter_names[0]).device
        for name, value in values.items():
            if name in self._parameter_names:
                self._parameter_names.remove(name)
            self._register(name, value)
            setattr(self, name, self._value(name).to(device))
        if not self.adapts:
            self.adapts = True
            *others, last = self.state_names
            self.state_names = (*others, ADAPT, last)  # type: ignore[misc]
            self.register_buffer(ADAPT, torch.zeros(0, device=device), persistent=False)
        return self

    def _why_not_adapting(self) -> str | None:
        """Return what speaks against a threshold that adapts; None if nothing does."""
        if not self.state_names:
            return "one that runs a whole sequence at once"
        if ADAPT in type(self).state_names:
            return "one that adapts by itself"
        return None

    def _adaptation(self) -> Adaptation:
        """Return how the threshold moves."""
        names = ("adapt_decay", "adapt_increment", "max_adapt")
        return Adaptation(*map(self._value, names))

    def _names_given(self) -> tuple[str, ...]:
        """Return the states that a call takes and returns, without what homeostasis adds."""
        return type(self).state_names

    def _with_hidden(self, given: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the states that a call was given, with None for one that it does not take."""
        if len(given) == len(self.state_names):
            return given
        return (*given[:-1], None, *given[-1:]) if given else super()._with_hidden(given)

    def _without_hidden(self, states: States) -> States:
        """Return the states that a call returns."""
        return states if ADAPT in type(self).state_names else self._apart(states)[0]

    def _apart(self, states: States) -> tuple[States, Tensor | None]:
        """Return the states, and apart from them that by which the threshold is raised."""
        return ((*states[:-2], states[-1]), states[-2]) if self.adapts else (states, None)

    def _together(self, states: States, adapt: Tensor | None) -> States:
        """Undo `_apart`."""
        return states if adapt is None else (*states[:-1], adapt, states[-1])
