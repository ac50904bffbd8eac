"""What holds for any neuron, input, dtype and layout: Hypothesis looks for one where it does not.

``make fuzz`` looks longer than ``make test``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import assume, given
from torch import Tensor

import snntorch as snn
from snntorch._kernels.cpu import binding as cpu
from snntorch._kernels.traced.on_cpu import OnCPU
from snntorch._neurons._unroll import Sequence, describe
from snntorch.testing import LAWS, check_neuron
from tests.cases import CASES
from tests.drawn import (
    DTYPES,
    WAYS,
    Drawn,
    by_torch,
    hidden,
    inputs,
    kernel_calls,
    neurons,
    own,
    share,
    traced_calls,
    unrolled,
)
from tests.neurons.reference import UPDATES, simulate

pytestmark = pytest.mark.filterwarnings("ignore:.*inhibition is meant:UserWarning")

#: A neuron that was drawn may be silent, or its surrogate pass nothing.
KEPT = tuple(law for law in LAWS if law not in ("spikes", "learning"))


@share(1.0)
@given(drawn=neurons(), law=st.sampled_from(KEPT))
def test_a_law_holds_for_any_arguments(drawn: Drawn, law: str) -> None:
    beta = torch.as_tensor(drawn.kwargs.get("beta", 0.5))
    at_bound = bool(((beta == 0) | (beta == 1)).any())
    assume(law != "derivatives" or not at_bound)  # where a rate that is clamped has none
    assume(law != "zeroing" or not resets_twice(drawn))
    kwargs = {**drawn.kwargs, "spike_grad": drawn.make().spike_grad}
    check_neuron(drawn.case.cls, kwargs, shape=drawn.shape, steps=5, laws=[law])


def resets_twice(drawn: Drawn) -> bool:
    """Return whether a reset can come late, although it need not wait.

    What inhibition keeps from firing stays above threshold, and so is reset in the next step; then
    the reset of a spike in that step is as good as done, and that of silence is taken back.
    """
    return "inhibition" in drawn.kwargs and not drawn.kwargs.get("reset_delay", True)


# --- every way to run a neuron --------------------------------------------------------------------


@share(1.0)
@given(data=st.data(), drawn=neurons(), dtype=st.sampled_from(DTYPES))
def test_every_way_has_the_bits_of_plain_torch(
    data: st.DataObject, drawn: Drawn, dtype: torch.dtype
) -> None:
    assert_bits_of_plain_torch(drawn, dtype, data.draw(inputs(drawn.shape, dtype)))


def assert_bits_of_plain_torch(drawn: Drawn, dtype: torch.dtype, x: Tensor) -> None:
    kept, before = drawn.make(dtype), x.clone()
    want, told = by_torch(kept, x), describe(drawn.make(dtype), Sequence(x, len(x)))
    for name, way in WAYS.items():
        for own_states in (False, True):
            neuron = drawn.make(dtype)
            if own_states:
                hidden(neuron)
            with kernel_calls() as calls, traced_calls() as of_its_step:
                got = way(neuron, x)
            is_traced = name != "loop" and OnCPU.DESCRIPTION in told
            assert of_its_step.call_count == is_traced, f"{name}: {told}"
            assert bool(calls) is drawn.has_kernel(dtype), f"{name}: {len(calls)} calls"
            if calls and not drawn.mixes:
                assert len(calls) == (len(x) if name == "loop" else 1), (
                    f"{name}: {len(calls)} calls"
                )
            for one, other in zip((*got, *own(neuron)), (*want, *own(kept)), strict=True):
                assert one.dtype == other.dtype == dtype
                assert torch.equal(one.nan_to_num(7), other.nan_to_num(7)), f"{name}: numbers"
    assert torch.equal(x, before)


LEAKY = Drawn(
    next(case for case in CASES if case.cls is snn.Leaky), {"beta": 0.9}, (4, 3), "default"
)


@pytest.mark.parametrize("name", WAYS)
def test_a_last_bit_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control."""
    x, right = torch.randn(6, 4, 3), WAYS[name]

    def wrong(neuron: Any, x: Tensor) -> list[Tensor]:
        spk, mem = right(neuron, x)
        return [spk, mem.nextafter(torch.tensor(9.0))]

    assert_bits_of_plain_torch(LEAKY, torch.float32, x)
    monkeypatch.setitem(WAYS, name, wrong)
    with pytest.raises(AssertionError, match=f"{name}: numbers"):
        assert_bits_of_plain_torch(LEAKY, torch.float32, x)


@pytest.mark.skipif(cpu.available() is not None, reason=f"no kernel: {cpu.available()}")
@pytest.mark.parametrize("name", WAYS)
def test_another_path_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: the numbers are right, but not the kernel's."""
    monkeypatch.setitem(WAYS, name, by_torch)
    with pytest.raises(AssertionError, match=f"{name}: 0 calls"):
        assert_bits_of_plain_torch(LEAKY, torch.float32, torch.randn(6, 4, 3))


@share(0.5)
@given(data=st.data(), drawn=neurons())
def test_every_way_has_the_gradients_of_plain_torch(data: st.DataObject, drawn: Drawn) -> None:
    x = data.draw(inputs(drawn.shape, torch.float64)).requires_grad_()
    want = gradients(by_torch, drawn.make(), x)
    for way in WAYS.values():
        for neuron in (drawn.make(), hidden(drawn.make())):
            for got, one in zip(gradients(way, neuron, x), want, strict=True):
                scale = float(one.abs().max())
                torch.testing.assert_close(got, one, rtol=1e-8, atol=1e-8 * max(scale, 1e-6))


def gradients(way: Callable[[Any, Tensor], list[Tensor]], neuron: Any, x: Tensor) -> Any:
    leaves = [x, *(p for p in neuron.parameters() if p.requires_grad)]
    out = [one for one in way(neuron, x) if one.requires_grad]
    total = sum(
        ((place + 1) * one * torch.linspace(0.5, 1.5, one.numel()).view_as(one)).sum()
        for place, one in enumerate(out)
    )
    return torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)


@share(0.5)
@given(data=st.data(), drawn=neurons(), dtype=st.sampled_from(DTYPES))
def test_parts_of_a_sequence_are_the_whole(
    data: st.DataObject, drawn: Drawn, dtype: torch.dtype
) -> None:
    """Each part is run in a way of its own."""
    x = data.draw(inputs(drawn.shape, dtype))
    want, neuron = by_torch(drawn.make(dtype), x), hidden(drawn.make(dtype))
    sizes = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    ways = data.draw(st.lists(st.sampled_from(sorted(WAYS)), min_size=6, max_size=6))
    cuts = np.cumsum(sizes)
    parts = [part for part in torch.tensor_split(x, cuts[cuts < len(x)].tolist()) if len(part)]
    rows = [WAYS[name](neuron, part) for name, part in zip(ways, parts, strict=False)]
    for got, one in zip(zip(*rows, strict=True), want, strict=True):
        assert torch.equal(torch.cat(got), one)


# --- samples --------------------------------------------------------------------------------------


@share(0.5)
@given(
    data=st.data(),
    drawn=neurons(),
    dtype=st.sampled_from(DTYPES),
    spoilt=st.sampled_from((None, float("nan"), float("inf"), -float("inf"), 6e4)),
    way=st.sampled_from(sorted(WAYS)),
)
def test_a_sample_alone_is_the_sample_in_a_batch(
    data: st.DataObject, drawn: Drawn, dtype: torch.dtype, spoilt: float | None, way: str
) -> None:
    x = data.draw(inputs(drawn.shape, dtype)).clone()
    if spoilt is not None:
        x[1, 0] = spoilt
    whole = WAYS[way](drawn.make(dtype), x)
    rounding = {torch.float64: 1e-9, torch.float32: 1e-4}.get(dtype)
    assume(rounding is not None or not drawn.mixes)  # sums of another order
    for sample in range(1, len(x[0])):
        alone = WAYS[way](drawn.make(dtype), x[:, sample : sample + 1])
        for got, want in zip(whole, alone, strict=True):
            if drawn.mixes:
                torch.testing.assert_close(
                    got[:, sample : sample + 1], want, rtol=rounding, atol=rounding
                )
            else:
                assert torch.equal(got[:, sample : sample + 1], want)


# --- numbers ------------------------------------------------------------------------------------


@share(0.5)
@given(data=st.data(), drawn=neurons(tuple(c for c in CASES if c.cls.__name__ in UPDATES)))
def test_the_numbers_are_those_of_the_equations(data: st.DataObject, drawn: Drawn) -> None:
    assume("inhibition" not in drawn.kwargs and "state_quant" not in drawn.kwargs)
    assume(drawn.case.cls is not snn.Lapicque or not drawn.kwargs["learn_beta"])  # R and C are
    x = data.draw(inputs(drawn.shape, torch.float64))
    neuron = drawn.make()
    want = simulate(neuron, x.numpy())
    for got, one in zip(unrolled(neuron, x), want, strict=True):
        np.testing.assert_allclose(got.detach().numpy(), one, rtol=1e-9, atol=1e-9)


LINEAR = tuple(c for c in CASES if c.cls.model is not None and "linear_features" not in c.extra)


@share(0.5)
@given(
    data=st.data(),
    drawn=neurons(LINEAR, threshold=float("inf"), reset_mechanism="none"),
    a=st.floats(-3, 3),
    b=st.floats(-3, 3),
    way=st.sampled_from(sorted(WAYS)),
)
def test_without_reset_responses_add_up(
    data: st.DataObject, drawn: Drawn, a: float, b: float, way: str
) -> None:
    assume("state_quant" not in drawn.kwargs and "conv2d_channels" not in drawn.kwargs)
    x, y = (data.draw(inputs(drawn.shape, torch.float64)) for _ in range(2))
    both, one, two = (WAYS[way](drawn.make(), part) for part in (a * x + b * y, x, y))
    assert not both[0].any()
    for whole, first, second in zip(both[1:], one[1:], two[1:], strict=True):
        torch.testing.assert_close(whole, a * first + b * second, rtol=1e-9, atol=1e-9)


@share(0.5)
@given(
    data=st.data(),
    drawn=neurons(),
    dtype=st.sampled_from(DTYPES),
    way=st.sampled_from(sorted(WAYS)),
)
def test_spikes_are_none_or_the_factor(
    data: st.DataObject, drawn: Drawn, dtype: torch.dtype, way: str
) -> None:
    neuron, x = drawn.make(dtype), data.draw(inputs(drawn.shape, dtype))
    spk = WAYS[way](neuron, x)[0]
    assert ((spk == 0) | (spk == neuron.graded_spikes_factor)).all()


@share(0.5)
@given(
    data=st.data(),
    drawn=neurons(tuple(c for c in CASES if "zero" in c.resets), reset_mechanism="zero"),
    dtype=st.sampled_from(DTYPES),
    way=st.sampled_from(sorted(WAYS)),
)
def test_a_reset_to_zero_leaves_zero(
    data: st.DataObject, drawn: Drawn, dtype: torch.dtype, way: str
) -> None:
    """Behind a step without input; in the step itself where the reset is not delayed."""
    neuron, x = drawn.make(dtype), data.draw(inputs(drawn.shape, dtype)).clone()
    assume("state_quant" not in drawn.kwargs)  # whose grid need not have zero
    assume(not resets_twice(drawn))
    x[-1] = 0
    names = dict.fromkeys(("spk", *neuron.state_names))
    rows = dict(zip(names, WAYS[way](neuron, x), strict=True))
    mem = rows[neuron.state_names[-1]]
    if neuron.reset_delay:
        raised = rows["adapt"][-2] if neuron.adapts else 0
        reset, after = mem[-2] - raised > neuron.threshold, slice(-1, None)
    else:
        reset, after = rows["spk"][-2] != 0, slice(-2, -1)
    for name in neuron.zeroed_states:
        assert not rows[name][after][0][reset].any()


# --- devices ----------------------------------------------------------------------------------


@share(0.5)
@given(
    data=st.data(),
    drawn=neurons(),
    dtype=st.sampled_from(DTYPES),
    way=st.sampled_from(("loop", "unroll")),
)
def test_on_meta_shapes_and_dtypes_are_those_of_the_cpu(
    data: st.DataObject, drawn: Drawn, dtype: torch.dtype, way: str
) -> None:
    x = data.draw(inputs(drawn.shape, dtype))
    want = WAYS[way](drawn.make(dtype), x)
    for one, other in zip(WAYS[way](drawn.make(dtype).to("meta"), x.to("meta")), want, strict=True):
        assert one.is_meta
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
