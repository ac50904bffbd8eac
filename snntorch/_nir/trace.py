"""How a value flows through one step of a net: found by running it on an example."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from snntorch._checks import expect
from snntorch._neurons._states import StateModule
from snntorch._neurons.neurons import SpikingNeuron
from snntorch._torch import tree_flatten
from snntorch._unroll.deferred.fuse import unfuse

#: A layer, or the input, by name, and which of its outputs: 0 for spikes, others for states.
Port = tuple[str, int]

INPUT: Port = ("input", 0)
OWNER = "export_to_nir"
#: Layers that do nothing in evaluation mode.
IDLE = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
#: Functions whose result has the values of what they are given.
_SAME = {"to", "float", "double", "half", "contiguous", "clone", "detach", "alias", "cpu", "cuda"}
_ADDITIONS = {"add", "add_", "__add__", "__radd__", "__iadd__"}
_RESHAPES = {"flatten", "reshape", "view"}
_FRESH = {"zeros_like", "ones_like", "empty_like", "new_zeros", "new_ones", "requires_grad_"}
_OVER_TIME = {"__getitem__", "__iter__", "unbind", "select", "stack", "append"}
ONE_STEP = "Give it a net that takes one time step per call, and loop over time around the net."


@dataclass(frozen=True)
class Call:
    """One layer that was run.

    Attributes:
        name: Its name in the net.
        module: The layer.
        sources: What was added up to its input.
        takes: Shape of its input.
        gives: Shape of its output.
    """

    name: str
    module: nn.Module
    sources: tuple[Port, ...]
    takes: tuple[int, ...]
    gives: tuple[int, ...]


@dataclass
class Trace:
    """What was run, in order.

    Attributes:
        calls: The layers by name.
        outputs: What the net returned: for each value, what was added up to it.
        idle: Layers that do nothing, as they are only for training.
    """

    calls: dict[str, Call] = field(default_factory=dict)
    outputs: tuple[tuple[Port, ...], ...] = ()
    idle: list[str] = field(default_factory=list)


def refuse(what: str, got: str, hint: str = "", error: type[Exception] = ValueError) -> NoReturn:
    """Raise an error of the export."""
    expect(False, OWNER, what, got, hint, error)
    raise AssertionError


def is_leaf(module: nn.Module) -> bool:
    """Return whether a layer counts as one, and is not looked into."""
    if isinstance(module, SpikingNeuron):
        return True
    own = type(module).__module__.startswith(("torch.nn", "snntorch._layers", "snntorch._neurons"))
    containers = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
    return (own and not isinstance(module, containers)) or hasattr(module, "nir_leaf")


class _Watch(TorchFunctionMode):
    """Notes where each value comes from, while a net runs."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self.trace = trace
        self.inside = 0  # layers that are running, whose own functions do not count
        # the tensors are kept, as another could get the id of one that is gone
        self.known: dict[int, tuple[Tensor, tuple[Port, ...]]] = {}

    def note(self, value: Tensor, sources: tuple[Port, ...]) -> None:
        self.known[id(value)] = (value, sources)

    def sources(self, value: Any) -> tuple[Port, ...]:
        return self.known[id(value)][1] if id(value) in self.known else ()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if not self.inside and isinstance(out, (Tensor, tuple, list)):
            given = [v for v in tree_flatten((args, kwargs))[0] if isinstance(v, Tensor)]
            made = any(isinstance(v, Tensor) for v in tree_flatten(out)[0])
            if made and any(self.sources(value) for value in given):
                self._function(func, given, kwargs, out)
        return out

    def _function(self, func: Any, given: list[Tensor], kwargs: dict[str, Any], out: Any) -> None:
        name = getattr(func, "__name__", str(func))
        if name in _FRESH:
            return
        if name in _SAME:
            self.note(out, self.sources(given[0]))
        elif name in _ADDITIONS and kwargs.get("alpha", 1) == 1:
            self.note(out, self._sum(given))
        elif name in _RESHAPES:
            self._reshape(given[0], out)
        elif name in _OVER_TIME:
            refuse("a net of layers and sums of their outputs", f"`{name}`", ONE_STEP)
        else:
            refuse(
                "a net of layers and sums of their outputs",
                f"`{name}` of an output",
                "Use a module such as nn.AvgPool2d or nn.Flatten in its place; NIR knows no other.",
            )

    def _sum(self, given: list[Tensor]) -> tuple[Port, ...]:
        parts = [self.sources(value) for value in given]
        constant = "Only outputs of layers can be added; a constant goes into a layer's bias."
        pure = len(given) == 2 and all(parts)
        expect(pure, OWNER, "a sum of outputs", "one with a constant", constant)
        shapes = {tuple(value.shape) for value in given}
        expect(len(shapes) == 1, OWNER, "a sum of outputs of one shape", sorted(shapes))
        twice = set(parts[0]) & set(parts[1])
        expect(
            not twice,
            OWNER,
            "a sum of different outputs",
            f"one that has {sorted(name for name, _ in twice)} twice",
            "NIR has one edge between two nodes: double the weights instead.",
        )
        return parts[0] + parts[1]

    def _reshape(self, value: Tensor, out: Tensor) -> None:
        """Note a reshape that flattens."""
        before, after = tuple(value.shape), tuple(out.shape)
        if before == after:
            self.note(out, self.sources(value))
            return
        kept = len(after) - 1
        merged = before[:kept] == after[:kept] and len(before) > len(after)
        got = f"one from {before} to {after}"
        expect(merged, OWNER, "a reshape that flattens the last dimensions", got)
        name = self.add("flatten", nn.Flatten(kept), self.sources(value), value, out)
        self.note(out, ((name, 0),))

    def add(
        self,
        name: str,
        module: nn.Module,
        sources: tuple[Port, ...],
        value: Tensor,
        out: Tensor,
    ) -> str:
        """Note that a layer ran; returns the name under which it is known."""
        calls, unique, number = self.trace.calls, name, 1
        while unique in calls or unique == "input":
            unique, number = f"{name}_{number}", number + 1
        calls[unique] = Call(unique, module, sources, tuple(value.shape), tuple(out.shape))
        return unique

    def enters(self, module: nn.Module, args: Any) -> None:
        self.inside += 1

    def leaves(self, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, kwargs: dict[str, Any], out: Any) -> None:
            self.inside -= 1
            if not self.inside:
                self._layer(name, module, [*args, *kwargs.values()], out)

        return hook

    def _layer(self, name: str, module: nn.Module, given: list[Any], out: Any) -> None:
        value, *states = given
        sources = self.sources(value)
        hint = "Its input has to come from the sample data, through layers."
        expect(bool(sources), OWNER, f"an input of `{name}` that can be followed", "another", hint)
        if isinstance(module, IDLE):
            self.note(out, sources)
            if not isinstance(module, nn.Identity):
                self.trace.idle.append(f"{name} ({type(module).__name__})")
            return
        keeps = isinstance(module, StateModule)
        again = keeps and any(call.module is module for call in self.trace.calls.values())
        expect(not again, OWNER, f"`{name}` to be run once per call", "a loop", ONE_STEP)
        if keeps and any(self.sources(s) for s in states):
            refuse(f"states of `{name}` from outside", "some that a layer made")
        outs = out if isinstance(out, tuple) else (out,)
        unique = self.add(name, module, sources, value, outs[0])
        for number, part in reversed(list(enumerate(outs))):
            self.note(part, ((unique, number),))


def trace(module: nn.Module, sample: Tensor, args: list[Any], name: str) -> Trace:
    """Run a copy of a net on an example, and note what flows where.

    Args:
        module: The net.
        sample: Its input, of one time step.
        args: Further arguments of its forward.
        name: What to call the net if it is a single layer.

    Returns:
        The layers that ran, and what the net returned.

    Raises:
        ValueError: If it does something that is neither a layer nor a sum of outputs, or runs
            a neuron twice.
    """
    found = Trace()
    watch = _Watch(found)
    twin = unfuse(copy.deepcopy(module)).eval()
    for path, part in twin.named_modules():
        if is_leaf(part):
            part.register_forward_pre_hook(watch.enters)
            part.register_forward_hook(watch.leaves(path or name), with_kwargs=True)
    # a tensor of its own: what else the caller holds does not count as the input
    sample = sample.detach().clone()
    watch.note(sample, (INPUT,))
    with torch.no_grad(), watch:
        out = twin(sample, *args)
    groups = (watch.sources(v) for v in tree_flatten(out)[0] if isinstance(v, Tensor))
    found.outputs = _signals(found, tuple(dict.fromkeys(group for group in groups if group)))
    return found


def integrates_only(module: Any) -> bool:
    """Return whether a neuron never fires, so that its membrane is what it tells."""
    if not isinstance(module, SpikingNeuron):
        return False
    threshold: Any = module.threshold
    return bool(torch.isinf(threshold).all())


def _signals(found: Trace, groups: tuple[tuple[Port, ...], ...]) -> tuple[tuple[Port, ...], ...]:
    """Return what of the values that a net returns is output; states of neurons are none.

    They are if the neuron cannot fire, or nothing else is returned.
    """
    expect(bool(groups), OWNER, "a net that returns what its layers made", "another")
    membranes = [group for group in groups if len(group) == 1 and is_membrane(found, group[0])]
    telling = [g for g in membranes if integrates_only(found.calls[g[0][0]].module)]
    silent = {group[0][0] for group in telling}
    chosen = tuple(
        group
        for group in groups
        if group in telling or len(group) > 1 or (group[0][1] == 0 and group[0][0] not in silent)
    )
    return chosen or tuple(membranes)


def is_membrane(found: Trace, port: Port) -> bool:
    """Return whether an output of a neuron is its last state."""
    name, number = port
    if not number:
        return False
    neuron: Any = found.calls[name].module
    return number == len([state for state in neuron.state_names if state != "spk"])
