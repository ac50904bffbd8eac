"""What the tests of pictures share."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import torch
from matplotlib.animation import FuncAnimation
from PIL import Image, ImageSequence
from torch import Tensor

from tests import golden

mpl.use("Agg")
import matplotlib.pyplot as plt  # noqa: F401 (with the backend chosen above)

ROOT = Path(__file__).parents[2]
OFF_SPIKES = torch.tensor([0.0, 0, 0, 0, 1, -1, 1, -1, 1, 0, 0])
HIDDEN = {"init_hidden": True}


def spikes(*shape: int, rate: float = 0.3, key: str = "spikeplot") -> Tensor:
    return torch.from_numpy((golden.rng(key, shape).rand(*shape) < rate).astype("float32"))


def values(*shape: int, key: str = "spikeplot") -> Tensor:
    return torch.from_numpy(golden.rng(key, shape).rand(*shape).astype("float32"))


def frame(anim: FuncAnimation, number: int) -> list:
    """Draw one frame of an animation the way matplotlib does, and return its artists."""
    anim._draw_was_started = True
    return anim._func(number)


def gif_times(path: Path) -> list[int]:
    """Return how long each frame is shown, in ms; frames that look alike are one."""
    with Image.open(path) as gif:
        return [image.info["duration"] for image in ImageSequence.Iterator(gif)]
