"""Whether a fused net stays deferred: its first calls are timed, by a clock of these tests."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch._neurons._deferral import recorder
from snntorch._unroll.deferred import trial
from snntorch._unroll.deferred.report import Report


class Net(nn.Module):
    """A net that tells whether it is deferred, and takes as long as it is told."""

    def __init__(self, clock: list[float], loop: float, deferred: float) -> None:
        super().__init__()
        self.fc, self.lif = nn.Linear(3, 2), snn.Leaky(0.9)
        self.clock, self.takes, self.was_deferred = clock, (loop, deferred), []

    def forward(self, x: Tensor) -> Tensor:
        deferred = recorder() is not None
        self.was_deferred.append(deferred)
        self.clock[0] += self.takes[deferred]
        mem, out = self.lif.init_leaky(), []
        for _ in range(8):
            _, mem = self.lif(self.fc(x), mem)
            out.append(mem)
        return torch.stack(out)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(trial, "perf_counter", lambda: now[0])
    return now


def calls(net: Net, count: int, shapes: Any = ((4, 3),)) -> list[bool]:
    net.was_deferred.clear()
    for call in range(count):
        net(torch.rand(shapes[call % len(shapes)]))
    return net.was_deferred


def test_a_net_that_gains_runs_its_loop_once(clock: list[float]) -> None:
    net = snn.fuse(Net(clock, loop=2.0, deferred=1.0))
    assert calls(net, 8) == [True, True, False, *[True] * 5]
    assert snn.plan(net).notes[0].startswith("deferred: ")


def test_a_net_that_loses_goes_back_to_its_loop(clock: list[float]) -> None:
    net = snn.fuse(Net(clock, loop=0.001, deferred=0.002))
    assert calls(net, 8) == [True, True, False, True, *[False] * 4]
    assert "its loop, as a call took 2 ms instead of 1 when deferred" in str(snn.plan(net))


def test_one_that_loses_by_little_gets_more_chances(clock: list[float]) -> None:
    net = snn.fuse(Net(clock, loop=1.0, deferred=1.1))
    assert calls(net, 12) == [True, True, *[False, True] * 3, *[False] * 4]
    net = snn.fuse(Net(clock, loop=1.0, deferred=1.1))
    assert calls(net, 6)[-1]
    net.takes = (1.0, 0.9)
    assert calls(net, 6) == [False, *[True] * 5]


def test_a_pause_does_not_decide(clock: list[float]) -> None:
    net = snn.fuse(Net(clock, loop=2.0, deferred=9.0))
    assert calls(net, 3) == [True, True, False]
    net.takes = (2.0, 1.0)
    assert calls(net, 5) == [True] * 5


def test_calls_at_the_same_time_leave_a_trial_that_ends(clock: list[float]) -> None:
    """As two threads make them: both were told to defer, or both not."""
    for slow in (True, False):
        one = trial.Trial()
        for told in [True] * 5 + [False] * 4 + [True] * 3 + [False] * 2:
            call = trial.Call(())
            call.forward = 1.0 + (told is slow)
            one.ended(call, Report(noted=9, runs=1) if told else None)
        assert one.defers(()) is not slow


def test_calls_of_other_shapes_are_not_compared(clock: list[float]) -> None:
    net = snn.fuse(Net(clock, loop=0.1, deferred=1.0))
    # the loop is timed with what was deferred before, which the third call is not like
    assert calls(net, 4, ((4, 3), (4, 3), (2, 3), (4, 3))) == [True, True, True, False]
    with torch.no_grad():
        assert calls(net, 1) == [True]


def test_backward_passes_count(clock: list[float]) -> None:
    """Deferred, this net is slower forward, and faster in all."""

    class Backward(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, takes: float) -> Tensor:
            ctx.takes = takes
            return x.clone()

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
            clock[0] += ctx.takes
            return grad, None

    class Trains(Net):
        def forward(self, x: Tensor) -> Tensor:
            takes = 1.0 if recorder() is not None else 5.0
            return super().forward(Backward.apply(x, takes))

    net = snn.fuse(Trains(clock, loop=1.0, deferred=2.0))
    for _ in range(6):
        net(torch.rand(4, 3, requires_grad=True)).sum().backward()
    assert net.was_deferred == [True, True, False, True, True, True]
    net = snn.fuse(Trains(clock, loop=1.0, deferred=2.0))
    assert calls(net, 6) == [True, True, False, True, False, False]
