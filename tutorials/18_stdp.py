# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Learning without labels: spike-timing-dependent plasticity
#
# So far a loss told every weight what to do. Synapses in a brain see no loss. What they can see is
# when the neuron before them fires and when the neuron behind them does. In this chapter you will
#
# - measure the rule that turns those two times into a weight change, with pairs of spikes,
# - watch a single neuron learn to respond to the beginning of a pattern,
# - let 100 neurons compete for handwritten digits and grow pictures of them, without labels,
# - find out afterwards what each neuron has specialized in, and how well they tell digits apart.
#
# It runs for about 20 seconds on one core. Read [spike encoding](01_spike_encoding.ipynb) and
# [the LIF neuron](02_lif_neuron.ipynb) before; nothing here needs backpropagation.

# %%
import warnings

import matplotlib.pyplot as plt
import torch
from torch import nn

import snntorch as snn
import snntorch.spikeplot as splt
from snntorch.functional.stdp_learner import STDPLearner, stdp_linear_single_step

DOWNLOAD = False  # True: the full MNIST (needs torchvision and a network)
torch.manual_seed(0)
torch.set_grad_enabled(False)  # no gradient in the whole chapter
plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False}

# %% [markdown]
# ## The rule
#
# If the neuron before a synapse (*presynaptic*) fires shortly **before** the neuron behind it
# (*postsynaptic*), it may have helped to make it fire, and the synapse is strengthened. If it fires
# shortly **after**, it came too late to matter, and the synapse is weakened. This is
# spike-timing-dependent plasticity, STDP.
#
# Nobody needs to store spike times for that. Each side keeps a *trace*, a number that jumps by one
# at every own spike and decays in between. With the spikes $S_p$ and $S_q$ (0 or 1) of the
# presynaptic and the postsynaptic neuron,
#
# $$p[t] = \Bigl(1 - \frac{1}{\tau_p}\Bigr)\, p[t-1] + S_p[t], \qquad
# q[t] = \Bigl(1 - \frac{1}{\tau_q}\Bigr)\, q[t-1] + S_q[t],$$
#
# where $\tau_p$ and $\tau_q$ say for how many steps a spike is remembered. When one side fires, it
# reads the trace of the other side:
#
# $$\Delta w[t] = f_\mathrm{post}(w)\, S_q[t]\, p[t] - f_\mathrm{pre}(w)\, q[t]\, S_p[t].$$
#
# The functions $f_\mathrm{post}$ and $f_\mathrm{pre}$ set how much a spike strengthens or weakens;
# they may depend on the weight. `stdp_linear_single_step` computes one time step for a dense layer.
#
# ## The window, measured
#
# Physiologists measure the rule with pairs: they make one neuron fire, after a delay the other
# one, and look at what the synapse did. We do the same with one synapse, delay by delay.

# %%
synapse = nn.Linear(1, 1, bias=False)
tau_pre, tau_post = 10.0, 20.0
strengthen, weaken = 0.10, 0.06


def change_by_pair(delay, num_steps=81):
    """Fire the input in the middle and the output `delay` steps later; return the change."""
    pre_spikes, post_spikes = torch.zeros(2, num_steps, 1, 1)
    pre_spikes[num_steps // 2] = 1
    post_spikes[num_steps // 2 + delay] = 1
    traces, total = (None, None), 0.0
    for pre, post in zip(pre_spikes, post_spikes, strict=True):
        *traces, change = stdp_linear_single_step(
            synapse, pre, post, *traces, tau_pre, tau_post, lambda w: weaken, lambda w: strengthen
        )
        total += change.item()
    return total


delays = torch.arange(-40, 41)
window = torch.tensor([change_by_pair(int(delay)) for delay in delays])

# %% [markdown]
# A trace is $(1 - 1/\tau)^{d}$ high $d$ steps after its spike, so the window should consist of two
# exponentials. At delay 0 both terms contribute.

# %%
later, earlier = delays >= 0, delays <= 0
theory = later * strengthen * (1 - 1 / tau_pre) ** delays.clamp(min=0)
theory = theory - earlier * weaken * (1 - 1 / tau_post) ** (-delays).clamp(min=0)

fig, ax = plt.subplots(figsize=(8, 3), layout="constrained")
ax.plot(delays, theory, color="0.7", lw=4, label="closed form")
ax.plot(delays, window, ".", ms=4, label="measured with pairs")
ax.axhline(0, color="0.5", lw=0.8)
ax.axvline(0, color="0.5", lw=0.8)
ax.set(xlabel="output spike minus input spike (time steps)", ylabel="weight change")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# **Think about it.** Two neurons fire at random, without any relation to each other. Does a synapse
# with this window grow or shrink on average?
#
# <details><summary>Answer</summary>
#
# Without a relation all delays are equally frequent, so the area under the window decides. The sum
# of a geometric series is $\sum_d (1 - 1/\tau)^d = \tau$. So the area on the right is
# $0.10 \cdot 10 = 1.0$ and on the left $0.06 \cdot 20 = 1.2$: the synapse shrinks slowly. Only
# inputs that predict the output better than chance survive. The weaker but longer left side
# cleans up.
#
# </details>
#
# ## One neuron finds the beginning
#
# 40 inputs fire one after another, in the same order in every trial. At first all weights are equal
# and the neuron needs many inputs until it fires. `STDPLearner` watches a layer and the neurons
# behind it while they run, and turns what it saw into a weight change. With `on_grad=True`, the
# default, the change is left in `weight.grad`, with the sign with which an ordinary optimizer
# *adds* it. So learning rates, momentum and schedules work as always.

# %%
num_inputs = 40
pattern = torch.eye(num_inputs).unsqueeze(1)  # input i fires at step i: (time, batch, inputs)

fc = nn.Linear(num_inputs, 1, bias=False)
nn.init.constant_(fc.weight, 0.2)
lif = snn.Leaky(beta=0.95, threshold=2.0, reset_mechanism="zero")
learner = STDPLearner(
    fc, lif, tau_pre=8.0, tau_post=8.0, f_pre=lambda w: w, f_post=lambda w: 0.5 - w
)
optimizer = torch.optim.SGD(fc.parameters(), lr=0.1)

first_spikes, weights = [], [fc.weight.clone()]
for _ in range(60):
    learner.reset()
    mem, fired = lif.init_leaky(), []
    for step in range(num_inputs):
        spk, mem = lif(fc(pattern[step]), mem)
        fired.append(spk.item())
    first_spikes.append(fired.index(1.0))
    optimizer.zero_grad()
    learner.step()
    optimizer.step()
    weights.append(fc.weight.clone())

# %% [markdown]
# Two details keep the weights in range, without any clamp. `f_post` is $0.5 - w$: the closer a
# weight is to 0.5, the less it grows. `f_pre` is $w$: the smaller a weight, the less it shrinks.

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
image = left.imshow(torch.cat(weights).T, aspect="auto", origin="lower", cmap="viridis")
left.plot(first_spikes, color="white", lw=1.5)
left.set(xlabel="trial", ylabel="input (fires at this step)", title="white: first output spike")
fig.colorbar(image, ax=left, label="weight")
right.plot(first_spikes)
right.set(xlabel="trial", ylabel="first output spike (time step)", ylim=(0, None))
right.set_title("the pattern is recognized earlier")
plt.show()

# %% [markdown]
# The inputs just before the output spike grow. So the neuron fires a little earlier, and now inputs
# still earlier are the ones just before. Step by step the neuron slides towards the beginning of
# the pattern: it has learned to *predict* it. (The two paler bands further up belong to a
# second and a third output spike in the same trial, for which the rule does the same.)
#
# ## Many neurons compete
#
# One neuron learns one pattern. For ten kinds of digits we need many neurons, and something that
# keeps them from all learning the same. The ingredients are:
#
# 1. **Latency code.** The brighter a pixel, the earlier its input neuron fires. A second set of
#    inputs does the same for darkness, as the *off* cells of the eye do. So the most certain
#    pixels, both white and black, speak first.
# 2. **The winner takes all.** The first neuron to fire silences the others until the next image.
#    Only the winner has an output spike, so only the winner learns.
# 3. **Limited resources.** The weights of a neuron always have the length 1, as vectors. A synapse
#    can only grow at the cost of the others.
# 4. **Homeostasis.** A neuron that wins often gets a higher threshold, one that wins rarely a lower
#    one. So everybody gets a share.

# %%
if DOWNLOAD:
    from torchvision.datasets import MNIST

    parts = [MNIST("data", train=train, download=True) for train in (True, False)]
    images = torch.cat([part.data for part in parts]) / 255
    labels = torch.cat([part.targets for part in parts])
    images, labels = images[-12000:], labels[-12000:]
else:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images, labels = torch.tensor(digits.images).float() / 16, torch.tensor(digits.target)

side = images.shape[-1]
order = torch.randperm(len(images))
images, labels = images[order].flatten(1), labels[order]
num_test = len(images) // 5
train_images, test_images = images[num_test:], images[:num_test]
train_labels, test_labels = labels[num_test:], labels[:num_test]

# %%
num_steps = 16


def encode(images):
    """Let every pixel fire once: early for bright, and the other way round for dark."""
    brightness = torch.cat([images, 1 - images], dim=1)
    times = ((1 - brightness) * (num_steps - 1)).round().long()
    spikes = torch.zeros(num_steps, *brightness.shape)
    return spikes.scatter_(0, times.unsqueeze(0), 1.0)


train_spikes, test_spikes = encode(train_images), encode(test_images)

fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), width_ratios=[1, 2], layout="constrained")
left.imshow(train_images[0].view(side, side), cmap="gray")
left.set(xlabel="column (pixels)", ylabel="row (pixels)", title=f"a {train_labels[0]}")
splt.raster(train_spikes[:, 0], right)
right.axhline(side**2 - 0.5, color="C1", lw=1)
right.set(xlabel="time step", ylabel="input neuron", title='below the line "on", above it "off"')
plt.show()

# %% [markdown]
# `inhibition=True` lets only the neuron that is farthest above its threshold fire in a time step.
# For the steps that follow, whoever has fired sends all neurons a strong negative current.

# %%
warnings.filterwarnings("ignore", message=".*inhibition is meant for dense layers")  # ours is one

num_neurons = 100
scale = side / 8  # larger images have more pixels to charge the membrane
fc = nn.Linear(2 * side**2, num_neurons, bias=False)
nn.init.uniform_(fc.weight, 0, 1)
fc.weight /= fc.weight.norm(dim=1, keepdim=True)
lif = snn.Leaky(beta=1.0, threshold=torch.full((num_neurons,), 6.0 * scale), inhibition=True)
learner = STDPLearner(
    fc, lif, tau_pre=20.0, tau_post=20.0, f_pre=lambda w: 1.0, f_post=lambda w: 1.0
)


def compete(spikes):
    mem, silenced, record = lif.init_leaky(), 0.0, []
    for step in range(num_steps):
        spk, mem = lif(fc(spikes[step]) - 1000 * silenced, mem)
        silenced = silenced + spk.sum(1, keepdim=True)
        record.append(spk)
    return torch.stack(record)  # (time, batch, neurons)


# %% [markdown]
# Now the training. No label appears in it, and no gradient. `on_grad=False` returns the change of
# the weights, summed over a small batch of images, and we apply it ourselves.

# %%
epochs, batch_size = 6, 10
snapshots = [fc.weight.clone()]
for epoch in range(epochs):
    cooling = 1 - epoch / epochs
    for chosen in torch.randperm(len(train_images)).split(batch_size):
        learner.reset()
        wins = compete(train_spikes[:, chosen]).sum((0, 1))
        fc.weight += 0.05 * cooling * learner.step(on_grad=False)
        fc.weight.clamp_(min=0)
        fc.weight /= fc.weight.norm(dim=1, keepdim=True)
        lif.threshold += 0.2 * scale * cooling * (wins - len(chosen) / num_neurons)
    snapshots.append(fc.weight.clone())
learner.disable()

# %% [markdown]
# What has each neuron become? Its weights from the *on* inputs minus those from the *off* inputs
# are an image: its **receptive field**. Red pixels have to be bright, blue ones dark.

# %%
fig, axes = plt.subplots(1, 2, figsize=(8, 3), width_ratios=[1, 2], layout="constrained")
for ax, snapshot, columns in zip(axes, (snapshots[0], snapshots[-1]), (5, 10), strict=True):
    on, off = snapshot[: 5 * columns].chunk(2, dim=1)
    splt.weights(on - off, ax, shape=(side, side), dim=(5, columns), colorbar=False)
axes[0].set_title("25 neurons before learning")
axes[1].set_title("50 neurons after learning")
plt.show()

# %% [markdown]
# Digits, found by nothing but the order of spikes. Many neurons share a digit, and each of them has
# found its own way of writing it.
#
# **Think about it.** Which of the four ingredients do you have to thank for the fact that not all
# 100 fields look the same? And what would happen without homeostasis?
#
# <details><summary>Answer</summary>
#
# The competition: whoever wins moves towards the image that it has won, so that it will win similar
# images even more easily and different ones less so. The small random differences at the start
# decide who gets what. Without homeostasis the first winners are so much better than their
# untrained rivals that they win nearly everything; the other neurons never fire, and never learn.
#
# </details>
#
# ## What has it learned?
#
# Now, and only now, come the labels. Each neuron is named after the digit for which it wins most
# often in the *training* images. Then the *test* images are classified by the name of the winner.

# %%
wins = compete(train_spikes).sum(0)
per_digit = torch.stack([wins[train_labels == digit].mean(0) for digit in range(10)])
names = per_digit.argmax(0)

test_wins = compete(test_spikes)
winners = test_wins.sum(0).argmax(1)
accuracy = (names[winners] == test_labels).float().mean().item()
print(f"neurons per digit: {names.bincount(minlength=10).tolist()}")
print(f"test images without a winner: {(test_wins.sum((0, 2)) == 0).sum().item()}")

# %%
confusion = torch.zeros(10, 10)
for truth, guess in zip(test_labels, names[winners], strict=True):
    confusion[truth, guess] += 1
decision = test_wins.sum(2).argmax(0)

fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.3), layout="constrained")
image = left.imshow(confusion, cmap="Blues")
left.set(xlabel="name of the winner", ylabel="digit", xticks=range(10), yticks=range(10))
fig.colorbar(image, ax=left, label="test images")
right.hist(decision.numpy(), bins=torch.arange(-0.5, num_steps).numpy(), color="C1", rwidth=0.8)
right.set(xlabel="time step of the decision", ylabel="test images", xticks=range(0, 16, 3))
plt.show()

# %% [markdown]
# The decision falls as soon as the winner's threshold is reached, mostly before the last input has
# arrived, and costs a single output spike per image.
#
# How good is that? Guessing gives 10 %. A supervised net reaches more than 95 % on the same images,
# see [training](05_training.ipynb), but needs a label for every one of them. Here labels were only
# used to name 100 neurons.

# %%
matches = torch.allclose(window, theory, atol=1e-6)
print(
    f"window as in the closed form: {matches}; the pattern is recognized at step "
    f"{first_spikes[-1]} instead of {first_spikes[0]}; test accuracy without labels in the "
    f"training {100 * accuracy:.1f} %"
)
assert matches
assert first_spikes[-1] < first_spikes[0]
assert accuracy > 0.8  # 85.0 % when written

# %% [markdown]
# **Try it.** Name the neurons with fewer labels: use only the first 100 training images for
# `per_digit`. How much accuracy is lost? Then try 30 or 300 neurons; the thresholds can stay as
# they are.
#
# Read next: [forward-forward learning](19_forward_forward.ipynb), which is local, too, but is told
# what is right. STDP with a reward, for which `mstdp_linear_single_step` is made, lies between.
#
# Sources
#
# - G. Bi, M. Poo. Synaptic modifications in cultured hippocampal neurons: dependence on spike
#   timing, synaptic strength, and postsynaptic cell type. Journal of Neuroscience 18(24), 1998.
# - S. Song, K. D. Miller, L. F. Abbott. Competitive Hebbian learning through
#   spike-timing-dependent synaptic plasticity. Nature Neuroscience 3, 2000.
# - A. Morrison, M. Diesmann, W. Gerstner. Phenomenological models of synaptic plasticity based on
#   spike timing. Biological Cybernetics 98, 2008.
# - P. U. Diehl, M. Cook. Unsupervised learning of digit recognition using spike-timing-dependent
#   plasticity. Frontiers in Computational Neuroscience 9, 2015.
