"""A traced step over a whole sequence as one differentiable operation."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from snntorch._kernels.autograd import by_torch, to_save, unpacked
from snntorch._kernels.cpu.library import threads_of_torch
from snntorch._kernels.cpu.memory import Memory
from snntorch._kernels.cpu.pool import empty
from snntorch._kernels.plain import gradients
from snntorch._kernels.traced import graph
from snntorch._kernels.traced.compiler import Entry, NotCompiledError, compiled
from snntorch._kernels.traced.graph import Program, Step, Value
from snntorch._kernels.traced.operations import UntoldError
from snntorch._kernels.traced.source import source

#: What a plan says of this path.
DESCRIPTION = "its step, compiled for this CPU"
DTYPES = (torch.float32, torch.float64)


@dataclass(frozen=True)
class Kernel:
    """A step, compiled to run over a whole sequence.

    Attributes:
        step: The step in torch.
        program: The step in C.
        entry: What runs it.
    """

    step: Step
    program: Program
    entry: Entry

    def states(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return those of the tensors that are states, and not parameters."""
        return tensors[: self.program.states]

    def used(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return those of the tensors that are parameters for which it has a use."""
        values = tensors[self.program.states :]
        return [values[place] for place in self.program.used]


@functools.lru_cache(maxsize=256)
def kernel(
    step: Step, dtype: torch.dtype, shape: torch.Size, states: int, values: tuple[Value, ...]
) -> Kernel | str:
    """Return a step as a kernel, or why there is none. See `graph.program`."""
    if dtype not in DTYPES:
        return f"C is generated for float32 and float64, not for {dtype}"
    try:
        program = graph.program(step, dtype, shape, states, values)
        return Kernel(step, program, compiled(source(program)))
    except (UntoldError, NotCompiledError) as error:
        return str(error)
    except Exception as error:  # a user's step may raise anything
        return f"its step cannot be traced: {' '.join(str(error).split('.')[0].split())}"


def run(
    made: Kernel, x: Tensor, steps: int, tensors: Sequence[Tensor], record: tuple[bool, ...]
) -> tuple[list[Tensor], list[Tensor]]:
    """Run all steps, differentiably.

    Args:
        made: What to run.
        x: Input, (time, ...); (1, ...) for one that is the same at all times.
        steps: Number of steps.
        tensors: States to start from, each as one step's input, and parameters, each
            expandable to that.
        record: Whether to return the spikes, and each of the states, for all times.

    Returns:
        What was asked for, each (time, ...), and the last states.
    """
    out = _Unroll.apply(made, steps, record, x, *tensors)  # type: ignore[no-untyped-call]
    return list(out[: sum(record)]), list(out[sum(record) :])


class _Unroll(torch.autograd.Function):
    """One node of the graph. Keeps what came in, and nothing else."""

    @staticmethod
    def forward(
        ctx: Any, made: Kernel, steps: int, record: tuple[bool, ...], x: Tensor, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.made, ctx.steps, ctx.record, ctx.dtype = made, steps, record, x.dtype
        ctx.save_for_backward(*to_save(x, *tensors))
        ctx.set_materialize_grads(False)
        shape = x.shape[1:]
        recorded = [empty((steps, *shape), x.dtype) if asked else None for asked in record]
        last = [empty(shape, x.dtype) for _ in made.states(tensors)]
        spare = x.new_empty((1, *shape))
        rows = [spare if one is None else one for one in recorded]
        _call(made, x, steps, tensors, rows, last)
        return (*(one for one in recorded if one is not None), *last)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        x, *tensors = unpacked(ctx, ctx.dtype)
        told: tuple[Kernel, int, tuple[bool, ...]] = (ctx.made, ctx.steps, ctx.record)
        go_back = _by_torch if by_torch(grads) else _by_kernel
        needs = ctx.needs_input_grad[3:]
        found = go_back(*told, x, tensors, grads)
        like = zip(found, (x, *tensors), needs, strict=True)
        return (
            None,
            None,
            None,
            *(
                grad.sum_to_size(one.shape) if need and grad is not None else None
                for grad, one, need in like
            ),
        )


def _by_kernel(
    made: Kernel,
    steps: int,
    record: tuple[bool, ...],
    x: Tensor,
    tensors: Sequence[Tensor],
    grads: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """Return gradients of x and tensors, those of parameters in the shape of a step."""
    shape, given = x.shape[1:], iter(grads)
    none = x.new_zeros((1, *shape))
    asked = [next(given) if kept else None for kept in record]
    rows = [none if one is None else one for one in asked]
    last = [none[0] if one is None else one for one in given]
    grad_x = empty(x.shape, x.dtype) if len(x) > 1 else torch.zeros_like(none)
    olds = [empty(shape, x.dtype) for _ in last]
    program = made.program
    learned = [k for k, one in zip(program.used, program.values, strict=True) if one.learns]
    totals = [torch.zeros_like(none[0]) for _ in learned]
    _call(made, x, steps, tensors, rows, olds, (grad_x, last, totals))
    places = dict(zip(learned, totals, strict=True))
    values = range(len(tensors) - program.states)
    return [grad_x, *olds, *(places.get(place) for place in values)]


def _call(
    made: Kernel,
    x: Tensor,
    steps: int,
    tensors: Sequence[Tensor],
    rows: Sequence[Tensor],
    ends: Sequence[Tensor],
    back: tuple[Tensor, Sequence[Tensor], Sequence[Tensor]] | None = None,
) -> None:
    """Run all steps, forward or, given where its gradients go and come from, backward.

    Args:
        made: What to run.
        x: Its input.
        steps: Number of steps.
        tensors: States to start from, and parameters.
        rows: Forward, where spikes and states go; backward, their gradients.
        ends: Forward, where the last states go; backward, the gradients of the first.
        back: Where the gradient of x goes; gradients of the last states; and where those of the
            parameters go.
    """
    shape = x.shape[1:]
    memory = Memory(x.dtype, shape.numel())

    def at(one: Tensor) -> int:
        return memory.address(one.expand(shape).contiguous().resolve_neg(), memory.size)

    states, values = made.states(tensors), made.used(tensors)
    grad_x, last, totals = back or (x.new_empty((1, *shape)), ends, ())
    # Forward, nothing is added up: what has to be pointed at is never touched
    unused = [grad_x[0]] * sum(one.learns for one in made.program.values)
    numbers = [back is not None, steps, memory.size, torch.get_num_threads(), threads_of_torch()]
    for one in (x, grad_x, *rows):
        numbers += memory.rows_of(one, steps)
    for group in (states, last):
        numbers += map(at, group)
    for one, value in zip(values, made.program.values, strict=True):
        numbers.append(
            memory.address(one.detach().reshape(1).resolve_neg(), 1) if value.is_single else at(one)
        )
    for group in (ends, totals or unused):
        numbers += map(at, group)
    numbers += [0, 0, 0]
    if not made.entry((ctypes.c_int64 * len(numbers))(*numbers)):  # type: ignore[arg-type]
        raise MemoryError("The compiled kernel of snntorch found no memory to work with.")


def _by_torch(
    made: Kernel,
    steps: int,
    record: tuple[bool, ...],
    x: Tensor,
    tensors: Sequence[Tensor],
    grads: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """Return gradients as `_by_kernel` does, by operations that can be differentiated."""
    states = made.program.states

    def again(x: Tensor, *tensors: Tensor) -> list[Tensor]:
        olds, values = tuple(tensors[:states]), tensors[states:]
        rows: list[tuple[Tensor, ...]] = []
        for t in range(steps):
            spk, olds = made.step(x[t if len(x) > 1 else 0], olds, values)
            rows.append((spk, *olds))
        kept = [
            torch.stack(r) for r, one in zip(zip(*rows, strict=True), record, strict=True) if one
        ]
        outs = zip((*kept, *olds), grads, strict=True)
        return [one for one, grad in outs if grad is not None]

    return list(gradients(again, [x, *tensors], [grad for grad in grads if grad is not None]))
