"""spikegen against recorded numbers, plain NumPy loops, closed forms and chance."""

from __future__ import annotations

import ast
import inspect
import json
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from snntorch import spikegen
from tests import golden

CASES = golden.cases("spikegen")
LABELS = torch.tensor([1, 0, 2])
DATA = torch.tensor([[0.0, 0.004, 0.3], [0.5, 0.99, 1.0]])
API = json.loads((Path(__file__).parent / "data" / "api.json").read_text())["snntorch.spikegen"]


def gen(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# ------------------------------------------------------------------ recorded numbers


def replay(case: dict[str, Any], module: Any = spikegen) -> dict[str, Tensor]:
    """Run a recorded case; the key of a mean ends in ``~``."""
    fn, kw, seed = case["fn"], case["kw"], case["seed"]
    data = torch.tensor(golden.rng(seed).uniform(0, 1, (3, 7)), dtype=torch.float32)
    data[0, 0], data[1, 1] = 0, 1
    labels = torch.tensor(golden.rng(seed, "l").randint(0, 4, 6))
    if fn == "delta":
        series = torch.tensor(golden.rng(seed).uniform(-1, 1, (9, 3, 4)), dtype=torch.float32)
        return {"y": module.delta(series, **kw)}
    if fn == "rate_mean":
        return {"mean~": module.rate(data, num_steps=4000, generator=gen(), **kw).mean(0)}
    if fn in ("latency_code", "target_rate_code"):
        both = module.latency_code(data, **kw) if "tau" in kw else module.target_rate_code(**kw)
        return dict(zip("ab", both, strict=True))
    one_hot = module.to_one_hot(labels, 4)
    return {
        "y": {
            "latency": lambda: module.latency(data, **kw),
            "to_one_hot": lambda: one_hot,
            "to_one_hot_inverse": lambda: module.to_one_hot_inverse(one_hot),
            "targets_convert_rate": lambda: module.targets_convert(labels, 4, code="rate", **kw),
            "targets_rate_first": lambda: module.targets_rate(labels, 4, **kw),
        }[fn]()
    }


def check_case(case: dict[str, Any], module: Any = spikegen) -> None:
    results = replay(case, module)
    assert sorted(results) == sorted(case["arrays"])
    for name, result in results.items():
        atol, rtol = (0.06, 0.0) if name.endswith("~") else (2e-6, 1e-5)
        torch.testing.assert_close(result, golden.tensor(case, name), atol=atol, rtol=rtol)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_recorded_numbers(case: dict[str, Any]) -> None:
    check_case(case)


class Mutated:
    """spikegen with its results one step, or row, late, and rates a quarter too high."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def mutated(*args: Any, **kwargs: Any) -> Any:
            if name == "rate":
                return spikegen.rate(*args, **{**kwargs, "gain": 1.25 * kwargs["gain"]})
            result = getattr(spikegen, name)(*args, **kwargs)
            first, rest = (result[0], result[1:]) if isinstance(result, tuple) else (result, ())
            first = first.roll(1, 0)
            return (first, *rest) if rest else first

        return mutated


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_recorded_numbers_detect_a_mutation(case: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        check_case(case, Mutated())


def test_signatures_are_the_released_ones() -> None:
    assert sorted(spikegen.__all__) == sorted(API)
    for name, record in API.items():
        parameters = inspect.signature(getattr(spikegen, name)).parameters.values()
        released = [
            [p.name, p.kind.name, p.default] for p in parameters if p.kind != p.KEYWORD_ONLY
        ]
        expected = [
            [arg, kind, inspect.Parameter.empty if text is None else ast.literal_eval(text)]
            for arg, kind, text in record["args"]
        ]
        assert released == expected, name


# ------------------------------------------------------------- the document's numbers


@pytest.mark.parametrize(
    "off_spike, expected",
    [(False, [0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0]), (True, [0, 0, 0, 0, 1, -1, 1, -1, 1, 0, 0])],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_delta_of_the_tutorial(off_spike: bool, expected: list[int], dtype: torch.dtype) -> None:
    data = torch.tensor([0, 1, 0, 2, 8, -20, 20, -5, 0, 1, 0], dtype=dtype)
    spikes = spikegen.delta(data, threshold=4, off_spike=off_spike)
    assert spikes.tolist() == expected
    assert spikes.dtype == torch.float32


def test_tutorial_calls() -> None:
    data = (torch.rand(16, 1, 28, 28, generator=gen()) * 2 - 1).relu()
    assert spikegen.rate(data, num_steps=10).shape == (10, 16, 1, 28, 28)
    assert spikegen.rate(data, num_steps=10, gain=0.25).mean() < spikegen.rate(data, 10).mean()
    plain = spikegen.latency(data, num_steps=100, tau=5, threshold=0.01)
    linear = spikegen.latency(data, num_steps=100, tau=5, threshold=0.01, linear=True)
    kw = {"num_steps": 100, "tau": 5, "threshold": 0.01, "normalize": True, "linear": True}
    normalized, clipped = spikegen.latency(data, **kw), spikegen.latency(data, clip=True, **kw)
    for train in (plain, linear, normalized):
        assert torch.equal(train.sum(0), torch.ones_like(data))
    assert linear[6:].sum() == 0  # all firing is within the first 5 steps or so
    assert normalized[90:].sum() > 0
    assert torch.equal(clipped, normalized * (data >= 0.01))


def test_clipped_probabilities_fire_never_or_always() -> None:
    data = torch.tensor([-3.0, 0.0, 1.0, 7.0])
    assert spikegen.rate(data, num_steps=50).mean(0).tolist() == [0, 0, 1, 1]
    assert spikegen.rate_conv(data.expand(50, 4)).mean(0).tolist() == [0, 0, 1, 1]


# ------------------------------------------------------------------------ rate coding


def within_chance(spikes: Tensor, probability: np.ndarray) -> bool:
    """Whether the spike counts over the first dimension are 5 sigma of a binomial or less off."""
    count, n = spikes.double().sum(0).numpy(), len(spikes)
    return bool(
        (np.abs(count - n * probability) <= 5 * np.sqrt(n * probability * (1 - probability))).all()
    )


RATES = np.array([0.0, 0.02, 0.3, 0.5, 0.77, 0.99, 1.0])


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("time_var", [False, True])
def test_rate_is_binomial(seed: int, time_var: bool) -> None:
    data = torch.tensor(RATES).float()
    if time_var:
        data, kw = data.expand(900, 7), {"time_var_input": True}
    else:
        kw = {"num_steps": 900}
    plain = spikegen.rate(data, generator=gen(seed), **kw)
    scaled = spikegen.rate(data, gain=0.5, offset=0.2, generator=gen(seed), **kw)
    assert within_chance(plain, RATES)
    assert within_chance(scaled, 0.5 * RATES + 0.2)
    assert within_chance(spikegen.rate_conv(data.expand(900, 7), generator=gen(seed)), RATES)
    assert not within_chance(plain, 0.5 * RATES + 0.2)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("rate", RATES)
def test_poisson_targets_are_binomial(seed: int, rate: float) -> None:
    train, _ = spikegen.target_rate_code(900, 100, rate, "poisson", generator=gen(seed))
    assert train[:100].sum() == 0
    assert within_chance(train[100:], np.array(rate))
    assert not within_chance(train[100:], np.array(abs(rate - 0.2)))


def test_rate_steps_are_independent() -> None:
    spikes = spikegen.rate(torch.full((200,), 0.5), num_steps=400, generator=gen()) - 0.5
    lagged = (spikes[1:] * spikes[:-1]).mean().item() * 4
    across = (spikes[:, 1:] * spikes[:, :-1]).mean().item() * 4
    assert max(abs(lagged), abs(across)) < 5 / math.sqrt(spikes.numel())


@pytest.mark.parametrize("num_steps, shape", [(5, (3, 4)), (1, ()), (3, (0, 2)), (4, (6,))])
def test_rate_draws_what_bernoulli_draws_on_the_repeated_data(
    num_steps: int, shape: tuple[int, ...]
) -> None:
    data = torch.rand(shape, generator=gen(3))
    finished = data.expand(num_steps, *shape).contiguous()
    expected = torch.bernoulli(finished, generator=gen(7))
    assert torch.equal(spikegen.rate(data, num_steps, generator=gen(7)), expected)
    assert torch.equal(spikegen.rate_conv(finished, generator=gen(7)), expected)


class Storages(TorchDispatchMode):
    """Keeps the memory of every tensor that an operation makes."""

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[int, torch.UntypedStorage] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            storage = result.untyped_storage()
            self.made[storage.data_ptr()] = storage
        return result


def large_tensors(function: Callable[[Tensor], Tensor]) -> int:
    """Count the tensors that take at least half the memory of the result."""
    data = torch.rand(8, 50)
    with Storages() as mode:
        result = function(data)
    half = result.untyped_storage().nbytes() / 2
    return sum(storage.nbytes() >= half for storage in mode.made.values())


def test_rate_never_materializes_the_repeated_input() -> None:
    assert large_tensors(lambda x: spikegen.rate(x, 100, 0.5, 0.1, 3)) == 1
    # Negative control: the probe sees a repeated input.
    assert large_tensors(lambda x: spikegen.rate_conv(x.repeat(100, 1, 1))) >= 2


@pytest.mark.parametrize("first", range(5))
def test_rate_first_spike_time(first: int) -> None:
    static = spikegen.rate(torch.ones(3), num_steps=5, first_spike_time=first)
    loop = [[float(t >= first)] * 3 for t in range(5)]
    assert static.tolist() == loop
    moving = spikegen.rate(torch.ones(5, 3), first_spike_time=first, time_var_input=True)
    assert moving.tolist() == [[0.0] * 3] * first + [[1.0] * 3] * 5


def test_rate_without_time_axis() -> None:
    data = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    assert torch.equal(spikegen.rate(data), data)
    assert torch.equal(spikegen.rate(data, num_steps=False), data)


def test_rate_of_integer_images() -> None:
    image = torch.tensor([[0, 255], [128, 1]], dtype=torch.uint8)
    spikes = spikegen.rate(image, num_steps=2000, gain=1 / 255, generator=gen())
    assert spikes.dtype == torch.float32
    assert within_chance(spikes, image.double().numpy() / 255)
    mask = torch.tensor([True, False])
    assert spikegen.rate(mask, num_steps=2).tolist() == [[1, 0], [1, 0]]
    assert spikegen.rate_conv(mask).tolist() == [1, 0]


# --------------------------------------------------------------------- latency coding


def rc_times(data: Tensor, tau: float, threshold: float, epsilon: float) -> np.ndarray:
    """When a capacitor that charges as x (1 - exp(-t / tau)) reaches the threshold."""
    x = np.maximum(data.double().numpy(), threshold + epsilon)
    return -tau * np.log1p(-threshold / x)


@pytest.mark.parametrize("tau", [0.5, 1, 7.5])
@pytest.mark.parametrize("threshold", [0.01, 0.2, 0.9])
@pytest.mark.parametrize("first", [0, 3])
def test_log_code_is_the_rc_closed_form(tau: float, threshold: float, first: int) -> None:
    data = torch.rand(6, 8, generator=gen(), dtype=torch.float64)
    kw: dict[str, Any] = {"tau": tau, "threshold": threshold, "first_spike_time": first}
    expected = rc_times(data, tau, threshold, 1e-7)
    times, below = spikegen.latency_code(data, **kw)
    np.testing.assert_allclose(times.numpy(), expected + first, rtol=1e-7)
    assert torch.equal(below, data < threshold)
    voltage = data.numpy() * (1 - np.exp(-(times.numpy() - first) / tau))
    np.testing.assert_allclose(voltage[~below.numpy()], threshold, rtol=1e-6)
    stretched = spikegen.latency_code_log(data, num_steps=50, normalize=True, **kw)
    np.testing.assert_allclose(
        stretched.numpy(), first + expected * (49 - first) / expected.max(), rtol=1e-6
    )
    assert stretched.max().item() == 49
    # Negative control: another time constant is seen.
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(times.numpy(), 1.01 * expected + first, rtol=1e-7)


@pytest.mark.parametrize("first", [0, 3])
@pytest.mark.parametrize("normalize", [False, True])
def test_linear_code(first: int, normalize: bool) -> None:
    data = torch.tensor([0.0, 0.1, 0.25, 0.5, 1.0], dtype=torch.float64)
    times, below = spikegen.latency_code(data, 21, 0.2, 4, first, normalize, linear=True)
    scale = 20 - first if normalize else 4
    expected = [first + scale * min(1 - x, 1 - 0.2) for x in data.tolist()]
    np.testing.assert_allclose(times.numpy(), expected, rtol=1e-12)
    assert below.tolist() == [True, True, False, False, False]


def latency_loop(data: Tensor, steps: int, kw: dict[str, Any]) -> np.ndarray:
    """The spike train of every feature, one after the other, in float64."""
    threshold, tau, first = kw["threshold"], kw["tau"], kw.get("first_spike_time", 0)
    flat = data.double().numpy().ravel()
    below = [x < threshold for x in flat]
    if kw.get("linear"):
        scale = steps - 1 - first if kw.get("normalize") else tau
        times = [scale * (1 - max(x, threshold)) for x in flat]
    else:
        lifted = [max(x, threshold + kw["epsilon"]) for x in flat]
        times = [tau * math.log(x / (x - threshold)) for x in lifted]
        if kw.get("normalize"):
            times = [t * (steps - 1 - first) / max(times) for t in times]
    on, off = kw.get("on_target", 1), kw.get("off_target", 0)
    train = np.full((steps, len(flat)), float(off))
    for i, t in enumerate(times):
        if kw.get("clip") and below[i]:
            continue
        spike = min(round(t + first), steps - 1)
        if kw.get("interpolate"):
            for step in range(spike):
                train[step, i] = off + (on - off) * step / spike
        train[spike, i] = on
    return train.reshape(steps, *data.shape)


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("interpolate", [False, True])
@pytest.mark.parametrize("on, off", [(1, 0), (1, -1), (0, -1), (-2, 0.5), (3, 0)])
@pytest.mark.parametrize("first, steps", [(0, 60), (4, 60), (0, 6)])
def test_latency_against_a_loop(
    linear: bool,
    normalize: bool,
    clip: bool,
    interpolate: bool,
    on: float,
    off: float,
    first: int,
    steps: int,
) -> None:
    data = torch.rand(4, 9, generator=gen(), dtype=torch.float64)
    kw: dict[str, Any] = {
        "threshold": 0.1,
        "tau": 2.5,
        "epsilon": 1e-4,
        "first_spike_time": first,
        "linear": linear,
        "normalize": normalize,
        "clip": clip,
        "interpolate": interpolate,
        "on_target": on,
        "off_target": off,
    }
    train = spikegen.latency(data, steps, bypass=True, **kw)
    np.testing.assert_allclose(train.numpy(), latency_loop(data, steps, kw), atol=1e-12)
    # Negative control: the loop tells one step from the next.
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(train.roll(1, 0), latency_loop(data, steps, kw), atol=1e-12)


def test_bypass() -> None:
    data = torch.tensor([1.0, 0.0])  # at tau = 5, a 0 fires at step 58
    with pytest.raises(
        ValueError, match=r"num_steps=10, but got one at step 58\.\nPass num_st.*59"
    ):
        spikegen.latency(data, num_steps=10, tau=5)
    assert spikegen.latency(data, num_steps=59, tau=5).argmax(0).tolist() == [0, 58]
    assert spikegen.latency(data, num_steps=10, tau=5, bypass=True).argmax(0).tolist() == [0, 9]
    assert spikegen.latency(data, tau=5, bypass=True).shape == (59, 2)
    # A clipped feature does not fire, so it neither is too late nor sets the length.
    assert spikegen.latency(data, num_steps=10, tau=5, clip=True).sum(0).tolist() == [1, 0]
    assert spikegen.latency(data, tau=5, clip=True, bypass=True).shape == (1, 2)


@pytest.mark.parametrize("tau", [1e17, 1e30, 3e38, 10**30])
@pytest.mark.parametrize("linear", [False, True])
def test_spikes_beyond_any_index_move_to_the_last_step(tau: float, linear: bool) -> None:
    data = torch.tensor([1.0, 0.3])
    kw: dict[str, Any] = {"tau": tau, "linear": linear, "threshold": 0.2, "bypass": True}
    first = 0 if linear else 6
    assert spikegen.latency(data, num_steps=7, **kw).argmax(0).tolist() == [first, 6]
    kw["bypass"] = False
    with pytest.raises(
        ValueError, match=r"(?s)num_steps=7, but got one at step \d{16}.* smaller tau"
    ):
        spikegen.latency(data, num_steps=7, **kw)
    with pytest.raises(
        ValueError, match=r"(?s)within 16777216 steps .*Pass num_steps or a smaller"
    ):
        spikegen.latency(data, **{**kw, "bypass": True})
    within = spikegen.latency(data, num_steps=7, **kw, normalize=True)
    assert within.argmax(0)[1] == (4 if linear else 6)


def test_the_last_of_very_many_steps() -> None:
    """Its number, 2**24 + 2, is followed by 2**24 + 4 in float32."""
    train = spikegen.latency(torch.tensor([0.5]), num_steps=2**24 + 3, tau=1e30, bypass=True)
    assert train.shape == (2**24 + 3, 1)
    assert train.argmax() == 2**24 + 2


def test_whole_numbers_may_be_beyond_int64() -> None:
    data = torch.tensor([-1.0, 0.0, 1e-30])
    assert spikegen.rate(data, 2, gain=10**30 * 2)[:, 2].tolist() == [1, 1]
    assert spikegen.rate(data, 2, offset=-(10**30)).sum() == 0
    assert spikegen.delta(data, threshold=10**30).sum() == 0


@pytest.mark.parametrize("code", [spikegen.latency_code_log, spikegen.latency_code_linear])
def test_times_that_a_dtype_cannot_hold(code: Callable[..., Tensor]) -> None:
    data = torch.tensor([0.0, 0.5], dtype=torch.float16)
    for kw in ({"tau": 3e6}, {"first_spike_time": 65600}):
        assert code(data.float(), **kw).isfinite().all()
        with pytest.raises(
            ValueError, match=r"times that a torch.float16 can hold.*\n.* tau or first"
        ):
            code(data, **kw)


def test_a_feature_at_the_threshold_is_not_below_it() -> None:
    data = torch.tensor([0.25, 0.2499])
    train = spikegen.latency(data, num_steps=30, threshold=0.25, clip=True)
    assert train.sum(0).tolist() == [1, 0]


def test_huge_currents_normalize_without_nan() -> None:
    times = spikegen.latency_code_log(torch.tensor([1e9, 2e9]), num_steps=5, normalize=True)
    assert times.tolist() == [0, 0]


@pytest.mark.parametrize("function", [spikegen.latency_code, spikegen.latency])
def test_no_features_give_no_spikes(function: Callable[..., Any]) -> None:
    result = function(torch.empty(0, 3), num_steps=5, normalize=True)
    empty = result[0] if isinstance(result, tuple) else result
    assert empty.shape[-2:] == (0, 3)


def test_times_beyond_half_precision() -> None:
    data = torch.tensor([0.0, 0.3, 1.0], dtype=torch.bfloat16)
    kw: dict[str, Any] = {"num_steps": 3001, "normalize": True, "linear": True}
    expected = spikegen.latency(data.float(), **kw)
    assert torch.equal(spikegen.latency(data, **kw), expected.bfloat16())
    ramp = spikegen.latency(data, interpolate=True, **kw)
    assert torch.equal(ramp, spikegen.latency(data.float(), interpolate=True, **kw).bfloat16())


# ---------------------------------------------------------------------- interpolation


def rate_ramp_loop(times: list[int], steps: int, on: float, off: float) -> list[float]:
    result, start = [off] * steps, 0
    for spike in sorted(times):
        for step in range(start, spike):
            result[step] = off + (on - off) * (step - start) / (spike - start)
        result[spike], start = on, spike + 1
    return result


@pytest.mark.parametrize("times", [[], [0], [3], [0, 1, 2], [0, 4], [2, 3, 9], [9], [5, 1]])
@pytest.mark.parametrize("on, off", [(1, 0), (0.3, -1), (-1, 2)])
def test_rate_interpolate_against_a_loop(times: list[int], on: float, off: float) -> None:
    spike_time = torch.tensor(times, dtype=torch.float64)
    expected = rate_ramp_loop(times, 10, on, off)
    result = spikegen.rate_interpolate(spike_time, 10, on, off)
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-12)
    assert all(result[t] == on for t in times)
    assert spikegen.rate_interpolate(spike_time.long(), 10, on, off).dtype == torch.float32


def test_latency_interpolate() -> None:
    times = torch.tensor([[0.0, 3.2], [1.0, 4.0]])
    ramp = spikegen.latency_interpolate(times, 5, on_target=2, off_target=-1)
    columns = {(0, 0): 0, (0, 1): 3, (1, 0): 1, (1, 1): 4}
    for (i, j), spike in columns.items():
        expected = [
            -1 + 3 * t / spike if t < spike else (2 if t == spike else -1) for t in range(5)
        ]
        np.testing.assert_allclose(ramp[:, i, j], expected, atol=1e-6)


# ------------------------------------------------------------------------------ delta


@pytest.mark.parametrize("padding", [False, True])
@pytest.mark.parametrize("off_spike", [False, True])
@pytest.mark.parametrize("threshold", [0, 0.25, 1])
def test_delta_against_a_loop(padding: bool, off_spike: bool, threshold: float) -> None:
    data = torch.randint(-4, 5, (30, 6), generator=gen()) / 4
    loop = np.zeros((30, 6))
    for t in range(30):
        for i in range(6):
            before = data[t - 1, i] if t else (data[0, i] if padding else 0)
            change = float(data[t, i] - before)
            loop[t, i] = (change > 0 and change >= threshold) - (
                off_spike and change < 0 and -change >= threshold
            )
    spikes = spikegen.delta(data, threshold, padding, off_spike)
    assert loop.any()
    np.testing.assert_array_equal(spikes.numpy(), loop)
    # Negative control: a higher threshold is seen.
    higher = spikegen.delta(data, threshold + 0.5, padding, off_spike)
    assert not np.array_equal(higher.numpy(), loop)


def test_delta_of_bytes_does_not_wrap() -> None:
    data = torch.tensor([0, 200, 10], dtype=torch.uint8)
    assert spikegen.delta(data, threshold=50, off_spike=True).tolist() == [0, 1, -1]


# ---------------------------------------------------------------------------- targets


@pytest.mark.parametrize("rate", [0, 0.1, 0.2, 0.3, 1 / 3, 0.5, 0.7, 0.999, 1])
@pytest.mark.parametrize("first", [0, 3])
def test_regular_trains_against_exact_fractions(rate: float, first: int) -> None:
    exact = Fraction(rate).limit_denominator(1000)
    expected = []
    if exact:
        spikes = (first + math.floor(k / exact) for k in range(60))
        expected = [t for t in spikes if t < 50]
    train, times = spikegen.target_rate_code(50, first, rate)
    assert times.tolist() == expected
    assert times.dtype == torch.int64
    assert train.nonzero().flatten().tolist() == expected
    assert set(train.tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("seed", range(5))
def test_uniform_trains(seed: int) -> None:
    regular, _ = spikegen.target_rate_code(100, 20, 0.3)
    train, times = spikegen.target_rate_code(100, 20, 0.3, "uniform", generator=gen(seed))
    assert train.sum() == regular.sum() == len(times)
    assert train[:20].sum() == 0
    assert not torch.equal(train, regular)


def test_uniform_trains_reach_every_step_equally_often() -> None:
    generator = gen()
    trains = [
        spikegen.target_rate_code(10, 2, 0.5, "uniform", generator=generator)[0] for _ in range(800)
    ]
    assert within_chance(torch.stack(trains), np.array([0, 0] + [0.5] * 8))


def test_targets_rate_static_and_in_time() -> None:
    one_hot = [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert spikegen.targets_rate(LABELS, 3).tolist() == one_hot
    assert spikegen.targets_rate(LABELS, 3, num_steps=2).tolist() == [one_hot] * 2
    late = spikegen.targets_rate(LABELS, 3, num_steps=3, first_spike_time=2, off_target=-1)
    assert late[:2].unique().tolist() == [-1]
    assert torch.equal(late[2], 2 * torch.tensor(one_hot) - 1.0)


@pytest.mark.parametrize("on, off", [(1, 0), (1, -1), (0, -1), (0.3, 2)])
@pytest.mark.parametrize("interpolate", [False, True])
@pytest.mark.parametrize("pattern", ["regular", "uniform", "poisson"])
@pytest.mark.parametrize("classes, steps", [(3, 5), (5, 5), (4, 30)])
def test_targets_rate_is_a_code_for_the_target_and_one_for_the_others(
    on: float, off: float, interpolate: bool, pattern: str, classes: int, steps: int
) -> None:
    result = spikegen.targets_rate(
        LABELS, classes, steps, 1, 0.8, 0.2, on, off, pattern, interpolate, generator=gen(4)
    )
    assert result.shape == (steps, 3, classes)
    generator = gen(4)
    for target, rate in ((True, 0.8), (False, 0.2)):
        _, times = spikegen.target_rate_code(steps, 1, rate, pattern, generator=generator)
        spikes = times.tolist()
        expected = [float(on if t in spikes else off) for t in range(steps)]
        if interpolate:
            expected = rate_ramp_loop(spikes, steps, on, off)
        for row, label in enumerate(LABELS.tolist()):
            for column in range(classes):
                if (column == label) is target:
                    np.testing.assert_allclose(result[:, row, column], expected, atol=1e-6)


def test_off_target_is_kept_below_zero() -> None:
    one = torch.tensor([1])
    assert spikegen.targets_convert(one, 3, on_target=1, off_target=-1).tolist() == [[-1, 1, -1]]
    assert spikegen.targets_convert(one, 3, on_target=0, off_target=-1).tolist() == [[-1, 0, -1]]
    train = spikegen.latency(torch.tensor([0.9]), num_steps=3, on_target=1, off_target=-1)
    assert train.flatten().tolist() == [1, -1, -1]


LATENCY_KW: list[dict[str, Any]] = [
    {"on_target": 3, "normalize": True},
    {"off_target": -1, "normalize": True},
    {"interpolate": True, "normalize": True},
    {"epsilon": 0.2, "tau": 4},
    {"clip": True},
    {"first_spike_time": 2, "normalize": True, "linear": True},
    {"threshold": 0.4, "tau": 0.5},
    {"bypass": True, "tau": 50},
]


@pytest.mark.parametrize("kw", LATENCY_KW, ids=str)
def test_targets_convert_passes_every_argument_of_the_latency_code(kw: dict[str, Any]) -> None:
    direct = spikegen.targets_latency(LABELS, 3, num_steps=14, **kw)
    converted = spikegen.targets_convert(LABELS, 3, code="latency", num_steps=14, **kw)
    encoded = spikegen.latency(spikegen.to_one_hot(LABELS, 3), num_steps=14, **kw)
    assert torch.equal(converted, direct)
    assert torch.equal(encoded, direct)
    assert not torch.equal(direct, spikegen.targets_latency(LABELS, 3, num_steps=14))


@pytest.mark.parametrize(
    "kw",
    [
        {"correct_rate": 0.5},
        {"incorrect_rate": 0.5},
        {"on_target": 2},
        {"off_target": -1},
        {"first_spike_time": 3},
        {"interpolate": True, "correct_rate": 0.2},
        {"firing_pattern": "poisson", "correct_rate": 0.5},
        {"firing_pattern": "uniform", "correct_rate": 0.5},
    ],
    ids=str,
)
def test_targets_convert_passes_every_argument_of_the_rate_code(kw: dict[str, Any]) -> None:
    direct = spikegen.targets_rate(LABELS, 3, num_steps=14, generator=gen(1), **kw)
    converted = spikegen.targets_convert(LABELS, 3, num_steps=14, generator=gen(1), **kw)
    assert torch.equal(converted, direct)
    assert not torch.equal(direct, spikegen.targets_rate(LABELS, 3, num_steps=14))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8, torch.float32])
def test_one_hot_round_trip(dtype: torch.dtype) -> None:
    one_hot = spikegen.to_one_hot(LABELS.to(dtype), 4)
    assert one_hot.tolist() == [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]]
    assert one_hot.dtype == torch.float32
    assert torch.equal(spikegen.to_one_hot_inverse(one_hot), 1 - one_hot)
    assert torch.equal(spikegen.from_one_hot(one_hot), LABELS)


def test_from_one_hot_of_rows_vectors_and_stacks() -> None:
    rows = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    assert spikegen.from_one_hot(rows).tolist() == [2, 0]
    assert spikegen.from_one_hot(rows[0]).item() == 2
    assert spikegen.from_one_hot(rows.expand(4, 2, 3)).tolist() == [[2, 0]] * 4
    assert spikegen.from_one_hot(rows.bool()).tolist() == [2, 0]


# ------------------------------------------------------- what holds for every function

ROWS = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
TIMES = torch.tensor([1.0, 3.0])
CALLS: dict[str, tuple[Tensor, Callable[..., Any]]] = {
    "rate": (DATA, lambda x: spikegen.rate(x, 4, 0.5, 0.1, 2)),
    "rate_conv": (DATA, spikegen.rate_conv),
    "latency": (DATA, lambda x: spikegen.latency(x, 9, clip=True, normalize=True, off_target=-1)),
    "latency_code": (DATA, lambda x: spikegen.latency_code(x, 9, normalize=True)[0]),
    "latency_code_linear": (DATA, lambda x: spikegen.latency_code_linear(x, 9, normalize=True)),
    "latency_code_log": (DATA, lambda x: spikegen.latency_code_log(x, 9, normalize=True)),
    "latency_interpolate": (TIMES, lambda x: spikegen.latency_interpolate(x, 5)),
    "rate_interpolate": (TIMES, lambda x: spikegen.rate_interpolate(x, 5)),
    "delta": (DATA, lambda x: spikegen.delta(x, off_spike=True)),
    "targets_convert": (LABELS.float(), lambda x: spikegen.targets_convert(x, 3, off_target=-1)),
    "targets_rate": (LABELS.float(), lambda x: spikegen.targets_rate(x, 3, 4, 0, 0.8, 0.2)),
    "targets_latency": (LABELS.float(), lambda x: spikegen.targets_latency(x, 3, 14)),
    "to_one_hot": (LABELS.float(), lambda x: spikegen.to_one_hot(x, 3)),
    "to_one_hot_inverse": (ROWS, spikegen.to_one_hot_inverse),
    "from_one_hot": (ROWS, spikegen.from_one_hot),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", CALLS)
def test_input_unchanged_and_dtype_kept(name: str, dtype: torch.dtype) -> None:
    data, function = CALLS[name]
    given = data.to(dtype, copy=True)
    before, version = given.clone(), given._version
    result = function(given)
    assert torch.equal(given, before)
    assert given._version == version
    assert result.dtype == (torch.int64 if name == "from_one_hot" else dtype)
    assert result.isfinite().all()
    shared = result.untyped_storage().data_ptr() == given.untyped_storage().data_ptr()
    assert not shared


@pytest.mark.parametrize("name", CALLS)
def test_layout_and_gradients_of_the_input_do_not_matter(name: str) -> None:
    data, function = CALLS[name]
    torch.manual_seed(0)
    expected = function(data)
    scattered = torch.stack((data, data), -1)[..., 0].requires_grad_()
    torch.manual_seed(0)
    assert torch.equal(function(scattered).detach(), expected)


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"to_one_hot_inverse", "from_one_hot"}))
def test_integers_become_the_default_dtype(name: str) -> None:
    data, function = CALLS[name]
    whole = data.round().long()
    assert function(whole).dtype == torch.float32
    torch.set_default_dtype(torch.float64)
    try:
        assert function(whole).dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


RANDOM: dict[str, Callable[..., Any]] = {
    "rate": lambda g: spikegen.rate(torch.full((9,), 0.5), 20, generator=g),
    "rate time_var_input": lambda g: spikegen.rate(
        torch.full((20, 9), 0.5), time_var_input=True, generator=g
    ),
    "rate static": lambda g: spikegen.rate(torch.full((180,), 0.5), generator=g),
    "rate_conv": lambda g: spikegen.rate_conv(torch.full((180,), 0.5), generator=g),
    "target_rate_code": lambda g: spikegen.target_rate_code(90, 0, 0.5, "poisson", generator=g)[0],
    "target_rate_code uniform": lambda g: spikegen.target_rate_code(
        90, 0, 0.5, "uniform", generator=g
    )[0],
    "targets_rate": lambda g: spikegen.targets_rate(
        LABELS, 3, 90, correct_rate=0.5, firing_pattern="poisson", generator=g
    ),
    "targets_convert": lambda g: spikegen.targets_convert(
        LABELS, 3, num_steps=90, correct_rate=0.5, firing_pattern="uniform", generator=g
    ),
}


@pytest.mark.parametrize("name", RANDOM)
def test_a_generator_makes_random_numbers_repeatable(name: str) -> None:
    function, state = RANDOM[name], torch.get_rng_state()
    assert torch.equal(function(gen(5)), function(gen(5)))
    assert not torch.equal(function(gen(5)), function(gen(6)))
    assert torch.equal(torch.get_rng_state(), state)  # the global numbers are left alone
    torch.manual_seed(5)
    expected = function(None)
    torch.manual_seed(5)
    assert torch.equal(function(None), expected)


def test_every_function_with_a_generator_is_in_the_table() -> None:
    random = {
        name
        for name in spikegen.__all__
        if "generator" in inspect.signature(getattr(spikegen, name)).parameters
    }
    assert random == {key.split()[0] for key in RANDOM}


# ------------------------------------------------------------------------ wrong input

NAN = torch.tensor([0.5, math.nan])
INF = torch.tensor([0.5, math.inf])
COMPLEX = torch.ones(2, dtype=torch.complex64)
WRONG: list[tuple[str, tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
    ("rate", ([0.5],), {}, TypeError, r"rate expected `data` to be a torch.Tensor, but got list"),
    ("rate", (COMPLEX, 2), {}, TypeError, r"real `data`, but got torch.complex64"),
    ("rate", (NAN, 2), {}, ValueError, r"finite `data` in .*, but got values from nan"),
    ("rate", (INF, 2), {}, ValueError, r"finite `data`.* to inf"),
    ("rate", (DATA, 0), {}, ValueError, r"rate expected `num_steps` >= 1, but got 0"),
    ("rate", (DATA, -3), {}, ValueError, r"`num_steps` >= 1, but got -3"),
    ("rate", (DATA, 2.0), {}, TypeError, r"`num_steps` to be an int, but got 2.0"),
    ("rate", (DATA, True), {}, TypeError, r"`num_steps` to be an int, but got True"),
    ("rate", (DATA, None), {}, TypeError, r"`num_steps` to be an int, but got None"),
    ("rate", (DATA, 5), {"gain": "1"}, TypeError, r"`gain` to be a number, but got '1'"),
    ("rate", (DATA, 5), {"gain": math.inf}, ValueError, r"finite `gain`, .*, but got inf"),
    ("rate", (DATA, 5), {"offset": math.nan}, ValueError, r"finite `offset`, .*, but got nan"),
    ("rate", (DATA, 5), {"generator": 0}, TypeError, r"`generator` to be a torch.Generator, "),
    ("rate", (DATA, 5), {"first_spike_time": -1}, ValueError, r"`first_spike_time` >= 0"),
    ("rate", (DATA, 5), {"first_spike_time": 1.5}, TypeError, r"`first_spike_time` to be an int"),
    ("rate", (DATA, 5), {"first_spike_time": 5}, ValueError, r"below num_steps=5, but got 5"),
    ("rate", (DATA,), {"first_spike_time": 1}, TypeError, r"either `num_steps` or .*got neither"),
    ("rate", (DATA, 5), {"time_var_input": True}, TypeError, r"either `num_steps` or .*got both"),
    ("rate", (DATA[0, 0],), {"time_var_input": True}, ValueError, r"of shape \(time, ...\)"),
    ("rate_conv", (0.5,), {}, TypeError, r"rate_conv expected `data` to be a torch.Tensor"),
    ("rate_conv", (DATA,), {"generator": "x"}, TypeError, r"rate_conv expected `generator` to be"),
    ("rate", (DATA, 2**31), {}, ValueError, r"`num_steps` <= 2147483647, but got 2147483648"),
    (
        "rate",
        (DATA, 5),
        {"gain": 1e39},
        ValueError,
        r"finite `gain`, as a torch.float32, but got 1",
    ),
    ("rate", (DATA.half(), 5), {"offset": 70000}, ValueError, r"`offset`, as a torch.float16, but"),
    (
        "rate",
        (DATA, 5),
        {"gain": 10**400},
        ValueError,
        r"finite `gain`, as a torch.float32, but got",
    ),
    ("rate_conv", (NAN,), {}, ValueError, r"rate_conv expected finite `data`"),
    ("latency", (None, 5), {}, TypeError, r"latency expected `data` to be a torch.Tensor"),
    ("latency", (COMPLEX, 5), {}, TypeError, r"latency expected a real `data`"),
    ("latency", (DATA - 1, 5), {}, ValueError, r"`data` in \[0, 1\], but got values from -1.0"),
    ("latency", (DATA + 1, 5), {}, ValueError, r"`data` in \[0, 1\], but got .* to 2.0"),
    ("latency", (NAN, 5), {}, ValueError, r"finite `data` in \[0, 1\]"),
    ("latency", (DATA,), {}, TypeError, r"latency expected `num_steps`, .*\nPass num_steps=13"),
    ("latency", (DATA, 5), {}, ValueError, r"within num_steps=5, but got one at step 12"),
    ("latency", (DATA, 0), {}, ValueError, r"`num_steps` >= 1"),
    ("latency", (DATA,), {"normalize": True}, TypeError, r"`num_steps` to normalize"),
    ("latency", (DATA, 20), {"threshold": 0}, ValueError, r"`threshold` between 0 and 1"),
    ("latency", (DATA, 20), {"threshold": 1}, ValueError, r"`threshold` between 0 and 1"),
    ("latency", (DATA, 20), {"threshold": "a"}, TypeError, r"`threshold` to be a number"),
    ("latency", (DATA, 20), {"tau": 0}, ValueError, r"`tau` above 0 steps, but got 0"),
    ("latency", (DATA, 20), {"tau": math.nan}, ValueError, r"finite `tau`"),
    ("latency", (DATA, 20), {"tau": 4e38}, ValueError, r"finite `tau`, as a torch.float32, but"),
    ("latency", (DATA, 20), {"epsilon": 1e50}, ValueError, r"finite `epsilon`, as a torch.float32"),
    ("latency", (DATA, 20), {"on_target": -1e40}, ValueError, r"finite `on_target`, as a torch.fl"),
    ("latency", (DATA, 2**40), {}, ValueError, r"`num_steps` <= 2147483647, but got 1099511627776"),
    ("latency", (DATA,), {"first_spike_time": 2**70}, ValueError, r"`first_spike_time` <= 2147483"),
    ("latency", (DATA, 20), {"epsilon": 0}, ValueError, r"`epsilon` above 0 .*, but got 0"),
    ("latency", (DATA, 20), {"epsilon": 1e-12}, ValueError, r"that torch.float32 can add"),
    ("latency", (DATA, 20), {"on_target": "a"}, TypeError, r"`on_target` to be a number"),
    ("latency", (DATA, 20), {"off_target": math.nan}, ValueError, r"finite `off_target`"),
    ("latency", (DATA, 20), {"first_spike_time": 20}, ValueError, r"below num_steps=20"),
    ("latency_code", ("x",), {}, TypeError, r"`data` to be a torch.Tensor, but got str"),
    ("latency_code", (DATA,), {"normalize": True}, TypeError, r"`num_steps` to normalize"),
    ("latency_code_linear", (DATA + 1,), {}, ValueError, r"`data` in \[-inf, 1\], .* to 2.0"),
    ("latency_code_linear", (DATA,), {"tau": -1}, ValueError, r"`tau` above 0 steps"),
    ("latency_code_log", (INF,), {}, ValueError, r"latency_code_log expected finite `data`"),
    ("latency_code_log", (DATA,), {"threshold": 2}, ValueError, r"between 0 and 1, but got 2"),
    ("latency_interpolate", ([1], 5), {}, TypeError, r"`spike_time` to be a torch.Tensor"),
    ("latency_interpolate", (TIMES, 3), {}, ValueError, r"`spike_time` in \[0, 2\], .* to 3.0"),
    ("latency_interpolate", (-TIMES, 9), {}, ValueError, r"`spike_time` in \[0, 8\]"),
    ("latency_interpolate", (TIMES, False), {}, TypeError, r"`num_steps` to be an int"),
    ("rate_interpolate", (DATA, 5), {}, ValueError, r"of shape \(num_spikes\), but got \(2, 3\)"),
    ("rate_interpolate", (TIMES, 3), {}, ValueError, r"`spike_time` in \[0, 2\]"),
    ("rate_interpolate", (TIMES, 5, "a"), {}, TypeError, r"`on_target` to be a number"),
    ("delta", ([1, 2],), {}, TypeError, r"delta expected `data` to be a torch.Tensor"),
    ("delta", (DATA[0, 0],), {}, ValueError, r"`data` of shape \(time, ...\), but got a number"),
    ("delta", (DATA, -1), {}, ValueError, r"`threshold` of at least 0, but got -1"),
    ("delta", (DATA, "1"), {}, TypeError, r"`threshold` to be a number"),
    ("delta", (NAN,), {}, ValueError, r"delta expected finite `data`"),
    ("targets_convert", (LABELS, 3, "phase"), {}, ValueError, r"\('rate', 'latency'\), .*'phase'"),
    ("targets_convert", (LABELS, 2), {}, ValueError, r"0 to 1 \(num_classes=2\), .* label 2"),
    ("targets_convert", (LABELS, 3, "latency"), {}, TypeError, r"expected `num_steps`"),
    ("targets_rate", (LABELS, 3), {"correct_rate": 0.5}, TypeError, r"expected `num_steps` for"),
    ("targets_rate", (LABELS, 3), {"first_spike_time": 1}, TypeError, r"expected `num_steps` for"),
    ("targets_rate", (LABELS, 3, 5), {"correct_rate": 1.5}, ValueError, r"`rate` in \[0, 1\]"),
    ("targets_rate", (LABELS, 3, 5), {"incorrect_rate": -1}, ValueError, r"`rate` in \[0, 1\]"),
    ("targets_rate", (LABELS, 3), {"firing_pattern": "odd"}, ValueError, r"'poisson'\), .*'odd'"),
    ("targets_rate", (LABELS, 3), {"on_target": None}, TypeError, r"`on_target` to be a number"),
    ("targets_latency", (LABELS, 3), {}, TypeError, r"latency expected `num_steps`"),
    ("targets_latency", (LABELS, 2, 20), {}, ValueError, r"num_classes=2\), .* label 2"),
    ("target_rate_code", (0,), {}, ValueError, r"`num_steps` >= 1, but got 0"),
    ("target_rate_code", (False,), {}, TypeError, r"`num_steps` to be an int, but got False"),
    ("target_rate_code", (5, 5), {}, ValueError, r"`first_spike_time` below num_steps=5"),
    ("target_rate_code", (5, 0, 2), {}, ValueError, r"`rate` in \[0, 1\], but got 2"),
    ("target_rate_code", (5,), {"generator": 1}, TypeError, r"`generator` to be a torch.Generator"),
    ("target_rate_code", (5, 0, 1, "x"), {}, ValueError, r"'regular', 'uniform', 'poisson'"),
    ("to_one_hot", ([1], 3), {}, TypeError, r"`targets` to be a torch.Tensor, but got list"),
    ("to_one_hot", (torch.tensor([0, 7]), 4), {}, ValueError, r"0 to 3 \(num_.*=4\), .* label 7\."),
    ("to_one_hot", (torch.tensor([-1]), 4), {}, ValueError, r"label -1\."),
    ("to_one_hot", (torch.tensor([0.5]), 4), {}, ValueError, r"label 0\.5\."),
    ("to_one_hot", (NAN, 4), {}, ValueError, r"label 0\.5\."),
    ("to_one_hot", (ROWS, 4), {}, ValueError, r"of shape \(batch\), but got \(2, 3\)"),
    ("to_one_hot", (LABELS, 0), {}, ValueError, r"`num_classes` >= 1, but got 0"),
    ("to_one_hot", (LABELS, 10**12), {}, ValueError, r"`num_classes` <= 2147483647, but got 10000"),
    ("target_rate_code", (2**62,), {}, ValueError, r"`num_steps` <= 2147483647, but got 46116860"),
    ("target_rate_code", (5, 0, 10**400), {}, ValueError, r"finite `rate`, as a torch.float64"),
    ("latency_interpolate", (TIMES, 2**63), {}, ValueError, r"`num_steps` <= 2147483647"),
    ("rate_interpolate", (TIMES, 5, 1e39), {}, ValueError, r"finite `on_target`, as a torch.float"),
    ("delta", (DATA, -1e39), {}, ValueError, r"finite `threshold`, as a torch.float32"),
    ("to_one_hot", (LABELS, 3.0), {}, TypeError, r"`num_classes` to be an int"),
    ("to_one_hot_inverse", ([1],), {}, TypeError, r"`one_hot_targets` to be a torch.Tensor"),
    ("to_one_hot_inverse", (ROWS * 2,), {}, ValueError, r"zeros and ones in .*, but got \[2\.0\]"),
    ("from_one_hot", ([1],), {}, TypeError, r"`one_hot_label` to be a torch.Tensor"),
    ("from_one_hot", (ROWS * 0.5,), {}, ValueError, r"zeros and ones in `one_hot_label`"),
    ("from_one_hot", (ROWS * 0,), {}, ValueError, r"a single one in every row, but got \[0\.0\]"),
    ("from_one_hot", (ROWS * 0 + 1,), {}, ValueError, r"a single one in every row"),
    ("from_one_hot", (torch.eye(2, device="meta"),), {}, ValueError, "`one_hot_label` with values"),
    ("rate_conv", (torch.ones(2, device="meta"),), {}, ValueError, "`data` with values"),
    ("to_one_hot", (torch.ones(2, device="meta"), 3), {}, ValueError, "`targets` with values"),
    ("delta", (torch.ones(3),), {"padding": torch.ones(2)}, TypeError, "`padding` to be True"),
    (
        "latency",
        (torch.ones(3), 5),
        {"clip": torch.ones(2)},
        TypeError,
        "`clip` to be True or False",
    ),
    ("latency_code", (torch.ones(3),), {"linear": torch.ones(2)}, TypeError, "`linear` to be True"),
    (
        "latency_code_log",
        (torch.ones(3), 5),
        {"normalize": torch.ones(2)},
        TypeError,
        "`normalize`",
    ),
    ("rate", (torch.ones(3),), {"time_var_input": torch.ones(2)}, TypeError, "`time_var_input` to"),
    (
        "targets_rate",
        (torch.tensor([1]), 2),
        {"correct_rate": torch.ones(2)},
        TypeError,
        "`correct",
    ),
    (
        "from_one_hot",
        (ROWS[0, 1],),
        {},
        ValueError,
        r"of shape \(..., num_classes\), but got a number",
    ),
]


@pytest.mark.parametrize("name, args, kwargs, error, message", WRONG)
def test_wrong_input(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], error: type[Exception], message: str
) -> None:
    given = [arg.clone() if isinstance(arg, Tensor) else arg for arg in args]
    state = torch.get_rng_state()
    with pytest.raises(error, match=message) as caught:
        getattr(spikegen, name)(*given, **kwargs)
    assert type(caught.value) is error
    assert not {"{", "}"} & set(str(caught.value))  # no unformatted braces
    assert torch.equal(torch.get_rng_state(), state)
    for before, after in zip(args, given, strict=True):
        if isinstance(before, Tensor):
            torch.testing.assert_close(after, before, rtol=0, atol=0, equal_nan=True)


def test_every_function_is_in_the_tables() -> None:
    assert {row[0] for row in WRONG} == set(spikegen.__all__)
    assert set(CALLS) | {"target_rate_code"} == set(spikegen.__all__)
