"""Counts what a net does while it runs, by the layer that does it."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from snntorch._neurons import LeakyParallel, SpikingNeuron
from snntorch._neurons._recurrent import RecurrentOneToOne
from snntorch._neurons._states import StateModule
from snntorch._profile.layer import LayerProfile
from snntorch._profile.products import (
    PRODUCTS,
    Operations,
    around_products,
    aten,
    is_opaque,
    of_entries,
)
from snntorch._torch import memory_of

#: Layers whose second factor is their weight, even if it is computed from others.
_WEIGHTED = (
    *(nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
)
_ACTIVATIONS = tuple(
    getattr(nn, name) for name in nn.modules.activation.__all__ if name != "MultiheadAttention"
)


class Watch(TorchDispatchMode):
    """Counts torch's operators, and what neurons return, while a net runs within it.

    Where operators are watched no kernel takes a whole sequence, and no loop is deferred.

    Args:
        net: A net that nobody needs afterwards: hooks stay on it.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.net = net
        #: Operators whose operations are not counted.
        self.opaque: set[str] = set()
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        #: Numbers of weights, and of those that are zero, of each layer by where they are stored.
        self._weights: defaultdict[str, dict[tuple[int, int], tuple[int, int]]] = defaultdict(dict)
        self._within: list[tuple[str, nn.Module]] = [("", net)]
        self._membranes: dict[str, Tensor] = {}
        self._stored = {memory_of(value) for value in _values(net)} - {0}
        for name, module in net.named_modules():
            module.register_forward_pre_hook(partial(self._enter, name), prepend=True)
            module.register_forward_hook(partial(self._leave, name), always_call=True)

    @property
    def steps(self) -> int:
        """Number of time steps: the most that any neuron ran."""
        return max((counts["steps"] for counts in self._counts.values()), default=0) or 1

    def layers(self, samples: int) -> tuple[LayerProfile, ...]:
        """Return what each layer is and costs per sample, of those that have or do anything."""
        seen: set[int] = set()  # what layers share is the first one's
        found = []
        for name, module in self.net.named_modules():
            counts = {k: n / samples for k, n in self._counts[name].items() if k != "steps"}
            weights = self._weights[name].values()
            own = [t for t in _values(module, recurse=False) if id(t) not in seen]
            seen.update(map(id, own))
            held = module._own_states() if isinstance(module, StateModule) else ()  # noqa: SLF001
            layer = LayerProfile(
                name or ".",
                type(module).__name__,
                parameters=sum(t.numel() for t in own if isinstance(t, nn.Parameter)),
                footprint=sum(map(_bytes, own)),
                weights=sum(total for total, _ in weights),
                zero_weights=sum(zeros for _, zeros in weights),
                state_footprint=sum(map(_bytes, held)) / samples,
                **counts,
            )
            if counts or layer.footprint:
                found.append(layer)
        return tuple(found)

    # --- who runs -------------------------------------------------------------------------

    def _enter(self, name: str, module: nn.Module, _: Any) -> None:
        self._within.append((name, module))

    def _leave(self, name: str, module: nn.Module, _: Any, output: Any) -> None:
        while self._within.pop()[0] != name:  # those in which an error was raised
            pass
        if output is None:
            return
        counts = self._counts[name]
        first = output[0] if isinstance(output, tuple) else output
        if isinstance(module, (SpikingNeuron, LeakyParallel)):
            counts.update(self._updates(name, module, first))
        elif isinstance(module, StateModule):  # a delay keeps what comes, and reads what goes
            moved = 2 * first.numel()
            counts.update(state_accesses=moved, state_bytes=moved * first.element_size())
        elif isinstance(module, _ACTIVATIONS):
            counts.update(outputs=first.numel(), zero_outputs=_zeros(first))

    def _updates(
        self, name: str, neuron: SpikingNeuron | LeakyParallel, spk: Tensor
    ) -> dict[str, int]:
        """Return what a neuron did in a step, or in a whole sequence."""
        names = neuron.state_names if isinstance(neuron, SpikingNeuron) else ()
        states = [getattr(neuron, state) for state in names if state != "spk"]
        size, changed = spk.numel(), spk.numel()
        if states:
            mem: Tensor = getattr(neuron, "mem" if "mem" in names else names[-1])
            before, self._membranes[name] = self._membranes.get(name), mem.clone()
            size = changed = mem.numel()
            if before is not None and before.shape == mem.shape:
                changed = int(torch.count_nonzero(before != mem))
        moved, width = 2 * size * (len(states) or 1), spk.element_size()
        return {
            "steps": 1 if names else len(spk),
            "outputs": spk.numel(),
            "neuron_outputs": spk.numel(),
            "zero_outputs": _zeros(spk),
            "spikes": spk.numel() - _zeros(spk),
            "updates": size,
            "membrane_updates": changed,
            "other_macs": moved // 2,
            "state_accesses": moved,
            "state_bytes": moved * width,
        }

    # --- what runs ------------------------------------------------------------------------

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operator, and count what it does for the layer that called it."""
        out = func(*args, **(kwargs or {}))
        packet, (name, module) = func.overloadpacket, self._within[-1]
        if packet in PRODUCTS:
            count, first = PRODUCTS[packet]
            self._product(name, module, args[first : first + 2], count(*args[first:]))
        elif packet is aten.mul and isinstance(module, RecurrentOneToOne):
            self._product(name, module, args[:2], of_entries(*args[:2]))
        elif is_opaque(packet):
            self.opaque.add(f"{packet} in {name or '.'}")
        else:
            macs, acs = around_products(packet, args, out)
            if macs or acs:
                self._counts[name].update(other_macs=macs, other_acs=acs)
        return out

    def _product(
        self, name: str, module: nn.Module, factors: tuple[Tensor, ...], found: Operations
    ) -> None:
        counts, reads = self._counts[name], found.macs + found.acs
        counts.update(dense=found.dense, macs=found.macs, acs=found.acs)
        for place, factor in enumerate(factors):
            stored = memory_of(factor) in self._stored
            if not (stored or (place == 1 and isinstance(module, _WEIGHTED))):
                continue
            repeated = factor.dim() == 3 and factor.stride(0) == 0 and len(factor) > 0
            weight = factor[0] if repeated else factor
            where = (memory_of(factor), int(factor.storage_offset())) if stored else (0, 0)
            self._weights[name].setdefault(where, (weight.numel(), _zeros(weight)))
            counts.update(weight_reads=reads, weight_bytes=reads * factor.element_size())
            return


def _values(module: nn.Module, recurse: bool = True) -> list[Tensor]:
    """Return the parameters and buffers of a module; states are none."""
    found: list[Tensor] = []
    for part in module.modules() if recurse else (module,):
        states = part.state_names if isinstance(part, StateModule) else ()
        buffers = part.named_buffers(recurse=False)
        found += part.parameters(recurse=False)
        found += [value for name, value in buffers if name not in states]
    return found


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _zeros(tensor: Tensor) -> int:
    return tensor.numel() - int(tensor.count_nonzero())
