"""States that a module declares by name: found, kept, moved, reset, detached and copied.

They are buffers, so that they follow the module and are counted as memory of it, but they
are a batch's, not the module's: a state_dict and a file leave them out, and processes that
train together do not share them.
"""

from __future__ import annotations

import copy
import warnings
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_module_registration_hook
from torch.nn.parallel import DistributedDataParallel

from snntorch._checks import expect, expect_real, expect_tensor, owner_name, shape_of
from snntorch._neurons._deferral import unnoted
from snntorch._neurons._values import ValueModule
from snntorch._torch import is_jit_traced
from snntorch.surrogate import on_ipu


def _zero_state(input_: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return zeros where the input is, in its dtype."""
    return torch.zeros(shape, dtype=_state_dtype(input_), device=input_.device)


def _state_dtype(input_: Tensor) -> torch.dtype:
    return input_.dtype if input_.is_floating_point() else torch.get_default_dtype()


class StateModule(ValueModule):
    """A module with states, zero and without size until its first step."""

    #: Names of the states, in the order of arguments and of what is returned.
    state_names: ClassVar[tuple[str, ...]] = ("mem",)
    #: ``True`` lets pickles, and so files, hold the states of a neuron with ``init_hidden=True``.
    pickle_states: bool = False
    #: ``True`` keeps the states on the module from call to call.
    init_hidden: bool = False
    #: Whether the input is current into each neuron, and so has the shape of the states.
    expands_input: ClassVar[bool] = True
    _told_of_batch: bool = False
    #: 1 where a step resets, else 0; there for methods that a class has of its own.
    reset: Tensor

    def _declare_states(self) -> None:
        for name in self.state_names:
            self.register_buffer(name, torch.zeros(0), persistent=False)

    def state_shape(self, input_: Tensor) -> tuple[int, ...]:
        """Return the shape of each state for one step's input: that to which all broadcasts."""
        shape, on_cpu = input_.shape, input_.is_cpu
        buffers = self._buffers
        for name in self._parameter_names:
            value = buffers.get(name)
            if value is None:
                value = self._value(name)
            if value.is_cpu is not on_cpu:
                self._expect_beside(name, input_)
            if value.dim() and value.shape != shape[-value.dim() :]:
                shape = self._broadcast(name, value, shape)
        return shape

    def _states(self, input_: Any, given: tuple[Any, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return a step's input and the complete states to start it from, of one shape."""
        if not isinstance(input_, Tensor):
            expect_tensor(self, "input_", input_)
        if not input_.is_floating_point():
            expect_real(self, "input_", input_)
            if input_.dtype is torch.bool:
                input_ = input_.to(torch.uint8)  # torch subtracts no truth values
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
                or state.dtype is not input_.dtype
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
        expect_real(self, name, state)
        if not state.is_floating_point():
            state = state.to(_state_dtype(input_))
        if state.numel() == 0:
            return _zero_state(input_, shape)
        if state.numel() == 1 and (state.device.type == "cpu" or not shape):
            state = state.reshape(()).to(input_.device)
        start = f"Start from `{', '.join(self._names_given())} = neuron.reset_mem()`"
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
                f"`{', '.join(self._names_given())} = neuron.reset_mem()` to say so.",
                UserWarning,
                stacklevel=2,
            )
        return _zero_state(input_, shape)

    def _own_states(self) -> tuple[Tensor, ...]:
        """Return the states that the last step left."""
        buffers = self._buffers
        return tuple(buffers[name] for name in self.state_names)  # type: ignore[misc]

    def _store(self, states: tuple[Tensor, ...]) -> None:
        """Keep states for the next step."""
        buffers = self._buffers
        for name, state in zip(self.state_names, states, strict=True):
            buffers[name] = state

    def reset_mem(self) -> Any:
        """Zero the states and return states to start from.

        Returns:
            One tensor per state (alone if there is one), empty: it counts as zeros of
            whatever shape the next input asks for, so no batch size has to be known.
        """
        with unnoted():
            fresh = self._zeroed()
        fresh = fresh[: len(self._names_given())]
        return fresh[0] if len(fresh) == 1 else fresh

    def _zeroed(self) -> tuple[Tensor, ...]:
        """Zero the states; returns empty ones."""
        device = self._value(self._parameter_names[0]).device
        fresh = tuple(torch.zeros(0, device=device) for _ in self.state_names)
        if torch.compiler.is_compiling():  # to look at old ones would compile each size anew
            self._store(fresh)
        elif self.init_hidden or not on_ipu():
            # not zeros_like: what a transform of torch.func left behind has only a shape, and a
            # trace that reads as much as that keeps what it is read from
            self._store(
                tuple(
                    torch.zeros(
                        0 if is_jit_traced() else old.shape, dtype=old.dtype, device=old.device
                    )
                    for old in self._own_states()
                )
            )
        return fresh

    def _names_given(self) -> tuple[str, ...]:
        """Return the states that a call takes and returns; others are kept from call to call."""
        return self.state_names

    def _with_hidden(self, given: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the states that a call was given, with None for one that it does not take."""
        return given + (None,) * (len(self.state_names) - len(given))

    def detach_mem(self) -> None:
        """Cut the states from the graph that led to them, in place of a time loop's past."""
        self._store(tuple(state.detach() for state in self._own_states()))

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        self.detach_mem()  # a graph does not move along
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]

    def _without_graphs(self, keep_states: bool) -> dict[str, Any]:
        """Return what a copy is made of: no graph can be copied, nor belongs to a copy."""
        buffers = {
            name: value if value is None or value.is_leaf else value.detach()
            for name, value in self._buffers.items()
        }
        for name in self.state_names:
            state = buffers[name]
            assert state is not None
            buffers[name] = state.detach() if keep_states else state.new_zeros(0)
        kept = {**self.__dict__, "_buffers": buffers}
        kept.pop("reset", None)  # the next step sets it
        return kept

    def __getstate__(self) -> dict[str, Any]:
        """Return what a pickle holds: the states of the last batch only if asked for."""
        return self._without_graphs(keep_states=self.pickle_states and self.init_hidden)

    def __deepcopy__(self, memo: dict[int, Any]) -> StateModule:
        copied = self.__class__.__new__(self.__class__)
        memo[id(self)] = copied
        copied.__setstate__(copy.deepcopy(self._without_graphs(keep_states=True), memo))  # type: ignore[no-untyped-call]
        return copied

    def __copy__(self) -> StateModule:
        copied = self.__class__.__new__(self.__class__)
        copied.__setstate__({**self.__dict__, "_buffers": dict(self._buffers)})  # type: ignore[no-untyped-call]
        return copied


def _leave_to_each_process(module: nn.Module, name: str, submodule: nn.Module | None) -> None:
    """Take the states in a net out of what DistributedDataParallel broadcasts.

    It sends the buffers of the first process to all others before each step. States are of
    each one's own samples, and of their number.
    """
    if isinstance(module, DistributedDataParallel) and submodule is not None:
        module.parameters_to_ignore.update(
            f"{path}.{state}" if path else state
            for path, part in submodule.named_modules()
            if isinstance(part, StateModule)
            for state in part._non_persistent_buffers_set.difference(part._parameter_names)
        )


register_module_module_registration_hook(_leave_to_each_process)
