"""What replaces this part of the package: imported when it is used, named when it should be."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any


def load(owner: str, package: str = "tonic") -> Any:
    """Return ``tonic``, or a package that comes with it.

    Args:
        owner: Who needs it.
        package: Its name.

    Raises:
        ImportError: If it is not installed, naming the extra that brings it.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise ImportError(
            f"{owner} expected the package `{package}`, but could not import it: {error}.\n"
            "Install it with: pip install 'snntorch[data]'"
        ) from error


def deprecate(name: str, replacement: str, stacklevel: int = 3) -> None:
    """Warn that a name of ``snntorch.spikevision`` is replaced by one of tonic.

    Args:
        name: The name without ``snntorch.spikevision.``.
        replacement: What to use instead, with ``tonic.``.
        stacklevel: As of ``warnings.warn``, called from where this is called.
    """
    warnings.warn(
        f"snntorch.spikevision.{name} is deprecated. Use {replacement} instead, by "
        "pip install 'snntorch[data]'.",
        DeprecationWarning,
        stacklevel=stacklevel,
    )
