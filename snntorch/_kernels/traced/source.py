"""The text that is compiled for a program: its own part, and the frame around it."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

import torch

from snntorch._kernels.traced.graph import Program
from snntorch._kernels.traced.operations import TYPES

#: How the frames tell dtypes apart.
_DTYPES = {
    torch.float32: "FLOAT32",
    torch.float64: "FLOAT64",
    torch.float16: "FLOAT16",
    torch.bfloat16: "BFLOAT16",
}


@functools.cache
def _file(name: str) -> str:
    return (Path(__file__).parent / name).read_text()


def _table(name: str, rows: Iterable[str]) -> str:
    return f"#define {name}(X) {' '.join(f'X({row})' for row in rows)}"


def _macro(name: str, lines: tuple[str, ...]) -> str:
    return " \\\n    ".join([f"#define {name}", *lines])


def source(program: Program, frame: str) -> str:
    """Return the C of a program.

    Args:
        program: What to write.
        frame: File of what is around it.
    """
    parts = [
        f"#define {_DTYPES[program.dtype]}",
        f"typedef {TYPES[program.dtype]} real;",
        _table("STATES", map(str, range(program.states))),
        _table("VALUES", (f"{k}, {int(one.is_single)}" for k, one in enumerate(program.values))),
        _table("LEARNED", (str(k) for k, one in enumerate(program.values) if one.learns)),
        _macro("STEP", program.step),
        _macro("BACK", program.back),
        _file(frame),
    ]
    return "\n".join(parts)
