"""Random programs, run as loops and deferred: the same numbers, states and gradients."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch
from torch import Tensor

import snntorch as snn
from snntorch._unroll.deferred import rules
from snntorch._unroll.deferred.placeholder import Deferred
from tests.deferred.programs import Program

#: ``make fuzz`` runs more.
FIRST, COUNT = int(os.environ.get("FUZZ_FIRST", "0")), int(os.environ.get("FUZZ_COUNT", "500"))
AT_ONCE = 50

pytestmark = pytest.mark.filterwarnings("ignore:.*inhibition is meant for dense layers")


def run(net: Program, x: Tensor) -> tuple[list[Tensor], list[Any], dict[str, Tensor]]:
    """Return outputs, gradients of input and parameters, and the buffers left behind."""
    x = x.clone().requires_grad_()
    out = net(x)
    total: Any = sum(
        (one * torch.linspace(0.5, 1, one.numel(), device=x.device).view_as(one)).sum()
        for one in out
    )
    leaves = [x, *net.parameters()]
    grads: Any = [None] * len(leaves)
    if total.requires_grad:
        grads = torch.autograd.grad(total, leaves, allow_unused=True)
    return out, list(grads), dict(net.named_buffers())


def check(seed: int, device: str = "cpu") -> Program:
    """Compare a program with itself, deferred; returns the latter."""
    loop, fused = (Program(seed).to(device, torch.float64) for _ in range(2))
    snn.fuse(fused)
    x = loop.data(torch.float64).to(device)
    want, got = run(loop, x), run(fused, x)
    said = f"seed {seed}: {loop.said}"
    assert all(type(one) is Tensor for one in got[0]), said
    assert not any(type(one) is Deferred for one in got[2].values()), said
    flags = [[one.requires_grad for one in out] for out in (got[0], want[0])]
    assert flags[0] == flags[1], said
    for one, other in zip(got[0], want[0], strict=True):
        torch.testing.assert_close(one.detach(), other.detach(), rtol=1e-12, atol=1e-12, msg=said)
    for name, buffer in want[2].items():
        torch.testing.assert_close(got[2][name], buffer, rtol=1e-12, atol=1e-12, msg=said + name)
    for one, other in zip(got[1], want[1], strict=True):
        # what the loop does not reach may be reached with zeros
        if one is not None or other is not None:
            pair = [torch.zeros_like(other) if one is None else one]
            pair += [torch.zeros_like(one) if other is None else other]
            torch.testing.assert_close(*pair, rtol=1e-10, atol=1e-10, msg=said)
    return fused


@pytest.mark.parametrize("first", range(FIRST, FIRST + COUNT, AT_ONCE))
def test_a_program_deferred_is_its_loop(first: int) -> None:
    noted = runs = 0
    for seed in range(first, first + AT_ONCE):
        report = check(seed).forward.report  # type: ignore[union-attr]
        noted, runs = noted + report.noted, runs + report.runs
    assert 0 < runs < 0.9 * noted, "much is batched"


def check_all(seeds: range) -> None:
    for seed in seeds:
        check(seed)


@pytest.mark.parametrize("wrong", ("linear", "batched", "once"))
def test_a_wrong_rule_is_found(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = rules.run

    def run(column: Any, gathered: Any, count: int) -> Any:
        found = right(column, gathered, count)
        if wrong == "linear" and column.func is torch.nn.functional.linear:
            return found.flip(0)
        if wrong == "batched" and column.func in rules.BATCHED:
            return (found[0] if isinstance(found, tuple) else found) * (1 + 1e-9)
        return found

    def once(column: Any, gathered: Any, count: int) -> Any:
        return rules.call(column, [one for one, _ in gathered])

    monkeypatch.setattr(rules, "run", run)
    if wrong == "once":
        monkeypatch.setattr(rules, "once", once)
    with pytest.raises(AssertionError, match="seed"):
        check_all(range(100))
