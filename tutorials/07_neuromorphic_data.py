# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Neuromorphic data
#
# A camera takes whole pictures at fixed times. An *event camera* takes none: each of its pixels
# works on its own, and reports when it became brighter or darker, to the microsecond. Such
# recordings are spikes already and have a time axis of their own, so there is nothing to encode.
# This chapter makes some, looks at them, and trains a network on them.
#
# You will learn
#
# - what an event camera records, and how such recordings are stored,
# - how `tonic`, a package for data of this kind, filters events and turns them into frames,
# - how to cache frames, and how to batch recordings that are not equally long,
# - how to train a convolutional network on frames.
#
# It runs in about half a minute. Read [convolutional networks](06_convolution.ipynb) first.
# `tonic` comes with `pip install 'snntorch[data]'`.

# %%
import tempfile
import time
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Subset

import snntorch as snn
import snntorch.functional as SF
import snntorch.spikeplot as splt
from snntorch import surrogate, utils

warnings.filterwarnings("ignore", "IProgress")  # bars for downloads, of which there are none
import tonic
from tonic import transforms

DOWNLOAD = False  # True: N-MNIST, 70,000 real recordings by an event camera (needs a network)

rng = np.random.default_rng(0)
_ = torch.manual_seed(0)

# %% [markdown]
# ## What a pixel reports
#
# A pixel of an event camera looks at the logarithm of its brightness $L$. It remembers the value
# $L_0$ at which it last reported, and when brightness has moved away from it by a contrast $C$, it
# sends an *event* and remembers the new value:
#
# $$|\log L(t) - \log L_0| \ge C \quad\Rightarrow\quad \text{event } (x, y, t, p),
# \qquad p = \begin{cases} 1 & \text{brighter} \\ 0 & \text{darker} \end{cases}$$
#
# with the pixel's column $x$ and row $y$, the time $t$ and the *polarity* $p$. Where nothing
# changes, nothing is sent. Here is a pixel that sees a light go by while evening falls:

# %%
contrast = 0.4


def crossings(log_light):
    """Return (sample, polarity) of each event of one pixel."""
    reference, events = log_light[0], []
    for sample, value in enumerate(log_light):
        while abs(value - reference) >= contrast:
            sign = np.sign(value - reference)
            reference += sign * contrast
            events.append((sample, int(sign > 0)))
    return np.array(events)


ms = np.linspace(0, 100, 1001)
log_light = np.log(0.25 - ms / 1000 + np.exp(-(((ms - 45) / 15) ** 2)))
found = crossings(log_light)

# %%
fig, ax = plt.subplots(figsize=(8, 3), layout="constrained")
ax.plot(ms, log_light, "k")
for polarity, color, name in ((1, "tab:red", "brighter"), (0, "tab:blue", "darker")):
    at = found[found[:, 1] == polarity, 0]
    ax.plot(ms[at], log_light[at], "o", color=color, label=f"{name}: {len(at)} events")
ax.set(xlabel="time (ms)", ylabel="log of the brightness")
_ = ax.legend()

# %% [markdown]
# ## Recordings
#
# *N-MNIST* was made by showing the digits of MNIST to such a camera. A picture that stands still
# makes no events, so the camera moved: along the three sides of a triangle, a tenth of a second
# each, as eyes do in what is called *saccades*. We do the same with smaller digits and a camera of
# 20 by 20 pixels. In steps of 4 ms, the next function moves the pictures, applies the equation
# above to every pixel, and spreads several events of one step evenly over it. A real camera also
# reports what is not there, so it adds 50 events per recording at random.

# %%
side, corners = 20, np.array([[-2, 1.5], [0, -2], [2, 1.5], [-2, 1.5]])
recorded = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])  # as tonic has N-MNIST


def look(images, shift):
    """Return (images, side, side): the logarithm of what the camera sees, moved by `shift`."""
    big = F.interpolate(images[:, None], size=(16, 16), mode="bilinear")
    theta = torch.tensor([[side / 16, 0, -shift[0] / 8], [0, side / 16, -shift[1] / 8]])
    shape = (len(images), 1, side, side)
    grid = F.affine_grid(theta.float().expand(len(images), 2, 3), shape, align_corners=False)
    return torch.log(0.2 + F.grid_sample(big, grid, align_corners=False)[:, 0]).numpy()


def film(images, step=4000, steps=25):
    """Return the columns (image, x, y, t, p) of all events."""
    reference, rows = look(images, corners[0]), []
    for count in range(3 * steps):
        start, end = corners[count // steps], corners[count // steps + 1]
        moved = look(images, start + (end - start) * (count % steps + 1) / steps)
        number = np.trunc((moved - reference) / contrast).astype(int)
        for event in range(abs(number).max()):
            image, y, x = np.nonzero(abs(number) > event)
            part = (event + rng.random(len(image))) / abs(number)[image, y, x]
            when = ((count + part) * step).astype(int)
            rows.append(np.stack([image, x, y, when, (number > 0)[image, y, x]]))
        reference += number * contrast
    return np.concatenate(rows, axis=1)


# %% [markdown]
# What comes out is stored as everyone stores events: one structured NumPy array per recording,
# sorted by time, with fields that have names. Some people move faster than others; we let the
# duration of a recording vary by a fifth.


# %%
def record(images, noise=50):
    """Return one structured array of events per image."""
    found, recordings = film(images), []
    found = found[:, np.argsort(found[0], kind="stable")]
    ends = np.cumsum(np.bincount(found[0], minlength=len(images)))
    for columns in np.split(found[1:], ends[:-1], axis=1):
        random = rng.integers([[0], [0], [0], [0]], [[side], [side], [300_000], [2]], (4, noise))
        x, y, t, p = np.concatenate([columns, random], axis=1)
        events = np.empty(len(x), recorded)
        events["x"], events["y"], events["p"] = x, y, p
        events["t"] = t * rng.uniform(0.8, 1)
        recordings.append(np.sort(events, order="t"))
    return recordings


class Recordings:
    """A data set as tonic's: events and label, each sample by its number."""

    def __init__(self, recordings, labels, transform=None):
        self.recordings, self.labels, self.transform = recordings, labels, transform

    def __len__(self):
        return len(self.recordings)

    def __getitem__(self, index):
        events = self.recordings[index]
        return self.transform(events) if self.transform else events, int(self.labels[index])


# %%
if DOWNLOAD:
    sensor_size = tonic.datasets.NMNIST.sensor_size
    sets = [tonic.datasets.NMNIST("data", train=train) for train in (True, True, False)]
    parts = [range(0, 50_000, 10), range(5, 50_000, 50), range(0, 10_000, 10)]
else:
    sensor_size = (side, side, 2)
    digits = load_digits()
    recordings = record(torch.tensor(digits.images, dtype=torch.float32) / 16)
    sets = [Recordings(recordings, digits.target) for _ in range(3)]
    parts = np.split(rng.permutation(len(recordings)), [1100, 1400])
raw = Subset(sets[0], parts[0])
events, label = raw[0]
print(f"a recording of a {label}: {len(events)} events (x, y, time in microseconds, polarity)")
print(events[:4], "...")

# %% [markdown]
# With `DOWNLOAD = True` these lines take a part of the real N-MNIST by `tonic.datasets.NMNIST`,
# which has some dozen other data sets, too. All that follows is the same for both.
#
# In space and time, a recording is a cloud. Red dots became brighter, blue ones darker. The three
# movements show, and so does the noise:

# %%
colors = np.where(events["p"], "tab:red", "tab:blue")
fig = plt.figure(figsize=(8, 3.2))
ax = fig.add_axes((0.03, 0, 0.97, 1), projection="3d")
ax.scatter(events["t"] / 1000, events["x"], events["y"], c=colors, s=3)
ax.view_init(elev=18, azim=-70)
ax.set(xlabel="time (ms)", ylabel="column", zlabel="row")
ax.set(zlim=(sensor_size[1], 0), yticks=(0, 10, 20))
_ = ax.set_box_aspect((3, 1, 1), zoom=1.5)

# %% [markdown]
# **Think about it.** Between two corners, the picture moves at constant speed. Why do its edges
# make events, and its middle hardly any? And which edges are red?
#
# <details><summary>Answer</summary>
#
# A pixel reports changes. In the middle of a stroke the pixel sees ink before and after, so
# nothing changes. At an edge, ink (bright here) replaces background or the other way round. The
# edge in front brings ink, and is red; the edge behind takes it away, and is blue. When the camera
# turns at a corner, the colors change places. Edges along the movement change nothing, and are not
# seen: this is why the camera moves in three directions.
#
# </details>
#
# ## From events to frames
#
# A network of time steps wants a tensor per step, so events are binned: `ToFrame` counts them per
# pixel, polarity and time window. Before that, `Denoise` throws out lonely events: those without
# another one in a neighboring pixel within the last `filter_time` microseconds. `tonic` counts in
# the time unit of its events throughout.

# %%
denoise = transforms.Denoise(filter_time=10_000)
to_frame = transforms.ToFrame(sensor_size=sensor_size, time_window=20_000)
frame_transform = transforms.Compose([denoise, to_frame])

kept = denoise(events)
frames = frame_transform(events)
print(f"{len(events)} events, {len(kept)} after the filter; frames {frames.shape}, {frames.dtype}")

# %%
first = [to_frame(some)[:5].sum(0) for some in (events, kept)]
first += [to_frame(kept)[start : start + 5].sum(0) for start in (5, 10)]
titles = ("0-100 ms, all events", "0-100 ms, denoised", "100-200 ms", "200 ms to the end")
fig, axes = plt.subplots(1, 4, figsize=(8, 2.4), layout="constrained", sharey=True)
for ax, (off, on), title in zip(axes, first, titles, strict=True):
    shown = ax.imshow(on - off, cmap="coolwarm", vmin=-4, vmax=4)
    ax.set_title(title, fontsize="small")
    ax.set_xlabel("column")
axes[0].set_ylabel("row")
_ = fig.colorbar(shown, ax=axes, label="brighter - darker")

# %% [markdown]
# `tonic.utils.plot_event_grid(events)` draws a grid like that in one call. A frame of 20 ms
# forgets which of its events came first. Shorter windows keep more and make more time steps:

# %%
for window in (1_000, 20_000, 100_000):
    shape = transforms.ToFrame(sensor_size=sensor_size, time_window=window)(kept).shape
    print(f"time_window={window:7}: {shape[0]:4} frames, {np.prod(shape):8} numbers")

# %% [markdown]
# **Think about it.** All of these tensors are far larger than the list of events, and nearly all
# of their numbers are zero. What is gained by making them?
#
# <details><summary>Answer</summary>
#
# On GPUs and CPUs, matrix products and convolutions of dense tensors are what is fast.
# Neuromorphic chips work the other way: they take one event after another, compute only where
# there is one, and never see a frame. To train for them, one uses frames all the same.
#
# </details>
#
# ## Caching
#
# The filter is a loop over events in Python, and a batch of them takes longer than a step of
# training. Frames are always the same, so make them once: `DiskCachedDataset` writes what it is
# asked for to a folder, and reads it from there when it is asked again. It cannot know that you
# changed the transform in between: give each transform a folder of its own, or pass
# `reset_cache=True`. With enough memory, `MemoryCachedDataset` is faster still.

# %%
folder = tempfile.TemporaryDirectory()
for data in sets:
    data.transform = frame_transform
on_disk = tonic.DiskCachedDataset(raw, cache_path=str(Path(folder.name, "train")))
in_memory = tonic.MemoryCachedDataset(on_disk)


def per_sample(data, count=100):
    start = time.perf_counter()
    for index in range(count):
        data[index]
    return 1e6 * (time.perf_counter() - start) / count


for name, data in (("from events", raw), ("", on_disk), ("from the disk", on_disk)):
    if name:
        print(f"{name:13} {per_sample(data):8.1f} microseconds per recording")
    else:
        per_sample(data)  # writes what is read next
per_sample(in_memory)
print(f"{'from memory':13} {per_sample(in_memory):8.1f} microseconds per recording")

# %% [markdown]
# ## Batches
#
# The recordings are of different lengths, and a batch is one tensor. `PadTensors` fills the
# shorter ones with zeros at their end; with `batch_first=False` it puts time first, which is what
# loops and `snn.unroll` take.
#
# What is random belongs after the cache: a transform of the cached data set is applied each time.
# Here it moves each training recording by up to two pixels, so that the network does not learn
# where its digits stand.


# %%
def shifted(frames):
    dx, dy = rng.integers(-2, 3, 2).tolist()
    return torch.roll(frames, (dx, dy), dims=(-1, -2))


augment = transforms.Compose([torch.from_numpy, shifted])
train_set = tonic.MemoryCachedDataset(raw, transform=augment)
val_set, test_set = (
    tonic.MemoryCachedDataset(Subset(data, part), transform=torch.from_numpy)
    for data, part in zip(sets[1:], parts[1:], strict=True)
)
collate = tonic.collation.PadTensors(batch_first=False)
train_loader = DataLoader(train_set, batch_size=32, shuffle=True, collate_fn=collate)
val_loader, test_loader = (
    DataLoader(data, batch_size=100, collate_fn=collate) for data in (val_set, test_set)
)
x, y = next(iter(train_loader))
print("time steps, recordings, polarities, rows, columns:", tuple(x.shape))
print("steps in the recordings:", sorted({len(train_set[index][0]) for index in range(32)}))

# %% [markdown]
# ## Training
#
# The network is that of the [chapter before](06_convolution.ipynb): 12C5-MP2-32C5-MP2-FC10. It has
# two input channels, one per polarity. Nothing encodes the input, the number of time steps comes
# from the data, and a membrane that loses 20 % in each window of 20 ms remembers about 100 ms: one
# movement of the camera.

# %%
neurons = {"beta": 0.8, "spike_grad": surrogate.atan(), "init_hidden": True}
features = 32 * ((((sensor_size[0] - 4) // 2) - 4) // 2) ** 2
net = nn.Sequential(
    nn.Conv2d(2, 12, 5),
    nn.MaxPool2d(2),
    snn.Leaky(**neurons),
    nn.Conv2d(12, 32, 5),
    nn.MaxPool2d(2),
    snn.Leaky(**neurons),
    nn.Flatten(),
    nn.Linear(features, 10),
    snn.Leaky(**neurons, output=True),
)


def forward_pass(net, frames):
    utils.reset(net)
    spikes = []
    for step in range(len(frames)):
        spk, _mem = net(frames[step])
        spikes.append(spk)
    return torch.stack(spikes)


looped = forward_pass(net, x.float())
utils.reset(net)
unrolled, _ = snn.unroll(net, x.float())  # the same, in one call
print("spikes:", tuple(looped.shape), "the same:", torch.equal(looped, unrolled))

# %% [markdown]
# `mse_count_loss` asks the neuron of the right class to fire in 80 % of the time steps and the
# others in 20 %, so that none falls silent for good.


# %%
def evaluate(loader):
    right = 0
    for x, y in loader:
        utils.reset(net)
        with torch.no_grad():
            spk = snn.unroll(net, x.float(), record="spk")
        right += SF.accuracy_rate(spk, y) * len(y)
    return right / len(loader.dataset)


loss_fn = SF.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2)
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
losses, validation = [], [evaluate(val_loader)]
for _epoch in range(9):
    for x, y in train_loader:
        utils.reset(net)
        loss = loss_fn(snn.unroll(net, x.float(), record="spk"), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    validation.append(evaluate(val_loader))
test_accuracy = evaluate(test_loader)
print(f"validation {100 * validation[-1]:.1f} %, test {100 * test_accuracy:.1f} %")

# %%
per_epoch = len(train_loader)
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.plot(losses, lw=1)
left.set(xlabel="batch", ylabel="loss (mean square of counts)", ylim=(0, None))
right.plot(range(len(validation)), 100 * np.array(validation), ".-")
_ = right.set(xlabel="epoch", ylabel="validation accuracy (%)", ylim=(0, 100))

# %% [markdown]
# How sure is the network, and when? The spikes of the output neurons for one test recording, below
# what the camera sent:

# %%
frames, label = test_set[3]
utils.reset(net)
with torch.no_grad():
    spk = snn.unroll(net, frames[:, None].float(), record="spk")[:, 0]

fig, (upper, lower) = plt.subplots(
    2, 1, figsize=(8, 4), height_ratios=(1, 1.6), sharex=True, layout="constrained"
)
at = 20 * np.arange(len(frames))
upper.bar(at, frames.sum((1, 2, 3)), width=18, color="0.6")
upper.set(ylabel="events per frame", title=f"a recording of a {label}")
step, neuron = spk.nonzero(as_tuple=True)
lower.scatter(20 * step, neuron, c=np.where(neuron == label, "tab:green", "0.6"), marker="|")
lower.set(xlabel="time (ms)", ylabel="output neuron", yticks=range(10), ylim=(-0.5, 9.5))
_ = lower.invert_yaxis()

# %%
fig, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
splt.spike_count(spk, fig, ax, labels=[str(digit) for digit in range(10)])
_ = ax.set_title(f"spikes in {len(spk)} frames, for a {label}")

# %% [markdown]
# **Try it.** How much of it is in the order of time? Replace each batch by `x.sum(0,
# keepdim=True)` repeated for as many steps, in training and in testing, so that all that remains
# is a picture of all events, and compare. Then throw away the polarities with
# `transforms.MergePolarities` and a sensor of one channel.

# %%
folder.cleanup()
print(f"test accuracy {100 * test_accuracy:.1f} % of {len(test_set)} recordings")
assert len(kept) < len(events) - 20  # noise was found
assert torch.equal(looped, unrolled)
assert test_accuracy > 0.88  # 94.0 % when written

# %% [markdown]
# ## What to read next
#
# - [Tactile digits](14_tactile_digits.ipynb): events from a skin.
# - [Processes](22_processes.ipynb): large data sets on several processes.
# - `snntorch.spikevision` has N-MNIST, DVS128 Gesture and SHD by the names of earlier versions,
#   over `tonic`, which should be used directly in new programs.
#
# The sources are
#
# - G. Orchard, A. Jayawant, G. K. Cohen, N. Thakor. Converting Static Image Datasets to Spiking
#   Neuromorphic Datasets Using Saccades. Frontiers in Neuroscience, 2015.
# - P. Lichtsteiner, C. Posch, T. Delbruck. A 128x128 120 dB 15 us Latency Asynchronous Temporal
#   Contrast Vision Sensor. IEEE Journal of Solid-State Circuits, 2008.
# - J. K. Eshraghian and others. Training Spiking Neural Networks Using Lessons From Deep Learning.
#   Proceedings of the IEEE, 2023.
