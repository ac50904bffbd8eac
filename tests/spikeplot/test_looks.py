"""Pictures look as they did, and everyone can read them.

Golden images are drawn without text, which differs between versions of matplotlib; what
the text says is tested as data. ``python -m tests.spikeplot.test_looks`` draws them anew.
"""

from __future__ import annotations

import importlib.util
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.animation import FuncAnimation
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.testing.compare import compare_images
from matplotlib.text import Text
from matplotlib.ticker import NullFormatter
from PIL import Image
from torch import nn

import snntorch as snn
import snntorch.spikeplot as splt
from snntorch import surrogate
from snntorch.spikeplot._style import PALETTE
from tests.spikeplot.drawing import HIDDEN, ROOT, frame, plt, spikes, values

IMAGES = ROOT / "tests" / "data" / "images"


def _small(function, *args, **kwargs) -> Figure:
    fig, ax = plt.subplots(figsize=(3, 2))
    function(*args, ax=ax, **kwargs)
    return fig


def _picture_of_spike_count(step: int | None) -> Figure:
    fig, ax = plt.subplots(figsize=(3, 2))
    drawn = splt.spike_count(spikes(20, 4), fig, ax, list("abcd"), animate=step is not None)
    if step is not None:
        frame(drawn, step)
    return fig


def _picture_of_animator(step: int) -> Figure:
    fig, ax = plt.subplots(figsize=(2, 2))
    frame(splt.animator(spikes(3, 6, 6), fig, ax), step)
    return fig


def _picture_of_summary() -> Figure:
    net = nn.Sequential(snn.Leaky(0.5, **HIDDEN), nn.Linear(8, 4), snn.Leaky(0.5, **HIDDEN))
    with torch.no_grad():  # sums of a few powers of two are the same on every machine
        net[1].weight.copy_(spikes(4, 8, rate=0.5) / 2)
        net[1].bias.zero_()
    return splt.summary(net, 2 * spikes(20, 1, 8))


def _costs() -> snn.Profile:
    one, other = nn.Linear(8, 6, bias=False), nn.Linear(6, 2, bias=False)
    net = nn.Sequential(one, snn.Leaky(0.5, **HIDDEN), other)
    with torch.no_grad():
        one.weight.copy_(spikes(6, 8))
        other.weight.copy_(spikes(2, 6))
    return snn.profile(net, values(10, 1, 8))


GOLDEN = {
    "raster": lambda: _small(splt.raster, spikes(30, 12, rate=0.1)),
    "raster_styled": lambda: _small(splt.raster, spikes(30, 12, rate=0.1), s=25, c="black"),
    "raster_of_many": lambda: _small(splt.raster, spikes(300, 2000, rate=0.002)),
    "animator": lambda: _picture_of_animator(2),
    "spike_count": lambda: _picture_of_spike_count(None),
    "spike_count_animated": lambda: _picture_of_spike_count(9),
    "traces": lambda: splt.traces(values(20, 4), spikes(20, 4), (2, 2), 2, threshold=0.8)[0].figure,
    "traces_stacked": lambda: _small(
        splt.traces, values(20, 4), spikes(20, 4), spk_height=2, threshold=0.8
    ),
    "weights": lambda: _small(splt.weights, values(5, 12) - 0.5, shape=(3, 4)),
    "weight_matrix": lambda: _small(splt.weights, values(5, 12) - 0.5),
    "surrogate_gradients": lambda: splt.surrogate_gradients()[0].figure,
    "surrogate_gradients_together": lambda: _small(
        splt.surrogate_gradients, [surrogate.atan(), surrogate.fast_sigmoid(5)]
    ),
    "firing_rates": lambda: _small(
        splt.firing_rates, {"a": spikes(20, 2, 30), "b": spikes(20, 2, 5, rate=0.1)}
    ),
    "energy": lambda: splt.energy(_costs()).figure,
    "summary": _picture_of_summary,
}
#: Root mean square of the difference in grey levels. Versions of matplotlib place an edge
#: one pixel here or there: drawn large and then made small, that matters little.
TOLERANCE = 6.0
DPI, REDUCED = 240, 60


def without_text(fig: Figure, path: Path) -> str:
    for ax in fig.axes:
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(NullFormatter())
        if ax.get_legend() is not None:
            ax.get_legend().remove()
    for text in fig.findobj(Text):
        text.set_visible(False)
    fig.set_dpi(DPI)
    fig.canvas.draw()
    image = Image.fromarray(np.asarray(fig.canvas.buffer_rgba())).convert("RGB")
    size = [round(REDUCED * inches) for inches in fig.get_size_inches()]
    image.resize(size, Image.Resampling.BOX).save(path, optimize=True)
    return str(path)


@pytest.mark.parametrize("name", GOLDEN)
def test_looks_as_it_did(name, tmp_path):
    drawn = without_text(GOLDEN[name](), tmp_path / f"{name}.png")
    assert compare_images(str(IMAGES / f"{name}.png"), drawn, TOLERANCE) is None


def test_golden_images_are_all_in_use():
    assert {path.stem for path in IMAGES.iterdir()} == set(GOLDEN)


@pytest.mark.parametrize(
    ("name", "mutated"),
    [
        ("raster", lambda: _small(splt.raster, spikes(30, 12, rate=0.1).flip(1))),
        ("raster", lambda: _small(splt.raster, spikes(30, 12, rate=0.1), c="red")),
        ("raster_of_many", lambda: _small(splt.raster, torch.zeros(300, 2000))),
        ("spike_count", lambda: _picture_of_spike_count(9)),
        ("spike_count_animated", lambda: _picture_of_spike_count(8)),
        ("animator", lambda: _picture_of_animator(1)),
        ("traces", lambda: splt.traces(values(20, 4), None, (2, 2), 2)[0].figure),
        ("energy", lambda: splt.energy(_costs(), table="int8").figure),
        ("energy", lambda: splt.energy(_costs(), ann_table=None).figure),
        ("weights", lambda: _small(splt.weights, 0.5 - values(5, 12), shape=(3, 4))),
    ],
)
def test_a_changed_picture_is_noticed(name, mutated, tmp_path):
    drawn = without_text(mutated(), tmp_path / f"{name}.png")
    assert compare_images(str(IMAGES / f"{name}.png"), drawn, TOLERANCE) is not None


def as_seen(colour: str, kind: str | None) -> np.ndarray:
    """Return a colour in CIELAB, as people with a colour vision deficiency see it.

    G. M. Machado, M. M. Oliveira, L. A. F. Fernandes (2009). A Physiologically-based Model
    for Simulation of Color Vision Deficiency. IEEE TVCG 15(6), 1291-1298.
    """
    matrices = {
        None: np.eye(3),
        "protanopia": [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ],
        "deuteranopia": [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ],
        "tritanopia": [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ],
    }
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = (np.array(matrices[kind]) @ linear).clip(0, 1)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    x, y, z = np.cbrt(to_xyz @ linear / to_xyz.sum(1)).clip(0.1379)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def smallest_difference(colours: tuple[str, ...], kind: str | None) -> float:
    seen = [as_seen(colour, kind) for colour in colours]
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2))


@pytest.mark.parametrize("kind", [None, "protanopia", "deuteranopia", "tritanopia"])
def test_colours_are_told_apart(kind):
    assert smallest_difference(PALETTE[:4], kind) > 15
    assert smallest_difference(PALETTE[:2], kind) > 40


def test_green_and_red_would_not_be():
    assert smallest_difference(("#2ca02c", "#d62728"), None) > 40
    assert smallest_difference(("#7f7f00", "#c04000"), "deuteranopia") < 15


def load_gallery():
    spec = importlib.util.spec_from_file_location("gallery", ROOT / "docs" / "gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GALLERY = load_gallery()


def clashes(fig: Figure, monkeypatch) -> list[str]:
    """Draw a figure; return texts that overlap, leave the figure or are tiny."""
    drawn = []
    original = Text.draw

    def draw(self, renderer, *args, **kwargs):
        if self.get_visible() and self.get_text().strip():
            drawn.append((self, self.get_window_extent(renderer).padded(-1)))
        return original(self, renderer, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Text, "draw", draw)
        fig.canvas.draw()
    boxes = dict(drawn)
    found = [
        f"{a.get_text()!r} overlaps {b.get_text()!r}"
        for (a, box), (b, other) in combinations(boxes.items(), 2)
        if box.overlaps(other)
    ]
    for text, box in boxes.items():
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= fig.bbox.x1 and box.y1 <= fig.bbox.y1
        if not inside or text.get_fontsize() < 7:
            found.append(f"{text.get_text()!r} at {box}, size {text.get_fontsize()}")
    return found


@pytest.mark.parametrize("draw", GALLERY.PICTURES, ids=lambda draw: draw.__name__)
def test_gallery_is_readable(draw, monkeypatch):
    with splt.style():
        drawn = draw()
        if isinstance(drawn, FuncAnimation):
            frame(drawn, drawn._save_count // 2)
        assert clashes(plt.gcf(), monkeypatch) == []


def test_unreadable_figures_are_noticed(monkeypatch):
    fig, axes = plt.subplots(2, 1, figsize=(2, 1))
    for ax in axes:
        ax.set_title("a title as wide as the whole figure and more", fontsize=6)
    found = "\n".join(clashes(fig, monkeypatch))
    assert "overlaps" in found
    assert "size 6" in found


def test_gallery_shows_every_function():
    shown = {draw.__name__.split("_on_")[0] for draw in GALLERY.PICTURES}
    assert set(splt.__all__) - {"save_animation", "style"} <= shown


def test_gallery_page(tmp_path, monkeypatch):
    some = [draw for draw in GALLERY.PICTURES if draw.__name__ in ("spike_count", "animator")]
    monkeypatch.setattr(GALLERY, "PICTURES", some)
    files = GALLERY.build(tmp_path / "_gallery")
    assert [path.name for path in files] == ["animator.gif", "spike_count.png"]
    page = (tmp_path / "_gallery" / "pictures.rst").read_text()
    for path in files:
        assert path.stat().st_size > 0
        assert f".. image:: _gallery/{path.name}" in page
        assert f"   :pyobject: {path.stem}" in page
    assert "_gallery/pictures.rst" in (ROOT / "docs" / "gallery.rst").read_text()


if __name__ == "__main__":
    IMAGES.mkdir(parents=True, exist_ok=True)
    with plt.style.context("default"):
        for name, draw in GOLDEN.items():
            without_text(draw(), IMAGES / f"{name}.png")
            plt.close("all")
