"""SHD: spoken digits, heard by an artificial cochlea."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from snntorch.spikevision._tonic import load
from snntorch.spikevision.spikedata._recordings import Events, Recordings

__all__ = ["SHD"]


class SHD(Recordings):
    r"""The digits from 0 to 9, spoken in German and English, as spikes of 700 channels.

    .. math::
        F[t, c] = |\{i : \lfloor t_i / \Delta t \rfloor = t,\ \lfloor c_i / s \rfloor = c\}|

    with the time :math:`t_i` of a spike in microseconds and its channel :math:`c_i`, the length of
    a time step :math:`\Delta t` (``dt``) and the number of channels that are counted as one,
    :math:`s` (``ds``).

    8156 recordings for training and 2264 for testing, of about a second each; the labels are 0 to 9
    for the English digits and 10 to 19 for the German ones.

    .. deprecated:: 1.1
        Use ``tonic.datasets.SHD``.

    Args:
        root: Folder of the data: ``root/shd_train.h5`` and ``root/shd_test.h5``, or where tonic
            downloads them, ``root/SHD``.
        train: Whether the recordings for training, or else those for testing.
        transform: Applied to the frames of a recording.
        target_transform: Applied to its label.
        download_and_create: Whether a file that is not there is downloaded.
        num_steps: Number of time steps. What comes later is left out; after the end of a recording
            there are zeros.
        ds: Number of neighbouring channels that are counted as one.
        dt: Length of a time step in microseconds.

    Shape:
        A sample is ``frames, label``: a float32 tensor (time, 700 / ds), rounded up, and an
        ``int``.

    Raises:
        ValueError: If ``num_steps``, ``ds`` or ``dt`` is below 1.
        TypeError: If an argument is of the wrong kind.
        FileNotFoundError: If there is no file, and it is not downloaded.
        ImportError: If ``tonic`` is not installed.

    Note:
        A data set that snnTorch 1.0.0 builds has no samples.

    References:
        B. Cramer, Y. Stradmann, J. Schemmel, F. Zenke (2022). The Heidelberg spiking data sets for
        the systematic evaluation of spiking neural networks. IEEE Transactions on Neural Networks
        and Learning Systems 33, 2744-2757. DOI 10.1109/TNNLS.2020.3044364

    Examples:
        >>> from snntorch import spikevision
        >>> data = spikevision.spikedata.SHD("data", num_steps=100, dt=10_000)  # doctest: +SKIP
        >>> spikes, label = data[0]                                             # doctest: +SKIP
        >>> spikes.shape                                                        # doctest: +SKIP
        torch.Size([100, 700])
    """

    source = "SHD"
    parts = ("shd_test.h5", "shd_train.h5")
    size = (700,)
    space = slice(None)

    def __init__(
        self,
        root: str | Path,
        train: bool = True,
        transform: Callable[[Tensor], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
        download_and_create: bool = True,
        num_steps: int = 1000,
        ds: int = 1,
        dt: int = 1000,
    ) -> None:
        super().__init__(
            root, train, transform, target_transform, download_and_create, num_steps, dt, ds
        )

    def _index(self) -> tuple[list[Any], list[int]]:
        with load("SHD", "h5py").File(self.folder, "r") as file:
            targets = [int(label) for label in file["labels"][()]]
        return list(range(len(targets))), targets

    def _read(self, where: int) -> Events:
        with load("SHD", "h5py").File(self.folder, "r") as file:
            seconds, channels = file["spikes/times"][where], file["spikes/units"][where]
        return np.asarray(seconds, np.float64) * 1e6, channels[:, None]
