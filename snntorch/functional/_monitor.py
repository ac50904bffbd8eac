"""What all monitors share: hooks that keep nothing alive, records, and who is watched."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from numbers import Integral
from types import MethodType
from typing import Any, TypeAlias, cast, overload

import torch
from torch import nn
from torch.autograd.graph import register_multi_grad_hook
from torch.utils.hooks import RemovableHandle

from snntorch._checks import expect, expect_module
from snntorch._torch import TreeSpec, tree_flatten, tree_unflatten

Kind: TypeAlias = type[nn.Module] | tuple[type[nn.Module], ...]
Function: TypeAlias = Callable[[Any], Any]


def as_is(value: Any) -> Any:
    """Return the value itself."""
    return value


class Hook:
    """Call a method of a monitor that may be gone: the layer does not keep it alive."""

    def __init__(self, respond: Callable[..., Any], *context: Any) -> None:
        method = cast("MethodType", respond)
        self.monitor, self.respond = weakref.ref(method.__self__), method.__func__
        self.context = context

    def __call__(self, *event: Any) -> Any:
        monitor = self.monitor()
        return None if monitor is None else self.respond(monitor, *self.context, *event)

    def __reduce__(self) -> tuple[Any, ...]:
        return _Idle, ()


class _Idle:
    """What becomes of a hook in a copy of the network."""

    def __call__(self, *event: Any) -> None:
        """Do nothing."""


class BaseMonitor:
    """Parent of the monitors: the book-keeping.

    Derive a monitor of your own by writing ``create_hook(name)`` and calling ``watch``.

    Attributes:
        records: Everything recorded, in the order in which it happened.
        name_records_index: For each layer watched, the positions of its records.
        hooks: Handles of the hooks on these layers.
    """

    #: How a hook gets on a layer; it is given keyword arguments too.
    _registers: str = "register_forward_hook"

    def __init__(self) -> None:
        self.hooks: list[RemovableHandle] = []
        self.records: list[Any] = []
        self.name_records_index: dict[str, list[int]] = {}
        self._enabled = True

    @property
    def monitored_layers(self) -> list[str]:
        """Names of the layers that are watched."""
        return list(self.name_records_index)

    @overload
    def __getitem__(self, key: int) -> Any: ...
    @overload
    def __getitem__(self, key: slice | str) -> list[Any]: ...
    def __getitem__(self, key: Any) -> Any:
        """Return the records of the layer of that name, or ``records[key]``.

        Raises:
            KeyError: If no layer of that name is watched.
            IndexError: If there are fewer records.
            TypeError: If ``key`` is something else.
        """
        if not isinstance(key, str):
            place = isinstance(key, (Integral, slice))
            what = "`key` to be the name of a layer, a number or a slice"
            expect(place, self, what, repr(key), error=TypeError)
            if isinstance(key, Integral):
                kept = len(self.records)
                what = f"`key` below its {kept} records"
                expect(-kept <= int(key) < kept, self, what, key, error=IndexError)
            return self.records[key]
        layers = f"`key` to be the name of a watched layer, one of {self.monitored_layers}"
        expect(key in self.name_records_index, self, layers, repr(key), error=KeyError)
        return [self.records[i] for i in self.name_records_index[key]]

    def clear_recorded_data(self) -> None:
        """Forget all records; the layers stay watched."""
        self.records.clear()
        for positions in self.name_records_index.values():
            positions.clear()

    def enable(self) -> None:
        """Record from now on, as a new monitor does."""
        self._enabled = True

    def disable(self) -> None:
        """Record nothing until ``enable()``; what is recorded stays."""
        self._enabled = False

    def is_enable(self) -> bool:
        """Return whether the monitor records."""
        return self._enabled

    def remove_hooks(self) -> None:
        """Stop watching for good; what is recorded stays."""
        for handle in self.hooks:
            handle.remove()
        self.hooks.clear()

    def __del__(self) -> None:
        if "hooks" in vars(self):  # else a call did not come as far
            self.remove_hooks()

    def __getstate__(self) -> dict[str, Any]:
        # a copy watches nothing: the hooks belong to the original
        return {**self.__dict__, "hooks": []}

    def watch(self, net: nn.Module, instance: Kind | None, function: Function) -> None:
        """Put a hook on every layer in ``net`` that is an ``instance``."""
        expect_module(self, "net", net)
        instance = type(net) if instance is None else instance
        kinds = instance if isinstance(instance, tuple) else (instance,)
        expect(
            all(isinstance(kind, type) for kind in kinds),
            self,
            "`instance` to be a class of layers or a tuple of classes",
            repr(instance),
            "Pass the class itself, such as instance=snn.Leaky.",
            TypeError,
        )
        expect(
            callable(function),
            self,
            "`function_on_...` to be a function of what is recorded",
            repr(function),
            "Pass torch.detach, say, or leave it out.",
            TypeError,
        )
        layers = [(name, layer) for name, layer in net.named_modules() if isinstance(layer, kinds)]
        expect(
            len(layers) > 0,
            self,
            f"`net` to hold a layer of the class {instance}",
            f"{type(net).__name__} without one",
            "See which layers there are with list(net.named_modules()).",
        )
        self.remove_hooks()
        self._function = function
        for name, layer in layers:
            self.name_records_index.setdefault(name, [])
            register = getattr(layer, self._registers)
            self.hooks.append(register(self.create_hook(name), with_kwargs=True))

    _watch = watch  # the name that earlier monitors call

    def create_hook(self, name: str) -> Callable[..., Any]:
        """Return the hook that records for the layer of that name."""
        raise NotImplementedError(f"{type(self).__name__} has to define create_hook(name).")

    def _record(self, name: str, values: Any) -> None:
        """Append a record; a tuple of one counts as what it holds."""
        if self._enabled and self.hooks:
            alone = isinstance(values, tuple) and len(values) == 1
            record = self._function(values[0] if alone else values)
            self.name_records_index[name].append(len(self.records))
            self.records.append(record)

    def _tap(self, name: str, values: Any) -> Any:
        """Return values (of any structure) whose gradients are recorded once they are known.

        The copies they are have the gradient of this use alone, not of others; and unlike
        views they may be changed in place. Where there is no gradient, None stands for it.
        """
        leaves, structure = tree_flatten(values)
        needing = [
            i
            for i, leaf in enumerate(leaves)
            if isinstance(leaf, torch.Tensor) and leaf.requires_grad
        ]
        if not needing or not torch.is_grad_enabled():
            return values
        for i in needing:
            leaves[i] = leaves[i].clone()

        register_multi_grad_hook(
            [leaves[i] for i in needing], Hook(self._record_gradients, name, needing, structure)
        )
        return tree_unflatten(leaves, structure)

    def _record_gradients(
        self,
        name: str,
        needing: list[int],
        structure: TreeSpec,
        gradients: Sequence[torch.Tensor | None],
    ) -> None:
        known = dict(zip(needing, gradients, strict=True))
        every = [known.get(i) for i in range(structure.num_leaves)]
        self._record(name, tree_unflatten(every, structure))
