# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # A spiking autoencoder
#
# An autoencoder squeezes an image through a narrow place, and learns to restore it from what came
# through. Here spikes are all that comes through: 32 neurons, 6 time steps, 192 bits in all.
#
# You will learn
#
# - how to build an encoder of convolutions and a decoder of transposed convolutions with neurons,
# - how to read an image from membranes, with output neurons that never fire,
# - what the code of spikes looks like, and how a picture appears in it step by step,
# - what the network makes of noise, and of codes that no image has.
#
# It runs in about half a minute. Read [convolutional networks](06_convolution.ipynb) first.

# %%
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import snntorch as snn
import snntorch.spikeplot as splt
from snntorch import surrogate, utils

DOWNLOAD = False  # True: the full MNIST (needs torchvision and a network)

# %% [markdown]
# The digits of scikit-learn are 8 by 8 pixels. We blow them up to 16 by 16, so that there is
# something to see.

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
    images = F.interpolate(images, size=(16, 16), mode="bilinear")
    labels = torch.tensor(digits.target)[order]

held_out = 10_000 if DOWNLOAD else 360  # MNIST's own test images are its last 10,000
train_x, val_x, test_x = images.split([len(images) - 2 * held_out, held_out, held_out])
test_y = labels[-held_out:]
train_loader = DataLoader(TensorDataset(train_x), batch_size=32, shuffle=True)

# %% [markdown]
# ## Encoder and decoder
#
# The *encoder* maps an image to the spikes of 32 neurons. Its convolutions have a stride of 2: each
# halves the width and the height. The *decoder* maps those spikes back to an image. A transposed
# convolution with a stride of 2 does the opposite of the other one: it doubles width and height.
#
# Its last neurons are special. A pixel is a gray value and no spike, so it is read from a membrane,
#
# $$U[t] = \beta\,U[t-1] + I[t]$$
#
# where $I$ is the current from the transposed convolution and $\beta$ the share of the membrane
# $U$ that is left after a step. `reset_mechanism="none"` says that a spike takes nothing off. (A
# threshold that is never reached, such as `threshold=20000`, has the same effect.)

# %%
num_steps, num_latent = 6, 32
side = images.shape[-1] // 4


class Autoencoder(nn.Module):
    def __init__(self, beta=0.8):
        super().__init__()
        neurons = {"beta": beta, "spike_grad": surrogate.atan(alpha=2.0), "init_hidden": True}
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1),
            snn.Leaky(**neurons),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            snn.Leaky(**neurons),
            nn.Flatten(),
            nn.Linear(32 * side**2, num_latent),
            snn.Leaky(**neurons),
        )
        self.decoder = nn.Sequential(
            nn.Linear(num_latent, 32 * side**2),
            snn.Leaky(**neurons),
            nn.Unflatten(1, (32, side, side)),
            nn.ConvTranspose2d(32, 16, 3, stride=2, padding=1, output_padding=1),
            snn.Leaky(**neurons),
            nn.ConvTranspose2d(16, 1, 3, stride=2, padding=1, output_padding=1),
            snn.Leaky(beta=beta, init_hidden=True, output=True, reset_mechanism="none"),
        )

    def forward(self, x):
        utils.reset(self)
        for _ in range(num_steps):
            code = self.encoder(x)
            _, mem = self.decoder(code)
        return mem  # of the last step: the image


# %% [markdown]
# `utils.reset` empties all membranes of the network before each batch. The image is the input of
# every step, and the answer is what the last step leaves on the output membranes.
#
# We will want more than that: the code, and the membranes of all steps. So here are two functions
# that run either half over all steps at once, by `snn.unroll`. Together they give
# what `forward` gives, sooner.


# %%
def encode(net, x):
    utils.reset(net.encoder)
    return snn.unroll(net.encoder, x, num_steps)  # spikes (time, batch, latent)


def decode(net, code):
    utils.reset(net.decoder)
    _, mem = snn.unroll(net.decoder, code)
    return mem  # (time, batch, 1, height, width)


torch.manual_seed(0)
net = Autoencoder()
x = val_x[:8]
with torch.no_grad():
    by_loop, by_halves = net(x), decode(net, encode(net, x))[-1]
print(f"the loop and the halves differ by {(by_loop - by_halves).abs().max():.1e} at most")

# %% [markdown]
# **Think about it.** Convolutional networks often have batch normalization behind each convolution.
# What is different about it in a network that runs in time?
#
# <details><summary>Answer</summary>
#
# In training each time step is normalized by the mean and the variance of that step, over the
# batch. Early steps, when hardly a neuron has fired, are blown up to the same size as all others.
# In evaluation one running average of all steps is used for all of them, which fits none exactly.
# It works, and is the more important the deeper a network is; this one learns faster without.
# `snn.BatchNormTT2d` keeps statistics for each step.
#
# </details>
#
# ## Training
#
# The loss is the mean square error of a pixel, with $P$ pixels $y$ and their reconstructions $U$ of
# the last step:
#
# $$\mathcal{L} = \frac{1}{P} \sum_{i=1}^{P} \left(U_i[T] - y_i\right)^2$$


# %%
def test_loss(net, x):
    with torch.no_grad():
        return F.mse_loss(decode(net, encode(net, x))[-1], x).item()


optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3, weight_decay=1e-3)
history = []
for _ in range(15):
    for (x,) in train_loader:
        loss = F.mse_loss(decode(net, encode(net, x))[-1], x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    history.append((test_loss(net, train_x), test_loss(net, val_x)))

# %% [markdown]
# What is a good loss? Two references help: the mean of all training images as the answer to
# everything, and the projection on the first $k$ principal components, which is the best that
# a linear code of $k$ real numbers can do.

# %%
mean = train_x.flatten(1).mean(0)
components = torch.linalg.svd(train_x.flatten(1) - mean, full_matrices=False)[2]


def linear_loss(x, k):
    centered = x.flatten(1) - mean
    code = centered @ components[:k].T
    return F.mse_loss(code @ components[:k], centered).item()


train_loss, val_loss = zip(*history, strict=True)
fig, ax = plt.subplots(figsize=(8, 3.2), layout="constrained")
ax.semilogy(range(1, 16), train_loss, label="training")
ax.semilogy(range(1, 16), val_loss, label="validation")
for k, name in ((0, "mean image"), (8, "8 linear components"), (16, "16 linear components")):
    loss = linear_loss(val_x, k)
    ax.axhline(loss, color="0.6", linewidth=0.8, linestyle="--")
    ax.text(15, loss * 0.97, name, ha="right", va="top", color="0.4", fontsize="small")
ax.set(xlabel="epoch", ylabel="mean square error (of gray values)", ylim=(3e-3, None))
_ = ax.legend(loc="lower left")

# %% [markdown]
# ## Reconstructions
#
# Test images, which the network never saw, and what it made of 192 bits each:

# %%
code = encode(net, test_x).detach()
with torch.no_grad():
    recon = decode(net, code)

fig, axes = plt.subplots(2, 10, figsize=(9, 2.2), layout="constrained")
for digit, (top, bottom) in enumerate(axes.T):
    index = int((test_y == digit).nonzero()[0])
    top.imshow(test_x[index, 0], cmap="gray_r", vmin=0, vmax=1)
    bottom.imshow(recon[-1, index, 0], cmap="gray_r", vmin=0, vmax=1)
for ax, name in zip(axes[:, 0], ("original", "from spikes"), strict=True):
    ax.set_ylabel(name)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])

# %% [markdown]
# The output membranes fill up while spikes come in. Only the last step was asked for in
# training, so what comes before is only a means to an end:

# %%
shown = [int((test_y == digit).nonzero()[0]) for digit in (3, 5, 8)]
fig, axes = plt.subplots(3, num_steps, figsize=(8, 4), layout="constrained")
for row, index in zip(axes, shown, strict=True):
    for step, ax in enumerate(row):
        ax.imshow(recon[step, index, 0], cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
for step, ax in enumerate(axes[0]):
    _ = ax.set_title(f"time step {step}", fontsize="small")

# %% [markdown]
# **Think about it.** How would you train the network to show a good picture as early as possible?
#
# <details><summary>Answer</summary>
#
# Put the loss on all steps: `F.mse_loss(mem, x.expand_as(mem))` with the membranes `mem` of all
# steps takes the mean over time as well. The first picture can still not come before spikes
# have passed the layers, and the last one gets a little worse, since the same weights now
# serve six aims.
#
# </details>
#
# ## The code
#
# What does the narrow place look like? Below are the spikes of the three digits from above.

# %%
fig, axes = plt.subplots(1, 3, figsize=(9, 3), sharey=True, layout="constrained")
for ax, index in zip(axes, shown, strict=True):
    splt.raster(code[:, index], ax)
    rate = code[:, index].mean().item()
    ax.set(
        title=f"a {test_y[index]}: {100 * rate:.0f} % ones",
        xlabel="time step",
        ylabel="",
        xlim=(-0.5, 5.5),
    )
_ = axes[0].set_ylabel("latent neuron")

# %% [markdown]
# The labels were never used, and yet the code knows about them. Count the spikes of each latent
# neuron, and look at the counts in the two directions in which they vary most:

# %%
counts = code.sum(0)
counts = counts - counts.mean(0)
plane = counts @ torch.linalg.svd(counts, full_matrices=False)[2][:2].T
fig, ax = plt.subplots(figsize=(6, 4.2), layout="constrained")
points = ax.scatter(*plane.T, c=test_y, cmap="tab10", vmin=-0.5, vmax=9.5, s=14)
ax.set(xlabel="first component (spikes)", ylabel="second component (spikes)")
_ = fig.colorbar(points, label="digit", ticks=range(10))

# %% [markdown]
# ## From one digit to another
#
# A code is a table of bits. Start from the code of one image, and replace the spike trains of more
# and more latent neurons by those of another image. The decoder draws something for each:

# %%
torch.manual_seed(0)
start, end = (int((test_y == digit).nonzero()[0]) for digit in (0, 6))
rank = torch.randperm(num_latent)
taken = torch.linspace(0, num_latent, 9).long()
mixed = torch.stack([torch.where(rank < n, code[:, end], code[:, start]) for n in taken], dim=1)
with torch.no_grad():
    drawn = decode(net, mixed)[-1]

fig, axes = plt.subplots(1, 9, figsize=(9, 1.5), layout="constrained")
for ax, image, n in zip(axes, drawn, taken, strict=True):
    ax.imshow(image[0], cmap="gray_r", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[])
    ax.set_title(f"{n} of 32", fontsize="small")

# %% [markdown]
# ## Noise
#
# What is no digit does not fit through the narrow place. So an autoencoder takes away noise, though
# nobody taught it to:

# %%
torch.manual_seed(0)
noisy = (test_x + 0.3 * torch.randn_like(test_x)).clamp(0, 1)
with torch.no_grad():
    cleaned = decode(net, encode(net, noisy))[-1]

fig, axes = plt.subplots(3, 8, figsize=(8, 3.2), layout="constrained")
rows = {"clean": test_x, "noisy": noisy, "restored": cleaned}
for row, (name, batch) in zip(axes, rows.items(), strict=True):
    for ax, image in zip(row, batch, strict=False):
        ax.imshow(image[0], cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)
print(
    f"mean square error to the clean image: noisy {F.mse_loss(noisy, test_x):.4f}, "
    f"restored {F.mse_loss(cleaned, test_x):.4f}"
)

# %% [markdown]
# **Try it.** How narrow can the narrow place be? Train with `num_latent` of 4, 8 and 16, and with
# 2, 6 and 12 time steps, and draw the loss against the number of bits, neurons times steps. Is a
# bit of another neuron worth as much as a bit of another step?

# %%
final = test_loss(net, test_x)
print(f"test error {final:.4f}, that of the mean image {linear_loss(test_x, 0):.4f}")
assert torch.allclose(by_loop, by_halves, atol=1e-5)
assert final < 0.3 * linear_loss(test_x, 0)  # 0.0052 of 0.0444 when written
assert F.mse_loss(cleaned, test_x) < 0.8 * F.mse_loss(noisy, test_x)

# %% [markdown]
# ## What to read next
#
# - [Regression](09_regression_membrane.ipynb) has more on membranes as outputs.
# - [Quantization](15_quantization.ipynb) saves bits in the states and in the weights.
#
# Autoencoders of this kind are from
#
# - G. E. Hinton, R. R. Salakhutdinov. Reducing the Dimensionality of Data with Neural Networks.
#   Science, 2006.
# - P. Vincent, H. Larochelle, Y. Bengio, P.-A. Manzagol. Extracting and Composing Robust Features
#   with Denoising Autoencoders. ICML, 2008.
# - J. K. Eshraghian and others. Training Spiking Neural Networks Using Lessons From Deep Learning.
#   Proceedings of the IEEE, 2023.
