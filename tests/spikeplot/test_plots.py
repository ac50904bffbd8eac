"""Rasters, traces, weights and surrogates: what is drawn equals the data."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from torch import Tensor

import snntorch.spikeplot as splt
from snntorch import surrogate
from tests.spikeplot.drawing import OFF_SPIKES, plt, spikes, values


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
    dark = np.asarray(fig.canvas.buffer_rgba())[..., 0] < 200
    assert dark.any(1).sum() > 0.7 * dark.shape[0]  # the diagonal crosses the axes
    assert dark.any(0).sum() > 0.7 * dark.shape[1]


def test_raster_of_many_is_the_darker_the_more_fire():
    data = spikes(400, 4_000, rate=0.05)
    data[200:] += spikes(200, 4_000, rate=0.3, key="more")
    fig, ax = plt.subplots(figsize=(4, 3))
    splt.raster(data, ax)
    ax.axis("off")
    fig.canvas.draw()
    grey = np.asarray(fig.canvas.buffer_rgba())[60:-60, ..., 0]
    few, more = grey[:, 90:200].mean(), grey[:, 220:330].mean()
    assert 255 > few > more + 30 > 30
    assert splt.raster(data, ax, alpha=0.7).get_alpha() == 0.7
    assert splt.raster(data, ax, s=4).get_alpha() is None
    assert splt.raster(spikes(400, 4_000, rate=0.001), ax).get_alpha() is None


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
    rows = [ax.get_subplotspec().rowspan.start for ax in axes]
    assert [ax.get_xlabel() != "" for ax in axes] == [row == max(rows) for row in rows]


@pytest.mark.parametrize("neurons", [1, 3, 60])
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
