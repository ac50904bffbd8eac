"""The wording of errors, written once.

Every message says who expected what, what came, and what to type instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch


def owner_name(owner: object) -> str:
    """Return what a message calls ``owner``: itself if a string, else its class."""
    return owner if isinstance(owner, str) else type(owner).__name__


def expect(
    condition: bool,
    owner: object,
    what: str,
    got: object,
    hint: str = "",
    error: type[Exception] = ValueError,
) -> None:
    """Raise ``error`` with the house wording unless ``condition`` holds.

    Args:
        condition: What has to be true.
        owner: Who expects it: a name, or an object whose class is named.
        what: What is expected, continuing "``owner`` expected".
        got: What came instead.
        hint: What to type instead: one sentence.
        error: ``ValueError`` for a wrong value or shape, ``TypeError`` for a
            wrong kind or combination of arguments.

    Raises:
        ValueError: Or what ``error`` names, if ``condition`` is false.

    Examples:
        >>> expect(False, "rate", "`num_steps` >= 1", 0, "Pass the number of time steps.")
        Traceback (most recent call last):
        ...
        ValueError: rate expected `num_steps` >= 1, but got 0.
        Pass the number of time steps.
    """
    if not condition:
        tail = f"\n{hint}" if hint else ""
        raise error(f"{owner_name(owner)} expected {what}, but got {got}.{tail}")


def expect_tensor(owner: object, name: str, value: Any) -> None:
    """Raise ``TypeError`` unless ``value`` is a tensor."""
    expect(
        isinstance(value, torch.Tensor),
        owner,
        f"`{name}` to be a torch.Tensor",
        f"{type(value).__name__}",
        "Convert it with torch.as_tensor(...).",
        TypeError,
    )


def expect_choice(owner: object, name: str, value: object, choices: Iterable[str]) -> None:
    """Raise ``ValueError`` unless ``value`` is one of ``choices``."""
    options = tuple(choices)
    expect(value in options, owner, f"`{name}` to be one of {options}", repr(value))


def shape_of(tensor: torch.Tensor) -> tuple[int, ...]:
    """Return a tensor's shape the way messages print it."""
    return tuple(tensor.shape)


def expect_number(owner: object, name: str, value: Any) -> None:
    """Raise ``TypeError`` unless ``value`` is a real number (a flag is none)."""
    expect(
        isinstance(value, Real) and not isinstance(value, bool),
        owner,
        f"`{name}` to be a number",
        repr(value),
        error=TypeError,
    )


def expect_real(owner: object, name: str, value: Any) -> None:
    """Raise ``TypeError`` if ``value``, a number, array or tensor, is complex."""
    is_tensor = isinstance(value, torch.Tensor)
    is_complex = value.is_complex() if is_tensor else np.iscomplexobj(value)
    got = value.dtype if is_tensor else repr(value)
    expect(not is_complex, owner, f"a real `{name}`", got, error=TypeError)


def expect_flag(owner: object, name: str, value: Any) -> None:
    """Raise ``TypeError`` unless ``value`` is true or false (0 and 1 count)."""
    expect(
        isinstance(value, (bool, np.bool_)) or (isinstance(value, Integral) and value in (0, 1)),
        owner,
        f"`{name}` to be True or False",
        f"{type(value).__name__} ({value!r})",
        error=TypeError,
    )


def expect_finite(owner: object, **values: Any) -> None:
    """Raise unless all values are finite numbers."""
    for name, value in values.items():
        expect_number(owner, name, value)
        try:
            finite = isfinite(value)
        except OverflowError:  # of an integer beyond all floats
            finite = False
        expect(finite, owner, f"a finite `{name}`", value)


def expect_generator(owner: object, value: Any) -> None:
    """Raise ``TypeError`` unless ``value`` is a source of random numbers, or None."""
    expect(
        value is None or isinstance(value, torch.Generator),
        owner,
        "`generator` to be a torch.Generator",
        repr(value),
        "Make one with torch.Generator().manual_seed(0), on the device of the data.",
        TypeError,
    )


def expect_count(owner: object, name: str, value: Any, least: int = 1) -> None:
    """Raise unless ``value`` is a whole number of at least ``least`` (a flag is none)."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    expect(whole, owner, f"`{name}` to be an int", repr(value), error=TypeError)
    expect(value >= least, owner, f"`{name}` >= {least}", value)
