"""Recorded numbers of snnTorch 1.0.0: what every drop-in user relies on.

One pair of files an area: ``<area>.json`` lists the cases (`id`, arguments,
seed, names of arrays), ``<area>.npz`` holds the arrays as ``<id>/<name>``.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).parent / "data" / "golden"


def cases(area: str) -> list[dict[str, Any]]:
    """Return the recorded cases of an area."""
    return json.loads((ROOT / f"{area}.json").read_text())


class _Arrays(dict[str, Any]):
    def __missing__(self, area: str) -> Any:
        self[area] = np.load(ROOT / f"{area}.npz")
        return self[area]


_ARRAYS = _Arrays()


def array(case: dict[str, Any], name: str) -> np.ndarray:
    """Return one recorded array of a case."""
    return _ARRAYS[case["area"]][f"{case['id']}/{name}"]


def tensor(case: dict[str, Any], name: str) -> torch.Tensor:
    """Return one recorded array of a case as a tensor."""
    return torch.from_numpy(np.array(array(case, name)))


def rng(*key: Any) -> np.random.RandomState:
    """Return the random generator the recording used for a key."""
    return np.random.RandomState(zlib.crc32(repr(key).encode()) & 0x7FFFFFFF)
