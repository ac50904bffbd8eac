"""The recurrence in plain torch: the reference for each kernel, and the path where there is none.

The derivative is autograd's; between forward and backward nothing is kept but what came in.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from snntorch._kernels.equations import cleared, decayed, dropped
from snntorch._kernels.problem import VALUES, Rule, States, Values
from snntorch.surrogate import SurrogateGradient, spikes

#: What a plan says of this path.
DESCRIPTION = "plain torch operations"

Fire = Callable[[Tensor], Tensor]


def step(rule: Rule, values: Values, fire: Fire, x: Tensor, old: States) -> States:
    """Run one step; returns its spikes and what the next one starts from.

    Args:
        rule: What the recurrence does.
        values: Its numbers.
        fire: A Heaviside step, with whatever gradient.
        x: Input of the step.
        old: The states to start from.
    """
    threshold, beta, alpha, tau, V, graded = values
    mem = old["mem"]
    fired = mem > threshold
    if rule.reset == "zero_old":
        mem = cleared(fired, mem)
    new: States = {}
    if alpha is None:
        new["mem"] = decayed(beta, mem) + x
        if V is not None:
            new["mem"] = new["mem"] + V * old["spk"]
    else:
        new["syn"] = decayed(alpha, old["syn"]) + x
        if V is not None:
            new["syn"] = new["syn"] + V * old["spk"]
        if tau is None:
            new["mem"] = decayed(beta, mem) + new["syn"]
        else:
            new["inh"] = decayed(beta, old["inh"]) - x
            new["mem"] = tau * (new["syn"] + new["inh"])
    if rule.reset != "zero_old":
        new = _reset(rule, values, fired, new)
    crossing = fire(new["mem"] - threshold)
    if not rule.delay:
        new = _reset(rule, values, crossing - fired.to(crossing.dtype), new)
    return {**new, "spk": crossing if graded is None else crossing * graded}


def _reset(rule: Rule, values: Values, times: Tensor, states: States) -> States:
    """Reset where ``times`` is true, or so often: 0, 1, or -1 to take one back."""
    if rule.reset == "none":
        return states
    if rule.clears:
        return {n: cleared(times, s) if n in rule.cleared else s for n, s in states.items()}
    drop = dropped(times, values.threshold.to(states["mem"].dtype))
    if rule.reset == "soft":
        drop = values.beta * drop
    states = {**states, "mem": states["mem"] - drop}
    if values.tau is not None:
        states["syn"] = states["syn"] - drop / values.tau
    return states


def forward(
    rule: Rule,
    values: Values,
    x: Tensor,
    steps: int,
    old: States,
    record: tuple[str, ...],
    fire: Fire = spikes,
) -> tuple[States, States]:
    """Run all steps.

    Args:
        rule: What the recurrence does.
        values: Its numbers.
        x: Input, (time, ...), or with one step for an input that is the same at all times.
        steps: Number of steps.
        old: The states to start from.
        record: What to return for all times, of `RECORDS`.
        fire: A Heaviside step, with whatever gradient.

    Returns:
        What was recorded, each (time, ...), and the last states, those fed back included.
    """
    rows: dict[str, list[Tensor]] = {name: [] for name in record}
    states = old
    for t in range(steps):
        states = step(rule, values, fire, x[t if len(x) > 1 else 0], states)
        for name in record:
            rows[name].append(states[name])
    return {n: torch.stack(row) for n, row in rows.items()}, {n: states[n] for n in rule.states}


def backward(
    rule: Rule,
    values: Values,
    spike_grad: SurrogateGradient,
    x: Tensor,
    steps: int,
    old: States,
    grads: States,
    last_grads: States,
    needs: frozenset[str] = frozenset(VALUES),
) -> tuple[Tensor, States, Values]:
    """Return the gradients of all inputs of `forward`, by autograd of it.

    Where autograd records, as under ``create_graph=True``, they have gradients of their own.

    Args:
        rule: As the other arguments, see `forward`.
        values: The numbers.
        spike_grad: Surrogate gradient of S.
        x: Input.
        steps: Number of steps.
        old: The states at the start.
        grads: Gradients of what was recorded, (time, ...), where there are any.
        last_grads: Gradients of the last states, where there are any.
        needs: Names of the numbers whose gradients are wanted.

    Returns:
        Gradients of ``x``, of the states at the start, and of the numbers.
    """
    numbers = {n: v for n, v in values._asdict().items() if v is not None and n in needs}

    def run(x: Tensor, *tensors: Tensor) -> list[Tensor]:
        states = dict(zip(old, tensors, strict=False))
        seen = values._replace(**dict(zip(numbers, tensors[len(old) :], strict=True)))
        recorded, last = forward(rule, seen, x, steps, states, tuple(grads), spike_grad)
        return [*recorded.values(), *(last[n] for n in last_grads)]

    outside = [*grads.values(), *last_grads.values()]
    grad_x, *rest = gradients(run, [x, *old.values(), *numbers.values()], outside)
    grad_old = dict(zip(old, rest, strict=False))
    found = dict(zip(numbers, rest[len(old) :], strict=True))
    return grad_x, grad_old, Values(*(found.get(n) for n in VALUES))  # type: ignore[arg-type]


def gradients(
    run: Callable[..., list[Tensor]], inputs: list[Tensor], grads: list[Tensor]
) -> tuple[Tensor, ...]:
    """Return the gradients of ``inputs`` from those of what ``run(*inputs)`` returns.

    Where autograd records, they can be differentiated, too.
    """
    with torch.enable_grad():
        # views, as what led from one input to another must not count
        views = [one.view_as(one) for one in inputs]
        views = [one if one.requires_grad else one.requires_grad_() for one in views]
        outputs = run(*views)
    return torch.autograd.grad(
        outputs,
        views,
        grads,
        create_graph=torch.is_grad_enabled(),
        allow_unused=True,
        materialize_grads=True,
    )
