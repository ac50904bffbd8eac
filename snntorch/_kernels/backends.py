"""What runs a problem: one protocol, and the choice among those that follow it."""

from __future__ import annotations

import functools
import warnings
from typing import Protocol

from torch import Tensor

from snntorch._kernels import plain
from snntorch._kernels.cpu import binding as cpu
from snntorch._kernels.cuda import launch as cuda
from snntorch._kernels.problem import ByName, Parameters, Problem


class Backend(Protocol):
    """Runs problems, forward and backward; a module is one by having these names."""

    #: What a plan says of it.
    DESCRIPTION: str

    def available(self) -> str | None:
        """Return why it cannot be used on this machine; None if it can."""

    def why_not(self, x: Tensor, parameters: Parameters) -> str | None:
        """Return why it does not run such an input with such parameters; None if it does."""

    def forward(self, problem: Problem, record: tuple[str, ...]) -> tuple[ByName, ByName]:
        """Run all steps.

        Args:
            problem: What to run.
            record: What to return for all times, of `problem.RECORDS`.

        Returns:
            What was recorded, each (time, ...), and the last states, those fed back included.
        """

    def backward(
        self, problem: Problem, grads: ByName, last_grads: ByName, needs: frozenset[str]
    ) -> tuple[Tensor, ByName, Parameters]:
        """Run the backward pass.

        Args:
            problem: What was run.
            grads: Gradients of what was recorded, (time, ...), where there are any.
            last_grads: Gradients of the last states, where there are any.
            needs: Names of the parameters whose gradients are wanted.

        Returns:
            Gradients of the input, of the states at the start, and of the parameters: of the
            parameter's shape, or of a step's, to be summed up to that.
        """


#: By the device of the input. Where none of them runs it, plain torch does.
COMPILED: dict[str, Backend] = {"cpu": cpu, "cuda": cuda}
PLAIN: Backend = plain


def backend(x: Tensor, parameters: Parameters) -> Backend:
    """Return what runs an input with parameters."""
    compiled = COMPILED.get(x.device.type)
    return PLAIN if compiled is None or compiled.why_not(x, parameters) else compiled


#: Values, over all steps and neurons, from which on it takes long without a compiled kernel.
MANY = 1 << 20


def tell_if_slow(x: Tensor, steps: int) -> None:
    """Warn, once, of a large sequence for which this machine has no compiled kernel."""
    compiled = COMPILED.get(x.device.type)
    reason = compiled.available() if compiled and steps * x.shape[1:].numel() >= MANY else None
    if reason is not None:
        _tell(reason)


@functools.cache
def _tell(reason: str) -> None:
    warnings.warn(
        f"snn.unroll runs without a compiled kernel, many times slower: {reason}. On CPU, install "
        "a C compiler, then `pip install --force-reinstall --no-cache-dir --no-deps snntorch`; on "
        "CUDA, `pip install triton`.",
        UserWarning,
        stacklevel=2,
    )
