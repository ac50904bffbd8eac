# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Population coding
#
# A neuron that answers by how often it fires needs time to do so. Animals react faster than a
# single neuron of theirs could count to three. One way out: many neurons answer the same question,
# and their spikes are counted together.
#
# You will learn
#
# - how neurons and time steps are exchanged for each other when spikes are counted,
# - how to give each class several output neurons, in the loss and in the accuracy,
# - how far one single time step gets, and what a population does when neurons fail.
#
# It runs in about half a minute. Read [training](05_training.ipynb) first;
# [convolutional networks](06_convolution.ipynb) explains `init_hidden` and `backprop.BPTT`.

# %%
import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import snntorch as snn
import snntorch.functional as SF
from snntorch import backprop, spikegen, surrogate, utils

DOWNLOAD = False  # True: the full MNIST (needs torchvision and a network)

# %%
if DOWNLOAD:
    from torchvision.datasets import MNIST

    parts = [MNIST("data", train=train, download=True) for train in (True, False)]
    images = torch.cat([part.data for part in parts]) / 255
    labels = torch.cat([part.targets for part in parts])
else:
    digits = load_digits()
    order = torch.randperm(len(digits.target), generator=torch.Generator().manual_seed(0))
    images = torch.tensor(digits.images, dtype=torch.float32)[order] / 16
    labels = torch.tensor(digits.target)[order]

held_out = 10_000 if DOWNLOAD else 360  # MNIST's own test images are its last 10,000
sizes = [len(images) - 2 * held_out, held_out, held_out]
train_set, val_set, test_set = (
    TensorDataset(x, y) for x, y in zip(images.split(sizes), labels.split(sizes), strict=True)
)
train_loader = DataLoader(train_set, batch_size=64, shuffle=True)

# %% [markdown]
# ## Neurons instead of time
#
# Let a neuron fire at each time step with probability $p$, and read $p$ from its spikes. From $T$
# steps of $N$ such neurons that are independent of each other, the best guess is the share of ones
# among $N T$ zeros and ones. Its standard error is
#
# $$\sigma = \sqrt{\frac{p\,(1 - p)}{N\,T}}$$
#
# and only the product $N T$ matters. A hundred neurons tell in one step what one neuron tells in a
# hundred. Measure it, with spikes from `spikegen.rate`, which draws a spike with the probability
# that it is given:

# %%
torch.manual_seed(0)
p, trials = 0.3, 2000
counts = (1, 2, 5, 10, 20, 50, 100)
fig, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
for color, steps in zip(("C0", "C1", "C2"), (1, 5, 25), strict=True):
    errors = []
    for neurons in counts:
        spikes = spikegen.rate(torch.full((trials, neurons), p), num_steps=steps)
        guess = spikes.mean((0, 2))  # one number per trial
        errors.append(guess.std())
    law = [(p * (1 - p) / (neurons * steps)) ** 0.5 for neurons in counts]
    ax.loglog(counts, errors, "o", color=color, label=f"$T$ = {steps} time steps")
    ax.loglog(counts, law, color=color)
ax.set(xlabel="neurons $N$", ylabel="error of the rate (spikes per step)")
ax.set_title("dots: measured; lines: the formula")
_ = ax.legend()

# %% [markdown]
# **Think about it.** Where in the picture are one neuron in 25 steps, and 25 neurons in one step?
# What would happen to the dots if all neurons got their random numbers from the same source?
#
# <details><summary>Answer</summary>
#
# The first is the leftmost green dot, the second lies on the blue line between 20 and 50 neurons,
# at the same height, 0.09. With a common source all neurons would fire together. A hundred copies
# of a spike tell no more than one, and the dots of each color would stay on the height of the first
# one. A population helps as far as its neurons differ.
#
# </details>
#
# ## One step, one neuron per class
#
# Now classify digits in a *single* time step. The network is a small one, of two layers. Each
# neuron has one chance to fire, so the answer is ten bits, one per class. `mse_count_loss` asks for
# a spike from the right neuron, and for none from the others.


# %%
def build(num_outputs, num_hidden=64, seed=0):
    torch.manual_seed(seed)
    spike_grad = surrogate.fast_sigmoid(slope=10)
    neurons = {"beta": 0.9, "spike_grad": spike_grad, "init_hidden": True}
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(images[0].numel(), num_hidden),
        snn.Leaky(**neurons),
        nn.Linear(num_hidden, num_outputs),
        snn.Leaky(**neurons, output=True),
    )


few = build(num_outputs=10)
optimizer = torch.optim.Adam(few.parameters(), lr=2e-3)
loss_fn = SF.mse_count_loss(correct_rate=1.0, incorrect_rate=0.0)
for _ in range(20):
    backprop.BPTT(few, train_loader, optimizer, loss_fn, num_steps=1, time_var=False)

# %% [markdown]
# One call of the network is one step. A recording has a time axis, even if it is 1 long, so
# `unsqueeze(0)` adds one.

# %%
x, y = test_set.tensors
with torch.no_grad():
    utils.reset(few)
    spk_few, _ = few(x)
few_accuracy = SF.accuracy_rate(spk_few.unsqueeze(0), y)
print(f"10 output neurons, 1 time step: test accuracy {100 * few_accuracy:.1f} %")

# %%
fired = spk_few.sum(1).long()
right = spk_few.argmax(1) == y
fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
share = 100 / len(y)
bars = range(int(fired.max()) + 1)
ax.bar(bars, [share * (right & (fired == n)).sum() for n in bars], label="right")
base = [share * (right & (fired == n)).sum() for n in bars]
ax.bar(bars, [share * (~right & (fired == n)).sum() for n in bars], bottom=base, label="wrong")
ax.set(xlabel="output neurons that fired", ylabel="test images (%)", xticks=bars)
_ = ax.legend()

# %% [markdown]
# Most mistakes are no mistakes about the digit: no neuron fired at all, or two did, and a tie
# cannot be broken by spikes. (`accuracy_rate` then takes the first of them, by its number.) An
# answer of one bit has no "rather this one".
#
# ## One step, twenty neurons per class
#
# With 200 output neurons there are 20 for each of the ten classes. Class 0 owns the neurons 0 to
# 19, class 1 owns 20 to 39, and so on. The loss and the accuracy are told by `population_code=True`
# and `num_classes`, and add up the spikes of each class: up to 20 in a single step.

# %%
population = {"population_code": True, "num_classes": 10}
many = build(num_outputs=200)
optimizer = torch.optim.Adam(many.parameters(), lr=2e-3)
loss_fn = SF.mse_count_loss(correct_rate=1.0, incorrect_rate=0.0, **population)
for _ in range(20):
    backprop.BPTT(many, train_loader, optimizer, loss_fn, num_steps=1, time_var=False)

with torch.no_grad():
    utils.reset(many)
    spk_many, _ = many(x)
many_accuracy = SF.accuracy_rate(spk_many.unsqueeze(0), y, **population)
print(f"200 output neurons, 1 time step: test accuracy {100 * many_accuracy:.1f} %")

# %% [markdown]
# Here are the ballots: how many of a class's neurons voted for it, for forty test images. A dot
# marks the right class.

# %%
votes = spk_many.unflatten(1, (10, 20)).sum(2)
fig, ax = plt.subplots(figsize=(9, 3.2), layout="constrained")
image = ax.imshow(votes[:40].T, cmap="Blues", vmin=0, vmax=20, aspect="auto")
ax.plot(range(40), y[:40], ".", color="C1", markersize=7)
ax.set(xlabel="test image", ylabel="class", yticks=range(10))
_ = fig.colorbar(image, label="spikes of 20 neurons")

# %% [markdown]
# **Think about it.** The neurons of a class have the same task and the same input. Why do they not
# all learn the same?
#
# <details><summary>Answer</summary>
#
# They start from different random weights, and the loss asks for their *sum*. A neuron whose
# membrane is far above the threshold gets next to no surrogate gradient, one that is near it
# learns. So they keep different thresholds of doubt: the clear digits move all of them, and the
# unclear ones some. That is what the sum needs to say "rather this one".
#
# </details>
#
# ## Neurons against steps
#
# What if there is time for more steps? Train all combinations of 1, 2, 5 and 20 neurons per class
# with 1, 2, 5 and 10 steps, ten epochs each. Everything shown is the mean of two networks, on
# validation images.


# %%
def train(num_outputs, num_steps, seed, epochs=10):
    net = build(num_outputs, seed=seed)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    loss_fn = SF.mse_count_loss(correct_rate=1.0, incorrect_rate=0.0, **population)
    for _ in range(epochs):
        backprop.BPTT(net, train_loader, optimizer, loss_fn, num_steps=num_steps, time_var=False)
    x, y = val_set.tensors
    utils.reset(net)
    with torch.no_grad():
        spk_rec = snn.unroll(net, x, num_steps, record="spk")
    return SF.accuracy_rate(spk_rec, y, **population)


per_class, steps = (1, 2, 5, 20), (1, 2, 5, 10)
grid = torch.tensor(
    [[[train(10 * n, t, seed) for t in steps] for n in per_class] for seed in (0, 1)]
).mean(0)

# %%
fig, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
image = ax.imshow(100 * grid, cmap="viridis", aspect="auto")
for row in range(len(per_class)):
    for column in range(len(steps)):
        value = 100 * grid[row, column].item()
        color = "white" if value < 100 * grid.mean() else "black"
        ax.text(column, row, f"{value:.1f}", ha="center", va="center", color=color)
ax.set_xticks(range(len(steps)), steps)
ax.set_yticks(range(len(per_class)), per_class)
ax.set(xlabel="time steps", ylabel="output neurons per class")
_ = fig.colorbar(image, label="validation accuracy (%)")

# %% [markdown]
# On the whole it gets better to the right and downwards, and both ways end at the same place: the
# gain from a population fades as the steps become more, and the other way around. Which way is
# cheaper depends on the machine. A GPU runs 200 neurons hardly slower than 10, while each step has
# to wait for the last one; a chip with few neurons may see that differently.
#
# ## When neurons fail
#
# On a chip, or in a brain, some neurons may die. Silence a random part of the output neurons of
# both networks (one step each), and count again.

# %%
dead_shares = torch.linspace(0, 0.9, 10)
torch.manual_seed(0)
surviving = {"10 neurons": [], "200 neurons": []}
for dead in dead_shares:
    for record, spk in zip(surviving.values(), (spk_few, spk_many), strict=True):
        rates = []
        for _ in range(50):  # fifty ways to die
            alive = (torch.rand(spk.shape[1]) >= dead).float()
            rates.append(SF.accuracy_rate((spk * alive).unsqueeze(0), y, **population))
        record.append(100 * sum(rates) / len(rates))

fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
for name, record in surviving.items():
    ax.plot(100 * dead_shares, record, ".-", label=name)
ax.set(xlabel="output neurons that died (%)", ylabel="test accuracy (%)", ylim=(0, 100))
_ = ax.legend()

# %% [markdown]
# With one neuron per class each loss is the loss of a class. The population does without most of
# its neurons: few of twenty votes are needed when they agree.
#
# **Try it.** Let the loss ask for less: `mse_count_loss(correct_rate=0.8, incorrect_rate=0.2,
# **population)`. Does a population that never has to be unanimous learn faster? Then make the
# surrogate narrower, `slope=50`, and see who suffers more, few neurons or many.

# %%
print(
    f"test accuracy in one time step: {100 * few_accuracy:.1f} % with 10 output neurons, "
    f"{100 * many_accuracy:.1f} % with 200"
)
assert many_accuracy > 0.91  # 94.7 % when written
assert many_accuracy > few_accuracy + 0.02  # 86.9 %

# %% [markdown]
# ## What to read next
#
# - [Regression](09_regression_membrane.ipynb) reads the membrane instead of counting spikes.
# - [Going fast](21_going_fast.ipynb) says what a time step costs.
#
# Populations are described by
#
# - A. P. Georgopoulos, A. B. Schwartz, R. E. Kettner. Neuronal Population Coding of Movement
#   Direction. Science, 1986.
# - A. Pouget, P. Dayan, R. Zemel. Information Processing with Population Codes. Nature Reviews
#   Neuroscience, 2000.
# - J. K. Eshraghian and others. Training Spiking Neural Networks Using Lessons From Deep Learning.
#   Proceedings of the IEEE, 2023.
