"""The state machine behind every neuron: a neuron states its dynamics, this runs it."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from snntorch import surrogate
from snntorch._checks import (
    expect,
    expect_choice,
    expect_flag,
    expect_tensor,
    owner_name,
    shape_of,
)
from snntorch._kernels.equations import States, cleared, dropped, in_dtype
from snntorch._kernels.problem import CLEARS
from snntorch._neurons._fused import fused_step
from snntorch._neurons._instances import WeakList
from snntorch._neurons._states import StateModule
from snntorch._neurons._unroll import to_sequence, unroll_neuron
from snntorch._neurons._values import not_of_inference

__all__ = ["LIF", "SpikingNeuron"]

#: What `SpikingNeuron.recurrence` returns: model, drive and numbers of a kernel.
Recurrence = tuple[str, Tensor, dict[str, Any]] | None

#: The methods by which snnTorch 1.0.0 runs a step, for a class to override.
_METHODS = ("_base_state_function", "fire", "fire_inhibition", "mem_reset")
#: What a class may override only together with `recurrence`: a kernel would not know of it.
_COVERED = (
    *("forward", "transition", "step", "step_parameters", "state_shape", "readout", "excess"),
    *("subtract", "_update", "_reset", "_crossing", "_advance", *_METHODS),
    *("zeroed_states", "zeroes_old_states", "decay_names", "state_names"),
)


def _tuple_of(states: Any) -> States:
    return states if isinstance(states, tuple) else (states,)


def _zero_state(input_: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return zeros where the input is, in its dtype."""
    dtype = input_.dtype if input_.is_floating_point() else torch.get_default_dtype()
    return torch.zeros(shape, dtype=dtype, device=input_.device)


class SpikingNeuron(StateModule):
    r"""Parent of all neurons: everything they share, written once.

    A neuron names its states in the order of its ``forward`` arguments and writes
    :meth:`step`, the update :math:`F` of one time step before any reset. This class
    finds the states, resets, quantizes, fires and stores:

    .. math::
        R[t] &= H(U[t-1] - \theta) \\
        U[t] &= F(x[t], U[t-1], \dots) - R[t]\,\theta \\
        S[t] &= g\,H(U[t] - \theta)

    Args:
        threshold: Firing threshold :math:`\theta`; one number, or one per neuron. Infinite
            for a neuron that only integrates.
        spike_grad: Surrogate gradient, see :mod:`snntorch.surrogate`; ``None`` takes
            ``surrogate.atan()``.
        surrogate_disable: ``True`` fires by a plain Heaviside step, without gradient.
        init_hidden: ``True`` keeps the states on the module, as ``nn.Sequential`` needs.
        inhibition: ``True`` lets only the neuron with the largest :math:`U - \theta` of
            each sample fire. Meant for dense layers.
        learn_threshold: ``True`` makes the threshold a parameter.
        reset_mechanism: What a spike does to the membrane in the next step:
            ``"subtract"`` takes the threshold off, ``"zero"`` clears it, ``"none"``
            leaves it.
        state_quant: Quantizer of the states, see
            :func:`snntorch.functional.quant.state_quant`; ``False`` or ``None`` for none.
        output: With ``init_hidden=True``: return the states besides the spikes.
        graded_spikes_factor: Size :math:`g` of a spike; one number, or one per neuron.
        learn_graded_spikes_factor: ``True`` makes it a parameter.

    Raises:
        ValueError: If ``reset_mechanism`` is unknown.
        TypeError: If a value is not numeric, or a function cannot be called.

    Note:
        Spikes and states have the shape to which input and numbers broadcast, and the dtype
        of the input, whatever that of a number. A pickle, and so a file of a net, leaves the
        states of the last batch out, unless ``neuron.pickle_states = True`` was set on a
        neuron with ``init_hidden=True``; ``copy.deepcopy`` keeps them.

        A class may have a ``_base_state_function``, ``fire``, ``fire_inhibition`` or
        ``mem_reset`` of its own. ``"zero"`` clears the membrane whatever led to it, where
        1.0.0 leaves a rest in such a Synaptic or RSynaptic.
    """

    #: The states that a reset to zero clears.
    zeroed_states: ClassVar[tuple[str, ...]] = ("mem",)
    #: Whether a reset to zero clears the old states before the update, not the new ones.
    zeroes_old_states: ClassVar[bool] = False
    #: What ``reset_mechanism`` can be; the position is ``reset_mechanism_val``.
    reset_mechanisms: ClassVar[tuple[str, ...]] = ("subtract", "zero", "none")
    #: Every neuron alive, for code that walks it. To reset or find those of a net use
    #: ``utils.reset(net)`` or ``net.modules()``.
    instances: ClassVar[WeakList[SpikingNeuron]] = WeakList()
    #: ``False`` applies the reset of a spike in the step in which it fires.
    reset_delay: bool = True
    #: Whether the input is current into each neuron, and so has the shape of the states.
    expands_input: ClassVar[bool] = True
    #: What a kernel calls :meth:`step`, if one knows it.
    model: ClassVar[str | None] = None
    _told_of_batch: bool = False
    #: What was overridden since the class that names its model, or says `recurrence`.
    _overridden: ClassVar[tuple[str, ...]] = ()
    #: Whether `model` says all that `recurrence` does.
    _tells_model: ClassVar[bool] = False
    #: Of each state besides the spikes, whether a reset to zero clears it.
    _cleared: ClassVar[tuple[bool, ...]] = (True,)
    #: Those of `_METHODS` that a class has of its own.
    _own_methods: ClassVar[tuple[str, ...]] = ()
    #: Methods that count if they are set on one neuron, too.
    _settable: ClassVar[tuple[str, ...]] = ("state_function", *_METHODS)
    #: The numbers that `step` asks for.
    _step_names: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        threshold: Any = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "subtract",
        state_quant: Callable[[Tensor], Tensor] | bool | None = False,
        output: bool = False,
        graded_spikes_factor: Any = 1.0,
        learn_graded_spikes_factor: bool = False,
    ) -> None:
        super().__init__()
        expect_choice(self, "reset_mechanism", reset_mechanism, self.reset_mechanisms)
        expect_flag(self, "init_hidden", init_hidden)
        expect_flag(self, "inhibition", inhibition)
        expect_flag(self, "output", output)
        expect(
            state_quant is False or state_quant is None or callable(state_quant),
            self,
            "`state_quant` to be a function of a tensor, or False",
            repr(state_quant),
            "Pass a quantizer such as functional.quant.state_quant(num_bits=8).",
            TypeError,
        )
        if inhibition:
            warnings.warn(
                f"{owner_name(self)}: inhibition is meant for dense layers; in others the "
                "one winner of a sample is taken over all its dimensions.",
                UserWarning,
                stacklevel=3,
            )
        self.spike_grad = surrogate.chosen(self, spike_grad, surrogate_disable)
        self.surrogate_disable = surrogate_disable
        self.init_hidden = init_hidden
        self.inhibition = inhibition
        self.output = output
        self.state_quant = state_quant
        self._reset_mechanism = reset_mechanism
        with torch.inference_mode(False):
            number = torch.tensor(self.reset_mechanisms.index(reset_mechanism))
        self.register_buffer("reset_mechanism_val", number)
        self._register("threshold", threshold, learn_threshold)
        self._register("graded_spikes_factor", graded_spikes_factor, learn_graded_spikes_factor)
        self._declare_states()
        self._enlist()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        told = (base for base in cls.__mro__ if "recurrence" in vars(base) or "model" in vars(base))
        owner = next(told)
        known = _COVERED if owner is not SpikingNeuron else ()
        cls._overridden = tuple(n for n in known if getattr(cls, n) != getattr(owner, n))
        cls._own_methods = tuple(
            n for n in _METHODS if getattr(cls, n) is not getattr(SpikingNeuron, n)
        )
        cls._cleared = tuple(n in cls.zeroed_states for n in cls.state_names if n != "spk")
        cls._tells_model = (
            cls.model is not None
            and cls._cleared == CLEARS[cls.model]
            and cls.recurrence is SpikingNeuron.recurrence
            and cls.step_parameters is SpikingNeuron.step_parameters
        )
        if hasattr(cls, "step"):
            arguments = inspect.signature(cls.step).parameters.values()
            cls._step_names = tuple(a.name for a in arguments if a.kind is a.KEYWORD_ONLY)

    def _enlist(self) -> None:
        if type(SpikingNeuron.instances) is not WeakList:  # old code assigns a list of its own
            SpikingNeuron.instances = WeakList(SpikingNeuron.instances)
        SpikingNeuron.instances.append(self)

    # --- what a neuron says of itself -------------------------------------------------

    step: Callable[..., States]
    """``step(input_, *states, *, beta, ...)``: the states after one update, before any reset.

    A function of tensors alone. Its keyword arguments are the numbers that it is made of, see
    :meth:`step_parameters`. For recurrent neurons the first state, the spikes, is what came back
    through their layer; they leave it out of what they return.
    """

    def step_parameters(self) -> dict[str, Tensor]:
        """Return the numbers that :meth:`step` asks for: decay rates clamped to [0, 1]."""
        return {
            name: self._decay(name) if name in self.decay_names else self._value(name)
            for name in self._step_names
        }

    def state_shape(self, input_: Tensor) -> tuple[int, ...]:
        """Return the shape of each state for one step's input: that to which all broadcasts."""
        shape = input_.shape
        buffers = self._buffers
        for name in self._parameter_names:
            value = buffers.get(name)
            if value is None:
                value = self._value(name)
            if value.dim() and value.shape != shape[-value.dim() :]:
                shape = self._broadcast(name, value, shape)
        return shape

    def _broadcast(self, name: str, value: Tensor, shape: torch.Size) -> torch.Size:
        try:
            return torch.Size(torch.broadcast_shapes(shape, value.shape))  # type: ignore[no-untyped-call]
        except RuntimeError:
            what = f"`{name}` to broadcast with a step of shape {tuple(shape)}"
            hint = "Give one number for all neurons, or one for each in the last dimension."
            expect(False, self, what, shape_of(value), hint)
            raise

    def _expect_no_wider(self, name: str, shape: torch.Size) -> None:
        """Raise ``ValueError`` unless a number expands to a shape that no number can change."""
        value = self._value(name)
        if value.dim():
            wide = self._broadcast(name, value, shape)
            expect(wide == shape, self, f"`{name}` to expand to {tuple(shape)}", shape_of(value))

    def readout(self, *states: Tensor) -> Tensor:
        """Return what fires where it exceeds the threshold."""
        return states[-1]

    def excess(self, *states: Tensor) -> Tensor:
        """Return what fires where it is positive: membrane potential minus threshold."""
        return self._over_threshold(self.readout(*states))

    def _over_threshold(self, mem: Tensor) -> Tensor:
        expect_tensor(self, "mem", mem)
        return mem - in_dtype(self._value("threshold"), mem.dtype)

    def subtract(self, drop: Tensor, *states: Tensor) -> States:
        """Return the states with the membrane potential lowered by ``drop``."""
        return *states[:-1], states[-1] - drop

    def _clears_as(self, model: str | None) -> bool:
        """Return whether a reset to zero clears the states that it clears in a model."""
        return model is not None and self._cleared == CLEARS[model]

    def _feedback(self) -> dict[str, Any] | None:
        """Return what a kernel needs to know of spikes that come back; None if it knows no such."""
        return {}

    def recurrence(self, input_: Tensor) -> Recurrence:
        """Return what a kernel for whole sequences needs to know of this neuron.

        Args:
            input_: Input of one step, or of many.

        Returns:
            The model (see ``snntorch._kernels.problem``), what drives it, and its numbers
            by name, ``"through"`` being the layer that spikes come back through, if there is
            one; None if no kernel covers the neuron, which is then run step by step.
        """
        feedback = self._feedback()
        if self.model is None or feedback is None:
            return None
        return self.model, input_, {**self.step_parameters(), **feedback}

    # --- one time step ----------------------------------------------------------------

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
        reads_self = bool(self._overridden or self._own_methods or self._set_here())
        if reads_self:
            self._store(states)
            self.reset = self.mem_reset(states[-1])
        reset = self._resets(states[-1])
        if self._has_own("_base_state_function") or self._has_own("state_function"):
            new = _tuple_of(self.state_function(input_))
        else:
            new = self._moved_on(reset, states, lambda old: self._update(input_, old))
        if callable(self.state_quant):
            new = tuple(self.state_quant(state) for state in new)
        if reads_self:
            self._store((*states[: len(states) - len(new)], *new))
        crossing, spk = self._fire(new)
        if reset is not None and not self.reset_delay:
            new = self._reset(crossing - reset.to(crossing.dtype), new)
        return spk, (spk, *new) if len(new) < len(self.state_names) else new

    def _moved_on(
        self, reset: Tensor | None, states: States, update: Callable[[States], States]
    ) -> States:
        """Return the states after an update and the reset, before or behind it."""
        if reset is None:
            return update(states)
        if self.zeroes_old_states and self._reset_mechanism == "zero":
            return update(self._reset(reset, states))
        return self._reset(reset, update(states))

    def _set_here(self) -> list[str]:
        """Return the methods that were set on this neuron, not on its class."""
        return [name for name in self._settable if name in self.__dict__]

    def _has_own(self, name: str) -> bool:
        """Return whether a method is one of the class's own, or was set on this neuron."""
        return name in self._own_methods or name in self.__dict__

    def _resets(self, mem: Tensor) -> Tensor | None:
        """Return where the membrane potential before a step resets it, if there is a reset."""
        if self._reset_mechanism == "none":
            return None
        if self._has_own("mem_reset"):
            return self.reset
        return mem > self._value("threshold")

    def _update(self, input_: Tensor, states: States) -> States:
        """Return the states after `step`, its numbers in their dtype."""
        dtype = states[-1].dtype
        numbers = {name: in_dtype(value, dtype) for name, value in self.step_parameters().items()}
        return self.step(input_, *states, **numbers)

    def _reset(self, times: Tensor, states: States) -> States:
        """Apply the reset where ``times`` is true; or so often: 0, 1, or -1 to take one back."""
        if self._reset_mechanism == "zero":
            names = self.state_names[-len(states) :]
            return tuple(
                cleared(times, state) if name in self.zeroed_states else state
                for name, state in zip(names, states, strict=True)
            )
        drop = dropped(times, self._value("threshold").to(states[-1].dtype))
        if self._reset_mechanism == "soft":
            drop = in_dtype(self._decay("beta"), drop.dtype) * drop
        return self.subtract(drop, *states)

    def _fire(self, states: States) -> tuple[Tensor, Tensor]:
        """Return where the states are above threshold, and the spikes they cause."""
        method = "fire_inhibition" if self.inhibition else "fire"
        if not self._has_own(method):
            crossing = self._crossing(self.excess(*states), self.inhibition)
            return crossing, self._graded(crossing)
        mem = self.readout(*states)
        spk = self.fire_inhibition(len(mem), mem) if self.inhibition else self.fire(mem)
        return spk / self._value("graded_spikes_factor"), spk

    def _crossing(self, excess: Tensor, inhibition: bool) -> Tensor:
        """Return H(excess) with its surrogate gradient."""
        crossing = self.spike_grad(excess)
        if not inhibition or not excess.numel():
            return crossing
        samples = excess.detach().reshape(excess.shape[0] if excess.dim() > 1 else 1, -1)
        winner = torch.zeros_like(samples).scatter_(1, samples.argmax(1, keepdim=True), 1)
        return crossing * winner.reshape(excess.shape)

    def _base_state_function(self, input_: Tensor) -> Any:
        """Return the update of the states on the module: what 1.0.0 lets a class override."""
        new = self._update(input_, self._own_states())
        return new[0] if len(new) == 1 else new

    def state_function(self, input_: Tensor) -> Any:
        """Return the states on the module after the update, and the reset that ``reset`` says."""

        def update(states: States) -> States:
            self._store(states)
            return _tuple_of(self._base_state_function(input_))

        reset = None if self._reset_mechanism == "none" else self.reset
        new = self._moved_on(reset, self._own_states(), update)
        return new[0] if len(new) == 1 else new

    def fire(self, mem: Tensor) -> Tensor:
        """Return the spikes that the membrane potential ``mem``, quantized, causes."""
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
        expect_tensor(self, "mem", mem)
        got = shape_of(mem)
        expect(got[:1] == (batch_size,), self, f"`mem` of {batch_size} samples", got)
        return self._graded(self._crossing(self._over_threshold(mem), inhibition=True))

    def mem_reset(self, mem: Tensor) -> Tensor:
        """Return R: 1 where ``mem`` is above threshold, without gradient."""
        return surrogate.spikes(self._over_threshold(mem).detach())

    # --- a whole sequence ----------------------------------------------------------------

    def unroll(
        self,
        input_: Tensor,
        *states: Tensor | None,
        num_steps: int | None = None,
        record: str | tuple[str, ...] | None = None,
    ) -> Any:
        """Run a whole sequence: what a loop over time returns, stacked, only faster.

        The equations of the integrate-and-fire neurons run in one kernel over all time,
        forward and backward; others, and neurons with hooks, run the loop. Numbers and
        states left behind are those of the loop.

        Args:
            input_: (time, batch, ...), or one step's input together with ``num_steps``.
            *states: The states to start from, as for a call. Left out, a neuron with
                ``init_hidden=True`` goes on from its own, and others start from zeros.
            num_steps: Number of steps for which to repeat the input.
            record: What to return, of ``"spk"`` and ``state_names``: one name for one
                tensor, or a tuple of names. ``None`` returns what a call returns.

        Returns:
            What a call returns, each tensor with time as its first dimension.

        Raises:
            ValueError: If there is no time step, ``record`` names something else, or a
                state does not fit the input.
            TypeError: If a state is passed with ``init_hidden=True``, or not all are.

        Examples:
            >>> import torch, snntorch as snn
            >>> lif = snn.Leaky(beta=0.9)
            >>> spk, mem = lif.unroll(torch.rand(100, 8, 10))
            >>> spk.shape
            torch.Size([100, 8, 10])
            >>> lif.unroll(torch.rand(8, 10), num_steps=100, record="spk").shape
            torch.Size([100, 8, 10])
        """
        if not states and not self.init_hidden:
            self.reset_mem()
        return unroll_neuron(self, to_sequence(self, input_, num_steps), states, record)

    # --- states: found, stored, moved -------------------------------------------------

    def forward(self, input_: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Run one time step from the states given; returns the spikes and the states."""
        expect(
            hasattr(self, "step"),
            self,
            "a class with an equation",
            f"{owner_name(self)}, the parent of such classes",
            "Use snn.Leaky(beta=0.9), or a class of your own that has a `step`.",
            TypeError,
        )
        named = dict(zip(self.state_names, args, strict=False)) | kwargs
        return self._advance(input_, *(named.get(name) for name in self.state_names))

    def _advance(self, input_: Tensor, *given: Tensor | None) -> Any:
        """Run one step from the states given (those of the last call for ``None``)."""
        input_, states = self._states(input_, given)
        done = fused_step(self, input_, states)
        if done is None:
            done = self.transition(input_, *map(not_of_inference, states))
        spk, states = done
        kept = states
        if states[0] is spk and self.init_hidden:
            # the caller's may be written to, as by a layer that works in place
            kept = (spk.clone(), *states[1:])
        self._store(kept)
        if self.init_hidden and not self.output:
            return spk
        return states if states[0] is spk else (spk, *states)

    def _states(self, input_: Any, given: tuple[Any, ...]) -> tuple[Tensor, States]:
        """Return a step's input and the complete states to start it from, of one shape."""
        if not isinstance(input_, Tensor):
            expect_tensor(self, "input_", input_)
        if input_.is_complex():
            expect(False, self, "a real `input_`", input_.dtype, "Pass its real part.", TypeError)
        shape = self.state_shape(input_)
        states = []
        buffers = self._buffers
        for name, passed in zip(self.state_names, given, strict=True):
            state: Any = buffers[name] if passed is None else passed
            if passed is None:
                if state.shape != shape or state.device != input_.device:
                    state = _zero_state(input_, shape)
            elif (
                self.init_hidden
                or not isinstance(state, Tensor)
                or state.shape != shape
                or state.is_cpu is not input_.is_cpu  # a whole device takes time to compare
            ):
                state = self._fitted(name, state, input_, shape)
            states.append(state)
        if self.expands_input and input_.shape != shape:
            input_ = input_.expand(shape)
        return input_, tuple(states)

    def _fitted(self, name: str, state: Any, input_: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Return a passed state in full shape: empty counts as zeros, others expand."""
        expect(
            not self.init_hidden,
            self,
            f"no `{name}` with init_hidden=True, which keeps the states on the module",
            "one",
            f"Leave `{name}` out, or build the neuron with init_hidden=False.",
            TypeError,
        )
        expect_tensor(self, name, state)
        if state.numel() == 0:
            return _zero_state(input_, shape)
        if state.numel() == 1 and (state.device.type == "cpu" or not shape):
            state = state.reshape(()).to(input_.device)
        start = f"Start from `{', '.join(self.state_names)} = neuron.reset_mem()`"
        expect(
            state.device == input_.device,
            self,
            f"`{name}` on device {input_.device}, where its input is",
            f"one on {state.device}",
            f"{start}, or move it: {name}.to({str(input_.device)!r}).",
        )
        if state.dim() > 1 and len(state) != 1 and state.shape[1:] == tuple(shape)[1:]:
            return self._of_another_batch(name, state, input_, shape)
        try:
            expanded: Tensor = state.expand(shape)
            return expanded
        except RuntimeError:
            raise ValueError(
                f"{owner_name(self)} expected `{name}` of shape {tuple(shape)}, to match its "
                f"input of shape {shape_of(input_)}, but got {shape_of(state)}.\n"
                f"{start}, or pass a state that can be expanded to that shape."
            ) from None

    def _of_another_batch(
        self, name: str, state: Tensor, input_: Tensor, shape: tuple[int, ...]
    ) -> Tensor:
        """Return zeros, as 1.0.0 does, where a state was carried over from another batch."""
        if len(state) == shape[0]:
            return state
        if not self._told_of_batch:
            self._told_of_batch = True
            warnings.warn(
                f"{owner_name(self)} got `{name}` of a batch of {len(state)} for one of "
                f"{shape[0]}, and starts from zeros. Start each sequence from "
                f"`{', '.join(self.state_names)} = neuron.reset_mem()` to say so.",
                UserWarning,
                stacklevel=2,
            )
        return _zero_state(input_, shape)

    @classmethod
    def reset_hidden(cls) -> None:
        """Zero the states of every living neuron of this class, in any net.

        For one net use :func:`snntorch.utils.reset`.
        """
        for neuron in SpikingNeuron.instances:
            if isinstance(neuron, cls):
                neuron.reset_mem()

    @classmethod
    def detach_hidden(cls) -> None:
        """Detach the states of every living neuron of this class, in any net."""
        for neuron in SpikingNeuron.instances:
            if isinstance(neuron, cls):
                neuron.detach_mem()

    @staticmethod
    def init() -> None:
        """Forget the neurons built so far: ``instances`` starts anew."""
        SpikingNeuron.instances = WeakList()

    @staticmethod
    def detach(*args: Tensor) -> None:
        """Detach the tensors from their graphs, in place."""
        for state in args:
            state.detach_()

    @staticmethod
    def zeros(*args: Tensor) -> None:
        """Set the tensors to zero, in place."""
        with torch.no_grad():
            for state in args:
                state.zero_()

    @property
    def reset_mechanism(self) -> str:
        """What a spike does to the membrane; can be set at any time."""
        return self._reset_mechanism

    @reset_mechanism.setter
    def reset_mechanism(self, mechanism: str) -> None:
        expect_choice(self, "reset_mechanism", mechanism, self.reset_mechanisms)
        self._reset_mechanism = mechanism
        self._value("reset_mechanism_val").fill_(self.reset_mechanisms.index(mechanism))

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        number = self._value("reset_mechanism_val")
        if not number.is_meta:
            known = 0 <= int(number) < len(self.reset_mechanisms)
            valid = f"reset_mechanism_val in 0...{len(self.reset_mechanisms) - 1}"
            expect(known, self, f"a state_dict with {valid}", int(number))
            self._reset_mechanism = self.reset_mechanisms[int(number)]

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._enlist()

    def extra_repr(self) -> str:
        """Return what tells this neuron from another, for ``print``."""
        parts = [
            f"{name}={self._shown(name)}"
            for name in self._parameter_names
            if self._is_telling(name)
        ]
        if len(self.reset_mechanisms) > 1:
            parts.append(f"reset_mechanism={self._reset_mechanism!r}")
        flags = ("init_hidden", "output", "inhibition")
        parts += [f"{name}=True" for name in flags if getattr(self, name)]
        if not self.reset_delay:
            parts.append("reset_delay=False")
        return ", ".join(parts)

    def _is_telling(self, name: str) -> bool:
        value = self._value(name)
        return name != "graded_spikes_factor" or value.requires_grad or self._shown(name) != "1"


class LIF(SpikingNeuron):
    r"""Parent of the leaky integrate-and-fire neurons: a decay rate on top.

    Args:
        beta: Decay rate :math:`\beta` of the membrane potential per time step, clamped
            to [0, 1] where it is used; one number, or one per neuron.
        learn_beta: ``True`` makes it a parameter.
        threshold: As the other arguments, see :class:`SpikingNeuron`.
    """

    decay_names: ClassVar[tuple[str, ...]] = ("beta",)

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
    ) -> None:
        super().__init__(
            threshold,
            spike_grad,
            surrogate_disable,
            init_hidden,
            inhibition,
            learn_threshold,
            reset_mechanism,
            state_quant,
            output,
            graded_spikes_factor,
            learn_graded_spikes_factor,
        )
        self._register("beta", beta, learn_beta)
