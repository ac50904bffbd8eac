"""A step and its derivative as lines of C, from what torch records of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, fx

from snntorch._kernels.equations import States
from snntorch._kernels.traced.operations import (
    COMPOSED,
    HALVES,
    TYPES,
    Operation,
    UntoldError,
    dtype_of,
)
from snntorch._torch import recorded_as_graph

#: ``step(x, states, values)``: the spikes and the new states. A pure function.
Step = Callable[[Tensor, Sequence[Tensor], Sequence[Tensor]], tuple[Tensor, States]]


class Value(NamedTuple):
    """What C has to know of a parameter: whether it is one for all neurons, and is learned."""

    is_single: bool
    learns: bool


class Given(NamedTuple):
    """What a program is run on.

    Attributes:
        x: Input, (time, ...); (1, ...) for one that is the same at all times.
        steps: Number of steps.
        states: States to start from.
        values: Parameters that it uses.
    """

    x: Tensor
    steps: int
    states: Sequence[Tensor]
    values: Sequence[Tensor]


@dataclass(frozen=True)
class Program:
    """A step in C: from ``x``, ``s0``... and ``p0``... to ``spk`` and ``n0``....

    Attributes:
        step: Lines of the step.
        back: Lines of its derivative: from ``g_spk`` and ``g0``..., the gradients of what it
            returns, to ``d_x``, ``d0``... and, of what is learned, ``q0``..., those of what it
            was given.
        states: Number of states.
        used: Places of the parameters that it has a use for, among those it was given.
        values: These parameters.
        dtype: Of all numbers.
        device: Where it is to run.
    """

    step: tuple[str, ...]
    back: tuple[str, ...]
    states: int
    used: tuple[int, ...]
    values: tuple[Value, ...]
    dtype: torch.dtype
    device: torch.device

    @property
    def computed(self) -> torch.dtype:
        """Dtype that is computed with."""
        return torch.float32 if self.dtype in HALVES else self.dtype


def program(
    step: Step,
    dtype: torch.dtype,
    shape: torch.Size,
    states: int,
    values: tuple[Value, ...],
    device: torch.device,
) -> Program:
    """Return a step as a program.

    Args:
        step: What to trace.
        dtype: Of its input, states and parameters.
        shape: Of one step.
        states: Number of its states.
        values: Its parameters.
        device: Where it is to run.

    Raises:
        UntoldError: If it is no function of element-wise operations of which C is written.
    """
    count = 1 + states + len(values)

    def both(*given: Tensor) -> list[Tensor | None]:
        grads = given[count:]
        with torch.enable_grad():
            x, *leaves = (one.detach().requires_grad_() for one in given[:count])
            spk, new = step(x, leaves[:states], leaves[states:])
            pairs = [(o, g) for o, g in zip((spk, *new), grads, strict=True) if o.requires_grad]
            outs, of_outs = zip(*pairs, strict=True) if pairs else ((), ())
            found = torch.autograd.grad(outs, (x, *leaves), of_outs, allow_unused=True)
        return [spk, *new, *found]

    examples = [torch.zeros(shape, dtype=dtype) for _ in range(count + 1 + states)]
    graph = recorded_as_graph(both, examples, COMPOSED)
    x, olds = ["x"], [f"s{k}" for k in range(states)]
    held = [node for node in graph.nodes if node.op == "placeholder"]
    used = [k for k, node in enumerate(held[1 + states : count]) if node.users]
    names = dict(zip(held, [*x, *olds], strict=False))
    names |= {held[1 + states + k]: f"p{place}" for place, k in enumerate(used)}
    names |= dict(zip(held[count:], ["g_spk", *(f"g{k}" for k in range(states))], strict=True))
    (results,) = next(node for node in graph.nodes if node.op == "output").args
    made = dict(zip(("spk", *(f"n{k}" for k in range(states))), results, strict=False))
    gave = results[1 + states :]
    back = dict(zip(("d_x", *(f"d{k}" for k in range(states))), gave, strict=False))
    back |= {f"q{n}": gave[1 + states + k] for n, k in enumerate(used) if values[k].learns}
    lines = _lines(graph, names, shape, dtype, device.type)
    return Program(
        step=_told(lines, names, made),
        back=_told(lines, names, back),
        states=states,
        used=tuple(used),
        values=tuple(values[k] for k in used),
        dtype=dtype,
        device=device,
    )


def _lines(
    graph: fx.Graph, names: dict[fx.Node, str], shape: torch.Size, of: torch.dtype, device: str
) -> dict[fx.Node, str]:
    """Return a line for each operation, and give each a name."""
    lines: dict[fx.Node, str] = {}
    for node in graph.nodes:
        if node.op == "get_attr":
            raise UntoldError("it makes, or keeps, a tensor that is none of its parameters")
        if node.op != "call_function":
            continue
        value, dtype = node.meta.get("val"), dtype_of(node)
        if dtype not in TYPES or (dtype in HALVES and dtype is not of):
            raise UntoldError(f"{node.target} gives {dtype or type(value).__name__}")
        if value.shape not in (shape, ()):
            raise UntoldError(
                f"{node.target} gives {tuple(value.shape)} for {tuple(shape)} neurons"
            )
        written = Operation(node, names, device).as_c()
        names[node] = f"v{len(lines)}"
        lines[node] = f"const {TYPES[dtype]} {names[node]} = {written};"
    return lines


def _told(
    lines: dict[fx.Node, str], names: dict[fx.Node, str], results: dict[str, fx.Node | None]
) -> tuple[str, ...]:
    """Return the lines that results need, and those that hand them out."""
    needed = {node for node in results.values() if node is not None}
    for node in reversed(lines):
        if node in needed:
            needed.update(node.all_input_nodes)
    body = [line for node, line in lines.items() if node in needed]
    ends = [f"{name} = {'0' if node is None else names[node]};" for name, node in results.items()]
    return (*body, *ends)
