"""MNIST and FashionMNIST from IDX files, the format that they are published in.

Reading them needs no torchvision: only the files, plain or gzipped, from whatever source.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

#: The folder in which torchvision keeps each data set.
FOLDERS = {"mnist": "MNIST", "fashion": "FashionMNIST"}
#: Where the Debian package dataset-fashion-mnist puts its files.
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def read_idx(path: Path) -> Tensor:
    """Read an IDX file of bytes, gzipped if its name ends in ``.gz``.

    Raises:
        ValueError: If it is no such file, or damaged.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is no complete gzip file: {error}.") from error
    if len(content) < 4 or content[:2] != b"\0\0":
        start = content[:4].hex(" ") or "nothing"
        raise ValueError(f"{path} is no IDX file: expected 00 00 at its start, but got {start}.")
    kind, dims = content[2:4]
    if kind != 8:
        raise ValueError(f"{path} is no IDX file of bytes (type code {kind}, expected 8).")
    end = 4 + 4 * dims
    shape = [int.from_bytes(content[i : i + 4], "big") for i in range(4, end, 4)]
    if len(content) != end + math.prod(shape):
        raise ValueError(
            f"{path} is damaged: expected {end + math.prod(shape)} bytes, as its start "
            f"promises values of shape {shape}, but got {len(content)}.\nGet the file anew."
        )
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=end).reshape(shape).copy())


def idx_files(name: str, roots: list[Path], hint: str = "") -> list[TensorDataset]:
    """Return the training and the test set: pixels from 0 to 1, [N, 784], and labels, [N].

    Args:
        name: ``"mnist"`` or ``"fashion"``.
        roots: Folders to look in, in this order: for the files themselves, and for those
            that torchvision keeps in ``FashionMNIST/raw``.
        hint: What else to do if a file is missing.

    Raises:
        SystemExit: If a file is missing, with what to type.
        ValueError: If a file is damaged, or the labels are not those of the images.
    """
    sets = []
    for part in ("train", "t10k"):
        images = read_idx(_find(name, f"{part}-images-idx3-ubyte", roots, hint))
        labels = read_idx(_find(name, f"{part}-labels-idx1-ubyte", roots, hint))
        if images.dim() != 3 or labels.shape != images.shape[:1]:
            raise ValueError(
                f"{FOLDERS[name]} expected images [N, height, width] and N labels in the {part} "
                f"files, but got shapes {list(images.shape)} and {list(labels.shape)}."
            )
        sets.append(TensorDataset(images.flatten(1).float() / 255, labels.long()))
    return sets


def _find(name: str, file: str, roots: list[Path], hint: str) -> Path:
    folders = [folder for root in roots for folder in (root / FOLDERS[name] / "raw", root)]
    places = [folder / f"{file}{end}" for folder in folders for end in ("", ".gz")]
    for place in places:
        if place.exists():
            return place
    ways = [f"call `torchvision.datasets.{FOLDERS[name]}({str(roots[0])!r}, download=True)`"]
    if name == "fashion":
        ways.insert(0, f"type `sudo apt install dataset-fashion-mnist` and pass --root {DEBIAN}")
    raise SystemExit(
        f"{FOLDERS[name]} expected {file}(.gz) in one of {', '.join(map(str, folders))}, but found "
        f"none.\nTo get the files, {', or '.join(ways)}{hint}."
    )
