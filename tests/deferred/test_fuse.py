"""What `fuse`, `unfuse` and `deferred` do to nets, states and values besides the numbers."""

from __future__ import annotations

import contextlib
import copy
import gc
import itertools
import pickle
import threading
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import snntorch as snn
from snntorch import surrogate, utils
from snntorch._neurons._deferral import RECORDERS
from snntorch._unroll.deferred import outputs, recorder
from snntorch._unroll.deferred.columns import Column
from snntorch._unroll.deferred.notes import Notes
from snntorch._unroll.deferred.placeholder import Deferred, Slot, Source
from snntorch._unroll.deferred.report import Report

STEPS = 6


class Net(nn.Module):
    """The class that people write: explicit states, and the loop in ``forward``."""

    def __init__(self, steps: int = STEPS) -> None:
        super().__init__()
        self.steps = steps
        self.fc1, self.lif1 = nn.Linear(5, 8), snn.Leaky(0.9, threshold=0.3)
        self.fc2, self.lif2 = nn.Linear(8, 3), snn.Leaky(0.8, threshold=0.3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes, mems = [], []
        for _ in range(self.steps):
            spk1, mem1 = self.lif1(self.fc1(x), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
            mems.append(mem2)
        return torch.stack(spikes), torch.stack(mems)


def hidden(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(5, 4), snn.Leaky(0.9, threshold=0.3, init_hidden=True), *layers)


def report_of(net: nn.Module) -> Report:
    report = net.forward.report  # type: ignore[union-attr]
    assert isinstance(report, Report)
    return report


def test_each_layer_runs_once_over_all_of_time() -> None:
    torch.manual_seed(0)
    net, x = Net(), torch.rand(4, 5)
    want = net(x)
    got = snn.fuse(net)(x)
    assert all(torch.equal(one, other) for one, other in zip(got, want, strict=True))
    assert report_of(net).lines == {
        ("linear", "once, for all steps"): STEPS,
        ("Leaky", "over all time"): 2 * STEPS,
        ("linear", "as one batch"): STEPS,
        ("stack", "once"): 2,
    }
    assert not report_of(net).early
    assert "Leaky      12 over all time" in str(report_of(net))


def test_a_fused_net_is_the_same_net() -> None:
    net = Net()
    keys = list(net.state_dict())
    assert snn.fuse(net) is net
    assert list(net.state_dict()) == keys
    assert isinstance(net, Net)
    x = torch.rand(4, 5)
    want = net(x)[1]
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(twin(x)[1], want)
        assert twin.forward.net is twin
        assert report_of(twin).noted
    assert snn.unfuse(net) is net
    assert "forward" not in vars(net)
    assert torch.equal(net(x)[1], want)
    assert snn.unfuse(net) is net


def test_what_cannot_be_fused() -> None:
    with pytest.raises(TypeError, match=r"fuse expected `net` to be a torch.* but got function"):
        snn.fuse(lambda x: x)  # type: ignore[type-var]
    with pytest.raises(TypeError, match=r"unfuse expected `net` to be a torch.* but got int"):
        snn.unfuse(3)  # type: ignore[type-var]
    with pytest.raises(TypeError, match=r"(?s)fuse expected `net` to be in Python.*TorchScript"):
        snn.fuse(torch.jit.trace(nn.ReLU(), torch.ones(2)))
    with pytest.raises(ValueError, match="chunk"):
        snn.fuse(Net(), chunk=0)
    with pytest.raises(ValueError, match="chunk"):
        snn.deferred(chunk=0)


def test_a_loop_of_ones_own() -> None:
    torch.manual_seed(1)
    net = hidden(nn.Linear(4, 2), snn.Synaptic(0.8, 0.7, init_hidden=True, output=True))
    x = torch.rand(STEPS, 3, 5)
    want = [net(step) for step in x]
    states = [net[1].mem, net[3].syn, net[3].mem]
    utils.reset(net)
    got = []
    with snn.deferred() as noted:
        for t in range(len(x)):
            got.append(net(x[t]))
    for one, other in zip(got, want, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    left = [net[1].mem, net[3].syn, net[3].mem]
    assert all(type(a) is Tensor and torch.equal(a, b) for a, b in zip(left, states, strict=True))
    assert noted.report.runs < 0.4 * noted.report.noted
    got[-1][0].sum().backward()
    assert net[0].weight.grad is not None


@pytest.mark.parametrize(
    "ask",
    [
        lambda spk: bool(spk.sum() > 100),
        lambda spk: spk.max().item(),
        lambda spk: spk.detach().numpy(),
        print,
        lambda spk: spk.tolist(),
        lambda spk: spk[spk > 0],
        torch.nonzero,
        lambda spk: float(spk.detach().mean()),
    ],
)
def test_a_value_that_is_needed_early_is_told(ask: Any, capsys: Any) -> None:
    torch.manual_seed(2)
    net, x = hidden(), torch.rand(3, 5)
    want = [net(x) for _ in range(STEPS)]
    utils.reset(net)
    with snn.deferred() as noted:
        got = [net(x) for _ in range(3)]
        ask(got[-1])
        got += [net(x) for _ in range(3)]
    assert all(torch.equal(one, other) for one, other in zip(got, want, strict=True))
    ((_, where),) = noted.report.early
    assert where.startswith(__file__)


def test_a_net_that_looks_at_each_step_goes_back_to_its_loop() -> None:
    class Looks(Net):
        def forward(self, x: Tensor) -> Any:
            mem, out = self.lif1.init_leaky(), []
            for _ in range(self.steps):
                spk, mem = self.lif1(self.fc1(x), mem)
                if spk.sum() > 1:
                    mem = mem * 0.5
                out.append(spk)
            return torch.stack(out)

    net, x = Looks(), torch.rand(4, 5)
    want = net(x)
    snn.fuse(net)
    for call in range(4):
        assert torch.equal(net(x), want)
        assert bool(net.forward.trial.outcome) is (call > 0)  # type: ignore[union-attr]
    assert sum(report_of(net).early.values()) == STEPS


def test_an_error_in_the_middle_leaves_no_placeholder() -> None:
    class Fails(Net):
        def forward(self, x: Tensor) -> Any:
            mem = self.lif1.init_leaky()
            for t in range(self.steps):
                _, mem = self.lif1(self.fc1(x if t < 3 else x[:, :2]), mem)
            return mem

    net = snn.fuse(Fails())
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        net(torch.rand(4, 5))
    assert type(net.lif1.mem) is Tensor
    assert net.lif1.mem.shape == (4, 8)
    assert not RECORDERS
    assert type(snn.unfuse(net).fc1(torch.rand(4, 5))) is Tensor


def test_no_placeholder_lives_on(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[Deferred]] = []
    add = Notes.add

    def watched(*args: Any) -> list[Deferred]:
        placeholders = add(*args)
        made.extend(map(weakref.ref, placeholders))
        return placeholders

    monkeypatch.setattr(Notes, "add", watched)
    net = snn.fuse(Net())
    gc.collect()
    gc.disable()  # what goes in circles would keep a sequence's memory until it runs
    try:
        out = net(torch.rand(4, 5))
        left = [one for ref in made if (one := ref()) is not None]
        circles = [one for one in gc.get_objects() if issubclass(type(one), (Column, Slot, Source))]
    finally:
        gc.enable()
    assert len(made) > 4 * STEPS
    assert not left
    assert not circles
    assert all(type(one) is Tensor for one in out)


@pytest.mark.parametrize("at", range(12))
def test_what_is_interrupted_amid_a_note_was_not_called(
    at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = itertools.count()

    def ref(slot: Slot) -> weakref.ref[Slot]:
        if next(made) == at:
            raise KeyboardInterrupt
        return weakref.ref(slot)

    monkeypatch.setattr("snntorch._unroll.deferred.notes.ref", ref)
    fc, lif, x = nn.Linear(5, 8), snn.Leaky(0.9), torch.rand(4, 3, 5)

    def steps() -> Tensor:
        mem, out = lif.init_leaky(), []
        for step in x:
            try:
                spk, mem = lif(fc(step), mem)
            except KeyboardInterrupt:
                spk, mem = lif(fc(step), mem)
            out += [spk, mem]
        return torch.stack(out)

    want = steps()
    with snn.deferred() as noted:
        got = steps()
    assert next(made) > at
    assert ("Leaky", "over all time") in noted.report.lines
    torch.testing.assert_close(got, want)


def test_what_is_interrupted_before_its_first_note_was_not_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, right = itertools.count(), recorder.pattern_of

    def pattern_of(*args: Any) -> Any:
        if next(made) == 0:
            raise KeyboardInterrupt
        return right(*args)

    monkeypatch.setattr(recorder, "pattern_of", pattern_of)
    layer, x = nn.Linear(5, 5), torch.rand(4, 3, 5)
    with snn.deferred():
        with pytest.raises(KeyboardInterrupt):
            layer(x[0])
        doubled = x[0] * 2
        got = torch.stack([layer(x[0]), doubled])
    torch.testing.assert_close(got, torch.stack([layer(x[0]), x[0] * 2]))


def test_what_comes_out_can_be_written_to() -> None:
    class Last(Net):
        def forward(self, x: Tensor) -> Any:
            mem, out = self.lif1.init_leaky(), []
            for _ in range(self.steps):
                spk, mem = self.lif1(self.fc1(x), mem)
                out.append(spk)
            return out, mem

    net, x = snn.fuse(Last()), torch.rand(4, 5)
    spikes, mem = net(x)
    kept = [spk.clone() for spk in spikes]
    spikes[0].add_(1)
    mem.mul_(2)
    assert all(torch.equal(a, b) for a, b in zip(spikes[1:], kept[1:], strict=True))
    (spikes[0].sum() + mem.sum()).backward()


def test_states_are_passed_in_and_come_back() -> None:
    class Stateful(Net):
        def forward(self, x: Tensor, mem: Tensor) -> Any:  # type: ignore[override]
            for _ in range(self.steps):
                _, mem = self.lif1(self.fc1(x), mem)
            return mem

    net, x = Stateful(), torch.rand(4, 5)
    want = net(x, net(x, torch.zeros(4, 8)))
    snn.fuse(net)
    assert torch.equal(net(x, net(x, torch.zeros(4, 8))), want)


@pytest.mark.parametrize("context", (torch.no_grad, torch.inference_mode))
def test_without_gradients(context: Any) -> None:
    net, x = Net(), torch.rand(4, 5)
    with context():
        want = net(x)
        got = snn.fuse(net)(x)
    assert all(torch.equal(one, other) for one, other in zip(got, want, strict=True))
    assert not any(one.requires_grad for one in got)
    assert got[0].is_inference() is want[0].is_inference()


def test_autocast() -> None:
    net, x = Net(), torch.rand(4, 5)
    with torch.autocast("cpu", torch.bfloat16):
        want = net(x)
        got = snn.fuse(net)(x)
    for one, other in zip(got, want, strict=True):
        assert one.dtype == other.dtype
        torch.testing.assert_close(one, other)
    assert report_of(net).pays


def test_a_parameter_that_changes_in_the_loop() -> None:
    class Changes(Net):
        def forward(self, x: Tensor) -> Any:
            mem, out = self.lif1.init_leaky(), []
            for t in range(self.steps):
                mem = self.lif1(self.fc1(x), mem)[1]
                out.append(mem)
                if t == 2:
                    with torch.no_grad():
                        self.fc1.weight.mul_(0.5)
                        self.lif1.beta = torch.tensor(0.1)
                if t == 4:
                    self.lif1.threshold.fill_(0.9)
            return torch.stack(out)

    torch.manual_seed(3)
    one, x = Changes(), torch.rand(4, 5)
    other = snn.fuse(copy.deepcopy(one))
    assert torch.equal(other(x), one(x))


def test_nets_in_nets_and_threads() -> None:
    inner = snn.fuse(Net())
    outer, x = snn.fuse(nn.Sequential(nn.Linear(5, 5), inner)), torch.rand(4, 5)
    want = snn.unfuse(copy.deepcopy(outer))(x)
    found: list[Any] = []

    def work(net: nn.Module) -> None:
        found.append(net(x))

    threads = [threading.Thread(target=work, args=(copy.deepcopy(outer),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert all(torch.equal(out[1], want[1]) for out in found)


def test_checkpoints() -> None:
    net, x = Net(), torch.rand(4, 5, requires_grad=True)
    net(x)[1].sum().backward()
    want, x.grad = x.grad, None
    snn.fuse(net)
    outputs._KNOWN.clear()  # the first call asks torch what operations give, the second does not
    checkpoint(lambda x: net(x)[1], x, use_reentrant=False).sum().backward()
    torch.testing.assert_close(x.grad, want)


def test_hooks_see_each_step() -> None:
    net, x = Net(), torch.rand(4, 5)
    seen: list[float] = []
    net.lif1.register_forward_hook(lambda module, args, out: seen.append(out[0].sum().item()))
    net(x)
    want, seen[:] = list(seen), []
    snn.fuse(net)(x)
    assert seen == want


def test_a_neuron_with_a_method_of_its_own() -> None:
    class Own(snn.Leaky):
        def fire(self, mem: Tensor) -> Tensor:
            return super().fire(mem * 1.5)

    net, x = Net(), torch.rand(4, 5)
    net.lif1 = Own(0.9, threshold=0.3)
    want = net(x)
    assert torch.equal(snn.fuse(net)(x)[1], want[1])
    assert any("of its own" in how for _, how in report_of(net).lines)


def test_an_autograd_function_of_ones_own() -> None:
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            return 2.5 * grad * ctx.saved_tensors[0]

    class Squares(Net):
        def forward(self, x: Tensor) -> Any:
            mem, out = self.lif1.init_leaky(), []
            for _ in range(self.steps):
                _, mem = self.lif1(Square.apply(self.fc1(x)), mem)
                out.append(surrogate.atan()(mem - 0.1))
            return torch.stack(out)

    net, x = Squares(), torch.rand(4, 5, requires_grad=True)
    want = torch.autograd.grad(net(x).sum(), x)[0]
    got = torch.autograd.grad(snn.fuse(net)(x).sum(), x)[0]
    torch.testing.assert_close(got, want)
    with snn.deferred():
        placeholder = net.fc1(x)
    assert torch.equal(Square.apply(placeholder), Square.apply(net.fc1(x)))


def test_dropout_draws_for_each_step() -> None:
    net, x = hidden(nn.Dropout(0.5)), torch.ones(30, 5)
    net[1].threshold.fill_(-1.0)  # fires always
    with snn.deferred():
        out = [net(x) for _ in range(STEPS)]
    masks = torch.stack([one != 0 for one in out])
    assert 0.4 < masks.double().mean() < 0.6
    assert not any(torch.equal(masks[0], mask) for mask in masks[1:])


@pytest.mark.parametrize("constant", (False, True))
def test_statistics_are_those_of_each_step(constant: bool) -> None:
    torch.manual_seed(4)
    one = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), snn.Leaky(0.9, init_hidden=True))
    other, x = copy.deepcopy(one), torch.rand(STEPS, 4, 2, 6, 6)
    steps = [x[0]] * STEPS if constant else x.unbind()
    want = torch.stack([one(step) for step in steps])
    with snn.deferred() as noted:
        got = torch.stack([other(step) for step in steps])
    torch.testing.assert_close(value(got), want)
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        torch.testing.assert_close(getattr(other[1], name), getattr(one[1], name))
    how = "once, for all steps" if constant else "as one batch"
    assert ("batch_norm", how) in noted.report.lines
    grads = [
        torch.autograd.grad(out.sum(), net.parameters())
        for out, net in ((value(got), other), (want, one))
    ]
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def value(one: Tensor) -> Tensor:
    return one + 0 if type(one) is Deferred else one


def test_memory_is_bounded_on_request() -> None:
    net, x = Net(steps=20), torch.rand(4, 5)
    want = net(x)
    assert torch.equal(snn.fuse(net, chunk=5)(x)[1], want[1])
    ((_, lines),) = [(1, [n for (w, _), n in report_of(net).lines.items() if w == "Leaky"])]
    assert sum(lines) == 40
    assert report_of(net).runs >= 4 * 3


def test_what_is_known_changes_with_the_value() -> None:
    class Asks(Net):
        def forward(self, x: Tensor) -> Any:
            x = x * 2
            x.requires_grad_()
            (grad,) = torch.autograd.grad(self.fc1(x).sum(), x)
            return x.requires_grad, grad

    flag, grad = snn.fuse(Asks())(torch.rand(4, 5))
    assert flag is True
    assert type(grad) is Tensor


def test_a_forward_that_was_set_on_the_net_stays() -> None:
    net, x = Net(), torch.rand(4, 5)
    own = vars(net)["forward"] = lambda x: net.fc1(x) * 2
    want = net(x)
    assert torch.equal(snn.fuse(snn.fuse(net))(x), want)
    assert report_of(net).noted == 2
    assert vars(snn.unfuse(net))["forward"] is own


def test_a_context_in_a_context_belongs_to_the_outer() -> None:
    net, x = hidden(), torch.rand(3, 5)
    want = [net(x) for _ in range(STEPS)]
    utils.reset(net)
    with snn.deferred() as outer:
        got = [net(x) for _ in range(2)]
        with snn.deferred() as inner:
            got += [net(x) for _ in range(2)]
        got += [net(x) for _ in range(2)]
    assert all(torch.equal(one, other) for one, other in zip(got, want, strict=True))
    assert (inner.report.noted, outer.report.noted) == (0, 2 * STEPS)


def test_transforms_run_the_loop() -> None:
    net, x = Net(), torch.rand(4, 5)
    want = torch.func.vmap(lambda one: net(one.unsqueeze(0))[1])(x)
    snn.fuse(net)
    assert torch.equal(torch.func.vmap(lambda one: net(one.unsqueeze(0))[1])(x), want)
    assert report_is_none(net)


def report_is_none(net: nn.Module) -> bool:
    return net.forward.report is None  # type: ignore[union-attr]


def test_an_optimizer_in_the_context() -> None:
    nets, found = [Net(), Net()], []
    nets[1].load_state_dict(nets[0].state_dict())
    x = torch.rand(4, 5)
    for net, context in zip(nets, (contextlib.nullcontext(), snn.deferred()), strict=True):
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
        with context:
            before = net.fc2(net.fc1(x))
            for _ in range(3):
                optimizer.zero_grad()
                net(x)[1].sum().backward()
                optimizer.step()
            found.append([before.detach() + 0, *(p.detach().clone() for p in net.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one + 0, other)


@pytest.mark.parametrize(
    "write",
    [
        lambda net, x: net.fc1.weight.data.mul_(0.5),
        lambda net, x: torch._foreach_mul_([net.fc2.bias, net.fc1.weight], 0.5),
        lambda net, x: torch.mul(net.fc1.weight, 0.5, out=net.fc1.weight),
        lambda net, x: x.add_(1.0),
        lambda net, x: x[0].add_(1.0),
    ],
)
def test_what_waits_reads_what_was_there(write: Any) -> None:
    torch.manual_seed(5)
    found = []
    for context in (contextlib.nullcontext(), snn.deferred()):
        torch.manual_seed(6)
        net, x = Net(), torch.rand(4, 5)
        with context, torch.no_grad():
            out = net.fc1(x), net.fc1(x[0:1]), net.fc1(x[1])
            write(net, x)
            out += (net.fc1(x),)
        found.append([one + 0 for one in out])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_values_decide_where_an_example_would_mislead() -> None:
    calls: list[Tensor] = []

    class Picky(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            assert x.abs().max() > 0
            calls.append(x)
            return x * 2

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            return grad * 2

    class Asks(Net):
        def forward(self, x: Tensor) -> Any:
            gram = x.t() @ x + torch.eye(5)
            return Picky.apply(torch.linalg.cholesky(gram))

    net, x = Asks(), torch.rand(4, 5)
    assert torch.equal(snn.fuse(net)(x), snn.unfuse(net)(x))
    assert len(calls) == 2


def test_leftover_placeholders_can_be_written_to() -> None:
    net, x = hidden(), torch.rand(3, 5)
    want = [net(x) for _ in range(3)]
    utils.reset(net)
    with snn.deferred():
        got = [net(x) for _ in range(3)]
    got[0] += 1
    got[1].mul_(2)
    for one, other in zip(got, (want[0] + 1, want[1] * 2, want[2]), strict=True):
        assert torch.equal(one, other)


def test_parts_of_what_is_written_to() -> None:
    """Several views of one value: each is that part again after a write to the whole."""
    x, layer = torch.rand(STEPS, 4, 8), nn.Linear(8, 8)

    def run() -> Tensor:
        out = []
        for step in x:
            whole = layer(step) * 1.0
            one, two = whole.chunk(2, 1)
            whole[0] = 5.0
            out.append(one - 2 * two)
        return torch.stack(out)

    with torch.no_grad():  # with gradients torch forbids it
        want = run()
        with snn.deferred():
            got = run()
    torch.testing.assert_close(got, want)
