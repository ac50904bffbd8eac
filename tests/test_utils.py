"""utils: resetting nets, and shrinking and splitting data sets."""

from __future__ import annotations

import hashlib
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import snntorch as snn
from snntorch import utils

KINDS = {
    "tensor": torch.tensor,
    "array": np.array,
    "list": list,
}


def dataset(kind: str, size: int = 11) -> SimpleNamespace:
    make = KINDS[kind]
    return SimpleNamespace(
        data=make([[i, 10 * i] for i in range(size)]), targets=make(list(range(size)))
    )


def pairs(data: SimpleNamespace) -> set[tuple[int, int, int]]:
    """Return (first, second, target) of every sample."""
    return {
        (int(row[0]), int(row[1]), int(t)) for row, t in zip(data.data, data.targets, strict=True)
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("subset", "idx", "want"),  # as 1.0.0 does, for 11 samples
    [
        (1, 0, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (2, 0, [0, 1, 2, 3, 4]),
        (2, 1, [5, 6, 7, 8, 9]),
        (3, 2, [6, 7, 8]),
        (4, 1, [2, 3]),
        (10, 0, [0]),
        (11, 10, [10]),
        (np.int64(5), 4, [8, 9]),
    ],
)
def test_data_subset(kind: str, subset: int, idx: int, want: list[int]) -> None:
    data = dataset(kind)
    kept = utils.data_subset(data, subset, idx)
    assert kept is data
    assert type(data.targets) is type(dataset(kind).targets)
    assert [int(t) for t in data.targets] == want
    assert pairs(data) == {(i, 10 * i, i) for i in want}


#: Samples, split and seed: the training samples of 1.0.0, in its order. Validation has the rest.
SPLITS = [
    (10, 0.3, 0, [9, 0, 1, 5, 2, 4, 3]),
    (10, 0.3, 1, [4, 1, 0, 6, 8, 2, 9]),
    (11, 0.5, 0, [2, 4, 7, 3, 0, 5]),
    (11, 0.25, 7, [5, 6, 9, 3, 2, 7, 8, 0, 4]),
    (10, 0.35, 3, [9, 1, 6, 0, 8, 3, 7]),
    (10, 0.29, 0, [2, 8, 9, 4, 6, 1, 0, 3]),
    (9, 1 / 3, 0, [1, 4, 5, 2, 0, 3]),
    (10, 0, 0, [0, 9, 1, 2, 4, 6, 3, 7, 5, 8]),
    (10, 1, 0, []),
]
#: Likewise, with the SHA-256 of all indices, written in eight bytes, the lowest first.
LONG_SPLITS = [
    (1000, 0.1, 0, "91ebc104527bc87c", "cc3600a0a7d72e89"),
    (1000, 0.25, 3, "3a0edf440691c71c", "050deec3c3709c8e"),
    (60000, 0.1, 0, "94cc76d19a08dc1f", "2c01c11ff00feb62"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("size", "split", "seed", "want"), SPLITS)
def test_released_splits(kind: str, size: int, split: float, seed: int, want: list[int]) -> None:
    train, val = utils.valid_split(dataset(kind, size), dataset(kind, size), split, seed)
    assert [int(t) for t in train.targets] == want
    assert [int(t) for t in val.targets] == sorted(set(range(size)) - set(want))


@pytest.mark.parametrize(("size", "split", "seed", "train_hash", "val_hash"), LONG_SPLITS)
def test_long_released_splits(
    size: int, split: float, seed: int, train_hash: str, val_hash: str
) -> None:
    sets = [SimpleNamespace(data=np.arange(size), targets=np.arange(size)) for _ in "ab"]
    for part, want in zip(
        utils.valid_split(*sets, split, seed), (train_hash, val_hash), strict=True
    ):
        got = hashlib.sha256(part.data.astype("<i8").tobytes()).hexdigest()
        assert got[:16] == want


def test_a_split_without_a_seed_is_another_each_time() -> None:
    sizes = (200, 200, 200)
    splits = [
        utils.valid_split(dataset("list", n), dataset("list", n), 0.5, None)[1] for n in sizes
    ]
    assert len({tuple(split.targets) for split in splits}) > 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("split", [0, 0.3, 1])
def test_valid_split(kind: str, split: float) -> None:
    state = np.random.get_state()[1].copy()
    train, val = utils.valid_split(dataset(kind), dataset(kind), split)
    assert len(val.targets) == int(11 * split)
    assert type(train.data) is type(dataset(kind).data)
    assert not pairs(train) & pairs(val)
    assert pairs(train) | pairs(val) == {(i, 10 * i, i) for i in range(11)}
    again, _ = utils.valid_split(dataset(kind), dataset(kind), split)
    assert [int(t) for t in again.targets] == [int(t) for t in train.targets]
    assert (np.random.get_state()[1] == state).all(), "the global random state is not touched"


def test_valid_split_depends_on_the_seed() -> None:
    splits = [utils.valid_split(dataset("list"), dataset("list"), 0.5, seed)[1] for seed in (0, 1)]
    assert pairs(splits[0]) != pairs(splits[1])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda d: utils.data_subset(d, 0), ValueError, r"`subset` >= 1, but got 0"),
        (lambda d: utils.data_subset(d, 12), ValueError, r"of at most 11 samples, but got 12"),
        (lambda d: utils.data_subset(d, "3"), TypeError, r"`subset` to be an int, but got '3'"),
        (lambda d: utils.data_subset(d, 2.5), TypeError, r"`subset` to be an int, but got 2.5"),
        (lambda d: utils.data_subset(d, None), TypeError, r"`subset` to be an int, but got None"),
        (lambda d: utils.data_subset(d, 2, -1), ValueError, r"`idx` >= 0, but got -1"),
        (lambda d: utils.data_subset(d, 2, 0.5), TypeError, r"`idx` to be an int, but got 0.5"),
        (lambda d: utils.valid_split(d, d, "0.3"), TypeError, r"`split` to be a number.*'0.3'"),
        (lambda d: utils.valid_split(d, d, math.nan), ValueError, r"from 0 to 1, but got nan"),
        (lambda d: utils.valid_split(d, d, 0.3, -1), ValueError, r"`seed` >= 0, but got -1"),
        (lambda d: utils.valid_split(d, d, 0.3, "a"), TypeError, r"`seed` to be an int.* 'a'"),
        (lambda d: utils.data_subset(d, 2, 2), ValueError, r"`idx` from 0 to 1, but got 2"),
        (lambda d: utils.data_subset([1], 2), TypeError, r"with `data` and `targets`.* list"),
        (lambda d: utils.valid_split(d, d, 1.5), ValueError, r"`split` from 0 to 1, but got 1.5"),
        (
            lambda d: utils.valid_split(d, dataset("list", 3), 0.5),
            ValueError,
            r"`ds_val` of 11 samples.* 3",
        ),
        (lambda d: utils.valid_split(d, None, 0.5), TypeError, r"with `data` and `targets`"),
        (utils.reset, TypeError, r"reset expected `net` to be a torch\.nn\.Module"),
    ],
)
def test_wrong_input_changes_nothing(call: Any, error: type[Exception], message: str) -> None:
    data = dataset("list")
    with pytest.raises(error, match=message):
        call(data)
    assert pairs(data) == pairs(dataset("list"))


def test_reset_finds_neurons_however_deep_and_starts_a_new_graph() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleDict({"a": snn.Synaptic(0.8, 0.9, init_hidden=True)})
            self.last = snn.Leaky(0.9, init_hidden=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(self.layers["a"](x))

    net = nn.Sequential(nn.Linear(2, 2), Block())
    for _ in range(2):
        utils.reset(net)
        net(torch.ones(1, 2)).sum().backward()  # a second pass needs a new graph
    utils.reset(net)
    neurons = [m for m in net.modules() if isinstance(m, snn.SpikingNeuron)]
    assert len(neurons) == 2
    for neuron in neurons:
        for name in neuron.state_names:
            assert getattr(neuron, name).abs().sum() == 0
            assert getattr(neuron, name).shape == (1, 2)
            assert not getattr(neuron, name).requires_grad
