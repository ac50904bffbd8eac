# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # From one neuron to a network over time
#
# The circuit of the last chapter has a resistance, a capacitance and a time step. A network has
# thousands of neurons and wants to be trained, so it needs fewer numbers that mean more. This
# chapter boils the circuit down to `snn.Leaky`, the neuron to start with, and puts layers of it
# behind `nn.Linear`.
#
# You will learn
#
# - how four physical parameters become one decay rate, $\beta$, and what a weight has to do with
#   it;
# - the kinds of reset of `snn.Leaky`;
# - how to run two layers through time, by a loop and by `snn.unroll`, and how to look inside;
# - why untrained networks are often silent, and that good weights can make sense without training.
#
# It runs for about 20 seconds. Read [the neuron](02_lif_neuron.ipynb) before it, and
# [encoding](01_spike_encoding.ipynb) if `spikegen` is new to you.

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn

import snntorch as snn
import snntorch.spikeplot as splt
from snntorch import spikegen, utils

DOWNLOAD = False  # True: the full MNIST (needs torchvision and a network)

plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "font.size": 9})
BLUE, RED, GREEN = "#0072B2", "#D55E00", "#009E73"
_ = torch.manual_seed(0)

# %% [markdown]
# ## One number: the decay rate
#
# Euler's step of the last chapter was
#
# $$U[t] = \Big(1 - \frac{\Delta t}{\tau}\Big)\,U[t-1] + \frac{\Delta t}{\tau}\,R\,I[t],$$
#
# with $t$ now counting steps. What matters for the memory of the neuron is the factor in front of
# the old value. Call it the **decay rate**
#
# $$\beta = 1 - \frac{\Delta t}{\tau} \approx e^{-\Delta t / \tau}.$$
#
# The exponential is what the exact solution keeps over one step; the two agree where
# $\Delta t \ll \tau$. From here on time has no unit but the step, so a $\beta$ is all there is to
# choose. After $1 / (1 - \beta)$ steps about a third ($1/e$) of a value is left.

# %%
beta = torch.linspace(0.3, 0.999, 300)
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
steps = torch.arange(40)
for value, color in ((0.5, GREEN), (0.9, BLUE), (0.97, RED)):
    left.plot(steps, value**steps, "o-", color=color, markersize=2, label=rf"$\beta$ = {value}")
left.axhline(1 / torch.e, color="gray", linestyle=":")
left.text(36, 1 / torch.e + 0.02, "$1/e$", color="gray")
left.set(xlabel="Time steps since an input", ylabel="What is left of it", title="Memory")
left.legend(frameon=False)
right.plot(beta, -1 / beta.log(), color=BLUE, label=r"exact, $\beta = e^{-1/\tau}$")
right.plot(beta, 1 / (1 - beta), "k:", label=r"Euler, $\beta = 1 - 1/\tau$")
right.set(yscale="log", xlabel=r"Decay rate $\beta$", ylabel=r"Time constant $\tau$ (steps)")
right.set_title("One is as good as the other")
_ = right.legend(frameon=False)

# %% [markdown]
# ## One more: the weight
#
# The factor in front of the input, $\frac{\Delta t}{\tau} R$, is a mere scale. In a network each
# input is multiplied by a *weight* $w$ anyway, which will be learned: it may as well contain that
# scale. With an input $x$ (a spike, or any number) and voltages in units of the threshold
# ($\theta = 1$), the whole neuron is
#
# $$U[t] = \underbrace{\beta\,U[t-1]}_\text{leak} + \underbrace{w\,x[t]}_\text{input}
# - \underbrace{R[t]\,\theta}_\text{reset}, \qquad
# S[t] = \begin{cases} 1 & \text{if } U[t] > \theta \\ 0 & \text{otherwise,} \end{cases}$$
#
# where $R[t] = 1$ if the neuron was above threshold at the step before, else 0. (From here on $R$
# is the reset; the resistance is gone.) In Python it is three lines:


# %%
def leaky_by_hand(x, mem, beta, threshold=1.0):
    reset = (mem > threshold).float()
    mem = beta * mem + x - reset * threshold
    return (mem > threshold).float(), mem


def run(step, inputs):
    """Call ``step(input, mem) -> spk, mem`` for each input; return spikes and membranes."""
    mem = torch.zeros(1)
    spikes, membranes = [], []
    for x in inputs:
        spk, mem = step(x.view(1), mem)
        spikes.append(spk)
        membranes.append(mem)
    return torch.cat(spikes), torch.cat(membranes)


# %% [markdown]
# `snn.Leaky` is that equation as a layer. And with the right numbers it is `snn.Lapicque` again:
# same circuit, other names.

# %%
current = torch.zeros(200)
current[10:] = 0.22

hand = run(lambda x, mem: leaky_by_hand(x, mem, beta=0.8), current)
leaky = run(snn.Leaky(beta=0.8), current)

tau, resistance, dt = 5.0, 2.0, 1.0  # 1 - dt/tau = 0.8
circuit = snn.Lapicque(R=resistance, C=tau / resistance, time_step=dt)
physical = run(circuit, current * tau / (dt * resistance))  # undo the scale of the input

print("by hand and snn.Leaky agree: ", torch.equal(hand[0], leaky[0]))
print("Lapicque and Leaky agree:    ", torch.equal(physical[0], leaky[0]))
same = float((physical[1] - leaky[1]).abs().max())
print(f"largest difference of voltages: {same:.1e}")


# %%
def show(axes, inputs, spikes, membrane, title):
    top, bottom = axes
    top.plot(inputs, color="gray")
    top.set(ylabel="Input", title=title)
    bottom.plot(membrane, color=BLUE)
    bottom.axhline(1, color=RED, linestyle="--", linewidth=1)
    (when,) = spikes.nonzero(as_tuple=True)
    bottom.plot(when, torch.full((len(when),), 1.25), "k|", markersize=9)
    bottom.set(xlabel="Time step", ylabel="Membrane (thresholds)", ylim=(-0.05, 1.35))


fig, axes = plt.subplots(
    2, 1, figsize=(8, 3.4), height_ratios=(1, 3), sharex=True, layout="constrained"
)
title = rf"snn.Leaky(beta=0.8), input 0.22: {int(leaky[0].sum())} spikes (black marks)"
show(axes, current, *leaky, title)

# %% [markdown]
# **Think about it.** Without the threshold, a constant input $x$ would bring the membrane to a
# fixed value. Which? And which is the smallest input that ever makes this neuron fire?
#
# <details><summary>Answer</summary>
#
# Nothing changes any more when $U = \beta U + x$, so $U = x / (1 - \beta)$. It has to exceed
# $\theta = 1$, so $x > 1 - \beta = 0.2$. The input of 0.22 above is just enough (0.22/0.2 = 1.1),
# and 0.19 would never be. The slower a neuron leaks, the weaker the inputs that it can add up to a
# spike.
#
# </details>
#
# ### Four resets
#
# Beside those of the last chapter, `"subtract"` (the default), `"zero"` and `"none"`, there is
# `"soft"`: it subtracts $\beta\theta$ in place of $\theta$. The threshold was exceeded one step
# ago, and leaks along with the membrane before it is taken off. What is left is exactly the excess,
# leaked once, so that a reset alone never ends below zero, as it can with `"subtract"`.

# %%
strong = torch.zeros(60)
strong[5:] = 0.45
fig, axes = plt.subplots(1, 4, figsize=(8, 2.6), sharey=True, layout="constrained")
for ax, kind in zip(axes, ("subtract", "soft", "zero", "none"), strict=True):
    spk, mem = run(snn.Leaky(beta=0.8, reset_mechanism=kind), strong)
    ax.plot(mem, ".-", color=BLUE, linewidth=0.8, markersize=3)
    ax.axhline(1, color=RED, linestyle="--", linewidth=1)
    ax.set(title=f"{kind}: {int(spk.sum())} spikes", xlabel="Time step")
_ = axes[0].set_ylabel("Membrane (thresholds)")

# %% [markdown]
# ## A layer
#
# A layer is no more than this on tensors: `nn.Linear` computes all weighted sums,
# $w_{1}x_1 + w_2 x_2 + \dots$ for each neuron, and `snn.Leaky` integrates them, one membrane per
# neuron and sample. It stands where a network would have its activation function, with one
# difference: it remembers. As that memory, `mem`, goes in and comes out, you decide when it
# starts anew.
#
# Data first: handwritten digits, flattened, with a random half kept for later.

# %%
if DOWNLOAD:
    from torchvision.datasets import MNIST

    data = utils.data_subset(MNIST("data", train=True, download=True), subset=30)
    pixels, labels = data.data.flatten(1) / 255, data.targets
else:
    from sklearn.datasets import load_digits

    raw = load_digits()
    pixels = torch.tensor(raw.data / 16, dtype=torch.float32)
    labels = torch.tensor(raw.target)

order = torch.randperm(len(pixels))
first, second = order[: len(order) // 2], order[len(order) // 2 :]
num_inputs = pixels.shape[1]
side = round(num_inputs**0.5)
print(f"{len(pixels)} images of {side} x {side} pixels")

# %% [markdown]
# The network: as many inputs as pixels, 100 hidden neurons, 10 outputs. PyTorch's default weights
# are meant for inputs of size one at every step; spikes are rare, so we start with larger ones.

# %%
num_hidden, num_outputs, num_steps, beta = 100, 10, 100, 0.9

fc1 = nn.Linear(num_inputs, num_hidden)
lif1 = snn.Leaky(beta=beta)
fc2 = nn.Linear(num_hidden, num_outputs)
lif2 = snn.Leaky(beta=beta)
with torch.no_grad():
    fc1.weight.mul_(3)
    fc2.weight.mul_(3)

spk_in = spikegen.rate(pixels[first[:1]], num_steps=num_steps, gain=0.5)
print("input (time, batch, features):", tuple(spk_in.shape))

# %% [markdown]
# ## The loop over time
#
# At each step: weigh the input spikes, integrate them in the hidden neurons, weigh *their*
# spikes, integrate these in the output neurons. `init_leaky()` returns an empty membrane that
# takes its shape from the first input.

# %%
mem1, mem2 = lif1.init_leaky(), lif2.init_leaky()
spk1_rec, spk2_rec, mem2_rec = [], [], []

with torch.no_grad():  # nothing is trained here
    for step in range(num_steps):
        cur1 = fc1(spk_in[step])
        spk1, mem1 = lif1(cur1, mem1)
        cur2 = fc2(spk1)
        spk2, mem2 = lif2(cur2, mem2)

        spk1_rec.append(spk1)
        spk2_rec.append(spk2)
        mem2_rec.append(mem2)

spk1_rec, spk2_rec, mem2_rec = (torch.stack(rec) for rec in (spk1_rec, spk2_rec, mem2_rec))
for name, rec in (("input", spk_in), ("hidden", spk1_rec), ("output", spk2_rec)):
    print(f"{name:6} {tuple(rec.shape)}: {100 * rec.mean():4.1f} % of neurons and steps fire")

# %%
fig, axes = plt.subplots(
    3, 1, figsize=(8, 5.5), height_ratios=(3, 4, 2), sharex=True, layout="constrained"
)
names = ("Input spikes", "Hidden layer", "Output layer")
for ax, name, rec in zip(axes, names, (spk_in, spk1_rec, spk2_rec), strict=True):
    splt.raster(rec[:, 0], ax)
    ax.set(title=name, xlabel="Time step" if ax is axes[-1] else "")

# %% [markdown]
# Some hidden neurons fire often, others never: with random weights that is luck, and none
# of it means anything yet. What happens below the threshold is visible in the membranes.
# `splt.traces` draws one panel per neuron, with the spikes as orange lines.

# %%
panels = splt.traces(mem2_rec[:, 0], spk=spk2_rec[:, 0], spk_height=2.0, threshold=1.0)
panels[0].figure.set_size_inches(8, 4.5)
for panel in panels[::3]:
    panel.set_ylabel("Membrane")

# %% [markdown]
# And `splt.spike_count` counts the spikes of the output neurons, which a classifier would take as
# its scores. It draws the final count, or an animation with `animate=True` (in a notebook shown
# by `HTML(anim.to_jshtml())`, with `from IPython.display import HTML`). Here are three moments:

# %%
fig, axes = plt.subplots(1, 3, figsize=(8, 3), layout="constrained")
for ax, steps in zip(axes, (25, 50, 100), strict=True):
    splt.spike_count(
        spk2_rec[:, 0], fig, ax, labels=[str(digit) for digit in range(10)], num_steps=steps
    )
_ = axes[0].set_ylabel("Output neuron")

# %% [markdown]
# ## Silent, alive, saturated
#
# How strong should weights be? Run the hidden layer on 100 images with its weights scaled up or
# down, for three decay rates, and look at how many of the neurons fire per step. Too small:
# silence, and layers behind a silent layer have no input at all. Too large: neurons fire at
# almost every step or never, and say nothing about time. The slower the leak (larger $\beta$),
# the smaller the weights that suffice.
#
# `lif.unroll(x)` runs the loop over the first dimension in one call.

# %%
inputs = spikegen.rate(pixels[first[:100]], num_steps=50, gain=0.5)
scales = torch.logspace(-1, 1.5, 16)
weight = torch.randn(num_hidden, num_inputs) / num_inputs**0.5
fig, ax = plt.subplots(figsize=(8, 3), layout="constrained")
for value, color in ((0.5, GREEN), (0.9, BLUE), (0.99, RED)):
    neurons = snn.Leaky(beta=value)
    rates = [float(neurons.unroll(scale * inputs @ weight.T)[0].mean()) for scale in scales]
    ax.plot(scales, rates, "o-", color=color, markersize=3, label=rf"$\beta$ = {value}")
ax.set(xscale="log", xlabel="Scale of the weights", ylabel="Spikes per neuron and step")
ax.set(title="Activity of an untrained layer")
_ = ax.legend(frameon=False)

# %% [markdown]
# **Think about it.** However large the weights, the curves stay near one half, not one. Why?
#
# <details><summary>Answer</summary>
#
# The weights are drawn around zero, so about half of the neurons get a negative sum from an image,
# and larger weights make that sum only more negative. These neurons never fire, for this image.
#
# </details>

# %% [markdown]
# ## Weights that mean something
#
# A weight vector is a *template*: the neuron charges most when spikes arrive where its weights
# are positive. So take the mean image of each class as template, minus the mean of all images
# (what all digits have in common tells nothing):
#
# $$w_c = g\,(m_c - m), \qquad
# b_c = -g\,\Big((m_c - m)\cdot m + \tfrac12 \lVert m_c - m\rVert^2\Big),$$
#
# with $m_c$ the mean of class $c$, $m$ the mean of all, and $g$ a gain. The bias $b_c$ makes the
# weighted sum largest for the class whose mean is *closest* to the image. Only the first half of
# the images is used for it. Nothing is trained.

# %%
gain = 0.5
mean = pixels[first].mean(0)
means = torch.stack([pixels[first][labels[first] == c].mean(0) for c in range(10)])
classifier = nn.Sequential(
    nn.Linear(num_inputs, 10),
    snn.Leaky(beta=0.95, init_hidden=True, output=True),
)
with torch.no_grad():
    template = means - mean
    classifier[0].weight.copy_(gain * template)
    classifier[0].bias.copy_(-gain * (template @ mean + template.square().sum(1) / 2))

grid = splt.weights(classifier[0].weight, shape=(side, side), dim=(2, 5))
grid.figure.set_size_inches(8, 3.2)
_ = grid.figure.suptitle("The weights of ten output neurons: red charges, blue discharges")

# %% [markdown]
# This is also the short way to write a network: with `init_hidden=True` neurons keep their
# membrane themselves and fit into `nn.Sequential`; `output=True` makes the last one return its
# membrane, too. Two rules come with it: reset the states before each new batch
# (`utils.reset(net)`), and let the loop call the net once per step.
#
# `snn.unroll(net, x)` is that loop, layer by layer over all of time, and therefore much faster
# ([going fast](21_going_fast.ipynb) has numbers).

# %%
spk_in = spikegen.rate(pixels[second], num_steps=50)
with torch.no_grad():
    utils.reset(classifier)
    looped = torch.stack([classifier(step)[0] for step in spk_in])
    utils.reset(classifier)
    spk_out, mem_out = snn.unroll(classifier, spk_in)
equal = float((looped == spk_out).float().mean())
print(f"loop and unroll agree on {100 * equal:.3f} % of all spikes")

counts = spk_out.sum(0)
right = (counts.argmax(1) == labels[second]) & (counts.sum(1) > 0)  # silence is no answer
accuracy = float(right.float().mean())
print(f"spikes per image: {counts.sum(1).mean():.1f}, accuracy {100 * accuracy:.1f} %")

# %% [markdown]
# `splt.summary` shows a whole run at once: rasters, rates and output membranes. Here for one
# image; the neuron of its class should fire.

# %%
utils.reset(classifier)
fig = splt.summary(classifier, spk_in[:, :1])
fig.set_size_inches(8, 5)
print(f"the image is a {labels[second[0]]}, the output neurons fire {counts[0].int().tolist()}")

# %% [markdown]
# A net that reads spikes may decide early. The longer it listens, the more often it is right:

# %%
so_far = spk_out.cumsum(0)
silent = so_far.sum(2) == 0
decided = (so_far.argmax(2) == labels[second]) & ~silent
fig, ax = plt.subplots(figsize=(8, 3), layout="constrained")
ax.plot(range(1, 51), 100 * decided.float().mean(1), color=BLUE, label="right")
ax.plot(range(1, 51), 100 * silent.float().mean(1), color="gray", label="no spike yet")
ax.set(xlabel="Time steps listened to", ylabel="Images (%)", title="Ten templates, no training")
_ = ax.legend(frameon=False)

# %% [markdown]
# **Try it.** Give the templates a $\beta$ of 0.5 and of 1, and gains from 0.1 to 2. Which
# combinations are silent, which are accurate, and which use the fewest spikes for it?

# %% [markdown]
# ## What we found

# %%
assert torch.equal(hand[0], leaky[0])
assert torch.equal(physical[0], leaky[0])
assert equal > 0.999
assert accuracy > 0.84  # 88.2 % when written, up to 89.8 % with other seeds
print(f"ten spiking templates read {100 * accuracy:.1f} % of held-out digits without training")

# %% [markdown]
# ## Read next
#
# - [Training](05_training.ipynb): let gradients find the weights. You can go there right away.
# - [Second-order neurons](04_second_order_neurons.ipynb): neurons whose input takes time to arrive.
#
# Sources
#
# - W. Gerstner, W. M. Kistler, "Spiking Neuron Models", Cambridge University Press, 2002.
# - J. K. Eshraghian et al., "Training Spiking Neural Networks Using Lessons From Deep Learning",
#   Proceedings of the IEEE, 2023.
