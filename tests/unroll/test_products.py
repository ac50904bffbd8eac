"""Products with spikes: what only adds up those that fired is what a product of all numbers is."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import snntorch as snn
from snntorch._kernels.cpu import binding, events, library
from snntorch._unroll import bits, keeping, products
from snntorch._unroll.bits import to_bits
from tests.unroll.test_native import needs_kernel

pytestmark = needs_kernel


@pytest.fixture(autouse=True)
def every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for spikes in products of any size."""
    monkeypatch.setattr(products, "LEAST", 0)


def spikes(*shape: int, share: float = 0.05, value: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.where(torch.rand(shape, generator=generator) < share, value, 0.0)


def layer(size: int, columns: int, biased: bool = True) -> nn.Linear:
    """Return a layer whose sums are exact, in whatever order."""
    torch.manual_seed(size + columns)
    made = nn.Linear(size, columns, bias=biased)
    with torch.no_grad():
        for one in made.parameters():
            one.copy_(torch.randint(-8, 9, one.shape))
    return made


def summed(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return a product that is made of spikes."""
    out = products.linear(x, weight, bias)
    assert out is not None
    return out


def derivatives(func: Any, x: Tensor, *values: Tensor | None) -> tuple[Tensor, ...]:
    """Return what a function gives, its gradients, and theirs."""
    given = [one for one in (x, *values) if one is not None]
    out = func(x, *values)
    weights = torch.randint(-4, 5, out.shape, generator=torch.Generator().manual_seed(0))
    grads = torch.autograd.grad((out * weights).sum(), given, retain_graph=True)
    twice = torch.autograd.grad(out.square().sum(), given, create_graph=True)
    total = sum(one.square().sum() for one in twice)
    return out, *grads, *torch.autograd.grad(total, given)


@pytest.mark.parametrize("columns", [1, 10, 16, 17, 40, 64, 65, 130, 200])
@pytest.mark.parametrize("size", [1, 7, 8, 63, 64, 65, 200])
@pytest.mark.parametrize("value", [1.0, -0.5])
def test_equals_a_product_of_all_numbers(columns: int, size: int, value: float) -> None:
    """In integers, so that sums are exact; each derivative against torch's own."""
    made, x = layer(size, columns, biased=size != 8), spikes(5, 9, size, value=value)
    x.requires_grad_()
    found = derivatives(summed, x, made.weight, made.bias)
    want = derivatives(F.linear, x, made.weight, made.bias)
    assert torch.equal(found[0], want[0])
    for one, two in zip(found, want, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=0)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1])
def test_many_rows(share: float) -> None:
    """More than are added up in one go, by several threads."""
    x = spikes(2 * events.ROWS + 7, 129, share=share)
    made = layer(129, 33)
    threads = torch.get_num_threads()
    runs = []
    for count in (1, 3):
        torch.set_num_threads(count)
        made.zero_grad()
        out = summed(x, made.weight, made.bias)
        out.sum().backward()
        runs.append((out, made.weight.grad))
    torch.set_num_threads(threads)
    want = F.linear(x, made.weight, made.bias)
    for out, grad in runs:
        assert torch.equal(out, want)
        assert torch.equal(grad, x.sum(0).expand(33, 129))


def test_floats_are_as_close_as_a_product() -> None:
    x, made = spikes(3000, 300, share=0.1), nn.Linear(300, 70)
    out = summed(x, made.weight, made.bias)
    grad = torch.randn_like(out)
    (found,) = torch.autograd.grad(out, made.weight, grad)
    exact = grad.double().T @ x.double()
    torch.testing.assert_close(out.double(), made.double()(x.double()), rtol=0, atol=1e-5)
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=1e-4)


def test_many_gradients_at_once() -> None:
    x, made = spikes(6, 20).requires_grad_(), layer(20, 3)
    out = summed(x, made.weight, made.bias)
    given, grads = (x, made.weight, made.bias), torch.eye(18).view(18, 6, 3)
    found = torch.autograd.grad(out, given, grads, is_grads_batched=True)
    plain = F.linear(x, made.weight, made.bias)
    want = torch.autograd.grad(plain, given, grads, is_grads_batched=True)
    assert all(torch.equal(one, two) for one, two in zip(found, want, strict=True))


def test_only_what_is_needed() -> None:
    x, made = spikes(6, 20), layer(20, 3).requires_grad_(False)
    with pytest.raises(RuntimeError, match="does not require grad"):
        summed(x, made.weight, made.bias).sum().backward()
    x.requires_grad_()
    summed(x, made.weight, made.bias).sum().backward()
    assert torch.equal(x.grad, made.weight.sum(0).expand(6, 20))
    with torch.no_grad():
        assert torch.equal(summed(x, made.weight), F.linear(x, made.weight))


def test_what_is_not_needed_may_be_written_to() -> None:
    """As of the first layer, whose input has no gradient: nobody needs its weights again."""
    x, made = spikes(6, 20), layer(20, 3)
    outs = [summed(x, made.weight, made.bias) for _ in range(2)]
    outs[0].sum().backward()
    with torch.no_grad():
        made.weight.mul_(2)
    outs[1].sum().backward()
    assert torch.equal(made.weight.grad, 2 * x.sum(0).expand(3, 20))
    frozen = layer(20, 3)
    frozen.weight.requires_grad_(False)
    with torch.inference_mode():
        seen = spikes(6, 20)
    summed(seen, frozen.weight, frozen.bias).sum().backward()
    assert torch.equal(frozen.bias.grad, torch.full((3,), 6.0))


@pytest.mark.parametrize("shape", [(6, 20), (3, 2, 20), (500, 64, 20)])  # the last one is large
def test_what_it_gives_may_be_written_to(shape: tuple[int, ...]) -> None:
    x, made = spikes(*shape), layer(20, 9)
    out = summed(x, made.weight, made.bias).mul_(2)
    out.sum().backward()
    assert torch.equal(out, 2 * made(x))
    assert torch.equal(made.weight.grad, 2 * x.flatten(0, -2).sum(0).expand(9, 20))


def test_defaults_of_torch_do_not_matter() -> None:
    x, made = spikes(6, 20), layer(20, 3)
    want = made(x)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            out = summed(x, made.weight, made.bias)
            out.sum().backward()
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(out, want)
    assert torch.equal(made.weight.grad, x.sum(0).expand(3, 20))


@pytest.mark.parametrize("odd", [float("inf"), float("nan")])
def test_gradients_that_are_not_finite_spread_as_in_torch(odd: float) -> None:
    x, made, grad = spikes(6, 20), layer(20, 3), torch.ones(6, 3)
    grad[0, 0] = odd
    given = (made.weight, made.bias)
    found = torch.autograd.grad(summed(x, *given), given, grad)
    want = torch.autograd.grad(F.linear(x, *given), given, grad)
    for one, two in zip(found, want, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=0, equal_nan=True)


def test_weights_in_the_memory_of_the_input_are_multiplied() -> None:
    both = spikes(20, 20)
    assert products.linear(both, both) is None
    assert products.linear(both, both.clone()) is not None


OTHERS: dict[str, Any] = {
    "many": lambda: (spikes(6, 20, share=0.5), layer(20, 3)),
    "many, for many columns": lambda: (spikes(60, 20, share=0.2), layer(20, 64)),
    "of two values": lambda: (spikes(6, 20) + 2 * spikes(6, 20).roll(1, 1), layer(20, 3)),
    "infinite": lambda: (spikes(6, 20, value=math.inf), layer(20, 3)),
    "double": lambda: (spikes(6, 20).double(), layer(20, 3).double()),
    "not in order": lambda: (spikes(20, 6).T, layer(20, 3)),
    "negated": lambda: (torch._neg_view(spikes(6, 20)), layer(20, 3)),
    "of a class of its own": lambda: (spikes(6, 20).as_subclass(Own), layer(20, 3)),
}


class Own(Tensor):
    """A tensor that might do anything."""


@pytest.mark.parametrize("name", OTHERS)
def test_other_numbers_are_multiplied(name: str) -> None:
    x, made = OTHERS[name]()
    assert products.linear(x, made.weight, made.bias) is None


@pytest.mark.parametrize("odd", [float("inf"), float("-inf"), float("nan")])
def test_zero_times_infinity_is_no_zero(odd: float) -> None:
    x, made = spikes(6, 20), layer(20, 3)
    with torch.no_grad():
        made.weight[1, int(x.sum(0).argmin())] = odd  # of one that never fires
    assert products.linear(x, made.weight, made.bias) is None


@pytest.mark.parametrize("x", [(6, 21), (20,), ()])
@pytest.mark.parametrize("weight", [(3, 20), (20,), ()])
@pytest.mark.parametrize("bias", [(3,), (1,), (4,), ()])
def test_other_shapes_are_left_to_torch(x: Any, weight: Any, bias: Any) -> None:
    assert products.linear(spikes(*x), torch.ones(weight), torch.ones(bias)) is None
    assert products.linear(spikes(6, 20), torch.ones(3, 20), torch.ones(3)) is not None
    if bias != (3,):
        assert products.linear(spikes(6, 20), torch.ones(3, 20), torch.ones(bias)) is None


def test_is_left_to_torch_where_others_look(monkeypatch: pytest.MonkeyPatch) -> None:
    x, made = spikes(6, 20), layer(20, 3)

    def is_left() -> bool:
        return products.linear(x, made.weight, made.bias) is None

    def run(x: Tensor) -> Tensor:
        out = products.linear(x, made.weight, made.bias)
        return made(x) * 3 if out is None else out

    assert not is_left()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert is_left()
    with torch.autograd.graph.save_on_cpu():
        assert is_left()
    left = 3 * made(x)
    assert torch.equal(torch.vmap(run)(x.expand(2, 6, 20)), left.expand(2, 6, 3))
    assert torch.equal(torch.func.jvp(run, (x,), (x,))[0], left)
    assert torch.equal(torch.compile(run, backend="eager", fullgraph=True)(x), left)
    monkeypatch.setattr(binding, "available", lambda: "none was built")
    assert is_left()


# --- bits --------------------------------------------------------------------------------------


def test_packs_as_numpy_does(monkeypatch: pytest.MonkeyPatch) -> None:
    for x in (spikes(3, 70_001), spikes(70_001, value=-3.0), torch.zeros(5), torch.ones(65)):
        found = to_bits(x)
        with monkeypatch.context() as without:
            without.setattr(bits, "available", lambda: "none was built")
            want = to_bits(x)
        assert found is not None
        assert want is not None
        assert bytes(found.bits) == bytes(want.bits)
        assert found[1:] == want[1:]
        assert found.number == float(x.max() or x.min())


def test_stops_at_too_many() -> None:
    x = spikes(100_000, share=0.1)
    count = int(x.sum())
    assert events.pack(x, count) is not None
    assert events.pack(x, count - 1) is None


def test_unknown_sizes_are_refused() -> None:
    known = library.load(library.FOLDER)
    assert isinstance(known, library.Library)
    told: dict[str, Any] = {"count": 1, "size": 1, "columns": 1, "lanes": 16}
    for wrong in ({"lanes": 8}, {"lanes": 80}, {"lanes": 0}, {"size": 0}, {"columns": -1}):
        for name in ("snn_add_rows", "snn_add_to_table"):
            with pytest.raises(ValueError, match="does not know"):
                known.call(name, known.product.pack({**told, **wrong}))
    with pytest.raises(ValueError, match="does not know"):
        known.call("snn_pack", known.pack.pack({"size": 0}))


# --- nets --------------------------------------------------------------------------------------


class Net(nn.Module):
    """A time loop around two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = layer(12, 50), snn.Leaky(0.5, threshold=60.0)
        self.fc2, self.lif2 = layer(50, 3), snn.Leaky(0.5, threshold=8.0)

    def forward(self, x: Tensor) -> Tensor:
        mem1, mem2, out = self.lif1.init_leaky(), self.lif2.init_leaky(), []
        for step in x:
            spk, mem1 = self.lif1(self.fc1(step), mem1)
            _, mem2 = self.lif2(self.fc2(spk), mem2)
            out.append(mem2)
        return torch.stack(out)


def sequential() -> nn.Sequential:
    net = Net()
    for one in (net.lif1, net.lif2):
        one.init_hidden = True
    net.lif2.output = True
    return nn.Sequential(net.fc1, net.lif1, net.fc2, net.lif2)


@pytest.mark.parametrize("way", ["unroll", "recompute", "deferred", "plan"])
def test_nets_add_up_spikes(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same numbers as a loop, whose layers see no bits; all that is kept of spikes is bits."""
    monkeypatch.setattr(keeping, "LEAST", 0)
    seen: list[bool] = []
    run = products.linear

    def watched(*args: Tensor) -> Tensor | None:
        out = run(*args)
        seen.append(out is not None)
        return out

    monkeypatch.setattr(products, "linear", watched)
    x, plain = torch.randint(-2, 3, (9, 4, 12)).float(), Net()
    want = plain(x)
    assert want.any()
    net: Any = copy.deepcopy(plain) if way == "deferred" else sequential()
    if way == "plan":
        kept = snn.plan(net, x).kept
        assert kept is not None
        assert kept[2] == -(-9 * 4 * 50 // 8)
    elif way == "deferred":
        with snn.deferred():
            out = net(x)
    else:
        out = snn.unroll(net, x, recompute=way == "recompute")[1]
    assert seen == [False, True]
    if way != "plan":
        assert torch.equal(out, want)
        out.square().sum().backward()
        want.square().sum().backward()
        for one, two in zip(net.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(one.grad, two.grad, rtol=1e-5, atol=1e-5)


def test_a_changed_weight_is_noticed() -> None:
    x, made = spikes(6, 20).requires_grad_(), layer(20, 3)
    out = summed(x, made.weight, made.bias)
    with torch.no_grad():
        made.weight.mul_(2)
    with pytest.raises(RuntimeError, match=r"(?s)\(3, 20\) to be as it was.*Call backward\(\)"):
        out.sum().backward()


def test_a_second_backward_pass_is_told_of() -> None:
    out = summed(spikes(6, 20), layer(20, 3).weight)
    out.sum().backward()
    with pytest.raises(RuntimeError, match="a second time"):
        out.sum().backward()
