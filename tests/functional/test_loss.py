from __future__ import annotations

import copy
import io
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import snntorch.functional as SF
from snntorch._checks import MOST
from tests import golden

CASES = golden.cases("loss")
LOSSES = (
    SF.ce_rate_loss,
    SF.ce_count_loss,
    SF.ce_max_membrane_loss,
    SF.ce_temporal_loss,
    SF.mse_count_loss,
    SF.mse_membrane_loss,
    SF.mse_temporal_loss,
)
POOLED = (SF.ce_rate_loss, SF.ce_count_loss, SF.mse_count_loss)


def spikes(steps: int, batch: int, outputs: int, seed: int = 0, rate: float = 0.3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(steps, batch, outputs, generator=generator) < rate).double()


def labels(batch: int, classes: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, classes, (batch,), generator=torch.Generator().manual_seed(seed))


# -- recorded numbers


def check_recorded(case: dict[str, Any], make: Callable[..., Any]) -> None:
    seed = case["seed"]
    if "membrane" in case["fn"]:
        record = golden.rng(seed, "m").normal(size=(20, 5, 8))
    else:
        record = golden.rng(seed, "spk").uniform(size=(20, 5, 8)) < 0.3
    targets = golden.rng(seed, "l").randint(0, case["kw"].get("num_classes", 8), 5)
    x = torch.tensor(record).float().requires_grad_()
    loss = make(**case["kw"])(x, torch.tensor(targets))
    loss.backward()
    torch.testing.assert_close(loss.detach(), golden.tensor(case, "l"), rtol=1e-5, atol=2e-6)
    torch.testing.assert_close(x.grad, golden.tensor(case, "g"), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_recorded_numbers(case):
    check_recorded(case, getattr(SF, case["fn"]))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_recorded_numbers_reject_a_wrong_value_and_a_wrong_gradient(case):
    def scaled(**kw):
        loss_fn = getattr(SF, case["fn"])(**kw)
        return lambda record, targets: 1.01 * loss_fn(record, targets)

    def half_gradient(**kw):
        loss_fn = getattr(SF, case["fn"])(**kw)
        return lambda x, targets: loss_fn(x / 2 + x.detach() / 2, targets)

    for wrong in (scaled, half_gradient):
        with pytest.raises(AssertionError, match="not close"):
            check_recorded(case, wrong)


# -- independent references: plain torch, one sample, class and step at a time


def first_time(spk: torch.Tensor) -> torch.Tensor:
    """Return first-spike times with the gradient -1 with respect to the spike."""
    steps, batch, outputs = spk.shape
    rows = []
    for b in range(batch):
        row = []
        for i in range(outputs):
            fired = [t for t in range(steps) if spk[t, b, i] != 0]
            t = fired[0] if fired else steps - 1
            row.append(t + spk[t, b, i].detach() - spk[t, b, i])
        rows.append(torch.stack(row))
    return torch.stack(rows)


def reference_scores(name: str, x: torch.Tensor, kw: dict[str, Any]) -> list[torch.Tensor]:
    """Return what a cross-entropy is taken of, [batch, classes], once or at each step."""
    if kw.get("population_code"):
        blocks = x.chunk(kw["num_classes"], dim=2)
        x = torch.stack([block.sum(2) for block in blocks], 2)
    if name == "ce_rate_loss":
        return list(x)
    if name == "ce_count_loss":
        return [torch.stack(list(x)).sum(0)]
    if name == "ce_max_membrane_loss":
        return [x.amax(0)]
    time = first_time(x)
    return [1 / (1 + time) if kw.get("inverse") == "reciprocal" else -time]


def reference_squares(
    name: str, x: torch.Tensor, targets: torch.Tensor, kw: dict[str, Any]
) -> torch.Tensor:
    steps, batch, outputs = x.shape
    classes = kw.get("num_classes") or outputs
    size = outputs // classes
    rows = []
    for b in range(batch):
        for c in range(classes):
            right = int(targets[b]) == c
            if name == "mse_count_loss":
                count = x[:, b, c * size : (c + 1) * size].sum()
                rate = kw.get("correct_rate", 1) if right else kw.get("incorrect_rate", 0)
                rows.append((count - math.floor(rate * steps * size)) ** 2 / steps)
            elif name == "mse_membrane_loss":
                wanted = kw.get("on_target", 1) if right else kw.get("off_target", 0)
                rows.append(sum((x[t, b, c] - wanted) ** 2 for t in range(steps)) / steps)
            else:
                wanted = kw.get("on_target", 0) if right else kw.get("off_target", -1)
                wanted = wanted + steps if wanted < 0 else wanted
                time = first_time(x[:, b : b + 1, c : c + 1])[0, 0]
                near = abs(time.item() - wanted) < kw.get("tolerance", 0)
                rows.append(time * 0 if near else (time - wanted) ** 2 / steps**2)
    return torch.stack(rows).view(batch, classes)


def reference(name: str, x: torch.Tensor, targets: torch.Tensor, kw: dict[str, Any]) -> Any:
    weight, reduction = kw.get("weight"), kw.get("reduction", "mean")
    if name.startswith("ce"):
        each = [
            F.cross_entropy(scores, targets, weight, reduction="none")
            for scores in reference_scores(name, x, kw)
        ]
        costs = sum(each) / len(each)
        average = costs.mean()
        if name == "ce_temporal_loss" and weight is not None:
            average = costs.sum() / weight[targets].sum()
        return {"mean": average, "sum": costs.sum(), "none": costs}[reduction]
    squares = reference_squares(name, x, targets, kw)
    if weight is not None:
        squares = torch.stack([weight[targets[b]] * squares[b] for b in range(len(targets))])
    return {"mean": squares.mean(), "sum": squares.sum(), "none": squares}[reduction]


def check_reference(name: str, make: Callable[..., Any], classes: int, kw: dict[str, Any]) -> None:
    x = spikes(7, 4, 6)
    if "membrane" in name:
        x = torch.randn(7, 4, 6, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    targets = labels(4, classes)
    assert len(targets.unique()) > 1
    got_x, want_x = x.clone().requires_grad_(), x.clone().requires_grad_()
    got, want = make(**kw)(got_x, targets), reference(name, want_x, targets, kw)
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)
    factor = torch.arange(1.0, got.numel() + 1).view(got.shape).double()
    (got * factor).sum().backward()
    (want * factor).sum().backward()
    torch.testing.assert_close(got_x.grad, want_x.grad, rtol=1e-12, atol=1e-12)
    assert got_x.grad.any()


POPULATION = {"population_code": True, "num_classes": 3}
VARIANTS = [
    *[(loss.__name__, {}) for loss in LOSSES],
    *[(loss.__name__, POPULATION) for loss in POOLED],
    ("ce_temporal_loss", {"inverse": "reciprocal"}),
    ("mse_count_loss", {"correct_rate": 0.8, "incorrect_rate": 0.2}),
    ("mse_count_loss", {"correct_rate": 0.8, "incorrect_rate": 0.2, **POPULATION}),
    ("mse_membrane_loss", {"on_target": 1.05, "off_target": 0.2}),
    ("mse_temporal_loss", {"on_target": 1, "off_target": 5}),
    ("mse_temporal_loss", {"on_target": 0, "off_target": -2, "tolerance": 2}),
]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name, kw", VARIANTS)
def test_against_plain_torch(name, kw, reduction, weighted):
    classes = kw.get("num_classes", 6)
    weight = torch.arange(1.0, classes + 1).double() if weighted else None
    kw = {**kw, "reduction": reduction, "weight": weight}
    check_reference(name, getattr(SF, name), classes, kw)


@pytest.mark.parametrize("name, kw", VARIANTS)
def test_reference_rejects_a_neglected_weight_and_another_reduction(name, kw):
    classes = kw.get("num_classes", 6)
    kw = {**kw, "reduction": "sum", "weight": torch.arange(1.0, classes + 1).double()}

    def unweighted(**kw):
        return getattr(SF, name)(**{**kw, "weight": None})

    def mean(**kw):
        return getattr(SF, name)(**{**kw, "reduction": "mean"})

    for wrong in (unweighted, mean):
        with pytest.raises(AssertionError, match="not close"):
            check_reference(name, wrong, classes, kw)


@pytest.mark.parametrize("classes", [2, 10])
def test_a_silent_network_is_at_chance_level(classes):
    spk = torch.zeros(25, 4, classes)
    for loss_fn in (SF.ce_rate_loss(), SF.ce_count_loss(), SF.ce_temporal_loss()):
        assert loss_fn(spk, labels(4, classes)).item() == pytest.approx(math.log(classes))
    assert f"{SF.ce_rate_loss()(torch.zeros(25, 4, 10), labels(4, 10)).item():.3f}" == "2.303"


@pytest.mark.parametrize(
    "loss_fn, perfect",
    [
        (SF.mse_count_loss(0.5, 0.25), [[1, 0], [1, 0], [0, 1], [0, 0]]),
        (SF.mse_membrane_loss(on_target=1.05, off_target=0.2), [[1.05, 0.2]] * 4),
        (SF.mse_temporal_loss(), [[1, 0], [0, 0], [0, 0], [0, 1]]),
        (SF.mse_temporal_loss(on_target=1, off_target=-2), [[0, 0], [1, 0], [1, 1], [0, 0]]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_perfect_answer_costs_nothing(loss_fn, perfect):
    record = torch.tensor(perfect)[:, None].float()
    assert loss_fn(record, torch.tensor([0])).item() == 0
    assert loss_fn(record, torch.tensor([1])).item() > 0


# -- spike times


def check_spike_times(spike_times: Callable[..., torch.Tensor], rate: float) -> None:
    spk = (np.random.default_rng(3).uniform(size=(11, 4, 5)) < rate) * 2.0
    steps, batch, outputs = spk.shape
    for count in (1, 2, 4):
        expected = np.empty((count, batch, outputs))
        gradient = np.zeros_like(spk)
        for b in range(batch):
            for i in range(outputs):
                fired = [t for t in range(steps) if spk[t, b, i]]
                for n in range(count):
                    time = fired[n] if n < len(fired) else steps - 1
                    expected[n, b, i] = time
                    gradient[time, b, i] -= n + 1
        record = torch.tensor(spk, requires_grad=True)
        times = spike_times(record, count)
        torch.testing.assert_close(times.detach(), torch.tensor(expected))
        (times * torch.arange(1, count + 1).view(-1, 1, 1)).sum().backward()
        torch.testing.assert_close(record.grad, torch.tensor(gradient))


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 1.0])
def test_spike_times_against_a_loop(rate):
    check_spike_times(SF.SpikeTime.MultiSpike, rate)


def test_spike_time_loop_rejects_an_early_time_and_a_lost_gradient():
    def early(spk, count):
        return SF.SpikeTime.MultiSpike(spk, count) - 1

    def flat(spk, count):
        return SF.SpikeTime.MultiSpike(spk, count).detach() + 0 * spk.sum()

    for wrong in (early, flat):
        with pytest.raises(AssertionError, match=r"not (close|equal)"):
            check_spike_times(wrong, 0.5)


def test_spike_time_lives_where_it_always_did():
    assert SF.loss.SpikeTime is SF.SpikeTime
    as_released = b"csnntorch.functional.loss\nSpikeTime\n."
    assert pickle.loads(as_released) is SF.SpikeTime
    twin = pickle.loads(pickle.dumps(SF.SpikeTime(on_target=2, off_target=-2)))
    assert repr(twin) == repr(SF.SpikeTime(on_target=2, off_target=-2))
    assert twin(spikes(9, 3, 4), labels(3, 4))[1].unique().tolist() == [2, 7]


def test_first_spike_is_the_first_of_several():
    spk = spikes(9, 3, 4)
    assert torch.equal(SF.SpikeTime.FirstSpike(spk), SF.SpikeTime.MultiSpike(spk, 2)[0])
    assert not torch.equal(*SF.SpikeTime.MultiSpike(spk, 2))


def test_every_output_keeps_its_own_spikes():
    spk = torch.zeros(8, 1, 2)
    spk[[1, 2], 0, 0] = 1
    spk[[2, 5], 0, 1] = 1
    loss_fn = SF.mse_temporal_loss(target_is_time=True, multi_spike=True)
    targets = torch.tensor([[[1.0, 2.0]], [[2.0, 5.0]]])
    assert loss_fn.spk_time_fn(spk, targets)[0].tolist() == [[[1, 2]], [[2, 5]]]
    assert loss_fn(spk, targets).item() == 0
    assert loss_fn(spk, targets + 1).item() == pytest.approx(1 / 64)


def test_several_target_times_of_labels():
    spike_time = SF.SpikeTime(on_target=[0, 1], off_target=[-2, -1], multi_spike=True)
    wanted = spike_time(torch.zeros(6, 1, 3), torch.tensor([1]))[1]
    assert wanted.tolist() == [[[4, 0, 4]], [[5, 1, 5]]]
    raw = spike_time.labels_to_spike_times(torch.tensor([1]), 3)
    assert raw.tolist() == [[[-2, 0, -2]], [[-1, 1, -1]]]
    assert raw.dtype == torch.float32


def test_several_spikes_take_weights_and_reductions():
    spk, targets = spikes(9, 3, 2), torch.tensor([0, 1, 1])
    options = {"on_target": [0, 2], "off_target": [3, 6], "multi_spike": True}
    plain = SF.mse_temporal_loss(**options, reduction="none")(spk, targets)
    weight = torch.tensor([1.0, 10.0])
    weighted = SF.mse_temporal_loss(**options, reduction="none", weight=weight)(spk, targets)
    assert plain.shape == (2, 3, 2)
    torch.testing.assert_close(weighted, plain * torch.tensor([1.0, 10.0, 10.0]).view(3, 1))
    total = SF.mse_temporal_loss(**options, weight=weight)(spk, targets)
    torch.testing.assert_close(total, weighted.mean())


def test_negative_target_times_count_from_the_end_and_stay():
    targets = torch.tensor([[1.0, -1.0]])
    spk = torch.zeros(4, 1, 2)
    spk[1, 0, 0] = spk[3, 0, 1] = 1
    assert SF.mse_temporal_loss(target_is_time=True)(spk, targets).item() == 0
    assert targets.tolist() == [[1, -1]]


@pytest.mark.parametrize("tolerance, free", [(0, 0), (1, 0), (2, 1), (3, 2)])
def test_less_than_the_tolerance_is_on_target(tolerance, free):
    for late in range(4):
        spk = torch.zeros(8, 1, 1)
        spk[2 + late] = 1
        spk.requires_grad_()
        loss = SF.mse_temporal_loss(on_target=2, tolerance=tolerance)(spk, torch.tensor([0]))
        loss.backward()
        on_target = late <= free
        assert loss.item() == pytest.approx(0 if on_target else (late / 8) ** 2)
        assert bool(spk.grad.any()) != on_target


# -- targets over time, further axes, dtypes, devices


def test_membrane_targets_over_time():
    mem = torch.randn(4, 3, 2)
    over_time = torch.randint(0, 2, (4, 3))
    weight = torch.tensor([1.0, 5.0])
    for kw in ({}, {"weight": weight}, {"on_target": 1.2, "off_target": 0.3}):
        loss_fn = SF.mse_membrane_loss(time_var_targets=True, reduction="none", **kw)
        assert loss_fn.time_var_targets
        steps = [
            SF.mse_membrane_loss(reduction="none", **kw)(mem[t : t + 1], over_time[t])
            for t in range(4)
        ]
        torch.testing.assert_close(loss_fn(mem, over_time), torch.stack(steps).mean(0))
        shared = loss_fn(mem, over_time[:, 0])
        torch.testing.assert_close(shared, loss_fn(mem, over_time[:, :1].expand(4, 3)))
        assert not torch.equal(shared, loss_fn(mem, over_time))


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
@pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 2.0, 5.0])])
def test_pixels_may_follow(loss, weight):
    record, targets = spikes(5, 2 * 16, 3).float(), labels(2 * 16, 3)
    image = record.view(5, 2, 4, 4, 3).permute(0, 1, 4, 2, 3)
    for reduction in ("mean", "sum"):
        loss_fn = loss(reduction=reduction, weight=weight)
        torch.testing.assert_close(
            loss_fn(image, targets.view(2, 4, 4)), loss_fn(record, targets), rtol=1e-5, atol=1e-5
        )


def test_membrane_targets_over_time_with_pixels():
    loss_fn = SF.mse_membrane_loss(time_var_targets=True)
    mem, over_time = torch.randn(4, 2, 3, 5), torch.randint(0, 3, (4, 2, 5))
    flat = mem.transpose(2, 3).reshape(4, 10, 3)
    torch.testing.assert_close(loss_fn(mem, over_time), loss_fn(flat, over_time.view(4, 10)))
    shared = over_time[:, :1, :1].expand(4, 2, 5)
    torch.testing.assert_close(loss_fn(mem, over_time[:, 0, 0]), loss_fn(mem, shared))


HALF = pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_dtype_is_at_least_single(loss, dtype):
    record = spikes(6, 3, 2)
    x = record.to(dtype).requires_grad_()
    weight = torch.tensor([1.0, 2.0])
    value = loss(weight=weight)(x, torch.tensor([0, 1, 1], dtype=torch.uint8))
    value.backward()
    assert value.dtype == torch.promote_types(dtype, torch.float32)
    assert x.grad.dtype == dtype
    exact = loss(weight=weight.double())(record, torch.tensor([0, 1, 1]))
    torch.testing.assert_close(value.double(), exact, rtol=1e-6, atol=1e-6)


@HALF
@pytest.mark.parametrize("name, kw", VARIANTS)
def test_half_precision_loses_nothing_of_a_long_record(name, kw, dtype):
    record, targets = spikes(4099, 2, 6).to(dtype), labels(2, 3)
    loss_fn = getattr(SF, name)(**kw)
    single, half = record.float().requires_grad_(), record.clone().requires_grad_()
    want, got = loss_fn(single, targets), loss_fn(half, targets)
    assert torch.equal(got, want)
    got.backward()
    want.backward()
    assert torch.equal(half.grad, single.grad.to(dtype))


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_a_record_may_have_one_step(loss):
    record, targets = spikes(1, 4, 3), labels(4, 3)
    torch.testing.assert_close(
        loss()(record, targets), reference(loss.__name__, record, targets, {})
    )


@HALF
def test_half_precision_tells_late_spikes_apart(dtype):
    spk = torch.zeros(4100, 1, 2, dtype=dtype)
    spk[4097, 0, 0] = spk[4098, 0, 1] = 1
    assert SF.SpikeTime.FirstSpike(spk).tolist() == [[4097, 4098]]
    times, wanted = SF.SpikeTime(on_target=4097, off_target=-2)(spk, torch.tensor([0]))
    assert times.tolist() == wanted.tolist() == [[4097, 4098]]
    ends = torch.tensor([[-3, -2]], dtype=dtype)  # none of which the record's length may round
    assert SF.SpikeTime(target_is_time=True)(spk, ends)[1].tolist() == [[4097, 4098]]


# -- numbers of 1.0.0: labels that are ignored, weights, whole numbers of spikes

RECORD = ((torch.arange(96) * 7 % 11) < 4).float().view(6, 4, 4)
MEMBRANE = (torch.arange(96).float() * 0.37).sin().view(6, 4, 4)
ALL, SOME, NONE = [3, 0, 2, 1], [3, -100, 2, -100], [-100] * 4
CROSS_ENTROPIES = [loss for loss in LOSSES if loss.__name__.startswith("ce")]

#: Loss, reduction, weighted: what 1.0.0 gives with all labels, some and none (which stops its
#: ce_temporal_loss). Its weighted sum, which it left out, is not recorded.
RELEASED = [
    ("ce_rate_loss", "mean", False, [1.489091, 1.541705, math.nan]),
    ("ce_rate_loss", "mean", True, [3.759982, 2.697984, 0.0]),
    ("ce_rate_loss", "sum", False, [5.956364, 3.08341, 0.0]),
    ("ce_rate_loss", "none", False,
     [[1.541705, 1.497915, 1.541705, 1.375039], [1.541705, 0.0, 1.541705, 0.0], [0.0] * 4]),
    ("ce_rate_loss", "none", True,
     [[6.166821, 1.497915, 4.625115, 2.750077], [6.166821, 0.0, 4.625115, 0.0], [0.0] * 4]),
    ("ce_count_loss", "mean", False, [1.404325, 1.743668, math.nan]),
    ("ce_count_loss", "mean", True, [3.769827, 3.05142, 0.0]),
    ("ce_count_loss", "sum", False, [5.6173, 3.487337, 0.0]),
    ("ce_count_loss", "none", False,
     [[1.743668, 1.386294, 1.743668, 0.743668], [1.743668, 0.0, 1.743668, 0.0], [0.0] * 4]),
    ("ce_count_loss", "none", True,
     [[6.974674, 1.386294, 5.231005, 1.487337], [6.974674, 0.0, 5.231005, 0.0], [0.0] * 4]),
    ("ce_max_membrane_loss", "mean", False, [1.266667, 1.198999, math.nan]),
    ("ce_max_membrane_loss", "mean", True, [3.043088, 2.055538, 0.0]),
    ("ce_max_membrane_loss", "sum", False, [5.066668, 2.397998, 0.0]),
    ("ce_max_membrane_loss", "none", False,
     [[1.02816, 1.387141, 1.369838, 1.281529], [1.02816, 0.0, 1.369838, 0.0], [0.0] * 4]),
    ("ce_max_membrane_loss", "none", True,
     [[4.112639, 1.387141, 4.109514, 2.563058], [4.112639, 0.0, 4.109514, 0.0], [0.0] * 4]),
    ("ce_temporal_loss", "mean", False, [2.627115]),
    ("ce_temporal_loss", "mean", True, [2.62357]),
    ("ce_temporal_loss", "sum", False, [10.508458]),
    ("ce_temporal_loss", "sum", True, [26.235704]),
    ("ce_temporal_loss", "none", False, [[1.917576, 3.383528, 4.767165, 0.44019]]),
    ("ce_temporal_loss", "none", True, [[7.670303, 3.383528, 14.301495, 0.880379]]),
]  # fmt: skip


@pytest.mark.parametrize("name, reduction, weighted, values", RELEASED)
def test_released_cross_entropies(name, reduction, weighted, values):
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0]) if weighted else None
    loss_fn = getattr(SF, name)(reduction=reduction, weight=weight)
    record = MEMBRANE if loss_fn.reads == "mem" else RECORD
    for targets, value in zip((ALL, SOME, NONE), values, strict=False):
        got, want = loss_fn(record, torch.tensor(targets)), torch.tensor(value)
        torch.testing.assert_close(got, want, rtol=2e-6, atol=2e-6, equal_nan=True)


@pytest.mark.parametrize("loss", CROSS_ENTROPIES, ids=lambda loss: loss.__name__)
def test_an_ignored_label_is_as_no_sample(loss):
    record, targets = spikes(6, 5, 3), torch.tensor([2, -100, 0, 1, -100])
    alone, kept = record[:, [0, 2, 3]].clone().requires_grad_(), targets[[0, 2, 3]]
    record.requires_grad_()
    for reduction in ("mean", "sum"):
        loss_fn = loss(reduction=reduction)
        record.grad = alone.grad = None
        got, want = loss_fn(record, targets), loss_fn(alone, kept)
        torch.testing.assert_close(got, want)
        got.backward()
        want.backward()
        torch.testing.assert_close(record.grad[:, [0, 2, 3]], alone.grad)
        assert not record.grad[:, [1, 4]].any()
    weighted = loss(reduction="sum", weight=torch.tensor([1.0, 2.0, 3.0]))
    torch.testing.assert_close(weighted(record, targets), weighted(alone, kept))
    each = loss(reduction="none")(record, targets)
    assert each[[1, 4]].tolist() == [0, 0]
    assert (each[[0, 2, 3]] > 0).all()
    with pytest.raises(ValueError, match="3 classes, but got label -1, 3"):
        loss()(record, torch.tensor([2, -100, -1, 3, 0]))


#: Steps, outputs per class, rate: the spikes that 1.0.0 asks for.
WHOLE_SPIKES = [
    *[(25, 1, 0.75, 18), (25, 1, 0.25, 6), (10, 1, 0.29, 2), (7, 1, 1.5, 10), (5, 1, 0.0, 0)],
    *[(5, 3, 0.75, 11), (10, 3, 0.29, 8), (25, 3, 0.07, 5), (7, 3, 0.99, 20)],
    *[(20, 10, 0.83, 165), (50, 7, 0.7, 245), (100, 10, 0.58, 579), (25, 6, 0.82, 123)],
    *[(10, 1, -0.3, 0), (10, 3, -0.3, 0)],
]


@pytest.mark.parametrize("num_steps, size, rate, spikes", WHOLE_SPIKES)
def test_released_targets_are_whole_numbers_of_spikes(num_steps, size, rate, spikes):
    silence = torch.zeros(num_steps, 1, 2 * size, dtype=torch.double)
    population = {"population_code": True, "num_classes": 2} if size > 1 else {}
    for kw, target in (
        ({"correct_rate": rate, "incorrect_rate": 0}, [spikes, 0]),
        ({"correct_rate": 0, "incorrect_rate": rate}, [0, spikes]),
    ):
        loss_fn = SF.mse_count_loss(**kw, **population, reduction="none")
        asked = (loss_fn(silence, torch.tensor([0])) * num_steps).sqrt()
        torch.testing.assert_close(asked, torch.tensor([target]).double())


@pytest.mark.parametrize("kind", [torch.tensor, np.array, lambda v: list(map(torch.tensor, v))])
def test_times_may_be_tensors_and_arrays(kind):
    spk, targets = spikes(12, 3, 4), labels(3, 4)
    options = {"on_target": [2, 4.5], "off_target": [-3, -1.0]}
    want = SF.mse_temporal_loss(**options, multi_spike=True)(spk, targets)
    given = {name: kind(times) for name, times in options.items()}
    got = SF.mse_temporal_loss(**given, multi_spike=True)
    assert torch.equal(got(spk, targets), want)
    assert torch.equal(pickle.loads(pickle.dumps(got))(spk, targets), want)


@pytest.mark.parametrize("kind", [torch.tensor, np.array, np.float32, np.int64])
def test_one_time_may_be_a_tensor_or_an_array(kind):
    spk, targets = spikes(12, 3, 4), labels(3, 4)
    want = SF.mse_temporal_loss(on_target=2, off_target=-3)(spk, targets)
    loss_fn = SF.mse_temporal_loss(on_target=kind(2), off_target=kind(-3))
    assert torch.equal(loss_fn(spk, targets), want)
    times = SF.SpikeTime(on_target=torch.tensor([2]), off_target=np.array([-3]))
    assert times(spk, targets)[1].unique().tolist() == [2, 9]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_targets_and_weights_come_to_the_record(loss):
    record = torch.empty(6, 3, 2, device="meta", requires_grad=True)
    value = loss(weight=torch.tensor([1.0, 2.0]))(record, torch.tensor([0, 1, 1]))
    value.backward()
    assert value.device.type == record.grad.device.type == "meta"
    with pytest.raises(ValueError, match="2 classes, but got label 7"):
        loss()(record, torch.tensor([0, 7, 1]))


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_targets_of_inference_mode_are_learned_from(loss):
    with torch.inference_mode():
        targets, weight = torch.tensor([0, 1, 1]), torch.tensor([1.0, 2.0])
    x, twin = (spikes(6, 3, 2).float().requires_grad_() for _ in range(2))
    loss(weight=weight)(x, targets).backward()
    loss(weight=weight.clone())(twin, targets.clone()).backward()
    assert x.grad.any()
    assert torch.equal(x.grad, twin.grad)


def test_target_times_come_to_the_record():
    record = torch.empty(6, 3, 2, device="meta")
    loss_fn = SF.mse_temporal_loss(target_is_time=True)
    assert loss_fn(record, torch.zeros(3, 2)).device.type == "meta"


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_inputs_are_not_changed(loss):
    record, targets, weight = spikes(6, 3, 2), torch.tensor([0, 1, 1]), torch.tensor([1.0, 2.0])
    kept = copy.deepcopy((record, targets, weight))
    loss(weight=weight)(record, targets)
    assert all(torch.equal(a, b) for a, b in zip((record, targets, weight), kept, strict=True))


# -- defects of 1.0.0 that the references above do not name


def test_populations_are_pooled_at_every_step():
    spk, targets = spikes(5, 3, 6), torch.tensor([0, 1, 1])
    pooled = torch.stack([spk[..., :3].sum(-1), spk[..., 3:].sum(-1)], -1)
    expected = torch.stack([F.cross_entropy(step, targets) for step in pooled]).mean()
    for weight in (None, torch.ones(2)):
        loss_fn = SF.ce_rate_loss(population_code=True, num_classes=2, weight=weight)
        torch.testing.assert_close(loss_fn(spk, targets), expected)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_weighted_sum_is_the_sum_over_the_batch(loss):
    spk, targets, weight = spikes(5, 3, 2), torch.tensor([0, 1, 1]), torch.tensor([1.0, 2.0])
    each = loss(reduction="none", weight=weight)(spk, targets)
    assert each.shape[0] == 3
    total = loss(reduction="sum", weight=weight)(spk, targets)
    torch.testing.assert_close(total, each.sum())


def test_square_errors_weigh_samples_by_their_class():
    mem = torch.zeros(1, 2, 2)
    mem[0, 0, 0] = 1
    loss_fn = SF.mse_membrane_loss(weight=torch.tensor([1.0, 10.0]))
    assert loss_fn(mem, torch.tensor([0, 1])).item() == 2.5
    mem[0, 0, 0], mem[0, 1, 1] = 0, 1  # now sample 0, of weight 1, misses
    assert loss_fn(mem, torch.tensor([0, 1])).item() == 0.25


# -- what a loss says about itself


def test_what_a_loss_reads():
    reads = {loss.__name__: loss().reads for loss in LOSSES}
    assert {name for name, what in reads.items() if what == "mem"} == {
        "ce_max_membrane_loss",
        "mse_membrane_loss",
    }
    assert set(reads.values()) == {"spk", "mem"}
    for loss in LOSSES:
        assert issubclass(loss, SF.LossFunctions)
        assert loss.time_axis == 0
        assert not loss().time_var_targets


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_name_repr_pickle_and_copy(loss):
    loss_fn = loss(weight=torch.tensor([1.0, 2.0]), reduction="sum")
    assert loss_fn.__name__ == loss.__name__
    assert repr(loss_fn).startswith(f"{loss.__name__}(")
    assert "reduction='sum'" in repr(loss_fn)
    file = io.BytesIO()
    torch.save(loss_fn, file)
    file.seek(0)
    expected = loss_fn(spikes(5, 3, 2), torch.tensor([0, 1, 1]))
    for twin in (
        pickle.loads(pickle.dumps(loss_fn)),
        copy.deepcopy(loss_fn),
        torch.load(file, weights_only=False),
    ):
        assert torch.equal(twin(spikes(5, 3, 2), torch.tensor([0, 1, 1])), expected)
        assert repr(twin) == repr(loss_fn)


def test_repr_names_the_settings():
    assert repr(SF.ce_count_loss(True, 10)) == (
        "ce_count_loss(population_code=True, num_classes=10, reduction='mean', weight=None)"
    )
    assert "SpikeTime(target_is_time=False, on_target=0, off_target=-1, tolerance=0, " in repr(
        SF.mse_temporal_loss()
    )


def test_a_loss_of_ones_own():
    class spread(SF.LossFunctions):
        def _compute_loss(self, record, targets):
            return self._reduce(record.var(self.time_axis))

    loss_fn = spread("sum", None)
    assert loss_fn.__name__ == "spread"
    assert loss_fn(torch.ones(3, 2, 2), None).item() == 0
    with pytest.raises(NotImplementedError, match="LossFunctions has to define _compute_loss"):
        SF.LossFunctions("mean", None)(torch.ones(3, 2, 2), None)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_compiles_in_one_graph_and_maps_over_samples(loss):
    loss_fn = loss(weight=torch.tensor([1.0, 2.0]))
    record, targets = spikes(5, 3, 2).float(), torch.tensor([0, 1, 1])
    torch._dynamo.reset()
    compiled = torch.compile(loss_fn.__call__, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(record, targets), loss_fn(record, targets))

    def one(sample, target):
        return loss_fn(sample[:, None], target[None])

    gradients = torch.func.vmap(torch.func.grad(one), in_dims=(1, 0))(record, targets)
    for b in range(3):
        alone = record[:, b].clone().requires_grad_()
        one(alone, targets[b]).backward()
        torch.testing.assert_close(gradients[b], alone.grad)


# -- wrong input

SPK = torch.ones(4, 2, 6)
LABELS = torch.tensor([0, 1])
MAKING = {
    **{f"{loss.__name__}: reduction": (loss, {"reduction": "avg"}, ValueError,
       r"`reduction` to be one of \('mean', 'sum', 'none'\), but got 'avg'") for loss in LOSSES},
    **{f"{loss.__name__}: weight list": (loss, {"weight": [1.0, 2.0]}, TypeError,
       "`weight` to be a torch.Tensor, but got list") for loss in LOSSES},
    **{f"{loss.__name__}: weight matrix": (loss, {"weight": torch.ones(2, 2)}, ValueError,
       r"`weight` of shape \(num_classes,\), but got \(2, 2\)") for loss in LOSSES},
    **{f"{loss.__name__}: no classes": (loss, {"population_code": True}, TypeError,
       "`num_classes` to be an int, but got False") for loss in POOLED},
    **{f"{loss.__name__}: 0 classes": (loss, {"population_code": True, "num_classes": 0},
       ValueError, "`num_classes` >= 1, but got 0") for loss in POOLED},
    **{f"{loss.__name__}: complex weight": (loss, {"weight": torch.ones(2) * 1j}, TypeError,
       "a real `weight`, but got torch.complex64") for loss in LOSSES},
    "complex time": (SF.SpikeTime, {"on_target": torch.tensor(1j)}, TypeError,
                     "`on_target` to be a number, but got 1j"),
    "inverse": (SF.ce_temporal_loss, {"inverse": "log"}, ValueError, "'reciprocal'.*got 'log'"),
    "correct_rate": (SF.mse_count_loss, {"correct_rate": "all"}, TypeError, "`correct_rate` to"),
    "incorrect_rate": (SF.mse_count_loss, {"incorrect_rate": None}, TypeError, "a number"),
    "nan rate": (SF.mse_count_loss, {"correct_rate": math.nan}, ValueError, "a finite `correct_r"),
    "endless rate": (SF.mse_count_loss, {"incorrect_rate": math.inf}, ValueError, "but got inf"),
    "nan target": (SF.mse_membrane_loss, {"off_target": math.nan}, ValueError, "`off_target`, but"),
    "nan time": (SF.SpikeTime, {"on_target": math.nan}, ValueError, "a finite `on_target`"),
    "on_target": (SF.mse_membrane_loss, {"on_target": [1.0]}, TypeError, "`on_target` to be a num"),
    "off_target": (SF.mse_membrane_loss, {"off_target": True}, TypeError, "`off_target` to be a"),
    "time of a weight": (SF.mse_temporal_loss, {"target_is_time": True, "weight": torch.ones(2)},
                         TypeError, "no `weight` with target_is_time=True"),
    "tolerance": (SF.SpikeTime, {"tolerance": -1}, ValueError, "`tolerance` >= 0, but got -1"),
    "no tolerance": (SF.SpikeTime, {"tolerance": None}, TypeError, "`tolerance` to be a number"),
    "two times": (SF.SpikeTime, {"on_target": [0, 1]}, ValueError, "to be one time each"),
    "one time": (SF.SpikeTime, {"multi_spike": True, "on_target": [0, 1]}, ValueError,
                 r"sequences of equal length, but got \[0, 1\] and -1"),
    "no times": (SF.SpikeTime, {"multi_spike": True, "on_target": [], "off_target": []},
                 ValueError, "sequences of equal length"),
    "times of a tensor": (SF.SpikeTime, {"on_target": torch.tensor([0, 1])}, ValueError,
                          r"one time each, but got \[0, 1\] and -1"),
    "times of a matrix": (SF.SpikeTime, {"multi_spike": True, "on_target": torch.ones(1, 2),
                          "off_target": [1]}, TypeError, r"to be a number, but got \[1.0, 1.0\]"),
    "nan times": (SF.SpikeTime, {"multi_spike": True, "on_target": np.array([0, math.nan]),
                  "off_target": [1, 2]}, ValueError, "a finite `on_target`, but got nan"),
    "odd time": (SF.SpikeTime, {"off_target": "last"[:1]}, TypeError, "`off_target` to be a num"),
}  # fmt: skip


@pytest.mark.parametrize("make, kw, error, message", MAKING.values(), ids=MAKING)
def test_wrong_option(make, kw, error, message):
    with pytest.raises(error, match=message) as caught:
        make(**kw)
    assert str(caught.value).startswith(f"{make.__name__} expected")


CALLING = {
    "no tensor": (None, LABELS, TypeError, "_out` to be a torch.Tensor, but got NoneType"),
    "steps in a list": (
        list(SPK),
        LABELS,
        TypeError,
        r"Tensor, but got list.\n.*torch.stack\(list",
    ),
    "complex": (SPK * 1j, LABELS, TypeError, "expected a real `.*_out`, but got torch.complex64"),
    "no time": (SPK[0], LABELS, ValueError, r"\(time, batch, num_outputs\).*got \(2, 6\)"),
    "no step": (SPK[:0], LABELS, ValueError, "with at least one step"),
    "bool": (SPK.bool(), LABELS, TypeError, "a floating-point dtype, but got torch.bool"),
    "label list": (SPK, [0, 1], TypeError, "`targets` to be a torch.Tensor, but got list"),
    "float labels": (SPK, LABELS.float(), TypeError, "integer class labels, but got torch.float32"),
    "bool labels": (SPK, LABELS.bool(), TypeError, "integer class labels, but got torch.bool"),
    "one-hot": (SPK, F.one_hot(LABELS, 6), ValueError, r"shape \(2,\).*but got \(2, 6\)"),
    "batch": (SPK, LABELS[:1], ValueError, r"shape \(2,\).*but got \(1,\)"),
    "high label": (SPK, LABELS + 5, ValueError, "0 to 5, as there are 6 classes, but got label 6"),
    "low label": (SPK, LABELS - 1, ValueError, "but got label -1"),
    "near an ignored label": (SPK, LABELS - 100, ValueError, "but got label .*-99"),
}


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: SF.ce_rate_loss(weight=torch.ones(6, device="meta")), ValueError, "with values"),
        (lambda: SF.ce_rate_loss(population_code=SPK), TypeError, "`population_code` to be True"),
        (lambda: SF.mse_membrane_loss(time_var_targets=SPK), TypeError, "`time_var_targets` to be"),
        (lambda: SF.SpikeTime(multi_spike=SPK), TypeError, "`multi_spike` to be True or False"),
        (
            lambda: SF.mse_temporal_loss(SPK, weight=torch.ones(6)),
            TypeError,
            "mse_temporal_loss expected `target_is_time` to be True or False",
        ),
        (lambda: SF.SpikeTime(on_target=1e300), ValueError, "times of `on_target` up to"),
        (lambda: SF.SpikeTime(on_target=SPK.to("meta")), ValueError, "with values"),
        (lambda: SF.ce_rate_loss()(SPK, LABELS.to("meta")), ValueError, "`targets` with values"),
        (lambda: SF.ce_rate_loss()(SPK[..., :0], LABELS), ValueError, "one output"),
    ],
)
def test_what_torch_would_trip_over(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_whole_numbers_beyond_those_of_torch():
    """Python's have no end; as floats they are numbers as others."""
    high = SF.mse_membrane_loss(on_target=2**70)(SPK, LABELS)
    assert high == SF.mse_membrane_loss(on_target=2.0**70)(SPK, LABELS)
    for wrong in (2**70, 1e30):
        high = SF.mse_membrane_loss(off_target=wrong)(SPK.double(), LABELS)
        assert high.item() == pytest.approx(5 / 6 * wrong**2)
        for name, part in (("correct_rate", 1 / 6), ("incorrect_rate", 5 / 6)):
            high = SF.mse_count_loss(**{"incorrect_rate": 1, name: wrong})(SPK.double(), LABELS)
            assert high.item() == pytest.approx(part * 4 * wrong**2)
    assert SF.l1_rate_sparsity(2**70)(SPK) == SF.l1_rate_sparsity(2.0**70)(SPK)
    assert SF.SpikeTime(tolerance=2**70)(SPK, LABELS)[0].shape == (2, 6)
    for time in (MOST, -MOST):
        assert SF.SpikeTime(on_target=time, off_target=time).on_target == time
        with pytest.raises(ValueError, match="times of `off_target` up to"):
            SF.SpikeTime(off_target=2 * time)


@pytest.mark.parametrize("record, targets, error, message", CALLING.values(), ids=CALLING)
@pytest.mark.parametrize("loss", (*LOSSES, SF.SpikeTime), ids=lambda loss: loss.__name__)
def test_wrong_record_or_targets(loss, record, targets, error, message):
    loss_fn = loss()
    before = repr(loss_fn)
    with pytest.raises(error, match=message) as caught:
        loss_fn(record, targets)
    assert str(caught.value).startswith((f"{loss.__name__} expected", "SpikeTime expected"))
    assert "{" not in str(caught.value)
    assert repr(loss_fn) == before
    assert torch.equal(SPK, torch.ones(4, 2, 6))
    assert LABELS.tolist() == [0, 1]


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss not in CROSS_ENTROPIES])
def test_square_errors_ignore_no_label(loss):
    with pytest.raises(ValueError, match="as there are 6 classes, but got label -100"):
        loss()(SPK, torch.tensor([0, -100]))


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_wrong_number_of_weights(loss):
    with pytest.raises(ValueError, match="`weight` to hold 6 values, one per class, but got 2"):
        loss(weight=torch.ones(2))(SPK, LABELS)


@pytest.mark.parametrize("loss", POOLED, ids=lambda loss: loss.__name__)
def test_wrong_population(loss):
    with pytest.raises(ValueError, match="that `num_classes` = 4 divides, but got 6"):
        loss(population_code=True, num_classes=4)(SPK, LABELS)
    with pytest.raises(ValueError, match="as there are 2 classes, but got label 2"):
        loss(population_code=True, num_classes=2)(SPK, LABELS + 1)
    with pytest.raises(ValueError, match="`weight` to hold 2 values, one per class, but got 6"):
        loss(population_code=True, num_classes=2, weight=torch.ones(6))(SPK, LABELS)


@pytest.mark.parametrize(
    "targets, error, message",
    [
        (LABELS.expand(4, 2).float(), TypeError, "integer class labels"),
        (LABELS.expand(3, 2), ValueError, r"shape \(4, 2\).*but got \(3, 2\)"),
        (LABELS, ValueError, r"shape \(4,\).*but got \(2,\)"),
        (LABELS.expand(4, 2) + 5, ValueError, "6 classes, but got label 6"),
        (None, TypeError, "got NoneType"),
    ],
)
def test_wrong_targets_over_time(targets, error, message):
    with pytest.raises(error, match=message):
        SF.mse_membrane_loss(time_var_targets=True)(SPK, targets)


@pytest.mark.parametrize(
    "kw, targets, error, message",
    [
        ({}, None, TypeError, "`targets` to be a torch.Tensor"),
        ({}, SPK[0] * 1j, TypeError, "a real `targets`, but got torch.complex64"),
        (
            {},
            LABELS,
            ValueError,
            r"target times of shape \(2, 6\), but got \(2,\).*\n.*labels need",
        ),
        ({"multi_spike": True}, SPK[0], ValueError, r"\('num_spikes', 2, 6\), but got \(2, 6\)"),
        ({"multi_spike": True}, SPK[:0], ValueError, r"but got \(0, 2, 6\)"),
        ({}, SPK[0] - 6, ValueError, "at least -4, the first of 4 steps, but got -5"),
        ({}, SPK[0] * math.nan, ValueError, "at least -4, the first of 4 steps, but got nan"),
    ],
)
def test_wrong_target_times(kw, targets, error, message):
    with pytest.raises(error, match=message):
        SF.mse_temporal_loss(target_is_time=True, **kw)(SPK, targets)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: SF.SpikeTime.FirstSpike([1.0]), TypeError, "`spk_rec` to be a torch.Tensor"),
        (lambda: SF.SpikeTime.FirstSpike(SPK.bool()), TypeError, "`spk_rec` of a floating-point"),
        (lambda: SF.SpikeTime.MultiSpike(SPK, 0), ValueError, "`spk_count` >= 1, but got 0"),
        (lambda: SF.SpikeTime.MultiSpike(SPK, 1.5), TypeError, "`spk_count` to be an int"),
    ],
)
def test_wrong_record_of_spike_times(call, error, message):
    with pytest.raises(error, match=f"SpikeTime expected {message}"):
        call()


def test_a_time_before_the_record():
    with pytest.raises(ValueError, match=r"target times of at least -4, .* but got -9"):
        SF.mse_temporal_loss(off_target=-9)(SPK, LABELS)
