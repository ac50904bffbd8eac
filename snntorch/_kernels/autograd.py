"""The recurrence over a whole sequence as one differentiable operation.

Eager code runs it as an autograd function; torch.compile, torch.export and FakeTensor see it
as `torch.ops.snntorch.recurrence`. Both pick the kernel by where the input lives.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from snntorch import surrogate
from snntorch._kernels import plain
from snntorch._kernels.cpu import binding as cpu
from snntorch._kernels.cuda import launch as cuda
from snntorch._kernels.problem import VALUES, Rule, States, Values
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


def backend(x: Tensor, values: Values) -> ModuleType:
    """Return the module whose kernel runs such an input: cpu, cuda, or plain torch."""
    for kernels in (cpu, cuda):
        if kernels.available() is None and kernels.covers(x, values):
            return kernels
    return plain


class Call(NamedTuple):
    """What a run is told besides tensors.

    Attributes:
        rule: What the recurrence does.
        spike_grad: Surrogate gradient of its spikes.
        steps: Number of steps.
        names: Names of the tensors: states to start from, and numbers.
        record: What to return for all times.
    """

    rule: Rule
    spike_grad: SurrogateGradient
    steps: int
    names: tuple[str, ...]
    record: tuple[str, ...]


def recur(call: Call, x: Tensor, tensors: Sequence[Tensor]) -> tuple[States, States]:
    """Run all steps of a recurrence, differentiably.

    Args:
        call: What to run.
        x: Input, (time, ...); (1, ...) for one that is the same at all times.
        tensors: States to start from, each as one step's input, and numbers, each expandable
            to that, as ``call`` names them.

    Returns:
        What was recorded by name, each (time, ...), and the last states by name.
    """
    if is_traced() or type(x) is not Tensor:
        out = torch.ops.snntorch.recurrence(x, [*tensors], *_spelled(call))
    else:
        out = _Recurrence.apply(call, x, *tensors)  # type: ignore[no-untyped-call]
    recorded = dict(zip(call.record, out, strict=False))
    return recorded, dict(zip(call.rule.states, out[len(call.record) :], strict=True))


def _forward(call: Call, x: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
    old, values = unpack(call, tensors)
    run = backend(x, values).forward
    recorded, last = run(call.rule, values, x, call.steps, old, call.record)
    return [*(recorded[n] for n in call.record), *(last[n] for n in call.rule.states)]


def _backward(
    call: Call,
    x: Tensor,
    tensors: Sequence[Tensor],
    grads: Sequence[Tensor | None],
    needs: Sequence[bool],
) -> list[Tensor | None]:
    """Return the gradients of x and of all tensors; None where none is needed."""
    old, values = unpack(call, tensors)
    kernels = plain if by_torch(grads) else backend(x, values)
    given = {n: g for n, g in zip(call.record, grads, strict=False) if g is not None}
    later = zip(call.rule.states, grads[len(call.record) :], strict=True)
    last = {n: g for n, g in later if g is not None}
    wanted = frozenset(n for n, need in zip(call.names, needs, strict=True) if need)
    grad_x, grad_old, grad_values = kernels.backward(
        call.rule, values, call.spike_grad, x, call.steps, old, given, last, wanted
    )
    return [grad_x, *fitted({**grad_old, **grad_values._asdict()}, call, tensors, needs)]


def fitted(
    found: dict[str, Any], call: Call, tensors: Sequence[Tensor], needs: Sequence[bool]
) -> list[Tensor | None]:
    """Return gradients in the order and shapes of ``tensors``, where needed."""
    parts = zip(call.names, tensors, needs, strict=True)
    return [found[n].sum_to_size(v.shape) if need else None for n, v, need in parts]


def unpack(call: Call, tensors: Sequence[Tensor]) -> tuple[States, Values]:
    """Return states and numbers by name."""
    named = dict(zip(call.names, tensors, strict=True))
    numbers = {n: named.pop(n) for n in VALUES if n in named}
    return named, Values(**numbers)


class _Recurrence(torch.autograd.Function):
    """One node of the graph. Keeps what came in, and nothing else."""

    @staticmethod
    def forward(ctx: Any, call: Call, x: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.call = call
        ctx.dtype = x.dtype
        ctx.save_for_backward(*to_save(x, *tensors))
        ctx.set_materialize_grads(False)
        return tuple(_forward(call, x, tensors))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        x, *tensors = unpacked(ctx, ctx.dtype)
        return None, *_backward(ctx.call, x, tensors, grads, ctx.needs_input_grad[2:])


# --- the same for the compiler: an operator takes tensors, numbers and strings ------------

#: The surrogates that an operator can name.
_FUNCTIONS: dict[str, type[SurrogateFunction]] = {
    name: found
    for name, found in vars(surrogate).items()
    if isinstance(found, type) and issubclass(found, SurrogateFunction)
}


def _spelled(call: Call) -> tuple[int, str, str, str, str, bool, str, list[float]]:
    """Return a call as an operator takes it."""
    rule, spike_grad, steps, names, record = call
    numbers = [float(value) for value in spike_grad.values]
    texts = (" ".join(names), " ".join(record), rule.model, rule.reset)
    return steps, *texts, rule.delay, spike_grad.function_name, numbers


def _read(
    steps: int,
    names: str,
    record: str,
    model: str,
    reset: str,
    delay: bool,
    function: str,
    numbers: Sequence[float],
) -> Call:
    """Undo `_spelled`."""
    rule = Rule(model, reset, delay, "V" in names.split())
    spike_grad = SurrogateGradient(function, _FUNCTIONS[function], tuple(numbers))
    return Call(rule, spike_grad, steps, tuple(names.split()), tuple(record.split()))


@torch.library.custom_op("snntorch::recurrence", mutates_args=())
def _op(
    x: Tensor,
    tensors: Sequence[Tensor],
    steps: int,
    names: str,
    record: str,
    model: str,
    reset: str,
    delay: bool,
    function: str,
    numbers: Sequence[float],
) -> list[Tensor]:
    call = _read(steps, names, record, model, reset, delay, function, numbers)
    return _forward(call, x, tensors)


@torch.library.custom_op("snntorch::recurrence_backward", mutates_args=())
def _backward_op(
    x: Tensor,
    tensors: Sequence[Tensor],
    grads: Sequence[Tensor],
    given: Sequence[bool],
    steps: int,
    names: str,
    record: str,
    model: str,
    reset: str,
    delay: bool,
    function: str,
    numbers: Sequence[float],
) -> list[Tensor]:
    call = _read(steps, names, record, model, reset, delay, function, numbers)
    rest = iter(grads)
    every = [next(rest) if is_given else None for is_given in given]
    with recording():  # the derivative in plain torch is autograd's
        grads_of = _backward(call, x, tensors, every, [True] * len(tensors))
    pairs = zip(grads_of, (x, *tensors), strict=True)
    # what came in may come out, but not of an operator
    shares = backend(x, unpack(call, tensors)[1]) is plain
    return [g.to(like.dtype, copy=shares) for g, like in pairs if g is not None]


@_op.register_fake
def _(x: Tensor, tensors: Sequence[Tensor], *spelled: Any) -> list[Tensor]:
    call = _read(*spelled)
    recorded = [x.new_empty((call.steps, *x.shape[1:])) for _ in call.record]
    return recorded + [x.new_empty(x.shape[1:]) for _ in call.rule.states]


@_backward_op.register_fake
def _(x: Tensor, tensors: Sequence[Tensor], *rest: Any) -> list[Tensor]:
    return [torch.empty_like(x), *(torch.empty_like(tensor) for tensor in tensors)]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    x, tensors, *ctx.spelled = inputs
    ctx.save_for_backward(x, *tensors)
    ctx.set_materialize_grads(False)


def _op_backward(ctx: Any, grads: list[Tensor | None]) -> Any:
    x, *tensors = ctx.saved_tensors
    present = [grad for grad in grads if grad is not None]
    given = [grad is not None for grad in grads]
    grad_x, *others = _backward_op(x, tensors, present, given, *ctx.spelled)
    return grad_x, others, *(None for _ in ctx.spelled)


_op.register_autograd(_op_backward, setup_context=_keep)
