"""A whole sequence through one neuron: by a kernel where one covers it, else step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from snntorch._checks import expect, expect_choice, expect_count, expect_tensor, shape_of
from snntorch._kernels import plain
from snntorch._kernels.autograd import Call, backend, recur
from snntorch._kernels.cpu import binding as cpu
from snntorch._kernels.cuda import launch as cuda
from snntorch._kernels.dense import recur_dense
from snntorch._kernels.equations import in_dtype
from snntorch._kernels.problem import Rule, Values, expands
from snntorch._torch import PLAIN, is_hooked, is_traced, is_transformed
from snntorch.surrogate import SurrogateFunction, SurrogateGradient

if TYPE_CHECKING:
    from snntorch._neurons.neurons import SpikingNeuron

_DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


class Sequence(NamedTuple):
    """An input over time.

    Attributes:
        rows: (time, ...), or (1, ...) for an input that is the same at all times.
        steps: Number of time steps.
    """

    rows: Tensor
    steps: int

    @property
    def is_constant(self) -> bool:
        """Whether the input is the same at all times."""
        return self.rows.shape[0] < self.steps

    def at(self, t: int) -> Tensor:
        """Return the input of step ``t``."""
        return self.rows[0 if self.is_constant else t]


def to_sequence(owner: object, x: Any, num_steps: int | None) -> Sequence:
    """Return an input over time from one that varies, or from one for ``num_steps`` steps."""
    expect_tensor(owner, "x", x)
    if num_steps is not None:
        expect_count(owner, "num_steps", num_steps)
        return Sequence(x.unsqueeze(0), num_steps)
    hint = "Pass (time, batch, ...), or one step's input and `num_steps`."
    expect(x.dim() > 0 and len(x) > 0, owner, "`x` of at least one time step", shape_of(x), hint)
    # Repeated rows are one, unless each has a gradient of its own
    steps = x.shape[0]
    same = steps > 1 and x.stride(0) == 0 and not x.requires_grad
    same = same and not is_traced()
    return Sequence(x[:1] if same else x, steps)


def records(neuron: SpikingNeuron, record: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the names of what a run keeps: those asked for, or those that a call returns."""
    known = tuple(dict.fromkeys(("spk", *neuron.state_names)))
    if record is None:
        return ("spk",) if neuron.init_hidden and not neuron.output else known
    expect(
        isinstance(record, (str, tuple, list)),
        neuron,
        f"`record` to be a name or a tuple of names, of {known}",
        repr(record),
        error=TypeError,
    )
    names = (record,) if isinstance(record, str) else tuple(record)
    for name in names:
        expect_choice(neuron, "record", name, known)
    return names


def unroll_neuron(
    neuron: SpikingNeuron,
    x: Sequence,
    given: tuple[Tensor | None, ...] = (),
    record: str | tuple[str, ...] | None = None,
) -> Any:
    """Run all steps; returns what a call returns, or what ``record`` asks for, over time."""
    names = records(neuron, record)
    expect(
        len(given) in (0, len(neuron.state_names)),
        neuron,
        f"no states, or all of {neuron.state_names}",
        len(given),
        f"Start from `{', '.join(neuron.state_names)} = neuron.reset_mem()`.",
        TypeError,
    )
    prepared = _prepare(neuron, x, given, names)
    if isinstance(prepared, _Prepared):
        run: Any = _by_kernel(neuron, prepared, names)
    else:
        rows = []
        for t in range(x.steps):
            out = neuron(x.at(t), *(given if t == 0 else ()))
            rows.append(out if record is None else _pick(neuron, out, names))
        run = stacked(neuron, rows)
        if record is None:
            return run
    alone = isinstance(record, str) or (record is None and len(names) == 1)
    return run[0] if alone else run


def _widened(x: Sequence, shape: torch.Size) -> Sequence:
    """Return an input whose steps have the shape to which the numbers expand them."""
    rows = x.rows
    if rows.shape[1:] == shape:
        return x
    ones = [1] * (len(shape) + 1 - rows.dim())
    return Sequence(rows.reshape(len(rows), *ones, *rows.shape[1:]).expand(-1, *shape), x.steps)


def _pick(neuron: SpikingNeuron, out: Any, names: tuple[str, ...]) -> tuple[Tensor, ...]:
    spk = out if isinstance(out, Tensor) else out[0]
    return tuple(spk if name == "spk" else getattr(neuron, name) for name in names)


def stacked(module: nn.Module, rows: list[Any]) -> Any:
    """Return what a module returned at each step, over time.

    Raises:
        TypeError: If that is something else than a tensor, or several.
    """

    def stack(*row: Any) -> Tensor:
        what = f"a tensor, or several, from {type(module).__name__} at each step"
        tensors = all(isinstance(one, Tensor) for one in row)
        expect(tensors, "unroll", what, type(row[0]).__name__, error=TypeError)
        return torch.stack(row)

    return pytree.tree_map(stack, *rows)


def equation(neuron: SpikingNeuron, x: Tensor) -> tuple[str, Tensor, dict[str, Any]] | None:
    """Return model, drive and all numbers of a neuron for a kernel; None if none knows it."""
    found = neuron.recurrence(x)
    if found is None or not neuron._clears_as(found[0]):
        return None
    numbers = found[2]
    numbers["threshold"] = neuron._value("threshold")
    numbers["graded"] = neuron._value("graded_spikes_factor")
    return found


def reset_of(neuron: SpikingNeuron) -> str:
    """Return what a kernel calls a neuron's reset."""
    mechanism = neuron._reset_mechanism
    return "zero_old" if mechanism == "zero" and neuron.zeroes_old_states else mechanism


class _Prepared(NamedTuple):
    """What a kernel gets, and what the neuron calls its states."""

    call: Call
    drive: Tensor
    tensors: tuple[Tensor, ...]
    dense: nn.Linear | None
    inner: dict[str, str]


def _prepare(  # noqa: PLR0911 (each return is a reason)
    neuron: SpikingNeuron,
    x: Sequence,
    given: tuple[Tensor | None, ...] = (),
    names: tuple[str, ...] = (),
) -> _Prepared | str:
    """Return what a kernel gets to run all steps, or why the neuron is stepped."""
    reason = why_stepped(neuron)
    if reason is not None:
        return reason
    if is_transformed():
        return "a function is transformed"
    first, states = neuron._states(x.at(0), given or (None,) * len(neuron.state_names))
    x = _widened(x, first.shape)
    found = equation(neuron, x.rows)
    if found is None:
        return "no kernel knows its equation"
    if x.rows.dtype not in _DTYPES:
        return f"no kernel takes input of {x.rows.dtype}"
    model, drive, numbers = found
    dense: nn.Module | None = numbers.pop("through", None)
    if dense is not None:
        if not isinstance(dense, nn.Linear):
            return f"no kernel feeds spikes back through {type(dense).__name__}"
        if is_traced() or not _feeds_back(dense, drive):
            return "its feedback does not take a step's spikes to a step's input"
        numbers["V"] = torch.ones((), device=drive.device)
    step = drive[0]
    numbers = {name: in_dtype(value, step.dtype) for name, value in numbers.items()}
    if any(state.dtype != step.dtype or state.shape != step.shape for state in states):
        return f"its states are no tensors of {step.dtype} like its input"
    if not is_traced() and any(type(one) not in PLAIN for one in (*states, *numbers.values())):
        return "its states or numbers are no plain tensors"
    if not all(expands(value, step) for value in numbers.values()):
        return "its numbers do not lie where its input does"
    rule = Rule(model, reset_of(neuron), bool(neuron.reset_delay), "V" in numbers)
    inner = {"spk": "spk", **dict(zip(neuron.state_names, rule.states, strict=True))}
    old = {inner[n]: s.contiguous() for n, s in zip(neuron.state_names, states, strict=True)}
    kept = tuple(dict.fromkeys(inner[name] for name in names))
    spike_grad = surrogate_of(neuron.spike_grad)
    assert spike_grad is not None
    call = Call(rule, spike_grad, x.steps, (*old, *numbers), kept)
    return _Prepared(call, drive, (*old.values(), *numbers.values()), dense, inner)


def _by_kernel(
    neuron: SpikingNeuron, prepared: _Prepared, names: tuple[str, ...]
) -> tuple[Tensor, ...]:
    """Run all steps by a kernel."""
    call, drive, tensors, dense, inner = prepared
    if dense is None:
        recorded, last = recur(call, drive, tensors)
    else:
        recorded, last = recur_dense(call, dense.weight, dense.bias, drive, tensors)
    neuron._store(tuple(last[inner[name]] for name in neuron.state_names))
    return tuple(recorded[inner[name]] for name in names)


def _feeds_back(layer: nn.Module, drive: Tensor) -> bool:
    """Return whether a layer is dense, and takes a step's spikes to a step's drive."""
    size = drive.shape[-1:]
    return (
        isinstance(layer, nn.Linear)
        and type(drive) in PLAIN
        and type(layer.weight) in PLAIN
        and layer.weight.dtype == drive.dtype
        and layer.weight.shape == size * 2
        and (layer.bias is None or layer.bias.shape == size)
    )


def why_stepped(neuron: SpikingNeuron) -> str | None:
    """Return why this neuron is run step by step, whatever its input; None if it need not be."""
    spike_grad = surrogate_of(neuron.spike_grad)
    here = neuron._set_here()
    reasons = {
        "it has hooks, which see each step": is_hooked(neuron),
        f"its class has a {', '.join(neuron._overridden)} of its own": bool(neuron._overridden),
        f"a {', '.join(here)} was set on it": bool(here),
        "inhibition compares neurons": neuron.inhibition,
        "state_quant is a function of each step": callable(neuron.state_quant),
        "its spike_grad is a function of each step": (
            spike_grad is None or not spike_grad.has_kernel_name
        ),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def surrogate_of(spike_grad: Any) -> SurrogateGradient | None:
    """Return a neuron's ``spike_grad`` if it is a Heaviside step with a gradient of its own."""
    function = getattr(spike_grad, "__self__", None)
    if isinstance(function, type) and issubclass(function, SurrogateFunction):
        # the autograd function itself was passed, as `FastSigmoid.apply`
        if spike_grad.__func__ is not SurrogateFunction.apply.__func__:  # type: ignore[attr-defined]
            return None
        spike_grad = SurrogateGradient(
            function.__name__, function, tuple(function.parameters.values())
        )
    if type(spike_grad) is not SurrogateGradient:
        return None
    return spike_grad if spike_grad.fires_by_heaviside else None


def describe(neuron: SpikingNeuron, x: Sequence | None = None) -> str:
    """Return how a sequence runs through a neuron, in words: any, or this one."""
    if x is None:
        # one neuron's worth of the input that a kernel takes
        like = neuron._value("threshold").detach()
        dtype = like.dtype if like.dtype in _DTYPES else torch.float32
        reason, through = why_stepped(neuron), None
        if reason is None:
            found = equation(neuron, like.reshape(-1)[:1].to(dtype))
            through = found[2].get("through") if found is not None else None
            if found is None:
                reason = "no kernel knows its equation"
            elif not isinstance(through, (nn.Linear, type(None))):
                reason = f"no kernel feeds spikes back through {type(through).__name__}"
        like = like.new_empty(1, 1, dtype=dtype)
    else:
        prepared = _prepare(neuron, x)
        reason = prepared if isinstance(prepared, str) else None
        through = None if isinstance(prepared, str) else prepared.dense
        like = x.rows
    if reason is not None:
        return f"step by step: {reason}"
    kernels = backend(like, Values(like.reshape(-1)[0], like.reshape(-1)[0]))
    missing = {"cpu": cpu, "cuda": cuda}.get(like.device.type)
    why = missing.available() if kernels is plain and missing is not None else None
    how = "a loop of fused steps" if through is not None else "one kernel over all time"
    return f"{how}: {kernels.DESCRIPTION}" + (f" ({why})" if why else "")
