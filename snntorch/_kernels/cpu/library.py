"""The compiled library: loaded, checked, and asked what it knows.

It is built with the package, without the headers of Python or torch, and called through ctypes.
Without a compiler it is missing, and `load` says so.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import struct
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import torch

from snntorch import surrogate
from snntorch._kernels.problem import PARAMETERS, RECORDS, STATES

#: Where the library is, if it was built.
FOLDER = str(Path(__file__).parent)

#: What its functions return besides 0.
_FAILURES = {
    1: (MemoryError, "found no memory to work with"),
    2: (ValueError, "was asked for a dtype, model, reset, surrogate or size that it does not know"),
}


class Layout:
    """How a struct of the library is laid out.

    Args:
        fields: Its fields as ``name:code:table``: the letters of `struct` for its parts, and
            the table for each of whose rows there is one, if there are several.
        tables: Names of the rows of each table.

    Attributes:
        struct: Packs all parts.
        size: Number of parts.
        at: Place of each field's first part.
        rows: Place of the first part of each row of a field that has several, by its name.
    """

    def __init__(self, fields: list[str], tables: dict[str, list[str]]) -> None:
        codes = ""
        self.at: dict[str, int] = {}
        self.rows: dict[str, dict[str, int]] = {}
        for field in fields:
            name, code, table = field.split(":")
            self.at[name] = len(codes)
            for row in tables[table] if table else ():
                self.rows.setdefault(name, {})[row] = len(codes)
                codes += code
            codes += "" if table else code
        self.struct, self.size = struct.Struct(codes), len(codes)

    def pack(self, told: dict[str, float | tuple[float, ...]]) -> bytes:
        """Return the bytes of a struct of which only these fields, each in full, are not 0."""
        parts: list[float] = [0] * self.size
        for name, value in told.items():
            at = self.at[name]
            values = value if isinstance(value, tuple) else (value,)
            parts[at : at + len(values)] = values
        return self.struct.pack(*parts)


class Library:
    """The loaded library, and the tables that it tells.

    Args:
        path: Where it lies.

    Raises:
        OSError: If it cannot be loaded.
        AttributeError: If it is another one.
        ValueError: If its tables are not those of this package.
    """

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))
        self._library.snn_tables.restype = ctypes.c_char_p
        self._library.snn_sources.restype = ctypes.c_uint64
        lines = [line.split() for line in self._library.snn_tables().decode().splitlines()]
        tables = {name: words for name, *words in lines}
        models = [f"{model}:{len(states)}" for model, states in STATES.items()]
        for name, ours in (("models", models), ("states", RECORDS), ("parameters", PARAMETERS)):
            if set(tables[name]) != set(ours):
                raise ValueError(f"its {name} are {tables[name]}, not {[*ours]}")
        self.sources: int = self._library.snn_sources()
        self.dtypes = {getattr(torch, name): at for at, name in enumerate(tables["dtypes"])}
        self.models = {name.split(":")[0]: at for at, name in enumerate(tables["models"])}
        self.kinds = {name: at for at, name in enumerate(tables["kinds"])}
        self.surrogates = {
            getattr(surrogate, name): at for at, name in enumerate(tables["surrogates"]) if at
        }
        self.args = Layout(tables["args"], tables)
        self.scan = Layout(tables["scan"], tables)
        self.pack = Layout(tables["pack"], tables)
        self.product = Layout(tables["product"], tables)

    def call(self, name: str, args: bytes) -> None:
        """Call one of its functions.

        Raises:
            MemoryError: If it found none.
            ValueError: If one of the numbers in ``args`` is none that it knows.
        """
        failure = getattr(self._library, name)(args)
        if failure:
            error, what = _FAILURES[failure]
            raise error(f"The compiled kernel of snntorch {what}.")


@functools.cache
def load(folder: str) -> Library | str:
    """Return the library, or why there is none."""
    paths = [Path(folder, f"_kernel{suffix}") for suffix in EXTENSION_SUFFIXES]
    found = next((path for path in paths if path.exists()), None)
    if found is None:
        return "the compiled kernel is missing: snntorch was installed without a C compiler"
    try:
        library = Library(found)
    except (OSError, AttributeError, KeyError, ValueError) as error:
        return f"the compiled kernel cannot be loaded: {error}"
    if hash_of_sources() not in (None, library.sources):
        return "the compiled kernel is that of other sources: run `pip install -e .` again"
    return library


def hash_of_sources() -> int | None:
    """Return what tells these sources from others, as `setup.py`; None where there are none."""
    sources = sorted(p for p in Path(__file__).parent.iterdir() if p.suffix in (".c", ".inc"))
    if not sources:  # a wheel comes without
        return None
    text = b"".join(path.read_bytes() for path in sources)
    return int(hashlib.sha256(text).hexdigest()[:16], 16)


@functools.cache
def threads_of_torch() -> int:
    """Return the address of OpenMP's way to run torch's own threads, 0 if there is none."""
    try:
        return ctypes.cast(ctypes.CDLL(None).GOMP_parallel, ctypes.c_void_p).value or 0
    except (AttributeError, TypeError, OSError):
        return 0
