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
    expect_writable,
    owner_name,
)
from snntorch._kernels.equations import States
from snntorch._kernels.problem import CLEARS
from snntorch._neurons._adaptation import ADAPT
from snntorch._neurons._deferral import recorder
from snntorch._neurons._fused import fused_step
from snntorch._neurons._instances import WeakList
from snntorch._neurons._transition import METHODS, Transition
from snntorch._neurons._unroll import to_sequence, unroll_neuron
from snntorch._neurons._values import not_of_inference
from snntorch._torch import is_view

__all__ = ["LIF", "SpikingNeuron"]

#: What `SpikingNeuron.recurrence` returns: a kernel's model, its input current and its parameters.
Recurrence = tuple[str, Tensor, dict[str, Any]] | None

#: What a class may override only together with `recurrence`: a kernel would not know of it.
_COVERED = (
    *("forward", "transition", "step", "step_parameters", "state_shape", "readout", "excess"),
    *("subtract", "_update", "_reset", "_crossing", "_advance", *METHODS),
    *("zeroed_states", "zeroes_old_states", "decay_names", "state_names", "reset_mechanisms"),
)


class SpikingNeuron(Transition):
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
        Spikes and states have the shape to which input and parameters broadcast, and the dtype
        of the input, whatever that of a parameter. A pickle, and so a file of a net, leaves the
        states of the last batch out, unless ``neuron.pickle_states = True`` was set on a
        neuron with ``init_hidden=True``; ``copy.deepcopy`` keeps them.

        A class may have a ``_base_state_function``, ``fire``, ``fire_inhibition`` or
        ``mem_reset`` of its own. ``"zero"`` clears the membrane whatever led to it, where
        1.0.0 leaves a rest in such a Synaptic or RSynaptic.
    """

    #: What ``reset_mechanism`` can be; the position is ``reset_mechanism_val``.
    reset_mechanisms: ClassVar[tuple[str, ...]] = ("subtract", "zero", "none")
    #: Every neuron alive, for code that walks it. To reset or find those of a net use
    #: ``utils.reset(net)`` or ``net.modules()``.
    instances: ClassVar[WeakList[SpikingNeuron]] = WeakList()
    #: What a kernel calls :meth:`step`, if one knows it.
    model: ClassVar[str | None] = None
    #: Whether `model` says all that `recurrence` does.
    _tells_model: ClassVar[bool] = False
    #: Of each state besides the spikes, whether a reset to zero clears it.
    _cleared: ClassVar[tuple[bool, ...]] = (True,)

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
            n for n in METHODS if getattr(cls, n) is not getattr(SpikingNeuron, n)
        )
        others = ("spk", ADAPT)
        cls._cleared = tuple(n in cls.zeroed_states for n in cls.state_names if n not in others)
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
            The model (see ``snntorch._kernels.problem``), its input current, and its parameters
            by name, ``"through"`` being the recurrent layer, if there is one; None if no kernel
            covers the neuron, which is then run step by step.
        """
        feedback = self._feedback()
        if self.model is None or feedback is None:
            return None
        return self.model, input_, {**self.step_parameters(), **feedback}

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
        return unroll_neuron(self, to_sequence(self, input_, num_steps, "input_"), states, record)

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
        names = self._names_given()
        named = dict(zip(names, args, strict=False)) | kwargs
        return self._advance(input_, *(named.get(name) for name in names))

    def _stepped(self, input_: Tensor, given: tuple[Any, ...]) -> tuple[Tensor, States, States]:
        """Run one step; returns spikes, states, and what is kept of them."""
        input_, states = self._states(input_, given)
        done = fused_step(self, input_, states)
        if done is None:
            done = self.transition(*map(not_of_inference, (input_, *states)))
        spk, states = done
        if states[0] is spk and self.init_hidden:
            # the caller's may be written to, as by a layer that works in place
            return spk, states, (spk.clone(), *states[1:])
        return spk, states, states

    def _as_returned(self, out: tuple[Tensor, ...]) -> Any:
        """Return spikes and states in the form in which a call returns them."""
        return out

    def _advance(self, input_: Tensor, *given: Tensor | None) -> Any:
        """Run one step from the states given (those of the last call for ``None``)."""
        if self.adapts:
            given = self._with_hidden(given)
        noted = recorder()
        if noted is not None:
            spk, states = noted.neuron_step(self, input_, given)
        else:
            spk, states, kept = self._stepped(input_, given)
            if self.init_hidden or not surrogate.on_ipu():  # where a model's buffers have to stay
                self._store(kept)
        if self.init_hidden and not self.output:
            return spk
        if self.adapts:
            states = self._without_hidden(states)
        return states if states[0] is spk else (spk, *states)

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
            expect_tensor("detach", "args", state)
            what, hint = "`args` to be tensors of their own", "Call tensor.detach() of a view."
            untracked = torch.is_inference_mode_enabled() or state.is_inference()
            free = untracked or not is_view(state)
            expect(free, "detach", what, "a view of another", hint)
            state.detach_()

    @staticmethod
    def zeros(*args: Tensor) -> None:
        """Set the tensors to zero, in place."""
        with torch.no_grad():
            for state in args:
                expect_writable("zeros", "args", state)
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
            threshold=threshold,
            spike_grad=spike_grad,
            surrogate_disable=surrogate_disable,
            init_hidden=init_hidden,
            inhibition=inhibition,
            learn_threshold=learn_threshold,
            reset_mechanism=reset_mechanism,
            state_quant=state_quant,
            output=output,
            graded_spikes_factor=graded_spikes_factor,
            learn_graded_spikes_factor=learn_graded_spikes_factor,
        )
        self._register("beta", beta, learn_beta)
