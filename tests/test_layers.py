"""The layers around the neurons."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
from tests import golden

BNTT = {1: (snn.BatchNormTT1d, nn.BatchNorm1d), 2: (snn.BatchNormTT2d, nn.BatchNorm2d)}
each_dimension = pytest.mark.parametrize("dimension", (1, 2))


def batch(dimension: int, steps: int = 3) -> Tensor:
    shape = (steps, 5, 4) if dimension == 1 else (steps, 5, 4, 6, 7)
    return torch.randn(shape, generator=torch.Generator().manual_seed(2)) * 3 + 1


# --- batch normalization through time ---------------------------------------------------


def replay(case: dict[str, Any], norms: nn.ModuleList) -> tuple[Tensor, Tensor]:
    """Return outputs, and the gradient of the sum of their cubes."""
    shape = golden.array(case, "y").shape
    x = torch.from_numpy(golden.rng(case["seed"]).normal(size=shape)).float().requires_grad_()
    y = torch.stack([norm(step) for norm, step in zip(norms, x, strict=True)])
    (y**3).sum().backward()
    return y, x.grad


def matches(case: dict[str, Any], norms: nn.ModuleList) -> bool:
    y, gradient = replay(case, norms)
    largest = golden.tensor(case, "g").abs().max().item()
    return torch.allclose(y, golden.tensor(case, "y"), rtol=1e-5, atol=2e-6) and torch.allclose(
        gradient, golden.tensor(case, "g"), rtol=1e-5, atol=2e-6 * largest
    )


@pytest.mark.parametrize("case", golden.cases("layers"), ids=lambda case: case["id"])
def test_recorded_numbers(case: dict[str, Any]) -> None:
    build, _ = BNTT[case["kw"]["d"]]
    norms = build(input_features=3, time_steps=4)
    assert sorted(norms.state_dict()) == sorted(str(key) for key in golden.array(case, "sd"))
    assert matches(case, norms)
    assert not matches(case, build(3, 4, eps=1e-3)), "negative control"


@each_dimension
def test_is_a_batch_norm_without_bias_for_each_step(dimension: int) -> None:
    build, plain = BNTT[dimension]
    norms, x = build(4, 3, eps=1e-3, momentum=0.3), batch(dimension)
    assert len(norms) == 3
    for norm, step in zip(norms, x, strict=True):
        other = plain(4, eps=1e-3, momentum=0.3)
        assert type(norm) is plain
        assert norm.bias is None
        scale = torch.tensor([0.5, 1.0, 2.0, -1.0])
        norm.weight.data, other.weight.data = scale, scale.clone()
        for _ in range(2):
            torch.testing.assert_close(norm(step), other(step))
        torch.testing.assert_close(norm.running_mean, other.running_mean)
        torch.testing.assert_close(norm.running_var, other.running_var)
        torch.testing.assert_close(norm.eval()(step), other.eval()(step))


@each_dimension
def test_every_step_has_its_own_scale_and_statistics(dimension: int) -> None:
    build, _ = BNTT[dimension]
    norms, x = build(4, 3), batch(dimension)
    norms[1](x[1]).sum().backward()
    assert norms[1].weight.grad is not None
    assert norms[0].weight.grad is None
    assert norms[1].running_mean.any()
    assert not norms[0].running_mean.any()


@each_dimension
def test_without_affine_nothing_is_learned(dimension: int) -> None:
    norms = BNTT[dimension][0](4, 3, affine=False)
    assert not list(norms.parameters())
    y = norms[0](batch(dimension)[0]).transpose(0, 1).flatten(1)
    torch.testing.assert_close(y.mean(1), torch.zeros(4), rtol=0, atol=1e-6)
    torch.testing.assert_close(y.var(1, correction=0), torch.ones(4), rtol=1e-4, atol=0)


@each_dimension
@pytest.mark.parametrize("train", (True, False))
def test_the_list_called_like_a_layer_says_what_to_call(dimension: int, train: bool) -> None:
    norms = BNTT[dimension][0](4, 3).train(train)
    hint = r"^BatchNormTT expected one of its layers .*\n.* norms\[step\]\(x\[step\]\)"
    for call in (lambda: norms(batch(dimension)), lambda: norms(batch(dimension)[0], 0)):
        with pytest.raises(TypeError, match=hint):
            call()
    assert not norms[0].num_batches_tracked


@each_dimension
def test_the_list_is_a_module_list(dimension: int) -> None:
    norms, x = BNTT[dimension][0](4, 3), batch(dimension)
    assert isinstance(norms, nn.ModuleList)
    assert len(norms[1:]) == 2
    plain = nn.ModuleList(copy.deepcopy(list(norms)))
    assert plain.load_state_dict(norms.state_dict())
    twin = pickle.loads(pickle.dumps(norms)).eval()
    want = plain.eval()[1](x[1])
    assert torch.equal(twin[1](x[1]), want)

    def forward(x: Tensor) -> Tensor:
        return torch.stack([norm(step) for norm, step in zip(twin, x, strict=True)])

    compiled = torch.compile(forward, backend="eager", fullgraph=True)
    assert torch.equal(compiled(x)[1], want)


WRONG_NORMS = (
    ({"input_features": 0}, ValueError, r"`input_features` >= 1, but got 0"),
    ({"input_features": 2.5}, TypeError, r"`input_features` to be an int, but got 2.5"),
    ({"time_steps": 0}, ValueError, r"`time_steps` >= 1, but got 0"),
    ({"time_steps": -1}, ValueError, r"`time_steps` >= 1, but got -1"),
    ({"time_steps": "ten"}, TypeError, r"`time_steps` to be an int, but got 'ten'"),
)


@each_dimension
@pytest.mark.parametrize("kwargs, error, message", WRONG_NORMS)
def test_wrong_norms(
    dimension: int, kwargs: dict[str, Any], error: type[Exception], message: str
) -> None:
    build, _ = BNTT[dimension]
    with pytest.raises(error, match=f"^{build.__name__} expected {message}"):
        build(**{"input_features": 4, "time_steps": 3, **kwargs})


# --- graded spikes ----------------------------------------------------------------------


def graded(*sizes: float) -> snn.GradedSpikes:
    layer = snn.GradedSpikes(len(sizes))
    layer.weights.data = torch.tensor(sizes).reshape(-1, 1)
    return layer


@pytest.mark.parametrize("shape", ((3,), (2, 3), (3, 3), (1, 3), (7, 2, 3), (3, 1, 3)))
def test_every_neuron_has_its_own_size(shape: tuple[int, ...]) -> None:
    y = graded(1.0, 2.0, 3.0)(torch.ones(shape))
    assert torch.equal(y, torch.tensor([1.0, 2.0, 3.0]).expand(shape))


@pytest.mark.parametrize("shape", ((3, 1), (2, 3, 1), (3, 3, 1)))
def test_columns(shape: tuple[int, ...]) -> None:
    y = graded(1.0, 2.0, 3.0)(torch.ones(shape))
    assert torch.equal(y, torch.tensor([[1.0], [2.0], [3.0]]).expand(shape))


def test_one_neuron_is_a_column_and_a_row() -> None:
    assert graded(2.0)(torch.ones(5, 1)).tolist() == [[2.0]] * 5


@pytest.mark.parametrize("factor", (2.0, 0.0, -1, torch.tensor(0.5), torch.tensor([0.5])))
def test_a_constant_factor_is_what_all_start_from(factor: Any) -> None:
    weights = snn.GradedSpikes(3, factor).weights
    assert weights.dtype == torch.float32
    assert torch.equal(weights, torch.full((3, 1), float(factor)))


def test_without_a_factor_sizes_are_drawn() -> None:
    torch.manual_seed(0)
    weights = snn.GradedSpikes(1000).weights.detach()
    assert weights.shape == (1000, 1)
    assert 0.5 <= weights.min() < 0.52
    assert 1.48 < weights.max() < 1.5
    assert abs(weights.mean() - 1) < 0.05
    assert not torch.equal(weights, snn.GradedSpikes(1000).weights)


def test_sizes_are_learned() -> None:
    layer = snn.GradedSpikes(3, 1.0)
    x = torch.tensor([[1.0, 0.0, 1.0], [1.0, 0.0, 0.0]], requires_grad=True)
    layer(x).sum().backward()
    assert layer.weights.grad.tolist() == [[2.0], [0.0], [1.0]]
    assert torch.equal(x.grad, torch.ones(2, 3))
    assert dict(layer.named_parameters()).keys() == {"weights"}


def test_a_factor_is_copied() -> None:
    factor = torch.tensor(0.5)
    snn.GradedSpikes(3, factor).weights.data.fill_(7)
    assert factor == 0.5


def test_moves_and_copies() -> None:
    layer = graded(1.0, 2.0, 3.0)
    x = torch.ones(2, 3)
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        assert copy.deepcopy(layer).to(dtype)(x.to(dtype)).dtype == dtype
    assert layer.to("meta")(x.to("meta")).device.type == "meta"
    layer = graded(1.0, 2.0, 3.0)
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    for other in (pickle.loads(pickle.dumps(layer)), torch.load(file, weights_only=False)):
        assert torch.equal(other(x), layer(x))
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    assert torch.equal(compiled(x), layer(x))
    inputs = (torch.rand(2, 3, dtype=torch.float64, requires_grad=True),)
    assert torch.autograd.gradcheck(layer.double(), inputs)


@pytest.mark.parametrize(
    "kwargs, error, message",
    (
        ({"size": 0}, ValueError, r"`size` >= 1, but got 0"),
        ({"size": 2.0}, TypeError, r"`size` to be an int, but got 2.0"),
        ({"constant_factor": "big"}, TypeError, r"`constant_factor` to be a number.*'big'"),
        ({"constant_factor": 1 + 2j}, TypeError, r"a real `constant_factor`, but got \(1\+2j\)"),
        ({"constant_factor": np.complex64(1)}, TypeError, r"a real `constant_factor`"),
        ({"constant_factor": [1j]}, TypeError, r"a real `constant_factor`, but got \[1j\]"),
        (
            {"constant_factor": torch.tensor(1j)},
            TypeError,
            r"a real `constant_factor`, but got torch.complex64",
        ),
        ({"constant_factor": [1.0, 2.0]}, ValueError, r"one `constant_factor`, but got \(2,\)"),
    ),
)
def test_wrong_sizes(kwargs: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^GradedSpikes expected {message}"):
        snn.GradedSpikes(**{"size": 3, **kwargs})


@pytest.mark.parametrize(
    "x, error, message",
    (
        (torch.ones(2, 4), ValueError, r"`x` of shape \(\.\.\., 3\) or \(\.\.\., 3, 1\).*\(2, 4\)"),
        (torch.ones(2, 1), ValueError, r"but got \(2, 1\)"),
        (torch.ones(3, 2), ValueError, r"but got \(3, 2\)"),
        (torch.tensor(1.0), ValueError, r"but got \(\)"),
        (torch.ones(2, 3) * 1j, TypeError, r"a real `x`, but got torch.complex64"),
        ([1.0, 1.0, 1.0], TypeError, r"`x` to be a torch.Tensor, but got list"),
    ),
)
def test_wrong_spikes(x: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^GradedSpikes expected .*{message}"):
        graded(1.0, 2.0, 3.0)(x)
