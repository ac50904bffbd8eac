"""The contract of neurons, to hold a class of one's own against."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch

from snntorch._checks import expect, expect_choice, expect_finite, expect_size
from snntorch._neurons.neurons import SpikingNeuron
from snntorch.testing import _derivatives, _dynamics, _moving
from snntorch.testing._subject import BrokenLawError, Subject

__all__ = ["LAWS", "check_neuron"]

# The first that is broken is told: what others rest on comes first
_CHECKS: dict[str, Callable[[Subject], None]] = {
    check.__name__: check
    for check in (
        _dynamics.shapes,
        _moving.dtypes,
        _dynamics.spikes,
        _dynamics.inputs,
        _derivatives.purity,
        _dynamics.states,
        _dynamics.resets,
        _dynamics.zeroing,
        _dynamics.equation,
        _dynamics.samples,
        _dynamics.nans,
        _dynamics.unroll,
        _dynamics.fuse,
        _dynamics.time,
        _derivatives.derivatives,
        _derivatives.learning,
        _derivatives.backward,
        _moving.detaching,
        _moving.copies,
        _moving.pickles,
        _moving.checkpoints,
        _moving.devices,
    )
}
#: What holds for every neuron, by the name of the law.
LAWS: dict[str, str] = {
    name: (inspect.getdoc(check) or "").partition("\n")[0] for name, check in _CHECKS.items()
}


def check_neuron(
    cls: Callable[..., SpikingNeuron],
    kwargs: Mapping[str, Any] | None = None,
    *,
    shape: Iterable[int] = (4, 3),
    steps: int = 12,
    scale: float = 2.0,
    laws: Iterable[str] | None = None,
) -> None:
    r"""Check that a class of neurons keeps the laws that all neurons of this package keep.

    Use it in the tests of a neuron of your own: what runs a net at once, copies it or saves it
    relies on them. Each law in ``LAWS`` compares runs of the neuron on random input, such as

    .. math::
        x[t] \sim \mathcal{N}(0, \sigma^2), \qquad
        \text{unroll}(x)[t] = \text{step}(x[t], U[t-1])

    with input :math:`x` (batch, ...) of each time step, its standard deviation :math:`\sigma`
    (``scale``, in units of the input), and states :math:`U`. All is computed on the CPU, in float64
    where the dtype is not what is checked. The neuron is built anew for each run, from one seed;
    torch's random numbers go on as if nothing had been drawn.

    Args:
        cls: The class, or a function that returns a neuron.
        kwargs: Arguments with which to build it. Flags such as ``learn_beta=True`` have the
            gradients of these parameters checked; ``init_hidden`` and ``output`` are set as
            each law needs them.
        shape: Shape of the input of one step, (batch, ...), of at least two samples.
        steps: Number of time steps, at least 3.
        scale: Standard deviation of the input, such that the neuron sometimes fires.
        laws: Names of the laws to check; ``None`` for all.

    Raises:
        AssertionError: If the neuron breaks a law; says which, by which numbers, and what the class
            should do.
        ValueError: If ``shape``, ``steps`` or ``scale`` is out of range, or a law is unknown.
        TypeError: If ``cls`` does not build a neuron that is called at each step.

    Examples:
        >>> import torch, snntorch as snn
        >>> from snntorch.testing import check_neuron
        >>> check_neuron(snn.Leaky, {"beta": 0.9, "learn_beta": True})
        >>> class Mixing(snn.Leaky):
        ...     @staticmethod
        ...     def step(input_, mem, *, beta):
        ...         return (beta * mem + input_ - input_.mean(0),)
        >>> check_neuron(Mixing, {"beta": 0.9})
        Traceback (most recent call last):
        ...
        AssertionError: Mixing breaks the law `samples`: No sample has a part in what another gives.
        With other input to sample 0, in the rest `spk` is 0 at [0, 2, 2] instead of 1; 11 of...
        Compute each row of the batch alone: no mean, sum, sort or norm over the first dimension.
    """
    owner = "check_neuron"
    expect(callable(cls), owner, "`cls` to be a class of neurons", repr(cls), error=TypeError)
    named = kwargs is None or isinstance(kwargs, Mapping)
    expect(named, owner, "`kwargs` to be a dict", repr(kwargs), error=TypeError)
    several = isinstance(shape, Iterable) and not isinstance(shape, (torch.Tensor, np.ndarray))
    expect(several, owner, "`shape` to be a tuple of ints", repr(shape), error=TypeError)
    sizes = tuple(shape)
    for size in sizes:
        expect_size(owner, "shape", size, 0)
    expect_size(owner, "steps", steps, 3)
    expect_finite(owner, scale=scale)
    expect(scale > 0, owner, "`scale` > 0", scale)
    hint = "Pass (batch, features), or what one step of the neuron takes."
    expect(sizes[:1] > (1,), owner, "`shape` of two samples or more", sizes, hint)
    several = laws is None or (isinstance(laws, Iterable) and not isinstance(laws, torch.Tensor))
    hint = f"Pass some of {tuple(_CHECKS)}."
    expect(several, owner, "`laws` to be a list of names", repr(laws), hint, TypeError)
    names = tuple(_CHECKS) if laws is None else tuple(laws)
    for name in names:
        expect_choice(owner, "laws", name, _CHECKS)
    subject = Subject(cls, dict(kwargs or {}), sizes, steps, float(scale))
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        kind = type(subject.make()).__name__
        for name in names:
            _check(kind, name, subject)


def _check(kind: str, name: str, subject: Subject) -> None:
    """Raise ``AssertionError`` if a law does not hold, or cannot be tried."""
    check = _CHECKS[name]
    advice = " ".join((inspect.getdoc(check) or "").partition("\n\n")[2].split())
    says = f"{kind} breaks the law `{name}`: {LAWS[name]}"
    try:
        check(subject)
    except BrokenLawError as broken:
        raise AssertionError(f"{says}\n{broken}\n{advice}") from None
    except Exception as error:
        raised = f"{type(error).__name__}: {error}"
        raise AssertionError(f"{says}\nIt raised {raised}\n{advice}") from error
