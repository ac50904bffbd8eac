"""Settings of matplotlib around each test, and animations to save."""

from __future__ import annotations

import matplotlib as mpl
import pytest
import torch

import snntorch.spikeplot as splt
from tests.spikeplot.drawing import plt


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
