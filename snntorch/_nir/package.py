"""The package ``nir``, imported when it is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from snntorch._checks import expect
from snntorch._nir.files import expect_plain

#: Length of a time step in seconds where nothing says another: that of snnTorch 1.0.0.
DEFAULT_DT = 1e-4


def load(owner: str) -> Any:
    """Return the package ``nir``.

    Args:
        owner: Who needs it.

    Raises:
        ImportError: If it is not installed, naming the extra that brings it.
    """
    try:
        return import_module("nir")
    except ImportError as error:
        raise ImportError(
            f"{owner} expected the package `nir`, but could not import it: {error}.\n"
            "Install it with: pip install 'snntorch[nir]'"
        ) from error


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # h5py's, nir's own, and asserts without a message
        what = f"{type(error).__name__}: {error}"
        raise ValueError(
            f"import_from_nir expected a file of a NIR graph, but {path} is none: {what}.\n"
            "Write it with nir.write(path, graph)."
        ) from error


def read(graph: Any, owner: str) -> Any:
    """Return a graph; what is no graph yet is read from the file that it names.

    Nothing but the file is opened. Its shapes are not checked here, as ``nir.read`` takes those of
    some convolutions for wrong; whoever uses the graph checks them.

    Raises:
        TypeError: If ``graph`` is neither.
        ValueError: If the file holds none.
    """
    nir = load(owner)
    if isinstance(graph, (str, Path)):
        if not Path(graph).exists():
            raise FileNotFoundError(
                f"{owner} expected `graph` to be the name of a file, but there is no {graph}."
            )
        with _told_of(Path(graph)):
            expect_plain(Path(graph))
            graph = nir.read(graph, type_check=False)
    expect(
        isinstance(graph, nir.NIRGraph),
        owner,
        "`graph` to be a nir.NIRGraph, or the name of its file",
        type(graph).__name__,
        "Pass what export_to_nir or nir.read returned.",
        TypeError,
    )
    return graph
