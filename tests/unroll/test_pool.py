"""Memory that is reused is never anyone else's, and such tensors are as any other."""

from __future__ import annotations

import copy
import gc
import io
import os
import pickle
import sys
import threading
from typing import Any

import pytest
import torch
from torch import Tensor

from snntorch._kernels.cpu import pool as buffers

#: A shape whose float32 tensor is large enough for the pool.
BIG = (buffers.SMALL // 4 + 100,)


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> buffers.Pool:
    fresh = buffers.Pool(limit=5 * buffers.SMALL)
    monkeypatch.setattr(buffers, "POOL", fresh)
    return fresh


needs_pool = pytest.mark.skipif(
    not buffers.FLAGS, reason="this system has no private anonymous memory maps"
)


@needs_pool
def test_memory_comes_back_with_the_last_that_looks_at_it(pool: buffers.Pool) -> None:
    x = buffers.empty(BIG, torch.float32)
    where = x.data_ptr()
    view, storage = x.view(4, -1)[2], x.untyped_storage()
    array = x.numpy()
    for one in (x, view, storage, array):
        assert buffers.empty(BIG, torch.float32).data_ptr() != where
        assert one is not None
    del x, one
    assert buffers.empty(BIG, torch.float32).data_ptr() != where
    del view, storage
    assert buffers.empty(BIG, torch.float32).data_ptr() != where
    del array
    pool.waiting[:] = [b for b in pool.waiting if len(b)]
    again = [buffers.empty(BIG, torch.float32) for _ in range(2)]
    assert where in [x.data_ptr() for x in again]


@needs_pool
def test_the_pool_keeps_no_more_than_its_limit(pool: buffers.Pool) -> None:
    tensors = [buffers.empty(BIG, torch.float32) for _ in range(12)]
    assert not pool.waiting
    last = tensors[-1].data_ptr()
    while tensors:
        del tensors[0]
    assert 0 < sum(map(len, pool.waiting)) <= pool.limit
    assert len(pool.waiting) == pool.limit // len(pool.waiting[0])
    # of blocks that fit equally well, any will do, but none that is much too large
    assert buffers.empty((BIG[0] // 3,), torch.float32).numel() == BIG[0] // 3
    kept = len(pool.waiting)
    smaller = buffers.empty((BIG[0] * 3,), torch.float32)
    assert len(pool.waiting) == kept
    assert smaller.data_ptr() != last


@needs_pool
@pytest.mark.parametrize(
    ("grains", "taken"), [(19, False), (20, True), (21, True), (25, True), (26, False)]
)
def test_a_block_is_taken_by_what_nearly_fills_it(
    pool: buffers.Pool, grains: int, taken: bool
) -> None:
    waiting = buffers.empty((grains * buffers.GRAIN,), torch.uint8)
    where = waiting.data_ptr()
    del waiting
    assert len(pool.waiting) == 1
    assert (buffers.empty((20 * buffers.GRAIN,), torch.uint8).data_ptr() == where) is taken


@needs_pool
def test_small_tensors_are_no_business_of_the_pool(pool: buffers.Pool) -> None:
    x = buffers.empty((10, 3), torch.bfloat16)
    assert x.shape == (10, 3)
    assert x.dtype == torch.bfloat16
    del x
    assert not pool.waiting
    assert not pool._returned


@needs_pool
def test_such_a_tensor_is_as_any_other(pool: buffers.Pool) -> None:
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        x = buffers.empty((3, *BIG), dtype).fill_(2.5)
        file = io.BytesIO()
        torch.save(x, file)
        file.seek(0)
        for twin in (
            torch.load(file, weights_only=True),
            pickle.loads(pickle.dumps(x)),
            copy.deepcopy(x),
        ):
            assert torch.equal(twin, x)
        x.requires_grad_()
        (x * 2).sum().backward()
        assert x.grad is not None
        assert x.grad[0, 0] == 2
        shared = x.detach().share_memory_()
        assert shared.is_shared()
        assert (shared == 2.5).all()
        shared.resize_(2, 5)
        assert (shared == 2.5).all()
    with pytest.raises(RuntimeError, match="not resizable"):
        buffers.empty(BIG, torch.float32).resize_(2 * BIG[0])


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return buffers.empty(grad.shape, grad.dtype).fill_(2)


@needs_pool
def test_a_gradient_is_taken_over_not_copied(pool: buffers.Pool) -> None:
    x = torch.zeros(BIG, requires_grad=True)
    Doubled.apply(x).sum().backward()
    assert x.grad is not None
    where = x.grad.data_ptr()
    assert not pool.waiting  # a copy would have left the block free
    x.grad = None
    assert buffers.empty(BIG, torch.float32).data_ptr() == where


@needs_pool
def test_threads_never_share_a_block(pool: buffers.Pool) -> None:
    wrong: list[int] = []

    def work(number: int) -> None:
        for turn in range(60):
            x = buffers.empty((BIG[0] + 1000 * (turn % 3),), torch.float32)
            x[::1000] = number
            cycle: list[Any] = [x]
            cycle.append(cycle)  # dies in a garbage collection, in whatever thread that runs
            if (x[::1000] != number).any():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    assert not wrong
    assert sum(map(len, pool.waiting)) <= pool.limit


@needs_pool
def test_a_tensor_may_die_while_another_is_made(pool: buffers.Pool) -> None:
    kept = buffers.empty(BIG, torch.float32)
    with pool._lock:  # as if in the middle of `take`
        del kept
        assert not pool.waiting
    assert len(pool._returned) == 1
    buffers.empty(BIG, torch.float32)
    assert not pool._returned


@needs_pool
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_a_forked_process_has_memory_of_its_own() -> None:
    x = buffers.empty(BIG, torch.float32).fill_(1)
    with buffers.POOL._lock:  # held by a thread that the child doesn't have
        child = os.fork()
        if child == 0:
            try:
                x.fill_(2)
                y = buffers.empty(BIG, torch.float32)
                os._exit(0 if y.data_ptr() != x.data_ptr() else 1)
            finally:
                os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert (x == 1).all()
