"""The state machine behind every neuron: a neuron states its dynamics, this runs it."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from snntorch import surrogate
from snntorch._checks import expect, expect_choice, expect_tensor, owner_name, shape_of
from snntorch._neurons._fused import fits, reset_and_fire
from snntorch._neurons._values import ValueModule
from snntorch._unroll.neuron import to_sequence, unroll_neuron
from snntorch._unroll.step import fused_step
from snntorch.surrogate import SurrogateGradient

__all__ = ["LIF", "SpikingNeuron"]

States = tuple[Tensor, ...]
#: What `SpikingNeuron.recurrence` returns: model, drive and numbers of a kernel.
Recurrence = tuple[str, Tensor, dict[str, Any]] | None

#: What a class may override only together with `recurrence`: a kernel would not know of it.
_COVERED = (
    "forward",
    "transition",
    "step",
    "state_shape",
    "excess",
    "subtract",
    "fire",
    "_reset",
    "_crossing",
    "_advance",
)


def _zero_state(input_: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return zeros where the input is, in its dtype."""
    dtype = input_.dtype if input_.is_floating_point() else torch.get_default_dtype()
    return torch.zeros(shape, dtype=dtype, device=input_.device)


class SpikingNeuron(ValueModule):
    r"""Parent of all neurons: everything they share, written once.

    A neuron names its states in the order of its ``forward`` arguments and writes
    :meth:`step`, the update :math:`F` of one time step before any reset. This class
    finds the states, resets, quantizes, fires and stores:

    .. math::
        R[t] &= H(U[t-1] - \theta) \\
        U[t] &= F(x[t], U[t-1], \dots) - R[t]\,\theta \\
        S[t] &= g\,H(U[t] - \theta)

    Args:
        threshold: Firing threshold :math:`\theta`; one number, or one per neuron.
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
            :func:`snntorch.functional.quant.state_quant`; ``False`` for none.
        output: With ``init_hidden=True``: return the states besides the spikes.
        graded_spikes_factor: Size :math:`g` of a spike; one number, or one per neuron.
        learn_graded_spikes_factor: ``True`` makes it a parameter.

    Raises:
        ValueError: If ``reset_mechanism`` is unknown.
        TypeError: If a value is not numeric, or a function cannot be called.
    """

    #: Names of the states, in the order of arguments and of what is returned.
    state_names: ClassVar[tuple[str, ...]] = ("mem",)
    #: The states that a reset to zero clears.
    zeroed_states: ClassVar[tuple[str, ...]] = ("mem",)
    #: Whether a reset to zero clears the old states before the update, not the new ones.
    zeroes_old_states: ClassVar[bool] = False
    #: What ``reset_mechanism`` can be; the position is ``reset_mechanism_val``.
    reset_mechanisms: ClassVar[tuple[str, ...]] = ("subtract", "zero", "none")
    #: Every neuron alive, for code that walks it. To reset or find those of a net use
    #: ``utils.reset(net)`` or ``net.modules()``.
    instances: ClassVar[weakref.WeakSet[SpikingNeuron]] = weakref.WeakSet()
    #: ``False`` applies the reset of a spike in the step in which it fires.
    reset_delay: bool = True
    #: Whether threshold and reset are those of this class, and can be fused.
    _is_plain: ClassVar[bool] = False
    #: What was overridden since :meth:`recurrence` said what a kernel has to do.
    _overridden: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        threshold: Any = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "subtract",
        state_quant: Callable[[Tensor], Tensor] | bool = False,
        output: bool = False,
        graded_spikes_factor: Any = 1.0,
        learn_graded_spikes_factor: bool = False,
    ) -> None:
        super().__init__()
        expect_choice(self, "reset_mechanism", reset_mechanism, self.reset_mechanisms)
        expect(
            spike_grad is None or callable(spike_grad),
            self,
            "`spike_grad` to be a function of a tensor",
            repr(spike_grad),
            "Pass a surrogate such as surrogate.fast_sigmoid().",
            TypeError,
        )
        expect(
            state_quant is False or callable(state_quant),
            self,
            "`state_quant` to be a function of a tensor, or False",
            repr(state_quant),
            "Pass a quantizer such as functional.quant.state_quant(num_bits=8).",
            TypeError,
        )
        if surrogate_disable:
            spike_grad = surrogate.spikes
        if inhibition:
            warnings.warn(
                f"{owner_name(self)}: inhibition is meant for dense layers; in others the "
                "one winner of a sample is taken over all its dimensions.",
                UserWarning,
                stacklevel=3,
            )
        self.spike_grad = surrogate.atan() if spike_grad is None else spike_grad
        self.surrogate_disable = surrogate_disable
        self.init_hidden = init_hidden
        self.inhibition = inhibition
        self.output = output
        self.state_quant = state_quant
        self._reset_mechanism = reset_mechanism
        number = self.reset_mechanisms.index(reset_mechanism)
        self.register_buffer("reset_mechanism_val", torch.tensor(number))
        self._register("threshold", threshold, learn_threshold)
        self._register("graded_spikes_factor", graded_spikes_factor, learn_graded_spikes_factor)
        for name in self.state_names:
            setattr(self, name, torch.zeros(0))
        SpikingNeuron.instances.add(self)

    # --- what a neuron says of itself -------------------------------------------------

    step: Callable[..., States]
    """``step(input_, *states)`` returns the states after one update, before any reset.

    It writes nothing to ``self``. Recurrent neurons take the spikes that are fed back as
    their first state, and leave them out of what they return.
    """

    def state_shape(self, input_: Tensor) -> tuple[int, ...]:
        """Return the shape of each state for one step's input."""
        return input_.shape

    def excess(self, *states: Tensor) -> Tensor:
        """Return what fires where it is positive: membrane potential minus threshold."""
        return states[-1] - self._value("threshold")

    def subtract(self, drop: Tensor, *states: Tensor) -> States:
        """Return the states with the membrane potential lowered by ``drop``."""
        return *states[:-1], states[-1] - drop

    def recurrence(self, input_: Tensor) -> Recurrence:
        """Return what a kernel for whole sequences needs to know of this neuron.

        Args:
            input_: Input of one step, or of many.

        Returns:
            The model (see ``snntorch._unroll.recurrence``), what drives it, and its numbers
            by name, ``"through"`` being the layer that spikes come back through, if there is
            one; None if no kernel covers the neuron, which is then run step by step.
        """
        return None

    # --- one time step ----------------------------------------------------------------

    def transition(self, input_: Tensor, *states: Tensor) -> tuple[Tensor, States]:
        """Run one time step on complete states. Pure: nothing is written to ``self``.

        Args:
            input_: Input of the step.
            *states: The states in the order of ``state_names``.

        Returns:
            The spikes, and the states to go on from.
        """
        fired = None
        if self._reset_mechanism != "none":
            fired = (states[-1] > self._value("threshold")).to(states[-1].dtype)
        zeroes_old = self.zeroes_old_states and self._reset_mechanism == "zero"
        if fired is not None and zeroes_old:
            states = self._reset(fired, states)
        new = self.step(input_, *states)
        if fired is not None and not zeroes_old:
            new = self._reset(fired, new)
        if callable(self.state_quant):
            new = tuple(self.state_quant(state) for state in new)
        crossing = self._crossing(self.excess(*new), self.inhibition)
        if fired is not None and not self.reset_delay:
            new = self._reset(crossing - fired, new)
        return self._with_spikes(crossing, new)

    def _with_spikes(self, crossing: Tensor, states: States) -> tuple[Tensor, States]:
        spk = self._graded(crossing)
        return spk, (spk, *states) if len(states) < len(self.state_names) else states

    def _fused_transition(self, input_: Tensor, *states: Tensor) -> tuple[Tensor, States]:
        """Run :meth:`transition` with reset and threshold as one node of the graph."""
        new = self.step(input_, *states)
        mem, crossing = reset_and_fire(
            new[-1],
            states[-1],
            self._value("threshold"),
            self._reset_mechanism == "zero",
            cast(SurrogateGradient, self.spike_grad),
        )
        return self._with_spikes(crossing, (*new[:-1], mem))

    def _fuses(self, input_: Tensor, mem: Tensor) -> bool:
        """Return whether the fused transition covers this neuron, state and moment."""
        mechanism = self._reset_mechanism
        return (
            (mechanism == "subtract" or (mechanism == "zero" and not self.zeroes_old_states))
            and self._is_plain
            and self.reset_delay
            and not self.inhibition
            and not self.state_quant
            and type(self.spike_grad) is SurrogateGradient
            and input_.dtype == mem.dtype
            and fits(mem, self._value("threshold"))
            and not torch.compiler.is_compiling()  # the compiler fuses by itself
            and not torch._C._are_functorch_transforms_active()
        )

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._is_plain = (
            cls.excess is SpikingNeuron.excess
            and cls.subtract is SpikingNeuron.subtract
            and cls.zeroed_states == ("mem",)
        )
        owner = next(base for base in cls.__mro__ if "recurrence" in vars(base))
        known = _COVERED if owner is not SpikingNeuron else ()
        cls._overridden = tuple(n for n in known if getattr(cls, n) is not getattr(owner, n))

    def _reset(self, times: Tensor, states: States) -> States:
        """Apply the reset ``times`` times: 0 or 1, or -1 to take one back."""
        if self._reset_mechanism == "zero":
            names = self.state_names[-len(states) :]
            return tuple(
                state - times * state if name in self.zeroed_states else state
                for name, state in zip(names, states, strict=True)
            )
        drop = times * self._value("threshold")
        if self._reset_mechanism == "soft":
            drop = self._decay("beta") * drop
        return self.subtract(drop, *states)

    def _crossing(self, excess: Tensor, inhibition: bool) -> Tensor:
        """Return H(excess) with its surrogate gradient."""
        crossing = self.spike_grad(excess)
        if not inhibition:
            return crossing
        samples = excess.detach().reshape(excess.shape[0] if excess.dim() > 1 else 1, -1)
        winner = torch.zeros_like(samples).scatter_(1, samples.argmax(1, keepdim=True), 1)
        return crossing * winner.reshape(excess.shape)

    def fire(self, mem: Tensor) -> Tensor:
        """Return the spikes that the membrane potential ``mem`` causes."""
        return self._graded(self._crossing(mem - self._value("threshold"), inhibition=False))

    def fire_inhibition(self, batch_size: int, mem: Tensor) -> Tensor:
        """Return the spikes that ``mem`` causes, at most one per sample.

        Args:
            batch_size: Number of samples: the size of the first dimension of ``mem``.
            mem: Membrane potential, (batch, neurons).

        Raises:
            ValueError: If ``mem`` has another number of samples.
        """
        got = shape_of(mem)
        expect(got[:1] == (batch_size,), self, f"`mem` of {batch_size} samples", got)
        return self._graded(self._crossing(mem - self._value("threshold"), inhibition=True))

    def mem_reset(self, mem: Tensor) -> Tensor:
        """Return R: 1 where ``mem`` is above threshold, without gradient."""
        return surrogate.spikes((mem - self._value("threshold")).detach())

    # --- a whole sequence ----------------------------------------------------------------

    def unroll(
        self,
        input_: Tensor,
        *states: Tensor | None,
        num_steps: int | None = None,
        record: str | tuple[str, ...] | None = None,
    ) -> Any:
        """Run a whole sequence: what a loop over time returns, stacked, only sooner.

        The equations of the integrate-and-fire neurons run in one kernel over all time,
        forward and backward; others, and neurons with hooks, run the loop. Numbers and
        states left behind are those of the loop.

        Args:
            input_: (time, batch, ...), or one step's input together with ``num_steps``.
            *states: The states to start from, as for a call.
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
        return unroll_neuron(self, to_sequence(self, input_, num_steps), states, record)

    # --- states: found, stored, moved -------------------------------------------------

    def _advance(self, input_: Tensor, *given: Tensor | None) -> Any:
        """Run one step from the states given (those of the last call for ``None``)."""
        states = self._states(input_, given)
        done = fused_step(self, input_, states)
        if done is None:
            fused = self._fuses(input_, states[-1])
            done = (self._fused_transition if fused else self.transition)(input_, *states)
        spk, states = done
        for name, state in zip(self.state_names, states, strict=True):
            # nn.Module's own looks for parameters and modules first, which is slow
            object.__setattr__(self, name, state)
        if self.init_hidden and not self.output:
            return spk
        return states if states[0] is spk else (spk, *states)

    def _states(self, input_: Any, given: tuple[Tensor | None, ...]) -> States:
        """Return complete states of the right shape to start a step from."""
        if not isinstance(input_, Tensor):
            expect_tensor(self, "input_", input_)
        shape = self.state_shape(input_)
        states = []
        for name, passed in zip(self.state_names, given, strict=True):
            state = getattr(self, name) if passed is None else passed
            if passed is None:
                if state.shape != shape or state.device != input_.device:
                    state = _zero_state(input_, shape)
            elif self.init_hidden or not isinstance(state, Tensor) or state.shape != shape:
                state = self._fitted(name, state, input_, shape)
            states.append(state)
        return tuple(states)

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
        try:
            return cast(Tensor, state.expand(shape))
        except RuntimeError:
            raise ValueError(
                f"{owner_name(self)} expected `{name}` of shape {tuple(shape)}, to match its "
                f"input of shape {shape_of(input_)}, but got {shape_of(state)}.\n"
                f"Start from `{', '.join(self.state_names)} = neuron.reset_mem()`, or pass a "
                "state that can be expanded to that shape."
            ) from None

    def reset_mem(self) -> Any:
        """Zero the states and return states to start from.

        Returns:
            One tensor per state (alone if there is one), empty: it counts as zeros of
            whatever shape the next input asks for, so no batch size has to be known.
        """
        for name in self.state_names:
            old: Tensor = getattr(self, name)
            # not zeros_like: what a transform of torch.func left behind has only a shape
            setattr(self, name, torch.zeros(old.shape, dtype=old.dtype, device=old.device))
        device = self._value("threshold").device
        fresh = tuple(torch.zeros(0, device=device) for _ in self.state_names)
        return fresh[0] if len(fresh) == 1 else fresh

    def detach_mem(self) -> None:
        """Cut the states from the graph that led to them, in place of a time loop's past."""
        for name in self.state_names:
            setattr(self, name, getattr(self, name).detach())

    @classmethod
    def reset_hidden(cls) -> None:
        """Zero the states of every living neuron of this class, in any net.

        For one net use :func:`snntorch.utils.reset`.
        """
        for neuron in tuple(SpikingNeuron.instances):
            if isinstance(neuron, cls):
                neuron.reset_mem()

    @classmethod
    def detach_hidden(cls) -> None:
        """Detach the states of every living neuron of this class, in any net."""
        for neuron in tuple(SpikingNeuron.instances):
            if isinstance(neuron, cls):
                neuron.detach_mem()

    @staticmethod
    def init() -> None:
        """Forget the neurons built so far: ``instances`` starts anew."""
        SpikingNeuron.instances.clear()

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

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        module = super()._apply(fn, recurse)
        for name in self.state_names:
            setattr(self, name, fn(getattr(self, name).detach()))
        return module

    def __getstate__(self) -> dict[str, Any]:
        # a graph can neither be copied nor pickled, and does not belong to a copy
        states = {name: getattr(self, name).detach() for name in self.state_names}
        return {**super().__getstate__(), **states}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        SpikingNeuron.instances.add(self)


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
        state_quant: Callable[[Tensor], Tensor] | bool = False,
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
