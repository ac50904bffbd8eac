"""One time step on the CPU by the compiled kernel: the path of every eager time loop.

Forward and backward are one call each, where the equation in torch operations takes seven and
more. What costs time on small tensors is Python, and tensors that nobody asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from snntorch._kernels import plain, problem
from snntorch._kernels.autograd import by_torch, to_save, unpacked
from snntorch._kernels.cpu import binding as cpu
from snntorch._kernels.equations import in_dtype
from snntorch._kernels.problem import Rule, Values, expands
from snntorch._torch import PLAIN, is_traced, is_transformed
from snntorch.surrogate import SurrogateGradient

_SPK = cpu.ROW["spk"]
#: The numbers that a model has besides those that all have.
_RATES = {"leaky": (), "synaptic": ("alpha",), "alpha": ("alpha", "tau")}
#: The states that a kernel reads at a step, with or without spikes that come back.
_STATES = {
    (model, fed): (("spk", *names) if fed else names)
    for model, names in problem.STATES.items()
    for fed in (False, True)
}


class _Call(NamedTuple):
    """What the kernel is told besides tensors."""

    args: cpu.Args  # with the numbers that are the same for all neurons
    rule: Rule
    spike_grad: SurrogateGradient
    states: tuple[str, ...]
    numbers: tuple[str, ...]  # those that are tensors: they learn, or differ among neurons


def covers(spike_grad: Any, x: Tensor) -> bool:
    """Return whether the kernel takes a step with such a surrogate and such an input, now."""
    return (
        not is_traced()
        and not is_transformed()
        and type(spike_grad) is SurrogateGradient
        and spike_grad.has_kernel_name
        and spike_grad.function in cpu.SURROGATES
        and x.is_cpu
        and x.dtype in cpu.DTYPES
        and x.layout is torch.strided
        and x.dim() > 0  # torch promotes among tensors without a dimension
        and cpu.available() is None
    )


def run_step(
    rule: tuple[str, str, bool, bool],
    spike_grad: SurrogateGradient,
    x: Tensor,
    states: tuple[Tensor, ...],
    numbers: dict[str, Any],
) -> list[Tensor] | None:
    """Run one step.

    Args:
        rule: The fields of a `Rule`.
        spike_grad: Surrogate gradient that `covers` accepts.
        x: Input.
        states: The states to start from, what comes back first.
        numbers: The numbers by name: a float for all neurons, or a tensor.

    Returns:
        The spikes and the new states; None if states or numbers are not of the input's shape
        and kind.
    """
    dtype, shape = x.dtype, x.shape
    if type(x) not in PLAIN or not x.numel():
        return None
    learns = x.requires_grad
    for state in states:
        learns = learns or state.requires_grad
        if state.dtype != dtype or state.shape != shape or type(state) not in PLAIN:
            return None
    known = (cpu.SURROGATES[spike_grad.function], *spike_grad.values, 0, 0)[:3]
    args = cpu.Args(dtype, *rule, 1, x.numel(), known)
    tensors, fields = {}, args.fields
    for name, value in numbers.items():
        if type(value) is float:
            fields[cpu.NUMBER[name] + 1] = value
            continue
        learns = learns or value.requires_grad
        tensors[name] = in_dtype(value, dtype)
        if type(value) not in PLAIN or not expands(tensors[name], x):
            return None
    kept, names = _STATES[rule[0], rule[3]], tuple(tensors)
    if learns and torch.is_grad_enabled():
        call = _Call(args, Rule(*rule), spike_grad, kept, names)
        return _apply(call, x, *states, *tensors.values())  # type: ignore[no-any-return, no-untyped-call]
    return _forward(args, kept, names, x, *states, *tensors.values())


def _fill(
    args: cpu.Args,
    kept: tuple[str, ...],
    numbers: tuple[str, ...],
    x: Tensor,
    tensors: Sequence[Tensor],
) -> Tensor:
    """Tell the kernel what forward and backward share; returns a tensor like all others."""
    args.point(cpu.X, x)
    for name, state in zip(kept, tensors, strict=False):
        args.point(cpu.FROM[name], state)
    if numbers:
        for name, value in zip(numbers, tensors[len(kept) :], strict=True):
            args.number(name, value, x.shape)
    return args.kept[0]


def _forward(
    args: cpu.Args,
    kept: tuple[str, ...],
    numbers: tuple[str, ...],
    x: Tensor,
    *tensors: Tensor,
) -> list[Tensor]:
    """Return the spikes and the new states, those fed back left out."""
    like = _fill(args, kept, numbers, x, tensors)
    out = [args.result(_SPK, like)]
    for name in kept:
        if name != "spk":
            out.append(args.result(cpu.TO[name], like))
    args.call("snn_forward")
    return out


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, call: _Call, x: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.call = call
        # A buffer that the next input is written to must not be what the backward pass reads
        ctx.save_for_backward(x if x.requires_grad else x.clone(), *to_save(*tensors))
        ctx.set_materialize_grads(False)
        return tuple(_forward(call.args.copy(), call.states, call.numbers, x, *tensors))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        call: _Call = ctx.call
        x, *tensors = unpacked(ctx, call.args.dtype)
        back = _by_autograd if by_torch(grads) else _by_kernel
        return (None, *back(call, x, tensors, grads, ctx.needs_input_grad[1:]))


def _by_kernel(
    call: _Call, x: Tensor, tensors: list[Tensor], grads: tuple[Tensor | None, ...], needs: Any
) -> list[Tensor | None]:
    args = call.args.copy()
    like, fields = _fill(args, call.states, call.numbers, x, tensors), args.fields
    came = [_SPK, *[cpu.LAST[name] for name in call.states if name != "spk"]]
    for at, grad in zip(came, grads, strict=True):
        if grad is not None:
            args.point(at, grad)
    places = [cpu.GRAD_X, *[cpu.TO[name] for name in call.states]]
    totals = [cpu.TOTAL[name] for name in call.numbers]
    fields[cpu.LEARN] = any(needs[len(places) :]) if totals else False
    out = [
        args.result(at, like) if need else None
        for at, need in zip(places + totals, needs, strict=True)
    ]
    args.call("snn_backward")
    for at, value in enumerate(tensors[len(call.states) :], len(places)):
        total = out[at]
        if total is not None:
            out[at] = total.sum_to_size(value.shape)
    return out


def _by_autograd(
    call: _Call, x: Tensor, tensors: list[Tensor], grads: tuple[Tensor | None, ...], needs: Any
) -> list[Tensor | None]:
    """Go back by torch operations, which have derivatives of their own."""
    names = (*call.states, *call.numbers)
    named = dict(zip(names, tensors, strict=True))
    old = {name: named[name] for name in call.states}
    numbers = {name: named[name] for name in call.numbers}
    if call.rule.feedback:  # what came back through a layer, unless there is a number
        numbers.setdefault("V", x.new_ones(()))
    for name in ("threshold", "beta", *_RATES[call.rule.model], "graded"):
        constant = call.args.fields[cpu.NUMBER[name] + 1]
        numbers.setdefault(name, torch.tensor(constant, dtype=torch.float64))
    spk, *later = grads
    states = (name for name in call.states if name != "spk")
    last = {n: g for n, g in zip(states, later, strict=True) if g is not None}
    rows = {} if spk is None else {"spk": spk.unsqueeze(0)}
    grad_x, grad_old, grad_numbers = plain.backward(
        *(call.rule, Values(**numbers), call.spike_grad, x.unsqueeze(0), 1, old, rows, last),
        frozenset(call.numbers),
    )
    found = {**grad_old, **grad_numbers._asdict()}
    each = [grad_x.squeeze(0), *(found[name] for name in names)]
    return [one if need else None for one, need in zip(each, needs, strict=True)]


# Past Function.apply, whose look for transforms `covers` has had
_apply = super(torch.autograd.Function, _Step).apply
