"""The ways in: a net whose calls are deferred, and a block of a program that is."""

from __future__ import annotations

from functools import partial
from typing import Any, TypeVar

import torch
from torch import nn

from snntorch._checks import expect, expect_count, expect_module
from snntorch._neurons._deferral import can_note
from snntorch._torch import talks, tree_map, watch_functions
from snntorch._unroll.deferred.custom import watch
from snntorch._unroll.deferred.recorder import Recorder
from snntorch._unroll.deferred.report import Report
from snntorch._unroll.deferred.trial import Call, Trial, likeness

Net = TypeVar("Net", bound=nn.Module)


class Fused:
    """A net's ``forward`` that notes what the net's own does, and runs it layer by layer.

    Args:
        net: The net.
        chunk: Number of steps after which to run what was noted; None for all.
    """

    def __init__(self, net: nn.Module, chunk: int | None = None) -> None:
        self.net, self.chunk = net, chunk
        #: What was set as ``forward`` on the net itself, if anything was.
        self.own = net.__dict__.get("forward")
        self.report: Report | None = None
        self.trial = Trial()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the net."""
        forward = self.own or partial(type(self.net).forward, self.net)
        if self.trial.outcome or not can_note() or talks(self.net):
            return forward(*args, **kwargs)
        call = Call(likeness(self.net, args, kwargs))
        report = None
        if self.trial.defers(call.like):
            with Recorder(self.chunk) as noted:
                given, named = tree_map(noted.wrap, (args, kwargs))
                out = forward(*given, **named)
                noted.flush()
            out = tree_map(noted.unwrap, out)
            self.report = report = noted.report
        else:
            out = forward(*args, **kwargs)
        call.returns(out)
        self.trial.ended(call, report)
        return out


def fuse(net: Net, *, chunk: int | None = None) -> Net:
    """Let calls of a net run layer by layer over all of time, its time loop unchanged.

    The loop may be anywhere in ``forward``: what it does with tensors is noted, and run when a
    value is needed, or at the end. The same operation at many time steps is one batch then, and
    the steps of a neuron are one kernel, as in :func:`snntorch.unroll`. What cannot be batched
    exactly, such as layers in a feedback loop, is run step by step. Numbers, gradients and states
    left behind are those of the loop.

    Args:
        net: Any module. Parameters, ``state_dict``, class and attributes stay as they are.
        chunk: Number of time steps after which to run what was noted, to bound the memory of a
            long loop without gradients; None for all.

    Returns:
        The same module.

    Raises:
        TypeError: If ``net`` is not a module, or one of TorchScript.

    Note:
        Values that the program itself looks at (``if``, ``print``, ``.item()``) are computed at
        that point. A net that does so at each step gains nothing, and goes back to its loop after
        two calls; so does one whose loop is faster, as it turns out when the third call runs the
        loop to be timed, and up to the ninth every second one if in doubt, backward passes
        included.
        :func:`snntorch.plan` tells what happens, and which line asked for a value.
        Random masks, as of dropout, are drawn layer by layer: the same distribution, other
        numbers than the loop draws with the same seed.

    Examples:
        >>> import torch, snntorch as snn
        >>> class Net(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.fc, self.lif = torch.nn.Linear(4, 2), snn.Leaky(beta=0.9)
        ...
        ...     def forward(self, x):
        ...         mem, spikes = self.lif.init_leaky(), []
        ...         for step in range(10):
        ...             spk, mem = self.lif(self.fc(x), mem)
        ...             spikes.append(spk)
        ...         return torch.stack(spikes)
        >>> net = snn.fuse(Net())
        >>> net(torch.rand(3, 4)).shape
        torch.Size([10, 3, 2])
    """
    expect_module("fuse", "net", net)
    scripted = isinstance(net, torch.jit.ScriptModule)
    hint = "Fuse the net first, and leave torch.jit out: it records one step's operations."
    expect(not scripted, "fuse", "`net` to be in Python", "one of TorchScript", hint, TypeError)
    if chunk is not None:
        expect_count("fuse", "chunk", chunk)
    net.__dict__["forward"] = Fused(unfuse(net), chunk)
    return net


def unfuse(net: Net) -> Net:
    """Undo :func:`fuse`; returns the same module.

    Raises:
        TypeError: If ``net`` is not a module.
    """
    expect_module("unfuse", "net", net)
    fused = net.__dict__.get("forward")
    if isinstance(fused, Fused):
        del net.__dict__["forward"]
        if fused.own is not None:
            net.__dict__["forward"] = fused.own
    return net


def deferred(*, chunk: int | None = None) -> Recorder:
    """Return a context in which a time loop of one's own is deferred, as by :func:`fuse`.

    Args:
        chunk: Number of time steps after which to run what was noted; None for all.

    Returns:
        The context; after it, ``print(context.report)`` tells what happened.

    Examples:
        >>> import torch, snntorch as snn
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 2), snn.Leaky(0.9, init_hidden=True))
        >>> x, record = torch.rand(10, 3, 4), []
        >>> with snn.deferred():
        ...     for t in range(10):
        ...         record.append(net(x[t]))
        >>> torch.stack(record).shape
        torch.Size([10, 3, 2])
    """
    if chunk is not None:
        expect_count("deferred", "chunk", chunk)
    return Recorder(chunk)


watch_functions(watch)
