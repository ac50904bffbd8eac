"""Who notes the steps of neurons instead of running them, by thread."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from threading import get_ident
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from snntorch._torch import is_traced, is_transformed, no_torch_function

if TYPE_CHECKING:
    from snntorch._neurons._states import StateModule
    from snntorch._neurons.neurons import SpikingNeuron


class Recorder(Protocol):
    """Notes steps."""

    def neuron_step(
        self, neuron: SpikingNeuron, input_: Any, given: tuple[Any, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Note one step, and leave its states on the neuron; returns its spikes, and those."""

    def keeps(self, module: StateModule) -> None:
        """Remember a module whose states may be placeholders when the loop ends."""


#: Recorders by the thread that they note for; empty while nobody does.
RECORDERS: dict[int, Recorder] = {}


def recorder() -> Recorder | None:
    """Return who notes for this thread."""
    return RECORDERS.get(get_ident()) if RECORDERS else None


def unnoted() -> AbstractContextManager[Any]:
    """Let nobody note what is within, as it takes nothing that a program computes."""
    return nullcontext() if recorder() is None else no_torch_function()


def can_note() -> bool:
    """Return whether nobody notes already, nor records or transforms what is run."""
    return recorder() is None and not (is_traced() or is_transformed())
