# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Convolutional networks
#
# A spiking convolutional network is an `nn.Sequential` of what you know, with a layer of
# neurons after each convolution. Training it takes one call per epoch. What is left to choose is
# how wide the surrogate gradient is, and what the loss asks for; this chapter tries both.
#
# You will learn
#
# - how neurons that keep their own states make a network short, and when to reset them,
# - why the slope of the surrogate decides whether a deep layer learns,
# - which losses there are in `snntorch.functional`, and what each of them reads,
# - how `backprop.BPTT` trains an epoch in one call.
#
# It runs in about half a minute. Read [training](05_training.ipynb) first.

# %%
import matplotlib.pyplot as plt
import torch
from IPython.display import HTML
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import snntorch as snn
import snntorch.functional as SF
import snntorch.spikeplot as splt
from snntorch import backprop, surrogate, utils

DOWNLOAD = False  # True: the full MNIST (needs torchvision and a network)

# %%
if DOWNLOAD:
    from torchvision.datasets import MNIST

    parts = [MNIST("data", train=train, download=True) for train in (True, False)]
    images = torch.cat([part.data for part in parts]).unsqueeze(1) / 255
    labels = torch.cat([part.targets for part in parts])
else:
    digits = load_digits()
    order = torch.randperm(len(digits.target), generator=torch.Generator().manual_seed(0))
    images = torch.tensor(digits.images, dtype=torch.float32)[order].unsqueeze(1) / 16
    labels = torch.tensor(digits.target)[order]

held_out = 10_000 if DOWNLOAD else 360  # MNIST's own test images are its last 10,000
sizes = [len(images) - 2 * held_out, held_out, held_out]
train_set, val_set, test_set = (
    TensorDataset(x, y) for x, y in zip(images.split(sizes), labels.split(sizes), strict=True)
)
train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
print(f"images of shape {tuple(images[0].shape)}: {sizes} to train, validate and test")

# %% [markdown]
# ## The network
#
# With `init_hidden=True` a neuron keeps its membrane itself, takes one tensor and returns one: its
# spikes. So it fits between other layers. The last one has `output=True` as well, and returns
# its spikes and its membrane. Short names for networks like this one write down the layers: here
# 12C3-MP2-32C3-MP2-FC10, for convolutions of 12 and 32 filters of 3 by 3 pixels, each with max
# pooling of 2 by 2 pixels, and a fully connected layer to 10 neurons.
#
# The surrogate is the derivative of a *fast sigmoid*,
#
# $$\frac{\partial S}{\partial U} \;\longleftarrow\; \frac{1}{(1 + k\,|U - \theta|)^2}$$
#
# with the membrane potential $U$, the threshold $\theta = 1$, the spike $S$ (0 or 1) and a slope
# $k$ that is ours to choose.

# %%
num_steps = 20
side = images.shape[-1] // 4  # after two poolings


def build(slope, seed=0):
    torch.manual_seed(seed)
    spike_grad = surrogate.fast_sigmoid(slope=slope)
    neurons = {"beta": 0.9, "spike_grad": spike_grad, "init_hidden": True}
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.MaxPool2d(2),
        snn.Leaky(**neurons),
        nn.Conv2d(12, 32, 3, padding=1),
        nn.MaxPool2d(2),
        snn.Leaky(**neurons),
        nn.Flatten(),
        nn.Linear(32 * side**2, 10),
        snn.Leaky(**neurons, output=True),
    )


# %% [markdown]
# One call of the network is one time step, and time is a loop around it. Each image begins with
# empty membranes: `utils.reset` sees to that, for all neurons in the network.


# %%
def forward_pass(net, x):
    utils.reset(net)
    spk_rec, mem_rec = [], []
    for _ in range(num_steps):
        spk, mem = net(x)
        spk_rec.append(spk)
        mem_rec.append(mem)
    return torch.stack(spk_rec), torch.stack(mem_rec)


net = build(slope=10)
x, y = val_set[:64]
spk_rec, mem_rec = forward_pass(net, x)
print("spikes (time steps, images, classes):", tuple(spk_rec.shape))

# %% [markdown]
# The same loop in one call is `snn.unroll`. It runs layer by layer over all steps, and is what
# `backprop.BPTT` below uses; the rest of this chapter does so, too.

# %%
utils.reset(net)
spk_unrolled, mem_unrolled = snn.unroll(net, x, num_steps)
print(f"membranes differ by {(mem_unrolled - mem_rec).abs().max():.1e} at most")
print(snn.plan(net))

# %% [markdown]
# **Think about it.** What would happen without `utils.reset`? Would PyTorch complain?
#
# <details><summary>Answer</summary>
#
# The second batch would start from the membranes that the first one left, so that a digit would be
# judged by what an unrelated image charged. Nothing complains while the network only runs, as long
# as the batches are equally large. In training, the states also hold on to the graph that they come
# from: after a `backward()` that graph is gone, and the next one raises an error that you may know
# from recurrent networks, about going through a graph a second time.
#
# </details>
#
# **Think about it.** Pooling stands before the neurons, on currents. What would max pooling do with
# spikes?
#
# <details><summary>Answer</summary>
#
# Spikes are 0 or 1, so their maximum is a logical *or*: the output spikes if any of the four does.
# It works, and keeps all that is sent to one bit, but no longer tells which of four inputs is
# the strongest. With currents it is the strongest that charges the neuron.
#
# </details>
#
# ## Losses and accuracy
#
# `snntorch.functional` has losses for whole recordings. Some read the spikes, others the membranes;
# the attribute `reads` says which, so that `BPTT` knows what to hand over.

# %%
losses = {
    "ce_count": SF.ce_count_loss(),
    "ce_rate": SF.ce_rate_loss(),
    "mse_count": SF.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2),
    "mse_membrane": SF.mse_membrane_loss(on_target=1.05, off_target=0.2),
    "ce_max_membrane": SF.ce_max_membrane_loss(),
}
for name, loss_fn in losses.items():
    record = spk_rec if loss_fn.reads == "spk" else mem_rec
    print(f"{name:16} reads {loss_fn.reads}, untrained: {loss_fn(record, y):6.3f}")
print(f"accuracy of an untrained network: {100 * SF.accuracy_rate(spk_rec, y):.1f} %")

# %% [markdown]
# With the spikes $S_i[t]$ of the output neuron $i$ at step $t$ of $T$,
#
# - `ce_count_loss` is the cross entropy of the counts $\sum_t S_i[t]$: many spikes for the right
#   class and few for the others, the more the better;
# - `ce_rate_loss` is the cross entropy of each step's spikes, averaged over the steps. A step is a
#   row of zeros and ones, so it never falls below a certain value, and its gradient never rests;
# - `mse_count_loss` asks for given numbers of spikes: 80 % of the steps for the right class, 20 %
#   for the others, which keeps those from falling silent for good;
# - `mse_membrane_loss` asks for given membranes at each step;
# - `ce_max_membrane_loss` is the cross entropy of each membrane's highest value.
#
# `accuracy_rate` takes for the answer the neuron that fired most often. All of them average over
# the images.
#
# ## How steep is the surrogate?
#
# A large slope makes the surrogate resemble the true derivative, which is an infinitely narrow
# peak. One would think that the closer, the better. Look at the membranes of the second layer
# before training, and at how much of the gradient each of them lets through:

# %%
slopes = (1, 10, 100, 1000)
utils.reset(net)
mems = []
with torch.no_grad():
    for _ in range(num_steps):
        net(x)
        mems.append(net[5].mem)  # where a neuron with init_hidden=True keeps its membrane
distance = torch.stack(mems).flatten() - 1

fig, ax = plt.subplots(figsize=(8, 3.2), layout="constrained")
ax.hist(distance, bins=100, range=(-2, 0.5), density=True, color="0.85")
ax.set(xlabel="membrane - threshold (normalized)", ylabel="density of neurons (gray)")
curves = ax.twinx()
grid = torch.linspace(-2, 0.5, 1001)
for slope in slopes:
    curves.plot(grid, 1 / (1 + slope * grid.abs()) ** 2, label=f"slope {slope}")
curves.set(ylabel="surrogate gradient", ylim=(0, 1.05))
_ = curves.legend(loc="upper left")

# %% [markdown]
# With a slope of 100 hardly any neuron is near enough to the threshold to learn. What reaches the
# first layer passed three layers of neurons, and each of them takes its toll:

# %%
shares = []
for slope in slopes:
    net = build(slope)
    loss = SF.ce_count_loss()(snn.unroll(net, x, num_steps, record="spk"), y)
    loss.backward()
    shares.append(net[0].weight.grad.norm() / net[7].weight.grad.norm())
    print(f"slope {slope:4}: gradient of the first layer, per that of the last: {shares[-1]:.1e}")

# %% [markdown]
# That is a vanishing gradient, through layers rather than through time. Adam rescales each weight's
# gradient, so small is not the problem as such; that so few neurons contribute is. Train a
# network with each slope. `backprop.BPTT` runs an epoch: for each batch it resets the
# network, runs it through time, computes the loss, and updates the weights. `time_var=False` says
# that the images have no time axis, and are the input of every step.


# %%
def evaluate(net, data):
    x, y = data.tensors
    utils.reset(net)
    with torch.no_grad():
        return SF.accuracy_rate(snn.unroll(net, x, num_steps, record="spk"), y)


def train(net, loss_fn, epochs, lr=5e-3):
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    history = []
    for _ in range(epochs):
        backprop.BPTT(net, train_loader, optimizer, loss_fn, num_steps=num_steps, time_var=False)
        history.append(100 * evaluate(net, val_set))
    return history


# %%
by_slope = {slope: train(build(slope), SF.ce_count_loss(), epochs=6) for slope in slopes}

# %%
fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
for slope, history in by_slope.items():
    ax.plot(range(1, 7), history, ".-", label=f"slope {slope}")
ax.set(xlabel="epoch", ylabel="validation accuracy (%)", ylim=(0, 100))
_ = ax.legend()

# %% [markdown]
# The steepest surrogate is the worst: with a slope of 1000 the network does not learn at all. The
# two wide ones are far ahead, and 100 is late. The default of `fast_sigmoid` is 25. If a network of
# yours does not learn, a smaller slope is the first thing to try.
#
# ## Which loss?
#
# The same network, from the same weights, with each of the losses:

# %%
nets = {name: build(slope=10) for name in losses}
by_loss = {name: train(nets[name], losses[name], epochs=6) for name in losses}

# %%
fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
for name, history in by_loss.items():
    ax.plot(range(1, 7), history, ".-", label=name)
ax.set(xlabel="epoch", ylabel="validation accuracy (%)", ylim=(0, 100))
_ = ax.legend(fontsize="small")

# %% [markdown]
# Accuracy counts spikes, and with the losses that count spikes the network gets furthest.
# `ce_max_membrane_loss` is about a single step, the highest, and one large membrane and many spikes
# are not the same. `mse_membrane_loss` asks for a membrane of 1.05 at every step, which no neuron
# can give that fires and is reset; it takes long to find a compromise. These are a few epochs of
# one task. Let your validation data decide.
#
# ## Training
#
# We go on with `ce_count_loss` and a smaller step.

# %%
net = nets["ce_count"]
history = by_loss["ce_count"] + train(net, SF.ce_count_loss(), epochs=12, lr=2e-3)
test_accuracy = evaluate(net, test_set)
print(f"validation {history[-1]:.1f} %, test {100 * test_accuracy:.1f} %")

# %%
fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.plot(range(1, 19), history)
_ = ax.set(xlabel="epoch", ylabel="validation accuracy (%)", ylim=(0, 100), xticks=range(0, 19, 3))

# %% [markdown]
# How busy is the network? Each dot is a neuron. A silent one would learn nothing, and one that
# fires at each step would tell nothing.

# %%
x, y = test_set[:100]
_ = splt.firing_rates(net, x, num_steps=num_steps)

# %% [markdown]
# And how does a decision come about? The bars count the spikes of the output neurons while time
# runs, for one test image. In a script, `anim.save("count.gif")` writes the same to a file, and in
# a notebook with ffmpeg installed `anim.to_html5_video()` makes a smaller video.

# %%
utils.reset(net)
with torch.no_grad():
    spk_rec, _ = snn.unroll(net, x, num_steps)
fig, ax = plt.subplots(figsize=(6, 3), layout="constrained", dpi=60)
names = [str(digit) for digit in range(10)]
anim = splt.spike_count(
    spk_rec[:, 0], fig, ax, labels=names, animate=True, interval=150, progress=False
)
plt.close(fig)  # the animation is shown, not its last frame
HTML(anim.to_jshtml())

# %%
fig, (left, right) = plt.subplots(
    1, 2, figsize=(8, 3.2), width_ratios=(1, 2.5), layout="constrained"
)
left.imshow(x[0, 0], cmap="gray_r")
left.set(title=f"the image: a {int(y[0])}", xticks=[], yticks=[])
splt.spike_count(spk_rec[:, 0], fig, right, labels=names)
_ = right.set_title(f"spikes in {num_steps} steps")

# %% [markdown]
# **Try it.** Add `regularization=SF.l1_rate_sparsity(1e-3)` to the call of `BPTT`, which puts a
# price on output spikes, and look at the firing rates again. How much accuracy does a quieter
# network cost?

# %%
print(f"test accuracy {100 * test_accuracy:.1f} % of {len(test_set)} digits")
assert torch.allclose(mem_unrolled, mem_rec, atol=1e-4)
assert max(by_slope[10]) > max(by_slope[1000]) + 20  # percent
assert test_accuracy > 0.93  # 96.7 % when written

# %% [markdown]
# ## What to read next
#
# - [Neuromorphic data](07_neuromorphic_data.ipynb) have a time axis of their own.
# - [Population coding](08_population_coding.ipynb) uses many output neurons per class.
# - [The autoencoder](12_autoencoder.ipynb) runs convolutions backwards.
#
# The surrogate is from
#
# - F. Zenke, S. Ganguli. SuperSpike: Supervised Learning in Multilayer Spiking Neural Networks.
#   Neural Computation, 2018.
# - F. Zenke, T. P. Vogels. The Remarkable Robustness of Surrogate Gradient Learning for Instilling
#   Complex Function in Spiking Neural Networks. Neural Computation, 2021.
# - J. K. Eshraghian and others. Training Spiking Neural Networks Using Lessons From Deep Learning.
#   Proceedings of the IEEE, 2023.
