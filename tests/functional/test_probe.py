"""Monitors: what they record, and that they change nothing."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import weakref
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten

import snntorch as snn
from snntorch import utils
from snntorch.functional import probe

T, BATCH = 4, 3
MAKERS: dict[str, Callable[..., probe.BaseMonitor]] = {
    "output": probe.OutputMonitor,
    "input": probe.InputMonitor,
    "attribute": lambda net, instance=None, f=probe.as_is: probe.AttributeMonitor(
        "mem", False, net, instance, f
    ),
    "attribute before": lambda net, instance=None, f=probe.as_is: probe.AttributeMonitor(
        "mem", True, net, instance, f
    ),
    "grad_output": probe.GradOutputMonitor,
    "grad_input": probe.GradInputMonitor,
}
every_monitor = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def make_net(**last: Any) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(2, 4),
        snn.Leaky(0.9, threshold=0.3, init_hidden=True),
        nn.Sequential(nn.Linear(4, 2), snn.Leaky(0.8, threshold=0.3, init_hidden=True, **last)),
    )


def data(requires_grad: bool = False) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(T, BATCH, 2, generator=generator).requires_grad_(requires_grad)


def run(net: nn.Module, backward: bool = False) -> list[Tensor]:
    """Run all steps from zero states, and back if asked; return the spikes."""
    utils.reset(net)
    outputs = [net(x) for x in data()]
    outputs = [o[0] if isinstance(o, tuple) else o for o in outputs]
    if backward:
        weighted(outputs).backward()
    return outputs


def weighted(outputs: list[Tensor]) -> Tensor:
    """Return a loss to which every output contributes differently."""
    return sum(((i + 1.0) * o).sum() + (o**2).sum() for i, o in enumerate(outputs))


def close(records: list[Tensor], expected: list[Tensor]) -> bool:
    return len(records) == len(expected) and all(map(torch.allclose, records, expected))


def equal(records: list[Tensor], expected: list[Tensor]) -> bool:
    return len(records) == len(expected) and all(map(torch.equal, records, expected))


# -- what is recorded


def test_outputs_inputs_and_states_step_by_step() -> None:
    net = make_net()
    monitors = {
        "out": probe.OutputMonitor(net, snn.Leaky),
        "in": probe.InputMonitor(net, snn.Leaky),
        "after": probe.AttributeMonitor("mem", False, net, snn.Leaky),
        "before": probe.AttributeMonitor("mem", True, net, snn.Leaky),
    }
    outputs = run(net)
    assert torch.stack(outputs).unique().tolist() == [0.0, 1.0]
    # the same, with states in hand
    first, second = (snn.Leaky(beta, threshold=0.3) for beta in (0.9, 0.8))
    mem1, mem2 = torch.zeros(BATCH, 4), torch.zeros(BATCH, 2)
    expected: dict[str, dict[str, list[Tensor]]] = {name: {"1": [], "2.1": []} for name in monitors}
    for x in data():
        before = mem1, mem2
        current1 = net[0](x)
        spk1, mem1 = first(current1, mem1)
        current2 = net[2][0](spk1)
        spk2, mem2 = second(current2, mem2)
        for name, values in (
            ("out", (spk1, spk2)),
            ("in", (current1, current2)),
            ("after", (mem1, mem2)),
            ("before", before),
        ):
            expected[name]["1"].append(values[0])
            expected[name]["2.1"].append(values[1])
    for name, monitor in monitors.items():
        assert monitor.monitored_layers == ["1", "2.1"]
        skip = 1 if name == "before" else 0  # of the first step, for which there is no state
        for layer in ("1", "2.1"):
            assert equal(monitor[layer][skip:], expected[name][layer][skip:])
        assert len(monitor.records) == 2 * T
        assert monitor.name_records_index == {"1": [0, 2, 4, 6], "2.1": [1, 3, 5, 7]}
        assert monitor[0] is monitor.records[0]
        assert monitor[1:3] == monitor.records[1:3]
        assert list(monitor) == monitor.records


def test_gradients_are_those_of_autograd() -> None:
    net = make_net(output=True)
    monitors = {
        "out": probe.GradOutputMonitor(net, (nn.Linear, snn.Leaky)),
        "in": probe.GradInputMonitor(net, (nn.Linear, snn.Leaky)),
    }
    run(net, backward=True)
    for monitor in monitors.values():
        monitor.remove_hooks()
    # the same, with every value in hand
    first = snn.Leaky(0.9, threshold=0.3)
    second = snn.Leaky(0.8, threshold=0.3)
    mem1, mem2 = torch.zeros(BATCH, 4), torch.zeros(BATCH, 2)
    kept: dict[str, list[Tensor]] = {"0": [], "1": [], "2.0": [], "2.1": []}
    for x in data():
        kept["0"].append(net[0](x))
        spk1, mem1 = first(kept["0"][-1], mem1)
        kept["1"].append(spk1)
        kept["2.0"].append(net[2][0](spk1))
        spk2, mem2 = second(kept["2.0"][-1], mem2)
        kept["2.1"].append(spk2)
    flat = [value for values in kept.values() for value in values]
    gradients = torch.autograd.grad(weighted(kept["2.1"]), flat)
    wanted = {name: list(gradients[i * T : i * T + T]) for i, name in enumerate(kept)}
    assert all((g != 0).any() for g in gradients)
    for name in ("0", "1", "2.0"):
        assert close(monitors["out"][name][::-1], wanted[name])  # the last step comes first
    spk_gradients = [gradient[0] for gradient in monitors["out"]["2.1"][::-1]]
    assert close(spk_gradients, wanted["2.1"])
    assert all(
        not gradient[1].any() for gradient in monitors["out"]["2.1"] if gradient[1] is not None
    )
    for name, before in (("1", "0"), ("2.0", "1"), ("2.1", "2.0")):
        assert close(monitors["in"][name][::-1], wanted[before])
    assert monitors["in"]["0"] == []  # the data require no gradient


def test_the_gradient_of_the_data_where_they_require_one() -> None:
    layer = nn.Linear(2, 2)
    monitor = probe.GradInputMonitor(layer)
    x = data(requires_grad=True)
    layer(x).sum().backward()
    assert equal(monitor[""], [x.grad])


def test_a_loss_of_the_last_step_reaches_earlier_inputs() -> None:
    # through the membrane, not through the spikes: each input has a gradient all the same
    lif = snn.Leaky(0.5, init_hidden=True)
    monitors = probe.GradInputMonitor(lif), probe.GradOutputMonitor(lif)
    inputs = [torch.full((1,), 0.1, requires_grad=True) for _ in range(3)]
    spikes = [lif(x) for x in inputs]
    spikes[-1].sum().backward()
    assert equal(monitors[0][""][::-1], [x.grad for x in inputs])
    assert len(monitors[1][""]) == 1


def test_only_this_use_of_a_value_counts() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 2, bias=False)
            nn.init.eye_(self.linear.weight)

        def forward(self, x: Tensor) -> Tensor:
            y = self.linear(x)
            return x * 10 + y

    net = Residual()
    monitor = probe.GradInputMonitor(net, nn.Linear)
    x = torch.ones(1, 2, requires_grad=True)
    net(x).sum().backward()
    assert equal(monitor["linear"], [torch.ones(1, 2)])
    assert torch.equal(x.grad, torch.full((1, 2), 11.0))


def test_several_values() -> None:
    lif = snn.Leaky(0.5)
    monitors = {name: make(lif) for name, make in MAKERS.items()}
    x, mem = torch.rand(2, 3, requires_grad=True), torch.rand(2, 3)
    spk, new = lif(x, mem=mem)  # keywords count as well
    (2 * new).sum().backward()
    assert equal(list(monitors["input"][0]), [x, mem])
    assert equal(list(monitors["output"][0]), [spk, new])
    x_gradient, mem_gradient = monitors["grad_input"][0]
    assert torch.equal(x_gradient, x.grad)
    assert mem_gradient is None
    spk_gradient, new_gradient = monitors["grad_output"][0]
    assert spk_gradient is None
    assert torch.equal(new_gradient, torch.full((2, 3), 2.0))


Pair = namedtuple("Pair", "left right")


class Structured(nn.Module):
    """A layer that returns whatever structure it is asked for."""

    def __init__(self, build: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.build = build

    def forward(self, x: Tensor) -> Any:
        return self.build(x * 2)


@pytest.mark.parametrize(
    ("build", "loss", "gradient"),
    [
        (lambda x: [x, x + 1], lambda y: y[1].sum(), [None, torch.ones(2)]),
        (lambda x: {"a": x, "b": 3}, lambda y: y["a"].sum(), {"a": torch.ones(2), "b": None}),
        (lambda x: Pair(x, "?"), lambda y: y.left.sum(), Pair(torch.ones(2), None)),
        (lambda x: (x, (x, x)), lambda y: y[1][0].sum(), (None, (torch.ones(2), None))),
    ],
)
def test_any_structure(build: Any, loss: Any, gradient: Any) -> None:
    net = Structured(build)
    monitor = probe.GradOutputMonitor(net)
    output = net(torch.zeros(2, requires_grad=True))
    assert type(output) is type(build(torch.zeros(2)))
    loss(output).backward()
    leaves, structure = tree_flatten(monitor[0])
    expected, same_structure = tree_flatten(gradient)
    assert structure == same_structure
    for got, want in zip(leaves, expected, strict=True):
        assert got is want is None or torch.equal(got, want)


@every_monitor
def test_functions_choose_what_to_record(make: Any) -> None:
    net = make_net()
    plain, chosen = make(net, snn.Leaky), make(net, snn.Leaky, lambda value: value.sum())
    run(net, backward=True)
    assert len(plain.records) == 2 * T
    assert equal(chosen.records, [record.sum() for record in plain.records])


def test_records_keep_their_graph_unless_detached() -> None:
    net = make_net()
    kept = probe.OutputMonitor(net, snn.Leaky)
    cut = probe.OutputMonitor(net, snn.Leaky, torch.detach)
    run(net)
    assert all(record.requires_grad for record in kept.records)
    assert not any(record.requires_grad for record in cut.records)
    sum(record.sum() for record in kept["1"]).backward()  # a price for hidden spikes, say
    assert (net[0].weight.grad != 0).any()


def test_the_class_of_the_net_is_the_default() -> None:
    for make in MAKERS.values():
        assert make(nn.Linear(2, 2)).monitored_layers == [""]  # probe-grad-instance
    assert probe.OutputMonitor(make_net()).monitored_layers == ["", "2"]
    assert probe.OutputMonitor(make_net(), nn.Module).monitored_layers[:3] == ["", "0", "1"]


def test_attribute_before_the_first_forward() -> None:  # probe-attribute-pre-forward
    net = nn.Sequential(snn.Leaky(0.5, init_hidden=True))
    before = probe.AttributeMonitor("mem", True, net, instance=snn.Leaky)
    after = probe.AttributeMonitor("mem", False, net, instance=snn.Leaky)
    for _ in range(3):
        net(torch.full((1, 2), 0.4))
    assert before["0"][0].numel() == 0  # no state yet
    assert equal(before["0"][1:], after["0"][:-1])


def test_any_attribute() -> None:  # probe-plain-attribute
    layer = nn.Linear(2, 5)
    monitors = [
        probe.AttributeMonitor(name, False, layer, function_on_attribute=function)
        for name, function in (
            ("in_features", probe.as_is),
            ("weight", torch.clone),
            ("weight", probe.as_is),
            ("training", probe.as_is),
        )
    ]
    layer(torch.ones(1, 2))
    old = layer.weight.detach().clone()
    with torch.no_grad():
        layer.weight += 1
    layer(torch.ones(1, 2))
    assert monitors[0].records == [2, 2]
    assert equal(monitors[1].records, [old, old + 1])
    assert monitors[2].records[0] is layer.weight
    assert monitors[3].records == [True, True]


# -- nothing changes


def test_results_and_gradients_stay_the_same() -> None:
    free, watched = make_net(output=True), make_net(output=True)
    monitors = [make(watched, snn.Leaky) for make in MAKERS.values()]
    outputs = run(free, backward=True), run(watched, backward=True)
    assert equal(*outputs)
    for a, b in zip(free.parameters(), watched.parameters(), strict=True):
        assert torch.equal(a.grad, b.grad)
    assert all(len(monitor.records) > 0 for monitor in monitors)


def test_layers_may_work_in_place() -> None:
    results = []
    for watch in (False, True):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(inplace=True), nn.Linear(3, 1))
        monitors = [
            make(net, (nn.Linear, nn.ReLU))
            for make in (probe.GradInputMonitor, probe.GradOutputMonitor)
            if watch
        ]
        net(torch.ones(1, 2)).sum().backward()
        results.append(net[0].weight.grad)
    assert torch.equal(*results)
    assert [len(monitor["1"]) for monitor in monitors] == [1, 1]
    assert equal(monitors[0]["1"], monitors[1]["0"])


def test_returned_states_can_be_detached() -> None:
    lif = snn.Leaky(0.9)
    monitor = probe.GradOutputMonitor(lif)
    spk, mem = lif(torch.ones(1, 2, requires_grad=True))
    snn.Leaky.detach(mem)
    spk.sum().backward()
    assert len(monitor.records) == 1


@every_monitor
def test_no_gradient_needs_none(make: Any) -> None:
    net = make_net()
    monitor = make(net, snn.Leaky)
    with torch.no_grad():
        run(net)
    with torch.inference_mode():
        run(net)
    with torch.no_grad():
        utils.reset(net)
        net[1](torch.ones(1, 4, requires_grad=True))
    assert len(monitor.records) == (0 if make.__name__.startswith("Grad") else 4 * T + 1)


# -- switches


@every_monitor
def test_enable_and_disable(make: Any) -> None:
    net = make_net()
    monitor = make(net, snn.Leaky)
    assert monitor.is_enable() is True
    monitor.disable()
    monitor.disable()
    assert monitor.is_enable() is False
    run(net, backward=True)
    assert monitor.records == []
    monitor.enable()
    run(net, backward=True)
    assert len(monitor["1"]) == T
    monitor.disable()
    run(net, backward=True)
    assert len(monitor["1"]) == T


@every_monitor
def test_clear(make: Any) -> None:
    net = make_net()
    monitor = make(net, snn.Leaky)
    for _ in range(2):
        run(net, backward=True)
        assert len(monitor.records) == 2 * T
        monitor.clear_recorded_data()
        assert monitor.records == []
        assert monitor.name_records_index == {"1": [], "2.1": []}
        assert monitor["1"] == []
        monitor.clear_recorded_data()


@every_monitor
def test_remove_hooks(make: Any) -> None:
    net = make_net()
    monitor = make(net, snn.Leaky)
    run(net, backward=True)
    outputs = run(net)
    count = len(monitor.records)
    monitor.remove_hooks()
    monitor.remove_hooks()
    weighted(outputs).backward()  # also what was under way
    run(net, backward=True)
    assert len(monitor.records) == count > 0
    assert hooks(net) == 0


def hooks(net: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in net.modules())


@every_monitor
def test_a_deleted_monitor_leaves_no_trace(make: Any) -> None:
    net = make_net()
    free = weakref.ref(make(net, snn.Leaky))
    assert free() is None  # at once: the net does not hold it
    assert hooks(net) == 0
    monitor = make(net, snn.Leaky)
    outputs = run(net)
    alive = weakref.ref(monitor)
    del monitor
    gc.collect()
    assert alive() is None
    weighted(outputs).backward()
    assert hooks(net) == 0


@every_monitor
def test_a_monitor_does_not_keep_the_net_alive(make: Any) -> None:
    net = make_net()
    monitor = make(net, snn.Leaky)
    run(net)
    alive = weakref.ref(net)
    del net
    gc.collect()
    assert alive() is None
    monitor.remove_hooks()


@every_monitor
def test_copies_of_the_net_are_other_nets(make: Any) -> None:
    net = make_net()
    monitor = make(net, snn.Leaky)
    run(net, backward=True)
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    for other in (copy.deepcopy(net), torch.load(file, weights_only=False)):
        monitor.clear_recorded_data()
        assert equal(run(other, backward=True), run(net))
        own = make(other, snn.Leaky)
        before = len(monitor.records)
        run(other, backward=True)
        assert len(monitor.records) == before
        assert len(own["1"]) == T
        own.remove_hooks()
        monitor.clear_recorded_data()
        run(net, backward=True)
        assert len(monitor["1"]) == T  # the original is still watched


@every_monitor
def test_copies_of_a_monitor_keep_the_records_and_watch_nothing(make: Any) -> None:
    net = make_net()
    monitor = make(net, snn.Leaky, sum_of)
    net[1].register_forward_hook(lambda *_: None)  # cannot be pickled, and is of no concern
    run(net, backward=True)
    for other in (copy.deepcopy(monitor), pickle.loads(pickle.dumps(monitor))):
        assert other["1"] == monitor["1"] != []
        other.clear_recorded_data()
        monitor.clear_recorded_data()
        run(net, backward=True)
        assert other.records == []
        assert len(monitor["1"]) == T
        del other


def sum_of(value: Tensor) -> float:
    return value.sum().item()


def test_a_monitor_of_ones_own() -> None:
    class CallMonitor(probe.BaseMonitor):
        def __init__(self, net: nn.Module) -> None:
            super().__init__()
            self.watch(net, nn.Linear, probe.as_is)

        def create_hook(self, name: str) -> Any:
            return lambda *_: self._record(name, "called")

    monitor = CallMonitor(make_net())
    assert monitor.monitored_layers == ["0", "2.0"]


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        (1.5, TypeError, "`key` to be the name of a layer, a number or a slice, but got 1.5"),
        (3, IndexError, "`key` below its 0 records, but got 3"),
    ],
)
def test_wrong_key(key: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        probe.OutputMonitor(make_net())[key]


def test_a_call_that_fails_leaves_nothing_to_complain() -> None:
    """Python would print what goes wrong while the monitor is dropped."""
    with pytest.raises(TypeError):
        probe.OutputMonitor()  # type: ignore[call-arg]
    gc.collect()


# -- wrong arguments


LINEAR = nn.Linear(2, 2)
WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"net": "net"}, TypeError, r"`net` to be a torch.nn.Module, but got str"),
    ({"instance": snn.Leaky}, ValueError, r"(?s)`net` to hold a layer .*Leaky.*named_modules"),
    ({"instance": ()}, ValueError, r"`net` to hold a layer"),
    ({"instance": "Leaky"}, TypeError, r"(?s)a class of layers .*'Leaky'.*instance=snn\.Leaky"),
    ({"instance": LINEAR}, TypeError, "a class of layers or a tuple of classes"),
    ({"instance": (nn.Linear, 3)}, TypeError, "a class of layers or a tuple of classes"),
    ({"f": 3}, TypeError, "(?s)a function of what is recorded, but got 3.*torch.detach"),
    ({"f": None}, TypeError, "a function of what is recorded, but got None"),
]


@every_monitor
@pytest.mark.parametrize(("wrong", "error", "message"), WRONG)
def test_wrong_arguments(
    make: Any, wrong: dict[str, Any], error: type[Exception], message: str
) -> None:
    arguments = {"net": LINEAR, "instance": None, "f": probe.as_is, **wrong}
    with pytest.raises(error, match=message):
        make(*arguments.values())
    assert hooks(LINEAR) == 0


def test_wrong_attribute() -> None:
    with pytest.raises(TypeError, match="`attribute_name` to be a string, but got 3"):
        probe.AttributeMonitor(3, False, LINEAR)  # type: ignore[arg-type]
    monitor = probe.AttributeMonitor("nothing", False, LINEAR)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        LINEAR(torch.ones(1, 2))
    assert monitor.records == []


def test_wrong_layer_and_position() -> None:
    monitor = probe.OutputMonitor(make_net(), snn.Leaky)
    with pytest.raises(KeyError, match=r"watched layer, one of \['1', '2\.1'\], but got '2'"):
        monitor["2"]
    with pytest.raises(IndexError):
        monitor[0]


def test_a_monitor_has_to_define_its_hook() -> None:
    with pytest.raises(NotImplementedError, match=r"BaseMonitor has to define create_hook\(name\)"):
        probe.BaseMonitor().create_hook("1")
