"""The contract of neurons as a function: every neuron keeps it, and a broken one is named."""

from __future__ import annotations

import copy
import functools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch import surrogate
from snntorch.testing import LAWS, check_neuron
from tests.cases import CASES, Case, options

# --- those of the package ---------------------------------------------------------------------


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_neuron_keeps_the_law(case: Case, law: str) -> None:
    kwargs = {**case.kwargs, **dict.fromkeys(case.learn, True)}
    check_neuron(case.cls, kwargs, shape=case.shape, scale=case.scale, laws=[law])


@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("mechanism", ["zero", "none", "soft"])
def test_whatever_its_reset(mechanism: str, delay: bool) -> None:
    check_neuron(snn.Leaky, {"beta": 0.9, **options(mechanism, delay)}, steps=6)


def test_with_a_threshold_that_adapts() -> None:
    """Homeostasis is kept on the neuron, whatever states are passed."""

    def adaptive() -> snn.SpikingNeuron:
        return snn.Leaky(0.9).enable_homeostasis(increment=0.5, tau=20.0)

    check_neuron(adaptive, laws=LAWS.keys() - {"states"})


# --- broken ones ------------------------------------------------------------------------------


class Broken(snn.SpikingNeuron):
    """Nothing is wrong with this one: a leak, and a parameter that is learned."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = nn.Parameter(torch.tensor(0.8))

    def step_parameters(self) -> dict[str, Tensor]:
        return {"rate": self.rate}

    def step(self, input_: Tensor, mem: Tensor, *, rate: Tensor) -> tuple[Tensor, ...]:
        return (rate * mem + input_,)


class Float32(Broken):
    """Keeps numbers that do not move along."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.ones(3)

    def step(self, input_: Tensor, mem: Tensor, *, rate: Tensor) -> tuple[Tensor, ...]:
        return (rate * mem + self.gain * input_,)


class Summed(Broken):
    def __init__(self) -> None:
        super().__init__(reset_mechanism="none")

    def step(self, input_: Tensor, mem: Tensor, *, rate: Tensor) -> tuple[Tensor, ...]:
        return ((rate * mem + input_).sum(-1, keepdim=True),)


class TwoForOne(Broken):
    def step(self, input_: Tensor, mem: Tensor, *, rate: Tensor) -> tuple[Tensor, ...]:
        return rate * mem, rate * mem + input_


class HalfSpikes(Broken):
    def fire(self, mem: Tensor) -> Tensor:
        return super().fire(mem) * 0.5


class Silent(Broken):
    def __init__(self) -> None:
        super().__init__(threshold=1e6)


class WritesToState(Broken):
    def step(self, input_: Tensor, mem: Tensor, *, rate: Tensor) -> tuple[Tensor, ...]:
        return (mem.mul_(rate.detach()).add_(input_),)


class WritesToInput(Broken):
    def step(self, input_: Tensor, mem: Tensor, *, rate: Tensor) -> tuple[Tensor, ...]:
        return (input_.add_(rate * mem) if not input_.requires_grad else input_ + rate * mem,)


class Counts(Broken):
    steps = 0

    def step(self, input_: Tensor, mem: Tensor, *, rate: Tensor) -> tuple[Tensor, ...]:
        self.steps += 1
        return (rate * mem + input_,)


class Collects(Broken):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []

    def step(self, input_: Tensor, mem: Tensor, *, rate: Tensor) -> tuple[Tensor, ...]:
        self.seen.append(float(mem.detach().max()))
        return (rate * mem + input_,)


def remembering() -> Broken:
    """Return one whose step has a memory that no attribute shows."""
    memory = []

    class Remembers(Broken):
        def step(self, input_: Tensor, mem: Tensor, *, rate: Tensor) -> tuple[Tensor, ...]:
            memory.append(1)
            return (rate * mem + input_ / len(memory),)

    return Remembers()


class Traces(snn.Leaky):
    """Keeps what goes from step to step elsewhere than in a state."""

    trace: Any = 0.0

    def _base_state_function(self, input_: Tensor) -> Any:
        self.trace = 0.7 * self.trace + self.mem.mean(0)
        return super()._base_state_function(input_) - 0.2 * self.trace


class NeverResets(Broken):
    def reset_mem(self) -> Any:
        return torch.zeros(0)


class ResetsHalf(Broken):
    def mem_reset(self, mem: Tensor) -> Tensor:
        return super().mem_reset(mem) * (mem > 1.5)


class AnotherEquation(Broken):
    """Says that a kernel knows it."""

    model = "leaky"

    def step_parameters(self) -> dict[str, Tensor]:
        return {"beta": self.rate}

    def step(self, input_: Tensor, mem: Tensor, *, beta: Tensor) -> tuple[Tensor, ...]:
        return (beta * mem + (1 - beta) * input_,)


class Centred(Broken):
    def step(self, input_: Tensor, mem: Tensor, *, rate: Tensor) -> tuple[Tensor, ...]:
        return (rate * mem + input_ - input_.mean(0),)


def competing(x: Tensor, grad: Tensor, spikes: Tensor) -> Tensor:
    """Let the samples of a batch compete for the gradient."""
    return grad * x.softmax(0)


class Competes(Broken):
    def __init__(self) -> None:
        super().__init__(spike_grad=surrogate.custom_surrogate(competing))


class HidesByZero(Broken):
    def step(self, input_: Tensor, mem: Tensor, *, rate: Tensor) -> tuple[Tensor, ...]:
        return (rate * mem + input_ + 0 * mem.sum(0),)


class UnrollsFromZero(Broken):
    def unroll(self, input_: Tensor, *states: Any, **kwargs: Any) -> Any:
        self.reset_mem()
        return super().unroll(input_, **kwargs)


class UnrollsRounded(Broken):
    def unroll(self, *args: Any, **kwargs: Any) -> Any:
        spk, mem = super().unroll(*args, **kwargs)
        return spk, mem.float().double()


class LooksAtTypes(Broken):
    def forward(self, input_: Tensor, *args: Any, **kwargs: Any) -> Any:
        return super().forward(input_ if type(input_) is Tensor else 2 * input_, *args, **kwargs)


class TwiceTheSlope(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.tanh()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (output,) = ctx.saved_tensors
        return 2 * grad * (1 - output**2)


class WrongSlope(Broken):
    def step(self, input_: Tensor, mem: Tensor, *, rate: Tensor) -> tuple[Tensor, ...]:
        return (rate * TwiceTheSlope.apply(mem) + input_,)


class Unused(Broken):
    def step(self, input_: Tensor, mem: Tensor, *, rate: Tensor) -> tuple[Tensor, ...]:
        return (0.8 * mem + input_,)


class UnrollsWithoutGradient(Broken):
    def unroll(self, *args: Any, **kwargs: Any) -> Any:
        with torch.no_grad():
            return super().unroll(*args, **kwargs)


class Attached(Broken):
    def detach_mem(self) -> None:
        pass


class OneForAll(Broken):
    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self


class Unpicklable(Broken):
    def __init__(self) -> None:
        super().__init__()
        self.scale = lambda value: 2 * value


class Registers(Broken):
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        self.register_buffer("seen", torch.ones(()))
        return super().forward(*args, **kwargs)


class Stateful(Broken):
    """Keeps the states of a batch in its checkpoints."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mem", torch.zeros(0))


class Branches(Broken):
    def step(self, input_: Tensor, mem: Tensor, *, rate: Tensor) -> tuple[Tensor, ...]:
        return (rate * mem + input_ if mem.isfinite().any() else mem,)


#: By the law that each breaks first.
BROKEN: dict[str, tuple[Any, ...]] = {
    "dtypes": (Float32,),
    "shapes": (Summed, TwoForOne),
    "spikes": (HalfSpikes, Silent),
    "inputs": (WritesToState, WritesToInput),
    "purity": (Counts, Collects, remembering),
    "states": (functools.partial(Traces, 0.8),),
    "resets": (NeverResets,),
    "zeroing": (ResetsHalf,),
    "equation": (AnotherEquation,),
    "samples": (Centred, Competes),
    "nans": (HidesByZero,),
    "time": (UnrollsFromZero,),
    "unroll": (UnrollsRounded,),
    "fuse": (LooksAtTypes,),
    "derivatives": (WrongSlope,),
    "learning": (Unused,),
    "backward": (UnrollsWithoutGradient,),
    "detaching": (Attached,),
    "copies": (OneForAll,),
    "pickles": (Unpicklable,),
    "checkpoints": (Registers, Stateful),
    "devices": (Branches,),
}


@pytest.mark.parametrize(
    ("law", "cls"), [(law, cls) for law, classes in BROKEN.items() for cls in classes]
)
def test_a_broken_neuron_is_named(law: str, cls: Any) -> None:
    with pytest.raises(AssertionError) as error:
        check_neuron(cls)
    first, *numbers, advice = str(error.value).split("\n")
    assert first == f"{type(cls()).__name__} breaks the law `{law}`: {LAWS[law]}"
    assert any(map(str.strip, numbers))
    assert advice.endswith(".")


def test_every_law_is_broken_by_some() -> None:
    assert BROKEN.keys() == LAWS.keys()
    check_neuron(Broken)


def test_other_laws_can_be_checked_alone() -> None:
    check_neuron(Branches, laws=LAWS.keys() - {"devices"})
    check_neuron(Centred, laws=["unroll", "fuse", "copies"])


def test_an_error_of_the_neuron_is_told_with_the_law() -> None:
    class Raises(Broken):
        def unroll(self, *_: Any, **__: Any) -> Any:
            raise KeyError("mem")

    with pytest.raises(AssertionError, match=r"`unroll`.*\nIt raised KeyError: 'mem'") as error:
        check_neuron(Raises, laws=["states", "unroll"])
    assert isinstance(error.value.__cause__, KeyError)


# --- the function -----------------------------------------------------------------------------


def test_a_step_may_draw_at_random() -> None:
    class Noisy(Broken):
        def step(self, input_: Tensor, mem: Tensor, *, rate: Tensor) -> tuple[Tensor, ...]:
            return (rate * mem + input_ + 0.1 * torch.randn_like(mem),)

    check_neuron(Noisy, laws=LAWS.keys() - {"states", "resets", "time"})


def test_it_leaves_no_trace() -> None:
    torch.manual_seed(5)
    want = torch.rand(3)
    torch.manual_seed(5)
    kwargs = {"beta": torch.tensor(0.9)}
    before = copy.deepcopy(kwargs)
    with torch.no_grad():
        check_neuron(snn.Leaky, kwargs, laws=["learning", "checkpoints"])
        assert not torch.is_grad_enabled()
    assert torch.equal(torch.rand(3), want)
    assert kwargs == before


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"shape": ()}, ValueError, r"`shape` of two samples or more, but got \(\)"),
        ({"shape": (1, 3)}, ValueError, r"`shape` of two samples or more, but got \(1, 3\)"),
        ({"steps": 2}, ValueError, r"`steps` >= 3, but got 2"),
        ({"scale": 0}, ValueError, r"`scale` > 0, but got 0"),
        ({"shape": 4}, TypeError, "`shape` to be a tuple of ints, but got 4"),
        ({"shape": (4, 2.5)}, TypeError, "`shape` to be an int, but got 2.5"),
        ({"kwargs": 0.9}, TypeError, "`kwargs` to be a dict, but got 0.9"),
        ({"laws": 3}, TypeError, "`laws` to be a list of names, but got 3"),
        ({"laws": ["gravity"]}, ValueError, r"`laws` to be one of .*'samples'.*'gravity'"),
    ],
)
def test_wrong_arguments(kwargs: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^check_neuron expected {message}"):
        check_neuron(Broken, **kwargs)


def test_what_cannot_be_called() -> None:
    with pytest.raises(TypeError, match="`cls` to be a class of neurons, but got 3"):
        check_neuron(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("cls", [nn.Identity, functools.partial(snn.LeakyParallel, 3, 4)])
def test_what_is_no_neuron(cls: Any) -> None:
    with pytest.raises(TypeError, match=r"`cls` to build neurons with a `step`.*\nDerive it"):
        check_neuron(cls)
