from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch

import snntorch.functional as SF
from tests import golden

CASES = [case for case in golden.cases("acc") if case["fn"] == "l1_rate_sparsity"]


def check_recorded(case: dict[str, Any], make: Callable[..., Any]) -> None:
    spk = golden.rng(case["seed"], "spk").uniform(size=(20, 5, 8)) < 0.3
    got = make(Lambda=1e-3)(torch.tensor(spk).float())
    torch.testing.assert_close(got, golden.tensor(case, "y"), rtol=1e-5, atol=0)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_recorded_numbers(case):
    check_recorded(case, SF.l1_rate_sparsity)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_recorded_numbers_reject_the_mean(case):
    with pytest.raises(AssertionError):
        check_recorded(case, lambda Lambda: lambda spk: Lambda * spk.mean())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_value_and_gradient(dtype):
    x = torch.tensor([[1.0, 0.0, -2.0]], dtype=dtype, requires_grad=True)
    price = SF.l1_rate_sparsity(0.25)(x)
    assert price.dtype == dtype
    assert price.item() == 0.75
    price.backward()
    assert x.grad.tolist() == [[0.25, 0, -0.25]]


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.uint8, torch.float16])
def test_every_dtype_of_spikes(dtype):
    assert SF.l1_rate_sparsity(0.5)(torch.tensor([1, 0, 1]).to(dtype)).item() == 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_counts_every_spike(dtype):
    x = torch.ones(5, 20001, dtype=dtype, requires_grad=True)
    price = SF.l1_rate_sparsity(1.0)(x)
    assert price.dtype == torch.float32
    assert price.item() == 100005
    price.backward()
    assert x.grad.dtype == dtype


def test_default_price():
    assert SF.l1_rate_sparsity()(torch.ones(10, 10)).item() == pytest.approx(1e-3)


def test_name_repr_and_pickle():
    regularization = SF.l1_rate_sparsity(0.5)
    assert regularization.__name__ == "l1_rate_sparsity"
    assert repr(regularization) == "l1_rate_sparsity(Lambda=0.5)"
    copy = pickle.loads(pickle.dumps(regularization))
    assert copy(torch.ones(3)).item() == 1.5


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: SF.l1_rate_sparsity("0.1"), "`Lambda` to be a number, but got '0.1'"),
        (lambda: SF.l1_rate_sparsity(None), "`Lambda` to be a number, but got None"),
        (lambda: SF.l1_rate_sparsity(math.nan), "a finite `Lambda`, but got nan"),
        (lambda: SF.l1_rate_sparsity()([1.0]), "`spk_out` to be a torch.Tensor, but got list"),
        (
            lambda: SF.l1_rate_sparsity()((torch.ones(2), torch.ones(2))),
            r"`spk_out` to be a torch.Tensor, but got tuple.\nCollect .* torch.stack\(list\)",
        ),
        (lambda: SF.l1_rate_sparsity()(torch.ones(2) * 1j), "a real `spk_out`, but got torch.comp"),
    ],
)
def test_wrong_input(call, message):
    error = ValueError if "finite" in message else TypeError
    with pytest.raises(error, match=f"l1_rate_sparsity expected {message}"):
        call()
