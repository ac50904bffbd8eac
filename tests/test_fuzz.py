"""Fuzzing, in small: 5,000 calls with wrong arguments; and that what is wrong is found.

``make fuzz`` makes 100,000.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor

from snntorch._checks import expect
from tests import fuzz_calls
from tests.fuzz_calls import GOOD, judge, run, told
from tests.fuzz_doors import DOORS, Door, forgotten
from tests.fuzz_values import LAYOUTS


def test_calls_work_or_are_refused() -> None:
    counts, findings = run(first=0, count=5_000, seed=0)
    assert not findings, told(counts, findings)
    assert sum(counts.values()) == 5_000
    assert min(counts["worked"], counts["refused"]) > 1_000


def test_everything_public_is_called() -> None:
    assert forgotten() == set()


def test_what_is_forgotten_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(DOORS, "snntorch.utils.reset")
    assert forgotten() == {"snntorch.utils.reset"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", DOORS)
def test_what_the_table_calls_works(name: str) -> None:
    """Else a wrong argument would not be what a call is refused for."""
    torch.manual_seed(0)
    function, arguments = DOORS[name].make(Random(0))
    fuzz_calls.called(function, arguments)


def bare(x: Tensor) -> Tensor:
    return x + "one"  # type: ignore[operator]


def writing(x: Tensor) -> Tensor:
    if isinstance(x, Tensor) and x.numel() and x.dtype == torch.float32:
        x.detach().view(-1)[0] = 7
    return torch.ones(1)


def blind_to_strides(x: Tensor) -> Tensor:
    return torch.tensor(x.untyped_storage().nbytes())


def nameless(x: Tensor) -> None:
    expect(False, "nameless", "something else", "this")


@pytest.mark.parametrize(
    ("function", "verdict"),
    [(bare, "bare"), (writing, "changed"), (blind_to_strides, "differs"), (nameless, "wordless")],
)
def test_what_is_wrong_is_found(
    function: Callable[[Any], Any], verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    doors = {"wrong": Door("wrong", lambda rng: (function, {"x": torch.ones(2, 3)}))}
    monkeypatch.setattr(fuzz_calls, "DOORS", doors)
    verdicts = [judge(index, seed=0).verdict for index in range(200)]
    assert verdict in verdicts
    assert verdict not in GOOD


def test_a_crash_is_found_and_named() -> None:
    program = (
        "import os, signal, sys; from tests import fuzz_calls; right = fuzz_calls.judge;"
        "fuzz_calls.judge = lambda index, seed: "
        "os.kill(os.getpid(), signal.SIGSEGV) if index == 3 else right(index, seed);"
        "sys.exit(fuzz_calls.main())"
    )
    counts, findings = run(first=0, count=6, seed=0, program=("-c", program))
    assert [(one.index, one.verdict) for one in findings if one.verdict == "crash"] == [
        (3, "crash")
    ]
    assert "Segmentation fault" in findings[0].detail
    assert sum(counts.values()) == 6


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_layouts_are_others(layout: Callable[[Tensor], Tensor]) -> None:
    x = torch.rand(1, 3).expand(4, 3).contiguous()
    other = layout(x)
    assert torch.equal(other, x)
    assert not other.is_contiguous()
