# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Several processes
#
# When one processor is not enough, several share the work: each has a copy of the network, takes
# its part of every batch, and all agree on the gradients before a step. This is called
# *data-parallel* training. It works for spiking networks as for any other, if one knows what is
# shared and what is not: weights are, membranes are not.
#
# You will learn
#
# - how `DistributedDataParallel` trains one network in several processes, started from a notebook,
# - why the loop over time belongs inside of what it wraps,
# - how to show that the gradients are those of one process that has all samples,
# - what to do when processes have unequal numbers of samples.
#
# It runs in a quarter of a minute, with two processes on the CPU; what changes on GPUs is one
# word. Read [training](05_training.ipynb) first.

# %%
import os
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

DOWNLOAD = False  # True: the full MNIST (needs torchvision and a network)

# %%
if DOWNLOAD:
    from torchvision.datasets import MNIST

    parts = [MNIST("data", train=train, download=True) for train in (True, False)]
    images = torch.cat([part.data for part in parts]).flatten(1) / 255
    labels = torch.cat([part.targets for part in parts])
else:
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = torch.randperm(len(digits.target), generator=torch.Generator().manual_seed(0))
    images = torch.tensor(digits.data, dtype=torch.float32)[order] / 16
    labels = torch.tensor(digits.target)[order]
held_out = 10_000 if DOWNLOAD else 360
torch.save((images.double(), labels, held_out), "digits.pt")
print(f"{len(labels) - held_out} images to train, {held_out} to test")

# %% [markdown]
# ## Who is who
#
# Processes do not share variables. Each runs the same script from the top, and is told two
# numbers: how many there are (the *world size* $W$), and which of them it is (its *rank* $r$, from
# 0). So the program has to be in a file, which the next cells write. First what is the same for
# any number of processes: the network.
#
# The whole sequence is inside of `forward`, by `snn.unroll`. That is the one rule for spiking
# networks. `DistributedDataParallel` does its work once per call of `forward`: it watches for
# gradients, and sends the buffers of rank 0 to all others. If the loop over time were outside, it
# would do so at each of 25 time steps.

# %%
_ = Path("model.py").write_text('''
import torch
from torch import nn

import snntorch as snn
from snntorch import surrogate, utils


class Net(nn.Module):
    """Two layers of leaky neurons, over all time steps in one call."""

    def __init__(self, pixels, hidden=100, num_steps=25):
        super().__init__()
        neurons = {"spike_grad": surrogate.fast_sigmoid(slope=10), "init_hidden": True}
        self.num_steps = num_steps
        self.layers = nn.Sequential(
            nn.Linear(pixels, hidden),
            snn.Leaky(beta=0.9, learn_beta=True, **neurons),
            nn.Linear(hidden, 10),
            snn.Leaky(beta=0.9, **neurons),
        )

    def forward(self, x):
        utils.reset(self.layers)
        return snn.unroll(self.layers, x, self.num_steps).sum(0)  # how often each class fires


def build(images):
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)  # see below
    return Net(images.shape[1])
''')

# %% [markdown]
# Now the training. `init_process_group` makes the processes find each other, and `"gloo"` is what
# they talk by on CPUs; on GPUs it is `"nccl"`. All have the same random order of the images, and
# each takes every $W$-th image of a batch, beginning with its rank.
#
# The gradient of a mean over a batch is the mean of the gradients over its samples. What
# `DistributedDataParallel` does in the backward pass is to average gradients $g_r$ over processes:
#
# $$\bar g = \frac{1}{W} \sum_{r=0}^{W-1} g_r$$
#
# If each process took the mean loss of its own $n_r$ samples, samples of a process that has fewer
# would count for more. With the *sum* over its samples, divided by the number $N$ of all, and
# times $W$, the gradients are those of the whole batch, whatever each process has:
#
# $$g_r = \nabla\, \frac{W}{N} \sum_{i=1}^{n_r} L_i \quad\Rightarrow\quad
# \bar g = \nabla\, \frac{1}{N} \sum_{\text{all } i} L_i$$

# %%
_ = Path("train.py").write_text("""
import sys

import torch
import torch.distributed as dist
import torch.nn.functional as F
from model import build
from torch.nn.parallel import DistributedDataParallel

dist.init_process_group("gloo")
rank, world = dist.get_rank(), dist.get_world_size()
images, labels, held_out = torch.load("digits.pt", weights_only=True)
net = build(images)
shared = DistributedDataParallel(net)
optimizer = torch.optim.Adam(shared.parameters(), lr=5e-3)
generator = torch.Generator().manual_seed(1)  # the same order in all processes
report = {"losses": [], "samples": 0}

for epoch in range(int(sys.argv[1])):
    for batch in torch.randperm(len(labels) - held_out, generator=generator).split(63):
        mine = batch[rank::world]
        loss = F.cross_entropy(shared(images[mine]), labels[mine], reduction="sum") / len(batch)
        optimizer.zero_grad()
        (world * loss).backward()
        if not report["losses"]:  # the gradients of the very first batch
            report["gradients"] = {name: p.grad.clone() for name, p in net.named_parameters()}
        optimizer.step()
        total = loss.detach()
        dist.all_reduce(total)  # the sum over all processes
        report["losses"].append(total.item())
        report["samples"] += len(mine)

report["membrane"] = tuple(net.layers[1].mem.shape)
torch.save(report, f"report{rank}of{world}.pt")
if rank == 0:
    torch.save(net.state_dict(), f"net{world}.pt")
dist.destroy_process_group()
""")

# %% [markdown]
# **Think about it.** The batches have 63 images: one process gets 32 and the other 31. What would
# go wrong if both wrote `F.cross_entropy(shared(x), y).backward()`?
#
# <details><summary>Answer</summary>
#
# Nothing would fail, and the network would learn. But a sample of the second process would count
# $1/31$ and one of the first $1/32$ in the average, so the gradient is not that of the batch. With
# parts as equal as these one would never notice; with a last batch of 3 images and processes that
# get 2 and 1, the single one counts twice as much as the others.
#
# </details>
#
# ## Start
#
# `torchrun` starts the processes, tells each its rank, and ends all if one fails. It is a program
# of the command line, `torchrun --nproc-per-node 2 train.py`, and a notebook starts it as any
# other program. (A cell cannot be one of the processes itself: they have to start from a file.)

# %%
epochs = 6


def launch(world):
    """Train in so many processes."""
    program = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    program += ["--nproc-per-node", str(world), "train.py", str(epochs)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)  # the package of this notebook
    options = {"env": environment, "capture_output": True, "text": True}
    done = subprocess.run(program, check=False, **options)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return [torch.load(f"report{rank}of{world}.pt", weights_only=True) for rank in range(world)]


two = launch(2)
one = launch(1)
for rank, report in enumerate(two):
    print(f"rank {rank} took {report['samples']} images, its last membranes: {report['membrane']}")
print(f"alone took {one[0]['samples']}, its last membranes: {one[0]['membrane']}")

# %% [markdown]
# The membranes of a process are of its own samples, so their numbers differ; nobody sends them.
# Neurons keep their states as buffers of the module, and take them out of what
# `DistributedDataParallel` sends. They are not in the checkpoint either.
#
# ## The same gradients
#
# Are these the gradients of one process that has the whole batch? We compute those here, without
# `torch.distributed`, and compare all three.

# %%
from model import build

images, labels, held_out = torch.load("digits.pt", weights_only=True)
net = build(images)
count = len(labels) - held_out
batch = torch.randperm(count, generator=torch.Generator().manual_seed(1))[:63]
F.cross_entropy(net(images[batch]), labels[batch]).backward()
here = {name: parameter.grad for name, parameter in net.named_parameters()}

gaps = {}
for name, gradient in here.items():
    shared = [report["gradients"][name] for report in (*two, *one)]
    assert torch.equal(shared[0], shared[1])  # all processes have the same
    gaps[name] = max(((g - gradient).abs().max() / gradient.abs().max()).item() for g in shared)
    print(f"{name:16} largest relative difference {gaps[name]:.1e}")

# %% [markdown]
# They differ in the last digits, as sums in another order do. Weights then differ by as little,
# and each step of training lets the difference grow a bit. A spike is either there or not: once a
# membrane lies so near to its threshold that the difference decides, two runs go different ways,
# although neither is wrong. In float32 that happens within some dozen batches, and this is why we
# compute in float64 here:

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.plot(one[0]["losses"], lw=3, color="0.75", label="one process")
left.plot(two[0]["losses"], lw=1, color="tab:blue", label="two processes")
left.set(xlabel="batch", ylabel="loss (cross entropy)", ylim=(0, None))
left.legend()
apart = (torch.tensor(one[0]["losses"]) - torch.tensor(two[0]["losses"])).abs()
right.semilogy(apart.clamp(min=1e-18), lw=1)
_ = right.set(xlabel="batch", ylabel="difference of the losses", ylim=(1e-18, 1))

# %% [markdown]
# As long as all spikes are the same, the losses agree to the last digit; if a spike differs in
# your run, the curve on the right jumps. On the left one hardly sees it.
#
# Rank 0 wrote the weights. They are those of the network itself, not of its wrapper, so that they
# load anywhere, without `torch.distributed`:

# %%
net.load_state_dict(torch.load("net2.pt", weights_only=True))
with torch.no_grad():
    right_ones = net(images[-held_out:]).argmax(1) == labels[-held_out:]
test_accuracy = right_ones.double().mean().item()
print(f"test accuracy {100 * test_accuracy:.1f} %")

# %% [markdown]
# **Think about it.** Two processes finish the epochs of this notebook hardly sooner than one. Why,
# and when does it pay?
#
# <details><summary>Answer</summary>
#
# The network is tiny: a batch takes a few milliseconds, and per batch the processes have to meet,
# pack their gradients, exchange and unpack them, which takes about as long. And on a machine of
# two cores, the one process could use both by threads. It pays where the computation on a batch
# takes much longer than sending the weights once: large networks, many time steps, one GPU per
# process.
#
# </details>
#
# ## What comes next in practice
#
# - **Unequal numbers of batches.** If one process runs out of data earlier, the others wait for it
#   forever; `torch.distributed.algorithms.join.Join` answers for it. Splitting each batch, as
#   above, avoids the case.
# - **Accumulation.** `with shared.no_sync():` around all parts of a batch but the last saves
#   talking.
# - **Random numbers.** All processes seeded alike draw the same spikes in `spikegen.rate`, each
#   for its own samples. Seed by rank: `torch.manual_seed(1000 + rank)`.
# - **Networks too large for one device.** `torch.distributed.fsdp.fully_shard` leaves a part of
#   each weight on each process.
#
# `docs/distributed.rst` shows each of these for spiking networks, and `examples/train_ddp.py`
# writes checkpoints from which training goes on after a process was killed.
#
# **Try it.** Put the loop over time outside: let `forward` be one step, and call
# `snn.unroll(shared, x, 25)` in `train.py`. The gradients stay the same. How much longer does it
# take?

# %%
worst = max(gaps.values())
print(f"two processes, one network: gradients differ by {worst:.0e}, {100 * test_accuracy:.1f} %")
assert worst < 1e-10
assert two[0]["losses"] == two[1]["losses"]
assert two[0]["samples"] + two[1]["samples"] == one[0]["samples"] == epochs * count
assert test_accuracy > 0.92  # 95.6 % when written

# %% [markdown]
# ## What to read next
#
# - [Going fast](21_going_fast.ipynb): what one process can do.
# - [IPUs](23_ipu.ipynb): other hardware.
#
# The source is
#
# - S. Li and others. PyTorch Distributed: Experiences on Accelerating Data Parallel Training.
#   Proceedings of the VLDB Endowment, 2020.
