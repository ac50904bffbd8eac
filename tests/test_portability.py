"""Every neuron and layer with everything of PyTorch around it; see tests/portability.py."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
from tests.cases import run
from tests.portability import COLUMNS, REASONS, SUBJECTS, Step, Subject, page

PAGE = Path(__file__).parents[1] / "docs" / "portability.rst"

pytestmark = [
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
    # of torch's exporter to itself
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture(autouse=True)
def quiet_exporter() -> Iterator[None]:
    """Leave out that optional packages of the exporter are missing."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
@pytest.mark.parametrize("column", COLUMNS)
def test_cell(subject: Subject, column: str) -> None:
    why = REASONS.get((subject.name, column))
    if why is None:
        COLUMNS[column](subject)
        return
    with pytest.raises(why[1]):
        COLUMNS[column](subject)


def test_the_table_is_that_of_the_tests() -> None:
    told = "run `python -m tests.portability`, and paste its table into docs/portability.rst"
    assert page() in PAGE.read_text(), told


class Explicit(nn.Module):
    """A step with states of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.lif = nn.Linear(5, 4), snn.Synaptic(0.8, 0.9)

    def forward(self, x: Tensor, *states: Tensor) -> Tensor:
        return self.lif(self.fc(x), *states)[0]


class Inside(Explicit):
    """The loop stands in it."""

    def forward(self, x: Tensor, *states: Tensor) -> Tensor:
        states, out = self.lif.init_synaptic(), []
        for _ in range(3):
            spk, *states = self.lif(self.fc(x), *states)
            out.append(spk)
        return torch.stack(out)


@pytest.mark.parametrize("net", [Explicit, Inside])
def test_a_net_is_compiled_once_for_all_batch_sizes(net: type[Explicit]) -> None:
    torch._dynamo.reset()
    compiled = []

    def backend(graph: torch.fx.GraphModule, _: list[Tensor]) -> object:
        compiled.append(graph)
        return graph.forward

    step = torch.compile(net(), backend=backend, fullgraph=True)
    for batch in (2, 3, 5, 8, 13):
        step(torch.rand(batch, 5), torch.zeros(batch, 4), torch.zeros(batch, 4))
    assert len(compiled) == 2  # for the first size, and then for any


def test_a_step_by_torchs_own_compiler() -> None:
    torch._dynamo.reset()
    net = nn.Sequential(nn.Linear(5, 4), snn.Leaky(0.9, threshold=0.2, init_hidden=True))
    x = torch.rand(6, 3, 5)
    want = torch.stack([net(one) for one in x])
    net[1].reset_mem()
    compiled = torch.compile(net, fullgraph=True)
    torch.testing.assert_close(torch.stack([compiled(one) for one in x]), want)


def test_a_step_compiled_ahead_of_time(tmp_path: Path) -> None:
    """AOTInductor: a library that runs without the net's Python."""
    net, x = Explicit().eval(), torch.rand(6, 3, 5)
    states = torch.zeros(2, 3, 4).unbind()
    with torch.no_grad():
        program = torch.export.export(Step(net.lif), (net.fc(x[0]), *states))
        file = torch._inductor.aoti_compile_and_package(
            program, package_path=str(tmp_path / "step.pt2")
        )
        step = torch._inductor.aoti_load_package(file)
        currents = net.fc(x)
        got, want = run(step, currents, states), run(net.lif, currents, states)
    for one, other in zip(got, want, strict=True):
        torch.testing.assert_close(one, other)
