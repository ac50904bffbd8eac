"""Writing files so that what was there stays until all of the new is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["replacing"]


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give the name of a file to write beside another one, which it replaces at the end.

    A full disk, an error or a killed process leave the old file as it was, and whoever reads it
    meanwhile finds it whole: names are changed at once, while contents are written bit by bit.

    Args:
        path: The file to write.

    Yields:
        A file in the same folder that ends in the same suffix. It is gone after an error.

    Raises:
        OSError: If the file cannot be replaced.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "results.txt")
        ...     for text in ("old", "new"):
        ...         with replacing(path) as file:
        ...             _ = file.write_text(text)
        ...     path.read_text(), [one.name for one in Path(folder).iterdir()]
        ('new', ['results.txt'])
    """
    target = Path(os.path.realpath(path))  # a link stays one
    if target.exists() and not target.is_file():  # a device or a pipe has no contents to keep
        yield target
        return
    file = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        yield file
        file.replace(target)
    finally:
        file.unlink(missing_ok=True)
