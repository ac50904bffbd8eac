"""Python looks for garbage less often while a loop is noted, and as before afterwards."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import snntorch as snn
from snntorch._neurons._deferral import recorder
from snntorch._unroll.deferred.garbage import THRESHOLD

BEFORE = (600, 7, 8)


@pytest.fixture(autouse=True)
def threshold() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(*BEFORE)
    yield
    gc.set_threshold(*before)


def test_a_loop_that_is_noted_starts_no_search() -> None:
    neuron, searches = snn.Leaky(0.9), 0

    def count(phase: str, _: Any) -> None:
        nonlocal searches
        searches += phase == "start"

    def loop() -> int:
        mem, kept = neuron.init_leaky(), []
        for _ in range(1000):
            spk, mem = neuron(torch.ones(2), mem)
            kept.append([spk])
        return searches

    gc.collect()
    gc.callbacks.append(count)
    try:
        alone = loop()
        assert alone
        with snn.deferred():
            assert loop() == alone
    finally:
        gc.callbacks.remove(count)


def test_the_threshold_is_put_back() -> None:
    with snn.deferred():
        assert gc.get_threshold() == (THRESHOLD, *BEFORE[1:])
        with snn.deferred():
            pass
        assert gc.get_threshold()[0] == THRESHOLD
    assert gc.get_threshold() == BEFORE
    with pytest.raises(ZeroDivisionError), snn.deferred():
        raise ZeroDivisionError
    assert gc.get_threshold() == BEFORE
    with pytest.raises(RuntimeError, match="shapes"), snn.deferred():
        torch.nn.Linear(3, 2)(torch.rand(2, 4))
    assert gc.get_threshold() == BEFORE


@pytest.mark.parametrize("mine", [(0, 7, 8), (10**7, 7, 8)])
def test_one_that_is_higher_stays(mine: tuple[int, int, int]) -> None:
    gc.set_threshold(*mine)
    with snn.deferred():
        assert gc.get_threshold() == mine
    assert gc.get_threshold() == mine


def test_one_that_the_loop_sets_stays() -> None:
    with snn.deferred():
        gc.set_threshold(500, 5, 5)
    assert gc.get_threshold() == (500, 5, 5)


def test_the_last_of_two_threads_puts_it_back() -> None:
    begins, ends = threading.Event(), threading.Event()

    def other() -> None:
        with snn.deferred():
            begins.set()
            assert ends.wait(60)

    thread = threading.Thread(target=other)
    with snn.deferred():
        thread.start()
        assert begins.wait(60)
    assert gc.get_threshold()[0] == THRESHOLD
    ends.set()
    thread.join()
    assert gc.get_threshold() == BEFORE


def test_a_block_within_itself() -> None:
    block, neuron = snn.deferred(), snn.Leaky(0.9)
    with block, block:
        spk, _ = neuron(torch.ones(2))
    assert gc.get_threshold() == BEFORE
    assert recorder() is None
    assert type(neuron(torch.ones(2))[0]) is type(spk.sum()) is torch.Tensor
