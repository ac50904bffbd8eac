"""A neuron class of any equation as a kernel: its whole step as a function of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from snntorch._kernels.equations import States, in_dtype
from snntorch._kernels.problem import expands
from snntorch._kernels.traced.graph import Value
from snntorch._kernels.traced.run import Kernel, kernel
from snntorch._torch import is_traced

if TYPE_CHECKING:
    from snntorch._neurons.neurons import SpikingNeuron

#: Why there may be no kernel.
UNKNOWN = "no kernel knows its equation"


@dataclass(frozen=True)
class TracedStep:
    """One time step of a neuron, as a function of tensors alone.

    It is the neuron's own `transition`, run on a twin that has of the neuron only what is
    written here. So whatever it reads else is an error, and equal ones compute the same.

    Attributes:
        cls: Class of the neuron.
        step: The `step` of that class, as it was.
        constants: Attributes of the neuron: name, type and value.
        spike_grad: Its surrogate.
        own: Names of those of its parameters that are its own.
        derived: Names of those that its `step_parameters` returns.
    """

    cls: type[SpikingNeuron]
    step: Any
    constants: tuple[tuple[str, type, Any], ...]
    spike_grad: Any
    own: tuple[str, ...]
    derived: tuple[str, ...]

    def __call__(
        self, x: Tensor, states: Sequence[Tensor], values: Sequence[Tensor]
    ) -> tuple[Tensor, States]:
        """Return spikes and new states."""
        owned = dict(zip(self.own, values, strict=False))
        derived = dict(zip(self.derived, values[len(owned) :], strict=True))
        twin = self.cls.__new__(self.cls)
        twin.__dict__.update({name: value for name, _, value in self.constants})
        twin.__dict__.update(
            _parameters={},
            _buffers=owned,
            _modules={},
            _overridden=(),
            spike_grad=self.spike_grad,
            state_quant=None,
            step_parameters=lambda: derived,
        )
        before = {**twin.__dict__, **owned}
        spk, new = twin.transition(x, *states)
        after = {**twin.__dict__, **owned}
        if before.keys() != after.keys() or any(after[n] is not v for n, v in before.items()):
            raise TypeError("it writes to itself")
        return spk, new


def _is_constant(value: Any) -> bool:
    """Return whether a step can read an attribute, as its trace knows it by its value."""
    if isinstance(value, tuple):
        return all(map(_is_constant, value))
    return isinstance(value, (bool, int, float, str, type(None)))


def _why_not(neuron: SpikingNeuron) -> str | None:
    """Return why the step of a neuron is no function of its parameters alone, if so."""
    own = [name for name in ("forward", "_advance") if not _is_ours(type(neuron), name)]
    own += neuron._own_methods
    if not hasattr(neuron, "step"):
        return UNKNOWN
    if own:
        return f"its class has a {', '.join(own)} of its own"
    if neuron._modules:
        return f"{UNKNOWN}: it holds a {type(next(iter(neuron._modules.values()))).__name__}"
    return f"{UNKNOWN}: operations are recorded" if is_traced() else None


def _is_ours(cls: type, method: str) -> bool:
    owner = next(base for base in cls.__mro__ if method in vars(base))
    return owner.__module__.startswith("snntorch.")


def traced(neuron: SpikingNeuron, step: Tensor) -> tuple[Kernel, tuple[Tensor, ...]] | str:
    """Return a neuron's kernel for such a step's input, and its parameters; or why it has none."""
    reason = _why_not(neuron)
    if reason is not None:
        return reason
    if not step.numel():
        return f"{UNKNOWN}: no kernel is generated for no neurons"
    step = step.expand(neuron.state_shape(step))
    held = {**neuron._buffers, **neuron._parameters}
    own = {
        name: one
        for name, one in held.items()
        if one is not None and name not in neuron.state_names
        if one.is_floating_point() and expands(one, step)
    }
    derived = {n: in_dtype(v, step.dtype) for n, v in neuron.step_parameters().items()}
    constants = tuple(
        (name, type(value), value) for name, value in neuron.__dict__.items() if _is_constant(value)
    )
    told = TracedStep(
        type(neuron), type(neuron).step, constants, neuron.spike_grad, tuple(own), tuple(derived)
    )
    values = (*own.values(), *derived.values())
    if any(one.dtype != step.dtype for one in values):
        return f"{UNKNOWN}: its parameters are of another dtype than its input"
    facts = tuple(Value(one.numel() == 1, one.requires_grad) for one in values)
    found = kernel(told, step.dtype, step.shape, len(neuron.state_names), facts, step.device)
    return f"{UNKNOWN}: {found}" if isinstance(found, str) else (found, values)
