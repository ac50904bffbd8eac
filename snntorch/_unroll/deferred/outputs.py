"""What a function of torch gives, told from what it takes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from snntorch._torch import tree_map
from snntorch._unroll.deferred.arguments import flat, meta_of
from snntorch._unroll.deferred.columns import Operand, Outputs
from snntorch._unroll.deferred.functions import DROPOUTS
from snntorch._unroll.deferred.modes import Mode
from snntorch._unroll.deferred.placeholder import Deferred, Meta

#: Outputs by function, arguments and what those are: asked of torch once.
_KNOWN: dict[Any, Outputs] = {}


def outputs_of(
    func: Any,
    spec: Any,
    operands: list[Operand],
    mode: Mode,
    args: Any,
    kwargs: Any,
    alone: bool = False,
) -> Outputs | None:
    """Return what a function gives.

    It is asked, by an example, where the like was not noted before. None if that fails: the
    values decide, or the program is wrong, and so it will be told.
    """
    metas = tuple([meta_of(one) for one in operands])
    key = (func, spec, metas, mode)
    known = _KNOWN.get(key)
    if known is not None:
        return known
    try:
        found = _asked(func, operands, args, kwargs)
    except Exception:
        return None
    if found is not None and not alone:  # what is made anew each time must not be kept alive
        if len(_KNOWN) > 10_000:
            _KNOWN.clear()
        _KNOWN[key] = found
    return found


def _as_it_is(kept: Tensor) -> Tensor:
    return kept


def _asked(func: Any, operands: list[Operand], args: Any, kwargs: Any) -> Outputs | None:
    if func in DROPOUTS:
        return Outputs((meta_of(operands[0]),), None, False)

    def example(one: Any) -> Any:
        if type(one) is not Deferred:
            # what a function may write to, such as running statistics
            return one.clone() if type(one) is Tensor else one
        meta = one.slot.source.meta
        made = torch.zeros(meta.shape, dtype=meta.dtype, device=meta.device)
        return made.requires_grad_(meta.requires_grad)

    like_args, like_kwargs = tree_map(example, (args, kwargs))
    # who watches what is kept for the backward pass, as checkpoints do, sees no example
    with torch.autograd.graph.saved_tensors_hooks(_as_it_is, _as_it_is):
        out = func(*like_args, **like_kwargs)
    kind = type(out) if isinstance(out, (tuple, list)) else None
    outs = (out,) if kind is None else tuple(out)
    if not all(type(one) is Tensor for one in outs):
        return None
    places = {
        one.untyped_storage().data_ptr() for one in flat(like_args) if isinstance(one, Tensor)
    }
    is_view = any(one.untyped_storage().data_ptr() in places for one in outs if one.numel())
    metas = tuple(Meta(one.shape, one.dtype, one.device, one.requires_grad) for one in outs)
    return Outputs(metas, kind, is_view)
