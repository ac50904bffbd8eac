"""Surrogates: their derivatives, and that they behave like PyTorch functions."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import snntorch as snn
from snntorch import surrogate
from tests.cases import RANDOM, SURROGATES

#: A smooth primitive whose derivative autograd takes, of x and the parameters of a surrogate.
PRIMITIVES: dict[str, Callable[..., Tensor]] = {
    "atan": lambda x, alpha: torch.atan(math.pi / 2 * alpha * x) / math.pi,
    "fast_sigmoid": lambda x, slope: x / (1 + slope * x.abs()),
    "sigmoid": lambda x, slope: torch.sigmoid(slope * x),
    "straight_through_estimator": lambda x: x,
    "triangular": lambda x, threshold: -threshold * x.abs(),
    "heaviside": lambda x: x.clamp(min=0),
    "spike_rate_escape": lambda x, beta, slope: (
        slope / beta * torch.where(x < 1, torch.exp(beta * (x - 1)), 2 - torch.exp(-beta * (x - 1)))
    ),
    "LSO": lambda x, slope: torch.where(x > 0, x, slope * x),
    "SFS": lambda x, slope, B: torch.where(x > B, x / (1 + slope * x.abs()), 0.0),
}
X = torch.linspace(-3, 3, 121, dtype=torch.float64)
each = pytest.mark.parametrize("spike_grad", SURROGATES.values(), ids=SURROGATES)


def derivative(function: object, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    function(x).sum().backward()  # type: ignore[operator]
    return x.grad


@pytest.mark.parametrize("name", PRIMITIVES)
def test_derivative_is_that_of_the_smooth_primitive(name: str) -> None:
    spike_grad, x = SURROGATES[name], X[(X != 0) & (X != 1)]  # where the primitives have kinks
    want = derivative(lambda x: PRIMITIVES[name](x, *spike_grad.values), x)
    torch.testing.assert_close(derivative(spike_grad, x), want)
    torch.testing.assert_close(spike_grad.derivative(x), want)


@each
def test_what_comes_back_is_multiplied_by_the_derivative(
    spike_grad: surrogate.SurrogateGradient,
) -> None:
    x, grad = X.clone().requires_grad_(), torch.linspace(-2, 5, len(X), dtype=X.dtype)
    torch.manual_seed(0)
    spike_grad(x).backward(grad)
    torch.manual_seed(0)
    torch.testing.assert_close(x.grad, grad * spike_grad.derivative(X))


def test_a_wrong_derivative_is_seen() -> None:
    """Negative control of the comparison with primitives."""
    want = derivative(lambda x: PRIMITIVES["atan"](x, 1.5), X)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(derivative(surrogate.atan(1.6), X), want)


@each
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_heaviside_forward_in_the_input_s_dtype(
    spike_grad: surrogate.SurrogateGradient, dtype: torch.dtype
) -> None:
    x = torch.tensor([-1.0, -0.0, 0.0, 1e-3, 2.0, float("nan")], dtype=dtype)
    for grad in (False, True):
        y = spike_grad(x.clone().requires_grad_(grad))
        assert y.dtype == dtype
        assert y.tolist() == [0, 0, 0, 1, 1, 0]
        assert y.requires_grad is grad
    assert derivative(spike_grad, x).dtype == dtype


@each
def test_finite_everywhere(spike_grad: surrogate.SurrogateGradient) -> None:
    x = torch.tensor([-1e4, -100.0, -1.0, 0.0, 1.0, 100.0, 1e4])
    assert derivative(spike_grad, x).isfinite().all()


@each
def test_copies_are_equal(spike_grad: surrogate.SurrogateGradient) -> None:
    for other in (copy.deepcopy(spike_grad), pickle.loads(pickle.dumps(spike_grad))):
        assert other == spike_grad
        assert hash(other) == hash(spike_grad)
        assert repr(other) == repr(spike_grad)
    assert spike_grad != surrogate.atan(7.0)


def test_repr_is_the_call() -> None:
    assert repr(surrogate.fast_sigmoid()) == "fast_sigmoid(slope=25)"
    assert repr(surrogate.SFS(5)) == "SFS(slope=5, B=1)"
    assert repr(surrogate.heaviside()) == "heaviside()"
    assert repr(surrogate.SurrogateGradient("atan", surrogate.ATan)) == "atan()"


@each
def test_classes_take_their_parameters_or_defaults(
    spike_grad: surrogate.SurrogateGradient,
) -> None:
    function = spike_grad.function
    torch.manual_seed(0)
    given = derivative(lambda x: function.apply(x, *spike_grad.values), X)
    torch.manual_seed(0)
    assert torch.equal(given, derivative(spike_grad, X))
    if None in function.parameters.values():  # the user's function
        return
    torch.manual_seed(0)
    left_out = derivative(function.apply, X)
    torch.manual_seed(0)
    assert torch.equal(left_out, derivative(getattr(surrogate, spike_grad.name)(), X))
    with pytest.raises(TypeError, match=rf"{function.__name__} expected at most the parameters"):
        function.apply(X, *range(len(function.parameters) + 1))


@each
def test_functional_transforms(spike_grad: surrogate.SurrogateGradient) -> None:
    x = torch.linspace(-1, 1, 12).reshape(3, 4)
    assert torch.equal(torch.vmap(spike_grad)(x), spike_grad(x))
    torch.manual_seed(0)
    got = torch.func.grad(lambda v: spike_grad(v).sum())(x)
    torch.manual_seed(0)
    torch.testing.assert_close(got, derivative(spike_grad, x))
    per_sample = torch.vmap(torch.func.grad(lambda v: spike_grad(v).sum()), randomness="different")
    if spike_grad.name not in RANDOM:
        torch.testing.assert_close(per_sample(x), derivative(spike_grad, x))
        jacobian = torch.func.jacrev(spike_grad)(x[0])
        torch.testing.assert_close(jacobian.diagonal(), derivative(spike_grad, x[0]))


@each
def test_compiles_as_one_graph(spike_grad: surrogate.SurrogateGradient) -> None:
    torch._dynamo.reset()
    compiled = torch.compile(spike_grad.__call__, backend="aot_eager", fullgraph=True)
    x = torch.linspace(-1, 1, 9)
    torch.manual_seed(0)
    got = derivative(compiled, x)
    torch.manual_seed(0)
    if spike_grad.name not in RANDOM:  # the compiled graph draws other random numbers
        torch.testing.assert_close(got, derivative(spike_grad, x))
    assert torch.equal(compiled(x), spike_grad(x))


def test_a_class_s_apply_compiles_too() -> None:
    def spike(x: Tensor) -> Tensor:
        return surrogate.FastSigmoid.apply(x)

    compiled = torch.compile(spike, backend="aot_eager", fullgraph=True)
    x = torch.linspace(-1, 1, 9)
    assert torch.equal(compiled(x), surrogate.spikes(x))
    torch.testing.assert_close(derivative(compiled, x), derivative(surrogate.fast_sigmoid(), x))


def test_sso_is_random_below_threshold_only() -> None:
    x = torch.cat([-torch.ones(20_000), torch.ones(10)])
    grad = derivative(surrogate.SSO(mean=0.1, variance=0.5), x)
    assert (grad[-10:] == 1).all()
    noise = grad[:-10]
    low, high = (-0.5 + 0.1) * 0.5, (0.5 + 0.1) * 0.5
    assert low <= noise.min() < low + 0.01
    assert high - 0.01 < noise.max() <= high
    assert abs(noise.mean() - 0.1 * 0.5) < 0.01


def rectangle(input_: Tensor, grad_input: Tensor, spikes: Tensor) -> Tensor:
    return grad_input * (input_.abs() < 0.5) * (1 + spikes)


def test_custom_surrogate_gets_input_gradient_and_spikes() -> None:
    x = torch.tensor([-0.4, 0.4, 0.8])
    assert derivative(surrogate.custom_surrogate(rectangle), x).tolist() == [1, 2, 0]


def test_custom_surrogate_wants_a_function() -> None:
    with pytest.raises(
        TypeError, match=r"custom_surrogate expected `custom_surrogate_function` to .* but got 25"
    ):
        surrogate.custom_surrogate(25)


@pytest.mark.parametrize("kind", [surrogate.traceable, torch.nn.Sigmoid])
def test_a_class_is_no_surrogate(kind: type) -> None:
    with pytest.raises(
        TypeError, match=r"`spike_grad` to be a function of a tensor, but got <class"
    ):
        snn.Leaky(0.9, spike_grad=kind)
