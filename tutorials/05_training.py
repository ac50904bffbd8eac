# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Training a spiking network
#
# A spike is all or nothing, and so its derivative is useless. This chapter shows why that stops
# gradient descent, what is put in its place, and how far back in time a gradient reaches. Then it
# trains a network on handwritten digits with an ordinary PyTorch loop.
#
# You will learn
#
# - why a network of spikes gets no gradient, and how a surrogate gradient gives it one,
# - what backpropagation through time adds up, as a picture,
# - how to write a network as a class with explicit states, and train it with a loss at every step,
# - how `snn.fuse` runs the same class faster, without a change to it.
#
# It runs in about 20 seconds. Read [feedforward networks](03_feedforward.ipynb) first.

# %%
import time

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import snntorch as snn
import snntorch.spikeplot as splt
from snntorch import surrogate

DOWNLOAD = False  # True: the full MNIST (needs torchvision and a network)

# %% [markdown]
# ## A neuron is a recurrent cell
#
# A leaky integrate-and-fire neuron has a membrane potential $U$, a plain number without a unit.
# From one time step to the next a share $\beta$ of it remains, the weighted input $W X$ is added,
# and what a spike used up is taken off:
#
# $$U[t] = \beta\,U[t-1] + W X[t] - \theta\,S[t-1]$$
#
# $$S[t] = H(U[t] - \theta), \qquad H(x) = 1 \text{ if } x > 0, \text{ else } 0$$
#
# $S$ is the spike, 0 or 1, and $\theta$ the threshold, 1 unless you choose another. The state of
# one step is an input of the next, just as in a recurrent network, so all that is known about
# training those applies. Only $H$ is new, the Heaviside step function.
#
# ## Why nothing is learned
#
# Take one neuron that receives a constant current $w$ for 25 steps. It should fire 10 times, and
# the loss is the square of what it fires too often or too rarely. Here is that loss for all $w$
# between 0 and 1.5, and the derivative that a computer finds when it follows the chain rule with
# the true derivative of $H$, which is 0 wherever it exists.

# %%
num_steps, wanted = 25, 10
w = torch.linspace(0, 1.5, 601, requires_grad=True)


def count_spikes(neuron, current):
    mem, count = neuron.init_leaky(), 0
    for _ in range(num_steps):
        spk, mem = neuron(current, mem)
        count = count + spk
    return count


def loss_and_slope(neuron):
    loss = (count_spikes(neuron, w) - wanted) ** 2
    return loss.detach(), torch.autograd.grad(loss.sum(), w)[0]


def no_derivative(distance, grad, spike):
    return 0 * grad


honest = snn.Leaky(beta=0.9, spike_grad=surrogate.custom_surrogate(no_derivative))
helped = snn.Leaky(beta=0.9, spike_grad=surrogate.atan())
loss, true_slope = loss_and_slope(honest)
_, surrogate_slope = loss_and_slope(helped)

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.2), layout="constrained")
left.plot(w.detach(), loss)
left.set(xlabel="current $w$", ylabel="loss (spikes$^2$)", title="the loss is a staircase")
right.plot(w.detach(), true_slope, label="derivative of the staircase")
right.plot(w.detach(), surrogate_slope, label="with a surrogate (arc tangent)")
right.axhline(0, color="0.8", linewidth=0.8, zorder=0)
right.set(xlabel="current $w$", ylabel="slope of the loss", title="what gradient descent sees")
_ = right.legend()
# %% [markdown]
# The loss is flat almost everywhere, and where it is not, it jumps. Its derivative is zero, so no
# weight ever moves. People call a neuron that gets no gradient *dead*, and with the true derivative
# all of them are.
#
# The orange curve tells another story: negative where the current is too small, positive where it
# is too large. It is no derivative of anything that was computed, and yet it points the right way.
#
# ## A surrogate for the derivative
#
# The trick is to keep $H$ when the network runs, and to use the derivative of a smooth function
# when the gradient is computed. With $x = U - \theta$, the distance to the threshold, the package
# uses by default the derivative of an arc tangent,
#
# $$\frac{\partial S}{\partial U} \;\longleftarrow\; \frac{1}{1 + (\pi x)^2}$$
#
# where the arrow means "is replaced by". It is 1 at the threshold and falls off on both sides:
# a neuron that nearly fired, or only just did, learns most. There are others to choose from.

# %%
chosen = [surrogate.atan(), surrogate.fast_sigmoid(), surrogate.sigmoid(slope=4)]
fig, ax = plt.subplots(figsize=(8, 3.2), layout="constrained")
splt.surrogate_gradients(chosen, ax, limit=1.5)
_ = ax.set_ylabel("spike, or derivative (per unit of mem)")

# %% [markdown]
# **Think about it.** Why does the loss above use $H$ at all? One could run the network with the
# smooth function, and everything would be differentiable.
#
# <details><summary>Answer</summary>
#
# It would no longer be a network of spikes. Its neurons would send numbers to each other at every
# step, and what makes spikes cheap (nothing is sent most of the time, and what is sent is one bit,
# so that a product with it is an addition) would be lost. The surrogate touches the training alone:
# the trained network spikes like any other.
#
# </details>
#
# To see that there is no magic in it, write the neuron down by hand. An autograd function has a
# `forward` and a `backward`, and nothing forces the second to be the derivative of the first.


# %%
class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, distance):
        ctx.save_for_backward(distance)
        return (distance > 0).float()

    @staticmethod
    def backward(ctx, grad):
        (distance,) = ctx.saved_tensors
        return grad / (1 + (torch.pi * distance) ** 2)


def my_leaky(current, mem, beta=0.9, threshold=1.0):
    reset = threshold * (mem > threshold)  # the spike of the last step; it carries no gradient
    mem = beta * mem + current - reset
    return Spike.apply(mem - threshold), mem


# %%
torch.manual_seed(0)
lif = snn.Leaky(beta=0.9)  # spike_grad=surrogate.atan() is the default
current = torch.rand(num_steps, 100, requires_grad=True)


def run(neuron):
    mem, spikes = torch.zeros(100), []
    for step in range(num_steps):
        spk, mem = neuron(current[step], mem)
        spikes.append(spk)
    spikes = torch.stack(spikes)
    return spikes, torch.autograd.grad(spikes.sum(), current)[0]


(my_spikes, my_grad), (spikes, grad) = run(my_leaky), run(lif)
print(f"{int(spikes.sum())} spikes; the same ones: {torch.equal(my_spikes, spikes)}")
print(f"largest difference between gradients: {(my_grad - grad).abs().max():.1e}")

# %% [markdown]
# Note that the reset carries no gradient: `snn.Leaky` treats it as a constant in the backward pass,
# as the comparison `>` does by itself in `my_leaky`.
#
# ## Backpropagation through time
#
# The input of step $s$ acts on the membrane of step $s$, and through it on the membrane and the
# spikes of every later step $t$. From step to step a share $\beta$ is left, so the chain rule gives
#
# $$\frac{\partial S[t]}{\partial X[s]} =
# \underbrace{\frac{\partial S[t]}{\partial U[t]}}_{\text{surrogate}}\;
# \underbrace{\frac{\partial U[t]}{\partial U[t-1]} \cdots
# \frac{\partial U[s+1]}{\partial U[s]}}_{\beta^{\,t-s}}\; W \qquad (s \le t)$$
#
# and zero for $s > t$, since nothing acts on its past. A weight is the same at all steps, so its
# gradient is the sum over all pairs of a loss at $t$ and an input at $s \le t$:
#
# $$\frac{\partial \mathcal{L}}{\partial W} =
# \sum_t \sum_{s \le t} \frac{\partial \mathcal{L}[t]}{\partial S[t]}\;
# \frac{\partial S[t]}{\partial U[t]}\; \beta^{\,t-s} X[s]$$
#
# PyTorch does that sum. We can look at its terms: each row of the picture is a spike, each column
# an input, and the color is how much the one depends on the other, for a current of 0.3.

# %%
steps = 40
current = torch.full((steps, steps), 0.3, requires_grad=True)  # column t asks about spike t
mem, spikes, mems = lif.init_leaky(), [], []
for step in range(steps):
    spk, mem = lif(current[step], mem)
    spikes.append(spk)
    mems.append(mem)
spikes, mems = torch.stack(spikes), torch.stack(mems).detach()
asked = spikes.diagonal().sum()  # spike t of column t
blame = torch.autograd.grad(asked, current)[0].T  # blame[t, s] = dS[t] / dX[s]

# %%
fig, (left, right) = plt.subplots(
    1, 2, figsize=(8.5, 4), width_ratios=(1, 2), sharey=True, layout="constrained"
)
left.plot(mems[:, 0], range(steps), ".-")
left.axvline(1, color="0.5", linestyle="--")
left.set(xlabel="membrane (normalized)", ylabel="time step $t$ of the spike")
left.set_title("dashed: threshold")
image = right.imshow(blame, cmap="magma_r", aspect="auto")
right.set(xlabel="time step $s$ of the input", title=r"$\partial S[t]\;/\;\partial X[s]$")
_ = fig.colorbar(image, ax=right, label="gradient")

# %% [markdown]
# The empty upper triangle is causality. Rows are dark where the membrane is near the threshold,
# because the surrogate is large there. To the left each row fades by the factor $\beta = 0.9$ per
# step. After 20 steps 12 % are left: that is how far back this neuron learns. The formula says
# the same as the picture:

# %%
t, s = torch.arange(steps)[:, None], torch.arange(steps)
surrogate_at = 1 / (1 + (torch.pi * (mems[:, 0] - 1)) ** 2)
by_formula = surrogate_at[:, None] * (0.9 ** (t - s)) * (s <= t)
print(f"largest difference: {(blame - by_formula).abs().max():.1e}")

# %% [markdown]
#
# **Think about it.** With $\beta = 0.5$, how far back would it learn? And what would become of the
# gradient with $\beta = 1.1$?
#
# <details><summary>Answer</summary>
#
# $0.5^4$ is 6 %, so about four steps: a *vanishing* gradient. With $\beta = 1.1$ both the membrane
# and the gradient would grow by 10 % at each step without bound, which is the *exploding* gradient
# of recurrent networks; `snn.Leaky` clips $\beta$ to at most 1. In a spiking network the
# problem is a choice of $\beta$, while a recurrent network has to learn a matrix that
# neither shrinks nor grows.
#
# </details>
#
# ## Digits
#
# The data are 1,797 handwritten digits of 8 by 8 pixels that come with scikit-learn. We keep 360 to
# see how training goes (validation), and 360 for the end (test).

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
print(f"{len(train_set)} images to train on, {len(val_set)} to validate, {len(test_set)} to test")

# %%
fig, axes = plt.subplots(1, 10, figsize=(8, 1.2), layout="constrained")
for digit, ax in enumerate(axes):
    ax.imshow(images[labels == digit][0], cmap="gray_r")
    ax.set_title(digit)
    ax.axis("off")

# %% [markdown]
# ## The network
#
# Two fully connected layers, each followed by a layer of neurons. The pixels go in as currents, the
# same at each of 25 time steps. The states are explicit: `forward` starts from empty membranes, and
# hands each on to the next step. It returns all output spikes and membranes, time first.


# %%
class Net(nn.Module):
    def __init__(self, num_hidden=128, beta=0.95):
        super().__init__()
        self.fc1 = nn.Linear(images[0].numel(), num_hidden)
        self.lif1 = snn.Leaky(beta=beta)
        self.fc2 = nn.Linear(num_hidden, 10)
        self.lif2 = snn.Leaky(beta=beta)

    def forward(self, x):
        x = x.flatten(1)
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spk_rec, mem_rec = [], []
        for _ in range(num_steps):
            spk1, mem1 = self.lif1(self.fc1(x), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spk_rec.append(spk2)
            mem_rec.append(mem2)
        return torch.stack(spk_rec), torch.stack(mem_rec)


torch.manual_seed(0)
net = Net()
x, y = next(iter(train_loader))
spk_rec, mem_rec = net(x)
print("output spikes: (time steps, images, classes) =", tuple(spk_rec.shape))

# %% [markdown]
# ## The answer and the loss
#
# There is one output neuron per class. The one that fires most often is the answer (a *rate code*;
# that the first one to fire is the answer, a *latency code*, is another choice):


# %%
def accuracy(spk_rec, targets):
    return (spk_rec.sum(0).argmax(1) == targets).float().mean().item()


print(f"accuracy before training: {100 * accuracy(spk_rec, y):.1f} %")

# %% [markdown]
# Counts are whole numbers, so a loss is easier to write for the membranes. The membrane of the
# right neuron should be high and the others low, at every time step. Cross entropy asks for
# that: the softmax turns the ten membranes of a step into probabilities,
#
# $$p_i[t] = \frac{e^{U_i[t]}}{\sum_j e^{U_j[t]}}, \qquad
# \mathcal{L} = \sum_t -\log p_y[t]$$
#
# with the right class $y$. A high membrane makes a neuron fire, so the spikes follow.

# %%
cross_entropy = nn.CrossEntropyLoss()


def loss_over_time(mem_rec, targets):
    loss = 0
    for mem in mem_rec:  # one time step after the other
        loss = loss + cross_entropy(mem, targets)
    return loss


before = loss_over_time(mem_rec, y).item()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
optimizer.zero_grad()
loss_over_time(mem_rec, y).backward()
optimizer.step()
after = loss_over_time(net(x)[1], y).item()
print(f"loss of one batch, over {num_steps} steps: {before:.1f}, after one update: {after:.1f}")

# %% [markdown]
# One update lowers it. Note that a loss of $\ln 10 = 2.3$ per step, 58 in all, is what guessing
# costs. Now the whole training set, thirty times.


# %%
def evaluate(net, data):
    x, y = data.tensors
    with torch.no_grad():
        spk_rec, mem_rec = net(x)
    return loss_over_time(mem_rec, y).item(), accuracy(spk_rec, y)


def train(net, epochs):
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    history = []
    for _ in range(epochs):
        total = 0.0
        for x, y in train_loader:
            _, mem_rec = net(x)
            loss = loss_over_time(mem_rec, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(y)
        history.append((total / len(train_set), *evaluate(net, val_set)))
    return history


torch.manual_seed(0)
net = Net()
start = time.perf_counter()
history = train(net, epochs=30)
loop_seconds = time.perf_counter() - start
print(f"trained in {loop_seconds:.1f} s")

# %%
train_loss, val_loss, val_accuracy = zip(*history, strict=True)
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.plot(range(1, 31), train_loss, label="training")
left.plot(range(1, 31), val_loss, label="validation")
left.set(xlabel="epoch", ylabel="loss, summed over 25 steps", ylim=(0, None))
left.legend()
right.plot(range(1, 31), [100 * share for share in val_accuracy])
_ = right.set(xlabel="epoch", ylabel="validation accuracy (%)", ylim=(50, 100))
# %% [markdown]
# What do the output neurons do? Below are the membranes and the spikes of one test image. The loss
# reads membranes alone, and the spikes came along. Cross entropy is never content, so
# the right membrane climbs far above the threshold, faster than its spikes can take off 1 per step.

# %%
x, y = test_set[0]
with torch.no_grad():
    spk_rec, mem_rec = net(x[None])
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for digit in range(10):
    right_one = digit == int(y)
    left.plot(mem_rec[:, 0, digit], color="C3" if right_one else "0.75", zorder=2 + right_one)
left.axhline(1, color="0.4", linestyle="--")
left.set(xlabel="time step", ylabel="output membrane (normalized)", title=f"red: neuron {int(y)}")
splt.raster(spk_rec[:, 0], right)
_ = right.set(yticks=range(10), xlabel="time step", ylabel="output neuron", title="spikes")
# %% [markdown]
# ## The same class, fused
#
# The loop in `forward` makes many small calls: two layers of weights and two of neurons, at each of
# 25 steps. `snn.fuse` leaves the class as it is. It notes what the loop does, and
# runs each layer over all steps at once. That saves most of the time, and the numbers stay.

# %%
torch.manual_seed(0)
fused = snn.fuse(Net())  # the same weights, from the same seed
start = time.perf_counter()
fused_history = train(fused, epochs=30)
fused_seconds = time.perf_counter() - start
print(f"loop {loop_seconds:.1f} s, fused {fused_seconds:.1f} s on this machine")
print(snn.plan(fused))

# %% [markdown]
# The plan says what happened: the first layer of weights ran once, since its input is the same at
# each step; the second ran all steps as one batch; and the neurons are one kernel over all time.
# [Going fast](21_going_fast.ipynb) has more on that.
#
# **Think about it.** Both networks started from the same weights and saw the same batches. Why may
# their losses after thirty epochs still differ in the last digits?
#
# <details><summary>Answer</summary>
#
# A matrix product of 1,600 rows may add its terms in another order than 25 products of 64 rows do,
# and floating-point sums depend on the order. The difference is some units in the seventh digit.
# Now and then one puts a membrane on the other side of the threshold, and from there
# the two networks learn slightly different things. Neither is better.
#
# </details>

# %%
loop_loss, fused_loss = history[0][0], fused_history[0][0]
print(f"loss of the first epoch: loop {loop_loss:.4f}, fused {fused_loss:.4f}")
_, fused_accuracy = evaluate(fused, test_set)
_, test_accuracy = evaluate(net, test_set)
print(f"test accuracy: loop {100 * test_accuracy:.1f} %, fused {100 * fused_accuracy:.1f} %")

# %% [markdown]
# **Try it.** Train with a very narrow surrogate, `spike_grad=surrogate.fast_sigmoid(slope=100)` for
# both neurons, and compare the curves. Then give the neurons `beta=0.5`: does a network that
# forgets fast still tell digits apart, when its input never changes?

# %%
print(f"test accuracy {100 * test_accuracy:.1f} % of {len(test_set)} digits")
assert torch.allclose(blame, by_formula, atol=1e-5)
assert abs(loop_loss - fused_loss) < 0.02 * loop_loss
assert min(test_accuracy, fused_accuracy) > 0.92  # 95.8 % and 95.6 % when written

# %% [markdown]
# ## What to read next
#
# - [Convolutional networks](06_convolution.ipynb) need less code: the neurons keep their states.
# - [Population coding](08_population_coding.ipynb) answers within one time step.
# - [Going fast](21_going_fast.ipynb) compares all ways to run a loop over time.
#
# The method is from
#
# - E. O. Neftci, H. Mostafa, F. Zenke. Surrogate Gradient Learning in Spiking Neural Networks.
#   IEEE Signal Processing Magazine, 2019.
# - F. Zenke, S. Ganguli. SuperSpike: Supervised Learning in Multilayer Spiking Neural Networks.
#   Neural Computation, 2018.
# - P. J. Werbos. Backpropagation Through Time: What It Does and How to Do It. Proceedings of the
#   IEEE, 1990.
# - J. K. Eshraghian and others. Training Spiking Neural Networks Using Lessons From Deep Learning.
#   Proceedings of the IEEE, 2023.
