"""Classes with methods of their own give the numbers that they give on snnTorch 1.0.0."""

from __future__ import annotations

import copy
import json
import pickle
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch import backprop, utils
from snntorch.functional import ce_rate_loss
from tests.neurons import subclasses
from tests.neurons.subclasses import MAKE, data, loop, numbers

pytestmark = pytest.mark.filterwarnings("ignore:.*inhibition is meant:UserWarning")

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "subclasses.json").read_text())
MECHANISMS = ("subtract", "zero", "none")
#: Where 1.0.0 leaves a rest of the equation that was overridden, or does not subtract.
DIFFERS = {"OneBehind/zero", "Drained/zero", "Raised/subtract", "FiresEarly/subtract"}
RUNS_ITSELF = ("Own", "Two", "ByHand")

each = pytest.mark.parametrize("name", MAKE)
each_mechanism = pytest.mark.parametrize("mechanism", MECHANISMS)


def unrolled(neuron: Any, x: Tensor) -> Any:
    return neuron.unroll(x)


def assert_recorded(found: dict[str, Any], name: str) -> None:
    want = RECORDED[name]
    assert found.keys() == want.keys()
    for key, values in want.items():
        largest = max(map(abs, values))
        assert found[key] == pytest.approx(values, rel=1e-4, abs=1e-4 * max(1, largest)), key


@each
@each_mechanism
def test_numbers_are_those_recorded(name: str, mechanism: str) -> None:
    key = f"{name}/{mechanism}"
    with pytest.raises(AssertionError) if key in DIFFERS else nullcontext():
        assert_recorded(numbers(MAKE[name](reset_mechanism=mechanism)), key)


@each
@each_mechanism
def test_hidden_and_unrolled_give_the_same(name: str, mechanism: str) -> None:
    want = numbers(MAKE[name](reset_mechanism=mechanism))
    hidden = {"init_hidden": True, "output": True, "reset_mechanism": mechanism}
    assert numbers(MAKE[name](**hidden)) == want
    for options in (hidden, {"reset_mechanism": mechanism}):
        assert numbers(MAKE[name](**options), unrolled) == want
    neuron, x = MAKE[name](**hidden), data()
    want = loop(neuron, x)
    got = snn.unroll(nn.Sequential(nn.Identity(), MAKE[name](**hidden)), x)
    assert all(torch.equal(one, other) for one, other in zip(got, want, strict=True))


@pytest.mark.parametrize("name", [n for n in MAKE if not n.startswith(RUNS_ITSELF)])
def test_an_override_is_not_the_parent(name: str) -> None:
    """Negative control: the numbers recorded tell the class from the one it comes from."""
    neuron = MAKE[name](reset_mechanism="subtract")
    neuron.__class__ = type(neuron).__mro__[1 if name != "TiringMore" else 2]
    with pytest.raises(AssertionError):
        assert_recorded(numbers(neuron), f"{name}/subtract")


@each
def test_the_plan_says_why_it_is_stepped(name: str) -> None:
    neuron = MAKE[name](init_hidden=True)
    says = str(snn.plan(nn.Sequential(neuron)))
    if neuron.inhibition:
        reason = "inhibition compares neurons"
    elif neuron.state_quant:
        reason = "state_quant is a function of each step"
    elif name.startswith(("Own", "Two")):
        reason = "no kernel knows its equation"
    else:
        reason = "its class has a "
    assert f"step by step: {reason}" in says


@pytest.mark.parametrize("name", ["OneBehind", "Drained"])
def test_zero_clears_the_membrane_whatever_led_to_it(name: str) -> None:
    spk, _, mem = loop(MAKE[name](reset_mechanism="zero"), data())[-3:]
    fired = spk[:-1].bool()
    assert fired.any()
    assert not mem[1:][fired].any()
    assert mem[1:][~fired].all()


def test_alpha_subtracts_the_threshold_from_what_a_class_returns() -> None:
    raised, free = (MAKE["Raised"](reset_mechanism=how) for how in ("subtract", "none"))
    states = [torch.full((2, 3), value) for value in (2.0, -0.5, 0.9)]
    lowered = free(torch.ones(2, 3), *states)[3] - raised(torch.ones(2, 3), *states)[3]
    torch.testing.assert_close(lowered, torch.full((2, 3), 0.7))


# --- methods set on one neuron ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "replacement", "state", "spk", "mem"),
    [
        ("fire", lambda mem: mem - 3, 1.5, -2.25, 0.75),
        ("mem_reset", lambda mem: 0 * mem + 7, 1.5, 0.0, -5.25),
        ("_base_state_function", lambda x: 0 * x + 7, 1.5, 1.0, 6.0),
        ("state_function", lambda x: 3 * x, 1.5, 1.0, 3.0),
    ],
)
def test_a_method_set_on_a_neuron_counts(
    method: str, replacement: Any, state: float, spk: float, mem: float
) -> None:
    neuron = snn.Leaky(0.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neuron, method, replacement, raising=False)
        got = neuron(torch.ones(1, 2), torch.full((1, 2), state))
        rows = neuron.unroll(torch.ones(1, 1, 2), torch.full((1, 2), state))
        assert f"{method} was set on it" in str(snn.plan(nn.Sequential(neuron)))
    for one, row, want in zip(got, rows, (spk, mem), strict=True):
        assert torch.equal(one, torch.full((1, 2), want))
        assert torch.equal(row[0], one)
    assert neuron(torch.ones(1, 2), torch.full((1, 2), state))[1].tolist() == [[0.75, 0.75]]


def test_state_function_goes_on_from_the_states_on_the_module() -> None:
    neuron = snn.Leaky(0.5)
    neuron.mem, neuron.reset = torch.tensor([1.5, 0.5]), torch.tensor([1.0, 0.0])
    assert neuron.state_function(torch.ones(2)).tolist() == [0.75, 1.25]
    neuron.reset_mechanism = "zero"
    assert neuron.state_function(torch.ones(2)).tolist() == [1.0, 1.25]


def test_fire_quantizes_what_it_is_given() -> None:
    neuron = snn.Leaky(0.5, state_quant=torch.round)
    mem = torch.tensor([[1.4, 1.6]])
    assert neuron.fire(mem).tolist() == [[0.0, 1.0]]
    assert neuron.mem_reset(mem).tolist() == [[1.0, 1.0]]


# --- in a net -----------------------------------------------------------------------------------


def test_training_by_bptt() -> None:
    """Loss and weights are those of 1.0.0."""
    net = nn.Sequential(nn.Linear(3, 4), MAKE["Tiring"](init_hidden=True, output=True))
    with torch.no_grad():
        net[0].weight.copy_(torch.linspace(-1, 1.5, 12).reshape(4, 3))
        net[0].bias.fill_(0.2)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    batches = [(data().transpose(0, 1), torch.tensor([1, 3]))]
    loss = backprop.BPTT(
        net, batches, optimizer, ce_rate_loss(), time_first=False, device=torch.device("cpu")
    )
    trained = [-1.000093, -0.772909, -0.545693, -0.311529, -0.078979, 0.147738]
    trained += [0.352209, 0.575282, 0.803286, 1.045459, 1.272845, 1.50064]
    assert float(loss) == pytest.approx(1.3914598, rel=1e-5)
    assert net[0].weight.flatten().tolist() == pytest.approx(trained, abs=1e-5)


@pytest.mark.parametrize("name", ["Own", "Two"])
def test_states_a_class_registers_itself(name: str) -> None:
    net = nn.Sequential(nn.Linear(3, 3), MAKE[name](init_hidden=True))
    neuron = net[1]
    states = ["mem"] if name == "Own" else ["slow", "mem"]
    before = set(net.state_dict())
    net(torch.ones(2, 3))
    assert set(net.state_dict()) == before
    assert not any(f"1.{state}" in before for state in states)
    assert all(f"1.{state}" in dict(net.named_buffers()) for state in states)
    held = {state: getattr(neuron, state).clone() for state in states}
    copied = copy.deepcopy(net)
    assert all(torch.equal(getattr(copied[1], state), held[state]) for state in states)
    utils.reset(net)
    assert all(not getattr(neuron, state).any() for state in states)


@pytest.mark.parametrize("name", ["LearnedReset", "Refractory", "Everything"])
def test_copies_leave_the_last_reset_out(name: str) -> None:
    neuron = MAKE[name](init_hidden=True)
    neuron(data()[0])
    neuron(data()[1])
    for copied in (copy.deepcopy(neuron), pickle.loads(pickle.dumps(neuron))):
        assert hasattr(neuron, "reset")
        assert not hasattr(copied, "reset")
        assert copied(data()[2]).shape == (2, 3)


def test_every_class_is_run() -> None:
    classes = {
        found
        for found in vars(subclasses).values()
        if isinstance(found, type) and issubclass(found, snn.SpikingNeuron)
    }
    assert classes <= {cls for make in MAKE.values() for cls in type(make()).__mro__}
    assert RECORDED.keys() == {f"{name}/{how}" for name in MAKE for how in MECHANISMS}


class OnlyStep(snn.SpikingNeuron):
    """A neuron that says nothing but its equation."""

    @staticmethod
    def step(input_: Tensor, mem: Tensor) -> tuple[Tensor, ...]:
        return (0.5 * mem + input_,)


def test_a_step_is_enough() -> None:
    x, start = torch.rand(2, 3), torch.rand(2, 3)
    spk, mem = OnlyStep()(x, start)
    want = 0.5 * start + x - (start > 1).float()
    torch.testing.assert_close(mem, want)
    assert torch.equal(spk, (want > 1).float())
    assert torch.equal(OnlyStep()(x, mem=start)[1], mem)
    assert torch.equal(OnlyStep()(x)[1], x)


def test_a_class_beside_it_hears_of_subclasses() -> None:
    heard = []

    class Listed:
        def __init_subclass__(cls) -> None:
            heard.append(cls.__name__)

    class Mine(snn.Leaky, Listed):
        pass

    assert heard == ["Mine"]
    assert Mine(0.5)(torch.ones(1, 2))[1].tolist() == [[1, 1]]
