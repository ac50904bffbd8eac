"""Whatever a loop runs, `unroll` runs, to the same numbers and gradients; or both raise."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch import backprop, surrogate, utils
from snntorch.functional import ce_rate_loss
from tests.cases import CASES, Case, flat
from tests.unroll.test_native import needs_kernel
from tests.unroll.test_unroll import KERNEL_CASES, assert_close, gradients, loop, unrolled

STEPS = 5

# --- surrogates of a user's ---------------------------------------------------------------


def softmaxed(x: Tensor, grad: Tensor, spikes: Tensor) -> Tensor:
    """Let the neurons of a sample compete for the gradient."""
    return grad * x.softmax(-1)


def normed(x: Tensor, grad: Tensor, spikes: Tensor) -> Tensor:
    """Scale the gradient of a whole step."""
    return grad / (1 + grad.norm()) / (1 + x.abs())


def clipped_far_out(x: Tensor, grad: Tensor, spikes: Tensor) -> Tensor:
    return torch.where(x.abs() > 4, grad.clamp(-0.01, 0.01), grad)


def by_size(x: Tensor, grad: Tensor, spikes: Tensor) -> Tensor:
    """Divide by the numbers of neurons and samples."""
    batch, features = x.shape[0], x.shape[1]
    return grad / (batch * features + x.abs())


def sorted_by(x: Tensor, grad: Tensor, spikes: Tensor) -> Tensor:
    """Pass only the gradient of the neuron that is closest to its threshold."""
    return grad * (x.abs() == x.abs().amin(1, keepdim=True))


def squared(x: Tensor, grad: Tensor, spikes: Tensor) -> Tensor:
    return grad * grad.abs() / (1 + x.abs())


def of_spikes(x: Tensor, grad: Tensor, spikes: Tensor) -> Tensor:
    return grad * (spikes.mean() + 0.1)


class PerNeuron(surrogate.SurrogateFunction):
    """A slope for each neuron, as an attribute or a parameter."""

    @staticmethod
    def gradient(x: Tensor, grad: Tensor) -> Tensor:
        slope = torch.arange(1, x.shape[-1] + 1, dtype=x.dtype)
        return grad / (slope * x.abs() + 1) ** 2


MIXING: dict[str, Callable[[Case], Any]] = {
    **{
        function.__name__: lambda case, f=function: surrogate.custom_surrogate(f)  # type: ignore[misc]
        for function in (softmaxed, normed, clipped_far_out, by_size, sorted_by, squared, of_spikes)
    },
    "class": lambda case: surrogate.SurrogateGradient("mine", PerNeuron),
    "apply": lambda case: PerNeuron.apply,
    "slopes": lambda case: surrogate.fast_sigmoid(slopes(case)),  # type: ignore[arg-type]
    "slopes by hand": lambda case: lambda x: surrogate.ATan.apply(slopes(case).to(x.dtype) * x),
}


def slopes(case: Case) -> Tensor:
    features = (case.spk_shape or case.shape)[-1]
    return torch.linspace(0.5, 5, features, dtype=torch.float64)


@pytest.mark.parametrize("name", MIXING)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_surrogate_of_whole_steps(case: Case, name: str) -> None:
    flags = dict.fromkeys(case.learn, True)
    neuron = case.make(spike_grad=MIXING[name](case), **flags).double()
    x = (3 * case.input(STEPS, torch.float64)).requires_grad_()
    want = gradients(loop, neuron, x, [])
    neuron.reset_mem()
    got = gradients(unrolled, neuron, x, [])
    neuron.reset_mem()
    plain = case.make(**flags).double()
    usual = gradients(unrolled, plain, x, [])
    assert want[0] is not None
    assert usual[0] is not None
    assert want[0].any()
    assert not torch.allclose(want[0], usual[0])
    assert_close(got, want, 1e-12)


@pytest.mark.parametrize("function", [softmaxed, normed, clipped_far_out, by_size])
def test_a_net_with_a_surrogate_of_whole_steps(function: Any) -> None:
    torch.manual_seed(0)
    spike_grad = surrogate.custom_surrogate(function)
    net = nn.Sequential(
        nn.Linear(4, 6),
        snn.Leaky(0.9, threshold=0.3, spike_grad=spike_grad, init_hidden=True),
        nn.Linear(6, 3),
        snn.RLeaky(0.8, linear_features=3, spike_grad=spike_grad, init_hidden=True),
    ).double()
    x = 3 * torch.rand(STEPS, 2, 4, dtype=torch.float64)
    assert_trains_alike(net, x)


def step_through(net: nn.Module, x: Tensor) -> list[Tensor]:
    rows = [flat(net(step)) for step in x]
    return [torch.stack(row) for row in zip(*rows, strict=True)]


def unroll_through(net: nn.Module, x: Tensor) -> list[Tensor]:
    return flat(snn.unroll(net, x))


def outcome(run: Any, net: nn.Module, x: Tensor) -> tuple[list[Tensor], list[Tensor], list[Any]]:
    """Return what a run returns, the states it leaves, and gradients of a mix of both."""
    utils.reset(net)
    x = x.clone().requires_grad_()
    out = run(net, x)
    states = [
        state
        for neuron in net.modules()
        if isinstance(neuron, snn.SpikingNeuron)
        for state in neuron._own_states()
    ]
    loss = sum(((k + 1) * o * o).sum() for k, o in enumerate([*out, *states]))
    grads = torch.autograd.grad(loss, [x, *net.parameters()], allow_unused=True)
    return [o.detach() for o in out], [s.detach() for s in states], list(grads)


def assert_trains_alike(net: nn.Module, x: Tensor, other: nn.Module | None = None) -> None:
    """Compare a net's loop with its `unroll`, or with the loop of another net."""
    want = outcome(step_through, net if other is None else other, x)
    runs = [unroll_through] if other is None else [step_through, unroll_through]
    assert want[0][0].any()
    for run in runs:
        for one, same in zip(outcome(run, net, x), want, strict=True):
            assert_close(one, same, 1e-10)


# --- layers that work in place ------------------------------------------------------------

RECURRENT: dict[str, Callable[[], Any]] = {
    "one to one": lambda: snn.RLeaky(0.8, V=-0.6, all_to_all=False, **hidden()),
    "one to one, synaptic": lambda: snn.RSynaptic(0.5, 0.8, V=0.4, all_to_all=False, **hidden()),
    "dense": lambda: snn.RLeaky(0.8, linear_features=6, reset_mechanism="zero", **hidden()),
    "dense, synaptic": lambda: snn.RSynaptic(0.5, 0.8, linear_features=6, **hidden()),
    "dense, at once": lambda: snn.RLeaky(0.8, linear_features=6, reset_delay=False, **hidden()),
    "stepped": lambda: snn.RLeaky(
        0.8, linear_features=6, spike_grad=surrogate.custom_surrogate(by_size), **hidden()
    ),
    "not recurrent": lambda: snn.Synaptic(0.5, 0.8, **hidden()),
    "change": lambda: snn.DeltaLeaky(0.4, beta=0.8, init_hidden=True),
}
IN_PLACE: dict[str, Callable[[bool], nn.Module]] = {
    "ReLU": nn.ReLU,
    "Hardtanh": lambda inplace: nn.Hardtanh(-0.25, 0.25, inplace),
    "Threshold": lambda inplace: nn.Threshold(2.0, -0.5, inplace),
    "ELU": lambda inplace: nn.ELU(inplace=inplace),
    "of a user's": lambda inplace: Scaled(inplace=inplace),
}


def hidden() -> dict[str, Any]:
    return {"threshold": 0.4, "init_hidden": True, "learn_threshold": True}


class Scaled(nn.Module):
    """A layer that no rule knows."""

    def __init__(self, *, inplace: bool) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, x: Tensor) -> Tensor:
        return x.mul_(-0.5).add_(0.1) if self.inplace else x * -0.5 + 0.1


@pytest.mark.parametrize("layer", IN_PLACE)
@pytest.mark.parametrize("name", RECURRENT)
def test_a_layer_behind_that_works_in_place(name: str, layer: str) -> None:
    nets = []
    for inplace in (True, False):
        torch.manual_seed(0)
        parts = nn.Linear(4, 6), RECURRENT[name](), IN_PLACE[layer](inplace), nn.Linear(6, 3)
        nets.append(nn.Sequential(*parts).double())
    x = 2 * torch.rand(STEPS, 3, 4, dtype=torch.float64)
    assert_trains_alike(nets[0], x, nets[1])
    with torch.no_grad():
        want = step_through_from_zero(nets[1], x)
        for run in (step_through, unroll_through):
            utils.reset(nets[0])
            assert_close(run(nets[0], x), want, 1e-12)


def step_through_from_zero(net: nn.Module, x: Tensor) -> list[Tensor]:
    utils.reset(net)
    return step_through(net, x)


# --- layers whose axes would meet time ----------------------------------------------------

AXES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "norm over all of a step": (lambda: nn.LayerNorm((2, 3, 4)), (2, 3, 4)),
    "norm over more": (lambda: nn.LayerNorm((STEPS, 3, 4)), (3, 4)),
    "root norm over more": (lambda: nn.RMSNorm((STEPS, 4)), (4,)),
    "root norm over a step": (lambda: nn.RMSNorm((3, 4)), (3, 4)),
    "softmax over time": (lambda: nn.Softmax(-3), (3, 4)),
    "softmax over samples": (lambda: nn.Softmax(-2), (3, 4)),
    "softmax over one more": (lambda: nn.LogSoftmax(-2), (4,)),
    "softmax from the left": (lambda: nn.Softmax(0), (3, 4)),
    "softmax that guesses": (lambda: nn.Softmax(None), (3, 4)),
    "softmin": (lambda: nn.Softmin(0), (3, 4)),
    "shuffle of too few": (lambda: nn.PixelShuffle(1), (4, 4)),
    "shuffle": (lambda: nn.PixelShuffle(2), (4, 2, 3)),
    "unshuffle of too few": (lambda: nn.PixelUnshuffle(1), (4, 4)),
    "graded column": (lambda: snn.GradedSpikes(3, 2.0), (3, 1)),
    "graded row": (lambda: snn.GradedSpikes(3, 2.0), (3,)),
    "graded steps": (lambda: snn.GradedSpikes(STEPS, 2.0), (1,)),
    "graded wrong": (lambda: snn.GradedSpikes(3), (4,)),
    "dense without samples": (lambda: nn.Linear(4, 2), (4,)),
    "dense of numbers": (lambda: nn.Linear(STEPS, 2), ()),
    "flat from the left": (lambda: nn.Flatten(0), (3, 4)),
    "flat from the right": (lambda: nn.Flatten(-2), (3, 4)),
    "flat from beyond": (lambda: nn.Flatten(-3), (3, 4)),
    "flat of numbers": (lambda: nn.Flatten(0), ()),
    "not flat": (lambda: nn.Unflatten(-1, (2, 2)), (3, 4)),
    "not flat from the left": (lambda: nn.Unflatten(0, (3, 1)), (3, 4)),
    "convolution without samples": (lambda: nn.Conv1d(3, 2, 2), (3, 4)),
    "convolution of too few": (lambda: nn.Conv2d(STEPS, 2, 2), (3, 4)),
    "pooling without samples": (lambda: nn.MaxPool2d(2), (3, 4, 4)),
    "pooling of too few": (lambda: nn.AvgPool2d(2), (4, 4)),
    "groups of too few": (lambda: nn.GroupNorm(1, STEPS), (4,)),
    "batch norm of a step": (lambda: nn.BatchNorm1d(4).eval(), (4,)),
    "batch norm of features": (lambda: nn.BatchNorm1d(3).eval(), (2, 3, 4)),
    "instance norm": (lambda: nn.InstanceNorm1d(3), (3, 4)),
    "channels": (lambda: nn.ChannelShuffle(2), (2, 4, 4)),
    "padding": (lambda: nn.ZeroPad2d(1), (4, 4)),
    "upsampling": (lambda: nn.Upsample(scale_factor=2), (4, 4)),
    "maxout over time": (lambda: nn.GLU(0), (4, 4)),
    "softmax of images": (nn.Softmax2d, (3, 4, 4)),
}


# torch warns where Softmax guesses its dimension
@pytest.mark.filterwarnings("ignore:Implicit dimension choice:UserWarning")
@pytest.mark.parametrize("behind", [False, True], ids=["first", "behind a neuron"])
@pytest.mark.parametrize("name", AXES)
def test_time_is_none_of_a_layers_axes(name: str, behind: bool) -> None:
    make, shape = AXES[name]
    torch.manual_seed(0)
    layers = [snn.Leaky(0.7, threshold=0.5, init_hidden=True)] if behind else []
    net = nn.Sequential(*layers, make())
    x = torch.randn(STEPS, *shape)
    try:
        (want,) = step_through(net, x)
    except (RuntimeError, ValueError, IndexError) as error:
        utils.reset(net)
        with pytest.raises(type(error)):
            snn.unroll(net, x)
        return
    utils.reset(net)
    torch.testing.assert_close(snn.unroll(net, x), want)


def test_some_of_these_layers_raise_and_others_run() -> None:
    """Or else the test above would show nothing."""
    raised = []
    for name, (make, shape) in AXES.items():
        try:
            make()(torch.randn(shape)) if name != "softmax that guesses" else None
        except (RuntimeError, ValueError, IndexError):
            raised.append(name)
    assert {"norm over more", "softmax over time", "graded steps", "flat from beyond"} < {*raised}
    assert 10 < len(raised) < len(AXES) - 10


# --- from where a sequence starts ---------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=str)
def test_without_states_a_sequence_starts_from_zeros(case: Case) -> None:
    neuron, x = case.make(), case.input(STEPS)
    want = [tensor.detach() for tensor in unrolled(case.make(), x)]
    neuron(3 * case.input(1)[0])
    for _ in range(2):
        assert_close([tensor.detach() for tensor in unrolled(neuron, x)], want, 1e-6)
    utils.reset(neuron)
    got = [tensor.detach() for tensor in flat(snn.unroll(neuron, x))]
    again = [tensor.detach() for tensor in flat(snn.unroll(neuron, x))]
    assert_close(got, again, 1e-6)
    assert_close(got, want[: len(got)], 1e-6)


@pytest.mark.parametrize("chunk", [1, 2, 7])
@pytest.mark.parametrize("hidden", [True, False], ids=["hidden", "passed"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_chunks_go_on(case: Case, hidden: bool, chunk: int) -> None:
    neuron, x = case.make(init_hidden=hidden), case.input(STEPS)
    want = flat(case.make(init_hidden=hidden).unroll(x))
    got = flat(snn.unroll(neuron, x, chunk=chunk))
    for one, other in zip(got, want, strict=True):
        torch.testing.assert_close(one, other)
    parts = flat(snn.unroll(case.make(init_hidden=hidden), x, chunk=chunk, truncate=True))
    torch.testing.assert_close(parts[0], want[0])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_second_step_of_training(case: Case) -> None:
    torch.manual_seed(0)
    first = nn.Linear(case.shape[-1], case.shape[-1])
    neuron = case.make(**dict.fromkeys(case.learn, True))
    other_first, other = copy.deepcopy(first), copy.deepcopy(neuron)
    x, rate = case.input(STEPS), 1e-3 / max(1, case.scale / 2) ** 2
    for layer, part, run in ((first, neuron, unrolled), (other_first, other, loop)):
        optimizer = torch.optim.SGD([*layer.parameters(), *part.parameters()], rate)
        for _ in range(3):
            if run is loop:
                part.reset_mem()
            optimizer.zero_grad()
            out = run(part, layer(x))
            sum(one.square().sum() for one in out[: 1 + len(part.state_names)]).backward()
            optimizer.step()
    trained = [*first.parameters(), *neuron.parameters()]
    for one, same in zip(trained, [*other_first.parameters(), *other.parameters()], strict=True):
        torch.testing.assert_close(one, same, rtol=1e-3, atol=1e-5)


# --- a reset that was forgotten -----------------------------------------------------------


def trained_twice(net: nn.Module, run: Any, x: Tensor) -> None:
    for _ in range(2):
        sum(out.sum() for out in run(net, x)).backward()


@needs_kernel
@pytest.mark.parametrize("run", [step_through, unroll_through], ids=["loop", "unroll"])
@pytest.mark.parametrize("case", KERNEL_CASES, ids=str)
def test_a_forgotten_reset_is_hinted_at(case: Case, run: Any) -> None:
    torch.manual_seed(0)
    features = case.shape[-1]
    net = nn.Sequential(nn.Linear(features, features), case.make(init_hidden=True))
    with pytest.raises(RuntimeError, match=r"(?s)second time.*`utils\.reset\(net\)`.*detach_mem"):
        trained_twice(net, run, case.input(STEPS))
    utils.reset(net)
    run(net, case.input(STEPS))[0].sum().backward()


@needs_kernel
@pytest.mark.parametrize("run", [step_through, unroll_through], ids=["loop", "unroll"])
def test_a_forgotten_reset_behind_dense_feedback(run: Any) -> None:
    net = nn.Sequential(nn.Linear(3, 4), snn.RLeaky(0.9, linear_features=4, init_hidden=True))
    with pytest.raises(RuntimeError, match=r"second time.*\n.*utils\.reset"):
        trained_twice(net, run, torch.rand(STEPS, 2, 3))


def test_backprop_resets_by_itself() -> None:
    net = nn.Sequential(nn.Linear(3, 2), snn.Leaky(0.9, init_hidden=True, output=True))
    data = [(torch.rand(STEPS, 4, 3), torch.tensor([0, 1, 0, 1]))] * 3
    before = net[0].weight.detach().clone()
    backprop.BPTT(net, data, torch.optim.SGD(net.parameters(), 0.1), ce_rate_loss(), time_var=True)
    assert not torch.equal(net[0].weight, before)
