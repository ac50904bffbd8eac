"""Memory for large results that is reused instead of given back.

What the C library allocates above some 32 MB comes from the system each time, page by page,
which costs more than the arithmetic on it. Here the memory of a tensor that is gone waits for
the next one of about its size.
"""

from __future__ import annotations

import mmap
import os
import threading
import weakref
from collections import deque
from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

#: Tensors below this many bytes are allocated as usual.
SMALL = 1 << 20
#: At most so many bytes wait for the next tensor.
KEPT = 256 << 20
#: A tensor takes no block that is larger than it by more than this factor.
SLACK = 1.25

#: Sizes are rounded up to a multiple of this, so that they match again.
GRAIN = 1 << 16
#: Private, so that a forked process doesn't write into its parent's tensors.
FLAGS = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0)


class Pool:
    """Blocks of memory that wait for their next tensor, in the order in which they came back.

    Args:
        limit: Bytes that may wait; beyond them, those that wait longest go back to the system.
    """

    def __init__(self, limit: int = KEPT) -> None:
        self.limit = limit
        self.waiting: list[mmap.mmap] = []
        self._returned: deque[mmap.mmap] = deque()
        self.renew_lock()

    def renew_lock(self) -> None:
        """Forget who held the lock: after a fork there may be nobody to release it."""
        self._lock = threading.Lock()

    def take(self, size: int) -> memoryview:
        """Return ``size`` bytes that stay as they are as long as anything refers to them."""
        whole = -(-size // GRAIN) * GRAIN
        with self._lock:
            self._collect()
            fitting = (b for b in self.waiting if whole <= len(b) <= SLACK * whole)
            block = min(fitting, key=len, default=None)
            if block is not None:
                self.waiting.remove(block)
        if block is None:
            block = mmap.mmap(-1, whole, flags=FLAGS)
            if hasattr(mmap, "MADV_HUGEPAGE"):
                block.madvise(mmap.MADV_HUGEPAGE)
        lease = memoryview(block)[:size]
        weakref.finalize(lease, self._give_back, block).atexit = False
        return lease

    def _give_back(self, block: mmap.mmap) -> None:
        # Runs in any thread at any time, as a tensor can die in a garbage collection: even
        # while this very thread is in `take`, so it must not wait for the lock.
        self._returned.append(block)
        if self._lock.acquire(blocking=False):
            try:
                self._collect()
            finally:
                self._lock.release()

    def _collect(self) -> None:
        while self._returned:
            self.waiting.append(self._returned.popleft())
        while sum(map(len, self.waiting)) > self.limit:
            del self.waiting[0]


POOL = Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=POOL.renew_lock)


def empty(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Return a new tensor with whatever is in its memory.

    It is as any other, only that a large one cannot be made larger by ``resize_``.
    """
    size = prod(shape) * dtype.itemsize
    if size < SMALL or not FLAGS:
        return torch.empty(shape, dtype=dtype, device="cpu")
    return torch.frombuffer(POOL.take(size), dtype=dtype).view(shape).detach()
