"""Monitors: look inside a running network without changing it.

Make a monitor once, run the network, read what it recorded::

    monitor = probe.OutputMonitor(net, instance=snn.Leaky)
    for x in data:
        net(x)
    monitor["2"]  # what the layer `net.get_submodule("2")` returned, step by step

All monitors record in the same way:

- ``records``: everything recorded, in the order in which it happened;
- ``monitored_layers``: the names of the layers that are watched, as in
  ``net.named_modules()`` (``""`` is ``net`` itself);
- ``name_records_index``: for each of these names the positions in ``records``;
- ``monitor[name]``: the records of one layer; ``monitor[i]`` is ``records[i]``.

Records are what the network computed, not copies: they keep the graph that led to them.
Pass ``torch.detach`` as the function of a monitor to keep the numbers alone.

The network does not keep a monitor alive. A monitor that is deleted stops recording, and
a copy of the network (``copy.deepcopy``, pickle) is another network: it is not watched.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, overload

import torch
from torch import nn
from torch.autograd.graph import register_multi_grad_hook
from torch.utils._pytree import tree_flatten, tree_unflatten
from torch.utils.hooks import RemovableHandle

from snntorch._checks import expect

__all__ = [
    "AttributeMonitor",
    "BaseMonitor",
    "GradInputMonitor",
    "GradOutputMonitor",
    "InputMonitor",
    "OutputMonitor",
]

Kind: TypeAlias = type[nn.Module] | tuple[type[nn.Module], ...]
Function: TypeAlias = Callable[[Any], Any]


def as_is(value: Any) -> Any:
    """Return the value itself."""
    return value


class _Hook:
    """Call a monitor that may be gone: the layer that holds this does not keep it alive."""

    def __init__(self, monitor: BaseMonitor, respond: Callable[..., Any]) -> None:
        self.monitor = weakref.ref(monitor)
        self.respond = respond

    def __call__(self, *event: Any) -> Any:
        monitor = self.monitor()
        return None if monitor is None else self.respond(monitor, *event)

    def __reduce__(self) -> tuple[Any, ...]:
        return _Idle, ()


class _Idle:
    """What becomes of a hook in a copy of the network."""

    def __call__(self, *event: Any) -> None:
        """Do nothing."""


class BaseMonitor:
    """Parent of the monitors: the book-keeping.

    Derive a monitor of your own by writing ``create_hook(name)`` and calling ``_watch``.

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
    def __getitem__(self, key: int | slice | str) -> Any:
        """Return the records of the layer of that name, or ``records[key]``.

        Raises:
            KeyError: If no layer of that name is watched.
        """
        if not isinstance(key, str):
            return self.records[key]
        layers = f"the name of a watched layer, one of {self.monitored_layers}"
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
        self.remove_hooks()

    def __getstate__(self) -> dict[str, Any]:
        # a copy watches nothing: the hooks belong to the original
        return {**self.__dict__, "hooks": []}

    def _watch(self, net: nn.Module, instance: Kind | None, function: Function) -> None:
        """Put a hook on every layer in ``net`` that is an ``instance``."""
        is_net = isinstance(net, nn.Module)
        expect(is_net, self, "`net` to be a torch.nn.Module", type(net).__name__, error=TypeError)
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
            "a function of what is recorded",
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

        def respond(monitor: BaseMonitor, gradients: Sequence[torch.Tensor | None]) -> None:
            known = dict(zip(needing, gradients, strict=True))
            every = [known.get(i) for i in range(structure.num_leaves)]
            monitor._record(name, tree_unflatten(every, structure))

        register_multi_grad_hook([leaves[i] for i in needing], _Hook(self, respond))
        return tree_unflatten(leaves, structure)


class OutputMonitor(BaseMonitor):
    """Record what layers return.

    Choose it to see the spikes of hidden layers, which ``nn.Sequential`` does not return.
    A layer that returns several values (``spk, mem``) gives a tuple for each call.

    Args:
        net: Network to watch.
        instance: Class of the layers to watch, or a tuple of classes; None means the
            class of ``net``.
        function_on_output: What to record of an output; all of it if left out.

    Raises:
        ValueError: If ``net`` has no such layer.
        TypeError: If an argument is of the wrong kind.

    Examples:
        >>> import snntorch as snn
        >>> net = nn.Sequential(nn.Identity(), snn.Leaky(beta=0.5, init_hidden=True))
        >>> monitor = OutputMonitor(net, instance=snn.Leaky)
        >>> for x in (0.8, 0.8, 0.8):
        ...     _ = net(torch.tensor([x]))
        >>> monitor.monitored_layers
        ['1']
        >>> torch.cat(monitor["1"])
        tensor([0., 1., 0.])
    """

    def __init__(
        self,
        net: nn.Module,
        instance: Kind | None = None,
        function_on_output: Function = as_is,
    ) -> None:
        super().__init__()
        self._watch(net, instance, function_on_output)

    def create_hook(self, name: str) -> Callable[..., None]:
        """Return the forward hook that records for the layer of that name."""

        def respond(
            monitor: BaseMonitor, layer: nn.Module, args: Any, kwargs: Any, output: Any
        ) -> None:
            monitor._record(name, output)

        return _Hook(self, respond)


class InputMonitor(BaseMonitor):
    """Record what layers are given.

    Choose it to see which current or which spikes reach a layer. A layer called with
    several arguments (``lif(x, mem)``) gives a tuple of them for each call.

    Args:
        net: Network to watch.
        instance: Class of the layers to watch, or a tuple of classes; None means the
            class of ``net``.
        function_on_input: What to record of an input; all of it if left out.

    Raises:
        ValueError: If ``net`` has no such layer.
        TypeError: If an argument is of the wrong kind.

    Examples:
        >>> net = nn.Sequential(nn.ReLU(), nn.Flatten(0))
        >>> monitor = InputMonitor(net, instance=nn.Flatten)
        >>> _ = net(torch.tensor([[-1.0, 2.0]]))
        >>> monitor["1"]
        [tensor([[0., 2.]])]
    """

    def __init__(
        self,
        net: nn.Module,
        instance: Kind | None = None,
        function_on_input: Function = as_is,
    ) -> None:
        super().__init__()
        self._watch(net, instance, function_on_input)

    def create_hook(self, name: str) -> Callable[..., None]:
        """Return the forward hook that records for the layer of that name."""

        def respond(
            monitor: BaseMonitor, layer: nn.Module, args: Any, kwargs: Any, output: Any
        ) -> None:
            monitor._record(name, (*args, *kwargs.values()))

        return _Hook(self, respond)


class AttributeMonitor(BaseMonitor):
    """Record an attribute of layers, before or after each of their calls.

    Choose it to see the membrane potential of hidden layers: with ``init_hidden=True``
    a neuron keeps its states as attributes.

    Args:
        attribute_name: Name of the attribute, such as ``"mem"``.
        pre_forward: Whether to record what it is before a call, not after it.
        net: Network to watch.
        instance: Class of the layers to watch, or a tuple of classes; None means the
            class of ``net``.
        function_on_attribute: What to record of the attribute; all of it if left out. A
            weight is changed in place by optimizers: take ``torch.clone``, or every
            record shows the latest weight.

    Raises:
        ValueError: If ``net`` has no such layer.
        TypeError: If an argument is of the wrong kind.
        AttributeError: In the forward pass, if a layer has no such attribute.

    Examples:
        >>> import snntorch as snn
        >>> net = nn.Sequential(nn.Identity(), snn.Leaky(beta=0.5, init_hidden=True))
        >>> monitor = AttributeMonitor("mem", False, net, instance=snn.Leaky)
        >>> for x in (0.8, 0.8, 0.8):
        ...     _ = net(torch.tensor([x]))
        >>> torch.cat(monitor["1"])
        tensor([0.8000, 1.2000, 0.4000])
    """

    def __init__(
        self,
        attribute_name: str,
        pre_forward: bool,
        net: nn.Module,
        instance: Kind | None = None,
        function_on_attribute: Function = as_is,
    ) -> None:
        super().__init__()
        expect(
            isinstance(attribute_name, str),
            self,
            "`attribute_name` to be a string",
            repr(attribute_name),
            'Name the attribute, such as "mem".',
            TypeError,
        )
        self.attribute_name = attribute_name
        self.pre_forward = pre_forward
        if pre_forward:
            self._registers = "register_forward_pre_hook"
        self._watch(net, instance, function_on_attribute)

    def create_hook(self, name: str) -> Callable[..., None]:
        """Return the forward (pre-)hook that records for the layer of that name."""
        attribute = self.attribute_name

        def respond(monitor: BaseMonitor, layer: nn.Module, *call: Any) -> None:
            monitor._record(name, getattr(layer, attribute))

        return _Hook(self, respond)


class GradOutputMonitor(BaseMonitor):
    """Record the gradient of the loss with respect to what layers return.

    Choose it to see where the error signal vanishes or explodes. There is a record for
    each call that a gradient reaches, in the order of the backward pass: the last time
    step comes first. It is the gradient through the value that was returned; what runs
    on inside of a neuron, from membrane to membrane, is no part of it.

    Args:
        net: Network to watch.
        instance: Class of the layers to watch, or a tuple of classes; None means the
            class of ``net``.
        function_on_grad_output: What to record of a gradient; all of it if left out. For
            a layer that returns several values it is given a tuple, with None where
            there is no gradient.

    Raises:
        ValueError: If ``net`` has no such layer.
        TypeError: If an argument is of the wrong kind.

    Examples:
        >>> net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        >>> monitor = GradOutputMonitor(net, instance=nn.ReLU)
        >>> net(torch.ones(1, 2)).sum().backward()
        >>> monitor["1"]
        [tensor([[1., 1.]])]
    """

    def __init__(
        self,
        net: nn.Module,
        instance: Kind | None = None,
        function_on_grad_output: Function = as_is,
    ) -> None:
        super().__init__()
        self._watch(net, instance, function_on_grad_output)

    def create_hook(self, name: str) -> Callable[..., Any]:
        """Return the forward hook that awaits the gradient of that layer's output."""

        def respond(
            monitor: BaseMonitor, layer: nn.Module, args: Any, kwargs: Any, output: Any
        ) -> Any:
            return monitor._tap(name, output)

        return _Hook(self, respond)


class GradInputMonitor(BaseMonitor):
    """Record the gradient of the loss with respect to what layers are given.

    Choose it to see what a layer, surrogate gradients included, passes on to the layers
    before it. There is a record for each call that a gradient reaches, in the order of
    the backward pass: the last time step comes first. It is the gradient through this
    layer: what else the same input is used for is no part of it. The first layer of a
    network has none, unless the data require a gradient.

    Args:
        net: Network to watch.
        instance: Class of the layers to watch, or a tuple of classes; None means the
            class of ``net``.
        function_on_grad_input: What to record of a gradient; all of it if left out. For
            a layer called with several arguments it is given a tuple, with None where
            there is no gradient.

    Raises:
        ValueError: If ``net`` has no such layer.
        TypeError: If an argument is of the wrong kind.

    Examples:
        >>> net = nn.Sequential(nn.Identity(), nn.ReLU())
        >>> monitor = GradInputMonitor(net, instance=nn.ReLU)
        >>> net(torch.tensor([-1.0, 1.0], requires_grad=True)).sum().backward()
        >>> monitor["1"]
        [tensor([0., 1.])]
    """

    _registers = "register_forward_pre_hook"

    def __init__(
        self,
        net: nn.Module,
        instance: Kind | None = None,
        function_on_grad_input: Function = as_is,
    ) -> None:
        super().__init__()
        self._watch(net, instance, function_on_grad_input)

    def create_hook(self, name: str) -> Callable[..., Any]:
        """Return the forward pre-hook that awaits the gradient of that layer's input."""

        def respond(monitor: BaseMonitor, layer: nn.Module, args: Any, kwargs: Any) -> Any:
            values = monitor._tap(name, (*args, *kwargs.values()))
            return values[: len(args)], dict(zip(kwargs, values[len(args) :], strict=True))

        return _Hook(self, respond)
