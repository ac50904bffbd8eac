"""utils: resetting nets, and shrinking and splitting data sets."""

from __future__ import annotations

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
@pytest.mark.parametrize(("subset", "idx"), [(1, 0), (3, 0), (3, 2), (10, 0), (20, 0)])
def test_data_subset(kind: str, subset: int, idx: int) -> None:
    data = dataset(kind)
    kept = utils.data_subset(data, subset, idx)
    assert kept is data
    assert type(data.targets) is type(dataset(kind).targets)
    want = list(range(idx, 11, subset))
    assert [int(t) for t in data.targets] == want
    assert pairs(data) == {(i, 10 * i, i) for i in want}


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
        (lambda d: utils.data_subset(d, 0), ValueError, r"`subset` of at least 1, but got 0"),
        (lambda d: utils.data_subset(d, 2, 2), ValueError, r"`idx` from 0 to 1, but got 2"),
        (lambda d: utils.data_subset([1], 2), TypeError, r"with `data` and `targets`.* list"),
        (lambda d: utils.valid_split(d, d, 1.5), ValueError, r"`split` from 0 to 1, but got 1.5"),
        (
            lambda d: utils.valid_split(d, dataset("list", 3), 0.5),
            ValueError,
            r"`ds_val` of 11 samples.* 3",
        ),
        (lambda d: utils.valid_split(d, None, 0.5), TypeError, r"with `data` and `targets`"),
        (utils.reset, TypeError, r"reset expected a torch\.nn\.Module"),
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
