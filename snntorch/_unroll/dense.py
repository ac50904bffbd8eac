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


class _Dense(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, call: Call, weight: Tensor, bias: Tensor | None, x: Tensor, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        start, values = unpack(call, tensors)
        run = backend(x, values).forward
        states, came, rows = start, [], []
        for t in range(call.steps):
            came.append(F.linear(states["spk"], weight, bias))
            row = x[t : t + 1] if len(x) > 1 else x
            _, states = run(call.rule, values, row, 1, {**states, "spk": came[-1]}, ())
            rows.append([states[name] for name in call.rule.states])
        over_time = tuple(torch.stack(row) for row in zip(*rows, strict=True))
        ctx.call = call
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(weight, x, torch.stack(came), *over_time, *tensors)
        return over_time

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
        grad_x, grad_came = torch.zeros_like(x), torch.empty_like(came)
        carry: States = {}
        totals: States = {}
        for t in reversed(range(call.steps)):
            at = t if len(x) > 1 else 0
            before = {n: over_time[n][t - 1] for n in names} if t else start
            later = {n: g[t] + carry[n] if n in carry else g[t] for n, g in outside.items()}
            part, carry, numbers = run(
                call.rule,
                values,
                call.spike_grad,
                x[at : at + 1],
                1,
                {**before, "spk": came[t]},
                {},
                {**carry, **later},
                wanted,
            )
            grad_x[at] += part[0]
            grad_came[t] = carry["spk"]
            carry["spk"] = carry["spk"] @ weight
            for name, total in numbers._asdict().items():
                if total is not None and name in wanted:
                    totals[name] = totals[name] + total if name in totals else total
        grad_weight = grad_bias = None
        if ctx.needs_input_grad[1]:
            spikes = torch.cat([start["spk"][None], over_time["spk"][:-1]])
            grad_weight = grad_came.flatten(0, -2).t() @ spikes.flatten(0, -2)
        if ctx.needs_input_grad[2]:
            grad_bias = grad_came.flatten(0, -2).sum(0)
        others = fitted({**totals, **carry}, call, tensors, needs)
        return None, grad_weight, grad_bias, grad_x, *others
