"""Laws of a neuron as a module: cut, copied, saved and moved."""

from __future__ import annotations

import copy
import io
import pickle  # nosec B403
from typing import Any

import torch
from torch import Tensor

from snntorch._neurons.neurons import SpikingNeuron
from snntorch.testing._subject import BrokenLawError, Rows, Subject, expect_same, left, loop

#: What a module is moved to besides float64, which the other laws use.
DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def dtypes(subject: Subject) -> None:
    """Spikes and states have the dtype of the module and its input, and follow a move.

    Keep numbers that are no Python numbers as parameters or by `register_buffer`, and make new
    tensors like others: `torch.zeros_like(mem)`, not `torch.zeros(3)`.
    """
    for dtype in (torch.float64, *DTYPES):
        for hidden in (False, True):
            neuron = subject.make(hidden, dtype)
            for name, value in loop(neuron, subject.input(dtype=dtype)).items():
                _expect_like(name, value, torch.empty(0, dtype=dtype))
        neuron.to(torch.float64)
        for name, value in left(neuron).items():
            _expect_like(name, value, torch.empty(0, dtype=torch.float64))


def devices(subject: Subject) -> None:
    """Parameters, states and results are where module and input are moved (here to "meta").

    Keep tensors as parameters, by `register_buffer`, or in states, and make new ones like others.
    A step that looks at numbers (`if mem.max() > 1:`) runs on no such device: leave this law out.
    """
    neuron, x = subject.make(hidden=True), subject.input()
    rows, meta = loop(neuron, x), torch.empty(0, dtype=torch.float64, device="meta")
    neuron.to("meta")
    tensors = dict(neuron.named_parameters()) | left(neuron)
    tensors |= {f"the new {name}": value for name, value in loop(neuron, x.to("meta")).items()}
    for name, value in tensors.items():
        _expect_like(name, value, meta)
    for name, row in rows.items():
        if tensors[f"the new {name}"].shape != row.shape:
            raise BrokenLawError(f"`{name}` has another shape on meta than on {row.device}.")


def _expect_like(name: str, value: Tensor, like: Tensor) -> None:
    if (value.dtype, value.device) != (like.dtype, like.device):
        got, want = (f"{one.dtype} on {one.device}" for one in (value, like))
        raise BrokenLawError(f"`{name}` is {got}, not {want}.")


def detaching(subject: Subject) -> None:
    """`detach_mem` cuts the states from what led to them, and leaves their values.

    Name all that goes from step to step in `state_names`.
    """
    neuron = subject.make(hidden=True)
    early, late = (subject.input(part).requires_grad_() for part in (0, 1))
    loop(neuron, early)
    before = _values(neuron)
    neuron.detach_mem()
    expect_same(left(neuron), before, "After detach_mem,")
    total = sum(value.sum() for value in loop(neuron, late).values())
    if isinstance(total, Tensor) and total.requires_grad:
        (grad,) = torch.autograd.grad(total, early, allow_unused=True)
        if grad is not None:
            raise BrokenLawError(
                f"A gradient of {float(grad.abs().max()):.3g} passed what was detached."
            )


def copies(subject: Subject) -> None:
    """A copy goes on from the states of the original, and neither changes the other.

    Keep states in `state_names`, and leave `__copy__` and `__deepcopy__` to the class.
    """
    x, more = subject.input(0), subject.input(1)
    for way in (copy.copy, copy.deepcopy):
        for hidden in (False, True):
            neuron = subject.make(hidden)
            loop(neuron, x.clone().requires_grad_())
            other, before = way(neuron), _values(neuron)
            expect_same(left(other), before, f"In a {way.__name__},")
            got = loop(other, more)
            other.reset_mem()
            expect_same(left(neuron), before, f"In the original, after its {way.__name__} ran,")
            expect_same(loop(neuron, more), got, f"In the original of a {way.__name__},")


def pickles(subject: Subject) -> None:
    """A pickle holds all but the states, and these, too, with `pickle_states` set.

    Keep what can be pickled on the neuron: a class or a function of a module, not a lambda.
    """
    x, more = subject.input(0), subject.input(1)
    for asked in (False, True):
        neuron = subject.make(hidden=True)
        neuron.pickle_states = asked
        loop(neuron, x.clone().requires_grad_())
        read = _pickled(neuron)
        like = neuron if asked else subject.make(hidden=True)
        want = loop(like, more)
        expect_same(loop(read, more), want, f"Read with pickle_states={asked},")


def _pickled(neuron: SpikingNeuron) -> SpikingNeuron:
    """Return a neuron from its pickle; its classes need not be found by name, as in a notebook."""
    classes = {cls.__qualname__: cls for cls in type(neuron).__mro__}

    class Writer(pickle.Pickler):
        def persistent_id(self, obj: Any) -> str | None:
            known = isinstance(obj, type) and classes.get(obj.__qualname__) is obj
            return obj.__qualname__ if known else None

    class Reader(pickle.Unpickler):
        def persistent_load(self, pid: Any) -> Any:
            return classes[pid]

    Writer(file := io.BytesIO()).dump(neuron)
    file.seek(0)
    read: SpikingNeuron = Reader(file).load()
    return read


def checkpoints(subject: Subject) -> None:
    """A state_dict, saved and loaded with weights_only=True, brings all that was learned.

    Keep what is learned as parameters, what is not by `register_buffer`, and states out of both.
    """
    neuron, other, x = subject.make(hidden=True), subject.make(hidden=True), subject.input()
    keys = set(neuron.state_dict())
    want = loop(neuron, x)
    saved = neuron.state_dict()
    if set(saved) != keys:
        raise BrokenLawError(f"A run added {sorted(set(saved) - keys)} to it.")
    if found := keys & set(neuron.state_names):
        raise BrokenLawError(f"It holds the states {sorted(found)}, which are of a batch.")
    torch.save(saved, file := io.BytesIO())
    file.seek(0)
    with torch.no_grad():
        for value in other.state_dict().values():
            if value.is_floating_point():
                value.mul_(0.7).add_(0.05)
    other.load_state_dict(torch.load(file, weights_only=True))
    expect_same(loop(other, x), want, "Loaded,")


def _values(neuron: SpikingNeuron) -> Rows:
    """Return copies of the states."""
    return {name: state.detach().clone() for name, state in left(neuron).items()}
