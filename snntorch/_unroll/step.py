"""One time step on the CPU by the compiled kernel: the path of every eager time loop.

Forward and backward are one call each, where the equation in torch operations takes seven and
more. What costs time on small tensors is Python, and tensors that nobody asks for.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from snntorch._torch import PLAIN, is_traced, is_transformed
from snntorch._unroll import native, recurrence
from snntorch._unroll.equations import in_dtype
from snntorch._unroll.neuron import equation, expands, reset_of
from snntorch._unroll.ops import by_torch, to_save, unpacked
from snntorch._unroll.recurrence import Rule, Values
from snntorch.surrogate import SurrogateGradient

if TYPE_CHECKING:
    from snntorch._neurons.neurons import SpikingNeuron


_SPK = native.ROW["spk"]
#: The numbers that a model has besides those that all have.
_RATES = {"leaky": (), "synaptic": ("alpha",), "alpha": ("alpha", "tau")}
#: The states that a kernel reads at a step, with or without spikes that come back.
_STATES = {
    (model, fed): (("spk", *names) if fed else names)
    for model, names in recurrence.STATES.items()
    for fed in (False, True)
}


class _Call(NamedTuple):
    """What the kernel is told besides tensors."""

    args: native.Args  # with the numbers that are the same for all neurons
    rule: Rule
    spike_grad: SurrogateGradient
    states: tuple[str, ...]
    numbers: tuple[str, ...]  # those that are tensors: they learn, or differ among neurons


def fused_step(
    neuron: SpikingNeuron, x: Tensor, states: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]] | None:
    """Run one step; returns spikes and new states, or None if the kernel does not cover it."""
    if is_traced() or is_transformed() or not _covered(neuron, x):
        return None
    if neuron._tells_model:
        model, drive, numbers = neuron.model, x, neuron._feedback()
        own = _own_numbers(type(neuron))  # type: ignore[arg-type]
    else:
        found = equation(neuron, x)
        model, drive, numbers = found or (None, x, None)
        own = ()
    if model is None or numbers is None or type(drive) not in PLAIN or not drive.numel():
        return None
    fed = "V" in numbers
    if "through" in numbers:
        came = numbers["through"](*to_save(states[0]))
        fed, numbers, states = True, {}, (came, *states[1:])  # V is 1
    dtype, shape = drive.dtype, drive.shape
    learns = drive.requires_grad
    for state in states:
        learns = learns or state.requires_grad
        if state.dtype != dtype or state.shape != shape or type(state) not in PLAIN:
            return None
    spike_grad = neuron.spike_grad
    assert isinstance(spike_grad, SurrogateGradient)
    known = (native.SURROGATES[spike_grad.function], *spike_grad.values, 0, 0)[:3]
    rule = (model, reset_of(neuron), bool(neuron.reset_delay), fed)
    args = native.Args(dtype, *rule, 1, drive.numel(), known)
    tensors = {}
    buffers, fields = neuron._buffers, args.fields
    for name, at, own_name, is_rate in own:
        value: Any = buffers.get(own_name)
        if type(value) is Tensor and not value.dim() and not value.requires_grad and value.is_cpu:
            constant = value.item()  # which spares an operation to clamp it
            fields[at] = min(max(constant, 0.0), 1.0) if is_rate else constant
        else:
            tensors[name] = neuron._decay(own_name) if is_rate else neuron._value(own_name)
    tensors |= numbers
    for name, value in tensors.items():
        learns = learns or value.requires_grad
        tensors[name] = in_dtype(value, dtype)
        if not expands(tensors[name], drive):
            return None
    kept, names = _STATES[model, fed], tuple(tensors)
    if learns and torch.is_grad_enabled():
        call = _Call(args, Rule(*rule), spike_grad, kept, names)
        spk, *new = _apply(call, drive, *states, *tensors.values())  # type: ignore[no-untyped-call]
    else:
        spk, *new = _forward(args, kept, names, drive, *states, *tensors.values())
    return spk, (spk, *new) if fed else tuple(new)


@functools.cache
def _own_numbers(cls: type[SpikingNeuron]) -> tuple[tuple[str, int, str, bool], ...]:
    """Return what a kernel calls the numbers of a class, where they go, and which are rates."""
    names = {**{n: n for n in cls._step_names}, "threshold": "threshold"}
    names["graded"] = "graded_spikes_factor"
    return tuple(
        (name, native.NUMBER[name] + 1, own, own in cls.decay_names) for name, own in names.items()
    )


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


def _fill(
    args: native.Args,
    kept: tuple[str, ...],
    numbers: tuple[str, ...],
    x: Tensor,
    tensors: Sequence[Tensor],
) -> Tensor:
    """Tell the kernel what forward and backward share; returns a tensor like all others."""
    args.point(native.X, x)
    for name, state in zip(kept, tensors, strict=False):
        args.point(native.FROM[name], state)
    if numbers:
        for name, value in zip(numbers, tensors[len(kept) :], strict=True):
            args.number(name, value, x.shape)
    return args.kept[0]


def _forward(
    args: native.Args,
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
            out.append(args.result(native.TO[name], like))
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
    came = [_SPK, *[native.LAST[name] for name in call.states if name != "spk"]]
    for at, grad in zip(came, grads, strict=True):
        if grad is not None:
            args.point(at, grad)
    places = [native.GRAD_X, *[native.TO[name] for name in call.states]]
    totals = [native.TOTAL[name] for name in call.numbers]
    fields[native.LEARN] = any(needs[len(places) :]) if totals else False
    out = [
        args.result(at, like) if need else None
        for at, need in zip(places + totals, needs, strict=True)
    ]
    args.call("snn_backward")
    for at, value in enumerate(tensors[len(call.states) :], len(places)):
        total = out[at]
        if total is not None:
            out[at] = total.sum_to_size(value.shape).to(value.dtype)
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
        constant = call.args.fields[native.NUMBER[name] + 1]
        numbers.setdefault(name, torch.tensor(constant, dtype=torch.float64))
    spk, *later = grads
    states = (name for name in call.states if name != "spk")
    last = {n: g for n, g in zip(states, later, strict=True) if g is not None}
    rows = {} if spk is None else {"spk": spk.unsqueeze(0)}
    grad_x, grad_old, grad_numbers = recurrence.backward(
        *(call.rule, Values(**numbers), call.spike_grad, x.unsqueeze(0), 1, old, rows, last),
        frozenset(call.numbers),
    )
    found = {**grad_old, **grad_numbers._asdict()}
    each = [grad_x.squeeze(0), *(found[name] for name in names)]
    return [one if need else None for one, need in zip(each, needs, strict=True)]


# Past Function.apply, whose look for transforms `fused_step` has had
_apply = super(torch.autograd.Function, _Step).apply
