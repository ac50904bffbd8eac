"""A traced step on CUDA: C that torch has NVRTC compile for the device at hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from snntorch._kernels.cuda.launch import SHORT, rows_of
from snntorch._kernels.traced.compiler import NotCompiledError
from snntorch._kernels.traced.graph import Given, Program
from snntorch._kernels.traced.source import source
from snntorch._torch import compile_for_cuda

#: A sum of products fused would not be what it is in torch.
FLAGS = ("--fmad=false", "-w")
#: Threads of a block.
THREADS = 128

#: ``kernel(grid, block, arguments)``
Launch = Callable[[tuple[int, int, int], tuple[int, int, int], list[Any]], None]


class OnCUDA:
    """A compiled program: a `run.Runner`."""

    DESCRIPTION = "its step, compiled for CUDA"

    def __init__(self, program: Program) -> None:
        self.program, text = program, source(program, "frame.cu")
        with torch.cuda.device(program.device):
            self._forward = _compiled(text, "forward")
            self._backward = _compiled(text, "backward")

    def forward(
        self, given: Given, record: Sequence[bool]
    ) -> tuple[list[Tensor | None], list[Tensor]]:
        """Run all steps, see `run.Runner.forward`."""
        x, steps, states, _ = given
        shape = x.shape[1:]
        recorded = [x.new_empty((steps, *shape)) if asked else None for asked in record]
        last = [x.new_empty(shape) for _ in states]
        spk, *rows = [(x if one is None else one, int(one is not None)) for one in recorded]
        arguments: list[Any] = [steps, shape.numel(), *rows_of(x), *spk]
        arguments += self._states_and_values(given)
        for (row, kept), end in zip(rows, last, strict=True):
            arguments += [row, kept, end]
        self._launch(self._forward, x, arguments)
        return recorded, last

    def backward(
        self, given: Given, grads: Sequence[Tensor | None], last_grads: Sequence[Tensor | None]
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Run the backward pass, see `run.Runner.backward`."""
        x, steps, states, _ = given
        shape, computed = x.shape[1:], self.program.computed
        length = max(math.isqrt(steps - 1) + 1, min(steps, SHORT))
        segments = math.ceil(steps / length)
        kept = x.new_empty((segments + length, len(states), *shape), dtype=computed)
        grad_x, olds = x.new_empty(x.shape), [x.new_empty(shape) for _ in states]
        totals = [x.new_empty(shape, dtype=computed) for one in self.program.values if one.learns]
        spk, *rows = [(x, 0, 0) if one is None else _gradient(one) for one in grads]
        arguments: list[Any] = [steps, shape.numel(), segments, length, kept, *rows_of(x)]
        arguments += [grad_x, int(len(x) > 1), *spk, *self._states_and_values(given)]
        for row, last, old in zip(rows, last_grads, olds, strict=True):
            arguments += [*row, x if last is None else _plain(last), int(last is not None), old]
        self._launch(self._backward, x, [*arguments, *totals])
        return grad_x, olds, totals

    def _states_and_values(self, given: Given) -> list[Tensor]:
        """Return states and parameters as a kernel takes them."""
        shape, tensors = given.x.shape[1:], [_plain(one) for one in given.states]
        for one, value in zip(given.values, self.program.values, strict=True):
            tensors.append(_plain(one.reshape(1) if value.is_single else one.expand(shape)))
        return tensors

    @staticmethod
    def _launch(kernel: Launch, x: Tensor, arguments: list[Any]) -> None:
        blocks = math.ceil(x[0].numel() / THREADS)
        with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
            kernel((blocks, 1, 1), (THREADS, 1, 1), arguments)


def _compiled(text: str, name: str) -> Launch:
    try:
        made: Launch = compile_for_cuda(text, name, [*FLAGS])
    except (RuntimeError, OSError) as error:
        told = str(error).strip().splitlines() or [type(error).__name__]
        raise NotCompiledError(f"torch could not compile it: {told[0]}") from None
    return made


def _gradient(rows: Tensor) -> tuple[Tensor, int, int]:
    """Return rows of a gradient, that there is one, and how far they are apart."""
    plain, apart = rows_of(rows)
    return plain, 1, apart


def _plain(one: Tensor) -> Tensor:
    return one.detach().contiguous().resolve_neg()
