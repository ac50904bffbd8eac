"""Checkpoints and optimizer states of snnTorch 1.0.0 fit here, and those of here fit there.

``data/checkpoints.json`` holds what 1.0.0 has in the ``state_dict`` of every class: names
and shapes, the ``parameters()`` in their order (those that are not learned: ``fixed``), and
what it keeps as ``integers``. Here numbers given as integers are kept as floats, which load
there, and take theirs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import snntorch as snn

RELEASED = json.loads((Path(__file__).parent / "data" / "checkpoints.json").read_text())
each = pytest.mark.parametrize(
    "released", RELEASED, ids=lambda r: f"{r['class']}-{'-'.join(map(str, r['kwargs'].values()))}"
)


def build(released: dict[str, Any]) -> nn.Module:
    arguments = {
        name: torch.tensor(value) if isinstance(value, list) and name != "kernel_size" else value
        for name, value in released["kwargs"].items()
    }
    module: nn.Module = getattr(snn, released["class"])(**arguments)
    return module


def test_every_class_has_records() -> None:
    public = {name: getattr(snn, name) for name in snn.__all__}
    modules = {n for n, c in public.items() if isinstance(c, type) and issubclass(c, nn.Module)}
    layers = {"BatchNormTT1d", "BatchNormTT2d"}
    known = {released["class"] for released in RELEASED}
    later = {"ALIF", "AdEx", "Izhikevich", "SynapticDelay"}  # than 1.0.0
    assert known == (modules - {"LIF", "SpikingNeuron"} - later) | layers


@each
def test_names_shapes_and_order(released: dict[str, Any]) -> None:
    module = build(released)
    state = {name: list(value.shape) for name, value in module.state_dict().items()}
    assert state == released["state"]
    names = [name for name, _ in module.named_parameters()]
    assert names == released["parameters"]
    fixed = [name for name, value in module.named_parameters() if not value.requires_grad]
    assert fixed == released.get("fixed", [])
    integers = {name for name, v in module.state_dict().items() if not v.is_floating_point()}
    assert integers <= set(released["integers"])
    assert integers == {n for n in state if n.endswith(("mechanism_val", "num_batches_tracked"))}


@each
def test_a_checkpoint_loads_and_trains_on(released: dict[str, Any]) -> None:
    generator = torch.Generator().manual_seed(1)
    checkpoint: dict[str, Tensor] = {
        name: torch.ones(shape, dtype=torch.int64)
        if name in released["integers"]
        else torch.rand(shape, generator=generator)
        for name, shape in released["state"].items()
    }
    module = build(released)
    if "reset_mechanism_val" in checkpoint:  # what some classes have no choice of
        checkpoint["reset_mechanism_val"] = module.state_dict()["reset_mechanism_val"].clone()
    if "recurrent.V" in checkpoint:  # one parameter, two names
        checkpoint["recurrent.V"] = checkpoint["V"]
    module.load_state_dict(checkpoint, strict=True)
    for name, value in module.state_dict().items():
        assert torch.equal(value.double(), checkpoint[name].double()), name
    sizes = [released["state"][name] for name in released["parameters"]]
    if not sizes:
        return
    moments = {
        i: {"step": torch.tensor(3.0), "exp_avg": torch.rand(s), "exp_avg_sq": torch.rand(s)}
        for i, s in enumerate(sizes)
    }
    optimizer = torch.optim.Adam(module.parameters())
    groups = optimizer.state_dict()["param_groups"]
    groups[0]["params"] = list(range(len(sizes)))
    optimizer.load_state_dict({"state": moments, "param_groups": groups})
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    optimizer.step()
    for i, parameter in enumerate(module.parameters()):
        same = torch.equal(parameter.double(), checkpoint[released["parameters"][i]].double())
        assert same != parameter.requires_grad, "the moments of its own are used"


INPUT = torch.tensor([[1.0, 0.5], [0.25, 2.0], [0.0, 1.0], [0.5, 0.0]]).view(4, 1, 2)


def test_a_state_leaky_that_1_0_0_trained() -> None:
    """tau is used, not beta: here what 1.0.0 saved after three steps, and what it computes."""
    neuron = snn.StateLeaky(torch.tensor([0.6, 0.6]), channels=2, learn_beta=True)
    checkpoint = {
        "beta": torch.tensor([0.5, 0.9]),
        "tau": torch.tensor([0.5017026662826538, 8.49753189086914]),
        "threshold": torch.tensor(1.0),
        "graded_spikes_factor": torch.tensor(1.0),
        "reset_mechanism_val": torch.tensor(0),
    }
    neuron.load_state_dict(checkpoint)
    _, mem = neuron(INPUT)
    want = [1.0, 0.5, 0.38625699281692505, 2.4444897174835205]
    want += [0.0526302233338356, 3.1731009483337402, 0.5071712136268616, 2.8208212852478027]
    torch.testing.assert_close(mem.flatten(), torch.tensor(want))
    neuron.load_state_dict({**checkpoint, "beta": torch.tensor([0.1, 0.2])})
    assert torch.equal(neuron(INPUT)[1], mem)
    neuron.load_state_dict({**checkpoint, "tau": torch.tensor([1.5, 1.5])})
    assert not torch.equal(neuron(INPUT)[1], mem)


def test_a_lapicque_of_1_0_0() -> None:
    """R, C and the time step are used."""
    neuron = snn.Lapicque(R=1.0, C=9.0)
    circuit = {"R": 4.0, "C": 0.5, "time_step": 0.5, "threshold": 9.0, "graded_spikes_factor": 1.0}
    checkpoint = {name: torch.tensor(value) for name, value in circuit.items()}
    checkpoint |= {
        "beta": torch.tensor([0.7788007855415344]),
        "reset_mechanism_val": torch.tensor(0),
    }
    neuron.load_state_dict(checkpoint)
    mem = neuron.init_lapicque()
    for step, want in zip(
        INPUT, ([1.0, 0.5], [1.0, 2.375], [0.75, 2.78125], [1.0625, 2.0859375]), strict=True
    ):
        _, mem = neuron(step, mem)
        assert mem.flatten().tolist() == want


def test_a_leaky_parallel_of_1_0_0() -> None:
    """The recurrent weight is used, not beta."""
    neuron = snn.LeakyParallel(2, 2, beta=0.5, bias=False, spike_grad=lambda x: 1 * x)
    neuron.load_state_dict(
        {
            "beta": torch.tensor([0.5]),
            "threshold": torch.tensor(1.0),
            "graded_spikes_factor": torch.tensor(1.0),
            "rnn.weight_ih_l0": torch.eye(2),
            "rnn.weight_hh_l0": torch.tensor([[0.25, 0.0], [0.0, 0.75]]),
        }
    )
    want = [0.0, -0.5, -0.5, 1.375, -0.875, 1.78125, -0.46875, 1.0859375]
    assert neuron(INPUT).flatten().tolist() == want


def test_optimizers_count_the_feedback_before_the_rates_of_rsynaptic() -> None:
    neuron = snn.RSynaptic(0.5, 0.9, V=1.0, all_to_all=False, learn_alpha=True, learn_beta=True)
    names = [name for name, _ in neuron.named_parameters()]
    assert names == ["beta", "V", "alpha"]  # the order of 1.0.0, by which states are loaded
