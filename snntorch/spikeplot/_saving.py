"""Animations that show how far saving them is, and writing them to files."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.animation import (
    AbstractMovieWriter,
    Animation,
    FFMpegWriter,
    FuncAnimation,
    writers,
)
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from PIL import Image

from snntorch._checks import expect, expect_finite, expect_truth
from snntorch._files import replacing

#: Seconds of saving after which a progress bar shows up.
_PATIENCE = 2
_WRITERS = {".gif": "snntorch_gif", ".mp4": "ffmpeg"}


class FrameAnimation(FuncAnimation):
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
        whole = replacing(filename) if writer in _WRITERS.values() else nullcontext(filename)
        with _drawn_once(self._picture), whole as file:
            super().save(file, writer, *args, **kwargs)

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
    expect_truth(owner, progress=progress)
    if progress is not False:
        try:
            with warnings.catch_warnings():
                # a notebook without ipywidgets gets the bar of a terminal, which is good enough
                warnings.filterwarnings("ignore", "IProgress not found")
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


def save_animation(
    anim: Animation, path: str | Path, *, fps: int | None = None, dpi: float | None = None
) -> Path:
    """Write an animation to a file: ``.gif``, or ``.mp4`` where ffmpeg is installed.

    A file of that name is replaced once all is written, and stays if that fails.

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
        >>> from snntorch.spikeplot import animator
        >>> fig, ax = plt.subplots(figsize=(1, 1))
        >>> anim = animator(torch.eye(3).reshape(3, 1, 3), fig, ax)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_animation(anim, f"{folder}/spikes.gif").name
        'spikes.gif'
        >>> plt.close(fig)
    """
    owner = "save_animation"
    expect(isinstance(path, (str, Path)), owner, "`path` to be a path", repr(path), error=TypeError)
    path = Path(path)
    for name, value, least in (("fps", fps, 0.01), ("dpi", dpi, 1)):
        if value is not None:
            expect_finite(owner, **{name: value})
            expect(least <= value <= 5_000, owner, f"`{name}` from {least} to 5000", value)
    expect(
        isinstance(anim, Animation),
        owner,
        "`anim` to be an animation",
        type(anim).__name__,
        "Pass what animator(...) or spike_count(..., animate=True) returned.",
        TypeError,
    )
    suffix = path.suffix.lower()
    expect(suffix in _WRITERS, owner, f"`path` to end in one of {tuple(_WRITERS)}", str(path))
    _expect_ffmpeg(owner, needed=suffix == ".mp4")
    with replacing(path) as file:
        anim.save(file, writer=_WRITERS[suffix], fps=fps, dpi=dpi)
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
