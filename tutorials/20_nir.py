# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # To chips and other simulators: NIR
#
# A trained network is of use where it runs: on a neuromorphic chip, or in the simulator of
# somebody else. The Neuromorphic Intermediate Representation (NIR) is how networks get there: a
# graph of nodes, each of which stands for a differential equation rather than for code. This
# chapter trains a network, writes it as such a graph, reads it back, and looks at what may change
# on the way.
#
# You will learn
#
# - how `export_to_nir` and `import_from_nir` take a network to a file and back, with equal spikes,
# - what a neuron of time steps is as a differential equation, and what the time step has to do
#   with it,
# - how `snn.nir.report` says in advance what others will not understand,
# - what is left of the accuracy on hardware whose weights have few bits.
#
# It runs in a quarter of a minute. Read [training](05_training.ipynb) first; NIR comes with `pip
# install 'snntorch[nir]'`.

# %%
import copy
from pathlib import Path

import matplotlib.pyplot as plt
import nir
import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import snntorch as snn
import snntorch.functional as SF
from snntorch import backprop, surrogate, utils
from snntorch.export_nir import export_to_nir
from snntorch.import_nir import import_from_nir

DOWNLOAD = False  # True: the full MNIST (needs torchvision and a network)

_ = torch.manual_seed(0)

# %%
if DOWNLOAD:
    from torchvision.datasets import MNIST

    parts = [MNIST("data", train=train, download=True) for train in (True, False)]
    images = torch.cat([part.data for part in parts]).flatten(1) / 255
    labels = torch.cat([part.targets for part in parts])
else:
    digits = load_digits()
    order = torch.randperm(len(digits.target))
    images = torch.tensor(digits.data, dtype=torch.float32)[order] / 16
    labels = torch.tensor(digits.target)[order]
held_out = 10_000 if DOWNLOAD else 360  # MNIST's own test images are its last 10,000
train_set = TensorDataset(images[:-held_out], labels[:-held_out])
test_x, test_y = images[-held_out:], labels[-held_out:]
train_loader = DataLoader(train_set, batch_size=64, shuffle=True)

# %% [markdown]
# ## A network for chips
#
# With the membrane $U$, input $I$, decay rate $\beta$ and threshold $\theta$, one time step of a
# leaky neuron is
#
# $$U[t+1] = \beta\, U[t] + I[t+1], \qquad S[t+1] = 1 \text{ if } U[t+1] > \theta$$
#
# and a reset. `Leaky` subtracts the threshold one step after the spike. In NIR, as on most chips,
# a neuron that fires is set to zero, at once. A network for a chip is best trained with what the
# chip does:

# %%
num_steps = 25
spike_grad = surrogate.fast_sigmoid(slope=10)
chip = {"reset_mechanism": "zero", "reset_delay": False}


def build(**reset):
    torch.manual_seed(0)
    neurons = {"beta": 0.9, "spike_grad": spike_grad, "init_hidden": True, **reset}
    return nn.Sequential(
        nn.Linear(images.shape[1], 100),
        snn.Leaky(**neurons),
        nn.Linear(100, 10),
        snn.Leaky(**neurons, output=True),
    )


def run(net, x):
    """Return the output spikes (time steps, images, classes)."""
    utils.reset(net)
    with torch.no_grad():
        return snn.unroll(net, x, num_steps, record="spk")


def accuracy(net):
    return SF.accuracy_rate(run(net, test_x), test_y)


def train(net, epochs=10):
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    loss_fn = SF.ce_count_loss()
    for _ in range(epochs):
        backprop.BPTT(net, train_loader, optimizer, loss_fn, num_steps=num_steps, time_var=False)
    return net


net = train(build(**chip))
print(f"test accuracy {100 * accuracy(net):.1f} %")

# %% [markdown]
# ## To NIR
#
# A chip knows of no time steps of ours; it has capacitors, or counters with a clock of their own.
# So NIR says what a membrane *is*: the voltage $v$ of a leaky integrator,
#
# $$\tau\, \frac{dv}{dt} = v_{leak} - v + r\, I$$
#
# with the time constant $\tau$, after which about a third of a charge is left, the resistance $r$
# and the voltage $v_{leak}$ at rest. Our step is what Euler's method makes of it: go for a short
# time $\Delta t$ in the direction of the derivative,
#
# $$v \leftarrow v + \Delta t\,\frac{dv}{dt}
# = \left(1 - \frac{\Delta t}{\tau}\right) v + \frac{r\,\Delta t}{\tau}\, I .$$
#
# Compare this with the step above: $\beta = 1 - \Delta t / \tau$, and an input of 1 adds 1 if $r =
# \tau/\Delta t$. So `dt`, the length of a step in seconds, is what we have to decide: 1 ms here.
# `export_to_nir` runs one time step on sample data to see what leads where.

# %%
graph = export_to_nir(net, test_x[:1], dt=1e-3)
nir.write("digits.nir", graph)

lif = graph.nodes["1"]
print(f"digits.nir has {Path('digits.nir').stat().st_size / 1000:.0f} kB")
print("nodes:", {name: type(node).__name__ for name, node in graph.nodes.items()})
print("edges:", graph.edges)
print(f"tau = {1000 * lif.tau[0]:.1f} ms, r = {lif.r[0]:.1f}, threshold = {lif.v_threshold[0]:.1f}")

# %% [markdown]
# **Think about it.** The same network is exported with `dt=1e-4`. What changes in the file, and
# what in the spikes of a chip that takes the equation at its word?
#
# <details><summary>Answer</summary>
#
# $\tau = \Delta t / (1 - \beta)$ becomes 1 ms instead of 10 ms; weights, threshold and $r$ stay.
# If the chip gets its inputs ten times as fast, too, it does the same as before, ten times as
# fast. If they come at their old pace, each one has long leaked away when the next one arrives,
# and hardly any neuron reaches its threshold. The time step belongs to the network as much as its
# weights do.
#
# </details>
#
# ## What others will not understand
#
# The report lists each node, what it is here, and what another program will do otherwise. For our
# network there is nothing to say. The usual reset is another matter:

# %%
print(snn.nir.report(graph))
usual = train(build())
print(snn.nir.report(export_to_nir(usual, test_x[:1], dt=1e-3)))

# %% [markdown]
# *Metadata* are notes on a node that only this package reads; with them the neuron comes back as
# it was. Others follow the equation, which resets to zero. What that means for the network is
# easily tried: take the notes away, and import what a stranger would see.

# %%


def elsewhere(net):
    """Return the network as those see it who know nothing but NIR."""
    graph = export_to_nir(net, test_x[:1], dt=1e-3)
    for node in graph.nodes.values():
        node.metadata.clear()
    return import_from_nir(graph, dt=1e-3)


shares = {
    "made for chips": (accuracy(net), accuracy(elsewhere(net))),
    "usual reset": (accuracy(usual), accuracy(elsewhere(usual))),
}
for name, (here, there) in shares.items():
    print(f"{name:15} {100 * here:5.1f} % here, {100 * there:5.1f} % where only NIR is read")

# %% [markdown]
# The graph that was written for chips loses nothing. The other one fires differently, and it is
# left to luck how much that matters for its answers. Some things are refused outright, as NIR has
# no words for them, and the error says so:

# %%
try:
    export_to_nir(nn.Sequential(nn.Linear(4, 2), nn.GELU()), torch.rand(1, 4))
except ValueError as error:
    print(error)

# %% [markdown]
# ## And back
#
# From the file to a network again. It is one as any other, with layers to train further:

# %%
back = import_from_nir("digits.nir")
print(back)
here, there = run(net, test_x), run(back, test_x)
print(f"{int(here.sum())} spikes here, {int(there.sum())} there, equal: {torch.equal(here, there)}")

# %% [markdown]
# A stranger's graph has no notes, and its numbers need not be ours. Here is one written by hand,
# as another simulator might: three neurons that share their input, with a time constant each.


# %%
def drive(net, x):
    """Return the spikes of a net for input (time steps, 1, neurons)."""
    utils.reset(net)
    return snn.unroll(net, x)[:, 0].detach()


ones = np.ones(3, np.float32)
tau = np.array([0.005, 0.02, 0.08], np.float32)
strange = nir.NIRGraph.from_list(
    nir.Linear(np.ones((3, 1), np.float32)),
    nir.LIF(tau=tau, r=20 * ones, v_leak=0 * ones, v_threshold=10 * ones),
)
print(snn.nir.report(strange, dt=1e-3))

# %% [markdown]
# Nothing in that graph says how long a step is: `dt=` has to. The finer it is, the closer Euler's
# method comes to the equation, which for a constant input has a solution to compare with: a neuron
# that starts from zero reaches its threshold $\theta$ after
#
# $$T = \tau \ln \frac{r I}{r I - \theta} .$$

# %%
exact = 1000 * tau * np.log(20 / (20 - 10))  # milliseconds
steps = [4e-3, 2e-3, 1e-3, 5e-4, 2e-4, 1e-4, 5e-5]
intervals = []
for dt in steps:
    spikes = drive(import_from_nir(strange, dt=dt), torch.ones(int(0.6 / dt), 1, 1))
    intervals.append(
        [1000 * dt * np.diff(np.nonzero(fired)[0]).mean() for fired in spikes.numpy().T]
    )

off = 100 * (np.array(intervals) / exact - 1)
fig, ax = plt.subplots(figsize=(8, 3.2), layout="constrained")
ax.axhline(0, color="k", ls=":", label="the exact solution")
for neuron in range(3):
    name = f"$\\tau$ = {1000 * tau[neuron]:.0f} ms, one spike per {exact[neuron]:.1f} ms"
    ax.plot(1000 * np.array(steps), off[:, neuron], "o-", label=name)
ax.set(xscale="log", xlabel="length of a time step (ms)", ylabel="interval off by (%)")
ax.set_xticks(1000 * np.array(steps), [f"{1000 * dt:g}" for dt in steps])
ax.minorticks_off()
_ = ax.legend()

# %% [markdown]
# With short steps all three come to the solution; with long ones the fast neuron is far off, as it
# can fire at whole steps only. A chip that solves the equation by physics corresponds to the left
# end of the plot. In our digits network a step is a tenth of $\tau$, so on such a chip it would
# fire a little differently than here.
#
# **Think about it.** `import_from_nir(strange, dt=6e-3)` raises an error. Which number would be
# meaningless?
#
# <details><summary>Answer</summary>
#
# The decay rate of the first neuron, $1 - \Delta t/\tau = 1 - 6/5$, is negative: its membrane
# would change sign at each step. Euler's method needs steps shorter than the fastest time
# constant.
#
# </details>
#
# ## Weights of few bits
#
# Chips store weights as integers of 8 bits or fewer. NIR is a good place to try what that does:
# the graph holds plain NumPy arrays. Each layer's weights are rounded to multiples of one number,
# so that the largest one fits into $b$ bits:
#
# $$w_q = s \,\mathrm{round}\!\left(\frac{w}{s}\right), \qquad
# s = \frac{\max |w|}{2^{b-1} - 1}$$


# %%
def quantized(graph, bits):
    """Return a copy of a graph with weights that are whole multiples of one number per layer."""
    graph = copy.deepcopy(graph)
    for node in graph.nodes.values():
        if isinstance(node, nir.Affine):
            scale = np.abs(node.weight).max() / (2 ** (bits - 1) - 1)
            node.weight = scale * np.round(node.weight / scale)
    return graph


bits = [8, 6, 5, 4, 3, 2]
by_bits = [100 * accuracy(import_from_nir(quantized(graph, b))) for b in bits]

# %%
fig, ax = plt.subplots(figsize=(8, 3), layout="constrained")
ax.plot(bits, by_bits, "o-", label="rounded after training")
ax.axhline(100 * accuracy(net), color="k", ls=":", label="32-bit floating point")
ax.set(xlabel="bits per weight", ylabel="test accuracy (%)", ylim=(0, 102))
ax.invert_xaxis()
_ = ax.legend(loc="lower left")

# %% [markdown]
# Eight bits are as good as 32 here; with very few, the network has to be trained for it, which
# [quantization](15_quantization.ipynb) is about. A chip quantizes membranes, too, and may clip
# them; quantizers of a neuron's state (`state_quant=`) are known to this package alone, and
# refused by the export. Rounded weights go into the graph as above.
#
# ## Other simulators
#
# The documentation of NIR lists who reads it. Not everyone reads all of it: we exchanged two
# layers of neurons with four other packages in both directions, and some leave out $r$, take
# decays of $e^{-\Delta t/\tau}$ instead of Euler's, or subtract at a reset. `docs/nir.rst` has the
# table of what was equal and what was not, with the reason for each. After an export, run the same
# input here and there and compare the spikes before you trust an accuracy.
#
# **Try it.** Replace the second neuron by `snn.Synaptic(alpha=0.5, **neurons, output=True)`, or
# put `snn.RLeaky(linear_features=100, **neurons)` in place of the first. What are their nodes, and
# what does the report say?

# %%
same = torch.equal(here, there)
print(f"test accuracy {100 * accuracy(back):.1f} % after NIR and back, spikes equal: {same}")
assert same
assert accuracy(net) == accuracy(back) > 0.92  # 96.9 % when written
assert abs(shares["made for chips"][0] - shares["made for chips"][1]) < 0.01
assert by_bits[0] > 100 * accuracy(net) - 2
assert np.allclose(intervals[-1], exact, rtol=0.03)

# %% [markdown]
# ## What to read next
#
# - [Quantization](15_quantization.ipynb): training with few bits.
# - [Second order neurons](04_second_order_neurons.ipynb), `Synaptic` among them, which NIR calls
#   CubaLIF.
# - [IPUs](23_ipu.ipynb): another way to other hardware.
#
# The source is
#
# - J. E. Pedersen and others. Neuromorphic Intermediate Representation: A Unified Instruction Set
#   for Interoperable Brain-Inspired Computing. Nature Communications, 2024.
