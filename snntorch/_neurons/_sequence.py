"""What the neurons that take a whole sequence in one call share."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from snntorch._checks import expect, expect_tensor, shape_of
from snntorch._neurons.neurons import SpikingNeuron
from snntorch._torch import is_traced
from snntorch._unroll import native

#: Steps that a scan takes one by one, for all blocks of a sequence at once.
BLOCK = 32


def expect_sequence(
    owner: object, name: str, value: Any, features: int, batched: bool = True
) -> None:
    """Raise unless ``value`` is a sequence of at least one step.

    Args:
        owner: Who expects it.
        name: Name of the argument.
        value: What came.
        features: Size that the last dimension has to have.
        batched: ``False`` accepts (time, features) besides (time, batch, features).

    Raises:
        TypeError: If ``value`` is not a tensor.
        ValueError: If it has another shape.
    """
    expect_tensor(owner, name, value)
    got = shape_of(value)
    fits = (len(got) == 3 or (len(got) == 2 and not batched)) and got[-1] == features
    expect(
        fits and got[0] > 0,
        owner,
        f"`{name}` of shape (time, batch, {features}), a sequence of at least one step",
        got,
        "Collect the steps with torch.stack(steps); for one step pass step.unsqueeze(0).",
    )


def linear_scan(decay: Tensor, x: Tensor) -> Tensor:
    r"""Return y with :math:`y[t] = decay[t]\,y[t-1] + x[t]` along the first dimension.

    Nothing is divided, so that a vanishing product of decays loses nothing. What
    autograd keeps is ``decay`` and the result. Half precision is summed in single.

    Args:
        decay: (time, ...), expandable to ``x``.
        x: (time, ...).

    Returns:
        A tensor as ``x``.
    """
    dtype = torch.promote_types(x.dtype, torch.float32)
    y: Tensor = _LinearScan.apply(decay.to(dtype), x.to(dtype), False)  # type: ignore[no-untyped-call]
    return y.to(x.dtype)


def _scan(decay: Tensor, x: Tensor) -> Tensor:
    """Scan all blocks side by side from zero, then add what each inherits."""
    steps = len(x)
    size = min(steps, BLOCK)
    y, decay = _blocks(x, size), _blocks(decay, size)
    for t in range(1, size):
        y[:, t].addcmul_(decay[:, t], y[:, t - 1])
    if len(y) > 1:
        fade = decay.cumprod(1)
        ends = _scan(fade[:, -1], y[:, -1])
        y[1:].addcmul_(fade[1:], ends[:-1].unsqueeze(1))
    return y.flatten(0, 1)[:steps]


def _blocks(x: Tensor, size: int) -> Tensor:
    """Return a copy of x in blocks of equal size, the last one filled up with zeros."""
    padding = [0] * (2 * x.dim() - 1) + [-len(x) % size]
    return F.pad(x, padding).reshape(-1, size, *x.shape[1:])


class _LinearScan(torch.autograd.Function):
    """The sum forwards in time, or with ``back`` y[t] = decay[t+1] y[t+1] + x[t].

    Each is the other's way back.
    """

    @staticmethod
    def forward(decay: Tensor, x: Tensor, back: bool) -> Tensor:
        eager = type(x) is Tensor and not is_traced()
        if eager and x.is_cpu and native.available() is None:
            return native.scan(decay, x, back)
        if not back:
            return _scan(decay, x)
        later = torch.cat([decay[1:], torch.zeros_like(decay[:1])])
        return _scan(later.flip(0), x.flip(0)).flip(0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, bool], output: Tensor) -> None:
        decay, _, ctx.back = inputs
        ctx.save_for_backward(decay, output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, None]:
        decay, y = ctx.saved_tensors
        grad_x = _LinearScan.apply(decay, grad, not ctx.back)  # type: ignore[no-untyped-call]
        grad_decay = None
        if ctx.needs_input_grad[0]:
            later, earlier = (grad_x, y) if not ctx.back else (y, grad_x)
            before = torch.cat([torch.zeros_like(earlier[:1]), earlier[:-1]])
            grad_decay = (later * before).sum_to_size(decay.shape)
        return grad_decay, grad_x, None

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], decay: Tensor, x: Tensor, back: bool
    ) -> tuple[Tensor, int]:
        # what is mapped over becomes one more dimension, behind time
        decay, x = (
            one.unsqueeze(1) if dim is None else one.movedim(dim, 1)
            for one, dim in zip((decay, x), in_dims, strict=False)
        )
        x = x.expand(len(x), info.batch_size, *x.shape[2:])
        return _LinearScan.apply(decay, x, back), 1  # type: ignore[no-untyped-call]


class SequenceNeuron(SpikingNeuron):
    """Parent of the neurons that sum over a whole sequence in one call.

    A spike resets nothing, as the sum is taken at once; and nothing is kept for the next
    call, which starts from zero.
    """

    state_names: ClassVar[tuple[str, ...]] = ()

    @property
    def reset_mechanism(self) -> str:
        """Always ``"none"``."""
        return "none"

    @reset_mechanism.setter
    def reset_mechanism(self, mechanism: str) -> None:
        expect(mechanism == "none", self, '`reset_mechanism` to stay "none"', repr(mechanism))

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._value("reset_mechanism_val").fill_(self.reset_mechanisms.index("none"))
