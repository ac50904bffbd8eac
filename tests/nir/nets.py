"""What is exported in the tests: each layer and neuron that NIR knows, and five nets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch import surrogate

STEPS = 200
#: Shape of one sample.
Shape = tuple[int, ...]
PER_NEURON = torch.linspace(0.3, 0.95, 5)
DENSE, IMAGE, SIGNAL = (5,), (4, 8, 6), (4, 12)


def hidden(cls: type[Any], *args: Any, **kwargs: Any) -> Any:
    return cls(*args, init_hidden=True, **kwargs)


#: A layer alone is followed by a neuron, so that what is small becomes spikes.
LAYERS: dict[str, tuple[Callable[[], nn.Module], Shape]] = {
    "Linear": (lambda: nn.Linear(5, 7), DENSE),
    "Linear without bias": (lambda: nn.Linear(5, 7, bias=False), DENSE),
    "Conv1d": (lambda: nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2), SIGNAL),
    "Conv1d in groups": (lambda: nn.Conv1d(4, 6, 3, groups=2, bias=False), SIGNAL),
    "Conv1d same": (lambda: nn.Conv1d(4, 6, 5, padding="same"), SIGNAL),
    "Conv2d": (lambda: nn.Conv2d(4, 6, 3, stride=(2, 1), padding=(1, 2), dilation=(1, 2)), IMAGE),
    "Conv2d without bias": (lambda: nn.Conv2d(4, 3, 2, bias=False), IMAGE),
    "Conv2d in groups": (lambda: nn.Conv2d(4, 8, 3, groups=4, padding=1), IMAGE),
    "Conv2d wide": (lambda: nn.Conv2d(4, 3, (1, 5), padding=(0, 2), dilation=(2, 1)), IMAGE),
    "Conv2d tall": (lambda: nn.Conv2d(4, 3, (5, 3), padding=0, stride=2), IMAGE),
    "Conv2d same": (lambda: nn.Conv2d(4, 3, (1, 3), padding="same"), IMAGE),
    "Conv2d valid": (lambda: nn.Conv2d(4, 3, (3, 5), padding="valid"), IMAGE),
    "AvgPool2d": (lambda: nn.AvgPool2d(2), IMAGE),
    "AvgPool2d padded": (lambda: nn.AvgPool2d(3, stride=2, padding=1), IMAGE),
    "AvgPool2d not counting": (lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False), IMAGE),
    "SumPool2d": (lambda: nn.AvgPool2d((2, 3), divisor_override=1), IMAGE),
    "LPPool2d": (lambda: nn.LPPool2d(1, 2, stride=1), IMAGE),
    "Flatten": (nn.Flatten, IMAGE),
    "Flatten the end": (lambda: nn.Flatten(2), IMAGE),
    "Flatten the middle": (lambda: nn.Flatten(1, 2), IMAGE),
    "SynapticDelay": (lambda: snn.SynapticDelay(4, 2.3, learn_delay=True), IMAGE),
    "SynapticDelay of channels": (lambda: snn.SynapticDelay(5, [0.0, 1.0, 2.25, 5.0]), IMAGE),
    "SynapticDelay of equal ones": (lambda: snn.SynapticDelay(7, 3.0, channels=5), DENSE),
    "GradedSpikes": (lambda: snn.GradedSpikes(5), DENSE),
}

NEURONS: dict[str, tuple[Callable[[], nn.Module], Shape]] = {
    **{
        f"Leaky {mechanism}{'' if delay else ' at once'}": (
            lambda m=mechanism, d=delay: hidden(
                snn.Leaky, PER_NEURON, reset_mechanism=m, reset_delay=d
            ),
            DENSE,
        )
        for mechanism in ("subtract", "zero", "soft", "none")
        for delay in (True, False)
    },
    "Leaky image": (lambda: hidden(snn.Leaky, torch.rand(4, 1, 1), threshold=0.7), IMAGE),
    "Leaky graded": (lambda: hidden(snn.Leaky, 0.9, graded_spikes_factor=0.3), DENSE),
    "Leaky graded, no reset": (
        lambda: hidden(snn.Leaky, 0.9, graded_spikes_factor=PER_NEURON, reset_mechanism="none"),
        DENSE,
    ),
    "Leaky learned": (
        lambda: hidden(snn.Leaky, 0.31, learn_beta=True, learn_threshold=True, threshold=0.4),
        DENSE,
    ),
    "Leaky beyond its bounds": (lambda: hidden(snn.Leaky, torch.tensor(1.2)), DENSE),
    "Leaky without gradient": (lambda: hidden(snn.Leaky, 0.9, surrogate_disable=True), DENSE),
    "Leaky of another surrogate": (
        lambda: hidden(snn.Leaky, 0.9, spike_grad=surrogate.spike_rate_escape(2, slope=3)),
        DENSE,
    ),
    "Leaky with a learned factor": (
        lambda: hidden(snn.Leaky, 0.9, graded_spikes_factor=0.5, learn_graded_spikes_factor=True),
        DENSE,
    ),
    "IF": (lambda: hidden(snn.Leaky, 1.0), DENSE),
    "IF in part": (lambda: hidden(snn.Leaky, torch.tensor([1, 0.5, 0, 1, 0.2])), DENSE),
    "I": (lambda: hidden(snn.Leaky, 1.0, reset_mechanism="none", threshold=2.0), DENSE),
    "Lapicque": (lambda: hidden(snn.Lapicque, R=5.1, C=2.0), DENSE),
    "Lapicque of beta": (
        lambda: hidden(snn.Lapicque, PER_NEURON, learn_beta=True, time_step=1e-3),
        DENSE,
    ),
    "Lapicque of beta and C": (
        lambda: hidden(snn.Lapicque, 0.8, C=3.0, learn_beta=True, reset_mechanism="zero"),
        DENSE,
    ),
    "Synaptic": (lambda: hidden(snn.Synaptic, 0.37, PER_NEURON), DENSE),
    "Synaptic zero": (
        lambda: hidden(snn.Synaptic, 0.3, 1.0, reset_mechanism="zero", reset_delay=False),
        DENSE,
    ),
    "Synaptic none": (lambda: hidden(snn.Synaptic, 0.3, 0.9, reset_mechanism="none"), DENSE),
    "RLeaky": (lambda: hidden(snn.RLeaky, 0.77, linear_features=5), DENSE),
    "RLeaky one to one": (lambda: hidden(snn.RLeaky, 0.8, V=-0.4, all_to_all=False), DENSE),
    "RLeaky per neuron": (
        lambda: hidden(
            snn.RLeaky, 0.8, V=PER_NEURON - 0.5, all_to_all=False, learn_recurrent=False
        ),
        DENSE,
    ),
    "RLeaky conv": (lambda: hidden(snn.RLeaky, 0.8, conv2d_channels=4, kernel_size=3), IMAGE),
    "RLeaky even conv": (
        lambda: hidden(snn.RLeaky, 0.8, conv2d_channels=4, kernel_size=(2, 3)),
        IMAGE,
    ),
    "RLeaky none": (
        lambda: hidden(snn.RLeaky, 0.7, linear_features=5, reset_mechanism="none"),
        DENSE,
    ),
    "RSynaptic": (lambda: hidden(snn.RSynaptic, 0.4, 0.7, linear_features=5), DENSE),
    "RSynaptic one to one": (
        lambda: hidden(snn.RSynaptic, 0.5, PER_NEURON, V=0.1, all_to_all=False),
        DENSE,
    ),
    "RSynaptic conv": (
        lambda: hidden(snn.RSynaptic, 0.4, 0.7, conv2d_channels=4, kernel_size=2),
        IMAGE,
    ),
}


class Residual(nn.Module):
    """Two branches and a bypass, with explicit states."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(12, 20)
        self.lif1 = snn.Leaky(beta=0.9)
        self.left, self.right = nn.Linear(20, 20), nn.Linear(20, 20, bias=False)
        self.lif2 = snn.Synaptic(0.5, 0.8)
        self.lif3 = snn.Leaky(beta=0.7, reset_mechanism="zero")
        self.out = nn.Linear(20, 5)
        self.lif4 = snn.Leaky(beta=0.95)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        spk, _ = self.lif1(self.first(x))
        left, _, _ = self.lif2(self.left(spk) + spk)
        right, _ = self.lif3(self.right(spk))
        return self.lif4(self.out(left + right + spk))


def mlp() -> nn.Module:
    spike_grad = surrogate.fast_sigmoid(slope=10)
    return nn.Sequential(
        nn.Sequential(nn.Linear(12, 30), hidden(snn.Leaky, 0.9, spike_grad=spike_grad)),
        nn.Dropout(0.5),
        nn.Sequential(nn.Linear(30, 5), hidden(snn.Leaky, 0.8, output=True)),
    )


def conv() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1),
        hidden(snn.Leaky, 0.8),
        nn.AvgPool2d(2),
        nn.Conv2d(8, 8, 3, groups=4),
        hidden(snn.Leaky, 0.7, threshold=0.3, reset_mechanism="zero"),
        nn.Flatten(),
        nn.Linear(32, 5),
        hidden(snn.Leaky, 0.9, output=True),
    )


def recurrent() -> nn.Module:
    return nn.Sequential(
        nn.Linear(12, 20),
        hidden(snn.RLeaky, 0.9, linear_features=20),
        nn.Linear(20, 5),
        hidden(snn.RSynaptic, 0.4, 0.8, all_to_all=False, V=0.1, output=True),
    )


def second_order() -> nn.Module:
    return nn.Sequential(
        nn.Linear(12, 20),
        hidden(snn.Synaptic, 0.3, 0.8),
        nn.Linear(20, 5, bias=False),
        hidden(snn.Synaptic, torch.rand(5), 0.9, reset_mechanism="zero", output=True),
    )


NETS: dict[str, tuple[Callable[[], nn.Module], Shape]] = {
    "mlp": (mlp, (12,)),
    "conv": (conv, (2, 8, 8)),
    "recurrent": (recurrent, (12,)),
    "second order": (second_order, (12,)),
    "residual": (Residual, (12,)),
}
