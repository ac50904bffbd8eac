"""One time step on the CPU by the compiled kernel: the path of every eager time loop.

Forward and backward are one call each, where the equation in torch operations takes seven and
more. What costs time on small tensors is Python, so this module spells out what `native` does
in general.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from snntorch._unroll import native
from snntorch._unroll.neuron import equation, expands, reset_of
from snntorch._unroll.recurrence import RECORDS, STATES, VALUES
from snntorch.surrogate import SurrogateGradient

if TYPE_CHECKING:
    from snntorch._neurons.neurons import SpikingNeuron

#: The fields of the library's struct, and where each kind of them begins.
_FIELDS = [0] * 16 + [part for default in native.DEFAULTS for part in (0, default, 0)] + [0] * 32
_VALUE = {name: 16 + 3 * place for place, name in enumerate(VALUES)}
_X, _GRAD_X = 34, 38
_ROW, _FROM, _LAST, _TO = (
    {name: begin + width * place for place, name in enumerate(RECORDS)}
    for begin, width in ((40, 2), (48, 1), (52, 1), (56, 1))
)
_TOTAL = {name: 60 + place for place, name in enumerate(VALUES)}


class _Call(NamedTuple):
    """What the kernel is told besides tensors."""

    head: tuple[float, ...]  # the first fields of the struct
    states: tuple[str, ...]
    numbers: tuple[str, ...]


def fused_step(
    neuron: SpikingNeuron, x: Tensor, states: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]] | None:
    """Run one step; returns spikes and new states, or None if the kernel does not cover it."""
    if torch.compiler.is_compiling() or not _covered(neuron, x):
        return None
    found = equation(neuron, x)
    if found is None or "dense" in found[2]:
        return None
    model, drive, numbers = found
    if type(drive) is not Tensor or not drive.numel():
        return None
    dtype = drive.dtype
    learns = drive.requires_grad
    for state in states:
        learns = learns or state.requires_grad
        if state.dtype != dtype:
            return None
    for value in numbers.values():
        learns = learns or value.requires_grad
        if not expands(value, drive):
            return None
    fed = "V" in numbers
    names = ("spk", *STATES[model]) if fed else STATES[model]
    call = _Call(_head(neuron, model, fed, drive), names, tuple(numbers))
    if learns and torch.is_grad_enabled():
        spk, *new = _apply(call, drive, *states, *numbers.values())  # type: ignore[no-untyped-call]
    else:
        spk, *new = _forward(call, drive, *states, *numbers.values())
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
        and x.dim() > 0  # torch promotes among tensors without a dimension
        and not torch._C._are_functorch_transforms_active()
        and native.available() is None
    )


def _head(neuron: SpikingNeuron, model: str, fed: bool, x: Tensor) -> tuple[float, ...]:
    kind, factor, soft = native.RESETS[reset_of(neuron)]
    spike_grad = neuron.spike_grad
    assert isinstance(spike_grad, SurrogateGradient)
    first, second, *_ = (*spike_grad.values, 0, 0)
    return (
        native.DTYPES[x.dtype],
        native.MODELS[model],
        kind,
        not neuron.reset_delay,
        fed,
        1,  # gradients of the numbers are wanted, perhaps
        1,  # step
        x.numel(),
        torch.get_num_threads(),
        0,  # keep what is written in the cache
        native._threads(),
        native.SURROGATES[spike_grad.function],
        first,
        second,
        factor,
        soft,
    )


def _fill(call: _Call, x: Tensor, tensors: tuple[Tensor, ...]) -> tuple[list[float], list[Any]]:
    """Return the struct's fields with what forward and backward share, and what they point to."""
    fields = _FIELDS.copy()
    fields[:16] = call.head
    count = len(call.states)
    kept: list[Tensor] = [x.contiguous()]
    fields[_X] = kept[0].data_ptr()
    for name, state in zip(call.states, tensors, strict=False):
        kept.append(state.contiguous())
        fields[_FROM[name]] = kept[-1].data_ptr()
    for name, value in zip(call.numbers, tensors[count:], strict=True):
        at = _VALUE[name]
        if not value.dim():
            fields[at + 1] = value.item()
            continue
        spread = native._spread(value, x.shape)
        assert spread is not None
        kept.append(spread)
        fields[at : at + 3] = native._number(spread, 0.0)
    return fields, kept


def _forward(call: _Call, x: Tensor, *tensors: Tensor) -> list[Tensor]:
    """Return the spikes and the new states, those fed back left out."""
    fields, _kept = _fill(call, x, tensors)
    out = [_like(x)]
    fields[_ROW["spk"]] = out[0].data_ptr()
    for name in call.states:
        if name != "spk":
            out.append(_like(x))
            fields[_TO[name]] = out[-1].data_ptr()
    native._call("snn_forward", native._ARGS.pack(*fields))
    return out


def _like(x: Tensor) -> Tensor:
    return torch.empty_like(x, memory_format=torch.contiguous_format)


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, call: _Call, x: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.call = call
        # A buffer that the next input is written to must not be what the way back reads
        ctx.save_for_backward(x if x.requires_grad else x.clone(), *tensors)
        ctx.set_materialize_grads(False)
        return tuple(_forward(call, x, *tensors))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        # There is no second derivative; to say so takes time, so only where one can be asked for
        return (_differentiable_once if torch.is_grad_enabled() else _backward)(ctx, *grads)


def _backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
    call: _Call = ctx.call
    x, *tensors = ctx.saved_tensors
    fields, kept = _fill(call, x, tensors)
    came = {"spk": _ROW["spk"], **{n: _LAST[n] for n in call.states if n != "spk"}}
    for at, grad in zip(came.values(), grads, strict=True):
        if grad is not None:
            kept.append(grad.contiguous())
            fields[at] = kept[-1].data_ptr()
    out = [_like(x)]
    fields[_GRAD_X] = out[0].data_ptr()
    for name in call.states:
        out.append(_like(x))
        fields[_TO[name]] = out[-1].data_ptr()
    needs = ctx.needs_input_grad[1 + len(out) :]
    totals = [_like(x) if need else None for need in needs]
    for name, total in zip(call.numbers, totals, strict=True):
        if total is not None:
            fields[_TOTAL[name]] = total.data_ptr()
    native._call("snn_backward", native._ARGS.pack(*fields))
    values = zip(tensors[len(call.states) :], totals, strict=True)
    return (
        None,
        *out,
        *(None if t is None else t.sum_to_size(v.shape).to(v.dtype) for v, t in values),
    )


_differentiable_once = once_differentiable(_backward)
# Past Function.apply, whose look for transforms `fused_step` has had
_apply = super(torch.autograd.Function, _Step).apply
