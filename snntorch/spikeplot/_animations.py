"""Animations over time, and the count of spikes."""

# ruff: noqa: D417  (the arguments that both share are filled in)

from __future__ import annotations

from math import floor
from typing import Any

import numpy as np
from matplotlib.animation import (
    FuncAnimation,
)
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from torch import Tensor

from snntorch._checks import expect, expect_count, expect_finite, expect_truth
from snntorch._docs import shared_arguments
from snntorch.spikeplot._saving import FrameAnimation
from snntorch.spikeplot._style import (
    BLUE,
    GREY,
    SHADE,
    VERMILLION,
    as_colour_map,
    as_list,
    count_steps,
    expect_on,
    label,
    to_array,
    whole_numbers,
)

ARGUMENTS = {
    "interval": "Time between frames in ms.",
    "progress": "Show a progress bar (of ``tqdm``) while the animation is saved; left out, once"
    " that takes more than two seconds and if ``tqdm`` is installed.",
}


@shared_arguments(ARGUMENTS)
def animator(
    data: Tensor,
    fig: Figure,
    ax: Axes,
    num_steps: int | bool = False,
    interval: float = 40,
    cmap: Any = "plasma",
    *,
    progress: bool | None = None,
) -> FuncAnimation:
    """Animate images over time, such as the spikes of one sample.

    All frames share one colour scale, from zero (or the smallest value, if negative) to
    the largest value in ``data``.

    Args:
        data: One image per time step.
        fig: Figure that holds ``ax``.
        ax: Axes to draw on; its frame and ticks are switched off.
        num_steps: Number of time steps to show; ``False`` for all.
        cmap: Colour map of matplotlib, by name or itself.
        {shared}

    Returns:
        The animation. Keep it, as matplotlib stops an animation nobody refers to.

    Shape:
        - ``data``: (time, height, width).

    Raises:
        ValueError: If ``data`` has another shape, there are fewer than ``num_steps``, or
            ``ax`` is not on ``fig``.
        TypeError: If ``data`` is not a tensor, or ``num_steps`` not an int.

    Note:
        snnTorch 1.0.0 switches off the current axes of pyplot, not ``ax``, and scales the
        colours of each frame by itself: a frame of spikes alone looks like one of none.

    Examples:
        >>> import matplotlib.pyplot as plt, torch
        >>> fig, ax = plt.subplots()
        >>> anim = animator(torch.eye(3).reshape(3, 1, 3), fig, ax)
        >>> len(anim.to_jshtml()) > 0
        True
        >>> plt.close(fig)
    """
    images = to_array("animator", "data", data, "time", "height", "width")
    steps = count_steps("animator", num_steps, len(images))
    expect_on("animator", fig, ax)
    expect_finite("animator", interval=interval)
    cmap = as_colour_map("animator", cmap)
    low, high = min(images.min(), 0), max(images.max(), 0)
    picture = ax.imshow(images[0], cmap=cmap, vmin=low, vmax=high)
    ax.axis("off")

    def draw(step: int) -> list[Artist]:
        picture.set_data(images[step])
        return [picture]

    return FrameAnimation("animator", fig, draw, steps, interval, progress)


@shared_arguments(ARGUMENTS)
def spike_count(
    data: Tensor,
    fig: Figure,
    ax: Axes,
    labels: list[str],
    num_steps: int | bool = False,
    animate: bool = False,
    interpolate: int = 1,
    gridshader: bool = True,
    interval: float = 25,
    time_step: float | bool = False,
    *,
    progress: bool | None = None,
) -> FuncAnimation | Figure:
    """Count the spikes of output neurons, as bars that can grow over time.

    Whoever leads, the class a rate code predicts, stands out in colour. In an animation a
    line along the top shows how far time has run.

    Args:
        data: Spikes of one sample; anything but 0 counts as one spike.
        fig: Figure that holds ``ax``.
        ax: Axes to draw on.
        labels: Name of each neuron.
        num_steps: Number of time steps to count; ``False`` for all.
        animate: ``True`` for an animation, ``False`` for the final count.
        interpolate: Frames per time step: more let time run more smoothly.
        gridshader: Shade every other row.
        time_step: Duration of a time step in s, to show time in seconds; ``False`` shows
            the number of steps.
        {shared}

    Returns:
        The animation (keep it, as matplotlib stops an animation nobody refers to), or
        ``fig`` if it is not animated.

    Shape:
        - ``data``: (time, neurons).

    Raises:
        ValueError: If ``data`` has another shape or fewer than ``num_steps``, ``labels`` do
            not match it, ``interpolate`` or ``time_step`` is not positive, or ``ax`` is not
            on ``fig``.
        TypeError: If ``data`` is not a tensor, or a number is of the wrong kind.

    Note:
        snnTorch 1.0.0 draws on the current axes of pyplot and changes its global settings.

    Examples:
        >>> import matplotlib.pyplot as plt, torch
        >>> fig, ax = plt.subplots()
        >>> _ = spike_count(torch.tensor([[1, 0], [1, 1]]), fig, ax, ["cat", "dog"])
        >>> [int(bar.get_width()) for bar in ax.patches]
        [2, 1]
        >>> plt.close(fig)
    """
    owner = "spike_count"
    spikes = to_array(owner, "data", data, "time", "neurons")
    steps = count_steps(owner, num_steps, len(spikes))
    neurons = spikes.shape[1]
    expect_on(owner, fig, ax)
    labels = as_list(owner, "labels", labels)
    expect(len(labels) == neurons, owner, f"`labels` for {neurons} neurons", len(labels))
    expect_count(owner, "interpolate", interpolate)
    expect_truth(owner, animate=animate, gridshader=gridshader)
    expect_finite(owner, interval=interval)
    if time_step is not False:
        expect_finite(owner, time_step=time_step)
        expect(time_step > 0, owner, "`time_step` > 0, in s", time_step)

    fired = spikes[:steps] != 0
    counts = np.concatenate([np.zeros((1, neurons)), fired.cumsum(0)])
    top = max(counts.max(), 1)
    rows = np.arange(neurons)
    if gridshader:
        bands = [[(0, y - 0.5), (0, y + 0.5), (1, y + 0.5), (1, y - 0.5)] for y in rows[::2]]
        # from edge to edge, whatever the limits: x in axes, y in data coordinates
        shade = PolyCollection(
            bands, facecolors=[SHADE], transform=ax.get_yaxis_transform(), zorder=0
        )
        ax.add_collection(shade, autolim=False)
    bars = ax.barh(rows, np.zeros(neurons), height=0.7, linewidth=0)
    numbers = [ax.text(0, y, "", va="center", clip_on=True) for y in rows]
    clock = ax.text(1, 1.01, "", ha="right", va="bottom", transform=ax.transAxes)
    (line,) = ax.plot([], [], color=GREY, linewidth=3, transform=ax.transAxes, clip_on=False)
    ax.set_yticks(rows, labels)
    ax.set(xlim=(0, 1.08 * top), ylim=(neurons - 0.5, -0.5))
    ax.tick_params(color=GREY)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(GREY)
    whole_numbers(ax.xaxis)
    label(ax, "Number of spikes", "")

    def time(elapsed: float) -> str:
        passed = floor(elapsed)
        return str(passed) if time_step is False else EngFormatter("s")(passed * time_step)

    def draw(elapsed: float) -> list[Artist]:
        before = floor(elapsed)
        after = min(before + 1, steps)
        now = counts[before] + (elapsed - before) * (counts[after] - counts[before])
        for bar, number, count in zip(bars, numbers, now, strict=True):
            bar.set_width(count)
            bar.set_color(VERMILLION if count == now.max() > 0 else BLUE)
            number.set(x=count + 0.01 * top, text=f"{floor(count)}")
        line.set_data([0, elapsed / steps if animate else 0], [1, 1])
        whole = f"{steps} steps" if time_step is False else time(steps)
        clock.set_text(f"{time(elapsed)} of {whole}" if animate else whole)
        return [*bars, *numbers, clock, line]

    if not animate:
        draw(steps)
        return fig
    draw(0)  # there is room for the clock from the start
    frames = steps * interpolate
    return FrameAnimation(
        owner, fig, lambda frame: draw((frame + 1) / interpolate), frames, interval, progress
    )
