"""Training on two processes: what they share, and that they learn what one process learns."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

import snntorch as snn
from tests.distributed.gradients import NETS, alone, gradients, what_is_shared
from tests.distributed.processes import in_two_processes
from tests.distributed.training import (
    CHECKPOINTED,
    WAYS,
    joined,
    joined_alone,
    loaded_alone,
    losses,
    losses_alone,
    resumed,
)


@pytest.fixture(scope="module")
def found() -> list[dict[str, Any]]:
    return in_two_processes(gradients, *NETS)


@pytest.mark.parametrize("name", NETS)
def test_two_processes_learn_what_one_learns(name: str, found: list[dict[str, Any]]) -> None:
    """From batches of unequal size, a second time from states of the first."""
    losses, want = alone(name)
    for rank in range(2):
        loss, got = found[rank][name]
        assert loss == pytest.approx(losses[rank], rel=1e-5)
        assert got.keys() == want.keys()
        for key, values in want.items():
            assert got[key] == pytest.approx(values, rel=1e-4, abs=1e-5), key
    assert any(any(values) for values in want.values())


def test_buffers_are_shared_but_for_states_and_those_ignored_by_the_user() -> None:
    first, second = (each[""] for each in in_two_processes(what_is_shared, ""))
    assert first["running_mean"] == second["running_mean"] == [0.0] * 3
    assert (first["mine"], second["mine"]) == (0.0, 1.0)
    assert (first["states"], second["states"]) == ([2, 3], [3, 3])
    assert first["ignored"] == second["ignored"] == ["1.mem", "mine"]


def test_without_processes_nothing_is_left_on_a_net() -> None:
    """What says that states are not shared does not show in a net's copies or keys."""
    net = NETS["nested"]()
    before = set(vars(net))
    net(torch.ones(2, 3))
    assert set(vars(net)) == before
    assert vars(copy.deepcopy(net)).keys() == before
    assert not any(key.endswith((".mem", ".syn")) for key in net.state_dict())


# -- training


@pytest.fixture(scope="module")
def trained() -> list[dict[str, Any]]:
    return in_two_processes(losses, *WAYS)


@pytest.mark.parametrize("name", WAYS)
def test_losses_are_those_of_one_process(name: str, trained: list[dict[str, Any]]) -> None:
    want = losses_alone(name)
    assert want[-1] < want[0]
    for rank in range(2):
        assert trained[rank][name] == pytest.approx(want, rel=1e-5)


@pytest.mark.parametrize("whole", [True, False])
def test_a_net_that_talks_while_it_runs_is_not_deferred(
    whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes that choose between it and the loop by their own clocks would mix things up."""
    net = nn.Sequential(nn.Linear(3, 2), nn.SyncBatchNorm(2), snn.Leaky(0.9, init_hidden=True))
    fused = snn.fuse(net if whole else nn.Sequential(net[0], net[2]))
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
    assert ("talk to other processes" in str(snn.plan(fused))) is whole
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: False)
    assert "talk to other processes" not in str(snn.plan(fused))


def test_a_process_without_batches_left_joins_those_of_the_other() -> None:
    first, second = (each[""] for each in in_two_processes(joined, ""))
    assert first == second
    for got, want in zip(first, joined_alone(), strict=True):
        assert got == pytest.approx(want, rel=1e-5, abs=1e-6)


@pytest.fixture(scope="module")
def checkpoints() -> Iterator[dict[str, Any]]:
    found = in_two_processes(resumed, *CHECKPOINTED)[0]
    yield found
    for each in found.values():
        shutil.rmtree(each["folder"])


@pytest.mark.parametrize("name", CHECKPOINTED)
def test_training_goes_on_from_a_checkpoint(name: str, checkpoints: dict[str, Any]) -> None:
    found = checkpoints[name]
    assert found["got"] == pytest.approx(found["want"], rel=1e-6)
    assert found["keys"] == sorted(WAYS[name].net().state_dict())
    assert loaded_alone(name, found["folder"]) == pytest.approx(found["want"][0], rel=1e-5)
