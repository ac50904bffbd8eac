"""The layers of a net, and whether each can run through all of time before the next one does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from snntorch._checks import expect_module
from snntorch._layers.delay import SynapticDelay
from snntorch._neurons._unroll import describe
from snntorch._neurons.neurons import SpikingNeuron
from snntorch._torch import is_hooked, places_of
from snntorch._unroll.folding import is_random, why_not


@dataclass(frozen=True)
class Stage:
    """One module of a plan: it runs through all of time before the next one does.

    Attributes:
        kind: ``"fold"``: all time steps as one batch; ``"neuron"`` and ``"delay"``: by its
            ``unroll``; ``"loop"``: one time step after the other.
        name: Name of the module in the net.
        module: The module.
        reason: Why it is stepped, if it is.
    """

    kind: str
    name: str
    module: nn.Module
    reason: str = ""


def stages_of(owner: str, net: nn.Module) -> tuple[Stage, ...]:
    """Return the parts of a net, in the order in which they run."""
    expect_module(owner, "net", net)
    layers = list(_layers("", net))
    shared = _shared(layers)
    if shared is not None:
        return (Stage("loop", "", net, f"{shared} is used at several places"),)
    return tuple(_stage(name, layer) for name, layer in layers)


def _stage(name: str, module: nn.Module) -> Stage:
    if isinstance(module, SpikingNeuron):
        whole = "it takes a whole sequence in one call, and no single step"
        return Stage("neuron" if module.state_names else "loop", name, module, whole)
    hooked = is_hooked(module)
    if type(module) is SynapticDelay and module.init_hidden and not hooked:
        return Stage("delay", name, module)
    reason = "it has hooks, which see each step" if hooked else why_not(module)
    return Stage("fold", name, module) if reason is None else Stage("loop", name, module, reason)


def note_of(stage: Stage) -> str:
    """Return what is done with a part, in words."""
    if isinstance(stage.module, SpikingNeuron) and stage.kind == "neuron":
        return describe(stage.module)
    if stage.kind == "loop":
        return f"step by step: {stage.reason}"
    if stage.kind == "delay":
        return "all time steps shifted at once"
    random = ", random numbers drawn for all at once" if is_random(stage.module) else ""
    return f"all time steps as one batch{random}"


def _layers(name: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the layers of plain nn.Sequential, however nested, in order."""
    if type(module).forward is not nn.Sequential.forward or is_hooked(module):
        yield name, module
        return
    for child_name, child in places_of(module).items():
        assert child is not None
        yield from _layers(f"{name}.{child_name}" if name else child_name, child)


def _shared(layers: list[tuple[str, nn.Module]]) -> str | None:
    """Return the class of a part that several layers with a memory share, if there is one.

    Its states pass from place to place within a time step, so the order matters.
    """
    places: dict[nn.Module, int] = {}
    for _, layer in layers:
        for part in set(layer.modules()) if why_not(layer) else ():
            places[part] = places.get(part, 0) + 1
    return next((type(part).__name__ for part, count in places.items() if count > 1), None)
