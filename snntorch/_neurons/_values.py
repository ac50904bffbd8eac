"""The numbers a neuron owns: thresholds, decay rates, factors."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from snntorch._checks import expect


def to_value(owner: object, name: str, value: Any) -> Tensor:
    """Return a float tensor of its own from a number, an array or a tensor.

    Numbers, arrays and integer tensors take torch's default dtype; a tensor of floats
    keeps its own. The caller's memory is not shared.

    Raises:
        TypeError: If ``value`` is not numeric.
    """
    try:
        tensor = torch.as_tensor(value).detach().clone()
    except (TypeError, ValueError, RuntimeError):
        kind = f"{type(value).__name__} ({value!r})"
        expect(False, owner, f"`{name}` to be a number, array or tensor", kind, error=TypeError)
        raise
    if isinstance(value, Tensor) and tensor.is_floating_point():
        return tensor
    return tensor.to(torch.get_default_dtype())


class ValueModule(nn.Module):
    """A module whose numbers are parameters if learned, buffers otherwise.

    Either way they are in its ``state_dict``. Decay rates are clamped to [0, 1] and
    spikes are multiplied by the graded factor where they are used; for a constant that
    this would not change, the operation is left out.
    """

    #: Decay rates, clamped to [0, 1] where they are used.
    decay_names: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        self._neutral: dict[str, tuple[Tensor, int]] = {}

    def _register(self, name: str, value: Any, learn: bool = False) -> None:
        """Own ``value`` as a parameter if it is learned, otherwise as a buffer."""
        tensor = to_value(self, name, value)
        if learn:
            self.register_parameter(name, nn.Parameter(tensor))
        else:
            self.register_buffer(name, tensor)
            self._note_neutral()

    def _value(self, name: str) -> Tensor:
        """Return a value by name; the module's ``__getattr__`` takes ten times as long."""
        value: Tensor | None = self._parameters.get(name)
        if value is None:
            value = self._buffers.get(name)
        return getattr(self, name) if value is None else value

    def _decay(self, name: str) -> Tensor:
        """Return a decay rate, clamped to [0, 1]."""
        value = self._value(name)
        return value if self._is_neutral(name) else value.clamp(0, 1)

    def _graded(self, spikes: Tensor) -> Tensor:
        """Return spikes of the size of the graded spikes factor."""
        if self._is_neutral("graded_spikes_factor"):
            return spikes
        return spikes * self._value("graded_spikes_factor")

    def _is_neutral(self, name: str) -> bool:
        """Return whether the operation on a constant is known to change nothing.

        Known means that this very tensor was looked at, and not written to since. The
        look waits for no device: it happens when a constant arrives, not at every step.
        """
        if torch.compiler.is_compiling():  # there the operation is fused, a guard is not
            return False
        known = self._neutral.get(name)
        if known is None:
            return False
        value, version = known
        return value is self._buffers.get(name) and value._version == version

    def _note_neutral(self) -> None:
        """Look at all constants, after they arrived or moved."""
        self._neutral = {}
        for name in ("graded_spikes_factor", *self.decay_names):
            value = self._buffers.get(name)
            if type(value) is not Tensor or value.is_meta or value.is_inference():
                continue  # nothing to look at, or nobody counts what is written to it
            in_range = value == 1 if name not in self.decay_names else (value >= 0) & (value <= 1)
            if in_range.all():
                self._neutral[name] = (value, value._version)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        module = super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._note_neutral()
        return module

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._note_neutral()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_neutral": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._note_neutral()
