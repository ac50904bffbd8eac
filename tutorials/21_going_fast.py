# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Going fast
#
# A loop over time calls every layer at every step, on little data each time. Most of what it
# takes is the calls. This chapter runs one network in five ways that give the same spikes and the
# same gradients, and measures them on the machine that it runs on.
#
# You will learn
#
# - why layer by layer over all of time is the same as step by step over all layers,
# - when to use `snn.unroll`, `snn.fuse`, `snn.deferred` or `torch.compile`,
# - how to read `snn.plan`, which says what runs how, and why,
# - how to measure times so that they mean something, and what is kept in memory for the backward
#   pass.
#
# It runs in about half a minute. Read [training](05_training.ipynb) first.

# %%
import statistics
import time

import matplotlib.pyplot as plt
import torch
from torch import nn

import snntorch as snn
from snntorch import utils
from snntorch.functional.quant import state_quant

COMPILE = False  # True: measure torch.compile, too (takes a minute more, and a C++ compiler)

# %% [markdown]
# ## The same, in another order
#
# Think of a table with a row for each layer and a column for each time step. A cell needs the cell
# below it, which is the layer before at the same step, and the cell to the left, its own state at
# the step before. A loop fills the table column by column. It may as well be filled row by row: all
# steps of the first layer, then all of the second.

# %%
layers, columns, arrow = ["input", "Linear", "Leaky", "Linear", "Leaky"], 6, {"arrowstyle": "->"}
fig, axes = plt.subplots(1, 2, figsize=(9, 3), sharey=True, layout="constrained")
for ax, by_row in zip(axes, (False, True), strict=True):
    for row in range(1, 5):
        for step in range(columns):
            number = (row - 1) * columns + step if by_row else step * 4 + row - 1
            ax.text(step, row, number + 1, ha="center", va="center")
            ax.plot(step, row, "s", markersize=24, color=plt.cm.viridis(0.4 + number / 40))
            if row in (2, 4) and step:
                ax.annotate("", (step - 0.28, row), (step - 0.72, row), arrowprops=arrow)
            ax.annotate("", (step, row - 0.3), (step, row - 0.7), arrowprops=arrow)
        if by_row:
            ax.plot([-0.4, columns - 0.6], [row, row], color="C3", alpha=0.5, linewidth=2)
    ax.plot(range(columns), [0] * columns, "o", color="0.6")
    ax.set(xlabel="time step", xlim=(-0.6, 5.6), ylim=(-0.4, 4.6))
    ax.set_yticks(range(5), layers)
axes[0].set_title("step by step: 24 small calls")
_ = axes[1].set_title("layer by layer: 4 large calls (red)")

# %% [markdown]
# A layer of weights has no state, no arrow to the left. So all its steps are one batch, and one
# matrix product. A neuron has a state, and its steps must come one after the other, but they can
# do so within one call: a loop in C over numbers costs a nanosecond per step, one in Python over
# tensors some ten thousand.
#
# ## The network, five ways
#
# A class with explicit states, and the same layers as an `nn.Sequential`. To be able to compare
# spikes exactly, the weights are rounded to multiples of 1/1024 and the inputs are spikes: sums of
# such numbers have no rounding error, in whatever order they are added.

# %%
num_steps, batch = 100, 32


class Net(nn.Module):
    def __init__(self, num_hidden=256):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(128, num_hidden), snn.Leaky(beta=0.9)
        self.fc2, self.lif2 = nn.Linear(num_hidden, 10), snn.Leaky(beta=0.9)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_((parameter * 1024).round() / 1024)

    def forward(self, x):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spk_rec = []
        for step in range(len(x)):
            spk1, mem1 = self.lif1(self.fc1(x[step]), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spk_rec.append(spk2)
        return torch.stack(spk_rec)


def as_sequential(net):
    """Return the layers of a net, weights shared, with neurons that keep their states."""
    first, second = (snn.Leaky(beta=0.9, init_hidden=True) for _ in range(2))
    return nn.Sequential(net.fc1, first, net.fc2, second)


# %%
torch.manual_seed(0)
net = Net()
sequential = as_sequential(net)
fused = snn.fuse(Net())
fused.load_state_dict(net.state_dict())
x = (torch.rand(num_steps, batch, 128) < 0.3).float()


def class_loop():
    return net(x)


def class_fused():
    return fused(x)


def sequential_loop():
    utils.reset(sequential)
    return torch.stack([sequential(x[step]) for step in range(num_steps)])


def sequential_deferred():
    utils.reset(sequential)
    record = []
    with snn.deferred():
        for step in range(num_steps):
            record.append(sequential(x[step]))
    return torch.stack(record)


def sequential_unrolled():
    utils.reset(sequential)
    return snn.unroll(sequential, x)


# %% [markdown]
# - `snn.unroll(net, x)` is for an `nn.Sequential`, or any module, that takes one step per call.
#   There is no loop in your code.
# - `snn.fuse(net)` is for a class with the loop in its `forward`. It returns the same net; while a
#   call runs, operations on tensors are not executed but noted, and run layer by layer at the end.
# - `snn.deferred()` does the same to a loop that is yours, around a net of one step.
#
# Do they compute the same? Compare all spikes, and the gradients of all weights.

# %%
ways = [class_loop, class_fused, sequential_loop, sequential_deferred, sequential_unrolled]


def gradients(way):
    owner = fused if way is class_fused else net
    spikes = way()
    counts = spikes.sum(0)
    loss = (counts[:, 0] - 20).square().mean() + counts[:, 1:].square().mean()
    return spikes.detach(), torch.autograd.grad(loss, list(owner.parameters()))


reference, reference_grads = gradients(class_loop)
for way in ways:
    spikes, grads = gradients(way)
    same = torch.equal(spikes, reference)
    error = max(
        ((a - b).norm() / b.norm()).item() for a, b in zip(grads, reference_grads, strict=True)
    )
    print(f"{way.__name__:20} same spikes: {same}, gradients differ by {error:.0e}")
    assert same
    assert error < 1e-3

# %% [markdown]
# ## Measuring
#
# Times are noisy, more so on a machine that others use. Four rules keep you honest: run everything
# once before you measure; let the contenders take turns, so that a slow second hits all of them;
# take the median and say how far the middle half of the values spreads; and measure what you care
# about, here a forward and a backward pass.


# %%
def measure(contenders, rounds=9):
    """Return the times of each contender in ms, measured in turns."""
    times = {name: [] for name in contenders}
    for name in list(contenders) * 6:  # warm up; a fused net finds out whether it gains
        contenders[name]()
    for _ in range(rounds):
        for name, work in contenders.items():
            start = time.perf_counter()
            work()
            times[name].append(1000 * (time.perf_counter() - start))
    return times


contenders = {way.__name__: (lambda way=way: gradients(way)) for way in ways}
times = measure(contenders)

# %%
slowest = statistics.median(times["class_loop"])
fig, ax = plt.subplots(figsize=(8, 2.8), layout="constrained")
for row, values in enumerate(times.values()):
    low, middle, high = statistics.quantiles(values, n=4)
    ax.barh(row, middle, color="C1" if row in (0, 2) else "C0")
    ax.plot([low, high], [row, row], color="black")
    ax.text(high, row, f"  {middle:.0f} ms: {slowest / middle:.1f}", va="center")
ax.set_yticks(range(5), [name.replace("_", ", ") for name in times])
ax.set(xlabel="forward and backward pass (ms)", xlim=(0, 1.6 * slowest))
ax.set_title(f"128-256-10, {num_steps} steps, batch of {batch}, threads: {torch.get_num_threads()}")
ax.invert_yaxis()

# %% [markdown]
# Orange is a loop. The black line is where the middle half of the values lies, and the last number
# says how many times as fast as the loop of the class it is. To note operations costs some Python
# at each step, which `unroll` does without.
#
# **Think about it.** Make the hidden layer 100 times as wide. What becomes of the ratios?
#
# <details><summary>Answer</summary>
#
# They shrink, because then each step is a large matrix product that takes the same time in any way.
# The gain is large where the cost of a call is large beside the arithmetic in it: many steps, small
# layers, neurons rather than weights. If the input is the same at each step, the first layer runs
# once instead of once per step, and there is a gain again.
#
# </details>
#
# ## More steps
#
# The time of a loop grows with the number of steps, from the first step on. That of `unroll` has a
# fixed part, some calls, and a part that grows with the arithmetic.

# %%
lengths = (1, 3, 10, 30, 100, 300)
narrow = nn.Sequential(nn.Linear(32, 32), snn.Leaky(beta=0.9, init_hidden=True))


def looped(data):
    utils.reset(narrow)
    torch.stack([narrow(step) for step in data]).sum().backward()


def unrolled(data):
    utils.reset(narrow)
    snn.unroll(narrow, data).sum().backward()


curves = {"loop": [], "unroll": []}
for length in lengths:
    data = torch.rand(length, 16, 32)
    pair = {"loop": lambda data=data: looped(data), "unroll": lambda data=data: unrolled(data)}
    for name, values in measure(pair, rounds=15).items():
        curves[name].append(statistics.median(values))

fig, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
for name, values in curves.items():
    ax.loglog(lengths, values, "o-", label=name)
ax.set(xlabel="time steps", ylabel="forward and backward pass (ms)")
ax.set_title("a layer of 32 neurons, batch of 16")
_ = ax.legend()
ratio = curves["loop"][-1] / curves["unroll"][-1]
print(f"at {lengths[-1]} steps the loop takes {ratio:.0f} times as long")

# %% [markdown]
# ## Memory
#
# The backward pass needs what the forward pass computed. A loop keeps several tensors for each step
# of each neuron: membranes, resets, distances to the threshold. The kernel of `unroll` keeps a
# neuron's input, and computes the membranes again. PyTorch lets us watch what is kept:


# %%
def kept_megabytes(run):
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = run()  # alive until it is counted, so that no address is used twice
    megabytes = sum(kept.values()) / 2**20
    del out
    return megabytes


kept = {way.__name__: kept_megabytes(way) for way in (sequential_loop, sequential_unrolled)}
for name, megabytes in kept.items():
    print(f"{name:20} keeps {megabytes:5.1f} MiB for the backward pass")

# %% [markdown]
# Most of what `unroll` keeps are the inputs of the layers of weights, which no way can do without.
# For very long sequences there are more ways to save. `record="spk"` keeps one of the outputs only,
# and `chunk=50` runs 50 steps at a time, which bounds the memory of a run without gradients. With
# `truncate=True` the gradients are cut between the chunks as well, as in truncated backpropagation.

# %%
long = (torch.rand(1000, batch, 128) < 0.3).float()
with torch.no_grad():
    utils.reset(sequential)
    whole = snn.unroll(sequential, long)
    utils.reset(sequential)
    in_parts = snn.unroll(sequential, long, chunk=50)
print("in parts the same spikes:", torch.equal(whole, in_parts))

# %% [markdown]
# ## Ask for the plan
#
# Not everything can be run in this way, and `snn.plan` says what is not, and why.

# %%
mixed = nn.Sequential(
    nn.Linear(128, 64),
    nn.BatchNorm1d(64),
    snn.Leaky(beta=0.9, init_hidden=True),
    nn.Dropout(0.2),
    snn.Leaky(beta=0.9, init_hidden=True, state_quant=state_quant(num_bits=4)),
    snn.SLSTM(64, 10, init_hidden=True, output=True),
)
print(snn.plan(mixed))

# %% [markdown]
# What is stepped runs its loop inside and stays right; the layers around it are batched all the
# same. In evaluation the batch normalization becomes a fixed affine map, and the plan changes:

# %%
print(snn.plan(mixed.eval()))

# %% [markdown]
# A fused net has a plan, too. This one looks at its spikes at every step, and acts on what it sees.
# That forces each step to be computed right away:


# %%
class Nervous(Net):
    def forward(self, x):
        mem, spikes = self.lif1.init_leaky(), []
        for step in range(len(x)):
            spk, mem = self.lif1(self.fc1(x[step]), mem)
            if spk.mean() > 0.5:  # looks at a value
                mem = 0.5 * mem
            spikes.append(spk)
        return torch.stack(spikes)


class Calm(Net):
    def forward(self, x):
        mem, spikes = self.lif1.init_leaky(), []
        for step in range(len(x)):
            spk, mem = self.lif1(self.fc1(x[step]), mem)
            mem = torch.where(spk.mean() > 0.5, 0.5 * mem, mem)  # the same, without looking
            spikes.append(spk)
        return torch.stack(spikes)


torch.manual_seed(0)
nervous, calm = snn.fuse(Nervous()), snn.fuse(Calm())
calm.load_state_dict(nervous.state_dict())
with torch.no_grad():
    print("the same spikes:", torch.equal(nervous(x), calm(x)))
print(str(snn.plan(nervous)).rpartition(" (")[0])  # what is cut off: the file and the line
print(snn.plan(calm))

# %% [markdown]
# **Think about it.** Nothing makes `Calm` compute early, and yet its 601 operations take 502 runs:
# only the layer of weights became one batch. Why can the neuron not run over all steps at once?
#
# <details><summary>Answer</summary>
#
# The mean is over all neurons and images: what one neuron does at this step decides about the
# membrane of all others at the next. The arrows in the table go back and forth between the neuron
# and the rest, so those operations form a circle, and circles are run in the order of the program.
# The layer of weights before it is batched all the same.
#
# </details>
#
# ## torch.compile
#
# Neurons are operations on tensors, and `torch.compile` takes them: a step, a loop or a call of
# `unroll`, without a break in the graph. It fuses the small operations of a step, on a GPU into few
# kernels. A loop in a class is unrolled while it is traced, so the time to compile grows with the
# number of steps: compile one step, or `unroll`. Here the compiler's front end checks that one step
# is a single graph, which takes seconds:

# %%
step = as_sequential(net)
utils.reset(step)
expected = step(x[0])
compiled = torch.compile(as_sequential(net), fullgraph=True, backend="aot_eager")
utils.reset(compiled)
compiled_step = compiled(x[0])
print("the same spikes:", torch.equal(compiled_step, expected))

# %%
if COMPILE:
    native = torch.compile(as_sequential(net))  # the default backend writes C++ or Triton

    def native_loop():
        utils.reset(native)
        return torch.stack([native(step) for step in x])

    pair = {"loop": lambda: gradients(sequential_loop), "compiled": lambda: gradients(native_loop)}
    for name, values in measure(pair).items():
        print(f"{name:10} {statistics.median(values):.1f} ms")

# %% [markdown]
# ## What to use
#
# | your program | use |
# | --- | --- |
# | `nn.Sequential`, the whole input is there | `snn.unroll(net, x)` |
# | one neuron | its method `lif.unroll(x)` |
# | a class with the loop in `forward` | `snn.fuse(net)` |
# | a loop of your own around a net | `with snn.deferred():` |
# | an epoch of training | `backprop.BPTT`, which unrolls |
# | an output decides the next input | the plain loop |
# | the plan says that no kernel knows your neuron | `torch.compile` of one step |
#
# **Try it.** Give the network above an input that is the same at each step (`x[:1].expand(100, -1,
# -1)` for the class, `snn.unroll(sequential, x[0], num_steps=100)` for the other) and measure
# again. Which layer runs once now? Ask the plan of the fused net.

# %%
ratios = {name: slowest / statistics.median(values) for name, values in times.items()}
print(
    "all five ways give the same spikes; on this machine, times as fast as the loop of the class: "
    + ", ".join(f"{name.replace('_', ' ')} {ratio:.1f}" for name, ratio in ratios.items())
)
assert all(torch.equal(way(), reference) for way in ways)
assert torch.equal(whole, in_parts)
assert torch.equal(compiled_step, expected)

# %% [markdown]
# ## What to read next
#
# - [Neurons for sequences](16_sequence_neurons.ipynb) give up the reset, and are parallel over
#   time.
# - [Processes](22_processes.ipynb) share the work among several machines or GPUs.
#
# About the subject
#
# - R. J. Williams, J. Peng. An Efficient Gradient-Based Algorithm for On-Line Training of Recurrent
#   Network Trajectories. Neural Computation, 1990.
# - W. Fang and others. SpikingJelly: An Open-Source Machine Learning Infrastructure Platform for
#   Spike-Based Intelligence. Science Advances, 2023.
# - J. Ansel and others. PyTorch 2: Faster Machine Learning Through Dynamic Python Bytecode
#   Transformation and Graph Compilation. ASPLOS, 2024.
