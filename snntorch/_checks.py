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

from snntorch._torch import autocasts

#: Steps, classes, neurons: more are a slip, and would fit into no index or no memory.
MOST = 2**31 - 1


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


def expect_module(owner: object, name: str, value: Any) -> None:
    """Raise ``TypeError`` unless ``value`` is a module."""
    what, got = f"`{name}` to be a torch.nn.Module", type(value).__name__
    expect(isinstance(value, torch.nn.Module), owner, what, got, error=TypeError)


def expect_choice(owner: object, name: str, value: object, choices: Iterable[str]) -> None:
    """Raise ``ValueError`` unless ``value`` is one of ``choices``."""
    options = tuple(choices)
    known = isinstance(value, str) and value in options
    expect(known, owner, f"`{name}` to be one of {options}", repr(value))


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


def expect_truth(owner: object, **values: Any) -> None:
    """Raise ``TypeError`` unless all values are true or false, as ``if`` takes them."""
    for name, value in values.items():
        if isinstance(value, torch.Tensor):
            known = value.numel() == 1 and not value.is_meta
        else:
            known = not isinstance(value, np.ndarray) or value.size == 1
        got = f"{type(value).__name__} ({value!r})"
        expect(known, owner, f"`{name}` to be True or False", got, error=TypeError)


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


def expect_size(owner: object, name: str, value: Any, least: int = 1) -> None:
    """Raise unless ``value`` is a number of steps, classes or neurons."""
    expect_count(owner, name, value, least)
    expect(value <= MOST, owner, f"`{name}` <= {MOST}", value)


def as_sides(owner: object, name: str, value: Any, least: int = 1) -> tuple[int, int]:
    """Return the sizes along two axes, of one for both, or of two."""
    several = isinstance(value, (tuple, list))
    what = f"`{name}` to be an int or a pair of them"
    expect(not several or len(value) == 2, owner, what, repr(value))
    sizes = tuple(value) if several else (value, value)
    for size in sizes:
        expect_size(owner, name, size, least)
    rows, columns = sizes
    return int(rows), int(columns)


def expect_values(owner: object, name: str, value: torch.Tensor) -> None:
    """Raise ``ValueError`` if a tensor has no numbers to look at."""
    what, hint = f"`{name}` with values", "Move it with .to('cpu') once it has some."
    expect(not value.is_meta, owner, what, "one on the meta device", hint)


def expect_writable(owner: object, name: str, value: Any) -> None:
    """Raise unless ``value`` is a tensor that can be written to."""
    expect_tensor(owner, name, value)
    free = torch.is_inference_mode_enabled() or not value.is_inference()
    what, hint = f"`{name}` that can be changed", "Pass tensor.clone()."
    expect(free, owner, what, "a tensor of inference mode", hint)


def expect_as_device(owner: object, name: str, value: torch.Tensor, weight: torch.Tensor) -> None:
    """Raise ``ValueError`` unless a tensor is on the device of the weights that it meets."""
    if value.device != weight.device:
        what, got = f"`{name}` on device {weight.device}, as its weights", f"one on {value.device}"
        expect(False, owner, what, got, "Move one of them with .to(device).")


def expect_as_weights(owner: object, name: str, value: torch.Tensor, weight: torch.Tensor) -> None:
    """Raise unless a tensor has the device and the dtype of the weights that it meets."""
    expect_as_device(owner, name, value, weight)
    if value.dtype != weight.dtype and not autocasts():
        what, hint = f"`{name}` of {weight.dtype}, as its weights", f".to({weight.dtype})"
        expect(False, owner, what, value.dtype, f"Convert it with {hint}.", TypeError)


def as_device(owner: object, device: Any) -> torch.device:
    """Return the device of that name."""
    try:
        return torch.device(device)
    except (RuntimeError, TypeError, ValueError):
        named = isinstance(device, (str, int))
        expect(
            False,
            owner,
            "`device` to be a torch.device or the name of one",
            repr(device),
            'Pass "cpu", "cuda", "cuda:1" or "mps", say.',
            ValueError if named else TypeError,
        )
        raise


def expect_place(owner: object, device: Any, dtype: Any) -> None:
    """Raise unless a module can be made there and of that dtype; None leaves it to torch."""
    if device is not None:
        as_device(owner, device)
    expect(
        dtype is None or (isinstance(dtype, torch.dtype) and dtype.is_floating_point),
        owner,
        "`dtype` to be a floating-point torch.dtype",
        repr(dtype),
        "Pass torch.float32, say.",
        TypeError,
    )
