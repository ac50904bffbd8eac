"""Spike-timing-dependent plasticity against loops over every pair of spikes."""

from __future__ import annotations

import copy
import io
import itertools
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch.functional import stdp_learner
from snntorch.functional.stdp_learner import (
    STDPLearner,
    mstdp_linear_single_step,
    mstdpet_linear_single_step,
    stdp_conv1d_single_step,
    stdp_conv2d_single_step,
    stdp_linear_single_step,
)

T, BATCH = 6, 3
TAU_PRE, TAU_POST, TAU_TRACE = 2.5, 4.0, 7.0


def f_pre(weight: Any) -> Any:
    return 0.5 + weight


def f_post(weight: Any) -> Any:
    return weight**2


def spikes(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(T, *shape, generator=generator) < 0.4).double()


def traces(train: np.ndarray, tau: float) -> list[np.ndarray]:
    """Return the trace after each step: past spikes, each (1 - 1/tau)^age old."""
    return [
        sum(train[s] * (1 - 1 / tau) ** (t - s) for s in range(t + 1)) for t in range(len(train))
    ]


# Every rule below is written as loops over weights and what meets there: a list of
# ((sample, output position), (sample, input position)) for each weight.

Meetings = Callable[[nn.Module, tuple[int, ...], tuple[int, ...]], Any]


def meetings_dense(layer: Any, index: tuple[int, ...]) -> list[Any]:
    o, i = index
    return [((b, o), (b, i)) for b in range(BATCH)]


def meetings_conv(layer: Any, index: tuple[int, ...], in_shape: tuple[int, ...]) -> list[Any]:
    """Return what meets at kernel element ``index``; None for an input that is padding."""
    o, c, *kernel = index
    axes = len(kernel)
    per_group_in = layer.in_channels // layer.groups
    group = o // (layer.out_channels // layer.groups)
    pads = [
        (layer._reversed_padding_repeated_twice[2 * (axes - 1 - a)], layer.padding_mode)
        for a in range(axes)
    ]
    found = []
    for b, *out_position in itertools.product(range(BATCH), *map(range, layer.out_shape)):
        in_position: list[int] | None = []
        for a, position in enumerate(out_position):
            at = position * layer.stride[a] + kernel[a] * layer.dilation[a] - pads[a][0]
            if not 0 <= at < in_shape[a]:
                if pads[a][1] == "zeros":
                    in_position = None
                    break
                assert pads[a][1] == "circular"
                at %= in_shape[a]
            in_position.append(at)
        if in_position is not None:
            channel = group * per_group_in + c
            found.append(((b, o, *out_position), (b, channel, *in_position)))
    return found


def reference(
    layer: Any,
    in_spike: Tensor,
    out_spike: Tensor,
    per_sample: bool = False,
    tau_trace: float | None = None,
    together: bool = True,
) -> np.ndarray:
    """Return the weight change (or eligibility of each sample) of every step."""
    ins, outs = in_spike.numpy(), out_spike.numpy()
    pre, post = traces(ins, TAU_PRE), traces(outs, TAU_POST)
    weight = layer.weight.detach().numpy()
    shape = (T, BATCH, *weight.shape) if per_sample else (T, *weight.shape)
    change = np.zeros(shape)
    for t in range(T):
        # a mutated rule in which spikes of the same step do not see each other
        pre_t = pre[t] if together else pre[t] - ins[t]
        post_t = post[t] if together else post[t] - outs[t]
        for index in np.ndindex(*weight.shape):
            w = weight[index]
            pairs = (
                meetings_dense(layer, index)
                if isinstance(layer, nn.Linear)
                else meetings_conv(layer, index, in_spike.shape[3:])
            )
            for output, input_ in pairs:
                moved = f_post(w) * outs[t][output] * pre_t[input_]
                moved -= f_pre(w) * post_t[output] * ins[t][input_]
                change[(t, output[0], *index) if per_sample else (t, *index)] += moved
    if tau_trace is not None:
        change = np.stack(traces(change, tau_trace))
    return change


def run(step: Any, layer: Any, in_spike: Tensor, out_spike: Tensor, **kwargs: Any) -> Tensor:
    """Return what the function under test gives for every step."""
    found, state, last = [], (None, None), None
    for pre, post in zip(in_spike, out_spike, strict=True):
        extra = {"eligibility": last} if "tau_trace" in kwargs else {}
        *state, last = step(
            layer,
            pre,
            post,
            *state,
            TAU_PRE,
            TAU_POST,
            f_pre=f_pre,
            f_post=f_post,
            **kwargs,
            **extra,
        )
        found.append(last)
    return torch.stack(found)


def dense() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(4, 3).double()


def conv(kind: Any, in_size: tuple[int, ...], **kwargs: Any) -> Any:
    torch.manual_seed(0)
    arguments = {"in_channels": 2, "out_channels": 4, "kernel_size": 3, **kwargs}
    layer = kind(**arguments).double()
    layer.in_size = in_size
    layer.out_shape = layer(torch.zeros(1, layer.in_channels, *in_size).double()).shape[2:]
    return layer


DENSE = [
    pytest.param(stdp_linear_single_step, {}, {}, id="stdp"),
    pytest.param(mstdp_linear_single_step, {}, {"per_sample": True}, id="mstdp"),
    pytest.param(
        mstdpet_linear_single_step,
        {"tau_trace": TAU_TRACE},
        {"per_sample": True, "tau_trace": TAU_TRACE},
        id="mstdpet",
    ),
]
CONV = [
    (stdp_conv1d_single_step, nn.Conv1d, (7,), {}),
    (stdp_conv1d_single_step, nn.Conv1d, (8,), {"stride": 2, "padding": 1}),
    (stdp_conv1d_single_step, nn.Conv1d, (9,), {"dilation": 2, "padding": 2}),
    (stdp_conv1d_single_step, nn.Conv1d, (6,), {"groups": 2, "kernel_size": 2}),
    (stdp_conv1d_single_step, nn.Conv1d, (6,), {"padding": "same", "kernel_size": 4}),
    (stdp_conv1d_single_step, nn.Conv1d, (6,), {"padding": 1, "padding_mode": "circular"}),
    (stdp_conv2d_single_step, nn.Conv2d, (4, 5), {}),
    (stdp_conv2d_single_step, nn.Conv2d, (6, 4), {"stride": (2, 1), "padding": (0, 1)}),
    (stdp_conv2d_single_step, nn.Conv2d, (5, 5), {"dilation": (2, 1), "kernel_size": (2, 3)}),
    (stdp_conv2d_single_step, nn.Conv2d, (4, 4), {"groups": 2, "bias": False}),
    (stdp_conv2d_single_step, nn.Conv2d, (4, 3), {"padding": "same", "kernel_size": (2, 3)}),
    (stdp_conv2d_single_step, nn.Conv2d, (4, 4), {"padding": "valid", "kernel_size": (3, 1)}),
    (stdp_conv2d_single_step, nn.Conv2d, (4, 4), {"padding": 1, "padding_mode": "circular"}),
]


@pytest.mark.parametrize(("step", "kwargs", "rule"), DENSE)
def test_dense_rules(step: Any, kwargs: dict[str, Any], rule: dict[str, Any]) -> None:
    layer, pre, post = dense(), spikes(BATCH, 4), spikes(BATCH, 3, seed=1)
    found = run(step, layer, pre, post, **kwargs).numpy()
    np.testing.assert_allclose(found, reference(layer, pre, post, **rule), atol=1e-12)
    # the comparison sees a slightly different rule
    assert not np.allclose(found, reference(layer, pre, post, **rule, together=False))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@pytest.mark.parametrize(("step", "kind", "size", "kwargs"), CONV)
def test_conv_rules(step: Any, kind: Any, size: tuple[int, ...], kwargs: dict[str, Any]) -> None:
    layer = conv(kind, size, **kwargs)
    pre, post = spikes(BATCH, 2, *size), spikes(BATCH, 4, *layer.out_shape, seed=1)
    found = run(step, layer, pre, post).numpy()
    np.testing.assert_allclose(found, reference(layer, pre, post), atol=1e-12)
    assert not np.allclose(found, reference(layer, pre, post, together=False))


def test_a_trace_is_returned_for_each_side() -> None:
    pre, post = spikes(BATCH, 4), spikes(BATCH, 3, seed=1)
    state: tuple[Any, ...] = (None, None)
    wanted = traces(pre.numpy(), TAU_PRE), traces(post.numpy(), TAU_POST)
    for t in range(T):
        *state, _ = stdp_linear_single_step(dense(), pre[t], post[t], *state, TAU_PRE, TAU_POST)
        np.testing.assert_allclose(state[0], wanted[0][t], atol=1e-12)
        np.testing.assert_allclose(state[1], wanted[1][t], atol=1e-12)


def test_order_decides_the_sign() -> None:
    layer = nn.Linear(1, 1)
    nn.init.ones_(layer.weight)
    silent, spike = torch.zeros(1, 1), torch.ones(1, 1)
    for first, second, sign in (
        ((spike, silent), (silent, spike), 1),
        ((silent, spike), (spike, silent), -1),
    ):
        *state, change = stdp_linear_single_step(layer, *first, None, None, 2.0, 2.0)
        assert change.item() == 0
        *state, change = stdp_linear_single_step(layer, *second, *state, 2.0, 2.0)
        assert change.item() == sign * 0.5


def test_the_weight_itself_is_the_default_dependence() -> None:
    layer, pre, post = dense(), spikes(BATCH, 4)[0], spikes(BATCH, 3, seed=1)[0]
    arguments = layer, pre, post, None, None, 2.0, 2.0
    *_, left_out = stdp_linear_single_step(*arguments)
    *_, given = stdp_linear_single_step(*arguments, lambda w: w, lambda w: w)
    assert torch.equal(left_out, given)


@pytest.mark.parametrize("step", [stdp_linear_single_step, mstdp_linear_single_step])
@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_any_leading_axes(step: Any, lead: tuple[int, ...]) -> None:
    layer = dense()
    pre, post = spikes(*lead, 4)[0], spikes(*lead, 3, seed=1)[0]
    trace_pre, trace_post, change = step(layer, pre, post, None, None, 2.0, 2.0)
    assert trace_pre.shape == pre.shape
    assert trace_post.shape == post.shape
    flat = [
        step(layer, *pair, None, None, 2.0, 2.0)[2]
        for pair in zip(pre.view(-1, 4), post.view(-1, 3), strict=True)
    ]
    expected = torch.stack(flat)
    if step is stdp_linear_single_step:
        assert torch.allclose(change, expected.sum(0))
    else:
        assert torch.equal(change, expected.view(*lead, 3, 4))


@pytest.mark.parametrize(("step", "kind", "size"), [CONV[0][:3], CONV[6][:3]])
def test_conv_without_batch(step: Any, kind: Any, size: tuple[int, ...]) -> None:
    layer = conv(kind, size)
    pre, post = spikes(1, 2, *size)[0], spikes(1, 4, *layer.out_shape, seed=1)[0]
    batched = step(layer, pre, post, None, None, 2.0, 2.0)
    alone = step(layer, pre[0], post[0], None, None, 2.0, 2.0)
    assert torch.equal(batched[2], alone[2])
    assert torch.equal(batched[0][0], alone[0])


EVERY_STEP = [
    (stdp_linear_single_step, lambda: nn.Linear(4, 3), (4,), (3,), {}),
    (mstdp_linear_single_step, lambda: nn.Linear(4, 3), (4,), (3,), {}),
    (mstdpet_linear_single_step, lambda: nn.Linear(4, 3), (4,), (3,), {"tau_trace": 5.0}),
    (stdp_conv1d_single_step, lambda: nn.Conv1d(2, 4, 3), (2, 6), (4, 4), {}),
    (stdp_conv2d_single_step, lambda: nn.Conv2d(2, 4, 3), (2, 6, 5), (4, 4, 3), {}),
]
every_step = pytest.mark.parametrize(
    ("step", "make", "in_shape", "out_shape", "extra"),
    EVERY_STEP,
    ids=[step.__name__ for step, *_ in EVERY_STEP],
)


@every_step
def test_nothing_is_changed_and_dtypes_are_kept(
    step: Any, make: Any, in_shape: Any, out_shape: Any, extra: Any
) -> None:
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        layer = make().to(dtype)
        arguments = [
            spikes(BATCH, *in_shape)[0].bool(),
            spikes(BATCH, *out_shape)[0].to(dtype).requires_grad_(),
            torch.rand(BATCH, *in_shape, dtype=dtype),
            torch.rand(BATCH, *out_shape, dtype=dtype),
        ]
        before = [a.detach().clone() for a in (*arguments, layer.weight)]
        found = step(layer, *arguments, 2.0, 2.0, **extra)
        assert all(map(torch.equal, before, (*arguments, layer.weight)))
        assert layer.weight.grad is None
        for value in found:
            assert value.dtype == dtype
            assert not value.requires_grad
        _, trace_post, _ = step(layer, *arguments[:2], None, None, 2.0, 2.0, **extra)
        assert trace_post.data_ptr() != arguments[1].data_ptr()


@every_step
def test_the_steps_work_in_inference_mode(
    step: Any, make: Any, in_shape: Any, out_shape: Any, extra: Any
) -> None:
    layer, pre, post = make().double(), spikes(BATCH, *in_shape)[0], spikes(BATCH, *out_shape)[0]
    expected = step(layer, pre, post, None, None, 2.0, 2.0, **extra)
    with torch.inference_mode():
        found = step(layer, pre.clone(), post.clone(), None, None, 2.0, 2.0, **extra)
    assert all(map(torch.equal, found, expected))


def test_an_eligibility_without_a_past_is_that_of_the_step() -> None:
    arguments = dense(), spikes(BATCH, 4)[0], spikes(BATCH, 3)[0], None, None, 2.0, 2.0
    functions = {"f_pre": f_pre, "f_post": f_post}
    *_, now = mstdp_linear_single_step(*arguments, **functions)
    *_, trace = mstdpet_linear_single_step(*arguments, tau_trace=5.0, **functions)
    assert torch.equal(now, trace)
    assert now.any()


def test_shared_arguments_are_documented() -> None:
    for step, *_ in EVERY_STEP:
        assert "{shared}" not in step.__doc__
        for argument in ("tau_pre", "f_post", "trace_pre"):
            assert f"    {argument}: " in step.__doc__


# -- the learner


def learner_net(kind: str = "linear") -> tuple[Any, Any, Tensor]:
    torch.manual_seed(0)
    lif = snn.Leaky(0.9, threshold=0.4, init_hidden=True).double()
    synapse, data = {
        "linear": (nn.Linear(4, 3), spikes(BATCH, 4)),
        "conv1d": (nn.Conv1d(2, 3, 3), spikes(BATCH, 2, 6)),
        "conv2d": (nn.Conv2d(2, 3, 3, padding=1), spikes(BATCH, 2, 4, 4)),
    }[kind]
    synapse.weight.data.abs_()  # excites
    return synapse.double(), lif, data


def expected_change(synapse: Any, lif: Any, data: Tensor) -> Tensor:
    """Return the change over all steps, from the step functions."""
    lif = copy.deepcopy(lif)
    lif.reset_mem()
    step = {
        nn.Linear: stdp_linear_single_step,
        nn.Conv1d: stdp_conv1d_single_step,
        nn.Conv2d: stdp_conv2d_single_step,
    }[type(synapse)]
    total, state = 0.0, (None, None)
    for x in data:
        spk = lif(synapse(x))
        *state, change = step(synapse, x, spk, *state, TAU_PRE, TAU_POST, f_pre, f_post)
        total = total + change
    return total


@pytest.mark.parametrize("kind", ["linear", "conv1d", "conv2d"])
@pytest.mark.parametrize("windows", [1, 2, 3])
def test_the_learner_sums_over_steps(kind: str, windows: int) -> None:
    synapse, lif, data = learner_net(kind)
    expected = expected_change(copy.deepcopy(synapse), lif, data)
    learner = STDPLearner(synapse, lif, TAU_PRE, TAU_POST, f_pre, f_post)
    total = 0.0
    for window in data.chunk(windows):
        for x in window:
            lif(synapse(x))
        change = learner.step(on_grad=False)
        assert change.shape == synapse.weight.shape
        total = total + change
    assert expected.any()
    assert torch.allclose(total, expected)
    assert synapse.weight.grad is None


def test_the_change_as_a_gradient() -> None:
    synapse, lif, data = learner_net()
    learner = STDPLearner(synapse, lif, TAU_PRE, TAU_POST, f_pre, f_post)
    change = expected_change(copy.deepcopy(synapse), lif, data)
    before = synapse.weight.detach().clone()
    lif.reset_mem()
    for x in data:
        lif(synapse(x))
    assert learner.step(scale=0.5) is None
    assert torch.allclose(synapse.weight.grad, -0.5 * change)
    for x in data:
        lif(synapse(x))
    synapse.weight.grad.fill_(7.0)
    grad = synapse.weight.grad
    more = copy.deepcopy(learner).step(on_grad=False, scale=2.0)
    learner.step(scale=2.0)
    assert synapse.weight.grad is grad  # added to, as backward() does
    assert torch.allclose(grad, 7.0 - more)
    torch.optim.SGD(synapse.parameters(), lr=0.1).step()
    assert torch.allclose(synapse.weight, before - 0.1 * grad)


def test_together_with_backpropagation() -> None:
    synapse, lif, data = learner_net()
    learner = STDPLearner(synapse, lif, TAU_PRE, TAU_POST, f_pre, f_post)
    change = expected_change(copy.deepcopy(synapse), lif, data)
    sum(lif(synapse(x)).sum() for x in data).backward()
    plain = synapse.weight.grad.clone()
    learner.step()
    assert plain.any()
    assert torch.allclose(synapse.weight.grad, plain - change)


def test_reset_forgets_recordings_and_traces() -> None:  # stdp-reset
    synapse, lif, data = learner_net()
    learner = STDPLearner(synapse, lif, TAU_PRE, TAU_POST, f_pre, f_post)
    learner.reset()
    for x in data:
        lif(synapse(x))
    change = learner.step(on_grad=False)
    assert learner.trace_pre.shape == (BATCH, 4)
    for x in data:
        lif(synapse(x))
    learner.reset()
    assert learner.trace_pre is learner.trace_post is None
    assert not learner.step(on_grad=False).any()
    lif.reset_mem()
    for x in data[:, :1]:  # another batch size
        lif(synapse(x))
    assert learner.step(on_grad=False).any()
    learner.reset()
    lif.reset_mem()
    for x in data:
        lif(synapse(x))
    assert torch.equal(learner.step(on_grad=False), change)


@pytest.mark.parametrize("neuron", [snn.Leaky(0.9), snn.Synaptic(0.8, 0.9), snn.Alpha(0.9, 0.8)])
def test_neurons_that_return_their_state(neuron: Any) -> None:  # stdp-tuple-output
    neuron = copy.deepcopy(neuron).double()
    neuron.threshold.fill_(0.05)
    synapse, _, data = learner_net()
    learner = STDPLearner(synapse, neuron, TAU_PRE, TAU_POST, f_pre, f_post)
    total, traced = 0.0, (None, None)
    for x in data:
        result = neuron(synapse(x))
        assert isinstance(result, tuple)
        *traced, change = stdp_linear_single_step(
            synapse, x, result[0], *traced, TAU_PRE, TAU_POST, f_pre, f_post
        )
        total = total + change
    assert total.any()
    assert torch.allclose(learner.step(on_grad=False), total)


def test_nothing_recorded_changes_nothing() -> None:  # stdp-step-empty
    synapse, lif, _ = learner_net()
    learner = STDPLearner(synapse, lif, TAU_PRE, TAU_POST)
    assert learner.step() is None
    assert synapse.weight.grad is None
    assert torch.equal(learner.step(on_grad=False), torch.zeros(3, 4).double())
    synapse.weight.grad = torch.ones(3, 4).double()
    learner.step()
    assert torch.equal(synapse.weight.grad, torch.ones(3, 4).double())


def test_what_is_recorded_is_learned_once() -> None:
    synapse, lif, data = learner_net()
    learner = STDPLearner(synapse, lif, TAU_PRE, TAU_POST)
    lif(synapse(data[0]))
    learner.step(on_grad=False)
    assert learner.in_spike_monitor.records == learner.out_spike_monitor.records == []
    assert not learner.step(on_grad=False).any()


def test_disabled_it_records_nothing() -> None:
    synapse, lif, data = learner_net()
    learner = STDPLearner(synapse, lif, TAU_PRE, TAU_POST, f_pre, f_post)
    learner.disable()
    for x in data:
        lif(synapse(x))
    assert not learner.step(on_grad=False).any()
    learner.enable()
    lif.reset_mem()
    for x in data:
        lif(synapse(x))
    expected = expected_change(copy.deepcopy(synapse), lif, data)
    assert torch.allclose(learner.step(on_grad=False), expected)


def test_records_keep_no_graph() -> None:
    synapse, lif, data = learner_net()
    learner = STDPLearner(synapse, lif, TAU_PRE, TAU_POST)
    lif(synapse(data[0].clone().requires_grad_()))
    monitors = learner.in_spike_monitor, learner.out_spike_monitor
    assert not any(record.requires_grad for monitor in monitors for record in monitor.records)


def test_it_moves_but_is_no_part_of_a_checkpoint() -> None:
    synapse, lif, data = learner_net()
    learner = STDPLearner(synapse, lif, TAU_PRE, TAU_POST)
    lif(synapse(data[0]))
    learner.step()
    learner.float()
    assert learner.trace_pre.dtype == torch.float32
    assert not any("trace" in name for name in learner.state_dict())
    assert "synapse.weight" in learner.state_dict()


class Owner(nn.Module):
    """A net that holds its learner."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.lif, _ = learner_net()
        self.lif.pickle_states = True
        self.learner = STDPLearner(self.fc, self.lif, TAU_PRE, TAU_POST, f_pre, f_post)

    def forward(self, x: Tensor) -> Any:
        return self.lif(self.fc(x))


def saved_and_loaded(net: nn.Module) -> Any:
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, saved_and_loaded, lambda net: pickle.loads(pickle.dumps(net))]
)
@pytest.mark.parametrize("enabled", [True, False])
def test_a_copy_learns_by_itself(duplicate: Any, enabled: bool) -> None:
    net, data = Owner(), spikes(BATCH, 4)
    net(data[0])
    net.learner.step()
    net(data[1])  # not yet learned from
    if not enabled:
        net.learner.disable()
    other = duplicate(net)
    for x in data[2:]:
        other(x)
    assert len(net.learner.in_spike_monitor.records) == 1
    assert len(other.learner.in_spike_monitor.records) == (T - 1 if enabled else 1)
    for x in data[2:]:
        net(x)
    change = net.learner.step(on_grad=False)
    assert change.any()
    assert torch.equal(other.learner.step(on_grad=False), change)


def test_a_shallow_copy_records_no_more_than_once() -> None:
    net = Owner()
    copy.copy(net.learner)
    net(spikes(BATCH, 4)[0])
    assert len(net.learner.in_spike_monitor.records) == 1


def test_only_its_own_layer_counts() -> None:
    inner = nn.Sequential(snn.Leaky(0.9, init_hidden=True))
    neurons = nn.Sequential(nn.Sequential(inner))  # the same class, nested
    synapse, _, data = learner_net()
    learner = STDPLearner(synapse.float(), neurons, TAU_PRE, TAU_POST)
    neurons(synapse(data[0].float()))
    assert learner.step() is None


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_changes_of_half_precision_add_up_over_many_steps(dtype: torch.dtype) -> None:
    fc, neurons = nn.Linear(1, 1).to(dtype), nn.Identity()
    learner = STDPLearner(fc, neurons, 1.0, 1.0, lambda _: 0.0, lambda _: 2.0**-10)
    for _ in range(300):
        fc(torch.ones(1, 1, dtype=dtype))
        neurons(torch.ones(1, 1, dtype=dtype))
    change = learner.step(on_grad=False, scale=1024.0)
    assert change is not None
    assert change.dtype == dtype
    assert change.item() == 300  # 256 if added up in bfloat16


# -- wrong arguments


def correct(step: Any, make: Any, in_shape: Any, out_shape: Any, extra: Any) -> dict[str, Any]:
    layer = make()
    return {
        "fc" if isinstance(layer, nn.Linear) else "conv": layer,
        "in_spike": torch.ones(BATCH, *in_shape),
        "out_spike": torch.ones(BATCH, *out_shape),
        "trace_pre": torch.ones(BATCH, *in_shape),
        "trace_post": None,
        "tau_pre": 2.0,
        "tau_post": 2,
        **extra,
    }


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"layer": nn.ConvTranspose2d(2, 4, 3)}, TypeError, r"to be nn\.\w+, but got ConvTranspose2d"),
    ({"layer": None}, TypeError, r"to be nn\.\w+, but got NoneType"),
    ({"in_spike": [1.0]}, TypeError, "`in_spike` to be a torch.Tensor, but got list"),
    ({"out_spike": None}, TypeError, "`out_spike` to be a torch.Tensor, but got NoneType"),
    ({"in_spike": torch.ones(2) * 1j}, TypeError, "a real `in_spike`, but got torch.complex64"),
    ({"out_spike": torch.ones(2) * 1j}, TypeError, "a real `out_spike`, but got torch.complex64"),
    ({"in_spike": torch.ones(BATCH, 9)}, ValueError, r"`in_spike` of .*\(3, 9\)"),
    ({"in_spike": torch.tensor(1.0)}, ValueError, r"`in_spike` of .*\(\)"),
    ({"out_spike": torch.ones(1, 3)}, ValueError,
     r"`out_spike` of shape \(3, .*as the layer returns, but got \(1, 3\)"),
    ({"trace_pre": torch.ones(1)}, ValueError, r"`trace_pre` of shape .*got \(1,\).\n.*reset\(\)"),
    ({"trace_post": torch.ones(2, 2)}, ValueError, r"`trace_post` of shape .*but got \(2, 2\)"),
    ({"in_spike": torch.ones(2, device="meta")}, ValueError, "`in_spike` on device cpu"),
    ({"trace_pre": torch.ones(2) * 1j}, TypeError, "a real `trace_pre`"),
    ({"trace_pre": 0.0}, TypeError, "`trace_pre` to be a torch.Tensor, but got float"),
    ({"tau_pre": 0.5}, ValueError, "`tau_pre` of at least 1 time step, but got 0.5"),
    ({"tau_post": -1}, ValueError, "`tau_post` of at least 1 time step, but got -1"),
    ({"tau_pre": float("nan")}, ValueError, "`tau_pre` of at least 1 time step, but got nan"),
    ({"tau_post": "2"}, TypeError, "`tau_post` to be a number, but got '2'"),
    ({"f_pre": 1.0}, TypeError, "`f_pre` to be a function of the weight, but got 1.0"),
    ({"f_post": None}, TypeError, "`f_post` to be a function of the weight, but got None"),
]  # fmt: skip


@every_step
@pytest.mark.parametrize(("wrong", "error", "message"), WRONG)
def test_wrong_arguments(
    step: Any,
    make: Any,
    in_shape: Any,
    out_shape: Any,
    extra: Any,
    wrong: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    arguments = correct(step, make, in_shape, out_shape, extra)
    step(**arguments)
    layer = next(iter(arguments))
    wrong = {layer if name == "layer" else name: value for name, value in wrong.items()}
    with pytest.raises(
        error, match=f"{step.__name__} expected .*{message}" if "(?s)" not in message else message
    ):
        step(**{**arguments, **wrong})


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"tau_trace": 0}, ValueError, "`tau_trace` of at least 1 time step, but got 0"),
        ({"tau_trace": None}, TypeError, "`tau_trace` to be a number, but got None"),
        ({"eligibility": 1.0}, TypeError, "`eligibility` to be a torch.Tensor, but got float"),
        ({"eligibility": torch.ones(3, 4)}, ValueError,
         r"`eligibility` of shape \(3, 3, 4\), but got \(3, 4\)"),
    ],
)  # fmt: skip
def test_wrong_eligibility(wrong: dict[str, Any], error: type[Exception], message: str) -> None:
    arguments = correct(*EVERY_STEP[2])
    with pytest.raises(error, match=message):
        mstdpet_linear_single_step(**{**arguments, **wrong})


FC, LIF = nn.Linear(2, 2), snn.Leaky(0.9)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"synapse": nn.LSTM(2, 2)}, TypeError,
         r"STDPLearner .* one of \['Linear', 'Conv1d', 'Conv2d'\], but got LSTM"),
        ({"synapse": nn.Conv3d(1, 1, 1)}, TypeError, "but got Conv3d"),
        ({"sn": "lif"}, TypeError, "to be a torch.nn.Module, but got str"),
        ({"tau_pre": 0.9}, ValueError, "STDPLearner .*`tau_pre` of at least 1 .*but got 0.9"),
        ({"tau_post": None}, TypeError, "STDPLearner .*`tau_post` to be a number, but got None"),
        ({"f_pre": 3}, TypeError, "STDPLearner .*`f_pre` to be a function of the weight"),
        ({"f_post": 3}, TypeError, "STDPLearner .*`f_post` to be a function of the weight"),
    ],
)  # fmt: skip
def test_wrong_learner(wrong: dict[str, Any], error: type[Exception], message: str) -> None:
    arguments = {"synapse": FC, "sn": LIF, "tau_pre": 2.0, "tau_post": 2.0}
    with pytest.raises(error, match=message):
        STDPLearner(**{**arguments, **wrong})
    assert not FC._forward_hooks


def test_wrong_step() -> None:
    synapse, lif, data = learner_net()
    learner = STDPLearner(synapse, lif, TAU_PRE, TAU_POST)
    with pytest.raises(TypeError, match="`scale` to be a number, but got None"):
        learner.step(scale=None)  # type: ignore[arg-type]
    lif(synapse(data[0]))
    synapse(data[0])
    with pytest.raises(ValueError, match=r"as many calls of `sn` as of `synapse`, but got 1 and 2"):
        learner.step()
    learner.reset()
    lif(synapse(data[0]))
    learner.step()
    lif.reset_mem()
    lif(synapse(data[0][:1]))
    grad = synapse.weight.grad.clone()
    with pytest.raises(
        ValueError, match=r"(?s)`trace_pre` of shape \(1, 4\), but got \(3, 4\).*reset"
    ):
        learner.step()
    assert torch.equal(synapse.weight.grad, grad)
    assert len(learner.in_spike_monitor.records) == 1


def test_public_names() -> None:
    assert {step.__name__ for step, *_ in EVERY_STEP} | {"STDPLearner"} == set(stdp_learner.__all__)
