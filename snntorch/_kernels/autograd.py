"""A neuron over a whole sequence as one differentiable operation.

Eager code runs it as an autograd function; torch.compile, torch.export and FakeTensor see it
as `torch.ops.snntorch.unroll`. Both pick the kernel by where the input lives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from snntorch import surrogate
from snntorch._kernels.backends import PLAIN, backend, tell_if_slow
from snntorch._kernels.problem import PARAMETERS, ByName, Parameters, Problem, Rule
from snntorch._torch import is_batched, is_traced, is_transformed, recording
from snntorch.surrogate import SurrogateFunction, SurrogateGradient

#: What to do where a second batch goes back through the graph of the first.
_HINT = (
    "If neurons still hold the states of an earlier batch, call `utils.reset(net)` before each "
    "sequence, or cut them from its graph by `neuron.detach_mem()`."
)


def to_save(*tensors: Tensor | None) -> list[Tensor | None]:
    """Return tensors that can be kept for the backward pass; those of inference mode cannot."""
    return [one.clone() if one is not None and one.is_inference() else one for one in tensors]


def unpacked(ctx: Any, dtype: torch.dtype) -> Any:
    """Return what was saved, in the dtype it had, whatever hooks made of it meanwhile."""
    try:
        tensors = ctx.saved_tensors
    except RuntimeError as error:
        if "a second time" in str(error):
            raise RuntimeError(f"{error}\n{_HINT}") from None
        raise
    for one in tensors:
        if one is not None and one.dtype is not dtype and one.dim():
            return [v.to(dtype) if v is not None and v.dim() else v for v in tensors]
    return tensors


def by_torch(grads: Sequence[Tensor | None]) -> bool:
    """Return whether a backward pass has to consist of torch operations.

    It does where it is to be differentiated itself, and for many gradients at once.
    """
    if torch.is_grad_enabled() or is_transformed():
        return True
    for grad in grads:  # noqa: SIM110 (any() takes thrice as long)
        if grad is not None and is_batched(grad):
            return True
    return False


class Call(NamedTuple):
    """What a run is told besides tensors.

    Attributes:
        rule: What the neuron does.
        spike_grad: Surrogate gradient of its spikes.
        names: Names of the tensors: states to start from, and parameters.
        record: What to return for all times.
    """

    rule: Rule
    spike_grad: SurrogateGradient
    names: tuple[str, ...]
    record: tuple[str, ...]

    def unpack(self, tensors: Sequence[Tensor]) -> tuple[ByName, Parameters]:
        """Return states and parameters by name."""
        named = dict(zip(self.names, tensors, strict=True))
        parameters = {n: named.pop(n) for n in PARAMETERS if n in named}
        return named, Parameters(**parameters)

    def problem(self, x: Tensor, steps: int, tensors: Sequence[Tensor]) -> Problem:
        """Return what a kernel is told."""
        old, parameters = self.unpack(tensors)
        return Problem(self.rule, parameters, self.spike_grad, x, steps, old)

    def by_place(self, out: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what belongs to the records and what to the last states, by name."""
        count = len(self.record)
        recorded = dict(zip(self.record, out[:count], strict=True))
        return recorded, dict(zip(self.rule.states(), out[count:], strict=True))

    def encode(self) -> str:
        """Return all of it as an operator can take it: as text that a compiler can follow."""
        model, reset, delay, feedback = self.rule
        flags = f"{'delay' if delay else ''} {'feedback' if feedback else ''}"
        names, record = " ".join(self.names), " ".join(self.record)
        return f"{model} {reset} {flags}, {self.spike_grad.as_text}, {names}, {record}"

    @staticmethod
    def decode(text: str) -> Call:
        """Undo `encode`."""
        (model, reset, *flags), (function, *values), names, record = (
            part.split() for part in text.split(",")
        )
        rule = Rule(model, reset, "delay" in flags, "feedback" in flags)
        parameters = tuple(float(value) for value in values)
        spike_grad = SurrogateGradient(function, _FUNCTIONS[function], parameters)
        return Call(rule, spike_grad, tuple(names), tuple(record))


#: The surrogates that an operator can name.
_FUNCTIONS: dict[str, type[SurrogateFunction]] = {
    name: found
    for name, found in vars(surrogate).items()
    if isinstance(found, type) and issubclass(found, SurrogateFunction)
}


def run(
    call: Call, x: Tensor, steps: int, tensors: Sequence[Tensor], any_order: bool = False
) -> tuple[ByName, ByName]:
    """Run all steps, differentiably.

    Args:
        call: What to run.
        x: Input, (time, ...); (1, ...) for one that is the same at all times.
        steps: Number of steps.
        tensors: States to start from, each as one step's input, and parameters, each
            expandable to that, as ``call`` names them.
        any_order: Whether what is recorded may lie in memory as images do whose channels are last.

    Returns:
        What was recorded by name, each (time, ...), and the last states by name.
    """
    if is_traced() or type(x) is not Tensor:
        out = torch.ops.snntorch.unroll(x, [*tensors], steps, call.encode())
    else:
        tell_if_slow(x, steps)
        turned = any_order and x.dim() == 5 and not x.is_contiguous()
        if turned and x.movedim(2, -1).is_contiguous():
            out = _in_order(call, x, steps, tensors)
        else:
            out = _Unroll.apply(call, steps, x, *tensors)  # type: ignore[no-untyped-call]
    return call.by_place(out)


def _in_order(call: Call, x: Tensor, steps: int, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Run images where they lie in memory, with the channels of each pixel side by side.

    A neuron takes each number of a step alone, so it is a question of names which dimension is
    which, and a copy to the usual order is spared.
    """

    def turned(one: Tensor) -> Tensor:
        if one.dim() == 0:
            return one
        return one.reshape(*[1] * (4 - one.dim()), *one.shape).permute(0, 2, 3, 1).contiguous()

    given = [turned(one) for one in tensors]
    out = _Unroll.apply(call, steps, x.movedim(2, -1), *given)  # type: ignore[no-untyped-call]
    count = len(call.record)
    rows = [one.movedim(-1, 2) for one in out[:count]]
    return [*rows, *(one.permute(0, 3, 1, 2).contiguous() for one in out[count:])]


def _forward(call: Call, x: Tensor, steps: int, tensors: Sequence[Tensor]) -> list[Tensor]:
    problem = call.problem(x, steps, tensors)
    recorded, last = backend(x, problem.parameters).forward(problem, call.record)
    return [*(recorded[n] for n in call.record), *(last[n] for n in call.rule.states())]


def _backward(
    call: Call,
    x: Tensor,
    steps: int,
    tensors: Sequence[Tensor],
    grads: Sequence[Tensor | None],
    needs: Sequence[bool],
) -> list[Tensor | None]:
    """Return the gradients of x and of all tensors; None where none is needed."""
    problem = call.problem(x, steps, tensors)
    kernels = PLAIN if by_torch(grads) else backend(x, problem.parameters)
    given, last = (
        {n: g for n, g in part.items() if g is not None} for part in call.by_place(grads)
    )
    wanted = frozenset(n for n, need in zip(call.names, needs, strict=True) if need)
    grad_x, grad_old, grad_parameters = kernels.backward(problem, given, last, wanted)
    return [grad_x, *fitted({**grad_old, **grad_parameters._asdict()}, call, tensors, needs)]


def fitted(
    found: dict[str, Any], call: Call, tensors: Sequence[Tensor], needs: Sequence[bool]
) -> list[Tensor | None]:
    """Return gradients in the order and shapes of ``tensors``, where needed."""
    parts = zip(call.names, tensors, needs, strict=True)
    return [found[n].sum_to_size(v.shape) if need else None for n, v, need in parts]


class _Unroll(torch.autograd.Function):
    """One node of the graph. Keeps what came in, and nothing else."""

    @staticmethod
    def forward(
        ctx: Any, call: Call, steps: int, x: Tensor, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.call, ctx.steps, ctx.dtype = call, steps, x.dtype
        ctx.save_for_backward(*to_save(x, *tensors))
        ctx.set_materialize_grads(False)
        return tuple(_forward(call, x, steps, tensors))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        x, *tensors = unpacked(ctx, ctx.dtype)
        found = _backward(ctx.call, x, ctx.steps, tensors, grads, ctx.needs_input_grad[3:])
        return None, None, *found


# --- the same for the compiler: an operator takes tensors, numbers and text ---------------


# schemas are written out, as older versions of torch cannot read them off annotations
@torch.library.custom_op(
    "snntorch::unroll",
    mutates_args=(),
    schema="(Tensor x, Tensor[] tensors, SymInt steps, str call) -> Tensor[]",
)
def _op(x: Tensor, tensors: Sequence[Tensor], steps: int, call: str) -> list[Tensor]:
    return _forward(Call.decode(call), x, steps, tensors)


@torch.library.custom_op(
    "snntorch::unroll_backward",
    mutates_args=(),
    schema="(Tensor x, Tensor[] tensors, SymInt steps, str call, Tensor[] grads, bool[] given)"
    " -> Tensor[]",
)
def _backward_op(
    x: Tensor,
    tensors: Sequence[Tensor],
    steps: int,
    call: str,
    grads: Sequence[Tensor],
    given: Sequence[bool],
) -> list[Tensor]:
    told, rest = Call.decode(call), iter(grads)
    every = [next(rest) if is_given else None for is_given in given]
    with recording():  # the derivative in plain torch is autograd's
        grads_of = _backward(told, x, steps, tensors, every, [True] * len(tensors))
    pairs = zip(grads_of, (x, *tensors), strict=True)
    # what came in may come out, but not of an operator
    shares = backend(x, told.unpack(tensors)[1]) is PLAIN
    return [g.to(like.dtype, copy=shares) for g, like in pairs if g is not None]


@_op.register_fake
def _(x: Tensor, tensors: Sequence[Tensor], steps: int, call: str) -> list[Tensor]:
    told, shape = Call.decode(call), x.shape[1:]
    recorded = [x.new_empty((steps, *shape)) for _ in told.record]
    return recorded + [x.new_empty(shape) for _ in told.rule.states()]


@_backward_op.register_fake
def _(x: Tensor, tensors: Sequence[Tensor], *rest: Any) -> list[Tensor]:
    return [torch.empty_like(x), *(torch.empty_like(tensor) for tensor in tensors)]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    x, tensors, *ctx.told = inputs
    ctx.save_for_backward(x, *tensors)
    ctx.set_materialize_grads(False)


def _op_backward(ctx: Any, grads: list[Tensor | None]) -> Any:
    x, *tensors = ctx.saved_tensors
    present = [grad for grad in grads if grad is not None]
    given = [grad is not None for grad in grads]
    grad_x, *others = _backward_op(x, tensors, *ctx.told, present, given)
    return grad_x, others, None, None


_op.register_autograd(_op_backward, setup_context=_keep)
