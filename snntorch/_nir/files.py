"""Whether a file holds what it says itself, once, and no more: then it can be read."""

from __future__ import annotations

import math
from importlib import import_module
from pathlib import Path
from typing import Any

#: Bytes by which numbers may be more than what is stored of them: ``nir.write`` packs them.
MOST_UNPACKED = 2**30


def expect_plain(path: Path) -> None:
    """Raise unless a file can be read without surprise.

    What others wrote could make whoever reads it open other files, go in circles, or fill the
    memory with numbers that are nowhere. ``nir.write`` does nothing of this.

    Args:
        path: A file of HDF5, which ``nir`` uses.

    Raises:
        ValueError: If a part of it is a link, is there by two names, lies in another file, or if
            much more is declared than is stored.
        OSError: If it is no such file.
    """
    h5py = import_module("h5py")  # it comes with nir
    unpacked = 0
    with h5py.File(path, "r") as file:
        waiting = [file]
        while waiting:
            group = waiting.pop()
            for name in group:
                where = f"{group.name.rstrip('/')}/{name}"
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise ValueError(f"{where} is a link")
                part = group[name]
                if h5py.h5o.get_info(part.id).rc != 1:
                    raise ValueError(f"{where} is there by another name, too")
                if isinstance(part, h5py.Group):
                    waiting.append(part)
                elif isinstance(part, h5py.Dataset):
                    unpacked += _unpacked(part, where)
        if unpacked > MOST_UNPACKED:
            raise ValueError(f"it declares {unpacked} bytes more than it stores")


def _unpacked(values: Any, where: str) -> int:
    """Return how many bytes more an array takes than are stored of it."""
    if values.is_virtual or values.external:
        raise ValueError(f"{where} lies in another file")
    declared = math.prod(map(int, values.shape or ())) * int(values.dtype.itemsize)
    return max(declared - int(values.id.get_storage_size()), 0)
