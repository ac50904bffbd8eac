"""What torch is in: what is noted in one mode runs in the same, whenever that is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import is_grad_enabled, is_inference_mode_enabled

from snntorch._torch import any_autocast, autocasts


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
    # asked at each operation, so nothing is asked twice
    autocast = autocasts() if any_autocast() else ()
    return (is_grad_enabled(), is_inference_mode_enabled(), autocast) == mode


def within(mode: Mode) -> contextlib.AbstractContextManager[Any]:
    """Put torch into a mode."""
    return contextlib.nullcontext() if is_mode(mode) else _into(mode)


@contextlib.contextmanager
def _into(mode: Mode) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.inference_mode(mode.inference))
        stack.enter_context(torch.set_grad_enabled(mode.grad))
        for device, dtype, cached in mode.autocast:
            stack.enter_context(torch.autocast(device, dtype, cache_enabled=cached))
        yield
