"""What a plan says is what happens."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

import snntorch as snn
from snntorch import surrogate
from tests.cases import CASES, Case
from tests.unroll.test_unroll import KERNEL_CASES

STEPS = 20


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """List the neurons whose single steps ran."""
    calls: list[Any] = []
    advance = snn.SpikingNeuron._advance

    def counted(self: Any, *args: Any) -> Any:
        calls.append(self)
        return advance(self, *args)

    monkeypatch.setattr(snn.SpikingNeuron, "_advance", counted)
    return calls


def options() -> dict[str, dict[str, Any]]:
    return {
        "plain": {},
        "quantized": {"state_quant": lambda state: state},
        "own surrogate": {"spike_grad": surrogate.custom_surrogate(lambda x, grad, spk: grad)},
        "no surrogate": {"surrogate_disable": True},
    }


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.int64, torch.float16], ids=str
)
@pytest.mark.parametrize("name", options())
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_plan_with_an_example_comes_true(
    case: Case, name: str, dtype: torch.dtype, steps: list[Any]
) -> None:
    neuron = case.make(init_hidden=True, **options()[name])
    if dtype == torch.float64 and not list(neuron.children()):
        one = getattr(neuron, neuron._parameter_names[-1])
        one.data = torch.full_like(one, 0.5, dtype=torch.float64)
    elif dtype.is_floating_point:
        neuron.to(dtype)
    elif list(neuron.children()):
        return  # torch's layers take no integers
    net = nn.Sequential(neuron)
    x = (case.input(STEPS) * 2).to(dtype)
    said = snn.plan(net, x).notes[0]
    steps.clear()
    snn.unroll(net, x)
    assert len(steps) == (STEPS if "step by step" in said else 0)
    assert ("one kernel over all time" in said or "a loop of fused steps" in said) is not bool(
        steps
    )
    if dtype == torch.float32 and case in KERNEL_CASES:
        assert bool(steps) is (name != "plain")
        assert snn.plan(net).notes[0] == said


def test_an_example_changes_nothing() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), snn.Leaky(0.9, init_hidden=True))
    x = torch.rand(STEPS, 2, 3)
    net(x[0])
    mem, state = net[2].mem, torch.random.get_rng_state()
    snn.plan(net, x)
    assert net[2].mem is mem
    assert torch.equal(torch.random.get_rng_state(), state)


def test_layers_are_told_what_happens_to_them() -> None:
    net = nn.Sequential(
        nn.Linear(3, 4), snn.Leaky(0.9, init_hidden=True), nn.Flatten(0), nn.BatchNorm1d(8)
    ).eval()
    notes = snn.plan(net[:2], torch.rand(2, 3), num_steps=5).notes
    assert notes[0] == "once, as its input is the same at all times"
    assert "all time" in notes[1]
    assert snn.plan(net[2:3], torch.rand(5, 2, 4)).notes == (
        "step by step: its steps do not begin with a batch, or have too few dimensions",
    )


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (nn.InstanceNorm1d(3, track_running_stats=True), "its statistics run on"),
        (nn.MaxPool1d(2, return_indices=True), "it returns indices, too"),
    ],
    ids=["running statistics", "indices"],
)
def test_a_layer_that_is_not_folded_says_why(layer: nn.Module, why: str) -> None:
    assert why in snn.plan(nn.Sequential(layer), torch.rand(5, 2, 3, 4)).notes[0]


def test_a_neuron_of_whole_sequences_is_no_stage_of_steps() -> None:
    neuron = snn.StateLeaky(0.9, channels=3)
    assert "a whole sequence in one call" in str(snn.plan(neuron))
    x: Tensor = torch.rand(STEPS, 2, 3)
    for call in (snn.unroll, snn.plan):
        with pytest.raises(ValueError, match="time, batch, 3"):
            call(neuron, x)


def test_a_net_that_holds_values_with_a_graph() -> None:
    """As pruned weights are, and what a net keeps of its last run."""
    layer = prune.l1_unstructured(nn.Linear(3, 2), "weight", 2)
    net = nn.Sequential(layer, snn.Leaky(0.9, init_hidden=True))
    net.last = net(torch.rand(2, 3))
    x = torch.rand(STEPS, 2, 3)
    assert "it has hooks" in snn.plan(net, x).notes[0]
    assert "deferred" in str(snn.plan(snn.fuse(net), x[0]))
    assert net.last.requires_grad
