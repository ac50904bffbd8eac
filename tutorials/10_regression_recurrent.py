# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Regression, part 2: classes as targets of a recurrent net
#
# A net that reads an image row by row has to remember the first row when it sees the last. In this
# chapter you will
#
# - feed the spikes of a layer back into it, each neuron to itself or every neuron to all,
# - turn *which class?* into *how high should each output membrane be?*, which is regression,
# - learn decay rates, thresholds and feedback weights together with all other weights,
# - measure what the feedback is worth: against the same net without it, and by cutting it.
#
# It runs for about half a minute on one core. Read
# [regression, part 1](09_regression_membrane.ipynb) before.

# %%
import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn

import snntorch as snn
import snntorch.functional as SF
import snntorch.spikeplot as splt
from snntorch import surrogate

DOWNLOAD = False  # True: the full MNIST (needs torchvision and a network)

torch.manual_seed(0)
plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False}

# %% [markdown]
# ## Spikes that come back
#
# A leaky integrate-and-fire neuron keeps the share $\beta$ of its membrane potential $U$ from one
# time step to the next, and adds its input current $X$. That is its whole memory: what happened $n$
# steps ago has faded to $\beta^n$ of itself, and each spike erases some more. A **recurrent**
# neuron also receives the spikes $S$ of its own layer, one step late:
#
# $$U[t] = \beta\,U[t-1] + X[t] + V(S[t-1]) - \theta\,S[t-1]$$
#
# $$S[t] = 1 \text{ if } U[t] > \theta, \text{ else } 0$$
#
# with the threshold $\theta$. The last term of the first line is the usual reset by subtraction.
# New is the feedback $V$, of which `snn.RLeaky` knows three kinds:
#
# | feedback | what $V(S)$ is | weights for $n$ neurons | how to ask for it |
# |---|---|---|---|
# | one to one | $v_i\,S_i$: each neuron hears only itself | 1 or $n$ | `all_to_all=False, V=...` |
# | all to all | $W S + b$: each neuron hears all | $n^2 + n$ | `linear_features=n` |
# | convolutional | a convolution of the map of spikes | few | `conv2d_channels=`, `kernel_size=` |
#
# All of them are learned, unless `learn_recurrent=False`. Such a neuron has two states, the spikes
# and the membrane of the last step. `init_rleaky()` returns both, empty. Here a single neuron gets
# a current for twelve steps and nothing afterwards, with three different weights to itself.

# %%
current = torch.zeros(40, 1)
current[4:16] = 0.35

fig, axes = plt.subplots(1, 3, figsize=(8, 2.8), layout="constrained", sharey=True)
for ax, weight in zip(axes, (-0.5, 0.0, 1.2), strict=True):
    neuron = snn.RLeaky(beta=0.9, all_to_all=False, V=weight)
    spk, mem = neuron.init_rleaky()
    spikes, membrane = [], []
    for step in range(len(current)):
        spk, mem = neuron(current[step], spk, mem)
        spikes.append(spk)
        membrane.append(mem.detach())
    ax.axvspan(4, 15, color="0.92")
    ax.axhline(1, color="0.5", ls=":", lw=1)
    ax.plot(torch.cat(membrane))
    fired = torch.cat(spikes).nonzero()[:, 0]
    ax.plot(fired, torch.full_like(fired, -1), "k|")
    ax.set(xlabel="time step", title=f"V = {weight}: {len(fired)} spikes")
axes[0].set_ylabel("membrane potential\n(in units of the threshold)")
plt.show()

# %% [markdown]
# The current flows in the gray area; the dotted line is the threshold, and the bars at the bottom
# are the spikes. A negative weight makes the neuron tired: every spike delays the next. A large
# positive one makes it a switch: each spike causes the next one, long after the current has
# stopped. One bit, remembered for as long as you like, and no leak touches it.
#
# **Think about it.** Without input, which weights $V$ keep the neuron firing for ever?
#
# <details><summary>Answer</summary>
#
# While it fires at every step, $U[t] = \beta\,U[t-1] + V - \theta$, which settles at
# $U = (V - \theta) / (1 - \beta)$. This has to exceed the threshold, so
# $V > \theta\,(2 - \beta)$. With $\theta = 1$ and $\beta = 0.9$ that is 1.1; our 1.2 leads to
# $U = 2$, the plateau of the right panel.
#
# </details>
#
# All-to-all feedback and the convolutional one are used in the same way. Only the sizes have to fit
# the layer.

# %%
layer = snn.RLeaky(beta=0.9, linear_features=10)
spk, mem = layer(torch.rand(4, 10), *layer.init_rleaky())
print("all to all:   ", tuple(spk.shape), "weights", tuple(layer.recurrent.weight.shape))

maps = snn.RLeaky(beta=0.9, conv2d_channels=3, kernel_size=(5, 5))
spk, mem = maps(torch.rand(4, 3, 32, 32), *maps.init_rleaky())
print("convolutional:", tuple(spk.shape), "weights", tuple(maps.recurrent.weight.shape))

# %% [markdown]
# ## A task that needs memory
#
# Handwritten digits, shown from top to bottom: one row of pixels per time step, as currents. Then
# the screen stays dark for eight more steps, the **hold**, and only during those the net is asked
# which digit it was.


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

rows, hold = images.shape[1], 8
held_out = 10_000 if DOWNLOAD else 360  # MNIST's own test images are its last 10,000
sizes = [len(images) - 2 * held_out, held_out, held_out]
x = torch.cat([images.transpose(0, 1), torch.zeros(hold, len(images), rows)])  # (time, image, row)
train_x, val_x, test_x = x.split(sizes, dim=1)
train_y, val_y, test_y = labels.split(sizes)
print(f"{sizes[0]} images to train on, {sizes[1]} to validate, {sizes[2]} to test")

# %%
fig, axes = plt.subplots(1, 4, figsize=(8, 2.4), layout="constrained", width_ratios=[1, 2, 1, 2])
for left, right, i in zip(axes[::2], axes[1::2], (0, 1), strict=True):
    left.imshow(test_x[:rows, i], cmap="gray_r")
    left.set(title=f"a {test_y[i]}", xticks=[], yticks=[])
    right.imshow(test_x[:, i].T, cmap="gray_r")
    right.axvline(rows - 0.5, color="C1")
    right.set(title="over time", xlabel="time step", ylabel="column", yticks=[])
plt.show()

# %% [markdown]
# On the left of each pair is the image, on the right what enters the net: a column of the right
# picture is a row of the image, and the line is where the hold begins.
#
# ## Classification as regression
#
# The usual way is to let the output with the highest score win, and a cross entropy pushes the
# score of the right class up and all others down, without end. As regression, every output gets a
# **number to reach**: the right class the one value, the others the other. Two quantities offer
# themselves, and `snntorch.functional` has a loss for each:
#
# - **the number of spikes.** `SF.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2)` asks the
#   right output to fire at 80 % of the steps, and each other one at 20 %;
# - **the membrane potential.** `SF.mse_membrane_loss(on_target=1, off_target=0)` asks the membrane
#   of the right output to be 1, and that of each other one to be 0, at every step.
#
# Both are mean square errors. For the membranes $U_i$ of the outputs $i$, over $T$ steps,
#
# $$\mathcal{L} = \frac{1}{10\,T} \sum_{t=1}^{T} \sum_{i=0}^{9}
# \left(U_i[t] - \hat U_i\right)^2, \qquad
# \hat U_i = \begin{cases} 1 & \text{if the digit is } i \\ 0 & \text{else} \end{cases}$$
#
# averaged over the digits of a batch. Once a target is reached, nothing pushes any further. In the
# case of counts this bounds the activity, hence the energy. Here is what each says of ten steps of
# an ideal answer.

# %%
spikes = torch.zeros(10, 1, 10)  # (time, batch, class)
spikes[:8, :, 3] = 1  # the right class fires 8 times
spikes[:2, :, [0, 1, 2, 4, 5, 6, 7, 8, 9]] = 1  # each other one twice
membranes = torch.zeros(10, 1, 10)
membranes[:, :, 3] = 1

count_loss = SF.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2)
loss_fn = SF.mse_membrane_loss(on_target=1, off_target=0)
for label in (3, 7):
    target = torch.tensor([label])
    print(f"if it was a {label}: counts {count_loss(spikes, target):.3f}", end=", ")
    print(f"membranes {loss_fn(membranes, target):.3f}")

# %% [markdown]
# We train with the membranes, which pass their gradient on without a surrogate. Two choices at the
# output go with that:
#
# - **No reset.** A neuron that resets itself cannot stay where it is told to. With
#   `reset_mechanism="none"` it is a leaky integrator: it can rest at any height, and it is a linear
#   function of the spikes that it receives.
# - **A threshold half-way**, 0.5, between the two targets. It does not disturb the membrane, for
#   there is no reset, but it makes the output spike at every step at which its class is believed.
#
# Here is what one step without input does to a membrane that has reached its target.

# %%
for reset in ("none", "subtract"):
    neuron = snn.Leaky(beta=0.95, threshold=0.5, reset_mechanism=reset)
    _, after = neuron(torch.zeros(1), torch.ones(1))
    print(f'reset "{reset}": from 1 to {after.item():.2f}')

# %% [markdown]
# **Think about it.** A net that ignores its input has the same answer to every digit. Which
# membranes should it choose, and what is its loss? What does this say about the membranes of a net
# that is not sure whether it has seen a 3 or an 8?
#
# <details><summary>Answer</summary>
#
# The number that is closest to many targets, in square error, is their average. A tenth of the
# digits belongs to each class, so all membranes should be 0.1, and the loss is
# $0.1 \cdot 0.9^2 + 0.9 \cdot 0.1^2 = 0.09$. In the same way, an unsure net does best with the
# share of such digits that are really a 3: the membrane estimates the *probability* of its class.
# So two membranes near 0.5 are no failure of the net, but an honest answer.
#
# </details>
#
# ## One net, three kinds of feedback
#
# A hidden layer of 100 neurons hears the row of this step and its own spikes, and ten integrators
# listen to it. Each hidden neuron has its own decay rate and threshold, and learns both. For a fair
# comparison the class is always the same, `snn.RLeaky`:
#
# - **no feedback** is one-to-one feedback with a weight of 0 that is not learned,
# - **one to one** starts from the same zeros and learns them,
# - **all to all** has a full matrix.


# %%
feedbacks = {
    "no feedback": {"all_to_all": False, "V": 0.0, "learn_recurrent": False},
    "one to one": {"all_to_all": False, "V": torch.zeros(100)},
    "all to all": {"linear_features": 100},
}


class Net(nn.Module):
    def __init__(self, feedback):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(rows, 100), nn.Linear(100, 10)
        nn.init.uniform_(self.fc1.weight, -0.7, 0.7)  # strong enough to make the neurons fire
        learned = {"beta": torch.full((100,), 0.7), "threshold": torch.ones(100)}
        learned |= {"learn_beta": True, "learn_threshold": True}
        spike_grad = surrogate.fast_sigmoid(slope=5)
        self.hidden = snn.RLeaky(**learned, **feedback, spike_grad=spike_grad)
        self.readout = snn.Leaky(beta=0.8, threshold=0.5, learn_beta=True, reset_mechanism="none")

    def forward(self, x):
        spk1, mem1 = self.hidden.init_rleaky()
        mem2 = self.readout.init_leaky()
        record = []
        for step in range(len(x)):
            spk1, mem1 = self.hidden(self.fc1(x[step]), spk1, mem1)
            spk2, mem2 = self.readout(self.fc2(spk1), mem2)
            record.append((mem2, spk2, spk1))
        return [torch.stack(part) for part in zip(*record, strict=True)]  # each (time, batch, ...)


# %% [markdown]
# ## Training
#
# Only the hold counts for the loss. The gradient has to travel back from there to the rows, through
# the membranes and through the feedback. A little noise on the pixels, new for every batch, keeps
# the net from learning a thousand small images by heart. `snn.fuse` runs the same loop
# layer by layer, which is several times faster.


# %%
def train(net, epochs=40, batch_size=64, lr=1e-2):
    fused = snn.fuse(net)
    optimizer = torch.optim.Adam(net.parameters(), lr)
    total = epochs * -(-len(train_y) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=total)
    for _ in range(epochs):
        for batch in torch.randperm(len(train_y)).split(batch_size):
            x = train_x[:, batch].clone()
            x[:rows] += 0.1 * torch.randn_like(x[:rows])  # the hold stays dark
            mem, _, _ = fused(x)
            loss = loss_fn(mem[rows:], train_y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


@torch.no_grad()
def right_over_time(net, x, y):
    mem, _, _ = net(x)
    return (mem.argmax(-1) == y).float().mean(1)  # share of right answers at each step


# %%
nets, curves = {}, {}
for name, feedback in feedbacks.items():
    torch.manual_seed(0)
    nets[name] = Net(feedback)
    if name == "all to all":
        start = nets[name].hidden.recurrent.weight.detach().clone()
    train(nets[name])
    curves[name] = right_over_time(nets[name], test_x, test_y)
    val = right_over_time(nets[name], val_x, val_y)[rows:].mean()
    test = curves[name][rows:].mean()
    print(f"{name:12} during the hold: validation {100 * val:.1f} %, test {100 * test:.1f} %")

# %% [markdown]
# The size of the steps and the number of epochs were chosen by the validation digits. The test
# digits serve for the numbers and pictures that follow.
#
# ## What the memory is worth
#
# To see whether the trained net really *uses* its feedback, cut it: set all feedback weights of the
# trained all-to-all net to zero, and leave everything else as it is.

# %%
cut = Net(feedbacks["all to all"])
cut.load_state_dict(nets["all to all"].state_dict())
nn.init.zeros_(cut.hidden.recurrent.weight)
curves["all to all, then cut"] = right_over_time(cut, test_x, test_y)

fig, ax = plt.subplots(figsize=(8, 3.4), layout="constrained")
styles = ("C0-", "C2-", "C1-", "C1:")
for (name, curve), style in zip(curves.items(), styles, strict=True):
    ax.plot(range(1, len(curve) + 1), 100 * curve, style, label=name)
ax.axvspan(rows, rows + hold, color="0.92", zorder=0)
ax.text(rows + hold / 2, 3, "hold: nothing to see", ha="center", color="0.4")
ax.axhline(10, color="0.5", ls=":", lw=1)
ax.text(rows + hold + 0.15, 11.5, "chance", color="0.4")
ax.set(xlabel="time steps seen", ylabel="right answers of test digits (%)", ylim=(0, 100))
ax.set_xlim(0.7, rows + hold + 1.4)
ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, 0.95))
plt.show()

# %% [markdown]
# The first row says next to nothing, every further one something, and at the end of the image all
# nets have an answer. Then it has to be kept. Even the net without feedback can do that, as its ten
# output integrators fade at the same rate, so the highest stays the highest. What it lacks is the
# *hidden* memory: its hidden neurons see a row together with a fading trace of the rows before, and
# a spike takes from that. With all-to-all feedback a neuron hears what the others saw a moment ago,
# so it can respond to "this row **after** that one". Feedback of each neuron to itself combines
# nothing, and is of no help here.
#
# In the count of right answers the gain is a few percent. The next picture shows that the loss,
# which is what we trained, tells the nets apart much more clearly. (The cut proves that the net
# relies on its feedback. It does not prove that the task needs it: the other nets were trained to
# do without, and this one was not.)
#
# ## Ten membranes during one digit
#
# This is the answer that we trained: ten curves over time, one of which should climb to 1.


# %%
@torch.no_grad()
def answers(name):
    return nets[name](test_x)


mem_all, out_all, hidden_all = answers("all to all")
mem_none, _, hidden_none = answers("no feedback")
sure = (mem_all[rows:].amin(0).gather(1, test_y[:, None]) > 0.8)[:, 0]
chosen = sure.nonzero()[0, 0]
digit = test_y[chosen].item()

fig, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained", sharey=True)
for ax, mem, name in zip(axes, (mem_none, mem_all), ("no feedback", "all to all"), strict=True):
    others = [i for i in range(10) if i != digit]
    lines = ax.plot(mem[:, chosen][:, others], color="0.7", lw=1)
    lines[0].set_label("the nine others")
    ax.plot(mem[:, chosen, digit], color="C1", lw=2, label=f"output {digit}")
    ax.plot([rows, rows + hold - 1], [1, 1], "k--", lw=1)
    ax.plot([rows, rows + hold - 1], [0, 0], "k--", lw=1, label="targets")
    ax.set(xlabel="time step", title=f"{name}, shown a {digit}", xticks=range(0, rows + hold, 4))
axes[0].set_ylabel("membrane potential")
axes[0].legend(frameon=False, loc="upper left")
plt.show()

# %% [markdown]
# This digit is one of which the net with feedback is sure. On average over the test digits, the
# height of the right membrane during the hold is an honest summary, and so is the sum of all ten:
# if membranes estimate probabilities, it should be near 1. As their threshold lies half-way, the
# output spikes vote, too. `SF.accuracy_rate` lets the output win that spikes most often.

# %%
losses = {}
for name, mem in (("no feedback", mem_none), ("all to all", mem_all)):
    right = mem[rows:].gather(2, test_y.expand(hold, -1)[..., None])
    total = mem[rows:].sum(-1)
    losses[name] = loss_fn(mem[rows:], test_y).item()
    print(f"{name:12} right membrane {right.mean():.2f}, all ten {total.mean():.2f}", end=", ")
    print(f"loss {losses[name]:.3f}")
votes = SF.accuracy_rate(out_all[rows:], test_y)
print(f"all to all, by counting output spikes: {100 * votes:.1f} %")

# %% [markdown]
# ## Where the digit lives during the hold
#
# With a dark screen, the hidden neurons receive nothing but a constant bias. What do they do?

# %%
fig, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained", sharey=True)
for ax, hidden, name in zip(axes, (hidden_none, hidden_all), list(nets)[::2], strict=True):
    order = hidden[rows:, chosen].sum(0).argsort()
    splt.raster(hidden[:, chosen][:, order], ax, s=6)
    ax.axvspan(rows - 0.5, rows + hold - 0.5, color="0.92", zorder=0)
    share = hidden[rows:].mean()
    ax.set(xlabel="time step", ylabel="", title=f"{name}: {100 * share:.1f} % active in the hold")
axes[0].set_ylabel("hidden neuron, sorted by\nspikes during the hold")
plt.show()

# %% [markdown]
# Without feedback the layer falls nearly silent: the answer stays in the ten integrators or
# nowhere. With feedback a small group keeps firing. Its spikes are the memory: they excite each
# other, and refresh the output at every step. (The share in the title is the average over all test
# digits, neurons and steps of the hold.)
#
# ## What was learned
#
# Feedback weights start as small random numbers. To see what they became, show the matrix before
# and after. Neurons are sorted by the digit for which they fire most during the hold, on the
# training images, so that a block along the diagonal belongs to neurons of the same digit. Those
# that hardly fire then are left out.

# %%
net = nets["all to all"]
weight = net.hidden.recurrent.weight.detach()
with torch.no_grad():
    active = net(train_x)[2][rows:].mean(0)  # (image, neuron)
awake = active.mean(0) > 0.01
rates = torch.stack([active[train_y == i].mean(0) for i in range(10)])  # (digit, neuron)
favorite = rates[:, awake].argmax(0)
start, weight = start[awake][:, awake], weight[awake][:, awake]
order = favorite.argsort(stable=True)
borders = torch.bincount(favorite, minlength=10).cumsum(0)[:-1] - 0.5

fig, axes = plt.subplots(1, 2, figsize=(8, 3.9), layout="constrained")
for ax, matrix, when in zip(axes, (start, weight), ("before", "after"), strict=True):
    image = ax.imshow(matrix[order][:, order], cmap="RdBu_r", vmin=-0.6, vmax=0.6)
    for border in borders.tolist():
        ax.axhline(border, color="k", lw=0.3)
        ax.axvline(border, color="k", lw=0.3)
    ax.set(title=f"{when} training", xlabel="from neuron")
axes[0].set_ylabel("to neuron")
fig.colorbar(image, ax=axes, label="feedback weight")
plt.show()

same = favorite[:, None] == favorite[None]
print(f"mean weight between neurons of the same digit {weight[same].mean():+.3f}", end=", ")
print(f"of different digits {weight[~same].mean():+.3f}")

# %% [markdown]
# Red weights excite and blue ones inhibit. Red gathers in the blocks along the diagonal: on
# average, neurons that fire for the same digit excite each other, and those of different digits
# inhibit each other. Such a competition keeps the winner alive when the image is gone. Nobody told
# the net to build one.
#
# Decay rates and thresholds have been learned as well.

# %%
fig, axes = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained", sharey=True)
for ax, name, initial in zip(axes, ("beta", "threshold"), (0.7, 1.0), strict=True):
    ax.hist(getattr(net.hidden, name).detach(), bins=20, color="C0")
    ax.axvline(initial, color="k", ls="--", lw=1, label="before training")
    ax.set(xlabel=f"{name} of a hidden neuron")
axes[0].set_xlabel("decay rate beta of a hidden neuron (per step)")
axes[0].set_ylabel("number of neurons")
axes[1].legend(frameon=False)
plt.show()
print(f"decay rate of the output: {net.readout.beta.item():.2f}, was 0.80")

# %% [markdown]
# **Think about it.** The output of the net without feedback has learned a decay rate, too. Will it
# be higher or lower than this one? Think first, then print `nets["no feedback"].readout.beta`.
#
# <details><summary>Answer</summary>
#
# Higher, about 0.92. With few spikes during the hold, the integrators must not lose what they have.
# With feedback the hidden layer keeps the answer and refreshes the output at every step. So the
# output may forget faster, above all what it believed when it had seen only half of the digit.
#
# </details>

# %%
accuracy = {name: curve[rows:].mean().item() for name, curve in curves.items()}
print(
    f"test accuracy during the hold {100 * accuracy['all to all']:.1f} %, "
    f"{100 * accuracy['no feedback']:.1f} % without feedback, "
    f"{100 * accuracy['all to all, then cut']:.1f} % if it is cut after training"
)
assert accuracy["all to all"] > 0.84  # 90.6 % when written
assert accuracy["all to all, then cut"] < 0.6  # 18.5 % when written
assert losses["all to all"] < 0.6 * losses["no feedback"]  # 0.016 and 0.041 when written

# %% [markdown]
# **Try it.** Train the other regression: let the readout reset itself
# (`reset_mechanism="subtract"`, threshold 1, `spike_grad=surrogate.fast_sigmoid(slope=5)`), and
# give its spikes during the hold to `SF.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2)`. How
# many spikes does an answer take, and how many with rates of 0.5 and 0? Then make the hold 50 steps
# long for the trained nets, without training them again: which of them still knows the digit at the
# end?
#
# Read next: [regression, part 3](11_regression_slstm.ipynb), where a spiking LSTM decides what to
# remember by gates, and [sequence neurons](16_sequence_neurons.ipynb) for long sequences.
#
# Sources
#
# - A. Henkes, J. K. Eshraghian, H. Wessels. Spiking neural networks for nonlinear regression.
#   arXiv 2210.03515, 2022.
# - J. K. Eshraghian, M. Ward, E. Neftci, X. Wang, G. Lenz, G. Dwivedi, M. Bennamoun, D. S. Jeong,
#   W. D. Lu. Training spiking neural networks using lessons from deep learning. Proceedings of
#   the IEEE 111(9), 2023.
# - B. Yin, F. Corradi, S. M. Bohté. Accurate and efficient time-domain classification with adaptive
#   spiking recurrent neural networks. Nature Machine Intelligence 3, 2021.
