"""Neurons and inputs as Hypothesis draws them: any arguments, shape, dtype and layout in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import hypothesis.strategies as st
import torch
from hypothesis import settings
from torch import Tensor, nn

import snntorch as snn
from snntorch import surrogate
from snntorch._kernels.cpu import binding as cpu
from snntorch._kernels.cpu import library
from snntorch._kernels.traced.on_cpu import OnCPU
from snntorch._neurons import neurons as state_machine
from snntorch.functional import quant
from tests.cases import CASES, RANDOM, SURROGATES, Case, flat


def unknown(excess: Tensor) -> Tensor:
    """Fire by a function that no kernel knows."""
    return surrogate.ATan.apply(excess)


#: Those that no number tells apart from run to run, and what a kernel does not know.
SPIKE_GRADS: dict[str, Any] = {
    **{name: one for name, one in SURROGATES.items() if name not in RANDOM},
    "default": None,
    "class": surrogate.FastSigmoid.apply,
    "function": unknown,
}
DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
#: Numbers that a neuron may be given, one or one per neuron, and their ranges.
RANGES = {
    "threshold": (0.125, 1.5),
    "delta_threshold": (0.125, 1.5),
    "graded_spikes_factor": (0.25, 2.0),
    "beta": (0.0, 1.0),
    "V": (-1.0, 1.0),
}
#: Arguments that must not vary: others follow from them, or they make layers.
TIED = {"Alpha": ("beta",), "Lapicque": ("beta",)}


@dataclass(frozen=True)
class Drawn:
    """A neuron, and the shape of its input of one step."""

    case: Case
    kwargs: dict[str, Any]
    shape: tuple[int, ...]
    #: Name of the surrogate, of `SPIKE_GRADS`.
    spike_grad: str

    def make(self, dtype: torch.dtype = torch.float64, **kwargs: Any) -> Any:
        """Build the neuron, the same on each call."""
        spike_grad = SPIKE_GRADS[self.spike_grad]
        given = {**self.kwargs, "spike_grad": spike_grad, **kwargs}
        return self.case.make(**given).to(dtype)

    @property
    def mixes(self) -> bool:
        """Whether neurons have a part in one another, by a layer's sums of products."""
        return any(isinstance(part, (nn.Linear, nn.Conv2d, nn.LSTMCell)) for part in self.modules)

    @property
    def modules(self) -> Iterator[nn.Module]:
        return self.make().modules()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Tell Hypothesis what to print of a neuron that fails."""
        printer.text(f"{self.case}({self.kwargs}) by {self.spike_grad} on {self.shape}")

    def has_kernel(self, dtype: torch.dtype) -> bool:
        """Return whether the compiled kernel runs its steps on a CPU."""
        return (
            cpu.available() is None
            and self.case.cls.model is not None
            and self.spike_grad != "function"
            and SPIKE_GRADS[self.spike_grad] not in UNNAMED
            and not self.kwargs.get("inhibition")
            and self.kwargs.get("state_quant") is None
            and dtype is not torch.float16
        )


#: Surrogates that are no formula alone, which no kernel can name.
UNNAMED = tuple(one for one in SURROGATES.values() if not one.has_kernel_name)


def numbers(low: float, high: float, features: int | None) -> st.SearchStrategy[Any]:
    """Draw one number, or one for each feature."""
    one = st.floats(low, high, width=16)
    if features is None:
        return one
    return one | st.lists(one, min_size=features, max_size=features).map(torch.tensor)


@st.composite
def neurons(draw: st.DrawFn, cases: tuple[Case, ...] = CASES, **fixed: Any) -> Drawn:
    """Draw a neuron; ``fixed`` are arguments that are as given."""
    case = draw(st.sampled_from(cases))
    arguments, kwargs = case.arguments, dict(case.kwargs)
    elementwise = len(case.shape) == 2 and not case.sized(3)
    batch = draw(st.integers(2, 4))
    rest = tuple(draw(st.lists(st.integers(1, 4), max_size=2))) if elementwise else case.shape[1:]
    features = rest[-1] if elementwise and rest else None
    for name, (low, high) in RANGES.items():
        taken = name in arguments and (name in kwargs or name in ("threshold", FACTOR))
        if taken and name not in TIED.get(case.cls.__name__, ()):
            kwargs[name] = draw(numbers(low, high, features))
    for flag in case.learn:
        kwargs[flag] = draw(st.booleans())
    kwargs["reset_mechanism"] = draw(st.sampled_from(case.resets))
    if case.reset_delay:
        kwargs["reset_delay"] = draw(st.booleans())
    if draw(st.integers(0, 7)) == 0 and rest:
        kwargs["inhibition"] = True
    if draw(st.integers(0, 7)) == 0:
        kwargs["state_quant"] = QUANTIZER
    spike_grad = draw(st.sampled_from(sorted(SPIKE_GRADS)))
    return Drawn(case, {**kwargs, **fixed}, (batch, *rest), spike_grad)


FACTOR = "graded_spikes_factor"
QUANTIZER = quant.state_quant(num_bits=4, uniform=True, lower_limit=-2, upper_limit=2)
LAYOUTS = ("contiguous", "transposed", "expanded", "sliced", "repeated")


@st.composite
def inputs(draw: st.DrawFn, shape: tuple[int, ...], dtype: torch.dtype, steps: int = 6) -> Tensor:
    """Draw input (time, batch, ...) that lies in memory in one of many ways."""
    layout = draw(st.sampled_from(LAYOUTS))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    scale = draw(st.sampled_from((0.5, 2.0)))

    def normal(*sizes: int) -> Tensor:
        return (scale * torch.randn(sizes, generator=generator, dtype=torch.float64)).to(dtype)

    if layout == "transposed":
        return normal(*shape, steps).movedim(-1, 0)
    if layout == "expanded":
        return normal(steps, 1, *shape[1:]).expand(steps, *shape)
    if layout == "sliced":
        return normal(2 * steps, *shape[:-1], 2 * shape[-1] + 1)[::2, ..., 1::2]
    if layout == "repeated":
        return normal(*shape).expand(steps, *shape)
    return normal(steps, *shape)


def share(part: float) -> settings:
    """Return settings for a part of the examples that the profile asks for."""
    return settings(max_examples=max(1, round(part * settings.default.max_examples)))


@contextmanager
def kernel_calls() -> Iterator[list[str]]:
    """List the calls of the compiled kernel, so that a test can tell which path ran."""
    calls: list[str] = []
    call = library.Library.call

    def counted(known: library.Library, name: str, args: bytes) -> None:
        calls.append(name)
        call(known, name, args)

    with mock.patch.object(library.Library, "call", counted):
        yield calls


@contextmanager
def traced_calls() -> Iterator[mock.Mock]:
    """Count the runs of a step that was traced and compiled."""
    with mock.patch.object(OnCPU, "_call", autospec=True, side_effect=OnCPU._call) as calls:
        yield calls


def hidden(neuron: Any) -> Any:
    """Let a neuron keep its states, and return them."""
    neuron.init_hidden = neuron.output = True
    return neuron


def own(neuron: snn.SpikingNeuron) -> list[Tensor]:
    """Return the states on a neuron."""
    return [getattr(neuron, name) for name in neuron.state_names]


# --- ways to run a neuron ---------------------------------------------------------------------


def stepped(neuron: Any, x: Tensor) -> list[Tensor]:
    """Run the loop: states passed on, or kept."""
    states = () if neuron.init_hidden else initial(neuron)
    rows = []
    for t in range(len(x)):
        rows.append(flat(neuron(x[t], *states)))
        states = () if neuron.init_hidden else tuple(rows[-1][-len(neuron.state_names) :])
    return [torch.stack(row) for row in zip(*rows, strict=True)]


def initial(neuron: Any) -> tuple[Tensor, ...]:
    states = neuron.reset_mem()
    return states if isinstance(states, tuple) else (states,)


def by_torch(neuron: Any, x: Tensor) -> list[Tensor]:
    with mock.patch.object(state_machine, "fused_step", return_value=None):
        return stepped(neuron, x)


def unrolled(neuron: Any, x: Tensor) -> list[Tensor]:
    return flat(neuron.unroll(x))


class Loop(nn.Module):
    def __init__(self, neuron: Any) -> None:
        super().__init__()
        self.neuron = neuron

    def forward(self, x: Tensor) -> list[Tensor]:
        return stepped(self.neuron, x)


def fused(neuron: Any, x: Tensor) -> list[Tensor]:
    net = snn.fuse(Loop(neuron))
    out: list[Tensor] = net(x)
    assert net.forward.report.noted > 0, "it was deferred"  # type: ignore[union-attr]
    return out


WAYS: dict[str, Callable[[Any, Tensor], list[Tensor]]] = {
    "loop": stepped,
    "unroll": unrolled,
    "fuse": fused,
}
