"""Frames from lists of times and addresses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snntorch._checks import expect, expect_count, expect_size
from snntorch.spikevision._tonic import deprecate
from snntorch.spikevision._transforms import ToCountFrame, expect_sizes

__all__ = ["chunk_evs_pol_dvs", "frame_evs"]

REPLACEMENT = "tonic.transforms.ToFrame"


def chunk_evs_pol_dvs(
    times: Any,
    addrs: Any,
    deltat: int = 1000,
    chunk_size: int = 500,
    size: Sequence[int] = (2, 128, 128),
) -> NDArray[np.float32]:
    r"""Count the events of an event camera in a fixed number of time steps.

    .. math:: F[t, p, x, y] = |\{i : \lfloor (t_i - t_0) / \Delta t \rfloor = t, \dots\}|

    with times :math:`t_i` (``times``) and length of a time step :math:`\Delta t` (``deltat``).

    .. deprecated:: 1.1
        Use ``tonic.transforms.ToFrame``.

    Args:
        times: Time of each event; the first time step starts at the first of them.
        addrs: Column, row and polarity of each event.
        deltat: Length of a time step, in the unit of ``times``.
        chunk_size: Number of time steps; later events are left out.
        size: Number of polarities, columns and rows of the sensor.

    Shape:
        - ``times``: (events).
        - ``addrs``: (events, 3).
        - returns an array of float32, (chunk_size, \*size).

    Raises:
        ValueError: If the shapes do not fit each other, or an address is outside of ``size``.
        TypeError: If a number is no whole one.
    """
    deprecate("events_timeslices.chunk_evs_pol_dvs", REPLACEMENT)
    expect_sizes("chunk_evs_pol_dvs", size)
    column, row, polarity = _columns("chunk_evs_pol_dvs", addrs, 3).T
    polarity_first = np.stack([polarity, column, row], axis=1)
    return _count("chunk_evs_pol_dvs", times, polarity_first, deltat, chunk_size, size)


def frame_evs(
    times: Any,
    addrs: Any,
    deltat: int = 1000,
    duration: int = 500_000,
    size: Sequence[int] = (700,),
) -> NDArray[np.float32]:
    r"""Count events for a given time, whatever their address means.

    .. math:: F[t, a] = |\{i : \lfloor (t_i - t_0) / \Delta t \rfloor = t,\ a_i = a\}|

    with times :math:`t_i` (``times``), addresses :math:`a_i` (``addrs``) and length of a time step
    :math:`\Delta t` (``deltat``).

    .. deprecated:: 1.1
        Use ``tonic.transforms.ToFrame``.

    Args:
        times: Time of each event; the first time step starts at the first of them.
        addrs: Address of each event, in as many columns as ``size`` has numbers.
        deltat: Length of a time step, in the unit of ``times``.
        duration: Time that is covered, in the same unit; the last time step may be a part of one.
        size: Number of addresses along each dimension.

    Shape:
        - ``times``: (events).
        - ``addrs``: (events, dimensions).
        - returns an array of float32, (duration / deltat, \*size).

    Raises:
        ValueError: If the shapes do not fit each other, or an address is outside of ``size``.
        TypeError: If a number is no whole one.
    """
    deprecate("events_timeslices.frame_evs", REPLACEMENT)
    expect_count("frame_evs", "deltat", deltat)
    expect_count("frame_evs", "duration", duration)
    expect_sizes("frame_evs", size)
    addresses = _columns("frame_evs", addrs, len(size))
    return _count("frame_evs", times, addresses, deltat, -(-duration // deltat), size)


def as_events(owner: str, name: str, values: Any) -> NDArray[Any]:
    """Return numbers of events as an array, after checking that they are some, and finite."""
    try:
        found = np.asarray(values)
    except (TypeError, ValueError, RuntimeError):  # of rows that differ in length, say
        found = np.asarray(None)
    if found.dtype == bool:
        found = found.astype(np.int64)
    real = found.dtype.kind in "iuf"
    what, hint = f"`{name}` to be an array of numbers", "Convert it with np.asarray(...)."
    expect(real, owner, what, type(values).__name__, hint, TypeError)
    expect(bool(np.isfinite(found).all()), owner, f"finite `{name}`", "nan or inf")
    return found


def _columns(owner: str, addrs: Any, columns: int) -> NDArray[np.int64]:
    addresses = as_events(owner, "addrs", addrs).astype(np.int64)
    expect(
        addresses.ndim == 2 and addresses.shape[1] == columns,
        owner,
        f"`addrs` of shape (events, {columns})",
        addresses.shape,
    )
    return addresses


def _count(
    owner: str,
    times: Any,
    addresses: NDArray[np.int64],
    deltat: int,
    steps: int,
    size: Sequence[int],
) -> NDArray[np.float32]:
    expect_count(owner, "deltat", deltat)
    expect_size(owner, "chunk_size", steps)
    times = as_events(owner, "times", times)
    expect(
        times.shape == addresses.shape[:1],
        owner,
        f"`times` of shape {addresses.shape[:1]}, as `addrs`",
        times.shape,
    )
    step = (times - times[:1]) // np.int64(min(deltat, 2**63 - 1))
    return ToCountFrame(steps, size)(np.column_stack([step, addresses]))
