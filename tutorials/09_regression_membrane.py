# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Regression, part 1: a membrane potential that follows a curve
#
# A classifier asks *which one?* Regression asks *how much?* Spikes are all or nothing, so how does
# a spiking net answer with a number? In this chapter you will
#
# - compare four ways to read a number from a spiking neuron,
# - turn an output neuron into a **leaky integrator**, whose membrane potential is the answer,
# - train a net to draw one curve, then to transform curves that it has never seen,
# - measure what the reset of a neuron costs when the membrane is what you read.
#
# It runs for about half a minute on one core. Read [training](05_training.ipynb) before.

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn

import snntorch as snn
import snntorch.spikeplot as splt
from snntorch import surrogate

torch.manual_seed(0)
plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False}

# %% [markdown]
# ## Where is the number?
#
# In regression a model turns inputs $x$ into a number $\hat y$ that should be close to a target
# $y$. How close is measured by the mean square error or by the mean absolute error over $n$
# targets,
#
# $$\mathcal{L}_\mathrm{MSE} = \frac{1}{n} \sum_{i=1}^{n} (y_i - \hat y_i)^2, \qquad
# \mathcal{L}_1 = \frac{1}{n} \sum_{i=1}^{n} |y_i - \hat y_i|.$$
#
# The first one is easier to train with, as its gradient fades near the target; the second one is
# easier to read, as it has the unit of $y$. A spiking neuron offers several places to find
# $\hat y$:
#
# | what is read | kind of number | resolution with $T$ time steps |
# |---|---|---|
# | how many spikes it fires | a rate | $T + 1$ values, one answer per run |
# | when its first spike comes | a latency | $T$ values, one answer per run |
# | how far apart two spikes are | an interval | fewer than $T$ values, one per pair of spikes |
# | its membrane potential | a real number | continuous, one answer **per time step** |
#
# Only the last one gives a new, finely graded number at every step, so it is the natural choice
# when the target is a curve over time. Reading the membrane takes an analog value out of a
# spiking system, which has its price in hardware. The price is small if, as here, all layers
# speak to each other by spikes and only the few output neurons are read out.
#
# ## The leaky integrator
#
# A leaky integrate-and-fire neuron adds its input current $I[t]$ to a membrane potential $U$ that
# loses the share $1 - \beta$ at every time step. When $U$ exceeds the threshold, the neuron fires
# and $U$ is reset. Such jumps are the last thing a smooth curve needs. `reset_mechanism="none"`
# leaves them out, and what remains is a **leaky integrator**,
#
# $$U[t] = \beta\, U[t-1] + I[t] = \sum_{k=0}^{t} \beta^{\,k}\, I[t-k] .$$
#
# In words: every incoming spike lifts the membrane by the weight of its synapse, and this
# contribution fades as $\beta^k$ in the $k$ steps that follow. Here is the answer of both kinds of
# output neuron to the same few input spikes.

# %%
weights = torch.zeros(60, 1)
weights[[5, 12, 15, 18, 21, 24, 40]] = torch.tensor([0.6, 0.5, 0.5, 0.5, 0.5, 0.5, -0.7])[:, None]

membranes = {}
for reset in ("subtract", "none"):
    neuron = snn.Leaky(beta=0.9, reset_mechanism=reset)
    mem = neuron.init_leaky()
    record = []
    for step in range(len(weights)):
        _, mem = neuron(weights[step], mem)
        record.append(mem)
    membranes[reset] = torch.stack(record)

fig, ax = plt.subplots(figsize=(8, 3), layout="constrained")
ax.vlines(weights.nonzero()[:, 0], 0, weights[weights != 0], color="0.75", lw=3, label="input")
ax.plot(membranes["subtract"], label='reset "subtract"')
ax.plot(membranes["none"], label='reset "none": leaky integrator')
ax.axhline(1, color="0.5", ls=":", lw=1)
ax.text(60, 1.03, "threshold", ha="right", color="0.4")
ax.set(xlabel="time step", ylabel="membrane potential\n(in units of the threshold)")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# **Think about it.** The integrator gets $s$ spikes per step on average, each through a weight
# $w$. Around which value does its membrane settle? And how does $\beta$ trade the smoothness of
# the curve against how fast it can change?
#
# <details><summary>Answer</summary>
#
# The sum above becomes a geometric series: $U \to w\,s\,/\,(1 - \beta)$. With $\beta = 0.9$ the
# weights can be ten times smaller than the values they have to add up to, so a single spike is
# just a small step: smooth. But old spikes linger for about $1/(1-\beta) = 10$ steps, so the
# curve cannot fall faster than they fade, unless inhibitory spikes (negative weights) push it
# down. With a small $\beta$ it is the other way round. That is a good reason to let the net
# *learn* $\beta$.
#
# </details>
#
# ## Curves to learn
#
# The input is a ramp that climbs from 0 to a random height within 50 time steps. At each step the
# net sees where the ramp stands, and three output neurons have to say where three different
# functions of it stand: the ramp itself, its square, and its square root. The first is linear,
# the others are not.

# %%
num_steps = 50


def make_ramps(count):
    heights = 0.2 + 0.8 * torch.rand(count)
    ramps = torch.linspace(0, 1, num_steps)[:, None] * heights
    return ramps.unsqueeze(-1)  # (time, batch, 1)


def make_targets(ramps):
    return torch.cat([ramps, ramps**2, ramps.sqrt()], dim=-1)  # (time, batch, 3)


names = ["ramp $x$", "square $x^2$", r"square root $\sqrt{x}$"]
train_x, test_x = make_ramps(200), make_ramps(100)
train_y, test_y = make_targets(train_x), make_targets(test_x)

fig, axes = plt.subplots(1, 3, figsize=(8, 2.6), layout="constrained", sharey=True)
for i, ax in enumerate(axes):
    ax.plot(train_y[:, :12, i], color=f"C{i}", lw=1)
    ax.set(title=names[i], xlabel="time step")
axes[0].set_ylabel("target of the membrane")
plt.show()

# %% [markdown]
# ## The net
#
# Two hidden layers of leaky integrate-and-fire neurons, which speak in spikes, and three
# integrators that listen.
#
# - **Every hidden neuron is different.** `beta` and `threshold` are given as vectors of random
#   numbers, one per neuron. Neurons with low thresholds respond to the foot of a ramp, those with
#   high ones only near its top; together they cover the whole range. If all were the same, they
#   would all fire at the same moments.
# - **Decay rates are learned**, with `learn_beta=True`.
# - **Spikes have no useful derivative**, so a surrogate gradient stands in, as in the chapter on
#   training.


# %%
class Net(nn.Module):
    def __init__(self, hidden=64, outputs=3, reset="none"):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(1, hidden), self.spiking(hidden)
        self.fc2, self.lif2 = nn.Linear(hidden, hidden), self.spiking(hidden)
        self.fc3 = nn.Linear(hidden, outputs)
        self.readout = snn.Leaky(
            beta=torch.full((outputs,), 0.8), learn_beta=True, reset_mechanism=reset
        )

    def spiking(self, size):
        beta, threshold = torch.rand(size), 0.5 * torch.rand(size)
        spike_grad = surrogate.fast_sigmoid(slope=25)
        return snn.Leaky(beta, threshold, spike_grad=spike_grad, learn_beta=True)

    def forward(self, x):
        mem1, mem2, mem3 = (lif.init_leaky() for lif in (self.lif1, self.lif2, self.readout))
        membranes = []
        for step in range(len(x)):
            spk1, mem1 = self.lif1(self.fc1(x[step]), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            _, mem3 = self.readout(self.fc3(spk2), mem3)  # its spikes are of no interest
            membranes.append(mem3)
        return torch.stack(membranes)  # (time, batch, outputs)


# %% [markdown]
# ## Warm-up: one single curve
#
# First the smallest possible task: one net, one ramp, one square root. If this fails, nothing
# else will work. The loss compares the membrane with the target at every time step, and
# backpropagation runs through all of them.

# %%
loss_fn = nn.MSELoss()


def train(net, x, y, iterations, lr, batch_size=50):
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=iterations)
    losses = []
    for _ in range(iterations):
        chosen = torch.randperm(x.shape[1])[:batch_size]
        loss = loss_fn(net(x[:, chosen]), y[:, chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


single = Net(outputs=1)
x, y = train_x[:, :1], train_y[:, :1, 2:]
with torch.no_grad():
    before = single(x)
losses = train(single, x, y, iterations=100, lr=2e-2)
with torch.no_grad():
    after = single(x)

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.plot(y[:, 0], "k--", lw=1, label="target")
left.plot(before[:, 0], color="0.6", label="before training")
left.plot(after[:, 0], label="after training")
left.set(xlabel="time step", ylabel="membrane potential", title="one curve")
left.legend(frameon=False)
right.semilogy(losses)
right.set(xlabel="iteration", ylabel="mean square error", title="training")
plt.show()

# %% [markdown]
# The small teeth are the spikes of the hidden layer: each of them is one step up or down, and
# between them the membrane leaks.
#
# ## Curves that the net has not seen
#
# A net that draws one curve may have learned it by heart: the same picture could come from
# neurons that ignore the input and count time steps. So the real task has 200 ramps to train on,
# 100 other ones to test with, and three outputs at once. `snn.fuse` runs the time loop of the net
# layer by layer, which gives the same numbers several times faster.

# %%
net = snn.fuse(Net())
losses = train(net, train_x, train_y, iterations=500, lr=2e-2)


def relative_error(predicted, target):
    return (predicted - target).norm(dim=(0, 1)) / target.norm(dim=(0, 1))


with torch.no_grad():
    answer = net(test_x)
errors = relative_error(answer, test_y)
absolute = (answer - test_y).abs().mean((0, 1))
for name, error, distance in zip(names, errors, absolute, strict=True):
    print(f"{name:24} mean absolute error {distance:.3f}, relative error {100 * error:4.1f} %")

# %% [markdown]
# The **relative error** of an output is the length of the error over the length of the target, of
# all test curves together: $\lVert \hat y - y \rVert / \lVert y \rVert$. To know whether a number
# is good, compare it with something simple. A model that ignores its input could do no better
# than the average of the training curves.

# %%
average = train_y.mean(1, keepdim=True).expand_as(test_y)
baseline = relative_error(average, test_y)
print("ignoring the input:", ", ".join(f"{100 * error:.0f} %" for error in baseline))

fig, axes = plt.subplots(1, 3, figsize=(8, 3), layout="constrained", sharey=True)
shown = test_x[-1, :, 0].argsort()[::16]  # from a low ramp to a high one
for i, ax in enumerate(axes):
    ax.plot(test_y[:, shown, i], "k--", lw=0.8)
    ax.plot(answer[:, shown, i], color=f"C{i}")
    ax.set(title=f"{names[i]}: error {100 * errors[i]:.1f} %", xlabel="time step")
axes[0].set_ylabel("membrane potential\n(dashed: target)")
plt.show()

# %% [markdown]
# Three membranes read the same spikes of the same hidden layer, and each weighs them differently.
# Let us look at how the hidden layer says *how high* in a language of spikes only.

# %%
hidden = []
hook = net.lif2.register_forward_hook(lambda module, inputs, output: hidden.append(output[0]))
with torch.no_grad():
    snn.unfuse(net)(test_x[:, shown])
hook.remove()
spikes = torch.stack(hidden).detach()  # (time, curves, neurons)

low, high = spikes[:, 0], spikes[:, -1]
order = (low + high).sum(0).argsort()
fig, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained", sharey=True)
for ax, record, which in zip(axes, (low, high), (0, -1), strict=True):
    splt.raster(record[:, order], ax)
    ax.set(xlabel="time step", ylabel="", title=f"ramp up to {test_x[-1, shown[which], 0]:.2f}")
axes[0].set_ylabel("hidden neuron, sorted by activity")
plt.show()

# %% [markdown]
# Each row is a neuron of the second hidden layer. Some fire from the start, some join in when the
# ramp is high enough, and their rhythm tells the readout how high it is. Many never fire at all:
# for this task the net needs only a part of its neurons, and in a spiking system a silent neuron
# costs next to nothing.
#
# **Think about it.** The square root is steepest at the very first step, just where the ramp has
# hardly left zero. Look at its panel: what does the net do there, and why must it?
#
# <details><summary>Answer</summary>
#
# The membrane lags behind at the start. The input is close to zero there, so what the first layer
# receives is little more than its biases, and neurons have to charge up before they can fire. A
# membrane can only react to spikes that have arrived: two layers of neurons have to fire first.
#
# </details>
#
# ## What the reset costs
#
# Is it important to switch off the reset of the output neurons? Train the same net again with the
# usual `"subtract"`. A target above the threshold of 1 would be hopeless; our targets stay below,
# so it is a fair fight.

# %%
torch.manual_seed(0)
resetting = snn.fuse(Net(reset="subtract"))
train(resetting, train_x, train_y, iterations=500, lr=2e-2)
with torch.no_grad():
    jumpy = resetting(test_x)
reset_errors = relative_error(jumpy, test_y)
print("with a reset:", ", ".join(f"{100 * error:.1f} %" for error in reset_errors))

fig, ax = plt.subplots(figsize=(8, 3), layout="constrained")
top = test_x[-1, :, 0].argmax()
ax.plot(test_y[:, top, 2], "k--", lw=1, label="target")
ax.plot(answer[:, top, 2], label='"none"')
ax.plot(jumpy[:, top, 2], label='"subtract"')
ax.set(xlabel="time step", ylabel="membrane potential", title="square root of the highest ramp")
ax.legend(frameon=False, loc="lower right")
plt.show()

# %%
mean_error = errors.mean().item()
print(
    f"on unseen curves the membranes are off by {100 * mean_error:.1f} % on average, "
    f"{100 * reset_errors.mean():.1f} % with a reset, {100 * baseline.mean():.0f} % without looking"
)
assert mean_error < 0.15  # 10.4 % when written

# %% [markdown]
# **Try it.** Let the net foresee: shift the targets by five steps, so that the membrane has to show
# at step $t$ what the curve will be at step $t + 5$ (`test_y[5:]` against `net(test_x)[:-5]`). Does
# the lag at the start of the square root get better or worse? Then let the ramps stop half-way at a
# random time, which nothing in the input announces, and look at the errors around that moment.
#
# Read next: [regression, part 2](10_regression_recurrent.ipynb), which turns classification into
# regression on spike counts, with recurrent neurons.
#
# Sources
#
# - A. Henkes, J. K. Eshraghian, H. Wessels. Spiking neural networks for nonlinear regression.
#   arXiv 2210.03515, 2022.
# - J. K. Eshraghian, M. Ward, E. Neftci, X. Wang, G. Lenz, G. Dwivedi, M. Bennamoun, D. S. Jeong,
#   W. D. Lu. Training spiking neural networks using lessons from deep learning. Proceedings of
#   the IEEE 111(9), 2023.
