"""State quantization: neurons whose states have only a few levels.

Low-precision hardware stores a membrane in a handful of bits. A quantizer made
here goes to a neuron as ``state_quant``; each state is rounded to the nearest
level after its update, and gradients pass as though nothing had been rounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from snntorch._checks import (
    expect,
    expect_as_device,
    expect_count,
    expect_number,
    expect_real,
    expect_tensor,
    expect_truth,
)
from snntorch._torch import is_functorch_active

__all__ = ["StateQuant", "StateQuantizer", "state_quant"]

# Ratio of neighbouring gaps by number of bits. The even ones and 1 are those of
# snnTorch 1.0.0, the odd ones lie half-way between.
_MULTIPLIERS = {1: 0.05, 2: 0.1, 3: 0.3, 4: 0.5, 5: 0.7, 6: 0.9, 7: 0.925, 8: 0.95}


def _default_multiplier(num_bits: int) -> float:
    # beyond 8 bits the gaps span the same range, cut finer
    return _MULTIPLIERS.get(num_bits) or _MULTIPLIERS[8] ** 2.0 ** (8 - num_bits)


def _distances(reach: float, count: int, ratio: float) -> Tensor:
    """Return ``count`` distances from a centre, from ``reach`` inwards, 0 left out."""
    powers = ratio ** torch.arange(count + 1, dtype=torch.float64)
    return reach * (powers[:-1] - powers[-1]) / (1 - powers[-1])


def _boundaries(levels: Tensor) -> Tensor:
    return (levels[:-1] + levels[1:]) / 2


def _search(x: Tensor, boundaries: Tensor) -> Tensor:
    return torch.bucketize(x.contiguous(), boundaries)


class StateQuant(torch.autograd.Function):
    """Round to the nearest of given levels, with the gradient of the identity.

    Choose it for levels of your own; `state_quant` makes the usual ones, faster.
    Half-way between two levels the lower one is taken.

    Shape:
        - ``input_``: any.
        - levels: (num_levels), in rising order, of the input's dtype.

    Examples:
        >>> levels = torch.tensor([0.0, 0.5, 2.0])
        >>> StateQuant.apply(torch.tensor([-1.0, 0.3, 1.3]), levels)
        tensor([0.0000, 0.5000, 2.0000])
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(input_: Tensor, levels: Tensor) -> Tensor:
        """Return the level nearest to each element."""
        for name, value in (("input_", input_), ("levels", levels)):
            expect_tensor("StateQuant", name, value)
            expect_real("StateQuant", name, value)
        fits, what = levels.dim() == 1 and levels.numel() > 0, "`levels` of shape (num_levels)"
        expect(fits, "StateQuant", what, tuple(levels.shape))
        expect_as_device("StateQuant", "input_", input_, levels)
        return levels[_search(input_, _boundaries(levels))]

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Keep nothing: the gradient needs nothing."""

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        """Pass the gradient straight through."""
        return grad_outputs[0], None


@dataclass(frozen=True)
class StateQuantizer:
    """What `state_quant` returns: call it with a state to round the state."""

    num_bits: int
    uniform: bool
    thr_centered: bool
    threshold: float
    lower_limit: float
    upper_limit: float
    multiplier: float | None
    _kept: dict[Any, tuple[Tensor, Tensor]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        owner = "state_quant"
        expect_count(owner, "num_bits", self.num_bits)
        expect(self.num_bits <= 16, owner, "`num_bits` <= 16", self.num_bits)
        expect_truth(owner, uniform=self.uniform, thr_centered=self.thr_centered)
        expect_number(owner, "threshold", self.threshold)
        expect_number(owner, "lower_limit", self.lower_limit)
        expect_number(owner, "upper_limit", self.upper_limit)
        expect(0 < self.threshold < math.inf, owner, "`threshold` > 0", self.threshold)
        if self.multiplier is not None:
            expect_number(owner, "multiplier", self.multiplier)
            valid = 0 < self.multiplier < 1
            expect(valid, owner, "`multiplier` between 0 and 1", self.multiplier)
        plain: dict[str, Callable[[Any], Any]] = {
            "num_bits": int,
            "uniform": bool,
            "thr_centered": bool,
            **dict.fromkeys(("threshold", "lower_limit", "upper_limit"), float),
            **({} if self.multiplier is None else {"multiplier": float}),
        }
        for name, kind in plain.items():  # equal numbers make equal quantizers
            object.__setattr__(self, name, kind(getattr(self, name)))
        self._expect_room(owner)

    def _expect_room(self, owner: str) -> None:
        (low, high), most = self.limits, torch.finfo(torch.float32).max
        expect(
            -most <= low < high <= most and (self.uniform or low <= self.centre <= high),
            owner,
            "`lower_limit` and `upper_limit` to leave room for the levels on both sides"
            if self.uniform
            else f"`lower_limit` and `upper_limit` to keep the centre {self.centre} in range",
            f"a range from {low} to {high}",
            "The range is [-threshold * (1 + lower_limit), threshold * (1 + upper_limit)].",
        )

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and the highest level."""
        return -self.threshold * (1 + self.lower_limit), self.threshold * (1 + self.upper_limit)

    @property
    def centre(self) -> float:
        """Where exponential levels gather."""
        return self.threshold if self.thr_centered else 0.0

    def levels(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return all levels in rising order."""
        low, high = self.limits
        number = 2**self.num_bits
        if self.uniform:
            return torch.linspace(low, high, number, dtype=dtype)
        ratio = self.multiplier or _default_multiplier(self.num_bits)
        # a whole share stays whole, whatever its last bit says
        above = math.ceil(number * (high - self.centre) / (high - low) - 1e-9)
        lower_side = self.centre - _distances(self.centre - low, number - above, ratio)
        upper_side = self.centre + _distances(high - self.centre, above, ratio)
        return torch.cat([lower_side, upper_side.flip(0)]).to(dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = (self.num_bits, self.uniform, self.thr_centered, self.threshold)
        return state_quant, (*arguments, self.lower_limit, self.upper_limit, self.multiplier)

    def __call__(self, input_: Tensor) -> Tensor:
        """Return ``input_`` rounded to the levels, in its dtype and on its device."""
        expect_tensor("state_quant", "input_", input_)
        expect(
            input_.is_floating_point(),
            "state_quant",
            "`input_` to be a state of floating-point numbers",
            input_.dtype,
            "Convert it with .float().",
            TypeError,
        )
        # half precision is too coarse to tell which of 256 levels is nearest
        exact = input_.detach().to(torch.promote_types(input_.dtype, torch.float32))
        levels, boundaries = self._tables(exact)
        index = self._even_index(exact) if self.uniform else _search(exact, boundaries)
        # The difference is an exact zero that carries the identity's gradient: as good as an
        # autograd.Function, yet cheaper and open to every transformation of torch.
        # torch looks into an index without dimensions, which on the meta device has no value
        level = levels[index] if index.dim() else levels[index.unsqueeze(0)].squeeze(0)
        return level.to(input_.dtype) + (input_ - input_.detach())

    def _even_index(self, x: Tensor) -> Tensor:
        # what a search would find, several times faster on a large layer
        low, high = self.limits
        last = 2**self.num_bits - 1
        step = (high - low) / last
        place: Tensor = ((x - (low + step / 2)) / step).ceil()
        return torch.where(place > 0, place, 0.0).clamp(max=last).long()

    def _tables(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return the levels and the boundaries between them, kept by dtype and device."""
        key = like.dtype, like.device
        if key in self._kept:
            return self._kept[key]
        levels = self.levels(like.dtype).to(like.device)
        tables = levels, _boundaries(levels)
        # what is made inside a transformation of torch.func does not outlive it
        if not is_functorch_active():
            self._kept[key] = tables
        return tables


def state_quant(
    num_bits: int = 8,
    uniform: bool = True,
    thr_centered: bool = True,
    threshold: float = 1,
    lower_limit: float = 0,
    upper_limit: float = 0.2,
    multiplier: float | None = None,
) -> StateQuantizer:
    r"""Make a quantizer for the states of neurons.

    Choose it to train for hardware with low-precision states, as in
    ``snn.Leaky(beta=0.9, state_quant=state_quant(num_bits=4))``. Uniform levels
    suit states that use their whole range; exponential ones are dense where a
    small difference matters most: about the threshold, where it decides between
    spike and silence, or about zero.

    The :math:`2^n` levels (:math:`n` is ``num_bits``) lie in

    .. math::
        [-\theta\,(1 + l),\ \theta\,(1 + u)]

    with the threshold :math:`\theta` (``threshold``, in units of the state) and
    the margins :math:`l` (``lower_limit``) and :math:`u` (``upper_limit``), which
    are fractions of the threshold. Uniform levels divide the range evenly, ends
    included. Exponential levels approach a centre :math:`c`, the threshold or 0,
    from both ends, each gap being :math:`m` (``multiplier``) times the one before:
    a side that reaches :math:`\rho` far and has :math:`k` levels has them at

    .. math::
        |q_j - c| = \rho\,\frac{m^j - m^k}{1 - m^k}, \qquad j = 0, \dots, k - 1.

    The centre itself is no level. The :math:`2^n` levels are shared out between the
    sides in proportion to :math:`\rho`, the upper side's share being rounded up.

    A state goes to the nearest level, half-way to the lower one, outside of the
    range to the end of it; the gradient is the identity's everywhere. A state that
    is not finite becomes NaN, so that a diverging network is seen.

    Args:
        num_bits: Bits of a state, 1 to 16.
        uniform: Space the levels evenly; False spaces them exponentially.
        thr_centered: Gather exponential levels about the threshold, else about 0.
        threshold: Threshold of the neuron.
        lower_limit: How far below ``-threshold`` a state may go, as a fraction of
            ``threshold``.
        upper_limit: How far above ``threshold`` a state may go, likewise.
        multiplier: Ratio of neighbouring gaps of exponential levels, between 0 and
            1; the smaller, the denser about the centre. None takes one that suits
            ``num_bits``: from 0.05 for 1 bit over 0.5 for 4 to 0.95 for 8.

    Returns:
        A callable that maps a state to its quantized self. Equal arguments give
        equal quantizers, and they can be pickled. ``levels()`` lists the levels.

    Raises:
        ValueError: If ``num_bits`` or ``multiplier`` is out of range, the threshold
            is not positive, or the limits leave no room for the centre.
        TypeError: If an argument, or the state, is of the wrong kind.

    Note:
        snnTorch 1.0.0 returned float32 whatever the state's dtype.

    Examples:
        >>> quantizer = state_quant(num_bits=2)
        >>> quantizer(torch.tensor([-3.0, -0.2, 0.2, 0.9]))
        tensor([-1.0000, -0.2667,  0.4667,  1.2000])
        >>> state_quant(num_bits=2, uniform=False, upper_limit=0.5).levels()
        tensor([-1.0000,  0.8018,  0.9820,  1.5000])
    """
    quantizer = StateQuantizer(
        num_bits, uniform, thr_centered, threshold, lower_limit, upper_limit, multiplier
    )
    quantizer(torch.zeros(0, dtype=torch.float32))  # keeps its tables: constants in a trace
    return quantizer
