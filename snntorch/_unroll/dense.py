"""The recurrence with spikes that come back through a dense layer.

Neurons see each other, so no kernel can run one of them through all of time. What is left is
a loop of one matrix product and one fused step, with one gradient of the weights for all time
at the end.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from snntorch._unroll._buffers import empty
from snntorch._unroll.ops import Call, backend, fitted, unpack
from snntorch._unroll.recurrence import States


def recur_dense(
    call: Call, weight: Tensor, bias: Tensor | None, x: Tensor, tensors: tuple[Tensor, ...]
) -> tuple[States, States]:
    """Run all steps, differentiably; see `ops.recur`.

    Args:
        call: What to run. What comes back is the state "spk", so V is 1.
        weight: Of the dense layer.
        bias: Of the dense layer.
        x: Input, (time, ...); (1, ...) for one that is the same at all times.
        tensors: States and numbers, as ``call`` names them.

    Returns:
        What was recorded by name, each (time, ...), and the last states by name.
    """
    out = _Dense.apply(call, weight, bias, x, *tensors)  # type: ignore[no-untyped-call]
    names = call.rule.states
    over_time = dict(zip(names, out, strict=True))
    recorded = {name: over_time[name] for name in call.record}
    return recorded, {name: over_time[name][-1] for name in names}


def _room(x: Tensor, steps: int) -> Tensor:
    """Return memory for a sequence of the input's rows."""
    shape = (steps, *x.shape[1:])
    return empty(shape, x.dtype) if x.is_cpu else x.new_empty(shape)


class _Dense(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, call: Call, weight: Tensor, bias: Tensor | None, x: Tensor, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        start, values = unpack(call, tensors)
        run = backend(x, values).forward
        came, over_time = _room(x, call.steps), {n: _room(x, call.steps) for n in call.rule.states}
        states = start
        for t in range(call.steps):
            came[t] = F.linear(states["spk"], weight, bias)
            row = x[t : t + 1] if len(x) > 1 else x
            _, states = run(call.rule, values, row, 1, {**states, "spk": came[t]}, ())
            for name, state in states.items():
                over_time[name][t] = state
        ctx.call = call
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(weight, x, came, *over_time.values(), *tensors)
        return tuple(over_time.values())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        call: Call = ctx.call
        weight, x, came, *rest = ctx.saved_tensors
        names = call.rule.states
        over_time, tensors = dict(zip(names, rest, strict=False)), rest[len(names) :]
        start, values = unpack(call, tensors)
        run = backend(x, values).backward
        needs = ctx.needs_input_grad[4:]
        wanted = frozenset(n for n, need in zip(call.names, needs, strict=True) if need)
        outside = {n: g for n, g in zip(names, grads, strict=True) if g is not None}
        each = _room(x, call.steps)  # gradient of the input, and of what came back, at every step
        carry: States = {}
        totals: States = {}
        for t in reversed(range(call.steps)):
            row = x[t : t + 1] if len(x) > 1 else x
            before = {n: over_time[n][t - 1] for n in names} if t else start
            later = {n: g[t] + carry[n] if n in carry else g[t] for n, g in outside.items()}
            old, last = {**before, "spk": came[t]}, {**carry, **later}
            part, carry, numbers = run(
                call.rule, values, call.spike_grad, row, 1, old, {}, last, wanted
            )
            each[t] = part[0]
            carry["spk"] = carry["spk"] @ weight
            for name, total in numbers._asdict().items():
                if total is not None and name in wanted:
                    totals[name] = totals[name] + total if name in totals else total
        grad_weight = grad_bias = None
        rows = each.reshape(call.steps, -1, each.shape[-1])
        if ctx.needs_input_grad[1]:
            spikes = over_time["spk"][:-1].reshape(-1, each.shape[-1])
            first = start["spk"].reshape(-1, each.shape[-1])
            grad_weight = torch.addmm(rows[0].t() @ first, rows[1:].flatten(0, 1).t(), spikes)
        if ctx.needs_input_grad[2]:
            grad_bias = rows.flatten(0, 1).sum(0)
        grad_x = each if len(x) > 1 or call.steps == 1 else each.sum(0, keepdim=True)
        others = fitted({**totals, **carry}, call, tensors, needs)
        return None, grad_weight, grad_bias, grad_x, *others
