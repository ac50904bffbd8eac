"""Animations, the spike counter, and writing them to files."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from math import floor
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.animation import (
    AbstractMovieWriter,
    Animation,
    FFMpegWriter,
    FuncAnimation,
    writers,
)
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from PIL import Image
from torch import Tensor

from snntorch._checks import expect, expect_count, expect_number
from snntorch.spikeplot._style import (
    BLUE,
    GREY,
    SHADE,
    VERMILLION,
    count_steps,
    expect_on,
    label,
    to_array,
    whole_numbers,
)


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
        interval: Time between frames in ms.
        cmap: Colour map of matplotlib, by name or itself.
        progress: Show a progress bar (of ``tqdm``) while the animation is saved; left out,
            once that takes more than two seconds and if ``tqdm`` is installed.

    Returns:
        The animation. Keep it, as matplotlib stops an animation nobody refers to.

    Shape:
        - ``data``: (num_steps, height, width).

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
    images = to_array("animator", "data", data, "num_steps", "height", "width")
    steps = count_steps("animator", num_steps, len(images))
    expect_on("animator", fig, ax)
    low, high = min(images.min(), 0), max(images.max(), 0)
    picture = ax.imshow(images[0], cmap=cmap, vmin=low, vmax=high)
    ax.axis("off")

    def draw(step: int) -> list[Artist]:
        picture.set_data(images[step])
        return [picture]

    return _Animation("animator", fig, draw, steps, interval, progress)


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
        interval: Time between frames in ms.
        time_step: Duration of a time step in s, to show time in seconds; ``False`` shows
            the number of steps.
        progress: Show a progress bar (of ``tqdm``) while the animation is saved; left out,
            once that takes more than two seconds and if ``tqdm`` is installed.

    Returns:
        The animation (keep it, as matplotlib stops an animation nobody refers to), or
        ``fig`` if it is not animated.

    Shape:
        - ``data``: (num_steps, neurons).

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
    spikes = to_array(owner, "data", data, "num_steps", "neurons")
    steps = count_steps(owner, num_steps, len(spikes))
    neurons = spikes.shape[1]
    expect_on(owner, fig, ax)
    expect(len(labels) == neurons, owner, f"`labels` for {neurons} neurons", len(labels))
    expect_count(owner, "interpolate", interpolate)
    if time_step is not False:
        expect_number(owner, "time_step", time_step)
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
    return _Animation(
        owner, fig, lambda frame: draw((frame + 1) / interpolate), frames, interval, progress
    )


class _Animation(FuncAnimation):
    """The animation of ``draw(0)``, ..., ``draw(frames - 1)``.

    Its own ways to save it use the writers of :func:`save_animation`.
    """

    def __init__(
        self,
        owner: str,
        fig: Figure,
        draw: Callable[[int], list[Artist]],
        frames: int,
        interval: float,
        progress: bool | None,
    ) -> None:
        self._picture = fig
        self._bar = _progress_bar(owner, frames, progress)
        super().__init__(
            fig,
            draw,
            frames=frames,
            init_func=lambda: draw(0),
            interval=interval,
            cache_frame_data=False,
        )

    def new_saved_frame_seq(self) -> Any:
        """Return the frames to save, with a progress bar around."""
        return self._bar(super().new_saved_frame_seq())

    def save(self, filename: str | Path, writer: Any = None, *args: Any, **kwargs: Any) -> None:
        """Write the animation to a file, as matplotlib does; ``.gif`` needs nothing else."""
        if writer is None and _writes_with_ffmpeg():
            suffix = Path(filename).suffix.lower()
            writer = _WRITERS.get(suffix)
            _expect_ffmpeg("save", needed=suffix == ".mp4")
        with _drawn_once(self._picture):
            super().save(filename, writer, *args, **kwargs)

    def to_html5_video(self, embed_limit: float | None = None) -> str:
        """Return the animation as HTML with a video in it, which takes ffmpeg."""
        _expect_ffmpeg("to_html5_video", needed=_writes_with_ffmpeg())
        return super().to_html5_video(embed_limit)


@contextmanager
def _drawn_once(fig: Figure) -> Generator[None, None, None]:
    """Keep matplotlib from laying out each frame, and from drawing it for the screen, too."""
    engine, canvas = fig.get_layout_engine(), fig.canvas
    if engine is not None:
        fig.draw_without_rendering()
        with mpl.rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False}):
            fig.set_layout_engine(None)
    canvas.draw_idle = lambda *args, **kwargs: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        del canvas.draw_idle
        if engine is not None:
            fig.set_layout_engine(engine)


def _progress_bar(owner: str, frames: int, progress: bool | None) -> Callable[[Any], Any]:
    """Return what wraps frames in a progress bar: ``tqdm``, or nothing."""
    if progress is not False:
        try:
            from tqdm.auto import tqdm  # noqa: PLC0415 (most animations do without)
        except ModuleNotFoundError as error:
            if progress:
                raise ModuleNotFoundError(
                    f"{owner} expected tqdm for `progress=True`, but it is not installed.\n"
                    "Install it with: pip install tqdm",
                    name=error.name,
                ) from error
        else:
            delay = 0 if progress else _PATIENCE
            # quiet where the output is no terminal
            return partial(tqdm, total=frames, desc=owner, unit="frame", delay=delay, disable=None)
    return lambda sequence: sequence


#: Seconds of saving after which a progress bar shows up.
_PATIENCE = 2


def save_animation(
    anim: Animation, path: str | Path, *, fps: int | None = None, dpi: float | None = None
) -> Path:
    """Write an animation to a file: ``.gif``, or ``.mp4`` where ffmpeg is installed.

    A gif plays everywhere and needs nothing else; mp4 is several times smaller. Frames
    wait in memory with one byte per pixel (gif) or not at all (mp4).

    Args:
        anim: What :func:`animator` or :func:`spike_count` returned, or any other
            animation of matplotlib.
        path: File to write.
        fps: Frames per second; left out, the speed of the animation. A gif counts time
            in steps of 10 ms, and players take up to 50 frames per second.
        dpi: Dots per inch; left out, those of the figure.

    Returns:
        The path.

    Raises:
        ValueError: If the file ends in neither ``.gif`` nor ``.mp4``.
        TypeError: If ``anim`` is not an animation.
        RuntimeError: If ffmpeg is needed and not found.

    Examples:
        >>> import matplotlib.pyplot as plt, tempfile, torch
        >>> fig, ax = plt.subplots(figsize=(1, 1))
        >>> anim = animator(torch.eye(3).reshape(3, 1, 3), fig, ax)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_animation(anim, f"{folder}/spikes.gif").name
        'spikes.gif'
        >>> plt.close(fig)
    """
    owner = "save_animation"
    path = Path(path)
    expect(
        isinstance(anim, Animation),
        owner,
        "an animation",
        type(anim).__name__,
        "Pass what animator(...) or spike_count(..., animate=True) returned.",
        TypeError,
    )
    suffix = path.suffix.lower()
    expect(suffix in _WRITERS, owner, f"`path` to end in one of {tuple(_WRITERS)}", str(path))
    _expect_ffmpeg(owner, needed=suffix == ".mp4")
    anim.save(path, writer=_WRITERS[suffix], fps=fps, dpi=dpi)
    return path


def _writes_with_ffmpeg() -> bool:
    """Return whether matplotlib is set to write with ffmpeg, as it is by default."""
    return bool(mpl.rcParams["animation.writer"] == "ffmpeg")


def _expect_ffmpeg(owner: str, needed: bool) -> None:
    expect(
        not needed or FFMpegWriter.isAvailable(),
        owner,
        "the program ffmpeg, which writes videos",
        "no such program",
        "Install it (conda install ffmpeg, apt install ffmpeg, brew install ffmpeg), set "
        'plt.rcParams["animation.ffmpeg_path"] to where it is, or do without: save as .gif, '
        "or show HTML(anim.to_jshtml()).",
        RuntimeError,
    )


_WRITERS = {".gif": "snntorch_gif", ".mp4": "ffmpeg"}


@writers.register("snntorch_gif")
class _GifWriter(AbstractMovieWriter):
    """Pillow's gif with a palette per frame at once: a third of the memory, and faster."""

    @classmethod
    def isAvailable(cls) -> bool:
        return True

    def setup(self, fig: Figure, outfile: Any, dpi: float | None = None) -> None:
        super().setup(fig, outfile, dpi=dpi)
        self._images: list[Image.Image] = []

    def grab_frame(self, **savefig_kwargs: Any) -> None:
        frame = io.BytesIO()
        self.fig.savefig(frame, format="rgba", dpi=self.dpi, **savefig_kwargs)
        image = Image.frombytes("RGBA", self.frame_size, frame.getvalue()).convert("RGB")
        # exact where a frame has few colours, as plots do, and faster than the default
        self._images.append(image.quantize(method=Image.Quantize.MAXCOVERAGE))

    def finish(self) -> None:
        if not self._images:  # drawing the first one failed, and says so
            return
        first, *rest = self._images
        duration = 10 * max(round(100 / self.fps), 1)
        first.save(self.outfile, save_all=True, append_images=rest, duration=duration, loop=0)
