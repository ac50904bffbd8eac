"""The calls that the documentation of snnTorch 1.0.0 makes in its chapters.

``data/documented_calls.json`` has of each name the calls that occur: how many positional
arguments, and which keywords. ``CALLS`` makes each, and asks something of what it returns.
``python -m tests.test_documented`` prints the table of ``docs/api/documented.rst``.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.animation import Animation
from torch import nn

import snntorch as snn
import snntorch.functional as SF
import snntorch.spikeplot as splt
from snntorch import backprop, spikegen, surrogate, utils

mpl.use("Agg")

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "api" / "documented.rst"
DOCUMENTED = json.loads((Path(__file__).parent / "data" / "documented_calls.json").read_text())
MODULES = {
    "snn": snn,
    "SF": SF,
    "splt": splt,
    "backprop": backprop,
    "spikegen": spikegen,
    "surrogate": surrogate,
    "utils": utils,
}

#: Each call, and what is true of its result ``it``.
CALLS = {
    "snn.Alpha(alpha=0.9, beta=0.8, threshold=0.5)": "it.init_alpha()[0].shape == (0,)",
    "snn.Lapicque(R=5, C=1e-3, time_step=1e-3)": "0.8 < it.beta < 0.82",
    "snn.Lapicque(R=5, C=1e-3, time_step=1e-3, threshold=0.5)": "it.threshold == 0.5",
    "snn.Lapicque(R=5, C=1e-3, time_step=1e-3, threshold=0.5, reset_mechanism='zero')": (
        "it.reset_mechanism == 'zero'"
    ),
    "snn.Leaky(beta=0.9)": "len(it(torch.ones(1), it.init_leaky())) == 2",
    "snn.Leaky(beta=0.9, init_hidden=True)": "it(x).shape == x.shape",
    "snn.Leaky(beta=rates, init_hidden=True, learn_beta=True)": "it.beta.requires_grad",
    "snn.Leaky(beta=rates, init_hidden=True, learn_beta=True, output=True)": "len(it(x)) == 2",
    "snn.Leaky(beta=0.9, init_hidden=True, output=True)": "len(it(x)) == 2",
    "snn.Leaky(beta=0.9, spike_grad=surrogate.fast_sigmoid(), init_hidden=True, output=True)": (
        "len(it(x)) == 2"
    ),
    "snn.Leaky(beta=0.9, threshold=2, spike_grad=surrogate.atan(), init_hidden=True,"
    " output=True)": "it(3 * x)[0].sum() > 0",
    "snn.Leaky(beta=0.9, spike_grad=surrogate.atan(), init_hidden=True)": "it(x).shape == x.shape",
    "snn.Leaky(beta=0.9, threshold=2, spike_grad=surrogate.atan(), init_hidden=True)": (
        "it.threshold == 2"
    ),
    "snn.Leaky(beta=0.9, learn_beta=True)": "list(it.parameters()) == [it.beta]",
    "snn.Leaky(beta=0.9, learn_beta=True, threshold=1, spike_grad=surrogate.atan())": (
        "it.beta.requires_grad"
    ),
    "snn.Leaky(beta=0.9, learn_beta=True, threshold=1, spike_grad=surrogate.atan(),"
    " reset_mechanism='none')": "(it(9 * x, 9 * x)[1] > 17 * x).all()",
    "snn.Leaky(beta=0.9, spike_grad=surrogate.atan())": "it(x, x)[0].shape == x.shape",
    "snn.RLeaky(beta=0.9, all_to_all=False)": "len(it(x, *it.init_rleaky())) == 2",
    "snn.RLeaky(beta=0.9, all_to_all=False, learn_recurrent=False)": "not list(it.parameters())",
    "snn.RLeaky(beta=0.9, conv2d_channels=3, kernel_size=(5, 3))": (
        "it(torch.ones(2, 3, 8, 8), *it.init_rleaky())[1].shape == (2, 3, 8, 8)"
    ),
    "snn.RLeaky(beta=0.9, linear_features=10)": "it.recurrent.weight.shape == (10, 10)",
    "snn.Synaptic(alpha=0.9, beta=0.8)": "len(it(x, *it.init_synaptic())) == 3",
    "snn.Synaptic(alpha=0.9, beta=0.8, spike_grad=surrogate.atan())": (
        "len(it(x, *it.init_synaptic())) == 3"
    ),
    "SF.accuracy_rate(spk, labels)": "0 <= it <= 1",
    "SF.accuracy_rate(spk, pairs, population_code=True, num_classes=5)": "0 <= it <= 1",
    "SF.ce_count_loss()": "it(mem, labels).ndim == 0",
    "SF.ce_rate_loss()": "it(spk, labels).ndim == 0",
    "SF.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2)": "it(spk, labels) > 0",
    "SF.mse_count_loss(correct_rate=1.0, incorrect_rate=0.0, population_code=True,"
    " num_classes=5)": "it(spk, pairs) > 0",
    "SF.mse_membrane_loss(on_target=1.05, off_target=0.2)": "it(mem, labels) > 0",
    "backprop.BPTT(net, loader, optimizer, SF.ce_rate_loss(), 5, time_var=False)": "it > 0",
    "spikegen.delta(signal, threshold=4)": "it.tolist() == [0, 0, 0, 1]",
    "spikegen.delta(signal, threshold=4, off_spike=True)": "it.tolist() == [0, 0, -1, 1]",
    "spikegen.latency(x, num_steps=100, tau=5, threshold=0.01)": "it.shape == (100, *x.shape)",
    "spikegen.latency(x, num_steps=100, tau=5, threshold=0.01, linear=True)": "it.sum() > 0",
    "spikegen.latency(x, num_steps=100, tau=5, threshold=0.01, normalize=True, linear=True)": (
        "it.sum() > 0"
    ),
    "spikegen.latency(x, num_steps=100, tau=5, threshold=0.01, clip=True, normalize=True,"
    " linear=True)": "(it.sum(0) == (x > 0.01)).all()",
    "spikegen.rate(x, num_steps=50)": "it.shape == (50, *x.shape)",
    "spikegen.rate(x, num_steps=50, gain=0.25)": "it.mean() < x.mean()",
    "spikegen.rate_conv(x)": "it.shape == x.shape",
    "splt.animator(images, fig, ax)": "isinstance(it, Animation) and it.to_jshtml()",
    "splt.animator(images, fig, ax, interval=40)": "it.to_jshtml() and it._interval == 40",
    "splt.raster(spk[:, 0], ax, c='black')": "it.get_offsets().shape == (spk[:, 0].sum(), 2)",
    "splt.raster(spk[:, 0], ax, s=400, c='black')": "it.get_sizes() == [400]",
    "splt.raster(spk[:, 0], ax, s=400, c='black', marker='|')": "it.get_sizes() == [400]",
    "splt.spike_count(spk[:, 0], fig, ax, labels=names, animate=True)": (
        "isinstance(it, Animation) and it.to_jshtml()"
    ),
    "splt.spike_count(spk[:, 0], fig, ax, labels=names, animate=True, interpolate=2)": (
        "isinstance(it, Animation) and it.to_jshtml()"
    ),
    "splt.traces(mem[:, 0], spk=spk[:, 0])": "plt.gcf().axes",
    "surrogate.atan()": "it(x).shape == x.shape",
    "surrogate.atan(alpha=2.0)": "it(x).shape == x.shape",
    "surrogate.custom_surrogate(slope)": "it(x).shape == x.shape",
    "surrogate.fast_sigmoid()": "it(x).shape == x.shape",
    "surrogate.fast_sigmoid(slope=50)": "it(x).shape == x.shape",
    "utils.data_subset(dataset, 10)": "len(it.targets) == 10",
    "utils.reset(net)": "net[1].mem.numel() == 0",
}


def called(code: str) -> tuple[str, int, tuple[str, ...]]:
    """Return the name, the number of positional arguments and the keywords of a call."""
    call = ast.parse(code, mode="eval").body
    assert isinstance(call, ast.Call)
    first, _, rest = ast.unparse(call.func).partition(".")
    return (
        f"{MODULES[first].__name__}.{rest}",
        len(call.args),
        tuple(sorted(k.arg for k in call.keywords if k.arg)),
    )


def gap() -> set[tuple[str, int, tuple[str, ...]]]:
    """Return the documented calls that ``CALLS`` does not make."""
    asked = {
        (name, count, tuple(keywords))
        for name, calls in DOCUMENTED.items()
        for count, keywords in calls
    }
    return asked - {called(code) for code in CALLS}


def names() -> dict[str, Any]:
    """Return what the calls take."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 10), snn.Leaky(beta=0.9, init_hidden=True, output=True))
    x, labels = torch.rand(3, 10), torch.tensor([1, 2, 3])
    fig, ax = plt.subplots()
    values = {
        "fig": fig,
        "ax": ax,
        "net": net,
        "x": x,
        "labels": labels,
        "rates": torch.rand(10),
        "optimizer": torch.optim.Adam(net.parameters()),
        "loader": [(torch.rand(3, 4), labels)],
        "spk": torch.bernoulli(torch.full((20, 3, 10), 0.5)),
        "mem": torch.rand(20, 3, 10),
        "pairs": torch.tensor([0, 2, 4]),
        "signal": torch.tensor([1.0, 2.0, -3.0, 6.0]),
        "images": torch.rand(4, 8, 8),
        "names": [str(i) for i in range(10)],
        "slope": lambda input_, grad_input, spikes: grad_input / (25 * input_.abs() + 1) ** 2,
    }
    dataset = torch.utils.data.TensorDataset(torch.rand(100, 4), torch.arange(100) % 10)
    dataset.data, dataset.targets = dataset.tensors
    used = {"torch": torch, "plt": plt, "Animation": Animation}
    return MODULES | used | values | {"dataset": dataset}


def arguments(name: str, count: int, keywords: tuple[str, ...]) -> list[str]:
    """Return what the arguments of a call are named."""
    module, _, attribute = name.rpartition(".")
    taken = inspect.signature(getattr(importlib.import_module(module), attribute)).parameters
    return [*list(taken)[:count], *keywords]


def mark(code: str) -> str:
    """Return the short name of a call."""
    name, count, keywords = called(code)
    return f"{name.removeprefix('snntorch.')}({','.join(arguments(name, count, keywords))})"


def page() -> str:
    """Return the table of every name and argument, and a test that passes it."""
    tests: dict[tuple[str, str], str] = {}
    for code in CALLS:
        name, count, keywords = called(code)
        for argument in arguments(name, count, keywords) or ["(none)"]:
            tests.setdefault((name, argument), f"test_calls[{mark(code)}]")
    rows = [(f"``{name}``", argument, f"``{test}``") for (name, argument), test in tests.items()]
    table = [("name", "argument", "test"), *sorted(rows)]
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in table:
        first, *rest = row
        lines += [f"   * - {first}", *(f"     - {cell}" for cell in rest)]
    return "\n".join(lines)


@pytest.mark.parametrize(("code", "fact"), CALLS.items(), ids=map(mark, CALLS))
def test_calls(code: str, fact: str) -> None:
    plt.close("all")
    around = names()
    around["it"] = eval(code, around)
    assert eval(fact, around), fact


def test_every_documented_call_is_made() -> None:
    assert gap() == set()


def test_a_gap_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(CALLS, "utils.reset(net)")
    assert gap() == {("snntorch.utils.reset", 1, ())}


def test_page() -> None:
    assert page() in PAGE.read_text(), f"{PAGE.name}: paste this table\n\n{page()}"


def test_an_older_signature_is_told() -> None:
    """A page shows BPTT with an input, a target and sizes, which 1.0.0 does not take either."""
    around = names()
    with pytest.raises(TypeError, match=r"`optimizer` to be a torch\.optim\.Optimizer"):
        backprop.BPTT(
            *(around["net"], around["x"], around["labels"], 5, 3),
            *(around["optimizer"], SF.ce_rate_loss()),
        )


if __name__ == "__main__":
    print(page())
