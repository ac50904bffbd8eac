"""What is kept for the backward pass: spikes as bits, and values that are computed again."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch import utils
from snntorch._unroll import bits, keeping, recompute
from snntorch._unroll.bits import to_bits

NETS: dict[str, Any] = {
    "dense": lambda: nn.Sequential(nn.Linear(6, 8), lif(), nn.Linear(8, 4), lif(output=True)),
    "conv": lambda: nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4).eval(),
        lif(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3, padding=1),
        nn.GELU(),
        nn.AvgPool2d(2),
        lif(),
        nn.Flatten(),
        nn.Linear(16, 3),
        lif(output=True),
    ),
    "in place": lambda: nn.Sequential(
        nn.Linear(6, 8), nn.ReLU(inplace=True), nn.Sigmoid(), nn.Linear(8, 8), lif(output=True)
    ),
    "in place, keeping what it gives": lambda: nn.Sequential(
        nn.Linear(6, 8), nn.LayerNorm(8), nn.ELU(inplace=True), nn.Linear(8, 8), lif(output=True)
    ),
    "graded": lambda: nn.Sequential(
        nn.Linear(6, 8), lif(graded_spikes_factor=-0.3), nn.Linear(8, 4), lif(output=True)
    ),
    "delayed": lambda: nn.Sequential(
        nn.Linear(6, 8), snn.SynapticDelay(3, 1.5, learn_delay=True), lif(), nn.Linear(8, 4)
    ),
    "stepped": lambda: nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), lif(), nn.Linear(8, 4), lif(output=True)
    ),
}


def lif(**options: Any) -> snn.Leaky:
    return snn.Leaky(0.9, threshold=0.3, init_hidden=True, learn_beta=True, **options)


def example(name: str) -> Tensor:
    shape = (7, 3, 2, 8, 8) if name == "conv" else (7, 3, 6)
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def every_size(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Pack tensors of any size, and tell of each that became bits."""
    packed: list[Any] = []

    def note(tensor: Tensor) -> Any:
        found = bits.to_bits(tensor)
        packed.extend([found] if found is not None else [])
        return found

    for module in (keeping, recompute):
        monkeypatch.setattr(module, "LEAST", 0)
        monkeypatch.setattr(module, "to_bits", note)
    return packed


@pytest.fixture(params=["ndarray", "Tensor"])
def packed_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Pack by NumPy, as on the CPU, or by torch, as on a device; tells what holds the bits."""
    if request.param == "Tensor":
        monkeypatch.setattr(bits, "_packed", bits._packed_by_torch)
    return request.param


def gradients(net: nn.Module, x: Tensor, **options: Any) -> list[Tensor]:
    """Return outputs and gradients of a run of a copy of a net."""
    net, x = copy.deepcopy(net), x.detach().clone().requires_grad_()
    out = snn.unroll(net, x, **options)
    out = out if isinstance(out, tuple) else (out,)
    sum(one.square().sum() for one in out).backward()
    grads = [x.grad, *(p.grad for p in net.parameters())]
    return [*out, *(grad for grad in grads if grad is not None)]


def as_they_are() -> Any:
    """Save tensors as they are: who decides about that is not overruled."""
    return torch.autograd.graph.saved_tensors_hooks(lambda one: one, lambda one: one)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("value", [1.0, -0.7, float("inf"), float("nan"), -0.0])
@pytest.mark.parametrize("count", [0, 1, 7, 70_001])
def test_bits_are_exact(dtype: torch.dtype, value: float, count: int, packed_by: str) -> None:
    ones = torch.rand(count, generator=torch.Generator().manual_seed(0)) < 0.3
    x = torch.where(ones, value, 0.0).to(dtype)
    found = to_bits(x)
    assert found is not None
    assert type(found.bits).__name__ == packed_by
    assert found.nbytes == -(-count // 8)
    integers = {2: torch.int16, 4: torch.int32, 8: torch.int64}[dtype.itemsize]
    assert torch.equal(found.tensor().view(integers), x.view(integers))


@pytest.mark.parametrize(
    "x",
    [
        torch.tensor([0.0, 1.0, 2.0]),
        torch.tensor([0.0, 1.0, -1.0]),
        torch.tensor([0.0, 1.0, -0.0]),
        torch.cat((torch.zeros(70_000), torch.tensor([1.0, 0.5]))),
        torch.ones(3, dtype=torch.int64),
        torch.eye(4)[:, ::2],
        torch.eye(4, device="meta"),
        torch.eye(4).to_sparse(),
        torch.eye(4).expand(2, 4, 4),
    ],
)
def test_other_tensors_are_no_bits(x: Tensor, packed_by: str) -> None:
    assert to_bits(x) is None


def test_bits_keep_the_layout(packed_by: str) -> None:
    spikes = (torch.rand(4, 3, 5, 6) < 0.5).float()
    for x in (spikes[1:], spikes.to(memory_format=torch.channels_last)):
        found = to_bits(x)
        assert found is not None
        assert torch.equal(found.tensor(), x)
        assert found.tensor().stride() == x.stride()


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("name", NETS)
def test_nothing_changes(every_size: list[Any], name: str, again: bool) -> None:
    torch.manual_seed(0)
    net, x = NETS[name](), example(name)
    with as_they_are():
        want = gradients(net, x)
    assert not every_size
    found = gradients(net, x, recompute=again)
    assert every_size
    assert all(torch.equal(one, two) for one, two in zip(found, want, strict=True))


@pytest.mark.parametrize("again", [False, True])
def test_a_deferred_loop_keeps_bits(every_size: list[Any], again: bool) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(NETS["dense"]())

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.layers:
                x = layer(x)
            return x[0]

    torch.manual_seed(0)
    net, x = Net(), example("dense")
    with as_they_are():
        want = gradients(net, x)
    found = gradients(net, x, recompute=again)
    assert every_size
    assert all(torch.equal(one, two) for one, two in zip(found, want, strict=True))


def test_what_lies_between_neurons_is_not_kept() -> None:
    torch.manual_seed(0)
    net, x = NETS["conv"]()[:4], torch.rand(64, 36, 2, 32, 32)  # 37.7 MB behind a convolution
    currents, places = 64 * 36 * 4 * 32 * 32 * 4, 64 * 36 * 4 * 16 * 16
    kept, again = (snn.plan(net, x, recompute=recompute).kept for recompute in (False, True))
    state = currents // 64
    # the pooling keeps 8 bytes for each maximum, to say where it was
    # and BatchNorm2d 32 bytes of statistics, besides what the convolution gave it
    spikes = currents // 32 + 8 * places
    # in two parts of 32 steps, as what a convolution gives is large
    assert kept == (x.nbytes, currents + 2 * 32, currents + 2 * (state + 12), spikes)
    assert again == (x.nbytes, 32, state + 12, spikes)


def test_backward_twice_and_twice_over(every_size: list[Any]) -> None:
    torch.manual_seed(0)
    net, x = NETS["conv"](), example("conv").requires_grad_()
    spk, mem = snn.unroll(net, x, recompute=True)
    first, again = (torch.autograd.grad(mem.sum(), x, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, again)
    seconds = []
    for recomputed in (False, True):
        utils.reset(net)
        spk, mem = snn.unroll(net, x, recompute=recomputed)
        (grad,) = torch.autograd.grad(mem.square().sum(), x, create_graph=True)
        seconds.append(torch.autograd.grad(grad.square().sum(), x)[0])
    assert spk.sum() > 0
    torch.testing.assert_close(*seconds)


def test_chunks_dropout_and_autocast(every_size: list[Any]) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.GELU(), lif(), nn.Linear(8, 4), lif())
    x = example("dense")
    runs = []
    for again in (False, True):
        torch.manual_seed(3)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            runs.append(gradients(net, x, chunk=3, recompute=again))
    assert all(torch.equal(one, two) for one, two in zip(*runs, strict=True))


def test_a_changed_parameter_is_noticed(every_size: list[Any]) -> None:
    net = NETS["dense"]()
    spk, mem = snn.unroll(net, example("dense"), recompute=True)
    with torch.no_grad():
        net[2].weight.mul_(2)
    with pytest.raises(
        RuntimeError, match=r"(?s)Linear to be as it was.*changed.*backward\(\) before"
    ):
        (spk + mem).sum().backward()


@pytest.mark.parametrize("layers", [(nn.Sigmoid(), nn.ReLU(inplace=True)), (nn.Sigmoid(),)])
def test_what_is_written_to_is_noticed(every_size: list[Any], layers: tuple[nn.Module]) -> None:
    """As torch notices it, which does not look where others keep."""
    net = nn.Sequential(nn.Linear(6, 8), *layers, nn.Linear(8, 8), lif(output=True))
    spk, mem = snn.unroll(net, example("dense"))
    if len(layers) == 1:
        with torch.no_grad():
            net[2].weight.mul_(2)
    with pytest.raises(RuntimeError, match="to be as it was in the forward pass"):
        (spk + mem).sum().backward()


def test_others_decide_what_is_saved(every_size: list[Any]) -> None:
    """A checkpoint counts what is saved, and has to see it."""
    net, x = NETS["dense"](), example("dense").requires_grad_()
    want = gradients(net, x)
    every_size.clear()

    def run(x: Tensor) -> Any:
        utils.reset(net)
        return snn.unroll(net, x)

    spk, mem = torch.utils.checkpoint.checkpoint(run, x, use_reentrant=False)
    (spk.square().sum() + mem.square().sum()).backward()
    assert not every_size
    assert torch.equal(x.grad, want[2])


@pytest.mark.parametrize("run", [snn.unroll, snn.plan])
def test_recompute_is_a_flag(run: Any) -> None:
    with pytest.raises(TypeError, match="`recompute` to be True or False"):
        run(NETS["dense"](), example("dense"), recompute="yes")
