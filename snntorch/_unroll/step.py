"""One time step on the CPU by the compiled kernel: the path of every eager time loop.

Forward and backward are one call each, where the equation in torch operations takes seven and
more. What costs time on small tensors is Python, and tensors that nobody asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from snntorch._unroll import native
from snntorch._unroll.neuron import equation, expands, reset_of
from snntorch._unroll.ops import recorded_elsewhere, to_save, transformed
from snntorch._unroll.recurrence import STATES
from snntorch.surrogate import SurrogateGradient

if TYPE_CHECKING:
    from snntorch._neurons.neurons import SpikingNeuron


class _Call(NamedTuple):
    """What the kernel is told besides tensors."""

    args: native.Args  # with the numbers that are the same for all neurons
    states: tuple[str, ...]
    numbers: tuple[str, ...]  # those that are tensors: they learn, or differ among neurons


def fused_step(
    neuron: SpikingNeuron, x: Tensor, states: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]] | None:
    """Run one step; returns spikes and new states, or None if the kernel does not cover it."""
    if recorded_elsewhere() or transformed() or not _covered(neuron, x):
        return None
    found = equation(neuron, x)
    if found is None or type(found[1]) is not Tensor or not found[1].numel():
        return None
    model, drive, numbers = found
    fed = "V" in numbers
    through = numbers.pop("through", None)
    if through is not None:
        fed, came = True, through(states[0])
        if came.shape != drive.shape:
            return None
        states = (came, *states[1:])  # V is 1
    dtype = drive.dtype
    learns = drive.requires_grad
    for state in states:
        learns = learns or state.requires_grad
        if state.dtype != dtype:
            return None
    spike_grad = neuron.spike_grad
    assert isinstance(spike_grad, SurrogateGradient)
    known = (native.SURROGATES[spike_grad.function], *spike_grad.values, 0, 0)[:3]
    args = native.Args(
        *(dtype, model, reset_of(neuron), neuron.reset_delay, fed, 1, drive.numel(), known)
    )
    tensors = {}
    for name, value in numbers.items():
        if value.requires_grad:
            learns = True
        elif not value.dim():
            args.fields[native.NUMBER[name] + 1] = value.item()
            continue
        if not expands(value, drive):
            return None
        tensors[name] = value
    names = ("spk", *STATES[model]) if fed else STATES[model]
    call = _Call(args, names, tuple(tensors))
    if learns and torch.is_grad_enabled():
        spk, *new = _apply(call, drive, *states, *tensors.values())  # type: ignore[no-untyped-call]
    else:
        spk, *new = _forward(args, call, drive, *states, *tensors.values())
    return spk, (spk, *new) if fed else tuple(new)


def _covered(neuron: SpikingNeuron, x: Tensor) -> bool:
    spike_grad = neuron.spike_grad
    return (
        type(spike_grad) is SurrogateGradient
        and spike_grad.has_kernel_name
        and spike_grad.function in native.SURROGATES
        and not neuron._overridden
        and not neuron.inhibition
        and not neuron.state_quant
        and x.is_cpu
        and x.dtype in native.DTYPES
        and x.layout is torch.strided
        and x.dim() > 0  # torch promotes among tensors without a dimension
        and native.available() is None
    )


def _fill(args: native.Args, call: _Call, x: Tensor, tensors: tuple[Tensor, ...]) -> Tensor:
    """Tell the kernel what forward and backward share; returns a tensor like all others."""
    count = len(call.states)
    args.point(native.X, x)
    for name, state in zip(call.states, tensors, strict=False):
        args.point(native.FROM[name], state)
    for name, value in zip(call.numbers, tensors[count:], strict=True):
        args.number(name, value, x.shape)
    return args.kept[0]


def _forward(args: native.Args, call: _Call, x: Tensor, *tensors: Tensor) -> list[Tensor]:
    """Return the spikes and the new states, those fed back left out."""
    like, fields = _fill(args, call, x, tensors), args.fields
    out = [torch.empty_like(like)]
    fields[native.ROW["spk"]] = out[0].data_ptr()
    for name in call.states:
        if name != "spk":
            out.append(torch.empty_like(like))
            fields[native.TO[name]] = out[-1].data_ptr()
    args.call("snn_forward")
    return out


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, call: _Call, x: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.call = call
        # A buffer that the next input is written to must not be what the way back reads
        ctx.save_for_backward(x if x.requires_grad else x.clone(), *to_save(*tensors))
        ctx.set_materialize_grads(False)
        return tuple(_forward(call.args.copy(), call, x, *tensors))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        # There is no second derivative; to say so takes time, so only where one can be asked for
        return (_differentiable_once if torch.is_grad_enabled() else _backward)(ctx, *grads)


def _backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
    call: _Call = ctx.call
    x, *tensors = ctx.saved_tensors
    args = call.args.copy()
    like, fields = _fill(args, call, x, tensors), args.fields
    came = (native.ROW["spk"], *(native.LAST[name] for name in call.states if name != "spk"))
    for at, grad in zip(came, grads, strict=True):
        if grad is not None:
            args.point(at, grad)
    places = (native.GRAD_X, *(native.TO[name] for name in call.states))
    totals = tuple(native.TOTAL[name] for name in call.numbers)
    out: list[Tensor | None] = [None]
    for at, needed in zip((*places, *totals), ctx.needs_input_grad[1:], strict=True):
        grad = torch.empty_like(like) if needed else None
        out.append(grad)
        if grad is not None:
            fields[at] = grad.data_ptr()
            fields[native.LEARN] = fields[native.LEARN] or at >= native.TOTAL["threshold"]
    args.call("snn_backward")
    first = 1 + len(places)
    for at, value in enumerate(tensors[len(call.states) :], first):
        total = out[at]
        if total is not None:
            out[at] = total.sum_to_size(value.shape).to(value.dtype)
    return tuple(out)


_differentiable_once = once_differentiable(_backward)
# Past Function.apply, whose look for transforms `fused_step` has had
_apply = super(torch.autograd.Function, _Step).apply
