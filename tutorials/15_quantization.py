# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Quantized states and weights
#
# Spikes have one bit, but the membranes that make them and the weights that carry them have 32.
# Neuromorphic chips store both in a handful of bits. This chapter finds out how few will do, and
# how training helps.
#
# You will learn
#
# - how `state_quant` rounds membranes to few levels, and where those levels lie,
# - what a neuron with too few levels gets wrong: it forgets to forget,
# - how gradients get through rounding, and what training with it (*quantization-aware*) is worth,
# - how to give a network weights of a single bit by a straight-through estimator.
#
# It runs in about half a minute. Read [training](05_training.ipynb) first.

# %%
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import snntorch as snn
import snntorch.functional as SF
from snntorch import surrogate
from snntorch.functional.quant import StateQuant, state_quant

DOWNLOAD = False  # True: the full MNIST (needs torchvision and a network)

# %% [markdown]
# ## Levels
#
# With $n$ bits there are $2^n$ numbers. `state_quant(num_bits=n)` makes a function that rounds to
# the nearest of $2^n$ *levels*, from a bit below $-\theta$ to a bit above $\theta$, the threshold.
# How much below and above is set by `lower_limit` and `upper_limit`, as shares of $\theta$. The
# levels are evenly spaced, or dense about the threshold, or dense about zero:

# %%
margins = {"lower_limit": 0.5, "upper_limit": 0.5}
kinds = {
    "uniform": state_quant(num_bits=4, **margins),
    "dense at the threshold": state_quant(num_bits=4, uniform=False, **margins),
    "dense at zero": state_quant(num_bits=4, uniform=False, thr_centered=False, **margins),
}
x = torch.linspace(-2, 2, 1001)
fig, axes = plt.subplots(1, 3, figsize=(9, 3), sharey=True, layout="constrained")
for ax, (name, quantizer) in zip(axes, kinds.items(), strict=True):
    ax.plot(x, x, color="0.8")
    ax.plot(x, quantizer(x))
    ax.axvline(1, color="0.5", linestyle="--", linewidth=0.8)
    ax.set(title=name, xlabel="membrane (normalized)")
axes[0].set_ylabel("rounded membrane, 4 bits")
_ = axes[0].text(0.95, 1.6, "threshold", ha="right", color="0.4", fontsize="small")

# %% [markdown]
# ## A neuron that forgets to forget
#
# A neuron takes such a function as `state_quant`, and rounds its membrane after every step. Here is
# one that gets a pulse at step 2, and weak input from step 30 on:

# %%
current = torch.zeros(60)
current[2] = 0.9
current[30:] = 0.12

fig, axes = plt.subplots(4, 1, figsize=(8, 5.5), sharex=True, sharey=True, layout="constrained")
for ax, bits in zip(axes, (32, 6, 4, 3), strict=True):
    quantizer = state_quant(num_bits=bits, **margins) if bits < 32 else False
    lif = snn.Leaky(beta=0.92, state_quant=quantizer)
    mem, mems, spikes = lif.init_leaky(), [], []
    for value in current:
        spk, mem = lif(value, mem)
        mems.append(mem)
        spikes.append(spk)
    ax.plot(mems, drawstyle="steps-post")
    ax.axhline(1, color="0.5", linestyle="--", linewidth=0.8)
    fired = torch.stack(spikes).nonzero().flatten()
    ax.plot(fired, torch.full((len(fired),), 1.25), "|", color="C3", markersize=10)
    ax.set(ylabel=f"{bits} bits", ylim=(-0.4, 1.5))
axes[0].set_title("membrane (normalized); red: spikes")
_ = axes[-1].set_xlabel("time step")

# %% [markdown]
# With 6 bits the membrane decays until a step down would be less than half of the distance between
# two levels. From there on rounding takes it back up, and it stays for good. With 4 and 3 bits it
# gets stuck at once, and weak input does nothing at all: what is less than half of that distance
# is lost, however long it lasts. (There is an even number of levels, and none of them is zero. An
# empty membrane takes the nearest one.)
#
# **Think about it.** With $2^n$ uniform levels from $-1.5$ to $1.5$ and a decay of $\beta = 0.92$,
# how high can a membrane stay stuck with 4 bits?
#
# <details><summary>Answer</summary>
#
# The distance between levels is $3 / 15 = 0.2$. A step of decay takes $0.08\,U$ off, which is
# rounded away if it is less than 0.1, that is for $U < 1.25$: any membrane below the threshold
# stays where it is! With 6 bits the distance is $3 / 63 = 0.048$, and the membrane is stuck below
# 0.3.
#
# </details>
#
# ## Gradients through rounding
#
# Rounding has a derivative of zero, like a spike. The remedy is the same: another derivative in the
# backward pass. For rounding it is the simplest there is, 1. The gradient passes straight through,
# and the method is called *straight-through estimator*. `state_quant` does it by itself:

# %%
x = torch.tensor([0.1, 0.3, 0.9], requires_grad=True)
rounded = state_quant(num_bits=3, **margins)(x)
rounded.sum().backward()
print("rounded", [round(value, 3) for value in rounded.tolist()], "gradient", x.grad.tolist())

# %% [markdown]
# ## A network to try it on
#
# Two layers on handwritten digits. The network takes two options: a quantizer for the states, and a
# function for the weights, called before the loop. The pixels do not change over time, so the first
# layer's current is the same at each step.

# %%
if DOWNLOAD:
    from torchvision.datasets import MNIST

    parts = [MNIST("data", train=train, download=True) for train in (True, False)]
    images = torch.cat([part.data for part in parts]).flatten(1) / 255
    labels = torch.cat([part.targets for part in parts])
else:
    digits = load_digits()
    order = torch.randperm(len(digits.target), generator=torch.Generator().manual_seed(0))
    images = torch.tensor(digits.data, dtype=torch.float32)[order] / 16
    labels = torch.tensor(digits.target)[order]

held_out = 10_000 if DOWNLOAD else 360  # MNIST's own test images are its last 10,000
sizes = [len(images) - 2 * held_out, held_out, held_out]
train_set, val_set, test_set = (
    TensorDataset(x, y) for x, y in zip(images.split(sizes), labels.split(sizes), strict=True)
)
train_loader = DataLoader(train_set, batch_size=64, shuffle=True)

# %%
num_steps, num_hidden = 12, 64


class Net(nn.Module):
    def __init__(self, state_quant=False, quantize=None):
        super().__init__()
        spike_grad = surrogate.fast_sigmoid(slope=5)
        neurons = {"beta": 0.9, "spike_grad": spike_grad, "state_quant": state_quant}
        self.fc1, self.lif1 = nn.Linear(images.shape[1], num_hidden), snn.Leaky(**neurons)
        self.fc2, self.lif2 = nn.Linear(num_hidden, 10), snn.Leaky(**neurons)
        self.quantize = quantize or nn.Identity()

    def forward(self, x):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        weight1, weight2 = self.quantize(self.fc1.weight), self.quantize(self.fc2.weight)
        current = F.linear(x, weight1, self.fc1.bias)
        spk_rec = []
        for _ in range(num_steps):
            spk, mem1 = self.lif1(current, mem1)
            spk, mem2 = self.lif2(F.linear(spk, weight2, self.fc2.bias), mem2)
            spk_rec.append(spk)
        return torch.stack(spk_rec)


# %%
def evaluate(net, data):
    x, y = data.tensors
    with torch.no_grad():
        return 100 * SF.accuracy_rate(net(x), y)


def train(net, epochs, lr=5e-3):
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    total = epochs * len(train_loader)  # the step size rises first and falls to zero
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=lr, total_steps=total)
    loss_fn = SF.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2)
    for _ in range(epochs):
        for x, y in train_loader:
            loss = loss_fn(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net


torch.manual_seed(0)
full = train(Net(), epochs=15)
full_accuracy = evaluate(full, val_set)
print(f"32 bits everywhere: validation accuracy {full_accuracy:.1f} %")

# %% [markdown]
# ## States of few bits
#
# There are two ways to get a network of few bits. Take the trained one and round (*after
# training*), or go on training with the rounding in place (*quantization-aware*), so that the
# weights adapt to it. We do both from the same trained weights.


# %%
def after_and_aware(epochs, **options):
    net = Net(**options)
    net.load_state_dict(full.state_dict())
    after = evaluate(net, val_set)
    return after, evaluate(train(net, epochs), val_set)


state_bits = (2, 3, 4, 6)
torch.manual_seed(0)
states = [
    after_and_aware(epochs=6, state_quant=state_quant(num_bits=bits, **margins))
    for bits in state_bits
]

# %% [markdown]
# ## Weights of one bit
#
# A weight of one bit is a sign. We take $+a$ and $-a$, with $a$ the mean size of the weights of the
# layer:
#
# $$\hat{W} = a\,(2 H(W) - 1), \qquad a = \frac{1}{n} \sum_{i=1}^{n} |W_i|$$
#
# $H$ is the same step as in a neuron: 1 above zero and 0 below. So a surrogate can serve
# here, and the package has the one that we need, `surrogate.straight_through_estimator()`, with a
# derivative of 1. The optimizer moves the full weights $W$ by small amounts. From time to
# time one of them crosses zero, and then $\hat{W}$ flips a sign. After training $W$ is thrown away.

# %%
step = surrogate.straight_through_estimator()


def binarize(weight):
    return weight.abs().mean() * (2 * step(weight) - 1)


def uniform_levels(bits):
    def quantize(weight):
        reach = weight.detach().abs().max()
        return StateQuant.apply(weight, reach * torch.linspace(-1, 1, 2**bits))

    return quantize


weight_bits = (1, 2, 3, 4, 6)
torch.manual_seed(0)
weights = [
    after_and_aware(epochs=8, quantize=binarize if bits == 1 else uniform_levels(bits))
    for bits in weight_bits
]

# %% [markdown]
# `StateQuant` is the function behind `state_quant`: it rounds anything to levels of your own, with
# a derivative of 1. More than one bit per weight takes it. Here is how few bits will do:

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
results = {"state": (state_bits, states), "weight": (weight_bits, weights)}
for ax, (name, (bits, pairs)) in zip(axes, results.items(), strict=True):
    after, aware = zip(*pairs, strict=True)
    ax.axhline(full_accuracy, color="0.6", linestyle="--", label="32 bits")
    ax.plot(bits, after, "o-", label="rounded after training")
    ax.plot(bits, aware, "s-", label="trained with rounding")
    ax.set(xlabel=f"bits per {name}", xticks=range(1, 7), xlim=(0.7, 6.3), ylim=(0, 102))
axes[0].set_ylabel("validation accuracy (%)")
_ = axes[0].legend(loc="lower right")

# %% [markdown]
# Weights of one or two bits are hopeless when they are rounded after training, and quite good when
# the network is trained with them. For states it is the number of levels that counts: three bits
# are nearly enough without any training, and training brings the rest back. Two bits are too few,
# and training makes that worse: its gradients assume that a membrane moves a bit with every
# input, and with four levels it does not.
#
# **Think about it.** Why does one bit per weight do about as well as two?
#
# <details><summary>Answer</summary>
#
# The two levels of one bit lie at the *mean* size of the weights, the four of two bits reach up to
# the *largest* one, at $\pm 1$ and $\pm \tfrac{1}{3}$ of it. Most weights are small, and end at one
# third of the largest, far more than they were. Where levels lie matters as much as how many there
# are.
#
# </details>
#
# ## Both at once
#
# Signs for weights, and 4 bits for states. To see what the signs look like, the first layer of the
# network is drawn beside: each small square is what one hidden neuron sees.

# %%
torch.manual_seed(0)
num_hidden = 128  # twice the neurons, still a fraction of the bits
small = Net(state_quant=state_quant(num_bits=4, **margins), quantize=binarize)
train(small, epochs=12, lr=1e-2)
test_accuracy, full_test = evaluate(small, test_set), evaluate(full, test_set)


def kilobytes(net, weight_bits, state_bits):
    weights = net.fc1.weight.numel() + net.fc2.weight.numel()
    neurons = net.fc1.out_features + net.fc2.out_features
    return (weights * weight_bits + neurons * state_bits) / 8 / 1024


print(f"full:  {kilobytes(full, 32, 32):5.2f} KiB, test accuracy {full_test:.1f} %")
print(f"small: {kilobytes(small, 1, 4):5.2f} KiB, test accuracy {test_accuracy:.1f} %")

# %%
fig, axes = plt.subplots(2, 10, figsize=(9, 2.1), layout="constrained")
edge = round(images.shape[1] ** 0.5)
for row, weight in zip(axes, (full.fc1.weight, small.fc1.weight.sign()), strict=True):
    limit = weight[:10].abs().max().item()
    for ax, pixels in zip(row, weight.detach(), strict=False):
        ax.imshow(pixels.reshape(edge, edge), cmap="coolwarm", vmin=-limit, vmax=limit)
        ax.set(xticks=[], yticks=[])
axes[0, 0].set_ylabel("32 bits")
axes[1, 0].set_ylabel("1 bit")
_ = fig.suptitle("weights of ten hidden neurons each; red: positive, blue: negative")

# %% [markdown]
# **Try it.** Use the levels that are dense at the threshold (`uniform=False`) for 3 and 4 bits,
# after training and aware. Why does it not help that they are fine where spikes are decided? (Look
# again at what a small membrane becomes.)

# %%
print(f"test accuracy {full_test:.1f} % with 32 bits, {test_accuracy:.1f} % with signs and 4 bits")
assert full_test > 92
assert test_accuracy > 89  # 93.3 when written, 96.1 with 32 bits
assert weights[0][1] > weights[0][0] + 15  # signs need training

# %% [markdown]
# ## What to read next
#
# - [NIR](20_nir.ipynb) exports networks to chips that count bits.
# - [Going fast](21_going_fast.ipynb) is about time rather than space. A neuron with
#   `state_quant` runs its loop step by step.
#
# The methods are from
#
# - Y. Bengio, N. Leonard, A. Courville. Estimating or Propagating Gradients Through Stochastic
#   Neurons for Conditional Computation. arXiv:1308.3432, 2013.
# - M. Rastegari, V. Ordonez, J. Redmon, A. Farhadi. XNOR-Net: ImageNet Classification Using Binary
#   Convolutional Neural Networks. ECCV, 2016.
# - J. K. Eshraghian, C. Lammie, M. R. Azghadi, W. D. Lu. Navigating Local Minima in Quantized
#   Spiking Neural Networks. AICAS, 2022.
