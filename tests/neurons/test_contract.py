"""Every check on every stepwise neuron: what is shared is tested once, for all.

The laws that hold for any neuron are in ``snntorch.testing``, see ``tests/test_testing.py``.
"""

from __future__ import annotations

import copy
import gc
import io
import pickle
import re
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import snntorch as snn
from snntorch import surrogate, utils
from snntorch.functional import quant
from tests.cases import CASES, Case, by_mechanism, flat, net, options, run
from tests.neurons.reference import UPDATES, simulate

pytestmark = pytest.mark.filterwarnings("ignore:.*inhibition is meant:UserWarning")

each = pytest.mark.parametrize("case", CASES, ids=str)
#: Those whose equation is written down once more; a kernel's is the reference of the others.
each_mechanism = by_mechanism(tuple(case for case in CASES if case.cls.__name__ in UPDATES))


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return len(one) == len(other) and all(
        torch.equal(a, b) for a, b in zip(one, other, strict=True)
    )


# --- dynamics ---------------------------------------------------------------------------


@each_mechanism
def test_equals_the_equations_in_float64(case: Case, mechanism: str, delay: bool) -> None:
    neuron = case.make(**options(mechanism, delay)).double()
    x = case.input(30, torch.float64)
    got, want = run(neuron, x, case.states(neuron)), simulate(neuron, x.numpy())
    assert 0.02 < got[0].mean() < 0.98, "spikes and silence, or the test shows nothing"
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one.detach().numpy(), other, rtol=1e-9, atol=1e-9)


@each_mechanism
def test_the_reference_tells_a_wrong_neuron(case: Case, mechanism: str, delay: bool) -> None:
    """Negative control: a threshold, and a reset, that are off are seen."""
    neuron = case.make(**options(mechanism, delay)).double()
    x = case.input(30, torch.float64)
    want = simulate(neuron, x.numpy())
    if mechanism != "none":
        neuron._reset_mechanism = "none"
        got = run(neuron, x, case.states(neuron))
        assert not np.allclose(got[-1].detach().numpy(), want[-1], rtol=1e-9, atol=1e-9)
        neuron._reset_mechanism = mechanism
    threshold = getattr(neuron, case.threshold).data
    threshold += 0.3 * threshold.abs().clamp(min=1)
    assert not np.array_equal(run(neuron, x, case.states(neuron))[0].detach().numpy(), want[0])


@each
def test_without_states_it_goes_on_from_its_own(case: Case) -> None:
    neuron, x = case.make(), case.input()
    want = run(neuron, x, case.states(neuron))
    assert same(run(case.make(), x), want)
    assert same(run(case.make(init_hidden=True), x), want[:1])


@each
def test_shapes(case: Case) -> None:
    spk, *states = flat(case.make()(case.input()[0]))
    assert spk.shape == (case.spk_shape or case.shape)
    assert len(states) == len([n for n in case.cls.state_names if n != "spk"])


@each
def test_the_reset_mechanism_can_be_changed(case: Case) -> None:
    x = case.input()
    for number, mechanism in enumerate(case.cls.reset_mechanisms):
        neuron = case.make()
        neuron.reset_mechanism = mechanism
        assert neuron.reset_mechanism_val == number
        built = case.make(reset_mechanism=mechanism)
        want = run(built, x)
        assert same(run(neuron, x), want)
        loaded = case.make()
        loaded.load_state_dict(built.state_dict())
        assert loaded.reset_mechanism == mechanism
        assert same(run(loaded, x), want)
    with pytest.raises(ValueError, match=r"one of.*'half'"):
        neuron.reset_mechanism = "half"
    assert neuron.reset_mechanism == mechanism


@each
def test_inhibition_leaves_one_winner(case: Case) -> None:
    low = {case.threshold: -5.0}
    free, inhibited = case.make(**low), case.make(**low, inhibition=True)
    x = case.input()[0]
    all_spikes, spikes = flat(free(x))[0], flat(inhibited(x))[0]
    assert all_spikes.flatten(1).sum(1).min() > 1
    assert (spikes.flatten(1).sum(1) == 1).all()
    excess = free.excess(*[getattr(free, n) for n in case.cls.state_names if n != "spk"])
    assert torch.equal(spikes.flatten(1).argmax(1), excess.flatten(1).argmax(1))


@each
def test_states_are_quantized(case: Case) -> None:
    neuron = case.make(state_quant=quant.state_quant(num_bits=3, uniform=True))
    for values in run(neuron, case.input(), case.states(neuron))[1:]:
        assert values.unique().numel() <= 8
    free = case.make()
    assert run(free, case.input(), case.states(free))[-1].unique().numel() > 8


@each
def test_surrogate_disable(case: Case) -> None:
    neuron = case.make(surrogate_disable=True)
    spk = flat(neuron(case.input()[0].requires_grad_()))[0]
    assert not spk.requires_grad
    assert same(
        run(case.make(surrogate_disable=True), case.input()), run(case.make(), case.input())
    )


@each
def test_any_surrogate_works(case: Case) -> None:
    """An unknown callable takes the reference path and gives the same numbers."""
    x = case.input()
    want = run(case.make(spike_grad=surrogate.fast_sigmoid()), x)
    for spike_grad in (surrogate.FastSigmoid.apply, lambda v: surrogate.FastSigmoid.apply(v, 25)):
        assert same(run(case.make(spike_grad=spike_grad), x), want)


# --- gradients --------------------------------------------------------------------------


class StepOf(nn.Module):
    """A module whose forward is a neuron's pure step."""

    def __init__(self, neuron: Any) -> None:
        super().__init__()
        self.neuron = neuron

    def forward(self, *args: torch.Tensor) -> Any:
        x, *states = args
        return self.neuron._update(x, self.neuron._apart(states)[0])


@each
def test_gradcheck_of_step(case: Case) -> None:
    neuron = case.make(**dict.fromkeys(case.learn, True)).double()
    x = case.input(1, torch.float64)[0].requires_grad_()
    generator = torch.Generator().manual_seed(1)
    states = [
        torch.rand(neuron.state_shape(x), dtype=x.dtype, generator=generator).requires_grad_()
        for _ in neuron.state_names
    ]
    names, values = zip(*StepOf(neuron).named_parameters(), strict=True)

    def step(*args: torch.Tensor) -> Any:
        inputs, parameters = args[: 1 + len(states)], args[1 + len(states) :]
        swapped = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(StepOf(neuron), swapped, inputs)

    before = {name: getattr(neuron, name) for name in neuron.state_names}
    assert torch.autograd.gradcheck(step, (x, *states, *values), fast_mode=True)
    assert all(getattr(neuron, name) is state for name, state in before.items()), "step is pure"


@each
def test_values_learn_only_on_request(case: Case) -> None:
    names = (
        {name for name, _ in case.make(learn_recurrent=False).named_parameters()}
        if ("learn_recurrent" in case.learn)
        else {name for name, _ in case.make().named_parameters()}
    )
    assert not names & set(case.learn.values())
    learning = case.make(**dict.fromkeys(case.learn, True))
    assert set(case.learn.values()) <= {name for name, _ in learning.named_parameters()}
    assert set(case.learn.values()) <= {n.split(".")[-1] for n in case.make().state_dict()}


@each
def test_learned_decay_rates_are_clamped(case: Case) -> None:
    flags = [flag for flag, name in case.learn.items() if name in ("alpha", "beta")]
    for flag in flags:
        name = case.learn[flag]
        neuron, edge = case.make(**{flag: True}), case.make(**{flag: True})
        getattr(neuron, name).data.fill_(1.5)
        getattr(edge, name).data.fill_(1.0)
        x = case.input(5)
        assert same(run(neuron, x, case.states(neuron)), run(edge, x, case.states(edge)))


@each
def test_constants_are_clamped_too_whenever_they_come(case: Case) -> None:
    for name in case.cls.decay_names:
        if name not in case.kwargs:
            continue
        want = run(edge := case.make(), case.input(5), case.states(edge))
        for change in ("load", "write", "assign"):
            neuron = case.make()
            low, high = (
                torch.full_like(getattr(neuron, name), v) for v in (case.kwargs[name], 7.0)
            )
            if change == "load":
                neuron.load_state_dict({**neuron.state_dict(), name: high})
            elif change == "write":
                getattr(neuron, name).fill_(7.0)
            else:
                setattr(neuron, name, high)
            assert neuron._decay(name) == 1.0
            setattr(neuron, name, low)
            assert same(run(neuron, case.input(5), case.states(neuron)), want)


def test_a_constant_factor_is_used_whenever_it_comes() -> None:
    neuron = snn.Leaky(0.9)
    x = torch.full((1, 1), 2.0)
    assert neuron(x)[0] == 1.0
    neuron.graded_spikes_factor.fill_(3.0)
    assert neuron(x)[0] == 3.0
    neuron = copy.deepcopy(neuron).double().float()
    assert neuron(x)[0] == 3.0


# --- states -----------------------------------------------------------------------------


@each
def test_handed_out_states_are_always_welcome(case: Case) -> None:
    neuron, batches = case.make(), (4, 2, 7)
    for batch in batches:
        x = case.input()[0][:1].expand(batch, *case.shape[1:])
        for states in (case.states(neuron), case.states(neuron)):
            fresh = flat(case.make()(x))
            assert same(flat(neuron(x, *states)), fresh)


@each
def test_a_passed_state_is_used_and_expanded(case: Case) -> None:
    neuron, x = case.make(), case.input()[0]
    ones = [torch.full((1,), 0.3) for _ in neuron.state_names]
    full = [torch.full(neuron.state_shape(x), 0.3) for _ in neuron.state_names]
    want = flat(neuron(x, *full))
    assert same(flat(neuron(x, *ones)), want)
    assert not torch.equal(flat(case.make()(x))[-1], want[-1])


@each
def test_a_state_that_does_not_fit_is_an_error(case: Case) -> None:
    neuron, x = case.make(), case.input()[0]
    neuron(x)
    before = [getattr(neuron, name) for name in neuron.state_names]
    wrong = [torch.zeros(11, 13) for _ in neuron.state_names]
    name, shape = neuron.state_names[0], tuple(neuron.state_shape(x))
    message = re.escape(f"{case.cls.__name__} expected `{name}` of shape {shape}")
    message += r".*got \(11, 13\)(?s:.*)neuron.reset_mem\(\)"
    with pytest.raises(ValueError, match=message):
        neuron(x, *wrong)
    assert all(a is getattr(neuron, n) for a, n in zip(before, neuron.state_names, strict=True))
    with pytest.raises(TypeError, match=f"`{name}` to be a torch.Tensor, but got float"):
        neuron(x, *[0.0 for _ in wrong])


@each
def test_a_state_with_init_hidden_is_an_error(case: Case) -> None:
    neuron, x = case.make(init_hidden=True), case.input()[0]
    neuron(x)
    before = [getattr(neuron, name).clone() for name in neuron.state_names]
    with pytest.raises(TypeError, match=r"no `\w+` with init_hidden=True.*\n.*init_hidden=False"):
        neuron(x, *[torch.full(neuron.state_shape(x), 5.0) for _ in neuron.state_names])
    assert same(before, [getattr(neuron, name) for name in neuron.state_names])


@each
def test_input_that_is_no_tensor_is_an_error(case: Case) -> None:
    with pytest.raises(TypeError, match=r"`input_` to be a torch\.Tensor, but got list"):
        case.make()([1.0])


@each
def test_unbatched_input(case: Case) -> None:
    if len(case.shape) != 2:
        return
    x = case.input(5)
    batched = run(case.make(), x[:, :1])
    assert all(
        torch.allclose(one, other.squeeze(1), atol=1e-6)
        for one, other in zip(run(case.make(), x[:, 0]), batched, strict=True)
    )


@each
def test_utils_reset_is_deep_and_scoped(case: Case) -> None:
    one, other = net(case), net(case)
    x = case.input()
    run(one, x)
    run(other, x)
    kept = [getattr(other[1][0], name) for name in case.cls.state_names]
    utils.reset(one)
    for name, state in zip(case.cls.state_names, kept, strict=True):
        assert getattr(one[1][0], name).abs().sum() == 0
        assert getattr(other[1][0], name) is state
    assert same(run(one, x), run(net(case), x))


@each
def test_class_wide_reset_and_detach(case: Case) -> None:
    neuron = case.make(init_hidden=True)
    neuron(case.input()[0].requires_grad_())
    assert neuron.mem.requires_grad
    case.cls.detach_hidden()
    assert not any(getattr(neuron, name).requires_grad for name in case.cls.state_names)
    assert any(getattr(neuron, name).abs().sum() > 0 for name in case.cls.state_names)
    copied = copy.deepcopy(neuron)
    case.cls.reset_hidden()
    for each_neuron in (neuron, copied):
        assert all(getattr(each_neuron, n).abs().sum() == 0 for n in case.cls.state_names)


@each
def test_a_deleted_net_is_collected(case: Case) -> None:
    whole = net(case)
    whole(case.input()[0].requires_grad_())
    dead = weakref.ref(whole[1][0])
    del whole
    gc.collect()
    assert dead() is None


# --- moving, copying, saving ------------------------------------------------------------


@each
@pytest.mark.parametrize("how", ["deepcopy", "pickle", "torch.save"])
def test_copies_go_on_alike(case: Case, how: str) -> None:
    whole, x = net(case, state_quant=quant.state_quant(num_bits=6)), case.input()
    run(whole, x[:3].requires_grad_())
    whole[1][0].pickle_states = True
    if how == "deepcopy":
        other = copy.deepcopy(whole)
    elif how == "pickle":
        other = pickle.loads(pickle.dumps(whole))
    else:
        torch.save(whole, buffer := io.BytesIO())
        buffer.seek(0)
        other = torch.load(buffer, weights_only=False)
    twin = other[1][0]
    assert twin in snn.SpikingNeuron.instances
    assert not any(getattr(twin, name).requires_grad for name in twin.state_names)
    assert twin.spike_grad == whole[1][0].spike_grad
    assert same(run(other, x), run(whole, x))
    assert twin.mem is not whole[1][0].mem


@each
def test_a_copy_learns_no_state_of_the_other(case: Case) -> None:
    neuron = case.make(init_hidden=True)
    neuron.pickle_states = True
    neuron(case.input()[0])
    for name in neuron.state_names:
        getattr(neuron, name).requires_grad_()
    for twin in (copy.deepcopy(neuron), pickle.loads(pickle.dumps(neuron))):
        for name in neuron.state_names:
            assert torch.equal(getattr(twin, name), getattr(neuron, name))
            assert getattr(neuron, name).requires_grad
            assert not getattr(twin, name).requires_grad


@each
@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("hidden", [True, False])
def test_a_file_holds_the_last_batch_only_if_asked_to(
    case: Case, hidden: bool, asked: bool
) -> None:
    neuron = case.make(init_hidden=hidden)
    neuron.pickle_states = asked
    flat(neuron(case.input()[0].requires_grad_()))[0].sum().backward()
    loaded, copied = pickle.loads(pickle.dumps(neuron)), copy.deepcopy(neuron)
    for name in neuron.state_names:
        kept = getattr(neuron, name)
        assert torch.equal(getattr(copied, name), kept)
        assert torch.equal(getattr(loaded, name), kept if hidden and asked else torch.zeros(0))
    like = copied if hidden and asked else case.make(init_hidden=hidden)
    assert same(run(loaded, case.input()), run(like, case.input()))


@each
def test_replicas_keep_states_of_their_own(case: Case) -> None:
    """As nn.DataParallel does it: replicas share parameters, not states."""
    neuron, x = case.make(init_hidden=True), case.input()
    neuron(x[0])
    before = [getattr(neuron, name) for name in neuron.state_names]
    replicas = [neuron._replicate_for_data_parallel() for _ in range(2)]
    for index, replica in enumerate(replicas):
        replica._parameters = dict(neuron._parameters)
        replica._buffers = {k: None if v is None else v.clone() for k, v in neuron._buffers.items()}
        replica._modules = dict(neuron._modules)
        run(replica, x[1:4, index : index + 1])
    assert all(a is getattr(neuron, n) for a, n in zip(before, neuron.state_names, strict=True))
    assert not torch.equal(replicas[0].mem, replicas[1].mem)


@each
def test_repr_and_docstring(case: Case) -> None:
    assert case.cls.__name__ in repr(case.make())
    text = case.cls.__doc__
    assert "{shared}" not in text
    for section in (".. math::", "Args:", "Shape:", "Raises:", "References:", "Examples:"):
        assert section in text, section


@pytest.mark.parametrize(
    ("case", "kwargs", "error", "message"),
    [
        pytest.param(case, *entry, id=f"{case}-{index}")
        for case in CASES
        for index, entry in enumerate(case.errors)
    ],
)
def test_wrong_arguments(
    case: Case, kwargs: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"(?s)^{case.cls.__name__} expected .*{message}"):
        case.make(**kwargs)
