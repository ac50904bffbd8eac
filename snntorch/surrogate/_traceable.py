"""When a spike has to be operations alone: on an IPU, or because a tracer's user asks for it."""

from __future__ import annotations

import sys
from contextlib import ContextDecorator
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

#: How many `traceable` blocks surround what runs in this thread.
_depth = ContextVar("_depth", default=0)


class traceable(ContextDecorator):
    r"""Within it, spikes are operations of torch alone, which others can differentiate.

    Choose it for a backend that records the operations of a net and finds their derivatives
    itself, where a derivative written in Python is lost. A spike is then

    .. math:: S = s(x) + \mathrm{detach}(H(x) - s(x))

    with the Heaviside step :math:`H` and the smooth primitive :math:`s`, whose derivative
    :math:`ds/dx` is the surrogate. Spikes and gradients are those without it. Neurons run step
    by step in plain torch, by operations that PopTorch knows, and by no kernel. On an IPU all
    this holds without asking.

    It counts for the thread, or the task of asyncio, that entered it. It can be a decorator, too.

    Raises:
        TypeError: By a surrogate without a primitive: :func:`SSO`, :func:`custom_surrogate`, or a
            subclass of :class:`SurrogateFunction` that has none.

    Note:
        ``torch.compile`` and ``torch.export`` record operations alone as it is, and take no
        notice of it. A learned decay rate beyond its bounds gets no gradient within, as in any
        trace; see :doc:`/ipu`.

    Examples:
        >>> import torch
        >>> def fire(x):
        ...     return straight_through_estimator()(x - 1)
        >>> with traceable():
        ...     traced = torch.jit.trace(fire, torch.rand(3))
        >>> [node.kind() for node in traced.graph.nodes() if "detach" in node.kind()]
        ['aten::detach', 'aten::detach']
        >>> x = torch.tensor([0.5, 1.5], requires_grad=True)
        >>> traced(x).sum().backward()
        >>> x.grad
        tensor([1., 1.])
    """

    def __enter__(self) -> traceable:
        _depth.set(_depth.get() + 1)
        return self

    def __exit__(self, *raised: Any) -> None:
        _depth.set(_depth.get() - 1)


def on_ipu() -> bool:
    """Return whether PopTorch runs, or records, what is called now."""
    return not torch.compiler.is_compiling() and _runs_on_ipu()


def _runs_on_ipu() -> bool:
    poptorch = sys.modules.get("poptorch")  # who did not import it does not use it
    return poptorch is not None and bool(poptorch.isRunningOnIpu())


def why_traceable() -> str | None:
    """Return why there may be operations of torch only, of those that PopTorch knows."""
    if torch.compiler.is_compiling():
        return None
    if _depth.get():
        return "surrogate.traceable() asks for operations of torch alone"
    return "an IPU takes operations of torch alone" if _runs_on_ipu() else None


def finite(x: Tensor) -> Tensor:
    """Return where ``x`` is a finite number; PopTorch knows no ``isfinite``."""
    return x.abs() < torch.inf
