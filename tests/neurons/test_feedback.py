"""The weight of feedback from each neuron to itself: `V` and `recurrent.V` are one."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import snntorch as snn

Neuron = Any


def make(learn: bool, V: Any = 1.0) -> Neuron:
    return snn.RSynaptic(0.0, 0.9, V=V, all_to_all=False, learn_recurrent=learn)


def assigned(neuron: Neuron) -> Neuron:
    neuron.V = nn.Parameter(torch.tensor(-5.0))
    return neuron


def assigned_inside(neuron: Neuron) -> Neuron:
    neuron.recurrent.V = nn.Parameter(torch.tensor(-5.0))
    return neuron


def loaded(neuron: Neuron) -> Neuron:
    neuron.load_state_dict(
        {n: v * 0 - 5 if n.endswith("V") else v for n, v in neuron.state_dict().items()}
    )
    return neuron


def loaded_by_assignment(neuron: Neuron) -> Neuron:
    state = {n: v * 0 - 5 if n.endswith("V") else v for n, v in neuron.state_dict().items()}
    neuron.load_state_dict(state, assign=True)
    return neuron


def from_meta(neuron: Neuron) -> Neuron:
    with torch.device("meta"):
        other = make(isinstance(neuron.V, nn.Parameter))
    other = other.to_empty(device="cpu")
    other.load_state_dict(loaded(neuron).state_dict())
    return other


def copied(neuron: Neuron) -> Neuron:
    return assigned(copy.deepcopy(neuron))


def pickled(neuron: Neuron) -> Neuron:
    return assigned_inside(pickle.loads(pickle.dumps(neuron)))


def saved(neuron: Neuron) -> Neuron:
    torch.save(neuron, file := io.BytesIO())
    file.seek(0)
    return assigned(torch.load(file, weights_only=False))


def moved(neuron: Neuron) -> Neuron:
    return loaded(neuron.double().float())


def edited(neuron: Neuron) -> Neuron:
    neuron.V.data.fill_(-5.0)
    return neuron


def emptied(neuron: Neuron) -> Neuron:
    neuron = neuron.to("meta").to_empty(device="cpu")
    neuron.load_state_dict(loaded(make(isinstance(neuron.V, nn.Parameter))).state_dict())
    return neuron


def loaded_in_a_net(neuron: Neuron) -> Neuron:
    net = nn.Sequential(nn.Identity(), nn.ModuleList([neuron]))
    state = {n: v * 0 - 5 if n.endswith("V") else v for n, v in net.state_dict().items()}
    net.load_state_dict(state, assign=True)
    return neuron


def swapped(neuron: Neuron) -> Neuron:
    new = torch.tensor(-5.0)
    torch.utils.swap_tensors(neuron.V, nn.Parameter(new) if neuron.V.requires_grad else new)
    return neuron


def swapped_by_moving(neuron: Neuron) -> Neuron:
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        return moved(neuron)
    finally:
        torch.__future__.set_swap_module_params_on_conversion(False)


def assigned_in_kind(neuron: Neuron) -> Neuron:
    new = torch.tensor(-5.0)
    neuron.V = nn.Parameter(new) if isinstance(neuron.V, nn.Parameter) else new
    return neuron


def halved_and_assigned(neuron: Neuron) -> Neuron:
    neuron = neuron.half()
    neuron.recurrent.V = nn.Parameter(torch.tensor(-5.0, dtype=torch.float16))
    return neuron.float()


CHANGES = (
    *(assigned, assigned_inside, loaded, loaded_by_assignment, from_meta, copied),
    *(pickled, saved, moved, edited, emptied, loaded_in_a_net, swapped, swapped_by_moving),
    *(assigned_in_kind, halved_and_assigned),
)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("learn", [True, False])
def test_there_is_one_weight(learn: bool, change: Callable[[Neuron], Neuron]) -> None:
    neuron = change(make(learn))
    assert neuron.V is neuron.recurrent.V
    ones, zeros = torch.ones(1, 2), torch.zeros(1, 2)
    _, _, mem = neuron(ones, ones, zeros, zeros)
    assert mem.tolist() == [[-4.0, -4.0]]  # 1 - 5
    _, _, mem = neuron.unroll(ones.unsqueeze(0), ones, zeros, zeros)
    assert mem.tolist() == [[[-4.0, -4.0]]]


@pytest.mark.parametrize("change", CHANGES)
def test_the_one_weight_is_what_learns(change: Callable[[Neuron], Neuron]) -> None:
    neuron = change(make(True))
    found = [id(parameter) for parameter in neuron.parameters()]
    weights = [id(neuron.V)] if isinstance(neuron.V, nn.Parameter) else []
    assert found == weights
    for _ in weights:
        ones, zeros = torch.ones(1, 2), torch.zeros(1, 2)
        neuron(ones, ones, zeros, zeros)[2].sum().backward()
        assert neuron.V.grad == neuron.recurrent.V.grad == 2
        torch.optim.SGD(neuron.parameters(), 0.5).step()
        assert neuron(ones, ones, zeros, zeros)[2].tolist() == [[-5.0, -5.0]]  # 1 - 5 - 0.5 * 2


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("learn", [True, False])
def test_copies_have_weights_of_their_own(learn: bool, change: Callable[[Neuron], Neuron]) -> None:
    neuron = change(make(learn))
    for other in (copy.deepcopy(neuron), pickle.loads(pickle.dumps(neuron))):
        assert other.V is other.recurrent.V
        assert other.V is not neuron.V
        other.V.data.fill_(3.0)
        other.recurrent.V = nn.Parameter(other.V.detach() + 1)
        assert (other.V, neuron.V) == (4, -5)


@pytest.mark.parametrize("key", ["V", "recurrent.V"])
@pytest.mark.parametrize("learn", [True, False])
def test_a_functional_call_replaces_both(learn: bool, key: str) -> None:
    neuron = make(learn, torch.ones(2))
    V = torch.tensor([-5.0, 2.0], requires_grad=True)
    ones, zeros = torch.ones(1, 2), torch.zeros(1, 2)
    _, _, mem = torch.func.functional_call(neuron, {key: V}, (ones, ones, zeros, zeros))
    assert mem.tolist() == [[-4.0, 3.0]]
    mem.sum().backward()
    assert V.grad is not None
    assert V.grad.tolist() == [1.0, 1.0]
    assert neuron.V is neuron.recurrent.V
    assert neuron.V.tolist() == [1.0, 1.0]


def test_a_neuron_and_its_feedback_free_each_other() -> None:
    import gc  # noqa: PLC0415
    import weakref  # noqa: PLC0415

    neuron = make(True)
    gone = weakref.ref(neuron)
    gc.disable()
    try:
        del neuron
        assert gone() is None, "without a look for cycles"
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("neuron", "shape", "says"),
    [
        (snn.RLeaky(0.9, linear_features=5), (2, 3), "`linear_features` = 5"),
        (snn.RSynaptic(0.9, 0.8, linear_features=2), (2, 3), "`linear_features` = 2"),
        (snn.RLeaky(0.9, conv2d_channels=4, kernel_size=3), (2, 3, 8, 8), "`conv2d_channels` = 4"),
        (snn.RLeaky(0.9, conv2d_channels=4, kernel_size=3), (2, 3), "`conv2d_channels` = 4"),
    ],
)
def test_an_input_that_does_not_fit_the_feedback(neuron: Any, shape: Any, says: str) -> None:
    for call in (neuron, lambda x: neuron.unroll(x.unsqueeze(0))):
        with pytest.raises(ValueError, match=says):
            call(torch.rand(shape))
