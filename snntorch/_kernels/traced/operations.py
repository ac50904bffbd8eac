"""The operations that a traced step may consist of, and the C that computes each.

Those of `EXACT` are correctly rounded in torch and in C, so that their results have the same
bits. Those of `ROUNDED` may differ by some units in the last place. CUDA's C computes the same,
but for what `ON_CUDA` says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from snntorch._torch import TO_COPY

aten = torch.ops.aten

#: Dtypes that are computed with in float32, each result of which is rounded.
HALVES = (torch.float16, torch.bfloat16)
#: What C computes with for each dtype that a value of a step may have.
TYPES = {
    torch.float32: "float",
    torch.float64: "double",
    torch.bool: "int",
    **dict.fromkeys(HALVES, "float"),
}

#: C of the result, from the arguments in the type of the result. What is true is not 0.
EXACT: dict[Any, str] = {
    aten.neg.default: "-{0}",
    aten.abs.default: "fabs({0})",
    aten.rsqrt.default: "1 / sqrt({0})",
    aten.reciprocal.default: "1 / {0}",
    aten.square.default: "{0} * {0}",
    aten.relu.default: "({0} < 0 ? 0 : {0})",
    aten.sign.default: "({0} > 0) - ({0} < 0)",
    aten.floor.default: "floor({0})",
    aten.ceil.default: "ceil({0})",
    aten.trunc.default: "trunc({0})",
    aten.round.default: "rint({0})",
    aten.mul.Tensor: "{0} * {1}",
    aten.mul.Scalar: "{0} * {1}",
    aten.add.Tensor: "{0} + {1}",
    aten.add.Scalar: "{0} + {1}",
    aten.sub.Tensor: "{0} - {1}",
    aten.sub.Scalar: "{0} - {1}",
    aten.div.Scalar: "{0} / {1}",
    aten.div.Tensor: "{0} / {1}",
    aten.minimum.default: "({0} != {0} || {0} < {1} ? {0} : {1})",
    aten.maximum.default: "({0} != {0} || {0} > {1} ? {0} : {1})",
    aten.logical_not.default: "!{0}",
    aten.bitwise_not.default: "!{0}",
    aten.logical_and.default: "{0} & {1}",
    aten.bitwise_and.Tensor: "{0} & {1}",
    aten.logical_or.default: "{0} | {1}",
    aten.bitwise_or.Tensor: "{0} | {1}",
    aten.bitwise_xor.Tensor: "!{0} != !{1}",
}
ROUNDED: dict[Any, str] = {
    aten.sqrt.default: "sqrt({0})",  # torch's own is not the nearest, of some values
    aten.exp.default: "EXP({0})",
    aten.sigmoid.default: "1 / (1 + EXP(-{0}))",
    aten.exp2.default: "exp2({0})",
    aten.expm1.default: "expm1({0})",
    aten.atan2.default: "atan2({0}, {1})",
    aten.hypot.default: "hypot({0}, {1})",
    aten.log.default: "log({0})",
    aten.log1p.default: "log1p({0})",
    aten.log2.default: "log2({0})",
    aten.tanh.default: "tanh({0})",
    aten.atan.default: "atan({0})",
    aten.sin.default: "sin({0})",
    aten.cos.default: "cos({0})",
    aten.sinh.default: "sinh({0})",
    aten.cosh.default: "cosh({0})",
    aten.erf.default: "erf({0})",
    aten.pow.Tensor_Tensor: "pow({0}, {1})",
    aten.pow.Scalar: "pow({0}, {1})",
}
#: What torch computes otherwise on CUDA; of a division, one by a number.
ON_CUDA: dict[Any, str] = {
    aten.rsqrt.default: "rsqrt({0})",
    aten.div.Tensor: "{0} * (1 / {1})",
    aten.div.Scalar: "{0} * (1 / {1})",
}
#: Comparisons, in the type of what is compared.
COMPARED: dict[Any, str] = {
    aten.gt: ">",
    aten.ge: ">=",
    aten.lt: "<",
    aten.le: "<=",
    aten.eq: "==",
    aten.ne: "!=",
}
#: What leaves a value as it is, as long as the shape remains.
SAME = (
    *(aten.detach.default, aten.alias.default, aten.clone.default, aten.view.default),
    *(aten.expand.default, TO_COPY),
)
#: What torch takes apart into those above: some functions, and derivatives of others.
COMPOSED = (
    *(aten.addcdiv, aten.addcmul, aten.clamp_max, aten.clamp_min, aten.elu, aten.elu_backward),
    *(aten.gelu, aten.gelu_backward, aten.hardsigmoid, aten.hardsigmoid_backward, aten.hardtanh),
    *(aten.hardtanh_backward, aten.leaky_relu, aten.leaky_relu_backward, aten.lerp),
    *(aten.logaddexp, aten.masked_fill, aten.new_full, aten.new_zeros, aten.ones_like, aten.rsub),
    *(aten.sgn, aten.sigmoid_backward, aten.silu, aten.silu_backward, aten.softplus),
    *(aten.softplus_backward, aten.tanh_backward, aten.threshold_backward, aten.zeros_like),
)
#: Powers that torch computes by products and roots.
POWERS: dict[Any, str] = {
    2: "{0} * {0}",
    3: "{0} * {0} * {0}",
    1: "{0}",
    0.5: "sqrt({0})",
    -1: "1 / {0}",
}


#: Dtypes whose third power torch rounds twice, by type of device.
TWICE_ROUNDED = {"cpu": (torch.bfloat16,), "cuda": HALVES}
#: Where a number meets tensors of a shorter dtype in full.
UNROUNDED = (aten.mul.Tensor, aten.mul.Scalar, aten.div.Tensor, aten.div.Scalar)


class UntoldError(Exception):
    """A step does something of which no C is written; says what."""


def number(value: float) -> str:
    """Return a number as C reads it, to the last bit."""
    if math.isfinite(value):
        return float(value).hex()
    return "NAN" if math.isnan(value) else f"({'-' if value < 0 else ''}INFINITY)"


def dtype_of(value: Any) -> torch.dtype | None:
    """Return the dtype of what a node of a graph holds; None for a number."""
    held = value.meta["val"] if isinstance(value, fx.Node) else None
    return held.dtype if isinstance(held, Tensor) else None


@dataclass(frozen=True)
class Operation:
    """An operation of a graph, whose arguments are operations or numbers.

    Args:
        node: The operation.
        names: What each before it is called in C.
        device: Type of the device that runs it.
    """

    node: fx.Node
    names: Mapping[fx.Node, str]
    device: str

    def argument(self, value: Any, dtype: torch.dtype | None = None) -> str:
        """Return the C of an argument, in a dtype; in that of the result if none is given."""
        dtype = dtype or dtype_of(self.node)
        if isinstance(value, fx.Node) and dtype_of(value) == dtype:
            return self.names[value]
        if isinstance(value, fx.Node) and dtype is not None:
            name = self.names[value]
            if dtype_of(value) == torch.bool:
                return f"(({TYPES[dtype]})({name} ? 1 : 0))"
            return f"({name} != 0)" if dtype == torch.bool else f"({TYPES[dtype]}){name}"
        if isinstance(value, (bool, int, float)) and dtype is not None:
            written = f"({TYPES[dtype]})({number(value)})"
            return f"ROUND({written})" if self._rounds_numbers() else written
        raise UntoldError(f"no C is written for {self.node.target} of {value!r}")

    def _rounds_numbers(self) -> bool:
        """Return whether torch rounds numbers to the dtype of the tensors that they meet."""
        if self.device != "cpu" or self.node.target in UNROUNDED:
            return False
        return any(dtype_of(one) in HALVES for one in (self.node, *self.node.args))

    def as_c(self) -> str:
        """Return its C.

        Raises:
            UntoldError: If there is none.
        """
        written, dtype = self._written(), dtype_of(self.node)
        if dtype not in HALVES or self._is_same():
            return written
        return f"ROUND({written})"

    def _is_same(self) -> bool:
        """Return whether its result is a value that was there before."""
        return self.node.target in SAME and dtype_of(self.node.args[0]) == dtype_of(self.node)

    def _pattern(self) -> str | None:
        """Return the C of what has a place for each argument; None if it is nothing such."""
        op, args = self.node.target, self.node.args
        number_last = isinstance(args[-1], (int, float)) if args else False
        if self.device == "cuda" and op in ON_CUDA and (len(args) == 1 or number_last):
            return ON_CUDA[op]
        return EXACT.get(op) or ROUNDED.get(op)

    def _written(self) -> str:
        op, args = self.node.target, self.node.args
        pattern = self._pattern()
        if op is aten.pow.Tensor_Scalar:
            pattern = POWERS.get(args[1], "pow({0}, {1})")
            if args[1] == 3 and dtype_of(self.node) in TWICE_ROUNDED[self.device]:
                pattern = "ROUND({0} * {0}) * {0}"
        elif op in SAME or op is aten.scalar_tensor.default:
            pattern, args = "{0}", args[:1]
        elif op in (aten.copy.default, aten.full.default, aten.full_like.default):
            pattern, args = "{0}", args[1:2]
        elif op in (aten.new_empty_strided.default, aten.empty_like.default):
            pattern, args = "0", ()
        if pattern is not None and "alpha" not in self.node.kwargs:
            return pattern.format(*map(self.argument, args))
        if op is aten.where.self:
            where, *either = args
            yes, no = map(self.argument, either)
            return f"({self.argument(where, torch.bool)} ? {yes} : {no})"
        if op in (aten.clamp.default, aten.clamp.Tensor):
            return self._clamped(*args)
        if op is aten.isnan.default:
            args, op = args * 2, aten.ne.Tensor
        sign = COMPARED.get(getattr(op, "overloadpacket", None))
        if sign is None:
            told = f" with {dict(self.node.kwargs)}" if self.node.kwargs else ""
            raise UntoldError(f"no C is written for {op}{told}")
        wide = torch.float64 if torch.float64 in map(dtype_of, args) else torch.float32
        # a mask, of all bits, is what a vector of numbers is compared to
        return f"{self.argument(args[0], wide)} {sign} {self.argument(args[1], wide)} ? -1 : 0"

    def _clamped(self, value: Any, low: Any = None, high: Any = None) -> str:
        written = self.argument(value)
        for bound, beyond in ((low, "<"), (high, ">")):
            if bound is not None:
                end = self.argument(bound)
                written = f"({written} {beyond} {end} ? {end} : {written})"
        return written
