"""What torch tells only in private: who else records, transforms or watches what is run."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import getattr_static
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._decomp import get_decompositions
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules import module as module_hooks
from torch.utils import _pytree

Net = TypeVar("Net", bound=nn.Module)

#: The classes of tensors that have numbers in memory of their own, and no more to them.
PLAIN = (Tensor, nn.Parameter)
#: Whether a tensor stands for many, as a gradient under ``is_grads_batched``.
is_batched = torch._C._functorch.is_legacy_batchedtensor


def is_jit_traced() -> bool:
    """Return whether `torch.jit.trace` writes operations down, as the older ONNX export does."""
    return not torch.compiler.is_compiling() and torch._C._is_tracing()


def is_traced() -> bool:
    """Return whether operations are recorded, or run, by others: a compiler, a tracer, a mode.

    They see torch's operations, and know nothing of a kernel that writes to memory.
    """
    return (
        torch.compiler.is_compiling()
        or torch._C._is_tracing()
        or torch._C._len_torch_dispatch_stack() > 0
    )


def is_transformed() -> bool:
    """Return whether a function is transformed: by `torch.func`, or by forward-mode AD."""
    return is_functorch_active() or forward_ad._current_level >= 0


@contextmanager
def recording() -> Iterator[None]:
    """Let autograd record inside an operator, where torch leaves it out."""
    keys = torch._C.DispatchKey
    with (
        torch._C._SetExcludeDispatchKeyGuard(keys.AutogradFunctionality, False),
        torch._C._SetExcludeDispatchKeyGuard(keys.ADInplaceOrView, False),
    ):
        yield


def hooks_what_is_saved() -> bool:
    """Return whether somebody decides what is saved for the backward pass, or forbids to."""
    autograd: Any = torch._C._autograd
    return not autograd._saved_tensors_hooks_is_enabled() or hook_of_what_is_saved() is not None


def hook_of_what_is_saved() -> Any:
    """Return what decides, called with a tensor, what is saved of it; None if nothing does."""
    hooks = torch._C._autograd._top_saved_tensors_default_hooks(True)
    return None if hooks is None else hooks[0]


def version_of(tensor: Tensor) -> int | None:
    """Return what rises when a tensor is written to; one of inference mode has no such number."""
    return None if tensor.is_inference() else tensor._version


def is_hooked(module: nn.Module) -> bool:
    """Return whether something watches the calls of a module, or stands in for them."""
    return bool(
        "forward" in module.__dict__
        or module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or module_hooks._global_forward_hooks
        or module_hooks._global_forward_pre_hooks
        or module_hooks._global_backward_hooks
        or module_hooks._global_backward_pre_hooks
    )


def talks(net: nn.Module) -> bool:
    """Return whether the ``forward`` of a net talks to other processes, as sharded layers do.

    The weights of such a layer are there during its own calls only, and whatever it exchanges,
    all processes have to exchange in one order.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return False
    fsdp = sys.modules.get("torch.distributed.fsdp")  # takes long to import
    whole = getattr(fsdp, "FullyShardedDataParallel", nn.SyncBatchNorm)
    sharded = getattr(fsdp, "FSDPModule", nn.SyncBatchNorm)  # whole again before its `forward`
    return any(
        isinstance(part, (nn.SyncBatchNorm, whole))
        or (isinstance(part, sharded) and part is not net)
        for part in net.modules()
    )


#: Whether a function of `torch.func`, such as `vmap` or `grad`, transforms what is run.
is_functorch_active = torch._C._are_functorch_transforms_active
#: Whether a tensor stands for others within such a function.
is_functorch_wrapped = torch._C._functorch.is_functorch_wrapped_tensor
#: Take nested tuples, lists and dicts of values apart, and put them together again.
TreeSpec = _pytree.TreeSpec
tree_map = _pytree.tree_map
tree_flatten = _pytree.tree_flatten
tree_unflatten = _pytree.tree_unflatten


def conv_padding(conv: nn.Conv1d | nn.Conv2d) -> list[int]:
    """Return how far a convolution pads each axis, as `F.pad` takes it: the last axis first."""
    return conv._reversed_padding_repeated_twice


def places_of(module: nn.Module) -> dict[str, nn.Module | None]:
    """Return the modules in a module by name; one at two places is there twice."""
    return module._modules


def copy_of(net: Net) -> Net:
    """Return a copy of a net that may keep values with a graph, such as pruned weights."""
    held = (leaf for part in net.modules() for leaf in tree_flatten(vars(part))[0])
    graphs = (leaf for leaf in held if isinstance(leaf, Tensor) and not leaf.is_leaf)
    return copy.deepcopy(net, {id(value): value.detach().clone() for value in graphs})


@contextmanager
def plain_operators(net: nn.Module) -> Iterator[None]:
    """Let attention and recurrent layers run as products, not as operators that hide them."""
    attention, onednn = torch.backends.mha.get_fastpath_enabled(), runs_onednn()
    torch.backends.mha.set_fastpath_enabled(False)
    if any(isinstance(part, nn.RNNBase) for part in net.modules()):
        torch._C._set_mkldnn_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(attention)
        torch._C._set_mkldnn_enabled(onednn)


#: Whether layers run in oneDNN where it knows them, on a CPU.
runs_onednn = torch._C._get_mkldnn_enabled
#: Whether a tensor is a part of another, whose graph it cannot leave alone.
is_view = Tensor._is_view
#: Runs what is within as if no tensor and no mode watched torch's functions.
no_torch_function = torch._C.DisableTorchFunction


#: Whether autocast is active on any device.
any_autocast = torch._C._is_any_autocast_enabled


def autocasts() -> tuple[tuple[str, torch.dtype, bool], ...]:
    """Return on which devices autocast is active: their types, its dtype, whether it caches."""
    if not any_autocast():
        return ()
    cpu, cuda = torch.is_autocast_enabled("cpu"), torch.is_autocast_enabled("cuda")
    cached, active = torch.is_autocast_cache_enabled(), ("cpu",) * cpu + ("cuda",) * cuda
    return tuple([(device, torch.get_autocast_dtype(device), cached) for device in active])


def is_autograd_function(func: Any) -> bool:
    """Return whether a function is the ``apply`` of an autograd function."""
    owner = getattr(func, "__self__", None)
    return isinstance(owner, type) and issubclass(owner, torch.autograd.Function)


#: A method of classes, not bound to one; from torch 2.14 on it is written in C.
_apply = getattr_static(torch.autograd.Function, "apply")


def apply_of(cls: type[torch.autograd.Function]) -> Any:
    """Return torch's own ``apply`` of an autograd function, whatever its class has."""
    return _apply.__get__(None, cls)


def around_backward(node: Any, begins: Callable[[], None], ends: Callable[[], None]) -> None:
    """Call two functions when a backward pass comes to a node of its graph, and when it is over."""

    def reached(_: Any) -> None:
        handle.remove()
        begins()
        torch.autograd.Variable._execution_engine.queue_callback(ends)

    handle = node.register_prehook(reached)


def watch_functions(watch: Callable[[Any, tuple[Any, ...]], tuple[bool, Any]]) -> None:
    """Let ``watch(cls, args)`` run calls of autograd functions, or give other arguments.

    They are the one kind of operation that no mode and no subclass of tensor sees. What it
    returns is whether it ran the call, and the result, or else the arguments.
    """

    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        done, found = watch(cls, args)
        return found if done else apply_of(cls)(*found, **kwargs)

    torch.autograd.Function.apply = classmethod(apply)  # type: ignore[assignment, method-assign]


def memory_of(tensor: Any) -> int:
    """Return where a tensor's memory begins, whatever part of it is seen; 0 where it has none."""
    if not isinstance(tensor, Tensor) or tensor.layout is not torch.strided:
        return 0
    return tensor.untyped_storage().data_ptr()


#: The operation by which a graph tells of a change of dtype.
TO_COPY = torch.ops.aten._to_copy.default


def recorded_as_graph(
    function: Callable[..., Any], examples: list[Tensor], apart: tuple[Any, ...]
) -> torch.fx.Graph:
    """Return the operations of torch of which a function of tensors consists.

    It is run on tensors without numbers: what asks for one of them is an error.

    Args:
        function: What to run.
        examples: Tensors like those that it takes.
        apart: Operations to take apart into simpler ones.
    """
    table: Any = get_decompositions(apart)
    with torch.inference_mode(False):
        made = make_fx(function, tracing_mode="fake")(*examples)
        # once more, as what works in place can only be told once derivatives are written out
        pure = torch.func.functionalize(made, remove="mutations")
        made = make_fx(pure, decomposition_table=table, tracing_mode="fake")(*examples)
    made.graph.eliminate_dead_code()
    graph: torch.fx.Graph = made.graph
    return graph


def compile_for_cuda(source: str, name: str, options: list[str]) -> Any:
    """Return a function of CUDA's C, compiled by NVRTC for the current device.

    Args:
        source: Its text.
        name: Its name.
        options: For NVRTC.
    """
    return torch.cuda._compile_kernel(source, name, nvcc_options=options)
