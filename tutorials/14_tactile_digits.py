# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Tactile digits
#
# Skin works as an event camera does: its fast receptors report when pressure comes and when it
# goes, and are silent while it stays. *ST-MNIST* is a data set of digits that people wrote with a
# finger on an artificial skin of 10 by 10 such sensors. Unlike in a picture, most of a touch is in
# its order: where the finger began, and where it went. This chapter makes recordings of this kind
# and trains a network that reads while the finger writes.
#
# You will learn
#
# - what an electronic skin records, and how to bring a recording of one's own into tonic's form,
# - how to filter, bin, cache and pad such recordings,
# - how sparse data and a convolutional network go together,
# - how early a network that runs in time can answer.
#
# It runs in about half a minute. Read [neuromorphic data](07_neuromorphic_data.ipynb) first, which
# introduces the tools.

# %%
import tempfile
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.io import loadmat
from torch import nn
from torch.utils.data import DataLoader

import snntorch as snn
import snntorch.functional as SF
import snntorch.spikeplot as splt
from snntorch import surrogate, utils

warnings.filterwarnings("ignore", "IProgress")  # bars for downloads, of which there are none
import tonic
from tonic import transforms

DOWNLOAD = False  # True: ST-MNIST from "data/STMNIST", see below

rng = np.random.default_rng(0)
_ = torch.manual_seed(0)

# %% [markdown]
# ## Ten digits, as a finger writes them
#
# A digit is a few corners that a finger passes in order, smoothly. Here they are, in units of the
# pad: columns from left to right and rows from top to bottom, both from 0 to 1. Everybody writes
# in another way, so each corner is moved at random, and the whole is turned, stretched, slanted
# and shifted.

# %%
strokes = {
    0: "53 43 25 28 47 68 65 53",
    1: "34 52 54 56 58 59",
    2: "23 42 63 65 47 28 48 68",
    3: "23 42 63 55 45 55 67 58 28",
    4: "52 34 26 46 76 64 54 56 59",
    5: "62 32 24 35 54 66 57 48 28",
    6: "62 43 25 28 48 67 65 45 26",
    7: "22 42 72 64 56 48",
    8: "63 42 24 45 66 58 38 46 64 62",
    9: "63 42 24 45 63 54 56 58",
}


def finger(digit, samples):
    """Return where the finger is, (samples, 2), at equal distances along its way."""
    corners = np.array([[int(c) for c in corner] for corner in strokes[digit].split()]) / 10
    corners = corners + rng.normal(0, 0.02, corners.shape)
    turn, slant, stretch = rng.normal(0, (0.1, 0.15, 0.08))
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    corners = (corners - 0.5) @ turned @ np.array([[1 + stretch, 0], [-slant, 1 - stretch]])
    corners = corners + 0.5 + rng.normal(0, 0.03, 2)
    for _ in range(2):  # cut the corners, twice
        start, end = corners[:-1], corners[1:]
        cut = np.stack([0.75 * start + 0.25 * end, 0.25 * start + 0.75 * end], axis=1)
        corners = np.concatenate([corners[:1], cut.reshape(-1, 2), corners[-1:]])
    gone = np.concatenate([[0], np.hypot(*np.diff(corners, axis=0).T).cumsum()])
    at = np.linspace(0, gone[-1], samples)
    return np.stack([np.interp(at, gone, axis) for axis in corners.T], axis=1)


# %%
fig, axes = plt.subplots(2, 5, figsize=(8, 3.6), layout="constrained", sharex=True, sharey=True)
for digit, ax in enumerate(axes.flat):
    for _ in range(3):
        way = finger(digit, 100)
        ax.plot(*way.T, color="0.6", lw=1)
        ax.plot(*way[0], "o", color="tab:green", ms=4)
    ax.set(xlim=(0, 1), ylim=(1, 0), aspect="equal", xticks=(0, 1), yticks=(0, 1))
axes[1, 2].set_xlabel("column (pad widths)")
_ = fig.supylabel("row (pad heights)", fontsize="medium")

# %% [markdown]
# Green dots are where the finger begins.
#
# ## What the skin reports
#
# A fingertip is soft: it presses on several sensors at once, in the middle most. Let $d$ be the
# distance of a sensor from the finger and $w$ the width of the fingertip; the sensor feels
#
# $$P = \exp\left(-\frac{d^2}{2 w^2}\right)$$
#
# and reports, as a pixel of an event camera does, each change of its pressure by a given amount:
# with polarity 1 when pressed, and 0 when released. Sensors of touch have a name of their own,
# *taxels*. The finger comes down at the beginning and is lifted at the end.

# %%
side, step_ms, change = 10, 5, 0.2
recorded = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])
taxels = (np.arange(side) + 0.5) / side


def touch(digit):
    """Return one recording: events, sorted by time in microseconds."""
    samples = int(rng.integers(120, 180))  # of 5 ms: 0.6 to 0.9 seconds
    way = finger(digit, samples)
    distance = (taxels[None, :, None] - way[:, 1, None, None]) ** 2
    distance = distance + (taxels[None, None, :] - way[:, 0, None, None]) ** 2
    pressure = np.exp(-distance / (2 * 0.06**2))
    down = np.clip(np.minimum(np.arange(samples), samples - 1 - np.arange(samples)) / 5, 0, 1)
    level = np.round(pressure * down[:, None, None] / change)
    number = np.diff(level, axis=0).astype(int)
    t, y, x = np.nonzero(number)
    count = abs(number[t, y, x])  # several at once, one after another
    events = np.empty(count.sum() + 20, recorded)
    events["x"], events["y"] = (
        np.append(np.repeat(axis, count), rng.integers(0, side, 20)) for axis in (x, y)
    )
    late = rng.integers(0, 1000 * step_ms, count.sum())
    noise = rng.integers(0, 1000 * step_ms * samples, 20)
    events["t"] = np.append(1000 * step_ms * np.repeat(t, count) + late, noise)
    events["p"] = np.append(np.repeat(number[t, y, x] > 0, count), rng.integers(0, 2, 20))
    return np.sort(events, order="t")


# %% [markdown]
# The last lines add 20 events of nothing, as every sensor sends. `tonic` takes anything as a data
# set that gives events and a label for a number.
#
# ST-MNIST itself has to be [fetched by hand](https://scholarbank.nus.edu.sg/handle/10635/168106):
# 6,953 recordings as files for MATLAB, a folder per digit. Each holds a table with a row per
# taxel, 1 or -1 where it reports, and a last row with the time of each column in seconds. Versions
# of `tonic` up to 1.4 read them as `tonic.prototype.datasets.STMNIST`; it takes as few lines as
# making them:


# %%
def st_mnist(folder="data/STMNIST"):
    """Return recordings and labels of the real data set, once unpacked into a folder."""
    recordings, labels = [], []
    for file in sorted(Path(folder).glob("**/[0-9]/*.mat")):
        *signs, seconds = loadmat(file)["spiketrain"]
        column, taxel = np.nonzero(np.transpose(signs))
        events = np.empty(len(column), recorded)
        events["x"], events["y"] = taxel % side, taxel // side
        events["t"], events["p"] = 1e6 * seconds[column], np.transpose(signs)[column, taxel] > 0
        recordings.append(events)
        labels.append(int(file.parent.name))
    return recordings, labels


if DOWNLOAD:
    recordings, labels = st_mnist()
else:
    labels = [number % 10 for number in range(1600)]
    recordings = [touch(digit) for digit in labels]
samples = list(zip(recordings, labels, strict=True))
rng.shuffle(samples)
events, label = samples[0]
print(f"{len(samples)} recordings; one of a {label}: {len(events)} events (x, y, t, polarity)")
print(events[:5], "...")

# %%
fig, ax = plt.subplots(figsize=(8, 3.2), layout="constrained")
for polarity, color, name in ((1, "tab:red", "pressed"), (0, "tab:blue", "released")):
    some = events[events["p"] == polarity]
    ax.scatter(some["t"] / 1000, side * some["y"] + some["x"], s=4, color=color, label=name)
ax.set(xlabel="time (ms)", ylabel="taxel (10 row + column)", title=f"a finger writes a {label}")
_ = ax.legend()

# %% [markdown]
# **Think about it.** Where the finger rests, nothing is reported. A slow writer and a fast one
# press the same taxels. How do their recordings differ?
#
# <details><summary>Answer</summary>
#
# They have the same events, in the same order, at other times: each taxel reports the pressure
# levels that it passes, and these do not depend on speed. The slow recording is longer, not
# larger. Frames of fixed duration are emptier for the slow writer, and there are more of them.
#
# </details>
#
# ## Frames
#
# Filter and bins are those of the previous chapter. A finger is slow, so the filter looks back 30
# ms, and a frame takes 30 ms.

# %%
sensor_size = (side, side, 2)
denoise = transforms.Denoise(filter_time=30_000)
to_frame = transforms.ToFrame(sensor_size=sensor_size, time_window=30_000)
frame_transform = transforms.Compose([denoise, to_frame])
frames = frame_transform(events)
print(f"{len(events)} events, {len(denoise(events))} after the filter, frames: {frames.shape}")
print(f"{100 * np.mean(frames == 0):.0f} % of all numbers in the frames are zero")

# %%
fig, axes = plt.subplots(1, 6, figsize=(8, 2), layout="constrained", sharey=True)
for ax, number in zip(axes, np.linspace(1, len(frames) - 1, 6).astype(int), strict=True):
    shown = ax.imshow(frames[number, 1] - frames[number, 0], cmap="coolwarm", vmin=-5, vmax=5)
    ax.set_title(f"{30 * number}-{30 * number + 30} ms", fontsize="small")
    ax.set_xlabel("column")
axes[0].set_ylabel("row")
_ = fig.colorbar(shown, ax=axes, label="pressed - released")

# %% [markdown]
# One sees the finger move: red in front of it, blue behind. Now into batches, with the cache on
# disk in a folder that is new in each run, and padding at the end.


# %%
class Touches:
    """Frames and labels, made when they are asked for."""

    def __init__(self, samples):
        self.samples = samples

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        events, label = self.samples[index]
        return frame_transform(events), label


held_out = len(samples) // 5
parts = {"train": samples[2 * held_out :], "val": samples[:held_out]}
parts["test"] = samples[held_out : 2 * held_out]
folder = tempfile.TemporaryDirectory()
collate = tonic.collation.PadTensors(batch_first=False)
loaders = {}
for name, part in parts.items():
    cached = tonic.DiskCachedDataset(
        Touches(part), cache_path=f"{folder.name}/{name}", transform=torch.from_numpy
    )
    kept = tonic.MemoryCachedDataset(cached)
    loaders[name] = DataLoader(kept, 32, shuffle=name == "train", collate_fn=collate)
x, y = next(iter(loaders["train"]))
print("time steps, recordings, polarities, rows, columns:", tuple(x.shape))

# %% [markdown]
# ## The network
#
# The paper of ST-MNIST uses 32C4-64C3-MP2-FC10; with a quarter of the filters it is small enough
# for a notebook. Membranes lose 5 % per frame, which makes a memory of 20 frames: most of a digit.
# What the finger did at first has to be remembered until the last stroke.

# %%
neurons = {"beta": 0.95, "spike_grad": surrogate.atan(), "init_hidden": True}
net = nn.Sequential(
    nn.Conv2d(2, 8, kernel_size=4),
    snn.Leaky(**neurons),
    nn.Conv2d(8, 16, kernel_size=3),
    snn.Leaky(**neurons),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(16 * 2 * 2, 10),
    snn.Leaky(**neurons, output=True),
)


def forward_pass(net, frames):
    """Return the output spikes (time steps, recordings, digits)."""
    utils.reset(net)
    spk, _ = snn.unroll(net, frames.float())
    return spk


def evaluate(loader, steps=None):
    """Return the accuracy after so many time steps."""
    with torch.no_grad():
        right = [SF.accuracy_rate(forward_pass(net, x[:steps]), y) * len(y) for x, y in loader]
    return sum(right) / len(loader.dataset)


# %% [markdown]
# `snn.unroll` is the loop over time in one call, and `utils.reset` empties the membranes before
# each batch. The loss is that of the previous chapter: the neuron of the right class is to fire in
# 80 % of the steps, each of the others in 20 %.

# %%
loss_fn = SF.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
losses, validation = [], [evaluate(loaders["val"])]
for _epoch in range(8):
    for x, y in loaders["train"]:
        loss = loss_fn(forward_pass(net, x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    validation.append(evaluate(loaders["val"]))
test_accuracy = evaluate(loaders["test"])
print(f"validation {100 * validation[-1]:.1f} %, test {100 * test_accuracy:.1f} %")

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.plot(losses, lw=1)
left.set(xlabel="batch", ylabel="loss (mean square of counts)", ylim=(0, None))
right.plot(range(len(validation)), 100 * np.array(validation), ".-")
_ = right.set(xlabel="epoch", ylabel="validation accuracy (%)", ylim=(0, 100))

# %% [markdown]
# ## Answers before the end
#
# A network that runs in time has an opinion at each step. How many of the test recordings does it
# read rightly if it is stopped early?

# %%
stops = [2, 4, 6, 8, 10, 12, 15, 18, 21, 25, 30]
early = [100 * evaluate(loaders["test"], stop) for stop in stops]

fig, ax = plt.subplots(figsize=(8, 3), layout="constrained")
ax.plot([30 * stop for stop in stops], early, ".-")
ax.axvspan(600, 900, color="0.92", label="the finger is lifted")
ax.set(xlabel="stopped after (ms)", ylabel="test accuracy (%)", ylim=(0, 100))
_ = ax.legend(loc="lower right")

# %% [markdown]
# **Think about it.** Why is it much better than chance long before the digit is finished, and why
# will some digits always need the end?
#
# <details><summary>Answer</summary>
#
# Fingers begin digits in different places and directions: a 7 at the top left to the right, a 6 at
# the top right downward. The first strokes rule out most of the ten. But a 9 begins as an 8 does,
# and a 3 as a 2, so what tells them apart comes late.
#
# </details>
#
# Which digits are taken for which?

# %%
answers, truth = [], []
with torch.no_grad():
    for x, y in loaders["test"]:
        answers.append(forward_pass(net, x).sum(0).argmax(1))
        truth.append(y)
answers, truth = torch.cat(answers), torch.cat(truth)
table = torch.zeros(10, 10)
table.index_put_((truth, answers), torch.ones(len(truth)), accumulate=True)

fig, ax = plt.subplots(figsize=(4.6, 3.8), layout="constrained")
shown = ax.imshow(100 * table / table.sum(1, keepdim=True), cmap="Blues", vmin=0, vmax=100)
ax.set(xlabel="answer", ylabel="digit", xticks=range(10), yticks=range(10))
_ = fig.colorbar(shown, label="% of the recordings of a digit")

# %%
x, y = next(iter(loaders["test"]))
with torch.no_grad():
    spk_rec = forward_pass(net, x)
fig, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
splt.spike_count(spk_rec[:, 0], fig, ax, labels=[str(digit) for digit in range(10)])
_ = ax.set_title(f"spikes for one {int(y[0])}")

# %% [markdown]
# **Try it.** Play the recordings backwards in testing alone: replace `x` by `x.flip(0)` in
# `evaluate`. The picture that a finger leaves is the same in both directions (and with the
# polarities swapped, so are the events). How much of the accuracy was in the order?

# %%
folder.cleanup()
print(f"test accuracy {100 * test_accuracy:.1f} % of {len(truth)} recordings")
assert early[0] < early[3] < early[-1]
assert test_accuracy > 0.88  # 95.0 % when written

# %% [markdown]
# ## What to read next
#
# - [Regression with recurrent neurons](10_regression_recurrent.ipynb): a memory that is learned.
# - [Sequence neurons](16_sequence_neurons.ipynb): for many more time steps.
# - [NIR](20_nir.ipynb): how such a network gets to a chip beside the skin.
#
# The sources are
#
# - H. H. See and others. ST-MNIST - The Spiking Tactile MNIST Neuromorphic Dataset.
#   arXiv:2005.04319, 2020.
# - W. W. Lee and others. A Neuro-Inspired Artificial Peripheral Nervous System for Scalable
#   Electronic Skins. Science Robotics, 2019.
