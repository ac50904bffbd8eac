"""What torch is in: what is noted in one mode runs in the same, whenever that is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

import torch

from snntorch._torch import autocasts


class Mode(NamedTuple):
    """What torch is in while an operation is noted: it is run in the same."""

    grad: bool
    inference: bool
    autocast: tuple[tuple[str, torch.dtype, bool], ...]


def mode_now() -> Mode:
    """Return the mode."""
    return Mode(torch.is_grad_enabled(), torch.is_inference_mode_enabled(), autocasts())


def is_mode(mode: Mode) -> bool:
    """Return whether torch is in a mode."""
    grad, inference, autocast = mode
    if torch.is_grad_enabled() is not grad or torch.is_inference_mode_enabled() is not inference:
        return False
    return autocasts() == autocast


@contextlib.contextmanager
def within(mode: Mode) -> Iterator[None]:
    """Put torch into a mode."""
    if is_mode(mode):
        yield
        return
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.inference_mode(mode.inference))
        stack.enter_context(torch.set_grad_enabled(mode.grad))
        for device, dtype, cached in mode.autocast:
            stack.enter_context(torch.autocast(device, dtype, cache_enabled=cached))
        yield
