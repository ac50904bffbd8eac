# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # IPUs, and surrogates that can be traced
#
# The Intelligence Processing Unit (IPU) of Graphcore is a processor of some thousand small cores,
# each with its own program and its own memory beside it. Its compiler wants to see a network as a
# whole before it runs: as a graph of known operations, loop over time included. A spiking network
# has one operation that no compiler knows: the surrogate gradient. This chapter shows how it
# becomes one that every compiler knows, and how far a network for an IPU can be checked without
# one.
#
# You will learn
#
# - why a derivative that is written in Python gets lost when a network is recorded,
# - how a spike can be written by ordinary operations, with value and derivative as before,
# - what a network for PopTorch, which brings PyTorch to IPUs, looks like,
# - what was verified of this path without hardware, and what was not.
#
# It runs in a quarter of a minute and needs no IPU. Read [training](05_training.ipynb) first.

# %%
import warnings
from collections import Counter

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn

import snntorch as snn
import snntorch.functional as SF
from snntorch import surrogate

warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # shapes are fixed, see below
warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)  # which plays the recorder here

DOWNLOAD = False  # True: the full MNIST (needs torchvision and a network)

_ = torch.manual_seed(0)

# %% [markdown]
# ## What gets lost
#
# A neuron fires, $S = 1$, where its membrane $U$ exceeds the threshold $\theta$: $S = H(x)$ with
# $x = U - \theta$ and the step function $H$. The derivative of $H$ is of no use, so a surrogate
# takes its place in the backward pass, such as that of a fast sigmoid with slope $k$:
#
# $$\frac{\partial S}{\partial x} \;\longleftarrow\; \frac{1}{(1 + k\,|x|)^2}$$
#
# In PyTorch that is an *autograd function*: two Python functions, one for each direction.
# Compilers such as PopTorch run a network once, write down which operations were called, and then
# find the derivatives of these themselves. `torch.jit.trace` records in the same way, so that we
# can look at what a recorder sees of a surrogate as one would write it:


# %%
class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x > 0).float()

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad / (1 + 5 * x.abs()) ** 2


def operations(traced):
    """Return how often each operation stands in a record, constants left out."""
    kinds = (node.kind() for node in traced.inlined_graph.nodes())
    return Counter(kind for kind in kinds if kind.startswith("aten::") or "Python" in kind)


x = torch.linspace(-1, 1, 401)
by_hand = torch.jit.trace(Spike.apply, x, check_trace=False)
print(dict(operations(by_hand)))
try:
    by_hand.save_to_buffer()
except RuntimeError as error:
    print(str(error).strip().split(".")[0])

# %% [markdown]
# All that stands in the record is that Python was called. The backward pass is nowhere, and
# neither a file nor a compiler can do anything with it.
#
# ## A spike by ordinary operations
#
# There is a function whose *true* derivative is the surrogate: its integral, the primitive $s(x) =
# x / (1 + k\,|x|)$. The trick is to use its derivative without its value:
#
# $$S = H(x) + \bigl(s(x) - \mathrm{detach}(s(x))\bigr)$$
#
# `detach` returns its input as a constant. So the terms in parentheses cancel in the value, to
# exactly zero, and $S$ is 0 or 1. In the derivative, both $H$ and the detached term are constants,
# and what remains is $s'(x)$: the surrogate. Comparison, absolute value, division: all of these
# any compiler knows. `surrogate.traceable()` asks for spikes to be written so; on an IPU it
# happens by itself.

# %%
spike_grad = surrogate.fast_sigmoid(slope=5)


def fire(x):
    return spike_grad(x)


with surrogate.traceable():
    traced = torch.jit.trace(fire, x, check_trace=False)
print(dict(operations(traced)))


def value_and_slope(function):
    """Return a function's spikes and its gradient at x."""
    points = x.clone().requires_grad_()
    spikes = function(points)
    (slope,) = torch.autograd.grad(spikes.sum(), points)
    return spikes.detach(), slope


spikes, slope = value_and_slope(Spike.apply)
spikes_traced, slope_traced = value_and_slope(traced)
print("spikes equal:", torch.equal(spikes, spikes_traced))
print(f"gradients differ by {(slope - slope_traced).abs().max():.0e}")

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.plot(x, spikes, "0.7", lw=4, label="spike $H(x)$")
left.plot(x, spikes_traced, "tab:red", lw=1, label="the same, traced")
left.plot(x, x / (1 + 5 * x.abs()), "k:", label="primitive $s(x)$")
left.set(xlabel="membrane - threshold (normalized)", ylabel="value")
left.legend(loc="upper left", fontsize="small")
right.plot(x, slope, "0.7", lw=4, label="by hand")
right.plot(x, slope_traced, "tab:red", lw=1, label="traced")
right.set(xlabel="membrane - threshold (normalized)", ylabel="gradient of the spike")
_ = right.legend(fontsize="small")

# %% [markdown]
# **Think about it.** `traceable` refuses `surrogate.SSO`, which draws its gradient at random, and
# `custom_surrogate`, which takes any function for the gradient. What are they lacking?
#
# <details><summary>Answer</summary>
#
# A primitive. What is differentiated has to be a function written in operations whose derivative
# is the surrogate, and of a gradient that is drawn anew each time, or of an arbitrary Python
# function, nobody knows one. For a surrogate of your own, subclass `surrogate.SurrogateFunction`
# and give it a `primitive` beside its `gradient`.
#
# </details>
#
# Which surrogates can go there?

# %%
choices = {
    "atan": surrogate.atan(),
    "fast_sigmoid": surrogate.fast_sigmoid(),
    "sigmoid": surrogate.sigmoid(),
    "straight_through_estimator": surrogate.straight_through_estimator(),
    "triangular": surrogate.triangular(),
    "spike_rate_escape": surrogate.spike_rate_escape(),
    "LSO": surrogate.LSO(),
    "SFS": surrogate.SFS(),
    "SSO": surrogate.SSO(),
}
for name, choice in choices.items():
    try:
        with surrogate.traceable():
            choice(x)
        print(f"{name:26} yes")
    except TypeError as error:
        print(f"{name:26} no: {str(error).splitlines()[0].split(': ')[-1]}")

# %% [markdown]
# ## A network for PopTorch
#
# PopTorch is Graphcore's bridge from PyTorch. It asks for one thing that differs from what you are
# used to: the loss belongs into the model, so that forward pass, loss, backward pass and weight
# update are compiled together. With PopTorch, `poptorch.trainingModel(net, options, optimizer)`
# makes a model of the network below, with an optimizer from `poptorch.optim` and batches from a
# `poptorch.DataLoader`; each call `spikes, loss = model(x, labels)` is one step of training on the
# device. `examples/train_ipu.py` is such a script.
#
# The network of that script is much as this one, but for a `poptorch.identity_loss(..., "none")`
# around the loss, which tells the compiler what to differentiate. Its neurons get their states
# passed from step to step: states that neurons keep themselves (`init_hidden=True`) are bound anew
# at each step, which a recorder need not notice.

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
train_x, train_y = images[:-held_out], labels[:-held_out]
test_x, test_y = images[-held_out:], labels[-held_out:]
num_steps, batch_size = 15, 64


class Net(nn.Module):
    """Two layers of leaky neurons that see an image at each time step, with the loss inside."""

    def __init__(self, pixels, hidden=100):
        super().__init__()
        # the surrogate is named: on an IPU the default is another one than elsewhere
        spike_grad = surrogate.fast_sigmoid(slope=10)
        self.fc1 = nn.Linear(pixels, hidden)
        self.lif1 = snn.Leaky(beta=0.9, spike_grad=spike_grad)
        self.fc2 = nn.Linear(hidden, 10)
        self.lif2 = snn.Leaky(beta=0.9, spike_grad=spike_grad)
        self.loss_fn = SF.ce_rate_loss()

    def forward(self, x, labels=None):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes = []
        for _ in range(num_steps):
            spk1, mem1 = self.lif1(self.fc1(x), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
        spikes = torch.stack(spikes)
        if labels is None:
            return spikes
        return spikes, self.loss_fn(spikes, labels)


# %% [markdown]
# ## What a reader without an IPU can check
#
# Record the model as a compiler would, with its first batch, loss included. The time loop is
# unrolled into one long list of operations, and the shapes are those of this batch for good: a
# data set has to be cut into equal batches. Of what kinds are they?

# %%
net = Net(images.shape[1])
first = (train_x[:batch_size], train_y[:batch_size])
with surrogate.traceable():
    recorded = torch.jit.trace(net, first, check_trace=False)
counts = operations(recorded)
print(f"{sum(counts.values())} operations of {len(counts)} kinds")

# %%
names, heights = zip(*counts.most_common(), strict=True)
fig, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
ax.bar([name.removeprefix("aten::") for name in names], heights)
ax.tick_params(axis="x", rotation=90)
_ = ax.set(ylabel="times in the record", title=f"the network with its loss, {num_steps} time steps")

# %% [markdown]
# No operation of Python is left. The tests of this package hold these names against the list of
# those that PopTorch can translate for an IPU, for each neuron.
#
# Then train the record itself, not the network: its gradients come from the recorded operations
# alone. Beside it we train a copy the usual way.


# %%
def train(model, parameters, epochs=15):
    """Train on equal batches; return the losses."""
    optimizer = torch.optim.Adam(parameters, lr=2e-3)
    generator = torch.Generator().manual_seed(1)
    losses = []
    for _ in range(epochs):
        for batch in torch.randperm(len(train_x), generator=generator).split(batch_size):
            if len(batch) < batch_size:
                continue  # a record holds for one shape
            _, loss = model(train_x[batch], train_y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


usual = Net(images.shape[1])
usual.load_state_dict(net.state_dict())
losses = {
    "recorded operations": train(recorded, net.parameters()),
    "usual network": train(usual, usual.parameters()),
}

# %%
fig, ax = plt.subplots(figsize=(8, 3), layout="constrained")
ax.plot(losses["usual network"], "0.75", lw=4, label="usual network")
ax.plot(losses["recorded operations"], "tab:red", lw=1, label="recorded operations")
ax.set(xlabel="batch", ylabel="loss (cross entropy per step)")
_ = ax.legend()


# %%
def accuracy(net):
    with torch.no_grad():
        return SF.accuracy_rate(net(test_x), test_y)


test_accuracy = accuracy(net)
gap = max(abs(a - b) for a, b in zip(*(these[:5] for these in losses.values()), strict=True))
print(f"losses of the first five batches differ by {gap:.0e}")
print(f"test accuracy {100 * test_accuracy:.1f} % recorded, {100 * accuracy(usual):.1f} % usual")

# %% [markdown]
# Both learn alike. Rounding parts them little by little, as operations in another order are
# rounded otherwise.
#
# **Think about it.** In the record of 15 time steps everything is there 15 times. Who would do it
# this way, and what is the price of 1000 time steps?
#
# <details><summary>Answer</summary>
#
# A compiler that sees all operations at once can place each on its cores and plan all transfers
# between their memories in advance; nothing is decided while it runs. The price is that
# compilation takes time and memory in proportion to the number of steps, and so does the program
# on the device. For long sequences on CPUs and GPUs, `snn.unroll` takes the other way: one kernel
# per layer that contains the loop.
#
# </details>
#
# ## What this does not show
#
# None of this package ever ran on an IPU. What is shown above and by its tests is that spikes,
# gradients and operators are those that are needed. Whether the compiler accepts such a network,
# whether it fits the memory, how fast it is, and how it does in half precision, only an IPU can
# tell. `docs/ipu.rst` lists both sides, and what differs there: the default surrogate is the
# straight-through estimator, learned decay rates beyond their bounds get no gradient, and losses
# do not check labels. The last public sources of PopTorch are from 2023.
#
# What is traceable serves elsewhere, too: any backend that records operations and differentiates
# them takes the same network. (`torch.compile` and `torch.export` need nothing of this.)
#
# **Try it.** Replace the neurons by `snn.Synaptic(alpha=0.8, beta=0.9, spike_grad=spike_grad)`
# with states `syn, mem = self.lif1.init_synaptic()`. Which new operations are in the record?

# %%
print(f"test accuracy {100 * test_accuracy:.1f} %, trained by recorded operations alone")
assert torch.equal(spikes, spikes_traced)
assert torch.allclose(slope, slope_traced, atol=1e-6)
assert not any("Python" in kind for kind in counts)
assert gap < 1e-2
assert test_accuracy > 0.9  # 96.1 % when written

# %% [markdown]
# ## What to read next
#
# - [Going fast](21_going_fast.ipynb): what CPUs and GPUs do with the same network.
# - [NIR](20_nir.ipynb): to neuromorphic chips.
#
# The sources are
#
# - E. O. Neftci, H. Mostafa, F. Zenke. Surrogate Gradient Learning in Spiking Neural Networks.
#   IEEE Signal Processing Magazine, 2019.
# - Z. Jia, B. Tillman, M. Maggioni, D. P. Scarpazza. Dissecting the Graphcore IPU Architecture via
#   Microbenchmarking. arXiv:1912.03413, 2019.
