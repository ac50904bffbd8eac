"""One time step on the CPU by the compiled kernel: the path of every eager time loop.

Forward and backward are one call each, where the equation in torch operations takes seven and
more. What costs time on small tensors is Python, and tensors that nobody asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from snntorch._kernels import covers, plain
from snntorch._kernels.autograd import by_torch, to_save, unpacked
from snntorch._kernels.cpu import library
from snntorch._kernels.cpu.library import Library
from snntorch._kernels.cpu.memory import Args
from snntorch._kernels.equations import in_dtype
from snntorch._kernels.problem import RATES, STATES, Parameters, Problem, Rule
from snntorch._torch import is_traced, is_transformed
from snntorch.surrogate import SurrogateGradient

#: The states that a kernel reads at a step, with or without spikes that come back.
_STATES = {
    (model, fed): (("spk", *names) if fed else names)
    for model, names in STATES.items()
    for fed in (False, True)
}


class _Call(NamedTuple):
    """What the kernel is told besides tensors."""

    args: Args  # with the parameters that are the same for all neurons
    rule: Rule
    spike_grad: SurrogateGradient
    states: tuple[str, ...]
    parameters: tuple[str, ...]  # those that are tensors: they learn, or differ among neurons


def surrogate_for(spike_grad: Any, x: Tensor) -> SurrogateGradient | None:
    """Return a surrogate as the kernel knows it, if it runs steps of such an input now."""
    if is_traced() or is_transformed():
        return None
    known, found = library.load(library.FOLDER), covers.surrogate_of(spike_grad)
    runs = (
        isinstance(known, Library)
        and found is not None
        and found.function in known.surrogates
        and x.is_cpu
        and x.dtype in known.dtypes
        and x.layout is torch.strided
        and x.dim() > 0  # torch promotes among tensors without a dimension
        and x.numel() > 0
    )
    return found if runs else None


def run_step(
    rule: tuple[str, str, bool, bool],
    spike_grad: SurrogateGradient,
    x: Tensor,
    states: tuple[Tensor, ...],
    parameters: dict[str, Any],
) -> list[Tensor] | None:
    """Run one step.

    Args:
        rule: The fields of a `Rule`.
        spike_grad: What `surrogate_for` returned.
        x: Input.
        states: The states to start from, what comes back first.
        parameters: The parameters by name: a float for all neurons, or a tensor.

    Returns:
        The spikes and the new states; None if no kernel runs this.
    """
    dtype, learns = x.dtype, x.requires_grad
    known = library.load(library.FOLDER)
    assert isinstance(known, Library)
    number = (known.surrogates[spike_grad.function], *spike_grad.values, 0, 0)[:3]
    args = Args(dtype, *rule, 1, x.numel(), number)
    tensors, at = {}, known.args.rows["values"]
    for name, value in parameters.items():
        if type(value) is float:
            args.parts[at[name] + 1] = value
        else:
            learns = learns or value.requires_grad
            tensors[name] = in_dtype(value, dtype)
    if covers.why_not(x, states, tensors.values()) is not None:
        return None
    for state in states:
        learns = learns or state.requires_grad
    kept, names = _STATES[rule[0], rule[3]], tuple(tensors)
    if learns and torch.is_grad_enabled():
        call = _Call(args, Rule(*rule), spike_grad, kept, names)
        return _apply(call, x, *states, *tensors.values())  # type: ignore[no-any-return, no-untyped-call]
    return _forward(args, kept, names, x, *states, *tensors.values())


def _fill(
    args: Args,
    kept: tuple[str, ...],
    parameters: tuple[str, ...],
    x: Tensor,
    tensors: Sequence[Tensor],
) -> Tensor:
    """Tell the kernel what forward and backward share; returns a tensor like all others."""
    layout = args.library.args
    args.point(layout.at["x"], x)
    origin = layout.rows["from"]
    for name, state in zip(kept, tensors, strict=False):
        args.point(origin[name], state)
    if parameters:
        for name, value in zip(parameters, tensors[len(kept) :], strict=True):
            args.parameter(name, value, x.shape)
    return args.kept[0]


def _forward(
    args: Args,
    kept: tuple[str, ...],
    parameters: tuple[str, ...],
    x: Tensor,
    *tensors: Tensor,
) -> list[Tensor]:
    """Return the spikes and the new states, those fed back left out."""
    like, rows = _fill(args, kept, parameters, x, tensors), args.library.args.rows
    out, to = [args.result(rows["rows"]["spk"], like)], rows["to"]
    for name in kept:
        if name != "spk":
            out.append(args.result(to[name], like))
    args.call("snn_forward")
    return out


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, call: _Call, x: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.call = call
        # A buffer that the next input is written to must not be what the backward pass reads
        ctx.save_for_backward(x if x.requires_grad else x.clone(), *to_save(*tensors))
        ctx.set_materialize_grads(False)
        return tuple(_forward(call.args.copy(), call.states, call.parameters, x, *tensors))

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
    like, rows = _fill(args, call.states, call.parameters, x, tensors), args.library.args.rows
    came = [
        rows["rows"]["spk"],
        *[rows["last_grads"][name] for name in call.states if name != "spk"],
    ]
    for at, grad in zip(came, grads, strict=True):
        if grad is not None:
            args.point(at, grad)
    places = [args.place("grad_x"), *[rows["to"][name] for name in call.states]]
    totals = [rows["totals"][name] for name in call.parameters]
    args.parts[args.place("learn")] = any(needs[len(places) :]) if totals else False
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
    names = (*call.states, *call.parameters)
    named = dict(zip(names, tensors, strict=True))
    old = {name: named[name] for name in call.states}
    parameters = {name: named[name] for name in call.parameters}
    if call.rule.feedback:  # what came back through a layer, unless there is a weight
        parameters.setdefault("V", x.new_ones(()))
    for name in ("threshold", "beta", *RATES[call.rule.model], "graded"):
        constant = call.args.parts[call.args.place("values", name) + 1]
        parameters.setdefault(name, torch.tensor(constant, dtype=torch.float64))
    problem = Problem(call.rule, Parameters(**parameters), call.spike_grad, x.unsqueeze(0), 1, old)
    spk, *later = grads
    states = (name for name in call.states if name != "spk")
    last = {n: g for n, g in zip(states, later, strict=True) if g is not None}
    rows = {} if spk is None else {"spk": spk.unsqueeze(0)}
    grad_x, grad_old, found = plain.backward(problem, rows, last, frozenset(call.parameters))
    grads_of = {**grad_old, **found._asdict()}
    each = [grad_x.squeeze(0), *(grads_of[name] for name in names)]
    return [one if need else None for one, need in zip(each, needs, strict=True)]


# Past Function.apply, whose look for transforms `covers` has had
_apply = super(torch.autograd.Function, _Step).apply
