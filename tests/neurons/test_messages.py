"""Everyday mistakes: each message names the argument and what to type."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import snntorch as snn
from snntorch import backprop, surrogate, utils
from snntorch.functional import ce_rate_loss
from tests.cases import CASES, Case, flat

X = torch.rand(5, 4, 3)

MISTAKES: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "beta of another size": (
        lambda: snn.Synaptic(0.9, torch.rand(4))(X[0]),
        ValueError,
        "`beta` to broadcast",
    ),
    "threshold of another size": (
        lambda: snn.Leaky(0.9, torch.rand(7)).unroll(X),
        ValueError,
        "`threshold`",
    ),
    "features of an LSTM": (lambda: snn.SLSTM(8, 4)(X[0]), ValueError, "as `input_size` says"),
    "channels of an LSTM": (
        lambda: snn.SConv2dLSTM(2, 3, 3)(torch.rand(1, 5, 6, 6)),
        ValueError,
        "as `in_channels` says",
    ),
    "no channels": (
        lambda: snn.SConv2dLSTM(2, 3, 3)(torch.rand(6, 6)),
        ValueError,
        "as `in_channels` says",
    ),
    "pooling": (
        lambda: snn.SConv2dLSTM(2, 3, 3, avg_pool=(2, 9))(torch.rand(1, 2, 6, 6)),
        ValueError,
        "no smaller than its pooling",
    ),
    "hidden size": (lambda: snn.SLSTM(4, 0), ValueError, "`hidden_size` >= 1, but got 0"),
    "out channels": (
        lambda: snn.SConv2dLSTM(2, 1.5, 3),
        TypeError,
        "`out_channels` to be an int, but got 1.5",
    ),
    "fire a list": (lambda: snn.Leaky(0.9).fire([1.0]), TypeError, "`mem` to be a torch.Tensor"),
    "reset nothing": (
        lambda: snn.Leaky(0.9).mem_reset(None),
        TypeError,
        "`mem` to be a torch.Tensor",
    ),
    "inhibit nothing": (
        lambda: snn.Leaky(0.9).fire_inhibition(1, None),
        TypeError,
        "`mem` to be a torch.Tensor",
    ),
    "surrogate of a number": (
        lambda: surrogate.sigmoid()(0.5),
        TypeError,
        "`x` to be a torch.Tensor",
    ),
    "complex input": (
        lambda: snn.RLeaky(0.9, V=1.0, all_to_all=False)(X[0] * 1j),
        TypeError,
        "a real `input_`",
    ),
    "complex beta": (lambda: snn.Leaky(torch.tensor(0.5j)), TypeError, "a real `beta`"),
    "complex threshold": (lambda: snn.SLSTM(3, 3, threshold=1j), TypeError, "a real `threshold`"),
    "flag as a tensor": (
        lambda: snn.Alpha(0.9, 0.8, learn_alpha=torch.ones(2)),
        TypeError,
        "`learn_alpha` to be True or False",
    ),
    "flag as a string": (
        lambda: snn.Leaky(0.9, init_hidden="yes"),
        TypeError,
        "`init_hidden` to be True or False",
    ),
    "surrogate's class": (
        lambda: snn.Leaky(0.9, spike_grad=surrogate.Triangular),
        TypeError,
        "`spike_grad` to be a function",
    ),
    "surrogate's factory": (
        lambda: snn.Leaky(0.9, spike_grad=surrogate.LSO),
        TypeError,
        "spike_grad=surrogate.LSO()",
    ),
    "slope as a string": (lambda: surrogate.LSO("0.1"), TypeError, "`slope` to be a number"),
    "bound of nothing": (lambda: surrogate.SFS(25, None), TypeError, "`B` to be a number"),
    "infinite alpha": (lambda: surrogate.atan(float("inf")), ValueError, "a finite `alpha`"),
    "beta beyond all floats": (
        lambda: surrogate.spike_rate_escape(10**400),
        ValueError,
        "a finite `beta`",
    ),
    "the parent": (lambda: snn.SpikingNeuron()(X[0]), TypeError, "Use snn.Leaky"),
    "the parent of leaky ones": (
        lambda: snn.LIF(0.9, init_hidden=True)(X[0]),
        TypeError,
        "Use snn.Leaky",
    ),
    "the parent over time": (lambda: snn.LIF(0.9).unroll(X), TypeError, "Use snn.Leaky"),
    "a subset of text": (
        lambda: utils.data_subset(nn.Module(), "2"),
        TypeError,
        "a data set with `data` and `targets`",
    ),
    "a device of no name": (
        lambda: trained(backprop.BPTT, [(X, X)], device="gpu"),
        ValueError,
        "`device`",
    ),
    "no loader": (lambda: trained(backprop.RTRL, None), TypeError, "`dataloader`"),
    "complex input over time": (
        lambda: snn.Alpha(0.9, 0.5).unroll(X * 1j),
        TypeError,
        "a real `input_`",
    ),
    "complex weight": (
        lambda: snn.RLeaky(0.9, V=1j, all_to_all=False),
        TypeError,
        "a real `V`",
    ),
    "complex resistance": (lambda: snn.Lapicque(R=1j, C=1.0), TypeError, "a real `R`"),
    "complex sizes": (lambda: snn.GradedSpikes(3, torch.tensor(1j)), TypeError, "a real"),
    "complex graded spikes": (
        lambda: snn.GradedSpikes(3)(torch.ones(2, 3, dtype=torch.cfloat)),
        TypeError,
        "a real `x`",
    ),
    "apply to a list": (
        lambda: surrogate.FastSigmoid.apply([1.0]),
        TypeError,
        "`x` to be a torch.Tensor",
    ),
    "no function of a user's": (
        lambda: surrogate.custom_surrogate(None),  # type: ignore[arg-type]
        TypeError,
        "a function f(input_, grad_input, spikes)",
    ),
    "slope that is no number": (
        lambda: surrogate.fast_sigmoid(float("nan")),
        ValueError,
        "a finite `slope`",
    ),
    "slope of two": (
        lambda: surrogate.sigmoid((25, 25)),  # type: ignore[arg-type]
        TypeError,
        "`slope` to be a number",
    ),
    "mean of text": (lambda: surrogate.SSO("0"), TypeError, "`mean`"),  # type: ignore[arg-type]
    "variance of nothing": (
        lambda: surrogate.SSO(0, None),  # type: ignore[arg-type]
        TypeError,
        "`variance`",
    ),
    "threshold of a triangle": (
        lambda: surrogate.triangular([1]),  # type: ignore[arg-type]
        TypeError,
        "`threshold`",
    ),
    "reset as an array": (
        lambda: snn.Leaky(0.9, reset_mechanism=np.ones(2)),  # type: ignore[arg-type]
        ValueError,
        "`reset_mechanism` to be one of",
    ),
    "delay as a tensor": (
        lambda: snn.Leaky(0.9, reset_delay=torch.ones(2)),  # type: ignore[arg-type]
        TypeError,
        "`reset_delay` to be True or False",
    ),
    "features as a tensor": (
        lambda: snn.RLeaky(0.9, linear_features=torch.ones(2)),  # type: ignore[arg-type]
        TypeError,
        "`linear_features` to be an int",
    ),
    "kernel of three sides": (
        lambda: snn.RLeaky(0.9, conv2d_channels=2, kernel_size=(3, 3, 3)),
        ValueError,
        "`kernel_size` to be an int or a pair of them",
    ),
    "pooling by text": (
        lambda: snn.SConv2dLSTM(2, 3, 3, max_pool="2"),
        TypeError,
        "`max_pool` to be an int",
    ),
    "size beyond memory": (
        lambda: snn.SLSTM(3, 2**70),
        ValueError,
        "`hidden_size` <= 2147483647",
    ),
    "steps beyond memory": (
        lambda: snn.Leaky(0.9).unroll(X[0], num_steps=2**70),
        ValueError,
        "`num_steps` <= 2147483647",
    ),
    "complex state": (lambda: snn.Leaky(0.9)(X[0], X[0] * 1j), TypeError, "a real `mem`"),
    "states of another number": (
        lambda: snn.DeltaLeaky(beta=0.9)(X[0], ()),
        ValueError,
        "`mem` to be a tensor, or both of (mem, mem_prev)",
    ),
    "dtype other than an LSTM's": (
        lambda: snn.SLSTM(3, 4)(X[0].double()),
        TypeError,
        "`input_` of torch.float32, as its weights",
    ),
    "dtype other than a convolution's": (
        lambda: snn.SConv2dLSTM(2, 3, 3)(torch.ones(1, 2, 6, 6).double()),
        TypeError,
        "`input_` and `mem` of torch.float32, as its weights",
    ),
    "dtype other than the feedback's": (
        lambda: snn.RLeaky(0.9, linear_features=3)(X[0].double()),
        TypeError,
        "`input_` and `spk` of torch.float32, as its weights",
    ),
    "dtype other than a matrix's": (
        lambda: snn.LeakyParallel(3, 4)(X.half()),
        TypeError,
        "`input_` of torch.float32, as its weights",
    ),
    "input where its parameters are not": (
        lambda: snn.Leaky(torch.rand(3))(X[0].to("meta")),
        ValueError,
        "`input_` on device cpu, where its `beta` is",
    ),
    "input where its weights are not": (
        lambda: snn.LinearLeaky(0.9, 3, 4)(X.to("meta")),
        ValueError,
        "`input_` on device cpu, as its weights",
    ),
    "sequence of images through an LSTM": (
        lambda: snn.SLSTM(3, 4)(X),
        ValueError,
        "as `input_size` says",
    ),
    "threshold wider than what is summed": (
        lambda: snn.StateLeaky(0.9, 3, threshold=torch.rand(2))(X),
        ValueError,
        "`threshold` to broadcast",
    ),
    "rates without values": (
        lambda: snn.StateLeaky(torch.rand(3, device="meta"), 3)(X),
        ValueError,
        "`beta` with values",
    ),
    "fire what does not fit": (
        lambda: snn.Leaky(0.9, threshold=torch.rand(3)).fire(torch.rand(2)),
        ValueError,
        "`threshold` to broadcast",
    ),
    "number of samples as a tensor": (
        lambda: snn.Leaky(0.9).fire_inhibition(torch.ones(2), X[0]),  # type: ignore[arg-type]
        TypeError,
        "`batch_size` to be an int",
    ),
    "detach a number": (
        lambda: snn.SpikingNeuron.detach(1.0),  # type: ignore[arg-type]
        TypeError,
        "`args` to be a torch.Tensor",
    ),
    "detach a view": (lambda: snn.Leaky.detach(X[0]), ValueError, "tensors of their own"),
    "zero a number": (
        lambda: snn.SpikingNeuron.zeros(1.0),  # type: ignore[arg-type]
        TypeError,
        "`args` to be a torch.Tensor",
    ),
    "device of a number": (
        lambda: snn.LinearLeaky(0.9, 3, 4, device=1.5),  # type: ignore[arg-type]
        TypeError,
        "`device` to be",
    ),
    "dtype of text": (
        lambda: snn.LeakyParallel(3, 4, dtype="half"),  # type: ignore[arg-type]
        TypeError,
        "`dtype` to be a floating-point torch.dtype",
    ),
    "dropout above 1": (
        lambda: snn.LeakyParallel(3, 4, dropout=1.5),
        ValueError,
        "`dropout` to be a probability, 0 to 1",
    ),
    "dropout below 0": (
        lambda: snn.LeakyParallel(3, 4, dropout=-0.5),
        ValueError,
        "`dropout` to be a probability, 0 to 1",
    ),
    "a projection by two": (
        lambda: snn.AssociativeLeaky(3, 2, 2, 4, use_q_projection=torch.ones(2)),  # type: ignore
        TypeError,
        "`use_q_projection` to be True or False",
    ),
    "delays elsewhere": (
        lambda: snn.SynapticDelay(3, channels=3)(X[0].to("meta")),
        ValueError,
        "`input_` on device cpu, where its `delay` is",
    ),
    "sizes of spikes elsewhere": (
        lambda: snn.GradedSpikes(3)(X[0].to("meta")),
        ValueError,
        "`x` on device cpu, as its weights",
    ),
    "truncate by a tensor": (
        lambda: snn.unroll(nn.Identity(), X, chunk=2, truncate=torch.ones(2)),  # type: ignore
        TypeError,
        "`truncate` to be True or False",
    ),
    "fuse a number": (lambda: snn.fuse(1), TypeError, "`net` to be a torch.nn.Module"),  # type: ignore
    "parameters of a class": (
        lambda: surrogate.Sigmoid.apply(X, "25"),
        TypeError,
        "`slope` to be a number",
    ),
    "derivative at a number": (
        lambda: surrogate.atan().derivative(0.5),  # type: ignore[arg-type]
        TypeError,
        "`x` to be a torch.Tensor",
    ),
    "spikes of complex numbers": (lambda: surrogate.atan()(X * 1j), TypeError, "a real `x`"),
    "a surrogate of no function": (
        lambda: surrogate.SurrogateGradient("atan", torch.atan),  # type: ignore[arg-type]
        TypeError,
        "`function` to be a subclass of surrogate.SurrogateFunction",
    ),
    "a surrogate of another class": (
        lambda: surrogate.SurrogateGradient("atan", nn.Sigmoid),  # type: ignore[arg-type]
        TypeError,
        "`function` to be a subclass of surrogate.SurrogateFunction",
    ),
    "a surrogate's origin": (
        lambda: surrogate.SurrogateGradient("atan", surrogate.ATan, (), X),  # type: ignore[arg-type]
        TypeError,
        "`is_default` to be True or False",
    ),
    "values of a surrogate": (
        lambda: surrogate.SurrogateGradient("atan", surrogate.ATan, 2.0),  # type: ignore[arg-type]
        TypeError,
        "`values` to be a tuple of ('alpha',)",
    ),
    "the surrogates' parent": (
        lambda: surrogate.SurrogateFunction.apply(X.clone().requires_grad_()).sum().backward(),
        TypeError,
        "a subclass with a `gradient(x, grad, *parameters)`",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named(name: str) -> None:
    call, error, says = MISTAKES[name]
    with pytest.raises(error, match=re.escape(says)) as found:
        call()
    assert "expected" in str(found.value)
    assert "but got" in str(found.value)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_states_of_whole_numbers_are_those_of_floats(case: Case, dtype: torch.dtype) -> None:
    """Weights, and torch's subtraction, take no truth values."""
    x = case.input(1)[0]
    fresh = case.make()
    fresh(x)
    states = [torch.ones_like(state) for state in fresh._own_states()]
    whole = [state.to(dtype) for state in states]
    if case.cls is snn.DeltaLeaky:
        states, whole = [tuple(states)], [tuple(whole)]
    assert all(map(torch.equal, flat(case.make()(x, *whole)), flat(case.make()(x, *states))))


@pytest.mark.parametrize("cls", [snn.Leaky, snn.Lapicque, snn.Alpha])
def test_input_of_truth_values_is_0_and_1(cls: type[snn.SpikingNeuron]) -> None:
    arguments = {"alpha": 0.8, "beta": 0.6} if cls is snn.Alpha else {"beta": 0.6}
    x = X > 0.5
    for found, wanted in (
        (cls(**arguments)(x[0]), cls(**arguments)(x[0].float())),
        (cls(**arguments).unroll(x), cls(**arguments).unroll(x.float())),
    ):
        assert all(map(torch.equal, flat(found), flat(wanted)))


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (snn.LeakyParallel(3, 4), X),
        (snn.LinearLeaky(0.9, 3, 4), X),
        (snn.AssociativeLeaky(3, 2, 2, 4), X),
        (snn.GradedSpikes(3), X),
        (snn.SLSTM(3, 4), X[0]),
    ],
)
def test_input_of_inference_mode_is_learned_from(layer: nn.Module, x: torch.Tensor) -> None:
    with torch.inference_mode():
        x = x.clone()
    flat(layer(x))[-1].sum().backward()
    assert any(parameter.grad is not None for parameter in layer.parameters())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_numbers_stay_where_they_are_beside_an_input_elsewhere(case: Case) -> None:
    """A number without dimensions needs no move; weights do."""
    neuron, x = case.make(), case.input(3).to("meta")
    if any(value.dim() for value in neuron.state_dict().values()):
        with pytest.raises(ValueError, match=r"on device cpu, .*but got one on meta"):
            neuron.unroll(x)
    else:
        assert all(out.is_meta for out in flat(neuron.unroll(x)))


def test_numbers_of_numpy_are_numbers() -> None:
    lif = snn.Leaky(0.9)
    assert torch.equal(lif.unroll(X[0], num_steps=np.int64(2))[0], lif.unroll(X[0], num_steps=2)[0])
    net = nn.Sequential(snn.Leaky(0.9, init_hidden=True))
    assert snn.unroll(net, X, chunk=np.int64(2)).shape == X.shape
    assert snn.LeakyParallel(np.int64(3), np.int64(4))(X).shape == (5, 4, 4)
    assert snn.SConv2dLSTM(np.int64(2), np.int64(3), 3)(torch.rand(1, 2, 4, 4))[0].shape[1] == 3


def trained(algorithm: Any, data: Any, **kwargs: Any) -> None:
    net = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    algorithm(net, data, optimizer, ce_rate_loss(), **kwargs)


FACTORIES = [n for n in surrogate.__all__ if inspect.isfunction(getattr(surrogate, n))]
FUNCTIONS = [
    name
    for name, found in vars(surrogate).items()
    if isinstance(found, type)
    and issubclass(found, surrogate.SurrogateFunction)
    and found is not surrogate.SurrogateFunction
]


@pytest.mark.parametrize("case", CASES[::3], ids=str)
@pytest.mark.parametrize("name", [*FACTORIES, *FUNCTIONS])
def test_a_surrogate_still_to_be_made_is_refused(name: str, case: Case) -> None:
    made = f"surrogate.{name}()" if name in FACTORIES else f"surrogate.{name}.apply"
    for disable in (False, True):
        with pytest.raises(TypeError, match=r"`spike_grad` to be a function") as found:
            case.make(spike_grad=getattr(surrogate, name), surrogate_disable=disable)
        assert re.search(rf"{re.escape(made)}\W", f"{found.value} ")


@pytest.mark.parametrize(
    ("flag", "case"),
    [
        (flag, case)
        for case in CASES
        for flag in ("init_hidden", "inhibition", "output", "surrogate_disable", *case.learn)
    ],
    ids=str,
)
@pytest.mark.parametrize("value", [torch.ones(2), torch.tensor(True), 0.5, "True", None, 2])
def test_a_flag_is_true_or_false(flag: str, case: Case, value: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{case.cls.__name__} expected `{flag}` to be True"):
        case.make(**{flag: value})


@pytest.mark.parametrize("flag", ["all_to_all", "learn_recurrent"])
@pytest.mark.parametrize("cls", [snn.RLeaky, snn.RSynaptic])
def test_a_flag_of_feedback_is_true_or_false(cls: Any, flag: str) -> None:
    rates = (0.9,) if cls is snn.RLeaky else (0.5, 0.9)
    with pytest.raises(TypeError, match=f"`{flag}` to be True or False.*ndarray"):
        cls(*rates, linear_features=3, **{flag: np.ones(3)})


INNER = {
    "passed states": lambda: snn.Leaky(0.9),
    "output": lambda: snn.Synaptic(0.5, 0.9, init_hidden=True, output=True),
    "feedback": lambda: snn.RLeaky(0.9, linear_features=4),
    "LSTM": lambda: snn.SLSTM(4, 4),
}


@pytest.mark.parametrize("name", INNER)
def test_a_neuron_within_a_net_that_returns_its_states(name: str) -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Sequential(INNER[name](), nn.Linear(4, 2)))
    message = r"one tensor from \w+ \(layer '1\.0'\) for Linear \(layer '1\.1'\)"
    with pytest.raises(TypeError, match=rf"{message}(?s:.*)init_hidden=True, output=False"):
        snn.unroll(net, X)


@pytest.mark.filterwarnings("ignore:.*inhibition is meant:UserWarning")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_inhibition_of_no_samples(case: Case) -> None:
    x = torch.zeros(3, 0, *case.shape[1:])
    outs = [flat(case.make(inhibition=True)(x[0])), flat(case.make(inhibition=True).unroll(x))]
    shape = (0, *(case.spk_shape or case.shape)[1:])
    assert outs[0][0].shape == shape
    assert outs[1][0].shape == (3, *shape)
    assert case.make(inhibition=True).fire_inhibition(0, torch.zeros(0, 3)).shape == (0, 3)


@pytest.mark.filterwarnings("ignore:.*inhibition is meant:UserWarning")
def test_inhibition_of_another_batch_is_named() -> None:
    neuron = snn.Leaky(0.9, inhibition=True)
    with pytest.raises(ValueError, match=r"`mem` of 2 samples, but got \(3, 4\)"):
        neuron.fire_inhibition(2, torch.rand(3, 4))


@pytest.mark.filterwarnings("ignore:.*inhibition is meant:UserWarning")
def test_inhibition_of_an_empty_batch() -> None:
    neuron = snn.Leaky(0.9, inhibition=True)
    spk, mem = neuron(torch.rand(0, 3))
    assert spk.shape == mem.shape == (0, 3)
    assert neuron.fire_inhibition(0, mem).shape == (0, 3)


@pytest.mark.parametrize(
    ("neuron", "says"),
    [
        (snn.Leaky(0.5), "Leaky(threshold=1, beta=0.5, reset_mechanism='subtract')"),
        (
            snn.Leaky(torch.rand(3), 2.0, learn_threshold=True, reset_mechanism="zero"),
            "Leaky(threshold=2 (learned), beta=<3 on cpu>, reset_mechanism='zero')",
        ),
        (
            snn.Leaky(
                0.5, graded_spikes_factor=3.0, init_hidden=True, output=True, reset_delay=False
            ),
            "Leaky(threshold=1, graded_spikes_factor=3, beta=0.5, reset_mechanism='subtract', "
            "init_hidden=True, output=True, reset_delay=False)",
        ),
        (
            snn.Synaptic(0.25, 0.5).to("meta"),
            "Synaptic(threshold=<one on meta>, graded_spikes_factor=<one on meta>, "
            "beta=<one on meta>, alpha=<one on meta>, reset_mechanism='subtract')",
        ),
        (snn.DeltaLeaky(0.5, 0.9), "DeltaLeaky(threshold=1, beta=0.9, delta_threshold=0.5)"),
    ],
)
def test_a_neuron_tells_itself_from_others(neuron: Any, says: str) -> None:
    assert repr(neuron) == says


@pytest.mark.filterwarnings("ignore:.*inhibition is meant:UserWarning")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_setting_that_differs_is_told(case: Case) -> None:
    usual = repr(case.make())
    name = "delta_threshold" if case.cls is snn.DeltaLeaky else "threshold"
    different = [case.make(**{name: 0.12345}), case.make(inhibition=True)]
    different += [case.make(init_hidden=True), case.make(init_hidden=True, output=True)]
    different += [case.make(**{flag: True}) for flag in case.learn if flag != "learn_recurrent"]
    others = [mechanism for mechanism in case.resets if mechanism != case.make().reset_mechanism]
    different += [case.make(reset_mechanism=mechanism) for mechanism in others]
    shown = [usual, *map(repr, different)]
    assert len({*shown}) == len(shown)
    assert "0.12345" in shown[1]
    assert repr(case.make()) == usual
