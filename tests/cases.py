"""One record per neuron that is called step by step; every contract test runs on every record.

The records are derived from what the package exports, and from signatures. `VARIANTS` adds what
they do not tell.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch import surrogate
from snntorch.surrogate import SurrogateGradient


def window(input_: Tensor, grad_input: Tensor, spikes: Tensor) -> Tensor:
    """Return a gradient as a user may write it, in the arguments of `custom_surrogate`."""
    return grad_input * torch.exp(-input_.abs()) + 0 * spikes


#: What arguments are given that have no default.
ARGUMENTS: dict[str, Any] = {"alpha": 0.8, "beta": 0.9, "custom_surrogate_function": window}

Error = tuple[dict[str, Any], type[Exception], str]


@dataclass(frozen=True)
class Case:
    """What the contract needs to know of a stepwise neuron."""

    cls: type[snn.SpikingNeuron]
    #: Arguments of the constructor besides those of `ARGUMENTS`.
    extra: dict[str, Any] = field(default_factory=dict)
    #: Shape of the input of one step.
    shape: tuple[int, ...] = (4, 3)
    #: Shape of the spikes of one step; that of the input if not given.
    spk_shape: tuple[int, ...] | None = None
    #: Arguments that the class takes from its parent, but has no use for.
    unused: tuple[str, ...] = ()
    #: torch.vmap needs a batching rule of every operation; torch has none for lstm_cell.
    vmaps: bool = True
    #: Wrong arguments of this neuron alone, the error's type and what it says.
    own_errors: tuple[Error, ...] = ()
    #: Factor on the standard normal input of the tests, so that some neurons fire.
    scale: float = 2.0

    @cached_property
    def arguments(self) -> dict[str, inspect.Parameter]:
        """What the constructor takes, that of the parent included where it passes it on."""
        found: dict[str, inspect.Parameter] = {}
        for cls in self.cls.__mro__:
            own = inspect.signature(cls.__init__).parameters.values()
            named = {one.name: one for one in own if one.kind is one.POSITIONAL_OR_KEYWORD}
            found = named | found
            if all(one.kind is not one.VAR_KEYWORD for one in own):
                break
        return {name: one for name, one in found.items() if name not in ("self", *self.unused)}

    @property
    def needed(self) -> tuple[str, ...]:
        """Arguments that have no default."""
        return tuple(n for n, one in self.arguments.items() if one.default is one.empty)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Those of them for which nothing is known."""
        return tuple(n for n in self.needed if n not in self.extra and n not in ARGUMENTS)

    @property
    def kwargs(self) -> dict[str, Any]:
        """Arguments of the constructor that it cannot do without."""
        assert not self.unknown, f"tests/cases.py: give {self.unknown} in ARGUMENTS or VARIANTS"
        return {n: ARGUMENTS[n] for n in self.needed if n in ARGUMENTS} | self.extra

    @property
    def resets(self) -> tuple[str, ...]:
        """What ``reset_mechanism`` can be."""
        return self.cls.reset_mechanisms

    @property
    def reset_delay(self) -> bool:
        """Whether a spike can reset at once."""
        return "reset_delay" in self.arguments

    @property
    def learn(self) -> dict[str, str]:
        """Flags that make a value learnable, and the parameter each makes."""
        flags = {n: n.removeprefix("learn_") for n in self.arguments if n.startswith("learn_")}
        if flags.pop("learn_recurrent", None) and not self.extra.get("all_to_all", True):
            flags["learn_recurrent"] = "V"
        return flags

    @property
    def init(self) -> str:
        """Name of the method that hands out initial states."""
        name = f"init_{self.cls.__name__.lower()}"
        return name if hasattr(self.cls, name) else "reset_mem"

    @property
    def threshold(self) -> str:
        """Name of what decides whether it fires."""
        return next(n for n in self.arguments if n in ("threshold", "delta_threshold"))

    @property
    def errors(self) -> Iterator[Error]:
        """Wrong arguments of the constructor, the error's type and what it says."""
        for name, (wrong, error, message) in WRONG.items():
            if name in self.arguments:
                yield {name: wrong}, error, message
        yield from self.own_errors

    def __str__(self) -> str:
        extra = [str(v) for k, v in self.extra.items() if k in ("all_to_all", "conv2d_channels")]
        return "-".join([self.cls.__name__, *extra])

    def make(self, **kwargs: Any) -> Any:
        """Build the neuron, weights drawn from a fixed seed."""
        torch.manual_seed(0)
        return self.cls(**{**self.kwargs, **kwargs})

    def sized(self, features: int) -> dict[str, int]:
        """Return the arguments that fit it to an input of (batch, features)."""
        names = ("linear_features", "input_size", "hidden_size")
        return {name: features for name in names if name in self.extra}

    def input(self, steps: int = 20, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return input of the given number of steps, the same on every call."""
        generator = torch.Generator().manual_seed(7)
        shape = (steps, *self.shape)
        x = torch.randn(shape, generator=generator, dtype=torch.float64) * self.scale
        return x.to(dtype)

    def states(self, neuron: Any) -> tuple[Tensor, ...]:
        """Return initial states as a tuple."""
        handed_out = getattr(neuron, self.init)()
        return handed_out if isinstance(handed_out, tuple) else (handed_out,)


#: A wrong value of each argument that many neurons share, the error's type and what it says.
WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "reset_mechanism": ("half", ValueError, r"one of \(.*'none'.*'half'"),
    "spike_grad": (25, TypeError, r"`spike_grad` to be a function.*25.*surrogate"),
    "state_quant": (8, TypeError, r"`state_quant` to be a function.*8.*state_quant\("),
    "threshold": ("high", TypeError, r"`threshold` to be a number.*'high'"),
    "alpha": ("slow", TypeError, r"`alpha` to be a number.*'slow'"),
    "beta": ("slow", TypeError, r"`beta` to be a number.*'slow'"),
}
RECURRENT_ERRORS = (
    (
        {"all_to_all": True, "linear_features": None, "conv2d_channels": None},
        TypeError,
        r"`linear_features`, or `conv2d_channels` and `kernel_size`.*none of them",
    ),
    (
        {"all_to_all": True, "linear_features": 3, "conv2d_channels": 2, "kernel_size": 3},
        TypeError,
        r"but got `linear_features` and `conv2d_channels` and `kernel_size`",
    ),
    (
        {"all_to_all": True, "linear_features": None, "conv2d_channels": 2, "kernel_size": None},
        TypeError,
        r"but got `conv2d_channels`",
    ),
    (
        {"all_to_all": False, "linear_features": 3, "conv2d_channels": None, "kernel_size": None},
        TypeError,
        r"neither `linear_features`.*Leave it out: `V`",
    ),
)
ONE_TO_ONE = {"all_to_all": False, "V": -0.5}

#: What the signature of a neuron does not tell, once for each way to build it.
VARIANTS: dict[type[nn.Module], tuple[dict[str, Any], ...]] = {
    snn.Lapicque: (
        {
            "extra": {"R": 5.1, "C": 0.5, "time_step": 0.5},
            "own_errors": (
                ({"R": 5.1, "C": False}, ValueError, r"but got `R`.\nThe others follow"),
                ({"R": False, "C": 1.0}, ValueError, r"but got `C`"),
                ({"R": False, "C": False}, ValueError, r"but got none of them"),
                ({"beta": 0.9}, ValueError, r"but got `beta` and `R` and `C`"),
            ),
        },
    ),
    snn.Synaptic: ({"scale": 1.0},),
    snn.Alpha: (
        {
            "extra": {"alpha": 0.9, "beta": 0.6, "threshold": 0.5},
            "own_errors": (
                ({"alpha": 0.5}, ValueError, r"`alpha` larger than `beta`.*0.5 and beta=0.6"),
                ({"alpha": 0.6}, ValueError, r"`alpha` larger than `beta`"),
                ({"alpha": 2.0, "beta": 1.0}, ValueError, r"`beta` other than 1"),
            ),
        },
    ),
    snn.Izhikevich: (
        {
            "scale": 100.0,
            "unused": ("reset_mechanism",),
            "own_errors": (({"dt": 0.0}, ValueError, r"`dt` above 0, but got 0"),),
        },
    ),
    snn.AdEx: (
        {
            "extra": {"C": 2.81, "g_L": 0.3, "a": 0.04, "b": 0.805},  # in other units: 100 pA
            "scale": 300.0,
            "unused": ("reset_mechanism",),
            "own_errors": (
                ({"dt": -0.1}, ValueError, r"`dt` above 0, but got -0.1"),
                ({"tau_w": 0}, ValueError, r"`tau_w` above 0, but got 0"),
                ({"Delta_T": "steep"}, TypeError, r"`Delta_T` to be a number.*'steep'"),
            ),
        },
    ),
    snn.RLeaky: (
        {"extra": {"linear_features": 3}, "own_errors": RECURRENT_ERRORS},
        {"extra": ONE_TO_ONE},
    ),
    snn.RSynaptic: (
        {"extra": ONE_TO_ONE, "scale": 1.0, "own_errors": RECURRENT_ERRORS},
        {"extra": {"conv2d_channels": 2, "kernel_size": (2, 3)}, "shape": (2, 2, 4, 5)},
    ),
    snn.SLSTM: (
        {
            "extra": {"input_size": 3, "hidden_size": 5, "threshold": 0.1},
            "spk_shape": (4, 5),
            "vmaps": False,
        },
    ),
    snn.SConv2dLSTM: (
        {
            "extra": {"in_channels": 2, "out_channels": 3, "kernel_size": 3, "max_pool": 2}
            | {"threshold": 0.1},
            "shape": (2, 2, 4, 6),
            "spk_shape": (2, 3, 2, 3),
            "own_errors": (
                ({"avg_pool": 2}, ValueError, r"one of `max_pool` and `avg_pool`.*Leave one"),
            ),
        },
    ),
    snn.DeltaLeaky: (
        {
            "extra": {"delta_threshold": 1.0},
            "unused": ("threshold", "learn_threshold", "reset_delay"),
            "own_errors": (
                ({"reset_mechanism": "zero"}, ValueError, r"one of \('none',\).*'zero'"),
                ({"reset_delay": False}, ValueError, r"nothing is reset"),
                ({"delta_threshold": None}, TypeError, r"`delta_threshold` to be a number"),
            ),
        },
    ),
}
NEURONS = tuple(getattr(snn, name) for name in snn._neurons.__all__)
#: Those that are called once per time step: they have an equation of one.
STEPWISE = tuple(cls for cls in NEURONS if hasattr(cls, "step"))
CASES = tuple(Case(cls, **more) for cls in STEPWISE for more in VARIANTS.get(cls, ({},)))
#: Those that take (batch, features), and so can stand behind a linear layer.
DENSE = tuple(case for case in CASES if len(case.shape) == 2)


def made(factory: Callable[..., SurrogateGradient]) -> SurrogateGradient:
    """Return a surrogate whose parameters are not their defaults, and none like another."""
    parameters = inspect.signature(factory).parameters
    values = [
        ARGUMENTS[name] if one.default is one.empty else 0.1 * (place + 1) + one.default / 8
        for place, (name, one) in enumerate(parameters.items())
    ]
    return factory(*values)


FACTORIES = tuple(filter(inspect.isfunction, (getattr(surrogate, n) for n in surrogate.__all__)))
#: What every factory of the package returns, by its name.
SURROGATES = {factory.__name__: made(factory) for factory in FACTORIES}
#: Those that draw at random.
RANDOM = tuple(
    name
    for name, spike_grad in SURROGATES.items()
    if len({tuple(spike_grad.derivative(-torch.ones(9)).tolist()) for _ in range(3)}) > 1
)
#: Those that are a formula alone, which a kernel can have, too.
FORMULAS = tuple(
    name for name, one in SURROGATES.items() if one.has_kernel_name and name not in RANDOM
)


def by_mechanism(cases: tuple[Case, ...] = CASES) -> pytest.MarkDecorator:
    """Run a test on every reset of every case, delayed and at once."""
    return pytest.mark.parametrize(
        ("case", "mechanism", "delay"),
        [
            pytest.param(case, mechanism, delay, id=f"{case}-{mechanism}-{delay}")
            for case in cases
            for mechanism in case.resets
            for delay in ((True, False) if case.reset_delay else (True,))
        ],
    )


def options(mechanism: str, delay: bool) -> dict[str, Any]:
    """Return the arguments that ask for a reset."""
    return {"reset_mechanism": mechanism, **({} if delay else {"reset_delay": False})}


def flat(result: Any) -> list[Tensor]:
    """Return the tensors of a step's result, nested tuples opened."""
    if isinstance(result, tuple):
        return [tensor for part in result for tensor in flat(part)]
    return [result]


def run(neuron: Any, x: Tensor, states: tuple[Tensor, ...] | None = None) -> Any:
    """Step through ``x``; return what each step returned, stacked over time.

    Args:
        neuron: A stepwise neuron or net.
        x: Input [T, ...].
        states: States to start from and to pass from step to step; ``None`` passes none.
    """
    records = []
    for step in x:
        result = flat(neuron(step) if states is None else neuron(step, *states))
        records.append(result)
        if states is not None:
            states = tuple(result[-len(states) :])
    return [torch.stack(record) for record in zip(*records, strict=True)]


def net(case: Case, **kwargs: Any) -> nn.Sequential:
    """Return a net whose last module is the case's neuron, states kept on the module."""
    return nn.Sequential(nn.Identity(), nn.Sequential(case.make(init_hidden=True, **kwargs)))
