"""Draw every picture of the gallery page, and write the part of the page that shows them.

The docs build calls ``build("docs/_gallery")`` before Sphinx reads ``gallery.rst``; by hand
it is ``python docs/gallery.py docs/_gallery``. A picture is one function below: its
docstring is the caption, its code is shown beside the result.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from inspect import getdoc
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.animation import Animation
from matplotlib.figure import Figure
from torch import Tensor, nn

import snntorch as snn
import snntorch.spikeplot as splt
from snntorch import spikegen, surrogate
from snntorch.export_nir import export_to_nir

PICTURES: list[Callable[[], Figure | Animation]] = []


def picture(draw: Callable[[], Figure | Animation]) -> Callable[[], Figure | Animation]:
    """Add a function that draws to the gallery."""
    PICTURES.append(draw)
    return draw


def bars(steps: int = 40) -> Tensor:
    """Return the spikes of a 28 x 28 retina that sees a bar move, (steps, 28, 28)."""
    y, x = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    time = torch.arange(steps).view(-1, 1, 1)
    bar = torch.exp(-((y + 0.2 * x - 34 * time / steps) ** 2) / 4)
    return torch.bernoulli(0.01 + 0.8 * bar)


def network() -> nn.Sequential:
    """Return a small network with untrained weights that are large enough to fire."""
    net = nn.Sequential(
        nn.Linear(784, 64),
        snn.Leaky(beta=0.9, init_hidden=True),
        nn.Linear(64, 10),
        snn.Leaky(beta=0.9, init_hidden=True, output=True),
    )
    with torch.no_grad():
        net[0].weight.mul_(2)
        net[2].weight.mul_(5)
    return net


def output_layer(steps: int = 100, neurons: int = 9) -> tuple[Tensor, Tensor]:
    """Return spikes and membrane potential of a layer, (steps, neurons) each."""
    lif = snn.Leaky(beta=0.9, init_hidden=True, output=True)
    current = 0.12 + 0.25 * torch.rand(steps, 1) * torch.linspace(0, 1, neurons)
    spk, mem = zip(*(lif(step) for step in current), strict=True)
    return torch.stack(spk), torch.stack(mem)


@picture
def raster() -> Figure:
    """Every spike of a layer: who fires when."""
    fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
    spikes = spikegen.rate(torch.linspace(0, 0.5, 50), num_steps=100)
    splt.raster(spikes, ax)
    ax.set_title("Rate code: the larger the input, the more spikes")
    return fig


@picture
def raster_of_many() -> Figure:
    """Ten thousand neurons: drawn as pixels, the darker the more of them fire."""
    fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
    phase = torch.linspace(0, 6.3, 10_000) - 0.02 * torch.arange(1_000).unsqueeze(1)
    splt.raster(torch.bernoulli(0.04 * phase.cos().relu() ** 8), ax)
    ax.set_title("Travelling waves in 10,000 neurons")
    return fig


@picture
def animator() -> Animation:
    """Images over time, here the spikes of a retina that sees a bar move."""
    fig, ax = plt.subplots(figsize=(2.5, 2.5), layout="constrained")
    return splt.animator(bars(), fig, ax, interval=60)


@picture
def spike_count() -> Figure:
    """What a rate code predicts: the class whose neuron fires most."""
    fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
    spk, _ = output_layer(neurons=5)
    splt.spike_count(spk, fig, ax, labels=["cat", "dog", "eel", "fox", "gnu"])
    return fig


@picture
def spike_count_over_time() -> Animation:
    """The same as an animation; the line on top is the time that has passed."""
    fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
    spk, _ = output_layer(neurons=5)
    names = ["cat", "dog", "eel", "fox", "gnu"]
    return splt.spike_count(spk, fig, ax, labels=names, animate=True, time_step=1e-3)


@picture
def traces() -> Figure:
    """Membrane potentials, their threshold, and spikes that ride on them."""
    spk, mem = output_layer()
    axes = splt.traces(mem, spk=spk, spk_height=2, threshold=1.0)
    return axes[0].figure


@picture
def traces_on_one_axes() -> Figure:
    """Any number of neurons on one axes."""
    fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    spk, mem = output_layer(neurons=16)
    splt.traces(mem, spk=spk, spk_height=1.6, threshold=1.0, ax=ax)
    return fig


@picture
def weights() -> Figure:
    """Receptive fields: what each neuron of a layer looks for in its input."""
    x = torch.linspace(-2, 2, 28)
    y = x.unsqueeze(1)
    angle = torch.linspace(0, 3.1416, 13)[:12].view(-1, 1, 1)
    across = x * angle.cos() + y * angle.sin()
    gabors = torch.cos(4 * across) * torch.exp(-(x**2) - y**2)
    return splt.weights(gabors.flatten(1), shape=(28, 28), dim=(3, 4)).figure


@picture
def weight_matrix() -> Figure:
    """All weights of a layer."""
    return splt.weights(nn.Linear(60, 20).weight).figure


@picture
def surrogate_gradients() -> Figure:
    """The derivatives that take the place of the spike's in the backward pass."""
    return splt.surrogate_gradients()[0].figure


@picture
def surrogate_gradients_on_one_axes() -> Figure:
    """How steepness decides how far from the threshold a neuron learns."""
    fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
    slopes = [surrogate.fast_sigmoid(slope=slope) for slope in (2, 5, 25)]
    splt.surrogate_gradients([*slopes, surrogate.atan()], ax)
    return fig


@picture
def firing_rates() -> Figure:
    """Silent and busy layers at a glance, each dot a neuron."""
    x = bars().flatten(1).unsqueeze(1)
    return splt.firing_rates(network(), x).figure


@picture
def energy() -> Figure:
    """What each layer costs, beside the same layers without spikes."""
    x = bars().flatten(1).unsqueeze(1)
    return splt.energy(snn.profile(network(), x)).figure


@picture
def summary() -> Figure:
    """A whole run in one figure: input, spikes of each layer, output membranes."""
    x = bars().flatten(1).unsqueeze(1)
    return splt.summary(network(), x)


class TwoBranches(nn.Module):
    """A net whose bypass and branches end in one layer of neurons."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(64, 32), snn.Leaky(beta=0.9)
        self.left, self.lif2 = nn.Linear(32, 32), snn.Synaptic(alpha=0.5, beta=0.9)
        self.right, self.lif3 = nn.Linear(32, 32), snn.RLeaky(beta=0.9, linear_features=32)
        self.fc2, self.lif4 = nn.Linear(32, 10), snn.Leaky(beta=0.9)

    def forward(self, x: Tensor) -> Tensor:
        """Run one time step."""
        spk, _ = self.lif1(self.fc1(x))
        left, _, _ = self.lif2(self.left(spk))
        right, _ = self.lif3(self.right(spk))
        return self.lif4(self.fc2(left + right + spk))[0]


@picture
def nir_graph() -> Figure:
    """A net with branches and feedback as a NIR graph: what a chip or another framework gets."""
    graph = export_to_nir(TwoBranches(), torch.rand(1, 64))
    column = {"input": 0}
    while len(column) < len(graph.nodes):
        for _, name in graph.edges:
            before = [a for a, b in graph.edges if b == name]
            if all(a in column for a in before):
                column[name] = 1 + max(column[a] for a in before)
    fig, ax = plt.subplots(figsize=(9, 2.4), layout="constrained")
    boxes = {}
    for name, node in graph.nodes.items():
        beside = [other for other in graph.nodes if column[other] == column[name]]
        place = (column[name], (len(beside) - 1) / 2 - beside.index(name))
        kind = type(node).__name__
        style = {
            "boxstyle": "round",
            "fc": "0.9" if kind in ("Input", "Output", "Affine") else "#9ecae1",
        }
        text = f"{name}\n{kind}" + ("\nwith feedback" if kind == "NIRGraph" else "")
        boxes[name] = ax.text(*place, text, ha="center", va="center", fontsize=9, bbox=style)
    for a, b in graph.edges:
        arrow = {"arrowstyle": "->", "patchA": boxes[a].get_bbox_patch()}
        arrow |= {"patchB": boxes[b].get_bbox_patch(), "shrinkA": 0, "shrinkB": 2}
        ax.annotate("", boxes[b].get_position(), boxes[a].get_position(), arrowprops=arrow)
    ax.set(xlim=(-0.5, max(column.values()) + 0.5), ylim=(-0.8, 0.8))
    ax.axis("off")
    return fig


def build(folder: str | Path) -> list[Path]:
    """Draw all pictures into a folder, and write ``pictures.rst`` that shows them.

    Returns:
        The pictures.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    page, files = [], []
    with splt.style():
        for draw in PICTURES:
            torch.manual_seed(0)
            drawn = draw()
            if isinstance(drawn, Animation):
                file = splt.save_animation(drawn, folder / f"{draw.__name__}.gif", dpi=120)
            else:
                file = folder / f"{draw.__name__}.png"
                drawn.savefig(file, dpi=120)
            plt.close("all")
            files.append(file)
            title = draw.__name__.replace("_", " ").capitalize()
            caption = getdoc(draw)
            page += [title, "-" * len(title), "", caption, ""]
            page += [f".. image:: {folder.name}/{file.name}", f"   :alt: {caption}", ""]
            page += [".. literalinclude:: gallery.py", f"   :pyobject: {draw.__name__}", ""]
    (folder / "pictures.rst").write_text("\n".join(page))
    return files


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw the pictures of the gallery page.")
    parser.add_argument("folder")
    for path in build(parser.parse_args().folder):
        print(path)
