"""What is known of torch's functions: which can wait, and which are to be run as they come."""

from __future__ import annotations

import functools
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

#: What draws random numbers, or gives as much as its values say: these are run as they come.
_NOW = frozenset(
    """
    item tolist numpy cpu cuda backward register_hook retain_grad data_ptr storage
    untyped_storage is_nonzero equal allclose nonzero argwhere unique unique_consecutive
    masked_select bincount histc histogram bernoulli multinomial normal poisson rand_like
    randn_like randint_like rrelu gumbel_softmax fractional_max_pool2d fractional_max_pool3d
    type pin_memory is_pinned is_shared element_size grid_sample stft istft
    repeat_interleave one_hot cdist combinations split_with_sizes tensor_split ctc_loss
    rnn_tanh lstm gru rnn_relu multi_head_attention_forward is_set_to is_same_size
    is_inference is_leaf grad grad_fn data is_conj is_neg get_device masked_scatter
    sparse_mask to_sparse to_dense result_type can_cast is_tensor storage_offset stride
    is_contiguous new_tensor requires_grad_ set_ resize_ map_ map2_ apply_ share_memory_
    """.split()  # noqa: SIM905
)
#: What draws random numbers for each entry: known well enough to wait.
DROPOUTS = (
    F.dropout,
    F.alpha_dropout,
    F.feature_alpha_dropout,
    F.dropout1d,
    F.dropout2d,
    F.dropout3d,
    torch.dropout,
)
#: What costs enough to wait even if all it takes is there: the input may be the same each time.
HEAVY = frozenset(
    (
        *(F.linear, F.conv1d, F.conv2d, F.conv3d, F.batch_norm, F.layer_norm, F.group_norm),
        *(F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d, F.embedding),
        *(torch.matmul, torch.bmm, torch.mm, Tensor.matmul, Tensor.bmm, Tensor.mm),
    )
)
_MODULES = (
    "torch",
    "torch.functional",
    "torch.nn.functional",
    "torch._C._nn",
    "torch._C",
    "torch._VF",
    None,
)


@functools.cache
def can_wait(func: Any) -> bool:
    """Return whether a function gives what its arguments say, and does nothing else."""
    if func in DROPOUTS:
        return True
    name = getattr(func, "__name__", "__")
    if name in _NOW or (name.endswith("_") and not name.endswith("__")):
        return False
    if name.startswith("__"):
        return name in _OPERATORS
    if getattr(func, "__objclass__", None) is not None:  # a method of tensors
        return True
    return getattr(func, "__module__", None) in _MODULES or func in vars(Tensor).values()


_OPERATORS = frozenset(
    f"__{name}__"
    for name in """
    add radd sub rsub mul rmul truediv rtruediv div rdiv floordiv rfloordiv mod rmod pow
    rpow matmul rmatmul neg pos abs invert and rand or ror xor rxor eq ne lt le gt ge
    getitem
    """.split()  # noqa: SIM905
)
#: What is no function of the old value, or changes a shape.
_NOT_ANEW = frozenset(
    "zero_ fill_ copy_ squeeze_ unsqueeze_ t_ transpose_ swapaxes_".split()  # noqa: SIM905
)
#: What writes to its first argument, and the function that gives the same anew.
_IN_PLACE = {
    Tensor.__iadd__: Tensor.__add__,
    Tensor.__isub__: Tensor.__sub__,
    Tensor.__imul__: Tensor.__mul__,
    Tensor.__idiv__: Tensor.__div__,
    Tensor.__itruediv__: Tensor.__div__,
}


@functools.cache
def anew(func: Any) -> Any:
    """Return what gives the result of an in-place method in new memory; None if nothing does."""
    if func in _IN_PLACE:
        return _IN_PLACE[func]
    name = getattr(func, "__name__", "")
    if not name.endswith("_") or name.startswith("__") or name[:-1] in _NOW or name in _NOT_ANEW:
        return None
    found = getattr(Tensor, name[:-1], None)
    return found if callable(found) and can_wait(found) else None


#: What begins as the names of in-place operators do, and writes nothing.
_NO_WRITES = ("__invert__", "__index__", "__int__", "__iter__", "__init__")


@functools.cache
def writes(func: Any) -> bool:
    """Return whether a function writes to its first argument."""
    name = getattr(func, "__name__", "")
    if not name.startswith("__"):
        return name.endswith("_")
    in_place = name.startswith("__i") and name not in _NO_WRITES
    return in_place or name in ("__setitem__", "__set__")


def written(func: Any, tensors: list[Any], kwargs: dict[str, Any]) -> list[Any]:
    """Return those of a function's tensors that it writes to."""
    if not writes(func):
        out = kwargs.get("out")
        return [*out] if isinstance(out, (tuple, list)) else [] if out is None else [out]
    # those of many, such as an optimizer's, may write to all that they take
    return tensors if func.__name__.startswith("_f") else tensors[:1]
