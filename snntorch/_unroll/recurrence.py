"""The recurrence that every kernel runs, written once in plain torch.

One model covers the integrate-and-fire neurons. From the states at t-1, with decay rates
alpha, beta, feedback weight V, threshold theta and spike size g, step t is

    R   = H(mem' - theta)                        which spikes reset; 0 without reset
    x   = x[t] + V spk'                          with feedback
    leaky      pre = beta mem' + x               mem' = 0 where R, with reset "zero_old"
    synaptic   syn = alpha syn' + x, pre = beta mem' + syn
    alpha      syn = alpha syn' + x, inh = beta inh' - x, pre = tau (syn + inh)
    U   = pre - R drop                           drop = theta, or beta theta, or 0
          (1 - R) pre                            with reset "zero"
    S   = H(U - theta), spk = g S
    mem = U, or with the reset at once           U - (S - R) drop, or U - (S - R) U

In model alpha the reset acts on syn (and "zero" on inh), too. As R carries no gradient, the
way back is linear: the gradient of the states at t-1 follows from that at t, whatever the
surrogate. `forward` and `backward` are the reference for each kernel, and the path that runs
where there is none. Between them nothing is kept but what came in: `backward` computes the
states once more.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from snntorch import surrogate
from snntorch.surrogate import SurrogateGradient

States = dict[str, Tensor]

#: States that each model has, besides spk with feedback, in the order of its arguments.
STATES = {
    "leaky": ("mem",),
    "synaptic": ("syn", "mem"),
    "alpha": ("syn", "inh", "mem"),
}
#: What a plan says of this path.
DESCRIPTION = "plain torch operations"
#: Every name that `record` can ask for, in the order of what is returned.
RECORDS = ("spk", "syn", "inh", "mem")
#: The numbers that the recurrence is made of; those that a model has no use for are None.
VALUES = ("threshold", "beta", "alpha", "tau", "V", "graded")


class Rule(NamedTuple):
    """What a recurrence does, apart from its numbers.

    Attributes:
        model: "leaky", "synaptic" or "alpha".
        reset: "none", "subtract", "soft", "zero" or "zero_old".
        delay: Whether a spike resets in the next step, not in its own.
        feedback: Whether spikes come back by V.
    """

    model: str
    reset: str
    delay: bool
    feedback: bool

    @property
    def clears(self) -> bool:
        """Whether the reset is to zero."""
        return self.reset in ("zero", "zero_old")

    @property
    def cleared(self) -> tuple[str, ...]:
        """The states that a reset to zero clears."""
        return STATES["alpha"] if self.model == "alpha" else ("mem",)

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the states, the spikes fed back first."""
        return ("spk", *STATES[self.model]) if self.feedback else STATES[self.model]


class Values(NamedTuple):
    """The numbers, each broadcastable to one step's input; None where there is no use."""

    threshold: Tensor
    beta: Tensor
    alpha: Tensor | None = None
    tau: Tensor | None = None
    V: Tensor | None = None
    graded: Tensor | None = None


class Step(NamedTuple):
    """Everything that one step computes; names as in the equations."""

    fired: Tensor  # R
    start: Tensor  # mem', after a reset of the old membrane
    charged: States  # before the delayed reset: pre is its mem
    reached: States  # after it: U is its mem
    crossing: Tensor  # S
    states: States  # what the next step starts from


def step(rule: Rule, values: Values, x: Tensor, old: States) -> Step:
    """Run one step of the recurrence on the states ``old``, for its input ``x``."""
    threshold, beta, alpha, tau, V, graded = values
    mem = old["mem"]
    fired = torch.zeros_like(mem)
    if rule.reset != "none":
        fired = (mem > threshold).to(mem.dtype)
    if rule.reset == "zero_old":
        mem = mem - fired * mem
    charged: States = {}
    if alpha is None:
        pre = beta * mem + x
        pre = pre + V * old["spk"] if V is not None else pre
    else:
        syn = alpha * old["syn"] + x
        charged["syn"] = syn + V * old["spk"] if V is not None else syn
        pre = beta * mem + charged["syn"]
    if tau is not None:
        charged["inh"] = beta * old["inh"] - x
        pre = tau * (charged["syn"] + charged["inh"])
    charged["mem"] = pre
    reached = charged if rule.reset == "zero_old" else _reset(rule, values, fired, charged)
    crossing = surrogate.spikes(reached["mem"] - threshold)
    states = reached if rule.delay else _reset(rule, values, crossing - fired, reached)
    spk = crossing if graded is None else crossing * graded
    return Step(fired, mem, charged, reached, crossing, {**states, "spk": spk})


def _drop(rule: Rule, values: Values, times: Tensor) -> Tensor:
    drop = times * values.threshold
    return values.beta * drop if rule.reset == "soft" else drop


def _reset(rule: Rule, values: Values, times: Tensor, states: States) -> States:
    """Reset ``times`` times: 0 or 1, or -1 to take one back."""
    if rule.reset == "none":
        return states
    if rule.clears:
        return {n: s - times * s if n in rule.cleared else s for n, s in states.items()}
    drop = _drop(rule, values, times)
    states = {**states, "mem": states["mem"] - drop}
    if values.tau is not None:
        states["syn"] = states["syn"] - drop / values.tau
    return states


def forward(
    rule: Rule, values: Values, x: Tensor, steps: int, old: States, record: tuple[str, ...]
) -> tuple[States, States]:
    """Run all steps.

    Args:
        rule: What the recurrence does.
        values: Its numbers.
        x: Input, (time, ...), or with one step for an input that is the same at all times.
        steps: Number of steps.
        old: The states to start from.
        record: What to return for all times, of `RECORDS`.

    Returns:
        What was recorded, each (time, ...), and the last states, those fed back included.
    """
    rows: dict[str, list[Tensor]] = {name: [] for name in record}
    states = old
    for t in range(steps):
        states = step(rule, values, x[t if len(x) > 1 else 0], states).states
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
    """Return the gradients of all inputs of `forward`.

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
        Gradients of ``x``, of the states at the start, and of the numbers, the last in the
        shape of a step.
    """
    run = [old]
    for t in range(steps - 1):
        run.append(step(rule, values, x[t if len(x) > 1 else 0], run[-1]).states)
    zero = torch.zeros_like(old["mem"])
    grad_x = torch.zeros_like(x)
    total = {n: zero for n in VALUES if n in needs and getattr(values, n) is not None}
    carry = {n: last_grads.get(n, zero) for n in rule.states}
    for t in reversed(range(steps)):
        at = t if len(x) > 1 else 0
        now = step(rule, values, x[at], run[t])
        outside = {n: g[t] for n, g in grads.items()}
        here = {n: carry.get(n, zero) + outside.get(n, zero) for n in RECORDS}
        grad_input, carry, parts = _step_back(rule, values, spike_grad, now, run[t], here)
        grad_x[at] += grad_input
        total = {n: total[n] + parts.get(n, 0) for n in total}
    return grad_x, carry, Values(*(total.get(n) for n in VALUES))  # type: ignore[arg-type]


def _step_back(
    rule: Rule,
    values: Values,
    spike_grad: SurrogateGradient,
    now: Step,
    old: States,
    grad: States,
) -> tuple[Tensor, States, States]:
    """Return the gradients of a step's input, of the states before it, and of the numbers."""
    threshold, beta, alpha, tau, V, graded = values
    parts = {"graded": grad["spk"] * now.crossing}
    g_crossing = grad["spk"] if graded is None else grad["spk"] * graded
    if not rule.delay:
        grad, g_times = _reset_back(
            rule, values, now.crossing - now.fired, now.reached, grad, parts
        )
        g_crossing = g_crossing + g_times
    excess = now.reached["mem"] - threshold
    through = spike_grad.function.gradient(excess, g_crossing, *spike_grad.values)
    _add(parts, "threshold", -through)
    grad = {**grad, "mem": grad["mem"] + through}
    if rule.reset != "zero_old":
        grad, _ = _reset_back(rule, values, now.fired, now.charged, grad, parts)
    g_pre, before = grad["mem"], {}
    if alpha is None:
        g_x = g_pre
    else:
        g_syn = grad["syn"] + (g_pre if tau is None else g_pre * tau)
        _add(parts, "alpha", g_syn * old["syn"])
        before["syn"], g_x = g_syn * alpha, g_syn
    if tau is not None:
        g_inh = grad["inh"] + g_pre * tau
        _add(parts, "tau", g_pre * (now.charged["syn"] + now.charged["inh"]))
        _add(parts, "beta", g_inh * old["inh"])
        before["inh"], before["mem"], g_x = g_inh * beta, torch.zeros_like(g_pre), g_x - g_inh
    else:
        _add(parts, "beta", g_pre * now.start)
        before["mem"] = g_pre * beta
    if rule.reset == "zero_old":
        before["mem"] = before["mem"] - now.fired * before["mem"]
    if V is not None:
        parts["V"] = g_x * old["spk"]
        before["spk"] = g_x * V
    return g_x, before, parts


def _reset_back(
    rule: Rule, values: Values, times: Tensor, before: States, grad: States, parts: States
) -> tuple[States, Tensor]:
    """Go back through `_reset`; returns the gradients of its states and of ``times``."""
    if rule.reset == "none":
        return grad, torch.zeros_like(times)
    if rule.clears:
        lost = [grad[n] * before[n] for n in rule.cleared]
        g_times = -torch.stack(lost).sum(0)
        return {n: g - times * g if n in rule.cleared else g for n, g in grad.items()}, g_times
    g_drop = -grad["mem"]
    if values.tau is not None:
        g_drop = g_drop - grad["syn"] / values.tau
        _add(parts, "tau", grad["syn"] * _drop(rule, values, times) / values.tau**2)
    if rule.reset == "soft":
        _add(parts, "beta", g_drop * times * values.threshold)
        g_drop = values.beta * g_drop
    _add(parts, "threshold", g_drop * times)
    return grad, g_drop * values.threshold


def _add(parts: States, name: str, value: Tensor) -> None:
    parts[name] = parts[name] + value if name in parts else value
