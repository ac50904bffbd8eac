"""Whole sequences through a net: layer by layer over all time where that is the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from snntorch._checks import expect, expect_count, expect_flag, expect_truth
from snntorch._layers.delay import SynapticDelay
from snntorch._neurons._deferral import can_note
from snntorch._neurons._states import StateModule
from snntorch._neurons._unroll import (
    Sequence,
    describe,
    is_stepped,
    records,
    stacked,
    to_sequence,
    unroll_neuron,
)
from snntorch._neurons.neurons import SpikingNeuron
from snntorch._torch import copy_of, is_hooked, talks, tree_map
from snntorch._units import with_unit
from snntorch._unroll.deferred.fuse import Fused
from snntorch._unroll.deferred.recorder import Recorder
from snntorch._unroll.deferred.trial import Trial
from snntorch._unroll.folding import fold, is_random
from snntorch._unroll.keeping import Counter
from snntorch._unroll.layout import arranged, channels_are_last, plain, steps_at_once
from snntorch._unroll.recompute import Keeper
from snntorch._unroll.stages import Stage, note_of, stages_of

__all__ = ["Plan", "Stage", "plan", "unroll"]


#: Why a layer that could take all steps as one batch does not.
_NO_BATCH = "its steps do not begin with a batch, or have too few dimensions"


#: What is done with a stage, and how many bytes it keeps for the backward pass.
Told = tuple[str, int]


@dataclass(frozen=True)
class Plan:
    """What :func:`unroll` does with a net; print it.

    Attributes:
        net: Name of the net's class.
        stages: Its parts, in the order in which they run.
        notes: What is done with each part, in words.
        kept: Bytes that each part keeps for the backward pass; None if no example told.
    """

    net: str
    stages: tuple[Stage, ...]
    notes: tuple[str, ...]
    kept: tuple[int, ...] | None = None

    def __str__(self) -> str:
        parts = [(stage.name or ".", type(stage.module).__name__) for stage in self.stages]
        wide, wider = (max((len(part[i]) for part in parts), default=0) for i in (0, 1))
        lines = [
            f"  {name:{wide}}  {kind:{wider}}  {note}"
            + (f"; keeps {with_unit(kept, 'B')}" if kept else "")
            for (name, kind), note, kept in zip(
                parts, self.notes, self.kept or (0,) * len(parts), strict=True
            )
        ]
        return "\n".join([f"{self.net}:", *lines])


def plan(
    net: nn.Module,
    x: Tensor | None = None,
    num_steps: int | None = None,
    *,
    recompute: bool = False,
) -> Plan:
    """Return how :func:`unroll` would run a net now.

    It depends on what the net is in: training or evaluation mode, hooks, device. It depends on
    the input, too, on its dtype and its shape: with an example, a copy of the net runs it, and
    the plan tells what happened, and what each layer keeps for the backward pass. For a net from
    :func:`fuse` it tells how a call runs: the last one, or one with the example.

    Args:
        net: Any module.
        x: An example of what :func:`unroll`, or the fused net, would get; ``None`` for what is
            usual.
        num_steps: Number of steps, if ``x`` is the input of one.
        recompute: As :func:`unroll` would get it.

    Returns:
        The plan. Printing it lists each layer with what is done with it, and why.

    Raises:
        TypeError: If ``net`` is not a module, or ``recompute`` is no flag. With an example, what
            :func:`unroll` raises.

    Examples:
        >>> import torch, snntorch as snn
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.BatchNorm1d(2))
        >>> print(snn.plan(net))
        Sequential:
          0  Linear       all time steps as one batch
          1  BatchNorm1d  step by step: its statistics are those of one time step
        >>> print(snn.plan(snn.Leaky(0.9), torch.ones(5, 2, 3, dtype=torch.int64)))
        Leaky:
          .  Leaky  step by step: no kernel takes input of torch.int64
    """
    fused = vars(net).get("forward") if isinstance(net, nn.Module) else None
    if isinstance(fused, Fused):
        return Plan(type(net).__name__, (Stage("loop", "", net),), (_told(fused, x),))
    expect_flag("plan", "recompute", recompute)
    stages = stages_of("plan", net)
    if x is None:
        return Plan(type(net).__name__, stages, tuple(map(note_of, stages)))
    notes, kept = zip(*_watched(net, x, num_steps, recompute), strict=True)
    return Plan(type(net).__name__, stages, notes, kept)


def _told(fused: Fused, x: Tensor | None) -> str:
    """Return what happens while a fused net is called with an example, or was the last time."""
    if talks(fused.net):
        return "its loop, as parts of it talk to other processes"
    if x is not None:
        fused = vars(copy_of(fused.net))["forward"]
        fused.trial = Trial()
        with torch.no_grad(), torch.random.fork_rng():
            fused(x)
    if fused.trial.outcome:
        return f"its loop, as {fused.trial.outcome} when deferred: {fused.report}"
    return f"deferred: {fused.report or 'call it, or plan with an example, to see how'}"


def _watched(net: nn.Module, x: Tensor, num_steps: int | None, recompute: bool) -> list[Told]:
    """Return what is done with each stage, and what it keeps, while a copy of a net runs."""
    expect_truth("plan", recompute=recompute)
    notes: list[Told] = []
    twin, sequence = copy_of(net), to_sequence("plan", x, num_steps)
    with torch.random.fork_rng():
        _play(stages_of("plan", twin), sequence, recompute=recompute, notes=notes)
    return notes


def unroll(
    net: nn.Module,
    x: Tensor,
    num_steps: int | None = None,
    *,
    record: str | tuple[str, ...] | None = None,
    chunk: int | None = None,
    truncate: bool = False,
    recompute: bool = False,
) -> Any:
    """Run a net over a whole sequence: what a loop over time returns, stacked, only faster.

    Means ``torch.stack([net(x[t]) for t in range(len(x))])`` for each tensor that the net
    returns, from the present states on, and leaves the final ones. In nested ``nn.Sequential``
    each layer runs through all of time before the next one does: a stateless layer takes all
    steps as one batch, once only where its input never changes; a neuron is one kernel.
    In other modules with neurons the loop is deferred, as by :func:`fuse`; what cannot be batched
    is stepped. :func:`plan` tells what happens.

    Choose it wherever a whole sequence is at hand. A loop remains for what depends on an
    output before the next input is known.

    Args:
        net: Any module that takes one time step per call. Build its neurons with
            ``init_hidden=True``.
        x: (time, batch, ...), or one step's input together with ``num_steps``.
        num_steps: Number of steps for which to repeat the input.
        record: What to return of the net's last neuron: ``"spk"`` or the name of a state for
            one tensor, a tuple of names for several. ``None`` returns what the net returns.
        chunk: Number of time steps to run at a time, to bound memory; ``None`` for all.
        truncate: Whether to cut gradients between chunks.
        recompute: Whether layers between two neurons run once more in the backward pass, from
            the spikes that they got, instead of keeping what they compute. :func:`plan` tells
            how many bytes are kept.

    Returns:
        What the net returns, each tensor with time as its first dimension.

    Shape:
        - ``x``: (time, batch, ...); (batch, ...) with ``num_steps``
        - returns: (time, batch, ...) each

    Raises:
        ValueError: If there is no time step, or ``record`` names what is not there.
        TypeError: If ``net`` is not a module, returns something else than tensors, or
            ``truncate`` is set without ``chunk``.

    Note:
        Sums of a matrix product may be rounded otherwise in a larger batch, and those of a
        convolution in another order, by some units in the last place. Dropout draws its masks for
        all steps at once: the same distribution, other numbers than a loop with the same seed.

    Examples:
        >>> import torch, snntorch as snn
        >>> net = torch.nn.Sequential(
        ...     torch.nn.Linear(4, 8), snn.Leaky(beta=0.9, init_hidden=True),
        ...     torch.nn.Linear(8, 2), snn.Leaky(beta=0.9, init_hidden=True, output=True),
        ... )
        >>> spk, mem = snn.unroll(net, torch.rand(25, 3, 4))
        >>> spk.shape
        torch.Size([25, 3, 2])
        >>> snn.utils.reset(net)
        >>> snn.unroll(net, torch.rand(3, 4), num_steps=25, record="spk").shape
        torch.Size([25, 3, 2])
    """
    stages = stages_of("unroll", net)
    sequence = to_sequence("unroll", x, num_steps)
    if chunk is not None:
        expect_count("unroll", "chunk", chunk)
        chunk = int(chunk)
    expect_truth("unroll", truncate=truncate)
    expect(
        chunk is not None or not truncate,
        "unroll",
        "`chunk` with truncate=True",
        "none",
        "Say between how many steps to cut the gradients, such as chunk=25.",
        TypeError,
    )
    expect_flag("unroll", "recompute", recompute)
    if record is not None:
        _expect_neuron_last(stages, record)
    return _play(stages, sequence, record, chunk, truncate, recompute)


def _play(
    stages: tuple[Stage, ...],
    sequence: Sequence,
    record: str | tuple[str, ...] | None = None,
    chunk: int | None = None,
    truncate: bool = False,
    recompute: bool = False,
    notes: list[Told] | None = None,
) -> Any:
    """Run all stages, and note what is done with each if there is where to."""
    for stage in stages:
        neuron = stage.module
        if isinstance(neuron, SpikingNeuron) and stage.kind == "neuron" and not neuron.init_hidden:
            neuron.reset_mem()  # what it left is not this sequence's
    while stages and sequence.is_constant() and stages[0].kind == "fold":
        module = stages[0].module
        same = None if is_random(module) else fold(module, arranged(module, sequence.rows))
        if same is None:
            break
        # a constant input stays constant: once is enough
        if notes is not None:
            notes.append(("once, as its input is the same at all times", 0))
        sequence, stages = Sequence(same, sequence.steps), stages[1:]
    return _in_chunks(stages, sequence, record, chunk, truncate, recompute, notes)


def _in_chunks(
    stages: tuple[Stage, ...],
    sequence: Sequence,
    record: str | tuple[str, ...] | None,
    chunk: int | None,
    truncate: bool,
    recompute: bool,
    notes: list[Told] | None,
) -> Any:
    """Run all stages on some time steps after the other."""
    parts: list[Any] = []
    told: list[list[Told]] = []
    for part in _chunks(sequence, chunk):
        if parts and truncate:
            for part_of_net in (part for stage in stages for part in stage.module.modules()):
                if isinstance(part_of_net, StateModule):
                    part_of_net.detach_mem()
        told.append([])
        here = told[-1] if notes is not None else None
        parts.append(_run(stages, part, record, recompute, here))
    if notes is not None:
        notes += [(same[0][0], sum(size for _, size in same)) for same in zip(*told, strict=True)]
    return parts[0] if len(parts) == 1 else tree_map(lambda *row: torch.cat(row), *parts)


def _expect_neuron_last(stages: tuple[Stage, ...], record: str | tuple[str, ...]) -> None:
    last = stages[-1].module if stages and stages[-1].kind == "neuron" else None
    expect(
        last is not None,
        "unroll",
        "`record` only for a net whose last layer is a neuron",
        f"one that ends in {type(stages[-1].module).__name__}" if stages else "an empty one",
        "Leave `record` out to get what the net returns.",
    )
    assert isinstance(last, SpikingNeuron)
    records(last, record)


def _chunks(x: Sequence, size: int | None) -> Iterator[Sequence]:
    if size is None or size >= x.steps:
        yield x  # uncut: the backward pass through a cut would copy
        return
    # a cut for each would add up zeros in the backward pass
    rows = None if x.is_constant() else torch.split(x.rows, size)
    for place, start in enumerate(range(0, x.steps, size)):
        steps = min(size, x.steps - start)
        yield Sequence(x.rows if rows is None else rows[place], steps)


def _run(
    stages: tuple[Stage, ...],
    x: Sequence,
    record: str | tuple[str, ...] | None,
    recompute: bool = False,
    notes: list[Told] | None = None,
) -> Any:
    """Run the stages one after the other; returns tensors (time, ...).

    Only the first stage can get an input that is the same at all times.
    """
    value: Any = x.rows
    if not stages or (x.is_constant() and stages[0].kind in ("fold", "delay")):
        value = x.rows.expand(x.steps, *x.rows.shape[1:])
    count = Counter() if notes is not None else None
    keeper = Keeper(recompute, count)
    for place, stage in enumerate(stages):
        out: Any = None
        before = count.bytes if count is not None else 0
        if place and stage.kind != "loop":
            _expect_tensor_between(stages[place - 1], stage, value)
        value = tree_map(partial(_taken, stage, x.steps), value)
        keeper.arrange(value)
        # memory of the system goes back to it at once, as one wants who has things recomputed
        if isinstance(value, Tensor) and stage.kind == "fold" and not recompute:
            chunk = steps_at_once(stage.module, value)
            if chunk < x.steps:
                rest, left = stages[place:], Sequence(value, x.steps)
                return _in_chunks(rest, left, record, chunk, False, recompute, notes)
        if isinstance(value, Tensor) and stage.kind == "neuron":
            assert isinstance(stage.module, SpikingNeuron)
            asked = record if stage is stages[-1] else None
            over_time = Sequence(value, x.steps)
            note = describe(stage.module, over_time) if notes is not None else ""
            with keeper.around(stage.module, value):
                out = unroll_neuron(stage.module, over_time, record=asked, any_order=True)
        elif isinstance(value, Tensor) and stage.kind == "delay":
            assert isinstance(stage.module, SynapticDelay)
            with keeper.around(stage.module, value):
                out, note = stage.module.unroll(value), note_of(stage)
        elif isinstance(value, Tensor) and stage.kind == "fold":
            with keeper.around(stage.module, value, folds=True):
                out = fold(stage.module, value)
            note = note_of(stage) if out is not None else f"step by step: {_NO_BATCH}"
        else:
            note = note_of(stage)
        if out is None and _is_deferred(stage):
            with Recorder() as noted:
                out = _stepped(stage.module, value, x.steps)
                noted.flush()
            out = tree_map(noted.unwrap, out)
            note = f"deferred: {noted.report}" if noted.report.pays else note
        keeper.follow(stage.module, out, folds=stage.kind == "fold")
        value = _stepped(stage.module, value, x.steps) if out is None else out
        if notes is not None and count is not None:
            notes.append((note, count.bytes - before))
    return tree_map(lambda one: plain(one) if isinstance(one, Tensor) else one, value)


def _taken(stage: Stage, steps: int, value: Any) -> Any:
    """Return what a stage takes, in an order in memory that it can take, best the one it likes."""
    if not isinstance(value, Tensor):
        return value
    if stage.kind == "fold":
        return arranged(stage.module, value)
    if isinstance(stage.module, SpikingNeuron) and stage.kind == "neuron":
        kept = not channels_are_last(value) or not is_stepped(stage.module, Sequence(value, steps))
        return value if kept else plain(value)
    return plain(value)


def _is_deferred(stage: Stage) -> bool:
    """Return whether the loop over a stage is noted, and run layer by layer where that pays.

    Hooks are called at each step with what a step gives.
    """
    net = stage.module
    own = not (isinstance(net, SpikingNeuron) or is_hooked(net) or talks(net))
    spiking = any(isinstance(part, SpikingNeuron) for part in net.modules())
    return stage.kind == "loop" and can_note() and own and spiking


def _expect_tensor_between(before: Stage, stage: Stage, value: Any) -> None:
    """Raise ``TypeError`` if a neuron hands on its states to a layer that takes a tensor."""
    expect(
        isinstance(value, Tensor),
        "unroll",
        f"one tensor from {_named(before)} for {_named(stage)}",
        f"a {type(value).__name__}",
        "Build a neuron that is followed by other layers with init_hidden=True, output=False.",
        TypeError,
    )


def _named(stage: Stage) -> str:
    return f"{type(stage.module).__name__} (layer {stage.name!r})"


def _stepped(module: nn.Module, value: Any, steps: int) -> Any:
    def at(t: int) -> Any:
        return tree_map(lambda v: v[t if len(v) > 1 else 0], value)

    return stacked(module, [module(at(t)) for t in range(steps)])
