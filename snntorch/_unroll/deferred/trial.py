"""Whether it pays to defer a net, found out on its first calls."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from snntorch._torch import around_backward
from snntorch._unroll.deferred.arguments import flat
from snntorch._unroll.deferred.report import Report

#: Calls after which a net whose operations were hardly batched goes back to its loop.
TRIED = 2
#: How many times as long as the loop takes is clearly slower.
CLEAR = 1.2


class Call:
    """How long a call took: forward, and backward once that has run."""

    def __init__(self, like: Any) -> None:
        self.like, self.forward, self.backward = like, 0.0, 0.0
        self._start = perf_counter()

    def returns(self, out: Any) -> None:
        """Stop the clock until a result's gradient is asked for."""
        self.forward = perf_counter() - self._start
        for one in flat(out):
            if isinstance(one, Tensor) and one.grad_fn is not None:
                around_backward(one.grad_fn, self._begins, self._ends)
                return

    def _begins(self) -> None:
        self._start = perf_counter()

    def _ends(self) -> None:
        self.backward = perf_counter() - self._start


class Trial:
    """Runs some of the first calls of a net deferred, others as its loop, and compares.

    Two are deferred, of which the first one does not count, as it asks torch what operations
    give; then one is the loop's. A net that seems slower gets a second chance: machines pause. One
    that is hardly slower gets four.

    Attributes:
        outcome: Why the net runs its loop from now on; empty as long as it does not.
    """

    def __init__(self) -> None:
        self.outcome = ""
        self._pays, self._failed = False, 0
        self._deferred: list[Call] = []
        self._loops: list[Call] = []

    def defers(self, like: Any) -> bool:
        """Return whether to defer the next call.

        Args:
            like: What makes its time comparable with that of others, such as shapes.
        """
        self._judge()
        due = len(self._deferred) < 2 + len(self._loops)
        return not self.outcome and (self._pays or due or not self._fits(like))

    def _fits(self, like: Any) -> bool:
        return len(self._deferred) < 2 or self._deferred[1].like == like

    def ended(self, call: Call, report: Report | None) -> None:
        """Take a call into account, with the report of one that was deferred."""
        if report is not None:
            self._failed = 0 if report.pays else self._failed + 1
            if self._failed == TRIED:
                self.outcome = "its operations ran nearly one by one"
        if not self._pays and self._fits(call.like):
            (self._loops if report is None else self._deferred).append(call)

    def _judge(self) -> None:
        """Compare what was timed, at a later call: by then a backward pass is over."""
        if self._pays or self.outcome or not self._loops:
            return
        counted = self._deferred[1:]
        trained = all(call.backward for call in (*counted, *self._loops))
        ours, theirs = (
            min(call.forward + (call.backward if trained else 0.0) for call in calls)
            for calls in (counted, self._loops)
        )
        self._pays = ours <= theirs
        chances = 2 if ours > CLEAR * theirs else 4
        if not self._pays and len(self._loops) >= chances:
            self.outcome = f"a call took {1e3 * ours:.3g} ms instead of {1e3 * theirs:.3g}"


def likeness(net: nn.Module, args: Any, kwargs: Any) -> Any:
    """Return what makes the times of two calls comparable."""
    shapes = [one.shape for one in flat((args, kwargs)) if isinstance(one, Tensor)]
    return shapes, net.training, torch.is_grad_enabled()
