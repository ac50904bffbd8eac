"""The text that is compiled for a program: its own part, and the frame around it."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

from snntorch._kernels.traced.graph import Program
from snntorch._kernels.traced.operations import TYPES


@functools.cache
def _frame() -> str:
    return (Path(__file__).parent / "frame.c").read_text()


def _table(name: str, rows: Iterable[str]) -> str:
    return f"#define {name}(X) {' '.join(f'X({row})' for row in rows)}"


def _macro(name: str, lines: tuple[str, ...]) -> str:
    return " \\\n    ".join([f"#define {name}", *lines])


def source(program: Program) -> str:
    """Return the C of a program."""
    parts = [
        *(f"#include <{name}.h>" for name in ("stdint", "stdlib", "string", "tgmath")),
        f"typedef {TYPES[program.dtype]} real;",
        _table("STATES", map(str, range(program.states))),
        _table("VALUES", (f"{k}, {int(one.is_single)}" for k, one in enumerate(program.values))),
        _table("LEARNED", (str(k) for k, one in enumerate(program.values) if one.learns)),
        _macro("STEP", program.step),
        _macro("BACK", program.back),
        _frame(),
    ]
    return "\n".join(parts)
