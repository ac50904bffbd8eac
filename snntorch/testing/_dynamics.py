"""Laws of what a neuron computes, however it is run."""

from __future__ import annotations

import torch
from torch import Tensor

from snntorch._checks import shape_of
from snntorch._neurons._adaptation import ADAPT
from snntorch._neurons.neurons import SpikingNeuron
from snntorch.testing._subject import (
    ROUNDING,
    BrokenLawError,
    Rows,
    Subject,
    Way,
    by_step,
    expect_same,
    fused,
    gradients,
    left,
    loop,
    passed_names,
    unrolled,
    value_of,
)


def shapes(subject: Subject) -> None:
    """A call returns the spikes and all states, of the shape that `state_shape` tells.

    Let `step` return one tensor for each of `state_names`, in their order and of the shape of the
    old states; recurrent neurons leave out "spk". Let `state_shape` tell a shape that is not that
    of the input.
    """
    dtype = torch.get_default_dtype()
    neuron, x = subject.make(dtype=dtype), subject.input(dtype=dtype)
    shape, rows = tuple(neuron.state_shape(x[0])), loop(neuron, x)
    for name in passed_names(neuron):
        if shape_of(rows[name][0]) != shape:
            raise BrokenLawError(
                f"`{name}` has shape {shape_of(rows[name][0])} instead of {shape}."
            )
    if rows["spk"].shape[1] != subject.shape[0]:
        raise BrokenLawError(f"`spk` is of {rows['spk'].shape[1]} samples, not {subject.shape[0]}.")


def spikes(subject: Subject) -> None:
    """Spikes are 0 or the graded spikes factor, and both occur.

    Leave firing to the class: what exceeds the threshold is what `readout` returns. Where the
    neuron never fires, or always, pass an input of another `scale`.
    """
    neuron = subject.make()
    spk = loop(neuron, subject.input())["spk"].detach()
    graded = value_of(neuron, "graded_spikes_factor")
    fires = spk != 0
    wrong = fires & (spk != graded)
    if wrong.any():
        values = ", ".join(f"{value:.6g}" for value in sorted({*spk[wrong].tolist()})[:5])
        raise BrokenLawError(f"Of {spk.numel()} spikes, {int(wrong.sum())} are neither: {values}.")
    can_fire = bool(value_of(neuron, "threshold").isfinite().any())
    if can_fire and not 0 < int(fires.sum()) < spk.numel():
        raise BrokenLawError(f"It fired {int(fires.sum())} of {spk.numel()} times.")


def inputs(subject: Subject) -> None:
    """A run writes neither to its input nor to the states it is given.

    Compute new tensors: `mem = beta * mem + input_`, not `mem.mul_(beta).add_(input_)`.
    """
    for way in (loop, unrolled, fused):
        neuron, x = subject.make(), subject.input()
        states = subject.states(neuron)
        given = {"the input": x, **dict(zip(passed_names(neuron), states, strict=True))}
        before = {name: value.clone() for name, value in given.items()}
        way(neuron, x, *states)
        expect_same(given, before, f"After {way.__name__}, the caller's")


def states(subject: Subject) -> None:
    """States that are passed, and those on the module, give the same; nothing else is carried on.

    Name all that goes from step to step in `state_names`, and let `step` take and return it:
    what is kept elsewhere is shared by all sequences that run at the same time.
    """
    neuron, x, other = subject.make(), subject.input(0), subject.input(1)
    want, want_other = loop(neuron, x), loop(subject.make(), other)
    kept = subject.make(hidden=True)
    expect_same(loop(kept, x), want, "With init_hidden=True,")
    last = {name: want[name][-1] for name in passed_names(neuron)}
    expect_same(left(kept), last, "On the module with init_hidden=True,")
    for got, wanted in zip(_in_turns(subject.make(), x, other), (want, want_other), strict=True):
        expect_same(got, wanted, "In turns with another sequence,")


def _in_turns(neuron: SpikingNeuron, *sequences: Tensor) -> list[Rows]:
    """Run sequences on one neuron, a step of each in turn, each with states of its own."""
    passed: list[tuple[Tensor, ...]] = [() for _ in sequences]
    parts: list[list[Rows]] = [[] for _ in sequences]
    for inputs in zip(*sequences, strict=True):
        for place, step in enumerate(inputs):
            row = loop(neuron, step[None], *passed[place])
            passed[place] = tuple(row[name][0] for name in passed_names(neuron))
            parts[place].append(row)
    return [_joined(rows) for rows in parts]


def _joined(parts: list[Rows]) -> Rows:
    """Return rows one after the other in time."""
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def resets(subject: Subject) -> None:
    """After `reset_mem` all is as at first, and the states are zero.

    Name all that goes from step to step in `state_names`, which `reset_mem` zeroes.
    """
    x, other = subject.input(0), subject.input(1)
    for hidden in (False, True):
        neuron = subject.make(hidden)
        want = loop(neuron, x)
        loop(neuron, other)
        neuron.reset_mem()
        zeros = {name: torch.zeros_like(state) for name, state in left(neuron).items()}
        expect_same(left(neuron), zeros, "After reset_mem,")
        expect_same(loop(neuron, x), want, "In a second run from reset_mem,")
    neuron = subject.make(hidden=True)
    loop(neuron, x)
    want = loop(subject.make(), other[:, :1])
    expect_same(loop(neuron, other[:, :1]), want, "With a batch of another size,")


def zeroing(subject: Subject) -> None:
    """With reset_mechanism="zero", where the membrane was above threshold nothing is left of it.

    Name in `zeroed_states` what a spike clears.
    """
    neuron, other, x = subject.make(hidden=True), subject.make(), subject.input()
    if "zero" not in neuron.reset_mechanisms:
        return
    for one in (neuron, other):
        one.reset_mechanism = "zero"
        one.state_quant = False  # a grid need not have zero
    loop(neuron, x[:1])
    for t in range(1, len(x)):
        old = left(neuron)
        raised = old[ADAPT] if neuron.adapts else 0
        crossed = old[neuron.state_names[-1]] - raised > value_of(neuron, "threshold")
        cleared = {
            name: 0 * old[name] if name in neuron.zeroed_states else old[name]
            for name in passed_names(neuron)
        }
        fresh = loop(other, x[t : t + 1], *cleared.values())
        new = loop(neuron, x[t : t + 1])
        for name in neuron.zeroed_states:
            # after the update nothing is left at all; before it, what the update makes of zeros
            want = fresh[name][0] if neuron.zeroes_old_states else cleared[name]
            found = {name: new[name][0][crossed]}
            expect_same(found, {name: want[crossed]}, "Where it was reset,", ROUNDING)


def equation(subject: Subject) -> None:
    """A step by a kernel is `step`, reset and firing in plain torch.

    Where `model` names an equation of the kernels, `step` has to be that equation, and
    `step_parameters` its parameters; else leave `model` out.
    """
    _as_by_step(subject, loop)


def samples(subject: Subject) -> None:
    """No sample has a part in what another gives.

    Compute each row of the batch alone: no mean, sum, sort or norm over the first dimension.
    """
    neuron, x = subject.make(), subject.input()
    changed = x.clone()
    changed[:, 0] = subject.input(1)[:, 0]
    want = _others(loop(neuron, x))
    expect_same(_others(loop(neuron, changed)), want, "With other input to sample 0, in the rest")
    want = _input_gradient(loop, subject, x)
    expect_same(_input_gradient(loop, subject, changed), want, "With other input to sample 0,")


def nans(subject: Subject) -> None:
    """NaN or infinity in one sample stays in that sample, in gradients, too.

    Compute each row of the batch alone. A product with zero does not hide NaN: use torch.where.
    """
    x = subject.input()
    for way in (loop, unrolled):
        want = _others(way(subject.make(), x))
        slopes = _input_gradient(way, subject, x)
        for value in (float("nan"), float("inf"), -float("inf")):
            spoilt = x.clone()
            spoilt[1, 0] = value
            what = f"By {way.__name__} with {value} in sample 0, in the rest"
            expect_same(_others(way(subject.make(), spoilt)), want, what, ROUNDING)
            found = _input_gradient(way, subject, spoilt)
            expect_same(found, slopes, what, ROUNDING)


def _others(rows: Rows) -> Rows:
    """Return all samples but the first."""
    return {name: value[:, 1:] for name, value in rows.items()}


def _input_gradient(way: Way, subject: Subject, x: Tensor) -> Rows:
    found = gradients(way, subject.make(), x)["the input"]
    return {} if found is None else _others({"gradient": found})


def time(subject: Subject) -> None:
    """A sequence in two parts, the second from the states that the first left, is the whole.

    Let `step` depend on its arguments alone, not on how many steps there were.
    """
    x, cut = subject.input(), subject.steps // 3
    for way in (loop, unrolled):
        for hidden in (False, True):
            want = way(subject.make(hidden), x)
            neuron = subject.make(hidden)
            first = way(neuron, x[:cut])
            passed = () if hidden else tuple(first[name][-1] for name in passed_names(neuron))
            second = way(neuron, x[cut:], *passed)
            expect_same(
                _joined([first, second]), want, f"By {way.__name__} in two parts,", ROUNDING
            )


def unroll(subject: Subject) -> None:
    """`unroll` gives what a loop gives, and leaves the same states.

    Leave `unroll` to the class, which runs what it does not know step by step.
    """
    _as_by_step(subject, unrolled)


def fuse(subject: Subject) -> None:
    """In a net that is fused, a loop gives what it gives by itself, and leaves the same states.

    Compute with torch's functions alone: a value that Python looks at, or that is kept elsewhere
    than in a state, is not there yet while a loop is noted.
    """
    _as_by_step(subject, fused)


def _as_by_step(subject: Subject, way: Way) -> None:
    for hidden in (False, True):
        neuron, other, x = subject.make(hidden), subject.make(hidden), subject.input()
        want = by_step(neuron, x)
        what = f"With init_hidden={hidden},"
        expect_same(way(other, x), want, what, ROUNDING)
        expect_same(left(other), left(neuron), f"{what} on the module", ROUNDING)
