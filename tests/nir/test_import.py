"""What an imported net is, and what becomes of graphs from elsewhere."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch
from torch import nn

import snntorch as snn
from snntorch import utils
from snntorch.export_nir import export_to_nir
from snntorch.import_nir import import_from_nir
from tests.nir.graphs import cubalif, full, graph, lif, linear
from tests.nir.nets import NETS, hidden

# --- the net is a net


@pytest.fixture
def mlp() -> nn.Module:
    torch.manual_seed(0)
    make, shape = NETS["mlp"]
    return import_from_nir(export_to_nir(make(), torch.rand(1, *shape)))


@pytest.mark.parametrize("name", NETS)
def test_whole_sequences(name: str) -> None:
    torch.manual_seed(0)
    make, shape = NETS[name]
    net = import_from_nir(export_to_nir(make(), torch.rand(1, *shape)))
    x = torch.rand(20, 6, *shape)
    with torch.no_grad():
        looped = torch.stack([net(step) for step in x])
        utils.reset(net)
        at_once = snn.unroll(net, x)
    torch.testing.assert_close(at_once, looped)
    plan = str(snn.plan(net, x))
    assert ("all time steps as one batch" if name != "residual" else "deferred") in plan


def test_training(mlp: nn.Module) -> None:
    x, y = 3 * torch.rand(10, 16, 12), torch.randint(5, (16,))
    optimizer = torch.optim.Adam(mlp.parameters(), 3e-2)
    losses = []
    for _ in range(40):
        utils.reset(mlp)
        loss = nn.functional.cross_entropy(snn.unroll(mlp, x).sum(0), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_moves_copies_and_checkpoints(mlp: nn.Module, tmp_path: Path) -> None:
    x = torch.rand(4, 7, 12)
    first = snn.unroll(mlp, x)
    torch.save(mlp.state_dict(), tmp_path / "net.pt")
    other = copy.deepcopy(mlp)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    assert not snn.unroll(other, x).any()
    other.load_state_dict(torch.load(tmp_path / "net.pt", weights_only=True))
    utils.reset(other)
    assert torch.equal(first, snn.unroll(other, x))
    assert mlp.to(torch.float64)(x[0].double()).dtype == torch.float64
    assert mlp.to("meta")(x[0].to("meta")).shape == (7, 5)


@pytest.mark.parametrize("name", ["mlp", "recurrent", "residual"])
def test_states_of_ones_own(name: str) -> None:
    torch.manual_seed(0)
    make, shape = NETS[name]
    exported = export_to_nir(make(), torch.rand(1, *shape))
    net, kept = import_from_nir(exported, init_hidden=False), import_from_nir(exported)
    x, state = torch.rand(9, 2, *shape), None
    for step in x:
        out, state = net(step, state)
        assert torch.equal(out, kept(step))
    again, _ = net(x[0])  # from zeros
    utils.reset(kept)
    assert torch.equal(again, kept(x[0]))
    halfway, _ = net(x[1], state)
    assert torch.equal(halfway, net(x[1], state)[0])  # nothing is remembered


def test_delays_are_states_too() -> None:
    torch.manual_seed(0)
    made = nn.Sequential(snn.SynapticDelay(3, [0.0, 1.5, 3.0]), snn.Leaky(0.9, init_hidden=True))
    net = import_from_nir(export_to_nir(made, torch.rand(1, 3)), init_hidden=False)
    x, state = torch.rand(9, 2, 3), None
    for step in x:
        out, state = net(step, state)
        assert torch.equal(out, made(step))
    assert {name: len(states) for name, states in state.items()} == {"0": 1, "1": 1}


@pytest.mark.parametrize("noted", [0, 2, "much", 2.5, np.ones(3), None])
def test_no_delay_is_longer_than_the_longest(noted: Any) -> None:
    exported = export_to_nir(snn.SynapticDelay(5, 4.0), torch.rand(1, 3), dt=1e-3)
    facts = exported.nodes["snntorch"].metadata["snntorch"]
    assert facts["max_delay"] == 5
    facts["max_delay"] = noted
    late = import_from_nir(exported)[0]
    assert (late.max_delay, late.delay) == (4, 4.0)


def test_delays_from_elsewhere() -> None:
    node = nir.Delay(np.array([0.003, 0.0, 0.0015]))
    net = import_from_nir(nir.NIRGraph.from_list(node), dt=1e-3)
    x = torch.eye(1, 6).view(6, 1, 1).expand(6, 1, 3)
    arrived = snn.unroll(net, x)[:, 0].T
    assert arrived.tolist() == [[0, 0, 0, 1, 0, 0], [1, 0, 0, 0, 0, 0], [0, 0.5, 0.5, 0, 0, 0]]
    assert not net[0].delay.requires_grad


def test_metadata_is_not_believed_blindly() -> None:
    exported = export_to_nir(snn.Leaky(0.9), torch.rand(1, 3))
    facts = exported.nodes["snntorch"].metadata["snntorch"]
    for wrong in (0.5, "much", np.ones((2, 2)), np.nan):
        facts["beta"] = wrong
        assert import_from_nir(exported)[0].beta.tolist() == pytest.approx([0.9] * 3)
    exported.nodes["snntorch"].metadata["snntorch"] = "mine"
    assert import_from_nir(exported, dt=1e-4)[0].reset_mechanism == "zero"


def test_several_outputs(tmp_path: Path) -> None:
    layers = {f"fc{number}": nir.Linear(full(number, 1, 3)) for number in range(12)}
    outputs = {f"output_{number}": nir.Output(np.array([1])) for number in range(12)}
    edges = [("input", name) for name in layers] + [*zip(layers, outputs, strict=True)]
    nodes = {"input": nir.Input(np.array([3])), **layers, **outputs}
    nir.write(tmp_path / "net.nir", nir.NIRGraph(nodes, edges))
    out = import_from_nir(tmp_path / "net.nir")(torch.ones(1, 3))
    assert [value.item() for value in out] == [3.0 * number for number in range(12)]


def test_a_convolution_without_bias_from_elsewhere() -> None:
    made = graph(n=nir.Conv1d(None, full(1, 2, 1, 2), 1, 0, 1, 1, None))
    made.nodes["input"], made.nodes["output"] = (
        nir.Input(np.array([1, 3])),
        nir.Output(np.array([2, 2])),
    )
    assert import_from_nir(made).n.bias is None


def test_states_besides_spikes() -> None:
    make, shape = NETS["second order"]
    exported = export_to_nir(make(), torch.rand(1, *shape))
    spk, syn, mem = import_from_nir(exported, output=True)(10 * torch.rand(2, *shape))
    assert spk.shape == syn.shape == mem.shape
    assert (mem != spk).any()


def test_an_imported_net_can_be_exported(tmp_path: Path) -> None:
    foreign = graph(fc=linear(), n=lif(r=4.0), li=nir.LI(full(1e-3), full(10), full(0)))
    net = import_from_nir(foreign)
    again = import_from_nir(export_to_nir(net, torch.rand(1, 3)))
    x = torch.rand(30, 2, 3)
    outs = [torch.stack([one(step) for step in x]) for one in (net, again)]
    assert outs[0].abs().sum() > 0
    torch.testing.assert_close(*outs)


def test_random_numbers_are_left_alone() -> None:
    exported = export_to_nir(snn.RLeaky(0.9, linear_features=3), torch.rand(1, 3))
    before = torch.get_rng_state()
    import_from_nir(exported)
    assert torch.equal(before, torch.get_rng_state())


# --- graphs from elsewhere


def test_if_does_not_leak() -> None:
    net = import_from_nir(graph(n=nir.IF(full(1e4), full(1))))
    assert float(net.n.beta) == 1
    assert [net(torch.full((1, 3), 0.4)).sum().item() for _ in range(4)] == [0, 0, 3, 0]


def test_r_scales_the_input() -> None:
    net = import_from_nir(graph(n=lif(r=5.0)))
    assert isinstance(net.n, nn.Sequential)
    net(torch.ones(1, 3))
    assert net.n[1].mem.tolist()[0] == pytest.approx([0.5] * 3)


def test_a_leak_that_is_not_zero() -> None:
    net = import_from_nir(graph(n=lif(v_leak=0.5)))
    for _ in range(200):
        net(torch.zeros(1, 3))
    assert net.n[1].mem.tolist()[0] == pytest.approx([0.5] * 3, rel=1e-4)


def test_potentials_that_are_shifted() -> None:
    """Those of a neuron at -65 mV fire as those of one at 0."""
    x = torch.rand(50, 1, 3)
    plain, shifted = (
        lif(v_threshold=15.0, r=40.0),
        lif(v_leak=-65, v_reset=-65, v_threshold=-50, r=40),
    )
    spikes = [
        torch.stack([net(step) for step in x])
        for net in map(import_from_nir, (graph(n=plain), graph(n=shifted)))
    ]
    assert spikes[0].any()
    assert torch.equal(*spikes)


def test_cubalif_with_all_its_factors() -> None:
    net = import_from_nir(graph(n=cubalif(r=3.0, w_in=5.0)))
    net(torch.ones(1, 3))
    assert net.n[1].mem.tolist()[0] == pytest.approx([5 * 0.5 * 3 * 0.1] * 3, rel=1e-5)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("back", ["dense", "scale", "self"])
def test_feedback(nested: bool, back: str) -> None:
    parts: dict[str, Any] = {"n": lif()}
    loop = [("n", "n")] if back == "self" else [("n", "w"), ("w", "n")]
    if back != "self":
        parts["w"] = linear() if back == "dense" else nir.Scale(full(0.5))
    if nested:
        inner = graph([("input", "n"), *loop, ("n", "output")], **parts)
        net = import_from_nir(graph(cell=inner))
        neuron = net.cell
    else:
        net = import_from_nir(graph([("input", "n"), *loop, ("n", "output")], **parts))
        neuron = net.n
    assert isinstance(neuron, snn.RLeaky)
    weight = {"dense": 1.5, "scale": 0.5, "self": 1.0}[back]
    assert neuron.recurrent(torch.ones(1, 3)).tolist() == [[weight] * 3]
    assert net(torch.full((1, 3), 1.5)).tolist() == [[1] * 3]
    net(torch.full((1, 3), 0.01))
    expected = 0.01 + weight if weight < 0.99 else 0  # 1 and more fires, and is reset
    assert neuron.mem.tolist()[0] == pytest.approx([expected] * 3)


def test_one_number_for_all_neurons() -> None:
    """As norse and sinabs write it, whose nodes hold tensors of torch."""
    ones = [torch.tensor(value) for value in (1e-3, 10.0, 0.0, 1.0)]
    net = import_from_nir(graph(fc=linear(7, 3), n=nir.LIF(*ones), end=7))
    assert net.n.beta.shape == ()
    assert net(torch.ones(4, 3)).shape == (4, 7)
    scaled = graph(a=nir.Scale(np.array(2.0)), t=nir.Threshold(np.array([1.5])))
    assert import_from_nir(scaled)(torch.ones(1, 3)).tolist() == [[1, 1, 1]]


def test_a_batch_in_the_declared_shape() -> None:
    """As rockpool writes it."""
    made = graph(fc=linear(), n=lif())
    for end in ("input", "output"):
        made.nodes[end] = type(made.nodes[end])(np.array([2, 9, 3]))
    assert import_from_nir(made)(torch.ones(4, 3)).shape == (4, 3)
    told = "the first 2 of its Input's dimensions are taken for a batch"
    assert told in str(snn.nir.report(made))
    made.nodes["input"] = nir.Input(np.array([2, 9, 5, 3]))
    with pytest.raises(ValueError, match=r"that fits, \(3,\), but got shape \(2, 9, 5, 3\)"):
        import_from_nir(made)


@pytest.mark.parametrize("dilation", [1, 2])
def test_feedback_by_convolutions(dilation: int) -> None:
    """Of any kind that keeps the size, and of one dimension, too."""
    flat = nir.Conv1d(6, full(0.5, 2, 2, 3), 1, dilation, dilation, 1, full(0, 2))
    wide = nir.Conv2d((6, 6), full(0.5, 2, 2, 3, 3), 1, dilation, dilation, 1, full(0, 2))
    for w, shape in ((flat, (2, 6)), (wide, (2, 6, 6))):
        n = nir.LIF(*(full(value, *shape) for value in (1e-3, 10, 0, 1, 0)))
        made = graph([("input", "n"), ("n", "w"), ("w", "n"), ("n", "output")], n=n, w=w)
        for end in ("input", "output"):
            made.nodes[end] = type(made.nodes[end])(np.array(shape))
        net = import_from_nir(made)
        assert net.n.recurrent.dilation[0] == dilation
        assert net.n.recurrent(torch.ones(1, *shape)).max() == {2: 3, 3: 9}[len(shape)]
        again = import_from_nir(export_to_nir(net, torch.rand(1, *shape)))
        assert repr(again) == repr(net)
        assert net(torch.ones(3, *shape)).shape == (3, *shape)


def test_thresholds_fire() -> None:
    net = import_from_nir(graph(n=nir.Threshold(full(0.5))))
    assert net(torch.tensor([[0.4, 0.5, 0.6]])).tolist() == [[0, 0, 1]]
    both = graph(
        [("input", "li"), ("li", "t"), ("li", "output"), ("t", "output")],
        li=nir.LI(full(1e-3), full(10), full(0)),
        t=nir.Threshold(full(0.5)),
    )
    assert import_from_nir(both)(torch.tensor([[0.4, 0.5, 0.6]])).tolist()[0] == pytest.approx(
        [0.4, 0.5, 1.6]
    )


def test_names_that_no_module_can_have() -> None:
    net = import_from_nir(graph(**{"a.b": linear(), "forward": linear(), "a_b": linear()}))
    assert [name for name, _ in net.named_children()] == ["a_b", "forward_", "a_b_"]


def test_a_file_can_be_named(tmp_path: Path) -> None:
    nir.write(tmp_path / "net.nir", graph(fc=linear(2, 3), end=2))
    for path in (tmp_path / "net.nir", str(tmp_path / "net.nir")):
        assert import_from_nir(path)(torch.ones(1, 3)).tolist() == [[1.5, 1.5]]


def test_a_kernel_that_is_no_square_in_a_file(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, (2, 3)), hidden(snn.Leaky, 0.9))
    nir.write(tmp_path / "net.nir", export_to_nir(net, torch.rand(1, 1, 6, 6)))
    x = torch.rand(2, 1, 6, 6)
    assert torch.equal(import_from_nir(tmp_path / "net.nir")(x), net(x))
