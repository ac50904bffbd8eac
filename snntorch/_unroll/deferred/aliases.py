"""Placeholders that share memory, as views do."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from snntorch._torch import tree_map
from snntorch._unroll.deferred.placeholder import (
    FOREIGN,
    Deferred,
    View,
    known,
    living,
    value_of,
)


def share(made: Deferred, view: View) -> None:
    """Let a placeholder share memory with another one."""
    made.origin = view
    if type(view.base) is Deferred:
        if view.base.views is None:
            view.base.views = []
        view.base.views.append(weakref.ref(made))


def is_alone(target: Any) -> bool:
    """Return whether a tensor's memory is its own, and nothing forbids to write to it."""
    if type(target) is Deferred:
        foreign = target.slot.source.out == FOREIGN
        return not (foreign or target.origin or living(target.views))
    return type(target) is Tensor and target._base is None and not target.requires_grad  # noqa: SLF001


def own_memory(target: Deferred) -> None:
    """Give a placeholder and its views the memory that they share in the program."""
    root = target
    while root.origin is not None and type(root.origin.base) is Deferred:
        root = root.origin.base
    if root.origin is not None:  # a row of a tensor that is there
        with with_graph(root):
            root.slot = known(root.origin.again(root.origin.args, {}))
    elif root.slot.source.out != FOREIGN:
        with with_graph(root):
            root.slot = known(value_of(root).clone())
    waiting = [root]
    while waiting:
        for view in living(waiting.pop().views):
            assert view.origin is not None
            with with_graph(view):
                given = tree_map(value_of, (view.origin.args, view.origin.kwargs))
                view.slot = known(view.origin.again(*given))
            waiting.append(view)


@contextmanager
def with_graph(one: Deferred) -> Iterator[None]:
    """Give a placeholder the graph that it has, in whatever mode the program writes to it."""
    if not one.requires_grad:
        yield
        return
    with torch.inference_mode(False), torch.enable_grad():
        yield
