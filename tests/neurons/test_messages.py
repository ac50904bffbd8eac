"""Everyday mistakes: each message names the argument and what to type."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

import snntorch as snn
from snntorch import surrogate

X = torch.rand(5, 4, 3)

MISTAKES: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "beta of another size": (
        lambda: snn.Synaptic(0.9, torch.rand(4))(X[0]),
        ValueError,
        "`beta` to broadcast",
    ),
    "threshold of another size": (
        lambda: snn.Leaky(0.9, torch.rand(7)).unroll(X),
        ValueError,
        "`threshold`",
    ),
    "features of an LSTM": (lambda: snn.SLSTM(8, 4)(X[0]), ValueError, "as `input_size` says"),
    "channels of an LSTM": (
        lambda: snn.SConv2dLSTM(2, 3, 3)(torch.rand(1, 5, 6, 6)),
        ValueError,
        "as `in_channels` says",
    ),
    "no channels": (
        lambda: snn.SConv2dLSTM(2, 3, 3)(torch.rand(6, 6)),
        ValueError,
        "as `in_channels` says",
    ),
    "pooling": (
        lambda: snn.SConv2dLSTM(2, 3, 3, avg_pool=(2, 9))(torch.rand(1, 2, 6, 6)),
        ValueError,
        "no smaller than its pooling",
    ),
    "hidden size": (lambda: snn.SLSTM(4, 0), ValueError, "`hidden_size` >= 1, but got 0"),
    "out channels": (
        lambda: snn.SConv2dLSTM(2, 1.5, 3),
        TypeError,
        "`out_channels` to be an int, but got 1.5",
    ),
    "fire a list": (lambda: snn.Leaky(0.9).fire([1.0]), TypeError, "`mem` to be a torch.Tensor"),
    "reset nothing": (
        lambda: snn.Leaky(0.9).mem_reset(None),
        TypeError,
        "`mem` to be a torch.Tensor",
    ),
    "inhibit nothing": (
        lambda: snn.Leaky(0.9).fire_inhibition(1, None),
        TypeError,
        "`mem` to be a torch.Tensor",
    ),
    "surrogate of a number": (
        lambda: surrogate.sigmoid()(0.5),
        TypeError,
        "`x` to be a torch.Tensor",
    ),
    "complex input": (
        lambda: snn.RLeaky(0.9, V=1.0, all_to_all=False)(X[0] * 1j),
        TypeError,
        "a real `input_`",
    ),
    "complex beta": (lambda: snn.Leaky(torch.tensor(0.5j)), TypeError, "a real `beta`"),
    "complex threshold": (lambda: snn.SLSTM(3, 3, threshold=1j), TypeError, "a real `threshold`"),
    "flag as a tensor": (
        lambda: snn.Alpha(0.9, 0.8, learn_alpha=torch.ones(2)),
        TypeError,
        "`learn_alpha` to be True or False",
    ),
    "flag as a string": (
        lambda: snn.Leaky(0.9, init_hidden="yes"),
        TypeError,
        "`init_hidden` to be True or False",
    ),
    "surrogate's class": (
        lambda: snn.Leaky(0.9, spike_grad=surrogate.Triangular),
        TypeError,
        "`spike_grad` to be a function",
    ),
    "surrogate's factory": (
        lambda: snn.Leaky(0.9, spike_grad=surrogate.LSO),
        TypeError,
        "spike_grad=surrogate.LSO()",
    ),
    "slope as a string": (lambda: surrogate.LSO("0.1"), TypeError, "`slope` to be a number"),
    "bound of nothing": (lambda: surrogate.SFS(25, None), TypeError, "`B` to be a number"),
    "infinite alpha": (lambda: surrogate.atan(float("inf")), ValueError, "a finite `alpha`"),
    "beta beyond all floats": (
        lambda: surrogate.spike_rate_escape(10**400),
        ValueError,
        "a finite `beta`",
    ),
    "the parent": (lambda: snn.SpikingNeuron()(X[0]), TypeError, "Use snn.Leaky"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named(name: str) -> None:
    call, error, says = MISTAKES[name]
    with pytest.raises(error, match=re.escape(says)) as found:
        call()
    assert "expected" in str(found.value)
    assert "but got" in str(found.value)


@pytest.mark.filterwarnings("ignore:.*inhibition is meant:UserWarning")
def test_inhibition_of_an_empty_batch() -> None:
    neuron = snn.Leaky(0.9, inhibition=True)
    spk, mem = neuron(torch.rand(0, 3))
    assert spk.shape == mem.shape == (0, 3)
    assert neuron.fire_inhibition(0, mem).shape == (0, 3)


@pytest.mark.parametrize(
    ("neuron", "says"),
    [
        (snn.Leaky(0.5), "Leaky(threshold=1, beta=0.5, reset_mechanism='subtract')"),
        (
            snn.Leaky(torch.rand(3), 2.0, learn_threshold=True, reset_mechanism="zero"),
            "Leaky(threshold=2 (learned), beta=<3 on cpu>, reset_mechanism='zero')",
        ),
        (
            snn.Leaky(
                0.5, graded_spikes_factor=3.0, init_hidden=True, output=True, reset_delay=False
            ),
            "Leaky(threshold=1, graded_spikes_factor=3, beta=0.5, reset_mechanism='subtract', "
            "init_hidden=True, output=True, reset_delay=False)",
        ),
        (
            snn.Synaptic(0.25, 0.5).to("meta"),
            "Synaptic(threshold=<one on meta>, graded_spikes_factor=<one on meta>, "
            "beta=<one on meta>, alpha=<one on meta>, reset_mechanism='subtract')",
        ),
        (snn.DeltaLeaky(0.5, 0.9), "DeltaLeaky(threshold=1, beta=0.9, delta_threshold=0.5)"),
    ],
)
def test_a_neuron_tells_itself_from_others(neuron: Any, says: str) -> None:
    assert repr(neuron) == says
