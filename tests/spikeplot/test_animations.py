"""Animations, the spike counter, and what is written to files."""

from __future__ import annotations

import sys

import matplotlib as mpl
import numpy as np
import pytest
import torch
from PIL import Image

import snntorch.spikeplot as splt
from tests.spikeplot.drawing import frame, gif_times, plt, spikes, values


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


@pytest.mark.parametrize(
    "write",
    [
        splt.save_animation,
        lambda anim, path: anim.save(path),
        lambda anim, path: anim.to_html5_video(),
    ],
    ids=["save_animation", "save", "to_html5_video"],
)
def test_video_without_ffmpeg_says_what_to_install(write, anim, tmp_path):
    with (
        mpl.rc_context({"animation.ffmpeg_path": str(tmp_path / "nothing")}),
        pytest.raises(RuntimeError, match=r"expected the program ffmpeg.*\n.*apt install ffmpeg"),
    ):
        write(anim, tmp_path / "spikes.mp4")
    assert list(tmp_path.iterdir()) == []


def test_an_animation_saves_itself_as_well(anim, tmp_path, ffmpeg):
    anim.save(tmp_path / "spikes.gif")
    splt.save_animation(anim, tmp_path / "same.gif")
    assert (tmp_path / "spikes.gif").read_bytes() == (tmp_path / "same.gif").read_bytes()
    anim.save(str(tmp_path / "spikes.mp4"), fps=5, dpi=100)
    assert (tmp_path / "spikes.mp4").stat().st_size == 2 * 100 * 100 * 4
    anim.save(tmp_path / "spikes.html", writer="html")
    with mpl.rc_context({"animation.writer": "html"}):
        anim.save(tmp_path / "again.html")
    assert {p.suffix for p in tmp_path.iterdir() if p.is_file()} >= {".gif", ".mp4", ".html"}


def test_saving_draws_each_frame_once_in_one_layout(tmp_path):
    fig, ax = plt.subplots(figsize=(2, 1), layout="constrained")
    anim = splt.spike_count(spikes(5, 2), fig, ax, ["a", "b"], animate=True)
    engine, places = fig.get_layout_engine(), []
    draw = fig.draw
    fig.draw = lambda renderer: (draw(renderer), places.append(ax.get_position().bounds))
    splt.save_animation(anim, tmp_path / "count.gif")
    assert len(places) == 1 + 5  # to lay out, and the frames
    assert len(set(places)) == 1
    assert fig.bbox.y1 > ax.texts[-1].get_window_extent().y1  # with room for the clock
    assert fig.get_layout_engine() is engine
    fig.canvas.draw_idle()  # as before
    assert len(places) == 7


def test_a_failing_frame_is_reported(tmp_path):
    fig, ax = plt.subplots(figsize=(1, 1))
    anim = splt.animator(spikes(3, 2, 2), fig, ax)
    ax.images[0].set_data = None
    with pytest.raises(TypeError, match="not callable"):
        splt.save_animation(anim, tmp_path / "spikes.gif")


@pytest.mark.parametrize("progress", [True, False])
def test_progress_bar(anim, tmp_path, capsys, monkeypatch, progress):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fig, ax = plt.subplots(figsize=(1, 1))
    anim = splt.animator(spikes(7, 2, 2), fig, ax, progress=progress)
    for _ in range(2):  # each time the frames are drawn
        splt.save_animation(anim, tmp_path / "spikes.gif")
        said = capsys.readouterr().err
        assert ("7/7" in said) is progress
        assert ("animator" in said) is progress


@pytest.mark.parametrize(("patience", "shown"), [(0, True), (3600, False)])
def test_progress_bar_of_itself_where_saving_takes_long(
    monkeypatch, tmp_path, capsys, patience, shown
):
    monkeypatch.setattr("snntorch.spikeplot._saving._PATIENCE", patience)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    anim = splt.animator(spikes(7, 2, 2), *plt.subplots(figsize=(1, 1)))
    splt.save_animation(anim, tmp_path / "spikes.gif")
    assert ("7/7" in capsys.readouterr().err) is shown


def test_progress_bar_is_quiet_where_output_is_no_terminal(tmp_path, capsys):
    anim = splt.animator(spikes(7, 2, 2), *plt.subplots(figsize=(1, 1)), progress=True)
    splt.save_animation(anim, tmp_path / "spikes.gif")
    assert capsys.readouterr().err == ""


def test_progress_bar_without_tqdm_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    fig, ax = plt.subplots(figsize=(1, 1))
    with pytest.raises(ModuleNotFoundError, match="pip install tqdm"):
        splt.spike_count(spikes(3, 1), fig, ax, ["a"], animate=True, progress=True)
    anim = splt.spike_count(spikes(3, 1), fig, ax, ["a"], animate=True)
    assert splt.save_animation(anim, tmp_path / "count.gif").exists()
