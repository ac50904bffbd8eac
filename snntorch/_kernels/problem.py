"""The recurrence that every kernel runs: its models, its rules and its numbers.

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

In model alpha the reset acts on syn (and "zero" on inh), too. What would multiply by R selects
by it, so that infinity is never multiplied by 0. As R carries no gradient, the backward pass is
linear: the gradient of the states at t-1 follows from that at t, whatever the surrogate.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

States = dict[str, Tensor]

#: States that each model has, besides spk with feedback, in the order of its arguments.
STATES = {
    "leaky": ("mem",),
    "synaptic": ("syn", "mem"),
    "alpha": ("syn", "inh", "mem"),
}
#: Which of them a reset to zero clears.
CLEARS = {"leaky": (True,), "synaptic": (False, True), "alpha": (True, True, True)}
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
        pairs = zip(STATES[self.model], CLEARS[self.model], strict=True)
        return tuple(name for name, clears in pairs if clears)

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


def expands(value: Tensor, step: Tensor) -> bool:
    """Return whether a number leaves shape and dtype of a step as they are."""
    if value.dim() == 0:
        return True
    sizes = zip(reversed(value.shape), reversed(step.shape), strict=False)
    return (
        value.dtype == step.dtype
        and value.device == step.device
        and value.dim() <= step.dim()
        and all(own in (1, size) for own, size in sizes)
    )
