# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # The forward-forward algorithm: layers that learn on their own
#
# Backpropagation sends an error from the output back through every layer. Brains have no known
# wiring for that, and a chip needs memory and a second data path for it. The forward-forward
# algorithm replaces the backward pass by a second *forward* pass, over data that is wrong on
# purpose.
#
# You will learn
#
# - what the goodness of a spiking layer is, and how a layer learns from it alone,
# - how a label becomes part of the input, and how to make data that is wrong,
# - why each layer has to hide its goodness from the next one,
# - how a network without any output neurons classifies digits.
#
# It runs in about half a minute. Read [training](05_training.ipynb) first.

# %%
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch import nn

import snntorch as snn

DOWNLOAD = False  # True: the full MNIST (needs torchvision and a network)

torch.manual_seed(0)
plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False}
BLUE, RED, GRAY = "#0072B2", "#D55E00", "0.6"

# %% [markdown]
# ## Right and wrong data
#
# The idea is to show the network two kinds of input. *Positive* data is real; *negative* data
# looks similar, but is not. Each layer learns to be lively for the one and quiet for the other.
#
# To classify, what has to be right is the *pair* of an image and its label. So the label is
# written into the image: a row of ten pixels is added on top, and the pixel of the label is lit.
# A positive sample has the true label there, a negative sample a wrong one. Their images are the
# same, so the only way to tell them apart is to find out whether label and image agree.


# %%
if DOWNLOAD:
    from torchvision.datasets import MNIST

    data = MNIST("data", download=True)
    images, labels = data.data / 255, data.targets
else:
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32) / 16
    labels = torch.tensor(digits.target)

order = torch.randperm(len(images))
images, labels = images[order], labels[order]
held_out = len(images) // 6  # as many for the validation as for the test
x_test, x_val, x_train = images.split([held_out, held_out, len(images) - 2 * held_out])
y_test, y_val, y_train = labels.split([held_out, held_out, len(images) - 2 * held_out])
print(f"{len(x_train)} images to train, {held_out} to validate, {held_out} to test")


# %%
def write_label(images, labels):
    """Return images with their label in a row on top, one row of numbers for each."""
    images = F.pad(images, (1, 1, 1, 0))  # a pixel left, right and on top
    images[:, 0, :10] = 2.0 * F.one_hot(labels, 10)  # twice as bright as any other pixel
    return images.flatten(1)


def wrong(labels):
    return (labels + torch.randint(1, 10, labels.shape)) % 10


height, width = images.shape[1] + 1, images.shape[2] + 2
fig, axes = plt.subplots(2, 6, figsize=(8, 3), layout="constrained")
rows = {"positive": y_train[:6], "negative": wrong(y_train[:6])}
for row, (name, shown) in zip(axes, rows.items(), strict=True):
    for ax, image, label in zip(row, write_label(x_train[:6], shown), shown, strict=True):
        ax.imshow(image.view(height, width), cmap="gray_r", vmin=0, vmax=1.5)
        ax.axhline(0.5, color=BLUE if name == "positive" else RED)
        ax.set(xticks=[], yticks=[], xlabel=f"label {int(label)}")
    row[0].set_ylabel(name)
_ = fig.suptitle("The pixel above the line is the label, counted from the left, from 0")

# %% [markdown]
# ## Goodness
#
# How lively a layer is gets a number, its **goodness**. A layer of $N$ neurons runs for $T$ steps,
# and neuron $i$ fires at the rate $r_i = \frac{1}{T} \sum_t S_i[t]$, in spikes per step, where
# $S_i[t]$ is 1 if it fires at step $t$ and else 0. The goodness is the mean of the squared rates,
#
# $$G = \frac{1}{N} \sum_{i=1}^{N} r_i^2 ,$$
#
# between 0 (silence) and 1 (everyone fires at every step). The layer claims that its input is
# positive with the probability
#
# $$p = \sigma\bigl(k\,(G - \theta)\bigr), \qquad \sigma(z) = \frac{1}{1 + e^{-z}},$$
#
# so $p > \frac12$ where the goodness exceeds $\theta$; here $\theta = 0.1$, and $k = 40$ sets how
# sharp the decision is. The loss is the usual binary cross-entropy: $-\ln p$ for positive data and
# $-\ln(1 - p)$ for negative data. All of this is known *inside the layer*.
#
# There is a catch. A second layer could simply see how many spikes come in, and would have nothing
# to learn. So what a layer passes on is scaled to the same mean rate for every sample: *which*
# neurons fire is kept, *how much* they fire in total is not. In a brain, inhibitory neurons do
# such a scaling.
#
# Here is a layer with its own optimizer. Two details matter:
#
# - `unroll` runs all the steps at once; `num_steps` repeats an input that has no time axis, here
#   the currents of an image.
# - `detach()` cuts the graph behind the layer: no gradient will ever reach the one before.

# %%
num_steps, theta, sharpness = 12, 0.1, 40.0


class Layer(nn.Module):
    def __init__(self, num_inputs, num_neurons):
        super().__init__()
        self.fc = nn.Linear(num_inputs, num_neurons)
        self.lif = snn.Leaky(beta=0.9)
        self.optimizer = torch.optim.Adam(self.fc.parameters(), lr=0.005)

    def forward(self, x):
        """Return the spikes (time, batch, neurons) for an image or for spikes."""
        repeat = num_steps if x.dim() == 2 else None
        return self.lif.unroll(self.fc(x), num_steps=repeat)[0]

    def learn(self, x, is_positive):
        spk = self(x)
        logits = sharpness * (goodness(spk) - theta)
        loss = F.binary_cross_entropy_with_logits(logits, is_positive)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return spk.detach()


# %%
def goodness(spk):
    rates = spk.mean(0)  # (batch, neurons)
    return (rates**2).mean(1)


def rescale(spk):
    """Give every sample a mean rate of 0.1."""
    return 0.1 * spk / (spk.mean((0, 2), keepdim=True) + 1e-3)


layers = [Layer(height * width, 200), Layer(200, 200)]


def run(x):
    """Return the spikes of each layer."""
    records = []
    for layer in layers:
        records.append(layer(x))
        x = rescale(records[-1])
    return records


# %% [markdown]
# **Think about it.** Why are the rates squared? What if the goodness were the plain mean rate?
#
# <details><summary>Answer</summary>
#
# After the scaling, all samples have the same mean rate: its square is the same for two neurons
# that fire half of the time and for one that fires always while the other is silent. The mean of
# the *squares* is not, it is higher for the second. So squares reward few neurons that fire a lot,
# which makes the pattern of activity tell more about the input. Their gradient, $2 r_i / N$, also
# teaches those neurons most that take part most, and leaves the silent ones alone.
#
# </details>
#
# ## How it classifies
#
# There is no output layer. To classify an image, write each of the ten labels into it in turn, run
# all ten, and see which one the layers like best:
#
# $$\hat y = \arg\max_{y} \sum_{\ell} G_\ell(\text{image}, y),$$
#
# with the goodness $G_\ell$ of layer $\ell$. This costs ten forward passes. They need nothing from
# each other, so they are one batch.


# %%
@torch.no_grad()
def label_goodness(images):
    """Return the goodness of every layer with every label, (layers, images, 10)."""
    every = torch.arange(10).repeat(len(images))
    records = run(write_label(images.repeat_interleave(10, 0), every))
    return torch.stack([goodness(spk).view(-1, 10) for spk in records])


def accuracies(images, labels):
    """Return the accuracy of each layer alone, and of all together."""
    scores = label_goodness(images)
    scores = [*scores, scores.sum(0)]
    return [float((score.argmax(1) == labels).float().mean()) for score in scores]


before = accuracies(x_val, y_val)
print(f"before training: {100 * before[-1]:.1f} % of the validation images")

# %% [markdown]
# ## Training
#
# One step of training goes through the layers from first to last. Each learns at once, before the
# next one sees anything.

# %%
probe = write_label(x_val[:1].repeat(2, 1, 1), torch.stack([y_val[0], (y_val[0] + 1) % 10]))
with torch.no_grad():
    spikes_before = run(probe)

history = []
for _ in range(30):
    for batch in torch.randperm(len(x_train)).split(100):
        x, y = x_train[batch], y_train[batch]
        signals = torch.cat([write_label(x, y), write_label(x, wrong(y))])
        is_positive = torch.cat([torch.ones(len(x)), torch.zeros(len(x))])
        for layer in layers:
            signals = rescale(layer.learn(signals, is_positive))
    history.append(accuracies(x_val, y_val))

# %%
fig, ax = plt.subplots(figsize=(8, 3), layout="constrained")
names = ("layer 1 alone", "layer 2 alone", "both")
for values, name, color in zip(zip(*history, strict=True), names, (GRAY, RED, BLUE), strict=True):
    ax.plot(range(1, len(values) + 1), [100 * value for value in values], color=color, label=name)
ax.set(xlabel="Epoch", ylabel="Validation accuracy (%)", ylim=(0, 100))
ax.set_title("Nothing ever flowed backward between the layers")
_ = ax.legend(frameon=False)

# %% [markdown]
# Two layers, neither of which was ever told what the other needs, both learn the digits. Let us
# see that no gradient crosses: let the *second* layer learn, and look at the weights of the first.

# %%
layers[0].fc.zero_grad(set_to_none=True)
with torch.no_grad():
    pair = write_label(x_train[:1].repeat(2, 1, 1), torch.stack([y_train[0], wrong(y_train[0])]))
    signals = rescale(layers[0](pair))
_ = layers[1].learn(signals, torch.tensor([1.0, 0.0]))
crossed = [parameter.grad is not None for parameter in layers[0].parameters()]
print(f"gradients that reached the first layer: {sum(crossed)} of {len(crossed)}")

# %% [markdown]
# Within a layer, autograd still goes back through the *steps*, as the membrane remembers. That is
# local in space, but not in time. A rule that is local in both is the subject of
# [spike-timing-dependent plasticity](18_stdp.ipynb).
#
# ## What it learned
#
# One image of the validation set, once with its label and once with a wrong one. Each row is a
# neuron of the first layer, each dot a spike. Only one pixel of the input differs.

# %%
with torch.no_grad():
    spikes_after = run(probe)
fig, axes = plt.subplots(2, 2, figsize=(8, 4.6), sharex=True, sharey=True, layout="constrained")
for row, records, when in zip(
    axes, (spikes_before, spikes_after), ("Before", "After"), strict=True
):
    for i, (ax, color) in enumerate(zip(row, (BLUE, RED), strict=True)):
        spk = records[0][:, i]
        ax.scatter(*spk.nonzero().T, s=2, color=color)
        kind = ("right", "wrong")[i]
        ax.set_title(f"{when}, {kind} label: goodness {float(goodness(spk[:, None])):.3f}")
    row[0].set_ylabel("Neuron of layer 1")
for ax in axes[1]:
    ax.set_xlabel("Time step")

# %% [markdown]
# The distribution over the whole validation set: the goodness of true pairs lies above the
# threshold $\theta$, that of all the nine wrong ones below it.

# %%
scores = label_goodness(x_val)
is_true = F.one_hot(y_val, 10).bool()
fig, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
for i, (ax, score) in enumerate(zip(axes, scores, strict=True)):
    bins = torch.linspace(0, float(score.max()), 50).tolist()
    style = {"bins": bins, "density": True, "alpha": 0.7}
    ax.hist(score[~is_true].tolist(), color=RED, label="wrong label", **style)
    ax.hist(score[is_true].tolist(), color=BLUE, label="right label", **style)
    ax.axvline(theta, color="black", linestyle=":", label=r"threshold $\theta$")
    ax.set(xlabel="Goodness", title=f"Layer {i + 1}")
axes[0].set_ylabel("Density of validation pairs")
_ = axes[0].legend(frameon=False)

# %% [markdown]
# And for single images: each row is an image, each column a label that was tried. The brightest
# field of a row is the answer; a frame marks the truth.

# %%
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
some = torch.cat([(y_val == digit).nonzero()[:1, 0] for digit in range(10)])
picture = ax.imshow(scores.sum(0)[some], cmap="viridis")
for digit in range(10):
    frame = plt.Rectangle((digit - 0.5, digit - 0.5), 1, 1, fill=False, color="white")
    ax.add_patch(frame)
ax.set(xticks=range(10), yticks=range(10), xlabel="Label written into the image")
ax.set_ylabel("Digit in the image")
_ = fig.colorbar(picture, label="Goodness, sum of both layers")

# %% [markdown]
# **Think about it.** The negative labels were drawn evenly. Which ones would teach more?
#
# <details><summary>Answer</summary>
#
# Those that the network nearly believes. That a 0 is no 1 is learned soon, and gives no gradient
# any more as $p$ is close to zero. Hinton draws negative labels in proportion to what the network
# thinks of them. The price is that the network has to be asked first: more forward passes for each
# batch.
#
# </details>
#
# ## Is it any good?
#
# The test images have not been looked at so far. To compare, here is logistic regression, a single
# linear layer trained on the same images with the exact gradient.

# %%
linear = LogisticRegression(max_iter=1000).fit(x_train.flatten(1), y_train)
reference = linear.score(x_test.flatten(1), y_test)
first, second, accuracy = accuracies(x_test, y_test)

fig, ax = plt.subplots(figsize=(8, 2.4), layout="constrained")
bars = {
    "guessing": 0.1,
    "layer 1": first,
    "layer 2": second,
    "both layers": accuracy,
    "logistic regression": reference,
}
drawn = ax.barh(list(bars), [100 * v for v in bars.values()], color=[GRAY, RED, RED, BLUE, GRAY])
ax.bar_label(drawn, fmt="%.1f", padding=3)
ax.invert_yaxis()
_ = ax.set(xlabel="Test accuracy (%)", xlim=(0, 108))

# %% [markdown]
# The first layer alone is on a par with the linear classifier. On digits as small as these, the
# second layer has nothing to add, and its vote may even cost a little: nobody tells it
# what the first one gets wrong. That is the known weakness of the method. Its strength is that a
# layer can forget its input as soon as it has learned from it: no activity has to be stored for a
# backward pass, and the layers of a deep network could learn at the same time, each on its own
# piece of hardware.
#
# **Try it.** Leave out the scaling: let `rescale` return `spk`. Compare the two layers once more.
# Does the second one find anything on its own now, or does it repeat the verdict of the first?
# Then draw the negative labels from `label_goodness(x)`, as in the answer above.

# %% [markdown]
# ## What we reached

# %%
assert not any(crossed)
assert before[-1] < 0.4
assert accuracy > 0.88  # 94.0 % when written
print(
    f"test accuracy {100 * accuracy:.1f} % without backpropagation between layers "
    f"(logistic regression {100 * reference:.1f} %)"
)

# %% [markdown]
# ## Read next
#
# - [Spike-timing-dependent plasticity](18_stdp.ipynb): learning without any gradient.
# - [Going fast](21_going_fast.ipynb): what `unroll` does.
#
# Sources
#
# - Geoffrey Hinton, "The forward-forward algorithm: Some preliminary investigations",
#   arXiv:2212.13345, 2022.
# - Matteo Carandini, David J. Heeger, "Normalization as a canonical neural computation", Nature
#   Reviews Neuroscience, 2012 (the scaling).
