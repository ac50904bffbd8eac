from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import snntorch.functional as SF
from tests import golden

population = functools.partial(SF.accuracy_rate, population_code=True, num_classes=4)
#: What the recording calls its cases, and in how many classes the eight outputs fall.
RECORDED = {
    "accuracy_rate": (SF.accuracy_rate, 8),
    "accuracy_pop": (population, 4),
    "accuracy_temporal": (SF.accuracy_temporal, 8),
}
CASES = [case for case in golden.cases("acc") if case["fn"] in RECORDED]


def check_recorded(case: dict[str, Any], function: Callable[..., float], classes: int) -> None:
    spk = golden.rng(case["seed"], "spk").uniform(size=(20, 5, 8)) < 0.3
    labels = golden.rng(case["seed"], "l").randint(0, classes, 5)
    got = function(torch.tensor(spk).float(), torch.tensor(labels))
    assert got == pytest.approx(float(golden.array(case, "y")))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_recorded_numbers(case):
    check_recorded(case, *RECORDED[case["fn"]])


def test_recorded_numbers_reject_another_rule():
    def quietest(spk, targets):
        return SF.accuracy_rate(-spk, targets)

    def last(spk, targets):
        return SF.accuracy_temporal(spk.flip(0), targets)

    def check_all(name, function):
        for case in CASES:
            if case["fn"] == name:
                check_recorded(case, function, 8)

    for name, wrong in (("accuracy_rate", quietest), ("accuracy_temporal", last)):
        with pytest.raises(AssertionError):
            check_all(name, wrong)


def guesses_by_rate(spk: np.ndarray, classes: int) -> list[int]:
    """Count each class's spikes one by one; the first class with the most wins."""
    steps, batch, outputs = spk.shape
    size = outputs // classes
    guesses = []
    for b in range(batch):
        counts = [
            sum(spk[t, b, i] for t in range(steps) for i in range(c * size, (c + 1) * size))
            for c in range(classes)
        ]
        guesses.append(counts.index(max(counts)))
    return guesses


def guesses_by_time(spk: np.ndarray) -> list[int]:
    """Watch the steps go by; the first output to fire wins, or to be still silent at the end."""
    steps, batch, outputs = spk.shape
    guesses = []
    for b in range(batch):
        first = [steps - 1] * outputs
        for i in range(outputs):
            for t in reversed(range(steps)):
                if spk[t, b, i]:
                    first[i] = t
        guesses.append(first.index(min(first)))
    return guesses


def check_by_hand(function, guess, classes, seed, rate):
    rng = np.random.default_rng(seed)
    spk = rng.uniform(size=(9, 40, 6)) < rate
    guesses = guess(spk)
    assert len(set(guesses)) > 1
    labels = np.where(rng.uniform(size=40) < 0.6, guesses, rng.integers(0, classes, 40))
    expected = np.mean(labels == guesses)
    assert 0 < expected < 1
    assert function(torch.tensor(spk).float(), torch.tensor(labels)) == pytest.approx(expected)


thirds = functools.partial(SF.accuracy_rate, population_code=True, num_classes=3)
BY_HAND = {
    "rate": (SF.accuracy_rate, lambda spk: guesses_by_rate(spk, 6), 6),
    "population": (thirds, lambda spk: guesses_by_rate(spk, 3), 3),
    "temporal": (SF.accuracy_temporal, guesses_by_time, 6),
}


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", BY_HAND)
def test_against_counting_by_hand(name, seed, rate):
    check_by_hand(*BY_HAND[name], seed, rate)


@pytest.mark.parametrize("name", BY_HAND)
def test_counting_by_hand_rejects_lost_steps(name):
    function, *rest = BY_HAND[name]
    with pytest.raises(AssertionError):
        check_by_hand(lambda spk, labels: function(spk[2:], labels), *rest, 0, 0.1)


def test_ties_go_to_the_lowest_class():
    spk = torch.zeros(3, 1, 4)
    spk[1, 0, 1:] = 1
    for function in (SF.accuracy_rate, SF.accuracy_temporal):
        assert function(spk, torch.tensor([1])) == 1
        assert function(spk, torch.tensor([2])) == 0


def test_a_silent_output_fires_at_the_last_step():
    spk = torch.zeros(3, 2, 2)
    spk[2, 0, 1] = spk[1, 1, 1] = 1  # as late as silence; earlier than silence
    assert SF.accuracy_temporal(spk, torch.tensor([0, 1])) == 1


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int64, torch.bool])
def test_every_dtype_of_spikes(dtype):
    spk = torch.zeros(3, 2, 2, dtype=dtype)
    spk[0, 0, 1] = spk[0, 1, 0] = True
    assert SF.accuracy_rate(spk, torch.tensor([1, 1])) == 0.5
    assert SF.accuracy_temporal(spk, torch.tensor([1, 1])) == 0.5


@pytest.mark.parametrize("dtype, most", [(torch.bfloat16, 256), (torch.float16, 2048)])
@pytest.mark.parametrize("size", [1, 3])
def test_half_precision_counts_every_spike(dtype, most, size):
    spk = torch.zeros(most + 4, 2, 2 * size, dtype=dtype)
    spk[:most, :, ::size] = 1
    spk[most, 0, size] = spk[most, 1, 0] = 1  # one more than the dtype can count to
    assert SF.accuracy_rate(spk, torch.tensor([1, 0]), size > 1, 2) == 1
    assert SF.accuracy_rate(spk, torch.tensor([0, 1]), size > 1, 2) == 0


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_every_integer_dtype_of_labels(dtype):
    assert SF.accuracy_rate(torch.eye(3)[None], torch.tensor([0, 1, 0], dtype=dtype)) == (
        pytest.approx(2 / 3)
    )


def test_pixels_may_follow():
    spk = (torch.rand(5, 2, 3, 4, 4) < 0.3).float()
    labels = torch.randint(0, 3, (2, 4, 4))
    flat = spk.permute(0, 1, 3, 4, 2).reshape(5, 32, 3)
    for function in (SF.accuracy_rate, SF.accuracy_temporal):
        assert function(spk, labels) == pytest.approx(function(flat, labels.flatten()))


def test_result_is_a_plain_number():
    accuracy = SF.accuracy_rate(torch.eye(2)[None].requires_grad_(), torch.tensor([0, 1]))
    assert isinstance(accuracy, float)
    assert accuracy.item() == 1
    assert f"{accuracy * 100:.2f}%" == "100.00%"


SPK = torch.ones(4, 2, 6)
LABELS = torch.tensor([0, 1])
WRONG = {
    "list": (SF.accuracy_rate, (list(SPK), LABELS), TypeError, r"got list.\n.*torch.stack\(list"),
    "tuple": (SF.accuracy_temporal, ((SPK[0],), LABELS), TypeError, r"tuple.\n.*torch.stack"),
    "complex": (SF.accuracy_rate, (SPK * 1j, LABELS), TypeError, "a real `spk_out`, but got torch"),
    "complex times": (SF.accuracy_temporal, (SPK * 1j, LABELS), TypeError, "a real `spk_out`"),
    "ignored label": (SF.accuracy_rate, (SPK, LABELS - 100), ValueError, "got label -100, -99"),
    "no tensor": (SF.accuracy_rate, (SPK.tolist(), LABELS), TypeError, "`spk_out` to be a torch"),
    "no time": (SF.accuracy_rate, (SPK[0], LABELS), ValueError, r"\(time, batch, num_outputs"),
    "no step": (SF.accuracy_rate, (SPK[:0], LABELS), ValueError, "at least one step"),
    "no sample": (SF.accuracy_rate, (SPK[:, :0], LABELS[:0]), ValueError, "an empty batch"),
    "labels no tensor": (SF.accuracy_rate, (SPK, [0, 1]), TypeError, "`targets` to be a torch"),
    "float labels": (SF.accuracy_rate, (SPK, LABELS.float()), TypeError, r"but got torch.float32"),
    "one-hot": (SF.accuracy_rate, (SPK, torch.eye(6)[:2].long()), ValueError, r"shape \(2,\)"),
    "batch": (SF.accuracy_rate, (SPK, LABELS[:1]), ValueError, r"shape \(2,\).*got \(1,\)"),
    "high label": (SF.accuracy_rate, (SPK, LABELS + 5), ValueError, "6 classes, but got label 6"),
    "low label": (SF.accuracy_rate, (SPK, LABELS - 1), ValueError, "0 to 5, .*but got label -1"),
    "pooled label": (
        SF.accuracy_rate,
        (SPK, LABELS + 1, True, 2),
        ValueError,
        "2 classes, but got label 2",
    ),
    "uneven": (
        SF.accuracy_rate,
        (SPK, LABELS, True, 4),
        ValueError,
        "`num_classes` = 4 divides, but got 6",
    ),
    "classes left out": (SF.accuracy_rate, (SPK, LABELS, True), TypeError, "`num_classes` to be"),
    "no classes": (SF.accuracy_rate, (SPK, LABELS, True, 0), ValueError, "`num_classes` >= 1"),
    "half a class": (SF.accuracy_rate, (SPK, LABELS, True, 1.5), TypeError, "an int, but got 1.5"),
    "no outputs": (SF.accuracy_rate, (SPK[..., :0], LABELS), ValueError, "one output"),
    "no values": (SF.accuracy_rate, (SPK.to("meta"), LABELS), ValueError, "with values"),
    "flag": (SF.accuracy_rate, (SPK, LABELS, SPK), TypeError, "`population_code` to be True"),
    "temporal, no tensor": (SF.accuracy_temporal, (None, LABELS), TypeError, "got NoneType"),
    "temporal, no time": (SF.accuracy_temporal, (SPK[0], LABELS), ValueError, "at least one step"),
    "temporal, label": (SF.accuracy_temporal, (SPK, LABELS + 9), ValueError, "got label 9, 10"),
    "temporal, float": (SF.accuracy_temporal, (SPK, LABELS.double()), TypeError, "integer class"),
}


@pytest.mark.parametrize("function, args, error, message", WRONG.values(), ids=WRONG)
def test_wrong_input(function, args, error, message):
    with pytest.raises(error, match=message) as caught:
        function(*args)
    assert str(caught.value).startswith(f"{function.__name__} expected")
    assert "{" not in str(caught.value)
    assert torch.equal(SPK, torch.ones(4, 2, 6))
    assert LABELS.tolist() == [0, 1]
