"""What of PopTorch a training script uses, in place of the package and its device.

It does what is known of PopTorch from outside: a model is traced once, on its first batch, while
`isRunningOnIpu` is true; operators that PopTorch cannot lower, and buffers bound anew, are errors;
what runs from then on is the trace, which others than Python differentiate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader as TorchLoader
from torch.utils.data import Dataset

DATA = Path(__file__).parent / "data"
#: The operators that PopTorch can lower.
OPERATORS = frozenset(
    line for line in (DATA / "poptorch_ops.txt").read_text().split("\n") if line[:6] == "aten::"
)
#: What puts a graph together, and computes nothing.
STRUCTURE = frozenset(
    f"prim::{name}"
    for name in ("Constant", "GetAttr", "ListConstruct", "TupleConstruct", "TupleUnpack")
) | {"prim::NumToTensor", "prim::ListUnpack"}

_running = False


def nodes(block: Any) -> Iterator[Any]:
    """Yield all nodes of a graph, those of inner blocks included."""
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from nodes(inner)


def operators(traced: Any) -> set[str]:
    """Return the kinds of all nodes of a trace."""
    return {node.kind() for node in nodes(traced.inlined_graph)}


def unknown(traced: Any) -> list[str]:
    """Return what is in a trace that PopTorch cannot lower."""
    return sorted(operators(traced) - OPERATORS - STRUCTURE)


def trace(model: Callable[..., Any], *inputs: Tensor) -> Any:
    """Return a model as recorded operations."""
    return torch.jit.trace(model, inputs, check_trace=False)


def isRunningOnIpu() -> bool:
    return _running


class Options:
    """Options, all at their defaults."""


def DataLoader(
    options: Options, dataset: Dataset[Any], batch_size: int = 1, **more: Any
) -> TorchLoader[Any]:
    assert isinstance(options, Options)
    return TorchLoader(dataset, batch_size, drop_last=True, **more)  # all batches of one size


def identity_loss(x: Tensor, reduction: str) -> Tensor:
    return {"none": lambda: x, "mean": x.mean, "sum": x.sum}[reduction]()


class trainingModel:
    """A model that is traced at its first call, and trained at each."""

    def __init__(
        self, model: nn.Module, options: Options, optimizer: torch.optim.Optimizer
    ) -> None:
        assert isinstance(options, Options)
        self.model, self.optimizer = model, optimizer
        self.traced: Any = None

    def compile(self, *inputs: Tensor) -> Any:
        """Return the trace of the model."""
        global _running  # noqa: PLW0603
        before = {name: id(buffer) for name, buffer in self.model.named_buffers()}
        _running = True
        try:
            traced = trace(self.model, *inputs)
        finally:
            _running = False
        after = {name: id(buffer) for name, buffer in self.model.named_buffers()}
        rebound = [name for name, buffer in after.items() if before.get(name) != buffer]
        if rebound:
            raise RuntimeError(f"buffers are bound anew while the model runs: {rebound}")
        if unknown(traced):
            raise RuntimeError(f"no operators of PopTorch: {unknown(traced)}")
        return traced

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        if self.traced is None:
            self.traced = self.compile(*inputs)
        *out, loss = self.traced(*inputs)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return *(one.detach() for one in out), loss.detach()


def module() -> ModuleType:
    """Return the stand-in as the module that `import poptorch` gives."""
    poptorch = ModuleType("poptorch")
    names = (isRunningOnIpu, Options, DataLoader, identity_loss, trainingModel)
    vars(poptorch).update({one.__name__: one for one in names})
    vars(poptorch)["optim"] = SimpleNamespace(Adam=torch.optim.Adam)
    return poptorch
