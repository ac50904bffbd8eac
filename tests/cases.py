"""One record per component; every contract test runs on every record.

A new neuron adds one record here, and nothing else, to be tested.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import nn

import snntorch as snn

RESETS = ("subtract", "zero", "none")


@dataclass(frozen=True)
class Case:
    """What the contract needs to know of a stepwise neuron."""

    cls: type[snn.SpikingNeuron]
    #: Arguments of the constructor that it cannot do without.
    kwargs: dict[str, Any]
    #: Shape of the input of one step.
    shape: tuple[int, ...] = (4, 3)
    #: Shape of the spikes of one step; that of the input if not given.
    spk_shape: tuple[int, ...] | None = None
    resets: tuple[str, ...] = RESETS
    #: Flags that make a value learnable, and the parameter each makes.
    learn: dict[str, str] = field(default_factory=lambda: {"learn_threshold": "threshold"})
    reset_delay: bool = False
    #: torch.vmap needs a batching rule of every operation; torch has none for lstm_cell.
    vmaps: bool = True
    #: Name of the method that hands out initial states.
    init: str = "reset_mem"
    #: Wrong arguments of the constructor, the error's type and what it says.
    errors: tuple[tuple[dict[str, Any], type[Exception], str], ...] = ()
    #: Factor on the standard normal input of the tests, so that some neurons fire.
    scale: float = 2.0

    def __str__(self) -> str:
        extra = [str(v) for k, v in self.kwargs.items() if k in ("all_to_all", "conv2d_channels")]
        return "-".join([self.cls.__name__, *extra])

    def make(self, **kwargs: Any) -> Any:
        """Build the neuron, weights drawn from a fixed seed."""
        torch.manual_seed(0)
        return self.cls(**{**self.kwargs, **kwargs})

    def input(self, steps: int = 20, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Return input of the given number of steps, the same on every call."""
        generator = torch.Generator().manual_seed(7)
        shape = (steps, *self.shape)
        x = torch.randn(shape, generator=generator, dtype=torch.float64) * self.scale
        return x.to(dtype)

    def states(self, neuron: Any) -> tuple[torch.Tensor, ...]:
        """Return initial states as a tuple."""
        handed_out = getattr(neuron, self.init)()
        return handed_out if isinstance(handed_out, tuple) else (handed_out,)


LIF_LEARN = {"learn_beta": "beta", "learn_threshold": "threshold"}
SYN_LEARN = {"learn_alpha": "alpha", **LIF_LEARN}
COMMON_ERRORS = (
    ({"reset_mechanism": "half"}, ValueError, r"one of \('subtract', 'zero', 'none'.*'half'"),
    ({"spike_grad": 25}, TypeError, r"`spike_grad` to be a function.*25.*surrogate"),
    ({"state_quant": 8}, TypeError, r"`state_quant` to be a function.*8.*state_quant\("),
    ({"threshold": "high"}, TypeError, r"`threshold` to be a number.*'high'"),
)
BETA_ERRORS = (*COMMON_ERRORS, ({"beta": "slow"}, TypeError, r"`beta` to be a number.*'slow'"))
RECURRENT_ERRORS = (
    *BETA_ERRORS,
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

CASES = (
    Case(
        snn.Leaky,
        {"beta": 0.9},
        resets=(*RESETS, "soft"),
        learn={**LIF_LEARN, "learn_graded_spikes_factor": "graded_spikes_factor"},
        reset_delay=True,
        init="init_leaky",
        errors=BETA_ERRORS,
    ),
    Case(
        snn.Lapicque,
        {"R": 5.1, "C": 0.5, "time_step": 0.5},
        learn=LIF_LEARN,
        init="init_lapicque",
        errors=(
            *COMMON_ERRORS,
            ({"R": 5.1, "C": False}, ValueError, r"but got `R`.\nThe others follow"),
            ({"R": False, "C": 1.0}, ValueError, r"but got `C`"),
            ({"R": False, "C": False}, ValueError, r"but got none of them"),
            ({"beta": 0.9}, ValueError, r"but got `beta` and `R` and `C`"),
        ),
    ),
    Case(
        snn.Synaptic,
        {"alpha": 0.8, "beta": 0.9},
        learn=SYN_LEARN,
        reset_delay=True,
        init="init_synaptic",
        scale=1.0,
        errors=BETA_ERRORS,
    ),
    Case(
        snn.Alpha,
        {"alpha": 0.9, "beta": 0.6, "threshold": 0.5},
        learn=SYN_LEARN,
        init="init_alpha",
        errors=(
            *BETA_ERRORS,
            ({"alpha": 0.5}, ValueError, r"`alpha` larger than `beta`.*alpha=0.5 and beta=0.6"),
            ({"alpha": 0.6}, ValueError, r"`alpha` larger than `beta`"),
            ({"alpha": 2.0, "beta": 1.0}, ValueError, r"`beta` other than 1"),
        ),
    ),
    Case(
        snn.RLeaky,
        {"beta": 0.9, "linear_features": 3},
        resets=(*RESETS, "soft"),
        learn=LIF_LEARN,
        reset_delay=True,
        init="init_rleaky",
        errors=RECURRENT_ERRORS,
    ),
    Case(
        snn.RLeaky,
        {"beta": 0.9, "all_to_all": False, "V": -0.5},
        resets=(*RESETS, "soft"),
        learn={**LIF_LEARN, "learn_recurrent": "V"},
        reset_delay=True,
        init="init_rleaky",
    ),
    Case(
        snn.RSynaptic,
        {"alpha": 0.8, "beta": 0.9, "all_to_all": False, "V": -0.5},
        learn={**SYN_LEARN, "learn_recurrent": "V"},
        reset_delay=True,
        init="init_rsynaptic",
        scale=1.0,
        errors=RECURRENT_ERRORS,
    ),
    Case(
        snn.RSynaptic,
        {"alpha": 0.8, "beta": 0.9, "conv2d_channels": 2, "kernel_size": (2, 3)},
        shape=(2, 2, 4, 5),
        learn=SYN_LEARN,
        reset_delay=True,
        init="init_rsynaptic",
    ),
    Case(
        snn.SLSTM,
        {"input_size": 3, "hidden_size": 5, "threshold": 0.1},
        spk_shape=(4, 5),
        init="init_slstm",
        vmaps=False,
        errors=COMMON_ERRORS,
    ),
    Case(
        snn.SConv2dLSTM,
        {"in_channels": 2, "out_channels": 3, "kernel_size": 3, "max_pool": 2, "threshold": 0.1},
        shape=(2, 2, 4, 6),
        spk_shape=(2, 3, 2, 3),
        init="init_sconv2dlstm",
        errors=(
            *COMMON_ERRORS,
            ({"avg_pool": 2}, ValueError, r"one of `max_pool` and `avg_pool`.*Leave one"),
        ),
    ),
    Case(
        snn.DeltaLeaky,
        {"delta_threshold": 1.0, "beta": 0.9},
        resets=("none",),
        learn={"learn_beta": "beta", "learn_graded_spikes_factor": "graded_spikes_factor"},
        errors=(
            *BETA_ERRORS[1:],
            ({"reset_mechanism": "zero"}, ValueError, r"one of \('none',\).*'zero'"),
            ({"reset_delay": False}, ValueError, r"nothing is reset"),
            ({"delta_threshold": None}, TypeError, r"`delta_threshold` to be a number"),
        ),
    ),
)

#: Whole-sequence neurons and layers: [T, B, C] in one call; tested in files of their own.
SEQUENCE_NEURONS = ("AssociativeLeaky", "LeakyParallel", "LinearLeaky", "StateLeaky")
PARENTS = ("LIF", "SpikingNeuron")
LAYERS = ("BatchNormTT1d", "BatchNormTT2d", "GradedSpikes")


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


def flat(result: Any) -> list[torch.Tensor]:
    """Return the tensors of a step's result, nested tuples opened."""
    if isinstance(result, tuple):
        return [tensor for part in result for tensor in flat(part)]
    return [result]


def run(neuron: Any, x: torch.Tensor, states: tuple[torch.Tensor, ...] | None = None) -> Any:
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
