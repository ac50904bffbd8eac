"""Images between layers: channels last in memory, and not too many at once; seen by nobody."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import snntorch as snn
from snntorch import utils
from snntorch._neurons._unroll import Sequence, unroll_neuron
from snntorch._unroll import layout
from snntorch._unroll.deferred import rules
from tests.cases import flat
from tests.unroll.test_native import needs_kernel
from tests.unroll.test_unroll import assert_close, exact

STEPS, BATCH = 6, 3


@pytest.fixture
def convolved(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """List what convolutions take, images of any number of which are turned."""
    taken: list[Tensor] = []
    convolve = F.conv2d

    def watched(x: Tensor, *args: Any) -> Tensor:
        taken.append(x.detach())
        return convolve(x, *args)

    monkeypatch.setattr(layout, "FEW", 0)
    monkeypatch.setattr(F, "conv2d", watched)
    return taken


def is_last(images: Tensor) -> bool:
    """Return whether the channels of each pixel follow each other."""
    return images.stride(1) == 1 and images.stride(-1) == images.shape[1]


class Viewed(nn.Module):
    """A layer that takes no other order than the usual one."""

    def forward(self, x: Tensor) -> Tensor:
        return x.view(len(x), -1)


def lif() -> snn.Leaky:
    beta = torch.tensor([0.5, 0.75]).view(2, 1, 1)
    return snn.Leaky(beta, threshold=1.0, learn_beta=True, init_hidden=True)


def net(channels: int, *end: nn.Module) -> nn.Module:
    """Return a net in which sums are exact, in whatever order; one that ends in a neuron tells."""
    last = {"init_hidden": True, "output": not end}
    norm: Any = nn.BatchNorm2d(2, eps=1.0).eval()
    norm.running_var.zero_()
    return exact(
        nn.Sequential(
            nn.Conv2d(channels, 2, 3, padding=(1, 0)),
            nn.MaxPool2d(2),
            lif(),
            nn.Conv2d(2, 2, (3, 2), stride=(2, 1), dilation=(1, 2), padding=2),
            norm,
            lif(),
            nn.Conv2d(2, 2, 3, padding="same"),
            nn.AvgPool2d(2),
            snn.Synaptic(0.5, 0.5, threshold=0.5, **last),
            *end,
        )
    )


def data(channels: int) -> Tensor:
    return torch.randint(0, 4, (STEPS, BATCH, channels, 10, 12)).float().requires_grad_()


def observed(model: nn.Module, x: Tensor, out: Any) -> tuple[list[Tensor], list[Any]]:
    """Return outputs and states, and the gradients of a mix of them."""
    states = [
        getattr(one, name)
        for one in model.modules()
        if isinstance(one, snn.SpikingNeuron)
        for name in one.state_names
    ]
    values = [*flat(out), *states]
    mixed = sum(((i + 1) * one * one).sum() for i, one in enumerate(values))
    grads = torch.autograd.grad(mixed, [x, *model.parameters()], allow_unused=True)
    return values, list(grads)


def by_loop(model: nn.Module, x: Tensor) -> tuple[list[Tensor], list[Any]]:
    utils.reset(model)
    rows = [flat(model(step)) for step in x]
    return observed(model, x, tuple(torch.stack(row) for row in zip(*rows, strict=True)))


def assert_same(got: Any, want: Any) -> None:
    for one, other in zip(got[0], want[0], strict=True):
        assert torch.equal(one, other)
        assert one.is_contiguous()
    assert_close(got[1], want[1], 1e-5)


ENDS: dict[str, tuple[nn.Module, ...]] = {
    "images": (),
    "flat": (nn.Flatten(),),
    "viewed": (nn.Dropout(0.0), Viewed()),
}


@needs_kernel
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("end", ENDS)
def test_convolutions_get_channels_last(
    end: str, channels: int, recompute: bool, convolved: list[Tensor]
) -> None:
    torch.manual_seed(0)
    model, x = net(channels, *ENDS[end]), data(channels)
    want = by_loop(model, x)
    assert want[0][0].any()
    assert not any(map(is_last, convolved))
    convolved.clear()
    utils.reset(model)
    out = snn.unroll(model, x, recompute=recompute)
    assert [len(images) for images in convolved] == [STEPS * BATCH] * 3
    assert all(map(is_last, convolved))
    assert_same(observed(model, x, out), want)


@pytest.mark.parametrize("why", ["float64", "other libraries", "few images"])
def test_where_convolutions_do_not_like_it_images_stay(
    why: str, convolved: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    model, x = net(3), data(3)
    if why == "float64":
        model, x = model.double(), x.detach().double().requires_grad_()
    elif why == "other libraries":
        monkeypatch.setattr(layout, "runs_onednn", lambda: False)
    else:
        monkeypatch.setattr(layout, "FEW", x.numel() + 1)
    want = by_loop(model, x)
    utils.reset(model)
    out = snn.unroll(model, x)
    assert not any(map(is_last, convolved))
    assert_same(observed(model, x, out), want)


@pytest.mark.parametrize("constant", [False, True])
def test_what_is_large_runs_in_parts(
    constant: bool, convolved: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    model, x = net(3, nn.Flatten()), data(3)
    rows, steps = (x[0], STEPS) if constant else (x, None)

    def run() -> tuple[Tensor, Tensor]:
        utils.reset(model)
        convolved.clear()
        out = snn.unroll(model, rows, steps)
        return out, torch.autograd.grad(out.square().sum(), x)[0]

    want, want_grad = run()
    assert want.any()
    counts = [BATCH if constant else STEPS * BATCH, STEPS * BATCH, STEPS * BATCH]
    assert [len(images) for images in convolved] == counts
    kept = snn.plan(model, rows, steps).kept
    # an image has 200 numbers behind the first convolution, and 56 behind the others
    monkeypatch.setattr(layout, "LARGE", 4 * BATCH * 56 * 3 + 1)
    out, grad = run()
    assert torch.equal(out, want)
    torch.testing.assert_close(grad, want_grad)
    parts = [BATCH, *[3 * BATCH] * 4] if constant else [BATCH] * 3 * STEPS
    assert [len(images) for images in convolved] == parts
    told = snn.plan(model, rows, steps).kept
    assert kept is not None
    assert told is not None
    layers = (0, 1, 3, 6, 7)  # the others keep parameters and states of each part
    assert [told[place] for place in layers] == [kept[place] for place in layers]


NEURONS: dict[str, Any] = {
    "leaky": lambda: snn.Leaky(0.9, learn_beta=True),
    "of each channel": lambda: snn.Leaky(torch.rand(3, 1, 1), torch.rand(3, 1, 1), learn_beta=True),
    "of each": lambda: snn.Synaptic(0.7, torch.rand(3, 4, 5), threshold=0.5, learn_beta=True),
    "of each column": lambda: snn.Alpha(0.9, 0.6, threshold=torch.rand(5), learn_threshold=True),
    "recurrent": lambda: snn.RLeaky(0.8, V=torch.rand(3, 1, 1), all_to_all=False),
}


@needs_kernel
@pytest.mark.parametrize("name", NEURONS)
def test_a_neuron_keeps_the_order(name: str, kernel_steps: list[str]) -> None:
    torch.manual_seed(0)
    neuron = NEURONS[name]()
    x = torch.rand(STEPS, 2, 4, 5, 3).movedim(-1, 2).requires_grad_()
    start = tuple(torch.rand(2, 3, 4, 5, requires_grad=True) for _ in neuron._names_given())
    record = ("spk", *neuron._names_given())
    leaves = [x, *start, *neuron.parameters()]

    def run(usual: bool) -> tuple[tuple[Tensor, ...], list[Any]]:
        rows = Sequence(x.contiguous() if usual else x, STEPS)
        out = unroll_neuron(neuron, rows, start, record, any_order=True)
        states = [getattr(neuron, one) for one in neuron.state_names]
        assert all(one.is_contiguous() for one in states)
        mixed = sum(((i + 1) * one * one).sum() for i, one in enumerate([*out, *states]))
        grads = torch.autograd.grad(mixed, leaves)
        assert len(kernel_steps) == 2
        kernel_steps.clear()
        return out, list(grads)

    want, got = run(usual=True), run(usual=False)
    assert want[0][0].any()
    for one, other in zip(got[0], want[0], strict=True):
        assert torch.equal(one, other)
        assert is_last(one[0])
        assert not is_last(other[0])
    assert_close(got[1], want[1], 1e-6)


@pytest.mark.parametrize("dims", [4, 5, 6])
def test_others_get_the_usual_order(dims: int) -> None:
    shape = (STEPS, 2, *(4, 5, 6)[: dims - 3], 3)
    x, neuron = torch.rand(shape).movedim(-1, 2), snn.Leaky(0.9, init_hidden=True)
    assert not x.is_contiguous()
    assert snn.unroll(nn.Sequential(neuron, Viewed()), x).shape[:2] == (STEPS, 2)
    assert snn.unroll(neuron, x).is_contiguous()
    assert neuron.unroll(x).is_contiguous()


def viewing(v: Tensor) -> Tensor:
    """Fire as a surrogate of a user's does, which takes the usual order only."""
    return (v.view(-1) > 0).to(v.dtype).view_as(v)


class Own(snn.Leaky):
    """A neuron that takes the usual order only."""

    def forward(self, x: Tensor, mem: Any = None) -> Any:
        return super().forward(x.view(len(x), -1).view_as(x), mem)


class BackViewed(nn.Conv2d):
    """A layer that looks at what it takes."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.view(len(x), -1).view_as(x))


STEPPED: dict[str, Any] = {
    "neuron": lambda: Own(0.5, init_hidden=True),
    "surrogate": lambda: snn.Lapicque(0.5, spike_grad=viewing, init_hidden=True),
    "quantized": lambda: snn.Lapicque(
        0.5, state_quant=lambda v: v.view(-1).round().view_as(v), init_hidden=True
    ),
    "layer": lambda: BackViewed(2, 2, 1),
    "hooked": lambda: nn.MaxPool2d(1),
    "hooked neuron": lambda: snn.Leaky(0.5, init_hidden=True),
    "class": lambda: snn.ALIF(0.5, init_hidden=True),
}


@needs_kernel
@pytest.mark.parametrize("name", STEPPED)
def test_what_is_stepped_gets_the_usual_order(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(layout, "FEW", 0)
    part = STEPPED[name]()
    if "hooked" in name:
        part.register_forward_pre_hook(lambda _, given: given[0].view(BATCH, -1).view_as(given[0]))
    layers = nn.Conv2d(3, 2, 3), snn.Leaky(0.5, init_hidden=True), part, nn.AvgPool2d(2)
    model, x = exact(nn.Sequential(*layers)), data(3)
    want = by_loop(model, x)
    utils.reset(model)
    assert_same(observed(model, x, snn.unroll(model, x)), want)
    utils.reset(model)
    with snn.deferred():
        rows = [model(row) for row in x]
        assert all(row.is_contiguous() for row in rows)
        out = torch.stack(rows)
    assert_same(observed(model, x, out), want)


@needs_kernel
@pytest.mark.parametrize("forward", [False, True])
def test_recomputed_whatever_oneDNN_is_at(forward: bool, convolved: list[Tensor]) -> None:
    torch.manual_seed(0)
    model, x = net(3, nn.Flatten()), data(3)
    before = layout.runs_onednn
    grads = []
    try:
        for recompute in (False, True):
            utils.reset(model)
            layout.runs_onednn = lambda: forward
            out = snn.unroll(model, x, recompute=recompute)
            layout.runs_onednn = lambda: not forward
            grads.append(torch.autograd.grad(out.square().sum(), [x, *model.parameters()]))
    finally:
        layout.runs_onednn = before
    assert_close(list(grads[1]), list(grads[0]), 1e-5)


def test_a_turned_value_is_recomputed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "FEW", 0)
    layers = snn.Leaky(0.5, init_hidden=True), nn.ConstantPad2d(1, 0.0), nn.Conv2d(2, 2, 3), lif()
    kept = snn.plan(nn.Sequential(*layers), data(2), recompute=True).kept
    assert kept is not None
    assert kept[2] == 0


class Loop(nn.Module):
    """A net whose time loop is in `forward`; it looks at what lies between."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model: Any = model

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return spikes in two forms, and currents."""
        utils.reset(self.model)
        flat, spikes, currents = [], [], []
        for row in x:
            current = self.model[0](row)
            currents.append((current * 2).view(len(row), -1))
            for layer in self.model[1:]:
                current = layer(current)
            spikes.append(current)
            flat.append(current.view(len(row), -1))
        return torch.stack(flat), torch.stack(spikes), torch.cat(currents)


@needs_kernel
@pytest.mark.parametrize("size", [1, 3, 4, None])
def test_a_loop_that_is_deferred(size: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model, x = Loop(net(2, nn.ReLU())), data(2)
    want = observed(model, x, model(x))
    monkeypatch.setattr(layout, "FEW", 0)
    if size is not None:  # so many steps of the first convolution at once
        monkeypatch.setattr(layout, "LARGE", 4 * BATCH * 200 * size + 1)
    turned: list[Tensor] = []

    def watched(images: Tensor) -> Tensor:
        turned.append(layout.channels_last(images))
        return turned[-1]

    monkeypatch.setattr(rules, "channels_last", watched)
    fused = snn.fuse(model)
    fused.forward.trial.defers = lambda like: True
    out = fused(x)
    assert_same(observed(model, x, out), want)
    assert all(map(is_last, turned))
    steps = [len(images) // BATCH for images in turned]
    # one by one they are no batch, and stay as they are
    assert steps == {1: [], 3: [3] * 6, 4: [4, 4, 4, 2, 2, 2], None: [6, 6, 6]}[size]


CHOICES: dict[str, Any] = {
    "flattened": lambda spk: spk.flatten(1).mean(1),
    "taken": lambda spk: spk[:, 0].sum((1, 2)),
    "its own": lambda spk: spk * 1,
}


@needs_kernel
@pytest.mark.parametrize("size", [2, None])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("name", CHOICES)
def test_values_keep_their_graphs(
    name: str, mode: Any, size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(layout, "FEW", 0)
    if size is not None:
        monkeypatch.setattr(layout, "LARGE", 4 * BATCH * 160 * size + 1)
    fc, model, x = nn.Linear(2 * 8 * 10, 4), net(2)[:1], data(2)
    model.append(snn.Leaky(0.5, init_hidden=True))

    def run() -> tuple[Any, Any]:
        utils.reset(model)
        total: Any = 0.0
        seen: Any = 0.0
        for row in x:
            spk = model(row)
            with mode():
                seen = seen + CHOICES[name](spk)
            total = total + fc(spk.flatten(1)[:, :160])
        return total, seen

    want = run()
    with snn.deferred():
        got = run()
    torch.testing.assert_close(got, want)
    leaves = [x, *model.parameters(), *fc.parameters()]
    grads = [torch.autograd.grad(out.square().sum(), leaves) for out in (got[0], want[0])]
    assert_close(list(grads[0]), list(grads[1]), 1e-5)


def test_values_that_are_turned_by_the_program_stay_so() -> None:
    torch.manual_seed(0)
    lif, lin, x = snn.Leaky(0.5, init_hidden=True), nn.Linear(6, 6), torch.rand(5, 4, 3, 6)

    def run() -> Tensor:
        lif.reset_mem()
        out = []
        for row in x:
            spk = lif(row)
            out.append((lin(spk[:, 0]).t() * 2).t().view(-1))
            out.append(torch.as_strided(spk.permute(0, 2, 1) * 2, (4, 6), (18, 1)).flatten())
            out.append(spk.unsqueeze(1).clone(memory_format=torch.channels_last).flatten())
        return torch.cat(out)

    want = run()
    with snn.deferred():
        got = run()
    assert torch.equal(got, want)


@pytest.mark.parametrize("constant", [False, True])
def test_each_step_is_normalized_in_either_order(
    constant: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(layout, "FEW", 0)
    x, last = data(2), []

    def watched(rows: Tensor) -> bool:
        last.append(layout.channels_are_last(rows))
        return last[-1]

    monkeypatch.setattr(rules, "channels_are_last", watched)
    loop = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.AvgPool2d(2))
    nn.init.uniform_(loop[1].weight)
    deferred = copy.deepcopy(loop)
    rows = [x[0]] * STEPS if constant else x.unbind()
    want = torch.stack([loop(row) for row in rows])
    with snn.deferred():
        got = torch.stack([deferred(row) for row in rows])
    assert last == [True]
    grads = [
        torch.autograd.grad(out.pow(3).sum(), [x, *run.parameters()])
        for run, out in ((deferred, got), (loop, want))
    ]
    torch.testing.assert_close(got, want)
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
    for one, other in zip(deferred.buffers(), loop.buffers(), strict=True):
        torch.testing.assert_close(one, other)


def test_gradients_come_back_in_the_order_of_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program reads images in the usual order; a convolution gets its gradient in its own."""
    monkeypatch.setattr(layout, "FEW", 0)
    x, came = data(2), []
    turned = layout.arranged(nn.Conv2d(2, 4, 3), x)
    rows = layout.comes_back_turned(turned)
    turned.register_hook(lambda grad: came.append(is_last(grad.flatten(0, 1))))
    usual = torch.randn(x.shape, requires_grad=True)
    (first,) = torch.autograd.grad((rows * usual).square().sum(), x, create_graph=True)
    assert came == [True]
    torch.testing.assert_close(first, 2 * x * usual.square())
    (second,) = torch.autograd.grad(first.sum(), usual)
    torch.testing.assert_close(second, 4 * x * usual)
    assert layout.comes_back_turned(x) is x


def test_functions_of_functions_see_no_order() -> None:
    images = torch.rand(3, 2, 8, 8, 2).movedim(-1, 2)
    model = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(32, 4))
    assert layout.channels_are_last(images)

    def run(x: Tensor) -> Tensor:
        return snn.unroll(model, x).square().sum()

    found = torch.func.grad(run)(images)
    torch.testing.assert_close(found, torch.func.grad(run)(images.contiguous()))
    (want,) = torch.autograd.grad(run(images.requires_grad_()), images)
    torch.testing.assert_close(found, want)
