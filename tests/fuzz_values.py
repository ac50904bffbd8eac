"""Arguments that a call may get instead of those that work: any kind of value, and odd tensors."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

#: What stands for an argument that is left out.
MISSING = object()
#: Values of every kind; whatever is large is a number, and nothing that takes memory.
VALUES: dict[str, Callable[[], Any]] = {
    repr(value): (lambda value=value: value)
    for value in (
        *(None, True, False, -1, 0, 1, 2, 3, 7, 2**70, -(2**70)),
        *(0.5, -0.5, 1.5, 1e-300, 1e300, math.nan, math.inf, -math.inf, 1j),
        *("", "text", "mean", "zero", b"bytes", (), (1, 2), (0, -1)),
    )
} | {
    "[]": list,
    "[1.0, 2.0]": lambda: [1.0, 2.0],
    "['a', 'b']": lambda: ["a", "b"],
    "[[1.0], [2.0, 3.0]]": lambda: [[1.0], [2.0, 3.0]],
    "{}": dict,
    "object()": object,
    "a function": lambda: lambda *values: values[0],
    "np.float64(0.5)": lambda: np.float64(0.5),
    "np.int64(2)": lambda: np.int64(2),
    "np.array([0.1, 0.2])": lambda: np.array([0.1, 0.2]),
    "np.array(['a'])": lambda: np.array(["a"]),
    "np.zeros((3, 4))": lambda: np.zeros((3, 4), np.float32),
    "torch.tensor(0.5)": lambda: torch.tensor(0.5),
    "torch.tensor(2)": lambda: torch.tensor(2),
    "torch.tensor(True)": lambda: torch.tensor(True),
    "torch.rand(3)": lambda: torch.rand(3),
    "torch.rand(3, 4)": lambda: torch.rand(3, 4),
    "torch.rand(0)": lambda: torch.rand(0),
    "torch.tensor(nan)": lambda: torch.tensor(math.nan),
    "torch.tensor(1j)": lambda: torch.tensor(1j),
    "torch.empty(3, device='meta')": lambda: torch.empty(3, device="meta"),
    "torch.Generator()": torch.Generator,
    "nn.Linear(2, 2)": lambda: nn.Linear(2, 2),
}
DTYPES = (
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64),
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool),
)


def _strided(x: Tensor) -> Tensor:
    """Return the same numbers, every other place in memory."""
    if not x.dim():
        return torch.stack([x, x])[1]
    wide = torch.full((*x.shape[:-1], 2 * x.shape[-1]), 99).to(x)
    wide[..., ::2] = x
    return wide[..., ::2]


def _reversed_axes(x: Tensor) -> Tensor:
    """Return the same numbers in the opposite order of memory."""
    axes = tuple(range(x.dim()))[::-1]
    return x.permute(axes).contiguous().permute(axes)


def _expanded(x: Tensor) -> Tensor:
    """Return the first row, once in memory, in the place of all."""
    return x[:1].expand_as(x) if x.dim() and len(x) else x


def _of_inference(x: Tensor) -> Tensor:
    with torch.inference_mode():
        return x.clone()


def _with(x: Tensor, value: float) -> Tensor:
    """Return the tensor with one number replaced."""
    dtype = x.dtype if x.is_floating_point() or math.isfinite(value) else torch.float32
    x = x.to(dtype, copy=True)
    x.view(-1)[:1] = min(max(value, 0), 255) if dtype == torch.uint8 else value
    return x


#: How the memory of a tensor may lie, its numbers the same.
LAYOUTS: dict[str, Callable[[Tensor], Any]] = {
    "strided": _strided,
    "axes reversed in memory": _reversed_axes,
    "expanded": _expanded,
}
#: What else may become of a tensor.
TENSORS: dict[str, Callable[[Tensor], Any]] = {
    **{f".to({dtype})": (lambda x, dtype=dtype: x.to(dtype)) for dtype in DTYPES},
    "with a nan": lambda x: _with(x, math.nan),
    "with an inf": lambda x: _with(x, math.inf),
    "with 1e30": lambda x: _with(x.to(torch.get_default_dtype()), 1e30),
    "with -1": lambda x: _with(x, -1),
    "with 100": lambda x: _with(x, 100),
    "all nan": lambda x: torch.full_like(x, math.nan, dtype=torch.float32),
    "all 3e38": lambda x: torch.full_like(x, 3e38, dtype=torch.float32),
    "[0]": lambda x: x[0] if x.dim() and len(x) else x,
    "[:0]": lambda x: x[:0] if x.dim() else x.reshape(1)[:0],
    "[..., :0]": lambda x: x[..., :0] if x.dim() else x,
    "[..., :1]": lambda x: x[..., :1] if x.dim() else x,
    "[:1]": lambda x: x[:1] if x.dim() else x,
    "unsqueeze(0)": lambda x: x.unsqueeze(0),
    "unsqueeze(-1)": lambda x: x.unsqueeze(-1),
    "mT": lambda x: x.mT if x.dim() > 1 else x,
    "flatten()": lambda x: x.flatten(),
    "repeated": lambda x: x.repeat(*[2] * max(x.dim(), 1)),
    "of 500 rows, expanded": lambda x: x[:1].expand(500, *x.shape[1:]) if x.dim() else x,
    "of 500 rows of nothing": lambda x: x.new_zeros(500, 0),
    "of 10**12, on meta": lambda x: x.new_empty(2, 10**12, device="meta"),
    "requires_grad": lambda x: x.detach().float().requires_grad_(),
    "with a graph": lambda x: x.detach().float().requires_grad_() * 1,
    "of inference": _of_inference,
    "on meta": lambda x: x.to("meta"),
    "nn.Parameter": lambda x: nn.Parameter(x.detach().float()),
    "numpy()": lambda x: x.detach().numpy(),
    "tolist()": lambda x: x.tolist(),
    "list of rows": lambda x: list(x) if x.dim() else [x],
}


def other(rng: Random, value: Any) -> tuple[str, Any, bool]:
    """Return another value for an argument, in words and itself, and whether it is the same."""
    if isinstance(value, Tensor) and value.device.type == "cpu":
        chance = rng.random()
        if chance < 0.2:
            name = rng.choice(list(LAYOUTS))
            return name, LAYOUTS[name](value), True
        if chance < 0.8:
            name = rng.choice(list(TENSORS))
            return name, TENSORS[name](value), False
    if isinstance(value, (list, tuple)) and value and rng.random() < 0.5:
        place = rng.randrange(len(value))
        name, inner, same = other(rng, value[place])
        parts = [*value[:place], inner, *value[place + 1 :]]
        return f"at {place}: {name}", type(value)(parts), same
    name = rng.choice(list(VALUES))
    return name, VALUES[name](), False
