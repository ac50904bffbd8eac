"""What imported nets are made of besides layers and neurons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from snntorch._neurons._states import StateModule
from snntorch.utils import reset

#: States of all neurons, by their names in the net.
State = dict[str, tuple[Tensor, ...]]


class Scale(nn.Module):
    """Multiplies by one number for each neuron, and adds another.

    Args:
        scale: What to multiply by.
        shift: What to add.
        learn: Whether ``scale`` is a parameter.
    """

    nir_leaf = True
    scale: Tensor
    shift: Tensor

    def __init__(self, scale: Tensor, shift: Tensor | None = None, learn: bool = False) -> None:
        super().__init__()
        if learn:
            self.scale = nn.Parameter(scale)
        else:
            self.register_buffer("scale", scale)
        self.register_buffer("shift", scale.new_zeros(()) if shift is None else shift)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``scale * x + shift``."""
        return self.scale * x + self.shift


class Membrane(nn.Module):
    """Picks the membrane potential of what a neuron with ``output=True`` returns."""

    def forward(self, states: tuple[Tensor, ...]) -> Tensor:
        """Return the last state."""
        return states[-1]


class Graph(nn.Module):
    """A net whose layers take sums of what others gave, in an order given.

    Args:
        modules: The layers by name, in an order in which each follows those that it needs.
        sources: For each layer, which outputs add up to its input; ``"input"`` is the net's.
        outputs: For each value that the net returns, which outputs add up to it.
    """

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        sources: Mapping[str, tuple[str, ...]],
        outputs: tuple[tuple[str, ...], ...],
    ) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)
        self.sources = {name: sources[name] for name in modules}
        self.outputs = outputs

    def forward(self, x: Tensor) -> Any:
        """Run one time step."""
        values: dict[str, Any] = {"input": x}
        for name, sources in self.sources.items():
            values[name] = self._modules[name](_sum(values, sources))  # type: ignore[misc]
        returned = tuple(
            values[group[0]] if len(group) == 1 else _sum(values, group) for group in self.outputs
        )
        return returned if len(returned) > 1 else returned[0]

    def extra_repr(self) -> str:
        """Return what leads where, for ``print``."""
        lines = [f"{' + '.join(sources)} -> {name}" for name, sources in self.sources.items()]
        return "\n".join([*lines, *(f"{' + '.join(group)} ->" for group in self.outputs)])


def _sum(values: Mapping[str, Any], names: tuple[str, ...]) -> Tensor:
    parts = [values[name] for name in names]
    first, *others = (part[0] if isinstance(part, tuple) else part for part in parts)
    total: Tensor = first
    for other in others:
        total = total + other
    return total


class Stateful(nn.Module):
    """A net that takes the states of its neurons, and returns them.

    Args:
        net: A net whose neurons keep their states.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Any, State]:
        """Run one time step from the states given, zeros for ``None``.

        Returns:
            What the net returns, and the states by the names of the neurons.
        """
        reset(self.net)
        neurons = {
            name: module
            for name, module in self.net.named_modules()
            if isinstance(module, StateModule)
        }
        for name, states in (state or {}).items():
            for own, value in zip(neurons[name].state_names, states, strict=True):
                setattr(neurons[name], own, value)
        out = self.net(x)
        return out, {
            name: tuple(getattr(neuron, own) for own in neuron.state_names)
            for name, neuron in neurons.items()
        }
