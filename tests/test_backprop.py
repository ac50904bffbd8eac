"""Training through time against recorded numbers and an independent loop."""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import snntorch as snn
import snntorch.functional as SF
from snntorch import backprop, surrogate
from tests import golden
from tests.cases import DENSE, Case

T, BATCH, INPUTS, HIDDEN, OUTPUTS = 7, 5, 3, 6, 2
TRAINERS = (backprop.TBPTT, backprop.BPTT, backprop.RTRL)


def make_net(last: nn.Module | None = None, beta: float = 0.8) -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(INPUTS, HIDDEN),
        snn.Leaky(0.9, init_hidden=True),
        nn.Linear(HIDDEN, OUTPUTS),
        snn.Leaky(beta, init_hidden=True, output=True) if last is None else last,
    )
    with torch.no_grad():  # loud enough to fire
        net[0].weight *= 2
        net[2].weight *= 4
    return net


def sgd(net: nn.Module, lr: float = 0.1) -> torch.optim.Optimizer:
    return torch.optim.SGD(net.parameters(), lr)


def batches(number: int = 2, steps: int = T) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(3)
    return [
        (
            torch.rand(steps, BATCH, INPUTS, generator=generator) * 3,
            torch.randint(0, OUTPUTS, (BATCH,), generator=generator),
        )
        for _ in range(number)
    ]


def weights(net: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in net.parameters()]


def same(first: list[Tensor], second: list[Tensor]) -> bool:
    pairs = zip(first, second, strict=True)
    return all(torch.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in pairs)


# -- recorded numbers


def check_recorded(case: dict[str, Any], beta: float = 0.8) -> None:
    seed, kw = case["seed"], case["kw"]
    net = nn.Sequential(
        nn.Linear(6, 8),
        snn.Leaky(0.9, init_hidden=True),
        nn.Linear(8, 4),
        snn.Leaky(beta, init_hidden=True, output=True),
    )
    with torch.no_grad():
        for name, parameter in sorted(net.named_parameters()):
            values = golden.rng(seed, name).uniform(-0.6, 0.6, tuple(parameter.shape))
            parameter.copy_(torch.from_numpy(values))
    data = torch.from_numpy(golden.rng(seed, "X").uniform(0, 2, (3, 5, 6))).float()
    targets = torch.from_numpy(golden.rng(seed, "Y").randint(0, 4, (3, 5)))
    arguments: dict[str, Any] = {"num_steps": kw["T"], "time_var": False}
    loader = zip(data, targets, strict=True)
    trainer = backprop.BPTT if kw["K"] is None else backprop.TBPTT
    if kw["K"] is not None:
        arguments["K"] = kw["K"]
    loss = trainer(net, loader, sgd(net), SF.ce_count_loss(), **arguments)
    torch.testing.assert_close(loss, golden.tensor(case, "loss"), rtol=1e-5, atol=2e-6)
    for name, parameter in net.named_parameters():
        expected = golden.tensor(case, name)
        torch.testing.assert_close(parameter.detach(), expected, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("case", golden.cases("backprop"), ids=lambda case: case["id"])
def test_recorded_training(case: dict[str, Any]) -> None:
    check_recorded(case)


@pytest.mark.parametrize("case", golden.cases("backprop"), ids=lambda case: case["id"])
def test_recorded_training_tells_another_window_and_another_neuron(case: dict[str, Any]) -> None:
    K = case["kw"]["K"] or case["kw"]["T"]
    narrow = {**case, "kw": {**case["kw"], "K": K - 1}}
    for wrong, beta in ((narrow, 0.8), (case, 0.7)):
        with pytest.raises(AssertionError, match="not close"):
            check_recorded(wrong, beta)


# -- the same, written out by hand


def by_hand(
    net: nn.Sequential,
    loader: list[tuple[Tensor, Tensor]],
    K: int,
    criterion: Callable[[Tensor, Tensor], Tensor],
    reads: str,
    regularization: Callable[[Tensor], Tensor] | None = None,
) -> float:
    """Train a net of `make_net` on explicit states; ``net`` only holds the weights."""
    betas = [net[1].beta.item(), net[3].beta.item()]
    fire, optimizer, mean, steps = surrogate.atan(), sgd(net), 0.0, 0
    fired = 0
    for data, targets in loader:
        mem1, mem2 = torch.zeros(BATCH, HIDDEN), torch.zeros(BATCH, OUTPUTS)
        for start in range(0, len(data), K):
            spikes, membranes = [], []
            mem1, mem2 = mem1.detach(), mem2.detach()
            for x in data[start : start + K]:
                mem1 = betas[0] * mem1 + net[0](x) - (mem1 > 1).float()
                mem2 = betas[1] * mem2 + net[2](fire(mem1 - 1)) - (mem2 > 1).float()
                spikes.append(fire(mem2 - 1))
                membranes.append(mem2)
            loss = criterion(torch.stack(spikes if reads == "spk" else membranes), targets)
            if regularization is not None:
                loss = loss + regularization(torch.stack(spikes))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            fired += sum(int(spk.sum()) for spk in spikes)
            mean += loss.item() * len(spikes)
            steps += len(spikes)
    assert 0 < fired < steps * BATCH * OUTPUTS
    return mean / steps


LOSSES = {
    "spk": SF.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2),
    "mem": SF.mse_membrane_loss(on_target=1.5),
}


@pytest.mark.parametrize("regularized", [False, True])
@pytest.mark.parametrize("reads", ["spk", "mem"])
@pytest.mark.parametrize("K", [1, 2, 3, T, 100])
def test_equals_the_loop_written_out(K: int, reads: str, regularized: bool) -> None:
    price = SF.l1_rate_sparsity(0.01) if regularized else None
    # in double precision, as a product of more rows may be rounded otherwise
    net, reference = make_net().double(), make_net().double()
    data = [(x.double(), targets) for x, targets in batches()]
    before = weights(net)
    loss = backprop.TBPTT(net, data, sgd(net), LOSSES[reads], regularization=price or False, K=K)
    expected = by_hand(reference, data, K, LOSSES[reads], reads, price)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert same(weights(net), weights(reference))
    assert not same(weights(net), before)


@pytest.mark.parametrize(
    "change",
    [{"K": 3}, {"reads": "mem"}, {"regularization": SF.l1_rate_sparsity(0.01)}],
    ids=str,
)
def test_the_loop_written_out_sees_differences(change: dict[str, Any]) -> None:
    net, reference = make_net(), make_net()
    backprop.TBPTT(net, batches(), sgd(net), LOSSES["spk"], K=2)
    by_hand(reference, batches(), **{"K": 2, "criterion": LOSSES["spk"], "reads": "spk", **change})
    assert not same(weights(net), weights(reference))


def test_a_window_ends_the_gradient() -> None:
    # The weights of the first layer see an input only at step 0, outputs count at step 1.
    data, targets = torch.zeros(2, BATCH, INPUTS), torch.zeros(BATCH).long()
    data[0] = 0.3

    def last_step(record: Tensor, _: Tensor) -> Tensor:
        return record[-1].sum()

    last_step.reads = "mem"  # type: ignore[attr-defined]
    for K, reaches in ((1, False), (2, True)):
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Linear(INPUTS, OUTPUTS, bias=False), snn.Leaky(0.9, init_hidden=True, output=True)
        )
        backprop.TBPTT(net, [(data, targets)], sgd(net, 0.0), last_step, K=K)
        assert bool((net[0].weight.grad != 0).any()) is reaches


def test_bptt_and_rtrl_are_two_windows() -> None:
    for trainer, K in ((backprop.BPTT, T), (backprop.RTRL, 1)):
        net, truncated = make_net(), make_net()
        loss = trainer(net, batches(), sgd(net), LOSSES["spk"])
        assert loss == backprop.TBPTT(truncated, batches(), sgd(truncated), LOSSES["spk"], K=K)
        assert same(weights(net), weights(truncated))
    assert not same(weights(make_net()), weights(net))


# -- windows and updates


class Counted(torch.optim.SGD):
    updates = 0

    def step(self, closure: Any = None) -> Any:
        self.updates += 1
        return super().step(closure)


@pytest.mark.parametrize(
    ("trainer", "arguments", "updates"),
    [
        (backprop.TBPTT, {"K": 2}, 4),
        (backprop.TBPTT, {"K": 4}, 2),
        (backprop.TBPTT, {"K": 7}, 1),
        (backprop.TBPTT, {"K": 2, "num_steps": 4}, 2),
        (backprop.TBPTT, {}, 7),
        (backprop.RTRL, {}, 7),
        (backprop.BPTT, {}, 1),
    ],
)
@pytest.mark.parametrize("static", [False, True])
def test_one_update_per_window(
    trainer: Any, arguments: dict[str, Any], updates: int, static: bool
) -> None:
    net = make_net()
    optimizer, loader = Counted(net.parameters(), 0.1), batches(3)
    if static:
        loader = [(x[0], y) for x, y in loader]
        arguments = {"num_steps": T, **arguments, "time_var": False}
    trainer(net, loader, optimizer, SF.ce_rate_loss(), **arguments)
    assert optimizer.updates == 3 * updates


@pytest.mark.parametrize("trainer", TRAINERS)
def test_static_data_are_fed_at_every_step(trainer: Any) -> None:
    x, y = batches(1)[0]
    net, static = make_net(), make_net()
    trainer(net, [(x[:1].expand(T, -1, -1), y)], sgd(net), LOSSES["mem"])
    trainer(static, [(x[0], y)], sgd(static), LOSSES["mem"], num_steps=T, time_var=False)
    assert same(weights(net), weights(static))


@pytest.mark.parametrize("trainer", TRAINERS)
def test_batch_first_data_are_the_same_data(trainer: Any) -> None:
    net, batch_first = make_net(), make_net()
    trainer(net, batches(), sgd(net), LOSSES["mem"])
    loader = [(x.transpose(0, 1), y) for x, y in batches()]
    trainer(batch_first, loader, sgd(batch_first), LOSSES["mem"], time_first=False)
    assert same(weights(net), weights(batch_first))


def test_num_steps_takes_the_first_steps() -> None:
    net, cut = make_net(), make_net()
    backprop.BPTT(net, batches(), sgd(net), LOSSES["mem"], num_steps=4)
    backprop.BPTT(cut, [(x[:4], y) for x, y in batches()], sgd(cut), LOSSES["mem"])
    assert same(weights(net), weights(cut))


@pytest.mark.parametrize("trainer", TRAINERS)
def test_every_batch_starts_from_zero(trainer: Any) -> None:
    net, used = make_net(), make_net()
    for _ in range(5):
        used(torch.rand(BATCH, INPUTS))
    trainer(net, batches(1), sgd(net), LOSSES["mem"])
    trainer(used, batches(1), sgd(used), LOSSES["mem"])
    assert same(weights(net), weights(used))


def test_nothing_is_kept_or_changed() -> None:
    net, loader = make_net(), batches()
    before = copy.deepcopy(loader)
    other = snn.Leaky(0.9)
    other(torch.ones(2, 3))
    loss = backprop.TBPTT(net, loader, sgd(net), LOSSES["spk"], K=3)
    assert not loss.requires_grad
    assert loss.shape == ()
    assert not any(m.mem.requires_grad for m in net.modules() if isinstance(m, snn.Leaky))
    assert torch.equal(other.mem, torch.ones(2, 3))  # of no concern to this training
    for batch, old in zip(loader, before, strict=True):
        assert all(map(torch.equal, batch, old))


def test_dtype_of_the_loss() -> None:
    net = make_net().double()
    loader = [(x.double(), y) for x, y in batches()]
    assert backprop.BPTT(net, loader, sgd(net), LOSSES["mem"]).dtype == torch.float64


# -- known defects of 1.0.0


@pytest.mark.parametrize("trainer", TRAINERS)
def test_time_varying_data_train(trainer: Any) -> None:  # tbptt-time-varying
    net = make_net()
    before = weights(net)
    assert math.isfinite(trainer(net, batches(), sgd(net), SF.ce_rate_loss()))
    assert not same(weights(net), before)


def test_two_kinds_of_neurons() -> None:  # tbptt-two-neuron-types
    net = make_net(snn.Synaptic(0.8, 0.9, init_hidden=True, output=True))
    backprop.TBPTT(net, batches(), sgd(net), SF.ce_rate_loss(), K=2)
    assert not net[1].mem.requires_grad
    assert not net[3].mem.requires_grad
    assert not net[3].syn.requires_grad


def test_unknown_criterion_names_what_to_declare() -> None:  # tbptt-unknown-criterion
    for unknown in (nn.CrossEntropyLoss(), F.mse_loss, lambda record, targets: record.sum()):
        for trainer in TRAINERS:
            with pytest.raises(TypeError, match=r'says what it reads(.|\n)*reads = "spk"'):
                trainer(make_net(), batches(), sgd(make_net()), unknown)


def frame_by_frame(record: Tensor, targets: Tensor) -> Tensor:
    """Return an error that needs a target for each step, and sees which it is given."""
    assert record.shape[:2] == targets.shape
    return ((record.mean(-1) - targets) ** 2).mean()


frame_by_frame.reads = "mem"  # type: ignore[attr-defined]
frame_by_frame.time_var_targets = True  # type: ignore[attr-defined]


@pytest.mark.parametrize("K", [2, 3, T])
@pytest.mark.parametrize("time_first", [True, False])
def test_targets_are_cut_like_the_data(K: int, time_first: bool) -> None:
    # tbptt-time-var-targets
    targets = torch.arange(T * BATCH).view(T, BATCH) / 20
    net, reference = make_net(), make_net()
    loader = [(x, targets) for x, _ in batches()]
    if not time_first:
        loader = [(x.transpose(0, 1), y.transpose(0, 1)) for x, y in loader]
    backprop.TBPTT(net, loader, sgd(net), frame_by_frame, time_first=time_first, K=K)
    start = 0

    def windowed(record: Tensor, _: Tensor) -> Tensor:
        nonlocal start
        window = targets[start : start + len(record)]
        start = (start + len(record)) % T
        return frame_by_frame(record, window)

    by_hand(reference, batches(), K, windowed, "mem")
    assert same(weights(net), weights(reference))


@pytest.mark.parametrize("shape", [(4,), (4, BATCH)])
def test_labels_over_time_over_many_batches(shape: tuple[int, ...]) -> None:
    labels = torch.randint(0, OUTPUTS, shape)
    loader = [(torch.rand(BATCH, INPUTS), labels)] * 3
    criterion = SF.mse_membrane_loss(time_var_targets=True)
    net = make_net()
    arguments = {"num_steps": 4, "time_var": False, "K": 2}
    assert math.isfinite(backprop.TBPTT(net, loader, sgd(net), criterion, **arguments))


def test_shared_labels_have_no_batch_axis_to_skip() -> None:
    labels = torch.tensor([0, 1, 1, 0, 1, 0, 0])
    criterion = SF.mse_membrane_loss(time_var_targets=True)
    nets = make_net(), make_net()
    for net, time_first in zip(nets, (True, False), strict=True):
        loader = [(x if time_first else x.transpose(0, 1), labels) for x, _ in batches()]
        backprop.TBPTT(net, loader, sgd(net), criterion, time_first=time_first, K=3)
    assert same(*map(weights, nets))


@pytest.mark.parametrize("K", [1, 2, 3, 5])
def test_the_mean_loss_of_a_constant_is_the_constant(K: int) -> None:  # tbptt-mean-loss
    net = make_net()
    for parameter in net.parameters():
        parameter.data.zero_()
    loss = backprop.TBPTT(net, batches(steps=5), sgd(net, 0.0), SF.ce_rate_loss(), K=K)
    assert loss.item() == pytest.approx(math.log(OUTPUTS), abs=1e-6)
    assert not loss.requires_grad


def test_the_mean_loss_weighs_steps_not_windows() -> None:
    class Length:
        reads = "spk"

        def __call__(self, record: Tensor, targets: Tensor) -> Tensor:
            return record.sum() * 0 + len(record)

    net = make_net()
    loss = backprop.TBPTT(net, batches(), sgd(net), Length(), K=4)
    assert loss.item() == pytest.approx((4 * 4 + 3 * 3) / 7)


class OverSequences(nn.Module):
    """Feed one step to a layer over whole sequences, which remembers nothing."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        result = self.layer(x.unsqueeze(0))
        return result[0][0] if isinstance(result, tuple) else result[0]


@pytest.mark.parametrize("kind", ["LinearLeaky", "Linear"])
def test_a_stateless_layer_needs_no_detaching(kind: str) -> None:  # tbptt-linearleaky
    layer = {
        "LinearLeaky": lambda: snn.LinearLeaky(0.9, INPUTS, INPUTS, threshold=0.1),
        "Linear": lambda: nn.Linear(INPUTS, INPUTS),
    }[kind]()
    net = nn.Sequential(OverSequences(layer), make_net())
    before = weights(layer)
    backprop.TBPTT(net, batches(), sgd(net), LOSSES["mem"], K=2)
    assert not same(weights(layer), before)


# -- nets


def test_nested_blocks_train_like_a_flat_net() -> None:
    flat, nested = make_net(), make_net()
    nested = nn.Sequential(nested[:2], nn.Sequential(nn.Sequential(nested[2]), nested[3]))
    for net in (flat, nested):
        backprop.TBPTT(net, batches(), sgd(net), LOSSES["spk"], K=3)
    assert same(weights(flat), weights(nested))


hidden = {"init_hidden": True, "output": True}


@pytest.mark.parametrize("reads", ["spk", "mem"])
@pytest.mark.parametrize("case", DENSE, ids=str)
def test_any_neuron_may_be_last(case: Case, reads: str) -> None:
    net = make_net(case.make(**case.sized(OUTPUTS), **{case.threshold: 0.1}, **hidden))
    before = weights(net)
    read: list[Tensor] = []

    def criterion(record: Tensor, targets: Tensor) -> Tensor:
        read.append(record.detach())
        return LOSSES[reads](record, targets)

    criterion.reads = reads  # type: ignore[attr-defined]
    backprop.TBPTT(net, batches(), sgd(net), criterion, K=3)
    assert not same(weights(net)[:1], before[:1])
    if reads == "mem":
        assert torch.equal(read[-1][-1], net[3].mem)
    else:
        assert torch.cat(read).unique().tolist() == [0.0, 1.0]


def test_a_convolutional_neuron_may_be_last() -> None:
    net = nn.Sequential(snn.SConv2dLSTM(1, 2, 3, threshold=0.01, **hidden))
    loader = [(torch.rand(4, 2, 1, 5, 5), torch.zeros(2, 5, 5).long())]
    before = weights(net)
    backprop.TBPTT(net, loader, sgd(net), LOSSES["mem"], K=3)
    assert not same(weights(net), before)


def test_spikes_alone_are_enough_for_who_reads_spikes() -> None:
    net, alone = make_net(), make_net(snn.Leaky(0.8, init_hidden=True))
    for each in (net, alone):
        backprop.TBPTT(each, batches(), sgd(each), LOSSES["spk"], K=3)
    assert same(weights(net), weights(alone))


def test_neurons_without_init_hidden_go_on_from_their_last_call() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, _, self.fc2, _ = make_net()
            self.lif1, self.lif2 = snn.Leaky(0.9), snn.Leaky(0.8)

        def forward(self, x: Tensor) -> Any:
            spk, _ = self.lif1(self.fc1(x))
            return self.lif2(self.fc2(spk))

    own, net = Net(), make_net()
    for each in (own, net):
        backprop.TBPTT(each, batches(), sgd(each), LOSSES["spk"], K=3)
    assert same(weights(own), weights(net))


def test_training_learns() -> None:
    torch.manual_seed(0)
    centres = torch.tensor([[1.0], [-1.0]]).expand(2, INPUTS)
    labels = torch.arange(40) % 2
    data = centres[labels] + 0.1 * torch.randn(40, INPUTS)
    for trainer in TRAINERS:
        net = make_net()
        optimizer = sgd(net, 0.5)
        losses = [
            trainer(net, [(data, labels)], optimizer, SF.ce_rate_loss(), 6, False).item()
            for _ in range(12)
        ]
        assert losses[0] > 0.5
        assert losses[-1] == pytest.approx(math.log(1 + math.exp(-1)), abs=0.01)  # perfect


def test_population_code_of_the_tutorial() -> None:
    net = nn.Sequential(nn.Linear(4, 20), snn.Leaky(0.9, **hidden))
    criterion = SF.mse_count_loss(1.0, 0.0, population_code=True, num_classes=10)
    loss = backprop.BPTT(
        net,
        [(torch.rand(6, 4), torch.randint(0, 10, (6,)))],
        num_steps=1,
        optimizer=sgd(net),
        criterion=criterion,
        time_var=False,
        device=torch.device("cpu"),
    )
    assert math.isfinite(loss)


# -- criteria


class OwnLoss(nn.Module):
    reads = "mem"

    def forward(self, record: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(record.mean(0), targets)


def own_loss(record: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(record.mean(0), targets).view(1)


own_loss.reads = "mem"  # type: ignore[attr-defined]


@pytest.mark.parametrize("criterion", [OwnLoss(), own_loss])
def test_any_callable_that_says_what_it_reads(criterion: Any) -> None:
    net, reference = make_net(), make_net()
    backprop.TBPTT(net, batches(), sgd(net), criterion, K=3)
    by_hand(reference, batches(), 3, OwnLoss(), "mem")
    assert same(weights(net), weights(reference))


@pytest.mark.parametrize(
    "loss",
    [
        SF.ce_rate_loss(),
        SF.ce_count_loss(),
        SF.ce_max_membrane_loss(),
        SF.ce_temporal_loss(),
        SF.mse_count_loss(),
        SF.mse_membrane_loss(),
        SF.mse_temporal_loss(),
    ],
    ids=lambda loss: loss.__name__,
)
@pytest.mark.parametrize("K", [3, T])
def test_every_loss_of_the_package(loss: Any, K: int) -> None:
    net = make_net()
    value = backprop.TBPTT(net, batches(), sgd(net), loss, K=K)
    assert math.isfinite(value)


# -- devices


class Elsewhere(Tensor):
    """Targets that note where they are moved."""

    moved: list[str]

    def to(self, device: Any, **kwargs: Any) -> Tensor:  # type: ignore[override]
        self.moved.append(str(device))
        return self.as_subclass(Tensor)


def test_data_and_targets_are_moved_to_the_device() -> None:
    moved: list[str] = []
    x, y = (values.as_subclass(Elsewhere) for values in batches(1)[0])
    x.moved = y.moved = moved
    net = make_net()
    backprop.BPTT(net, [(x, y)], sgd(net), SF.ce_rate_loss(), device="cpu")
    assert moved == ["cpu", "cpu"]


@pytest.mark.parametrize("device", ["cuda"] if torch.cuda.is_available() else ["cpu"])
def test_a_net_on_a_device(device: str) -> None:
    nets = make_net(), make_net().to(device)
    for net, place in zip(nets, ("cpu", device), strict=True):
        loss = backprop.TBPTT(net, batches(), sgd(net), LOSSES["mem"], device=place, K=3)
        assert loss.device.type == place
    assert same(weights(nets[0]), [w.cpu() for w in weights(nets[1])])


@pytest.mark.parametrize("trainer", TRAINERS)
def test_the_mean_of_half_precision_losses_does_not_overflow(trainer: Any) -> None:
    def criterion(record: Tensor, _: Tensor) -> Tensor:
        return (record.mean() * 0 + 30000).half()

    net = make_net()
    loss = trainer(net, batches(), sgd(net), Reads("spk", criterion))
    assert loss.dtype == torch.float32
    assert loss.item() == 30000


# -- the progress bar


@pytest.mark.parametrize("trainer", TRAINERS)
def test_progress_is_shown_on_request(
    trainer: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nets = make_net(), make_net()
    trainer(nets[0], batches(), sgd(nets[0]), LOSSES["mem"])
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    trainer(nets[1], batches(), sgd(nets[1]), LOSSES["mem"], progress=True)
    assert f"{trainer.__name__}: 100%" in capsys.readouterr().err
    assert same(weights(nets[0]), weights(nets[1]))


@pytest.mark.parametrize("trainer", TRAINERS)
def test_progress_is_shown_in_terminals_only(
    trainer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    net, twin = make_net(), make_net()
    trainer(net, batches(), sgd(net), LOSSES["mem"], progress=True)
    assert capsys.readouterr() == ("", "")
    trainer(twin, batches(), sgd(twin), LOSSES["mem"])
    assert same(weights(net), weights(twin))


def test_progress_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    net = make_net()
    before = weights(net)
    with pytest.raises(ImportError, match=r"(?s)BPTT expected tqdm.*pip install tqdm"):
        backprop.BPTT(net, batches(), sgd(net), LOSSES["mem"], progress=True)
    assert same(weights(net), before)
    backprop.BPTT(net, batches(), sgd(net), LOSSES["mem"])  # needs none


# -- wrong arguments


class Reads:
    def __init__(self, reads: Any, loss: Callable[..., Any] = lambda record, _: record.mean()):
        self.reads, self.loss = reads, loss

    def __call__(self, record: Tensor, targets: Tensor) -> Any:
        return self.loss(record, targets)


class Bundled(nn.Module):
    """A last layer that returns a tuple of its one argument, or of something else."""

    def __init__(self, other: Any = None) -> None:
        super().__init__()
        self.other = other

    def forward(self, x: Tensor) -> Any:
        return (x if self.other is None else self.other,)


X, Y = batches(1)[0]
TIMED = SF.mse_membrane_loss(time_var_targets=True)
FROZEN = make_net().requires_grad_(False)
ERRORS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"net": "net"}, TypeError, r"`net` to be a torch.nn.Module, but got str"),
    ({"net": make_net().to("meta")}, ValueError, r"(?s)`net` on the device cpu.*net\.to\('cpu'\)"),
    ({"net": make_net(nn.Softmax(-1)), "criterion": LOSSES["mem"]}, TypeError, "output=True"),
    ({"net": make_net(Bundled()), "criterion": LOSSES["mem"]}, TypeError, "got tuple of 1"),
    ({"net": make_net(Bundled({"spk": 1}))}, TypeError, "a tensor, or several, from Bundled"),
    ({"net": make_net(snn.Leaky(0.9, init_hidden=True)), "criterion": LOSSES["mem"]}, TypeError,
     r"(?s)return \(spk, \.\.\., mem\), as the criterion reads mem, but got Tensor.*output=True"),
    ({"net": FROZEN}, ValueError, "(?s)a loss with a gradient.*surrogate_disable"),
    ({"dataloader": []}, ValueError, "at least one batch, but got none"),
    ({"dataloader": (X, Y)}, TypeError, r"pairs \(data, targets\), but got Tensor of 7"),
    ({"dataloader": [(X, Y, Y)]}, TypeError, r"pairs \(data, targets\), but got tuple of 3"),
    ({"dataloader": [X]}, TypeError, r"(?s)but got Tensor.*\[\(data, targets\)\]"),
    ({"dataloader": [(X.numpy(), Y)]}, TypeError, "`data` to be a torch.Tensor, but got ndarray"),
    ({"dataloader": [(X, Y.tolist())]}, TypeError, "`targets` to be a torch.Tensor, but got list"),
    ({"dataloader": [(X[:0], Y)]}, ValueError, "`data` of at least 1 time step"),
    ({"dataloader": [(torch.tensor(1.0), Y)]}, ValueError, r"`data` with a time axis, .*\(\)"),
    ({"dataloader": [(X[0, 0], Y)], "time_first": False}, ValueError, "after the batch axis"),
    ({"optimizer": None}, TypeError, "`optimizer` to be a torch.optim.Optimizer, but got NoneType"),
    ({"criterion": "ce_rate_loss"}, TypeError, "(?s)`criterion` to be a function.*ce_rate_loss"),
    ({"criterion": nn.NLLLoss()}, TypeError, "says what it reads.*but got NLLLoss"),
    ({"criterion": Reads("syn")}, ValueError, r"`criterion.reads` to be one of \('spk', 'mem'\)"),
    ({"criterion": SF.ce_rate_loss(reduction="none")}, ValueError, r"(?s)one number.*\(5,\).*mean"),
    ({"criterion": Reads("spk", lambda *_: 1.0)}, TypeError, "to be a torch.Tensor, but got float"),
    ({"criterion": TIMED, "dataloader": [(X, torch.zeros(9).long())]}, ValueError,
     "`targets` of as many time steps as the data: 7, but got 9"),
    ({"criterion": TIMED, "dataloader": [(X, torch.tensor(0))]}, ValueError,
     "`targets` with a time axis"),
    ({"criterion": TIMED, "dataloader": [(X, torch.zeros(3).long())], "num_steps": 4}, ValueError,
     "`targets` of at least 4 time steps, but got 3"),
    ({"num_steps": 8}, ValueError, "`data` of at least 8 time steps, but got 7"),
    ({"num_steps": 0}, ValueError, "`num_steps` >= 1, but got 0"),
    ({"num_steps": 2.5}, TypeError, "`num_steps` to be an int, but got 2.5"),
    ({"num_steps": True}, TypeError, "`num_steps` to be an int, but got True"),
    ({"num_steps": "5"}, TypeError, "`num_steps` to be an int, but got '5'"),
    ({"num_steps": None}, TypeError, "`num_steps` to be an int, but got None"),
    ({"time_var": False}, ValueError, "(?s)`num_steps` with time_var=False.*num_steps=25"),
    ({"regularization": 0.1}, TypeError, "(?s)`regularization` to be a function.*l1_rate_sparsity"),
    ({"device": "nowhere"}, ValueError, "(?s)`device` to be .*, but got 'nowhere'.*cuda"),
    ({"device": "gpu"}, ValueError, "`device` to be .*, but got 'gpu'.\nPass \"cpu\", \"cuda"),
    ({"device": 1.5}, TypeError, "`device` to be a torch.device or the name of one, but got 1.5"),
    ({"dataloader": None}, TypeError, r"(?s)give batches, but got NoneType.*\[\(data, targets\)\]"),
    ({"time_var": torch.ones(2)}, TypeError, "`time_var` to be True or False"),
    ({"time_first": torch.ones(2)}, TypeError, "`time_first` to be True or False"),
    ({"progress": torch.ones(2)}, TypeError, "`progress` to be True or False"),
    ({"dataloader": torch.tensor(1.0)}, TypeError, "`dataloader` to give batches, but got Tensor"),
    ({"dataloader": 3}, TypeError, "`dataloader` to give batches, but got int"),
]  # fmt: skip


@pytest.mark.parametrize("trainer", TRAINERS)
@pytest.mark.parametrize(("wrong", "error", "message"), ERRORS)
def test_wrong_arguments(
    trainer: Any, wrong: dict[str, Any], error: type[Exception], message: str
) -> None:
    net = wrong.get("net", make_net())
    right = make_net()
    arguments = {
        "net": right,
        "dataloader": batches(1),
        "optimizer": sgd(right),
        "criterion": SF.ce_rate_loss(),
    }
    before = weights(net) if isinstance(net, nn.Module) else []
    with pytest.raises(error, match=message):
        trainer(**{**arguments, **wrong})
    if before and not before[0].is_meta:
        assert same(weights(net), before)
        assert same(weights(right), weights(make_net()))


@pytest.mark.parametrize(
    ("K", "error", "message"),
    [
        (0, ValueError, "TBPTT expected `K` >= 1, but got 0"),
        (-2, ValueError, "TBPTT expected `K` >= 1, but got -2"),
        (1.5, TypeError, "TBPTT expected `K` to be an int, but got 1.5"),
        (False, TypeError, "TBPTT expected `K` to be an int, but got False"),
        (None, TypeError, "TBPTT expected `K` to be an int, but got None"),
    ],
)
def test_wrong_window(K: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        backprop.TBPTT(make_net(), batches(), sgd(make_net()), SF.ce_rate_loss(), K=K)


def test_errors_name_the_function_called() -> None:
    for trainer in TRAINERS:
        with pytest.raises(ValueError, match=f"^{trainer.__name__} expected"):
            trainer(make_net(), [], sgd(make_net()), SF.ce_rate_loss())
