"""Time and memory of large pictures: ``python benchmarks/spikeplot.py``.

Every case runs in a process of its own, so that the peaks of memory do not mix. What
Python, torch and matplotlib take before the case begins is not counted.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import torch

import snntorch.spikeplot as splt

mpl.use("Agg")


def raster(density: float, folder: Path) -> None:
    fig, ax = plt.subplots(figsize=(10, 5))
    splt.raster(torch.bernoulli(torch.full((1_000, 10_000), density)), ax)
    fig.savefig(folder / "raster.png")


def animator(folder: Path) -> None:
    fig, ax = plt.subplots()
    spikes = torch.bernoulli(torch.full((100, 28, 28), 0.2))
    anim = splt.animator(spikes, fig, ax, progress=False)
    splt.save_animation(anim, folder / "spikes.gif")


def spike_count(folder: Path) -> None:
    fig, ax = plt.subplots(figsize=(12, 7))
    spikes = torch.bernoulli(torch.full((100, 10), 0.2))
    labels = [str(digit) for digit in range(10)]
    anim = splt.spike_count(spikes, fig, ax, labels, animate=True, progress=False)
    splt.save_animation(anim, folder / "count.gif")


CASES: list[tuple[str, Callable[..., None], tuple[float, ...]]] = [
    ("raster of [1000 x 10,000], 1 % spikes (100,000)", raster, (0.01,)),
    ("raster of [1000 x 10,000], 10 % spikes (1,000,000)", raster, (0.1,)),
    ("animator, 100 frames of 28 x 28, saved to gif", animator, ()),
    ("spike_count, 100 frames of 1200 x 700 pixels, saved to gif", spike_count, ()),
]


def peak() -> float:
    """Return the most memory this process has held, in MiB."""
    bytes_per_unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * bytes_per_unit / 2**20


def measure(function: Callable[..., None], values: tuple[float, ...]) -> tuple[float, float, float]:
    """Return the seconds a case takes, those of the processor, and the memory in MiB it adds."""
    with tempfile.TemporaryDirectory() as folder:
        before = peak()
        start, start_of_work = time.perf_counter(), time.process_time()
        function(*values, Path(folder))
        work = time.process_time() - start_of_work
        return time.perf_counter() - start, work, peak() - before


if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    for name, function, values in CASES:
        with context.Pool(1) as pool:
            seconds, work, memory = pool.apply(measure, (function, values))
        print(f"{name}: {seconds:.2f} s (processor {work:.2f} s), {memory:.0f} MiB")
