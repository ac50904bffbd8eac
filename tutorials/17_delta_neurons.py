# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Delta neurons: send only what changes
#
# Most of what a sensor measures is what it measured a moment ago. A sender that keeps quiet until
# something changes saves messages, energy, and the work of everyone who listens.
# `snn.DeltaLeaky` is a neuron for that: it fires when its membrane *changes*, not when it is high.
#
# You will learn
#
# - what `DeltaLeaky` computes, and that it contains the delta code of `spikegen`;
# - why watching changes alone loses slow drifts, and how a loop around the neuron mends that;
# - the trade between sparsity and error, as a curve, against plain sampling;
# - what the leak is for: telling changes from noise;
# - how a layer behind such neurons gets by with a fraction of its multiplications.
#
# It runs for about 25 seconds. Read [encoding](01_spike_encoding.ipynb) and
# [the feedforward network](03_feedforward.ipynb) before it.

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn

import snntorch as snn
from snntorch import spikegen

plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "font.size": 9})
BLUE, RED, GREEN = "#0072B2", "#D55E00", "#009E73"
_ = torch.manual_seed(0)

# %% [markdown]
# ## The neuron
#
# $$U[t] = \beta\,U[t-1] + x[t]$$
#
# $$S[t] = 1 \quad\text{if}\quad \big|U[t] - U[t-1]\big| > \delta, \quad\text{else } 0 .$$
#
# The membrane $U$ leaks at the rate $\beta$ and adds up the input $x$, as in `snn.Leaky`. But the
# neuron compares $U$ with its own value one step ago, and fires where it moved by more than
# $\delta$ (`delta_threshold`), up or down. Nothing is reset. Its state is a pair, the membrane now
# and the one before:

# %%
neuron = snn.DeltaLeaky(delta_threshold=0.5, beta=0.0)
state = neuron.reset_mem()
for x in (0.0, 0.2, 1.0, 1.1, 1.1, 0.3):
    spk, state = neuron(torch.tensor([x]), state)
    mem, mem_prev = state
    print(f"input {x:3.1f}: change {float(mem - mem_prev):+.1f}, spike {int(spk)}")

# %% [markdown]
# Two values of $\beta$ are special:
#
# - $\beta = 0$: the membrane *is* the input, and the neuron watches the change of the input. That
#   is the delta code of `spikegen.delta`, without the sign.
# - $\beta = 1$: the membrane is the sum of all inputs, so its change *is* the input: the neuron
#   fires where the input itself is large.
#
# Values between smooth the input first; they come to their right in the section on noise.

# %%
noise = torch.randn(500, 8)
spk, (mem, mem_prev) = neuron.unroll(noise)
by_code = spikegen.delta(noise, threshold=0.5, off_spike=True)
same_code = torch.equal(spk, by_code.abs())
print("beta = 0 is the delta code:", same_code)
signed = spk * torch.sign(mem - mem_prev)  # the state knows the sign
print("with signs, too:           ", torch.equal(signed, by_code))

# %% [markdown]
# ## A thermometer
#
# The signal for this chapter is the temperature of a room over two days, one value per minute: a
# slow swing by day and night, heating in the mornings, and a window that is opened now and
# then for ten minutes.

# %%
minutes = torch.arange(2 * 24 * 60)
hours = minutes / 60
temperature = 20 + 1.5 * torch.sin(2 * torch.pi * (hours - 9) / 24)
for start in (6.5, 30.5):  # heating: a quick rise, then slow cooling
    temperature += 2 * torch.sigmoid((hours - start) * 6) * torch.exp(-(hours - start).relu() / 5)
for opened in (8.0, 20.5, 33.0, 45.0):
    cooling = ((hours - opened) * 6).clamp(0, 1)
    temperature -= 4 * cooling * torch.exp(-(hours - opened - 1 / 6).relu() / 0.5)

fig, ax = plt.subplots(figsize=(8, 2.6), layout="constrained")
ax.plot(hours, temperature, color=BLUE)
ax.set(xlabel="Time (hours)", ylabel="Temperature (°C)", title="Two days in a room")
print(f"{len(temperature)} values; the largest change in a minute is "
      f"{temperature.diff().abs().max():.2f} °C")  # fmt: skip

# %% [markdown]
# The radio of our thermometer drains its battery: every message counts. The receiver holds the last
# value that it got until the next comes. First attempt: put the temperature into a neuron with
# $\beta = 0$, and send the value whenever it fires.


# %%
def hold(values, sent):
    """Return what a receiver knows: the value at the last message, from the first on."""
    held = [values[0]]
    for value, message in zip(values[1:], sent[1:], strict=True):
        held.append(torch.where(message > 0, value, held[-1]))
    return torch.stack(held)


def rms(error):
    return error.square().mean(0).sqrt()


watcher = snn.DeltaLeaky(delta_threshold=0.1, beta=0.0)
sent, _ = watcher.unroll(temperature.unsqueeze(1))
received = hold(temperature.unsqueeze(1), sent)


def show(received, sent, title):
    _, (top, bottom) = plt.subplots(
        2, 1, figsize=(8, 3.4), height_ratios=(5, 1), sharex=True, layout="constrained"
    )
    top.plot(hours, temperature, color=BLUE, label="room")
    top.plot(hours, received, color=RED, label="what the receiver knows", linewidth=1)
    top.set(ylabel="Temperature (°C)", title=f"{title}: {int(sent.sum())} messages")
    top.legend(frameon=False, ncols=2, loc="lower right")
    bottom.eventplot(hours[sent.flatten() > 0], colors="black", linewidths=0.6)
    bottom.set(yticks=[], xlabel="Time (hours)", ylabel="Sent")


show(received, sent, "Send after a change by more than 0.1 °C in a minute")

# %% [markdown]
# Open windows are seen at once, but between them the receiver may be off by degrees. A drift of
# 0.05 °C a minute never crosses the threshold, however far it goes: the neuron compares with the
# *last minute*, while what matters is the difference to the *last message*.
#
# ## Closing the loop
#
# The sender knows what the receiver knows: the values that it sent itself. So let it feed the
# neuron with the *error* of the receiver, $x[t] - \hat x[t-1]$, where $\hat x$ is what the receiver
# holds. With $\beta = 1$ the change of the membrane is that error, and the neuron fires where it
# exceeds $\delta$. Then the change is sent and added on both sides:
#
# $$\hat x[t] = \hat x[t-1] + S[t]\,\big(U[t] - U[t-1]\big).$$


# %%
def send_changes(neuron, signal, held):
    """Send a signal (time, ...) by a neuron with beta=1; return spikes and what is received."""
    state = neuron.reset_mem()
    spikes, received = [], []
    for x in signal:
        spk, state = neuron(x - held, state)
        mem, mem_prev = state
        held = held + spk * (mem - mem_prev)
        spikes.append(spk)
        received.append(held)
    return torch.stack(spikes), torch.stack(received)


delta = 0.5
sender = snn.DeltaLeaky(delta_threshold=delta, beta=1.0)
signal = temperature.unsqueeze(1)
sent, received = send_changes(sender, signal, held=signal[0])
show(received, sent, f"Send when the receiver is off by more than {delta} °C")
worst = float((received - signal).abs().max())
print(f"largest error {worst:.3f} °C, root mean square {float(rms(received - signal)):.3f} °C")

# %% [markdown]
# Now there is a guarantee: **the receiver is never off by more than $\delta$**, whatever the
# signal does, as any larger error is sent in the same step. Busy times get many messages,
# quiet hours few.
#
# **Think about it.** Each message above carries a number. A spike carries none. What can the
# receiver do with the mere fact that a spike of known sign came, and what is lost?
#
# <details><summary>Answer</summary>
#
# It can add or subtract a fixed amount, $\delta$. That is *delta modulation*, one bit per message.
# It loses track where the signal moves faster than $\delta$ per step: the receiver then runs after
# it, step by step ("slope overload"), and the guarantee is gone. In the figure below this is the
# dotted line.
#
# </details>
#
# ## Sparsity against error
#
# How many messages does a given accuracy take? Three senders, over a range of settings: one that
# sends every so many minutes, whatever happens; the neuron that watches changes ($\beta = 0$); and
# the closed loop. `delta_threshold` may be a tensor, so that one run tries 25 thresholds at once,
# one per neuron.

# %%
thresholds = torch.logspace(-1.7, 0.3, 25)
signals = temperature.unsqueeze(1).expand(-1, 25)
curves = {}

sent, _ = snn.DeltaLeaky(delta_threshold=thresholds / 10, beta=0.0).unroll(signals)
curves["watch changes"] = (sent.mean(0), rms(hold(signals, sent) - signals))

closed = snn.DeltaLeaky(delta_threshold=thresholds, beta=1.0)
sent, received = send_changes(closed, signals, held=signals[0])
curves["closed loop"] = (sent.mean(0), rms(received - signals))
guaranteed = bool(((received - signals).abs().max(0).values <= thresholds + 1e-4).all())

every = torch.tensor([2, 3, 5, 8, 12, 20, 30, 45, 60, 90, 120, 180, 240, 360])
regular = (minutes.unsqueeze(1) % every == 0).float()
signals = temperature.unsqueeze(1).expand(-1, len(every))
curves["every n minutes"] = (regular.mean(0), rms(hold(signals, regular) - signals))

# %% [markdown]
# And the one-bit version of the closed loop, as a comparison:

# %%
one_bit = snn.DeltaLeaky(delta_threshold=thresholds, beta=1.0)
state, held, sent, received = one_bit.reset_mem(), temperature[0].expand(25), [], []
for x in temperature:
    spk, state = one_bit(x - held, state)
    held = held + spk * thresholds * torch.sign(state[0] - state[1])
    sent.append(spk)
    received.append(held)
error = rms(torch.stack(received) - temperature.unsqueeze(1))
curves["closed loop, one bit"] = (torch.stack(sent).mean(0), error)

styles = {
    "every n minutes": ("gray", "o-"),
    "watch changes": (GREEN, "o-"),
    "closed loop": (RED, "o-"),
    "closed loop, one bit": (RED, ":"),
}
fig, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
for name, (color, style) in styles.items():
    share, error = curves[name]
    ax.loglog(100 * share, error, style, color=color, markersize=3, label=name)
ax.set(xlabel="Minutes with a message (%)", ylabel="Root mean square error (°C)")
ax.set_title("The same signal, four senders: lower left is better")
_ = ax.legend(frameon=False)

# %% [markdown]
# At the same number of messages the closed loop is more accurate than a clock, because it spends
# them where something happens. How much it gains depends on the signal: the more it rests
# between events, the more. Watching changes alone is the worst of all here, except where nearly
# everything is sent.

# %%
target = 0.25  # °C


def messages_for(name):
    """Return the share of messages at which a curve reaches the target, between its points."""
    share, error = curves[name]
    order = error.argsort()
    share, error = share[order].log(), error[order].log()
    wanted = torch.tensor(target).log()
    i = int(torch.searchsorted(error, wanted))
    weight = (wanted - error[i - 1]) / (error[i] - error[i - 1])
    return float((share[i - 1] + weight * (share[i] - share[i - 1])).exp())


by_neuron, by_clock = messages_for("closed loop"), messages_for("every n minutes")
saving = by_clock / by_neuron
print(f"for an error of {target} °C, the share of minutes with a message:")
print(f"{100 * by_neuron:.1f} % by the neuron, {100 * by_clock:.1f} % by the clock")

# %% [markdown]
# ## What the leak is for
#
# Real sensors are noisy, and noise changes at every step. Let each value have an error of standard
# deviation $\sigma$. The change from one value to the next then has $\sqrt2\,\sigma$, and a small
# threshold fires at nothing. A leak smooths the input first: with $x$ scaled by $1 - \beta$, so
# that a constant input passes as it is, the membrane is a running mean, and its change has the
# standard deviation
#
# $$\sigma_\Delta = (1 - \beta)\,\sigma\,\sqrt{\frac{2}{1 + \beta}} .$$
#
# A real change, say a fall by $s$ per minute over $n$ minutes, moves the membrane by up to
# $s\,(1 - \beta^n)$ per minute. The ratio of the two says how well they can be told apart.

# %%
sigma, slope, length = 0.1, 0.4, 10  # °C, °C per minute, minutes: an open window
betas = torch.tensor([0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95])
quiet = sigma * torch.randn(600, 50, 1)
window = slope * torch.arange(200.0).clamp(max=length).view(-1, 1, 1)


def changes(inputs):
    """Return the changes of the membranes (time, samples, betas), one neuron for each beta."""
    neuron = snn.DeltaLeaky(delta_threshold=1.0, beta=betas)
    _, (mem, mem_prev) = neuron.unroll((1 - betas) * inputs)
    return mem - mem_prev


noise_changes = rms(changes(quiet)[100:].flatten(0, 1))  # after the start, where it fills up
real_changes = changes(window).abs().amax((0, 1))
formula_noise = (1 - betas) * sigma * (2 / (1 + betas)).sqrt()
formula_real = slope * (1 - betas**length)
noise_error = float((noise_changes / formula_noise - 1).abs().max())

fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
left.plot(betas, noise_changes, "o", color="gray", label="noise (standard deviation)")
left.plot(betas, formula_noise, color="gray")
left.plot(betas, real_changes, "o", color=BLUE, label="open window (largest)")
left.plot(betas, formula_real, color=BLUE)
left.set(xlabel=r"Decay rate $\beta$", ylabel="Change per minute (°C)", yscale="log")
left.set_title("Measured (dots), formula (lines)")
left.legend(frameon=False)
right.plot(betas, real_changes / noise_changes, "o-", color=RED)
right.set(xlabel=r"Decay rate $\beta$", ylabel="Window / noise", title="The leak tells them apart")
_ = right.set_ylim(0, 35)

# %% [markdown]
# One night with the noisy thermometer, and the window opened at hour 4. The thresholds are
# multiples of the noise, $\sigma_\Delta$:

# %%
t = torch.arange(480)
night = 20 - slope * (t - 240).clamp(0, length) * torch.exp(-(t - 240 - length).relu() / 40)
reading = night + sigma * torch.randn(480)
fig, axes = plt.subplots(
    4, 1, figsize=(8, 4.2), height_ratios=(4, 1, 1, 1), sharex=True, layout="constrained"
)
axes[0].plot(t / 60, reading, color="gray", linewidth=0.7, label="reading")
axes[0].plot(t / 60, night, color=BLUE, label="room")
axes[0].set(ylabel="Temperature (°C)", title="What the neuron calls a change")
axes[0].legend(frameon=False)
for ax, beta, factor in zip(axes[1:], (0.0, 0.0, 0.9), (2, 4, 4), strict=True):
    scale = (1 - beta) * sigma * (2 / (1 + beta)) ** 0.5
    neuron = snn.DeltaLeaky(delta_threshold=factor * scale, beta=beta)
    start = torch.full((1,), 20.0)
    spk, _ = neuron.unroll((1 - beta) * reading.unsqueeze(1), start, start)
    ax.eventplot(t[spk.flatten() > 0] / 60, colors="black", linewidths=0.8)
    ax.set(yticks=[], ylabel=rf"$\beta$ = {beta}" + f"\n{factor} " + r"$\sigma_\Delta$")
_ = axes[-1].set_xlabel("Time (hours)")

# %% [markdown]
# Without a leak one has to choose between false alarms and missing the window. With it, the
# neuron is quiet until the window opens, and fires while the room cools.
#
# **Think about it.** Could $\beta$ be *too* large?
#
# <details><summary>Answer</summary>
#
# Yes: the membrane then takes longer to move than the change lasts. In the formula,
# $1 - \beta^n$ shrinks once $1/(1-\beta)$ exceeds the length $n$ of the change. The ratio still
# grows a little, but the answer comes late, and two changes soon after one another melt into one.
# A good $\beta$ remembers about as long as what you look for lasts.
#
# </details>
#
# ## A layer that computes only changes
#
# The other side may profit, too. A linear layer, $y = W x$, that receives only the *changes* of its
# input updates its old result, $y[t] = y[t-1] + W\,\Delta x[t]$, and skips all columns of $W$
# whose input did not change. Take a video: a fixed background of random gray, and a bright
# spot that wanders slowly across. Each of the 24 x 24 pixels is a sender in a closed loop.

# %%
side, frames = 24, 120
y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
background = 0.3 * torch.rand(side, side)
turn = torch.linspace(0, 1.5 * torch.pi, frames).view(-1, 1, 1)
spot = torch.exp(-((x - 12 - 7 * turn.cos()) ** 2 + (y - 12 - 7 * turn.sin()) ** 2) / 8)
video = (background + 0.7 * spot).flatten(1)

# %%
spk, received = send_changes(snn.DeltaLeaky(delta_threshold=0.1, beta=1.0), video, video[0])
fig, axes = plt.subplots(3, 5, figsize=(7, 4.4), layout="constrained")
for column, frame in zip(axes.T, (10, 35, 60, 85, 110), strict=True):
    change = received[frame] - received[frame - 1]
    for ax, picture in zip(column, (video[frame], change, received[frame]), strict=True):
        limits = (-0.3, 0.3) if picture is change else (0, 1)
        cmap = "RdBu_r" if picture is change else "gray"
        ax.imshow(picture.view(side, side), cmap=cmap, vmin=limits[0], vmax=limits[1])
        ax.set(xticks=[], yticks=[])
    column[0].set_title(f"frame {frame}")
for ax, name in zip(axes[:, 0], ("video", "changes sent", "received"), strict=True):
    ax.set_ylabel(name)
print(f"{100 * spk.mean():.1f} % of pixels and frames are sent")

# %% [markdown]
# The layer gets the changes; `delta_threshold` is one per run this time, 12 runs side by side. The
# first frame comes at full price and is not counted.

# %%
layer = nn.Linear(side**2, 64, bias=False)
deltas = torch.logspace(-3, -0.5, 12)
runs = video.unsqueeze(1).expand(-1, 12, -1)
sender = snn.DeltaLeaky(delta_threshold=deltas.unsqueeze(1), beta=1.0)
with torch.no_grad():
    spk, received = send_changes(sender, runs, held=runs[0])
    sent_changes = received.diff(dim=0, prepend=runs[:1])
    outputs = layer(runs[0]) + layer(sent_changes).cumsum(0)  # never the whole image again
    exact = layer(runs)
error = (outputs - exact).square().mean((0, 2)).sqrt() / exact.std()
work = spk.mean((0, 2))  # the share of columns of W that are used

fig, ax = plt.subplots(figsize=(8, 3.2), layout="constrained")
ax.loglog(100 * work, 100 * error, "o-", color=RED)
for i in range(0, 12, 2):
    ax.annotate(rf"$\delta$ = {deltas[i]:.3f}", (100 * work[i], 100 * error[i]),
                xytext=(6, 4), textcoords="offset points")  # fmt: skip
ax.set(xlabel="Multiplications, of those that all pixels take (%)")
_ = ax.set(ylabel="Error of the outputs (%)", title="A linear layer on changes only")

# %% [markdown]
# Brains, event cameras and some chips work this way: no change, no work. On a CPU or GPU with dense
# matrices the saved multiplications save no time, as they are done anyway with zeros; what is saved
# is counted here, not measured.
#
# **Try it.** Make the spot turn ten times as fast, and the background flicker
# (`background` times `1 + 0.1 * torch.randn(frames, 1, 1)`). Where does the curve go? Then put a
# `snn.Leaky(beta=0.8, reset_mechanism="none")` in front of the senders.

# %% [markdown]
# ## What we found

# %%
good = int((error < 0.05).nonzero().max())  # the largest threshold of less than 5 % error
assert same_code
assert guaranteed
assert worst <= delta + 1e-4
assert saving > 2  # 4.2 when written
assert noise_error < 0.05
assert work[good] < 0.2  # 0.088 when written
print(
    f"closed loop: never off by more than its threshold, {saving:.1f} times fewer messages than a "
    f"clock; a layer within {100 * error[good]:.1f} % by {100 * work[good]:.1f} % of its work"
)

# %% [markdown]
# ## Read next
#
# - [Neuromorphic data](07_neuromorphic_data.ipynb): recordings of cameras that send changes.
# - [Sequence neurons](16_sequence_neurons.ipynb): the leak as a filter.
#
# Sources
#
# - P. Lichtsteiner, C. Posch, T. Delbruck, "A 128x128 120 dB 15 us latency asynchronous temporal
#   contrast vision sensor", IEEE Journal of Solid-State Circuits, 2008.
# - T. Delbruck, B. Linares-Barranco, E. Culurciello, C. Posch, "Activity-driven, event-based vision
#   sensors", ISCAS, 2010.
# - Marek Miskowicz, "Send-on-delta concept: an event-based data reporting strategy", Sensors, 2006.
# - P. O'Connor, M. Welling, "Sigma delta quantized networks", ICLR, 2017.
