"""A traced step over a whole sequence as one differentiable operation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from snntorch._kernels.autograd import by_torch, to_save, unpacked
from snntorch._kernels.covers import DTYPES
from snntorch._kernels.cuda.launch import FARTHEST
from snntorch._kernels.plain import gradients
from snntorch._kernels.traced import graph
from snntorch._kernels.traced.compiler import NotCompiledError
from snntorch._kernels.traced.graph import Given, Program, Step, Value
from snntorch._kernels.traced.on_cpu import OnCPU
from snntorch._kernels.traced.on_cuda import OnCUDA
from snntorch._kernels.traced.operations import UntoldError


class Runner(Protocol):
    """A program, compiled for a device."""

    #: What a plan says of it.
    DESCRIPTION: str

    def forward(
        self, given: Given, record: Sequence[bool]
    ) -> tuple[list[Tensor | None], list[Tensor]]:
        """Run all steps.

        Args:
            given: What to run.
            record: Whether to return the spikes, and each of the states, for all times.

        Returns:
            What was asked for, each (time, ...), and the last states.
        """

    def backward(
        self, given: Given, grads: Sequence[Tensor | None], last_grads: Sequence[Tensor | None]
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Run the backward pass.

        Args:
            given: What was run.
            grads: Gradients of spikes and states for all times, where there are any.
            last_grads: Gradients of the last states, where there are any.

        Returns:
            Gradients of x, of the states at the start, and of the parameters that are learned,
            each neuron's own.
        """


#: By type of device.
RUNNERS: dict[str, Callable[[Program], Runner]] = {"cpu": OnCPU, "cuda": OnCUDA}


@dataclass(frozen=True)
class Kernel:
    """A step, compiled to run over a whole sequence.

    Attributes:
        step: The step in torch.
        program: The step in C.
        runner: What runs it.
    """

    step: Step
    program: Program
    runner: Runner

    def given(self, x: Tensor, steps: int, tensors: Sequence[Tensor]) -> Given:
        """Return what the program takes of the tensors, which are states, then parameters."""
        count = self.program.states
        return Given(x, steps, tensors[:count], [tensors[count + k] for k in self.program.used])


@functools.lru_cache(maxsize=256)
def kernel(
    step: Step,
    dtype: torch.dtype,
    shape: torch.Size,
    states: int,
    values: tuple[Value, ...],
    device: torch.device,
) -> Kernel | str:
    """Return a step as a kernel for a device, or why there is none. See `graph.program`."""
    runner = RUNNERS.get(device.type)
    if runner is None or dtype not in DTYPES:
        return f"no kernel is generated for {dtype} on {device.type}"
    if device.type == "cuda" and shape.numel() > FARTHEST:
        return f"no kernel is generated for {shape.numel()} neurons"
    try:
        program = graph.program(step, dtype, shape, states, values, device)
        return Kernel(step, program, runner(program))
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
        x: Input, see `Given`.
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
        recorded, last = made.runner.forward(made.given(x, steps, tensors), record)
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
                grad.sum_to_size(one.shape).to(one.dtype) if need and grad is not None else None
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
    asked = iter(grads)
    rows = [next(asked) if kept else None for kept in record]
    given = made.given(x, steps, tensors)
    grad_x, olds, totals = made.runner.backward(given, rows, [*asked])
    program = made.program
    learned = [k for k, one in zip(program.used, program.values, strict=True) if one.learns]
    places = dict(zip(learned, totals, strict=True))
    return [grad_x, *olds, *(places.get(place) for place in range(len(tensors) - program.states))]


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
