"""Long runs need no more memory than short ones, and nets that are gone leave nothing.

A part of ``make test`` with short runs; ``make long`` takes 100,000 steps and 10,000 nets.
"""

from __future__ import annotations

import gc
import os
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
import snntorch.functional as SF
from snntorch import backprop, utils

#: Time steps of a run, and of a window between two updates.
STEPS, WINDOW = int(os.environ.get("LONG_STEPS", "3000")), 25
NETS = int(os.environ.get("LONG_NETS", "200"))
#: Bytes of Python objects by which a run may grow from its middle to its end: what Python keeps to
#: use again fills up slowly. An object kept at each step takes more.
SPARE = 64_000
#: Bytes by which the memory of a process may grow: what allocators keep.
SPARE_RSS = 16 << 20

#: Is shown the membranes of each window before these are learned from.
Look = Callable[[Tensor], None]


def hidden() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(4, 8),
        snn.Synaptic(0.8, 0.9, threshold=0.3, learn_beta=True, init_hidden=True),
        nn.Linear(8, 2),
        snn.Leaky(0.9, threshold=0.3, init_hidden=True, output=True),
    )


class Window(nn.Module):
    """A net whose loop is in `forward`, and which goes on from the states that it left."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """Return the membranes of a window."""
        return torch.stack([self.net(step)[1] for step in x])


def learn(net: nn.Module, mem: Tensor, optimizer: torch.optim.Optimizer) -> None:
    """Learn from a window, and cut the states off from it."""
    optimizer.zero_grad()
    (mem - 0.5).square().mean().backward()
    optimizer.step()
    for neuron in utils.with_states(net):
        neuron.detach_mem()


def sgd(net: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(net.parameters(), lr=0.01)


def windows() -> Iterator[Tensor]:
    """Yield the input of each window."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(STEPS // WINDOW):
        yield torch.rand(WINDOW, 3, 4, generator=generator)


def looped(look: Look) -> None:
    net = hidden()
    optimizer = sgd(net)
    for x in windows():
        mem = torch.stack([net(step)[1] for step in x])
        look(mem)
        learn(net, mem, optimizer)


def unrolled(look: Look) -> None:
    net = hidden()
    optimizer = sgd(net)
    for x in windows():
        mem = snn.unroll(net, x)[1]
        look(mem)
        learn(net, mem, optimizer)


def fused(look: Look) -> None:
    net = always(snn.fuse(Window(hidden())))
    optimizer = sgd(net)
    for x in windows():
        mem = net(x)
        assert net.forward.report.pays
        look(mem)
        learn(net, mem, optimizer)


def always(net: Any) -> Any:
    """Return a fused net that never goes back to its loop."""
    net.forward.trial._pays = True
    return net


def deferred(look: Look) -> None:
    net = hidden()
    optimizer = sgd(net)
    for x in windows():
        with snn.deferred() as region:
            mem = torch.stack([net(step)[1] for step in x])
        assert region.report.pays
        look(mem)
        learn(net, mem, optimizer)


def by_tbptt(look: Look) -> None:
    """Train on one sequence."""
    net = hidden()
    data = torch.cat(list(windows())), torch.tensor([0, 1, 0])
    backprop.TBPTT(net, [data], sgd(net), Criterion(look), K=WINDOW)


class Criterion:
    """The distance of membranes from a half."""

    reads = "mem"

    def __init__(self, look: Look) -> None:
        self.look = look

    def __call__(self, mem: Tensor, targets: Tensor) -> Tensor:
        self.look(mem)
        return (mem - 0.5).square().mean()


@torch.no_grad()
def inferred(look: Look) -> None:
    """Run step by step, and cut nothing off."""
    net = hidden()
    for x in windows():
        for step in x:
            _, mem = net(step)
        look(mem)


@torch.no_grad()
def deferred_at_once(look: Look) -> None:
    """Run as one region, whose chunks bound its memory."""
    net = hidden()
    with snn.deferred(chunk=WINDOW) as region:
        for x in windows():
            for step in x:
                _, mem = net(step)
            look(mem)
    assert region.report.pays


def nodes_of(mem: Tensor) -> int:
    """Return the number of nodes of the graph that leads to a tensor."""
    waiting: list[Any] = [mem.grad_fn] if mem.requires_grad else []
    seen = set(waiting)
    while waiting:
        after = {node for node, _ in waiting.pop().next_functions if node is not None} - seen
        seen |= after
        waiting += after
    return len(seen)


class Watch:
    """Measures memory in the middle of a run and at its end, and the first and the last graph."""

    def __init__(self) -> None:
        self.windows = 0
        self.nodes: list[int] = []
        self.python: list[int] = []
        self.process: list[int] = []

    def __call__(self, mem: Tensor) -> None:
        """Take a window into account."""
        self.windows += 1
        if self.windows in (2, STEPS // WINDOW):
            self.nodes.append(nodes_of(mem))
        if self.windows in (STEPS // WINDOW // 2, STEPS // WINDOW):
            gc.collect()
            self.python.append(tracemalloc.get_traced_memory()[0])
            self.process.append(psutil.Process().memory_info().rss)

    def __str__(self) -> str:
        (python, python_end), (process, process_end) = self.python, self.process
        return (
            f"{WINDOW * self.windows:,} steps: {self.nodes[1]} nodes in a graph, "
            f"Python's memory {python:,} -> {python_end:,} bytes, "
            f"the process's {process:,} -> {process_end:,}"
        )

    @property
    def grows(self) -> list[str]:
        """What has grown from the middle to the end."""
        (python, python_end), (process, process_end) = self.python, self.process
        found = {
            "graph": self.nodes[1] > self.nodes[0],
            "Python": python_end - python > SPARE,
            "process": process_end - process > SPARE_RSS,
        }
        return [name for name, has in found.items() if has]


def watched(run: Callable[[Look], None]) -> Watch:
    """Return what was seen of a run."""
    watch = Watch()
    tracemalloc.start()
    try:
        run(watch)
    finally:
        tracemalloc.stop()
    assert watch.windows == STEPS // WINDOW
    print(f"{run.__name__}: {watch}")
    return watch


RUNS = (looped, unrolled, fused, deferred, by_tbptt, inferred, deferred_at_once)


@pytest.mark.parametrize("run", RUNS)
def test_a_long_run_takes_no_more_memory_than_a_short_one(run: Callable[[Look], None]) -> None:
    watch = watched(run)
    assert not watch.grows, str(watch)
    learns = run not in (inferred, deferred_at_once)
    assert (min(watch.nodes) > 0) is learns


def uncut(look: Look) -> None:
    """Learn nothing, and cut nothing off."""
    net = hidden()
    for x in windows():
        look(torch.stack([net(step)[1] for step in x]))


@torch.no_grad()
def kept(look: Look) -> None:
    """Hold the membrane of each step."""
    net, states = hidden(), []
    for x in windows():
        for step in x:
            states.append(net(step)[1])
        look(states[-1])


@pytest.mark.parametrize("run, what", [(uncut, "graph"), (kept, "Python")])
def test_what_grows_is_seen(run: Callable[[Look], None], what: str) -> None:
    assert what in watched(run).grows


# --- nets that are gone ---------------------------------------------------------------------------


def used(number: int) -> nn.Module:
    """Return a net that was used in one of the ways."""
    net, x = hidden(), torch.rand(4, 3, 4)
    way = number % 5
    if way == 0:
        learn(net, torch.stack([net(step)[1] for step in x]), sgd(net))
    elif way == 1:
        learn(net, snn.unroll(net, x)[1], sgd(net))
    elif way == 2:
        net = always(snn.fuse(Window(net)))
        learn(net, net(x), sgd(net))
    elif way == 3:
        with snn.deferred():
            mem = torch.stack([net(step)[1] for step in x])
        learn(net, mem, sgd(net))
    else:
        backprop.BPTT(net, [(x, torch.tensor([0, 1, 0]))], sgd(net), SF.ce_rate_loss())
        snn.plan(net, x)
    return net


def test_nets_that_are_gone_leave_nothing() -> None:
    for number in range(10):
        used(number)  # fills caches
    gc.collect()
    before = len(snn.SpikingNeuron.instances)
    refs: list[weakref.ref[Any]] = []
    measured = []
    tracemalloc.start()
    try:
        for number in range(NETS):
            net = used(number)
            refs += map(weakref.ref, net.modules())
            del net
            if number + 1 in (NETS // 2, NETS):
                gc.collect()
                assert not any(ref() for ref in refs)
                refs.clear()
                measured.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert len(snn.SpikingNeuron.instances) == before
    print(f"{NETS:,} nets: Python's memory {measured[0]:,} -> {measured[1]:,} bytes")
    assert measured[1] - measured[0] < SPARE
