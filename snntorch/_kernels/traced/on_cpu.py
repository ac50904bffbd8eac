"""A traced step on the CPU: C that the compiler of this machine makes a library of."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from snntorch._kernels.cpu.library import threads_of_torch
from snntorch._kernels.cpu.memory import Memory
from snntorch._kernels.cpu.pool import empty
from snntorch._kernels.traced.compiler import compiled
from snntorch._kernels.traced.graph import Given, Program
from snntorch._kernels.traced.source import source


class OnCPU:
    """A compiled program: a `run.Runner`."""

    DESCRIPTION = "its step, compiled for this CPU"

    def __init__(self, program: Program) -> None:
        self.program, self.entry = program, compiled(source(program, "frame.c"))

    def forward(
        self, given: Given, record: Sequence[bool]
    ) -> tuple[list[Tensor | None], list[Tensor]]:
        """Run all steps, see `run.Runner.forward`."""
        x, shape = given.x, given.x.shape[1:]
        recorded = [empty((given.steps, *shape), x.dtype) if asked else None for asked in record]
        last = [empty(shape, x.dtype) for _ in given.states]
        spare = x.new_empty((1, *shape))
        rows = [spare if one is None else one for one in recorded]
        self._call(given, rows, last)
        return recorded, last

    def backward(
        self, given: Given, grads: Sequence[Tensor | None], last_grads: Sequence[Tensor | None]
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Run the backward pass, see `run.Runner.backward`."""
        x, shape = given.x, given.x.shape[1:]
        none = x.new_zeros((1, *shape))
        rows = [none if one is None else one for one in grads]
        last = [none[0] if one is None else one for one in last_grads]
        grad_x = empty(x.shape, x.dtype) if len(x) > 1 else torch.zeros_like(none)
        olds = [empty(shape, x.dtype) for _ in given.states]
        learned = sum(one.learns for one in self.program.values)
        totals = [none.new_zeros(shape, dtype=self.program.computed) for _ in range(learned)]
        self._call(given, rows, olds, (grad_x, last, totals))
        return grad_x, olds, totals

    def _call(
        self,
        given: Given,
        rows: Sequence[Tensor],
        ends: Sequence[Tensor],
        back: tuple[Tensor, Sequence[Tensor], Sequence[Tensor]] | None = None,
    ) -> None:
        """Run all steps, forward or, given where its gradients go and come from, backward.

        Args:
            given: What to run.
            rows: Forward, where spikes and states go; backward, their gradients.
            ends: Forward, where the last states go; backward, the gradients of the first.
            back: Where the gradient of x goes; gradients of the last states; and where those of
                the parameters go.
        """
        (x, steps, states, values), program = given, self.program
        shape = x.shape[1:]
        memory = Memory(x.dtype, shape.numel())

        def at(one: Tensor) -> int:
            return memory.address(one.expand(shape).contiguous().resolve_neg(), memory.size)

        grad_x, last, totals = back or (x.new_empty((1, *shape)), ends, ())
        numbers = [back is not None, steps, memory.size, torch.get_num_threads()]
        numbers.append(threads_of_torch())
        for one in (x, grad_x, *rows):
            numbers += memory.rows_of(one, steps)
        for group in (states, last):
            numbers += map(at, group)
        for one, value in zip(values, program.values, strict=True):
            numbers.append(
                memory.address(one.detach().reshape(1).resolve_neg(), 1)
                if value.is_single
                else at(one)
            )
        numbers += map(at, ends)
        sums = Memory(program.computed, memory.size)
        numbers += [sums.address(one, sums.size) for one in totals]
        if back is None:  # nothing is added up
            numbers += [0] * sum(one.learns for one in program.values)
        numbers += [0, 0, 0]
        if not self.entry((ctypes.c_int64 * len(numbers))(*numbers)):  # type: ignore[arg-type]
            raise MemoryError("The compiled kernel of snntorch found no memory to work with.")
