# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Numbers into spikes, and back
#
# A spiking neural network is an ordinary PyTorch network with two differences: it runs over
# *time*, step by step, and what its neurons send each other are *spikes*: at every time step
# either a 1 or nothing at all. Most data are neither spikes nor spread over time. This chapter
# turns them into both.
#
# You will learn
#
# - three codes: a large number as **many** spikes (rate), as an **early** spike (latency), and a
#   **change** as a spike (delta);
# - how much of the original each of them keeps, measured by decoding the spikes again;
# - how to look at spikes: raster plots, animations, pictures of time steps;
# - how to turn labels into target spikes, and how to make random spike trains from nothing.
#
# It runs for about 10 seconds and needs no chapter before it.

# %%
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image

import snntorch.spikeplot as splt
from snntorch import spikegen, utils

DOWNLOAD = False  # True: the full MNIST (needs torchvision and a network)

plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "font.size": 9})
_ = torch.manual_seed(0)

# %% [markdown]
# ## The data
#
# Small gray images of handwritten digits, each pixel a number between 0 (background) and 1
# (ink). Encoding needs no training, so a part of the data is enough: `utils.data_subset` keeps
# one of so many equal parts of any data set that has `data` and `targets`.

# %%
if DOWNLOAD:
    from torchvision.datasets import MNIST

    digits = MNIST("data", train=True, download=True)
    digits.data = digits.data / 255
else:
    from sklearn.datasets import load_digits

    raw = load_digits()
    digits = SimpleNamespace(
        data=torch.tensor(raw.images / 16, dtype=torch.float32), targets=torch.tensor(raw.target)
    )

print("all images:      ", tuple(digits.data.shape))
digits = utils.data_subset(digits, subset=10)
images, labels = digits.data, digits.targets
print("one tenth of them:", tuple(images.shape))

# %% [markdown]
# A `DataLoader` hands them out in batches, as always in PyTorch. Everything below works on a
# batch `x` of shape (batch, height, width), and looks closely at one sample of it.

# %%
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), batch_size=64)
x, y = next(iter(loader))
image = x[0]
side = image.shape[-1]

fig, axes = plt.subplots(1, 8, figsize=(8, 1.4), layout="constrained")
for ax, picture, label in zip(axes, x, y, strict=False):
    ax.imshow(picture, cmap="gray_r", vmin=0, vmax=1)
    ax.set_title(f"label {label}")
    ax.axis("off")

# %% [markdown]
# ## Rate code: more is more often
#
# Let the value of a pixel, $x$, be the *probability* that it fires at a time step, drawn anew at
# every step:
#
# $$P(S[t] = 1) = x, \qquad P(S[t] = 0) = 1 - x .$$
#
# $S[t]$ is the spike at time step $t$. White background never fires, full ink fires at every
# step, and gray does so now and then. Start with a single pixel of 0.5, by hand:

# %%
for steps in (10, 100, 10_000):
    coins = torch.bernoulli(torch.full((steps,), 0.5))
    print(f"{steps:6} steps: {100 * coins.mean():.1f} % of them have a spike")

# %% [markdown]
# How close the measured rate comes is no accident. The mean of $T$ independent draws has the
# standard deviation
#
# $$\sigma_T = \sqrt{\frac{x\,(1 - x)}{T}},$$
#
# so ten times the precision takes a hundred times the time. `spikegen.rate` does the same for
# whole tensors: `num_steps` says for how many steps a static input is repeated, and time becomes
# the *first* dimension of the result, which is the convention everywhere in this package.

# %%
spikes = spikegen.rate(x, num_steps=100)
print("images", tuple(x.shape), "-> spikes (time, batch, height, width)", tuple(spikes.shape))
print("values that occur:", spikes.unique().tolist())

# %%
trains = spikegen.rate(torch.full((200,), 0.5), num_steps=1000)  # 200 pixels of 0.5
steps = torch.arange(1, 1001)
running_mean = trains.cumsum(0) / steps.unsqueeze(1)
spread = (0.25 / steps).sqrt()

fig, ax = plt.subplots(figsize=(8, 3), layout="constrained")
ax.plot(steps, running_mean[:, :20], color="#0072B2", alpha=0.3, linewidth=0.7)
ax.plot([], color="#0072B2", label="measured, 20 of 200 pixels")
for sign in (-2, 2):
    ax.plot(steps, 0.5 + sign * spread, color="#D55E00", linestyle="--")
ax.plot([], color="#D55E00", linestyle="--", label=r"$x \pm 2\,\sigma_T$")
ax.set(xscale="log", xlim=(1, 1000), ylim=(0, 1))
ax.set(xlabel="Time steps $T$", ylabel="Spikes per step", title="Decoding a rate takes time")
_ = ax.legend(frameon=False)

# %% [markdown]
# **Think about it.** A pixel of 0.5 fires at random. Which pixels are decoded without any error,
# however few steps there are?
#
# <details><summary>Answer</summary>
#
# Those of exactly 0 and exactly 1: $x(1-x)$ is zero for both, as nothing about them is random.
# The error is largest for $x = 0.5$. Images of mostly black and white strokes are kind to a
# rate code; smooth gray photographs are not.
#
# </details>

# %% [markdown]
# ### Watch it
#
# `splt.animator` plays a tensor of shape (time, height, width). In a notebook,
# `HTML(anim.to_jshtml())` (with `from IPython.display import HTML`) shows it with buttons, and
# `anim.to_html5_video()` as a video where ffmpeg is installed. The argument `interval` is the
# time between two frames in milliseconds. Here we save it as a GIF, which needs nothing else,
# and show some of its frames as pictures.


# %%
def film(frames, name, interval=40):
    """Animate (time, height, width) into a file, and return all frames of that file."""
    fig, ax = plt.subplots(figsize=(1.5, 1.5))
    anim = splt.animator(frames, fig, ax, interval=interval, progress=False)
    anim.save(f"{name}.gif")
    plt.close(fig)
    gif = Image.open(f"{name}.gif")
    stills = []
    for number in range(gif.n_frames):
        gif.seek(number)
        repeats = round(gif.info["duration"] / interval)  # equal frames are stored once
        stills += repeats * [np.asarray(gif.convert("RGB"))]
    return stills


def show_stills(stills, which, title):
    fig, axes = plt.subplots(1, len(which), figsize=(8, 1.5), layout="constrained")
    fig.suptitle(title)
    for ax, step in zip(axes, which, strict=True):
        ax.imshow(stills[step])
        ax.set_title(f"step {step}")
        ax.axis("off")


stills = film(spikes[:20, 0], "rate")
show_stills(stills, range(0, 16, 2), "Frames of the animation: one image, rate coded")

# %% [markdown]
# ### Fewer spikes: gain and offset
#
# Spikes cost energy on the chips that such networks are made for. `gain` multiplies the
# probabilities, `offset` is added after that; the result is clipped to [0, 1]. Averaging over
# time decodes the image, up to the gain.

# %%
codes = {
    "original": image,
    "gain=1": spikes[:, 0].mean(0),
    "gain=0.25": spikegen.rate(image, num_steps=100, gain=0.25).mean(0),
    "gain=0.25, offset=0.2": spikegen.rate(image, num_steps=100, gain=0.25, offset=0.2).mean(0),
}
fig, axes = plt.subplots(1, 4, figsize=(8, 2.2), layout="constrained")
for ax, (name, picture) in zip(axes, codes.items(), strict=True):
    shown = ax.imshow(picture, cmap="gray_r", vmin=0, vmax=1)
    ax.set_title(name)
    ax.axis("off")
_ = fig.colorbar(shown, ax=axes, label="Pixel, or spikes per step")

# %% [markdown]
# ### Raster plots
#
# An image of spikes over time has three dimensions, a page has two. A **raster plot** gives every
# pixel (or neuron) a row and every time step a column, with a mark for each spike. `splt.raster`
# takes (time, neurons), so the pixels are flattened. A vertical line at one step in many rows
# would mean that many fire together; a busy row is a bright pixel. The gaps are the margin of
# the image, which never fires.

# %%
fig, (ax, single) = plt.subplots(
    2, 1, figsize=(8, 4), height_ratios=(5, 1), sharex=True, layout="constrained"
)
splt.raster(spikes[:, 0].flatten(1), ax)
ax.set(title="Rate code of one image", xlabel="", ylabel="Pixel")

brightness = image.flatten()
gray = int((brightness - 0.5).abs().argmin())  # the pixel that is closest to one half
splt.raster(spikes[:, 0].flatten(1)[:, [gray]], single, s=150, marker="|", c="black")
_ = single.set(title=f"Pixel {gray}, value {brightness[gray]:.2f}", ylabel="", yticks=[])

# %% [markdown]
# ### Input that changes by itself
#
# Where time is there already, in a sound, a video, or here in a brightness that swells and
# fades, pass `time_var_input=True` and leave out `num_steps`: each step then has a
# probability of its own. `first_spike_time` keeps the first steps silent, for instance to let a
# network settle; a time-varying input is moved back by so many steps.

# %%
time = torch.arange(200)
brightness = 0.5 - 0.5 * torch.cos(2 * torch.pi * time / 100)
population = brightness.unsqueeze(1).expand(-1, 60)  # 60 neurons see the same
spk = spikegen.rate(population, time_var_input=True, first_spike_time=20)

fig, (top, bottom) = plt.subplots(2, 1, figsize=(8, 3.6), sharex=True, layout="constrained")
splt.raster(spk, top)
top.set(title="60 neurons, rate code of a changing input, silent for 20 steps", xlabel="")
bottom.plot(spk.mean(1), color="#0072B2", linewidth=0.8, label="fraction that fires")
bottom.plot(time + 20, brightness, color="#D55E00", label="input, 20 steps later")
bottom.set(xlabel="Time step", ylabel="Per step", ylim=(-0.05, 1.05))
_ = bottom.legend(loc="upper left", frameon=False)

# %% [markdown]
# A population of neurons needs no waiting: 60 neurons at one step say as much as one neuron in
# 60 steps. [Population coding](08_population_coding.ipynb) makes use of that.
#
# **What speaks for a rate code?** It is robust, as no single spike matters, and many spikes give
# a network many occasions to learn. Sense organs and muscles do use it. **What speaks against
# it?** It is slow and wasteful. A neuron of the cortex fires some ten times a second, yet people
# react within a quarter of a second: two or three spikes are too few to count.

# %% [markdown]
# ## Latency code: more is earlier
#
# A latency code gives every pixel at most *one* spike, and puts its value into the time: bright
# pixels fire first. Where does the time come from? Imagine the pixel as a constant current into
# a leaky capacitor (the next chapter looks closely at that circuit). Its voltage is
#
# $$U(t) = x \left(1 - e^{-t/\tau}\right),$$
#
# with a *time constant* $\tau$, in time steps. The pixel fires when $U$ reaches the threshold
# $\theta$. Solve $U(t) = \theta$ for $t$:
#
# $$t = \tau \ln \frac{x}{x - \theta} .$$
#
# Bright pixels charge quickly and fire early; a pixel below $\theta$ would never fire, and is put
# at the very end. `spikegen.latency_code` returns these times (and which pixels are below the
# threshold). With `linear=True` times fall along a straight line instead,
# $t = \tau\,(1 - x)$, which is no physics, just even spacing.

# %%
value = torch.linspace(0.011, 1, 300)
charging, _ = spikegen.latency_code(value, tau=5, threshold=0.01)
straight, _ = spikegen.latency_code(value, tau=5, threshold=0.01, linear=True)
by_hand = 5 * torch.log(value / (value - 0.01))
print("largest difference to the formula:", float((charging - by_hand).abs().max()))

fig, ax = plt.subplots(figsize=(8, 3), layout="constrained")
ax.plot(value, charging, color="#0072B2", label="RC circuit (default)")
ax.plot(value, straight, color="#D55E00", label="linear=True")
ax.set(xlabel="Value of the pixel", ylabel="Time of its spike (time steps)")
ax.set(title=r"When a pixel fires, $\tau$ = 5 time steps, $\theta$ = 0.01", ylim=(0, 12))
_ = ax.legend(frameon=False)

# %% [markdown]
# `spikegen.latency` rounds the times to steps and returns spikes. Look at four ways to call it:
#
# - as it is: the logarithm crowds nearly everything into the first step, and puts all that is
#   below the threshold far behind, at one late step;
# - `linear=True`: even spacing, but only over `tau` steps;
# - `normalize=True` besides: stretched over all `num_steps`;
# - `clip=True` besides: what is below the threshold stays silent. The background carries no
#   information, and now it costs nothing either.

# %%
settings = {
    "default": {},
    "linear": {"linear": True},
    "linear, normalize": {"linear": True, "normalize": True},
    "linear, normalize, clip": {"linear": True, "normalize": True, "clip": True},
}
fig, axes = plt.subplots(2, 2, figsize=(8, 5), sharex=True, sharey=True, layout="constrained")
for ax, (name, options) in zip(axes.flat, settings.items(), strict=True):
    spk = spikegen.latency(x, num_steps=100, tau=5, threshold=0.01, **options)
    splt.raster(spk[:, 0].flatten(1), ax, s=10, c="black")
    ax.set(title=f"{name}: {int(spk[:, 0].sum())} spikes", xlabel="", ylabel="", xlim=(-3, 102))
fig.supxlabel("Time step")
_ = fig.supylabel("Pixel")

# %% [markdown]
# As an animation: the brightest strokes light up first, the soft edges follow.

# %%
latency = spikegen.latency(x, num_steps=12, threshold=0.01, clip=True, normalize=True, linear=True)
seen = latency[:, 0].cumsum(0)  # keep every pixel lit that has fired
stills = film(seen, "latency", interval=200)
show_stills(stills, range(0, 12, 2), "What has fired by each step, latency coded")

# %% [markdown]
# ### Decode both, and count the price
#
# Decoding a linear latency is a formula: $x = 1 - t / (T - 1)$, with $T$ steps in all. Rounding
# to whole steps costs at most half a step, so its error falls as $1/T$ where that of the rate
# code falls only as $1/\sqrt{T}$. And the rate code pays with a number of spikes that grows with
# $T$, the latency code with one per pixel.


# %%
def decode_latency(spk):
    """Return the values behind (time, ...) spikes of a linear, normalized latency code."""
    step = spk.argmax(0)
    return torch.where(spk.any(0), 1 - step / (len(spk) - 1), 0)


def rms(error):
    return float(error.square().mean().sqrt())


lengths = [4, 8, 16, 32, 64, 128, 256]
results = {"rate": [], "latency": []}
for steps in lengths:
    spk = spikegen.rate(x, num_steps=steps)
    results["rate"].append((rms(spk.mean(0) - x), float(spk.sum()) / x.numel()))
    spk = spikegen.latency(
        x, num_steps=steps, linear=True, normalize=True, clip=True, threshold=0.01
    )
    results["latency"].append((rms(decode_latency(spk) - x), float(spk.sum()) / x.numel()))

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for (name, points), color in zip(results.items(), ("#0072B2", "#D55E00"), strict=True):
    errors, counts = zip(*points, strict=True)
    left.plot(lengths, errors, "o-", color=color, label=name)
    right.plot(lengths, counts, "o-", color=color, label=name)
expected = (x * (1 - x)).mean().sqrt()
left.plot(lengths, [expected / n**0.5 for n in lengths], "k:", label=r"$\propto 1/\sqrt{T}$")
left.plot(lengths, [12**-0.5 / (n - 1) for n in lengths], "k--", label=r"$\propto 1/T$")
left.set(xscale="log", yscale="log", title="Error of the decoded images")
left.set(xlabel="Time steps $T$", ylabel="Root mean square error")
right.set(xscale="log", yscale="log", title="Price")
right.set(xlabel="Time steps $T$", ylabel="Spikes per pixel")
left.legend(frameon=False)
_ = right.legend(frameon=False)

# %% [markdown]
# The dotted line is the formula above, averaged over all pixels. The dashed line is the spread of
# rounding to $T$ steps, for values that lie anywhere; these images do a little better, as the many
# white pixels are decoded exactly.
#
# **Think about it.** If a latency code is more precise with fewer spikes, why use rates at all?
#
# <details><summary>Answer</summary>
#
# Lose one spike, and a rate code loses $1/T$ of one value; a latency code loses the pixel. A spike
# that comes a few steps late, or a second one by noise, hardly changes a mean, but changes a
# time. And a network can learn from the many spikes of a rate code at every step, while a
# single spike is a rare occasion. Rates buy robustness with spikes.
#
# </details>

# %% [markdown]
# ## Delta code: only what changes
#
# Eyes respond to change; a picture held perfectly still on the retina fades from view. A **delta
# code** compares each step with the one before and fires where the difference is at least a
# threshold $\theta$:
#
# $$S[t] = 1 \quad\text{if}\quad x[t] - x[t-1] \ge \theta .$$
#
# `off_spike=True` adds spikes of $-1$ for falls of that size; without it falls stay unseen. The
# first step is compared with 0, unless `padding=True` compares it with itself.

# %%
series = torch.tensor([0.0, 0.5, 0.6, 3.1, 3.0, 3.2, -0.5, -0.4, 2.0, 1.9, 1.8])
on = spikegen.delta(series, threshold=2.0)
on_off = spikegen.delta(series, threshold=2.0, off_spike=True)
print("rises only:     ", on.int().tolist())
print("rises and falls:", on_off.int().tolist())

fig, ax = plt.subplots(figsize=(8, 2.6), layout="constrained")
ax.plot(series, "o-", color="gray", label="signal")
for sign, name, color in ((1, "on-spike", "#0072B2"), (-1, "off-spike", "#D55E00")):
    (when,) = (on_off == sign).nonzero(as_tuple=True)
    ax.vlines(when, -2, -1.2, color=color, linewidth=3, label=name)
ax.set(xlabel="Time step", ylabel="Signal (mV)", title="Delta code, threshold 2 mV")
ax.set_ylim(-2.2, 4.8)
_ = ax.legend(ncols=3, frameon=False, loc="upper right")

# %% [markdown]
# Cameras that work this way have no frames: each pixel reports, by itself, when it became
# brighter or darker. Slide a digit across the view, one pixel per step, and only its edges fire;
# what stays as it was, inside a stroke or in the background, costs nothing. An event says *that*
# a pixel changed by at least $\theta$; by how much is not sent.

# %%
scene = torch.zeros(2 * side + 1, side, 3 * side)
for step in range(len(scene)):
    scene[step, :, step : step + side] = image
events = spikegen.delta(scene, threshold=0.3, off_spike=True)

fig, axes = plt.subplots(2, 4, figsize=(8, 2.1), layout="constrained")
for column, step in zip(axes.T, range(2, 2 * side, side // 2), strict=True):
    column[0].imshow(scene[step], cmap="gray_r")
    column[0].set_title(f"step {step}")
    column[1].imshow(events[step], cmap="RdBu", vmin=-1, vmax=1)
    for ax in column:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(True)
axes[0, 0].set_ylabel("scene")
axes[1, 0].set_ylabel("events")
fig.suptitle("What an event camera sends: blue became darker (ink came), red brighter")
print(f"{100 * (events != 0).float().mean():.1f} % of pixels and steps have an event")

# %% [markdown]
# **Think about it.** A signal rises slowly, by 0.1 at every one of 100 steps, and the threshold is
# 0.3. How many spikes does it cause?
#
# <details><summary>Answer</summary>
#
# None at all (`spikegen.delta(torch.arange(0, 10, 0.1), threshold=0.3).sum()` is 0). Each step is
# compared with the one before, not with the value that was sent last, so a slow drift slips
# through, however far it goes. [Sending only changes](17_delta_neurons.ipynb) measures what that
# costs and shows a sender that does not forget.
#
# </details>

# %% [markdown]
# ## Targets: labels as spikes
#
# Some losses compare the output of a network with *target* spikes. `spikegen.targets_convert`
# makes them from labels, by `code="rate"` (that is `targets_rate`) or `code="latency"`
# (`targets_latency`). The bricks below it are `to_one_hot`, its inverse pattern
# `to_one_hot_inverse`, and the way back, `from_one_hot`.

# %%
few = torch.tensor([2, 0])
one_hot = spikegen.to_one_hot(few, num_classes=3)
print("one-hot rows:     ", one_hot.int().tolist())
print("the wrong classes:", spikegen.to_one_hot_inverse(one_hot).int().tolist())
print("and back:         ", spikegen.from_one_hot(one_hot).tolist())

by_rate = spikegen.targets_convert(
    few, 3, code="rate", num_steps=10, correct_rate=0.8, incorrect_rate=0.2
)
by_latency = spikegen.targets_convert(few, 3, code="latency", num_steps=10, normalize=True)
print("shape (time, batch, classes):", tuple(by_rate.shape))
print("spikes by rate:\n", by_rate.sum(0).int().tolist())
print("spike times by latency:\n", by_latency.argmax(0).tolist())

# %% [markdown]
# A rate leaves open *which* steps have the spikes. `target_rate_code` has three patterns:
# `"regular"` is spaced evenly, `"uniform"` puts exactly as many at random steps, and `"poisson"`
# draws each step, so that the number varies, too.
#
# A target need not be a spike: for a loss on the neuron's inner voltage (its *membrane
# potential*, see the next chapter) `rate_interpolate` and `latency_interpolate` rise linearly to
# each spike. The argument `interpolate=True` of the functions above does that for you.

# %%
fig, axes = plt.subplots(4, 1, figsize=(8, 4), sharex=True, layout="constrained")
for ax, pattern in zip(axes, ("regular", "uniform", "poisson"), strict=False):
    train, times = spikegen.target_rate_code(60, rate=0.2, firing_pattern=pattern)
    splt.raster(train, ax, s=150, marker="|", c="black")
    ax.set(title=f"{pattern}: {len(times)} spikes", xlabel="", ylabel="", yticks=[])
_, times = spikegen.target_rate_code(60, first_spike_time=6, rate=0.1)
rise = spikegen.rate_interpolate(times, num_steps=60)
axes[3].plot(rise, color="#0072B2")
axes[3].plot(times, rise[times], "k|", markersize=12)
axes[3].set(title="rate_interpolate: a voltage that rises to each spike")
_ = axes[3].set(xlabel="Time step", ylabel="Target voltage")

# %% [markdown]
# ## Spikes from nothing
#
# For trying out a neuron one often needs random input. `spikegen.rate_conv` draws a spike from
# every element of a tensor of probabilities, of any shape. The *intervals* between two spikes of
# such a train follow a simple law: to wait $k$ steps, $k - 1$ of them must stay silent,
#
# $$P(k) = (1 - p)^{k-1}\,p .$$

# %%
p = 0.1
train = spikegen.rate_conv(torch.full((50_000,), p))
intervals = train.nonzero().flatten().diff()
k = torch.arange(1, 41)

fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), width_ratios=(3, 2), layout="constrained")
left.hist(intervals, bins=torch.arange(0.5, 41), density=True, color="#56B4E9", label="drawn")
left.plot(k, (1 - p) ** (k - 1) * p, "o", color="#D55E00", markersize=3, label="$(1-p)^{k-1}p$")
left.set(xlabel="Interval $k$ (time steps)", ylabel="Fraction of intervals")
left.set(title=f"Intervals of a random train, p = {p}")
left.legend(frameon=False)
noise = spikegen.rate_conv(torch.rand(100, 40) * 0.5)
splt.raster(noise, right)
_ = right.set(title="40 trains of random probabilities")

# %% [markdown]
# **Try it.** Load a photograph of your own as a gray tensor in [0, 1], encode it in 64 steps by
# rate and by latency, then flip 5 % of all elements of both spike tensors at random
# (`torch.where(torch.rand_like(s) < 0.05, 1 - s, s)`). Decode both. Which picture survives?

# %% [markdown]
# ## What we found
#
# Decoded from 64 steps, the error of the rate code should be what its binomial spread says, and
# that of the latency code below half a step, or the threshold under which pixels are silent.

# %%
steps = 64
spk = spikegen.rate(x, num_steps=steps)
rate_error, predicted = rms(spk.mean(0) - x), float((x * (1 - x)).mean() / steps) ** 0.5
spk = spikegen.latency(x, num_steps=steps, linear=True, normalize=True, clip=True)
latency_error = float((decode_latency(spk) - x).abs().max())
share = float(spk.sum() / spikegen.rate(x, num_steps=steps).sum())

assert abs(rate_error / predicted - 1) < 0.1  # within 1.2 % when written
assert latency_error <= max(0.5 / (steps - 1), 0.01) + 1e-6
assert share < 0.1  # 2.5 % when written
print(
    f"64 steps: rate code off by {rate_error:.4f} (predicted {predicted:.4f}), latency code by at "
    f"most {latency_error:.4f} with {100 * share:.1f} % of the spikes"
)

# %% [markdown]
# ## Read next
#
# - [The leaky integrate-and-fire neuron](02_lif_neuron.ipynb): what a neuron does with spikes.
# - [Neuromorphic data](07_neuromorphic_data.ipynb): recordings that are spikes from the start.
# - [Sending only changes](17_delta_neurons.ipynb): delta codes as neurons.
#
# Sources
#
# - S. Thorpe, A. Delorme, R. Van Rullen, "Spike-based strategies for rapid processing", Neural
#   Networks, 2001.
# - P. Lichtsteiner, C. Posch, T. Delbruck, "A 128x128 120 dB 15 us latency asynchronous temporal
#   contrast vision sensor", IEEE Journal of Solid-State Circuits, 2008.
# - B. A. Olshausen, D. J. Field, "How close are we to understanding V1?", Neural Computation, 2005.
# - J. K. Eshraghian et al., "Training Spiking Neural Networks Using Lessons From Deep Learning",
#   Proceedings of the IEEE, 2023.
