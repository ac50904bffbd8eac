"""Monitors: look inside a running network without changing it.

Make a monitor once, run the network, read what it recorded::

    monitor = probe.OutputMonitor(net, instance=snn.Leaky)
    for x in data:
        net(x)
    monitor["1"]  # what the layer `net.get_submodule("1")` returned, step by step

All monitors record in the same way:

- ``records``: everything recorded, in the order in which it happened;
- ``monitored_layers``: the names of the layers that are watched, as in
  ``net.named_modules()`` (``""`` is ``net`` itself);
- ``name_records_index``: for each of these names the positions in ``records``;
- ``monitor[name]``: the records of one layer; ``monitor[i]`` is ``records[i]``.

Records are what the network computed, not copies: they keep the graph that led to them.
Pass ``torch.detach`` as the function of a monitor to keep the values alone.

The network does not keep a monitor alive. A monitor that is deleted stops recording, and
a copy of the network (``copy.deepcopy``, pickle) is another network: it is not watched.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from snntorch._checks import expect, expect_truth
from snntorch._docs import shared_arguments
from snntorch.functional._monitor import BaseMonitor, Function, Hook, Kind, as_is

__all__ = [
    "AttributeMonitor",
    "BaseMonitor",
    "GradInputMonitor",
    "GradOutputMonitor",
    "InputMonitor",
    "OutputMonitor",
]

_ARGUMENTS = {
    "net": "Network to watch.",
    "instance": "Class of the layers to watch, or a tuple of classes; None means the class of"
    " ``net``.",
}


@shared_arguments(_ARGUMENTS)
class OutputMonitor(BaseMonitor):
    """Record what layers return.

    Choose it to see the spikes of hidden layers, which ``nn.Sequential`` does not return.
    A layer that returns several values (``spk, mem``) gives a tuple for each call.

    Args:
        {shared}
        function_on_output: What to record of an output; all of it if left out.

    Raises:
        ValueError: If ``net`` has no such layer.
        TypeError: If an argument is of the wrong kind.

    Examples:
        >>> import torch, snntorch as snn
        >>> net = torch.nn.Sequential(torch.nn.Identity(), snn.Leaky(beta=0.5, init_hidden=True))
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
        self.watch(net, instance, function_on_output)

    def create_hook(self, name: str) -> Hook:
        """Return the forward hook that records for the layer of that name."""
        return Hook(self._respond, name)

    def _respond(self, name: str, layer: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        self._record(name, output)


@shared_arguments(_ARGUMENTS)
class InputMonitor(BaseMonitor):
    """Record what layers are given.

    Choose it to see which current or which spikes reach a layer. A layer called with
    several arguments (``lif(x, mem)``) gives a tuple of them for each call.

    Args:
        {shared}
        function_on_input: What to record of an input; all of it if left out.

    Raises:
        ValueError: If ``net`` has no such layer.
        TypeError: If an argument is of the wrong kind.

    Examples:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Flatten(0))
        >>> monitor = InputMonitor(net, instance=torch.nn.Flatten)
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
        self.watch(net, instance, function_on_input)

    def create_hook(self, name: str) -> Hook:
        """Return the forward hook that records for the layer of that name."""
        return Hook(self._respond, name)

    def _respond(self, name: str, layer: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        self._record(name, (*args, *kwargs.values()))


@shared_arguments(_ARGUMENTS)
class AttributeMonitor(BaseMonitor):
    """Record an attribute of layers, before or after each of their calls.

    Choose it to see the membrane potential of hidden layers: with ``init_hidden=True``
    a neuron keeps its states as attributes.

    Args:
        attribute_name: Name of the attribute, such as ``"mem"``.
        pre_forward: Whether to record what it is before a call, not after it.
        {shared}
        function_on_attribute: What to record of the attribute; all of it if left out. A
            weight is changed in place by optimizers: take ``torch.clone``, or every
            record shows the latest weight.

    Raises:
        ValueError: If ``net`` has no such layer.
        TypeError: If an argument is of the wrong kind.
        AttributeError: In the forward pass, if a layer has no such attribute.

    Examples:
        >>> import torch, snntorch as snn
        >>> net = torch.nn.Sequential(torch.nn.Identity(), snn.Leaky(beta=0.5, init_hidden=True))
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
        expect_truth(self, pre_forward=pre_forward)
        self.attribute_name = attribute_name
        self.pre_forward = pre_forward
        if pre_forward:
            self._registers = "register_forward_pre_hook"
        self.watch(net, instance, function_on_attribute)

    def create_hook(self, name: str) -> Hook:
        """Return the forward (pre-)hook that records for the layer of that name."""
        return Hook(self._respond, name, self.attribute_name)

    def _respond(self, name: str, attribute: str, layer: nn.Module, *call: Any) -> None:
        self._record(name, getattr(layer, attribute))


@shared_arguments(_ARGUMENTS)
class GradOutputMonitor(BaseMonitor):
    """Record the gradient of the loss with respect to what layers return.

    Choose it to see where the error signal vanishes or explodes. There is a record for
    each call that a gradient reaches, in the order of the backward pass: the last time
    step comes first. It is the gradient through the value that was returned; what runs
    on inside of a neuron, from membrane to membrane, is no part of it.

    Args:
        {shared}
        function_on_grad_output: What to record of a gradient; all of it if left out. For
            a layer that returns several values it is given a tuple, with None where
            there is no gradient.

    Raises:
        ValueError: If ``net`` has no such layer.
        TypeError: If an argument is of the wrong kind.

    Examples:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
        >>> monitor = GradOutputMonitor(net, instance=torch.nn.ReLU)
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
        self.watch(net, instance, function_on_grad_output)

    def create_hook(self, name: str) -> Hook:
        """Return the forward hook that awaits the gradient of that layer's output."""
        return Hook(self._respond, name)

    def _respond(self, name: str, layer: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
        return self._tap(name, output)


@shared_arguments(_ARGUMENTS)
class GradInputMonitor(BaseMonitor):
    """Record the gradient of the loss with respect to what layers are given.

    Choose it to see what a layer, surrogate gradients included, passes on to the layers
    before it. There is a record for each call that a gradient reaches, in the order of
    the backward pass: the last time step comes first. It is the gradient through this
    layer: what else the same input is used for is no part of it. The first layer of a
    network has none, unless the data require a gradient.

    Args:
        {shared}
        function_on_grad_input: What to record of a gradient; all of it if left out. For
            a layer called with several arguments it is given a tuple, with None where
            there is no gradient.

    Raises:
        ValueError: If ``net`` has no such layer.
        TypeError: If an argument is of the wrong kind.

    Examples:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Identity(), torch.nn.ReLU())
        >>> monitor = GradInputMonitor(net, instance=torch.nn.ReLU)
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
        self.watch(net, instance, function_on_grad_input)

    def create_hook(self, name: str) -> Hook:
        """Return the forward pre-hook that awaits the gradient of that layer's input."""
        return Hook(self._respond, name)

    def _respond(self, name: str, layer: nn.Module, args: Any, kwargs: Any) -> Any:
        values = self._tap(name, (*args, *kwargs.values()))
        return values[: len(args)], dict(zip(kwargs, values[len(args) :], strict=True))
