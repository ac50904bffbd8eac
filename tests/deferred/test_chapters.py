"""The nets that the tutorials teach, as their loop and deferred: the same in all, and batched."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import snntorch as snn
from snntorch import functional as SF
from snntorch import surrogate, utils
from snntorch._unroll.deferred.report import Report

STEPS, BATCH = 7, 3


def hidden(output: bool = False, threshold: float = 0.4) -> snn.Leaky:
    fast = surrogate.fast_sigmoid()
    return snn.Leaky(0.9, threshold, fast, init_hidden=True, output=output)


class Looped(nn.Module):
    """A net of one step with hidden states, in a loop over constant or varying input."""

    def __init__(self, *layers: nn.Module, varying: bool = False) -> None:
        super().__init__()
        self.net, self.varying = nn.Sequential(*layers), varying

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        utils.reset(self.net)
        spikes, mems = [], []
        for step in range(x.size(0) if self.varying else STEPS):
            spk, mem = self.net(x[step] if self.varying else x)
            spikes.append(spk)
            mems.append(mem)
        return torch.stack(spikes), torch.stack(mems)


class FeedForward(nn.Module):
    """Two dense layers with states of its own; with a loss in it, as for a traced device."""

    def __init__(self, loss: bool = False) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(6, 12), snn.Leaky(beta=0.95, threshold=0.3)
        self.fc2, self.lif2 = nn.Linear(12, 4), snn.Leaky(beta=0.95, threshold=0.3)
        self.loss = SF.ce_count_loss() if loss else None

    def forward(self, x: Tensor) -> Any:
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes, mems = [], []
        for _ in range(STEPS):
            spk1, mem1 = self.lif1(self.fc1(x.view(BATCH, -1)), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
            mems.append(mem2)
        spk_rec, mem_rec = torch.stack(spikes, dim=0), torch.stack(mems, dim=0)
        if self.loss is not None:
            return spk_rec, self.loss(mem_rec, torch.arange(BATCH))
        return spk_rec, mem_rec


class Convolutional(nn.Module):
    """Its forward is one step's: states start anew in it, and the loop stands around it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.lif1 = nn.Conv2d(1, 3, 3), snn.Leaky(beta=0.5, threshold=0.2)
        self.conv2, self.lif2 = nn.Conv2d(3, 4, 3), snn.Leaky(beta=0.5, threshold=0.2)
        self.fc1, self.lif3 = nn.Linear(16, 5), snn.Leaky(beta=0.5, threshold=0.2)

    def step(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mems = [lif.init_leaky() for lif in (self.lif1, self.lif2, self.lif3)]
        spk1, _ = self.lif1(F.max_pool2d(self.conv1(x), 2), mems[0])
        spk2, _ = self.lif2(F.max_pool2d(self.conv2(spk1), 2), mems[1])
        spk3, mem3 = self.lif3(self.fc1(spk2.view(BATCH, -1)), mems[2])
        return spk3, mem3

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        spikes, mems = zip(*[self.step(x) for _ in range(STEPS)], strict=True)
        return torch.stack(spikes), torch.stack(mems)


class Regression(nn.Module):
    """A membrane follows a curve; each neuron has a learned decay and a threshold of its own."""

    def __init__(self) -> None:
        super().__init__()
        fast, many = surrogate.fast_sigmoid(), (torch.rand(8), torch.rand(8))
        self.fc_in = nn.Linear(1, 8)
        self.lif_in = snn.Leaky(many[0], many[1], fast, learn_beta=True)
        self.fc_hidden = nn.Linear(8, 8)
        self.lif_hidden = snn.Leaky(many[1], many[0], fast, learn_beta=True)
        self.fc_out = nn.Linear(8, 1)
        self.li_out = snn.Leaky(torch.rand(1), 1.0, fast, learn_beta=True, reset_mechanism="none")

    def forward(self, x: Tensor) -> Tensor:
        mem1, mem2 = self.lif_in.init_leaky(), self.lif_hidden.init_leaky()
        mem3, record = self.li_out.init_leaky(), []
        for step in range(x.size(0)):
            spk1, mem1 = self.lif_in(self.fc_in(x[step, :, :]), mem1)
            spk2, mem2 = self.lif_hidden(self.fc_hidden(spk1), mem2)
            _, mem3 = self.li_out(self.fc_out(spk2), mem3)
            record.append(mem3)
        return torch.stack(record)


class RecurrentRegression(nn.Module):
    """Two recurrent layers that classify."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.rlif1 = nn.Linear(6, 8), snn.RLeaky(0.9, linear_features=8, threshold=0.4)
        self.fc2, self.rlif2 = nn.Linear(8, 4), snn.RLeaky(0.9, linear_features=4, threshold=0.4)

    def forward(self, x: Tensor) -> Tensor:
        spk1, mem1 = self.rlif1.init_rleaky()
        spk2, mem2 = self.rlif2.init_rleaky()
        record = []
        for _ in range(STEPS):
            spk1, mem1 = self.rlif1(self.fc1(x), spk1, mem1)
            spk2, mem2 = self.rlif2(self.fc2(spk1), spk2, mem2)
            record.append(spk2)
        return torch.stack(record)


class LongShortTerm(nn.Module):
    """A convolutional LSTM with spikes, and a dense one behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = snn.SConv2dLSTM(1, 2, kernel_size=3, threshold=0.05)
        self.lstm, self.fc = snn.SLSTM(32, 6, threshold=0.05), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        syn1, mem1 = self.conv.init_sconv2dlstm()
        syn2, mem2 = self.lstm.init_slstm()
        record = []
        for step in range(x.size(0)):
            spk1, syn1, mem1 = self.conv(x[step], syn1, mem1)
            spk2, syn2, mem2 = self.lstm(spk1.flatten(1), syn2, mem2)
            record.append(self.fc(mem2) + spk2.sum())
        return torch.stack(record)


class Autoencoder(nn.Module):
    """Batches are normalized in training; spikes are stacked behind, and taken from there."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            *(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), hidden()),
            *(nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6), hidden()),
            *(nn.Flatten(start_dim=1, end_dim=3), nn.Linear(24, 5), hidden(output=True)),
        )
        self.between = nn.Sequential(nn.Linear(5, 24), hidden(output=True))
        self.decoder = nn.Sequential(
            *(nn.Unflatten(1, (6, 2, 2)), hidden()),
            nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1),
            *(nn.BatchNorm2d(4), hidden()),
            nn.ConvTranspose2d(4, 1, 3, stride=2, padding=1, output_padding=1),
            hidden(output=True, threshold=20000),
        )

    def forward(self, x: Tensor) -> Tensor:
        for part in (self.encoder, self.between, self.decoder):
            utils.reset(part)
        latent = torch.stack([self.encoder(x)[0] for _ in range(STEPS)], dim=2)
        mems = []
        for step in range(STEPS):
            spk, _ = self.between(latent[..., step])
            mems.append(self.decoder(spk)[1])
        return torch.stack(mems, dim=4)[:, :, :, :, -1]


class LightCurves(nn.Module):
    """Pools over neurons, and takes a single step."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(20, 16), snn.Leaky(beta=0.5, threshold=0.2)
        self.fc2, self.lif2 = nn.Linear(8, 8), snn.Leaky(beta=0.5, threshold=0.2)
        self.fc3 = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spk1, mem1 = self.lif1(F.max_pool1d(self.fc1(x), 2), mem1)
        spk2, mem2 = self.lif2(F.max_pool1d(self.fc2(spk1), 2), mem2)
        return self.fc3(spk2.view(BATCH, -1))


def quickstart() -> nn.Module:
    return Looped(
        *(nn.Conv2d(1, 3, 3), nn.MaxPool2d(2), hidden()),
        *(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), hidden()),
        *(nn.Flatten(), nn.Linear(16, 5), hidden(output=True)),
    )


def events() -> nn.Module:
    return Looped(
        *(nn.Conv2d(2, 3, 4), hidden(), nn.Conv2d(3, 4, 3), hidden()),
        *(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 5), hidden(output=True)),
        varying=True,
    )


def population() -> nn.Module:
    return Looped(nn.Flatten(), nn.Linear(6, 12), hidden(), nn.Linear(12, 20), hidden(output=True))


#: How to build a net, the shape of its input, and what runs step by step.
CHAPTERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], set[str]]] = {
    "quickstart": (quickstart, (BATCH, 1, 14, 14), set()),
    "feed-forward": (FeedForward, (BATCH, 6), set()),
    "convolutional": (Convolutional, (BATCH, 1, 14, 14), set()),
    "neuromorphic data": (events, (STEPS, BATCH, 2, 9, 9), set()),
    "population coding": (population, (BATCH, 2, 3), set()),
    "regression I": (Regression, (STEPS, BATCH, 1), set()),
    "regression II": (RecurrentRegression, (BATCH, 6), set()),
    "regression III": (LongShortTerm, (STEPS, BATCH, 1, 4, 4), {"SConv2dLSTM", "SLSTM"}),
    "autoencoder": (Autoencoder, (BATCH, 1, 8, 8), set()),
    "light curves": (LightCurves, (BATCH, 20), set()),
    "a loss inside": (lambda: FeedForward(loss=True), (BATCH, 6), set()),
}


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapters_net_is_its_loop(name: str) -> None:
    build, shape, stepped = CHAPTERS[name]
    torch.manual_seed(1)
    looped = build().double()
    fused = snn.fuse(copy.deepcopy(looped))
    x = torch.rand(shape, dtype=torch.float64) * 2
    results = []
    for net in (looped, fused):
        given = x.clone().requires_grad_()
        outs = net(given)
        outs = outs if isinstance(outs, tuple) else (outs,)
        assert all(one.detach().any() for one in outs)
        sum(((k + 1) * one).square().sum() for k, one in enumerate(outs)).backward()
        tensors = dict(net.named_parameters()) | dict(net.named_buffers())
        grads = {f"grad of {key}": one.grad for key, one in net.named_parameters()}
        results.append(({**dict(enumerate(outs)), "x": given.grad}, tensors, grads))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-9, atol=1e-9)
    report: Report = fused.forward.report
    assert not report.early
    assert {what for what, how in report.lines if how.startswith("step by step")} == stepped
    spiking = [type(one).__name__ for one in fused.modules() if isinstance(one, snn.SpikingNeuron)]
    noted = {what: sum(n for (w, _), n in report.lines.items() if w == what) for what in spiking}
    assert all(noted.values())
