"""A whole sequence through one neuron: by a kernel where one covers it, else step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from snntorch._checks import expect, expect_choice, expect_size, expect_tensor, shape_of
from snntorch._kernels import covers
from snntorch._kernels.autograd import Call, run
from snntorch._kernels.backends import COMPILED, PLAIN, backend
from snntorch._kernels.dense import run_dense
from snntorch._kernels.equations import in_dtype
from snntorch._kernels.problem import Parameters, Rule
from snntorch._kernels.traced import run as run_own
from snntorch._kernels.traced.run import Kernel
from snntorch._neurons._covered import equation, reset_of, why_stepped
from snntorch._neurons._traced import traced
from snntorch._torch import PLAIN as PLAIN_TENSORS
from snntorch._torch import is_hooked, is_traced, is_transformed, tree_map

if TYPE_CHECKING:
    from snntorch._neurons.neurons import SpikingNeuron


class Sequence(NamedTuple):
    """An input over time.

    Attributes:
        rows: (time, ...), or (1, ...) for an input that is the same at all times.
        steps: Number of time steps.
    """

    rows: Tensor
    steps: int

    def is_constant(self) -> bool:
        """Return whether the input is the same at all times."""
        return self.rows.shape[0] < self.steps

    def at(self, t: int) -> Tensor:
        """Return the input of step ``t``."""
        return self.rows[0 if self.is_constant() else t]


def to_sequence(owner: object, x: Any, num_steps: int | None, name: str = "x") -> Sequence:
    """Return an input over time from one that varies, or from one for ``num_steps`` steps."""
    expect_tensor(owner, name, x)
    if num_steps is not None:
        expect_size(owner, "num_steps", num_steps)
        return Sequence(x.unsqueeze(0), int(num_steps))
    hint = "Pass (time, batch, ...), or one step's input and `num_steps`."
    expect(
        x.dim() > 0 and len(x) > 0, owner, f"`{name}` of at least one time step", shape_of(x), hint
    )
    # Repeated rows are one, unless each has a gradient of its own
    steps = x.shape[0]
    same = steps > 1 and x.stride(0) == 0 and not x.requires_grad
    same = same and not is_traced()
    return Sequence(x[:1] if same else x, steps)


def records(neuron: SpikingNeuron, record: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the names of what a run keeps: those asked for, or those that a call returns."""
    known = tuple(dict.fromkeys(("spk", *neuron.state_names)))
    if record is None:
        if neuron.init_hidden and not neuron.output:
            return ("spk",)
        return tuple(dict.fromkeys(("spk", *neuron._names_given())))
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
    any_order: bool = False,
) -> Any:
    """Run all steps; returns what a call returns, or what ``record`` asks for, over time.

    With ``any_order``, results lie in memory as the input does, else in the usual order.
    """
    names = records(neuron, record)
    expect(
        len(given) in (0, len(neuron._names_given())),
        neuron,
        f"no states, or all of {neuron._names_given()}",
        len(given),
        f"Start from `{', '.join(neuron._names_given())} = neuron.reset_mem()`.",
        TypeError,
    )
    prepared = _prepare(neuron, x, given, names)
    if not isinstance(prepared, str):
        out: Any = prepared.run(neuron, names, any_order)
    else:
        rows = []
        for t in range(x.steps):
            one = neuron(x.at(t), *(given if t == 0 else ()))
            rows.append(one if record is None else _pick(neuron, one, names))
        out = stacked(neuron, rows)
        if record is None:
            return out
    if isinstance(record, str) or (record is None and len(names) == 1):
        return out[0]
    return neuron._as_returned(out) if record is None else out


def run_from(
    neuron: SpikingNeuron, x: Sequence, states: tuple[Tensor, ...], names: tuple[str, ...]
) -> tuple[dict[str, Tensor], tuple[Tensor, ...], str | None]:
    """Run all steps from given states, and leave those of the neuron as they were.

    Hooks have seen the steps already. Results lie in memory as the input does.

    Returns:
        What ``names`` ask for by name, (time, batch, ...); the last states; and why the neuron
        was stepped, if it was.
    """
    kept = neuron._own_states()
    neuron._store(states)
    try:
        prepared = _prepare(neuron, x, names=names, hooked=False)
        if not isinstance(prepared, str):
            recorded = dict(zip(names, prepared.run(neuron, names, True), strict=True))
            return recorded, neuron._own_states(), None
        x = Sequence(x.rows.contiguous(), x.steps)  # as the loop gives them to it
        rows: dict[str, list[Tensor]] = {name: [] for name in names}
        for t in range(x.steps):
            values, states = step_from(neuron, x.at(t), states)
            for name, row in rows.items():
                row.append(values[name])
        return {name: torch.stack(row) for name, row in rows.items()}, states, prepared
    finally:
        neuron._store(kept)


def step_from(
    neuron: SpikingNeuron, x: Tensor, states: tuple[Tensor, ...]
) -> tuple[dict[str, Tensor], tuple[Tensor, ...]]:
    """Run one step from given states; returns spikes and states by name, and what is kept."""
    own = neuron._own_states()
    neuron._store(states)
    try:
        spk, new, kept = neuron._stepped(x, (None,) * len(neuron.state_names))
    finally:
        neuron._store(own)
    return {**dict(zip(neuron.state_names, new, strict=True)), "spk": spk}, kept


def _like(x: Sequence, step: Tensor) -> Sequence:
    """Return an input whose steps are as the neuron takes one: of its shape and its dtype."""
    rows, shape = x.rows.to(step.dtype), step.shape
    if rows.shape[1:] == shape:
        return Sequence(rows, x.steps)
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

    return tree_map(stack, *rows)


class _Prepared(NamedTuple):
    """What a kernel gets, and what the neuron calls its states."""

    call: Call
    current: Tensor
    steps: int
    tensors: tuple[Tensor, ...]
    recurrent: nn.Linear | None
    inner: dict[str, str]

    def run(
        self, neuron: SpikingNeuron, names: tuple[str, ...], any_order: bool
    ) -> tuple[Tensor, ...]:
        """Run all steps, leave the last states on the neuron, and return what names ask for."""
        call, current, steps, tensors, recurrent, inner = self
        if recurrent is None:
            recorded, last = run(call, current, steps, tensors, any_order)
        else:
            layer = recurrent.weight, recurrent.bias
            recorded, last = run_dense(call, *layer, current, steps, tensors)
        neuron._store(tuple(last[inner[name]] for name in neuron.state_names))
        return tuple(recorded[inner[name]] for name in names)

    def describe(self) -> str:
        """Return in words what runs it."""
        return _described(self.current, self.recurrent)


class _Traced(NamedTuple):
    """A kernel of the neuron's own step, and what it gets."""

    kernel: Kernel
    x: Sequence
    tensors: tuple[Tensor, ...]

    def run(
        self, neuron: SpikingNeuron, names: tuple[str, ...], any_order: bool
    ) -> tuple[Tensor, ...]:
        """Run all steps, leave the last states on the neuron, and return what names ask for."""
        every = tuple(dict.fromkeys(("spk", *neuron.state_names)))
        asked = tuple(name in names for name in every)
        rows, last = run_own.run(self.kernel, self.x.rows, self.x.steps, self.tensors, asked)
        neuron._store(tuple(last))
        kept = dict(zip([n for n in every if n in names], rows, strict=True))
        return tuple(kept[name] for name in names)

    def describe(self) -> str:
        """Return in words what runs it."""
        return _traced(self.kernel)


def _traced(kernel: Kernel) -> str:
    return f"one kernel over all time: {kernel.runner.DESCRIPTION}"


def _prepare(  # noqa: PLR0911 (each return is a reason)
    neuron: SpikingNeuron,
    x: Sequence,
    given: tuple[Tensor | None, ...] = (),
    names: tuple[str, ...] = (),
    hooked: bool = True,
) -> _Prepared | _Traced | str:
    """Return what a kernel gets to run all steps, or why the neuron is stepped."""
    reason = why_not(neuron, hooked)
    if reason is not None:
        return reason
    if is_transformed():
        return "a function is transformed"
    first, states = neuron._states(x.at(0), neuron._with_hidden(given))
    x = _like(x, first)
    found = equation(neuron, x.rows)
    if found is None:
        own = traced(neuron, first)
        if isinstance(own, str):
            return own
        return covers.why_not(first, states, own[1]) or _Traced(own[0], x, (*states, *own[1]))
    model, current, parameters = found
    recurrent: nn.Module | None = parameters.pop("through", None)
    if recurrent is not None:
        if not isinstance(recurrent, nn.Linear):
            return f"no kernel feeds spikes back through {type(recurrent).__name__}"
        if is_traced() or not _feeds_back(recurrent, current):
            return "its feedback does not take a step's spikes to a step's input"
        parameters["V"] = torch.ones((), device=current.device)
    step = first if current is x.rows else current[0]
    parameters = {name: in_dtype(value, step.dtype) for name, value in parameters.items()}
    reason = covers.why_not(step, states, parameters.values(), traced=is_traced())
    if reason is not None:
        return reason
    rule = Rule(model, reset_of(neuron), bool(neuron.reset_delay), "V" in parameters)
    inner = {"spk": "spk", **dict(zip(neuron.state_names, rule.states(), strict=True))}
    old = {inner[n]: s.contiguous() for n, s in zip(neuron.state_names, states, strict=True)}
    kept = tuple(dict.fromkeys(inner[name] for name in names))
    spike_grad = covers.surrogate_of(neuron.spike_grad)
    assert spike_grad is not None
    call = Call(rule, spike_grad, (*old, *parameters), kept)
    tensors = (*old.values(), *parameters.values())
    return _Prepared(call, current, x.steps, tensors, recurrent, inner)


def is_stepped(neuron: SpikingNeuron, x: Sequence) -> bool:
    """Return whether an input runs through a neuron step by step."""
    return isinstance(_prepare(neuron, x), str)


def why_not(neuron: SpikingNeuron, hooked: bool = True) -> str | None:
    """Return why a neuron is stepped, whatever its input; None if it need not be."""
    if hooked and is_hooked(neuron):
        return "it has hooks, which see each step"
    if covers.surrogate_of(neuron.spike_grad) is None:
        return why_stepped(neuron) or "its spike_grad is a function of each step"
    return why_stepped(neuron)


def _feeds_back(layer: nn.Module, current: Tensor) -> bool:
    """Return whether a layer is dense, and takes a step's spikes to a step's input current."""
    size = current.shape[-1:]
    return (
        isinstance(layer, nn.Linear)
        and type(current) in PLAIN_TENSORS
        and type(layer.weight) in PLAIN_TENSORS
        and layer.weight.dtype == current.dtype
        and layer.weight.shape == size * 2
        and (layer.bias is None or layer.bias.shape == size)
    )


def _described(like: Tensor, recurrent: nn.Module | None) -> str:
    """Return what runs an equation that the kernels know."""
    kernels = backend(like, Parameters(like.reshape(-1)[0], like.reshape(-1)[0]))
    compiled = COMPILED.get(like.device.type)
    why = compiled.available() if kernels is PLAIN and compiled is not None else None
    how = "one kernel over all time" if recurrent is None else "a loop of fused steps"
    return f"{how}: {kernels.DESCRIPTION}" + (f" ({why})" if why else "")


def describe(neuron: SpikingNeuron, x: Sequence | None = None) -> str:
    """Return how a sequence runs through a neuron, in words: any, or this one."""
    if x is not None:
        prepared = _prepare(neuron, x)
        if isinstance(prepared, str):
            return f"step by step: {prepared}"
        return prepared.describe()
    # one neuron's worth of the input that a kernel takes
    like = neuron._value("threshold").detach()
    dtype = like.dtype if like.dtype in covers.DTYPES else torch.float32
    one = like.reshape(-1)[:1].to(dtype)
    reason = why_not(neuron)
    if reason is not None:
        return f"step by step: {reason}"
    found = equation(neuron, one)
    if found is None:
        own = traced(neuron, one)
        return f"step by step: {own}" if isinstance(own, str) else _traced(own[0])
    recurrent = found[2].get("through")
    if not isinstance(recurrent, (nn.Linear, type(None))):
        return f"step by step: no kernel feeds spikes back through {type(recurrent).__name__}"
    return _described(one.new_empty(1, 1), recurrent)
