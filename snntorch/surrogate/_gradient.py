"""A surrogate with its parameters, as neurons take it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from snntorch._checks import expect, expect_truth
from snntorch.surrogate import _functions
from snntorch.surrogate._traceable import on_ipu


@dataclass(frozen=True, repr=False)
class SurrogateGradient:
    r"""A surrogate with its parameters filled in: what the factories return.

    It is called with :math:`x = U - \theta` and returns spikes; it can be
    pickled, compared and printed.

    Examples:
        >>> import torch
        >>> spike_grad = fast_sigmoid(slope=10)
        >>> spike_grad
        fast_sigmoid(slope=10)
        >>> spike_grad == fast_sigmoid(10)
        True
        >>> spike_grad(torch.tensor([-0.5, 0.0, 0.5]))
        tensor([0., 0., 1.])
    """

    name: str
    function: type[_functions.SurrogateFunction]
    values: tuple[Any, ...] = ()
    #: Whether nobody chose it: on an IPU the straight-through estimator is the default.
    is_default: bool = field(default=False, compare=False)
    # Kept, as torch.compile cannot look into an autograd function
    function_name: str = field(init=False, compare=False)
    fires_by_heaviside: bool = field(init=False, compare=False)
    has_kernel_name: bool = field(init=False, compare=False)
    as_text: str = field(init=False, compare=False)  # what an operator is told

    def __post_init__(self) -> None:
        owner, known = type(self).__name__, _functions.SurrogateFunction
        expect(
            isinstance(self.function, type) and issubclass(self.function, known),
            owner,
            "`function` to be a subclass of surrogate.SurrogateFunction",
            repr(self.function),
            "Call a factory instead, such as surrogate.fast_sigmoid().",
            TypeError,
        )
        name, parameters = self.function.__name__, tuple(self.function.parameters)
        expect(
            isinstance(self.values, tuple) and len(self.values) <= len(parameters),
            owner,
            f"`values` to be a tuple of {parameters}",
            repr(self.values),
            error=TypeError,
        )
        self.function.expect_parameters(self.name, self.values)
        object.__setattr__(self, "values", _functions.in_reach(self.values))
        expect_truth(owner, is_default=self.is_default)
        is_ours = vars(_functions).get(name) is self.function
        numbers = [value for value in self.values if isinstance(value, (int, float))]
        facts = {
            "function_name": name,
            "fires_by_heaviside": self.function.forward is _functions.SurrogateFunction.forward,
            "has_kernel_name": is_ours and len(numbers) == len(self.values),
            "as_text": " ".join([name, *(str(float(number)) for number in numbers)]),
        }
        for fact, value in facts.items():
            object.__setattr__(self, fact, value)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the spikes H(x)."""
        if self.is_default and on_ipu():
            return _functions.StraightThroughEstimator.apply(x)  # type: ignore[no-any-return]
        return self.function.apply(x, *self.values)  # type: ignore[no-any-return]

    def derivative(self, x: Tensor) -> Tensor:
        """Return dS/dx at ``x``, the quantity plots of surrogates show."""
        _functions.expect_real_tensor(self.name, x)
        x = x if x.is_floating_point() else x.to(torch.get_default_dtype())
        return self.function.gradient(x, torch.ones_like(x), *self.values)

    def __repr__(self) -> str:
        named = zip(self.function.parameters, self.values, strict=False)
        return f"{self.name}({', '.join(f'{k}={v}' for k, v in named)})"
