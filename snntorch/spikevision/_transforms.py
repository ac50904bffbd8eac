"""From events to frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snntorch._checks import expect, expect_size

__all__ = ["ToCountFrame"]


def expect_sizes(owner: str, size: Any) -> None:
    """Raise unless ``size`` has a number of addresses for each dimension."""
    several = isinstance(size, (tuple, list, np.ndarray))
    expect(several, owner, "`size` to be a tuple of ints", repr(size), error=TypeError)
    for length in size:
        expect_size(owner, "size", length)


class ToCountFrame:
    r"""Count the events of each time step at each address.

    .. math:: F[t, a] = |\{i : t_i = t,\ a_i = a\}|

    with the time step :math:`t_i` and the address :math:`a_i` of event :math:`i`. Counts are exact
    up to :math:`2^{24}`, where they stay.

    Args:
        T: Number of time steps; events before the first and after the last are left out.
        size: Number of addresses along each of their dimensions.

    Shape:
        - ``events``: (events, 1 + dimensions), the time step and then the address of each.
        - returns an array of float32, (T, \*size).

    Raises:
        ValueError: If ``events`` has another shape, or an address is outside of ``size``.
        TypeError: If ``T`` or a length in ``size`` is no whole number.

    Examples:
        >>> import numpy as np
        >>> ToCountFrame(T=3, size=[2])(np.array([[0, 1], [0, 1], [2, 0], [9, 0]]))
        array([[0., 2.],
               [0., 0.],
               [1., 0.]], dtype=float32)
    """

    def __init__(self, T: int, size: Sequence[int]) -> None:
        expect_size("ToCountFrame", "T", T)
        expect_sizes("ToCountFrame", size)
        self.T, self.size = T, tuple(size)

    def __call__(self, events: NDArray[Any]) -> NDArray[np.float32]:
        """Return the frames of one recording."""
        columns = 1 + len(self.size)
        expect(
            events.ndim == 2 and events.shape[1] == columns,
            self,
            f"`events` of shape (events, {columns})",
            events.shape,
            "Pass the time step and the address of each event as one row.",
        )
        kept = events[(events[:, 0] >= 0) & (events[:, 0] < self.T)].astype(np.int64)
        for column, length in enumerate(self.size, start=1):
            outside = kept[(kept[:, column] < 0) | (kept[:, column] >= length), column]
            expect(
                not outside.size,
                self,
                f"`events` of addresses from 0 to {length - 1} in column {column}",
                outside[:1],
                "Pass the size of the sensor.",
            )
        frames = np.zeros((self.T, *self.size), np.float32)
        np.add.at(frames, tuple(kept.T), 1)
        return frames
