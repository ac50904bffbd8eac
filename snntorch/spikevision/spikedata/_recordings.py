"""What the data sets have in common: where recordings are, and how events become frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from snntorch._checks import expect, expect_flag, expect_size
from snntorch.spikevision._tonic import deprecate, load
from snntorch.spikevision._transforms import ToCountFrame

#: Times in microseconds, and the addresses, (events, dimensions).
Events: TypeAlias = tuple[NDArray[Any], NDArray[Any]]


class Recordings(Dataset[Any], ABC):
    """Recordings on disk, as frames of event counts.

    ``data`` says where each recording is, and ``targets`` has its label, so that
    :func:`snntorch.utils.data_subset` and :func:`snntorch.utils.valid_split` apply.
    """

    #: The data set of tonic that downloads the same recordings.
    source: ClassVar[str]
    #: The file or the folder of test and of training, as the download names them.
    parts: ClassVar[tuple[str, str]]
    #: Number of addresses along each dimension, and the dimensions along which `ds` scales.
    size: ClassVar[tuple[int, ...]]
    space: ClassVar[slice]

    data: list[Any]
    targets: list[int]

    def __init__(
        self,
        root: str | Path,
        train: bool,
        transform: Callable[[Tensor], Any] | None,
        target_transform: Callable[[int], Any] | None,
        download_and_create: bool,
        num_steps: int,
        dt: int,
        ds: int = 1,
    ) -> None:
        deprecate(f"spikedata.{self.source}", f"tonic.datasets.{self.source}", stacklevel=4)
        is_path = isinstance(root, (str, Path))
        expect(is_path, self, "`root` to be a folder", repr(root), error=TypeError)
        for name, flag in (("train", train), ("download_and_create", download_and_create)):
            expect_flag(self, name, flag)
        for name, count in (("num_steps", num_steps), ("dt", dt), ("ds", ds)):
            expect_size(self, name, count)
        for name, value in (("transform", transform), ("target_transform", target_transform)):
            works = value is None or callable(value)
            expect(works, self, f"`{name}` to be callable", repr(value), error=TypeError)
        self.transform, self.target_transform = transform, target_transform
        self.num_steps, self.dt, self.ds = num_steps, dt, ds
        self.folder = self._locate(Path(root).expanduser(), train, download_and_create)
        self.data, self.targets = self._index()
        expect(
            bool(self.data),
            self,
            f"recordings in {self.folder}",
            "none",
            "Remove it, so that it is downloaded again.",
            FileNotFoundError,
        )

    def __len__(self) -> int:
        """Return the number of recordings."""
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """Return the frames of a recording and its label, each as its transform makes it."""
        times, addresses = self._read(self.data[index])
        size = list(self.size)
        size[self.space] = [-(-length // self.ds) for length in size[self.space]]
        addresses = addresses.astype(np.int64)
        addresses[:, self.space] //= self.ds
        events = np.column_stack([self._steps(times), addresses])
        frames: Any = torch.from_numpy(ToCountFrame(self.num_steps, size)(events))
        target: Any = self.targets[index]
        if self.transform is not None:
            frames = self.transform(frames)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return frames, target

    def _steps(self, times: NDArray[Any]) -> NDArray[np.int64]:
        """Return the time step of each event."""
        return times.astype(np.int64) // self.dt

    def _locate(self, root: Path, train: bool, download: bool) -> Path:
        """Return where the recordings are: in ``root``, or where tonic puts them."""
        tonic = load(type(self).__name__)
        part = self.parts[bool(train)]
        if (root / part).exists():  # as 1.0.0 lays them out
            return root / part
        if download:  # or finds them downloaded
            getattr(tonic.datasets, self.source)(save_to=str(root), train=bool(train))
        found = root / self.source / part
        expect(
            found.exists(),
            self,
            f"{part} in {root} or in {found.parent}",
            "none",
            "Pass download_and_create=True.",
            FileNotFoundError,
        )
        return found

    @abstractmethod
    def _index(self) -> tuple[list[Any], list[int]]:
        """Return where each recording is, and the labels."""

    @abstractmethod
    def _read(self, where: Any) -> Events:
        """Return the events of one recording."""
