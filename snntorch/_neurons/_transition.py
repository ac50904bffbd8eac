"""One time step of a neuron on complete states: update, reset, quantize, fire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from snntorch import surrogate
from snntorch._checks import expect, expect_count, expect_real, expect_tensor, shape_of
from snntorch._kernels.equations import States, cleared, dropped, in_dtype
from snntorch._neurons._adaptation import ADAPT, AdaptiveModule

#: The methods by which snnTorch 1.0.0 runs a step, for a class to override.
METHODS = ("_base_state_function", "fire", "fire_inhibition", "mem_reset")


def _tuple_of(states: Any) -> States:
    return states if isinstance(states, tuple) else (states,)


def _lowered(mem: Tensor, adapt: Tensor | None) -> Tensor:
    """Return what is above a threshold where ``mem`` is above one that is raised."""
    return mem if adapt is None else mem - adapt


class Transition(AdaptiveModule):
    """A module that runs one time step by the `step` of its class."""

    step: Callable[..., States]
    """``step(input_, *states, *, beta, ...)``: the states after one update, before any reset.

    A function of tensors alone. Its keyword arguments are the parameters that it is made of, see
    :meth:`step_parameters`. For recurrent neurons the first state, the spikes, is what their
    recurrent layer returns; they leave it out of what they return.
    """

    jump: Callable[..., States]
    """``jump(*states)``: where a spike takes the states, with a reset to ``"jump"``.

    It is applied before the next update, to the states before it.
    """

    spike_grad: Callable[[Tensor], Tensor]
    inhibition: bool
    state_quant: Callable[[Tensor], Tensor] | bool | None
    _reset_mechanism: str

    #: The states that a reset to zero clears.
    zeroed_states: ClassVar[tuple[str, ...]] = ("mem",)
    #: Whether a reset to zero clears the old states before the update, not the new ones.
    zeroes_old_states: ClassVar[bool] = False
    #: What was overridden since the class that names its model, or says `recurrence`.
    _overridden: ClassVar[tuple[str, ...]] = ()
    #: Those of `METHODS` that a class has of its own.
    _own_methods: ClassVar[tuple[str, ...]] = ()
    #: Methods that count if they are set on one neuron, too.
    _settable: ClassVar[tuple[str, ...]] = ("state_function", *METHODS)
    #: The parameters that `step` asks for.
    _step_names: ClassVar[tuple[str, ...]] = ()

    def step_parameters(self) -> dict[str, Tensor]:
        """Return the parameters that :meth:`step` asks for: decay rates clamped to [0, 1]."""
        return {
            name: self._decay(name) if name in self.decay_names else self._value(name)
            for name in self._step_names
        }

    def readout(self, *states: Tensor) -> Tensor:
        """Return what fires where it exceeds the threshold."""
        return states[-1]

    def excess(self, *states: Tensor) -> Tensor:
        """Return what fires where it is positive: membrane potential minus threshold."""
        return self._over_threshold(self.readout(*states))

    def _over_threshold(self, mem: Tensor) -> Tensor:
        return mem - in_dtype(self._value("threshold"), mem.dtype)

    def _membrane(self, mem: Tensor) -> Tensor:
        """Return a membrane potential that a user passed, as floating point."""
        expect_tensor(self, "mem", mem)
        expect_real(self, "mem", mem)
        for name in self._excess_names:
            self._expect_beside(name, mem)
            self._broadcast(name, self._value(name), mem.shape)
        return mem if mem.is_floating_point() else mem.to(torch.get_default_dtype())

    def subtract(self, drop: Tensor, *states: Tensor) -> States:
        """Return the states with the membrane potential lowered by ``drop``."""
        return *states[:-1], states[-1] - drop

    def transition(self, input_: Tensor, *states: Tensor) -> tuple[Tensor, States]:
        """Run one time step on complete states.

        Nothing is written to ``self``, unless the class has methods of its own, or some were
        set on the neuron: they read the states, and ``reset``, from there.

        Args:
            input_: Input of the step.
            *states: The states in the order of ``state_names``.

        Returns:
            The spikes, and the states to go on from.
        """
        states, adapt = self._apart(states)
        reads_self = bool(self._overridden or self._own_methods or self._set_here())
        if reads_self:
            self._store(self._together(states, adapt))
            self.reset = self.mem_reset(_lowered(states[-1], adapt))
        reset, bar = self._resets(states[-1], adapt), self._bar(adapt)
        risen = adapt
        if adapt is not None and self.reset_delay:
            fired, _ = self._fire(states[self.state_names[0] == "spk" :], adapt)
            risen = self._risen(adapt, fired)
        if self._has_own("_base_state_function") or self._has_own("state_function"):
            new = _tuple_of(self.state_function(input_))
        else:
            new = self._moved_on(reset, bar, states, lambda old: self._update(input_, old))
        if callable(self.state_quant):
            new = tuple(self.state_quant(state) for state in new)
        if reads_self:
            self._store(self._together((*states[: len(states) - len(new)], *new), risen))
        crossing, spk = self._fire(new, risen)
        if adapt is not None and not self.reset_delay:
            risen = self._risen(adapt, crossing)
        if reset is not None and not self.reset_delay:
            new = self._reset(crossing - reset.to(crossing.dtype), bar, new)
        new = (spk, *new) if len(new) < len(states) else new
        return spk, self._together(new, risen)

    def _risen(self, adapt: Tensor, crossing: Tensor) -> Tensor:
        """Return by how much the threshold is raised after a step with such spikes."""
        risen = self._adaptation().after(adapt, crossing)
        return self.state_quant(risen) if callable(self.state_quant) else risen

    def _bar(self, adapt: Tensor | None) -> Tensor:
        """Return the threshold, as high as it is raised."""
        threshold = self._value("threshold")
        return threshold if adapt is None else in_dtype(threshold, adapt.dtype) + adapt

    def _moved_on(
        self, reset: Tensor | None, bar: Tensor, states: States, update: Callable[[States], States]
    ) -> States:
        """Return the states after an update and the reset, before or behind it."""
        if reset is None:
            return update(states)
        first = {"jump": True, "zero": self.zeroes_old_states}
        if first.get(self._reset_mechanism, False):
            return update(self._reset(reset, bar, states))
        return self._reset(reset, bar, update(states))

    def _set_here(self) -> list[str]:
        """Return the methods that were set on this neuron, not on its class."""
        return [name for name in self._settable if name in self.__dict__]

    def _has_own(self, name: str) -> bool:
        """Return whether a method is one of the class's own, or was set on this neuron."""
        return name in self._own_methods or name in self.__dict__

    def _resets(self, mem: Tensor, adapt: Tensor | None) -> Tensor | None:
        """Return where the membrane potential before a step resets it, if there is a reset."""
        if self._reset_mechanism == "none":
            return None
        if self._has_own("mem_reset"):
            return self.reset
        return _lowered(mem, adapt) > self._value("threshold")

    def _update(self, input_: Tensor, states: States) -> States:
        """Return the states after `step`, its parameters in their dtype."""
        dtype = states[-1].dtype
        parameters = {
            name: in_dtype(value, dtype) for name, value in self.step_parameters().items()
        }
        return self.step(input_, *states, **parameters)

    def _reset(self, times: Tensor, bar: Tensor, states: States) -> States:
        """Apply the reset where ``times`` is true; or so often: 0, 1, or -1 to take one back."""
        if self._reset_mechanism == "zero":
            names = [name for name in self.state_names if name != ADAPT][-len(states) :]
            return tuple(
                cleared(times, state) if name in self.zeroed_states else state
                for name, state in zip(names, states, strict=True)
            )
        if self._reset_mechanism == "jump":
            pairs = zip(self.jump(*states), states, strict=True)
            return tuple(torch.where(times > 0, new, old) for new, old in pairs)
        drop = dropped(times, bar.to(states[-1].dtype))
        if self._reset_mechanism == "soft":
            drop = in_dtype(self._decay("beta"), drop.dtype) * drop
        return self.subtract(drop, *states)

    def _fire(self, states: States, adapt: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return where the states are above threshold, and the spikes they cause."""
        method = "fire_inhibition" if self.inhibition else "fire"
        if not self._has_own(method):
            crossing = self._crossing(_lowered(self.excess(*states), adapt), self.inhibition)
            return crossing, self._graded(crossing)
        mem = _lowered(self.readout(*states), adapt)
        spk = self.fire_inhibition(len(mem), mem) if self.inhibition else self.fire(mem)
        return spk / self._value("graded_spikes_factor"), spk

    def _crossing(self, excess: Tensor, inhibition: bool) -> Tensor:
        """Return H(excess) with its surrogate gradient."""
        crossing = self.spike_grad(excess)
        if not inhibition or 0 in excess.shape:
            return crossing
        samples = excess.detach().reshape(excess.shape[0] if excess.dim() > 1 else 1, -1)
        winner = torch.zeros_like(samples).scatter(1, samples.argmax(1, keepdim=True), 1)
        return crossing * winner.reshape(excess.shape)

    def _base_state_function(self, input_: Tensor) -> Any:
        """Return the update of the states on the module: what 1.0.0 lets a class override."""
        states, _ = self._apart(self._own_states())
        new = self._update(input_, states)
        return new[0] if len(new) == 1 else new

    def state_function(self, input_: Tensor) -> Any:
        """Return the states on the module after the update, and the reset that ``reset`` says."""

        def update(states: States) -> States:
            self._store(self._together(states, adapt))
            return _tuple_of(self._base_state_function(input_))

        states, adapt = self._apart(self._own_states())
        reset = None if self._reset_mechanism == "none" else self.reset
        new = self._moved_on(reset, self._bar(adapt), states, update)
        return new[0] if len(new) == 1 else new

    def fire(self, mem: Tensor) -> Tensor:
        """Return the spikes that the membrane potential ``mem``, quantized, causes."""
        mem = self._membrane(mem)
        if callable(self.state_quant):
            mem = self.state_quant(mem)
        return self._graded(self._crossing(self._over_threshold(mem), inhibition=False))

    def fire_inhibition(self, batch_size: int, mem: Tensor) -> Tensor:
        """Return the spikes that ``mem`` causes, at most one per sample.

        Args:
            batch_size: Number of samples: the size of the first dimension of ``mem``.
            mem: Membrane potential, (batch, neurons).

        Raises:
            ValueError: If ``mem`` has another number of samples.
        """
        expect_count(self, "batch_size", batch_size, 0)
        mem = self._membrane(mem)
        got = shape_of(mem)
        expect(got[:1] == (batch_size,), self, f"`mem` of {batch_size} samples", got)
        return self._graded(self._crossing(self._over_threshold(mem), inhibition=True))

    def mem_reset(self, mem: Tensor) -> Tensor:
        """Return R: 1 where ``mem`` is above threshold, without gradient."""
        return surrogate.spikes(self._over_threshold(self._membrane(mem)).detach())
