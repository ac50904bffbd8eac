"""DistributedDataParallel: states stay with each process, all else is shared as ever."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from tests.distributed.gradients import NETS, alone, gradients, what_is_shared
from tests.distributed.processes import in_two_processes


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
