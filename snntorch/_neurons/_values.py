"""The parameters a neuron owns: thresholds, decay rates, factors."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from snntorch._checks import expect, expect_as_weights, expect_flag, expect_real, shape_of
from snntorch._kernels.equations import in_dtype
from snntorch._torch import is_jit_traced
from snntorch.surrogate import why_traceable


def to_value(owner: object, name: str, value: Any) -> Tensor:
    """Return a float tensor from a number, an array or a tensor.

    Numbers, arrays and integer tensors take torch's default dtype; a tensor of floats
    keeps its own. The caller's memory is not shared, unless ``value`` has a gradient, which
    a copy would lose.

    Raises:
        TypeError: If ``value`` is not numeric, or complex.
    """
    if isinstance(value, Tensor) and value.requires_grad:
        return value
    kind = f"{type(value).__name__} ({value!r})"
    try:
        tensor = torch.as_tensor(value).detach().clone()
    except (TypeError, ValueError, RuntimeError):
        expect(False, owner, f"`{name}` to be a number, array or tensor", kind, error=TypeError)
        raise
    expect_real(owner, name, value)
    if isinstance(value, Tensor) and tensor.is_floating_point():
        return tensor
    return tensor.to(torch.get_default_dtype())


class _Clamp(torch.autograd.Function):
    """Clamp; outside, only a gradient that leads back inside passes.

    A descent step follows the gradient's negative, so above the bounds a positive one leads
    back. That of torch.clamp is 0 there, and what an update pushed over the edge would stay.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(value: Tensor, low: float, high: float) -> Tensor:
        return value.clamp(low, high)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float, float], output: Tensor) -> None:
        value, ctx.low, ctx.high = inputs
        ctx.save_for_backward(value)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (value,) = ctx.saved_tensors
        outward = ((value > ctx.high) & (grad < 0)) | ((value < ctx.low) & (grad > 0))
        return grad.masked_fill(outward, 0), None, None


def clamped(value: Tensor, low: float = 0, high: float = 1) -> Tensor:
    """Return a parameter within its bounds; one that learns can come back from beyond them."""
    learns = value.requires_grad and torch.is_grad_enabled()
    if not learns or is_jit_traced() or why_traceable() is not None:
        return value.clamp(low, high)
    found: Tensor = _Clamp.apply(value, low, high)  # type: ignore[no-untyped-call]
    return found


class ValueModule(nn.Module):
    """A module whose parameters are of torch's if learned, buffers otherwise.

    Either way they are in its ``state_dict``. Decay rates are clamped to [0, 1] where they
    are used.
    """

    #: Decay rates, clamped to [0, 1] where they are used.
    decay_names: ClassVar[tuple[str, ...]] = ()
    #: The parameters that decide what fires, and how large a spike is.
    _excess_names: ClassVar[tuple[str, ...]] = ("threshold", "graded_spikes_factor")

    def __init__(self) -> None:
        super().__init__()
        #: Names of the parameters, in the order in which they came.
        self._parameter_names: list[str] = []

    def _register(
        self, name: str, value: Any, learn: bool = False, persistent: bool = True
    ) -> None:
        """Own ``value`` as a parameter if it is learned, otherwise as a buffer."""
        expect_flag(self, f"learn_{name}", learn)
        with torch.inference_mode(False):  # what is made in inference mode can't be trained later
            tensor = to_value(self, name, value)
            if learn:
                self.register_parameter(name, nn.Parameter(tensor.detach().clone()))
            else:
                self.register_buffer(name, tensor, persistent)
        self._parameter_names.append(name)

    def _expect_positive(self, *names: str) -> None:
        """Raise ``ValueError`` unless what is owned by these names is above 0."""
        for name in names:
            value = self._value(name)
            known = value.is_meta or bool((value > 0).all())
            expect(known, self, f"`{name}` above 0", self._shown(name))

    def _value(self, name: str) -> Tensor:
        """Return a value by name; the module's ``__getattr__`` takes ten times as long."""
        value: Tensor | None = self._parameters.get(name)
        if value is None:
            value = self._buffers.get(name)
        return getattr(self, name) if value is None else value

    def _decay(self, name: str) -> Tensor:
        """Return a decay rate, clamped to [0, 1]."""
        return clamped(self._value(name))

    def _broadcast(self, name: str, value: Tensor, shape: torch.Size) -> torch.Size:
        try:
            if why_traceable() is not None:  # torch asks by operations on tensors
                return torch.Size(np.broadcast_shapes(tuple(map(int, shape)), shape_of(value)))
            return torch.Size(torch.broadcast_shapes(shape, value.shape))  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError):
            what = f"`{name}` to broadcast with a step of shape {tuple(shape)}"
            hint = "Give one number for all neurons, or one for each in the last dimension."
            expect(False, self, what, shape_of(value), hint)
            raise

    def _expect_beside(self, name: str, input_: Tensor) -> None:
        """Raise ``ValueError`` unless a parameter is where the input is, or a mere number."""
        value = self._value(name)
        here, there = input_.device, value.device
        if there != here and (value.dim() or not value.is_cpu):
            what, hint = f"`input_` on device {there}, where its `{name}` is", "Move one of them."
            expect(False, self, what, f"one on {here}", hint)

    def _expect_no_wider(self, name: str, shape: torch.Size, input_: Tensor) -> None:
        """Raise ``ValueError`` unless a number expands to a shape that no number can change."""
        self._expect_beside(name, input_)
        value = self._value(name)
        if value.dim():
            wide = self._broadcast(name, value, shape)
            expect(wide == shape, self, f"`{name}` to expand to {tuple(shape)}", shape_of(value))

    def _expect_as_weights(
        self, name: str, value: Tensor, layer: str, weight_name: str = "weight"
    ) -> None:
        """Raise unless a tensor has dtype and device of the weights of a layer, if it has some."""
        module = self._modules[layer]
        weight = None if module is None else module._parameters.get(weight_name)
        if weight is None:
            return
        # a whole device takes time to compare
        if weight.dtype is not value.dtype or weight.is_cpu is not value.is_cpu:
            expect_as_weights(self, name, value, weight)

    def _shown(self, name: str) -> str:
        """Return a parameter as ``repr`` shows it."""
        value = self._value(name)
        if value.numel() == 1 and not value.is_meta:
            text = f"{value.item():.6g}"
        else:
            text = f"<{', '.join(map(str, value.shape)) or 'one'} on {value.device}>"
        return f"{text} (learned)" if value.requires_grad else text

    def _graded(self, spikes: Tensor) -> Tensor:
        """Return spikes of the size of the graded spikes factor."""
        return spikes * in_dtype(self._value("graded_spikes_factor"), spikes.dtype)


def not_of_inference(tensor: Tensor) -> Tensor:
    """Return a tensor that autograd can keep; one of inference mode is copied."""
    if torch.compiler.is_compiling():  # which can neither ask nor has to
        return tensor
    if tensor.is_inference() and not torch.is_inference_mode_enabled():
        return tensor.clone()
    return tensor
