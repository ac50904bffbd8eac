from __future__ import annotations

import copy
import io
import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch

import snntorch as snn
from snntorch.functional import quant
from tests import golden

CASES = golden.cases("quant")
RANGE = {"threshold": 1.0, "lower_limit": 0.2, "upper_limit": 0.3}
KINDS = [
    {"uniform": True},
    {"uniform": False, "thr_centered": True},
    {"uniform": False, "thr_centered": False},
]


def check_recorded(case: dict[str, Any], make: Any) -> None:
    x = torch.linspace(-1.7, 1.9, 301).requires_grad_()
    y = make(**case["kw"])(x)
    y.sum().backward()
    torch.testing.assert_close(y.detach(), golden.tensor(case, "y"), rtol=1e-5, atol=2e-6)
    assert torch.equal(x.grad, golden.tensor(case, "g"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_recorded_numbers(case):
    check_recorded(case, quant.state_quant)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_recorded_numbers_reject_another_range_and_a_clipped_gradient(case):
    def narrow(**kw):
        return quant.state_quant(**{**kw, "upper_limit": 0.29})

    def clipped(**kw):
        quantizer = quant.state_quant(**kw)
        return lambda x: quantizer(x) - x.detach().clamp(-1, 1) + x.clamp(-1, 1)

    for wrong in (narrow, clipped):
        with pytest.raises(AssertionError):
            check_recorded(case, wrong)


def test_recorded_levels_are_met_bit_for_bit():
    for case in CASES:
        levels = quant.state_quant(**case["kw"]).levels()
        assert torch.isin(golden.tensor(case, "y"), levels).all()


# -- the levels against their definition, gap by gap


def uniform_levels(bits: int, low: float, high: float) -> np.ndarray:
    last = 2**bits - 1
    return np.array([low + (high - low) * i / last for i in range(last + 1)])


def exponential_levels(bits: int, low: float, high: float, centre: float, m: float) -> np.ndarray:
    """Walk from both ends to the centre, each gap ``m`` times the one before."""
    number = 2**bits
    above = math.ceil(round(number * (high - centre) / (high - low), 6))
    levels = []
    for end, count in ((low, number - above), (high, above)):
        gap = (centre - end) / sum(m**j for j in range(count)) if count else 0.0
        place = end
        for _ in range(count):
            levels.append(place)
            place += gap
            gap *= m
        assert not count or place == pytest.approx(centre, abs=1e-9)
    return np.array(sorted(levels))


def check_levels(quantizer: quant.StateQuantizer, multiplier: float) -> None:
    low = -quantizer.threshold * (1 + quantizer.lower_limit)
    high = quantizer.threshold * (1 + quantizer.upper_limit)
    if quantizer.uniform:
        expected = uniform_levels(quantizer.num_bits, low, high)
    else:
        centre = quantizer.threshold if quantizer.thr_centered else 0.0
        expected = exponential_levels(quantizer.num_bits, low, high, centre, multiplier)
    levels = quantizer.levels(torch.float64).numpy()
    assert levels.shape == (2**quantizer.num_bits,)
    assert (np.diff(levels) >= 0).all()
    np.testing.assert_allclose(levels, expected, rtol=1e-9, atol=1e-9)


MULTIPLIERS = {1: 0.05, 2: 0.1, 3: 0.3, 4: 0.5, 5: 0.7, 6: 0.9, 7: 0.925, 8: 0.95}


@pytest.mark.parametrize("bits", [*range(1, 9), 10])
@pytest.mark.parametrize(
    "limits",
    [{}, RANGE, {"threshold": 0.5, "lower_limit": -1, "upper_limit": 1}, {"threshold": 2}],
    ids=str,
)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_levels_by_their_definition(kind, limits, bits):
    multiplier = MULTIPLIERS.get(bits, 0.95**0.25)
    check_levels(quant.state_quant(bits, **kind, **limits), multiplier)
    check_levels(quant.state_quant(bits, **kind, **limits, multiplier=0.6), 0.6)


def test_levels_reject_another_multiplier():
    for kind in KINDS[1:]:
        with pytest.raises(AssertionError):
            check_levels(quant.state_quant(4, **kind, **RANGE, multiplier=0.51), 0.5)
        with pytest.raises(AssertionError):
            check_levels(quant.state_quant(3, **kind, **RANGE), 0.5)


def test_a_whole_share_of_levels_stays_whole():
    # 0.1 of 1.6 lie above the threshold: one level of sixteen, though 1.1 - 1 > 0.1 in floats
    quantizer = quant.state_quant(4, uniform=False, lower_limit=-0.5, upper_limit=0.1)
    assert (quantizer.levels() > 1).sum() == 1


# -- rounding


def check_nearest(quantizer: Any, levels: torch.Tensor, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    x = (torch.randn(4000, generator=generator) * 1.2).to(dtype)
    distance = (x.double()[:, None] - levels.double()).abs()
    assert len(distance.argmin(1).unique()) > len(levels) / 2
    best = distance.amin(1)
    got = (quantizer(x).double() - x.double()).abs()
    # a level is rounded to the dtype
    slack = 3 * torch.finfo(dtype).eps
    torch.testing.assert_close(got, best, rtol=0, atol=slack)
    assert torch.isin(quantizer(x), levels.to(dtype)).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("bits", [1, 2, 4, 6])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_state_goes_to_the_nearest_level(kind, bits, dtype):
    quantizer = quant.state_quant(bits, **kind, **RANGE)
    exact = torch.promote_types(dtype, torch.float32)
    check_nearest(quantizer, quantizer.levels(exact), dtype)


def test_nearest_rejects_rounding_down():
    levels = quant.state_quant(4).levels()

    def down(x):
        return levels[(torch.bucketize(x, levels) - 1).clamp(min=0)]

    with pytest.raises(AssertionError):
        check_nearest(down, levels, torch.float32)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_levels_stay_where_they_are(kind):
    for bits in (1, 4, 8):
        levels = quant.state_quant(bits, **kind, **RANGE).levels()
        assert torch.equal(quant.state_quant(bits, **kind, **RANGE)(levels), levels)


def test_the_threshold_can_be_a_level():
    # a state exactly at the threshold does not fire: the last bit matters
    for bits in range(1, 9):
        for threshold in (0.1, 0.3, 1.0, 1.7):
            quantizer = quant.state_quant(bits, threshold=threshold, upper_limit=0)
            top = torch.tensor(threshold)
            assert torch.equal(quantizer(torch.tensor([threshold * 1.5])), top[None])


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_half_way_goes_down(kind):
    quantizer = quant.state_quant(1, **kind, upper_limit=0.25)
    low, high = quantizer.levels()
    assert quantizer((low + high) / 2) == low
    assert quantizer((low + high) / 2 + 1e-6) == high


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_huge_state_goes_to_the_end_and_a_diverged_one_is_seen(kind, dtype):
    quantizer = quant.state_quant(4, **kind)
    big = torch.finfo(dtype).max
    levels = quantizer.levels().to(dtype)
    assert quantizer(torch.tensor([-big, big], dtype=dtype)).tolist() == levels[[0, -1]].tolist()
    assert quantizer(torch.tensor([math.nan, math.inf, -math.inf], dtype=dtype)).isnan().all()


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3, 4)])
def test_every_shape(kind, shape):
    x = torch.randn(shape)
    assert quant.state_quant(3, **kind)(x).shape == shape
    flat = torch.randn(6, 4)
    quantizer = quant.state_quant(3, **kind)
    assert torch.equal(quantizer(flat.t()), quantizer(flat).t())


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_dtype_device_and_input_are_kept(kind):
    quantizer = quant.state_quant(4, **kind)
    for dtype in (torch.float64, torch.float16, torch.bfloat16, torch.float32):
        x = torch.rand(3, dtype=dtype)
        kept = x.clone()
        assert quantizer(x).dtype == dtype
        assert torch.equal(x, kept)
    assert quantizer(torch.empty(3, device="meta")).device.type == "meta"
    assert quantizer(torch.rand(3)).device.type == "cpu"


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_gradient_passes_straight_through(kind):
    x = torch.linspace(-3, 3, 50, requires_grad=True)
    factor = torch.linspace(-1, 2, 50)
    (quant.state_quant(2, **kind)(x) * factor).sum().backward()
    assert torch.equal(x.grad, factor)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_inside_inference_mode_and_out_again(kind):
    quantizer = quant.state_quant(4, **kind)
    x = torch.randn(20)
    with torch.inference_mode():
        inside = quantizer(x)
    outside = quantizer(x.requires_grad_())
    outside.sum().backward()
    assert torch.equal(inside, outside)
    assert (x.grad == 1).all()


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_compiles_in_one_graph(kind, warm):
    torch._dynamo.reset()
    quantizer, x = quant.state_quant(4, **kind), torch.randn(40)
    eager = quant.state_quant(4, **kind)(x)
    if warm:
        quantizer(x)
    compiled = torch.compile(quantizer, fullgraph=True, backend="aot_eager")
    x.requires_grad_()
    y = compiled(x)
    y.sum().backward()
    assert torch.equal(y, eager)
    assert (x.grad == 1).all()
    assert torch.equal(quantizer(x), eager)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_torch_func(kind):
    quantizer, x = quant.state_quant(4, **kind), torch.randn(3, 4)

    def square(row):
        return (quantizer(row) ** 2).sum()

    gradients = torch.func.vmap(torch.func.grad(square))(x)
    torch.testing.assert_close(gradients, 2 * quantizer(x))
    torch.testing.assert_close(torch.func.jacrev(quantizer)(x[0]), torch.eye(4))
    torch.testing.assert_close(torch.func.jacfwd(quantizer)(x[0]), torch.eye(4))
    torch._dynamo.reset()
    compiled = torch.compile(quantizer, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(x), quantizer(x))


# -- StateQuant


def test_state_quant_function():
    levels = torch.tensor([-1.0, 0.0, 0.5, 2.0])
    x = torch.tensor([-5.0, -0.5, 0.3, 1.3, 9.0], requires_grad=True)
    y = quant.StateQuant.apply(x, levels)
    y.sum().backward()
    assert y.tolist() == [-1, -1, 0.5, 2, 2]
    assert (x.grad == 1).all()
    gradients = torch.func.vmap(
        torch.func.grad(lambda row: quant.StateQuant.apply(row, levels).sum())
    )(torch.randn(3, 4))
    assert (gradients == 1).all()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_state_quant_function_agrees_with_the_quantizer(kind):
    quantizer, x = quant.state_quant(4, **kind), torch.randn(1000)
    assert torch.equal(quant.StateQuant.apply(x, quantizer.levels()), quantizer(x))


# -- what a quantizer says about itself


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_pickle_copy_equality_and_repr(kind):
    quantizer = quant.state_quant(4, **kind, **RANGE, multiplier=0.6)
    x = torch.randn(100)
    expected = quantizer(x)
    file = io.BytesIO()
    torch.save(quantizer, file)
    file.seek(0)
    for twin in (
        pickle.loads(pickle.dumps(quantizer)),
        copy.copy(quantizer),
        copy.deepcopy(quantizer),
        torch.load(file, weights_only=False),
        eval(repr(quantizer), {"StateQuantizer": quant.StateQuantizer}),
    ):
        assert twin == quantizer
        assert hash(twin) == hash(quantizer)
        assert torch.equal(twin(x), expected)


def test_what_differs_is_not_equal():
    assert quant.state_quant(4) == quant.state_quant(4)
    assert quant.state_quant(4) != quant.state_quant(5)
    assert quant.state_quant(4) != quant.state_quant(4, uniform=False)
    assert "num_bits=4, uniform=True, thr_centered=True, threshold=1.0" in repr(
        quant.state_quant(4)
    )


def test_a_neuron_with_a_quantizer():
    lif = snn.Leaky(beta=0.9, state_quant=quant.state_quant(3))
    lif = pickle.loads(pickle.dumps(lif))
    mem = lif.init_leaky()
    for _ in range(5):
        _, mem = lif(torch.rand(2, 3), mem)
    assert torch.isin(mem, quant.state_quant(3).levels()).all()


# -- wrong input

WRONG = [
    ({"uniform": torch.ones(2)}, TypeError, "`uniform` to be True or False"),
    ({"lower_limit": 1e300}, ValueError, "leave room for the levels"),
    ({"num_bits": 0}, ValueError, "`num_bits` >= 1, but got 0"),
    ({"num_bits": 17}, ValueError, "`num_bits` <= 16, but got 17"),
    ({"num_bits": 4.0}, TypeError, "`num_bits` to be an int, but got 4.0"),
    ({"num_bits": True}, TypeError, "`num_bits` to be an int, but got True"),
    ({"threshold": 0}, ValueError, "`threshold` > 0, but got 0"),
    ({"threshold": -1.0}, ValueError, "`threshold` > 0, but got -1.0"),
    ({"threshold": math.inf}, ValueError, "`threshold` > 0"),
    ({"threshold": "1"}, TypeError, "`threshold` to be a number, but got '1'"),
    ({"lower_limit": None}, TypeError, "`lower_limit` to be a number, but got None"),
    ({"upper_limit": [0.2]}, TypeError, "`upper_limit` to be a number"),
    ({"multiplier": 0}, ValueError, "`multiplier` between 0 and 1, but got 0"),
    ({"multiplier": 1.0}, ValueError, "`multiplier` between 0 and 1, but got 1.0"),
    ({"multiplier": "fine"}, TypeError, "`multiplier` to be a number"),
    ({"upper_limit": -2}, ValueError, "a range from -1.0 to -1.0"),
    ({"lower_limit": math.nan}, ValueError, "a range from nan to 1.2"),
    ({"upper_limit": math.inf}, ValueError, "a range from -1.0 to inf"),
    ({"uniform": False, "upper_limit": -0.1}, ValueError, "keep the centre 1.0 in range, but got"),
    (
        {"uniform": False, "thr_centered": False, "lower_limit": -1.5},
        ValueError,
        "keep the centre 0.0 in range, but got a range from 0.5 to 1.2",
    ),
]


@pytest.mark.parametrize(
    "state, levels, error, message",
    [
        ([1.0], torch.ones(2), TypeError, "`input_` to be a torch.Tensor"),
        (torch.ones(2), 1.0, TypeError, "`levels` to be a torch.Tensor"),
        (torch.ones(2), torch.ones(2, 2), ValueError, r"`levels` of shape \(num_levels\)"),
        (torch.ones(2), torch.ones(0), ValueError, r"`levels` of shape \(num_levels\)"),
        (torch.ones(2) * 1j, torch.ones(2), TypeError, "a real `input_`"),
    ],
)
def test_wrong_levels(state, levels, error, message):
    with pytest.raises(error, match=f"StateQuant expected .*{message}"):
        quant.StateQuant.apply(state, levels)


def test_the_class_checks_as_its_factory():
    with pytest.raises(TypeError, match="`num_bits` to be an int"):
        quant.StateQuantizer("4", True, True, 1.0, 0.0, 0.2, None)


@pytest.mark.parametrize("kw, error, message", WRONG)
def test_wrong_option(kw, error, message):
    with pytest.raises(error, match=message) as caught:
        quant.state_quant(**kw)
    assert str(caught.value).startswith("state_quant expected")


@pytest.mark.parametrize(
    "state, message",
    [
        (1.0, "`input_` to be a torch.Tensor, but got float"),
        (torch.ones(3, dtype=torch.long), "floating-point numbers, but got torch.int64"),
    ],
)
def test_wrong_state(state, message):
    quantizer = quant.state_quant(4)
    with pytest.raises(TypeError, match=message):
        quantizer(state)
