"""The numbers of neurons: their shapes, dtypes, edits, bounds and gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch import surrogate
from snntorch._kernels.cpu import binding as cpu
from snntorch._neurons import neurons
from tests.unroll.test_unroll import loop, unrolled

STEPS = 6
each_run = pytest.mark.parametrize("run", [loop, unrolled], ids=["loop", "unroll"])


@pytest.fixture
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the steps by the kernel, or in torch operations."""
    if request.param == "torch":
        monkeypatch.setattr(neurons, "fused_step", lambda *_: None)
    return str(request.param)


paths = pytest.mark.parametrize("path", ["kernel", "torch"], indirect=True)

WIDE = {
    "beta": snn.Leaky,
    "threshold": lambda v, **kw: snn.Leaky(0.9, threshold=v, **kw),
    "graded_spikes_factor": lambda v, **kw: snn.Leaky(0.9, graded_spikes_factor=v, **kw),
    "alpha": lambda v, **kw: snn.Synaptic(v, 0.5, **kw),
    "V": lambda v, learn_recurrent=False, **kw: snn.RLeaky(
        0.9, V=v, all_to_all=False, learn_recurrent=learn_recurrent, **kw
    ),
    "R": lambda v, **kw: snn.Lapicque(R=1 + v, C=2.0, **kw),
    "C": lambda v, **kw: snn.Lapicque(R=1.0, C=2 + v, **kw),
}


# --- shapes ------------------------------------------------------------------------------


@paths
@each_run
@pytest.mark.parametrize("hidden", [True, False])
@pytest.mark.parametrize("name", WIDE)
def test_a_step_is_as_wide_as_its_widest_number(
    name: str, hidden: bool, run: Any, path: str
) -> None:
    value = torch.tensor([0.3, 0.5, 0.9])
    options = {"init_hidden": True, "output": True} if hidden else {}
    x = torch.rand(STEPS, 4, 1, requires_grad=True)
    got = run(WIDE[name](value, **options), x)
    want = run(WIDE[name](value), x.expand(STEPS, 4, 3))
    assert all(torch.equal(one, other) for one, other in zip(got, want, strict=True))
    assert got[0].shape == (STEPS, 4, 3)
    grads = [torch.autograd.grad(sum(o.sum() for o in out), x)[0] for out in (got, want)]
    torch.testing.assert_close(grads[0], grads[1])


@paths
def test_a_number_wider_than_the_state_passed(path: str) -> None:
    neuron = snn.Lapicque(R=torch.ones(8), C=1.0, time_step=0.5)
    for states in ((torch.full((1,), 0.5),), (torch.full((8,), 0.5),)):
        _, mem = neuron(torch.zeros(1), *states)
        assert torch.equal(mem, torch.full((8,), 0.25))


@each_run
@pytest.mark.parametrize("name", WIDE)
def test_a_number_that_fits_no_step_is_named(name: str, run: Any) -> None:
    neuron = WIDE[name](torch.full((5,), 0.5))
    with pytest.raises(
        ValueError, match=rf"expected `({name}|beta)` to broadcast.*\(4, 3\).*got \(5,\)"
    ):
        run(neuron, torch.rand(STEPS, 4, 3))


@pytest.mark.parametrize(
    "wrong",
    [
        torch.zeros(3, 4),
        torch.zeros(3, 5, dtype=torch.float64),
        torch.zeros(3, 5, device="meta"),
        torch.zeros(3, 5).to_sparse(),
        torch.zeros(3, 5).as_subclass(type("Mine", (Tensor,), {})),
    ],
    ids=["size", "dtype", "device", "layout", "class"],
)
def test_only_what_is_right_gets_to_the_kernel(wrong: Tensor) -> None:
    with pytest.raises(TypeError, match="the compiled kernel expected 15 numbers"):
        cpu.Memory(torch.float32, 15).address(wrong, 15)
    assert cpu.Memory(torch.float32, 15).address(right := torch.zeros(3, 5), 15) == right.data_ptr()


@each_run
@pytest.mark.parametrize("make", [WIDE["beta"], WIDE["alpha"], WIDE["V"], WIDE["R"]])
def test_saved_tensors_come_back_in_their_dtype(make: Any, run: Any) -> None:
    neuron = make(torch.tensor([0.3, 0.5, 0.9]))
    grads = []
    for pack in (lambda t: t, lambda t: t.to(torch.bfloat16) if t.dim() else t):
        x = torch.linspace(-2, 2, STEPS * 6).view(STEPS, 2, 3).bfloat16().float().requires_grad_()
        neuron.reset_mem()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            out = run(neuron, x)
        grads += torch.autograd.grad(out[0].sum() + out[1].sum(), x)
    torch.testing.assert_close(grads[1], grads[0], rtol=0.1, atol=0.1)


def test_a_saved_tensor_of_another_size_is_an_error() -> None:
    x = torch.rand(4, 30, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t[:1], lambda t: t):
        spk, mem = snn.Leaky(0.9)(x, torch.zeros(4, 30))
    with pytest.raises(TypeError, match="the compiled kernel expected 120 numbers"):
        (spk + mem).sum().backward()


@each_run
@pytest.mark.parametrize("make", [WIDE["beta"], WIDE["alpha"], WIDE["V"]])
def test_a_state_on_another_device_is_an_error(make: Any, run: Any) -> None:
    neuron = make(0.5)
    states = [torch.zeros(4, 3, device="meta") for _ in neuron.state_names]
    with pytest.raises(ValueError, match=r"on device cpu.*got one on meta"):
        run(neuron, torch.rand(STEPS, 4, 3), *states)


# --- edits, dtypes -----------------------------------------------------------------------


def by_data(value: Tensor, new: float) -> None:
    value.data.fill_(new)


def by_numpy(value: Tensor, new: float) -> None:
    value.numpy()[...] = new


def by_assignment(value: Tensor, new: float) -> None:
    value.data = torch.full_like(value, new)


@paths
@each_run
@pytest.mark.parametrize("edit", [by_data, by_numpy, by_assignment])
@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize("value", [0.4, torch.tensor([0.4, 0.4, 0.4])], ids=["one", "each"])
def test_a_constant_may_be_edited_behind_torchs_back(
    name: str, value: Any, edit: Any, run: Any, path: str
) -> None:
    x = 2 * torch.rand(STEPS, 4, 3)
    neuron, other = WIDE[name](value), WIDE[name](torch.as_tensor(value) * 0 + 0.7)
    first = run(neuron, x)
    edit(getattr(neuron, name), getattr(other, name).reshape(-1)[0].item())
    neuron.reset_mem()
    got, want = run(neuron, x), run(other, x)
    assert all(torch.equal(one, two) for one, two in zip(got, want, strict=True))
    assert not all(torch.equal(one, two) for one, two in zip(got, first, strict=True))


@paths
@pytest.mark.parametrize("name", ["beta", "alpha"])
def test_an_edited_rate_is_clamped(name: str, path: str) -> None:
    x = torch.rand(STEPS, 4, 3)
    for value in (0.5, torch.full((3,), 0.5)):
        neuron, edge = WIDE[name](value), WIDE[name](torch.as_tensor(value) * 0 + 1)
        getattr(neuron, name).data.fill_(7.0)
        assert torch.equal(loop(neuron, x)[-1], loop(edge, x)[-1])


@paths
@each_run
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("name", WIDE)
def test_the_input_decides_the_dtype(name: str, dtype: torch.dtype, run: Any, path: str) -> None:
    value = torch.from_numpy(np.array([0.3, 0.5, 0.9]))
    for given in (value, value[:1], value[0]):
        neuron = WIDE[name](given)
        if name in ("R", "C"):
            neuron = neuron.double()
        out = run(neuron, torch.rand(STEPS, 2, 3, dtype=dtype))
        assert {one.dtype for one in out} == {dtype}


# --- gradients ---------------------------------------------------------------------------


@paths
@each_run
@pytest.mark.parametrize("name", WIDE)
def test_a_tensor_passed_with_a_gradient_gets_one(name: str, run: Any, path: str) -> None:
    if name in ("R", "C"):
        return  # beta follows from them once
    value = torch.tensor([0.3, 0.5, 0.9], requires_grad=True)
    x = 2 * torch.rand(STEPS, 4, 3)
    out = run(WIDE[name](value * 1.0), x)  # as the output of another net
    sum(one.sum() for one in out).backward()
    assert value.grad is not None
    learned = WIDE[name](value.detach(), **{_flag(name): True})
    sum(one.sum() for one in run(learned, x)).backward()
    torch.testing.assert_close(value.grad, getattr(learned, name).grad)


def _flag(name: str) -> str:
    return "learn_recurrent" if name == "V" else f"learn_{name}"


@paths
@each_run
@pytest.mark.parametrize("name", ["beta", "alpha"])
@pytest.mark.parametrize("value", [1.4, -0.4])
def test_a_rate_beyond_its_bounds_can_only_come_back(
    name: str, value: float, run: Any, path: str
) -> None:
    neuron = WIDE[name](value, **{_flag(name): True}, threshold=math.inf)
    rate = getattr(neuron, name)
    x = torch.rand(STEPS, 2, 3) + 0.1
    for sign in (1, -1):
        neuron.reset_mem()
        (grad,) = torch.autograd.grad(sign * run(neuron, x)[-1].sum(), rate)
        leads_back = sign > 0 if value > 1 else sign < 0  # a step goes against the gradient
        assert bool(grad != 0) is leads_back


@paths
@each_run
@pytest.mark.parametrize("mechanism", ["subtract", "zero", "none"])
@pytest.mark.parametrize("name", ["beta", "alpha", "V"])
def test_a_loss_on_the_membrane_alone(name: str, mechanism: str, run: Any, path: str) -> None:
    neuron = WIDE[name](
        0.5, threshold=torch.full((3,), 0.4), learn_threshold=True, reset_mechanism=mechanism
    )
    x = torch.rand(STEPS, 2, 3, requires_grad=True)
    run(neuron, x)[-1].sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


# --- infinity ----------------------------------------------------------------------------


@paths
@each_run
@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("rate", [0.0, 0.5, 1.0])
def test_a_reset_clears_infinity(rate: float, delay: bool, run: Any, path: str) -> None:
    x = torch.full((STEPS, 2, 3), 0.1)
    x[1, 0, 1] = math.inf
    for make in (snn.Leaky, lambda *a, **kw: snn.Synaptic(0.0, *a, **kw)):
        neuron = make(rate, reset_mechanism="zero", reset_delay=delay)
        *_, mem = run(neuron, x)
        assert mem.isfinite().all()
        assert not run(neuron, x)[0].isnan().any()


@paths
@each_run
@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("mechanism", ["subtract", "zero", "none", "soft"])
def test_an_infinite_threshold_reads_the_membrane(
    mechanism: str, delay: bool, run: Any, path: str
) -> None:
    x = torch.rand(STEPS, 2, 3, requires_grad=True)
    found = []
    for threshold in (math.inf, torch.full((3,), math.inf), 1e30):
        neuron = snn.Leaky(
            0.9,
            threshold=threshold,
            reset_mechanism=mechanism,
            reset_delay=delay,
            learn_beta=True,
            learn_threshold=True,
            spike_grad=surrogate.fast_sigmoid(2),
        )
        out = run(neuron, x)
        assert not out[0].any()
        grads = torch.autograd.grad(sum(o.sum() for o in out), [x, neuron.beta, neuron.threshold])
        assert all(grad.isfinite().all() for grad in grads)
        found.append([out[1], *grads[:2]])
    for other in found[1:]:
        assert all(torch.equal(one, two) for one, two in zip(found[0], other, strict=True))


def test_a_column_of_graded_spikes_is_not_taken_over_time() -> None:
    net = nn.Sequential(snn.GradedSpikes(STEPS, 2.0))
    with pytest.raises(ValueError, match="GradedSpikes"):
        snn.unroll(net, torch.ones(STEPS, 1))
