"""Training on two processes: what they share, and that they learn what one process learns."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

import snntorch as snn
from tests.distributed.gradients import NETS, alone, gradients, what_is_shared
from tests.distributed.processes import Tasks, in_two_processes
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

TASKS: Tasks = {
    "what is shared": what_is_shared,
    "joined": joined,
    **{f"gradients of {name}": partial(gradients, name) for name in NETS},
    **{f"losses by {name}": partial(losses, name) for name in WAYS},
    **{f"resumed {name}": partial(resumed, name) for name in CHECKPOINTED},
}


@pytest.fixture(scope="module")
def found() -> Iterator[list[dict[str, Any]]]:
    found = in_two_processes(TASKS)
    yield found
    for name in CHECKPOINTED:
        shutil.rmtree(found[0][f"resumed {name}"]["folder"])


@pytest.mark.parametrize("name", NETS)
def test_two_processes_learn_what_one_learns(name: str, found: list[dict[str, Any]]) -> None:
    """From batches of unequal size, a second time from states of the first."""
    losses, want = alone(name)
    for rank in range(2):
        loss, got = found[rank][f"gradients of {name}"]
        assert loss == pytest.approx(losses[rank], rel=1e-5)
        assert got.keys() == want.keys()
        for key, values in want.items():
            assert got[key] == pytest.approx(values, rel=1e-4, abs=1e-5), key
    assert any(any(values) for values in want.values())


def test_buffers_are_shared_but_for_states_and_those_ignored_by_the_user(
    found: list[dict[str, Any]],
) -> None:
    first, second = (each["what is shared"] for each in found)
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


@pytest.mark.parametrize("name", WAYS)
def test_losses_are_those_of_one_process(name: str, found: list[dict[str, Any]]) -> None:
    want = losses_alone(name)
    assert want[-1] < want[0]
    for rank in range(2):
        assert found[rank][f"losses by {name}"] == pytest.approx(want, rel=1e-5)


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


def test_a_process_without_batches_left_joins_those_of_the_other(
    found: list[dict[str, Any]],
) -> None:
    first, second = (each["joined"] for each in found)
    assert first == second
    for got, want in zip(first, joined_alone(), strict=True):
        assert got == pytest.approx(want, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", CHECKPOINTED)
def test_training_goes_on_from_a_checkpoint(name: str, found: list[dict[str, Any]]) -> None:
    for each in found:
        end = each[f"resumed {name}"]
        assert end["got"] == pytest.approx(end["want"], rel=1e-6)
        assert end["keys"] == sorted(WAYS[name].net().state_dict())
    alone = loaded_alone(name, end["folder"])
    assert alone == pytest.approx(end["want"][0], rel=1e-5)
