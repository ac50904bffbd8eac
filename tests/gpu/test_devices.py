"""Neurons, sequences and fused nets on CUDA give what they give on the CPU."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch import utils
from tests.cases import flat
from tests.deferred import test_programs
from tests.portability import SUBJECTS, Loop, Subject, Whole

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
each = pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)


@pytest.fixture(autouse=True)
def exact_products() -> Iterator[None]:
    """Multiply matrices in float32, as the CPU does."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def same_on_both(net: nn.Module, x: Tensor) -> None:
    results = []
    for device in ("cpu", "cuda"):
        net.to(device).zero_grad()
        utils.reset(net)
        given = x.clone().to(device).requires_grad_()
        outs = flat(net(given))
        assert {one.device.type for one in outs} == {device}
        torch.stack([one.sum() for one in outs]).sum().backward()
        grads = [p.grad for p in net.parameters() if p.grad is not None]
        # gradients go with their parameters to the next device
        results.append([one.clone().cpu() for one in (*outs, given.grad, *grads)])
    for got, want in zip(*results, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


@each
def test_a_loop(subject: Subject) -> None:
    same_on_both(Loop(subject, subject.make()).eval(), subject.x(5))


@each
def test_a_whole_sequence(subject: Subject) -> None:
    same_on_both(Whole(subject.make(init_hidden=True)).eval(), subject.x(5))


@each
def test_a_fused_loop(subject: Subject) -> None:
    net = snn.fuse(Loop(subject, subject.make()).eval())
    same_on_both(net, subject.x(5))
    assert net.forward.report.noted > 0


def test_states_are_made_where_the_input_is() -> None:
    lif = snn.Leaky(0.9).to("cuda")
    spk, mem = lif(torch.rand(3, 4, device="cuda"), lif.init_leaky())
    assert spk.is_cuda
    assert mem.is_cuda


@pytest.mark.parametrize("seed", range(200))
def test_a_program_deferred_is_its_loop(seed: int) -> None:
    test_programs.check(seed, "cuda")


def exact_net() -> nn.Sequential:
    """Return a net all of whose products are exact in float16, however they are batched."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for _ in range(2):
        layer = nn.Linear(32, 32)
        for one in layer.parameters():
            one.data.copy_(torch.randint(-4, 5, one.shape) / 8)
        layers += [layer, snn.Leaky(0.5, init_hidden=True)]
    return nn.Sequential(*layers).to("cuda")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_autocast(dtype: torch.dtype) -> None:
    net, x = exact_net(), (torch.rand(20, 4, 32) < 0.4).float().to("cuda")
    with torch.autocast("cuda", dtype):
        loop = torch.stack([net(step) for step in x])
        utils.reset(net)
        whole = snn.unroll(net, x)
    assert whole.dtype == loop.dtype
    assert torch.equal(whole, loop)
    assert 0.02 < (whole != 0).float().mean() < 0.98
    scaler = torch.amp.GradScaler("cuda")
    scaler.scale(whole.float().mean()).backward()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in net.parameters())


def test_a_sequence_compiles() -> None:
    net, x = exact_net(), (torch.rand(20, 4, 32) < 0.4).float().to("cuda")

    def whole(x: Tensor) -> Tensor:
        utils.reset(net)
        spikes: Tensor = snn.unroll(net, x)
        return spikes

    want = whole(x)
    found = torch.compile(whole)(x)
    assert torch.equal(found, want)
    parameters = list(net.parameters())
    for one, other in zip(
        *(torch.autograd.grad(out.mean(), parameters) for out in (found, want)), strict=True
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("own", [False, True])
def test_a_sequence_is_captured_in_a_graph(own: bool) -> None:
    """A neuron's kernels, forward and backward, are replayed on other numbers."""
    neuron = (snn.ALIF(0.9, 0.8) if own else snn.Leaky(0.9)).to("cuda")
    given = torch.randn(30, 8, 16, device="cuda", requires_grad=True)

    def run(x: Tensor) -> tuple[Tensor, Tensor]:
        spk = neuron.unroll(x, record="spk")
        return spk, torch.autograd.grad(spk.sum(), x)[0]

    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            run(given)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = run(given)
    other = torch.randn_like(given)
    with torch.no_grad():
        given.copy_(other)
    graph.replay()
    for one, want in zip(out, run(other.requires_grad_()), strict=True):
        torch.testing.assert_close(one, want)


class Normalized(nn.Module):
    """A convolution, normalized at each step, of the same image: a batch that is shared."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.lif = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), snn.Leaky(0.9)

    def forward(self, x: Tensor) -> Tensor:
        mem, spikes = self.lif.init_leaky(), []
        for _ in range(6):
            spk, mem = self.lif(self.norm(self.conv(x)), mem)
            spikes.append(spk)
        return torch.stack(spikes)


def test_normalized_steps() -> None:
    nets = []
    for _ in range(2):
        torch.manual_seed(0)
        nets.append(Normalized().to("cuda", torch.float64))
    x = torch.rand(5, 3, 8, 8, dtype=torch.float64, device="cuda")
    want, got = nets[0](x), snn.fuse(nets[1])(x)
    assert want.any()
    torch.testing.assert_close(got, want)
    assert nets[1].forward.report.lines[("Leaky", "over all time")] == 6


@pytest.mark.parametrize("neuron", [snn.Leaky(0.9), snn.ALIF(0.9)], ids=("Leaky", "ALIF"))
def test_a_step_lies_in_memory_in_any_order(neuron: snn.SpikingNeuron) -> None:
    neuron = neuron.to("cuda")
    x = torch.randn(10, 6, 5, device="cuda").transpose(1, 2)
    got = neuron.unroll(x, record="spk")
    neuron.reset_mem()
    assert torch.equal(got, neuron.unroll(x.contiguous(), record="spk"))
