# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Regression, part 3: the time of a spike, and a spiking LSTM
#
# A single spike can carry a number: the moment at which it comes. In this chapter you will
#
# - see how a loss can look at spike times, and where its gradient goes,
# - classify digits with one spike: whoever fires first, wins,
# - meet `SLSTM`, a spiking neuron whose memory has gates,
# - teach it to clap along: hear two pulses, and fire when the third one would be due.
#
# It runs for about half a minute on one core. Read [part 2](10_regression_recurrent.ipynb) before.

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn

import snntorch as snn
import snntorch.functional as SF
import snntorch.spikeplot as splt
from snntorch import surrogate, utils

DOWNLOAD = False  # True: the full MNIST (needs torchvision and a network)
torch.manual_seed(0)
plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False}

# %% [markdown]
# ## The gradient of a moment
#
# Let $S_i[t]$ be the spikes of output neuron $i$, 0 or 1, at the steps $t = 0, \dots, T - 1$. Its
# first spike comes at
#
# $$t_i = \min \{\, t : S_i[t] = 1 \,\}, \qquad t_i = T - 1 \text{ if it never fires.}$$
#
# A step more or less is a jump, so $t_i$ has no derivative. The losses on spike times use a
# stand-in: $\partial t_i / \partial S_i[t_i] = -1$. In words: *more* of the first spike is
# *earlier*. Only the time of the first spike gets a gradient; from there the surrogate gradient of
# the spike carries it on to the membrane and to the weights. `SF.SpikeTime` does it.

# %%
spikes = torch.zeros(8, 1, 3)  # (time, batch, neurons)
spikes[[3, 5], 0, 0] = 1  # fires at 3 and 5
spikes[6, 0, 1] = 1  # fires at 6; the third neuron never does
spikes.requires_grad_()

times = SF.SpikeTime.FirstSpike(spikes)
times.sum().backward()
print("first spikes:", times.tolist())
print(
    "steps with a gradient:",
    [column.nonzero().flatten().tolist() for column in spikes.grad[:, 0].T],
)

# %% [markdown]
# The silent neuron counts as one that fires at the last step, and that is where its gradient goes.
#
# Two losses build on it. With the targets $\hat t_i$
#
# $$\mathcal{L}_\mathrm{MSE} = \frac{1}{C} \sum_{i=1}^{C} \Bigl(\frac{t_i - \hat t_i}{T}\Bigr)^2
# \qquad\text{and}\qquad
# \mathcal{L}_\mathrm{CE} = -\ln \frac{e^{-t_y}}{\sum_i e^{-t_i}},$$
#
# where $y$ is the label. `SF.mse_temporal_loss` pulls every spike to a time of its own, while
# `SF.ce_temporal_loss` only wants the right neuron to be earlier than the others.
#
# ## Whoever fires first
#
# First the losses alone, with plain `Leaky` neurons and whole images: the pixels are the input
# current, the same at each of 20 steps, and the first of ten output neurons to fire names the
# digit.

# %%
if DOWNLOAD:
    from torchvision.datasets import MNIST

    parts = [MNIST("data", train=train, download=True) for train in (True, False)]
    images = torch.cat([part.data for part in parts]).flatten(1) / 255
    labels = torch.cat([part.targets for part in parts])
else:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images, labels = torch.tensor(digits.data).float() / 16, torch.tensor(digits.target)

order = torch.randperm(len(images))
num_test = len(images) // 5
test_x, train_x = images[order].split([num_test, len(images) - num_test])
test_y, train_y = labels[order].split([num_test, len(images) - num_test])


# %%
def first_to_fire(loss_fn, epochs=15, batch_size=64, num_steps=20):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(images.shape[1], 100),
        snn.Leaky(beta=0.9, init_hidden=True, spike_grad=surrogate.atan()),
        nn.Linear(100, 10),
        snn.Leaky(beta=0.9, init_hidden=True, spike_grad=surrogate.atan()),
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(epochs):
        for chosen in torch.randperm(len(train_x)).split(batch_size):
            utils.reset(net)
            spikes = snn.unroll(net, train_x[chosen], num_steps=num_steps)
            loss = loss_fn(spikes, train_y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        utils.reset(net)
        return snn.unroll(net, test_x, num_steps=num_steps)


# %%
losses = {
    "ce_temporal_loss": SF.ce_temporal_loss(),
    "mse_temporal_loss": SF.mse_temporal_loss(on_target=5, off_target=-1),
}
records = {name: first_to_fire(loss_fn) for name, loss_fn in losses.items()}

fig, axes = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained", sharey=True)
for ax, (name, record) in zip(axes, records.items(), strict=True):
    times = SF.SpikeTime.FirstSpike(record)
    is_right = nn.functional.one_hot(test_y, 10).bool()
    steps = torch.arange(-0.5, 20).tolist()
    for mask, who in ((is_right, "right neuron"), (~is_right, "wrong neurons")):
        ax.hist(times[mask].tolist(), steps, density=True, alpha=0.7, label=who)
    accuracy = SF.accuracy_temporal(record, test_y)
    ax.set(title=f"{name}: {100 * accuracy:.1f} % right", xlabel="first spike (time step)")
axes[0].set_ylabel("share of neurons")
axes[0].legend(frameon=False)
plt.show()

# %% [markdown]
# Both tell the digits apart with a handful of steps and a single spike, instead of counts over the
# whole run. The cross-entropy pushes the right neuron as early as it can; the square error places
# it at step 5, where it was asked to fire, and all others at the last step (`off_target=-1`), which
# includes not firing at all.
#
# **Think about it.** After the first spike the answer is known. What would a chip gain from that,
# and what does it mean that a *silent* net has an answer, too?
#
# <details><summary>Answer</summary>
#
# The chip can stop there: no further steps have to be computed, and easy images take less time and
# energy than hard ones. If no neuron fires, all of them count as firing at the last step;
# `SF.accuracy_temporal` takes the lowest of those that tie, so class 0. That answer means nothing.
# A net that is to know when it does not know should treat silence as "no idea".
#
# </details>
#
# ## A memory with gates
#
# Now a task in which the time itself is the point. A membrane forgets at a fixed pace $\beta$. An
# LSTM (long short-term memory) decides at each step what to write, what to keep and what to show,
# by *gates*, numbers between 0 and 1 that depend on its input and on its own state:
#
# $$\begin{aligned}
# i, f, o &= \sigma(\text{a linear map of } x[t] \text{ and } U[t-1]) \text{ each}, \qquad
# g = \tanh(\text{another one}), \\
# I[t] &= f \odot I[t-1] + i \odot g, \\
# U[t] &= o \odot \tanh(I[t]), \qquad S[t] = 1 \text{ where } U[t] > \theta .
# \end{aligned}$$
#
# $\odot$ is the product neuron by neuron. The cell state $I$ (`syn`) keeps what the forget gate $f$
# lets it keep, for hundreds of steps if $f \approx 1$. The hidden state $U$ (`mem`) takes the place
# of the membrane: where it exceeds the threshold $\theta$, the neuron fires.
#
# Mind the threshold! As $\tanh$ stays below 1, $U$ never exceeds the default threshold of 1, and
# the cell would be silent for ever. We take 0.1.

# %%
with torch.no_grad():
    for threshold in (1.0, 0.1):
        cell = snn.SLSTM(input_size=1, hidden_size=32, threshold=threshold)
        syn, mem = cell.init_slstm()
        count = 0
        for _ in range(50):
            spk, syn, mem = cell(torch.randn(100, 1), syn, mem)
            count += spk.mean().item()
        print(f"threshold {threshold}: {count / 50:.2f} spikes per neuron and step")

# %% [markdown]
# ## Clap along
#
# Somebody claps twice. You clap once, with the same interval again. The input is silent but for two
# pulses, at a random start and $d$ steps later, with $d$ between 3 and 10. The output neuron has to
# fire for the first time $d$ steps after the second pulse. To do so, the net has to measure a time,
# to keep it, and to let the same time pass, while no input arrives. A stopwatch, made of spikes.

# %%
num_steps = 32


def make_claps(count):
    start, interval = torch.randint(0, 5, (count,)), torch.randint(3, 11, (count,))
    pulses, which = torch.zeros(num_steps, count, 1), torch.arange(count)
    pulses[start, which] = 1
    pulses[start + interval, which] = 1
    return pulses, (start + 2 * interval).unsqueeze(1).float(), interval


test_pulses, test_times, test_intervals = make_claps(500)


# %%
class Clapper(nn.Module):
    def __init__(self, hidden=32, gated=True):
        super().__init__()
        if gated:
            self.into, self.memory = nn.Identity(), snn.SLSTM(1, hidden, threshold=0.1)
        else:
            self.into = nn.Linear(1, hidden)
            self.memory = snn.Leaky(beta=0.5 + 0.5 * torch.rand(hidden), learn_beta=True)
        self.fc = nn.Linear(hidden, 1)
        self.out = snn.Leaky(beta=0.8, learn_beta=True)

    def forward(self, x):
        state, mem = self.memory.reset_mem(), self.out.init_leaky()
        state = state if isinstance(state, tuple) else (state,)
        spikes, membranes = [], []
        for step in range(len(x)):
            spk, *state = self.memory(self.into(x[step]), *state)
            out, mem = self.out(self.fc(spk), mem)
            spikes.append(out)
            membranes.append(mem)
        return torch.stack(spikes), torch.stack(membranes)


# %% [markdown]
# `SF.mse_temporal_loss(target_is_time=True)` takes the times themselves as targets. Alone it would
# teach slowly, because it has just one point of attack: if the neuron is silent, only the very last
# step is pushed up. So we add a guide, a loss on the membrane like that of [part
# 1](09_regression_membrane.ipynb): at 0 *before* the target time, above the threshold *at* it, and
# whatever it likes afterwards.

# %%
time_loss = SF.mse_temporal_loss(target_is_time=True)
clock = torch.arange(num_steps)[:, None, None]


def guide(membranes, times):
    wanted = torch.where(clock < times, 0.0, 1.5)
    weight = torch.where(clock == times, 10.0, 1.0) * (clock <= times)
    return (weight * (membranes - wanted) ** 2).sum() / weight.sum()


# %%
def practice(net, iterations=500, batch_size=48, lr=2e-2):
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=iterations)
    history = []
    for _ in range(iterations):
        pulses, times, _ = make_claps(batch_size)
        spikes, membranes = net(pulses)
        on_time = time_loss(spikes, times)
        loss = on_time + 0.3 * guide(membranes, times)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        history.append(on_time.item() ** 0.5 * num_steps)
    return history


torch.manual_seed(0)
gated, leaky = snn.fuse(Clapper()), snn.fuse(Clapper(gated=False))
gated_history, leaky_history = practice(gated), practice(leaky)


# %%
@torch.no_grad()
def first_claps(net):
    return SF.SpikeTime.FirstSpike(net(test_pulses)[0])


def error(claps):
    return (claps - test_times).abs().mean().item()


always_the_same = test_times.median().expand_as(test_times)
fig, (left, *rest) = plt.subplots(1, 3, figsize=(8, 3), layout="constrained")
for history, name in ((gated_history, "SLSTM"), (leaky_history, "Leaky")):
    smooth = torch.tensor(history).unfold(0, 20, 1).mean(-1)
    left.plot(smooth, label=name)
left.set(xlabel="iteration", ylabel="error of the spike time (time steps)", ylim=(0, None))
left.legend(frameon=False)
for ax, net, name in zip(rest, (gated, leaky), ("SLSTM", "Leaky"), strict=True):
    jitter = 0.3 * torch.randn(2, len(test_times))  # many samples share a point
    ax.plot([9, 28], [9, 28], color="0.6", lw=1)
    claps = first_claps(net)
    ax.plot(test_times[:, 0] + jitter[0] / 3, claps[:, 0] + jitter[1], ".", ms=2)
    ax.set(title=f"{name}: {error(claps):.2f} steps off", xlabel="target (time step)")
rest[0].set_ylabel("first spike (time step)")
plt.show()

# %% [markdown]
# The SLSTM claps on time. The layer of `Leaky` neurons does not learn it: it has nothing but
# decaying membranes, whose pace no input can change, and it fires too early. A first spike is
# unforgiving: one that comes too early cannot be taken back, so this net is even further off than
# an answer that is always the same (see the last line of this chapter).
#
# **Think about it.** How can a net without a clock measure a time? Guess what happens inside
# between the two pulses, and after the second one, before you look at the next figure.
#
# <details><summary>Answer</summary>
#
# Something has to go on changing while nothing arrives, slowly and always in the same way. Then
# what it has come to tells how much time has passed. The second pulse finds it there, and how it
# goes on from this point decides when the output is set off.
#
# </details>

# %%
inside = []
hook = gated.memory.register_forward_hook(lambda module, inputs, output: inside.append(output))
examples = [int((test_intervals == d).nonzero()[0]) for d in (4, 9)]
with torch.no_grad():
    fired, membrane = snn.unfuse(gated)(test_pulses[:, examples])
hook.remove()
spikes, cells = torch.stack([out[0] for out in inside]), torch.stack([out[1] for out in inside])

fig, axes = plt.subplots(3, 2, figsize=(8, 6), layout="constrained", sharex=True, sharey="row")
for k, (top, middle, bottom) in enumerate(axes.T):
    i = examples[k]
    splt.raster(spikes[:, k], top)
    top.set(xlabel="", ylabel="", title=f"interval of {test_intervals[i]} steps")
    middle.plot(cells[:, k], color="C0", lw=0.8, alpha=0.5)
    bottom.plot(membrane[:, k], color="C1")
    bottom.axhline(1, color="0.6", ls=":", lw=1)
    bottom.plot(test_times[i], 1, "v", color="k", label="target")
    bottom.set(xlabel="time step", ylim=(-2, 3))
    for ax in (top, middle, bottom):
        for pulse in test_pulses[:, i, 0].nonzero():
            ax.axvline(pulse.item(), color="C2", lw=3, alpha=0.3)
for ax, name in zip(axes[:, 0], ("SLSTM neuron", "cell states", "output membrane"), strict=True):
    ax.set_ylabel(name)
bottom.legend(frameon=False, loc="upper left")
plt.show()

# %% [markdown]
# From top to bottom: the spikes of the SLSTM (green: the two pulses), its cell states, and the
# membrane of the output neuron, which crosses its threshold (dotted) when the third clap is due.
# The cell states swing like slow waves. The longer the interval, the further they have come when
# the second pulse arrives, and neurons take turns in firing. (What happens after the target is up
# to the net, and sometimes it claps again.)

# %%
digit_accuracy = float(SF.accuracy_temporal(records["ce_temporal_loss"], test_y))
gated_error, leaky_error = error(first_claps(gated)), error(first_claps(leaky))
print(
    f"digits by the first spike: {100 * digit_accuracy:.1f} %; third clap off by {gated_error:.2f} "
    f"steps (Leaky: {leaky_error:.2f}, always at the same time: {error(always_the_same):.2f})"
)
assert digit_accuracy > 0.88  # 96.4 % when written
assert gated_error < 1.0  # 0.04 when written

# %% [markdown]
# **Try it.** Test the stopwatch with intervals it has never practiced: train with $d$ from 3 to 10
# but without 6, then test with $d = 6$ alone. Then with $d = 12$ (`num_steps` has to grow): does it
# keep time beyond what it knows?
#
# Read next: [autoencoder](12_autoencoder.ipynb), or [light curves](13_light_curves.ipynb), where
# the sequences come from the sky.
#
# Sources
#
# - S. Hochreiter, J. Schmidhuber. Long short-term memory. Neural Computation 9(8), 1997.
# - S. M. Bohte, J. N. Kok, H. La Poutré. Error-backpropagation in temporally encoded networks of
#   spiking neurons. Neurocomputing 48, 2002.
# - A. Henkes, J. K. Eshraghian, H. Wessels. Spiking neural networks for nonlinear regression. arXiv
#   2210.03515, 2022.
