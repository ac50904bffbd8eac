"""Pictures: what is drawn equals the data, on the given axes, and looks as it did.

Golden images are drawn without text, which differs between versions of matplotlib; what
the text says is tested as data. ``python -m tests.test_spikeplot`` draws them anew.
"""

from __future__ import annotations

import copy
import importlib.util
import inspect
import io
import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.animation import FuncAnimation
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.testing.compare import compare_images
from matplotlib.text import Text
from matplotlib.ticker import NullFormatter
from PIL import Image, ImageSequence
from torch import Tensor, nn

import snntorch as snn
import snntorch.spikeplot as splt
from snntorch import surrogate
from snntorch.functional.probe import OutputMonitor
from snntorch.spikeplot._style import PALETTE
from tests import golden

mpl.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parents[1]
IMAGES = Path(__file__).parent / "data" / "images"


@pytest.fixture(autouse=True)
def _leaves_matplotlib_alone():
    """No test, and so no function, changes a global setting of matplotlib."""
    torch.manual_seed(0)
    plt.close("all")
    with plt.style.context("default"):
        before = dict(mpl.rcParams)
        yield
        plt.close("all")
        assert {key for key, value in mpl.rcParams.items() if before[key] != value} == set()


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


def python(code: str) -> str:
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.strip()


# --- imports and signatures -------------------------------------------------------------


def test_snntorch_alone_does_not_import_matplotlib():
    assert python("import sys, snntorch; print('matplotlib' in sys.modules)") == "False"


def test_matplotlib_alone_suffices():
    code = (
        "import sys; sys.modules |= dict.fromkeys(['pandas', 'celluloid', 'tqdm', 'IPython'])\n"
        "import snntorch.spikeplot as splt; print(len(splt.__all__))"
    )
    assert python(code) == str(len(splt.__all__))


def test_without_matplotlib_the_import_names_the_extra():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "try: import snntorch.spikeplot\n"
        "except ModuleNotFoundError as error: print(error.name, error)"
    )
    said = python(code)
    assert said.startswith("matplotlib snntorch.spikeplot expected matplotlib")
    assert "pip install 'snntorch[plot]'" in said


@pytest.mark.parametrize("name", ["animator", "raster", "spike_count", "traces"])
def test_released_signature(name):
    released = json.loads((ROOT / "tests/data/api.json").read_text())["snntorch.spikeplot"][name]
    ours = inspect.signature(getattr(splt, name)).parameters.values()
    inherited = [p for p in ours if p.kind is not p.KEYWORD_ONLY]
    assert [
        [p.name, p.kind.name, None if p.default is p.empty else repr(p.default)] for p in inherited
    ] == released["args"]


# --- raster -----------------------------------------------------------------------------

OFF_SPIKES = torch.tensor([0.0, 0, 0, 0, 1, -1, 1, -1, 1, 0, 0])


@pytest.mark.parametrize(
    "data",
    [
        spikes(20, 7),
        spikes(20, 7).bool(),
        spikes(20, 7).to(torch.int8),
        spikes(20, 7).bfloat16() * 0.5,
        spikes(20, 7).double().requires_grad_(),
        spikes(20, 1),
        OFF_SPIKES,
        torch.zeros(5, 3),
        spikes(7, 20).T,
    ],
    ids=["float", "bool", "int8", "bfloat16", "grad", "one", "off-spikes", "none", "strided"],
)
def test_raster_marks_exactly_the_spikes(data):
    _, ax = plt.subplots()
    before = data.clone()
    marked = {tuple(place) for place in splt.raster(data, ax).get_offsets().astype(int).tolist()}
    table = data.detach().float().reshape(len(data), -1).tolist()
    assert marked == {
        (t, n) for t, row in enumerate(table) for n, value in enumerate(row) if value != 0
    }
    assert torch.equal(before, data)


def test_raster_spans_all_steps_and_neurons_in_whole_numbers():
    fig, ax = plt.subplots()
    data = torch.zeros(30, 4)
    data[3, 1] = 1
    splt.raster(data, ax)
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    assert left < 0
    assert right > 29
    assert low < 0
    assert high > 3
    fig.canvas.draw()
    assert all(tick == int(tick) for tick in (*ax.get_xticks(), *ax.get_yticks()))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Time step", "Neuron")


def test_raster_keeps_what_the_user_said():
    _, (top, bottom) = plt.subplots(2, sharex=True)
    top.set_xlim(0, 5)
    top.set_ylabel("mine")
    markers = splt.raster(spikes(9, 3), top, s=1.5, c="red", marker="o", rasterized=False)
    assert top.get_xlim() == (0, 5)
    assert top.get_ylabel() == "mine"
    assert top.get_xlabel() == ""  # its numbers are those of the axes below
    assert markers.get_sizes() == [1.5]
    assert to_rgb(markers.get_facecolor()[0]) == to_rgb("red")
    assert not markers.get_rasterized()
    splt.raster(spikes(9, 3), bottom, linewidth=3)
    assert bottom.get_xlabel() == "Time step"
    assert bottom.collections[0].get_linewidths() == [3]


@pytest.mark.parametrize("dpi", [50, 100, 200])
def test_raster_of_many_is_visible_and_drawn_as_pixels(dpi):
    fig, ax = plt.subplots(figsize=(4, 3), dpi=dpi)
    data = torch.zeros(1_000, 10_000)
    markers = splt.raster(data, ax)
    assert not markers.get_rasterized()
    data[torch.arange(1_000), torch.arange(0, 10_000, 10)] = 1
    data[:, 5_000:5_030] = 1
    markers = splt.raster(data, ax)
    assert markers.get_rasterized()
    ax.axis("off")
    fig.canvas.draw()
    dark = np.asarray(fig.canvas.buffer_rgba())[..., 0] < 128
    assert dark.any(1).sum() > 0.7 * dark.shape[0]  # the diagonal crosses the axes
    assert dark.any(0).sum() > 0.7 * dark.shape[1]


# --- animator ---------------------------------------------------------------------------


@pytest.mark.parametrize("data", [values(5, 4, 3), spikes(5, 4, 3).to(torch.int16)])
def test_animator_shows_each_step(data):
    fig, ax = plt.subplots()
    anim = splt.animator(data, fig, ax)
    for step, image in enumerate(data):
        frame(anim, step)
        assert np.array_equal(ax.images[0].get_array(), image)
    assert len(ax.images) == 1
    assert anim.event_source.interval == 40
    assert list(anim.new_saved_frame_seq()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("data", "limits"),
    [
        (torch.ones(2, 3, 3), (0, 1)),
        (-torch.ones(2, 3, 3), (-1, 0)),
        (torch.arange(8.0).reshape(2, 2, 2) - 3, (-3, 4)),
    ],
)
def test_animator_has_one_colour_scale(data, limits):
    fig, ax = plt.subplots()
    frame(splt.animator(data, fig, ax, num_steps=1), 0)
    assert ax.images[0].get_clim() == limits


def test_animator_switches_off_the_given_axes_only():
    fig, (a, b) = plt.subplots(1, 2)
    plt.sca(b)
    frame(splt.animator(values(3, 4, 4), fig, a), 0)
    assert not a.axison
    assert b.axison
    assert len(b.images) == 0


def test_animations_of_several_figures_at_once(tmp_path):
    first, second = spikes(3, 2, 2, key="a"), spikes(4, 2, 2, key="b")
    pairs = [plt.subplots(figsize=(1, 1)) for _ in range(2)]
    anims = [splt.animator(data, *pair) for data, pair in zip((first, second), pairs, strict=True)]
    for step in (0, 2):
        for anim, data, (_, ax) in zip(anims, (first, second), pairs, strict=True):
            frame(anim, step)
            assert np.array_equal(ax.images[0].get_array(), data[step])
    for number, anim in enumerate(anims):
        path = splt.save_animation(anim, tmp_path / f"{number}.gif")
        assert sum(gif_times(path)) == 40 * (3, 4)[number]


# --- spike_count ------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [False, 8, 20])
@pytest.mark.parametrize("data", [spikes(20, 5), spikes(20, 5).bool(), 0.5 * spikes(20, 5)])
def test_spike_count_counts(data, steps):
    fig, ax = plt.subplots()
    labels = list("abcde")
    assert splt.spike_count(data, fig, ax, labels, num_steps=steps) is fig
    counts = (data[: steps or 20] != 0).sum(0)
    assert [bar.get_width() for bar in ax.patches] == counts.tolist()
    assert [tick.get_text() for tick in ax.get_yticklabels()] == labels
    assert [t.get_text() for t in ax.texts] == [*map(str, counts.tolist()), f"{steps or 20} steps"]
    assert ax.get_xlim()[1] > counts.max()
    leading = [bar.get_facecolor() for bar, n in zip(ax.patches, counts, strict=True)]
    assert len({leading[i] for i in range(5) if counts[i] == counts.max()}) == 1
    assert len(set(leading)) == 2


def test_spike_count_of_off_spikes_and_of_none():
    fig, ax = plt.subplots()
    splt.spike_count(torch.tensor([[1, 0], [-1, 0]]), fig, ax, ["a", "b"])
    assert [bar.get_width() for bar in ax.patches] == [2, 0]
    fig, ax = plt.subplots()
    splt.spike_count(torch.zeros(3, 2), fig, ax, ["a", "b"])
    assert ax.patches[0].get_facecolor() == ax.patches[1].get_facecolor()  # nobody leads


@pytest.mark.parametrize("interpolate", [1, 4])
def test_spike_count_over_time(interpolate):
    data = spikes(6, 3)
    fig, ax = plt.subplots()
    anim = splt.spike_count(data, fig, ax, list("abc"), animate=True, interpolate=interpolate)
    frames = list(anim.new_saved_frame_seq())
    assert len(frames) == 6 * interpolate
    assert anim.event_source.interval == 25
    cumulative = np.concatenate([np.zeros((1, 3)), data.numpy().cumsum(0)])
    for number in frames:
        frame(anim, number)
        elapsed = (number + 1) / interpolate
        expected = [np.interp(elapsed, np.arange(7), column) for column in cumulative.T]
        assert np.allclose([bar.get_width() for bar in ax.patches], expected)
        assert ax.texts[-1].get_text() == f"{int(elapsed)} of 6 steps"
        assert ax.lines[0].get_xdata()[1] == elapsed / 6


@pytest.mark.parametrize(
    ("animate", "clock"), [(False, "20 ms"), (True, "5 ms of 20 ms")], ids=["still", "animated"]
)
def test_spike_count_shows_time_in_seconds(animate, clock):
    fig, ax = plt.subplots()
    drawn = splt.spike_count(
        spikes(20, 2), fig, ax, ["a", "b"], animate=animate, time_step=1e-3, gridshader=False
    )
    if animate:
        frame(drawn, 4)
    assert ax.texts[-1].get_text() == clock
    assert len(ax.collections) == 0


def test_spike_count_draws_on_the_given_axes_only():
    fig, (a, b) = plt.subplots(1, 2)
    plt.sca(b)
    splt.spike_count(torch.ones(4, 3), fig, a, ["x", "y", "z"])
    assert len(a.collections) == 1
    assert len(a.patches) == 3
    assert [*b.collections, *b.patches, *b.texts, *b.lines] == []
    assert b.spines["top"].get_visible()


# --- saving -----------------------------------------------------------------------------


@pytest.fixture
def anim():
    fig, ax = plt.subplots(figsize=(1, 1), dpi=50)
    ax.set_position((0, 0, 1, 1))
    anim = splt.animator(torch.eye(2).reshape(2, 1, 2), fig, ax, interval=100)
    anim._draw_was_started = True
    return anim


@pytest.fixture
def ffmpeg(tmp_path):
    """Return a program in place of ffmpeg: it writes the frames as they come."""
    program = tmp_path / "ffmpeg"
    program.write_text('#!/bin/sh\nfor last; do :; done\ncat > "$last"\n')
    program.chmod(0o755)
    with mpl.rc_context({"animation.ffmpeg_path": str(program), "animation.embed_limit": 1000}):
        yield program


def test_gif_has_the_frames_their_time_and_colours(anim, tmp_path):
    path = splt.save_animation(anim, str(tmp_path / "spikes.gif"))
    assert gif_times(path) == [100, 100]
    low, high = (mpl.colormaps["plasma"](end, bytes=True)[:3] for end in (0, 255))
    with Image.open(path) as gif:
        assert gif.size == (50, 50)
        for step, colours in enumerate([(high, low), (low, high)]):
            gif.seek(step)
            rgb = gif.convert("RGB")
            assert (rgb.getpixel((12, 25)), rgb.getpixel((37, 25))) == colours


def test_gif_of_another_speed_and_size(anim, tmp_path):
    path = splt.save_animation(anim, tmp_path / "spikes.gif", fps=20, dpi=80)
    assert gif_times(path) == [50, 50]
    with Image.open(path) as gif:
        assert gif.size == (80, 80)


def test_mp4_gets_every_frame(anim, tmp_path, ffmpeg):
    path = splt.save_animation(anim, tmp_path / "spikes.mp4")
    assert path.stat().st_size == 2 * 50 * 50 * 4


def test_mp4_without_ffmpeg_says_what_to_install(anim, tmp_path):
    with (
        mpl.rc_context({"animation.ffmpeg_path": str(tmp_path / "nothing")}),
        pytest.raises(RuntimeError, match=r"expected the program ffmpeg.*\n.*apt install ffmpeg"),
    ):
        splt.save_animation(anim, tmp_path / "spikes.mp4")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("progress", [True, False])
def test_progress_bar(anim, tmp_path, capsys, progress):
    fig, ax = plt.subplots(figsize=(1, 1))
    anim = splt.animator(spikes(7, 2, 2), fig, ax, progress=progress)
    for _ in range(2):  # each time the frames are drawn
        splt.save_animation(anim, tmp_path / "spikes.gif")
        said = capsys.readouterr().err
        assert ("7/7" in said) is progress
        assert ("animator" in said) is progress


def test_progress_bar_without_tqdm_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    fig, ax = plt.subplots()
    with pytest.raises(ModuleNotFoundError, match="pip install tqdm"):
        splt.spike_count(spikes(3, 1), fig, ax, ["a"], animate=True, progress=True)


# --- traces -----------------------------------------------------------------------------


def drawn_spikes(ax) -> list[list[list[float]]]:
    (lines,) = ax.collections
    return [segment.tolist() for segment in lines.get_segments()]


def test_traces_draw_data_spikes_and_threshold():
    mem, spk = values(12, 4), spikes(12, 4)
    axes = splt.traces(mem.requires_grad_(), spk, (2, 2), 3, list("abcd"), threshold=torch.rand(4))
    assert axes == plt.gcf().axes
    for n, ax in enumerate(axes):
        x, y = ax.lines[0].get_data()
        assert np.array_equal(x, np.arange(12))
        assert np.array_equal(y, mem[:, n].detach())
        times = [t for t in range(12) if spk[t, n]]
        assert drawn_spikes(ax) == [[[t, mem[t, n].item()], [t, 3]] for t in times]
        assert ax.get_title() == "abcd"[n]
        assert len(ax.lines) == 2


@pytest.mark.parametrize(
    ("neurons", "dim", "panels"),
    [(4, (3, 3), 4), (10, (3, 3), 9), (1, (1, 1), 1), (5, (1, 7), 5), (30, None, 30)],
)
def test_traces_of_any_number_of_neurons(neurons, dim, panels):
    axes = splt.traces(values(5, neurons), dim=dim)
    assert len(axes) == len(plt.gcf().axes) == panels
    assert [ax.get_title() for ax in axes] == [f"Neuron {i}" for i in range(panels)]


@pytest.mark.parametrize("neurons", [1, 3, 200])
def test_traces_stacked_on_given_axes(neurons):
    fig, (ax, other) = plt.subplots(2)
    plt.sca(other)
    mem, spk = values(6, neurons), spikes(6, neurons)
    assert splt.traces(mem, spk, spk_height=1.5, threshold=1.0, ax=ax) == [ax]
    assert plt.get_fignums() == [fig.number]
    assert not other.lines
    curves = [line.get_ydata() for line in ax.lines[::2]]
    bases = [curve[0] - mem[0, n].item() for n, curve in enumerate(curves)]
    for n, (curve, base) in enumerate(zip(curves, bases, strict=True)):
        assert np.allclose(curve - base, mem[:, n], atol=1e-5)
    gaps = np.diff(bases)
    assert (gaps > 1.5 - mem.min().item()).all()  # nothing overlaps
    tops = [segment[1][1] for lines in ax.collections for segment in lines.get_segments()]
    fired = [n for n in range(neurons) for _ in range(int(spk[:, n].sum()))]
    assert np.allclose(tops, [bases[n] + 1.5 for n in fired])
    labels = [tick.get_text() for tick in ax.get_yticklabels()]
    assert labels[0] == "0"
    assert len(labels) <= 20


def test_traces_go_to_the_current_figure_only_if_it_is_empty():
    mine = plt.figure(figsize=(8, 6))
    splt.traces(values(5, 2))
    assert plt.gcf() is mine
    assert mine.get_size_inches().tolist() == [8, 6]
    splt.traces(values(5, 2))
    assert plt.gcf() is not mine
    assert len(mine.axes) == 2


# --- weights ----------------------------------------------------------------------------


def tiles(fields: Tensor, rows: int, columns: int) -> np.ndarray:
    """Lay out fields one by one."""
    _, height, width = fields.shape
    out = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for i, field in enumerate(fields):
        y, x = (i // columns) * (height + 1), (i % columns) * (width + 1)
        out[y : y + height, x : x + width] = field
    return out


@pytest.mark.parametrize(
    ("shape", "kwargs", "grid"),
    [
        ((6, 12), {"shape": (3, 4)}, (2, 3)),
        ((6, 12), {"shape": (3, 4), "dim": (3, 3)}, (3, 3)),
        ((5, 3, 2), {}, (2, 3)),
        ((1, 3, 2), {}, (1, 1)),
        ((4, 3, 5, 5), {}, (4, 3)),
        ((4, 3, 5, 5), {"dim": (2, 6)}, (2, 6)),
    ],
)
def test_weights_show_receptive_fields(shape, kwargs, grid):
    data = values(*shape) - 0.7
    _, ax = plt.subplots()
    image = splt.weights(data.requires_grad_(), ax, **kwargs)
    assert image.axes is ax
    size = kwargs.get("shape", shape[-2:])
    expected = tiles(data.detach().reshape(-1, *size), *grid).astype("float32")
    shown = image.get_array()
    assert np.array_equal(np.ma.filled(shown, np.nan), expected, equal_nan=True)
    limit = data.abs().max().item()
    assert image.get_clim() == (-limit, limit)


def test_weights_as_a_matrix():
    data = values(3, 5).double()
    image = splt.weights(data, colorbar=False)
    assert np.array_equal(image.get_array(), data)
    assert (image.axes.get_xlabel(), image.axes.get_ylabel()) == ("Input", "Neuron")
    assert len(plt.gcf().axes) == 1
    splt.weights(torch.zeros(2, 2), ax=image.axes)
    assert len(plt.gcf().axes) == 2


# --- surrogates -------------------------------------------------------------------------


def test_all_surrogates_are_shown_with_their_own_derivative():
    state = torch.get_rng_state()
    axes = splt.surrogate_gradients()
    assert torch.equal(state, torch.get_rng_state())
    made = {ax.get_title().partition("(")[0]: ax for ax in axes}
    factories = {n for n in surrogate.__all__ if inspect.isfunction(getattr(surrogate, n))}
    assert made.keys() == factories - {"custom_surrogate"}
    for name, ax in made.items():
        (x, spike), (_, slope) = (line.get_data() for line in ax.lines)
        assert np.array_equal(spike, x > 0)
        if name != "SSO":  # random
            expected = getattr(surrogate, name)().derivative(torch.from_numpy(x))
            assert np.allclose(slope, expected)


def test_surrogates_on_one_axes_with_functions_of_the_users():
    def box(x: Tensor) -> Tensor:
        return surrogate.custom_surrogate(lambda x, grad, spk: grad * (x.abs() < 0.5))(x)

    _, ax = plt.subplots()
    with torch.no_grad():
        assert splt.surrogate_gradients([box, surrogate.ATan.apply], ax, limit=1) == [ax]
    x, slope = ax.lines[1].get_data()
    assert np.array_equal(slope, abs(x) < 0.5)
    assert x[0] == -1
    names = [t.get_text() for t in ax.get_legend().get_texts()]
    assert names[0] == "spike"
    assert names[1].endswith("box")
    axes = splt.surrogate_gradients([surrogate.atan()], titles=["mine"])
    assert axes[0].get_title() == "mine"


# --- networks ---------------------------------------------------------------------------


class Loops(nn.Module):
    """A network as in the tutorials: states passed by hand, a time loop of its own."""

    def __init__(self, steps: int | None = None) -> None:
        super().__init__()
        self.steps = steps
        self.unused = snn.Leaky(beta=0.5)
        self.output_layer = snn.Synaptic(alpha=0.5, beta=0.8)
        self.hidden = snn.Leaky(beta=0.9)  # runs first

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mem = self.hidden.init_leaky()
        syn2, mem2 = self.output_layer.init_synaptic()
        spk_rec, mem_rec = [], []
        for step in x if self.steps is None else [x] * self.steps:
            spk, mem = self.hidden(step, mem)
            spk2, syn2, mem2 = self.output_layer(spk, syn2, mem2)
            spk_rec.append(spk2)
            mem_rec.append(mem2)
        return torch.stack(spk_rec), torch.stack(mem_rec)


class Idle(nn.Module):
    """A network that never calls its neurons."""

    def __init__(self) -> None:
        super().__init__()
        self.lif = snn.Leaky(0.9)

    def forward(self, x: Tensor) -> Tensor:
        return x


HIDDEN = {"init_hidden": True}


NETWORKS = {
    "Leaky": (lambda: nn.Sequential(snn.Leaky(0.9, **HIDDEN), nn.Linear(4, 3)), values(8, 2, 4)),
    "output": (lambda: nn.Sequential(snn.Leaky(0.9, **HIDDEN, output=True)), values(8, 2, 4)),
    "graded": (
        lambda: nn.Sequential(snn.Leaky(0.9, **HIDDEN, graded_spikes_factor=0.5)),
        values(8, 2, 4),
    ),
    "Synaptic": (lambda: nn.Sequential(snn.Synaptic(0.9, 0.8, **HIDDEN)), values(8, 2, 4)),
    "Alpha": (lambda: nn.Sequential(snn.Alpha(0.9, 0.8, **HIDDEN)), 5 * values(8, 2, 4)),
    "Lapicque": (lambda: nn.Sequential(snn.Lapicque(beta=0.9, **HIDDEN)), 9 * values(8, 2, 4)),
    "RLeaky": (
        lambda: nn.Sequential(snn.RLeaky(0.9, linear_features=4, **HIDDEN)),
        values(8, 2, 4),
    ),
    "RSynaptic": (
        lambda: nn.Sequential(snn.RSynaptic(0.9, 0.8, linear_features=4, **HIDDEN)),
        values(8, 2, 4),
    ),
    "SLSTM": (lambda: nn.Sequential(snn.SLSTM(4, 5, threshold=0.05, **HIDDEN)), values(8, 2, 4)),
    "SConv2dLSTM": (
        lambda: nn.Sequential(snn.SConv2dLSTM(1, 2, 3, threshold=0.05, **HIDDEN)),
        values(8, 2, 1, 4, 4),
    ),
    "DeltaLeaky": (lambda: nn.Sequential(snn.DeltaLeaky(0.3, beta=0.9, **HIDDEN)), values(8, 2, 4)),
    "channels": (
        lambda: nn.Sequential(snn.Leaky(0.9, threshold=torch.rand(3, 1, 1), **HIDDEN)),
        values(8, 2, 3, 2, 2),
    ),
    "LeakyParallel": (
        lambda: nn.Sequential(snn.LeakyParallel(4, 5, beta=0.9)),
        3 * values(8, 2, 4),
    ),
    "StateLeaky": (lambda: nn.Sequential(snn.StateLeaky(0.9, 4)), values(8, 2, 4)),
    "membrane": (lambda: nn.Sequential(snn.StateLeaky(0.9, 4, output=False)), values(8, 2, 4)),
    "LinearLeaky": (
        lambda: nn.Sequential(snn.LinearLeaky(0.9, 4, 3, threshold=0.01)),
        4 * values(8, 2, 4),
    ),
    "AssociativeLeaky": (
        lambda: nn.Sequential(snn.AssociativeLeaky(4, 2, 2, 4, use_q_projection=False)),
        10 * values(8, 2, 4),
    ),
}


def shown_spikes(ax) -> Tensor:
    """Return the places of the spikes of a raster."""
    return torch.from_numpy(np.asarray(ax.collections[0].get_offsets())).long()


def left_axes(fig: Figure) -> list:
    return [ax for ax in fig.axes if ax.get_title("left")]


@pytest.mark.parametrize("name", NETWORKS)
def test_summary_of_any_network(name):
    make, x = NETWORKS[name]
    net = make()
    fig = splt.summary(net, x, sample=1)
    layer = copy.deepcopy(net)[0]
    # the same in plain torch, without the network
    returned = [layer(step) for step in x] if hasattr(layer, "step") else [layer(x)]
    spk = [out[0] if isinstance(out, tuple) else out for out in returned]
    spk = torch.stack(spk) if hasattr(layer, "step") else spk[0]
    if name == "membrane":
        spk = layer.fire(spk)
    spk = spk.detach()[:, 1].flatten(1)
    assert spk.any(), "a test without spikes shows nothing"
    raster = left_axes(fig)[1]
    assert torch.equal(shown_spikes(raster), spk.nonzero())
    title = raster.get_title("left")
    assert title.startswith(f"0: {type(layer).__name__}, {spk.shape[1]} neurons, rate")
    rate = (spk != 0).double().mean().item()
    assert float(title.split()[-1]) == pytest.approx(rate, abs=0.0051)


def test_summary_shows_input_rates_and_membranes():
    net = nn.Sequential(nn.Linear(6, 12), snn.Leaky(0.9, **HIDDEN, threshold=0.2))
    x = spikes(10, 3, 6)
    fig = splt.summary(net, x, sample=2, neurons=4)
    input_, _, membranes = left_axes(fig)
    assert torch.equal(shown_spikes(input_), x[:, 2].nonzero())
    neuron = copy.deepcopy(net)
    mem = torch.stack([(neuron(step), neuron[1].mem)[1] for step in x])[:, 2].detach()
    curves = [line.get_ydata() for line in membranes.lines]
    assert len(curves) == 8  # four traces and their thresholds
    for n in range(4):
        trace, level = curves[2 * n], curves[2 * n + 1]
        assert np.allclose(trace - level[0], mem[:, n] - 0.2, atol=1e-5)
    assert membranes.get_title("left") == "Membrane potential of 1: Leaky (first 4)"
    sides = [ax for ax in fig.axes if not ax.get_title("left")]
    assert len(sides) == 2
    outline = sides[0].collections[0].get_paths()[0].vertices
    assert outline[:, 0].max() == pytest.approx(x[:, 2].mean(0).max().item())


def test_summary_of_values_that_are_no_spikes_is_an_image():
    x = 10 * values(8, 2, 4)
    fig = splt.summary(nn.Sequential(snn.AssociativeLeaky(4, 2, 2, 4)), x)
    input_, layer = left_axes(fig)  # it has no membrane to show
    assert np.array_equal(input_.images[0].get_array(), x[:, 0].T)
    assert len(layer.images) == 1


@pytest.mark.parametrize(
    ("steps", "x", "kwargs"),
    [
        (None, spikes(9, 2, 4), {}),
        (9, spikes(2, 4), {}),
        (9, spikes(9, 2, 2), {"num_steps": 9}),
    ],
    ids=["sequence", "constant", "constant as long as the run"],
)
def test_summary_of_a_network_with_its_own_loop(steps, x, kwargs):
    net = Loops(steps)
    fig = splt.summary(net, x, **kwargs)
    input_, hidden, output, _ = left_axes(fig)
    constant = steps is not None
    seen = x[0].expand(9, *x.shape[1:]) if constant else x[:, 0]
    assert torch.equal(shown_spikes(input_), seen.flatten(1).nonzero())
    assert hidden.get_title("left").startswith("hidden: Leaky")  # in the order they ran
    assert output.get_title("left").startswith("output_layer: Synaptic")
    spk, _ = net(x)
    assert torch.equal(shown_spikes(output), spk[:, 0].flatten(1).nonzero())


@pytest.mark.parametrize("net", ["Leaky", "StateLeaky"])
def test_summary_repeats_a_constant_input(net):
    make, x = NETWORKS[net]
    repeated = splt.summary(make(), x[0], num_steps=7)
    given = splt.summary(make(), x[0].expand(7, *x[0].shape))
    for a, b in zip(left_axes(repeated)[1:2], left_axes(given)[1:2], strict=True):
        assert torch.equal(shown_spikes(a), shown_spikes(b))


def test_summary_can_be_told_that_a_network_loops_itself():
    class Looping(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([super(Looping, self).forward(step) for step in x])

    x = values(8, 2, 4)
    looped = splt.summary(Looping(snn.Leaky(0.9, **HIDDEN)), x, stepwise=False)
    stepped = splt.summary(nn.Sequential(snn.Leaky(0.9, **HIDDEN)), x)
    for a, b in zip(left_axes(looped)[1:2], left_axes(stepped)[1:2], strict=True):
        assert torch.equal(shown_spikes(a), shown_spikes(b))


@pytest.mark.parametrize("function", [splt.summary, splt.firing_rates])
def test_a_picture_leaves_the_network_alone(function):
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), snn.Leaky(0.9, **HIDDEN), nn.Dropout())
    x = values(6, 2, 4)
    net(x[0])
    monitor = OutputMonitor(net, snn.Leaky)
    state = copy.deepcopy(net.state_dict())
    mem = net[2].mem.clone()
    function(net, x)
    assert net.training
    assert torch.equal(net[2].mem, mem)
    assert monitor.records == []
    assert all(torch.equal(value, net.state_dict()[key]) for key, value in state.items())


def test_firing_rates_of_a_network():
    net = nn.Sequential(nn.Linear(4, 6), snn.Leaky(0.9, **HIDDEN, threshold=0.3))
    x = values(20, 3, 4)
    ax = splt.firing_rates(net, x)
    neuron = copy.deepcopy(net)
    rates = torch.stack([neuron(step) for step in x]).detach().mean((0, 1))
    dots = ax.collections[0].get_offsets()
    assert np.allclose(dots[:, 0], rates)
    assert 0 < rates.mean() < 1
    assert np.allclose(ax.collections[1].get_segments()[0][:, 0], rates.mean())
    silent = f"{(rates == 0).float().mean():.0%}".replace("%", " %")
    assert [t.get_text() for t in ax.texts] == [f"mean {rates.mean():.2f}, {silent} silent"]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["1: Leaky\n6 neurons"]


def test_firing_rates_of_recorded_spikes_on_given_axes():
    _, (ax, other) = plt.subplots(1, 2)
    recorded = {"a": spikes(10, 2, 3, 3), "b": torch.zeros(10, 2, 5)}
    assert splt.firing_rates(recorded, ax=ax) is ax
    assert not other.collections
    assert np.allclose(ax.collections[0].get_offsets()[:, 0], recorded["a"].mean((0, 1)).flatten())
    assert ax.texts[1].get_text() == "mean 0.00, 100 % silent"


# --- the tutorials, and celluloid -------------------------------------------------------


def test_calls_of_the_tutorials(ffmpeg):
    num_steps = 4
    spike_data = spikes(num_steps, 4, 1, 28, 28)

    fig, ax = plt.subplots()
    anim = splt.animator(spike_data[:, 0, 0], fig, ax)
    assert "<video" in anim.to_html5_video()

    fig = plt.figure(facecolor="w", figsize=(10, 5))
    ax = fig.add_subplot(111)
    splt.raster(spike_data[:, 0].view(num_steps, -1), ax, s=25, c="black")
    plt.title("Input Layer")
    plt.xlabel("Time step")
    plt.ylabel("Neuron Number")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Time step", "Neuron Number")

    fig = plt.figure(facecolor="w", figsize=(8, 1))
    ax = fig.add_subplot(111)
    one = spike_data[:, 0].reshape(num_steps, -1)[:, 210].unsqueeze(1)
    splt.raster(one, ax, s=100, c="black", marker="|")
    splt.raster(OFF_SPIKES, ax, c="black")
    plt.yticks([])
    plt.xlim(0, len(OFF_SPIKES))
    fig.canvas.draw()
    assert ax.get_xlim() == (0, 11)
    assert len(ax.get_yticks()) == 0

    mem2_rec = values(num_steps, 1, 10).requires_grad_()
    spk2_rec = spikes(num_steps, 1, 10)
    splt.traces(mem2_rec.squeeze(1), spk=spk2_rec.squeeze(1))
    fig = plt.gcf()
    fig.set_size_inches(8, 6)
    fig.canvas.draw()
    assert len(fig.axes) == 9

    fig, ax = plt.subplots(facecolor="w", figsize=(12, 7))
    labels = [str(digit) for digit in range(10)]
    anim = splt.spike_count(
        spk2_rec[:, 0].detach().cpu(), fig, ax, labels=labels, animate=True, interpolate=4
    )
    assert "<video" in anim.to_html5_video()


def test_pictures_can_be_filmed_with_celluloid():
    from celluloid import Camera  # noqa: PLC0415

    fig, ax = plt.subplots()
    camera = Camera(fig)
    for step in range(3):
        splt.raster(spikes(5, 2)[: step + 1], ax)
        assert len(camera.snap()) == 1
    camera.animate()._draw_was_started = True


# --- wrong arguments --------------------------------------------------------------------


def on_axes(function, data, *args, **kwargs):
    """Call a function of (data, fig, ax, ...) with a figure."""
    return function(data, *plt.subplots(), *args, **kwargs)


LEAKY = nn.Sequential(snn.Leaky(0.9, **HIDDEN))
SAMPLE = r"Pick one sample of the batch"
WRONG = {
    "raster kind": (lambda ax: splt.raster([[1]], ax), TypeError, r"raster.*`data`.*Tensor"),
    "raster batch": (lambda ax: splt.raster(torch.ones(2, 3, 4), ax), ValueError, SAMPLE),
    "raster empty": (lambda ax: splt.raster(torch.ones(0, 3), ax), ValueError, "not empty"),
    "animator kind": (lambda ax: on_axes(splt.animator, np.ones(3)), TypeError, "`data`"),
    "animator shape": (
        lambda ax: on_axes(splt.animator, torch.ones(2, 3)),
        ValueError,
        r"`data` of shape \(num_steps, height, width\).*got \(2, 3\)",
    ),
    "animator steps": (
        lambda ax: on_axes(splt.animator, torch.ones(2, 3, 3), 5),
        ValueError,
        "`num_steps` up to 2.*got 5",
    ),
    "animator axes": (
        lambda ax: splt.animator(torch.ones(2, 3, 3), plt.figure(), ax),
        ValueError,
        "`ax` to be on `fig`",
    ),
    "count batch": (
        lambda ax: on_axes(splt.spike_count, torch.ones(2, 3, 4), ["a"]),
        ValueError,
        SAMPLE,
    ),
    "count labels": (
        lambda ax: on_axes(splt.spike_count, torch.ones(2, 3), ["a"]),
        ValueError,
        "`labels` for 3 neurons, but got 1",
    ),
    "count axes": (
        lambda ax: splt.spike_count(torch.ones(2, 1), plt.figure(), ax, ["a"]),
        ValueError,
        "`ax` to be on `fig`",
    ),
    "count steps": (
        lambda ax: on_axes(splt.spike_count, torch.ones(2, 1), ["a"], num_steps=True),
        TypeError,
        "`num_steps` to be an int, but got True",
    ),
    "count interpolate": (
        lambda ax: on_axes(splt.spike_count, torch.ones(2, 1), ["a"], interpolate=0),
        ValueError,
        "`interpolate` >= 1, but got 0",
    ),
    "count time_step": (
        lambda ax: on_axes(splt.spike_count, torch.ones(2, 1), ["a"], time_step=-1),
        ValueError,
        "`time_step` > 0",
    ),
    "count time_step kind": (
        lambda ax: on_axes(splt.spike_count, torch.ones(2, 1), ["a"], time_step="1 ms"),
        TypeError,
        "`time_step` to be a number",
    ),
    "save kind": (lambda ax: splt.save_animation(ax, "a.gif"), TypeError, "expected an animation"),
    "traces kind": (lambda ax: splt.traces([1.0]), TypeError, "`data`"),
    "traces batch": (lambda ax: splt.traces(torch.ones(2, 3, 4)), ValueError, SAMPLE),
    "traces spikes": (
        lambda ax: splt.traces(torch.ones(2, 3), torch.ones(3, 2)),
        ValueError,
        r"`spk` of shape \(2, 3\), but got \(3, 2\)",
    ),
    "traces dim": (lambda ax: splt.traces(torch.ones(2, 3), dim=(0, 3)), ValueError, "`dim`"),
    "traces titles": (
        lambda ax: splt.traces(torch.ones(2, 3), titles=["a"]),
        ValueError,
        "`titles` for 3 panels",
    ),
    "traces threshold": (
        lambda ax: splt.traces(torch.ones(2, 3), threshold=torch.ones(2)),
        ValueError,
        "`threshold`: one number or 3",
    ),
    "weights kind": (lambda ax: splt.weights(nn.Linear(2, 2), ax), TypeError, "`data`"),
    "weights shape": (lambda ax: splt.weights(torch.ones(3), ax), ValueError, "`data` of shape"),
    "weights fold": (
        lambda ax: splt.weights(torch.ones(3, 5), ax, shape=(2, 2)),
        ValueError,
        "`shape`.*to fold",
    ),
    "weights fold twice": (
        lambda ax: splt.weights(torch.ones(3, 2, 2), ax, shape=(2, 2)),
        ValueError,
        "`shape`.*to fold",
    ),
    "weights dim": (
        lambda ax: splt.weights(torch.ones(3, 2, 2), ax, dim=(1, 2)),
        ValueError,
        "`dim` with 3 cells",
    ),
    "surrogates none": (lambda ax: splt.surrogate_gradients([]), ValueError, "at least one"),
    "surrogates kind": (lambda ax: splt.surrogate_gradients([3]), TypeError, "functions, but"),
    "surrogates titles": (
        lambda ax: splt.surrogate_gradients([surrogate.atan()], titles=[]),
        ValueError,
        "1 `titles`",
    ),
    "surrogates limit": (
        lambda ax: splt.surrogate_gradients(limit=0),
        ValueError,
        "`limit` > 0",
    ),
    "rates kind": (lambda ax: splt.firing_rates([1], torch.ones(1)), TypeError, "nn.Module"),
    "rates none": (lambda ax: splt.firing_rates({}), ValueError, "at least one layer"),
    "rates both": (
        lambda ax: splt.firing_rates({"a": torch.ones(2, 2, 2)}, torch.ones(2)),
        TypeError,
        "no `x` with recorded",
    ),
    "rates shape": (
        lambda ax: splt.firing_rates({"a": torch.ones(2, 2)}),
        ValueError,
        r"`a` of shape \(num_steps, batch, ...\)",
    ),
    "rates recorded kind": (lambda ax: splt.firing_rates({"a": [1]}), TypeError, "`a`"),
    "rates x": (lambda ax: splt.firing_rates(LEAKY), TypeError, "`x` to be a torch.Tensor"),
    "summary net": (lambda ax: splt.summary(3, torch.ones(2, 2, 2)), TypeError, "nn.Module"),
    "summary no neurons": (
        lambda ax: splt.summary(nn.Linear(2, 2), torch.ones(2, 2, 2)),
        ValueError,
        "a net with a layer of neurons",
    ),
    "summary no calls": (
        lambda ax: splt.summary(Idle(), torch.ones(2, 2, 2)),
        ValueError,
        "that calls its layers",
    ),
    "summary x kind": (lambda ax: splt.summary(LEAKY, [1]), TypeError, "`x`"),
    "summary x shape": (
        lambda ax: splt.summary(LEAKY, torch.ones(2, 2)),
        ValueError,
        r"(?s)`x` of shape \(num_steps, batch, ...\).*pass num_steps=",
    ),
    "summary constant x": (
        lambda ax: splt.summary(LEAKY, torch.ones(2), num_steps=3),
        ValueError,
        r"`x` of shape \(batch, ...\)",
    ),
    "summary steps": (
        lambda ax: splt.summary(LEAKY, torch.ones(2, 2), num_steps=0),
        ValueError,
        "`num_steps` >= 1, but got 0",
    ),
    "summary sample": (
        lambda ax: splt.summary(LEAKY, torch.ones(2, 2, 2), sample=2),
        ValueError,
        "`sample` from 0 to 1",
    ),
    "summary neurons": (
        lambda ax: splt.summary(LEAKY, torch.ones(2, 2, 2), neurons=0),
        ValueError,
        "`neurons` >= 1, but got 0",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments(name):
    call, error, message = WRONG[name]
    _, ax = plt.subplots()
    with pytest.raises(error, match=message):
        call(ax)
    assert [*ax.collections, *ax.images, *ax.lines] == []


@pytest.mark.parametrize("path", ["a.png", "a", "a.gif.zip"])
def test_wrong_file(anim, path):
    with pytest.raises(ValueError, match=r"`path` to end in one of \('.gif', '.mp4'\)"):
        splt.save_animation(anim, path)


# --- golden images ----------------------------------------------------------------------


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
    file = io.BytesIO()
    fig.savefig(file, dpi=DPI)
    size = [round(REDUCED * inches) for inches in fig.get_size_inches()]
    Image.open(file).convert("RGB").resize(size, Image.Resampling.BOX).save(path, optimize=True)
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
        ("weights", lambda: _small(splt.weights, 0.5 - values(5, 12), shape=(3, 4))),
    ],
)
def test_a_changed_picture_is_noticed(name, mutated, tmp_path):
    drawn = without_text(mutated(), tmp_path / f"{name}.png")
    assert compare_images(str(IMAGES / f"{name}.png"), drawn, TOLERANCE) is not None


# --- readable for everyone --------------------------------------------------------------


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
        fig.savefig(io.BytesIO(), dpi=fig.dpi)
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
