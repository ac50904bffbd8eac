"""What of PyTorch works with which neuron or layer: each column is a check of one subject.

``python -m tests.portability`` prints the table of docs/portability.rst. A cell is a test of
tests/test_portability.py that ran, or a reason why it cannot be, which is tested, too.
"""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch import surrogate
from tests.cases import CASES, Case, flat, run

Check = Callable[["Subject"], None]


class Step(nn.Module):
    """One call, with all that it takes and gives in a flat list."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(flat(self.layer(*inputs)))


class Loop(nn.Module):
    """The time loop around a layer."""

    def __init__(self, subject: Subject, layer: nn.Module) -> None:
        super().__init__()
        self.subject, self.layer = subject, layer

    def forward(self, x: Tensor) -> Tensor:
        states, out = self.subject.start(self.layer), []
        for t in range(x.shape[0]):
            found = flat(self.layer(x[t], *states))
            states = tuple(found[len(found) - len(states) :])
            out.append(found[0])
        return torch.stack(out)


class Whole(nn.Module):
    """`snn.unroll` of a layer."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Any:
        if hasattr(self.layer, "reset_mem"):
            self.layer.reset_mem()
        return snn.unroll(self.layer, x)


@dataclass(frozen=True)
class Subject:
    """A neuron or layer, by the name of its row."""

    name: str
    make: Callable[..., Any]
    x: Callable[..., Tensor]
    case: Case | None = None

    def start(self, layer: Any) -> tuple[Tensor, ...]:
        """Return the states that a layer hands out to start from."""
        if self.case is not None:
            return self.case.states(layer)
        return (layer.reset_mem(),) if isinstance(layer, snn.SynapticDelay) else ()

    def states(self, batch: int | None = None) -> tuple[Tensor, ...]:
        """Return states to start from, in full size."""
        layer, x = self.make(), self.x(1)[0][:batch]
        start = self.start(layer)
        with torch.no_grad():
            found = flat(layer(x, *start))
        return tuple(torch.zeros_like(one) for one in found[len(found) - len(start) :])


def _of_case(case: Case) -> Subject:
    fed = {"all_to_all": "one to one", "conv2d_channels": "convolution"}
    found = [case.cls.__name__, *(how for name, how in fed.items() if name in case.extra)]
    return Subject(", ".join(found), case.make, case.input, case)


def _of_layer(name: str, build: Callable[[], nn.Module], *shape: int) -> Subject:
    def make(**options: Any) -> nn.Module:
        torch.manual_seed(0)
        return build(**options) if name == "SynapticDelay" else build()

    def x(steps: int = 20, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.randn(steps, *shape, generator=torch.Generator().manual_seed(7)).to(dtype)

    return Subject(name, make, x)


def _delay(init_hidden: bool = False, **learn: bool) -> nn.Module:
    return snn.SynapticDelay(2, [1.5, 0.5, 2.0], init_hidden=init_hidden, learn_delay=bool(learn))


SUBJECTS = (
    *map(_of_case, CASES),
    _of_layer("SynapticDelay", _delay, 4, 3),
    # these take a whole sequence, (time, batch, ...), in one call
    _of_layer("StateLeaky", lambda: snn.StateLeaky(0.9, 3, threshold=0.5), 6, 2, 3),
    _of_layer("LinearLeaky", lambda: snn.LinearLeaky(0.9, 3, 4, threshold=0.5), 6, 2, 3),
    _of_layer("BatchNormTT1d", lambda: snn.BatchNormTT1d(3, time_steps=1)[0], 4, 3),
    _of_layer("BatchNormTT2d", lambda: snn.BatchNormTT2d(3, time_steps=1)[0], 4, 3, 2, 2),
    _of_layer("GradedSpikes", lambda: snn.GradedSpikes(3, constant_factor=0.5), 4, 3),
)


def _same(got: Any, want: Any, tolerance: float | None = None) -> None:
    for one, other in zip(flat(got), flat(want), strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


def _runs(step: Any, like: Any, subject: Subject, steps: int = 4) -> None:
    """Hold a step of what was made of a layer against the layer's."""
    x, states = subject.x(steps), subject.states()
    _same(tuple(run(step, x, states or None)), tuple(run(like, x, states or None)))


# --- columns --------------------------------------------------------------------------------


def compile_step(subject: Subject) -> None:
    torch._dynamo.reset()
    learned = dict.fromkeys(subject.case.learn, True) if subject.case is not None else {}
    layer, x = subject.make(**learned), subject.x(3).requires_grad_()
    compiled = torch.compile(Step(layer), backend="aot_eager", fullgraph=True)
    got, want = (run(one, x, subject.states() or None) for one in (compiled, Step(layer)))
    _same(tuple(got), tuple(want))
    grads = [torch.autograd.grad(one[0].sum(), x)[0] for one in (got, want)]
    _same(*grads)
    if subject.case is not None:
        eager, layer = (subject.make(init_hidden=True) for _ in range(2))
        compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
        _same(tuple(run(compiled, x)), tuple(run(eager, x)))
        _same(layer._own_states(), eager._own_states())


def compile_loop(subject: Subject) -> None:
    torch._dynamo.reset()
    loop = Loop(subject, subject.make()).eval()
    compiled = torch.compile(loop, backend="aot_eager", fullgraph=True)
    _same(compiled(subject.x(3)), loop(subject.x(3)))


def compile_unroll(subject: Subject) -> None:
    torch._dynamo.reset()
    whole = Whole(subject.make(init_hidden=True)).eval()
    compiled = torch.compile(whole, backend="aot_eager", fullgraph=True)
    _same(compiled(subject.x(3)), whole(subject.x(3)))


def export_step(subject: Subject) -> None:
    step = Step(subject.make()).eval()
    program = torch.export.export(step, (subject.x(1)[0], *subject.states()))
    _runs(program.module(), step, subject)


def onnx(subject: Subject) -> None:
    """States are inputs and outputs of the graph, and the spike train goes through the runtime."""
    import onnxruntime  # noqa: PLC0415 (takes a second, and only this needs it)

    step, x, states = Step(subject.make()).eval(), subject.x(20), subject.states()
    with TemporaryDirectory() as folder:
        path = str(Path(folder) / "step.onnx")
        torch.onnx.export(step, (x[0], *states), path, dynamo=True, verbose=False)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    assert len(names) == 1 + len(states)

    def by_runtime(*inputs: Tensor) -> tuple[Tensor, ...]:
        given = {name: one.numpy() for name, one in zip(names, inputs, strict=True)}
        return tuple(map(torch.from_numpy, session.run(None, given)))

    with torch.no_grad():
        _same(tuple(run(by_runtime, x, states or None)), tuple(run(step, x, states or None)), 1e-4)


def jit_trace(subject: Subject) -> None:
    step = Step(subject.make()).eval()
    _runs(torch.jit.trace(step, (subject.x(1)[0], *subject.states())), step, subject)


def ensemble(subject: Subject) -> None:
    """`torch.vmap` over nets that differ in their parameters."""
    layers = [subject.make() for _ in range(3)]
    for place, layer in enumerate(layers):
        for one in (*layer.parameters(), *layer.buffers()):
            if one.is_floating_point() and one.numel():
                one.data.mul_(1 - 0.1 * place)
    steps = [Step(layer).eval() for layer in layers]
    base, inputs = copy.deepcopy(steps[0]), (subject.x(1)[0], *subject.states())
    stacked = torch.func.stack_module_state(steps)  # type: ignore[arg-type]

    def one(parameters: Any, buffers: Any) -> Any:
        return torch.func.functional_call(base, (parameters, buffers), inputs)

    want = zip(*[step(*inputs) for step in steps], strict=True)
    _same(torch.vmap(one)(*stacked), tuple(map(torch.stack, want)))


def samples(subject: Subject) -> None:
    """`torch.vmap` over samples is the batch, and `torch.func.grad` is autograd's."""
    step, x, states = Step(subject.make()).eval(), subject.x(1)[0], subject.states()

    def loss(x: Tensor) -> Tensor:
        return torch.stack([one.sum() for one in step(x, *states)]).sum()

    xs = x.clone().requires_grad_()
    loss(xs).backward()
    _same(torch.func.grad(loss)(x), xs.grad)
    axis = 1 if subject.name in ("StateLeaky", "LinearLeaky") else 0
    first = 1 if subject.name == "SynapticDelay" else 0  # of its state, where time is first

    def alone(one: Tensor, *states: Tensor) -> Tensor:
        return step(one.unsqueeze(axis), *(state.unsqueeze(first) for state in states))[0]

    got = torch.vmap(alone, (axis, *[first] * len(states)), axis)(x, *states)
    _same(got.squeeze(axis + 1), step(x, *states)[0])


def jvp(subject: Subject) -> None:
    """Forward-mode derivatives, of traceable spikes, agree with the backward pass."""
    step, x, states = Step(subject.make()).eval(), subject.x(1)[0], subject.states()
    direction = torch.randn_like(x)

    def outs(x: Tensor) -> Tensor:
        return torch.cat([one.flatten() for one in step(x, *states)])

    with surrogate.traceable():
        out, forward = torch.func.jvp(outs, (x,), (direction,))
        weights = torch.randn_like(out)
        (back,) = torch.func.vjp(outs, x)[1](weights)
    assert forward.any()
    _same((forward * weights).sum(), (back * direction).sum(), 1e-4)


def precision(dtype: torch.dtype) -> Check:
    def check(subject: Subject) -> None:
        layer = subject.make().to(dtype)
        start, outs = subject.start(layer), []
        for x in subject.x(4, dtype):
            outs += flat(layer(x, *start))
        assert {one.dtype for one in outs} == {dtype}
        assert all(one.isfinite().all() for one in outs)
        if subject.case is not None:
            whole, loop = (subject.make(init_hidden=True).to(dtype) for _ in range(2))
            _same(snn.unroll(whole, subject.x(6, dtype)), run(loop, subject.x(6, dtype))[0])

    return check


def autocast(subject: Subject) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        whole, loop = (nn.Sequential(subject.make(init_hidden=True)) for _ in range(2))
        outs = run(loop, subject.x(6))
        if subject.case is not None:
            got = snn.unroll(whole, subject.x(6))
            _same(got, outs[0] if len(flat(got)) == 1 else tuple(outs))
    assert all(one.isfinite().all() for one in outs)


def files(subject: Subject) -> None:
    """Copies, pickles and files of a layer and of its state_dict go on alike."""
    from safetensors.torch import load_model, save_model  # noqa: PLC0415

    layer, file = subject.make(), io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    loaded, safe = subject.make(), subject.make()
    loaded.load_state_dict(torch.load(file, weights_only=True), strict=True)
    with TemporaryDirectory() as folder:
        # what knows of values under two names, as the V of neurons that feed back one to one
        save_model(layer, str(Path(folder) / "layer.safetensors"))
        load_model(safe, str(Path(folder) / "layer.safetensors"), strict=True)
    for one in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), loaded, safe):
        _runs(Step(one), Step(layer), subject)


def meta(subject: Subject) -> None:
    layer = subject.make().to("meta")
    outs = flat(layer(subject.x(1)[0].to("meta"), *subject.start(layer)))
    assert {one.device.type for one in (*outs, *layer.buffers())} == {"meta"}


def fused(subject: Subject) -> None:
    """A net with the loop inside, fused: what `snn.fuse` notes is what the loop gives."""
    loop = Loop(subject, subject.make()).eval()
    want = loop(subject.x(5))
    _same(snn.fuse(loop)(subject.x(5)), want)
    assert loop.forward.report.noted > 0  # type: ignore[union-attr]


#: By the table in which they stand.
TABLES: tuple[dict[str, Check], ...] = (
    {
        "compile, a step": compile_step,
        "compile, the loop": compile_loop,
        "compile, unroll": compile_unroll,
        "export": export_step,
        "ONNX": onnx,
        "jit.trace": jit_trace,
    },
    {
        "func: nets": ensemble,
        "func: samples": samples,
        "func: jvp": jvp,
        "files": files,
        "meta": meta,
        "fuse": fused,
    },
    {
        "float64": precision(torch.float64),
        "bfloat16": precision(torch.bfloat16),
        "float16": precision(torch.float16),
        "autocast": autocast,
    },
)
COLUMNS = {name: check for table in TABLES for name, check in table.items()}
#: Why something cannot be, by row and column, and what is raised then.
_LSTM = "torch has no batching rule for the LSTM cell: ``torch.vmap`` raises.", RuntimeError
REASONS: dict[tuple[str, str], tuple[str, type[Exception]]] = {
    ("SLSTM", "func: nets"): _LSTM,
    ("SLSTM", "func: samples"): _LSTM,
}


def page() -> str:
    """Return the tables and the reasons as reStructuredText."""
    reasons = list(dict.fromkeys(reason for reason, _ in REASONS.values()))
    lines: list[str] = []

    def cell(subject: Subject, column: str) -> str:
        found = REASONS.get((subject.name, column))
        return "✓" if found is None else f"[{1 + reasons.index(found[0])}]_"

    for table in TABLES:
        lines += [".. list-table::", "   :header-rows: 1", "   :stub-columns: 1", ""]
        rows = [[one.name, *(cell(one, column) for column in table)] for one in SUBJECTS]
        for row in [["", *table], *rows]:
            lines += [f"   {' ' if place else '*'} - {one}" for place, one in enumerate(row)]
        lines.append("")
    lines += [f".. [{1 + place}] {reason}" for place, reason in enumerate(reasons)]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    print(page(), end="")
