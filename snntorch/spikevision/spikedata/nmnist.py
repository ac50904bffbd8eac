"""N-MNIST: handwritten digits, seen by an event camera that moves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from snntorch.spikevision._tonic import load
from snntorch.spikevision.spikedata._recordings import Events, Recordings

__all__ = ["NMNIST"]


class NMNIST(Recordings):
    r"""The digits of MNIST, recorded by an event camera that makes three small movements.

    .. math::
        F[t, p, y, x] = |\{i : \lfloor t_i / \Delta t \rfloor = t,\ (p_i, y_i, x_i) = (p, y, x)\}|

    with the time :math:`t_i` of an event in microseconds, its polarity :math:`p_i` (1 where it
    became brighter, 0 where darker), row :math:`y_i` and column :math:`x_i`, and the length of
    a time step :math:`\Delta t` (``dt``).

    60,000 recordings for training and 10,000 for testing, of about 0.3 seconds each; the labels
    are the digits.

    .. deprecated:: 1.1
        Use ``tonic.datasets.NMNIST``.

    Args:
        root: Folder of the data: what is in ``root/Train`` and ``root/Test``, or where tonic
            downloads it, ``root/NMNIST``.
        train: Whether the recordings for training, or else those for testing.
        transform: Applied to the frames of a recording.
        target_transform: Applied to its label.
        download_and_create: Whether recordings that are not there are downloaded.
        num_steps: Number of time steps, 300 if ``None``. What comes later is left out; after the
            end of a recording there are zeros.
        dt: Length of a time step in microseconds.

    Shape:
        A sample is ``frames, label``: a float32 tensor (time, 2, 34, 34) and an ``int``.

    Raises:
        ValueError: If ``num_steps`` or ``dt`` is below 1.
        TypeError: If an argument is of the wrong kind.
        FileNotFoundError: If there are no recordings, and none are downloaded.
        ImportError: If ``tonic`` is not installed.

    Note:
        A data set that snnTorch 1.0.0 builds has no samples.

    References:
        G. Orchard, A. Jayawant, G. K. Cohen, N. Thakor (2015). Converting static image datasets to
        spiking neuromorphic datasets using saccades. Frontiers in Neuroscience 9, 437.
        DOI 10.3389/fnins.2015.00437

    Examples:
        >>> from snntorch import spikevision
        >>> data = spikevision.spikedata.NMNIST("data", num_steps=100)  # doctest: +SKIP
        >>> frames, label = data[0]                                     # doctest: +SKIP
        >>> frames.shape                                                # doctest: +SKIP
        torch.Size([100, 2, 34, 34])
    """

    source = "NMNIST"
    parts = ("Test", "Train")
    size = (2, 34, 34)
    space = slice(1, None)

    def __init__(
        self,
        root: str | Path,
        train: bool = True,
        transform: Callable[[Tensor], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
        download_and_create: bool = True,
        num_steps: int | None = None,
        dt: int = 1000,
    ) -> None:
        steps = 300 if num_steps is None else num_steps
        super().__init__(root, train, transform, target_transform, download_and_create, steps, dt)

    def _index(self) -> tuple[list[Any], list[int]]:
        files = sorted(self.folder.glob("[0-9]/*.bin"))
        return files, [int(file.parent.name) for file in files]

    def _read(self, where: Path) -> Events:
        tonic = load("NMNIST")
        events = tonic.io.read_mnist_file(str(where), dtype=tonic.datasets.NMNIST.dtype)
        return events["t"], np.column_stack([events[axis] for axis in "pyx"])
