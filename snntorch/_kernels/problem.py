"""What every kernel computes: models, rules, parameters, and one problem made of them.

One set of equations covers the integrate-and-fire neurons. From the states at t-1, with decay
rates alpha, beta, feedback weight V, threshold theta and spike size g, step t is

    R   = H(mem' - theta)                        which spikes reset; 0 without reset
    x   = x[t] + V spk'                          with feedback
    leaky      pre = beta mem' + x               mem' = 0 where R, with reset "zero_old"
    synaptic   syn = alpha syn' + x, pre = beta mem' + syn
    alpha      syn = alpha syn' + x, inh = beta inh' - x[t], pre = tau (syn + inh)
    U   = pre - R drop                           drop = theta, or beta theta, or 0
          (1 - R) pre                            with reset "zero"
    S   = H(U - theta), spk = g S
    mem = U, or with the reset at once           U - (S - R) drop, or U - (S - R) U

In model alpha the reset acts on syn (and "zero" on inh), too. What would multiply by R selects
by it, so that infinity is never multiplied by 0. As R carries no gradient, the backward pass is
linear: the gradient of the states at t-1 follows from that at t, whatever the surrogate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from snntorch._checks import expect, expect_choice
from snntorch.surrogate import SurrogateGradient

#: States, their gradients, or what was recorded of them, by name.
ByName = dict[str, Tensor]

#: States that each model has, besides spk with feedback, in the order of its arguments.
STATES = {
    "leaky": ("mem",),
    "synaptic": ("syn", "mem"),
    "alpha": ("syn", "inh", "mem"),
}
#: Which of them a reset to zero clears.
CLEARS = {"leaky": (True,), "synaptic": (False, True), "alpha": (True, True, True)}
#: Parameters that a model has besides those that all have.
RATES = {"leaky": (), "synaptic": ("alpha",), "alpha": ("alpha", "tau")}
#: What a reset can be.
RESETS = ("none", "subtract", "soft", "zero", "zero_old")
#: Every name that `record` can ask for, in the order of what is returned.
RECORDS = ("spk", "syn", "inh", "mem")


class Rule(NamedTuple):
    """What a neuron does, apart from its parameters.

    What follows from it are methods: the compiler of torch 2.10 knows no properties of tuples.

    Attributes:
        model: "leaky", "synaptic" or "alpha".
        reset: One of `RESETS`.
        delay: Whether a spike resets in the next step, not in its own.
        feedback: Whether spikes come back by V.
    """

    model: str
    reset: str
    delay: bool
    feedback: bool

    def clears(self) -> bool:
        """Return whether the reset is to zero."""
        return self.reset in ("zero", "zero_old")

    def cleared(self) -> tuple[str, ...]:
        """Return the states that a reset to zero clears."""
        pairs = zip(STATES[self.model], CLEARS[self.model], strict=True)
        return tuple(name for name, clears in pairs if clears)

    def states(self) -> tuple[str, ...]:
        """Return the names of the states, the spikes fed back first."""
        return ("spk", *STATES[self.model]) if self.feedback else STATES[self.model]

    def parameters(self) -> tuple[str, ...]:
        """Return the parameters without which it cannot run; ``graded`` may be left out."""
        return ("threshold", "beta", *RATES[self.model], *(("V",) if self.feedback else ()))


class Parameters(NamedTuple):
    """The parameters, each broadcastable to one step's input; None where there is no use."""

    threshold: Tensor
    beta: Tensor
    alpha: Tensor | None = None
    tau: Tensor | None = None
    V: Tensor | None = None
    graded: Tensor | None = None

    def given(self) -> ByName:
        """Return those that there are, by name."""
        return {name: one for name, one in self._asdict().items() if one is not None}


#: The parameters of all models.
PARAMETERS = Parameters._fields


def expands(parameter: Tensor, step: Tensor) -> bool:
    """Return whether a parameter leaves shape and dtype of a step as they are."""
    if parameter.dim() == 0:
        return True
    sizes = zip(reversed(parameter.shape), reversed(step.shape), strict=False)
    return (
        parameter.dtype == step.dtype
        and parameter.device == step.device
        and parameter.dim() <= step.dim()
        and all(own in (1, size) for own, size in sizes)
    )


@dataclass(frozen=True, slots=True)
class Problem:
    """All that a kernel is told: it can be run as it stands, or was not made.

    Attributes:
        rule: What the neuron does.
        parameters: Its parameters.
        spike_grad: Surrogate gradient of its spikes.
        x: Input, (time, ...), or with one step for an input that is the same at all times.
        steps: Number of time steps.
        old: The states to start from, each as one step's input.

    Raises:
        ValueError: If these do not fit each other.
    """

    rule: Rule
    parameters: Parameters
    spike_grad: SurrogateGradient
    x: Tensor
    steps: int
    old: ByName

    def __post_init__(self) -> None:
        rule, x = self.rule, self.x
        expect_choice("a kernel", "model", rule.model, tuple(STATES))
        expect_choice("a kernel", "reset", rule.reset, RESETS)
        given = self.parameters.given()
        needed, left_out = {*rule.parameters()}, {"graded"}
        fits = needed <= given.keys() <= needed | left_out
        expect(fits, "a kernel", f"parameters {rule.parameters()}", tuple(given))
        rows, steps = f"`x` of 1 or {self.steps} steps", tuple(x.shape)
        expect(x.dim() > 0 and x.shape[0] in (1, self.steps), "a kernel", rows, steps)
        shape, dtype = x.shape[1:], x.dtype
        expect(
            self.old.keys() == {*rule.states()}, "a kernel", f"states {rule.states()}", [*self.old]
        )
        # each run pays for what is said of tensors, so it is only said if something is wrong
        for name, state in self.old.items():
            if state.shape != shape or state.dtype != dtype:
                like = f"`{name}` like a step, {tuple(shape)} of {dtype}"
                expect(False, "a kernel", like, f"{tuple(state.shape)} of {state.dtype}")
        for name, one in given.items():
            if one.dim() and not expands(one, x[0]):
                into = f"`{name}` that expands to a step, {tuple(shape)} of {dtype}"
                got = f"{tuple(one.shape)} of {one.dtype} on {one.device}"
                expect(False, "a kernel", into, got)

    @property
    def shape(self) -> torch.Size:
        """Shape of one step."""
        return self.x.shape[1:]

    def at(self, t: int) -> Tensor:
        """Return the input of step ``t``."""
        return self.x[t if len(self.x) > 1 else 0]
