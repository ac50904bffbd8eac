"""The equations in plain torch: the reference for each kernel, and the path where there is none.

The derivative is autograd's; between forward and backward nothing is kept but what came in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from snntorch._kernels.equations import cleared, decayed, dropped
from snntorch._kernels.problem import ByName, Parameters, Problem, Rule
from snntorch.surrogate import spikes

#: What a plan says of this path.
DESCRIPTION = "plain torch operations"

Fire = Callable[[Tensor], Tensor]


def one_step(rule: Rule, parameters: Parameters, fire: Fire, x: Tensor, old: ByName) -> ByName:
    """Run one step; returns its spikes and what the next one starts from.

    Args:
        rule: What the neuron does.
        parameters: Its parameters.
        fire: A Heaviside step, with whatever gradient.
        x: Input of the step.
        old: The states to start from.
    """
    threshold, beta, alpha, tau, V, graded = parameters
    mem = old["mem"]
    fired = mem > threshold
    if rule.reset == "zero_old":
        mem = cleared(fired, mem)
    new: ByName = {}
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
        new = _reset(rule, parameters, fired, new)
    crossing = fire(new["mem"] - threshold)
    if not rule.delay:
        new = _reset(rule, parameters, crossing - fired.to(crossing.dtype), new)
    return {**new, "spk": crossing if graded is None else crossing * graded}


def _reset(rule: Rule, parameters: Parameters, times: Tensor, states: ByName) -> ByName:
    """Reset where ``times`` is true, or so often: 0, 1, or -1 to take one back."""
    if rule.reset == "none":
        return states
    if rule.clears():
        return {n: cleared(times, s) if n in rule.cleared() else s for n, s in states.items()}
    drop = dropped(times, parameters.threshold.to(states["mem"].dtype))
    if rule.reset == "soft":
        drop = parameters.beta * drop
    states = {**states, "mem": states["mem"] - drop}
    if parameters.tau is not None:
        states["syn"] = states["syn"] - drop / parameters.tau
    return states


def available() -> str | None:
    """Return None, as torch is everywhere."""
    return None


def why_not(x: Tensor, parameters: Parameters) -> str | None:
    """Return None, as torch takes everything."""
    return None


def forward(problem: Problem, record: tuple[str, ...]) -> tuple[ByName, ByName]:
    """Run all steps, see `Backend.forward`."""
    return _forward(problem, record, spikes)


def _forward(problem: Problem, record: tuple[str, ...], fire: Fire) -> tuple[ByName, ByName]:
    rows: dict[str, list[Tensor]] = {name: [] for name in record}
    states = problem.old
    for t in range(problem.steps):
        states = one_step(problem.rule, problem.parameters, fire, problem.at(t), states)
        for name in record:
            rows[name].append(states[name])
    last = {name: states[name] for name in problem.rule.states()}
    return {name: torch.stack(row) for name, row in rows.items()}, last


def backward(
    problem: Problem, grads: ByName, last_grads: ByName, needs: frozenset[str]
) -> tuple[Tensor, ByName, Parameters]:
    """Return the gradients of all inputs by autograd of `forward`, see `Backend.backward`.

    Where autograd records, as under ``create_graph=True``, they have gradients of their own.
    """
    wanted = {n: one for n, one in problem.parameters.given().items() if n in needs}

    def run(x: Tensor, *tensors: Tensor) -> list[Tensor]:
        old = dict(zip(problem.old, tensors, strict=False))
        learned = dict(zip(wanted, tensors[len(old) :], strict=True))
        parameters = problem.parameters._replace(**learned)
        again = replace(problem, x=x, old=old, parameters=parameters)
        recorded, last = _forward(again, tuple(grads), problem.spike_grad)
        return [*recorded.values(), *(last[n] for n in last_grads)]

    outside = [*grads.values(), *last_grads.values()]
    inputs = [problem.x, *problem.old.values(), *wanted.values()]
    grad_x, *rest = gradients(run, inputs, outside)
    grad_old = dict(zip(problem.old, rest, strict=False))
    found = dict(zip(wanted, rest[len(grad_old) :], strict=True))
    every = problem.parameters._asdict()
    return grad_x, grad_old, Parameters(**{n: found.get(n) for n in every})  # type: ignore[arg-type]


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
