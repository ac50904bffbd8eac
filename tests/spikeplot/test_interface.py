"""What is imported when, who takes what, and what is said about wrong arguments."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
import snntorch.spikeplot as splt
from snntorch import surrogate
from tests.spikeplot.drawing import HIDDEN, OFF_SPIKES, ROOT, plt, spikes, values

# One after the other in one process, as importing torch takes the longest
IMPORTS = """
import json, sys, snntorch
seen = {"by snntorch": "matplotlib" in sys.modules}
sys.modules["matplotlib"] = None
try:
    import snntorch.spikeplot
except ModuleNotFoundError as error:
    seen["without"] = [error.name, str(error)]
del sys.modules["matplotlib"]
sys.modules |= dict.fromkeys(["pandas", "celluloid", "tqdm", "IPython"])
import snntorch.spikeplot as splt
seen["alone"] = splt.__all__
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def imports() -> dict:
    command = [sys.executable, "-c", IMPORTS]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def test_snntorch_alone_does_not_import_matplotlib(imports):
    assert imports["by snntorch"] is False


def test_without_matplotlib_the_import_names_the_extra(imports):
    name, message = imports["without"]
    assert name == "matplotlib"
    assert message.startswith("snntorch.spikeplot expected matplotlib")
    assert "pip install 'snntorch[plot]'" in message


def test_matplotlib_alone_suffices(imports):
    assert imports["alone"] == splt.__all__


@pytest.mark.parametrize("name", ["animator", "raster", "spike_count", "traces"])
def test_released_signature(name):
    released = json.loads((ROOT / "tests/data/api.json").read_text())["snntorch.spikeplot"][name]
    ours = inspect.signature(getattr(splt, name)).parameters.values()
    inherited = [p for p in ours if p.kind is not p.KEYWORD_ONLY]
    assert [
        [p.name, p.kind.name, None if p.default is p.empty else repr(p.default)] for p in inherited
    ] == released["args"]


def test_every_function_draws_on_given_axes():
    drawing = set(splt.__all__) - {"save_animation", "style"}
    assert {n for n in drawing if "ax" in inspect.signature(getattr(splt, n)).parameters} == drawing


def test_calls_of_the_tutorials(ffmpeg):
    num_steps = 4
    spike_data = spikes(num_steps, 4, 1, 28, 28)

    fig, ax = plt.subplots(dpi=20)
    anim = splt.animator(spike_data[:, 0, 0], fig, ax)
    assert "<video" in anim.to_html5_video()

    fig = plt.figure(facecolor="w", figsize=(10, 5))
    ax = fig.add_subplot(111)
    splt.raster(spike_data[:, 0].view(num_steps, -1), ax, s=25, c="black")
    plt.title("Input Layer")
    plt.xlabel("Time step")
    plt.ylabel("Neuron Number")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Time step", "Neuron Number")

    fig = plt.figure(facecolor="w", figsize=(8, 1))
    ax = fig.add_subplot(111)
    one = spike_data[:, 0].reshape(num_steps, -1)[:, 210].unsqueeze(1)
    splt.raster(one, ax, s=100, c="black", marker="|")
    splt.raster(OFF_SPIKES, ax, c="black")
    plt.yticks([])
    plt.xlim(0, len(OFF_SPIKES))
    fig.canvas.draw()
    assert ax.get_xlim() == (0, 11)
    assert len(ax.get_yticks()) == 0

    mem2_rec = values(num_steps, 1, 10).requires_grad_()
    spk2_rec = spikes(num_steps, 1, 10)
    splt.traces(mem2_rec.squeeze(1), spk=spk2_rec.squeeze(1))
    fig = plt.gcf()
    fig.set_size_inches(8, 6)
    fig.canvas.draw()
    assert len(fig.axes) == 9

    fig, ax = plt.subplots(facecolor="w", figsize=(12, 7), dpi=20)
    labels = [str(digit) for digit in range(10)]
    anim = splt.spike_count(
        spk2_rec[:, 0].detach().cpu(), fig, ax, labels=labels, animate=True, interpolate=4
    )
    assert "<video" in anim.to_html5_video()


def test_pictures_can_be_filmed_with_celluloid():
    from celluloid import Camera  # noqa: PLC0415

    fig, ax = plt.subplots()
    camera = Camera(fig)
    for step in range(3):
        splt.raster(spikes(5, 2)[: step + 1], ax)
        assert len(camera.snap()) == 1
    camera.animate()._draw_was_started = True


class Idle(nn.Module):
    """A network that never calls its neurons."""

    def __init__(self) -> None:
        super().__init__()
        self.lif = snn.Leaky(0.9)

    def forward(self, x: Tensor) -> Tensor:
        return x


def on_axes(function, data, *args, **kwargs):
    """Call a function of (data, fig, ax, ...) with a figure."""
    return function(data, *plt.subplots(), *args, **kwargs)


LEAKY = nn.Sequential(snn.Leaky(0.9, **HIDDEN))
SAMPLE = r"Pick one sample of the batch"
WRONG = {
    "raster kind": (lambda ax: splt.raster([[1]], ax), TypeError, r"raster.*`data`.*Tensor"),
    "raster batch": (lambda ax: splt.raster(torch.ones(2, 3, 4), ax), ValueError, SAMPLE),
    "raster empty": (lambda ax: splt.raster(torch.ones(0, 3), ax), ValueError, "not empty"),
    "animator kind": (lambda ax: on_axes(splt.animator, np.ones(3)), TypeError, "`data`"),
    "animator shape": (
        lambda ax: on_axes(splt.animator, torch.ones(2, 3)),
        ValueError,
        r"`data` of shape \(time, height, width\).*got \(2, 3\)",
    ),
    "animator steps": (
        lambda ax: on_axes(splt.animator, torch.ones(2, 3, 3), 5),
        ValueError,
        "`num_steps` up to 2.*got 5",
    ),
    "animator axes": (
        lambda ax: splt.animator(torch.ones(2, 3, 3), plt.figure(), ax),
        ValueError,
        "`ax` to be on `fig`",
    ),
    "count batch": (
        lambda ax: on_axes(splt.spike_count, torch.ones(2, 3, 4), ["a"]),
        ValueError,
        SAMPLE,
    ),
    "count labels": (
        lambda ax: on_axes(splt.spike_count, torch.ones(2, 3), ["a"]),
        ValueError,
        "`labels` for 3 neurons, but got 1",
    ),
    "count axes": (
        lambda ax: splt.spike_count(torch.ones(2, 1), plt.figure(), ax, ["a"]),
        ValueError,
        "`ax` to be on `fig`",
    ),
    "count steps": (
        lambda ax: on_axes(splt.spike_count, torch.ones(2, 1), ["a"], num_steps=True),
        TypeError,
        "`num_steps` to be an int, but got True",
    ),
    "count interpolate": (
        lambda ax: on_axes(splt.spike_count, torch.ones(2, 1), ["a"], interpolate=0),
        ValueError,
        "`interpolate` >= 1, but got 0",
    ),
    "count time_step": (
        lambda ax: on_axes(splt.spike_count, torch.ones(2, 1), ["a"], time_step=-1),
        ValueError,
        "`time_step` > 0",
    ),
    "count time_step kind": (
        lambda ax: on_axes(splt.spike_count, torch.ones(2, 1), ["a"], time_step="1 ms"),
        TypeError,
        "`time_step` to be a number",
    ),
    "save kind": (
        lambda ax: splt.save_animation(ax, "a.gif"),
        TypeError,
        "`anim` to be an animation",
    ),
    "axes": (lambda ax: splt.raster(torch.ones(2, 3), 1), TypeError, "`ax` to be axes"),
    "axes of traces": (
        lambda ax: splt.traces(torch.ones(2, 3), ax=1),
        TypeError,
        "`ax` to be axes",
    ),
    "axes of weights": (lambda ax: splt.weights(torch.ones(2, 3), 1), TypeError, "`ax` to be axes"),
    "axes of surrogates": (lambda ax: splt.surrogate_gradients(ax=1), TypeError, "`ax` to be axes"),
    "figure": (
        lambda ax: splt.spike_count(torch.ones(2, 1), 1, ax, ["a"]),
        TypeError,
        "`fig` to be a figure",
    ),
    "no values": (
        lambda ax: splt.raster(torch.ones(2, 3, device="meta"), ax),
        ValueError,
        "`data` with values",
    ),
    "complex": (lambda ax: splt.weights(torch.ones(2, 3) * 1j, ax), TypeError, "a real `data`"),
    "colours": (
        lambda ax: splt.weights(torch.ones(2, 3), ax, cmap="mud"),
        ValueError,
        "`cmap` to be a colour map",
    ),
    "flag": (
        lambda ax: splt.weights(torch.ones(2, 3), ax, colorbar=torch.ones(2)),
        TypeError,
        "`colorbar` to be True or False",
    ),
    "limit": (
        lambda ax: splt.surrogate_gradients(limit="2"),
        TypeError,
        "`limit` to be a number",
    ),
    "surrogates of a number": (
        lambda ax: splt.surrogate_gradients(3),
        TypeError,
        "`surrogates` to be a list",
    ),
    "traces height": (
        lambda ax: splt.traces(torch.ones(2, 3), spk_height=None),
        TypeError,
        "`spk_height` to be a number",
    ),
    "traces kind": (lambda ax: splt.traces([1.0]), TypeError, "`data`"),
    "traces batch": (lambda ax: splt.traces(torch.ones(2, 3, 4)), ValueError, SAMPLE),
    "traces spikes": (
        lambda ax: splt.traces(torch.ones(2, 3), torch.ones(3, 2)),
        ValueError,
        r"`spk` of shape \(2, 3\), but got \(3, 2\)",
    ),
    "traces dim": (lambda ax: splt.traces(torch.ones(2, 3), dim=(0, 3)), ValueError, "`dim`"),
    "traces titles": (
        lambda ax: splt.traces(torch.ones(2, 3), titles=["a"]),
        ValueError,
        "`titles` for 3 panels",
    ),
    "traces threshold": (
        lambda ax: splt.traces(torch.ones(2, 3), threshold=torch.ones(2)),
        ValueError,
        "`threshold`: one number or 3",
    ),
    "weights kind": (lambda ax: splt.weights(nn.Linear(2, 2), ax), TypeError, "`data`"),
    "weights shape": (lambda ax: splt.weights(torch.ones(3), ax), ValueError, "`data` of shape"),
    "weights fold": (
        lambda ax: splt.weights(torch.ones(3, 5), ax, shape=(2, 2)),
        ValueError,
        "`shape`.*to fold",
    ),
    "weights fold twice": (
        lambda ax: splt.weights(torch.ones(3, 2, 2), ax, shape=(2, 2)),
        ValueError,
        "`shape`.*to fold",
    ),
    "weights dim": (
        lambda ax: splt.weights(torch.ones(3, 2, 2), ax, dim=(1, 2)),
        ValueError,
        "`dim` with 3 cells",
    ),
    "surrogates none": (lambda ax: splt.surrogate_gradients([]), ValueError, "at least one"),
    "surrogates kind": (lambda ax: splt.surrogate_gradients([3]), TypeError, "functions, but"),
    "surrogates titles": (
        lambda ax: splt.surrogate_gradients([surrogate.atan()], titles=[]),
        ValueError,
        "1 `titles`",
    ),
    "surrogates limit": (
        lambda ax: splt.surrogate_gradients(limit=0),
        ValueError,
        "`limit` > 0",
    ),
    "rates kind": (lambda ax: splt.firing_rates([1], torch.ones(1)), TypeError, "nn.Module"),
    "rates none": (lambda ax: splt.firing_rates({}), ValueError, "at least one layer"),
    "rates both": (
        lambda ax: splt.firing_rates({"a": torch.ones(2, 2, 2)}, torch.ones(2)),
        TypeError,
        "no `x` with recorded",
    ),
    "rates shape": (
        lambda ax: splt.firing_rates({"a": torch.ones(2, 2)}),
        ValueError,
        r"`a` of shape \(time, batch, ...\)",
    ),
    "rates recorded kind": (lambda ax: splt.firing_rates({"a": [1]}), TypeError, "`a`"),
    "rates x": (lambda ax: splt.firing_rates(LEAKY), TypeError, "`x` to be a torch.Tensor"),
    "summary net": (lambda ax: splt.summary(3, torch.ones(2, 2, 2)), TypeError, "nn.Module"),
    "summary no neurons": (
        lambda ax: splt.summary(nn.Linear(2, 2), torch.ones(2, 2, 2)),
        ValueError,
        "a net with a layer of neurons",
    ),
    "summary no calls": (
        lambda ax: splt.summary(Idle(), torch.ones(2, 2, 2)),
        ValueError,
        "that calls its layers",
    ),
    "summary x kind": (lambda ax: splt.summary(LEAKY, [1]), TypeError, "`x`"),
    "summary x shape": (
        lambda ax: splt.summary(LEAKY, torch.ones(2, 2)),
        ValueError,
        r"(?s)`x` of shape \(time, batch, ...\).*pass num_steps=",
    ),
    "summary constant x": (
        lambda ax: splt.summary(LEAKY, torch.ones(2), num_steps=3),
        ValueError,
        r"`x` of shape \(batch, ...\)",
    ),
    "summary steps": (
        lambda ax: splt.summary(LEAKY, torch.ones(2, 2), num_steps=0),
        ValueError,
        "`num_steps` >= 1, but got 0",
    ),
    "summary sample": (
        lambda ax: splt.summary(LEAKY, torch.ones(2, 2, 2), sample=2),
        ValueError,
        "`sample` from 0 to 1",
    ),
    "summary neurons": (
        lambda ax: splt.summary(LEAKY, torch.ones(2, 2, 2), neurons=0),
        ValueError,
        "`neurons` >= 1, but got 0",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments(name):
    call, error, message = WRONG[name]
    _, ax = plt.subplots()
    with pytest.raises(error, match=message):
        call(ax)
    assert [*ax.collections, *ax.images, *ax.lines] == []


@pytest.mark.parametrize("wrong", [{"fps": 0}, {"dpi": 1e-300}, {"dpi": 2**70}])
def test_wrong_rate(anim, wrong, tmp_path):
    with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` from"):
        splt.save_animation(anim, tmp_path / "a.gif", **wrong)


@pytest.mark.parametrize("path", ["a.png", "a", "a.gif.zip"])
def test_wrong_file(anim, path):
    with pytest.raises(ValueError, match=r"`path` to end in one of \('.gif', '.mp4'\)"):
        splt.save_animation(anim, path)
