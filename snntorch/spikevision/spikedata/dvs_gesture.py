"""DVS128 Gesture: gestures of hands and arms, seen by an event camera."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snntorch._checks import expect_flag
from snntorch.spikevision.spikedata._recordings import Events, Recordings

__all__ = ["DVSGesture"]


class DVSGesture(Recordings):
    r"""Eleven gestures of 29 people under three kinds of light, recorded by an event camera.

    .. math::
        F[t, p, y, x] = |\{i : \lfloor (t_i - t_0) / \Delta t \rfloor = t,\
        (p_i, \lfloor y_i / s \rfloor, \lfloor x_i / s \rfloor) = (p, y, x)\}|

    with the time :math:`t_i` of an event in microseconds, its polarity :math:`p_i` (1 where it
    became brighter, 0 where darker), row :math:`y_i` and column :math:`x_i`, the length of a time
    step :math:`\Delta t` (``dt``), the factor :math:`s` by which an image shrinks (``ds``) and the
    start :math:`t_0`: the first event, or drawn with ``time_shuffle=True``.

    1077 recordings for training and 264 for testing, as tonic offers them: cut into one gesture
    each, with times in whole milliseconds. The labels are 0 to 10.

    .. deprecated:: 1.1
        Use ``tonic.datasets.DVSGesture``.

    Args:
        root: Folder of the data: what is in ``root/ibmGestureTrain`` and
            ``root/ibmGestureTest``, or where tonic downloads it, ``root/DVSGesture``.
        train: Whether the recordings for training, or else those for testing.
        transform: Applied to the frames of a recording.
        target_transform: Applied to its label.
        download_and_create: Whether recordings that are not there are downloaded.
        num_steps: Number of time steps; if ``None``, 500 for training and 1800 for testing. What
            comes later is left out; after the end of a recording there are zeros.
        dt: Length of a time step in microseconds.
        ds: Factor by which an image shrinks: the events of so many rows and columns are counted
            in one place. 1 if ``None``.
        return_meta: Whether samples have a third item, ``{"user": ..., "lighting": ...}``.
        time_shuffle: Whether a recording that is longer starts at a random time step, drawn by
            ``torch``.

    Shape:
        A sample is ``frames, label``: a float32 tensor (time, 2, 128 / ds, 128 / ds), rounded up,
        and an ``int``.

    Raises:
        ValueError: If ``num_steps``, ``dt`` or ``ds`` is below 1.
        TypeError: If an argument is of the wrong kind.
        FileNotFoundError: If there are no recordings, and none are downloaded.
        ImportError: If ``tonic`` is not installed.

    Note:
        A data set that snnTorch 1.0.0 builds has no samples, and it executes texts from the files.

    References:
        A. Amir et al. (2017). A low power, fully event-based gesture recognition system.
        Proceedings of the IEEE Conference on Computer Vision and Pattern Recognition, 7243-7252.

    Examples:
        >>> from snntorch import spikevision
        >>> data = spikevision.spikedata.DVSGesture("data", ds=4)  # doctest: +SKIP
        >>> frames, label = data[0]                                # doctest: +SKIP
        >>> frames.shape                                           # doctest: +SKIP
        torch.Size([500, 2, 32, 32])
    """

    source = "DVSGesture"
    parts = ("ibmGestureTest", "ibmGestureTrain")
    size = (2, 128, 128)
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
        ds: int | None = None,
        return_meta: bool = False,
        time_shuffle: bool = False,
    ) -> None:
        expect_flag(self, "return_meta", return_meta)
        expect_flag(self, "time_shuffle", time_shuffle)
        self.return_meta, self.time_shuffle = return_meta, time_shuffle
        steps = (500 if train else 1800) if num_steps is None else num_steps
        scale = 1 if ds is None else ds
        super().__init__(
            root, train, transform, target_transform, download_and_create, steps, dt, scale
        )

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """Return the frames of a recording and its label, and who was recorded if asked for."""
        sample = super().__getitem__(index)
        if not self.return_meta:
            return sample
        user, _, lighting = self.data[index].parent.name.partition("_")
        return *sample, {"user": int(user.removeprefix("user")), "lighting": lighting}

    def _index(self) -> tuple[list[Any], list[int]]:
        files = sorted(self.folder.glob("user*/*.npy"))
        return files, [int(file.stem) for file in files]

    def _read(self, where: Path) -> Events:
        column, row, polarity, milliseconds = np.load(where, allow_pickle=False).T
        return milliseconds.astype(np.int64) * 1000, np.column_stack([polarity, row, column])

    def _steps(self, times: NDArray[Any]) -> NDArray[np.int64]:
        steps = super()._steps(times - times[:1])
        spare = int(steps.max(initial=0)) + 1 - self.num_steps
        if self.time_shuffle and spare > 0:
            steps -= int(torch.randint(spare + 1, ()))
        return steps
