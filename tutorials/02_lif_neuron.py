# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # The leaky integrate-and-fire neuron, from a circuit to a layer
#
# Nearly every neuron of this package is a variation of one model: it collects what comes in,
# forgets a little all the time, and fires when it has collected enough. That model is a hundred
# years older than deep learning, and it is a circuit of two parts. This chapter builds it from
# there, and checks each step against a formula.
#
# You will learn
#
# - how a resistor and a capacitor become a differential equation, and that equation one line of
#   code;
# - what the neuron does with a step of current, with pulses, and with spikes;
# - how it fires, what a reset is, and which kinds there are;
# - how fast it fires for a given current: simulated, and in closed form.
#
# It runs for about 15 seconds. [Numbers into spikes](01_spike_encoding.ipynb) comes before it, but
# only one section uses it.

# %%
import matplotlib.pyplot as plt
import torch

import snntorch as snn
import snntorch.spikeplot as splt
from snntorch import spikegen

plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "font.size": 9})
BLUE, RED, GREEN = "#0072B2", "#D55E00", "#009E73"
_ = torch.manual_seed(0)

# %% [markdown]
# ## A cell as a circuit
#
# Models of neurons range from sets of equations for every ion channel (Hodgkin and Huxley's) to
# the artificial neuron, a weighted sum and a nonlinear function. The first are too slow to train
# in large numbers; the second knows no time. The *leaky integrate-and-fire* neuron stands between.
#
# A cell is salty water inside a thin skin of fat, the *membrane*, in salty water. Two conductors
# with an insulator between them: that is a **capacitor**, which stores charge. The skin has pores
# through which charge leaks: that is a **resistor**. Other cells inject a **current**. The
# voltage $U$ across the membrane, measured from its resting value, is the *membrane potential*.

# %%
fig, ax = plt.subplots(figsize=(6, 2.6), layout="constrained")
wire = {"color": "black", "linewidth": 1.5, "solid_capstyle": "round"}
for y in (0, 2):
    ax.plot([0, 4], [y, y], **wire)
for x in (0, 2, 4):
    ax.plot([x, x, x, x], [0, 0.6, float("nan"), 1.4], **wire)
    ax.plot([x, x], [1.4, 2], **wire)
ax.add_patch(plt.Circle((0, 1), 0.4, fill=False, linewidth=1.5))  # the current
ax.annotate("", (0, 1.3), (0, 0.7), arrowprops={"arrowstyle": "->", "color": RED})
ax.add_patch(plt.Rectangle((1.85, 0.6), 0.3, 0.8, fill=False, linewidth=1.5))  # the leak
ax.plot([4, 4], [0.6, 0.92], **wire)
ax.plot([4, 4], [1.08, 1.4], **wire)
for y in (0.92, 1.08):  # the two sides of the membrane
    ax.plot([3.7, 4.3], [y, y], color=BLUE, linewidth=3)
names = {(-0.9, 1): "input\ncurrent $I$", (2.35, 1): "leak\n$R$", (4.5, 1): "membrane\n$C$"}
for (x, y), name in names.items():
    ax.text(x, y, name, va="center", ha="center" if x < 0 else "left")
ax.text(2, 2.1, "inside of the cell, voltage $U$", ha="center", va="bottom")
ax.text(2, -0.1, "outside, 0", ha="center", va="top")
ax.set(xlim=(-1.5, 5.8), ylim=(-0.4, 2.5), aspect="equal")
_ = ax.axis("off")

# %% [markdown]
# No charge gets lost, so the injected current is the sum of the two others: Ohm's law for the
# leak, $U / R$, and the charging of the capacitor, $C\,dU/dt$:
#
# $$I(t) = \frac{U(t)}{R} + C\,\frac{dU(t)}{dt}.$$
#
# Multiply by $R$, and write $\tau = RC$, the *membrane time constant*:
#
# $$\tau\,\frac{dU(t)}{dt} = -U(t) + R\,I(t).$$
#
# The first term pulls the voltage back to rest, the second pushes it up to $RI$. For a constant
# current and a start at $U_0$ the solution is an exponential approach to $RI$:
#
# $$U(t) = RI + (U_0 - RI)\,e^{-t/\tau}.$$
#
# **Units.** We take megaohms (MΩ), nanofarads (nF), nanoamperes (nA), milliseconds (ms) and
# millivolts (mV), the sizes that cells have. They fit together: MΩ times nF are ms, and MΩ times nA
# are mV, so no powers of ten appear anywhere.

# %%
R, C = 10.0, 1.0  # MOhm, nF
tau = R * C  # ms


def closed_form(t, start, current):
    """Return the voltage (mV) at time t (ms) for a constant current (nA)."""
    return R * current + (start - R * current) * torch.exp(-t / tau)


print(f"time constant {tau:.0f} ms; 1 nA leads to {R * 1.0:.0f} mV in the long run")

# %% [markdown]
# ## Euler's method: the equation as a loop
#
# Networks need a form that steps through time. Replace the derivative by a difference over a
# short time $\Delta t$,
#
# $$\tau\,\frac{U(t + \Delta t) - U(t)}{\Delta t} \approx -U(t) + R\,I(t),$$
#
# and solve for the next value:
#
# $$U(t + \Delta t) = \Big(1 - \frac{\Delta t}{\tau}\Big)\,U(t) + \frac{\Delta t}{\tau}\,R\,I(t).$$
#
# That is all: keep a share of the old value, add a share of the input.


# %%
def euler_step(voltage, current, dt):
    return (1 - dt / tau) * voltage + dt / tau * R * current


def decay(dt, duration=40.0, start=10.0):
    """Let a voltage decay without any input; return times and voltages."""
    voltages = [torch.tensor(start)]
    for _ in range(round(duration / dt)):
        voltages.append(euler_step(voltages[-1], 0.0, dt))
    return torch.arange(len(voltages)) * dt, torch.stack(voltages)


fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
fine = torch.linspace(0, 40, 400)
left.plot(fine, closed_form(fine, 10.0, 0.0), "k", label="closed form")
for dt, color in ((1.0, BLUE), (5.0, GREEN), (15.0, RED)):
    left.plot(*decay(dt), "o-", color=color, markersize=3, label=rf"$\Delta t$ = {dt:.0f} ms")
left.set(xlabel="Time (ms)", ylabel="Membrane potential (mV)", title="Leak without input")
left.legend(frameon=False)

lengths = torch.tensor([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5])
errors = []
for dt in lengths.tolist():
    t, voltages = decay(dt)
    errors.append((voltages - closed_form(t, 10.0, 0.0)).abs().max())
right.loglog(lengths, errors, "o-", color=BLUE, label="largest error")
right.loglog(lengths, lengths * errors[4] / 0.2, "k:", label=r"$\propto \Delta t$")
right.set(xlabel=r"Time step $\Delta t$ (ms)", ylabel="Error (mV)", title="Euler's error")
_ = right.legend(frameon=False)

# %% [markdown]
# **Think about it.** The red curve has $\Delta t > \tau$: it overshoots to the other side. What
# happens for $\Delta t$ above $2\tau$, and why does this matter for a network?
#
# <details><summary>Answer</summary>
#
# The factor $1 - \Delta t/\tau$ is then below $-1$: the voltage flips its sign at every step and
# *grows*. Nothing physical is left. In a network this factor is one number, the *decay* $\beta$;
# keeping it between 0 and 1 keeps the neuron sane, whatever "time step" means. The next chapter
# starts there.
#
# </details>

# %% [markdown]
# ## `snn.Lapicque`
#
# In 1907 Louis Lapicque described the nerves of frogs as such leaky capacitors; the neuron with
# physical units is named after him. Give it `R`, `C`, `time_step` and a `threshold` (which we will
# not reach yet). A call is one time step: **input** and **membrane potential** go in, **spike** and
# the new membrane potential come out.

# %%
dt = 0.1  # ms


def simulate(neuron, currents, start=0.0):
    """Step a neuron through currents (time,) in nA; return spikes and voltages (time,)."""
    mem = torch.tensor([start])
    spikes, voltages = [], []
    for current in currents:
        spk, mem = neuron(current.view(1), mem)
        spikes.append(spk)
        voltages.append(mem)
    return torch.cat(spikes), torch.cat(voltages)


def steps_of(ms):
    return round(ms / dt)


lapicque = snn.Lapicque(R=R, C=C, time_step=dt, threshold=15.0)
_, leak = simulate(lapicque, torch.zeros(steps_of(40)), start=10.0)
t = (torch.arange(len(leak)) + 1) * dt  # the first result is one time step after the start
print("largest difference to Euler's loop:", float((leak - decay(dt)[1][1:]).abs().max()), "mV")
print(
    f"after {t[99]:.0f} ms: {leak[99]:.2f} mV, by the formula {closed_form(t[99], 10.0, 0.0):.2f}"
)

# %% [markdown]
# ### A step of current
#
# Switch on 1.2 nA after 10 ms. The voltage has to approach $RI = 12$ mV; after one time constant
# $1 - 1/e = 63\,\%$ of the way are done, after five nearly all.

# %%
step_current = torch.zeros(steps_of(100))
step_current[steps_of(10) :] = 1.2
_, voltage = simulate(lapicque, step_current)
t = (torch.arange(len(voltage)) + 1) * dt
formula = torch.where(t > 10, closed_form(t - 10, 0.0, 1.2), 0)

fig, (top, bottom) = plt.subplots(
    2, 1, figsize=(8, 3.6), height_ratios=(1, 3), sharex=True, layout="constrained"
)
top.plot(t, step_current, color="gray")
top.set(ylabel="Input (nA)", title="A step of current")
bottom.plot(t, voltage, color=BLUE, linewidth=3, alpha=0.5, label="Lapicque")
bottom.plot(t, formula, "k--", linewidth=1, label="closed form")
bottom.axhline(12, color=RED, linestyle=":", label="$RI$")
bottom.plot(10 + tau, 12 * 0.632, "o", color=RED, label=r"63 % after $\tau$ = 10 ms")
bottom.set(xlabel="Time (ms)", ylabel="Membrane potential (mV)")
bottom.legend(frameon=False)
step_error = float((voltage - formula).abs().max())
print(f"largest difference to the closed form: {step_error:.3f} mV of 12 mV")

# %% [markdown]
# ### Pulses: what counts is the charge
#
# Now switch the current off again. Four pulses bring the same charge, $Q = I \cdot T = 10$ pC
# (nA times ms), in ever shorter time $T$. During the pulse the voltage rises as above; its peak is
#
# $$U_\text{peak} = R\,I\,\big(1 - e^{-T/\tau}\big) \;\xrightarrow{\;T \to 0\;}\; \frac{Q}{C}.$$
#
# A long pulse leaks while it charges. A very short one just lifts the voltage by $Q/C$ at once:
# **that is what a spike does to the neuron that receives it**.

# %%
fig, (top, bottom) = plt.subplots(
    2, 1, figsize=(8, 4), height_ratios=(1, 2.4), sharex=True, layout="constrained"
)
for width, color in ((20.0, "#56B4E9"), (10.0, BLUE), (3.0, GREEN), (dt, RED)):
    pulse = torch.zeros(steps_of(60))
    pulse[steps_of(10) : steps_of(10 + width)] = 10 / width
    _, voltage = simulate(lapicque, pulse)
    t = (torch.arange(len(pulse)) + 1) * dt
    top.step(t, pulse, color=color)
    bottom.plot(t, voltage, color=color, label=f"{width:.3g} ms: peak {voltage.max():.2f} mV")
    peak = R * 10 / width * (1 - torch.exp(torch.tensor(-width / tau)))
    print(f"pulse of {width:4.1f} ms: peak {voltage.max():.2f} mV, by the formula {peak:.2f} mV")
top.set(yscale="log", ylabel="Input (nA)", title="The same charge, 10 pC, in pulses of four widths")
bottom.axhline(10, color="black", linestyle=":", label="$Q/C$")
bottom.set(xlabel="Time (ms)", ylabel="Membrane potential (mV)")
_ = bottom.legend(frameon=False)

# %% [markdown]
# ## Firing
#
# So far the neuron is a filter. What makes it a neuron is a **threshold** $\theta$: above it, it
# fires,
#
# $$S(t) = \begin{cases} 1 & \text{if } U(t) > \theta \\ 0 & \text{otherwise.} \end{cases}$$
#
# The shape of a real spike, some 100 mV high and 1 ms long, is always the same, so it carries no
# information and is left out. What counts is that it happened, and when. With 2 nA the voltage
# heads for 20 mV and crosses the threshold of 15 mV on its way. With `reset_mechanism="none"` it
# stays above, and the neuron fires at every step from then on:

# %%
current = torch.zeros(steps_of(100))
current[steps_of(10) :] = 2.0


def show_firing(axes, spikes, voltage, title, threshold=15.0):
    """Draw voltage and threshold, and the spikes above it."""
    above, below = axes
    t = (torch.arange(len(spikes)) + 1) * dt
    above.eventplot(t[spikes > 0], colors="black", linewidths=0.8)
    above.set(yticks=[], ylabel="Spikes", title=title)
    below.plot(t, voltage, color=BLUE)
    below.axhline(threshold, color=RED, linestyle="--", linewidth=1)
    below.set(xlabel="Time (ms)", ylabel="Membrane potential (mV)")


endless = snn.Lapicque(R=R, C=C, time_step=dt, threshold=15.0, reset_mechanism="none")
resetting = snn.Lapicque(R=R, C=C, time_step=dt, threshold=15.0)
fig, axes = plt.subplots(
    2, 2, figsize=(8, 3.4), height_ratios=(1, 4), sharex=True, sharey="row", layout="constrained"
)
show_firing(axes[:, 0], *simulate(endless, current), "No reset: out of control")
spikes, voltage = simulate(resetting, current)
show_firing(axes[:, 1], spikes, voltage, f'reset "subtract": {int(spikes.sum())} spikes')

# %% [markdown]
# A real neuron falls back after each spike. The default does so by taking the threshold off the
# voltage at the next step, after which it has to charge again. When does the first spike come?
# Solve the closed form for $U(t) = \theta$:
#
# $$t_1 = \tau \ln \frac{RI}{RI - \theta}.$$

# %%
t_first = float(spikes.nonzero()[0] + 1) * dt - 10
t_formula = tau * float(torch.log(torch.tensor(R * 2.0 / (R * 2.0 - 15.0))))
print(f"first spike {t_first:.1f} ms after the step, by the formula {t_formula:.2f} ms")

# %% [markdown]
# A larger current fires more often, and so does a lower threshold; a current below
# $\theta / R = 1.5$ nA (the *rheobase*) never makes it.

# %%
cases = {
    "1.4 nA": (1.4, 15.0),
    "3 nA": (3.0, 15.0),
    "3 nA, half the threshold": (3.0, 7.5),
}
fig, axes = plt.subplots(
    2, 3, figsize=(8, 3.2), height_ratios=(1, 4), sharex=True, sharey="row", layout="constrained"
)
for column, (name, (strength, threshold)) in zip(axes.T, cases.items(), strict=True):
    neuron = snn.Lapicque(R=R, C=C, time_step=dt, threshold=threshold)
    spikes, voltage = simulate(neuron, current * strength / 2)
    show_firing(column, spikes, voltage, f"{name}:\n{int(spikes.sum())} spikes", threshold)
for ax in axes[:, 1:].flat:
    ax.set_ylabel("")

# %% [markdown]
# ## Spikes in, spikes out
#
# In a network the input is not a steady current but spikes from other neurons. Take a time step
# of 1 ms, and at 30 % of them an input spike that brings 7 pC, which lifts the voltage by
# $Q/C = 7$ mV. From rest, no single one is enough to fire, and two are not; three close together
# are. The neuron detects *coincidences*. (`spikegen.rate_conv` draws the spikes.)
#
# Here the kind of reset matters, as a voltage often jumps well above the threshold:
#
# - `"subtract"` takes off the threshold, and keeps what was above it (the old voltage leaks in the
#   same step, so it can end slightly below zero);
# - `"zero"` clears all: simple in hardware, and it fires less;
# - `"none"` leaves the voltage alone, for a neuron that should only integrate.

# %%
dt = 1.0
torch.manual_seed(3)
spikes_in = spikegen.rate_conv(torch.full((150,), 0.3))
print(f"{int(spikes_in.sum())} input spikes in {len(spikes_in)} steps")

fig, axes = plt.subplots(
    3, 1, figsize=(8, 5), height_ratios=(1, 4, 4), sharex=True, layout="constrained"
)
axes[0].eventplot((spikes_in.nonzero().flatten() + 1) * dt, colors="black", linewidths=0.8)
axes[0].set(yticks=[], ylabel="Input", title="Input spikes, 7 pC each")
for ax, kind in zip(axes[1:], ("subtract", "zero"), strict=True):
    neuron = snn.Lapicque(R=R, C=C, time_step=dt, threshold=15.0, reset_mechanism=kind)
    spikes, voltage = simulate(neuron, 7.0 * spikes_in)
    t = (torch.arange(len(spikes)) + 1) * dt
    ax.plot(t, voltage, ".-", color=BLUE, markersize=3, linewidth=1)
    ax.plot(t[spikes > 0], voltage[spikes > 0], "v", color=RED, label="spike")
    ax.axhline(15, color=RED, linestyle="--", linewidth=1)
    ax.set(ylabel="Membrane (mV)", title=f'reset "{kind}": {int(spikes.sum())} output spikes')
axes[-1].set_xlabel("Time (ms)")
_ = axes[1].legend(loc="upper right", frameon=False)

# %% [markdown]
# **Think about it.** Both neurons got the same input. Where exactly did the second one lose
# charge, and would a smaller time step change that?
#
# <details><summary>Answer</summary>
#
# At each spike `"zero"` discards what exceeded the threshold, and also the input that arrives in
# the very step of the reset. With a *current* that flows smoothly a smaller step makes both losses
# vanish: the voltage is caught right at the threshold. With *spikes* as input the jump is 7 mV
# whatever the step, so what exceeds the threshold, and with it the difference, remains.
#
# </details>

# %% [markdown]
# ## How fast does it fire?
#
# Apply a constant current $I$ and wait. With a reset to zero, each interval is a fresh start from
# $U = 0$, so the time between two spikes is $t_1$ from above, and the **firing rate** is
#
# $$f(I) = \frac{1}{t_\text{ref} + \tau \ln \dfrac{RI}{RI - \theta}}
# \quad\text{for } RI > \theta, \text{ else } 0 .$$
#
# $t_\text{ref}$ is the **refractory period**: after a spike, real neurons need one or two
# milliseconds before they can fire again, however strong the input. It limits the rate to
# $1/t_\text{ref}$. `snn.Lapicque` has none to set (what you get for free is one time step, as the
# reset takes effect at the step after the spike). Where you need more, hold the voltage yourself;
# that is what a loop over time is good for.
#
# One call can simulate many neurons, so we run one for each of 60 currents, as a batch. Without
# refractoriness the loop is a plain one, and `neuron.unroll(x)`, which does the whole loop over
# the first dimension in one kernel, saves us from writing it.

# %%
dt = 0.05  # ms
currents = torch.linspace(1.0, 6.0, 60)  # nA, one neuron each
duration = 1000.0  # ms
neuron = snn.Lapicque(R=R, C=C, time_step=dt, threshold=15.0, reset_mechanism="zero")
spikes, _ = neuron.unroll(currents.expand(round(duration / dt), -1))


def rates(spikes):
    """Return the firing rate (Hz) of each neuron, from its mean interval."""
    found = []
    for train in spikes.T:
        times = train.nonzero().flatten() * dt
        found.append(1000 * (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0)
    return torch.tensor(found)


plain = rates(spikes)
print(f"{len(spikes):,} steps of {len(currents)} neurons, {int(spikes.sum()):,} spikes")

# %% [markdown]
# The refractory neurons: count down after each spike, and clamp the voltage to rest meanwhile.

# %%
t_ref = 2.0  # ms
mem, left_over = torch.zeros(60), torch.zeros(60)
records = []
for _ in range(round(300 / dt)):
    spk, mem = neuron(currents, mem)
    # the reset takes one step anyway
    left_over = torch.where(spk > 0, round(t_ref / dt) - 1, left_over - 1)
    mem = torch.where((left_over >= 0) & (spk == 0), 0.0, mem)
    records.append(spk)
refractory = rates(torch.stack(records))


# %%
def rate_formula(current, t_ref=0.0):
    """Return the firing rate (Hz) at a current (nA)."""
    drive = R * current
    interval = t_ref + tau * torch.log(drive / (drive - 15.0).clamp(min=1e-9))
    return torch.where(drive > 15.0, 1000 / interval, 0.0)


fine = torch.linspace(1.0, 6.0, 1000)
fig, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
for measured, period, color in ((plain, 0.0, BLUE), (refractory, t_ref, RED)):
    name = f"refractory for {period:.0f} ms" if period else "no refractory period"
    ax.plot(currents, measured, "o", color=color, markersize=3, label=f"simulated, {name}")
    ax.plot(fine, rate_formula(fine, period), color=color, linewidth=1, label="closed form")
ax.axvline(1.5, color="gray", linestyle=":")
ax.text(1.53, 250, r"rheobase $\theta/R$", color="gray")
ax.set(xlabel="Input current (nA)", ylabel="Firing rate (spikes per second)")
ax.set_title("The neuron as a function: firing rate against current")
_ = ax.legend(frameon=False)

# %% [markdown]
# The blue dots fall behind at high rates: the one step of 0.05 ms that a reset takes is 2 % of so
# short an interval. In the red ones it is part of the refractory period.
#
# Look at the curve once more: zero, then rising. Seen over a long time, the spiking neuron
# computes something like a **ReLU** of its input. That is why networks of them can do what networks
# of artificial neurons do; and they may do more, as *when* they fire is left out of this curve.

# %% [markdown]
# ## Many random inputs: rates of neurons that get spikes
#
# The raster plot shows 20 neurons that all get spikes of 7 pC, at different rates.

# %%
dt = 1.0
chance = torch.linspace(0.05, 0.6, 20)
trains = spikegen.rate_conv(chance.expand(300, -1))
neuron = snn.Lapicque(R=R, C=C, time_step=dt, threshold=15.0)
spikes, _ = neuron.unroll(7.0 * trains)

fig, axes = plt.subplots(1, 2, figsize=(8, 3), sharey=True, layout="constrained")
splt.raster(trains, axes[0])
axes[0].set(title="Input spikes", xlabel="Time (ms)")
splt.raster(spikes, axes[1])
_ = axes[1].set(title="Output spikes", xlabel="Time (ms)", ylabel="")

# %% [markdown]
# **Try it.** Noise makes the sharp corner of the curve soft. Add random current to the input of
# `neuron.unroll` above (`+ 3 * torch.randn(...)`, with a time step of 0.05 ms), and plot the rates
# again. Do neurons below the rheobase fire now? Which curve would you rather differentiate?

# %% [markdown]
# ## What we found

# %%
firing = rate_formula(currents) > 0
expected = rate_formula(currents)[firing]
rate_error = float((plain[firing] / expected - 1).abs().max())
limited_error = float((refractory[firing] / rate_formula(currents, t_ref)[firing] - 1).abs().max())

assert step_error < 0.1  # 0.022 mV when written
assert (plain[~firing] == 0).all()
assert rate_error < 0.05  # 2.6 % when written, at the highest rate
assert limited_error < 0.05
print(f"firing rates up to {plain.max():.0f} Hz follow the closed form within {rate_error:.1%}")

# %% [markdown]
# ## Read next
#
# - [A feedforward network](03_feedforward.ipynb): the same neuron with one parameter in place of
#   four, and layers of it.
# - [Second-order neurons](04_second_order_neurons.ipynb): what if the input current takes time,
#   too?
#
# Sources
#
# - L. Lapicque, "Recherches quantitatives sur l'excitation électrique des nerfs traitée comme une
#   polarisation", Journal de Physiologie et de Pathologie Générale, 1907. Translated by N. Brunel
#   and M. C. W. van Rossum, Biological Cybernetics, 2007.
# - A. L. Hodgkin, A. F. Huxley, "A quantitative description of membrane current and its application
#   to conduction and excitation in nerve", Journal of Physiology, 1952.
# - W. Gerstner, W. M. Kistler, R. Naud, L. Paninski, "Neuronal Dynamics", Cambridge University
#   Press, 2014.
# - P. Dayan, L. F. Abbott, "Theoretical Neuroscience", MIT Press, 2001.
