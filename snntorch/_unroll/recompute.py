"""Values between two neurons that are computed again in the backward pass, not kept."""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from snntorch._checks import expect
from snntorch._torch import memory_of, version_of
from snntorch._unroll.bits import Bits, to_bits
from snntorch._unroll.deferred.modes import mode_now, within
from snntorch._unroll.folding import fold, is_random
from snntorch._unroll.keeping import LEAST, Counter, is_mine, keeping
from snntorch._unroll.layout import arranged


class Again(NamedTuple):
    """A value of a chain, seen in some shape, to be computed when it is needed."""

    chain: Chain
    place: int
    offset: int
    shape: torch.Size
    stride: tuple[int, ...]
    order: tuple[int, ...]

    def tensor(self) -> Tensor:
        """Return the value, in the order in memory that it had."""
        whole = self.chain.value(self.place)
        if whole.stride() != self.order:
            whole = whole.new_empty_strided(whole.shape, self.order).copy_(whole)
        return whole.as_strided(self.shape, self.stride, whole.storage_offset() + self.offset)


class Chain:
    """Layers that follow each other, and what the first one starts from: all that is kept.

    Args:
        source: What the first layer takes, (time, batch, ...).

    Attributes:
        source: What is kept of it.
    """

    def __init__(self, source: Tensor) -> None:
        bits = to_bits(source) if source.nbytes >= LEAST else None
        self.source: Bits | Tensor = source.detach() if bits is None else bits
        self._layers: list[nn.Module] = []
        self._mode = mode_now()._replace(grad=False)
        self._facts = [_facts(source)]
        self.arrange(source)
        self._wanted: set[int] = set()
        self._found: dict[int, Tensor] = {}  # computed again, and not asked for yet

    @staticmethod
    def takes(layer: nn.Module) -> bool:
        """Return whether a layer gives the same when it runs again."""
        return not is_random(layer) and not getattr(layer, "inplace", False)

    def add(self, layer: nn.Module, value: Tensor) -> None:
        """Note that a layer came next, and what it gave."""
        self._layers.append(layer)
        self._facts.append(_facts(layer))
        self.arrange(value)

    def arrange(self, value: Tensor) -> None:
        """Note that the next layer takes the last value in this order in memory."""
        self._now: Tensor | None = value
        self._version = version_of(value)

    def end(self) -> None:
        """Let go of the last value: whoever takes it has been told how to compute it."""
        self._now = None

    def find(self, tensor: Tensor) -> Again | None:
        """Return how to compute a tensor that is to be kept; None if it is not the last value."""
        now = self._now
        if now is None or memory_of(tensor) != memory_of(now):
            return None
        if tensor.numel() != now.numel() or tensor.dtype != now.dtype:
            return None
        if version_of(tensor) != self._version:  # a layer works in place
            return None
        self._wanted.add(len(self._layers))
        offset = int(tensor.storage_offset() - now.storage_offset())
        facts = tensor.shape, tensor.stride(), now.stride()
        return Again(self, len(self._layers), offset, *facts)

    def value(self, place: int) -> Tensor:
        """Return what the layers up to a place give."""
        if place not in self._found:
            self._run()
        return self._found.pop(place)

    def _run(self) -> None:
        """Run the layers again, up to the last value that is wanted."""
        value = self.source if isinstance(self.source, Tensor) else self.source.tensor()
        self._expect_unchanged(value, 0)
        with within(self._mode):
            for place in range(max(self._wanted) + 1):
                if place:
                    layer = self._layers[place - 1]
                    self._expect_unchanged(layer, place)
                    again = fold(layer, arranged(layer, value))
                    assert again is not None
                    value = again
                if place in self._wanted:
                    self._found[place] = value

    def _expect_unchanged(self, one: Tensor | nn.Module, place: int) -> None:
        name = type(one).__name__
        same = self._facts[place] == _facts(one) or (not place and isinstance(self.source, Bits))
        expect(
            same,
            "unroll",
            f"{name} to be as it was in the forward pass, of which recompute=True runs it again",
            "one that was changed since",
            "Call backward() before you change parameters or the input, or leave `recompute` out.",
            RuntimeError,
        )


def _facts(one: Tensor | nn.Module) -> tuple[object, ...]:
    """Return what changes when a tensor, or what a layer computes with, is written to."""
    if isinstance(one, Tensor):
        return (version_of(one),)
    held = (*one.parameters(), *one.buffers())
    return (one.training, *[(id(tensor), version_of(tensor)) for tensor in held])


class Keeper:
    """Decides what the stages of a run keep.

    Args:
        recompute: Whether to keep what chains of layers start from, not what they compute.
        count: Told what is kept.
    """

    def __init__(self, recompute: bool, count: Counter | None) -> None:
        self._recompute, self._count = recompute and is_mine(), count
        self._chain: Chain | None = None

    def around(
        self, layer: nn.Module, value: Tensor, folds: bool = False
    ) -> contextlib.AbstractContextManager[Any]:
        """Decide what a layer keeps that takes a value, all steps at once, and runs within."""
        if self._recompute and self._chain is None and folds and Chain.takes(layer):
            self._chain = Chain(value)
            if self._count is not None:
                self._count(self._chain.source)
        find = self._chain.find if self._chain is not None else None
        return keeping(value, find=find, count=self._count)

    def arrange(self, value: Any) -> None:
        """Note what the next layer takes: the last value, maybe in another order in memory."""
        if self._chain is not None and isinstance(value, Tensor):
            self._chain.arrange(value)

    def follow(self, layer: nn.Module, out: Tensor | None, folds: bool) -> None:
        """Go on behind a layer that gave ``out``; None if it has to run step by step."""
        if self._chain is None:
            return
        if folds and out is not None and Chain.takes(layer):
            self._chain.add(layer, out)
        else:
            self._chain.end()
            self._chain = None
