"""A step reads and writes nothing but its own memory, whatever is wider, gone or somewhere else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils import _pytree as pytree

import snntorch as snn
from snntorch._kernels.cpu import memory as native
from tests.cases import flat
from tests.unroll.test_native import needs_kernel
from tests.unroll.test_step import by_torch
from tests.unroll.test_unroll import assert_close, gradients, loop, unrolled

STEPS = 6
Make = Callable[[Any], Any]

#: A neuron by the one number of it that differs among neurons, and what that can be.
WIDE: dict[str, tuple[Make, tuple[float, ...]]] = {
    "Leaky beta": (lambda v: snn.Leaky(v, learn_beta=True), (0.2, 0.7, 0.95)),
    "Leaky threshold": (lambda v: snn.Leaky(0.8, threshold=v), (0.3, 0.9, 2.0)),
    "Leaky graded": (lambda v: snn.Leaky(0.8, graded_spikes_factor=v), (0.5, 2.0, 3.0)),
    "Leaky learned graded": (
        lambda v: snn.Leaky(0.8, graded_spikes_factor=v, learn_graded_spikes_factor=True),
        (0.5, 2.0, 3.0),
    ),
    "Synaptic alpha": (lambda v: snn.Synaptic(v, 0.8, threshold=2.0), (0.1, 0.5, 0.9)),
    "Synaptic beta": (
        lambda v: snn.Synaptic(0.5, v, learn_beta=True, reset_mechanism="zero"),
        (0.1, 0.5, 0.9),
    ),
    "Alpha beta": (lambda v: snn.Alpha(0.9, v, threshold=0.3), (0.1, 0.5, 0.8)),
    "RLeaky V": (lambda v: snn.RLeaky(0.8, V=v, all_to_all=False), (-1.0, 0.1, 0.6)),
    "RSynaptic threshold": (
        lambda v: snn.RSynaptic(0.5, 0.8, V=0.2, all_to_all=False, threshold=v),
        (0.3, 1.0, 1.5),
    ),
    "Lapicque R": (lambda v: snn.Lapicque(R=v, C=0.5), (3.0, 5.0, 9.0)),
    "Lapicque C": (lambda v: snn.Lapicque(R=2.0, C=v), (0.7, 1.0, 4.0)),
    "Lapicque time_step": (lambda v: snn.Lapicque(R=2.0, C=1.0, time_step=v), (0.1, 0.5, 1.0)),
    "Lapicque beta": (lambda v: snn.Lapicque(v, learn_beta=True), (0.4, 0.6, 0.9)),
    "DeltaLeaky delta": (lambda v: snn.DeltaLeaky(v, beta=0.8), (0.1, 0.5, 1.5)),
}
each_wide = pytest.mark.parametrize("name", WIDE)


def hidden(neuron: Any, x: Tensor) -> list[Tensor]:
    """Step with the states on the module, given back by name."""
    neuron.init_hidden = neuron.output = True
    return loop(neuron, x)


def passed(neuron: Any, x: Tensor) -> list[Tensor]:
    """Step with the states passed on from step to step."""
    return loop(neuron, x, *flat(neuron.reset_mem()))


RUNS = {"hidden": hidden, "passed": passed, "unroll": unrolled, "torch": by_torch}
each_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)


def one_by_one(make: Make, values: tuple[float, ...], x: Tensor) -> list[Tensor]:
    """Run one neuron for each value, each with one number only, and put them side by side."""
    parts = [loop(make(value).to(x.dtype), x) for value in values]
    return [torch.cat(row, -1) for row in zip(*parts, strict=True)]


# --- numbers wider than the input ---------------------------------------------------------


@pytest.mark.parametrize("grad", [True, False])
@each_run
@each_wide
def test_a_step_has_the_shape_to_which_input_and_numbers_broadcast(
    name: str, run: Any, grad: bool
) -> None:
    make, values = WIDE[name]
    x = (2 * torch.rand(STEPS, 4, 1, dtype=torch.float64)).requires_grad_(grad)
    with contextlib.nullcontext() if grad else torch.no_grad():
        got = run(make(torch.tensor(values)).double(), x)
        want = one_by_one(make, values, x)
    assert want[0].mean() > 0
    assert_close([o.detach() for o in got], [o.detach() for o in want], 1e-12)
    if grad:
        found, same = (
            torch.autograd.grad(sum((k + 1) * o.sum() for k, o in enumerate(out)), x)
            for out in (got, want)
        )
        assert_close([*found], [*same], 1e-9)


@each_run
def test_an_input_of_one_number_for_many_neurons(run: Any) -> None:
    """What lies behind the input in memory must not come back as membranes."""
    R = torch.linspace(1, 2, 5000)
    neuron = snn.Lapicque(R=R, C=1.0, time_step=0.5, threshold=9.0)
    found = run(neuron, torch.full((2, 1), 0.5))[1]
    leak = 0.5 / R
    first = 0.5 * R * leak
    torch.testing.assert_close(found, torch.stack([first, first + (1 - leak) * first]))


@each_run
def test_dense_feedback_widens_too(run: Any) -> None:
    torch.manual_seed(0)
    neuron = snn.RLeaky(torch.tensor([0.2, 0.5, 0.9]), linear_features=3)
    x = 2 * torch.rand(STEPS, 4, 1)
    want = [o.detach() for o in by_torch(neuron, x.expand(-1, -1, 3))]
    neuron.reset_mem()
    assert_close([o.detach() for o in run(neuron, x)], want, 1e-6)
    assert want[0].sum() > 0


@each_run
def test_two_numbers_that_widen_two_dimensions(run: Any) -> None:
    beta, threshold = torch.tensor([0.2, 0.5, 0.9]), torch.tensor([[0.5], [1.5]])
    x = 2 * torch.rand(STEPS, 1, 1)
    got = run(snn.Leaky(beta, threshold), x)
    for row, column in ((0, 0), (1, 2)):
        alone = loop(snn.Leaky(beta[column], threshold[row, 0]), x[:, 0, 0])
        for wide, single in zip(got, alone, strict=True):
            torch.testing.assert_close(wide[..., row, column], single)
    assert got[0].shape == (STEPS, 2, 3)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("beta", snn.Leaky),
        ("threshold", lambda v: snn.Synaptic(0.5, 0.8, threshold=v)),
        ("graded_spikes_factor", lambda v: snn.Leaky(0.8, graded_spikes_factor=v)),
        ("alpha", lambda v: snn.Alpha(v, 0.2)),
        ("V", lambda v: snn.RLeaky(0.8, V=v, all_to_all=False)),
        ("C", lambda v: snn.Lapicque(R=1.0, C=v)),
        ("delta_threshold", lambda v: snn.DeltaLeaky(v, beta=0.8)),
        ("threshold", lambda v: snn.SLSTM(3, 3, threshold=v)),
    ],
)
@pytest.mark.parametrize("run", [hidden, passed, unrolled])
def test_a_number_that_does_not_broadcast_is_named(name: str, make: Make, run: Any) -> None:
    wrong = torch.full((5,), 0.5)
    if name == "C":  # R * C decides beta, which is asked first
        name = "beta"
    with pytest.raises(ValueError, match=rf"`{name}` to broadcast.*\(4, 3\), but got \(5,\)"):
        run(make(wrong), torch.rand(STEPS, 4, 3))


@pytest.mark.parametrize("run", [loop, unrolled], ids=["step", "unroll"])
def test_a_state_is_as_wide_as_the_step(run: Any) -> None:
    neuron, x = snn.Leaky(torch.tensor([0.2, 0.5, 0.9])), torch.rand(STEPS, 4, 1)
    narrow, full = torch.rand(4, 1), torch.rand(4, 3)
    assert_close(run(neuron, x, narrow), run(neuron, x, narrow.repeat(1, 3)), 1e-6)
    assert run(neuron, x, full)[1].shape == (STEPS, 4, 3)
    for wrong in (torch.rand(4, 6), torch.rand(2, 4, 3), torch.rand(12)):
        with pytest.raises(ValueError, match=r"`mem` of shape \(4, 3\)"):
            run(neuron, x, wrong)


# --- what comes back from the graph -------------------------------------------------------

#: Each for three neurons, all numbers such that bfloat16 holds them and what they lead to.
HALVES: dict[str, Callable[[], Any]] = {
    "Leaky": lambda: snn.Leaky(torch.full((3,), 0.5), learn_beta=True),
    "Synaptic": lambda: snn.Synaptic(0.5, 0.5, reset_mechanism="zero", learn_alpha=True),
    "one to one": lambda: snn.RLeaky(0.5, V=torch.full((3,), 0.25), all_to_all=False),
    "dense": lambda: halved(snn.RLeaky(0.5, linear_features=3)),
}
each_half = pytest.mark.parametrize("name", HALVES)
each_way = pytest.mark.parametrize("run", [loop, unrolled], ids=["step", "unroll"])


def halved(neuron: Any) -> Any:
    for parameter in neuron.recurrent.parameters():
        parameter.data.fill_(-0.5)
    return neuron


def coarse(*shape: int) -> Tensor:
    """Return numbers of few binary digits."""
    return torch.randint(-2, 4, shape, generator=torch.Generator().manual_seed(5)) / 2


def hooked(run: Any, pack: Callable[[Tensor], Tensor], unpack: Callable[[Tensor], Tensor]) -> Any:
    """Let hooks keep what a run saves, as far as it is no truth value."""

    def watched(neuron: Any, x: Tensor) -> Any:
        neuron.reset_mem()
        hooks = [lambda t, to=to: to(t) if t.is_floating_point() else t for to in (pack, unpack)]
        with saved_tensors_hooks(*hooks):
            return run(neuron, x)

    return watched


@needs_kernel
@pytest.mark.parametrize("kept", [torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize(
    ("name", "run"),
    # nn.Linear itself refuses two dtypes, so that a step with one in it has to be left out
    [(n, r) for n in HALVES for r in (loop, unrolled) if (n, r) != ("dense", loop)],
)
def test_hooks_may_keep_what_is_saved_in_another_dtype(
    name: str, run: Any, kept: torch.dtype
) -> None:
    neuron, x = HALVES[name](), coarse(3, 4, 3).requires_grad_()
    want = gradients(by_torch, neuron, x, [])
    kept_dtypes = set()

    def look(tensor: Tensor) -> Tensor:
        kept_dtypes.add(tensor.dtype)
        return tensor

    got = gradients(hooked(run, lambda t: t.to(kept), look), neuron, x, [])
    assert kept_dtypes == {kept}
    assert want[0] is not None
    assert want[0].abs().min() > 0
    assert_close(got, want, 1e-5)


@each_way
@each_half
def test_what_hooks_round_off_is_all_that_is_lost(name: str, run: Any) -> None:
    """As in plain torch, which goes on with what it gets back."""
    neuron, x = HALVES[name](), torch.rand(5, 50, 3, generator=torch.Generator().manual_seed(1))
    x.requires_grad_()
    (exact, *_) = gradients(hooked(loop, lambda t: t, lambda t: t), neuron, x, [])
    assert exact is not None
    for way in (run, by_torch):
        rounded = hooked(way, lambda t: t.bfloat16(), lambda t: t.to(x.dtype))
        (grad, *_) = gradients(rounded, neuron, x, [])
        assert grad is not None
        assert 0 < (grad - exact).abs().mean() / exact.abs().mean() < 0.05


RESIZED: dict[str, Callable[[Tensor], Tensor]] = {
    "fewer": lambda tensor: tensor[..., :-1],
    "none": lambda tensor: tensor.new_empty(0),
    "twice as many": lambda tensor: torch.stack([tensor, tensor]),
    "elsewhere": lambda tensor: tensor.to("meta"),
}


@needs_kernel
@pytest.mark.parametrize("size", RESIZED)
@pytest.mark.parametrize("place", range(3))
@each_way
@each_half
def test_hooks_that_change_a_size_are_an_error(name: str, run: Any, place: int, size: str) -> None:
    neuron, x = HALVES[name](), coarse(1, 4, 3).requires_grad_()
    seen = []

    def pack(tensor: Tensor) -> tuple[int, Tensor]:
        seen.append(tensor)
        return len(seen) - 1, tensor

    def unpack(pair: tuple[int, Tensor]) -> Tensor:
        index, tensor = pair
        spoiled = tensor.dim() > 0 and index % 3 == place
        return RESIZED[size](tensor) if spoiled else tensor

    with saved_tensors_hooks(pack, unpack):
        total = sum(out.sum() for out in run(neuron, x))
    with pytest.raises((RuntimeError, TypeError, ValueError, IndexError)):
        total.backward()


# --- states that are no memory of this CPU ------------------------------------------------

PLAIN_NEURONS: dict[str, Callable[[], Any]] = {
    "Leaky": lambda: snn.Leaky(0.9),
    "Alpha": lambda: snn.Alpha(0.9, 0.5, threshold=0.2),
    "Lapicque": lambda: snn.Lapicque(R=1.0, C=2.0),
    "one to one": lambda: snn.RSynaptic(0.5, 0.9, V=0.5, all_to_all=False),
    "dense": lambda: snn.RLeaky(0.9, linear_features=3),
    "DeltaLeaky": lambda: snn.DeltaLeaky(0.5, beta=0.9),
    "SLSTM": lambda: snn.SLSTM(3, 3),
}
each_plain = pytest.mark.parametrize("name", PLAIN_NEURONS)


@pytest.mark.parametrize("grad", [True, False])
@each_way
@each_plain
def test_a_state_on_another_device_is_an_error(name: str, run: Any, grad: bool) -> None:
    neuron = PLAIN_NEURONS[name]()
    x = torch.rand(STEPS, 4, 3, requires_grad=grad)
    for place, missing in enumerate(neuron.state_names):
        states = [torch.zeros(4, 3) for _ in neuron.state_names]
        states[place] = torch.zeros(4, 3, device="meta")
        message = rf"`{missing}` on device cpu.*one on meta.\n.*{missing}\.to\('cpu'\)"
        with pytest.raises(ValueError, match=message):
            run(neuron, x, *states)


class Boxed(Tensor):
    """A tensor without memory of its own: its numbers are in another one."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> Boxed:
        made: Boxed = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, inner.shape, dtype=inner.dtype, device=inner.device
        )
        made.inner = inner
        return made

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        opened = pytree.tree_map_only(Boxed, lambda box: box.inner, (args, kwargs or {}))
        out = func(*opened[0], **opened[1])
        return pytree.tree_map_only(Tensor, Boxed, out)


def opened(tensors: list[Tensor]) -> list[Tensor]:
    return [one.inner if isinstance(one, Boxed) else one for one in tensors]


@pytest.mark.parametrize("boxed", ["states", "input", "numbers"])
@each_way
@each_plain
def test_tensors_without_memory_are_left_to_torch(name: str, run: Any, boxed: str) -> None:
    torch.manual_seed(0)
    neuron, x = PLAIN_NEURONS[name](), 2 * torch.rand(STEPS, 4, 3)
    states = [torch.rand(4, 3) for _ in neuron.state_names]
    if "threshold" in neuron._parameter_names:
        neuron.threshold = torch.tensor([0.3, 0.5, 0.7])
    with torch.no_grad():
        want = by_torch(neuron, x, *states)
        if boxed == "states":
            states = [Boxed(state) for state in states]
        elif boxed == "input":
            x = Boxed(x)
        else:
            neuron.threshold = Boxed(neuron.threshold)
        got = run(neuron, x, *states)
    assert_close(opened(got), want, 1e-6)


# --- what is handed to the library --------------------------------------------------------


@pytest.mark.parametrize(
    ("tensor", "says"),
    [
        (torch.zeros(4, 3, dtype=torch.float64), "12 of torch.float64"),
        (torch.zeros(4, 3, dtype=torch.bfloat16), "12 of torch.bfloat16"),
        (torch.zeros(4, 3, dtype=torch.int32), "12 of torch.int32"),
        (torch.zeros(4, 3, device="meta"), "on meta"),
        (torch.zeros(4, 2), "8 of torch.float32"),
        (torch.zeros(5, 3), "15 of torch.float32"),
        (torch.zeros(0), "0 of torch.float32"),
        (torch.zeros(4, 3).to_sparse(), "numbers of torch.float32"),
        (Boxed(torch.zeros(4, 3)), r"\(Boxed\)"),
    ],
    ids=["double", "half", "whole", "meta", "few", "many", "none", "sparse", "subclass"],
)
def test_the_library_gets_only_memory_that_is_there(tensor: Tensor, says: str) -> None:
    memory = native.Memory(torch.float32, 12)
    with pytest.raises(TypeError, match=rf"(?s)^the compiled kernel expected 12 .*{says}"):
        memory.address(tensor, 12)
    assert not memory.kept


@pytest.mark.parametrize("tensor", [torch.rand(4, 3), nn.Parameter(torch.rand(12))])
def test_memory_lives_as_long_as_its_address_is_known(tensor: Tensor) -> None:
    memory = native.Memory(torch.float32, 12)
    assert memory.address(tensor, 12) == tensor.data_ptr()
    assert memory.kept[0] is tensor


def test_a_result_larger_than_its_row_is_refused() -> None:
    args = native.Args(torch.float32, "leaky", "none", True, False, 2, 12)
    for count in (1, 3, 24):
        with pytest.raises(TypeError, match="expected 24 numbers"):
            args.rows(args.place("x"), torch.rand(2, count))
    args.rows(args.place("x"), torch.rand(2, 12))
    args.rows(args.place("x"), torch.rand(1, 12))  # the same at both steps
    with pytest.raises(TypeError, match="expected 12 numbers"):
        args.point(args.place("to", "mem"), torch.rand(13))
