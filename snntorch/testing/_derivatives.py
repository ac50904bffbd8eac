"""Laws of the update, and of what is learned by it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.gradcheck import GradcheckError, gradcheck
from torch.func import functional_call

from snntorch._kernels.equations import States
from snntorch._neurons._adaptation import ADAPT
from snntorch._neurons.neurons import SpikingNeuron
from snntorch._torch import tree_flatten
from snntorch.testing._subject import (
    ROUNDING,
    SEED,
    BrokenLawError,
    Rows,
    Subject,
    by_step,
    expect_same,
    fused,
    gradients,
    loop,
    passed_names,
    unrolled,
)


class _Step(nn.Module):
    """A module whose ``forward`` is the update of a neuron, before any reset."""

    def __init__(self, neuron: SpikingNeuron) -> None:
        super().__init__()
        self.neuron = neuron

    def forward(self, input_: Tensor, *states: Tensor) -> States:
        """Return the states after the update; that of a threshold that adapts has no part in it."""
        named = dict(zip(passed_names(self.neuron), states, strict=True))
        if self.neuron.adapts:
            named.pop(ADAPT, None)
        if self.neuron.expands_input:
            input_ = input_.expand(states[-1].shape)
        return self.neuron.step(input_, *named.values(), **self.neuron.step_parameters())


def purity(subject: Subject) -> None:
    """`step` is a function of its arguments: the same give the same, and nothing is written down.

    Write nothing to `self` in `step`: what the next step needs is a state, of `state_names`.
    """
    neuron, x = subject.make(), subject.input()
    step, given = _Step(neuron), subject.states(neuron)
    before = _attributes(neuron)

    def run(input_: Tensor) -> Rows:
        torch.manual_seed(SEED)
        with torch.no_grad():
            return {f"{place}": new for place, new in enumerate(step(input_, *given))}

    want = {name: value.clone() for name, value in run(x[0]).items()}
    run(x[1])
    expect_same(run(x[0]), want, "Called again with the same arguments, new state")
    for name, (values, copies) in _attributes(neuron).items():
        was, were = before.get(name, ([], []))
        if len(values) != len(was) or not all(map(_unchanged, values, was, copies, were)):
            raise BrokenLawError(f"A call of `step` changed `{name}` of the neuron.")


def _attributes(neuron: SpikingNeuron) -> dict[str, tuple[list[Any], list[Any]]]:
    """Return what every attribute holds, and copies of the tensors in it."""
    found = {}
    for path, module in neuron.named_modules():
        for name, value in vars(module).items():
            values = tree_flatten(value)[0]
            copies = [v.clone() if isinstance(v, Tensor) else v for v in values]
            found[f"{path}.{name}" if path else name] = values, copies
    return found


def _unchanged(value: Any, was: Any, copy: Any, before: Any) -> bool:
    """Return whether something is the same object, with the same numbers in it."""
    if isinstance(value, (int, float, str)):
        return bool(value == was)
    return value is was and (not isinstance(copy, Tensor) or bool(torch.equal(copy, before)))


def derivatives(subject: Subject) -> None:
    """The derivatives of `step` are those of its values, by finite differences.

    Hold a gradient of your own against torch.autograd.gradcheck. A step that rounds has no other
    derivative than one that is made up: leave this law out then.
    """
    neuron = subject.make()
    step = _Step(neuron)
    learned = dict(step.named_parameters())
    states = [state.requires_grad_() for state in subject.states(neuron)]
    x = subject.input()[0].requires_grad_()

    def update(*args: Tensor) -> Any:
        arguments, parameters = args[: 1 + len(states)], args[1 + len(states) :]
        torch.manual_seed(SEED)
        return functional_call(step, dict(zip(learned, parameters, strict=True)), arguments)

    try:
        gradcheck(update, (x, *states, *learned.values()), fast_mode=True)
    except GradcheckError as error:
        raise BrokenLawError(str(error)) from None


def learning(subject: Subject) -> None:
    """Gradients reach the input and every parameter that is learned.

    Use each parameter in `step`, and compute with tensors: `.item()`, `.data` and `.detach()` cut
    gradients off.
    """
    for name, grad in gradients(loop, subject.make(), subject.input()).items():
        if grad is None or not grad.any():
            raise BrokenLawError(f"The gradient of {name} is {'None' if grad is None else 'zero'}.")
        if not grad.isfinite().all():
            raise BrokenLawError(f"The gradient of {name} is not finite.")


def backward(subject: Subject) -> None:
    """Gradients are the same however the neuron is run: by `step`, a kernel, `unroll`, or fused.

    Leave the backward pass of a sequence to the class.
    """
    x = subject.input()
    want = gradients(by_step, subject.make(), x)
    for way in (loop, unrolled, fused):
        for hidden in (False, True):
            got = gradients(way, subject.make(hidden), x)
            what = f"By {way.__name__} with init_hidden={hidden}, the gradient of"
            found = {name: _or_zeros(grad, want[name]) for name, grad in got.items()}
            wanted = {name: _or_zeros(grad, got[name]) for name, grad in want.items()}
            expect_same(found, wanted, what, 100 * ROUNDING)


def _or_zeros(grad: Tensor | None, like: Tensor | None) -> Tensor:
    """Return a gradient; one that is not there is zero."""
    if grad is None:
        return torch.zeros(()) if like is None else torch.zeros_like(like)
    return grad
