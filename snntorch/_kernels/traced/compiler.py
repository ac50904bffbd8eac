"""Compiles generated C with the compiler that is there, and keeps what it made.

What was compiled lies in a folder of the user's own, which nobody else can write to, by the hash
of its source, its compiler and this processor. Nothing from elsewhere is loaded.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import stat
import subprocess  # nosec B404
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path

#: A sum of products fused would not be what it is in torch; nothing that changes a number.
FLAGS = (
    *("-O3", "-std=gnu11", "-shared", "-fPIC", "-fvisibility=hidden"),
    *("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-w", "-x", "c", "-"),
)
#: A function of a library: takes the address of a `Work`, returns whether it was done.
Entry = Callable[[bytes], int]


class NotCompiledError(Exception):
    """There is no library; says why."""


def compiled(source: str) -> Entry:
    """Return what C does, compiled the first time and loaded from then on.

    Raises:
        NotCompiledError: If it cannot be.
    """
    command = (*compiler(), *_of_this_processor(), *FLAGS)
    key = "\0".join([source, *command, _version(command[0]), _processor()])
    path = folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:40]}.so"
    if not path.exists():
        _compile(command, source, path)
    _expect_ours(path)
    try:
        entry = ctypes.CDLL(str(path)).run_all
    except (OSError, AttributeError) as error:
        raise NotCompiledError(f"what was compiled cannot be loaded: {error}") from None
    return entry


def _compile(command: tuple[str, ...], source: str, path: Path) -> None:
    number, made = tempfile.mkstemp(".so", dir=path.parent)
    os.close(number)
    try:
        # the user's own compiler, by a list of words, given text that this package wrote
        whole, given = [*command, "-o", made, "-lm"], source.encode()
        subprocess.run(whole, input=given, capture_output=True, check=True)  # nosec B603
        Path(made).chmod(0o700)
        os.replace(made, path)  # whole, whoever else compiles it now
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
        raise NotCompiledError(f"{command[0]} failed: {said[0]}") from None
    except OSError as error:
        raise NotCompiledError(f"{command[0]} failed: {error}") from None
    finally:
        Path(made).unlink(missing_ok=True)


def compiler() -> tuple[str, ...]:
    """Return the command of a C compiler: that of ``CC``, of Python's own build, or any.

    Raises:
        NotCompiledError: If there is none.
    """
    if os.name != "posix":
        raise NotCompiledError(f"C is compiled on POSIX only, not on {platform.system()}")
    own = os.environ.get("CC")
    named = [own] if own else [sysconfig.get_config_var("CC"), "cc", "gcc", "clang"]
    for name in named:
        words = shlex.split(name or "")
        if words and shutil.which(words[0]):
            return tuple(words)
    raise NotCompiledError(f"no C compiler is there (looked for {', '.join(map(str, named))})")


@functools.cache
def _version(command: str) -> str:
    asked = [command, "--version"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)  # nosec B603
    return told.stdout


@functools.cache
def _processor() -> str:
    """Return what tells this processor from those that lack some of its instructions."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    able = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return f"{platform.machine()} {platform.processor()} {able}"


def _of_this_processor() -> tuple[str, ...]:
    return ("-march=native",) if platform.machine() in ("x86_64", "AMD64") else ()


def folder() -> Path:
    """Return the folder of the user's own where libraries are kept.

    It is ``snntorch`` in ``$XDG_CACHE_HOME``, or in ``~/.cache``; where nothing can be kept, one
    that ends with this process.

    Raises:
        NotCompiledError: If others can write to it.
    """
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(home, "snntorch")
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return Path(_of_this_process().name)
    if not os.access(path, os.W_OK):
        return Path(_of_this_process().name)
    _expect_ours(path)
    return path


@functools.cache
def _of_this_process() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="snntorch-")


def _expect_ours(path: Path) -> None:
    """Raise unless a file or folder is this user's, and nobody else can write to it."""
    found = path.stat()
    if found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise NotCompiledError(f"others can write to {path}: `chmod go-w` it, or remove it")
