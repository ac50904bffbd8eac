"""The neurons that take a whole sequence [time, batch, features] in one call.

Their recorded numbers are replayed with the others', in ``tests/test_golden.py``.
"""

from __future__ import annotations

import copy
import io
import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

import snntorch as snn
from snntorch import surrogate, utils
from snntorch._kernels import scan
from snntorch._kernels.cpu import binding as cpu
from snntorch._kernels.scan import BLOCK, linear_scan
from snntorch.functional import quant
from tests import golden, test_golden
from tests.cases import flat

#: Lengths around the blocks of the scan, and around blocks of blocks.
LENGTHS = (1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 100, BLOCK**2, BLOCK**2 + 1)


@dataclass(frozen=True)
class Case:
    """A neuron to test: everything here runs on each."""

    name: str
    cls: Callable[..., Any]
    kwargs: dict[str, Any]
    #: Flags that make a value learnable, and the parameter each makes.
    learn: dict[str, str] = field(default_factory=dict)
    #: Whether it takes device= and dtype=.
    factory: bool = False

    def __str__(self) -> str:
        return self.name

    def make(self, **kwargs: Any) -> Any:
        torch.manual_seed(0)
        return self.cls(**{**self.kwargs, **kwargs})

    def input(self, steps: int = 100, dtype: torch.dtype = torch.float32) -> Tensor:
        generator = torch.Generator().manual_seed(7)
        return torch.randn((steps, 4, 3), generator=generator, dtype=torch.float64).to(dtype)


LEARN = {
    "learn_threshold": "threshold",
    "learn_graded_spikes_factor": "graded_spikes_factor",
}
TAU = {"learn_beta": "tau", **LEARN}
WEIGHT = {"learn_beta": "rnn.weight_hh_l0", **LEARN}
MIXED = torch.tensor([0.5, 0.9, 0.99])
CASES = (
    Case("StateLeaky", snn.StateLeaky, {"beta": 0.9, "channels": 3}, TAU),
    Case("StateLeaky-vector", snn.StateLeaky, {"beta": MIXED, "channels": 3}, TAU),
    Case(
        "StateLeaky-truncated",
        snn.StateLeaky,
        {"beta": MIXED, "channels": 3, "kernel_truncation_steps": 11},
        TAU,
    ),
    Case(
        "LinearLeaky",
        snn.LinearLeaky,
        {"beta": 0.9, "in_features": 3, "out_features": 5, "threshold": 0.5},
        TAU,
        factory=True,
    ),
    Case(
        "LeakyParallel",
        snn.LeakyParallel,
        {"input_size": 3, "hidden_size": 3, "beta": MIXED, "threshold": 0.7},
        WEIGHT,
        factory=True,
    ),
    Case(
        "LeakyParallel-random",
        snn.LeakyParallel,
        {"input_size": 3, "hidden_size": 5, "threshold": 0.3, "bias": False},
        WEIGHT,
        factory=True,
    ),
    Case(
        "LeakyParallel-dense",
        snn.LeakyParallel,
        {"input_size": 3, "hidden_size": 5, "threshold": 0.3, "weight_hh_enable": True},
        WEIGHT,
        factory=True,
    ),
    Case(
        "AssociativeLeaky",
        snn.AssociativeLeaky,
        {"in_dim": 3, "d_value": 2, "d_key": 2, "num_spiking_neurons": 4},
    ),
    Case(
        "AssociativeLeaky-spikes",
        snn.AssociativeLeaky,
        {
            "in_dim": 3,
            "d_value": 2,
            "d_key": 4,
            "num_spiking_neurons": None,
            "use_q_projection": False,
        },
    ),
)
each = pytest.mark.parametrize("case", CASES, ids=str)
summing = pytest.mark.parametrize(
    "case", [case for case in CASES if "Parallel" not in case.name], ids=str
)
parallel = pytest.mark.parametrize(
    "case", [case for case in CASES if "Parallel" in case.name], ids=str
)


def identity(x: Tensor) -> Tensor:
    """Take the place of a surrogate, to see the smooth part: U minus threshold."""
    return x * 1


def simulate(neuron: Any, x: np.ndarray) -> list[np.ndarray]:
    """Return what a neuron returns, by its equations: float64 NumPy and loops."""
    values = {k: v.detach().double().numpy() for k, v in neuron.state_dict().items()}
    theta, g = values["threshold"], values["graded_spikes_factor"]

    def linear(name: str, x: np.ndarray) -> np.ndarray:
        return x @ values[f"{name}.weight"].T + values[f"{name}.bias"]

    mems = []
    if isinstance(neuron, snn.StateLeaky):
        if isinstance(neuron, snn.LinearLeaky):
            x = linear("linear", x)
        taps = neuron.kernel_truncation_steps or len(x)
        for t in range(len(x)):
            ages = np.arange(min(t + 1, taps))
            fade = np.exp(-ages[:, None, None] / np.maximum(values["tau"], 0.1))
            mems.append((fade * x[t - ages]).sum(0))
        mem = np.stack(mems)
        return [g * (mem > theta), mem]
    if isinstance(neuron, snn.LeakyParallel):
        current = x @ values["rnn.weight_ih_l0"].T
        for name in ("rnn.bias_ih_l0", "rnn.bias_hh_l0"):
            current = current + values.get(name, 0)
        mem = np.zeros_like(current[0])
        for step in current:
            mem = np.maximum(0, step + mem @ values["rnn.weight_hh_l0"].T)
            mems.append(mem)
        return [g * (np.stack(mems) > theta)]
    decay = 1 / (1 + np.exp(-linear("to_alpha", x)))
    value, key = linear("to_v", x), linear("to_k", x)
    memory = np.zeros((x.shape[1], neuron.d_value, neuron.d_key))
    for t in range(len(x)):
        memory = memory * decay[t][:, None, :] + value[t][:, :, None] * key[t][:, None, :]
        mems.append(memory)
    if not neuron.output:
        return [np.stack(mems).reshape(*x.shape[:2], -1)]
    out = g * (np.stack(mems) > theta)
    if neuron.use_q_projection:
        out = out @ linear("to_q", x).reshape(*x.shape[:2], neuron.d_key, neuron.d_key)
    return [out.reshape(*x.shape[:2], -1)]


# --- the equations ----------------------------------------------------------------------


@each
def test_equals_the_equations_in_float64(case: Case) -> None:
    neuron = case.make(**({"graded_spikes_factor": 1.5} if case.learn else {})).double()
    x = case.input(dtype=torch.float64)
    got, want = flat(neuron(x)), simulate(neuron, x.numpy())
    assert 0.02 < (got[0] != 0).double().mean() < 0.98, "both, or the test shows nothing"
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one.detach().numpy(), other, rtol=1e-10, atol=1e-10)


@each
@pytest.mark.parametrize("name", ("threshold", "decay"))
def test_the_reference_tells_a_wrong_neuron(case: Case, name: str) -> None:
    """Negative control: a threshold or a decay that is off is seen."""
    neuron = case.make().double()
    x = case.input(dtype=torch.float64)
    want = simulate(neuron, x.numpy())[0]
    decay = {"Sta": "tau", "Lin": "tau", "Lea": "rnn.weight_hh_l0", "Ass": "to_alpha.bias"}
    wrong = neuron.state_dict()[name if name == "threshold" else decay[case.name[:3]]]
    wrong += 0.3 if name == "threshold" else 0.05 * wrong
    assert not np.array_equal(flat(neuron(x))[0].detach().numpy(), want)


@summing
@pytest.mark.parametrize("steps", LENGTHS)
def test_every_length(case: Case, steps: int) -> None:
    neuron = case.make().double()
    neuron.output = False
    x = case.input(steps, torch.float64)
    want = simulate(neuron, x.numpy())[-1]
    np.testing.assert_allclose(neuron(x).detach().numpy(), want, rtol=1e-12, atol=1e-12)


@each
def test_the_past_does_not_depend_on_the_future(case: Case) -> None:
    neuron, x = case.make(), case.input()
    cut = 3 * BLOCK - 7
    changed = x.clone()
    changed[cut:] = torch.nan
    for one, other in zip(flat(neuron(x)), flat(neuron(changed)), strict=True):
        assert torch.equal(one[:cut], other[:cut])
        assert not torch.equal(one[cut:], other[cut:])


@each
def test_every_call_starts_from_zero(case: Case) -> None:
    neuron, x = case.make(), case.input()
    first = flat(neuron(x))
    neuron(x.flip(0))
    before = x.clone()
    assert all(torch.equal(*pair) for pair in zip(first, flat(neuron(x)), strict=True))
    assert torch.equal(x, before), "the input is left alone"


@each
def test_shapes(case: Case) -> None:
    width = {"StateLeaky": 3, "StateLeaky-vector": 3, "StateLeaky-truncated": 3}
    width |= {"LeakyParallel": 3, "AssociativeLeaky": 4, "AssociativeLeaky-spikes": 8}
    for out in flat(case.make()(case.input(7))):
        assert out.shape == (7, 4, width.get(case.name, 5))


# --- the scan ---------------------------------------------------------------------------


@pytest.mark.parametrize("steps", LENGTHS)
@pytest.mark.parametrize("shape", ((1, 3), (2, 1), (2, 3)))
def test_scan_equals_the_recurrence(steps: int, shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(1)
    decay = torch.rand((steps, *shape), generator=generator, dtype=torch.float64)
    decay[decay < 0.1], decay[decay > 0.9] = 0.0, 1.0
    x = torch.randn((steps, 2, 3), generator=generator, dtype=torch.float64)
    y, want = torch.zeros(2, 3, dtype=torch.float64), []
    for t in range(steps):
        y = decay[t] * y + x[t]
        want.append(y)
    inputs = decay.clone(), x.clone()
    torch.testing.assert_close(linear_scan(decay, x), torch.stack(want), rtol=1e-13, atol=1e-13)
    assert torch.equal(decay, inputs[0])
    assert torch.equal(x, inputs[1])


@pytest.mark.parametrize("dtype", (torch.float64, torch.float16), ids=str)
def test_scan_by_operations_that_others_differentiate(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    decay, x = torch.rand(40, 1, 2, dtype=dtype), torch.randn(40, 2, 2, dtype=dtype)
    want = linear_scan(decay, x)
    monkeypatch.setattr(scan, "_LinearScan", None)
    with surrogate.traceable():
        got = linear_scan(decay, x)
    assert got.dtype == dtype
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("steps", (1, 3, BLOCK + 2))
def test_scan_gradients(steps: int, compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not compiled:
        monkeypatch.setattr(cpu, "available", lambda: "as on a GPU")
    generator = torch.Generator().manual_seed(1)
    decay = torch.rand((steps, 1, 2), generator=generator, dtype=torch.float64)
    x = torch.randn((steps, 2, 2), generator=generator, dtype=torch.float64)
    inputs = (decay.requires_grad_(), x.requires_grad_())
    assert torch.autograd.gradcheck(linear_scan, inputs)
    assert torch.autograd.gradgradcheck(linear_scan, inputs)


def test_scan_gradients_skip_what_is_not_asked_for() -> None:
    decay, x = torch.rand(5, 1, 2), torch.randn(5, 2, 2, requires_grad=True)
    linear_scan(decay, x).sum().backward()
    assert decay.grad is None
    assert x.grad is not None


def kept(function: Callable[[], Any]) -> int:
    """Return the number of values that autograd keeps of a computation."""
    storages: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes() // tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = function()
    del result
    return sum(storages.values())


def test_scan_keeps_its_decay_and_its_result() -> None:
    decay = torch.rand(2000, 1, 8, requires_grad=True)
    x = torch.randn(2000, 4, 8, requires_grad=True)

    def loop() -> list[Tensor]:
        y, all_y = torch.zeros(4, 8), []
        for t in range(len(x)):
            y = decay[t] * y + x[t]
            all_y.append(y)
        return all_y

    least = decay.numel() + x.numel()
    assert kept(lambda: linear_scan(decay, x)) <= 1.05 * least
    assert kept(lambda: [linear_scan(decay, x), loop()]) > 1.5 * least, "negative control"


@pytest.mark.parametrize("dims", ((0, 0), (0, None), (None, 0), (1, 2)))
def test_scan_maps_over_a_dimension(dims: tuple[int | None, int | None]) -> None:
    decay, x = torch.rand(4, 50, 1, 3), torch.randn(4, 50, 2, 3)
    inputs = [t[0] if dim is None else t.movedim(0, dim) for t, dim in zip((decay, x), dims)]  # noqa: B905
    got = vmap(linear_scan, dims)(*inputs)
    for i in range(4):
        one = [t if dim is None else t.select(dim, i) for t, dim in zip(inputs, dims, strict=True)]
        assert torch.equal(got[i], linear_scan(*one))


# --- StateLeaky -------------------------------------------------------------------------


@pytest.mark.parametrize("beta", (0.0, 0.5, 0.9, 0.99, 0.9999))
def test_constant_input_sums_to_the_geometric_series(beta: float) -> None:
    steps, rate = np.arange(10_000), 1 - beta
    closed = np.expm1(-(steps + 1) * rate) / np.expm1(-rate)
    neuron = snn.StateLeaky(torch.tensor(beta, dtype=torch.float64), 1, output=False).double()
    mem = neuron(torch.ones(10_000, 1, 1, dtype=torch.float64)).flatten().numpy()
    np.testing.assert_allclose(mem, closed, rtol=1e-10)
    single = snn.StateLeaky(beta, 1, output=False)(torch.ones(10_000, 1, 1)).flatten().numpy()
    np.testing.assert_allclose(single, closed, rtol=1e-3 if beta > 0.999 else 2e-5)
    if beta > 0:  # negative control: a decay of beta itself
        wrong = (1 - beta ** (steps + 1.0)) / (1 - beta)
        assert not np.allclose(mem, wrong, rtol=1e-5)


def test_a_beta_of_one_integrates() -> None:
    x = torch.randint(-3, 4, (500, 2, 3)).float()
    for beta in (1, 1.5):
        neuron = snn.StateLeaky(beta=beta, channels=3, output=False)
        assert torch.equal(neuron(x), x.cumsum(0))
        assert neuron.beta == 1


@pytest.mark.parametrize("taps", (1, 2, 3, 7, 31, 32, 33, 64, 99, 100, 101, 5000))
def test_truncation_leaves_the_last_taps(taps: int) -> None:
    neuron = snn.StateLeaky(MIXED, 3, output=False, kernel_truncation_steps=taps).double()
    x = CASES[0].input(100, torch.float64)
    (want,) = simulate(neuron, x.numpy())[1:]
    np.testing.assert_allclose(neuron(x).numpy(), want, rtol=1e-12, atol=1e-12)


def test_truncation_does_not_cancel_digits() -> None:
    """A short window on a long memory: the difference of two full sums would be noise."""
    kwargs = {"beta": 0.9999, "channels": 1, "output": False}
    x = torch.rand(5000, 1, 1, generator=torch.Generator().manual_seed(0)) + 1
    short = snn.StateLeaky(**kwargs, kernel_truncation_steps=3)(x)[3:]
    fade = torch.exp(-1 / short.new_tensor(1 / (1 - 0.9999), dtype=torch.float64))
    y = x.double()
    want = (y[3:] + fade * y[2:-1] + fade**2 * y[1:-2]).float()
    torch.testing.assert_close(short, want, rtol=1e-6, atol=0)
    full = snn.StateLeaky(**kwargs)(x)
    difference = full[3:] - (fade**3).float() * full[:-3]
    assert not torch.allclose(difference, want, rtol=1e-6, atol=0), "negative control"


def test_beta_reads_tau() -> None:
    neuron = snn.StateLeaky(beta=[0.5, 0.75, 0.9], channels=3, learn_beta=True)
    torch.testing.assert_close(neuron.tau.detach(), torch.tensor([2.0, 4.0, 10.0]))
    torch.testing.assert_close(neuron.beta.detach(), torch.tensor([0.5, 0.75, 0.9]))
    with torch.no_grad():
        neuron.tau.fill_(5)
    torch.testing.assert_close(neuron.beta.detach(), torch.full((3,), 0.8))
    with pytest.raises(TypeError, match="beta"):
        neuron.beta = 0.5


@pytest.mark.parametrize("tau", (0.5, 0.1, 0.0, -3.0))
@pytest.mark.parametrize("taps", (None, 4))
def test_a_learned_tau_stays_a_decay(tau: float, taps: int | None) -> None:
    neuron = snn.StateLeaky(
        0.9, 3, learn_beta=True, output=False, kernel_truncation_steps=taps
    ).double()
    with torch.no_grad():
        neuron.tau.fill_(tau)
    assert neuron.beta == 0
    x = CASES[0].input(dtype=torch.float64)
    fade = math.exp(-1 / max(tau, 0.1))
    last = sum(fade**k * x[-1 - k] for k in range(taps or 50))
    torch.testing.assert_close(neuron(x)[-1], last)


def test_tau_is_learned() -> None:
    x = CASES[0].input()
    want = snn.StateLeaky(0.8, 3, output=False)(x)
    neuron = snn.StateLeaky(0.95, 3, learn_beta=True, output=False)
    optimizer = torch.optim.Adam(neuron.parameters(), lr=0.5)
    for _ in range(150):
        optimizer.zero_grad()
        ((neuron(x) - want) ** 2).mean().backward()
        optimizer.step()
    assert abs(neuron.beta.item() - 0.8) < 1e-3


def test_output_false_returns_the_membrane_alone() -> None:
    for case in CASES[:4]:
        x = case.input()
        assert torch.equal(case.make(output=False)(x), case.make()(x)[1])


def test_spikes_as_input() -> None:
    """Integers and flags count as numbers of the default type."""
    neuron, x = snn.StateLeaky(0.9, 3), CASES[0].input() > 0
    want = neuron(x.float())
    for dtype in (torch.bool, torch.int64):
        for one, other in zip(neuron(x.to(dtype)), want, strict=True):
            assert torch.equal(one, other)


def test_the_state_is_quantized() -> None:
    quantizer = quant.state_quant(num_bits=2, uniform=True, threshold=1.0)
    x = CASES[0].input().requires_grad_()
    spk, mem = snn.StateLeaky(0.9, 3, state_quant=quantizer)(x)
    free = snn.StateLeaky(0.9, 3, output=False)(x)
    assert len(mem.unique()) == 4
    assert torch.equal(mem, quantizer(free))
    assert torch.equal(spk, (mem > 1).float())
    straight = torch.autograd.grad(mem.sum(), x)[0]
    assert torch.equal(straight, torch.autograd.grad(free.sum(), x)[0])


@pytest.mark.parametrize("case", CASES[:4], ids=str)
def test_there_is_no_inhibition_and_no_reset(case: Case) -> None:
    neuron, mem = case.make(), torch.ones(7, 4, 3)
    for call, what in (
        (lambda: neuron.fire_inhibition(4, mem), "inhibition.*snn.Leaky.*inhibition=True"),
        (lambda: neuron.mem_reset(mem), "reset.*snn.Leaky"),
    ):
        with pytest.raises(
            NotImplementedError, match=f"(?s)^{type(neuron).__name__} has no {what}"
        ):
            call()


UNUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"spike_grad": surrogate.sigmoid()}, "`spike_grad`"),
    ({"surrogate_disable": True}, "`surrogate_disable`"),
    ({"learn_threshold": True}, "`learn_threshold`"),
    ({"learn_graded_spikes_factor": True}, "`learn_graded_spikes_factor`"),
    ({"graded_spikes_factor": [1.0, 2.0, 1.0]}, "`graded_spikes_factor`"),
    (
        {"spike_grad": surrogate.atan(), "graded_spikes_factor": 0.5},
        "`spike_grad` and `graded_spikes_factor`",
    ),
)


@pytest.mark.parametrize("build", (snn.StateLeaky, lambda **k: snn.LinearLeaky(in_features=2, **k)))
@pytest.mark.parametrize("kwargs, names", UNUSED)
def test_what_only_spikes_need_is_told_without_them(
    build: Any, kwargs: dict[str, Any], names: str
) -> None:
    size = {"channels": 3} if build is snn.StateLeaky else {"out_features": 3}
    with pytest.warns(UserWarning, match=f"fires no spikes with output=False.* leaves {names} "):
        build(beta=0.9, **size, output=False, **kwargs)
    build(beta=0.9, **size, **kwargs)  # a warning is an error here
    neutral = torch.ones(3)
    build(beta=0.9, **size, output=False, threshold=3.0, graded_spikes_factor=neutral)
    with torch.device("meta"):
        build(beta=0.9, **size, output=False)


# --- LeakyParallel ----------------------------------------------------------------------


@parallel
def test_fires_where_the_hidden_state_of_an_rnn_does(case: Case) -> None:
    neuron, x = case.make(), case.input()
    bias = case.kwargs.get("bias", True)
    rnn = nn.RNN(neuron.input_size, neuron.hidden_size, nonlinearity="relu", bias=bias)
    rnn.load_state_dict(neuron.rnn.state_dict())
    hidden, _ = rnn(x)
    assert torch.equal(neuron(x), (hidden > neuron.threshold).float())
    neuron.spike_grad = identity
    torch.testing.assert_close(neuron(x), hidden - neuron.threshold, rtol=1e-5, atol=1e-6)


@parallel
def test_one_sample_needs_no_batch(case: Case) -> None:
    neuron, x = case.make(), case.input()
    assert torch.equal(neuron(x[:, 1]), neuron(x)[:, 1])


def test_draws_what_an_rnn_draws() -> None:
    torch.manual_seed(3)
    rnn = nn.RNN(3, 5, nonlinearity="relu")
    torch.manual_seed(3)
    dense = snn.LeakyParallel(3, 5, weight_hh_enable=True)
    torch.manual_seed(3)
    diagonal = snn.LeakyParallel(3, 5)
    for name, parameter in rnn.named_parameters():
        assert torch.equal(parameter, dense.rnn.get_parameter(name))
        if name == "weight_hh_l0":
            parameter = parameter.diagonal().diag()  # noqa: PLW2901
        assert torch.equal(parameter, diagonal.rnn.get_parameter(name))


def test_beta_fills_the_matrix() -> None:
    diagonal = snn.LeakyParallel(2, 3, beta=MIXED).rnn.weight_hh_l0
    assert torch.equal(diagonal, MIXED.diag())
    dense = snn.LeakyParallel(2, 3, beta=MIXED, weight_hh_enable=True).rnn.weight_hh_l0
    assert torch.equal(dense, MIXED.unsqueeze(1).expand(3, 3)), "as released: every weight"
    assert "beta" in snn.LeakyParallel(2, 3, beta=0.9).state_dict()
    assert "beta" not in snn.LeakyParallel(2, 3).state_dict()


def test_beta_is_clamped_where_it_is_used() -> None:
    x = CASES[0].input()
    one, more = (
        snn.LeakyParallel(3, 4, beta=beta, learn_beta=True, threshold=0.3) for beta in (1.0, 1.7)
    )
    more.rnn.weight_ih_l0.data = one.rnn.weight_ih_l0.data
    more.rnn.bias_ih_l0.data = one.rnn.bias_ih_l0.data
    more.rnn.bias_hh_l0.data = one.rnn.bias_hh_l0.data
    assert torch.equal(one(x), more(x))
    with torch.no_grad():
        one.rnn.weight_hh_l0 *= 0.5
    assert not torch.equal(one(x), more(x)), "negative control"
    assert more.rnn.weight_hh_l0[0, 0] == 1.7, "the parameter itself is left alone"


def resaved(module: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def reloaded(module: nn.Module, assign: bool = False) -> nn.Module:
    fresh = snn.LeakyParallel(3, 3, beta=0.5, learn_beta=True)
    fresh.load_state_dict(copy.deepcopy(module.state_dict()), assign=assign)
    return fresh


@pytest.mark.parametrize(
    "copied",
    (
        lambda module: module,
        copy.deepcopy,
        lambda module: pickle.loads(pickle.dumps(module)),
        resaved,
        reloaded,
        lambda module: reloaded(module, assign=True),
        lambda module: module.to(torch.float64).to(torch.float32),
    ),
    ids=("built", "deepcopy", "pickle", "torch.save", "state_dict", "assign", "moved"),
)
def test_a_diagonal_matrix_stays_diagonal_while_learning(copied: Any) -> None:
    module = copied(snn.LeakyParallel(3, 3, beta=0.9, learn_beta=True, threshold=0.1))
    module.requires_grad_()
    before = module.rnn.weight_hh_l0.detach().clone()
    optimizer = torch.optim.SGD(module.parameters(), 0.1, momentum=0.9, weight_decay=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        module(CASES[0].input()).sum().backward()
        optimizer.step()
    weight = module.rnn.weight_hh_l0.detach()
    assert torch.equal(weight, weight.diagonal().diag())
    assert (weight.diagonal() != before.diagonal()).all()


def test_a_dense_matrix_is_learned_densely() -> None:
    """Negative control of the test above, and what weight_hh_enable=True is for."""
    module = snn.LeakyParallel(3, 3, 0.2, learn_beta=True, weight_hh_enable=True, threshold=0.1)
    module(CASES[0].input()).sum().backward()
    assert (module.rnn.weight_hh_l0.grad != 0).all()


def test_the_recurrent_weight_is_fixed_unless_learned() -> None:
    for kwargs in ({}, {"beta": 0.9}, {"weight_hh_enable": True}):
        module = snn.LeakyParallel(3, 4, **kwargs)
        assert not module.rnn.weight_hh_l0.requires_grad
        learned = snn.LeakyParallel(3, 4, **kwargs, learn_beta=True)
        assert learned.rnn.weight_hh_l0.requires_grad


def test_released_methods() -> None:
    module = snn.LeakyParallel(3, 3, weight_hh_enable=True, learn_beta=True, threshold=0.1)
    dense = module.rnn.weight_hh_l0.detach().clone()
    assert torch.equal(module.grad_hook(dense), torch.eye(3) * dense)
    module.weight_hh_enable()
    assert torch.equal(module.rnn.weight_hh_l0, torch.eye(3) * dense)
    module(CASES[0].input()).sum().backward()
    gradient = module.rnn.weight_hh_l0.grad
    assert torch.equal(gradient, torch.eye(3) * gradient)
    assert gradient.any()
    x = torch.tensor([-0.5, 0.5], requires_grad=True)
    y = snn.LeakyParallel.ATan.apply(x)
    y.sum().backward()
    assert y.tolist() == [0, 1]
    assert torch.equal(x.grad, torch.autograd.grad(surrogate.atan()(x).sum(), x)[0])


def test_dropout_hides_membranes_from_the_threshold() -> None:
    """What torch draws for the hidden states, and what is dropped still counts later."""
    module = snn.LeakyParallel(3, 40, beta=0.9, dropout=0.4, spike_grad=identity, threshold=0.3)
    x = CASES[0].input(60)
    whole = module.eval()(x) + 0.3
    torch.manual_seed(2)
    seen = module.train()(x) + 0.3
    torch.manual_seed(2)
    torch.testing.assert_close(seen, nn.functional.dropout(whole, 0.4))
    positive = whole > 1e-3
    assert 0.3 < (seen[positive] < 1e-3).float().mean() < 0.5
    assert not torch.equal(module(x), module(x)), "drawn anew in each call"
    assert torch.equal(module.eval()(x) + 0.3, whole)


def test_dropout_of_spikes_and_gradients() -> None:
    x = CASES[0].input(40).requires_grad_()
    module = snn.LeakyParallel(3, 8, beta=0.7, dropout=1.0, threshold=0.05)
    assert not module(x).any()
    (gradient,) = torch.autograd.grad(module(x).sum(), x)
    assert not gradient.any()
    assert module.eval()(x).any()
    module.dropout = 0.0
    assert torch.equal(module.train()(x), module.eval()(x))
    half = snn.LeakyParallel(3, 8, beta=0.7, dropout=0.5, threshold=0.05, graded_spikes_factor=3.0)
    assert half(x).unique().tolist() == [0.0, 3.0], "a spike keeps its size"
    for off in ({}, {"dropout": 0}):
        before = torch.random.get_rng_state()
        module = snn.LeakyParallel(3, 8, beta=0.7, **off)
        drawn = torch.random.get_rng_state()
        module(x)
        assert torch.equal(drawn, torch.random.get_rng_state()), "nothing is drawn without it"
        assert not torch.equal(before, drawn)


# --- AssociativeLeaky -------------------------------------------------------------------


@pytest.mark.parametrize("bias", (-20.0, -3.0, 0.0, 3.0, 20.0))
def test_the_memory_is_exact_for_ten_thousand_steps(bias: float) -> None:
    neuron = snn.AssociativeLeaky(3, 2, 4, None, use_q_projection=False)
    neuron.output = False
    with torch.no_grad():
        neuron.to_alpha.bias.fill_(bias)
    x = CASES[0].input(10_000)
    (want,) = simulate(neuron, x.double().numpy())
    scale = np.abs(want).max()
    single = neuron(x).detach().numpy()
    np.testing.assert_allclose(single / scale, want / scale, atol=3e-5, rtol=0)
    double = neuron.double()(x.double()).detach().numpy()
    np.testing.assert_allclose(double / scale, want / scale, atol=1e-13, rtol=0)


def test_gradients_reach_back_through_vanishing_products() -> None:
    """What fades by 1e-20 within a step has a gradient as well, and no other does."""
    neuron = snn.AssociativeLeaky(1, 1, 1, 1, use_q_projection=False).double()
    neuron.output = False
    with torch.no_grad():
        neuron.to_alpha.bias.fill_(-46.0)
        neuron.to_alpha.weight.zero_()
    x = torch.linspace(1, 2, 200, dtype=torch.float64).reshape(200, 1, 1).requires_grad_()
    mem = neuron(x)
    (last,) = torch.autograd.grad(mem[-1].sum(), x)
    own = torch.autograd.grad((neuron.to_v(x) * neuron.to_k(x))[-1].sum(), x)[0]
    torch.testing.assert_close(last[-1], own[-1])
    assert 0 < last[-2].abs() < 1e-18
    assert not last.isnan().any()


def test_any_shape_of_memory_is_read_out_to_every_neuron() -> None:
    neuron, x = snn.AssociativeLeaky(3, 2, 4, 8).double(), CASES[0].input(dtype=torch.float64)
    (want,) = simulate(neuron, x.numpy())
    assert want.shape[-1] == neuron.num_spiking_neurons == 8
    np.testing.assert_allclose(neuron(x).detach().numpy(), want, rtol=1e-10, atol=1e-10)


def test_from_num_spiking_neurons() -> None:
    neuron = snn.AssociativeLeaky.from_num_spiking_neurons(3, 9)
    assert (neuron.in_dim, neuron.d_value, neuron.d_key) == (3, 3, 3)
    assert (neuron.num_spiking_neurons, neuron.use_q_projection) == (9, True)
    assert neuron(CASES[0].input()).shape[-1] == 9
    bare = snn.AssociativeLeaky.from_num_spiking_neurons(3, 4, use_q_projection=False)
    assert not any(name.startswith("to_q") for name in bare.state_dict())


@pytest.mark.parametrize("case", golden.cases("AssociativeLeaky"), ids=lambda case: case["id"])
def test_recorded_gradients_are_these_but_for_a_division(case: dict[str, Any]) -> None:
    """Dividing by the product of decays plus 1e-8 gives what 1.0.0 recorded.

    Without the 1e-8 the same formula is exact in float64, and gives the gradients here.
    """

    def gradients(epsilon: float) -> dict[str, Tensor]:
        neuron = test_golden.build(case).double()
        x = golden.tensor(case, "x").double().requires_grad_()
        product = torch.sigmoid(neuron.to_alpha(x)).cumprod(0)
        key = neuron.to_k(x) / (product + epsilon)
        written = neuron.to_v(x).unsqueeze(3) * key.unsqueeze(2)
        spk = surrogate.atan()((written.cumsum(0) * product.unsqueeze(2)).flatten(2) - 1)
        if neuron.use_q_projection:
            spk = (spk.unflatten(2, (2, 2)) @ neuron.to_q(x).unflatten(2, (2, 2))).flatten(2)
        weight = golden.rng(case["seed"], "w", 0).uniform(-1, 1, spk.shape)
        (spk * torch.from_numpy(weight)).sum().backward()
        return {"grad_x": x.grad, **{f"grad_{n}": p.grad for n, p in neuron.named_parameters()}}

    _, own = test_golden.replay(case, test_golden.build(case))
    exact, divided = gradients(0.0), gradients(1e-8)
    for name in (name for name in case["arrays"] if name.startswith("grad_")):
        scale = exact[name].abs().max().item()
        torch.testing.assert_close(own[name].double(), exact[name], rtol=0, atol=1e-4 * scale)
        want = golden.tensor(case, name).double()
        torch.testing.assert_close(divided[name], want, rtol=2e-3, atol=2e-4)


# --- gradients --------------------------------------------------------------------------


@each
def test_gradients_of_the_smooth_part(case: Case) -> None:
    neuron = case.make(**dict.fromkeys(case.learn, True)).double()
    neuron.spike_grad = identity
    names = [name for name, _ in neuron.named_parameters()]
    x = case.input(BLOCK + 3, torch.float64)[:, :1].clone().requires_grad_()

    def smooth(x: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
        return tuple(flat(functional_call(neuron, dict(zip(names, values, strict=True)), (x,))))

    inputs = (x, *neuron.parameters())
    assert torch.autograd.gradcheck(smooth, inputs, atol=1e-6, fast_mode=True)


@each
def test_gradients_reach_every_learnable_value(case: Case) -> None:
    neuron = case.make(**dict.fromkeys(case.learn, True))
    assert set(case.learn.values()) <= {name for name, _ in neuron.named_parameters()}
    x = case.input().requires_grad_()
    flat(neuron(x))[0].sum().backward()
    for name, value in (("x", x), *neuron.named_parameters()):
        assert value.grad is not None, name
        assert value.grad.any() or name == "beta", name
        assert value.grad.isfinite().all(), name


@each
@pytest.mark.parametrize("flag", ("learn_beta", "learn_threshold", "learn_graded_spikes_factor"))
def test_nothing_else_is_learned(case: Case, flag: str) -> None:
    if flag not in case.learn:
        with pytest.raises(TypeError, match=flag):
            case.make(**{flag: True})
        return
    plain, learned = (
        {name for name, p in case.make(**{flag: on}).named_parameters() if p.requires_grad}
        for on in (False, True)
    )
    assert learned - plain - {"beta"} == {case.learn[flag]}


@each
def test_surrogate_disable(case: Case) -> None:
    if not case.learn:
        with pytest.raises(TypeError, match="surrogate_disable"):
            case.make(surrogate_disable=True)
        return
    x = case.input().requires_grad_()
    plain, disabled = case.make(), case.make(surrogate_disable=True)
    spk = flat(disabled(x))[0]
    assert torch.equal(spk, flat(plain(x))[0])
    assert not spk.requires_grad


# --- every defect of 1.0.0 --------------------------------------------------------------


@pytest.mark.parametrize("factor", (3.0, [1.0, 2.0, 3.0]))
def test_a_spike_has_the_size_of_the_factor(factor: Any) -> None:  # stateleaky-graded-twice
    x = torch.full((4, 1, 3), 2.0)
    for neuron in (
        snn.StateLeaky(beta=0.9, channels=3, graded_spikes_factor=factor),
        snn.LeakyParallel(3, 3, beta=0.9, graded_spikes_factor=factor, threshold=-1.0),
    ):
        spk = flat(neuron(x))[0]
        assert torch.equal(spk, torch.as_tensor(factor).expand(4, 1, 3))
        neuron.graded_spikes_factor.fill_(0.5)
        assert (flat(neuron(x))[0] == 0.5).all()


@pytest.mark.parametrize("case", CASES[:4], ids=str)
@pytest.mark.parametrize("learn", (False, True))
def test_tau_is_all_there_is_of_beta(case: Case, learn: bool) -> None:  # stateleaky-dead-beta
    neuron = case.make(learn_beta=learn)
    x = case.input(20)
    names = [name for name, _ in neuron.named_parameters() if name in ("beta", "tau")]
    assert names == (["beta", "tau"] if learn else [])
    values = neuron.state_dict()
    given, tau = torch.full_like(values["beta"], 0.3), values["tau"] + 2
    released = {**values, "beta": given, "tau": tau}
    net = nn.ModuleList([case.make(learn_beta=learn)])
    net.load_state_dict({f"0.{key}": value for key, value in released.items()})
    assert torch.equal(net[0].tau, tau)
    torch.testing.assert_close(net[0].beta, 1 - 1 / tau)
    for one, other in zip(net[0](x), simulate(net[0].double(), x.double().numpy()), strict=True):
        np.testing.assert_allclose(one.detach().numpy(), other, rtol=1e-4, atol=1e-4)
    assert torch.equal(net[0].state_dict()["beta"], given.double()), "only carried along"
    if learn:
        sum(net[0](x.double())).sum().backward()
        gradient = dict(net[0].named_parameters())["beta"].grad
        assert torch.equal(gradient, torch.zeros_like(given, dtype=torch.float64))
    with pytest.raises(RuntimeError, match="gamma"):
        neuron.load_state_dict({**released, "gamma": torch.tensor(0.3)})


@pytest.mark.parametrize("beta", (0.9, torch.tensor(0.9), torch.tensor([0.9]), np.float32(0.9)))
def test_one_beta_in_every_form(beta: Any) -> None:  # leakyparallel-0d-beta
    weight = snn.LeakyParallel(2, 3, beta=beta).rnn.weight_hh_l0
    assert torch.equal(weight, torch.eye(3) * 0.9)
    assert snn.StateLeaky(beta, 3).tau.numel() == 1


@pytest.mark.parametrize("case", [c for c in CASES if c.factory], ids=str)  # leakyparallel-device
def test_is_built_on_the_device_and_in_the_dtype_asked_for(case: Case) -> None:
    flags = dict.fromkeys(case.learn, True)
    meta = case.make(device="meta", **flags)
    double = case.make(dtype=torch.float64, **flags)
    for name, value in meta.state_dict().items():
        assert value.device.type == "meta", name
    for name, value in double.state_dict().items():
        assert value.dtype == torch.float64 or name == "reset_mechanism_val", name
    assert flat(meta(case.input().to("meta")))[0].device.type == "meta"
    assert flat(double(case.input(dtype=torch.float64)))[0].dtype == torch.float64
    single = case.make()
    assert {p.dtype for p in single.parameters()} == {torch.float32}
    assert {p.device.type for p in single.parameters()} == {"cpu"}


@pytest.mark.parametrize("flag", (False, True))
def test_integers_are_taken_as_floats(flag: bool) -> None:  # integer-learnable
    learned = dict.fromkeys(TAU, flag)
    ones = {"beta": 1, "threshold": 1, "graded_spikes_factor": 1, **learned}
    for neuron in (
        snn.StateLeaky(channels=3, **ones),
        snn.LinearLeaky(in_features=3, out_features=4, **ones),
        snn.LeakyParallel(3, 4, **ones),
    ):
        assert neuron.threshold.dtype == torch.float32
        out = flat(neuron(CASES[0].input()))[0]
        assert out.requires_grad or not flag
        for parameter in torch.autograd.grad(out.sum(), neuron.parameters()) if flag else ():
            assert parameter.isfinite().all()


def test_every_neuron_owns_its_values() -> None:  # parameter-aliasing
    for values in (torch.tensor([0.5, 0.6, 0.7]), np.array([0.5, 0.6, 0.7], dtype=np.float32)):
        before = copy.deepcopy(values)
        learned = dict.fromkeys(TAU, True)
        numbers = {"beta": values, "threshold": values, "graded_spikes_factor": values}
        pair = [snn.StateLeaky(channels=3, **numbers, **learned) for _ in range(2)]
        pair += [snn.LeakyParallel(3, 3, **numbers, **learned) for _ in range(2)]
        wanted = [copy.deepcopy(neuron.state_dict()) for neuron in pair]
        for parameter in (*pair[0].parameters(), *pair[2].parameters()):
            parameter.data.fill_(0.1)
        assert (values == before).all()
        for i in (1, 3):
            for name, value in pair[i].state_dict().items():
                assert torch.equal(value, wanted[i][name]), name


@each
@pytest.mark.parametrize(
    "copied",
    (copy.deepcopy, copy.copy, lambda module: pickle.loads(pickle.dumps(module)), resaved),
    ids=("deepcopy", "copy", "pickle", "torch.save"),
)
def test_copies(case: Case, copied: Any) -> None:  # pickle, deepcopy-after-forward
    x = case.input().requires_grad_()
    extra = {"spike_grad": surrogate.fast_sigmoid(slope=5)} if case.learn else {}
    neuron = case.make(**extra, **dict.fromkeys(case.learn, True))
    want = flat(neuron(x))
    other = copied(neuron)
    got = flat(other(x))
    assert all(torch.equal(*pair) for pair in zip(got, want, strict=True))
    gradients = [torch.autograd.grad(out[0].sum(), x)[0] for out in (got, want)]
    assert torch.equal(*gradients)


@each
@pytest.mark.parametrize("dtype", (torch.float64, torch.float16, torch.bfloat16), ids=str)
def test_everything_has_the_dtype_of_the_input(case: Case, dtype: torch.dtype) -> None:  # spk-dtype
    neuron = case.make(**dict.fromkeys(case.learn, True)).to(dtype)
    outs = flat(neuron(case.input(dtype=dtype)))
    assert {out.dtype for out in outs} == {dtype}
    nn.Linear(outs[0].shape[-1], 2, dtype=dtype)(outs[0]).sum().backward()
    assert {p.grad.dtype for p in neuron.parameters()} == {dtype}
    single = flat(case.make()(case.input()))
    if dtype != torch.float64:
        agree = (outs[0].sign() == single[0].sign()).float().mean()
        assert agree > 0.97


@pytest.mark.parametrize("dtype", (torch.float16, torch.bfloat16), ids=str)
def test_half_precision_sums_without_stalling(dtype: torch.dtype) -> None:
    """Added up in half precision, ones stop counting at 2048 or 256."""
    x = torch.ones(4000, 1, 1, dtype=dtype)
    mem = snn.StateLeaky(0.999, 1, output=False).to(dtype)(x)
    exact = snn.StateLeaky(0.999, 1, output=False)(x.float())
    torch.testing.assert_close(mem.float(), exact, rtol=5e-2, atol=0)
    window = snn.StateLeaky(1.0, 1, output=False, kernel_truncation_steps=3000).to(dtype)(x)
    torch.testing.assert_close(window[-1].float(), torch.full((1, 1), 3000.0), rtol=1e-2, atol=0)


@each
def test_input_on_another_device(case: Case) -> None:  # state-device
    neuron = case.make().to("meta")
    for out in flat(neuron(case.input().to("meta"))):
        assert out.device.type == "meta"
    if case.name == "StateLeaky":
        assert flat(case.make()(case.input().to("meta")))[0].device.type == "meta"


@each
def test_compiles_to_one_graph(case: Case) -> None:
    neuron, x = case.make(**dict.fromkeys(case.learn, True)), case.input(40)
    torch._dynamo.reset()
    compiled = torch.compile(neuron, backend="eager", fullgraph=True)
    # compiled, a sum is taken in blocks; otherwise by a kernel, in the order of time
    got, want = flat(compiled(x)), flat(neuron(x))
    for one, other in zip(got, want, strict=True):
        torch.testing.assert_close(one, other)
    got[0].sum().backward()
    for name, parameter in neuron.named_parameters():
        compiled_grad, parameter.grad = parameter.grad, None
        (plain,) = torch.autograd.grad(want[0].sum(), parameter, retain_graph=True)
        torch.testing.assert_close(compiled_grad, plain, msg=name)


@each
def test_gradients_of_every_sample(case: Case) -> None:
    neuron, x = case.make(**dict.fromkeys(case.learn, True)), case.input(40)
    parameters = dict(neuron.named_parameters())

    def loss(parameters: dict[str, Tensor], sample: Tensor) -> Tensor:
        return flat(functional_call(neuron, parameters, (sample.unsqueeze(1),)))[0].sum()

    each_sample = vmap(grad(loss), in_dims=(None, 1))(parameters, x) if parameters else {}
    for name, got in each_sample.items():
        total = torch.autograd.grad(flat(neuron(x))[0].sum(), parameters[name])[0]
        torch.testing.assert_close(got.sum(0), total, rtol=1e-4, atol=1e-4)


# --- as parts of a net ------------------------------------------------------------------


def test_a_net_of_sequences_trains_and_resets() -> None:  # tbptt-linearleaky
    torch.manual_seed(0)
    net = nn.Sequential(
        snn.LinearLeaky(0.9, 3, 8, learn_beta=True, output=False), snn.LinearLeaky(0.9, 8, 2)
    )
    x, labels = CASES[0].input(30), torch.tensor([0, 1, 0, 1])
    optimizer = torch.optim.Adam(net.parameters(), 0.05)
    losses = []
    for _ in range(40):
        utils.reset(net)
        snn.StateLeaky.detach_hidden()
        snn.LinearLeaky.reset_hidden()
        loss = nn.functional.cross_entropy(net(x)[1].mean(0), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert net[0].reset_mem() == ()


@pytest.mark.parametrize("case", [c for c in CASES if "Parallel" not in c.name], ids=str)
def test_nothing_is_reset(case: Case) -> None:
    neuron = case.make()
    assert neuron.reset_mechanism == "none"
    neuron.reset_mechanism = "none"
    with pytest.raises(ValueError, match=r'`reset_mechanism` to stay "none", but got \'zero\''):
        neuron.reset_mechanism = "zero"
    for number in (0, 1, 2):
        neuron.load_state_dict({**neuron.state_dict(), "reset_mechanism_val": torch.tensor(number)})
        assert neuron.reset_mechanism == "none"
        assert neuron.reset_mechanism_val == 2


# --- wrong input ------------------------------------------------------------------------

WRONG_INPUT = (
    (torch.ones(5, 3), ValueError, r"`input_` of shape \(time, batch, 3\).*\(5, 3\)\.\nCollect"),
    (torch.ones(5, 4, 2), ValueError, r"\(time, batch, 3\).*but got \(5, 4, 2\)"),
    (torch.ones(3, 5, 4, 3), ValueError, r"but got \(3, 5, 4, 3\)"),
    (torch.ones(0, 4, 3), ValueError, r"at least one step, but got \(0, 4, 3\)"),
    (torch.ones(3), ValueError, r"but got \(3,\)"),
    (np.ones((5, 4, 3)), TypeError, r"`input_` to be a torch.Tensor, but got ndarray"),
    ([1.0, 2.0], TypeError, r"`input_` to be a torch.Tensor, but got list"),
)


@each
@pytest.mark.parametrize("x, error, message", WRONG_INPUT)
def test_wrong_input(case: Case, x: Any, error: type[Exception], message: str) -> None:
    neuron = case.make()
    if "Parallel" in case.name and np.shape(x) == (5, 3):
        assert neuron(x).shape == (5, neuron.hidden_size), "one sample, as for nn.RNN"
        return
    with pytest.raises(error, match=f"(?s)^{type(neuron).__name__} expected .*{message}"):
        neuron(x)


STATE = {"beta": 0.9, "channels": 3}
LINEAR = {"beta": 0.9, "in_features": 3, "out_features": 4}
PARALLEL = {"input_size": 3, "hidden_size": 4, "beta": 0.9}
MEMORY = {"in_dim": 3, "d_value": 2, "d_key": 2, "num_spiking_neurons": 4}
WRONG_VALUES = (("threshold", "high"), ("graded_spikes_factor", "big"), ("beta", "slow"))
WRONG_ARGUMENTS = (
    *(
        (cls, {**kwargs, name: value}, TypeError, rf"`{name}` to be a number.*'{value}'")
        for cls, kwargs in (
            (snn.StateLeaky, STATE),
            (snn.LinearLeaky, LINEAR),
            (snn.LeakyParallel, PARALLEL),
        )
        for name, value in WRONG_VALUES
    ),
    *(
        (cls, {**kwargs, name: size}, error, message)
        for cls, kwargs, names in (
            (snn.StateLeaky, STATE, ("channels", "kernel_truncation_steps")),
            (snn.LinearLeaky, LINEAR, ("in_features", "out_features", "kernel_truncation_steps")),
            (snn.LeakyParallel, PARALLEL, ("input_size", "hidden_size")),
            (snn.AssociativeLeaky, MEMORY, ("in_dim", "d_value", "d_key")),
        )
        for name in names
        for size, error, message in (
            (0, ValueError, rf"`{name}` >= 1, but got 0"),
            (-2, ValueError, rf"`{name}` >= 1, but got -2"),
            (2.5, TypeError, rf"`{name}` to be an int, but got 2.5"),
        )
    ),
    *(
        (cls, {**kwargs, "beta": beta}, ValueError, rf"`beta` to be one number or {n}.*{shape}")
        for cls, kwargs, n in (
            (snn.StateLeaky, STATE, 3),
            (snn.LinearLeaky, LINEAR, 4),
            (snn.LeakyParallel, PARALLEL, 4),
        )
        for beta, shape in (
            (torch.rand(7), r"shape \(7,\)"),
            (torch.rand(1, n), rf"shape \(1, {n}\)"),
            ([], r"shape \(0,\)"),
        )
    ),
    *(
        (cls, {**kwargs, "spike_grad": 25}, TypeError, r"`spike_grad` to be a function.*25")
        for cls, kwargs in (
            (snn.StateLeaky, STATE),
            (snn.LinearLeaky, LINEAR),
            (snn.LeakyParallel, PARALLEL),
        )
    ),
    (snn.StateLeaky, {**STATE, "state_quant": 8}, TypeError, r"`state_quant` to be a function"),
    (
        snn.AssociativeLeaky,
        {**MEMORY, "num_spiking_neurons": 5},
        ValueError,
        r"`num_spiking_neurons` = d_value \* d_key = 4, but got 5\.\nPass None",
    ),
    (
        snn.AssociativeLeaky.from_num_spiking_neurons,
        {"in_dim": 3, "num_spiking_neurons": 8},
        ValueError,
        r"a square number.*but got 8\.\nFor other shapes",
    ),
    (
        snn.AssociativeLeaky.from_num_spiking_neurons,
        {"in_dim": 3, "num_spiking_neurons": 0},
        ValueError,
        r"`num_spiking_neurons` >= 1, but got 0",
    ),
)


@pytest.mark.parametrize("build, kwargs, error, message", WRONG_ARGUMENTS)
def test_wrong_arguments(
    build: Any, kwargs: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"(?s)expected .*{message}"):
        build(**kwargs)


def test_a_threshold_per_neuron() -> None:
    theta = torch.tensor([0.1, 0.5, 2.0])
    spk, mem = snn.StateLeaky(0.9, 3, threshold=theta)(CASES[0].input())
    assert torch.equal(spk, (mem > theta).float())
    assert 0 < spk[..., 2].sum() < spk[..., 0].sum()
