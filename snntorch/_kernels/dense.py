"""A whole sequence with spikes that are fed back through a dense layer.

Neurons see each other, so no kernel can run one of them through all of time. What is left is
a loop of one matrix product and one fused step, with one gradient of the weights for all time
at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from snntorch._kernels.autograd import Call, by_torch, fitted, to_save, unpacked
from snntorch._kernels.backends import backend
from snntorch._kernels.cpu import binding as cpu
from snntorch._kernels.cpu.memory import TABULATED, Args
from snntorch._kernels.cpu.pool import empty
from snntorch._kernels.plain import gradients, one_step
from snntorch._kernels.problem import ByName, Problem

#: Bytes at whose multiples torch begins a tensor.
ALIGNMENT = 64

AtStep = Callable[[int], None]


def run_dense(
    call: Call,
    weight: Tensor,
    bias: Tensor | None,
    x: Tensor,
    steps: int,
    tensors: tuple[Tensor, ...],
) -> tuple[ByName, ByName]:
    """Run all steps, differentiably; see `autograd.run`.

    Args:
        call: What to run. What comes back is the state "spk", so V is 1.
        weight: Of the dense layer.
        bias: Of the dense layer.
        x: Input, (time, ...); (1, ...) for one that is the same at all times.
        steps: Number of steps.
        tensors: States and parameters, as ``call`` names them.

    Returns:
        What was recorded by name, each (time, ...), and the last states by name.
    """
    return call.by_place(_Dense.apply(call, steps, weight, bias, x, *tensors))  # type: ignore[no-untyped-call]


class _Dense(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        call: Call,
        steps: int,
        weight: Tensor,
        bias: Tensor | None,
        x: Tensor,
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        came, over_time = _room(x, steps), {n: _room(x, steps) for n in call.rule.states()}
        run = _Run(call.problem(x, steps, tensors), came, over_time)
        forward = _forward(run)
        spk = run.problem.old["spk"]
        for t in range(steps):
            _feed_back(spk, weight, bias, came[t])
            forward(t)
            spk = over_time["spk"][t]
        ctx.call, ctx.steps, ctx.dtype = call, steps, x.dtype
        ctx.set_materialize_grads(False)
        kept = [came, *over_time.values()]
        ctx.save_for_backward(*to_save(weight, bias, x, *tensors), *to_save(*kept))
        # In memory of their own: what is done to an output must show neither in what is kept
        # for the backward pass nor in another one
        recorded = [over_time[name].clone() for name in call.record]
        return *recorded, *(rows[-1].clone() for rows in over_time.values())

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        call: Call = ctx.call
        steps, names, count = ctx.steps, call.rule.states(), len(call.names)
        weight, bias, x, *rest = unpacked(ctx, ctx.dtype)
        tensors, came = rest[:count], rest[count]
        over_time = dict(zip(names, rest[count + 1 :], strict=True))
        if by_torch(grads):
            found = _backward_by_torch(call, steps, weight, bias, x, tensors, grads)
            needs = zip(found, ctx.needs_input_grad[2:], strict=True)
            return None, None, *(grad if need else None for grad, need in needs)
        run = _Run(call.problem(x, steps, tensors), came, over_time)
        needs = ctx.needs_input_grad[5:]
        recorded, final = call.by_place(grads)
        outside = {n: g for n, g in recorded.items() if g is not None}
        wanted = [n for n, need in zip(call.names, needs, strict=True) if need and n not in names]
        carry, totals = ({n: x.new_zeros(x.shape[1:]) for n in which} for which in (names, wanted))
        for name, grad in final.items():
            if grad is not None:
                carry[name].copy_(grad)
        each, features = _room(x, steps), x.shape[-1]
        rows, through = each.view(steps, -1, features), carry["spk"].view(-1, features)
        backward = _backward(run, outside, carry, each, totals)
        for t in reversed(range(steps)):
            backward(t)
            torch.mm(rows[t], weight, out=through)
        grad_weight = grad_bias = None
        if ctx.needs_input_grad[2]:
            spikes = over_time["spk"][:-1].reshape(-1, features)
            first = run.problem.old["spk"].reshape(-1, features)
            grad_weight = torch.addmm(rows[0].t() @ first, rows[1:].flatten(0, 1).t(), spikes)
        if ctx.needs_input_grad[3]:
            grad_bias = rows.flatten(0, 1).sum(0)
        grad_x = each if len(x) > 1 or steps == 1 else each.sum(0, keepdim=True)
        others = fitted({**totals, **carry}, call, tensors, needs)
        return None, None, grad_weight, grad_bias, grad_x, *others


def _backward_by_torch(
    call: Call,
    steps: int,
    weight: Tensor,
    bias: Tensor | None,
    x: Tensor,
    tensors: list[Tensor],
    grads: tuple[Tensor | None, ...],
) -> list[Tensor | None]:
    """Return the gradients of all inputs by torch operations, which have some of their own."""
    given = [at for at, grad in enumerate(grads) if grad is not None]

    def run(weight: Tensor, x: Tensor, *others: Tensor) -> list[Tensor]:
        problem = call.problem(x, steps, others[: len(tensors)])
        rows: dict[str, list[Tensor]] = {name: [] for name in call.record}
        states = problem.old
        for t in range(steps):
            came = F.linear(states["spk"], weight, *others[len(tensors) :])
            old = {**states, "spk": came}
            states = one_step(call.rule, problem.parameters, call.spike_grad, problem.at(t), old)
            for name, row in rows.items():
                row.append(states[name])
        out = [torch.stack(row) for row in rows.values()]
        out += [states[name] for name in call.rule.states()]
        return [out[at] for at in given]

    inputs = [weight, x, *tensors, *(() if bias is None else (bias,))]
    found = gradients(run, inputs, [grads[at] for at in given])  # type: ignore[misc]
    grad_bias = None if bias is None else found[-1]
    return [found[0], grad_bias, *found[1 : 2 + len(tensors)]]


def _room(x: Tensor, steps: int) -> Tensor:
    """Return memory for a sequence of the input's rows."""
    shape = (steps, *x.shape[1:])
    return empty(shape, x.dtype) if x.is_cpu else x.new_empty(shape)


def _feed_back(spk: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor) -> None:
    """Write to ``out`` what the dense layer returns, to the bit."""
    # A product's rounding depends on where its rows begin, so they begin as in tensors of their own
    aligned = not (spk.data_ptr() | out.data_ptr()) % ALIGNMENT
    simple = spk.is_cpu and spk.dim() == 2 and not torch.is_autocast_enabled("cpu")
    if aligned and simple and bias is not None:
        torch.addmm(bias, spk, weight.t(), out=out)
    else:
        out.copy_(F.linear(spk if aligned else spk.clone(), weight, bias))


class _Run(NamedTuple):
    """What forward and backward share; came[t] is what came back at step t."""

    problem: Problem
    came: Tensor
    over_time: ByName

    def at(self, t: int) -> Problem:
        """Return step t as a problem of its own."""
        problem, x = self.problem, self.problem.x
        old = {n: rows[t - 1] for n, rows in self.over_time.items()} if t else problem.old
        row = x[t : t + 1] if len(x) > 1 else x
        return replace(problem, x=row, steps=1, old={**old, "spk": self.came[t]})

    def arguments(self, spike_grad: tuple[float, ...] = TABULATED) -> Args:
        """Return the same for the compiled kernel, at any step."""
        problem, steps = self.problem, self.problem.steps
        args = cpu.arguments(replace(problem, x=problem.x[:1], steps=1), spike_grad)
        args.follow(args.place("x"), problem.x, steps)
        args.follow(args.place("from", "spk"), self.came, steps)
        for name, rows in self.over_time.items():
            if name != "spk":
                args.follow(args.place("from", name), rows, steps, before=problem.old[name])
        return args


def _forward(run: _Run) -> AtStep:
    """Return what runs step t and puts its states where they belong."""
    kernels = backend(run.problem.x, run.problem.parameters)
    if kernels is cpu:
        args = run.arguments()
        for name, rows in run.over_time.items():
            args.follow(args.place("to", name), rows, len(rows))
        return lambda t: args.call("snn_forward", t)

    def at_step(t: int) -> None:
        _, states = kernels.forward(run.at(t), ())
        for name, state in states.items():
            run.over_time[name][t] = state

    return at_step


def _backward(run: _Run, outside: ByName, carry: ByName, each: Tensor, totals: ByName) -> AtStep:
    """Return what goes back through step t.

    Args:
        run: What ran forward.
        outside: Gradients of the states at all times, where there are any.
        carry: Those that come from later steps, to be replaced by those for earlier ones; the
            spikes' has to go through the dense layer first.
        each: Where to put the gradient of the input, and so of what came back, at each step.
        totals: Gradients of the parameters, to be added to.
    """
    kernels = backend(run.problem.x, run.problem.parameters)
    known = cpu.surrogate_number(run.problem.spike_grad) if kernels is cpu else TABULATED
    if known != TABULATED:
        args = run.arguments(known)
        args.follow(args.place("grad_x"), each, len(each))
        args.point_all("last_grads", carry)
        args.point_all("to", {n: c for n, c in carry.items() if n != "spk"})
        for name, grad in outside.items():
            args.follow(args.place("rows", name), grad, len(each))
        parts = {n: torch.empty_like(total) for n, total in totals.items()}
        args.learn(parts)

        def native_step(t: int) -> None:
            args.call("snn_backward", t)
            for name, total in totals.items():
                total.add_(parts[name])

        return native_step

    def at_step(t: int) -> None:
        last = {n: c + outside[n][t] if n in outside else c for n, c in carry.items()}
        part, states, found = kernels.backward(run.at(t), {}, last, frozenset(totals))
        each[t] = part[0]
        for name, grad in states.items():
            carry[name].copy_(grad)
        for name, total in totals.items():
            part = getattr(found, name)  # each neuron's own, or in plain torch their sum
            totals[name] = total.sum_to_size(part.shape).add_(part)

    return at_step
