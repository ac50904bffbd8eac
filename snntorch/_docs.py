"""What functions and classes tell about themselves: texts they share, and where they belong."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

_T = TypeVar("_T", bound=Callable[..., Any])


def shared_arguments(texts: Mapping[str, str]) -> Callable[[_T], _T]:
    """Return a decorator that fills ``{shared}`` in a docstring with the texts of its arguments.

    Those that the docstring describes itself, and those that are not taken, are left out;
    the order is that of the signature.
    """
    wrapper = textwrap.TextWrapper(92, 4 * " ", 8 * " ", break_on_hyphens=False)

    def document(documented: _T) -> _T:
        text = documented.__doc__
        if text:  # python -OO leaves none
            names = inspect.signature(documented).parameters
            lines = [
                wrapper.fill(f"{name}: {texts[name]}")
                for name in names
                if name in texts and f"    {name}: " not in text
            ]
            documented.__doc__ = inspect.cleandoc(text).replace("    {shared}", "\n".join(lines))
        return documented

    return document


def publish(namespace: dict[str, Any]) -> None:
    """Let the public names of a module say that they belong to it, wherever they are written.

    It is where they are looked for when what is pickled is read, by other versions, too.
    """
    for name in namespace["__all__"]:
        namespace[name].__module__ = namespace["__name__"]
