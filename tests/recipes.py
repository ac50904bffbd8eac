"""The scripts of ``recipes``, which are no package."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

RECIPES = Path(__file__).parents[1] / "recipes"


@contextmanager
def load_recipes() -> Iterator[dict[str, Any]]:
    """Import the modules as scripts do, by name, and forget them at the end."""
    names = [file.stem for file in sorted(RECIPES.glob("*.py"))]
    before = list(sys.path)
    hidden = {name: sys.modules.pop(name) for name in (*names, "idx") if name in sys.modules}
    sys.path.insert(0, str(RECIPES))
    try:
        yield {name: import_module(name) for name in names}
    finally:
        sys.path[:] = before
        for name in (*names, "idx"):
            sys.modules.pop(name, None)
        sys.modules.update(hidden)
