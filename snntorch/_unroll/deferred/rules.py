"""How calls of one function become one call: the same numbers, all steps at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from snntorch._torch import is_autograd_function
from snntorch._unroll import products
from snntorch._unroll.deferred.columns import OPERAND, Operation
from snntorch._unroll.deferred.functions import DROPOUTS
from snntorch._unroll.layout import channels_are_last, channels_last, comes_back_turned

#: What comes out differently each time.
RANDOM = frozenset(DROPOUTS)
#: What treats every entry alone, whatever the shapes, which are broadcast.
POINTWISE = frozenset(
    getattr(owner, name)
    for owner in (torch, Tensor, F)
    for name in """
    add sub mul div true_divide pow maximum minimum neg abs exp expm1 log log1p log2 log10
    sqrt rsqrt square sigmoid tanh relu clamp clip sign floor ceil round trunc sin cos where
    eq ne lt le gt ge logical_and logical_or logical_not reciprocal erf float double half
    bfloat16 int long bool detach clone relu6 elu selu celu gelu silu mish softplus softsign
    leaky_relu hardtanh hardsigmoid hardswish threshold logsigmoid lerp addcmul addcdiv
    isnan isinf isfinite __add__ __radd__ __sub__ __rsub__ __mul__ __rmul__ __truediv__
    __rtruediv__ __div__ __rdiv__ __pow__ __rpow__ __neg__ __abs__ __eq__ __ne__ __lt__
    __le__ __gt__ __ge__ __and__ __or__ __xor__ __invert__ __pos__
    """.split()  # noqa: SIM905
    if hasattr(owner, name)
)
#: What treats every sample of a batch alone, with the dimensions a batch of theirs has.
BATCHED = {
    func: dims
    for names, dims in (
        (
            "conv1d conv_transpose1d max_pool1d avg_pool1d adaptive_avg_pool1d adaptive_max_pool1d",
            3,
        ),
        (
            "conv2d conv_transpose2d max_pool2d avg_pool2d adaptive_avg_pool2d adaptive_max_pool2d",
            4,
        ),
        (
            "conv3d conv_transpose3d max_pool3d avg_pool3d adaptive_avg_pool3d adaptive_max_pool3d",
            5,
        ),
    )
    for owner in (F, torch)
    for func in (getattr(owner, name, None) for name in names.split())
    if func is not None
}
#: What takes images in any order in memory, and keeps it.
ANY_ORDER = POINTWISE | {
    *(F.conv2d, F.batch_norm, F.max_pool2d, torch.max_pool2d),
    *(F.avg_pool2d, F.adaptive_avg_pool2d, F.adaptive_max_pool2d),
}
Gathered = list[tuple[Tensor, bool]]


def call(column: Operation, operands: list[Tensor], func: Any = None) -> Any:
    """Call a column's function once, or another one with the same arguments."""
    rest = iter(operands)
    args = _made(column.spec[0], rest)
    kwargs = dict(_made(column.spec[1], rest))
    return (func or column.func)(*args, **kwargs)


def _made(spec: Any, operands: Any) -> Any:
    """Return arguments of a form with these operands."""
    if spec is OPERAND:
        return next(operands)
    kind, *parts = spec
    if kind in (tuple, list, torch.Size):
        return kind([_made(part, operands) for part in parts])
    if kind is slice:
        return slice(*[_made(part, operands) for part in parts])
    return parts[0]


def once(column: Operation, gathered: Gathered, count: int) -> Any:
    """Return what each of so many calls gives, all of which take the same."""
    if column.func is F.batch_norm:  # running statistics tell how many there were
        return _batch_norm(column, gathered, count)[0]
    first, *rest = [one for one, _ in gathered]
    if column.func is F.conv2d:
        first = channels_last(first, count)
    return call(column, [first, *rest])


def stacks_rows(column: Operation) -> bool:
    """Return whether a column's calls stack tensors along a new first dimension."""
    (_, rows, *dim), (_, *named) = column.spec
    if column.func is not torch.stack or named or dim not in ([], [(int, 0)]):
        return False
    return rows is not OPERAND and all(one is OPERAND for one in rows[1:])


def run(column: Operation, gathered: Gathered, count: int) -> Any:
    """Return what all calls give, as rows; None if each has to be one of its own."""
    func = column.func
    rule: Callable[..., Any] | None = _RULES.get(func)
    if rule is None:
        if func in POINTWISE:
            rule = _pointwise
        elif func in BATCHED:
            rule = _batched
        elif is_autograd_function(func):
            rule = _as_it_is  # a surrogate
    found = rule(column, gathered, count) if rule is not None else None
    return _by_vmap(column, gathered, count) if found is None else found


def _as_it_is(column: Operation, gathered: Gathered, count: int) -> Any:
    return call(column, [one for one, _ in gathered])


def _pointwise(column: Operation, gathered: Gathered, count: int) -> Any:
    """Line up the dimensions behind time, as broadcasting counts them from the last."""
    if any(name == "memory_format" for _, (_, name), _ in column.spec[1][1:]):
        return None  # it tells an order of the dimensions of one step
    dims = max(one.dim() - (not shared) for one, shared in gathered)
    lined = []
    for one, shared in gathered:
        missing = 0 if shared else dims - (one.dim() - 1)
        lined.append(one.reshape(len(one), *[1] * missing, *one.shape[1:]) if missing else one)
    dtypes = {one.dtype for one in lined}
    if len(dtypes) > 1 or any(one.dim() == (not shared) for one, shared in gathered):
        return None  # torch promotes tensors without dimensions otherwise
    return call(column, lined)


def _linear(column: Operation, gathered: Gathered, count: int) -> Any:
    (x, shared), *rest = gathered
    if shared or not all(one for _, one in rest) or x.dim() < 2:
        return None
    operands = [x, *(one for one, _ in rest)]
    found = call(column, operands, products.linear)
    return call(column, operands) if found is None else found


def _batched(column: Operation, gathered: Gathered, count: int) -> Any:
    (x, shared), *rest = gathered
    if shared or not all(one for _, one in rest) or x.dim() - 1 != BATCHED[column.func]:
        return None
    images = x.flatten(0, 1)
    images = channels_last(images) if column.func is F.conv2d else images
    out = call(column, [images, *(one for one, _ in rest)])
    if isinstance(out, tuple):
        return tuple(one.reshape(*x.shape[:2], *one.shape[1:]) for one in out)
    return out.reshape(*x.shape[:2], *out.shape[1:])


def _embedding(column: Operation, gathered: Gathered, count: int) -> Any:
    (x, shared), *rest = gathered
    if shared or not all(one for _, one in rest):
        return None
    return call(column, [x, *(one for one, _ in rest)])


def _dropout(column: Operation, gathered: Gathered, count: int) -> Any:
    """Draw masks step by step: each step's own."""
    x, shared = gathered[0]
    rows = [x] * count if shared else x.unbind(0)
    return torch.stack([call(column, [row]) for row in rows])


def _batch_norm(column: Operation, gathered: Gathered, count: int) -> Any:
    """Give each step statistics of its own: channels of all steps side by side.

    If all take the same, one step stands for them.
    """
    names = (
        "input",
        "running_mean",
        "running_var",
        "weight",
        "bias",
        "training",
        "momentum",
        "eps",
    )
    given = iter(one for one, _ in gathered)
    args = dict(zip(names, _made(column.spec[0], given), strict=False))
    args |= dict(_made(column.spec[1], given))
    x, shared = args.pop("input"), gathered[0][1]
    if not all(one for _, one in gathered[1:]):
        return None
    x = x.unsqueeze(0) if shared else x
    if not args.get("training", False):
        flat = F.batch_norm(x.flatten(0, 1), **args)
        return flat.reshape(*x.shape[:2], *flat.shape[1:])
    mean, var = args.pop("running_mean", None), args.pop("running_var", None)
    weight, bias = args.pop("weight", None), args.pop("bias", None)
    args.pop("training")
    momentum, eps = args.pop("momentum", 0.1), args.pop("eps", 1e-5)
    steps, channels, last = len(x), x.shape[2], channels_are_last(x)
    there = (1, 3, 4, 0, 2) if last else (1, 0, *range(2, x.dim()))
    back = (3, 0, 1, 2, 4) if last else there
    turned = comes_back_turned(x).permute(there)
    wide = turned.flatten(3).movedim(-1, 1) if last else turned.flatten(1, 2)
    weights, biases = (None if one is None else one.repeat(steps) for one in (weight, bias))
    found = None if mean is None or var is None else mean.new_zeros(2, steps * channels)
    means, variances = (None, None) if found is None else found
    out = F.batch_norm(wide, means, variances, weights, biases, True, 1.0, eps)
    if found is not None:
        running = torch.stack([mean.data, var.data])
        news = (momentum * found.view(2, steps, channels)).expand(2, count, channels)
        for new in news.unbind(1):
            running.mul_(1 - momentum).add_(new)
        # not counted as a change: torch's own update is none either
        mean.data.copy_(running[0])
        var.data.copy_(running[1])
    if last:
        rows = out.movedim(1, -1).reshape(turned.shape).permute(back)
        return rows.contiguous().movedim(-1, 2)
    return out.reshape(turned.shape).permute(back)


def _by_vmap(column: Operation, gathered: Gathered, count: int) -> Any:
    """Let torch find the rule."""
    dims = tuple(None if shared else 0 for _, shared in gathered)
    try:
        return torch.vmap(lambda *operands: call(column, list(operands)), dims)(
            *(one for one, _ in gathered)
        )
    except Exception:  # torch has none: then each call is one of its own
        return None


_RULES: dict[Any, Callable[..., Any]] = {
    F.linear: _linear,
    F.embedding: _embedding,
    F.batch_norm: _batch_norm,
    **dict.fromkeys(DROPOUTS, _dropout),
}
