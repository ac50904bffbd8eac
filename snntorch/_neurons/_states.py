"""States that a module declares by name: kept, moved, reset, detached and copied from here.

They are buffers, so that they follow the module and are counted as memory of it, but they
are a batch's, not the module's: a state_dict and a file leave them out, and processes that
train together do not share them.
"""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_module_registration_hook
from torch.nn.parallel import DistributedDataParallel

from snntorch._neurons._values import ValueModule
from snntorch._torch import is_jit_traced


class StateModule(ValueModule):
    """A module with states, zero and without size until its first step."""

    #: Names of the states, in the order of arguments and of what is returned.
    state_names: ClassVar[tuple[str, ...]] = ("mem",)
    #: ``True`` lets pickles, and so files, hold the states of a neuron with ``init_hidden=True``.
    pickle_states: bool = False
    #: ``True`` keeps the states on the module from call to call.
    init_hidden: bool = False
    #: 1 where a step resets, else 0; there for methods that a class has of its own.
    reset: Tensor

    def _declare_states(self) -> None:
        for name in self.state_names:
            self.register_buffer(name, torch.zeros(0), persistent=False)

    def _own_states(self) -> tuple[Tensor, ...]:
        """Return the states that the last step left."""
        buffers = self._buffers
        return tuple(buffers[name] for name in self.state_names)  # type: ignore[misc]

    def _store(self, states: tuple[Tensor, ...]) -> None:
        """Keep states for the next step."""
        if torch.compiler.is_compiling():  # which follows attributes, not this dictionary
            for name, state in zip(self.state_names, states, strict=True):
                setattr(self, name, state)
            return
        buffers = self._buffers
        for name, state in zip(self.state_names, states, strict=True):
            buffers[name] = state

    def reset_mem(self) -> Any:
        """Zero the states and return states to start from.

        Returns:
            One tensor per state (alone if there is one), empty: it counts as zeros of
            whatever shape the next input asks for, so no batch size has to be known.
        """
        # not zeros_like: what a transform of torch.func left behind has only a shape, and a
        # trace that reads as much as that keeps what it is read from
        self._store(
            tuple(
                torch.zeros(0 if is_jit_traced() else old.shape, dtype=old.dtype, device=old.device)
                for old in self._own_states()
            )
        )
        device = self._value("threshold").device
        fresh = tuple(torch.zeros(0, device=device) for _ in self.state_names)
        return fresh[0] if len(fresh) == 1 else fresh

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
