"""What became of a call: who raised an error, what was changed, whether two answers are one."""

from __future__ import annotations

import dis
import inspect
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, FunctionType, TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import snntorch
from tests.fuzz_doors import Door

PACKAGE = str(Path(snntorch.__file__).parent) + os.sep
HERE = str(Path(__file__).parent) + os.sep
#: Python's own words where a call does not fit a signature.
SIGNATURE = re.compile(
    r"(\S+)\(\) (missing \d+ required|got an unexpected keyword|got multiple values|"
    r"takes (from )?\d+|takes no)"
)


# --- whose fault ----------------------------------------------------------------------------


def blame(
    error: Exception, door: Door, function: Any, arguments: dict[Any, Any]
) -> tuple[str, str]:
    """Return the verdict of an error, by who raised it."""
    text = f"{type(error).__name__}: {error}"
    frames = [
        tb
        for tb in walk(error.__traceback__)
        if not tb.tb_frame.f_code.co_filename.startswith(HERE)
    ]
    if isinstance(error, MemoryError) or re.search("can't allocate memory|not enough memory", text):
        return "memory", text
    if isinstance(error, (TypeError, AttributeError)) and is_misuse(error, function, arguments):
        return "misused", text
    if frames and is_ours(frames[-1]) and raises(frames[-1]):
        return weigh(error, door, {*map(str, arguments), *signature(function)})
    if any(is_theirs(tb.tb_frame, arguments, function) for tb in walk(error.__traceback__)):
        return "theirs", text
    inner = [tb for tb in frames if is_ours(tb)]
    return "bare", f"{where(inner[-1]) if inner else 'outside'}: {text}"


def weigh(error: Exception, door: Door, names: set[str]) -> tuple[str, str]:
    """Return the verdict of an error that the package raised, by its kind and its words."""
    text = f"{type(error).__name__}: {error}"
    if not isinstance(error, (ValueError, TypeError, ImportError, *door.raises)):
        return "bare", f"raised: {text}"
    worded = re.search(r"expected .*, but ", text, re.DOTALL)
    named = "`" in text or names.intersection(re.findall(r"\w+", text))
    return ("refused" if worded and named else "wordless"), text


def is_ours(tb: TracebackType) -> bool:
    return tb.tb_frame.f_code.co_filename.startswith(PACKAGE)


def signature(function: Any) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(getattr(function, "forward", function)).parameters)
    except ValueError:
        return {}


def walk(tb: TracebackType | None) -> Iterator[TracebackType]:
    while tb is not None:
        yield tb
        tb = tb.tb_next


def raises(tb: TracebackType) -> bool:
    """Return whether the frame raised by a statement of its own, not within an operation."""
    return tb.tb_frame.f_code.co_code[tb.tb_lasti] == dis.opmap["RAISE_VARARGS"]


def where(tb: TracebackType) -> str:
    name = tb.tb_frame.f_code.co_filename.removeprefix(PACKAGE)
    return f"{name}:{tb.tb_frame.f_code.co_name}"


def is_misuse(error: Exception, function: Any, arguments: dict[Any, Any]) -> bool:
    """Return whether a call does not fit the signature of what is called."""
    owner = getattr(function, "of", function)
    if is_apply(owner) and re.match("missing a req|got an unexp|too many pos", str(error)):
        return True
    passes_on = any(one.kind is one.VAR_KEYWORD for one in signature(function).values())
    if passes_on and "unexpected keyword" in str(error):
        return True
    match = SIGNATURE.match(str(error))
    if match is None:
        return False
    handed = [one for one in arguments.values() if isinstance(one, type)]
    classes = [
        cls
        for one in (owner if isinstance(owner, type) else type(owner), *handed)
        for cls in one.__mro__
    ]
    own = {
        f"{cls.__qualname__}.{name}"
        for cls in classes
        for name in ("__init__", "forward", "__call__")
    }
    own |= {getattr(one, "__qualname__", "") for one in (owner, *arguments.values())}
    return match[1] in own


def is_apply(function: Any) -> bool:
    """Return whether it is what calls an autograd function; torch binds its arguments."""
    cls = getattr(function, "__self__", None)
    return isinstance(cls, type) and issubclass(cls, torch.autograd.Function)


def is_theirs(frame: FrameType, arguments: dict[Any, Any], function: Any) -> bool:
    """Return whether what runs is a layer, or a function, that was handed in."""
    handed = [*walked(list(arguments.values()))]
    if isinstance(function, nn.Module) and not type(function).__module__.startswith("snntorch"):
        handed.append(function)
    kinds = {type(one) for one in handed}  # a copy of it may run
    me = frame.f_locals.get("self")
    if isinstance(me, (nn.Module, torch.optim.Optimizer)) and type(me) in kinds:
        return not type(me).__module__.startswith("snntorch")
    codes = [one.__code__ for one in handed if isinstance(one, FunctionType)]
    return frame.f_code in codes


def walked(value: Any) -> Iterator[Any]:
    """Yield a value, and what is in it."""
    yield value
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from walked(one)
    elif isinstance(value, dict):
        yield from walked(list(value.values()))
    elif isinstance(value, nn.Module):
        yield from (part for part in value.modules() if part is not value)


# --- what was given and returned ------------------------------------------------------------


def tensors(value: Any) -> list[Tensor]:
    return [one for one in walked(value) if isinstance(one, Tensor)]


def contiguous(value: Any) -> Any:
    """Return the same numbers in the usual order of memory."""
    if isinstance(value, Tensor):
        return (
            value.detach()
            .clone(memory_format=torch.contiguous_format)
            .requires_grad_(value.requires_grad)
        )
    if isinstance(value, (list, tuple)):
        return type(value)(contiguous(one) for one in value)
    return value


def snapshot(value: Any) -> list[Any]:
    """Return what is in a value, by itself."""
    kept: list[Any] = []
    for one in walked(value):
        if isinstance(one, nn.Module):
            kept += [p.detach().clone() for p in one.parameters(recurse=False)]
        elif isinstance(one, Tensor):
            kept.append(one.detach().clone() if not one.is_meta else tuple(one.shape))
        elif isinstance(one, np.ndarray):
            kept.append(one.copy())
        elif isinstance(one, (int, float, str, bytes, type(None))):
            kept.append(one)
        elif isinstance(one, (list, tuple, dict)):
            kept.append(len(one))
    return kept


def answers(result: Any, door: Door) -> list[Any]:
    """Return what counts of a result: of one drawn at random its shapes, and where it is NaN."""
    kept = snapshot(result)
    if not door.is_random:
        return kept
    return [one.isnan() if isinstance(one, Tensor) else None for one in kept]


def alike(one: list[Any], two: list[Any], exact: bool) -> bool:
    return len(one) == len(two) and all(equal(a, b, exact) for a, b in zip(one, two, strict=True))


def equal(a: Any, b: Any, exact: bool) -> bool:
    """Return whether two values are one, NaN being itself; rounding counts only if ``exact``."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float) or (isinstance(a, np.ndarray) and a.dtype.kind in "biufc"):
        a, b = torch.as_tensor(a), torch.as_tensor(b)
    if not isinstance(a, Tensor):
        return bool(np.array_equal(a, b))
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    coarse = 0 if exact else 1e-2 if a.element_size() < 4 else 1e-4
    return torch.allclose(a, b, coarse, coarse, equal_nan=True)


def short(value: Any) -> str:
    return re.sub(r"\s+", " ", repr(value))[:200]
